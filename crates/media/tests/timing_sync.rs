//! The RTP clocks of a WebRTC publisher, in virtual time.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use queqiao_media::sync::{NtpTime, RtpSync};
use queqiao_media::time::{AudioTicks, StreamTime, VideoTicks};
use queqiao_media::timeline::Kind;

use Kind::{Audio, Video};

/// Where the publisher's RTP clocks begin; the video clock wraps after a few seconds.
const AUDIO_ORIGIN: i64 = 777_777;
const VIDEO_ORIGIN: i64 = (1 << 32) - 300_000;

/// A publisher of 25 pictures and 50 pieces of sound a second. All times are microseconds.
struct Publisher {
    sync: RtpSync,
    /// The publisher's own time.
    now: i64,
    /// How fast the publisher's clock is.
    ppm: i64,
    /// How fast its sound card is against that.
    audio_ppm: i64,
    /// Network delay of sound and picture.
    delay: [i64; 2],
    /// How often each track sends a report.
    report_every: [Option<i64>; 2],
    /// What is added to get the wall clock of each track's reports.
    wall: [i64; 2],
    /// Time given out less the publisher's time.
    placed: [i64; 2],
    /// The largest change of `placed` from one packet to the next, less what slewing allows.
    worst_step: i64,
    started: [bool; 2],
    /// What is on its way: when it arrives and in which order it was sent, and what was sent when.
    network: BTreeMap<(StreamTime, usize), (i64, Sent)>,
    sent: usize,
}

#[derive(Clone, Copy)]
enum Sent {
    Packet(Kind),
    Report(Kind),
}

impl Publisher {
    fn new(delay: [i64; 2]) -> Self {
        Self {
            sync: RtpSync::default(),
            now: 0,
            ppm: 0,
            audio_ppm: 0,
            delay,
            report_every: [Some(1_000_000), Some(1_000_000)],
            wall: [1_700_000_000_000_000; 2],
            placed: [0; 2],
            worst_step: i64::MIN,
            started: [false; 2],
            network: BTreeMap::new(),
            sent: 0,
        }
    }

    fn without_reports(delay: [i64; 2]) -> Self {
        Self { report_every: [None, None], ..Self::new(delay) }
    }

    /// The server's time.
    fn server(&self) -> StreamTime {
        StreamTime::new(self.now - self.now * self.ppm / 1_000_000)
    }

    /// The server's time when what is sent now arrives.
    fn arrival(&self, kind: Kind) -> StreamTime {
        self.server() + StreamTime::new(self.delay[index(kind)])
    }

    fn send(&mut self, kind: Kind, what: Sent) {
        self.sent += 1;
        self.network.insert((self.arrival(kind), self.sent), (self.now, what));
    }

    fn receive_packet(&mut self, kind: Kind, sent: i64, arrival: StreamTime) {
        let time = match kind {
            Audio => self.sync.audio(AudioTicks::new(self.rtp(kind, sent)), arrival),
            Video => self.sync.video(VideoTicks::new(self.rtp(kind, sent)), arrival),
        };
        let placed = time.get() - sent;
        let before = std::mem::replace(&mut self.placed[index(kind)], placed);
        if std::mem::replace(&mut self.started[index(kind)], true) {
            // 0.3 % of the distance of two packets, and rounding.
            let allowed = if kind == Audio { 60 } else { 120 } + 30;
            self.worst_step = self.worst_step.max((placed - before).abs() - allowed);
        }
    }

    fn run(&mut self, micros: i64) {
        let end = self.now + micros;
        while self.now < end {
            self.now += 20_000;
            for kind in [Audio, Video] {
                if kind == Audio || self.now % 40_000 == 0 {
                    self.send(kind, Sent::Packet(kind));
                }
                if self.report_every[index(kind)].is_some_and(|every| self.now % every == 0) {
                    self.send(kind, Sent::Report(kind));
                }
            }
            let later = self.network.split_off(&(self.server() + StreamTime::new(1), 0));
            for ((arrival, _), (sent, what)) in std::mem::replace(&mut self.network, later) {
                match what {
                    Sent::Packet(kind) => self.receive_packet(kind, sent, arrival),
                    Sent::Report(kind) => {
                        let wall = ntp(sent + self.wall[index(kind)]);
                        self.sync.sender_report(kind, self.rtp(kind, sent) as u32, wall, arrival);
                    }
                }
            }
        }
    }

