//! What a file holds, as it is sent: pictures and Opus, in a loop.

mod avc;
mod flv;
mod matroska;
mod mp4;
mod samples;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};
use queqiao_media::frame::{AacFrame, AccessUnit, OpusPacket};
use queqiao_media::opus::PacketInfo;
use queqiao_media::time::{AudioTicks, StreamTime};
use queqiao_transcode::{AacToOpus, OpusSettings};
use tokio::sync::mpsc;

use crate::exit::FileFault;

/// How many pictures and how many Opus packets are read ahead: more than files are interleaved coarsely.
const AHEAD: usize = 256;

/// How long the last picture of a file is shown if there is only one.
const LONE_PICTURE: StreamTime = StreamTime::new(40_000);

/// Which tracks there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) audio: bool,
    pub(crate) video: bool,
}

/// Something out of a file.
enum Sample {
    Video(AccessUnit),
    Opus(OpusPacket),
    Aac(AacFrame),
}

/// An open file.
enum Demuxer {
    Flv(Box<flv::FlvFile>),
    Matroska(Box<matroska::Mkv>),
    Mp4(Box<mp4::Mp4>),
}

impl Demuxer {
    fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path)?;
        let mut magic = [0; 8];
        file.read_exact(&mut magic).context("the file is empty")?;
        file.rewind()?;
        match magic {
            [b'F', b'L', b'V', ..] => Ok(Self::Flv(Box::new(flv::FlvFile::open(file)?))),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Ok(Self::Matroska(Box::new(matroska::Mkv::open(file)?))),
            [_, _, _, _, b'f', b't', b'y', b'p'] => Ok(Self::Mp4(Box::new(mp4::Mp4::open(file)?))),
            _ => bail!("neither MP4 nor FLV nor Matroska"),
        }
    }

    fn found(&self) -> Found {
        match self {
            Self::Flv(file) => file.found(),
            Self::Matroska(file) => file.found(),
            Self::Mp4(file) => file.found(),
        }
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        match self {
            Self::Flv(file) => file.next(),
            Self::Matroska(file) => file.next(),
            Self::Mp4(file) => file.next(),
        }
    }
}

/// The media of a file as they come out of a thread of their own. `end` says why they end.
pub(crate) struct Source {
    pub(crate) found: Found,
    pub(crate) video: mpsc::Receiver<AccessUnit>,
    pub(crate) audio: mpsc::Receiver<OpusPacket>,
    pub(crate) end: tokio::sync::oneshot::Receiver<Result<()>>,
}

/// Opens a file and begins to read it, again and again if `repeat`. The threads ends when nobody wants its media.
pub(crate) fn open(path: PathBuf, repeat: bool) -> Result<Source> {
    let fault = FileFault { path: path.display().to_string() };
    let demuxer = Demuxer::open(&path).context(fault)?;
    let found = demuxer.found();
    let (video_sender, video) = mpsc::channel(AHEAD);
    let (audio_sender, audio) = mpsc::channel(AHEAD);
    let (end_sender, end) = tokio::sync::oneshot::channel();
    let transcoder = AacToOpus::new(OpusSettings::default())?;
    let mut feeder = Feeder {
        video: video_sender,
        audio: audio_sender,
        transcoder,
        opus: Vec::new(),
        begin: None,
        shift: StreamTime::ZERO,
        end: StreamTime::ZERO,
        last_picture: None,
    };
    thread::Builder::new().name("file".to_owned()).spawn(move || {
        let result = feeder.run(&path, demuxer, repeat);
        let fault = FileFault { path: path.display().to_string() };
        // Fails when nobody waits for the end.
        let _ = end_sender.send(result.context(fault));
    })?;
    Ok(Source { found, video, audio, end })
}

/// Nobody wants the media any more.
struct Unwanted;

struct Feeder {
    video: mpsc::Sender<AccessUnit>,
    audio: mpsc::Sender<OpusPacket>,
    transcoder: AacToOpus,
    opus: Vec<OpusPacket>,
    /// The first time in the file: that of the timeline's beginning.
    begin: Option<StreamTime>,
    /// Added to the times of the file: the length of all rounds before.
    shift: StreamTime,
    /// When all that was sent has been seen and heard.
    end: StreamTime,
    last_picture: Option<StreamTime>,
}

impl Feeder {
    fn run(&mut self, path: &Path, mut demuxer: Demuxer, repeat: bool) -> Result<()> {
        loop {
            let before = self.end;
            while let Some(sample) = demuxer.next()? {
                if let Err(Unwanted) = self.sample(sample)? {
                    return Ok(());
                }
            }
            if !repeat {
                return Ok(());
            }
            if self.end <= before {
                bail!("there is nothing to repeat in it");
            }
            self.shift = self.end;
            self.last_picture = None;
            demuxer = Demuxer::open(path)?;
        }
    }

    fn sample(&mut self, sample: Sample) -> Result<Result<(), Unwanted>> {
        let first = match &sample {
            Sample::Video(picture) => picture.dts,
            Sample::Opus(packet) => packet.time,
            Sample::Aac(frame) => frame.time,
        };
        let move_by = self.shift - *self.begin.get_or_insert(first);
        Ok(match sample {
            Sample::Video(mut picture) => {
                picture.dts += move_by;
                picture.pts += move_by;
                self.picture(picture)
            }
            Sample::Opus(mut packet) => {
                packet.time += move_by;
                self.packet(packet)
            }
            Sample::Aac(mut frame) => {
                frame.time += move_by;
                let mut packets = std::mem::take(&mut self.opus);
                self.transcoder.push(&frame, &mut packets)?;
                let sent = packets.drain(..).try_for_each(|packet| self.packet(packet));
                self.opus = packets;
                sent
            }
        })
    }

    fn picture(&mut self, picture: AccessUnit) -> Result<(), Unwanted> {
        let step = self.last_picture.map_or(LONE_PICTURE, |last| picture.dts - last);
        self.last_picture = Some(picture.dts);
        self.end = self.end.max(picture.pts + step.max(StreamTime::ZERO));
        self.video.blocking_send(picture).map_err(|_| Unwanted)
    }

    fn packet(&mut self, packet: OpusPacket) -> Result<(), Unwanted> {
        let samples = PacketInfo::parse(&packet.data).map_or(0, |info| info.samples.into());
        self.end = self.end.max(packet.time + AudioTicks::new(samples).rescale());
        self.audio.blocking_send(packet).map_err(|_| Unwanted)
    }
}

#[cfg(test)]
mod tests;
