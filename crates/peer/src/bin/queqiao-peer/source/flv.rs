//! FLV files.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result, ensure};
use queqiao_media::flv::{AudioDemuxer, Reader, TagKind, VideoDemuxer};
use queqiao_media::time::{Millis, StreamTime};

use super::{Found, Sample};

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;

pub(super) struct FlvFile {
    file: File,
    reader: Reader,
    video: VideoDemuxer,
    audio: AudioDemuxer,
    found: Found,
    chunk: Box<[u8]>,
}

impl FlvFile {
    pub(super) fn open(mut file: File) -> Result<Self> {
        let mut header = [0; 9];
        file.read_exact(&mut header).context("the FLV header")?;
        let [_, _, _, _, flags, ..] = header;
        // Which tracks there are (Adobe Flash Video File Format Specification 10.1, E.2).
        let found = Found { audio: flags & 4 != 0, video: flags & 1 != 0 };
        ensure!(found.audio || found.video, "the FLV header speaks of no track");
        let mut reader = Reader::default();
        reader.push(&header)?;
        let chunk = vec![0; CHUNK].into_boxed_slice();
        let (video, audio) = (VideoDemuxer::default(), AudioDemuxer::default());
        Ok(Self { file, reader, video, audio, found, chunk })
    }

    pub(super) const fn found(&self) -> Found {
        self.found
    }

    pub(super) fn next(&mut self) -> Result<Option<Sample>> {
        loop {
            while let Some(tag) = self.reader.next_tag()? {
                let time: StreamTime = Millis::new(tag.timestamp.into()).rescale();
                let sample = match tag.kind {
                    TagKind::Video => self.video.push(tag.body, time)?.map(Sample::Video),
                    TagKind::Audio => self.audio.push(tag.body, time)?.map(Sample::Aac),
                    _ => None,
                };
                if sample.is_some() {
                    return Ok(sample);
                }
            }
            let read = self.file.read(&mut self.chunk)?;
            if read == 0 {
                return Ok(None);
            }
            self.reader.push(self.chunk.get(..read).unwrap_or_default())?;
        }
    }
}
