//! The canonical forms of media inside the server: no AVCC, no Annex B, no FLV, no wrapping clocks.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::aac;
use crate::h264::{NalType, ParameterSets, ref_idc};
use crate::time::{StreamTime, Ticks};

/// The NAL units of one access unit. Most pictures have one slice and at most a few SEI.
pub type Nals = SmallVec<[Bytes; 4]>;

/// One coded H.264 picture.
#[derive(Clone, Debug)]
pub struct AccessUnit {
    /// When to decode. Never decreases within a track.
    pub dts: StreamTime,
    /// When to show. Equal to `dts` in a stream without reordered pictures.
    pub pts: StreamTime,
    /// Whether the picture is an IDR picture.
    pub keyframe: bool,
    /// The parameter sets in force for this picture. The same `Arc` until they change.
    pub params: Arc<ParameterSets>,
    /// Every NAL unit except SPS and PPS, in order, each of at least one byte, without start code or length prefix.
    pub nals: Nals,
}

impl AccessUnit {
    /// Whether no other picture refers to this one: `nal_ref_idc` is 0 in all its slices (ITU-T H.264 section 7.4.1).
    #[must_use]
    pub fn is_disposable(&self) -> bool {
        let mut slices = self
            .nals
            .iter()
            .filter_map(|nal| nal.first())
            .filter(|&&header| NalType::of_header(header).is_vcl());
        slices.next().is_some_and(|&first| ref_idc(first) == 0) && slices.all(|&header| ref_idc(header) == 0)
    }

    /// The picture, to be decoded at `dts` and shown as long after that as before.
    #[must_use]
    pub fn at(self, dts: StreamTime) -> Self {
        Self { pts: dts + (self.pts - self.dts), dts, ..self }
    }
}

/// One raw AAC frame (`raw_data_block` of ISO/IEC 14496-3), without ADTS header.
#[derive(Clone, Debug)]
pub struct AacFrame {
    /// When its first sample is heard.
    pub time: StreamTime,
    /// The decoder configuration in force. The same `Arc` until it changes.
    pub config: Arc<aac::Config>,
    /// The frame.
    pub data: Bytes,
}

/// One Opus packet (RFC 6716 section 3).
#[derive(Clone, Debug)]
pub struct OpusPacket {
    /// When its first sample is heard.
    pub time: StreamTime,
    /// The packet; empty where a packet is known to be lost.
    pub data: Bytes,
}

/// One RTP packet (RFC 3550 section 5.1) without its header, in the clock of its media.
#[derive(Clone, Debug)]
pub struct RtpPacket<const HZ: u32> {
    /// The sequence number, unwrapped.
    pub seq: u64,
    /// The timestamp in the source's own clock, unwrapped. Linear: never adjusted for synchronisation.
    pub rtp_time: Ticks<HZ>,
    /// The same instant on the stream's timeline, as sender reports express it.
    pub time: StreamTime,
    /// The marker bit: the last packet of a picture.
    pub marker: bool,
    /// The payload. An `Arc<[u8]>` because that is what the SRTP layer takes: no viewer costs a copy.
    pub payload: Arc<[u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_disposable_if_nothing_refers_to_any_of_its_slices() {
        let disposable = |headers: &[u8]| {
            let nals = headers.iter().map(|&header| Bytes::copy_from_slice(&[header, 1])).collect();
            let params = Arc::new(ParameterSets { sps: SmallVec::new(), pps: SmallVec::new() });
            let (dts, pts) = (StreamTime::ZERO, StreamTime::ZERO);
            AccessUnit { dts, pts, keyframe: false, params, nals }.is_disposable()
        };
        assert!(disposable(&[0x09, 0x06, 0x01, 0x01]), "neither the delimiter nor SEI is referred to");
        assert!(!disposable(&[0x01, 0x41]));
        assert!(!disposable(&[0x06]), "no slice, no verdict");
    }
}
