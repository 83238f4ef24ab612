use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::effect::{CloseReason, Effect};
use super::participant::{Carrier, Claim, Link, Participant, Session, TokenClock, digest};
use super::room::{Charge, Departure};
use super::{ConnectionId, Now, Refusal, Room, Sealed, Seat};
use crate::signal::{
    EndReason, Event, HEARTBEAT_INTERVAL, JoinOk, LeaveReason, Platform, Presence, SessionId, UserId, VERSION,
};
use crate::{Error, Pass, Permission, Role, StreamKind, Uid};

/// What somebody who joins says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// The uid in the form that others shall see; the same uid as the pass.
    pub id: UserId,
    /// What it runs on.
    pub platform: Platform,
    /// What it wants to be; what its pass allows if none.
    pub role: Option<Role>,
}

/// What [`Room::join`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// The proof for all that follows.
    pub seat: Seat,
    /// What the client is told.
    pub reply: JoinOk,
}

/// What [`Room::resume`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// The proof for all that follows.
    pub seat: Seat,
    /// What was missed, in order: to be sent after the reply.
    pub missed: Vec<Sealed>,
}

impl Room {
    /// Lets somebody in. `secret` are 16 random bytes, which make the session's name.
    ///
    /// A uid that is in the room already is taken over: its older session is told that it is replaced, and the others
    /// see no leave. Streams of the older session wait for the grace time to be published again.
    ///
    /// # Errors
    ///
    /// If the pass is for another room or a lesser role, the uid is banned, the room is full, or the connection is in it.
    pub fn join(
        &mut self,
        pass: Pass,
        request: JoinRequest,
        connection: ConnectionId,
        secret: [u8; 16],
        now: Now,
    ) -> Result<Entered, Refusal> {
        self.check_room(&pass)?;
        if request.id.uid() != pass.uid() {
            return Err(Error::WrongUid.into());
        }
        let role = allowed_role(&pass, request.role)?;
        self.check_ban(pass.uid(), now.instant)?;
        self.check_connection(connection)?;
        let uid = pass.uid().clone();
        let known = self.participants.contains_key(&uid);
        if !known {
            self.check_capacity()?;
        }
        let newcomer = Participant {
            id: request.id,
            platform: request.platform,
            role,
            token: TokenClock::start(&pass, now),
            pass,
            link: Link::Up { session: Session::new(&secret), connection },
            legs: BTreeMap::new(),
            streams: BTreeMap::new(),
            blocked: BTreeSet::new(),
            subscriptions: BTreeMap::new(),
            told: Presence::Connected,
        };
        if known {
            self.take_over(&uid, newcomer, now);
        } else {
            self.seat(uid.clone(), newcomer);
        }
        let reply = self.join_reply(&uid, secret);
        Ok(Entered { seat: Seat { uid, connection }, reply: reply.ok_or(Refusal::NotJoined)? })
    }

    fn join_reply(&self, uid: &Uid, secret: [u8; 16]) -> Option<JoinOk> {
        let me = self.participants.get(uid)?;
        let others = self.participants.iter().filter(|(other, _)| *other != uid);
        Some(JoinOk {
            version: VERSION,
            session: SessionId { room: self.serial, secret },
            uid: me.id.clone(),
            role: me.role,
            admin: me.pass.is_admin(),
            participants: others.map(|(_, participant)| participant.info()).collect(),
            attributes: self.attributes.clone(),
            heartbeat_seconds: HEARTBEAT_INTERVAL.as_secs(),
            grace_seconds: self.limits.grace.as_secs(),
            token_expires: me.pass.expires(),
        })
    }

