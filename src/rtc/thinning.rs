//! A viewer's video on a path that carries less than it.

use std::time::{Duration, Instant};

use queqiao_media::rtp::is_droppable;
use queqiao_media::thin::{Importance, RateMeter, Thinner, Verdict};
use queqiao_media::time::VideoTicks;
use tracing::debug;

use crate::hub::{RtpVideo, SourceId};

/// A path that carries less than so many percent of the video is limited.
const ENOUGH: u64 = 95;

/// A path is limited until it carries so many percent of the video: rates of videos swing by as much.
const PLENTY: u64 = 120;

/// A replay of cached pictures that takes a limited path longer than this would only make it later.
const REPLAY: Duration = Duration::from_millis(900);

/// How long after a cut a publisher that can be asked is asked for a keyframe: twice as often, and keyframes would be all
/// that is sent.
const REST: Duration = Duration::from_secs(2);

/// The judge of one viewer's video.
pub(super) struct Thinning {
    thinner: Thinner,
    meter: RateMeter,
    sent: RateMeter,
    /// The latest picture, and what was decided about it.
    picture: Option<(SourceId, VideoTicks, Verdict)>,
}

impl Thinning {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            thinner: Thinner::new(now),
            meter: RateMeter::new(now),
            sent: RateMeter::new(now),
            picture: None,
        }
    }

    /// Bit/s at which the video comes; none while that is not known.
    pub(super) fn demand(&self) -> Option<u64> {
        self.meter.rate()
    }

    /// Bit/s that are sent of it.
    pub(super) fn sent_rate(&self) -> u64 {
        self.sent.rate().unwrap_or_default()
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
        let bytes = bytes(unit);
        self.thinner.sent(bytes, now);
        self.sent.count(bytes, now);
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
