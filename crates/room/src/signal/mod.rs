//! The messages of the signalling protocol, version 1: JSON over one WebSocket (`docs/signalling.md`).
//!
//! [`parse()`] reads requests and checks their sizes; everything else is plain serde types, for servers and clients.

mod event;
mod fault;
mod layers;
mod parse;
mod reply;
mod request;
mod values;

use std::time::Duration;

pub use event::{EVENT_NAMES, EndReason, Ended, Event, LeaveReason, MidInfo, NetworkQuality};
pub use fault::{BadMessage, ErrorBody, Fault};
pub use parse::{Stage, parse};
pub use reply::{
    Accepted, Done, JoinOk, MuteOk, PingOk, PublishOk, Refused, RenewTokenOk, ResumeOk, SendMessageOk,
    SequencedEvent, ServerMessage, SetRoleOk, SubscribeOk,
};
pub use request::{Envelope, Join, Publish, REQUEST_NAMES, Request, Stats, StreamStats, Subscribe};
pub use values::{
    Attributes, Base64, Content, Hidden, MAX_SAFE_INTEGER, MediaKind, ParticipantInfo, Platform, Presence,
    Sdp, SeiType, SessionId, StreamInfo, TrackState, Tracks, UserId,
};

/// The version of the protocol. Fields and events may be added to it; what is there does not change.
pub const VERSION: u32 = 1;

/// The longest message of a connection that has joined: a session description of a room of a hundred fits.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// The longest message before that: a token of full length, three identifiers and what else `join` holds.
pub const MAX_UNJOINED_BYTES: usize = 8 * 1024;

/// How deep objects and arrays are nested: no request needs more than four.
pub const MAX_DEPTH: usize = 8;

/// The longest session description: 120 sections of 1.6 KB, within a message of full length even when escaped.
pub const MAX_SDP_BYTES: usize = 192 * 1024;

/// The longest candidate: browsers send some 150 bytes.
pub const MAX_CANDIDATE_BYTES: usize = 1024;

/// How many capabilities a client may name.
pub const MAX_CAPABILITIES: usize = 16;

/// The longest name of a capability.
pub const MAX_CAPABILITY_BYTES: usize = 32;

/// How many streams one report covers: more than anyone watches at once.
pub const MAX_STATS_STREAMS: usize = 64;

/// The capability of a client that wants to be told of user data in the streams that it receives.
pub const HEARS_SEI: &str = "sei";

/// How often a client sends something, at least.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// After how long without anything from a client its connection counts as lost: three heartbeats.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(15);
