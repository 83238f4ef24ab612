//! H.264 (ITU-T H.264) at the NAL unit level: no pixel is ever decoded.

pub mod annexb;
pub mod avcc;
mod bframes;
mod black;
mod nal;
mod params;
pub mod sei;
mod slice;
mod sps;
mod tracker;

pub use bframes::{BFrameFilter, BFrameVerdict};
pub use black::BlackPictures;
pub use nal::{NalType, ref_idc};
pub use params::{MAX_PARAMETER_SET_BYTES, MAX_PPS, MAX_SPS, ParameterSets};
pub use slice::{PictureKind, classify};
pub use sps::SpsInfo;
pub use tracker::ParameterTracker;

/// The most NAL units of one access unit. A 1 MB picture cut into slices of one network packet has about 800; the
/// list itself then takes 32 KB.
pub const MAX_NALS: usize = 1024;
