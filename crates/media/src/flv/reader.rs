//! FLV files, read as their bytes arrive.

use bytes::{Buf, BytesMut};

use super::tag::{TAG_HEADER_BYTES, Tag, TagKind};
use crate::error::Error;

/// The longest tag body: as long as the longest RTMP message the server takes.
pub const MAX_TAG_BYTES: usize = 10 << 20;

/// The most bytes that wait to be read: the longest tag and one large read behind it.
pub const MAX_BUFFERED_BYTES: usize = MAX_TAG_BYTES + (1 << 20);

/// The longest file header. Version 1 has 9 bytes.
const MAX_HEADER_BYTES: u32 = 1024;

/// Reads an FLV file piece by piece.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
    state: State,
    /// How many bytes of the file were taken out of `buffer`.
    consumed: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Header,
    Tags,
}

impl Reader {
    /// Adds the next bytes of the file.
    ///
    /// # Errors
    ///
    /// If more than [`MAX_BUFFERED_BYTES`] would wait; then nothing is added. [`next_tag`](Self::next_tag) makes room.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.buffer.len() + bytes.len() > MAX_BUFFERED_BYTES {
            return Err(Error::TooLarge { what: "buffered FLV bytes", limit: MAX_BUFFERED_BYTES });
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next tag, if all of it has arrived. Tags of unknown kinds are passed over.
    ///
    /// # Errors
    ///
    /// If the file has another signature or version, or a tag is encrypted or longer than [`MAX_TAG_BYTES`]. Nothing
    /// can be read after that.
    pub fn next_tag(&mut self) -> Result<Option<Tag>, Error> {
        if matches!(self.state, State::Header) {
            let Some(length) = self.header()? else { return Ok(None) };
            self.advance(length);
            self.state = State::Tags;
        }
        // Every turn takes at least the fifteen bytes around a body.
        loop {
            let Some(&header) = self.buffer.first_chunk::<TAG_HEADER_BYTES>() else { return Ok(None) };
            let [kind, l2, l1, l0, t2, t1, t0, extended, ..] = header;
            let length = usize::from(l2) << 16 | usize::from(l1) << 8 | usize::from(l0);
            if length > MAX_TAG_BYTES {
                return Err(Error::TooLarge { what: "FLV tag bytes", limit: MAX_TAG_BYTES });
            }
            if kind & 0x20 != 0 {
                return Err(Error::Invalid {
                    what: "encrypted FLV tag",
                    value: kind.into(),
                    offset: self.consumed,
                });
            }
            if self.buffer.len() < TAG_HEADER_BYTES + length + 4 {
                return Ok(None);
            }
            self.advance(TAG_HEADER_BYTES);
            let body = self.buffer.split_to(length).freeze();
            self.consumed += length;
            self.advance(4);
            if let Some(kind) = TagKind::from_wire(kind & 0x1f) {
                return Ok(Some(Tag { kind, timestamp: u32::from_be_bytes([extended, t2, t1, t0]), body }));
            }
        }
    }

    /// The length of the file header and the tag size behind it, once all of it is there.
    fn header(&self) -> Result<Option<usize>, Error> {
        for (offset, (&byte, &expected)) in self.buffer.iter().zip(b"FLV\x01").enumerate() {
            if byte != expected {
                return Err(Error::Invalid { what: "FLV signature", value: byte.into(), offset });
            }
        }
        let Some(&[_, _, _, _, _, a, b, c, d]) = self.buffer.first_chunk::<9>() else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]);
        if !(9..=MAX_HEADER_BYTES).contains(&length) {
            return Err(Error::Invalid { what: "length of the FLV header", value: length.into(), offset: 5 });
        }
        let whole = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(4);
        Ok((self.buffer.len() >= whole).then_some(whole))
    }

    fn advance(&mut self, bytes: usize) {
        self.buffer.advance(bytes.min(self.buffer.len()));
        self.consumed += bytes;
    }
}
