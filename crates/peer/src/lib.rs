//! A native participant: joins a room of a Queqiao server, sends H.264 and Opus that the application hands it, and
//! yields what others send.
//!
//! ```no_run
//! use queqiao_peer::{Config, Event, Frame, Result, Room};
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     let room = Room::join(Config::new("http://127.0.0.1:8080", "demo", "r1", "watcher")?).await?;
//!     while let Some(event) = room.next_event().await {
//!         let Event::StreamPublished { uid, stream } = event else { continue };
//!         let mut subscription = room.subscribe(uid.uid(), stream.stream).await?;
//!         while let Some(Frame::Audio(_) | Frame::Video(_)) = subscription.next_frame().await {
//!             println!("{uid}: {:?}", subscription.statistics());
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Publishing is the same the other way round: [`Room::publish`] gives a [`Publisher`], which takes pictures and sound
//! ([`AccessUnit`], [`OpusPacket`]) with their times, and says when [somebody needs a
//! keyframe](Publisher::keyframe_requested). [`access_unit`] makes a picture of an encoder's Annex B output.
//!
//! Lost connections are taken up again without the application's doing: the signalling is resumed, a disturbed path of
//! the media gets new ICE credentials, and where neither helps the room is joined anew and what was published and
//! received is restored. The application hears of it by [`Event::Connection`] and [`Event::Media`].
//!
//! Everything runs on the tokio runtime that [`Room::join`] was called on. Logs go to `tracing`; tokens and session
//! descriptions are never in them.

mod annexb;
mod config;
mod error;
mod event;
mod media;
mod room;
mod signalling;
mod stay;

pub use annexb::access_unit;
pub use config::Config;
pub use error::{Error, Result};
pub use event::Event;
pub use media::{Frame, Statistics};
pub use room::{Publisher, Room, Subscription};
pub use signalling::ConnectionState;

pub use queqiao_media::frame::{AccessUnit, OpusPacket};
pub use queqiao_media::h264::ParameterTracker;
pub use queqiao_media::time::StreamTime;
pub use queqiao_room::signal::{
    Attributes, Base64, Content, EndReason, Ended, LeaveReason, MediaKind, NetworkQuality, ParticipantInfo,
    Platform, Presence, StreamInfo, TrackState, Tracks, UserId,
};
pub use queqiao_room::{Role, StreamKind, Uid, UnixSeconds};
