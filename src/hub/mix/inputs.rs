//! The sound of the room's tracks, decoded once whoever hears it.

use std::collections::BTreeMap;
use std::time::Instant;

use queqiao_media::frame::OpusPacket;
use queqiao_media::rtp::{JitterBuffer, OpusReceiver, Waits};
use queqiao_mix::{Mixer, Track, Use};
use queqiao_room::StreamKind;
use queqiao_transcode::{AacToPcm, OpusToPcm};
use tracing::{debug, warn};

use super::{Arrival, RoomMix, Sound};
use crate::hub::SourceId;

enum Decoder {
    Aac(Box<AacToPcm>),
    Opus { jitter: JitterBuffer<48_000>, receiver: OpusReceiver, decoder: OpusToPcm },
}

struct Input {
    source: SourceId,
    decoder: Decoder,
}

/// The tracks that have a decoder.
#[derive(Default)]
pub(super) struct Inputs {
    inputs: BTreeMap<Track, Input>,
    packets: Vec<OpusPacket>,
}

impl Inputs {
    /// Takes in what has come to a track.
    pub(super) fn take(&mut self, room: &RoomMix, mixer: &mut Mixer, arrival: Arrival) {
        let (track, source, at, sound) = match arrival {
            Arrival::Ended { track } => {
                self.inputs.remove(&track);
                mixer.remove(track);
                return;
            }
            Arrival::Sound { track, source, at, sound } => (track, source, at, sound),
        };
        if self.inputs.get(&track).is_none_or(|input| input.source != source) {
            let Some(known) = room.known(track) else { return };
            let what = if known.key.kind == StreamKind::Screen { Use::Program } else { Use::Voice };
            if let Err(error) = mixer.add(track, known.owner, what) {
                debug!(stream = %known.key, %error, "not mixed");
                return;
            }
            let Some(decoder) = Decoder::of(&sound) else { return };
            self.inputs.insert(track, Input { source, decoder });
        }
        let Some(input) = self.inputs.get_mut(&track) else { return };
        match (&mut input.decoder, sound) {
            (Decoder::Aac(decoder), Sound::Aac(frame)) => match decoder.push(&frame) {
                Ok(Some((time, samples))) => {
                    if let Some(playout) = mixer.playout(track) {
                        playout.push(room.time_at(at), time, samples);
                    }
                }
                Ok(None) => {}
                Err(error) => warn!(%error, "a track is not mixed"),
            },
            (Decoder::Opus { jitter, .. }, Sound::Rtp(packet)) => {
                jitter.push(at, packet);
                Self::release(input, &mut self.packets, track, room, mixer, at);
            }
            // A source has one form.
            (Decoder::Aac(_), Sound::Rtp(_)) | (Decoder::Opus { .. }, Sound::Aac(_)) => {}
        }
    }

    /// Gives up on what is too late.
    pub(super) fn poll(&mut self, room: &RoomMix, mixer: &mut Mixer, now: Instant) {
        for (track, input) in &mut self.inputs {
            Self::release(input, &mut self.packets, *track, room, mixer, now);
        }
    }

    fn release(
        input: &mut Input,
        packets: &mut Vec<OpusPacket>,
        track: Track,
        room: &RoomMix,
        mixer: &mut Mixer,
        at: Instant,
    ) {
        let Decoder::Opus { jitter, receiver, decoder } = &mut input.decoder else { return };
        while let Some(item) = jitter.poll(at) {
            receiver.push(item, packets);
        }
        for packet in packets.drain(..) {
            if let (Some((time, samples)), Some(playout)) = (decoder.push(&packet), mixer.playout(track)) {
                playout.push(room.time_at(at), time, samples);
            }
        }
    }
}

impl Decoder {
    fn of(sound: &Sound) -> Option<Self> {
        match sound {
            Sound::Aac(_) => Some(Self::Aac(Box::default())),
            Sound::Rtp(_) => match OpusToPcm::new() {
                Ok(decoder) => Some(Self::Opus {
                    jitter: JitterBuffer::new(Waits::AUDIO),
                    receiver: OpusReceiver::default(),
                    decoder,
                }),
                Err(error) => {
                    warn!(%error, "a track is not mixed");
                    None
                }
            },
        }
    }
}
