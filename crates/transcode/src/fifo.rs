//! A sample FIFO that knows when each of its samples is heard.
//!
//! It stands between frames of 1024 and of 960 samples, and between two clocks: the input's timestamps, which are
//! rounded and jittery, and the count of its samples, which is smooth but drifts from them. The output follows the
//! count, and the count is bent towards the timestamps: see [`Fifo::push`].

use queqiao_media::time::StreamTime;

use crate::settings::Counters;

/// Samples a second of everything in a [`Fifo`].
const RATE: i64 = 48_000;
/// The longest gap that is filled with silence, in microseconds. A longer one is a new beginning: a publisher that was
/// away; nobody wants to wait through its absence. It also bounds what a single push can add.
const MAX_FILL_US: i64 = 1_000_000;
/// The longest stretch of repeated time whose samples are thrown away, in microseconds. A step further back is a clock
/// that was set anew: its sound is kept.
const MAX_OVERLAP_US: i64 = 1_000_000;
/// The time constant of the drift filter, in samples: long against jitter, short against drift.
const SMOOTHING: f64 = 24_000.0;
/// Smoothed drift at which correction starts, in microseconds: more than RTMP's rounding to a millisecond explains.
const SLEW_START_US: f64 = 3_000.0;
/// Smoothed drift at which correction ends, in microseconds.
const SLEW_END_US: f64 = 600.0;
/// Each such step of drift, in microseconds, adds one sample to a correction.
const SLEW_STEP_US: f64 = 5_000.0;
/// The most samples put in or taken out at once.
const MAX_SLEW: usize = 4;
/// Samples that must pass for each sample of correction: 0.4 % is a change of pitch that nobody hears.
const SAMPLES_PER_SLEW: usize = 240;

/// Interleaved samples at 48 kHz, each with a time.
#[derive(Debug)]
pub(crate) struct Fifo {
    channels: usize,
    samples: Vec<f32>,
    /// Frames at the front of `samples` that were already popped.
    consumed: usize,
    /// The time of frame 0; none before the first push.
    origin: Option<StreamTime>,
    /// The number of the first frame that is still to be popped.
    head: i64,
    /// Added to the input's times since they last stepped back too far to follow.
    shift: StreamTime,
    tolerance_us: i64,
    align: bool,
    drift: Drift,
}

impl Fifo {
    /// An empty FIFO that takes timestamps up to `tolerance_us` off its sample count for jitter.
    pub(crate) fn new(channels: usize, tolerance_us: i64) -> Self {
        Self {
            channels: channels.max(1),
            samples: Vec::new(),
            consumed: 0,
            origin: None,
            head: 0,
            shift: StreamTime::ZERO,
            tolerance_us,
            align: false,
            drift: Drift::default(),
        }
    }

    /// The time at which the next pushed sample is due; none before the first push.
    pub(crate) fn end_time(&self) -> Option<StreamTime> {
        let waiting = i64::try_from(self.len()).unwrap_or(i64::MAX);
        self.origin.map(|origin| origin + span(self.head.saturating_add(waiting)))
    }

    /// How far `time` lies behind the end of what was pushed, in microseconds; negative before it.
    pub(crate) fn gap_us(&self, time: StreamTime) -> i64 {
        self.end_time().map_or(0, |end| (time + self.shift - end).get())
    }

    /// Makes the next push fit its time exactly, whatever the tolerance: after a change of decoder or resampler.
    pub(crate) fn align_next(&mut self) {
        self.align = true;
    }

    /// Changes the number of channels, also of what waits. Mono is copied to both sides; stereo is averaged.
    pub(crate) fn set_channels(&mut self, channels: usize) {
        let channels = channels.max(1);
        if channels == self.channels {
            return;
        }
        self.compact();
        let old = std::mem::take(&mut self.samples);
        remix(&old, self.channels, channels, &mut self.samples);
        self.channels = channels;
    }

