//! The publishing end of a stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use queqiao_media::layers::{Layer, LayerSet};
use queqiao_media::time::StreamTime;

use super::{Description, NativeForm, Publisher, PublisherControl, Stream, WebRtcVideo, lock};
use crate::hub::frame::{Frame, Media, RtpUnit, SourceId};
use crate::hub::gate::Form;
use crate::hub::meter::Passed;
use crate::hub::mix::Sound;
use crate::hub::queue::Pushed;
use crate::hub::{Settings, transcode};

/// The distance of a publisher from the one before it. The first sound that a transcoder makes lies up to 33 ms
/// before the first frame that went in; more than that only grows the buffers of players.
const HANDOVER: StreamTime = StreamTime::new(35_000);

/// What a publishing session feeds its stream through. Shared with the threads that derive its other form.
pub(crate) struct Source {
    pub(super) id: SourceId,
    native: NativeForm,
    /// How far ahead of its arrival the source is placed, so that it begins after all that came before it.
    ahead: StreamTime,
    stream: Arc<Stream>,
    pub(super) next_index: AtomicU64,
}

impl Source {
    pub(crate) fn id(&self) -> SourceId {
        self.id
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.stream.hub.settings
    }

    pub(crate) fn pool(&self) -> &transcode::Pool {
        &self.stream.hub.pool
    }

    /// Where what arrives at `at` belongs on the stream's timeline.
    pub(crate) fn time_at(&self, at: Instant) -> StreamTime {
        StreamTime::from_duration(at.saturating_duration_since(self.stream.epoch)) + self.ahead
    }

    pub(crate) fn frames_wanted(&self) -> bool {
        self.stream.frames.is_wanted()
    }

    /// Whether the sound is mixed.
    pub(crate) fn mix_wanted(&self) -> bool {
        self.stream.tapped.load(Ordering::Acquire)
    }

    /// Whether anybody takes the pictures of `layer` as frames.
    pub(crate) fn layer_wanted(&self, layer: Layer) -> bool {
        self.stream.frames.accepted().contains(layer)
    }

    /// Says which layers there are, before any comes.
    pub(crate) fn offer_layers(&self, layers: LayerSet) {
        if self.is_current() {
            self.stream.layers.offer(layers);
        }
    }

    pub(crate) fn rtp_wanted(&self) -> bool {
        self.stream.rtp.is_wanted()
    }

    /// The share of packets, 0 to 1, that players report as lost.
    pub(crate) fn loss(&self, now: Instant) -> f32 {
        self.stream.loss(now)
    }

    /// Whether sound is passed on. What is held back need not be transcoded.
    pub(crate) fn sound_passes(&self) -> bool {
        self.stream.gate.audio()
    }

    /// Publishes a frame. A source that was replaced publishes to nobody.
    pub(crate) fn push_frame(&self, now: Instant, media: Media) -> Arc<Frame> {
        self.push_layer(now, Layer::High, media)
    }

    /// Publishes a frame of a layer.
    pub(crate) fn push_layer(&self, now: Instant, layer: Layer, mut media: Media) -> Arc<Frame> {
        let index = self.next_index.fetch_add(1, Ordering::Relaxed);
        if !self.is_current() {
            return Arc::new(Frame::new(self.id, index, layer, media));
        }
        // Held to the end: what is made up for a missing track must not come in between.
        let mut filler = lock(&self.stream.filler);
        let passes = match &mut media {
            Media::Video { unit, .. } => {
                let passes = self.stream.gate.video(Form::Frames, layer, unit.keyframe);
                if passes {
                    if self.native == NativeForm::Frames {
                        self.stream.sei.tell(&self.stream.key, unit, now);
                    }
                    self.stream.sei.fill(unit, layer, self.stream.offered_layers(), now);
                    filler.admit_picture(self.time_at(now), layer, unit);
                }
                passes
            }
            Media::Audio(frame) if self.stream.gate.audio() => {
                self.stream.bridge(self, &mut filler, now, frame.time);
                filler.admit_sound(self.time_at(now), frame)
            }
            Media::Audio(_) => false,
        };
        let frame = Arc::new(Frame::new(self.id, index, layer, media));
        self.hand_out(now, &frame, passes);
        frame
    }

    /// Publishes a frame that other streams have in common. Nothing of such a stream is held back or made up.
    pub(in crate::hub) fn pass_on(&self, now: Instant, frame: &Arc<Frame>) {
        if self.is_current() {
            self.hand_out(now, frame, true);
        }
    }

