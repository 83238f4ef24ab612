//! FLV tag bodies, which are RTMP's media messages.

use bytes::Bytes;
use queqiao_media::Error;
use queqiao_media::flv::{self, AudioDemuxer, Reader, TagKind, VideoDemuxer};
use queqiao_media::frame::{AacFrame, AccessUnit};
use queqiao_media::h264::{BFrameFilter, MAX_NALS, NalType};
use queqiao_media::time::{Millis, StreamTime};

use super::Target;
use crate::source::Source;
use crate::trace::Trace;

/// Bytes of NAL units that the demuxer may carry over from messages without a picture.
const MAX_CARRIED: usize = 16 << 10;
/// NAL units that it may carry over.
const MAX_CARRIED_NALS: usize = 16;

pub(crate) const TAGS: Target = Target {
    // The input three times over: the reader's buffer, the frames, and these written again.
    memory: 512 << 10,
    max_len: 24 << 10,
    dictionary: &[
        &[0x17, 0, 0, 0, 0],
        &[0x17, 1, 0, 0, 0],
        &[0x27, 1, 0, 0, 0],
        &[0x17, 2, 0, 0, 0],
        &[0x57],
        &[0xaf, 0],
        &[0xaf, 1],
        &[0xaf, 0, 0x11, 0x88],
        b"\x90avc1",
        b"\x91avc1",
        b"\x93avc1",
        b"\x94avc1",
        b"\x90hvc1",
        b"\x96",
        b"\x90mp4a",
        b"\x91mp4a",
        b"\x95",
        &[0, 0, 0, 1, 0x65],
        &[9],
        &[8],
        &[18],
        &[0xff, 0xf1],
        b"FLV\x01",
    ],
    ..Target::new("flv_tags", "an FLV file, or video and audio messages with their lengths", tags)
};

/// What begins with the signature is a file; anything else a list of kind, time and message.
fn tags(input: &[u8], trace: &mut Trace) {
    let mut demuxers = Demuxers::default();
    if !input.starts_with(b"FLV") {
        let mut source = Source::new(input);
        while !source.is_empty() {
            let kind = if source.u8() & 1 == 0 { TagKind::Audio } else { TagKind::Video };
            let time = source.step();
            demuxers.push(kind, time, Bytes::copy_from_slice(source.block()), trace);
        }
        return;
    }
    let mut reader = Reader::default();
    let piece = input.get(4).map_or(1, |&size| usize::from(size) * 8 + 1);
    for piece in input.chunks(piece) {
        assert_eq!(reader.push(piece), Ok(()), "no input is as large as the reader's buffer");
        loop {
            match reader.next_tag() {
                Ok(Some(tag)) => demuxers.push(tag.kind, tag.timestamp.into(), tag.body, trace),
                Ok(None) => break,
                Err(error) => return trace.error(&error),
            }
        }
    }
}

#[derive(Default)]
struct Demuxers {
    video: VideoDemuxer,
    audio: AudioDemuxer,
    filter: BFrameFilter,
}

impl Demuxers {
    fn push(&mut self, kind: TagKind, time: i64, body: Bytes, trace: &mut Trace) {
        let time = Millis::new(time).rescale();
        let size = body.len();
        match kind {
            TagKind::Video => match self.video.push(body, time) {
                Ok(Some(unit)) => {
                    check_unit(&unit, time, size);
                    check_video_again(&unit);
                    trace.count("nals", unit.nals.len());
                    trace.note("keyframe", unit.keyframe.into());
                    trace.error(&format_args!("{:?}", self.filter.push(&unit)));
                }
                Ok(None) => trace.note("no picture", self.video.params().is_some().into()),
                Err(error) => note(&error, trace),
            },
            TagKind::Audio => match self.audio.push(body, time) {
                Ok(Some(frame)) => {
                    assert!(!frame.data.is_empty() && frame.data.len() < size, "{frame:?}");
                    assert_eq!(frame.time, time);
                    check_audio_again(&frame);
                    trace.count("frame", frame.data.len());
                }
                Ok(None) => trace.note("no frame", self.audio.config().is_some().into()),
                Err(error) => note(&error, trace),
            },
            TagKind::Script => trace.count("script", size),
        }
    }
}

/// A foreign codec counts as one, whatever its name.
fn note(error: &Error, trace: &mut Trace) {
    match error {
        Error::UnsupportedCodec { .. } => trace.note("codec", 0),
        other => trace.error(other),
    }
}

/// What [`AccessUnit`] promises.
fn check_unit(unit: &AccessUnit, time: StreamTime, size: usize) {
    assert_eq!(unit.dts, time);
    let kind = |nal: &Bytes| NalType::of(nal).unwrap_or(NalType(0));
    assert!(unit.nals.len() <= MAX_NALS + MAX_CARRIED_NALS, "{} NAL units", unit.nals.len());
    assert!(unit.nals.iter().all(|nal| !nal.is_empty()), "an empty NAL unit");
    assert!(!unit.nals.iter().any(|nal| kind(nal).is_sps() || kind(nal).is_pps()), "a parameter set in band");
    assert!(unit.nals.iter().any(|nal| kind(nal).is_vcl()), "no picture");
    assert_eq!(unit.keyframe, unit.nals.iter().any(|nal| kind(nal).is_idr()));
    assert!(!unit.params.sps.is_empty() && !unit.params.pps.is_empty(), "no parameter sets");
    let bytes: usize = unit.nals.iter().map(Bytes::len).sum();
    assert!(bytes <= size + MAX_CARRIED, "{bytes} bytes out of a message of {size}");
}

/// What is written for a player is read as the same picture.
fn check_video_again(unit: &AccessUnit) {
    let mut demuxer = VideoDemuxer::default();
    let header = demuxer.push(flv::video_sequence_header(&unit.params), unit.dts);
    assert!(matches!(header, Ok(None)), "{header:?}");
    let again = demuxer.push(flv::video(unit), unit.dts);
    if unit.nals.len() > MAX_NALS {
        // One message cannot say so much.
        return assert!(again.is_err());
    }
    let Ok(Some(again)) = again else { unreachable!("{again:?} of {unit:?}") };
    assert_eq!(
        (again.nals, again.keyframe, again.params),
        (unit.nals.clone(), unit.keyframe, unit.params.clone())
    );
    let edge = i64::MAX / 2;
    assert!(again.pts == unit.pts || unit.dts.get().abs() > edge, "{:?} became {:?}", unit.pts, again.pts);
}

/// What is written for a player is read as the same frame.
fn check_audio_again(frame: &AacFrame) {
    let mut demuxer = AudioDemuxer::default();
    let header = demuxer.push(flv::audio_sequence_header(&frame.config), frame.time);
    assert!(matches!(header, Ok(None)), "{header:?}");
    assert_eq!(demuxer.config(), Some(&frame.config));
    let again = demuxer.push(flv::audio(frame), frame.time);
    let Ok(Some(again)) = again else { unreachable!("{again:?} of {frame:?}") };
    // A frame that holds an ADTS frame again loses that header, too: no encoder writes one.
    assert!(again.data == frame.data || frame.data.starts_with(&[0xff]), "{again:?} of {frame:?}");
}
