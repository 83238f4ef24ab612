//! Why an RTMP connection ended.

use std::io;

use queqiao_room::signal::EndReason;

use crate::rooms::LinkEnd;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    #[error("closed by the client")]
    ByClient,
    #[error("closed by the client's protocol error: {0}")]
    Protocol(#[from] queqiao_rtmp::Error),
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    #[error("nothing published or played in time")]
    HandshakeTimeout,
    #[error("silent for too long")]
    Idle,
    #[error("the client does not read what it is sent")]
    Stalled,
    #[error("refused: {code}: {message}")]
    Refused { code: &'static str, message: String },
    #[error("codec {0} is not carried")]
    UnsupportedCodec(String),
    #[error("another publisher took the stream")]
    Replaced,
    #[error("the publisher did not come, or left")]
    NoPublisher,
    #[error("{0}")]
    ByRoom(LinkEnd),
    #[error("the server is shutting down")]
    Shutdown,
}

/// A newer publisher is known by two ways, and told as one.
pub(super) const fn by_room(end: LinkEnd) -> Closed {
    match end {
        LinkEnd::Ended(EndReason::Replaced) => Closed::Replaced,
        end => Closed::ByRoom(end),
    }
}
