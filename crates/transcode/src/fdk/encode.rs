//! AAC encoding.

use std::ffi::c_void;
use std::ptr::NonNull;

use bytes::Bytes;
use fdk_aac_sys as sys;

use crate::error::Error;

/// What kind of AAC to make (ISO/IEC 14496-3 table 1.17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectType {
    /// AAC-LC.
    Lc,
    /// HE-AAC: AAC-LC at half the rate, with spectral band replication.
    HeV1,
    /// HE-AAC v2: HE-AAC in mono, with parametric stereo.
    HeV2,
    /// AAC-LD, in frames of 512 samples.
    Ld,
}

/// What an encoder makes, of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderSettings {
    /// The kind of AAC.
    pub object_type: ObjectType,
    /// Samples a second of the input.
    pub sample_rate: u32,
    /// Channels of the input: 1 or 2.
    pub channels: u8,
    /// Bits a second.
    pub bitrate: u32,
    /// Analysis by synthesis: better at low bitrates, and more than twice the cost.
    pub afterburner: bool,
    /// Whether the configuration hides spectral band replication, so that a decoder must find it in the frames.
    pub implicit_sbr: bool,
}

/// An AAC encoder that makes raw frames without headers.
#[derive(Debug)]
pub struct Encoder {
    handle: NonNull<sys::AACENCODER>,
    channels: usize,
    frame_len: usize,
    delay: usize,
    core_delay: usize,
    max_frame_bytes: usize,
    config: Bytes,
}

// SAFETY: the library's state is reached through the handle alone, uses no thread-local storage, and its tables are
// constant; the handle is never shared because every call takes `&mut self` and the type is not `Sync`.
unsafe impl Send for Encoder {}

impl Drop for Encoder {
    fn drop(&mut self) {
        let mut handle = self.handle.as_ptr();
        // SAFETY: the handle came from `aacEncOpen` and is closed only here. Nothing can be done about a failure.
        let _ = unsafe { sys::aacEncClose(&mut handle) };
    }
}

impl Encoder {
    /// Opens an encoder.
    ///
    /// # Errors
    /// [`Error::Fdk`] for settings that the library does not take.
    pub fn new(settings: &EncoderSettings) -> Result<Self, Error> {
        let channels = usize::from(settings.channels);
        if !(1..=2).contains(&channels) {
            return Err(Error::Fdk { call: "aacEncOpen(channels)", code: settings.channels.into() });
        }
        // Module 1 is plain AAC; 0 stands for all, which costs memory.
        let modules = if settings.object_type == ObjectType::Lc { 1 } else { 0 };
        let mut handle = std::ptr::null_mut();
        // SAFETY: the out-pointer is valid for the call.
        let code = unsafe { sys::aacEncOpen(&mut handle, modules, u32::from(settings.channels)) };
        check("aacEncOpen", code)?;
        let handle = NonNull::new(handle).ok_or(Error::Fdk { call: "aacEncOpen", code })?;
        let mut encoder = Self {
            handle,
            channels,
            frame_len: 0,
            delay: 0,
            core_delay: 0,
            max_frame_bytes: 0,
            config: Bytes::new(),
        };
        encoder.configure(settings)?;
        Ok(encoder)
    }

    fn configure(&mut self, settings: &EncoderSettings) -> Result<(), Error> {
        let object_type = match settings.object_type {
            ObjectType::Lc => sys::AUDIO_OBJECT_TYPE_AOT_AAC_LC,
            ObjectType::HeV1 => sys::AUDIO_OBJECT_TYPE_AOT_SBR,
            ObjectType::HeV2 => sys::AUDIO_OBJECT_TYPE_AOT_PS,
            ObjectType::Ld => sys::AUDIO_OBJECT_TYPE_AOT_ER_AAC_LD,
        };
        self.set(sys::AACENC_PARAM_AACENC_AOT, object_type.unsigned_abs())?;
        self.set(sys::AACENC_PARAM_AACENC_SAMPLERATE, settings.sample_rate)?;
        self.set(sys::AACENC_PARAM_AACENC_CHANNELMODE, u32::from(settings.channels))?;
        self.set(sys::AACENC_PARAM_AACENC_CHANNELORDER, 1)?;
        self.set(sys::AACENC_PARAM_AACENC_BITRATEMODE, 0)?;
        self.set(sys::AACENC_PARAM_AACENC_BITRATE, settings.bitrate)?;
        self.set(sys::AACENC_PARAM_AACENC_AFTERBURNER, u32::from(settings.afterburner))?;
        self.set(sys::AACENC_PARAM_AACENC_TRANSMUX, sys::TRANSPORT_TYPE_TT_MP4_RAW.unsigned_abs())?;
        if matches!(settings.object_type, ObjectType::HeV1 | ObjectType::HeV2) {
            self.set(sys::AACENC_PARAM_AACENC_SIGNALING_MODE, if settings.implicit_sbr { 0 } else { 2 })?;
        }
        let null = std::ptr::null();
        // SAFETY: with null descriptors the call only applies the parameters, as the library documents.
        let code =
            unsafe { sys::aacEncEncode(self.handle.as_ptr(), null, null, null.cast(), std::ptr::null_mut()) };
        check("aacEncEncode(init)", code)?;
        self.read_info()
    }

