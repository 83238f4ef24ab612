//! The layer that one viewer is sent.

use std::time::{Duration, Instant};

use super::{Ladder, Layer, LayerSet};

/// What a path has to carry beyond a layer before the viewer is raised to it, in percent of the layer: rates swing, and a
/// path that is full to the brim queues.
pub const HEADROOM_PERCENT: u64 = 120;

/// For how long a path has to carry a larger layer, with room to spare, before the viewer is raised to it.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// The longest that it takes, after raises that did not last: each doubles the time.
pub const MAX_PATIENCE: Duration = Duration::from_secs(60);

/// A viewer that has to be lowered this soon was raised in vain.
const IN_VAIN: Duration = Duration::from_secs(20);

/// For how long after a raise an estimate may be smaller than the layer: receivers let theirs grow by some 8 % a second, and
/// only with what they are sent.
const TRIAL: Duration = Duration::from_secs(10);

/// An estimate that falls to this, in percent of its largest since the raise, shows that the path is full.
const FALLEN_PERCENT: u64 = 85;

/// What is to be done with a packet, or a picture, of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It belongs to the layer that is shown.
    Pass,
    /// It is the first of another layer, which is shown from now on.
    Switch,
    /// It is not for this viewer.
    Drop,
}

/// Chooses the layer of one viewer, from what the viewer wishes, what its path carries, and what the publisher sends.
///
/// Down it goes at once, up only after a while with room to spare. The picture stays on the layer that is shown until a
/// keyframe of a better one comes.
#[derive(Clone, Copy, Debug)]
pub struct LayerSelector {
    /// The largest that the viewer wishes for.
    cap: Layer,
    /// The largest of those that the publisher has, and the viewer wishes for, that the path carries.
    wanted: Layer,
    /// Whether it would be a larger one if the path carried it.
    limited: bool,
    /// Since when the path carries more.
    room_since: Option<Instant>,
    patience: Duration,
    /// Whether what the path carries is estimated, and not measured by what got through.
    estimated: bool,
    raised: Option<Raised>,
    shown: Option<Layer>,
    /// Of what flows, what serves best; `None` as long as nothing does.
    target: Option<Layer>,
    flowing: LayerSet,
}

/// A raise that has yet to prove itself.
#[derive(Clone, Copy, Debug)]
struct Raised {
    at: Instant,
    /// The largest budget since then.
    budget: u64,
}

impl LayerSelector {
    /// For a viewer who wishes for no larger layer than `cap`, and has not seen anything yet.
    #[must_use]
    pub const fn new(cap: Layer) -> Self {
        Self {
            cap,
            wanted: cap,
            limited: false,
            room_since: None,
            patience: PATIENCE,
            estimated: false,
            raised: None,
            shown: None,
            target: None,
            flowing: LayerSet::EMPTY,
        }
    }

    /// For a path of which is only known what its receiver estimates: such an estimate is given time to grow after a raise,
    /// as long as it does not fall.
    #[must_use]
    pub const fn estimated(self) -> Self {
        Self { estimated: true, ..self }
    }

    /// The viewer wishes for no larger layer than this from the next [`Self::update`] on.
    pub const fn set_cap(&mut self, cap: Layer) {
        self.cap = cap;
    }

    /// Looks at what there is, and at how many bits a second of it the path carries: `None` where that is not known to be
    /// limited.
    pub fn update(&mut self, now: Instant, budget: Option<u64>, ladder: &Ladder) {
        self.flowing = ladder.flowing;
        let Some(most) = ladder.offered.best_for(self.cap) else { return };
        let fits = |layer: Layer, percent: u64| match (budget, ladder.rate(layer)) {
            (Some(budget), Some(rate)) => u128::from(budget) * 100 >= u128::from(rate) * u128::from(percent),
            _ => true,
        };
        let largest = |percent| {
            let mut fitting = ladder.offered.iter().filter(|layer| *layer <= most && fits(*layer, percent));
            fitting.next_back().or(ladder.offered.lowest()).unwrap_or(most)
        };
        let before = ladder.offered.best_for(self.wanted).unwrap_or(most);
        let roomy = largest(HEADROOM_PERCENT);
        let trying = largest(100) < before && before <= most && self.is_trying(now, budget);
        if largest(100) < before && !trying {
            self.lower(now, largest(100), most);
        } else if roomy > before {
            // One step at a time: what a path carries may show only when it is full.
            let next = ladder.offered.iter().find(|layer| *layer > before);
            self.raise(now, next.filter(|_| self.limited).unwrap_or(roomy));
        } else {
            (self.wanted, self.room_since) = (before, None);
        }
        self.limited = self.wanted < most;
        self.target = ladder.flowing.best_for(self.wanted);
    }