    /// The RTP clock of a track at the publisher's time `now`.
    fn rtp(&self, kind: Kind, now: i64) -> i64 {
        match kind {
            Audio => AUDIO_ORIGIN + (now + now * self.audio_ppm / 1_000_000) * 48 / 1000,
            Video => VIDEO_ORIGIN + now * 90 / 1000,
        }
    }

    /// Goes on until the tracks are where the first reports put them; from here on they may only slew.
    fn settle(&mut self) {
        self.run(2_500_000);
        self.worst_step = i64::MIN;
    }

    /// How much later the sound is placed than the picture of the same instant.
    fn lip_sync_error(&self) -> i64 {
        self.placed[0] - self.placed[1]
    }
}

fn index(kind: Kind) -> usize {
    usize::from(kind == Video)
}

fn ntp(micros: i64) -> NtpTime {
    NtpTime(((micros as u128) << 32).div_ceil(1_000_000) as u64)
}

#[test]
fn without_reports_both_tracks_lie_at_their_arrival() {
    let mut publisher = Publisher::without_reports([30_000, 50_000]);
    publisher.run(60_000_000);
    assert!((publisher.placed[0] - 30_000).abs() < 50 && (publisher.placed[1] - 50_000).abs() < 50);
    assert_eq!(publisher.sync.skew(), None);
}

#[test]
fn the_first_reports_bring_tracks_together_at_once_that_arrive_100_ms_apart() {
    for delay in [[130_000, 30_000], [30_000, 130_000]] {
        let mut publisher = Publisher::new(delay);
        publisher.run(980_000);
        assert!(publisher.lip_sync_error().abs() > 99_000, "before the first report");
        publisher.run(1_020_000);
        assert!(publisher.lip_sync_error().abs() < 1_000, "{}", publisher.lip_sync_error());
        publisher.worst_step = i64::MIN;
        publisher.run(58_000_000);
        assert!(publisher.lip_sync_error().abs() < 100, "{}", publisher.lip_sync_error());
        assert!(publisher.sync.skew().unwrap().get().abs() < 100);
        assert!(publisher.worst_step <= 0, "never faster than the slew: {}", publisher.worst_step);
        assert_eq!((publisher.sync.jumps(), publisher.sync.ignored_reports()), (0, 0));
    }
}

#[test]
fn reports_that_move_a_track_that_plays_move_it_slowly_enough_to_stretch_its_sound() {
    let mut publisher = Publisher::new([30_000, 30_000]);
    publisher.run(10_020_000);
    publisher.wall[0] += 60_000;
    publisher.worst_step = i64::MIN;
    publisher.run(10_000_000);
    let skew = publisher.sync.skew().unwrap().get();
    assert!((-45_000..-15_000).contains(&skew), "half of it is done: {skew}");
    publisher.run(20_000_000);
    assert!((publisher.lip_sync_error() - 60_000).abs() < 1_000, "{}", publisher.lip_sync_error());
    assert!(publisher.worst_step <= 0, "never faster than the slew: {}", publisher.worst_step);
    assert_eq!((publisher.sync.jumps(), publisher.sync.ignored_reports()), (0, 0));
}

#[test]
fn a_path_that_gets_up_to_speed_with_the_reports_is_followed_at_once() {
    let mut publisher = Publisher::new([230_000, 230_000]);
    publisher.run(1_500_000);
    publisher.delay = [30_000, 30_000];
    publisher.run(500_000);
    assert!((publisher.placed[0] - 30_000).abs() < 1_000, "{}", publisher.placed[0]);
    assert!((publisher.placed[1] - 30_000).abs() < 1_000, "{}", publisher.placed[1]);
}

#[test]
fn a_large_lip_sync_error_is_corrected_when_two_reports_agree() {
    let mut publisher = Publisher::new([800_000, 20_000]);
    publisher.run(2_500_000);
    assert!(publisher.lip_sync_error() > 700_000);
    // The sound cannot go back, so it stands still until the picture is there.
    publisher.run(1_500_000);
    assert!(publisher.lip_sync_error().abs() < 1_000, "{}", publisher.lip_sync_error());
    assert_eq!(publisher.sync.ignored_reports(), 1);
}

#[test]
fn reports_of_one_track_alone_change_nothing() {
    let mut publisher = Publisher::new([30_000, 50_000]);
    publisher.report_every[1] = None;
    publisher.run(60_000_000);
    assert!((publisher.placed[0] - 30_000).abs() < 100 && (publisher.placed[1] - 50_000).abs() < 100);
    assert_eq!(publisher.sync.skew(), None);
}

