//! Publishers are told what to send at most, by what their viewers' paths carry.

use std::collections::HashMap;

use queqiao_media::steering::{Observation, Steering, short_side};
use queqiao_room::StreamKey;
use queqiao_room::machine::{Now, Room, RoomKey};
use queqiao_room::signal::Event;
use tracing::debug;

use super::quality::Quality;
use super::service::{RoomService, State};

/// From this level of its own reports on a viewer is in trouble: very bad, or worse.
const TROUBLED: u8 = 5;

/// The encoders that are steered, or may soon be. Bounded by the streams that rooms know: each ends with its stream.
#[derive(Debug, Default)]
pub(super) struct Steered(HashMap<StreamKey, Steering>);

impl Steered {
    /// What a publisher's encoder may send, bits/s; none while it may send what it likes.
    pub(super) fn limit(&self, stream: &StreamKey) -> Option<u64> {
        self.0.get(stream)?.limit()
    }

    /// How many encoders are told what to send at most.
    pub(super) fn count(&self) -> usize {
        self.0.values().filter(|steering| steering.limit().is_some()).count()
    }

    /// The stream is over.
    pub(super) fn forget(&mut self, stream: &StreamKey) {
        self.0.remove(stream);
    }
}

impl RoomService {
    /// Looks at the viewers of every stream that is limited, and tells its publisher.
    pub(super) fn steer(&self, now: Now) {
        let limited = self.hub.limited();
        let mut state = self.lock();
        for stream in limited {
            state.steered.0.entry(stream).or_default();
        }
        let streams: Vec<StreamKey> = state.steered.0.keys().cloned().collect();
        for stream in streams {
            self.steer_one(&mut state, &stream, now);
        }
        self.settle(&mut state, now);
    }

    fn steer_one(&self, state: &mut State, stream: &StreamKey, now: Now) {
        let room = RoomKey { app: stream.app.clone(), room: stream.room.clone() };
        let place =
            state.rooms.get(&room).filter(|room| room.is_published_by_session(&stream.uid, stream.kind));
        let Some(room) = place else {
            state.steered.forget(stream);
            return;
        };
        // Between two connections of a publisher there is nothing to see.
        let (Some(capacities), Some(stats)) = (self.hub.capacities(stream), self.hub.stats(stream)) else {
            return;
        };
        let troubled = troubled(room, &state.quality, stream);
        let seen =
            Observation { capacities: &capacities, troubled, rate: (stats.rates.video_bytes * 8.0) as u64 };
        let Some(steering) = state.steered.0.get_mut(stream) else { return };
        let Some(limit) = steering.observe(seen, now.instant) else {
            if limit_is_over(steering, &capacities) {
                state.steered.forget(stream);
            }
            return;
        };
        debug!(%stream, ?limit, viewers = capacities.len(), "the publisher is steered");
        tell(state, stream, limit);
    }

    /// Tells a publisher that begins anew what it may send.
    pub(super) fn tell_limits(&self, state: &mut State, stream: &StreamKey) {
        if let Some(limit) = state.steered.limit(stream) {
            tell(state, stream, Some(limit));
        }
    }
}

/// Whether there is nothing left to watch.
fn limit_is_over(steering: &Steering, capacities: &[Option<u64>]) -> bool {
    steering.limit().is_none() && capacities.iter().all(Option::is_none)
}

fn troubled(room: &Room, quality: &Quality, stream: &StreamKey) -> usize {
    let subscribers = room.subscribers(&stream.uid, stream.kind);
    let downlinks = subscribers.filter_map(|uid| quality.latest(room.key(), uid)?.downlink);
    downlinks.filter(|level| *level >= TROUBLED).count()
}

fn tell(state: &mut State, stream: &StreamKey, limit: Option<u64>) {
    let event = Event::PublishLimits {
        stream: stream.kind,
        max_kbps: limit.map(|rate| u32::try_from(rate / 1000).unwrap_or(u32::MAX)),
        short_side: limit.and_then(short_side),
    };
    let room = RoomKey { app: stream.app.clone(), room: stream.room.clone() };
    state.rooms.within(&room, |room| room.tell(&stream.uid, &event));
}
