//! What a publisher's encoder should send at most, from what its viewers' paths carry.
//!
//! An encoder with one layer serves all its viewers, so that the worst of many must not decide for all: it is thinned on
//! its own path instead. What decides is the lower quartile, which among up to three viewers is the worst of them.
//!
//! Down goes at once, because a queue grows meanwhile. Up goes slowly and in steps: that a path carries more is known
//! only once more was sent, and each failed try lets the viewers see it.

use std::time::{Duration, Instant};

/// Nobody is asked to send less than this, bits/s: below it H.264 of a face is not worth looking at, and WeChat's own
/// default for `min-bitrate` is the same.
pub const FLOOR: u64 = 200_000;

/// Viewers of whom one does not decide.
const QUARTILE: usize = 4;

/// What of a path is used, percent: encoders overshoot at motion, and what is queued has to drain.
const HEADROOM: u64 = 85;

/// How long the viewers have to want less before the encoder is told: one late acknowledgement is no trend. A step up
/// that was just made is taken back at once, because it is on trial.
const LOWER_AFTER: Duration = Duration::from_millis(500);

/// How long an encoder takes to send less, and its path to show it. Nothing lower still is asked for before.
const SETTLE: Duration = Duration::from_secs(2);

/// How long the viewers have to want more before a step up is tried.
const RAISE_AFTER: Duration = Duration::from_secs(3);

/// A limit that has to be lowered this soon after it was raised was raised too far.
const FAILED_WITHIN: Duration = Duration::from_secs(6);

/// A limit at which the viewers could not keep up is not tried again for so long, nor any over so many percent of it; for
/// twice as long each time that it fails again, up to the longest.
const FAILED_FOR: Duration = Duration::from_secs(30);
const MAX_FAILED_FOR: Duration = Duration::from_secs(240);
const BELOW_FAILED: u64 = 85;

/// A step up, percent of the limit before, below what the viewers' paths were last found to carry or beyond what was too
/// much, and in between: a step that goes too far by a tenth is taken back before a queue is full.
const STEP_UP: u64 = 130;
const CAREFUL_STEP_UP: u64 = 112;

/// Smaller changes than this, percent, are not worth an encoder's reconfiguring.
const WORTH: u64 = 10;

/// Limits are multiples of this, bits/s.
const GRAIN: u64 = 10_000;

/// What there is to know at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// For everybody who receives the video the bits of it per second that their path carries; none while that is all
    /// there is.
    pub capacities: &'a [Option<u64>],
    /// How many of them report that receiving goes badly: if they are many, the limit stays where it is.
    pub troubled: usize,
    /// What the publisher sends of video, bits/s.
    pub rate: u64,
}

/// A limit in force.
#[derive(Clone, Copy, Debug)]
struct Limit {
    rate: u64,
    /// What was sent before there was a limit: where it ends.
    natural: u64,
    /// What the viewers were found to carry when it was last lowered, in terms of a limit.
    carried: u64,
    lowered: Instant,
}

/// The steering of one publisher's encoder.
#[derive(Debug)]
pub struct Steering {
    limit: Option<Limit>,
    /// Since when less, or more, is wanted than the limit allows.
    lower_since: Option<Instant>,
    raise_since: Option<Instant>,
    /// When more was tried, unless that has failed.
    raised: Option<Instant>,
    /// The limit that was too much last, and until when it is not tried again.
    failed: Option<(u64, Instant)>,
    failed_for: Duration,
}

impl Default for Steering {
    fn default() -> Self {
        Self {
            limit: None,
            lower_since: None,
            raise_since: None,
            raised: None,
            failed: None,
            failed_for: FAILED_FOR,
        }
    }
}

