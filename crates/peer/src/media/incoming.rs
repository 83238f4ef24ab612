//! From the RTP of one remote stream to its sound and pictures.

use std::time::{Duration, Instant};

use queqiao_media::frame::{AccessUnit, OpusPacket, RtpPacket};
use queqiao_media::rtp::{H264Depacketizer, Item, JitterBuffer, OpusReceiver, Unit, Waits};
use queqiao_media::sync::{NtpTime, RtpSync};
use queqiao_media::time::{AudioTicks, StreamTime, Unwrapper, VideoTicks};
use queqiao_media::timeline::Kind;
use queqiao_room::signal::MediaKind;

/// The least time between two keyframe requests: a keyframe is ten times a delta frame, and an encoder needs some
/// time to make one.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// What a remote stream yields.
#[derive(Clone, Debug)]
pub enum Frame {
    /// An Opus packet; empty where one is known to be lost.
    Audio(OpusPacket),
    /// A picture that can be decoded with those before it.
    Video(AccessUnit),
}

/// How a remote stream does so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// RTP packets received, repeated ones among them.
    pub packets: u64,
    /// RTP packets that did not come in time.
    pub lost: u64,
    /// Pictures kept back after a loss.
    pub damaged: u64,
    /// Keyframes asked for.
    pub keyframe_requests: u64,
    /// Frames that the application did not pull in time.
    pub overflowed: u64,
}

/// What of a received packet's header matters.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: std::sync::Arc<[u8]>,
}

/// Numbers that wrap at 2^16, followed across their wraparounds.
#[derive(Clone, Copy, Debug, Default)]
struct Sequence(Option<u64>);

impl Sequence {
    fn unwrap(&mut self, wire: u16) -> u64 {
        // The first number is put above zero, so that what was sent before it has one, too.
        let last = self.0.unwrap_or((1 << 16) + u64::from(wire));
        #[allow(clippy::cast_possible_truncation)] // The low 16 bits are what was on the wire.
        let step = wire.wrapping_sub(last as u16).cast_signed();
        let value = last.saturating_add_signed(step.into());
        self.0 = Some(last.max(value));
        value
    }
}

#[derive(Debug)]
struct Audio {
    source: u32,
    sequence: Sequence,
    clock: Unwrapper,
    jitter: JitterBuffer<48_000>,
    receiver: OpusReceiver,
}

#[derive(Debug)]
struct Video {
    source: u32,
    sequence: Sequence,
    clock: Unwrapper,
    jitter: JitterBuffer<90_000>,
    depacketizer: H264Depacketizer,
    /// When a keyframe may be asked for again.
    may_ask: Instant,
}

/// Puts one remote stream together.
///
/// Its timeline begins with the first packet; sound and pictures share it as sender reports say.
#[derive(Debug)]
pub(super) struct Incoming {
    epoch: Instant,
    sync: RtpSync,
    audio: Option<Audio>,
    video: Option<Video>,
    opus: Vec<OpusPacket>,
    statistics: Statistics,
}

