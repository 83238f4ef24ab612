//! The parts of an FLV file and the numbers in them.

use bytes::Bytes;

use crate::time::Millis;

/// The length of the header before a tag's body (section E.4.1).
pub(super) const TAG_HEADER_BYTES: usize = 11;

/// What a tag carries; the numbers are also those of RTMP message types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    /// Sound.
    Audio = 8,
    /// Pictures.
    Video = 9,
    /// AMF0 data such as `onMetaData`.
    Script = 18,
}

impl TagKind {
    /// The kind of a tag or RTMP message type; `None` for all others.
    #[must_use]
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            18 => Some(Self::Script),
            _ => None,
        }
    }
}

/// One tag of an FLV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it carries.
    pub kind: TagKind,
    /// The 32-bit timestamp in milliseconds, as it is on the wire.
    pub timestamp: u32,
    /// The body.
    pub body: Bytes,
}

/// `CodecID` of H.264 (section E.4.3.1).
pub(super) const CODEC_AVC: u8 = 7;

/// `FrameType` of a tag that carries a command to the player instead of a picture.
pub(super) const FRAME_COMMAND: u8 = 5;

/// The first byte of every AAC tag (section E.4.2.1): AAC, and the values that the specification fixes for it.
pub(super) const AAC_TAG: u8 = 0xaf;

/// The name of a `CodecID` that is not carried.
pub(super) const fn video_codec_name(id: u8) -> &'static str {
    match id {
        1 => "JPEG",
        2 => "Sorenson H.263",
        3 => "Screen video",
        4 => "VP6",
        5 => "VP6 with alpha",
        6 => "Screen video version 2",
        8 => "H.263",
        9 => "MPEG-4 part 2",
        // Not in the specification, but what senders agreed on before Enhanced RTMP.
        12 => "HEVC",
        13 => "AV1",
        _ => "an unknown FLV video codec",
    }
}

/// The name of a `SoundFormat` that is not carried.
pub(super) const fn audio_codec_name(format: u8) -> &'static str {
    match format {
        0 | 3 => "PCM",
        1 => "ADPCM",
        2 | 14 => "MP3",
        4..=6 => "Nellymoser",
        7 => "G.711 A-law",
        8 => "G.711 mu-law",
        11 => "Speex",
        13 => "Opus in FLV",
        15 => "device-specific sound",
        _ => "an unknown FLV audio codec",
    }
}

/// The header of a tag with a body of `length` bytes, which must be below 2^24.
pub(super) fn tag_header(kind: TagKind, time: Millis, length: u32) -> [u8; TAG_HEADER_BYTES] {
    let [_, l2, l1, l0] = length.to_be_bytes();
    let [extended, t2, t1, t0] = time.wire().to_be_bytes();
    [kind as u8, l2, l1, l0, t2, t1, t0, extended, 0, 0, 0]
}
