//! Runs a target over and over, and keeps what does something new.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::case::{self, Cost, Failure, HANG};
use crate::corpus;
use crate::mutate::Mutator;
use crate::rng::{Rng, hash};
use crate::targets::Target;
use crate::trace::{Seen, Trace};

/// The most inputs that a run keeps in memory; the oldest found go first.
const MAX_KEPT: usize = 3000;
/// Different faults after which a run ends: more would be the same few in other clothes.
const MAX_FAULTS: usize = 10;
/// Cases spent on making a failing input smaller.
const MAX_SHRINK_CASES: usize = 2000;
/// Time spent on it.
const MAX_SHRINK_TIME: Duration = Duration::from_secs(10);

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Elapsed(Duration),
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for the tests, which are not to depend on the machine's speed")
    )]
    Cases(u64),
}

/// A fault and the file that shows it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) failure: Failure,
    pub(crate) path: PathBuf,
}

/// What a run did.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) cases: u64,
    pub(crate) elapsed: Duration,
    /// Inputs that did something new, those from the corpus among them.
    pub(crate) kept: usize,
    pub(crate) features: usize,
    pub(crate) branches: usize,
    pub(crate) slowest: Duration,
    /// Cases beyond the target's budget of time. Not a fault: the machine may have been busy.
    pub(crate) slow: u64,
    /// The most bytes held by a case.
    pub(crate) memory: usize,
    pub(crate) faults: Vec<Fault>,
}

/// Fuzzes `target`. The same seed gives the same cases, as long as the run is not cut off elsewhere.
///
/// # Errors
///
/// If the corpus cannot be read, or a failing input cannot be written.
pub(crate) fn fuzz(target: &Target, until: Until, seed: u64) -> Result<Report> {
    let mut run = Run::new(target);
    if target.native {
        run.record()?;
    }
    let start = Instant::now();
    let mut base: Vec<Vec<u8>> = (target.seeds)();
    base.extend(corpus::load(&corpus::corpus_dir(target))?.into_iter().map(|entry| entry.input));
    base.push(Vec::new());
    for input in base.clone() {
        if run.case(&input)? {
            run.found.push_back(input);
        }
    }
    let rng = Rng::new(seed ^ hash(target.name.as_bytes()));
    let mut mutator = Mutator { rng, dictionary: target.dictionary, max_len: target.max_len };
    while run.report.faults.len() < MAX_FAULTS && !is_over(until, start, run.report.cases) {
        let (first, other) =
            (choose(&mut mutator.rng, &base, &run.found), choose(&mut mutator.rng, &base, &run.found));
        let input = mutator.mutate(first, other);
        if run.case(&input)? {
            run.found.push_back(input);
            if run.found.len() > MAX_KEPT {
                run.found.pop_front();
            }
        }
    }
    run.report.elapsed = start.elapsed();
    run.finish()
}

fn is_over(until: Until, start: Instant, cases: u64) -> bool {
    match until {
        Until::Elapsed(time) => cases.is_multiple_of(16) && start.elapsed() >= time,
        Until::Cases(count) => cases >= count,
    }
}

/// What came with the corpus, what was found, or what was found last.
fn choose<'a>(rng: &mut Rng, base: &'a [Vec<u8>], found: &'a VecDeque<Vec<u8>>) -> &'a [u8] {
    let index = match rng.below(4) {
        0 => None,
        1 => Some(found.len().saturating_sub(1 + rng.below(found.len().min(32)))),
        _ => Some(rng.below(found.len())),
    };
    let input = index.and_then(|index| found.get(index)).or_else(|| rng.pick(base));
    input.map(Vec::as_slice).unwrap_or_default()
}

/// Runs one input alone.
///
/// # Errors
///
/// What is wrong with the target.
pub(crate) fn replay(target: &Target, input: &[u8]) -> Result<Cost, Failure> {
    let mut run = Run::new(target);
    run.warm_up();
    run.once(input)
}

/// The case under way, for the watchdog.
#[derive(Default)]
struct Current {
    since: Option<Instant>,
    input: Vec<u8>,
}

struct Run<'a> {
    target: &'a Target,
    trace: Trace,
    seen: Seen,
    found: VecDeque<Vec<u8>>,
    report: Report,
    current: Arc<Mutex<Current>>,
    /// Dropping it ends the watchdog.
    _watched: mpsc::Sender<()>,
    record: Option<File>,
}

