use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::effect::{CloseReason, Effect, Hook, Order, Revocation};
use super::outbox::{self, Body, body};
use super::participant::{Claim, Link, Participant};
use super::{ConnectionId, Limits, Refusal, Seat};
use crate::signal::{Attributes, EndReason, Ended, Event, LeaveReason, ParticipantInfo, Presence};
use crate::{AppId, Error, Pass, RoomId, StreamKind, Uid};

/// The address of a room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomKey {
    /// The app.
    pub app: AppId,
    /// The room inside the app.
    pub room: RoomId,
}

impl From<&Pass> for RoomKey {
    fn from(pass: &Pass) -> Self {
        Self { app: pass.app().clone(), room: pass.room().clone() }
    }
}

/// How a participant goes.
#[derive(Clone, Debug)]
pub(crate) enum Departure {
    /// By itself: the shell closes its connection.
    Quiet(LeaveReason),
    /// It is told why.
    Told(LeaveReason, Ended),
    /// With everybody else.
    RoomClosed,
}

impl Departure {
    const fn reason(&self) -> Option<LeaveReason> {
        match self {
            Self::Quiet(reason) | Self::Told(reason, _) => Some(*reason),
            Self::RoomClosed => None,
        }
    }

    fn ended(&self) -> Option<Ended> {
        match self {
            Self::Quiet(_) => None,
            Self::Told(_, ended) => Some(ended.clone()),
            Self::RoomClosed => Some(EndReason::RoomClosed.into()),
        }
    }
}

/// Which allowance an operation uses up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Charge {
    /// Messages and attributes.
    Talk,
    /// Publications, mutes and role changes.
    Change,
}

/// One room.
#[derive(Debug)]
pub struct Room {
    pub(crate) key: RoomKey,
    pub(crate) serial: u64,
    pub(crate) limits: Limits,
    pub(crate) participants: BTreeMap<Uid, Participant>,
    pub(crate) bans: BTreeMap<Uid, Instant>,
    pub(crate) attributes: Attributes,
    pub(crate) messages: u64,
    effects: VecDeque<Effect>,
}

impl Room {
    /// An empty room. `serial` names it in session ids and must not be used twice while a server runs.
    #[must_use]
    pub const fn new(key: RoomKey, serial: u64, limits: Limits) -> Self {
        Self {
            key,
            serial,
            limits,
            participants: BTreeMap::new(),
            bans: BTreeMap::new(),
            attributes: Attributes::new(),
            messages: 0,
            effects: VecDeque::new(),
        }
    }

    /// Its address.
    #[must_use]
    pub const fn key(&self) -> &RoomKey {
        &self.key
    }

