//! Sound for a viewer who loses packets: each carries the ones before it once more (RFC 2198). Retransmission comes too late
//! for sound, and in-band correction needs an encoder that knows of the loss.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_media::frame::RtpPacket;
use queqiao_media::rtp::red::{Redundant, with_redundancy};
use queqiao_media::time::AudioTicks;
use smallvec::SmallVec;

/// From this loss on a packet is carried twice: one in a hundred would be heard.
const ONCE_MORE: f32 = 0.01;

/// From this loss on it is carried three times: two in a row are lost too often.
const TWICE_MORE: f32 = 0.08;

/// For how long after the last loss. A path that has lost packets will lose more.
const HOLD: Duration = Duration::from_secs(15);

/// Packets that are carried once more at most.
const MOST: usize = 2;

/// The most bytes of sound in a packet: with headers it stays below what paths carry in one piece.
const LARGEST: usize = 1_100;

/// What one viewer's sound carries once more.
#[derive(Default)]
pub(super) struct Redundancy {
    depth: usize,
    until: Option<Instant>,
    /// The packets before, the oldest first.
    before: SmallVec<[(AudioTicks, Arc<[u8]>); MOST]>,
}

impl Redundancy {
    /// The viewer reports that it lost this fraction of what was sent to it. A path that is `narrow` loses what is too much,
    /// and redundancy is more of it: it stays small there, and ends with the loss.
    pub(super) fn reported(&mut self, loss: f32, narrow: bool, now: Instant) {
        let depth = match loss {
            loss if loss >= TWICE_MORE => MOST,
            loss if loss >= ONCE_MORE => 1,
            _ => 0,
        };
        let expired = narrow || self.until.is_none_or(|until| until <= now);
        let depth = if narrow { depth.min(1) } else { depth };
        if depth > 0 && (depth >= self.depth || expired) {
            (self.depth, self.until) = (depth, Some(now + HOLD));
        } else if expired {
            (self.depth, self.until) = (0, None);
            self.before.clear();
        }
    }

    /// The path is narrow: what is lost is too much of everything.
    pub(super) fn narrow(&mut self) {
        self.depth = self.depth.min(1);
    }

    /// The payload of a packet with those before it, where the viewer needs them. `pt` is the payload type of all of them.
    pub(super) fn add(&mut self, packet: &RtpPacket<48_000>, pt: u8) -> Option<Arc<[u8]>> {
        if self.depth == 0 {
            return None;
        }
        let mut blocks: SmallVec<[Redundant<'_>; MOST]> = self
            .before
            .iter()
            .filter_map(|(time, payload)| {
                let age = u64::try_from((packet.rtp_time - *time).get()).ok().filter(|age| *age > 0)?;
                Some(Redundant { age, payload })
            })
            .collect();
        let size = |blocks: &[Redundant<'_>]| blocks.iter().map(|block| block.payload.len()).sum::<usize>();
        while !blocks.is_empty() && size(&blocks) + packet.payload.len() > LARGEST {
            blocks.remove(0);
        }
        let payload = Arc::from(with_redundancy(pt, &packet.payload, &blocks));
        drop(blocks);
        self.before.push((packet.rtp_time, Arc::clone(&packet.payload)));
        while self.before.len() > self.depth {
            self.before.remove(0);
        }
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use queqiao_media::time::StreamTime;

    use super::*;

    fn packet(number: u8) -> RtpPacket<48_000> {
        sized(number, 1)
    }

    fn sized(number: u8, bytes: usize) -> RtpPacket<48_000> {
        RtpPacket {
            seq: number.into(),
            rtp_time: AudioTicks::new(i64::from(number) * 960),
            time: StreamTime::ZERO,
            marker: false,
            payload: Arc::from(vec![number; bytes]),
        }
    }

    #[test]
    fn what_would_make_a_packet_too_large_is_not_carried_once_more() {
        let mut redundancy = Redundancy::default();
        redundancy.reported(0.2, false, Instant::now());
        let sizes = (0..4).filter_map(|number| redundancy.add(&sized(number, 500), 111));
        assert_eq!(sizes.map(|payload| payload.len()).collect::<Vec<_>>(), [501, 1_005, 1_005, 1_005]);
    }

    #[test]
    fn sound_carries_more_of_itself_the_more_is_lost_and_stops_after_a_while() {
        let (mut redundancy, start) = (Redundancy::default(), Instant::now());
        assert_eq!(redundancy.add(&packet(1), 111), None);
        redundancy.reported(0.02, false, start);
        let sizes = |redundancy: &mut Redundancy| {
            [2, 3, 4].map(|number| redundancy.add(&packet(number), 111).map_or(0, |payload| payload.len()))
        };
        assert_eq!(sizes(&mut redundancy), [2, 7, 7]);
        redundancy.reported(0.15, false, start);
        redundancy.reported(0.02, false, start + HOLD / 2);
        assert_eq!(sizes(&mut redundancy)[2], 12, "the worst of late counts");
        redundancy.reported(0.0, false, start + HOLD);
        assert_eq!(redundancy.add(&packet(5), 111), None);
    }

    #[test]
    fn on_a_narrow_path_sound_carries_little_of_itself_and_only_while_it_is_lost() {
        let (mut redundancy, start) = (Redundancy::default(), Instant::now());
        redundancy.reported(0.5, false, start);
        redundancy.reported(0.5, true, start);
        let size = |redundancy: &mut Redundancy, number| {
            redundancy.add(&packet(number), 111).map_or(0, |payload| payload.len())
        };
        assert_eq!([1, 2, 3].map(|number| size(&mut redundancy, number)), [2, 7, 7]);
        redundancy.reported(0.0, true, start);
        assert_eq!(size(&mut redundancy, 4), 0);
    }

    #[test]
    fn a_path_that_turns_out_to_be_narrow_gets_each_packet_twice_at_most() {
        let (mut redundancy, start) = (Redundancy::default(), Instant::now());
        redundancy.reported(0.5, false, start);
        redundancy.narrow();
        let sizes = [1, 2, 3].map(|number| redundancy.add(&packet(number), 111).unwrap().len());
        assert_eq!(sizes[1], sizes[2]);
        assert!(sizes[0] < sizes[1]);
    }

    #[test]
    fn a_packet_that_is_late_carries_none_of_those_after_it() {
        let (mut redundancy, start) = (Redundancy::default(), Instant::now());
        redundancy.reported(0.02, false, start);
        redundancy.add(&packet(9), 111);
        assert_eq!(redundancy.add(&packet(8), 111).map(|payload| payload.len()), Some(2));
    }
}
