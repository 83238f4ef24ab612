//! What every picture carries, so that its way can be followed: its number and when it was sent, in an SEI message.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

/// Names the SEI message (H.264 section D.1.7: user data, unregistered).
const NAME: [u8; 16] = *b"queqiao-load-nos";
const NUMBER_DIGITS: usize = 10;
/// Microseconds of eleven days and more.
const TIME_DIGITS: usize = 12;
const DIGITS: usize = NUMBER_DIGITS + TIME_DIGITS;

/// How far into a payload the message is looked for. It comes first in a picture.
const REACH: usize = 512;

/// The number of a picture and when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Counts the pictures of its publisher.
    pub number: u32,
    /// Since the [`Clock`] of its process began.
    sent: Duration,
}

impl Mark {
    /// The mark in an RTP payload or a video tag.
    #[must_use]
    pub fn find(payload: &[u8]) -> Option<Self> {
        let reach = payload.get(..payload.len().min(REACH))?;
        let at = reach.windows(NAME.len()).position(|window| window == NAME)?;
        let digits = std::str::from_utf8(payload.get(at + NAME.len()..)?.get(..DIGITS)?).ok()?;
        let (number, micros) = digits.split_at_checked(NUMBER_DIGITS)?;
        Some(Self { number: number.parse().ok()?, sent: Duration::from_micros(micros.parse().ok()?) })
    }

    /// An SEI NAL unit with the mark in digits, which need no emulation prevention.
    #[must_use]
    pub fn sei(self) -> Bytes {
        const SIZE: u8 = (NAME.len() + DIGITS) as u8;
        let micros = self.sent.as_micros() % 10_u128.pow(TIME_DIGITS as u32);
        let mut nal = BytesMut::with_capacity(4 + usize::from(SIZE));
        nal.put_slice(&[6, 5, SIZE]);
        nal.put_slice(&NAME);
        nal.put_slice(format!("{:0NUMBER_DIGITS$}{micros:0TIME_DIGITS$}", self.number).as_bytes());
        nal.put_u8(0x80);
        nal.freeze()
    }
}

/// The clock of marks. Publishers and players have to share it.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Begins at `now`.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self(now)
    }

    /// The mark of a picture that is sent at `now`.
    #[must_use]
    pub fn mark(&self, number: u32, now: Instant) -> Mark {
        Mark { number, sent: now.saturating_duration_since(self.0) }
    }

    /// How long a picture was on its way when it came at `arrival`.
    #[must_use]
    pub fn age(&self, mark: Mark, arrival: Instant) -> Duration {
        arrival.saturating_duration_since(self.0 + mark.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_again_with_its_age() {
        let start = Instant::now();
        let clock = Clock::new(start);
        let sei = clock.mark(4_000_000_000, start + Duration::from_micros(1_234_567)).sei();
        assert_eq!(usize::from(sei[2]) + 4, sei.len());
        let payload = [&[0x78, 0, 42][..], &sei, &[9; 600]].concat();
        let mark = Mark::find(&payload).unwrap();
        assert_eq!(mark.number, 4_000_000_000);
        assert_eq!(clock.age(mark, start + Duration::from_micros(1_300_000)), Duration::from_micros(65_433));
    }

    #[test]
    fn what_carries_no_whole_mark_has_none() {
        let sei = Clock::new(Instant::now()).mark(1, Instant::now()).sei();
        assert_eq!(Mark::find(&[]), None);
        assert_eq!(Mark::find(&sei[..sei.len() - 2]), None);
        assert_eq!(Mark::find(&[&[0; 600][..], &sei].concat()), None);
        let mut broken = sei.to_vec();
        broken[25] = b'x';
        assert_eq!(Mark::find(&broken), None);
    }
}
