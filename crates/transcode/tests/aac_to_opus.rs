//! Sound and time across AAC to Opus.

#![cfg(feature = "fdk-aac")]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use bytes::Bytes;
use common::{Heard, Source, chirp, steps, tone};
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;
use queqiao_transcode::fdk::ObjectType;
use queqiao_transcode::{AacToOpus, Counters, OpusSettings};

fn transcode(frames: &[AacFrame]) -> (Vec<OpusPacket>, Counters) {
    let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
    let mut out = Vec::new();
    for frame in frames {
        transcoder.push(frame, &mut out).unwrap();
    }
    (out, transcoder.counters())
}

fn coded_channels(packet: &OpusPacket) -> usize {
    opus::packet::get_nb_channels(&packet.data).unwrap() as usize
}

const HE: Source = Source { object_type: ObjectType::HeV1, rate: 48_000, channels: 2, implicit_sbr: false };
const HE_MONO_44: Source =
    Source { object_type: ObjectType::HeV1, rate: 44_100, channels: 1, implicit_sbr: false };
const HE_HIDDEN: Source =
    Source { object_type: ObjectType::HeV1, rate: 48_000, channels: 1, implicit_sbr: true };
const HE_V2: Source =
    Source { object_type: ObjectType::HeV2, rate: 48_000, channels: 2, implicit_sbr: false };
const LD: Source = Source { object_type: ObjectType::Ld, rate: 48_000, channels: 1, implicit_sbr: false };

const SOURCES: [(&str, Source); 12] = [
    ("48k mono", Source::lc(48_000, 1)),
    ("48k stereo", Source::lc(48_000, 2)),
    ("44.1k mono", Source::lc(44_100, 1)),
    ("44.1k stereo", Source::lc(44_100, 2)),
    ("32k stereo", Source::lc(32_000, 2)),
    ("22.05k mono", Source::lc(22_050, 1)),
    ("16k mono", Source::lc(16_000, 1)),
    ("HE 48k stereo", HE),
    ("HE 44.1k mono", HE_MONO_44),
    ("HE 48k mono, not announced", HE_HIDDEN),
    ("HE v2 48k", HE_V2),
    ("LD 48k mono", LD),
];

#[test]
fn a_tone_keeps_its_pitch_and_its_level_at_every_rate_and_profile() {
    for (name, source) in SOURCES {
        let (packets, counters) = transcode(&source.frames(&tone, 0.0, 2.0));
        let heard = Heard::opus(&packets, 2.0);
        let (amplitude, share) = heard.amplitude(440.0, 0.5, 1.5);
        assert!((0.45..0.55).contains(&amplitude), "{name}: amplitude {amplitude}");
        assert!(share > 0.99, "{name}: {share} of the power is at 440 Hz");
        assert_eq!(
            counters,
            Counters { filled_samples: counters.filled_samples, ..Counters::default() },
            "{name}"
        );
    }
}

#[test]
fn a_sound_is_heard_at_its_time_at_every_rate_and_profile() {
    for (name, source) in SOURCES {
        let (packets, _) = transcode(&source.frames(&chirp, 0.0, 1.5));
        let late = Heard::opus(&packets, 1.0).lateness_ms(&chirp);
        assert!(late.abs() < 3.0, "{name}: {late} ms");
    }
}

#[test]
fn mono_stays_mono_and_stereo_stays_stereo() {
    for channels in [1, 2] {
        let (packets, _) = transcode(&Source::lc(44_100, channels).frames(&tone, 0.0, 0.5));
        assert!(packets.len() > 20);
        assert!(packets.iter().all(|packet| coded_channels(packet) == usize::from(channels)));
    }
}

#[test]
fn packets_are_20_ms_long_and_20_ms_apart_though_stamps_are_rounded_to_milliseconds() {
    let mut frames = Source::lc(44_100, 2).frames(&tone, 1.0, 20.0);
    for frame in &mut frames {
        frame.time = StreamTime::new(frame.time.get() / 1_000 * 1_000);
    }
    let (packets, counters) = transcode(&frames);
    assert!(packets.len() > 990);
    assert!(steps(packets.iter().map(|p| p.time)).iter().all(|&step| step == 20_000));
    assert!(packets.iter().all(|p| opus::packet::get_nb_samples(&p.data, 48_000).unwrap() == 960));
    assert_eq!(counters, Counters::default());
}

