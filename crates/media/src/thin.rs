//! Thinning a video for a path that carries less than it: whole pictures are left out, so that what is shown stays
//! whole and live.
//!
//! A [`Thinner`] keeps a model of the queue in front of the path, which fills with what is sent and drains at the rate
//! that the path carries. First it leaves out pictures that nothing refers to; where that is not enough, all that is
//! left of a group of pictures, up to the next keyframe. Room is left for a keyframe that is due, so that a part of
//! every group is shown rather than the whole of every second one.

use std::time::{Duration, Instant};

/// How far the path may fall behind before the rest of a group of pictures is left out. A conversation bears a second,
/// of which some is the network's.
const MAX_LAG: Duration = Duration::from_millis(700);

/// How far it may fall behind where a keyframe alone makes it fall so far: some pictures are to follow even then.
const WORST_LAG: Duration = Duration::from_millis(950);

/// The room for pictures after a keyframe.
const AFTER_KEYFRAME: Duration = Duration::from_millis(100);

/// From which lag on pictures that nothing refers to are left out: three pictures' time.
const DROPPABLE_LAG: Duration = Duration::from_millis(100);

/// Up to which lag a group of pictures begins. A keyframe is the size of ten other pictures: begun any later it would use
/// up what its group is allowed, and each group would be a still.
const KEYFRAME_LAG: Duration = Duration::from_millis(300);

/// For how long a keyframe is still expected that is not there when it was due: encoders are not that regular.
const OVERDUE: Duration = Duration::from_millis(200);

/// How much a decoder needs a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Decoding can begin here.
    Keyframe,
    /// Later pictures refer to it.
    Reference,
    /// Nothing refers to it.
    Droppable,
}

/// What is to become of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is sent.
    Send,
    /// It alone is left out.
    Drop,
    /// It is left out, and with it all pictures up to the next keyframe that is sent.
    Cut,
}

/// Decides which pictures of one video are sent over one path.
#[derive(Clone, Debug)]
pub struct Thinner {
    /// Bit/s that the path carries of this video; none where it carries all.
    rate: Option<u64>,
    /// Bytes on their way at the time beside them.
    backlog: f64,
    at: Instant,
    cut: Option<Instant>,
    left_out: u64,
    /// When the last keyframe came, and how long after the one before it.
    keyframe: Option<(Instant, Option<Duration>)>,
    /// Bytes of the last keyframe that was sent, and whether more of it may come.
    keyframe_bytes: usize,
    in_keyframe: bool,
}

