//! One track's sound on its way into the mix: kept for as long as its network needs, and given out at an even pace.

use std::collections::VecDeque;

use queqiao_media::time::StreamTime;

use crate::conceal::Concealer;
use crate::delay::Delay;
use crate::splice::{MAX_PERIOD, MIN_PERIOD, OVERLAP, cross_fade, period};
use crate::{BLOCK, SAMPLE_RATE, samples};

/// Samples of a millisecond.
const MS: i64 = 48;

/// The most sound that waits, in samples: one second. A track that stood still and then delivers everything at once loses
/// what is older.
const MAX_WAITING: usize = SAMPLE_RATE as usize;

/// What is taken for rounding and drift of timestamps, in samples. A packet that is missing, 20 ms, must show.
const TOLERANCE: i64 = 15 * MS;

/// The longest hole in the timestamps that is waited through, in samples. After a longer one a track begins anew.
const MAX_HOLE: i64 = SAMPLE_RATE as i64;

/// The part of a timestamp's error that the numbering follows with every frame: a clock that drifts never gets beyond the
/// tolerance.
const FOLLOWED: i64 = 50;

/// How much shorter than its target the wait may be before a piece is repeated, in samples.
const SHORT: i64 = 2 * MS;

/// How much longer it may be before a piece is left out, in samples: more than the longest piece, so that none is repeated
/// to make up for it.
const LONG: i64 = 18 * MS;

/// Beyond this distance from its target the wait is put right at once, in samples.
const FAR: i64 = 250 * MS;

/// How like two pieces must be to be taken for each other, unless the wait is half way to [`FAR`].
const LIKENESS: f32 = 0.4;

/// Blocks that are let pass where no such pieces were found, before they are looked for again: a fifth of a second, in which
/// a voice says something else. The search costs more than all the rest that a track needs.
const REST: u32 = 8;

/// What happened so far. All counts only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Samples left out to shorten the wait.
    pub left_out: u64,
    /// Samples repeated to lengthen it.
    pub repeated: u64,
    /// Samples made up, or silent, because none had come.
    pub missed: u64,
    /// Samples thrown away because too many waited.
    pub overflowed: u64,
    /// Jumps of the timestamps.
    pub jumps: u64,
}

/// The playout buffer of one track.
///
/// Samples are numbered as they come. How much later than the quickest frames others come is measured, and the block that
/// is given out at a tick ends with the sample that is certain to be there: so much and no more is waited. Where the wait
/// is wrong, because the network or a clock has changed, pieces of some milliseconds are left out or repeated; where sound
/// is late, what was heard last is drawn out.
#[derive(Debug, Default)]
pub struct Playout {
    waiting: VecDeque<f32>,
    /// The number of the next sample that comes; none before the first.
    end: Option<i64>,
    /// Added to timestamps, in samples, to get numbers.
    shift: i64,
    delay: Delay,
    /// Samples in the latest frame: those at its beginning came when those at its end did.
    frame: i64,
    playing: bool,
    /// Samples that were made up since the last one that waited.
    missed: i64,
    /// Where the last block began, as a number and on the mixer's timeline.
    position: Option<(i64, i64)>,
    concealer: Concealer,
    /// Blocks until pieces that are alike are looked for again.
    rest: u32,
    counters: Counters,
}

impl Playout {
    /// Takes samples that came at `arrival` on the mixer's timeline, the first of them stamped `time` on the track's.
    pub fn push(&mut self, arrival: StreamTime, time: StreamTime, sound: &[f32]) {
        if sound.is_empty() {
            return;
        }
        let hole = self.number(samples(time));
        self.append(hole - self.missed.clamp(0, hole), sound);
        self.missed = 0;
        let length = i64::try_from(sound.len()).unwrap_or(i64::MAX);
        let end = self.end.unwrap_or_default().saturating_add(hole).saturating_add(length);
        self.end = Some(end);
        self.frame = length;
        self.delay.observe(samples(arrival), end);
        let surplus = self.waiting.len().saturating_sub(MAX_WAITING);
        if surplus > 0 {
            self.counters.overflowed += surplus as u64;
            self.waiting.drain(..surplus);
        }
    }

