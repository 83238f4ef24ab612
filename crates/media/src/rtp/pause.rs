//! How far to make up sound that does not come.

use std::time::{Duration, Instant};

use crate::time::StreamTime;

/// How long after a packet that announced a pause sound is first made up. Packets behind it may still be on their way.
const AFTER_ANNOUNCEMENT: Duration = Duration::from_millis(60);

/// The same after any other packet. A bad moment of a radio is shorter; sound that is made up takes the place of what
/// comes later.
const AFTER_SILENCE: Duration = Duration::from_millis(400);

/// How often sound is made up then: three packets of 20 ms at once are within the shortest buffer of a player.
const STEP: Duration = Duration::from_millis(60);

/// How far what is made up stays behind the moment, so that the next packet finds its place.
const MARGIN: Duration = Duration::from_millis(60);

/// The longest time without a packet that is bridged. In discontinuous transmission one comes every 400 ms (RFC 7587
/// section 3.1.3); without any the publisher has stopped.
const LONGEST: Duration = Duration::from_secs(1);

/// Follows the packets of a track, and says how far to make up sound while there are none: with discontinuous
/// transmission, and while the network stands still.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pause(Option<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// When the latest packet came, and where its sound ends.
    since: Instant,
    end: StreamTime,
    next: Option<Instant>,
}

impl Pause {
    /// A packet whose sound ends at `end` came. `announces` says that it has nothing but its header, with which encoders
    /// begin a pause.
    pub fn packet(&mut self, now: Instant, end: StreamTime, announces: bool) {
        let wait = if announces { AFTER_ANNOUNCEMENT } else { AFTER_SILENCE };
        self.0 = Some(State { since: now, end, next: now.checked_add(wait) });
    }

    /// When [`poll`](Self::poll) has something to say.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.0.and_then(|state| state.next)
    }

    /// Up to where sound is to be made up now, if it is.
    pub fn poll(&mut self, now: Instant) -> Option<StreamTime> {
        let state = self.0.as_mut()?;
        state.next.filter(|next| now >= *next)?;
        let waited = now.saturating_duration_since(state.since);
        state.next = now.checked_add(STEP).filter(|_| waited < LONGEST);
        let missing = waited.min(LONGEST).saturating_sub(MARGIN);
        Some(state.end + StreamTime::from_duration(missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// How far sound is made up, in ms from the end of the only packet, at each time in ms after it.
    fn made_up(announces: bool) -> Vec<(u64, i64)> {
        let start = Instant::now();
        let mut pause = Pause::default();
        assert_eq!((pause.poll_timeout(), pause.poll(start)), (None, None));
        pause.packet(start, StreamTime::new(7_000_000), announces);
        let mut out = Vec::new();
        while let Some(at) = pause.poll_timeout() {
            assert!(pause.poll(at - ms(1)).is_none());
            let until = pause.poll(at).unwrap() - StreamTime::new(7_000_000);
            out.push((u64::try_from((at - start).as_millis()).unwrap(), until.get() / 1_000));
        }
        out
    }

    #[test]
    fn an_announced_pause_is_made_up_step_by_step_for_a_second() {
        let steps = made_up(true);
        assert_eq!(steps[..3], [(60, 0), (120, 60), (180, 120)]);
        assert_eq!(steps.last().unwrap(), &(1_020, 940));
    }

    #[test]
    fn sound_that_stops_without_a_word_is_waited_for_first() {
        let steps = made_up(false);
        assert_eq!(steps[..2], [(400, 340), (460, 400)]);
        assert_eq!(steps.last().unwrap(), &(1_000, 940));
    }
}
