//! Pictures that are black, made without an encoder: what is shown while a camera is held back.
//!
//! The first is an IDR picture of the constrained baseline profile in CAVLC. Its first macroblock says how dark it is, all
//! others are predicted from their neighbours with nothing to add: one byte each. Every other picture skips all its
//! macroblocks: it repeats the one before in a dozen bytes.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::smallvec;

use super::nal::NalWriter;
use super::params::ParameterSets;
use crate::bits::BitWriter;
use crate::frame::{AccessUnit, Nals};
use crate::time::StreamTime;

/// The longest side of a black picture. Level 5.1 ends at 4096 x 2304; a larger stream gets a smaller black.
const MAX_SIDE: u32 = 4_096;

/// The sides in luma samples of a macroblock.
const MACROBLOCK: u32 = 16;

/// Quantiser of the IDR picture: the one at which a single coefficient of [`DC_LEVEL`] makes exactly the difference
/// between the middle of the range, 128, from which the first macroblock is predicted, and black, 16.
const QP: i32 = 51;

/// See [`QP`]: 14 (section 8.5.9 for QP mod 6 = 3) times 2^6, halved six times by the transform, is 14 for each step of
/// the level.
const DC_LEVEL: i32 = -8;

/// `log2_max_frame_num`.
const FRAME_NUM_BITS: u32 = 4;

const SPS_HEADER: u8 = 0x67;
const PPS_HEADER: u8 = 0x68;
const IDR_HEADER: u8 = 0x65;
/// A slice that others refer to.
const SLICE_HEADER: u8 = 0x41;

/// A sequence of black pictures of one size.
#[derive(Clone, Debug)]
pub struct BlackPictures {
    size: (u32, u32),
    params: Arc<ParameterSets>,
    idr: [Bytes; 2],
    /// Pictures since the last IDR picture, it included.
    since_idr: u32,
    idrs: usize,
}

impl BlackPictures {
    /// Pictures of `width` x `height` samples, both made even and at most 4096.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        let even = |side: u32| side.clamp(2, MAX_SIDE) & !1;
        let (width, height) = (even(width), even(height));
        let macroblocks = width.div_ceil(MACROBLOCK) * height.div_ceil(MACROBLOCK);
        let params = ParameterSets { sps: smallvec![sps(width, height)], pps: smallvec![pps()] };
        Self {
            size: (width, height),
            params: Arc::new(params),
            idr: [0, 1].map(|id| idr(macroblocks, id)),
            since_idr: 0,
            idrs: 0,
        }
    }

    /// Width and height in samples.
    #[must_use]
    pub const fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The next picture, shown at `time`: an IDR picture where that is wanted, and as the first one.
    pub fn next(&mut self, time: StreamTime, keyframe: bool) -> AccessUnit {
        let keyframe = keyframe || self.since_idr == 0;
        let nal = if keyframe {
            self.since_idr = 0;
            // Two IDR pictures in a row have different numbers (section 7.4.3, idr_pic_id).
            self.idrs = self.idrs.wrapping_add(1);
            let [even, odd] = &self.idr;
            if self.idrs.is_multiple_of(2) { even.clone() } else { odd.clone() }
        } else {
            let (width, height) = self.size;
            repetition(width.div_ceil(MACROBLOCK) * height.div_ceil(MACROBLOCK), self.since_idr)
        };
        self.since_idr = self.since_idr.wrapping_add(1).max(1);
        let nals: Nals = smallvec![nal];
        AccessUnit { dts: time, pts: time, keyframe, params: Arc::clone(&self.params), nals }
    }
}

/// ITU-T H.264 section 7.3.2.1.1.
fn sps(width: u32, height: u32) -> Bytes {
    let mut bits = BitWriter::default();
    let constraint_sets_0_1_2 = 0xe0;
    bits.bits(66, 8);
    bits.bits(constraint_sets_0_1_2, 8);
    bits.bits(level(width, height), 8);
    bits.exp_golomb(0); // seq_parameter_set_id
    bits.exp_golomb(FRAME_NUM_BITS - 4);
    bits.exp_golomb(2); // pic_order_cnt_type: shown in the order of decoding
    bits.exp_golomb(1); // max_num_ref_frames
    bits.bit(false); // gaps_in_frame_num_value_allowed_flag
    let (columns, rows) = (width.div_ceil(MACROBLOCK), height.div_ceil(MACROBLOCK));
    bits.exp_golomb(columns - 1);
    bits.exp_golomb(rows - 1);
    bits.bit(true); // frame_mbs_only_flag
    bits.bit(true); // direct_8x8_inference_flag
    let cropped = (columns * MACROBLOCK - width, rows * MACROBLOCK - height);
    bits.bit(cropped != (0, 0));
    if cropped != (0, 0) {
        for side in [0, cropped.0 / 2, 0, cropped.1 / 2] {
            bits.exp_golomb(side);
        }
    }
    bits.bit(false); // vui_parameters_present_flag
    nal(SPS_HEADER, bits)
}

