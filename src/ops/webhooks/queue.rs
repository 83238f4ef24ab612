//! What waits for one endpoint, and when it is tried: without IO, in whatever time its caller says it is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// Events that wait for one endpoint: a minute of a busy server, some 300 KB.
pub(super) const MAX_WAITING: usize = 1_000;

/// How often one event is sent, at most: the delays between so many tries add up to [`MAX_AGE`].
pub(super) const MAX_ATTEMPTS: u32 = 15;

/// For how long an event is worth sending. A back end that was down for longer asks the API how things are.
pub(super) const MAX_AGE: Duration = Duration::from_secs(600);

/// The delay after the first failure; it doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest delay: how late an endpoint that is back hears of it.
const MAX_DELAY: Duration = Duration::from_secs(60);

/// One event on its way to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// The same at every attempt.
    pub(super) id: String,
    /// What is sent.
    pub(super) body: Bytes,
    /// How often it has been sent, this time included.
    pub(super) attempt: u32,
    since: Instant,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, until something is pushed.
    Idle,
    /// Nothing until then.
    Wait(Instant),
    /// Send this, and say how it went.
    Send(Delivery),
}

/// What pushing did to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    /// The oldest one had to go. `first` since the queue was last empty.
    DroppedOldest {
        first: bool,
    },
}

/// What a failure means for what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is sent again after this time.
    Again { after: Duration },
    /// It is not worth another try.
    GivenUp,
}

/// What has become of an endpoint's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Events that the endpoint took.
    pub(crate) delivered: u64,
    /// Attempts that failed.
    pub(crate) failed: u64,
    /// Events that it will never get.
    pub(crate) dropped: u64,
}

/// The events of one endpoint, in order. The pace is the endpoint's, not the event's: after a failure everything waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// What is being sent, or sent again next.
    current: Option<Delivery>,
    waiting: VecDeque<Delivery>,
    /// Failures since the last success.
    failures: u32,
    retry_at: Option<Instant>,
    overflowed: bool,
    counts: Counts,
}

impl Queue {
    /// Puts an event at the end. Where there is no room, the oldest that is not being sent goes.
    pub(super) fn push(&mut self, id: String, body: Bytes, now: Instant) -> Pushed {
        let full = self.waiting.len() >= MAX_WAITING && self.waiting.pop_front().is_some();
        self.waiting.push_back(Delivery { id, body, attempt: 0, since: now });
        if !full {
            return Pushed::Queued;
        }
        self.counts.dropped += 1;
        Pushed::DroppedOldest { first: !std::mem::replace(&mut self.overflowed, true) }
    }

    /// What to do now. What is sent has to be followed by [`Queue::succeeded`] or [`Queue::failed`].
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if let Some(at) = self.retry_at.filter(|at| *at > now) {
            return Next::Wait(at);
        }
        while self.current.is_none() {
            let Some(delivery) = self.waiting.pop_front() else {
                self.overflowed = false;
                return Next::Idle;
            };
            if is_stale(&delivery, now) {
                self.counts.dropped += 1;
            } else {
                self.current = Some(delivery);
            }
        }
        self.retry_at = None;
        match &mut self.current {
            Some(delivery) => {
                delivery.attempt += 1;
                Next::Send(delivery.clone())
            }
            None => Next::Idle,
        }
    }

    /// The endpoint took what was sent.
    pub(super) fn succeeded(&mut self) {
        self.current = None;
        self.failures = 0;
        self.counts.delivered += 1;
    }

    /// The endpoint did not. `random` is between 0 and 1 and keeps endpoints that fail together from coming back together.
    pub(super) fn failed(&mut self, now: Instant, random: f64) -> Verdict {
        self.counts.failed += 1;
        let after = delay(self.failures, random);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.checked_add(after);
        let worthwhile = |delivery: &Delivery| {
            delivery.attempt < MAX_ATTEMPTS && !is_stale(delivery, self.retry_at.unwrap_or(now))
        };
        if self.current.as_ref().is_some_and(worthwhile) {
            return Verdict::Again { after };
        }
        self.current = None;
        self.counts.dropped += 1;
        Verdict::GivenUp
    }

    /// Events that are not delivered yet.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.current.is_some())
    }

    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }
}

fn is_stale(delivery: &Delivery, at: Instant) -> bool {
    at.saturating_duration_since(delivery.since) > MAX_AGE
}

