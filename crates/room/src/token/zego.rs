//! ZEGO's format: `token04`. The server secret, 32 bytes of text, is the key of AES-256.
//!
//! `"04"`, then in Base64 when the token ends, a block with the nonce and one with the ciphertext, all big-endian, and a
//! byte for the mode: 1 for GCM, 0 or no byte at all for CBC. What is encrypted is JSON.
//!
//! CBC hides but does not sign: whoever has a token can change some of what another says in it. Nothing of it is taken on
//! trust, and what does not decrypt to a token is refused in one way and in the same time, whatever is wrong with it, for a
//! server that told bad padding from bad JSON would encrypt tokens for strangers.

use std::borrow::Cow;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use serde::{Deserialize, Serialize};

use super::reader::{Reader, Writer};
use super::{Asked, Claims, Format, NO_ENTRY, Scope, UnixSeconds, base64};
use crate::{Error, Role, RoomId, Secret};

pub(super) const VERSION: &str = "04";

const KEY_BYTES: usize = 32;
const BLOCK_BYTES: usize = 16;
const GCM_MODE: u8 = 1;
const CBC_MODE: u8 = 0;

/// What is encrypted. The names of the fields are ZEGO's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    app_id: u32,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    ctime: u64,
    expire: u64,
    nonce: i32,
    /// Empty, or a [`Payload`] in JSON.
    #[serde(borrow, default)]
    payload: Cow<'a, str>,
}

/// What limits a token to a room.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    room_id: RoomId,
    privilege: Privilege,
    /// Names of streams that may be published. A stream here has the name of its publisher, which the token says anyway.
    #[serde(default)]
    stream_id_list: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Privilege {
    #[serde(rename = "1")]
    login: u8,
    #[serde(rename = "2", default)]
    publish: u8,
}

/// The parts of a token that can be seen without the secret.
struct Envelope<'a> {
    expire: i64,
    sealed: Sealed<'a>,
}

enum Sealed<'a> {
    /// With the tag at its end.
    Gcm {
        nonce: [u8; aead::NONCE_LEN],
        ciphertext: &'a [u8],
    },
    Cbc {
        iv: [u8; BLOCK_BYTES],
        ciphertext: &'a [u8],
    },
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let expire = reader.i64_be()?;
        let (nonce, ciphertext) = (reader.block_be()?, reader.block_be()?);
        let malformed = |_| Error::MalformedToken;
        let sealed = match reader.rest() {
            [GCM_MODE] => Sealed::Gcm { nonce: nonce.try_into().map_err(malformed)?, ciphertext },
            [] | [CBC_MODE] => Sealed::Cbc { iv: nonce.try_into().map_err(malformed)?, ciphertext },
            _ => return Err(Error::MalformedToken),
        };
        Ok(Self { expire, sealed })
    }
}

pub(super) fn open(token: &str, secrets: &[Secret], asked: &Asked<'_>) -> Result<Claims, Error> {
    let bytes = base64::decode(token.strip_prefix(VERSION).ok_or(Error::MalformedToken)?)?;
    let Envelope { expire, sealed } = Envelope::read(&bytes)?;
    for secret in secrets {
        let Ok(key) = <&[u8; KEY_BYTES]>::try_from(secret.as_bytes()) else { continue };
        let mut buffer = Vec::new();
        let plain = match sealed {
            Sealed::Gcm { nonce, ciphertext } => open_gcm(key, nonce, ciphertext, &mut buffer)
                .map(|text| serde_json::from_slice(text).map_err(|_| Error::MalformedToken))
                .transpose()?,
            Sealed::Cbc { iv, ciphertext } => open_cbc(key, iv, ciphertext, &mut buffer),
        };
        if let Some(plain) = plain {
            return read(&plain, expire, asked);
        }
    }
    Err(Error::BadSignature)
}

fn open_gcm<'a>(
    key: &[u8; KEY_BYTES],
    nonce: [u8; aead::NONCE_LEN],
    ciphertext: &[u8],
    buffer: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    let key = LessSafeKey::new(UnboundKey::new(&aead::AES_256_GCM, key).ok()?);
    buffer.extend_from_slice(ciphertext);
    key.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), buffer).ok().map(|text| &*text)
}

/// The JSON is read whether the padding is good or not, and only then does either matter.
fn open_cbc<'a>(
    key: &[u8; KEY_BYTES],
    iv: [u8; BLOCK_BYTES],
    ciphertext: &[u8],
    buffer: &'a mut Vec<u8>,
) -> Option<Plain<'a>> {
    let key = DecryptingKey::cbc(UnboundCipherKey::new(&cipher::AES_256, key).ok()?).ok()?;
    buffer.extend_from_slice(ciphertext);
    let text = key.decrypt(buffer, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    let length = text.last().map_or(0, |last| usize::from(*last).clamp(1, BLOCK_BYTES));
    let (text, padding) = text.split_at_checked(text.len().saturating_sub(length))?;
    let is_padded = padding.iter().fold(true, |good, byte| good & (usize::from(*byte) == length));
    let plain = serde_json::from_slice(text).ok();
    plain.filter(|_| is_padded)
}

