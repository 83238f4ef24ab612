//! Frames that wait to be written.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Part;
use crate::gop::{MAX_GOP_BYTES, MAX_GOP_ITEMS, squeeze};
use crate::time::StreamTime;

/// Over how long the rate of sound is taken.
const AUDIO_WINDOW: Duration = Duration::from_secs(1);

/// A frame that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting<T> {
    pub(super) frame: T,
    pub(super) part: Part,
    /// On the stream's timeline.
    pub(super) time: StreamTime,
    pub(super) bytes: usize,
    pub(super) arrived: Instant,
}

impl<T> Waiting<T> {
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.arrived)
    }
}

/// The frames, in the order of their arrival. Not more than the cached group that a player begins with.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    frames: VecDeque<Waiting<T>>,
    bytes: usize,
    /// Sound of the present window: when it began, and its bytes.
    audio: Option<(Instant, usize)>,
    /// Bytes of sound per second, in the window before.
    audio_rate: f64,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Self { frames: VecDeque::new(), bytes: 0, audio: None, audio_rate: 0.0 }
    }
}

impl<T> Backlog<T> {
    /// Whether `bytes` more are more than may wait.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        self.frames.len() >= MAX_GOP_ITEMS
            || (!self.frames.is_empty() && self.bytes.saturating_add(bytes) > MAX_GOP_BYTES)
    }

    pub(super) fn push(&mut self, frame: Waiting<T>) {
        if frame.part == Part::Audio {
            let (since, bytes) = self.audio.unwrap_or((frame.arrived, 0));
            let span = frame.arrived.saturating_duration_since(since);
            if span >= AUDIO_WINDOW {
                self.audio_rate = bytes as f64 / span.as_secs_f64();
                self.audio = Some((frame.arrived, frame.bytes));
            } else {
                self.audio = Some((since, bytes.saturating_add(frame.bytes)));
            }
        }
        self.bytes = self.bytes.saturating_add(frame.bytes);
        self.frames.push_back(frame);
    }

    pub(super) fn pop(&mut self) -> Option<Waiting<T>> {
        let frame = self.frames.pop_front()?;
        self.bytes = self.bytes.saturating_sub(frame.bytes);
        Some(frame)
    }

    pub(super) fn front(&self) -> Option<&Waiting<T>> {
        self.frames.front()
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Bytes of sound per second.
    pub(super) fn audio_rate(&self) -> f64 {
        self.audio_rate
    }

    /// Drops everything: so many pictures and frames of sound.
    pub(super) fn clear(&mut self) -> (u64, u64) {
        let audio = self.drop_where(|frame| frame.part == Part::Audio);
        (self.drop_where(|_| true), audio)
    }

    /// Drops what `unwanted` says, and returns how many frames that are.
    pub(super) fn drop_where(&mut self, mut unwanted: impl FnMut(&Waiting<T>) -> bool) -> u64 {
        let before = self.frames.len();
        let bytes = &mut self.bytes;
        self.frames.retain(|frame| {
            let drop = unwanted(frame);
            if drop {
                *bytes = bytes.saturating_sub(frame.bytes);
            }
            !drop
        });
        (before - self.frames.len()) as u64
    }

    /// The newest picture that decoding can begin with, and its place.
    pub(super) fn newest_keyframe(&self) -> Option<(usize, &Waiting<T>)> {
        self.frames.iter().enumerate().rfind(|(_, frame)| frame.part == Part::Keyframe)
    }

    pub(super) fn drop_pictures_before(&mut self, index: usize) -> u64 {
        let mut place = 0;
        self.drop_where(|frame| {
            let before = place < index;
            place += 1;
            before && frame.part != Part::Audio
        })
    }

    /// The bytes of all pictures from `index` on.
    pub(super) fn picture_bytes_from(&self, index: usize) -> usize {
        let pictures = self.frames.iter().skip(index).filter(|frame| frame.part != Part::Audio);
        pictures.map(|frame| frame.bytes).sum()
    }

    /// The moment that the player goes on at: of the first sound, or of the newest picture where there is none.
    pub(super) fn anchor(&self) -> Option<StreamTime> {
        let audio = self.frames.iter().find(|frame| frame.part == Part::Audio);
        audio.or(self.frames.back()).map(|frame| frame.time)
    }

    /// How many pictures are from before `anchor`.
    pub(super) fn pictures_before(&self, anchor: StreamTime) -> usize {
        self.frames.iter().filter(|frame| frame.part != Part::Audio && frame.time < anchor).count()
    }

    /// Moves the pictures from before `anchor` to right before it, after `floor`, and counts everything as having arrived at
    /// `now`: it is the beginning of what the player sees next.
    pub(super) fn renew(
        &mut self,
        anchor: StreamTime,
        step: StreamTime,
        floor: Option<StreamTime>,
        now: Instant,
    ) {
        let early = |frame: &Waiting<T>| frame.part != Part::Audio && frame.time < anchor;
        let mut times: Vec<_> =
            self.frames.iter().filter(|frame| early(frame)).map(|frame| frame.time).collect();
        if let Some(last) = times.last_mut() {
            *last = anchor - step;
        }
        squeeze(&mut times, step, floor);
        let mut times = times.into_iter();
        for frame in &mut self.frames {
            if early(frame)
                && let Some(time) = times.next()
            {
                frame.time = time;
            }
            frame.arrived = now;
        }
    }
}
