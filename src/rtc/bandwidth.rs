//! What the path to a peer carries, and how the videos that go there share it.
//!
//! A peer that gives transport-wide feedback has str0m estimate the path and pace what goes there. Of others there is what
//! they estimate themselves (REMB), or the loss that they report.

use std::time::{Duration, Instant};

use queqiao_media::allocation::divide;
use queqiao_media::loss::LossLimit;
use slab::Slab;
use smallvec::SmallVec;
use str0m::Rtc;
use str0m::bwe::{Bitrate, BweKind};
use str0m::stats::MediaEgressStats;
use tracing::trace;

use super::egress::Egress;

/// What a path is taken to carry before anything is known of it. The cached pictures that a viewer begins with go out at
/// this pace; the first probes are multiples of it.
pub(super) const INITIAL_ESTIMATE: Bitrate = Bitrate::kbps(2_500);

/// How often shares are reckoned anew: an estimate seldom changes faster, and rates are taken over a second.
const REVIEW_INTERVAL: Duration = Duration::from_millis(250);

/// What of the estimate is given away, in percent: the rest is for headers, reports and what has to be sent again.
const GIVEN_AWAY: u64 = 90;

/// Capacity is looked for up to this many percent of what is wanted: a path that carries that much is not limited.
const LOOKED_FOR: u64 = 150;

/// Changes of what is wanted below this many percent are not worth a probe.
const WORTH_TELLING: u64 = 15;

/// A receiver's own estimate is good for so long. They come about once a second.
const REMB_LIFE: Duration = Duration::from_secs(10);

/// The bandwidth of one session.
pub(super) struct Bandwidth {
    /// From transport-wide feedback, bit/s.
    transport: Option<u64>,
    /// The peer's own estimate, bit/s.
    remb: Option<(u64, Instant)>,
    loss: LossLimit,
    next_review: Instant,
    /// What str0m was told to look for, bit/s.
    desired: u64,
}

impl Bandwidth {
    pub(super) fn new(now: Instant) -> Self {
        Self { transport: None, remb: None, loss: LossLimit::default(), next_review: now, desired: 0 }
    }

    /// A new estimate.
    pub(super) fn estimated(&mut self, kind: &BweKind, now: Instant) {
        match kind {
            BweKind::Twcc { estimate, can_probe: true } => self.transport = Some(estimate.as_u64()),
            BweKind::Twcc { can_probe: false, .. } => self.transport = None,
            BweKind::Remb { estimate, .. } => self.remb = Some((estimate.as_u64(), now)),
            _ => return,
        }
        trace!(?kind, "estimate");
        self.next_review = now;
    }

    /// A report about the video of a viewer to whom `sent` bit/s were sent.
    pub(super) fn reported(&mut self, stats: &MediaEgressStats, sent: u64, now: Instant) {
        if let Some(loss) = stats.loss.filter(|_| self.transport.is_none()) {
            self.loss.report(loss, sent, now);
            self.next_review = now;
        }
    }

    /// What the path carries, in bit/s, if it is known.
    pub(super) fn estimate(&self, now: Instant) -> Option<u64> {
        let remb = self.remb.filter(|(_, at)| now.saturating_duration_since(*at) < REMB_LIFE);
        let other = match (remb, self.loss.get(now)) {
            (Some((remb, _)), Some(limit)) => Some(remb.min(limit)),
            (remb, limit) => remb.map(|(bits, _)| bits).or(limit),
        };
        self.transport.or(other)
    }

    /// Shares out what the path carries, if it is time to.
    pub(super) fn review(&mut self, outgoing: &mut Slab<Egress>, rtc: &mut Rtc, now: Instant) {
        if now < self.next_review {
            return;
        }
        self.next_review = now + REVIEW_INTERVAL;
        let sound: u64 = outgoing.iter().map(|(_, egress)| egress.sound()).sum();
        let wanted: SmallVec<[u64; 4]> = outgoing.iter().filter_map(|(_, egress)| egress.demand()).collect();
        if let Some(estimate) = self.estimate(now) {
            // Sound goes first, whatever is left for the pictures.
            let budget = (estimate / 100).saturating_mul(GIVEN_AWAY).saturating_sub(sound);
            let mut shares = divide(budget, &wanted).into_iter();
            for (_, egress) in outgoing.iter_mut().filter(|(_, egress)| egress.demand().is_some()) {
                egress.grant(shares.next(), now);
            }
        } else {
            for (_, egress) in outgoing.iter_mut() {
                egress.grant(None, now);
            }
        }
        let wanted = wanted.iter().sum::<u64>().saturating_add(sound);
        self.look_for((wanted / 100).saturating_mul(LOOKED_FOR), rtc);
    }

    fn look_for(&mut self, desired: u64, rtc: &mut Rtc) {
        let change = desired.abs_diff(self.desired);
        if self.transport.is_some() && change > (self.desired / 100).saturating_mul(WORTH_TELLING) {
            self.desired = desired;
            rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::from(desired));
        }
    }
}
