use serde::{Deserialize, Serialize};

use super::event::Event;
use super::fault::ErrorBody;
use super::values::{Attributes, Hidden, ParticipantInfo, SessionId, TrackState, UserId};
use crate::{Role, StreamKind, UnixSeconds};

/// What `join` returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinOk {
    /// The version that is spoken.
    pub version: u32,
    /// For `resume`. Secret.
    pub session: SessionId,
    /// Who one is.
    pub uid: UserId,
    /// What one is.
    pub role: Role,
    /// Whether one may mute, remove and ban others and close the room.
    pub admin: bool,
    /// Everybody else.
    pub participants: Vec<ParticipantInfo>,
    /// The attributes of the room.
    pub attributes: Attributes,
    /// How often to send something, at least.
    pub heartbeat_seconds: u64,
    /// How long a lost session can be resumed.
    pub grace_seconds: u64,
    /// When the token expires; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires: Option<UnixSeconds>,
}

/// What `resume` returns; the events that were missed follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeOk {
    /// How many events were missed.
    pub missed: u64,
}

/// What `publish` returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PublishOk {
    /// For mini-programs.
    Rtmp {
        /// Which stream.
        stream: StreamKind,
        /// Where to send it, with a ticket.
        rtmp: Hidden,
    },
    /// By WebRTC: an offer will say which sections carry it.
    Webrtc {
        /// Which stream.
        stream: StreamKind,
    },
}

/// What `subscribe` returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SubscribeOk {
    /// For mini-programs.
    Addresses {
        /// Whose stream.
        uid: UserId,
        /// Which.
        stream: StreamKind,
        /// Where it plays by RTMP, with a ticket.
        rtmp: Hidden,
        /// Where it plays by HTTP-FLV, with a ticket.
        flv: Hidden,
    },
    /// By WebRTC: an offer will say which sections carry it.
    Webrtc {
        /// Whose stream.
        uid: UserId,
        /// Which.
        stream: StreamKind,
    },
}

/// What `mute` returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MuteOk {
    /// How the track is now.
    pub state: TrackState,
}

/// What `set_role` returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRoleOk {
    /// The role from now on.
    pub role: Role,
}

/// What `renew_token` returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewTokenOk {
    /// When the new token expires; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires: Option<UnixSeconds>,
    /// The role from now on: a new token may allow less than the old one.
    pub role: Role,
}

/// What `send_message` returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendMessageOk {
    /// As in the event that others get.
    pub message_id: u64,
}

/// What `ping` returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingOk {
    /// The server's time of day.
    pub time: UnixSeconds,
}

/// What `leave`, `unpublish`, `unsubscribe`, the attributes, `kick`, `ban`, `close_room`, `answer`, `candidate`,
/// `ice_restart` and `stats` return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {}

/// A response that says yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted<T> {
    /// The number of the request.
    pub id: u64,
    /// What it returns.
    pub ok: T,
}

/// A response that says no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The number of the request; null if it could not be read.
    pub id: Option<u64>,
    /// Why.
    pub error: ErrorBody,
}

/// Whatever a client receives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ServerMessage {
    /// Something happened.
    Event(SequencedEvent),
    /// A request succeeded; what it returns depends on the request.
    Accepted(Accepted<serde_json::Value>),
    /// A request was refused.
    Refused(Refused),
}

/// An event with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencedEvent {
    /// Counts the events of the session, from 1.
    pub seq: u64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}
