//! What is heard in place of sound that has not come: what was heard last, going down to silence.

use crate::splice::{MAX_PERIOD, OVERLAP, period};

/// How long the end of a sound is drawn out, in samples: 30 ms, after which repeating sounds like a machine.
const FADE: usize = 1_440;

/// How many samples are remembered to draw them out.
const MEMORY: usize = MAX_PERIOD + OVERLAP;

/// Draws the end of a sound out.
#[derive(Clone, Debug)]
pub(crate) struct Concealer {
    /// The latest sound, in order.
    memory: Box<[f32; MEMORY]>,
    /// How many of its last samples are repeated; none until they are needed.
    period: Option<usize>,
    /// Samples made since sound came last.
    made: usize,
}

impl Default for Concealer {
    fn default() -> Self {
        Self { memory: Box::new([0.0; MEMORY]), period: None, made: FADE }
    }
}

impl Concealer {
    /// Takes sound that is heard.
    pub(crate) fn hear(&mut self, sound: &[f32]) {
        let kept = sound.get(sound.len().saturating_sub(MEMORY)..).unwrap_or_default();
        self.memory.copy_within(kept.len().., 0);
        let start = MEMORY - kept.len();
        if let Some(end) = self.memory.get_mut(start..) {
            end.copy_from_slice(kept);
        }
        if !kept.is_empty() {
            (self.period, self.made) = (None, 0);
        }
    }

    /// Whether there is nothing left to draw out.
    pub(crate) const fn is_silent(&self) -> bool {
        self.made >= FADE
    }

    /// Makes the samples that come after what was heard and made.
    pub(crate) fn make(&mut self, out: &mut [f32]) {
        if self.is_silent() {
            out.fill(0.0);
            return;
        }
        let period = *self.period.get_or_insert_with(|| {
            // Looked for backwards, from the latest sample on.
            let mut reversed = *self.memory;
            reversed.reverse();
            period(&reversed).0
        });
        for sample in out {
            let repeated = self.memory.get(MEMORY - period + self.made % period).copied().unwrap_or_default();
            #[allow(clippy::cast_precision_loss)] // at most FADE
            let gain = 1.0 - self.made.min(FADE) as f32 / FADE as f32;
            *sample = repeated * gain;
            self.made = (self.made + 1).min(FADE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{steepest, tone};

    #[test]
    fn a_sound_that_breaks_off_goes_on_without_a_click_and_dies_away() {
        let sound: Vec<f32> = (0..2_000).map(|index| tone(200.0, index)).collect();
        let mut concealer = Concealer::default();
        concealer.hear(&sound);
        let mut made = [0.0; 2_000];
        concealer.make(&mut made);
        let all = [&sound[..], &made].concat();
        assert!(steepest(&all) < 1.3 * steepest(&sound), "{}", steepest(&all));
        assert!(made[..480].iter().any(|sample| sample.abs() > 0.15));
        assert!(made[FADE..].iter().all(|sample| *sample == 0.0) && concealer.is_silent());
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        let mut made = [1.0; 64];
        Concealer::default().make(&mut made);
        assert_eq!(made, [0.0; 64]);
    }
}
