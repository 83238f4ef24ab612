//! The body of a webhook.

use bytes::Bytes;
use queqiao_room::machine::{Hook, RoomKey};
use queqiao_room::signal::{LeaveReason, Platform};
use queqiao_room::{AppId, RoomId, StreamKind, Uid, UnixSeconds};
use serde::{Deserialize, Serialize};

/// What a back end can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventName {
    /// The first participant came.
    RoomCreated,
    /// The last one is gone.
    RoomClosed,
    /// Somebody came.
    ParticipantJoined,
    /// Somebody is gone.
    ParticipantLeft,
    /// A stream is there.
    StreamPublished,
    /// A stream is gone.
    StreamUnpublished,
}

/// Why somebody is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Left,
    TimedOut,
    Kicked,
    Banned,
    TokenExpired,
    RoomClosed,
}

impl From<Option<LeaveReason>> for Reason {
    fn from(reason: Option<LeaveReason>) -> Self {
        match reason {
            Some(LeaveReason::Left) => Self::Left,
            Some(LeaveReason::TimedOut) => Self::TimedOut,
            Some(LeaveReason::Kicked) => Self::Kicked,
            Some(LeaveReason::Banned) => Self::Banned,
            Some(LeaveReason::TokenExpired) => Self::TokenExpired,
            None => Self::RoomClosed,
        }
    }
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    id: &'a str,
    event: EventName,
    app: &'a AppId,
    room: &'a RoomId,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a Uid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<StreamKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    at: UnixSeconds,
}

/// Something that happened, ready to be sent to any number of endpoints.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// What.
    pub(super) name: EventName,
    /// In which app.
    pub(super) app: AppId,
    /// The JSON that is sent.
    pub(super) body: Bytes,
}

impl Event {
    /// `id` tells the event from all others, of whatever server.
    pub(super) fn new(id: &str, room: &RoomKey, hook: &Hook, at: UnixSeconds) -> serde_json::Result<Self> {
        let (app, room) = (&room.app, &room.room);
        let event = name(hook);
        let mut body =
            Body { id, event, app, room, uid: None, platform: None, stream: None, reason: None, at };
        match hook {
            Hook::RoomOpened | Hook::RoomClosed => {}
            Hook::ParticipantJoined { uid, platform } => {
                (body.uid, body.platform) = (Some(uid), Some(*platform));
            }
            Hook::ParticipantLeft { uid, reason } => {
                body.uid = Some(uid);
                body.reason = Some((*reason).into());
            }
            Hook::StreamPublished { uid, stream } | Hook::StreamUnpublished { uid, stream } => {
                (body.uid, body.stream) = (Some(uid), Some(*stream));
            }
        }
        Ok(Self { name: event, app: app.clone(), body: serde_json::to_vec(&body)?.into() })
    }
}

const fn name(hook: &Hook) -> EventName {
    match hook {
        Hook::RoomOpened => EventName::RoomCreated,
        Hook::RoomClosed => EventName::RoomClosed,
        Hook::ParticipantJoined { .. } => EventName::ParticipantJoined,
        Hook::ParticipantLeft { .. } => EventName::ParticipantLeft,
        Hook::StreamPublished { .. } => EventName::StreamPublished,
        Hook::StreamUnpublished { .. } => EventName::StreamUnpublished,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(hook: &Hook) -> String {
        let room = RoomKey { app: "live".parse().unwrap(), room: "r1".parse().unwrap() };
        let event = Event::new("e1", &room, hook, UnixSeconds(1_800_000_000)).unwrap();
        String::from_utf8(event.body.to_vec()).unwrap()
    }

    #[test]
    fn a_body_says_what_happened_and_leaves_out_what_does_not_apply() {
        let uid: Uid = "alice".parse().unwrap();
        for (hook, middle) in [
            (Hook::RoomOpened, r#""room_created","app":"live","room":"r1","#),
            (Hook::RoomClosed, r#""room_closed","app":"live","room":"r1","#),
            (
                Hook::ParticipantJoined { uid: uid.clone(), platform: Platform::Miniprogram },
                r#""participant_joined","app":"live","room":"r1","uid":"alice","platform":"miniprogram","#,
            ),
            (
                Hook::ParticipantLeft { uid: uid.clone(), reason: Some(LeaveReason::TimedOut) },
                r#""participant_left","app":"live","room":"r1","uid":"alice","reason":"timed_out","#,
            ),
            (
                Hook::ParticipantLeft { uid: uid.clone(), reason: None },
                r#""participant_left","app":"live","room":"r1","uid":"alice","reason":"room_closed","#,
            ),
            (
                Hook::StreamPublished { uid: uid.clone(), stream: StreamKind::Screen },
                r#""stream_published","app":"live","room":"r1","uid":"alice","stream":"screen","#,
            ),
            (
                Hook::StreamUnpublished { uid, stream: StreamKind::Camera },
                r#""stream_unpublished","app":"live","room":"r1","uid":"alice","stream":"camera","#,
            ),
        ] {
            assert_eq!(body(&hook), format!(r#"{{"id":"e1","event":{middle}"at":1800000000}}"#));
        }
    }
}
