//! Rooms, and what an operator does in them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use queqiao_room::StreamKey;
use queqiao_room::machine::{Operator, RoomKey};
use queqiao_room::signal::StreamInfo;

use super::Ops;
use super::error::{BodyRefusals, Refusals, Refused};
use super::extract::{Body, Query, room_key, uid};
use super::types::{
    AudioCounts, Ban, Block, Farewell, Media, Network, Participant, Paths, Received, Room, RoomList,
    RoomQuery, RoomSummary, SentCounts, Stream, StreamName, Track, TrackName, VideoCounts,
};
use crate::hub::StreamStats;
use crate::rooms::ParticipantDetail;

/// A cursor is the address of the last room of its page: neither part can have a slash in it.
const SEPARATOR: char = '/';

type Page = Result<Json<RoomList>, Refused>;

/// List rooms
///
/// By app and name, a page at a time. Rooms that come and go meanwhile are on a page or not; no other is left out.
#[utoipa::path(get, path = "/rooms", tag = "rooms", operation_id = "listRooms", params(RoomQuery),
    responses((status = 200, description = "Rooms", body = RoomList), Refusals))]
pub(super) async fn list(State(ops): State<Arc<Ops>>, Query(query): Query<RoomQuery>) -> Page {
    let after = query.cursor.as_deref().map(parse_cursor).transpose()?;
    let limit = query.limit();
    // One more than is shown tells whether there is another page.
    let mut rooms = ops.rooms.rooms(query.app.as_ref(), after.as_ref(), limit + 1);
    let more = rooms.len() > limit;
    rooms.truncate(limit);
    let last = rooms.last().filter(|_| more);
    let next = last.map(|room| format!("{}{SEPARATOR}{}", room.key.app, room.key.room));
    let rooms = rooms.into_iter().map(|room| RoomSummary {
        app: room.key.app,
        room: room.key.room,
        participants: room.participants,
        streams: room.streams,
    });
    Ok(Json(RoomList { rooms: rooms.collect(), next }))
}

fn parse_cursor(cursor: &str) -> Result<RoomKey, Refused> {
    let (app, room) = cursor.split_once(SEPARATOR).ok_or(Refused::Cursor)?;
    room_key(app, room).map_err(|_| Refused::Cursor)
}

/// Show a room with everybody in it
#[utoipa::path(get, path = "/apps/{app}/rooms/{room}", tag = "rooms", operation_id = "getRoom",
    params(("app" = String, Path), ("room" = String, Path)),
    responses((status = 200, description = "The room", body = Room), Refusals))]
pub(super) async fn show(
    State(ops): State<Arc<Ops>>,
    Path((app, room)): Path<(String, String)>,
) -> Result<Json<Room>, Refused> {
    let key = room_key(&app, &room)?;
    let detail = ops.rooms.room(&key).ok_or(Refused::NoSuchRoom)?;
    let participants = detail.participants.into_iter().map(|detail| participant(&ops, &key, detail));
    let participants = participants.collect();
    Ok(Json(Room { app: key.app, room: key.room, attributes: detail.attributes, participants }))
}

fn participant(ops: &Ops, room: &RoomKey, detail: ParticipantDetail) -> Participant {
    let ParticipantDetail { info, session, legs, report, limits } = detail;
    let streams = info.streams.into_iter().map(|stream| {
        let key = StreamKey {
            app: room.app.clone(),
            room: room.room.clone(),
            uid: info.uid.uid().clone(),
            kind: stream.stream,
        };
        let limit = limits.iter().find(|(kind, _)| *kind == key.kind).map(|(_, limit)| *limit);
        describe(stream, ops.hub.stats(&key), limit)
    });
    Participant {
        streams: streams.collect(),
        uid: info.uid,
        platform: info.platform.into(),
        role: info.role.into(),
        state: info.state.into(),
        webrtc: session.is_some(),
        connections: legs.into_iter().map(|(protocol, _)| protocol.into()).collect(),
        network: report.map(|report| Network {
            uplink: report.uplink.unwrap_or_default(),
            downlink: report.downlink.unwrap_or_default(),
            rtt_ms: report.rtt_ms,
            receives: report.streams.into_iter().map(received).collect(),
        }),
    }
}

fn received(stats: queqiao_room::signal::StreamStats) -> Received {
    let queqiao_room::signal::StreamStats { uid, stream, kbps, fps, loss_permille, jitter_ms } = stats;
    Received { uid, stream: stream.into(), kbps, fps, loss_permille, jitter_ms }
}

fn describe(info: StreamInfo, stats: Option<StreamStats>, limit: Option<u64>) -> Stream {
    let media = stats.map(|StreamStats { since, players, limited, counts, rates, lag, paths }| Media {
        seconds: since.as_secs(),
        players,
        limited,
        audio: AudioCounts {
            bytes: counts.audio_bytes,
            packets: counts.audio_packets,
            kbps: kbps(rates.audio_bytes),
        },
        video: VideoCounts {
            bytes: counts.video_bytes,
            packets: counts.video_packets,
            frames: counts.frames,
            keyframes: counts.keyframes,
            kbps: kbps(rates.video_bytes),
            fps: rounded(rates.frames),
        },
        sent: SentCounts {
            bytes: counts.sent_bytes,
            kbps: kbps(rates.sent_bytes),
            skipped: counts.skipped,
            lag_ms: lag.map(|lag| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX)),
        },
        paths: Paths {
            narrowest_kbps: paths.narrowest.map(|bits| bits / 1_000),
            loss: rounded((paths.loss * 100.0).into()),
        },
    });
    Stream {
        stream: info.stream.into(),
        audio: info.audio.into(),
        video: info.video.into(),
        attributes: info.attributes,
        limit_kbps: limit.map(|limit| limit / 1000),
        media,
    }
}

