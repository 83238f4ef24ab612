//! Where the samples of an MP4 track are and when they are shown (ISO/IEC 14496-12 sections 8.6 and 8.7).

use anyhow::{Context, Result, ensure};
use mp4_atom::{CttsEntry, StscEntry, StszSamples, SttsEntry, Trak};
use queqiao_media::time::StreamTime;

use super::mp4::stream_time;

/// The most samples of a track: ten days of pictures.
const MAX_SAMPLES: usize = 1 << 25;

/// A sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) dts: StreamTime,
    pub(super) pts: StreamTime,
}

/// Goes through the samples of a track, without a list of them.
#[derive(Debug)]
pub(super) struct Samples {
    timescale: u32,
    /// What edits add to the times, in the track's ticks.
    shift: i64,
    sizes: StszSamples,
    durations: Runs<SttsEntry>,
    offsets: Runs<CttsEntry>,
    chunks: Vec<u64>,
    chunk_runs: Vec<StscEntry>,
    /// The number of the next sample, and of the chunk that it is in.
    index: usize,
    chunk: usize,
    /// What is left of that chunk, and where.
    left_in_chunk: u32,
    position: u64,
    time: i64,
    next: Option<Place>,
}

/// Values that hold for a number of samples each.
#[derive(Debug)]
struct Runs<T> {
    entries: std::vec::IntoIter<T>,
    value: i64,
    left: u32,
}

trait Run {
    fn run(&self) -> (u32, i64);
}

impl Run for SttsEntry {
    fn run(&self) -> (u32, i64) {
        (self.sample_count, self.sample_delta.into())
    }
}

impl Run for CttsEntry {
    fn run(&self) -> (u32, i64) {
        (self.sample_count, self.sample_offset)
    }
}

impl<T: Run> Runs<T> {
    fn new(entries: Vec<T>) -> Self {
        Self { entries: entries.into_iter(), value: 0, left: 0 }
    }

    /// The value for the next sample: the last one where there are no more.
    fn next(&mut self) -> i64 {
        while self.left == 0 {
            let Some(entry) = self.entries.next() else { return self.value };
            (self.left, self.value) = entry.run();
        }
        self.left -= 1;
        self.value
    }
}

impl Samples {
    /// `movie_scale`: ticks a second of the film.
    pub(super) fn new(track: &Trak, movie_scale: u32) -> Result<Self> {
        let table = &track.mdia.minf.stbl;
        let chunks: Vec<u64> = match (&table.stco, &table.co64) {
            (Some(short), _) => short.entries.iter().copied().map(u64::from).collect(),
            (None, Some(long)) => long.entries.clone(),
            (None, None) => Vec::new(),
        };
        let count = match &table.stsz.samples {
            StszSamples::Identical { count, .. } => usize::try_from(*count)?,
            StszSamples::Different { sizes } => sizes.len(),
        };
        ensure!(count <= MAX_SAMPLES, "a track of {count} samples");
        let timescale = track.mdia.mdhd.timescale;
        let mut samples = Self {
            timescale,
            shift: shift(track, movie_scale),
            sizes: table.stsz.samples.clone(),
            durations: Runs::new(table.stts.entries.clone()),
            offsets: Runs::new(table.ctts.as_ref().map(|ctts| ctts.entries.clone()).unwrap_or_default()),
            chunks,
            chunk_runs: table.stsc.entries.clone(),
            index: 0,
            chunk: 0,
            left_in_chunk: 0,
            position: 0,
            time: 0,
            next: None,
        };
        samples.next = samples.advance();
        samples.next.context("a track without samples")?;
        Ok(samples)
    }

    pub(super) const fn peek(&self) -> Option<Place> {
        self.next
    }

    pub(super) fn take(&mut self) -> Option<Place> {
        let place = self.next.take();
        self.next = self.advance();
        place
    }

    fn advance(&mut self) -> Option<Place> {
        let size = match &self.sizes {
            StszSamples::Identical { count, size } => {
                (self.index < usize::try_from(*count).ok()?).then_some(*size)?
            }
            StszSamples::Different { sizes } => *sizes.get(self.index)?,
        };
        while self.left_in_chunk == 0 {
            self.position = *self.chunks.get(self.chunk)?;
            self.chunk += 1;
            self.left_in_chunk = self.in_chunk(self.chunk);
        }
        let dts = self.time.saturating_add(self.shift);
        let pts = dts.saturating_add(self.offsets.next());
        let place = Place {
            offset: self.position,
            size,
            dts: stream_time(dts, self.timescale),
            pts: stream_time(pts, self.timescale),
        };
        self.index += 1;
        self.left_in_chunk -= 1;
        self.position = self.position.saturating_add(size.into());
        self.time = self.time.saturating_add(self.durations.next());
        Some(place)
    }