impl Steering {
    /// The limit in force, bits/s.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit.map(|limit| limit.rate)
    }

    /// Takes in how things are at `now`, to be called about twice a second. Returns the limit if it is another than
    /// before: `Some(None)` is that there is none any more.
    pub fn observe(&mut self, seen: Observation<'_>, now: Instant) -> Option<Option<u64>> {
        let before = self.limit();
        match (wanted(seen.capacities), self.limit) {
            (Some(wanted), None) => self.begin(wanted, seen.rate, now),
            (Some(wanted), Some(limit)) if wanted < limit.rate => self.lower(wanted, limit, now),
            (wanted, Some(limit)) => {
                let calm = seen.troubled <= seen.capacities.len() / QUARTILE;
                self.raise(wanted.unwrap_or(u64::MAX), limit, calm, now);
            }
            (None, None) => self.lower_since = None,
        }
        let after = self.limit();
        (after != before).then_some(after)
    }

    fn begin(&mut self, wanted: u64, rate: u64, now: Instant) {
        if now.saturating_duration_since(*self.lower_since.get_or_insert(now)) < LOWER_AFTER {
            return;
        }
        if rate > wanted {
            if self.is_on_trial(now) {
                self.fail(rate, now);
            }
            self.put(Limit { rate: wanted, natural: rate, carried: wanted, lowered: now });
        }
    }

    fn lower(&mut self, wanted: u64, limit: Limit, now: Instant) {
        self.raise_since = None;
        let on_trial = self.is_on_trial(now);
        let waited = now.saturating_duration_since(*self.lower_since.get_or_insert(now)) >= LOWER_AFTER;
        let settled = now.saturating_duration_since(limit.lowered) >= SETTLE;
        let worth = wanted <= limit.rate / 100 * (100 - WORTH) || wanted == FLOOR;
        if !((waited || on_trial) && settled && worth) {
            return;
        }
        if !on_trial {
            self.failed_for = FAILED_FOR;
        }
        self.fail(limit.rate, now);
        self.put(Limit { rate: wanted, carried: wanted, lowered: now, ..limit });
    }

    /// Whether more is sent than a moment ago.
    fn is_on_trial(&self, now: Instant) -> bool {
        self.raised.is_some_and(|at| now.saturating_duration_since(at) < FAILED_WITHIN)
    }

    /// Notes that a rate was too much.
    fn fail(&mut self, rate: u64, now: Instant) {
        self.failed = Some((rate, now + self.failed_for));
        self.failed_for = (self.failed_for * 2).min(MAX_FAILED_FOR);
        self.raised = None;
    }

    fn raise(&mut self, wanted: u64, limit: Limit, calm: bool, now: Instant) {
        self.lower_since = None;
        let failed = self.failed.filter(|(_, until)| now < *until);
        let wanted = failed.map_or(wanted, |(rate, _)| wanted.min(rate / 100 * BELOW_FAILED));
        if !calm || wanted < limit.rate / 100 * (100 + WORTH) {
            self.raise_since = None;
            return;
        }
        if now.saturating_duration_since(*self.raise_since.get_or_insert(now)) < RAISE_AFTER {
            return;
        }
        self.raised = Some(now);
        let bold = limit.rate / 100 * STEP_UP;
        let too_much = self.failed.map_or(limit.natural, |(rate, _)| rate);
        let step = if bold > limit.carried && limit.rate < too_much { CAREFUL_STEP_UP } else { STEP_UP };
        let rate = grain((limit.rate / 100 * step).min(wanted));
        if rate >= limit.natural {
            *self = Self { raised: self.raised, failed_for: self.failed_for, ..Self::default() };
        } else {
            self.put(Limit { rate, ..limit });
        }
    }

    fn put(&mut self, limit: Limit) {
        self.limit = Some(limit);
        (self.lower_since, self.raise_since) = (None, None);
    }
}

/// What the viewers want the encoder to send at most: nothing in particular if all but a few carry all there is.
fn wanted(capacities: &[Option<u64>]) -> Option<u64> {
    let mut capacities: Vec<u64> = capacities.iter().map(|capacity| capacity.unwrap_or(u64::MAX)).collect();
    capacities.sort_unstable();
    let deciding = capacities.get(capacities.len() / QUARTILE).copied();
    deciding
        .filter(|capacity| *capacity < u64::MAX)
        .map(|capacity| grain(capacity / 100 * HEADROOM).max(FLOOR))
}

const fn grain(rate: u64) -> u64 {
    rate / GRAIN * GRAIN
}

