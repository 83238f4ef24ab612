//! An RTMP publisher whose clock and path misbehave, in virtual time.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use queqiao_media::live::{LiveClock, MAX_EARLINESS, Place};
use queqiao_media::time::StreamTime;
use queqiao_media::timeline::Kind;

use Kind::{Audio, Video};

fn ms(count: i64) -> StreamTime {
    StreamTime::new(count * 1000)
}

/// A message, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Message {
    kind: Kind,
    /// When it was sent.
    sent: i64,
    wire: u32,
}

/// What became of a message.
#[derive(Clone, Copy, Debug)]
struct Out {
    kind: Kind,
    sent: i64,
    arrival: i64,
    time: Option<i64>,
}

impl Out {
    /// How much later it arrived than where it was placed.
    fn behind(&self) -> i64 {
        self.arrival - self.time.unwrap()
    }
}

/// Sound every 20 ms and a picture every 40 ms, sent from 0 to `end`.
fn messages(end: i64) -> Vec<Message> {
    let at = |sent: i64, kind| Message { kind, sent, wire: 5_000_u32.wrapping_add(sent as u32) };
    (0..end / 20)
        .flat_map(|n| {
            let picture = (n % 2 == 0).then(|| at(n * 20, Video));
            std::iter::once(at(n * 20, Audio)).chain(picture)
        })
        .collect()
}

/// Sends messages over a path that delivers in order, each no sooner than `deliver` says.
fn run(messages: &[Message], mut deliver: impl FnMut(i64) -> i64) -> (Vec<Out>, LiveClock) {
    let mut clock = LiveClock::default();
    let mut free = 0;
    let outs = messages
        .iter()
        .map(|message| {
            let arrival = deliver(message.sent).max(free);
            free = arrival;
            let time = match clock.map(message.kind, message.wire, ms(arrival)) {
                Place::Live(time) => Some(time.get() / 1000),
                Place::Late => None,
            };
            Out { kind: message.kind, sent: message.sent, arrival, time }
        })
        .collect();
    (outs, clock)
}

/// A path of 20 ms that stands still from `from` to `to`, and then delivers at `pace` times real time.
fn stalled(from: i64, to: i64, pace: i64) -> impl FnMut(i64) -> i64 {
    move |sent| {
        let late = if sent >= from { to + (sent - from) / pace } else { 0 };
        (sent + 20).max(late)
    }
}

fn live_since(outs: &[Out], arrival: i64, kind: Kind) -> impl Iterator<Item = &Out> {
    outs.iter().filter(move |out| out.kind == kind && out.arrival >= arrival && out.time.is_some())
}

fn assert_never_back(outs: &[Out]) {
    for kind in [Audio, Video] {
        let times: Vec<_> = outs.iter().filter(|out| out.kind == kind).filter_map(|out| out.time).collect();
        let least = i64::from(kind == Video);
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= least), "{kind:?}: {times:?}");
    }
}

#[test]
fn after_a_stall_both_tracks_are_live_as_soon_as_the_burst_is_in() {
    for (length, pace) in [(5_000, 1_000), (10_000, 50), (5_000, 10), (2_000, 4), (700, 100)] {
        let (outs, clock) = run(&messages(60_000), stalled(10_000, 10_000 + length, pace));
        // The last message that the path held up.
        let burst_end = 10_000 + length + length / (pace - 1);
        for kind in [Audio, Video] {
            let first = live_since(&outs, 10_000 + length, kind).next().unwrap();
            assert!(first.arrival <= burst_end + 50, "{kind:?} {length} ms at {pace}: {first:?}");
            for out in live_since(&outs, burst_end + 50, kind) {
                assert_eq!(out.time, Some(out.sent + 20), "on the same clock as before");
            }
        }
        let late = outs.iter().filter(|out| out.time.is_none());
        assert!(late.clone().all(|out| (10_000..burst_end).contains(&out.sent)), "live media pass");
        assert_eq!((clock.counters().stalls, clock.counters().moves), (2, 0));
        assert_never_back(&outs);
    }
}