impl Thinner {
    /// For a path that carries everything until it is said otherwise.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            rate: None,
            backlog: 0.0,
            at: now,
            cut: None,
            left_out: 0,
            keyframe: None,
            keyframe_bytes: 0,
            in_keyframe: false,
        }
    }

    /// From now on the path carries so many bit/s of this video; `None` where it carries all there is.
    pub fn set_rate(&mut self, bits_per_second: Option<u64>, now: Instant) {
        self.drain(now);
        if bits_per_second.is_none() {
            self.backlog = 0.0;
        }
        self.rate = bits_per_second.map(|rate| rate.max(1));
    }

    /// What was last set.
    #[must_use]
    pub const fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Judges a picture of so many bytes, as far as they are known, while `queued` bytes of this video wait to be sent.
    /// What is sent is to be noted with [`Self::sent`].
    pub fn judge(&mut self, importance: Importance, bytes: usize, queued: usize, now: Instant) -> Verdict {
        self.drain(now);
        // The model does not know what the network does; the queue does not know what is in the network.
        self.backlog = self.backlog.max(queued as f64);
        if importance == Importance::Keyframe {
            let interval = self.keyframe.map(|(before, _)| now.saturating_duration_since(before));
            self.keyframe = Some((now, interval));
        }
        let verdict = match importance {
            Importance::Keyframe if self.lag_with(0) <= KEYFRAME_LAG => Verdict::Send,
            Importance::Keyframe => Verdict::Cut,
            _ if self.cut.is_some() => Verdict::Cut,
            Importance::Droppable if self.lag_with(bytes) > DROPPABLE_LAG => Verdict::Drop,
            Importance::Reference if self.lag_with(bytes) > self.allowed_lag(now) => Verdict::Cut,
            Importance::Droppable | Importance::Reference => Verdict::Send,
        };
        self.in_keyframe = importance == Importance::Keyframe && verdict == Verdict::Send;
        match verdict {
            Verdict::Send if self.in_keyframe => {
                self.cut = None;
                self.keyframe_bytes = 0;
            }
            Verdict::Send => {}
            Verdict::Drop => self.left_out = self.left_out.saturating_add(1),
            Verdict::Cut => {
                self.left_out = self.left_out.saturating_add(1);
                self.cut.get_or_insert(now);
            }
        }
        verdict
    }

    /// Notes bytes that were sent, judged or not.
    pub fn sent(&mut self, bytes: usize, now: Instant) {
        if self.in_keyframe {
            self.keyframe_bytes = self.keyframe_bytes.saturating_add(bytes);
        }
        if self.rate.is_some() {
            self.drain(now);
            self.backlog += bytes as f64;
        }
    }

    /// Whether a group of pictures that begins now could be sent, where the rest of one was left out at least `rest` ago:
    /// then a keyframe is worth asking for.
    #[must_use]
    pub fn wants_keyframe(&self, rest: Duration, now: Instant) -> bool {
        self.cut.is_some_and(|since| now.saturating_duration_since(since) >= rest)
            && self.drained(now) < f64::EPSILON
    }

    /// Whether pictures are left out until the next keyframe.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// How many pictures were left out.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How far the path may fall behind now: not so far that a keyframe that is expected would come too early.
    fn allowed_lag(&self, now: Instant) -> Duration {
        let keyframe = self.time_for(self.keyframe_bytes as f64);
        let most = (keyframe + AFTER_KEYFRAME).clamp(MAX_LAG, WORST_LAG);
        let due = self.keyframe.and_then(|(at, interval)| at.checked_add(interval?));
        match due {
            Some(due) if now < due + OVERDUE => {
                let left = most.saturating_sub(keyframe + AFTER_KEYFRAME).min(KEYFRAME_LAG);
                most.min(left + due.saturating_duration_since(now))
            }
            _ => most,
        }
    }

    /// After which time the path has carried what is on its way and `bytes` more.
    fn lag_with(&self, bytes: usize) -> Duration {
        self.time_for(self.backlog + bytes as f64)
    }

    /// How long the path takes for so many bytes. An hour stands for all that is longer.
    fn time_for(&self, bytes: f64) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        Duration::from_secs_f64((bytes * 8.0 / rate as f64).clamp(0.0, 3_600.0))
    }

    fn drain(&mut self, now: Instant) {
        self.backlog = self.drained(now);
        self.at = self.at.max(now);
    }

    fn drained(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.rate.map_or(0.0, |rate| (self.backlog - passed * rate as f64 / 8.0).max(0.0))
    }
}

/// Over how long the rate of a video is taken.
const WINDOW: Duration = Duration::from_secs(1);

/// The weight of the latest window. A group of pictures is one to three windows long, and its first is the heaviest.
const WEIGHT: f64 = 0.4;

/// How fast a video comes, thinned or not.
#[derive(Clone, Copy, Debug)]
pub struct RateMeter {
    since: Instant,
    bytes: u64,
    rate: Option<f64>,
}

