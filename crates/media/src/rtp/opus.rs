//! RTP packets to Opus packets (RFC 7587), with a placeholder for every lost one.

use bytes::Bytes;

use super::Item;
use crate::frame::{OpusPacket, RtpPacket};
use crate::opus::PacketInfo;
use crate::time::{AudioTicks, StreamTime};

/// The most placeholders for one loss. Concealment fades to silence within 100 ms; the rest of a longer loss is told by
/// the time of the next packet alone.
const MAX_PLACEHOLDERS: i64 = 10;

/// The longest packet without sound: its header, and a count of frames (RFC 6716 section 3.2.1).
const MAX_HEADER: usize = 2;

/// Turns what a [`JitterBuffer`](super::JitterBuffer) releases into Opus packets.
///
/// Lost packets become empty ones as long as the last packet before them was, at most ten for one loss. A jump of the
/// timestamp without missing numbers is discontinuous transmission (RFC 7587 section 3.1.3), not loss: nothing stands in
/// its place.
#[derive(Clone, Debug, Default)]
pub struct OpusReceiver {
    last: Option<Last>,
    lost: u64,
    malformed: u64,
}

/// The packet before.
#[derive(Clone, Copy, Debug)]
struct Last {
    samples: AudioTicks,
    /// Whether it has nothing but its header.
    empty: bool,
    /// When it ended, in both clocks.
    rtp_end: AudioTicks,
    end: StreamTime,
}

impl OpusReceiver {
    /// Appends what the next item makes of itself to `out`: nothing, or placeholders and a packet.
    pub fn push(&mut self, item: Item<48_000>, out: &mut Vec<OpusPacket>) {
        match item {
            Item::Packet(packet) => self.push_packet(packet, out),
            Item::Lost { count, .. } => self.lost = self.lost.saturating_add(count),
            Item::Restart => (self.last, self.lost) = (None, 0),
            Item::Doubtful => {}
        }
    }

    /// Where the sound of the latest packet ends, and whether it has nothing but its header: with such a packet an
    /// encoder begins discontinuous transmission.
    #[must_use]
    pub fn latest(&self) -> Option<(StreamTime, bool)> {
        self.last.map(|last| (last.end, last.empty))
    }

    /// Packets that are not Opus. They are treated as lost.
    #[must_use]
    pub const fn malformed(&self) -> u64 {
        self.malformed
    }

    fn push_packet(&mut self, packet: RtpPacket<48_000>, out: &mut Vec<OpusPacket>) {
        // Padding for bandwidth probes: it has a number and nothing else.
        if packet.payload.is_empty() {
            return;
        }
        let Ok(info) = PacketInfo::parse(&packet.payload) else {
            self.malformed += 1;
            self.lost = self.lost.saturating_add(1);
            return;
        };
        let lost = i64::try_from(std::mem::take(&mut self.lost)).unwrap_or(i64::MAX);
        if let Some(last) = self.last {
            stand_in(last, lost, &packet, out);
        }
        let samples = AudioTicks::new(info.samples.into());
        self.last = Some(Last {
            samples,
            empty: packet.payload.len() <= MAX_HEADER,
            rtp_end: packet.rtp_time + samples,
            end: packet.time + samples.rescale(),
        });
        out.push(OpusPacket { time: packet.time, data: Bytes::from_owner(packet.payload) });
    }
}

