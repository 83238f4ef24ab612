//! Order and loss of one received RTP track.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::frame::RtpPacket;

/// How long a gap in video is kept open: a NACK, its retransmission at 100 ms round trip, and one repetition.
pub const VIDEO_MAX_WAIT: Duration = Duration::from_millis(200);

/// How long a gap in audio is kept open: three packets of 20 ms, which players conceal well.
pub const AUDIO_MAX_WAIT: Duration = Duration::from_millis(60);

/// The most packets behind a gap: 200 ms of video at 40 Mbit/s.
const MAX_PACKETS: usize = 1024;

/// The most payload bytes behind a gap.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The largest step of sequence numbers that is taken for loss. Beyond it the sender has started anew. RTP's own
/// recommendation is 3000 (RFC 3550 appendix A.1).
const MAX_STEP: u64 = 3000;

/// The gaps given up that are remembered, to tell late packets from duplicates.
const MAX_REMEMBERED_GAPS: usize = 32;

/// What comes out, in order.
#[derive(Clone, Debug)]
pub enum Item<const HZ: u32> {
    /// The next packet.
    Packet(RtpPacket<HZ>),
    /// Packets that did not come in time.
    Lost {
        /// The sequence number of the first.
        first: u64,
        /// How many, at least one.
        count: u64,
    },
    /// The sequence numbers begin anew with the next packet: what was lost is not known.
    Restart,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets given up.
    pub lost: u64,
    /// Packets that came after they were given up.
    pub late: u64,
    /// Packets that came more than once.
    pub duplicate: u64,
    /// Packets dropped because too many waited.
    pub overflowed: u64,
    /// Jumps of the sequence number.
    pub restarts: u64,
}

/// Puts packets in order and decides when a missing one is lost.
///
/// Without loss it adds no delay: a packet that is next in order comes out at once. At a gap it waits, counted from
/// the first packet that showed the gap, and no longer than that. After every [`push`](Self::push), and whenever
/// [`poll_timeout`](Self::poll_timeout) has passed, [`poll`](Self::poll) until it returns `None`.
#[derive(Debug)]
pub struct JitterBuffer<const HZ: u32> {
    max_wait: Duration,
    /// The sequence number that is to come out next.
    next: Option<u64>,
    waiting: BTreeMap<u64, Waiting<HZ>>,
    bytes: usize,
    /// When the gap before `waiting` is given up; only set while there is one.
    deadline: Option<Instant>,
    restarted: bool,
    given_up: VecDeque<(u64, u64)>,
    counters: Counters,
}

#[derive(Debug)]
struct Waiting<const HZ: u32> {
    since: Instant,
    packet: RtpPacket<HZ>,
}

impl<const HZ: u32> JitterBuffer<HZ> {
    /// A buffer that keeps a gap open for `max_wait`.
    #[must_use]
    pub fn new(max_wait: Duration) -> Self {
        Self {
            max_wait,
            next: None,
            waiting: BTreeMap::new(),
            bytes: 0,
            deadline: None,
            restarted: false,
            given_up: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes a packet that arrived at `now`.
    pub fn push(&mut self, now: Instant, packet: RtpPacket<HZ>) {
        let next = *self.next.get_or_insert(packet.seq);
        if packet.seq.abs_diff(next) > MAX_STEP {
            self.restart(packet.seq);
        } else if packet.seq < next {
            let given_up = self.given_up.iter().any(|&(first, end)| (first..end).contains(&packet.seq));
            *(if given_up { &mut self.counters.late } else { &mut self.counters.duplicate }) += 1;
            return;
        }
        if self.waiting.contains_key(&packet.seq) {
            self.counters.duplicate += 1;
            return;
        }
        // The gap itself must still find room, or it could never be closed.
        if self.is_full() && self.next != Some(packet.seq) {
            self.counters.overflowed += 1;
            return;
        }
        self.bytes += packet.payload.len();
        self.waiting.insert(packet.seq, Waiting { since: now, packet });
        self.watch_gap();
    }

    /// The next item, if there is one at `now`.
    pub fn poll(&mut self, now: Instant) -> Option<Item<HZ>> {
        if std::mem::take(&mut self.restarted) {
            return Some(Item::Restart);
        }
        let next = self.next?;
        let (&first_waiting, _) = self.waiting.first_key_value()?;
        if first_waiting > next {
            let expired = self.deadline.is_some_and(|deadline| now >= deadline);
            return (expired || self.is_full()).then(|| self.give_up(next, first_waiting));
        }
        let (_, Waiting { packet, .. }) = self.waiting.pop_first()?;
        self.bytes -= packet.payload.len();
        self.next = Some(next.saturating_add(1));
        self.watch_gap();
        Some(Item::Packet(packet))
    }

    /// When [`poll`](Self::poll) has something to say even if no packet comes.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_PACKETS || self.bytes >= MAX_BYTES
    }

    fn give_up(&mut self, first: u64, end: u64) -> Item<HZ> {
        self.counters.lost += end - first;
        if self.given_up.len() == MAX_REMEMBERED_GAPS {
            self.given_up.pop_front();
        }
        self.given_up.push_back((first, end));
        self.next = Some(end);
        self.deadline = None;
        Item::Lost { first, count: end - first }
    }

    /// Begins anew at `seq`. What waits belongs to the old numbers and has a gap before it.
    fn restart(&mut self, seq: u64) {
        self.counters.restarts += 1;
        self.counters.overflowed += self.waiting.len() as u64;
        self.waiting.clear();
        self.bytes = 0;
        self.given_up.clear();
        self.deadline = None;
        self.restarted = true;
        self.next = Some(seq);
    }

    /// Sets the deadline when a gap appears and clears it when it is closed.
    ///
    /// Every waiting packet lies behind the first gap, so the one that came first has shown it.
    fn watch_gap(&mut self) {
        let gap = match (self.next, self.waiting.first_key_value()) {
            (Some(next), Some((&first, _))) => first > next,
            _ => false,
        };
        if !gap {
            self.deadline = None;
        } else if self.deadline.is_none() {
            let shown = self.waiting.values().map(|waiting| waiting.since).min();
            self.deadline = shown.and_then(|shown| shown.checked_add(self.max_wait));
        }
    }
}
