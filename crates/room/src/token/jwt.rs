//! Our own format: a JWT (RFC 7519) signed with HS256.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{Claims, Format, Scope, UnixSeconds};
use crate::{AppId, Error, Role, RoomId, Secret, Uid};

/// The payload. Claims beyond these are ignored, as RFC 7519 section 4 asks for.
#[derive(Serialize, Deserialize)]
struct Payload {
    app: AppId,
    room: RoomId,
    uid: Uid,
    role: Role,
    exp: UnixSeconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<UnixSeconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<UnixSeconds>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    admin: bool,
}

impl From<Payload> for Claims {
    fn from(payload: Payload) -> Self {
        let Payload { app, room, uid, role, exp, nbf, iat, admin } = payload;
        Self { app, room: Scope::Only(room), uid: Scope::Only(uid), role, exp: Some(exp), nbf, iat, admin }
    }
}

impl TryFrom<&Claims> for Payload {
    type Error = Error;

    fn try_from(claims: &Claims) -> Result<Self, Error> {
        let Claims { app, room: Scope::Only(room), uid: Scope::Only(uid), exp: Some(exp), .. } = claims
        else {
            let why = "name a room and a uid and expire";
            return Err(Error::UnfitFormat { format: Format::Jwt, why });
        };
        let (role, exp, nbf, iat) = (claims.role, *exp, claims.nbf, claims.iat);
        let (app, room, uid) = (app.clone(), room.clone(), uid.clone());
        Ok(Self { app, room, uid, role, exp, nbf, iat, admin: claims.admin })
    }
}

pub(super) fn issue(secret: &Secret, claims: &Claims) -> Result<String, Error> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let payload = Payload::try_from(claims)?;
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &payload, &key).map_err(|_| Error::Signing)
}

pub(super) fn open(token: &str, secrets: &[Secret]) -> Result<Claims, Error> {
    let validation = validation();
    for secret in secrets {
        let key = DecodingKey::from_secret(secret.as_bytes());
        match jsonwebtoken::decode::<Payload>(token, &key, &validation) {
            Ok(data) => return Ok(data.claims.into()),
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
