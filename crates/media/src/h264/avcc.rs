//! AVCDecoderConfigurationRecord and length-prefixed NAL units (ISO/IEC 14496-15 section 5.3.3).

use bytes::{BufMut, Bytes, BytesMut};

use super::params::{MAX_PPS, MAX_SPS, ParameterSets};
use super::sps::high_profile_fields;
use super::{MAX_NALS, NalType};
use crate::error::Error;
use crate::frame::Nals;

/// How many bytes the length before each NAL unit takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LengthSize {
    /// One byte.
    One = 1,
    /// Two bytes.
    Two = 2,
    /// Four bytes, as nearly all encoders do.
    #[default]
    Four = 4,
}

/// What an AVCDecoderConfigurationRecord says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderConfig {
    /// The length prefix of the NAL units that follow.
    pub length_size: LengthSize,
    /// The parameter sets, slices of the record.
    pub params: ParameterSets,
}

impl DecoderConfig {
    /// Reads a record. Fields behind the parameter sets repeat what the SPS says, and are ignored.
    ///
    /// # Errors
    ///
    /// If the record is cut short, has another version than 1, a length size of three, no SPS or PPS, or sets that
    /// [`ParameterSets::parse`] refuses.
    pub fn parse(record: &Bytes) -> Result<Self, Error> {
        let header = record.get(..6).and_then(|header| <[u8; 6]>::try_from(header).ok());
        let Some([version, _, _, _, length_size, sps_count]) = header else {
            return Err(Error::Truncated { what: RECORD, offset: record.len() });
        };
        if version != 1 {
            return Err(Error::Invalid {
                what: "version of the AVC record",
                value: version.into(),
                offset: 0,
            });
        }
        let length_size = match length_size & 3 {
            0 => LengthSize::One,
            1 => LengthSize::Two,
            3 => LengthSize::Four,
            other => {
                return Err(Error::Invalid {
                    what: "NAL length size less one",
                    value: other.into(),
                    offset: 4,
                });
            }
        };
        let mut nals = Nals::new();
        let mut at = 6;
        read_sets(record, &mut at, sps_count & 0x1f, NalType::SPS, &mut nals)?;
        let pps_count = *record.get(at).ok_or(Error::Truncated { what: RECORD, offset: at })?;
        at += 1;
        read_sets(record, &mut at, pps_count, NalType::PPS, &mut nals)?;
        Ok(Self { length_size, params: ParameterSets::parse(nals)? })
    }
}

const RECORD: &str = "AVC decoder configuration record";

fn read_sets(record: &Bytes, at: &mut usize, count: u8, kind: NalType, nals: &mut Nals) -> Result<(), Error> {
    for _ in 0..count {
        let nal = read_prefixed(record, at, LengthSize::Two, RECORD)?;
        match NalType::of(&nal) {
            // Some encoders pad their record with empty sets.
            None => {}
            Some(found) if found == kind => nals.push(nal),
            Some(found) => {
                let offset = at.saturating_sub(nal.len());
                return Err(Error::Invalid {
                    what: "NAL type in the AVC record",
                    value: found.0.into(),
                    offset,
                });
            }
        }
    }
    Ok(())
}

/// Builds the record for four-byte lengths, with the trailing fields of the High profiles.
///
/// At most [`MAX_SPS`] and [`MAX_PPS`] sets are written, and none that a two-byte length cannot express:
/// [`ParameterSets::parse`] yields nothing beyond that.
#[must_use]
pub fn build(params: &ParameterSets) -> Bytes {
    let mut out = BytesMut::new();
    write_record(params, &mut out);
    out.freeze()
}

/// Like [`build`], into a buffer.
pub(crate) fn write_record(params: &ParameterSets, out: &mut impl BufMut) {
    let [profile, compatibility, level] = params.profile_level_id();
    out.put_slice(&[1, profile, compatibility, level, 0xff]);
    write_sets(&params.sps, MAX_SPS, 0xe0, out);
    write_sets(&params.pps, MAX_PPS, 0, out);
    if let Some((chroma, luma_depth, chroma_depth)) =
        params.sps.first().and_then(|sps| high_profile_fields(sps))
    {
        out.put_slice(&[0xfc | chroma, 0xf8 | luma_depth, 0xf8 | chroma_depth, 0]);
    }
}

fn write_sets(sets: &[Bytes], limit: usize, reserved: u8, out: &mut impl BufMut) {
    let writable = || sets.iter().filter_map(|set| Some((u16::try_from(set.len()).ok()?, set))).take(limit);
    out.put_u8(reserved | u8::try_from(writable().count()).unwrap_or(u8::MAX));
    for (length, set) in writable() {
        out.put_u16(length);
        out.put_slice(set);
    }
}

