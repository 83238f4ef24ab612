//! The HTTP listener: bounded in connections and in the time that a client may take to say what it wants.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::outlet::{Outlet, Tap};

/// How long to rest when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of the listener.
pub(crate) struct Limits {
    /// Connections at once.
    pub(crate) max_connections: usize,
    /// From the opening of a connection, or the end of a response, to the last byte of the next request's header.
    pub(crate) header_timeout: Duration,
}

/// The other end of a connection, for handlers. Whoever keeps it keeps the connection counted.
#[derive(Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) outlet: Arc<Outlet>,
    _slot: Arc<OwnedSemaphorePermit>,
}

/// Serves connections until shut down, and returns once the last response is sent.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    // HTTP/1.1 alone: HTTP/2 without TLS is spoken by no browser, and a proxy in front needs no more.
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept an HTTP connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            warn!(%peer, limit = limits.max_connections, "HTTP connection refused: too many");
            continue;
        };
        if let Err(error) = crate::tcp::prepare(&socket) {
            debug!(%error, "an HTTP connection ended at once");
            continue;
        }
        // Held by the router of this connection, and by a WebSocket that it becomes.
        let (tap, outlet) = Tap::new(socket);
        let other = Peer { address: peer, outlet, _slot: Arc::new(slot) };
        let service = TowerToHyperService::new(router.clone().layer(Extension(other)));
        let connection = builder.serve_connection(TokioIo::new(tap), service).with_upgrades();
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = shutdown.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%peer, %error, "an HTTP connection ended");
            }
        });
    }
    // Every connection has given its slot back by then, those that became WebSockets too.
    let _ = slots.acquire_many(u32::try_from(limits.max_connections).unwrap_or(u32::MAX)).await;
}
