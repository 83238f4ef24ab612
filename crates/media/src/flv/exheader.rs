//! The extended tag headers of Enhanced RTMP (version 2, sections `ExVideoTagHeader` and `ExAudioTagHeader`).

use std::borrow::Cow;

use crate::error::Error;

/// What the body behind an extended header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketType {
    SequenceStart,
    CodedFrames,
    SequenceEnd,
    /// Coded frames without composition time.
    CodedFramesX,
    /// Metadata, multichannel configuration and whatever else is no media.
    Other,
}

/// An extended header: the codec, the kind of packet and where the body begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExHeader {
    pub(super) fourcc: [u8; 4],
    pub(super) packet: PacketType,
    pub(super) body: usize,
}

const MULTITRACK_VIDEO: u8 = 6;
const MULTITRACK_AUDIO: u8 = 5;
const MOD_EX: u8 = 7;

impl ExHeader {
    /// Reads the header of a video tag whose first byte has the extension bit set.
    ///
    /// `None` for commands to the player, which have no codec.
    pub(super) fn video(payload: &[u8]) -> Result<Option<Self>, Error> {
        let (kind, at) = skip_modifiers(payload, "E-RTMP video header")?;
        let command = payload.first().is_some_and(|first| first >> 4 & 7 == super::tag::FRAME_COMMAND);
        if command && kind != 4 {
            return Ok(None);
        }
        if kind == MULTITRACK_VIDEO {
            return Err(Error::UnsupportedCodec { name: "E-RTMP multitrack video".into() });
        }
        let packet = match kind {
            0 => PacketType::SequenceStart,
            1 => PacketType::CodedFrames,
            2 => PacketType::SequenceEnd,
            3 => PacketType::CodedFramesX,
            _ => PacketType::Other,
        };
        Self::read(payload, packet, at, "E-RTMP video header").map(Some)
    }

    /// Reads the header of an audio tag of sound format 9.
    pub(super) fn audio(payload: &[u8]) -> Result<Self, Error> {
        let (kind, at) = skip_modifiers(payload, "E-RTMP audio header")?;
        if kind == MULTITRACK_AUDIO {
            return Err(Error::UnsupportedCodec { name: "E-RTMP multitrack audio".into() });
        }
        let packet = match kind {
            0 => PacketType::SequenceStart,
            1 => PacketType::CodedFrames,
            2 => PacketType::SequenceEnd,
            _ => PacketType::Other,
        };
        Self::read(payload, packet, at, "E-RTMP audio header")
    }

    fn read(payload: &[u8], packet: PacketType, at: usize, what: &'static str) -> Result<Self, Error> {
        let fourcc = payload.get(at..at + 4).and_then(|code| code.try_into().ok());
        let fourcc = fourcc.ok_or(Error::Truncated { what, offset: at })?;
        Ok(Self { fourcc, packet, body: at + 4 })
    }
}

/// Reads the packet type past any modifiers, such as nanosecond offsets. Returns it and the offset behind it.
fn skip_modifiers(payload: &[u8], what: &'static str) -> Result<(u8, usize), Error> {
    let byte = |at: usize| payload.get(at).copied().ok_or(Error::Truncated { what, offset: at });
    let mut kind = byte(0)? & 0x0f;
    let mut at = 1;
    while kind == MOD_EX {
        let mut size = usize::from(byte(at)?) + 1;
        at += 1;
        if size == 256 {
            size = usize::from(u16::from_be_bytes([byte(at)?, byte(at + 1)?])) + 1;
            at += 2;
        }
        at += size;
        kind = byte(at)? & 0x0f;
        at += 1;
    }
    Ok((kind, at))
}

/// The name of a codec by its FourCC.
pub(super) fn codec_name(fourcc: [u8; 4]) -> Cow<'static, str> {
    match &fourcc {
        b"hvc1" => "HEVC".into(),
        b"vvc1" => "VVC".into(),
        b"av01" => "AV1".into(),
        b"vp09" => "VP9".into(),
        b"vp08" => "VP8".into(),
        b"Opus" => "Opus in E-RTMP".into(),
        b"fLaC" => "FLAC".into(),
        b"ac-3" => "AC-3".into(),
        b"ec-3" => "E-AC-3".into(),
        b".mp3" => "MP3".into(),
        other => format!("FourCC {}", other.escape_ascii()).into(),
    }
}
