//! From the sound and pictures of the application to RTP.

use std::sync::Arc;

use queqiao_media::frame::{AccessUnit, OpusPacket, RtpPacket};
use queqiao_media::h264::{BFrameFilter, BFrameVerdict};
use queqiao_media::rtp::H264Packetizer;
use queqiao_media::time::{AudioTicks, Ticks, VideoTicks};

use crate::error::{Error, Result};

/// One RTP packet, but for what the negotiation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Arc<[u8]>,
}

/// The numbers of a track: RFC 3550 section 5.1 wants them to begin at random.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
}

impl Origin {
    fn packet<const HZ: u32>(
        self,
        sequence: u64,
        time: Ticks<HZ>,
        marker: bool,
        payload: Arc<[u8]>,
    ) -> Packet {
        #[allow(clippy::cast_possible_truncation)] // The low bits go on the wire.
        let sequence = self.sequence.wrapping_add(sequence as u16);
        Packet { sequence, timestamp: self.timestamp.wrapping_add(time.wire()), marker, payload }
    }
}

/// The pictures of one stream.
#[derive(Debug)]
pub(super) struct Video {
    origin: Origin,
    packetizer: H264Packetizer,
    b_frames: BFrameFilter,
    /// Whether a receiver can decode what is sent: not before the first keyframe of a connection.
    started: bool,
    packets: Vec<RtpPacket<90_000>>,
}

impl Video {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            origin,
            packetizer: H264Packetizer::default(),
            b_frames: BFrameFilter::default(),
            started: false,
            packets: Vec::new(),
        }
    }

    /// The packets of a picture: none as long as nobody could decode it, and none of a B-frame.
    ///
    /// # Errors
    ///
    /// [`Error::Reordered`] for a B-frame that other pictures need.
    pub(super) fn packets(&mut self, picture: &AccessUnit) -> Result<impl Iterator<Item = Packet>> {
        self.started |= picture.keyframe;
        let pass = match self.b_frames.push(picture) {
            BFrameVerdict::Pass => true,
            BFrameVerdict::DropNonReferenceB => false,
            BFrameVerdict::ReferenceB => return Err(Error::Reordered),
        };
        if pass && self.started {
            self.packetizer.packetize(picture, &mut self.packets);
        }
        let origin = self.origin;
        Ok(self.packets.drain(..).map(move |packet| {
            let time: VideoTicks = packet.rtp_time;
            origin.packet(packet.seq, time, packet.marker, packet.payload)
        }))
    }

    /// Another connection carries the track from now on.
    pub(super) fn restart(&mut self) {
        self.started = false;
    }
}

/// The sound of one stream.
#[derive(Debug)]
pub(super) struct Audio {
    origin: Origin,
    sent: u64,
    /// When the last packet was to end, in samples: what comes later than that follows silence.
    end: Option<AudioTicks>,
}

impl Audio {
    pub(super) const fn new(origin: Origin) -> Self {
        Self { origin, sent: 0, end: None }
    }

    /// The packet of an Opus packet. None for an empty one, which stands for a lost one, and for what is not Opus.
    pub(super) fn packet(&mut self, packet: &OpusPacket) -> Option<Packet> {
        let info = queqiao_media::opus::PacketInfo::parse(&packet.data).ok()?;
        let time: AudioTicks = packet.time.rescale();
        // The marker says that sound begins after silence (RFC 7587 section 4.1).
        let begins = self.end.is_none_or(|end| time > end + AudioTicks::new(i64::from(info.samples)));
        self.end = Some(time + AudioTicks::new(info.samples.into()));
        let sequence = self.sent;
        self.sent += 1;
        Some(self.origin.packet(sequence, time, begins, Arc::from(packet.data.as_ref())))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use queqiao_media::h264::ParameterSets;
    use queqiao_media::time::StreamTime;

    use super::*;

    const ORIGIN: Origin = Origin { sequence: u16::MAX, timestamp: u32::MAX - 8 };

    fn picture(millis: i64, keyframe: bool) -> AccessUnit {
        let sets = [Bytes::from_static(&[0x67, 66, 0, 30, 0x80]), Bytes::from_static(&[0x68, 0xc0])];
        let time = StreamTime::new(millis * 1000);
        let nal: &[u8] = if keyframe { &[0x65, 0x88, 1, 2] } else { &[0x41, 0x9a, 1, 2] };
        AccessUnit {
            dts: time,
            pts: time,
            keyframe,
            params: Arc::new(ParameterSets::parse(sets).unwrap()),
            nals: [Bytes::copy_from_slice(nal)].into_iter().collect(),
        }
    }

    #[test]
    fn numbers_begin_at_the_origin_and_wrap() {
        let mut video = Video::new(ORIGIN);
        let first: Vec<_> = video.packets(&picture(0, true)).unwrap().collect();
        let second: Vec<_> = video.packets(&picture(100, false)).unwrap().collect();
        assert_eq!((first[0].sequence, first[0].timestamp), (u16::MAX, u32::MAX - 8));
        assert_eq!((second[0].sequence, second[0].timestamp), (0, 9_000 - 9));
        assert!(first.last().unwrap().marker);
    }

    #[test]
    fn nothing_is_sent_that_nobody_could_decode() {
        let mut video = Video::new(ORIGIN);
        let mut sent = |picture: &AccessUnit, restart: bool| {
            if restart {
                video.restart();
            }
            video.packets(picture).unwrap().count()
        };
        assert_eq!(sent(&picture(0, false), false), 0);
        assert_eq!(sent(&picture(0, true), false), 1);
        assert_eq!(sent(&picture(40, false), false), 1);
        assert_eq!(sent(&picture(80, false), true), 0);
    }

    #[test]
    fn sound_after_silence_is_marked_and_placeholders_are_not_sent() {
        let mut audio = Audio::new(ORIGIN);
        let mut send = |millis: i64, data: &'static [u8]| {
            let packet = OpusPacket { time: StreamTime::new(millis * 1000), data: Bytes::from_static(data) };
            audio.packet(&packet).map(|packet| (packet.sequence, packet.marker))
        };
        const TWENTY_MS: &[u8] = &[0x78, 1, 2, 3];
        assert_eq!(send(0, TWENTY_MS), Some((u16::MAX, true)));
        assert_eq!(send(20, TWENTY_MS), Some((0, false)));
        assert_eq!(send(40, &[]), None);
        assert_eq!(send(60, TWENTY_MS), Some((1, false)));
        assert_eq!(send(200, TWENTY_MS), Some((2, true)));
    }
}