    /// Puts a new session in the place of an older one, or beside media connections without signalling.
    fn take_over(&mut self, uid: &Uid, newcomer: Participant, now: Now) {
        self.end_session(uid, EndReason::Replaced, now);
        let Some(participant) = self.participants.get_mut(uid) else { return };
        let same = participant.id == newcomer.id
            && participant.platform == newcomer.platform
            && participant.role == newcomer.role;
        participant.id = newcomer.id;
        participant.platform = newcomer.platform;
        participant.role = newcomer.role;
        participant.pass = newcomer.pass;
        participant.token = newcomer.token;
        participant.link = newcomer.link;
        if newcomer.role == Role::Audience {
            self.stop_streams(uid, Some(uid));
        }
        if same {
            self.settle(uid, LeaveReason::Left);
        } else {
            self.announce_again(uid);
        }
    }

    /// Tells the others everything about somebody whom they know already.
    fn announce_again(&mut self, uid: &Uid) {
        let Some(participant) = self.participants.get_mut(uid) else { return };
        participant.told = participant.presence();
        let event = Event::ParticipantJoined { participant: participant.info() };
        self.broadcast(&event, Some(uid));
    }

    /// Ends a signalling session whose participant stays: what it published waits to be claimed.
    fn end_session(&mut self, uid: &Uid, reason: EndReason, now: Now) {
        if self.participants.get(uid).is_none_or(|participant| participant.link.session().is_none()) {
            return;
        }
        self.tell(uid, &Event::SessionEnded { ended: reason.into() });
        let until = now.instant.checked_add(self.limits.grace).unwrap_or(now.instant);
        let Some(participant) = self.participants.get_mut(uid) else { return };
        let link = mem::replace(&mut participant.link, Link::Absent);
        participant.subscriptions.clear();
        for stream in participant.streams.values_mut() {
            if stream.claim == Claim::Session {
                stream.claim = Claim::Nobody { until };
                stream.carrier = Carrier::Unknown;
            }
        }
        if let Link::Up { connection, .. } = link {
            self.push(Effect::Close { connection, reason: CloseReason::Ended(reason) });
        }
        self.close_media(uid);
    }

    /// Takes up a session with another connection. Media are not touched.
    ///
    /// # Errors
    ///
    /// [`Refusal::ResumeImpossible`] if there is no such session or what was missed is forgotten.
    pub fn resume(
        &mut self,
        session: &SessionId,
        last_seq: u64,
        connection: ConnectionId,
    ) -> Result<Resumed, Refusal> {
        if session.room != self.serial {
            return Err(Refusal::ResumeImpossible);
        }
        self.check_connection(connection)?;
        let secret = digest(&session.secret);
        let found = self.participants.iter_mut().find_map(|(uid, participant)| {
            let found = participant.link.session().filter(|session| session.secret == secret)?;
            Some((uid.clone(), found.outbox.since(last_seq), participant))
        });
        let Some((uid, Some(missed), participant)) = found else {
            return Err(Refusal::ResumeImpossible);
        };
        let older = match mem::replace(&mut participant.link, Link::Absent) {
            Link::Absent => None,
            Link::Up { session, connection: older } => {
                participant.link = Link::Up { session, connection };
                Some(older)
            }
            Link::Down { session, .. } => {
                participant.link = Link::Up { session, connection };
                None
            }
        };
        if let Some(connection) = older {
            self.push(Effect::Close { connection, reason: CloseReason::Resumed });
        }
        self.settle(&uid, LeaveReason::Left);
        Ok(Resumed { seat: Seat { uid, connection }, missed })
    }

    /// The connection of a seat is gone without a word. Does nothing if another connection has the seat by now.
    pub fn lost(&mut self, seat: &Seat, now: Now) {
        let until = now.instant.checked_add(self.limits.grace).unwrap_or(now.instant);
        let Ok(participant) = self.seated_mut(seat) else { return };
        participant.link = match mem::replace(&mut participant.link, Link::Absent) {
            Link::Up { session, .. } => Link::Down { session, until },
            other => other,
        };
        self.settle(&seat.uid, LeaveReason::TimedOut);
    }