#[test]
fn jitter_of_300_ms_read_five_times_a_second_holds_nothing_back() {
    // Now and then nothing moves for 300 ms.
    let jitter = |sent: i64| (sent + 20).max(sent / 1_700 * 1_700 + 320);
    let (outs, clock) = run(&messages(600_000), |sent| (jitter(sent) + 199) / 200 * 200);
    let behind = || outs.iter().map(Out::behind);
    assert!(behind().max().unwrap() - behind().min().unwrap() > 450, "as late as that gets");
    assert_eq!(clock.counters().late, 0);
    assert_eq!((clock.counters().stalls, clock.counters().moves, clock.repairs()), (0, 0, 0));
    assert!(outs.iter().all(|out| (-400..=600).contains(&out.behind())));
    assert_never_back(&outs);
}

#[test]
fn a_first_message_that_is_late_bends_nothing_that_comes_after_it() {
    let (outs, _) = run(&messages(120_000), |sent| if sent < 100 { 220 } else { sent + 20 });
    for out in outs.iter().skip(20) {
        assert_eq!(out.time, Some(out.sent + 220), "at the pace of its own clock");
    }
}

#[test]
fn a_stream_that_began_much_too_late_comes_back_to_where_it_can_be_mixed() {
    let (outs, _) = run(&messages(600_000), |sent| if sent < 100 { 520 } else { sent + 20 });
    assert_eq!(outs[60].behind(), -500);
    assert_eq!(outs.last().unwrap().behind(), -300);
}

#[test]
fn a_path_that_becomes_slower_for_good_is_accepted_within_600_ms() {
    let (outs, clock) = run(&messages(60_000), |sent| sent + if sent < 10_000 { 20 } else { 1_520 });
    for kind in [Audio, Video] {
        let first = live_since(&outs, 11_000, kind).next().unwrap();
        assert!(first.arrival <= 11_520 + 600, "{first:?}");
        assert!(live_since(&outs, 12_200, kind).all(|out| out.behind().abs() <= 40), "and placed at live");
    }
    assert!(outs.iter().filter(|out| out.arrival > 12_120).all(|out| out.time.is_some()));
    assert_eq!(clock.counters().moves, 1);
    assert_never_back(&outs);
}

#[test]
fn a_path_that_catches_up_slowly_holds_nothing_back_for_longer_than_two_seconds() {
    // A backlog of 10 s that is delivered at 1.2 times and at twice real time.
    for (numerator, denominator) in [(5, 6), (1, 2)] {
        let (outs, _) = run(&messages(200_000), |sent| match sent {
            ..10_000 => sent + 20,
            _ => (20_000 + (sent - 10_000) * numerator / denominator).max(sent + 20),
        });
        for kind in [Audio, Video] {
            let lives: Vec<_> = live_since(&outs, 19_000, kind).map(|out| out.arrival).collect();
            assert!(lives[0] < 22_100, "{kind:?}");
            assert!(lives.windows(2).all(|pair| pair[1] - pair[0] <= 2_100), "{kind:?}");
            assert!(live_since(&outs, 0, kind).all(|out| out.behind() >= -650), "{kind:?}");
            assert!(live_since(&outs, 85_000, kind).all(|out| out.behind().abs() < 650), "live in the end");
        }
        assert_never_back(&outs);
    }
}

#[test]
fn lateness_that_creeps_up_holds_nothing_back() {
    // An uplink with 70 % of the bitrate for ten seconds.
    let (outs, clock) = run(&messages(60_000), |sent| match sent {
        ..10_000 => sent + 20,
        10_000..20_000 => 10_020 + (sent - 10_000) * 10 / 7,
        _ => sent + 20 + 4_285,
    });
    assert_eq!(clock.counters().late, 0);
    assert!(live_since(&outs, 40_000, Audio).all(|out| out.behind().abs() < 650));
    assert_never_back(&outs);
}

