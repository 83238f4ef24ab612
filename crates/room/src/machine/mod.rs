//! Rooms: who is in them, what they publish and receive, and what they are told.
//!
//! A [`Room`] takes operations, each with its proof, and answers with a typed result or a [`Refusal`]; what follows for
//! others comes out as [`Effect`]s. [`Rooms`] keeps the rooms of a server, their limits and timers. The reply to an
//! operation goes out first, then what [`Room::resume`] says was missed, then the effects in their order. Nothing else
//! may come between, or a client hears of things in an order in which they did not happen.
//!
//! Proofs: a [`Pass`](crate::Pass) or [`Grant`](crate::Grant) to enter; the [`Seat`] or [`Leg`] that entering returned
//! for everything else, which ends with the connection that it was given to; [`Operator`] for the server's own API.

mod direct;
mod effect;
mod media;
mod membership;
mod meter;
mod moderation;
mod outbox;
mod participant;
mod refusal;
mod room;
mod rooms;
mod sei;
mod talk;
mod timers;

use std::time::{Duration, Instant};

pub use direct::{Detach, Leg};
pub use effect::{CloseReason, Effect, Hook, Order, Revocation};
pub use media::{Published, Subscribed};
pub use membership::{Entered, JoinRequest, Resumed};
pub use moderation::{By, Operator};
pub use outbox::Sealed;
pub use participant::Carrier;
pub use refusal::{AttributeLimit, Refusal};
pub use room::{Room, RoomKey};
pub use rooms::Rooms;

use crate::{Uid, UnixSeconds};

/// The time of an operation: the one for durations, the other for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Never goes backward.
    pub instant: Instant,
    /// The time of day, looked at when a token comes in; later jumps of it change nothing.
    pub unix: UnixSeconds,
}

/// A connection of the shell's: a WebSocket, or a media connection without signalling. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// The place of a participant in a room, held by one signalling connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    pub(crate) uid: Uid,
    pub(crate) connection: ConnectionId,
}

impl Seat {
    /// Whose place it is.
    #[must_use]
    pub const fn uid(&self) -> &Uid {
        &self.uid
    }

    /// The connection that holds it.
    #[must_use]
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }
}

/// What a server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rooms at once.
    pub max_rooms: usize,
    /// Participants of one room, those without signalling included.
    pub max_participants: usize,
    /// How long a participant whose connection is lost stays in the room.
    pub grace: Duration,
}

impl Default for Limits {
    /// 10 000 rooms of 500 participants, and 20 s: a phone that changes its network needs some 5 s, and WeChat's
    /// components give up after three tries 3 s apart.
    fn default() -> Self {
        Self { max_rooms: 10_000, max_participants: 500, grace: Duration::from_secs(20) }
    }
}

/// How long before its token expires a participant is warned: time for a back end to make a new one.
pub const EXPIRY_WARNING: Duration = Duration::from_secs(30);

/// How many events are kept for a session that resumes: a busy room's worth of the grace time.
pub const MAX_REPLAY_EVENTS: usize = 256;

/// How many bytes of them: what one offer of full size needs.
pub const MAX_REPLAY_BYTES: usize = 256 * 1024;

/// Media connections without signalling under one uid: a wall of players, but not a flood.
pub const MAX_LEGS: usize = 32;

/// How many streams one participant receives at once: more sections make offers too long for their message.
pub const MAX_SUBSCRIPTIONS: usize = 60;

/// How many uids a room keeps out at once.
pub const MAX_BANS: usize = 1000;

/// The longest ban. Who has to stay out for longer should get no token.
pub const MAX_BAN: Duration = Duration::from_secs(30 * 86_400);

/// The longest message between participants, bytes of text or of decoded data.
pub const MAX_CONTENT_BYTES: usize = 8 * 1024;

/// The longest user data that a participant may send in a picture, bytes: players of live streams take as much.
pub const MAX_SEI_BYTES: usize = 2 * 1024;

/// The longest text that goes with a kick or a ban, bytes.
pub const MAX_FAREWELL_BYTES: usize = 256;

/// How many attributes a room has.
pub const MAX_ROOM_ATTRIBUTES: usize = 32;

/// How many attributes a stream has.
pub const MAX_STREAM_ATTRIBUTES: usize = 8;

/// The longest name of an attribute, bytes.
pub const MAX_ATTRIBUTE_KEY_BYTES: usize = 64;

/// The longest text of an attribute, bytes.
pub const MAX_ATTRIBUTE_VALUE_BYTES: usize = 1024;

/// Messages and attributes that one participant may send at once before it has to wait.
pub const TALK_BURST: u32 = 40;

/// How long each of them takes to be paid off: ten a second.
pub const TALK_INTERVAL: Duration = Duration::from_millis(100);

/// Publications, mutes and role changes that one participant may make at once before it has to wait. Each is told to the
/// whole room.
pub const CHANGE_BURST: u32 = 30;

/// How long each of them takes to be paid off: five a second.
pub const CHANGE_INTERVAL: Duration = Duration::from_millis(200);
