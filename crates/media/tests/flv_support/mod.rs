//! FLV files made by ffmpeg 5.1 and x264, 178x98 at 15 pictures a second for two seconds, and what is in them.

#![allow(clippy::unwrap_used)]
#![allow(dead_code)] // Each test crate uses its part.

use bytes::Bytes;
use queqiao_media::flv::{AudioDemuxer, Reader, Tag, TagKind, VideoDemuxer};
use queqiao_media::frame::{AacFrame, AccessUnit};
use queqiao_media::time::{Millis, StreamTime};

pub(crate) const BASELINE: &[u8] = include_bytes!("../fixtures/baseline_aac48k_mono.flv");
pub(crate) const MAIN: &[u8] = include_bytes!("../fixtures/main.flv");
pub(crate) const MAIN_B: &[u8] = include_bytes!("../fixtures/main_b_aac44k_stereo.flv");
pub(crate) const HIGH_PYRAMID: &[u8] = include_bytes!("../fixtures/high_pyramid_aac16k_mono.flv");
/// Three slices a picture and access unit delimiters, no sound.
pub(crate) const HIGH_SLICES: &[u8] = include_bytes!("../fixtures/high_slices.flv");

pub(crate) const ALL: [(&str, &[u8]); 5] = [
    ("baseline", BASELINE),
    ("main", MAIN),
    ("main with B-frames", MAIN_B),
    ("high with a B-pyramid", HIGH_PYRAMID),
    ("high with slices", HIGH_SLICES),
];

/// Reads a file in pieces of `step` bytes.
pub(crate) fn tags_in_steps(file: &[u8], step: usize) -> Vec<Tag> {
    let mut reader = Reader::default();
    let mut tags = Vec::new();
    for piece in file.chunks(step) {
        reader.push(piece).unwrap();
        while let Some(tag) = reader.next_tag().unwrap() {
            tags.push(tag);
        }
    }
    tags
}

pub(crate) fn tags(file: &[u8]) -> Vec<Tag> {
    tags_in_steps(file, file.len())
}

pub(crate) fn bodies(file: &[u8], kind: TagKind) -> Vec<Bytes> {
    tags(file).into_iter().filter(|tag| tag.kind == kind).map(|tag| tag.body).collect()
}

pub(crate) fn millis(value: impl Into<i64>) -> StreamTime {
    Millis::new(value.into()).rescale()
}

pub(crate) fn access_units(file: &[u8]) -> Vec<AccessUnit> {
    let mut demuxer = VideoDemuxer::default();
    let video = tags(file).into_iter().filter(|tag| tag.kind == TagKind::Video);
    video.filter_map(|tag| demuxer.push(tag.body, millis(tag.timestamp)).unwrap()).collect()
}

pub(crate) fn aac_frames(file: &[u8]) -> Vec<AacFrame> {
    let mut demuxer = AudioDemuxer::default();
    let audio = tags(file).into_iter().filter(|tag| tag.kind == TagKind::Audio);
    audio.filter_map(|tag| demuxer.push(tag.body, millis(tag.timestamp)).unwrap()).collect()
}

/// The sequence header of a file's video.
pub(crate) fn video_header(file: &[u8]) -> Bytes {
    bodies(file, TagKind::Video).swap_remove(0)
}
