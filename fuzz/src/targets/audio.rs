//! AAC and Opus: descriptions, and both directions of the transcoder.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use queqiao_media::aac::{self, MAX_CONFIG_BYTES, MAX_SAMPLE_RATE};
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::opus::{MAX_SAMPLES, PacketInfo};
use queqiao_media::time::StreamTime;
use queqiao_transcode::{AacSettings, AacToOpus, OpusSettings, OpusToAac};

use super::Target;
use crate::source::Source;
use crate::trace::Trace;

/// Frames of one case: enough for a decoder to be made anew and replaced.
const MAX_FRAMES: usize = 24;
/// The decoders' tables and buffers, the resampler's, and samples of one frame; the C libraries' own are not seen.
const TRANSCODER_MEMORY: usize = 2 << 20;
/// Times beyond this are wrong by so much that arithmetic saturates; order is lost there.
const ORDINARY: i64 = i64::MAX / 4;

pub(crate) const AAC_CONFIG: Target = Target {
    dictionary: &[
        &[0x11, 0x88],
        &[0x2b, 0x11, 0x88, 0],
        &[0xeb, 0x09, 0x88, 0],
        &[0x56, 0xe5, 0xa5, 0x48, 0x80],
        &[0xf8],
    ],
    max_len: 1 << 10,
    ..Target::new("aac_config", "an AudioSpecificConfig", aac_config)
};

fn aac_config(input: &[u8], trace: &mut Trace) {
    let bytes = Bytes::copy_from_slice(input);
    let stripped = aac::strip_adts(bytes.clone());
    assert!(bytes.ends_with(&stripped) && bytes.len() - stripped.len() <= 9);
    match aac::Config::parse(bytes) {
        Ok(config) => {
            trace.note("type", config.object_type.into());
            trace.note("rate", config.sample_rate.into());
            trace.note("channels", config.channels.into());
            trace.note("samples", config.samples_per_frame.into());
            assert_eq!(config.bytes, input);
            assert!(input.len() <= MAX_CONFIG_BYTES && config.channels > 0, "{config:?}");
            let rates = [config.core_rate, config.sample_rate];
            assert!(rates.iter().all(|rate| (1..=MAX_SAMPLE_RATE).contains(rate)), "{config:?}");
            let built = aac::Config::lc(config.core_rate, config.channels);
            assert!(built.is_ok() || matches!(config.channels, 7 | 9..), "{built:?} of {config:?}");
        }
        Err(error) => trace.error(&error),
    }
}

pub(crate) const AAC_TO_OPUS: Target = Target {
    memory: TRANSCODER_MEMORY,
    native: true,
    max_len: 8 << 10,
    short: 60,
    budget: Duration::from_millis(200),
    dictionary: AAC_CONFIG.dictionary,
    ..Target::new(
        "aac_to_opus",
        "an AudioSpecificConfig and frames, decoded and encoded as Opus",
        aac_to_opus,
    )
};

fn aac_to_opus(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let mut config = None;
    let mut time = StreamTime::ZERO;
    let mut out = Vec::new();
    let Ok(mut transcoder) = AacToOpus::new(OpusSettings::default()) else {
        unreachable!("the defaults are good")
    };
    for _ in 0..MAX_FRAMES {
        if source.is_empty() {
            break;
        }
        // One value in the first byte of a frame brings a new configuration.
        let head = source.u8();
        if config.is_none() || head == 0xff {
            let bytes = Bytes::copy_from_slice(source.block());
            match aac::Config::parse(bytes) {
                Ok(parsed) => config = Some(Arc::new(parsed)),
                Err(error) => trace.error(&error),
            }
        }
        let data = Bytes::copy_from_slice(source.block());
        let Some(config) = config.clone() else { continue };
        let length = i64::from(config.samples_per_frame) * 1_000_000 / i64::from(config.sample_rate);
        time += StreamTime::new(length);
        if head & 0x0f == 0x0f {
            time += StreamTime::new(source.step().saturating_mul(10_000));
        }
        if let Err(error) = transcoder.push(&AacFrame { time, config, data }, &mut out) {
            trace.error(&error);
        }
    }
    trace.note("bad", transcoder.counters().bad_frames);
    trace.note("jumps", transcoder.counters().jumps);
    trace.count("packets", out.len());
    for packet in &out {
        let info = PacketInfo::parse(&packet.data);
        assert!(matches!(info, Ok(PacketInfo { samples: 960, .. })), "{info:?}");
    }
    check_order(out.iter().map(|packet| packet.time));
}

/// Times strictly increase.
fn check_order(times: impl Iterator<Item = StreamTime>) {
    let times: Vec<_> = times.filter(|time| time.get().abs() < ORDINARY).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
}

pub(crate) const OPUS_PACKET: Target = Target {
    native: true,
    max_len: 2 << 10,
    dictionary: &[&[3], &[0xff, 0x41], &[0x83], &[0xc3], &[0x30], &[252, 1], &[255]],
    ..Target::new("opus_packet", "an Opus packet, described as libopus describes it", opus_packet)
};

fn opus_packet(input: &[u8], trace: &mut Trace) {
    let theirs = opus::packet::parse(input).ok().and_then(|packet| {
        let samples = opus::packet::get_nb_samples(input, 48_000).ok()?;
        let channels = opus::packet::get_nb_channels(input).ok()?;
        Some((packet.frames.len(), samples, channels == opus::Channels::Stereo))
    });
    let ours = PacketInfo::parse(input);
    match &ours {
        Ok(info) => {
            trace.note("frames", info.frames.into());
            trace.note("samples", info.samples.into());
            assert!(info.samples > 0 && info.samples <= MAX_SAMPLES, "{info:?}");
        }
        Err(error) => trace.error(error),
    }
    let ours = ours
        .ok()
        .map(|info| (info.frames.into(), info.samples.try_into().unwrap_or_default(), info.channels == 2));
    assert_eq!(ours, theirs, "ours and that of libopus");
}

pub(crate) const OPUS_TO_AAC: Target = Target {
    memory: TRANSCODER_MEMORY,
    native: true,
    max_len: 8 << 10,
    short: 60,
    budget: Duration::from_millis(200),
    dictionary: OPUS_PACKET.dictionary,
    ..Target::new("opus_to_aac", "Opus packets, decoded and encoded as AAC", opus_to_aac)
};

fn opus_to_aac(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let mut time = StreamTime::ZERO;
    let mut out = Vec::new();
    let Ok(mut transcoder) = OpusToAac::new(AacSettings::default()) else {
        unreachable!("the defaults are good")
    };
    for _ in 0..MAX_FRAMES {
        if source.is_empty() {
            break;
        }
        let head = source.u8();
        let data = Bytes::copy_from_slice(source.block());
        time += StreamTime::new(20_000);
        if head & 0x0f == 0x0f {
            time += StreamTime::new(source.step().saturating_mul(2_500));
        }
        if let Err(error) = transcoder.push(&OpusPacket { time, data }, &mut out) {
            unreachable!("{error}: a packet is never an error of the stream");
        }
    }
    let counters = transcoder.counters();
    trace.note("bad", counters.bad_frames);
    trace.note("concealed", counters.concealed);
    trace.note("jumps", counters.jumps);
    trace.count("frames", out.len());
    assert!(out.iter().all(|frame| !frame.data.is_empty() && frame.config.sample_rate == 48_000));
    check_order(out.iter().map(|frame| frame.time));
}
