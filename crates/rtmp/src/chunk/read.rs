use bytes::Bytes;

use super::{
    DEFAULT_CHUNK_SIZE, EXTENDED, MAX_CHUNK_STREAMS, MAX_MESSAGE_LENGTH, MAX_PARTIAL_MESSAGES, Packet,
};
use crate::Error;
use crate::message::kind;

/// Longest chunk header: 3 bytes basic, 11 bytes message, 4 bytes extended timestamp.
const MAX_HEADER: usize = 18;

/// First allocation for a message that arrives in pieces. Most messages fit; a longer one doubles as its bytes really
/// arrive, so that a peer cannot make the reader allocate what it only announces.
const FIRST_ALLOCATION: usize = 16 * 1024;

/// How much a peer may make a [`Reader`] hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message in bytes.
    pub message: usize,
    /// Memory of all incomplete messages together in bytes.
    pub partial_total: usize,
}

/// Joins chunks to messages.
///
/// Set Chunk Size and Abort act on the reader itself and are not returned.
#[derive(Debug)]
pub struct Reader {
    chunk_size: usize,
    limits: Limits,
    streams: Vec<ChunkStream>,
    partial_count: usize,
    partial_total: usize,
    /// Bytes that were taken from the input but belong to no complete header yet.
    held: [u8; MAX_HEADER],
    held_len: usize,
    body: Option<Body>,
    offset: u64,
}

/// What later headers of a chunk stream may leave out, and the message in progress.
#[derive(Debug)]
struct ChunkStream {
    id: u32,
    timestamp: u32,
    /// The timestamp field of the last header of type 0, 1 or 2, after extension.
    timestamp_field: u32,
    extended: bool,
    length: usize,
    message_type: u8,
    stream_id: u32,
    in_message: bool,
    partial: Vec<u8>,
}

/// The chunk whose payload is being read.
#[derive(Clone, Copy, Debug)]
struct Body {
    stream: usize,
    remaining: usize,
}

/// A chunk header with what it contains; absent fields are inherited.
struct Header {
    chunk_stream: u32,
    /// Index into the known chunk streams.
    known: Option<usize>,
    header_type: u8,
    timestamp_field: u32,
    extended: bool,
    length: usize,
    message_type: u8,
    stream_id: u32,
    size: usize,
}

