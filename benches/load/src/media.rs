//! What the load clients send: one pre-encoded FLV file, replayed in a loop with timestamps that go on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use queqiao_media::flv::{AudioDemuxer, Reader, TagKind, VideoDemuxer};
use queqiao_media::frame::{AacFrame, AccessUnit};
use queqiao_media::time::StreamTime;
use queqiao_transcode::{AacToOpus, Application, OpusSettings};

/// Frames per second of the file.
pub(crate) const FPS: u64 = 15;
/// Frames from one keyframe to the next: three seconds.
pub(crate) const GOP: u64 = 45;
/// Sample rate of all sound.
pub(crate) const RATE: u64 = 48_000;
/// Samples of one AAC frame.
pub(crate) const AAC_SAMPLES: u64 = 1024;
/// Samples of one Opus packet.
pub(crate) const OPUS_SAMPLES: u64 = 960;
/// Pictures of the loop: 24 s, which whole numbers of GOPs, AAC frames and Opus packets fill.
const LOOP_FRAMES: usize = 360;
const LOOP_AAC: usize = 1125;
const LOOP_OPUS: usize = 1200;

/// Names the SEI message that carries a frame's number (H.264 section D.1.7: user data, unregistered).
const MARK: [u8; 16] = *b"queqiao-bench-no";
/// How far into a payload the message is looked for. It comes first in a picture.
const MARK_REACH: usize = 512;

/// One loop of media in every form that is sent.
pub(crate) struct Media {
    /// FLV tag bodies of the sequence headers.
    pub(crate) video_header: Bytes,
    pub(crate) audio_header: Bytes,
    /// FLV tag bodies of the pictures, and the same as access units.
    pictures: Vec<(Bytes, AccessUnit)>,
    aac: Vec<AacFrame>,
    opus: Vec<Bytes>,
}

impl Media {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let file = std::fs::read(path).with_context(|| path.display().to_string())?;
        let mut reader = Reader::default();
        reader.push(&file)?;
        let (mut video, mut audio) = (VideoDemuxer::default(), AudioDemuxer::default());
        let (mut video_header, mut audio_header) = (None, None);
        let (mut pictures, mut aac) = (Vec::new(), Vec::new());
        while let Some(tag) = reader.next_tag()? {
            let time = StreamTime::new(i64::from(tag.timestamp) * 1000);
            match tag.kind {
                TagKind::Video => match video.push(tag.body.clone(), time)? {
                    Some(unit) => pictures.push((tag.body, unit)),
                    None => video_header = video_header.or(Some(tag.body)),
                },
                TagKind::Audio => match audio.push(tag.body.clone(), time)? {
                    Some(frame) => aac.push(frame),
                    None => audio_header = audio_header.or(Some(tag.body)),
                },
                TagKind::Script => {}
            }
        }
        ensure!(pictures.len() >= LOOP_FRAMES && aac.len() >= LOOP_AAC, "the media file is too short");
        pictures.truncate(LOOP_FRAMES);
        aac.truncate(LOOP_AAC);
        let keys = pictures.iter().enumerate().filter(|(_, (_, unit))| unit.keyframe).map(|(i, _)| i as u64);
        ensure!(keys.eq((0..LOOP_FRAMES as u64).step_by(45)), "keyframes are not {GOP} frames apart");
        Ok(Self {
            video_header: video_header.context("no video sequence header")?,
            audio_header: audio_header.context("no audio sequence header")?,
            opus: opus(&aac)?,
            pictures,
            aac,
        })
    }

    /// The body of a video tag in three parts: its header, the marked SEI, the picture.
    pub(crate) fn video_tag(&self, index: u64, number: u32) -> [Bytes; 3] {
        let Some((body, _)) = self.pictures.get(wrap(index, LOOP_FRAMES)) else { return Default::default() };
        let sei = sei(number);
        let mut framed = BytesMut::with_capacity(4 + sei.len());
        framed.put_u32(u32::try_from(sei.len()).unwrap_or_default());
        framed.put_slice(&sei);
        let header = body.len().min(5);
        [body.slice(..header), framed.freeze(), body.slice(header..)]
    }

    /// The same picture as an access unit, to be shown at `time`.
    pub(crate) fn unit(&self, index: u64, number: u32, time: StreamTime) -> Option<AccessUnit> {
        let (_, unit) = self.pictures.get(wrap(index, LOOP_FRAMES))?;
        let mut unit = unit.clone();
        (unit.dts, unit.pts) = (time, time);
        unit.nals.insert(0, sei(number));
        Some(unit)
    }

    /// A raw AAC frame.
    pub(crate) fn aac(&self, index: u64) -> Bytes {
        self.aac.get(wrap(index, LOOP_AAC)).map(|frame| frame.data.clone()).unwrap_or_default()
    }

    /// An Opus packet.
    pub(crate) fn opus(&self, index: u64) -> Bytes {
        self.opus.get(wrap(index, LOOP_OPUS)).cloned().unwrap_or_default()
    }
}

