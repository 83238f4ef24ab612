//! AAC decoding, set up to add no delay of its own.

use std::ptr::NonNull;

use fdk_aac_sys as sys;

use crate::error::Error;

/// The largest frame of samples that the library may write: 8 channels of 4096 samples. (We ask for a mix to stereo, but
/// the buffer is checked by the library before it mixes.)
const MAX_SAMPLES: usize = 8 * 4_096;
/// The largest raw frame accepted, in bytes: the standard's 6144 bits for each of 8 channels, with room for extensions,
/// and what the library's own buffer holds.
const MAX_FRAME_BYTES: usize = 8_192;

/// Decoded samples of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Pcm<'a> {
    /// Interleaved samples.
    pub samples: &'a [i16],
    /// 1 or 2.
    pub channels: usize,
    /// In Hz, after spectral band replication.
    pub sample_rate: u32,
    /// Samples of each channel by which the decoder delays its output (spectral band replication does).
    pub delay: u32,
}

/// An AAC decoder for raw frames without headers.
#[derive(Debug)]
pub struct Decoder {
    handle: NonNull<sys::AAC_DECODER_INSTANCE>,
    pcm: Box<[i16]>,
}

// SAFETY: as for the encoder: the state is reached through the handle alone, which is never shared.
unsafe impl Send for Decoder {}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the handle came from `aacDecoder_Open` and is closed only here.
        unsafe { sys::aacDecoder_Close(self.handle.as_ptr()) }
    }
}

impl Decoder {
    /// Opens a decoder for an AudioSpecificConfig.
    ///
    /// # Errors
    /// [`Error::Fdk`] for a configuration that the library does not take.
    pub fn new(config: &[u8]) -> Result<Self, Error> {
        // SAFETY: the call takes plain values.
        let handle = unsafe { sys::aacDecoder_Open(sys::TRANSPORT_TYPE_TT_MP4_RAW, 1) };
        let handle = NonNull::new(handle).ok_or(Error::Fdk { call: "aacDecoder_Open", code: 0 })?;
        let mut decoder = Self { handle, pcm: vec![0; MAX_SAMPLES].into_boxed_slice() };
        // The defaults interpolate over lost frames and limit peaks, and wait 35 to 79 ms in order to do so.
        decoder.set(sys::AACDEC_PARAM_AAC_CONCEAL_METHOD, 1)?;
        decoder.set(sys::AACDEC_PARAM_AAC_PCM_LIMITER_ENABLE, 0)?;
        decoder.set(sys::AACDEC_PARAM_AAC_PCM_MAX_OUTPUT_CHANNELS, 2)?;
        let mut start = config.as_ptr().cast_mut();
        let length = u32::try_from(config.len()).unwrap_or(0);
        // SAFETY: the handle is open; `start` points at `length` bytes, which the library copies and does not change.
        let code = unsafe { sys::aacDecoder_ConfigRaw(decoder.handle.as_ptr(), &mut start, &length) };
        check("aacDecoder_ConfigRaw", code)?;
        Ok(decoder)
    }

    fn set(&mut self, param: sys::AACDEC_PARAM, value: i32) -> Result<(), Error> {
        // SAFETY: the handle is open; the call takes plain values.
        check("aacDecoder_SetParam", unsafe { sys::aacDecoder_SetParam(self.handle.as_ptr(), param, value) })
    }

    /// Decodes one raw frame.
    ///
    /// # Errors
    /// [`Error::Fdk`] for a frame that cannot be decoded. The next one starts afresh.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Pcm<'_>, Error> {
        match self.fill_and_decode(frame) {
            Ok(()) => self.pcm(),
            Err(error) => {
                // What is left of the bad frame must not become the start of the next. Its failure would show there.
                let _ = self.set(sys::AACDEC_PARAM_AAC_TPDEC_CLEAR_BUFFER, 1);
                Err(error)
            }
        }
    }

    fn fill_and_decode(&mut self, frame: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        if frame.is_empty() || frame.len() > MAX_FRAME_BYTES {
            return Err(Error::Fdk { call: "aacDecoder_Fill(length)", code: length });
        }
        let mut start = frame.as_ptr().cast_mut();
        let mut left = length;
        // SAFETY: the handle is open; `start` points at `length` bytes, which the library copies and does not change.
        let code = unsafe { sys::aacDecoder_Fill(self.handle.as_ptr(), &mut start, &length, &mut left) };
        check("aacDecoder_Fill", code)?;
        if left != 0 {
            return Err(Error::Fdk { call: "aacDecoder_Fill(left)", code: left });
        }
        let room = i32::try_from(self.pcm.len()).unwrap_or(0);
        // SAFETY: the handle is open; `pcm` has room for `room` samples and the library checks that it is enough.
        let code =
            unsafe { sys::aacDecoder_DecodeFrame(self.handle.as_ptr(), self.pcm.as_mut_ptr(), room, 0) };
        check("aacDecoder_DecodeFrame", code)
    }

    fn pcm(&self) -> Result<Pcm<'_>, Error> {
        let bad = |code: i32| Error::Fdk { call: "aacDecoder_GetStreamInfo", code: code.unsigned_abs() };
        // SAFETY: the handle is open; the result is null or points into it, and is copied from before any other call.
        let info =
            unsafe { sys::aacDecoder_GetStreamInfo(self.handle.as_ptr()).as_ref() }.ok_or_else(|| bad(0))?;
        let channels = usize::try_from(info.numChannels).map_err(|_| bad(info.numChannels))?;
        let frames = usize::try_from(info.frameSize).map_err(|_| bad(info.frameSize))?;
        let sample_rate = u32::try_from(info.sampleRate).map_err(|_| bad(info.sampleRate))?;
        if !(1..=2).contains(&channels) || frames == 0 || sample_rate == 0 {
            return Err(bad(info.numChannels));
        }
        let samples = self.pcm.get(..frames.saturating_mul(channels)).ok_or_else(|| bad(info.frameSize))?;
        Ok(Pcm { samples, channels, sample_rate, delay: info.outputDelay })
    }
}

fn check(call: &'static str, code: sys::AAC_DECODER_ERROR) -> Result<(), Error> {
    if code == sys::AAC_DECODER_ERROR_AAC_DEC_OK { Ok(()) } else { Err(Error::Fdk { call, code }) }
}
