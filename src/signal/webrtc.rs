//! WHIP (RFC 9725) and WHEP: one session per POST, changed by PATCH, ended by DELETE.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use queqiao_room::Permission;
use tracing::debug;

use super::{ApiError, Server};
use crate::hub::WebRtcVideo;
use crate::rooms::{Protocol, encode};
use crate::rtc::{self, Accepted, IceFragment, SessionId};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

type Address = Path<(String, String, String)>;
type SessionAddress = Path<(String, String, String, String)>;
type Parameters = Query<Vec<(String, String)>>;

/// `POST /whip/APP/ROOM/UID`.
pub(super) async fn publish(
    State(server): State<Arc<Server>>,
    Path((app, room, stream)): Address,
    Query(query): Parameters,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let grant = server.authorize((&app, &room, &stream), &headers, &query, Permission::Publish)?;
    let offer = text(&headers, body, SDP)?;
    let accepted = server.rtc.publish(&offer, grant.clone())?;
    server.rooms.attach_session(&grant, Protocol::Whip, &accepted.id, accepted.tracks)?;
    Ok(created("whip", &app, &room, &stream, accepted))
}

/// `POST /whep/APP/ROOM/UID`.
pub(super) async fn play(
    State(server): State<Arc<Server>>,
    Path((app, room, stream)): Address,
    Query(query): Parameters,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let grant = server.authorize((&app, &room, &stream), &headers, &query, Permission::Play)?;
    let offer = text(&headers, body, SDP)?;
    let seat = server.hub.play_published(&grant)?.ok_or(ApiError::StreamNotFound)?;
    if seat.stream().webrtc_video() == WebRtcVideo::ReferenceBPictures {
        return Err(ApiError::ReferenceBPictures);
    }
    let accepted = server.rtc.play(&offer, seat)?;
    server.rooms.attach_session(&grant, Protocol::Whep, &accepted.id, accepted.tracks)?;
    Ok(created("whep", &app, &room, &stream, accepted))
}

/// `PATCH` of a session: trickled candidates, or with `If-Match: *` an ICE restart (RFC 9725 section 4.3).
///
/// Candidates of the peer are not needed: an ICE-lite server learns its addresses from its checks.
pub(super) async fn patch(
    State(server): State<Arc<Server>>,
    Path((.., session)): SessionAddress,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let id = SessionId::parse(&session).ok_or(rtc::Error::NoSuchSession)?;
    let current = server.rtc.etag(&id)?;
    let fragment = text(&headers, body, FRAGMENT)?;
    let condition = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    match condition {
        None => Err(ApiError::PreconditionRequired),
        Some("*") => {
            let fragment =
                IceFragment::parse(&fragment).ok_or(rtc::Error::Fragment("a=ice-ufrag or a=ice-pwd"))?;
            let (fragment, etag) = server.rtc.restart_ice(&id, fragment).await?;
            debug!(session = %id, "ICE restarted");
            let headers = [(header::CONTENT_TYPE, FRAGMENT.to_owned()), (header::ETAG, quoted(&etag))];
            Ok((StatusCode::OK, headers, fragment).into_response())
        }
        Some(tag) if tag.trim_start_matches("W/").trim_matches('"') == current => {
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Some(_) => Err(ApiError::PreconditionFailed),
    }
}

/// `DELETE` of a session. Whoever knows its address may end it.
pub(super) async fn delete(
    State(server): State<Arc<Server>>,
    Path((.., session)): SessionAddress,
) -> Result<StatusCode, ApiError> {
    let id = SessionId::parse(&session).ok_or(rtc::Error::NoSuchSession)?;
    server.rtc.close(&id)?;
    Ok(StatusCode::OK)
}

fn text(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
    expected: &'static str,
) -> Result<String, ApiError> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(expected) {
        return Err(ApiError::MediaType { expected });
    }
    let body = body.map_err(|rejection| ApiError::Body(rejection.to_string()))?;
    String::from_utf8(body.into()).map_err(|_| ApiError::MediaType { expected })
}

fn created(protocol: &str, app: &str, room: &str, stream: &str, accepted: Accepted) -> Response {
    let path = [app, room, stream].map(encode).join("/");
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("/{protocol}/{path}/{}", accepted.id)),
        (header::ETAG, quoted(&accepted.etag)),
        (header::HeaderName::from_static("accept-patch"), FRAGMENT.to_owned()),
    ];
    (StatusCode::CREATED, headers, accepted.answer).into_response()
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}