/// What a token says that only the holder of the secret can have made.
fn read(plain: &Plain<'_>, expire: i64, asked: &Asked<'_>) -> Result<Claims, Error> {
    if i64::try_from(plain.expire) != Ok(expire) {
        return Err(Error::MalformedToken);
    }
    if plain.app_id.to_string() != asked.app.as_str() {
        return Err(Error::WrongApp);
    }
    let uid = Scope::Only(plain.user_id.parse().map_err(|_| Error::MalformedToken)?);
    let (room, role) = read_payload(&plain.payload)?;
    let (exp, iat) = (Some(UnixSeconds(plain.expire)), Some(UnixSeconds(plain.ctime)));
    Ok(Claims { app: asked.app.clone(), room, uid, role, exp, nbf: None, iat, admin: false })
}

fn read_payload(payload: &str) -> Result<(Scope<RoomId>, Role), Error> {
    if payload.is_empty() {
        return Ok((Scope::Any, Role::Host));
    }
    let payload: Payload = serde_json::from_str(payload).map_err(|_| Error::MalformedToken)?;
    let role = match (payload.privilege.login, payload.privilege.publish) {
        (0, 0 | 1) => return Err(NO_ENTRY),
        (1, 0) => Role::Audience,
        (1, 1) => Role::Host,
        _ => return Err(Error::MalformedToken),
    };
    Ok((Scope::Only(payload.room_id), role))
}

/// Makes a token in GCM, the mode that has integrity.
pub(super) fn issue(secret: &Secret, claims: &Claims, random: [u8; 16]) -> Result<String, Error> {
    let [nonce @ .., a, b, c, d] = random;
    let (json, expire) = plain_json(claims, i32::from_be_bytes([a, b, c, d]))?;
    seal_gcm(secret.as_bytes(), nonce, expire, json)
}

/// What is to be encrypted, and when it ends.
pub(super) fn plain_json(claims: &Claims, nonce: i32) -> Result<(Vec<u8>, i64), Error> {
    let unfit = |why| Error::UnfitFormat { format: Format::Zego04, why };
    let app = claims.app.as_str();
    let app_id = app.parse().ok().filter(|id: &u32| id.to_string() == app);
    let app_id = app_id.ok_or(unfit("need an app id that is a number of 32 bits"))?;
    let Scope::Only(uid) = &claims.uid else { return Err(unfit("name a uid")) };
    let (Some(UnixSeconds(expire)), Some(UnixSeconds(ctime))) = (claims.exp, claims.iat) else {
        return Err(unfit("hold from a time to a time"));
    };
    let payload = match (&claims.room, claims.role) {
        (Scope::Any, Role::Host) => String::new(),
        (Scope::Any, Role::Audience) => return Err(unfit("of an audience name a room")),
        (Scope::Only(room), role) => {
            let privilege = Privilege { login: 1, publish: (role == Role::Host).into() };
            let payload = Payload { room_id: room.clone(), privilege, stream_id_list: None };
            serde_json::to_string(&payload).map_err(|_| Error::Signing)?
        }
    };
    let (user_id, payload) = (uid.as_str().into(), payload.into());
    let plain = Plain { app_id, user_id, ctime, expire, nonce, payload };
    let json = serde_json::to_vec(&plain).map_err(|_| Error::Signing)?;
    Ok((json, i64::try_from(expire).map_err(|_| unfit("end at a time of 63 bits"))?))
}

pub(super) fn seal_gcm(
    secret: &[u8],
    nonce: [u8; aead::NONCE_LEN],
    expire: i64,
    mut text: Vec<u8>,
) -> Result<String, Error> {
    let why = "need a secret of 32 bytes";
    let key = UnboundKey::new(&aead::AES_256_GCM, secret)
        .map_err(|_| Error::UnfitFormat { format: Format::Zego04, why })?;
    LessSafeKey::new(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
        .map_err(|_| Error::Signing)?;
    let mut envelope = Writer::default();
    envelope.i64_be(expire).block_be(&nonce)?.block_be(&text)?.bytes(&[GCM_MODE]);
    Ok(format!("{VERSION}{}", base64::encode(&envelope.into_bytes())))
}

/// Seals in CBC, as most generators do. Not for tokens of ours.
pub(super) fn seal_cbc(
    secret: &[u8],
    iv: [u8; BLOCK_BYTES],
    expire: i64,
    mut text: Vec<u8>,
) -> Result<String, Error> {
    let key = UnboundCipherKey::new(&cipher::AES_256, secret).map_err(|_| Error::Signing)?;
    let key = cipher::PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(|_| Error::Signing)?;
    let context = cipher::EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(&mut text, context).map_err(|_| Error::Signing)?;
    let mut envelope = Writer::default();
    envelope.i64_be(expire).block_be(&iv)?.block_be(&text)?;
    Ok(format!("{VERSION}{}", base64::encode(&envelope.into_bytes())))
}
