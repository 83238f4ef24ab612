//! Any usual sample rate to 48 kHz, in blocks small enough to add only a few milliseconds.

use queqiao_media::time::StreamTime;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use crate::SAMPLE_RATE;
use crate::error::Error;

/// The shortest block on either side, in samples: shorter ones cut audibly into the highest frequencies.
const MIN_BLOCK: usize = 128;
/// The longest block on either side, in samples. The standard rates stay below 700; only a rate that shares no factor
/// with 48 kHz, which no encoder uses, would need more.
const MAX_BLOCK: usize = 2_048;

/// A converter of interleaved samples to 48 kHz.
pub(crate) struct Resampler {
    rate: u32,
    channels: usize,
    /// None where the input has the right rate already.
    fft: Option<Fft<f32>>,
    /// Input that does not fill a block yet.
    pending: Vec<f32>,
    /// Output of one block.
    block: Vec<f32>,
}

impl Resampler {
    /// A converter from `rate` Hz.
    ///
    /// # Errors
    /// [`Error::SampleRate`] where a block would be too long.
    pub(crate) fn new(rate: u32, channels: usize) -> Result<Self, Error> {
        if rate == SAMPLE_RATE {
            return Ok(Self { rate, channels, fft: None, pending: Vec::new(), block: Vec::new() });
        }
        let (block_in, block_out) = block_sizes(rate).ok_or(Error::SampleRate(rate))?;
        let (input, output) = (rate as usize, SAMPLE_RATE as usize);
        let window = WindowFunction::Blackman2;
        let fft = Fft::new_custom(input, output, block_in, 1, channels, window, FixedSync::Both)
            .map_err(|error| Error::Resampler { rate, reason: error.to_string() })?;
        let block = vec![0.0; block_out * channels];
        Ok(Self { rate, channels, fft: Some(fft), pending: Vec::with_capacity(block_in * channels), block })
    }

    /// Whether this converter fits samples of that kind.
    pub(crate) fn fits(&self, rate: u32, channels: usize) -> bool {
        self.rate == rate && self.channels == channels
    }

    /// The time between a sample going in and the same sample in the output, without the wait for a block.
    pub(crate) fn filter_delay_us(&self) -> i64 {
        let frames = self.fft.as_ref().map_or(0, |fft| fft.output_delay());
        to_us(frames, SAMPLE_RATE)
    }

    /// The longest wait for a block to fill, in microseconds, if frames of `frame` samples go in.
    pub(crate) fn block_delay_us(&self, frame: usize) -> i64 {
        let left = self.fft.as_ref().map_or(0, |fft| {
            let block = fft.fft_size_in().max(1);
            if frame.is_multiple_of(block) { 0 } else { block - 1 }
        });
        to_us(left, self.rate)
    }

    /// Appends what `samples` become to `out`. If the first of them is heard at `time`, the first of the output is heard
    /// at the returned time.
    ///
    /// # Errors
    /// [`Error::Resampler`], which would be a bug.
    pub(crate) fn process(
        &mut self,
        time: StreamTime,
        samples: &[f32],
        out: &mut Vec<f32>,
    ) -> Result<StreamTime, Error> {
        let waiting = to_us(self.pending.len() / self.channels.max(1), self.rate);
        let start = time - StreamTime::new(waiting + self.filter_delay_us());
        let Some(fft) = &mut self.fft else {
            out.extend_from_slice(samples);
            return Ok(time);
        };
        let (channels, rate) = (self.channels, self.rate);
        let failed = |reason: String| Error::Resampler { rate, reason };
        let (block_in, block_out) = (fft.fft_size_in(), fft.fft_size_out());
        self.pending.extend_from_slice(samples);
        let mut blocks = self.pending.chunks_exact(block_in * channels);
        for block in blocks.by_ref() {
            let input =
                InterleavedSlice::new(block, channels, block_in).map_err(|e| failed(e.to_string()))?;
            let mut output = InterleavedSlice::new_mut(&mut self.block, channels, block_out)
                .map_err(|error| failed(error.to_string()))?;
            fft.process_into_buffer(&input, &mut output, None).map_err(|error| failed(error.to_string()))?;
            out.extend_from_slice(&self.block);
        }
        let used = self.pending.len() - blocks.remainder().len();
        self.pending.drain(..used);
        Ok(start)
    }
}

/// The smallest blocks of input and output that fit together and are at least [`MIN_BLOCK`] long.
fn block_sizes(rate: u32) -> Option<(usize, usize)> {
    let common = gcd(rate, SAMPLE_RATE);
    let unit_in = (rate / common.max(1)) as usize;
    let unit_out = (SAMPLE_RATE / common.max(1)) as usize;
    let shorter = unit_in.min(unit_out);
    if shorter == 0 || unit_in.max(unit_out) > MAX_BLOCK {
        return None;
    }
    let units = MIN_BLOCK.div_ceil(shorter);
    let (block_in, block_out) = (unit_in * units, unit_out * units);
    // A rate far below any encoder's would otherwise blow up one frame to seconds of sound.
    (block_in.max(block_out) <= MAX_BLOCK).then_some((block_in, block_out))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn to_us(frames: usize, rate: u32) -> i64 {
    let frames = i64::try_from(frames).unwrap_or(i64::MAX / 2_000_000);
    frames.saturating_mul(1_000_000) / i64::from(rate.max(1))
}
