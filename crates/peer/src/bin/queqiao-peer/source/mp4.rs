//! MP4 files whose sample tables are in one place (ISO/IEC 14496-12).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use mp4_atom::{Atom, Avcc, Codec, DecodeAtom, FourCC, Header, Moov, ReadFrom, Trak};
use queqiao_media::aac;
use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::h264::ParameterSets;
use queqiao_media::h264::avcc::LengthSize;
use queqiao_media::time::StreamTime;

use super::avc::Pictures;
use super::samples::{Place, Samples};
use super::{Found, Sample};

/// The longest description of a film: that of some ten hours.
const MAX_MOOV_BYTES: u64 = 64 << 20;

/// The longest sample: as long as a picture may be that is received.
const MAX_SAMPLE_BYTES: u32 = 16 << 20;

const VIDEO: FourCC = FourCC::new(b"vide");
const AUDIO: FourCC = FourCC::new(b"soun");

pub(super) struct Mp4 {
    file: BufReader<File>,
    video: Option<(Samples, Pictures)>,
    /// The configuration of AAC; none for Opus.
    audio: Option<(Samples, Option<Arc<aac::Config>>)>,
}

impl Mp4 {
    pub(super) fn open(file: File) -> Result<Self> {
        let mut file = BufReader::new(file);
        let moov = find_moov(&mut file)?;
        let scale = moov.mvhd.timescale;
        let first = |kind| moov.trak.iter().find(|track| track.mdia.hdlr.handler == kind);
        let video = first(VIDEO).map(|track| Ok((Samples::new(track, scale)?, pictures(track)?)));
        let audio = first(AUDIO).map(|track| Ok((Samples::new(track, scale)?, sound(track)?)));
        let (video, audio): (Option<Result<_>>, Option<Result<_>>) = (video, audio);
        Ok(Self { file, video: video.transpose()?, audio: audio.transpose()? })
    }

    pub(super) const fn found(&self) -> Found {
        Found { audio: self.audio.is_some(), video: self.video.is_some() }
    }

    /// The next sample of both tracks, by time.
    pub(super) fn next(&mut self) -> Result<Option<Sample>> {
        loop {
            let video = self.video.as_mut().and_then(|(samples, _)| samples.peek());
            let audio = self.audio.as_mut().and_then(|(samples, _)| samples.peek());
            let is_video = match (video, audio) {
                (Some(video), Some(audio)) => video.dts <= audio.dts,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return Ok(None),
            };
            let sample = if is_video { self.picture()? } else { self.sound()? };
            if sample.is_some() {
                return Ok(sample);
            }
        }
    }

    fn picture(&mut self) -> Result<Option<Sample>> {
        let Some((samples, pictures)) = &mut self.video else { return Ok(None) };
        let Some(place) = samples.take() else { return Ok(None) };
        let data = read(&mut self.file, place)?;
        Ok(pictures.picture(&data, place.dts, place.pts)?.map(Sample::Video))
    }

    fn sound(&mut self) -> Result<Option<Sample>> {
        let Some((samples, config)) = &mut self.audio else { return Ok(None) };
        let Some(place) = samples.take() else { return Ok(None) };
        let (data, time) = (read(&mut self.file, place)?, place.pts);
        Ok(Some(match config {
            Some(config) => Sample::Aac(AacFrame { time, config: Arc::clone(config), data }),
            None => Sample::Opus(OpusPacket { time, data }),
        }))
    }
}

fn read(file: &mut BufReader<File>, place: Place) -> Result<Bytes> {
    ensure!(place.size <= MAX_SAMPLE_BYTES, "a sample of {} bytes", place.size);
    file.seek(SeekFrom::Start(place.offset))?;
    let mut data = vec![0; usize::try_from(place.size)?];
    file.read_exact(&mut data).context("the file is cut short")?;
    Ok(data.into())
}

fn find_moov(file: &mut BufReader<File>) -> Result<Moov> {
    loop {
        let header = Header::read_from(file).map_err(|_| anyhow!("an MP4 file without a moov box"))?;
        let size = header.size.context("a box without a size before the moov box")? as u64;
        if header.kind == Moov::KIND {
            ensure!(size <= MAX_MOOV_BYTES, "a moov box of {size} bytes");
            let mut body = vec![0; usize::try_from(size)?];
            file.read_exact(&mut body).context("the file is cut short")?;
            let moov = Moov::decode_atom(&header, &mut body.as_slice())?;
            ensure!(moov.mvex.is_none(), "the file is fragmented: remux it (ffmpeg -i IN -c copy OUT.mp4)");
            return Ok(moov);
        }
        file.seek_relative(i64::try_from(size)?)?;
    }
}

fn codec(track: &Trak) -> Result<&Codec> {
    track.mdia.minf.stbl.stsd.codecs.first().context("a track without a codec")
}

fn pictures(track: &Trak) -> Result<Pictures> {
    let avcc = match codec(track)? {
        Codec::Avc1(avc) => &avc.avcc,
        Codec::Avc3(avc) => &avc.avcc,
        _ => bail!("the pictures are not H.264"),
    };
    let Avcc { length_size, sequence_parameter_sets, picture_parameter_sets, .. } = avcc;
    let length_size = match length_size {
        1 => LengthSize::One,
        2 => LengthSize::Two,
        4 => LengthSize::Four,
        other => bail!("lengths of {other} bytes before NAL units"),
    };
    let nals = sequence_parameter_sets.iter().chain(picture_parameter_sets);
    Ok(Pictures::with(length_size, ParameterSets::parse(nals.map(|nal| Bytes::copy_from_slice(nal)))?))
}

fn sound(track: &Trak) -> Result<Option<Arc<aac::Config>>> {
    match codec(track)? {
        Codec::Opus(_) => Ok(None),
        Codec::Mp4a(aac) => {
            let specific = aac.esds.es_desc.dec_config.dec_specific.as_ref();
            let bytes = specific.map(|specific| Bytes::copy_from_slice(&specific.raw));
            let bytes = bytes.context("AAC without its configuration")?;
            Ok(Some(Arc::new(aac::Config::parse(bytes)?)))
        }
        _ => bail!("the sound is neither AAC nor Opus"),
    }
}

/// Micros of a count of ticks.
pub(super) fn stream_time(ticks: i64, timescale: u32) -> StreamTime {
    let micros = i128::from(ticks) * 1_000_000 / i128::from(timescale.max(1));
    StreamTime::new(i64::try_from(micros).unwrap_or(i64::MAX))
}
