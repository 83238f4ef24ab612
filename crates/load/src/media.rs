//! What the load clients send: a pre-encoded FLV file, replayed in a loop with timestamps that go on.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use queqiao_media::flv::{AudioDemuxer, Reader, TagKind, VideoDemuxer};
use queqiao_media::frame::{AacFrame, AccessUnit};
use queqiao_media::time::StreamTime;
use queqiao_transcode::{AacToOpus, Application, OpusSettings};

use crate::Error;
use crate::mark::Clock;

/// Frames per second of the file.
pub const FPS: u64 = 15;
/// Frames from one keyframe to the next: three seconds.
pub const GOP: u64 = 45;
/// Sample rate of all sound.
pub const RATE: u64 = 48_000;
/// Samples of one AAC frame.
pub const AAC_SAMPLES: u64 = 1024;
/// Samples of one Opus packet.
pub const OPUS_SAMPLES: u64 = 960;

/// The longest loop: 24 s, which whole numbers of GOPs, AAC frames and Opus packets fill. In a shorter one sound and
/// pictures recur at times of their own.
const MAX_LOOP: usize = 360;

/// Three seconds (`media/README.md`).
static BUILT_IN: &[u8] = include_bytes!("../media/loop.flv");

/// One loop of media in every form that is sent.
pub struct Media {
    /// The FLV tag body of the video sequence header.
    pub video_header: Bytes,
    /// The FLV tag body of the audio sequence header.
    pub audio_header: Bytes,
    /// By which pictures are marked.
    pub clock: Clock,
    /// FLV tag bodies of the pictures, and the same as access units.
    pictures: Vec<(Bytes, AccessUnit)>,
    aac: Vec<AacFrame>,
    opus: Vec<Bytes>,
}

impl Media {
    /// What is built in.
    ///
    /// # Errors
    ///
    /// [`Error::Media`], never.
    pub fn built_in() -> Result<Self, Error> {
        Self::parse(BUILT_IN)
    }

    /// A file made by `media/encode.sh`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Media`] if it is of another kind.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::parse(&std::fs::read(path)?)
    }

    fn parse(file: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::default();
        reader.push(file)?;
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
        let gops = pictures.len().min(MAX_LOOP) as u64 / GOP;
        if gops == 0 {
            return Err(Error::Media("the file is shorter than a GOP"));
        }
        pictures.truncate(count(gops * GOP));
        let keys = pictures.iter().enumerate().filter(|(_, (_, unit))| unit.keyframe).map(|(i, _)| i as u64);
        if !keys.eq((0..gops).map(|gop| gop * GOP)) {
            return Err(Error::Media("its keyframes are not 45 pictures apart"));
        }
        let samples = gops * GOP * RATE / FPS;
        aac.truncate(count(samples / AAC_SAMPLES));
        Ok(Self {
            video_header: video_header.ok_or(Error::Media("it has no video sequence header"))?,
            audio_header: audio_header.ok_or(Error::Media("it has no audio sequence header"))?,
            clock: Clock::new(Instant::now()),
            opus: opus(&aac, count(samples / OPUS_SAMPLES))?,
            pictures,
            aac,
        })
    }

    /// The body of a video tag in three parts: its header, the mark, the picture. `index` is a place in the loop,
    /// `number` and `now` go into the mark.
    #[must_use]
    pub fn video_tag(&self, index: u64, number: u32, now: Instant) -> [Bytes; 3] {
        let Some((body, _)) = of(&self.pictures, index) else { return Default::default() };
        let sei = self.clock.mark(number, now).sei();
        let mut framed = BytesMut::with_capacity(4 + sei.len());
        framed.put_u32(u32::try_from(sei.len()).unwrap_or_default());
        framed.put_slice(&sei);
        let header = body.len().min(5);
        [body.slice(..header), framed.freeze(), body.slice(header..)]
    }

    /// The same picture as an access unit, to be shown at `time`.
    #[must_use]
    pub fn unit(&self, index: u64, number: u32, time: StreamTime, now: Instant) -> Option<AccessUnit> {
        let (_, unit) = of(&self.pictures, index)?;
        let mut unit = unit.clone();
        (unit.dts, unit.pts) = (time, time);
        unit.nals.insert(0, self.clock.mark(number, now).sei());
        Some(unit)
    }

    /// A raw AAC frame.
    #[must_use]
    pub fn aac(&self, index: u64) -> Bytes {
        of(&self.aac, index).map(|frame| frame.data.clone()).unwrap_or_default()
    }

    /// An Opus packet.
    #[must_use]
    pub fn opus(&self, index: u64) -> Bytes {
        of(&self.opus, index).cloned().unwrap_or_default()
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A place of the endless repetition of `list`.
fn of<T>(list: &[T], index: u64) -> Option<&T> {
    list.get(count(index.checked_rem(list.len() as u64)?))
}

/// The sound of the loop as a browser would send it: mono, about 32 kbit/s, for speech.
fn opus(aac: &[AacFrame], wanted: usize) -> Result<Vec<Bytes>, Error> {
    let settings = OpusSettings {
        application: Application::Voip,
        complexity: 9,
        bitrate_mono: 32_000,
        ..OpusSettings::default()
    };
    let mut transcoder = AacToOpus::new(settings)?;
    let mut packets = Vec::new();
    for (index, frame) in aac.iter().chain(aac.iter().take(4)).enumerate() {
        let micros = index as u64 * AAC_SAMPLES * 1_000_000 / RATE;
        let time = StreamTime::from_duration(Duration::from_micros(micros));
        transcoder.push(&AacFrame { time, ..frame.clone() }, &mut packets)?;
    }
    if packets.len() < wanted || wanted == 0 {
        return Err(Error::Media("its sound is shorter than its pictures"));
    }
    Ok(packets.into_iter().take(wanted).map(|packet| packet.data).collect())
}

/// What is due next in a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The picture with this number.
    Video(u64),
    /// The sound with this number.
    Audio(u64),
}

