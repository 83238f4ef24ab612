//! 48 kHz samples to raw AAC-LC frames of 1024 samples.

use std::sync::Arc;

use bytes::Bytes;
use queqiao_media::aac;
#[cfg(feature = "fdk-aac")]
use queqiao_media::time::StreamTime;

#[cfg(feature = "fdk-aac")]
use crate::SAMPLE_RATE;
use crate::error::Error;
#[cfg(feature = "fdk-aac")]
use crate::fdk;
use crate::settings::AacSettings;

/// Samples of each channel in a frame.
pub const FRAME_LEN: usize = 1_024;

/// An AAC-LC encoder for one number of channels.
pub struct Encoder {
    #[cfg(feature = "fdk-aac")]
    inner: fdk::Encoder,
    config: Arc<aac::Config>,
    #[cfg(feature = "fdk-aac")]
    pcm: Vec<i16>,
    #[cfg(feature = "fdk-aac")]
    frame: Vec<u8>,
}

impl Encoder {
    /// An encoder for one or two channels.
    ///
    /// # Errors
    /// [`Error::Fdk`], or [`Error::NoAacEncoder`] in a build without one.
    #[cfg(feature = "fdk-aac")]
    pub fn new(settings: &AacSettings, channels: u8) -> Result<Self, Error> {
        let bitrate = if channels == 1 { settings.bitrate_mono } else { settings.bitrate_stereo };
        let inner = fdk::Encoder::new(&fdk::EncoderSettings {
            object_type: fdk::ObjectType::Lc,
            sample_rate: SAMPLE_RATE,
            channels,
            bitrate,
            afterburner: settings.afterburner,
            implicit_sbr: false,
        })?;
        let config =
            aac::Config::parse(inner.config().clone()).map_err(|error| Error::UnsupportedConfig {
                config: inner.config().to_vec(),
                at: StreamTime::ZERO,
                reason: error.to_string(),
            })?;
        Ok(Self { inner, config: Arc::new(config), pcm: Vec::new(), frame: Vec::new() })
    }

    /// Never succeeds in this build.
    ///
    /// # Errors
    /// [`Error::NoAacEncoder`].
    #[cfg(not(feature = "fdk-aac"))]
    pub fn new(_settings: &AacSettings, _channels: u8) -> Result<Self, Error> {
        Err(Error::NoAacEncoder)
    }

    /// The configuration of its frames.
    #[must_use]
    pub fn config(&self) -> &Arc<aac::Config> {
        &self.config
    }

    /// Samples by which a decoder's output is later than this encoder's input.
    #[must_use]
    pub fn delay(&self) -> usize {
        #[cfg(feature = "fdk-aac")]
        return self.inner.delay();
        #[cfg(not(feature = "fdk-aac"))]
        return 0;
    }

    /// Encodes [`FRAME_LEN`] frames of interleaved samples.
    ///
    /// # Errors
    /// [`Error::Fdk`].
    #[cfg(feature = "fdk-aac")]
    pub fn encode(&mut self, samples: &[f32]) -> Result<Bytes, Error> {
        self.pcm.clear();
        #[allow(clippy::cast_possible_truncation)] // float to integer saturates, which is clipping
        self.pcm.extend(samples.iter().map(|&sample| (sample * 32_768.0) as i16));
        self.inner.encode(&self.pcm, &mut self.frame)?;
        Ok(Bytes::copy_from_slice(&self.frame))
    }

    /// Is never called: there is no value of this type in this build.
    #[cfg(not(feature = "fdk-aac"))]
    pub fn encode(&mut self, _samples: &[f32]) -> Result<Bytes, Error> {
        Err(Error::NoAacEncoder)
    }
}
