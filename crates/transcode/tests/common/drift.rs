//! A call whose publisher has a clock of its own, in virtual time: what the server's timeline and its transcoders make
//! of it, from RTMP to RTP and from RTP to frames.

use std::sync::Arc;

use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::live::{LiveClock, Place};
use queqiao_media::sync::{NtpTime, RtpSync};
use queqiao_media::time::{AudioTicks, StreamTime, VideoTicks};
use queqiao_media::timeline::Kind;
use queqiao_transcode::{AacSettings, AacToOpus, Counters, OpusSettings, OpusToAac};

use super::{Source, opus_packets, tone};

/// The way to the server, in microseconds.
const PATH_US: i64 = 30_000;
/// Frames and packets that are compared at once: in 15 frames of 1024 samples, or 16 of 960, both ends meet.
const WINDOW: usize = 16;

/// What a call of some minutes came to, in microseconds.
#[derive(Debug, Default)]
pub struct Figures {
    /// The largest distance between the times of a sound and of a picture that were made at the same instant.
    pub lip_sync: i64,
    /// By how much later media are placed in the end than in the beginning, against when they were made.
    pub growth: i64,
    pub counters: Counters,
}

/// Follows where media are placed against when they were made.
#[derive(Debug, Default)]
struct Meter {
    /// Of the picture.
    video: i64,
    /// Of the end of the sound so far; each is early by what waits in the transcoder.
    audio: Vec<i64>,
    first: Option<i64>,
    figures: Figures,
}

impl Meter {
    fn sound(&mut self, placed: i64) {
        self.audio.push(placed);
        if self.audio.len() == WINDOW {
            let late = self.audio.drain(..).max().unwrap();
            let first = *self.first.get_or_insert(late);
            self.figures.growth = late - first;
            self.figures.lip_sync = self.figures.lip_sync.max((late - self.video).abs());
        }
    }
}

/// The server's time of the publisher's time `own`, both in microseconds.
fn server_time(own: i64, ppm: i64) -> i64 {
    own - own * ppm / (1_000_000 + ppm)
}

/// AAC and H.264 over RTMP, as RTP: a publisher that is `ppm` fast, its sound card and its timestamps alike.
pub fn rtmp_to_rtp(ppm: i64, minutes: i64) -> Figures {
    let frames = Source::lc(48_000, 1).frames(&tone, 0.0, 0.5);
    let config: Arc<aac::Config> = Arc::clone(&frames[0].config);
    let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
    let (mut clock, mut meter, mut out) = (LiveClock::default(), Meter::default(), Vec::new());
    let mut end = 0;
    for n in 0..minutes * 60 * 48_000 / 1_024 {
        let own = n * 1_024 * 1_000 / 48;
        let (arrival, wire) = (StreamTime::new(server_time(own, ppm) + PATH_US), (own / 1_000) as u32);
        if n % 2 == 0
            && let Place::Live(time) = clock.map(Kind::Video, wire, arrival)
        {
            meter.video = time.get() - server_time(own / 1_000 * 1_000, ppm);
        }
        let Place::Live(time) = clock.map(Kind::Audio, wire, arrival) else { continue };
        let data = frames[n as usize % frames.len()].data.clone();
        transcoder.push(&AacFrame { time, config: Arc::clone(&config), data }, &mut out).unwrap();
        end = out.drain(..).last().map_or(end, |packet: OpusPacket| packet.time.get() + 20_000 + 2_500);
        meter.sound(end - server_time(own + 1_024_000 / 48, ppm));
    }
    meter.figures.counters = transcoder.counters();
    meter.figures
}

/// Opus and H.264 over RTP, as frames: a publisher that is `ppm` fast, its RTP clocks and its wall clock alike.
pub fn rtp_to_frames(ppm: i64, minutes: i64) -> Figures {
    let packets = opus_packets(&tone, opus::Channels::Mono, 960, 0.0, 0.5);
    let mut transcoder = OpusToAac::new(AacSettings::default()).unwrap();
    let delay = transcoder.delay().as_micros() as i64 - 1_024_000 / 48;
    let (mut sync, mut meter, mut out) = (RtpSync::default(), Meter::default(), Vec::new());
    let mut end = 0;
    for n in 0..minutes * 60 * 50 {
        let own = n * 20_000;
        let arrival = StreamTime::new(server_time(own, ppm) + PATH_US);
        if n % 50 == 1 {
            let wall = NtpTime((((own + 1_700_000_000_000_000) as u128) << 32).div_ceil(1_000_000) as u64);
            sync.sender_report(Kind::Audio, (own * 48 / 1_000) as u32, wall, arrival);
            sync.sender_report(Kind::Video, (own * 90 / 1_000) as u32, wall, arrival);
        }
        if n % 2 == 0 {
            let time = sync.video(VideoTicks::new(own * 90 / 1_000), arrival);
            meter.video = time.get() - server_time(own, ppm);
        }
        let time = sync.audio(AudioTicks::new(own * 48 / 1_000), arrival);
        let data = packets[n as usize % packets.len()].data.clone();
        transcoder.push(&OpusPacket { time, data }, &mut out).unwrap();
        end = out.drain(..).last().map_or(end, |frame: AacFrame| frame.time.get() + 1_024_000 / 48 + delay);
        meter.sound(end - server_time(own + 20_000, ppm));
    }
    meter.figures.counters = transcoder.counters();
    meter.figures
}
