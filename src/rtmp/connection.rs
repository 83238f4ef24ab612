//! One RTMP connection: its socket, its session and what it does.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use queqiao_room::{Error as RoomError, Grant, Permission, StreamKey};
use queqiao_rtmp::address::Address;
use queqiao_rtmp::server::{Config, Event, Level, PlayRequest, PublishRequest, Refusal, Session};
use smallvec::SmallVec;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep_until, timeout};
use tracing::{Span, info, info_span, warn};

use super::Shared;
use super::egress::{CHUNK_SIZE, Egress};
use super::ingest::{Ingest, Notice};
use crate::hub::{HubError, NativeForm, PublisherControl};
use crate::signal::unix_now;

/// Bytes read at once: a picture of a phone's stream.
const READ_BUFFER: usize = 16 * 1024;

/// How long a client may leave what it is sent unread. The kernel holds seconds of a call by then.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the last words to a client may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Messages written in one system call.
const MAX_SLICES: usize = 16;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("closed by the client")]
    ByClient,
    #[error("closed by the client's protocol error: {0}")]
    Protocol(#[from] queqiao_rtmp::Error),
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    #[error("nothing published or played in time")]
    HandshakeTimeout,
    #[error("silent for too long")]
    Idle,
    #[error("the client does not read what it is sent")]
    Stalled,
    #[error("refused: {code}: {message}")]
    Refused { code: &'static str, message: String },
    #[error("codec {0} is not carried")]
    UnsupportedCodec(String),
    #[error("another publisher took the stream")]
    Replaced,
    #[error("the publisher did not come, or left")]
    NoPublisher,
    #[error("the server is shutting down")]
    Shutdown,
}

/// The way back to an RTMP publisher, who cannot be asked for keyframes.
struct Control {
    replaced: Notify,
}

impl PublisherControl for Control {
    fn request_keyframe(&self) {}

    fn replaced(&self) {
        self.replaced.notify_one();
    }
}

enum Role {
    Idle,
    Publishing { ingest: Ingest, control: Arc<Control> },
    Playing(Egress),
}

/// What woke the connection.
enum Wake {
    Read(io::Result<usize>),
    Writable(io::Result<()>),
    Message(Bytes),
    Replaced,
    PublisherGone,
    Timer,
    Shutdown,
}

/// A connection.
pub(super) struct Connection {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    session: Session,
    shared: Arc<Shared>,
    role: Role,
    unsent: VecDeque<Bytes>,
    stalled_since: Option<Instant>,
    opened: Instant,
    last_input: Instant,
    span: Span,
}

impl Connection {
    pub(super) fn new(socket: TcpStream, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        let (reader, writer) = socket.into_split();
        Self {
            reader,
            writer,
            session: Session::new(Config { chunk_size: CHUNK_SIZE, ..Config::default() }),
            shared,
            role: Role::Idle,
            unsent: VecDeque::new(),
            stalled_since: None,
            opened: now,
            last_input: now,
            span: Span::current(),
        }
    }

    /// Serves the client until it leaves or has to.
    pub(super) async fn run(mut self) {
        let Err(reason) = self.serve().await;
        let skipped = match &self.role {
            Role::Idle => 0,
            Role::Publishing { ingest, .. } => ingest.skipped(),
            Role::Playing(egress) => egress.skipped(),
        };
        self.span.in_scope(|| match &reason {
            Closed::Refused { .. } | Closed::UnsupportedCodec(_) => warn!(%reason, "closed"),
            Closed::Protocol(_) => warn!(%reason, "closed"),
            _ => info!(%reason, skipped, "closed"),
        });
        // The publication ends before the goodbye: whoever comes next must not wait for a peer that is gone.
        self.role = Role::Idle;
        if !matches!(reason, Closed::Io(_) | Closed::ByClient | Closed::Stalled) {
            let _ = timeout(CLOSE_TIMEOUT, self.say_goodbye(&reason)).await;
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Closed> {
        let mut buffer = vec![0; READ_BUFFER];
        let timer = sleep_until((self.opened + self.shared.handshake_timeout).into());
        tokio::pin!(timer);
        loop {
            self.collect_output();
            self.write()?;
            let wake = self.wait(&mut buffer, timer.as_mut()).await;
            match wake {
                Wake::Read(result) => {
                    let input = buffer.get(..result?).unwrap_or_default();
                    self.read(input)?;
                    if !matches!(self.role, Role::Idle) && timer.is_elapsed() {
                        timer.as_mut().reset(self.next_check().into());
                    }
                }
                Wake::Writable(result) => result?,
                Wake::Message(message) => self.unsent.push_back(message),
                Wake::Replaced => return Err(Closed::Replaced),
                Wake::PublisherGone => return Err(Closed::NoPublisher),
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
        let (reader, writer, shared) = (&mut self.reader, &self.writer, &self.shared);
        let role = &mut self.role;
        let activity = async {
            match role {
                Role::Idle => std::future::pending().await,
                Role::Publishing { control, .. } => {
                    control.replaced.notified().await;
                    Wake::Replaced
                }
                Role::Playing(egress) => {
                    egress.next(blocked, shared.play_wait).await.map_or(Wake::PublisherGone, Wake::Message)
                }
            }
        };
        tokio::select! {
            result = reader.read(buffer) => Wake::Read(result),
            result = writer.writable(), if blocked => Wake::Writable(result),
            wake = activity => wake,
            () = timer => Wake::Timer,
            () = shared.shutdown.cancelled() => Wake::Shutdown,
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
        Ok(result?)
    }

    fn event(&mut self, event: Event, now: Instant) -> Result<(), Closed> {
        match event {
            Event::Publish(request) => self.publish(request)?,
            Event::Play(request) => self.play(request)?,
            Event::Video { timestamp, payload } => {
                if let Role::Publishing { ingest, .. } = &mut self.role {
                    let notice = self.span.in_scope(|| ingest.video(timestamp, payload, now));
                    self.notify(notice)?;
                }
            }
            Event::Audio { timestamp, payload } => {
                if let Role::Publishing { ingest, .. } = &mut self.role {
                    let notice = self.span.in_scope(|| ingest.audio(timestamp, payload, now));
                    self.notify(notice)?;
                }
            }
            Event::Metadata(metadata) => {
                if let Role::Publishing { ingest, .. } = &mut self.role {
                    ingest.metadata(&metadata);
                }
            }
            Event::PublishStopped | Event::PlayStopped => {
                self.role = Role::Idle;
                self.opened = now;
            }
            Event::Paused(paused) => {
                if let Role::Playing(egress) = &mut self.role {
                    egress.pause(paused);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn publish(&mut self, request: PublishRequest) -> Result<(), Closed> {
        let control = Arc::new(Control { replaced: Notify::new() });
        let publication = self.authorize(request.address(), Permission::Publish).and_then(|grant| {
            let hub = &self.shared.hub;
            let control = Arc::clone(&control) as Arc<dyn PublisherControl>;
            hub.publish(&grant, NativeForm::Frames, control).map_err(Denial::from)
        });
        match publication {
            Ok(publication) => {
                self.span =
                    info_span!("publisher", protocol = "rtmp", stream = %publication.source().stream().key());
                self.span.in_scope(|| info!("publishing"));
                self.role = Role::Publishing { ingest: Ingest::new(publication), control };
                self.session.accept_publish(request);
                Ok(())
            }
            Err(denial) => {
                self.session.reject_publish(request, denial.refusal, &denial.message);
                Err(Closed::Refused { code: denial.code, message: denial.message })
            }
        }
    }

    fn play(&mut self, request: PlayRequest) -> Result<(), Closed> {
        let seat = self
            .authorize(request.address(), Permission::Play)
            .and_then(|grant| self.shared.hub.play(&grant).map_err(Denial::from));
        match seat {
            Ok(seat) => {
                self.span = info_span!("player", protocol = "rtmp", stream = %seat.stream().key());
                self.span.in_scope(|| info!("playing"));
                self.session.accept_play(request);
                self.role = Role::Playing(Egress::new(seat, self.session.stream_id().unwrap_or(1)));
                Ok(())
            }
            Err(denial) => {
                self.session.reject_play(request, denial.refusal, &denial.message);
                Err(Closed::Refused { code: denial.code, message: denial.message })
            }
        }
    }

    fn authorize(&self, address: &Address, permission: Permission) -> Result<Grant, Denial> {
        let [app, room, stream] = address.path() else {
            return Err(RoomError::InvalidAddress { segments: address.path().len() }.into());
        };
        let key = StreamKey::from_segments(app, room, stream)?;
        let grant = self.shared.apps.authorize(address.parameter("token"), &key, permission, unix_now())?;
        Ok(grant)
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
            let result = self.writer.try_write_vectored(&slices);
            drop(slices);
            match result {
                Ok(0) => return Err(Closed::ByClient),
                Ok(written) => {
                    self.stalled_since = None;
                    self.advance(written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stalled_since.get_or_insert_with(Instant::now);
                    break;
                }
                Err(error) => return Err(error.into()),
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
        match self.role {
            Role::Idle if now.duration_since(self.opened) >= self.shared.handshake_timeout => {
                Err(Closed::HandshakeTimeout)
            }
            Role::Publishing { .. } if now.duration_since(self.last_input) >= self.shared.idle_timeout => {
                Err(Closed::Idle)
            }
            Role::Idle | Role::Publishing { .. } | Role::Playing(_) => Ok(()),
        }
    }

    /// When to look at the deadlines next. Late by a write timeout at most, and rare: most connections are well.
    fn next_check(&self) -> Instant {
        match self.role {
            Role::Idle => self.opened + self.shared.handshake_timeout,
            Role::Publishing { .. } => self.last_input + self.shared.idle_timeout,
            Role::Playing(_) => Instant::now() + WRITE_TIMEOUT,
        }
        .max(Instant::now() + Duration::from_millis(10))
    }

    async fn say_goodbye(&mut self, reason: &Closed) -> io::Result<()> {
        match reason {
            Closed::NoPublisher | Closed::Shutdown if self.session.is_playing() => {
                self.session.end_play(&reason.to_string());
            }
            Closed::Shutdown | Closed::Replaced | Closed::Idle if self.session.is_publishing() => {
                self.session.status(Level::Error, "NetStream.Publish.BadName", &reason.to_string());
            }
            _ => {}
        }
        self.collect_output();
        while let Some(bytes) = self.unsent.pop_front() {
            self.writer.write_all(&bytes).await?;
        }
        self.writer.shutdown().await?;
        // Unread input would make the kernel reset the connection, and the client lose our last words.
        let mut rest = [0; 1024];
        while self.reader.read(&mut rest).await? > 0 {}
        Ok(())
    }
}

/// Why someone may not publish or play.
struct Denial {
    refusal: Refusal,
    code: &'static str,
    message: String,
}

impl From<RoomError> for Denial {
    fn from(error: RoomError) -> Self {
        let refusal = match &error {
            RoomError::InvalidId { .. } | RoomError::InvalidAddress { .. } | RoomError::UnknownApp(_) => {
                Refusal::NotFound
            }
            _ => Refusal::Denied,
        };
        Self { refusal, code: error.code(), message: format!("{}: {error}", error.code()) }
    }
}

impl From<HubError> for Denial {
    fn from(error: HubError) -> Self {
        Self { refusal: Refusal::Failed, code: error.code(), message: format!("{}: {error}", error.code()) }
    }
}
