//! One worker: a plain loop on its own thread with its own sessions, and no locks on the media path.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use slab::Slab;
use str0m::ice::StunMessage;
use tracing::{debug, error, info, trace};

use super::directory::{Claim, Command, Directory, Inbox, Inboxes};
use super::peer::{Ended, Peer, Progress};
use super::sessions::Sessions;
use super::socket::{Batch, Socket};
use crate::hub::{Consumer, Hub, RtpUnit, Stream};

const SOCKET: mio::Token = mio::Token(0);
const WAKER: mio::Token = mio::Token(1);

/// How often sessions that nobody connected to are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Addresses remembered as another worker's. A session has one or two; beyond this the oldest knowledge is
/// dropped and the next STUN request brings it back.
const MAX_FOREIGN: usize = 4_096;

/// Batches of datagrams handled before other work of the worker gets its turn.
const MAX_BATCHES: usize = 16;

/// A subscription of this worker to a stream, shared by all its viewers.
struct Feed {
    stream: Arc<Stream>,
    consumer: Consumer<RtpUnit>,
    viewers: Vec<usize>,
    waker: Waker,
}

struct FeedWaker {
    inbox: Arc<Inbox>,
    slot: usize,
}

impl Wake for FeedWaker {
    fn wake(self: Arc<Self>) {
        self.inbox.feed_ready(self.slot);
    }
}

/// What a session needs of its worker.
pub(super) struct Shared {
    pub(super) hub: Arc<Hub>,
    pub(super) inbox: Arc<Inbox>,
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
    feeds: Slab<Feed>,
    /// What a feed delivered and to whom, kept for its capacity.
    units: Vec<RtpUnit>,
    viewers: Vec<usize>,
    next_housekeeping: Instant,
}

impl Worker {
    pub(super) fn new(
        index: usize,
        mut socket: Socket,
        advertised: SocketAddr,
        directory: Arc<Directory>,
        hub: Arc<Hub>,
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
            shared: Shared { hub, inbox },
            commands,
            sessions: Sessions::default(),
            foreign: HashMap::new(),
            feeds: Slab::new(),
            units: Vec::new(),
            viewers: Vec::new(),
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
            inbox.send(Command::Datagram { source, data: data.to_vec() });
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
                    inbox.send(Command::Datagram { source, data: data.to_vec() });
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
        let Some(feed) = self.feeds.get(slot) else { return };
        let cx = Context::from_waker(&feed.waker);
        let (mut units, mut viewers) = (std::mem::take(&mut self.units), std::mem::take(&mut self.viewers));
        while let Poll::Ready(unit) = feed.consumer.poll_next(&cx) {
            units.push(unit);
        }
        viewers.extend_from_slice(&feed.viewers);
        for key in viewers.drain(..) {
            self.with_peer(key, now, |peer, socket, shared| {
                peer.write(&units, now)?;
                peer.drive(now, socket, shared)
            });
        }
        units.clear();
        (self.units, self.viewers) = (units, viewers);
    }

    fn run_commands(&mut self, now: Instant) -> bool {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Datagram { source, data } => self.route(source, &data, None, now),
                Command::Close(id) => {
                    if let Some(key) = self.sessions.by_id(&id) {
                        self.close(key, &Ended::Requested, now);
                    }
                }
                Command::RequestKeyframe(id) => {
                    if let Some(key) = self.sessions.by_id(&id) {
                        self.with_peer(key, now, |peer, socket, shared| {
                            peer.request_keyframe(now);
                            peer.drive(now, socket, shared)
                        });
                    }
                }
                Command::RestartIce { id, fragment, reply } => {
                    let key = self.sessions.by_id(&id);
                    let result = match key.and_then(|key| self.sessions.get_mut(key)) {
                        Some(session) => session.peer.restart_ice(&fragment),
                        None => Err(super::Error::NoSuchSession),
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

    /// Runs `act` on a session; ends the session if it fails or panics, and keeps its timer true.
    fn with_peer(
        &mut self,
        key: usize,
        now: Instant,
        act: impl FnOnce(&mut Peer, &mut Socket, &Shared) -> Result<Progress, Ended>,
    ) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        let (socket, shared, peer) = (&mut self.socket, &self.shared, &mut session.peer);
        let result = session.span.in_scope(|| catch_unwind(AssertUnwindSafe(|| act(peer, socket, shared))));
        match result {
            Ok(Ok(Progress::Nothing)) => self.sessions.rearm(key, now),
            Ok(Ok(Progress::Join(stream))) => {
                self.sessions.rearm(key, now);
                self.join(key, &stream, now);
            }
            Ok(Err(reason)) => self.close(key, &reason, now),
            Err(_) => {
                error!("a WebRTC session panicked and was ended");
                self.remove(key);
            }
        }
    }

    /// Subscribes the viewer `key` to `stream`, through the worker's one subscription to it.
    fn join(&mut self, key: usize, stream: &Arc<Stream>, now: Instant) {
        let known =
            self.feeds.iter().find(|(_, feed)| Arc::ptr_eq(&feed.stream, stream)).map(|(slot, _)| slot);
        let slot = known.unwrap_or_else(|| {
            let entry = self.feeds.vacant_entry();
            let slot = entry.key();
            let waker = Waker::from(Arc::new(FeedWaker { inbox: Arc::clone(&self.shared.inbox), slot }));
            let consumer = stream.subscribe_rtp();
            entry.insert(Feed { stream: Arc::clone(stream), consumer, viewers: Vec::new(), waker });
            slot
        });
        if let Some(feed) = self.feeds.get_mut(slot) {
            feed.viewers.push(key);
        }
        self.with_peer(key, now, |peer, socket, shared| {
            peer.start_playing(now);
            peer.drive(now, socket, shared)
        });
        // Registers the waker of a new feed.
        self.forward(slot, now);
    }

    /// Ends a session properly: the peer is told.
    fn close(&mut self, key: usize, reason: &Ended, now: Instant) {
        if let Some(session) = self.sessions.get_mut(key) {
            let _entered = session.span.enter();
            let (socket, peer) = (&mut self.socket, &mut session.peer);
            if catch_unwind(AssertUnwindSafe(|| peer.close(now, socket))).is_err() {
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
        self.feeds.retain(|_, feed| {
            feed.viewers.retain(|viewer| *viewer != key);
            !feed.viewers.is_empty()
        });
    }
}
