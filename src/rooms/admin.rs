//! What an operator sees of rooms, and does in them.

use std::time::Duration;

use queqiao_room::machine::{By, Operator, Refusal, Room, RoomKey};
use queqiao_room::signal::{Attributes, MediaKind, ParticipantInfo, Stats, TrackState};
use queqiao_room::{AppId, StreamKind, Uid};

use super::connections::Protocol;
use super::service::{RoomService, now, stream_key};
use crate::rtc::SessionId;

/// A room at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomSummary {
    /// Its address.
    pub(crate) key: RoomKey,
    /// How many are in it.
    pub(crate) participants: usize,
    /// How many streams they publish.
    pub(crate) streams: usize,
}

/// All rooms together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Rooms.
    pub(crate) rooms: usize,
    /// Everybody in them.
    pub(crate) participants: usize,
    /// What they publish.
    pub(crate) streams: usize,
    /// Those whose encoders are told what to send at most.
    pub(crate) steered: usize,
}

/// A room with everybody in it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RoomDetail {
    /// Its attributes.
    pub(crate) attributes: Attributes,
    /// Everybody, by uid.
    pub(crate) participants: Vec<ParticipantDetail>,
}

/// A participant with the connections that its media take.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ParticipantDetail {
    /// As others see it.
    pub(crate) info: ParticipantInfo,
    /// The WebRTC session of its signalling session, whose statistics [`crate::rtc::Service`] has.
    pub(crate) session: Option<SessionId>,
    /// Its media connections without signalling; WHIP and WHEP have a WebRTC session each.
    pub(crate) legs: Vec<(Protocol, Option<SessionId>)>,
    /// What its client has measured last.
    pub(crate) report: Option<Stats>,
    /// What its encoders are told to send at most, bits/s.
    pub(crate) limits: Vec<(StreamKind, u64)>,
}

impl RoomService {
    /// At most `limit` rooms, by address: those of `app` if it is said, and those after `after`. A room in which nobody
    /// is, and from which somebody is kept out, is among them.
    pub(crate) fn rooms(
        &self,
        app: Option<&AppId>,
        after: Option<&RoomKey>,
        limit: usize,
    ) -> Vec<RoomSummary> {
        let state = self.lock();
        let rooms = state.rooms.iter_after(after).filter(|room| app.is_none_or(|app| room.key().app == *app));
        let summary = |room: &Room| RoomSummary {
            key: room.key().clone(),
            participants: room.participants().len(),
            streams: room.stream_count(),
        };
        rooms.take(limit).map(summary).collect()
    }

    /// How much there is of everything.
    pub(crate) fn totals(&self) -> Totals {
        let state = self.lock();
        let none =
            Totals { rooms: state.rooms.len(), participants: 0, streams: 0, steered: state.steered.count() };
        state.rooms.iter().fold(none, |totals, room| Totals {
            participants: totals.participants + room.participants().len(),
            streams: totals.streams + room.stream_count(),
            ..totals
        })
    }

    /// One room; none if there is none.
    pub(crate) fn room(&self, key: &RoomKey) -> Option<RoomDetail> {
        let state = self.lock();
        let room = state.rooms.get(key)?;
        let detail = |info: ParticipantInfo| {
            let uid = info.uid.uid();
            let session = state.media.session(key, uid).ok().flatten().cloned();
            let report = state.quality.latest(key, uid).cloned();
            let limit = |kind| Some((kind, state.steered.limit(&stream_key(key, uid.clone(), kind))?));
            let limits = info.streams.iter().filter_map(|stream| limit(stream.stream)).collect();
            ParticipantDetail { session, legs: state.connections.legs(key, uid), report, limits, info }
        };
        let participants = room.participants().map(detail).collect();
        Some(RoomDetail { attributes: room.attributes().clone(), participants })
    }

    /// Removes a participant, who may come back. `None` if there is no such room.
    pub(crate) fn kick(
        &self,
        operator: Operator,
        key: &RoomKey,
        uid: &Uid,
        message: Option<String>,
    ) -> Option<Result<(), Refusal>> {
        let mut state = self.lock();
        let result = state.rooms.within(key, |room| room.kick(By::Operator(operator), uid, message));
        self.settle(&mut state, now());
        result
    }

    /// Keeps a uid out for a while, whether or not it is in the room; zero lifts a ban. The room is made if there is none.
    pub(crate) fn ban(
        &self,
        operator: Operator,
        key: &RoomKey,
        uid: &Uid,
        length: Duration,
        message: Option<String>,
    ) -> Result<(), Refusal> {
        let now = now();
        let mut state = self.lock();
        let result =
            state.rooms.enter(key, |room| room.ban(By::Operator(operator), uid, length, message, now));
        self.settle(&mut state, now);
        result
    }

    /// Holds a track back, or lets it go. `None` if there is no such room.
    pub(crate) fn mute(
        &self,
        operator: Operator,
        key: &RoomKey,
        (uid, stream, kind): (&Uid, StreamKind, MediaKind),
        muted: bool,
    ) -> Option<Result<TrackState, Refusal>> {
        let mut state = self.lock();
        let by = By::Operator(operator);
        let result = state.rooms.within(key, |room| room.block(by, uid, stream, kind, muted));
        self.settle(&mut state, now());
        result
    }

    /// Removes everybody. `None` if there is no such room.
    pub(crate) fn close_room(&self, operator: Operator, key: &RoomKey) -> Option<Result<(), Refusal>> {
        let mut state = self.lock();
        let result = state.rooms.within(key, |room| room.close(By::Operator(operator)));
        self.settle(&mut state, now());
        result
    }
}
