//! H.264 out of RTP packets: of any kind, and of a true stream over a bad network.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use queqiao_media::frame::{AccessUnit, Nals, RtpPacket};
use queqiao_media::h264::{MAX_NALS, NalType, ParameterSets};
use queqiao_media::rtp::{H264Depacketizer, H264Packetizer, Unit};
use queqiao_media::time::{StreamTime, VideoTicks};

use super::Target;
use crate::source::Source;
use crate::trace::Trace;

/// The payloads of the input, the picture made of them, and parameter sets.
const MEMORY: usize = 1 << 20;

pub(crate) const DEPACKETIZER: Target = Target {
    memory: MEMORY,
    max_len: 16 << 10,
    short: 3000,
    dictionary: &[
        &[0, 0, 0, 8, 0x67, 66, 0xc0, 30, 0x80, 1, 2, 3],
        &[0x68, 0xc0, 0x3c, 0x80],
        &[0x7c, 0x85],
        &[0x7c, 0x05],
        &[0x7c, 0x45],
        &[0x5c, 0x81],
        &[0x78, 0, 4, 0x68, 0xc0, 0x3c, 0x80],
        &[0x78, 0, 0],
        &[0x79],
        &[0x7a],
        &[0x7b],
        &[0x7d],
        &[0x65, 0x88],
        &[0x41, 0x9a],
        &[0x01, 0x9a],
        &[9, 0x10],
    ],
    ..Target::new("rtp_depacketizer", "RTP payloads with numbers, times and markers", depacketizer)
};

/// One packet: flags, step of the number, step of the time, payload.
fn depacketizer(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let mut depacketizer = H264Depacketizer::default();
    let (mut seq, mut ticks) = (1_u64 << 20, 0_i64);
    let mut sent: HashMap<i64, Vec<Bytes>> = HashMap::new();
    let mut last = None;
    while !source.is_empty() {
        let flags = source.u8();
        seq = if flags & 2 == 0 { seq.saturating_add(1) } else { seq.saturating_add_signed(source.step()) };
        if flags & 4 != 0 {
            ticks = ticks.saturating_add(source.step().saturating_mul(3000));
        }
        if flags & 8 != 0 && flags & 0xf0 == 0xf0 {
            depacketizer.restart();
        }
        let payload = source.block();
        let rtp_time = VideoTicks::new(ticks);
        let packet = RtpPacket {
            seq,
            rtp_time,
            time: rtp_time.rescale(),
            marker: flags & 1 != 0,
            payload: payload.into(),
        };
        let late = depacketizer.counters().late;
        depacketizer.push(&packet);
        if depacketizer.counters().late == late {
            sent.entry(packet.time.get()).or_default().push(Bytes::copy_from_slice(payload));
        }
        while let Some(unit) = depacketizer.pull() {
            check(&unit, &sent, &mut last, trace);
        }
        trace.note("needs", depacketizer.needs_keyframe().into());
    }
    let counters = depacketizer.counters();
    assert_eq!(counters.overflowed, 0, "every packet's pictures were pulled");
    trace.note("late", counters.late);
    trace.note("malformed", counters.malformed);
    trace.note("unsupported", counters.unsupported);
}

