//! The server itself: how it is, and tokens for its apps.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use queqiao_room::{Claims, Error, issue};

use super::Ops;
use super::error::{BodyRefusals, Refusals, Refused};
use super::extract::Body;
use super::types::{Counts, Limits, Status, Token, TokenRequest, Webhook};
use crate::signal::unix_now;

/// How the server is
#[utoipa::path(get, path = "/status", tag = "server", operation_id = "getStatus",
    responses((status = 200, description = "How it is", body = Status), Refusals))]
pub(super) async fn status(State(ops): State<Arc<Ops>>) -> Json<Status> {
    let totals = ops.rooms.totals();
    let endpoint = |endpoint: &Arc<crate::ops::webhooks::Endpoint>| {
        let counts = endpoint.counts();
        Webhook {
            url: endpoint.name(),
            waiting: endpoint.waiting(),
            delivered: counts.delivered,
            failed: counts.failed,
            dropped: counts.dropped,
        }
    };
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: ops.started.elapsed().as_secs(),
        counts: Counts {
            rooms: totals.rooms,
            participants: totals.participants,
            streams: totals.streams,
            webrtc_sessions: ops.rtc.sessions(),
        },
        limits: Limits {
            rooms: ops.limits.rooms,
            participants_per_room: ops.limits.participants_per_room,
            streams: ops.limits.streams,
            players_per_stream: ops.limits.players_per_stream,
            connections: ops.limits.connections,
        },
        webhooks: ops.webhooks.iter().map(endpoint).collect(),
    })
}

/// Make a token
///
/// Signed with the first secret of the app. Make it where it is needed and show it to nobody but its bearer.
#[utoipa::path(post, path = "/tokens", tag = "server", operation_id = "createToken",
    request_body = TokenRequest,
    responses((status = 200, description = "The token", body = Token), Refusals, BodyRefusals))]
pub(super) async fn create_token(
    State(ops): State<Arc<Ops>>,
    Body(request): Body<TokenRequest>,
) -> Result<Json<Token>, Refused> {
    if ops.apps.needs_no_token(&request.app) {
        return Err(Refused::NoTokenNeeded);
    }
    let secret =
        ops.apps.signing_secret(&request.app).ok_or_else(|| Error::UnknownApp(request.app.clone()))?;
    let TokenRequest { app, room, uid, role, ttl_seconds, admin } = request;
    let (now, ttl) = (unix_now(), Duration::from_secs(ttl_seconds));
    let mut claims = Claims::new(app, room, uid, role.into(), now, ttl)?;
    claims.admin = admin;
    Ok(Json(Token { token: issue(secret, &claims)?, expires: now.after(ttl).0 }))
}
