//! RTP packets to H.264 access units (RFC 6184, packetization-mode 0 and 1).

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::payload;
use crate::frame::{AccessUnit, Nals, RtpPacket};
use crate::h264::{MAX_NALS, NalType, ParameterTracker, ref_idc};
use crate::time::{StreamTime, VideoTicks};

/// The most bytes of one picture. An IDR picture at 4K and 20 Mbit/s stays below 1 MB.
const MAX_PICTURE_BYTES: usize = 2 * 1024 * 1024;

/// The most units that wait for [`H264Depacketizer::pull`]. One packet ends two pictures at most, so a caller that
/// pulls after every packet never comes near.
const MAX_WAITING_UNITS: usize = 16;

/// What the depacketizer yields for every picture of which it saw something.
#[derive(Clone, Debug)]
pub enum Unit {
    /// A whole picture that can be decoded with what was yielded before.
    Picture(AccessUnit),
    /// A picture that is kept back.
    Damaged {
        /// When the picture would have been shown.
        time: StreamTime,
        /// Why it is kept back.
        reason: Damage,
    },
}

/// Why a picture is kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// A packet of it is lost.
    Lost,
    /// A payload does not follow RFC 6184, or a fragmented NAL unit has no end.
    Malformed,
    /// A payload structure that packetization-mode 1 does not have.
    Unsupported,
    /// It has more than 2 MiB, or too many NAL units.
    TooLarge,
    /// It is whole, but refers to a picture that is not.
    AwaitingKeyframe,
    /// It is a whole IDR picture, but no SPS and PPS have been seen.
    NoParameterSets,
}

/// What was left out so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that came after one with a higher sequence number, or twice.
    pub late: u64,
    /// Packets of the types STAP-B, MTAP16, MTAP24 and FU-B, and of types that are not defined.
    pub unsupported: u64,
    /// Payloads and parameter sets that cannot be parsed.
    pub malformed: u64,
    /// Pictures that nobody pulled in time.
    pub overflowed: u64,
}

/// Puts pictures together again.
///
/// Packets must come in order, as [`JitterBuffer`](super::JitterBuffer) releases them; gaps are seen by their
/// sequence numbers. No NAL unit is ever joined across a gap. After a loss pictures are kept back until the next IDR
/// picture, unless it is certain that only one picture is hit and that no other refers to it (`nal_ref_idc` 0).
#[derive(Debug, Default)]
pub struct H264Depacketizer {
    params: ParameterTracker,
    picture: Option<Picture>,
    next_seq: Option<u64>,
    /// Packets lost since the last one with a payload.
    gap: u64,
    /// Whether everything that the next picture refers to was yielded.
    in_sync: bool,
    /// Whether the last whole IDR picture brought its SPS along: then one without has lost it.
    sps_with_idr: bool,
    /// Whether the sender sets markers.
    markers: bool,
    last_time: Option<StreamTime>,
    units: VecDeque<Unit>,
    counters: Counters,
}

/// How the first packet after a gap begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With the first NAL unit of a picture.
    Whole,
    /// With the first NAL unit after the parameter sets, if there were any.
    AfterParameters,
    /// Somewhere.
    Within,
}

impl H264Depacketizer {
    /// Takes the next packet. Whatever it completes is to be [pulled](Self::pull).
    pub fn push(&mut self, packet: &RtpPacket<90_000>) {
        let gap = match self.next_seq {
            Some(next) if packet.seq < next => {
                self.counters.late += 1;
                return;
            }
            Some(next) => packet.seq - next,
            None => u64::MAX,
        };
        self.gap = self.gap.saturating_add(gap);
        self.next_seq = Some(packet.seq.saturating_add(1));
        // Padding for bandwidth probes: it has a number and nothing else.
        if packet.payload.is_empty() {
            return;
        }
        let gap = std::mem::take(&mut self.gap);
        if gap > 0 {
            self.pass_gap(gap, packet);
        } else if self.picture.as_ref().is_some_and(|picture| picture.rtp_time != packet.rtp_time) {
            self.finish();
        }

        let mut picture = self.picture.take().unwrap_or_else(|| Picture::new(packet));
        self.unpack(&mut picture, &Bytes::from_owner(Arc::clone(&packet.payload)));
        // Some senders mark the packet of the parameter sets too.
        let finished = packet.marker && picture.reference.is_some();
        self.picture = Some(picture);
        self.markers |= packet.marker;
        if finished {
            self.finish();
        }
    }

    /// Begins anew at any sequence number: a sender that restarted, or a loss of unknown size.
    pub fn restart(&mut self) {
        self.next_seq = None;
    }

    /// The next picture, in order.
    pub fn pull(&mut self) -> Option<Unit> {
        self.units.pop_front()
    }

    /// Whether pictures are kept back until an IDR picture comes: at the start and after a loss.
    #[must_use]
    pub fn needs_keyframe(&self) -> bool {
        !self.in_sync || self.picture.as_ref().is_some_and(Picture::breaks_followers)
    }

