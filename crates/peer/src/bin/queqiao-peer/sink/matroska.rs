//! Matroska files (RFC 9559) with H.264 and Opus.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use queqiao_media::frame::{AccessUnit, OpusPacket};
use queqiao_media::h264::{ParameterSets, avcc};
use queqiao_media::time::{Millis, StreamTime};
use queqiao_peer::Frame;

use super::ebml::{UNKNOWN_SIZE, binary, fraction, id, long_size, master, number, text};
use super::{Sink, Span, Written};

/// The longest cluster: players seek to clusters, and times within one have 16 bits.
const MAX_CLUSTER: Millis = Millis::new(2_000);

/// How much of a cluster is kept before it is written out: two seconds at 16 Mbit/s.
const MAX_CLUSTER_BYTES: usize = 4 << 20;

const VIDEO_TRACK: u8 = 1;
const AUDIO_TRACK: u8 = 2;

/// How long a decoder needs to be right after a seek (RFC 7845 section 4.6), in nanoseconds.
const SEEK_PRE_ROLL: u64 = 80_000_000;

/// Elements, by the names of RFC 9559.
mod element {
    pub(super) const EBML: u32 = 0x1a45_dfa3;
    pub(super) const DOC_TYPE: u32 = 0x4282;
    pub(super) const DOC_TYPE_VERSION: u32 = 0x4287;
    pub(super) const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const INFO: u32 = 0x1549_a966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
    pub(super) const MUXING_APP: u32 = 0x4d80;
    pub(super) const WRITING_APP: u32 = 0x5741;
    pub(super) const DURATION: u32 = 0x4489;
    pub(super) const TRACKS: u32 = 0x1654_ae6b;
    pub(super) const TRACK_ENTRY: u32 = 0xae;
    pub(super) const TRACK_NUMBER: u32 = 0xd7;
    pub(super) const TRACK_UID: u32 = 0x73c5;
    pub(super) const TRACK_TYPE: u32 = 0x83;
    pub(super) const FLAG_LACING: u32 = 0x9c;
    pub(super) const CODEC_ID: u32 = 0x86;
    pub(super) const CODEC_PRIVATE: u32 = 0x63a2;
    pub(super) const SEEK_PRE_ROLL: u32 = 0x56bb;
    pub(super) const VIDEO: u32 = 0xe0;
    pub(super) const PIXEL_WIDTH: u32 = 0xb0;
    pub(super) const PIXEL_HEIGHT: u32 = 0xba;
    pub(super) const AUDIO: u32 = 0xe1;
    pub(super) const SAMPLING_FREQUENCY: u32 = 0xb5;
    pub(super) const CHANNELS: u32 = 0x9f;
    pub(super) const CLUSTER: u32 = 0x1f43_b675;
    pub(super) const TIMESTAMP: u32 = 0xe7;
    pub(super) const SIMPLE_BLOCK: u32 = 0xa3;
}

/// The blocks that are written together.
#[derive(Default)]
struct Cluster {
    begin: Option<Millis>,
    blocks: Vec<u8>,
}

/// Where in the file what is only known at the end has its place.
struct Begun {
    segment_size: u64,
    segment: u64,
    duration: u64,
    params: Option<Arc<ParameterSets>>,
}

pub(super) struct Matroska<W: Write + Seek> {
    out: BufWriter<W>,
    audio: bool,
    video: bool,
    begun: Option<Begun>,
    cluster: Cluster,
    span: Span,
    written: Written,
}

