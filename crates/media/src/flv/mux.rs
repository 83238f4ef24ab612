//! Access units and AAC frames to FLV tag bodies, and these to an FLV file.

use bytes::{BufMut, Bytes, BytesMut};

use super::tag::{AAC_TAG, CODEC_AVC, TAG_HEADER_BYTES, TagKind, tag_header};
use crate::aac;
use crate::error::Error;
use crate::frame::{AacFrame, AccessUnit};
use crate::h264::{ParameterSets, avcc};
use crate::time::Millis;

/// Frame type and codec of a tag with an IDR picture, and of one with any other (section E.4.3.1).
const KEYFRAME: u8 = 1 << 4 | CODEC_AVC;
const INTER_FRAME: u8 = 2 << 4 | CODEC_AVC;

/// The body of the video tag that precedes the pictures and every change of parameter sets.
#[must_use]
pub fn video_sequence_header(params: &ParameterSets) -> Bytes {
    let mut out = BytesMut::with_capacity(128);
    out.put_slice(&[KEYFRAME, 0, 0, 0, 0]);
    avcc::write_record(params, &mut out);
    out.freeze()
}

/// The body of a video tag with a picture, in one allocation. Its tag belongs at the `dts` of the picture.
///
/// SPS and PPS are not repeated in band: [`video_sequence_header`] carries them.
#[must_use]
pub fn video(unit: &AccessUnit) -> Bytes {
    let mut out = BytesMut::with_capacity(5 + avcc::written_len(&unit.nals));
    out.put_u8(if unit.keyframe { KEYFRAME } else { INTER_FRAME });
    out.put_u8(1);
    // Both times are rounded first, so that the sum in the player is exact.
    let composition = unit.pts.rescale::<1_000>() - unit.dts.rescale::<1_000>();
    out.put_int(composition.get().clamp(-(1 << 23), (1 << 23) - 1), 3);
    avcc::write(&unit.nals, &mut out);
    out.freeze()
}

/// The body of the video tag after the last picture.
#[must_use]
pub const fn end_of_sequence() -> Bytes {
    Bytes::from_static(&[KEYFRAME, 2, 0, 0, 0])
}

/// The body of the audio tag that precedes the frames and every change of configuration.
#[must_use]
pub fn audio_sequence_header(config: &aac::Config) -> Bytes {
    audio_body(0, &config.bytes)
}

/// The body of an audio tag with a frame, in one allocation.
#[must_use]
pub fn audio(frame: &AacFrame) -> Bytes {
    audio_body(1, &frame.data)
}

fn audio_body(packet_type: u8, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(2 + data.len());
    out.put_slice(&[AAC_TAG, packet_type]);
    out.put_slice(data);
    out.freeze()
}

/// The beginning of an FLV file (sections E.2 and E.3): the header and the size of the tag before the first.
#[must_use]
pub const fn file_header(has_audio: bool, has_video: bool) -> [u8; 13] {
    let flags = (has_audio as u8) << 2 | has_video as u8;
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// One tag of an FLV file with its size after it, in one allocation.
///
/// # Errors
///
/// If the body does not fit the 24-bit length.
pub fn tag(kind: TagKind, time: Millis, body: &[u8]) -> Result<Bytes, Error> {
    const LIMIT: usize = 0x00ff_ffff;
    let length = u32::try_from(body.len()).ok().filter(|_| body.len() <= LIMIT);
    let length = length.ok_or(Error::TooLarge { what: "FLV tag bytes", limit: LIMIT })?;
    let mut out = BytesMut::with_capacity(TAG_HEADER_BYTES + body.len() + 4);
    out.put_slice(&tag_header(kind, time, length));
    out.put_slice(body);
    out.put_u32(length + 11);
    Ok(out.freeze())
}
