//! FLV tag bodies to access units and AAC frames.

use std::sync::Arc;

use bytes::Bytes;

use super::exheader::{self, ExHeader, PacketType};
use super::tag::{CODEC_AVC, FRAME_COMMAND, audio_codec_name, video_codec_name};
use crate::aac;
use crate::error::Error;
use crate::frame::{AacFrame, AccessUnit, Nals};
use crate::h264::avcc::{self, DecoderConfig, LengthSize};
use crate::h264::{NalType, ParameterSets, ParameterTracker, annexb};
use crate::time::{Millis, StreamTime};

/// The most NAL units, sent ahead of their picture, that wait for it. Encoders send one or two (delimiter, SEI).
const MAX_HELD_NALS: usize = 16;

/// The most bytes of such NAL units; captions take a few hundred.
const MAX_HELD_BYTES: usize = 16 << 10;

/// Turns the video messages of one stream into access units, whose NAL units are slices of the messages.
///
/// An error concerns one message: the parameter sets in force stay as they were, and the next message may be pushed.
#[derive(Debug, Default)]
pub struct VideoDemuxer {
    length_size: LengthSize,
    params: ParameterTracker,
    /// NAL units of messages without a picture, to go before the next one.
    held: Nals,
    held_bytes: usize,
}

/// The body of a video tag behind its header.
enum VideoBody {
    Header(Bytes),
    Picture { composition: Millis, data: Bytes },
    Nothing,
}

impl VideoDemuxer {
    /// Reads one message that is to be decoded at `dts`. Most yield an access unit; sequence headers, ends of sequence,
    /// commands, empty messages and messages without a picture yield none.
    ///
    /// The picture is a keyframe if it has an IDR slice, whatever the tag says. SPS and PPS in band are put in force and
    /// taken out of the access unit. Where lengths do not add up and a four-byte start code stands first, the message is
    /// read as a byte stream.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedCodec`] for other codecs than H.264, [`Error::MissingParameters`] for a picture before its
    /// parameter sets, and the errors of the parsers for a malformed message.
    pub fn push(&mut self, payload: Bytes, dts: StreamTime) -> Result<Option<AccessUnit>, Error> {
        match video_body(&payload)? {
            VideoBody::Nothing => Ok(None),
            VideoBody::Header(record) => {
                let config = DecoderConfig::parse(&record)?;
                self.length_size = config.length_size;
                self.params.replace(config.params);
                Ok(None)
            }
            VideoBody::Picture { composition, data } => self.picture(&data, dts, composition),
        }
    }

    /// The parameter sets in force.
    #[must_use]
    pub const fn params(&self) -> Option<&Arc<ParameterSets>> {
        self.params.current()
    }

    fn picture(
        &mut self,
        data: &Bytes,
        dts: StreamTime,
        composition: Millis,
    ) -> Result<Option<AccessUnit>, Error> {
        let mut nals = match avcc::split(data, self.length_size) {
            Ok(nals) => nals,
            // As a length this would announce a unit of one byte, which no picture begins with.
            Err(_) if data.starts_with(&annexb::START_CODE) => annexb::split(data)?,
            Err(_) if self.params.current().is_none() => return Err(MISSING),
            Err(error) => return Err(error),
        };
        let keyframe = nals.iter().any(|nal| NalType::of(nal).is_some_and(NalType::is_idr));
        self.take_parameter_sets(&mut nals, keyframe)?;
        if !nals.iter().any(|nal| NalType::of(nal).is_some_and(NalType::is_vcl)) {
            self.hold(nals);
            return Ok(None);
        }
        let params = self.params.current().ok_or(MISSING)?.clone();
        if !self.held.is_empty() {
            nals.insert_many(0, self.held.drain(..));
            self.held_bytes = 0;
        }
        Ok(Some(AccessUnit { dts, pts: dts + composition.rescale(), keyframe, params, nals }))
    }

    /// Moves SPS and PPS out of `nals` and puts them in force.
    fn take_parameter_sets(&mut self, nals: &mut Nals, keyframe: bool) -> Result<(), Error> {
        let is_set = |nal: &Bytes| NalType::of(nal).is_some_and(|kind| kind.is_sps() || kind.is_pps());
        if !nals.iter().any(is_set) {
            return Ok(());
        }
        for nal in nals.iter().filter(|nal| is_set(nal)) {
            if let Err(error) = self.params.push(nal) {
                self.params.discard();
                return Err(error);
            }
        }
        nals.retain(|nal| !is_set(nal));
        self.params.commit(keyframe)
    }

    /// Keeps the NAL units of a message without a picture for the next one, as far as they fit.
    ///
    /// They are copied, so that they do not keep the message alive.
    fn hold(&mut self, nals: Nals) {
        for nal in nals {
            let bytes = self.held_bytes + nal.len();
            if self.held.len() < MAX_HELD_NALS && bytes <= MAX_HELD_BYTES {
                self.held_bytes = bytes;
                self.held.push(Bytes::copy_from_slice(&nal));
            }
        }
    }
}

const MISSING: Error = Error::MissingParameters { codec: "H.264", needs: "sequence header" };