#[test]
fn a_burst_at_the_beginning_is_not_played_ahead_of_time() {
    let (outs, _) = run(&messages(30_000), |sent| sent.max(3_000) + 20);
    for kind in [Audio, Video] {
        assert!(live_since(&outs, 0, kind).all(|out| out.behind() >= -650));
        assert!(live_since(&outs, 4_000, kind).all(|out| out.behind().abs() < 100), "live within a second");
    }
    assert_never_back(&outs);
}

#[test]
fn a_publisher_faster_than_real_time_is_never_far_ahead_and_never_silenced() {
    let (outs, _) = run(&messages(600_000), |sent| sent / 20);
    for kind in [Audio, Video] {
        let lives: Vec<_> = live_since(&outs, 0, kind).collect();
        assert!(lives.iter().all(|out| ms(-out.behind()) <= MAX_EARLINESS + ms(100)));
        assert!(lives.windows(2).all(|pair| pair[1].arrival - pair[0].arrival <= 700));
    }
    assert_never_back(&outs);
}

#[test]
fn a_pause_that_the_publishers_clock_does_not_count_is_over_within_600_ms() {
    let mut all = messages(60_000);
    for message in all.iter_mut().filter(|message| message.sent >= 10_000) {
        message.sent += 7_000;
    }
    let (outs, clock) = run(&all, |sent| sent + 20);
    for kind in [Audio, Video] {
        assert!(live_since(&outs, 17_000, kind).next().unwrap().arrival <= 17_600);
        assert!(live_since(&outs, 17_600, kind).all(|out| out.behind().abs() <= 40));
    }
    assert_eq!(clock.counters().moves, 1);
    assert_never_back(&outs);
}

#[test]
fn a_track_whose_clock_stood_still_while_it_was_off_comes_back_at_live_and_the_other_never_notices() {
    for off in [Audio, Video] {
        let mut all = messages(60_000);
        all.retain(|message| message.kind != off || !(10_000..20_000).contains(&message.sent));
        for message in all.iter_mut().filter(|message| message.kind == off && message.sent >= 20_000) {
            message.wire -= 10_000;
        }
        let (outs, _) = run(&all, |sent| sent + 20);
        assert!(live_since(&outs, 20_000, off).next().unwrap().arrival <= 20_700, "{off:?}");
        assert!(live_since(&outs, 20_700, off).all(|out| out.behind().abs() <= 40), "{off:?}");
        let others = outs.iter().filter(|out| out.kind != off);
        assert!(others.clone().all(|out| out.time == Some(out.arrival)), "{off:?}");
        assert_never_back(&outs);
    }
}

#[test]
fn a_track_that_is_switched_off_for_a_minute_comes_back_where_it_belongs() {
    let mut all = messages(120_000);
    all.retain(|message| message.kind == Audio || !(10_000..70_000).contains(&message.sent));
    let (outs, clock) = run(&all, |sent| sent + 20);
    assert!(outs.iter().all(|out| out.time == Some(out.sent + 20)));
    assert_eq!(clock.counters().late, 0);
}

#[test]
fn a_jump_or_a_restart_of_the_timestamps_is_over_within_a_second_with_both_tracks_together() {
    for jump in [3_600_000, -3_600_000, 5_000, -5_000, 2_000, -2_000, 700, -700, -400, 400] {
        let mut all = messages(30_000);
        for message in all.iter_mut().filter(|message| message.sent >= 10_000) {
            message.wire = message.wire.wrapping_add_signed(jump);
        }
        let (outs, _) = run(&all, |sent| sent + 20);
        let errors = |kind| {
            live_since(&outs, 11_000, kind).map(|out| out.time.unwrap() - out.sent).collect::<Vec<_>>()
        };
        let (audio, video) = (errors(Audio), errors(Video));
        assert!((audio[0] - video[0]).abs() <= 40, "jump {jump}: {} {}", audio[0], video[0]);
        assert!(audio.iter().all(|error| error.abs() <= 700), "jump {jump}: {audio:?}");
        for kind in [Audio, Video] {
            let times: Vec<_> = live_since(&outs, 10_600, kind).collect();
            assert!(times.windows(2).all(|pair| pair[1].arrival - pair[0].arrival <= 40), "jump {jump}");
        }
        assert_never_back(&outs);
    }
}

