//! Requests until they are answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use queqiao_room::signal::{Envelope, ErrorBody, Request};
use serde_json::Value;

use crate::error::{Error, Result};

/// A server that has not answered by then is not going to.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Longer than the server keeps a session without a connection: by then it is resumed or joined again, or hopeless.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(30);

/// Far more than an application has under way; one that goes beyond asks in a loop.
pub(super) const MAX_REQUESTS: usize = 128;

/// How a request is treated while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Belongs to a connection and is sent at once, session or not.
    Immediate,
    /// Means nothing to the next session.
    OfSession,
    /// Is asked of the next session, too.
    Lasting,
}

#[derive(Debug)]
struct Pending {
    name: &'static str,
    text: String,
    class: Class,
    /// Whether it may be asked again after a lost connection: a message could arrive twice, statistics are old by
    /// then, and the others belong to one connection.
    repeatable: bool,
    timeout: Duration,
    sent: bool,
    deadline: Instant,
}

/// A request that is over.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) id: u64,
    pub(super) result: Result<Value>,
}

/// While there is no session requests wait; when it is back they are sent in their order, and those that were sent but
/// not answered once more, where that does no harm.
#[derive(Debug, Default)]
pub(super) struct Requests {
    last_id: u64,
    open: bool,
    pending: BTreeMap<u64, Pending>,
}

impl Requests {
    /// Takes a request, and returns its number and its text if it is to be sent now.
    pub(super) fn add(
        &mut self,
        now: Instant,
        request: Request,
        class: Class,
        timeout: Duration,
    ) -> Result<(u64, Option<String>)> {
        // The session's own requests must get through however much an application asks.
        if class == Class::Lasting && self.pending.len() >= MAX_REQUESTS {
            return Err(Error::TooManyRequests { limit: MAX_REQUESTS });
        }
        let id = self.last_id + 1;
        let name = request.name();
        let repeatable = !matches!(
            request,
            Request::SendMessage { .. }
                | Request::Stats(_)
                | Request::Join(_)
                | Request::Resume { .. }
                | Request::Leave
                | Request::Ping
        );
        // Every field of a request is a text, a number or a flag: serde_json writes them all.
        let text = serde_json::to_string(&Envelope { id, request })
            .map_err(|_| Error::BadReply { request: name })?;
        self.last_id = id;
        let sent = self.open || class == Class::Immediate;
        let deadline = now + if sent { timeout } else { QUEUE_TIMEOUT };
        let now_sent = sent.then(|| text.clone());
        self.pending.insert(id, Pending { name, text, class, repeatable, timeout, sent, deadline });
        Ok((id, now_sent))
    }

    /// There is a session: what is asked from now on is sent at once.
    pub(super) fn open(&mut self) {
        self.open = true;
    }

    /// What has waited for a session.
    pub(super) fn flush(&mut self, now: Instant) -> Vec<String> {
        if !self.open {
            return Vec::new();
        }
        let waiting = self.pending.values_mut().filter(|pending| !pending.sent);
        waiting
            .map(|pending| {
                pending.sent = true;
                pending.deadline = now + pending.timeout;
                pending.text.clone()
            })
            .collect()
    }

    /// The connection is lost.
    pub(super) fn suspend(&mut self, now: Instant) -> Vec<Settled> {
        self.open = false;
        for pending in self.pending.values_mut().filter(|pending| pending.sent && pending.repeatable) {
            pending.sent = false;
            pending.deadline = now + QUEUE_TIMEOUT;
        }
        self.settle_if(|pending| pending.sent.then_some(Error::OutcomeUnknown { request: pending.name }))
    }

    /// The session is a new one: what only the old one was asked is void.
    pub(super) fn start_session(&mut self) -> Vec<Settled> {
        self.settle_if(|pending| {
            (pending.class == Class::OfSession).then_some(Error::SessionLost { request: pending.name })
        })
    }

    /// Everything under way fails in the same way.
    pub(super) fn close(&mut self, error: &Error) -> Vec<Settled> {
        self.open = false;
        self.settle_if(|_| Some(error.clone()))
    }

    /// What has waited too long.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Settled> {
        self.settle_if(|pending| {
            (pending.deadline <= now).then_some(Error::TimedOut { request: pending.name })
        })
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pending.values().map(|pending| pending.deadline).min()
    }

    /// An answer came. Returns whether it was waited for.
    pub(super) fn answered(&mut self, id: Option<u64>) -> bool {
        let Some(id) = id.filter(|id| self.pending.get(id).is_some_and(|pending| pending.sent)) else {
            return false;
        };
        self.pending.remove(&id).is_some()
    }

    fn settle_if(&mut self, judge: impl Fn(&Pending) -> Option<Error>) -> Vec<Settled> {
        let mut settled = Vec::new();
        self.pending.retain(|&id, pending| match judge(pending) {
            Some(error) => {
                settled.push(Settled { id, result: Err(error) });
                false
            }
            None => true,
        });
        settled
    }
}

/// What the server said to a request.
pub(super) fn outcome(refusal: Option<ErrorBody>, ok: Value) -> Result<Value> {
    refusal.map_or(Ok(ok), |body| Err(body.into()))
}