    /// Whether a budget that is too small for a layer may be an estimate that has not grown yet.
    fn is_trying(&mut self, now: Instant, budget: Option<u64>) -> bool {
        let (Some(raised), Some(budget)) = (&mut self.raised, budget.filter(|_| self.estimated)) else {
            return false;
        };
        raised.budget = raised.budget.max(budget);
        let fallen = u128::from(budget) * 100 <= u128::from(raised.budget) * u128::from(FALLEN_PERCENT);
        !fallen && now.saturating_duration_since(raised.at) < TRIAL
    }

    fn lower(&mut self, now: Instant, to: Layer, most: Layer) {
        if to < most {
            let raised = self.raised.take();
            let in_vain = raised.is_some_and(|raised| now.saturating_duration_since(raised.at) < IN_VAIN);
            self.patience = if in_vain { (self.patience * 2).min(MAX_PATIENCE) } else { PATIENCE };
        }
        (self.wanted, self.room_since) = (to, None);
    }

    fn raise(&mut self, now: Instant, to: Layer) {
        let since = *self.room_since.get_or_insert(now);
        // Who was not held down by the path has just asked for more, and gets it at once.
        if self.limited && now.saturating_duration_since(since) < self.patience {
            return;
        }
        self.raised = self.limited.then_some(Raised { at: now, budget: 0 });
        (self.wanted, self.room_since) = (to, None);
    }

    /// The layer that the viewer would be sent if the publisher sent everything.
    #[must_use]
    pub const fn wanted(&self) -> Layer {
        self.wanted
    }

    /// The layer that is shown.
    #[must_use]
    pub const fn shown(&self) -> Option<Layer> {
        self.shown
    }

    /// What the publisher has to send for this viewer: the layer that it is to see, and the one it sees until then.
    #[must_use]
    pub fn needed(&self) -> LayerSet {
        let wanted = LayerSet::only(self.wanted);
        self.shown.map_or(wanted, |shown| wanted.with(shown))
    }

    /// The layer that the viewer would be raised to next, and what that has to fit into, in bits a second: how much it is
    /// worth probing the path for.
    #[must_use]
    pub fn wish(&self, ladder: &Ladder) -> Option<u64> {
        let next = ladder.offered.iter().find(|layer| *layer > self.wanted && *layer <= self.cap)?;
        Some(ladder.rate(next)?.saturating_mul(HEADROOM_PERCENT) / 100)
    }

    /// A layer that is only waiting for a keyframe to be shown.
    #[must_use]
    pub fn awaits_keyframe(&self) -> Option<Layer> {
        self.target.filter(|target| self.improves(*target))
    }

    /// Whether a layer serves better than the one that is shown.
    fn improves(&self, layer: Layer) -> bool {
        let Some(shown) = self.shown.filter(|shown| self.flowing.contains(*shown)) else {
            return self.shown != Some(layer);
        };
        LayerSet::only(shown).with(layer).best_for(self.wanted) != Some(shown)
    }

    /// Decides about a packet or picture of a layer; `keyframe` where decoding can begin with it.
    pub fn admit(&mut self, layer: Layer, keyframe: bool) -> Admission {
        if self.shown == Some(layer) {
            Admission::Pass
        } else if keyframe && self.improves(layer) {
            self.shown = Some(layer);
            Admission::Switch
        } else {
            Admission::Drop
        }
    }

    /// The viewer has been sent pictures of a layer in another way, or has to begin anew with the next keyframe.
    pub const fn show(&mut self, layer: Option<Layer>) {
        self.shown = layer;
    }
}

#[cfg(test)]
mod tests {
    use super::super::PerLayer;
    use super::*;

    const LOW: Layer = Layer::Low;
    const MIDDLE: Layer = Layer::Middle;
    const HIGH: Layer = Layer::High;

