//! A reader and a writer of bit fields, most significant bit first.

use crate::error::Error;

/// Reads bit fields of one structure; every error names the structure and the byte.
#[derive(Clone, Debug)]
pub(crate) struct BitReader<'a> {
    what: &'static str,
    data: &'a [u8],
    /// The next bit, counted from the start of `data`.
    position: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) const fn new(what: &'static str, data: &'a [u8]) -> Self {
        Self { what, data, position: 0 }
    }

    /// The byte that holds the next bit.
    pub(crate) const fn byte_offset(&self) -> usize {
        self.position / 8
    }

    pub(crate) const fn remaining(&self) -> usize {
        (self.data.len() * 8).saturating_sub(self.position)
    }

    pub(crate) fn bit(&mut self) -> Result<bool, Error> {
        Ok(self.bits(1)? == 1)
    }

    /// The next `count` bits, at most 32.
    pub(crate) fn bits(&mut self, count: u32) -> Result<u32, Error> {
        debug_assert!(count <= 32, "a field of this reader has at most 32 bits");
        let mut value = 0_u64;
        for _ in 0..count {
            let Some(byte) = self.data.get(self.position / 8) else {
                return Err(Error::Truncated { what: self.what, offset: self.data.len() });
            };
            value = value << 1 | u64::from(byte >> (7 - self.position % 8) & 1);
            self.position += 1;
        }
        Ok(u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// Like [`bits`](Self::bits) for fields of at most 8 bits.
    pub(crate) fn small(&mut self, count: u32) -> Result<u8, Error> {
        Ok(u8::try_from(self.bits(count.min(8))?).unwrap_or(u8::MAX))
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<(), Error> {
        if count > self.remaining() {
            return Err(Error::Truncated { what: self.what, offset: self.data.len() });
        }
        self.position += count;
        Ok(())
    }

    pub(crate) fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    /// An unsigned Exp-Golomb code (ITU-T H.264 section 9.1), at most 2^32 - 2.
    pub(crate) fn exp_golomb(&mut self) -> Result<u32, Error> {
        let start = self.byte_offset();
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros == 32 {
                return Err(Error::Invalid { what: self.what, value: 32, offset: start });
            }
        }
        // With at most 31 leading zeros the sum stays below 2^32 - 1.
        Ok((1_u32 << zeros) - 1 + self.bits(zeros)?)
    }
}

/// Writes bit fields.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    data: Vec<u8>,
    /// Bits of the last byte that are still free.
    free: u32,
}

impl BitWriter {
    pub(crate) fn bit(&mut self, bit: bool) {
        if self.free == 0 {
            self.data.push(0);
            self.free = 8;
        }
        self.free -= 1;
        if let Some(last) = self.data.last_mut() {
            *last |= u8::from(bit) << self.free;
        }
    }

    /// The lowest `count` bits of `value`, at most 32.
    pub(crate) fn bits(&mut self, value: u32, count: u32) {
        for place in (0..count.min(32)).rev() {
            self.bit(value >> place & 1 == 1);
        }
    }

    /// An unsigned Exp-Golomb code (ITU-T H.264 section 9.1) of a value below 2^32 - 1.
    pub(crate) fn exp_golomb(&mut self, value: u32) {
        let code = value.saturating_add(1);
        let zeros = code.ilog2();
        self.bits(0, zeros);
        self.bits(code, zeros + 1);
    }

    /// A signed Exp-Golomb code (ITU-T H.264 section 9.1.1).
    pub(crate) fn signed_exp_golomb(&mut self, value: i32) {
        let twice = value.unsigned_abs().saturating_mul(2);
        self.exp_golomb(if value > 0 { twice - 1 } else { twice });
    }

    /// What was written, with zeros to the end of the last byte.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes_follow_table_9_2() {
        // 1, 010, 011, 00100, 00101 and the four bits 0111.
        let mut bits = BitReader::new("test", &[0b1010_0110, 0b0100_0010, 0b1011_1000]);
        for expected in 0..5 {
            assert_eq!(bits.exp_golomb().unwrap(), expected);
        }
        assert_eq!(bits.bits(4).unwrap(), 0b0111);
    }

    #[test]
    fn the_largest_exp_golomb_code_fits_and_a_longer_one_is_refused() {
        let mut data = [0xff; 8];
        data[..4].copy_from_slice(&[0, 0, 0, 1]);
        assert_eq!(BitReader::new("test", &data).exp_golomb().unwrap(), u32::MAX - 1);
        assert!(matches!(BitReader::new("test", &[0; 9]).exp_golomb(), Err(Error::Invalid { .. })));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut writer = BitWriter::default();
        writer.bits(0b101, 3);
        [0, 1, 2, 7, 8, 255, 1_000_000].into_iter().for_each(|value| writer.exp_golomb(value));
        [0, 1, -1, 2, -2, 25].into_iter().for_each(|value| writer.signed_exp_golomb(value));
        writer.bit(true);
        let data = writer.finish();
        let mut bits = BitReader::new("test", &data);
        assert_eq!(bits.bits(3).unwrap(), 0b101);
        for expected in [0, 1, 2, 7, 8, 255, 1_000_000, 0, 1, 2, 3, 4, 49] {
            assert_eq!(bits.exp_golomb().unwrap(), expected);
        }
        assert!(bits.bit().unwrap() && bits.remaining() < 8);
    }

    #[test]
    fn reading_past_the_end_names_the_structure() {
        let mut bits = BitReader::new("test", &[0xff]);
        assert_eq!(bits.bits(8).unwrap(), 255);
        assert_eq!(bits.bit(), Err(Error::Truncated { what: "test", offset: 1 }));
        assert_eq!(bits.skip(1), Err(Error::Truncated { what: "test", offset: 1 }));
    }
}
