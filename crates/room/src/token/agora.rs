//! Agora's formats: `AccessToken` (006) and `AccessToken2` (007). The app certificate, as text, is the secret. All
//! integers are little-endian.
//!
//! 006: `"006"`, the app id, then in Base64 a block with the signature, CRC-32 of channel and uid, and a block with the
//! message: salt, the time at which the token ends, privileges with theirs. Channel and uid stand in the signature alone.
//!
//! 007: `"007"`, then in Base64 and zlib a block with the signature, and the signed part: app id, when it was issued, for
//! how long, salt, and services with privileges, each for so many seconds.

use aws_lc_rs::hmac;
use crc::{CRC_32_ISO_HDLC, Crc};
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::privileges::{End, Privileges, standing};
use super::reader::{Reader, Writer};
use super::{Asked, Claims, Format, NO_ENTRY, Scope, UnixSeconds, base64, seconds_u32};
use crate::{AppId, Error, Role, RoomId, Secret, Uid};

pub(super) const VERSION_006: &str = "006";
pub(super) const VERSION_007: &str = "007";

/// App ids are this long, in characters of one byte.
const APP_ID_BYTES: usize = 32;

/// What a token may inflate to: four times the longest token. Identifiers hardly shrink, so that only a bomb needs more.
const MAX_INFLATED_BYTES: usize = 4 * super::MAX_TOKEN_BYTES;

/// The most services in a token: three times as many as there are kinds.
const MAX_SERVICES: u16 = 32;

/// How long the generators of 006 let a token live, whatever its privileges say.
const LIFE_006: u32 = 24 * 3600;

/// Effort of the compressor (0 to 10): tokens are too small for more to matter.
const COMPRESSION: u8 = 6;

/// The privileges of a channel.
const JOIN: u16 = 1;
const PUBLISH_AUDIO: u16 = 2;
const PUBLISH_VIDEO: u16 = 3;
const PUBLISH_DATA: u16 = 4;

/// Any channel, and any uid.
const ANY: &str = "*";

/// The service that channels are.
const RTC: u16 = 1;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

fn hmac(key: &[u8], data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
}

fn app_id(claims: &Claims, format: Format) -> Result<&AppId, Error> {
    if claims.app.as_str().len() != APP_ID_BYTES {
        return Err(Error::UnfitFormat { format, why: "need an app id of 32 characters" });
    }
    Ok(&claims.app)
}

/// The uid as it is signed: nothing for any.
fn uid_text(uid: &Scope<Uid>, format: Format) -> Result<&str, Error> {
    match uid {
        Scope::Any => Ok(""),
        Scope::Only(uid) if ["0", ANY].contains(&uid.as_str()) => {
            Err(Error::UnfitFormat { format, why: "take the uids 0 and * for any" })
        }
        Scope::Only(uid) => Ok(uid.as_str()),
    }
}

/// What the privileges of a role are.
const fn privileges_of(role: Role) -> &'static [u16] {
    match role {
        Role::Host => &[JOIN, PUBLISH_AUDIO, PUBLISH_VIDEO, PUBLISH_DATA],
        Role::Audience => &[JOIN],
    }
}

/// The standing that privileges give in a token that ends with `limit`.
fn standing_of(
    privileges: &Privileges,
    limit: End,
    end: impl Fn(u32) -> End,
    now: UnixSeconds,
) -> Result<(Role, Option<UnixSeconds>), Error> {
    let join = privileges.get(JOIN).ok_or(NO_ENTRY)?;
    let publish = [PUBLISH_AUDIO, PUBLISH_VIDEO].into_iter().filter_map(|key| privileges.get(key));
    Ok(standing([limit, end(join)], publish.map(&end), now))
}

/// The part of a 006 token that says nothing of channel and uid.
struct Message {
    salt: u32,
    end: u32,
    privileges: Privileges,
}

impl Message {
    fn read(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let (salt, end) = (reader.u32_le()?, reader.u32_le()?);
        let privileges = Privileges::read(&mut reader)?;
        reader.finish()?;
        Ok(Self { salt, end, privileges })
    }

    fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut writer = Writer::default();
        writer.u32_le(self.salt).u32_le(self.end);
        self.privileges.write(&mut writer)?;
        Ok(writer.into_bytes())
    }
}

fn signed_006(app: &str, room: &str, uid: &str, message: &[u8]) -> Vec<u8> {
    [app.as_bytes(), room.as_bytes(), uid.as_bytes(), message].concat()
}

