//! Who may do what, and who is in which room: apps, rooms, uids, roles, tokens, tickets and signalling messages.
//!
//! Everything that reaches a stream goes through one question, [`Apps::authorize`], or through a room that was entered
//! by [`Apps::admit`], and carries its answer, a [`Grant`], from there on. A `Grant` has no public constructor: whoever
//! holds one has shown a valid token, knows the id of an open app ([`Access`]), or speaks to the `demo` app of a server
//! that listens on loopback only ([`Demo`], [`Loopback`]).
//!
//! [`machine`] holds the rooms, [`signal`] the messages of the protocol, [`ticket`] the secrets inside media addresses.
//!
//! The crate is pure: no sockets, no clock, no randomness. Time and random bytes come in as arguments.

mod app;
mod error;
mod ids;
pub mod machine;
mod pass;
mod role;
mod secret;
pub mod signal;
pub mod ticket;
mod token;

pub use app::{Access, Apps, Demo, Grant, Loopback, MAX_APPS, MAX_SECRETS_PER_APP};
pub use error::{Error, IdFault, IdKind};
pub use ids::{
    AppId, MAX_ID_BYTES, MIX_SUFFIX, RoomId, SCREEN_SUFFIX, SPEAKER_SUFFIX, StreamKey, StreamKind, Uid,
};
pub use pass::Pass;
pub use role::{Permission, Role};
pub use secret::{MIN_SECRET_BYTES, Secret};
#[doc(hidden)]
pub use token::fuzzing;
pub use token::{
    Claims, EXPIRY_LEEWAY, Format, MAX_TOKEN_BYTES, MAX_TTL, Scope, UnixSeconds, issue, issue_as,
};
