//! The elements that Matroska files are made of (RFC 8794).

/// The size of an element that goes on to the end of the file.
pub(super) const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

/// A size in eight bytes.
pub(super) fn long_size(size: u64) -> [u8; 8] {
    (size & ((1 << 56) - 1) | 1 << 56).to_be_bytes()
}

/// Appends the size of an element, as short as it can be.
fn size(size: usize, out: &mut Vec<u8>) {
    let size = size as u64;
    // All ones stand for an unknown size.
    let length = (1..8_u32).find(|length| size < (1 << (7 * length)) - 1).unwrap_or(8);
    let marked = size | 1 << (7 * length);
    let bytes = marked.to_be_bytes();
    out.extend(bytes.iter().skip(8 - length as usize));
}

/// Appends the identifier of an element; its marker says how long it is.
pub(super) fn id(id: u32, out: &mut Vec<u8>) {
    let bytes = id.to_be_bytes();
    out.extend(bytes.iter().skip_while(|byte| **byte == 0));
}

/// Appends an element of bytes.
pub(super) fn binary(element: u32, data: &[u8], out: &mut Vec<u8>) {
    id(element, out);
    size(data.len(), out);
    out.extend_from_slice(data);
}

/// Appends an element of text.
pub(super) fn text(element: u32, text: &str, out: &mut Vec<u8>) {
    binary(element, text.as_bytes(), out);
}

/// Appends an element of a number.
pub(super) fn number(element: u32, value: u64, out: &mut Vec<u8>) {
    let bytes = value.to_be_bytes();
    let from = bytes.iter().position(|byte| *byte != 0).unwrap_or(7);
    binary(element, bytes.get(from..).unwrap_or_default(), out);
}

/// Appends an element of a fraction.
pub(super) fn fraction(element: u32, value: f64, out: &mut Vec<u8>) {
    binary(element, &value.to_be_bytes(), out);
}

/// Appends an element of elements.
pub(super) fn master(element: u32, out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    content(&mut body);
    binary(element, &body, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(value: usize) -> Vec<u8> {
        let mut out = Vec::new();
        size(value, &mut out);
        out
    }

    #[test]
    fn sizes_are_as_short_as_they_can_be() {
        assert_eq!(sized(0), [0x80]);
        assert_eq!(sized(126), [0xfe]);
        assert_eq!(sized(127), [0x40, 0x7f], "0xff would be an unknown size");
        assert_eq!(sized(0x3ffe), [0x7f, 0xfe]);
        assert_eq!(sized(0x3fff), [0x20, 0x3f, 0xff]);
        assert_eq!(long_size(5), [1, 0, 0, 0, 0, 0, 0, 5]);
    }

    #[test]
    fn elements_nest() {
        let mut out = Vec::new();
        master(0x1654_ae6b, &mut out, |out| {
            number(0xd7, 1, out);
            number(0xe7, 0x1234, out);
            text(0x86, "A", out);
        });
        assert_eq!(
            out,
            [0x16, 0x54, 0xae, 0x6b, 0x8a, 0xd7, 0x81, 1, 0xe7, 0x82, 0x12, 0x34, 0x86, 0x81, b'A']
        );
    }
}
