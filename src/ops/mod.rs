//! What whoever runs the server needs of it: webhooks, the admin API and metrics.

mod api;
mod metrics;
pub(crate) mod webhooks;

pub(crate) use api::{Limits, Ops, router};
