//! What a path carries, by what its receiver estimates and by what the sender sees of it.
//!
//! Receivers reckon with what comes to them. After a still picture, or one that was thinned, an estimate is low whatever
//! the path, and jitter makes others low for a moment: thinning by them would make the next ones lower still. So a path is
//! taken for a narrow one only where it shows that it has too much, by a round trip that grows with its queue; where the estimate
//! falls at once to about half of what gets through; or where so much is lost that it must be tried whether less is lost of less.
//! The limit is then no lower than what gets through explains, and from there on the sender feels its way up, and estimates
//! only help it.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::loss::{LITTLE, Loss, MOST, Verdict};

/// The least rate in bit/s: sound and a still now and then. Of less there are so few packets that their loss says nothing.
const FLOOR: u64 = 150_000;

/// The queue of a path that has too much: more than jitter makes of a round trip, and much less than is heard.
const QUEUE: Duration = Duration::from_millis(80);

/// With such a queue the sender tries no more, but waits until it is clear whether it has tried too much: a queue seldom waits
/// for the next report to overflow.
const BEGINNING: Duration = Duration::from_millis(60);

/// What is left of the limit with each report of a long round trip of which it is not known yet whether it stays.
const EASED: u64 = 95;

/// What is left for the path to empty its queue, in percent of what gets through.
const RELIEF: u64 = 85;

/// By how much the sender tries more with each report, which come once a second, in percent.
const GROWTH: u64 = 108;

/// The same while it tries about what was too much before, in percent of that, and no less than what it was lowered to: a path
/// that has just overflowed will do so again.
const NEAR: Range<u64> = RELIEF - 5..115;
const CAREFUL_GROWTH: u64 = 105;

/// The same elsewhere, where the limit was not lowered for so long.
const BOLD_GROWTH: u64 = 116;
const CALM: Duration = Duration::from_secs(5);

/// An estimate that was at least so many percent of what gets through, and is less than so many at once, is no caution:
/// receivers that are merely cautious estimate 85 % of what comes.
const WAS_ENOUGH: u64 = 95;
const IS_SHORT: u64 = 75;

/// With less than so many percent no round trip is waited for: a queue overflows within the second until the next report.
/// 85 % of what comes in a second without a keyframe is more.
const IS_MUCH_TOO_SHORT: u64 = 62;

/// For so long after it was lowered it stays: what was sent before is reported until then.
const RESPITE: Duration = Duration::from_millis(1_500);

/// It tries more only where it has sent so many percent of what it might: what was never sent is not known to get through, and
/// a keyframe would find out.
const USED: u64 = 85;

/// The same where pictures are left out: those are seldom as large as what is left.
const USED_BY_SOME: u64 = 70;

/// A path of which nothing is reported for so long is not known any more.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// For so long after its last queue a path is known, though everything has room: a keyframe that is not paced would fill the
/// queue again.
const REMEMBERED: Duration = Duration::from_secs(30);

/// The same after its last loss of more than a little.
const LOSS_REMEMBERED: Duration = Duration::from_secs(10);

/// A fall of the estimate is of the same queue as a long round trip within this time: reports come once a second.
const FALL_LIFE: Duration = Duration::from_millis(1_500);

/// For so long the sender tries no more by itself after the receiver has estimated more than it did: the receiver leads, and
/// knows where it ends.
const LEAD: Duration = Duration::from_secs(3);

/// An estimate is good for so long.
const ESTIMATE_LIFE: Duration = Duration::from_secs(5);

/// The shortest round trip is that of the last two of these: a path that has become longer is soon known as that.
const RTT_WINDOW: Duration = Duration::from_secs(30);

/// What a receiver reports of what came to it.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The round trip, where it could be measured.
    pub rtt: Option<Duration>,
    /// The fraction that it lost, 0 to 1, since its report before.
    pub loss: f32,
    /// Bit/s that were sent to it.
    pub sent: u64,
    /// Bit/s of that which were sent again, whose loss is not reported.
    pub again: u64,
    /// Bit/s of that which were sound, whose loss is not in this report.
    pub sound: u64,
    /// Whether more was to be sent, and was left out.
    pub thinned: bool,
}

impl Report {
    /// Whether what was sent makes use of so many bit/s.
    pub(crate) const fn uses(&self, bits: u64) -> bool {
        let used = if self.thinned { USED_BY_SOME } else { USED };
        self.sent / used >= bits / 100
    }
}

