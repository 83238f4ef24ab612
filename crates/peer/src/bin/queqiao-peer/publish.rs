//! `queqiao-peer publish`.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use queqiao_media::frame::{AccessUnit, OpusPacket};
use queqiao_media::time::StreamTime;
use queqiao_peer::{Error, Event, Publisher, Room, StreamKind, Tracks};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info};

use crate::cli::Publish;
use crate::source::{self, Source};
use crate::stop;

/// How late media may be before the clock is set anew: the machine has slept, or stood still.
const MAX_LATE: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: Publish) -> Result<()> {
    let config = args.who.config()?;
    let source = source::open(args.file, args.repeat)?;
    let kinds = Tracks::new(source.found.audio, source.found.video).context("a file without tracks")?;
    let stream = if args.screen { StreamKind::Screen } else { StreamKind::Camera };
    let room = Room::join(config).await?;
    let publisher = room.publish(stream, kinds).await?;
    let result = tokio::select! {
        sent = send(source, &publisher) => sent,
        ended = watch(&room) => ended,
        stopped = stop::asked() => stopped,
    };
    drop(publisher);
    room.leave().await;
    result
}

/// Sends all of a source, in real time.
async fn send(source: Source, publisher: &Publisher) -> Result<()> {
    publisher.connected().await?;
    writeln!(std::io::stdout(), "published")?;
    std::io::stdout().flush()?;
    let Source { video, audio, end, .. } = source;
    let clock = Clock(Mutex::new(Instant::now()));
    tokio::try_join!(pictures(video, &clock, publisher), sound(audio, &clock, publisher))?;
    info!("the file is at its end");
    end.await.context("the file is not read any more")?
}

async fn pictures(mut video: Receiver<AccessUnit>, clock: &Clock, publisher: &Publisher) -> Result<()> {
    while let Some(picture) = video.recv().await {
        clock.wait(picture.dts).await;
        publisher.send_video(&picture).await?;
    }
    Ok(())
}

async fn sound(mut audio: Receiver<OpusPacket>, clock: &Clock, publisher: &Publisher) -> Result<()> {
    while let Some(packet) = audio.recv().await {
        clock.wait(packet.time).await;
        publisher.send_audio(&packet).await?;
    }
    Ok(())
}

/// When the timeline began.
struct Clock(Mutex<Instant>);

impl Clock {
    /// Waits until `time` has come.
    async fn wait(&self, time: StreamTime) {
        let due = {
            let mut begin = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let due = *begin + time.to_duration();
            let late = Instant::now().saturating_duration_since(due);
            if late > MAX_LATE {
                *begin += late;
            }
            due
        };
        sleep_until(due).await;
    }
}

/// Ends with the session.
async fn watch(room: &Room) -> Result<()> {
    while let Some(event) = room.next_event().await {
        match event {
            Event::Ended(error) => return Err(error.into()),
            Event::OwnStreamEnded { .. } => return Err(Error::StreamEnded.into()),
            other => debug!(?other, "in the room"),
        }
    }
    Ok(())
}
