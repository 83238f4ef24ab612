//! Where protocols meet: a stream has one publisher, two feeds (frames, RTP) and any number of players.
//!
//! The feed in the publisher's own form is always fed; the other is derived from it, once whatever the audience,
//! and only while someone listens to it.

mod capacity;
mod frame;
mod gate;
mod lag;
mod layers;
mod loss;
mod meter;
mod mix;
mod queue;
mod sei;
mod stream;
#[cfg(test)]
pub(crate) mod testing;
mod to_frames;
mod to_rtp;
pub(crate) mod transcode;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use queqiao_media::h264::sei::UserData;
use queqiao_room::machine::RoomKey;
use queqiao_room::signal::MediaKind;
use queqiao_room::{Grant, StreamKey};
use tokio::sync::mpsc;

use gate::Held;

pub(crate) use frame::{Frame, Media, RtpUnit, RtpVideo, SourceId, WireForm};
pub(crate) use lag::{BUCKETS as LAG_BUCKETS, Delivered, Delivery, Lag};
pub(crate) use meter::Passed;
pub(crate) use mix::{MixCounts, RoomMix, SpeakerNotice};
pub(crate) use queue::Consumer;
pub(crate) use sei::{Heard, SeiCounts};
#[cfg(test)]
pub(crate) use stream::Source;
pub(crate) use stream::{
    Description, NativeForm, Publication, PublisherControl, Seat, Stream, StreamStats, WebRtcVideo,
};
pub(crate) use to_frames::ToFrames;
pub(crate) use to_rtp::ToRtp;

/// Why the hub turned someone away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HubError {
    /// The server carries as many streams as it is configured to.
    #[error("the server carries its limit of {limit} streams")]
    TooManyStreams { limit: usize },
    /// The stream has as many players as it may have.
    #[error("the stream has its limit of {limit} players")]
    TooManyPlayers { limit: usize },
    /// The machine has no thread left to mix rooms on.
    #[error("this server mixes no rooms")]
    NoMix,
}

impl HubError {
    /// What a client is told, for programs.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::TooManyStreams { .. } => "too_many_streams",
            Self::TooManyPlayers { .. } => "too_many_players",
            Self::NoMix => "mix_unavailable",
        }
    }
}

/// What the hub needs to know of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Streams at most, with or without a publisher.
    pub(crate) max_streams: usize,
    /// Players of one stream at most, over all protocols.
    pub(crate) max_players: usize,
    /// Bounds of the GOP cache of one stream.
    pub(crate) gop_bytes: usize,
    pub(crate) gop_frames: usize,
    /// How far a player over TCP may be behind live.
    pub(crate) max_lag: Duration,
    /// How audio is coded for either side.
    pub(crate) opus: queqiao_transcode::OpusSettings,
    pub(crate) aac: queqiao_transcode::AacSettings,
}

/// All streams of the server.
pub(crate) struct Hub {
    streams: Mutex<HashMap<StreamKey, Weak<Stream>>>,
    /// What is held back, whether or not the stream is there. Bounded by the rooms' streams: each entry is taken out when
    /// its stream is over.
    held: Mutex<HashMap<StreamKey, Held>>,
    next_source: AtomicU64,
    settings: Settings,
    pool: transcode::Pool,
    sei: Arc<sei::Exchange>,
    /// Players whose path limits what they get.
    limited: Arc<AtomicUsize>,
    /// The rooms that are mixed at present. Bounded by the rooms' listeners.
    mixes: Mutex<HashMap<RoomKey, Weak<RoomMix>>>,
    mixing: mix::Tally,
    clock: mix::Clock,
    speakers: mpsc::Sender<SpeakerNotice>,
    speaker_notices: Mutex<Option<mpsc::Receiver<SpeakerNotice>>>,
    delivery: Delivery,
    attendant: stream::Attendant,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

impl Hub {
    /// Fails where the thread that looks after streams cannot be started.
    pub(crate) fn new(settings: Settings, pool: transcode::Pool) -> std::io::Result<Arc<Self>> {
        let (speakers, speaker_notices) = mpsc::channel(mix::MAX_NOTICES);
        Ok(Arc::new(Self {
            streams: Mutex::default(),
            held: Mutex::default(),
            next_source: AtomicU64::new(0),
            settings,
            clock: mix::Clock::new(pool.threads()),
            pool,
            sei: sei::Exchange::new(),
            limited: Arc::default(),
            mixes: Mutex::default(),
            mixing: mix::Tally::default(),
            speakers,
            speaker_notices: Mutex::new(Some(speaker_notices)),
            delivery: Delivery::default(),
            attendant: stream::Attendant::start()?,
        }))
    }

    /// A place among the players of the stream that `grant` is for, whether or not someone publishes it.
    pub(crate) fn play(self: &Arc<Self>, grant: &Grant) -> Result<Seat, HubError> {
        let stream = self.stream(grant)?;
        let seat =
            Seat::take(Arc::clone(&stream), grant.tracks(), grant.max_layer(), self.settings.max_players)?;
        if grant.stream().kind.is_made() { Ok(seat.listening(self.listen(&stream)?)) } else { Ok(seat) }
    }

