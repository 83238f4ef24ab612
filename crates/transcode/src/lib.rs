//! AAC to Opus and back, with resampling and sample clocks.
//!
//! One transcoder serves one track: frames are pushed in, frames of the other codec come out, and no call waits,
//! reads a clock or does IO. The output's timestamps come from counting samples, anchored to the input's timestamps:
//! see [`Counters`] for the repairs that keep the two together. The delays of decoder, resampler and encoder are taken
//! out of the output's timestamps, so sound stays on the timeline that it came from.

#![deny(unsafe_code)]

mod aac_decode;
mod aac_encode;
mod aac_to_opus;
mod error;
#[cfg(feature = "fdk-aac")]
#[allow(unsafe_code)]
pub mod fdk;
mod fifo;
mod opus_to_aac;
mod resample;
mod settings;
mod to_pcm;

pub use aac_encode::{Encoder as AacEncoder, FRAME_LEN as AAC_FRAME_LEN};
pub use aac_to_opus::{AacToOpus, LOSS_END, LOSS_START};
pub use error::Error;
pub use opus_to_aac::OpusToAac;
pub use settings::{AacSettings, Application, ChannelPolicy, Counters, OpusSettings};
pub use to_pcm::{AacToPcm, OpusToPcm};

/// The sample rate of everything that leaves this crate, in Hz.
pub const SAMPLE_RATE: u32 = 48_000;