#[test]
fn a_clock_that_is_200_ppm_off_is_followed_for_an_hour() {
    for ppm in [200, -200] {
        let mut publisher = Publisher::new([60_000, 30_000]);
        publisher.ppm = ppm;
        publisher.settle();
        publisher.run(3_600_000_000);
        assert!(publisher.lip_sync_error().abs() < 1_000, "{}", publisher.lip_sync_error());
        // What was placed at the publisher's time plus `placed` arrived at this time.
        let late = publisher.now + publisher.placed[1] - publisher.arrival(Video).get();
        assert!(late.abs() < 5_000, "{late} us from its arrival");
        assert!(publisher.worst_step <= 0);
        assert_eq!(publisher.sync.jumps(), 0);

        let mut publisher = Publisher::without_reports([30_000, 30_000]);
        publisher.ppm = ppm;
        publisher.run(3_600_000_000);
        let late = publisher.now + publisher.placed[0] - publisher.arrival(Audio).get();
        assert!(late.abs() < 5_000, "{late} us from its arrival, without reports");
    }
}

#[test]
fn a_sound_card_200_ppm_off_the_wall_clock_is_held_to_the_picture_for_an_hour() {
    for ppm in [200, -200] {
        let mut publisher = Publisher::new([30_000, 30_000]);
        publisher.audio_ppm = ppm;
        publisher.settle();
        for _ in 0..3_600 {
            publisher.run(1_000_000);
            let error = publisher.lip_sync_error();
            assert!(error.abs() < 2_000, "{ppm} ppm: {error} us after {} s", publisher.now / 1_000_000);
        }
        let late = publisher.now + publisher.placed[0] - publisher.arrival(Audio).get();
        assert!(late.abs() < 5_000, "{late} us from its arrival");
        assert_eq!(publisher.sync.jumps(), 0);
    }
}

#[test]
fn a_burst_at_the_start_does_not_bias_the_clock() {
    // The first half second was held up and comes at once.
    let mut sync = RtpSync::default();
    let mut times = Vec::new();
    for frame in 0..50_i64 {
        let arrival = StreamTime::new((frame * 40_000).max(500_000));
        times.push(sync.video(VideoTicks::new(frame * 3_600), arrival).get());
    }
    assert_eq!(times[0], 500_000);
    assert!(times.is_sorted());
    assert_eq!(times[49], 49 * 40_000);
}

#[test]
fn a_queue_in_the_network_hardly_moves_the_clock() {
    let mut publisher = Publisher::new([30_000, 30_000]);
    publisher.run(30_000_000);
    publisher.delay = [330_000, 330_000];
    publisher.run(30_000_000);
    assert!(publisher.placed[0] < 30_000 + 30_000, "{}", publisher.placed[0]);
    assert!(publisher.lip_sync_error().abs() < 100 && publisher.worst_step <= 0);
}

#[test]
fn all_packets_of_a_picture_get_one_time_and_late_ones_get_an_earlier_one() {
    let mut sync = RtpSync::default();
    let mut at = |rtp, arrival| sync.video(VideoTicks::new(rtp), StreamTime::new(arrival)).get();
    let first = at(0, 1_000);
    assert_eq!(at(0, 9_000), first);
    let third = at(7_200, 81_000);
    assert_eq!(third, 81_000);
    let second = at(3_600, 200_000);
    assert!(first < second && second < third);
    assert_eq!(at(7_200, 210_000), third);
}

#[test]
fn absurd_reports_are_ignored_and_counted() {
    let mut publisher = Publisher::new([30_000, 30_000]);
    publisher.sync.sender_report(Video, 0, ntp(1), StreamTime::ZERO);
    assert_eq!(publisher.sync.ignored_reports(), 1, "before the first packet");
    publisher.run(10_000_000);
    let arrival = publisher.server();
    let (rtp, wall) = (publisher.rtp(Video, publisher.now) as u32, publisher.now + publisher.wall[1]);
    let absurd = [
        (rtp, NtpTime(0)),
        (rtp, NtpTime(u64::MAX)),
        (rtp, ntp(wall + 3_600_000_000)),
        (rtp.wrapping_add(90_000 * 60), ntp(wall)),
        (rtp.wrapping_sub(90_000 * 60), ntp(wall)),
        (rtp, ntp(wall - 700_000)),
        (rtp, ntp(1)),
        (rtp, NtpTime(1)),
    ];
    for (count, (rtp, ntp)) in absurd.into_iter().enumerate() {
        publisher.sync.sender_report(Video, rtp, ntp, arrival);
        assert_eq!(publisher.sync.ignored_reports(), count as u64 + 2, "{ntp:?}");
    }
    publisher.run(10_000_000);
    assert!(publisher.lip_sync_error().abs() < 100 && publisher.worst_step <= 0);
    assert_eq!(publisher.sync.jumps(), 0);
}

