//! The addresses that mini-programs are given for their media.

use std::fmt::Write;

use queqiao_room::StreamKey;
use queqiao_room::ticket::Ticket;

/// Where clients reach this server, if it has been told.
#[derive(Clone, Debug, Default)]
pub(crate) struct PublicAddresses {
    /// Such as `rtmp://media.example.com`.
    pub(crate) rtmp: Option<String>,
    /// Such as `https://media.example.com`.
    pub(crate) http: Option<String>,
    /// Where RTMP listens: clients are told this port of the host that they know.
    pub(crate) rtmp_port: u16,
}

/// Where one client finds media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaBase {
    rtmp: String,
    http: String,
}

impl PublicAddresses {
    /// What a client is told that reached the server as `authority`, a host with or without its port.
    pub(crate) fn base(&self, authority: &str) -> MediaBase {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let rtmp = match (&self.rtmp, self.rtmp_port) {
            (Some(rtmp), _) => rtmp.clone(),
            (None, 1935) => format!("rtmp://{host}"),
            (None, port) => format!("rtmp://{host}:{port}"),
        };
        MediaBase { rtmp, http: self.http.clone().unwrap_or_else(|| format!("http://{authority}")) }
    }
}

impl MediaBase {
    /// Where a stream is published and played over RTMP.
    pub(crate) fn rtmp(&self, stream: &StreamKey, ticket: &Ticket) -> String {
        format!("{}/{}?ticket={}", self.rtmp, path(stream), ticket.expose())
    }

    /// Where a stream is played over HTTP-FLV.
    pub(crate) fn flv(&self, stream: &StreamKey, ticket: &Ticket) -> String {
        format!("{}/flv/{}.flv?ticket={}", self.http, path(stream), ticket.expose())
    }
}

fn path(stream: &StreamKey) -> String {
    stream.to_string().split('/').map(encode).collect::<Vec<_>>().join("/")
}

/// Percent-encodes a path segment (RFC 3986 section 3.3).
pub(crate) fn encode(segment: &str) -> String {
    segment.bytes().fold(String::with_capacity(segment.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            encoded.push(byte.into());
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICKET: &str = "qt1.000102030405060708090a0b0c0d0e0f";

    fn addresses(public: &PublicAddresses, authority: &str, stream: &str) -> (String, String) {
        let (stream, ticket) = (stream.parse().unwrap(), Ticket::parse(TICKET).unwrap());
        let base = public.base(authority);
        (base.rtmp(&stream, &ticket), base.flv(&stream, &ticket))
    }

    #[test]
    fn a_client_is_sent_to_the_host_that_it_knows() {
        let public = PublicAddresses { rtmp_port: 1936, ..PublicAddresses::default() };
        let (rtmp, flv) = addresses(&public, "192.168.1.2:8080", "demo/r1/42~screen");
        assert_eq!(rtmp, format!("rtmp://192.168.1.2:1936/demo/r1/42~screen?ticket={TICKET}"));
        assert_eq!(flv, format!("http://192.168.1.2:8080/flv/demo/r1/42~screen.flv?ticket={TICKET}"));
        let (rtmp, flv) = addresses(&public, "[2001:db8::1]", "demo/r1/42");
        assert_eq!(rtmp, format!("rtmp://[2001:db8::1]:1936/demo/r1/42?ticket={TICKET}"));
        assert_eq!(flv, format!("http://[2001:db8::1]/flv/demo/r1/42.flv?ticket={TICKET}"));
    }

    #[test]
    fn the_usual_port_is_left_out() {
        let public = PublicAddresses { rtmp_port: 1935, ..PublicAddresses::default() };
        assert!(addresses(&public, "example.com", "demo/r1/a").0.starts_with("rtmp://example.com/demo/"));
    }

    #[test]
    fn what_is_configured_goes_over_what_the_client_knows() {
        let (rtmp, http) = ("rtmp://push.example.com".to_owned(), "https://live.example.com".to_owned());
        let public = PublicAddresses { rtmp: Some(rtmp), http: Some(http), rtmp_port: 1935 };
        let (rtmp, flv) = addresses(&public, "10.0.0.1:8080", "demo/r1/a");
        assert_eq!(rtmp, format!("rtmp://push.example.com/demo/r1/a?ticket={TICKET}"));
        assert_eq!(flv, format!("https://live.example.com/flv/demo/r1/a.flv?ticket={TICKET}"));
    }

    #[test]
    fn an_address_is_a_path_whatever_the_names_are() {
        assert_eq!(encode("房 间~screen"), "%E6%88%BF%20%E9%97%B4~screen");
        let public = PublicAddresses::default();
        assert!(addresses(&public, "h", "demo/房间/a").0.contains("/demo/%E6%88%BF%E9%97%B4/a?"));
    }
}
