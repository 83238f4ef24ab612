//! Signals, encoders for the input, decoders for the output, and measures.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation
)]

pub mod drift;

use std::f64::consts::TAU;
use std::sync::Arc;

use bytes::Bytes;
use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;
use queqiao_transcode::fdk::{Decoder, Encoder, EncoderSettings, ObjectType};

/// A signal: the value at a time in seconds.
pub type Signal<'a> = &'a dyn Fn(f64) -> f64;

pub fn tone(t: f64) -> f64 {
    0.5 * (TAU * 440.0 * t).sin()
}

/// 100 ms of a chirp from 200 to 2000 Hz at half a second: its place can be told to a sample.
pub fn chirp(t: f64) -> f64 {
    let t = t - 0.5;
    if (0.0..0.1).contains(&t) { 0.5 * (TAU * (200.0 * t + 9_000.0 * t * t)).sin() } else { 0.0 }
}

#[derive(Clone, Copy)]
pub struct Source {
    pub object_type: ObjectType,
    pub rate: u32,
    pub channels: u8,
    pub implicit_sbr: bool,
}

impl Source {
    pub const fn lc(rate: u32, channels: u8) -> Self {
        Self { object_type: ObjectType::Lc, rate, channels, implicit_sbr: false }
    }

    /// Frames of `signal` from `start` seconds on, stamped with the time at which their first sample is heard.
    pub fn frames(self, signal: Signal, start: f64, seconds: f64) -> Vec<AacFrame> {
        let Self { object_type, rate, channels, implicit_sbr } = self;
        let bitrate = match (object_type, channels) {
            (ObjectType::Lc, 2) => 128_000,
            (ObjectType::HeV2, _) => 32_000,
            (_, _) if rate <= 16_000 => 32_000,
            _ => 64_000,
        };
        let settings = EncoderSettings {
            object_type,
            sample_rate: rate,
            channels,
            bitrate,
            afterburner: false,
            implicit_sbr,
        };
        let mut encoder = Encoder::new(&settings).unwrap();
        let config = Arc::new(aac::Config::parse(encoder.config().clone()).unwrap());
        let (length, delay) = (encoder.frame_len(), encoder.core_delay() as f64 / f64::from(rate));
        let mut data = Vec::new();
        let mut frames = Vec::new();
        let mut n = 0;
        while (n as f64) < seconds * f64::from(rate) {
            let pcm: Vec<i16> = (n..n + length)
                .flat_map(|n| {
                    let value = signal(start + n as f64 / f64::from(rate));
                    std::iter::repeat_n((value * 32_767.0) as i16, channels.into())
                })
                .collect();
            encoder.encode(&pcm, &mut data).unwrap();
            let time = start + n as f64 / f64::from(rate) - delay;
            let time = StreamTime::new((time * 1e6).round() as i64);
            if !data.is_empty() {
                frames.push(AacFrame {
                    time,
                    config: Arc::clone(&config),
                    data: Bytes::copy_from_slice(&data),
                });
            }
            n += length;
        }
        frames
    }
}

/// Opus packets of `signal`, `length` samples each, as a browser makes and stamps them.
pub fn opus_packets(
    signal: Signal,
    channels: opus::Channels,
    length: usize,
    start: f64,
    seconds: f64,
) -> Vec<OpusPacket> {
    let mut encoder = opus::Encoder::new(48_000, channels, opus::Application::Audio).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(64_000 * channels as i32)).unwrap();
    encoder.set_force_channels(Some(channels)).unwrap();
    let lookahead = f64::from(encoder.get_lookahead().unwrap()) / 48_000.0;
    let count = (seconds * 48_000.0) as usize / length;
    let packets = (0..count).map(|n| {
        let start = start + (n * length) as f64 / 48_000.0;
        let pcm: Vec<f32> = (0..length)
            .flat_map(|n| {
                let value = signal(start + n as f64 / 48_000.0) as f32;
                std::iter::repeat_n(value, channels as usize)
            })
            .collect();
        let time = StreamTime::new(((start - lookahead) * 1e6).round() as i64);
        OpusPacket { time, data: encoder.encode_vec_float(&pcm, 4_000).unwrap().into() }
    });
    packets.collect()
}

