//! User data in the pictures of a stream: put in for players without signalling, and taken out for those who listen.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use queqiao_media::frame::AccessUnit;
use queqiao_media::h264::sei::{self, UserData};
use queqiao_media::layers::{Layer, LayerSet};
use queqiao_room::StreamKey;
use tokio::sync::mpsc;

/// User data that waits for a picture: some pictures' worth, as its senders are held to ten a second.
const MAX_WAITING: usize = 16;

/// How long it waits. Where no picture comes in frames, nobody is there who would see it.
const MAX_AGE: Duration = Duration::from_secs(2);

/// User data of one stream that is told at once.
const BURST: u32 = 20;

/// How long each takes to be paid off: ten a second. Encoders that mark every picture are not for signalling.
const INTERVAL: Duration = Duration::from_millis(100);

/// User data of all streams that the rooms have not taken yet. They take it within milliseconds.
const MAX_HEARD: usize = 256;

/// User data that came in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Whose picture.
    pub(crate) stream: StreamKey,
    /// What.
    pub(crate) data: UserData,
}

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeiCounts {
    /// User data that came in pictures and was not told: too much of it, or too much at once.
    pub(crate) untold: u64,
    /// User data that went into no picture.
    pub(crate) unsent: u64,
}

/// What streams and rooms share.
pub(super) struct Exchange {
    /// Streams that somebody listens to, whether or not they are there. Bounded by the rooms' streams.
    heard: Mutex<HashSet<StreamKey>>,
    told: mpsc::Sender<Heard>,
    untaken: Mutex<Option<mpsc::Receiver<Heard>>>,
    untold: AtomicU64,
    unsent: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exchange {
    pub(super) fn new() -> Arc<Self> {
        let (told, untaken) = mpsc::channel(MAX_HEARD);
        Arc::new(Self {
            heard: Mutex::default(),
            told,
            untaken: Mutex::new(Some(untaken)),
            untold: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
        })
    }

    /// Given out once.
    pub(super) fn take(&self) -> Option<mpsc::Receiver<Heard>> {
        lock(&self.untaken).take()
    }

    /// Notes whether somebody listens to a stream.
    pub(super) fn hear(&self, stream: &StreamKey, on: bool) {
        if on {
            lock(&self.heard).insert(stream.clone());
        } else {
            lock(&self.heard).remove(stream);
        }
    }

    pub(super) fn counts(&self) -> SeiCounts {
        SeiCounts { untold: self.untold.load(Ordering::Relaxed), unsent: self.unsent.load(Ordering::Relaxed) }
    }
}

/// The user data of one stream.
pub(super) struct Port {
    exchange: Arc<Exchange>,
    heard: AtomicBool,
    /// When all that was told is paid off.
    paid_at: Mutex<Option<Instant>>,
    /// Whether anything waits: looked at for every picture.
    any: AtomicBool,
    waiting: Mutex<VecDeque<Waiting>>,
}

/// User data on its way into pictures.
struct Waiting {
    since: Instant,
    nal: Bytes,
    /// The layers whose pictures have it.
    sent: LayerSet,
}

impl Port {
    pub(super) fn new(exchange: Arc<Exchange>, stream: &StreamKey) -> Self {
        let heard = lock(&exchange.heard).contains(stream);
        Self {
            exchange,
            heard: AtomicBool::new(heard),
            paid_at: Mutex::new(None),
            any: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    pub(super) fn hear(&self, on: bool) {
        self.heard.store(on, Ordering::Relaxed);
    }

    /// Keeps a NAL unit for the next picture. The oldest gives way where too many wait.
    pub(super) fn put(&self, nal: Bytes, now: Instant) {
        let mut waiting = lock(&self.waiting);
        waiting.push_back(Waiting { since: now, nal, sent: LayerSet::EMPTY });
        let over = waiting.len().saturating_sub(MAX_WAITING);
        self.exchange.unsent.fetch_add(over as u64, Ordering::Relaxed);
        waiting.drain(..over);
        self.any.store(true, Ordering::Release);
    }

    /// Puts what waits into a picture of a layer, of those that there are.
    pub(super) fn fill(&self, unit: &mut AccessUnit, layer: Layer, layers: LayerSet, now: Instant) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut waiting = lock(&self.waiting);
        waiting.retain_mut(|entry| {
            if now.saturating_duration_since(entry.since) > MAX_AGE {
                self.exchange.unsent.fetch_add(u64::from(entry.sent.is_empty()), Ordering::Relaxed);
                return false;
            }
            if !entry.sent.contains(layer) {
                sei::insert(&mut unit.nals, entry.nal.clone());
                entry.sent = entry.sent.with(layer);
            }
            !layers.without_all(entry.sent).is_empty()
        });
        self.any.store(!waiting.is_empty(), Ordering::Release);
    }

    /// Tells what came in a picture, if anybody listens.
    pub(super) fn tell(&self, stream: &StreamKey, unit: &AccessUnit, now: Instant) {
        if !self.heard.load(Ordering::Relaxed) {
            return;
        }
        for data in unit.nals.iter().flat_map(|nal| sei::user_data(nal)) {
            let heard = Heard { stream: stream.clone(), data };
            if !self.pay(now) || self.exchange.told.try_send(heard).is_err() {
                self.exchange.untold.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn pay(&self, now: Instant) -> bool {
        let mut paid_at = lock(&self.paid_at);
        let level = paid_at.map_or(now, |at| at.max(now));
        let room = level.saturating_duration_since(now) <= INTERVAL * (BURST - 1);
        if room {
            *paid_at = Some(level + INTERVAL);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Probe, picture};
    use super::super::{Media, NativeForm};
    use super::*;

    fn text(text: &str) -> UserData {
        UserData::Plain { data: Bytes::copy_from_slice(text.as_bytes()) }
    }

    fn texts(media: &Media) -> Vec<UserData> {
        let Media::Video { unit, .. } = media else { panic!("a picture") };
        unit.nals.iter().flat_map(|nal| sei::user_data(nal)).collect()
    }

    fn carrying(at: i64, message: &str) -> Media {
        let mut media = picture(at, true);
        if let Media::Video { unit, .. } = &mut media {
            sei::insert(&mut unit.nals, text(message).to_nal());
        }
        media
    }

    #[test]
    fn what_is_put_in_goes_with_the_next_picture_alone() {
        for native in [NativeForm::Frames, NativeForm::Rtp] {
            let probe = Probe::new();
            let (hub, grant) = probe.hub();
            let publication = probe.publish_as(native);
            hub.insert_sei(grant.stream(), &text("a"));
            hub.insert_sei(grant.stream(), &text("b"));
            let now = Instant::now();
            let first = publication.source().push_frame(now, picture(0, true));
            let second = publication.source().push_frame(now, picture(40, false));
            assert_eq!(texts(&first.media), [text("a"), text("b")], "in order");
            assert_eq!(texts(&second.media), []);
        }
    }

    #[test]
    fn every_layer_of_a_picture_has_it_once() {
        let probe = Probe::new();
        let (hub, grant) = probe.hub();
        let publication = probe.publish_as(NativeForm::Rtp);
        publication.source().offer_layers(LayerSet::of_count(2));
        hub.insert_sei(grant.stream(), &text("a"));
        let push =
            |layer| texts(&publication.source().push_layer(Instant::now(), layer, picture(0, true)).media);
        assert_eq!(push(Layer::High), [text("a")]);
        assert_eq!(push(Layer::High), []);
        assert_eq!(push(Layer::Low), [text("a")]);
        assert_eq!(push(Layer::Low), []);
    }

    #[test]
    fn what_finds_no_picture_is_forgotten_and_counted() {
        let probe = Probe::new();
        let (hub, grant) = probe.hub();
        let publication = probe.publish();
        for _ in 0..MAX_WAITING + 3 {
            hub.insert_sei(grant.stream(), &text("x"));
        }
        let late = Instant::now() + MAX_AGE + Duration::from_secs(1);
        let frame = publication.source().push_frame(late, picture(0, true));
        assert_eq!(texts(&frame.media), []);
        assert_eq!(hub.sei_counts().unsent, MAX_WAITING as u64 + 3);
    }

    #[test]
    fn what_comes_in_pictures_is_told_to_those_who_listen_within_a_rate() {
        let probe = Probe::new();
        let (hub, grant) = probe.hub();
        let mut told = hub.take_sei().unwrap();
        let publication = probe.publish();
        let now = Instant::now();
        let push = |at: Instant, message: &str| publication.source().push_frame(at, carrying(0, message));
        push(now, "nobody");
        hub.hear_sei(grant.stream(), true);
        push(now, "first");
        assert_eq!(told.try_recv().unwrap(), Heard { stream: grant.stream().clone(), data: text("first") });
        for _ in 0..100 {
            push(now, "flood");
        }
        let flood = std::iter::from_fn(|| told.try_recv().ok()).count();
        assert_eq!(flood, BURST as usize - 1);
        assert_eq!(hub.sei_counts().untold, 100 - flood as u64);
        push(now + INTERVAL, "later");
        assert_eq!(told.try_recv().unwrap().data, text("later"));
        hub.hear_sei(grant.stream(), false);
        push(now + Duration::from_secs(9), "nobody");
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn a_stream_that_comes_later_is_listened_to_and_its_own_insertions_are_not_told() {
        let probe = Probe::new();
        let (hub, grant) = probe.hub();
        let mut told = hub.take_sei().unwrap();
        hub.hear_sei(grant.stream(), true);
        let publication = probe.publish();
        hub.insert_sei(grant.stream(), &text("by signalling"));
        publication.source().push_frame(Instant::now(), carrying(0, "by encoder"));
        assert_eq!(told.try_recv().unwrap().data, text("by encoder"));
        assert!(told.try_recv().is_err());
    }
}
