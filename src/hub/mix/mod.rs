//! The streams that the server makes of a room: its sound without one's own voice, and the pictures of who speaks.
//!
//! There is one mix for a room while somebody listens, and it is made on a thread with a clock ([`clock`]). Publishers
//! leave their sound at the room (`Tap::hear`), in the form in which it came; a [`Desk`](desk::Desk) takes it from
//! there once in a block. Every listener has a stream of its own in the hub, and who hears the same shares its frames.

mod clock;
mod desk;
mod inputs;
mod lanes;
mod show;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use queqiao_media::frame::{AacFrame, RtpPacket};
use queqiao_media::time::StreamTime;
use queqiao_mix::{Owner, Track};
use queqiao_room::machine::RoomKey;
use queqiao_room::{StreamKey, StreamKind, Uid};
use tokio::sync::mpsc;
use tracing::{debug, warn};

pub(super) use clock::Clock;
pub(crate) use tally::MixCounts;
pub(super) use tally::Tally;

use super::frame::{Frame, SourceId};
use super::stream::{NativeForm, Publication, PublisherControl, Stream};
use super::{Hub, HubError};

/// Packets of sound that wait for the next block of one room. A block takes 21 ms, in which 64 tracks have some hundred;
/// the rest is for a thread that is late.
const MAX_WAITING: usize = 1_024;

/// Changes of speakers that may wait for the rooms to hear of them: a second's worth of a full server.
pub(crate) const MAX_NOTICES: usize = 4_096;

/// Somebody else speaks in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpeakerNotice {
    pub(crate) room: RoomKey,
    pub(crate) uid: Uid,
}

/// Sound of a track, as its publisher sent it.
#[derive(Debug)]
pub(super) enum Sound {
    Aac(AacFrame),
    Rtp(RtpPacket<48_000>),
}

/// What happens to a track.
#[derive(Debug)]
enum Arrival {
    Sound { track: Track, source: SourceId, at: Instant, sound: Sound },
    Ended { track: Track },
}

/// A published stream of the room.
#[derive(Clone, Debug)]
struct Known {
    key: StreamKey,
    owner: Owner,
    stream: Weak<Stream>,
}

#[derive(Debug, Default)]
struct Tracks {
    known: BTreeMap<Track, Known>,
    owners: BTreeMap<Uid, Owner>,
    last: u64,
}

/// What a published stream leaves its sound with.
#[derive(Clone, Debug)]
pub(super) struct Tap {
    room: Weak<RoomMix>,
    track: Track,
}

impl Tap {
    /// Leaves sound. Returns whether there is still somebody who wants it.
    pub(super) fn hear(&self, source: SourceId, at: Instant, sound: Sound) -> bool {
        let room = self.room.upgrade();
        if let Some(room) = &room {
            room.leave(Arrival::Sound { track: self.track, source, at, sound });
        }
        room.is_some()
    }

    /// The publisher is gone.
    pub(super) fn ended(&self) {
        if let Some(room) = self.room.upgrade() {
            room.leave(Arrival::Ended { track: self.track });
        }
    }
}

/// The mix of one room, as long as somebody holds it.
#[derive(Debug)]
pub(crate) struct RoomMix {
    key: RoomKey,
    hub: Arc<Hub>,
    source: SourceId,
    epoch: Instant,
    tracks: Mutex<Tracks>,
    listeners: Mutex<Vec<Weak<Listener>>>,
    arrivals: Mutex<Vec<Arrival>>,
    dropped: AtomicU64,
    speaker: Mutex<Option<Uid>>,
}

