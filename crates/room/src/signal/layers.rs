//! Layers of video in messages.

/// The number of layers that a publisher has: 1, 2 or 3.
pub(super) mod count {
    use queqiao_media::layers::LayerSet;
    use serde::de::{self, Deserializer, Unexpected};
    use serde::{Deserialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(layers: &LayerSet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(layers.len())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LayerSet, D::Error> {
        match u8::deserialize(deserializer)? {
            count @ 1..=3 => Ok(LayerSet::of_count(count)),
            other => Err(de::Error::invalid_value(Unexpected::Unsigned(other.into()), &"1, 2 or 3 layers")),
        }
    }

    pub(crate) const fn one() -> LayerSet {
        LayerSet::SINGLE
    }

    pub(crate) fn is_one(layers: &LayerSet) -> bool {
        *layers == LayerSet::SINGLE
    }
}

/// The name of a layer.
pub(super) mod name {
    use queqiao_media::layers::Layer;
    use serde::de::{self, Deserializer, Unexpected};
    use serde::{Deserialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(layer: &Layer, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(layer.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Layer, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || de::Error::invalid_value(Unexpected::Str(&name), &"`l`, `m` or `h`");
        Layer::from_name(&name).ok_or_else(unknown)
    }

    pub(crate) const fn largest() -> Layer {
        Layer::High
    }

    pub(crate) fn is_largest(layer: &Layer) -> bool {
        matches!(layer, Layer::High)
    }
}

/// The names of some layers, from the smallest.
pub(super) mod names {
    use queqiao_media::layers::{Layer, LayerSet};
    use serde::de::{self, Deserializer};
    use serde::{Deserialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(layers: &LayerSet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(layers.iter().map(Layer::name))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LayerSet, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let layers: Option<LayerSet> = names.iter().map(|name| Layer::from_name(name)).collect();
        layers.ok_or_else(|| de::Error::custom("layers are `l`, `m` and `h`"))
    }
}
