//! Typed messages (RTMP 1.0 sections 5.4, 6 and 7.1).

use bytes::{BufMut, Bytes, BytesMut};

use crate::Error;
use crate::amf0::{self, Object, Value};
use crate::chunk::Packet;

/// Message type ids.
pub mod kind {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message.
    pub const ABORT: u8 = 2;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// Set Peer Bandwidth.
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// Data in AMF3 form.
    pub const DATA_AMF3: u8 = 15;
    /// Command in AMF3 form.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data in AMF0.
    pub const DATA_AMF0: u8 = 18;
    /// Command in AMF0.
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate.
    pub const AGGREGATE: u8 = 22;
}

/// User control events (RTMP 1.0 section 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserControl {
    /// A message stream became usable.
    StreamBegin(u32),
    /// Playback of a message stream is over.
    StreamEof(u32),
    /// Nothing has arrived for a message stream for a while.
    StreamDry(u32),
    /// The client's buffer.
    SetBufferLength {
        /// Message stream id.
        stream_id: u32,
        /// Length in milliseconds.
        millis: u32,
    },
    /// The message stream is a recording.
    StreamIsRecorded(u32),
    /// To be answered by a response with the same timestamp.
    PingRequest(u32),
    /// The answer to a request with the same timestamp.
    PingResponse(u32),
    /// An event that the specification does not define; several vendors have some.
    Unknown(u16),
}

/// A command, the same in AMF0 and AMF3 form.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// Name of the procedure or of the answer (`_result`, `_error`, `onStatus`).
    pub name: String,
    /// 0 when no answer is wanted.
    pub transaction: f64,
    /// The command object, often null.
    pub object: Value,
    /// What follows the command object.
    pub arguments: Vec<Value>,
}

/// A message by its meaning.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Total bytes received by the peer, modulo 2^32.
    Acknowledgement(u32),
    /// A user control event.
    UserControl(UserControl),
    /// How many bytes the peer sends before it expects an acknowledgement.
    WindowAckSize(u32),
    /// The window that the peer asks this side to use.
    SetPeerBandwidth {
        /// Bytes.
        size: u32,
        /// 0 hard, 1 soft, 2 dynamic.
        limit: u8,
    },
    /// An FLV audio tag body.
    Audio(Bytes),
    /// An FLV video tag body.
    Video(Bytes),
    /// A data message, for example metadata.
    Data(Vec<Value>),
    /// A command.
    Command(Command),
    /// Several messages in one, see [`split_aggregate`].
    Aggregate(Bytes),
    /// A type that is not understood, or a body that is empty or broken in a way that harms only itself.
    Ignored(u8),
}

impl Message {
    /// Gives a packet its meaning. `offset` is the position to name in an error, `max_values` limits AMF0 values.
    ///
    /// # Errors
    ///
    /// Only a command that cannot be read is an error: the peer would wait for its answer for ever. An empty command, a
    /// broken data message and the like become [`Message::Ignored`].
    pub fn parse(packet: Packet, offset: u64, max_values: usize) -> Result<Self, Error> {
        let Packet { message_type, payload, .. } = packet;
        let message = match message_type {
            kind::AUDIO => Self::Audio(payload),
            kind::VIDEO => Self::Video(payload),
            kind::ACKNOWLEDGEMENT => {
                u32_at(&payload, 0).map_or(Self::Ignored(message_type), Self::Acknowledgement)
            }
            kind::WINDOW_ACK_SIZE => {
                u32_at(&payload, 0).map_or(Self::Ignored(message_type), Self::WindowAckSize)
            }
            kind::SET_PEER_BANDWIDTH => match (u32_at(&payload, 0), payload.get(4)) {
                (Some(size), Some(limit)) => Self::SetPeerBandwidth { size, limit: *limit },
                _ => Self::Ignored(message_type),
            },
            kind::USER_CONTROL => {
                UserControl::parse(&payload).map_or(Self::Ignored(message_type), Self::UserControl)
            }
            kind::DATA_AMF0 | kind::DATA_AMF3 => {
                let body = amf0_body(message_type == kind::DATA_AMF3, &payload);
                amf0::decode_all(body, max_values).map_or(Self::Ignored(message_type), Self::Data)
            }
            kind::COMMAND_AMF0 | kind::COMMAND_AMF3 => {
                let body = amf0_body(message_type == kind::COMMAND_AMF3, &payload);
                if body.is_empty() {
                    return Ok(Self::Ignored(message_type));
                }
                Self::Command(Command::parse(body, offset, max_values)?)
            }
            kind::AGGREGATE => Self::Aggregate(payload),
            _ => Self::Ignored(message_type),
        };
        Ok(message)
    }
}

/// AMF3 messages of RTMP carry one format byte, then AMF0 in which single values may switch to AMF3.
fn amf0_body(amf3: bool, payload: &[u8]) -> &[u8] {
    match payload.split_first() {
        Some((0, rest)) if amf3 => rest,
        _ => payload,
    }
}

