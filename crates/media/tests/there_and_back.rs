//! RTMP to RTP and back to RTMP: what a publisher sends reaches players on the other side byte for byte, also when the
//! stream changes under way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod flv_support;

use bytes::Bytes;
use flv_support::{BASELINE, HIGH_SLICES, MAIN, access_units, bodies, millis, video_header};
use queqiao_media::flv::{self, TagKind, VideoDemuxer};
use queqiao_media::frame::{AccessUnit, RtpPacket};
use queqiao_media::h264::avcc;
use queqiao_media::rtp::{DEFAULT_MAX_PAYLOAD, H264Depacketizer, H264Packetizer, Unit};

/// A server that has RTMP on one side, and one behind it that has it on the other.
#[derive(Default)]
struct Bridge {
    demuxer: VideoDemuxer,
    packetizer: Option<H264Packetizer>,
    depacketizer: H264Depacketizer,
    messages: i64,
}

impl Bridge {
    /// What comes out for a video message, and the packets in between.
    fn carry(&mut self, message: &Bytes) -> (Vec<AccessUnit>, Vec<RtpPacket<90_000>>) {
        self.messages += 1;
        let unit = self.demuxer.push(message.clone(), millis(self.messages * 40)).unwrap();
        let packetizer = self.packetizer.get_or_insert_with(|| H264Packetizer::new(DEFAULT_MAX_PAYLOAD));
        let mut packets = Vec::new();
        if let Some(unit) = unit {
            packetizer.packetize(&unit, &mut packets);
        }
        let mut units = Vec::new();
        for packet in &packets {
            self.depacketizer.push(packet);
            while let Some(unit) = self.depacketizer.pull() {
                let Unit::Picture(unit) = unit else { panic!("{unit:?}") };
                units.push(unit);
            }
        }
        (units, packets)
    }
}

