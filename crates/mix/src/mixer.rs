//! The mix of a room, and the mixes without one voice for those whose voice it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use queqiao_media::time::StreamTime;

use crate::limiter::Limiter;
use crate::playout::Playout;
use crate::speaker::Detector;
use crate::{BLOCK, Error};

/// The most tracks of one mixer: cameras and screens of the largest rooms in which more than a few have a microphone.
pub const MAX_INPUTS: usize = 64;

/// How many tracks are heard at once. Nobody understands more voices than that, and every one costs a mix of its own.
pub const MAX_MIXED: usize = 8;

/// Blocks before the present one that are kept of each mix: what an encoder needs to go on with it seamlessly.
pub const PRIMING: usize = 3;

/// The mean square from which on a track is heard: -60 dB of full scale. Below it there is no more than noise.
const AUDIBLE: f32 = 1e-6;

/// Blocks for which a track stays in the mix after it was heard last, half a second: voices have pauses.
const HOLD: u32 = 24;

/// Blocks for which a mix is kept after the voice that it lacks was mixed last. With this many, both have the same past.
const LINGER: u32 = 12;

/// How much louder a track must be than one that is mixed to take its place: 6 dB.
const LOUDER: f32 = 4.0;

/// The part of a block's mean square that goes into the loudness of its track: 200 ms.
const SMOOTHING: f32 = 0.1;

/// Samples in which a track comes into the mix or goes out of it.
const RAMP: usize = 128;

/// A track of the mixer's, numbered by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Track(pub u64);

/// Whose track it is, numbered by the caller. Nobody hears tracks of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u64);

/// What a track is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A microphone: its owner may be the speaker.
    Voice,
    /// The sound of a shared screen.
    Program,
}

/// One of the mixes that there are at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Everybody.
    All,
    /// Everybody but one.
    Without(Owner),
}

/// The present block of a mix.
#[derive(Debug)]
pub struct Rendered<'a> {
    /// Its samples.
    pub block: &'a [f32; BLOCK],
    /// The blocks before it, the oldest first.
    pub earlier: Vec<&'a [f32; BLOCK]>,
    /// For how many blocks there has been silence, this one included.
    pub silent_for: u64,
}

#[derive(Debug)]
struct Slot {
    owner: Owner,
    what: Use,
    playout: Playout,
    leaving: bool,
    block: Box<[f32; BLOCK]>,
    loudness: f32,
    power: f32,
    /// Blocks for which it stays audible.
    audible_for: u32,
    mixed: bool,
}

#[derive(Clone, Debug)]
struct Mix {
    limiter: Limiter,
    /// The latest last.
    blocks: VecDeque<Box<[f32; BLOCK]>>,
    silent_for: u64,
}

impl Default for Mix {
    fn default() -> Self {
        let blocks = std::iter::repeat_with(|| Box::new([0.0; BLOCK])).take(PRIMING + 1).collect();
        Self { limiter: Limiter::default(), blocks, silent_for: u64::from(u32::MAX) }
    }
}

/// The mixer of one room.
///
/// The loudest [`MAX_MIXED`] tracks are heard. There is one mix of them all, and for each owner who is heard one without
/// its own tracks, as long as it is heard and a little longer: everybody else would hear the same as [`Lane::All`].
#[derive(Debug, Default)]
pub struct Mixer {
    slots: BTreeMap<Track, Slot>,
    all: Mix,
    without: BTreeMap<Owner, (Mix, u32)>,
    detector: Detector,
}

impl Mixer {
    /// Takes a track in. One that is there already stays as it is.
    ///
    /// # Errors
    /// [`Error::TooManyTracks`].
    pub fn add(&mut self, track: Track, owner: Owner, what: Use) -> Result<(), Error> {
        if self.slots.get(&track).is_some_and(|slot| !slot.leaving) {
            return Ok(());
        }
        if self.slots.len() >= MAX_INPUTS {
            return Err(Error::TooManyTracks { limit: MAX_INPUTS });
        }
        let slot = Slot {
            owner,
            what,
            playout: Playout::default(),
            leaving: false,
            block: Box::new([0.0; BLOCK]),
            loudness: 0.0,
            power: 0.0,
            audible_for: 0,
            mixed: false,
        };
        self.slots.insert(track, slot);
        Ok(())
    }

