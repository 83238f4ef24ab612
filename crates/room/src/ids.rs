use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use crate::error::{Error, IdFault, IdKind};

/// The longest identifier, in bytes of UTF-8: enough for any id that a back end makes up, and three of them with
/// their token stay below what RTMP encoders accept as an address.
pub const MAX_ID_BYTES: usize = 128;

/// What a uid ends in when the stream is a shared screen.
pub const SCREEN_SUFFIX: &str = "~screen";

/// What a uid ends in for the sound of its room without its own.
pub const MIX_SUFFIX: &str = "~mix";

/// What a uid ends in for the pictures of who speaks in its room, and the same sound.
pub const SPEAKER_SUFFIX: &str = "~speaker";

/// Characters that mean something in an address (RFC 3986 section 2.2) or in our own suffixes.
const RESERVED: [char; 8] = ['/', '\\', '?', '#', '%', '~', '"', '<'];

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        ///
        /// 1 to [`MAX_ID_BYTES`] bytes of printable characters other than white space, `/ \ ? # % ~ " <`, and
        /// neither `.` nor `..`. Compared byte by byte: no case folding, no Unicode normalisation. Clones share
        /// their text.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                check(text).map_err(|fault| Error::InvalidId { kind: $kind, fault })?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(IdVisitor($kind))?.parse().map_err(de::Error::custom)
            }
        }
    };
}

id!(
    /// The id of an app: the name under which a back end's secrets are configured.
    AppId,
    IdKind::App
);
id!(
    /// The name of a room inside an app.
    RoomId,
    IdKind::Room
);
id!(
    /// The id of a participant inside a room. Numbers, as some back ends use them, are kept as their decimal text.
    Uid,
    IdKind::Uid
);

fn check(text: &str) -> Result<(), IdFault> {
    if text.is_empty() {
        return Err(IdFault::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdFault::TooLong { bytes: text.len() });
    }
    if text == "." || text == ".." {
        return Err(IdFault::DotSegment);
    }
    match text.char_indices().find(|(_, character)| !is_allowed(*character)) {
        Some((offset, character)) => Err(IdFault::Character { character, offset }),
        None => Ok(()),
    }
}

fn is_allowed(character: char) -> bool {
    !character.is_control()
        && !character.is_whitespace()
        && !RESERVED.contains(&character)
        && !is_invisible(character)
}

/// Characters that are drawn as nothing or turn the writing direction: two ids that look the same in a log would differ.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

struct IdVisitor(IdKind);

impl Visitor<'_> for IdVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as a string or a whole number", self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

/// What a stream shows. A participant can publish one of each that the server does not make.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// Camera and microphone.
    #[default]
    Camera,
    /// A shared screen, addressed by the uid with [`SCREEN_SUFFIX`].
    Screen,
    /// The sound of the room without that of the uid, addressed by the uid with [`MIX_SUFFIX`]. The server makes it.
    Mix,
    /// The pictures of who speaks, with the same sound, addressed by the uid with [`SPEAKER_SUFFIX`]. The server makes it.
    Speaker,
}

impl StreamKind {
    /// Whether the server makes it out of what the others publish.
    #[must_use]
    pub const fn is_made(self) -> bool {
        matches!(self, Self::Mix | Self::Speaker)
    }

    /// What the uid ends in, in an address.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Camera => "",
            Self::Screen => SCREEN_SUFFIX,
            Self::Mix => MIX_SUFFIX,
            Self::Speaker => SPEAKER_SUFFIX,
        }
    }
}

/// The address of a stream: what one participant publishes in one room of one app.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamKey {
    /// The app.
    pub app: AppId,
    /// The room inside the app.
    pub room: RoomId,
    /// The participant inside the room, without any suffix.
    pub uid: Uid,
    /// Camera or screen.
    pub kind: StreamKind,
}

impl StreamKey {
    /// Makes a key of three path segments; the last one may end in a [suffix](StreamKind::suffix).
    ///
    /// The segments are taken as they are: decode percent escapes before.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidId`] names the first segment that is not valid.
    pub fn from_segments(app: &str, room: &str, stream: &str) -> Result<Self, Error> {
        let suffixed = [StreamKind::Screen, StreamKind::Mix, StreamKind::Speaker];
        let (uid, kind) = suffixed
            .into_iter()
            .find_map(|kind| Some((stream.strip_suffix(kind.suffix())?, kind)))
            .unwrap_or((stream, StreamKind::Camera));
        Ok(Self { app: app.parse()?, room: room.parse()?, uid: uid.parse()?, kind })
    }
}

