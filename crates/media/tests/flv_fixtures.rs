//! Streams of a real encoder through the demuxers and back.

// Helpers outside of test functions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod flv_support;

use flv_support::{
    ALL, BASELINE, HIGH_PYRAMID, HIGH_SLICES, MAIN, MAIN_B, aac_frames, access_units, millis, tags,
    tags_in_steps,
};
use queqiao_media::flv::{self, AudioDemuxer, TagKind, VideoDemuxer};
use queqiao_media::h264::{BFrameFilter, BFrameVerdict, NalType, PictureKind, classify};

/// One letter a picture in decoding order: I, P, b for a B-frame without and R for one with references to it.
fn kinds(file: &[u8]) -> String {
    access_units(file)
        .iter()
        .map(|unit| match classify(&unit.nals) {
            PictureKind::Idr => 'I',
            PictureKind::IntraOrPredicted => 'P',
            PictureKind::NonReferenceB => 'b',
            PictureKind::ReferenceB => 'R',
            PictureKind::Unknown => '?',
        })
        .collect()
}

#[test]
fn picture_kinds_agree_with_the_headers_that_ffmpeg_reads() {
    let without = "IPPPPPPPPPPPPPPIPPPPPPPPPPPPPP";
    for file in [BASELINE, MAIN, HIGH_SLICES] {
        assert_eq!(kinds(file), without);
    }
    assert_eq!(kinds(MAIN_B), "IPbbPbbPbbPbbPbIPbbPbbPbbPbbPb");
    assert_eq!(kinds(HIGH_PYRAMID), "IPRbbPRbbPRbbPbIPRbbPRbbPRbbPb");
}

#[test]
fn keyframes_are_the_pictures_with_an_idr_slice() {
    for (name, file) in ALL {
        let keyframes: Vec<_> = access_units(file)
            .iter()
            .enumerate()
            .filter(|(_, unit)| unit.keyframe)
            .map(|(index, _)| index)
            .collect();
        assert_eq!(keyframes, [0, 15], "{name}");
    }
}

#[test]
fn parameter_sets_say_what_the_encoder_was_told() {
    for (file, profile, level_id, depth) in [
        (BASELINE, 66, [66, 0xc0, 10], Some(0)),
        (MAIN, 77, [77, 0x40, 10], Some(0)),
        (MAIN_B, 77, [77, 0x40, 10], Some(1)),
        (HIGH_PYRAMID, 100, [100, 0, 10], Some(2)),
        (HIGH_SLICES, 100, [100, 0, 10], Some(0)),
    ] {
        let params = access_units(file)[0].params.clone();
        let info = params.info().unwrap();
        assert_eq!(params.profile_level_id(), level_id);
        assert_eq!((info.profile_idc, info.width, info.height), (profile, 178, 98));
        assert_eq!(info.frame_rate, Some(15.0));
        assert_eq!(info.reorder_depth, depth);
        assert_eq!(info.b_frames_possible(), depth != Some(0));
    }
}

#[test]
fn composition_times_put_reordered_pictures_where_ffmpeg_shows_them() {
    let times: Vec<_> = access_units(HIGH_PYRAMID).iter().take(4).map(|unit| (unit.dts, unit.pts)).collect();
    assert_eq!(
        times,
        [(0, 133), (66, 400), (133, 266), (200, 200)].map(|(dts, pts)| (millis(dts), millis(pts)))
    );
    assert!(access_units(MAIN).iter().all(|unit| unit.dts == unit.pts));
}

#[test]
fn every_slice_delimiter_and_sei_is_kept() {
    let units = access_units(HIGH_SLICES);
    let types =
        |index: usize| -> Vec<_> { units[index].nals.iter().filter_map(|nal| NalType::of(nal)).collect() };
    assert_eq!(types(0), [NalType::SEI, NalType::AUD, NalType::IDR, NalType::IDR, NalType::IDR]);
    assert_eq!(types(1), [NalType::AUD, NalType::SLICE, NalType::SLICE, NalType::SLICE]);
}

