//! Sound and time across Opus to AAC.

#![cfg(feature = "fdk-aac")]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_precision_loss)]

mod common;

use bytes::Bytes;
use common::{Heard, chirp, opus_packets, steps, tone};
use opus::Channels::{Mono, Stereo};
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;
use queqiao_transcode::{AacSettings, ChannelPolicy, Counters, OpusToAac};

fn transcode(packets: &[OpusPacket]) -> (Vec<AacFrame>, Counters) {
    let mut transcoder = OpusToAac::new(AacSettings::default()).unwrap();
    let mut out = Vec::new();
    for packet in packets {
        transcoder.push(packet, &mut out).unwrap();
    }
    (out, transcoder.counters())
}

/// Frames of 1024 samples follow each other by 21333 1/3 us.
fn even(frames: &[AacFrame]) -> bool {
    steps(frames.iter().map(|frame| frame.time)).iter().all(|step| (21_333..=21_334).contains(step))
}

#[test]
fn a_tone_keeps_its_pitch_its_level_and_its_time_in_packets_of_any_length() {
    for length in [120, 240, 480, 960, 1_920, 2_880, 5_760] {
        for channels in [Mono, Stereo] {
            let (frames, counters) = transcode(&opus_packets(&tone, channels, length, 0.0, 2.0));
            let (amplitude, share) = Heard::aac(&frames, 2.0).amplitude(440.0, 0.5, 1.5);
            assert!((0.45..0.55).contains(&amplitude), "{length} {channels:?}: amplitude {amplitude}");
            assert!(share > 0.99, "{length} {channels:?}: {share} of the power is at 440 Hz");
            assert!(even(&frames) && frames[0].config.channels == channels as u8);
            assert_eq!(counters, Counters::default());

            let (frames, _) = transcode(&opus_packets(&chirp, channels, length, 0.0, 1.5));
            let late = Heard::aac(&frames, 1.0).lateness_ms(&chirp);
            assert!(late.abs() < 3.0, "{length} {channels:?}: {late} ms");
        }
    }
}

#[test]
fn the_configuration_is_aac_lc_at_48_khz() {
    let mono = OpusToAac::new(AacSettings::default()).unwrap();
    assert_eq!(mono.config().bytes[..], [0x11, 0x88]);
    let settings = AacSettings { channels: ChannelPolicy::Stereo, ..AacSettings::default() };
    assert_eq!(OpusToAac::new(settings).unwrap().config().bytes[..], [0x11, 0x90]);
}

#[test]
fn the_output_turns_stereo_with_the_input_and_stays_so_without_a_gap() {
    let mut packets = opus_packets(&tone, Mono, 960, 0.0, 0.5);
    packets.extend(opus_packets(&tone, Stereo, 960, 0.5, 0.5));
    packets.extend(opus_packets(&tone, Mono, 960, 1.0, 1.0));
    let (frames, counters) = transcode(&packets);
    assert!(even(&frames));
    assert_eq!((frames[0].config.channels, frames.last().unwrap().config.channels), (1, 2));
    assert_eq!(counters, Counters::default());
    let (amplitude, _) = Heard::aac(&frames, 2.0).amplitude(440.0, 1.2, 1.8);
    assert!((0.45..0.55).contains(&amplitude), "{amplitude}");
}

#[test]
fn a_fixed_number_of_channels_is_kept() {
    for (policy, wanted) in [(ChannelPolicy::Mono, 1), (ChannelPolicy::Stereo, 2)] {
        let settings = AacSettings { channels: policy, ..AacSettings::default() };
        let mut transcoder = OpusToAac::new(settings).unwrap();
        let mut out = Vec::new();
        for packet in
            opus_packets(&tone, Mono, 960, 0.0, 0.5).iter().chain(&opus_packets(&tone, Stereo, 960, 0.5, 0.5))
        {
            transcoder.push(packet, &mut out).unwrap();
        }
        assert!(out.iter().all(|frame| frame.config.channels == wanted));
        let (amplitude, _) = Heard::aac(&out, 1.0).amplitude(440.0, 0.6, 0.9);
        assert!((0.45..0.55).contains(&amplitude), "{policy:?}: {amplitude}");
    }
}

#[test]
fn a_lost_packet_is_concealed_without_a_gap_in_sound_or_time() {
    let mut packets = opus_packets(&tone, Mono, 960, 0.0, 1.5);
    packets[30].data = Bytes::new();
    let (frames, counters) = transcode(&packets);
    assert!(even(&frames));
    assert_eq!((counters.concealed + counters.recovered, counters.filled_samples), (1, 0));
    let (amplitude, _) = Heard::aac(&frames, 1.5).amplitude(440.0, 0.59, 0.63);
    assert!(amplitude > 0.3, "{amplitude}");
}

#[test]
fn a_packet_that_is_missing_without_notice_is_concealed_as_well() {
    let mut packets = opus_packets(&tone, Mono, 960, 0.0, 1.5);
    packets.remove(30);
    let (frames, counters) = transcode(&packets);
    assert!(even(&frames));
    assert_eq!((counters.concealed + counters.recovered, counters.filled_samples), (1, 0));
    let (amplitude, _) = Heard::aac(&frames, 1.5).amplitude(440.0, 0.59, 0.63);
    assert!(amplitude > 0.3, "{amplitude}");
}

#[test]
fn several_lost_packets_in_a_row_cost_no_time() {
    let mut packets = opus_packets(&chirp, Mono, 960, 0.0, 1.5);
    for packet in &mut packets[10..18] {
        packet.data = Bytes::new();
    }
    let (frames, _) = transcode(&packets);
    assert!(even(&frames));
    let late = Heard::aac(&frames, 1.0).lateness_ms(&chirp);
    assert!(late.abs() < 3.0, "{late} ms");
}

