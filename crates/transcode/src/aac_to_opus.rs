//! AAC frames to Opus packets of 20 ms.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;

use crate::aac_decode::{Decoder, Pcm};
use crate::error::Error;
use crate::fifo::{Fifo, remix};
use crate::resample::Resampler;
use crate::settings::{Application, ChannelPolicy, Counters, OpusSettings};

/// Samples of each channel in a packet: 20 ms.
const FRAME_LEN: usize = 960;
/// The same in microseconds.
const FRAME_US: i64 = 20_000;
/// The largest packet that the encoder may make, in bytes: one that fits into a datagram on any path.
const MAX_PACKET_BYTES: usize = 1_200;
/// What is taken for jitter of timestamps, in microseconds: phones and encoders stamp frames up to two frame lengths off,
/// and this much nobody sees between lips and voice.
const TOLERANCE_US: i64 = 40_000;

/// Turns one AAC track into Opus at 48 kHz in packets of 20 ms.
///
/// Packets are stamped with the time at which their first sample is heard, and follow each other by exactly 20 ms except
/// where the input's timestamps jump.
pub struct AacToOpus {
    settings: OpusSettings,
    decoder: Option<Decoder>,
    /// A configuration that cannot be transcoded, and was reported.
    refused: Option<Arc<aac::Config>>,
    resampler: Option<Resampler>,
    fifo: Fifo,
    encoder: opus::Encoder,
    /// What the encoder is prepared for.
    guard: Guard,
    /// The one that takes over with the next packet.
    next_encoder: Option<opus::Encoder>,
    channels: usize,
    /// Of the present encoder, in samples.
    lookahead: i64,
    pcm: Pcm,
    mixed: Vec<f32>,
    resampled: Vec<f32>,
    packet: Box<[u8]>,
    counters: Counters,
}

impl AacToOpus {
    /// A transcoder that waits for its first frame.
    ///
    /// # Errors
    /// [`Error::Opus`] for settings that libopus does not take.
    pub fn new(settings: OpusSettings) -> Result<Self, Error> {
        let channels = if settings.channels == ChannelPolicy::Stereo { 2 } else { 1 };
        let mut encoder = new_encoder(&settings, channels, Guard::default())?;
        let lookahead = encoder.get_lookahead()?;
        Ok(Self {
            settings,
            decoder: None,
            refused: None,
            resampler: None,
            fifo: Fifo::new(channels, TOLERANCE_US),
            encoder,
            guard: Guard::default(),
            next_encoder: None,
            channels,
            lookahead: lookahead.into(),
            pcm: Pcm::default(),
            mixed: Vec::new(),
            resampled: Vec::new(),
            packet: vec![0; MAX_PACKET_BYTES].into_boxed_slice(),
            counters: Counters::default(),
        })
    }

    /// Takes one frame and appends the packets that it completes to `out`.
    ///
    /// A frame that cannot be decoded is counted and replaced by silence.
    ///
    /// # Errors
    /// [`Error::UnsupportedConfig`] or [`Error::SampleRate`] where a new configuration begins that cannot be transcoded.
    /// Later frames of it are only counted as bad; a change of configuration starts again. Other errors would be bugs.
    pub fn push(&mut self, frame: &AacFrame, out: &mut Vec<OpusPacket>) -> Result<(), Error> {
        if self.refused.as_ref() == Some(&frame.config) {
            self.counters.bad_frames += 1;
            return Ok(());
        }
        self.transcode(frame, out).inspect_err(|_| {
            self.counters.bad_frames += 1;
            self.refused = Some(Arc::clone(&frame.config));
        })
    }

    /// The longest time that this direction adds to the sound's way: the wait for 20 ms to fill, the encoder's lookahead
    /// and the resampler. (A frame of AAC is a wait in itself, but not this one's: a player would have it, too.)
    #[must_use]
    pub fn delay(&self) -> Duration {
        let frame = self.pcm.samples.len() / self.pcm.channels.max(1);
        let resampler = self.resampler.as_ref().map_or(0, |r| r.filter_delay_us() + r.block_delay_us(frame));
        let decoder = i64::from(self.pcm.delay) * 1_000_000 / i64::from(self.pcm.sample_rate.max(1));
        StreamTime::new(FRAME_US + lookahead_us(self.lookahead) + resampler + decoder).to_duration()
    }

