//! What a build can do without FDK AAC, and what it says about the rest.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use bytes::Bytes;
use queqiao_media::aac;
use queqiao_media::frame::AacFrame;
use queqiao_media::time::StreamTime;
use queqiao_transcode::{AacToOpus, OpusSettings};

/// A frame of AAC-LC in mono without any spectral lines (ISO/IEC 14496-3 table 4.3).
const SILENCE: [u8; 4] = [0, 0, 0, 7];

fn frame(n: i64, config: &[u8]) -> AacFrame {
    let config = Arc::new(aac::Config::parse(Bytes::copy_from_slice(config)).unwrap());
    AacFrame { time: StreamTime::new(n * 1_024_000_000 / 48_000), config, data: Bytes::from_static(&SILENCE) }
}

#[test]
fn aac_lc_becomes_opus_with_and_without_fdk() {
    let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
    let mut out = Vec::new();
    for n in 0..15 {
        transcoder.push(&frame(n, &[0x11, 0x88]), &mut out).unwrap();
    }
    assert_eq!((out.len(), transcoder.counters().bad_frames), (16, 0));
}

#[cfg(not(feature = "fdk-aac"))]
#[test]
fn without_fdk_he_aac_and_encoding_are_errors_that_name_the_feature() {
    let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
    let error = transcoder.push(&frame(0, &[0x2b, 0x11, 0x88, 0x00]), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("fdk-aac"), "{error}");
    let error = queqiao_transcode::OpusToAac::new(queqiao_transcode::AacSettings::default()).err().unwrap();
    assert!(matches!(error, queqiao_transcode::Error::NoAacEncoder));
}
