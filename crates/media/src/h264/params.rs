//! Parameter sets: which there are and which refers to which.

use bytes::Bytes;
use smallvec::SmallVec;

use super::nal::{NalType, rbsp_prefix};
use super::sps::SpsInfo;
use crate::bits::BitReader;
use crate::error::Error;

/// The most sequence parameter sets of a stream: as many as an AVCDecoderConfigurationRecord can hold.
pub const MAX_SPS: usize = 31;

/// The most picture parameter sets of a stream. Encoders use one to four; OpenH264 may cycle through 57 identifiers.
pub const MAX_PPS: usize = 64;

/// The longest parameter set. Complete scaling matrices and buffering parameters stay below it.
pub const MAX_PARAMETER_SET_BYTES: usize = 1024;

/// The sequence and picture parameter sets of a stream, with what the bridge needs to know of them.
///
/// Equality is that of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSets {
    /// Sequence parameter sets, whole NAL units. At least one.
    pub sps: SmallVec<[Bytes; 1]>,
    /// Picture parameter sets, whole NAL units. At least one.
    pub pps: SmallVec<[Bytes; 1]>,
}

impl ParameterSets {
    /// Sorts SPS and PPS NAL units into a set; a later one replaces an earlier one of the same identifier.
    ///
    /// # Errors
    ///
    /// If a NAL unit is neither, has no readable identifier, is longer than [`MAX_PARAMETER_SET_BYTES`], if there are
    /// more than [`MAX_SPS`] or [`MAX_PPS`], or none of either.
    pub fn parse(nals: impl IntoIterator<Item = Bytes>) -> Result<Self, Error> {
        let mut sets = Self { sps: SmallVec::new(), pps: SmallVec::new() };
        for nal in nals {
            sets.insert(nal)?;
        }
        if sets.is_complete() {
            Ok(sets)
        } else {
            Err(Error::MissingParameters { codec: "H.264", needs: "SPS and PPS" })
        }
    }

    /// The three bytes of `profile-level-id` in SDP (RFC 6184 section 8.1): profile, constraint flags, level.
    #[must_use]
    pub fn profile_level_id(&self) -> [u8; 3] {
        self.sps.first().and_then(|sps| sps.get(1..4)?.try_into().ok()).unwrap_or_default()
    }

    /// What the first SPS says.
    ///
    /// # Errors
    ///
    /// If the SPS does not follow ITU-T H.264 section 7.3.2.1. Some hardware encoders write such sets and decoders
    /// take them: the media is to be passed on all the same.
    pub fn info(&self) -> Result<SpsInfo, Error> {
        self.sps
            .first()
            .ok_or(Error::MissingParameters { codec: "H.264", needs: "SPS" })
            .and_then(|sps| SpsInfo::parse(sps))
    }

    pub(super) fn is_complete(&self) -> bool {
        !self.sps.is_empty() && !self.pps.is_empty()
    }

    /// Adds a parameter set, or replaces the one of the same identifier.
    pub(super) fn insert(&mut self, nal: Bytes) -> Result<(), Error> {
        match Id::of(&nal)? {
            Id::Sps(id) => put(&mut self.sps, nal, "SPS", MAX_SPS, |old| Id::of(old) == Ok(Id::Sps(id))),
            Id::Pps { id, .. } => put(
                &mut self.pps,
                nal,
                "PPS",
                MAX_PPS,
                |old| matches!(Id::of(old), Ok(Id::Pps { id: other, .. }) if other == id),
            ),
        }
    }
}

fn put(
    list: &mut SmallVec<[Bytes; 1]>,
    nal: Bytes,
    what: &'static str,
    limit: usize,
    same: impl Fn(&Bytes) -> bool,
) -> Result<(), Error> {
    if let Some(old) = list.iter_mut().find(|old| same(old)) {
        *old = nal;
    } else if list.len() < limit {
        list.push(nal);
    } else {
        return Err(Error::TooLarge { what, limit });
    }
    Ok(())
}

/// The identifier of a parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Sps(u8),
    Pps {
        id: u8,
        /// The SPS that the PPS refers to.
        sps: u8,
    },
}

impl Id {
    pub(super) fn of(nal: &[u8]) -> Result<Self, Error> {
        if nal.len() > MAX_PARAMETER_SET_BYTES {
            return Err(Error::TooLarge { what: "parameter set bytes", limit: MAX_PARAMETER_SET_BYTES });
        }
        let nal_type = NalType::of(nal).ok_or(Error::Truncated { what: "parameter set", offset: 0 })?;
        let (rbsp, filled) = rbsp_prefix::<16>(nal);
        let mut bits = BitReader::new("parameter set", rbsp.get(..filled).unwrap_or_default());
        if nal_type.is_sps() {
            bits.skip(24)?;
            Ok(Self::Sps(identifier(&mut bits, 31)?))
        } else if nal_type.is_pps() {
            Ok(Self::Pps { id: identifier(&mut bits, 255)?, sps: identifier(&mut bits, 31)? })
        } else {
            Err(Error::Invalid { what: "type of a parameter set", value: nal_type.0.into(), offset: 0 })
        }
    }
}

fn identifier(bits: &mut BitReader<'_>, max: u8) -> Result<u8, Error> {
    let offset = bits.byte_offset() + 1;
    let value = bits.exp_golomb()?;
    u8::try_from(value).ok().filter(|&id| id <= max).ok_or(Error::Invalid {
        what: "parameter set identifier",
        value: value.into(),
        offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nal(bytes: &'static [u8]) -> Bytes {
        Bytes::from_static(bytes)
    }

    #[test]
    fn a_later_parameter_set_replaces_one_of_the_same_identifier() {
        let sets = ParameterSets::parse([
            nal(&[0x67, 66, 0, 30, 0x80]),
            nal(&[0x68, 0xc0]),
            nal(&[0x67, 77, 0, 31, 0x80]),
            nal(&[0x67, 66, 0, 30, 0x40]),
        ])
        .unwrap();
        assert_eq!(sets.sps.len(), 2);
        assert_eq!(sets.profile_level_id(), [77, 0, 31]);
    }

    #[test]
    fn sets_need_one_of_each_kind_and_nothing_else() {
        let sps = nal(&[0x67, 66, 0, 30, 0x80]);
        assert!(matches!(ParameterSets::parse([sps.clone()]), Err(Error::MissingParameters { .. })));
        assert!(matches!(ParameterSets::parse([sps, nal(&[0x65, 0x80])]), Err(Error::Invalid { .. })));
    }

    #[test]
    fn identifiers_beyond_the_specification_are_refused() {
        // ue(v) 32 is 00000 1 00001.
        assert!(matches!(
            Id::of(&[0x67, 66, 0, 30, 0b0000_0100, 0b0010_0000]),
            Err(Error::Invalid { value: 32, .. })
        ));
        assert!(matches!(Id::of(&[0x67; 2000]), Err(Error::TooLarge { .. })));
        assert!(matches!(Id::of(&[]), Err(Error::Truncated { .. })));
    }
}
