//! A viewer's video on a path that carries less than it.

use std::time::{Duration, Instant};

use queqiao_media::rtp::is_droppable;
use queqiao_media::thin::{Importance, RateMeter, Thinner, Verdict};
use queqiao_media::time::VideoTicks;
use tracing::debug;

use crate::hub::{RtpVideo, SourceId};

/// A path that carries less than so many percent of the video is limited.
const ENOUGH: u64 = 95;

/// A path is limited until it carries so many percent of the video. That a keyframe is more is for the pacer, which goes on.
const PLENTY: u64 = 110;

/// A replay of cached pictures that takes a limited path longer than this would only make it later.
const REPLAY: Duration = Duration::from_millis(900);

/// How long after a cut a publisher that can be asked is asked for a keyframe: twice as often, and keyframes would be all
/// that is sent.
const REST: Duration = Duration::from_secs(2);

/// The judge of one viewer's video.
pub(super) struct Thinning {
    thinner: Thinner,
    meter: RateMeter,
    /// The latest picture, and what was decided about it.
    picture: Option<(SourceId, VideoTicks, Verdict)>,
}

impl Thinning {
    pub(super) fn new(now: Instant) -> Self {
        Self { thinner: Thinner::new(now), meter: RateMeter::new(now), picture: None }
    }

    /// Bit/s at which the video comes; none while that is not known.
    pub(super) fn demand(&self) -> Option<u64> {
        self.meter.rate()
    }

    /// The path carries so many bit/s of this video. Returns them where they are less than the video has.
    pub(super) fn grant(&mut self, share: Option<u64>, now: Instant) -> Option<u64> {
        let enough = if self.is_limited() { PLENTY } else { ENOUGH };
        let limit = share.filter(|share| {
            self.demand().is_some_and(|demand| *share < (demand / 100).saturating_mul(enough))
        });
        if limit.is_some() != self.is_limited() {
            debug!(share, demand = self.demand(), limited = limit.is_some(), "the path to a viewer");
        }
        self.thinner.set_rate(limit, now);
        limit
    }

    /// Whether pictures are left out until the next keyframe.
    pub(super) fn is_cut(&self) -> bool {
        self.thinner.is_cut()
    }

    /// Whether the path carries less than the video has.
    pub(super) fn is_limited(&self) -> bool {
        self.thinner.rate().is_some()
    }

    /// Notes what came, whether or not it is sent.
    pub(super) fn count(&mut self, unit: &RtpVideo, now: Instant) {
        self.meter.count(bytes(unit), now);
    }

    /// Decides about a picture, or goes on with what was decided about it. `queued` bytes wait in the pacer.
    pub(super) fn judge(&mut self, unit: &RtpVideo, queued: usize, now: Instant) -> Verdict {
        let Some(time) = unit.packets.first().map(|packet| packet.rtp_time) else { return Verdict::Drop };
        if let Some((source, latest, verdict)) = self.picture
            && source == unit.source
        {
            if time == latest && (verdict == Verdict::Send || !unit.keyframe) {
                return verdict;
            }
            if time < latest {
                // Sent again by the publisher: it belongs to the run, if that goes on.
                return if verdict == Verdict::Send { Verdict::Send } else { Verdict::Drop };
            }
        }
        let importance = match unit.keyframe {
            true => Importance::Keyframe,
            false if unit.packets.iter().all(|packet| is_droppable(&packet.payload)) => Importance::Droppable,
            false => Importance::Reference,
        };
        let verdict = self.thinner.judge(importance, bytes(unit), queued, now);
        self.picture = Some((unit.source, time, verdict));
        verdict
    }

    /// Notes what was sent.
    pub(super) fn sent(&mut self, unit: &RtpVideo, now: Instant) {
        self.thinner.sent(bytes(unit), now);
    }

    /// Whether to ask the publisher for the keyframe with which to go on.
    pub(super) fn wants_keyframe(&self, now: Instant) -> bool {
        self.thinner.wants_keyframe(REST, now)
    }

    /// Whether a replay of so many bytes helps; it is then taken for sent.
    pub(super) fn replays(&mut self, bytes: usize, now: Instant) -> bool {
        let helps = self.thinner.rate().is_none_or(|rate| {
            let most = u128::from(rate) * REPLAY.as_millis() / 8_000;
            bytes as u128 <= most
        });
        if helps {
            self.thinner.sent(bytes, now);
        }
        helps
    }

