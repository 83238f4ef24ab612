//! Which layers the publisher of a stream has, and which of them its players need.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use queqiao_media::layers::{LayerSet, PerLayer};

/// The layers of one stream.
#[derive(Debug)]
pub(super) struct Layers {
    offered: AtomicU8,
    /// How many players need each. Bounded by the limit of players.
    needed: Mutex<PerLayer<usize>>,
}

impl Default for Layers {
    /// Those of a publisher without simulcast, and nobody who needs them.
    fn default() -> Self {
        Self { offered: AtomicU8::new(LayerSet::SINGLE.bits()), needed: Mutex::default() }
    }
}

impl Layers {
    pub(super) fn offer(&self, layers: LayerSet) {
        self.offered.store(layers.bits(), Ordering::Release);
    }

    pub(super) fn offered(&self) -> LayerSet {
        LayerSet::from_bits(self.offered.load(Ordering::Acquire))
    }

    /// Of those that are offered, what anybody needs.
    pub(super) fn needed(&self) -> LayerSet {
        let needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        let anybody = needed.iter().filter(|(_, players)| **players > 0).map(|(layer, _)| layer);
        anybody.filter_map(|layer| self.offered().best_for(layer)).collect()
    }

    /// A player needs other layers than before. Returns whether anybody else does not.
    fn change(&self, before: LayerSet, after: LayerSet) -> bool {
        let mut needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = false;
        for layer in before.without_all(after).iter() {
            let players = needed.get_mut(layer);
            *players = players.saturating_sub(1);
            news |= *players == 0;
        }
        for layer in after.without_all(before).iter() {
            let players = needed.get_mut(layer);
            news |= *players == 0;
            *players += 1;
        }
        news
    }
}

/// What one player needs.
#[derive(Debug, Default)]
pub(super) struct Need(AtomicU8);

impl Need {
    /// The player needs these from now on. Returns whether that changes what is needed of the stream.
    pub(super) fn set(&self, layers: LayerSet, of: &Layers) -> bool {
        let before = LayerSet::from_bits(self.0.swap(layers.bits(), Ordering::AcqRel));
        before != layers && of.change(before, layers)
    }
}

#[cfg(test)]
mod tests {
    use queqiao_media::layers::Layer;

    use super::*;

    #[test]
    fn a_layer_is_needed_for_as_long_as_one_player_needs_it() {
        let (layers, one, other) = (Layers::default(), Need::default(), Need::default());
        layers.offer(LayerSet::ALL);
        let (low, high) = (LayerSet::only(Layer::Low), LayerSet::only(Layer::High));
        assert!(one.set(low, &layers) && other.set(low.union(high), &layers));
        assert!(!one.set(high, &layers), "the other one still needs the lower, and the higher already");
        assert!(other.set(LayerSet::EMPTY, &layers));
        assert_eq!(layers.needed(), high);
        assert!(!one.set(high, &layers));
    }

    #[test]
    fn who_needs_a_layer_that_is_not_offered_needs_the_one_that_it_gets_instead() {
        let (layers, need) = (Layers::default(), Need::default());
        need.set(LayerSet::only(Layer::Low), &layers);
        assert_eq!(layers.needed(), LayerSet::SINGLE);
        layers.offer(LayerSet::of_count(2));
        assert_eq!(layers.needed(), LayerSet::only(Layer::Low));
    }
}
