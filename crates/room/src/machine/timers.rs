use std::time::Instant;

use super::participant::{Claim, Participant};
use super::room::Departure;
use super::{Now, Room};
use crate::signal::{EndReason, Event, LeaveReason};
use crate::{StreamKind, Uid};

impl Room {
    /// When to call [`Room::handle_timeout`]: at the next end of a grace time, token or ban.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let participants = self.participants.values().filter_map(Participant::next_timeout);
        participants.chain(self.bans.values().copied()).min()
    }

    /// Does what time alone does. To be called at the time that [`Room::poll_timeout`] gives, or later, or earlier.
    pub fn handle_timeout(&mut self, now: Now) {
        let now = now.instant;
        self.bans.retain(|_, until| *until > now);
        let due: Vec<Uid> = self
            .participants
            .iter()
            .filter(|(_, participant)| participant.next_timeout().is_some_and(|at| at <= now))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in due {
            self.handle_participant(&uid, now);
        }
    }

    fn handle_participant(&mut self, uid: &Uid, now: Instant) {
        let Some(participant) = self.participants.get_mut(uid) else { return };
        if participant.token.ends_at.is_some_and(|at| at <= now) {
            let ended = EndReason::TokenExpired.into();
            self.remove(uid, &Departure::Told(LeaveReason::TokenExpired, ended));
            return;
        }
        if participant.token.warn_at.is_some_and(|at| at <= now) {
            participant.token.warn_at = None;
            let left = participant.token.ends_at.map(|at| at.saturating_duration_since(now));
            let seconds = left.unwrap_or_default().saturating_sub(crate::EXPIRY_LEEWAY).as_secs();
            self.tell(uid, &Event::TokenExpiring { seconds });
        }
        let Some(participant) = self.participants.get(uid) else { return };
        if participant.leaves_at().is_some_and(|at| at <= now) {
            self.unlink(uid, LeaveReason::TimedOut);
        }
        for kind in [StreamKind::Camera, StreamKind::Screen] {
            let Some(participant) = self.participants.get(uid) else { return };
            let claim = participant.streams.get(&kind).map(|stream| stream.claim);
            if matches!(claim, Some(Claim::Nobody { until }) if until <= now) {
                self.end_stream(uid, kind, LeaveReason::TimedOut);
            }
        }
    }
}
