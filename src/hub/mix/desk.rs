//! What one room's mix consists of, block after block, on the thread that makes it.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use queqiao_media::layers::Layer;
use queqiao_mix::{Lane, Mixer, Owner, block_time};
use queqiao_room::StreamKind;
use tracing::{debug, info};

use super::inputs::Inputs;
use super::lanes::Lanes;
use super::show::Shows;
use super::{Arrival, Listener, RoomMix, Tally};
use crate::hub::frame::{Frame, Media, SourceId};

/// The number of the first block. Frames lie before the sound that they are made of by the encoder's delay, two blocks, and
/// players know no time before zero.
const FIRST_BLOCK: u64 = 4;

/// Blocks that go out together. A listener costs a wake-up and a system call each time, and a player of RTMP keeps several
/// times as much in store as it waits longer for it.
const BLOCKS_AT_ONCE: u64 = 2;

/// What became of a block.
pub(super) enum Tick {
    Done,
    RoomGone,
}

/// Numbers the frames of a room, whatever they show.
pub(super) struct Numbering {
    source: SourceId,
    next: u64,
}

impl Numbering {
    pub(super) fn frame(&mut self, media: Media) -> Arc<Frame> {
        let index = self.next;
        self.next += 1;
        Arc::new(Frame::new(self.source, index, Layer::High, media))
    }
}

/// One room's mixer with everything before and behind it.
pub(super) struct Desk {
    room: Weak<RoomMix>,
    name: String,
    mixer: Mixer,
    inputs: Inputs,
    lanes: Lanes,
    shows: Shows,
    numbering: Numbering,
    block: u64,
    speaker: Option<Owner>,
    arrivals: Vec<Arrival>,
    /// Frames that go out with the block that completes theirs, in their order.
    outbox: Vec<(Weak<Listener>, Arc<Frame>)>,
}

impl Desk {
    pub(super) fn new(room: &Arc<RoomMix>) -> Result<Self, queqiao_transcode::Error> {
        let settings = &room.hub.settings;
        let lanes = Lanes::new(settings.aac)?;
        let name = format!("{}/{}", room.key.app, room.key.room);
        info!(room = %name, "mix begun");
        Ok(Self {
            room: Arc::downgrade(room),
            name,
            mixer: Mixer::default(),
            inputs: Inputs::default(),
            lanes,
            shows: Shows::new(settings.gop_bytes, settings.gop_frames),
            numbering: Numbering { source: room.source, next: 0 },
            block: FIRST_BLOCK,
            speaker: None,
            arrivals: Vec::new(),
            outbox: Vec::new(),
        })
    }

    pub(super) fn room(&self) -> &str {
        &self.name
    }

    /// Makes the next block, of everything that there is at `at`, after `skipped` that are left out.
    pub(super) fn tick(&mut self, at: Instant, skipped: u64) -> Tick {
        let Some(room) = self.room.upgrade() else { return Tick::RoomGone };
        self.block += 1 + skipped;
        room.hub.mixing.block(skipped);
        let mut arrivals = std::mem::take(&mut self.arrivals);
        room.take(&mut arrivals);
        for arrival in arrivals.drain(..) {
            self.inputs.take(&room, &mut self.mixer, arrival);
        }
        self.arrivals = arrivals;
        self.inputs.poll(&room, &mut self.mixer, at);
        let now = block_time(self.block);
        self.mixer.tick(now);
        let listeners = room.listeners();
        let newcomers = self.encode_sound(&room.hub.mixing, &listeners);
        if self.block.is_multiple_of(BLOCKS_AT_ONCE) || newcomers > 0 {
            self.send_sound(at);
        }
        self.shows.tick(&room, &self.mixer, &listeners, &mut self.numbering, at, now);
        self.follow_speaker(&room);
        Tick::Done
    }

    /// One frame for all who hear the same. Returns for how many listeners it is the first, who need it before any picture:
    /// players take what they know by then for all that there is.
    fn encode_sound(&mut self, mixing: &Tally, listeners: &[Arc<Listener>]) -> usize {
        let mut frames = BTreeMap::<Lane, Option<Arc<Frame>>>::new();
        let mut newcomers = 0;
        for listener in listeners {
            newcomers += usize::from(listener.begin());
            let lane = self.mixer.lane(listener.owner);
            if let Some(frame) = frames.entry(lane).or_insert_with(|| self.encode(mixing, lane)) {
                self.outbox.push((Arc::downgrade(listener), Arc::clone(frame)));
            }
        }
        self.lanes.settle(self.block);
        newcomers
    }

    /// Sends what was encoded: all at once, so that the threads of its listeners wake once, and do so for whole lots.
    fn send_sound(&mut self, at: Instant) {
        self.outbox.sort_by_key(|(listener, _)| Weak::as_ptr(listener));
        for (listener, frame) in self.outbox.drain(..) {
            if let Some(listener) = listener.upgrade() {
                listener.push(at, &frame);
            }
        }
    }

    fn encode(&mut self, mixing: &Tally, lane: Lane) -> Option<Arc<Frame>> {
        match self.lanes.encode(mixing, &self.mixer, lane, self.block) {
            Ok(frame) => frame.map(|frame| self.numbering.frame(Media::Audio(frame))),
            Err(error) => {
                debug!(%error, "a block was not encoded");
                None
            }
        }
    }

    fn follow_speaker(&mut self, room: &RoomMix) {
        let speaker = self.mixer.speakers().current();
        if speaker == self.speaker {
            return;
        }
        self.speaker = speaker;
        if let Some((_, known)) = speaker.and_then(|owner| room.camera(owner)) {
            room.announce(known.key.uid);
        }
    }
}

impl Listener {
    pub(super) const fn shows_speaker(&self) -> bool {
        matches!(self.kind, StreamKind::Speaker)
    }
}
