//! HTTP-FLV: `GET /flv/APP/ROOM/UID.flv`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use queqiao_media::flv as mux;
use queqiao_room::{Permission, StreamKey};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{Instrument, Span, info, info_span};

use super::{ApiError, Server, credential};
use crate::hub::{Seat, SourceId, WireForm};
use crate::player::{Player, Tag, body};
use crate::rooms::{Link, Protocol};

/// Plays a stream. Waits for a publisher as long as the server is configured to.
pub(super) async fn play(
    State(server): State<Arc<Server>>,
    Path((app, room, file)): Path<(String, String, String)>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let stream = file.strip_suffix(".flv").ok_or(ApiError::NotFound)?;
    let key = StreamKey::from_segments(&app, &room, stream)?;
    let credential = credential(&headers, &query);
    let (grant, link) = server.rooms.admit(&key, Permission::Play, credential, Protocol::Flv)?;
    let seat = server.hub.play(&grant)?;
    let stream = seat.stream();
    let span = info_span!("player", protocol = "flv", stream = %stream.key());
    let mut presence = stream.presence();
    let published = presence.wait_for(Option::is_some);
    tokio::select! {
        found = timeout(server.play_wait, published) => {
            found.map_err(|_| ApiError::StreamNotFound)?.map_err(|_| ApiError::StreamNotFound)?;
        }
        end = link.closed() => return Err(ApiError::Ended(end)),
        () = server.shutdown.cancelled() => return Err(ApiError::ShuttingDown),
    }
    let body = Playing::new(Arc::clone(&server), link, seat, presence, span);
    let stream = unfold(body, |mut playing| async move {
        let span = playing.span.clone();
        let chunk = playing.next().instrument(span).await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), playing))
    });
    let headers = [
        (header::CONTENT_TYPE, "video/x-flv"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

struct Playing {
    server: Arc<Server>,
    /// The player's place in the room, given up with the body.
    link: Link,
    seat: Arc<Seat>,
    presence: watch::Receiver<Option<SourceId>>,
    player: Player,
    header_sent: bool,
    span: Span,
}

impl Playing {
    fn new(
        server: Arc<Server>,
        link: Link,
        seat: Seat,
        presence: watch::Receiver<Option<SourceId>>,
        span: Span,
    ) -> Self {
        let seat = Arc::new(seat);
        let player = Player::join(&seat);
        span.in_scope(|| info!("playing"));
        Self { server, link, seat, presence, player, header_sent: false, span }
    }

    /// The next piece of the file; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.header_sent {
            self.header_sent = true;
            let known = self.seat.description();
            let unknown = !known.audio && !known.video;
            return Some(Bytes::copy_from_slice(&mux::file_header(
                known.audio || unknown,
                known.video || unknown,
            )));
        }
        loop {
            let tag = tokio::select! {
                tag = self.player.next() => tag,
                () = publisher_gone(&mut self.presence, self.server.play_wait) => return None,
                end = self.link.closed() => {
                    info!(reason = %end, "closed");
                    return None;
                }
                () = self.server.shutdown.cancelled() => return None,
            };
            let bytes = match tag {
                Tag::Own { kind, time, body } => mux::tag(kind, time, &body).ok(),
                Tag::Shared { frame, kind, time } => {
                    let bytes = frame.wire(WireForm::FlvTag, || {
                        mux::tag(kind, time, &body(&frame.media)).unwrap_or_default()
                    });
                    (!bytes.is_empty()).then_some(bytes)
                }
            };
            if let Some(bytes) = bytes {
                return Some(bytes);
            }
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        self.span.in_scope(|| info!(skipped = self.player.skipped(), "stopped"));
    }
}

/// Returns once nobody has published for `wait`.
pub(crate) async fn publisher_gone(
    presence: &mut watch::Receiver<Option<SourceId>>,
    wait: std::time::Duration,
) {
    loop {
        if presence.wait_for(Option::is_none).await.is_err() {
            return;
        }
        if timeout(wait, presence.wait_for(Option::is_some)).await.is_err() {
            return;
        }
    }
}