    fn set(&mut self, param: sys::AACENC_PARAM, value: u32) -> Result<(), Error> {
        // SAFETY: the handle is open; the call takes plain values.
        check("aacEncoder_SetParam", unsafe { sys::aacEncoder_SetParam(self.handle.as_ptr(), param, value) })
    }

    fn read_info(&mut self) -> Result<(), Error> {
        // SAFETY: the struct holds only integers and an array of bytes, for which zero is a value.
        let mut info: sys::AACENC_InfoStruct = unsafe { std::mem::zeroed() };
        // SAFETY: the handle is open and `info` is valid for the call.
        check("aacEncInfo", unsafe { sys::aacEncInfo(self.handle.as_ptr(), &mut info) })?;
        let config = info.confBuf.get(..info.confSize as usize);
        let config = config.ok_or(Error::Fdk { call: "aacEncInfo(confSize)", code: info.confSize })?;
        self.config = Bytes::copy_from_slice(config);
        self.frame_len = info.frameLength as usize;
        self.delay = info.nDelay as usize;
        self.core_delay = info.nDelayCore as usize;
        self.max_frame_bytes = info.maxOutBufBytes as usize;
        Ok(())
    }

    /// Samples of each channel in a frame.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        self.frame_len
    }

    /// Samples by which a decoder's output is later than the encoder's input, counted from the first sample of each,
    /// with the delay of spectral band replication in the decoder.
    #[must_use]
    pub fn delay(&self) -> usize {
        self.delay
    }

    /// The same without what spectral band replication adds in the decoder, which timestamps do not count.
    #[must_use]
    pub fn core_delay(&self) -> usize {
        self.core_delay
    }

    /// The AudioSpecificConfig of the frames.
    #[must_use]
    pub fn config(&self) -> &Bytes {
        &self.config
    }

    /// Encodes one frame of interleaved samples. `out` holds the frame afterwards and nothing else; it stays empty while
    /// the encoder fills its delay line, which AAC-LC never does.
    ///
    /// # Errors
    /// [`Error::Fdk`] if `pcm` is not [`frame_len`](Self::frame_len) times the channels long, or the library fails.
    pub fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<(), Error> {
        let samples = i32::try_from(pcm.len()).unwrap_or(0);
        if pcm.len() != self.frame_len * self.channels {
            return Err(Error::Fdk { call: "aacEncEncode(length)", code: samples.unsigned_abs() });
        }
        out.resize(self.max_frame_bytes, 0);
        let mut in_ptr = pcm.as_ptr().cast_mut().cast::<c_void>();
        let (mut in_id, mut in_bytes, mut in_width) = (0_i32, samples * 2, 2_i32);
        let input = sys::AACENC_BufDesc {
            numBufs: 1,
            bufs: &mut in_ptr,
            bufferIdentifiers: &mut in_id,
            bufSizes: &mut in_bytes,
            bufElSizes: &mut in_width,
        };
        let mut out_ptr = out.as_mut_ptr().cast::<c_void>();
        let (mut out_id, mut out_width) =
            (sys::AACENC_BufferIdentifier_OUT_BITSTREAM_DATA.cast_signed(), 1_i32);
        let mut out_bytes = i32::try_from(out.len()).unwrap_or(0);
        let output = sys::AACENC_BufDesc {
            numBufs: 1,
            bufs: &mut out_ptr,
            bufferIdentifiers: &mut out_id,
            bufSizes: &mut out_bytes,
            bufElSizes: &mut out_width,
        };
        let args = sys::AACENC_InArgs { numInSamples: samples, numAncBytes: 0 };
        // SAFETY: the struct holds only integers, for which zero is a value.
        let mut done: sys::AACENC_OutArgs = unsafe { std::mem::zeroed() };
        // SAFETY: the handle is open. Both descriptors describe one buffer each with its true size in bytes; they and the
        // buffers outlive the call, and the library only reads the input.
        let code = unsafe { sys::aacEncEncode(self.handle.as_ptr(), &input, &output, &args, &mut done) };
        check("aacEncEncode", code)?;
        if done.numInSamples != samples {
            return Err(Error::Fdk { call: "aacEncEncode(taken)", code: done.numInSamples.unsigned_abs() });
        }
        out.truncate(usize::try_from(done.numOutBytes).unwrap_or(0));
        Ok(())
    }
}

fn check(call: &'static str, code: sys::AACENC_ERROR) -> Result<(), Error> {
    if code == sys::AACENC_ERROR_AACENC_OK { Ok(()) } else { Err(Error::Fdk { call, code }) }
}
