//! A publisher's clock that is not the server's, through timeline and transcoder.

#![cfg(feature = "fdk-aac")]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

mod common;

use common::drift::{Figures, rtmp_to_rtp, rtp_to_frames};
use queqiao_transcode::Counters;

/// Enough for the correction to reach its pace, in which it goes on for ever: `benches/drift.rs` runs an hour.
const MINUTES: i64 = 4;

fn assert_together(name: &str, ppm: i64, figures: &Figures) {
    println!("{name}, {ppm} ppm: {figures:?}");
    assert!(figures.lip_sync < 15_000, "{name}, {ppm} ppm: {figures:?}");
    assert!(figures.growth.abs() < 10_000, "{name}, {ppm} ppm: {figures:?}");
    let expected = Counters { slewed_samples: figures.counters.slewed_samples, ..Counters::default() };
    assert_eq!(figures.counters, expected, "{name}, {ppm} ppm: nothing is cut out or filled in");
}

#[test]
fn sound_and_picture_of_an_rtmp_publisher_200_ppm_off_stay_together_as_rtp() {
    for ppm in [200, -200] {
        assert_together("RTMP to RTP", ppm, &rtmp_to_rtp(ppm, MINUTES));
    }
}

#[test]
fn sound_and_picture_of_a_webrtc_publisher_200_ppm_off_stay_together_as_frames() {
    for ppm in [200, -200] {
        assert_together("RTP to frames", ppm, &rtp_to_frames(ppm, MINUTES));
    }
}