/// What is heard from time zero on, at 48 kHz, one vector for each channel.
pub struct Heard(pub Vec<Vec<f64>>);

impl Heard {
    pub fn opus(packets: &[OpusPacket], seconds: f64) -> Self {
        let mut heard = Self::silence(seconds);
        let mut decoder = opus::Decoder::new(48_000, opus::Channels::Stereo).unwrap();
        let mut pcm = vec![0.0; 960 * 2];
        for packet in packets {
            assert_eq!(decoder.decode_float(&packet.data, &mut pcm, false).unwrap(), 960);
            heard.put(packet.time, &pcm, 2);
        }
        heard
    }

    pub fn aac(frames: &[AacFrame], seconds: f64) -> Self {
        let mut heard = Self::silence(seconds);
        let mut decoder: Option<(Arc<aac::Config>, Decoder)> = None;
        for frame in frames {
            if decoder.as_ref().is_none_or(|(config, _)| *config != frame.config) {
                decoder = Some((Arc::clone(&frame.config), Decoder::new(&frame.config.bytes).unwrap()));
            }
            let pcm = decoder.as_mut().unwrap().1.decode(&frame.data).unwrap();
            assert_eq!((pcm.sample_rate, pcm.delay), (48_000, 0));
            let samples: Vec<f32> = pcm.samples.iter().map(|&sample| f32::from(sample) / 32_768.0).collect();
            heard.put(frame.time, &samples, pcm.channels);
        }
        heard
    }

    fn silence(seconds: f64) -> Self {
        Self(vec![vec![0.0; (seconds * 48_000.0) as usize]; 2])
    }

    fn put(&mut self, time: StreamTime, samples: &[f32], channels: usize) {
        let start = (time.get() * 48 + 500).div_euclid(1_000);
        for (side, heard) in self.0.iter_mut().enumerate() {
            for (n, frame) in samples.chunks_exact(channels).enumerate() {
                let place = usize::try_from(start + n as i64).ok().and_then(|place| heard.get_mut(place));
                if let Some(place) = place {
                    *place = f64::from(frame[side.min(channels - 1)]);
                }
            }
        }
    }

    /// The amplitude of `frequency` on the left between two times, and the share of the power there that it has.
    pub fn amplitude(&self, frequency: f64, from: f64, to: f64) -> (f64, f64) {
        let samples = &self.0[0][(from * 48_000.0) as usize..(to * 48_000.0) as usize];
        let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let angle = TAU * frequency * n as f64 / 48_000.0;
            re += sample * angle.cos();
            im += sample * angle.sin();
            power += sample * sample;
        }
        let amplitude = 2.0 * re.hypot(im) / samples.len() as f64;
        (amplitude, amplitude * amplitude / 2.0 / (power / samples.len() as f64).max(1e-12))
    }

    /// How much later than in `signal` the sound around half a second is heard, in milliseconds.
    pub fn lateness_ms(&self, signal: Signal) -> f64 {
        let wanted: Vec<f64> = (0..4_800).map(|n| signal(0.5 + f64::from(n) / 48_000.0)).collect();
        let likeness = |lag: i64| -> f64 {
            let start = usize::try_from(24_000 + lag).unwrap();
            wanted.iter().zip(&self.0[0][start..]).map(|(a, b)| a * b).sum()
        };
        let best = (-2_400_i64..=2_400).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b))).unwrap();
        best as f64 / 48.0
    }

    /// The loudest sample on the left between two times.
    pub fn peak(&self, from: f64, to: f64) -> f64 {
        let samples = &self.0[0][(from * 48_000.0) as usize..(to * 48_000.0) as usize];
        samples.iter().fold(0.0, |peak, sample| peak.max(sample.abs()))
    }
}

pub fn steps(times: impl Iterator<Item = StreamTime>) -> Vec<i64> {
    let times: Vec<_> = times.map(StreamTime::get).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}
