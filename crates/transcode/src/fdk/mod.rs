//! A safe face of the FDK AAC codec library. All unsafe code of this crate is below this module.
//!
//! Handles own their library state, may move between threads (the library keeps nothing in thread-local or mutable
//! global storage) and may not be shared: every call takes `&mut self`.

mod decode;
mod encode;

pub use decode::{Decoder, Pcm};
pub use encode::{Encoder, EncoderSettings, ObjectType};