/// The lowest level that holds a picture of this size at one frame a second (ITU-T H.264 table A-1), and no less than 3.1,
/// which every decoder of a call has.
fn level(width: u32, height: u32) -> u32 {
    match width.div_ceil(MACROBLOCK) * height.div_ceil(MACROBLOCK) {
        0..=3_600 => 31,
        3_601..=8_192 => 40,
        8_193..=22_080 => 50,
        _ => 51,
    }
}

/// ITU-T H.264 section 7.3.2.2.
fn pps() -> Bytes {
    let mut bits = BitWriter::default();
    bits.exp_golomb(0); // pic_parameter_set_id
    bits.exp_golomb(0); // seq_parameter_set_id
    bits.bit(false); // entropy_coding_mode_flag: CAVLC
    bits.bit(false); // bottom_field_pic_order_in_frame_present_flag
    bits.exp_golomb(0); // num_slice_groups_minus1
    bits.exp_golomb(0); // num_ref_idx_l0_default_active_minus1
    bits.exp_golomb(0); // num_ref_idx_l1_default_active_minus1
    bits.bits(0, 3); // weighted_pred_flag, weighted_bipred_idc
    bits.signed_exp_golomb(QP - 26); // pic_init_qp_minus26
    bits.signed_exp_golomb(0); // pic_init_qs_minus26
    bits.signed_exp_golomb(0); // chroma_qp_index_offset
    bits.bit(true); // deblocking_filter_control_present_flag
    bits.bit(false); // constrained_intra_pred_flag
    bits.bit(false); // redundant_pic_cnt_present_flag
    nal(PPS_HEADER, bits)
}

/// The part of a slice header that both kinds share (section 7.3.3).
fn slice_header(bits: &mut BitWriter, slice_type: u32, frame_num: u32) {
    bits.exp_golomb(0); // first_mb_in_slice
    bits.exp_golomb(slice_type);
    bits.exp_golomb(0); // pic_parameter_set_id
    bits.bits(frame_num, FRAME_NUM_BITS);
}

fn end_of_slice_header(bits: &mut BitWriter) {
    bits.signed_exp_golomb(0); // slice_qp_delta
    bits.exp_golomb(1); // disable_deblocking_filter_idc
}

fn idr(macroblocks: u32, id: u32) -> Bytes {
    const ALL_SLICES_INTRA: u32 = 7;
    let mut bits = BitWriter::default();
    slice_header(&mut bits, ALL_SLICES_INTRA, 0);
    bits.exp_golomb(id);
    bits.bits(0, 2); // no_output_of_prior_pics_flag, long_term_reference_flag
    end_of_slice_header(&mut bits);
    for index in 0..macroblocks {
        // I_16x16_2_0_0: predicted by the mean of the neighbours, with nothing coded but the DC of luma (table 7-11).
        bits.exp_golomb(3);
        bits.exp_golomb(0); // intra_chroma_pred_mode: DC
        bits.signed_exp_golomb(0); // mb_qp_delta
        if index == 0 {
            dc_level(&mut bits);
        } else {
            bits.bit(true); // coeff_token: none (table 9-5)
        }
    }
    nal(IDR_HEADER, bits)
}

/// One coefficient of [`DC_LEVEL`] in the first place (section 9.2).
fn dc_level(bits: &mut BitWriter) {
    bits.bits(0b000_101, 6); // coeff_token: one coefficient, no trailing one
    // Without trailing ones a single level is not 1, so the codes begin at 2 (section 9.2.2.1).
    let prefix = DC_LEVEL.unsigned_abs() * 2 - 1 - 2;
    bits.bits(0, prefix);
    bits.bit(true);
    bits.bit(true); // total_zeros: none (table 9-7)
}

