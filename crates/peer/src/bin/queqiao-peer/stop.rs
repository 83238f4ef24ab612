//! Waiting for the user to end it.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Ends when the process is asked to: by Ctrl-C, or as service managers do.
pub(crate) async fn asked() -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
