//! Whatever comes in, nothing panics, time goes on, and what was bad is counted.

#![cfg(feature = "fdk-aac")]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::sync::LazyLock;

use common::{Source, opus_packets, tone};
use proptest::prelude::*;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;
use queqiao_transcode::fdk::ObjectType;
use queqiao_transcode::{AacSettings, AacToOpus, OpusSettings, OpusToAac};

/// A stream of every decoder that there is.
static STREAMS: LazyLock<Vec<Vec<AacFrame>>> = LazyLock::new(|| {
    let he = Source { object_type: ObjectType::HeV1, rate: 48_000, channels: 2, implicit_sbr: true };
    let v2 = Source { object_type: ObjectType::HeV2, rate: 44_100, channels: 2, implicit_sbr: false };
    let sources = [Source::lc(48_000, 1), Source::lc(44_100, 2), Source::lc(16_000, 1), he, v2];
    sources.map(|source| source.frames(&tone, 0.0, 0.6)).into()
});

static PACKETS: LazyLock<Vec<OpusPacket>> = LazyLock::new(|| {
    let mut packets = opus_packets(&tone, opus::Channels::Mono, 960, 0.0, 0.3);
    packets.extend(opus_packets(&tone, opus::Channels::Stereo, 480, 0.3, 0.2));
    packets
});

/// What happens to one frame.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Flip(Vec<(u16, u8)>),
    Cut(u16),
    Replace(Vec<u8>),
    Move(i64),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => Just(Damage::None),
        3 => prop::collection::vec((any::<u16>(), 1..=u8::MAX), 1..6).prop_map(Damage::Flip),
        1 => any::<u16>().prop_map(Damage::Cut),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Damage::Replace),
        1 => prop_oneof![-3_000_000_i64..3_000_000, any::<i64>()].prop_map(Damage::Move),
    ]
}

fn harm(time: &mut StreamTime, data: &mut bytes::Bytes, damage: &Damage) {
    let mut bytes = data.to_vec();
    match damage {
        Damage::None => {}
        Damage::Flip(flips) => {
            for (place, mask) in flips {
                let place = usize::from(*place) % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= mask;
                }
            }
        }
        Damage::Cut(length) => bytes.truncate(usize::from(*length) % (bytes.len() + 1)),
        Damage::Replace(with) => bytes.clone_from(with),
        Damage::Move(by) => *time += StreamTime::new(*by),
    }
    *data = bytes.into();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_aac_never_panics_and_time_strictly_increases(
        stream in 0_usize..5,
        damages in prop::collection::vec(damage(), 25),
    ) {
        let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
        let mut out = Vec::new();
        for (frame, damage) in STREAMS[stream].iter().zip(&damages) {
            let mut frame = frame.clone();
            harm(&mut frame.time, &mut frame.data, damage);
            transcoder.push(&frame, &mut out).unwrap();
        }
        let ordinary = |p: &&OpusPacket| p.time.get().abs() < i64::MAX / 2;
        let times: Vec<_> = out.iter().filter(ordinary).map(|p| p.time).collect();
        prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    }

    #[test]
    fn aac_frames_of_noise_are_counted(garbage in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 20)) {
        let mut transcoder = AacToOpus::new(OpusSettings::default()).unwrap();
        let mut out = Vec::new();
        for (frame, data) in STREAMS[1].iter().zip(&garbage) {
            transcoder.push(&AacFrame { data: data.clone().into(), ..frame.clone() }, &mut out).unwrap();
        }
        prop_assert!(transcoder.counters().bad_frames > 0);
    }

    #[test]
    fn damaged_opus_never_panics_and_time_strictly_increases(damages in prop::collection::vec(damage(), 35)) {
        let mut transcoder = OpusToAac::new(AacSettings::default()).unwrap();
        let mut out = Vec::new();
        for (packet, damage) in PACKETS.iter().zip(&damages) {
            let mut packet = packet.clone();
            harm(&mut packet.time, &mut packet.data, damage);
            transcoder.push(&packet, &mut out).unwrap();
        }
        let ordinary = |f: &&AacFrame| f.time.get().abs() < i64::MAX / 2;
        let times: Vec<_> = out.iter().filter(ordinary).map(|f| f.time).collect();
        prop_assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    }
}

#[test]
fn an_opus_packet_that_lies_about_its_length_is_counted() {
    let mut transcoder = OpusToAac::new(AacSettings::default()).unwrap();
    let mut out = Vec::new();
    for packet in PACKETS.iter().take(3) {
        transcoder.push(packet, &mut out).unwrap();
    }
    // Code 3 with 63 frames of 60 ms, and code 3 without its count.
    for (n, data) in [&[0x1b_u8, 63, 1, 2][..], &[0x1b]].into_iter().enumerate() {
        let time = StreamTime::new(60_000 + i64::try_from(n).unwrap() * 20_000);
        transcoder.push(&OpusPacket { time, data: data.to_vec().into() }, &mut out).unwrap();
    }
    assert_eq!(transcoder.counters().bad_frames, 2);
}
