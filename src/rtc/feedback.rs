//! Feedback to a publisher whose path loses packets.
//!
//! A request to send something again that is lost itself costs a round trip, after which the picture is late for everybody.
//! So what little is sent to such a publisher goes out twice. The second is a repetition to SRTP, which drops it (RFC 3711
//! section 3.3.2).

use std::time::{Duration, Instant};

/// From this loss on: with less, the third try of anything is too rare to be noticed.
const LOSS: f32 = 0.01;

/// For how long after the last loss.
const HOLD: Duration = Duration::from_secs(15);

/// Whether a peer's path loses what it sends.
#[derive(Debug, Default)]
pub(super) struct Feedback {
    until: Option<Instant>,
}

impl Feedback {
    /// Of what the peer sends this fraction was lost of late.
    pub(super) fn lost(&mut self, fraction: f32, now: Instant) {
        if fraction >= LOSS {
            self.until = Some(now + HOLD);
        }
    }

    /// Whether a datagram to the peer goes out twice.
    pub(super) fn repeats(&self, datagram: &[u8], now: Instant) -> bool {
        self.until.is_some_and(|until| now < until) && is_rtcp(datagram)
    }
}

/// Tells RTCP from RTP and everything else on the same port (RFC 7983 section 7, RFC 5761 section 4).
const fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, 192..=223, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NACK: [u8; 3] = [0x81, 205, 0];

    #[test]
    fn only_feedback_goes_out_twice_and_only_where_packets_are_lost() {
        let (mut feedback, start) = (Feedback::default(), Instant::now());
        feedback.lost(0.005, start);
        assert!(!feedback.repeats(&NACK, start));
        feedback.lost(0.05, start);
        assert!(feedback.repeats(&NACK, start));
        for other in [[0x80, 111, 0], [0x80, 0xef, 0], [0x16, 0xfe, 0xfd], [0, 1, 0]] {
            assert!(!feedback.repeats(&other, start), "{other:?}");
        }
        feedback.lost(0.0, start + HOLD / 2);
        assert!(!feedback.repeats(&NACK, start + HOLD));
    }
}