/// What is held under these locks is whole at every point where a panic could occur.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RoomMix {
    fn new(hub: &Arc<Hub>, key: RoomKey, source: SourceId) -> Arc<Self> {
        Arc::new(Self {
            key,
            hub: Arc::clone(hub),
            source,
            epoch: Instant::now(),
            tracks: Mutex::default(),
            listeners: Mutex::default(),
            arrivals: Mutex::default(),
            dropped: AtomicU64::new(0),
            speaker: Mutex::default(),
        })
    }

    /// Who speaks, or spoke last; none before anybody has.
    fn speaker(&self) -> Option<Uid> {
        lock(&self.speaker).clone()
    }

    /// Lets a published stream of the room leave its sound here from now on.
    pub(super) fn tap(self: &Arc<Self>, stream: &Arc<Stream>) {
        let key = stream.key().clone();
        let track = {
            let mut tracks = lock(&self.tracks);
            tracks.known.retain(|_, known| known.stream.strong_count() > 0);
            if tracks.known.values().any(|known| known.stream.as_ptr() == Arc::as_ptr(stream)) {
                return;
            }
            tracks.last += 1;
            let (track, owner) = (Track(tracks.last), self.owner(&mut tracks, &key.uid));
            tracks.known.insert(track, Known { key, owner, stream: Arc::downgrade(stream) });
            track
        };
        stream.set_tap(Tap { room: Arc::downgrade(self), track });
    }

    /// The number of a participant. Those who neither publish nor listen are forgotten.
    fn owner(&self, tracks: &mut Tracks, uid: &Uid) -> Owner {
        if let Some(owner) = tracks.owners.get(uid) {
            return *owner;
        }
        let listening = self.listeners();
        let known = &tracks.known;
        tracks.owners.retain(|uid, owner| {
            known.values().any(|known| known.owner == *owner) || listening.iter().any(|one| one.uid == *uid)
        });
        tracks.last += 1;
        let owner = Owner(tracks.last);
        tracks.owners.insert(uid.clone(), owner);
        owner
    }

    fn known(&self, track: Track) -> Option<Known> {
        lock(&self.tracks).known.get(&track).cloned()
    }

    /// The camera of a participant.
    fn camera(&self, owner: Owner) -> Option<(Track, Known)> {
        let tracks = lock(&self.tracks);
        let mut cameras = tracks.known.iter().filter(|(_, known)| known.key.kind == StreamKind::Camera);
        cameras.find(|(_, known)| known.owner == owner).map(|(track, known)| (*track, known.clone()))
    }

    /// All cameras of the room that show something, those first that have been there longest.
    fn cameras(&self) -> Vec<(Track, Known)> {
        let cameras: Vec<_> = {
            let tracks = lock(&self.tracks);
            let cameras = tracks.known.iter().filter(|(_, known)| known.key.kind == StreamKind::Camera);
            cameras.map(|(track, known)| (*track, known.clone())).collect()
        };
        let shows = |stream: &Arc<Stream>| stream.is_published() && stream.description().video;
        cameras.into_iter().filter(|(_, known)| known.stream.upgrade().is_some_and(|s| shows(&s))).collect()
    }

    fn listeners(&self) -> Vec<Arc<Listener>> {
        lock(&self.listeners).iter().filter_map(Weak::upgrade).collect()
    }

    /// A place among the listeners, shared by all players of `stream`.
    fn listen(self: &Arc<Self>, stream: &Arc<Stream>) -> Arc<Listener> {
        let key = stream.key();
        let mut tracks = lock(&self.tracks);
        let owner = self.owner(&mut tracks, &key.uid);
        drop(tracks);
        let mut listeners = lock(&self.listeners);
        listeners.retain(|listener| listener.strong_count() > 0);
        let there = listeners.iter().filter_map(Weak::upgrade).find(|one| one.is_of(key));
        there.unwrap_or_else(|| {
            let listener = Listener::new(self, stream, owner);
            listeners.push(Arc::downgrade(&listener));
            listener
        })
    }

    fn leave(&self, arrival: Arrival) {
        let mut arrivals = lock(&self.arrivals);
        if arrivals.len() < MAX_WAITING || matches!(arrival, Arrival::Ended { .. }) {
            arrivals.push(arrival);
            return;
        }
        drop(arrivals);
        self.hub.mixing.dropped();
        let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        if dropped.is_power_of_two() {
            warn!(room = %self.key.room, dropped, "mixer overloaded: sound dropped");
        }
    }

    /// What has come since this was asked last, in the place of an empty list.
    fn take(&self, into: &mut Vec<Arrival>) {
        into.clear();
        std::mem::swap(&mut *lock(&self.arrivals), into);
    }

    fn time_at(&self, at: Instant) -> StreamTime {
        StreamTime::from_duration(at.saturating_duration_since(self.epoch))
    }

    fn announce(&self, uid: Uid) {
        *lock(&self.speaker) = Some(uid.clone());
        debug!(room = %self.key.room, %uid, "speaker");
        if self.hub.speakers.try_send(SpeakerNotice { room: self.key.clone(), uid }).is_err() {
            debug!(room = %self.key.room, "nobody takes note of the speaker");
        }
    }
}

impl Drop for RoomMix {
    fn drop(&mut self) {
        self.hub.forget_mix(&self.key);
    }
}

/// Somebody to whom the mix, or the pictures of who speaks, are sent as a stream of the hub.
pub(crate) struct Listener {
    uid: Uid,
    owner: Owner,
    kind: StreamKind,
    publication: Publication,
    wants: Arc<Wants>,
    /// Whether its first frame has been made.
    begun: AtomicBool,
    _room: Arc<RoomMix>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("uid", &self.uid).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What the players of a listener ask for.
#[derive(Debug, Default)]
struct Wants {
    keyframe: AtomicBool,
}

impl PublisherControl for Wants {
    fn request_keyframe(&self) {
        self.keyframe.store(true, Ordering::Release);
    }

