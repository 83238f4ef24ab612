use queqiao_media::layers::Layer;

use crate::app::Bearer;
use crate::signal::Tracks;
use crate::{AppId, Error, Grant, Permission, Role, RoomId, StreamKey, StreamKind, Uid, UnixSeconds};

/// The right to be in a room under one uid, given by [`crate::Apps::admit`] or drawn from a [`Grant`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    app: AppId,
    room: RoomId,
    uid: Uid,
    bearer: Bearer,
}

impl Pass {
    pub(crate) const fn new(app: AppId, room: RoomId, uid: Uid, bearer: Bearer) -> Self {
        Self { app, room, uid, bearer }
    }

    /// The app.
    #[must_use]
    pub const fn app(&self) -> &AppId {
        &self.app
    }

    /// The room.
    #[must_use]
    pub const fn room(&self) -> &RoomId {
        &self.room
    }

    /// Who may enter.
    #[must_use]
    pub const fn uid(&self) -> &Uid {
        &self.uid
    }

    /// The most that the bearer may be; everybody is a host where no token is needed.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.bearer.role
    }

    /// Whether the bearer may mute, remove and ban others and close the room; everybody in the demo app.
    #[must_use]
    pub const fn is_admin(&self) -> bool {
        self.bearer.admin
    }

    /// When the token expires, without leeway; never where none is needed.
    #[must_use]
    pub const fn expires(&self) -> Option<UnixSeconds> {
        self.bearer.expires
    }

    /// The right to do this with a stream of the same room.
    pub(crate) fn grant(&self, uid: &Uid, kind: StreamKind, permission: Permission) -> Result<Grant, Error> {
        self.bearer.check(uid, kind, permission)?;
        if permission == Permission::Publish && *uid != self.uid {
            return Err(Error::WrongUid);
        }
        let stream = StreamKey { app: self.app.clone(), room: self.room.clone(), uid: uid.clone(), kind };
        let (tracks, max_layer) = (Tracks::Both, Layer::High);
        Ok(Grant { stream, permission, tracks, max_layer, bearer: self.bearer.clone() })
    }
}

impl Grant {
    /// The right to be in the room that the stream is in. Who plays without a uid of its own becomes `guest`.
    #[must_use]
    pub fn pass(&self, guest: &Uid) -> Pass {
        let uid = self.uid().unwrap_or(guest).clone();
        Pass::new(self.stream.app.clone(), self.stream.room.clone(), uid, self.bearer.clone())
    }
}
