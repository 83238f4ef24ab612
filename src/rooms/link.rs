//! Media connections without signalling: RTMP, HTTP-FLV, WHIP and WHEP, with a token or with a ticket.

use std::sync::Arc;

use queqiao_room::machine::{Carrier, ConnectionId, Detach, Leg, Refusal, RoomKey};
use queqiao_room::signal::Tracks;
use queqiao_room::ticket::{Ticket, TicketError};
use queqiao_room::{Error, Grant, Permission, StreamKey, StreamKind, Uid};
use rand::Rng;
use tracing::debug;

use super::connections::{Closer, Connection, LinkEnd, Protocol, Session};
use super::service::{RoomService, State, close_task, now};
use crate::rtc::SessionId;
use crate::signal::unix_now;

/// What a client shows.
#[derive(Clone, Copy)]
pub(crate) enum Credential<'a> {
    /// A ticket that its participant was given by signalling.
    Ticket(&'a str),
    /// A token; none for the demo app.
    Token(Option<&'a str>),
}

impl<'a> Credential<'a> {
    /// A ticket goes over a token.
    pub(crate) fn of(ticket: Option<&'a str>, token: Option<&'a str>) -> Self {
        ticket.map_or(Self::Token(token), Self::Ticket)
    }
}

/// Why a client is turned away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denied {
    /// By its token.
    #[error(transparent)]
    Token(#[from] Error),
    /// By its ticket.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// By the room.
    #[error(transparent)]
    Room(Refusal),
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotAllowed(error) => Self::Token(error),
            refusal => Self::Room(refusal),
        }
    }
}

impl Denied {
    /// What a client is told, for programs.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::Ticket(error) => error.code(),
            Self::Room(refusal) => refusal.code(),
        }
    }
}

enum Hold {
    /// It is a participant, or one more connection of one.
    Leg { room: RoomKey, leg: Leg, kind: StreamKind },
    /// It belongs to a signalled participant, who speaks for it. `publishes` is there if that is what it is for.
    Ticket { ticket: Ticket, publishes: Option<(RoomKey, Uid, StreamKind)> },
}

/// What a media connection with a task of its own holds of its room. Dropping it gives the place up.
pub(crate) struct Link {
    service: Arc<RoomService>,
    connection: ConnectionId,
    closer: Arc<Closer>,
    hold: Hold,
    ending: Detach,
}

impl Link {
    /// Returns once the room wants the connection to end.
    pub(crate) async fn closed(&self) -> LinkEnd {
        self.closer.closed().await
    }

    /// Why the connection is to end, if the room wants it.
    #[cfg(test)]
    pub(crate) fn end(&self) -> Option<LinkEnd> {
        self.closer.end()
    }

    /// The client has said goodbye: nothing waits for it to come back.
    pub(crate) const fn leave(&mut self) {
        self.ending = Detach::Left;
    }

    /// What a publisher turns out to send. A participant with signalling has said so itself.
    pub(crate) fn observe(&self, tracks: Tracks) {
        let Hold::Leg { room, leg, kind } = &self.hold else { return };
        let mut state = self.service.lock();
        state.rooms.within(room, |room| room.observe_tracks(leg.uid(), *kind, tracks));
        self.service.settle(&mut state, now());
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let now = now();
        let mut state = self.service.lock();
        state.connections.remove(self.connection);
        match &self.hold {
            Hold::Leg { room, leg, .. } => {
                state.rooms.within(room, |room| room.detach(leg, self.ending, now));
            }
            Hold::Ticket { ticket, publishes } => {
                let waits = state.tickets.release(ticket, self.connection, now.instant);
                if let (true, Some((room, uid, kind))) = (waits, publishes) {
                    let carrier = match self.ending {
                        Detach::Left => Carrier::Unknown,
                        Detach::Lost => Carrier::Broken,
                    };
                    state.rooms.within(room, |room| room.observe_media(uid, *kind, carrier, now));
                }
            }
        }
        self.service.settle(&mut state, now);
    }
}

