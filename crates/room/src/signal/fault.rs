use serde::{Deserialize, Serialize};

use super::{
    MAX_CANDIDATE_BYTES, MAX_CAPABILITIES, MAX_CAPABILITY_BYTES, MAX_DEPTH, MAX_SDP_BYTES, MAX_STATS_STREAMS,
    VERSION,
};
use crate::Error;

/// Why a message cannot be taken as a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It is longer than allowed.
    #[error("a message has at most {limit} bytes; this one has {bytes}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// Objects and arrays are nested deeper than [`MAX_DEPTH`].
    #[error("a message is nested at most {MAX_DEPTH} deep")]
    TooDeep,
    /// It is not JSON, or not an object.
    #[error("a message is a JSON object (byte {offset} is where it stops being one)")]
    Malformed {
        /// Where the fault was noticed, in bytes from the start of its line.
        offset: usize,
    },
    /// There is no `id`, or it is not a whole number of at most 53 bits.
    #[error("a request has an id: a whole number from 0 to 9007199254740991")]
    InvalidId,
    /// There is no `type`, or no such type is known.
    #[error("the type of the request is not known")]
    UnknownType,
    /// A field is missing.
    #[error("the field {field} is missing")]
    MissingField {
        /// Its name.
        field: String,
    },
    /// A field has a wrong type or value.
    #[error("a field has a wrong type or value: {what}")]
    InvalidField {
        /// What is wrong, for people.
        what: String,
    },
    /// An identifier is not valid.
    #[error(transparent)]
    Identifier(Error),
    /// The client speaks another version.
    #[error("this server speaks version {VERSION}")]
    UnsupportedVersion,
    /// A session description is longer than [`MAX_SDP_BYTES`].
    #[error("a session description has at most {MAX_SDP_BYTES} bytes; this one has {bytes}")]
    SdpTooLarge {
        /// Its length.
        bytes: usize,
    },
    /// A candidate is longer than [`MAX_CANDIDATE_BYTES`].
    #[error("a candidate has at most {MAX_CANDIDATE_BYTES} bytes")]
    CandidateTooLarge,
    /// More or longer capabilities than allowed.
    #[error("at most {MAX_CAPABILITIES} capabilities of at most {MAX_CAPABILITY_BYTES} bytes")]
    TooManyCapabilities,
    /// Statistics of more streams than allowed.
    #[error("statistics of at most {MAX_STATS_STREAMS} streams")]
    TooManyStats,
}

impl Fault {
    /// A stable name, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "message_too_large",
            Self::TooDeep => "message_too_deep",
            Self::Malformed { .. } => "malformed_message",
            Self::InvalidId => "invalid_id",
            Self::UnknownType => "unknown_type",
            Self::MissingField { .. } => "missing_field",
            Self::InvalidField { .. } => "invalid_field",
            Self::Identifier(error) => error.code(),
            Self::UnsupportedVersion => "unsupported_version",
            Self::SdpTooLarge { .. } => "sdp_too_large",
            Self::CandidateTooLarge => "candidate_too_large",
            Self::TooManyCapabilities => "too_many_capabilities",
            Self::TooManyStats => "too_many_stats",
        }
    }
}

/// A message that was refused before it became a request, with its `id` if that could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct BadMessage {
    /// The number of the request.
    pub id: Option<u64>,
    /// Why.
    pub fault: Fault,
}

/// A refusal on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A stable name, for programs.
    pub code: String,
    /// For people; may change.
    pub message: String,
    /// The field that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The bound that was exceeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// When to try again, milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ErrorBody {
    /// A refusal of the server's own, beyond those that this crate makes.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), field: None, limit: None, retry_after_ms: None }
    }
}

impl From<&Fault> for ErrorBody {
    fn from(fault: &Fault) -> Self {
        let mut body = Self::new(fault.code(), fault.to_string());
        match fault {
            Fault::TooLarge { limit, .. } => body.limit = u64::try_from(*limit).ok(),
            Fault::TooDeep => body.limit = u64::try_from(MAX_DEPTH).ok(),
            Fault::SdpTooLarge { .. } => body.limit = u64::try_from(MAX_SDP_BYTES).ok(),
            Fault::MissingField { field } => body.field = Some(field.clone()),
            Fault::Identifier(Error::InvalidId { kind, .. }) => {
                body.field = Some(super::values::field_of(*kind).to_owned());
            }
            _ => {}
        }
        body
    }
}

impl From<&Error> for ErrorBody {
    fn from(error: &Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
