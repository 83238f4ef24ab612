//! How HTTP clients are told what went wrong: a status and `{"error": {"code", "message"}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use queqiao_room::machine::Refusal;
use queqiao_room::ticket::TicketError;
use serde_json::json;
use tracing::debug;

use crate::hub::HubError;
use crate::rooms::{Denied, LinkEnd};
use crate::rtc;

/// A refusal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error(transparent)]
    Room(#[from] queqiao_room::Error),
    #[error(transparent)]
    Rtc(#[from] rtc::Error),
    #[error(transparent)]
    Hub(#[from] HubError),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the room has ended this connection")]
    Ended(LinkEnd),
    #[error("this address is for WebSockets")]
    NotAWebSocket,
    #[error("pages of this origin may not signal here: see http.cors_allow_origin")]
    OriginNotAllowed,
    #[error("a QR code has 1 to {limit} bytes")]
    QrText { limit: usize },
    #[error("nobody publishes this stream")]
    StreamNotFound,
    #[error(
        "the video has B pictures that other pictures refer to, which WebRTC cannot show: publish without B-frames"
    )]
    ReferenceBPictures,
    #[error("the body must be {expected}")]
    MediaType { expected: &'static str },
    #[error("the body could not be read: {0}")]
    Body(String),
    #[error("this address does not take that method")]
    MethodNotAllowed,
    #[error("there is no such page")]
    NotFound,
    #[error("the request needs an If-Match header with the session's entity tag, or * to restart ICE")]
    PreconditionRequired,
    #[error("the entity tag is not that of the session")]
    PreconditionFailed,
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl ApiError {
    fn code(&self) -> &'static str {
        match self {
            Self::Room(error) => error.code(),
            Self::Rtc(error) => match error {
                rtc::Error::Sdp(_) | rtc::Error::NoMedia | rtc::Error::Unfit(_) => "bad_sdp",
                rtc::Error::StaleRevision => "stale_revision",
                rtc::Error::SdpTooLarge => "sdp_too_large",
                rtc::Error::NoCommonCodec => "no_common_codec",
                rtc::Error::TooManySessions { .. } => "too_many_sessions",
                rtc::Error::NoSuchSession => "session_not_found",
                rtc::Error::Replaced => "replaced",
                rtc::Error::Fragment(_) => "bad_fragment",
                rtc::Error::Certificate | rtc::Error::Socket(_) => "internal",
            },
            Self::Hub(error) => error.code(),
            Self::Denied(denied) => denied.code(),
            Self::Ended(_) => "ended",
            Self::NotAWebSocket => "websocket_required",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::QrText { .. } => "bad_text",
            Self::StreamNotFound => "stream_not_found",
            Self::ReferenceBPictures => "b_frames_unsupported",
            Self::MediaType { .. } => "unsupported_media_type",
            Self::Body(_) => "bad_body",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::PreconditionRequired => "precondition_required",
            Self::PreconditionFailed => "precondition_failed",
            Self::ShuttingDown => "shutting_down",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Room(error) => room_status(error),
            Self::Rtc(error) => match error {
                rtc::Error::Sdp(_)
                | rtc::Error::NoMedia
                | rtc::Error::Unfit(_)
                | rtc::Error::StaleRevision
                | rtc::Error::Fragment(_) => StatusCode::BAD_REQUEST,
                rtc::Error::SdpTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                rtc::Error::NoCommonCodec => StatusCode::NOT_ACCEPTABLE,
                rtc::Error::TooManySessions { .. } => StatusCode::SERVICE_UNAVAILABLE,
                rtc::Error::NoSuchSession => StatusCode::NOT_FOUND,
                rtc::Error::Replaced => StatusCode::GONE,
                rtc::Error::Certificate | rtc::Error::Socket(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Denied(Denied::Token(error)) => room_status(error),
            Self::Denied(Denied::Ticket(error)) => ticket_status(*error),
            Self::Denied(Denied::Room(refusal)) => refusal_status(refusal),
            Self::Ended(_) | Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::NotAWebSocket => StatusCode::UPGRADE_REQUIRED,
            Self::QrText { .. } => StatusCode::BAD_REQUEST,
            Self::Hub(_) | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            Self::StreamNotFound | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::ReferenceBPictures => StatusCode::UNPROCESSABLE_ENTITY,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        }
    }
}

fn room_status(error: &queqiao_room::Error) -> StatusCode {
    use queqiao_room::Error;
    match error {
        Error::InvalidId { .. } | Error::InvalidAddress { .. } | Error::InvalidRole => {
            StatusCode::BAD_REQUEST
        }
        Error::UnknownApp(_) => StatusCode::NOT_FOUND,
        Error::WrongApp | Error::WrongRoom | Error::WrongUid | Error::RoleNotAllowed { .. } => {
            StatusCode::FORBIDDEN
        }
        _ => StatusCode::UNAUTHORIZED,
    }
}

const fn ticket_status(error: TicketError) -> StatusCode {
    match error {
        TicketError::WrongStream | TicketError::WrongDirection => StatusCode::FORBIDDEN,
        _ => StatusCode::UNAUTHORIZED,
    }
}

const fn refusal_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Banned { .. } | Refusal::NotHost => StatusCode::FORBIDDEN,
        Refusal::StreamInUse(_) => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = (self.status(), self.code());
        debug!(%status, code, error = %self, "refused");
        let body = Json(json!({"error": {"code": code, "message": self.to_string()}}));
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        if matches!(self, Self::StreamNotFound) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UPGRADE_REQUIRED {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        if let Self::Denied(Denied::Room(Refusal::Banned { remaining })) = &self {
            headers.insert(header::RETRY_AFTER, remaining.as_secs().saturating_add(1).into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