fn kbps(bytes_per_second: f64) -> f64 {
    rounded(bytes_per_second * 8.0 / 1_000.0)
}

/// To one place after the point: more would be noise.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Close a room
///
/// Everybody is removed. The next to join opens a new room of that name.
#[utoipa::path(delete, path = "/apps/{app}/rooms/{room}", tag = "rooms", operation_id = "closeRoom",
    params(("app" = String, Path), ("room" = String, Path)),
    responses((status = 204, description = "Done"), Refusals))]
pub(super) async fn close(
    State(ops): State<Arc<Ops>>,
    Path((app, room)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    let key = room_key(&app, &room)?;
    ops.rooms.close_room(Operator::vouched(), &key).ok_or(Refused::NoSuchRoom)??;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a participant
///
/// It may come back: see the bans for one who may not.
#[utoipa::path(delete, path = "/apps/{app}/rooms/{room}/participants/{uid}", tag = "rooms",
    operation_id = "kickParticipant",
    params(("app" = String, Path), ("room" = String, Path), ("uid" = String, Path), Farewell),
    responses((status = 204, description = "Done"), Refusals))]
pub(super) async fn kick(
    State(ops): State<Arc<Ops>>,
    Path((app, room, participant)): Path<(String, String, String)>,
    Query(Farewell { message }): Query<Farewell>,
) -> Result<StatusCode, Refused> {
    let (key, uid) = (room_key(&app, &room)?, uid(&participant)?);
    ops.rooms.kick(Operator::vouched(), &key, &uid, message).ok_or(Refused::NoSuchRoom)??;
    Ok(StatusCode::NO_CONTENT)
}

/// Keep a uid out of a room
///
/// It is removed if it is there; neither it nor the room has to be.
#[utoipa::path(put, path = "/apps/{app}/rooms/{room}/bans/{uid}", tag = "rooms", operation_id = "banParticipant",
    params(("app" = String, Path), ("room" = String, Path), ("uid" = String, Path)),
    request_body = Ban,
    responses((status = 204, description = "Done"), Refusals, BodyRefusals))]
pub(super) async fn ban(
    State(ops): State<Arc<Ops>>,
    Path((app, room, participant)): Path<(String, String, String)>,
    Body(Ban { seconds, message }): Body<Ban>,
) -> Result<StatusCode, Refused> {
    let (key, uid) = (room_key(&app, &room)?, uid(&participant)?);
    ops.rooms.ban(Operator::vouched(), &key, &uid, Duration::from_secs(seconds.get()), message)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a uid in again
#[utoipa::path(delete, path = "/apps/{app}/rooms/{room}/bans/{uid}", tag = "rooms", operation_id = "unbanParticipant",
    params(("app" = String, Path), ("room" = String, Path), ("uid" = String, Path)),
    responses((status = 204, description = "Done, or there was no ban"), Refusals))]
pub(super) async fn unban(
    State(ops): State<Arc<Ops>>,
    Path((app, room, participant)): Path<(String, String, String)>,
) -> Result<StatusCode, Refused> {
    let (key, uid) = (room_key(&app, &room)?, uid(&participant)?);
    ops.rooms.ban(Operator::vouched(), &key, &uid, Duration::ZERO, None)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hold a track back, or let it go
///
/// Its owner cannot unmute a blocked track, and publishing it anew does not help. Everybody in the room is told.
#[utoipa::path(put, path = "/apps/{app}/rooms/{room}/participants/{uid}/streams/{stream}/{track}", tag = "rooms",
    operation_id = "blockTrack",
    params(("app" = String, Path), ("room" = String, Path), ("uid" = String, Path),
        ("stream" = StreamName, Path), ("track" = TrackName, Path)),
    request_body = Block,
    responses((status = 200, description = "The track as it is now", body = Track), Refusals, BodyRefusals))]
pub(super) async fn block(
    State(ops): State<Arc<Ops>>,
    Path((app, room, participant, stream, track)): Path<(String, String, String, String, String)>,
    Body(Block { blocked }): Body<Block>,
) -> Result<Json<Track>, Refused> {
    let (key, uid) = (room_key(&app, &room)?, uid(&participant)?);
    let (stream, track) = (named::<StreamName>(&stream)?, named::<TrackName>(&track)?);
    let which = (&uid, stream.into(), track.into());
    let state = ops.rooms.mute(Operator::vouched(), &key, which, blocked).ok_or(Refused::NoSuchRoom)??;
    Ok(Json(Track { state: state.into() }))
}

/// Reads one of the names of an enum.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, Refused> {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    T::deserialize(name).map_err(|_| Refused::NotFound)
}