/// Follows what one path carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct PathEstimate {
    estimate: Option<(u64, Instant)>,
    carries: Option<u64>,
    /// What it carried when it last had too much.
    ceiling: Option<u64>,
    /// By how much the last round trip was longer than the shortest.
    queue: Duration,
    /// When the estimate was last more than what was tried.
    led: Option<Instant>,
    /// When the estimate last fell to much less than is sent.
    fell: Option<Instant>,
    /// When the path last showed a queue, and when it last lost more than a little.
    queued: Option<Instant>,
    lost: Option<Instant>,
    loss: Loss,
    /// When it was last found to carry less, and whether it was loss that told so.
    lowered: Option<Instant>,
    by_loss: bool,
    /// What got through by the last two reports, the latest first.
    arrived: [u64; 2],
    reported: Option<Instant>,
    rtt: ShortestRtt,
}

impl PathEstimate {
    /// The receiver estimates that its path carries so many bit/s.
    pub fn estimated(&mut self, bits: u64, now: Instant) {
        let before = self.estimate.replace((bits, now));
        // What is lost at random does not come, and says nothing of what the path carries; nor does a second with a keyframe.
        let [latest, earlier] = self.arrived;
        let percent = |bits: u64| bits / latest.min(earlier).max(1).div_ceil(100);
        if before.is_some_and(|(before, _)| percent(before) >= WAS_ENOUGH) && percent(bits) < IS_SHORT {
            self.fell = Some(now);
        }
        let limited = self.get(now);
        let is_falling = is_within(self.fell, now, FALL_LIFE);
        self.carries = if is_falling && percent(bits) < IS_MUCH_TOO_SHORT && limited.is_none() {
            (self.queued, self.lowered, self.reported) = (Some(now), Some(now), Some(now));
            self.by_loss = false;
            Some(bits.max(FLOOR))
        } else {
            if limited.is_some_and(|carries| bits > carries) {
                self.led = Some(now);
            }
            limited.map(|carries| carries.max(bits))
        };
    }

    /// The receiver reports. While it is not known what was sent, it says nothing.
    pub fn reported(&mut self, report: &Report, now: Instant) {
        if report.sent == 0 {
            return;
        }
        let limit = self.get(now);
        self.reported = Some(now);
        let arrived = arrived(report);
        let carried = carried(self.arrived[0], arrived);
        self.arrived = [arrived, self.arrived[0]];
        // After a cut little is sent, and what is reported was lost before.
        let overflows = report.loss >= LITTLE && limit.is_some_and(|limit| report.uses(limit));
        let knows_rtt = report.rtt.is_some() && self.rtt.is_known();
        let (queue, has_queue) = self.look_at_queue(report.rtt, overflows, now);
        if has_queue {
            self.queued = Some(now);
        }
        let loss = self.loss.judge(report, !knows_rtt || queue >= BEGINNING, now);
        if loss != Verdict::Little {
            self.lost = Some(now);
        }
        if limit.is_some() && loss != Verdict::InVain && is_within(self.lowered, now, RESPITE) {
            self.carries = limit;
            return;
        }
        self.carries = match loss {
            _ if has_queue => match self.too_much(carried, now) {
                Some(bits) => Some(self.lower(limit, bits, carried, false, now)),
                None => limit,
            },
            Verdict::TooMuch => {
                let carried = if report.loss > MOST { of_flood(report) } else { carried };
                Some(self.lower(limit, carried / 100 * RELIEF, carried, true, now))
            }
            Verdict::InVain if self.by_loss => None,
            Verdict::Bearable if self.by_loss => limit,
            _ if queue >= QUEUE => limit.map(|bits| (bits / 100 * EASED).max(FLOOR)),
            _ if queue >= BEGINNING => limit,
            _ => limit.map(|bits| {
                if self.may_grow(bits, report, now) { bits / 100 * self.growth(bits, now) } else { bits }
            }),
        };
    }

    /// Whether to try more than so much, of which the receiver has not just said more.
    fn may_grow(&self, bits: u64, report: &Report, now: Instant) -> bool {
        report.uses(bits) && !is_within(self.led, now, LEAD)
    }

    /// What the receiver estimates.
    fn heard(&self, now: Instant) -> Option<u64> {
        let fresh = self.estimate.filter(|(_, at)| now.saturating_duration_since(*at) < ESTIMATE_LIFE);
        fresh.map(|(bits, _)| bits)
    }

