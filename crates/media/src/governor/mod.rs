//! Keeps a player over TCP within a lag: what its path does not carry is left out before it is written.
//!
//! TCP delivers everything in order, so whatever waits delays all that comes after it. The governor therefore keeps
//! frames to itself until the kernel can send them, and gives up, in this order: pictures that no other refers to, the
//! rest of a group of pictures, and, once the path has stood still, sound that nobody waits for any more. Sound is
//! whole as long as sound alone gets through.
//!
//! Lag is the age, counted from their arrival at the server, of the oldest bytes that the player has not acknowledged,
//! less the shortest round trip of its path. Three tenths of what is allowed may be spent on the way, in the kernel and the
//! network: writing pauses beyond that, and acknowledgements make room. The rest is for frames that wait here.

mod backlog;
mod flight;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crate::time::StreamTime;
use backlog::{Backlog, Waiting};
use flight::Flight;
pub use flight::Probe;

/// How often the kernel is asked while it is to be watched.
pub const PROBE_INTERVAL: Duration = Duration::from_millis(20);

/// A path counts as limited for so long after something had to be left out: a group of pictures of phones and browsers
/// is not longer, and in each of them it shows again.
const LIMITED_FOR: Duration = Duration::from_secs(3);

/// Between the first two requests for a keyframe, and the longest time between two of them: a player that is slow for
/// good must not cost the others more than encoders spend on keyframes anyway.
const FIRST_WISH_INTERVAL: Duration = Duration::from_secs(1);
const MAX_WISH_INTERVAL: Duration = Duration::from_secs(4);

/// One tick of the clocks of RTMP and FLV: how far apart pictures are put that only lead up to the present one.
const STEP: StreamTime = StreamTime::new(1_000);

/// The distance of AAC frames until it is known: 1024 samples at 44.1 kHz.
const AUDIO_STEP: StreamTime = StreamTime::new(23_220);

/// The longest distance that two frames of a continuous track have. What is longer is a pause of the publisher.
const MAX_AUDIO_STEP: StreamTime = StreamTime::new(130_000);

/// What a frame is to those that come after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Sound: stands on its own.
    Audio,
    /// A picture that decoding can begin with.
    Keyframe,
    /// A picture that needs those before it, and that others need.
    Reference,
    /// A picture that needs those before it, and that no other needs (`nal_ref_idc` 0).
    Disposable,
}

/// A frame on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<T> {
    /// The frame.
    pub frame: T,
    /// Its time for this player. Never decreases within a track.
    pub time: StreamTime,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// Write this.
    Send(Outgoing<T>),
    /// Write nothing: enough is on its way. Ask the kernel again after [`PROBE_INTERVAL`].
    Hold,
    /// There is nothing to write.
    Nothing,
}

/// What a player had to do without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pictures that nothing referred to, left out one by one.
    pub disposable: u64,
    /// Other pictures.
    pub pictures: u64,
    /// How many times the rest of a group of pictures was left out.
    pub groups: u64,
    /// Frames of sound.
    pub audio: u64,
    /// How many times the timeline was moved so that a standstill leaves no hole in it.
    pub rebases: u64,
}

impl std::ops::Sub for Counts {
    type Output = Self;

    /// What was added since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            disposable: self.disposable.saturating_sub(earlier.disposable),
            pictures: self.pictures.saturating_sub(earlier.pictures),
            groups: self.groups.saturating_sub(earlier.groups),
            audio: self.audio.saturating_sub(earlier.audio),
            rebases: self.rebases.saturating_sub(earlier.rebases),
        }
    }
}

/// Whether the pictures go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Picture {
    Whole,
    /// The next keyframe is waited for: `cut` where pictures were left out, else for the first one.
    Awaited {
        cut: bool,
    },
}

/// One player's governor, over frames of type `T`.
#[derive(Debug)]
pub struct Governor<T> {
    max_lag: Duration,
    backlog: Backlog<T>,
    flight: Flight,
    /// When the frame arrived that was taken last and may not be wholly written yet.
    taken: Option<Instant>,
    picture: Picture,
    /// What is taken from the stream's time for the player's.
    shift: StreamTime,
    /// Set where the next frame is to follow the last one that was sent.
    rebase: bool,
    /// The player's times of the last frames, and the distance of the last two of sound.
    last_audio: Option<StreamTime>,
    last_video: Option<StreamTime>,
    audio_step: StreamTime,
    /// When something was left out last.
    limited: Option<Instant>,
    /// The path's rate as it was last known, in bytes per second.
    carried: Option<f64>,
    wish_at: Option<Instant>,
    wish_interval: Duration,
    counts: Counts,
}

