//! RTP payload formats and reception: RFC 6184 (H.264), RFC 7587 (Opus), RFC 3550.
//!
//! A received track passes [`JitterBuffer`] (order and loss), then [`H264Depacketizer`] or [`OpusReceiver`].
//! A sent track passes [`H264Packetizer`] once, then one [`Rewriter`] for every viewer.

mod depacketize;
mod hold;
mod jitter;
mod keyframe;
mod lateness;
mod opus;
mod packetize;
mod pause;
pub mod red;
mod rewrite;

pub use depacketize::{Counters as DepacketizerCounters, Damage, H264Depacketizer, Unit};
pub use hold::{Hold, HoldLine};
pub use jitter::{Counters as JitterCounters, Item, JitterBuffer, Waits};
pub use keyframe::{begins_keyframe, is_droppable};
pub use opus::OpusReceiver;
pub use packetize::{DEFAULT_MAX_PAYLOAD, H264Packetizer};
pub use pause::Pause;
pub use rewrite::Rewriter;

/// Payload structures of RFC 6184 table 1, beside the single NAL units 1 to 23.
mod payload {
    pub(super) const STAP_A: u8 = 24;
    pub(super) const STAP_B: u8 = 25;
    pub(super) const MTAP16: u8 = 26;
    pub(super) const MTAP24: u8 = 27;
    pub(super) const FU_A: u8 = 28;
    pub(super) const FU_B: u8 = 29;

    /// The F and NRI bits of a NAL unit header.
    pub(super) const IMPORTANCE: u8 = 0xe0;
    /// The NRI bits of a NAL unit header: `nal_ref_idc`.
    pub(super) const NRI: u8 = 0x60;
    /// The type bits of a NAL unit header.
    pub(super) const TYPE: u8 = 0x1f;
    /// The start bit of an FU header (section 5.8).
    pub(super) const FU_START: u8 = 0x80;
    /// The end bit of an FU header (section 5.8).
    pub(super) const FU_END: u8 = 0x40;
}
