//! Tokens: what lets somebody into a room, in our own format and in those of three vendors.
//!
//! Each format has a module with `open`, which checks form and signature, and `issue`. What a token says has one shape,
//! [`Claims`], whatever its format. `docs/tokens.md` has the layouts and their meaning here.

mod agora;
mod base64;
mod jwt;
mod privileges;
mod reader;
mod volcengine;
mod zego;

#[doc(hidden)]
pub mod fuzzing;

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{AppId, Error, Permission, Role, RoomId, Secret, Uid};

/// The longest token that is looked at: four times what three identifiers of full length need, so that a back end may
/// add claims of its own.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// How long after its expiry, and before its `nbf`, a token is still accepted: the clocks of two servers that keep time
/// by NTP differ by less.
pub const EXPIRY_LEEWAY: Duration = Duration::from_secs(5);

/// The longest life that [`issue`] gives a token. A token cannot be called back, so it should not outlive its secret.
pub const MAX_TTL: Duration = Duration::from_secs(365 * 86_400);

/// A time of day: whole seconds since 1970-01-01T00:00:00Z, as in RFC 7519 section 2 (`NumericDate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// This much later; saturates.
    #[must_use]
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_secs()))
    }

    /// Whether a right that ends now is over, with [`EXPIRY_LEEWAY`].
    fn is_over(self, now: Self) -> bool {
        now >= self.after(EXPIRY_LEEWAY)
    }
}

impl From<SystemTime> for UnixSeconds {
    /// Times before 1970 become 1970.
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}

/// What a token is good for: one thing, or every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope<T> {
    /// The token leaves it open.
    Any,
    /// This one alone.
    Only(T),
}

impl<T: PartialEq> Scope<T> {
    /// Whether the token is good for it.
    #[must_use]
    pub fn covers(&self, one: &T) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only == one,
        }
    }
}

/// What a token says, whatever its format.
///
/// Holding a value of this type proves nothing; a [`crate::Grant`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The app whose secret signs the token.
    pub app: AppId,
    /// The room that the token opens. Our own format always names one.
    pub room: Scope<RoomId>,
    /// Who bears it. A host may publish under this uid alone, camera and screen. Our own format always names one.
    pub uid: Scope<Uid>,
    /// What the bearer may do. In the formats of vendors, where every right ends by itself, what it may do now.
    pub role: Role,
    /// Until when it holds: the earliest end of the rights that it still gives. Only a token of Volcengine may hold for
    /// ever, which is `None`.
    pub exp: Option<UnixSeconds>,
    /// From when it holds; at once when absent. Only in our own format.
    pub nbf: Option<UnixSeconds>,
    /// When it was issued. Only for people who look into a token.
    pub iat: Option<UnixSeconds>,
    /// Whether the bearer may also mute, remove and ban others and close the room. Only in our own format.
    pub admin: bool,
}

impl Claims {
    /// Claims that hold from `now` for `ttl`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidTtl`] if `ttl` is under a second or over [`MAX_TTL`].
    pub fn new(
        app: AppId,
        room: RoomId,
        uid: Uid,
        role: Role,
        now: UnixSeconds,
        ttl: Duration,
    ) -> Result<Self, Error> {
        if ttl < Duration::from_secs(1) || ttl > MAX_TTL {
            return Err(Error::InvalidTtl);
        }
        let (room, uid, exp) = (Scope::Only(room), Scope::Only(uid), Some(now.after(ttl)));
        Ok(Self { app, room, uid, role, exp, nbf: None, iat: Some(now), admin: false })
    }

    pub(crate) fn check_time(&self, now: UnixSeconds) -> Result<(), Error> {
        if let Some(exp) = self.exp
            && exp.is_over(now)
        {
            return Err(Error::TokenExpired { ago: now.0.saturating_sub(exp.0) });
        }
        match self.nbf {
            Some(nbf) if nbf > now.after(EXPIRY_LEEWAY) => {
                Err(Error::TokenNotYetValid { wait: nbf.0.saturating_sub(now.0) })
            }
            _ => Ok(()),
        }
    }
}

