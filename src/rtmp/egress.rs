//! From the hub to an RTMP player.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use queqiao_media::flv::TagKind;
use queqiao_media::time::Millis;
use queqiao_rtmp::chunk::{MediaHeader, MediaKind, media_message};
use tokio::sync::watch;
use tracing::debug;

use crate::hub::{Seat, SourceId, WireForm};
use crate::player::{Player, Tag, body};
use crate::signal::publisher_gone;

/// The chunk size towards every client: most frames of a call are one chunk, and players share their bytes.
pub(super) const CHUNK_SIZE: u32 = 60_000;

/// The message stream that nearly every client plays on; its bytes are shared.
const COMMON_STREAM: u32 = 1;

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

    /// The next message to write, unless the last one is not out yet. `None` once nobody has published for `wait`.
    pub(super) async fn next(&mut self, blocked: bool, wait: Duration) -> Option<Bytes> {
        loop {
            let tag = tokio::select! {
                tag = next_tag(&mut self.player), if !blocked => tag,
                () = publisher_gone(&mut self.presence, wait) => return None,
            };
            let message = match tag {
                Tag::Own { kind, time, body } => message(kind, time, self.stream_id, &body),
                Tag::Shared { frame, kind, time } if self.stream_id == COMMON_STREAM => frame
                    .wire(WireForm::RtmpMessage, || message(kind, time, COMMON_STREAM, &body(&frame.media))),
                Tag::Shared { frame, kind, time } => message(kind, time, self.stream_id, &body(&frame.media)),
            };
            if !message.is_empty() {
                return Some(message);
            }
        }
    }

    /// Frames that this player was too slow for.
    pub(super) fn skipped(&self) -> u64 {
        self.player.as_ref().map_or(0, Player::skipped)
    }
}

/// The player's next tag; none while it is paused.
async fn next_tag(player: &mut Option<Player>) -> Tag {
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
