//! The client's end of a connection: publishes or plays one stream.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use crate::Error;
use crate::amf0::{Object, Value};
use crate::chunk::{Limits, MAX_PARTIAL_MESSAGES, MediaHeader, MediaKind, media_message};
use crate::handshake::Scheme;
use crate::link::{Incoming, Link};
use crate::message::{Command, Message, UserControl, data_body, split_aggregate};
use crate::server::{MAX_MESSAGE, MAX_PENDING_EVENTS, MAX_VALUES, metadata};

/// Port of `rtmp:` URLs that name none.
pub const DEFAULT_PORT: u16 = 1935;

const CONNECT: f64 = 1.0;
const CREATE_STREAM: f64 = 2.0;

/// What the client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To send a live stream.
    Publish,
    /// To receive one.
    Play,
}

/// What to ask for, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Publish or play.
    pub purpose: Purpose,
    /// Application: everything of the path but its last segment.
    pub app: String,
    /// URL up to and including the application.
    pub tc_url: String,
    /// Stream name with the query.
    pub name: String,
    /// How the client names itself.
    pub flash_ver: String,
    /// Chunk size towards the server in bytes.
    pub chunk_size: u32,
    /// With a digest, or plain.
    pub handshake: Option<Scheme>,
}

/// A URL that is not `rtmp://host[:port]/app/name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RTMP URL of the form rtmp://host[:port]/app/name")]
pub struct UrlError;

impl Config {
    /// Splits `rtmp://host[:port]/app[/more]/name[?query]` as ffmpeg does: the last segment is the name, with the query.
    ///
    /// # Errors
    ///
    /// [`UrlError`] when the scheme, the host, the application or the name is missing.
    pub fn from_url(purpose: Purpose, url: &str) -> Result<Self, UrlError> {
        let rest = url.strip_prefix("rtmp://").ok_or(UrlError)?;
        let path_end = rest.find('?').unwrap_or(rest.len());
        let (path, query) = rest.split_at_checked(path_end).ok_or(UrlError)?;
        let (base, last) = path.rsplit_once('/').ok_or(UrlError)?;
        let (host, app) = base.split_once('/').ok_or(UrlError)?;
        if host.is_empty() || app.is_empty() || last.is_empty() {
            return Err(UrlError);
        }
        Ok(Self {
            purpose,
            app: app.to_owned(),
            tc_url: format!("rtmp://{base}"),
            name: format!("{last}{query}"),
            flash_ver: "FMLE/3.0 (compatible; queqiao)".to_owned(),
            chunk_size: 60_000,
            handshake: Some(Scheme::DigestFirst),
        })
    }

    /// `host:port` of the server, with [`DEFAULT_PORT`] if the URL names none.
    #[must_use]
    pub fn authority(&self) -> String {
        let rest = self.tc_url.strip_prefix("rtmp://").unwrap_or(&self.tc_url);
        let host = rest.split('/').next().unwrap_or_default();
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if has_port { host.to_owned() } else { format!("{host}:{DEFAULT_PORT}") }
    }
}

/// What a session tells its owner.
#[derive(Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The server has accepted the application.
    Connected,
    /// The server is ready for media: from now on the `send_…` methods have an effect.
    Publishing,
    /// The server has accepted the play; media may follow at once or later.
    Playing,
    /// Any other status.
    Status {
        /// Code, for example `NetStream.Play.UnpublishNotify`.
        code: String,
        /// Text meant for people.
        description: String,
    },
    /// An FLV video tag body.
    Video {
        /// Milliseconds as on the wire.
        timestamp: u32,
        /// The tag body.
        payload: Bytes,
    },
    /// An FLV audio tag body.
    Audio {
        /// Milliseconds as on the wire.
        timestamp: u32,
        /// The tag body.
        payload: Bytes,
    },
    /// `onMetaData`.
    Metadata(Object),
    /// The server says that the stream is over.
    StreamEof,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Connecting,
    CreatingStream,
    Starting,
    Running,
    Stopped,
}

/// The client's end of one connection. Goes through connect, createStream and publish or play by itself.
pub struct Session {
    config: Config,
    link: Link,
    phase: Phase,
    stream_id: u32,
    events: VecDeque<Event>,
    failed: bool,
}

