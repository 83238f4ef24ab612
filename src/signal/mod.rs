//! HTTP: signalling, WHIP, WHEP, HTTP-FLV and the page.

mod error;
mod flv;
mod listen;
mod outlet;
mod page;
mod qr;
mod socket;
mod webrtc;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use queqiao_room::{Apps, Grant, Permission, StreamKey, UnixSeconds};

use crate::hub::Hub;
use crate::rooms::{Credential, RoomService};
use crate::rtc;
pub(crate) use error::ApiError;
pub(crate) use flv::publisher_gone;
pub(crate) use listen::{Limits, serve};

/// What the handlers share.
pub(crate) struct Server {
    pub(crate) hub: Arc<Hub>,
    pub(crate) rtc: Arc<rtc::Service>,
    pub(crate) apps: Arc<Apps>,
    pub(crate) rooms: Arc<RoomService>,
    /// Where this server listens, for clients that do not say how they reached it.
    pub(crate) http_address: SocketAddr,
    /// How long an HTTP-FLV player waits for a publisher.
    pub(crate) play_wait: Duration,
    /// Where the page says that RTMP is.
    pub(crate) rtmp_port: u16,
    pub(crate) cors_allow_origin: Vec<String>,
    pub(crate) shutdown: tokio_util::sync::CancellationToken,
}

impl Server {
    /// Lets the bearer of the request's token in, or says why not.
    fn authorize(
        &self,
        (app, room, stream): (&str, &str, &str),
        headers: &HeaderMap,
        query: &[(String, String)],
        permission: Permission,
    ) -> Result<Grant, ApiError> {
        let key = StreamKey::from_segments(app, room, stream)?;
        Ok(self.apps.authorize(token(headers, query), &key, permission, unix_now())?)
    }
}

/// Whether a page of this origin may use what is not its own server's (RFC 6454 section 7).
fn is_allowed(origin: &HeaderValue, allowed: &[String]) -> bool {
    allowed.iter().any(|allowed| allowed == "*" || origin == allowed)
}

/// Whether a page of the server itself asks.
fn is_same_origin(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| Some(authority) == host)
}

/// The token that a request bears.
fn token<'a>(headers: &'a HeaderMap, query: &'a [(String, String)]) -> Option<&'a str> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer ")));
    bearer.or_else(|| parameter(query, "token"))
}

fn parameter<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

/// What a request bears, a ticket before a token.
fn credential<'a>(headers: &'a HeaderMap, query: &'a [(String, String)]) -> Credential<'a> {
    Credential::of(parameter(query, "ticket"), token(headers, query))
}

/// The host and port by which the client knows this server.
fn authority(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let authority: Authority = host.parse().ok()?;
    (!authority.host().is_empty() && !host.contains('@')).then(|| host.to_owned())
}

/// The wall clock, which tokens are measured by.
pub(crate) fn unix_now() -> UnixSeconds {
    UnixSeconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// All routes.
pub(crate) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/whip/{app}/{room}/{stream}", post(webrtc::publish))
        .route("/whep/{app}/{room}/{stream}", post(webrtc::play))
        .route(
            "/whip/{app}/{room}/{stream}/{session}",
            axum::routing::patch(webrtc::patch).delete(webrtc::delete),
        )
        .route(
            "/whep/{app}/{room}/{stream}/{session}",
            axum::routing::patch(webrtc::patch).delete(webrtc::delete),
        )
        .route("/signal", get(socket::open))
        .route("/qr", post(qr::draw))
        .route("/flv/{app}/{room}/{file}", get(flv::play))
        .route("/config.json", get(page::config))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(page::file)
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .layer(DefaultBodyLimit::max(rtc::MAX_SDP))
        .layer(from_fn_with_state(Arc::clone(&server), cors))
        .with_state(server)
}

const EXPOSED: HeaderValue = HeaderValue::from_static("Location, ETag, Link, Retry-After, Accept-Patch");

/// Cross-origin access (RFC 9725 section 4.7), and the answer to OPTIONS.
async fn cors(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_options = request.method() == Method::OPTIONS;
    let takes_offers = ["/whip/", "/whep/"].iter().any(|prefix| request.uri().path().starts_with(prefix));
    let mut response =
        if is_options { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    if is_options && takes_offers {
        headers.insert(HeaderName::from_static("accept-post"), HeaderValue::from_static("application/sdp"));
    }
    let Some(origin) = origin else { return response };
    let any = server.cors_allow_origin.iter().any(|allowed| allowed == "*");
    let listed = server.cors_allow_origin.iter().any(|allowed| origin == *allowed);
    if any {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else if listed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    } else {
        return response;
    }
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if is_options {
        let methods = HeaderValue::from_static("GET, POST, PATCH, DELETE, OPTIONS");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let allowed = HeaderValue::from_static("Authorization, Content-Type, If-Match");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    response
}
