//! The way back to a WebRTC publisher: through its worker's inbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use queqiao_media::layers::Layer;
use queqiao_room::StreamKind;

use super::directory::{Command, Inbox, SessionId};
use crate::hub::PublisherControl;

/// What the hub has to say to the session of a publisher.
pub(super) struct Control {
    session: SessionId,
    stream: StreamKind,
    inbox: Arc<Inbox>,
    replaced: AtomicBool,
}

impl Control {
    pub(super) fn new(session: SessionId, stream: StreamKind, inbox: Arc<Inbox>) -> Self {
        Self { session, stream, inbox, replaced: AtomicBool::new(false) }
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }
}

impl PublisherControl for Control {
    fn request_keyframe(&self) {
        self.inbox.send(Command::RequestKeyframe {
            id: self.session.clone(),
            stream: self.stream,
            layer: None,
        });
    }

    fn request_layer(&self, layer: Layer) {
        let layer = Some(layer);
        self.inbox.send(Command::RequestKeyframe { id: self.session.clone(), stream: self.stream, layer });
    }

    fn needs_changed(&self) {
        self.inbox.send(Command::LayersNeeded { id: self.session.clone(), stream: self.stream });
    }

    /// The worker reads everything at once anyway.
    fn watched(&self) {}

    fn replaced(&self) {
        self.replaced.store(true, Ordering::Release);
        // Any command makes the worker look at the session.
        self.request_keyframe();
    }
}