impl Session {
    /// A session for a socket that has just been connected to [`Config::authority`]. The first output is there already.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let limits = Limits { message: MAX_MESSAGE, partial_total: MAX_MESSAGE * MAX_PARTIAL_MESSAGES };
        let link = Link::client(config.handshake, limits, MAX_VALUES);
        Self { config, link, phase: Phase::Handshake, stream_id: 0, events: VecDeque::new(), failed: false }
    }

    /// Takes bytes from the server, cut in any way.
    ///
    /// # Errors
    ///
    /// Every error is final. [`Error::Refused`] carries what the server said.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Closed);
        }
        let result = self.process(bytes);
        self.failed = result.is_err();
        result
    }

    /// The next event, in the order of the wire.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next bytes to write: one or more whole messages.
    pub fn poll_output(&mut self) -> Option<Bytes> {
        self.link.poll_output()
    }

    /// Whether the server has accepted the publish or play, and it has not been stopped.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Message stream id for media that is serialised outside.
    #[must_use]
    pub fn stream_id(&self) -> u32 {
        self.stream_id
    }

    /// Chunk size for media that is serialised outside.
    #[must_use]
    pub fn chunk_size(&self) -> usize {
        self.link.chunk_size()
    }

    /// Queues a media message made of `parts`. Does nothing unless publishing.
    ///
    /// # Errors
    ///
    /// [`Error::MessageTooLong`] when it exceeds 16 MB.
    pub fn send_media(&mut self, kind: MediaKind, timestamp: u32, parts: &[&[u8]]) -> Result<(), Error> {
        if self.phase == Phase::Running && self.config.purpose == Purpose::Publish {
            let header = MediaHeader { kind, timestamp, stream_id: self.stream_id };
            let bytes = media_message(header, parts, self.link.chunk_size())?;
            self.link.send_serialized(bytes);
        }
        Ok(())
    }

    /// Queues metadata, as `@setDataFrame`. Does nothing unless publishing.
    ///
    /// # Errors
    ///
    /// [`Error::MessageTooLong`] when it exceeds 16 MB.
    pub fn send_metadata(&mut self, properties: Object) -> Result<(), Error> {
        let values = [Value::from("@setDataFrame"), Value::from("onMetaData"), Value::EcmaArray(properties)];
        self.send_media(MediaKind::Data, 0, &[&data_body(&values)])
    }

    /// Asks a player's server to pause or resume.
    pub fn pause(&mut self, paused: bool) {
        if self.phase == Phase::Running && self.config.purpose == Purpose::Play {
            let _ = self.call("pause", 0.0, Value::Null, vec![paused.into(), 0.0.into()], self.stream_id);
        }
    }

    /// Queues the commands that end the publish or play in good order.
    pub fn stop(&mut self) {
        if !matches!(self.phase, Phase::Starting | Phase::Running) {
            return;
        }
        if self.config.purpose == Purpose::Publish {
            let name = Value::from(self.config.name.as_str());
            let _ = self.call("FCUnpublish", 6.0, Value::Null, vec![name], 0);
        }
        let stream_id = f64::from(self.stream_id);
        let _ = self.call("deleteStream", 7.0, Value::Null, vec![stream_id.into()], 0);
        self.phase = Phase::Stopped;
    }

    fn process(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.link.count_input(bytes.len());
        let mut input = bytes;
        loop {
            let incoming = self.link.next(&mut input)?;
            if self.phase == Phase::Handshake && self.link.handshake_done() {
                self.connect()?;
            }
            let Some(incoming) = incoming else { break };
            self.handle(incoming)?;
            if self.events.len() > MAX_PENDING_EVENTS {
                return Err(Error::TooManyEvents { offset: self.link.offset() });
            }
        }
        self.link.acknowledge()
    }

    fn connect(&mut self) -> Result<(), Error> {
        self.phase = Phase::Connecting;
        self.link.announce_chunk_size(self.config.chunk_size)?;
        let mut object = Object::new().with("app", self.config.app.as_str());
        if self.config.purpose == Purpose::Publish {
            object = object.with("type", "nonprivate");
        }
        let object = object
            .with("flashVer", self.config.flash_ver.as_str())
            .with("tcUrl", self.config.tc_url.as_str())
            .with("objectEncoding", 0.0);
        self.call("connect", CONNECT, Value::Object(object), vec![], 0)
    }

    fn handle(&mut self, incoming: Incoming) -> Result<(), Error> {
        let Incoming { timestamp, stream_id, message } = incoming;
        match message {
            Message::Video(payload) => self.events.push_back(Event::Video { timestamp, payload }),
            Message::Audio(payload) => self.events.push_back(Event::Audio { timestamp, payload }),
            Message::Data(values) => self.events.extend(metadata(values).map(Event::Metadata)),
            Message::Aggregate(body) => {
                for part in split_aggregate(timestamp, stream_id, body) {
                    let timestamp = part.timestamp;
                    match Message::parse(part, self.link.offset(), MAX_VALUES)? {
                        Message::Video(payload) => self.events.push_back(Event::Video { timestamp, payload }),
                        Message::Audio(payload) => self.events.push_back(Event::Audio { timestamp, payload }),
                        _ => {}
                    }
                }
            }
            Message::Command(command) => self.handle_command(&command)?,
            Message::UserControl(UserControl::StreamEof(_)) => self.events.push_back(Event::StreamEof),
            _ => {}
        }
        Ok(())
    }

    fn handle_command(&mut self, command: &Command) -> Result<(), Error> {
        match (command.name.as_str(), self.phase) {
            ("_result", Phase::Connecting) if command.transaction == CONNECT => self.on_connected(),
            ("_result", Phase::CreatingStream) if command.transaction == CREATE_STREAM => {
                let id = command.argument(0).and_then(Value::as_number).unwrap_or(1.0);
                // Any value that is not an id saturates, which harms only this client.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                {
                    self.stream_id = id as u32;
                }
                self.start()
            }
            ("_error", _) if command.transaction == CONNECT || command.transaction == CREATE_STREAM => {
                Err(refused(command))
            }
            ("onStatus", _) => self.on_status(command),
            _ => Ok(()),
        }
    }

    fn on_connected(&mut self) -> Result<(), Error> {
        self.events.push_back(Event::Connected);
        self.phase = Phase::CreatingStream;
        if self.config.purpose == Purpose::Publish {
            let name = Value::from(self.config.name.as_str());
            self.call("releaseStream", 3.0, Value::Null, vec![name.clone()], 0)?;
            self.call("FCPublish", 4.0, Value::Null, vec![name], 0)?;
        }
        self.call("createStream", CREATE_STREAM, Value::Null, vec![], 0)
    }

    fn start(&mut self) -> Result<(), Error> {
        self.phase = Phase::Starting;
        let name = Value::from(self.config.name.as_str());
        match self.config.purpose {
            Purpose::Publish => {
                self.call("publish", 5.0, Value::Null, vec![name, "live".into()], self.stream_id)
            }
            Purpose::Play => {
                let buffer = UserControl::SetBufferLength { stream_id: self.stream_id, millis: 100 };
                self.link.send_control(buffer.into())?;
                self.call("play", 0.0, Value::Null, vec![name, (-2000.0).into()], self.stream_id)
            }
        }
    }

    fn on_status(&mut self, command: &Command) -> Result<(), Error> {
        let info = command.argument(0).and_then(Value::as_object);
        let text = |name: &str| info.and_then(|info| info.text(name)).unwrap_or_default();
        if text("level") == "error" {
            return Err(refused(command));
        }
        let event = match (text("code"), self.phase) {
            ("NetStream.Publish.Start", Phase::Starting) => Event::Publishing,
            ("NetStream.Play.Start", Phase::Starting) => Event::Playing,
            (code, _) => Event::Status { code: code.to_owned(), description: text("description").to_owned() },
        };
        if matches!(event, Event::Publishing | Event::Playing) {
            self.phase = Phase::Running;
        }
        self.events.push_back(event);
        Ok(())
    }

    fn call(
        &mut self,
        name: &str,
        transaction: f64,
        object: Value,
        arguments: Vec<Value>,
        stream_id: u32,
    ) -> Result<(), Error> {
        let command = Command { name: name.to_owned(), transaction, object, arguments };
        self.link.send_command(&command, stream_id)
    }
}

