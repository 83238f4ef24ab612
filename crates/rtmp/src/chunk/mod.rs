//! Chunk streams: how messages are cut, interleaved and compressed (RTMP 1.0 section 5.3).

mod read;
mod write;

use bytes::Bytes;

pub use read::{Limits, Reader};
pub use write::{MediaHeader, MediaKind, Writer, media_message};

/// Chunk size of both directions until Set Chunk Size says otherwise (RTMP 1.0 section 5.4.1).
pub const DEFAULT_CHUNK_SIZE: usize = 128;
/// Messages that may be incomplete at once: video, audio, metadata and a command are all that a client interleaves.
pub const MAX_PARTIAL_MESSAGES: usize = 4;
/// Chunk streams that one peer may use. Clients use fewer than ten; each costs about 50 bytes for the whole connection.
pub const MAX_CHUNK_STREAMS: usize = 100;
/// The longest message that fits the 24-bit length of a chunk header.
pub const MAX_MESSAGE_LENGTH: usize = 0xff_ffff;

/// From here on a timestamp does not fit its 24 bits and moves to the extended field.
const EXTENDED: u32 = 0xff_ffff;

/// Chunk stream ids that this crate writes to. Readers must accept any.
pub mod id {
    /// Protocol control and user control messages; fixed by RTMP 1.0 section 5.4.
    pub const CONTROL: u8 = 2;
    /// Commands.
    pub const COMMAND: u8 = 3;
    /// Audio messages.
    pub const AUDIO: u8 = 4;
    /// Data messages.
    pub const DATA: u8 = 5;
    /// Video messages.
    pub const VIDEO: u8 = 6;
}

/// A whole message as it leaves or enters the chunk layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Milliseconds, absolute, as on the wire: wraps at 2^32.
    pub timestamp: u32,
    /// Message stream id, 0 for the connection itself.
    pub stream_id: u32,
    /// Message type id, see [`crate::message::kind`].
    pub message_type: u8,
    /// Body of the message.
    pub payload: Bytes,
}
