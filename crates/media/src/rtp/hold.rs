//! How long to hold media that came, so that what is lost and sent again still finds its place.
//!
//! Players of RTMP play by timestamps, out of a buffer that holds as much as one retransmission takes. What needs two stops
//! them. Where that happens, or is bound to, all media are held back a little, picture and sound alike: the buffer is then never
//! empty.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::lateness::Lateness;
use crate::drift::{RecentMinimum, bounded};
use crate::time::StreamTime;
use crate::timeline::Kind;

/// What players hold by themselves at least: the smallest buffer that WeChat recommends for calls.
const PLAYER: Duration = Duration::from_millis(200);

/// The longest time that anything is held: two retransmissions more than players bear, at a round trip of 150 ms.
const MOST: Duration = Duration::from_millis(300);

/// What comes so much later than usual waited for the path to come back, not for a retransmission. No buffer of a
/// conversation makes up for that, nor for what comes with it, until all of it has come.
const STALL: Duration = Duration::from_millis(600);

/// Nor is it a retransmission that so much in a row waited for: its path is narrow, and holding would not make it wider.
const LONGEST_RUN: StreamTime = StreamTime::new(1_500_000);

/// Nor does what comes so soon after nothing has come for [`STALL`] say anything about the path: it waited for what was lost
/// before it.
const SETTLING: StreamTime = StreamTime::new(1_500_000);

/// The share that is to be in time, where all that is late in a row counts as one. Each such row is a freeze of some 200 ms,
/// and those may be a hundredth of the time.
const SHARE: f32 = 0.999;

/// For how long what is expected counts. A camera that is off expects nothing.
const EXPECTED_FOR: StreamTime = StreamTime::new(3_000_000);

/// The memory of each track, in pictures or packets: one that was late counts for twenty seconds.
const AUDIO_MEMORY: f32 = 900.0;
const VIDEO_MEMORY: f32 = 600.0;

/// How fast less is held again, per second: players make up for it by playing that much faster.
const SHRINK: StreamTime = StreamTime::new(20_000);

/// Learns how late the media of one publisher come, over both tracks.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The least delay of late: the time of the stream has an offset to when things arrive.
    least: RecentMinimum,
    audio: Track,
    video: Track,
    /// How late media will be now and then, by what the path loses, and when that was told.
    expected: (Duration, StreamTime),
    held: StreamTime,
    followed_at: Option<StreamTime>,
    /// Until when nothing is learned.
    settled_at: StreamTime,
}

#[derive(Clone, Debug)]
struct Track {
    lateness: Lateness,
    run: Option<Run>,
}

/// What is later in a row than players bear: one gap of what they play, however much waited for the same packet.
#[derive(Clone, Copy, Debug)]
struct Run {
    since: StreamTime,
    most: Duration,
}

impl Run {
    /// Whether it waits for a retransmission.
    fn is_repair(&self, now: StreamTime) -> bool {
        self.most < STALL && now - self.since < LONGEST_RUN
    }
}

impl Track {
    fn new(memory: f32) -> Self {
        Self { lateness: Lateness::new(memory, Duration::ZERO, 0.0), run: None }
    }

    fn observe(&mut self, late: Duration, now: StreamTime) {
        if late > PLAYER {
            let run = self.run.get_or_insert(Run { since: now, most: late });
            run.most = run.most.max(late);
            return;
        }
        if let Some(run) = self.run.take().filter(|run| run.is_repair(now)) {
            self.lateness.observe(run.most);
        }
        self.lateness.observe(late);
    }

    /// How late the media come that are to be in time.
    fn needed(&self, now: StreamTime) -> Duration {
        let run = self.run.filter(|run| run.is_repair(now)).map_or(Duration::ZERO, |run| run.most);
        self.lateness.quantile(SHARE).max(run)
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            least: RecentMinimum::default(),
            audio: Track::new(AUDIO_MEMORY),
            video: Track::new(VIDEO_MEMORY),
            expected: (Duration::ZERO, StreamTime::ZERO),
            held: StreamTime::ZERO,
            followed_at: None,
            settled_at: StreamTime::ZERO,
        }
    }
}

