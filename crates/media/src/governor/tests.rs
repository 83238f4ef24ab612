//! The governor between a stream and a simulated path, in virtual time.

use std::collections::VecDeque;

use super::*;

/// Bytes that the simulated kernel keeps unsent, and bytes that it has under way at most.
const UNSENT: u64 = 8_192;
const IN_FLIGHT: u64 = 24_000;
const MAX_LAG: Duration = Duration::from_millis(500);

/// 25 pictures a second, 800 kbit/s with a keyframe every `group` pictures, and 64 kbit/s of sound.
#[derive(Clone, Copy)]
struct Stream {
    group: u64,
    sound: bool,
}

impl Stream {
    /// What arrives in this millisecond.
    fn at(self, millis: u64) -> Vec<(Part, usize)> {
        let mut frames = Vec::new();
        if self.sound && millis.is_multiple_of(20) {
            frames.push((Part::Audio, 160));
        }
        if millis.is_multiple_of(40) {
            let index = millis / 40 % self.group;
            frames.push(if index == 0 { (Part::Keyframe, 20_000) } else { (Part::Reference, 3_700) });
        }
        frames
    }
}

/// A sent frame: part, the time of the stream and of the player in ms, and when it was received.
#[derive(Clone, Copy, Debug)]
struct Received {
    part: Part,
    original: i64,
    time: i64,
    at: u64,
}

/// The player's side: a path with a rate, behind a kernel.
struct Path {
    start: Instant,
    governor: Governor<(Part, u64)>,
    written: u64,
    acked: f64,
    /// What the kernel has not taken yet of the last frame.
    pending: u64,
    under_way: VecDeque<(u64, Part, i64, i64)>,
    received: Vec<Received>,
    /// Of each millisecond: the age of the oldest byte that was not received.
    lags: Vec<u64>,
    wishes: Vec<u64>,
    probes: u64,
    queue: VecDeque<(u64, Part, usize)>,
}

impl Path {
    fn new() -> Self {
        Self {
            start: Instant::now(),
            governor: Governor::new(MAX_LAG),
            written: 0,
            acked: 0.0,
            pending: 0,
            under_way: VecDeque::new(),
            received: Vec::new(),
            lags: Vec::new(),
            wishes: Vec::new(),
            probes: 0,
            queue: VecDeque::new(),
        }
    }

    fn run(stream: Stream, seconds: u64, rate: impl Fn(u64) -> f64) -> Self {
        let mut path = Self::new();
        for millis in 0..seconds * 1_000 {
            path.step(millis, stream.at(millis), rate(millis) / 8_000.0);
        }
        path
    }

    fn step(&mut self, millis: u64, frames: Vec<(Part, usize)>, bytes: f64) {
        let now = self.start + Duration::from_millis(millis);
        self.queue.extend(frames.into_iter().map(|(part, bytes)| (millis, part, bytes)));
        self.acked = (self.acked + bytes).min(self.written as f64);
        while let Some((end, part, original, time)) = self.under_way.front().copied()
            && end as f64 <= self.acked
        {
            self.under_way.pop_front();
            self.received.push(Received { part, original, time, at: millis });
        }
        self.write(now);
        let oldest = self.under_way.front().map(|(.., original, _)| *original);
        self.lags.push(oldest.map_or(0, |since| millis.saturating_sub(u64::try_from(since).unwrap())));
    }

    fn write(&mut self, now: Instant) {
        loop {
            let limit = self.acked as u64 + IN_FLIGHT + UNSENT;
            let taken = self.pending.min(limit.saturating_sub(self.written));
            (self.pending, self.written) = (self.pending - taken, self.written + taken);
            if self.pending == 0 {
                self.governor.wrote(now, self.written);
                for (arrived, part, bytes) in self.queue.drain(..) {
                    let time = StreamTime::new(i64::try_from(arrived).unwrap() * 1_000);
                    let at = self.start + Duration::from_millis(arrived);
                    self.governor.push(at, part, time, bytes, (part, bytes as u64));
                }
            }
            if self.governor.is_probe_due(now) {
                let acked = self.acked as u64;
                self.probes += 1;
                self.governor.probed(now, Some(Probe { acked, min_rtt: Duration::ZERO }));
            }
            if self.pending > 0 {
                return;
            }
            let next = self.governor.next(now);
            if self.governor.take_wish(now) {
                self.wishes.push(now.duration_since(self.start).as_millis() as u64);
            }
            let Next::Send(Outgoing { frame: (part, bytes), time }) = next else { return };
            self.pending = bytes;
            let original = self.original(now, part, time);
            self.under_way.push_back((self.written + bytes, part, original, time.get() / 1_000));
        }
    }

