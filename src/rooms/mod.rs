//! The shell of the room machine (`queqiao_room::machine`): every platform's connections on one side, media on the
//! other.
//!
//! [`RoomService`] holds the rooms, the tickets and the connections under one lock. An operation takes the time once,
//! runs the machine, queues its reply and then does what follows, in order, before the lock is let go: nobody hears of
//! things in an order in which they did not happen. Nothing under the lock waits.

mod address;
mod admin;
mod connections;
mod hooks;
mod joins;
mod link;
mod media;
mod outgoing;
mod quality;
mod requests;
mod sei;
mod service;
mod steering;
mod tasks;
#[cfg(test)]
mod tests;

pub(crate) use address::{PublicAddresses, encode};
pub(crate) use admin::ParticipantDetail;
pub(crate) use connections::{LinkEnd, Protocol};
pub(crate) use hooks::HookEvent;
pub(crate) use link::{Credential, Denied, Link};
pub(crate) use outgoing::{Next, Outgoing, SocketEnd};
pub(crate) use requests::Socket;
pub(crate) use service::{RoomService, Settings};
pub(crate) use tasks::run;
