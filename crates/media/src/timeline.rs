//! The millisecond clock of an RTMP publisher on the stream's timeline, and the way back for a player.

use crate::time::{Millis, StreamTime};

/// The largest distance between a timestamp and what was expected of it that is taken as it is. Network jitter and the
/// interleaving of audio and video stay well below; a jump above it leaves a player waiting or its buffer empty.
pub const MAX_DEVIATION: StreamTime = StreamTime::new(3_000_000);

/// The furthest that a track may fall behind its own highest timestamp. A track's own timestamps never go back, so there is nothing to
/// tolerate but an encoder's sloppy numbering.
pub const MAX_BACKSTEP: StreamTime = StreamTime::new(500_000);

const MILLISECOND: StreamTime = StreamTime::new(1_000);

/// One of the two tracks of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The sound.
    Audio,
    /// The picture.
    Video,
}

/// One value for each track of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PerKind<T> {
    audio: T,
    video: T,
}

impl<T> PerKind<T> {
    pub(crate) const fn get(&self, kind: Kind) -> &T {
        match kind {
            Kind::Audio => &self.audio,
            Kind::Video => &self.video,
        }
    }

    pub(crate) const fn get_mut(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video => &mut self.video,
        }
    }
}

impl Kind {
    /// The other track.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Audio => Self::Video,
            Self::Video => Self::Audio,
        }
    }
}

/// Maps the 32-bit milliseconds of an RTMP publisher, which its audio and video share, to the stream's timeline.
///
/// The first message is placed at its arrival; from there on the publisher's own clock counts, across 2^32 too.
/// Arrival only serves to judge jumps: a step is taken as it is if the timestamps went on, or if as much real time has
/// passed. What is beyond [`MAX_DEVIATION`] forwards or [`MAX_BACKSTEP`] backwards is repaired: the track goes on
/// where it would be, and the other track joins it on the new base with its first message that fits there, so that the
/// two stay together.
///
/// Output lies on a grid of one millisecond. It never decreases within a track; video always increases.
#[derive(Clone, Debug, Default)]
pub struct RtmpTimeline {
    tracks: PerKind<Option<Latest>>,
    /// How many bases there have been.
    bases: u64,
    repairs: u64,
}

/// The latest message of a track.
#[derive(Clone, Copy, Debug)]
struct Latest {
    /// The number of the base on which `wire` lies at `time`. Tracks on the same one share a clock.
    base: u64,
    wire: u32,
    time: StreamTime,
    /// The highest `time` on that base.
    top: StreamTime,
    /// What was given out: `time`, or later where that would have gone back.
    out: StreamTime,
    arrival: StreamTime,
}

/// A stretch of the timeline in which a track's next message belongs: from going on at once to going on after all the
/// real time that has passed.
#[derive(Clone, Copy)]
struct Expected {
    from: StreamTime,
    to: StreamTime,
}

impl RtmpTimeline {
    /// The time of a message with the timestamp `wire` that arrived at `arrival`. For video, `wire` is the decoding
    /// time; a composition offset is added by the caller.
    pub fn map(&mut self, kind: Kind, wire: u32, arrival: StreamTime) -> StreamTime {
        let out = self.tracks.get(kind).map(|own| own.out);
        let time = self.locate(kind, wire, arrival);
        let out = out.map_or(time, |out| after(kind, out, time));
        if let Some(latest) = self.tracks.get_mut(kind) {
            latest.out = out;
        }
        out
    }

    /// Like [`map`](Self::map), but without the promise that time never decreases.
    pub(crate) fn locate(&mut self, kind: Kind, wire: u32, arrival: StreamTime) -> StreamTime {
        let own = *self.tracks.get(kind);
        let (base, time) = self.place(kind, wire, arrival);
        let top = own.filter(|own| own.base == base).map_or(time, |own| own.top.max(time));
        let out = own.map_or(time, |own| own.out);
        *self.tracks.get_mut(kind) = Some(Latest { base, wire, time, top, out, arrival });
        time
    }