#[test]
fn a_track_whose_wall_clock_is_not_the_other_ones_stays_at_its_arrival() {
    let mut publisher = Publisher::new([30_000, 30_000]);
    publisher.wall[0] = 5_000_000;
    publisher.run(30_000_000);
    assert!(publisher.lip_sync_error().abs() < 1_000, "{}", publisher.lip_sync_error());
    assert_eq!(publisher.sync.jumps(), 0);
    assert!(publisher.sync.ignored_reports() >= 29);
}

#[test]
fn a_step_of_the_publishers_wall_clock_is_not_seen() {
    let mut publisher = Publisher::new([30_000, 80_000]);
    publisher.settle();
    publisher.run(18_000_000);
    for step in [3_600_000_000, -2_000_000] {
        publisher.wall = publisher.wall.map(|wall| wall + step);
        publisher.run(20_500_000);
        assert!(publisher.lip_sync_error().abs() < 200, "{}", publisher.lip_sync_error());
        assert!(publisher.sync.skew().is_some());
    }
    assert!(publisher.worst_step <= 0);
    assert_eq!(publisher.sync.jumps(), 0);
}

#[test]
fn a_replaced_track_goes_on_where_the_old_one_ended() {
    let mut publisher = Publisher::new([30_000, 30_000]);
    publisher.run(5_000_000);
    // The latest picture to arrive was sent 40 ms ago.
    let last = publisher.now - 40_000 + publisher.placed[1];
    publisher.sync.reset(Video);
    assert_eq!(publisher.sync.skew(), None);
    let arrival = StreamTime::new(last - 5_000);
    let first = publisher.sync.video(VideoTicks::new(42), arrival);
    assert_eq!(first.get(), last, "it never goes back");
    let next = publisher.sync.video(VideoTicks::new(42 + 9_000), arrival + StreamTime::new(100_000));
    assert_eq!(next, arrival + StreamTime::new(100_000));
}

#[test]
fn a_jump_of_the_rtp_clock_places_the_track_anew() {
    let mut sync = RtpSync::default();
    for frame in 0..100_i64 {
        sync.video(VideoTicks::new(frame * 3_600), StreamTime::new(frame * 40_000));
    }
    let arrival = StreamTime::new(4_000_000);
    assert_eq!(sync.video(VideoTicks::new(1 << 40), arrival), arrival);
    assert_eq!(sync.jumps(), 1);
    // A pause in which real time passes is none.
    let arrival = StreamTime::new(64_000_000);
    assert_eq!(sync.video(VideoTicks::new((1 << 40) + 60 * 90_000), arrival), arrival);
    assert_eq!(sync.jumps(), 1);
}

proptest! {
    #[test]
    fn whatever_comes_time_never_goes_back_and_nothing_panics(
        events in vec((0_u8..4, any::<i64>(), 0_i64..100_000, any::<u64>(), any::<bool>()), 1..300),
    ) {
        let mut sync = RtpSync::default();
        let mut arrival = StreamTime::ZERO;
        let mut rtp = 0_i64;
        let mut last = None;
        for (event, value, wait, ntp, wild) in events {
            arrival += StreamTime::new(wait);
            match event {
                0 => sync.sender_report(Video, value as u32, NtpTime(ntp), arrival),
                1 => {
                    sync.audio(AudioTicks::new(value), arrival);
                    sync.sender_report(Audio, value as u32, NtpTime(ntp), arrival);
                }
                _ => {
                    rtp = if wild { value } else { rtp.saturating_add(value.rem_euclid(9_000)) };
                    let out = sync.video(VideoTicks::new(rtp), arrival);
                    if !wild {
                        prop_assert!(last.is_none_or(|last| out >= last), "{:?} after {:?}", out, last);
                    }
                    last = last.max(Some(out));
                }
            }
        }
    }
}
