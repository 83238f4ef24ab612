//! Order and loss of one received RTP track.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::{Duration, Instant};

use super::lateness::{CLASS, Lateness};
use crate::frame::RtpPacket;

/// How long a gap is kept open: as long as missing packets have been seen to take, within bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waits {
    /// The shortest wait, also where missing packets hardly ever come.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
    /// The wait before anything is known of the path.
    pub first: Duration,
    /// The share of missing packets, of those that come at all, to wait for.
    pub share: f32,
    /// To wait at least so many times as long as half of them take: what is sent again may be lost again, more often than
    /// was seen yet.
    pub repairs: u32,
    /// After so many such times a gap is [doubtful](Item::Doubtful). None where nothing stands in for what is missing.
    pub doubted_after: Option<u32>,
}

impl Waits {
    /// Video. A picture that is not repaired freezes all until the next keyframe, so waiting is worth nearly everything
    /// that still comes.
    pub const VIDEO: Self = Self {
        // Packets overtake each other within one turn of a sender's pacer or of a radio's scheduler.
        least: Duration::from_millis(40),
        // A second retransmission at a round trip of 300 ms. Asking for a keyframe takes no longer from there on.
        most: Duration::from_millis(700),
        // A NACK, its retransmission at a round trip of 100 ms, and one repetition.
        first: Duration::from_millis(200),
        // At 5 % loss five packets a second are waited for, and each that is given up costs half a second.
        share: 0.998,
        // At 5 % loss both ways every tenth try fails.
        repairs: 4,
        // A keyframe is then on its way when the last try fails.
        doubted_after: Some(3),
    };

    /// Sound. What comes out is heard in order whenever it comes, by players with buffers of their own.
    pub const AUDIO: Self = Self {
        // One packet: what is sent twice, or overtaken, comes within it.
        least: Duration::from_millis(20),
        // Players with the shortest buffers in use hold about as much.
        most: Duration::from_millis(250),
        // A NACK that the next packet causes, and its retransmission at a round trip of 80 ms.
        first: Duration::from_millis(100),
        share: 0.99,
        // Concealment is better than a long wait.
        repairs: 1,
        doubted_after: None,
    };
}

/// Added to what was measured: timers are late by this much, and classes are as wide.
const HEADROOM: Duration = CLASS;

/// The memory of a wait, in packets that were missing and came: a quarter of a minute at 5 % loss of a call's video.
const MEMORY: f32 = 200.0;

/// What the first wait counts for, in such packets.
const FIRST_WEIGHT: f32 = 4.0;

/// How many missing packets have to come before it is known how long half of them take.
const KNOWN: u32 = 4;

/// The share of missing packets that have to come for waiting to be worth its delay. Without retransmission, all that
/// comes late was overtaken.
const WORTH_WAITING: f32 = 0.125;

/// How much of that share one packet moves: some thirty packets outvote what was.
const SHARE_STEP: f32 = 0.05;

/// The memory of what share of the packets is missing at first, in packets: some twenty seconds of a call's video.
const MISSING_MEMORY: f32 = 1_000.0;

/// What happens to fewer than one of so many packets is not prepared for: as seldom as it is remembered.
const RARE: f32 = 1_000.0;

/// The share of missing packets that one try is enough for, however long it takes, at any loss that a call bears.
const ONE_TRY: f32 = 0.75;

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
    /// The next packet is waited for so long already that it may not come at all: it is as well to ask for something that does
    /// without it. Said once for each gap, which is kept open all the same.
    Doubtful,
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
/// the first packet that showed the gap, as long as missing packets have lately taken to come: those that were overtaken,
/// those that were sent again, and those that came after they had been given up ([`Waits`] has the bounds). After every
/// [`push`](Self::push), and whenever [`poll_timeout`](Self::poll_timeout) has passed, [`poll`](Self::poll) until it
/// returns `None`.
#[derive(Debug)]
pub struct JitterBuffer<const HZ: u32> {
    waits: Waits,
    lateness: Lateness,
    /// The share of missing packets that came after all.
    repaired: f32,
    /// How many have come, up to [`KNOWN`].
    seen: u32,
    /// The share of packets that are missing for longer than those that were overtaken.
    missing: f32,
    /// The sequence number that is to come out next.
    next: Option<u64>,
    waiting: BTreeMap<u64, Waiting<HZ>>,
    bytes: usize,
    /// The gap before `waiting`; only while there is one.
    gap: Option<Gap>,
    restarted: bool,
    given_up: VecDeque<GivenUp>,
    counters: Counters,
}

#[derive(Clone, Copy, Debug)]
struct Gap {
    /// When a packet behind it came.
    shown: Instant,
    /// When it becomes doubtful, unless that has been said.
    doubted: Option<Instant>,
    /// When it is given up.
    deadline: Instant,
}

/// Packets that were not waited for any longer, and when they were found missing.
#[derive(Clone, Debug)]
struct GivenUp {
    seqs: Range<u64>,
    shown: Instant,
}

#[derive(Debug)]
struct Waiting<const HZ: u32> {
    since: Instant,
    packet: RtpPacket<HZ>,
}

