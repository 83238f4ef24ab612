//! Makes inputs out of inputs.

use crate::rng::Rng;

/// Numbers at which parsers change their minds.
const NUMBERS: [u64; 24] = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    32,
    63,
    64,
    127,
    128,
    255,
    256,
    1023,
    1024,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
];

/// Numbers that texts find hard.
const DECIMALS: [&[u8]; 9] =
    [b"0", b"1", b"-1", b"127", b"128", b"65535", b"65536", b"4294967296", b"99999999999999999999"];

/// The most changes to one input; their number is a power of two, small ones more often.
const MAX_CHANGES: u32 = 5;

/// Changes inputs at random.
pub(crate) struct Mutator<'a> {
    pub(crate) rng: Rng,
    /// Words that the format knows.
    pub(crate) dictionary: &'a [&'a [u8]],
    /// The longest input, in bytes.
    pub(crate) max_len: usize,
}

impl Mutator<'_> {
    /// A changed `base`, with pieces of `other` perhaps.
    pub(crate) fn mutate(&mut self, base: &[u8], other: &[u8]) -> Vec<u8> {
        let mut data = base.to_vec();
        if self.rng.one_in(10) {
            let (head, tail) = (self.rng.below(data.len() + 1), self.rng.below(other.len() + 1));
            data.truncate(head);
            data.extend_from_slice(other.get(tail..).unwrap_or_default());
        }
        let changes = 1 << self.rng.below(MAX_CHANGES as usize);
        for _ in 0..changes {
            self.change(&mut data, other);
        }
        data.truncate(self.max_len);
        data
    }

    fn change(&mut self, data: &mut Vec<u8>, other: &[u8]) {
        match self.rng.below(18) {
            0 | 1 => self.flip_bit(data),
            2 => self.set_byte(data),
            3 | 4 => self.set_number(data),
            5 => self.add_to_number(data),
            6 => self.set_length(data),
            7 => self.delete(data),
            8 => self.copy_within(data),
            9 => self.take_from(other, data),
            10 => self.fill(data),
            11 | 12 => self.use_word(data),
            13 => self.repeat(data),
            14 => self.set_decimal(data),
            15 | 16 => self.change_line(data, other),
            _ if self.rng.one_in(4) => data.truncate(self.rng.below(data.len() + 1)),
            _ => self.insert_bytes(data),
        }
    }

    /// A range inside `length`: mostly short.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let longest = if self.rng.one_in(4) { length } else { length.min(32) };
        let count = self.rng.below(longest) + 1;
        let start = self.rng.below((length + 1).saturating_sub(count));
        start..(start + count).min(length)
    }

    fn flip_bit(&mut self, data: &mut [u8]) {
        let (at, bit) = (self.rng.below(data.len()), self.rng.below(8));
        if let Some(byte) = data.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn set_byte(&mut self, data: &mut [u8]) {
        let at = self.rng.below(data.len());
        let value = self.rng.byte();
        if let Some(byte) = data.get_mut(at) {
            *byte = value;
        }
    }

    /// Overwrites one to four bytes at a random place, or eight.
    fn put_number(&mut self, data: &mut [u8], value: u64) {
        let width = self.rng.pick(&[1, 1, 2, 2, 3, 4, 4, 8]).copied().unwrap_or(1);
        let at = self.rng.below(data.len());
        let little = self.rng.one_in(4);
        let big_endian = value.to_be_bytes();
        let mut bytes: Vec<u8> = big_endian.iter().skip(8 - width).copied().collect();
        if little {
            bytes.reverse();
        }
        data.iter_mut().skip(at).zip(bytes).for_each(|(slot, byte)| *slot = byte);
    }

    fn set_number(&mut self, data: &mut [u8]) {
        let value = self.rng.pick(&NUMBERS).copied().unwrap_or_default();
        self.put_number(data, value);
    }

    fn add_to_number(&mut self, data: &mut [u8]) {
        let width = self.rng.pick(&[1, 2, 4]).copied().unwrap_or(1);
        let at = self.rng.below(data.len());
        let delta = u64::try_from(self.rng.below(32) + 1).unwrap_or(1);
        let slots = || at..(at + width).min(data.len());
        let old =
            data.get(slots()).unwrap_or_default().iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        let new = if self.rng.one_in(2) { old.wrapping_add(delta) } else { old.wrapping_sub(delta) };
        let count = slots().len();
        let bytes = new.to_be_bytes();
        data.iter_mut().skip(at).zip(bytes.iter().skip(8 - count)).for_each(|(slot, &byte)| *slot = byte);
    }

    /// Writes what could be the length of what follows, or nearly.
    fn set_length(&mut self, data: &mut [u8]) {
        let at = self.rng.below(data.len());
        let left = data.len().saturating_sub(at);
        let value = left.saturating_sub(self.rng.below(16)).wrapping_add(self.rng.below(4));
        let width = self.rng.pick(&[1, 2, 2, 3, 4]).copied().unwrap_or(2);
        let bytes = u64::try_from(value).unwrap_or_default().to_be_bytes();
        data.iter_mut().skip(at).zip(bytes.iter().skip(8 - width)).for_each(|(slot, &byte)| *slot = byte);
    }

    fn delete(&mut self, data: &mut Vec<u8>) {
        let range = self.range(data.len());
        data.drain(range);
    }

    fn insert(&mut self, data: &mut Vec<u8>, bytes: &[u8]) {
        if data.len() + bytes.len() <= self.max_len {
            let at = self.rng.below(data.len() + 1);
            data.splice(at..at, bytes.iter().copied());
        }
    }

    fn overwrite(&mut self, data: &mut [u8], bytes: &[u8]) {
        let at = self.rng.below(data.len());
        data.iter_mut().skip(at).zip(bytes).for_each(|(slot, &byte)| *slot = byte);
    }

    fn copy_within(&mut self, data: &mut Vec<u8>) {
        let range = self.range(data.len());
        let block = data.get(range).unwrap_or_default().to_vec();
        self.place(data, &block);
    }

    fn take_from(&mut self, other: &[u8], data: &mut Vec<u8>) {
        let range = self.range(other.len());
        self.place(data, other.get(range).unwrap_or_default());
    }

    fn place(&mut self, data: &mut Vec<u8>, block: &[u8]) {
        if self.rng.one_in(2) {
            self.insert(data, block);
        } else {
            self.overwrite(data, block);
        }
    }

    fn fill(&mut self, data: &mut [u8]) {
        let range = self.range(data.len());
        let value = self.rng.pick(&[0, 0xff, 0x80, b'a']).copied().unwrap_or_default();
        data.get_mut(range).unwrap_or_default().fill(value);
    }

    fn use_word(&mut self, data: &mut Vec<u8>) {
        let word = self.rng.pick(self.dictionary).copied().unwrap_or_default();
        self.place(data, word);
    }

    fn insert_bytes(&mut self, data: &mut Vec<u8>) {
        let count = self.rng.below(16) + 1;
        let bytes: Vec<u8> = (0..count).map(|_| self.rng.byte()).collect();
        self.insert(data, &bytes);
    }

    /// Many of the same: what limits are for.
    fn repeat(&mut self, data: &mut Vec<u8>) {
        let range = self.range(data.len());
        let times = self.rng.pick(&[2, 4, 20, 130, 600]).copied().unwrap_or(2);
        let block = data.get(range.clone()).unwrap_or_default().repeat(times);
        if data.len() + block.len() <= self.max_len {
            data.splice(range.end..range.end, block);
        }
    }

    /// Replaces a number in decimal digits.
    fn set_decimal(&mut self, data: &mut Vec<u8>) {
        let from = self.rng.below(data.len());
        let Some(found) = data.iter().skip(from).position(u8::is_ascii_digit) else { return };
        let start = from + found;
        let length = data.iter().skip(start).take_while(|byte| byte.is_ascii_digit()).count();
        let number = self.rng.pick(&DECIMALS).copied().unwrap_or_default();
        data.splice(start..start + length, number.iter().copied());
    }

    /// Deletes, doubles, moves or brings in a line, for formats that have lines.
    fn change_line(&mut self, data: &mut Vec<u8>, other: &[u8]) {
        let line = self.line(data);
        if line.is_empty() {
            return;
        }
        let theirs = self.line(other);
        let copy = data.get(line.clone()).unwrap_or_default().to_vec();
        match self.rng.below(4) {
            0 => drop(data.drain(line)),
            1 => drop(data.splice(line.start..line.start, copy)),
            2 => {
                data.drain(line);
                let at = self.line(data).start;
                data.splice(at..at, copy);
            }
            _ => drop(
                data.splice(line.start..line.start, other.get(theirs).unwrap_or_default().iter().copied()),
            ),
        }
    }

    /// The range of a random line with its end; empty where there is none.
    fn line(&mut self, data: &[u8]) -> std::ops::Range<usize> {
        let at = self.rng.below(data.len());
        let is_end = |byte: &u8| *byte == b'\n';
        let Some(length) = data.iter().skip(at).position(is_end) else { return 0..0 };
        let start = data.iter().take(at).rposition(is_end).map_or(0, |end| end + 1);
        start..at + length + 1
    }
}
