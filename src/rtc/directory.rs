//! Which worker owns which session. A new session waits here until its first STUN request reaches a worker.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use queqiao_media::layers::Layer;
use queqiao_room::StreamKind;
use rand::Rng;
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tracing::{Span, debug, trace};

use super::peer::Peer;
use super::{CONNECT_TIMEOUT, Change, Error};

/// Stray datagrams waiting for one worker. Those beyond it are lost, as UDP allows.
const MAX_DATAGRAMS: usize = 8_192;

/// Replaced sessions that are remembered, so that their clients learn why theirs is gone. One that asks later than
/// this many others is told that there is no such session.
const MAX_REPLACED: usize = 256;

/// Names a session in its URL: 128 random bits, because whoever knows it may end the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(String);

impl SessionId {
    pub(super) fn random() -> Self {
        Self(format!("{:032x}", rand::rng().random::<u128>()))
    }

    /// The id in a URL; anything but 32 hexadecimal digits names no session.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session that no worker owns yet.
pub(super) struct NewSession {
    pub(super) peer: Peer,
    pub(super) span: Span,
}

/// The ICE part of an SDP, as WHIP's PATCH carries it (RFC 8840 section 9).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct IceFragment {
    pub(super) ufrag: String,
    pub(super) pwd: String,
}

impl IceFragment {
    /// Reads a `trickle-ice-sdpfrag`. `None` where it carries no credentials.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let value =
            |prefix| text.lines().find_map(|line| line.trim_end().strip_prefix(prefix)).map(str::to_owned);
        Some(Self { ufrag: value("a=ice-ufrag:")?, pwd: value("a=ice-pwd:")? })
    }
}

/// What a worker is told from outside.
pub(super) enum Command {
    /// A datagram for a session of this worker that the kernel gave to another.
    Datagram {
        source: SocketAddr,
        data: Vec<u8>,
    },
    Close(SessionId),
    Change {
        id: SessionId,
        change: Change,
    },
    Answer {
        id: SessionId,
        revision: u64,
        sdp: String,
        reply: oneshot::Sender<Result<(), Error>>,
    },
    /// Of one layer, or of every one that anybody needs.
    RequestKeyframe {
        id: SessionId,
        stream: StreamKind,
        layer: Option<Layer>,
    },
    /// Other layers than before are needed.
    LayersNeeded {
        id: SessionId,
        stream: StreamKind,
    },
    RestartIce {
        id: SessionId,
        fragment: IceFragment,
        reply: oneshot::Sender<Result<(String, String), Error>>,
    },
    Shutdown,
}

/// All workers' inboxes, by worker.
pub(super) type Inboxes = Arc<[Arc<Inbox>]>;

/// The way into a worker's thread. Commands other than datagrams have no bound of their own: what they ask for is limited
/// where it is asked, by the number of sessions and the rate of requests.
pub(super) struct Inbox {
    sender: Sender<Command>,
    datagrams: AtomicUsize,
    ready: Mutex<Vec<usize>>,
    waker: mio::Waker,
    woken: AtomicBool,
}

impl Inbox {
    pub(super) fn new(waker: mio::Waker) -> (Arc<Self>, Receiver<Command>) {
        let (sender, receiver) = channel();
        let datagrams = AtomicUsize::new(0);
        let inbox =
            Self { sender, datagrams, ready: Mutex::new(Vec::new()), waker, woken: AtomicBool::new(false) };
        (Arc::new(inbox), receiver)
    }

    /// Queues a command and wakes the worker.
    pub(super) fn send(&self, command: Command) {
        if self.sender.send(command).is_err() {
            debug!("a WebRTC worker is over");
        }
        self.wake();
    }

    /// Hands a datagram over; loses it if too many wait.
    pub(super) fn hand_over(&self, source: SocketAddr, data: &[u8]) {
        if self.datagrams.fetch_add(1, Ordering::Relaxed) >= MAX_DATAGRAMS {
            self.datagrams.fetch_sub(1, Ordering::Relaxed);
            trace!("too many datagrams wait for a WebRTC worker");
            return;
        }
        self.send(Command::Datagram { source, data: data.to_vec() });
    }

    /// A datagram has been taken out.
    pub(super) fn took_datagram(&self) {
        self.datagrams.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that the worker's feed `slot` has items.
    pub(super) fn feed_ready(&self, slot: usize) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
        self.wake();
    }

    /// The feeds that have items; to be called once a wake-up was seen.
    pub(super) fn take_ready(&self, into: &mut Vec<usize>) {
        self.woken.store(false, Ordering::Release);
        into.append(&mut self.ready.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn wake(&self) {
        // One system call per turn of the worker's loop, however many wake it.
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            debug!(%error, "a WebRTC worker could not be woken");
        }
    }
}

/// Where a session is.
pub(super) enum Route<'a> {
    Waiting(Waiting<'a>),
    Worker(usize),
}

/// A session that waits, while the directory stands still.
pub(super) struct Waiting<'a> {
    inner: MutexGuard<'a, Inner>,
    id: SessionId,
}

