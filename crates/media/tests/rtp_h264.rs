//! H.264 over RTP and back, whole and damaged.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use queqiao_media::frame::{AccessUnit, RtpPacket};
use queqiao_media::h264::ParameterSets;
use queqiao_media::rtp::{DEFAULT_MAX_PAYLOAD, Damage, H264Depacketizer, H264Packetizer, Unit};
use queqiao_media::time::{StreamTime, VideoTicks};

const SPS: &[u8] = &[0x67, 66, 0xc0, 30, 0x80, 1, 2, 3];
const PPS: &[u8] = &[0x68, 0xc0, 0x3c, 0x80];

fn params(sps_tail: u8) -> Arc<ParameterSets> {
    let mut sps = SPS.to_vec();
    sps.push(sps_tail);
    Arc::new(ParameterSets::parse([Bytes::from(sps), Bytes::from_static(PPS)]).unwrap())
}

/// A NAL unit of `size` bytes whose body tells it from all others.
fn nal(header: u8, size: usize, tag: u32) -> Bytes {
    let mut bytes = vec![header];
    // The first slice of a picture begins with a 1 bit.
    bytes.push(0x80 | (tag as u8 & 0x7f));
    bytes.extend(tag.to_be_bytes());
    bytes.extend((0..size).map(|n| (n as u8).wrapping_mul(7) ^ tag as u8));
    bytes.truncate(size.max(6));
    Bytes::from(bytes)
}

fn picture(index: i64, keyframe: bool, nals: Vec<Bytes>) -> AccessUnit {
    let time = StreamTime::new(index * 40_000);
    AccessUnit { dts: time, pts: time, keyframe, params: params(0), nals: nals.into() }
}

fn idr(index: i64) -> AccessUnit {
    picture(index, true, vec![nal(0x06, 30, 1), nal(0x65, 3_000, index as u32)])
}

fn reference(index: i64) -> AccessUnit {
    picture(index, false, vec![nal(0x41, 3_000, index as u32)])
}

fn non_reference(index: i64) -> AccessUnit {
    picture(index, false, vec![nal(0x01, 3_000, index as u32)])
}

/// The packets of each picture.
fn packetize(pictures: &[AccessUnit]) -> Vec<Vec<RtpPacket<90_000>>> {
    let mut packetizer = H264Packetizer::new(1_000);
    let packets = |au| {
        let mut out = Vec::new();
        packetizer.packetize(au, &mut out);
        out
    };
    pictures.iter().map(packets).collect()
}

/// What comes out, each picture by its index and each damage by its reason.
fn receive<'a>(
    depacketizer: &mut H264Depacketizer,
    packets: impl IntoIterator<Item = &'a RtpPacket<90_000>>,
) -> Vec<Result<i64, Damage>> {
    let mut out = Vec::new();
    for packet in packets {
        depacketizer.push(packet);
        while let Some(unit) = depacketizer.pull() {
            out.push(match unit {
                Unit::Picture(au) => Ok(au.dts.get() / 40_000),
                Unit::Damaged { reason, .. } => Err(reason),
            });
        }
    }
    out
}

#[test]
fn parameter_sets_go_in_a_stap_a_before_the_idr_picture_and_after_its_delimiter() {
    let delimiter = Bytes::from_static(&[0x09, 0x10]);
    let au = picture(1, true, vec![delimiter, nal(0x06, 8, 9), nal(0x65, 40, 7)]);
    let mut packets = Vec::new();
    H264Packetizer::new(35).packetize(&au, &mut packets);

    let mut stap = vec![0x78, 0, 2, 0x09, 0x10, 0, 9];
    stap.extend_from_slice(SPS);
    stap.extend_from_slice(&[0, 0, 4]);
    stap.extend_from_slice(PPS);
    stap.extend_from_slice(&[0, 8]);
    stap.extend_from_slice(&nal(0x06, 8, 9));
    let body = &nal(0x65, 40, 7)[1..];
    let first = [&[0x7c, 0x85], &body[..19]].concat();
    let last = [&[0x7c, 0x45], &body[19..]].concat();
    let payloads: Vec<_> = packets.iter().map(|packet| packet.payload.to_vec()).collect();
    assert_eq!(payloads, [stap, first, last]);
    let heads: Vec<_> = packets.iter().map(|p| (p.seq, p.rtp_time.get(), p.time.get(), p.marker)).collect();
    assert_eq!(heads, [(0, 3_600, 40_000, false), (1, 3_600, 40_000, false), (2, 3_600, 40_000, true)]);
}

