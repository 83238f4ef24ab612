//! What an offer asks for: which sections to send on, and where what is received belongs.

use std::collections::{BTreeMap, HashMap};

use queqiao_room::signal::{MediaKind, MidInfo};
use queqiao_room::{StreamKind, Uid};

use super::sdp::{Direction, Section};
use crate::error::{Error, Result};

/// A track of somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RemoteTrack {
    pub(super) uid: Uid,
    pub(super) stream: StreamKind,
    pub(super) kind: MediaKind,
}

/// A track of one's own.
pub(super) type OwnTrack = (StreamKind, MediaKind);

/// What a section has been used for: the stack can turn a section that sends into one that receives, not back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Sends,
    Receives,
}

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The section of each track of one's own.
    pub(super) sends: BTreeMap<OwnTrack, String>,
    /// Whose each source is.
    pub(super) sources: HashMap<u32, RemoteTrack>,
    /// Sections to send on that did not exist before, in their order.
    pub(super) new_sends: Vec<(String, MediaKind)>,
    /// Sections that sent and now receive.
    pub(super) turned: Vec<String>,
}

impl Plan {
    /// Reads `offer`, whose sections carry what `mids` says. `used`: what its sections were used for before; is
    /// brought up to date.
    ///
    /// # Errors
    ///
    /// If a section that received is to send.
    pub(super) fn new(
        offer: &[Section],
        mids: &BTreeMap<String, MidInfo>,
        me: &Uid,
        used: &mut BTreeMap<String, Use>,
    ) -> Result<Self> {
        let mut plan = Self::default();
        for section in offer {
            let Some(info) = mids.get(&section.mid).filter(|info| info.kind == section.kind) else {
                continue;
            };
            let before = used.get(&section.mid).copied();
            match section.direction {
                Direction::Receive if info.uid.uid() == me => {
                    match before {
                        None => plan.new_sends.push((section.mid.clone(), section.kind)),
                        Some(Use::Sends) => {}
                        Some(Use::Receives) => {
                            return Err(Error::Offer { what: "a section turned around" });
                        }
                    }
                    used.insert(section.mid.clone(), Use::Sends);
                    plan.sends.insert((info.stream, section.kind), section.mid.clone());
                }
                Direction::Send if info.uid.uid() != me => {
                    if before == Some(Use::Sends) {
                        plan.turned.push(section.mid.clone());
                    }
                    used.insert(section.mid.clone(), Use::Receives);
                    let track =
                        RemoteTrack { uid: info.uid.uid().clone(), stream: info.stream, kind: section.kind };
                    let sources = section.sources.iter().map(|&source| (source, track.clone()));
                    plan.sources.extend(sources);
                }
                // Nothing flows here, or the offer and what is said about it contradict each other.
                _ => {}
            }
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(mid: &str, kind: MediaKind, direction: Direction, sources: &[u32]) -> Section {
        Section {
            mid: mid.to_owned(),
            kind,
            direction,
            sources: sources.to_vec(),
            payload_type: Some(96),
            mid_extension: None,
        }
    }

    fn mids(entries: &[(&str, &str, StreamKind, MediaKind)]) -> BTreeMap<String, MidInfo> {
        let entry = |&(mid, uid, stream, kind): &(&str, &str, StreamKind, MediaKind)| {
            let uid: Uid = uid.parse().unwrap();
            (mid.to_owned(), MidInfo { uid: uid.into(), stream, kind })
        };
        entries.iter().map(entry).collect()
    }

    fn me() -> Uid {
        "me".parse().unwrap()
    }

    #[test]
    fn own_sections_are_sent_on_and_others_received() {
        let offer = [
            section("0", MediaKind::Audio, Direction::Receive, &[]),
            section("1", MediaKind::Video, Direction::Send, &[5, 6]),
            section("2", MediaKind::Video, Direction::Inactive, &[7]),
        ];
        let mids = mids(&[
            ("0", "me", StreamKind::Camera, MediaKind::Audio),
            ("1", "ann", StreamKind::Screen, MediaKind::Video),
            ("2", "ben", StreamKind::Camera, MediaKind::Video),
        ]);
        let mut used = BTreeMap::new();
        let plan = Plan::new(&offer, &mids, &me(), &mut used).unwrap();
        assert_eq!(plan.sends[&(StreamKind::Camera, MediaKind::Audio)], "0");
        assert_eq!(plan.new_sends, [("0".to_owned(), MediaKind::Audio)]);
        let ann =
            RemoteTrack { uid: "ann".parse().unwrap(), stream: StreamKind::Screen, kind: MediaKind::Video };
        assert_eq!(plan.sources, HashMap::from([(5, ann.clone()), (6, ann)]));
        let again = Plan::new(&offer, &mids, &me(), &mut used).unwrap();
        assert_eq!(again.new_sends, [], "a section is new once");
    }

    #[test]
    fn a_section_may_carry_another_stream_than_before() {
        let mut used = BTreeMap::new();
        for (uid, source) in [("ann", 5), ("ben", 6)] {
            let offer = [section("0", MediaKind::Video, Direction::Send, &[source])];
            let mids = mids(&[("0", uid, StreamKind::Camera, MediaKind::Video)]);
            let plan = Plan::new(&offer, &mids, &me(), &mut used).unwrap();
            assert_eq!(plan.sources[&source].uid.as_str(), uid);
            assert_eq!(plan.sources.len(), 1);
        }
    }

    #[test]
    fn a_section_that_sent_may_receive_but_not_the_other_way_round() {
        let own = mids(&[("0", "me", StreamKind::Camera, MediaKind::Video)]);
        let other = mids(&[("0", "ann", StreamKind::Camera, MediaKind::Video)]);
        let mut used = BTreeMap::new();
        let receive = [section("0", MediaKind::Video, Direction::Receive, &[])];
        let send = [section("0", MediaKind::Video, Direction::Send, &[5])];
        Plan::new(&receive, &own, &me(), &mut used).unwrap();
        assert_eq!(Plan::new(&send, &other, &me(), &mut used).unwrap().turned, ["0"]);
        assert!(matches!(Plan::new(&receive, &own, &me(), &mut used), Err(Error::Offer { .. })));
    }

    #[test]
    fn a_section_that_contradicts_what_is_said_of_it_carries_nothing() {
        let offer = [
            section("0", MediaKind::Audio, Direction::Send, &[5]),
            section("1", MediaKind::Audio, Direction::Receive, &[]),
            section("2", MediaKind::Audio, Direction::Send, &[6]),
            section("3", MediaKind::Audio, Direction::Send, &[7]),
        ];
        let mids = mids(&[
            ("0", "me", StreamKind::Camera, MediaKind::Audio),
            ("1", "ann", StreamKind::Camera, MediaKind::Audio),
            ("2", "ann", StreamKind::Camera, MediaKind::Video),
        ]);
        assert_eq!(Plan::new(&offer, &mids, &me(), &mut BTreeMap::new()).unwrap(), Plan::default());
    }
}
