//! What an app's back end may want to know, on its way to whoever tells it.

use queqiao_room::UnixSeconds;
use queqiao_room::machine::{Hook, RoomKey};
use tokio::sync::mpsc;
use tracing::warn;

/// Events that may wait for the one that tells the back ends: some seconds of the busiest server.
const MAX_WAITING: usize = 8_192;

/// Something that happened in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookEvent {
    /// Where.
    pub(crate) room: RoomKey,
    /// What.
    pub(crate) hook: Hook,
    /// When.
    pub(crate) at: UnixSeconds,
}

/// Where the events go. Nothing is kept as long as nobody has asked for them.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    sender: Option<mpsc::Sender<HookEvent>>,
    lost: u64,
}

impl Hooks {
    /// The events from now on; none if somebody has them already.
    pub(super) fn take(&mut self) -> Option<mpsc::Receiver<HookEvent>> {
        if self.sender.is_some() {
            return None;
        }
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        self.sender = Some(sender);
        Some(receiver)
    }

    pub(super) fn push(&mut self, event: HookEvent) {
        let Some(sender) = &self.sender else { return };
        if sender.try_send(event).is_err() {
            self.lost += 1;
            if self.lost.is_power_of_two() {
                warn!(lost = self.lost, "events for back ends were lost: too many wait");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: u64) -> HookEvent {
        let room = RoomKey { app: "demo".parse().unwrap(), room: "r".parse().unwrap() };
        HookEvent { room, hook: Hook::RoomOpened, at: UnixSeconds(second) }
    }

    #[test]
    fn events_are_kept_for_the_one_that_asked_and_for_nobody_before() {
        let mut hooks = Hooks::default();
        hooks.push(event(1));
        let mut receiver = hooks.take().unwrap();
        assert!(hooks.take().is_none());
        hooks.push(event(2));
        assert_eq!(receiver.try_recv().unwrap(), event(2));
        assert!(receiver.try_recv().is_err());
    }

    #[test]
    fn events_beyond_the_bound_are_lost_and_counted() {
        let mut hooks = Hooks::default();
        let _receiver = hooks.take().unwrap();
        for second in 0..=u64::try_from(MAX_WAITING).unwrap() {
            hooks.push(event(second));
        }
        assert_eq!(hooks.lost, 1);
    }
}
