//! What is kept of a video to be sent again to one peer (RTX, RFC 4588).
//!
//! str0m keeps some 300 bytes for each packet, beside its payload, which peers share. A viewer who joins gets a whole group of
//! pictures at once, so its cache begins large; where nothing is lost it is soon made as small as a second of the video.

use std::time::Duration;

use str0m::Rtc;
use str0m::media::Mid;

use super::wire::Wire;

/// Packets that are kept at most: a second of a 4 Mbit/s video.
const MOST: usize = 512;

/// Packets that are kept at least.
const LEAST: usize = 64;

/// For how long they are kept: three attempts on a link of 300 ms. What comes later is of no use in a conversation.
const AGE: Duration = Duration::from_secs(1);

/// What is sent again at most, as a share of all that is sent: where a quarter of the packets is lost, a quarter is sent again.
const SHARE: f32 = 0.35;

/// So many seconds in a row have to do with half the room and without anything sent again before it is given up: to change the
/// room is to forget what is kept.
const CALM: u8 = 5;

/// The room for one video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    packets: usize,
    /// Seconds in a row without need for this room, and the room that was needed most in them.
    calm: u8,
    needed: usize,
    /// Whether the room has changed: it is made smaller once, because a video whose keyframes are far apart would be forgotten
    /// with each of them.
    settled: bool,
}

impl Default for Kept {
    fn default() -> Self {
        Self { packets: MOST, calm: 0, needed: 0, settled: false }
    }
}

impl Kept {
    /// Makes room for the video that will be sent in the section `mid`. What has been sent in it is not sent again.
    pub(super) fn begin(rtc: &mut Rtc, mid: Mid) -> Self {
        let kept = Self::default();
        kept.forget(rtc, mid);
        kept
    }

    /// What has been sent so far is not sent again.
    pub(super) fn forget(self, rtc: &mut Rtc, mid: Mid) {
        if let Some(stream) = rtc.direct_api().stream_tx_by_mid(mid, None) {
            stream.set_rtx_cache(self.packets, AGE, Some(SHARE));
        }
    }

    /// Takes in what went out in the last second or so. Returns whether the room has changed, and what is kept is to be
    /// [forgotten](Self::forget).
    pub(super) fn fit(&mut self, wire: &Wire) -> bool {
        // As much again as half of it: keyframes come in bursts.
        let needed = usize::try_from(wire.packets().saturating_mul(3) / 2)
            .map_or(MOST, |packets| packets.checked_next_power_of_two().unwrap_or(MOST).clamp(LEAST, MOST));
        let is_calm = !self.settled && needed < self.packets && wire.again() == 0;
        (self.calm, self.needed) =
            if is_calm { (self.calm.saturating_add(1), self.needed.max(needed)) } else { (0, 0) };
        let grows = needed > self.packets;
        let changes = grows || self.calm >= CALM;
        if changes {
            let packets = if grows { needed } else { self.needed };
            *self = Self { packets, settled: true, ..Self::default() };
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::wire::Sent;
    use super::*;

    /// The room of a video after seconds with so many packets, of which so many were sent again.
    fn after(seconds: &[(u64, u64)]) -> (usize, usize) {
        let (mut kept, mut wire, mut now) = (Kept::default(), Wire::default(), Instant::now());
        let mut sent = Sent::default();
        wire.read(sent, now);
        let changes = seconds.iter().filter(|(packets, again)| {
            (0..*packets - *again).for_each(|_| wire.write(1_000));
            sent.packets += packets;
            sent.bytes += packets * 1_000;
            now += Duration::from_secs(1);
            wire.read(sent, now);
            kept.fit(&wire)
        });
        (changes.count(), kept.packets)
    }

    #[test]
    fn a_video_that_is_not_lost_keeps_a_second_after_five() {
        assert_eq!(after(&[(75, 0); 4]), (0, 512));
        assert_eq!(after(&[(75, 0); 60]), (1, 128));
        assert_eq!(after(&[(10, 0); 60]), (1, 64), "keyframes of a still");
    }

    #[test]
    fn one_whose_keyframes_are_far_apart_is_not_forgotten_with_each_of_them() {
        let seconds =
            |gop: usize| (0..60).map(|n| if n % gop == 0 { (120, 0) } else { (20, 0) }).collect::<Vec<_>>();
        assert_eq!(after(&seconds(4)), (1, 256), "the largest of five seconds counts");
        assert_eq!(after(&seconds(10)), (1, 256));
        let late: Vec<_> = [vec![(20, 0); 5], seconds(10)].concat();
        assert_eq!(after(&late), (2, 256), "it grows once");
    }

    #[test]
    fn one_that_is_lost_keeps_what_it_has() {
        assert_eq!(
            after(&[(75, 0), (75, 0), (75, 0), (75, 1), (75, 0), (75, 0), (75, 0), (75, 0)]),
            (0, 512)
        );
    }

    #[test]
    fn one_that_grows_gets_the_room_at_once_and_never_more_than_the_most() {
        assert_eq!(after(&[[(75, 0); 5].as_slice(), &[(100, 0)]].concat()), (2, 256));
        assert_eq!(after(&[(5_000, 0); 60]), (0, 512));
    }
}
