//! What is received, as a file.

mod annexb;
mod ebml;
mod matroska;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use queqiao_media::time::StreamTime;
use queqiao_peer::Frame;

/// What a file got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) pictures: u64,
    pub(crate) sounds: u64,
}

/// A file that is being written.
pub(crate) trait Sink {
    /// Says which tracks will come.
    fn expect(&mut self, audio: bool, video: bool);

    /// Takes a frame. Sound before the first picture is left out.
    fn write(&mut self, frame: &Frame) -> io::Result<()>;

    /// How much there is so far.
    fn length(&self) -> Duration;

    /// Writes what is left.
    fn finish(self: Box<Self>) -> io::Result<Written>;
}

/// Begins a file of the kind that its name says.
pub(crate) fn create(path: &Path) -> io::Result<Box<dyn Sink>> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("mkv") => Ok(Box::new(matroska::Matroska::new(File::create(path)?))),
        Some("h264" | "264") => Ok(Box::new(annexb::AnnexB::new(File::create(path)?))),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "only .mkv and .h264 can be written")),
    }
}

/// From the first to the latest time.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    begin: Option<StreamTime>,
    end: StreamTime,
}

impl Span {
    /// The distance of a time from the first one.
    fn at(&mut self, time: StreamTime) -> StreamTime {
        let since = time - *self.begin.get_or_insert(time);
        self.end = self.end.max(since);
        since
    }

    fn length(self) -> Duration {
        self.end.to_duration()
    }
}