impl Waiting<'_> {
    pub(super) fn peer(&mut self) -> Result<&mut Peer, Error> {
        match self.inner.sessions.get_mut(&self.id) {
            Some(Entry { slot: Slot::Waiting { session, .. }, .. }) => Ok(&mut session.peer),
            _ => Err(Error::NoSuchSession),
        }
    }

    /// Makes the session's new user name fragment known, if it has one.
    pub(super) fn add_ufrag(&mut self, ufrag: Option<&str>) {
        if let Some(ufrag) = ufrag {
            self.inner.add_ufrag(&self.id, ufrag);
        }
    }

    pub(super) fn remove(mut self) {
        if let Ok(peer) = self.peer() {
            peer.leave();
        }
        self.inner.remove(&self.id);
    }
}

enum Slot {
    Waiting { session: Box<NewSession>, deadline: Instant },
    Worker(usize),
}

/// What the STUN request of an ICE user name fragment leads to.
pub(super) enum Claim {
    /// The caller's worker owns the session from now on.
    Adopted(Box<NewSession>),
    /// Another worker owns it.
    Owner(usize),
    /// The caller's worker owns it already.
    Own(SessionId),
    Unknown,
}

struct Entry {
    slot: Slot,
    /// Local user name fragments, the current one last. The one before stays valid while packets with it may be in
    /// flight.
    ufrags: SmallVec<[String; 2]>,
}

#[derive(Default)]
struct Inner {
    sessions: HashMap<SessionId, Entry>,
    by_ufrag: HashMap<String, SessionId>,
    replaced: VecDeque<SessionId>,
}

impl Inner {
    fn add_ufrag(&mut self, id: &SessionId, ufrag: &str) {
        let Some(entry) = self.sessions.get_mut(id) else { return };
        if entry.ufrags.len() > 1 {
            self.by_ufrag.remove(&entry.ufrags.remove(0));
        }
        entry.ufrags.push(ufrag.to_owned());
        self.by_ufrag.insert(ufrag.to_owned(), id.clone());
    }

    fn remove(&mut self, id: &SessionId) {
        if let Some(entry) = self.sessions.remove(id) {
            for ufrag in &entry.ufrags {
                self.by_ufrag.remove(ufrag);
            }
        }
    }
}

/// The directory.
pub(super) struct Directory {
    inner: Mutex<Inner>,
    max_sessions: usize,
}

impl Directory {
    pub(super) fn new(max_sessions: usize) -> Self {
        Self { inner: Mutex::default(), max_sessions }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sessions there are, those that wait for their peer included.
    pub(super) fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Lets `session` wait for its first STUN request.
    pub(super) fn wait(&self, session: NewSession, ufrag: &str, now: Instant) -> Result<(), Error> {
        let mut inner = self.lock();
        if inner.sessions.len() >= self.max_sessions {
            return Err(Error::TooManySessions { limit: self.max_sessions });
        }
        let id = session.peer.id().clone();
        let slot = Slot::Waiting { session: Box::new(session), deadline: now + CONNECT_TIMEOUT };
        inner.sessions.insert(id.clone(), Entry { slot, ufrags: SmallVec::new() });
        inner.add_ufrag(&id, ufrag);
        Ok(())
    }

    /// Says whose the session with the local user name fragment `ufrag` is, and makes it `worker`'s if it waits.
    pub(super) fn claim(&self, ufrag: &str, worker: usize) -> Claim {
        let mut inner = self.lock();
        let Inner { sessions, by_ufrag, .. } = &mut *inner;
        let Some(id) = by_ufrag.get(ufrag) else { return Claim::Unknown };
        let Some(entry) = sessions.get_mut(id) else { return Claim::Unknown };
        match std::mem::replace(&mut entry.slot, Slot::Worker(worker)) {
            Slot::Waiting { session, .. } => Claim::Adopted(session),
            Slot::Worker(owner) if owner == worker => Claim::Own(id.clone()),
            Slot::Worker(owner) => {
                entry.slot = Slot::Worker(owner);
                Claim::Owner(owner)
            }
        }
    }

    pub(super) fn route(&self, id: &SessionId) -> Option<Route<'_>> {
        let inner = self.lock();
        match inner.sessions.get(id)?.slot {
            Slot::Waiting { .. } => Some(Route::Waiting(Waiting { inner, id: id.clone() })),
            Slot::Worker(worker) => Some(Route::Worker(worker)),
        }
    }

    /// The entity tag of the session's current ICE generation.
    pub(super) fn etag(&self, id: &SessionId) -> Option<String> {
        self.lock().sessions.get(id)?.ufrags.last().cloned()
    }

    /// Makes `ufrag` lead to `id` too, after an ICE restart.
    pub(super) fn add_ufrag(&self, id: &SessionId, ufrag: &str) {
        self.lock().add_ufrag(id, ufrag);
    }

    pub(super) fn remove(&self, id: &SessionId) {
        self.lock().remove(id);
    }

    /// Remembers that `id` ended because another publisher took its stream.
    pub(super) fn note_replaced(&self, id: &SessionId) {
        let mut inner = self.lock();
        if inner.replaced.len() >= MAX_REPLACED {
            inner.replaced.pop_front();
        }
        inner.replaced.push_back(id.clone());
    }

    pub(super) fn was_replaced(&self, id: &SessionId) -> bool {
        self.lock().replaced.contains(id)
    }

    /// Forgets sessions that nobody connected to in time. Returns how many.
    pub(super) fn expire(&self, now: Instant) -> usize {
        let mut inner = self.lock();
        let expired: Vec<_> = inner
            .sessions
            .iter()
            .filter(|(_, entry)| matches!(&entry.slot, Slot::Waiting { deadline, .. } if *deadline <= now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in &expired {
            inner.remove(id);
        }
        expired.len()
    }
}