#[test]
fn in_band_fec_brings_back_a_lost_packet() {
    let mut encoder = opus::Encoder::new(16_000, Mono, opus::Application::Voip).unwrap();
    encoder.set_inband_fec(true).unwrap();
    encoder.set_packet_loss_perc(30).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
    encoder.set_signal(opus::Signal::Voice).unwrap();
    // A tone that begins in the lost packet: concealment cannot know of it.
    let onset = |t: f64| if t < 0.6 { 0.0 } else { tone(t) };
    let mut packets: Vec<_> = (0..60_i64)
        .map(|n| {
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
            let pcm: Vec<f32> = (0..320).map(|i| onset((n * 320 + i) as f64 / 16_000.0) as f32).collect();
            let data = encoder.encode_vec_float(&pcm, 1_000).unwrap().into();
            OpusPacket { time: StreamTime::new(n * 20_000), data }
        })
        .collect();
    packets[31].data = Bytes::new();
    let (frames, counters) = transcode(&packets);
    assert_eq!((counters.recovered, counters.concealed), (1, 0));
    let peak = Heard::aac(&frames, 1.2).peak(0.625, 0.638);
    assert!(peak > 0.2, "{peak}");
}

#[test]
fn dtx_of_400_ms_is_bridged() {
    let mut packets = opus_packets(&chirp, Mono, 960, 0.0, 1.5);
    packets.drain(2..22);
    let (frames, counters) = transcode(&packets);
    assert!(even(&frames), "{counters:?}");
    let late = Heard::aac(&frames, 1.0).lateness_ms(&chirp);
    assert!(late.abs() < 3.0, "{late} ms");
}

#[test]
fn sound_that_is_not_sent_is_made_up_step_by_step_and_goes_on_in_its_place() {
    let packets = opus_packets(&chirp, Mono, 960, 0.0, 1.5);
    let (mut transcoder, mut out) = (OpusToAac::new(AacSettings::default()).unwrap(), Vec::new());
    transcoder.advance(StreamTime::new(5_000_000), &mut out).unwrap();
    assert!(out.is_empty(), "nothing has begun");
    let mut late = 0;
    for (n, packet) in packets.iter().enumerate() {
        if (2..22).contains(&n) {
            transcoder.advance(packet.time - StreamTime::new(60_000), &mut out).unwrap();
        } else {
            transcoder.push(packet, &mut out).unwrap();
        }
        let end = out.last().map_or(packet.time, |frame| frame.time);
        late = late.max((packet.time - end).get());
    }
    assert!(even(&out));
    assert!(late < 150_000, "{late} us behind: a player would wait");
    let counters = transcoder.counters();
    assert!(counters.made_up >= 16 && counters.filled_samples == 0, "{counters:?}");
    let late = Heard::aac(&out, 1.0).lateness_ms(&chirp);
    assert!(late.abs() < 3.0, "{late} ms");
}

#[test]
fn what_is_made_up_ends_after_a_second() {
    let (mut transcoder, mut out) = (OpusToAac::new(AacSettings::default()).unwrap(), Vec::new());
    transcoder.push(&opus_packets(&tone, Mono, 960, 0.0, 0.02)[0], &mut out).unwrap();
    transcoder.advance(StreamTime::new(3_600_000_000), &mut out).unwrap();
    assert!((45..50).contains(&out.len()), "{} frames", out.len());
}

#[test]
fn a_long_loss_fades_without_a_click() {
    for gone in [10, 25, 40] {
        let mut packets = opus_packets(&tone, Mono, 960, 0.0, 2.0);
        for packet in &mut packets[30..30 + gone] {
            packet.data = Bytes::new();
        }
        let (frames, counters) = transcode(&packets);
        assert!(even(&frames) && counters.filled_samples == 0, "{counters:?}");
        let heard = Heard::aac(&frames, 2.0);
        let steepest = |samples: &[f64]| {
            samples.windows(2).fold(0.0_f64, |most, pair| most.max((pair[1] - pair[0]).abs()))
        };
        let usual = steepest(&heard.0[0][12_000..24_000]);
        let worst = steepest(&heard.0[0][24_000..80_000]);
        assert!(worst < 3.0 * usual, "{gone} packets: a step of {worst}, {usual} in the tone itself");
        if gone > 10 {
            let left = heard.peak(0.6 + 0.3, 0.6 + 0.02 * (gone as f64) - 0.05);
            assert!(left < 0.1, "{gone} packets: {left}");
        }
    }
}

#[test]
fn a_jump_of_ten_seconds_moves_the_output_along() {
    let mut packets = opus_packets(&tone, Mono, 960, 0.0, 2.0);
    for packet in packets.iter_mut().skip(50) {
        packet.time += StreamTime::new(10_000_000);
    }
    let (frames, counters) = transcode(&packets);
    assert_eq!(counters.jumps, 1);
    let jump = steps(frames.iter().map(|frame| frame.time)).into_iter().max().unwrap();
    // What waited for a full frame is lost in a jump: up to 21 ms, on top of the step of a frame.
    assert!((10_000_000..10_043_000).contains(&jump), "{jump}");
}

#[test]
fn the_delay_is_within_the_budget_of_60_ms() {
    let mut transcoder = OpusToAac::new(AacSettings::default()).unwrap();
    let mut out = Vec::new();
    let mut worst = 0;
    for packet in opus_packets(&tone, Mono, 960, 0.0, 5.0) {
        transcoder.push(&packet, &mut out).unwrap();
        worst = out.drain(..).fold(worst, |worst, frame| worst.max((packet.time - frame.time).get()));
    }
    let promised = i64::try_from(transcoder.delay().as_micros()).unwrap();
    assert!(promised < 60_000 && worst <= promised, "{worst} us, promised {promised} us");
}