    /// Appends interleaved samples of which the first is heard at `time`.
    ///
    /// Against the sample count, `time` may be
    /// - off by the tolerance or less: ignored, but a lasting error is followed by stretching or squeezing a little;
    /// - later: the gap is filled with silence, or, beyond [`MAX_FILL_US`], what waits is dropped and time jumps;
    /// - earlier: samples are dropped until time goes on, or, beyond [`MAX_OVERLAP_US`], kept: the output's clock never
    ///   goes back, and the input's is taken to be shifted until it jumps forward again.
    pub(crate) fn push(&mut self, time: StreamTime, samples: &[f32], counters: &mut Counters) {
        self.compact();
        let frames = samples.len() / self.channels;
        if frames == 0 {
            return;
        }
        if self.origin.is_none() {
            self.anchor(time);
        }
        let error = self.gap_us(time);
        let tolerance = if self.align { 0 } else { self.tolerance_us };
        // Still to be aligned if nothing of these samples is late enough to be kept.
        self.align &= (-MAX_OVERLAP_US..0).contains(&error) && frames_in(-error) >= frames;
        if error > MAX_FILL_US {
            counters.jumps += 1;
            self.jump(time);
            self.samples.extend_from_slice(samples);
        } else if error > tolerance {
            let missing = frames_in(error);
            counters.filled_samples += missing as u64;
            self.samples.resize(self.samples.len() + missing * self.channels, 0.0);
            self.drift = Drift::default();
            self.samples.extend_from_slice(samples);
        } else if error < -MAX_OVERLAP_US {
            counters.jumps += 1;
            self.shift = self.end_time().unwrap_or(time) - time;
            self.drift = Drift::default();
            self.samples.extend_from_slice(samples);
        } else if error < -tolerance {
            let repeated = frames_in(-error).min(frames);
            counters.dropped_samples += repeated as u64;
            self.drift = Drift::default();
            self.samples.extend_from_slice(samples.get(repeated * self.channels..).unwrap_or_default());
        } else {
            self.append_slewed(error, samples, frames, counters);
        }
    }

    /// Appends samples right after what was pushed, whatever their time.
    pub(crate) fn push_on(&mut self, samples: &[f32]) {
        self.compact();
        self.samples.extend_from_slice(samples);
    }

    /// Takes the first `frames` frames and their time, once there are so many.
    pub(crate) fn pop(&mut self, frames: usize) -> Option<(StreamTime, &[f32])> {
        let time = self.origin? + span(self.head);
        let start = self.consumed * self.channels;
        let taken = self.samples.get(start..start + frames * self.channels)?;
        self.consumed += frames;
        self.head = self.head.saturating_add(i64::try_from(frames).unwrap_or(i64::MAX));
        Some((time, taken))
    }

    /// Moves the place from which the next frames are taken, right after some were: forward over frames that wait, or back
    /// over such that were just taken. Returns whether there are so many.
    pub(crate) fn seek(&mut self, frames: i64) -> bool {
        let place = i64::try_from(self.consumed).ok().and_then(|place| place.checked_add(frames));
        let Some(place) = place.and_then(|place| usize::try_from(place).ok()) else { return false };
        if place * self.channels > self.samples.len() {
            return false;
        }
        self.consumed = place;
        self.head = self.head.saturating_add(frames);
        true
    }

    /// The frames right before that place, as far as they have not been forgotten.
    pub(crate) fn before(&self, frames: usize) -> Option<&[f32]> {
        let start = self.consumed.checked_sub(frames)?;
        self.samples.get(start * self.channels..self.consumed * self.channels)
    }

    fn len(&self) -> usize {
        (self.samples.len() / self.channels).saturating_sub(self.consumed)
    }

    fn compact(&mut self) {
        let popped = (self.consumed * self.channels).min(self.samples.len());
        self.samples.drain(..popped);
        self.consumed = 0;
    }

    fn anchor(&mut self, time: StreamTime) {
        self.origin = Some(time);
        self.head = 0;
        self.drift = Drift::default();
    }

    /// Goes to a later time. What waits is less than an output frame, or the caller would have popped it.
    fn jump(&mut self, time: StreamTime) {
        let own_time_is_later = self.end_time().is_none_or(|end| time > end);
        if own_time_is_later {
            self.shift = StreamTime::ZERO;
        }
        self.samples.clear();
        self.anchor(time + self.shift);
    }

    fn append_slewed(&mut self, error: i64, samples: &[f32], frames: usize, counters: &mut Counters) {
        let correction = self.drift.observe(error, frames);
        if correction == 0 {
            self.samples.extend_from_slice(samples);
            return;
        }
        counters.slewed_samples += correction.unsigned_abs() as u64;
        let target = frames.saturating_add_signed(correction);
        stretch(samples, self.channels, frames, target, &mut self.samples);
    }
}

/// The lasting part of the difference between timestamps and sample count.
#[derive(Debug, Default)]
struct Drift {
    smoothed_us: f64,
    slewing: bool,
    /// Samples seen since the last correction, as far as they count.
    credit: usize,
}

