//! Layers of a picture: a publisher encodes the same pictures in up to three sizes (simulcast, RFC 8853), and everybody is
//! sent the one that their path carries.
//!
//! [`LayerSelector`] decides for one viewer, [`Demand`] for the publisher, and [`LayerClocks`] puts the layers, which have
//! an RTP clock each, on one.

mod clocks;
mod demand;
mod selector;

pub use clocks::LayerClocks;
pub use demand::{Demand, RELEASE};
pub use selector::{Admission, HEADROOM_PERCENT, LayerSelector, MAX_PATIENCE, PATIENCE};

/// A layer, from the smallest picture to the largest. The only one of a publisher without simulcast is
/// [`High`](Self::High).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The smallest.
    Low,
    /// Between the two.
    Middle,
    /// The full picture.
    High,
}

impl Layer {
    /// All, from the smallest.
    pub const ALL: [Self; 3] = [Self::Low, Self::Middle, Self::High];

    /// Its name in signalling, which is its RTP stream id in descriptions and packets (RFC 8852).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "l",
            Self::Middle => "m",
            Self::High => "h",
        }
    }

    /// The layer of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Low => 1,
            Self::Middle => 2,
            Self::High => 4,
        }
    }
}

/// Some of the layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LayerSet(u8);

impl LayerSet {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// Those of a publisher without simulcast.
    pub const SINGLE: Self = Self::only(Layer::High);
    /// All of them.
    pub const ALL: Self = Self(7);

    /// One.
    #[must_use]
    pub const fn only(layer: Layer) -> Self {
        Self(layer.bit())
    }

    /// Those of a publisher that sends `count`: one, two or three. Anything else is taken for the nearest of these.
    #[must_use]
    pub const fn of_count(count: u8) -> Self {
        match count {
            0 | 1 => Self::SINGLE,
            2 => Self(Layer::Low.bit() | Layer::High.bit()),
            _ => Self::ALL,
        }
    }

    /// As a number, for an atomic to hold.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From [`Self::bits`]. Bits that mean nothing are left out.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether there is none in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many are in it.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether `layer` is in it.
    #[must_use]
    pub const fn contains(self, layer: Layer) -> bool {
        self.0 & layer.bit() != 0
    }

    /// With `layer`.
    #[must_use]
    pub const fn with(self, layer: Layer) -> Self {
        Self(self.0 | layer.bit())
    }

    /// Without `layer`.
    #[must_use]
    pub const fn without(self, layer: Layer) -> Self {
        Self(self.0 & !layer.bit())
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without_all(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// From the smallest.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Layer> {
        Layer::ALL.into_iter().filter(move |layer| self.contains(*layer))
    }

    /// The smallest.
    #[must_use]
    pub fn lowest(self) -> Option<Layer> {
        self.iter().next()
    }

    /// The largest.
    #[must_use]
    pub fn highest(self) -> Option<Layer> {
        self.iter().next_back()
    }

    /// The one that serves best who wishes for `layer`: it, the next smaller, or the smallest there is.
    #[must_use]
    pub fn best_for(self, layer: Layer) -> Option<Layer> {
        self.iter().take_while(|other| *other <= layer).last().or_else(|| self.lowest())
    }
}

impl Extend<Layer> for LayerSet {
    fn extend<I: IntoIterator<Item = Layer>>(&mut self, layers: I) {
        *self = layers.into_iter().fold(*self, Self::with);
    }
}

impl FromIterator<Layer> for LayerSet {
    fn from_iter<I: IntoIterator<Item = Layer>>(layers: I) -> Self {
        layers.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// One of something for each layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerLayer<T> {
    low: T,
    middle: T,
    high: T,
}

impl<T> PerLayer<T> {
    /// Made by `make` for each.
    pub fn new(mut make: impl FnMut() -> T) -> Self {
        Self { low: make(), middle: make(), high: make() }
    }

    /// That of `layer`.
    pub const fn get(&self, layer: Layer) -> &T {
        match layer {
            Layer::Low => &self.low,
            Layer::Middle => &self.middle,
            Layer::High => &self.high,
        }
    }

    /// That of `layer`.
    pub const fn get_mut(&mut self, layer: Layer) -> &mut T {
        match layer {
            Layer::Low => &mut self.low,
            Layer::Middle => &mut self.middle,
            Layer::High => &mut self.high,
        }
    }

    /// All, from the smallest layer.
    pub fn iter(&self) -> impl Iterator<Item = (Layer, &T)> {
        Layer::ALL.into_iter().map(|layer| (layer, self.get(layer)))
    }

    /// All, from the smallest layer.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        [&mut self.low, &mut self.middle, &mut self.high].into_iter()
    }
}

/// The layers of a stream at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// Those that its publisher has, whether it sends them now or not.
    pub offered: LayerSet,
    /// Those that arrive now.
    pub flowing: LayerSet,
    /// Bits a second, as last measured while the layer flowed. `None` if it has not flowed so far.
    pub rates: PerLayer<Option<u64>>,
}

/// How much more a layer is reckoned to take than the next smaller one while nothing is known of it: twice the width and
/// twice the height.
const STEP: u64 = 4;

impl Ladder {
    /// What `layer` takes, bits a second: as measured, or reckoned from the smaller ones. `None` where nothing is known.
    #[must_use]
    pub fn rate(&self, layer: Layer) -> Option<u64> {
        let smaller = Layer::ALL.into_iter().filter(|other| *other <= layer);
        smaller.fold(None, |below, layer| match (self.rates.get(layer), below) {
            (Some(rate), _) => Some(*rate),
            (None, Some(rate)) => Some(rate.saturating_mul(STEP)),
            (None, None) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_has_the_name_that_it_is_found_by() {
        for layer in Layer::ALL {
            assert_eq!(Layer::from_name(layer.name()), Some(layer));
        }
        assert_eq!(Layer::from_name("x"), None);
    }

    #[test]
    fn who_wishes_for_a_layer_that_is_not_there_is_served_with_the_next_smaller_or_the_smallest() {
        let two = LayerSet::of_count(2);
        assert_eq!(two.best_for(Layer::Middle), Some(Layer::Low));
        assert_eq!(two.best_for(Layer::High), Some(Layer::High));
        assert_eq!(LayerSet::SINGLE.best_for(Layer::Low), Some(Layer::High));
        assert_eq!(LayerSet::EMPTY.best_for(Layer::Low), None);
    }

    #[test]
    fn a_layer_that_has_not_flowed_is_reckoned_from_the_smaller_one() {
        let mut ladder = Ladder::default();
        assert_eq!(ladder.rate(Layer::High), None);
        *ladder.rates.get_mut(Layer::Middle) = Some(400_000);
        assert_eq!(ladder.rate(Layer::High), Some(1_600_000));
        assert_eq!(ladder.rate(Layer::Low), None);
    }
}