#[test]
fn parameter_sets_are_repeated_only_where_they_are_needed() {
    let mut packetizer = H264Packetizer::default();
    let mut types = |au: &AccessUnit| {
        let mut packets = Vec::new();
        packetizer.packetize(au, &mut packets);
        packets.iter().map(|packet| packet.payload[0] & 0x1f).collect::<Vec<_>>()
    };
    let small = |keyframe, header| picture(0, keyframe, vec![nal(header, 1_130, 0)]);
    assert_eq!(types(&small(true, 0x65)), [24, 5]);
    assert_eq!(types(&small(false, 0x41)), [1]);
    let changed = AccessUnit { params: params(9), ..small(false, 0x41) };
    assert_eq!(types(&changed), [24, 1]);
    assert_eq!(types(&changed), [1]);
    assert_eq!(types(&AccessUnit { params: params(9), ..small(true, 0x65) }), [24, 5]);
}

#[test]
fn fragments_of_a_nal_unit_differ_by_one_byte_at_most_and_fill_few_packets() {
    let mut packets = Vec::new();
    H264Packetizer::default().packetize(&picture(0, false, vec![nal(0x41, 5_000, 0)]), &mut packets);
    let sizes: Vec<_> = packets.iter().map(|packet| packet.payload.len()).collect();
    assert_eq!(sizes.len(), 4_999_usize.div_ceil(DEFAULT_MAX_PAYLOAD - 2));
    assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
    assert_eq!(sizes.iter().map(|size| size - 2).sum::<usize>(), 4_999);
}

#[test]
fn nal_units_of_types_that_rtp_uses_otherwise_are_not_sent() {
    let mut packets = Vec::new();
    let nals = vec![nal(0x7c, 50, 0), nal(0x60, 50, 0), Bytes::new(), nal(0x41, 50, 0)];
    H264Packetizer::default().packetize(&picture(0, false, nals), &mut packets);
    assert_eq!(packets.len(), 1);
    assert_eq!(*packets[0].payload, nal(0x41, 50, 0));
    H264Packetizer::default().packetize(&picture(0, false, vec![nal(0x7c, 50, 0)]), &mut packets);
    assert_eq!(packets.len(), 1);
}

#[test]
fn pictures_before_the_first_idr_are_kept_back() {
    let packets = packetize(&[reference(0), idr(1), reference(2)]);
    let mut depacketizer = H264Depacketizer::default();
    assert!(depacketizer.needs_keyframe());
    let out = receive(&mut depacketizer, packets.iter().flatten());
    assert_eq!(out, [Err(Damage::AwaitingKeyframe), Ok(1), Ok(2)]);
    assert!(!depacketizer.needs_keyframe());
}

#[test]
fn an_idr_without_parameter_sets_is_kept_back() {
    let mut packets = packetize(&[idr(0)]);
    packets[0].remove(0);
    let out = receive(&mut H264Depacketizer::default(), packets.iter().flatten());
    assert_eq!(out, [Err(Damage::NoParameterSets)]);
}

#[test]
fn joining_within_a_picture_yields_nothing_of_it() {
    let packets = packetize(&[idr(0), idr(1)]);
    let out = receive(&mut H264Depacketizer::default(), packets.iter().flatten().skip(2));
    assert_eq!(out, [Err(Damage::Lost), Ok(1)]);
}

#[test]
fn after_a_loss_pictures_are_kept_back_until_the_next_idr() {
    for lost in 0..3 {
        let mut packets = packetize(&[idr(0), reference(1), reference(2), idr(3), reference(4)]);
        packets[1].remove(lost);
        let mut depacketizer = H264Depacketizer::default();
        let head = receive(&mut depacketizer, packets[..3].iter().flatten());
        assert_eq!(head, [Ok(0), Err(Damage::Lost), Err(Damage::AwaitingKeyframe)], "packet {lost}");
        assert!(depacketizer.needs_keyframe());
        assert_eq!(receive(&mut depacketizer, packets[3..].iter().flatten()), [Ok(3), Ok(4)]);
    }
}

#[test]
fn a_whole_lost_picture_is_noticed_and_the_idr_after_it_is_taken() {
    let packets = packetize(&[idr(0), reference(1), reference(2), reference(3), idr(4)]);
    let received = packets[0].iter().chain(&packets[2]).chain(&packets[4]);
    let out = receive(&mut H264Depacketizer::default(), received);
    assert_eq!(out, [Ok(0), Err(Damage::AwaitingKeyframe), Ok(4)]);
}