impl<T> Governor<T> {
    /// A governor that keeps a player within `max_lag` of live. It begins with a keyframe.
    #[must_use]
    pub fn new(max_lag: Duration) -> Self {
        Self {
            max_lag,
            backlog: Backlog::default(),
            flight: Flight::default(),
            taken: None,
            picture: Picture::Awaited { cut: false },
            shift: StreamTime::ZERO,
            rebase: false,
            last_audio: None,
            last_video: None,
            audio_step: AUDIO_STEP,
            limited: None,
            carried: None,
            wish_at: None,
            wish_interval: FIRST_WISH_INTERVAL,
            counts: Counts::default(),
        }
    }

    /// Takes the pictures that a player begins with at `now`, a keyframe first. Their number is bounded by the cache that
    /// they come from. Connections begin slowly, so they may take half as long again as frames that follow.
    pub fn begin(&mut self, now: Instant, pictures: impl IntoIterator<Item = (Part, StreamTime, usize, T)>) {
        for (part, time, bytes, frame) in pictures {
            self.picture = Picture::Whole;
            self.backlog.push(Waiting { frame, part, time, bytes, arrived: now + self.max_lag / 2 });
        }
    }

    /// Takes a frame of `bytes` bytes that reached the server at `arrived`.
    pub fn push(&mut self, arrived: Instant, part: Part, time: StreamTime, bytes: usize, frame: T) {
        match (part, self.picture) {
            (Part::Keyframe, _) => self.picture = Picture::Whole,
            (Part::Reference | Part::Disposable, Picture::Awaited { cut }) => {
                self.counts.pictures += u64::from(cut);
                return;
            }
            (Part::Audio, _) | (_, Picture::Whole) => {}
        }
        if self.backlog.is_full(bytes) {
            let (pictures, audio) = self.backlog.clear();
            self.counts.audio += audio;
            self.rebase = true;
            self.lose(pictures, arrived);
            if part != Part::Keyframe && part != Part::Audio {
                self.counts.pictures += 1;
                return;
            }
            if part == Part::Keyframe {
                self.picture = Picture::Whole;
            }
        }
        self.backlog.push(Waiting { frame, part, time, bytes, arrived });
    }

    /// The pictures do not go on from those before: another publisher has come.
    pub fn await_keyframe(&mut self) {
        self.picture = Picture::Awaited { cut: false };
    }

