//! What goes out twice to a peer whose path loses packets.
//!
//! A request to send something again that is lost itself costs a round trip, after which the picture is late for everybody, and
//! so does what is sent again and lost again. Of all that is sent to a peer those are the fewest, so they go out twice. The
//! second is a repetition to SRTP, which drops it (RFC 3711 section 3.3.2).

use std::time::{Duration, Instant};

use str0m::Rtc;

/// From this loss on feedback is repeated: with less, the third try of anything is too rare to be noticed.
const LOSS: f32 = 0.01;

/// For how long after the last loss.
const HOLD: Duration = Duration::from_secs(15);

/// What a peer's path loses.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    feedback_until: Option<Instant>,
    /// Whether what is sent again is repeated.
    resent: bool,
}

impl Repeats {
    /// Of what the peer sends this fraction was lost of late.
    pub(super) fn lost(&mut self, fraction: f32, now: Instant) {
        if fraction >= LOSS {
            self.feedback_until = Some(now + HOLD);
        }
    }

    /// Whether what is sent to the peer is lost by chance, and not because it is too much.
    pub(super) fn viewer_loses(&mut self, by_chance: bool) {
        self.resent = by_chance;
    }

    /// Whether a datagram to the peer goes out twice.
    pub(super) fn repeat(&self, datagram: &[u8], rtc: &Rtc, now: Instant) -> bool {
        match Kind::of(datagram) {
            Kind::Rtcp => self.feedback_until.is_some_and(|until| now < until),
            Kind::Rtp { payload_type } => self.resent && is_retransmission(payload_type, rtc),
            Kind::Other => false,
        }
    }
}

/// Whether packets of this type are what is sent again (RTX, RFC 4588).
fn is_retransmission(payload_type: u8, rtc: &Rtc) -> bool {
    rtc.codec_config().params().iter().any(|codec| codec.resend().is_some_and(|pt| *pt == payload_type))
}

/// What a datagram is (RFC 7983 section 7, RFC 5761 section 4).
enum Kind {
    Rtcp,
    Rtp { payload_type: u8 },
    Other,
}

impl Kind {
    const fn of(datagram: &[u8]) -> Self {
        match datagram {
            [128..=191, 192..=223, ..] => Self::Rtcp,
            [128..=191, second, ..] => Self::Rtp { payload_type: *second & 0x7f },
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use str0m::RtcConfig;

    use super::*;

    const NACK: &[u8] = &[0x81, 205, 0];
    const OTHERS: [&[u8]; 3] = [&[0x80, 0x80 | 111, 0], &[0x16, 0xfe, 0xfd], &[0, 1, 0]];

    fn rtc() -> Rtc {
        RtcConfig::new().clear_codecs().enable_h264(true).build(Instant::now())
    }

    #[test]
    fn feedback_goes_out_twice_where_what_the_peer_sends_is_lost() {
        let (mut repeats, rtc, start) = (Repeats::default(), rtc(), Instant::now());
        repeats.lost(0.005, start);
        assert!(!repeats.repeat(NACK, &rtc, start));
        repeats.lost(0.05, start);
        assert!(repeats.repeat(NACK, &rtc, start));
        for other in OTHERS {
            assert!(!repeats.repeat(other, &rtc, start), "{other:?}");
        }
        repeats.lost(0.0, start + HOLD / 2);
        assert!(!repeats.repeat(NACK, &rtc, start + HOLD));
    }

    #[test]
    fn what_is_sent_again_goes_out_twice_where_it_is_lost_by_chance() {
        let (mut repeats, rtc, start) = (Repeats::default(), rtc(), Instant::now());
        let codec = rtc.codec_config().params().iter().find(|codec| codec.resend().is_some()).unwrap();
        let (first, again) = (*codec.pt(), *codec.resend().unwrap());
        let packet = |payload_type: u8, marker: u8| [0x90, marker | payload_type, 0];
        assert!(!repeats.repeat(&packet(again, 0), &rtc, start));
        repeats.viewer_loses(true);
        assert!(repeats.repeat(&packet(again, 0), &rtc, start));
        assert!(repeats.repeat(&packet(again, 0x80), &rtc, start), "the last packet of a picture");
        assert!(!repeats.repeat(&packet(first, 0), &rtc, start), "what is new");
        assert!(!repeats.repeat(NACK, &rtc, start));
        repeats.viewer_loses(false);
        assert!(!repeats.repeat(&packet(again, 0), &rtc, start));
    }
}
