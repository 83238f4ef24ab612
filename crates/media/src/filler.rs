//! What players are given in place of a track that is held back or does not come: silence, and a black picture.
//!
//! A player's clock runs by what it receives. Without sound it stops, and the picture with it; what comes later is then
//! late for ever. So its tracks go on, in frames that cost next to nothing, on the same timeline and never backwards.

use std::sync::Arc;

use bytes::Bytes;

use crate::aac;
use crate::frame::{AacFrame, AccessUnit};
use crate::h264::{BlackPictures, ParameterSets};
use crate::layers::{Layer, PerLayer};
use crate::time::StreamTime;

/// How long sound that is not held back may be missing before silence takes its place. Longer than the buffers of
/// players, which bridge a bad moment of the network with nothing lost, and than the 400 ms between two packets of
/// discontinuous transmission.
pub const QUIET: StreamTime = StreamTime::new(1_000_000);

/// The distance of black pictures. Nobody sees them change, and players wait longer for a picture.
const PICTURE_INTERVAL: StreamTime = StreamTime::new(1_000_000);

/// The shortest distance of black keyframes, whoever asks for one.
const KEYFRAME_INTERVAL: StreamTime = StreamTime::new(500_000);

/// The most time of silence that is made at once, and the longest hole that is filled: what is longer was heard by
/// nobody.
const MAX_FILL: StreamTime = StreamTime::new(2_000_000);

/// How far behind its arrival the end of a frame is at most taken to be. A publisher that is further behind stalls.
const MAX_LAG: StreamTime = StreamTime::new(500_000);

/// The same before a frame has been seen: what a transcoder holds.
const FIRST_LAG: StreamTime = StreamTime::new(60_000);

/// One tick of the clock of RTMP and FLV.
const TICK: StreamTime = StreamTime::new(1_000);

/// The size of a black picture where no other has been seen: small, and of the shape that most cameras have.
const DEFAULT_SIZE: (u32, u32) = (640, 360);

/// Whether a track is to be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The stream has no such track.
    None,
    /// It comes from the publisher, unless it fails to.
    Live,
    /// It is held back.
    Held,
}

/// Fills the tracks of one publisher on its timeline. Every frame passes it before players get it.
#[derive(Debug, Default)]
pub struct Filler {
    sound: Sound,
    pictures: PerLayer<Picture>,
}

#[derive(Debug, Default)]
struct Sound {
    /// In force since a real frame, or made up.
    config: Option<Silence>,
    /// Where the latest frame ends.
    end: Option<StreamTime>,
    /// When a real frame came last, or when the first was waited for.
    latest: Option<StreamTime>,
    lag: Option<StreamTime>,
    /// Whether the latest frame was made up.
    made: bool,
}

/// A configuration with its silent frame.
#[derive(Debug)]
struct Silence {
    config: Arc<aac::Config>,
    frame: Option<Bytes>,
}

#[derive(Debug, Default)]
struct Picture {
    /// The parameter sets of the publisher, whose size a black picture has.
    params: Option<Arc<ParameterSets>>,
    latest: Option<StreamTime>,
    lag: Option<StreamTime>,
    /// While the latest picture is black.
    black: Option<BlackPictures>,
    /// The time of the latest black keyframe.
    keyframe: Option<StreamTime>,
}

impl Filler {
    /// Lets a frame of sound through that came at `now`. `false` where its time has been filled already.
    pub fn admit_sound(&mut self, now: StreamTime, frame: &AacFrame) -> bool {
        let sound = &mut self.sound;
        sound.latest = Some(now);
        let duration = frame.config.frame_duration();
        let half = StreamTime::new(duration.get() / 2);
        if sound.made && sound.end.is_some_and(|end| frame.time + half < end) {
            return false;
        }
        let known =
            |known: &Silence| Arc::ptr_eq(&known.config, &frame.config) || known.config == frame.config;
        if !sound.config.as_ref().is_some_and(known) {
            sound.config = Some(Silence::of(Arc::clone(&frame.config)));
        }
        let end = frame.time + duration;
        sound.made = false;
        sound.end = Some(end);
        sound.lag = Some((now - end).clamp(StreamTime::ZERO, MAX_LAG));
        true
    }