    /// Leaves. Media connections without signalling under the same uid go on.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotJoined`].
    pub fn leave(&mut self, seat: &Seat) -> Result<(), Refusal> {
        self.seated(seat)?;
        self.unlink(&seat.uid, LeaveReason::Left);
        Ok(())
    }

    /// Takes the signalling session away from a participant, and with it the participant unless media connections of its
    /// own are left.
    pub(crate) fn unlink(&mut self, uid: &Uid, reason: LeaveReason) {
        let Some(participant) = self.participants.get_mut(uid) else { return };
        if participant.legs.is_empty() {
            self.remove(uid, &Departure::Quiet(reason));
            return;
        }
        participant.link = Link::Absent;
        participant.subscriptions.clear();
        participant.platform = Platform::Encoder;
        let kinds: Vec<StreamKind> = participant
            .streams
            .iter()
            .filter(|(_, stream)| !matches!(stream.claim, Claim::Leg(_)))
            .map(|(kind, _)| *kind)
            .collect();
        for kind in kinds {
            self.stop_stream(uid, kind, None, CloseReason::RoleChanged);
        }
        self.close_media(uid);
        self.announce_again(uid);
    }

    /// Changes what the participant is. Who becomes audience publishes nothing any longer.
    ///
    /// # Errors
    ///
    /// If the token does not allow the role, or roles change too often.
    pub fn set_role(&mut self, seat: &Seat, role: Role, now: Now) -> Result<(), Refusal> {
        let participant = self.seated(seat)?;
        allowed_role(&participant.pass, Some(role))?;
        if participant.role == role {
            return Ok(());
        }
        self.charge(seat, Charge::Change, now.instant)?;
        self.change_role(&seat.uid, role, Some(&seat.uid));
        Ok(())
    }

    pub(crate) fn change_role(&mut self, uid: &Uid, role: Role, except: Option<&Uid>) {
        if role == Role::Audience {
            self.stop_streams(uid, except);
        }
        let Some(participant) = self.participants.get_mut(uid) else { return };
        participant.role = role;
        let event = Event::RoleChanged { uid: participant.id.clone(), role };
        self.broadcast(&event, except);
        self.settle(uid, LeaveReason::Left);
    }

    fn stop_streams(&mut self, uid: &Uid, except: Option<&Uid>) {
        for kind in [StreamKind::Camera, StreamKind::Screen] {
            self.stop_stream(uid, kind, except, CloseReason::RoleChanged);
        }
    }

    /// Replaces the proof of a participant. If the new one allows less, the role follows.
    ///
    /// Returns the role from now on.
    ///
    /// # Errors
    ///
    /// If the pass is for another room or uid.
    pub fn renew(&mut self, seat: &Seat, pass: Pass, now: Now) -> Result<Role, Refusal> {
        self.seated(seat)?;
        self.check_room(&pass)?;
        if *pass.uid() != seat.uid {
            return Err(Error::WrongUid.into());
        }
        let participant = self.seated_mut(seat)?;
        participant.token = TokenClock::start(&pass, now);
        let too_much = participant.role == Role::Host && pass.role() == Role::Audience;
        participant.pass = pass;
        let role = if too_much { Role::Audience } else { participant.role };
        if too_much {
            self.change_role(&seat.uid, role, Some(&seat.uid));
        }
        Ok(role)
    }

    fn check_connection(&self, connection: ConnectionId) -> Result<(), Refusal> {
        let taken = |link: &Link| matches!(link, Link::Up { connection: other, .. } if *other == connection);
        if self.participants.values().any(|participant| taken(&participant.link)) {
            return Err(Refusal::AlreadyJoined);
        }
        Ok(())
    }
}

fn allowed_role(pass: &Pass, wanted: Option<Role>) -> Result<Role, Refusal> {
    match wanted {
        None => Ok(pass.role()),
        Some(Role::Host) if pass.role() == Role::Audience => {
            Err(Error::RoleNotAllowed { role: Role::Audience, permission: Permission::Publish }.into())
        }
        Some(role) => Ok(role),
    }
}