    /// What was left out so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Decides what a gap of `gap` packets before `packet` has hit, and opens the picture of `packet`.
    fn pass_gap(&mut self, gap: u64, packet: &RtpPacket<90_000>) {
        let start = Start::of(&packet.payload);
        let open = self.picture.as_mut().map(|picture| {
            picture.damage(Damage::Lost);
            picture.rtp_time
        });
        // The sender numbers a picture's packets without a break, so nothing else is lost here.
        if open == Some(packet.rtp_time) {
            return;
        }
        self.finish();
        let mut picture = Picture::new(packet);
        // One packet is either the missing end of the picture before or a missing beginning of this one.
        let one_picture = gap == 1
            && match open {
                Some(_) => self.markers && start != Start::Within,
                None => is_continuation(&packet.payload),
            };
        if !one_picture {
            self.in_sync = false;
        }
        match start {
            Start::Whole => {}
            Start::AfterParameters => picture.headless = !one_picture,
            Start::Within => picture.damage(Damage::Lost),
        }
        self.picture = Some(picture);
    }

    fn unpack(&mut self, picture: &mut Picture, payload: &Bytes) {
        let Some(kind) = payload.first().map(|header| header & payload::TYPE) else { return };
        if kind != payload::FU_A && picture.fragment.take().is_some() {
            self.counters.malformed += 1;
            picture.damage(Damage::Malformed);
        }
        match kind {
            1..=23 => self.take_nal(picture, payload.clone()),
            payload::STAP_A => self.unpack_aggregate(picture, payload),
            payload::FU_A => match picture.add_fragment(payload) {
                Ok(Some(nal)) => self.take_nal(picture, nal),
                Ok(None) => {}
                Err(reason) => {
                    self.counters.malformed += u64::from(reason == Damage::Malformed);
                    picture.damage(reason);
                }
            },
            payload::STAP_B | payload::MTAP16 | payload::MTAP24 | payload::FU_B => {
                self.counters.unsupported += 1;
                picture.damage(Damage::Unsupported);
            }
            _ => self.counters.unsupported += 1,
        }
    }

    /// RFC 6184 section 5.7.1.
    fn unpack_aggregate(&mut self, picture: &mut Picture, payload: &Bytes) {
        let mut rest = payload.slice(1..);
        while !rest.is_empty() {
            let size = match rest.first_chunk() {
                Some(&size) => usize::from(u16::from_be_bytes(size)),
                None => 0,
            };
            if size == 0 || size + 2 > rest.len() {
                self.counters.malformed += 1;
                picture.damage(Damage::Malformed);
                return;
            }
            let nal = rest.slice(2..size + 2);
            rest = rest.slice(size + 2..);
            match NalType::of(&nal).map(|kind| kind.0) {
                Some(1..=23) => self.take_nal(picture, nal),
                _ => self.counters.unsupported += 1,
            }
        }
    }

    fn take_nal(&mut self, picture: &mut Picture, nal: Bytes) {
        let Some(&header) = nal.first() else { return };
        let kind = NalType::of_header(header);
        picture.see(header);
        if kind.is_sps() || kind.is_pps() {
            picture.sps |= kind.is_sps();
            if self.params.push(&nal).is_err() {
                self.counters.malformed += 1;
            }
        } else if let Err(reason) = picture.add(nal) {
            picture.damage(reason);
        }
    }

    /// Closes the open picture and yields it, or says why not.
    fn finish(&mut self) {
        let Some(mut picture) = self.picture.take() else { return };
        if picture.fragment.is_some() {
            self.counters.malformed += 1;
            picture.damage(Damage::Malformed);
        }
        if picture.reference.is_some() && self.params.commit(picture.keyframe).is_err() {
            self.counters.malformed += 1;
        }
        if picture.keyframe && picture.headless && self.sps_with_idr {
            picture.damage(Damage::Lost);
        }
        // A picture that is kept back shows as well how the sender does it.
        self.sps_with_idr |= picture.sps && (picture.keyframe || picture.damage.is_some());
        if picture.breaks_followers() {
            self.in_sync = false;
        }
        let time = self.last_time.map_or(picture.time, |last| last.max(picture.time));
        self.last_time = Some(time);
        let damaged = |reason| Unit::Damaged { time, reason };
        let unit = match (picture.damage, self.params.current()) {
            (Some(reason), _) => damaged(reason),
            // Parameter sets on their own: they wait in the tracker.
            (None, _) if picture.reference.is_none() => return,
            (None, _) if !picture.keyframe && !self.in_sync => damaged(Damage::AwaitingKeyframe),
            (None, None) => damaged(Damage::NoParameterSets),
            (None, Some(params)) => {
                if picture.keyframe {
                    self.in_sync = true;
                    self.sps_with_idr = picture.sps;
                }
                Unit::Picture(AccessUnit {
                    dts: time,
                    pts: time,
                    keyframe: picture.keyframe,
                    params: Arc::clone(params),
                    nals: picture.nals,
                })
            }
        };
        if self.units.len() < MAX_WAITING_UNITS {
            self.units.push_back(unit);
        } else {
            self.counters.overflowed += 1;
            self.in_sync = false;
        }
    }
}

