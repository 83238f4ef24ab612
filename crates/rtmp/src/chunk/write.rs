use bytes::{BufMut, Bytes, BytesMut};

use super::{DEFAULT_CHUNK_SIZE, EXTENDED, MAX_MESSAGE_LENGTH, Packet, id};
use crate::Error;
use crate::message::kind;

/// Cuts messages into chunks, leaving out header fields that repeat (RTMP 1.0 section 5.3.1.2).
///
/// Meant for control messages and commands; media goes through [`media_message`] on its own chunk streams, so that both
/// can be mixed as long as each message stays in one piece.
#[derive(Debug)]
pub struct Writer {
    chunk_size: usize,
    streams: Vec<Previous>,
}

#[derive(Clone, Copy, Debug)]
struct Previous {
    chunk_stream: u8,
    timestamp: u32,
    timestamp_field: u32,
    length: usize,
    message_type: u8,
    stream_id: u32,
}

impl Default for Writer {
    fn default() -> Self {
        Self { chunk_size: DEFAULT_CHUNK_SIZE, streams: Vec::new() }
    }
}

impl Writer {
    /// Uses another chunk size from the next message on. The peer must have been told by Set Chunk Size before.
    pub fn set_chunk_size(&mut self, chunk_size: usize) {
        self.chunk_size = chunk_size.max(1);
    }

    /// The chunk size in use.
    #[must_use]
    pub fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// Appends a message to `out`. `chunk_stream` is 2 to 63; larger values count as 63.
    ///
    /// # Errors
    ///
    /// [`Error::MessageTooLong`] when the payload exceeds [`MAX_MESSAGE_LENGTH`]; nothing is written then.
    pub fn write(&mut self, chunk_stream: u8, packet: &Packet, out: &mut BytesMut) -> Result<(), Error> {
        let length = packet.payload.len();
        check_length(length)?;
        let chunk_stream = chunk_stream.clamp(2, 63);
        let position = self.streams.iter().position(|previous| previous.chunk_stream == chunk_stream);
        let previous = position.and_then(|index| self.streams.get(index)).copied();
        let (header_type, field) = choose_header(previous.as_ref(), packet);
        out.reserve(length + 12 + (length / self.chunk_size) + 4);
        put_header(out, header_type, chunk_stream, field, packet);
        let mut rest: &[u8] = &packet.payload;
        loop {
            let (piece, after) = rest.split_at_checked(self.chunk_size).unwrap_or((rest, &[]));
            out.put_slice(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
            out.put_u8(3 << 6 | chunk_stream);
            put_extended(out, field);
        }
        let entry = Previous {
            chunk_stream,
            timestamp: packet.timestamp,
            timestamp_field: field,
            length,
            message_type: packet.message_type,
            stream_id: packet.stream_id,
        };
        match position.and_then(|index| self.streams.get_mut(index)) {
            Some(slot) => *slot = entry,
            None => self.streams.push(entry),
        }
        Ok(())
    }
}

/// The shortest header type that says everything, and its timestamp field.
fn choose_header(previous: Option<&Previous>, packet: &Packet) -> (u8, u32) {
    let Some(previous) = previous else { return (0, packet.timestamp) };
    let same_stream = previous.stream_id == packet.stream_id;
    if !same_stream || packet.timestamp < previous.timestamp {
        return (0, packet.timestamp);
    }
    let delta = packet.timestamp - previous.timestamp;
    if previous.length != packet.payload.len() || previous.message_type != packet.message_type {
        (1, delta)
    } else if previous.timestamp_field != delta {
        (2, delta)
    } else {
        (3, delta)
    }
}

fn put_header(out: &mut BytesMut, header_type: u8, chunk_stream: u8, field: u32, packet: &Packet) {
    out.put_u8(header_type << 6 | chunk_stream);
    if header_type <= 2 {
        out.put_uint(u64::from(field.min(EXTENDED)), 3);
    }
    if header_type <= 1 {
        out.put_uint(packet.payload.len() as u64, 3);
        out.put_u8(packet.message_type);
    }
    if header_type == 0 {
        out.put_u32_le(packet.stream_id);
    }
    put_extended(out, field);
}

fn put_extended(out: &mut BytesMut, field: u32) {
    if field >= EXTENDED {
        out.put_u32(field);
    }
}

fn check_length(length: usize) -> Result<(), Error> {
    if length > MAX_MESSAGE_LENGTH {
        return Err(Error::MessageTooLong { offset: 0, length, limit: MAX_MESSAGE_LENGTH });
    }
    Ok(())
}

/// What a media message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// An FLV audio tag body.
    Audio,
    /// An FLV video tag body.
    Video,
    /// An AMF0 data message, for example metadata.
    Data,
}

