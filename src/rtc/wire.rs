//! What of a track goes onto the wire: new packets, and those that are sent again.

use std::time::Instant;

/// RTP header, its extensions and the tag of SRTP: what estimates of receivers count, beside the payload.
const OVERHEAD: u64 = 30;

/// What has been sent of a track so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    /// Bytes of payload, those that were sent again included.
    pub(super) bytes: u64,
    /// Packets, likewise.
    pub(super) packets: u64,
}

/// Measures a track between two readings, which come once a second.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// Bytes of payload that were new.
    new: u64,
    last: Option<(Instant, Sent, u64)>,
    rate: u64,
    again: u64,
    packets: u64,
}

impl Wire {
    /// A new packet goes out.
    pub(super) fn write(&mut self, bytes: usize) {
        self.new = self.new.saturating_add(bytes as u64);
    }

    /// So much has gone out by now.
    pub(super) fn read(&mut self, sent: Sent, now: Instant) {
        if let Some((at, before, new)) = self.last.replace((now, sent, self.new)) {
            let millis = now.saturating_duration_since(at).as_millis().max(1);
            let rate = |bytes: u64| u64::try_from(u128::from(bytes) * 8_000 / millis).unwrap_or(u64::MAX);
            let bytes = sent.bytes.saturating_sub(before.bytes);
            let packets = sent.packets.saturating_sub(before.packets);
            self.rate = rate(bytes.saturating_add(packets.saturating_mul(OVERHEAD)));
            self.again = rate(bytes.saturating_sub(self.new.saturating_sub(new)));
            self.packets = packets;
        }
    }

    /// Bit/s between the last two readings, with headers.
    pub(super) const fn rate(&self) -> u64 {
        self.rate
    }

    /// Packets between them.
    pub(super) const fn packets(&self) -> u64 {
        self.packets
    }

    /// Bit/s of that which were sent again.
    pub(super) const fn again(&self) -> u64 {
        self.again
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_sent_again_is_told_from_what_is_new() {
        let (mut wire, start) = (Wire::default(), Instant::now());
        wire.read(Sent::default(), start);
        for _ in 0..100 {
            wire.write(1_000);
        }
        wire.read(Sent { bytes: 125_000, packets: 125 }, start + Duration::from_secs(2));
        assert_eq!((wire.rate(), wire.again()), (515_000, 100_000));
        wire.read(Sent { bytes: 125_000, packets: 125 }, start + Duration::from_secs(3));
        assert_eq!((wire.rate(), wire.again()), (0, 0));
    }
}
