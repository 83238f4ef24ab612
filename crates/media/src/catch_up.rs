//! What becomes of the pictures that come too late: those that a decoder needs go out squeezed once live is reached.

use crate::frame::AccessUnit;
use crate::gop::{GopCache, squeeze};
use crate::time::StreamTime;

/// The distance of pictures that make up for a stall: one tick of the RTMP clock, so that they are shown in no time.
const STEP: StreamTime = StreamTime::new(1_000);

/// Keeps late pictures until live is reached again.
///
/// A keyframe replaces what is held. Without one the pictures continue the group that the players are in. Those that do
/// not fit into the [bounds of a cached group](crate::gop) are dropped, and all after them up to the next keyframe.
#[derive(Debug)]
pub struct LateVideo {
    held: GopCache<AccessUnit>,
    out: Option<StreamTime>,
    dropped: u64,
}

impl Default for LateVideo {
    fn default() -> Self {
        let mut held = GopCache::default();
        held.resume();
        Self { held, out: None, dropped: 0 }
    }
}

impl LateVideo {
    /// Keeps a picture that came too late. Its times are of no account.
    pub fn hold(&mut self, unit: AccessUnit) {
        let before = self.held.len();
        let (bytes, keyframe) = (unit.nals.iter().map(|nal| nal.len()).sum(), unit.keyframe);
        self.held.push(unit, bytes, keyframe);
        self.count_dropped(before, 1);
    }

    /// Appends what is to be decoded up to and including a picture that came in time: what is held, right before it, and
    /// itself. The decoding times in `out` increase strictly from call to call.
    pub fn release(&mut self, live: AccessUnit, out: &mut Vec<AccessUnit>) {
        if live.keyframe {
            let before = self.held.len();
            self.held.clear();
            self.held.resume();
            self.count_dropped(before, 0);
        } else if !self.held.is_complete() {
            self.dropped += 1;
            return;
        }
        if !self.held.is_empty() {
            self.release_held(live.dts, out);
        }
        let dts = self.out.map_or(live.dts, |out| live.dts.max(out + STEP));
        self.out = Some(dts);
        out.push(live.at(dts));
    }

    /// Pictures that nobody gets: a later keyframe made up for them, or they did not fit.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Gives the held pictures times before `live`, or, if there is no room, right after what went out last.
    fn release_held(&mut self, live: StreamTime, out: &mut Vec<AccessUnit>) {
        let mut times = vec![live - STEP; self.held.len()];
        let room = i64::try_from(times.len()).unwrap_or(i64::MAX).saturating_mul(STEP.get());
        let earliest = self.out.map(|last| last + StreamTime::new(room));
        if let (Some(end), Some(earliest)) = (times.last_mut(), earliest) {
            *end = earliest.max(*end);
        }
        squeeze(&mut times, STEP, self.out);
        self.out = times.last().copied().or(self.out);
        out.extend(self.held.drain().zip(times).map(|(unit, time)| unit.at(time)));
    }

    fn count_dropped(&mut self, before: usize, added: usize) {
        let gone = (before + added).saturating_sub(self.held.len());
        self.dropped = self.dropped.saturating_add(u64::try_from(gone).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use smallvec::smallvec;

    use super::*;
    use crate::gop::MAX_GOP_ITEMS;
    use crate::h264::ParameterSets;

    /// A picture at `ms` whose slice holds its number, shown 80 ms after it is decoded.
    fn picture(number: u16, ms: i64, keyframe: bool) -> AccessUnit {
        let params = ParameterSets {
            sps: smallvec![Bytes::from_static(&[0x67, 66, 0xe0, 31])],
            pps: smallvec![Bytes::from_static(&[0x68, 1])],
        };
        let [high, low] = number.to_be_bytes();
        let nal = Bytes::from(vec![if keyframe { 0x65 } else { 0x41 }, 0x9a, high, low]);
        let dts = StreamTime::new(ms * 1_000);
        let pts = dts + StreamTime::new(80_000);
        AccessUnit { dts, pts, keyframe, params: Arc::new(params), nals: smallvec![nal] }
    }

    /// The number and the decoding time in ms of what a live picture brings out.
    fn release(late: &mut LateVideo, live: AccessUnit) -> Vec<(u16, i64)> {
        let mut out = Vec::new();
        late.release(live, &mut out);
        out.iter()
            .map(|unit| {
                assert_eq!(unit.pts - unit.dts, StreamTime::new(80_000));
                let number = u16::from_be_bytes([unit.nals[0][2], unit.nals[0][3]]);
                assert_eq!(unit.dts.get() % 1_000, 0);
                (number, unit.dts.get() / 1_000)
            })
            .collect()
    }

    #[test]
    fn pictures_in_time_pass_as_they_are() {
        let mut late = LateVideo::default();
        assert_eq!(release(&mut late, picture(0, 0, true)), [(0, 0)]);
        assert_eq!(release(&mut late, picture(1, 40, false)), [(1, 40)]);
    }

    #[test]
    fn what_continues_the_group_is_squeezed_up_to_live() {
        let mut late = LateVideo::default();
        release(&mut late, picture(0, 0, true));
        for number in 1..4 {
            late.hold(picture(number, 40, false));
        }
        let all = release(&mut late, picture(4, 5_000, false));
        assert_eq!(all, [(1, 4_997), (2, 4_998), (3, 4_999), (4, 5_000)]);
        assert_eq!((release(&mut late, picture(5, 5_040, false)), late.dropped()), (vec![(5, 5_040)], 0));
    }

    #[test]
    fn a_keyframe_replaces_what_is_held_and_a_live_one_all_of_it() {
        let mut late = LateVideo::default();
        release(&mut late, picture(0, 0, true));
        for number in 1..6 {
            late.hold(picture(number, 40, number == 4));
        }
        let all = release(&mut late, picture(6, 5_000, false));
        assert_eq!((all, late.dropped()), (vec![(4, 4_998), (5, 4_999), (6, 5_000)], 3));
        late.hold(picture(7, 5_040, false));
        assert_eq!((release(&mut late, picture(8, 9_000, true)), late.dropped()), (vec![(8, 9_000)], 4));
        late.hold(picture(9, 5_040, false));
        assert_eq!(release(&mut late, picture(10, 9_500, false)), [(9, 9_499), (10, 9_500)]);
    }

    #[test]
    fn without_room_before_live_the_times_go_on_after_what_went_out() {
        let mut late = LateVideo::default();
        release(&mut late, picture(0, 1_000, true));
        for number in 1..4 {
            late.hold(picture(number, 0, false));
        }
        let all = release(&mut late, picture(4, 1_002, false));
        assert_eq!(all, [(1, 1_001), (2, 1_002), (3, 1_003), (4, 1_004)]);
        assert_eq!(release(&mut late, picture(5, 1_003, false)), [(5, 1_005)]);
    }

    #[test]
    fn a_group_too_large_to_hold_is_dropped_up_to_the_next_keyframe() {
        let mut late = LateVideo::default();
        let many = u16::try_from(MAX_GOP_ITEMS).unwrap() + 1;
        for number in 0..many {
            late.hold(picture(number, 0, false));
        }
        assert_eq!(release(&mut late, picture(many, 9_000, false)), []);
        assert_eq!(late.dropped(), u64::from(many) + 1);
        assert_eq!(release(&mut late, picture(many, 9_040, true)), [(many, 9_040)]);
        assert_eq!(release(&mut late, picture(many, 9_080, false)), [(many, 9_080)]);
    }
}
