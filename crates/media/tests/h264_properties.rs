//! What holds for every input: no parser panics, and what is written reads back the same.

mod flv_support;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use flv_support::{ALL, MAIN, access_units, video_header};
use proptest::collection::vec;
use proptest::prelude::*;
use queqiao_media::flv::{self, AudioDemuxer, Reader, TagKind, VideoDemuxer};
use queqiao_media::frame::{AacFrame, AccessUnit};
use queqiao_media::gop::squeeze;
use queqiao_media::h264::avcc::{DecoderConfig, LengthSize};
use queqiao_media::h264::{ParameterSets, ParameterTracker, SpsInfo, annexb, avcc, classify};
use queqiao_media::time::{Millis, StreamTime};
use queqiao_media::{aac, opus};

/// A NAL unit of slice data with emulation prevention: no three bytes that could be a start code, no trailing zero.
fn nal() -> impl Strategy<Value = Bytes> {
    (prop_oneof![Just(0x41_u8), Just(0x65), Just(0x06), Just(0x09)], vec(any::<u8>(), 0..40)).prop_map(
        |(header, body)| {
            let mut nal = vec![header];
            for byte in body {
                if byte <= 3 && nal.ends_with(&[0, 0]) {
                    nal.push(3);
                }
                nal.push(byte);
            }
            nal.push(0x80);
            nal.into()
        },
    )
}

/// Mostly short bytes in which zeros, ones and other meaningful values are frequent.
fn hostile(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => any::<u8>(), 3 => Just(0_u8), 1 => Just(1), 1 => Just(0xff), 1 => Just(0x67), 1 => Just(0x17)];
    vec(byte, 0..most)
}

fn bytes(input: &[u8]) -> Bytes {
    Bytes::copy_from_slice(input)
}

