//! One RTMP connection: its socket, its session and what it does.

mod admission;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use queqiao_rtmp::server::{Config, Event, Level, Session};
use smallvec::SmallVec;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until, timeout};
use tracing::{Span, debug, info, warn};

use super::Shared;
use super::closed::{Closed, by_room};
use super::control::Control;
use super::egress::{CHUNK_SIZE, Egress, Next};
use super::ingest::{Audience, Ingest, Notice};
use super::leisure::{LEISURE_AFTER, next_batch};
use super::observed::Observed;
use super::socket::{Ready, Socket};
use crate::player::{Summary, WRITE_TIMEOUT};
use crate::rooms::{Link, LinkEnd};

/// Bytes read at once: a picture of a phone's stream.
const READ_BUFFER: usize = 16 * 1024;

/// How long the last words to a client may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Messages for a player are written together up to so many bytes, a segment: a system call costs more than what little is in
/// it, but what is written cannot be left out any more.
const WRITTEN_TOGETHER: usize = 1_400;

/// Messages written in one system call.
const MAX_SLICES: usize = 16;

enum Role {
    Idle,
    Publishing(Publisher),
    Playing { egress: Egress, link: Link },
}

struct Publisher {
    ingest: Ingest,
    control: Arc<Control>,
    /// The publisher's place in its room.
    link: Link,
    tracks: Observed,
}

/// What woke the connection.
enum Wake {
    Socket(io::Result<Ready>),
    Play(Next),
    /// The hub has a word for the publisher.
    Control,
    /// The room wants the connection to end.
    Room(LinkEnd),
    Timer,
    Shutdown,
}

/// A connection.
pub(super) struct Connection {
    socket: Socket,
    session: Session,
    shared: Arc<Shared>,
    role: Role,
    unsent: VecDeque<Bytes>,
    stalled_since: Option<Instant>,
    opened: Instant,
    last_input: Instant,
    /// Since when the publisher has had no players.
    unplayed_since: Option<Instant>,
    span: Span,
}

