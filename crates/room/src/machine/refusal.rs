use std::time::Duration;

use super::{
    MAX_ATTRIBUTE_KEY_BYTES, MAX_ATTRIBUTE_VALUE_BYTES, MAX_BAN, MAX_BANS, MAX_CONTENT_BYTES,
    MAX_FAREWELL_BYTES, MAX_LEGS, MAX_ROOM_ATTRIBUTES, MAX_SEI_BYTES, MAX_STREAM_ATTRIBUTES,
    MAX_SUBSCRIPTIONS,
};
use crate::signal::ErrorBody;
use crate::{Error, StreamKind, Uid};

/// Why a room says no. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The proof does not allow it.
    #[error(transparent)]
    NotAllowed(#[from] Error),
    /// The server has as many rooms as it may have.
    #[error("the server has its limit of {limit} rooms")]
    TooManyRooms {
        /// How many.
        limit: usize,
    },
    /// The room is full.
    #[error("the room has its limit of {limit} participants")]
    RoomFull {
        /// How many.
        limit: usize,
    },
    /// The uid is kept out.
    #[error("banned for another {} s", remaining.as_millis().div_ceil(1000))]
    Banned {
        /// For how long.
        remaining: Duration,
    },
    /// The connection is not, or no longer, in the room.
    #[error("this connection is not in a room")]
    NotJoined,
    /// The connection is in a room already.
    #[error("this connection is in a room already")]
    AlreadyJoined,
    /// No such session, or its events are forgotten: join again.
    #[error("the session cannot be resumed: join again")]
    ResumeImpossible,
    /// Only admins may do this.
    #[error("only an admin may do this")]
    NotAdmin,
    /// The participant is one of the audience now, whatever its token allows.
    #[error("the audience may not publish")]
    NotHost,
    /// Nobody of this uid is in the room.
    #[error("there is no participant {0}")]
    NoSuchParticipant(Uid),
    /// It publishes no such stream.
    #[error("the participant publishes no {}", name(*.0))]
    NoSuchStream(StreamKind),
    /// The stream has no such track.
    #[error("the stream has no such track")]
    NoSuchTrack,
    /// One does not publish this stream through this session.
    #[error("this session publishes no {}", name(*.0))]
    NotPublished(StreamKind),
    /// One does not receive this stream.
    #[error("not subscribed to this stream")]
    NotSubscribed,
    /// This stream is for those who get addresses: mini-programs, and players without signalling.
    #[error("the stream {} is played by its address alone", name(*.0))]
    OnlyByAddress(StreamKind),
    /// The stream is published by another connection of the same uid.
    #[error("another connection of this uid publishes its {}", name(*.0))]
    StreamInUse(StreamKind),
    /// Neither sound nor pictures.
    #[error("audio, video or both must be true")]
    NoTracks,
    /// One receives as many streams as one may.
    #[error("a participant receives at most {MAX_SUBSCRIPTIONS} streams")]
    TooManySubscriptions,
    /// The uid has as many media connections as it may have.
    #[error("a uid has at most {MAX_LEGS} media connections")]
    TooManyConnections,
    /// An admin holds the track back.
    #[error("an admin holds this track back")]
    Blocked,
    /// A message is too long.
    #[error("a message has at most {MAX_CONTENT_BYTES} bytes; this one has {bytes}")]
    ContentTooLarge {
        /// Its length.
        bytes: usize,
    },
    /// User data for a picture is too long.
    #[error("user data of a picture has at most {MAX_SEI_BYTES} bytes; this has {bytes}")]
    SeiTooLarge {
        /// Its length.
        bytes: usize,
    },
    /// A bound on attributes is exceeded.
    #[error(transparent)]
    Attribute(#[from] AttributeLimit),
    /// The text that goes with a kick or a ban is too long.
    #[error("this text has at most {MAX_FAREWELL_BYTES} bytes")]
    FarewellTooLarge,
    /// The ban is too long.
    #[error("a ban lasts at most {} days", MAX_BAN.as_secs() / 86_400)]
    BanTooLong,
    /// The room keeps out as many as it may.
    #[error("a room has at most {MAX_BANS} bans")]
    TooManyBans,
    /// Too much in too short a time.
    #[error("too many requests of this kind: wait {} ms", retry_after.as_millis())]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
}

/// A bound on attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeLimit {
    /// The name is empty or too long.
    #[error("the name of an attribute has 1 to {MAX_ATTRIBUTE_KEY_BYTES} bytes")]
    Key,
    /// The text is too long.
    #[error("an attribute has at most {MAX_ATTRIBUTE_VALUE_BYTES} bytes")]
    Value,
    /// The room has too many.
    #[error("a room has at most {MAX_ROOM_ATTRIBUTES} attributes")]
    Room,
    /// The stream has too many.
    #[error("a stream has at most {MAX_STREAM_ATTRIBUTES} attributes")]
    Stream,
}

