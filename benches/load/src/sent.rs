//! When frames were sent and when they arrived.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use queqiao_load::media::Due;

/// When numbered things were sent or arrived. The first time of a number counts.
#[derive(Clone, Default)]
pub(crate) struct Times(Arc<Mutex<HashMap<u64, Instant>>>);

impl Times {
    pub(crate) fn note(&self, number: u64, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_insert(at);
    }

    pub(crate) fn any(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn copy(&self) -> HashMap<u64, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// When a publisher began to write each frame.
#[derive(Clone, Default)]
pub(crate) struct Sent {
    pub(crate) video: Times,
    pub(crate) audio: Times,
}

impl Sent {
    /// What a publisher is given to tell of its frames.
    pub(crate) fn observer(&self) -> impl FnMut(Due, Instant) -> bool + Send + use<> {
        let sent = self.clone();
        move |due, at| {
            match due {
                Due::Video(number) => sent.video.note(number, at),
                Due::Audio(number) => sent.audio.note(number, at),
            }
            true
        }
    }
}
