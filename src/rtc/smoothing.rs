//! How long a viewer should hold its pictures, so that those that are sent again come in time: the playout delay extension
//! (<http://www.webrtc.org/experiments/rtp-hdrext/playout-delay>), which browsers take.
//!
//! A browser that only receives does not know the round trip, and shows pictures as they get whole: one packet in twenty lost
//! makes every fifth picture late. The server knows what a retransmission takes, and sends the sound as much later.

use std::time::{Duration, Instant};

/// From this loss on a path is smoothed, with room for one retransmission.
const SOME: f32 = 0.01;

/// From this loss on there is room for one and a half: of forty pictures one needs a second, which then comes a moment late,
/// and nobody sees that.
const MORE: f32 = 0.03;

/// From this loss on there is room for three: every fourth try fails.
const MUCH: f32 = 0.10;

/// The weight of the latest report: each is of a second, and of few packets.
const WEIGHT: f32 = 0.3;

/// So many reports in a row have to tell of loss: what lasts shorter is a queue that overflows.
const LASTING: u8 = 3;

/// What noticing a loss takes: the next packet after it, which may be of the next picture, and the jitter of both ways.
const NOTICE: Duration = Duration::from_millis(100);

/// The longest delay that smoothness is worth in a conversation.
const LONGEST: Duration = Duration::from_millis(450);

/// How long a browser holds sound that comes out of AAC: packets of 20 ms out of frames of 21 leave two at a time now and
/// then. It gets its pictures to the same delay by itself, but takes a quarter of a minute for it.
const SOUND: Duration = Duration::from_millis(70);

/// How long it holds sound on a path that loses and delays packets: it waits for the redundant ones.
const SOUND_OF_LOSSY: Duration = Duration::from_millis(130);

/// By how much the sound is moved, in percent of the time that passes: as much slower or faster speech is not noticed.
const SOUND_PACE: u32 = 5;

/// For how long after the last loss.
const HOLD: Duration = Duration::from_secs(15);

/// Of the delay that is in force, what it may change by without being told: steps of the extension are 10 ms.
const GRAIN: Duration = Duration::from_millis(20);

/// What one viewer is told.
#[derive(Debug, Default)]
pub(super) struct Smoothing {
    loss: f32,
    /// Reports in a row that told of loss.
    lasted: u8,
    delay: Option<Duration>,
    until: Option<Instant>,
    /// What is told without any loss.
    least: Option<Duration>,
    /// For how long sound is held here, and since when.
    sound: Duration,
    moved: Option<Instant>,
}

impl Smoothing {
    /// The viewer reports that it lost this fraction of a video, and the round trip. A path that is `narrow` has a queue
    /// that makes both larger, and that is another's to empty.
    pub(super) fn reported(&mut self, loss: f32, rtt: Option<Duration>, narrow: bool, now: Instant) {
        self.loss += WEIGHT * (loss - self.loss);
        self.lasted = if loss > 0.0 && !narrow { self.lasted.saturating_add(1) } else { 0 };
        let half_tries = match self.loss {
            loss if loss >= MUCH => 6,
            loss if loss >= MORE => 3,
            loss if loss >= SOME => 2,
            _ => 0,
        };
        let lasting = self.lasted >= LASTING;
        let expired = narrow || self.until.is_some_and(|until| until <= now);
        if let Some(rtt) = rtt.filter(|_| half_tries > 0 && lasting) {
            let needed = (rtt * half_tries / 2 + NOTICE).min(LONGEST);
            let before = self.delay.unwrap_or_default();
            if expired || needed > before + GRAIN {
                self.delay = Some(needed);
            }
            self.until = Some(now + HOLD);
        } else if expired {
            // Told as well: a browser keeps to what it was told last.
            (self.delay, self.until) = (self.delay.map(|_| Duration::ZERO), None);
        }
    }

    /// Whether there is sound, made of AAC, that the pictures are to be seen with.
    pub(super) fn accompany(&mut self, sound: bool) {
        // Told as well when the sound ends.
        self.least = if sound { Some(SOUND) } else { self.least.map(|_| Duration::ZERO) };
    }