    /// The stream that `grant` is for, made if it is not there. It lives as long as someone publishes it or waits
    /// for it.
    fn stream(self: &Arc<Self>, grant: &Grant) -> Result<Arc<Stream>, HubError> {
        let key = grant.stream();
        let mut streams = self.lock();
        if let Some(stream) = streams.get(key).and_then(Weak::upgrade) {
            return Ok(stream);
        }
        let limit = self.settings.max_streams;
        if streams.len() >= limit && !streams.contains_key(key) {
            return Err(HubError::TooManyStreams { limit });
        }
        let held = self.lock_held().get(key).copied().unwrap_or_default();
        let stream = Stream::new(Arc::clone(self), key.clone(), held);
        streams.insert(key.clone(), Arc::downgrade(&stream));
        drop(streams);
        self.tap(&stream);
        Ok(stream)
    }

    /// A place among the players of the stream that `grant` is for, if someone publishes it now.
    pub(crate) fn play_published(self: &Arc<Self>, grant: &Grant) -> Result<Option<Seat>, HubError> {
        let stream = self.lock().get(grant.stream()).and_then(Weak::upgrade);
        let published = stream.filter(|stream| stream.is_published());
        let (tracks, max_layer, limit) = (grant.tracks(), grant.max_layer(), self.settings.max_players);
        published.map(|stream| Seat::take(stream, tracks, max_layer, limit)).transpose()
    }

    /// Becomes the publisher of the stream that `grant` is for. Whoever published it before is told and replaced.
    pub(crate) fn publish(
        self: &Arc<Self>,
        grant: &Grant,
        native: NativeForm,
        control: Arc<dyn PublisherControl>,
    ) -> Result<Publication, HubError> {
        let stream = self.stream(grant)?;
        Ok(Publication::new(stream, self.next_source(), native, control))
    }

    fn next_source(&self) -> SourceId {
        SourceId(self.next_source.fetch_add(1, Ordering::Relaxed))
    }

    /// Passes a track on or holds it back, whoever publishes the stream, until said otherwise or the stream is over.
    pub(crate) fn forward(&self, key: &StreamKey, kind: MediaKind, on: bool) {
        let stream = {
            let streams = self.lock();
            let mut all = self.lock_held();
            let held = all.entry(key.clone()).or_default();
            held.set(kind, !on);
            if held.nothing() {
                all.remove(key);
            }
            streams.get(key).and_then(Weak::upgrade)
        };
        if let Some(stream) = stream {
            stream.forward(kind, on);
        }
    }

    /// A stream is over: what was held back of it is forgotten.
    pub(crate) fn stopped(&self, key: &StreamKey) {
        self.hear_sei(key, false);
        let Some(held) = self.lock_held().remove(key) else { return };
        for (kind, was_held) in [(MediaKind::Audio, held.audio), (MediaKind::Video, held.video)] {
            if was_held {
                self.forward(key, kind, true);
            }
        }
    }

    /// The published streams with a player whose path carries less than there is. Costs nothing while there is none.
    pub(crate) fn limited(&self) -> Vec<StreamKey> {
        if self.limited.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let streams: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        let limited = streams.iter().filter(|stream| stream.is_limited());
        limited.map(|stream| stream.key().clone()).collect()
    }

    /// What the paths to a stream's players carry of its video; none if nobody publishes it. Of a publisher with layers,
    /// of which everybody gets the one for their path, nobody is counted.
    pub(crate) fn capacities(&self, key: &StreamKey) -> Option<Vec<Option<u64>>> {
        let stream = self.lock().get(key).and_then(Weak::upgrade)?;
        let layered = stream.offered_layers().len() > 1;
        stream.is_published().then(|| if layered { Vec::new() } else { stream.capacities() })
    }

    /// Tells user data in the pictures of a stream from now on, or no longer.
    pub(crate) fn hear_sei(&self, key: &StreamKey, on: bool) {
        self.sei.hear(key, on);
        let stream = self.lock().get(key).and_then(Weak::upgrade);
        if let Some(stream) = stream {
            stream.sei().hear(on);
        }
    }

    /// Where user data that was heard comes out. Given out once.
    pub(crate) fn take_sei(&self) -> Option<mpsc::Receiver<Heard>> {
        self.sei.take()
    }

    /// Puts user data into the next picture of a stream, as frames have it.
    pub(crate) fn insert_sei(&self, key: &StreamKey, data: &UserData) {
        let stream = self.lock().get(key).and_then(Weak::upgrade);
        if let Some(stream) = stream {
            stream.sei().put(data.to_nal(), Instant::now());
        }
    }

    /// User data that was left out since the server began.
    pub(crate) fn sei_counts(&self) -> SeiCounts {
        self.sei.counts()
    }

    /// What players over TCP have seen.
    pub(crate) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// How a stream flows; none if nobody publishes it.
    pub(crate) fn stats(&self, key: &StreamKey) -> Option<StreamStats> {
        let stream = self.lock().get(key).and_then(Weak::upgrade);
        stream.and_then(|stream| stream.stats(Instant::now()))
    }

    /// Forgets `key` once nobody holds its stream any more.
    fn forget(&self, key: &StreamKey) {
        let mut streams = self.lock();
        if streams.get(key).is_some_and(|stream| stream.strong_count() == 0) {
            streams.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StreamKey, Weak<Stream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_held(&self) -> MutexGuard<'_, HashMap<StreamKey, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
