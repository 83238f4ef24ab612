//! Where the media of an RTMP publisher lie on the server's clock, and which of them come too late to be live.

use crate::drift::{DRIFT_PER_SECOND, FOLLOW_INTERVAL, RecentMinimum, bounded};
use crate::time::StreamTime;
use crate::timeline::{Kind, PerKind, RtmpTimeline, after, on_grid};

/// How much later than usual media may come and still be passed on. Publishers without an audience are read every
/// 200 ms, and a mobile link under load jitters by 300 ms.
pub const MAX_LATENESS: StreamTime = StreamTime::new(600_000);

/// How near to its usual place a track has to come to be live again. What is left of a burst goes into the players'
/// buffers, which a stall has emptied.
pub const LIVE_AGAIN: StreamTime = StreamTime::new(100_000);

/// How long lateness is watched before it is judged whether it shrinks. TCP that comes back from a stall begins slowly
/// and doubles its pace with every round trip.
pub const SETTLING: StreamTime = StreamTime::new(500_000);

/// The longest that one stall holds media back after its end. Nobody wants to wait longer for a publisher whose path
/// catches up slowly.
pub const MAX_HOLD: StreamTime = StreamTime::new(2_000_000);

/// How far media may lie ahead of their arrival. It is what a player's buffer grows by.
pub const MAX_EARLINESS: StreamTime = StreamTime::new(600_000);

/// How far one track may be behind the other for good and still be passed on with its own times. Beyond that a player
/// that keeps both together stands still.
pub const MAX_SKEW: StreamTime = StreamTime::new(3_000_000);

/// How much later than the message before it the first late message comes if the path stood still. Below that
/// lateness has crept up, and no burst will make up for it.
const STALL: StreamTime = StreamTime::new(300_000);

/// For how long the least delay is watched before the clock is followed from there: the first message seldom came as
/// promptly as those after it, and bending the sound until it would have is heard more than what it gains.
const FIRST_WATCH: StreamTime = StreamTime::new(4_000_000);

/// How far from the arrival of its media a stream may stay for good. It is what mixed sound waits longer for.
const MAX_OFFSET: StreamTime = StreamTime::new(300_000);

/// The longest stretch for which the clock is followed at once: two waiting images of a phone in the background.
const MAX_FOLLOWED: StreamTime = StreamTime::new(400_000);

/// Where a message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this time of the stream (for video: the decoding time), on a grid of one millisecond.
    Live(StreamTime),
    /// In the past: the path stood still and has not caught up yet.
    Late,
}

/// What an RTMP publisher's clock and path have done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveCounters {
    /// Times that a track was held back.
    pub stalls: u64,
    /// Messages that came too late.
    pub late: u64,
    /// Times that a stream was moved to live because it came later, or earlier, for good.
    pub moves: u64,
}

/// Maps the timestamps of an RTMP publisher to the stream's timeline, and keeps them at the server's clock.
///
/// [`RtmpTimeline`] places a message by the publisher's clock. On top of that,
/// - the drift of that clock is followed: the least delay of late, over both tracks, is kept to what it was in the first
///   seconds, by no more than 1 ms a second;
/// - what comes more than [`MAX_LATENESS`] later than is usual for its track is [`Place::Late`], until the track is back
///   within [`LIVE_AGAIN`]. If lateness does not shrink by a quarter of the time that passes, or after [`MAX_HOLD`], the
///   path has become slower, and that is the usual from then on;
/// - what would lie more than [`MAX_EARLINESS`] ahead of its arrival moves the stream back to its arrival: what was
///   given out ahead is not given out again.
///
/// One that comes late, or early, while the other track is on time is a track with its own numbering: beyond
/// [`MAX_SKEW`] late, or [`MAX_EARLINESS`] early, it is moved against the other.
///
/// The time of a track never decreases; that of video always increases.
#[derive(Debug, Default)]
pub struct LiveClock {
    timeline: RtmpTimeline,
    /// What is added to a time of `timeline`; none before the first message.
    shift: Option<StreamTime>,
    followed_at: StreamTime,
    /// When the stream was put where it is; none before the first message and right after it was moved.
    placed_at: Option<StreamTime>,
    /// How much later than its place the promptest message came by the end of [`FIRST_WATCH`]; none before.
    offset: Option<StreamTime>,
    tracks: PerKind<Track>,
    counters: LiveCounters,
}