    /// When what is sent now was due; squeezed pictures are due at once.
    fn original(&self, now: Instant, _: Part, time: StreamTime) -> i64 {
        let now = i64::try_from(now.duration_since(self.start).as_millis()).unwrap();
        let original = (time + self.governor.shift).get() / 1_000;
        if now - original > 1_000 { now } else { original }
    }

    fn times(&self, part: impl Fn(Part) -> bool, from: u64, to: u64) -> Vec<Received> {
        let within = |frame: &&Received| part(frame.part) && (from..to).contains(&frame.at);
        self.received.iter().filter(within).copied().collect()
    }

    fn pictures(&self, from: u64, to: u64) -> Vec<Received> {
        self.times(|part| part != Part::Audio, from, to)
    }

    fn sound(&self, from: u64, to: u64) -> Vec<Received> {
        self.times(|part| part == Part::Audio, from, to)
    }

    fn max_lag(&self, from: usize, to: usize) -> u64 {
        self.lags[from..to.min(self.lags.len())].iter().copied().max().unwrap_or_default()
    }

    /// The longest time without a new picture.
    fn longest_freeze(&self, from: u64, to: u64) -> u64 {
        let pictures = self.pictures(from, to);
        pictures.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or(to - from)
    }

    fn assert_times_never_go_back(&self) {
        for audio in [true, false] {
            let frames = self.times(|part| (part == Part::Audio) == audio, 0, u64::MAX);
            for pair in frames.windows(2) {
                assert!(pair[1].time >= pair[0].time, "{pair:?}");
            }
        }
    }
}

const FREE: f64 = 20_000_000.0;
const WITH_SOUND: Stream = Stream { group: 50, sound: true };

#[test]
fn a_player_that_keeps_up_gets_everything_as_it_is_and_the_kernel_is_hardly_asked() {
    let path = Path::run(WITH_SOUND, 20, |_| FREE);
    assert_eq!(path.pictures(0, 20_000).len(), 500);
    assert_eq!(path.sound(0, 20_000).len(), 1_000);
    assert!(path.received.iter().all(|frame| frame.original == frame.time));
    assert_eq!(path.governor.counts(), Counts::default());
    assert!(path.probes < 20 * 8, "{} in 20 s", path.probes);
}

#[test]
fn a_server_that_is_late_itself_takes_no_path_for_a_narrow_one() {
    let start = Instant::now();
    let mut governor = Governor::new(MAX_LAG);
    let mut end = 0;
    for picture in 0..500_u64 {
        let (part, bytes) =
            if picture % 50 == 0 { (Part::Keyframe, 100_000) } else { (Part::Reference, 3_700) };
        let arrived = start + Duration::from_millis(picture * 40);
        governor.push(arrived, part, StreamTime::new(i64::try_from(picture).unwrap() * 40_000), bytes, ());
        assert!(matches!(governor.next(arrived), Next::Send(_)), "picture {picture}");
        // The kernel takes it at once, and has got rid of all before, but the task is told of that only just before the next.
        governor
            .probed(arrived + Duration::from_millis(30), Some(Probe { acked: end, min_rtt: Duration::ZERO }));
        end += bytes as u64;
        governor.wrote(arrived + Duration::from_millis(35), end);
    }
    assert_eq!(governor.counts(), Counts::default());
}

#[test]
fn a_stream_of_next_to_nothing_is_not_taken_for_a_narrow_path() {
    let mut path = Path::new();
    for millis in 0..20_000_u64 {
        let mut frames = Vec::new();
        if millis.is_multiple_of(60) {
            frames.extend([(Part::Audio, 8); 3]);
        }
        if millis % 2_000 == 1_990 {
            frames.push((Part::Keyframe, 20_000));
        }
        // As on a server, where a player looks up when there is something to send.
        if !frames.is_empty() {
            path.step(millis, frames, FREE);
        }
    }
    assert_eq!(path.pictures(0, 20_000).len(), 9, "the last one is on its way");
    assert_eq!(path.governor.counts(), Counts::default());
}

