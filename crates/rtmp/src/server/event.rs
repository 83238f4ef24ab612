use std::fmt;

use bytes::Bytes;

use crate::address::{Address, without_query};
use crate::amf0::{Object, Value};

/// What a session tells its owner.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The client has connected to an application; nothing is allowed yet.
    Connected(Connect),
    /// The client wants to publish; answer with [`Session::accept_publish`](super::Session::accept_publish) or
    /// [`Session::reject_publish`](super::Session::reject_publish).
    Publish(PublishRequest),
    /// The client wants to play; answer with [`Session::accept_play`](super::Session::accept_play) or
    /// [`Session::reject_play`](super::Session::reject_play).
    Play(PlayRequest),
    /// An FLV video tag body from the accepted publisher. Never empty.
    Video {
        /// Milliseconds as on the wire: wraps at 2^32, starts anywhere.
        timestamp: u32,
        /// The tag body.
        payload: Bytes,
    },
    /// An FLV audio tag body from the accepted publisher. Never empty.
    Audio {
        /// Milliseconds as on the wire: wraps at 2^32, starts anywhere.
        timestamp: u32,
        /// The tag body.
        payload: Bytes,
    },
    /// `onMetaData` from the accepted publisher. A claim: the media itself may say otherwise.
    Metadata(Object),
    /// The client has withdrawn its publish, whether or not it was accepted already.
    PublishStopped,
    /// The client has withdrawn its play, whether or not it was accepted already.
    PlayStopped,
    /// The player pauses or resumes.
    Paused(bool),
    /// The player switches audio on or off.
    ReceiveAudio(bool),
    /// The player switches video on or off.
    ReceiveVideo(bool),
    /// Answer to [`Session::ping`](super::Session::ping) with its timestamp, while something is published or played.
    PingResponse(u32),
}

/// What `connect` said. `Debug` leaves out queries, which may hold secrets.
#[derive(Clone, PartialEq)]
pub struct Connect {
    /// Application, as sent: may contain further path segments and a query.
    pub app: String,
    /// URL of the server, as sent.
    pub tc_url: String,
    /// Name and version of the client; not reliable.
    pub flash_ver: String,
    /// 0 for AMF0, 3 for AMF3.
    pub object_encoding: f64,
}

impl Connect {
    pub(super) fn from_object(object: &Value) -> Self {
        let text = |name: &str| {
            object.as_object().and_then(|object| object.text(name)).unwrap_or_default().to_owned()
        };
        let encoding = object.as_object().and_then(|object| object.number("objectEncoding"));
        Self {
            app: text("app"),
            tc_url: text("tcUrl"),
            flash_ver: text("flashVer"),
            object_encoding: encoding.unwrap_or(0.0),
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connect")
            .field("app", &without_query(&self.app))
            .field("tc_url", &without_query(&self.tc_url))
            .field("flash_ver", &self.flash_ver)
            .field("object_encoding", &self.object_encoding)
            .finish()
    }
}

/// How the publisher wants its stream treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishKind {
    /// Live, not stored. Also stands for a missing or unknown kind.
    Live,
    /// To be recorded.
    Record,
    /// To be appended to a recording.
    Append,
}

/// A publish that waits for its answer. Only a session makes one, and answering consumes it.
#[derive(Debug)]
#[must_use = "the client waits for an answer"]
pub struct PublishRequest {
    pub(super) ticket: u64,
    pub(super) address: Address,
    pub(super) kind: PublishKind,
}

impl PublishRequest {
    /// What is to be published.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How it is to be treated.
    #[must_use]
    pub fn kind(&self) -> PublishKind {
        self.kind
    }
}

/// A play that waits for its answer. Only a session makes one, and answering consumes it.
#[derive(Debug)]
#[must_use = "the client waits for an answer"]
pub struct PlayRequest {
    pub(super) ticket: u64,
    pub(super) address: Address,
    pub(super) reset: bool,
}

impl PlayRequest {
    /// What is to be played.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }
}
