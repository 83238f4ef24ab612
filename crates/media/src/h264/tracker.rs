//! The parameter sets in force, followed through a stream.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use super::params::{Id, MAX_PPS, MAX_SPS, ParameterSets};
use crate::error::Error;

/// Follows the parameter sets of a stream, whether they come in a record or in band.
///
/// [`current`](Self::current) stays the same `Arc` until a byte changes. Parameter sets are copied, so that they do
/// not keep the message alive that brought them.
#[derive(Clone, Debug, Default)]
pub struct ParameterTracker {
    current: Option<Arc<ParameterSets>>,
    /// In-band sets since the last commit, in order, those in force among them: `retire` has to know all.
    pending: SmallVec<[Bytes; 2]>,
}

impl ParameterTracker {
    /// The sets in force.
    #[must_use]
    pub const fn current(&self) -> Option<&Arc<ParameterSets>> {
        self.current.as_ref()
    }

    /// Puts complete sets in force, as a new sequence header does. In-band sets not yet committed are forgotten.
    pub fn replace(&mut self, sets: ParameterSets) {
        self.pending.clear();
        if self.current.as_deref() != Some(&sets) {
            let copy = |nal: &Bytes| Bytes::copy_from_slice(nal);
            self.current = Some(Arc::new(ParameterSets {
                sps: sets.sps.iter().map(copy).collect(),
                pps: sets.pps.iter().map(copy).collect(),
            }));
        }
    }

    /// Notes an SPS or PPS that came in band. It takes effect at the next [`commit`](Self::commit).
    ///
    /// # Errors
    ///
    /// As for [`ParameterSets::parse`], for one NAL unit; or if too many come before a commit.
    pub fn push(&mut self, nal: &Bytes) -> Result<(), Error> {
        Id::of(nal)?;
        if self.pending.len() >= MAX_SPS + MAX_PPS {
            return Err(Error::TooLarge {
                what: "parameter sets in one access unit",
                limit: MAX_SPS + MAX_PPS,
            });
        }
        let known =
            self.current.as_deref().and_then(|sets| sets.sps.iter().chain(&sets.pps).find(|old| *old == nal));
        self.pending.push(known.cloned().unwrap_or_else(|| Bytes::copy_from_slice(nal)));
        Ok(())
    }

    /// Forgets what was pushed since the last commit.
    pub fn discard(&mut self) {
        self.pending.clear();
    }

