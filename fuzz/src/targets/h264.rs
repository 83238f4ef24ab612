//! H.264 outside of RTP: records, length prefixes, start codes, parameter sets.

use bytes::{Bytes, BytesMut};
use queqiao_media::frame::Nals;
use queqiao_media::h264::avcc::{self, DecoderConfig, LengthSize};
use queqiao_media::h264::{
    MAX_NALS, MAX_PPS, MAX_SPS, ParameterSets, ParameterTracker, SpsInfo, annexb, classify,
};

use super::Target;
use crate::source::Source;
use crate::trace::Trace;

pub(crate) const AVCC_SPS: Target = Target {
    max_len: 8 << 10,
    dictionary: &[
        &[0, 0, 1],
        &[0, 0, 0, 1],
        &[0, 0, 3],
        &[0, 0, 0, 1, 0x67],
        &[0, 0, 0, 1, 0x68],
        &[0, 0, 0, 1, 0x65],
        &[0, 0, 0, 1, 0x41],
        &[1, 0x64, 0, 0x1f, 0xff, 0xe1],
        &[0x67, 66, 0xc0, 30, 0x80],
        &[0x68, 0xc0, 0x3c, 0x80],
    ],
    ..Target::new("avcc_sps", "an AVC record, an access unit in either form, or an SPS", avcc_sps)
};

/// The first byte says what follows.
fn avcc_sps(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    match source.u8() % 4 {
        0 => record(&Bytes::copy_from_slice(source.rest()), trace),
        1 => length_prefixed(&mut source, trace),
        2 => byte_stream(&Bytes::copy_from_slice(source.rest()), trace),
        _ => sps(source.rest(), trace),
    }
}

fn record(record: &Bytes, trace: &mut Trace) {
    let config = match DecoderConfig::parse(record) {
        Ok(config) => config,
        Err(error) => return trace.error(&error),
    };
    let sets = &config.params;
    trace.count("sps", sets.sps.len());
    trace.count("pps", sets.pps.len());
    assert!((1..=MAX_SPS).contains(&sets.sps.len()) && (1..=MAX_PPS).contains(&sets.pps.len()), "{sets:?}");
    let again = DecoderConfig::parse(&avcc::build(sets));
    assert_eq!(again.map(|config| config.params).as_ref(), Ok(sets), "a record reads back as it was written");
    match sets.info() {
        Ok(info) => trace.note("width", info.width.into()),
        Err(error) => trace.error(&error),
    }
    track(sets, trace);
}

/// Sends the same sets in band.
fn track(sets: &ParameterSets, trace: &mut Trace) {
    let mut tracker = ParameterTracker::default();
    for nal in sets.sps.iter().chain(&sets.pps) {
        assert_eq!(tracker.push(nal), Ok(()), "what is in a record may come in band");
    }
    match tracker.commit(true) {
        Ok(()) => {
            assert_eq!(tracker.current().map(|current| &**current), Some(sets), "in band they mean the same");
        }
        Err(error) => trace.error(&error),
    }
}

fn length_prefixed(source: &mut Source<'_>, trace: &mut Trace) {
    let size = match source.u8() % 3 {
        0 => LengthSize::One,
        1 => LengthSize::Two,
        _ => LengthSize::Four,
    };
    let unit = Bytes::copy_from_slice(source.rest());
    match avcc::split(&unit, size) {
        Ok(nals) => {
            check(&nals, &unit, trace);
            let mut out = BytesMut::new();
            avcc::write(&nals, &mut out);
            assert_eq!(
                avcc::split(&out.freeze(), LengthSize::Four),
                Ok(nals),
                "it reads back as it was written"
            );
        }
        Err(error) => trace.error(&error),
    }
}

fn byte_stream(stream: &Bytes, trace: &mut Trace) {
    match annexb::split(stream) {
        Ok(nals) => {
            check(&nals, stream, trace);
            let has_start_code = |nal: &Bytes| nal.windows(3).any(|window| window == [0, 0, 1]);
            assert!(!nals.iter().any(has_start_code), "a start code inside of {nals:?}");
            let mut out = BytesMut::new();
            annexb::write(&nals, &mut out);
            assert_eq!(annexb::split(&out.freeze()), Ok(nals), "it reads back as it was written");
        }
        Err(error) => trace.error(&error),
    }
}

/// NAL units are slices of what came, in order and apart.
fn check(nals: &Nals, whole: &Bytes, trace: &mut Trace) {
    assert!(nals.len() <= MAX_NALS, "{} NAL units", nals.len());
    let mut from = whole.as_ptr().addr();
    for nal in nals {
        let start = nal.as_ptr().addr();
        assert!(!nal.is_empty() && start >= from, "a NAL unit is empty or overlaps");
        from = start + nal.len();
    }
    assert!(from <= whole.as_ptr().addr() + whole.len(), "a NAL unit from beyond the input");
    trace.count("nals", nals.len());
    trace.error(&format_args!("{:?}", classify(nals)));
    let mut tracker = ParameterTracker::default();
    for nal in nals {
        if let Err(error) = tracker.push(nal) {
            trace.error(&error);
        }
    }
    if let Err(error) = tracker.commit(false) {
        trace.error(&error);
    }
}

fn sps(nal: &[u8], trace: &mut Trace) {
    match SpsInfo::parse(nal) {
        Ok(info) => {
            trace.note("profile", info.profile_idc.into());
            trace.note("reorder", info.reorder_depth.map_or(0, |depth| u64::from(depth) + 1));
            assert!(info.frame_rate.is_none_or(|rate| rate.is_finite() && rate > 0.0), "{info:?}");
            // Cropping may leave nothing: then the size says so.
            trace.note("empty", u64::from(info.width == 0 || info.height == 0));
        }
        Err(error) => trace.error(&error),
    }
}
