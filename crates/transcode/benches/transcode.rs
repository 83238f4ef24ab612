//! What a transcoder costs and how much later the sound arrives: `cargo bench -p queqiao-transcode`.
//!
//! Input is 30 s of synthetic speech. CPU time is that of the thread, so that other work on the machine does not count.
//! The delay is measured, not computed: the longest time by which an output frame is handed over later than a player of
//! the input would have had the same sound, with every input frame pushed at the moment it is complete.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;
use queqiao_transcode::fdk::{Encoder, EncoderSettings, ObjectType};
use queqiao_transcode::{AacSettings, AacToOpus, Application, OpusSettings, OpusToAac};

const SECONDS: usize = 30;

fn main() {
    println!("{:<26} {:<26} {:>8} {:>8} {:>8}", "path", "settings", "x real", "% core", "delay ms");
    let inputs = [
        ("AAC 48k mono -> Opus", aac(ObjectType::Lc, 48_000, 1, 64_000)),
        ("AAC 44.1k mono -> Opus", aac(ObjectType::Lc, 44_100, 1, 64_000)),
        ("AAC 16k mono -> Opus", aac(ObjectType::Lc, 16_000, 1, 32_000)),
        ("AAC 48k stereo -> Opus", aac(ObjectType::Lc, 48_000, 2, 128_000)),
        ("AAC 44.1k stereo -> Opus", aac(ObjectType::Lc, 44_100, 2, 128_000)),
        ("HE-AAC 48k stereo -> Opus", aac(ObjectType::HeV1, 48_000, 2, 64_000)),
    ];
    for (name, frames) in &inputs {
        to_opus(name, "default", OpusSettings::default(), 0.0, frames);
    }
    for loss in [0.05, 0.15] {
        let name = format!("redundant, {:.0} % loss", loss * 100.0);
        to_opus(inputs[0].0, &name, OpusSettings::default(), loss, &inputs[0].1);
    }
    for application in [Application::LowDelay, Application::Audio, Application::Voip] {
        for complexity in [0, 1, 2, 3, 5, 8, 10] {
            let settings = OpusSettings { application, complexity, ..OpusSettings::default() };
            to_opus(
                inputs[0].0,
                &format!("{application:?} complexity {complexity}"),
                settings,
                0.0,
                &inputs[0].1,
            );
        }
    }
    println!();
    for (name, packets) in [
        ("Opus 32k mono -> AAC", opus(opus::Channels::Mono, 32_000)),
        ("Opus 40k mono -> AAC", opus(opus::Channels::Mono, 40_000)),
        ("Opus 64k stereo -> AAC", opus(opus::Channels::Stereo, 64_000)),
    ] {
        to_aac(name, "default", AacSettings::default(), &packets);
        for bitrate in [48_000, 96_000] {
            let settings = AacSettings {
                bitrate_mono: bitrate,
                bitrate_stereo: bitrate * 4 / 3,
                ..AacSettings::default()
            };
            to_aac(name, &format!("{} kbit/s", bitrate / 1_000), settings, &packets);
        }
        to_aac(name, "afterburner", AacSettings { afterburner: true, ..AacSettings::default() }, &packets);
    }
}

fn to_opus(name: &str, settings_name: &str, settings: OpusSettings, loss: f32, frames: &[AacFrame]) {
    let mut transcoder = AacToOpus::new(settings).unwrap();
    transcoder.prepare_for_loss(loss).unwrap();
    let mut out = Vec::with_capacity(100);
    let mut delay = i64::MIN;
    let started = cpu_ns();
    for pair in frames.windows(2) {
        transcoder.push(&pair[0], &mut out).unwrap();
        let frame_len = pair[1].time - pair[0].time;
        for packet in out.drain(..) {
            delay = delay.max((pair[0].time + frame_len - packet.time - frame_len).get());
        }
    }
    report(name, settings_name, cpu_ns() - started, delay);
}

fn to_aac(name: &str, settings_name: &str, settings: AacSettings, packets: &[OpusPacket]) {
    let mut transcoder = OpusToAac::new(settings).unwrap();
    let mut out = Vec::with_capacity(100);
    let mut delay = i64::MIN;
    let started = cpu_ns();
    for packet in packets {
        transcoder.push(packet, &mut out).unwrap();
        for frame in out.drain(..) {
            delay = delay.max((packet.time - frame.time).get());
        }
    }
    report(name, settings_name, cpu_ns() - started, delay);
}

