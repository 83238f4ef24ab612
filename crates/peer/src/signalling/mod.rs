//! One stay in a room as far as signalling goes, without sockets and without a clock.
//!
//! [`Session`] asks for connections, says what to send over them and is told what they bring. It resumes its session
//! after a loss, and joins again where that is impossible. Time comes in as an argument.

mod backoff;
mod requests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use queqiao_room::Role;
use queqiao_room::signal::{
    Ended, ErrorBody, Event, HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT, Hidden, Join, JoinOk, Request,
    SequencedEvent, SessionId,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::error::{Error, Result};
use requests::{ANSWER_TIMEOUT, Class, Requests, Settled, outcome};

/// Opening a connection and joining take four round trips and a look at a token.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Leaving is for the others' sake; nobody waits longer for it.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// After as long the connection counts as good, and the next loss is retried quickly.
const STABLE: Duration = Duration::from_secs(10);

/// A first join that fails this often is told to its caller; once in a room there is no end to trying.
const FIRST_ATTEMPTS: u32 = 3;

/// The longest that a server may ask a client to wait.
const MAX_ASKED_WAIT: Duration = Duration::from_secs(60);

/// Events that are missing again after they were asked for once will not come.
const MAX_GAPS: u32 = 2;

/// The bounds of what a server may ask for as a heartbeat.
const HEARTBEATS: std::ops::RangeInclusive<u64> = 1..=60;

/// How it stands with the signalling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The room is being joined.
    Connecting,
    /// The room is joined, and what is asked is answered.
    Connected,
    /// The connection is lost; media may go on. It is being taken up again.
    Reconnecting,
    /// The room is being left.
    Leaving,
    /// It is over.
    Closed,
}

/// Tells connections apart: what an earlier one reports is nobody's concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link(u64);

/// What a [`Session`] wants done, or has to tell.
#[derive(Debug)]
pub(crate) enum Output {
    /// Open a connection.
    Open(Link),
    /// Send a message over it.
    Send(Link, String),
    /// Close it, once what was sent is out.
    Close(Link),
    /// The state is another.
    State(ConnectionState),
    /// The room is joined. `again`: the earlier session is lost. Whatever is asked before [`Session::flush`] goes
    /// before what was waiting.
    Joined { reply: Box<JoinOk>, again: bool },
    /// The session stands; what was missed follows. [`Session::flush`] sends what was waiting.
    Resumed,
    /// Something happened in the room.
    Event(Event),
    /// A request is over.
    Reply { id: u64, result: Result<Value> },
    /// The end, after which nothing comes.
    Closed(Error),
}

/// What a server should not have sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Messages that could not be understood.
    pub(crate) malformed: u64,
    /// Events that are not known here.
    pub(crate) unknown: u64,
    /// Answers to nothing that was asked.
    pub(crate) unmatched: u64,
    /// Events that came a second time.
    pub(crate) duplicate: u64,
    /// Times that events were missing.
    pub(crate) gaps: u64,
}

/// The connection in use.
#[derive(Debug)]
struct Current {
    link: Link,
    /// Open, and joining or resuming has been asked for by the request of this number.
    begun: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    join: Join,
    state: ConnectionState,
    requests: Requests,
    random: StdRng,
    links: u64,
    current: Option<Current>,
    session: Option<SessionId>,
    last_seq: u64,
    ready: bool,
    joined: bool,
    attempts: u32,
    gaps: u32,
    ready_since: Option<Instant>,
    last_heard: Instant,
    heartbeat: Duration,
    /// When to give a connection up, or to try the next one.
    next: Option<Instant>,
    beat: Option<Instant>,
    leaving: Option<u64>,
    counters: Counters,
    outputs: VecDeque<Output>,
}