impl<W: Write + Seek> Matroska<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out: BufWriter::new(out),
            audio: true,
            video: true,
            begun: None,
            cluster: Cluster::default(),
            span: Span::default(),
            written: Written::default(),
        }
    }

    fn picture(&mut self, picture: &AccessUnit) -> io::Result<()> {
        if self.begun.is_none() {
            if !picture.keyframe {
                return Ok(());
            }
            self.begin(Some(Arc::clone(&picture.params)))?;
        }
        let Some(begun) = &mut self.begun else { return Ok(()) };
        let mut data = Vec::new();
        // The header has the first sets. Others go along, from the keyframe on at which they change.
        let sets = &picture.params;
        if picture.keyframe && begun.params.as_ref().is_none_or(|first| first != sets) {
            begun.params = None;
            let sets: Vec<Bytes> = sets.sps.iter().chain(&sets.pps).cloned().collect();
            avcc::write(&sets, &mut data);
        }
        avcc::write(&picture.nals, &mut data);
        self.written.pictures += 1;
        self.block(VIDEO_TRACK, picture.pts, picture.keyframe, &data)
    }

    fn sound(&mut self, packet: &OpusPacket) -> io::Result<()> {
        if self.begun.is_none() && !self.video {
            self.begin(None)?;
        }
        // An empty packet stands for a lost one: players conceal a gap.
        if self.begun.is_none() || packet.data.is_empty() || !self.audio {
            return Ok(());
        }
        if self.span.begin.is_some_and(|begin| packet.time < begin) {
            return Ok(());
        }
        self.written.sounds += 1;
        self.block(AUDIO_TRACK, packet.time, true, &packet.data)
    }

    fn begin(&mut self, params: Option<Arc<ParameterSets>>) -> io::Result<()> {
        let mut head = Vec::new();
        master(element::EBML, &mut head, |out| {
            text(element::DOC_TYPE, "matroska", out);
            number(element::DOC_TYPE_VERSION, 4, out);
            number(element::DOC_TYPE_READ_VERSION, 2, out);
        });
        id(element::SEGMENT, &mut head);
        let segment_size = head.len() as u64;
        head.extend(UNKNOWN_SIZE);
        let segment = head.len() as u64;
        master(element::INFO, &mut head, |out| {
            number(element::TIMESTAMP_SCALE, 1_000_000, out);
            text(element::MUXING_APP, "queqiao-peer", out);
            text(element::WRITING_APP, "queqiao-peer", out);
            fraction(element::DURATION, 0.0, out);
        });
        // The last eight bytes so far are the fraction.
        let duration = head.len() as u64 - 8;
        master(element::TRACKS, &mut head, |out| {
            if let Some(params) = &params {
                video_track(params, out);
            }
            if self.audio {
                audio_track(out);
            }
        });
        self.out.write_all(&head)?;
        self.begun = Some(Begun { segment_size, segment, duration, params });
        Ok(())
    }

    fn block(&mut self, track: u8, time: StreamTime, keyframe: bool, data: &[u8]) -> io::Result<()> {
        let time: Millis = self.span.at(time).max(StreamTime::ZERO).rescale();
        let opens = keyframe && track == VIDEO_TRACK;
        let full = self.cluster.begin.is_some_and(|begin| time - begin >= MAX_CLUSTER);
        if opens || full || self.cluster.blocks.len() + data.len() > MAX_CLUSTER_BYTES {
            self.end_cluster()?;
        }
        let begin = *self.cluster.begin.get_or_insert(time);
        let offset = i16::try_from((time - begin).get()).unwrap_or(i16::MAX);
        let mut block = Vec::with_capacity(data.len() + 4);
        block.push(0x80 | track);
        block.extend(offset.to_be_bytes());
        block.push(if keyframe { 0x80 } else { 0 });
        block.extend_from_slice(data);
        binary(element::SIMPLE_BLOCK, &block, &mut self.cluster.blocks);
        Ok(())
    }

    fn end_cluster(&mut self) -> io::Result<()> {
        let Cluster { begin: Some(begin), blocks } = std::mem::take(&mut self.cluster) else { return Ok(()) };
        let mut cluster = Vec::with_capacity(blocks.len() + 32);
        master(element::CLUSTER, &mut cluster, |out| {
            number(element::TIMESTAMP, begin.get().max(0).unsigned_abs(), out);
            out.extend_from_slice(&blocks);
        });
        self.out.write_all(&cluster)
    }
}

impl<W: Write + Seek> Sink for Matroska<W> {
    fn expect(&mut self, audio: bool, video: bool) {
        (self.audio, self.video) = (audio, video);
    }

    fn write(&mut self, frame: &Frame) -> io::Result<()> {
        match frame {
            Frame::Video(picture) => self.picture(picture),
            Frame::Audio(packet) => self.sound(packet),
        }
    }

    fn length(&self) -> Duration {
        self.span.length()
    }

    fn finish(mut self: Box<Self>) -> io::Result<Written> {
        self.end_cluster()?;
        if let Some(begun) = &self.begun {
            let end = self.out.seek(SeekFrom::End(0))?;
            let duration: f64 = self.span.length().as_secs_f64() * 1000.0;
            self.out.seek(SeekFrom::Start(begun.duration))?;
            self.out.write_all(&duration.to_be_bytes())?;
            self.out.seek(SeekFrom::Start(begun.segment_size))?;
            self.out.write_all(&long_size(end - begun.segment))?;
        }
        self.out.flush()?;
        Ok(self.written)
    }
}

fn video_track(params: &ParameterSets, out: &mut Vec<u8>) {
    // Parameter sets that cannot be read can still be decoded; players then learn the size from the pictures.
    let (width, height) = params.info().map_or((1, 1), |info| (info.width, info.height));
    master(element::TRACK_ENTRY, out, |out| {
        number(element::TRACK_NUMBER, VIDEO_TRACK.into(), out);
        number(element::TRACK_UID, VIDEO_TRACK.into(), out);
        number(element::TRACK_TYPE, 1, out);
        number(element::FLAG_LACING, 0, out);
        text(element::CODEC_ID, "V_MPEG4/ISO/AVC", out);
        binary(element::CODEC_PRIVATE, &avcc::build(params), out);
        master(element::VIDEO, out, |out| {
            number(element::PIXEL_WIDTH, width.into(), out);
            number(element::PIXEL_HEIGHT, height.into(), out);
        });
    });
}

