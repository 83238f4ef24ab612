//! User data in SEI NAL units (ITU-T H.264 sections 7.3.2.3 and D.1.7): written with emulation prevention, and read.

use bytes::Bytes;

use super::nal::{self, NalType, NalWriter};
use crate::frame::Nals;

/// The longest user data that is read, bytes. Encoders of live streams write at most 4096.
pub const MAX_USER_DATA_BYTES: usize = 4096;

/// The payload type of user data behind a UUID (`user_data_unregistered`, section D.1.7).
const UNREGISTERED: u32 = 5;
/// A reserved payload type that several Chinese clouds use for user data without UUID.
const PLAIN: u32 = 242;
/// What a payload type or size is written in pieces of (section 7.3.2.3.1).
const FF: u32 = 0xff;

/// User data of one SEI message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserData {
    /// Payload type 5.
    Unregistered {
        /// Whose data it is.
        uuid: [u8; 16],
        /// What its owner makes of it.
        data: Bytes,
    },
    /// Payload type 242.
    Plain {
        /// Anything.
        data: Bytes,
    },
}

impl UserData {
    /// Its payload type.
    #[must_use]
    pub const fn payload_type(&self) -> u8 {
        match self {
            Self::Unregistered { .. } => 5,
            Self::Plain { .. } => 242,
        }
    }

    /// What it carries, behind its UUID.
    #[must_use]
    pub const fn data(&self) -> &Bytes {
        match self {
            Self::Unregistered { data, .. } | Self::Plain { data } => data,
        }
    }

    /// An SEI NAL unit with this message alone.
    #[must_use]
    pub fn to_nal(&self) -> Bytes {
        let (uuid, data): (&[u8], _) = match self {
            Self::Unregistered { uuid, data } => (uuid, data),
            Self::Plain { data } => (&[], data),
        };
        let mut writer = NalWriter::new(NalType::SEI.0, uuid.len() + data.len());
        writer.byte(self.payload_type());
        let mut size = uuid.len() + data.len();
        while size >= 0xff {
            writer.byte(0xff);
            size -= 0xff;
        }
        writer.byte(u8::try_from(size).unwrap_or_default());
        uuid.iter().chain(data.iter()).for_each(|byte| writer.byte(*byte));
        // rbsp_trailing_bits, section 7.3.2.11.
        writer.byte(0x80);
        writer.finish()
    }
}

/// The user data in a NAL unit, which need not be SEI. What is longer than [`MAX_USER_DATA_BYTES`] is left out, and so
/// is what stands behind a message that cannot be read.
#[must_use]
pub fn user_data(nal: &[u8]) -> Vec<UserData> {
    let mut found = Vec::new();
    if !NalType::of(nal).is_some_and(NalType::is_sei) {
        return found;
    }
    let mut rbsp = nal::rbsp(nal);
    while let (Some(payload_type), Some(size)) = (coded(&mut rbsp), coded(&mut rbsp)) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let wanted = matches!(payload_type, UNREGISTERED | PLAIN) && size <= MAX_USER_DATA_BYTES;
        if !wanted {
            if size > 0 && rbsp.nth(size - 1).is_none() {
                break;
            }
            continue;
        }
        let payload: Bytes = rbsp.by_ref().take(size).collect();
        if payload.len() < size {
            break;
        }
        match (payload_type, payload.first_chunk::<16>()) {
            (PLAIN, _) => found.push(UserData::Plain { data: payload }),
            (_, Some(uuid)) => {
                found.push(UserData::Unregistered { uuid: *uuid, data: payload.slice(16..) });
            }
            (_, None) => {}
        }
    }
    found
}

/// A payload type or size: 255 for each whole byte of ones, and the byte behind them.
fn coded(rbsp: &mut impl Iterator<Item = u8>) -> Option<u32> {
    let mut sum = 0_u32;
    loop {
        let byte = u32::from(rbsp.next()?);
        sum = sum.checked_add(byte)?;
        if byte != FF {
            return Some(sum);
        }
    }
}

