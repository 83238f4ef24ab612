//! Redundant audio (RFC 2198): a packet carries those before it once more, so that a lost one is not missed.

/// A payload before, as it is carried once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redundant<'a> {
    /// How many ticks of the RTP clock before the packet that carries it.
    pub age: u64,
    /// What it was.
    pub payload: &'a [u8],
}

/// The age of what can be carried once more (14 bits).
const MAX_AGE: u64 = (1 << 14) - 1;

/// Its length (10 bits).
const MAX_LENGTH: usize = (1 << 10) - 1;

/// Marks the header of a block that another one follows.
const FOLLOWS: u8 = 0x80;

/// The payload of a packet that carries `primary`, and before it those of `before`, the oldest first, that are small and
/// young enough. All have the payload type `pt`, of which the low seven bits count.
#[must_use]
pub fn with_redundancy(pt: u8, primary: &[u8], before: &[Redundant<'_>]) -> Vec<u8> {
    let carried = || before.iter().filter(|block| block.age <= MAX_AGE && block.payload.len() <= MAX_LENGTH);
    let size = 1 + primary.len() + carried().map(|block| 4 + block.payload.len()).sum::<usize>();
    let mut out = Vec::with_capacity(size);
    for block in carried() {
        let fields = (block.age << 10) | block.payload.len() as u64;
        let [.., high, middle, low] = fields.to_be_bytes();
        out.extend_from_slice(&[FOLLOWS | pt & 0x7f, high, middle, low]);
    }
    out.push(pt & 0x7f);
    for block in carried() {
        out.extend_from_slice(block.payload);
    }
    out.extend_from_slice(primary);
    out
}

/// What a packet with redundancy carries first of all: the payload of its own time. None if its blocks do not fit it.
#[must_use]
pub fn primary(payload: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut redundant) = (payload, 0_usize);
    loop {
        let (first, after) = rest.split_first()?;
        if first & FOLLOWS == 0 {
            return after.get(redundant..);
        }
        let ([_, middle, low], after) = after.split_first_chunk()?;
        redundant = redundant.checked_add(usize::from(u16::from_be_bytes([middle & 3, *low])))?;
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_laid_out_as_rfc_2198_says() {
        let before = [Redundant { age: 1_920, payload: &[1, 2] }, Redundant { age: 960, payload: &[3] }];
        let packet = with_redundancy(111, &[9, 8, 7], &before);
        let expected = [0xef, 0x1e, 0, 2, 0xef, 0x0f, 0, 1, 0x6f, 1, 2, 3, 9, 8, 7];
        assert_eq!(packet, expected);
        assert_eq!(primary(&packet), Some(&[9, 8, 7][..]));
    }

    #[test]
    fn what_is_too_old_or_too_long_is_left_out() {
        let before = [Redundant { age: 16_384, payload: &[1] }, Redundant { age: 960, payload: &[0; 1_024] }];
        assert_eq!(with_redundancy(111, &[5], &before), [111, 5]);
    }

    #[test]
    fn blocks_that_do_not_fit_their_packet_are_no_payload() {
        for packet in [&[][..], &[0xef], &[0xef, 0, 0], &[0xef, 0, 0, 9], &[0xef, 0, 0, 9, 0x6f, 1, 2]] {
            assert_eq!(primary(packet), None, "{packet:x?}");
        }
        assert_eq!(primary(&[0x6f]), Some(&[][..]));
    }
}
