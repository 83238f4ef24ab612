//! Single FLV messages: states, refusals, odd encoders.

// Helpers outside of test functions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod flv_support;

use std::sync::Arc;

use bytes::Bytes;
use flv_support::{BASELINE, HIGH_PYRAMID, MAIN, access_units, millis, video_header};
use queqiao_media::Error;
use queqiao_media::flv::{self, AudioDemuxer, Reader, TagKind, VideoDemuxer};
use queqiao_media::frame::AccessUnit;
use queqiao_media::h264::{annexb, avcc};
use queqiao_media::time::{Millis, StreamTime};

/// A demuxer that has seen the sequence header of a file.
fn ready(file: &[u8]) -> VideoDemuxer {
    let mut demuxer = VideoDemuxer::default();
    assert!(demuxer.push(video_header(file), StreamTime::ZERO).unwrap().is_none());
    demuxer
}

/// A picture message with NAL units of four-byte lengths behind a given composition time.
fn message(composition: [u8; 3], nals: &[&[u8]]) -> Bytes {
    let mut out = vec![0x27, 1];
    out.extend(composition);
    let nals: Vec<_> = nals.iter().map(|nal| Bytes::copy_from_slice(nal)).collect();
    avcc::write(&nals, &mut out);
    out.into()
}

const P_SLICE: &[u8] = &[0x41, 0x9a, 0x24];
const IDR_SLICE: &[u8] = &[0x65, 0x88, 0x84];
const SEI: &[u8] = &[6, 5, 1, 0, 0x80];

fn one(demuxer: &mut VideoDemuxer, payload: Bytes) -> AccessUnit {
    demuxer.push(payload, millis(1000)).unwrap().unwrap()
}

#[test]
fn nal_units_are_slices_of_the_message() {
    let payload = message([0; 3], &[SEI, P_SLICE]);
    let unit = one(&mut ready(MAIN), payload.clone());
    assert_eq!(unit.nals[1].as_ptr(), payload[5 + 4 + SEI.len() + 4..].as_ptr());
    let frame = Bytes::from_static(&[0xaf, 1, 0x21, 0x10]);
    let mut audio = AudioDemuxer::default();
    audio.push(Bytes::from_static(&[0xaf, 0, 0x11, 0x88]), StreamTime::ZERO).unwrap();
    assert_eq!(
        audio.push(frame.clone(), StreamTime::ZERO).unwrap().unwrap().data.as_ptr(),
        frame[2..].as_ptr()
    );
}

#[test]
fn composition_time_has_a_sign() {
    let mut demuxer = ready(MAIN);
    for (bytes, pts) in [([0, 0, 67], 1067), ([0xff, 0xff, 0xd8], 960), ([0x80, 0, 0], 1000 - (1 << 23))] {
        let unit = one(&mut demuxer, message(bytes, &[P_SLICE]));
        assert_eq!((unit.dts, unit.pts), (millis(1000), millis(pts)));
        assert_eq!(flv::video(&unit)[2..5], bytes);
    }
}

#[test]
fn a_composition_time_beyond_24_bits_is_clamped() {
    let mut unit = one(&mut ready(MAIN), message([0; 3], &[P_SLICE]));
    unit.pts = StreamTime::new(i64::MAX);
    assert_eq!(flv::video(&unit)[2..5], [0x7f, 0xff, 0xff]);
    unit.pts = StreamTime::new(i64::MIN);
    assert_eq!(flv::video(&unit)[2..5], [0x80, 0, 0]);
}

#[test]
fn the_nal_type_decides_about_keyframes_not_the_tag() {
    let mut demuxer = ready(MAIN);
    assert!(one(&mut demuxer, message([0; 3], &[SEI, IDR_SLICE])).keyframe);
    let mut lying = message([0; 3], &[P_SLICE]).to_vec();
    lying[0] = 0x17;
    let unit = one(&mut demuxer, lying.into());
    assert!(!unit.keyframe);
    assert_eq!(flv::video(&unit)[0], 0x27);
}

#[test]
fn frames_before_the_sequence_header_are_refused_by_name() {
    let mut video = VideoDemuxer::default();
    for payload in [message([0; 3], &[IDR_SLICE]), Bytes::from_static(&[0x17, 1, 0, 0, 0, 0, 9, 0x65])] {
        let error = video.push(payload, StreamTime::ZERO).unwrap_err();
        assert_eq!(error, Error::MissingParameters { codec: "H.264", needs: "sequence header" });
    }
    let error =
        AudioDemuxer::default().push(Bytes::from_static(&[0xaf, 1, 0x21]), StreamTime::ZERO).unwrap_err();
    assert_eq!(error, Error::MissingParameters { codec: "AAC", needs: "sequence header" });
}

