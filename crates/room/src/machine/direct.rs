use std::collections::{BTreeMap, BTreeSet};

use super::effect::{CloseReason, Effect};
use super::participant::{Claim, LegUse, Link, Participant, TokenClock};
use super::room::Departure;
use super::{ConnectionId, MAX_LEGS, Now, Refusal, Room};
use crate::signal::{EndReason, Event, LeaveReason, Platform, Presence, Tracks};
use crate::{Grant, Permission, Role, StreamKind, Uid};

/// The place of a media connection without signalling: RTMP, WHIP, WHEP or HTTP-FLV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    uid: Uid,
    connection: ConnectionId,
}

impl Leg {
    /// Whose it is.
    #[must_use]
    pub const fn uid(&self) -> &Uid {
        &self.uid
    }

    /// The connection.
    #[must_use]
    pub const fn connection(&self) -> ConnectionId {
        self.connection
    }
}

/// How a media connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detach {
    /// Its client said goodbye.
    Left,
    /// It broke; what it published waits for the grace time.
    Lost,
}

impl Room {
    /// Lets a media connection without signalling in. It stands beside whatever else there is of its uid, and makes its
    /// uid a participant if there is nothing. Who plays in the demo app becomes `guest`.
    ///
    /// A newer publisher of a stream replaces an older one of this kind.
    ///
    /// # Errors
    ///
    /// If the grant is for another room, the uid is banned or one of the audience, its signalling session publishes the
    /// stream, or a bound is exceeded.
    pub fn attach(
        &mut self,
        grant: &Grant,
        guest: &Uid,
        connection: ConnectionId,
        now: Now,
    ) -> Result<Leg, Refusal> {
        let pass = grant.pass(guest);
        self.check_room(&pass)?;
        self.check_ban(pass.uid(), now.instant)?;
        let uid = pass.uid().clone();
        let (leg, role) = match grant.permission() {
            Permission::Publish => (LegUse::Publish(grant.stream().kind), Role::Host),
            Permission::Play => (LegUse::Play, Role::Audience),
        };
        let older = self.check_leg(&uid, leg, connection)?;
        let token = TokenClock::start(&pass, now);
        if let Some(participant) = self.participants.get_mut(&uid) {
            if let Some(older) = older {
                participant.legs.remove(&older);
            }
            participant.legs.insert(connection, leg);
            if matches!(participant.link, Link::Absent) && participant.token.ends_at <= token.ends_at {
                (participant.pass, participant.token) = (pass, token);
            }
            let promote = participant.role == Role::Audience && role == Role::Host;
            if let Some(connection) = older {
                let reason = CloseReason::Ended(EndReason::Replaced);
                self.push(Effect::Close { connection, reason });
            }
            if promote {
                self.change_role(&uid, Role::Host, None);
            }
            self.settle(&uid, LeaveReason::Left);
        } else {
            let participant = Participant {
                id: uid.clone().into(),
                platform: Platform::Encoder,
                role,
                pass,
                token,
                link: Link::Absent,
                legs: BTreeMap::from([(connection, leg)]),
                streams: BTreeMap::new(),
                blocked: BTreeSet::new(),
                subscriptions: BTreeMap::new(),
                told: Presence::Connected,
            };
            self.seat(uid.clone(), participant);
        }
        if let LegUse::Publish(kind) = leg {
            self.claim_stream(&uid, kind, (Claim::Leg(connection), Tracks::Both, None), None);
        }
        Ok(Leg { uid, connection })
    }

    /// Returns the connection that publishes the stream so far and is to be replaced.
    fn check_leg(
        &self,
        uid: &Uid,
        leg: LegUse,
        connection: ConnectionId,
    ) -> Result<Option<ConnectionId>, Refusal> {
        let Some(participant) = self.participants.get(uid) else {
            self.check_capacity()?;
            return Ok(None);
        };
        if participant.legs.contains_key(&connection) {
            return Err(Refusal::AlreadyJoined);
        }
        let LegUse::Publish(kind) = leg else {
            return if participant.legs.len() < MAX_LEGS {
                Ok(None)
            } else {
                Err(Refusal::TooManyConnections)
            };
        };
        if participant.role == Role::Audience && participant.link.session().is_some() {
            return Err(Refusal::NotHost);
        }
        match participant.streams.get(&kind).map(|stream| stream.claim) {
            Some(Claim::Session) => Err(Refusal::StreamInUse(kind)),
            Some(Claim::Leg(older)) => Ok(Some(older)),
            _ if participant.legs.len() >= MAX_LEGS => Err(Refusal::TooManyConnections),
            _ => Ok(None),
        }
    }

    /// A media connection without signalling is over. Does nothing if the room has let it go already.
    pub fn detach(&mut self, leg: &Leg, how: Detach, now: Now) {
        let until = now.instant.checked_add(self.limits.grace).unwrap_or(now.instant);
        let Some(participant) = self.participants.get_mut(&leg.uid) else { return };
        let Some(LegUse::Publish(kind)) = participant.legs.remove(&leg.connection) else {
            self.settle(&leg.uid, LeaveReason::Left);
            return;
        };
        match how {
            Detach::Lost => {
                if let Some(stream) = participant.streams.get_mut(&kind) {
                    stream.claim = Claim::Nobody { until };
                }
                self.settle(&leg.uid, LeaveReason::TimedOut);
            }
            Detach::Left => self.end_stream(&leg.uid, kind, LeaveReason::Left),
        }
    }

    /// Ends a stream that nobody stands behind, and lets its owner go if nothing else is left: others hear of one or the
    /// other.
    pub(crate) fn end_stream(&mut self, uid: &Uid, kind: StreamKind, reason: LeaveReason) {
        let Some(participant) = self.participants.get(uid) else { return };
        let last = matches!(participant.link, Link::Absent)
            && participant.legs.is_empty()
            && participant.streams.len() == 1;
        if !last {
            self.stop_stream(uid, kind, None, CloseReason::RoleChanged);
            self.settle(uid, reason);
            return;
        }
        self.remove(uid, &Departure::Quiet(reason));
    }

    /// What a publisher really sends, once its media show it. Nothing changes if there is no such stream.
    pub fn observe_tracks(&mut self, uid: &Uid, kind: StreamKind, tracks: Tracks) {
        let Some(participant) = self.participants.get_mut(uid) else { return };
        let before = participant.stream_info(kind);
        let Some(stream) = participant.streams.get_mut(&kind) else { return };
        stream.tracks = tracks;
        let (id, after) = (participant.id.clone(), participant.stream_info(kind));
        if let (true, Some(info)) = (after != before, after) {
            self.order_forwarding(uid, before.as_ref(), &info);
            self.broadcast(&Event::StreamChanged { uid: id, info }, None);
        }
    }
}
