//! The way back to an RTMP publisher, who cannot be asked for keyframes.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use crate::hub::PublisherControl;

/// What the hub has to say to the connection of a publisher.
#[derive(Default)]
pub(super) struct Control {
    call: Notify,
    replaced: AtomicBool,
}

impl Control {
    /// Waits for a word of the hub.
    pub(super) async fn called(&self) {
        self.call.notified().await;
    }

    /// Whether another publisher has taken the address.
    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }
}

impl PublisherControl for Control {
    fn request_keyframe(&self) {}

    fn watched(&self) {
        self.call.notify_one();
    }

    fn replaced(&self) {
        self.replaced.store(true, Ordering::Release);
        self.call.notify_one();
    }
}