/// Placeholders for `lost` packets between two others, no more than there is time for. Of a long loss the first ones
/// are given, for concealment, and the last one, which the in-band FEC of `next` may restore.
fn stand_in(last: Last, lost: i64, next: &RtpPacket<48_000>, out: &mut Vec<OpusPacket>) {
    let step = last.samples.get().max(1);
    let room = (next.rtp_time - last.rtp_end).get().saturating_add(step / 2) / step;
    let count = lost.min(room);
    let from_start = if count > MAX_PLACEHOLDERS { MAX_PLACEHOLDERS - 1 } else { count };
    let at_end = (from_start < count).then_some(count - 1);
    for index in (0..from_start).chain(at_end) {
        let offset = AudioTicks::new(index.saturating_mul(step)).rescale();
        let time = (last.end + offset).min(next.time);
        out.push(OpusPacket { time, data: Bytes::new() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 ms of mono CELT.
    const PACKET: &[u8] = &[0xf8, 1, 2, 3];
    const MS: i64 = 48;

    fn packet(seq: u64, ms: i64, payload: &'static [u8]) -> Item<48_000> {
        let rtp_time = AudioTicks::new(ms * MS);
        let time = rtp_time.rescale();
        Item::Packet(RtpPacket { seq, rtp_time, time, marker: false, payload: payload.into() })
    }

    /// The times in ms of what comes out, negative for placeholders less one.
    fn run(items: impl IntoIterator<Item = Item<48_000>>) -> Vec<i64> {
        let mut receiver = OpusReceiver::default();
        let mut out = Vec::new();
        items.into_iter().for_each(|item| receiver.push(item, &mut out));
        let ms = |packet: &OpusPacket| packet.time.get() / 1000;
        out.iter().map(|packet| if packet.data.is_empty() { -ms(packet) - 1 } else { ms(packet) }).collect()
    }

    #[test]
    fn a_lost_packet_becomes_an_empty_one_at_its_time() {
        let times = run([packet(0, 0, PACKET), Item::Lost { first: 1, count: 2 }, packet(3, 60, PACKET)]);
        assert_eq!(times, [0, -21, -41, 60]);
    }

    #[test]
    fn a_packet_of_a_header_alone_announces_a_pause() {
        let mut receiver = OpusReceiver::default();
        let mut latest = |item| {
            receiver.push(item, &mut Vec::new());
            receiver.latest().map(|(end, empty)| (end.get() / 1000, empty))
        };
        assert_eq!(latest(packet(0, 0, PACKET)), Some((20, false)));
        assert_eq!(latest(packet(1, 20, &[0xf8])), Some((40, true)));
        assert_eq!(latest(packet(2, 400, PACKET)), Some((420, false)));
    }

    #[test]
    fn silence_that_is_not_sent_is_not_loss() {
        assert_eq!(
            run([packet(0, 0, PACKET), packet(1, 400, PACKET), packet(2, 420, PACKET)]),
            [0, 400, 420]
        );
    }

    #[test]
    fn a_loss_within_silence_stands_in_for_the_lost_packets_alone() {
        let times = run([packet(0, 0, PACKET), Item::Lost { first: 1, count: 1 }, packet(2, 800, PACKET)]);
        assert_eq!(times, [0, -21, 800]);
    }

    #[test]
    fn a_long_loss_has_ten_placeholders_the_last_next_to_what_follows() {
        let times = run([
            packet(0, 0, PACKET),
            Item::Lost { first: 1, count: 99 },
            packet(100, 2_000, PACKET),
            Item::Lost { first: 101, count: u64::MAX },
            packet(u64::MAX, i64::MAX / 48, PACKET),
        ]);
        assert_eq!(times.len(), 23);
        assert_eq!(times[1..12], [-21, -41, -61, -81, -101, -121, -141, -161, -181, -1981, 2_000]);
    }

    #[test]
    fn no_placeholder_goes_where_there_is_no_time_for_it() {
        let lost = || Item::Lost { first: 1, count: 3 };
        assert_eq!(run([packet(0, 0, PACKET), lost(), packet(4, 20, PACKET)]), [0, 20]);
        assert_eq!(run([packet(0, 0, PACKET), lost(), packet(4, 0, PACKET)]), [0, 0]);
        assert_eq!(run([lost(), packet(4, 80, PACKET)]), [80]);
        assert_eq!(run([packet(0, 0, PACKET), lost(), Item::Restart, packet(4, 80, PACKET)]), [0, 80]);
    }

    #[test]
    fn padding_is_passed_over_and_rubbish_is_concealed() {
        assert_eq!(run([packet(0, 0, PACKET), packet(1, 0, &[]), packet(2, 20, PACKET)]), [0, 20]);
        // Two equal frames in an odd number of bytes.
        let times = run([packet(0, 0, PACKET), packet(1, 20, &[0xf9, 1, 2, 3]), packet(2, 40, PACKET)]);
        assert_eq!(times, [0, -21, 40]);
    }
}
