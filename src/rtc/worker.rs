//! One worker: a plain loop on its own thread with its own sessions, and no locks on the media path.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use str0m::ice::StunMessage;
use tracing::{debug, error, info, trace};

use super::counters::Counters;
use super::directory::{Claim, Command, Directory, Inbox, Inboxes, SessionId};
use super::ended::Ended;
use super::feeds::{Feeds, Viewer};
use super::peer::Peer;
use super::sessions::{Session, Sessions};
use super::socket::{Batch, Socket};
use super::{Change, Error};
use crate::hub::{Hub, RtpUnit, Stream};

const SOCKET: mio::Token = mio::Token(0);
const WAKER: mio::Token = mio::Token(1);

/// How often sessions that nobody connected to are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Addresses remembered as another worker's. A session has one or two; beyond this the oldest knowledge is
/// dropped and the next STUN request brings it back.
const MAX_FOREIGN: usize = 4_096;

/// Batches of datagrams handled before other work of the worker gets its turn.
const MAX_BATCHES: usize = 16;

/// What a session needs of its worker.
pub(super) struct Shared {
    pub(super) hub: Arc<Hub>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) counters: Arc<Counters>,
}

/// The worker.
pub(super) struct Worker {
    index: usize,
    poll: mio::Poll,
    socket: Socket,
    /// The candidate that datagrams count as sent to: str0m knows no other.
    advertised: SocketAddr,
    directory: Arc<Directory>,
    shared: Shared,
    commands: Receiver<Command>,
    sessions: Sessions,
    foreign: HashMap<SocketAddr, usize>,
    feeds: Feeds,
    /// What a feed delivered and to whom, kept for its capacity.
    units: Vec<RtpUnit>,
    viewers: Vec<Viewer>,
    /// Sessions to which something was written that is not out yet.
    unflushed: Vec<usize>,
    next_housekeeping: Instant,
}

