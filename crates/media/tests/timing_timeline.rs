//! An RTMP publisher's clock, in virtual time.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use queqiao_media::time::StreamTime;
use queqiao_media::timeline::{Kind, RtmpTimeline, WireClock};

use Kind::{Audio, Video};

fn ms(count: i64) -> StreamTime {
    StreamTime::new(count * 1000)
}

/// A publisher of 25 pictures and 50 pieces of sound a second, and what the timeline makes of it.
struct Publisher {
    timeline: RtmpTimeline,
    /// What is added to the time to get the wire timestamp, by kind.
    base: [u32; 2],
    /// Milliseconds that have passed.
    now: i64,
    /// The latest output of each kind, in ms, less the time of the message.
    error: [i64; 2],
}

impl Publisher {
    fn new(base: u32) -> Self {
        Self { timeline: RtmpTimeline::default(), base: [base; 2], now: 0, error: [0; 2] }
    }

    fn send(&mut self, kind: Kind) -> i64 {
        let index = usize::from(kind == Video);
        let wire = self.base[index].wrapping_add(self.now as u32);
        let out = self.timeline.map(kind, wire, ms(self.now)).get();
        assert_eq!(out % 1000, 0, "the grid is one millisecond");
        self.error[index] = out / 1000 - self.now;
        out / 1000
    }

    fn run(&mut self, milliseconds: i64) {
        let end = self.now + milliseconds;
        while self.now < end {
            self.now += 20;
            self.send(Audio);
            if self.now % 40 == 0 {
                self.send(Video);
            }
        }
    }

    fn jump(&mut self, by: i32) {
        self.base = self.base.map(|base| base.wrapping_add_signed(by));
    }
}

#[test]
fn the_first_message_lies_at_its_arrival_and_the_clock_runs_across_two_to_the_32() {
    let mut publisher = Publisher::new(u32::MAX - 10_000);
    publisher.now = 500;
    publisher.run(60_000);
    assert_eq!(publisher.error, [0, 0]);
    assert_eq!(publisher.timeline.repairs(), 0);
}

#[test]
fn a_publisher_that_runs_for_months_wraps_every_time() {
    let mut timeline = RtmpTimeline::default();
    for minute in 0..200_000_i64 {
        let now = minute * 60_000;
        assert_eq!(timeline.map(Video, now as u32, ms(now)), ms(now));
        assert_eq!(timeline.map(Audio, now as u32, ms(now)), ms(now));
    }
    assert_eq!(timeline.repairs(), 0);
}

#[test]
fn a_jump_is_repaired_for_both_tracks_together() {
    for jump in [3_700_000, -3_700_000, 4_000, -4_000, -700, i32::MAX, i32::MIN] {
        for first in [Audio, Video] {
            let mut publisher = Publisher::new(1_000_000);
            publisher.run(1_000);
            // One track jumps first; the other still sends on the old base for a while.
            let index = usize::from(first == Video);
            let old = publisher.base;
            publisher.jump(jump);
            let new = publisher.base;
            publisher.base[1 - index] = old[1 - index];
            publisher.run(80);
            publisher.base = new;
            publisher.run(10_000);
            assert_eq!(publisher.timeline.repairs(), 1, "jump {jump} of {first:?} first");
            let [audio, video] = publisher.error;
            assert!((audio - video).abs() <= 1 && audio.abs() <= 40, "jump {jump}: {audio} {video}");
        }
    }
}

#[test]
fn a_pause_in_which_real_time_passes_is_kept() {
    let mut publisher = Publisher::new(77);
    publisher.run(1_000);
    publisher.now += 3_600_000;
    publisher.run(1_000);
    assert_eq!(publisher.error, [0, 0]);
    assert_eq!(publisher.timeline.repairs(), 0);
}