/// Reads the tag header of a video message (section E.4.3.1).
fn video_body(payload: &Bytes) -> Result<VideoBody, Error> {
    let Some(&first) = payload.first() else { return Ok(VideoBody::Nothing) };
    if first & 0x80 != 0 {
        let Some(header) = ExHeader::video(payload)? else { return Ok(VideoBody::Nothing) };
        if header.fourcc != *b"avc1" {
            return Err(Error::UnsupportedCodec { name: exheader::codec_name(header.fourcc) });
        }
        return match header.packet {
            PacketType::SequenceStart => Ok(VideoBody::Header(payload.slice(header.body..))),
            PacketType::CodedFrames => picture_body(payload, header.body),
            PacketType::CodedFramesX => {
                Ok(VideoBody::Picture { composition: Millis::ZERO, data: payload.slice(header.body..) })
            }
            PacketType::SequenceEnd | PacketType::Other => Ok(VideoBody::Nothing),
        };
    }
    if first >> 4 == FRAME_COMMAND {
        return Ok(VideoBody::Nothing);
    }
    let codec = first & 0x0f;
    if codec != CODEC_AVC {
        return Err(Error::UnsupportedCodec { name: video_codec_name(codec).into() });
    }
    match payload.get(1) {
        None | Some(2) => Ok(VideoBody::Nothing),
        Some(0) if payload.len() > 5 => Ok(VideoBody::Header(payload.slice(5..))),
        Some(0) => Err(Error::Truncated { what: "AVC sequence header", offset: payload.len() }),
        Some(1) => picture_body(payload, 2),
        Some(&other) => Err(Error::Invalid { what: "AVCPacketType", value: other.into(), offset: 1 }),
    }
}

/// The composition time at `offset` and the picture behind it.
fn picture_body(payload: &Bytes, offset: usize) -> Result<VideoBody, Error> {
    let Some(&[high, middle, low]) = payload.get(offset..offset + 3) else {
        return Err(Error::Truncated { what: "composition time", offset });
    };
    // Twenty-four bits with sign.
    let composition = i32::from_be_bytes([high, middle, low, 0]) >> 8;
    Ok(VideoBody::Picture { composition: Millis::new(composition.into()), data: payload.slice(offset + 3..) })
}

/// Turns the audio messages of one stream into AAC frames, without copying them.
///
/// An error concerns one message: the configuration in force stays as it was, and the next message may be pushed.
#[derive(Debug, Default)]
pub struct AudioDemuxer {
    config: Option<Arc<aac::Config>>,
}

/// The body of an audio tag behind its header.
enum AudioBody {
    Header(Bytes),
    Frame(Bytes),
    Nothing,
}

impl AudioDemuxer {
    /// Reads one message whose first sample is heard at `time`. Sequence headers and empty messages yield no frame.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedCodec`] for other codecs than AAC, [`Error::MissingParameters`] for a frame before the
    /// sequence header, and the errors of the parsers for a malformed message.
    pub fn push(&mut self, payload: Bytes, time: StreamTime) -> Result<Option<AacFrame>, Error> {
        match audio_body(&payload)? {
            AudioBody::Nothing => Ok(None),
            AudioBody::Header(bytes) => {
                if self.config.as_ref().is_none_or(|config| config.bytes != bytes) {
                    // Copied: the configuration outlives the message.
                    let limit = bytes.len().min(aac::MAX_CONFIG_BYTES + 1);
                    let copy = Bytes::copy_from_slice(bytes.get(..limit).unwrap_or_default());
                    self.config = Some(Arc::new(aac::Config::parse(copy)?));
                }
                Ok(None)
            }
            AudioBody::Frame(data) => {
                let missing = Error::MissingParameters { codec: "AAC", needs: "sequence header" };
                let config = self.config.as_ref().ok_or(missing)?.clone();
                let data = aac::strip_adts(data);
                Ok((!data.is_empty()).then_some(AacFrame { time, config, data }))
            }
        }
    }

    /// The configuration in force.
    #[must_use]
    pub const fn config(&self) -> Option<&Arc<aac::Config>> {
        self.config.as_ref()
    }
}

/// Reads the tag header of an audio message (section E.4.2.1).
fn audio_body(payload: &Bytes) -> Result<AudioBody, Error> {
    let Some(&first) = payload.first() else { return Ok(AudioBody::Nothing) };
    let (packet, offset) = match first >> 4 {
        9 => {
            let header = ExHeader::audio(payload)?;
            if header.fourcc != *b"mp4a" {
                return Err(Error::UnsupportedCodec { name: exheader::codec_name(header.fourcc) });
            }
            (header.packet, header.body)
        }
        10 => match payload.get(1) {
            None => return Ok(AudioBody::Nothing),
            Some(0) => (PacketType::SequenceStart, 2),
            Some(1) => (PacketType::CodedFrames, 2),
            Some(&other) => {
                return Err(Error::Invalid { what: "AACPacketType", value: other.into(), offset: 1 });
            }
        },
        other => return Err(Error::UnsupportedCodec { name: audio_codec_name(other).into() }),
    };
    let body = payload.slice(offset.min(payload.len())..);
    Ok(match packet {
        PacketType::SequenceStart => AudioBody::Header(body),
        PacketType::CodedFrames if body.is_empty() => AudioBody::Nothing,
        PacketType::CodedFrames => AudioBody::Frame(body),
        PacketType::SequenceEnd | PacketType::CodedFramesX | PacketType::Other => AudioBody::Nothing,
    })
}