    /// Everybody in it, as others see them.
    pub fn participants(&self) -> impl ExactSizeIterator<Item = ParticipantInfo> + '_ {
        self.participants.values().map(Participant::info)
    }

    /// How many streams they publish.
    #[must_use]
    pub fn stream_count(&self) -> usize {
        self.participants.values().map(|participant| participant.streams.len()).sum()
    }

    /// One of them.
    #[must_use]
    pub fn participant(&self, uid: &Uid) -> Option<ParticipantInfo> {
        self.participants.get(uid).map(Participant::info)
    }

    /// Whether the connection that holds this seat still has its place.
    #[must_use]
    pub fn is_seated(&self, seat: &Seat) -> bool {
        self.seated(seat).is_ok()
    }

    /// What a participant receives through its signalling session.
    pub fn subscriptions(&self, uid: &Uid) -> impl Iterator<Item = (&Uid, StreamKind)> + '_ {
        self.participants
            .get(uid)
            .into_iter()
            .flat_map(|participant| participant.subscriptions.keys().map(|(uid, kind)| (uid, *kind)))
    }

    /// Its attributes.
    #[must_use]
    pub const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Whether nobody is in it and nobody is kept out, so that it can be forgotten.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        self.participants.is_empty() && self.bans.is_empty() && self.effects.is_empty()
    }

    /// The next thing to do. To be asked until there is none after every operation.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Sends an event of the shell's own to one participant: an offer, or the quality of networks. Does nothing if it
    /// has no signalling session.
    pub fn tell(&mut self, uid: &Uid, event: &Event) {
        let body = body(event);
        if let Some(participant) = self.participants.get_mut(uid) {
            deliver(&mut self.effects, participant, &body);
        }
    }

    /// Sends an event of the shell's own to everybody.
    pub fn tell_all(&mut self, event: &Event) {
        self.broadcast(event, None);
    }

    pub(crate) fn broadcast(&mut self, event: &Event, except: Option<&Uid>) {
        self.tell_those(event, |uid, _| Some(uid) != except);
    }

    /// Serialises once, whatever the number of those who are told. Returns that number.
    pub(crate) fn tell_those(&mut self, event: &Event, wanted: impl Fn(&Uid, &Participant) -> bool) -> usize {
        let mut body: Option<Body> = None;
        let mut told = 0;
        for (uid, participant) in &mut self.participants {
            if wanted(uid, participant) {
                told += 1;
                let body = body.get_or_insert_with(|| outbox::body(event));
                deliver(&mut self.effects, participant, body);
            }
        }
        told
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(crate) fn order(&mut self, order: Order) {
        self.push(Effect::Order(order));
    }

    pub(crate) fn hook(&mut self, hook: Hook) {
        self.push(Effect::Hook(hook));
    }

    pub(crate) fn check_room(&self, pass: &Pass) -> Result<(), Refusal> {
        if *pass.app() != self.key.app {
            return Err(Error::WrongApp.into());
        }
        if *pass.room() != self.key.room {
            return Err(Error::WrongRoom.into());
        }
        Ok(())
    }

    pub(crate) fn check_ban(&self, uid: &Uid, now: Instant) -> Result<(), Refusal> {
        match self.bans.get(uid).map(|until| until.saturating_duration_since(now)) {
            Some(remaining) if !remaining.is_zero() => Err(Refusal::Banned { remaining }),
            _ => Ok(()),
        }
    }

    pub(crate) fn check_capacity(&self) -> Result<(), Refusal> {
        let limit = self.limits.max_participants;
        if self.participants.len() >= limit { Err(Refusal::RoomFull { limit }) } else { Ok(()) }
    }

    /// The participant whose signalling connection holds this seat.
    pub(crate) fn seated(&self, seat: &Seat) -> Result<&Participant, Refusal> {
        match self.participants.get(&seat.uid) {
            Some(participant) if holds(participant, seat.connection) => Ok(participant),
            _ => Err(Refusal::NotJoined),
        }
    }

    pub(crate) fn seated_mut(&mut self, seat: &Seat) -> Result<&mut Participant, Refusal> {
        match self.participants.get_mut(&seat.uid) {
            Some(participant) if holds(participant, seat.connection) => Ok(participant),
            _ => Err(Refusal::NotJoined),
        }
    }

    /// Charges an operation that the whole room hears of to the session that asks for it.
    pub(crate) fn charge(&mut self, seat: &Seat, kind: Charge, now: Instant) -> Result<(), Refusal> {
        let participant = self.seated_mut(seat)?;
        let session = participant.link.session_mut().ok_or(Refusal::NotJoined)?;
        let meter = match kind {
            Charge::Talk => &mut session.talk,
            Charge::Change => &mut session.changes,
        };
        meter.take(now).map_err(|retry_after| Refusal::RateLimited { retry_after })
    }

    /// Puts a newcomer in its place. The caller has checked everything.
    pub(crate) fn seat(&mut self, uid: Uid, participant: Participant) {
        if self.participants.is_empty() {
            self.hook(Hook::RoomOpened);
        }
        let joined = Event::ParticipantJoined { participant: participant.info() };
        self.hook(Hook::ParticipantJoined { uid: uid.clone(), platform: participant.platform });
        self.participants.insert(uid.clone(), participant);
        self.broadcast(&joined, Some(&uid));
    }

    /// Takes a participant out: its connections, streams and tickets.
    pub(crate) fn remove(&mut self, uid: &Uid, departure: &Departure) {
        let Some(mut participant) = self.participants.remove(uid) else { return };
        for kind in participant.streams.keys() {
            self.forget_stream(uid, *kind);
        }
        if let Some(ended) = departure.ended() {
            let reason = CloseReason::Ended(ended.reason);
            deliver(&mut self.effects, &mut participant, &body(&Event::SessionEnded { ended }));
            if let Link::Up { connection, .. } = participant.link {
                self.push(Effect::Close { connection, reason });
            }
            for connection in participant.legs.keys() {
                self.push(Effect::Close { connection: *connection, reason });
            }
        }
        if participant.link.session().is_some() {
            self.close_media(uid);
        }
        if let Some(reason) = departure.reason() {
            self.broadcast(&Event::ParticipantLeft { uid: participant.id, reason }, None);
        }
        self.hook(Hook::ParticipantLeft { uid: uid.clone(), reason: departure.reason() });
        if self.participants.is_empty() {
            self.attributes.clear();
            self.hook(Hook::RoomClosed);
        }
    }

    pub(crate) fn close_media(&mut self, uid: &Uid) {
        self.order(Order::CloseMedia { uid: uid.clone() });
        self.order(Order::RevokeTickets { uid: uid.clone(), which: Revocation::All });
    }

    /// What follows when a stream is gone, apart from telling the participants.
    pub(crate) fn forget_stream(&mut self, uid: &Uid, kind: StreamKind) {
        let key = (uid.clone(), kind);
        for participant in self.participants.values_mut() {
            participant.subscriptions.remove(&key);
        }
        let (uid, stream) = key;
        self.order(Order::StopStream { uid: uid.clone(), stream });
        self.hook(Hook::StreamUnpublished { uid, stream });
    }

    /// Takes a stream away from a participant who stays.
    pub(crate) fn stop_stream(
        &mut self,
        uid: &Uid,
        kind: StreamKind,
        except: Option<&Uid>,
        why: CloseReason,
    ) {
        let Some(participant) = self.participants.get_mut(uid) else { return };
        let Some(stream) = participant.streams.remove(&kind) else { return };
        let id = participant.id.clone();
        if let Claim::Leg(connection) = stream.claim
            && participant.legs.remove(&connection).is_some()
        {
            self.push(Effect::Close { connection, reason: why });
        }
        let which = Revocation::Publish(kind);
        self.order(Order::RevokeTickets { uid: uid.clone(), which });
        self.forget_stream(uid, kind);
        self.broadcast(&Event::StreamUnpublished { uid: id, stream: kind }, except);
    }

    /// Lets a participant go of whom nothing is left, and tells the others whether it can be reached.
    pub(crate) fn settle(&mut self, uid: &Uid, reason: LeaveReason) {
        let Some(participant) = self.participants.get_mut(uid) else { return };
        let nothing_left = matches!(participant.link, Link::Absent)
            && participant.legs.is_empty()
            && participant.streams.is_empty();
        if nothing_left {
            self.remove(uid, &Departure::Quiet(reason));
            return;
        }
        let presence = participant.presence();
        if presence != participant.told {
            participant.told = presence;
            let id = participant.id.clone();
            let event = match presence {
                Presence::Connected => Event::ParticipantReconnected { uid: id },
                Presence::Reconnecting => Event::ParticipantReconnecting { uid: id },
            };
            self.broadcast(&event, Some(uid));
        }
    }
}

