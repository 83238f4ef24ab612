//! How well everybody's network does, as participants report it and others are told.

use std::collections::{BTreeMap, HashMap};

use queqiao_room::Uid;
use queqiao_room::machine::RoomKey;
use queqiao_room::signal::Stats;

/// The worst level.
const WORST: u8 = 6;

/// Participants in one event. What is beyond goes into the next one: everybody is sent every event.
const MAX_TOLD: usize = 64;

/// What is known of one participant: levels from 1, the best, to 6; 0 is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) uplink: u8,
    pub(super) downlink: u8,
}

#[derive(Debug, Default)]
struct Known {
    now: Levels,
    told: Levels,
    /// The whole of the latest report, for operators.
    report: Stats,
}

/// What is known of everybody.
#[derive(Debug, Default)]
pub(super) struct Quality {
    rooms: HashMap<RoomKey, BTreeMap<Uid, Known>>,
}

impl Quality {
    /// Notes a report.
    pub(super) fn report(&mut self, room: &RoomKey, uid: &Uid, stats: Stats) {
        let level = |reported: Option<u8>| reported.unwrap_or_default().min(WORST);
        let levels = Levels { uplink: level(stats.uplink), downlink: level(stats.downlink) };
        let known = self.rooms.entry(room.clone()).or_default().entry(uid.clone()).or_default();
        (known.now, known.report) = (levels, stats);
    }

    /// The latest report of a participant.
    pub(super) fn latest(&self, room: &RoomKey, uid: &Uid) -> Option<&Stats> {
        Some(&self.rooms.get(room)?.get(uid)?.report)
    }

    /// Somebody has come who knows nothing yet: what is known is told again.
    pub(super) fn tell_again(&mut self, room: &RoomKey) {
        for known in self.rooms.get_mut(room).into_iter().flat_map(BTreeMap::values_mut) {
            known.told = Levels::default();
        }
    }

    /// Somebody is gone.
    pub(super) fn forget(&mut self, room: &RoomKey, uid: &Uid) {
        if let Some(known) = self.rooms.get_mut(room) {
            known.remove(uid);
            if known.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    /// What has changed since it was last told, by room.
    pub(super) fn take_news(&mut self) -> Vec<(RoomKey, Vec<(Uid, Levels)>)> {
        let mut all = Vec::new();
        for (room, participants) in &mut self.rooms {
            let changed = participants.iter_mut().filter(|(_, known)| known.now != known.told);
            let news: Vec<(Uid, Levels)> = changed
                .take(MAX_TOLD)
                .map(|(uid, known)| {
                    known.told = known.now;
                    (uid.clone(), known.now)
                })
                .collect();
            if !news.is_empty() {
                all.push((room.clone(), news));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> RoomKey {
        RoomKey { app: "demo".parse().unwrap(), room: "r".parse().unwrap() }
    }

    fn uid(number: usize) -> Uid {
        format!("u{number:03}").parse().unwrap()
    }

    fn stats(uplink: u8, downlink: u8) -> Stats {
        Stats { uplink: Some(uplink), downlink: Some(downlink), ..Stats::default() }
    }

    #[test]
    fn the_latest_report_is_kept_whole() {
        let mut quality = Quality::default();
        quality.report(&room(), &uid(1), stats(1, 1));
        let latest = Stats { rtt_ms: Some(31), ..Stats::default() };
        quality.report(&room(), &uid(1), latest.clone());
        assert_eq!(quality.latest(&room(), &uid(1)), Some(&latest));
        quality.forget(&room(), &uid(1));
        assert_eq!(quality.latest(&room(), &uid(1)), None);
    }

    #[test]
    fn a_level_is_told_once_and_again_when_it_changes() {
        let mut quality = Quality::default();
        assert!(quality.take_news().is_empty());
        quality.report(&room(), &uid(1), stats(1, 200));
        let told = quality.take_news();
        assert_eq!(told, [(room(), vec![(uid(1), Levels { uplink: 1, downlink: WORST })])]);
        quality.report(&room(), &uid(1), stats(1, 6));
        assert!(quality.take_news().is_empty());
        quality.report(&room(), &uid(1), stats(2, 6));
        assert_eq!(quality.take_news().len(), 1);
    }

    #[test]
    fn who_comes_later_is_told_what_is_known() {
        let mut quality = Quality::default();
        quality.report(&room(), &uid(1), stats(1, 2));
        quality.take_news();
        quality.tell_again(&room());
        assert_eq!(quality.take_news().len(), 1);
        assert!(quality.take_news().is_empty());
    }

    #[test]
    fn nothing_known_is_nothing_told() {
        let mut quality = Quality::default();
        quality.report(&room(), &uid(1), Stats::default());
        assert!(quality.take_news().is_empty());
    }

    #[test]
    fn what_does_not_fit_into_one_event_goes_into_the_next() {
        let mut quality = Quality::default();
        for number in 0..MAX_TOLD + 1 {
            quality.report(&room(), &uid(number), stats(1, 1));
        }
        assert_eq!(quality.take_news()[0].1.len(), MAX_TOLD);
        assert_eq!(quality.take_news()[0].1.len(), 1);
    }

    #[test]
    fn those_who_are_gone_are_forgotten() {
        let mut quality = Quality::default();
        quality.report(&room(), &uid(1), stats(1, 1));
        quality.forget(&room(), &uid(1));
        assert!(quality.take_news().is_empty() && quality.rooms.is_empty());
    }
}