fn report(name: &str, settings: &str, ns: u128, delay_us: i64) {
    let share = ns as f64 / (SECONDS as f64 * 1e9);
    let delay = delay_us as f64 / 1e3;
    println!("{name:<26} {settings:<26} {:>8.0} {:>8.3} {delay:>8.1}", 1.0 / share, share * 100.0);
}

/// CPU time of this thread where the system tells, else the time that passed.
fn cpu_ns() -> u128 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    schedstat
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| START.get_or_init(Instant::now).elapsed().as_nanos())
}

/// Voiced syllables with three formants and a gliding pitch, fricatives and pauses; the right side is quieter.
fn speech(rate: u32, channels: usize) -> Vec<i16> {
    let mut phase = 0.0_f32;
    let mut noise = 1_u32;
    let mut formants = [[0.0_f32; 2]; 3];
    let mut samples = Vec::with_capacity(rate as usize * SECONDS * channels);
    for n in 0..rate as usize * SECONDS {
        let t = n as f32 / rate as f32;
        let (syllable, place) = ((t * 4.0) as usize, (t * 4.0).fract());
        let pause = syllable % 8 == 7;
        let envelope = if pause { 0.0 } else { (place * std::f32::consts::PI).sin().powi(2) };
        phase = (phase + (110.0 + 40.0 * (t * 1.3).sin()) / rate as f32).fract();
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = (noise >> 16) as f32 / 32_768.0 - 1.0;
        let fricative = syllable % 3 == 2 && place < 0.35;
        let excitation = if fricative { hiss * 0.3 } else { (1.0 - 2.0 * phase) * 0.5 + hiss * 0.01 };
        let vowel =
            [[730.0, 1_090.0, 2_440.0], [270.0, 2_290.0, 3_010.0], [570.0, 840.0, 2_410.0]][syllable % 3];
        let mut voice = if fricative { excitation * 0.5 } else { 0.0 };
        for (state, frequency) in formants.iter_mut().zip(vowel) {
            let radius = 1.0 - 250.0 / rate as f32;
            let angle = TAU * frequency / rate as f32;
            let next = excitation * 0.05 + 2.0 * radius * angle.cos() * state[0] - radius * radius * state[1];
            *state = [next, state[0]];
            voice += next * 0.3;
        }
        let value = (voice * envelope + hiss * 0.0005).clamp(-1.0, 1.0) * 30_000.0;
        samples.extend((0..channels).map(|channel| (value * [1.0, 0.6][channel]) as i16));
    }
    samples
}

fn aac(object_type: ObjectType, sample_rate: u32, channels: u8, bitrate: u32) -> Vec<AacFrame> {
    let settings = EncoderSettings {
        object_type,
        sample_rate,
        channels,
        bitrate,
        afterburner: false,
        implicit_sbr: false,
    };
    let mut encoder = Encoder::new(&settings).unwrap();
    let config = Arc::new(aac::Config::parse(encoder.config().clone()).unwrap());
    let mut data = Vec::new();
    let mut frames = Vec::new();
    let length = encoder.frame_len();
    for (n, pcm) in
        speech(sample_rate, channels.into()).chunks_exact(length * usize::from(channels)).enumerate()
    {
        encoder.encode(pcm, &mut data).unwrap();
        let time = StreamTime::new((n * length) as i64 * 1_000_000 / i64::from(sample_rate));
        frames.push(AacFrame { time, config: Arc::clone(&config), data: Bytes::copy_from_slice(&data) });
    }
    frames
}

/// What browsers send: speech, 20 ms, complexity 9.
fn opus(channels: opus::Channels, bitrate: i32) -> Vec<OpusPacket> {
    let mut encoder = opus::Encoder::new(48_000, channels, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(bitrate)).unwrap();
    encoder.set_complexity(9).unwrap();
    encoder.set_inband_fec(true).unwrap();
    let pcm = speech(48_000, channels as usize);
    let frames = pcm.chunks_exact(960 * channels as usize);
    let packets = frames.enumerate().map(|(n, pcm)| OpusPacket {
        time: StreamTime::new(n as i64 * 20_000),
        data: encoder.encode_vec(pcm, 1_200).unwrap().into(),
    });
    packets.collect()
}