fn wrap(index: u64, length: usize) -> usize {
    usize::try_from(index % length as u64).unwrap_or_default()
}

/// The sound of the loop as a browser would send it: mono, about 32 kbit/s, for speech.
fn opus(aac: &[AacFrame]) -> Result<Vec<Bytes>> {
    let settings = OpusSettings {
        application: Application::Voip,
        complexity: 9,
        bitrate_mono: 32_000,
        ..OpusSettings::default()
    };
    let mut transcoder = AacToOpus::new(settings)?;
    let mut packets = Vec::new();
    for (index, frame) in aac.iter().chain(aac.iter().take(4)).enumerate() {
        let time = StreamTime::new(i64::try_from(index as u64 * AAC_SAMPLES * 1_000_000 / RATE)?);
        transcoder.push(&AacFrame { time, ..frame.clone() }, &mut packets)?;
    }
    ensure!(packets.len() >= LOOP_OPUS, "too few Opus packets");
    Ok(packets.into_iter().take(LOOP_OPUS).map(|packet| packet.data).collect())
}

/// An SEI NAL unit with a frame number, in digits, which need no emulation prevention.
fn sei(number: u32) -> Bytes {
    let mut nal = BytesMut::with_capacity(28);
    nal.put_slice(&[6, 5, 24]);
    nal.put_slice(&MARK);
    nal.put_slice(format!("{number:08}").as_bytes());
    nal.put_u8(0x80);
    nal.freeze()
}

/// The frame number in an RTP payload or a video tag.
pub(crate) fn marked(payload: &[u8]) -> Option<u32> {
    let reach = payload.get(..payload.len().min(MARK_REACH))?;
    let at = reach.windows(MARK.len()).position(|window| window == MARK)?;
    std::str::from_utf8(payload.get(at + MARK.len()..)?.get(..8)?).ok()?.parse().ok()
}

/// What is due next in a replay.
#[derive(Clone, Copy)]
pub(crate) enum Due {
    /// The picture with this number.
    Video(u64),
    /// The sound with this number.
    Audio(u64),
}

/// The pace of a live source: a picture every 1/15 s, and sound when the last of its samples has been recorded.
pub(crate) struct Pace {
    samples: u64,
    video: u64,
    audio: u64,
}

impl Pace {
    /// `samples` of sound in one frame or packet.
    pub(crate) fn new(samples: u64) -> Self {
        Self { samples, video: 0, audio: 0 }
    }

    /// What is due next, and how long after the start.
    pub(crate) fn next(&self) -> (Duration, Due) {
        let video = Duration::from_nanos(self.video * 1_000_000_000 / FPS);
        let audio = Duration::from_nanos((self.audio + 1) * self.samples * 1_000_000_000 / RATE);
        if video <= audio { (video, Due::Video(self.video)) } else { (audio, Due::Audio(self.audio)) }
    }

    /// To be called once that is sent.
    pub(crate) fn advance(&mut self, due: Due) {
        match due {
            Due::Video(_) => self.video += 1,
            Due::Audio(_) => self.audio += 1,
        }
    }
}

/// When numbered things were sent or arrived. The first time of a number counts.
#[derive(Clone, Default)]
pub(crate) struct Times(Arc<Mutex<HashMap<u64, Instant>>>);

impl Times {
    pub(crate) fn note(&self, number: u64, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_insert(at);
    }

    pub(crate) fn any(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn copy(&self) -> HashMap<u64, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
