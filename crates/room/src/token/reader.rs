//! Reading and writing the fields of binary tokens: integers of both byte orders, and blocks with their length before
//! them. No field is read beyond the end, and nothing is copied.

use crate::Error;

/// What is left of a token. Everything that is not there is [`Error::MalformedToken`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Error::MalformedToken)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Error::MalformedToken)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u16_le(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32_le(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i64_be(&mut self) -> Result<i64, Error> {
        self.array().map(i64::from_be_bytes)
    }

    /// A length of two bytes, and as many bytes.
    pub(super) fn block_le(&mut self) -> Result<&'a [u8], Error> {
        let length = self.u16_le()?;
        self.take(length.into())
    }

    /// As [`Reader::block_le`], with the length in network order.
    pub(super) fn block_be(&mut self) -> Result<&'a [u8], Error> {
        let length = self.array().map(u16::from_be_bytes)?;
        self.take(length.into())
    }

    /// A block of UTF-8.
    pub(super) fn text_le(&mut self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.block_le()?).map_err(|_| Error::MalformedToken)
    }

    /// All that is left.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The end, with nothing behind it.
    pub(super) const fn finish(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::MalformedToken) }
    }
}

/// The fields of a token in the making.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn u16_le(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn u32_le(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_le_bytes())
    }

    pub(super) fn i64_be(&mut self, value: i64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// A length of two bytes, and the bytes: [`Error::Signing`] if two bytes are too few.
    pub(super) fn block_le(&mut self, bytes: &[u8]) -> Result<&mut Self, Error> {
        Ok(self.u16_le(length(bytes)?).bytes(bytes))
    }

    /// As [`Writer::block_le`], with the length in network order.
    pub(super) fn block_be(&mut self, bytes: &[u8]) -> Result<&mut Self, Error> {
        Ok(self.bytes(&length(bytes)?.to_be_bytes()).bytes(bytes))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

fn length(bytes: &[u8]) -> Result<u16, Error> {
    u16::try_from(bytes.len()).map_err(|_| Error::Signing)
}
