//! What kind of picture an access unit holds, from its slice headers.

use bytes::Bytes;

use super::nal::{NalType, rbsp_prefix, ref_idc};
use crate::bits::BitReader;

/// The kind of a coded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureKind {
    /// An IDR picture: decoding may begin here.
    Idr,
    /// A picture of I and P slices.
    IntraOrPredicted,
    /// A picture with B slices to which no other refers: it may be left out.
    NonReferenceB,
    /// A picture with B slices to which others refer: leaving it out breaks them.
    ReferenceB,
    /// No slice, or one whose header cannot be read.
    Unknown,
}

/// Judges the NAL units of one access unit by their headers and slice types (ITU-T H.264 section 7.3.3).
#[must_use]
pub fn classify(nals: &[Bytes]) -> PictureKind {
    let mut kind = PictureKind::Unknown;
    for nal in nals {
        let Some(&header) = nal.first() else { continue };
        let nal_type = NalType::of_header(header);
        if nal_type.is_idr() {
            return PictureKind::Idr;
        }
        if nal_type != NalType::SLICE && nal_type != NalType::PARTITION_A {
            continue;
        }
        match slice_type(nal) {
            Some(1) if ref_idc(header) == 0 => return PictureKind::NonReferenceB,
            Some(1) => return PictureKind::ReferenceB,
            Some(_) => kind = PictureKind::IntraOrPredicted,
            None => {}
        }
    }
    kind
}

/// `slice_type` modulo 5: 0 P, 1 B, 2 I, 3 SP, 4 SI (ITU-T H.264 table 7-6).
fn slice_type(nal: &[u8]) -> Option<u32> {
    // Two Exp-Golomb codes take at most 126 bits.
    let (rbsp, filled) = rbsp_prefix::<16>(nal);
    let mut bits = BitReader::new("slice header", rbsp.get(..filled)?);
    let _first_mb = bits.exp_golomb().ok()?;
    let slice_type = bits.exp_golomb().ok()?;
    (slice_type < 10).then_some(slice_type % 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(nals: &[&'static [u8]]) -> PictureKind {
        classify(&nals.iter().map(|nal| Bytes::from_static(nal)).collect::<Vec<_>>())
    }

    #[test]
    fn slice_types_and_importance_decide() {
        assert_eq!(kind(&[&[9, 0xf0], &[0x65, 0x88]]), PictureKind::Idr);
        // first_mb 0 and slice_type 0 (P), 1 (B), 6 (all B), 7 (all I).
        assert_eq!(kind(&[&[0x41, 0b1100_0000]]), PictureKind::IntraOrPredicted);
        assert_eq!(kind(&[&[0x01, 0b1100_0000]]), PictureKind::IntraOrPredicted);
        assert_eq!(kind(&[&[0x01, 0b1010_0000]]), PictureKind::NonReferenceB);
        assert_eq!(kind(&[&[0x41, 0b1001_1100]]), PictureKind::ReferenceB);
        assert_eq!(kind(&[&[0x41, 0b1000_1000]]), PictureKind::IntraOrPredicted);
    }

    #[test]
    fn one_b_slice_among_others_makes_a_b_picture() {
        assert_eq!(kind(&[&[0x01, 0b1100_0000], &[0x01, 0b0100_1000]]), PictureKind::NonReferenceB);
    }

    #[test]
    fn a_slice_header_with_emulation_prevention_is_read() {
        // first_mb 2^22 - 1: 22 zeros, a one and 22 more zeros; then slice_type 1.
        assert_eq!(kind(&[&[0x01, 0, 0, 3, 2, 0, 0, 3, 2]]), PictureKind::NonReferenceB);
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for nals in
            [&[][..], &[&[][..]], &[&[0x41]], &[&[0x41, 0, 0]], &[&[6, 1, 2]], &[&[0x41, 0b1000_0101, 0x80]]]
        {
            assert_eq!(kind(nals), PictureKind::Unknown, "{nals:?}");
        }
    }
}