const fn name(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Camera => "camera",
        StreamKind::Screen => "screen",
        StreamKind::Mix => "mix",
        StreamKind::Speaker => "speaker",
    }
}

impl Refusal {
    /// A stable name, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAllowed(error) => error.code(),
            Self::TooManyRooms { .. } => "too_many_rooms",
            Self::RoomFull { .. } => "room_full",
            Self::Banned { .. } => "banned",
            Self::NotJoined => "not_joined",
            Self::AlreadyJoined => "already_joined",
            Self::ResumeImpossible => "resume_impossible",
            Self::NotAdmin => "not_admin",
            Self::NotHost => "not_host",
            Self::NoSuchParticipant(_) => "no_such_participant",
            Self::NoSuchStream(_) => "no_such_stream",
            Self::NoSuchTrack => "no_such_track",
            Self::NotPublished(_) => "not_published",
            Self::NotSubscribed => "not_subscribed",
            Self::OnlyByAddress(_) => "only_by_address",
            Self::StreamInUse(_) => "stream_in_use",
            Self::NoTracks => "no_tracks",
            Self::TooManySubscriptions => "too_many_subscriptions",
            Self::TooManyConnections => "too_many_connections",
            Self::Blocked => "blocked",
            Self::ContentTooLarge { .. } | Self::SeiTooLarge { .. } => "content_too_large",
            Self::Attribute(AttributeLimit::Key) => "attribute_key_size",
            Self::Attribute(AttributeLimit::Value) => "attribute_too_large",
            Self::Attribute(AttributeLimit::Room | AttributeLimit::Stream) => "too_many_attributes",
            Self::FarewellTooLarge => "text_too_large",
            Self::BanTooLong => "ban_too_long",
            Self::TooManyBans => "too_many_bans",
            Self::RateLimited { .. } => "rate_limited",
        }
    }

    /// The bound that was exceeded, if the refusal is about one.
    const fn limit(&self) -> Option<usize> {
        Some(match self {
            Self::TooManyRooms { limit } | Self::RoomFull { limit } => *limit,
            Self::TooManySubscriptions => MAX_SUBSCRIPTIONS,
            Self::TooManyConnections => MAX_LEGS,
            Self::ContentTooLarge { .. } => MAX_CONTENT_BYTES,
            Self::SeiTooLarge { .. } => MAX_SEI_BYTES,
            Self::Attribute(AttributeLimit::Key) => MAX_ATTRIBUTE_KEY_BYTES,
            Self::Attribute(AttributeLimit::Value) => MAX_ATTRIBUTE_VALUE_BYTES,
            Self::Attribute(AttributeLimit::Room) => MAX_ROOM_ATTRIBUTES,
            Self::Attribute(AttributeLimit::Stream) => MAX_STREAM_ATTRIBUTES,
            Self::FarewellTooLarge => MAX_FAREWELL_BYTES,
            Self::TooManyBans => MAX_BANS,
            _ => return None,
        })
    }
}

impl From<&Refusal> for ErrorBody {
    fn from(refusal: &Refusal) -> Self {
        let mut body = Self::new(refusal.code(), refusal.to_string());
        body.limit = refusal.limit().and_then(|limit| u64::try_from(limit).ok());
        body.retry_after_ms = match refusal {
            Refusal::Banned { remaining: wait } | Refusal::RateLimited { retry_after: wait } => {
                u64::try_from(wait.as_nanos().div_ceil(1_000_000)).ok()
            }
            _ => None,
        };
        body
    }
}