/// Cuts an access unit with length prefixes into its NAL units, which are slices of `payload`.
///
/// Empty NAL units are left out.
///
/// # Errors
///
/// If a length reaches beyond the payload, or there are more than [`MAX_NALS`] units.
pub fn split(payload: &Bytes, length_size: LengthSize) -> Result<Nals, Error> {
    let mut nals = Nals::new();
    let mut at = 0;
    while at < payload.len() {
        let nal = read_prefixed(payload, &mut at, length_size, "access unit")?;
        if nal.is_empty() {
            continue;
        }
        if nals.len() == MAX_NALS {
            return Err(Error::TooLarge { what: "NAL units in one access unit", limit: MAX_NALS });
        }
        nals.push(nal);
    }
    Ok(nals)
}

/// Reads a length and as many bytes; `at` moves behind them.
fn read_prefixed(
    bytes: &Bytes,
    at: &mut usize,
    size: LengthSize,
    what: &'static str,
) -> Result<Bytes, Error> {
    let truncated = Error::Truncated { what, offset: *at };
    let from = *at + size as usize;
    let Some(prefix) = bytes.get(*at..from) else { return Err(truncated) };
    let length = prefix.iter().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
    let to = from.saturating_add(length);
    if to > bytes.len() {
        return Err(truncated);
    }
    *at = to;
    Ok(bytes.slice(from..to))
}

/// The length of NAL units with four-byte prefixes.
pub(crate) fn written_len(nals: &[Bytes]) -> usize {
    nals.iter().map(|nal| nal.len() + 4).sum()
}

/// Writes NAL units with four-byte lengths.
pub fn write(nals: &[Bytes], out: &mut impl BufMut) {
    for nal in nals {
        // No buffer of a server reaches 4 GB; were it so, the unit would be written as far as its length says.
        let length = u32::try_from(nal.len()).unwrap_or(u32::MAX);
        out.put_u32(length);
        out.put_slice(nal.get(..length as usize).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASELINE: [u8; 19] =
        [1, 66, 0xc0, 30, 0xff, 0xe1, 0, 5, 0x67, 66, 0xc0, 30, 0x80, 1, 0, 2, 0x68, 0xc0, 0];

    #[test]
    fn a_record_is_read_and_its_sets_are_slices_of_it() {
        let record = Bytes::copy_from_slice(&BASELINE);
        let config = DecoderConfig::parse(&record).unwrap();
        assert_eq!(config.length_size, LengthSize::Four);
        assert_eq!(config.params.sps.as_slice(), [&[0x67, 66, 0xc0, 30, 0x80][..]]);
        assert_eq!(config.params.pps.as_slice(), [&[0x68, 0xc0][..]]);
        assert_eq!(config.params.sps[0].as_ptr(), record[8..].as_ptr());
    }

    #[test]
    fn every_shortened_record_is_refused() {
        for length in 0..BASELINE.len() - 1 {
            let result = DecoderConfig::parse(&Bytes::copy_from_slice(&BASELINE[..length]));
            assert!(matches!(result, Err(Error::Truncated { .. })), "{length}: {result:?}");
        }
    }

    #[test]
    fn wrong_versions_length_sizes_and_types_name_their_byte() {
        for (at, value) in [(0, 0), (4, 0xfe), (8, 0x68)] {
            let mut record = BASELINE;
            record[at] = value;
            let error = DecoderConfig::parse(&Bytes::copy_from_slice(&record)).unwrap_err();
            assert!(matches!(error, Error::Invalid { offset, .. } if offset == at), "{error:?}");
        }
    }

    #[test]
    fn lengths_of_one_two_and_four_bytes_are_read_without_copying() {
        for (payload, size) in [
            (&[2, 0x65, 1, 0, 1, 0x41][..], LengthSize::One),
            (&[0, 2, 0x65, 1, 0, 0, 0, 1, 0x41], LengthSize::Two),
            (&[0, 0, 0, 2, 0x65, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0x41], LengthSize::Four),
        ] {
            let payload = Bytes::copy_from_slice(payload);
            let nals = split(&payload, size).unwrap();
            assert_eq!(nals.as_slice(), [&[0x65, 1][..], &[0x41]]);
            assert_eq!(nals[0].as_ptr(), payload[size as usize..].as_ptr());
        }
    }

    #[test]
    fn a_length_beyond_the_payload_names_its_offset() {
        let payload = Bytes::from_static(&[0, 0, 0, 1, 0x65, 0xff, 0xff, 0xff, 0xff, 1]);
        let error = split(&payload, LengthSize::Four).unwrap_err();
        assert_eq!(error, Error::Truncated { what: "access unit", offset: 5 });
    }
}