/// Puts an SEI NAL unit into an access unit: behind what else precedes its picture, as SEI of a picture stands before
/// its first slice (section 7.4.1.2.3).
pub fn insert(nals: &mut Nals, sei: Bytes) {
    let slice = nals.iter().position(|nal| NalType::of(nal).is_some_and(NalType::is_vcl));
    nals.insert(slice.unwrap_or(nals.len()), sei);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UUID: [u8; 16] = *b"0123456789abcdef";

    fn unregistered(data: &[u8]) -> UserData {
        UserData::Unregistered { uuid: UUID, data: Bytes::copy_from_slice(data) }
    }

    #[test]
    fn a_message_is_written_as_the_standard_says() {
        let nal = UserData::Plain { data: Bytes::from_static(b"hi") }.to_nal();
        assert_eq!(*nal, [6, 242, 2, b'h', b'i', 0x80]);
        let long = unregistered(&[7; 300]).to_nal();
        assert_eq!(long.get(..5).unwrap(), [6, 5, 255, 61, b'0']);
    }

    #[test]
    fn no_start_code_stands_in_what_is_written() {
        let nal = UserData::Plain { data: Bytes::from_static(&[0, 0, 1, 0, 0, 0, 0, 0, 3]) }.to_nal();
        assert_eq!(*nal, [6, 242, 9, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 0, 3, 0x80]);
    }

    #[test]
    fn messages_of_other_types_are_passed_over() {
        let nal = [6, 1, 2, 9, 9, 242, 1, b'a', 255, 3, 1, 8, 242, 1, b'b', 0x80];
        let texts: Vec<_> = user_data(&nal).iter().map(|found| found.data().clone()).collect();
        assert_eq!(texts, [&b"a"[..], b"b"]);
    }

    #[test]
    fn what_is_cut_short_too_long_or_no_sei_gives_nothing() {
        assert_eq!(user_data(&[6, 242, 9, b'a', 0x80]), []);
        assert_eq!(user_data(&[6, 5, 3, 1, 2, 3, 0x80]), [], "a UUID has 16 bytes");
        assert_eq!(user_data(&[6, 255, 255]), []);
        assert_eq!(user_data(&unregistered(&[1; MAX_USER_DATA_BYTES]).to_nal()), []);
        let slice: Vec<u8> =
            [0x65].into_iter().chain(unregistered(b"x").to_nal().iter().skip(1).copied()).collect();
        assert_eq!(user_data(&slice), []);
        assert_eq!(user_data(&[]), []);
    }

    #[test]
    fn sei_goes_before_the_first_slice_and_behind_the_delimiter() {
        let nal = |header: u8| Bytes::copy_from_slice(&[header, 1]);
        let mut nals: Nals = [nal(9), nal(6), nal(0x65), nal(0x65)].into_iter().collect();
        insert(&mut nals, unregistered(b"x").to_nal());
        let types: Vec<_> = nals.iter().filter_map(|nal| NalType::of(nal)).map(|kind| kind.0).collect();
        assert_eq!(types, [9, 6, 6, 5, 5]);
        assert_eq!(nals.get(2).unwrap(), &unregistered(b"x").to_nal());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(data in prop::collection::vec(prop_oneof![Just(0_u8), 0_u8..4, any::<u8>()], 0..1200)) {
            for message in [unregistered(&data), UserData::Plain { data: Bytes::from(data) }] {
                let nal = message.to_nal();
                prop_assert!(nal.windows(3).all(|window| !matches!(window, [0, 0, 0..=2])));
                prop_assert_eq!(user_data(&nal), vec![message]);
            }
        }

        #[test]
        fn rubbish_is_read_within_bounds(nal in prop::collection::vec(any::<u8>(), 0..600)) {
            let nal: Vec<u8> = [6].into_iter().chain(nal).collect();
            for found in user_data(&nal) {
                prop_assert!(found.data().len() <= nal.len());
            }
        }
    }
}
