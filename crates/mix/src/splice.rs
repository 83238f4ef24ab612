//! Leaving out or repeating a few milliseconds of sound where nobody hears it: at a distance at which it repeats itself.

/// The shortest piece, in samples: 2.5 ms, a voice of 400 Hz.
pub(crate) const MIN_PERIOD: usize = 120;

/// The longest piece, in samples: 15 ms, a voice of 67 Hz.
pub(crate) const MAX_PERIOD: usize = 720;

/// Over how many samples one piece goes over into another.
pub(crate) const OVERLAP: usize = 240;

/// Every how many samples are looked at first.
const COARSE: usize = 4;

/// The distance, from [`MIN_PERIOD`] to [`MAX_PERIOD`], at which `sound` is most like its first [`OVERLAP`] samples, and
/// how like it is there: 1 where it repeats exactly. Looks at `MAX_PERIOD + OVERLAP` samples.
pub(crate) fn period(sound: &[f32]) -> (usize, f32) {
    let likeness = |period: usize, step: usize| {
        let later = sound.get(period..).unwrap_or_default();
        let (mut product, mut power, mut later_power) = (0.0_f32, 1e-9_f32, 1e-9_f32);
        for (one, other) in sound.iter().take(OVERLAP).zip(later).step_by(step) {
            product += one * other;
            power += one * one;
            later_power += other * other;
        }
        product / (power * later_power).sqrt()
    };
    let best = |candidates: &mut dyn Iterator<Item = usize>, step: usize| {
        candidates.map(|period| (period, likeness(period, step))).fold(
            (MIN_PERIOD, f32::MIN),
            |best, next| {
                if next.1 > best.1 { next } else { best }
            },
        )
    };
    let (rough, _) = best(&mut (MIN_PERIOD..=MAX_PERIOD).step_by(COARSE), COARSE);
    let near = rough.saturating_sub(COARSE).max(MIN_PERIOD)..=(rough + COARSE).min(MAX_PERIOD);
    best(&mut near.into_iter(), 1)
}

/// Goes over from what is in `out` to `next`, over as many samples as the shorter has.
pub(crate) fn cross_fade(out: &mut [f32], next: &[f32]) {
    let length = out.len().min(next.len());
    for (index, (sample, next)) in out.iter_mut().zip(next).enumerate() {
        #[allow(clippy::cast_precision_loss)] // a few hundred
        let part = index as f32 / length.max(1) as f32;
        *sample += (next - *sample) * part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tone;

    #[test]
    fn the_period_of_a_tone_is_found() {
        for hz in [80.0_f32, 150.0, 220.0, 330.0] {
            let sound: Vec<f32> = (0..1_000).map(|index| tone(hz, index)).collect();
            let (period, likeness) = period(&sound);
            let turns = period as f32 * hz / 48_000.0;
            assert!((turns - turns.round()).abs() < 0.02 && likeness > 0.99, "{hz}: {period} {likeness}");
        }
    }

    #[test]
    fn silence_has_a_period_like_everything_else() {
        assert!((MIN_PERIOD..=MAX_PERIOD).contains(&period(&[0.0; 1_000]).0));
    }
}
