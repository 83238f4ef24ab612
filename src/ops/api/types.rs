//! What goes over the wire. Each type is both serialised and described in the OpenAPI document.

use std::num::NonZeroU64;

use queqiao_room::signal::{Attributes, MediaKind, Platform, Presence, TrackState, UserId};
use queqiao_room::{AppId, Role, RoomId, StreamKind, Uid};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use crate::rooms::Protocol;

/// Rooms of one answer when nothing is said.
const DEFAULT_LIMIT: u16 = 100;

/// Rooms of one answer at most.
const MAX_LIMIT: u16 = 500;

/// A uid as its owner wrote it.
fn user_id() -> Schema {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    Schema::OneOf(OneOfBuilder::new().item(text).item(number).build())
}

/// Mirrors an enum of another crate in the document; the compiler sees to it that none of its values is missing.
macro_rules! described {
    ($(#[$doc:meta])* $name:ident = $source:ty { $($variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(super) enum $name {
            $($variant),+
        }

        impl From<$source> for $name {
            fn from(value: $source) -> Self {
                match value {
                    $(<$source>::$variant => Self::$variant),+
                }
            }
        }

        impl From<$name> for $source {
            fn from(value: $name) -> Self {
                match value {
                    $($name::$variant => Self::$variant),+
                }
            }
        }
    };
}

described! {
    /// What a participant may do: a host publishes and plays, the audience plays.
    RoleName = Role { Host, Audience }
}
described! {
    /// What a participant runs on. An encoder is an RTMP, WHIP, WHEP or HTTP-FLV client without signalling.
    PlatformName = Platform { Web, Native, Miniprogram, Encoder }
}
described! {
    /// Whether a participant can be reached, or has lost its connection a moment ago.
    PresenceName = Presence { Connected, Reconnecting }
}
described! {
    /// Which of a participant's streams; the server makes mix and speaker, and they are only received.
    StreamName = StreamKind { Camera, Screen, Mix, Speaker }
}
described! {
    /// Which track of a stream.
    TrackName = MediaKind { Audio, Video }
}
described! {
    /// A track: not there, passed on, held back by its owner, held back by an admin.
    TrackStateName = TrackState { Absent, Live, Muted, Blocked }
}
described! {
    /// What a media connection without signalling speaks.
    ProtocolName = Protocol { Rtmp, Flv, Whip, Whep }
}

/// Which rooms to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoomQuery {
    /// Those of this app alone.
    #[param(value_type = Option<String>)]
    pub(super) app: Option<AppId>,
    /// Go on after this page: the `next` of the one before.
    pub(super) cursor: Option<String>,
    /// Rooms in the answer.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: u16,
}

const fn default_limit() -> u16 {
    DEFAULT_LIMIT
}

impl RoomQuery {
    pub(super) fn limit(&self) -> usize {
        self.limit.clamp(1, MAX_LIMIT).into()
    }
}

/// Rooms, by address.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomList {
    /// The rooms of this page.
    pub(super) rooms: Vec<RoomSummary>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) next: Option<String>,
}

/// A room at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomSummary {
    #[schema(value_type = String)]
    pub(super) app: AppId,
    #[schema(value_type = String)]
    pub(super) room: RoomId,
    /// How many are in it. None are in a room that only keeps somebody out.
    pub(super) participants: usize,
    /// How many streams they publish.
    pub(super) streams: usize,
}

/// A room and everybody in it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Room {
    #[schema(value_type = String)]
    pub(super) app: AppId,
    #[schema(value_type = String)]
    pub(super) room: RoomId,
    /// What its people have written on it.
    #[schema(value_type = BTreeMap<String, String>)]
    pub(super) attributes: Attributes,
    /// Everybody, by uid.
    pub(super) participants: Vec<Participant>,
}

/// Somebody in a room.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Participant {
    /// In the form in which its owner joined.
    #[schema(schema_with = user_id)]
    pub(super) uid: UserId,
    pub(super) platform: PlatformName,
    pub(super) role: RoleName,
    pub(super) state: PresenceName,
    /// What it publishes.
    pub(super) streams: Vec<Stream>,
    /// Whether its signalling session has a WebRTC session for its media.
    pub(super) webrtc: bool,
    /// Its media connections without signalling.
    pub(super) connections: Vec<ProtocolName>,
    /// What its client has measured last; absent if it has not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) network: Option<Network>,
}

/// How a client finds its network.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Network {
    /// From the client to the server: 0 unknown, 1 best to 6 unusable.
    #[schema(minimum = 0, maximum = 6)]
    pub(super) uplink: u8,
    /// From the server to the client, likewise.
    #[schema(minimum = 0, maximum = 6)]
    pub(super) downlink: u8,
    /// Round trip, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) rtt_ms: Option<u32>,
    /// The streams that it receives.
    pub(super) receives: Vec<Received>,
}

