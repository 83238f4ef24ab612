//! H.264 access units to RTP packets (RFC 6184, packetization-mode 1).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::payload;
use crate::frame::{AccessUnit, RtpPacket};
use crate::h264::{NalType, ParameterSets};
use crate::time::VideoTicks;

/// The default bound of a payload.
///
/// 1200 bytes of UDP payload pass every path that WebRTC meets (IPv6 guarantees 1280, tunnels take some of it). Off
/// these come 12 bytes of RTP header, 32 of header extensions (a mid, a transport-wide number, a send time), 2 of the
/// original sequence number in a retransmission (RFC 4588) and 16 of authentication tag (AES-GCM).
pub const DEFAULT_MAX_PAYLOAD: usize = 1200 - 12 - 32 - 2 - 16;

/// The smallest payload bound: below it a fragment carries less than the headers around it.
const MIN_MAX_PAYLOAD: usize = 32;

/// The largest payload bound: what an RTP packet in one IPv4 datagram can hold, and the 16-bit sizes in a STAP-A.
const MAX_MAX_PAYLOAD: usize = 65_000;

/// One byte of STAP-A header.
const STAP_HEADER: usize = 1;
/// Two bytes of size before every NAL unit in a STAP-A.
const STAP_SIZE: usize = 2;
/// FU indicator and FU header.
const FU_HEADER: usize = 2;

/// Cuts access units into RTP packets.
///
/// Every IDR picture is preceded by its parameter sets, and so is any other picture at which they change.
#[derive(Debug)]
pub struct H264Packetizer {
    max_payload: usize,
    next_seq: u64,
    params: Option<Arc<ParameterSets>>,
    /// Where payloads of several parts are put together.
    scratch: Vec<u8>,
}

/// What becomes of a run of NAL units.
enum Step {
    /// One payload that is the NAL unit itself.
    Single(usize),
    /// One STAP-A of several.
    Aggregate(Range<usize>),
    /// Several FU-A of one.
    Fragments { index: usize, count: usize },
}

type NalRefs<'a> = SmallVec<[&'a Bytes; 8]>;