impl<const HZ: u32> JitterBuffer<HZ> {
    /// A buffer that keeps gaps open within these bounds.
    #[must_use]
    pub fn new(waits: Waits) -> Self {
        let first = waits.first.saturating_sub(HEADROOM + CLASS);
        Self {
            waits,
            lateness: Lateness::new(MEMORY, first, FIRST_WEIGHT),
            repaired: 1.0,
            seen: 0,
            missing: 0.0,
            next: None,
            waiting: BTreeMap::new(),
            bytes: 0,
            gap: None,
            restarted: false,
            given_up: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// How long a gap that shows now is kept open.
    #[must_use]
    pub fn wait(&self) -> Duration {
        if self.repaired < WORTH_WAITING {
            return self.waits.least;
        }
        let repairs = if self.seen < KNOWN { 0 } else { self.waits.repairs };
        let tries = self.lateness.quantile(0.5) * repairs;
        (self.lateness.quantile(self.waits.share).max(tries) + HEADROOM)
            .clamp(self.waits.least, self.waits.most)
    }

    /// How long packets will be missing now and then, by what share of them is: what is sent again is lost as often. Zero where
    /// hardly any are, or nothing is sent again.
    ///
    /// It is known long before such a packet has been seen: at 5 % loss one in four hundred needs two tries.
    #[must_use]
    pub fn expected(&self) -> Duration {
        if self.seen < KNOWN || self.repaired < WORTH_WAITING {
            return Duration::ZERO;
        }
        let mut tries = 0;
        let mut still_missing = self.missing * RARE;
        while still_missing >= 1.0 && tries < self.waits.repairs {
            tries += 1;
            still_missing *= self.missing;
        }
        if tries == 0 { Duration::ZERO } else { self.lateness.quantile(ONE_TRY) * tries + HEADROOM }
    }

    /// After how long a gap that shows now becomes doubtful, where that is before it is given up after `wait`.
    fn doubted(&self, wait: Duration) -> Option<Duration> {
        let tries = self.waits.doubted_after.filter(|_| self.seen >= KNOWN)?;
        let doubted = (self.lateness.quantile(0.5) * tries + HEADROOM).max(self.waits.least);
        Some(doubted).filter(|doubted| *doubted < wait)
    }

    /// Takes a packet that arrived at `now`.
    pub fn push(&mut self, now: Instant, packet: RtpPacket<HZ>) {
        let next = *self.next.get_or_insert(packet.seq);
        if packet.seq.abs_diff(next) > MAX_STEP {
            self.restart(packet.seq);
        } else if packet.seq < next {
            self.push_late(now, packet.seq);
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
        let was_missing = self.gap.is_some() && self.learn_from(now, packet.seq);
        self.learn_missing(was_missing);
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
            let expired = self.gap.is_some_and(|gap| now >= gap.deadline);
            if expired || self.is_full() {
                return Some(self.give_up(next, first_waiting));
            }
            let doubted = self.gap.as_mut().and_then(|gap| gap.doubted.take_if(|at| *at <= now));
            return doubted.map(|_| Item::Doubtful);
        }
        let (_, Waiting { packet, .. }) = self.waiting.pop_first()?;
        self.bytes -= packet.payload.len();
        self.next = Some(next.saturating_add(1));
        self.watch_gap();
        Some(Item::Packet(packet))
    }

    /// When [`poll`](Self::poll) has something to say even if no packet comes.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.gap.map(|gap| gap.doubted.unwrap_or(gap.deadline))
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_PACKETS || self.bytes >= MAX_BYTES
    }

    /// A packet from before the present place: given up too early, or a duplicate.
    fn push_late(&mut self, now: Instant, seq: u64) {
        let Some(gap) = self.given_up.iter().find(|gap| gap.seqs.contains(&seq)) else {
            self.counters.duplicate += 1;
            return;
        };
        let late = now.saturating_duration_since(gap.shown);
        self.counters.late += 1;
        self.learn(late);
        // It was counted as not worth waiting for when it was given up.
        self.learn_share(1.0);
    }

    /// Learns from a packet that came after others behind it. Returns whether it was missing, and not only overtaken.
    fn learn_from(&mut self, now: Instant, seq: u64) -> bool {
        let behind = self.waiting.range(seq..).map(|(_, waiting)| waiting.since).min();
        let Some(shown) = behind else { return false };
        let late = now.saturating_duration_since(shown);
        self.learn(late);
        self.learn_share(1.0);
        late > self.waits.least
    }

    fn learn(&mut self, late: Duration) {
        self.lateness.observe(late);
        self.seen = (self.seen + 1).min(KNOWN);
    }

    fn learn_missing(&mut self, missing: bool) {
        self.missing += (f32::from(u8::from(missing)) - self.missing) / MISSING_MEMORY;
    }

    fn learn_share(&mut self, came: f32) {
        self.repaired += (came - self.repaired) * SHARE_STEP;
    }

    fn give_up(&mut self, first: u64, end: u64) -> Item<HZ> {
        let count = end - first;
        self.counters.lost += count;
        // One burst is one piece of evidence: a path that was gone for a second says nothing about repair.
        self.learn_share(0.0);
        self.learn_missing(true);
        if self.given_up.len() == MAX_REMEMBERED_GAPS {
            self.given_up.pop_front();
        }
        if let Some(shown) = self.gap.take().map(|gap| gap.shown) {
            self.given_up.push_back(GivenUp { seqs: first..end, shown });
        }
        self.next = Some(end);
        Item::Lost { first, count }
    }

    /// Begins anew at `seq`. What waits belongs to the old numbers and has a gap before it.
    fn restart(&mut self, seq: u64) {
        self.counters.restarts += 1;
        self.counters.overflowed += self.waiting.len() as u64;
        self.waiting.clear();
        self.bytes = 0;
        self.given_up.clear();
        self.gap = None;
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
            self.gap = None;
        } else if self.gap.is_none() {
            let shown = self.waiting.values().map(|waiting| waiting.since).min();
            self.gap = shown.and_then(|shown| {
                let wait = self.wait();
                let deadline = shown.checked_add(wait)?;
                let doubted = self.doubted(wait).and_then(|after| shown.checked_add(after));
                Some(Gap { shown, doubted, deadline })
            });
        }
    }
}