impl Hold {
    /// Something that belongs to `time` of the stream is there, whole and in order, at `now`. Returns how long to hold it.
    pub fn came(&mut self, kind: Kind, time: StreamTime, now: StreamTime) -> Duration {
        let delay = now - time;
        self.least.push(now, delay);
        let late = delay - self.least.get(now).unwrap_or(delay);
        if self.followed_at.is_some_and(|last| (now - last).to_duration() >= STALL) {
            self.settled_at = now + SETTLING;
            (self.audio.run, self.video.run) = (None, None);
        }
        if now >= self.settled_at {
            match kind {
                Kind::Audio => self.audio.observe(late.to_duration(), now),
                Kind::Video => self.video.observe(late.to_duration(), now),
            }
        }
        self.follow(now);
        (self.held - late).to_duration()
    }

    /// How late media will be now and then, as [`JitterBuffer::expected`](super::JitterBuffer::expected) tells: it is held for
    /// before it is seen, or the first time would stop players.
    pub fn anticipate(&mut self, late: Duration, now: StreamTime) {
        self.expected = (late, now);
    }

    /// More is held at once, less by and by.
    fn follow(&mut self, now: StreamTime) {
        let (expected, told) = self.expected;
        let expected = if now - told < EXPECTED_FOR { expected } else { Duration::ZERO };
        let needed = self.audio.needed(now).max(self.video.needed(now)).max(expected);
        let target = StreamTime::from_duration(needed.saturating_sub(PLAYER).min(MOST));
        let elapsed = now - self.followed_at.replace(now).unwrap_or(now);
        self.held = target.max(self.held + bounded(target - self.held, elapsed, SHRINK));
    }
}

/// The most that one line holds: [`MOST`] of a thousand packets a second, with room.
const MAX_HELD: usize = 512;

/// What is held, in order.
#[derive(Debug)]
pub struct HoldLine<T> {
    items: VecDeque<(Instant, T)>,
}

impl<T> Default for HoldLine<T> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<T> HoldLine<T> {
    /// Holds an item for so long, and at least until all before it are let go.
    pub fn push(&mut self, item: T, hold: Duration, now: Instant) {
        self.items.push_back((now + hold, item));
    }