fn holds(participant: &Participant, connection: ConnectionId) -> bool {
    matches!(&participant.link, Link::Up { connection: current, .. } if *current == connection)
}

fn deliver(effects: &mut VecDeque<Effect>, participant: &mut Participant, body: &Body) {
    match &mut participant.link {
        Link::Absent => {}
        Link::Up { session, connection } => {
            let event = session.outbox.push(body);
            effects.push_back(Effect::Send { connection: *connection, event });
        }
        Link::Down { session, .. } => {
            session.outbox.push(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::UnixSeconds;
    use crate::app::Bearer;
    use crate::machine::{JoinRequest, Now};
    use crate::signal::{Content, Platform};

    #[test]
    fn what_everybody_is_told_is_serialised_once() {
        let key = RoomKey { app: "live".parse().unwrap(), room: "r".parse().unwrap() };
        let mut room = Room::new(key.clone(), 1, Limits::default());
        let now = Now { instant: Instant::now(), unix: UnixSeconds(0) };
        let seats: Vec<Seat> = (0..10)
            .map(|number| {
                let uid: Uid = format!("u{number}").parse().unwrap();
                let pass = Pass::new(key.app.clone(), key.room.clone(), uid.clone(), Bearer::anybody(true));
                let request = JoinRequest { id: uid.into(), platform: Platform::Web, role: None };
                room.join(pass, request, ConnectionId(number), [0; 16], now).unwrap().seat
            })
            .collect();
        while room.poll_effect().is_some() {}
        room.send_message(&seats[0], None, Content::Text("hi".into()), now).unwrap();
        let bodies: Vec<Body> = std::iter::from_fn(|| room.poll_effect())
            .filter_map(|effect| match effect {
                Effect::Send { event, .. } => Some(event.body().clone()),
                _ => None,
            })
            .collect();
        assert_eq!(bodies.len(), 9);
        assert!(bodies.iter().all(|body| Arc::ptr_eq(body, &bodies[0])));
    }
}
