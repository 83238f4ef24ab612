//! What the clear headers of encrypted packets tell (RFC 3711 encrypts payloads alone): loss and jitter of every stream
//! that a connection receives, without a key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::histogram::Histogram;
use crate::window::{Stage, Window};

/// The fixed part of an RTP header (RFC 3550 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// The source.
    pub ssrc: u32,
    /// The packet's number.
    pub sequence: u16,
    /// When its content was sampled.
    pub timestamp: u32,
}

impl RtpHeader {
    /// None if the datagram is not RTP, but RTCP, STUN or DTLS (RFC 7983, RFC 5761 section 4).
    #[must_use]
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let (header, _) = datagram.split_first_chunk::<12>()?;
        let [first, second, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *header;
        if first >> 6 != 2 || (192..224).contains(&second) {
            return None;
        }
        Some(Self {
            ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        })
    }
}

/// Packets that were expected and that came (RFC 3550 appendix A.3), from the last [`Self::restart`] on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sequence {
    /// The first and the highest number expected, with wraps counted.
    span: Option<(u64, u64)>,
    received: u64,
}

impl Sequence {
    /// Counts a packet. Those from before the restart that come late do not count.
    pub fn push(&mut self, sequence: u16) {
        let Some((first, highest)) = self.span else {
            // Some room below, so that what comes out of order at the beginning has a number.
            let start = 0x1_0000 + u64::from(sequence);
            self.span = Some((start, start));
            self.received = 1;
            return;
        };
        #[allow(clippy::cast_possible_truncation)]
        let ahead = sequence.wrapping_sub(highest as u16).cast_signed();
        let number = highest.saturating_add_signed(i64::from(ahead));
        if number >= first {
            self.span = Some((first, highest.max(number)));
            self.received += 1;
        }
    }

    /// Expects what follows the highest number so far, and has nothing of it.
    pub fn restart(&mut self) {
        if let Some((first, highest)) = &mut self.span {
            *first = *highest + 1;
        }
        self.received = 0;
    }

    /// How many packets were sent, as far as is known.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.span.map_or(0, |(first, highest)| (highest + 1).saturating_sub(first))
    }

    /// How many came. One that comes twice counts twice.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// How many did not come.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received)
    }
}

/// Interarrival jitter (RFC 3550 section 6.4.1 and appendix A.8).
#[derive(Clone, Copy, Debug, Default)]
pub struct Jitter {
    last: Option<(Instant, u32)>,
    seconds: f64,
}

impl Jitter {
    /// Takes the arrival of a packet whose timestamp counts `rate` in a second.
    pub fn push(&mut self, arrival: Instant, timestamp: u32, rate: u32) {
        if let Some((before, was)) = self.last.replace((arrival, timestamp)) {
            let media = f64::from(timestamp.wrapping_sub(was).cast_signed()) / f64::from(rate);
            let passed = arrival.saturating_duration_since(before).as_secs_f64()
                - before.saturating_duration_since(arrival).as_secs_f64();
            self.seconds += ((passed - media).abs() - self.seconds) / 16.0;
        }
    }

    /// The estimate.
    #[must_use]
    pub fn get(&self) -> Duration {
        Duration::try_from_secs_f64(self.seconds).unwrap_or_default()
    }
}

/// What is done with the packets of a stream besides counting them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// They are decrypted, and their content is looked at.
    Read,
    /// They are dropped.
    Count,
}

struct Track {
    rate: u32,
    treatment: Treatment,
    sequence: Sequence,
    jitter: Jitter,
}

enum Source {
    Track(Box<Track>),
    /// Retransmissions of the track with this SSRC (RFC 4588).
    Repair(u32),
}

/// What one connection received while it was measured.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Packets of media, without those that were sent again.
    pub packets: u64,
    /// Packets that did not come at first, whether or not they were sent again.
    pub lost: u64,
    /// Packets that were sent again.
    pub repairs: u64,
    /// Tracks of which packets came.
    pub tracks: u64,
    /// Tracks that were expected and of which nothing came.
    pub silent: u64,
    /// The jitter of each track at the end.
    pub jitter: Histogram,
}

/// Counts all packets of one connection. Those of tracks that it has not been told of are to be read.
pub struct Tally {
    window: Arc<Window>,
    stage: Stage,
    sources: HashMap<u32, Source>,
    repairs: u64,
}

impl Tally {
    /// Counts while `window` is open.
    #[must_use]
    pub fn new(window: Arc<Window>) -> Self {
        Self { window, stage: Stage::Before, sources: HashMap::new(), repairs: 0 }
    }

    /// Expects a track whose timestamps count `rate` in a second. One that is known goes on.
    pub fn expect(&mut self, ssrc: u32, repair: Option<u32>, rate: u32) {
        self.sources.entry(ssrc).or_insert_with(|| {
            let (sequence, jitter) = (Sequence::default(), Jitter::default());
            Source::Track(Box::new(Track { rate, treatment: Treatment::Read, sequence, jitter }))
        });
        if let Some(repair) = repair {
            self.sources.insert(repair, Source::Repair(ssrc));
        }
    }

    /// Looks no longer into the packets of a track.
    pub fn only_count(&mut self, ssrc: u32) {
        if let Some(Source::Track(track)) = self.sources.get_mut(&ssrc) {
            track.treatment = Treatment::Count;
        }
    }

    /// To be called before packets are taken: looks whether the measurement has begun or ended.
    pub fn look_at_window(&mut self) {
        let stage = self.window.stage();
        if stage != self.stage && stage == Stage::Open {
            self.repairs = 0;
            for source in self.sources.values_mut() {
                if let Source::Track(track) = source {
                    track.sequence.restart();
                    track.jitter = Jitter::default();
                }
            }
        }
        self.stage = stage;
    }

