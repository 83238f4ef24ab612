//! What has passed through a stream, and how fast it does: counted as it passes, so that nobody has to sample it.

use std::ops::Sub;
use std::time::{Duration, Instant};

use queqiao_media::layers::{Ladder, Layer, LayerSet, PerLayer};

use super::frame::{Media, RtpUnit};

/// Over how long rates are taken. Publishers without an audience are read five times a second.
const WINDOW: Duration = Duration::from_secs(1);

/// A layer that is so much older than the newest packet of another one does not flow: the layers of one picture come
/// together, and pictures more often than this.
const LAYER_STALL: Duration = Duration::from_millis(700);

/// What has been counted. Bytes are those of payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) audio_bytes: u64,
    /// RTP packets or RTMP messages.
    pub(crate) audio_packets: u64,
    pub(crate) video_bytes: u64,
    /// RTP packets or RTMP messages.
    pub(crate) video_packets: u64,
    /// Pictures.
    pub(crate) frames: u64,
    pub(crate) keyframes: u64,
    /// To all players together.
    pub(crate) sent_bytes: u64,
    /// Packets and frames that players were too slow for.
    pub(crate) skipped: u64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            audio_bytes: self.audio_bytes - earlier.audio_bytes,
            audio_packets: self.audio_packets - earlier.audio_packets,
            video_bytes: self.video_bytes - earlier.video_bytes,
            video_packets: self.video_packets - earlier.video_packets,
            frames: self.frames - earlier.frames,
            keyframes: self.keyframes - earlier.keyframes,
            sent_bytes: self.sent_bytes - earlier.sent_bytes,
            skipped: self.skipped - earlier.skipped,
        }
    }
}

/// What passes in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    pub(crate) audio_bytes: f64,
    pub(crate) video_bytes: f64,
    pub(crate) frames: f64,
    pub(crate) sent_bytes: f64,
}

impl Rates {
    fn of(counts: Counts, span: Duration) -> Self {
        let rate = |count: u64| count as f64 / span.as_secs_f64();
        Self {
            audio_bytes: rate(counts.audio_bytes),
            video_bytes: rate(counts.video_bytes),
            frames: rate(counts.frames),
            sent_bytes: rate(counts.sent_bytes),
        }
    }
}

/// A frame or packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    Audio {
        bytes: usize,
    },
    /// `packets` carry so many whole pictures; `keyframe` where a keyframe begins with them.
    Video {
        layer: Layer,
        bytes: usize,
        packets: usize,
        frames: usize,
        keyframe: bool,
    },
}

impl Passed {
    pub(super) fn of_frame(media: &Media, layer: Layer) -> Self {
        match media {
            Media::Audio(frame) => Self::Audio { bytes: frame.data.len() },
            Media::Video { unit, .. } => {
                let bytes = unit.nals.iter().map(bytes::Bytes::len).sum();
                Self::Video { layer, bytes, packets: 1, frames: 1, keyframe: unit.keyframe }
            }
        }
    }

    pub(super) fn of_rtp(unit: &RtpUnit) -> Self {
        match unit {
            RtpUnit::Audio { packet, .. } => Self::Audio { bytes: packet.payload.len() },
            RtpUnit::Video(video) => Self::Video {
                layer: video.layer,
                bytes: video.packets.iter().map(|packet| packet.payload.len()).sum(),
                packets: video.packets.len(),
                frames: video.packets.iter().filter(|packet| packet.marker).count(),
                keyframe: video.keyframe,
            },
        }
    }

    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Audio { bytes } | Self::Video { bytes, .. } => bytes,
        }
    }
}

/// What has come of one layer.
#[derive(Clone, Copy, Debug, Default)]
struct LayerMeter {
    /// In the present window.
    bytes: u64,
    latest: Option<Instant>,
    /// Whether it began, or was interrupted, in the present window, which therefore says nothing of its rate.
    partial: bool,
    /// Bits a second, over the latest windows in which it flowed.
    rate: Option<u64>,
}

impl LayerMeter {
    fn received(&mut self, now: Instant, bytes: usize) {
        self.partial |= self.latest.is_none_or(|latest| now.saturating_duration_since(latest) > LAYER_STALL);
        self.latest = Some(now);
        self.bytes += bytes as u64;
    }

    /// A window of this length is over.
    fn roll(&mut self, now: Instant, span: Duration) {
        let bytes = std::mem::take(&mut self.bytes);
        let stopped =
            self.latest.is_none_or(|latest| now.saturating_duration_since(latest) > LAYER_STALL / 2);
        if stopped || std::mem::take(&mut self.partial) {
            return;
        }
        let rate = (bytes as f64 * 8.0 / span.as_secs_f64()) as u64;
        // A keyframe makes one window stand out, and halves of two do not.
        self.rate = Some(self.rate.map_or(rate, |before| before.midpoint(rate)));
    }
}