impl RateMeter {
    /// Nothing has come so far.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0, rate: None }
    }

    /// Notes bytes that have come.
    pub fn count(&mut self, bytes: usize, now: Instant) {
        let span = now.saturating_duration_since(self.since);
        if span >= WINDOW {
            let latest = self.bytes as f64 * 8.0 / span.as_secs_f64();
            self.rate = Some(self.rate.map_or(latest, |rate| rate + WEIGHT * (latest - rate)));
            (self.since, self.bytes) = (now, 0);
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// Bit/s; `None` in the first second.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of what was counted")]
    pub fn rate(&self) -> Option<u64> {
        self.rate.map(|rate| rate as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(40);
    /// A keyframe of 20 kB and 24 others of 2.2 kB in each second: 582 kbit/s.
    const KEYFRAME: usize = 20_000;
    const DELTA: usize = 2_200;

    struct Path {
        thinner: Thinner,
        start: Instant,
        /// Bytes in the queue of the simulated path, which carries `rate`.
        queue: f64,
        rate: f64,
        worst: f64,
        sent: Vec<u64>,
    }

    impl Path {
        fn new(rate: u64) -> Self {
            let start = Instant::now();
            let mut thinner = Thinner::new(start);
            thinner.set_rate(Some(rate), start);
            Self { thinner, start, queue: 0.0, rate: rate as f64, worst: 0.0, sent: Vec::new() }
        }

        /// Runs pictures of 25 a second with a keyframe every `gop`, every `droppable`-th of them with nothing that refers
        /// to it.
        fn run(&mut self, pictures: u64, gop: u64, droppable: Option<u64>) {
            for picture in 0..pictures {
                let now = self.start + FRAME * u32::try_from(picture).unwrap();
                self.queue = (self.queue - self.rate / 8.0 * FRAME.as_secs_f64()).max(0.0);
                let (importance, bytes) = match droppable {
                    _ if picture % gop == 0 => (Importance::Keyframe, KEYFRAME),
                    Some(every) if picture % every != 0 => (Importance::Droppable, DELTA),
                    _ => (Importance::Reference, DELTA),
                };
                if self.thinner.judge(importance, bytes, 0, now) == Verdict::Send {
                    self.thinner.sent(bytes, now);
                    self.queue += bytes as f64;
                    self.worst = self.worst.max(self.queue * 8.0 / self.rate);
                    self.sent.push(picture);
                }
            }
        }

        fn longest_gap(&self) -> u64 {
            self.sent.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(u64::MAX)
        }
    }

    #[test]
    fn a_path_that_carries_the_video_gets_all_of_it() {
        let mut path = Path::new(800_000);
        path.run(250, 25, None);
        assert_eq!((path.sent.len(), path.thinner.left_out()), (250, 0));
    }

    #[test]
    fn pictures_that_nothing_refers_to_go_first_and_the_picture_stays_steady() {
        let mut path = Path::new(400_000);
        path.run(250, 25, Some(2));
        assert!(path.longest_gap() <= 2, "every second picture at least: {:?}", path.sent);
        assert!((130..200).contains(&path.sent.len()), "{}", path.sent.len());
    }

    #[test]
    fn the_rest_of_a_group_is_left_out_and_every_keyframe_comes_in_time() {
        let mut path = Path::new(350_000);
        path.run(500, 25, None);
        let keyframes = path.sent.iter().filter(|picture| *picture % 25 == 0).count();
        assert!(keyframes >= 19, "all once their distance is known: {:?}", path.sent);
        assert!(path.worst < 0.8, "the path was {} s behind", path.worst);
        assert!(path.sent.len() > 200, "{} pictures of 500", path.sent.len());
        for group in path.sent.chunk_by(|one, other| one / 25 == other / 25) {
            let whole = group.windows(2).all(|pair| pair[1] == pair[0] + 1);
            assert!(whole && group[0] % 25 == 0, "a picture without the one before it: {group:?}");
        }
    }

    #[test]
    fn a_path_that_carries_only_keyframes_gets_as_many_as_it_can_carry() {
        let mut path = Path::new(60_000);
        path.run(1_000, 25, None);
        assert!(path.sent.iter().all(|picture| picture % 25 == 0));
        assert!((10..=16).contains(&path.sent.len()), "{:?}", path.sent);
    }

    #[test]
    fn what_waits_in_the_sender_counts_where_it_is_more_than_the_model_knows() {
        let mut path = Path::new(1_000_000);
        let now = path.start;
        assert_eq!(path.thinner.judge(Importance::Reference, 1_000, 0, now), Verdict::Send);
        assert_eq!(path.thinner.judge(Importance::Reference, 1_000, 100_000, now), Verdict::Cut);
        assert!(path.thinner.is_cut());
        let later = now + Duration::from_secs(2);
        assert_eq!(path.thinner.judge(Importance::Droppable, 1_000, 0, later), Verdict::Cut);
        assert!(path.thinner.wants_keyframe(Duration::from_secs(1), later));
        assert!(!path.thinner.wants_keyframe(Duration::from_secs(3), later));
        assert_eq!(path.thinner.judge(Importance::Keyframe, 1_000, 0, later), Verdict::Send);
        assert!(!path.thinner.is_cut());
    }

    #[test]
    fn a_path_that_is_no_longer_limited_goes_on_at_the_next_keyframe() {
        let mut path = Path::new(100_000);
        path.run(40, 250, None);
        let now = path.start + FRAME * 40;
        path.thinner.set_rate(None, now);
        assert_eq!(path.thinner.judge(Importance::Reference, DELTA, 0, now), Verdict::Cut);
        assert_eq!(path.thinner.judge(Importance::Keyframe, KEYFRAME, 1_000_000, now), Verdict::Send);
        assert_eq!(path.thinner.judge(Importance::Reference, DELTA, 1_000_000, now), Verdict::Send);
    }

    #[test]
    fn a_rate_is_known_after_a_second_and_follows() {
        let start = Instant::now();
        let mut meter = RateMeter::new(start);
        let mut at = |millis, bytes| {
            meter.count(bytes, start + Duration::from_millis(millis));
            meter.rate()
        };
        assert_eq!(at(0, 1_000), None);
        assert_eq!(at(500, 1_000), None);
        assert_eq!(at(1_000, 4_000), Some(16_000));
        assert_eq!(at(2_000, 0), Some(22_400));
    }
}
