use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::{AppId, Error, Role, RoomId, Secret, Uid};

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
}

impl From<SystemTime> for UnixSeconds {
    /// Times before 1970 become 1970.
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}

/// What a token says: the payload of a JWT (RFC 7519) signed with HS256.
///
/// Claims beyond these are ignored. Holding a value of this type proves nothing; a [`crate::Grant`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The app whose secret signs the token.
    pub app: AppId,
    /// The only room that the token opens.
    pub room: RoomId,
    /// Who bears it. A host may publish under this uid alone, camera and screen.
    pub uid: Uid,
    /// What the bearer may do.
    pub role: Role,
    /// Until when it holds.
    pub exp: UnixSeconds,
    /// From when it holds; at once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<UnixSeconds>,
    /// When it was issued. Only for people who look into a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<UnixSeconds>,
    /// Whether the bearer may also mute, remove and ban others and close the room; no when absent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
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
        Ok(Self { app, room, uid, role, exp: now.after(ttl), nbf: None, iat: Some(now), admin: false })
    }

    pub(crate) fn check_time(&self, now: UnixSeconds) -> Result<(), Error> {
        if now >= self.exp.after(EXPIRY_LEEWAY) {
            return Err(Error::TokenExpired { ago: now.0.saturating_sub(self.exp.0) });
        }
        match self.nbf {
            Some(nbf) if nbf > now.after(EXPIRY_LEEWAY) => {
                Err(Error::TokenNotYetValid { wait: nbf.0.saturating_sub(now.0) })
            }
            _ => Ok(()),
        }
    }
}

/// Signs claims: the token that an app's back end hands to a user.
///
/// # Errors
///
/// [`Error::Signing`] if the cryptographic library fails.
pub fn issue(secret: &Secret, claims: &Claims) -> Result<String, Error> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).map_err(|_| Error::Signing)
}

/// Checks form, algorithm and signature, and returns the claims, whose meaning is still to be checked.
pub(crate) fn open(token: &str, secrets: &[Secret]) -> Result<Claims, Error> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::TokenTooLarge { bytes: token.len() });
    }
    let validation = validation();
    for secret in secrets {
        let key = DecodingKey::from_secret(secret.as_bytes());
        match jsonwebtoken::decode::<Claims>(token, &key, &validation) {
            Ok(data) => return Ok(data.claims),
            Err(error) => match error.kind() {
                ErrorKind::InvalidSignature => {}
                ErrorKind::InvalidAlgorithm => return Err(Error::WrongAlgorithm),
                _ => return Err(Error::MalformedToken),
            },
        }
    }
    Err(Error::BadSignature)
}

/// The library checks the signature under HS256 and nothing else: times are checked against the caller's clock, and an
/// `aud` that a back end adds is none of our business.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
