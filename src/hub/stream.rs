//! One stream: its publisher, its feeds and its cached GOP.

mod fill;
mod seat;
mod source;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use queqiao_media::aac;
use queqiao_media::filler::Filler;
use queqiao_media::gop::GopCache;
use queqiao_media::h264::ParameterSets;
use queqiao_media::layers::{Ladder, Layer, LayerSet};
use queqiao_media::time::StreamTime;
use queqiao_room::StreamKey;
use queqiao_room::signal::MediaKind;
use tokio::sync::watch;

use super::Hub;
use super::capacity::Capacities;
use super::frame::{Frame, Media, RtpUnit, SourceId, brought_up};
use super::gate::{Gate, Held};
use super::lag::{Delivery, Lag, Lags};
use super::layers::Layers;
use super::loss::Loss;
use super::meter::{Counts, Meter, Passed, Rates};
use super::mix::{Sound, Tap};
use super::queue::{Consumer, Feed};
use super::sei::Port;

pub(super) use fill::Attendant;
pub(crate) use seat::Seat;
use source::note;
pub(crate) use source::{Publication, Source};

/// The form that a publisher delivers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NativeForm {
    /// Access units and AAC, from RTMP.
    Frames,
    /// RTP packets, from WebRTC.
    Rtp,
}

/// The way back to a publisher.
pub(crate) trait PublisherControl: Send + Sync {
    /// Asks for a keyframe, of every layer that anybody needs. The publisher's side coalesces and limits the rate.
    fn request_keyframe(&self);
    /// Asks for a keyframe of one layer, likewise. Publishers without layers have only one kind of keyframe.
    fn request_layer(&self, _layer: Layer) {
        self.request_keyframe();
    }
    /// Other layers than before are needed: see [`Stream::needed_layers`]. Publishers without layers have no choice.
    fn needs_changed(&self) {}
    /// Somebody begins to watch: what has been left waiting is wanted now.
    fn watched(&self);
    /// Another publisher has taken the address: end.
    fn replaced(&self);
}

/// Whether the video of a stream can go to WebRTC peers, which decode in order of arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WebRtcVideo {
    /// As it is.
    #[default]
    Whole,
    /// Without its B pictures, which nothing refers to.
    WithoutBPictures,
    /// Not at all: other pictures refer to B pictures.
    ReferenceBPictures,
}

/// The least time between two keyframes that are asked for because some path is narrow: a keyframe has the size of ten
/// pictures, so that they are at most a tenth of the stream.
const REFRESH_INTERVAL: Duration = Duration::from_secs(3);

struct Publisher {
    source: Arc<Source>,
    control: Arc<dyn PublisherControl>,
}

/// A stream of one participant.
pub(crate) struct Stream {
    me: Weak<Stream>,
    key: StreamKey,
    hub: Arc<Hub>,
    epoch: Instant,
    frames: Arc<Feed<Arc<Frame>>>,
    rtp: Arc<Feed<RtpUnit>>,
    publisher: Mutex<Option<Publisher>>,
    presence: watch::Sender<Option<SourceId>>,
    gop: Mutex<GopCache<Arc<Frame>>>,
    description: Mutex<Description>,
    gate: Gate,
    /// What takes the place of missing tracks of the present publisher.
    filler: Mutex<Filler>,
    /// Whether the attendant knows of this stream.
    attended: AtomicBool,
    /// Whether a player waits for a keyframe: one is made where the publisher's are held back.
    keyframe_wanted: AtomicBool,
    layers: Layers,
    meter: Mutex<Meter>,
    /// The latest time that was published, in microseconds.
    latest: AtomicI64,
    players: AtomicUsize,
    /// When the next refresh may be asked for, in microseconds of the timeline.
    next_refresh: AtomicI64,
    /// Where its sound is mixed, and whether it is: asked with every frame.
    tap: Mutex<Option<Tap>>,
    tapped: AtomicBool,
    loss: Loss,
    capacities: Capacities,
    sei: Port,
    lags: Lags,
}