fn u32_at(bytes: &[u8], position: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(position..)?.first_chunk()?))
}

impl UserControl {
    fn parse(payload: &[u8]) -> Option<Self> {
        let (event, data) = payload.split_first_chunk::<2>()?;
        let value = u32_at(data, 0);
        Some(match u16::from_be_bytes(*event) {
            0 => Self::StreamBegin(value?),
            1 => Self::StreamEof(value?),
            2 => Self::StreamDry(value?),
            3 => Self::SetBufferLength { stream_id: value?, millis: u32_at(data, 4)? },
            4 => Self::StreamIsRecorded(value?),
            6 => Self::PingRequest(value?),
            7 => Self::PingResponse(value?),
            unknown => Self::Unknown(unknown),
        })
    }

    fn packet(self) -> Packet {
        let (event, value) = match self {
            Self::StreamBegin(id) => (0, Some(id)),
            Self::StreamEof(id) => (1, Some(id)),
            Self::StreamDry(id) => (2, Some(id)),
            Self::SetBufferLength { stream_id, .. } => (3, Some(stream_id)),
            Self::StreamIsRecorded(id) => (4, Some(id)),
            Self::PingRequest(timestamp) => (6, Some(timestamp)),
            Self::PingResponse(timestamp) => (7, Some(timestamp)),
            Self::Unknown(event) => (event, None),
        };
        let mut payload = BytesMut::with_capacity(10);
        payload.put_u16(event);
        if let Some(value) = value {
            payload.put_u32(value);
        }
        if let Self::SetBufferLength { millis, .. } = self {
            payload.put_u32(millis);
        }
        control(kind::USER_CONTROL, payload)
    }
}

impl From<UserControl> for Packet {
    fn from(event: UserControl) -> Self {
        event.packet()
    }
}

fn control(message_type: u8, payload: BytesMut) -> Packet {
    Packet { timestamp: 0, stream_id: 0, message_type, payload: payload.freeze() }
}

/// A control message whose body is one number: Set Chunk Size, Abort, Acknowledgement, Window Acknowledgement Size.
#[must_use]
pub fn control_u32(message_type: u8, value: u32) -> Packet {
    let mut payload = BytesMut::with_capacity(4);
    payload.put_u32(value);
    control(message_type, payload)
}

/// Set Peer Bandwidth with the dynamic limit type (RTMP 1.0 section 5.4.5).
#[must_use]
pub fn set_peer_bandwidth(size: u32) -> Packet {
    let mut payload = BytesMut::with_capacity(5);
    payload.put_u32(size);
    payload.put_u8(2);
    control(kind::SET_PEER_BANDWIDTH, payload)
}

impl Command {
    fn parse(body: &[u8], offset: u64, max_values: usize) -> Result<Self, Error> {
        let values = amf0::decode_all(body, max_values).map_err(|source| Error::Amf0 { offset, source })?;
        let mut values = values.into_iter();
        let Some(Value::String(name)) = values.next() else { return Err(Error::CommandName { offset }) };
        let transaction = values.next().and_then(|value| value.as_number()).unwrap_or(0.0);
        let object = values.next().unwrap_or(Value::Null);
        Ok(Self { name, transaction, object, arguments: values.collect() })
    }

    /// The command in AMF0 form on a message stream.
    #[must_use]
    pub fn packet(&self, stream_id: u32) -> Packet {
        let mut payload = BytesMut::with_capacity(256);
        amf0::encode_str(&self.name, &mut payload);
        amf0::encode(&Value::Number(self.transaction), &mut payload);
        amf0::encode(&self.object, &mut payload);
        self.arguments.iter().for_each(|argument| amf0::encode(argument, &mut payload));
        Packet { timestamp: 0, stream_id, message_type: kind::COMMAND_AMF0, payload: payload.freeze() }
    }

    /// An argument by its position behind the command object.
    #[must_use]
    pub fn argument(&self, index: usize) -> Option<&Value> {
        self.arguments.get(index)
    }
}

/// Body of a data message in AMF0.
#[must_use]
pub fn data_body(values: &[Value]) -> Bytes {
    let mut payload = BytesMut::with_capacity(256);
    values.iter().for_each(|value| amf0::encode(value, &mut payload));
    payload.freeze()
}

/// Body of the `onMetaData` message that players expect before the first frame; also the body of its FLV tag.
#[must_use]
pub fn metadata_body(properties: Object) -> Bytes {
    data_body(&[Value::from("onMetaData"), Value::EcmaArray(properties)])
}

