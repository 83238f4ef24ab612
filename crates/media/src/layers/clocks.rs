//! One RTP clock for all layers of a stream.

use super::{Layer, PerLayer};
use crate::sync::NtpTime;
use crate::time::{StreamTime, VideoTicks};

/// The largest step of a layer's clock, beyond the time that has passed, before it is placed anew.
const MAX_STEP: StreamTime = StreamTime::new(5_000_000);

/// The largest correction that sender reports are believed: more than that no two layers of one picture arrive apart.
const MAX_CORRECTION: VideoTicks = VideoTicks::new(90_000);

/// Puts the RTP clocks of a stream's layers, each with an origin of its own (RFC 3550 section 5.1), on that of the first
/// one that was heard.
///
/// A layer is placed by when it arrives, until sender reports (RFC 3550 section 6.4.1) of it and of that first one tell
/// exactly. Packets of one picture always get the same time.
#[derive(Clone, Debug, Default)]
pub struct LayerClocks {
    reference: Option<Layer>,
    tracks: PerLayer<Option<Track>>,
}

#[derive(Clone, Copy, Debug)]
struct Track {
    /// The latest time on the layer's own clock, and when it arrived.
    latest: VideoTicks,
    arrival: StreamTime,
    /// What is added to get the time on the common clock.
    offset: VideoTicks,
    /// What is added from the next picture on.
    next_offset: VideoTicks,
    report: Option<Report>,
}

/// The publisher's wall clock, and the layer's own at the same time.
#[derive(Clone, Copy, Debug)]
struct Report {
    wall: VideoTicks,
    ticks: VideoTicks,
}

impl LayerClocks {
    /// The time of a packet of `layer` on the common clock. `arrival` is when it came, on any steady clock.
    pub fn map(&mut self, layer: Layer, ticks: VideoTicks, arrival: StreamTime) -> VideoTicks {
        let reference = *self.reference.get_or_insert(layer);
        let jumped = self.tracks.get(layer).is_some_and(|track| track.jumps_to(ticks, arrival));
        if jumped && layer == reference {
            // What was known of the others was known in relation to it.
            self.tracks = PerLayer::default();
        }
        let known = self.tracks.get_mut(layer).filter(|_| !jumped);
        let track = match known {
            Some(mut track) => {
                if ticks > track.latest {
                    track.offset = track.next_offset;
                    (track.latest, track.arrival) = (ticks, track.arrival.max(arrival));
                }
                track
            }
            None => {
                let offset = self.expected(layer, arrival).map_or(VideoTicks::ZERO, |at| at - ticks);
                Track { latest: ticks, arrival, offset, next_offset: offset, report: None }
            }
        };
        *self.tracks.get_mut(layer) = Some(track);
        ticks + track.offset
    }

    /// What the common clock shows at `arrival`, as far as other layers tell.
    fn expected(&self, layer: Layer, arrival: StreamTime) -> Option<VideoTicks> {
        let others = self.tracks.iter().filter(|(other, _)| *other != layer).filter_map(|(_, track)| *track);
        let latest = others.max_by_key(|track| track.arrival)?;
        Some(latest.latest + latest.offset + (arrival - latest.arrival).max(StreamTime::ZERO).rescale())
    }

    /// Takes a sender report of `layer`: at `ntp` on the publisher's wall clock, the layer's own clock showed the time with
    /// these low 32 bits. Returns those of the common clock, for as far as the two are known to fit. Reports before the
    /// first packet, and without a wall clock, say nothing.
    pub fn sender_report(&mut self, layer: Layer, rtp: u32, ntp: NtpTime) -> Option<u32> {
        let reference = self.reference.filter(|_| ntp.0 != 0)?;
        let track = self.tracks.get_mut(layer).as_mut()?;
        let ticks =
            track.latest + VideoTicks::new(i64::from(rtp.wrapping_sub(track.latest.wire()).cast_signed()));
        let report = Report { wall: ntp.ticks(), ticks };
        track.report = Some(report);
        if layer == reference {
            for other in Layer::ALL {
                self.align(other, report);
            }
        } else if let Some(of_reference) = (*self.tracks.get(reference)).and_then(|track| track.report) {
            self.align(layer, of_reference);
        }
        let track = (*self.tracks.get(layer))?;
        Some((ticks + track.next_offset).wire())
    }