#[test]
fn an_idr_whose_parameter_sets_are_lost_is_not_decoded_with_the_old_ones() {
    let mut packets = packetize(&[idr(0), idr(1)]);
    assert_eq!(packets[1][0].payload[0] & 0x1f, 24);
    packets[1].remove(0);
    let out = receive(&mut H264Depacketizer::default(), packets.iter().flatten());
    assert_eq!(out, [Ok(0), Err(Damage::Lost)]);
}

#[test]
fn a_damaged_picture_to_which_no_other_refers_stops_nothing() {
    for lost in 0..3 {
        let mut packets = packetize(&[idr(0), non_reference(1), reference(2)]);
        packets[1].remove(lost);
        let mut depacketizer = H264Depacketizer::default();
        let out = receive(&mut depacketizer, packets.iter().flatten());
        assert_eq!(out, [Ok(0), Err(Damage::Lost), Ok(2)], "packet {lost}");
        assert!(!depacketizer.needs_keyframe());
    }
}

#[test]
fn a_loss_that_may_have_hit_more_than_an_unreferenced_picture_waits_for_an_idr() {
    // The end of the unreferenced picture and the beginning of the next.
    let mut packets = packetize(&[idr(0), non_reference(1), reference(2), reference(3)]);
    packets[1].pop();
    packets[2].remove(0);
    let mut depacketizer = H264Depacketizer::default();
    let out = receive(&mut depacketizer, packets.iter().flatten());
    assert_eq!(out, [Ok(0), Err(Damage::Lost), Err(Damage::Lost), Err(Damage::AwaitingKeyframe)]);
    // The end of the unreferenced picture and a whole reference picture.
    let mut packets = packetize(&[idr(0), non_reference(1), reference(2), non_reference(3)]);
    packets[1].pop();
    packets.remove(2);
    let out = receive(&mut H264Depacketizer::default(), packets.iter().flatten());
    assert_eq!(out, [Ok(0), Err(Damage::Lost), Err(Damage::AwaitingKeyframe)]);
}

#[test]
fn without_markers_a_picture_ends_where_the_timestamp_changes() {
    let mut packets = packetize(&[idr(0), reference(1), reference(2)]);
    packets.iter_mut().flatten().for_each(|packet| packet.marker = false);
    let out = receive(&mut H264Depacketizer::default(), packets.iter().flatten());
    assert_eq!(out, [Ok(0), Ok(1)]);
}

#[test]
fn a_marker_on_the_parameter_sets_does_not_end_the_picture() {
    let mut packets = packetize(&[idr(0)]);
    packets[0][0].marker = true;
    assert_eq!(receive(&mut H264Depacketizer::default(), packets.iter().flatten()), [Ok(0)]);
}

#[test]
fn padding_packets_are_no_loss() {
    let mut packets = packetize(&[idr(0), reference(1)]).concat();
    let at = packets.len() - 2;
    let padding = RtpPacket { payload: [].into(), marker: true, ..packets[at].clone() };
    packets[at..].iter_mut().for_each(|packet| packet.seq += 1);
    packets.insert(at, padding);
    assert_eq!(receive(&mut H264Depacketizer::default(), &packets), [Ok(0), Ok(1)]);
}

#[test]
fn late_packets_are_counted_and_change_nothing() {
    let packets = packetize(&[idr(0), reference(1)]).concat();
    let mut depacketizer = H264Depacketizer::default();
    let twice = packets.iter().flat_map(|packet| [packet, &packets[0], packet]);
    assert_eq!(receive(&mut depacketizer, twice), [Ok(0), Ok(1)]);
    assert_eq!(depacketizer.counters().late, packets.len() as u64 * 2);
}

#[test]
fn after_a_restart_any_sequence_number_is_taken() {
    let packets = packetize(&[idr(0), reference(1), idr(2)]);
    let mut depacketizer = H264Depacketizer::default();
    assert_eq!(receive(&mut depacketizer, packets.iter().flatten()).len(), 3);
    depacketizer.restart();
    let again = packets[1].iter().chain(&packets[2]);
    assert_eq!(receive(&mut depacketizer, again), [Err(Damage::AwaitingKeyframe), Ok(2)]);
}

#[test]
fn the_parameter_sets_keep_their_arc_until_a_byte_changes() {
    let mut pictures = vec![idr(0), reference(1), idr(2), idr(3)];
    pictures[3].params = params(8);
    let mut depacketizer = H264Depacketizer::default();
    let mut arcs = Vec::new();
    for packet in packetize(&pictures).iter().flatten() {
        depacketizer.push(packet);
        if let Some(Unit::Picture(au)) = depacketizer.pull() {
            arcs.push(au.params);
        }
    }
    assert!(Arc::ptr_eq(&arcs[0], &arcs[1]) && Arc::ptr_eq(&arcs[0], &arcs[2]));
    assert_eq!((&arcs[0], &arcs[3]), (&params(0), &params(8)));
}

