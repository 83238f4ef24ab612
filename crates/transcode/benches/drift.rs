//! An hour of a publisher whose clock is not the server's: `cargo bench -p queqiao-transcode --bench drift`.
//!
//! Time is virtual; timeline, clock sync and codecs are those of the server.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::drift::{Figures, rtmp_to_rtp, rtp_to_frames};

const MINUTES: i64 = 60;

fn main() {
    println!(
        "{:<16} {:>6} {:>16} {:>18} {:>16}",
        "path", "ppm", "lip sync, ms", "latency grown, ms", "samples slewed"
    );
    for ppm in [200, -200, 0] {
        row("RTMP to RTP", ppm, &rtmp_to_rtp(ppm, MINUTES));
        row("RTP to frames", ppm, &rtp_to_frames(ppm, MINUTES));
    }
}

fn row(name: &str, ppm: i64, figures: &Figures) {
    let ms = |us: i64| us as f64 / 1_000.0;
    let slewed = figures.counters.slewed_samples;
    println!("{name:<16} {ppm:>6} {:>16.1} {:>18.1} {slewed:>16}", ms(figures.lip_sync), ms(figures.growth));
}
