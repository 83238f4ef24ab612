//! How callers are told what went wrong: as everywhere over HTTP, a status and `{"error": {"code", "message"}}`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use queqiao_room::machine::Refusal;
use serde::Serialize;
use tracing::debug;
use utoipa::{IntoResponses, ToSchema};

/// A refusal.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the admin API is off: the server's configuration has no admin.secret")]
    Disabled,
    #[error("the admin API needs the admin secret as Bearer")]
    MissingSecret,
    #[error("this is not the admin secret")]
    WrongSecret,
    #[error(transparent)]
    Invalid(#[from] queqiao_room::Error),
    #[error(transparent)]
    Room(#[from] Refusal),
    #[error("there is no such room")]
    NoSuchRoom,
    #[error("this app needs no token")]
    NoTokenNeeded,
    #[error("the cursor is not one that this list returned")]
    Cursor,
    #[error("{0}")]
    Query(QueryRejection),
    #[error("{0}")]
    Body(JsonRejection),
    #[error("there is nothing at this address")]
    NotFound,
    #[error("this address does not take that method")]
    Method,
}

impl Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Disabled => "admin_disabled",
            Self::MissingSecret => "missing_admin_secret",
            Self::WrongSecret => "wrong_admin_secret",
            Self::Invalid(error) => error.code(),
            Self::Room(refusal) => refusal.code(),
            Self::NoSuchRoom => "no_such_room",
            Self::NoTokenNeeded => "no_token_needed",
            Self::Cursor => "invalid_cursor",
            Self::Query(_) => "invalid_query",
            Self::Body(rejection) => match rejection.status() {
                StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
                StatusCode::PAYLOAD_TOO_LARGE => "bad_body",
                _ => "invalid_body",
            },
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
        }
    }

    fn status(&self) -> StatusCode {
        use queqiao_room::Error;
        match self {
            Self::MissingSecret | Self::WrongSecret => StatusCode::UNAUTHORIZED,
            Self::Invalid(Error::UnknownApp(_)) => StatusCode::NOT_FOUND,
            Self::Invalid(Error::Signing) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Invalid(_) | Self::NoTokenNeeded | Self::Cursor | Self::Query(_) => StatusCode::BAD_REQUEST,
            Self::Body(rejection) => match rejection.status() {
                StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
                status => status,
            },
            Self::Room(refusal) => room_status(refusal),
            Self::Disabled | Self::NoSuchRoom | Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }
}

fn room_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NoSuchParticipant(_) | Refusal::NoSuchStream(_) | Refusal::NoSuchTrack => {
            StatusCode::NOT_FOUND
        }
        Refusal::TooManyRooms { .. } | Refusal::TooManyBans => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// The body of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Error)]
struct ErrorDetail {
    /// For programs. See docs/admin-api.md.
    code: &'static str,
    /// For people; may change.
    message: String,
}

/// The refusals that every operation may answer with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the document is made of the variants")]
pub(super) enum Refusals {
    /// The request is not valid.
    #[response(status = 400)]
    Invalid(ErrorBody),
    /// The admin secret is missing or wrong.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// What the request is about is not there, or the admin API is off.
    #[response(status = 404)]
    NotFound(ErrorBody),
    /// A limit of the server is reached.
    #[response(status = 503)]
    Unavailable(ErrorBody),
}

/// What operations with a body may answer with beside.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the document is made of the variants")]
pub(super) enum BodyRefusals {
    /// The body is too long.
    #[response(status = 413)]
    TooLarge(ErrorBody),
    /// The body is not JSON by its type.
    #[response(status = 415)]
    MediaType(ErrorBody),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code) = (self.status(), self.code());
        debug!(%status, code, error = %self, "refused");
        let body = ErrorBody { error: ErrorDetail { code, message: self.to_string() } };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
