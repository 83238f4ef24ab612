//! The server's end of a connection.

mod command;
mod event;
mod reply;

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use crate::Error;
use crate::address::MAX_ADDRESS_BYTES;
use crate::amf0::{Object, Value};
use crate::chunk::{Limits, MAX_PARTIAL_MESSAGES};
use crate::link::{Incoming, Link};
use crate::message::{Message, UserControl, kind, split_aggregate};

pub use event::{Connect, Event, PlayRequest, PublishKind, PublishRequest};
pub use reply::{Level, Refusal};

/// Longest message before anyone is authenticated: a `connect` that names its token in every URL takes 4 KB.
pub const MAX_MESSAGE_BEFORE_PUBLISH: usize = 8 * 1024;
/// All incomplete messages before anyone is authenticated. Together with parsed values, events and answers the session
/// then stays below 64 KB.
pub const MAX_PARTIAL_BEFORE_PUBLISH: usize = 12 * 1024;
/// Longest message of an accepted publisher: ten times the keyframe of a sharp 4K picture at 20 Mbit/s.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;
/// AMF0 values in one message before anyone is authenticated; `connect` has about twenty.
pub const MAX_VALUES_BEFORE_PUBLISH: usize = 128;
/// AMF0 values in one message of an accepted publisher: metadata of edited files lists every keyframe.
pub const MAX_VALUES: usize = 8192;
/// Commands before a publish or play is accepted. Real clients send about six.
pub const MAX_COMMANDS_BEFORE_ACCEPT: u32 = 64;
/// Message streams per connection. Players of many tracks open one for each; everyone else opens one.
pub const MAX_STREAMS: u32 = 8;
/// Events between two calls of [`Session::poll_event`]. 64 KB of the smallest audio messages are about 5000.
pub const MAX_PENDING_EVENTS: usize = 8192;

/// How a session presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Chunk size towards the client in bytes. Large: most frames then are one chunk.
    pub chunk_size: u32,
    /// Bytes after which the client expects acknowledgements, and the bandwidth it is told.
    pub window_ack_size: u32,
    /// Window that the client is asked to use, in bytes.
    pub peer_bandwidth: u32,
    /// Longest message of an accepted publisher in bytes.
    pub max_message: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            peer_bandwidth: 2_500_000,
            max_message: MAX_MESSAGE,
        }
    }
}

/// Counters of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes received, handshake included.
    pub bytes_received: u64,
    /// Messages received that had no effect: of unknown types, empty, broken, or media that nobody accepted.
    pub ignored_messages: u64,
    /// What the client last acknowledged, modulo 2^32.
    pub peer_acknowledged: Option<u32>,
}

/// One publish or play per connection, which is what every client does.
#[derive(Debug)]
enum Activity {
    Idle,
    PublishAsked { ticket: u64, stream_id: u32 },
    Publishing { stream_id: u32 },
    PlayAsked { ticket: u64, stream_id: u32 },
    Playing { stream_id: u32 },
}

impl Activity {
    fn stream_id(&self) -> Option<u32> {
        match self {
            Self::Idle => None,
            Self::PublishAsked { stream_id, .. }
            | Self::Publishing { stream_id }
            | Self::PlayAsked { stream_id, .. }
            | Self::Playing { stream_id } => Some(*stream_id),
        }
    }
}

/// The server's end of one connection.
///
/// After every call that may change something, take events and output until both are empty. Each piece of output ends at
/// a message boundary, so media made by [`crate::chunk::media_message`] for [`Session::chunk_size`] and
/// [`Session::stream_id`] may be written between any two.
pub struct Session {
    config: Config,
    link: Link,
    connect: Option<Connect>,
    activity: Activity,
    /// Bit n: message stream n exists.
    streams: u32,
    events: VecDeque<Event>,
    commands: u32,
    tickets: u64,
    ignored: u64,
    buffer_length: Option<u32>,
    failed: bool,
}

