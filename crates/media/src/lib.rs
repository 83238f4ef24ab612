//! Clocks, H.264, AAC, Opus, FLV and RTP as pure data transformations: no sockets, no tasks, no clock of its own.

pub mod aac;
pub mod allocation;
mod bits;
pub mod catch_up;
mod drift;
pub mod error;
pub mod estimate;
pub mod filler;
pub mod flv;
pub mod frame;
pub mod gop;
pub mod governor;
pub mod h264;
pub mod layers;
pub mod live;
mod loss;
pub mod opus;
pub mod pace;
pub mod rtp;
pub mod steering;
pub mod sync;
pub mod thin;
pub mod time;
pub mod timeline;

pub use error::Error;