    /// Prepares for the share of packets, 0 to 1, that get lost on the way to listeners: from [`LOSS_START`] on packets
    /// carry the sound of the one before once more (in-band FEC, RFC 6716 section 2.1.7), until it falls below
    /// [`LOSS_END`]. The change takes place between two packets and is not heard; packets then leave 4 ms later.
    ///
    /// # Errors
    /// [`Error::Opus`], which would be a bug.
    pub fn prepare_for_loss(&mut self, share: f32) -> Result<(), Error> {
        let guard = self.guard.follow(share);
        match (self.guard, guard) {
            (before, now) if before == now => {}
            (Guard::Redundant { .. }, Guard::Redundant { percent }) => {
                self.next_encoder.as_mut().unwrap_or(&mut self.encoder).set_packet_loss_perc(percent)?;
            }
            _ => self.next_encoder = Some(new_encoder(&self.settings, self.channels, guard)?),
        }
        self.guard = guard;
        Ok(())
    }

    /// What was put right so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn transcode(&mut self, frame: &AacFrame, out: &mut Vec<OpusPacket>) -> Result<(), Error> {
        self.refused = None;
        self.follow_config(frame)?;
        let good = self.decoder.as_mut().is_some_and(|decoder| decoder.decode(&frame.data, &mut self.pcm));
        if !good {
            self.counters.bad_frames += 1;
            self.pcm.samples.fill(0.0);
        }
        if self.pcm.samples.is_empty() {
            return Ok(());
        }
        self.follow_format()?;
        let Some(resampler) = &mut self.resampler else { return Ok(()) };
        self.mixed.clear();
        remix(&self.pcm.samples, self.pcm.channels, self.channels, &mut self.mixed);
        let delay_us = i64::from(self.pcm.delay) * 1_000_000 / i64::from(self.pcm.sample_rate.max(1));
        let heard = frame.time - StreamTime::new(delay_us);
        self.resampled.clear();
        let time = resampler.process(heard, &self.mixed, &mut self.resampled)?;
        self.fifo.push(time, &self.resampled, &mut self.counters);
        self.drain(out)
    }

    fn follow_config(&mut self, frame: &AacFrame) -> Result<(), Error> {
        if self.decoder.as_ref().is_some_and(|decoder| decoder.fits(&frame.config)) {
            return Ok(());
        }
        self.pcm.samples.clear();
        self.fifo.align_next();
        let decoder = Decoder::new(&frame.config, frame.time)?;
        self.decoder = Some(decoder);
        Ok(())
    }

    /// Adapts everything after the decoder to the decoded rate and channels.
    fn follow_format(&mut self) -> Result<(), Error> {
        let channels = match self.settings.channels {
            ChannelPolicy::Mono => 1,
            ChannelPolicy::Stereo => 2,
            ChannelPolicy::Follow => self.pcm.channels,
        };
        if channels != self.channels {
            self.encoder = new_encoder(&self.settings, channels, self.guard)?;
            self.lookahead = self.encoder.get_lookahead()?.into();
            self.next_encoder = None;
            self.fifo.set_channels(channels);
            self.channels = channels;
        }
        if !self.resampler.as_ref().is_some_and(|resampler| resampler.fits(self.pcm.sample_rate, channels)) {
            self.resampler = None;
            self.resampler = Some(Resampler::new(self.pcm.sample_rate, channels)?);
            self.fifo.align_next();
        }
        Ok(())
    }

    fn drain(&mut self, out: &mut Vec<OpusPacket>) -> Result<(), Error> {
        while let Some((time, samples)) = self.fifo.pop(FRAME_LEN) {
            let length = self.encoder.encode_float(samples, &mut self.packet)?;
            let data = Bytes::copy_from_slice(self.packet.get(..length).unwrap_or_default());
            out.push(OpusPacket { time: time - StreamTime::new(lookahead_us(self.lookahead)), data });
            self.hand_over()?;
        }
        Ok(())
    }

    /// Goes on with the next encoder, if there is one. It looks further ahead, or less far: it begins at such a place that
    /// its first packet follows the last one without a step.
    fn hand_over(&mut self) -> Result<(), Error> {
        let Some(mut next) = self.next_encoder.take() else { return Ok(()) };
        let lookahead = i64::from(next.get_lookahead()?);
        if !self.fifo.seek(lookahead - self.lookahead) {
            // What it wants to hear has not come yet.
            self.next_encoder = Some(next);
            return Ok(());
        }
        if let Some(heard) = self.fifo.before(WARM_UP) {
            next.encode_float(heard, &mut self.packet)?;
        }
        (self.encoder, self.lookahead) = (next, lookahead);
        Ok(())
    }
}