impl Drift {
    /// Takes the error of `frames` frames; answers how many frames to put in (or, negative, to take out).
    fn observe(&mut self, error_us: i64, frames: usize) -> isize {
        #[allow(clippy::cast_precision_loss)]
        // both are small: at most the tolerance, at most a second of samples
        let (error, weight) = (error_us as f64, (frames as f64 / SMOOTHING).min(1.0));
        self.smoothed_us += (error - self.smoothed_us) * weight;
        self.credit = self.credit.saturating_add(frames).min(MAX_SLEW * SAMPLES_PER_SLEW);
        let size = self.smoothed_us.abs();
        self.slewing = size > if self.slewing { SLEW_END_US } else { SLEW_START_US };
        if !self.slewing {
            return 0;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not negative, and limited below
        let wanted = 1 + (size / SLEW_STEP_US) as usize;
        let count = wanted.min(MAX_SLEW).min(self.credit / SAMPLES_PER_SLEW).min(frames / 2);
        if count == 0 {
            return 0;
        }
        self.credit = 0;
        let count = isize::try_from(count).unwrap_or(0);
        let signed = if self.smoothed_us > 0.0 { count } else { -count };
        #[allow(clippy::cast_precision_loss)] // at most MAX_SLEW
        let moved = signed as f64 * 1e6 / RATE as f64;
        self.smoothed_us -= moved;
        signed
    }
}

/// The time that `frames` frames take, to the nearest microsecond. Does not accumulate rounding.
fn span(frames: i64) -> StreamTime {
    StreamTime::new(
        (i128::from(frames) * 1_000_000 + i128::from(RATE / 2)).div_euclid(i128::from(RATE)) as i64
    )
}

/// The frames that a time between zero and a second takes.
fn frames_in(us: i64) -> usize {
    usize::try_from((us.max(0) * RATE + 500_000) / 1_000_000).unwrap_or(0)
}

/// Appends `frames` frames as `target` frames, by cubic interpolation with even steps, so that frames join seamlessly.
fn stretch(samples: &[f32], channels: usize, frames: usize, target: usize, out: &mut Vec<f32>) {
    #[allow(clippy::cast_precision_loss)] // frame counts are far below 2^24
    let step = frames as f64 / target.max(1) as f64;
    let last = frames.saturating_sub(1);
    for n in 0..target {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let (index, t) = {
            let x = n as f64 * step;
            (x as usize, x.fract() as f32)
        };
        for channel in 0..channels {
            let at = |frame: usize| samples.get(frame.min(last) * channels + channel).copied().unwrap_or(0.0);
            let (a, b, c, d) = (at(index.saturating_sub(1)), at(index), at(index + 1), at(index + 2));
            let slope_b = (c - a) * 0.5;
            let slope_c = (d - b) * 0.5;
            let cubic = 2.0 * (b - c) + slope_b + slope_c;
            let square = 3.0 * (c - b) - 2.0 * slope_b - slope_c;
            out.push(((cubic * t + square) * t + slope_b) * t + b);
        }
    }
}

/// Appends interleaved samples with another number of channels (one or two) to `out`.
pub(crate) fn remix(samples: &[f32], from: usize, to: usize, out: &mut Vec<f32>) {
    match (from, to) {
        (1, 2) => out.extend(samples.iter().flat_map(|&sample| [sample, sample])),
        (2, 1) => out.extend(samples.chunks_exact(2).map(|pair| pair.iter().sum::<f32>() * 0.5)),
        _ => out.extend_from_slice(samples),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE_US: i64 = 40_000;

    /// A publisher of AAC whose samples are worth their own number (at its own rate), and what becomes of them.
    struct Run {
        fifo: Fifo,
        counters: Counters,
        times: Vec<i64>,
        /// Where the output and the input say that the same sample is heard, in microseconds apart.
        worst_error_us: f64,
    }

    impl Run {
        fn new() -> Self {
            let fifo = Fifo::new(1, TOLERANCE_US);
            Self { fifo, counters: Counters::default(), times: Vec::new(), worst_error_us: 0.0 }
        }

        fn push(&mut self, time_us: i64, samples: &[f32]) {
            self.fifo.push(StreamTime::new(time_us), samples, &mut self.counters);
            while let Some((time, _)) = self.fifo.pop(960) {
                self.times.push(time.get());
            }
        }

        fn steps(&self) -> impl Iterator<Item = i64> {
            self.times.windows(2).map(|pair| pair[1] - pair[0])
        }
    }

    /// `seconds` of 1024-sample frames of a 44.1 kHz publisher, resampled; `ppm` is how much its samples are faster than
    /// its timestamps. Stamps are whole milliseconds with a jitter from `jitter_us`.
    fn publish(seconds: i64, ppm: i64, jitter_us: impl Fn(i64) -> i64) -> Run {
        let mut run = Run::new();
        let samples = vec![0.0; 1_200];
        let (mut sent, mut n) = (0_i64, 0_i64);
        loop {
            let true_us = n * 1_024 * 1_000_000 / 44_100 * (1_000_000 - ppm) / 1_000_000;
            if true_us > seconds * 1_000_000 {
                return run;
            }
            // The resampler delivers what the frames so far are worth.
            let due = (n + 1) * 1_024 * 160 / 147;
            let count = usize::try_from(due - sent).unwrap();
            let stamp = (true_us + jitter_us(n)) / 1_000 * 1_000;
            run.push(stamp, &samples[..count]);
            if let Some(end) = run.fifo.end_time() {
                let next_us = (n + 1) * 1_024 * 1_000_000 / 44_100 * (1_000_000 - ppm) / 1_000_000;
                #[allow(clippy::cast_precision_loss)]
                let error = (end.get() - next_us) as f64;
                run.worst_error_us = run.worst_error_us.max(error.abs());
            }
            (sent, n) = (due, n + 1);
        }
    }

    #[test]
    fn an_hour_of_rounded_timestamps_stays_within_5_ms_in_steps_of_exactly_20_ms() {
        let run = publish(3_600, 0, |_| 0);
        assert!(run.worst_error_us < 5_000.0, "{} us", run.worst_error_us);
        assert!(run.times.len() > 179_990);
        assert!(run.steps().all(|step| step == 20_000));
        assert_eq!(run.counters, Counters::default());
    }

    #[test]
    fn a_clock_200_ppm_fast_or_slow_is_followed_within_10_ms_for_an_hour() {
        for ppm in [200, -200] {
            let run = publish(3_600, ppm, |_| 0);
            assert!(run.worst_error_us < 10_000.0, "{ppm} ppm: {} us", run.worst_error_us);
            assert!(run.steps().all(|step| step == 20_000));
            // 200 ppm of an hour is 34560 samples, give or take the few milliseconds that are tolerated.
            assert!((34_300..34_900).contains(&run.counters.slewed_samples), "{:?}", run.counters);
            assert_eq!(run.counters.filled_samples + run.counters.dropped_samples + run.counters.jumps, 0);
        }
    }

    #[test]
    fn jitter_of_15_ms_alone_moves_nothing() {
        let run = publish(600, 0, |n| (n * 7_919 % 31 - 15) * 1_000);
        assert!(run.worst_error_us < 20_000.0, "{} us", run.worst_error_us);
        assert_eq!(run.counters.filled_samples + run.counters.dropped_samples + run.counters.jumps, 0);
        assert!(run.steps().all(|step| step == 20_000));
    }

    #[test]
    fn a_lasting_offset_below_the_tolerance_is_slewed_away() {
        let run = publish(60, 0, |n| if n < 5 { 0 } else { 30_000 });
        // 30 ms are 1440 samples, of which the last fraction of a millisecond may stay.
        assert!((1_340..1_500).contains(&run.counters.slewed_samples), "{:?}", run.counters);
        assert_eq!(run.counters.filled_samples + run.counters.dropped_samples + run.counters.jumps, 0);
    }

    #[test]
    fn a_gap_is_filled_with_as_much_silence_as_it_is_long() {
        let mut run = Run::new();
        run.push(0, &[0.5; 960]);
        run.push(120_000, &[0.5; 960]);
        assert_eq!(run.counters.filled_samples, 4_800);
        assert_eq!(run.times, [0, 20_000, 40_000, 60_000, 80_000, 100_000, 120_000]);
    }

    #[test]
    fn a_gap_of_more_than_a_second_moves_time_without_filling_it() {
        let mut run = Run::new();
        run.push(0, &[0.5; 1_000]);
        run.push(5_000_000, &[0.5; 1_920]);
        assert_eq!(run.times, [0, 5_000_000, 5_020_000]);
        assert_eq!((run.counters.jumps, run.counters.filled_samples), (1, 0));
    }

    #[test]
    fn repeated_time_is_dropped() {
        let mut run = Run::new();
        run.push(0, &[0.5; 4_800]);
        run.push(50_000, &[0.5; 4_800]);
        assert_eq!(run.counters.dropped_samples, 2_400);
        assert_eq!(run.fifo.end_time(), Some(StreamTime::new(150_000)));
    }

    #[test]
    fn a_clock_that_steps_back_far_never_turns_the_output_back() {
        let mut run = Run::new();
        for n in 0..10 {
            run.push(60_000_000 + n * 20_000, &[0.5; 960]);
        }
        for n in 0..10 {
            run.push(n * 20_000, &[0.5; 960]);
        }
        assert!(run.steps().all(|step| step == 20_000));
        assert_eq!((run.times.len(), run.counters.jumps, run.counters.dropped_samples), (20, 1, 0));
        // Once the input's clock is ahead again, its times are taken as they are.
        run.push(70_000_000, &[0.5; 960]);
        assert_eq!(run.times.last(), Some(&70_000_000));
    }

    #[test]
    fn after_align_next_even_a_small_gap_is_filled_exactly() {
        let mut run = Run::new();
        run.push(0, &[0.5; 960]);
        run.fifo.align_next();
        run.push(30_000, &[0.5; 960]);
        assert_eq!(run.fifo.end_time(), Some(StreamTime::new(50_000)));
        assert_eq!(run.counters.filled_samples, 480);
    }

    #[test]
    fn alignment_lasts_until_time_has_caught_up() {
        let mut run = Run::new();
        run.push(0, &[0.5; 4_800]);
        run.fifo.align_next();
        for n in 0..6 {
            run.push(10_000 + n * 20_000, &[0.5; 960]);
        }
        assert_eq!(run.fifo.end_time(), Some(StreamTime::new(130_000)));
        assert_eq!(run.counters.dropped_samples, 4_320);
    }

    #[test]
    fn waiting_samples_survive_a_change_of_channels() {
        let mut fifo = Fifo::new(1, TOLERANCE_US);
        let mut counters = Counters::default();
        fifo.push(StreamTime::ZERO, &[0.25; 100], &mut counters);
        fifo.set_channels(2);
        fifo.push(StreamTime::new(2_083), &[0.5; 100], &mut counters);
        let (time, samples) = fifo.pop(150).unwrap();
        assert_eq!((time, samples.len()), (StreamTime::ZERO, 300));
        assert_eq!((samples[199], samples[200]), (0.25, 0.5));
    }

    #[test]
    fn frames_can_be_taken_once_more_or_passed_over_and_keep_their_times() {
        let mut fifo = Fifo::new(2, TOLERANCE_US);
        let samples: Vec<f32> = (0_u8..200).map(f32::from).collect();
        fifo.push(StreamTime::ZERO, &samples, &mut Counters::default());
        fifo.pop(48).unwrap();
        assert!(fifo.seek(-12) && fifo.before(2).unwrap() == [68.0, 69.0, 70.0, 71.0]);
        let (time, taken) = fifo.pop(12).unwrap();
        assert_eq!((time.get(), taken[0]), (750, 72.0));
        assert!(fifo.seek(12));
        let (time, taken) = fifo.pop(12).unwrap();
        assert_eq!((time.get(), taken[0]), (1_250, 120.0));
        assert!(!fifo.seek(60) && !fifo.seek(-100) && fifo.before(100).is_none());
    }

    #[test]
    fn stretching_keeps_a_sine_a_sine() {
        let sine: Vec<f32> = (0..1_024_i16).map(|n| (f32::from(n) * 0.1).sin()).collect();
        for target in [1_020_u16, 1_023, 1_025, 1_028] {
            let mut out = Vec::new();
            stretch(&sine, 1, sine.len(), usize::from(target), &mut out);
            assert_eq!(out.len(), usize::from(target));
            let step = 1_024.0 / f32::from(target);
            for (n, sample) in out.iter().enumerate().take(usize::from(target) - 3).skip(1) {
                let wanted = (f32::from(u16::try_from(n).unwrap()) * step * 0.1).sin();
                assert!((sample - wanted).abs() < 1e-3, "{target}: {n}: {sample} {wanted}");
            }
        }
    }

    #[test]
    fn the_extremes_of_time_do_not_panic() {
        let mut run = Run::new();
        for time in [i64::MIN, i64::MAX, 0, i64::MIN, -1, i64::MAX, i64::MAX] {
            run.push(time, &[0.5; 1_024]);
        }
        assert!(run.fifo.len() < 960);
    }
}