/// The shorter side of a picture, pixels, that a rate carries well at 15 to 25 pictures a second; none where any does.
#[must_use]
pub const fn short_side(rate: u64) -> Option<u16> {
    match rate {
        0..=249_999 => Some(240),
        250_000..=499_999 => Some(360),
        500_000..=899_999 => Some(480),
        900_000..=1_799_999 => Some(720),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A publisher that does as it is told, looked at twice a second.
    struct Scene {
        steering: Steering,
        start: Instant,
        now: Instant,
        natural: u64,
        changes: Vec<(Duration, Option<u64>)>,
        troubled: usize,
    }

    impl Scene {
        fn new(natural: u64) -> Self {
            let now = Instant::now();
            Self { steering: Steering::default(), start: now, now, natural, changes: Vec::new(), troubled: 0 }
        }

        fn rate(&self) -> u64 {
            self.steering.limit().unwrap_or(self.natural).min(self.natural)
        }

        /// `capacities` are given what is sent now.
        fn run(&mut self, seconds: u64, capacities: impl Fn(u64) -> Vec<Option<u64>>) {
            for _ in 0..seconds * 2 {
                let (capacities, troubled) = (capacities(self.rate()), self.troubled);
                let seen = Observation { capacities: &capacities, troubled, rate: self.rate() };
                if let Some(change) = self.steering.observe(seen, self.now) {
                    self.changes.push((self.now - self.start, change));
                }
                self.now += Duration::from_millis(500);
            }
        }

        /// One viewer whose path carries so much, and says so only when more is sent.
        fn path(&mut self, seconds: u64, carries: u64) {
            self.run(seconds, |rate| vec![(rate > carries).then_some(carries)]);
        }
    }

    #[test]
    fn nobody_is_steered_while_every_path_carries_all_there_is() {
        let mut scene = Scene::new(1_000_000);
        scene.run(60, |_| vec![None; 3]);
        scene.run(60, |_| vec![]);
        assert_eq!(scene.changes, []);
    }

    #[test]
    fn in_a_call_of_two_the_viewer_decides_within_a_second() {
        let mut scene = Scene::new(1_000_000);
        scene.path(2, 600_000);
        let (at, limit) = scene.changes.first().copied().unwrap();
        assert!(at <= Duration::from_secs(1), "{at:?}");
        assert_eq!(limit, Some(510_000));
    }

    #[test]
    fn a_single_late_moment_changes_nothing() {
        let mut scene = Scene::new(1_000_000);
        scene.run(1, |_| vec![None]);
        let seen = Observation { capacities: &[Some(300_000)], troubled: 0, rate: 1_000_000 };
        assert_eq!(scene.steering.observe(seen, scene.now), None);
        scene.now += Duration::from_millis(500);
        scene.run(10, |_| vec![None]);
        assert_eq!(scene.changes, []);
    }

    #[test]
    fn no_limit_is_below_the_floor() {
        let mut scene = Scene::new(1_000_000);
        scene.path(60, 30_000);
        assert!(scene.changes.iter().all(|(_, limit)| limit.is_some_and(|rate| rate >= FLOOR)));
        assert_eq!(scene.steering.limit(), Some(FLOOR));
    }

    #[test]
    fn one_bad_viewer_of_four_decides_for_nobody_and_two_of_four_do() {
        let mut scene = Scene::new(1_000_000);
        scene.run(30, |_| vec![Some(250_000), None, None, None]);
        assert_eq!(scene.changes, []);
        scene.run(5, |_| vec![Some(250_000), None, Some(600_000), None]);
        assert_eq!(scene.steering.limit(), Some(510_000), "the better of the two bad ones");
    }

    #[test]
    fn of_three_viewers_the_worst_decides() {
        let mut scene = Scene::new(1_000_000);
        scene.run(5, |_| vec![None, Some(400_000), None]);
        assert_eq!(scene.steering.limit(), Some(340_000));
    }

    #[test]
    fn a_path_that_is_free_again_gets_everything_back_in_steps() {
        let mut scene = Scene::new(1_000_000);
        scene.path(20, 500_000);
        let released = scene.now;
        scene.path(60, 5_000_000);
        assert_eq!(scene.steering.limit(), None);
        let (at, _) = scene.changes.last().copied().unwrap();
        let took = scene.start + at - released;
        assert!(took > Duration::from_secs(3) && took < Duration::from_secs(40), "{took:?}");
        let limits: Vec<u64> = scene.changes.iter().filter_map(|(_, limit)| *limit).collect();
        assert!(limits.windows(2).all(|pair| pair[1] <= pair[0] * 13 / 10), "{limits:?}");
    }

    #[test]
    fn a_path_that_stays_narrow_is_tried_ever_more_rarely() {
        let mut scene = Scene::new(1_000_000);
        scene.path(600, 500_000);
        let ups = |from: u64, to: u64| {
            let span = Duration::from_secs(from)..Duration::from_secs(to);
            let changes: Vec<_> = scene.changes.iter().collect();
            changes.windows(2).filter(|pair| span.contains(&pair[1].0) && pair[1].1 > pair[0].1).count()
        };
        let (first, last) = (ups(0, 100), ups(500, 600));
        assert!(last <= 2 && last < first, "{first} then {last}: {:?}", scene.changes);
    }

    #[test]
    fn what_was_too_much_is_not_tried_again_at_once() {
        let mut scene = Scene::new(1_000_000);
        scene.path(20, 500_000);
        let mut limits = scene.changes.iter().filter_map(|(at, limit)| Some((*at, (*limit)?)));
        let (failed, too_much) = limits.find(|(_, limit)| *limit > 500_000).unwrap();
        let again = scene
            .changes
            .iter()
            .find(|(at, limit)| *at > failed && limit.is_some_and(|rate| rate >= too_much));
        assert!(again.is_none(), "{:?}", scene.changes);
    }

    #[test]
    fn viewers_that_report_trouble_keep_the_limit_where_it_is() {
        let mut scene = Scene::new(1_000_000);
        scene.path(5, 500_000);
        let limit = scene.steering.limit();
        assert!(limit.is_some());
        scene.troubled = 1;
        scene.run(60, |_| vec![None]);
        assert_eq!(scene.steering.limit(), limit);
        scene.troubled = 0;
        scene.run(60, |_| vec![None]);
        assert_eq!(scene.steering.limit(), None);
    }

    #[test]
    fn a_limit_goes_lower_while_its_viewers_are_worse_off() {
        let mut scene = Scene::new(2_000_000);
        scene.path(3, 1_500_000);
        scene.path(10, 400_000);
        assert!(scene.steering.limit().unwrap() <= 400_000, "{:?}", scene.changes);
    }

    #[test]
    fn what_a_rate_carries_grows_with_it() {
        let sides: Vec<_> =
            [200_000, 300_000, 600_000, 1_000_000].map(short_side).into_iter().flatten().collect();
        assert_eq!(sides, [240, 360, 480, 720]);
        assert_eq!(short_side(2_500_000), None);
    }
}