#[test]
fn on_a_path_of_70_percent_sound_is_whole_and_pictures_go_on_in_even_runs_within_the_lag() {
    let limited = |millis| if (5_000..35_000).contains(&millis) { 600_000.0 } else { FREE };
    let mut path = Path::run(WITH_SOUND, 45, limited);
    path.assert_times_never_go_back();
    assert_eq!(path.sound(0, 45_000).len(), 2_250, "sound is whole");
    assert!(path.sound(0, 45_000).iter().all(|frame| frame.original == frame.time), "and keeps its time");
    assert!(path.max_lag(0, 8_000) <= 750, "{}", path.max_lag(0, 8_000));
    assert!(path.max_lag(8_000, 45_000) <= 650, "{}", path.max_lag(8_000, 45_000));
    assert!(path.max_lag(35_100, 45_000) < 100, "live at once when it is released");
    let shown = path.pictures(6_000, 35_000).len();
    assert!(shown > 340, "{shown} of 725 pictures");
    assert!(path.longest_freeze(8_000, 35_000) < 700, "{}", path.longest_freeze(8_000, 35_000));
    assert_eq!(path.pictures(38_000, 45_000).len(), 175);
    let counts = path.governor.counts();
    assert_eq!((counts.audio, counts.rebases), (0, 0));
    assert!((12..=17).contains(&counts.groups), "{counts:?}");
    let end = path.start + Duration::from_secs(45);
    assert_eq!(path.governor.video_bitrate(end), None, "not limited any more");
}

#[test]
fn a_limited_path_is_known_by_what_it_carries_of_video() {
    let mut path = Path::run(WITH_SOUND, 20, |millis| if millis > 2_000 { 600_000.0 } else { FREE });
    let end = path.start + Duration::from_secs(20);
    let bits = path.governor.video_bitrate(end).unwrap();
    assert!((480_000..600_000).contains(&bits), "{bits}");
}

#[test]
fn on_a_path_for_little_more_than_sound_keyframes_that_are_too_large_are_tried_ever_more_rarely() {
    let path = Path::run(WITH_SOUND, 90, |millis| if millis > 2_000 { 100_000.0 } else { FREE });
    path.assert_times_never_go_back();
    let heard = path.sound(6_000, 90_000).len();
    assert!(heard > 4_050, "{heard} of 4200 frames of sound");
    let keyframes = path.pictures(6_000, 90_000).len();
    assert!((1..=4).contains(&keyframes), "{keyframes} pictures");
    let late = path.lags.iter().skip(6_000).filter(|lag| **lag > 1_000).count();
    assert!(late < 3_000, "over a second behind for {late} ms of 84 s");
}

#[test]
fn pictures_that_nothing_refers_to_go_first() {
    let mut path = Path::new();
    for millis in 0..20_000_u64 {
        let mut frames = WITH_SOUND.at(millis);
        for frame in &mut frames {
            if frame.0 == Part::Reference && millis % 80 == 40 {
                frame.0 = Part::Disposable;
            }
        }
        path.step(millis, frames, if millis > 2_000 { 80.0 } else { 2_500.0 });
    }
    let counts = path.governor.counts();
    assert!(counts.disposable > 50, "{counts:?}");
    assert_eq!((counts.groups, counts.audio), (0, 0), "nothing else had to go");
    assert!(path.longest_freeze(3_000, 20_000) < 400, "{}", path.longest_freeze(3_000, 20_000));
}

#[test]
fn a_path_that_stood_still_is_live_at_once_with_a_timeline_without_a_hole() {
    for end in [10_000_u64, 10_900, 11_700] {
        let path = Path::run(
            WITH_SOUND,
            20,
            |millis| {
                if (5_000..end).contains(&millis) { 0.0 } else { 4_000_000.0 }
            },
        );
        path.assert_times_never_go_back();
        let after = path.received.iter().filter(|frame| frame.at >= end);
        let live = |audio| {
            after
                .clone()
                .find(|frame| (frame.part == Part::Audio) == audio && frame.original + 300 > frame.at as i64)
                .unwrap()
                .at
        };
        assert!(live(true) < end + 500 && live(false) < end + 1_000, "{} {}", live(true), live(false));
        assert!(path.max_lag(end as usize + 1_000, 20_000) < 300);
        let sound = path.sound(0, 20_000);
        let hole = sound.windows(2).map(|pair| pair[1].time - pair[0].time).max().unwrap();
        assert!(hole <= 80, "the player's sound has a hole of {hole} ms");
        assert_eq!(path.governor.counts().rebases, 1);
        // One shift for both.
        let shift = |audio: bool| {
            let frames = path.times(|part| (part == Part::Audio) == audio, end + 3_000, 20_000);
            (frames[0].original - frames[0].time, frames.last().map(|frame| frame.original - frame.time))
        };
        assert_eq!(shift(true), shift(false));
        let expected = (19_990 - end - 1_000) / 40;
        assert!(path.pictures(end + 1_000, 19_990).len() as u64 >= expected);
    }
}

