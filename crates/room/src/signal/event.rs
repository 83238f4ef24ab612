use std::collections::BTreeMap;

use queqiao_media::layers::LayerSet;
use serde::{Deserialize, Serialize};

use super::layers::names;
use super::values::{Content, MediaKind, ParticipantInfo, Sdp, SeiType, StreamInfo, TrackState, UserId};
use crate::{Role, StreamKind, UnixSeconds};

/// What the server tells a client unasked. On the wire it carries `seq` as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody is in the room. If the uid was there already, this replaces what was known of it.
    ParticipantJoined {
        /// Who, with its streams.
        participant: ParticipantInfo,
    },
    /// Somebody is gone, and its streams with it.
    ParticipantLeft {
        /// Who.
        uid: UserId,
        /// Why.
        reason: LeaveReason,
    },
    /// Somebody's connection is lost; its streams stay for the grace time.
    ParticipantReconnecting {
        /// Who.
        uid: UserId,
    },
    /// It is back.
    ParticipantReconnected {
        /// Who.
        uid: UserId,
    },
    /// A stream can be subscribed to.
    StreamPublished {
        /// Whose.
        uid: UserId,
        /// The stream.
        #[serde(flatten)]
        info: StreamInfo,
    },
    /// A stream has other tracks than before.
    StreamChanged {
        /// Whose.
        uid: UserId,
        /// The stream as it is now.
        #[serde(flatten)]
        info: StreamInfo,
    },
    /// A stream is gone.
    StreamUnpublished {
        /// Whose.
        uid: UserId,
        /// Which.
        stream: StreamKind,
    },
    /// A track is held back, or passed on again.
    Muted {
        /// Whose.
        uid: UserId,
        /// Which stream.
        stream: StreamKind,
        /// Which track.
        kind: MediaKind,
        /// How it is now.
        state: TrackState,
        /// The admin who did it; absent if its owner or the server's operator did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
    },
    /// Somebody has another role.
    RoleChanged {
        /// Who.
        uid: UserId,
        /// What it is now.
        role: Role,
    },
    /// Somebody says something.
    Message {
        /// Counts the messages of the room.
        message_id: u64,
        /// Who.
        from: UserId,
        /// Whether to this participant alone.
        private: bool,
        /// When the server got it.
        at: UnixSeconds,
        /// What.
        #[serde(flatten)]
        content: Content,
    },
    /// An attribute of the room was set, or removed.
    RoomAttribute {
        /// Its name.
        key: String,
        /// Its text; null if it was removed.
        value: Option<String>,
        /// Who did it.
        by: UserId,
        /// When.
        at: UnixSeconds,
    },
    /// An attribute of a stream was set, or removed.
    StreamAttribute {
        /// Whose stream.
        uid: UserId,
        /// Which.
        stream: StreamKind,
        /// Its name.
        key: String,
        /// Its text; null if it was removed.
        value: Option<String>,
    },
    /// The token should be renewed.
    TokenExpiring {
        /// Seconds that are left.
        seconds: u64,
    },
    /// The last event of a session. The server closes the connection after it.
    SessionEnded {
        /// Why.
        #[serde(flatten)]
        ended: Ended,
    },
    /// The server offers a session description; the client answers with the same revision.
    Offer {
        /// Counts the offers of the session. An answer to an older one is refused.
        revision: u64,
        /// The offer.
        sdp: Sdp,
        /// What its sections carry.
        mids: BTreeMap<String, MidInfo>,
    },
    /// Who speaks, for those who receive a stream that follows the speaker.
    Speaker {
        /// Who.
        uid: UserId,
    },
    /// Layers of a stream of one's own are wanted, and others not: only these are to be sent.
    LayersWanted {
        /// Which stream.
        stream: StreamKind,
        /// The layers, from the smallest.
        #[serde(with = "names")]
        layers: LayerSet,
    },
    /// How well everybody's network does.
    NetworkQuality {
        /// Those of whom it is known.
        participants: Vec<NetworkQuality>,
    },
    /// What one's own encoder should send at most, from what the viewers' networks carry.
    PublishLimits {
        /// Which stream.
        stream: StreamKind,
        /// Of pictures, kbit/s; null: no limit any more.
        max_kbps: Option<u32>,
        /// The shorter side of a picture that this rate carries well, pixels; absent where any does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        short_side: Option<u16>,
    },
    /// User data that came in the pictures of a stream, or would have come in them if RTP could be changed on its way.
    Sei {
        /// Whose stream.
        uid: UserId,
        /// Which.
        stream: StreamKind,
        /// The type of the SEI message.
        sei_type: SeiType,
        /// Whose data it is, in hexadecimal digits; of type 5 alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uuid: Option<String>,
        /// What: as text where it is UTF-8.
        #[serde(flatten)]
        content: Content,
    },
}

impl Event {
    /// The value of `event`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ParticipantJoined { .. } => "participant_joined",
            Self::ParticipantLeft { .. } => "participant_left",
            Self::ParticipantReconnecting { .. } => "participant_reconnecting",
            Self::ParticipantReconnected { .. } => "participant_reconnected",
            Self::StreamPublished { .. } => "stream_published",
            Self::StreamChanged { .. } => "stream_changed",
            Self::StreamUnpublished { .. } => "stream_unpublished",
            Self::Muted { .. } => "muted",
            Self::RoleChanged { .. } => "role_changed",
            Self::Message { .. } => "message",
            Self::RoomAttribute { .. } => "room_attribute",
            Self::StreamAttribute { .. } => "stream_attribute",
            Self::TokenExpiring { .. } => "token_expiring",
            Self::SessionEnded { .. } => "session_ended",
            Self::Offer { .. } => "offer",
            Self::Speaker { .. } => "speaker",
            Self::LayersWanted { .. } => "layers_wanted",
            Self::NetworkQuality { .. } => "network_quality",
            Self::PublishLimits { .. } => "publish_limits",
            Self::Sei { .. } => "sei",
        }
    }
}

/// Every value of `event`.
pub const EVENT_NAMES: [&str; 20] = [
    "participant_joined",
    "participant_left",
    "participant_reconnecting",
    "participant_reconnected",
    "stream_published",
    "stream_changed",
    "stream_unpublished",
    "muted",
    "role_changed",
    "message",
    "room_attribute",
    "stream_attribute",
    "token_expiring",
    "session_ended",
    "offer",
    "speaker",
    "layers_wanted",
    "network_quality",
    "publish_limits",
    "sei",
];

/// Why a participant is gone, as others are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// It left.
    Left,
    /// Its connection was lost for longer than the grace time.
    TimedOut,
    /// It was removed.
    Kicked,
    /// It was removed and is kept out.
    Banned,
    /// Its token expired.
    TokenExpired,
}

/// Why a session is over, as its client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// An admin removed it.
    Kicked,
    /// An admin removed it and keeps it out.
    Banned,
    /// The same uid joined again.
    Replaced,
    /// The room was closed.
    RoomClosed,
    /// The token expired and was not renewed.
    TokenExpired,
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// What the admin says to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long the ban lasts, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl From<EndReason> for Ended {
    fn from(reason: EndReason) -> Self {
        Self { reason, message: None, seconds: None }
    }
}

/// What a section of a session description carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MidInfo {
    /// Whose stream.
    pub uid: UserId,
    /// Which.
    pub stream: StreamKind,
    /// Which track.
    pub kind: MediaKind,
}

/// How well a participant's network does: 0 unknown, 1 best to 6 unusable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkQuality {
    /// Whose.
    pub uid: UserId,
    /// From the participant to the server.
    pub uplink: u8,
    /// From the server to the participant.
    pub downlink: u8,
}