fn refused(command: &Command) -> Error {
    let info = command.argument(0).and_then(Value::as_object);
    let text = |name: &str| info.and_then(|info| info.text(name)).unwrap_or_default().to_owned();
    Error::Refused { code: text("code"), description: text("description") }
}

/// Leaves out queries, which may hold secrets.
impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Config")
            .field("purpose", &self.purpose)
            .field("tc_url", &crate::address::without_query(&self.tc_url))
            .field("name", &crate::address::without_query(&self.name))
            .finish_non_exhaustive()
    }
}

/// Leaves out the buffers: they may hold secrets.
impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("config", &self.config)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_split_before_its_last_segment() {
        let config = Config::from_url(Purpose::Play, "rtmp://host:19/demo/room/uid?token=a/b").unwrap();
        assert_eq!(config.app, "demo/room");
        assert_eq!(config.tc_url, "rtmp://host:19/demo/room");
        assert_eq!(config.name, "uid?token=a/b");
        assert_eq!(config.authority(), "host:19");
        let bare = Config::from_url(Purpose::Play, "rtmp://[::1]/demo/room").unwrap();
        assert_eq!(bare.authority(), "[::1]:1935");
        assert!(!format!("{config:?}").contains("a/b"));
    }

    #[test]
    fn urls_without_the_needed_parts_are_refused() {
        for url in ["http://h/a/b", "rtmp://h/a", "rtmp://h", "rtmp:///a/b", "rtmp://h/a/", "rtmp://h//b"] {
            assert_eq!(Config::from_url(Purpose::Publish, url), Err(UrlError), "{url}");
        }
    }
}