    /// How many pictures were left out.
    pub(super) fn left_out(&self) -> u64 {
        self.thinner.left_out()
    }
}

fn bytes(unit: &RtpVideo) -> usize {
    unit.packets.iter().map(|packet| packet.payload.len()).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use queqiao_media::frame::RtpPacket;
    use queqiao_media::layers::Layer;
    use queqiao_media::time::StreamTime;

    use super::*;
    use crate::hub::testing::Probe;

    /// A packet of the picture with this number, 25 of which come in a second.
    fn packet(source: SourceId, picture: i64, keyframe: bool, bytes: usize) -> RtpVideo {
        let mut payload = vec![0; bytes];
        if let Some(header) = payload.first_mut() {
            *header = if keyframe { 0x65 } else { 0x41 };
        }
        let packet = RtpPacket {
            seq: 0,
            rtp_time: VideoTicks::new(picture * 3_600),
            time: StreamTime::ZERO,
            marker: false,
            payload: Arc::from(payload),
        };
        RtpVideo { source, index: None, layer: Layer::High, keyframe, packets: Arc::from([packet]) }
    }

    /// Ten seconds of 400 kbit/s: pictures of two packets each, a keyframe every second. Returns the verdicts.
    fn run(
        thinning: &mut Thinning,
        start: Instant,
        each: impl Fn(&mut Thinning, i64, Instant),
    ) -> Vec<[Verdict; 2]> {
        let source = Probe::new().publish().source().id();
        let pictures = 0..250_i64;
        pictures
            .map(|picture| {
                let now = start + Duration::from_millis(40) * u32::try_from(picture).unwrap();
                each(thinning, picture, now);
                [picture % 25 == 0, false].map(|keyframe| {
                    let unit = packet(source, picture, keyframe, 1_000);
                    thinning.count(&unit, now);
                    let verdict = thinning.judge(&unit, 0, now);
                    if verdict == Verdict::Send {
                        thinning.sent(&unit, now);
                    }
                    verdict
                })
            })
            .collect()
    }

    #[test]
    fn a_picture_is_sent_whole_or_not_at_all_and_as_many_as_fit() {
        let start = Instant::now();
        let mut thinning = Thinning::new(start);
        let verdicts = run(&mut thinning, start, |thinning, picture, now| {
            if picture % 25 == 24 {
                thinning.grant(Some(240_000), now);
            }
        });
        assert!(verdicts.iter().all(|[first, second]| first == second));
        let sent = verdicts.iter().skip(50).filter(|[verdict, _]| *verdict == Verdict::Send).count();
        assert!((100..150).contains(&sent), "{sent} of 200");
        assert_eq!(
            thinning.left_out(),
            verdicts.iter().filter(|[first, _]| *first != Verdict::Send).count() as u64
        );
    }

    #[test]
    fn a_path_is_limited_from_less_than_the_video_until_a_tenth_more() {
        let start = Instant::now();
        let mut thinning = Thinning::new(start);
        assert_eq!(thinning.grant(Some(1), start), None, "nothing is known of the video");
        run(&mut thinning, start, |_, _, _| {});
        let demand = thinning.demand().unwrap();
        let now = start + Duration::from_secs(10);
        assert_eq!(thinning.grant(Some(demand), now), None);
        let narrow = demand * 9 / 10;
        assert_eq!(thinning.grant(Some(narrow), now), Some(narrow));
        assert_eq!(thinning.grant(Some(demand * 21 / 20), now), Some(demand * 21 / 20));
        assert_eq!(thinning.grant(Some(demand * 23 / 20), now), None);
        assert_eq!(thinning.grant(None, now), None);
    }

    #[test]
    fn a_replay_that_would_take_a_narrow_path_too_long_is_left_out() {
        let start = Instant::now();
        let mut thinning = Thinning::new(start);
        assert!(thinning.replays(10_000_000, start));
        run(&mut thinning, start, |_, _, _| {});
        thinning.grant(Some(80_000), start + Duration::from_secs(10));
        assert!(thinning.replays(5_000, start + Duration::from_secs(10)));
        assert!(!thinning.replays(20_000, start + Duration::from_secs(10)));
    }
}