    /// 150, 500 and 1700 kbit/s.
    fn ladder(flowing: LayerSet) -> Ladder {
        let mut rates = PerLayer::default();
        for (layer, rate) in [(LOW, 150_000), (MIDDLE, 500_000), (HIGH, 1_700_000)] {
            *rates.get_mut(layer) = Some(rate);
        }
        Ladder { offered: LayerSet::ALL, flowing, rates }
    }

    /// A viewer in made-up time, asked ten times a second.
    struct Viewer {
        selector: LayerSelector,
        now: Instant,
        ladder: Ladder,
    }

    impl Viewer {
        fn new() -> Self {
            let selector = LayerSelector::new(HIGH);
            let mut viewer = Self { selector, now: Instant::now(), ladder: ladder(LayerSet::ALL) };
            viewer.spend(0.1, None);
            viewer
        }

        /// Lets time pass with a budget. Returns the layers that were wanted, without repetitions.
        fn spend(&mut self, seconds: f64, budget: Option<u64>) -> Vec<Layer> {
            let mut seen = Vec::new();
            for _ in 0..(seconds * 10.0).round() as usize {
                self.now += Duration::from_millis(100);
                self.selector.update(self.now, budget, &self.ladder);
                if seen.last() != Some(&self.selector.wanted()) {
                    seen.push(self.selector.wanted());
                }
            }
            seen
        }
    }

    #[test]
    fn a_viewer_whose_path_is_not_limited_wants_the_largest_layer() {
        assert_eq!(Viewer::new().spend(60.0, None), [HIGH]);
    }

    #[test]
    fn a_path_that_becomes_narrow_lowers_the_layer_at_once() {
        let mut viewer = Viewer::new();
        assert_eq!(viewer.spend(0.1, Some(1_000_000)), [MIDDLE]);
        assert_eq!(viewer.spend(0.1, Some(100_000)), [LOW], "the smallest is sent whatever the path carries");
    }

    #[test]
    fn a_layer_is_raised_after_a_while_with_room_to_spare() {
        let mut viewer = Viewer::new();
        viewer.spend(0.1, Some(400_000));
        assert_eq!(viewer.spend(60.0, Some(590_000)), [LOW], "500 kbit/s fit, but barely");
        assert_eq!(viewer.spend(2.9, Some(610_000)), [LOW]);
        assert_eq!(viewer.spend(0.1, Some(400_000)), [LOW], "a moment without room: the time begins anew");
        assert_eq!(viewer.spend(3.0, Some(610_000)), [LOW]);
        assert_eq!(viewer.spend(0.1, Some(610_000)), [MIDDLE]);
    }

    #[test]
    fn a_rate_that_swings_about_the_budget_does_not_make_the_layer_swing() {
        let mut viewer = Viewer::new();
        viewer.spend(0.1, Some(1_000_000));
        let mut changes = Vec::new();
        for second in 0..120 {
            let rate = if second % 2 == 0 { 450_000 } else { 560_000 };
            *viewer.ladder.rates.get_mut(MIDDLE) = Some(rate);
            changes.extend(viewer.spend(1.0, Some(570_000)));
        }
        assert!(changes.iter().all(|layer| *layer == MIDDLE));
    }

    #[test]
    fn raises_that_do_not_last_are_tried_ever_less_often() {
        let mut viewer = Viewer::new();
        viewer.spend(0.1, Some(1_000_000));
        let mut raises = 0;
        // A path that shows what it carries only when it is full.
        for _ in 0..6_000 {
            let budget = (viewer.selector.wanted() == HIGH).then_some(1_000_000);
            raises += usize::from(viewer.spend(0.1, budget) == [HIGH]);
        }
        assert!((8..=14).contains(&raises), "{raises} in ten minutes");
    }

