//! `queqiao-peer play`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use queqiao_peer::{Event, Room, StreamInfo, StreamKind, Subscription, TrackState, Uid};
use tracing::{debug, info};

use crate::cli::Play;
use crate::exit::{FileFault, NothingReceived};
use crate::sink::{self, Sink, Written};
use crate::stop;

pub(crate) async fn run(args: Play) -> Result<()> {
    let config = args.who.config()?;
    let of: Uid = args.of.parse().map_err(queqiao_peer::Error::from).context("the command line")?;
    let fault = || FileFault { path: args.output.display().to_string() };
    let limit = args.seconds.map(Duration::try_from_secs_f64).transpose().context("--seconds")?;
    let mut sink = sink::create(&args.output).with_context(fault)?;
    let room = Room::join(config).await?;
    let stream = args.stream.into();
    let result = tokio::select! {
        recorded = record(&room, &of, stream, limit, sink.as_mut()) => recorded,
        stopped = stop::asked() => stopped,
    };
    room.leave().await;
    let written = sink.finish().with_context(fault)?;
    info!(pictures = written.pictures, sounds = written.sounds, "written");
    result?;
    if written == Written::default() {
        return Err(NothingReceived.into());
    }
    Ok(())
}

/// Writes the stream until it ends, or as much as is wanted of it.
async fn record(
    room: &Room,
    of: &Uid,
    stream: StreamKind,
    limit: Option<Duration>,
    sink: &mut dyn Sink,
) -> Result<()> {
    let info = wait_for(room, of, stream).await?;
    let has = |state| state != TrackState::Absent;
    sink.expect(has(info.audio), has(info.video));
    let mut subscription = room.subscribe(of, stream).await?;
    tokio::select! {
        written = write(&mut subscription, limit, sink) => written,
        ended = watch(room) => ended,
    }
}

async fn write(subscription: &mut Subscription, limit: Option<Duration>, sink: &mut dyn Sink) -> Result<()> {
    let mut begun = false;
    while let Some(frame) = subscription.next_frame().await {
        if !std::mem::replace(&mut begun, true) {
            writeln!(std::io::stdout(), "receiving")?;
            std::io::stdout().flush()?;
        }
        sink.write(&frame)?;
        if limit.is_some_and(|limit| sink.length() >= limit) {
            break;
        }
    }
    debug!(statistics = ?subscription.statistics(), "received");
    Ok(())
}

/// Waits until somebody publishes a stream.
async fn wait_for(room: &Room, of: &Uid, wanted: StreamKind) -> Result<StreamInfo> {
    while let Some(event) = room.next_event().await {
        match event {
            Event::StreamPublished { uid, stream } if uid.uid() == of && stream.stream == wanted => {
                return Ok(stream);
            }
            Event::Ended(error) => return Err(error.into()),
            other => debug!(?other, "in the room"),
        }
    }
    Err(queqiao_peer::Error::Left.into())
}

/// Ends with the session.
async fn watch(room: &Room) -> Result<()> {
    while let Some(event) = room.next_event().await {
        match event {
            Event::Ended(error) => return Err(error.into()),
            other => debug!(?other, "in the room"),
        }
    }
    Ok(())
}
