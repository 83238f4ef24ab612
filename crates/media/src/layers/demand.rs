//! Which layers a publisher is asked for.

use std::time::{Duration, Instant};

use super::{LayerSet, PerLayer};

/// How long a layer goes on that nobody needs any longer. Encoders begin a layer with a keyframe, which is dear; and who has
/// just changed may change back.
pub const RELEASE: Duration = Duration::from_secs(5);

/// Which layers a publisher is asked to send: at once what somebody needs, and no longer, [`RELEASE`] after the last one
/// needed it, what nobody does. While nobody watches at all it keeps one layer, so that who comes has a picture at once.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    asked: LayerSet,
    /// Since when nobody needs a layer that is still asked for.
    idle: PerLayer<Option<Instant>>,
}

impl Demand {
    /// A publisher that sends `offered` unless it is asked for less.
    #[must_use]
    pub fn new(offered: LayerSet) -> Self {
        Self { asked: offered, idle: PerLayer::default() }
    }

    /// What it is asked for.
    #[must_use]
    pub const fn asked(&self) -> LayerSet {
        self.asked
    }

    /// Takes what is needed at `now`, of what the publisher has. Returns what to ask for, if that is news.
    pub fn update(&mut self, now: Instant, needed: LayerSet) -> Option<LayerSet> {
        let kept = if needed.is_empty() {
            self.asked.highest().map_or(LayerSet::EMPTY, LayerSet::only)
        } else {
            needed
        };
        let mut asked = kept;
        for layer in self.asked.iter() {
            let idle = self.idle.get_mut(layer);
            if kept.contains(layer) {
                *idle = None;
            } else if now.saturating_duration_since(*idle.get_or_insert(now)) < RELEASE {
                asked = asked.with(layer);
            } else {
                *idle = None;
            }
        }
        (std::mem::replace(&mut self.asked, asked) != asked).then_some(asked)
    }

    /// When [`Self::update`] has news without anybody needing anything else.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.asked.iter().filter_map(|layer| *self.idle.get(layer)).min().map(|since| since + RELEASE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Layer;
    use super::*;

    #[test]
    fn a_layer_that_is_needed_is_asked_for_at_once_and_let_go_after_a_while() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let (low, high) = (LayerSet::only(Layer::Low), LayerSet::only(Layer::High));
        let mut demand = Demand::new(LayerSet::ALL);
        assert_eq!(demand.update(at(0), high), None, "what is sent already goes on for a while");
        assert_eq!(demand.poll_timeout(), Some(at(0) + RELEASE));
        assert_eq!(demand.update(at(5_000), high), Some(high));
        assert_eq!(demand.poll_timeout(), None);
        assert_eq!(demand.update(at(6_000), low.union(high)), Some(low.union(high)));
        assert_eq!(demand.update(at(7_000), low), None);
        assert_eq!(demand.update(at(11_999), low), None);
        assert_eq!(demand.update(at(12_000), low), Some(low));
    }

    #[test]
    fn a_viewer_who_changes_to_and_fro_does_not_make_the_publisher_do_so() {
        let start = Instant::now();
        let (low, high) = (LayerSet::only(Layer::Low), LayerSet::only(Layer::High));
        let mut demand = Demand::new(low.union(high));
        for second in 0..60 {
            let needed = if second % 4 < 2 { low } else { high };
            assert_eq!(demand.update(start + Duration::from_secs(second), needed), None);
        }
    }

    #[test]
    fn while_nobody_watches_one_layer_goes_on() {
        let start = Instant::now();
        let low = LayerSet::only(Layer::Low);
        let mut demand = Demand::new(LayerSet::ALL);
        demand.update(start, LayerSet::EMPTY);
        assert_eq!(demand.update(start + RELEASE, LayerSet::EMPTY), Some(LayerSet::only(Layer::High)));
        demand.update(start + RELEASE, low);
        assert_eq!(demand.update(start + 2 * RELEASE, low), Some(low));
        assert_eq!(demand.update(start + 4 * RELEASE, LayerSet::EMPTY), None, "the one that was watched");
    }
}
