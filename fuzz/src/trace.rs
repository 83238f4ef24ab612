//! What a case did: the guide to inputs that are worth keeping.

use std::collections::HashSet;
use std::fmt::Display;

use crate::coverage;
use crate::rng::{hash, mix};

/// What of an error's text tells it from others; numbers are left out.
const ERROR_TEXT: usize = 60;

/// The features of one case, told by its target.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    features: Vec<u64>,
    last: u64,
}

impl Trace {
    pub(crate) fn clear(&mut self) {
        self.features.clear();
        self.last = 0;
    }

    /// Notes that something happened, with its size or count: small values as they are, large ones by their magnitude.
    pub(crate) fn note(&mut self, what: &str, value: u64) {
        let magnitude = if value <= 16 { value } else { 16 + u64::from(value.ilog2()) };
        self.add(hash(what.as_bytes()) ^ mix(magnitude));
    }

    pub(crate) fn count(&mut self, what: &str, value: usize) {
        self.note(what, u64::try_from(value).unwrap_or(u64::MAX));
    }

    /// Notes the kind of an error.
    pub(crate) fn error(&mut self, error: &impl Display) {
        let text = error.to_string();
        let bytes = text.bytes().filter(|byte| !byte.is_ascii_digit()).take(ERROR_TEXT);
        self.add(hash(&bytes.collect::<Vec<_>>()));
    }

    /// The feature by itself, and after the one before it.
    fn add(&mut self, feature: u64) {
        self.features.push(feature);
        self.features.push(feature ^ self.last.rotate_left(7));
        self.last = feature;
    }
}

/// Everything that a run has seen.
#[derive(Default)]
pub(crate) struct Seen {
    features: HashSet<u64>,
    code: coverage::Seen,
}

impl Seen {
    /// Takes note of a case; true if any of it is new.
    pub(crate) fn add(&mut self, trace: &Trace) -> bool {
        let before = self.features.len();
        self.features.extend(&trace.features);
        // Not lazily: the counters have to be taken in any case.
        self.code.add() | (self.features.len() > before)
    }

    pub(crate) fn features(&self) -> usize {
        self.features.len()
    }

    pub(crate) fn branches(&self) -> usize {
        self.code.branches()
    }
}