    #[test]
    fn an_estimate_has_time_to_grow_after_a_raise_unless_it_falls() {
        // 8 % a second; as it is; fallen after two seconds.
        for (growth, falls, expected) in [(1.08, false, HIGH), (1.0, false, MIDDLE), (1.08, true, MIDDLE)] {
            let mut viewer = Viewer::new();
            viewer.selector = viewer.selector.estimated();
            viewer.spend(0.1, Some(1_000_000));
            assert_eq!(viewer.spend(3.1, None), [MIDDLE, HIGH]);
            let mut estimate = 1_000_000.0;
            let mut seconds = 0;
            for second in 0..11 {
                estimate *= if falls && second == 2 { 0.8 } else { growth };
                seconds = second;
                if viewer.spend(1.0, Some(estimate as u64)).contains(&MIDDLE) {
                    break;
                }
            }
            assert_eq!(viewer.selector.wanted(), expected, "{growth} {falls}");
            assert!(!falls || seconds == 2, "a path that is full is left at once");
        }
    }

    #[test]
    fn a_path_that_is_wide_again_is_tried_one_layer_after_the_other() {
        let mut viewer = Viewer::new();
        viewer.spend(0.1, Some(100_000));
        assert_eq!(viewer.spend(10.0, None), [LOW, MIDDLE, HIGH]);
    }

    #[test]
    fn a_tile_that_is_enlarged_gets_the_larger_layer_at_once_and_one_that_shrinks_the_smaller() {
        let mut viewer = Viewer::new();
        viewer.selector.set_cap(LOW);
        assert_eq!(viewer.spend(0.1, None), [LOW]);
        viewer.selector.set_cap(HIGH);
        assert_eq!(viewer.spend(0.1, None), [HIGH]);
        viewer.selector.set_cap(MIDDLE);
        assert_eq!(viewer.spend(0.1, Some(300_000)), [LOW], "but no larger than the path carries");
    }

    #[test]
    fn the_picture_changes_at_a_keyframe_of_the_layer_and_not_before() {
        let mut viewer = Viewer::new();
        let selector = &mut viewer.selector;
        assert_eq!(selector.awaits_keyframe(), Some(HIGH));
        assert_eq!(selector.admit(HIGH, false), Admission::Drop);
        assert_eq!(selector.admit(LOW, true), Admission::Switch, "a small picture is better than none");
        assert_eq!(selector.admit(MIDDLE, true), Admission::Switch);
        assert_eq!(selector.admit(LOW, true), Admission::Drop);
        assert_eq!(selector.admit(HIGH, true), Admission::Switch);
        assert_eq!(selector.awaits_keyframe(), None);
        viewer.spend(0.1, Some(200_000));
        let selector = &mut viewer.selector;
        assert_eq!(selector.needed().iter().collect::<Vec<_>>(), [LOW, HIGH]);
        assert_eq!(selector.awaits_keyframe(), Some(LOW));
        assert_eq!(selector.admit(HIGH, false), Admission::Pass, "it goes on until the other one is there");
        assert_eq!(selector.admit(LOW, false), Admission::Drop);
        assert_eq!(selector.admit(LOW, true), Admission::Switch);
        assert_eq!(selector.admit(HIGH, true), Admission::Drop);
        assert_eq!(selector.needed().iter().collect::<Vec<_>>(), [LOW]);
    }

    #[test]
    fn a_layer_that_no_longer_comes_is_replaced_by_one_that_does_and_wanted_all_the_same() {
        let mut viewer = Viewer::new();
        viewer.selector.admit(HIGH, true);
        viewer.ladder.flowing = LayerSet::only(LOW);
        viewer.spend(0.1, None);
        assert_eq!(viewer.selector.wanted(), HIGH);
        assert_eq!(viewer.selector.awaits_keyframe(), Some(LOW));
        assert_eq!(viewer.selector.admit(LOW, true), Admission::Switch);
        assert_eq!(viewer.selector.awaits_keyframe(), None);
        viewer.ladder.flowing = LayerSet::only(LOW).with(HIGH);
        viewer.spend(0.1, None);
        assert_eq!(viewer.selector.awaits_keyframe(), Some(HIGH), "it is back");
    }

    #[test]
    fn a_publisher_with_one_layer_is_shown_whatever_the_path_carries() {
        let mut viewer = Viewer::new();
        viewer.ladder =
            Ladder { offered: LayerSet::SINGLE, flowing: LayerSet::SINGLE, ..ladder(LayerSet::ALL) };
        viewer.selector.set_cap(LOW);
        assert_eq!(viewer.spend(10.0, Some(1_000)), [HIGH]);
        assert_eq!(viewer.selector.admit(HIGH, true), Admission::Switch);
    }
}