impl Connection {
    pub(super) fn new(socket: TcpStream, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            socket: Socket::new(socket),
            session: Session::new(Config { chunk_size: CHUNK_SIZE, ..Config::default() }),
            shared,
            role: Role::Idle,
            unsent: VecDeque::new(),
            stalled_since: None,
            opened: now,
            last_input: now,
            unplayed_since: None,
            span: Span::current(),
        }
    }

    /// Serves the client until it leaves or has to.
    pub(super) async fn run(mut self) {
        let Err(reason) = self.serve().await;
        self.span.in_scope(|| self.log_end(&reason));
        // What cannot be carried does not come back.
        if let (Closed::UnsupportedCodec(_), Role::Publishing(publisher)) = (&reason, &mut self.role) {
            publisher.link.leave();
        }
        // The publication ends before the goodbye: whoever comes next must not wait for a peer that is gone.
        self.role = Role::Idle;
        if !matches!(reason, Closed::Io(_) | Closed::ByClient | Closed::Stalled) {
            let _ = timeout(CLOSE_TIMEOUT, self.say_goodbye(&reason)).await;
        }
    }

    fn log_end(&self, reason: &Closed) {
        match (reason, &self.role) {
            (Closed::Refused { .. } | Closed::UnsupportedCodec(_) | Closed::Protocol(_), _) => {
                warn!(%reason, "closed");
            }
            (_, Role::Playing { egress, .. }) => log_summary(reason, egress.summary()),
            (_, Role::Publishing(publisher)) => {
                info!(%reason, skipped = publisher.ingest.skipped(), "closed");
            }
            (_, Role::Idle) => info!(%reason, "closed"),
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Closed> {
        let mut buffer = vec![0; READ_BUFFER];
        let timer = sleep_until((self.opened + self.shared.handshake_timeout).into());
        tokio::pin!(timer);
        loop {
            self.collect_output();
            self.write()?;
            self.look();
            if self.next_batch(Instant::now()).is_some() {
                self.read_batches(&mut buffer).await?;
                continue;
            }
            match self.wait(&mut buffer, timer.as_mut()).await {
                Wake::Socket(ready) => {
                    if let Ready::Read(count) = ready? {
                        self.read(buffer.get(..count).unwrap_or_default())?;
                        if !matches!(self.role, Role::Idle) && timer.is_elapsed() {
                            timer.as_mut().reset(self.next_check().into());
                        }
                    }
                }
                Wake::Play(Next::Message(message)) => {
                    self.unsent.push_back(message);
                    self.take_more();
                }
                Wake::Play(Next::Look) => {}
                Wake::Play(Next::PublisherGone) => return Err(Closed::NoPublisher),
                Wake::Control => self.check_replaced()?,
                Wake::Room(end) => return Err(by_room(end)),
                Wake::Timer => {
                    self.check_deadlines(Instant::now())?;
                    timer.as_mut().reset(self.next_check().into());
                }
                Wake::Shutdown => return Err(Closed::Shutdown),
            }
        }
    }

    async fn wait(&mut self, buffer: &mut [u8], timer: Pin<&mut Sleep>) -> Wake {
        let blocked = !self.unsent.is_empty();
        let (socket, shared) = (&mut self.socket, &self.shared);
        let role = &mut self.role;
        let activity = async {
            match role {
                Role::Idle => std::future::pending().await,
                Role::Publishing(Publisher { control, link, .. }) => tokio::select! {
                    () = control.called() => Wake::Control,
                    end = link.closed() => Wake::Room(end),
                },
                Role::Playing { egress, link } => tokio::select! {
                    next = egress.next(blocked, shared.play_wait) => Wake::Play(next),
                    end = link.closed() => Wake::Room(end),
                },
            }
        };
        tokio::select! {
            ready = socket.ready(buffer, blocked) => Wake::Socket(ready),
            wake = activity => wake,
            () = timer => Wake::Timer,
            () = shared.shutdown.cancelled() => Wake::Shutdown,
        }
    }

    /// Takes what else there is for a player, as far as it goes out with what is there.
    fn take_more(&mut self) {
        let Role::Playing { egress, .. } = &mut self.role else { return };
        while self.unsent.iter().map(Bytes::len).sum::<usize>() < WRITTEN_TOGETHER
            && let Some(message) = egress.take(self.shared.play_wait)
        {
            self.unsent.push_back(message);
        }
    }

    /// Tells a player's governor what has become of what was written.
    fn look(&mut self) {
        if let Role::Playing { egress, .. } = &mut self.role {
            let written = self.unsent.is_empty().then(|| self.socket.written());
            if let Some(departure) = egress.look(Instant::now(), written, || self.socket.probe()) {
                self.span.in_scope(|| debug!("{departure}"));
            }
        }
    }

    /// When to read a publisher next whom nobody plays, if there is nothing left to tell it.
    fn next_batch(&self, now: Instant) -> Option<Instant> {
        let Role::Publishing(publisher) = &self.role else { return None };
        let unplayed = self.unplayed_since.is_some_and(|since| now.duration_since(since) >= LEISURE_AFTER);
        if !unplayed || !self.unsent.is_empty() {
            return None;
        }
        // Asked anew: who has just come to watch must not wait for the publisher's next message to be noticed.
        match publisher.ingest.audience() {
            Audience::Nobody => Some(next_batch(self.shared.epoch, self.opened, now)),
            Audience::Mix => Some(self.shared.hub.next_mix_input(now)),
            Audience::Players => None,
        }
    }

    /// Reads a publisher without players now and then, until it gets one or has to be answered.
    async fn read_batches(&mut self, buffer: &mut [u8]) -> Result<(), Closed> {
        self.socket.detach()?;
        let mut result = Ok(());
        while result.is_ok()
            && let Some(at) = self.next_batch(Instant::now())
        {
            result = self.read_batch(at, buffer).await;
        }
        self.socket.attach()?;
        result
    }

    async fn read_batch(&mut self, at: Instant, buffer: &mut [u8]) -> Result<(), Closed> {
        let Role::Publishing(Publisher { control, link, .. }) = &self.role else { return Ok(()) };
        tokio::select! {
            () = sleep_until(at.into()) => {}
            () = control.called() => self.check_replaced()?,
            end = link.closed() => return Err(by_room(end)),
            () = self.shared.shutdown.cancelled() => return Err(Closed::Shutdown),
        }
        while let Some(count) = self.socket.read_waiting(buffer)? {
            self.read(buffer.get(..count).unwrap_or_default())?;
            if count < buffer.len() {
                break;
            }
        }
        self.collect_output();
        self.check_deadlines(Instant::now())
    }

    fn check_replaced(&self) -> Result<(), Closed> {
        match &self.role {
            Role::Publishing(publisher) if publisher.control.is_replaced() => Err(Closed::Replaced),
            Role::Publishing(_) | Role::Idle | Role::Playing { .. } => Ok(()),
        }
    }

    fn read(&mut self, input: &[u8]) -> Result<(), Closed> {
        if input.is_empty() {
            return Err(Closed::ByClient);
        }
        let now = Instant::now();
        self.last_input = now;
        let result = self.session.handle_input(input);
        while let Some(event) = self.session.poll_event() {
            self.event(event, now)?;
        }
        self.unplayed_since = match &mut self.role {
            Role::Publishing(publisher) => {
                if let Some(tracks) = publisher.tracks.news(publisher.ingest.tracks(), now) {
                    publisher.link.observe(tracks);
                }
                let played = publisher.ingest.audience() == Audience::Players;
                (!played).then(|| self.unplayed_since.unwrap_or(now))
            }
            Role::Idle | Role::Playing { .. } => None,
        };
        Ok(result?)
    }

    fn event(&mut self, event: Event, now: Instant) -> Result<(), Closed> {
        match event {
            Event::Publish(request) => self.publish(request)?,
            Event::Play(request) => self.play(request)?,
            Event::Video { timestamp, payload } => {
                if let Role::Publishing(Publisher { ingest, .. }) = &mut self.role {
                    let notice = self.span.in_scope(|| ingest.video(timestamp, payload, now));
                    self.notify(notice)?;
                }
            }
            Event::Audio { timestamp, payload } => {
                if let Role::Publishing(Publisher { ingest, .. }) = &mut self.role {
                    let notice = self.span.in_scope(|| ingest.audio(timestamp, payload, now));
                    self.notify(notice)?;
                }
            }
            Event::Metadata(metadata) => {
                if let Role::Publishing(Publisher { ingest, .. }) = &mut self.role {
                    ingest.metadata(&metadata);
                }
            }
            Event::PublishStopped | Event::PlayStopped => {
                if let Role::Playing { egress, .. } = &self.role {
                    self.span.in_scope(|| log_summary("stopped by the client", egress.summary()));
                }
                if let Role::Publishing(Publisher { link, .. }) | Role::Playing { link, .. } = &mut self.role
                {
                    link.leave();
                }
                self.role = Role::Idle;
                self.opened = now;
            }
            Event::Paused(paused) => {
                if let Role::Playing { egress, .. } = &mut self.role {
                    egress.pause(paused);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn notify(&mut self, notice: Option<Notice>) -> Result<(), Closed> {
        match notice {
            None => Ok(()),
            Some(Notice::Warning { code, text }) => {
                self.span.in_scope(|| warn!(code, "{text}"));
                self.session.status(Level::Warning, code, text);
                Ok(())
            }
            Some(Notice::UnsupportedCodec(name)) => {
                let text = format!("unsupported_codec: {name} is not carried; publish H.264 and AAC");
                self.session.status(Level::Error, "NetStream.Publish.BadName", &text);
                Err(Closed::UnsupportedCodec(name.into_owned()))
            }
        }
    }

    fn collect_output(&mut self) {
        while let Some(bytes) = self.session.poll_output() {
            self.unsent.push_back(bytes);
        }
    }

    /// Writes what the socket takes.
    fn write(&mut self) -> Result<(), Closed> {
        while !self.unsent.is_empty() {
            let slices: SmallVec<[IoSlice<'_>; MAX_SLICES]> =
                self.unsent.iter().take(MAX_SLICES).map(|bytes| IoSlice::new(bytes)).collect();
            let written = self.socket.try_write(&slices)?;
            drop(slices);
            match written {
                Some(0) => return Err(Closed::ByClient),
                Some(written) => {
                    self.stalled_since = None;
                    self.advance(written);
                }
                None => {
                    self.stalled_since.get_or_insert_with(Instant::now);
                    break;
                }
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.unsent.front_mut() {
            if first.len() > written {
                first.advance(written);
                break;
            }
            written -= first.len();
            self.unsent.pop_front();
        }
    }

    fn check_deadlines(&self, now: Instant) -> Result<(), Closed> {
        if self.stalled_since.is_some_and(|since| now.duration_since(since) >= WRITE_TIMEOUT) {
            return Err(Closed::Stalled);
        }
        match &self.role {
            Role::Playing { egress, .. }
                if egress.held_since().is_some_and(|since| now.duration_since(since) >= WRITE_TIMEOUT) =>
            {
                Err(Closed::Stalled)
            }
            Role::Idle if now.duration_since(self.opened) >= self.shared.handshake_timeout => {
                Err(Closed::HandshakeTimeout)
            }
            Role::Publishing(_) if now.duration_since(self.last_input) >= self.shared.idle_timeout => {
                Err(Closed::Idle)
            }
            Role::Idle | Role::Publishing(_) | Role::Playing { .. } => Ok(()),
        }
    }

    /// When to look at the deadlines next. Late by a write timeout at most, and rare: most connections are well.
    fn next_check(&self) -> Instant {
        match self.role {
            Role::Idle => self.opened + self.shared.handshake_timeout,
            Role::Publishing(_) => self.last_input + self.shared.idle_timeout,
            Role::Playing { .. } => Instant::now() + WRITE_TIMEOUT,
        }
        .max(Instant::now() + Duration::from_millis(10))
    }

    async fn say_goodbye(&mut self, reason: &Closed) -> io::Result<()> {
        match reason {
            Closed::NoPublisher | Closed::Shutdown | Closed::ByRoom(_) if self.session.is_playing() => {
                self.session.end_play(&reason.to_string());
            }
            Closed::Shutdown | Closed::Replaced | Closed::Idle | Closed::ByRoom(_)
                if self.session.is_publishing() =>
            {
                self.session.status(Level::Error, "NetStream.Publish.BadName", &reason.to_string());
            }
            _ => {}
        }
        self.collect_output();
        while let Some(bytes) = self.unsent.pop_front() {
            self.socket.write_all(&bytes).await?;
        }
        self.socket.close().await
    }
}

/// Says how a player fared.
fn log_summary(reason: impl std::fmt::Display, summary: Option<Summary>) {
    match summary {
        Some(Summary { skipped, groups, rebases, max_lag_ms }) => {
            info!(%reason, skipped, groups, rebases, max_lag_ms, "closed");
        }
        None => info!(%reason, "closed"),
    }
}
