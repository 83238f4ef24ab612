//! NAL units (ITU-T H.264 sections 7.3.1 and 7.4.1): the header, and the bytes behind it.

use bytes::{BufMut, Bytes, BytesMut};

/// The `nal_unit_type` of a NAL unit (ITU-T H.264 table 7-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NalType(pub u8);

impl NalType {
    /// A slice of a picture that is not an IDR picture.
    pub const SLICE: Self = Self(1);
    /// Partition A of a slice in partitions.
    pub const PARTITION_A: Self = Self(2);
    /// A slice of an IDR picture.
    pub const IDR: Self = Self(5);
    /// Supplemental enhancement information.
    pub const SEI: Self = Self(6);
    /// A sequence parameter set.
    pub const SPS: Self = Self(7);
    /// A picture parameter set.
    pub const PPS: Self = Self(8);
    /// An access unit delimiter.
    pub const AUD: Self = Self(9);

    /// The type in the first byte of a NAL unit.
    #[must_use]
    pub const fn of_header(header: u8) -> Self {
        Self(header & 0x1f)
    }

    /// The type of a whole NAL unit; `None` for an empty one.
    #[must_use]
    pub fn of(nal: &[u8]) -> Option<Self> {
        nal.first().map(|&header| Self::of_header(header))
    }

    /// Whether this is part of a coded picture (a video coding layer NAL unit).
    #[must_use]
    pub const fn is_vcl(self) -> bool {
        matches!(self.0, 1..=5)
    }

    /// Whether this is a slice of an IDR picture.
    #[must_use]
    pub const fn is_idr(self) -> bool {
        self.0 == Self::IDR.0
    }

    /// Whether this is supplemental enhancement information.
    #[must_use]
    pub const fn is_sei(self) -> bool {
        self.0 == Self::SEI.0
    }

    /// Whether this is a sequence parameter set.
    #[must_use]
    pub const fn is_sps(self) -> bool {
        self.0 == Self::SPS.0
    }

    /// Whether this is a picture parameter set.
    #[must_use]
    pub const fn is_pps(self) -> bool {
        self.0 == Self::PPS.0
    }

    /// Whether this is an access unit delimiter.
    #[must_use]
    pub const fn is_aud(self) -> bool {
        self.0 == Self::AUD.0
    }
}

/// The `nal_ref_idc` in the first byte of a NAL unit: zero where no other picture refers to this one.
#[must_use]
pub const fn ref_idc(header: u8) -> u8 {
    header >> 5 & 3
}

/// The first bytes of a NAL unit after its header, without emulation prevention (ITU-T H.264 section 7.4.1.1).
///
/// Returns the buffer and how much of it is filled: as much as fits, whatever the length of the NAL unit.
pub(super) fn rbsp_prefix<const N: usize>(nal: &[u8]) -> ([u8; N], usize) {
    let mut out = [0; N];
    let mut filled = 0;
    for (slot, byte) in out.iter_mut().zip(rbsp(nal)) {
        *slot = byte;
        filled += 1;
    }
    (out, filled)
}

/// The bytes of a NAL unit after its header, without emulation prevention (ITU-T H.264 section 7.4.1.1).
pub(super) fn rbsp(nal: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut zeros = 0;
    nal.iter().skip(1).copied().filter(move |&byte| {
        let prevention = zeros >= 2 && byte == 3;
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        !prevention
    })
}

/// Writes an RBSP into a NAL unit, with emulation prevention (ITU-T H.264 section 7.4.1.1).
pub(super) struct NalWriter {
    out: BytesMut,
    zeros: usize,
}

impl NalWriter {
    /// A NAL unit with this first byte, and room for so many bytes behind it.
    pub(super) fn new(header: u8, payload: usize) -> Self {
        let mut out = BytesMut::with_capacity(payload + payload / 64 + 16);
        out.put_u8(header);
        Self { out, zeros: 0 }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        if self.zeros >= 2 && byte <= 3 {
            self.out.put_u8(3);
            self.zeros = 0;
        }
        self.out.put_u8(byte);
        self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
    }

    pub(super) fn finish(self) -> Bytes {
        self.out.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_prevention_bytes_are_left_out_of_the_prefix() {
        let (bytes, filled) = rbsp_prefix::<8>(&[0x65, 0, 0, 3, 1, 0, 0, 3, 0, 3]);
        assert_eq!(bytes.get(..filled).unwrap(), [0, 0, 1, 0, 0, 0, 3]);
        let (bytes, filled) = rbsp_prefix::<2>(&[0x65, 1, 2, 3]);
        assert_eq!((bytes, filled), ([1, 2], 2));
    }

    #[test]
    fn the_header_byte_gives_type_and_importance() {
        assert!(NalType::of_header(0x65).is_idr());
        assert!(NalType::of_header(0x65).is_vcl());
        assert!(NalType::of_header(0x67).is_sps());
        assert!(NalType::of_header(0x68).is_pps());
        assert!(NalType::of_header(0x06).is_sei());
        assert!(NalType::of_header(0x09).is_aud());
        assert!(!NalType::of_header(0x09).is_vcl());
        assert_eq!(ref_idc(0x65), 3);
        assert_eq!(ref_idc(0x01), 0);
        assert_eq!(NalType::of(&[]), None);
    }
}
