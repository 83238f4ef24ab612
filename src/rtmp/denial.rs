//! Refusals, from what the server says to what RTMP can say.

use queqiao_room::Error as RoomError;
use queqiao_room::machine::Refusal as RoomRefusal;
use queqiao_rtmp::server::Refusal;

use crate::hub::HubError;
use crate::rooms::Denied;

/// Why someone may not publish or play.
pub(super) struct Denial {
    pub(super) refusal: Refusal,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl From<RoomError> for Denial {
    fn from(error: RoomError) -> Self {
        let refusal = match &error {
            RoomError::InvalidId { .. } | RoomError::InvalidAddress { .. } | RoomError::UnknownApp(_) => {
                Refusal::NotFound
            }
            _ => Refusal::Denied,
        };
        Self { refusal, code: error.code(), message: format!("{}: {error}", error.code()) }
    }
}

impl From<Denied> for Denial {
    fn from(denied: Denied) -> Self {
        let (code, message) = (denied.code(), format!("{}: {denied}", denied.code()));
        let refusal = match denied {
            Denied::Token(error) => return error.into(),
            Denied::Ticket(_) | Denied::Room(RoomRefusal::Banned { .. } | RoomRefusal::NotHost) => {
                Refusal::Denied
            }
            Denied::Room(RoomRefusal::StreamInUse(_)) => Refusal::InUse,
            Denied::Room(_) => Refusal::Failed,
        };
        Self { refusal, code, message }
    }
}

impl From<HubError> for Denial {
    fn from(error: HubError) -> Self {
        Self { refusal: Refusal::Failed, code: error.code(), message: format!("{}: {error}", error.code()) }
    }
}
