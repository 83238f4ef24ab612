//! The two ends of a publication: frames go in at the application, packets leave by the connection that the media task
//! has at the moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use queqiao_media::frame::{AccessUnit, OpusPacket};
use queqiao_media::time::StreamTime;
use rtc::rtcp::sender_report::SenderReport;
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};

use super::link::Bound;
use super::outgoing::{Audio, Origin, Packet, Video};
use crate::error::{Error, Result};

/// How often a sender report goes out: browsers wait for one before they bring sound and pictures together.
const REPORT_INTERVAL: StreamTime = StreamTime::new(1_000_000);

/// From 1900, where NTP begins, to 1970 (RFC 5905 section 6).
const NTP_OFFSET: Duration = Duration::from_secs(2_208_988_800);

/// Where the packets of a track go at the moment; none while there is no way.
type Way = Option<Arc<Bound>>;

/// The media task's end of a publication.
pub(crate) struct PublisherEnd {
    audio: watch::Sender<Way>,
    video: watch::Sender<Way>,
    keyframe: Arc<Notify>,
}

/// The application's end of a publication.
pub(crate) struct Tracks {
    audio: Option<AsyncMutex<AudioTrack>>,
    video: Option<AsyncMutex<VideoTrack>>,
    clock: Clock,
    keyframe: Arc<Notify>,
}

/// Both ends of a new publication.
pub(crate) fn pair(has_audio: bool, has_video: bool) -> (PublisherEnd, Tracks) {
    let (audio, audio_way) = watch::channel(None);
    let (video, video_way) = watch::channel(None);
    let keyframe = Arc::new(Notify::new());
    let audio_track = AudioTrack { track: Audio::new(origin()), out: Out::new(audio_way) };
    let video_track = VideoTrack { track: Video::new(origin()), out: Out::new(video_way) };
    let tracks = Tracks {
        audio: has_audio.then(|| AsyncMutex::new(audio_track)),
        video: has_video.then(|| AsyncMutex::new(video_track)),
        clock: Clock::default(),
        keyframe: Arc::clone(&keyframe),
    };
    (PublisherEnd { audio, video, keyframe }, tracks)
}

fn origin() -> Origin {
    // The upper half of the sequence numbers would make an early wrap ambiguous to some receivers (RFC 3711 3.3.1).
    Origin { sequence: rand::random::<u16>() >> 1, timestamp: rand::random() }
}

impl PublisherEnd {
    pub(super) fn bind(&self, audio: Way, video: Way) {
        let source = |way: &Way| way.as_ref().map(|bound| bound.source);
        let is_new = source(&self.video.borrow()) != source(&video);
        self.audio.send_replace(audio);
        let has_video = video.is_some();
        self.video.send_replace(video);
        if is_new && has_video {
            self.want_keyframe();
        }
    }

    pub(super) fn want_keyframe(&self) {
        self.keyframe.notify_one();
    }
}

/// The wall clock at the beginning of the stream's timeline. Sound and pictures share it, whenever they are sent.
#[derive(Default)]
struct Clock(Mutex<Option<i128>>);

impl Clock {
    /// The NTP time (RFC 3550 section 4) of a point on the timeline.
    fn ntp(&self, time: StreamTime) -> u64 {
        let mut epoch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let micros = i128::from(time.get());
        let begin = *epoch.get_or_insert_with(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + NTP_OFFSET;
            i128::try_from(now.as_micros()).unwrap_or(0) - micros
        });
        let ntp = ((begin + micros).max(0) << 32) / 1_000_000;
        // NTP's own era ends in 2036: the low bits are what goes on.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        {
            ntp as u64
        }
    }
}

/// How a track leaves.
struct Out {
    way: watch::Receiver<Way>,
    source: Option<u32>,
    packets: u32,
    octets: u32,
    reported: Option<StreamTime>,
}

struct AudioTrack {
    track: Audio,
    out: Out,
}

struct VideoTrack {
    track: Video,
    out: Out,
}

impl Out {
    const fn new(way: watch::Receiver<Way>) -> Self {
        Self { way, source: None, packets: 0, octets: 0, reported: None }
    }

    /// The way at the moment, and whether it is another one than before.
    fn way(&mut self) -> Result<Option<(Arc<Bound>, bool)>> {
        if self.way.has_changed().is_err() {
            return Err(Error::StreamEnded);
        }
        let Some(bound) = self.way.borrow().clone() else { return Ok(None) };
        let is_new = self.source.replace(bound.source) != Some(bound.source);
        if is_new {
            (self.packets, self.octets, self.reported) = (0, 0, None);
        }
        Ok(Some((bound, is_new)))
    }

    async fn send(&mut self, bound: &Bound, packet: Packet) -> Result<()> {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(packet.payload.len()).unwrap_or(u32::MAX));
        bound.send(packet).await
    }

    /// Ties the RTP clock to the wall clock, now and then.
    async fn report(&mut self, bound: &Bound, clock: &Clock, time: StreamTime, rtp: u32) -> Result<()> {
        if self.reported.is_some_and(|last| time < last + REPORT_INTERVAL && time >= last) {
            return Ok(());
        }
        self.reported = Some(time);
        let report = SenderReport {
            ssrc: bound.source,
            ntp_time: clock.ntp(time),
            rtp_time: rtp,
            packet_count: self.packets,
            octet_count: self.octets,
            ..SenderReport::default()
        };
        bound.report(report).await
    }
}

impl Tracks {
    pub(crate) async fn send_audio(&self, packet: &OpusPacket) -> Result<()> {
        let mut audio = self.audio.as_ref().ok_or(Error::NoSuchTrack)?.lock().await;
        let AudioTrack { track, out } = &mut *audio;
        let Some((bound, _)) = out.way()? else { return Ok(()) };
        let Some(rtp) = track.packet(packet) else { return Ok(()) };
        let timestamp = rtp.timestamp;
        out.send(&bound, rtp).await?;
        out.report(&bound, &self.clock, packet.time, timestamp).await
    }

    pub(crate) async fn send_video(&self, picture: &AccessUnit) -> Result<()> {
        let mut video = self.video.as_ref().ok_or(Error::NoSuchTrack)?.lock().await;
        let VideoTrack { track, out } = &mut *video;
        let Some((bound, is_new)) = out.way()? else { return Ok(()) };
        if is_new {
            track.restart();
        }
        let mut timestamp = None;
        for packet in track.packets(picture)? {
            timestamp = Some(packet.timestamp);
            out.send(&bound, packet).await?;
        }
        match timestamp {
            Some(timestamp) => out.report(&bound, &self.clock, picture.pts, timestamp).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn keyframe_requested(&self) {
        self.keyframe.notified().await;
    }

    /// Waits until there is a way for something of the stream.
    pub(crate) async fn connected(&self) -> Result<()> {
        let mut way = match (&self.video, &self.audio) {
            (Some(video), _) => video.lock().await.out.way.clone(),
            (None, Some(audio)) => audio.lock().await.out.way.clone(),
            (None, None) => return Err(Error::NoSuchTrack),
        };
        way.wait_for(Option::is_some).await.map(drop).map_err(|_| Error::StreamEnded)
    }
}