proptest! {
    #[test]
    fn nal_units_survive_length_prefixes(nals in vec(nal(), 0..20)) {
        let mut out = BytesMut::new();
        avcc::write(&nals, &mut out);
        let read = avcc::split(&out.freeze(), LengthSize::Four).unwrap();
        prop_assert_eq!(read.as_slice(), nals.as_slice());
    }

    #[test]
    fn nal_units_survive_start_codes(nals in vec(nal(), 0..20), short in any::<bool>()) {
        let mut out = BytesMut::new();
        if short {
            for nal in &nals {
                out.extend_from_slice(&[0, 0, 1]);
                out.extend_from_slice(nal);
            }
        } else {
            annexb::write(&nals, &mut out);
        }
        let read = annexb::split(&out.freeze()).unwrap();
        prop_assert_eq!(read.as_slice(), nals.as_slice());
    }

    #[test]
    fn access_units_survive_flv(
        nals in vec(nal(), 1..10),
        dts in -1_000_000_i64..1 << 40,
        composition in -(1_i64 << 23)..1 << 23,
    ) {
        let params = access_units(MAIN)[0].params.clone();
        let dts: StreamTime = Millis::new(dts).rescale();
        let mut nals: queqiao_media::frame::Nals = nals.into_iter().collect();
        nals.push(Bytes::from_static(&[0x41, 0x9a]));
        let keyframe = nals.iter().any(|nal| nal[0] == 0x65);
        let unit = AccessUnit { dts, pts: dts + Millis::new(composition).rescale(), keyframe, params, nals };
        let mut demuxer = VideoDemuxer::default();
        demuxer.push(flv::video_sequence_header(&unit.params), dts).unwrap();
        let read = demuxer.push(flv::video(&unit), dts).unwrap().unwrap();
        prop_assert_eq!((read.dts, read.pts, read.keyframe), (unit.dts, unit.pts, unit.keyframe));
        prop_assert_eq!(read.nals, unit.nals);
        prop_assert_eq!(read.params, unit.params);
    }

    #[test]
    fn aac_frames_survive_flv(data in vec(0_u8..255, 1..100), rate in 1..=aac::MAX_SAMPLE_RATE, channels in 1_u8..=6) {
        let config = Arc::new(aac::Config::lc(rate, channels).unwrap());
        let frame = AacFrame { time: StreamTime::ZERO, config, data: data.into() };
        let mut demuxer = AudioDemuxer::default();
        demuxer.push(flv::audio_sequence_header(&frame.config), frame.time).unwrap();
        let read = demuxer.push(flv::audio(&frame), frame.time).unwrap().unwrap();
        prop_assert_eq!((read.config, read.data), (frame.config, frame.data));
    }

    #[test]
    fn tags_survive_a_file(bodies in vec((hostile(50), any::<i64>()), 0..10), step in 1_usize..40) {
        let mut file = flv::file_header(true, true).to_vec();
        for (body, time) in &bodies {
            file.extend(flv::tag(TagKind::Video, Millis::new(*time), body).unwrap());
        }
        let read = flv_support::tags_in_steps(&file, step);
        prop_assert_eq!(read.len(), bodies.len());
        for (tag, (body, time)) in read.iter().zip(&bodies) {
            prop_assert_eq!(&tag.body[..], &body[..]);
            prop_assert_eq!(tag.timestamp, Millis::new(*time).wire());
        }
    }

    #[test]
    fn no_bytes_break_a_parser_of_parameters(input in hostile(80)) {
        let input = bytes(&input);
        let _ = SpsInfo::parse(&input);
        let _ = SpsInfo::parse(&bytes(&[&[0x67][..], &input].concat()));
        let _ = annexb::split(&input);
        let _ = aac::Config::parse(input.clone());
        let _ = aac::strip_adts(input.clone());
        let _ = opus::PacketInfo::parse(&input);
        let _ = classify(std::slice::from_ref(&input));
        for size in [LengthSize::One, LengthSize::Two, LengthSize::Four] {
            let _ = avcc::split(&input, size);
        }
        if let Ok(config) = DecoderConfig::parse(&input) {
            let again = DecoderConfig::parse(&avcc::build(&config.params)).unwrap();
            prop_assert_eq!(again.params, config.params);
        }
    }

    #[test]
    fn no_messages_break_a_demuxer(messages in vec((hostile(60), 0_u8..4), 1..20)) {
        let mut video = VideoDemuxer::default();
        let mut audio = AudioDemuxer::default();
        video.push(video_header(MAIN), StreamTime::ZERO).unwrap();
        for (message, kind) in messages {
            // Past the tag header as often as not.
            let prefix: &[u8] = match kind { 0 => &[], 1 => &[0x17, 1, 0, 0, 0], 2 => &[0x17, 0, 0, 0, 0], _ => b"\x97" };
            let message = bytes(&[prefix, &message].concat());
            if let Ok(Some(unit)) = video.push(message.clone(), StreamTime::new(i64::MAX)) {
                prop_assert!(!unit.nals.is_empty() && unit.nals.iter().all(|nal| !nal.is_empty()));
                let _ = flv::video(&unit);
            }
            let _ = audio.push(message, StreamTime::ZERO);
        }
    }

    #[test]
    fn no_parameter_sets_break_the_tracker(nals in vec((hostile(20), any::<bool>(), any::<bool>()), 0..200)) {
        let mut tracker = ParameterTracker::default();
        for (nal, sps, commit) in nals {
            let header = if sps { 0x67 } else { 0x68 };
            let _ = tracker.push(&bytes(&[&[header][..], &nal].concat()));
            if commit {
                let _ = tracker.commit(sps);
            }
            if let Some(sets) = tracker.current() {
                prop_assert!(!sets.sps.is_empty() && !sets.pps.is_empty());
                let _ = sets.info();
                prop_assert_eq!(&ParameterSets::parse(sets.sps.iter().chain(&sets.pps).cloned()).unwrap(), &**sets);
            }
        }
    }

    #[test]
    fn no_bytes_break_the_file_reader(input in hostile(400), header in any::<bool>()) {
        let mut reader = Reader::default();
        if header {
            reader.push(&flv::file_header(true, true)).unwrap();
        }
        reader.push(&input).unwrap();
        let mut count = 0;
        while let Ok(Some(_)) = reader.next_tag() {
            count += 1;
        }
        prop_assert!(count <= input.len() / 15);
    }

    #[test]
    fn no_damage_to_a_real_file_breaks_anything(
        which in 0_usize..ALL.len(),
        damage in vec((13_usize..13_000, any::<u8>()), 1..30),
    ) {
        let mut file = ALL[which].1.to_vec();
        for (at, value) in damage {
            file[at] = value;
        }
        let (mut reader, mut video, mut audio) = (Reader::default(), VideoDemuxer::default(), AudioDemuxer::default());
        reader.push(&file).unwrap();
        while let Ok(Some(tag)) = reader.next_tag() {
            let time = Millis::new(tag.timestamp.into()).rescale();
            match tag.kind {
                TagKind::Video => {
                    if let Ok(Some(unit)) = video.push(tag.body, time) {
                        let _ = classify(&unit.nals);
                        let _ = unit.params.info();
                    }
                }
                TagKind::Audio => { let _ = audio.push(tag.body, time); }
                TagKind::Script => {}
            }
        }
    }

    #[test]
    fn squeezed_times_increase_strictly_above_the_floor(
        times in vec(-1_000_000_000_i64..1_000_000_000, 1..300),
        step in -5_i64..100_000,
        floor in proptest::option::of(-1_000_000_000_i64..1_000_000_000),
    ) {
        let mut sorted = times;
        sorted.sort_unstable();
        let end = StreamTime::new(*sorted.last().unwrap());
        let count = i64::try_from(sorted.len()).unwrap();
        let mut out: Vec<_> = sorted.into_iter().map(StreamTime::new).collect();
        let floor = floor.map(StreamTime::new);
        squeeze(&mut out, StreamTime::new(step), floor);
        prop_assert!(out.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(floor.is_none_or(|floor| floor < out[0]));
        let fits = floor.is_none_or(|floor| (end - floor).get() >= count);
        prop_assert_eq!(*out.last().unwrap() == end, fits);
    }
}
