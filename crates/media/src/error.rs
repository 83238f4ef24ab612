//! The one error type of this crate.

use crate::h264::NalType;

/// Why a piece of media was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input ends inside a field.
    #[error("{what} ends at byte {offset}, within a field")]
    Truncated {
        /// The structure that was being read.
        what: &'static str,
        /// The length of the input, or the offset of the field that does not fit.
        offset: usize,
    },

    /// A field has a value that its specification forbids.
    #[error("{what}: {value} is not allowed at byte {offset}")]
    Invalid {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u64,
        /// Where it was read.
        offset: usize,
    },

    /// A count or size is beyond what this crate accepts.
    #[error("{what}: more than {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The named limit that it exceeds.
        limit: usize,
    },

    /// A parameter set that cannot be read.
    #[error("malformed NAL unit of type {}: {reason}", nal_type.0)]
    BadParameterSet {
        /// The type of the NAL unit.
        nal_type: NalType,
        /// What the parser said.
        reason: String,
    },

    /// Media came before the parameter sets or the decoder configuration that it needs.
    #[error("{codec} frame before its {needs}")]
    MissingParameters {
        /// The codec of the frame.
        codec: &'static str,
        /// What should have come first.
        needs: &'static str,
    },

    /// A codec that is never carried.
    #[error("codec {name} is not supported")]
    UnsupportedCodec {
        /// Its name as people know it.
        name: std::borrow::Cow<'static, str>,
    },
}