impl FromStr for StreamKey {
    type Err = Error;

    /// Reads `APP/ROOM/UID`, or `APP/ROOM/UID~screen` and so on, without a leading slash.
    fn from_str(path: &str) -> Result<Self, Error> {
        let mut segments = path.split('/');
        match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (Some(app), Some(room), Some(stream), None) => Self::from_segments(app, room, stream),
            _ => Err(Error::InvalidAddress { segments: path.split('/').take(4).count() }),
        }
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}{}", self.app, self.room, self.uid, self.kind.suffix())
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault<T: FromStr<Err = Error> + fmt::Debug>(text: &str) -> IdFault {
        match text.parse::<T>().unwrap_err() {
            Error::InvalidId { fault, .. } => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_address_is_read_and_written_alike() {
        for address in ["demo/r1/alice", "app-1/房间/42", "a/b/c.d@e=:+~screen", "a/b/c~mix", "a/b/c~speaker"]
        {
            assert_eq!(address.parse::<StreamKey>().unwrap().to_string(), address);
        }
    }

    #[test]
    fn the_screen_suffix_is_not_part_of_the_uid() {
        let key: StreamKey = "demo/r/alice~screen".parse().unwrap();
        assert_eq!((key.uid.as_str(), key.kind), ("alice", StreamKind::Screen));
        assert_eq!("demo/r/alice".parse::<StreamKey>().unwrap().kind, StreamKind::Camera);
    }

    #[test]
    fn a_suffix_that_is_not_known_is_refused() {
        let error = "demo/r/alice~camera".parse::<StreamKey>().unwrap_err();
        assert_eq!(error.code(), "invalid_uid");
        assert_eq!(error.to_string(), "uid: the character '~' at byte 5 is not allowed");
    }

    #[test]
    fn an_address_of_another_number_of_segments_is_refused() {
        for (address, segments) in [("", 1), ("a", 1), ("a/b", 2), ("a/b/c/d", 4), ("a/b/c/d/e/f", 4)] {
            assert_eq!(address.parse::<StreamKey>().unwrap_err(), Error::InvalidAddress { segments });
        }
    }

    #[test]
    fn the_error_names_the_segment() {
        assert_eq!("/r/u".parse::<StreamKey>().unwrap_err().code(), "invalid_app");
        assert_eq!("a//u".parse::<StreamKey>().unwrap_err().code(), "invalid_room");
        assert_eq!("a/r/~screen".parse::<StreamKey>().unwrap_err().code(), "invalid_uid");
    }

    #[test]
    fn an_id_has_1_to_128_bytes() {
        assert_eq!(fault::<Uid>(""), IdFault::Empty);
        assert!("u".repeat(128).parse::<Uid>().is_ok());
        assert_eq!(fault::<Uid>(&"u".repeat(129)), IdFault::TooLong { bytes: 129 });
        assert_eq!(fault::<Uid>(&"桥".repeat(43)), IdFault::TooLong { bytes: 129 });
    }

    #[test]
    fn characters_that_would_confuse_an_address_or_a_log_are_refused() {
        for bad in ["a b", "a/b", "a?b", "a#b", "a%2f", "a\\b", "a\nb", "a\0b", "a\u{202e}b", "a\u{200b}b"] {
            assert!(matches!(fault::<RoomId>(bad), IdFault::Character { offset: 1, .. }), "{bad:?}");
        }
        assert_eq!(fault::<RoomId>("."), IdFault::DotSegment);
        assert_eq!(fault::<RoomId>(".."), IdFault::DotSegment);
    }

    #[test]
    fn a_uid_in_json_may_be_a_number() {
        assert_eq!(serde_json::from_str::<Uid>("42").unwrap().as_str(), "42");
        assert_eq!(serde_json::from_str::<Uid>("\"42\"").unwrap().as_str(), "42");
        assert!(serde_json::from_str::<Uid>("4.2").is_err());
        assert!(serde_json::from_str::<Uid>("\"a/b\"").is_err());
        assert!(serde_json::from_str::<Uid>("[]").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_survives_a_round_trip(text in ".{0,40}(/.{0,40}){0,4}") {
            if let Ok(key) = text.parse::<StreamKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }
}
