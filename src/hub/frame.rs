//! What travels through the hub: frames for RTMP and FLV players, RTP packets for WebRTC peers.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use queqiao_media::frame::{AacFrame, AccessUnit, RtpPacket};
use queqiao_media::layers::Layer;
use queqiao_media::time::StreamTime;

use super::queue::{Item, Kind};

/// One publishing session of a stream. A publisher that comes back is another source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceId(pub(super) u64);

/// A picture or an audio frame.
#[derive(Debug)]
pub(crate) enum Media {
    /// A picture. `droppable` says that it is a B picture that nothing refers to.
    Video { unit: AccessUnit, droppable: bool },
    /// An AAC frame.
    Audio(AacFrame),
}

/// How far the newest picture may be behind the newest sound while both go on: a waiting image comes five times a second.
const STANDSTILL: StreamTime = StreamTime::new(1_000_000);

/// Cached pictures for somebody who joins at `latest`. Where the picture stands still while the sound goes on, they are
/// moved there: a player that got both with their own times would wait for what lies between them.
pub(super) fn brought_up(cached: Vec<Arc<Frame>>, latest: StreamTime) -> Vec<Arc<Frame>> {
    let behind = cached.last().map_or(StreamTime::ZERO, |newest| latest - newest.time());
    if behind <= STANDSTILL {
        return cached;
    }
    let moved = cached.iter().filter_map(|frame| {
        let Media::Video { unit, droppable } = &frame.media else { return None };
        let unit = unit.clone().at(unit.dts + behind);
        let media = Media::Video { unit, droppable: *droppable };
        Some(Arc::new(Frame::new(frame.source, frame.index, frame.layer, media)))
    });
    moved.collect()
}

/// The serialised forms that are made once and shared by all players.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WireForm {
    /// An RTMP message in chunks of the server's chunk size.
    RtmpMessage,
    /// An FLV tag with its trailing size.
    FlvTag,
}

/// A frame on its way to RTMP and FLV players.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Who published it.
    pub(crate) source: SourceId,
    /// Its number within its source, from 0.
    pub(crate) index: u64,
    /// The layer that a picture is of.
    pub(crate) layer: Layer,
    /// What it is.
    pub(crate) media: Media,
    rtmp_message: OnceLock<Bytes>,
    flv_tag: OnceLock<Bytes>,
}

impl Frame {
    pub(super) fn new(source: SourceId, index: u64, layer: Layer, media: Media) -> Self {
        Self { source, index, layer, media, rtmp_message: OnceLock::new(), flv_tag: OnceLock::new() }
    }

    /// Its place on the stream's timeline.
    pub(super) fn time(&self) -> StreamTime {
        match &self.media {
            Media::Video { unit, .. } => unit.pts.max(unit.dts),
            Media::Audio(frame) => frame.time,
        }
    }

    /// The serialised form `form`, made by `make` for the first player that asks.
    pub(crate) fn wire(&self, form: WireForm, make: impl FnOnce() -> Bytes) -> Bytes {
        let cell = match form {
            WireForm::RtmpMessage => &self.rtmp_message,
            WireForm::FlvTag => &self.flv_tag,
        };
        cell.get_or_init(make).clone()
    }
}

impl Item for Arc<Frame> {
    const GOVERNED: bool = true;

    fn kind(&self) -> Kind {
        match &self.media {
            Media::Audio(_) => Kind::Audio,
            Media::Video { unit, .. } if unit.keyframe => Kind::Keyframe,
            Media::Video { .. } => Kind::Delta,
        }
    }

    fn layer(&self) -> Layer {
        self.layer
    }
}

/// RTP on its way to WebRTC peers: the packets of one picture of an RTMP source, one packet of a WebRTC source.
#[derive(Clone, Debug)]
pub(crate) enum RtpUnit {
    /// Video.
    Video(RtpVideo),
    /// One Opus packet.
    Audio { source: SourceId, packet: RtpPacket<48_000> },
}

/// Packets of one picture.
#[derive(Clone, Debug)]
pub(crate) struct RtpVideo {
    /// Who published it.
    pub(crate) source: SourceId,
    /// The [`Frame::index`] of the picture, for sources that number their frames.
    pub(crate) index: Option<u64>,
    /// The layer that the picture is of.
    pub(crate) layer: Layer,
    /// Whether decoding can begin with the first of `packets`.
    pub(crate) keyframe: bool,
    /// In order of sending.
    pub(crate) packets: Arc<[RtpPacket<90_000>]>,
}

impl RtpUnit {
    /// Its place on the stream's timeline; `None` without packets.
    pub(super) fn time(&self) -> Option<StreamTime> {
        match self {
            Self::Video(video) => video.packets.last().map(|packet| packet.time),
            Self::Audio { packet, .. } => Some(packet.time),
        }
    }
}

impl Item for RtpUnit {
    const GOVERNED: bool = false;

    fn kind(&self) -> Kind {
        match self {
            Self::Audio { .. } => Kind::Audio,
            Self::Video(video) if video.keyframe => Kind::Keyframe,
            Self::Video(_) => Kind::Delta,
        }
    }

    fn layer(&self) -> Layer {
        match self {
            Self::Audio { .. } => Layer::High,
            Self::Video(video) => video.layer,
        }
    }
}