    /// Lets a track go. What is heard of it dies away.
    pub fn remove(&mut self, track: Track) {
        if let Some(slot) = self.slots.get_mut(&track) {
            slot.leaving = true;
            slot.playout.stop();
        }
    }

    /// A track's playout buffer, to be given its sound.
    pub fn playout(&mut self, track: Track) -> Option<&mut Playout> {
        self.slots.get_mut(&track).filter(|slot| !slot.leaving).map(|slot| &mut slot.playout)
    }

    /// When what is stamped `time` on a track's timeline is heard on the mixer's.
    #[must_use]
    pub fn heard_at(&self, track: Track, time: StreamTime) -> Option<StreamTime> {
        self.slots.get(&track)?.playout.heard_at(time)
    }

    /// Makes the block that is heard at `now`, of every mix. `now` advances by one block from call to call.
    pub fn tick(&mut self, now: StreamTime) {
        for slot in self.slots.values_mut() {
            slot.playout.pull(now, &mut slot.block);
            #[allow(clippy::cast_precision_loss)] // 1024
            let power = slot.block.iter().map(|sample| sample * sample).sum::<f32>() / BLOCK as f32;
            slot.power = power;
            slot.loudness += (power - slot.loudness) * SMOOTHING;
            slot.audible_for = if power > AUDIBLE { HOLD } else { slot.audible_for.saturating_sub(1) };
        }
        let heard = self.choose();
        self.slots.retain(|_, slot| !slot.leaving || slot.mixed || !slot.playout.is_silent());
        self.open_lanes(&heard);
        render(&mut self.all, &self.slots, None);
        for (owner, (mix, _)) in &mut self.without {
            render(mix, &self.slots, Some(*owner));
        }
        let mut voices = BTreeMap::<Owner, f32>::new();
        for slot in self.slots.values().filter(|slot| slot.what == Use::Voice && !slot.leaving) {
            *voices.entry(slot.owner).or_default() += slot.power;
        }
        self.detector.observe(now, &voices);
    }

    /// The mix that somebody hears: who has no tracks, or is not heard, hears all.
    #[must_use]
    pub fn lane(&self, listener: Owner) -> Lane {
        if self.without.contains_key(&listener) { Lane::Without(listener) } else { Lane::All }
    }

    /// The present block of a mix; none if there is no such mix at present.
    #[must_use]
    pub fn rendered(&self, lane: Lane) -> Option<Rendered<'_>> {
        let mix = match lane {
            Lane::All => &self.all,
            Lane::Without(owner) => &self.without.get(&owner)?.0,
        };
        let mut earlier: Vec<_> = mix.blocks.iter().map(|block| &**block).collect();
        Some(Rendered { block: earlier.pop()?, earlier, silent_for: mix.silent_for })
    }

    /// Who is speaking.
    #[must_use]
    pub const fn speakers(&self) -> &Detector {
        &self.detector
    }

    /// Chooses what is heard, and lets it come and go without a click. Returns whose voices those are.
    fn choose(&mut self) -> BTreeSet<Owner> {
        let mut audible: Vec<(f32, Track)> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.audible_for > 0)
            .map(|(track, slot)| {
                let rank = slot.loudness.max(slot.power * SMOOTHING);
                (if slot.mixed { rank * LOUDER } else { rank }, *track)
            })
            .collect();
        audible.sort_unstable_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        audible.truncate(MAX_MIXED);
        let mut heard = BTreeSet::new();
        for (track, slot) in &mut self.slots {
            let wanted = audible.iter().any(|(_, chosen)| chosen == track);
            match (slot.mixed, wanted) {
                (false, true) => ramp(&mut slot.block, |part| part),
                (true, false) => ramp(&mut slot.block, |part| 1.0 - part),
                (true, true) => {}
                (false, false) => {
                    slot.block.fill(0.0);
                    continue;
                }
            }
            if !wanted {
                slot.block.get_mut(RAMP..).unwrap_or_default().fill(0.0);
            }
            slot.mixed = wanted;
            heard.insert(slot.owner);
        }
        heard
    }

    /// A mix of its own begins as a copy of the one that its listener heard until now.
    fn open_lanes(&mut self, heard: &BTreeSet<Owner>) {
        for owner in heard {
            let all = &self.all;
            self.without.entry(*owner).or_insert_with(|| (all.clone(), LINGER)).1 = LINGER;
        }
        self.without.retain(|_, (_, left)| {
            *left = left.saturating_sub(1);
            *left > 0
        });
    }
}

