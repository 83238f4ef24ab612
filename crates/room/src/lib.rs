//! Who may do what: apps, rooms, uids, roles and tokens.
//!
//! Everything that reaches a stream goes through one question, [`Apps::authorize`], and carries its answer, a
//! [`Grant`], from there on. A `Grant` has no public constructor: whoever holds one has shown a valid token, or
//! speaks to the `demo` app of a server that listens on loopback only ([`Demo`], [`Loopback`]).
//!
//! The crate is pure: no sockets, no clock. The time of day comes in as [`UnixSeconds`].

mod app;
mod error;
mod ids;
mod role;
mod secret;
mod token;

pub use app::{Apps, Demo, Grant, Loopback, MAX_APPS, MAX_SECRETS_PER_APP};
pub use error::{Error, IdFault, IdKind};
pub use ids::{AppId, MAX_ID_BYTES, RoomId, SCREEN_SUFFIX, StreamKey, StreamKind, Uid};
pub use role::{Permission, Role};
pub use secret::{MIN_SECRET_BYTES, Secret};
pub use token::{Claims, EXPIRY_LEEWAY, MAX_TOKEN_BYTES, MAX_TTL, UnixSeconds, issue};
