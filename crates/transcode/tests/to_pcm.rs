//! Samples out of either codec, and an encoder that takes over from another.

#![cfg(feature = "fdk-aac")]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_precision_loss)]

mod common;

use std::f64::consts::TAU;

use bytes::Bytes;
use common::{Source, opus_packets, tone};
use opus::Channels::Stereo;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;
use queqiao_transcode::{AAC_FRAME_LEN, AacEncoder, AacSettings, AacToPcm, OpusToPcm};

/// How far samples are from [`tone`] where they are heard, as the share of its amplitude.
fn error(pieces: &[(StreamTime, Vec<f32>)], from: f64, to: f64) -> f64 {
    let at = |time: &StreamTime, index: usize| time.get() as f64 / 1e6 + index as f64 / 48_000.0;
    let samples = pieces.iter().flat_map(|(time, piece)| {
        piece.iter().enumerate().map(move |(index, sample)| (at(time, index), f64::from(*sample)))
    });
    let inside: Vec<_> = samples.filter(|(time, _)| (from..to).contains(time)).collect();
    assert!(inside.len() as f64 > (to - from) * 47_000.0, "{} samples", inside.len());
    // A codec may turn the phase by a little: the best fit of both parts of the tone.
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (time, sample) in &inside {
        sine += sample * (TAU * 440.0 * time).sin();
        cosine += sample * (TAU * 440.0 * time).cos();
    }
    let scale = 2.0 / inside.len() as f64;
    let expected = 0.5_f64;
    ((sine * scale - expected).powi(2) + (cosine * scale).powi(2)).sqrt() / expected
}

#[test]
fn opus_becomes_the_sound_that_it_was_and_what_is_lost_is_made_up() {
    for lost in [None, Some(20..22)] {
        let mut packets = opus_packets(&tone, Stereo, 960, 0.0, 1.0);
        for index in lost.clone().unwrap_or(0..0) {
            packets[index].data = Bytes::new();
        }
        let mut decoder = OpusToPcm::new().unwrap();
        let pieces: Vec<_> = packets
            .iter()
            .filter_map(|packet| decoder.push(packet).map(|(time, samples)| (time, samples.to_vec())))
            .collect();
        assert!(error(&pieces, 0.1, 0.9) < 0.1, "{lost:?}: {}", error(&pieces, 0.1, 0.9));
        let contiguous = pieces.windows(2).all(|pair| {
            let end = pair[0].0.get() + i64::try_from(pair[0].1.len()).unwrap() * 1_000_000 / 48_000;
            (pair[1].0.get() - end).abs() < 100
        });
        assert!(contiguous, "{lost:?}");
    }
}

#[test]
fn rubbish_is_counted_and_leaves_a_hole() {
    let mut decoder = OpusToPcm::new().unwrap();
    for packet in opus_packets(&tone, Stereo, 960, 0.0, 0.2) {
        decoder.push(&packet);
    }
    let rubbish =
        OpusPacket { time: StreamTime::new(200_000), data: Bytes::from_static(&[0xff, 0xff, 0xff]) };
    assert!(decoder.push(&rubbish).is_none());
    assert_eq!(decoder.bad_packets(), 1);
    let mut aac = AacToPcm::default();
    let mut frames = Source::lc(48_000, 1).frames(&tone, 0.0, 0.2);
    frames[2].data = Bytes::new();
    let decoded = frames.iter().filter(|frame| aac.push(frame).unwrap().is_some()).count();
    assert_eq!((decoded, aac.bad_frames()), (frames.len() - 1, 1));
}

#[test]
fn aac_of_any_rate_becomes_48_khz_in_one_channel_at_its_time() {
    for source in [Source::lc(48_000, 1), Source::lc(44_100, 2), Source::lc(16_000, 1)] {
        let mut decoder = AacToPcm::default();
        let frames = source.frames(&tone, 0.0, 1.0);
        let pieces: Vec<_> = frames
            .iter()
            .filter_map(|frame| decoder.push(frame).unwrap().map(|(time, samples)| (time, samples.to_vec())))
            .collect();
        assert!(error(&pieces, 0.2, 0.9) < 0.1, "{} Hz: {}", source.rate, error(&pieces, 0.2, 0.9));
    }
}

#[test]
fn an_encoder_that_has_seen_three_blocks_takes_over_without_a_click() {
    let block = |index: usize| -> Vec<f32> {
        let start = index * AAC_FRAME_LEN;
        (start..start + AAC_FRAME_LEN).map(|index| tone(index as f64 / 48_000.0) as f32).collect()
    };
    let settings = AacSettings::default();
    let decoded = |primed: Option<usize>| -> Vec<f32> {
        let mut one = AacEncoder::new(&settings, 1).unwrap();
        let mut other = AacEncoder::new(&settings, 1).unwrap();
        let mut decoder = AacToPcm::default();
        let mut sound = Vec::new();
        for index in 0..40 {
            if let Some(primed) = primed
                && index == 20
            {
                for earlier in 20 - primed..20 {
                    other.encode(&block(earlier)).unwrap();
                }
            }
            let encoder = if primed.is_some() && index >= 20 { &mut other } else { &mut one };
            let data = encoder.encode(&block(index)).unwrap();
            let time = StreamTime::new(i64::try_from(index * AAC_FRAME_LEN).unwrap() * 1_000_000 / 48_000);
            let frame = AacFrame { time, config: encoder.config().clone(), data };
            sound.extend_from_slice(decoder.push(&frame).unwrap().unwrap().1);
        }
        sound
    };
    let undisturbed = decoded(None);
    let worst = |sound: &[f32]| {
        let pairs = undisturbed.iter().zip(sound).skip(10 * AAC_FRAME_LEN);
        pairs.map(|(one, other)| (one - other).abs()).fold(0.0_f32, f32::max)
    };
    assert!(worst(&decoded(Some(3))) < 0.03, "{}", worst(&decoded(Some(3))));
    assert!(worst(&decoded(Some(0))) > 0.2, "without them it clicks: {}", worst(&decoded(Some(0))));
}
