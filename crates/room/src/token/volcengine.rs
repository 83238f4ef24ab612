//! Volcengine's format: `AccessToken` (001). The app key, as text, is the secret.
//!
//! `"001"`, the app id, then in Base64 a block with the message and one with its signature, HMAC-SHA256. The message has a
//! nonce, when the token was issued and when it ends, room, user, and privileges with their ends; all integers are
//! little-endian, and an end of zero sets none.

use aws_lc_rs::hmac;

use super::privileges::{End, Privileges, standing};
use super::reader::{Reader, Writer};
use super::{Asked, Claims, Format, NO_ENTRY, Scope, UnixSeconds, base64, seconds_u32};
use crate::{Error, Role, Secret};

pub(super) const VERSION: &str = "001";

/// App ids are this long, in characters of one byte.
const APP_ID_BYTES: usize = 24;

/// The privileges. Whoever may publish has the three after it as well, for audio, video and data.
const PUBLISH: u16 = 0;
const SUBSCRIBE: u16 = 4;

/// A token for this room is for all.
const ANY_ROOM: &str = "*";

pub(super) fn open(
    token: &str,
    secrets: &[Secret],
    asked: &Asked<'_>,
    now: UnixSeconds,
) -> Result<Claims, Error> {
    let rest = token.strip_prefix(VERSION).ok_or(Error::MalformedToken)?;
    let (app, rest) = rest.split_at_checked(APP_ID_BYTES).ok_or(Error::MalformedToken)?;
    if app != asked.app.as_str() {
        return Err(Error::WrongApp);
    }
    let content = base64::decode(rest)?;
    let mut reader = Reader::new(&content);
    let (message, signature) = (reader.block_le()?, reader.block_le()?);
    reader.finish()?;
    let is_signer = |secret: &Secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, message, signature).is_ok()
    };
    if !secrets.iter().any(is_signer) {
        return Err(Error::BadSignature);
    }
    read(message, asked, now)
}

/// What a genuine message says.
fn read(message: &[u8], asked: &Asked<'_>, now: UnixSeconds) -> Result<Claims, Error> {
    let mut reader = Reader::new(message);
    let _nonce = reader.u32_le()?;
    let (issued, expires) = (reader.u32_le()?, reader.u32_le()?);
    let room = match reader.text_le()? {
        ANY_ROOM => Scope::Any,
        room => Scope::Only(room.parse().map_err(|_| Error::MalformedToken)?),
    };
    let uid = Scope::Only(reader.text_le()?.parse().map_err(|_| Error::MalformedToken)?);
    let privileges = Privileges::read(&mut reader)?;
    reader.finish()?;
    let (role, exp) = standing_of(&privileges, End::absolute(expires), now)?;
    let iat = Some(UnixSeconds(issued.into()));
    Ok(Claims { app: asked.app.clone(), room, uid, role, exp, nbf: None, iat, admin: false })
}

/// A bearer needs one of the two rights, to publish or to subscribe. A right to subscribe that is over counts as expiry
/// only if there is no other.
fn standing_of(
    privileges: &Privileges,
    limit: End,
    now: UnixSeconds,
) -> Result<(Role, Option<UnixSeconds>), Error> {
    let publish = privileges.get(PUBLISH).map(End::absolute);
    let subscribe = privileges.get(SUBSCRIBE).map(End::absolute);
    let publishes = publish.is_some_and(|end| !end.is_over(now));
    let needed = match (subscribe, publish) {
        (Some(end), _) if publishes && end.is_over(now) => None,
        (Some(end), _) => Some(end),
        (None, Some(end)) => Some(end),
        (None, None) => return Err(NO_ENTRY),
    };
    Ok(standing([limit].into_iter().chain(needed), publish, now))
}

pub(super) fn issue(secret: &Secret, claims: &Claims, random: [u8; 16]) -> Result<String, Error> {
    let format = Format::Volcengine001;
    let app = claims.app.as_str();
    if app.len() != APP_ID_BYTES {
        return Err(Error::UnfitFormat { format, why: "need an app id of 24 characters" });
    }
    let Scope::Only(uid) = &claims.uid else {
        return Err(Error::UnfitFormat { format, why: "name a uid" });
    };
    let room = match &claims.room {
        Scope::Any => ANY_ROOM,
        Scope::Only(room) if room.as_str() == ANY_ROOM => {
            return Err(Error::UnfitFormat { format, why: "take the room * for all of them" });
        }
        Scope::Only(room) => room.as_str(),
    };
    let expires = match claims.exp {
        None => 0,
        at => seconds_u32(at, format)?,
    };
    let privileges: &[u16] = match claims.role {
        Role::Host => &[PUBLISH, 1, 2, 3, SUBSCRIBE],
        Role::Audience => &[SUBSCRIBE],
    };
    let [a, b, c, d, ..] = random;
    let mut message = Writer::default();
    message.u32_le(u32::from_le_bytes([a, b, c, d])).u32_le(seconds_u32(claims.iat, format)?).u32_le(expires);
    message.block_le(room.as_bytes())?.block_le(uid.as_str().as_bytes())?;
    Privileges::all(privileges, expires).write(&mut message)?;
    seal(secret.as_bytes(), app, &message.into_bytes())
}

pub(super) fn seal(secret: &[u8], app: &str, message: &[u8]) -> Result<String, Error> {
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message);
    let mut content = Writer::default();
    content.block_le(message)?.block_le(signature.as_ref())?;
    Ok(format!("{VERSION}{app}{}", base64::encode(&content.into_bytes())))
}
