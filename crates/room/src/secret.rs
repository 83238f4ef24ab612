use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::Error;

/// The shortest secret: 16 random bytes are out of reach of guessing, and the HMAC cannot make up for fewer.
pub const MIN_SECRET_BYTES: usize = 16;

/// Fewer different bytes than this are not random: of 16 random hexadecimal digits, less than one in ten thousand
/// has so few.
const MIN_DISTINCT_BYTES: usize = 6;

/// What has to remain of a secret once well-known words are taken out of it.
const MIN_UNKNOWN_CHARACTERS: usize = 8;

/// Words that placeholders are made of, longer ones first so that none leaves a piece of itself behind.
const PLACEHOLDER_WORDS: [&str; 33] = [
    "0123456789",
    "1234567890",
    "yourpassword",
    "changeme",
    "password",
    "changeit",
    "abcdefgh",
    "12345678",
    "example",
    "default",
    "queqiao",
    "openssl",
    "replace",
    "secret",
    "change",
    "abcdef",
    "qwerty",
    "please",
    "passwd",
    "random",
    "insert",
    "token",
    "admin",
    "your",
    "this",
    "with",
    "here",
    "demo",
    "test",
    "rand",
    "key",
    "app",
    "hex",
];

/// A secret that signs and verifies. It prints as `[redacted]` and is not serialisable.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// The key. Whoever asks for it signs or compares with it, and shows it to nobody.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
impl Secret {
    /// A secret as the vectors of tests have it, which is easy to guess.
    pub(crate) fn published(text: &str) -> Self {
        Self(text.into())
    }
}

impl FromStr for Secret {
    type Err = Error;

    /// Takes the text's bytes as the key, without decoding.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() < MIN_SECRET_BYTES {
            return Err(Error::ShortSecret { bytes: text.len() });
        }
        if is_guessable(text) {
            return Err(Error::GuessableSecret);
        }
        Ok(Self(text.into()))
    }
}

/// Whether a text is a placeholder, or nearly without variety.
pub(crate) fn is_guessable(text: &str) -> bool {
    let mut seen = [false; 256];
    for byte in text.bytes() {
        if let Some(flag) = seen.get_mut(usize::from(byte)) {
            *flag = true;
        }
    }
    if seen.iter().filter(|flag| **flag).count() < MIN_DISTINCT_BYTES {
        return true;
    }
    let mut rest: String =
        text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    for word in PLACEHOLDER_WORDS {
        rest = rest.replace(word, "");
    }
    rest.chars().count() < MIN_UNKNOWN_CHARACTERS
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

/// Serde's stock messages quote the value they did not expect, so every scalar is answered here.
struct SecretVisitor;

impl SecretVisitor {
    fn not_text<E: de::Error>() -> E {
        E::custom("a secret is a string in quotes")
    }
}

impl Visitor<'_> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret in quotes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(Self::not_text())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(Self::not_text())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(Self::not_text())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
        Err(Self::not_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "4f1c9a0b7de2583c";

    #[test]
    fn a_random_secret_is_accepted() {
        for good in [GOOD, "Zk3v0Qm9xLr7Tn2w", "correct horse battery staple", "密钥-7391-琥珀-岸边"] {
            assert!(good.parse::<Secret>().is_ok(), "{good}");
        }
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(GOOD[..15].parse::<Secret>().unwrap_err(), Error::ShortSecret { bytes: 15 });
    }

    #[test]
    fn placeholders_are_refused() {
        for bad in [
            "changeme-changeme",
            "secretsecretsecret",
            "your-secret-key-here",
            "replace-this-with-openssl-rand-hex-32",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "1234567890123456",
            "0123456789abcdef",
            "Queqiao-Demo-Secret-1",
            "- - - - - - - - - - - - -",
        ] {
            assert_eq!(bad.parse::<Secret>().unwrap_err(), Error::GuessableSecret, "{bad}");
        }
    }

    #[test]
    fn no_error_and_no_debug_text_quotes_the_secret() {
        let secret: Secret = GOOD.parse().unwrap();
        assert_eq!(format!("{secret:?} {:?}", vec![&secret]), "[redacted] [[redacted]]");
        for json in ["\"hunter2\"", "73917391", "7391.5", "-7391", "true"] {
            let message = serde_json::from_str::<Secret>(json).unwrap_err().to_string();
            assert!(!message.contains("7391") && !message.contains("hunter2"), "{message}");
        }
    }
}
