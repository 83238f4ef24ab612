//! Matroska files.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use matroska_demuxer::{Frame, MatroskaFile, TrackEntry, TrackType};
use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;

use super::avc::Pictures;
use super::{Found, Sample};

pub(super) struct Mkv {
    file: MatroskaFile<BufReader<File>>,
    /// Nanoseconds of a tick.
    scale: u64,
    video: Option<(u64, Pictures)>,
    audio: Option<Audio>,
    frame: Frame,
}

struct Audio {
    track: u64,
    /// What is heard earlier than its time says, in nanoseconds.
    delay: u64,
    /// None for Opus.
    aac: Option<Arc<aac::Config>>,
}

impl Mkv {
    pub(super) fn open(file: File) -> Result<Self> {
        let file = MatroskaFile::open(BufReader::new(file))?;
        let first = |kind| file.tracks().iter().find(|track| track.track_type() == kind);
        let video = first(TrackType::Video).map(pictures).transpose()?;
        let audio = first(TrackType::Audio).map(sound).transpose()?;
        let scale = file.info().timestamp_scale().get();
        Ok(Self { file, scale, video, audio, frame: Frame::default() })
    }

    pub(super) const fn found(&self) -> Found {
        Found { audio: self.audio.is_some(), video: self.video.is_some() }
    }

    pub(super) fn next(&mut self) -> Result<Option<Sample>> {
        while self.file.next_frame(&mut self.frame)? {
            let nanos = self.frame.timestamp.saturating_mul(self.scale);
            let data = std::mem::take(&mut self.frame.data);
            if let Some((track, pictures)) = &mut self.video
                && self.frame.track == *track
            {
                let time = time(nanos, 0);
                if let Some(picture) = pictures.picture(&Bytes::from(data), time, time)? {
                    return Ok(Some(Sample::Video(picture)));
                }
            } else if let Some(audio) = &self.audio
                && self.frame.track == audio.track
            {
                let (time, data) = (time(nanos, audio.delay), Bytes::from(data));
                return Ok(Some(match &audio.aac {
                    Some(config) => Sample::Aac(AacFrame { time, config: Arc::clone(config), data }),
                    None => Sample::Opus(OpusPacket { time, data }),
                }));
            }
        }
        Ok(None)
    }
}

fn time(nanos: u64, delay: u64) -> StreamTime {
    let micros = |nanos: u64| i64::try_from(nanos / 1000).unwrap_or(i64::MAX);
    StreamTime::new(micros(nanos)) - StreamTime::new(micros(delay))
}

fn private(track: &TrackEntry) -> Result<Bytes> {
    track.codec_private().map(Bytes::copy_from_slice).context("a track without its codec's configuration")
}

fn pictures(track: &TrackEntry) -> Result<(u64, Pictures)> {
    match track.codec_id() {
        "V_MPEG4/ISO/AVC" => Ok((track.track_number().get(), Pictures::new(&private(track)?)?)),
        other => Err(anyhow!("the pictures are {other}, not H.264")),
    }
}

fn sound(track: &TrackEntry) -> Result<Audio> {
    let aac = match track.codec_id() {
        "A_OPUS" => None,
        "A_AAC" => Some(Arc::new(aac::Config::parse(private(track)?)?)),
        other => bail!("the sound is {other}, neither AAC nor Opus"),
    };
    Ok(Audio { track: track.track_number().get(), delay: track.codec_delay().unwrap_or(0), aac })
}
