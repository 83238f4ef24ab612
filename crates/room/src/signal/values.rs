use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::{Error, IdKind, Role, StreamKind, Uid};

/// The largest whole number that JavaScript holds exactly: 2^53 - 1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Padded base64, with whatever bits stand behind its last byte.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A uid as its owner wrote it: a JSON string or a whole number. The same digits are the same uid in either form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId {
    uid: Uid,
    number: Option<i64>,
}

impl UserId {
    /// The uid, by which participants are told apart.
    #[must_use]
    pub const fn uid(&self) -> &Uid {
        &self.uid
    }

    /// A uid that was written as a number.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidId`] cannot happen: the digits of a number are a valid uid.
    pub fn from_number(number: i64) -> Result<Self, Error> {
        Ok(Self { uid: number.to_string().parse()?, number: Some(number) })
    }
}

impl From<Uid> for UserId {
    /// Written as a string.
    fn from(uid: Uid) -> Self {
        Self { uid, number: None }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uid.fmt(f)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.number {
            Some(number) => serializer.serialize_i64(number),
            None => self.uid.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UserIdVisitor)
    }
}

struct UserIdVisitor;

impl Visitor<'_> for UserIdVisitor {
    type Value = UserId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a uid: a string, or a whole number of at most 53 bits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<UserId, E> {
        text.parse::<Uid>().map(UserId::from).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<UserId, E> {
        i64::try_from(number)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            .and_then(|number| self.visit_i64(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<UserId, E> {
        if number.unsigned_abs() > MAX_SAFE_INTEGER {
            return Err(E::invalid_value(de::Unexpected::Signed(number), &self));
        }
        UserId::from_number(number).map_err(E::custom)
    }
}

/// What a participant runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// A browser.
    Web,
    /// A program with a WebRTC stack of its own.
    Native,
    /// A mini-program: it sends RTMP, and plays RTMP or HTTP-FLV.
    Miniprogram,
    /// Media without signalling: an RTMP, WHIP, WHEP or HTTP-FLV client.
    Encoder,
}

/// Half of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// What of a stream there is: never nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tracks {
    /// Sound alone.
    Audio,
    /// Pictures alone.
    Video,
    /// Both.
    Both,
}

impl Tracks {
    /// None if neither is there.
    #[must_use]
    pub const fn new(audio: bool, video: bool) -> Option<Self> {
        match (audio, video) {
            (true, true) => Some(Self::Both),
            (true, false) => Some(Self::Audio),
            (false, true) => Some(Self::Video),
            (false, false) => None,
        }
    }

    /// Whether this half is there.
    #[must_use]
    pub const fn has(self, kind: MediaKind) -> bool {
        matches!(
            (self, kind),
            (Self::Both, _) | (Self::Audio, MediaKind::Audio) | (Self::Video, MediaKind::Video)
        )
    }
}

/// What receivers get of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrackState {
    /// There is no such track.
    Absent,
    /// It is passed on.
    Live,
    /// Its owner holds it back.
    Muted,
    /// An admin holds it back, whatever its owner wishes.
    Blocked,
}

/// Small texts by name, that people of a room or of a stream share.
pub type Attributes = BTreeMap<String, String>;

/// A stream as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamInfo {
    /// Camera or screen.
    pub stream: StreamKind,
    /// Its sound.
    pub audio: TrackState,
    /// Its pictures.
    pub video: TrackState,
    /// What its owner says about it.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
}

/// Whether a participant can be reached at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Yes.
    Connected,
    /// Its connection is lost and the grace time runs.
    Reconnecting,
}

/// A participant as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantInfo {
    /// Who it is.
    pub uid: UserId,
    /// What it runs on.
    pub platform: Platform,
    /// What it may do.
    pub role: Role,
    /// Whether it can be reached.
    pub state: Presence,
    /// What it publishes, at most one of each kind.
    pub streams: Vec<StreamInfo>,
}

macro_rules! hidden {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "[{} bytes]", self.0.len())
            }
        }
    };
}

hidden!(
    /// A token, or an address with a ticket in it. `Debug` shows its length alone.
    Hidden
);
hidden!(
    /// A session description (RFC 8866). It holds an ICE password: `Debug` shows its length alone.
    Sdp
);

/// The name that a session is resumed by: whoever knows it is the participant. `Debug` does not show it.
///
/// 16 hexadecimal digits name the room, 32 are secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId {
    pub(crate) room: u64,
    pub(crate) secret: [u8; 16],
}

impl SessionId {
    fn text(&self) -> String {
        format!("{:016x}{:032x}", self.room, u128::from_be_bytes(self.secret))
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() != 48 || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let (room, secret) = text.split_at_checked(16)?;
        let room = u64::from_str_radix(room, 16).ok()?;
        Some(Self { room, secret: u128::from_str_radix(secret, 16).ok()?.to_be_bytes() })
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[session]")
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("a session is 48 hexadecimal digits"))
    }
}

/// What a participant sends to others. Bytes travel as base64 (RFC 4648 section 4, padded) and are not looked into.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Text.
    Text(String),
    /// Bytes, as base64.
    Data(Base64),
}

impl Content {
    /// Text where the bytes are UTF-8, else data.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes)
            .map_or_else(|_| Self::Data(Base64(BASE64.encode(bytes))), |text| Self::Text(text.to_owned()))
    }

    /// The bytes that it carries.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            // It was checked when it was read: it decodes.
            Self::Data(data) => BASE64.decode(&data.0).unwrap_or_default(),
        }
    }

    /// How many bytes it carries: of UTF-8, or after decoding.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Data(data) => data.len(),
        }
    }

    /// Whether it carries nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Content {
    /// What people say to each other is no business of a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Data(data) => write!(f, "Data({} bytes)", data.len()),
        }
    }
}

/// The type of an SEI message with user data (ITU-T H.264 annex D): a number on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum SeiType {
    /// 5: user data behind a UUID, as the standard has it.
    #[default]
    Unregistered,
    /// 242: user data without one, as clouds in China have it.
    Plain,
}

impl From<SeiType> for u8 {
    fn from(sei_type: SeiType) -> Self {
        match sei_type {
            SeiType::Unregistered => 5,
            SeiType::Plain => 242,
        }
    }
}

impl TryFrom<u8> for SeiType {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            5 => Ok(Self::Unregistered),
            242 => Ok(Self::Plain),
            _ => Err("the type of an SEI message is 5 or 242"),
        }
    }
}

/// Valid base64 text, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Base64(String);

impl Base64 {
    /// None if the text is not padded base64 of the standard alphabet.
    #[must_use]
    pub fn new(text: String) -> Option<Self> {
        let digits = text.trim_end_matches('=');
        let valid = text.len().is_multiple_of(4)
            && text.len() - digits.len() <= 2
            && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
        valid.then_some(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many bytes it stands for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.trim_end_matches('=').len() * 3 / 4
    }

    /// Whether it stands for none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("not padded base64"))
    }
}

/// The field in which an identifier of this kind stands.
pub(crate) const fn field_of(kind: IdKind) -> &'static str {
    match kind {
        IdKind::App => "app",
        IdKind::Room => "room",
        IdKind::Uid => "uid",
    }
}
