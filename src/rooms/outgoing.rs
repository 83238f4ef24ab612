//! What a WebSocket is still to be sent. A client that does not read fills its own queue and harms nobody else.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use queqiao_room::machine::CloseReason;
use queqiao_room::signal::EndReason;
use tokio::sync::Notify;

/// Messages that may wait: what a room that fills up at the pace of a load test says in some seconds.
pub(crate) const MAX_QUEUED_MESSAGES: usize = 1_024;

/// Bytes that may wait: the reply to a join into the largest room, all that a resumed session may have missed, and an
/// offer of full length.
pub(crate) const MAX_QUEUED_BYTES: usize = 1 << 20;

/// Why the server ends a WebSocket. Its code and its name are what the client sees (`docs/signalling.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketEnd {
    /// The client has left its room.
    Left,
    /// The server is ending.
    Shutdown,
    /// A message was longer than any may be.
    TooLarge,
    /// Neither joined nor resumed in time.
    NotJoined,
    /// Nothing came for too long.
    Silent,
    /// The client does not read what it is sent.
    TooSlow,
    /// The session is over; the last event said why.
    Ended(EndReason),
    /// The session goes on with a newer connection.
    Resumed,
}

impl SocketEnd {
    /// The close code (RFC 6455 section 7.4).
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Left => 1000,
            Self::Shutdown => 1001,
            Self::TooLarge => 1009,
            Self::NotJoined => 4000,
            Self::Silent => 4001,
            Self::TooSlow => 4002,
            Self::Ended(_) => 4003,
            Self::Resumed => 4004,
        }
    }

    /// The reason that goes with the code.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Shutdown => "shutting_down",
            Self::TooLarge => "message_too_large",
            Self::NotJoined => "join_timeout",
            Self::Silent => "heartbeat_timeout",
            Self::TooSlow => "too_slow",
            Self::Ended(reason) => end_name(reason),
            Self::Resumed => "resumed",
        }
    }
}

impl From<CloseReason> for SocketEnd {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Ended(reason) => Self::Ended(reason),
            CloseReason::Resumed => Self::Resumed,
            // Media connections alone are closed for this.
            CloseReason::RoleChanged => Self::Left,
        }
    }
}

/// The name of a reason, as `session_ended` has it.
pub(crate) const fn end_name(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Kicked => "kicked",
        EndReason::Banned => "banned",
        EndReason::Replaced => "replaced",
        EndReason::RoomClosed => "room_closed",
        EndReason::TokenExpired => "token_expired",
    }
}

/// What the writer does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this text.
    Message(String),
    /// Say goodbye; nothing comes after it.
    Close(SocketEnd),
}

/// The queue between a room and the writer of one WebSocket.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    queue: Mutex<Queue>,
    changed: Notify,
    ending: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<String>,
    bytes: usize,
    end: Option<SocketEnd>,
}

impl Outgoing {
    /// Queues a message. One too many ends the connection, and takes what waits with it.
    pub(crate) fn push(&self, text: String) {
        let mut queue = self.lock();
        if queue.end.is_some() {
            return;
        }
        let bytes = queue.bytes + text.len();
        if queue.messages.len() >= MAX_QUEUED_MESSAGES || bytes > MAX_QUEUED_BYTES {
            *queue = Queue { end: Some(SocketEnd::TooSlow), ..Queue::default() };
            self.ending.notify_one();
        } else {
            queue.bytes = bytes;
            queue.messages.push_back(text);
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Ends the connection once what was queued is out. The first reason counts.
    pub(crate) fn close(&self, end: SocketEnd) {
        let mut queue = self.lock();
        if queue.end.is_none() {
            queue.end = Some(end);
            self.ending.notify_one();
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Why the connection is to end, if it is.
    pub(crate) fn end(&self) -> Option<SocketEnd> {
        self.lock().end
    }

    /// Returns once the connection is to end. For one task at a time: the reader.
    pub(crate) async fn ended(&self) -> SocketEnd {
        loop {
            if let Some(end) = self.end() {
                return end;
            }
            self.ending.notified().await;
        }
    }

    /// What to write next. For one task at a time: the writer.
    pub(crate) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// What to write next, if there is anything yet.
    pub(crate) fn try_next(&self) -> Option<Next> {
        let mut queue = self.lock();
        match queue.messages.pop_front() {
            Some(text) => {
                queue.bytes -= text.len();
                Some(Next::Message(text))
            }
            None => queue.end.map(Next::Close),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outgoing: &Outgoing) -> Vec<Next> {
        let mut all = Vec::new();
        while let Some(next) = outgoing.try_next() {
            let last = matches!(next, Next::Close(_));
            all.push(next);
            if last {
                break;
            }
        }
        all
    }

    #[test]
    fn what_was_queued_goes_out_before_the_goodbye_and_nothing_after_it() {
        let outgoing = Outgoing::default();
        outgoing.push("one".to_owned());
        outgoing.close(SocketEnd::Ended(EndReason::Kicked));
        outgoing.close(SocketEnd::Silent);
        outgoing.push("two".to_owned());
        let expected = [Next::Message("one".to_owned()), Next::Close(SocketEnd::Ended(EndReason::Kicked))];
        assert_eq!(drain(&outgoing), expected);
    }

    #[test]
    fn a_client_that_does_not_read_is_cut_by_the_number_of_messages() {
        let outgoing = Outgoing::default();
        for _ in 0..MAX_QUEUED_MESSAGES {
            outgoing.push("x".to_owned());
        }
        assert_eq!(outgoing.end(), None);
        outgoing.push("x".to_owned());
        assert_eq!(drain(&outgoing), [Next::Close(SocketEnd::TooSlow)]);
    }

    #[test]
    fn a_client_that_does_not_read_is_cut_by_the_number_of_bytes() {
        let outgoing = Outgoing::default();
        outgoing.push("x".repeat(MAX_QUEUED_BYTES));
        assert_eq!(outgoing.end(), None);
        outgoing.push("x".to_owned());
        assert_eq!(drain(&outgoing), [Next::Close(SocketEnd::TooSlow)]);
    }

    #[test]
    fn what_is_out_makes_room_again() {
        let outgoing = Outgoing::default();
        for _ in 0..4 * MAX_QUEUED_MESSAGES {
            outgoing.push("x".repeat(1_000));
            assert!(matches!(outgoing.try_next(), Some(Next::Message(_))));
        }
        assert_eq!(outgoing.end(), None);
    }
}
