//! What is left of speech on a path that loses packets: `benches/speech/run.sh`.
//!
//! Both directions run in virtual time, from a seed, through the same code as in the server. What comes out is written to
//! files, which `score.py` holds against what went in by PESQ-WB (ITU-T P.862.2).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, OpusPacket, RtpPacket};
use queqiao_media::rtp::{JitterBuffer, OpusReceiver, Waits};
use queqiao_media::time::{AudioTicks, StreamTime};
use queqiao_transcode::fdk::{Decoder, Encoder, EncoderSettings, ObjectType};
use queqiao_transcode::{AacSettings, AacToOpus, OpusSettings, OpusToAac};

const RATE: usize = 48_000;
/// A packet of 20 ms.
const PACKET: usize = 960;
const PACKET_US: u64 = 20_000;

#[derive(Clone, Copy)]
struct Conditions {
    /// The share of packets that are lost.
    loss: f64,
    /// How many in a row, on average.
    burst: f64,
    /// Whether what is missing is asked for, at a round trip of 60 ms and 10 ms of jitter.
    repair: bool,
    /// Whether the sender knows of the loss.
    fec: bool,
}

/// A generator of repeatable chance.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Conditions {
    /// When packets sent every 20 ms arrive: (microseconds, number).
    fn arrivals(self, count: u64) -> Vec<(u64, u64)> {
        const ROUND_TRIP: u64 = 60_000;
        let mut chance = Chance(2_026);
        let mut queue = BTreeMap::new();
        let mut bad = false;
        for seq in 0..count {
            bad = if bad {
                chance.next() < 1.0 - 1.0 / self.burst
            } else {
                chance.next() < self.loss / self.burst / (1.0 - self.loss)
            };
            let jitter = |chance: &mut Chance| (chance.next() * 10_000.0) as u64;
            let mut at = seq * PACKET_US + ROUND_TRIP / 2 + jitter(&mut chance);
            let mut lost = bad;
            while lost && self.repair {
                at += PACKET_US + ROUND_TRIP + jitter(&mut chance);
                lost = chance.next() < self.loss;
            }
            if !lost {
                queue.insert((at, seq), ());
            }
        }
        queue.into_keys().collect()
    }

    fn percent(self) -> i32 {
        (self.loss * 100.0).round() as i32
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(speech), Some(folder)) = (arguments.next(), arguments.next()) else {
        println!(
            "speech of 48 kHz, mono, 16 bits, and a folder for what comes out of it: see benches/speech/run.sh"
        );
        return;
    };
    let speech: Vec<i16> = std::fs::read(speech)
        .unwrap()
        .chunks_exact(2)
        .map(|sample| i16::from_le_bytes([sample[0], sample[1]]))
        .collect();
    let clean = Conditions { loss: 0.0, burst: 1.0, repair: false, fec: false };
    let mut all = vec![("lossless", clean)];
    for (name, loss, burst) in [
        ("5 % random", 0.05, 1.0),
        ("15 % random", 0.15, 1.0),
        ("5 % in bursts", 0.05, 3.0),
        ("15 % in bursts", 0.15, 3.0),
    ] {
        for (repair, fec) in [(false, false), (false, true), (true, false), (true, true)] {
            all.push((name, Conditions { loss, burst, repair, fec }));
        }
    }
    for (name, conditions) in all {
        for (direction, run) in
            [("WebRTC to RTMP", to_aac as fn(&[i16], Conditions) -> Run), ("RTMP to WebRTC", to_opus)]
        {
            let Run { sound, kilobits } = run(&speech, conditions);
            let file = format!(
                "{}_{}_{}_{}.s16",
                direction.replace(' ', "-"),
                name.replace(" %", "").replace(' ', "-"),
                if conditions.repair { "nack" } else { "-" },
                if conditions.fec { "fec" } else { "-" },
            );
            let bytes: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            std::fs::write(Path::new(&folder).join(&file), bytes).unwrap();
            println!("{file}\t{kilobits:.1}");
        }
    }
}

/// What is heard, from time zero on, and what the Opus side of it takes.
struct Run {
    sound: Vec<i16>,
    kilobits: f64,
}

fn kilobits(packets: &[OpusPacket]) -> f64 {
    let bytes: usize = packets.iter().map(|packet| packet.data.len()).sum();
    bytes as f64 * 8.0 / (packets.len() as f64 * 20.0)
}

/// As a browser sends speech: 32 kbit/s with in-band FEC.
fn browser(speech: &[i16], conditions: Conditions) -> Vec<OpusPacket> {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
    encoder.set_complexity(9).unwrap();
    encoder.set_inband_fec(true).unwrap();
    encoder.set_packet_loss_perc(if conditions.fec { conditions.percent() } else { 0 }).unwrap();
    let lookahead = i64::from(encoder.get_lookahead().unwrap());
    let packets = speech.chunks_exact(PACKET).enumerate().map(|(n, pcm)| {
        let time = AudioTicks::new((n * PACKET) as i64 - lookahead).rescale();
        OpusPacket { time, data: encoder.encode_vec(pcm, 1_275).unwrap().into() }
    });
    packets.collect()
}

