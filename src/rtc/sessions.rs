//! The sessions of one worker, and what they are found by: key, id, address and time.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use slab::Slab;
use tracing::Span;

use super::directory::{NewSession, SessionId};
use super::peer::Peer;

/// The shortest timer: what the kernel's own granularity allows. One that is due already runs in the next turn of the
/// worker's loop, so that other sessions get theirs.
const MIN_TIMER: Duration = Duration::from_micros(500);

/// A session with its place in the worker's books.
pub(super) struct Session {
    pub(super) peer: Peer,
    pub(super) span: Span,
    /// Whether something was written to it that is not out yet.
    pub(super) unflushed: bool,
    /// When the worker looks at it next, at the latest: its own time may have moved on since.
    armed: Option<Instant>,
}

/// The sessions.
#[derive(Default)]
pub(super) struct Sessions {
    by_key: Slab<Session>,
    by_id: HashMap<SessionId, usize>,
    by_address: HashMap<SocketAddr, usize>,
    timers: BTreeSet<(Instant, usize)>,
}

impl Sessions {
    /// Takes in a session whose first STUN request has come. Returns its key.
    pub(super) fn adopt(&mut self, new: NewSession, now: Instant) -> usize {
        let NewSession { peer, span } = new;
        let id = peer.id().clone();
        let key = self.by_key.insert(Session { peer, span, unflushed: false, armed: None });
        self.by_id.insert(id, key);
        self.rearm(key, now);
        key
    }

    pub(super) fn get_mut(&mut self, key: usize) -> Option<&mut Session> {
        self.by_key.get_mut(key)
    }

    pub(super) fn keys(&self) -> Vec<usize> {
        self.by_key.iter().map(|(key, _)| key).collect()
    }

    pub(super) fn by_id(&self, id: &SessionId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    pub(super) fn by_address(&self, address: SocketAddr) -> Option<usize> {
        self.by_address.get(&address).copied()
    }

    /// Notes that `address` is the session's.
    pub(super) fn learn_address(&mut self, key: usize, address: SocketAddr) {
        let Some(session) = self.by_key.get_mut(key) else { return };
        if let Some(forgotten) = session.peer.learn_address(address) {
            self.by_address.remove(&forgotten);
        }
        self.by_address.insert(address, key);
    }

    /// When the next session is to be looked at.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// A session that has something to do by `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        while let Some(&(at, key)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, key));
            let Some(session) = self.by_key.get_mut(key) else { continue };
            session.armed = None;
            if session.peer.poll_timeout() <= now {
                return Some(key);
            }
            // Media that has come or gone since has put it off.
            self.rearm(key, now);
        }
        None
    }

    /// Makes sure that the session is looked at in time. Too early does no harm, and spares the books an entry for
    /// every packet.
    pub(super) fn rearm(&mut self, key: usize, now: Instant) {
        let Some(session) = self.by_key.get_mut(key) else { return };
        let due = session.peer.poll_timeout().max(now + MIN_TIMER);
        match session.armed {
            Some(armed) if armed <= due => return,
            Some(armed) => {
                self.timers.remove(&(armed, key));
            }
            None => {}
        }
        session.armed = Some(due);
        self.timers.insert((due, key));
    }

    /// Strikes a session from all books.
    pub(super) fn remove(&mut self, key: usize) -> Option<Session> {
        let session = self.by_key.try_remove(key)?;
        if let Some(armed) = session.armed {
            self.timers.remove(&(armed, key));
        }
        self.by_id.remove(session.peer.id());
        for address in session.peer.addresses() {
            self.by_address.remove(address);
        }
        Some(session)
    }
}
