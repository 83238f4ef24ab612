//! What has been handed to the kernel and not been acknowledged by the player's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Writes that are told apart while they are on their way. The governor stops writing long before so many are; what is
/// beyond counts as part of the newest.
const MAX_MARKS: usize = 256;

/// Writes within this time are one: a lag is not wanted to the millisecond.
const MARK_SPAN: Duration = Duration::from_millis(10);

/// A rate is not taken over less: acknowledgements come in clumps, 40 ms apart where they are delayed.
const SAMPLE_SPAN: Duration = Duration::from_millis(100);

/// Nothing acknowledged for so long is a path that stands still, which says nothing of what it carries when it moves.
const STANDSTILL: Duration = Duration::from_millis(500);

/// The weight of a sample: one over this span counts as much as all before it.
const RATE_MEMORY: Duration = Duration::from_millis(400);

/// By how much the path is believed to recover in a second in which nothing can be measured, because nothing waits.
const HOPE: f64 = 0.1;

/// What is left of [`HOPE`] after it has been disappointed often enough: half as much again in 20 s.
const LEAST_HOPE: f64 = 0.02;

/// A pause of this length or less at the end of a measurement is not seen: the kernel is not asked more often.
const PROBE_SPAN: Duration = Duration::from_millis(20);

/// What the kernel knows of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Bytes that the other end has acknowledged, since the connection was opened.
    pub acked: u64,
    /// The shortest round trip that was seen.
    pub min_rtt: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The position of its last byte.
    end: u64,
    /// When the oldest of it reached the server.
    arrived: Instant,
    written: Instant,
}

/// The writes on their way, by position in the connection's bytes.
#[derive(Debug)]
pub(super) struct Flight {
    marks: VecDeque<Mark>,
    acked: u64,
    min_rtt: Duration,
    probed: Option<Instant>,
    /// Since when the path has had more than it takes, and what was acknowledged by then.
    busy: Option<(Instant, u64)>,
    /// Bytes per second, and when they were last measured.
    rate: Option<(f64, Instant)>,
    hope: f64,
    /// Set where the kernel does not tell.
    blind: bool,
}

impl Default for Flight {
    fn default() -> Self {
        Self {
            marks: VecDeque::new(),
            acked: 0,
            min_rtt: Duration::ZERO,
            probed: None,
            busy: None,
            rate: None,
            hope: HOPE,
            blind: false,
        }
    }
}

impl Flight {
    /// All bytes up to `end` have been handed to the kernel at `now`, the last of them carrying what arrived at `arrived`.
    pub(super) fn wrote(&mut self, end: u64, arrived: Instant, now: Instant) {
        if self.blind || end <= self.acked {
            return;
        }
        let full = self.marks.len() >= MAX_MARKS;
        match self.marks.back_mut() {
            Some(last) if full || now.saturating_duration_since(last.written) < MARK_SPAN => {
                last.end = last.end.max(end);
            }
            _ => self.marks.push_back(Mark { end, arrived, written: now }),
        }
    }

    /// Takes what the kernel says.
    pub(super) fn probed(&mut self, now: Instant, probe: Probe) {
        self.acked = self.acked.max(probe.acked);
        self.min_rtt = probe.min_rtt;
        self.probed = Some(now);
        while self.marks.front().is_some_and(|mark| mark.end <= self.acked) {
            self.marks.pop_front();
        }
    }

    /// Measures what the path carries, after the kernel was asked. `is_busy` says that more would have been written if the
    /// path had taken it.
    pub(super) fn measure(&mut self, now: Instant, is_busy: bool) {
        let Some((since, acked)) = self.busy else {
            self.busy = is_busy.then_some((now, self.acked));
            return;
        };
        let span = now.saturating_duration_since(since);
        let bytes = self.acked.saturating_sub(acked);
        if !is_busy {
            self.busy = None;
            let at_least = bytes as f64 / span.max(PROBE_SPAN).as_secs_f64();
            if span < STANDSTILL && self.rate(now).is_some_and(|rate| rate < at_least) {
                self.rate = Some((at_least, now));
            }
        } else if bytes == 0 {
            // Gone on with until something moves: then the pause is part of no sample.
            if span >= STANDSTILL {
                self.rate = None;
            }
        } else if span >= SAMPLE_SPAN {
            self.busy = Some((now, self.acked));
            if span < STANDSTILL {
                self.take_sample(bytes as f64 / span.as_secs_f64(), span, now);
            } else {
                // Nobody asked meanwhile, as nothing could be written: it stood still for the most part.
                self.rate = None;
            }
        }
    }

    fn take_sample(&mut self, sample: f64, span: Duration, now: Instant) {
        let rate = self.rate.map_or(sample, |(rate, _)| {
            let weight = span.as_secs_f64() / (span + RATE_MEMORY).as_secs_f64();
            rate + (sample - rate) * weight
        });
        self.rate = Some((rate, now));
    }

    /// What was expected to get through in time has not.
    pub(super) fn be_disappointed(&mut self) {
        self.hope = (self.hope / 2.0).max(LEAST_HOPE);
    }

    /// The path carries everything.
    pub(super) fn be_hopeful(&mut self) {
        (self.hope, self.rate) = (HOPE, None);
    }

    /// The kernel does not tell: nothing is known of what it has.
    pub(super) fn go_blind(&mut self) {
        self.marks.clear();
        self.blind = true;
    }

    /// Whether the kernel tells.
    pub(super) fn sees(&self) -> bool {
        !self.blind
    }