fn raw(seq: u64, payload: &[u8]) -> RtpPacket<90_000> {
    let (rtp_time, time) = (VideoTicks::new(seq as i64 / 8), StreamTime::new(seq as i64 * 1000));
    RtpPacket { seq, rtp_time, time, marker: false, payload: payload.into() }
}

#[test]
fn a_stap_a_with_an_empty_member_is_malformed() {
    let mut depacketizer = H264Depacketizer::default();
    depacketizer.push(&raw(0, &[0x78, 0, 0, 0]));
    assert_eq!(depacketizer.counters().malformed, 1);
    depacketizer.push(&raw(1, &[0x78, 0, 9, 0x41]));
    depacketizer.push(&raw(2, &[0x78, 0]));
    assert_eq!(depacketizer.counters().malformed, 3);
}

#[test]
fn payload_structures_of_the_interleaved_mode_are_counted_and_damage_their_picture() {
    for kind in [25, 26, 27, 29] {
        let mut packets = packetize(&[idr(0), reference(1), reference(2)]);
        packets[1][1].payload = [0x60 | kind, 1, 2, 3, 4, 5].into();
        let mut depacketizer = H264Depacketizer::default();
        let out = receive(&mut depacketizer, packets.iter().flatten());
        assert_eq!(out.first(), Some(&Ok(0)));
        assert!(out[1].is_err() && out[2] == Err(Damage::AwaitingKeyframe), "{out:?}");
        assert_eq!(depacketizer.counters().unsupported, 1);
    }
}

#[test]
fn a_fragmented_nal_unit_is_never_joined_with_another() {
    let [a, b] = [nal(0x41, 3_000, 1), nal(0x41, 3_000, 2)];
    let packets = packetize(&[idr(0), picture(1, false, vec![a, b])]);
    let mut second = packets[1].clone();
    // The end of the first NAL unit vanishes without a gap in the numbers.
    second.remove(3);
    second.iter_mut().zip(packets[1][0].seq..).for_each(|(packet, seq)| packet.seq = seq);
    let out = receive(&mut H264Depacketizer::default(), packets[0].iter().chain(&second));
    assert_eq!(out, [Ok(0), Err(Damage::Malformed)]);
}

#[test]
fn an_endless_picture_is_given_up_at_its_limit() {
    let mut depacketizer = H264Depacketizer::default();
    let chunk = [[0x7c, 0x05].as_slice(), &[0xff; 60_000]].concat();
    let packet = |seq, payload: &[u8]| RtpPacket { rtp_time: VideoTicks::ZERO, ..raw(seq, payload) };
    depacketizer.push(&packet(0, &[0x67, 66, 0, 30, 0x80]));
    depacketizer.push(&packet(1, &[0x7c, 0x85, 0xff]));
    for seq in 2..60 {
        depacketizer.push(&packet(seq, &chunk));
    }
    depacketizer.push(&RtpPacket { marker: true, ..packet(60, &[0x7c, 0x45, 1]) });
    assert!(matches!(depacketizer.pull(), Some(Unit::Damaged { reason: Damage::TooLarge, .. })));

    let mut depacketizer = H264Depacketizer::default();
    for seq in 0..5_000 {
        depacketizer.push(&packet(seq, &[0x41, 0x80]));
    }
    depacketizer.push(&RtpPacket { marker: true, ..packet(5_000, &[0x41, 0x80]) });
    assert!(matches!(depacketizer.pull(), Some(Unit::Damaged { reason: Damage::TooLarge, .. })));
}

#[test]
fn units_that_nobody_pulls_do_not_pile_up() {
    let mut pictures = vec![idr(0)];
    pictures.extend((1..100).map(reference));
    let mut depacketizer = H264Depacketizer::default();
    packetize(&pictures).iter().flatten().for_each(|packet| depacketizer.push(packet));
    assert_eq!(std::iter::from_fn(|| depacketizer.pull()).count(), 16);
    assert_eq!(depacketizer.counters().overflowed, 84);
    assert!(depacketizer.needs_keyframe());
}