#[test]
fn a_stall_of_the_network_leaves_the_timestamps_as_they_are() {
    let mut timeline = RtmpTimeline::default();
    timeline.map(Video, 0, ms(0));
    for frame in 1..500_i64 {
        // Everything after the first second comes at once, ten seconds later.
        let arrival = if frame < 25 { frame * 40 } else { 20_000 };
        assert_eq!(timeline.map(Video, frame as u32 * 40, ms(arrival)), ms(frame * 40));
        assert_eq!(timeline.map(Audio, frame as u32 * 40, ms(arrival)), ms(frame * 40));
    }
    assert_eq!(timeline.repairs(), 0);
}

#[test]
fn audio_that_comes_two_seconds_later_keeps_its_own_timestamps() {
    // Its first message was recorded together with the first picture, or with the latest one.
    for wire in [1_000, 3_000] {
        let mut timeline = RtmpTimeline::default();
        for frame in 0..=50 {
            timeline.map(Video, 1_000 + frame * 40, ms(i64::from(frame) * 40));
        }
        assert_eq!(timeline.map(Audio, wire, ms(2_000)), ms(i64::from(wire) - 1_000));
    }
}

#[test]
fn tracks_that_begin_at_different_values_of_one_clock_keep_their_distance() {
    let mut timeline = RtmpTimeline::default();
    assert_eq!(timeline.map(Video, 80, ms(10)), ms(10));
    assert_eq!(timeline.map(Audio, 23, ms(10)), ms(-47));
    assert_eq!(timeline.map(Video, 120, ms(50)), ms(50));
}

#[test]
fn tracks_with_clocks_of_their_own_are_both_placed_at_their_arrival() {
    let mut publisher = Publisher::new(0);
    publisher.base = [3_000_000_000, 40];
    publisher.run(60_000);
    assert_eq!(publisher.error, [0, 0]);
    assert_eq!(publisher.timeline.repairs(), 0);
}

#[test]
fn time_never_goes_back_and_pictures_never_share_a_millisecond() {
    let mut timeline = RtmpTimeline::default();
    let video: Vec<_> =
        [100, 100, 90, 140, 141].iter().map(|&wire| timeline.map(Video, wire, ms(0)).get() / 1000).collect();
    assert_eq!(video, [0, 1, 2, 40, 41]);
    let audio: Vec<_> =
        [150, 140, 150, 171].iter().map(|&wire| timeline.map(Audio, wire, ms(0)).get() / 1000).collect();
    assert_eq!(audio, [50, 50, 50, 71]);
}

#[test]
fn a_player_sees_a_clock_from_zero_that_wraps_and_never_goes_back() {
    let origin = ms(5_000);
    let mut clock = WireClock::new(origin);
    assert_eq!(clock.map(Video, ms(5_000)), 0);
    assert_eq!(clock.map(Audio, ms(4_990)), 0);
    assert_eq!(clock.map(Video, StreamTime::new(5_040_499)), 40);
    assert_eq!(clock.map(Video, ms(5_030)), 40);
    assert_eq!(clock.map(Audio, ms(5_030)), 30, "the tracks do not hold each other up");
    assert_eq!(clock.map(Video, ms(5_000 + (1 << 32) + 7)), 7);
    assert_eq!(clock.map(Video, ms(5_000)), 7);
}

proptest! {
    #[test]
    fn whatever_comes_output_never_goes_back_or_runs_away(
        messages in vec((any::<bool>(), any::<u32>(), 0_i64..5_000, any::<bool>()), 1..200),
    ) {
        let mut timeline = RtmpTimeline::default();
        let (mut now, mut wire) = (0, 0_u32);
        let mut last = [None, None];
        for (video, value, wait, jump) in messages {
            now += wait;
            wire = if jump { value } else { wire.wrapping_add(value % 100) };
            let out = timeline.map(if video { Video } else { Audio }, wire, ms(now));
            let last = &mut last[usize::from(video)];
            let step = ms(i64::from(video));
            prop_assert!(last.is_none_or(|last| out >= last + step));
            *last = Some(out);
            prop_assert!(out <= ms(now + 200 * 5_000));
        }
    }
}
