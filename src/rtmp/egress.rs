//! From the hub to an RTMP player.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use queqiao_media::flv::TagKind;
use queqiao_media::governor::Probe;
use queqiao_media::time::Millis;
use queqiao_rtmp::chunk::{MediaHeader, MediaKind, media_message};
use tokio::sync::watch;
use tracing::debug;

use crate::hub::{Seat, SourceId, WireForm};
use crate::player::{Departure, Player, Step, Summary, Tag, body};
use crate::signal::publisher_gone;

/// The chunk size towards every client: most frames of a call are one chunk, and players share their bytes.
pub(super) const CHUNK_SIZE: u32 = 60_000;

/// The message stream that nearly every client plays on; its bytes are shared.
const COMMON_STREAM: u32 = 1;

/// What comes next for a player.
pub(super) enum Next {
    /// A message to write.
    Message(Bytes),
    /// [Look](Egress::look) at what has become of what was written.
    Look,
    /// Nobody has published for as long as the player may wait.
    PublisherGone,
}

/// A player. It may wait for its publisher.
pub(super) struct Egress {
    seat: Arc<Seat>,
    presence: watch::Receiver<Option<SourceId>>,
    player: Option<Player>,
    stream_id: u32,
}

impl Egress {
    pub(super) fn new(seat: Seat, stream_id: u32) -> Self {
        let seat = Arc::new(seat);
        let presence = seat.stream().presence();
        let player = Player::join(&seat);
        Self { seat, presence, player: Some(player), stream_id }
    }

    /// Stops or goes on, at the player's wish. It goes on at live.
    pub(super) fn pause(&mut self, paused: bool) {
        self.player = (!paused).then(|| Player::join(&self.seat));
    }

    /// What comes next: no message while the last one is not out yet, and the end once nobody has published for `wait`.
    pub(super) async fn next(&mut self, blocked: bool, wait: Duration) -> Next {
        loop {
            let step = tokio::select! {
                step = next_step(&mut self.player), if !blocked => step,
                () = publisher_gone(&mut self.presence, wait) => return Next::PublisherGone,
            };
            let message = match step {
                Step::Look => return Next::Look,
                Step::Tag(Tag::Own { kind, time, body }) => message(kind, time, self.stream_id, &body),
                Step::Tag(Tag::Shared { frame, kind, time }) if self.stream_id == COMMON_STREAM => frame
                    .wire(WireForm::RtmpMessage, || message(kind, time, COMMON_STREAM, &body(&frame.media))),
                Step::Tag(Tag::Shared { frame, kind, time }) => {
                    message(kind, time, self.stream_id, &body(&frame.media))
                }
            };
            if !message.is_empty() {
                return Next::Message(message);
            }
        }
    }

    /// A message that is there already.
    pub(super) fn take(&mut self, wait: Duration) -> Option<Bytes> {
        loop {
            match self.next(false, wait).now_or_never()? {
                Next::Message(message) => return Some(message),
                // There is a frame, and a look is due, which comes with the write.
                Next::Look => {}
                // Comes again.
                Next::PublisherGone => return None,
            }
        }
    }

    /// Takes what has become of what was written, as [`Player::look`] does.
    pub(super) fn look(
        &mut self,
        now: Instant,
        written: Option<u64>,
        probe: impl FnOnce() -> Option<Probe>,
    ) -> Option<Departure> {
        self.player.as_mut()?.look(now, written, probe)
    }

    /// Since when nothing is written because nothing of what was written is acknowledged.
    pub(super) fn held_since(&self) -> Option<Instant> {
        self.player.as_ref()?.held_since()
    }

    /// How the player fared since it went on last; none while it is paused.
    pub(super) fn summary(&self) -> Option<Summary> {
        self.player.as_ref().map(Player::summary)
    }
}

/// The player's next step; none while it is paused.
async fn next_step(player: &mut Option<Player>) -> Step {
    match player {
        Some(player) => player.next().await,
        None => std::future::pending().await,
    }
}

/// A whole message; empty where the frame is larger than RTMP can say.
fn message(kind: TagKind, time: Millis, stream_id: u32, body: &[u8]) -> Bytes {
    let kind = match kind {
        TagKind::Audio => MediaKind::Audio,
        TagKind::Video => MediaKind::Video,
        TagKind::Script => MediaKind::Data,
    };
    let header = MediaHeader { kind, timestamp: time.wire(), stream_id };
    let chunk_size = usize::try_from(CHUNK_SIZE).unwrap_or(usize::MAX);
    media_message(header, &[body], chunk_size).unwrap_or_else(|error| {
        debug!(%error, "a frame was skipped");
        Bytes::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::testing::{Probe, aac_frame};

    #[test]
    fn what_is_there_already_is_taken_at_once_and_no_more() {
        let probe = Probe::new();
        let (hub, grant) = probe.hub();
        let mut egress = Egress::new(hub.play(grant).unwrap(), COMMON_STREAM);
        let publication = probe.publish();
        let mut take = || std::iter::from_fn(|| egress.take(Duration::from_secs(1))).count();
        for (frames, messages) in [(2, 4), (0, 0), (2, 2)] {
            for index in 0..frames {
                publication.source().push_frame(Instant::now(), aac_frame(10 + index * 20));
            }
            assert_eq!(take(), messages, "with metadata and header before the first");
        }
    }
}
