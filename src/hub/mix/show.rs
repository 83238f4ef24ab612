//! The pictures of who speaks: each listener sees one camera at a time, and another one from a keyframe of it on.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use queqiao_media::frame::AccessUnit;
use queqiao_media::gop::{GopCache, squeeze};
use queqiao_media::layers::{Layer, LayerSet};
use queqiao_media::time::StreamTime;
use queqiao_mix::{Mixer, Owner, Track};
use queqiao_room::signal::Tracks;
use tracing::debug;

use super::desk::Numbering;
use super::{Known, Listener, RoomMix};
use crate::hub::HubError;
use crate::hub::frame::{Frame, Media, SourceId};
use crate::hub::queue::Consumer;
use crate::hub::stream::{Seat, Stream};

/// The distance of pictures that are sent at once: one tick of the RTMP clock.
const STEP: StreamTime = StreamTime::new(1_000);

/// How far from the present a picture may be placed by its sound. One that is further off is placed at the present: its
/// track has not been heard for long.
const MAX_DISTANCE: StreamTime = StreamTime::new(1_000_000);

/// A camera that somebody sees, or is about to see.
struct Show {
    seat: Seat,
    consumer: Consumer<Arc<Frame>>,
    source: Option<SourceId>,
    /// Pictures up to this number came from the stream's cache.
    replayed: Option<u64>,
    awaiting_keyframe: bool,
    /// Its pictures since the last keyframe.
    gop: GopCache<AccessUnit>,
    /// Where the latest picture was placed.
    last: StreamTime,
    /// What came with this block.
    live: Vec<Arc<Frame>>,
    /// All of the present group at once, for those who change to this camera with this block.
    start: Vec<Arc<Frame>>,
}

/// All cameras that are seen at present.
pub(super) struct Shows {
    shows: BTreeMap<Track, Show>,
    /// What each listener sees, by its place in memory, which is its own while it is listed.
    showing: Vec<(Weak<Listener>, Track)>,
    /// The latest time of any picture.
    last: StreamTime,
    gop_bytes: usize,
    gop_frames: usize,
}

impl Shows {
    pub(super) fn new(gop_bytes: usize, gop_frames: usize) -> Self {
        Self { shows: BTreeMap::new(), showing: Vec::new(), last: StreamTime::ZERO, gop_bytes, gop_frames }
    }

    /// Sends what has come since the last block.
    pub(super) fn tick(
        &mut self,
        room: &RoomMix,
        mixer: &Mixer,
        listeners: &[Arc<Listener>],
        numbering: &mut Numbering,
        at: Instant,
        now: StreamTime,
    ) {
        self.showing.retain(|(listener, _)| listener.strong_count() > 0);
        let viewers: Vec<_> = listeners.iter().filter(|listener| listener.shows_speaker()).collect();
        if viewers.is_empty() {
            self.shows.clear();
            return;
        }
        let cameras = room.cameras();
        let targets: Vec<_> = viewers.iter().map(|viewer| target(&cameras, mixer, viewer.owner)).collect();
        for (track, known) in targets.iter().flatten() {
            self.open(*track, known);
        }
        let (showing, shows) = (&self.showing, &mut self.shows);
        shows.retain(|track, _| {
            targets.iter().flatten().any(|(target, _)| target == track)
                || showing.iter().any(|(_, shown)| shown == track)
        });
        for (track, show) in shows.iter_mut() {
            show.take(numbering, now, |time| mixer.heard_at(*track, time));
            self.last = self.last.max(show.last);
        }
        for (viewer, target) in viewers.into_iter().zip(targets) {
            self.serve(viewer, target.map(|(track, _)| *track), numbering, at);
        }
    }

    fn open(&mut self, track: Track, known: &Known) {
        if self.shows.contains_key(&track) {
            return;
        }
        let show = known.stream.upgrade().map(|stream| Show::new(stream, self.gop_bytes, self.gop_frames));
        match show {
            Some(Ok(show)) => {
                self.shows.insert(track, show);
            }
            Some(Err(error)) => debug!(stream = %known.key, %error, "not shown"),
            None => {}
        }
    }

    fn serve(
        &mut self,
        viewer: &Arc<Listener>,
        target: Option<Track>,
        numbering: &mut Numbering,
        at: Instant,
    ) {
        let place = self.showing.iter().position(|(listener, _)| listener.as_ptr() == Arc::as_ptr(viewer));
        let shown = place.and_then(|place| self.showing.get(place)).map(|(_, track)| *track);
        if let Some(target) = target.filter(|target| Some(*target) != shown)
            && let Some(show) = self.shows.get_mut(&target)
            && show.begin(numbering, self.last)
        {
            self.last = self.last.max(show.last);
            for frame in &show.start {
                viewer.push(at, frame);
            }
            match place.and_then(|place| self.showing.get_mut(place)) {
                Some(entry) => entry.1 = target,
                None => self.showing.push((Arc::downgrade(viewer), target)),
            }
            return;
        }
        let Some(show) = shown.and_then(|shown| self.shows.get(&shown)) else { return };
        for frame in &show.live {
            viewer.push(at, frame);
        }
        if viewer.wants.keyframe.swap(false, Ordering::AcqRel) {
            show.seat.stream().request_keyframe();
        }
    }
}