#[test]
fn a_new_sequence_header_gives_new_params_and_the_same_one_does_not() {
    let mut demuxer = ready(MAIN);
    let first = one(&mut demuxer, message([0; 3], &[IDR_SLICE])).params;
    demuxer.push(video_header(MAIN), StreamTime::ZERO).unwrap();
    assert!(Arc::ptr_eq(&first, &one(&mut demuxer, message([0; 3], &[IDR_SLICE])).params));
    demuxer.push(video_header(BASELINE), StreamTime::ZERO).unwrap();
    let second = one(&mut demuxer, message([0; 3], &[IDR_SLICE])).params;
    assert_ne!(first, second);
    assert_eq!(second.profile_level_id()[0], 66);
}

#[test]
fn in_band_parameter_sets_take_effect_and_leave_the_access_unit() {
    let baseline = access_units(BASELINE)[0].params.clone();
    let mut demuxer = ready(MAIN);
    let first = one(&mut demuxer, message([0; 3], &[IDR_SLICE])).params;
    let unit = one(&mut demuxer, message([0; 3], &[&baseline.sps[0], &baseline.pps[0], SEI, IDR_SLICE]));
    assert_eq!(unit.nals.as_slice(), [SEI, IDR_SLICE]);
    assert_eq!(*unit.params, *baseline);
    assert!(!Arc::ptr_eq(&unit.params, &first));
    let again = one(&mut demuxer, message([0; 3], &[&baseline.sps[0], &baseline.pps[0], IDR_SLICE]));
    assert!(Arc::ptr_eq(&unit.params, &again.params));
}

#[test]
fn in_band_parameter_sets_do_without_a_sequence_header() {
    let main = access_units(MAIN)[0].params.clone();
    let mut demuxer = VideoDemuxer::default();
    assert!(
        demuxer.push(message([0; 3], &[&main.sps[0], &main.pps[0]]), StreamTime::ZERO).unwrap().is_none()
    );
    assert_eq!(one(&mut demuxer, message([0; 3], &[IDR_SLICE])).params, main);
}

#[test]
fn a_bad_in_band_set_costs_one_picture_and_nothing_else() {
    let mut demuxer = ready(MAIN);
    let before = demuxer.params().unwrap().clone();
    let good = &access_units(BASELINE)[0].params.sps[0];
    assert!(demuxer.push(message([0; 3], &[good, &[0x67, 66], IDR_SLICE]), StreamTime::ZERO).is_err());
    assert!(Arc::ptr_eq(&before, &one(&mut demuxer, message([0; 3], &[IDR_SLICE])).params));
}

#[test]
fn nal_units_sent_ahead_of_their_picture_join_it() {
    let mut demuxer = ready(MAIN);
    assert!(demuxer.push(message([0; 3], &[&[9, 0xf0], SEI]), millis(990)).unwrap().is_none());
    assert_eq!(one(&mut demuxer, message([0; 3], &[P_SLICE])).nals.as_slice(), [&[9, 0xf0], SEI, P_SLICE]);
    assert_eq!(one(&mut demuxer, message([0; 3], &[P_SLICE])).nals.len(), 1);
    for _ in 0..1000 {
        demuxer.push(message([0; 3], &[SEI]), StreamTime::ZERO).unwrap();
    }
    assert_eq!(one(&mut demuxer, message([0; 3], &[P_SLICE])).nals.len(), 17);
}

#[test]
fn start_codes_instead_of_lengths_are_understood() {
    let mut payload = vec![0x17, 1, 0, 0, 0];
    annexb::write(&[Bytes::from_static(SEI), Bytes::from_static(IDR_SLICE)], &mut payload);
    assert_eq!(one(&mut ready(MAIN), payload.into()).nals.as_slice(), [SEI, IDR_SLICE]);
}

#[test]
fn two_byte_lengths_are_followed() {
    let mut header = video_header(MAIN).to_vec();
    header[5 + 4] = 0xfd;
    let mut demuxer = VideoDemuxer::default();
    demuxer.push(header.into(), StreamTime::ZERO).unwrap();
    let unit = one(&mut demuxer, Bytes::from_static(&[0x27, 1, 0, 0, 0, 0, 3, 0x41, 0x9a, 0x24]));
    assert_eq!(unit.nals.as_slice(), [P_SLICE]);
}

#[test]
fn messages_without_media_yield_nothing() {
    let mut video = ready(MAIN);
    for payload in [&[][..], &[0x17], &[0x17, 2, 0, 0, 0], &[0x57, 1], &[0x52, 0], &[0x17, 1, 0, 0, 0]] {
        assert!(video.push(Bytes::from_static(payload), StreamTime::ZERO).unwrap().is_none(), "{payload:?}");
    }
    let mut audio = AudioDemuxer::default();
    audio.push(Bytes::from_static(&[0xaf, 0, 0x12, 0x10]), StreamTime::ZERO).unwrap();
    for payload in [&[][..], &[0xaf], &[0xaf, 1]] {
        assert!(audio.push(Bytes::from_static(payload), StreamTime::ZERO).unwrap().is_none(), "{payload:?}");
    }
}

