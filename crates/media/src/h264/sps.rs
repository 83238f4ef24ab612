//! What a sequence parameter set says.

use h264_reader::nal::sps::{PicOrderCntType, SeqParameterSet};
use h264_reader::nal::{Nal, RefNal};

use super::nal::{NalType, rbsp_prefix};
use super::params::MAX_PARAMETER_SET_BYTES;
use crate::bits::BitReader;
use crate::error::Error;

/// The fields of a sequence parameter set that matter to the bridge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpsInfo {
    /// `profile_idc`: 66 baseline, 77 main, 100 high.
    pub profile_idc: u8,
    /// The `constraint_set` flags, flag 0 in the highest bit.
    pub constraint_flags: u8,
    /// `level_idc`: ten times the level.
    pub level_idc: u8,
    /// Width of the picture after cropping, in pixels.
    pub width: u32,
    /// Height of the picture after cropping, in pixels.
    pub height: u32,
    /// Frames a second, if the stream says so.
    pub frame_rate: Option<f64>,
    /// How many pictures may be decoded before one that is shown earlier; `None` where the stream does not say.
    pub reorder_depth: Option<u32>,
}

impl SpsInfo {
    /// Reads a whole SPS NAL unit.
    ///
    /// # Errors
    ///
    /// If it is longer than [`MAX_PARAMETER_SET_BYTES`], is no SPS or breaks the syntax.
    pub fn parse(nal: &[u8]) -> Result<Self, Error> {
        let nal_type = NalType::of(nal).ok_or(Error::Truncated { what: "SPS", offset: 0 })?;
        if !nal_type.is_sps() {
            return Err(Error::Invalid { what: "type of an SPS", value: nal_type.0.into(), offset: 0 });
        }
        if nal.len() > MAX_PARAMETER_SET_BYTES {
            return Err(Error::TooLarge { what: "SPS bytes", limit: MAX_PARAMETER_SET_BYTES });
        }
        let bad =
            |error: &dyn std::fmt::Debug| Error::BadParameterSet { nal_type, reason: format!("{error:?}") };
        let sps = SeqParameterSet::from_bits(RefNal::new(nal, &[], true).rbsp_bits()).map_err(|e| bad(&e))?;
        let (width, height) = sps.pixel_dimensions().map_err(|e| bad(&e))?;
        if width == 0 || height == 0 {
            return Err(bad(&"cropped to nothing"));
        }
        Ok(Self {
            profile_idc: sps.profile_idc.into(),
            constraint_flags: sps.constraint_flags.into(),
            level_idc: sps.level_idc,
            width,
            height,
            frame_rate: sps.fps().filter(|fps| fps.is_finite() && *fps > 0.0),
            reorder_depth: reorder_depth(&sps),
        })
    }

    /// Whether the stream may hold B-frames, as far as this set can tell.
    #[must_use]
    pub const fn b_frames_possible(&self) -> bool {
        !matches!(self.reorder_depth, Some(0))
    }
}

/// The depth that the set states or implies (ITU-T H.264 section E.2.1, `max_num_reorder_frames`).
fn reorder_depth(sps: &SeqParameterSet) -> Option<u32> {
    let profile = u8::from(sps.profile_idc);
    let intra_only = matches!(profile, 44 | 86 | 100 | 110 | 122 | 244) && sps.constraint_flags.flag3();
    // The baseline profile has no B slices, and with type 2 the output order is the decoding order.
    if profile == 66 || intra_only || matches!(sps.pic_order_cnt, PicOrderCntType::TypeTwo) {
        return Some(0);
    }
    let restrictions = sps.vui_parameters.as_ref()?.bitstream_restrictions.as_ref()?;
    Some(restrictions.max_num_reorder_frames)
}

/// Chroma format and bit depths of luma and chroma, each less eight, of an SPS in one of the High profiles.
///
/// `None` for other profiles and for a set that ends too early.
pub(super) fn high_profile_fields(nal: &[u8]) -> Option<(u8, u8, u8)> {
    let (rbsp, filled) = rbsp_prefix::<24>(nal);
    let mut bits = BitReader::new("SPS", rbsp.get(..filled)?);
    let profile = bits.small(8).ok()?;
    // The profiles after which ISO/IEC 14496-15 section 5.3.3.1.2 extends the record.
    if !matches!(profile, 100 | 110 | 122 | 144 | 244) {
        return None;
    }
    bits.skip(16).ok()?;
    let _id = bits.exp_golomb().ok()?;
    let chroma = bits.exp_golomb().ok().filter(|&format| format <= 3)?;
    if chroma == 3 {
        bits.skip(1).ok()?;
    }
    let luma_depth = bits.exp_golomb().ok().filter(|&depth| depth <= 6)?;
    let chroma_depth = bits.exp_golomb().ok().filter(|&depth| depth <= 6)?;
    Some((u8::try_from(chroma).ok()?, u8::try_from(luma_depth).ok()?, u8::try_from(chroma_depth).ok()?))
}
