//! The client's end of the signalling protocol: requests out, what the server says in.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use queqiao_room::signal::{Envelope, Event, Request, ServerMessage};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::Error;

/// The longest message of a server: everybody in a room of thousands, in the answer to a join.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end of a connection may take: nobody waits for it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often to show that one is there: half of what the protocol asks for.
const HEARTBEAT: Duration = Duration::from_millis(2500);

/// What the server said.
#[derive(Debug)]
pub(crate) enum Said<T> {
    Event(Event),
    /// The request with this tag succeeded; it was asked at this time.
    Accepted(T, Instant, serde_json::Value),
    /// It was refused.
    Refused(T, Error),
}

/// A connection. `T` says what a request was for. Requests that wait for an answer are bounded by who makes them: a
/// participant makes a handful, and one for each stream that it receives.
pub(crate) struct Signalling<T> {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_id: u64,
    waiting: HashMap<u64, (T, &'static str, Instant)>,
    heartbeat: tokio::time::Interval,
}

impl<T> Signalling<T> {
    /// Connects to the server at `host:port`.
    pub(crate) async fn connect(authority: &str) -> Result<Self, Error> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let connecting = connect_async_with_config(format!("ws://{authority}/signal"), Some(config), true);
        let (socket, _) = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| Error::TimedOut("connect_timed_out"))??;
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Ok(Self { socket, next_id: 1, waiting: HashMap::new(), heartbeat })
    }

    /// Sends a request. Its answer comes with `tag`.
    pub(crate) async fn request(&mut self, tag: T, request: Request) -> Result<(), Error> {
        let (id, name) = (self.next_id, request.name());
        self.next_id += 1;
        self.waiting.insert(id, (tag, name, Instant::now()));
        self.send(id, request).await
    }

    async fn send(&mut self, id: u64, request: Request) -> Result<(), Error> {
        let text = serde_json::to_string(&Envelope { id, request })?;
        Ok(self.socket.send(Message::text(text)).await?)
    }

    /// What the server says next. Cancel safe, and to be polled all the time: it also keeps the connection alive.
    pub(crate) async fn next(&mut self) -> Result<Said<T>, Error> {
        loop {
            let message = tokio::select! {
                message = self.socket.next() => message,
                _ = self.heartbeat.tick() => {
                    // Nobody waits for the answer.
                    self.next_id += 1;
                    self.send(self.next_id - 1, Request::Ping).await?;
                    continue;
                }
            };
            let text = match message {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_))) | None => return Err(Error::Closed("signalling")),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(error.into()),
            };
            match serde_json::from_str(&text)? {
                ServerMessage::Event(sequenced) => return Ok(Said::Event(sequenced.event)),
                ServerMessage::Accepted(accepted) => {
                    if let Some((tag, _, asked)) = self.waiting.remove(&accepted.id) {
                        return Ok(Said::Accepted(tag, asked, accepted.ok));
                    }
                }
                ServerMessage::Refused(refused) => {
                    let error = refused.error;
                    match refused.id.and_then(|id| self.waiting.remove(&id)) {
                        Some((tag, request, _)) => {
                            return Ok(Said::Refused(tag, Error::Refused { request, error }));
                        }
                        None => return Err(Error::Refused { request: "message", error }),
                    }
                }
            }
        }
    }

    /// Leaves the room and closes the connection.
    pub(crate) async fn leave(mut self) {
        let id = self.next_id;
        let goodbye = async {
            self.send(id, Request::Leave).await?;
            Ok::<_, Error>(self.socket.close(None).await?)
        };
        // The server may be gone without a word.
        let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}