    /// Lets a picture of `layer` through that came at `now`, later than black ones where it would be shown before them.
    pub fn admit_picture(&mut self, now: StreamTime, layer: Layer, unit: &mut AccessUnit) {
        let picture = self.pictures.get_mut(layer);
        picture.lag = Some((now - unit.dts).clamp(StreamTime::ZERO, MAX_LAG));
        if picture.params.as_ref().is_none_or(|params| !Arc::ptr_eq(params, &unit.params)) {
            picture.params = Some(Arc::clone(&unit.params));
        }
        if picture.black.is_some() {
            let after = picture.latest.map_or(unit.dts, |latest| latest + TICK);
            if unit.dts >= after {
                picture.black = None;
            }
            unit.dts = unit.dts.max(after);
            unit.pts = unit.pts.max(unit.dts);
        }
        picture.latest = Some(unit.dts);
    }

    /// Appends the silence that is due at `now` to `out`. Without a configuration from the publisher it is `fallback`'s.
    pub fn fill_sound(
        &mut self,
        now: StreamTime,
        need: Need,
        fallback: &Arc<aac::Config>,
        out: &mut Vec<AacFrame>,
    ) {
        let sound = &mut self.sound;
        let waited = now - *sound.latest.get_or_insert(now);
        if need == Need::None || need == Need::Live && waited < QUIET {
            return;
        }
        sound.config.get_or_insert_with(|| Silence::of(Arc::clone(fallback)));
        sound.make_until(now - sound.lag.unwrap_or(FIRST_LAG), out);
    }

    /// Appends the silence between the last that was made and a frame of the publisher at `time`, which may have been
    /// further behind before.
    pub fn bridge_sound(&mut self, time: StreamTime, out: &mut Vec<AacFrame>) {
        if self.sound.made {
            self.sound.make_until(time, out);
        }
    }

    /// The black picture of `layer` that is due at `now`; a keyframe where one is wanted and the last one is half a second ago. Only a picture that is held back turns black:
    /// one that fails to come stays what it is.
    pub fn fill_picture(
        &mut self,
        now: StreamTime,
        layer: Layer,
        need: Need,
        keyframe: bool,
    ) -> Option<AccessUnit> {
        if need != Need::Held {
            return None;
        }
        let picture = self.pictures.get_mut(layer);
        let time = now - picture.lag.unwrap_or(FIRST_LAG);
        let time = picture.latest.map_or(time, |latest| time.max(latest + TICK));
        let size = || {
            let info = picture.params.as_ref().and_then(|params| params.info().ok());
            info.map_or(DEFAULT_SIZE, |info| (info.width, info.height))
        };
        let due = picture.latest.is_none_or(|latest| time - latest >= PICTURE_INTERVAL);
        let rested = picture.keyframe.is_none_or(|last| time - last >= KEYFRAME_INTERVAL);
        let keyframe = keyframe && rested;
        let unit = match &mut picture.black {
            Some(black) if due || keyframe => black.next(time, keyframe),
            Some(_) => return None,
            None => {
                let (width, height) = size();
                picture.black.insert(BlackPictures::new(width, height)).next(time, true)
            }
        };
        if unit.keyframe {
            picture.keyframe = Some(time);
        }
        picture.latest = Some(time);
        Some(unit)
    }
}

impl Sound {
    fn make_until(&mut self, until: StreamTime, out: &mut Vec<AacFrame>) {
        let Some(Silence { config, frame: Some(frame) }) = &self.config else { return };
        let duration = config.frame_duration().max(TICK);
        let mut end = self.end.unwrap_or(until - duration).max(until - MAX_FILL);
        while end + duration <= until {
            out.push(AacFrame { time: end, config: Arc::clone(config), data: frame.clone() });
            self.made = true;
            end += duration;
        }
        self.end = Some(self.end.map_or(end, |before| before.max(end)));
    }
}