    /// The next item that is held no longer, also because it makes room.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        self.poll_timeout().filter(|due| *due <= now || self.items.len() > MAX_HELD)?;
        self.items.pop_front().map(|(_, item)| item)
    }

    /// When [`pop`](Self::pop) has something.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.items.front().map(|(due, _)| *due)
    }

    /// Drops what is held.
    pub fn clear(&mut self) {
        self.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: i64) -> StreamTime {
        StreamTime::new(count * 1_000)
    }

    /// A call of so many seconds, of 15 pictures and 50 packets of sound each, whose pictures are as late as `late` says, by
    /// their number. Returns for each picture when it is let go, in ms after its time.
    fn call(hold: &mut Hold, from: i64, seconds: i64, late: impl Fn(i64) -> i64) -> Vec<i64> {
        let mut out = Vec::new();
        for tick in from * 300..(from + seconds) * 300 {
            let time = StreamTime::new(tick * 1_000_000 / 300);
            if tick % 6 == 0 {
                hold.came(Kind::Audio, time, time + ms(40));
            }
            if tick % 20 == 0 {
                let late = late(tick / 20);
                let held = hold.came(Kind::Video, time, time + ms(50 + late));
                out.push(50 + late + i64::try_from(held.as_millis()).unwrap());
            }
        }
        out
    }

    #[test]
    fn a_good_path_holds_nothing_nor_does_one_that_players_bear() {
        let mut hold = Hold::default();
        assert!(call(&mut hold, 0, 30, |n| n % 3).iter().all(|at| *at <= 52));
        let bearable = call(&mut hold, 30, 30, |n| if n % 7 == 0 { 140 } else { 0 });
        assert!(bearable.iter().all(|at| *at == 50 || *at == 190));
    }

    #[test]
    fn what_players_do_not_bear_holds_all_the_others_until_then() {
        let mut hold = Hold::default();
        let out = call(&mut hold, 0, 60, |n| if n % 60 == 30 { 280 } else { 0 });
        assert_eq!(out[31..].iter().filter(|at| **at == 330).count(), 14);
        let (least, most) = (out[31..].iter().min().unwrap(), out[31..].iter().max().unwrap());
        // A class is 10 ms, and the offset of the sound 10 ms less than that of the pictures.
        assert!(most - least <= 200 && *least >= 130, "{least} to {most}");
    }

    #[test]
    fn what_is_expected_is_held_for_before_it_is_seen_and_forgotten_when_it_is_not_told_any_more() {
        let expecting = |late: i64, at: i64| {
            let mut hold = Hold::default();
            hold.anticipate(ms(late).to_duration(), StreamTime::ZERO);
            call(&mut hold, 0, 30, |n| if n == at { 280 } else { 0 })
        };
        let late_once = expecting(290, 40);
        assert!(late_once[5..45].iter().all(|at| (130..=330).contains(at)), "{late_once:?}");
        let never_late = expecting(290, 1_000);
        assert!(never_late[5..45].iter().all(|at| *at >= 130), "{never_late:?}");
        assert!(never_late[150..].iter().all(|at| *at == 50), "{never_late:?}");
        assert!(expecting(900, 1_000).iter().all(|at| *at <= 350));
    }

    #[test]
    fn what_is_not_needed_any_more_is_given_back_slowly() {
        let mut hold = Hold::default();
        call(&mut hold, 0, 30, |n| if n % 10 == 0 { 400 } else { 0 });
        let out = call(&mut hold, 30, 600, |_| 0);
        assert!(out[0] > 200, "{}", out[0]);
        assert!(out.windows(2).all(|pair| pair[0] - pair[1] <= 2));
        assert_eq!(out.last(), Some(&50));
    }

    #[test]
    fn a_path_that_stood_still_is_no_reason_and_no_reason_holds_longer_than_the_longest() {
        let mut hold = Hold::default();
        let out = call(&mut hold, 0, 30, |n| if (200..230).contains(&n) { 1_000 } else { 0 });
        assert_eq!(out.iter().filter(|at| **at == 50).count(), 420);
        // Three seconds of it come at once.
        let out = call(&mut hold, 30, 30, |n| (3_000 - (n - 500) * 66).clamp(0, 3_000) * i64::from(n >= 500));
        assert_eq!(out.iter().filter(|at| **at == 50).count(), 450 - 46);
        let mut hold = Hold::default();
        let out = call(&mut hold, 0, 30, |n| if n % 2 == 0 { 590 } else { 0 });
        assert!(out.iter().skip(1).step_by(2).all(|at| *at <= 40 + 300), "{out:?}");
    }

    #[test]
    fn what_comes_right_after_a_path_that_brought_nothing_is_no_reason() {
        let mut hold = Hold::default();
        call(&mut hold, 0, 30, |_| 0);
        let out = call(&mut hold, 33, 30, |n| if n < 500 { 450 } else { 0 });
        assert_eq!((out[0], out[4], out[5]), (500, 500, 50));
        let out = call(&mut hold, 63, 30, |n| if n < 950 { 450 } else { 0 });
        assert!(out[0] == 500 && out[5] > 250, "{out:?}");
    }

    #[test]
    fn late_media_in_a_row_count_once_and_a_path_that_is_late_for_long_is_no_reason() {
        // In twenty seconds a row is forgotten, as long as it may be.
        for length in [1, 9] {
            let mut hold = Hold::default();
            let out = call(&mut hold, 0, 240, |n| if (2_000..2_000 + length).contains(&n) { 400 } else { 0 });
            let (after, later) = (out[2_010], out[2_000 + 40 * 15]);
            assert!(after > 200 && later < 60, "{length}: {after} {later}");
        }
        let mut hold = Hold::default();
        let out = call(&mut hold, 0, 60, |n| if (100..160).contains(&n) { 400 } else { 0 });
        assert_eq!(out[160 + 11 * 15], 50);
    }

    #[test]
    fn a_line_keeps_order_and_makes_room() {
        let start = Instant::now();
        let mut line = HoldLine::default();
        line.push(1, Duration::from_millis(20), start);
        line.push(2, Duration::ZERO, start);
        assert_eq!((line.pop(start), line.poll_timeout()), (None, Some(start + Duration::from_millis(20))));
        let later = start + Duration::from_millis(20);
        assert_eq!((line.pop(later), line.pop(later), line.pop(later)), (Some(1), Some(2), None));
        for n in 0..MAX_HELD {
            line.push(n, Duration::from_secs(1), start);
            assert_eq!(line.pop(start), None);
        }
        line.push(MAX_HELD, Duration::from_secs(1), start);
        assert_eq!((line.pop(start), line.pop(start)), (Some(0), None));
    }
}
