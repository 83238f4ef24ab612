//! The WebSocket of the signalling protocol: `GET /signal` (`docs/signalling.md`).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use queqiao_room::signal::{HEARTBEAT_TIMEOUT, MAX_MESSAGE_BYTES, Stage};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{Instrument, debug, field, info_span, trace};

use super::listen::Peer;
use super::{ApiError, Server, authority, is_allowed, is_same_origin};
use crate::rooms::{Next, Outgoing, Socket, SocketEnd};

/// How long a client may take from the opening of its WebSocket until it has joined.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may leave what it is sent unread. The kernel holds minutes of signalling by then.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the client has to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes that are read at once, and held for every connection: most messages are shorter.
const READ_BUFFER: usize = 4 * 1024;

/// Bytes that are written at once: a burst of events in a room.
const WRITE_BUFFER: usize = 16 * 1024;

/// `GET /signal`.
pub(super) async fn open(
    State(server): State<Arc<Server>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| ApiError::NotAWebSocket)?;
    // Browsers let every page open WebSockets: the server has to look.
    if let Some(origin) = headers.get(header::ORIGIN)
        && !is_same_origin(origin, &headers)
        && !is_allowed(origin, &server.cors_allow_origin)
    {
        return Err(ApiError::OriginNotAllowed);
    }
    let authority = authority(&headers).unwrap_or_else(|| server.http_address.to_string());
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .on_failed_upgrade(|error| debug!(%error, "a WebSocket was not opened"));
    let span = info_span!("signal", peer = %peer.address, room = field::Empty, uid = field::Empty);
    let source = peer.address.ip();
    let task = span.clone();
    Ok(upgrade.on_upgrade(move |socket| {
        async move {
            serve(&server, source, &authority, span, socket).await;
            // The connection counts until here.
            drop(peer);
        }
        .instrument(task)
    }))
}

async fn serve(server: &Server, source: IpAddr, authority: &str, span: tracing::Span, socket: WebSocket) {
    let mut client = server.rooms.open_socket(source, authority, span);
    let (sink, mut stream) = socket.split();
    let outgoing = Arc::clone(client.outgoing());
    let reading = read(server, &mut client, &mut stream);
    let writing = write(&outgoing, sink);
    tokio::pin!(writing);
    let written = tokio::select! {
        () = reading => false,
        () = &mut writing => true,
    };
    // What others are told of must not wait for the goodbye.
    server.rooms.close_socket(client);
    if outgoing.end().is_some() {
        let _ = timeout(CLOSE_TIMEOUT, async {
            if !written {
                writing.await;
            }
            while let Some(Ok(_)) = stream.next().await {}
        })
        .await;
    }
}

/// Takes messages in, one after the other, until the connection is to end.
async fn read(server: &Server, client: &mut Socket, stream: &mut SplitStream<WebSocket>) {
    let outgoing = Arc::clone(client.outgoing());
    let join_by = Instant::now() + JOIN_TIMEOUT;
    loop {
        let silent_at = Instant::now() + HEARTBEAT_TIMEOUT;
        let (deadline, late) = match client.stage() {
            Stage::Unjoined if join_by < silent_at => (join_by, SocketEnd::NotJoined),
            Stage::Unjoined | Stage::Joined => (silent_at, SocketEnd::Silent),
        };
        let message = tokio::select! {
            message = timeout_at(deadline, stream.next()) => message,
            _ = outgoing.ended() => return,
            () = server.shutdown.cancelled() => return outgoing.close(SocketEnd::Shutdown),
        };
        match message {
            Err(_) => return outgoing.close(late),
            Ok(None) => return,
            Ok(Some(Ok(Message::Text(text)))) => server.rooms.receive(client, &text).await,
            Ok(Some(Ok(Message::Binary(_)))) => client.refuse_binary(),
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => trace!("still there"),
            Ok(Some(Ok(Message::Close(_)))) => return,
            Ok(Some(Err(error))) => {
                debug!(%error, "the WebSocket broke");
                if is_too_large(&error) {
                    client.refuse_too_large();
                }
                return;
            }
        }
    }
}

/// Writes what there is to say, in as few system calls as it takes, until the goodbye is out or the client is lost.
async fn write(outgoing: &Outgoing, mut sink: SplitSink<WebSocket, Message>) {
    loop {
        let mut next = Some(outgoing.next().await);
        let written = timeout(WRITE_TIMEOUT, async {
            while let Some(item) = next.take() {
                match item {
                    Next::Message(text) => sink.feed(Message::Text(text.into())).await?,
                    Next::Close(end) => {
                        let reason = Utf8Bytes::from_static(end.name());
                        sink.send(Message::Close(Some(CloseFrame { code: end.code(), reason }))).await?;
                        return Ok::<_, axum::Error>(true);
                    }
                }
                next = outgoing.try_next();
            }
            sink.flush().await?;
            Ok(false)
        });
        match written.await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => return,
            Ok(Err(error)) => return debug!(%error, "the client cannot be written to"),
            Err(_) => return debug!("the client does not read what it is sent"),
        }
    }
}

/// Whether a message was longer than the library was told to take.
fn is_too_large(error: &axum::Error) -> bool {
    use std::error::Error;
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if let Some(tungstenite::Error::Capacity(_)) = error.downcast_ref::<tungstenite::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}
