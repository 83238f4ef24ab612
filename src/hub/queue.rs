//! A feed with one producer and many consumers, each behind its own bounded queue.
//!
//! A consumer that falls behind harms only itself: its queue is emptied, and video resumes at the next keyframe.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use queqiao_media::layers::{Layer, LayerSet};

/// What a queue must know of an item to decide what may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Audio: every item stands on its own.
    Audio,
    /// Video that can be decoded from here on.
    Keyframe,
    /// Video that needs what came before it.
    Delta,
}

/// An item of a [`Feed`].
pub(crate) trait Item: Clone {
    /// Whether consumers decide themselves what of their backlog they leave out. The queue of one that does not come
    /// to it then only loses what can be of no use to it any more.
    const GOVERNED: bool;

    /// What may be dropped with it.
    fn kind(&self) -> Kind;

    /// The layer that video is of. Only those of one layer need each other.
    fn layer(&self) -> Layer;
}

/// Items a consumer may be behind. About four seconds of the densest feed in use (RTP packets of a 2 Mbit/s
/// stream); the lag limit below usually acts first.
const MAX_ITEMS: usize = 1_024;

/// How far a consumer may be behind live before it is moved to the next keyframe. Longer than a retransmission
/// timeout of a bad mobile link, shorter than what a conversation bears. Measured by arrival, because the
/// timestamps of audio and video may lie apart.
const MAX_LAG: Duration = Duration::from_millis(1_500);

/// How long pictures are kept for a governed consumer that could still need them to get from their keyframe to the
/// present one. Longer than the groups of phones and encoders in use; what waits is memory that others have given up.
const MAX_PICTURE_AGE: Duration = Duration::from_secs(4);

/// What became of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Whether a consumer lost its place and needs a keyframe.
    pub(crate) keyframe_needed: bool,
    /// Consumers that have it in their queue.
    pub(crate) receivers: usize,
    /// Items that consumers were too slow for.
    pub(crate) skipped: u64,
}

struct Queue<T> {
    items: VecDeque<(Instant, T)>,
    /// The layers whose video the consumer wants.
    accepts: LayerSet,
    /// The layers of which delta frames are dropped until the next keyframe.
    awaiting_keyframe: LayerSet,
    skipped: u64,
    waker: Option<Waker>,
}

impl<T: Item> Queue<T> {
    fn push(&mut self, now: Instant, item: &T) -> Pushed {
        let before = self.skipped;
        let keyframe_needed = if T::GOVERNED && self.items.len() < MAX_ITEMS {
            self.tidy(now, item)
        } else {
            self.make_room(now)
        };
        let receivers = usize::from(self.accept(now, item));
        Pushed { keyframe_needed, receivers, skipped: self.skipped - before }
    }

    /// Returns whether the consumer lost its place and needs a keyframe.
    fn make_room(&mut self, now: Instant) -> bool {
        let mut lost_place = false;
        if self.is_behind(now) {
            self.skipped += self.items.len() as u64;
            if self.items.iter().any(|(_, queued)| queued.kind() != Kind::Audio) {
                self.awaiting_keyframe = self.accepts;
            }
            self.items.clear();
            lost_place = !self.awaiting_keyframe.is_empty();
        }
        lost_place
    }

    /// Drops what a governed consumer cannot use any more: sound that is too old, and pictures that a keyframe replaces or
    /// that do not lead up to the present in time. Returns whether the consumer needs a keyframe.
    fn tidy(&mut self, now: Instant, next: &T) -> bool {
        if !self.is_behind(now) {
            return false;
        }
        let is_stale = |since: &Instant| now.saturating_duration_since(*since) > MAX_PICTURE_AGE;
        let is_picture = |item: &T| item.kind() != Kind::Audio;
        let replaced = next.kind() == Kind::Keyframe && self.accepts.contains(next.layer());
        let lost = self.items.iter().any(|(since, item)| is_picture(item) && is_stale(since));
        let before = self.items.len();
        self.items.retain(|(since, item)| {
            if is_picture(item) {
                !replaced && !lost
            } else {
                now.saturating_duration_since(*since) <= MAX_LAG
            }
        });
        self.skipped += (before - self.items.len()) as u64;
        if lost {
            self.awaiting_keyframe = self.accepts;
        }
        lost && !replaced
    }