/// Opens a 006 token. It does not say for which channel and uid it is; it can only be tried for those that are asked for.
pub(super) fn open_006(
    token: &str,
    secrets: &[Secret],
    asked: &Asked<'_>,
    now: UnixSeconds,
) -> Result<Claims, Error> {
    let rest = token.strip_prefix(VERSION_006).ok_or(Error::MalformedToken)?;
    let (app, rest) = rest.split_at_checked(APP_ID_BYTES).ok_or(Error::MalformedToken)?;
    if app != asked.app.as_str() {
        return Err(Error::WrongApp);
    }
    let content = base64::decode(rest)?;
    let mut reader = Reader::new(&content);
    let signature = reader.block_le()?;
    let (room_crc, uid_crc) = (reader.u32_le()?, reader.u32_le()?);
    let bytes = reader.block_le()?;
    reader.finish()?;
    let message = Message::read(bytes)?;
    if room_crc != CRC.checksum(asked.room.as_str().as_bytes()) {
        return Err(Error::WrongRoom);
    }
    let (uid, text) = if uid_crc == CRC.checksum(b"") {
        (Scope::Any, "")
    } else if uid_crc == CRC.checksum(asked.uid.as_str().as_bytes()) {
        (Scope::Only(asked.uid.clone()), asked.uid.as_str())
    } else {
        return Err(Error::WrongUid);
    };
    let signed = signed_006(app, asked.room.as_str(), text, bytes);
    let is_signer = |secret: &Secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, &signed, signature).is_ok()
    };
    if !secrets.iter().any(is_signer) {
        return Err(Error::BadSignature);
    }
    let limit = End::At(UnixSeconds(message.end.into()));
    let (role, exp) = standing_of(&message.privileges, limit, End::absolute, now)?;
    let (app, room) = (asked.app.clone(), Scope::Only(asked.room.clone()));
    Ok(Claims { app, room, uid, role, exp, nbf: None, iat: None, admin: false })
}

pub(super) fn issue_006(secret: &Secret, claims: &Claims, random: [u8; 16]) -> Result<String, Error> {
    let format = Format::Agora006;
    let Scope::Only(room) = &claims.room else {
        return Err(Error::UnfitFormat { format, why: "name a room" });
    };
    let uid = uid_text(&claims.uid, format)?;
    let app = app_id(claims, format)?;
    let (issued, expires) = (seconds_u32(claims.iat, format)?, seconds_u32(claims.exp, format)?);
    let message = Message {
        salt: salt(random),
        end: issued.saturating_add(LIFE_006).max(expires),
        privileges: Privileges::all(privileges_of(claims.role), expires),
    };
    seal_006(secret.as_bytes(), app.as_str(), room.as_str(), uid, &message.to_bytes()?)
}

pub(super) fn seal_006(
    secret: &[u8],
    app: &str,
    room: &str,
    uid: &str,
    message: &[u8],
) -> Result<String, Error> {
    let signature = hmac(secret, &signed_006(app, room, uid, message));
    let mut writer = Writer::default();
    writer.block_le(signature.as_ref())?;
    writer.u32_le(CRC.checksum(room.as_bytes())).u32_le(CRC.checksum(uid.as_bytes())).block_le(message)?;
    Ok(format!("{VERSION_006}{app}{}", base64::encode(&writer.into_bytes())))
}

/// A channel that a 007 token opens.
struct Channel {
    room: Scope<RoomId>,
    uid: Scope<Uid>,
    privileges: Privileges,
}

impl Channel {
    /// A channel is any one if it is `*`; a uid is if it is empty, 0 or `*`. An empty channel is more likely a mistake of
    /// a back end than the wish to open all rooms, and is refused.
    fn read(privileges: Privileges, reader: &mut Reader<'_>) -> Result<Self, Error> {
        let room = match reader.text_le()? {
            ANY => Scope::Any,
            room => Scope::Only(room.parse().map_err(|_| Error::MalformedToken)?),
        };
        let uid = match reader.text_le()? {
            "" | "0" | ANY => Scope::Any,
            uid => Scope::Only(uid.parse().map_err(|_| Error::MalformedToken)?),
        };
        Ok(Self { room, uid, privileges })
    }

    fn is_for(&self, asked: &Asked<'_>) -> bool {
        self.room.covers(asked.room) && self.uid.covers(asked.uid)
    }
}

/// The channels among the services that follow. A service of an unknown kind ends them, since nothing says how long it is;
/// services stand in the order of their kinds, and channels are the first.
fn channels(mut reader: Reader<'_>) -> Result<Vec<Channel>, Error> {
    let count = reader.u16_le()?;
    if count > MAX_SERVICES {
        return Err(Error::MalformedToken);
    }
    let mut channels = Vec::new();
    for _ in 0..count {
        let kind = reader.u16_le()?;
        let privileges = Privileges::read(&mut reader)?;
        if kind == RTC {
            channels.push(Channel::read(privileges, &mut reader)?);
        } else if !skip_service(kind, &mut reader)? {
            return Ok(channels);
        }
    }
    reader.finish()?;
    Ok(channels)
}

/// Passes over what a service of another product says; false if its kind is unknown.
fn skip_service(kind: u16, reader: &mut Reader<'_>) -> Result<bool, Error> {
    let texts = match kind {
        // FPA, conversational AI, speech to text.
        4 | 9 | 10 => 0,
        // RTM and chat: a user.
        2 | 5 | 8 => 1,
        // Streaming and FCDN: channel and user; aPaaS: room and user.
        3 | 6 | 7 => 2,
        _ => return Ok(false),
    };
    for _ in 0..texts {
        reader.block_le()?;
    }
    match kind {
        // The role in a room of aPaaS.
        7 => _ = reader.u16_le()?,
        8 => skip_resources(reader)?,
        _ => {}
    }
    Ok(true)
}