#[test]
fn malformed_messages_leave_the_demuxer_working() {
    let mut demuxer = ready(MAIN);
    for payload in [
        &[0x17, 9, 0, 0, 0][..],
        &[0x17, 0],
        &[0x17, 0, 0, 0, 0, 1, 2],
        &[0x27, 1, 0],
        &[0x27, 1, 0, 0, 0, 0, 0, 1, 0, 9],
    ] {
        assert!(demuxer.push(Bytes::from_static(payload), StreamTime::ZERO).is_err(), "{payload:?}");
    }
    assert_eq!(one(&mut demuxer, message([0; 3], &[P_SLICE])).nals.len(), 1);
    let mut audio = AudioDemuxer::default();
    audio.push(Bytes::from_static(&[0xaf, 0, 0x12, 0x10]), StreamTime::ZERO).unwrap();
    for payload in [&[0xaf, 2][..], &[0xaf, 0, 0xff], &[0xaf, 0]] {
        assert!(audio.push(Bytes::from_static(payload), StreamTime::ZERO).is_err(), "{payload:?}");
    }
    assert_eq!(audio.config().unwrap().sample_rate, 44_100);
}

fn unsupported(result: Result<Option<impl std::fmt::Debug>, Error>) -> String {
    match result {
        Err(Error::UnsupportedCodec { name }) => name.into_owned(),
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn foreign_codecs_are_refused_by_name() {
    for (payload, name) in [
        (&[0x12, 0][..], "Sorenson H.263"),
        (&[0x14, 0], "VP6"),
        (&[0x1c, 0, 0, 0, 0], "HEVC"),
        (b"\x90hvc1", "HEVC"),
        (b"\x91av01....", "AV1"),
        (b"\x93vp09", "VP9"),
        (b"\x91x\x01yz", "FourCC x\\x01yz"),
        (b"\x96\x01hvc1", "E-RTMP multitrack video"),
    ] {
        let payload = Bytes::from_static(payload);
        assert_eq!(unsupported(VideoDemuxer::default().push(payload, StreamTime::ZERO)), name);
    }
    for (payload, name) in [
        (&[0x2f, 0][..], "MP3"),
        (&[0xb2, 0], "Speex"),
        (&[0x72, 0], "G.711 A-law"),
        (&[0x82, 0], "G.711 mu-law"),
        (&[0x62, 0], "Nellymoser"),
        (&[0x3f, 0], "PCM"),
        (b"\x91Opus", "Opus in E-RTMP"),
        (b"\x90fLaC", "FLAC"),
        (b"\x95\x01Opus", "E-RTMP multitrack audio"),
    ] {
        let payload = Bytes::from_static(payload);
        assert_eq!(unsupported(AudioDemuxer::default().push(payload, StreamTime::ZERO)), name);
    }
}

/// The same message with an Enhanced RTMP header, one modifier in front if asked for.
fn enhanced(payload: &[u8], kind: u8, body: usize, modified: bool) -> Bytes {
    let mut out = vec![0x90 | if modified { 7 } else { kind }];
    if modified {
        out.extend([2, 0, 0, 1, kind]);
    }
    out.extend(b"avc1");
    out.extend(&payload[body..]);
    out.into()
}

#[test]
fn enhanced_rtmp_with_h264_and_aac_reads_like_the_plain_form() {
    let mut demuxer = VideoDemuxer::default();
    let header = video_header(MAIN);
    assert!(demuxer.push(enhanced(&header, 0, 5, false), StreamTime::ZERO).unwrap().is_none());
    let plain = message([0, 0, 40], &[SEI, P_SLICE]);
    for (payload, pts) in [
        (enhanced(&plain, 1, 2, false), 1040),
        (enhanced(&plain, 3, 5, false), 1000),
        (enhanced(&plain, 3, 5, true), 1000),
    ] {
        let unit = one(&mut demuxer, payload);
        assert_eq!(
            (unit.nals.as_slice(), unit.pts),
            ([SEI, P_SLICE].map(Bytes::from_static).as_slice(), millis(pts))
        );
    }
    for payload in [&b"\x92avc1"[..], b"\x94avc1....", b"\xd0\x00"] {
        assert!(demuxer.push(Bytes::from_static(payload), StreamTime::ZERO).unwrap().is_none());
    }
    let mut audio = AudioDemuxer::default();
    audio.push(Bytes::from_static(b"\x90mp4a\x12\x10"), StreamTime::ZERO).unwrap();
    let frame = audio.push(Bytes::from_static(b"\x91mp4a\x21\x10"), StreamTime::ZERO).unwrap().unwrap();
    assert_eq!((frame.data.as_ref(), frame.config.sample_rate), (&[0x21, 0x10][..], 44_100));
}

#[test]
fn he_aac_configurations_pass_through_with_their_output_rate() {
    let mut audio = AudioDemuxer::default();
    audio.push(Bytes::from_static(&[0xaf, 0, 0x2b, 0x11, 0x88, 0]), StreamTime::ZERO).unwrap();
    let config = audio.config().unwrap().clone();
    assert_eq!((config.sample_rate, config.core_rate, config.channels), (48_000, 24_000, 2));
    assert_eq!(flv::audio_sequence_header(&config), Bytes::from_static(&[0xaf, 0, 0x2b, 0x11, 0x88, 0]));
    audio.push(Bytes::from_static(&[0xaf, 0, 0x2b, 0x11, 0x88, 0]), StreamTime::ZERO).unwrap();
    assert!(Arc::ptr_eq(&config, audio.config().unwrap()));
}

#[test]
fn records_of_high_profile_streams_carry_chroma_and_bit_depth() {
    let record = video_header(HIGH_PYRAMID);
    assert_eq!(record[record.len() - 4..], [0xfd, 0xf8, 0xf8, 0]);
    assert_eq!(avcc::build(&access_units(HIGH_PYRAMID)[0].params), record[5..]);
    assert_eq!(avcc::build(&access_units(MAIN)[0].params), video_header(MAIN)[5..]);
}

#[test]
fn timestamps_beyond_24_bits_use_the_extension_and_wrap_at_32() {
    for (time, wire) in
        [(0x00ff_ffff_i64, 0x00ff_ffff_u32), (0x0100_0000, 0x0100_0000), (0x1_8000_0001, 0x8000_0001)]
    {
        let mut reader = Reader::default();
        reader.push(&flv::file_header(true, false)).unwrap();
        let tag = flv::tag(TagKind::Audio, Millis::new(time), &[0xaf, 1, 2]).unwrap();
        assert_eq!(tag[tag.len() - 4..], [0, 0, 0, 14]);
        reader.push(&tag).unwrap();
        let read = reader.next_tag().unwrap().unwrap();
        assert_eq!((read.timestamp, read.body.as_ref()), (wire, &[0xaf, 1, 2][..]));
    }
    assert!(flv::tag(TagKind::Video, Millis::ZERO, &vec![0; 1 << 24]).is_err());
}

#[test]
fn foreign_and_hostile_files_are_refused_early() {
    let fails = |bytes: &[u8]| {
        let mut reader = Reader::default();
        reader.push(bytes).unwrap();
        reader.next_tag().unwrap_err()
    };
    assert!(matches!(fails(b"FLX"), Error::Invalid { offset: 2, .. }));
    assert!(matches!(fails(b"FLV\x02"), Error::Invalid { offset: 3, .. }));
    assert!(matches!(fails(b"FLV\x01\x05\xff\xff\xff\xff"), Error::Invalid { offset: 5, .. }));
    let tag = |header: [u8; 11]| [&flv::file_header(true, true)[..], &header[..]].concat();
    assert!(matches!(fails(&tag([9, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0])), Error::TooLarge { .. }));
    assert!(matches!(fails(&tag([0x29, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])), Error::Invalid { offset: 13, .. }));
    let mut reader = Reader::default();
    reader.push(&vec![0; flv::MAX_BUFFERED_BYTES]).unwrap();
    assert!(matches!(reader.push(&[0]), Err(Error::TooLarge { .. })));
}

#[test]
fn tags_of_unknown_kinds_are_passed_over() {
    let mut reader = Reader::default();
    reader.push(&flv::file_header(true, true)).unwrap();
    reader.push(&[15, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 12]).unwrap();
    assert_eq!(reader.next_tag().unwrap(), None);
    reader.push(&flv::tag(TagKind::Script, Millis::new(5), &[2]).unwrap()).unwrap();
    assert_eq!(reader.next_tag().unwrap().unwrap().kind, TagKind::Script);
}

#[test]
fn the_end_of_a_stream_does_not_forget_its_parameters() {
    let mut demuxer = ready(MAIN);
    assert!(demuxer.push(flv::end_of_sequence(), StreamTime::ZERO).unwrap().is_none());
    assert!(one(&mut demuxer, message([0; 3], &[IDR_SLICE])).keyframe);
}

#[test]
fn a_picture_is_written_into_one_buffer_of_its_exact_length() {
    let unit = one(&mut ready(MAIN), message([0; 3], &[SEI, IDR_SLICE]));
    let length = 5 + 4 + SEI.len() + 4 + IDR_SLICE.len();
    let body = flv::video(&unit).try_into_mut().unwrap();
    assert_eq!((body.len(), body.capacity()), (length, length));
}