/// What is known of a stream's media. It grows as its publisher goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Description {
    /// Whether there is video: it was seen, or the publisher said that it will come.
    pub(crate) video: bool,
    /// Whether there is audio, likewise.
    pub(crate) audio: bool,
    /// The parameter sets in force, for publishers of frames.
    pub(crate) params: Option<Arc<ParameterSets>>,
    /// The AAC configuration in force.
    pub(crate) config: Option<Arc<aac::Config>>,
    /// Whether the video can go to WebRTC peers.
    pub(crate) webrtc: WebRtcVideo,
}

/// How a stream flows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamStats {
    /// For how long its publisher has been there.
    pub(crate) since: Duration,
    /// Who plays it.
    pub(crate) players: usize,
    /// Those of them whose path is known to carry less than there is, or little more.
    pub(crate) limited: usize,
    /// What has passed since then.
    pub(crate) counts: Counts,
    /// What passes in a second.
    pub(crate) rates: Rates,
    /// How far that player over TCP is behind that is furthest behind.
    pub(crate) lag: Option<Duration>,
    /// The paths to the players of the video.
    pub(crate) paths: Paths,
}

/// What is known of the paths to a stream's players.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Paths {
    /// What the narrowest of them carries of it, in bit/s.
    pub(crate) narrowest: Option<u64>,
    /// The greatest loss, 0 to 1, as far as players have reported any lately.
    pub(crate) loss: f32,
}

