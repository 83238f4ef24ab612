//! One continuous RTP stream for a viewer out of changing sources.

use crate::time::Ticks;

/// The largest step of source sequence numbers that is shown to the viewer as it is. A receiver asks for every missing
/// packet and resets itself at about 3000 (RFC 3550 appendix A.1), so a larger step is shown as a gap of one.
const MAX_STEP: u64 = 1000;

/// Gives outgoing sequence numbers and timestamps that never jump, while sources come and go.
///
/// A *run* is a stretch of packets from one source. Within a run numbers keep their distances, so that a packet that
/// is retransmitted late falls into its gap. Between runs the numbers go on at the highest, and time goes forward.
#[derive(Clone, Debug)]
pub struct Rewriter<const HZ: u32> {
    next_seq: u64,
    last_time: Option<Ticks<HZ>>,
    first_time: Ticks<HZ>,
    run: Option<Run<HZ>>,
}

#[derive(Clone, Copy, Debug)]
struct Run<const HZ: u32> {
    /// The first source number of the run, and what it became.
    source_seq: u64,
    seq: u64,
    highest_source_seq: u64,
    source_time: Ticks<HZ>,
    time: Ticks<HZ>,
}

impl<const HZ: u32> Rewriter<HZ> {
    /// A stream whose first packet has the number `first_seq` and the time `first_time`. RFC 3550 section 5.1 wants
    /// both random; the wire carries their low bits.
    #[must_use]
    pub const fn new(first_seq: u64, first_time: Ticks<HZ>) -> Self {
        Self { next_seq: first_seq, last_time: None, first_time, run: None }
    }

    /// Begins a run: its packet `source_seq` follows the last outgoing packet without a gap in numbers, at a distance
    /// of `gap` (at least one tick) in time.
    pub fn start_run(&mut self, source_seq: u64, source_time: Ticks<HZ>, gap: Ticks<HZ>) {
        let time = self.time_after(gap.max(Ticks::new(1)));
        self.run =
            Some(Run { source_seq, seq: self.next_seq, highest_source_seq: source_seq, source_time, time });
    }

    /// The outgoing number and time of a packet of the run; `None` for packets from before the run, or without one.
    pub fn map(&mut self, source_seq: u64, source_time: Ticks<HZ>) -> Option<(u64, Ticks<HZ>)> {
        let run = self.run.as_mut()?;
        if source_seq.saturating_sub(run.highest_source_seq) > MAX_STEP {
            run.source_seq = source_seq;
            run.seq = self.next_seq.saturating_add(1);
        }
        run.highest_source_seq = run.highest_source_seq.max(source_seq);
        let seq = run.seq.saturating_add(source_seq.checked_sub(run.source_seq)?);
        let time = run.time + (source_time - run.source_time);
        Some(self.sent(seq, time))
    }

    /// The number and time of a packet that has no source numbers (a replay), `time_step` after the latest outgoing
    /// time: zero within a picture. Ends the run, whose numbers it would take.
    pub fn fresh(&mut self, time_step: Ticks<HZ>) -> (u64, Ticks<HZ>) {
        self.run = None;
        let time = self.time_after(time_step);
        self.sent(self.next_seq, time)
    }

    /// The latest outgoing time.
    #[must_use]
    pub const fn last_time(&self) -> Option<Ticks<HZ>> {
        self.last_time
    }

    fn time_after(&self, step: Ticks<HZ>) -> Ticks<HZ> {
        self.last_time.map_or(self.first_time, |last| last + step)
    }

    fn sent(&mut self, seq: u64, time: Ticks<HZ>) -> (u64, Ticks<HZ>) {
        self.next_seq = self.next_seq.max(seq.saturating_add(1));
        self.last_time = Some(self.last_time.map_or(time, |last| last.max(time)));
        (seq, time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::VideoTicks;

    const FRAME: i64 = 3_000;

    fn at(ticks: i64) -> VideoTicks {
        VideoTicks::new(ticks)
    }

    #[test]
    fn a_thousand_runs_of_any_source_make_one_continuous_stream() {
        let mut rewriter = Rewriter::<90_000>::new(60_000, at(4_000_000_000));
        let mut expected_seq = 60_000;
        let mut last_time = at(4_000_000_000 - 1);
        // A linear congruential generator: the sources begin anywhere.
        let mut random = 1_u64;
        for _ in 0..1000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (source_seq, source_time) = (random >> 20, at((random >> 30).cast_signed()));
            let gap = at((random >> 50).cast_signed() - 100);
            rewriter.start_run(source_seq, source_time, gap);
            for n in 0..random >> 60 {
                let time = source_time + at(n.cast_signed() * FRAME);
                let (seq, out) = rewriter.map(source_seq + n, time).unwrap();
                assert_eq!(seq, expected_seq);
                assert!(
                    out > last_time && out - last_time <= at(FRAME + (1 << 14)),
                    "{out:?} after {last_time:?}"
                );
                (expected_seq, last_time) = (seq + 1, out);
            }
        }
    }

    #[test]
    fn a_retransmitted_packet_falls_into_its_gap() {
        let mut rewriter = Rewriter::<90_000>::new(10, at(0));
        rewriter.start_run(500, at(0), at(1));
        assert_eq!(rewriter.map(500, at(0)), Some((10, at(0))));
        assert_eq!(rewriter.map(502, at(6_000)), Some((12, at(6_000))));
        assert_eq!(rewriter.map(501, at(3_000)), Some((11, at(3_000))));
        rewriter.start_run(7, at(0), at(FRAME));
        assert_eq!(
            rewriter.map(7, at(0)),
            Some((13, at(9_000))),
            "it goes on at the highest number and time"
        );
    }

    #[test]
    fn packets_from_before_the_run_are_not_mapped() {
        let mut rewriter = Rewriter::<48_000>::new(0, Ticks::ZERO);
        assert_eq!(rewriter.map(0, Ticks::ZERO), None);
        rewriter.start_run(100, Ticks::ZERO, Ticks::ZERO);
        assert_eq!(rewriter.map(99, Ticks::new(-960)), None);
        assert!(rewriter.map(100, Ticks::ZERO).is_some());
    }

    #[test]
    fn replayed_packets_are_numbered_one_by_one_and_live_goes_on_behind_them() {
        let mut rewriter = Rewriter::<90_000>::new(1, at(500));
        assert_eq!(rewriter.fresh(at(90)), (1, at(500)));
        assert_eq!(rewriter.fresh(at(0)), (2, at(500)));
        assert_eq!(rewriter.fresh(at(90)), (3, at(590)));
        rewriter.start_run(40, at(1_000_000), at(90));
        assert_eq!(rewriter.map(40, at(1_000_000)), Some((4, at(680))));
        assert_eq!(rewriter.fresh(at(1)), (5, at(681)));
        assert_eq!(rewriter.map(41, at(1_003_000)), None, "the replay has taken the numbers of the run");
    }

    #[test]
    fn a_jump_of_the_source_numbers_is_shown_as_a_gap_of_one() {
        let mut rewriter = Rewriter::<90_000>::new(0, at(0));
        rewriter.start_run(0, at(0), at(1));
        rewriter.map(0, at(0)).unwrap();
        assert_eq!(rewriter.map(1_000_000, at(FRAME)), Some((2, at(FRAME))));
        assert_eq!(rewriter.map(1_000_001, at(2 * FRAME)), Some((3, at(2 * FRAME))));
        assert_eq!(rewriter.map(1, at(FRAME)), None);
        assert!(rewriter.map(u64::MAX, at(i64::MAX)).is_some());
    }
}
