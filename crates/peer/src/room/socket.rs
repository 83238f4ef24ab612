//! A WebSocket (RFC 6455) as a task: text goes in and out.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tracing::debug;

use crate::signalling::Link;

/// The longest message of a server: everybody in a room of thousands, in the answer to a join.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// How many messages wait to be sent: more than the requests that may be under way.
const MAX_OUTGOING: usize = 256;

/// How long the end of a connection may take: nobody waits for it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a connection brings.
#[derive(Debug)]
pub(super) enum SocketEvent {
    Opened,
    Text(String),
    Closed,
}

/// Opens a connection to `url`. What it brings goes to `events`, marked with `link`; what is put into the returned
/// channel is sent. Dropping that closes the connection, once everything is sent.
pub(super) fn open(
    url: String,
    link: Link,
    events: mpsc::Sender<(Link, SocketEvent)>,
) -> mpsc::Sender<String> {
    let (sender, outgoing) = mpsc::channel(MAX_OUTGOING);
    tokio::spawn(async move {
        run(url, link, &events, outgoing).await;
        // Fails when the stay is over: then nobody cares.
        let _ = events.send((link, SocketEvent::Closed)).await;
    });
    sender
}

async fn run(
    url: String,
    link: Link,
    events: &mpsc::Sender<(Link, SocketEvent)>,
    mut outgoing: mpsc::Receiver<String>,
) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let connecting = connect_async_with_config(url, Some(config), true);
    let mut socket = tokio::select! {
        connected = connecting => match connected {
            Ok((socket, _)) => socket,
            Err(error) => return debug!(%error, "the signalling cannot be reached"),
        },
        () = closed(&mut outgoing) => return,
    };
    if events.send((link, SocketEvent::Opened)).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            text = outgoing.recv() => match text {
                Some(text) => if let Err(error) = socket.send(Message::text(text)).await {
                    return debug!(%error, "the signalling broke");
                },
                None => break,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let event = SocketEvent::Text(text.as_str().to_owned());
                    if events.send((link, event)).await.is_err() {
                        break;
                    }
                }
                Some(Ok(Message::Close(_))) | None => return,
                Some(Ok(_)) => {}
                Some(Err(error)) => return debug!(%error, "the signalling broke"),
            },
        }
    }
    // The server may be gone without a word.
    let _ = timeout(CLOSE_TIMEOUT, socket.close(None)).await;
}

/// Waits until nobody wants the connection any more. Nothing is sent before it is open.
async fn closed(outgoing: &mut mpsc::Receiver<String>) {
    while outgoing.recv().await.is_some() {}
}