    /// By how much the round trip is long, and whether that shows that the path has too much. Of a path that `overflows` it
    /// is known already that it is narrow.
    fn look_at_queue(&mut self, rtt: Option<Duration>, overflows: bool, now: Instant) -> (Duration, bool) {
        let queue = rtt.map_or(Duration::ZERO, |rtt| rtt.saturating_sub(self.rtt.with(rtt, now)));
        // One long round trip may be a keyframe, or a radio that was busy with somebody else, and one low estimate jitter.
        // Where both come together, or a queue has hardly shrunk a report later, the path has too much.
        let before = std::mem::replace(&mut self.queue, queue);
        let stays = before >= QUEUE && queue > before * 3 / 5;
        (queue, queue >= QUEUE && (stays || overflows || is_within(self.fell, now, FALL_LIFE)))
    }

    /// Lowers the limit to at most `bits`, where so much got through.
    fn lower(&mut self, limit: Option<u64>, bits: u64, carried: u64, by_loss: bool, now: Instant) -> u64 {
        (self.ceiling, self.lowered, self.by_loss) = (Some(carried), Some(now), by_loss);
        let bits = bits.max(FLOOR);
        limit.map_or(bits, |before| before.min(bits))
    }

    fn growth(&self, carries: u64, now: Instant) -> u64 {
        let near = |ceiling: u64| {
            let percent = carries.saturating_mul(100) / ceiling.max(1);
            NEAR.contains(&percent)
        };
        match self.ceiling {
            Some(ceiling) if near(ceiling) => CAREFUL_GROWTH,
            _ if is_within(self.lowered, now, CALM) => GROWTH,
            _ => BOLD_GROWTH,
        }
    }

    /// What to try next where so many bit/s got through and a queue grows; none where the receiver knows of no trouble.
    fn too_much(&self, carried: u64, now: Instant) -> Option<u64> {
        let estimate = self.heard(now).unwrap_or_default();
        (carried > 0 && estimate < carried).then(|| estimate.max(carried / 100 * RELIEF))
    }

    /// What the path carries, in bit/s; none where there is no reason to think that this matters.
    #[must_use]
    pub fn get(&self, now: Instant) -> Option<u64> {
        self.carries.filter(|_| is_within(self.reported, now, FORGOTTEN))
    }

    /// Everything has room: the path is taken for a wide one unless it has lately shown that it is not.
    pub fn release(&mut self, now: Instant) {
        if !is_within(self.queued, now, REMEMBERED) && !is_within(self.lost, now, LOSS_REMEMBERED) {
            (self.carries, self.ceiling) = (None, None);
        }
    }
}

fn is_within(at: Option<Instant>, now: Instant, span: Duration) -> bool {
    at.is_some_and(|at| now.saturating_duration_since(at) < span)
}

/// What a path carries, where so much got through by one report and so much by the next. What is lost or waits is reported
/// with delay: after too much comes too little, and the truth is between.
const fn carried(before: u64, now: u64) -> u64 {
    if before > now { u64::midpoint(before, now) } else { now }
}

/// Bit/s that got through.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bitrate times less than one")]
fn arrived(report: &Report) -> u64 {
    (report.sent as f64 * f64::from(1.0 - report.loss.clamp(0.0, 1.0))) as u64
}

/// The same where most was lost. What is sent again comes at once and finds a full queue, and sound fits in where pictures do not.
fn of_flood(report: &Report) -> u64 {
    let pictures = report.sent.saturating_sub(report.again).saturating_sub(report.sound);
    arrived(&Report { sent: pictures, ..*report }).saturating_add(report.sound)
}

/// The shortest round trip of late.
#[derive(Clone, Copy, Debug, Default)]
struct ShortestRtt {
    since: Option<Instant>,
    current: Option<Duration>,
    before: Option<Duration>,
}

impl ShortestRtt {
    /// Whether there has been one before.
    fn is_known(&self) -> bool {
        self.current.or(self.before).is_some()
    }