/// Between half of the full delay and all of it.
fn delay(failures: u32, random: f64) -> Duration {
    let full = 2_u32.checked_pow(failures).map_or(MAX_DELAY, |factor| FIRST_DELAY.saturating_mul(factor));
    full.min(MAX_DELAY).mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn push(queue: &mut Queue, number: usize, now: Instant) -> Pushed {
        queue.push(format!("d{number}"), Bytes::new(), now)
    }

    /// The id and attempt that is sent now.
    fn sent(queue: &mut Queue, now: Instant) -> (String, u32) {
        match queue.next(now) {
            Next::Send(delivery) => (delivery.id, delivery.attempt),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn events_go_out_in_order_and_one_that_failed_goes_first() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert_eq!(queue.next(now), Next::Idle);
        push(&mut queue, 1, now);
        push(&mut queue, 2, now);
        assert_eq!(sent(&mut queue, now), ("d1".into(), 1));
        assert_eq!(queue.failed(now, 1.0), Verdict::Again { after: SECOND });
        assert_eq!(queue.next(now), Next::Wait(now + SECOND));
        assert_eq!(sent(&mut queue, now + SECOND), ("d1".into(), 2));
        queue.succeeded();
        assert_eq!(sent(&mut queue, now + SECOND), ("d2".into(), 1));
        queue.succeeded();
        assert_eq!(queue.next(now + SECOND), Next::Idle);
        assert_eq!(queue.counts(), Counts { delivered: 2, failed: 1, dropped: 0 });
    }

    #[test]
    fn delays_double_up_to_a_minute_and_vary_by_half() {
        let full: Vec<u64> = (0..8).map(|failures| delay(failures, 1.0).as_secs()).collect();
        assert_eq!(full, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(delay(3, 0.0), Duration::from_secs(4));
        assert_eq!(delay(u32::MAX, 1.0), MAX_DELAY);
    }

    #[test]
    fn an_event_is_given_up_after_its_last_attempt_or_its_time() {
        for (first, attempts) in [(0, 15), (590, 4)] {
            let (mut queue, start) = (Queue::default(), Instant::now());
            push(&mut queue, 1, start);
            let (mut now, mut made) = (start + first * SECOND, 0);
            loop {
                match queue.next(now) {
                    Next::Send(_) => {
                        made += 1;
                        queue.failed(now, 1.0);
                    }
                    Next::Wait(at) => now = at,
                    Next::Idle => break,
                }
            }
            assert_eq!((made, queue.counts().dropped), (attempts, 1));
        }
    }

    #[test]
    fn what_waited_for_too_long_behind_an_endpoint_that_was_down_is_not_sent() {
        let (mut queue, start) = (Queue::default(), Instant::now());
        push(&mut queue, 1, start);
        push(&mut queue, 2, start + MAX_AGE);
        assert_eq!(sent(&mut queue, start + MAX_AGE + SECOND), ("d2".into(), 1));
        assert_eq!(queue.counts().dropped, 1);
    }

    #[test]
    fn an_endpoint_that_is_down_is_not_tried_faster_for_the_next_event() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        push(&mut queue, 1, now);
        let mut at = now;
        for _ in 0..6 {
            sent(&mut queue, at);
            queue.failed(at, 1.0);
            at += MAX_DELAY;
        }
        sent(&mut queue, at);
        queue.succeeded();
        push(&mut queue, 2, at);
        sent(&mut queue, at);
        assert_eq!(queue.failed(at, 1.0), Verdict::Again { after: SECOND }, "a success starts anew");
        push(&mut queue, 3, at);
        assert_eq!(queue.next(at), Next::Wait(at + SECOND), "everything waits, not only what failed");
    }

    #[test]
    fn a_full_queue_loses_its_oldest_but_not_what_is_being_sent() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        push(&mut queue, 0, now);
        assert_eq!(sent(&mut queue, now).0, "d0");
        for number in 1..=MAX_WAITING {
            assert_eq!(push(&mut queue, number, now), Pushed::Queued);
        }
        assert_eq!(push(&mut queue, 1_001, now), Pushed::DroppedOldest { first: true });
        assert_eq!(push(&mut queue, 1_002, now), Pushed::DroppedOldest { first: false });
        assert_eq!((queue.len(), queue.counts().dropped), (MAX_WAITING + 1, 2));
        queue.succeeded();
        assert_eq!(sent(&mut queue, now).0, "d3");
    }
}
