//! RTMP 1.0 as a sans-IO state machine, both ends.
//!
//! Bytes go in through `handle_input`, events and bytes come out through `poll_event` and `poll_output`; nothing here
//! owns a socket, a thread or a clock. [`server::Session`] answers publishers and players, [`client::Session`] is one.
//!
//! | module | what | where it is described |
//! |---|---|---|
//! | [`handshake`] | plain and digest handshake | RTMP 1.0 section 5.2 |
//! | [`chunk`] | chunk streams, in and out | RTMP 1.0 section 5.3 |
//! | [`message`] | typed messages | RTMP 1.0 sections 5.4, 6, 7.1 |
//! | [`amf0`] | values inside commands and metadata | AMF 0 specification |
//! | [`address`] | application, stream name and query as one address | - |
//!
//! Memory: whatever a peer sends, a server session holds less than 64 KB before [`server::Session::accept_publish`], and
//! afterwards at most [`chunk::MAX_PARTIAL_MESSAGES`] messages of [`server::Config::max_message`].

pub mod address;
pub mod amf0;
pub mod chunk;
pub mod client;
mod error;
pub mod handshake;
mod link;
pub mod message;
pub mod server;

pub use error::Error;