impl H264Packetizer {
    /// A packetizer whose payloads have at most `max_payload` bytes (brought into 32 to 65,000), starting at sequence
    /// number 0.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.clamp(MIN_MAX_PAYLOAD, MAX_MAX_PAYLOAD),
            next_seq: 0,
            params: None,
            scratch: Vec::new(),
        }
    }

    /// Appends the packets of one access unit to `out`, the last with the marker.
    ///
    /// The RTP time is `au.pts` at 90 kHz. NAL units of types that RTP gives another meaning (0 and 24 to 31, all
    /// unspecified in H.264) are left out.
    pub fn packetize(&mut self, au: &AccessUnit, out: &mut Vec<RtpPacket<90_000>>) {
        let nals = self.order(au);
        let first = out.len();
        for step in self.plan(&nals) {
            match step {
                Step::Single(index) => {
                    if let Some(nal) = nals.get(index) {
                        self.emit(au, Arc::from(nal.as_ref()), out);
                    }
                }
                Step::Aggregate(range) => {
                    write_aggregate(nals.get(range).unwrap_or_default(), &mut self.scratch);
                    self.emit(au, Arc::from(self.scratch.as_slice()), out);
                }
                Step::Fragments { index, count } => {
                    let Some((&header, mut rest)) = nals.get(index).and_then(|nal| nal.split_first()) else {
                        continue;
                    };
                    for left in (1..=count).rev() {
                        let Some((part, tail)) = rest.split_at_checked(rest.len() / left) else { break };
                        write_fragment(header, part, left == count, left == 1, &mut self.scratch);
                        self.emit(au, Arc::from(self.scratch.as_slice()), out);
                        rest = tail;
                    }
                }
            }
        }
        if out.len() > first
            && let Some(last) = out.last_mut()
        {
            last.marker = true;
        }
    }

    fn emit(&mut self, au: &AccessUnit, payload: Arc<[u8]>, out: &mut Vec<RtpPacket<90_000>>) {
        out.push(RtpPacket {
            seq: self.next_seq,
            rtp_time: Self::rtp_time(au),
            time: au.pts,
            marker: false,
            payload,
        });
        self.next_seq += 1;
    }

    /// The RTP time that [`packetize`](Self::packetize) gives to an access unit.
    #[must_use]
    pub fn rtp_time(au: &AccessUnit) -> VideoTicks {
        au.pts.rescale()
    }

    /// All NAL units to send, in order: a leading access unit delimiter, parameter sets, the rest.
    fn order<'a>(&mut self, au: &'a AccessUnit) -> NalRefs<'a> {
        let changed =
            self.params.as_ref().is_some_and(|old| !Arc::ptr_eq(old, &au.params) && *old != au.params);
        let with_params = au.keyframe || changed;
        self.params = Some(Arc::clone(&au.params));

        let delimiters =
            usize::from(au.nals.first().and_then(|nal| NalType::of(nal)).is_some_and(NalType::is_aud));
        let params = au.params.sps.iter().chain(&au.params.pps).filter(|_| with_params);
        au.nals
            .iter()
            .take(delimiters)
            .chain(params)
            .chain(au.nals.iter().skip(delimiters))
            .filter(|nal| NalType::of(nal).is_some_and(|kind| matches!(kind.0, 1..=23)))
            .collect()
    }

    /// Packs neighbours together as long as they fit, and splits what is too large.
    fn plan(&self, nals: &NalRefs<'_>) -> SmallVec<[Step; 8]> {
        let mut steps = SmallVec::new();
        let mut group = 0..0;
        let mut group_size = STAP_HEADER;
        for (index, nal) in nals.iter().enumerate() {
            if group_size + STAP_SIZE + nal.len() <= self.max_payload {
                group.end = index + 1;
                group_size += STAP_SIZE + nal.len();
                continue;
            }
            close_group(&group, &mut steps);
            if nal.len() > self.max_payload {
                let count = (nal.len() - 1).div_ceil(self.max_payload - FU_HEADER);
                steps.push(Step::Fragments { index, count });
                group = index + 1..index + 1;
                group_size = STAP_HEADER;
            } else {
                group = index..index + 1;
                group_size = STAP_HEADER + STAP_SIZE + nal.len();
            }
        }
        close_group(&group, &mut steps);
        steps
    }
}

impl Default for H264Packetizer {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_PAYLOAD)
    }
}

fn close_group(group: &Range<usize>, steps: &mut SmallVec<[Step; 8]>) {
    match group.len() {
        0 => {}
        1 => steps.push(Step::Single(group.start)),
        _ => steps.push(Step::Aggregate(group.clone())),
    }
}

/// A STAP-A (RFC 6184 section 5.7.1) with the highest importance of its members.
fn write_aggregate(members: &[&Bytes], payload: &mut Vec<u8>) {
    let headers = members.iter().filter_map(|nal| nal.first());
    let forbidden = headers.clone().fold(0, |bits, header| bits | header & 0x80);
    let importance = headers.map(|header| header & 0x60).max().unwrap_or(0);
    payload.clear();
    payload.push(forbidden | importance | payload::STAP_A);
    for nal in members {
        // The bound of a payload is below 2^16.
        payload.extend(u16::try_from(nal.len()).unwrap_or(u16::MAX).to_be_bytes());
        payload.extend_from_slice(nal);
    }
}

/// An FU-A (RFC 6184 section 5.8) with a part of the NAL unit whose first byte is `header`.
fn write_fragment(header: u8, part: &[u8], first: bool, last: bool, payload: &mut Vec<u8>) {
    let start = if first { payload::FU_START } else { 0 };
    let end = if last { payload::FU_END } else { 0 };
    payload.clear();
    payload.push(header & payload::IMPORTANCE | payload::FU_A);
    payload.push(start | end | header & payload::TYPE);
    payload.extend_from_slice(part);
}
