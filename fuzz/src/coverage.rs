//! Which branches of the code ran, in a build that counts them.
//!
//! `scripts/fuzz.sh` builds with LLVM's SanitizerCoverage (its pass for inline 8-bit counters); every object file then
//! hands in its counters before `main`. In any other build there are none, and cases are judged by what their targets
//! tell alone.

use std::sync::Mutex;

/// The counters of one object file: address and length.
static REGIONS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// Called by the constructors that the compiler pass adds. The name is its choice.
///
/// # Safety
///
/// `start` to `stop` are bytes that live as long as the process.
#[unsafe(no_mangle)]
unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    let (start, stop) = (start.addr(), stop.addr());
    if let Ok(mut regions) = REGIONS.lock()
        && start < stop
        && regions.iter().all(|&(known, _)| known != start)
    {
        regions.push((start, stop - start));
    }
}

/// Forgets what ran so far.
pub(crate) fn reset() {
    for_each_region(|counters| counters.fill(0));
}

/// For every counter the magnitudes that it has reached, one bit each.
#[derive(Default)]
pub(crate) struct Seen {
    magnitudes: Vec<u8>,
    branches: usize,
}

impl Seen {
    /// Takes note of what ran since [`reset`]; true if any of it is new.
    pub(crate) fn add(&mut self) -> bool {
        let mut new = false;
        let mut from = 0;
        for_each_region(|counters| {
            let to = from + counters.len();
            if self.magnitudes.len() < to {
                self.magnitudes.resize(to, 0);
            }
            let seen = self.magnitudes.get_mut(from..to).unwrap_or_default();
            for (counters, seen) in counters.chunks(64).zip(seen.chunks_mut(64)) {
                // Nearly all are zero: this is as fast as memory.
                if counters.iter().fold(0, |any, counter| any | counter) == 0 {
                    continue;
                }
                for (&counter, seen) in counters.iter().zip(seen) {
                    let bit = magnitude(counter);
                    if bit & !*seen != 0 {
                        self.branches += usize::from(*seen == 0);
                        *seen |= bit;
                        new = true;
                    }
                }
            }
            from = to;
        });
        new
    }

    /// How many counters were ever above zero.
    pub(crate) const fn branches(&self) -> usize {
        self.branches
    }
}

const fn magnitude(counter: u8) -> u8 {
    match counter {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        _ => 128,
    }
}

fn for_each_region(mut visit: impl FnMut(&mut [u8])) {
    let Ok(regions) = REGIONS.lock() else { return };
    for &(start, length) in regions.iter() {
        let start = std::ptr::with_exposed_provenance_mut(start);
        // SAFETY: the compiler pass handed in this range, which is writable and lives as long as the process. Only
        // instrumented code touches it besides, and a torn count would be of no consequence.
        visit(unsafe { std::slice::from_raw_parts_mut(start, length) });
    }
}
