//! Opus packets to AAC-LC frames.

use std::sync::Arc;
use std::time::Duration;

use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;

use crate::SAMPLE_RATE;
use crate::aac_encode::{Encoder, FRAME_LEN};
use crate::error::Error;
use crate::fifo::Fifo;
use crate::settings::{AacSettings, ChannelPolicy, Counters};

/// The longest packet in samples of each channel: 120 ms (RFC 6716 section 2.1.4).
const MAX_PACKET_LEN: usize = 5_760;
/// The unit of packet lengths in samples: 2.5 ms.
const UNIT: usize = 120;
/// The longest stretch that is concealed: libopus has long faded to the background noise by then, and a longer gap is a
/// jump in time.
const MAX_CONCEAL_US: i64 = 1_000_000;
/// The steps in which sound is made up that does not come, in samples: 20 ms.
const STEP: usize = 960;
/// What is taken for jitter of timestamps, in microseconds. RTP counts samples, so only a corrected sender report moves
/// the times; and a packet that is missing, 20 ms, must show.
const TOLERANCE_US: i64 = 15_000;

/// Turns one Opus track into AAC-LC at 48 kHz in frames of 1024 samples.
///
/// Frames are stamped with the time at which their first sample is heard. The encoder's delay makes the first frame begin
/// about 33 ms before the first packet.
pub struct OpusToAac {
    settings: AacSettings,
    decoder: opus::Decoder,
    fifo: Fifo,
    encoder: Encoder,
    channels: usize,
    /// Whether packets were reported lost whose place is still to be filled.
    lost: bool,
    /// What was made up since the last packet, in microseconds.
    made_up_us: i64,
    pcm: Box<[f32]>,
    counters: Counters,
}

impl OpusToAac {
    /// A transcoder that waits for its first packet.
    ///
    /// # Errors
    /// [`Error::NoAacEncoder`] in a build without the feature `fdk-aac`; [`Error::Fdk`] for settings that the encoder
    /// does not take.
    pub fn new(settings: AacSettings) -> Result<Self, Error> {
        let channels = if settings.channels == ChannelPolicy::Stereo { 2 } else { 1 };
        Ok(Self {
            settings,
            decoder: new_decoder(channels)?,
            fifo: Fifo::new(channels, TOLERANCE_US),
            encoder: new_encoder(&settings, channels)?,
            channels,
            lost: false,
            made_up_us: 0,
            pcm: vec![0.0; MAX_PACKET_LEN * 2].into_boxed_slice(),
            counters: Counters::default(),
        })
    }

    /// The configuration of the frames to come. It changes at most once, from mono to stereo, under
    /// [`ChannelPolicy::Follow`]; every frame carries its own.
    #[must_use]
    pub fn config(&self) -> &Arc<aac::Config> {
        self.encoder.config()
    }

    /// Takes one packet and appends the frames that it completes to `out`.
    ///
    /// A packet without data stands for a lost one. It is made up for when the next packet comes, which may bring the
    /// lost sound along (in-band FEC, RFC 6716 section 2.1.7); so is a gap between the times of two packets. A packet
    /// that cannot be decoded is counted and treated as lost.
    ///
    /// # Errors
    /// [`Error::Fdk`] or [`Error::Opus`], which would be bugs.
    pub fn push(&mut self, packet: &OpusPacket, out: &mut Vec<AacFrame>) -> Result<(), Error> {
        let length = self.decoder.get_nb_samples(&packet.data).unwrap_or(0);
        if packet.data.is_empty() || !(UNIT..=MAX_PACKET_LEN).contains(&length) {
            self.counters.bad_frames += u64::from(!packet.data.is_empty());
            return self.lose(packet.time, out);
        }
        self.follow_channels(packet)?;
        self.conceal(packet.time, Some((&packet.data, length)))?;
        let Some(frames) = self.decode(&packet.data, length, false) else {
            self.counters.bad_frames += 1;
            return self.lose(packet.time, out);
        };
        self.made_up_us = 0;
        let samples = self.pcm.get(..frames * self.channels).unwrap_or_default();
        self.fifo.push(packet.time, samples, &mut self.counters);
        self.drain(out)
    }