#[test]
fn a_change_from_48k_stereo_to_16k_mono_and_back_keeps_time_and_sound() {
    let mut frames = Source::lc(48_000, 2).frames(&chirp, 0.0, 0.3);
    let back = Source::lc(48_000, 2).frames(&tone, 1.0, 1.0);
    frames.extend(Source::lc(16_000, 1).frames(&chirp, 0.3, 0.7));
    frames.retain(|frame| frame.time < back[0].time);
    frames.extend(back);
    let (packets, counters) = transcode(&frames);
    assert!(steps(packets.iter().map(|p| p.time)).iter().all(|&step| step == 20_000), "{counters:?}");
    let heard = Heard::opus(&packets, 2.0);
    let late = heard.lateness_ms(&chirp);
    assert!(late.abs() < 3.0, "{late} ms");
    let (amplitude, _) = heard.amplitude(440.0, 1.3, 1.8);
    assert!((0.45..0.55).contains(&amplitude), "{amplitude}");
    let channels = packets.iter().map(coded_channels).collect::<Vec<_>>();
    assert_eq!((channels[5], channels[40], channels[80]), (2, 1, 2));
    assert_eq!((counters.bad_frames, counters.jumps), (0, 0));
}

#[test]
fn a_gap_of_200_ms_becomes_silence_and_what_follows_is_on_time() {
    let mut frames = Source::lc(48_000, 1).frames(&chirp, 0.0, 1.5);
    frames.retain(|frame| !(200_000..400_000).contains(&frame.time.get()));
    let (packets, counters) = transcode(&frames);
    assert!(steps(packets.iter().map(|p| p.time)).iter().all(|&step| step == 20_000));
    assert!((9_000..11_000).contains(&counters.filled_samples), "{counters:?}");
    let late = Heard::opus(&packets, 1.0).lateness_ms(&chirp);
    assert!(late.abs() < 3.0, "{late} ms");
}

#[test]
fn a_jump_of_ten_seconds_moves_the_output_along() {
    let mut frames = Source::lc(48_000, 1).frames(&tone, 0.0, 2.0);
    for frame in frames.iter_mut().skip(40) {
        frame.time += StreamTime::new(10_000_000);
    }
    let (packets, counters) = transcode(&frames);
    let steps = steps(packets.iter().map(|p| p.time));
    let jumps: Vec<_> = steps.into_iter().filter(|&step| step != 20_000).collect();
    assert_eq!((jumps.len(), counters.jumps), (1, 1));
    assert!((10_000_000..10_050_000).contains(&jumps[0]), "{jumps:?}");
}

#[test]
fn a_bad_frame_is_counted_and_costs_no_time() {
    let mut frames = Source::lc(44_100, 2).frames(&chirp, 0.0, 1.5);
    frames[10].data = Bytes::from_static(&[0x5f; 40]);
    frames[12].data = Bytes::new();
    let (packets, counters) = transcode(&frames);
    assert_eq!((counters.bad_frames, counters.filled_samples), (2, 0));
    assert!(steps(packets.iter().map(|p| p.time)).iter().all(|&step| step == 20_000));
    let late = Heard::opus(&packets, 1.0).lateness_ms(&chirp);
    assert!(late.abs() < 3.0, "{late} ms");
}

#[test]
fn a_stream_that_starts_with_frames_of_the_wrong_layout_recovers() {
    let mut frames = Source::lc(48_000, 2).frames(&tone, 0.0, 2.0);
    let mono = Source::lc(48_000, 1).frames(&tone, 0.0, 0.5);
    for (frame, wrong) in frames.iter_mut().zip(&mono).take(3) {
        frame.data = wrong.data.clone();
    }
    let (packets, _) = transcode(&frames);
    let (amplitude, _) = Heard::opus(&packets, 2.0).amplitude(440.0, 0.8, 1.6);
    assert!((0.45..0.55).contains(&amplitude), "{amplitude}");
}

