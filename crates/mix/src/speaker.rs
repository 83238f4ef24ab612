//! Who is speaking.

use std::collections::BTreeMap;

use queqiao_media::time::StreamTime;

use crate::mixer::Owner;

/// Who speaks for at least this long is the speaker: short enough for "yes", longer than a cough or a door.
const LEAD: StreamTime = StreamTime::new(250_000);

/// How long somebody stays the speaker at least: pictures that change faster are a nuisance.
pub const MIN_HOLD: StreamTime = StreamTime::new(1_500_000);

/// The mean square of a voice that is taken for one: -46 dB of full scale, above what microphones hear of a quiet room.
const VOICE: f32 = 2.5e-5;

/// How much louder than the speaker somebody has to be to take over while both talk: 6 dB.
const LOUDER: f32 = 4.0;

/// The part of a block's loudness that goes into the estimate while it rises, and while it falls: 40 ms and 400 ms.
const ATTACK: f32 = 0.4;
const RELEASE: f32 = 0.05;

/// Finds who is speaking by how loud everybody is.
#[derive(Debug, Default)]
pub struct Detector {
    loudness: BTreeMap<Owner, f32>,
    current: Option<Owner>,
    previous: Option<Owner>,
    since: StreamTime,
    /// Who would take over, and since when.
    challenger: Option<(Owner, StreamTime)>,
}

impl Detector {
    /// Takes the mean square of everybody's block at `now`. Who is not named is gone.
    pub fn observe(&mut self, now: StreamTime, blocks: &BTreeMap<Owner, f32>) {
        self.loudness.retain(|owner, _| blocks.contains_key(owner));
        for (owner, power) in blocks {
            let loudness = self.loudness.entry(*owner).or_default();
            *loudness += (power - *loudness) * if power > loudness { ATTACK } else { RELEASE };
        }
        self.previous = self.previous.filter(|owner| blocks.contains_key(owner));
        if self.current.is_some_and(|owner| !blocks.contains_key(&owner)) {
            (self.current, self.previous) = (self.previous, None);
            self.since = now;
        }
        self.decide(now);
    }

    fn decide(&mut self, now: StreamTime) {
        let of = |owner: Owner| self.loudness.get(&owner).copied().unwrap_or_default();
        let needed = self.current.map_or(VOICE, |owner| match of(owner) {
            quiet if quiet < VOICE => VOICE,
            speaking => speaking * LOUDER,
        });
        let loudest = self
            .loudness
            .iter()
            .filter(|(owner, loudness)| Some(**owner) != self.current && **loudness >= needed)
            .max_by(|one, other| one.1.total_cmp(other.1));
        let Some((&owner, _)) = loudest else {
            self.challenger = None;
            return;
        };
        let since = match self.challenger {
            Some((challenger, since)) if challenger == owner => since,
            _ => now,
        };
        self.challenger = Some((owner, since));
        let held = self.current.is_none() || now - self.since >= MIN_HOLD;
        if held && now - since >= LEAD {
            self.previous = self.current;
            self.current = Some(owner);
            (self.since, self.challenger) = (now, None);
        }
    }

    /// Who speaks, or spoke last.
    #[must_use]
    pub const fn current(&self) -> Option<Owner> {
        self.current
    }

    /// Who spoke before that: what a speaker sees.
    #[must_use]
    pub const fn previous(&self) -> Option<Owner> {
        self.previous
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOUD: f32 = 1e-2;
    const QUIET: f32 = 1e-8;

    struct Room(Detector, i64);

    impl Room {
        /// So many milliseconds in which each is as loud as told. Returns how often the speaker changed.
        fn talk(&mut self, millis: i64, levels: &[(u64, f32)]) -> usize {
            let blocks: BTreeMap<_, _> =
                levels.iter().map(|(owner, power)| (Owner(*owner), *power)).collect();
            let mut changes = 0;
            for _ in 0..millis / 20 {
                self.1 += 20_000;
                let before = self.0.current();
                self.0.observe(StreamTime::new(self.1), &blocks);
                changes += usize::from(self.0.current() != before);
            }
            changes
        }

        fn speaker(&self) -> Option<u64> {
            self.0.current().map(|owner| owner.0)
        }
    }

    fn room() -> Room {
        Room(Detector::default(), 0)
    }

    #[test]
    fn who_speaks_becomes_the_speaker_and_stays_it_when_nobody_does() {
        let mut room = room();
        room.talk(1_000, &[(1, QUIET), (2, QUIET)]);
        assert_eq!(room.speaker(), None);
        room.talk(400, &[(1, QUIET), (2, LOUD)]);
        assert_eq!(room.speaker(), Some(2));
        room.talk(10_000, &[(1, QUIET), (2, QUIET)]);
        assert_eq!(room.speaker(), Some(2));
        room.talk(400, &[(1, LOUD), (2, QUIET)]);
        assert_eq!((room.speaker(), room.0.previous()), (Some(1), Some(Owner(2))));
    }

    #[test]
    fn a_cough_does_not_change_the_speaker() {
        let mut room = room();
        room.talk(3_000, &[(1, LOUD), (2, QUIET)]);
        assert_eq!(room.talk(160, &[(1, QUIET), (2, LOUD)]), 0);
        assert_eq!(room.talk(3_000, &[(1, LOUD), (2, QUIET)]), 0);
    }

    #[test]
    fn two_who_talk_at_once_do_not_take_turns() {
        let mut room = room();
        room.talk(3_000, &[(1, LOUD), (2, QUIET)]);
        assert_eq!(room.talk(20_000, &[(1, LOUD), (2, LOUD * 2.0)]), 0);
        assert_eq!(room.talk(1_000, &[(1, LOUD), (2, LOUD * 8.0)]), 1);
    }

    #[test]
    fn the_speaker_stays_for_a_while_however_lively_the_talk_is() {
        let mut room = room();
        let mut changes = 0;
        for turn in 0..60 {
            let (one, other) = if turn % 2 == 0 { (LOUD, QUIET) } else { (QUIET, LOUD) };
            changes += room.talk(500, &[(1, one), (2, other)]);
        }
        assert!(changes <= 20, "{changes} in 30 s");
    }

    #[test]
    fn a_speaker_who_leaves_gives_way_at_once() {
        let mut room = room();
        room.talk(2_000, &[(1, LOUD), (2, QUIET), (3, QUIET)]);
        room.talk(2_000, &[(1, QUIET), (2, LOUD), (3, QUIET)]);
        room.talk(20, &[(1, QUIET), (3, QUIET)]);
        assert_eq!(room.speaker(), Some(1));
        room.talk(20, &[(3, QUIET)]);
        assert_eq!(room.speaker(), None);
    }
}
