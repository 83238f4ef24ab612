use queqiao_room::signal::{
    Content, LeaveReason, MediaKind, NetworkQuality, ParticipantInfo, Presence, StreamInfo, TrackState,
    UserId,
};
use queqiao_room::{Role, StreamKind, UnixSeconds};

use crate::error::Error;
use crate::signalling::ConnectionState;

/// What happens in a room, in the order in which it happens. See [`Room::next_event`](crate::Room::next_event).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// It stands otherwise with the signalling.
    Connection(ConnectionState),
    /// It stands otherwise with the media: whether they flow at the moment.
    Media {
        /// Whether sound and pictures can be sent and received.
        connected: bool,
    },
    /// Somebody is in the room. What it publishes follows.
    ParticipantJoined(ParticipantInfo),
    /// Somebody is gone; its streams have ended before.
    ParticipantLeft {
        /// Who.
        uid: UserId,
        /// Why.
        reason: LeaveReason,
    },
    /// Somebody's connection is lost or back.
    ParticipantPresence {
        /// Who.
        uid: UserId,
        /// How it is now.
        presence: Presence,
    },
    /// A stream can be subscribed to.
    StreamPublished {
        /// Whose.
        uid: UserId,
        /// The stream.
        stream: StreamInfo,
    },
    /// A stream has other tracks or attributes, or a track of it is held back or let go.
    StreamChanged {
        /// Whose.
        uid: UserId,
        /// The stream as it is now.
        stream: StreamInfo,
    },
    /// A stream has ended, and a subscription to it with it.
    StreamUnpublished {
        /// Whose.
        uid: UserId,
        /// Which.
        stream: StreamKind,
    },
    /// Somebody has another role, perhaps this participant.
    RoleChanged {
        /// Who.
        uid: UserId,
        /// What it is now.
        role: Role,
    },
    /// A track of this participant's own is in another state without its doing.
    OwnTrack {
        /// Which stream.
        stream: StreamKind,
        /// Which track.
        kind: MediaKind,
        /// How it is now.
        state: TrackState,
        /// The admin who did it.
        by: Option<UserId>,
    },
    /// A stream of this participant's own has ended without its doing.
    OwnStreamEnded {
        /// Which.
        stream: StreamKind,
    },
    /// Somebody says something.
    Message {
        /// Counts the messages of the room.
        id: u64,
        /// Who.
        from: UserId,
        /// Whether to this participant alone.
        private: bool,
        /// When the server got it.
        at: UnixSeconds,
        /// What.
        content: Content,
    },
    /// An attribute of the room was set, or removed if it has no value.
    RoomAttribute {
        /// Its name.
        key: String,
        /// Its text.
        value: Option<String>,
    },
    /// The token should be [renewed](crate::Room::renew_token).
    TokenExpiring {
        /// Seconds that are left.
        seconds: u64,
    },
    /// Who speaks, for those who have subscribed to the stream that follows the speaker.
    Speaker(UserId),
    /// How well everybody's network does.
    NetworkQuality(Vec<NetworkQuality>),
    /// Events were not pulled in time and are lost; [`Room::participants`](crate::Room::participants) has the state.
    Missed {
        /// How many.
        events: u64,
    },
    /// The session is over. The last event.
    Ended(Error),
}