    /// How many samples the chunk of this number has; chunks are counted from 1.
    fn in_chunk(&self, chunk: usize) -> u32 {
        let begun = |run: &&StscEntry| usize::try_from(run.first_chunk).is_ok_and(|first| first <= chunk);
        self.chunk_runs.iter().take_while(begun).last().map_or(0, |run| run.samples_per_chunk)
    }
}

/// What the edit list adds: empty edits put a track later, a beginning within the media puts it earlier.
fn shift(track: &Trak, movie_scale: u32) -> i64 {
    let edits = track.edts.as_ref().and_then(|edts| edts.elst.as_ref());
    let mut shift = 0_i64;
    for edit in edits.into_iter().flat_map(|list| &list.entries) {
        match edit.media_time {
            None => {
                let ticks = u128::from(edit.segment_duration) * u128::from(track.mdia.mdhd.timescale)
                    / u128::from(movie_scale.max(1));
                shift = shift.saturating_add(i64::try_from(ticks).unwrap_or(i64::MAX));
            }
            Some(begin) => return shift.saturating_sub(i64::try_from(begin).unwrap_or(i64::MAX)),
        }
    }
    shift
}

#[cfg(test)]
mod tests {
    use mp4_atom::{Co64, Ctts, Stco, Stsc, Stsz, Stts};

    use super::*;

    fn track() -> Trak {
        let mut track = Trak::default();
        track.mdia.mdhd.timescale = 1000;
        let table = &mut track.mdia.minf.stbl;
        table.stsz = Stsz { samples: StszSamples::Different { sizes: vec![10, 20, 30, 40] } };
        table.stco = Some(Stco { entries: vec![100, 1000] });
        table.stsc = Stsc {
            entries: vec![
                StscEntry { first_chunk: 1, samples_per_chunk: 3, sample_description_index: 1 },
                StscEntry { first_chunk: 2, samples_per_chunk: 1, sample_description_index: 1 },
            ],
        };
        let durations = [(2, 40), (2, 50)];
        let entry = |(sample_count, sample_delta)| SttsEntry { sample_count, sample_delta };
        table.stts = Stts { entries: durations.map(entry).to_vec() };
        track
    }

    fn places(track: &Trak) -> Vec<(u64, u32, i64, i64)> {
        let mut samples = Samples::new(track, 1000).unwrap();
        let place = |place: Place| (place.offset, place.size, place.dts.get() / 1000, place.pts.get() / 1000);
        std::iter::from_fn(|| samples.take()).map(place).collect()
    }

    #[test]
    fn samples_lie_one_behind_the_other_in_their_chunks() {
        let expected = [(100, 10, 0, 0), (110, 20, 40, 40), (130, 30, 80, 80), (1000, 40, 130, 130)];
        assert_eq!(places(&track()), expected);
    }

    #[test]
    fn composition_offsets_and_edits_move_times() {
        let mut track = track();
        let entries = vec![CttsEntry { sample_count: 4, sample_offset: 80 }];
        track.mdia.minf.stbl.ctts = Some(Ctts { entries });
        let edit = |media_time, segment_duration| mp4_atom::ElstEntry {
            segment_duration,
            media_time,
            ..Default::default()
        };
        let elst = mp4_atom::Elst { entries: vec![edit(None, 20), edit(Some(80), 1000)] };
        track.edts = Some(mp4_atom::Edts { elst: Some(elst) });
        assert_eq!(places(&track)[0], (100, 10, -60, 20));
    }

    #[test]
    fn tables_that_contradict_each_other_end_early() {
        let mut one = track();
        one.mdia.minf.stbl.stco = None;
        one.mdia.minf.stbl.co64 = Some(Co64 { entries: vec![5] });
        assert_eq!(places(&one).len(), 3, "there is one chunk of three samples");
        let mut none = track();
        none.mdia.minf.stbl.stsc = Stsc { entries: Vec::new() };
        assert!(Samples::new(&none, 1000).is_err());
    }
}
