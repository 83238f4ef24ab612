//! What of a stream is passed on: tracks that are muted or blocked stop here, whoever publishes them.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use queqiao_media::layers::{Layer, PerLayer};
use queqiao_room::signal::MediaKind;

/// The tracks of a stream that are held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) audio: bool,
    pub(super) video: bool,
}

impl Held {
    pub(super) fn set(&mut self, kind: MediaKind, held: bool) {
        match kind {
            MediaKind::Audio => self.audio = held,
            MediaKind::Video => self.video = held,
        }
    }

    pub(super) fn nothing(self) -> bool {
        self == Self::default()
    }
}

/// The form in which video passes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Frames,
    Rtp,
}

/// Video passes.
const OPEN: u8 = 0;
/// Nothing passes.
const HELD: u8 = 1;
/// The next keyframe opens.
const AWAITING_KEYFRAME: u8 = 2;

/// One stream's gate. Every layer of video opens, in each of the two forms, at a keyframe of its own.
pub(super) struct Gate {
    audio: AtomicBool,
    frames: PerLayer<AtomicU8>,
    rtp: PerLayer<AtomicU8>,
}

impl Gate {
    pub(super) fn new(held: Held) -> Self {
        let video = if held.video { HELD } else { OPEN };
        let layers = || PerLayer::new(|| AtomicU8::new(video));
        Self { audio: AtomicBool::new(!held.audio), frames: layers(), rtp: layers() }
    }

    pub(super) fn set(&self, kind: MediaKind, on: bool) {
        match kind {
            MediaKind::Audio => self.audio.store(on, Ordering::Release),
            MediaKind::Video => {
                for (_, state) in self.frames.iter().chain(self.rtp.iter()) {
                    if !on {
                        state.store(HELD, Ordering::Release);
                    } else if state.load(Ordering::Acquire) == HELD {
                        state.store(AWAITING_KEYFRAME, Ordering::Release);
                    }
                }
            }
        }
    }

    /// Whether sound passes.
    pub(super) fn audio(&self) -> bool {
        self.audio.load(Ordering::Acquire)
    }

    /// Whether video of `layer` is held back in this form, or waits for a keyframe to go on.
    pub(super) fn holds(&self, form: Form, layer: Layer) -> bool {
        self.state(form, layer).load(Ordering::Acquire) != OPEN
    }

    /// Whether a picture of `layer`, or a packet of one, passes; `keyframe` where it begins a keyframe.
    pub(super) fn video(&self, form: Form, layer: Layer, keyframe: bool) -> bool {
        let state = self.state(form, layer);
        match state.load(Ordering::Acquire) {
            OPEN => true,
            // Only from waiting to open: it may have been held back once more just now.
            AWAITING_KEYFRAME if keyframe => {
                state.compare_exchange(AWAITING_KEYFRAME, OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
            }
            _ => false,
        }
    }

    fn state(&self, form: Form, layer: Layer) -> &AtomicU8 {
        match form {
            Form::Frames => self.frames.get(layer),
            Form::Rtp => self.rtp.get(layer),
        }
    }
}