/// The formats of tokens. All are accepted in every app; the first characters tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Our own: a JWT (RFC 7519) signed with HS256.
    Jwt,
    /// Agora's `AccessToken`, version 006.
    Agora006,
    /// Agora's `AccessToken2`, version 007.
    Agora007,
    /// Volcengine's `AccessToken`, version 001.
    Volcengine001,
    /// ZEGO's `token04`.
    Zego04,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Jwt, Self::Agora006, Self::Agora007, Self::Volcengine001, Self::Zego04];

    const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Agora006 => "agora-006",
            Self::Agora007 => "agora-007",
            Self::Volcengine001 => "volcengine-001",
            Self::Zego04 => "zego-04",
        }
    }

    /// A JWT begins with an encoded `{`, which is never a digit, so that what begins with no vendor's version is one, or
    /// no token at all.
    fn of(token: &str) -> Self {
        let vendors = [
            (agora::VERSION_006, Self::Agora006),
            (agora::VERSION_007, Self::Agora007),
            (volcengine::VERSION, Self::Volcengine001),
            (zego::VERSION, Self::Zego04),
        ];
        let found = vendors.into_iter().find(|(version, _)| token.starts_with(version));
        found.map_or(Self::Jwt, |(_, format)| format)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or(Error::InvalidFormat)
    }
}

/// Where the bearer of a token wants to go, and as whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) app: &'a AppId,
    pub(crate) room: &'a RoomId,
    pub(crate) uid: &'a Uid,
}

/// Signs claims in our own format: the token that an app's back end hands to a user.
///
/// # Errors
///
/// [`Error::UnfitFormat`] if a JWT cannot say it, [`Error::Signing`] if the cryptographic library fails.
pub fn issue(secret: &Secret, claims: &Claims) -> Result<String, Error> {
    jwt::issue(secret, claims)
}

/// Signs claims in any format. `random` makes the tokens of vendors differ from each other, and has to be new each time.
///
/// # Errors
///
/// [`Error::UnfitFormat`] if the format cannot say it, or not with this app id or secret; [`Error::Signing`] if the
/// cryptographic library fails.
pub fn issue_as(format: Format, secret: &Secret, claims: &Claims, random: [u8; 16]) -> Result<String, Error> {
    if format != Format::Jwt && (claims.admin || claims.nbf.is_some()) {
        return Err(Error::UnfitFormat {
            format,
            why: "say neither who is an admin nor from when they hold",
        });
    }
    match format {
        Format::Jwt => jwt::issue(secret, claims),
        Format::Agora006 => agora::issue_006(secret, claims, random),
        Format::Agora007 => agora::issue_007(secret, claims, random),
        Format::Volcengine001 => volcengine::issue(secret, claims, random),
        Format::Zego04 => zego::issue(secret, claims, random),
    }
}

/// Checks form and signature, and returns the claims, whose meaning is still to be checked.
pub(crate) fn open(
    token: &str,
    secrets: &[Secret],
    asked: &Asked<'_>,
    now: UnixSeconds,
) -> Result<Claims, Error> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::TokenTooLarge { bytes: token.len() });
    }
    match Format::of(token) {
        Format::Jwt => jwt::open(token, secrets),
        Format::Agora006 => agora::open_006(token, secrets, asked, now),
        Format::Agora007 => agora::open_007(token, secrets, asked, now),
        Format::Volcengine001 => volcengine::open(token, secrets, asked, now),
        Format::Zego04 => zego::open(token, secrets, asked),
    }
}

/// A genuine token that lets nobody into any room.
const NO_ENTRY: Error = Error::RoleNotAllowed { role: Role::Audience, permission: Permission::Play };

/// The times that a vendor's token needs, in 32 bits.
fn seconds_u32(time: Option<UnixSeconds>, format: Format) -> Result<u32, Error> {
    let time = time.ok_or(Error::UnfitFormat { format, why: "hold from a time to a time" })?;
    u32::try_from(time.0).map_err(|_| Error::UnfitFormat { format, why: "end before the year 2106" })
}

#[cfg(test)]
mod tests;