#[test]
fn a_clock_that_runs_backwards_still_yields_sound_and_picture_at_live() {
    let mut all = messages(30_000);
    for message in all.iter_mut().filter(|message| message.sent >= 10_000) {
        message.wire = 25_000_u32.wrapping_sub(message.sent as u32);
    }
    let (outs, _) = run(&all[..all.len() / 2], |sent| sent + 20);
    for kind in [Audio, Video] {
        let lives: Vec<_> = live_since(&outs, 10_000, kind).collect();
        assert!(lives.iter().all(|out| out.behind().abs() <= 650));
        assert!(lives.windows(2).all(|pair| pair[1].arrival - pair[0].arrival <= 700));
    }
    assert_never_back(&outs);
}

/// An hour of a publisher whose clock is `ppm` fast, over a path with jitter of up to 60 ms: by how much its media are
/// moved against when they were made, from the first minute on, and the largest distance between the tracks.
fn hour_of_drift(ppm: i64) -> (i64, i64) {
    let mut all = messages(3_600_000);
    for message in &mut all {
        message.wire = (message.sent + message.sent * ppm / 1_000_000) as u32;
    }
    let (outs, clock) = run(&all, |sent| sent + 20 + (sent / 20 * 7_919 % 31) * 2);
    assert_never_back(&outs);
    assert_eq!((clock.counters().late, clock.counters().moves, clock.repairs()), (0, 0, 0));
    let error = |out: &Out| out.time.unwrap() - out.sent;
    let settled = || outs.iter().skip(3_000).map(error);
    let worst = settled().max().unwrap() - settled().min().unwrap();
    let skew = outs.windows(2).map(|pair| (error(&pair[0]) - error(&pair[1])).abs()).max().unwrap();
    (worst, skew)
}

#[test]
fn an_hour_of_a_clock_200_ppm_off_leaves_latency_within_10_ms_and_lips_together() {
    for ppm in [200, -200, 0] {
        let (worst, skew) = hour_of_drift(ppm);
        println!("{ppm:>5} ppm: {worst} ms from live, {skew} ms between the tracks");
        assert!(worst <= 10, "{ppm} ppm: {worst} ms");
        assert!(skew <= 2, "{ppm} ppm: {skew} ms");
    }
}

proptest! {
    #[test]
    fn whatever_comes_time_never_goes_back_nor_far_ahead_and_no_track_is_late_for_ever(
        messages in vec((any::<bool>(), any::<u32>(), 0_i64..3_000, 0_u8..8), 1..300),
    ) {
        let mut clock = LiveClock::default();
        let (mut now, mut wire) = (0, 0_u32);
        let mut last = [None, None];
        for (video, value, wait, what) in messages {
            now += wait;
            wire = if what == 0 { value } else { wire.wrapping_add(value % 3_000) };
            let index = usize::from(video);
            if let Place::Live(out) = clock.map(if video { Video } else { Audio }, wire, ms(now)) {
                prop_assert!(last[index].is_none_or(|last| out >= last + ms(i64::from(video))));
                prop_assert!(out <= ms(now) + MAX_EARLINESS + ms(300));
                last[index] = Some(out);
            }
        }
        // Seven seconds of an orderly publisher: the longest hold, and what was given out ahead.
        for n in 0..350_i64 {
            for kind in [Audio, Video] {
                let place = clock.map(kind, wire.wrapping_add(n as u32 * 20), ms(now + n * 20));
                prop_assert!(n < 300 || place != Place::Late, "{kind:?} after {n}");
            }
        }
    }
}
