//! What the path to a peer carries, and how the videos that go there share it.
//!
//! Nothing limits a session until there is reason to: browsers estimate the path from when packets left and came, and say
//! so (REMB), which counts where the round trip shows why; of other peers there are round trip and loss. Only then is a video
//! thinned and paced.

use std::time::{Duration, Instant};

use queqiao_media::allocation::divide;
use queqiao_media::estimate::{PathEstimate, Report};
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
    heard: Heard,
    paced: bool,
    /// Whether a video is thinned.
    limited: bool,
    next_review: Instant,
}

/// What the peer has said of its videos since the last review. It reports on each, and all of them share one path.
#[derive(Default)]
struct Heard {
    rtt: Option<Duration>,
    /// Bit/s that were sent, and how many of them were lost.
    sent: f32,
    lost: f32,
    anything: bool,
}

impl Bandwidth {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            estimate: PathEstimate::default(),
            heard: Heard::default(),
            paced: false,
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

    /// The peer reports of one of its videos what was lost of so many bit/s, and the round trip.
    pub(super) fn reported(&mut self, loss: f32, sent: u64, rtt: Option<Duration>) {
        let sent = sent as f32;
        self.heard.sent += sent;
        self.heard.lost += sent * loss;
        self.heard.rtt = self.heard.rtt.max(rtt);
        self.heard.anything = true;
    }

    /// Takes in what was reported of what goes out.
    fn take_in(&mut self, outgoing: &Slab<Egress>, now: Instant) {
        let Heard { rtt, sent: of_videos, lost, .. } = std::mem::take(&mut self.heard);
        let loss = if of_videos > 0.0 { lost / of_videos } else { 0.0 };
        let (again, sound) = (total(outgoing, Egress::sent_again), total(outgoing, Egress::sound));
        let sent = sound.saturating_add(total(outgoing, Egress::video_rate));
        let report = Report { rtt, loss, sent, again, sound, thinned: self.limited };
        trace!(?report, "the peer's report");
        self.estimate.reported(&report, now);
    }

    /// Whether packets may wait for their pace.
    pub(super) fn is_paced(&self) -> bool {
        self.paced
    }

    /// Shares out what the path carries, if it is time to.
    pub(super) fn review(&mut self, outgoing: &mut Slab<Egress>, now: Instant) {
        if self.heard.anything {
            self.take_in(outgoing, now);
        }
        if now < self.next_review {
            return;
        }
        self.next_review = now + REVIEW_INTERVAL;
        let estimate = self.estimate.get(now);
        if estimate.is_none() && !self.paced {
            return;
        }
        let (sound, again) = (total(outgoing, Egress::sound), total(outgoing, Egress::sent_again));
        let wanted: SmallVec<[u64; 4]> = outgoing.iter().filter_map(|(_, egress)| egress.demand()).collect();
        // Sound goes first, whatever is left for the pictures.
        let budget =
            estimate.map(|estimate| (estimate / 100).saturating_mul(GIVEN_AWAY).saturating_sub(sound));
        trace!(?estimate, sound, again, ?budget, ?wanted, "what goes to a viewer");
        let shares = budget.map(|budget| divide(budget, &wanted));
        // Until what was lost is sent again there is less for new ones.
        let present = budget.map(|budget| divide(budget.saturating_sub(again.min(budget / 2)), &wanted));
        self.limited = false;
        self.paced = estimate.is_some();
        let videos = outgoing.iter_mut().filter(|(_, egress)| egress.demand().is_some());
        for (index, (_, egress)) in videos.enumerate() {
            let of = |shares: &Option<Vec<u64>>| shares.as_ref()?.get(index).copied();
            self.limited |= egress.grant(of(&shares), of(&present), now);
            self.paced |= egress.poll_timeout().is_some();
        }
        if !self.limited {
            self.estimate.release(now);
        }
    }
}

/// The sum of a rate over all that goes to a peer.
fn total(outgoing: &Slab<Egress>, rate: fn(&Egress) -> u64) -> u64 {
    outgoing.iter().map(|(_, egress)| rate(egress)).sum()
}