#[test]
fn an_unsupported_configuration_is_an_error_once_and_its_frames_are_counted() {
    let mut frames = Source::lc(48_000, 1).frames(&tone, 0.0, 0.2);
    let mut config = (*frames[0].config).clone();
    config.bytes = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff]);
    let config = std::sync::Arc::new(config);
    for frame in &mut frames {
        frame.config = config.clone();
    }
    let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
    let mut out = Vec::new();
    let error = transcoder.push(&frames[0], &mut out).unwrap_err();
    assert!(error.to_string().contains("ff, ff"), "{error}");
    transcoder.push(&frames[1], &mut out).unwrap();
    assert_eq!((transcoder.counters().bad_frames, out.len()), (2, 0));
}

#[test]
fn the_delay_is_within_the_budget_of_35_ms() {
    for (name, source) in &SOURCES[..7] {
        let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
        let mut out = Vec::new();
        let frames = source.frames(&tone, 0.0, 3.0);
        let mut worst = 0;
        for frame in &frames {
            transcoder.push(frame, &mut out).unwrap();
            worst = out.drain(..).fold(worst, |worst, packet| worst.max((frame.time - packet.time).get()));
        }
        let promised = transcoder.delay().as_micros() as i64;
        assert!(promised < 35_000, "{name}: {promised} us");
        assert!(worst <= promised + 100, "{name}: {worst} us, promised {promised} us");
    }
}

/// Packets of a tone whose listeners begin to lose packets after a second, and no longer do after three.
fn with_loss_in_between(source: Source, seconds: f64) -> Vec<OpusPacket> {
    let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
    let mut out = Vec::new();
    for frame in source.frames(&tone, 0.0, seconds) {
        let lossy = (1_000_000..3_000_000).contains(&frame.time.get());
        transcoder.prepare_for_loss(if lossy { 0.1 } else { 0.0 }).unwrap();
        transcoder.push(&frame, &mut out).unwrap();
    }
    out
}

#[test]
fn packets_are_redundant_while_listeners_lose_some() {
    let packets = with_loss_in_between(Source::lc(48_000, 1), 4.0);
    // Configurations from 16 on are CELT, which has no in-band FEC (RFC 6716 table 2).
    let redundant = |packet: &&OpusPacket| packet.data[0] >> 3 < 16;
    let times: Vec<_> = packets.iter().filter(redundant).map(|packet| packet.time.get() / 1_000).collect();
    let (first, last) = (*times.first().unwrap(), *times.last().unwrap());
    assert!((950..1_100).contains(&first) && (2_900..3_100).contains(&last), "from {first} to {last} ms");
    assert!((95..=105).contains(&times.len()), "{} packets", times.len());
}

#[test]
fn the_change_to_redundancy_and_back_is_not_heard() {
    for channels in [1, 2] {
        let packets = with_loss_in_between(Source::lc(48_000, channels), 4.0);
        assert!(steps(packets.iter().map(|packet| packet.time)).iter().all(|&step| step == 20_000));
        let heard = Heard::opus(&packets, 4.0);
        for from in [0.9, 1.0, 1.9, 2.9, 3.0] {
            let (amplitude, share) = heard.amplitude(440.0, from, from + 0.1);
            assert!((0.4..0.6).contains(&amplitude) && share > 0.9, "{from} s: {amplitude}, {share}");
        }
    }
}

#[test]
fn what_is_lost_comes_back_with_the_next_packet() {
    let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
    transcoder.prepare_for_loss(0.1).unwrap();
    // Concealment cannot know of a tone that begins in what is lost.
    let onset = |t: f64| if t < 1.0 { 0.0 } else { tone(t) };
    let mut packets = Vec::new();
    for frame in Source::lc(48_000, 1).frames(&onset, 0.0, 2.0) {
        transcoder.push(&frame, &mut packets).unwrap();
    }
    let lost = packets.iter().position(|packet| packet.time.get() > 990_000).unwrap();
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let mut pcm = vec![0.0_f32; 960];
    for packet in &packets[..lost] {
        decoder.decode_float(&packet.data, &mut pcm, false).unwrap();
    }
    decoder.decode_float(&packets[lost + 1].data, &mut pcm, true).unwrap();
    let peak = pcm.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!(peak > 0.2, "{peak}");
}