/// A track. Delays are arrival less the time of `timeline`.
#[derive(Debug, Default)]
struct Track {
    delays: RecentMinimum,
    /// The least delay of late; none before the first message.
    usual: Option<StreamTime>,
    latest: Option<Message>,
    late: Option<Late>,
    out: Option<StreamTime>,
    /// Set while times up to `out` have been given out by a clock that was ahead.
    ahead: Option<Ahead>,
}

/// A message on the timeline of its publisher's clock.
#[derive(Clone, Copy, Debug)]
struct Message {
    kind: Kind,
    at: StreamTime,
    time: StreamTime,
}

impl Message {
    fn delay(self) -> StreamTime {
        self.at - self.time
    }
}

/// What is moved back to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ahead {
    /// The stream.
    Both,
    /// The track, against the other.
    Alone,
}

/// A track that is held back.
#[derive(Clone, Copy, Debug)]
struct Late {
    since: StreamTime,
    /// The message at which its delay was last judged.
    judged: Message,
    /// The least delay since then.
    least: StreamTime,
}

impl LiveClock {
    /// The place of a message with the timestamp `wire` that arrived at `arrival`.
    pub fn map(&mut self, kind: Kind, wire: u32, arrival: StreamTime) -> Place {
        let time = self.timeline.locate(kind, wire, arrival);
        let mut message = Message { kind, at: arrival, time };
        self.bring_back(&mut message);
        let is_late = self.is_late(&mut message);
        self.tracks.get_mut(kind).latest = Some(message);
        let place = if is_late { Place::Late } else { self.give_out(message) };
        self.counters.late += u64::from(place == Place::Late);
        place
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> LiveCounters {
        self.counters
    }

    /// The jumps of the publisher's timestamps repaired so far.
    #[must_use]
    pub const fn repairs(&self) -> u64 {
        self.timeline.repairs()
    }

    /// What is added to the publisher's clock; zero before the first message.
    fn shift(&self) -> StreamTime {
        self.shift.unwrap_or(StreamTime::ZERO)
    }

    /// Moves a stream, or a track, whose media lie too far ahead of their arrival; and on, for as long as they come
    /// faster than they are played.
    fn bring_back(&mut self, message: &mut Message) {
        let shift = *self.shift.get_or_insert(message.delay());
        let known = self.tracks.get(message.kind).ahead;
        let tolerance = if known.is_some() { StreamTime::ZERO } else { MAX_EARLINESS };
        if message.delay() >= shift - tolerance {
            return;
        }
        let other = message.kind.other();
        let ahead = known.unwrap_or_else(|| {
            self.counters.moves += 1;
            if self.is_on_time(other, message.at) { Ahead::Alone } else { Ahead::Both }
        });
        self.tracks.get_mut(message.kind).ahead = Some(ahead);
        match ahead {
            Ahead::Alone => self.part(message),
            Ahead::Both => {
                self.move_to(message.kind, message.delay());
                self.tracks.get_mut(other).ahead = Some(ahead);
            }
        }
    }

    fn is_late(&mut self, message: &mut Message) -> bool {
        let (shift, delay) = (self.shift(), message.delay());
        let track = self.tracks.get_mut(message.kind);
        // A track that begins behind the other was recorded earlier, as far as that is believable.
        let believable = if delay - shift > MAX_SKEW { shift } else { delay };
        let lateness = delay - *track.usual.get_or_insert(believable);
        let Some(late) = &mut track.late else {
            if lateness <= MAX_LATENESS {
                return false;
            }
            if track.latest.is_none_or(|latest| delay - latest.delay() < STALL) {
                self.accept(message, delay);
                return false;
            }
            self.counters.stalls += 1;
            track.late = Some(Late { since: message.at, judged: *message, least: delay });
            return true;
        };
        if lateness <= LIVE_AGAIN {
            track.late = None;
            return false;
        }
        late.least = late.least.min(delay);
        let watched = message.at - late.judged.at;
        if watched < SETTLING {
            return true;
        }
        let fallen = late.judged.delay() - late.least;
        let is_catching_up = fallen.get().saturating_mul(4) >= watched.get();
        if is_catching_up && message.at - late.since < MAX_HOLD {
            *late = Late { judged: *message, least: delay, ..*late };
            return true;
        }
        let least = late.least;
        self.accept(message, least);
        false
    }

    /// Takes `delay` for the usual one of a track from now on.
    fn accept(&mut self, message: &mut Message, delay: StreamTime) {
        let by = delay - self.shift();
        self.tracks.get_mut(message.kind).expect_delay(Some(delay));
        if !self.is_on_time(message.kind.other(), message.at) {
            self.counters.moves += 1;
            self.move_to(message.kind, delay);
        } else if by > MAX_SKEW {
            self.counters.moves += 1;
            self.part(message);
        }
    }

    /// Moves the stream to where media of `kind` with this delay are live.
    fn move_to(&mut self, kind: Kind, delay: StreamTime) {
        let by = delay - self.shift();
        self.shift = Some(delay);
        (self.placed_at, self.offset) = (None, None);
        self.tracks.get_mut(kind).expect_delay(Some(delay));
        let other = self.tracks.get_mut(kind.other());
        other.expect_delay(other.usual.map(|usual| usual + by));
    }

    /// Gives a track, which the other shows to be numbered wrongly, a clock of its own that is on time.
    fn part(&mut self, message: &mut Message) {
        let by = on_grid(message.delay() - self.shift());
        self.timeline.part(message.kind, by);
        message.time += by;
        self.tracks.get_mut(message.kind).expect_delay(Some(message.delay()));
    }

    /// Whether a track has come of late, and about when it should have.
    fn is_on_time(&self, kind: Kind, now: StreamTime) -> bool {
        let track = self.tracks.get(kind);
        let (Some(latest), Some(usual), None) = (track.latest, track.usual, track.late) else { return false };
        now - latest.at <= SETTLING
            && (latest.delay() - usual).get() < MAX_LATENESS.get() / 2
            && (self.shift() - latest.delay()).get() < MAX_EARLINESS.get() / 2
    }

    /// Gives a message its time, unless it lies in what was given out before the stream was moved back.
    fn give_out(&mut self, message: Message) -> Place {
        self.follow(message);
        let time = on_grid(message.time + self.shift());
        let track = self.tracks.get_mut(message.kind);
        if track.ahead.is_some() && track.out.is_some_and(|out| time <= out) {
            return Place::Late;
        }
        track.ahead = None;
        let time = track.out.map_or(time, |out| after(message.kind, out, time));
        track.out = Some(time);
        Place::Live(time)
    }

    /// Follows the publisher's clock.
    fn follow(&mut self, message: Message) {
        let now = message.at;
        let track = self.tracks.get_mut(message.kind);
        track.delays.push(now, message.delay());
        let elapsed = now - self.followed_at;
        if elapsed < FOLLOW_INTERVAL {
            return;
        }
        track.usual = track.delays.get(now);
        let both = [Kind::Audio, Kind::Video].map(|kind| self.tracks.get(kind).delays.get(now));
        if let Some(least) = both.into_iter().flatten().min() {
            let error = least - self.shift();
            let offset = self.offset_at(now, error);
            // A pause is no time in which the clock was seen to drift.
            let elapsed = elapsed.min(MAX_FOLLOWED);
            self.shift = Some(self.shift() + bounded(error - offset, elapsed, DRIFT_PER_SECOND));
        }
        self.followed_at = now;
    }

    /// The distance that is to be kept, where it is `error` now.
    fn offset_at(&mut self, now: StreamTime, error: StreamTime) -> StreamTime {
        if now - *self.placed_at.get_or_insert(now) < FIRST_WATCH {
            return error;
        }
        *self.offset.get_or_insert(error.clamp(StreamTime::ZERO - MAX_OFFSET, MAX_OFFSET))
    }
}

impl Track {
    /// Begins to watch the delay anew, at `usual`.
    fn expect_delay(&mut self, usual: Option<StreamTime>) {
        self.delays = RecentMinimum::default();
        self.usual = usual;
        self.late = None;
    }
}