    /// Moves a track by `by` against the other: from its next message on, the two have clocks of their own. What was
    /// given out stays a lower bound.
    pub fn part(&mut self, kind: Kind, by: StreamTime) {
        if let Some(latest) = self.tracks.get_mut(kind) {
            self.bases += 1;
            let time = on_grid(latest.time + by);
            *latest = Latest { base: self.bases, time, top: time, ..*latest };
            self.repairs += 1;
        }
    }

    /// The jumps repaired so far.
    #[must_use]
    pub const fn repairs(&self) -> u64 {
        self.repairs
    }

    /// The base of a message, and its time on it.
    fn place(&mut self, kind: Kind, wire: u32, arrival: StreamTime) -> (u64, StreamTime) {
        let own = *self.tracks.get(kind);
        let other = *self.tracks.get(kind.other());
        let Some(expected) = own.or(other).map(|latest| latest.expected(arrival)) else {
            return (self.bases, on_grid(arrival));
        };
        // The other track has a newer base after a jump until this one jumps as well. Whichever fits better, and on a
        // tie the smaller step: it needs no explanation by a pause.
        let stay = own.map(|own| (own, own.top - MAX_BACKSTEP));
        let join = other
            .filter(|other| own.is_none_or(|own| other.base > own.base))
            .map(|other| (other, expected.from - MAX_DEVIATION));
        let fitting = [stay, join].into_iter().flatten().filter_map(|(latest, least)| {
            let time = latest.at(wire);
            let fits = time >= least && time <= expected.to + MAX_DEVIATION;
            fits.then_some((expected.distance(time), time, latest.base))
        });
        if let Some((_, time, base)) = fitting.min() {
            return (base, time);
        }
        self.bases += 1;
        self.repairs += u64::from(own.is_some());
        (self.bases, on_grid(expected.to))
    }
}

impl Latest {
    fn at(&self, wire: u32) -> StreamTime {
        let step = Millis::new(wire.wrapping_sub(self.wire).cast_signed().into());
        self.time + step.rescale()
    }

    fn expected(&self, arrival: StreamTime) -> Expected {
        Expected { from: self.time, to: self.time + (arrival - self.arrival).max(StreamTime::ZERO) }
    }
}

impl Expected {
    fn distance(&self, time: StreamTime) -> StreamTime {
        (self.from - time).max(time - self.to).max(StreamTime::ZERO)
    }
}

/// `time`, or as much later as a track that has come to `out` asks for.
pub(crate) fn after(kind: Kind, out: StreamTime, time: StreamTime) -> StreamTime {
    match kind {
        Kind::Audio => time.max(out),
        Kind::Video => time.max(out + MILLISECOND),
    }
}

/// Rounded down to a whole millisecond.
pub(crate) fn on_grid(time: StreamTime) -> StreamTime {
    time - StreamTime::new(time.get().rem_euclid(MILLISECOND.get()))
}

/// Maps the stream's timeline to the 32-bit milliseconds of an RTMP or FLV player.
///
/// The player's clock is zero at an origin, wraps at 2^32 and never goes back within a track.
#[derive(Clone, Debug)]
pub struct WireClock {
    origin: StreamTime,
    last: PerKind<Millis>,
}

impl WireClock {
    /// A clock that shows zero at `origin`: the time of the first message to be sent. Anything before it is shown as
    /// zero too.
    #[must_use]
    pub fn new(origin: StreamTime) -> Self {
        Self { origin, last: PerKind::default() }
    }

    /// The timestamp of a message at `time` (for video: the decoding time).
    pub fn map(&mut self, kind: Kind, time: StreamTime) -> u32 {
        let last = self.last.get_mut(kind);
        *last = (time - self.origin).rescale().max(*last);
        last.wire()
    }
}
