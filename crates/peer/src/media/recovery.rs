//! What to do when the path of the media is disturbed.

use std::time::{Duration, Instant};

/// How long the first connection may take.
const FIRST: Duration = Duration::from_secs(10);

/// How long a restart of ICE may take.
const RESTART: Duration = Duration::from_secs(5);

/// How many restarts are tried before the room is joined anew: with the time before the first, as long as the server
/// keeps a session whose connection is lost.
const MAX_RESTARTS: u32 = 4;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Ask the server for an offer with new ICE credentials.
    Restart,
    /// Join anew.
    GiveUp,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// When to act next; none while media flow, or none are wanted.
    at: Option<Instant>,
    restarts: u32,
}

impl Recovery {
    /// The first offer of a connection was answered.
    pub(super) fn started(&mut self, now: Instant) {
        *self = Self { at: Some(now + FIRST), restarts: 0 };
    }

    /// The path works.
    pub(super) fn connected(&mut self) {
        *self = Self::default();
    }

    /// The path is disturbed, or lost.
    pub(super) fn disturbed(&mut self, now: Instant) {
        if self.restarts == 0 {
            self.at = Some(now);
        }
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.at
    }

    pub(super) fn poll(&mut self, now: Instant) -> Option<Action> {
        if self.at.is_none_or(|at| at > now) {
            return None;
        }
        if self.restarts == MAX_RESTARTS {
            *self = Self::default();
            return Some(Action::GiveUp);
        }
        self.restarts += 1;
        self.at = Some(now + RESTART);
        Some(Action::Restart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disturbed_path_is_restarted_at_once_and_given_up_after_twenty_seconds() {
        let start = Instant::now();
        let mut recovery = Recovery::default();
        assert_eq!(recovery.poll(start), None);
        recovery.disturbed(start);
        let mut actions = Vec::new();
        for second in 0..30 {
            let now = start + Duration::from_secs(second);
            recovery.disturbed(now);
            actions.extend(recovery.poll(now).map(|action| (second, action)));
            if actions.last().is_some_and(|(_, action)| *action == Action::GiveUp) {
                break;
            }
        }
        assert_eq!(
            actions,
            [
                (0, Action::Restart),
                (5, Action::Restart),
                (10, Action::Restart),
                (15, Action::Restart),
                (20, Action::GiveUp)
            ]
        );
    }

    #[test]
    fn a_path_that_works_again_needs_nothing() {
        let start = Instant::now();
        let mut recovery = Recovery::default();
        recovery.disturbed(start);
        assert_eq!(recovery.poll(start), Some(Action::Restart));
        recovery.connected();
        assert_eq!(recovery.poll_timeout(), None);
        assert_eq!(recovery.poll(start + Duration::from_secs(60)), None);
    }

    #[test]
    fn a_first_connection_has_ten_seconds() {
        let start = Instant::now();
        let mut recovery = Recovery::default();
        recovery.started(start);
        assert_eq!(recovery.poll(start + Duration::from_secs(9)), None);
        assert_eq!(recovery.poll(start + Duration::from_secs(10)), Some(Action::Restart));
    }
}
