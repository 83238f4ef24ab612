//! The command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use queqiao_peer::{Config, StreamKind};

/// A native participant of Queqiao rooms.
///
/// Exit codes: 0 done; 1 failed; 2 the command line is wrong; 3 the server refused; 4 the server cannot be reached;
/// 5 the file cannot be read or written; 6 the server ended the session; 7 nothing was received.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish a file: MP4, FLV or Matroska with H.264, and AAC or Opus.
    ///
    /// Example: queqiao-peer publish --server http://127.0.0.1:8080 --app demo --room r1 --uid film --loop film.mp4
    ///
    /// Prints `published` when the first media go out. Pictures go out as they are in the file: a keyframe every second
    /// or two (ffmpeg's -g) lets others see something soon, B-frames (-bf 0) cannot be shown.
    Publish(Publish),
    /// Write what a participant publishes into a file: .mkv with H.264 and Opus, or .h264 with pictures alone.
    ///
    /// Example: queqiao-peer play --server http://127.0.0.1:8080 --app demo --room r1 --uid tape --of film -o film.mkv
    ///
    /// Waits for the stream, prints `receiving` when the first media come in, and ends with the stream.
    Play(Play),
}

/// Who joins where.
#[derive(Debug, Args)]
pub(crate) struct Who {
    /// The server: an http, https, ws or wss address.
    #[arg(long)]
    server: String,
    /// The app.
    #[arg(long)]
    app: String,
    /// The room.
    #[arg(long)]
    room: String,
    /// The uid to join as.
    #[arg(long)]
    uid: String,
    /// The token; the demo app needs none.
    #[arg(long, env = "QUEQIAO_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl Who {
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let config =
            Config::new(&self.server, &self.app, &self.room, &self.uid).context("the command line")?;
        Ok(match &self.token {
            Some(token) => config.token(token),
            None => config,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    pub(crate) who: Who,
    /// Publish as a shared screen instead of a camera.
    #[arg(long)]
    pub(crate) screen: bool,
    /// Begin again at the end of the file, until interrupted.
    #[arg(long = "loop")]
    pub(crate) repeat: bool,
    /// The file.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Play {
    #[command(flatten)]
    pub(crate) who: Who,
    /// Whom to play.
    #[arg(long)]
    pub(crate) of: String,
    /// What of it.
    #[arg(long, value_enum, default_value = "camera")]
    pub(crate) stream: Stream,
    /// End after so many seconds of media.
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
    /// The file to write: .mkv or .h264.
    #[arg(short, long)]
    pub(crate) output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Stream {
    Camera,
    Screen,
}

impl From<Stream> for StreamKind {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Camera => Self::Camera,
            Stream::Screen => Self::Screen,
        }
    }
}
