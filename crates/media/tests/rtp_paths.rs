//! The jitter buffer on paths with loss, jitter, reordering and retransmission, in virtual time.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use queqiao_media::frame::RtpPacket;
use queqiao_media::rtp::{Item, JitterBuffer, Waits};
use queqiao_media::time::{AudioTicks, StreamTime};

/// A generator of repeatable chance (a multiplicative congruential one).
struct Chance(u64);

impl Chance {
    /// Evenly from 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One direction of a network. Times in microseconds.
#[derive(Clone, Copy)]
struct Path {
    /// The share of packets that are lost.
    loss: f64,
    /// How many are lost in a row, on average.
    burst: f64,
    /// There and back.
    round_trip: u64,
    /// Each packet comes up to this much later.
    jitter: u64,
    /// Whether packets overtake each other, or queue behind one that is late.
    overtaking: bool,
    /// The share of packets that come twice.
    duplicates: f64,
    /// Whether missing packets are asked for and sent again.
    repair: bool,
}

const CALM: Path = Path {
    loss: 0.0,
    burst: 1.0,
    round_trip: 50_000,
    jitter: 0,
    overtaking: false,
    duplicates: 0.0,
    repair: true,
};

/// When packets of a sender that sends one each `interval` arrive: (arrival, number), in order of arrival.
fn arrivals(path: Path, count: u64, interval: u64, seed: u64) -> Vec<(u64, u64)> {
    let mut chance = Chance(seed);
    let mut queue = BTreeMap::<(u64, u64), u64>::new();
    let (mut bad, mut last) = (false, 0);
    let mut ties = 0;
    for seq in 0..count {
        // Two states: all is lost in the bad one.
        bad = if bad {
            chance.next() < 1.0 - 1.0 / path.burst
        } else {
            chance.next() < path.loss / path.burst / (1.0 - path.loss)
        };
        let lateness = |chance: &mut Chance| (chance.next() * path.jitter as f64) as u64;
        let sent = seq * interval;
        let mut at = sent + path.round_trip / 2 + lateness(&mut chance);
        if !path.overtaking {
            at = at.max(last);
            last = at;
        }
        let mut lost = bad;
        // The receiver asks once it sees the next packet, and again after each round trip.
        for attempt in 0..10 {
            if !lost {
                ties += 1;
                queue.insert((at, ties), seq);
                break;
            }
            if !path.repair {
                break;
            }
            let asked = if attempt == 0 { at + interval } else { at + 5_000 };
            at = asked + path.round_trip + lateness(&mut chance);
            lost = chance.next() < path.loss;
        }
        if chance.next() < path.duplicates {
            ties += 1;
            queue.insert((at + 1_000, ties), seq);
        }
    }
    queue.into_iter().map(|((at, _), seq)| (at, seq)).collect()
}

/// What a buffer makes of a path.
#[derive(Debug, Default)]
struct Outcome {
    packets: u64,
    lost: u64,
    /// Gaps that became doubtful.
    doubts: u64,
    /// From arrival at the buffer to its exit, at worst.
    worst_delay: Duration,
    wait: Duration,
    expected: Duration,
    duplicates: u64,
}

/// The packets of a run.
const COUNT: u64 = 6_000;

/// Runs packets through a buffer; losses and delays of the first `warm_up` packets do not count.
fn run(waits: Waits, path: Path, seed: u64) -> Outcome {
    const WARM_UP: u64 = 2_000;
    let start = Instant::now();
    let mut buffer = JitterBuffer::<48_000>::new(waits);
    let mut outcome = Outcome::default();
    let mut came = BTreeMap::new();
    let all = arrivals(path, COUNT, 10_000, seed);
    // What is lost before the first packet is unknown.
    let mut told = all[0].1;
    let mut take = |buffer: &mut JitterBuffer<48_000>, came: &BTreeMap<u64, u64>, now: u64| {
        while let Some(item) = buffer.poll(start + Duration::from_micros(now)) {
            match item {
                Item::Packet(packet) => {
                    assert_eq!(packet.seq, told, "every number is told once and in order");
                    told += 1;
                    if packet.seq >= WARM_UP {
                        outcome.packets += 1;
                        let delay = Duration::from_micros(now - came[&packet.seq]);
                        outcome.worst_delay = outcome.worst_delay.max(delay);
                    }
                }
                Item::Lost { first, count } => {
                    assert_eq!(first, told, "every number is told once and in order");
                    told += count;
                    outcome.lost += if first >= WARM_UP { count } else { 0 };
                }
                Item::Doubtful => outcome.doubts += 1,
                Item::Restart => panic!("nothing restarted"),
            }
        }
    };
    for (at, seq) in all {
        while let Some(due) = buffer.poll_timeout()
            && due <= start + Duration::from_micros(at)
        {
            take(&mut buffer, &came, u64::try_from((due - start).as_micros()).unwrap());
        }
        came.entry(seq).or_insert(at);
        let rtp_time = AudioTicks::new(seq.cast_signed() * 480);
        let payload = [0_u8; 1].as_slice().into();
        let packet = RtpPacket { seq, rtp_time, time: rtp_time.rescale(), marker: false, payload };
        buffer.push(start + Duration::from_micros(at), packet);
        take(&mut buffer, &came, at);
    }
    outcome.wait = buffer.wait();
    outcome.expected = buffer.expected();
    outcome.duplicates = buffer.counters().duplicate;
    outcome
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn without_loss_nothing_is_delayed_whatever_the_jitter() {
    for jitter in [0, 10_000, 60_000] {
        let outcome = run(Waits::VIDEO, Path { jitter, ..CALM }, 1);
        assert_eq!((outcome.worst_delay, outcome.lost), (Duration::ZERO, 0), "{jitter} us of jitter");
    }
}

#[test]
fn video_is_repaired_at_any_round_trip_and_waits_no_longer_than_that_takes() {
    for (loss, burst) in [(0.05, 1.0), (0.15, 1.0), (0.05, 4.0), (0.15, 4.0)] {
        for (round_trip, jitter) in [(20, 10), (50, 10), (50, 60), (100, 10), (200, 30), (300, 10)] {
            let path = Path { loss, burst, round_trip: round_trip * 1_000, jitter: jitter * 1_000, ..CALM };
            let outcome = run(Waits::VIDEO, path, round_trip + jitter);
            let left = outcome.lost as f64 / (outcome.packets + outcome.lost) as f64;
            // At 300 ms only two repairs fit into the longest wait.
            let limit = if round_trip < 300 { 0.002 } else { 0.001 + 1.5 * loss.powi(3) };
            assert!(left < limit, "{left} of {loss} is left at {round_trip} ms: {outcome:?}");
            // A burst is asked for when it ends; what is lost again is asked for again.
            let repairs = 4 * (round_trip + jitter + 10) + 10 * burst as u64 * 4 + 60;
            assert!(outcome.wait <= ms(repairs), "{round_trip} ms, {loss}: {outcome:?}");
            assert!(outcome.worst_delay <= Waits::VIDEO.most, "{round_trip} ms, {loss}: {outcome:?}");
            // Keyframes stay rare: one for fifty lost packets at most.
            let doubtful = outcome.doubts as f64 / COUNT as f64;
            assert!(doubtful < loss / 50.0, "{round_trip} ms, {loss}: {outcome:?}");
        }
    }
}

#[test]
fn as_many_tries_are_expected_as_the_loss_makes_needed_and_none_where_nothing_is_lost_or_sent_again() {
    for (loss, tries) in [(0.0, 0), (0.01, 1), (0.05, 2), (0.15, 3)] {
        let path = Path { loss, round_trip: 100_000, jitter: 10_000, ..CALM };
        let expected = run(Waits::VIDEO, path, 5).expected;
        // A try takes from 110 to 130 ms.
        let range = ms(tries * 110)..=ms(tries * 130 + 10);
        assert!(range.contains(&expected), "{expected:?} at {loss}");
        assert_eq!(run(Waits::VIDEO, Path { repair: false, ..path }, 5).expected, Duration::ZERO);
    }
    let overtaken = Path { jitter: 30_000, overtaking: true, ..CALM };
    assert_eq!(run(Waits::VIDEO, overtaken, 5).expected, Duration::ZERO);
}

#[test]
fn sound_waits_for_repair_where_it_is_quick_and_for_no_more_than_its_limit() {
    let at = |round_trip: u64| {
        run(Waits::AUDIO, Path { loss: 0.15, round_trip: round_trip * 1_000, jitter: 10_000, ..CALM }, 7)
    };
    let (quick, slow) = (at(30), at(600));
    let left = quick.lost as f64 / quick.packets as f64;
    assert!(left < 0.003 && quick.wait < ms(200), "{quick:?}");
    assert!(slow.worst_delay <= Waits::AUDIO.most, "{slow:?}");
}

#[test]
fn where_nothing_is_sent_again_nothing_is_waited_for() {
    let path = Path { loss: 0.05, repair: false, ..CALM };
    for waits in [Waits::VIDEO, Waits::AUDIO] {
        let outcome = run(waits, path, 3);
        assert_eq!(outcome.wait, waits.least, "{outcome:?}");
        // The gap shows with the packet after it, and the next gap with one of the packets behind it.
        assert!(outcome.worst_delay <= waits.least, "{outcome:?}");
    }
}

#[test]
fn packets_that_overtake_each_other_are_waited_for_as_long_as_they_do() {
    for jitter in [20, 40, 60] {
        let path = Path { jitter: jitter * 1_000, overtaking: true, duplicates: 0.05, ..CALM };
        let outcome = run(Waits::AUDIO, path, jitter);
        assert!(outcome.lost <= 4, "{outcome:?}");
        assert!(outcome.wait <= ms(jitter + 30), "{jitter} ms: {outcome:?}");
        assert!(outcome.duplicates > 200, "{outcome:?}");
    }
}

#[test]
fn a_path_that_becomes_slower_is_learned_from_what_comes_too_late() {
    let start = Instant::now();
    let mut buffer = JitterBuffer::<48_000>::new(Waits::VIDEO);
    let mut now = start;
    let push = |buffer: &mut JitterBuffer<48_000>, now: Instant, seq: u64| {
        let payload = [0_u8; 1].as_slice().into();
        let time = StreamTime::ZERO;
        buffer.push(now, RtpPacket { seq, rtp_time: AudioTicks::ZERO, time, marker: false, payload });
        std::iter::from_fn(|| buffer.poll(now)).filter(|item| matches!(item, Item::Lost { .. })).count()
    };
    let mut lost = Vec::new();
    for round in 0..20 {
        let first = round * 3;
        push(&mut buffer, now, first);
        push(&mut buffer, now, first + 2);
        // Comes half a second after it was missed.
        now += ms(500);
        lost.push(push(&mut buffer, now, first + 1) + push(&mut buffer, now, first + 2));
        let gave_up = buffer.counters().late;
        if round > 10 {
            assert!(buffer.wait() > ms(500), "{:?} after {gave_up} late packets", buffer.wait());
        }
    }
    assert_eq!(
        buffer.counters().lost,
        buffer.counters().late,
        "all that was given up came, until it was waited for"
    );
    assert!(buffer.counters().lost < 5, "{:?}", buffer.counters());
}
