//! `queqiao-peer`: plays files into rooms and participants into files.

mod cli;
mod exit;
mod play;
mod publish;
mod sink;
mod source;
mod stop;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter =
        EnvFilter::try_from_env("QUEQIAO_LOG").unwrap_or_else(|_| EnvFilter::new("warn,queqiao_peer=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done if even that cannot be said.
            let _ = writeln!(std::io::stderr(), "queqiao-peer: {error:#}");
            exit::code(&error)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Command::Publish(args) => publish::run(args).await,
            Command::Play(args) => play::run(args).await,
        }
    })
}
