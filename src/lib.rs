//! Queqiao: one room for WeChat mini-programs (RTMP) and WebRTC peers.
//!
//! The server is this crate; the binary only calls [`main`]. `docs/architecture.md` is its map.

mod cli;
mod config;
#[doc(hidden)]
pub mod fuzzing;
mod hub;
mod ops;
mod player;
mod rooms;
mod rtc;
mod rtmp;
mod server;
mod signal;
mod tcp;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use tracing_subscriber::EnvFilter;

use cli::{Command, ConfigCommand};

/// What the command `queqiao` does. Errors go to standard error, in words.
pub fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // A broken standard error leaves nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether what was asked for went well, where that is not an error of its own.
fn run() -> Result<bool> {
    let mut out = std::io::stdout();
    match cli::parse().command {
        Command::Serve(flags) => {
            let config = config::Config::load(&flags)?;
            tracing_subscriber::fmt()
                .with_env_filter(EnvFilter::try_new(&config.log)?)
                .with_writer(std::io::stderr)
                .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
                .init();
            server::run(config)?;
        }
        Command::Config(ConfigCommand::Check(flags)) => cli::run_config_check(&flags, &mut out)?,
        Command::Config(ConfigCommand::Show(flags)) => cli::run_config_show(&flags, &mut out)?,
        Command::Token(args) => cli::run_token(&args, &mut out)?,
        Command::Load(options) => return cli::run_load(&options, &mut out),
    }
    Ok(true)
}