/// A picture that repeats the one before; `number` counts from its IDR picture.
fn repetition(macroblocks: u32, number: u32) -> Bytes {
    const ALL_SLICES_PREDICTED: u32 = 5;
    let mut bits = BitWriter::default();
    slice_header(&mut bits, ALL_SLICES_PREDICTED, number % (1 << FRAME_NUM_BITS));
    bits.bit(false); // num_ref_idx_active_override_flag
    bits.bit(false); // ref_pic_list_modification_flag_l0
    bits.bit(false); // adaptive_ref_pic_marking_mode_flag
    end_of_slice_header(&mut bits);
    bits.exp_golomb(macroblocks); // mb_skip_run
    nal(SLICE_HEADER, bits)
}

/// A NAL unit of what was written, with its trailing bits and emulation prevention (section 7.4.1).
fn nal(header: u8, mut bits: BitWriter) -> Bytes {
    bits.bit(true); // rbsp_stop_one_bit
    let rbsp = bits.finish();
    let mut nal = NalWriter::new(header, rbsp.len());
    rbsp.iter().for_each(|byte| nal.byte(*byte));
    nal.finish()
}

#[cfg(test)]
mod tests {
    use super::super::{PictureKind, classify};
    use super::*;

    #[test]
    fn the_parameter_sets_say_the_size_that_was_asked_for() {
        for (width, height) in [(640, 360), (360, 640), (1_280, 720), (1_920, 1_080), (176, 144), (2, 2)] {
            let mut black = BlackPictures::new(width, height);
            let unit = black.next(StreamTime::ZERO, false);
            let info = unit.params.info().unwrap();
            assert_eq!((info.width, info.height, info.profile_idc), (width, height, 66));
            assert_eq!(info.reorder_depth, Some(0));
        }
        assert_eq!(BlackPictures::new(641, u32::MAX).size(), (640, 4_096));
    }

    #[test]
    fn the_first_picture_is_a_keyframe_and_the_others_repeat_it_in_a_dozen_bytes() {
        let mut black = BlackPictures::new(1_280, 720);
        let first = black.next(StreamTime::ZERO, false);
        assert!(first.keyframe && first.nals[0].len() < 3_700, "a byte for each macroblock");
        for n in 1..40 {
            let unit = black.next(StreamTime::new(n), false);
            assert!(!unit.keyframe && unit.nals[0].len() < 16);
            assert_eq!(classify(&unit.nals), PictureKind::IntraOrPredicted);
        }
        let again = black.next(StreamTime::new(40), true);
        assert!(again.keyframe && again.nals[0] != first.nals[0]);
    }

    /// ffmpeg decodes these to luma 16 and chroma 128 alone.
    #[test]
    fn a_picture_of_one_macroblock_is_what_decoders_take_for_black() {
        let mut black = BlackPictures::new(16, 16);
        let first = black.next(StreamTime::ZERO, false);
        assert_eq!(first.params.sps[0][..], [0x67, 0x42, 0xe0, 0x1f, 0xda, 0x79], "SPS");
        assert_eq!(first.params.pps[0][..], [0x68, 0xce, 0x01, 0x97, 0x20], "PPS");
        assert_eq!(first.nals[0][..], [0x65, 0x88, 0x82, 0x28, 0x98, 0xa0, 0x00, 0xe0], "IDR");
        assert_eq!(black.next(StreamTime::ZERO, false).nals[0][..], [0x41, 0x9a, 0x22, 0x94], "repetition");
    }

    #[test]
    fn the_repetitions_number_themselves_from_their_keyframe() {
        let mut black = BlackPictures::new(64, 64);
        black.next(StreamTime::ZERO, false);
        let numbers: Vec<_> = (0..17)
            .map(|_| {
                let unit = black.next(StreamTime::ZERO, false);
                // Behind three codes of 1 + 5 + 1 bits.
                let mut bits = crate::bits::BitReader::new("slice", &unit.nals[0]);
                bits.skip(8 + 7).unwrap();
                bits.bits(FRAME_NUM_BITS).unwrap()
            })
            .collect();
        assert_eq!(numbers[..3], [1, 2, 3]);
        assert_eq!(numbers[14..], [15, 0, 1]);
    }
}