    fn hand_out(&self, now: Instant, frame: &Arc<Frame>, passes: bool) {
        self.note_time(frame.time());
        let passed = Passed::of_frame(&frame.media, frame.layer);
        if !passes {
            self.count(now, NativeForm::Frames, passed, Pushed::default());
            return;
        }
        match &frame.media {
            Media::Video { unit, .. } => {
                if self.native == NativeForm::Frames {
                    let bytes = passed.bytes();
                    lock(&self.stream.gop).push(Arc::clone(frame), bytes, unit.keyframe);
                }
                note(
                    &mut lock(&self.stream.description),
                    |known| (&mut known.video, &mut known.params),
                    &unit.params,
                );
            }
            Media::Audio(audio) => {
                note(
                    &mut lock(&self.stream.description),
                    |known| (&mut known.audio, &mut known.config),
                    &audio.config,
                );
            }
        }
        if let (Media::Audio(audio), NativeForm::Frames) = (&frame.media, self.native) {
            self.stream.mix(self.id, now, || Sound::Aac(audio.clone()));
        }
        let pushed = self.stream.frames.push(now, frame);
        self.count(now, NativeForm::Frames, passed, pushed);
        if pushed.keyframe_needed {
            self.stream.request_keyframe();
        }
    }

    /// Publishes RTP. A source that was replaced publishes to nobody.
    pub(crate) fn push_rtp(&self, now: Instant, unit: &RtpUnit) {
        if !self.is_current() {
            return;
        }
        if let Some(time) = unit.time() {
            self.note_time(time);
        }
        let passes = match unit {
            RtpUnit::Video(video) => self.stream.gate.video(Form::Rtp, video.layer, video.keyframe),
            RtpUnit::Audio { .. } => self.stream.gate.audio(),
        };
        if let (RtpUnit::Audio { packet, .. }, NativeForm::Rtp, true) = (unit, self.native, passes) {
            self.stream.mix(self.id, now, || Sound::Rtp(packet.clone()));
        }
        let pushed = if passes { self.stream.rtp.push(now, unit) } else { Pushed::default() };
        self.count(now, NativeForm::Rtp, Passed::of_rtp(unit), pushed);
        if pushed.keyframe_needed {
            self.stream.request_keyframe();
        }
    }

    /// Counts RTP that nobody takes as it is.
    pub(crate) fn count_rtp(&self, now: Instant, passed: Passed) {
        if self.is_current() {
            lock(&self.stream.meter).received(now, passed);
        }
    }

    /// What comes in the other form than the publisher's own is derived: it is sent, but was not received.
    fn count(&self, now: Instant, form: NativeForm, passed: Passed, pushed: Pushed) {
        let mut meter = lock(&self.stream.meter);
        if form == self.native {
            meter.received(now, passed);
        }
        meter.sent(now, passed, pushed.receivers, pushed.skipped);
    }

    /// Says whether the video can go to WebRTC peers.
    pub(crate) fn set_webrtc_video(&self, webrtc: WebRtcVideo) {
        lock(&self.stream.description).webrtc = webrtc;
    }

    /// Says which media will come, where the publisher has said so before it sends any.
    pub(crate) fn declare(&self, video: bool, audio: bool) {
        let mut description = lock(&self.stream.description);
        description.video |= video;
        description.audio |= audio;
    }

    pub(super) fn note_time(&self, time: StreamTime) {
        self.stream.latest.fetch_max(time.get(), Ordering::Relaxed);
    }

    pub(super) fn is_current(&self) -> bool {
        *self.stream.presence.borrow() == Some(self.id)
    }
}

/// Notes a track and its configuration, which nearly always is the one already known.
pub(super) fn note<T>(
    description: &mut Description,
    track: impl Fn(&mut Description) -> (&mut bool, &mut Option<Arc<T>>),
    config: &Arc<T>,
) {
    let (present, known) = track(description);
    *present = true;
    if !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, config)) {
        *known = Some(Arc::clone(config));
    }
}

/// The right to publish a stream, held by the publishing session. Dropping it ends the publication.
pub(crate) struct Publication {
    source: Arc<Source>,
}

impl Publication {
    pub(in crate::hub) fn new(
        stream: Arc<Stream>,
        id: SourceId,
        native: NativeForm,
        control: Arc<dyn PublisherControl>,
    ) -> Self {
        let arrival = StreamTime::from_duration(stream.epoch.elapsed());
        let latest = StreamTime::new(stream.latest.load(Ordering::Relaxed));
        // Without a publisher before there is nothing to stay behind of.
        let ahead = if latest == StreamTime::ZERO {
            latest
        } else {
            (latest + HANDOVER - arrival).max(StreamTime::ZERO)
        };
        let source = Arc::new(Source {
            id,
            native,
            ahead,
            stream: Arc::clone(&stream),
            next_index: AtomicU64::new(0),
        });
        stream.begin(Publisher { source: Arc::clone(&source), control });
        Self { source }
    }

    pub(crate) fn source(&self) -> &Arc<Source> {
        &self.source
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.source.stream.end(self.source.id);
    }
}