    /// Takes one more into account.
    fn with(&mut self, rtt: Duration, now: Instant) -> Duration {
        if now.saturating_duration_since(*self.since.get_or_insert(now)) >= RTT_WINDOW {
            (self.since, self.before, self.current) = (Some(now), self.current, None);
        }
        let current = self.current.map_or(rtt, |shortest| shortest.min(rtt));
        self.current = Some(current);
        self.before.map_or(current, |before| before.min(current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Duration = Duration::from_millis(60);
    const QUEUED: Duration = Duration::from_millis(200);

    fn report(rtt: Duration, sent: u64) -> Report {
        Report { rtt: Some(rtt), loss: 0.0, sent, again: 0, sound: 0, thinned: true }
    }

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    /// A path that has carried 600 of 1000 kbit/s.
    fn narrow(start: Instant) -> PathEstimate {
        let mut path = PathEstimate::default();
        path.reported(&report(GOOD, 600_000), start);
        path.estimated(550_000, start);
        path.reported(&Report { loss: 0.4, ..report(QUEUED, 1_000_000) }, start);
        assert_eq!(path.get(start), None, "once is no queue");
        path.reported(&Report { loss: 0.4, ..report(QUEUED, 1_000_000) }, start);
        assert_eq!(path.get(start), Some(550_000));
        path
    }

    #[test]
    fn a_low_estimate_of_a_path_that_shows_no_queue_is_not_believed() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        for second in 0..60 {
            path.estimated(40_000, at(start, second));
            path.reported(&Report { loss: 0.15, ..report(GOOD, 600_000) }, at(start, second));
            assert_eq!(path.get(at(start, second)), None);
        }
    }

    #[test]
    fn a_long_round_trip_that_the_receiver_knows_no_trouble_of_is_jitter() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        for second in 0..60 {
            path.estimated(900_000, at(start, second));
            let rtt = if second % 3 == 2 { QUEUED } else { GOOD };
            path.reported(&report(rtt, 600_000), at(start, second));
            assert_eq!(path.get(at(start, second)), None);
        }
    }

    #[test]
    fn an_estimate_that_falls_to_much_less_than_is_sent_counts_with_the_first_long_round_trip() {
        let start = Instant::now();
        let after = |loss: f32, estimates: [u64; 2], rtt: Duration| {
            let mut path = PathEstimate::default();
            path.reported(&Report { loss, ..report(GOOD, 1_000_000) }, start);
            path.reported(&Report { loss, ..report(GOOD, 1_000_000) }, start);
            estimates.into_iter().for_each(|bits| path.estimated(bits, start));
            assert_eq!(path.get(start), None, "it may be jitter");
            path.reported(&Report { loss, ..report(rtt, 1_000_000) }, at(start, 1));
            path.get(at(start, 1))
        };
        assert_eq!(after(0.0, [1_000_000, 700_000], QUEUED), Some(850_000));
        assert_eq!(after(0.0, [1_000_000, 700_000], GOOD), None, "it was jitter");
        assert_eq!(after(0.0, [1_200_000, 850_000], QUEUED), None, "a cautious one");
        assert_eq!(
            after(0.15, [1_200_000, 720_000], QUEUED),
            None,
            "a cautious one, of what is left by chance"
        );
    }

    #[test]
    fn one_that_falls_to_half_of_what_is_sent_counts_at_once_unless_a_keyframe_was_sent() {
        let start = Instant::now();
        let after = |sent: [u64; 2], bits: u64| {
            let mut path = PathEstimate::default();
            sent.into_iter().for_each(|sent| path.reported(&report(GOOD, sent), start));
            path.estimated(1_200_000, start);
            path.estimated(bits, start);
            path.get(start)
        };
        assert_eq!(after([1_000_000; 2], 550_000), Some(550_000));
        assert_eq!(after([700_000, 1_000_000], 550_000), None);
        assert_eq!(after([1_000_000, 700_000], 550_000), None);
        assert_eq!(after([700_000, 1_000_000], 400_000), Some(400_000));
    }

    #[test]
    fn it_is_never_taken_for_much_narrower_than_what_gets_through() {
        let start = Instant::now();
        let mut path = narrow(start);
        path.estimated(20_000, at(start, 1));
        path.reported(&report(QUEUED, 500_000), at(start, 1));
        assert_eq!(path.get(at(start, 1)), Some(550_000), "what was sent before is reported");
        path.reported(&report(QUEUED, 400_000), at(start, 2));
        assert_eq!(path.get(at(start, 2)), Some(382_500), "it carried 500 kbit/s a moment ago");
        let mut unheard = PathEstimate::default();
        unheard.reported(&report(GOOD, 500_000), start);
        unheard.reported(&report(QUEUED, 500_000), at(start, 1));
        unheard.reported(&report(QUEUED, 500_000), at(start, 2));
        assert_eq!(unheard.get(at(start, 2)), Some(425_000), "peers that estimate nothing are sent less too");
    }

    #[test]
    fn the_sender_feels_its_way_up_where_it_uses_what_there_is() {
        let start = Instant::now();
        let mut path = narrow(start);
        for second in 1..=5 {
            path.reported(&report(GOOD, 100_000), at(start, second));
        }
        assert_eq!(path.get(at(start, 5)), Some(550_000));
        let mut steps = Vec::new();
        for second in 6..=15 {
            let before = path.get(at(start, second)).unwrap();
            path.reported(&report(GOOD, before), at(start, second));
            steps.push(path.get(at(start, second)).unwrap() * 100 / before);
        }
        let (near, beyond) = steps.split_at(5);
        assert!(near.iter().all(|step| *step <= 105) && beyond.iter().all(|step| *step >= 107), "{steps:?}");
        path.estimated(1_900_000, at(start, 15));
        assert_eq!(path.get(at(start, 15)), Some(1_900_000));
    }

    #[test]
    fn of_a_narrow_path_that_overflows_no_second_report_is_waited_for() {
        let start = Instant::now();
        let after = |mut path: PathEstimate, loss: f32, rtt: Duration| {
            path.reported(&report(GOOD, 400_000), at(start, 2));
            let before = path.get(at(start, 2));
            path.estimated(320_000, at(start, 2));
            path.reported(&Report { loss, ..report(rtt, 600_000) }, at(start, 3));
            path.get(at(start, 3)).map(|bits| bits * 100 / before.unwrap_or(bits))
        };
        assert_eq!(after(narrow(start), 0.2, QUEUED), Some(70), "85 % of 80 % of 600 kbit/s");
        assert_eq!(after(narrow(start), 0.0, QUEUED), Some(95), "it may be a keyframe");
        assert_eq!(after(narrow(start), 0.2, GOOD), Some(105), "it may be a radio");
        assert_eq!(
            after(PathEstimate::default(), 0.2, QUEUED),
            None,
            "a path that is not known to be narrow"
        );
    }

    #[test]
    fn no_more_is_tried_while_a_queue_begins() {
        let start = Instant::now();
        let after = |queue: u64| {
            let mut path = narrow(start);
            path.reported(&report(GOOD + Duration::from_millis(queue), 550_000), at(start, 2));
            path.get(at(start, 2)).unwrap()
        };
        assert!(after(59) > 550_000);
        assert_eq!(after(60), 550_000);
        assert_eq!(after(79), 550_000);
        assert_eq!(after(80), 522_500, "and a little less with a long one");
    }

    #[test]
    fn a_queue_that_the_receiver_does_not_know_of_yet_counts_as_soon_as_it_does() {
        let (mut path, start) = (narrow(Instant::now()), Instant::now());
        path.estimated(900_000, at(start, 2));
        path.reported(&report(QUEUED, 700_000), at(start, 2));
        path.reported(&report(QUEUED, 700_000), at(start, 3));
        assert_eq!(path.get(at(start, 3)), Some(900_000), "the receiver knows of no trouble");
        path.estimated(500_000, at(start, 3));
        path.reported(&report(QUEUED, 700_000), at(start, 4));
        assert_eq!(path.get(at(start, 4)), Some(595_000));
    }

    #[test]
    fn a_path_that_had_room_for_a_while_is_believed_to_have_any() {
        let start = Instant::now();
        let mut path = narrow(start);
        for second in 0..30 {
            path.reported(&report(GOOD, 1), at(start, second));
            path.release(at(start, second));
            assert_eq!(path.get(at(start, second)), Some(550_000));
        }
        path.release(at(start, 30));
        assert_eq!(path.get(at(start, 30)), None);
    }

    #[test]
    fn a_path_of_which_nothing_is_reported_is_forgotten() {
        let start = Instant::now();
        let path = narrow(start);
        assert_eq!(path.get(at(start, 9)), Some(550_000));
        assert_eq!(path.get(at(start, 10)), None);
    }

    #[test]
    fn a_path_that_has_become_longer_is_not_taken_for_a_queue_for_long() {
        let (mut path, start) = (PathEstimate::default(), Instant::now());
        path.reported(&report(GOOD, 600_000), start);
        let believed = (1..120).filter(|second| {
            path.reported(&report(QUEUED, 600_000), at(start, *second));
            path.release(at(start, *second));
            path.get(at(start, *second)).is_some()
        });
        assert!(believed.count() < 100);
    }
}
