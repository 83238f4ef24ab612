//! Raw AAC frames to samples, with the decoder that suits the stream.
//!
//! Frames come from the network, so AAC-LC goes to a decoder in safe Rust, which is also the faster one. FDK takes what
//! that one cannot: spectral band replication, parametric stereo, low delay, more than two channels.

use std::sync::Arc;

use queqiao_media::aac;
use queqiao_media::time::StreamTime;
use symphonia_codec_aac::AacDecoder as Symphonia;
use symphonia_core::audio::{Audio as _, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

use crate::error::Error;
#[cfg(feature = "fdk-aac")]
use crate::fdk;

/// Bad frames in a row after which the decoder is made anew: it may have learnt a wrong layout from a bad frame.
const RESTART_AFTER: u32 = 2;
/// Bad frames in a row after which FDK is tried: the stream may use what the safe decoder does not know.
#[cfg(feature = "fdk-aac")]
const GIVE_UP_AFTER: u32 = 8;
/// Frames in which spectral band replication must show if the configuration does not announce it. Encoders put it into
/// every frame, or every few when they have nothing to say.
#[cfg(feature = "fdk-aac")]
const PROBE_FRAMES: u32 = 16;
/// The highest core rate, in Hz, at which unannounced spectral band replication is looked for: it doubles the rate, and
/// 48 kHz is what encoders go up to.
#[cfg(feature = "fdk-aac")]
const MAX_CORE_RATE: u32 = 24_000;
/// Louder samples than this are a bad frame's: full scale is 1.
const MAX_SAMPLE: f32 = 8.0;
/// The largest raw frame accepted, in bytes: the standard's 6144 bits for each of 8 channels, with room for extensions.
const MAX_FRAME_BYTES: usize = 8_192;

/// Decoded samples, in a buffer that is used again and again.
#[derive(Debug, Default)]
pub(crate) struct Pcm {
    /// Interleaved.
    pub(crate) samples: Vec<f32>,
    pub(crate) channels: usize,
    pub(crate) sample_rate: u32,
    /// Samples of each channel by which the decoder delays its output.
    pub(crate) delay: u32,
}

/// A decoder for one AudioSpecificConfig.
pub(crate) struct Decoder {
    config: Arc<aac::Config>,
    plain: Option<Box<Symphonia>>,
    /// Beside `plain` only until it is clear whether the stream hides spectral band replication.
    #[cfg(feature = "fdk-aac")]
    fdk: Option<fdk::Decoder>,
    /// Frames that the two still have in common.
    #[cfg(feature = "fdk-aac")]
    probe: u32,
    failures: u32,
}

impl Decoder {
    /// A decoder for frames of that configuration; `at` is the time of the first, for the error.
    ///
    /// # Errors
    /// [`Error::UnsupportedConfig`].
    pub(crate) fn new(config: &Arc<aac::Config>, at: StreamTime) -> Result<Self, Error> {
        Self::open(config).map_err(|reason| Error::UnsupportedConfig {
            config: config.bytes.iter().take(16).copied().collect(),
            at,
            reason,
        })
    }

    #[cfg(feature = "fdk-aac")]
    fn open(config: &Arc<aac::Config>) -> Result<Self, String> {
        let fdk = || fdk::Decoder::new(&config.bytes).map_err(|error| error.to_string());
        let plain = symphonia(&config.bytes).ok();
        let fdk = match &plain {
            None => Some(fdk()?),
            Some(plain) if plain.codec_params().sample_rate.is_some_and(|rate| rate <= MAX_CORE_RATE) => {
                fdk().ok()
            }
            Some(_) => None,
        };
        Ok(Self { config: Arc::clone(config), plain, fdk, probe: PROBE_FRAMES, failures: 0 })
    }

    #[cfg(not(feature = "fdk-aac"))]
    fn open(config: &Arc<aac::Config>) -> Result<Self, String> {
        let plain = symphonia(&config.bytes).map_err(|reason| {
            format!(
                "{reason}; this build decodes AAC-LC alone: it was made without the cargo feature `fdk-aac`"
            )
        })?;
        Ok(Self { config: Arc::clone(config), plain: Some(plain), failures: 0 })
    }

    /// Whether this decoder fits frames of `config`.
    pub(crate) fn fits(&self, config: &Arc<aac::Config>) -> bool {
        Arc::ptr_eq(&self.config, config) || self.config == *config
    }

    /// Decodes one frame into `out`; `false` for a bad frame, which leaves nonsense in `out.samples`.
    pub(crate) fn decode(&mut self, data: &[u8], out: &mut Pcm) -> bool {
        let good = !data.is_empty() && data.len() <= MAX_FRAME_BYTES && self.decode_either(data, out);
        if good {
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
            self.recover();
        }
        good
    }

    #[cfg(feature = "fdk-aac")]
    fn decode_either(&mut self, data: &[u8], out: &mut Pcm) -> bool {
        let Some(plain) = &mut self.plain else {
            return self.fdk.as_mut().is_some_and(|fdk| decode_fdk(fdk, data, out));
        };
        if let Some(fdk) = &mut self.fdk {
            if decode_fdk(fdk, data, out) && plain.codec_params().sample_rate != Some(out.sample_rate) {
                self.plain = None;
                return true;
            }
            self.probe = self.probe.saturating_sub(1);
            if self.probe == 0 {
                self.fdk = None;
            }
        }
        decode_plain(plain, data, out)
    }

    #[cfg(not(feature = "fdk-aac"))]
    fn decode_either(&mut self, data: &[u8], out: &mut Pcm) -> bool {
        self.plain.as_mut().is_some_and(|plain| decode_plain(plain, data, out))
    }

    fn recover(&mut self) {
        #[cfg(feature = "fdk-aac")]
        if self.failures >= GIVE_UP_AFTER
            && self.plain.is_some()
            && let Ok(fdk) = fdk::Decoder::new(&self.config.bytes)
        {
            self.fdk = Some(fdk);
            self.plain = None;
        }
        if self.failures.is_multiple_of(RESTART_AFTER)
            && let Some(plain) = &mut self.plain
            && let Ok(fresh) = symphonia(&self.config.bytes)
        {
            *plain = fresh;
        }
    }
}

fn symphonia(config: &[u8]) -> Result<Box<Symphonia>, String> {
    let mut params = AudioCodecParameters::new();
    params.for_codec(CODEC_ID_AAC).with_extra_data(config.into());
    Symphonia::try_new(&params, &AudioDecoderOptions::default())
        .map(Box::new)
        .map_err(|error| error.to_string())
}

fn decode_plain(decoder: &mut Symphonia, data: &[u8], out: &mut Pcm) -> bool {
    let packet = PacketRef::new(0, Timestamp::default(), Duration::default(), data);
    let Ok(GenericAudioBufferRef::F32(buffer)) = decoder.decode_ref(&packet) else { return false };
    let channels = buffer.num_planes();
    if !(1..=2).contains(&channels) || buffer.frames() == 0 {
        return false;
    }
    out.channels = channels;
    out.sample_rate = buffer.spec().rate();
    out.delay = 0;
    out.samples.clear();
    match (buffer.plane(0), buffer.plane(1)) {
        (Some(left), Some(right)) => {
            out.samples.extend(left.iter().zip(right).flat_map(|(&l, &r)| [sane(l), sane(r)]));
        }
        (Some(only), None) => out.samples.extend(only.iter().map(|&sample| sane(sample))),
        _ => return false,
    }
    true
}

#[cfg(feature = "fdk-aac")]
fn decode_fdk(decoder: &mut fdk::Decoder, data: &[u8], out: &mut Pcm) -> bool {
    let Ok(pcm) = decoder.decode(data) else { return false };
    out.channels = pcm.channels;
    out.sample_rate = pcm.sample_rate;
    out.delay = pcm.delay;
    out.samples.clear();
    out.samples.extend(pcm.samples.iter().map(|&sample| f32::from(sample) / 32_768.0));
    true
}

/// The sample, or silence where a bad frame made nonsense of it.
fn sane(sample: f32) -> f32 {
    if sample.abs() <= MAX_SAMPLE { sample } else { 0.0 }
}