    /// When the kernel was last asked.
    pub(super) fn last_probe(&self) -> Option<Instant> {
        self.probed
    }

    /// When the oldest of what has not been received reached the server.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.marks.front().map(|mark| mark.arrived)
    }

    /// How long the oldest bytes have been on their way, beyond what they need at least: so long will those take that
    /// are written now.
    pub(super) fn delay(&self, now: Instant) -> Duration {
        self.marks.front().map_or(Duration::ZERO, |mark| {
            now.saturating_duration_since(mark.written).saturating_sub(self.min_rtt)
        })
    }

    /// The shortest round trip.
    pub(super) fn min_rtt(&self) -> Duration {
        self.min_rtt
    }

    /// Bytes per second that the path has carried while it was busy, and a little more for each second since then;
    /// `None` while that is not known.
    pub(super) fn rate(&self, now: Instant) -> Option<f64> {
        let (rate, at) = self.rate?;
        let seconds = now.saturating_duration_since(at).as_secs_f64();
        Some(rate * (seconds * self.hope).exp())
    }

    /// How long `bytes` more would take to get through; `None` while the rate is not known.
    pub(super) fn time_for(&self, bytes: usize, now: Instant) -> Option<Duration> {
        let rate = self.rate(now)?;
        let ahead = self.marks.back().map_or(0, |mark| mark.end.saturating_sub(self.acked));
        let seconds = (ahead as f64 + bytes as f64) / rate.max(1.0);
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    fn probe(acked: u64, rtt: u64) -> Probe {
        Probe { acked, min_rtt: Duration::from_millis(rtt) }
    }

    impl Flight {
        fn asked(&mut self, now: Instant, acked: u64, is_busy: bool) {
            self.probed(now, probe(acked, 0));
            self.measure(now, is_busy);
        }
    }

    #[test]
    fn what_is_acknowledged_is_no_longer_on_its_way() {
        let start = Instant::now();
        let mut flight = Flight::default();
        flight.wrote(1_000, start, at(start, 5));
        flight.wrote(2_000, at(start, 40), at(start, 45));
        flight.probed(at(start, 60), probe(999, 10));
        assert_eq!(flight.oldest(), Some(start));
        assert_eq!(flight.delay(at(start, 60)), Duration::from_millis(45), "less the round trip");
        flight.probed(at(start, 80), probe(1_000, 10));
        assert_eq!(flight.oldest(), Some(at(start, 40)));
        flight.probed(at(start, 90), probe(2_000, 10));
        assert_eq!(flight.oldest(), None);
        assert_eq!(flight.delay(at(start, 500)), Duration::ZERO);
    }

    #[test]
    fn a_rate_is_measured_while_the_path_is_busy_and_believed_to_rise_until_it_is_measured_again() {
        let start = Instant::now();
        let mut flight = Flight::default();
        flight.wrote(1_000_000, start, start);
        for millis in (0..=1_000).step_by(20) {
            flight.asked(at(start, millis), millis * 80, true);
        }
        let rate = flight.rate(at(start, 1_000)).unwrap();
        assert!((rate - 80_000.0).abs() < 1.0, "{rate}");
        let hoped = flight.rate(at(start, 11_000)).unwrap();
        assert!((200_000.0..220_000.0).contains(&hoped), "{hoped}");
        flight.be_disappointed();
        assert!(flight.rate(at(start, 11_000)).unwrap() < 140_000.0);
        flight.be_hopeful();
        assert_eq!(flight.rate(at(start, 11_000)), None);
    }

    #[test]
    fn a_path_that_stands_still_leaves_no_rate_behind() {
        let start = Instant::now();
        let mut flight = Flight::default();
        flight.wrote(1_000_000, start, start);
        for millis in (0..=400).step_by(20) {
            flight.asked(at(start, millis), millis * 80, true);
        }
        for millis in (420..5_000).step_by(20) {
            flight.asked(at(start, millis), 32_000, true);
        }
        assert_eq!(flight.rate(at(start, 5_000)), None);
        flight.asked(at(start, 5_000), 90_000, true);
        assert_eq!(flight.rate(at(start, 5_000)), None, "the pause is no sample");
    }

    #[test]
    fn a_path_that_stood_still_while_nobody_asked_leaves_no_rate_behind_either() {
        let start = Instant::now();
        let mut flight = Flight::default();
        flight.wrote(1_000_000, start, start);
        for millis in (0..=400).step_by(20) {
            flight.asked(at(start, millis), millis * 10, true);
        }
        assert!(flight.rate(at(start, 400)).is_some());
        flight.asked(at(start, 5_400), 20_000, true);
        assert_eq!(flight.rate(at(start, 5_400)), None);
    }

    #[test]
    fn a_path_that_gets_rid_of_what_waited_is_known_to_be_faster() {
        let start = Instant::now();
        let mut flight = Flight::default();
        flight.wrote(1_000_000, start, start);
        for millis in (0..=400).step_by(20) {
            flight.asked(at(start, millis), millis * 5, true);
        }
        flight.asked(at(start, 420), 42_000, false);
        assert!(flight.rate(at(start, 420)).unwrap() > 300_000.0);
    }

    #[test]
    fn the_number_of_marks_is_bounded() {
        let start = Instant::now();
        let mut flight = Flight::default();
        for write in 1..10_000_u64 {
            flight.wrote(write, start, at(start, write * 20));
        }
        assert_eq!(flight.marks.len(), MAX_MARKS);
        flight.asked(start, 9_998, true);
        assert_eq!(flight.marks.len(), 1, "the last mark carries what was beyond");
    }
}
