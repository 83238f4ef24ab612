//! Telling from a packet alone whether a picture can be decoded from it on.

use super::payload::{FU_A, FU_START, NRI, STAP_A, TYPE};

/// Whether decoding can begin with an RTP payload: it carries a sequence parameter set or the first piece of an IDR
/// picture (RFC 6184 section 5.2).
#[must_use]
pub fn begins_keyframe(payload: &[u8]) -> bool {
    const IDR: u8 = 5;
    const SPS: u8 = 7;
    let kind = |byte: &u8| byte & TYPE;
    match payload.first().map(kind) {
        Some(IDR | SPS) => true,
        Some(STAP_A) => {
            let mut rest = payload.get(1..).unwrap_or_default();
            while let [high, low, after @ ..] = rest {
                if matches!(after.first().map(kind), Some(IDR | SPS)) {
                    return true;
                }
                rest = after.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
            }
            false
        }
        Some(FU_A) => {
            payload.get(1).is_some_and(|header| header & FU_START != 0 && matches!(kind(header), IDR | SPS))
        }
        Some(_) | None => false,
    }
}

/// Whether an RTP payload is of a picture that nothing refers to: a slice whose `nal_ref_idc` is 0 (RFC 6184 section 5.3).
/// Packets without slices do not tell.
#[must_use]
pub fn is_droppable(payload: &[u8]) -> bool {
    const SLICE: u8 = 1;
    match payload {
        [header, fu, ..] if header & TYPE == FU_A => header & NRI == 0 && fu & TYPE == SLICE,
        // An aggregate has the importance of its most important unit (section 5.7.1), and slices in it.
        [header, ..] => header & NRI == 0 && matches!(header & TYPE, SLICE | STAP_A),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_that_nothing_refers_to_is_told_from_others() {
        for payload in [&[0x01, 0x9a][..], &[0x1c, 0x81, 1], &[0x1c, 0x01, 1], &[24, 0, 1, 6, 0, 1, 1]] {
            assert!(is_droppable(payload), "{payload:x?}");
        }
        for payload in
            [&[][..], &[0x41, 0x9a], &[0x06, 5], &[0x09, 0xf0], &[0x7c, 0x81, 1], &[0x78, 0, 1, 0x41]]
        {
            assert!(!is_droppable(payload), "{payload:x?}");
        }
    }

    #[test]
    fn a_keyframe_begins_with_its_parameter_sets_or_its_first_slice() {
        for payload in [
            &[0x65, 1][..],
            &[0x67, 1],
            &[0x7c, 0x85, 1],
            &[24, 0, 1, 0x67, 0, 1, 0x68],
            &[24, 0, 1, 6, 0, 1, 0x65],
        ] {
            assert!(begins_keyframe(payload), "{payload:x?}");
        }
        for payload in [
            &[][..],
            &[0x41, 1],
            &[0x68, 1],
            &[0x7c, 0x05, 1],
            &[0x7c, 0x81],
            &[24, 0, 1, 0x41],
            &[24, 0, 9, 6],
            &[28],
        ] {
            assert!(!begins_keyframe(payload), "{payload:x?}");
        }
    }
}
