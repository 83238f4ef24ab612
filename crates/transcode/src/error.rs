//! What can go wrong for a whole stream. A single bad frame is no error: it is skipped and counted.

use queqiao_media::time::StreamTime;

/// Why a stream cannot be transcoded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No decoder of this build takes the stream's AudioSpecificConfig.
    #[error("no decoder for the AudioSpecificConfig {config:02x?} in force at {at:?}: {reason}")]
    UnsupportedConfig {
        /// The start of the AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1).
        config: Vec<u8>,
        /// The time of the first frame that carries it.
        at: StreamTime,
        /// What the decoder said.
        reason: String,
    },
    /// The decoded sample rate cannot be turned into 48 kHz in blocks of a reasonable size.
    #[error("a sample rate of {0} Hz is not supported")]
    SampleRate(u32),
    /// The resampler refused a call.
    #[error("resampling from {rate} Hz failed: {reason}")]
    Resampler {
        /// The input rate in Hz.
        rate: u32,
        /// What the resampler said.
        reason: String,
    },
    /// libopus refused a call.
    #[error("Opus: {0}")]
    Opus(#[from] opus::Error),
    /// FDK AAC refused a call.
    #[error("FDK AAC: {call} answered {code:#x}")]
    Fdk {
        /// The function of the library.
        call: &'static str,
        /// Its `AAC_DECODER_ERROR` or `AACENC_ERROR`.
        code: u32,
    },
    /// This build was made without the cargo feature `fdk-aac`.
    #[error("this build has no AAC encoder: it was made without the cargo feature `fdk-aac`")]
    NoAacEncoder,
}
