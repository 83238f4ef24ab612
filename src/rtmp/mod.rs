//! RTMP: a listener, one task per connection, and the way in and out of the hub.

mod closed;
mod connection;
mod control;
mod denial;
mod egress;
mod ingest;
mod leisure;
mod observed;
mod socket;
mod threads;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use queqiao_rtmp::amf0::Object;
use queqiao_rtmp::message::metadata_body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info_span, warn};

use crate::hub::{Description, Hub};
use crate::rooms::RoomService;
use connection::Connection;
pub(crate) use threads::Threads;

/// What the connections share.
pub(crate) struct Shared {
    pub(crate) hub: Arc<Hub>,
    pub(crate) rooms: Arc<RoomService>,
    /// From the first byte until the connection publishes or plays.
    pub(crate) handshake_timeout: Duration,
    /// Silence after which a publisher is taken for gone.
    pub(crate) idle_timeout: Duration,
    /// How long a player waits for a publisher, at first and whenever one leaves.
    pub(crate) play_wait: Duration,
    pub(crate) max_connections: usize,
    /// When the server started.
    pub(crate) epoch: Instant,
    pub(crate) shutdown: CancellationToken,
}

/// How long to rest when the system has no more file descriptors: others need time to close theirs.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until shut down, and returns once the last one is closed.
pub(crate) async fn serve(listener: TcpListener, threads: Threads, shared: Arc<Shared>) {
    let slots = Arc::new(Semaphore::new(shared.max_connections));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.shutdown.cancelled() => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept an RTMP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            warn!(%peer, limit = shared.max_connections, "RTMP connection refused: too many");
            continue;
        };
        let socket = match prepare(socket) {
            Ok(socket) => socket,
            Err(error) => {
                debug!(%error, "an RTMP connection ended at once");
                continue;
            }
        };
        let Some(thread) = threads.next() else { continue };
        let connection = run(socket, Arc::clone(&shared), slot).instrument(info_span!("rtmp", %peer));
        connections.spawn_on(connection, thread);
    }
    connections.close();
    connections.wait().await;
}

async fn run(socket: std::net::TcpStream, shared: Arc<Shared>, _slot: OwnedSemaphorePermit) {
    // Registers with the reactor of this thread.
    match TcpStream::from_std(socket) {
        Ok(socket) => Connection::new(socket, shared).run().await,
        Err(error) => debug!(%error, "an RTMP connection ended at once"),
    }
}

fn prepare(socket: TcpStream) -> io::Result<std::net::TcpStream> {
    crate::tcp::prepare(&socket)?;
    socket.into_std()
}

/// The body of `onMetaData` for a player, in RTMP and in FLV. A stream of which nothing is known may have both tracks.
pub(crate) fn metadata(description: &Description) -> Bytes {
    const AVC: f64 = 7.0;
    const AAC: f64 = 10.0;
    let mut properties = Object::new().with("encoder", concat!("Queqiao ", env!("CARGO_PKG_VERSION")));
    let unknown = !description.video && !description.audio;
    if description.video || unknown {
        properties = properties.with("videocodecid", AVC);
    }
    if let Some(video) = description.params.as_ref().and_then(|params| params.info().ok()) {
        properties = properties.with("width", f64::from(video.width)).with("height", f64::from(video.height));
        if let Some(rate) = video.frame_rate {
            properties = properties.with("framerate", rate);
        }
    }
    if description.audio || unknown {
        properties = properties.with("audiocodecid", AAC);
    }
    if let Some(audio) = &description.config {
        properties = properties
            .with("audiosamplerate", f64::from(audio.sample_rate))
            .with("audiosamplesize", 16.0)
            .with("stereo", audio.channels > 1);
    }
    metadata_body(properties)
}
