//! The pictures since the last keyframe, for those who join a stream that cannot be asked for a keyframe.

use crate::time::StreamTime;

/// The most bytes of a cached group of pictures: 13 s at 2.5 Mbit/s, more than any phone sends between keyframes.
pub const MAX_GOP_BYTES: usize = 4 << 20;

/// The most items of a cached group: 250 pictures (the longest group of x264's defaults) at 15 a second take 17 s,
/// in which 800 audio frames may be interleaved.
pub const MAX_GOP_ITEMS: usize = 1200;

/// Everything since the last keyframe, within bounds; [`MAX_GOP_BYTES`] and [`MAX_GOP_ITEMS`] by default.
///
/// A group that grows beyond either is dropped as a whole: part of one cannot be decoded. The next keyframe starts anew.
#[derive(Clone, Debug)]
pub struct GopCache<T> {
    items: Vec<T>,
    bytes: usize,
    complete: bool,
    max_bytes: usize,
    max_items: usize,
}

impl<T> Default for GopCache<T> {
    fn default() -> Self {
        Self::bounded(MAX_GOP_BYTES, MAX_GOP_ITEMS)
    }
}

impl<T> GopCache<T> {
    /// A cache of at most `max_items` items and `max_bytes` bytes. With a bound of zero it stays empty.
    #[must_use]
    pub const fn bounded(max_bytes: usize, max_items: usize) -> Self {
        Self { items: Vec::new(), bytes: 0, complete: false, max_bytes, max_items }
    }

    /// Adds an item of `bytes` bytes; a keyframe replaces all before it. Without a keyframe to start from, it is ignored.
    pub fn push(&mut self, item: T, bytes: usize, keyframe: bool) {
        if keyframe {
            self.clear();
            self.complete = true;
        }
        if !self.complete {
            return;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.max_bytes || self.items.len() >= self.max_items {
            // The memory goes too: a stream that overflows once does so in every group.
            *self = Self::bounded(self.max_bytes, self.max_items);
            return;
        }
        self.items.push(item);
    }

    /// Whether the cache holds all items since a keyframe.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.complete
    }

    /// The items in order, the keyframe first. None unless the cache is complete.
    pub fn items(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    /// How many items are cached.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is cached.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The bytes of the cached items, as they were given to [`push`](Self::push).
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets an empty cache go on within a group whose beginning is known elsewhere: it holds what comes from now on.
    pub const fn resume(&mut self) {
        self.complete = self.complete || self.items.is_empty();
    }

    /// Takes the items out, in order. The cache goes on within their group.
    pub fn drain(&mut self) -> std::vec::Drain<'_, T> {
        self.bytes = 0;
        self.items.drain(..)
    }

    /// Forgets everything; the next keyframe starts anew.
    pub fn clear(&mut self) {
        self.items.clear();
        self.bytes = 0;
        self.complete = false;
    }
}

/// Rewrites the times of a cached group so that they end where they did and follow each other in steps of `step`.
///
/// A viewer who joins then shows the last picture at once instead of playing the group from its start. With `floor`, the
/// last time that this viewer was already given, all times come after it: the steps shrink to fit, and if there is not
/// one microsecond for each, the group ends later than it did. Steps are at least one microsecond, so that the times
/// always increase strictly.
pub fn squeeze(times: &mut [StreamTime], step: StreamTime, floor: Option<StreamTime>) {
    let Some(&end) = times.last() else { return };
    let count = i64::try_from(times.len()).unwrap_or(i64::MAX);
    let mut step = step.get().max(1);
    let mut end = end.get();
    if let Some(floor) = floor.map(StreamTime::get) {
        step = step.min(end.saturating_sub(floor) / count).max(1);
        end = end.max(floor.saturating_add(count.saturating_mul(step)));
    }
    for (behind, time) in (0_i64..).zip(times.iter_mut().rev()) {
        *time = StreamTime::new(end.saturating_sub(behind.saturating_mul(step)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(cache: &GopCache<u32>) -> Vec<u32> {
        cache.items().copied().collect()
    }

    #[test]
    fn the_cache_begins_at_a_keyframe_and_starts_anew_at_the_next() {
        let mut cache = GopCache::default();
        cache.push(1, 10, false);
        assert!(!cache.is_complete());
        assert!(cache.is_empty());
        for (item, keyframe) in [(2, true), (3, false), (4, true), (5, false)] {
            cache.push(item, 10, keyframe);
        }
        assert!(cache.is_complete());
        assert_eq!((contents(&cache), cache.bytes(), cache.len()), (vec![4, 5], 20, 2));
    }

    #[test]
    fn a_group_with_too_many_items_is_dropped_until_the_next_keyframe() {
        let mut cache = GopCache::default();
        cache.push(0, 1, true);
        for item in 1..MAX_GOP_ITEMS {
            cache.push(u32::try_from(item).unwrap(), 1, false);
        }
        assert!(cache.is_complete());
        cache.push(1, 1, false);
        assert!(!cache.is_complete());
        cache.push(2, 1, false);
        assert_eq!(contents(&cache), []);
        cache.push(3, 1, true);
        assert_eq!(contents(&cache), [3]);
    }

    #[test]
    fn a_group_with_too_many_bytes_is_dropped() {
        let mut cache = GopCache::default();
        cache.push(0, MAX_GOP_BYTES, true);
        assert!(cache.is_complete());
        cache.push(1, 1, false);
        assert!(!cache.is_complete());
        cache.push(2, MAX_GOP_BYTES + 1, true);
        assert!(!cache.is_complete());
        cache.push(3, usize::MAX, true);
        assert_eq!(cache.bytes(), 0);
    }

    fn squeezed(times: &[i64], step: i64, floor: Option<i64>) -> Vec<i64> {
        let mut times: Vec<_> = times.iter().copied().map(StreamTime::new).collect();
        squeeze(&mut times, StreamTime::new(step), floor.map(StreamTime::new));
        times.into_iter().map(StreamTime::get).collect()
    }

    #[test]
    fn squeezed_times_end_where_they_did() {
        assert_eq!(
            squeezed(&[0, 40_000, 80_000, 120_000], 1_000, None),
            [117_000, 118_000, 119_000, 120_000]
        );
        assert_eq!(squeezed(&[5], 1_000, None), [5]);
        assert_eq!(squeezed(&[], 1_000, None), []);
        assert_eq!(squeezed(&[0, 9], 0, None), [8, 9]);
    }

    #[test]
    fn squeezed_times_stay_above_what_was_already_sent() {
        assert_eq!(squeezed(&[0, 50, 100], 10, Some(90)), [94, 97, 100]);
        assert_eq!(squeezed(&[0, 50, 100], 10, Some(20)), [80, 90, 100]);
        assert_eq!(squeezed(&[0, 50, 100], 10, Some(99)), [100, 101, 102]);
        assert_eq!(squeezed(&[0, 50, 100], 10, Some(500)), [501, 502, 503]);
    }
}