/// Header of a media message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaHeader {
    /// What the payload is.
    pub kind: MediaKind,
    /// Milliseconds, absolute, as on the wire.
    pub timestamp: u32,
    /// Message stream id of the play or publish.
    pub stream_id: u32,
}

/// Serialises one whole media message, independent of any earlier one, in a single allocation: a header of type 0, then
/// continuations of type 3. The same bytes serve every player with that chunk size and message stream id. The payload
/// is the concatenation of `parts`, so that a tag header and NAL units need not be joined first.
///
/// # Errors
///
/// [`Error::MessageTooLong`] when the payload exceeds [`MAX_MESSAGE_LENGTH`].
pub fn media_message(header: MediaHeader, parts: &[&[u8]], chunk_size: usize) -> Result<Bytes, Error> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    check_length(length)?;
    let chunk_size = chunk_size.max(1);
    let (chunk_stream, message_type) = match header.kind {
        MediaKind::Audio => (id::AUDIO, kind::AUDIO),
        MediaKind::Video => (id::VIDEO, kind::VIDEO),
        MediaKind::Data => (id::DATA, kind::DATA_AMF0),
    };
    let extended = if header.timestamp >= EXTENDED { 4 } else { 0 };
    let continuations = length.saturating_sub(1) / chunk_size;
    let mut out = Vec::with_capacity(12 + extended + length + continuations * (1 + extended));
    let [_, t0, t1, t2] = header.timestamp.min(EXTENDED).to_be_bytes();
    let [.., l0, l1, l2] = length.to_be_bytes();
    let [s0, s1, s2, s3] = header.stream_id.to_le_bytes();
    out.extend_from_slice(&[chunk_stream, t0, t1, t2, l0, l1, l2, message_type, s0, s1, s2, s3]);
    if extended > 0 {
        out.put_u32(header.timestamp);
    }
    let mut room = chunk_size;
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            if room == 0 {
                out.push(3 << 6 | chunk_stream);
                if extended > 0 {
                    out.put_u32(header.timestamp);
                }
                room = chunk_size;
            }
            let (piece, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            out.extend_from_slice(piece);
            room -= piece.len();
            rest = after;
        }
    }
    Ok(Bytes::from(out))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Limits, Reader};
    use super::*;

    fn packet(timestamp: u32, message_type: u8, payload: &[u8]) -> Packet {
        Packet { timestamp, stream_id: 1, message_type, payload: Bytes::copy_from_slice(payload) }
    }

    #[test]
    fn headers_shrink_as_the_specification_shows() {
        // RTMP 1.0 section 5.3.2.1: four audio messages of 32 bytes, 20 ms apart.
        let mut writer = Writer::default();
        let mut sizes = Vec::new();
        for timestamp in [1000, 1020, 1040, 1060] {
            let mut out = BytesMut::new();
            writer.write(3, &packet(timestamp, 8, &[7; 32]), &mut out).unwrap();
            sizes.push(out.len());
        }
        assert_eq!(sizes, [44, 36, 33, 33]);
    }

    #[test]
    fn a_long_message_is_cut_as_the_specification_shows() {
        // RTMP 1.0 section 5.3.2.2: 307 bytes in chunks of 128.
        let mut out = BytesMut::new();
        Writer::default().write(4, &packet(1000, 9, &[7; 307]), &mut out).unwrap();
        assert_eq!(out.len(), 140 + 129 + 52);
        assert_eq!(out[..12], [4, 0, 3, 0xe8, 0, 1, 0x33, 9, 1, 0, 0, 0]);
        assert_eq!((out[140], out[269]), (0xc4, 0xc4));
    }

    #[test]
    fn a_media_message_has_exactly_the_capacity_it_needs() {
        for (length, timestamp) in [(0, 5), (4096, 5), (4097, 5), (10_000, 0x0100_0000)] {
            let payload = vec![1; length];
            let header = MediaHeader { kind: MediaKind::Video, timestamp, stream_id: 1 };
            let bytes = media_message(header, &[&payload], 4096).unwrap();
            let vector: Vec<u8> = bytes.into();
            assert_eq!(vector.len(), vector.capacity());
        }
    }

    #[test]
    fn an_extended_timestamp_is_repeated_in_every_chunk() {
        let header = MediaHeader { kind: MediaKind::Audio, timestamp: 0x0123_4567, stream_id: 1 };
        let bytes = media_message(header, &[&[9, 9], &[9]], 2).unwrap();
        let expected = [
            &[4, 0xff, 0xff, 0xff, 0, 0, 3, 8, 1, 0, 0, 0, 1, 0x23, 0x45, 0x67, 9, 9][..],
            &[0xc4, 1, 0x23, 0x45, 0x67, 9],
        ];
        assert_eq!(bytes[..], expected.concat());
    }

    #[test]
    fn what_does_not_fit_24_bits_of_length_is_refused() {
        let payload = vec![0; MAX_MESSAGE_LENGTH + 1];
        let header = MediaHeader { kind: MediaKind::Video, timestamp: 0, stream_id: 1 };
        assert!(matches!(media_message(header, &[&payload], 128), Err(Error::MessageTooLong { .. })));
        let mut out = BytesMut::new();
        assert!(Writer::default().write(3, &packet(0, 9, &payload), &mut out).is_err());
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn the_reader_reads_back_what_the_writers_wrote(
            messages in prop::collection::vec(
                (2u8..64, prop_oneof![0u32..2000, 0xff_fff0..0x100_0100u32, any::<u32>()], 0usize..700, any::<bool>()),
                1..20,
            ),
            chunk_size in 1usize..500,
            split in 1usize..40,
        ) {
            let mut writer = Writer::default();
            let mut wire = BytesMut::new();
            let control = packet(0, kind::SET_CHUNK_SIZE, &u32::try_from(chunk_size).unwrap().to_be_bytes());
            writer.write(2, &control, &mut wire).unwrap();
            writer.set_chunk_size(chunk_size);
            let mut sent = Vec::new();
            for (chunk_stream, timestamp, length, media) in messages {
                let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
                let message = packet(timestamp, kind::VIDEO, &payload);
                if media {
                    let header = MediaHeader { kind: MediaKind::Video, timestamp, stream_id: 1 };
                    let (head, tail) = payload.split_at(length / 3);
                    wire.extend_from_slice(&media_message(header, &[head, tail], chunk_size).unwrap());
                } else {
                    let chunk_stream = if chunk_stream == id::VIDEO { 7 } else { chunk_stream };
                    writer.write(chunk_stream, &message, &mut wire).unwrap();
                }
                sent.push(message);
            }
            let mut reader = Reader::new(Limits { message: 1000, partial_total: 4000 });
            let mut received = Vec::new();
            for mut piece in wire.chunks(split) {
                while let Some(message) = reader.read(&mut piece).unwrap() {
                    received.push(message);
                }
            }
            prop_assert_eq!(received, sent);
            prop_assert_eq!(reader.offset(), wire.len() as u64);
        }
    }
}