/// How a client finds one stream that it receives.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Received {
    #[schema(value_type = String)]
    pub(super) uid: Uid,
    pub(super) stream: StreamName,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) kbps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) fps: Option<u32>,
    /// Packets lost of a thousand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) loss_permille: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) jitter_ms: Option<u32>,
}

/// A stream of a participant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stream {
    pub(super) stream: StreamName,
    pub(super) audio: TrackStateName,
    pub(super) video: TrackStateName,
    #[schema(value_type = BTreeMap<String, String>)]
    pub(super) attributes: Attributes,
    /// What its encoder is told to send of pictures at most; absent while its viewers can take everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) limit_kbps: Option<u64>,
    /// What flows; absent as long as no media have come.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) media: Option<Media>,
}

/// What the server counts of a stream since its present publisher came. Bytes are those of payloads; rates are those of
/// about the last second.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Media {
    /// For how long the present publisher has been there.
    pub(super) seconds: u64,
    /// Who plays it, over all protocols.
    pub(super) players: usize,
    /// Those of them whose network carries less of its pictures than there is.
    pub(super) limited: usize,
    pub(super) audio: AudioCounts,
    pub(super) video: VideoCounts,
    pub(super) sent: SentCounts,
    pub(super) paths: Paths,
}

/// Sound from the publisher.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AudioCounts {
    pub(super) bytes: u64,
    /// RTP packets or RTMP messages.
    pub(super) packets: u64,
    pub(super) kbps: f64,
}

/// Pictures from the publisher.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VideoCounts {
    pub(super) bytes: u64,
    /// RTP packets or RTMP messages.
    pub(super) packets: u64,
    pub(super) frames: u64,
    pub(super) keyframes: u64,
    pub(super) kbps: f64,
    pub(super) fps: f64,
}

/// To all players together.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SentCounts {
    pub(super) bytes: u64,
    pub(super) kbps: f64,
    /// Packets and frames that players were too slow for.
    pub(super) skipped: u64,
    /// How far that RTMP or HTTP-FLV player is behind live, in milliseconds, that is furthest behind; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lag_ms: Option<u64>,
}

/// What is known of the paths to the players.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Paths {
    /// What the narrowest of them carries of it.
    pub(super) narrowest_kbps: Option<u64>,
    /// The greatest loss that players have reported lately, in percent.
    pub(super) loss: f64,
}

/// What to tell somebody who is removed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Farewell {
    /// A text for the participant, at most 256 bytes.
    pub(super) message: Option<String>,
}

/// How long to keep somebody out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ban {
    /// For how long, at most 30 days.
    #[schema(value_type = u64, minimum = 1, maximum = 2_592_000)]
    pub(super) seconds: NonZeroU64,
    /// A text for the participant, at most 256 bytes.
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// Whether a track is held back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    pub(super) blocked: bool,
}

/// A track as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Track {
    /// Letting a track go does not unmute what its owner has muted.
    pub(super) state: TrackStateName,
}

/// Whom a token is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRequest {
    #[schema(value_type = String)]
    pub(super) app: AppId,
    #[schema(value_type = String)]
    pub(super) room: RoomId,
    #[schema(schema_with = user_id)]
    pub(super) uid: Uid,
    pub(super) role: RoleName,
    /// For how long the token holds, at most 365 days.
    #[schema(minimum = 1, maximum = 31_536_000)]
    pub(super) ttl_seconds: u64,
    /// Whether its bearer may also mute, remove and ban others and close the room.
    #[serde(default)]
    pub(super) admin: bool,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub(super) struct Token {
    /// What the participant shows.
    pub(super) token: String,
    /// Until when it holds, seconds since 1970.
    pub(super) expires: u64,
}

/// The server.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    pub(super) version: &'static str,
    pub(super) uptime_seconds: u64,
    pub(super) counts: Counts,
    pub(super) limits: Limits,
    pub(super) webhooks: Vec<Webhook>,
}

/// What there is at the moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counts {
    pub(super) rooms: usize,
    pub(super) participants: usize,
    /// Streams that participants publish, whether or not media have come.
    pub(super) streams: usize,
    /// WebRTC sessions.
    pub(super) webrtc_sessions: usize,
}

/// What the configuration allows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Limits {
    pub(super) rooms: usize,
    pub(super) participants_per_room: usize,
    pub(super) streams: usize,
    pub(super) players_per_stream: usize,
    /// RTMP connections, HTTP connections and WebRTC sessions, each.
    pub(super) connections: usize,
}

/// An endpoint that is told what happens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Webhook {
    /// Its address without its query.
    pub(super) url: String,
    /// Events that it has not got yet.
    pub(super) waiting: usize,
    pub(super) delivered: u64,
    /// Attempts that failed.
    pub(super) failed: u64,
    /// Events that it will never get.
    pub(super) dropped: u64,
}
