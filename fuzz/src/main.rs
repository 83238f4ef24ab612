//! Feeds rubbish to everything that reads bytes from strangers. `README.md` says how and why.

mod case;
mod corpus;
mod coverage;
mod engine;
mod memory;
mod mutate;
mod rng;
mod source;
mod targets;
#[cfg(test)]
mod tests;
mod trace;

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::engine::{Report, Until};
use crate::targets::{TARGETS, Target};

#[derive(Parser)]
#[command(about = "Feeds rubbish to everything that reads bytes from strangers")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the corpus and all saved failures, or the given files, through their targets.
    Replay {
        /// Files in a directory that has the name of their target.
        files: Vec<PathBuf>,
    },
    /// Makes up inputs and runs them.
    Run {
        /// All of them, one after the other, if none is named.
        targets: Vec<String>,
        /// How long to spend on each.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Another seed gives other cases, the same one the same.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Names the targets.
    List,
}

fn main() -> Result<ExitCode> {
    let mut out = stdout();
    let sound = match Arguments::parse().command {
        Command::Replay { files } => replay(&files, &mut out)?,
        Command::Run { targets, seconds, seed } => {
            run(&targets, Duration::from_secs(seconds), seed, &mut out)?
        }
        Command::List => list(&mut out)?,
    };
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(out: &mut impl Write) -> Result<bool> {
    for target in TARGETS {
        writeln!(out, "{:18} {}", target.name, target.about)?;
    }
    Ok(true)
}

fn replay(files: &[PathBuf], out: &mut impl Write) -> Result<bool> {
    let mut entries = Vec::new();
    for file in files {
        entries.push((corpus::target_of(file)?, corpus::load_file(file.clone())?));
    }
    if files.is_empty() {
        corpus::check_names()?;
        for target in TARGETS {
            for directory in [corpus::corpus_dir(target), corpus::artifacts_dir(target)] {
                entries.extend(corpus::load(&directory)?.into_iter().map(|entry| (target, entry)));
            }
        }
    }
    let mut failed = 0;
    for (target, entry) in &entries {
        if let Err(failure) = engine::replay(target, &entry.input) {
            failed += 1;
            writeln!(out, "{}: {failure}", entry.path.display())?;
        }
    }
    writeln!(out, "{} inputs, {failed} failed", entries.len())?;
    Ok(failed == 0)
}

fn run(names: &[String], time: Duration, seed: u64, out: &mut impl Write) -> Result<bool> {
    let named = names.iter().map(|name| corpus::by_name(name)).collect::<Result<Vec<_>>>()?;
    let targets = if named.is_empty() { TARGETS.iter().collect() } else { named };
    let (mut cases, mut faults) = (0, 0);
    writeln!(
        out,
        "{:16} {:>10} {:>9} {:>7} {:>9} {:>9} {:>11} {:>6} {:>10}",
        "target", "cases", "cases/s", "kept", "features", "branches", "slowest ms", "slow", "peak bytes"
    )?;
    for target in targets {
        let report = engine::fuzz(target, Until::Elapsed(time), seed)?;
        print(target, &report, out)?;
        cases += report.cases;
        faults += report.faults.len();
    }
    writeln!(out, "{cases} cases, {faults} faults")?;
    Ok(faults == 0)
}

fn print(target: &Target, report: &Report, out: &mut impl Write) -> Result<()> {
    let Report { cases, elapsed, kept, features, branches, slowest, slow, memory, faults } = report;
    let rate = u128::from(*cases) * 1000 / elapsed.as_millis().max(1);
    let slowest = slowest.as_secs_f64() * 1000.0;
    writeln!(
        out,
        "{:16} {cases:>10} {rate:>9} {kept:>7} {features:>9} {branches:>9} {slowest:>11.2} {slow:>6} {memory:>10}",
        target.name
    )?;
    for fault in faults {
        writeln!(out, "  {}\n    {}", fault.failure, corpus::command(&fault.path))?;
    }
    Ok(())
}
