//! What the path to a peer carries, and how the videos that go there share it.
//!
//! Nothing limits a session until there is reason to: browsers estimate the path from when packets left and came, and say
//! so (REMB), which counts where the round trip shows why; of other peers there are round trip and loss. Only then is a video
//! thinned and paced.

use std::time::{Duration, Instant};

use queqiao_media::allocation::divide;
use queqiao_media::estimate::{PathEstimate, Report};
use queqiao_media::loss::LossLimit;
use slab::Slab;
use smallvec::SmallVec;
use tracing::trace;

use super::egress::Egress;

/// How often shares are reckoned anew: an estimate seldom changes faster, and rates are taken over a second.
const REVIEW_INTERVAL: Duration = Duration::from_millis(250);

/// What of the estimate is given away, in percent: the rest is for headers and reports.
const GIVEN_AWAY: u64 = 92;

/// The bandwidth of one session.
pub(super) struct Bandwidth {
    estimate: PathEstimate,
    loss: LossLimit,
    limited: bool,
    next_review: Instant,
}

impl Bandwidth {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            estimate: PathEstimate::default(),
            loss: LossLimit::default(),
            limited: false,
            next_review: now,
        }
    }

    /// The peer estimates that the path carries so many bit/s.
    pub(super) fn estimated(&mut self, bits: u64, now: Instant) {
        trace!(bits, "the peer's estimate");
        self.estimate.estimated(bits, now);
        self.next_review = now;
    }

    /// The peer reports on what was sent to it.
    pub(super) fn reported(&mut self, report: Report, now: Instant) {
        trace!(?report, "the peer's report");
        self.estimate.reported(report, now);
        self.loss.report(report.loss, report.sent, now);
    }

    /// What the path carries, in bit/s, if there is reason to think that this matters.
    pub(super) fn estimate(&self, now: Instant) -> Option<u64> {
        match (self.estimate.get(now), self.loss.get(now)) {
            (Some(estimate), Some(limit)) => Some(estimate.min(limit)),
            (estimate, limit) => estimate.or(limit),
        }
    }

    /// Whether a video is thinned or paced.
    pub(super) fn is_limited(&self) -> bool {
        self.limited
    }

    /// Shares out what the path carries, if it is time to.
    pub(super) fn review(&mut self, outgoing: &mut Slab<Egress>, now: Instant) {
        if now < self.next_review {
            return;
        }
        self.next_review = now + REVIEW_INTERVAL;
        let estimate = self.estimate(now);
        if estimate.is_none() && !self.limited {
            return;
        }
        let sound: u64 = outgoing.iter().map(|(_, egress)| egress.sound()).sum();
        let again: u64 = outgoing.iter().map(|(_, egress)| egress.sent_again()).sum();
        let wanted: SmallVec<[u64; 4]> = outgoing.iter().filter_map(|(_, egress)| egress.demand()).collect();
        // Sound goes first, and what is sent again; the new pictures get what is left.
        let budget = estimate.map(|estimate| {
            let left = (estimate / 100).saturating_mul(GIVEN_AWAY).saturating_sub(sound);
            left.saturating_sub(again.min(left / 2))
        });
        trace!(?estimate, sound, again, ?budget, ?wanted, "what goes to a viewer");
        let mut shares = budget.map(|budget| divide(budget, &wanted).into_iter());
        self.limited = false;
        for (_, egress) in outgoing.iter_mut().filter(|(_, egress)| egress.demand().is_some()) {
            self.limited |= egress.grant(shares.as_mut().and_then(Iterator::next), now);
        }
        if !self.limited {
            self.estimate.release(now);
            self.loss.release(now);
        }
    }
}
