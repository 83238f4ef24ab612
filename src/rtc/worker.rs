//! One worker: a plain loop on its own thread with its own sessions, and no locks on the media path.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use str0m::ice::StunMessage;
use tracing::{debug, error, info, trace};

use super::directory::{Claim, Command, Directory, Inbox, Inboxes, NewSession, SessionId};
use super::peer::{Ended, Peer, Progress};
use super::socket::Socket;
use crate::hub::{Consumer, Hub, RtpUnit, Stream};

const SOCKET: mio::Token = mio::Token(0);
const WAKER: mio::Token = mio::Token(1);

/// How often sessions that nobody connected to are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Addresses remembered as another worker's. A session has one or two; beyond this the oldest knowledge is
/// dropped and the next STUN request brings it back.
const MAX_FOREIGN: usize = 4_096;

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
    peers: HashMap<usize, Peer>,
    next_peer: usize,
    by_address: HashMap<SocketAddr, usize>,
    by_session: HashMap<SessionId, usize>,
    foreign: HashMap<SocketAddr, usize>,
    timers: BTreeSet<(Instant, usize)>,
    feeds: HashMap<usize, Feed>,
    next_feed: usize,
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
            peers: HashMap::new(),
            next_peer: 0,
            by_address: HashMap::new(),
            by_session: HashMap::new(),
            foreign: HashMap::new(),
            timers: BTreeSet::new(),
            feeds: HashMap::new(),
            next_feed: 0,
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
                more_to_read = self.receive(inboxes);
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
            self.timers.first().map_or(self.next_housekeeping, |(at, _)| (*at).min(self.next_housekeeping));
        next.saturating_duration_since(now)
    }

    fn receive(&mut self, inboxes: &Inboxes) -> bool {
        // The socket is lent out while its datagrams are handled, so they are taken in batches first.
        let mut batch = Vec::new();
        let more = self.socket.receive(|source, destination, data| {
            batch.push((source, destination, data.to_vec()));
        });
        for (source, destination, data) in batch {
            self.route(source, destination, &data, Some(inboxes), Instant::now());
        }
        more
    }

    /// Gives a datagram to its session. `inboxes` are absent for one that another worker handed over.
    fn route(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        data: &[u8],
        inboxes: Option<&Inboxes>,
        now: Instant,
    ) {
        if let Some(&key) = self.by_address.get(&source) {
            self.input(key, source, data, now);
            return;
        }
        if let (Some(owner), Some(inboxes)) = (self.foreign.get(&source), inboxes)
            && let Some(inbox) = inboxes.get(*owner)
        {
            inbox.send(Command::Datagram { source, destination, data: data.to_vec() });
            return;
        }
        let Ok(stun) = StunMessage::parse(data) else {
            trace!(%source, "a datagram of no known session");
            return;
        };
        let Some((ufrag, _)) = stun.split_username() else { return };
        match self.directory.claim(ufrag, self.index) {
            Claim::Adopted(session) => {
                let key = self.adopt(*session, now);
                self.by_address.insert(source, key);
                self.input(key, source, data, now);
            }
            Claim::Own(id) => {
                if let Some(&key) = self.by_session.get(&id) {
                    self.learn_address(key, source);
                    self.input(key, source, data, now);
                }
            }
            Claim::Owner(owner) => {
                if self.foreign.len() >= MAX_FOREIGN {
                    self.foreign.clear();
                }
                self.foreign.insert(source, owner);
                if let Some(inbox) = inboxes.and_then(|inboxes| inboxes.get(owner)) {
                    inbox.send(Command::Datagram { source, destination, data: data.to_vec() });
                }
            }
            Claim::Unknown => trace!(%source, "a STUN request for no known session"),
        }
    }

    fn adopt(&mut self, session: NewSession, now: Instant) -> usize {
        let key = self.next_peer;
        self.next_peer += 1;
        self.by_session.insert(session.id.clone(), key);
        let peer = Peer::new(session, now);
        self.timers.insert((now, key));
        self.peers.insert(key, peer.with_timer(now));
        key
    }

    fn learn_address(&mut self, key: usize, source: SocketAddr) {
        if let Some(peer) = self.peers.get_mut(&key) {
            if let Some(forgotten) = peer.learn_address(source) {
                self.by_address.remove(&forgotten);
            }
            self.by_address.insert(source, key);
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
        let Some(feed) = self.feeds.get(&slot) else { return };
        let cx = Context::from_waker(&feed.waker);
        let mut units = Vec::new();
        while let Poll::Ready(unit) = feed.consumer.poll_next(&cx) {
            units.push(unit);
        }
        for key in feed.viewers.clone() {
            self.with_peer(key, now, |peer, socket, shared| {
                peer.write(&units, now)?;
                peer.drive(now, socket, shared)
            });
        }
    }

    fn run_commands(&mut self, now: Instant) -> bool {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Datagram { source, destination, data } => {
                    self.route(source, destination, &data, None, now);
                }
                Command::Close(id) => {
                    if let Some(&key) = self.by_session.get(&id) {
                        self.close(key, &Ended::Requested, now);
                    }
                }
                Command::RequestKeyframe(id) => {
                    if let Some(&key) = self.by_session.get(&id) {
                        self.with_peer(key, now, |peer, socket, shared| {
                            peer.request_keyframe(now);
                            peer.drive(now, socket, shared)
                        });
                    }
                }
                Command::RestartIce { id, fragment, reply } => {
                    let result = match self.by_session.get(&id).and_then(|key| self.peers.get_mut(key)) {
                        Some(peer) => peer.restart_ice(&fragment),
                        None => Err(super::Error::NoSuchSession),
                    };
                    if let Ok((_, etag)) = &result {
                        self.directory.add_ufrag(&id, etag);
                    }
                    let _ = reply.send(result);
                }
                Command::Shutdown => {
                    for key in self.peers.keys().copied().collect::<Vec<_>>() {
                        self.close(key, &Ended::Shutdown, now);
                    }
                    return false;
                }
            }
        }
        true
    }

    fn run_timers(&mut self, now: Instant) {
        while let Some(&(at, key)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.clear_timer();
            }
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
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let socket = &mut self.socket;
        let shared = &self.shared;
        let result = catch_unwind(AssertUnwindSafe(|| act(peer, socket, shared)));
        match result {
            Ok(Ok(Progress::Nothing)) => self.rearm(key, now),
            Ok(Ok(Progress::Join(stream))) => {
                self.rearm(key, now);
                self.join(key, &stream, now);
            }
            Ok(Err(reason)) => self.close(key, &reason, now),
            Err(_) => {
                error!("a WebRTC session panicked and was ended");
                self.remove(key);
            }
        }
    }

    fn rearm(&mut self, key: usize, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&key)
            && let Some((old, new)) = peer.next_timer(now)
        {
            if let Some(old) = old {
                self.timers.remove(&(old, key));
            }
            self.timers.insert((new, key));
        }
    }

    /// Subscribes the viewer `key` to `stream`, through the worker's one subscription to it.
    fn join(&mut self, key: usize, stream: &Arc<Stream>, now: Instant) {
        let known =
            self.feeds.iter().find(|(_, feed)| Arc::ptr_eq(&feed.stream, stream)).map(|(slot, _)| *slot);
        let slot = known.unwrap_or_else(|| {
            let slot = self.next_feed;
            self.next_feed += 1;
            let waker = Waker::from(Arc::new(FeedWaker { inbox: Arc::clone(&self.shared.inbox), slot }));
            let consumer = stream.subscribe_rtp();
            self.feeds
                .insert(slot, Feed { stream: Arc::clone(stream), consumer, viewers: Vec::new(), waker });
            slot
        });
        if let Some(feed) = self.feeds.get_mut(&slot) {
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
        if let Some(peer) = self.peers.get_mut(&key) {
            let socket = &mut self.socket;
            let goodbye = catch_unwind(AssertUnwindSafe(|| peer.close(now, socket)));
            if goodbye.is_err() {
                error!("a WebRTC session panicked while it was ended");
            }
            info!(parent: peer.span(), %reason, "session ended");
            if matches!(reason, Ended::Replaced) {
                self.directory.note_replaced(peer.id());
            }
        }
        self.remove(key);
    }

    fn remove(&mut self, key: usize) {
        let Some(peer) = self.peers.remove(&key) else { return };
        self.timers.retain(|(_, owner)| *owner != key);
        self.by_address.retain(|_, owner| *owner != key);
        self.by_session.remove(peer.id());
        self.directory.remove(peer.id());
        self.feeds.retain(|_, feed| {
            feed.viewers.retain(|viewer| *viewer != key);
            !feed.viewers.is_empty()
        });
    }
}