impl Reader {
    /// A reader for a peer that has not sent Set Chunk Size.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            chunk_size: DEFAULT_CHUNK_SIZE,
            limits,
            streams: Vec::new(),
            partial_count: 0,
            partial_total: 0,
            held: [0; MAX_HEADER],
            held_len: 0,
            body: None,
            offset: 0,
        }
    }

    /// Changes the limits for what arrives from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Bytes consumed so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Counts bytes that came before the first chunk, so that offsets in errors count the whole connection.
    pub(crate) fn skip_offset(&mut self, bytes: u64) {
        self.offset += bytes;
    }

    /// The chunk size that the peer uses.
    #[must_use]
    pub fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// Consumes `input` up to the end of the next message. `None` means that all of it was consumed.
    ///
    /// # Errors
    ///
    /// Any violation of the chunk format or of a limit. The reader cannot continue after one.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Packet>, Error> {
        loop {
            let body = match self.body {
                Some(body) => body,
                None => match self.next_header(input)? {
                    Some(header) => self.begin(&header)?,
                    None => return Ok(None),
                },
            };
            let Some(packet) = self.read_body(body, input)? else {
                if self.body.is_some() {
                    return Ok(None);
                }
                continue;
            };
            match packet.message_type {
                kind::SET_CHUNK_SIZE => self.set_chunk_size(&packet.payload)?,
                kind::ABORT => self.abort(&packet.payload)?,
                _ => return Ok(Some(packet)),
            }
        }
    }

    /// Takes a header from the held bytes and the input, or holds all of the input.
    fn next_header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Error> {
        if self.held_len == 0 {
            if let Some(header) = self.parse_header(input)? {
                self.consume(input, header.size);
                return Ok(Some(header));
            }
            self.hold(input);
            return Ok(None);
        }
        let before = self.held_len;
        let fresh = *input;
        self.hold(input);
        let held = self.held;
        let Some(header) = self.parse_header(held.get(..self.held_len).unwrap_or_default())? else {
            return Ok(None);
        };
        // Give back what the header did not need. Only when the header ends inside the bytes of earlier calls (an
        // extended timestamp that turned out not to be repeated) do some stay held: they begin the payload.
        if header.size >= before {
            *input = fresh;
            self.offset -= (self.held_len - before) as u64;
            self.held_len = 0;
            self.consume(input, header.size - before);
        } else {
            *input = fresh;
            self.offset -= (self.held_len - before) as u64;
            self.held_len = before - header.size;
            self.held.copy_within(header.size..before, 0);
        }
        Ok(Some(header))
    }

    fn consume<'a>(&mut self, input: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, rest) = input.split_at_checked(count).unwrap_or((input, &[]));
        *input = rest;
        self.offset += taken.len() as u64;
        taken
    }

    /// Moves as much input as fits to the held bytes.
    fn hold(&mut self, input: &mut &[u8]) {
        let count = (MAX_HEADER - self.held_len).min(input.len());
        let taken = self.consume(input, count);
        let slots = self.held.iter_mut().skip(self.held_len);
        slots.zip(taken).for_each(|(slot, byte)| *slot = *byte);
        self.held_len += count;
    }

    /// `None`: more bytes are needed, of which the header never has more than [`MAX_HEADER`].
    fn parse_header(&self, input: &[u8]) -> Result<Option<Header>, Error> {
        let Some((chunk_stream, header_type, basic)) = parse_basic_header(input) else { return Ok(None) };
        let rest = input.get(basic..).unwrap_or_default();
        let known = self.streams.iter().position(|stream| stream.id == chunk_stream);
        let previous = known.and_then(|index| self.streams.get(index));
        // A first header of type 1 occurs in the field and lacks only the message stream id, which is then 0.
        if previous.is_none() && header_type >= 2 {
            let offset = self.offset - self.held_len as u64;
            return Err(Error::NoPreviousHeader { offset, chunk_stream, header_type });
        }
        let mut header = Header {
            chunk_stream,
            known,
            header_type,
            timestamp_field: previous.map_or(0, |p| p.timestamp_field),
            extended: previous.is_some_and(|p| p.extended),
            length: previous.map_or(0, |p| p.length),
            message_type: previous.map_or(0, |p| p.message_type),
            stream_id: previous.map_or(0, |p| p.stream_id),
            size: basic,
        };
        let complete = match header_type {
            3 => header.parse_repeated_timestamp(rest),
            _ => header.parse_fields(rest),
        };
        Ok(complete.map(|()| header))
    }

    /// Applies a header to its chunk stream and says how much payload follows.
    fn begin(&mut self, header: &Header) -> Result<Body, Error> {
        let index = self.stream_index(header)?;
        let (offset, limits, chunk_size) = (self.offset, self.limits, self.chunk_size);
        let Some(stream) = self.streams.get_mut(index) else { return Err(Error::Closed) };
        if stream.in_message {
            if header.header_type != 3 {
                return Err(Error::HeaderInsideMessage { offset, chunk_stream: header.chunk_stream });
            }
        } else {
            if header.length > limits.message {
                return Err(Error::MessageTooLong { offset, length: header.length, limit: limits.message });
            }
            stream.timestamp = match header.header_type {
                0 => header.timestamp_field,
                _ => stream.timestamp.wrapping_add(header.timestamp_field),
            };
            stream.timestamp_field = header.timestamp_field;
            stream.extended = header.extended;
            stream.length = header.length;
            stream.message_type = header.message_type;
            stream.stream_id = header.stream_id;
            stream.in_message = true;
            self.partial_count += 1;
        }
        let remaining = chunk_size.min(stream.length - stream.partial.len());
        let body = Body { stream: index, remaining };
        self.body = Some(body);
        Ok(body)
    }

    fn stream_index(&mut self, header: &Header) -> Result<usize, Error> {
        if let Some(index) = header.known {
            return Ok(index);
        }
        if self.streams.len() >= MAX_CHUNK_STREAMS {
            return Err(Error::TooManyChunkStreams { offset: self.offset });
        }
        self.streams.push(ChunkStream {
            id: header.chunk_stream,
            timestamp: 0,
            timestamp_field: 0,
            extended: false,
            length: 0,
            message_type: 0,
            stream_id: 0,
            in_message: false,
            partial: Vec::new(),
        });
        Ok(self.streams.len() - 1)
    }

    /// Reads payload of the current chunk. Returns the message when this completes it; otherwise `self.body` says
    /// whether the chunk has ended.
    fn read_body(&mut self, body: Body, input: &mut &[u8]) -> Result<Option<Packet>, Error> {
        let Some(stream) = self.streams.get_mut(body.stream) else { return Err(Error::Closed) };
        let whole = self.held_len == 0
            && stream.partial.is_empty()
            && body.remaining == stream.length
            && input.len() >= body.remaining;
        if whole {
            self.body = None;
            let payload = Bytes::copy_from_slice(self.consume(input, body.remaining));
            return Ok(self.finish(body.stream, payload));
        }
        let held_count = self.held_len.min(body.remaining);
        if held_count > 0 {
            let held = self.held;
            self.append(body.stream, held.get(..held_count).unwrap_or_default())?;
            self.held.copy_within(held_count..self.held_len, 0);
            self.held_len -= held_count;
        }
        let count = (body.remaining - held_count).min(input.len());
        let taken = self.consume(input, count);
        self.append(body.stream, taken)?;
        let remaining = body.remaining - held_count - count;
        self.body = (remaining > 0).then_some(Body { remaining, ..body });
        let Some(stream) = self.streams.get_mut(body.stream) else { return Err(Error::Closed) };
        if stream.partial.len() < stream.length {
            if self.body.is_none() && self.partial_count > MAX_PARTIAL_MESSAGES {
                return Err(Error::TooManyPartialMessages { offset: self.offset });
            }
            return Ok(None);
        }
        let partial = std::mem::take(&mut stream.partial);
        self.partial_total -= partial.capacity();
        Ok(self.finish(body.stream, Bytes::from(partial)))
    }

    fn append(&mut self, index: usize, bytes: &[u8]) -> Result<(), Error> {
        let Some(stream) = self.streams.get_mut(index) else { return Err(Error::Closed) };
        let partial = &mut stream.partial;
        let before = partial.capacity();
        if partial.len() + bytes.len() > before {
            let wanted =
                (before * 2).max(FIRST_ALLOCATION).max(partial.len() + bytes.len()).min(stream.length);
            if self.partial_total - before + wanted > self.limits.partial_total {
                let limit = self.limits.partial_total;
                return Err(Error::PartialMessageMemory { offset: self.offset, limit });
            }
            partial.reserve_exact(wanted - partial.len());
            self.partial_total = self.partial_total - before + partial.capacity();
        }
        partial.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, index: usize, payload: Bytes) -> Option<Packet> {
        let stream = self.streams.get_mut(index)?;
        stream.in_message = false;
        self.partial_count -= 1;
        Some(Packet {
            timestamp: stream.timestamp,
            stream_id: stream.stream_id,
            message_type: stream.message_type,
            payload,
        })
    }

    /// RTMP 1.0 section 5.4.1. A size above the longest message is the same as that length.
    fn set_chunk_size(&mut self, payload: &[u8]) -> Result<(), Error> {
        let size = self.control_value(kind::SET_CHUNK_SIZE, payload)?;
        if size == 0 || size > 0x7fff_ffff {
            return Err(Error::ChunkSize { offset: self.offset, size });
        }
        self.chunk_size = usize::try_from(size).unwrap_or(usize::MAX).min(MAX_MESSAGE_LENGTH);
        Ok(())
    }

    /// RTMP 1.0 section 5.4.2.
    fn abort(&mut self, payload: &[u8]) -> Result<(), Error> {
        let id = self.control_value(kind::ABORT, payload)?;
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id && stream.in_message) {
            self.partial_total -= stream.partial.capacity();
            stream.partial = Vec::new();
            stream.in_message = false;
            self.partial_count -= 1;
        }
        Ok(())
    }

    fn control_value(&self, message_type: u8, payload: &[u8]) -> Result<u32, Error> {
        let bytes = payload.first_chunk().ok_or(Error::ShortControl { offset: self.offset, message_type })?;
        Ok(u32::from_be_bytes(*bytes))
    }
}