impl RoomService {
    /// Lets a client with a connection of its own publish or play.
    pub(crate) fn admit(
        self: &Arc<Self>,
        stream: &StreamKey,
        permission: Permission,
        credential: Credential<'_>,
        protocol: Protocol,
    ) -> Result<(Grant, Link), Denied> {
        match credential {
            Credential::Ticket(text) => {
                let ticket = Ticket::parse(text).ok_or(TicketError::Invalid)?;
                self.redeem(ticket, stream, permission, protocol)
            }
            Credential::Token(token) => {
                let grant = self.apps.authorize(token, stream, permission, unix_now())?;
                self.attach(grant, protocol)
            }
        }
    }

    fn redeem(
        self: &Arc<Self>,
        ticket: Ticket,
        stream: &StreamKey,
        permission: Permission,
        protocol: Protocol,
    ) -> Result<(Grant, Link), Denied> {
        let now = now();
        let mut state = self.lock();
        let connection = state.connections.next_id();
        let redeemed = state.tickets.redeem(&ticket, stream, permission, connection, now.instant)?;
        if let Some(older) = redeemed.replaces {
            debug!(bearer = %redeemed.bearer, "a ticket is shown again");
            close_task(&state, older, LinkEnd::TicketTaken);
        }
        let closer = Arc::<Closer>::default();
        let task = Connection::Task { closer: Arc::clone(&closer), owner: None, protocol };
        state.connections.insert(connection, task);
        let publishes = (permission == Permission::Publish).then(|| {
            let StreamKey { app, room, uid, kind } = stream.clone();
            (RoomKey { app, room }, uid, kind)
        });
        if let Some((room, uid, kind)) = &publishes {
            state.rooms.within(room, |room| room.observe_media(uid, *kind, Carrier::Stands, now));
            self.settle(&mut state, now);
        }
        drop(state);
        let (service, hold) = (Arc::clone(self), Hold::Ticket { ticket, publishes });
        Ok((redeemed.grant, Link { service, connection, closer, hold, ending: Detach::Lost }))
    }

    fn attach(self: &Arc<Self>, grant: Grant, protocol: Protocol) -> Result<(Grant, Link), Denied> {
        let now = now();
        let mut state = self.lock();
        let (connection, closer) = (state.connections.next_id(), Arc::<Closer>::default());
        let (room, leg) = enter(&mut state, &grant, connection, now)?;
        let owner = Some((room.clone(), leg.uid().clone()));
        let task = Connection::Task { closer: Arc::clone(&closer), owner, protocol };
        state.connections.insert(connection, task);
        self.settle(&mut state, now);
        drop(state);
        let hold = Hold::Leg { room, leg, kind: grant.stream().kind };
        Ok((grant, Link { service: Arc::clone(self), connection, closer, hold, ending: Detach::Lost }))
    }

    /// Makes a WebRTC session without signalling, which has not been told its answer yet, a participant. `tracks` is what
    /// it will carry. It is one until the session ends.
    pub(crate) fn attach_session(
        &self,
        grant: &Grant,
        protocol: Protocol,
        session: &SessionId,
        tracks: Tracks,
    ) -> Result<(), Denied> {
        let now = now();
        let mut state = self.lock();
        let connection = state.connections.next_id();
        let entered = enter(&mut state, grant, connection, now);
        if entered.is_err() {
            self.end_session(session);
        }
        let (room, leg) = entered?;
        if grant.permission() == Permission::Publish {
            state.rooms.within(&room, |room| room.observe_tracks(leg.uid(), grant.stream().kind, tracks));
        }
        let (id, stream) = (session.clone(), grant.stream().clone());
        state
            .connections
            .insert(connection, Connection::Session(Session { id, room, leg, stream, protocol }));
        self.settle(&mut state, now);
        Ok(())
    }
}

fn enter(
    state: &mut State,
    grant: &Grant,
    connection: ConnectionId,
    now: queqiao_room::machine::Now,
) -> Result<(RoomKey, Leg), Denied> {
    let guest: Uid = format!("guest-{:012x}", rand::rng().random::<u64>() >> 16).parse()?;
    let room = RoomKey { app: grant.stream().app.clone(), room: grant.stream().room.clone() };
    let leg = state.rooms.enter(&room, |room| room.attach(grant, &guest, connection, now))?;
    Ok((room, leg))
}