/// Header bytes of slices, SEI and others that no parameter set has; the first of a picture is a slice.
fn any_picture() -> impl Strategy<Value = (bool, Vec<(u8, usize)>)> {
    let header = prop::sample::select(vec![0x41_u8, 0x06, 0x0c, 0x61, 0x6b, 0x14]);
    (any::<bool>(), vec((header, 1_usize..4_000), 0..8))
}

fn build(pictures: Vec<(bool, Vec<(u8, usize)>)>) -> Vec<AccessUnit> {
    let mut tag = 0;
    let mut build_picture = |(index, (keyframe, nals)): (usize, (bool, Vec<(u8, usize)>))| {
        let keyframe = keyframe || index == 0;
        let first = if keyframe { 0x65 } else { 0x41 };
        let mut one = |header, size| {
            tag += 1;
            let mut bytes = nal(header, size, tag);
            bytes.truncate(size);
            bytes
        };
        let mut list = vec![one(first, 2_000)];
        list.extend(nals.into_iter().map(|(header, size)| one(header, size)));
        picture(index as i64, keyframe, list)
    };
    pictures.into_iter().enumerate().map(&mut build_picture).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_goes_in_comes_out_at_any_payload_bound(
        pictures in vec(any_picture(), 1..8),
        max_payload in 60_usize..1500,
    ) {
        let pictures = build(pictures);
        let mut packetizer = H264Packetizer::new(max_payload);
        let mut depacketizer = H264Depacketizer::default();
        let mut next_seq = 0;
        for au in &pictures {
            let mut packets = Vec::new();
            packetizer.packetize(au, &mut packets);
            for packet in &packets {
                prop_assert!(packet.payload.len() <= max_payload);
                prop_assert_eq!(packet.seq, next_seq);
                next_seq += 1;
                prop_assert_eq!(packet.marker, next_seq == packets.last().unwrap().seq + 1);
                depacketizer.push(packet);
            }
            let Some(Unit::Picture(back)) = depacketizer.pull() else { panic!("no picture") };
            prop_assert_eq!(&back.nals, &au.nals);
            prop_assert_eq!((back.dts, back.pts, back.keyframe), (au.dts, au.pts, au.keyframe));
            prop_assert_eq!(&back.params, &au.params);
            prop_assert!(depacketizer.pull().is_none());
        }
    }

    #[test]
    fn loss_disorder_and_repetition_never_yield_what_was_not_sent(
        pictures in vec(any_picture(), 1..12),
        max_payload in 60_usize..1500,
        fates in vec(0_u8..20, 1..400),
        markers in any::<bool>(),
    ) {
        let pictures = build(pictures);
        let mut packetizer = H264Packetizer::new(max_payload);
        let mut packets = Vec::new();
        pictures.iter().for_each(|au| packetizer.packetize(au, &mut packets));
        let mut sent = Vec::new();
        for (packet, fate) in packets.iter().zip(fates.iter().cycle()) {
            match fate {
                0 => {}
                1 => sent.extend([packet.clone(), packet.clone()]),
                2 => sent.insert(sent.len().saturating_sub(2), packet.clone()),
                _ => sent.push(packet.clone()),
            }
        }
        let mut depacketizer = H264Depacketizer::default();
        for packet in &mut sent {
            packet.marker &= markers;
            depacketizer.push(packet);
            while let Some(unit) = depacketizer.pull() {
                let Unit::Picture(au) = unit else { continue };
                let origin = &pictures[usize::try_from(au.dts.get() / 40_000).unwrap()];
                prop_assert_eq!(&au.nals, &origin.nals, "a picture comes whole or not at all");
                prop_assert_eq!(au.keyframe, origin.keyframe);
            }
        }
    }

    #[test]
    fn arbitrary_payloads_never_panic(
        payloads in vec((vec(any::<u8>(), 0..40), prop::sample::select(vec![24_u8, 28, 5, 7, 8, 1, 255]), 0_u64..3), 0..60),
    ) {
        let mut depacketizer = H264Depacketizer::default();
        let mut seq = 0;
        let mut units = 0;
        for (mut payload, kind, step) in payloads {
            seq += step;
            if let Some(first) = payload.first_mut().filter(|_| kind != 255) {
                *first = *first & 0xe0 | kind;
            }
            depacketizer.push(&RtpPacket { marker: payload.len() % 5 == 0, ..raw(seq, &payload) });
            while let Some(unit) = depacketizer.pull() {
                units += 1;
                if let Unit::Picture(au) = unit {
                    prop_assert!(au.nals.iter().all(|nal| !nal.is_empty()));
                }
            }
        }
        prop_assert!(units <= 2 * seq + 2);
    }
}