#[test]
fn a_stream_without_sound_goes_on_after_a_standstill_without_a_hole_too() {
    let stream = Stream { sound: false, ..WITH_SOUND };
    let path =
        Path::run(stream, 20, |millis| if (5_000..10_500).contains(&millis) { 0.0 } else { 4_000_000.0 });
    path.assert_times_never_go_back();
    let pictures = path.pictures(0, 20_000);
    let hole = pictures.windows(2).map(|pair| pair[1].time - pair[0].time).max().unwrap();
    assert!(hole <= 120, "{hole} ms");
    assert!(path.longest_freeze(10_500, 20_000) < 200);
}

#[test]
fn a_short_standstill_costs_nothing() {
    let path =
        Path::run(WITH_SOUND, 10, |millis| if (5_000..5_250).contains(&millis) { 0.0 } else { 4_000_000.0 });
    assert_eq!(path.governor.counts(), Counts::default());
    assert_eq!(path.pictures(0, 10_000).len(), 250);
}

#[test]
fn a_publisher_is_asked_for_keyframes_but_not_by_the_minute_of_a_slow_player() {
    let endless = Stream { group: u64::MAX, sound: true };
    let path = Path::run(endless, 60, |millis| if millis > 2_000 { 600_000.0 } else { FREE });
    let wishes = &path.wishes;
    assert!(wishes.len() > 10 && wishes.len() < 20, "{wishes:?}");
    assert!(wishes.windows(2).skip(2).all(|pair| pair[1] - pair[0] >= 4_000), "{wishes:?}");
}

#[test]
fn a_player_that_joins_on_a_slow_path_is_not_stuck_in_the_pictures_it_begins_with() {
    let mut path = Path::new();
    let cached = (0..50_u64).map(|picture| {
        let (part, bytes) = if picture == 0 { (Part::Keyframe, 20_000) } else { (Part::Reference, 3_700) };
        (part, StreamTime::new(0), bytes, (part, bytes as u64))
    });
    path.governor.begin(path.start, cached);
    for millis in 0..10_000 {
        path.step(millis, WITH_SOUND.at(millis + 1_000), 75.0);
    }
    assert!(path.max_lag(0, 10_000) < 1_000, "{}", path.max_lag(0, 10_000));
    assert_eq!(path.governor.counts().audio, 0);
    assert!(path.longest_freeze(1_100, 10_000) < 1_500);
}

#[test]
fn without_word_from_the_kernel_what_waits_is_governed_all_the_same() {
    let (start, mut governor) = (Instant::now(), Governor::new(MAX_LAG));
    let at = |millis: u64| start + Duration::from_millis(millis);
    governor.push(at(0), Part::Keyframe, StreamTime::ZERO, 1_000, 0);
    assert_eq!(governor.next(at(0)), Next::Send(Outgoing { frame: 0, time: StreamTime::ZERO }));
    assert!(governor.is_probe_due(at(30)));
    governor.probed(at(30), None);
    governor.push(at(40), Part::Reference, StreamTime::new(40_000), 1_000, 1);
    governor.push(at(500), Part::Audio, StreamTime::new(500_000), 100, 2);
    governor.wrote(at(560), 1_000);
    assert!(!governor.is_probe_due(at(560)));
    let sound = Outgoing { frame: 2, time: StreamTime::new(500_000) };
    assert_eq!(governor.next(at(560)), Next::Send(sound), "the picture is too late");
    assert_eq!(governor.counts(), Counts { pictures: 1, groups: 1, ..Counts::default() });
}
