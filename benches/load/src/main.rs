//! Measures a server from outside, over loopback. Every measurement starts a server of its own, and prints its rows of the
//! table as lines of JSON.

mod audio_delay;
mod frame_delay;
mod join;
mod load;
mod rooms;
mod sent;
mod server;
mod stats;

use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use queqiao_load::media::Media;
use tokio::task::JoinSet;

use crate::sent::Sent;
use crate::server::Server;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// The server's binary.
    #[arg(long)]
    server: PathBuf,
    /// The media to send.
    #[arg(long)]
    media: PathBuf,
    /// Directory for the servers' logs.
    #[arg(long)]
    logs: PathBuf,
    /// Few and short samples.
    #[arg(long)]
    quick: bool,
    #[command(subcommand)]
    measurement: Measurement,
}

#[derive(Subcommand)]
enum Measurement {
    /// RTMP in to RTP out, RTMP in to RTMP out.
    FrameDelay,
    /// AAC to Opus, Opus to AAC.
    AudioDelay,
    /// WebRTC viewers that join an RTMP stream.
    JoinWebrtc,
    /// RTMP players that join a stream which somebody else publishes.
    JoinRtmp { url: String },
    /// RTMP publishers that nobody watches: CPU.
    CpuRtmp,
    /// RTMP publishers with one WebRTC viewer each: CPU.
    CpuRtmpToWebrtc,
    /// WebRTC publishers with one RTMP player each: CPU.
    CpuWebrtcToRtmp,
    /// Further WebRTC viewers of one stream: CPU and memory.
    MoreWebrtc,
    /// Further RTMP players of one stream: CPU.
    MoreRtmp,
    /// RTMP publishers: memory.
    MemoryRtmp,
    /// Participants that connect: time.
    RoomConnect,
    /// Participants that join rooms of a hundred without media: CPU.
    RoomJoins,
    /// Twenty phones that hear the mixed sound of a room of six speakers: CPU.
    MixRoom,
    /// A room of thirty who all send and receive: CPU.
    RoomOfThirty,
}

/// What all measurements need.
struct Bench {
    arguments: Arguments,
    media: Arc<Media>,
}

impl Bench {
    async fn server(&self, name: &str) -> Result<Server> {
        Server::start(&self.arguments.server, self.arguments.logs.join(format!("{name}.log"))).await
    }

    fn media(&self) -> Arc<Media> {
        Arc::clone(&self.media)
    }

    fn tasks(&self) -> Tasks {
        Tasks(JoinSet::new())
    }

    /// How many samples to take.
    fn count(&self, quick: u64, full: u64) -> u64 {
        if self.arguments.quick { quick } else { full }
    }

    /// How long to measure, in seconds.
    fn duration(&self, quick: u64, full: u64) -> Duration {
        Duration::from_secs(self.count(quick, full))
    }

    /// Waits for a publisher's first frames, and a little for the server to take them.
    async fn until_published(&self, sent: &Sent) -> Result<()> {
        for _ in 0..500 {
            if sent.video.any() && sent.audio.any() {
                tokio::time::sleep(Duration::from_millis(300)).await;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("nothing was published within 5 s")
    }
}

/// Clients at work. They end when this is dropped.
struct Tasks(JoinSet<Result<()>>);

impl Tasks {
    fn spawn(&mut self, client: impl Future<Output = Result<(), queqiao_load::Error>> + Send + 'static) {
        self.0.spawn(async { Ok(client.await?) });
    }

    /// Makes sure that no client has ended.
    fn healthy(&mut self) -> Result<()> {
        match self.0.try_join_next() {
            None => Ok(()),
            Some(ended) => ended?.and_then(|()| bail!("it ended too early")).context("a client failed"),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = measure(Arguments::parse()).await else { return ExitCode::SUCCESS };
    let _ = writeln!(std::io::stderr(), "{error:#}");
    ExitCode::FAILURE
}

async fn measure(arguments: Arguments) -> Result<()> {
    let media = Arc::new(Media::load(&arguments.media)?);
    let bench = Bench { arguments, media };
    match &bench.arguments.measurement {
        Measurement::FrameDelay => frame_delay::run(&bench).await,
        Measurement::AudioDelay => audio_delay::run(&bench).await,
        Measurement::JoinWebrtc => join::webrtc(&bench).await,
        Measurement::JoinRtmp { url } => join::rtmp(&bench, url).await,
        Measurement::CpuRtmp => load::rtmp(&bench).await,
        Measurement::CpuRtmpToWebrtc => load::rtmp_to_webrtc(&bench).await,
        Measurement::CpuWebrtcToRtmp => load::webrtc_to_rtmp(&bench).await,
        Measurement::MoreWebrtc => load::more_webrtc(&bench).await,
        Measurement::MoreRtmp => load::more_rtmp(&bench).await,
        Measurement::MemoryRtmp => load::memory_rtmp(&bench).await,
        Measurement::RoomConnect => rooms::connect(&bench).await,
        Measurement::RoomJoins => rooms::joins(&bench).await,
        Measurement::MixRoom => load::mix_room(&bench).await,
        Measurement::RoomOfThirty => rooms::thirty(&bench).await,
    }
}
