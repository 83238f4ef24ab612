//! Pictures alone, as a byte stream (ITU-T H.264 annex B).

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use queqiao_media::h264::annexb;
use queqiao_peer::Frame;

use super::{Sink, Span, Written};

pub(super) struct AnnexB<W: Write> {
    out: BufWriter<W>,
    bytes: Vec<u8>,
    span: Span,
    written: Written,
}

impl<W: Write> AnnexB<W> {
    pub(super) fn new(out: W) -> Self {
        let out = BufWriter::new(out);
        Self { out, bytes: Vec::new(), span: Span::default(), written: Written::default() }
    }
}

impl<W: Write> Sink for AnnexB<W> {
    fn expect(&mut self, _audio: bool, _video: bool) {}

    fn write(&mut self, frame: &Frame) -> io::Result<()> {
        let Frame::Video(picture) = frame else { return Ok(()) };
        if self.written.pictures == 0 && !picture.keyframe {
            return Ok(());
        }
        self.bytes.clear();
        if picture.keyframe {
            annexb::write(picture.params.sps.iter().chain(&picture.params.pps), &mut self.bytes);
        }
        annexb::write(&picture.nals, &mut self.bytes);
        self.written.pictures += 1;
        self.span.at(picture.pts);
        self.out.write_all(&self.bytes)
    }

    fn length(&self) -> Duration {
        self.span.length()
    }

    fn finish(mut self: Box<Self>) -> io::Result<Written> {
        self.out.flush()?;
        Ok(self.written)
    }
}