fn check(unit: &Unit, sent: &HashMap<i64, Vec<Bytes>>, last: &mut Option<StreamTime>, trace: &mut Trace) {
    let time = match unit {
        Unit::Picture(picture) => picture.dts,
        Unit::Damaged { time, reason } => {
            trace.error(&format_args!("{reason:?}"));
            *time
        }
    };
    assert!(last.is_none_or(|last| last <= time), "{time:?} after {last:?}");
    *last = Some(time);
    let Unit::Picture(picture) = unit else { return };
    trace.count("nals", picture.nals.len());
    trace.note("keyframe", picture.keyframe.into());
    let kind = |nal: &Bytes| NalType::of(nal).unwrap_or(NalType(0));
    assert!((1..=MAX_NALS).contains(&picture.nals.len()), "{} NAL units", picture.nals.len());
    assert!(picture.nals.iter().all(|nal| matches!(kind(nal).0, 1..=6 | 9..=23)), "{:?}", picture.nals);
    assert!(picture.nals.iter().any(|nal| kind(nal).is_vcl()), "no picture");
    assert_eq!(picture.keyframe, picture.nals.iter().any(|nal| kind(nal).is_idr()));
    // A picture that comes with an earlier time than the one before is put at that one's.
    if let Some(payloads) = sent.get(&picture.dts.get()) {
        for nal in &picture.nals {
            assert!(
                was_sent(nal, payloads) || sent.values().any(|all| was_sent(nal, all)),
                "made up: {nal:?}"
            );
        }
    }
}

/// Whether a NAL unit is a payload, stands in one, or is put together from fragments.
fn was_sent(nal: &Bytes, payloads: &[Bytes]) -> bool {
    let whole = |payload: &Bytes| payload == nal || payload.windows(nal.len()).any(|window| window == nal);
    payloads.iter().any(whole) || is_joined(nal.get(1..).unwrap_or_default(), payloads)
}

/// Whether bytes are bodies of fragments in the order in which they were sent.
fn is_joined(body: &[u8], payloads: &[Bytes]) -> bool {
    let bodies: Vec<_> =
        payloads.iter().filter_map(|payload| payload.get(2..)).filter(|body| !body.is_empty()).collect();
    (0..bodies.len().max(1)).any(|first| {
        let mut rest = body;
        for part in bodies.iter().skip(first) {
            match rest.strip_prefix(*part) {
                Some(after) => rest = after,
                // Fragments of a picture follow each other: others end it.
                None => break,
            }
        }
        rest.is_empty()
    })
}

pub(crate) const LOSSY_PATH: Target = Target {
    memory: MEMORY,
    max_len: 1 << 10,
    short: 3000,
    dictionary: &[&[0, 0, 0, 0], &[0x81], &[0x40]],
    ..Target::new(
        "lossy_path",
        "a true H.264 stream over a network that loses and doubles packets",
        lossy_path,
    )
};

/// A picture of the model and what became of it.
struct Sent {
    unit: AccessUnit,
    reference: bool,
    yielded: bool,
}

/// Two bytes of settings, then for each picture its kind and sizes, and one bit for each packet: whether it is lost.
fn lossy_path(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let max_payload = usize::from(source.u8()) * 4 + 32;
    let settings = source.u8();
    let (markers, delimiters) = (settings & 1 == 0, settings & 2 != 0);
    let mut packetizer = H264Packetizer::new(max_payload);
    let mut depacketizer = H264Depacketizer::default();
    let mut sent: Vec<Sent> = Vec::new();
    let mut packets = Vec::new();
    let mut lossless = true;
    while !source.is_empty() && sent.len() < 64 {
        let picture = picture(&mut source, &sent, delimiters);
        packets.clear();
        packetizer.packetize(&picture.unit, &mut packets);
        sent.push(picture);
        let mut fate = 0_u8;
        for (index, packet) in packets.iter_mut().enumerate() {
            if index.is_multiple_of(8) {
                fate = source.u8();
            }
            packet.marker &= markers;
            let lost = fate & 1 != 0;
            lossless &= !lost;
            fate >>= 1;
            if lost {
                continue;
            }
            for _ in 0..=usize::from(settings & 4 != 0) {
                depacketizer.push(packet);
                receive(&mut depacketizer, &mut sent, trace);
            }
        }
    }
    if lossless && sent.first().is_some_and(|first| first.unit.keyframe) {
        // Without markers the last one is still waiting for its end.
        let done = sent.len() - usize::from(!markers && !sent.is_empty());
        assert!(sent.iter().take(done).all(|picture| picture.yielded), "a picture is lost without a loss");
    }
}

