//! The places of those who play a stream.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use queqiao_media::layers::{Layer, LayerSet};
use queqiao_room::signal::Tracks;

use super::{Description, Stream};
use crate::hub::HubError;
use crate::hub::capacity::Capacity;
use crate::hub::layers::Need;
use crate::hub::mix::Listener;

/// A player's place in a stream. Dropping it gives the place up.
pub(crate) struct Seat {
    stream: Arc<Stream>,
    tracks: Tracks,
    capacity: Arc<Capacity>,
    /// What keeps a stream going that the server makes.
    listener: Option<Arc<Listener>>,
    max_layer: Layer,
    need: Need,
}

impl Seat {
    pub(in crate::hub) fn take(
        stream: Arc<Stream>,
        tracks: Tracks,
        max_layer: Layer,
        limit: usize,
    ) -> Result<Self, HubError> {
        if stream.players.fetch_add(1, Ordering::AcqRel) >= limit {
            stream.players.fetch_sub(1, Ordering::AcqRel);
            return Err(HubError::TooManyPlayers { limit });
        }
        let capacity = stream.capacities.join(tracks);
        Ok(Self { stream, tracks, capacity, max_layer, need: Need::default(), listener: None })
    }

    /// The same place in a stream that the server makes as long as somebody has one.
    pub(in crate::hub) fn listening(mut self, listener: Arc<Listener>) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Which tracks its player wants.
    pub(crate) const fn tracks(&self) -> Tracks {
        self.tracks
    }

    /// What is known of these tracks. A single one is wanted whether or not the stream has it yet.
    pub(crate) fn description(&self) -> Description {
        let known = self.stream.description();
        match self.tracks {
            Tracks::Both => known,
            Tracks::Audio => Description { video: false, audio: true, params: None, ..known },
            Tracks::Video => Description { video: true, audio: false, config: None, ..known },
        }
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// How far its player may be behind live, if it plays over TCP.
    pub(crate) fn max_lag(&self) -> Duration {
        self.stream.hub.settings.max_lag
    }

    /// The largest layer of the video that its player wishes for.
    pub(crate) const fn max_layer(&self) -> Layer {
        self.max_layer
    }

    /// Its player needs these layers of the video from now on.
    pub(crate) fn need(&self, layers: LayerSet) {
        if self.need.set(layers, &self.stream.layers) {
            self.stream.with_publisher(|control| control.needs_changed());
        }
    }

    /// Where its player notes what the path carries.
    pub(crate) fn capacity(&self) -> &Capacity {
        &self.capacity
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.need(LayerSet::EMPTY);
        self.stream.capacities.leave(&self.capacity);
        self.stream.players.fetch_sub(1, Ordering::AcqRel);
    }
}