    /// Counts a packet, and says what to do with it.
    pub fn packet(&mut self, header: &RtpHeader, arrival: Instant) -> Treatment {
        match self.sources.get_mut(&header.ssrc) {
            None => Treatment::Read,
            Some(Source::Track(track)) => {
                if self.stage != Stage::Over {
                    track.sequence.push(header.sequence);
                    track.jitter.push(arrival, header.timestamp, track.rate);
                }
                track.treatment
            }
            Some(Source::Repair(main)) => {
                let main = *main;
                self.repairs += u64::from(self.stage != Stage::Over);
                match self.sources.get(&main) {
                    Some(Source::Track(track)) => track.treatment,
                    Some(Source::Repair(_)) | None => Treatment::Count,
                }
            }
        }
    }

    /// What came in while the window was open.
    #[must_use]
    pub fn received(&self) -> Received {
        let mut all = Received { repairs: self.repairs, ..Received::default() };
        for source in self.sources.values() {
            let Source::Track(track) = source else { continue };
            if track.sequence.received() > 0 {
                all.tracks += 1;
                all.jitter.push(track.jitter.get());
            } else {
                all.silent += 1;
            }
            all.packets += track.sequence.received();
            all.lost += track.sequence.lost();
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(ssrc: u32, sequence: u16) -> RtpHeader {
        RtpHeader { ssrc, sequence, timestamp: u32::from(sequence) * 960 }
    }

    #[test]
    fn a_header_is_read_and_what_is_no_rtp_is_left_alone() {
        let packet = [0x90, 0xec, 1, 2, 0, 0, 3, 4, 0, 0, 0, 9, 0xbe, 0xde];
        assert_eq!(RtpHeader::parse(&packet), Some(RtpHeader { ssrc: 9, sequence: 0x102, timestamp: 0x304 }));
        let mut rtcp = packet;
        rtcp[1] = 200;
        assert_eq!(RtpHeader::parse(&rtcp), None);
        let mut stun = packet;
        stun[0] = 0;
        assert_eq!(RtpHeader::parse(&stun), None);
        assert_eq!(RtpHeader::parse(&packet[..11]), None);
    }

    #[test]
    fn gaps_are_losses_and_late_packets_fill_them() {
        let mut sequence = Sequence::default();
        for number in [65_533, 65_534, 0, 1, 4] {
            sequence.push(number);
        }
        assert_eq!((sequence.expected(), sequence.received(), sequence.lost()), (8, 5, 3));
        sequence.push(65_535);
        sequence.push(3);
        assert_eq!(sequence.lost(), 1);
    }

    #[test]
    fn what_is_from_before_a_restart_does_not_count_when_it_comes_after_it() {
        let mut sequence = Sequence::default();
        for number in [10, 11, 13] {
            sequence.push(number);
        }
        sequence.restart();
        assert_eq!((sequence.expected(), sequence.lost()), (0, 0));
        for number in [12, 14, 16] {
            sequence.push(number);
        }
        assert_eq!((sequence.expected(), sequence.received(), sequence.lost()), (3, 2, 1));
    }

    #[test]
    fn an_even_pace_has_no_jitter_and_an_uneven_one_has() {
        let start = Instant::now();
        let mut even = Jitter::default();
        let mut uneven = Jitter::default();
        for packet in 0..200_u32 {
            let due = start + Duration::from_millis(20) * packet;
            let timestamp = (packet * 960).wrapping_sub(5000);
            even.push(due, timestamp, 48_000);
            let late = Duration::from_millis(if packet % 2 == 0 { 0 } else { 8 });
            uneven.push(due + late, timestamp, 48_000);
        }
        assert!(even.get() < Duration::from_micros(1), "{:?}", even.get());
        assert!((7_500..8_100).contains(&uneven.get().as_micros()), "{:?}", uneven.get());
    }

    #[test]
    fn only_what_comes_while_the_window_is_open_is_reported() {
        let window = Arc::new(Window::default());
        let mut tally = Tally::new(Arc::clone(&window));
        let now = Instant::now();
        let take = |tally: &mut Tally, ssrc, numbers: &[u16]| {
            tally.look_at_window();
            for number in numbers {
                tally.packet(&header(ssrc, *number), now);
            }
        };
        tally.expect(7, Some(8), 48_000);
        take(&mut tally, 7, &[1, 2, 5]);
        take(&mut tally, 8, &[1]);
        window.open();
        take(&mut tally, 7, &[6, 8]);
        take(&mut tally, 8, &[2]);
        window.close();
        take(&mut tally, 7, &[12]);
        take(&mut tally, 8, &[3]);
        let received = tally.received();
        assert_eq!((received.packets, received.lost, received.repairs), (2, 1, 1));
        assert_eq!((received.tracks, received.silent), (1, 0));
    }

    #[test]
    fn a_track_is_read_until_it_is_only_counted_and_so_are_its_repairs() {
        let mut tally = Tally::new(Arc::default());
        let now = Instant::now();
        tally.expect(7, Some(8), 90_000);
        for ssrc in [7, 8, 9] {
            assert_eq!(tally.packet(&header(ssrc, 1), now), Treatment::Read, "{ssrc}");
        }
        tally.only_count(7);
        tally.expect(7, Some(8), 90_000);
        for ssrc in [7, 8] {
            assert_eq!(tally.packet(&header(ssrc, 2), now), Treatment::Count, "{ssrc}");
        }
        assert_eq!(tally.packet(&header(9, 2), now), Treatment::Read, "nobody spoke of it");
    }
}