/// The messages inside an aggregate (RTMP 1.0 section 7.1.6), with its own timestamp and message stream id for base.
///
/// Stops silently at the first part that does not fit. Aggregates inside are not split again.
pub fn split_aggregate(timestamp: u32, stream_id: u32, body: Bytes) -> impl Iterator<Item = Packet> {
    let mut rest = body;
    let mut first = None;
    std::iter::from_fn(move || {
        let header = rest.first_chunk::<11>()?;
        let [message_type, l0, l1, l2, t0, t1, t2, t3, ..] = *header;
        let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).ok()?;
        let inner = u32::from_be_bytes([t3, t0, t1, t2]);
        let end = 11 + length;
        if rest.len() < end {
            return None;
        }
        let part = rest.split_to(end);
        // The back pointer, which the last part sometimes lacks.
        let _ = rest.split_to(rest.len().min(4));
        let base = *first.get_or_insert(inner);
        Some(Packet {
            timestamp: timestamp.wrapping_add(inner.wrapping_sub(base)),
            stream_id,
            message_type,
            payload: part.slice(11..),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(message_type: u8, payload: &[u8]) -> Result<Message, Error> {
        let payload = Bytes::copy_from_slice(payload);
        Message::parse(Packet { timestamp: 0, stream_id: 0, message_type, payload }, 99, 100)
    }

    #[test]
    fn no_type_fails_on_an_empty_or_short_body() {
        for message_type in 0..=255 {
            for length in 0..5 {
                let parsed = parse(message_type, &[0u8; 5][..length]);
                let is_command = matches!(message_type, kind::COMMAND_AMF0 | kind::COMMAND_AMF3);
                assert!(parsed.is_ok() || is_command && length > 0, "type {message_type}, {length} bytes");
            }
        }
        assert_eq!(parse(17, &[]), Ok(Message::Ignored(17)));
        assert_eq!(parse(17, &[0]), Ok(Message::Ignored(17)));
        assert_eq!(parse(20, &[]), Ok(Message::Ignored(20)));
    }

    #[test]
    fn a_command_may_lack_everything_but_its_name() {
        let Ok(Message::Command(command)) = parse(20, b"\x02\x00\x01x") else { panic!() };
        assert_eq!((command.name.as_str(), command.transaction, command.object), ("x", 0.0, Value::Null));
        assert_eq!(parse(20, &[5]), Err(Error::CommandName { offset: 99 }));
        assert!(matches!(parse(20, &[2, 0, 9]), Err(Error::Amf0 { offset: 99, .. })));
    }

    #[test]
    fn an_amf3_command_is_its_amf0_body() {
        let command =
            Command { name: "connect".into(), transaction: 1.0, object: Value::Null, arguments: vec![] };
        let body = [&[0][..], &command.packet(0).payload].concat();
        assert_eq!(parse(17, &body), Ok(Message::Command(command)));
    }

    #[test]
    fn user_control_events_round_trip() {
        let events = [
            UserControl::StreamBegin(1),
            UserControl::StreamEof(2),
            UserControl::StreamDry(3),
            UserControl::SetBufferLength { stream_id: 1, millis: 3000 },
            UserControl::StreamIsRecorded(1),
            UserControl::PingRequest(77),
            UserControl::PingResponse(78),
            UserControl::Unknown(31),
        ];
        for event in events {
            let packet = Packet::from(event);
            assert_eq!(Message::parse(packet, 0, 1), Ok(Message::UserControl(event)));
        }
        let golden = Packet::from(UserControl::SetBufferLength { stream_id: 1, millis: 3000 });
        assert_eq!(golden.payload[..], [0, 3, 0, 0, 0, 1, 0, 0, 0x0b, 0xb8]);
    }

    #[test]
    fn control_messages_have_their_golden_bytes() {
        assert_eq!(set_peer_bandwidth(2_500_000).payload[..], [0, 0x26, 0x25, 0xa0, 2]);
        assert_eq!(control_u32(kind::ACKNOWLEDGEMENT, 0x0102_0304).payload[..], [1, 2, 3, 4]);
        assert_eq!(parse(6, &[0, 0, 0, 9, 1]), Ok(Message::SetPeerBandwidth { size: 9, limit: 1 }));
    }

    #[test]
    fn broken_data_is_ignored_and_a_lone_set_data_frame_is_data() {
        assert_eq!(parse(18, &[2, 0, 9]), Ok(Message::Ignored(18)));
        let body = data_body(&[Value::from("@setDataFrame")]);
        assert_eq!(parse(18, &body), Ok(Message::Data(vec![Value::from("@setDataFrame")])));
    }

    #[test]
    fn an_aggregate_splits_into_messages_on_its_own_clock() {
        let part = |message_type: u8, timestamp: u8, payload: &[u8]| {
            let length = u8::try_from(payload.len()).unwrap();
            let header = [message_type, 0, 0, length, 0, 0, timestamp, 1, 0, 0, 0];
            [&header[..], payload, &[0, 0, 0, 11 + length]].concat()
        };
        let body = [part(9, 10, b"video"), part(8, 30, b""), part(8, 31, b"cut")].concat();
        let body = Bytes::from(body).slice(..15 + 5 + 15 + 13);
        let packets: Vec<_> = split_aggregate(1000, 1, body).collect();
        assert_eq!(packets.len(), 2);
        assert_eq!((packets[0].timestamp, &packets[0].payload[..]), (1000, &b"video"[..]));
        assert_eq!((packets[1].timestamp, packets[1].message_type), (1020, 8));
    }
}