fn ramp(block: &mut [f32; BLOCK], gain: impl Fn(f32) -> f32) {
    for (index, sample) in block.iter_mut().take(RAMP).enumerate() {
        #[allow(clippy::cast_precision_loss)] // at most RAMP
        let part = index as f32 / RAMP as f32;
        *sample *= gain(part);
    }
}

fn render(mix: &mut Mix, slots: &BTreeMap<Track, Slot>, without: Option<Owner>) {
    let Some(mut block) = mix.blocks.pop_front() else { return };
    block.fill(0.0);
    for slot in slots.values().filter(|slot| Some(slot.owner) != without) {
        for (sum, sample) in block.iter_mut().zip(slot.block.iter()) {
            *sum += sample;
        }
    }
    let silent = mix.limiter.process(&mut block);
    mix.silent_for = if silent { mix.silent_for.saturating_add(1) } else { 0 };
    mix.blocks.push_back(block);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_time;
    use crate::testing::{amplitude, steepest, tone};

    /// A room in which owner `n` says a tone of `n` times 200 Hz, on track `n`.
    struct Room {
        mixer: Mixer,
        blocks: u64,
    }

    fn hz(owner: u64) -> f32 {
        200.0 * owner as f32
    }

    impl Room {
        fn new(owners: u64) -> Self {
            let mut mixer = Mixer::default();
            for owner in 1..=owners {
                mixer.add(Track(owner), Owner(owner), Use::Voice).unwrap();
            }
            Self { mixer, blocks: 0 }
        }

        /// Each as loud as told, for so many blocks; gives every block to `each`.
        fn talk(&mut self, blocks: u64, gains: &[(u64, f32)], mut each: impl FnMut(&Mixer)) {
            for _ in 0..blocks {
                let now = block_time(self.blocks);
                for (owner, gain) in gains {
                    let Some(playout) = self.mixer.playout(Track(*owner)) else { continue };
                    let start = i64::try_from(self.blocks).unwrap() * BLOCK as i64;
                    let sound: Vec<f32> =
                        (start..start + BLOCK as i64).map(|index| gain * tone(hz(*owner), index)).collect();
                    playout.push(now, now, &sound);
                }
                self.mixer.tick(now);
                each(&self.mixer);
                self.blocks += 1;
            }
        }

        /// How loud every owner is in a mix, over 20 blocks.
        fn heard(&mut self, lane: Lane, gains: &[(u64, f32)]) -> Vec<f32> {
            let mut sound = Vec::new();
            self.talk(20, gains, |mixer| sound.extend(mixer.rendered(lane).unwrap().block));
            gains.iter().map(|(owner, _)| amplitude(&sound, hz(*owner))).collect()
        }
    }

    fn near(heard: &[f32], expected: &[f32]) -> bool {
        heard.iter().zip(expected).all(|(heard, expected)| (heard - expected).abs() < 0.02)
    }

    #[test]
    fn everybody_hears_the_others_and_nobody_hears_oneself() {
        let mut room = Room::new(4);
        let all = [(1, 1.0), (2, 1.0), (3, 1.0), (4, 0.0)];
        room.talk(60, &all, |_| {});
        for (listener, expected) in [
            (1, [0.0, 0.25, 0.25, 0.0]),
            (2, [0.25, 0.0, 0.25, 0.0]),
            (4, [0.25, 0.25, 0.25, 0.0]),
            (99, [0.25, 0.25, 0.25, 0.0]),
        ] {
            let lane = room.mixer.lane(Owner(listener));
            let heard = room.heard(lane, &all);
            assert!(near(&heard, &expected), "{listener}: {heard:?}");
        }
    }

    #[test]
    fn all_of_ones_tracks_are_left_out() {
        let mut room = Room::new(2);
        room.mixer.add(Track(3), Owner(1), Use::Program).unwrap();
        let all = [(1, 1.0), (2, 1.0), (3, 1.0)];
        room.talk(60, &all, |_| {});
        assert!(near(&room.heard(Lane::Without(Owner(1)), &all), &[0.0, 0.25, 0.0]));
    }

    #[test]
    fn there_are_no_more_mixes_than_people_who_are_heard_and_one() {
        let mut room = Room::new(3);
        room.talk(60, &[(1, 1.0), (2, 0.0), (3, 0.0)], |_| {});
        assert_eq!(room.mixer.without.len(), 1);
        assert_eq!(room.mixer.lane(Owner(2)), Lane::All);
        room.talk(60, &[(1, 0.0), (2, 0.0), (3, 0.0)], |_| {});
        assert!(room.mixer.without.is_empty());
    }

    #[test]
    fn who_begins_or_ends_to_speak_goes_over_between_mixes_with_the_same_past() {
        let mut room = Room::new(2);
        let past = |mixer: &Mixer, lane| -> Vec<f32> {
            mixer.rendered(lane).unwrap().earlier.into_iter().flatten().copied().collect()
        };
        let mut lanes = Vec::new();
        for gain in [0.0, 1.0, 0.0] {
            room.talk(80, &[(1, gain), (2, 1.0)], |mixer| {
                let lane = mixer.lane(Owner(1));
                if lanes.last().is_some_and(|last| *last != lane) {
                    let other = Lane::Without(Owner(1));
                    if lane == other {
                        assert_eq!(past(mixer, Lane::All), past(mixer, other));
                    }
                }
                lanes.push(lane);
            });
        }
        lanes.dedup();
        assert_eq!(lanes, [Lane::All, Lane::Without(Owner(1)), Lane::All]);
    }

    #[test]
    fn the_loudest_are_heard_and_do_not_make_way_for_who_is_a_little_louder() {
        let mut room = Room::new(10);
        let mut gains: Vec<_> = (1..=10).map(|owner| (owner, if owner <= 8 { 0.3 } else { 0.2 })).collect();
        room.talk(100, &gains, |_| {});
        let mixed = |room: &Room| -> Vec<u64> {
            room.mixer.slots.iter().filter(|(_, slot)| slot.mixed).map(|(track, _)| track.0).collect()
        };
        assert_eq!(mixed(&room), [1, 2, 3, 4, 5, 6, 7, 8]);
        gains[8].1 = 0.4;
        room.talk(100, &gains, |_| {});
        assert_eq!(mixed(&room), [1, 2, 3, 4, 5, 6, 7, 8]);
        gains[8].1 = 1.0;
        room.talk(100, &gains, |_| {});
        assert!(mixed(&room).contains(&9) && mixed(&room).len() == MAX_MIXED);
    }

    #[test]
    fn who_leaves_is_no_longer_heard_and_nothing_clicks() {
        let mut room = Room::new(1);
        room.talk(60, &[(1, 1.0)], |_| {});
        let mut sound = Vec::new();
        room.talk(10, &[(1, 1.0)], |mixer| sound.extend(mixer.rendered(Lane::All).unwrap().block));
        let slope = steepest(&sound);
        room.mixer.remove(Track(1));
        room.talk(40, &[], |mixer| sound.extend(mixer.rendered(Lane::All).unwrap().block));
        assert!(steepest(&sound) < 1.5 * slope, "{} {slope}", steepest(&sound));
        assert!(room.mixer.slots.is_empty());
        assert!(room.mixer.rendered(Lane::All).unwrap().silent_for > 10);
    }

    #[test]
    fn a_room_without_a_sound_says_so() {
        let mut room = Room::new(3);
        room.talk(10, &[], |mixer| assert!(mixer.rendered(Lane::All).unwrap().silent_for > 10));
    }

    #[test]
    fn the_speaker_is_who_is_loudest_and_no_shared_screen() {
        let mut room = Room::new(2);
        room.mixer.add(Track(3), Owner(3), Use::Program).unwrap();
        room.talk(100, &[(1, 0.1), (2, 0.5), (3, 1.0)], |_| {});
        assert_eq!(room.mixer.speakers().current(), Some(Owner(2)));
    }

    #[test]
    fn a_mixer_has_a_bound() {
        let mut room = Room::new(MAX_INPUTS as u64);
        let refused = room.mixer.add(Track(1_000), Owner(1_000), Use::Voice);
        assert_eq!(refused, Err(Error::TooManyTracks { limit: MAX_INPUTS }));
    }
}