    /// The least delay to tell with the next packet; none where nothing has to be told.
    pub(super) fn delay(&self) -> Option<Duration> {
        self.delay.max(self.least)
    }

    /// Whether the path has lost packets of late, other than by a queue that overflows.
    pub(super) const fn is_lossy(&self) -> bool {
        self.until.is_some()
    }

    /// For how long to hold sound before it is sent, so that it is heard with pictures that are held. A browser does so by
    /// itself, but takes a quarter of a minute for it.
    pub(super) fn sound(&mut self, now: Instant) -> Duration {
        let target = self.delay.unwrap_or_default().saturating_sub(SOUND_OF_LOSSY);
        let since = self.moved.replace(now).unwrap_or(now);
        if self.sound != target {
            let most = now.saturating_duration_since(since) * SOUND_PACE / 100;
            self.sound = target.clamp(self.sound.saturating_sub(most), self.sound + most);
        }
        self.sound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Option<Duration> = Some(Duration::from_millis(100));

    #[test]
    fn pictures_are_held_for_as_many_retransmissions_as_the_loss_needs() {
        let (mut smoothing, now) = (Smoothing::default(), Instant::now());
        let mut told = |loss, rtt| {
            (0..10).for_each(|_| smoothing.reported(loss, rtt, false, now));
            smoothing.delay().map(|delay| delay.as_millis())
        };
        assert_eq!(told(0.0, RTT), None);
        assert_eq!(told(0.02, None), None, "the round trip is not known");
        assert_eq!(told(0.02, RTT), Some(200));
        assert_eq!(told(0.05, RTT), Some(250));
        assert_eq!(told(0.15, RTT), Some(400));
        assert_eq!(told(0.02, RTT), Some(400), "the worst of late counts");
        assert_eq!(told(0.15, RTT.map(|rtt| rtt * 3)), Some(450), "and no longer than a conversation bears");
    }

    #[test]
    fn sound_follows_the_pictures_unnoticed() {
        let (mut smoothing, start) = (Smoothing::default(), Instant::now());
        (0..10).for_each(|_| smoothing.reported(0.02, RTT, false, start));
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut held = |millis: u64| smoothing.sound(at(millis)).as_millis();
        assert_eq!([0, 20, 1_000, 1_400, 9_000].map(&mut held), [0, 1, 50, 70, 70]);
        smoothing.reported(0.3, RTT, true, at(9_000));
        let mut held = |millis: u64| smoothing.sound(at(millis)).as_millis();
        assert_eq!([10_000, 20_000].map(&mut held), [20, 0]);
    }

    #[test]
    fn a_path_that_is_good_again_is_told_so_and_a_narrow_one_is_not_smoothed() {
        let (mut smoothing, start) = (Smoothing::default(), Instant::now());
        smoothing.reported(0.3, RTT, true, start);
        assert_eq!(smoothing.delay(), None);
        (0..2).for_each(|_| smoothing.reported(0.05, RTT, false, start));
        assert_eq!(smoothing.delay(), None, "it may be a queue that overflows");
        assert!(!smoothing.is_lossy());
        smoothing.reported(0.05, RTT, false, start);
        assert_eq!(smoothing.delay(), Some(Duration::from_millis(250)));
        assert!(smoothing.is_lossy());
        (0..20).for_each(|_| smoothing.reported(0.0, RTT, false, start + HOLD / 2));
        assert_eq!(smoothing.delay(), Some(Duration::from_millis(250)));
        smoothing.reported(0.0, RTT, false, start + HOLD * 2);
        assert_eq!(smoothing.delay(), Some(Duration::ZERO));
        (0..3).for_each(|_| smoothing.reported(0.05, RTT, false, start + HOLD * 2));
        assert_eq!(smoothing.delay(), Some(Duration::from_millis(250)));
        smoothing.reported(0.3, RTT, true, start + HOLD * 2);
        assert_eq!(smoothing.delay(), Some(Duration::ZERO));
        assert!(!smoothing.is_lossy());
    }
}