fn picture(source: &mut Source<'_>, before: &[Sent], delimiters: bool) -> Sent {
    let index = before.len();
    let kind = source.u8();
    // The first is what a stream begins with, and one in eight of the others.
    let keyframe = kind & 7 == 0 || index == 0;
    let reference = keyframe || kind & 8 != 0;
    let header = match (keyframe, reference) {
        (true, _) => 0x65,
        (false, true) => 0x41,
        (false, false) => 0x01,
    };
    let mut nals = Nals::new();
    if delimiters {
        nals.push(Bytes::from_static(&[9, 0x10]));
    }
    if kind & 0x10 != 0 {
        nals.push(nal(6, 5 + usize::from(kind >> 6), index));
    }
    let slices = 1 + usize::from(kind >> 5 & 1);
    for slice in 0..slices {
        let size = usize::from(source.u8()) * 8 + 6;
        let mut bytes = nal(header, size, index * 2 + slice).to_vec();
        // `first_mb_in_slice` is zero, a single one bit, in the first slice alone.
        if let Some(first) = bytes.get_mut(1) {
            *first = if slice == 0 { 0x80 | *first } else { *first & 0x3f | 0x40 };
        }
        nals.push(bytes.into());
    }
    // The parameter sets change now and then, at a keyframe.
    let old = before.last().map(|picture| picture.unit.params.clone());
    let changed = keyframe && kind & 0x80 != 0;
    let params = old.filter(|_| !changed).unwrap_or_else(|| params(index));
    let time = StreamTime::new(i64::try_from(index).unwrap_or_default() * 40_000);
    let unit = AccessUnit { dts: time, pts: time, keyframe, params, nals };
    Sent { unit, reference, yielded: false }
}

/// A NAL unit that tells itself from every other.
fn nal(header: u8, size: usize, mark: usize) -> Bytes {
    let mark = u16::try_from(mark).unwrap_or_default().to_be_bytes();
    let body = (0..size).map(|n| u8::try_from(n & 0x7f).unwrap_or_default() | 0x20);
    [header, 0x33].into_iter().chain(mark).chain(body).collect()
}

fn params(version: usize) -> Arc<ParameterSets> {
    let version = u8::try_from(version).unwrap_or_default() | 0x80;
    let sets = [
        Bytes::from(vec![0x67, 66, 0xc0, 30, 0x80, 1, version]),
        Bytes::from_static(&[0x68, 0xc0, 0x3c, 0x80]),
    ];
    let Ok(sets) = ParameterSets::parse(sets) else { unreachable!("they are sound") };
    Arc::new(sets)
}

/// What comes out was sent, whole, once, and can be decoded with what came out before.
fn receive(depacketizer: &mut H264Depacketizer, sent: &mut [Sent], trace: &mut Trace) {
    while let Some(unit) = depacketizer.pull() {
        let picture = match unit {
            Unit::Picture(picture) => picture,
            Unit::Damaged { reason, .. } => {
                trace.error(&format_args!("{reason:?}"));
                continue;
            }
        };
        let index = usize::try_from(picture.dts.get() / 40_000).unwrap_or(usize::MAX);
        trace.count("picture", index);
        let (before, from) = sent.split_at_mut_checked(index).unwrap_or_default();
        let Some(original) = from.first_mut() else { unreachable!("picture {index} was never sent") };
        assert!(!original.yielded, "picture {index} comes twice");
        assert_eq!(picture.nals, original.unit.nals, "picture {index} is not what was sent");
        assert_eq!(
            (picture.keyframe, picture.params),
            (original.unit.keyframe, original.unit.params.clone())
        );
        original.yielded = true;
        let refers_to = before.iter().rev().take_while(|_| !picture.keyframe);
        for earlier in refers_to {
            assert!(
                earlier.yielded || !earlier.reference,
                "picture {index} refers to one that was kept back"
            );
            if earlier.unit.keyframe {
                break;
            }
        }
    }
}