fn audio_track(out: &mut Vec<u8>) {
    // RFC 7845 section 5.1: version 1, two channels, nothing to skip, 48 kHz, no gain, mapping family 0.
    let mut head = b"OpusHead\x01\x02\0\0".to_vec();
    head.extend(48_000_u32.to_le_bytes());
    head.extend([0, 0, 0]);
    master(element::TRACK_ENTRY, out, |out| {
        number(element::TRACK_NUMBER, AUDIO_TRACK.into(), out);
        number(element::TRACK_UID, AUDIO_TRACK.into(), out);
        number(element::TRACK_TYPE, 2, out);
        number(element::FLAG_LACING, 0, out);
        text(element::CODEC_ID, "A_OPUS", out);
        binary(element::CODEC_PRIVATE, &head, out);
        number(element::SEEK_PRE_ROLL, SEEK_PRE_ROLL, out);
        master(element::AUDIO, out, |out| {
            fraction(element::SAMPLING_FREQUENCY, 48_000.0, out);
            number(element::CHANNELS, 2, out);
        });
    });
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use matroska_demuxer::{Frame as Block, MatroskaFile, TrackType};

    use super::*;

    const PACKET: &[u8] = &[0x78, 1, 2, 3];

    fn picture(millis: i64, keyframe: bool, level: u8) -> Frame {
        let sets = [Bytes::from(vec![0x67, 66, 0, level, 0x80]), Bytes::from_static(&[0x68, 0xc0])];
        let time = StreamTime::new(millis * 1000);
        Frame::Video(AccessUnit {
            dts: time,
            pts: time,
            keyframe,
            params: Arc::new(ParameterSets::parse(sets).unwrap()),
            nals: [Bytes::from_static(&[0x65, 1])].into_iter().collect(),
        })
    }

    fn sound(millis: i64, data: &'static [u8]) -> Frame {
        Frame::Audio(OpusPacket { time: StreamTime::new(millis * 1000), data: Bytes::from_static(data) })
    }

    /// Track, time, whether it is a keyframe, data.
    type Read = (u64, u64, bool, Vec<u8>);

    fn read(file: Vec<u8>) -> (MatroskaFile<Cursor<Vec<u8>>>, Vec<Read>) {
        let mut file = MatroskaFile::open(Cursor::new(file)).unwrap();
        let (mut blocks, mut block) = (Vec::new(), Block::default());
        while file.next_frame(&mut block).unwrap() {
            let keyframe = block.is_keyframe.unwrap_or(false);
            blocks.push((block.track, block.timestamp, keyframe, block.data.clone()));
        }
        (file, blocks)
    }

    /// Writes frames into memory that outlives the sink.
    fn written(frames: &[Frame], audio: bool, video: bool) -> (Vec<u8>, Written) {
        let path = std::env::temp_dir().join(format!("queqiao-peer-{:x}.mkv", rand::random::<u64>()));
        let file = std::fs::File::create(&path).unwrap();
        let mut sink = Box::new(Matroska::new(file));
        sink.expect(audio, video);
        for frame in frames {
            sink.write(frame).unwrap();
        }
        let written = sink.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        (bytes, written)
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        let frames = [
            sound(980, PACKET),
            picture(1000, true, 30),
            sound(1000, PACKET),
            sound(1020, &[]),
            picture(1040, false, 30),
            sound(1040, PACKET),
            picture(5000, false, 30),
        ];
        let (file, count) = written(&frames, true, true);
        assert_eq!(count, Written { pictures: 3, sounds: 2 });
        let (file, blocks) = read(file);
        let nal = || vec![0, 0, 0, 2, 0x65, 1];
        assert_eq!(
            blocks,
            [
                (1, 0, true, nal()),
                (2, 0, true, PACKET.to_vec()),
                (1, 40, false, nal()),
                (2, 40, true, PACKET.to_vec()),
                (1, 4000, false, nal()),
            ]
        );
        assert_eq!(file.info().duration(), Some(4000.0));
        let kinds: Vec<_> =
            file.tracks().iter().map(|track| (track.codec_id(), track.track_type())).collect();
        assert_eq!(kinds, [("V_MPEG4/ISO/AVC", TrackType::Video), ("A_OPUS", TrackType::Audio)]);
    }

    #[test]
    fn parameter_sets_that_change_go_along_with_keyframes() {
        let frames = [picture(0, true, 30), picture(40, true, 31), picture(80, true, 30)];
        let (_, blocks) = read(written(&frames, false, true).0);
        let lengths: Vec<usize> = blocks.iter().map(|block| block.3.len()).collect();
        assert_eq!(lengths, [6, 6 + 9 + 6, 6 + 9 + 6], "also when the first ones come back");
    }

    #[test]
    fn a_stream_of_sound_alone_needs_no_picture() {
        let (file, count) = written(&[sound(5, PACKET), sound(25, PACKET)], true, false);
        assert_eq!(count, Written { pictures: 0, sounds: 2 });
        let (file, blocks) = read(file);
        assert_eq!(file.tracks().len(), 1);
        assert_eq!(blocks.iter().map(|block| block.1).collect::<Vec<_>>(), [0, 20]);
    }

    #[test]
    fn a_file_without_pictures_stays_empty_where_there_should_be_some() {
        let (file, count) = written(&[sound(5, PACKET), picture(10, false, 30)], true, true);
        assert_eq!((file.len(), count), (0, Written::default()));
    }
}
