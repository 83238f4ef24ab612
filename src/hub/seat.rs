//! A player's place in a stream: what it may have, and what it says of its path.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use queqiao_media::layers::{Layer, LayerSet};
use queqiao_room::signal::Tracks;

use super::HubError;
use super::capacity::Capacity;
use super::layers::Need;
use super::mix::Listener;
use super::stream::{Description, Stream};

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
    pub(super) fn take(
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
    pub(super) fn listening(mut self, listener: Arc<Listener>) -> Self {
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

#[cfg(test)]
mod tests {
    use super::super::testing::Probe;
    use super::*;

    #[test]
    fn a_stream_has_no_more_players_than_it_may_have() {
        let probe = Probe::new();
        let _seats = (probe.seat(), probe.seat());
        let (hub, grant) = probe.hub();
        assert_eq!(hub.play(grant).err(), Some(HubError::TooManyPlayers { limit: 2 }));
    }

    #[test]
    fn what_the_path_to_each_player_of_the_video_carries_is_known_while_the_player_is_there() {
        let probe = Probe::new();
        let (first, second) = (probe.seat(), probe.seat_for(Tracks::Video));
        let stream = Arc::clone(first.stream());
        assert_eq!(stream.capacities(), [None, None]);
        first.capacity().note(Some(600_000));
        assert_eq!(stream.capacities(), [Some(600_000), None]);
        first.capacity().note(None);
        drop(second);
        assert_eq!(stream.capacities(), [None]);
        let _listener = probe.seat_for(Tracks::Audio);
        assert_eq!(stream.capacities(), [None], "who only listens does not limit the picture");
    }
}
