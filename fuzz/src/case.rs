//! Runs one input and judges how it went.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::time::{Duration, Instant};

use crate::coverage;
use crate::memory;
use crate::targets::Target;
use crate::trace::Trace;

/// Longer than this, a case counts as hanging. Sound cases stay a hundred times below, on a busy machine too.
pub(crate) const HANG: Duration = Duration::from_secs(5);

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What a case took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) time: Duration,
    /// Bytes held at once.
    pub(crate) memory: usize,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It panicked: message and place.
    Panic(String),
    /// It held more memory than its target allows.
    Memory { bytes: usize, limit: usize },
    /// It took longer than [`HANG`].
    Hang(Duration),
}

impl Failure {
    /// A short name for files.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Panic(_) => "panic",
            Self::Memory { .. } => "memory",
            Self::Hang(_) => "hang",
        }
    }

    /// Whether two inputs show the same fault: numbers in messages may differ, the place may not.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Panic(a), Self::Panic(b)) => place(a) == place(b),
            _ => self.kind() == other.kind(),
        }
    }
}

fn place(panic: &str) -> &str {
    panic.rsplit_once(" at ").map_or(panic, |(_, place)| place)
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic(what) => write!(formatter, "panic: {what}"),
            Self::Memory { bytes, limit } => write!(formatter, "held {bytes} bytes, and {limit} are allowed"),
            Self::Hang(time) => write!(formatter, "took {:.1} s", time.as_secs_f64()),
        }
    }
}

/// Runs `input` through `target`.
///
/// # Errors
///
/// What is wrong with the target.
pub(crate) fn run(target: &Target, input: &[u8], trace: &mut Trace) -> Result<Cost, Failure> {
    install_hook();
    trace.clear();
    PANIC.take();
    CATCHING.set(true);
    coverage::reset();
    let start = Instant::now();
    memory::start();
    let result = catch_unwind(AssertUnwindSafe(|| (target.run)(input, trace)));
    let cost = Cost { time: start.elapsed(), memory: memory::peak() };
    CATCHING.set(false);
    if result.is_err() {
        return Err(Failure::Panic(PANIC.take().unwrap_or_default()));
    }
    if cost.memory > target.memory {
        return Err(Failure::Memory { bytes: cost.memory, limit: target.memory });
    }
    if cost.time > HANG {
        return Err(Failure::Hang(cost.time));
    }
    Ok(cost)
}

/// Keeps what a panic within a case says, instead of printing it.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !CATCHING.get() {
                return previous(info);
            }
            let payload = info.payload();
            let message = payload.downcast_ref::<String>().map(String::as_str);
            let message = message.or(payload.downcast_ref::<&str>().copied()).unwrap_or_default();
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            PANIC.set(Some(format!("{message} at {place}")));
        }));
    });
}
