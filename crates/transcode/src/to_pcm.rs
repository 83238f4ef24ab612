//! AAC frames and Opus packets to samples of 48 kHz in one channel, for whoever mixes them.

use std::sync::Arc;

use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::{AudioTicks, StreamTime};

use crate::SAMPLE_RATE;
use crate::aac_decode::{Decoder, Pcm};
use crate::error::Error;
use crate::fifo::remix;
use crate::resample::Resampler;

/// The longest packet in samples: 120 ms (RFC 6716 section 2.1.4).
const MAX_PACKET_LEN: usize = 5_760;

/// The unit of packet lengths in samples: 2.5 ms.
const UNIT: usize = 120;

/// The most lost sound that is made up from what the decoder remembers, in samples. It has faded by then.
const MAX_CONCEAL: usize = 2_880;

/// Turns one AAC track into samples.
#[derive(Default)]
pub struct AacToPcm {
    decoder: Option<Decoder>,
    /// A configuration that cannot be decoded, and was reported.
    refused: Option<Arc<aac::Config>>,
    resampler: Option<Resampler>,
    pcm: Pcm,
    mixed: Vec<f32>,
    resampled: Vec<f32>,
    bad_frames: u64,
}

impl AacToPcm {
    /// Decodes a frame. Returns when the first of the samples is heard, and the samples; none where the frame is bad, or too
    /// short to fill a block of the resampler.
    ///
    /// # Errors
    /// [`Error::UnsupportedConfig`] or [`Error::SampleRate`] where a new configuration begins that cannot be decoded. Later
    /// frames of it are only counted as bad.
    pub fn push(&mut self, frame: &AacFrame) -> Result<Option<(StreamTime, &[f32])>, Error> {
        if self.refused.as_ref() == Some(&frame.config) {
            self.bad_frames += 1;
            return Ok(None);
        }
        match self.decode(frame) {
            Ok(Some(time)) if !self.resampled.is_empty() => Ok(Some((time, &self.resampled))),
            Ok(_) => Ok(None),
            Err(error) => {
                self.bad_frames += 1;
                self.refused = Some(Arc::clone(&frame.config));
                Err(error)
            }
        }
    }

    /// Frames that could not be decoded.
    #[must_use]
    pub const fn bad_frames(&self) -> u64 {
        self.bad_frames
    }

    fn decode(&mut self, frame: &AacFrame) -> Result<Option<StreamTime>, Error> {
        self.refused = None;
        if !self.decoder.as_ref().is_some_and(|decoder| decoder.fits(&frame.config)) {
            self.decoder = None;
            self.decoder = Some(Decoder::new(&frame.config, frame.time)?);
        }
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        if !decoder.decode(&frame.data, &mut self.pcm) {
            self.bad_frames += 1;
            return Ok(None);
        }
        let rate = self.pcm.sample_rate;
        if !self.resampler.as_ref().is_some_and(|resampler| resampler.fits(rate, 1)) {
            self.resampler = None;
            self.resampler = Some(Resampler::new(rate, 1)?);
        }
        let Some(resampler) = &mut self.resampler else { return Ok(None) };
        self.mixed.clear();
        remix(&self.pcm.samples, self.pcm.channels, 1, &mut self.mixed);
        let delay_us = i64::from(self.pcm.delay) * 1_000_000 / i64::from(rate.max(1));
        self.resampled.clear();
        let heard = frame.time - StreamTime::new(delay_us);
        resampler.process(heard, &self.mixed, &mut self.resampled).map(Some)
    }
}

/// Turns one Opus track into samples. Lost packets are made up for, from the next one where it brings them along.
pub struct OpusToPcm {
    decoder: opus::Decoder,
    /// When what was decoded so far ends.
    end: Option<StreamTime>,
    /// Whether packets were reported lost since then.
    lost: bool,
    pcm: Box<[f32]>,
    bad_packets: u64,
}

impl OpusToPcm {
    /// A decoder that waits for its first packet.
    ///
    /// # Errors
    /// [`Error::Opus`], which would be a bug.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            decoder: opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono)?,
            end: None,
            lost: false,
            pcm: vec![0.0; MAX_PACKET_LEN + MAX_CONCEAL].into_boxed_slice(),
            bad_packets: 0,
        })
    }

    /// Decodes a packet. Returns when the first of the samples is heard, and the samples. A packet without data stands for
    /// a lost one: it is made up for when the next one comes.
    pub fn push(&mut self, packet: &OpusPacket) -> Option<(StreamTime, &[f32])> {
        let length = self.decoder.get_nb_samples(&packet.data).unwrap_or(0);
        if packet.data.is_empty() || !(UNIT..=MAX_PACKET_LEN).contains(&length) {
            self.bad_packets += u64::from(!packet.data.is_empty());
            self.lost = true;
            return None;
        }
        let missing = if std::mem::take(&mut self.lost) { self.missing(packet.time) } else { 0 };
        let made_up = self.make_up(missing, packet, length);
        let place = self.pcm.get_mut(made_up..made_up + length)?;
        let Ok(decoded) = self.decoder.decode_float(&packet.data, place, false) else {
            self.bad_packets += 1;
            self.lost = true;
            return None;
        };
        self.end = Some(packet.time + span(decoded));
        Some((packet.time - span(made_up), self.pcm.get(..made_up + decoded)?))
    }

    /// Packets that could not be decoded.
    #[must_use]
    pub const fn bad_packets(&self) -> u64 {
        self.bad_packets
    }

    /// Samples between what was decoded and `time`, if so few that they can be made up.
    fn missing(&self, time: StreamTime) -> usize {
        let gap: AudioTicks = self.end.map_or(StreamTime::ZERO, |end| time - end).rescale();
        let units = usize::try_from(gap.get()).unwrap_or(0).saturating_add(UNIT / 2) / UNIT;
        if units * UNIT <= MAX_CONCEAL { units * UNIT } else { 0 }
    }

    fn make_up(&mut self, missing: usize, next: &OpusPacket, length: usize) -> usize {
        // In-band FEC carries the packet right before this one, in its length (RFC 6716 section 2.1.7).
        let carried = length.min(missing);
        let mut made = 0;
        for (samples, data) in [(missing - carried, &[][..]), (carried, &next.data[..])] {
            let Some(place) = self.pcm.get_mut(made..made + samples).filter(|place| !place.is_empty()) else {
                continue;
            };
            match self.decoder.decode_float(data, place, !data.is_empty()) {
                Ok(decoded) => made += decoded,
                Err(_) => place.fill(0.0),
            }
        }
        made
    }
}

fn span(samples: usize) -> StreamTime {
    AudioTicks::new(i64::try_from(samples).unwrap_or(i64::MAX)).rescale()
}
