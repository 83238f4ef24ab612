use std::sync::Arc;
use std::time::Duration;

use queqiao_room::signal::{EndReason, Ended, ErrorBody};

/// Why something did not work.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused a request; nothing has changed.
    #[error("{code}: {message}")]
    Refused {
        /// A stable name, as in the documentation of signalling.
        code: String,
        /// For people; may change.
        message: String,
        /// The field of the request that is meant.
        field: Option<String>,
        /// The bound that was exceeded.
        limit: Option<u64>,
        /// When to try again.
        retry_after: Option<Duration>,
    },
    /// The address of the server makes no sense.
    #[error("the address of the server is not an http, https, ws or wss address")]
    Address,
    /// An identifier is not one.
    #[error(transparent)]
    Identifier(#[from] queqiao_room::Error),
    /// The server cannot be reached, or does not speak the protocol.
    #[error("the server cannot be reached")]
    Unreachable,
    /// The server ended the session.
    #[error("the session is over: {}", words(.0))]
    Ended(Ended),
    /// This participant left the room.
    #[error("the room was left")]
    Left,
    /// The connection broke before the answer came, and asking twice would do harm.
    #[error("the connection broke before {request} was answered: whether it happened is not known")]
    OutcomeUnknown {
        /// The type of the request.
        request: &'static str,
    },
    /// The session that a request was for is over; there is a new one.
    #[error("the session that {request} was for is over")]
    SessionLost {
        /// The type of the request.
        request: &'static str,
    },
    /// The server did not answer, or there was no connection to ask it by.
    #[error("{request} was not answered in time")]
    TimedOut {
        /// The type of the request.
        request: &'static str,
    },
    /// More requests are under way than anyone needs.
    #[error("{limit} requests are waiting already")]
    TooManyRequests {
        /// How many may wait.
        limit: usize,
    },
    /// The server's answer is not what the protocol says.
    #[error("the answer to {request} makes no sense")]
    BadReply {
        /// The type of the request.
        request: &'static str,
    },
    /// A stream is published by this participant already.
    #[error("the stream is published already")]
    AlreadyPublished,
    /// A stream is received by this participant already.
    #[error("the stream is received already")]
    AlreadySubscribed,
    /// The stream ended: it was withdrawn, or its publisher left.
    #[error("the stream has ended")]
    StreamEnded,
    /// The stream has no such track.
    #[error("the stream was published without this track")]
    NoSuchTrack,
    /// Pictures refer to B-frames: WebRTC receivers show pictures as they come, and cannot show these.
    #[error("the pictures refer to B-frames, which WebRTC receivers cannot put in order")]
    Reordered,
    /// An offer of the server's cannot be understood.
    #[error("an offer of the server's makes no sense: {what}")]
    Offer {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Media that cannot be sent.
    #[error(transparent)]
    Media(#[from] queqiao_media::Error),
    /// The WebRTC stack failed.
    #[error("the WebRTC stack: {0}")]
    WebRtc(Arc<webrtc::error::Error>),
}

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable name of a refusal, for programs.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

impl From<ErrorBody> for Error {
    fn from(body: ErrorBody) -> Self {
        Self::Refused {
            code: body.code,
            message: body.message,
            field: body.field,
            limit: body.limit,
            retry_after: body.retry_after_ms.map(Duration::from_millis),
        }
    }
}

impl From<webrtc::error::Error> for Error {
    fn from(error: webrtc::error::Error) -> Self {
        Self::WebRtc(Arc::new(error))
    }
}

fn words(ended: &Ended) -> String {
    let reason = match ended.reason {
        EndReason::Kicked => "an admin removed this participant",
        EndReason::Banned => "an admin removed this participant and keeps it out",
        EndReason::Replaced => "the same uid joined again",
        EndReason::RoomClosed => "the room was closed",
        EndReason::TokenExpired => "the token expired",
    };
    match &ended.message {
        Some(message) => format!("{reason} ({message})"),
        None => reason.to_owned(),
    }
}
