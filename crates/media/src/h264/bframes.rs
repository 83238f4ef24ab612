//! The gate that keeps B-frames away from receivers that do not reorder.

use super::slice::{PictureKind, classify};
use crate::frame::AccessUnit;

/// What to do with a picture on the way to a WebRTC receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BFrameVerdict {
    /// Forward it.
    Pass,
    /// A B-frame that no other picture needs: leave it out.
    DropNonReferenceB,
    /// A B-frame that other pictures need: the stream cannot be shown without reordering.
    ReferenceB,
}

/// Judges pictures and counts what it saw. WebRTC receivers show pictures in decoding order, so B-frames cannot pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BFrameFilter {
    /// Pictures that pass.
    pub passed: u64,
    /// B-frames that may be left out.
    pub dropped: u64,
    /// B-frames that other pictures refer to.
    pub reference: u64,
}

impl BFrameFilter {
    /// Judges the next picture. One whose kind cannot be told passes.
    pub fn push(&mut self, unit: &AccessUnit) -> BFrameVerdict {
        let (count, verdict) = match classify(&unit.nals) {
            PictureKind::Idr | PictureKind::IntraOrPredicted | PictureKind::Unknown => {
                (&mut self.passed, BFrameVerdict::Pass)
            }
            PictureKind::NonReferenceB => (&mut self.dropped, BFrameVerdict::DropNonReferenceB),
            PictureKind::ReferenceB => (&mut self.reference, BFrameVerdict::ReferenceB),
        };
        *count += 1;
        verdict
    }
}