/// The meter of one publisher's stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    started: Instant,
    counts: Counts,
    layers: PerLayer<LayerMeter>,
    /// When the window began, and what had been counted by then.
    window: (Instant, Counts),
    /// Of the window before.
    rates: Rates,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        let counts = Counts::default();
        Self {
            started: now,
            counts,
            layers: PerLayer::default(),
            window: (now, counts),
            rates: Rates::default(),
        }
    }

    /// Something came from the publisher.
    pub(super) fn received(&mut self, now: Instant, passed: Passed) {
        self.roll(now);
        let counts = &mut self.counts;
        match passed {
            Passed::Audio { bytes } => {
                counts.audio_bytes += bytes as u64;
                counts.audio_packets += 1;
            }
            Passed::Video { layer, bytes, packets, frames, keyframe } => {
                self.layers.get_mut(layer).received(now, bytes);
                counts.video_bytes += bytes as u64;
                counts.video_packets += packets as u64;
                counts.frames += frames as u64;
                counts.keyframes += u64::from(keyframe);
            }
        }
    }

    /// It went to `receivers` players, who had to leave out `skipped`.
    pub(super) fn sent(&mut self, now: Instant, passed: Passed, receivers: usize, skipped: u64) {
        self.roll(now);
        self.counts.sent_bytes += (passed.bytes() as u64) * (receivers as u64);
        self.counts.skipped += skipped;
    }

    /// A player has left out `frames` that were in its queue.
    pub(super) fn left_out(&mut self, frames: u64) {
        self.counts.skipped += frames;
    }

    /// Since when the publisher is there, what has been counted, and how fast it goes.
    pub(super) fn read(&self, now: Instant) -> (Duration, Counts, Rates) {
        let span = now.saturating_duration_since(self.window.0);
        // Windows end when something passes. Where nothing does, the rate sinks.
        let rates =
            if span >= 2 * WINDOW { Rates::of(self.counts - self.window.1, span) } else { self.rates };
        (now.saturating_duration_since(self.started), self.counts, rates)
    }

    /// Which layers flow and how fast, of a publisher that has `offered`.
    pub(super) fn ladder(&self, offered: LayerSet) -> Ladder {
        let latest = self.layers.iter().filter_map(|(_, meter)| meter.latest).max();
        let mut ladder = Ladder { offered, ..Ladder::default() };
        for layer in offered.iter() {
            let meter = self.layers.get(layer);
            let age = latest.zip(meter.latest).map(|(newest, own)| newest.saturating_duration_since(own));
            if age.is_some_and(|age| age <= LAYER_STALL) {
                ladder.flowing = ladder.flowing.with(layer);
            }
            *ladder.rates.get_mut(layer) = meter.rate;
        }
        ladder
    }

    fn roll(&mut self, now: Instant) {
        let span = now.saturating_duration_since(self.window.0);
        if span >= WINDOW {
            for layer in self.layers.values_mut() {
                layer.roll(now, span);
            }
            self.rates = Rates::of(self.counts - self.window.1, span);
            self.window = (now, self.counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: Passed =
        Passed::Video { layer: Layer::High, bytes: 1_000, packets: 1, frames: 1, keyframe: false };

    /// Pictures at these milliseconds, each to two players.
    fn meter(start: Instant, times: impl IntoIterator<Item = u64>) -> Meter {
        let mut meter = Meter::new(start);
        for time in times {
            let now = start + Duration::from_millis(time);
            meter.received(now, PICTURE);
            meter.sent(now, PICTURE, 2, 0);
        }
        meter
    }

    #[test]
    fn a_rate_is_that_of_the_last_whole_second() {
        let start = Instant::now();
        let meter = meter(start, (0..75).map(|frame| frame * 40));
        let (since, counts, rates) = meter.read(start + Duration::from_secs(3));
        assert_eq!((since.as_secs(), counts.frames, counts.sent_bytes), (3, 75, 150_000));
        assert_eq!((rates.frames, rates.video_bytes, rates.sent_bytes), (25.0, 25_000.0, 50_000.0));
    }

    #[test]
    fn a_publisher_that_is_read_five_times_a_second_shows_its_true_rate() {
        let start = Instant::now();
        let bursts = (1..20).flat_map(|burst| [burst * 200; 5]);
        let (_, _, rates) = meter(start, bursts).read(start + Duration::from_millis(3_900));
        assert_eq!(rates.frames, 25.0);
    }

    #[test]
    fn a_publisher_that_has_stopped_is_seen_to_slow_down() {
        let start = Instant::now();
        let meter = meter(start, (0..50).map(|frame| frame * 40));
        let fps = |seconds| meter.read(start + Duration::from_secs(seconds)).2.frames;
        assert_eq!(fps(2), 25.0);
        assert!(fps(5) < 7.0 && fps(100) < 0.3, "{} {}", fps(5), fps(100));
    }

    #[test]
    fn a_layer_that_stops_while_others_go_on_does_not_flow_and_its_rate_is_remembered() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let picture = |layer, bytes| Passed::Video { layer, bytes, packets: 1, frames: 1, keyframe: false };
        for frame in 0..250 {
            let now = start + Duration::from_millis(40 * frame);
            meter.received(now, picture(Layer::Low, 500));
            if frame < 135 {
                meter.received(now, picture(Layer::High, 5_000));
            }
        }
        let ladder = meter.ladder(LayerSet::ALL);
        assert_eq!(ladder.flowing, LayerSet::only(Layer::Low));
        let rates = Layer::ALL.map(|layer| *ladder.rates.get(layer));
        assert_eq!(rates, [Some(100_000), None, Some(1_000_000)]);
    }

    #[test]
    fn what_is_held_back_is_received_and_not_sent() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        meter.received(start, Passed::Audio { bytes: 100 });
        meter.received(
            start,
            Passed::Video { layer: Layer::High, bytes: 500, packets: 3, frames: 1, keyframe: true },
        );
        meter.sent(start, Passed::Audio { bytes: 100 }, 0, 7);
        let expected = Counts {
            audio_bytes: 100,
            audio_packets: 1,
            video_bytes: 500,
            video_packets: 3,
            frames: 1,
            keyframes: 1,
            sent_bytes: 0,
            skipped: 7,
        };
        assert_eq!(meter.read(start).1, expected);
    }
}