/// Whose camera somebody should see: that of who speaks, or spoke before, or any other; never the own one.
fn target<'a>(cameras: &'a [(Track, Known)], mixer: &Mixer, viewer: Owner) -> Option<&'a (Track, Known)> {
    let speakers = mixer.speakers();
    let spoke = [speakers.current(), speakers.previous()].into_iter().flatten();
    let of = |owner: Owner| cameras.iter().find(|(_, known)| known.owner == owner && owner != viewer);
    spoke.filter_map(of).next().or_else(|| cameras.iter().find(|(_, known)| known.owner != viewer))
}

impl Show {
    fn new(stream: Arc<Stream>, gop_bytes: usize, gop_frames: usize) -> Result<Self, HubError> {
        let limit = stream.max_players();
        let seat = Seat::take(Arc::clone(&stream), Tracks::Video, Layer::High, limit)?;
        seat.need(LayerSet::SINGLE);
        // Subscribed before the cache is read: what comes in between is in both, and told apart by its number.
        let consumer = stream.subscribe_frames();
        let mut show = Self {
            consumer,
            source: None,
            replayed: None,
            awaiting_keyframe: true,
            gop: GopCache::bounded(gop_bytes, gop_frames),
            last: StreamTime::ZERO,
            live: Vec::new(),
            start: Vec::new(),
            seat,
        };
        for frame in stream.catch_up() {
            if let Media::Video { unit, .. } = &frame.media {
                show.keep(unit);
                (show.source, show.replayed) = (Some(frame.source), Some(frame.index));
                show.awaiting_keyframe = false;
            }
        }
        Ok(show)
    }

    fn keep(&mut self, unit: &AccessUnit) {
        let bytes = unit.nals.iter().map(bytes::Bytes::len).sum();
        self.gop.push(unit.clone(), bytes, unit.keyframe);
    }

    /// Takes the pictures that have come. `heard_at` says when the sound of a picture is heard.
    fn take(
        &mut self,
        numbering: &mut Numbering,
        now: StreamTime,
        heard_at: impl Fn(StreamTime) -> Option<StreamTime>,
    ) {
        self.live.clear();
        self.start.clear();
        let cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(frame) = self.consumer.poll_next(&cx) {
            let Media::Video { unit, droppable } = &frame.media else { continue };
            if self.source != Some(frame.source) {
                (self.source, self.replayed) = (Some(frame.source), None);
                self.gop.clear();
                self.awaiting_keyframe = true;
            }
            if self.replayed.is_some_and(|last| frame.index <= last) {
                continue;
            }
            self.awaiting_keyframe &= !unit.keyframe;
            if self.awaiting_keyframe {
                continue;
            }
            self.keep(unit);
            let near = |time: &StreamTime| (*time - now).get().abs() <= MAX_DISTANCE.get();
            let place = heard_at(unit.dts).filter(near).unwrap_or(now).max(self.last + STEP);
            self.last = place;
            let unit = moved(unit, place);
            self.live.push(numbering.frame(Media::Video { unit, droppable: *droppable }));
        }
    }

    /// Makes the present group ready for those who begin with it, after `floor`. Returns whether there is one.
    fn begin(&mut self, numbering: &mut Numbering, floor: StreamTime) -> bool {
        if !self.start.is_empty() {
            return true;
        }
        let units: Vec<_> = self.gop.items().collect();
        let mut times: Vec<StreamTime> = units.iter().map(|unit| unit.dts).collect();
        let count = i64::try_from(times.len()).unwrap_or(i64::MAX);
        let Some(newest) = times.last_mut() else { return false };
        *newest = self.last.max(floor + StreamTime::new(STEP.get().saturating_mul(count)));
        squeeze(&mut times, STEP, Some(floor));
        self.start = units
            .into_iter()
            .zip(&times)
            .map(|(unit, time)| numbering.frame(Media::Video { unit: moved(unit, *time), droppable: false }))
            .collect();
        self.last = self.last.max(times.last().copied().unwrap_or_default());
        true
    }
}

/// The same picture at another time.
fn moved(unit: &AccessUnit, dts: StreamTime) -> AccessUnit {
    AccessUnit { dts, pts: dts + (unit.pts - unit.dts), ..unit.clone() }
}
