use std::collections::VecDeque;
use std::sync::Arc;

use super::{MAX_REPLAY_BYTES, MAX_REPLAY_EVENTS};
use crate::signal::Event;

/// An event as JSON without its opening brace and number: what all who are told of it share.
pub(crate) type Body = Arc<str>;

pub(crate) fn body(event: &Event) -> Body {
    let text = serde_json::to_string(event).unwrap_or_default();
    text.strip_prefix('{').unwrap_or("}").into()
}

/// An event with the number that it has for one participant. Clones share their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    seq: u64,
    body: Body,
}

impl Sealed {
    /// Its number.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    #[cfg(test)]
    pub(crate) const fn body(&self) -> &Body {
        &self.body
    }

    /// The message to send.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{{\"seq\":{},{}", self.seq, self.body)
    }
}

/// The events of one session: their count, and the latest of them for a client that resumes.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    last_seq: u64,
    bytes: usize,
    replay: VecDeque<Sealed>,
}

impl Outbox {
    pub(crate) fn push(&mut self, body: &Body) -> Sealed {
        self.last_seq += 1;
        let sealed = Sealed { seq: self.last_seq, body: Arc::clone(body) };
        self.bytes += body.len();
        self.replay.push_back(sealed.clone());
        while self.replay.len() > MAX_REPLAY_EVENTS || self.bytes > MAX_REPLAY_BYTES {
            let Some(oldest) = self.replay.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.body.len());
        }
        sealed
    }

    /// The events after `last_seq`; none if some of them are forgotten or have never been.
    pub(crate) fn since(&self, last_seq: u64) -> Option<Vec<Sealed>> {
        let missed = usize::try_from(self.last_seq.checked_sub(last_seq)?).ok()?;
        let skip = self.replay.len().checked_sub(missed)?;
        Some(self.replay.iter().skip(skip).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::SequencedEvent;

    fn event(seconds: u64) -> Event {
        Event::TokenExpiring { seconds }
    }

    #[test]
    fn a_sealed_event_is_the_json_of_the_event_with_its_number() {
        let sealed = Outbox::default().push(&body(&event(30)));
        let read: SequencedEvent = serde_json::from_str(&sealed.text()).unwrap();
        assert_eq!(read, SequencedEvent { seq: 1, event: event(30) });
    }

    #[test]
    fn replay_gives_exactly_what_came_after() {
        let mut outbox = Outbox::default();
        for seconds in 0..10 {
            outbox.push(&body(&event(seconds)));
        }
        let seqs = |last| outbox.since(last).map(|missed| missed.iter().map(Sealed::seq).collect::<Vec<_>>());
        assert_eq!(seqs(7), Some(vec![8, 9, 10]));
        assert_eq!(seqs(10), Some(vec![]));
        assert_eq!(seqs(0).unwrap().len(), 10);
        assert_eq!(seqs(11), None);
    }

    #[test]
    fn old_events_are_forgotten_by_number_and_by_size() {
        let mut outbox = Outbox::default();
        for _ in 0..=MAX_REPLAY_EVENTS {
            outbox.push(&body(&event(1)));
        }
        assert!(outbox.since(0).is_none());
        assert_eq!(outbox.since(1).unwrap().len(), MAX_REPLAY_EVENTS);
        let large: Body = "x".repeat(MAX_REPLAY_BYTES / 2).into();
        for _ in 0..3 {
            outbox.push(&large);
        }
        assert_eq!(outbox.replay.len(), 2);
        let huge: Body = "x".repeat(MAX_REPLAY_BYTES + 1).into();
        outbox.push(&huge);
        assert_eq!((outbox.replay.len(), outbox.bytes), (0, 0));
    }
}