    fn watched(&self) {}

    fn replaced(&self) {}
}

impl Listener {
    fn new(room: &Arc<RoomMix>, stream: &Arc<Stream>, owner: Owner) -> Arc<Self> {
        let StreamKey { uid, kind, .. } = stream.key().clone();
        let wants = Arc::<Wants>::default();
        let control = Arc::clone(&wants) as Arc<dyn PublisherControl>;
        let publication =
            Publication::new(Arc::clone(stream), room.hub.next_source(), NativeForm::Frames, control);
        publication.source().declare(kind == StreamKind::Speaker, true);
        Arc::new(Self {
            uid,
            owner,
            kind,
            publication,
            wants,
            begun: AtomicBool::new(false),
            _room: Arc::clone(room),
        })
    }

    fn is_of(&self, key: &StreamKey) -> bool {
        self.uid == key.uid && self.kind == key.kind
    }

    /// Returns whether it had not begun before.
    fn begin(&self) -> bool {
        !self.begun.swap(true, Ordering::Relaxed)
    }

    fn push(&self, now: Instant, frame: &Arc<Frame>) {
        self.publication.source().pass_on(now, frame);
    }
}

impl Hub {
    /// Holds the mix of a room, which begins with its first holder and ends with the last one.
    pub(crate) fn mix(self: &Arc<Self>, room: &RoomKey) -> Result<Arc<RoomMix>, HubError> {
        let mix = {
            let mut mixes = lock(&self.mixes);
            if let Some(mix) = mixes.get(room).and_then(Weak::upgrade) {
                return Ok(mix);
            }
            let mix = RoomMix::new(self, room.clone(), self.next_source());
            self.clock.open(Arc::downgrade(&mix))?;
            mixes.insert(room.clone(), Arc::downgrade(&mix));
            mix
        };
        let streams: Vec<_> = self.lock().values().filter_map(Weak::upgrade).collect();
        for stream in streams.iter().filter(|stream| is_heard_in(stream.key(), room)) {
            mix.tap(stream);
        }
        Ok(mix)
    }

    /// A stream is there: if its room is mixed, its sound is wanted.
    pub(super) fn tap(&self, stream: &Arc<Stream>) {
        let key = stream.key();
        if key.kind.is_made() {
            return;
        }
        let room = RoomKey { app: key.app.clone(), room: key.room.clone() };
        let mix = lock(&self.mixes).get(&room).and_then(Weak::upgrade);
        if let Some(mix) = mix {
            mix.tap(stream);
        }
    }

    /// When a publisher whom nothing but a mix hears is best read next: just before the next block is made.
    pub(crate) fn next_mix_input(&self, now: Instant) -> Instant {
        self.clock.next_input(now)
    }

    /// Who speaks in a room that is mixed, or spoke last.
    pub(crate) fn speaker(&self, room: &RoomKey) -> Option<Uid> {
        let mix = lock(&self.mixes).get(room).and_then(Weak::upgrade);
        mix.and_then(|mix| mix.speaker())
    }

    /// A place among those to whom a stream is sent that the server makes.
    pub(super) fn listen(self: &Arc<Self>, stream: &Arc<Stream>) -> Result<Arc<Listener>, HubError> {
        let key = stream.key();
        let mix = self.mix(&RoomKey { app: key.app.clone(), room: key.room.clone() })?;
        Ok(mix.listen(stream))
    }

    /// The speakers of rooms as they change, for whoever tells the rooms. Given out once.
    pub(crate) fn take_speakers(&self) -> Option<mpsc::Receiver<SpeakerNotice>> {
        lock(&self.speaker_notices).take()
    }

    /// What has been mixed since the server began.
    pub(crate) fn mix_counts(&self) -> MixCounts {
        let rooms = lock(&self.mixes).values().filter(|mix| mix.strong_count() > 0).count();
        self.mixing.read(u64::try_from(rooms).unwrap_or(u64::MAX))
    }

    fn forget_mix(&self, room: &RoomKey) {
        let mut mixes = lock(&self.mixes);
        if mixes.get(room).is_some_and(|mix| mix.strong_count() == 0) {
            mixes.remove(room);
        }
    }
}

fn is_heard_in(key: &StreamKey, room: &RoomKey) -> bool {
    !key.kind.is_made() && key.app == room.app && key.room == room.room
}