#[test]
fn the_params_are_one_arc_for_the_whole_stream() {
    for (name, file) in ALL {
        let units = access_units(file);
        assert!(units.iter().all(|unit| std::sync::Arc::ptr_eq(&unit.params, &units[0].params)), "{name}");
    }
}

#[test]
fn aac_configurations_give_rate_channels_and_frame_length() {
    for (file, rate, channels) in [(BASELINE, 48_000, 1), (MAIN_B, 44_100, 2), (HIGH_PYRAMID, 16_000, 1)] {
        let frames = aac_frames(file);
        let config = &frames[0].config;
        assert_eq!((config.sample_rate, config.channels, config.object_type), (rate, channels, 2));
        assert_eq!((config.samples_per_frame, config.sbr), (1024, false));
        let expected = 2 * usize::try_from(rate).unwrap() / 1024;
        assert!((expected..=expected + 3).contains(&frames.len()), "{} frames", frames.len());
    }
}

#[test]
fn tags_read_and_written_again_are_those_of_ffmpeg_byte_for_byte() {
    for (name, file) in ALL {
        let (mut video, mut audio) = (VideoDemuxer::default(), AudioDemuxer::default());
        let mut out = flv::file_header(!aac_frames(file).is_empty(), true).to_vec();
        for (index, tag) in tags(file).into_iter().enumerate() {
            let (original, time) = (tag.body.clone(), millis(tag.timestamp));
            let body = match tag.kind {
                TagKind::Script => tag.body,
                TagKind::Video if tag.body[1] == 2 => flv::end_of_sequence(),
                TagKind::Video => match video.push(tag.body, time).unwrap() {
                    Some(unit) => flv::video(&unit),
                    None => flv::video_sequence_header(video.params().unwrap()),
                },
                TagKind::Audio => match audio.push(tag.body, time).unwrap() {
                    Some(frame) => flv::audio(&frame),
                    None => flv::audio_sequence_header(audio.config().unwrap()),
                },
            };
            assert_eq!(body, original, "tag {index} of {name}");
            out.extend(flv::tag(tag.kind, time.rescale(), &body).unwrap());
        }
        assert!(out == file, "{name} differs outside the bodies");
    }
}

#[test]
fn a_file_in_single_bytes_reads_like_a_file_at_once() {
    assert_eq!(tags_in_steps(HIGH_PYRAMID, 1), tags(HIGH_PYRAMID));
    assert_eq!(tags_in_steps(HIGH_PYRAMID, 1000), tags(HIGH_PYRAMID));
}

#[test]
fn the_b_frame_gate_drops_what_nothing_refers_to_and_names_the_rest() {
    let judge = |file| {
        let mut filter = BFrameFilter::default();
        let verdicts: Vec<_> = access_units(file).iter().map(|unit| filter.push(unit)).collect();
        (filter, verdicts)
    };
    let (filter, verdicts) = judge(MAIN_B);
    assert_eq!((filter.passed, filter.dropped, filter.reference), (12, 18, 0));
    assert_eq!(
        verdicts[1..4],
        [BFrameVerdict::Pass, BFrameVerdict::DropNonReferenceB, BFrameVerdict::DropNonReferenceB]
    );
    let (filter, verdicts) = judge(HIGH_PYRAMID);
    assert_eq!((filter.passed, filter.dropped, filter.reference), (10, 14, 6));
    assert_eq!(verdicts[2], BFrameVerdict::ReferenceB);
    assert_eq!(judge(BASELINE).0.passed, 30);
}

#[test]
fn pictures_left_after_the_gate_are_shown_in_decoding_order() {
    let mut filter = BFrameFilter::default();
    let mut units = access_units(MAIN_B);
    units.retain(|unit| filter.push(unit) == BFrameVerdict::Pass);
    assert!(units.windows(2).all(|pair| pair[0].pts < pair[1].pts));
}
