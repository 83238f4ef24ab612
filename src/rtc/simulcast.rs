//! Layers in session descriptions (RFC 8853) and packets (RFC 8852).

use queqiao_media::layers::{Layer, LayerSet};
use str0m::Rtc;
use str0m::media::{Mid, Rid, Rids, Simulcast, SimulcastLayer};

/// What an offer says of a section that takes in these layers; nothing where there is only one. From the smallest: encoders
/// of browsers want them in this order.
pub(super) fn offered(layers: LayerSet) -> Option<Simulcast> {
    (layers.len() > 1).then(|| {
        let mut simulcast = Simulcast::new();
        for layer in layers.iter() {
            simulcast.add_recv_layer(SimulcastLayer::new(layer.name()));
        }
        simulcast
    })
}

/// The layers that the peer has agreed to send in a section.
pub(super) fn negotiated(rtc: &Rtc, mid: Mid) -> LayerSet {
    let agreed = match rtc.media(mid).map(str0m::media::Media::rids_rx) {
        Some(Rids::Specific(rids)) => rids.iter().filter_map(|rid| Layer::from_name(rid)).collect(),
        Some(Rids::Any | Rids::None) | None => LayerSet::EMPTY,
    };
    if agreed.is_empty() { LayerSet::SINGLE } else { agreed }
}

/// The layer of a packet.
pub(super) fn layer(rid: Option<Rid>) -> Layer {
    rid.and_then(|rid| Layer::from_name(&rid)).unwrap_or(Layer::High)
}

/// By what a layer is told from the others of a section with these layers.
pub(super) fn rid(layers: LayerSet, layer: Layer) -> Option<Rid> {
    (layers != LayerSet::SINGLE).then(|| Rid::from(layer.name()))
}
