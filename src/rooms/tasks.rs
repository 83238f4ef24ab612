//! What rooms do by themselves: time, and what the WebRTC workers tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_room::signal::{Event, NetworkQuality};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::service::{RoomService, now};
use crate::hub::SpeakerNotice;
use crate::rtc::Notice;

/// How often participants are told how well networks do.
const QUALITY_INTERVAL: Duration = Duration::from_secs(2);

/// How often publishers are steered: twice in the second within which too much has to become less.
const STEER_INTERVAL: Duration = Duration::from_millis(500);

/// How often expired tickets are forgotten. They are worth nothing before.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// When nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);

/// Notices taken in before the lock is let go.
const MAX_BATCH: usize = 64;

/// Works until shut down.
pub(crate) async fn run(
    service: Arc<RoomService>,
    mut notices: UnboundedReceiver<Notice>,
    shutdown: CancellationToken,
) {
    let mut quality = interval(QUALITY_INTERVAL);
    let mut sweep = interval(SWEEP_INTERVAL);
    quality.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut steer = interval(STEER_INTERVAL);
    steer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let Some(mut heard) = service.hub.take_sei() else { return };
    let mut batch = Vec::new();
    let mut speakers = service.hub.take_speakers();
    let mut spoken = Vec::new();
    let timer = sleep_until((Instant::now() + IDLE).into());
    tokio::pin!(timer);
    loop {
        tokio::select! {
            count = notices.recv_many(&mut batch, MAX_BATCH) => {
                if count == 0 {
                    return;
                }
                service.take_notices(batch.drain(..));
            }
            () = timer.as_mut() => service.handle_timeout(),
            () = service.timer.notified() => {}
            _ = next_speakers(&mut speakers, &mut spoken) => service.tell_speakers(spoken.drain(..)),
            _ = quality.tick() => service.tell_quality(),
            Some(heard) = heard.recv() => service.tell_sei(&heard),
            _ = steer.tick() => service.steer(now()),
            _ = sweep.tick() => service.lock().tickets.sweep(Instant::now()),
            () = shutdown.cancelled() => return,
        }
        timer.as_mut().reset(service.arm().into());
    }
}

/// Waits for changes of speakers; for ever where somebody else takes note of them.
async fn next_speakers(from: &mut Option<Receiver<SpeakerNotice>>, into: &mut Vec<SpeakerNotice>) -> usize {
    match from {
        Some(from) => from.recv_many(into, MAX_BATCH).await,
        None => std::future::pending().await,
    }
}

impl RoomService {
    /// Tells those who follow the speakers of their rooms.
    fn tell_speakers(&self, notices: impl Iterator<Item = SpeakerNotice>) {
        let mut state = self.lock();
        for SpeakerNotice { room, uid } in notices {
            state.rooms.within(&room, |room| room.tell_speaker(&uid));
        }
        self.settle(&mut state, now());
    }

    /// When time alone does something next. The service tells when it becomes earlier.
    fn arm(&self) -> Instant {
        let mut state = self.lock();
        state.armed = state.rooms.poll_timeout();
        state.armed.unwrap_or_else(|| Instant::now() + IDLE)
    }

    fn handle_timeout(&self) {
        let now = now();
        let mut state = self.lock();
        state.rooms.handle_timeout(now);
        self.settle(&mut state, now);
    }

    /// Takes in what WebRTC sessions tell.
    pub(super) fn take_notices(&self, notices: impl Iterator<Item = Notice>) {
        let now = now();
        let mut state = self.lock();
        for notice in notices {
            self.notice(&mut state, notice, now);
            self.settle(&mut state, now);
        }
    }

    /// Tells every room what has changed in its networks.
    pub(super) fn tell_quality(&self) {
        let mut state = self.lock();
        for (room, news) in state.quality.take_news() {
            state.rooms.within(&room, |room| {
                let known = news.into_iter().filter_map(|(uid, levels)| {
                    let uid = room.participant(&uid)?.uid;
                    Some(NetworkQuality { uid, uplink: levels.uplink, downlink: levels.downlink })
                });
                let event = Event::NetworkQuality { participants: known.collect() };
                room.tell_all(&event);
            });
        }
        self.settle(&mut state, now());
    }
}