fn lookahead_us(samples: i64) -> i64 {
    samples * 1_000_000 / i64::from(crate::SAMPLE_RATE)
}

/// Samples of each channel that an encoder hears before its first packet: 10 ms, a frame that libopus takes, and no more
/// than is left of the frame before.
const WARM_UP: usize = 480;

/// The loss from which on packets are made redundant. Below it concealment and retransmission do better than bits that
/// are taken from the sound.
pub const LOSS_START: f32 = 0.02;

/// The loss below which that ends.
pub const LOSS_END: f32 = 0.005;

/// The loss, in percent, that the encoder is told of lies between these. Below, libopus leaves the redundancy out;
/// above, it takes too much from the sound itself.
const MIN_PERCENT: i32 = 10;
const MAX_PERCENT: i32 = 25;

/// The step in percent below which the encoder is not told of another loss.
const PERCENT_STEP: i32 = 3;

/// The least complexity of SILK, with which redundancy comes: less is half a point of PESQ worse, and hardly cheaper.
const REDUNDANT_COMPLEXITY: u8 = 5;

/// How redundant packets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Guard {
    #[default]
    None,
    Redundant {
        percent: i32,
    },
}

impl Guard {
    fn follow(self, share: f32) -> Self {
        #[allow(clippy::cast_possible_truncation)] // limited to a percentage
        let percent = ((share * 100.0).clamp(0.0, 100.0).round() as i32).clamp(MIN_PERCENT, MAX_PERCENT);
        match self {
            Self::None if share >= LOSS_START => Self::Redundant { percent },
            Self::Redundant { .. } if share < LOSS_END => Self::None,
            Self::Redundant { percent: before } if (percent - before).abs() >= PERCENT_STEP => {
                Self::Redundant { percent }
            }
            same => same,
        }
    }
}

fn new_encoder(settings: &OpusSettings, channels: usize, guard: Guard) -> Result<opus::Encoder, Error> {
    let application = match (guard, settings.application) {
        // Only SILK carries redundancy.
        (Guard::Redundant { .. }, _) | (_, Application::Voip) => opus::Application::Voip,
        (_, Application::Audio) => opus::Application::Audio,
        (_, Application::LowDelay) => opus::Application::LowDelay,
    };
    let (layout, bitrate) = match channels {
        1 => (opus::Channels::Mono, settings.bitrate_mono),
        _ => (opus::Channels::Stereo, settings.bitrate_stereo),
    };
    let mut encoder = opus::Encoder::new(crate::SAMPLE_RATE, layout, application)?;
    let complexity = match guard {
        Guard::None => settings.complexity,
        Guard::Redundant { .. } => settings.complexity.max(REDUNDANT_COMPLEXITY),
    };
    encoder.set_complexity(i32::from(complexity))?;
    // Sounds that are hard to encode get the bits that they need: half a point of PESQ.
    encoder.set_vbr_constraint(false)?;
    encoder.set_bitrate(opus::Bitrate::Bits(i32::try_from(bitrate).unwrap_or(i32::MAX)))?;
    encoder.set_dtx(false)?;
    if let Guard::Redundant { percent } = guard {
        encoder.set_signal(opus::Signal::Voice)?;
        encoder.set_inband_fec(true)?;
        encoder.set_packet_loss_perc(percent)?;
    }
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redundancy_begins_and_ends_at_different_losses_and_follows_in_steps() {
        let mut guard = Guard::default();
        let mut follow = |share: f32| {
            guard = guard.follow(share);
            guard
        };
        let redundant = |percent| Guard::Redundant { percent };
        assert_eq!(follow(0.019), Guard::None);
        assert_eq!(follow(0.02), redundant(MIN_PERCENT));
        assert_eq!(follow(0.12), redundant(MIN_PERCENT), "too small a step");
        assert_eq!(follow(0.15), redundant(15));
        assert_eq!(follow(0.9), redundant(MAX_PERCENT));
        assert_eq!(follow(0.006), redundant(MIN_PERCENT));
        assert_eq!(follow(f32::NAN), redundant(MIN_PERCENT));
        assert_eq!(follow(0.004), Guard::None);
    }
}