impl Start {
    /// Judges by the first NAL unit: a delimiter or an SPS comes before all others; SEI, PPS and the slice of the
    /// first macroblock can only follow these (ITU-T H.264 section 7.4.1.2.3).
    fn of(payload: &[u8]) -> Self {
        let (kind, second) = match payload.first().map(|head| head & payload::TYPE) {
            Some(payload::STAP_A) => (payload.get(3).copied(), payload.get(4).copied()),
            Some(payload::FU_A) => {
                (payload.get(1).copied().filter(|fu| fu & payload::FU_START != 0), payload.get(2).copied())
            }
            _ => (payload.first().copied(), payload.get(1).copied()),
        };
        let Some(kind) = kind.map(NalType::of_header) else { return Self::Within };
        // `first_mb_in_slice` is the first code of a slice header, and 0 is coded as a single 1.
        let first_slice = kind.is_vcl() && second.is_some_and(|byte| byte & 0x80 != 0);
        if kind.is_aud() || kind.is_sps() {
            Self::Whole
        } else if kind.is_pps() || kind.is_sei() || first_slice {
            Self::AfterParameters
        } else {
            Self::Within
        }
    }
}

/// Whether the payload is a fragment whose NAL unit began in an earlier packet.
fn is_continuation(payload: &[u8]) -> bool {
    matches!(payload, [head, fu, ..]
        if head & payload::TYPE == payload::FU_A && fu & payload::FU_START == 0)
}

/// The picture whose packets are coming in.
#[derive(Debug)]
struct Picture {
    rtp_time: VideoTicks,
    time: StreamTime,
    nals: Nals,
    bytes: usize,
    /// The NAL unit whose FU-A are coming in, from its header on.
    fragment: Option<BytesMut>,
    keyframe: bool,
    /// Whether it brought an SPS.
    sps: bool,
    /// Whether others may refer to it; `None` until something of a slice is seen.
    reference: Option<bool>,
    /// Whether parameter sets at its beginning may be lost.
    headless: bool,
    damage: Option<Damage>,
}

impl Picture {
    fn new(packet: &RtpPacket<90_000>) -> Self {
        Self {
            rtp_time: packet.rtp_time,
            time: packet.time,
            nals: Nals::new(),
            bytes: 0,
            fragment: None,
            keyframe: false,
            sps: false,
            reference: None,
            headless: false,
            damage: None,
        }
    }

    /// Keeps the picture back. Its parts are of no more use; only the first reason is told.
    fn damage(&mut self, reason: Damage) {
        self.damage.get_or_insert(reason);
        self.fragment = None;
        self.nals = Nals::new();
        self.bytes = 0;
    }

    fn breaks_followers(&self) -> bool {
        self.damage.is_some() && self.reference != Some(false)
    }

    /// Learns from the header of a NAL unit, whole or not.
    fn see(&mut self, header: u8) {
        let kind = NalType::of_header(header);
        if kind.is_vcl() {
            self.keyframe |= kind.is_idr();
            self.reference = Some(self.reference == Some(true) || ref_idc(header) != 0);
        }
    }

    fn add(&mut self, nal: Bytes) -> Result<(), Damage> {
        if self.damage.is_none() {
            self.grow(nal.len())?;
            if self.nals.len() == MAX_NALS {
                return Err(Damage::TooLarge);
            }
            self.nals.push(nal);
        }
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Damage> {
        self.bytes += bytes;
        if self.bytes > MAX_PICTURE_BYTES { Err(Damage::TooLarge) } else { Ok(()) }
    }

    /// RFC 6184 section 5.8. A fragment that is first and last at once is forbidden there, but harmless.
    fn add_fragment(&mut self, payload: &[u8]) -> Result<Option<Bytes>, Damage> {
        let [indicator, fu, body @ ..] = payload else { return Err(Damage::Malformed) };
        let header = indicator & payload::IMPORTANCE | fu & payload::TYPE;
        if !matches!(NalType::of_header(header).0, 1..=23) {
            return Err(Damage::Malformed);
        }
        self.see(header);
        if self.damage.is_some() {
            return Ok(None);
        }
        let started = self.fragment.take();
        let mut nal = match (started, fu & payload::FU_START != 0) {
            (None, true) => {
                // A guess: most fragmented pictures of a call take a few packets.
                let mut nal = BytesMut::with_capacity(1 + body.len() * 4);
                nal.put_u8(header);
                nal
            }
            (Some(nal), false) if nal.first() == Some(&header) => nal,
            _ => return Err(Damage::Malformed),
        };
        if nal.len() + body.len() + self.bytes > MAX_PICTURE_BYTES {
            return Err(Damage::TooLarge);
        }
        nal.extend_from_slice(body);
        if fu & payload::FU_END != 0 {
            return Ok(Some(nal.freeze()));
        }
        self.fragment = Some(nal);
        Ok(None)
    }
}
