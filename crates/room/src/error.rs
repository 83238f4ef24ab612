use std::fmt;

use crate::{
    AppId, Format, MAX_ID_BYTES, MAX_SECRETS_PER_APP, MAX_TOKEN_BYTES, MAX_TTL, MIN_SECRET_BYTES, Permission,
    Role,
};

/// Everything that this crate refuses, and why.
///
/// No variant carries a token, a secret or any part of one. [`Error::code`] is what a client sees in a machine-readable
/// answer; the `Display` text is for people and may change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An app id, room or uid breaks the rules for identifiers.
    #[error("{kind}: {fault}")]
    InvalidId {
        /// Which identifier.
        kind: IdKind,
        /// What is wrong with it.
        fault: IdFault,
    },
    /// An address is not of the form `APP/ROOM/UID`.
    #[error("an address has the form APP/ROOM/UID; this one has {segments} segments")]
    InvalidAddress {
        /// How many segments were found (counting stops at four).
        segments: usize,
    },
    /// A role is neither `host` nor `audience`.
    #[error("a role is \"host\" or \"audience\"")]
    InvalidRole,
    /// A secret is shorter than [`MIN_SECRET_BYTES`].
    #[error("a secret needs at least {MIN_SECRET_BYTES} bytes; this one has {bytes}")]
    ShortSecret {
        /// Its length.
        bytes: usize,
    },
    /// A secret is a well-known placeholder, or nearly without variety.
    #[error("this secret is a placeholder or easy to guess")]
    GuessableSecret,
    /// An app was configured without any secret, and not as open.
    #[error("app {0} has no secret")]
    NoSecret(AppId),
    /// An open app has an id that is shorter than a secret, or as easy to guess as a bad one.
    #[error("the id of an open app lets everybody in who knows it: {0} is too short or too easy to guess")]
    GuessableApp(AppId),
    /// An app was configured with more than [`MAX_SECRETS_PER_APP`] secrets.
    #[error("app {0} has more than {MAX_SECRETS_PER_APP} secrets")]
    TooManySecrets(AppId),
    /// An app was configured twice.
    #[error("app {0} is configured twice")]
    DuplicateApp(AppId),
    /// The name of the demo app was given to a configured one.
    #[error("the app id \"demo\" is reserved: choose another one")]
    ReservedApp,
    /// More apps were configured than a server serves.
    #[error("more than {} apps are configured", crate::MAX_APPS)]
    TooManyApps,
    /// A token was asked for with a lifetime of zero or of more than [`MAX_TTL`].
    #[error("a token lives for 1 second to {} days", MAX_TTL.as_secs() / 86_400)]
    InvalidTtl,
    /// A token was asked for in a format that there is not.
    #[error("a format is \"jwt\", \"agora-006\", \"agora-007\", \"volcengine-001\" or \"zego-04\"")]
    InvalidFormat,
    /// A token was asked for in a format that cannot say it.
    #[error("tokens of the format {format} {why}")]
    UnfitFormat {
        /// The format.
        format: Format,
        /// What it can, or needs.
        why: &'static str,
    },
    /// Signing failed inside the cryptographic library.
    #[error("the token could not be signed")]
    Signing,
    /// The app is not configured on this server.
    #[error("there is no app {0} on this server")]
    UnknownApp(AppId),
    /// The app needs a token and none was given.
    #[error("app {0} needs a token")]
    MissingToken(AppId),
    /// The token is longer than [`MAX_TOKEN_BYTES`].
    #[error("a token has at most {MAX_TOKEN_BYTES} bytes; this one has {bytes}")]
    TokenTooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The token has none of the formats, or its claims are missing, of a wrong type or not valid identifiers.
    #[error("the token is malformed")]
    MalformedToken,
    /// The token names another algorithm than HS256.
    #[error("the token is not signed with HS256")]
    WrongAlgorithm,
    /// No secret of the app made this signature; an open app has none.
    #[error("the signature of the token is wrong")]
    BadSignature,
    /// The token is past its time.
    #[error("the token expired {ago} s ago")]
    TokenExpired {
        /// Seconds since its expiry.
        ago: u64,
    },
    /// The token's `nbf` lies in the future.
    #[error("the token is valid only in {wait} s")]
    TokenNotYetValid {
        /// Seconds until it is.
        wait: u64,
    },
    /// The token is for another app.
    #[error("the token is for another app")]
    WrongApp,
    /// The token is for another room.
    #[error("the token is for another room")]
    WrongRoom,
    /// The token is for another uid.
    #[error("the token is for another uid")]
    WrongUid,
    /// The stream is one that the server makes, which nobody publishes.
    #[error("the server makes this stream itself")]
    MadeByServer,
    /// The role does not allow this.
    #[error("the role {role} may not {permission}")]
    RoleNotAllowed {
        /// The role in the token.
        role: Role,
        /// What was asked for.
        permission: Permission,
    },
}

impl Error {
    /// A stable name of the refusal in `snake_case`, for answers that programs read.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidId { kind: IdKind::App, .. } => "invalid_app",
            Self::InvalidId { kind: IdKind::Room, .. } => "invalid_room",
            Self::InvalidId { kind: IdKind::Uid, .. } => "invalid_uid",
            Self::InvalidAddress { .. } => "invalid_address",
            Self::InvalidRole => "invalid_role",
            Self::ShortSecret { .. } => "short_secret",
            Self::GuessableSecret => "guessable_secret",
            Self::NoSecret(_) => "no_secret",
            Self::GuessableApp(_) => "guessable_app",
            Self::TooManySecrets(_) => "too_many_secrets",
            Self::DuplicateApp(_) => "duplicate_app",
            Self::ReservedApp => "reserved_app",
            Self::TooManyApps => "too_many_apps",
            Self::InvalidTtl => "invalid_ttl",
            Self::InvalidFormat => "invalid_format",
            Self::UnfitFormat { .. } => "unfit_format",
            Self::Signing => "signing_failed",
            Self::UnknownApp(_) => "unknown_app",
            Self::MissingToken(_) => "missing_token",
            Self::TokenTooLarge { .. } => "token_too_large",
            Self::MalformedToken => "malformed_token",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::BadSignature => "bad_signature",
            Self::TokenExpired { .. } => "token_expired",
            Self::TokenNotYetValid { .. } => "token_not_yet_valid",
            Self::WrongApp => "wrong_app",
            Self::WrongRoom => "wrong_room",
            Self::WrongUid => "wrong_uid",
            Self::MadeByServer => "made_by_server",
            Self::RoleNotAllowed { .. } => "role_not_allowed",
        }
    }
}

/// The kind of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    /// An [`AppId`].
    App,
    /// A [`crate::RoomId`].
    Room,
    /// A [`crate::Uid`].
    Uid,
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "app",
            Self::Room => "room",
            Self::Uid => "uid",
        })
    }
}

/// What is wrong with an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdFault {
    /// It has no characters.
    #[error("is empty")]
    Empty,
    /// It is longer than [`MAX_ID_BYTES`].
    #[error("has {bytes} bytes, and {MAX_ID_BYTES} are allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is `.` or `..`, which HTTP clients remove from paths.
    #[error("may not be \".\" or \"..\"")]
    DotSegment,
    /// It holds a character that is not printable or has a meaning in addresses.
    #[error("the character {character:?} at byte {offset} is not allowed")]
    Character {
        /// The character.
        character: char,
        /// Where it begins, in bytes.
        offset: usize,
    },
}
