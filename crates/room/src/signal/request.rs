use queqiao_media::layers::{Layer, LayerSet};
use serde::{Deserialize, Serialize};

use super::layers::{count, name};
use super::values::{Attributes, Content, Hidden, MediaKind, Platform, Sdp, SeiType, SessionId, UserId};
use crate::{AppId, Role, RoomId, StreamKind, Uid};

/// A request with the number by which its response is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Chosen by the client, at most [`super::MAX_SAFE_INTEGER`].
    pub id: u64,
    /// What it wants.
    #[serde(flatten)]
    pub request: Request,
}

/// What a client asks for. [`super::parse()`] makes one of text and checks its sizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// Enter a room. The first request of a connection, unless it is `resume`.
    Join(Join),
    /// Take up a session whose connection was lost.
    Resume {
        /// As `join` returned it.
        session: SessionId,
        /// The `seq` of the last event that was received; 0 if none was.
        last_seq: u64,
    },
    /// Leave the room; the session is over.
    Leave,
    /// Publish a stream, or change which tracks it has.
    Publish(Publish),
    /// Publish no longer.
    Unpublish {
        /// Which of one's own.
        stream: StreamKind,
    },
    /// Receive a stream, or change which of its tracks are received.
    Subscribe(Subscribe),
    /// Receive it no longer.
    Unsubscribe {
        /// Whose.
        uid: Uid,
        /// Which.
        stream: StreamKind,
    },
    /// Hold a track back or let it go: one's own, or as an admin somebody else's.
    Mute {
        /// Whose; one's own when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<Uid>,
        /// Which stream.
        stream: StreamKind,
        /// Which track of it.
        kind: MediaKind,
        /// Whether it is held back from now on.
        muted: bool,
    },
    /// Become a host or one of the audience.
    SetRole {
        /// The new role.
        role: Role,
    },
    /// Replace the token before it expires.
    RenewToken {
        /// For the same app, room and uid.
        token: Hidden,
    },
    /// Send text or bytes to one or to all.
    SendMessage {
        /// To whom; to all others when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Uid>,
        /// What.
        #[serde(flatten)]
        content: Content,
    },
    /// Send user data in the pictures of a stream of one's own.
    SendSei {
        /// Which stream.
        stream: StreamKind,
        /// The type of the SEI message.
        #[serde(default)]
        sei_type: SeiType,
        /// What.
        #[serde(flatten)]
        content: Content,
    },
    /// Set or remove an attribute of the room.
    SetRoomAttribute {
        /// Its name.
        key: String,
        /// Its text; removed when null.
        value: Option<String>,
    },
    /// Set or remove an attribute of a stream of one's own.
    SetStreamAttribute {
        /// Which stream.
        stream: StreamKind,
        /// Its name.
        key: String,
        /// Its text; removed when null.
        value: Option<String>,
    },
    /// Remove a participant (admins).
    Kick {
        /// Whom.
        uid: Uid,
        /// What it is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Remove a participant and keep it out (admins).
    Ban {
        /// Whom, whether or not it is in the room.
        uid: Uid,
        /// For how long; 0 lifts a ban.
        seconds: u64,
        /// What it is told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Remove everybody (admins).
    CloseRoom,
    /// The answer to an `offer` event.
    Answer {
        /// The revision of the offer.
        revision: u64,
        /// The answer.
        sdp: Sdp,
    },
    /// A candidate of the client's (RFC 8839 section 5.1), as soon as it is known.
    Candidate {
        /// The attribute's value, `candidate:…`; empty at the end of candidates.
        candidate: String,
        /// The section it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mid: Option<String>,
    },
    /// Ask for an offer with new ICE credentials.
    IceRestart,
    /// Show that one is there.
    Ping,
    /// Report what was measured since the last report.
    Stats(Stats),
}

/// See [`Request::Join`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The version of the protocol, [`super::VERSION`].
    pub version: u32,
    /// The app.
    pub app: AppId,
    /// The room.
    pub room: RoomId,
    /// Who joins; others see it in the same form, number or string.
    pub uid: UserId,
    /// The token; the demo app needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Hidden>,
    /// What to be; what the token allows when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What the client runs on; decides whether media come by WebRTC or by addresses with tickets.
    pub platform: Platform,
    /// What the client can do, in words that the server may know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

/// See [`Request::Publish`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// Camera or screen.
    pub stream: StreamKind,
    /// Whether it has sound.
    pub audio: bool,
    /// Whether it has pictures.
    pub video: bool,
    /// The layers of the pictures that can be sent (WebRTC alone): two or three sizes of the same, or one.
    #[serde(default = "count::one", skip_serializing_if = "count::is_one", with = "count")]
    pub layers: LayerSet,
    /// What is said about it.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// See [`Request::Subscribe`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe {
    /// Whose stream.
    pub uid: Uid,
    /// Which.
    pub stream: StreamKind,
    /// Whether its sound is wanted.
    #[serde(default = "yes")]
    pub audio: bool,
    /// Whether its pictures are wanted.
    #[serde(default = "yes")]
    pub video: bool,
    /// The largest layer of them that is wished for.
    #[serde(default = "name::largest", skip_serializing_if = "name::is_largest", with = "name")]
    pub max_layer: Layer,
}

const fn yes() -> bool {
    true
}

/// See [`Request::Stats`]. Levels: 0 unknown, 1 best to 6 unusable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// How well sending goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<u8>,
    /// How well receiving goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downlink: Option<u8>,
    /// Round trip to the server, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<u32>,
    /// What is received, stream by stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamStats>,
}

/// How one received stream does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStats {
    /// Whose.
    pub uid: Uid,
    /// Which.
    pub stream: StreamKind,
    /// Sound and pictures together, kbit/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kbps: Option<u32>,
    /// Pictures a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    /// Packets lost of a thousand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_permille: Option<u32>,
    /// Jitter, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<u32>,
}

impl Request {
    /// The value of `type`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Join(_) => "join",
            Self::Resume { .. } => "resume",
            Self::Leave => "leave",
            Self::Publish(_) => "publish",
            Self::Unpublish { .. } => "unpublish",
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Mute { .. } => "mute",
            Self::SetRole { .. } => "set_role",
            Self::RenewToken { .. } => "renew_token",
            Self::SendMessage { .. } => "send_message",
            Self::SendSei { .. } => "send_sei",
            Self::SetRoomAttribute { .. } => "set_room_attribute",
            Self::SetStreamAttribute { .. } => "set_stream_attribute",
            Self::Kick { .. } => "kick",
            Self::Ban { .. } => "ban",
            Self::CloseRoom => "close_room",
            Self::Answer { .. } => "answer",
            Self::Candidate { .. } => "candidate",
            Self::IceRestart => "ice_restart",
            Self::Ping => "ping",
            Self::Stats(_) => "stats",
        }
    }
}

/// Every value of `type`.
pub const REQUEST_NAMES: [&str; 22] = [
    "join",
    "resume",
    "leave",
    "publish",
    "unpublish",
    "subscribe",
    "unsubscribe",
    "mute",
    "set_role",
    "renew_token",
    "send_message",
    "send_sei",
    "set_room_attribute",
    "set_stream_attribute",
    "kick",
    "ban",
    "close_room",
    "answer",
    "candidate",
    "ice_restart",
    "ping",
    "stats",
];