impl Session {
    /// Begins to join. `seed` is for the chance in the waiting times.
    pub(crate) fn new(join: Join, now: Instant, seed: u64) -> Self {
        let mut session = Self {
            join,
            state: ConnectionState::Connecting,
            requests: Requests::default(),
            random: StdRng::seed_from_u64(seed),
            links: 0,
            current: None,
            session: None,
            last_seq: 0,
            ready: false,
            joined: false,
            attempts: 0,
            gaps: 0,
            ready_since: None,
            last_heard: now,
            heartbeat: HEARTBEAT_INTERVAL,
            next: None,
            beat: None,
            leaving: None,
            counters: Counters::default(),
            outputs: VecDeque::new(),
        };
        session.connect(now);
        session
    }

    /// The next thing to do or to tell.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) const fn state(&self) -> ConnectionState {
        self.state
    }

    #[cfg(test)]
    pub(crate) const fn counters(&self) -> Counters {
        self.counters
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.next, self.beat, self.requests.poll_timeout()].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let expired = self.requests.expire(now);
        let leave_expired = expired.iter().any(|settled| Some(settled.id) == self.leaving);
        self.settle(expired);
        if leave_expired {
            return self.end(Error::Left);
        }
        if self.next.is_some_and(|at| at <= now) {
            self.next = None;
            match self.current {
                Some(_) => self.lose(now, Duration::ZERO),
                None => self.connect(now),
            }
        }
        if self.beat.is_some_and(|at| at <= now) {
            self.heartbeat(now);
        }
    }

    /// Asks the server. Without a connection it waits for one. `of_session`: means nothing to the next session.
    pub(crate) fn request(&mut self, now: Instant, request: Request, of_session: bool) -> Result<u64> {
        match self.state {
            ConnectionState::Connected | ConnectionState::Reconnecting => {
                let class = if of_session { Class::OfSession } else { Class::Lasting };
                self.ask(now, request, class, ANSWER_TIMEOUT)
            }
            ConnectionState::Connecting => Err(Error::Unreachable),
            ConnectionState::Leaving | ConnectionState::Closed => Err(Error::Left),
        }
    }

    /// Sends what was waiting for a session.
    pub(crate) fn flush(&mut self, now: Instant) {
        for text in self.requests.flush(now) {
            self.send(text);
        }
    }

    /// What to say when the room has to be joined again.
    pub(crate) fn amend_role(&mut self, role: Role) {
        self.join.role = Some(role);
    }

    /// What to say when the room has to be joined again.
    pub(crate) fn amend_token(&mut self, token: Hidden) {
        self.join.token = Some(token);
    }

    /// Gives the session up and joins anew: its media cannot be saved.
    pub(crate) fn rejoin(&mut self, now: Instant) {
        let in_use =
            self.session.take().is_some() && self.current.as_ref().is_some_and(|link| link.begun.is_some());
        // Without a connection, or with one that joins already, the next is a new session anyway.
        if in_use && matches!(self.state, ConnectionState::Connected | ConnectionState::Reconnecting) {
            self.lose(now, Duration::ZERO);
        }
    }

    /// Leaves the room. [`Output::Closed`] follows.
    pub(crate) fn leave(&mut self, now: Instant) {
        if matches!(self.state, ConnectionState::Leaving | ConnectionState::Closed) {
            return;
        }
        self.enter(ConnectionState::Leaving);
        // Also while joining: the server takes requests in their order, and would keep the participant otherwise.
        let begun = self.current.as_ref().is_some_and(|current| current.begun.is_some());
        match begun.then(|| self.ask(now, Request::Leave, Class::Immediate, LEAVE_TIMEOUT)) {
            Some(Ok(id)) => self.leaving = Some(id),
            _ => self.end(Error::Left),
        }
    }

    /// The connection is open.
    pub(crate) fn opened(&mut self, now: Instant, link: Link) {
        if !self.is_current(link) || self.state == ConnectionState::Leaving {
            return;
        }
        self.last_heard = now;
        match self.session.clone() {
            Some(session) => self.first(now, Request::Resume { session, last_seq: self.last_seq }),
            None => self.first(now, Request::Join(self.join.clone())),
        }
    }

    /// The connection could not be opened, or broke.
    pub(crate) fn closed(&mut self, now: Instant, link: Link) {
        if self.is_current(link) {
            self.lose(now, Duration::ZERO);
        }
    }

    /// The connection brought a message.
    pub(crate) fn received(&mut self, now: Instant, link: Link, text: &str) {
        if !self.is_current(link) {
            return;
        }
        self.last_heard = now;
        let Ok(Value::Object(mut message)) = serde_json::from_str::<Value>(text) else {
            self.counters.malformed += 1;
            return;
        };
        if let Some(seq) = message.get("seq").and_then(Value::as_u64) {
            self.hear(now, seq, Value::Object(message));
            return;
        }
        let id = message.get("id").and_then(Value::as_u64);
        let ok = message.remove("ok");
        let refusal = message.remove("error").map(serde_json::from_value::<ErrorBody>);
        match (ok, refusal) {
            (Some(ok), None) => self.answered(now, id, None, ok),
            (None, Some(Ok(body))) => self.answered(now, id, Some(body), Value::Null),
            _ => self.counters.malformed += 1,
        }
    }

    fn hear(&mut self, now: Instant, seq: u64, message: Value) {
        if !self.ready || !self.is_next(now, seq) {
            return;
        }
        match serde_json::from_value::<SequencedEvent>(message) {
            Ok(SequencedEvent { event: Event::SessionEnded { ended }, .. }) => self.ended(ended),
            Ok(SequencedEvent { event, .. }) => self.outputs.push_back(Output::Event(event)),
            Err(_) => self.counters.unknown += 1,
        }
    }

    fn ended(&mut self, ended: Ended) {
        self.end(Error::Ended(ended));
    }

    /// Whether this is the next event.
    fn is_next(&mut self, now: Instant, seq: u64) -> bool {
        if seq <= self.last_seq {
            self.counters.duplicate += 1;
            return false;
        }
        if seq > self.last_seq + 1 {
            self.counters.gaps += 1;
            self.gaps += 1;
            if self.gaps >= MAX_GAPS {
                self.session = None;
            }
            self.lose(now, Duration::ZERO);
            return false;
        }
        self.last_seq = seq;
        self.gaps = 0;
        true
    }

    fn answered(&mut self, now: Instant, id: Option<u64>, refusal: Option<ErrorBody>, ok: Value) {
        let first = self.current.as_ref().and_then(|current| current.begun).filter(|_| !self.ready);
        let Some(id) = id.filter(|&id| self.requests.answered(Some(id))) else {
            self.counters.unmatched += 1;
            return;
        };
        if Some(id) == self.leaving {
            self.end(Error::Left);
        } else if Some(id) == first {
            self.entered(now, refusal, ok);
        } else {
            self.outputs.push_back(Output::Reply { id, result: outcome(refusal, ok) });
        }
    }

    /// The answer to the first request of a connection.
    fn entered(&mut self, now: Instant, refusal: Option<ErrorBody>, ok: Value) {
        if self.state == ConnectionState::Leaving {
            return;
        }
        let resuming = self.session.is_some();
        match (refusal, resuming) {
            (Some(_), true) => {
                self.session = None;
                self.first(now, Request::Join(self.join.clone()));
            }
            (Some(body), false) => self.refused(now, body),
            (None, true) => {
                self.settle_in(now);
                self.outputs.push_back(Output::Resumed);
            }
            (None, false) => match serde_json::from_value::<JoinOk>(ok) {
                Ok(reply) => self.joined(now, reply),
                Err(_) => {
                    self.counters.malformed += 1;
                    self.end(Error::BadReply { request: "join" });
                }
            },
        }
    }

    fn joined(&mut self, now: Instant, reply: JoinOk) {
        let again = std::mem::replace(&mut self.joined, true);
        self.session = Some(reply.session.clone());
        self.last_seq = 0;
        self.gaps = 0;
        let (least, most) = (*HEARTBEATS.start(), *HEARTBEATS.end());
        self.heartbeat = Duration::from_secs(reply.heartbeat_seconds.clamp(least, most));
        let void = self.requests.start_session();
        self.settle(void);
        self.settle_in(now);
        self.outputs.push_back(Output::Joined { reply: Box::new(reply), again });
    }

    fn refused(&mut self, now: Instant, body: ErrorBody) {
        let passing = body.code == "rate_limited" || (self.joined && body.code == "too_many_rooms");
        if passing {
            let asked = Duration::from_millis(body.retry_after_ms.unwrap_or(0));
            self.lose(now, asked.min(MAX_ASKED_WAIT));
        } else {
            self.end(body.into());
        }
    }

    /// The session is there, on this connection.
    fn settle_in(&mut self, now: Instant) {
        self.next = None;
        self.ready = true;
        self.ready_since = Some(now);
        self.beat = Some(now + self.heartbeat);
        self.requests.open();
        self.enter(ConnectionState::Connected);
    }

    fn heartbeat(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last_heard) >= HEARTBEAT_TIMEOUT {
            return self.lose(now, Duration::ZERO);
        }
        self.beat = Some(now + self.heartbeat);
        // A ping that is not answered needs no answer here: silence is noticed by the next heartbeat.
        let _ = self.ask(now, Request::Ping, Class::Immediate, HEARTBEAT_TIMEOUT);
    }

    fn connect(&mut self, now: Instant) {
        self.links += 1;
        let link = Link(self.links);
        self.current = Some(Current { link, begun: None });
        self.next = Some(now + CONNECT_TIMEOUT);
        self.outputs.push_back(Output::Open(link));
    }

    /// The first request on a connection. If it is not answered, the time for connecting runs out.
    fn first(&mut self, now: Instant, request: Request) {
        if let Ok(id) = self.ask(now, request, Class::Immediate, CONNECT_TIMEOUT * 2)
            && let Some(current) = &mut self.current
        {
            current.begun = Some(id);
        }
    }

    fn ask(&mut self, now: Instant, request: Request, class: Class, timeout: Duration) -> Result<u64> {
        let (id, text) = self.requests.add(now, request, class, timeout)?;
        if let Some(text) = text {
            self.send(text);
        }
        Ok(id)
    }

    fn send(&mut self, text: String) {
        if let Some(current) = &self.current {
            self.outputs.push_back(Output::Send(current.link, text));
        }
    }

    /// The connection is of no more use. `least`: the shortest wait before the next one.
    fn lose(&mut self, now: Instant, least: Duration) {
        self.drop_link();
        let over = self.requests.suspend(now);
        self.settle(over);
        if self.state == ConnectionState::Leaving {
            return self.end(Error::Left);
        }
        if self.joined {
            if self.ready_since.take().is_some_and(|since| now.saturating_duration_since(since) >= STABLE) {
                self.attempts = 0;
            }
        } else if self.attempts + 1 >= FIRST_ATTEMPTS {
            return self.end(Error::Unreachable);
        }
        let wait = backoff::delay(self.attempts, self.random.random()).max(least);
        self.attempts = self.attempts.saturating_add(1);
        self.next = Some(now + wait);
        if self.joined {
            self.enter(ConnectionState::Reconnecting);
        }
    }

    fn end(&mut self, error: Error) {
        if self.state == ConnectionState::Closed {
            return;
        }
        self.drop_link();
        self.session = None;
        let over = self.requests.close(&error);
        self.settle(over);
        self.enter(ConnectionState::Closed);
        self.outputs.push_back(Output::Closed(error));
    }

    /// Lets go of the connection and of every timer.
    fn drop_link(&mut self) {
        if let Some(current) = self.current.take() {
            self.outputs.push_back(Output::Close(current.link));
        }
        self.ready = false;
        self.next = None;
        self.beat = None;
    }

    fn settle(&mut self, settled: Vec<Settled>) {
        let outputs = settled.into_iter().map(|Settled { id, result }| Output::Reply { id, result });
        self.outputs.extend(outputs);
    }

    fn enter(&mut self, state: ConnectionState) {
        if self.state != state {
            self.state = state;
            self.outputs.push_back(Output::State(state));
        }
    }

    fn is_current(&self, link: Link) -> bool {
        self.current.as_ref().is_some_and(|current| current.link == link)
    }
}

#[cfg(test)]
mod tests;
