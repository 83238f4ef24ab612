use std::net::SocketAddr;

use queqiao_room::signal::{Hidden, Join, Platform, UserId, VERSION};
use queqiao_room::{AppId, Role, RoomId};
use tokio_tungstenite::tungstenite::http::Uri;

use crate::error::{Error, Result};

/// Where the signalling is answered.
const SIGNAL_PATH: &str = "/signal";

/// Who joins which room of which server.
#[derive(Clone, Debug)]
pub struct Config {
    url: String,
    loopback: bool,
    app: AppId,
    room: RoomId,
    uid: UserId,
    token: Option<Hidden>,
    role: Option<Role>,
    bind: Option<Vec<SocketAddr>>,
}

impl Config {
    /// `server` is an `http`, `https`, `ws` or `wss` address; without a path it gets the usual one.
    ///
    /// # Errors
    ///
    /// [`Error::Address`], or [`Error::Identifier`] for an app, room or uid that is not valid.
    pub fn new(server: &str, app: &str, room: &str, uid: &str) -> Result<Self> {
        let (url, loopback) = signal_url(server).ok_or(Error::Address)?;
        let uid: queqiao_room::Uid = uid.parse()?;
        Ok(Self {
            url,
            loopback,
            app: app.parse()?,
            room: room.parse()?,
            uid: uid.into(),
            token: None,
            role: None,
            bind: None,
        })
    }

    /// Shows this token. Without one only the demo app lets anybody in.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Hidden(token.into()));
        self
    }

    /// Joins as this, instead of as what the token allows.
    #[must_use]
    pub const fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// Shows the uid to others as a number, if it is one.
    #[must_use]
    pub fn numeric_uid(mut self) -> Self {
        let number = self.uid.uid().as_str().parse().ok().and_then(|number| UserId::from_number(number).ok());
        // Another spelling of a number, as with leading zeros, would be another uid.
        self.uid = number.filter(|number| number.uid() == self.uid.uid()).unwrap_or(self.uid);
        self
    }

    /// Sends and receives media on these local addresses, port 0 for any. Unless said otherwise on every interface with
    /// IPv4, and on the loopback interface if the server is there.
    #[must_use]
    pub fn bind(mut self, addresses: Vec<SocketAddr>) -> Self {
        self.bind = Some(addresses);
        self
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        match &self.bind {
            Some(addresses) => addresses.clone(),
            None if self.loopback => vec![loopback, any],
            None => vec![any],
        }
    }

    pub(crate) fn join(&self) -> Join {
        Join {
            version: VERSION,
            app: self.app.clone(),
            room: self.room.clone(),
            uid: self.uid.clone(),
            token: self.token.clone(),
            role: self.role,
            platform: Platform::Native,
            capabilities: Vec::new(),
        }
    }
}

/// The address of the signalling, and whether it is on this machine.
fn signal_url(server: &str) -> Option<(String, bool)> {
    let uri: Uri = server.trim().parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        _ => return None,
    };
    let authority = uri.authority()?;
    let path = match uri.path() {
        "" | "/" => SIGNAL_PATH,
        path => path,
    };
    let host = authority.host();
    let loopback = host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(is_loopback);
    Some((format!("{scheme}://{authority}{path}"), loopback))
}

const fn is_loopback(address: std::net::IpAddr) -> bool {
    address.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_signalling_follows_from_that_of_the_server() {
        let url = |server| signal_url(server).map(|(url, _)| url);
        assert_eq!(url("http://127.0.0.1:8080").as_deref(), Some("ws://127.0.0.1:8080/signal"));
        assert_eq!(url("https://example.org/").as_deref(), Some("wss://example.org/signal"));
        assert_eq!(url("wss://example.org/a/b?c=d").as_deref(), Some("wss://example.org/a/b"));
        assert_eq!(url("ftp://example.org"), None);
        assert_eq!(url("example.org:80"), None);
        assert_eq!(url(""), None);
    }

    #[test]
    fn a_server_on_this_machine_is_reached_over_loopback_too() {
        let addresses = |server| Config::new(server, "a", "r", "u").unwrap().addresses().len();
        assert_eq!(addresses("http://127.0.0.1:1"), 2);
        assert_eq!(addresses("ws://[::1]:1"), 2);
        assert_eq!(addresses("http://localhost"), 2);
        assert_eq!(addresses("http://192.0.2.1"), 1);
    }

    #[test]
    fn a_uid_becomes_a_number_only_if_it_stays_the_same() {
        let uid = |uid| {
            let config = Config::new("http://h", "a", "r", uid).unwrap().numeric_uid();
            serde_json::to_string(&config.join().uid).unwrap()
        };
        assert_eq!(uid("42"), "42");
        assert_eq!(uid("042"), "\"042\"");
        assert_eq!(uid("bob"), "\"bob\"");
    }

    #[test]
    fn a_token_is_not_printed() {
        let config = Config::new("http://h", "a", "r", "u").unwrap().token("secret");
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn what_is_no_identifier_is_refused() {
        assert!(matches!(Config::new("http://h", "a b", "r", "u"), Err(Error::Identifier(_))));
        assert!(matches!(Config::new("h", "a", "r", "u"), Err(Error::Address)));
    }
}
