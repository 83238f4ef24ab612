//! The two ends of a subscription: frames go in at the media task and come out at the application.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use queqiao_room::signal::MediaKind;
use tokio::sync::mpsc;

use super::incoming::{Frame, Incoming, Received, Statistics};

/// How many frames wait for the application: two seconds of sound and pictures. One that pulls later misses some, and
/// goes on at the next keyframe.
const MAX_FRAMES: usize = 256;

/// The media task's end of a subscription.
#[derive(Debug)]
pub(crate) struct SubscriptionEnd {
    incoming: Option<Incoming>,
    frames: mpsc::Sender<Frame>,
    statistics: Arc<Mutex<Statistics>>,
    /// Pictures were missed: the next that helps is a keyframe.
    skipping: bool,
    ready: Vec<Frame>,
}

/// The application's end of a subscription.
#[derive(Debug)]
pub(crate) struct Frames {
    frames: mpsc::Receiver<Frame>,
    statistics: Arc<Mutex<Statistics>>,
}

/// Both ends of a new subscription.
pub(crate) fn pair() -> (SubscriptionEnd, Frames) {
    let (sender, frames) = mpsc::channel(MAX_FRAMES);
    let statistics = Arc::new(Mutex::new(Statistics::default()));
    let end = SubscriptionEnd {
        incoming: None,
        frames: sender,
        statistics: Arc::clone(&statistics),
        skipping: false,
        ready: Vec::new(),
    };
    (end, Frames { frames, statistics })
}

impl Frames {
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        self.frames.recv().await
    }

    pub(crate) fn statistics(&self) -> Statistics {
        *self.statistics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SubscriptionEnd {
    /// Takes a packet. Returns the source to ask for a keyframe, if one is needed.
    pub(super) fn packet(&mut self, now: Instant, kind: MediaKind, packet: rtc::rtp::Packet) -> Option<u32> {
        let received = Received {
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            payload: Arc::from(packet.payload.as_ref()),
        };
        let incoming = self.incoming.get_or_insert_with(|| Incoming::new(now));
        incoming.packet(now, kind, packet.header.ssrc, received);
        self.poll(now)
    }

    pub(super) fn sender_report(&mut self, now: Instant, source: u32, rtp: u32, ntp: u64) {
        if let Some(incoming) = &mut self.incoming {
            incoming.sender_report(now, source, rtp, ntp);
        }
    }

    /// Passes on what is complete. Returns the source to ask for a keyframe, if one is needed.
    pub(super) fn poll(&mut self, now: Instant) -> Option<u32> {
        let incoming = self.incoming.as_mut()?;
        incoming.poll(now, &mut self.ready);
        for frame in self.ready.drain(..) {
            let is_video = matches!(frame, Frame::Video(_));
            let helps = matches!(&frame, Frame::Video(picture) if picture.keyframe);
            if is_video && self.skipping && !helps {
                incoming.overflowed();
                continue;
            }
            // Also when the application has dropped its end: the stream is unsubscribed soon.
            let missed = self.frames.try_send(frame).is_err();
            if missed {
                incoming.overflowed();
            }
            if is_video {
                self.skipping = missed;
            }
        }
        let wanted = incoming.keyframe_request(now, self.skipping);
        *self.statistics.lock().unwrap_or_else(PoisonError::into_inner) = incoming.statistics();
        wanted
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.incoming.as_ref().and_then(Incoming::poll_timeout)
    }
}
