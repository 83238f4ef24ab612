//! One direction of a path at work.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use crate::conditions::{Burst, Conditions, Error, Spike, enter, millis};
use crate::random::Random;

/// Bytes that wait for the slowest hop or travel, at most: four seconds of 8 Mbit/s, more than any call sends. It bounds the
/// memory of a path whose delay is long and whose rate is not limited.
const MAX_BYTES: usize = 4 << 20;

/// What becomes of packets for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discipline {
    /// They are lost, as UDP's are.
    Drop,
    /// The sender waits, as TCP does: it asks for [`Path::room`] and sends no more than that. A cut holds back what is
    /// on its way.
    Hold,
}

/// What has happened to the packets of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counters {
    /// Packets that were handed out, the second of two that are the same among them.
    pub passed: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Packets lost by chance, alone or in bursts.
    pub lost: u64,
    /// Packets lost because the queue was full.
    pub overflowed: u64,
    /// Packets lost while the path was cut.
    pub cut: u64,
    /// Packets that later ones could overtake.
    pub reordered: u64,
    /// Packets that came twice.
    pub duplicated: u64,
    /// By how much the latest packet was handed out after it was due, in milliseconds. It says how much the machine itself
    /// adds.
    pub late_ms: u64,
}

#[derive(Debug)]
struct Queued<P> {
    entered: Duration,
    bytes: usize,
    packet: P,
}

#[derive(Debug)]
struct Travelling<P> {
    /// When it arrives; what arrives at the same time keeps its order.
    due: Reverse<(Duration, u64)>,
    bytes: usize,
    packet: P,
}

impl<P> PartialEq for Travelling<P> {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl<P> Eq for Travelling<P> {}

impl<P> PartialOrd for Travelling<P> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> Ord for Travelling<P> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

/// Each kind of chance has a sequence of its own, so that a change of one leaves the others as they were: the same packets are
/// lost with and without jitter.
#[derive(Debug)]
struct Chances {
    loss: Random,
    burst: Random,
    jitter: Random,
    reorder: Random,
    duplicate: Random,
    spike: Random,
}

/// One direction of a path. Packets are put on it and taken from it at times that never go backward, counted from any
/// common start.
#[derive(Debug)]
pub struct Path<P> {
    discipline: Discipline,
    conditions: Conditions,
    chances: Chances,
    in_burst: bool,
    /// The current moment in which nothing moves, or the next.
    spike: Option<(Duration, Duration)>,
    /// Waits for the slowest hop.
    queue: VecDeque<Queued<P>>,
    queued_bytes: usize,
    /// When that hop has sent what it is sending.
    busy_until: Duration,
    travelling: BinaryHeap<Travelling<P>>,
    travelling_bytes: usize,
    /// When the last packet arrives that keeps its place.
    last_due: Duration,
    sequence: u64,
    counters: Counters,
}

impl<P: Clone> Path<P> {
    /// A path on which nothing is yet. Fails when the conditions are wrong, or not for such a path.
    pub fn new(discipline: Discipline, seed: u64, conditions: Conditions) -> Result<Self, Error> {
        check(discipline, &conditions)?;
        let random = |stream| Random::new(seed, stream);
        let mut path = Self {
            discipline,
            conditions: Conditions::default(),
            chances: Chances {
                loss: random(1),
                burst: random(2),
                jitter: random(3),
                reorder: random(4),
                duplicate: random(5),
                spike: random(6),
            },
            in_burst: false,
            spike: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            busy_until: Duration::ZERO,
            travelling: BinaryHeap::new(),
            travelling_bytes: 0,
            last_due: Duration::ZERO,
            sequence: 0,
            counters: Counters::default(),
        };
        path.change(Duration::ZERO, conditions)?;
        Ok(path)
    }

