//! FLV and RTMP media messages (Adobe Flash Video File Format version 10.1, annex E; Enhanced RTMP version 2).
//!
//! The body of an FLV video or audio tag is the payload of an RTMP video or audio message. `demux` and `mux` are mirror
//! images: bodies to access units and AAC frames, and back.

mod demux;
mod exheader;
mod mux;
mod reader;
mod tag;

pub use demux::{AudioDemuxer, VideoDemuxer};
pub use mux::{
    audio, audio_sequence_header, end_of_sequence, file_header, tag, video, video_sequence_header,
};
pub use reader::{MAX_BUFFERED_BYTES, MAX_TAG_BYTES, Reader};
pub use tag::{Tag, TagKind};
