//! What is fuzzed.

mod audio;
mod flv;
mod h264;
mod jitter;
mod room;
mod rtmp;
mod rtp;
mod signal;
mod vendor;

use std::time::Duration;

use crate::trace::Trace;

/// One way in for bytes from strangers.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Runs one case. Panics where something that must hold does not.
    pub(crate) run: fn(&[u8], &mut Trace),
    /// The most bytes that a case may hold, its input aside.
    pub(crate) memory: usize,
    /// What a case should take at most. Longer ones are counted.
    pub(crate) budget: Duration,
    /// The longest input.
    pub(crate) max_len: usize,
    /// Whether C code takes part, whose faults end the process: then every input is on disk before it runs.
    pub(crate) native: bool,
    /// Cases for each run of the tests.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests"))]
    pub(crate) short: u64,
    /// Words of the format.
    pub(crate) dictionary: &'static [&'static [u8]],
    /// Inputs beside the corpus that have to be made up anew.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    /// A target in safe Rust that is fast, has short inputs and needs little memory.
    const fn new(name: &'static str, about: &'static str, run: fn(&[u8], &mut Trace)) -> Self {
        Self {
            name,
            about,
            run,
            memory: 256 << 10,
            budget: Duration::from_millis(10),
            max_len: 4 << 10,
            native: false,
            short: 2000,
            dictionary: &[],
            seeds: Vec::new,
        }
    }
}

/// All targets.
pub(crate) const TARGETS: &[Target] = &[
    rtmp::SESSION,
    rtmp::CLIENT,
    rtmp::AMF0,
    flv::TAGS,
    h264::AVCC_SPS,
    audio::AAC_CONFIG,
    audio::AAC_TO_OPUS,
    audio::OPUS_PACKET,
    audio::OPUS_TO_AAC,
    rtp::DEPACKETIZER,
    rtp::LOSSY_PATH,
    jitter::BUFFER,
    signal::SDP_OFFER,
    signal::ICE_FRAGMENT,
    room::TOKEN,
    vendor::TOKEN,
    room::ADDRESS,
    room::STREAM_KEY,
];
