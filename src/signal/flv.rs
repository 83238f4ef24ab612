//! HTTP-FLV: `GET /flv/APP/ROOM/UID.flv`.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use queqiao_media::flv as mux;
use queqiao_room::{Permission, StreamKey};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{sleep, sleep_until, timeout};
use tracing::{Instrument, Span, debug, info, info_span};

use super::listen::Peer;
use super::outlet::Outlet;
use super::{ApiError, Server, credential};
use crate::hub::{Seat, SourceId, WireForm};
use crate::player::{Player, Step, Summary, Tag, WRITE_TIMEOUT, body};
use crate::rooms::{Link, Protocol};

/// Plays a stream. Waits for a publisher as long as the server is configured to.
pub(super) async fn play(
    State(server): State<Arc<Server>>,
    Path((app, room, file)): Path<(String, String, String)>,
    Query(query): Query<Vec<(String, String)>>,
    Extension(Peer { outlet, .. }): Extension<Peer>,
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
    if let Err(error) = outlet.keep_little_unsent() {
        span.in_scope(|| debug!(%error, "closed before it began"));
    }
    let body = Playing::new(Arc::clone(&server), link, seat, presence, outlet, span);
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
    outlet: Arc<Outlet>,
    header_sent: bool,
    span: Span,
}

/// What woke a body.
enum Wake {
    Step(Step),
    /// There is something to send, at once or after a while.
    Ready {
        waited: bool,
    },
    /// The socket takes more.
    Unblocked,
    End,
}

impl Playing {
    fn new(
        server: Arc<Server>,
        link: Link,
        seat: Seat,
        presence: watch::Receiver<Option<SourceId>>,
        outlet: Arc<Outlet>,
        span: Span,
    ) -> Self {
        let seat = Arc::new(seat);
        let player = Player::join(&seat);
        span.in_scope(|| info!("playing"));
        Self { server, link, seat, presence, player, outlet, header_sent: false, span }
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
            match self.wait(Until::Ready).await {
                Wake::End => return None,
                // hyper asks for more before it writes what it has; only after a rest is that with the socket.
                Wake::Ready { waited: false } => yield_now().await,
                _ => {}
            }
            if self.outlet.is_blocked() && matches!(self.wait(Until::Unblocked).await, Wake::End) {
                return None;
            }
            let (now, written) = (Instant::now(), Some(self.outlet.written()));
            if let Some(departure) = self.player.look(now, written, || self.outlet.probe()) {
                debug!("{departure}");
            }
            match self.wait(Until::Step).await {
                Wake::End => return None,
                Wake::Step(Step::Tag(tag)) => {
                    if let Some(bytes) = serialise(tag) {
                        return Some(bytes);
                    }
                }
                _ => {}
            }
        }
    }

    /// Waits for one of the player's affairs, or for the end.
    async fn wait(&mut self, until: Until) -> Wake {
        let Self { player, outlet, presence, link, server, .. } = self;
        let since = player.held_since().unwrap_or_else(Instant::now);
        let stalled = async {
            match until {
                Until::Unblocked => sleep(WRITE_TIMEOUT).await,
                Until::Step => sleep_until((since + WRITE_TIMEOUT).into()).await,
                Until::Ready => std::future::pending().await,
            }
        };
        let affair = async {
            match until {
                Until::Ready => Wake::Ready { waited: player.ready().await },
                Until::Unblocked => {
                    player.note_blocked();
                    outlet.unblocked().await;
                    Wake::Unblocked
                }
                Until::Step => Wake::Step(player.next().await),
            }
        };
        tokio::select! {
            wake = affair => return wake,
            () = publisher_gone(presence, server.play_wait) => {}
            end = link.closed() => info!(reason = %end, "closed"),
            () = stalled => {
                info!("the client does not read what it is sent");
                outlet.cut();
            }
            () = server.shutdown.cancelled() => {}
        }
        Wake::End
    }
}

/// What a body waits for.
#[derive(Clone, Copy)]
enum Until {
    Ready,
    Unblocked,
    Step,
}

/// A tag as the file has it; none for a frame that is larger than FLV can say.
fn serialise(tag: Tag) -> Option<Bytes> {
    match tag {
        Tag::Own { kind, time, body } => mux::tag(kind, time, &body).ok(),
        Tag::Shared { frame, kind, time } => {
            let bytes = frame
                .wire(WireForm::FlvTag, || mux::tag(kind, time, &body(&frame.media)).unwrap_or_default());
            (!bytes.is_empty()).then_some(bytes)
        }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        let Summary { skipped, groups, rebases, max_lag_ms } = self.player.summary();
        self.span.in_scope(|| info!(skipped, groups, rebases, max_lag_ms, "stopped"));
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
