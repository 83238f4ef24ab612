//! Which worker owns which session. A new session waits here until its first STUN request reaches a worker.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use queqiao_room::Grant;
use rand::Rng;
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tracing::debug;

use super::negotiate::Negotiated;
use super::peer::restart_ice;
use super::{CONNECT_TIMEOUT, Error};
use crate::hub::Seat;

/// Commands and stray datagrams waiting for one worker. Datagrams beyond it are lost, as UDP allows.
const INBOX: usize = 8_192;

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

/// What a session is for.
pub(super) enum Purpose {
    Publish(Grant),
    Play(Seat),
}

/// A session that no worker owns yet.
pub(super) struct NewSession {
    pub(super) id: SessionId,
    pub(super) purpose: Purpose,
    /// What was accepted: an ICE restart is this offer with other credentials.
    pub(super) offer: String,
    pub(super) negotiated: Negotiated,
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
    RequestKeyframe(SessionId),
    RestartIce {
        id: SessionId,
        fragment: IceFragment,
        reply: oneshot::Sender<Result<(String, String), Error>>,
    },
    Shutdown,
}

/// All workers' inboxes, by worker.
pub(super) type Inboxes = Arc<[Arc<Inbox>]>;

/// The way into a worker's thread.
pub(super) struct Inbox {
    sender: SyncSender<Command>,
    ready: Mutex<Vec<usize>>,
    waker: mio::Waker,
    woken: AtomicBool,
}

impl Inbox {
    pub(super) fn new(waker: mio::Waker) -> (Arc<Self>, Receiver<Command>) {
        let (sender, receiver) = sync_channel(INBOX);
        let inbox = Self { sender, ready: Mutex::new(Vec::new()), waker, woken: AtomicBool::new(false) };
        (Arc::new(inbox), receiver)
    }

    /// Queues a command and wakes the worker. Lost, with a note, where the inbox is full.
    pub(super) fn send(&self, command: Command) {
        if self.sender.try_send(command).is_err() {
            debug!("a WebRTC worker's inbox is full or closed");
        }
        self.wake();
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
pub(super) enum Route {
    Waiting,
    Worker(usize),
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

    /// Lets `session` wait for its first STUN request.
    pub(super) fn wait(&self, session: NewSession, now: Instant) -> Result<(), Error> {
        let mut inner = self.lock();
        if inner.sessions.len() >= self.max_sessions {
            return Err(Error::TooManySessions { limit: self.max_sessions });
        }
        let id = session.id.clone();
        let ufrag = session.negotiated.credentials.ufrag.clone();
        let slot = Slot::Waiting { session: Box::new(session), deadline: now + CONNECT_TIMEOUT };
        inner.sessions.insert(id.clone(), Entry { slot, ufrags: SmallVec::new() });
        inner.add_ufrag(&id, &ufrag);
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

    pub(super) fn route(&self, id: &SessionId) -> Option<Route> {
        match self.lock().sessions.get(id)?.slot {
            Slot::Waiting { .. } => Some(Route::Waiting),
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

    /// Restarts ICE of a session that nobody has connected to yet.
    pub(super) fn restart_waiting(
        &self,
        id: &SessionId,
        fragment: &IceFragment,
    ) -> Result<(String, String), Error> {
        let mut inner = self.lock();
        let Some(Entry { slot: Slot::Waiting { session, .. }, .. }) = inner.sessions.get_mut(id) else {
            return Err(Error::NoSuchSession);
        };
        let offer = session.offer.clone();
        let restarted = restart_ice(&mut session.negotiated.rtc, &offer, fragment)?;
        session.negotiated.credentials = restarted.credentials;
        inner.add_ufrag(id, &restarted.etag);
        Ok((restarted.fragment, restarted.etag))
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