    /// Changes the conditions for whatever has not left the slowest hop by now. What is travelling arrives as it would have.
    pub fn change(&mut self, now: Duration, conditions: Conditions) -> Result<(), Error> {
        check(self.discipline, &conditions)?;
        self.advance(now);
        if conditions.spike != self.conditions.spike {
            self.spike = conditions.spike.map(|spike| next_spike(&mut self.chances.spike, now, spike));
        }
        self.in_burst &= conditions.burst.is_some();
        self.conditions = conditions;
        Ok(())
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes that may be put on the path now, if all of them are to arrive.
    pub fn room(&mut self, now: Duration) -> usize {
        self.advance(now);
        if self.conditions.cut {
            return 0;
        }
        let limit = self.conditions.queue_limit().unwrap_or(MAX_BYTES);
        let held = self.queued_bytes + self.travelling_bytes;
        limit.saturating_sub(self.queued_bytes).min(MAX_BYTES.saturating_sub(held))
    }

    /// Puts a packet on the path, or loses it. `bytes` is its size on the wire.
    pub fn send(&mut self, now: Duration, bytes: usize, packet: P) {
        self.advance(now);
        if self.discipline == Discipline::Drop {
            if self.conditions.cut {
                self.counters.cut += 1;
                return;
            }
            if self.is_lost() {
                self.counters.lost += 1;
                return;
            }
            if self.room(now) < bytes {
                self.counters.overflowed += 1;
                return;
            }
        }
        self.queued_bytes += bytes;
        self.queue.push_back(Queued { entered: now, bytes, packet });
        self.advance(now);
    }

    /// Takes the next packet that has arrived.
    pub fn receive(&mut self, now: Duration) -> Option<P> {
        self.advance(now);
        if self.is_held() || self.travelling.peek()?.due.0.0 > now {
            return None;
        }
        let Travelling { due: Reverse((due, _)), bytes, packet } = self.travelling.pop()?;
        self.travelling_bytes = self.travelling_bytes.saturating_sub(bytes);
        self.counters.passed += 1;
        self.counters.bytes += bytes as u64;
        self.counters.late_ms = self.counters.late_ms.max(now.saturating_sub(due).as_millis() as u64);
        Some(packet)
    }

    /// When there is something to receive, or to begin to send; `None` while the path is empty or holds everything back.
    pub fn next_due(&self) -> Option<Duration> {
        if self.is_held() {
            return None;
        }
        let arrives = self.travelling.peek().map(|travelling| travelling.due.0.0);
        let sent =
            self.queue.front().map(|queued| self.begins(queued) + self.conditions.transmission(queued.bytes));
        arrives.into_iter().chain(sent).min()
    }

    /// Whether nothing comes out, since a cut holds it.
    fn is_held(&self) -> bool {
        self.conditions.cut && self.discipline == Discipline::Hold
    }

    /// When the slowest hop can begin with a packet.
    fn begins(&self, queued: &Queued<P>) -> Duration {
        self.busy_until.max(queued.entered)
    }

    /// Lets the slowest hop send what it has sent by `now`.
    fn advance(&mut self, now: Duration) {
        if self.is_held() {
            // What was held begins afresh after the cut.
            self.busy_until = self.busy_until.max(now);
            return;
        }
        while let Some(front) = self.queue.front() {
            let sent = self.begins(front) + self.conditions.transmission(front.bytes);
            if sent > now {
                break;
            }
            let Some(Queued { bytes, packet, .. }) = self.queue.pop_front() else { break };
            self.queued_bytes = self.queued_bytes.saturating_sub(bytes);
            self.busy_until = sent;
            self.depart(sent, bytes, packet);
        }
    }

    /// A packet leaves the slowest hop and travels.
    fn depart(&mut self, sent: Duration, bytes: usize, packet: P) {
        if self.chances.duplicate.chance(self.conditions.duplicate) {
            self.counters.duplicated += 1;
            self.travel(sent, bytes, packet.clone());
        }
        self.travel(sent, bytes, packet);
    }

    fn travel(&mut self, sent: Duration, bytes: usize, packet: P) {
        let jitter = self.conditions.jitter_ms * (2.0 * self.chances.jitter.unit() - 1.0);
        let delay = millis(self.conditions.delay_ms + jitter);
        let in_order = self.after_spike(sent + delay).max(self.last_due);
        let due = if self.chances.reorder.chance(self.conditions.reorder) {
            self.counters.reordered += 1;
            in_order + millis(self.conditions.reorder_ms)
        } else {
            self.last_due = in_order;
            in_order
        };
        self.sequence += 1;
        self.travelling_bytes += bytes;
        self.travelling.push(Travelling { due: Reverse((due, self.sequence)), bytes, packet });
    }

    /// The time itself, or the end of the moment in which nothing moves that it falls into.
    fn after_spike(&mut self, at: Duration) -> Duration {
        let Some(conditions) = self.conditions.spike else { return at };
        while let Some((from, to)) = self.spike {
            if at < from {
                return at;
            }
            if at < to {
                return to;
            }
            self.spike = Some(next_spike(&mut self.chances.spike, to, conditions));
        }
        at
    }

    fn is_lost(&mut self) -> bool {
        let alone = self.chances.loss.chance(self.conditions.loss);
        let Some(Burst { share, length }) = self.conditions.burst else { return alone };
        let turn = if self.in_burst { 1.0 / length } else { enter(share, length) };
        self.in_burst ^= self.chances.burst.chance(turn);
        alone || self.in_burst
    }
}

fn check(discipline: Discipline, conditions: &Conditions) -> Result<(), Error> {
    match discipline {
        Discipline::Drop => conditions.check(),
        Discipline::Hold => conditions.check_reliable(),
    }
}

/// The first moment of standstill after `from`.
fn next_spike(random: &mut Random, from: Duration, spike: Spike) -> (Duration, Duration) {
    // Spikes without a pause between them would never let time go on.
    let begin = from + random.wait(millis(spike.every_ms)).max(Duration::from_millis(1));
    (begin, begin + millis(spike.ms))
}

#[cfg(test)]
mod tests;