    /// Returns whether the consumer can use the item.
    fn accept(&mut self, now: Instant, item: &T) -> bool {
        let layer = item.layer();
        match item.kind() {
            Kind::Audio => {}
            Kind::Keyframe | Kind::Delta if !self.accepts.contains(layer) => return false,
            Kind::Keyframe => self.awaiting_keyframe = self.awaiting_keyframe.without(layer),
            Kind::Delta if self.awaiting_keyframe.contains(layer) => {
                self.skipped += 1;
                return false;
            }
            Kind::Delta => {}
        }
        self.items.push_back((now, item.clone()));
        true
    }

    fn is_behind(&self, now: Instant) -> bool {
        self.items.len() >= MAX_ITEMS
            || self.items.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) > MAX_LAG)
    }
}

type Shared<T> = Arc<Mutex<Queue<T>>>;

/// A poisoned queue holds whole items: a panic elsewhere must not spread to its other users.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The producing end.
pub(crate) struct Feed<T> {
    consumers: Mutex<Vec<Shared<T>>>,
    count: AtomicUsize,
    /// The layers that any of them wants.
    accepted: AtomicU8,
}

impl<T: Item> Feed<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            consumers: Mutex::new(Vec::new()),
            count: AtomicUsize::new(0),
            accepted: AtomicU8::new(0),
        })
    }

    /// Whether anyone listens. Cheap enough to ask for every frame.
    pub(crate) fn is_wanted(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// The layers whose video anyone wants, likewise.
    pub(crate) fn accepted(&self) -> LayerSet {
        LayerSet::from_bits(self.accepted.load(Ordering::Acquire))
    }

    /// Hands `item` to every consumer that wants it.
    pub(crate) fn push(&self, now: Instant, item: &T) -> Pushed {
        let mut all = Pushed::default();
        for queue in lock(&self.consumers).iter() {
            let waker = {
                let mut queue = lock(queue);
                let pushed = queue.push(now, item);
                all.keyframe_needed |= pushed.keyframe_needed;
                all.receivers += pushed.receivers;
                all.skipped += pushed.skipped;
                queue.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        all
    }

    /// A new consumer, which receives everything pushed from now on, but for the video of other layers than these.
    pub(crate) fn subscribe(self: &Arc<Self>, accepts: LayerSet) -> Consumer<T> {
        let queue = Arc::new(Mutex::new(Queue {
            items: VecDeque::new(),
            accepts,
            awaiting_keyframe: LayerSet::EMPTY,
            skipped: 0,
            waker: None,
        }));
        let mut consumers = lock(&self.consumers);
        consumers.push(Arc::clone(&queue));
        self.note(&consumers);
        Consumer { feed: Arc::clone(self), queue }
    }

    fn note(&self, consumers: &[Shared<T>]) {
        let accepted =
            consumers.iter().fold(LayerSet::EMPTY, |layers, queue| layers.union(lock(queue).accepts));
        self.count.store(consumers.len(), Ordering::Release);
        self.accepted.store(accepted.bits(), Ordering::Release);
    }
}

/// The consuming end. Dropping it unsubscribes.
pub(crate) struct Consumer<T: Item> {
    feed: Arc<Feed<T>>,
    queue: Shared<T>,
}

impl<T: Item> Consumer<T> {
    /// The next item, or `Pending` with the waker of `cx` registered.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<T> {
        self.poll_arrival(cx).map(|(_, item)| item)
    }

    /// The next item and when it was pushed, or `Pending` with the waker of `cx` registered.
    pub(crate) fn poll_arrival(&self, cx: &Context<'_>) -> Poll<(Instant, T)> {
        let mut queue = lock(&self.queue);
        match queue.items.pop_front() {
            Some(item) => Poll::Ready(item),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Waits for the next item.
    pub(crate) async fn arrival(&self) -> (Instant, T) {
        poll_fn(|cx| self.poll_arrival(cx)).await
    }

    /// The next item if it is there already.
    pub(crate) fn take(&self) -> Option<(Instant, T)> {
        lock(&self.queue).items.pop_front()
    }

    /// Receives the video of these layers from now on.
    pub(crate) fn accept(&self, layers: LayerSet) {
        let consumers = lock(&self.feed.consumers);
        {
            let mut queue = lock(&self.queue);
            queue.accepts = layers;
            queue.awaiting_keyframe = queue.awaiting_keyframe.intersection(layers);
        }
        self.feed.note(&consumers);
    }

    /// Items dropped because this consumer was too slow.
    pub(crate) fn skipped(&self) -> u64 {
        lock(&self.queue).skipped
    }
}

impl<T: Item> Drop for Consumer<T> {
    fn drop(&mut self) {
        let mut consumers = lock(&self.feed.consumers);
        consumers.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        self.feed.note(&consumers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Probe(Kind, u64);

    impl Item for Probe {
        const GOVERNED: bool = false;

        fn kind(&self) -> Kind {
            self.0
        }

        fn layer(&self) -> Layer {
            Layer::High
        }
    }

    /// Video of a layer.
    #[derive(Clone, Debug, PartialEq)]
    struct Layered(Layer, Kind);

    impl Item for Layered {
        const GOVERNED: bool = false;

        fn kind(&self) -> Kind {
            self.1
        }

        fn layer(&self) -> Layer {
            self.0
        }
    }

    fn push(feed: &Feed<Probe>, start: Instant, item: &Probe) -> Pushed {
        feed.push(start + Duration::from_millis(item.1), item)
    }

    fn drain<T: Item>(consumer: &Consumer<T>) -> Vec<T> {
        let cx = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| match consumer.poll_next(&cx) {
            Poll::Ready(item) => Some(item),
            Poll::Pending => None,
        })
        .collect()
    }

    #[test]
    fn every_consumer_receives_every_item_in_order() {
        let (feed, start) = (Feed::new(), Instant::now());
        let (one, two) = (feed.subscribe(LayerSet::SINGLE), feed.subscribe(LayerSet::SINGLE));
        let items = [Probe(Kind::Keyframe, 0), Probe(Kind::Audio, 5), Probe(Kind::Delta, 40)];
        for item in &items {
            assert_eq!(push(&feed, start, item).receivers, 2);
        }
        assert_eq!(drain(&one), items);
        assert_eq!(drain(&two), items);
    }

    #[test]
    fn a_slow_consumer_resumes_at_the_next_keyframe_and_the_loss_is_counted() {
        let (feed, start) = (Feed::new(), Instant::now());
        let (slow, quick) = (feed.subscribe(LayerSet::SINGLE), feed.subscribe(LayerSet::SINGLE));
        push(&feed, start, &Probe(Kind::Keyframe, 0));
        assert_eq!(drain(&quick).len(), 1);
        push(&feed, start, &Probe(Kind::Delta, 1_000));
        drain(&quick);
        let lost = Pushed { keyframe_needed: true, receivers: 1, skipped: 3 };
        assert_eq!(
            push(&feed, start, &Probe(Kind::Delta, 2_000)),
            lost,
            "losing its place calls for a keyframe"
        );
        push(&feed, start, &Probe(Kind::Audio, 2_010));
        push(&feed, start, &Probe(Kind::Keyframe, 2_040));
        assert_eq!(drain(&slow), [Probe(Kind::Audio, 2_010), Probe(Kind::Keyframe, 2_040)]);
        assert_eq!(slow.skipped(), 3);
        assert_eq!(drain(&quick).len(), 3);
        assert_eq!(quick.skipped(), 0);
    }

    #[test]
    fn a_stalled_consumer_of_audio_holds_a_bounded_number_of_items() {
        let (feed, start) = (Feed::new(), Instant::now());
        let stalled = feed.subscribe(LayerSet::SINGLE);
        for _ in 0..10_000 {
            let pushed = push(&feed, start, &Probe(Kind::Audio, 0));
            assert!(!pushed.keyframe_needed, "audio alone never asks for a keyframe");
        }
        assert!(drain(&stalled).len() <= MAX_ITEMS);
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Governed(Kind, u64);

    impl Item for Governed {
        const GOVERNED: bool = true;

        fn kind(&self) -> Kind {
            self.0
        }

        fn layer(&self) -> Layer {
            Layer::High
        }
    }

    #[test]
    fn a_governed_consumer_that_stalls_keeps_its_pictures_since_the_newest_keyframe_and_fresh_sound() {
        let (feed, start) = (Feed::new(), Instant::now());
        let stalled = feed.subscribe(LayerSet::SINGLE);
        let push = |item: Governed| feed.push(start + Duration::from_millis(item.1), &item);
        for (kind, time) in [
            (Kind::Keyframe, 0),
            (Kind::Audio, 10),
            (Kind::Delta, 1_000),
            (Kind::Keyframe, 2_000),
            (Kind::Audio, 2_010),
            (Kind::Delta, 3_000),
            (Kind::Audio, 3_010),
        ] {
            assert!(!push(Governed(kind, time)).keyframe_needed);
        }
        let kept: Vec<_> = std::iter::from_fn(|| stalled.take()).map(|(_, item)| item.1).collect();
        assert_eq!(kept, [2_000, 2_010, 3_000, 3_010]);
        assert_eq!(stalled.skipped(), 3);
    }

    #[test]
    fn a_governed_consumer_of_an_endless_group_asks_for_a_keyframe_once_its_pictures_are_too_old() {
        let (feed, start) = (Feed::new(), Instant::now());
        let stalled = feed.subscribe(LayerSet::SINGLE);
        let mut asked = 0;
        for time in (0..9_000).step_by(40) {
            let kind = if time == 0 { Kind::Keyframe } else { Kind::Delta };
            let pushed = feed.push(start + Duration::from_millis(time), &Governed(kind, time));
            asked += u32::from(pushed.keyframe_needed);
        }
        assert_eq!(asked, 1);
        assert_eq!(stalled.take(), None);
    }

    #[test]
    fn a_consumer_receives_the_layers_that_it_accepts_and_the_feed_knows_which_anyone_does() {
        let (feed, start) = (Feed::new(), Instant::now());
        let (low, high) = (Layered(Layer::Low, Kind::Delta), Layered(Layer::High, Kind::Delta));
        let (one, other) = (feed.subscribe(LayerSet::SINGLE), feed.subscribe(LayerSet::SINGLE));
        assert_eq!(feed.accepted(), LayerSet::SINGLE);
        one.accept(LayerSet::only(Layer::Low));
        assert_eq!(feed.accepted(), LayerSet::of_count(2));
        for item in [&low, &high, &low] {
            assert_eq!(feed.push(start, item).receivers, 1);
        }
        assert_eq!((drain(&one).len(), drain(&other).len()), (2, 1));
        drop(other);
        assert_eq!(feed.accepted(), LayerSet::only(Layer::Low));
    }

    #[test]
    fn a_consumer_that_lost_its_place_resumes_each_layer_at_a_keyframe_of_that_layer() {
        let (feed, start) = (Feed::new(), Instant::now());
        let consumer = feed.subscribe(LayerSet::ALL);
        feed.push(start, &Layered(Layer::Low, Kind::Keyframe));
        let later = start + 2 * MAX_LAG;
        assert!(feed.push(later, &Layered(Layer::High, Kind::Delta)).keyframe_needed);
        feed.push(later, &Layered(Layer::High, Kind::Keyframe));
        feed.push(later, &Layered(Layer::Low, Kind::Delta));
        feed.push(later, &Layered(Layer::High, Kind::Delta));
        feed.push(later, &Layered(Layer::Low, Kind::Keyframe));
        let seen: Vec<_> = drain(&consumer).into_iter().map(|item| (item.0, item.1)).collect();
        assert_eq!(
            seen,
            [(Layer::High, Kind::Keyframe), (Layer::High, Kind::Delta), (Layer::Low, Kind::Keyframe)]
        );
    }

    #[test]
    fn a_dropped_consumer_no_longer_makes_the_feed_wanted() {
        let feed = Feed::<Probe>::new();
        let consumer = feed.subscribe(LayerSet::SINGLE);
        assert!(feed.is_wanted());
        drop(consumer);
        assert!(!feed.is_wanted());
    }
}
