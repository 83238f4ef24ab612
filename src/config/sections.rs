//! The sections of the configuration: one struct per concern, each with its defaults and its ranges.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use queqiao_room::{Access, AppId, Secret};
use serde::{Deserialize, Serialize, Serializer};

use super::ConfigError;
use super::units::{bit_rate, bytes, duration};

/// `[listen]`: where the server listens. Port 0 takes any free port.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Listen {
    /// HTTP: the page, WHIP, WHEP and HTTP-FLV.
    pub(crate) http: SocketAddr,
    /// RTMP.
    pub(crate) rtmp: SocketAddr,
    /// WebRTC media: the one UDP port of all peers.
    pub(crate) rtc: SocketAddr,
}

impl Default for Listen {
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { http: local(8080), rtmp: local(1935), rtc: local(7800) }
    }
}

impl Listen {
    /// The listeners by their key.
    pub(super) fn all(&self) -> [(&'static str, SocketAddr); 3] {
        [("http", self.http), ("rtmp", self.rtmp), ("rtc", self.rtc)]
    }
}

/// `[rtc]`: WebRTC.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rtc {
    /// Addresses at which peers reach this server when they are not its own: behind NAT, in a container.
    pub(crate) public_ip: Vec<IpAddr>,
    /// Worker threads; 0 stands for one per core.
    pub(crate) workers: usize,
}

impl Rtc {
    fn check(&self) -> Result<(), ConfigError> {
        within("rtc.workers", self.workers, 0..=256)?;
        if self.public_ip.len() > 8 {
            return Err(invalid("rtc.public_ip", "has more than 8 addresses"));
        }
        match self.public_ip.iter().find(|ip| ip.is_unspecified() || ip.is_multicast()) {
            Some(ip) => Err(invalid("rtc.public_ip", &format!("{ip} is not the address of a machine"))),
            None => Ok(()),
        }
    }
}

/// `[http]`: the HTTP side.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    /// Origins whose pages may use signalling, WHIP, WHEP and HTTP-FLV; `*` stands for all. Pages of the server itself always may.
    pub(crate) cors_allow_origin: Vec<String>,
}

impl Default for Http {
    fn default() -> Self {
        Self { cors_allow_origin: vec![String::from("*")] }
    }
}

impl Http {
    fn check(&self) -> Result<(), ConfigError> {
        match self.cors_allow_origin.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(invalid(
                "http.cors_allow_origin",
                &format!(
                    "{origin:?} is not an origin: write \"*\" or, without a path, \"https://example.com\""
                ),
            )),
            None => Ok(()),
        }
    }
}

/// An origin as a browser sends it (RFC 6454 section 7): scheme, host and port, nothing after.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text == "*"
        || host.is_some_and(|host| {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@\\".contains(&byte))
        })
}

/// `[public]`: where clients reach the server, if not as they find it themselves.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Public {
    /// What the RTMP addresses of mini-programs begin with; absent: the host that the client knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rtmp: Option<String>,
    /// What their HTTP-FLV addresses begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) http: Option<String>,
}

impl Public {
    fn check(&self) -> Result<(), ConfigError> {
        let begins = |text: &Option<String>, schemes: [&str; 2]| {
            text.as_ref().is_none_or(|text| schemes.iter().any(|scheme| is_base(text, scheme)))
        };
        if !begins(&self.rtmp, ["rtmp://", "rtmps://"]) {
            return Err(invalid(
                "public.rtmp",
                "write it as \"rtmp://media.example.com\", with a port if it needs one",
            ));
        }
        if !begins(&self.http, ["http://", "https://"]) {
            return Err(invalid(
                "public.http",
                "write it as \"https://media.example.com\", without a slash at its end",
            ));
        }
        Ok(())
    }
}

/// What a path can be put behind.
fn is_base(text: &str, scheme: &str) -> bool {
    text.strip_prefix(scheme).is_some_and(|rest| {
        let good = |byte: u8| byte.is_ascii_graphic() && !b"?#@\\\"<".contains(&byte);
        !rest.is_empty() && !rest.starts_with('/') && !rest.ends_with('/') && rest.bytes().all(good)
    })
}

/// `[rooms]`: what rooms are.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rooms {
    /// Participants of one room, those without signalling included.
    pub(crate) max_participants: usize,
    /// How long somebody whose connection is lost stays in the room, in whole seconds.
    #[serde(with = "duration")]
    pub(crate) grace: Duration,
}

impl Default for Rooms {
    fn default() -> Self {
        let queqiao_room::machine::Limits { max_participants, grace, .. } =
            queqiao_room::machine::Limits::default();
        Self { max_participants, grace }
    }
}

impl Rooms {
    fn check(&self) -> Result<(), ConfigError> {
        within("rooms.max_participants", self.max_participants, 1..=10_000)?;
        span_within("rooms.grace", self.grace, 1_000, 300)
    }
}

