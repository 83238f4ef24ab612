//! What handlers take out of requests, with refusals in the form of everything else.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use queqiao_room::Uid;
use queqiao_room::machine::RoomKey;
use serde::de::DeserializeOwned;

use super::error::Refused;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        Json::from_request(request, state).await.map(|Json(body)| Self(body)).map_err(Refused::Body)
    }
}

/// A query.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query.map(|axum::extract::Query(query)| Self(query)).map_err(Refused::Query)
    }
}

/// Names a room by the segments of its path.
pub(super) fn room_key(app: &str, room: &str) -> Result<RoomKey, Refused> {
    Ok(RoomKey { app: app.parse()?, room: room.parse()? })
}

/// Names a participant.
pub(super) fn uid(text: &str) -> Result<Uid, Refused> {
    Ok(text.parse()?)
}
