//! A load generator: fills rooms of a server with participants over signalling, WebRTC and RTMP, and measures how they are
//! served. The benchmarks use its clients one by one.
//!
//! It has to be cheaper than the server, or it would measure itself. Payloads of SRTP are encrypted, headers are not
//! (RFC 3711): most streams are decrypted up to their first keyframe, and from then on their packets are counted where they
//! come in ([`tally`]), read in batches a few milliseconds apart, with the kernel's time of arrival.

mod error;
pub mod histogram;
mod http;
pub mod mark;
pub mod media;
mod media_session;
pub mod options;
mod participant;
mod plan;
pub mod process;
pub mod report;
pub mod rtc;
pub mod rtmp;
mod run;
mod sections;
mod send;
mod shared;
mod signalling;
mod streams;
pub mod tally;
mod udp;
pub mod whip;
pub mod window;

use std::io::Write;

pub use error::Error;
pub use options::Options;
pub use report::Report;
pub use run::run;

/// What the command `queqiao load` does: runs, prints the report to `out`, and writes it to the file that was asked for.
/// Returns whether nobody failed.
///
/// # Errors
///
/// As [`run()`], or [`Error::Io`] if the report cannot be written.
pub fn command(options: &Options, out: &mut impl Write) -> Result<bool, Error> {
    options.check()?;
    let threads = usize::try_from(options.threads).unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let report = runtime.block_on(run(options))?;
    write!(out, "{report}")?;
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(report.failed() == 0)
}