impl<'a> Run<'a> {
    fn new(target: &'a Target) -> Self {
        let current = Arc::default();
        Self {
            target,
            trace: Trace::default(),
            seen: Seen::default(),
            found: VecDeque::new(),
            report: Report::default(),
            _watched: watch(target.name, Arc::clone(&current)),
            current,
            record: None,
        }
    }

    /// From now on every input is on disk before it runs.
    fn record(&mut self) -> Result<()> {
        fs::create_dir_all(corpus::artifacts_dir(self.target))
            .context("cannot make the directory of artifacts")?;
        let file =
            File::create(corpus::current_file(self.target)).context("cannot record the case under way")?;
        self.record = Some(file);
        Ok(())
    }

    /// Runs a case; true if it did something new.
    fn case(&mut self, input: &[u8]) -> Result<bool> {
        if self.report.cases == 0 {
            self.warm_up();
        }
        let result = self.once(input);
        let report = &mut self.report;
        report.cases += 1;
        match result {
            Ok(cost) => {
                report.slowest = report.slowest.max(cost.time);
                report.slow += u64::from(cost.time > self.target.budget);
                report.memory = report.memory.max(cost.memory);
                Ok(self.seen.add(&self.trace))
            }
            Err(failure) => {
                if !report.faults.iter().any(|fault| fault.failure.is_like(&failure)) {
                    let input = self.shrink(input.to_vec(), &failure);
                    let path = corpus::save_artifact(self.target, failure.kind(), &input)?;
                    self.report.faults.push(Fault { failure, path });
                }
                Ok(false)
            }
        }
    }

    /// What is made once and kept belongs to no case.
    fn warm_up(&mut self) {
        let _ = self.once(&[]);
    }

    fn once(&mut self, input: &[u8]) -> Result<Cost, Failure> {
        if let Some(file) = &mut self.record {
            // A failure to record costs the input of a crash, and no more.
            let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(input));
            let _ = file.set_len(u64::try_from(input.len()).unwrap_or_default());
        }
        {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            current.input.clear();
            current.input.extend_from_slice(input);
            current.since = Some(Instant::now());
        }
        let result = case::run(self.target, input, &mut self.trace);
        self.current.lock().unwrap_or_else(PoisonError::into_inner).since = None;
        result
    }

    /// A smaller input with the same fault: takes out blocks, large ones first.
    fn shrink(&mut self, mut input: Vec<u8>, failure: &Failure) -> Vec<u8> {
        let start = Instant::now();
        let mut cases = 0;
        let mut block = input.len() / 2;
        while block > 0 {
            let mut at = 0;
            while at < input.len() {
                if cases == MAX_SHRINK_CASES || start.elapsed() > MAX_SHRINK_TIME {
                    return input;
                }
                cases += 1;
                let mut smaller = input.clone();
                smaller.drain(at..(at + block).min(input.len()));
                match self.once(&smaller) {
                    Err(other) if other.is_like(failure) => input = smaller,
                    _ => at += block,
                }
            }
            block /= 2;
        }
        input
    }

    fn finish(mut self) -> Result<Report> {
        if self.record.take().is_some() {
            fs::remove_file(corpus::current_file(self.target)).context("cannot remove the record")?;
        }
        self.report.kept = self.found.len();
        self.report.features = self.seen.features();
        self.report.branches = self.seen.branches();
        Ok(self.report)
    }
}

/// Ends the process, with the input saved, when a case hangs.
fn watch(target: &'static str, current: Arc<Mutex<Current>>) -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        while receiver.recv_timeout(Duration::from_millis(500)) == Err(RecvTimeoutError::Timeout) {
            let current = current.lock().unwrap_or_else(PoisonError::into_inner);
            // A little more than the limit: a case that ends by itself is reported in the ordinary way.
            if current.since.is_none_or(|since| since.elapsed() < HANG + HANG / 2) {
                continue;
            }
            let saved = corpus::by_name(target)
                .and_then(|target| corpus::save_artifact(target, "hang", &current.input));
            let text = match saved {
                Ok(path) => format!("{target} hangs; to see it again:\n    {}", corpus::command(&path)),
                Err(error) => format!("{target} hangs, and the input could not be saved: {error:#}"),
            };
            let _ = writeln!(std::io::stderr(), "{text}");
            std::process::exit(2);
        }
    });
    sender
}