    /// Places a layer where its report and that of the reference put it.
    fn align(&mut self, layer: Layer, of_reference: Report) {
        let Some(track) = self.tracks.get_mut(layer).as_mut() else { return };
        let Some(report) = track.report else { return };
        let exact = of_reference.ticks + (report.wall - of_reference.wall) - report.ticks;
        let correction = exact - track.offset;
        if correction.max(VideoTicks::ZERO - correction) <= MAX_CORRECTION {
            track.next_offset = exact;
        }
    }
}

impl Track {
    fn jumps_to(&self, ticks: VideoTicks, arrival: StreamTime) -> bool {
        let step: StreamTime = (ticks - self.latest).rescale();
        let elapsed = (arrival - self.arrival).max(StreamTime::ZERO);
        step < StreamTime::ZERO - MAX_STEP || step > elapsed + MAX_STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 3_000;
    const HIGH_ORIGIN: i64 = 1_000_000;
    const LOW_ORIGIN: i64 = 7_000_000_000;

    fn at(millis: i64) -> StreamTime {
        StreamTime::new(millis * 1_000)
    }

    /// A report at the moment of a picture, on a wall clock far from any other.
    fn report(clocks: &mut LayerClocks, layer: Layer, origin: i64, picture: i64) -> Option<u32> {
        let seconds = u64::try_from(4_000_000_000_i64 + picture / 30).unwrap();
        let fraction = (u64::try_from(picture % 30).unwrap() << 32) / 30;
        clocks.sender_report(
            layer,
            VideoTicks::new(origin + picture * FRAME).wire(),
            NtpTime((seconds << 32) | fraction),
        )
    }

    /// The common times of one picture on both layers, of which the lower arrives first.
    fn picture(clocks: &mut LayerClocks, number: i64) -> (i64, i64) {
        let high =
            clocks.map(Layer::High, VideoTicks::new(HIGH_ORIGIN + number * FRAME), at(number * 33 + 12));
        let low = clocks.map(Layer::Low, VideoTicks::new(LOW_ORIGIN + number * FRAME), at(number * 33));
        (high.get(), low.get())
    }

    #[test]
    fn the_only_layer_of_a_stream_keeps_its_clock() {
        let mut clocks = LayerClocks::default();
        for number in [0, 1, 2, 5_000, 3] {
            let ticks = VideoTicks::new(LOW_ORIGIN + number * FRAME);
            assert_eq!(clocks.map(Layer::High, ticks, at(number * 33)), ticks);
        }
    }

    #[test]
    fn layers_are_together_by_arrival_and_exactly_so_once_both_have_reported() {
        let mut clocks = LayerClocks::default();
        let (high, low) = picture(&mut clocks, 0);
        assert!((high - low).abs() <= 12 * 90, "by arrival: {high} {low}");
        picture(&mut clocks, 1);
        report(&mut clocks, Layer::High, HIGH_ORIGIN, 1);
        report(&mut clocks, Layer::Low, LOW_ORIGIN, 2);
        let (high, low) = picture(&mut clocks, 3);
        assert!((high - low).abs() <= 2, "{high} {low}");
    }

    #[test]
    fn a_report_moves_a_layer_between_two_pictures_and_not_within_one() {
        let mut clocks = LayerClocks::default();
        let (_, first) = picture(&mut clocks, 0);
        report(&mut clocks, Layer::High, HIGH_ORIGIN, 0);
        report(&mut clocks, Layer::Low, LOW_ORIGIN, 0);
        let rest = clocks.map(Layer::Low, VideoTicks::new(LOW_ORIGIN), at(20));
        assert_eq!(rest.get(), first);
    }

    #[test]
    fn the_reports_of_any_layer_tell_of_the_common_clock() {
        let mut clocks = LayerClocks::default();
        picture(&mut clocks, 0);
        report(&mut clocks, Layer::High, HIGH_ORIGIN, 0);
        let low = report(&mut clocks, Layer::Low, LOW_ORIGIN, 30).unwrap();
        let expected = VideoTicks::new(HIGH_ORIGIN + 30 * FRAME).wire();
        assert!(low.abs_diff(expected) <= 2, "{low} {expected}");
    }

    #[test]
    fn a_layer_that_begins_anew_is_placed_anew() {
        let mut clocks = LayerClocks::default();
        for number in 0..10 {
            picture(&mut clocks, number);
        }
        let low = clocks.map(Layer::Low, VideoTicks::new(55), at(330)).get();
        let high = clocks.map(Layer::High, VideoTicks::new(HIGH_ORIGIN + 10 * FRAME), at(342)).get();
        assert!((high - low).abs() <= 20 * 90, "{high} {low}");
    }
}