impl Session {
    /// A session for a client that has just connected its socket.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let limits =
            Limits { message: MAX_MESSAGE_BEFORE_PUBLISH, partial_total: MAX_PARTIAL_BEFORE_PUBLISH };
        Self {
            config,
            link: Link::server(limits, MAX_VALUES_BEFORE_PUBLISH),
            connect: None,
            activity: Activity::Idle,
            streams: 0,
            events: VecDeque::new(),
            commands: 0,
            tickets: 0,
            ignored: 0,
            buffer_length: None,
            failed: false,
        }
    }

    /// Takes bytes from the client, cut in any way.
    ///
    /// # Errors
    ///
    /// Every error is final: write what [`Session::poll_output`] has left (it tells the client why), then close.
    pub fn handle_input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Closed);
        }
        let result = self.process(bytes);
        if let Err(error) = &result {
            self.failed = true;
            // The reason goes to the client in its own protocol, if it already speaks it.
            if self.connect.is_some() {
                self.status(Level::Error, "NetStream.Failed", &error.to_string());
            }
        }
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

    /// What `connect` said, once it has been accepted.
    #[must_use]
    pub fn connect(&self) -> Option<&Connect> {
        self.connect.as_ref()
    }

    /// Whether the handshake is over.
    #[must_use]
    pub fn is_handshake_done(&self) -> bool {
        self.link.handshake_done()
    }

    /// Whether a publish has been accepted and not stopped.
    #[must_use]
    pub fn is_publishing(&self) -> bool {
        matches!(self.activity, Activity::Publishing { .. })
    }

    /// Whether a play has been accepted and not stopped.
    #[must_use]
    pub fn is_playing(&self) -> bool {
        matches!(self.activity, Activity::Playing { .. })
    }

    /// Message stream id of the publish or play, asked for or accepted. 1 for nearly every client.
    #[must_use]
    pub fn stream_id(&self) -> Option<u32> {
        self.activity.stream_id()
    }

    /// Chunk size towards the client: that of the configuration as soon as the client has connected.
    #[must_use]
    pub fn chunk_size(&self) -> usize {
        self.link.chunk_size()
    }

    /// How much a player says that it buffers, in milliseconds.
    #[must_use]
    pub fn buffer_length(&self) -> Option<u32> {
        self.buffer_length
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            bytes_received: self.link.received(),
            ignored_messages: self.ignored,
            peer_acknowledged: self.link.peer_acknowledged(),
        }
    }

    /// Lets the client publish. Does nothing if it has withdrawn the request meanwhile.
    pub fn accept_publish(&mut self, request: PublishRequest) {
        let Activity::PublishAsked { ticket, stream_id } = self.activity else { return };
        if ticket != request.ticket {
            return;
        }
        let message = self.config.max_message;
        let partial_total = message.saturating_mul(MAX_PARTIAL_MESSAGES);
        self.link.set_limits(Limits { message, partial_total }, MAX_VALUES);
        self.activity = Activity::Publishing { stream_id };
        self.control(UserControl::StreamBegin(stream_id));
        self.status(Level::Status, "NetStream.Publish.Start", "Publishing.");
    }

    /// Refuses to let the client publish; it may try again. `description` is for people.
    pub fn reject_publish(&mut self, request: PublishRequest, refusal: Refusal, description: &str) {
        if matches!(self.activity, Activity::PublishAsked { ticket, .. } if ticket == request.ticket) {
            self.status(Level::Error, refusal.publish_code(), description);
            self.activity = Activity::Idle;
        }
    }

    /// Lets the client play. Media may be written once the output has been. Does nothing if it has withdrawn the request.
    pub fn accept_play(&mut self, request: PlayRequest) {
        let Activity::PlayAsked { ticket, stream_id } = self.activity else { return };
        if ticket != request.ticket {
            return;
        }
        self.activity = Activity::Playing { stream_id };
        self.control(UserControl::StreamBegin(stream_id));
        if request.reset {
            self.status(Level::Status, "NetStream.Play.Reset", "Playing and resetting.");
        }
        self.status(Level::Status, "NetStream.Play.Start", "Started playing.");
        self.data(reply::sample_access());
        self.data(reply::data_start());
    }

    /// Refuses to let the client play; it may try again. `description` is for people.
    pub fn reject_play(&mut self, request: PlayRequest, refusal: Refusal, description: &str) {
        if matches!(self.activity, Activity::PlayAsked { ticket, .. } if ticket == request.ticket) {
            self.status(Level::Error, refusal.play_code(), description);
            self.activity = Activity::Idle;
        }
    }

    /// Tells the client that its message stream carries media (again).
    pub fn stream_begin(&mut self) {
        self.stream_control(UserControl::StreamBegin);
    }

    /// Tells a player that its stream is over for good.
    pub fn stream_eof(&mut self) {
        self.stream_control(UserControl::StreamEof);
    }

    /// Tells a player that nothing arrives at the moment.
    pub fn stream_dry(&mut self) {
        self.stream_control(UserControl::StreamDry);
    }

    /// Tells a player that the publisher has come (back).
    pub fn play_publish_notify(&mut self) {
        self.status(Level::Status, "NetStream.Play.PublishNotify", "The publisher has started.");
    }

    /// Tells a player that the publisher has left for good. ffmpeg and librtmp end playback at this; while the publisher
    /// may return, send nothing or [`Session::stream_dry`].
    pub fn play_unpublish_notify(&mut self) {
        self.status(Level::Status, "NetStream.Play.UnpublishNotify", "The publisher has stopped.");
    }

    /// Ends playback in the order that players expect: end of stream, unpublish, stop.
    pub fn end_play(&mut self, description: &str) {
        if self.is_playing() {
            self.stream_eof();
            self.play_unpublish_notify();
            self.status(Level::Status, "NetStream.Play.Stop", description);
            self.activity = Activity::Idle;
        }
    }

    /// Sends `onStatus` on the stream in use, for example a warning about a codec.
    pub fn status(&mut self, level: Level, code: &str, description: &str) {
        let stream_id = self.stream_id().unwrap_or_default();
        self.status_on(stream_id, level, code, description);
    }

    /// Asks the client to answer with [`Event::PingResponse`]. `timestamp` is free; milliseconds of the server's clock
    /// by the specification.
    pub fn ping(&mut self, timestamp: u32) {
        self.control(UserControl::PingRequest(timestamp));
    }

    fn process(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.link.count_input(bytes.len());
        let mut input = bytes;
        while let Some(incoming) = self.link.next(&mut input)? {
            self.handle(incoming)?;
            if self.events.len() > MAX_PENDING_EVENTS {
                return Err(Error::TooManyEvents { offset: self.link.offset() });
            }
        }
        self.link.acknowledge()
    }

    fn handle(&mut self, incoming: Incoming) -> Result<(), Error> {
        let Incoming { timestamp, stream_id, message } = incoming;
        match message {
            Message::Video(payload) if self.accepts_media(stream_id) && !payload.is_empty() => {
                self.events.push_back(Event::Video { timestamp, payload });
            }
            Message::Audio(payload) if self.accepts_media(stream_id) && !payload.is_empty() => {
                self.events.push_back(Event::Audio { timestamp, payload });
            }
            Message::Data(values) if self.accepts_media(stream_id) => match metadata(values) {
                Some(metadata) => self.events.push_back(Event::Metadata(metadata)),
                None => self.ignored += 1,
            },
            Message::Aggregate(body) if self.accepts_media(stream_id) => {
                for packet in split_aggregate(timestamp, stream_id, body) {
                    self.handle_part(packet)?;
                }
            }
            Message::Command(command) => self.handle_command(command, stream_id)?,
            Message::UserControl(UserControl::PingResponse(timestamp)) if self.is_accepted() => {
                self.events.push_back(Event::PingResponse(timestamp));
            }
            Message::UserControl(UserControl::SetBufferLength { millis, .. }) => {
                self.buffer_length = Some(millis)
            }
            _ => self.ignored += 1,
        }
        Ok(())
    }

    /// A part of an aggregate: media and metadata only.
    fn handle_part(&mut self, packet: crate::chunk::Packet) -> Result<(), Error> {
        if !matches!(packet.message_type, kind::AUDIO | kind::VIDEO | kind::DATA_AMF0) {
            self.ignored += 1;
            return Ok(());
        }
        let (timestamp, stream_id) = (packet.timestamp, packet.stream_id);
        let message = Message::parse(packet, self.link.offset(), MAX_VALUES)?;
        if self.events.len() > MAX_PENDING_EVENTS {
            return Err(Error::TooManyEvents { offset: self.link.offset() });
        }
        self.handle(Incoming { timestamp, stream_id, message })
    }

    fn is_accepted(&self) -> bool {
        self.is_publishing() || self.is_playing()
    }

    /// Some clients send media on message stream 0; that of another stream belongs to a publish that was refused.
    fn accepts_media(&self, stream_id: u32) -> bool {
        matches!(self.activity, Activity::Publishing { stream_id: own } if stream_id == own || stream_id == 0)
    }

    fn status_on(&mut self, stream_id: u32, level: Level, code: &str, description: &str) {
        let text = description.get(..description.floor_char_boundary(MAX_ADDRESS_BYTES)).unwrap_or_default();
        self.send(&reply::on_status(level, code, text), stream_id);
    }

    /// Nothing that the session itself sends reaches the 16 MB where writing fails.
    fn send(&mut self, command: &crate::message::Command, stream_id: u32) {
        let _ = self.link.send_command(command, stream_id);
    }

    fn control(&mut self, event: UserControl) {
        let _ = self.link.send_control(event.into());
    }

    fn stream_control(&mut self, event: impl FnOnce(u32) -> UserControl) {
        if let Some(stream_id) = self.stream_id() {
            self.control(event(stream_id));
        }
    }

    fn data(&mut self, payload: Bytes) {
        let _ = self.link.send_data(payload, self.stream_id().unwrap_or_default());
    }
}

/// Leaves out the buffers: they may hold secrets.
impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("connect", &self.connect)
            .field("activity", &self.activity)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// The properties of `onMetaData`, alone or inside `@setDataFrame`.
pub(crate) fn metadata(values: Vec<Value>) -> Option<Object> {
    let mut values = values.into_iter();
    let mut name = values.next()?;
    if name.as_str() == Some("@setDataFrame") {
        name = values.next()?;
    }
    if name.as_str() != Some("onMetaData") {
        return None;
    }
    match values.next()? {
        Value::Object(properties) | Value::EcmaArray(properties) => Some(properties),
        _ => None,
    }
}