    /// Fills `out` with what is heard at `now` on the mixer's timeline. To be called once for every block.
    pub fn pull(&mut self, now: StreamTime, out: &mut [f32; BLOCK]) {
        let now = samples(now);
        let Some(end) = self.end else { return out.fill(0.0) };
        let waiting = i64::try_from(self.waiting.len()).unwrap_or(i64::MAX);
        let start = end.saturating_sub(waiting);
        // How much longer than it needs the last sample of this block has waited.
        let needed = BLOCK as i64 + self.frame + self.delay.target();
        let surplus = now - self.delay.base() - start - needed;
        if !self.playing && (waiting == 0 || surplus < 0) {
            self.miss(out);
            return;
        }
        let resumes = !std::mem::replace(&mut self.playing, true);
        self.position = Some((start, now));
        let mut taken = [0.0; BLOCK + MAX_PERIOD];
        let available = self.waiting.len().min(taken.len());
        for (sample, waiting) in taken.iter_mut().zip(&self.waiting) {
            *sample = *waiting;
        }
        let used = self.fit(surplus, &mut taken, available);
        let made = used.made.min(BLOCK);
        if let (Some(out), Some(taken)) = (out.get_mut(..made), taken.get(..made)) {
            out.copy_from_slice(taken);
        }
        if resumes {
            let mut head = [0.0; OVERLAP];
            self.concealer.make(&mut head);
            join(&mut head, out.get_mut(..made).unwrap_or_default());
        }
        self.waiting.drain(..used.consumed.min(self.waiting.len()));
        self.concealer.hear(out.get(..made).unwrap_or_default());
        if made < BLOCK {
            self.playing = false;
            self.miss(out.get_mut(made..).unwrap_or_default());
        }
    }

    /// Lets go of what waits: the track is over, and its sound dies away.
    pub fn stop(&mut self) {
        self.waiting.clear();
    }

    /// Whether nothing waits and nothing is drawn out.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.waiting.is_empty() && self.concealer.is_silent()
    }

    /// When what is stamped `time` on the track's timeline is heard on the mixer's; none before anything was heard.
    #[must_use]
    pub fn heard_at(&self, time: StreamTime) -> Option<StreamTime> {
        let (number, at) = self.position?;
        let distance = samples(time).saturating_add(self.shift).saturating_sub(number);
        Some(queqiao_media::time::AudioTicks::new(at.saturating_add(distance)).rescale())
    }

    /// How long sound waits at present, beyond the time that the quickest frames take.
    #[must_use]
    pub fn target(&self) -> StreamTime {
        queqiao_media::time::AudioTicks::new(self.delay.target()).rescale()
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Appends sound behind a hole, in which what was heard before it is drawn out.
    fn append(&mut self, hole: i64, sound: &[f32]) {
        let hole = usize::try_from(hole).unwrap_or(0);
        if hole == 0 {
            self.waiting.extend(sound);
            return;
        }
        let mut concealer = self.concealer.clone();
        concealer.hear(self.waiting.make_contiguous());
        let mut drawn_out = vec![0.0; hole + OVERLAP];
        concealer.make(&mut drawn_out);
        let mut before = head(&drawn_out, hole);
        drawn_out.truncate(hole);
        drawn_out.extend(sound);
        join(&mut before, drawn_out.get_mut(hole..).unwrap_or_default());
        self.waiting.extend(drawn_out);
    }

    /// Fits the timestamp of a frame into the numbering. Returns how many samples are missing before it.
    fn number(&mut self, stamp: i64) -> i64 {
        let Some(end) = self.end else {
            (self.shift, self.end) = (0, Some(stamp));
            return 0;
        };
        let error = stamp.saturating_add(self.shift).saturating_sub(end);
        if error.abs() <= TOLERANCE {
            self.shift =
                self.shift.saturating_sub(error / FOLLOWED + error.signum() * i64::from(error.abs() > MS));
            return 0;
        }
        if (0..=MAX_HOLE).contains(&error) {
            return error;
        }
        self.counters.jumps += 1;
        self.shift = end.saturating_sub(stamp);
        self.delay.renumber();
        0
    }

    fn miss(&mut self, out: &mut [f32]) {
        self.concealer.make(out);
        if self.waiting.is_empty() {
            self.missed = self.missed.saturating_add(i64::try_from(out.len()).unwrap_or(i64::MAX));
        }
        self.counters.missed += out.len() as u64;
    }

    /// Leaves out or repeats a piece at the beginning of `taken`, of which `available` samples are there, if the wait is
    /// to be changed.
    fn fit(&mut self, surplus: i64, taken: &mut [f32; BLOCK + MAX_PERIOD], available: usize) -> Used {
        let untouched = Used { made: available.min(BLOCK), consumed: available.min(BLOCK) };
        // Sound that comes later than it once did is no reserve: there is nothing to leave out of a single block.
        let least = if surplus > 0 { BLOCK + MIN_PERIOD } else { BLOCK };
        if (-SHORT..=LONG).contains(&surplus) || available < least {
            return untouched;
        }
        let mut head = head(taken, 0);
        if surplus > FAR {
            let left_out = usize::try_from(surplus).unwrap_or(0).min(self.waiting.len() - BLOCK);
            for (sample, waiting) in taken.iter_mut().zip(self.waiting.iter().skip(left_out)) {
                *sample = *waiting;
            }
            join(&mut head, taken);
            self.counters.left_out += left_out as u64;
            return Used { made: BLOCK, consumed: BLOCK + left_out };
        }
        let bearable = surplus.abs() < FAR / 2;
        self.rest = self.rest.saturating_sub(1);
        if bearable && self.rest > 0 {
            return untouched;
        }
        let (period, likeness) = period(taken);
        if bearable && likeness < LIKENESS || surplus > 0 && available < BLOCK + period {
            self.rest = REST;
            return untouched;
        }
        if surplus < 0 {
            let mut after = self::head(taken, period);
            taken.copy_within(..BLOCK, period);
            join(&mut after, taken.get_mut(period..).unwrap_or_default());
            self.counters.repeated += period as u64;
            return Used { made: BLOCK, consumed: BLOCK - period };
        }
        taken.copy_within(period.., 0);
        join(&mut head, taken);
        self.counters.left_out += period as u64;
        Used { made: BLOCK, consumed: BLOCK + period }
    }
}

