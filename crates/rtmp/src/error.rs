use crate::amf0;

/// Why a session ended. `offset` counts the bytes received since the connection opened, handshake included, and points
/// at or just behind the offending part.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first byte is not RTMP version 3: another protocol, or RTMPE.
    #[error("handshake: the peer speaks version {0}, not RTMP version 3")]
    Version(u8),
    /// A chunk header refers to an earlier header that was never sent.
    #[error("byte {offset}: chunk stream {chunk_stream} starts with a header of type {header_type}")]
    NoPreviousHeader {
        /// Position in the input.
        offset: u64,
        /// Chunk stream id.
        chunk_stream: u32,
        /// Chunk header type, 0 to 3.
        header_type: u8,
    },
    /// A message was redefined before it was complete.
    #[error("byte {offset}: new header on chunk stream {chunk_stream} inside an incomplete message")]
    HeaderInsideMessage {
        /// Position in the input.
        offset: u64,
        /// Chunk stream id.
        chunk_stream: u32,
    },
    /// More chunk streams than [`chunk::MAX_CHUNK_STREAMS`](crate::chunk::MAX_CHUNK_STREAMS).
    #[error("byte {offset}: too many chunk streams")]
    TooManyChunkStreams {
        /// Position in the input.
        offset: u64,
    },
    /// More interleaved messages than [`chunk::MAX_PARTIAL_MESSAGES`](crate::chunk::MAX_PARTIAL_MESSAGES).
    #[error("byte {offset}: too many interleaved messages")]
    TooManyPartialMessages {
        /// Position in the input.
        offset: u64,
    },
    /// A message is longer than allowed at this point of the session.
    #[error("byte {offset}: message of {length} bytes, the limit is {limit}")]
    MessageTooLong {
        /// Position in the input.
        offset: u64,
        /// Announced or requested length in bytes.
        length: usize,
        /// Limit in bytes.
        limit: usize,
    },
    /// The incomplete messages of one connection together need more memory than allowed.
    #[error("byte {offset}: incomplete messages exceed {limit} bytes")]
    PartialMessageMemory {
        /// Position in the input.
        offset: u64,
        /// Limit in bytes.
        limit: usize,
    },
    /// Set Chunk Size with a value outside 1 to 0x7fffffff.
    #[error("byte {offset}: chunk size {size} is not allowed")]
    ChunkSize {
        /// Position in the input.
        offset: u64,
        /// The value on the wire.
        size: u32,
    },
    /// A protocol control message is shorter than its fixed layout.
    #[error("byte {offset}: control message of type {message_type} is too short")]
    ShortControl {
        /// Position in the input.
        offset: u64,
        /// Message type id.
        message_type: u8,
    },
    /// A command whose AMF0 body cannot be read.
    #[error("byte {offset}: command: {source}")]
    Amf0 {
        /// Position in the input: the end of the message.
        offset: u64,
        /// What is wrong, with the position inside the body.
        source: amf0::Error,
    },
    /// A command without a name.
    #[error("byte {offset}: command without a name")]
    CommandName {
        /// Position in the input.
        offset: u64,
    },
    /// A command other than `connect` came first.
    #[error("byte {offset}: command before connect")]
    NotConnected {
        /// Position in the input.
        offset: u64,
    },
    /// `connect` could not be accepted; the reason has been sent to the peer.
    #[error("connect rejected: {0}")]
    ConnectRejected(&'static str),
    /// The peer refused what this client asked for.
    #[error("refused by the server: {code}: {description}")]
    Refused {
        /// Status code, for example `NetStream.Publish.BadName`.
        code: String,
        /// Text meant for people.
        description: String,
    },
    /// More commands than any client needs before it publishes or plays.
    #[error("byte {offset}: too many commands before anything is published or played")]
    TooManyCommands {
        /// Position in the input.
        offset: u64,
    },
    /// One piece of input caused more events than are ever queued.
    #[error("byte {offset}: too many messages in one piece of input")]
    TooManyEvents {
        /// Position in the input.
        offset: u64,
    },
    /// The peer causes answers faster than they are taken.
    #[error("byte {offset}: too much unsent output")]
    OutputBacklog {
        /// Position in the input.
        offset: u64,
    },
    /// The session has already failed.
    #[error("the session is closed")]
    Closed,
}