impl Worker {
    pub(super) fn new(
        index: usize,
        mut socket: Socket,
        advertised: SocketAddr,
        directory: Arc<Directory>,
        hub: Arc<Hub>,
        counters: Arc<Counters>,
    ) -> std::io::Result<Self> {
        let poll = mio::Poll::new()?;
        poll.registry().register(socket.source(), SOCKET, mio::Interest::READABLE)?;
        let (inbox, commands) = Inbox::new(mio::Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            index,
            poll,
            socket,
            advertised,
            directory,
            shared: Shared { hub, inbox, counters },
            commands,
            sessions: Sessions::default(),
            foreign: HashMap::new(),
            feeds: Feeds::default(),
            units: Vec::new(),
            viewers: Vec::new(),
            unflushed: Vec::new(),
            next_housekeeping: Instant::now() + HOUSEKEEPING,
        })
    }

    pub(super) fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.shared.inbox)
    }

    /// Works until told to shut down.
    pub(super) fn run(mut self, inboxes: &Inboxes) {
        let mut events = mio::Events::with_capacity(16);
        let mut ready = Vec::new();
        let mut batch = Batch::default();
        let mut more_to_read = false;
        loop {
            let timeout = if more_to_read { Duration::ZERO } else { self.until_next_timer(Instant::now()) };
            match self.poll.poll(&mut events, Some(timeout)) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    error!(%error, "a WebRTC worker cannot wait for events");
                    break;
                }
            }
            if more_to_read || events.iter().any(|event| event.token() == SOCKET) {
                more_to_read = self.receive(&mut batch, inboxes);
            }
            self.shared.inbox.take_ready(&mut ready);
            let running = self.run_commands(Instant::now());
            for slot in ready.drain(..) {
                self.forward(slot, Instant::now());
            }
            self.flush(Instant::now());
            self.run_timers(Instant::now());
            self.socket.flush();
            if !running {
                break;
            }
        }
    }

    fn until_next_timer(&self, now: Instant) -> Duration {
        let next =
            self.sessions.next_timer().map_or(self.next_housekeeping, |at| at.min(self.next_housekeeping));
        next.saturating_duration_since(now)
    }

    /// Reads what has arrived. Returns whether there may be more.
    fn receive(&mut self, batch: &mut Batch, inboxes: &Inboxes) -> bool {
        for _ in 0..MAX_BATCHES {
            let more = self.socket.receive(batch);
            let now = Instant::now();
            for (source, data) in batch.datagrams() {
                self.route(source, data, Some(inboxes), now);
            }
            if !more {
                return false;
            }
        }
        true
    }

    /// Gives a datagram to its session. `inboxes` are absent for one that another worker handed over.
    fn route(&mut self, source: SocketAddr, data: &[u8], inboxes: Option<&Inboxes>, now: Instant) {
        if let Some(key) = self.sessions.by_address(source) {
            self.input(key, source, data, now);
            return;
        }
        if let (Some(owner), Some(inboxes)) = (self.foreign.get(&source), inboxes)
            && let Some(inbox) = inboxes.get(*owner)
        {
            inbox.hand_over(source, data);
            return;
        }
        let Ok(stun) = StunMessage::parse(data) else {
            trace!(%source, "a datagram of no known session");
            return;
        };
        let Some((ufrag, _)) = stun.split_username() else { return };
        match self.directory.claim(ufrag, self.index) {
            Claim::Adopted(session) => {
                let key = self.sessions.adopt(*session, now);
                self.sessions.learn_address(key, source);
                self.input(key, source, data, now);
            }
            Claim::Own(id) => {
                if let Some(key) = self.sessions.by_id(&id) {
                    self.sessions.learn_address(key, source);
                    self.input(key, source, data, now);
                }
            }
            Claim::Owner(owner) => {
                if self.foreign.len() >= MAX_FOREIGN {
                    self.foreign.clear();
                }
                self.foreign.insert(source, owner);
                if let Some(inbox) = inboxes.and_then(|inboxes| inboxes.get(owner)) {
                    inbox.hand_over(source, data);
                }
            }
            Claim::Unknown => trace!(%source, "a STUN request for no known session"),
        }
    }

    fn input(&mut self, key: usize, source: SocketAddr, data: &[u8], now: Instant) {
        let destination = self.advertised;
        self.with_peer(key, now, |peer, socket, shared| {
            peer.receive(source, destination, data, now)?;
            peer.drive(now, socket, shared)
        });
    }

    /// Sends what a feed has to all its viewers here.
    fn forward(&mut self, slot: usize, now: Instant) {
        let (mut units, mut viewers) = (std::mem::take(&mut self.units), std::mem::take(&mut self.viewers));
        self.feeds.take(slot, &mut units, &mut viewers);
        for (key, index) in viewers.drain(..) {
            let mut first = false;
            self.with_session(key, |peer, unflushed, _, _| {
                // A viewer of another layer has been written nothing.
                if peer.write(index, &units, now)? {
                    first = !std::mem::replace(unflushed, true);
                }
                Ok(())
            });
            if first {
                self.unflushed.push(key);
            }
        }
        units.clear();
        (self.units, self.viewers) = (units, viewers);
    }

    /// Lets out what feeds have written, once for each session whatever the number of its streams.
    fn flush(&mut self, now: Instant) {
        let mut unflushed = std::mem::take(&mut self.unflushed);
        for key in unflushed.drain(..) {
            if let Some(session) = self.sessions.get_mut(key) {
                session.unflushed = false;
            }
            self.with_peer(key, now, |peer, socket, shared| peer.flush(now, socket, shared));
        }
        self.unflushed = unflushed;
    }

    fn run_commands(&mut self, now: Instant) -> bool {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Datagram { source, data } => {
                    self.shared.inbox.took_datagram();
                    self.route(source, &data, None, now);
                }
                Command::Close(id) => {
                    if let Some(key) = self.sessions.by_id(&id) {
                        self.close(key, &Ended::Requested, now);
                    }
                }
                Command::RequestKeyframe { id, stream, layer } => {
                    if let Some(key) = self.sessions.by_id(&id) {
                        self.with_peer(key, now, |peer, socket, shared| {
                            peer.request_keyframe(stream, layer, now);
                            peer.drive(now, socket, shared)
                        });
                    }
                }
                Command::LayersNeeded { id, stream } => {
                    if let Some(key) = self.sessions.by_id(&id) {
                        self.with_peer(key, now, |peer, _, _| {
                            peer.layers_needed(stream, now);
                            Ok(())
                        });
                    }
                }
                Command::Change { id, change } => self.change(&id, change, now),
                Command::Answer { id, revision, sdp, reply } => {
                    let _ = reply.send(self.answer(&id, revision, &sdp, now));
                }
                Command::RestartIce { id, fragment, reply } => {
                    let key = self.sessions.by_id(&id);
                    let result = match key.and_then(|key| self.sessions.get_mut(key)) {
                        Some(session) => session.peer.restart_ice(&fragment),
                        None => Err(Error::NoSuchSession),
                    };
                    if let Ok((_, etag)) = &result {
                        self.directory.add_ufrag(&id, etag);
                    }
                    let _ = reply.send(result);
                }
                Command::Shutdown => {
                    for key in self.sessions.keys() {
                        self.close(key, &Ended::Shutdown, now);
                    }
                    return false;
                }
            }
        }
        true
    }

    fn run_timers(&mut self, now: Instant) {
        while let Some(key) = self.sessions.pop_due(now) {
            self.with_peer(key, now, |peer, socket, shared| {
                peer.timeout(now)?;
                peer.drive(now, socket, shared)
            });
        }
        if now >= self.next_housekeeping {
            self.next_housekeeping = now + HOUSEKEEPING;
            if self.index == 0 {
                let expired = self.directory.expire(now);
                if expired > 0 {
                    debug!(expired, "sessions that nobody connected to were forgotten");
                }
            }
        }
    }

    /// Changes what a session carries.
    fn change(&mut self, id: &SessionId, change: Change, now: Instant) {
        let Some(key) = self.sessions.by_id(id) else { return };
        let mut ufrag = None;
        self.with_peer(key, now, |peer, socket, shared| {
            ufrag = peer.change(change, now).unwrap_or_default();
            peer.drive(now, socket, shared)
        });
        if let Some(ufrag) = ufrag {
            self.directory.add_ufrag(id, &ufrag);
        }
    }

    /// Takes an answer. A session whose answer does not fit is over.
    fn answer(&mut self, id: &SessionId, revision: u64, sdp: &str, now: Instant) -> Result<(), Error> {
        let key = self.sessions.by_id(id).ok_or(Error::NoSuchSession)?;
        let mut result = Err(Error::NoSuchSession);
        self.with_peer(key, now, |peer, socket, shared| {
            result = peer.answer(revision, sdp, now);
            match &result {
                Ok(_) => {
                    peer.start_media(now, shared)?;
                    peer.flush(now, socket, shared)
                }
                Err(Error::Unfit(_)) => Err(Ended::BadAnswer),
                Err(_) => Ok(()),
            }
        });
        if let Some(ufrag) = result? {
            self.directory.add_ufrag(id, &ufrag);
        }
        Ok(())
    }

    /// Runs `act` on a session and keeps the books true: its timer, and the streams it is subscribed to.
    fn with_peer(
        &mut self,
        key: usize,
        now: Instant,
        act: impl FnOnce(&mut Peer, &mut Socket, &Shared) -> Result<(), Ended>,
    ) {
        let (mut joins, mut leaves) = (Vec::new(), Vec::new());
        let stands = self.with_session(key, |peer, _, socket, shared| {
            let result = act(peer, socket, shared);
            (joins, leaves) = (peer.take_joins(), peer.take_leaves());
            result
        });
        if !stands {
            return;
        }
        self.sessions.rearm(key, now);
        for index in leaves {
            self.feeds.leave((key, index));
        }
        for (index, stream) in joins {
            self.join((key, index), &stream, now);
        }
    }

    /// Runs `act` on a session; ends the session if it fails or panics. Returns whether the session stands.
    fn with_session(
        &mut self,
        key: usize,
        act: impl FnOnce(&mut Peer, &mut bool, &mut Socket, &Shared) -> Result<(), Ended>,
    ) -> bool {
        let Some(Session { peer, span, unflushed, .. }) = self.sessions.get_mut(key) else { return false };
        let (socket, shared) = (&mut self.socket, &self.shared);
        let result =
            span.in_scope(|| catch_unwind(AssertUnwindSafe(|| act(peer, unflushed, socket, shared))));
        match result {
            Ok(Ok(())) => return true,
            Ok(Err(reason)) => self.close(key, &reason, Instant::now()),
            Err(_) => {
                error!("a WebRTC session panicked and was ended");
                self.remove(key);
            }
        }
        false
    }

    /// Subscribes a viewer to `stream`, through the worker's one subscription to it.
    fn join(&mut self, viewer: Viewer, stream: &Arc<Stream>, now: Instant) {
        let slot = self.feeds.join(viewer, stream, &self.shared.inbox);
        let (key, index) = viewer;
        self.with_peer(key, now, |peer, socket, shared| {
            peer.start_playing(index, now);
            peer.drive(now, socket, shared)
        });
        // Registers the waker of a new feed.
        self.forward(slot, now);
        self.flush(now);
    }

    /// Ends a session properly: the peer is told.
    fn close(&mut self, key: usize, reason: &Ended, now: Instant) {
        if let Some(session) = self.sessions.get_mut(key) {
            let _entered = session.span.enter();
            let (socket, peer) = (&mut self.socket, &mut session.peer);
            if catch_unwind(AssertUnwindSafe(|| peer.close(reason, now, socket))).is_err() {
                error!("a WebRTC session panicked while it was ended");
            }
            info!(%reason, "session ended");
            if matches!(reason, Ended::Replaced) {
                self.directory.note_replaced(session.peer.id());
            }
        }
        self.remove(key);
    }

    fn remove(&mut self, key: usize) {
        let Some(session) = self.sessions.remove(key) else { return };
        self.directory.remove(session.peer.id());
        self.feeds.leave_all(key);
    }
}