/// The pace of a live source: a picture every 1/15 s, and sound when the last of its samples has been recorded.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    samples: u64,
    video: u64,
    audio: u64,
}

impl Pace {
    /// `samples` of sound in one frame or packet.
    #[must_use]
    pub const fn new(samples: u64) -> Self {
        Self { samples, video: 0, audio: 0 }
    }

    /// What is due next, and how long after the start.
    #[must_use]
    pub fn next(&self) -> (Duration, Due) {
        let video = Duration::from_nanos(self.video * 1_000_000_000 / FPS);
        let audio = Duration::from_nanos((self.audio + 1) * self.samples * 1_000_000_000 / RATE);
        if video <= audio { (video, Due::Video(self.video)) } else { (audio, Due::Audio(self.audio)) }
    }

    /// To be called once that is sent.
    pub fn advance(&mut self, due: Due) {
        match due {
            Due::Video(_) => self.video += 1,
            Due::Audio(_) => self.audio += 1,
        }
    }
}

/// Which picture of the loop a publisher sends next. A keyframe that is asked for comes as the next picture, as a
/// browser's does.
#[derive(Clone, Copy, Debug)]
pub struct Playhead {
    next: u64,
    /// Pictures until the GOP after a keyframe that was asked for ends early. Many publishers are asked at the same
    /// moment, when somebody joins; without this their keyframes would come together from then on.
    cut: Option<u64>,
    share: u64,
}

impl Playhead {
    /// Begins with GOP number `gop` of the loop. `share` tells publishers apart.
    #[must_use]
    pub const fn new(gop: u64, share: u64) -> Self {
        // Multiples of the golden ratio are spread evenly, however many there are.
        Self { next: gop * GOP, cut: None, share: 1 + share * 28 % GOP }
    }

    /// The place of the next picture in the loop.
    pub fn advance(&mut self) -> u64 {
        self.cut = self.cut.map(|left| left.saturating_sub(1));
        if self.cut == Some(0) {
            self.cut = None;
            self.next = self.next.next_multiple_of(GOP);
        }
        let place = self.next;
        self.next += 1;
        place
    }

    /// The next picture is to be a keyframe.
    pub fn request_keyframe(&mut self) {
        self.next = self.next.next_multiple_of(GOP);
        self.cut = Some(self.share + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;

    #[test]
    fn the_built_in_media_are_a_loop_of_pictures_and_sound() {
        let media = Media::built_in().unwrap();
        assert_eq!((media.pictures.len(), media.aac.len(), media.opus.len()), (45, 140, 150));
        let now = Instant::now();
        let unit = media.unit(45 + 1, 9, StreamTime::new(5), now).unwrap();
        assert!(!unit.keyframe && media.unit(90, 9, StreamTime::new(5), now).unwrap().keyframe);
        assert_eq!(Mark::find(&unit.nals[0]).unwrap().number, 9);
        assert_eq!(media.aac(0), media.aac(140));
    }

    #[test]
    fn a_tag_holds_the_mark_between_its_header_and_the_picture() {
        let media = Media::built_in().unwrap();
        let [header, mark, picture] = media.video_tag(0, 3, Instant::now());
        assert_eq!(header[..2], [0x17, 1], "a keyframe of AVC");
        assert_eq!(mark[..4], u32::try_from(mark.len() - 4).unwrap().to_be_bytes());
        let mut demuxer = VideoDemuxer::default();
        demuxer.push(media.video_header.clone(), StreamTime::new(0)).unwrap();
        let body = Bytes::from([header, mark, picture].concat());
        let unit = demuxer.push(body, StreamTime::new(0)).unwrap().unwrap();
        assert_eq!(Mark::find(&unit.nals[0]).unwrap().number, 3);
    }

    #[test]
    fn sound_is_due_once_it_has_been_recorded_and_pictures_every_fifteenth_of_a_second() {
        let mut pace = Pace::new(OPUS_SAMPLES);
        let mut order = Vec::new();
        for _ in 0..6 {
            let (at, due) = pace.next();
            order.push((at.as_millis(), due));
            pace.advance(due);
        }
        let expected = [(0, Due::Video(0)), (20, Due::Audio(0)), (40, Due::Audio(1)), (60, Due::Audio(2))];
        assert_eq!(order[..4], expected);
        assert_eq!(order[4..], [(66, Due::Video(1)), (80, Due::Audio(3))]);
    }

    #[test]
    fn a_keyframe_that_is_asked_for_is_next_and_the_gop_after_it_is_cut_short() {
        let mut playhead = Playhead::new(0, 1);
        for expected in 0..10 {
            assert_eq!(playhead.advance(), expected);
        }
        playhead.request_keyframe();
        for expected in GOP..GOP + 29 {
            assert_eq!(playhead.advance(), expected);
        }
        for expected in 2 * GOP..4 * GOP {
            assert_eq!(playhead.advance(), expected, "whole GOPs from then on");
        }
    }
}
