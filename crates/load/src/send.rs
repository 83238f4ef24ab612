//! What a WebRTC publisher sends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_media::frame::RtpPacket;
use queqiao_media::rtp::{DEFAULT_MAX_PAYLOAD, H264Packetizer};
use queqiao_media::time::StreamTime;
use str0m::media::{Mid, Pt};
use str0m::rtp::RtpWrite;

use crate::Error;
use crate::media::{Due, FPS, Media, OPUS_SAMPLES, Pace, Playhead};
use crate::rtc::Peer;

/// A live source behind a connection that is up: a picture and a packet of sound at a time.
pub(crate) struct Sender {
    media: Arc<Media>,
    audio: (Mid, Pt),
    video: (Mid, Pt),
    packetizer: H264Packetizer,
    playhead: Playhead,
    pace: Pace,
    start: Instant,
    packets: Vec<RtpPacket<90_000>>,
}

impl Sender {
    /// Sends in these two sections from `start` on.
    ///
    /// # Errors
    ///
    /// [`Error::Sdp`] if the sections cannot carry it.
    pub(crate) fn new(
        media: Arc<Media>,
        (audio, video): (Mid, Mid),
        playhead: Playhead,
        peer: &Peer,
        start: Instant,
    ) -> Result<Self, Error> {
        Ok(Self {
            media,
            audio: (audio, peer.payload_type(audio)?),
            video: (video, peer.payload_type(video)?),
            packetizer: H264Packetizer::new(DEFAULT_MAX_PAYLOAD),
            playhead,
            pace: Pace::new(OPUS_SAMPLES),
            start,
            packets: Vec::new(),
        })
    }

    /// When something is to be sent next.
    #[must_use]
    pub(crate) fn due(&self) -> Instant {
        self.start + self.pace.next().0
    }

    /// What that is.
    #[must_use]
    pub(crate) fn next(&self) -> Due {
        self.pace.next().1
    }

    /// The server wants a keyframe: the next picture is one.
    pub(crate) fn request_keyframe(&mut self) {
        self.playhead.request_keyframe();
    }

    /// Sends what is due. Returns how many packets it took.
    ///
    /// # Errors
    ///
    /// [`Error::Rtc`] or [`Error::Io`] when the connection broke.
    pub(crate) fn send(&mut self, peer: &mut Peer, now: Instant) -> Result<u64, Error> {
        let due = self.next();
        let packets = match due {
            Due::Video(number) => self.video(peer, number, now)?,
            Due::Audio(number) => self.audio(peer, number, now)?,
        };
        self.pace.advance(due);
        peer.drive(now)?;
        Ok(packets)
    }

    fn video(&mut self, peer: &mut Peer, number: u64, now: Instant) -> Result<u64, Error> {
        let (mid, pt) = self.video;
        let time = StreamTime::from_duration(Duration::from_nanos(number * 1_000_000_000 / FPS));
        let place = self.playhead.advance();
        // A number of 32 bits lasts for nine years.
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let unit = self.media.unit(place, number, time, now).ok_or(Error::Media("there is no picture"))?;
        self.packets.clear();
        self.packetizer.packetize(&unit, &mut self.packets);
        for packet in &self.packets {
            let time = packet.rtp_time.wire();
            let write = RtpWrite::new(pt, packet.seq.into(), time, now, Arc::clone(&packet.payload))
                .marker(packet.marker)
                .nackable(true);
            peer.write(mid, write)?;
        }
        Ok(self.packets.len() as u64)
    }

    fn audio(&self, peer: &mut Peer, number: u64, now: Instant) -> Result<u64, Error> {
        let (mid, pt) = self.audio;
        #[allow(clippy::cast_possible_truncation)]
        let time = (number * OPUS_SAMPLES) as u32;
        let payload: Arc<[u8]> = Arc::from(self.media.opus(number).as_ref());
        // Sound was recorded one packet before it is sent, pictures just now: sender reports must say so.
        let recorded = now.checked_sub(Duration::from_millis(20)).unwrap_or(now);
        peer.write(mid, RtpWrite::new(pt, number.into(), time, recorded, payload))?;
        Ok(1)
    }
}