/// What a block was made of.
struct Used {
    /// Samples that are there.
    made: usize,
    /// Samples that they took.
    consumed: usize,
}

/// The first samples of `sound` from `start` on.
fn head(sound: &[f32], start: usize) -> [f32; OVERLAP] {
    std::array::from_fn(|index| sound.get(start + index).copied().unwrap_or_default())
}

/// Lets `sound` begin with `before`, and go over from it into itself.
fn join(before: &mut [f32; OVERLAP], sound: &mut [f32]) {
    let length = sound.len().min(OVERLAP);
    if let (Some(before), Some(sound)) = (before.get_mut(..length), sound.get_mut(..length)) {
        cross_fade(before, sound);
        sound.copy_from_slice(before);
    }
}

#[cfg(test)]
mod tests {
    use queqiao_media::time::AudioTicks;

    use super::*;
    use crate::testing::{Random, amplitude, steepest, tone};

    const HZ: f32 = 220.0;

    fn time(samples: i64) -> StreamTime {
        AudioTicks::new(samples).rescale()
    }

    /// Frames of 20 ms of a tone: when each comes, in samples after it was spoken, and its number.
    struct Line {
        playout: Playout,
        frames: VecDeque<(i64, i64)>,
        /// How fast the speaker's clock goes against the mixer's, millionths.
        ppm: i64,
        heard: Vec<f32>,
        blocks: i64,
    }

    impl Line {
        /// `late` says how late frame `index` comes, in milliseconds; none if it never does.
        fn new(frames: i64, ppm: i64, mut late: impl FnMut(i64) -> Option<i64>) -> Self {
            let on_clock = |sample: i64| sample - sample * ppm / 1_000_000;
            let mut all: Vec<_> = (0..frames)
                .filter_map(|index| Some((on_clock((index + 1) * 960) + late(index)? * MS, index)))
                .collect();
            all.sort_unstable();
            Self { playout: Playout::default(), frames: all.into(), ppm, heard: Vec::new(), blocks: 0 }
        }

        fn run(mut self, blocks: i64) -> Self {
            for _ in 0..blocks {
                let now = self.blocks * BLOCK as i64;
                while let Some((arrival, index)) = self.frames.pop_front_if(|(arrival, _)| *arrival <= now) {
                    let start = index * 960;
                    let sound: Vec<f32> = (start..start + 960).map(|index| tone(HZ, index)).collect();
                    self.playout.push(time(arrival), time(start), &sound);
                }
                let mut block = [0.0; BLOCK];
                self.playout.pull(time(now), &mut block);
                self.heard.extend(block);
                self.blocks += 1;
            }
            self
        }

        /// How much later than it was spoken the latest sample is heard, in milliseconds.
        fn delay(&self) -> i64 {
            let now = (self.blocks - 1) * BLOCK as i64;
            let (start, at) = self.playout.position.unwrap();
            assert_eq!(at, now);
            (now - (start - start * self.ppm / 1_000_000)) / MS
        }
    }