/// `[limits]`: how much the server takes on.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Rooms at once.
    pub(crate) max_rooms: usize,
    /// Joins and resumptions of one address in a second; this machine's own has twenty times as many.
    pub(crate) joins_per_second: u32,
    /// Streams at once, with or without a publisher.
    pub(crate) max_streams: usize,
    /// Open RTMP connections, and as many WebRTC sessions.
    pub(crate) max_connections: usize,
    /// Players of one stream, over all protocols.
    pub(crate) max_players_per_stream: usize,
    /// How long a connection may take from its first byte until it publishes or plays.
    #[serde(with = "duration")]
    pub(crate) handshake_timeout: Duration,
    /// Silence after which a publisher is taken for gone.
    #[serde(with = "duration")]
    pub(crate) idle_timeout: Duration,
    /// How long an RTMP or HTTP-FLV player waits for a publisher to come, or to come back.
    #[serde(with = "duration")]
    pub(crate) play_wait: Duration,
    /// How far an RTMP or HTTP-FLV player may be behind live before something is left out for it.
    #[serde(with = "duration")]
    pub(crate) play_lag: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_rooms: 10_000,
            joins_per_second: 50,
            max_streams: 1_000,
            max_connections: 10_000,
            max_players_per_stream: 1_000,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            play_wait: Duration::from_secs(30),
            play_lag: Duration::from_millis(500),
        }
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        within("limits.max_rooms", self.max_rooms, 1..=1_000_000)?;
        within("limits.joins_per_second", self.joins_per_second, 1..=100_000)?;
        within("limits.max_streams", self.max_streams, 1..=100_000)?;
        within("limits.max_connections", self.max_connections, 1..=1_000_000)?;
        within("limits.max_players_per_stream", self.max_players_per_stream, 1..=100_000)?;
        span_within("limits.handshake_timeout", self.handshake_timeout, 100, 300)?;
        span_within("limits.idle_timeout", self.idle_timeout, 1_000, 3_600)?;
        span_within("limits.play_wait", self.play_wait, 0, 3_600)?;
        span_within("limits.play_lag", self.play_lag, 200, 10)
    }
}

/// `[gop]`: the pictures kept for those who join a stream that cannot be asked for a keyframe.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Gop {
    /// Bytes kept per stream.
    #[serde(with = "bytes")]
    pub(crate) max_bytes: usize,
    /// Frames kept per stream, audio and video.
    pub(crate) max_frames: usize,
}

impl Default for Gop {
    fn default() -> Self {
        Self { max_bytes: 4 << 20, max_frames: 1_200 }
    }
}

impl Gop {
    fn check(&self) -> Result<(), ConfigError> {
        within("gop.max_bytes", self.max_bytes, 0..=256_000_000)?;
        within("gop.max_frames", self.max_frames, 0..=10_000)
    }
}

/// `[transcode]`: audio between AAC and Opus.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Transcode {
    /// Threads; 0 stands for one per core.
    pub(crate) threads: usize,
    /// Opus for WebRTC players, in bit/s of mono; stereo gets half as much again.
    #[serde(with = "bit_rate")]
    pub(crate) opus_bitrate: u32,
    /// The effort of the Opus encoder, 0 to 10.
    pub(crate) opus_complexity: u8,
    /// AAC-LC for RTMP and HTTP-FLV players, in bit/s of mono; stereo gets half as much again.
    #[serde(with = "bit_rate")]
    pub(crate) aac_bitrate: u32,
}

impl Default for Transcode {
    fn default() -> Self {
        Self { threads: 0, opus_bitrate: 48_000, opus_complexity: 2, aac_bitrate: 64_000 }
    }
}

impl Transcode {
    fn check(&self) -> Result<(), ConfigError> {
        within("transcode.threads", self.threads, 0..=256)?;
        within("transcode.opus_bitrate", self.opus_bitrate, 6_000..=255_000)?;
        within("transcode.opus_complexity", self.opus_complexity, 0..=10)?;
        within("transcode.aac_bitrate", self.aac_bitrate, 16_000..=256_000)
    }
}

/// `[[apps]]`: an app and what lets into it, either secrets or nothing but its id.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct App {
    /// Its id.
    pub(crate) id: AppId,
    /// The secrets; the first one signs. More than one while an old one is being replaced.
    #[serde(default, serialize_with = "redact", skip_serializing_if = "Vec::is_empty")]
    pub(crate) secrets: Vec<Secret>,
    /// Whether everybody may enter who knows the id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) open: bool,
}

impl App {
    pub(super) fn access(&self) -> Access {
        if self.open { Access::Open } else { Access::Tokens(self.secrets.clone()) }
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.open && !self.secrets.is_empty() {
            let message = format!(
                "app {} is open, so that its secrets protect nothing: take out one of the two",
                self.id
            );
            return Err(invalid("apps", &message));
        }
        Ok(())
    }
}

/// Too short to be taken for a secret if somebody feeds the output back.
fn redact<S: Serializer>(secrets: &[Secret], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(|_| "[redacted]"))
}

/// Checks what types cannot: the ranges.
pub(super) fn check(config: &super::Config) -> Result<(), ConfigError> {
    config.rtc.check()?;
    config.http.check()?;
    config.public.check()?;
    config.rooms.check()?;
    config.limits.check()?;
    config.gop.check()?;
    config.transcode.check()?;
    config.apps.iter().try_for_each(App::check)?;
    super::ops::check(&config.webhooks)
}

pub(super) fn invalid(key: &'static str, message: &str) -> ConfigError {
    ConfigError::Invalid { key, message: message.to_owned() }
}

fn within<T: PartialOrd + std::fmt::Display>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(invalid(key, &format!("{value} is not between {} and {}", range.start(), range.end())))
}

fn span_within(
    key: &'static str,
    value: Duration,
    min_millis: u64,
    max_seconds: u64,
) -> Result<(), ConfigError> {
    let range = Duration::from_millis(min_millis)..=Duration::from_secs(max_seconds);
    if range.contains(&value) {
        return Ok(());
    }
    Err(invalid(key, &format!("{value:?} is not between {:?} and {:?}", range.start(), range.end())))
}