impl Incoming {
    /// `now` is when the stream begins.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            sync: RtpSync::default(),
            audio: None,
            video: None,
            opus: Vec::new(),
            statistics: Statistics::default(),
        }
    }

    pub(super) const fn statistics(&self) -> Statistics {
        self.statistics
    }

    pub(super) fn overflowed(&mut self) {
        self.statistics.overflowed += 1;
    }

    /// Takes a packet of `source` (its SSRC), another one than before if the track was replaced.
    pub(super) fn packet(&mut self, now: Instant, kind: MediaKind, source: u32, received: Received) {
        self.statistics.packets += 1;
        let arrival = self.stream_time(now);
        match kind {
            MediaKind::Audio => self.audio_packet(now, arrival, source, received),
            MediaKind::Video => self.video_packet(now, arrival, source, received),
        }
    }

    fn audio_packet(&mut self, now: Instant, arrival: StreamTime, source: u32, received: Received) {
        if self.audio.as_ref().is_some_and(|audio| audio.source != source) {
            self.audio = None;
            self.sync.reset(Kind::Audio);
        }
        let audio = self.audio.get_or_insert_with(|| Audio {
            source,
            sequence: Sequence::default(),
            clock: Unwrapper::default(),
            jitter: JitterBuffer::new(Waits::AUDIO),
            receiver: OpusReceiver::default(),
        });
        let rtp_time = AudioTicks::new(audio.clock.unwrap_u32(received.timestamp));
        let packet = RtpPacket {
            seq: audio.sequence.unwrap(received.sequence),
            rtp_time,
            time: self.sync.audio(rtp_time, arrival),
            marker: received.marker,
            payload: received.payload,
        };
        audio.jitter.push(now, packet);
    }

    fn video_packet(&mut self, now: Instant, arrival: StreamTime, source: u32, received: Received) {
        if self.video.as_ref().is_some_and(|video| video.source != source) {
            self.video = None;
            self.sync.reset(Kind::Video);
        }
        let video = self.video.get_or_insert_with(|| Video {
            source,
            sequence: Sequence::default(),
            clock: Unwrapper::default(),
            jitter: JitterBuffer::new(Waits::VIDEO),
            depacketizer: H264Depacketizer::default(),
            may_ask: now,
        });
        let rtp_time = VideoTicks::new(video.clock.unwrap_u32(received.timestamp));
        let packet = RtpPacket {
            seq: video.sequence.unwrap(received.sequence),
            rtp_time,
            time: self.sync.video(rtp_time, arrival),
            marker: received.marker,
            payload: received.payload,
        };
        video.jitter.push(now, packet);
    }

    /// Takes a sender report: at `ntp` the clock of `source` showed `rtp`.
    pub(super) fn sender_report(&mut self, now: Instant, source: u32, rtp: u32, ntp: u64) {
        let arrival = self.stream_time(now);
        for (kind, of_track) in [
            (Kind::Audio, self.audio.as_ref().map(|audio| audio.source)),
            (Kind::Video, self.video.as_ref().map(|video| video.source)),
        ] {
            if of_track == Some(source) {
                self.sync.sender_report(kind, rtp, NtpTime(ntp), arrival);
            }
        }
    }

    /// Appends what is complete, or lost for good, at `now`.
    pub(super) fn poll(&mut self, now: Instant, out: &mut Vec<Frame>) {
        if let Some(audio) = &mut self.audio {
            while let Some(item) = audio.jitter.poll(now) {
                audio.receiver.push(item, &mut self.opus);
                out.extend(self.opus.drain(..).map(Frame::Audio));
            }
        }
        if let Some(video) = &mut self.video {
            while let Some(item) = video.jitter.poll(now) {
                match item {
                    Item::Packet(packet) => video.depacketizer.push(&packet),
                    // A keyframe is everybody's: none is asked for that may not be needed.
                    Item::Lost { .. } | Item::Doubtful => {}
                    Item::Restart => video.depacketizer.restart(),
                }
                while let Some(unit) = video.depacketizer.pull() {
                    match unit {
                        Unit::Picture(picture) => out.push(Frame::Video(picture)),
                        Unit::Damaged { .. } => self.statistics.damaged += 1,
                    }
                }
            }
        }
        let lost = |counters: Option<queqiao_media::rtp::JitterCounters>| counters.map_or(0, |now| now.lost);
        self.statistics.lost = lost(self.audio.as_ref().map(|audio| audio.jitter.counters()))
            + lost(self.video.as_ref().map(|video| video.jitter.counters()));
    }

    /// The source to ask for a keyframe now, if one is needed to go on, or `wanted` by others. Asks no more often than
    /// an encoder can answer.
    pub(super) fn keyframe_request(&mut self, now: Instant, wanted: bool) -> Option<u32> {
        let video = self.video.as_mut()?;
        if !(wanted || video.depacketizer.needs_keyframe()) || now < video.may_ask {
            return None;
        }
        video.may_ask = now + KEYFRAME_INTERVAL;
        self.statistics.keyframe_requests += 1;
        Some(video.source)
    }

    /// When [`poll`](Self::poll) or [`keyframe_request`](Self::keyframe_request) has something to say even if no
    /// packet comes.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let audio = self.audio.as_ref().and_then(|audio| audio.jitter.poll_timeout());
        let video = self.video.as_ref().and_then(|video| video.jitter.poll_timeout());
        let ask = self.video.as_ref().filter(|video| video.depacketizer.needs_keyframe());
        [audio, video, ask.map(|video| video.may_ask)].into_iter().flatten().min()
    }

    fn stream_time(&self, now: Instant) -> StreamTime {
        StreamTime::from_duration(now.saturating_duration_since(self.epoch))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const IDR: &[u8] = &[0x65, 0x88, 0x80, 0x40];
    const SLICE: &[u8] = &[0x41, 0x9a, 0x20, 0x10];
    /// SPS and PPS in one STAP-A.
    const SETS: &[u8] = &[0x78, 0, 5, 0x67, 66, 0, 30, 0x80, 0, 2, 0x68, 0xc0];
    const OPUS: &[u8] = &[0x78, 1, 2, 3];

    struct Bench {
        start: Instant,
        incoming: Incoming,
        out: Vec<Frame>,
    }

    impl Bench {
        fn new() -> Self {
            let start = Instant::now();
            Self { start, incoming: Incoming::new(start), out: Vec::new() }
        }

        fn at(&self, millis: u64) -> Instant {
            self.start + Duration::from_millis(millis)
        }

        fn video(&mut self, millis: u64, sequence: u16, timestamp: u32, marker: bool, payload: &[u8]) {
            let received = Received { sequence, timestamp, marker, payload: Arc::from(payload) };
            let now = self.at(millis);
            self.incoming.packet(now, MediaKind::Video, 7, received);
            self.incoming.poll(now, &mut self.out);
        }

        fn audio(&mut self, millis: u64, source: u32, sequence: u16, timestamp: u32) {
            let received = Received { sequence, timestamp, marker: false, payload: Arc::from(OPUS) };
            let now = self.at(millis);
            self.incoming.packet(now, MediaKind::Audio, source, received);
            self.incoming.poll(now, &mut self.out);
        }

        fn pictures(&self) -> Vec<i64> {
            self.out
                .iter()
                .filter_map(|frame| match frame {
                    Frame::Video(picture) => Some(picture.pts.get() / 1000),
                    Frame::Audio(_) => None,
                })
                .collect()
        }

        fn sounds(&self) -> Vec<(i64, bool)> {
            self.out
                .iter()
                .filter_map(|frame| match frame {
                    Frame::Audio(packet) => Some((packet.time.get() / 1000, packet.data.is_empty())),
                    Frame::Video(_) => None,
                })
                .collect()
        }
    }

    #[test]
    fn pictures_come_out_whole_with_times_from_their_arrival() {
        let mut bench = Bench::new();
        bench.video(0, 10, 1000, false, SETS);
        bench.video(0, 11, 1000, true, IDR);
        bench.video(40, 12, 4600, true, SLICE);
        assert_eq!(bench.pictures(), [0, 40]);
        assert_eq!(bench.incoming.keyframe_request(bench.at(40), false), None);
    }

    #[test]
    fn a_keyframe_is_asked_for_after_a_loss_and_not_more_often_than_it_can_be_made() {
        let mut bench = Bench::new();
        bench.video(0, 10, 0, false, SETS);
        bench.video(0, 11, 0, true, IDR);
        // Number 12 is lost.
        bench.video(80, 13, 7200, true, SLICE);
        bench.video(120, 14, 10_800, true, SLICE);
        assert_eq!(bench.pictures(), [0], "the gap is kept open");
        let due = bench.incoming.poll_timeout().unwrap();
        assert_eq!(due, bench.at(280), "200 ms after the gap was seen");
        bench.incoming.poll(due, &mut bench.out);
        assert_eq!(bench.incoming.keyframe_request(due, false), Some(7));
        assert_eq!(bench.incoming.keyframe_request(due + Duration::from_millis(499), false), None);
        assert_eq!(bench.incoming.keyframe_request(due + Duration::from_millis(500), false), Some(7));
        bench.video(900, 15, 81_000, false, SETS);
        bench.video(900, 16, 81_000, true, IDR);
        assert_eq!(bench.pictures(), [0, 900]);
        assert_eq!(bench.incoming.keyframe_request(bench.at(2000), false), None);
        let statistics = bench.incoming.statistics();
        assert_eq!((statistics.lost, statistics.keyframe_requests), (1, 2));
        assert!(statistics.damaged >= 1);
    }

    #[test]
    fn a_retransmitted_packet_takes_its_place() {
        let mut bench = Bench::new();
        bench.audio(0, 5, 65_534, 0);
        bench.audio(40, 5, 0, 1920);
        bench.audio(45, 5, 65_535, 960);
        assert_eq!(bench.sounds(), [(0, false), (20, false), (40, false)]);
    }

    #[test]
    fn a_lost_packet_of_sound_leaves_a_placeholder() {
        let mut bench = Bench::new();
        bench.audio(0, 5, 1, 0);
        bench.audio(40, 5, 3, 1920);
        let due = bench.incoming.poll_timeout().unwrap();
        bench.incoming.poll(due, &mut bench.out);
        assert_eq!(bench.sounds(), [(0, false), (20, true), (40, false)]);
    }

    #[test]
    fn sender_reports_bring_sound_and_pictures_together() {
        let second = 1_u64 << 32;
        let mut bench = Bench::new();
        bench.video(0, 1, 0, false, SETS);
        bench.video(0, 2, 0, true, IDR);
        // The sound of the same instant takes 100 ms longer on its way.
        bench.audio(100, 5, 1, 0);
        bench.incoming.sender_report(bench.at(100), 7, 0, second);
        bench.incoming.sender_report(bench.at(100), 5, 0, second);
        bench.video(1000, 3, 90_000, true, SLICE);
        bench.audio(1100, 5, 51, 48_000);
        let due = bench.at(1300);
        bench.incoming.poll(due, &mut bench.out);
        let picture = *bench.pictures().last().unwrap();
        let sound = bench.sounds().last().unwrap().0;
        assert!((picture - sound).abs() <= 2, "the picture at {picture} ms, the sound at {sound} ms");
    }

    #[test]
    fn another_source_begins_anew_and_time_goes_on() {
        let mut bench = Bench::new();
        bench.audio(0, 5, 60_000, 4_000_000_000);
        bench.audio(20, 5, 60_001, 4_000_000_960);
        bench.audio(500, 6, 7, 1234);
        bench.audio(520, 6, 8, 1234 + 960);
        let times: Vec<i64> = bench.sounds().iter().map(|(time, _)| *time).collect();
        assert_eq!(times, [0, 20, 500, 520]);
    }
}