    #[test]
    fn an_even_stream_is_heard_as_it_was_with_little_delay() {
        let line = Line::new(1_500, 0, |_| Some(0)).run(1_400);
        assert_eq!(line.playout.counters().missed % BLOCK as u64, 0);
        assert!(line.delay() <= 65, "{}", line.delay());
        let steady = &line.heard[1_200 * BLOCK..];
        assert!((amplitude(&steady[..48_000], HZ) - 0.25).abs() < 0.01);
        assert!(steepest(steady) < 1.2 * 0.25 * std::f32::consts::TAU * HZ / 48_000.0);
    }

    #[test]
    fn a_stream_with_jitter_is_heard_without_holes_once_its_jitter_is_known() {
        for jitter in [20, 60, 120] {
            let mut random = Random::new(jitter);
            // A network keeps the order: a frame that is late holds up those behind it.
            let mut latest = 0;
            let line = Line::new(3_000, 0, |index| {
                let at = index * 20 + i64::try_from(random.below(jitter)).unwrap();
                latest = at.max(latest);
                Some(latest - index * 20)
            });
            let line = line.run(900);
            let before = line.playout.counters().missed;
            let line = line.run(1_200);
            let missed = line.playout.counters().missed - before;
            assert!(missed <= 1_200 * BLOCK as u64 / 100, "{jitter} ms: {missed}");
            let most = i64::try_from(jitter).unwrap() + 75;
            assert!(line.delay() <= most, "{jitter} ms: {}", line.delay());
        }
    }

    #[test]
    fn a_clock_that_is_200_ppm_off_for_half_an_hour_changes_neither_delay_nor_loudness() {
        for ppm in [200, -200] {
            let line = Line::new(90_500, ppm, |_| Some(0)).run(1_400);
            let (early, counters) = (line.delay(), line.playout.counters());
            let line = line.run(84_000 - 1_400);
            assert!((line.delay() - early).abs() <= 30, "{early} {}", line.delay());
            let after = line.playout.counters();
            let moved = (after.left_out - counters.left_out).abs_diff(after.repeated - counters.repeated);
            assert!((10_000..25_000).contains(&moved), "{moved} of 17200 samples");
            let end = &line.heard[line.heard.len() - 480_000..];
            let slope = 0.25 * std::f32::consts::TAU * HZ / 48_000.0;
            assert!(steepest(end) < 1.5 * slope, "no click: {} of {slope}", steepest(end));
        }
    }

    #[test]
    fn a_lost_frame_is_drawn_out_and_the_delay_stays() {
        let line = Line::new(1_500, 0, |index| (index % 50 != 49).then_some(0)).run(1_300);
        let early = line.delay();
        assert!(early <= 80, "{early}");
        let slope = 0.25 * std::f32::consts::TAU * HZ / 48_000.0;
        assert!(steepest(&line.heard[700 * BLOCK..]) < 3.0 * slope);
    }

    #[test]
    fn a_stream_that_stood_still_and_comes_at_once_is_live_again_within_a_second() {
        let held_up = |index: i64| Some(if (500..750).contains(&index) { (750 - index) * 20 } else { 0 });
        let line = Line::new(2_000, 0, held_up).run(704 + 47);
        assert!(line.delay() < 500, "{}", line.delay());
        let line = line.run(600);
        assert!(line.delay() < 150, "{}", line.delay());
    }

    #[test]
    fn a_stream_that_ends_dies_away_and_one_that_pauses_costs_no_delay() {
        let line = Line::new(1_000, 0, |index| (!(400..430).contains(&index)).then_some(0)).run(350);
        let before = line.delay();
        let line = line.run(400);
        assert!(line.delay() <= before + 5, "{before} {}", line.delay());
        let line = line.run(300);
        assert!(line.playout.is_silent());
        assert!(line.heard[line.heard.len() - BLOCK..].iter().all(|sample| *sample == 0.0));
    }

    #[test]
    fn a_picture_is_placed_where_its_sound_is_heard() {
        let line = Line::new(600, 0, |_| Some(0)).run(500);
        let now = time(499 * BLOCK as i64);
        let spoken = time(499 * BLOCK as i64 - line.delay() * MS);
        let heard = line.playout.heard_at(spoken).unwrap();
        assert!((heard - now).get().abs() < 2_000, "{heard:?} {now:?}");
    }

    #[test]
    fn what_waits_has_a_bound() {
        let mut playout = Playout::default();
        for index in 0..1_000 {
            playout.push(StreamTime::ZERO, time(index * 960), &[0.1; 960]);
        }
        assert!(playout.waiting.len() <= MAX_WAITING);
        assert_eq!(playout.counters().overflowed, 1_000 * 960 - MAX_WAITING as u64);
    }
}
