//! The sections for whoever runs the server: `[admin]` and `[[webhooks]]`.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use queqiao_room::{AppId, Secret};
use serde::{Deserialize, Serialize, Serializer, de};

use super::ConfigError;
use super::sections::invalid;
use crate::ops::webhooks::EventName;

/// Endpoints at most: each has a queue and a connection of its own.
const MAX_WEBHOOKS: usize = 64;

/// The longest address of an endpoint.
const MAX_URL_BYTES: usize = 2_048;

/// `[admin]`: the admin API.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// What callers have to show. Without it there is no API.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "redact_optional")]
    pub(crate) secret: Option<Secret>,
}

/// `[[webhooks]]`: an endpoint that is told what happens in rooms.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    /// Where it is.
    pub(crate) url: WebhookUrl,
    /// What signs for it.
    #[serde(serialize_with = "redact")]
    pub(crate) secret: Secret,
    /// Whose events; those of all apps when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) apps: Vec<AppId>,
    /// Which; all when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<EventName>,
}

fn redact<S: Serializer>(_: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("[redacted]")
}

fn redact_optional<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| "[redacted]").serialize(serializer)
}

/// The `http` or `https` address of an endpoint. Prints without its query, which may hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct WebhookUrl(Uri);

impl WebhookUrl {
    pub(crate) const fn uri(&self) -> &Uri {
        &self.0
    }

    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

impl FromStr for WebhookUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "the url of a webhook is \"https://HOST/PATH\" or \"http://HOST/PATH\", \
                                without user, password and fragment";
        if text.len() > MAX_URL_BYTES {
            return Err("the url of a webhook has at most 2048 bytes");
        }
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
        let has_host = uri.host().is_some_and(|host| !host.is_empty()) && !authority.contains('@');
        // The library drops fragments without a word.
        if has_scheme && has_host && !text.contains('#') { Ok(Self(uri)) } else { Err(EXPECTED) }
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
        write!(f, "{scheme}://{authority}{}", self.0.path())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WebhookUrl {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

pub(super) fn check(webhooks: &[Webhook]) -> Result<(), ConfigError> {
    if webhooks.len() > MAX_WEBHOOKS {
        return Err(invalid("webhooks", "has more than 64 endpoints"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host_and_no_secret_that_would_be_printed() {
        for good in ["https://example.com/hooks", "http://127.0.0.1:9000", "https://[::1]:8443/a/b?key=v"] {
            assert!(good.parse::<WebhookUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/hooks",
            "example.com",
            "ftp://example.com/",
            "https://u:p@example.com/",
            "https://a/#b",
            "https:///x",
        ] {
            assert!(bad.parse::<WebhookUrl>().is_err(), "{bad}");
        }
        assert!(format!("https://a/{}", "b".repeat(2_048)).parse::<WebhookUrl>().is_err());
    }

    #[test]
    fn an_address_prints_without_its_query() {
        let url: WebhookUrl = "https://example.com:8443/hooks?key=4f1c9a0b7de2583c".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), ["https://example.com:8443/hooks"; 2].join(" "));
        assert_eq!(url.uri().query(), Some("key=4f1c9a0b7de2583c"));
    }
}
