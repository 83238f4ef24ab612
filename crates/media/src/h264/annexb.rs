//! The byte stream format (ITU-T H.264 annex B).

use bytes::{BufMut, Bytes};

use super::MAX_NALS;
use crate::error::Error;
use crate::frame::Nals;

/// Cuts a byte stream into its NAL units, which are slices of `stream`.
///
/// Start codes have three or four bytes; zero bytes around NAL units and empty NAL units are left out. What comes
/// before the first start code is ignored.
///
/// # Errors
///
/// If there are more than [`MAX_NALS`].
pub fn split(stream: &Bytes) -> Result<Nals, Error> {
    let mut nals = Nals::new();
    let mut start = after_start_code(stream, 0);
    while let Some(from) = start {
        start = after_start_code(stream, from);
        let to = start.map_or(stream.len(), |next| next.saturating_sub(3));
        let nal = stream.get(from..to).unwrap_or_default();
        let trailing = nal.iter().rev().take_while(|&&byte| byte == 0).count();
        let to = to.saturating_sub(trailing);
        if to > from {
            if nals.len() == MAX_NALS {
                return Err(Error::TooLarge { what: "NAL units in one access unit", limit: MAX_NALS });
            }
            nals.push(stream.slice(from..to));
        }
    }
    Ok(nals)
}

/// The start code that [`write()`] puts before each NAL unit.
pub const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Writes NAL units with four-byte start codes.
pub fn write<'a>(nals: impl IntoIterator<Item = &'a Bytes>, out: &mut impl BufMut) {
    for nal in nals {
        out.put_slice(&START_CODE);
        out.put_slice(nal);
    }
}

/// The offset behind the first `00 00 01` at or after `from`.
fn after_start_code(stream: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match stream.get(at..at + 3)? {
            [0, 0, 1] => return Some(at + 3),
            [_, _, 0] => at += 1,
            // A start code begins with two zeros, so none begins before or at a byte that is not zero.
            _ => at += 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn start_codes_of_both_lengths_and_padding_separate_nal_units() {
        let stream =
            Bytes::from_static(&[9, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 3, 0, 0]);
        let nals = split(&stream).unwrap();
        assert_eq!(nals.as_slice(), [&[0x67, 1][..], &[0x68, 2], &[0x65, 3]]);
    }

    #[test]
    fn bytes_without_a_start_code_hold_no_nal_unit() {
        assert!(split(&Bytes::from_static(&[0x65, 0, 0, 2, 1])).unwrap().is_empty());
        assert!(split(&Bytes::from_static(&[0, 0, 1])).unwrap().is_empty());
        assert!(split(&Bytes::new()).unwrap().is_empty());
    }

    #[test]
    fn a_stream_of_start_codes_is_bounded() {
        let stream = Bytes::from([0, 0, 1, 9].repeat(MAX_NALS + 1));
        assert_eq!(
            split(&stream).unwrap_err(),
            Error::TooLarge { what: "NAL units in one access unit", limit: MAX_NALS }
        );
    }

    #[test]
    fn written_nal_units_are_read_back() {
        let nals = [Bytes::from_static(&[0x67, 1]), Bytes::from_static(&[0x65, 0, 0, 3, 1])];
        let mut out = BytesMut::new();
        write(&nals, &mut out);
        assert!(out.starts_with(&START_CODE));
        assert_eq!(split(&out.freeze()).unwrap().as_slice(), nals);
    }
}