    /// Makes up sound as far as `until` where none comes, for a second at most: the background noise in discontinuous
    /// transmission (RFC 7587 section 3.1.3), else what fades to it. Packets that come for that time are then left out.
    ///
    /// # Errors
    /// [`Error::Fdk`], which would be a bug.
    pub fn advance(&mut self, until: StreamTime, out: &mut Vec<AacFrame>) -> Result<(), Error> {
        if self.fifo.end_time().is_none() {
            return Ok(());
        }
        let step_us = to_us(STEP);
        while self.fifo.gap_us(until) >= step_us && self.made_up_us < MAX_CONCEAL_US {
            self.counters.made_up += 1;
            self.made_up_us += step_us;
            self.append(&[], STEP);
        }
        self.drain(out)
    }

    /// The longest time that this direction adds to the sound's way: the wait for 1024 samples to fill and the encoder's
    /// delay. (A packet of Opus is a wait in itself, but not this one's: a player would have it, too.)
    #[must_use]
    pub fn delay(&self) -> Duration {
        StreamTime::new(to_us(FRAME_LEN + self.encoder.delay())).to_duration()
    }

    /// What was put right so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Notes a lost packet, once whatever was lost before it has been made up for.
    fn lose(&mut self, time: StreamTime, out: &mut Vec<AacFrame>) -> Result<(), Error> {
        if self.lost {
            self.conceal(time, None)?;
        }
        self.lost = self.fifo.end_time().is_some();
        self.drain(out)
    }

    /// Fills the time up to `time`, if something is missing there, from the packet that comes next or by concealment.
    fn conceal(&mut self, time: StreamTime, next: Option<(&[u8], usize)>) -> Result<(), Error> {
        let reported = std::mem::take(&mut self.lost);
        let gap_us = self.fifo.gap_us(time);
        let noticeable = if reported { to_us(UNIT) / 2 } else { TOLERANCE_US };
        if gap_us <= noticeable || gap_us > MAX_CONCEAL_US {
            return Ok(());
        }
        let missing = (usize::try_from(gap_us).unwrap_or(0) * 48 + UNIT * 500) / 1_000 / UNIT * UNIT;
        // FEC carries no more than the packet right before the next, in the next one's length.
        let recoverable = next.map_or(0, |(_, length)| length.min(missing));
        let mut hidden = missing - recoverable;
        self.counters.concealed += u64::from(hidden > 0);
        while hidden > 0 {
            let length = hidden.min(MAX_PACKET_LEN);
            self.append(&[], length);
            hidden -= length;
        }
        if let Some((data, _)) = next
            && recoverable > 0
        {
            self.counters.recovered += 1;
            self.append(data, recoverable);
        }
        Ok(())
    }

    /// Appends `frames` frames of concealment, or of the FEC in `data`.
    fn append(&mut self, data: &[u8], frames: usize) {
        let Some(frames) = self.decode(data, frames, !data.is_empty()) else { return };
        self.fifo.push_on(self.pcm.get(..frames * self.channels).unwrap_or_default());
    }

    fn decode(&mut self, data: &[u8], frames: usize, fec: bool) -> Option<usize> {
        let pcm = self.pcm.get_mut(..frames * self.channels)?;
        self.decoder.decode_float(data, pcm, fec).ok()
    }

    fn follow_channels(&mut self, packet: &OpusPacket) -> Result<(), Error> {
        let stereo = opus::packet::get_nb_channels(&packet.data).is_ok_and(|c| c == opus::Channels::Stereo);
        if self.settings.channels == ChannelPolicy::Follow && stereo && self.channels == 1 {
            self.encoder = new_encoder(&self.settings, 2)?;
            self.decoder = new_decoder(2)?;
            self.fifo.set_channels(2);
            self.channels = 2;
        }
        Ok(())
    }

    fn drain(&mut self, out: &mut Vec<AacFrame>) -> Result<(), Error> {
        while let Some((time, samples)) = self.fifo.pop(FRAME_LEN) {
            let data = self.encoder.encode(samples)?;
            let time = time - StreamTime::new(to_us(self.encoder.delay()));
            out.push(AacFrame { time, config: Arc::clone(self.encoder.config()), data });
        }
        Ok(())
    }
}

fn new_encoder(settings: &AacSettings, channels: usize) -> Result<Encoder, Error> {
    Encoder::new(settings, if channels == 1 { 1 } else { 2 })
}

fn new_decoder(channels: usize) -> Result<opus::Decoder, Error> {
    let layout = if channels == 1 { opus::Channels::Mono } else { opus::Channels::Stereo };
    Ok(opus::Decoder::new(SAMPLE_RATE, layout)?)
}

fn to_us(frames: usize) -> i64 {
    i64::try_from(frames).unwrap_or(i64::MAX / 1_000_000).saturating_mul(1_000_000) / i64::from(SAMPLE_RATE)
}