/// What is held under these locks is whole at every point where a panic could occur.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream {
    /// A stream of which `held` is held back from the start.
    pub(super) fn new(hub: Arc<Hub>, key: StreamKey, held: Held) -> Arc<Self> {
        let gop = GopCache::bounded(hub.settings.gop_bytes, hub.settings.gop_frames);
        let sei = Port::new(Arc::clone(&hub.sei), &key);
        let hub_limited = Arc::clone(&hub.limited);
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            key,
            hub,
            epoch: Instant::now(),
            frames: Feed::new(),
            rtp: Feed::new(),
            publisher: Mutex::new(None),
            presence: watch::Sender::new(None),
            gop: Mutex::new(gop),
            description: Mutex::default(),
            gate: Gate::new(held),
            filler: Mutex::default(),
            attended: AtomicBool::new(false),
            keyframe_wanted: AtomicBool::new(false),
            layers: Layers::default(),
            meter: Mutex::new(Meter::new(Instant::now())),
            latest: AtomicI64::new(0),
            players: AtomicUsize::new(0),
            next_refresh: AtomicI64::new(0),
            tap: Mutex::new(None),
            tapped: AtomicBool::new(false),
            loss: Loss::default(),
            capacities: Capacities::new(hub_limited),
            sei,
            lags: Lags::default(),
        })
    }

    pub(crate) fn key(&self) -> &StreamKey {
        &self.key
    }

    /// The instant of time zero of the stream's timeline.
    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    pub(crate) fn is_published(&self) -> bool {
        lock(&self.publisher).is_some()
    }

    /// Follows who publishes: `None` between publishers.
    pub(crate) fn presence(&self) -> watch::Receiver<Option<SourceId>> {
        self.presence.subscribe()
    }

    /// Everything published from now on, as frames: those of the one layer that a publisher without layers has, unless
    /// the consumer accepts others.
    pub(crate) fn subscribe_frames(&self) -> Consumer<Arc<Frame>> {
        let consumer = self.frames.subscribe(LayerSet::SINGLE);
        self.be_attended();
        self.with_publisher(|control| control.watched());
        consumer
    }

    /// Everything published from now on, as RTP, of all layers.
    pub(crate) fn subscribe_rtp(&self) -> Consumer<RtpUnit> {
        let consumer = self.rtp.subscribe(LayerSet::ALL);
        self.with_publisher(|control| control.watched());
        consumer
    }

    /// How many players it may have.
    pub(super) fn max_players(&self) -> usize {
        self.hub.settings.max_players
    }

    /// Leaves its sound with the mix of its room from now on.
    pub(super) fn set_tap(&self, tap: Tap) {
        *lock(&self.tap) = Some(tap);
        self.tapped.store(true, Ordering::Release);
        self.with_publisher(|control| control.watched());
    }

    fn mix(&self, source: SourceId, at: Instant, sound: impl FnOnce() -> Sound) {
        if self.tapped.load(Ordering::Acquire) {
            let tap = lock(&self.tap).clone();
            if !tap.is_some_and(|tap| tap.hear(source, at, sound())) {
                self.tapped.store(false, Ordering::Release);
            }
        }
    }

    /// Lets a player that joined, or that lost a picture, start at a keyframe: the pictures since the last one
    /// where they are cached, else a request to the publisher and an empty list.
    pub(crate) fn catch_up(&self) -> Vec<Arc<Frame>> {
        let cached: Vec<_> = lock(&self.gop).items().cloned().collect();
        if cached.is_empty() {
            self.request_keyframe();
        }
        brought_up(cached, StreamTime::new(self.latest.load(Ordering::Relaxed)))
    }

    pub(crate) fn request_keyframe(&self) {
        self.keyframe_wanted.store(true, Ordering::Release);
        self.with_publisher(|control| control.request_keyframe());
    }

    /// Whether a player may ask for a keyframe with which to go on, because its path could not carry the pictures since the
    /// last one: seldom, because every player of the stream gets it.
    pub(crate) fn may_refresh(&self, now: Instant) -> bool {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        let at = micros(now.saturating_duration_since(self.epoch));
        let next = self.next_refresh.load(Ordering::Relaxed);
        let after = at.saturating_add(micros(REFRESH_INTERVAL));
        at >= next
            && self.next_refresh.compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn request_layer(&self, layer: Layer) {
        self.keyframe_wanted.store(true, Ordering::Release);
        self.with_publisher(|control| control.request_layer(layer));
    }

    /// The layers that the present publisher has.
    pub(crate) fn offered_layers(&self) -> LayerSet {
        self.layers.offered()
    }

    /// Of those, the ones that any player needs.
    pub(crate) fn needed_layers(&self) -> LayerSet {
        self.layers.needed()
    }

    /// Which layers flow, and how fast.
    pub(crate) fn ladder(&self) -> Ladder {
        lock(&self.meter).ladder(self.layers.offered())
    }

    fn with_publisher(&self, call: impl FnOnce(&dyn PublisherControl)) {
        let control = lock(&self.publisher).as_ref().map(|publisher| Arc::clone(&publisher.control));
        if let Some(control) = control {
            call(&*control);
        }
    }

    /// What is known of the media so far.
    pub(crate) fn description(&self) -> Description {
        lock(&self.description).clone()
    }

    /// Passes a track on or holds it back. Video goes on at its next keyframe.
    pub(super) fn forward(&self, kind: MediaKind, on: bool) {
        self.gate.set(kind, on);
        if kind == MediaKind::Video {
            // What is cached would be shown to those who join while it is held back.
            lock(&self.gop).clear();
            if on {
                self.request_keyframe();
            }
        }
    }

    /// What has been counted since the present publisher came; none without a publisher.
    pub(super) fn stats(&self, now: Instant) -> Option<StreamStats> {
        self.is_published().then(|| {
            let (since, counts, rates) = lock(&self.meter).read(now);
            let limited = self.capacities().into_iter().flatten().count();
            let players = self.players.load(Ordering::Acquire);
            let lag = self.lags.worst(now);
            StreamStats { since, players, limited, counts, rates, lag, paths: self.paths(now) }
        })
    }

    pub(crate) fn webrtc_video(&self) -> WebRtcVideo {
        lock(&self.description).webrtc
    }

    fn paths(&self, now: Instant) -> Paths {
        Paths { narrowest: self.capacities().into_iter().flatten().min(), loss: self.loss(now) }
    }

    /// A player reports that it lost this fraction of the stream's packets, 0 to 1, since its report before.
    pub(crate) fn note_loss(&self, fraction: f32, now: Instant) {
        self.loss.note(fraction, now);
    }

    /// The greatest loss among the players, 0 to 1, as far as they have reported any lately.
    pub(crate) fn loss(&self, now: Instant) -> f32 {
        self.loss.read(now)
    }

    /// Where a player over TCP notes its lag, until it [leaves](Self::leave_lag).
    pub(crate) fn join_lag(&self) -> Arc<Lag> {
        self.lags.join(self.epoch)
    }

    pub(crate) fn leave_lag(&self, lag: &Arc<Lag>) {
        self.lags.leave(lag);
    }

    /// What players over TCP of all streams have seen.
    pub(crate) fn delivery(&self) -> &Delivery {
        self.hub.delivery()
    }

    /// A player has left out so many frames more.
    pub(crate) fn note_left_out(&self, frames: u64) {
        lock(&self.meter).left_out(frames);
    }

    /// Whether the path of any player carries less than the one layer that there is.
    pub(super) fn is_limited(&self) -> bool {
        self.is_published() && self.offered_layers().len() <= 1 && self.capacities.any_limited()
    }

    pub(super) const fn sei(&self) -> &Port {
        &self.sei
    }

    /// The video bitrate, in bit/s, that the path to each player of the video carries; `None` where it is not limited.
    pub(crate) fn capacities(&self) -> Vec<Option<u64>> {
        self.capacities.read()
    }

    fn begin(&self, publisher: Publisher) {
        let id = publisher.source.id;
        let previous = lock(&self.publisher).replace(publisher);
        lock(&self.gop).clear();
        self.layers.offer(LayerSet::SINGLE);
        *lock(&self.description) = Description::default();
        *lock(&self.meter) = Meter::new(Instant::now());
        *lock(&self.filler) = Filler::default();
        if let Some(previous) = previous {
            previous.control.replaced();
        }
        self.presence.send_replace(Some(id));
    }

    fn end(&self, id: SourceId) {
        {
            let mut publisher = lock(&self.publisher);
            if publisher.as_ref().is_none_or(|current| current.source.id != id) {
                return;
            }
            *publisher = None;
        }
        lock(&self.gop).clear();
        let tap = lock(&self.tap).clone();
        if let Some(tap) = tap {
            tap.ended();
        }
        self.presence.send_replace(None);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.hub.forget(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Probe, aac_frame, picture};
    use queqiao_room::signal::Tracks;

    use super::super::HubError;
    use super::*;

    #[test]
    fn a_joiner_of_an_rtmp_stream_gets_its_cached_pictures_and_no_keyframe_is_requested() {
        let probe = Probe::new();
        let publication = probe.publish();
        publication.source().push_frame(Instant::now(), picture(0, true));
        publication.source().push_frame(Instant::now(), picture(40, false));
        assert_eq!(publication.source().stream().catch_up().len(), 2);
        assert_eq!(probe.keyframe_requests(), 0);
    }

    #[test]
    fn a_joiner_while_the_picture_stands_still_gets_it_at_the_time_of_the_sound() {
        let probe = Probe::new();
        let publication = probe.publish();
        let source = publication.source();
        source.push_frame(Instant::now(), picture(0, true));
        source.push_frame(Instant::now(), picture(40, false));
        source.push_frame(Instant::now(), aac_frame(900));
        let times = || {
            let cached = source.stream().catch_up();
            cached.iter().map(|frame| (frame.index, frame.time().get() / 1_000)).collect::<Vec<_>>()
        };
        assert_eq!(times(), [(0, 0), (1, 40)], "as they are while both tracks go on");
        source.push_frame(Instant::now(), aac_frame(60_000));
        assert_eq!(times(), [(0, 59_960), (1, 60_000)]);
    }

    #[test]
    fn a_joiner_of_a_webrtc_stream_asks_its_publisher_for_a_keyframe() {
        let probe = Probe::new();
        let publication = probe.publish_as(NativeForm::Rtp);
        publication.source().push_frame(Instant::now(), picture(0, true));
        assert!(publication.source().stream().catch_up().is_empty());
        assert_eq!(probe.keyframe_requests(), 1);
    }

    #[test]
    fn players_on_narrow_paths_get_a_keyframe_now_and_then_whatever_their_number() {
        let probe = Probe::new();
        let publication = probe.publish_as(NativeForm::Rtp);
        let (stream, start) = (publication.source().stream(), Instant::now());
        let granted = (0..=6_000)
            .step_by(20)
            .filter(|millis| stream.may_refresh(start + Duration::from_millis(*millis)));
        assert_eq!(granted.collect::<Vec<_>>(), [0, 3_000, 6_000]);
    }

    #[test]
    fn the_pictures_of_a_publisher_that_left_are_not_shown_to_a_joiner() {
        let probe = Probe::new();
        let seat = probe.seat();
        let publication = probe.publish();
        publication.source().push_frame(Instant::now(), picture(0, true));
        drop(publication);
        assert!(seat.stream().catch_up().is_empty());
    }

    #[test]
    fn a_track_that_is_held_back_reaches_nobody_and_goes_on_at_a_keyframe() {
        let probe = Probe::new();
        let (hub, grant) = probe.hub();
        hub.forward(grant.stream(), MediaKind::Video, false);
        let publication = probe.publish();
        let consumer = publication.source().stream().subscribe_frames();
        let push = |at, keyframe| {
            publication.source().push_frame(Instant::now(), picture(at, keyframe));
        };
        push(0, true);
        assert!(publication.source().stream().catch_up().is_empty(), "held back before the stream was there");
        hub.forward(grant.stream(), MediaKind::Video, true);
        assert_eq!(probe.keyframe_requests(), 2, "by who joined, and to go on");
        push(40, false);
        push(80, true);
        push(120, false);
        let cx = std::task::Context::from_waker(std::task::Waker::noop());
        let seen = std::iter::from_fn(|| match consumer.poll_next(&cx) {
            std::task::Poll::Ready(frame) => Some(frame.index),
            std::task::Poll::Pending => None,
        });
        assert_eq!(seen.collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn a_stream_that_is_over_takes_what_was_held_back_with_it() {
        let probe = Probe::new();
        let (hub, grant) = probe.hub();
        let publication = probe.publish();
        hub.forward(grant.stream(), MediaKind::Video, false);
        hub.stopped(grant.stream());
        publication.source().push_frame(Instant::now(), picture(0, true));
        assert_eq!(publication.source().stream().catch_up().len(), 1);
    }

    #[test]
    fn a_stream_has_no_more_players_than_it_may_have() {
        let probe = Probe::new();
        let _seats = (probe.seat(), probe.seat());
        let (hub, grant) = probe.hub();
        assert_eq!(hub.play(grant).err(), Some(HubError::TooManyPlayers { limit: 2 }));
    }

    #[test]
    fn what_the_path_to_each_player_of_the_video_carries_is_known_while_the_player_is_there() {
        let probe = Probe::new();
        let (first, second) = (probe.seat(), probe.seat_for(Tracks::Video));
        let stream = Arc::clone(first.stream());
        assert_eq!(stream.capacities(), [None, None]);
        first.capacity().note(Some(600_000));
        assert_eq!(stream.capacities(), [Some(600_000), None]);
        first.capacity().note(None);
        drop(second);
        assert_eq!(stream.capacities(), [None]);
        let _listener = probe.seat_for(Tracks::Audio);
        assert_eq!(stream.capacities(), [None], "who only listens does not limit the picture");
    }

    #[test]
    fn a_stream_that_nobody_holds_is_forgotten() {
        let probe = Probe::new();
        let (hub, grant) = probe.hub();
        assert!(hub.play_published(grant).unwrap().is_none());
        let publication = probe.publish();
        assert!(hub.play_published(grant).unwrap().is_some());
        drop(publication);
        assert!(hub.play_published(grant).unwrap().is_none());
        assert!(hub.lock().is_empty());
    }
}