impl Header {
    /// The fields of header types 0 to 2 (RTMP 1.0 sections 5.3.1.2.1 to 5.3.1.2.3); `None` if they are incomplete.
    fn parse_fields(&mut self, bytes: &[u8]) -> Option<()> {
        let (field, mut rest) = bytes.split_first_chunk::<3>()?;
        self.timestamp_field = u24(field);
        self.size += 3;
        if self.header_type <= 1 {
            let (length, after) = rest.split_first_chunk::<3>()?;
            let (message_type, after) = after.split_first()?;
            self.length = usize::try_from(u24(length)).unwrap_or(usize::MAX);
            self.message_type = *message_type;
            self.size += 4;
            rest = after;
        }
        if self.header_type == 0 {
            let (stream_id, after) = rest.split_first_chunk::<4>()?;
            // The one little-endian field of the protocol.
            self.stream_id = u32::from_le_bytes(*stream_id);
            self.size += 4;
            rest = after;
        }
        self.extended = self.timestamp_field == EXTENDED;
        if self.extended {
            self.timestamp_field = u32::from_be_bytes(*rest.first_chunk()?);
            self.size += 4;
        }
        Some(())
    }

    /// RTMP 1.0 section 5.3.1.3 repeats an extended timestamp in chunks of type 3; old encoders do not. The value tells
    /// them apart: payload starts with the same four bytes once in 2^32 chunks. `None` if more bytes must be seen.
    fn parse_repeated_timestamp(&mut self, bytes: &[u8]) -> Option<()> {
        if !self.extended {
            return Some(());
        }
        let expected = self.timestamp_field.to_be_bytes();
        if bytes.iter().zip(expected).any(|(byte, expected)| *byte != expected) {
            return Some(());
        }
        bytes.first_chunk::<4>()?;
        self.size += 4;
        Some(())
    }
}

/// Chunk stream id, header type and size of the basic header (RTMP 1.0 section 5.3.1.1).
fn parse_basic_header(input: &[u8]) -> Option<(u32, u8, usize)> {
    let (first, rest) = input.split_first()?;
    let header_type = first >> 6;
    match first & 0x3f {
        0 => rest.first().map(|byte| (64 + u32::from(*byte), header_type, 2)),
        1 => {
            let bytes = rest.first_chunk::<2>()?;
            Some((64 + u32::from(u16::from_le_bytes(*bytes)), header_type, 3))
        }
        id => Some((u32::from(id), header_type, 1)),
    }
}

fn u24(bytes: &[u8; 3]) -> u32 {
    let [high, middle, low] = *bytes;
    u32::from_be_bytes([0, high, middle, low])
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