fn to_aac(speech: &[i16], conditions: Conditions) -> Run {
    let sent = browser(speech, conditions);
    let start = Instant::now();
    let mut buffer = JitterBuffer::<48_000>::new(Waits::AUDIO);
    let mut receiver = OpusReceiver::default();
    let mut transcoder = OpusToAac::new(AacSettings::default()).unwrap();
    let (mut opus, mut aac) = (Vec::new(), Vec::new());
    let mut take = |buffer: &mut JitterBuffer<48_000>, now: Instant| {
        while let Some(item) = buffer.poll(now) {
            receiver.push(item, &mut opus);
            for packet in opus.drain(..) {
                transcoder.push(&packet, &mut aac).unwrap();
            }
        }
    };
    for (at, seq) in conditions.arrivals(sent.len() as u64) {
        let now = start + Duration::from_micros(at);
        while let Some(due) = buffer.poll_timeout().filter(|due| *due <= now) {
            take(&mut buffer, due);
        }
        let packet = &sent[seq as usize];
        let rtp_time = AudioTicks::new((seq * PACKET as u64).cast_signed());
        let payload = Arc::from(&*packet.data);
        buffer.push(now, RtpPacket { seq, rtp_time, time: packet.time, marker: false, payload });
        take(&mut buffer, now);
    }
    let mut sound = vec![0; speech.len()];
    let mut decoder = Decoder::new(&aac[0].config.bytes).unwrap();
    for frame in &aac {
        let pcm = decoder.decode(&frame.data).unwrap();
        put(&mut sound, frame.time, pcm.samples);
    }
    Run { sound, kilobits: kilobits(&sent) }
}

fn to_opus(speech: &[i16], conditions: Conditions) -> Run {
    let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
    let mut sent = Vec::new();
    for frame in phone(speech) {
        transcoder.prepare_for_loss(if conditions.fec { conditions.loss as f32 } else { 0.0 }).unwrap();
        transcoder.push(&frame, &mut sent).unwrap();
    }
    // A browser plays this long after the fastest packet; what comes later is lost to it.
    const PLAYOUT: u64 = 150_000;
    let mut came = vec![None; sent.len()];
    for (at, seq) in conditions.arrivals(sent.len() as u64) {
        if at <= seq * PACKET_US + PLAYOUT {
            came[seq as usize] = Some(&sent[seq as usize]);
        }
    }
    let mut decoder = opus::Decoder::new(48_000, opus::Channels::Mono).unwrap();
    let mut sound = vec![0; speech.len()];
    let mut pcm = vec![0_i16; PACKET];
    for (n, packet) in came.iter().enumerate() {
        let next = came.get(n + 1).copied().flatten();
        match (packet, next) {
            (Some(packet), _) => decoder.decode(&packet.data, &mut pcm, false),
            (None, Some(next)) => decoder.decode(&next.data, &mut pcm, true),
            (None, None) => decoder.decode(&[], &mut pcm, false),
        }
        .unwrap();
        put(&mut sound, sent[n].time, &pcm);
    }
    Run { sound, kilobits: kilobits(&sent) }
}

/// As a phone sends speech: AAC-LC at 48 kbit/s.
fn phone(speech: &[i16]) -> Vec<AacFrame> {
    let settings = EncoderSettings {
        object_type: ObjectType::Lc,
        sample_rate: 48_000,
        channels: 1,
        bitrate: 48_000,
        afterburner: true,
        implicit_sbr: false,
    };
    let mut encoder = Encoder::new(&settings).unwrap();
    let config = Arc::new(aac::Config::parse(encoder.config().clone()).unwrap());
    let (length, delay) = (encoder.frame_len(), encoder.core_delay() as i64);
    let mut data = Vec::new();
    let frames = speech.chunks_exact(length).enumerate().map(|(n, pcm)| {
        encoder.encode(pcm, &mut data).unwrap();
        let time = AudioTicks::new((n * length) as i64 - delay).rescale();
        AacFrame { time, config: Arc::clone(&config), data: Bytes::copy_from_slice(&data) }
    });
    frames.filter(|frame| !frame.data.is_empty()).collect()
}

/// Puts samples where they are heard.
fn put(sound: &mut [i16], time: StreamTime, samples: &[i16]) {
    let start: i64 = time.rescale::<{ RATE as u32 }>().get();
    for (n, sample) in samples.iter().enumerate() {
        let place = usize::try_from(start + n as i64).ok().and_then(|place| sound.get_mut(place));
        if let Some(place) = place {
            *place = *sample;
        }
    }
}