    /// Puts the sets that were pushed in force, by identifier. `idr`: they came with an IDR picture.
    ///
    /// Until there is at least one of each kind, they wait for a later commit.
    ///
    /// # Errors
    ///
    /// If the stream has more sets than [`MAX_SPS`] or [`MAX_PPS`]; then nothing changes and the pushed ones are
    /// forgotten.
    pub fn commit(&mut self, idr: bool) -> Result<(), Error> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut sets = match self.current.as_deref() {
            Some(sets) => sets.clone(),
            None => ParameterSets { sps: SmallVec::new(), pps: SmallVec::new() },
        };
        if idr {
            self.retire(&mut sets);
        }
        for nal in &self.pending {
            if let Err(error) = sets.insert(nal.clone()) {
                self.pending.clear();
                return Err(error);
            }
        }
        if sets.is_complete() {
            self.pending.clear();
            if self.current.as_deref() != Some(&sets) {
                self.current = Some(Arc::new(sets));
            }
        }
        Ok(())
    }

    /// Drops the sets that an IDR picture leaves behind when it brings an SPS of a new identifier.
    ///
    /// Encoders that number their sets anew at every IDR picture (OpenH264 does by default) would otherwise pile them
    /// up; a picture after the IDR can only use what belongs to the SPS of that IDR.
    fn retire(&self, sets: &mut ParameterSets) {
        let brought: SmallVec<[u8; 2]> = self
            .pending
            .iter()
            .filter_map(|nal| match Id::of(nal) {
                Ok(Id::Sps(id)) => Some(id),
                _ => None,
            })
            .collect();
        let known = |id: &u8| sets.sps.iter().any(|sps| Id::of(sps) == Ok(Id::Sps(*id)));
        if brought.iter().all(known) {
            return;
        }
        sets.sps.retain(|sps| matches!(Id::of(sps), Ok(Id::Sps(id)) if brought.contains(&id)));
        sets.pps.retain(|pps| matches!(Id::of(pps), Ok(Id::Pps { sps, .. }) if brought.contains(&sps)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An SPS of the given identifier (below 3) and level.
    fn sps(id: u8, level: u8) -> Bytes {
        Bytes::from(vec![0x67, 66, 0, level, [0x80, 0x40, 0x60][usize::from(id)]])
    }

    /// A PPS with this identifier (below 3) that refers to the SPS of the same one.
    fn pps(id: u8, tail: u8) -> Bytes {
        Bytes::from(vec![0x68, [0b1100_0000, 0b0100_1000, 0b0110_1100][usize::from(id)], tail])
    }

    fn tracker(nals: &[Bytes]) -> ParameterTracker {
        let mut tracker = ParameterTracker::default();
        for nal in nals {
            tracker.push(nal).unwrap();
        }
        tracker.commit(true).unwrap();
        tracker
    }

    #[test]
    fn the_arc_stays_the_same_until_a_byte_changes() {
        let mut tracker = tracker(&[sps(0, 30), pps(0, 1)]);
        let first = tracker.current().unwrap().clone();
        tracker.push(&sps(0, 30)).unwrap();
        tracker.push(&pps(0, 1)).unwrap();
        tracker.commit(true).unwrap();
        assert!(Arc::ptr_eq(&first, tracker.current().unwrap()));
        tracker.replace(ParameterSets::parse([sps(0, 30), pps(0, 1)]).unwrap());
        assert!(Arc::ptr_eq(&first, tracker.current().unwrap()));

        tracker.push(&pps(0, 2)).unwrap();
        assert!(Arc::ptr_eq(&first, tracker.current().unwrap()), "before the commit nothing changes");
        tracker.commit(false).unwrap();
        let second = tracker.current().unwrap();
        assert_eq!(
            (second.sps.as_slice(), second.pps.as_slice()),
            ([sps(0, 30)].as_slice(), [pps(0, 2)].as_slice())
        );
    }

    #[test]
    fn nothing_is_in_force_until_both_kinds_have_come() {
        let mut tracker = tracker(&[sps(0, 30)]);
        assert!(tracker.current().is_none());
        tracker.push(&pps(0, 1)).unwrap();
        tracker.commit(false).unwrap();
        assert_eq!(tracker.current().unwrap().sps.as_slice(), [sps(0, 30)]);
    }

    #[test]
    fn sets_numbered_anew_at_every_idr_do_not_pile_up() {
        let mut tracker = tracker(&[sps(0, 30), pps(0, 1)]);
        for nal in [sps(1, 30), pps(1, 1)] {
            tracker.push(&nal).unwrap();
        }
        tracker.commit(true).unwrap();
        let sets = tracker.current().unwrap();
        assert_eq!(
            (sets.sps.as_slice(), sets.pps.as_slice()),
            ([sps(1, 30)].as_slice(), [pps(1, 1)].as_slice())
        );
    }

    #[test]
    fn a_second_pps_of_the_same_sps_is_kept_over_an_idr() {
        let mut tracker = tracker(&[sps(0, 30), pps(0, 1), pps(1, 1)]);
        tracker.push(&sps(0, 31)).unwrap();
        tracker.push(&pps(0, 1)).unwrap();
        tracker.commit(true).unwrap();
        assert_eq!(tracker.current().unwrap().pps.as_slice(), [pps(0, 1), pps(1, 1)]);
    }

    #[test]
    fn a_discarded_set_never_takes_effect() {
        let mut tracker = tracker(&[sps(0, 30), pps(0, 1)]);
        tracker.push(&pps(0, 9)).unwrap();
        tracker.discard();
        tracker.commit(true).unwrap();
        assert_eq!(tracker.current().unwrap().pps.as_slice(), [pps(0, 1)]);
    }
}
