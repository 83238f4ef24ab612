//! Webhooks: what happens in rooms, told to the back ends of their apps over HTTP.
//!
//! Each endpoint has a queue, a pace and a task of its own, so that one that is down keeps nobody else waiting. Events
//! arrive in order, and more than once where an answer was lost.

mod event;
mod post;
mod queue;
mod signature;
mod task;

pub(crate) use event::EventName;
pub(crate) use queue::Counts;
pub(crate) use task::{Endpoint, Settings, Webhooks};