    /// Whether pictures can go on without a keyframe.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.picture == Picture::Whole
    }

    /// All that was taken has been handed to the kernel, the connection's bytes up to `end`.
    pub fn wrote(&mut self, now: Instant, end: u64) {
        if let Some(arrived) = self.taken.take() {
            self.flight.wrote(end, arrived, now);
        }
    }

    /// Whether to ask the kernel: while something waits, or has been on its way for longer than a good path takes. A
    /// player that keeps up is asked about a few times in a second.
    #[must_use]
    pub fn is_probe_due(&self, now: Instant) -> bool {
        let asked = self.flight.last_probe();
        let rested = asked.is_none_or(|asked| now.saturating_duration_since(asked) >= PROBE_INTERVAL);
        rested && self.flight.sees() && (self.is_waiting(now) || self.flight.delay(now) > self.max_lag / 4)
    }

    /// Takes what the kernel says. Where it says nothing, it is not asked again, and only what waits here is governed.
    pub fn probed(&mut self, now: Instant, probe: Option<Probe>) {
        let Some(probe) = probe else {
            self.flight.go_blind();
            return;
        };
        let was_late = self.flight.delay(now) > self.max_delay();
        self.flight.probed(now, probe);
        // What a path carries shows only while it gets as much as it takes. Where all of it is acknowledged by now, nothing was
        // late but the question, and what waits does so for a server that has not come to it.
        let is_busy = self.flight.oldest().is_some() && (self.is_waiting(now) || was_late);
        self.flight.measure(now, is_busy);
        self.carried = self.flight.rate(now).or(self.carried);
    }

    /// Whether something could not be written as it came.
    fn is_waiting(&self, now: Instant) -> bool {
        self.taken.is_some() || self.backlog.front().is_some_and(|front| front.age(now) > PROBE_INTERVAL)
    }

    /// When the oldest arrived of what the player has not received, as far as is known.
    #[must_use]
    pub fn oldest(&self) -> Option<Instant> {
        self.flight.oldest().or(self.taken).or(self.backlog.front().map(|front| front.arrived))
    }

    /// How far the player is behind. Exact right after [`probed`](Self::probed); what has been acknowledged since then
    /// still counts.
    #[must_use]
    pub fn lag(&self, now: Instant) -> Duration {
        self.oldest().map_or(Duration::ZERO, |since| {
            now.saturating_duration_since(since).saturating_sub(self.flight.min_rtt())
        })
    }

    /// Whether no frame waits to be written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.backlog.len() == 0
    }

    /// What to do next, at `now`.
    pub fn next(&mut self, now: Instant) -> Next<T> {
        if self.flight.delay(now) > self.max_delay() {
            return Next::Hold;
        }
        self.thin(now);
        let Some(front) = self.backlog.pop() else { return Next::Nothing };
        if self.rebase {
            self.rebase_to(front.time, 0);
        }
        let time = front.time - self.shift;
        let last = if front.part == Part::Audio { &mut self.last_audio } else { &mut self.last_video };
        let time = last.map_or(time, |last| time.max(last));
        if front.part == Part::Audio
            && let Some(before) = *last
            && (STEP..=MAX_AUDIO_STEP).contains(&(time - before))
        {
            self.audio_step = time - before;
        }
        *last = Some(time);
        self.taken = Some(self.taken.map_or(front.arrived, |taken| taken.min(front.arrived)));
        Next::Send(Outgoing { frame: front.frame, time })
    }

    /// Whether the publisher should be asked for a keyframe: pictures were left out, and the path has room again.
    pub fn take_wish(&mut self, now: Instant) -> bool {
        let is_cut = self.picture == Picture::Awaited { cut: true };
        if !is_cut || self.wish_at.is_some_and(|at| now < at) || self.late(now) > self.max_lag / 4 {
            return false;
        }
        self.wish_at = Some(now + self.wish_interval);
        self.wish_interval = (self.wish_interval * 2).min(MAX_WISH_INTERVAL);
        true
    }

    /// The bitrate of video, in bit/s, that the path carries; `None` where it does not limit the stream.
    pub fn video_bitrate(&mut self, now: Instant) -> Option<u64> {
        let since = now.saturating_duration_since(self.limited?);
        if since > LIMITED_FOR && self.picture != (Picture::Awaited { cut: true }) {
            self.limited = None;
            self.carried = None;
            self.wish_interval = FIRST_WISH_INTERVAL;
            self.flight.be_hopeful();
            return None;
        }
        let bits = (self.carried? - self.backlog.audio_rate()).max(0.0) * 8.0;
        // A float of this size is whole; one that is not finite cannot come out of sums of byte counts.
        Some(bits as u64)
    }

    /// What the player had to do without so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How late the next frame would be received.
    fn late(&self, now: Instant) -> Duration {
        let age = self.backlog.front().map_or(Duration::ZERO, |front| front.age(now));
        age + self.flight.delay(now)
    }

    /// Leaves out what would make the player later than it may be.
    fn thin(&mut self, now: Instant) {
        if self.late(now) > self.max_lag / 3 {
            let dropped = self.backlog.drop_where(|frame| frame.part == Part::Disposable);
            if dropped > 0 {
                self.counts.disposable += dropped;
                self.limited = Some(now);
            }
        }
        let late = self.late(now);
        if late > self.patience() {
            self.restart(now);
        } else if late > self.allowed() || !self.front_fits(now) {
            self.cut(now);
        }
    }

    /// How long bytes may be on their way, beyond the shortest round trip. Enough to keep a path busy between two looks at
    /// it; what is on its way can no longer be left out.
    fn max_delay(&self) -> Duration {
        self.max_lag * 3 / 10
    }

    /// How late the next picture may be. Less where the path has just become narrow: what it carries is not known, and what is
    /// on its way comes later than it looks.
    fn allowed(&self) -> Duration {
        if self.limited.is_some() { self.max_lag } else { self.max_lag * 4 / 5 }
    }

    /// How late sound may be. Longer than pictures, so that it is not hurt by those that are still on their way.
    fn patience(&self) -> Duration {
        self.max_lag * 3 / 2
    }

    /// Whether the next frame gets through in time, as far as can be told.
    fn front_fits(&self, now: Instant) -> bool {
        self.backlog
            .front()
            .is_none_or(|front| front.part == Part::Audio || self.fits(front, front.bytes, now))
    }

    /// More than may wait here, because it is reckoned with what is on its way already, and less than sound may be late.
    fn fits(&self, frame: &Waiting<T>, bytes: usize, now: Instant) -> bool {
        let time = self.flight.time_for(bytes, now).unwrap_or_default();
        frame.age(now).saturating_add(time) <= self.max_lag * 13 / 10
    }

    /// Leaves out pictures until the newest keyframe that can still be in time, or until the next one.
    fn cut(&mut self, now: Instant) {
        let in_time = self.max_lag * 3 / 4;
        let start = self.backlog.newest_keyframe().filter(|(_, keyframe)| {
            keyframe.age(now) + self.flight.delay(now) <= in_time && self.fits(keyframe, keyframe.bytes, now)
        });
        match start.map(|(index, _)| index) {
            Some(index) => {
                let dropped = self.backlog.drop_pictures_before(index);
                if dropped > 0 {
                    self.count_group(dropped, now);
                }
            }
            None => {
                let dropped = self.backlog.drop_where(|frame| frame.part != Part::Audio);
                self.lose(dropped, now);
            }
        }
    }

    /// Goes on at live after a standstill: with the sound of this moment and, if they still lead up to it in time, the
    /// pictures since the newest keyframe.
    fn restart(&mut self, now: Instant) {
        self.flight.be_disappointed();
        let fresh = self.max_lag / 4;
        let audio = self.backlog.drop_where(|frame| frame.part == Part::Audio && frame.age(now) > fresh);
        self.counts.audio += audio;
        let start = self.backlog.newest_keyframe().filter(|(index, keyframe)| {
            let time = self.flight.time_for(self.backlog.picture_bytes_from(*index), now);
            keyframe.age(now) <= self.max_lag * 4 && time.unwrap_or_default() <= self.max_lag
        });
        let dropped = match start.map(|(index, _)| index) {
            Some(index) => self.backlog.drop_pictures_before(index),
            None => {
                let dropped = self.backlog.drop_where(|frame| frame.part != Part::Audio);
                self.lose(dropped, now);
                0
            }
        };
        if dropped > 0 {
            self.count_group(dropped, now);
        }
        self.limited = Some(now);
        self.rebase = true;
        let Some(anchor) = self.backlog.anchor() else { return };
        let (earlier, newest_audio) = (self.backlog.pictures_before(anchor), self.last_audio);
        self.rebase_to(anchor, earlier);
        let floor = self.last_video.or(newest_audio).map(|last| last + self.shift);
        self.backlog.renew(anchor, STEP, floor, now);
    }

    /// Moves the player's timeline so that `anchor` comes right after what it was sent, with room for `earlier` pictures
    /// before it.
    fn rebase_to(&mut self, anchor: StreamTime, earlier: usize) {
        self.rebase = false;
        let room = StreamTime::new(STEP.get().saturating_mul(i64::try_from(earlier).unwrap_or(i64::MAX) + 1));
        let after_audio = self.last_audio.map(|last| last + self.audio_step);
        let after_video = self.last_video.map(|last| last + room);
        let Some(place) = after_audio.max(after_video) else { return };
        if anchor - self.shift > place {
            self.counts.rebases += 1;
        }
        self.shift = anchor - place;
    }

    fn count_group(&mut self, pictures: u64, now: Instant) {
        self.counts.pictures += pictures;
        self.counts.groups += 1;
        self.limited = Some(now);
    }

    /// The pictures cannot go on before the next keyframe.
    fn lose(&mut self, pictures: u64, now: Instant) {
        if pictures > 0 {
            self.count_group(pictures, now);
            self.picture = Picture::Awaited { cut: true };
        }
    }
}