/// The permissions of RTM 2: kinds of resources, for each the kinds of permissions, for each the names. Every step takes
/// bytes, so that the counts need no limit of their own.
fn skip_resources(reader: &mut Reader<'_>) -> Result<(), Error> {
    for _ in 0..reader.u16_le()? {
        reader.u16_le()?;
        for _ in 0..reader.u16_le()? {
            reader.u16_le()?;
            for _ in 0..reader.u16_le()? {
                reader.block_le()?;
            }
        }
    }
    Ok(())
}

pub(super) fn open_007(
    token: &str,
    secrets: &[Secret],
    asked: &Asked<'_>,
    now: UnixSeconds,
) -> Result<Claims, Error> {
    let text = token.strip_prefix(VERSION_007).ok_or(Error::MalformedToken)?;
    let mut buffer = [0; MAX_INFLATED_BYTES];
    let body = inflate(&base64::decode(text)?, &mut buffer)?;
    let mut reader = Reader::new(body);
    let signature = reader.block_le()?;
    let info = reader.rest();
    let app = reader.text_le()?;
    let (issued, seconds, salt) = (reader.u32_le()?, reader.u32_le()?, reader.u32_le()?);
    if app != asked.app.as_str() {
        return Err(Error::WrongApp);
    }
    let is_signer = |secret: &Secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key_007(secret.as_bytes(), issued, salt).as_ref());
        hmac::verify(&key, info, signature).is_ok()
    };
    if !secrets.iter().any(is_signer) {
        return Err(Error::BadSignature);
    }
    let channels = channels(reader)?;
    let found = channels.iter().find(|channel| channel.is_for(asked)).or_else(|| channels.first());
    let Channel { room, uid, privileges } = found.ok_or(NO_ENTRY)?;
    let limit = End::At(UnixSeconds(u64::from(issued) + u64::from(seconds)));
    let (role, exp) = standing_of(privileges, limit, |seconds| End::relative(issued, seconds), now)?;
    let (app, iat) = (asked.app.clone(), Some(UnixSeconds(issued.into())));
    Ok(Claims { app, room: room.clone(), uid: uid.clone(), role, exp, nbf: None, iat, admin: false })
}

pub(super) fn issue_007(secret: &Secret, claims: &Claims, random: [u8; 16]) -> Result<String, Error> {
    let format = Format::Agora007;
    let app = app_id(claims, format)?;
    let (issued, expires) = (seconds_u32(claims.iat, format)?, seconds_u32(claims.exp, format)?);
    let seconds = expires.saturating_sub(issued);
    let room = match &claims.room {
        Scope::Any => ANY,
        Scope::Only(room) if room.as_str() == ANY => {
            return Err(Error::UnfitFormat { format, why: "take the room * for all of them" });
        }
        Scope::Only(room) => room.as_str(),
    };
    let uid = uid_text(&claims.uid, format)?;
    let mut info = Writer::default();
    info.block_le(app.as_str().as_bytes())?;
    info.u32_le(issued).u32_le(seconds).u32_le(salt(random)).u16_le(1).u16_le(RTC);
    Privileges::all(privileges_of(claims.role), seconds).write(&mut info)?;
    info.block_le(room.as_bytes())?.block_le(uid.as_bytes())?;
    seal_007(secret.as_bytes(), &info.into_bytes())
}

/// Signs, compresses and encodes a signed part, which says itself by what its key is made.
pub(super) fn seal_007(secret: &[u8], info: &[u8]) -> Result<String, Error> {
    let mut reader = Reader::new(info);
    reader.block_le()?;
    let (issued, _, salt) = (reader.u32_le()?, reader.u32_le()?, reader.u32_le()?);
    let signature = hmac(key_007(secret, issued, salt).as_ref(), info);
    let mut body = Writer::default();
    body.block_le(signature.as_ref())?.bytes(info);
    let compressed = compress_to_vec_zlib(&body.into_bytes(), COMPRESSION);
    Ok(format!("{VERSION_007}{}", base64::encode(&compressed)))
}

/// The key of one token: the certificate, hashed under its time and its salt.
fn key_007(certificate: &[u8], issued: u32, salt: u32) -> hmac::Tag {
    let key = hmac(&issued.to_le_bytes(), certificate);
    hmac(&salt.to_le_bytes(), key.as_ref())
}

fn salt(random: [u8; 16]) -> u32 {
    let [a, b, c, d, ..] = random;
    u32::from_le_bytes([a, b, c, d])
}

/// Inflates a whole zlib stream (RFC 1950) into `buffer`, with its checksum, and nothing behind it.
pub(super) fn inflate<'a>(compressed: &[u8], buffer: &'a mut [u8]) -> Result<&'a [u8], Error> {
    let flags =
        inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let mut decompressor = Box::<DecompressorOxide>::default();
    match decompress(&mut decompressor, compressed, buffer, 0, flags) {
        (TINFLStatus::Done, used, written) if used == compressed.len() => {
            buffer.get(..written).ok_or(Error::MalformedToken)
        }
        _ => Err(Error::MalformedToken),
    }
}