impl Silence {
    fn of(config: Arc<aac::Config>) -> Self {
        let frame = config.silence();
        Self { config, frame }
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    const MS: i64 = 1_000;

    fn config() -> Arc<aac::Config> {
        Arc::new(aac::Config::lc(48_000, 1).unwrap())
    }

    fn at(millis: i64) -> StreamTime {
        StreamTime::new(millis * MS)
    }

    fn frame(time: StreamTime, config: &Arc<aac::Config>) -> AacFrame {
        AacFrame { time, config: Arc::clone(config), data: Bytes::from_static(&[0x21]) }
    }

    fn picture(time: StreamTime, keyframe: bool) -> AccessUnit {
        let sps = Bytes::from_static(&[0x67, 0x42, 0xe0, 0x1f, 0xda, 0x79]);
        let params = ParameterSets { sps: smallvec![sps], pps: smallvec![Bytes::from_static(&[0x68, 0xce])] };
        let nals = smallvec![Bytes::from_static(&[0x65, 0x88])];
        AccessUnit { dts: time, pts: time, keyframe, params: Arc::new(params), nals }
    }

    /// Silence that is asked for every 50 ms of a stretch.
    fn fill(filler: &mut Filler, need: Need, millis: std::ops::RangeInclusive<i64>) -> Vec<AacFrame> {
        let mut out = Vec::new();
        millis.step_by(50).for_each(|now| filler.fill_sound(at(now), need, &config(), &mut out));
        out
    }

    #[test]
    fn sound_that_is_held_back_goes_on_as_silence_without_a_hole_or_an_overlap() {
        let (mut filler, real) = (Filler::default(), config());
        let step = real.frame_duration();
        let mut time = at(0);
        while time < at(1_000) {
            // Each arrives 30 ms after it ends.
            assert!(filler.admit_sound(time + step + at(30), &frame(time, &real)));
            time += step;
        }
        let silence = fill(&mut filler, Need::Held, 1_050..=5_000);
        assert_eq!(silence.first().unwrap().time, time);
        assert!(silence.windows(2).all(|pair| pair[1].time - pair[0].time == step));
        let end = silence.last().unwrap().time + step;
        assert!(end <= at(4_970) && end > at(4_920), "{end:?}: no further than what comes next");
        assert!(silence.iter().all(|made| Arc::ptr_eq(&made.config, &real)), "players need no other header");

        assert!(!filler.admit_sound(at(5_000), &frame(end - step, &real)), "its time has been filled");
        assert!(filler.admit_sound(at(5_010), &frame(end + StreamTime::new(3_000), &real)));
    }

    #[test]
    fn no_hole_is_left_before_a_publisher_that_has_caught_up() {
        let (mut filler, real) = (Filler::default(), config());
        assert!(filler.admit_sound(at(320), &frame(at(0), &real)), "300 ms behind");
        let before = fill(&mut filler, Need::Held, 350..=2_000).last().unwrap().time;
        let mut silence = Vec::new();
        filler.bridge_sound(at(1_980), &mut silence);
        assert!(silence.len() > 10 && silence[0].time == before + real.frame_duration());
        assert!(silence.last().unwrap().time + real.frame_duration() <= at(1_980));
        assert!(filler.admit_sound(at(2_000), &frame(at(1_980), &real)));
        silence.clear();
        filler.bridge_sound(at(2_500), &mut silence);
        assert!(silence.is_empty(), "between frames of the publisher nothing is made up");
    }

    #[test]
    fn live_sound_is_waited_for_as_long_as_players_can_and_then_filled_whole() {
        let (mut filler, real) = (Filler::default(), config());
        assert!(filler.admit_sound(at(20), &frame(at(0), &real)));
        assert!(fill(&mut filler, Need::Live, 50..=1_000).is_empty());
        let silence = fill(&mut filler, Need::Live, 1_050..=3_000);
        assert_eq!(silence.first().unwrap().time, real.frame_duration());
        assert!(silence.len() > 130, "{} frames", silence.len());
    }

    #[test]
    fn sound_that_never_came_is_silence_of_the_fallback_once_it_was_waited_for() {
        let mut filler = Filler::default();
        assert!(fill(&mut filler, Need::None, 0..=5_000).is_empty());
        let mut filler = Filler::default();
        let silence = fill(&mut filler, Need::Live, 10_000..=12_000);
        assert!(silence.first().unwrap().time >= at(10_900) && silence.len() > 40);
        assert_eq!(silence[0].config, config());
        let held = fill(&mut Filler::default(), Need::Held, 10_000..=10_200);
        assert!(held.len() > 7, "sound that is held back is not waited for");
    }

    #[test]
    fn nobody_gets_the_silence_of_an_hour_at_once() {
        let (mut filler, real) = (Filler::default(), config());
        assert!(filler.admit_sound(at(20), &frame(at(0), &real)));
        let silence = fill(&mut filler, Need::Held, 3_600_000..=3_600_000);
        assert!(silence.len() <= 94, "{} frames", silence.len());
        assert!(silence[0].time > at(3_597_000));
    }

    #[test]
    fn sound_that_cannot_be_silenced_is_left_alone() {
        let mut filler = Filler::default();
        let six = Arc::new(aac::Config::lc(48_000, 6).unwrap());
        assert!(filler.admit_sound(at(20), &frame(at(0), &six)));
        assert!(fill(&mut filler, Need::Held, 50..=5_000).is_empty());
    }

    #[test]
    fn a_picture_that_is_held_back_turns_black_in_its_own_size_and_goes_on_once_a_second() {
        let mut filler = Filler::default();
        filler.admit_picture(at(40), Layer::High, &mut picture(at(0), true));
        let mut made = Vec::new();
        for now in (100..=3_100).step_by(50) {
            made.extend(filler.fill_picture(at(now), Layer::High, Need::Held, false));
        }
        let times: Vec<_> = made.iter().map(|unit| (unit.dts.get() / MS, unit.keyframe)).collect();
        assert_eq!(times, [(60, true), (1_060, false), (2_060, false), (3_060, false)]);
        let info = made[0].params.info().unwrap();
        assert_eq!((info.width, info.height), (16, 16));
        let bytes: usize = made.iter().skip(1).flat_map(|unit| &unit.nals).map(Bytes::len).sum();
        assert!(bytes < 3 * 16, "{bytes} bytes in three seconds");

        let joined = filler.fill_picture(at(3_150), Layer::High, Need::Held, true).unwrap();
        assert!(joined.keyframe, "who joins can begin at once");
        assert!(
            filler.fill_picture(at(3_200), Layer::High, Need::Held, true).is_none(),
            "but not everybody for himself"
        );
    }

    #[test]
    fn the_picture_comes_back_after_the_black_ones_even_if_it_was_taken_before() {
        let mut filler = Filler::default();
        filler.admit_picture(at(40), Layer::High, &mut picture(at(0), true));
        filler.fill_picture(at(2_040), Layer::High, Need::Held, false).unwrap();
        let mut shown = Vec::new();
        for time in [1_990, 2_000, 2_033] {
            let mut unit = picture(at(time), time == 1_990);
            filler.admit_picture(at(time + 40), Layer::High, &mut unit);
            shown.push((unit.dts.get() / MS, unit.pts.get() / MS));
        }
        assert_eq!(shown, [(2_001, 2_001), (2_002, 2_002), (2_033, 2_033)]);
        assert!(filler.fill_picture(at(2_080), Layer::High, Need::Live, true).is_none());
    }

    #[test]
    fn every_layer_comes_back_by_itself() {
        let mut filler = Filler::default();
        for layer in [Layer::Low, Layer::High] {
            filler.admit_picture(at(40), layer, &mut picture(at(0), true));
            assert!(filler.fill_picture(at(100), layer, Need::Held, false).unwrap().keyframe);
        }
        filler.admit_picture(at(240), Layer::High, &mut picture(at(200), true));
        assert!(
            filler.fill_picture(at(250), Layer::Low, Need::Held, false).is_none(),
            "still black, and lately"
        );
    }

    #[test]
    fn a_picture_that_fails_to_come_stays_what_it_is() {
        let mut filler = Filler::default();
        filler.admit_picture(at(40), Layer::High, &mut picture(at(0), true));
        for now in (100..=10_000).step_by(50) {
            assert!(filler.fill_picture(at(now), Layer::High, Need::Live, true).is_none());
        }
    }
}
