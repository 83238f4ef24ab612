//! The connections that rooms know by number, and how each of them is told to end.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use queqiao_room::machine::{CloseReason, ConnectionId, Leg, RoomKey};
use queqiao_room::signal::EndReason;
use queqiao_room::{StreamKey, Uid};
use tokio_util::sync::CancellationToken;

use super::outgoing::{Outgoing, end_name};
use crate::rtc::SessionId;

/// What a media connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// RTMP, either way.
    Rtmp,
    /// HTTP-FLV: a player.
    Flv,
    /// WHIP: a publisher.
    Whip,
    /// WHEP: a player.
    Whep,
}

/// Why a room ends a media connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkEnd {
    /// Its participant is out, or another connection has taken its place.
    #[error("{}: the room has ended this connection", end_name(*.0))]
    Ended(EndReason),
    /// Its participant may not publish any longer, or does not want to.
    #[error("stream_ended: the stream has been taken from this connection")]
    StreamEnded,
    /// Its ticket holds no longer.
    #[error("invalid_ticket: the ticket of this connection has been revoked")]
    TicketRevoked,
    /// A newer connection shows the same ticket.
    #[error("replaced: a newer connection uses the same ticket")]
    TicketTaken,
}

impl From<CloseReason> for LinkEnd {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Ended(reason) => Self::Ended(reason),
            CloseReason::RoleChanged | CloseReason::Resumed => Self::StreamEnded,
        }
    }
}

/// Tells the task of a media connection to end.
#[derive(Debug, Default)]
pub(crate) struct Closer {
    end: OnceLock<LinkEnd>,
    told: CancellationToken,
}

impl Closer {
    /// Tells it. The first reason counts.
    pub(super) fn close(&self, end: LinkEnd) {
        let _ = self.end.set(end);
        self.told.cancel();
    }

    /// Returns once the connection is to end.
    pub(crate) async fn closed(&self) -> LinkEnd {
        self.told.cancelled().await;
        self.end().unwrap_or(LinkEnd::StreamEnded)
    }

    /// Why the connection is to end, if it is.
    pub(crate) fn end(&self) -> Option<LinkEnd> {
        self.end.get().copied()
    }
}

/// A WebRTC session without signalling, which is a leg of its participant.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) room: RoomKey,
    pub(super) leg: Leg,
    /// What it publishes or plays.
    pub(super) stream: StreamKey,
    pub(super) protocol: Protocol,
}

/// How one connection is reached.
#[derive(Debug)]
pub(super) enum Connection {
    /// A WebSocket.
    Socket(Arc<Outgoing>),
    /// A connection that has a task of its own. `owner` is there if it is a leg, not the bearer of a ticket.
    Task { closer: Arc<Closer>, owner: Option<(RoomKey, Uid)>, protocol: Protocol },
    /// A WebRTC session, which the workers end.
    Session(Session),
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Connections {
    last: u64,
    open: HashMap<ConnectionId, Connection>,
    by_session: HashMap<SessionId, ConnectionId>,
}

impl Connections {
    /// A number for a connection that comes. No number is given twice.
    pub(super) const fn next_id(&mut self) -> ConnectionId {
        self.last += 1;
        ConnectionId(self.last)
    }

    pub(super) fn insert(&mut self, id: ConnectionId, connection: Connection) {
        if let Connection::Session(session) = &connection {
            self.by_session.insert(session.id.clone(), id);
        }
        self.open.insert(id, connection);
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.open.get(&id)
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let connection = self.open.remove(&id)?;
        if let Connection::Session(session) = &connection {
            self.by_session.remove(&session.id);
        }
        Some(connection)
    }

    /// Takes out the WebRTC session of this name, if it is one without signalling.
    pub(super) fn remove_session(&mut self, session: &SessionId) -> Option<Session> {
        let id = self.by_session.get(session).copied()?;
        match self.remove(id) {
            Some(Connection::Session(session)) => Some(session),
            Some(Connection::Socket(_) | Connection::Task { .. }) | None => None,
        }
    }

    /// The media connections of a participant that are legs.
    pub(super) fn legs(&self, room: &RoomKey, uid: &Uid) -> Vec<(Protocol, Option<SessionId>)> {
        let mine = |connection: &Connection| match connection {
            Connection::Task { owner: Some(owner), protocol, .. } => {
                (owner.0 == *room && owner.1 == *uid).then_some((*protocol, None))
            }
            Connection::Session(session) => (session.room == *room && session.leg.uid() == uid)
                .then(|| (session.protocol, Some(session.id.clone()))),
            Connection::Task { owner: None, .. } | Connection::Socket(_) => None,
        };
        self.open.values().filter_map(mine).collect()
    }
}
