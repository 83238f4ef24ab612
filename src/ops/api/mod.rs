//! The admin API under `/api/v1`, for back ends and for people who run the server.
//!
//! Handlers, their routes and the OpenAPI document come from the same declarations: what is not in the document is not
//! served.

mod document;
mod error;
mod extract;
mod rooms;
mod server;
mod types;

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use queqiao_room::{Apps, Secret};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::webhooks::Endpoint;
use crate::hub::Hub;
use crate::rooms::RoomService;
use crate::rtc;
use error::Refused;

/// Where the API is.
const PREFIX: &str = "/api/v1";

/// The longest body of a request: identifiers of full length and a text, several times over.
const MAX_BODY: usize = 8 * 1024;

/// What the configuration allows, as the API shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) rooms: usize,
    pub(crate) participants_per_room: usize,
    pub(crate) streams: usize,
    pub(crate) players_per_stream: usize,
    pub(crate) connections: usize,
}

/// What the handlers share.
pub(crate) struct Ops {
    /// What callers show. Without it there is no API.
    pub(crate) secret: Option<Secret>,
    pub(crate) apps: Arc<Apps>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) rooms: Arc<RoomService>,
    pub(crate) rtc: Arc<rtc::Service>,
    pub(crate) webhooks: Arc<[Arc<Endpoint>]>,
    pub(crate) limits: Limits,
    pub(crate) started: Instant,
}

impl Ops {
    fn check(&self, request: &Request) -> Result<(), Refused> {
        let secret = self.secret.as_ref().ok_or(Refused::Disabled)?;
        let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| {
            let (scheme, secret) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
        });
        let shown = shown.filter(|shown| !shown.is_empty()).ok_or(Refused::MissingSecret)?;
        if is_same(secret.as_bytes(), shown.as_bytes()) { Ok(()) } else { Err(Refused::WrongSecret) }
    }
}

/// Compares digests, so that how long it takes tells nothing: neither where two secrets differ nor how long one is.
fn is_same(secret: &[u8], shown: &[u8]) -> bool {
    let (secret, shown) = (digest(&SHA256, secret), digest(&SHA256, shown));
    aws_lc_rs::constant_time::verify_slices_are_equal(secret.as_ref(), shown.as_ref()).is_ok()
}

/// The API and the metrics.
pub(crate) fn router(ops: Arc<Ops>) -> Router {
    let (api, document) = routes_and_document();
    let document = Arc::new(document);
    let guarded = Router::new()
        .nest(PREFIX, api)
        .route("/metrics", get(super::metrics::show))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&ops), guard))
        .with_state(Arc::clone(&ops));
    // Whoever may not use the API may still know what it is.
    let show = move |State(ops): State<Arc<Ops>>| {
        let document = Arc::clone(&document);
        async move {
            match ops.secret {
                Some(_) => Ok(Json(&*document).into_response()),
                None => Err(Refused::Disabled),
            }
        }
    };
    let open = Router::new().route(&format!("{PREFIX}/openapi.json"), get(show));
    guarded.merge(open.with_state(ops))
}

/// The routes below [`PREFIX`], and the document that describes them.
fn routes_and_document() -> (Router<Arc<Ops>>, utoipa::openapi::OpenApi) {
    let (api, paths) = OpenApiRouter::new()
        .routes(routes!(server::status))
        .routes(routes!(server::create_token))
        .routes(routes!(rooms::list))
        .routes(routes!(rooms::show, rooms::close))
        .routes(routes!(rooms::kick))
        .routes(routes!(rooms::ban, rooms::unban))
        .routes(routes!(rooms::block))
        .split_for_parts();
    let api = api
        .fallback(|| async { Refused::NotFound })
        .method_not_allowed_fallback(|| async { Refused::Method });
    (api, document::complete(paths))
}

async fn guard(State(ops): State<Arc<Ops>>, request: Request, next: Next) -> Result<Response, Refused> {
    ops.check(&request)?;
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests;