fn message(keyframe: bool, nals: &[Bytes]) -> Bytes {
    let mut out = vec![if keyframe { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    avcc::write(nals, &mut out);
    out.into()
}

/// An SEI NAL unit with one message (ITU-T H.264 section 7.3.2.3), its emulation prevention included.
fn sei(payload_type: u8, payload: &[u8]) -> Bytes {
    let mut rbsp = vec![payload_type];
    rbsp.extend(std::iter::repeat_n(0xff, payload.len() / 255));
    rbsp.push((payload.len() % 255) as u8);
    rbsp.extend(payload);
    rbsp.push(0x80);
    let mut nal = vec![6];
    let mut zeros = 0;
    for byte in rbsp {
        if zeros == 2 && byte <= 3 {
            nal.push(3);
            zeros = 0;
        }
        nal.push(byte);
        zeros = if byte == 0 { zeros + 1 } else { 0 };
    }
    nal.into()
}

#[test]
fn streams_of_a_real_encoder_come_back_byte_for_byte() {
    for (name, file) in [("baseline", BASELINE), ("main", MAIN), ("slices and delimiters", HIGH_SLICES)] {
        let mut bridge = Bridge::default();
        let mut pictures = 0;
        for body in bodies(file, TagKind::Video) {
            let (units, _) = bridge.carry(&body);
            for unit in units {
                pictures += 1;
                assert_eq!(flv::video(&unit), body, "{name}, picture {pictures}");
            }
        }
        assert_eq!(pictures, 30, "{name}");
    }
}

#[test]
fn sei_of_types_5_and_242_crosses_untouched_wherever_it_stands() {
    let uuid =
        [0xdc, 0x45, 0xe9, 0xbd, 0xe6, 0xd9, 0x48, 0xb7, 0x96, 0x2c, 0xd8, 0x20, 0xd9, 0x23, 0xee, 0xef];
    let text = |count: usize| [&uuid[..], &(0..count).map(|n| n as u8).collect::<Vec<_>>()].concat();
    let messages = [
        ("a short text", sei(5, &text(12))),
        (
            "zeros that need emulation prevention",
            sei(5, &[&uuid[..], &[0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3]].concat()),
        ),
        ("JSON of type 242", sei(242, br#"{"ts":1732591234567,"uid":"alice"}"#)),
        ("zeros of type 242", sei(242, &[0; 40])),
        ("a length of two bytes", sei(242, &text(600))),
        ("more than a packet holds", sei(5, &text(5_000))),
    ];
    assert!(messages[1].1.windows(4).any(|bytes| bytes == [0, 0, 3, 0]), "emulation prevention is there");
    let aud = Bytes::from_static(&[9, 0xf0]);
    let idr = access_units(MAIN)[0].nals.last().unwrap().clone();
    let inter = access_units(MAIN)[1].nals.last().unwrap().clone();
    let other = sei(6, &[0x84, 0x10]);
    for (what, sei) in &messages {
        for (keyframe, slice) in [(true, &idr), (false, &inter)] {
            let orders = [
                vec![sei.clone(), slice.clone()],
                vec![aud.clone(), sei.clone(), slice.clone()],
                vec![sei.clone(), aud.clone(), slice.clone()],
                vec![aud.clone(), other.clone(), sei.clone(), sei.clone(), slice.clone()],
                vec![aud.clone(), slice.clone(), sei.clone()],
            ];
            let mut bridge = Bridge::default();
            bridge.carry(&video_header(MAIN));
            bridge.carry(&message(true, std::slice::from_ref(&idr)));
            for (index, nals) in orders.iter().enumerate() {
                let sent = message(keyframe, nals);
                let (units, packets) = bridge.carry(&sent);
                assert_eq!(units.len(), 1, "{what}, order {index}");
                assert_eq!(flv::video(&units[0]), sent, "{what}, order {index}, keyframe {keyframe}");
                assert!(packets.iter().all(|packet| packet.payload.len() <= DEFAULT_MAX_PAYLOAD));
            }
        }
    }
}

#[test]
fn sei_in_a_message_of_its_own_crosses_with_the_picture_after_it() {
    let note = sei(242, b"hello");
    let units = access_units(MAIN);
    let mut bridge = Bridge::default();
    bridge.carry(&video_header(MAIN));
    bridge.carry(&message(true, &units[0].nals));
    assert!(bridge.carry(&message(false, std::slice::from_ref(&note))).0.is_empty());
    let (out, _) = bridge.carry(&message(false, &units[1].nals));
    assert_eq!(out[0].nals[0], note);
    assert_eq!(out[0].nals[1..], units[1].nals[..]);
}

/// How an encoder says that its parameter sets are others from here on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Announced {
    ByHeader,
    InBand,
    /// Before every keyframe, and never in a sequence header.
    InBandAlways,
    Both,
}

#[test]
fn a_stream_that_changes_size_and_profile_goes_on_with_the_first_keyframe_however_it_says_so() {
    for announced in [Announced::ByHeader, Announced::InBand, Announced::InBandAlways, Announced::Both] {
        let mut bridge = Bridge::default();
        let files = [("main", MAIN), ("baseline", BASELINE), ("slices", HIGH_SLICES), ("main again", MAIN)];
        for (turn, (name, file)) in files.into_iter().enumerate() {
            let header = match announced {
                Announced::ByHeader | Announced::Both => true,
                Announced::InBand => turn == 0,
                Announced::InBandAlways => false,
            };
            if header {
                assert!(bridge.carry(&video_header(file)).0.is_empty());
            }
            for (index, unit) in access_units(file).into_iter().enumerate() {
                let in_band = match announced {
                    Announced::ByHeader => false,
                    Announced::InBand | Announced::Both => index == 0,
                    Announced::InBandAlways => unit.keyframe,
                };
                let sets = unit.params.sps.iter().chain(&unit.params.pps).filter(|_| in_band);
                let nals: Vec<Bytes> = sets.chain(&unit.nals).cloned().collect();
                let (out, packets) = bridge.carry(&message(unit.keyframe, &nals));
                assert_eq!(out.len(), 1, "{announced:?}, {name}, picture {index}");
                assert_eq!(out[0].nals, unit.nals, "{announced:?}, {name}, picture {index}");
                assert_eq!(out[0].params, unit.params, "{announced:?}, {name}, picture {index}");
                let sps = &unit.params.sps[0];
                let carries_sets =
                    packets.iter().any(|packet| packet.payload.windows(sps.len()).any(|part| part == sps));
                assert_eq!(carries_sets, unit.keyframe, "{announced:?}, {name}, picture {index}");
            }
        }
    }
}
