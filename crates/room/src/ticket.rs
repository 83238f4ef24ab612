//! Tickets: secrets inside media addresses, each for one stream in one direction.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::machine::{ConnectionId, Revocation, RoomKey};
use crate::signal::ErrorBody;
use crate::{Grant, Permission, StreamKey, Uid};

/// How long a ticket waits to be used for the first time: a component that is created starts within seconds.
pub const UNUSED_LIFETIME: Duration = Duration::from_secs(60);

/// How long a ticket waits for its client to come back. WeChat's components try three times, 3 s apart; a page that
/// comes back to the foreground tries again by itself, and may push from the background for 3 minutes before.
pub const RETRY_WINDOW: Duration = Duration::from_secs(180);

/// How many tickets a participant may hold: one for each stream that it may receive, and two to publish.
pub const MAX_TICKETS_PER_PARTICIPANT: usize = crate::machine::MAX_SUBSCRIPTIONS + 2;

/// The first characters of a ticket, by which it is told from a token.
const PREFIX: &str = "qt1.";

/// A ticket as it stands in an address. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket([u8; 16]);

impl Ticket {
    /// Its text: letters, digits and a dot, which need no escape in an address.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{PREFIX}{:032x}", u128::from_be_bytes(self.0))
    }

    /// None if the text has not the form of a ticket; then it may be a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let valid =
            digits.len() == 32 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = if valid { u128::from_str_radix(digits, 16).ok()? } else { return None };
        Some(Self(number.to_be_bytes()))
    }

    fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[ticket]")
    }
}

/// Why a ticket is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketError {
    /// It was never issued, is revoked, or has expired: none of them is told from the others.
    #[error("the ticket is not valid, or no longer")]
    Invalid,
    /// It is for another stream.
    #[error("the ticket is for another stream")]
    WrongStream,
    /// It is to play, not to publish, or the other way round.
    #[error("the ticket is for the other direction")]
    WrongDirection,
    /// The store is full.
    #[error("the server has issued as many tickets as it may")]
    TooMany,
    /// The participant holds as many as it may.
    #[error("a participant holds at most {MAX_TICKETS_PER_PARTICIPANT} tickets")]
    TooManyOfParticipant,
}

impl TicketError {
    /// A stable name, for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_ticket",
            Self::WrongStream => "ticket_for_another_stream",
            Self::WrongDirection => "ticket_for_another_direction",
            Self::TooMany | Self::TooManyOfParticipant => "too_many_tickets",
        }
    }
}

impl From<TicketError> for ErrorBody {
    fn from(error: TicketError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// What a ticket gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// The right to the stream.
    pub grant: Grant,
    /// Whose ticket it is.
    pub bearer: Uid,
    /// The connection that used it until now, which the shell closes: its client has come back before the server saw it
    /// go.
    pub replaces: Option<ConnectionId>,
}

#[derive(Debug)]
struct Record {
    bearer: Uid,
    grant: Grant,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Not in use, and worth nothing from then on.
    Waiting { until: Instant },
    /// A connection goes on while its participant does.
    InUse(ConnectionId),
}

impl State {
    fn is_over(self, now: Instant) -> bool {
        matches!(self, Self::Waiting { until } if until <= now)
    }
}

/// The tickets of a server, by the digest of their secret: how long a look-up takes tells nothing about any of them.
#[derive(Debug)]
pub struct Tickets {
    capacity: usize,
    records: BTreeMap<[u8; 32], Record>,
    of: BTreeMap<(RoomKey, Uid), Vec<[u8; 32]>>,
}

impl Tickets {
    /// No tickets yet, and never more than `capacity`.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, records: BTreeMap::new(), of: BTreeMap::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Makes a ticket for what a room has granted to `bearer`. It takes the place of an earlier one for the same purpose.
    ///
    /// Also returns the connection that uses the earlier one, which the shell closes.
    ///
    /// # Errors
    ///
    /// [`TicketError::TooMany`], [`TicketError::TooManyOfParticipant`].
    pub fn issue(
        &mut self,
        random: [u8; 16],
        bearer: &Uid,
        grant: Grant,
        now: Instant,
    ) -> Result<(Ticket, Option<ConnectionId>), TicketError> {
        self.sweep_participant(&owner(bearer, &grant), now);
        let earlier = self.take(&owner(bearer, &grant), |old| {
            old.grant.stream() == grant.stream() && old.grant.permission() == grant.permission()
        });
        if self.records.len() >= self.capacity {
            self.sweep(now);
        }
        if self.records.len() >= self.capacity {
            return Err(TicketError::TooMany);
        }
        let mine = self.of.entry(owner(bearer, &grant)).or_default();
        if mine.len() >= MAX_TICKETS_PER_PARTICIPANT {
            return Err(TicketError::TooManyOfParticipant);
        }
        let ticket = Ticket(random);
        let until = now.checked_add(UNUSED_LIFETIME).unwrap_or(now);
        mine.push(ticket.digest());
        let record = Record { bearer: bearer.clone(), grant, state: State::Waiting { until } };
        self.records.insert(ticket.digest(), record);
        Ok((ticket, earlier.into_iter().next()))
    }

    /// Takes a ticket that `connection` shows for this stream and direction. It may be shown again, by the client that
    /// comes back, until it is revoked or not in use for [`RETRY_WINDOW`].
    ///
    /// # Errors
    ///
    /// Why it is not taken. A refused ticket is left as it was.
    pub fn redeem(
        &mut self,
        ticket: &Ticket,
        stream: &StreamKey,
        permission: Permission,
        connection: ConnectionId,
        now: Instant,
    ) -> Result<Redeemed, TicketError> {
        let record = self.records.get_mut(&ticket.digest()).ok_or(TicketError::Invalid)?;
        if record.state.is_over(now) {
            return Err(TicketError::Invalid);
        }
        if record.grant.stream() != stream {
            return Err(TicketError::WrongStream);
        }
        if record.grant.permission() != permission {
            return Err(TicketError::WrongDirection);
        }
        let replaces = match record.state {
            State::InUse(older) if older != connection => Some(older),
            State::InUse(_) | State::Waiting { .. } => None,
        };
        record.state = State::InUse(connection);
        Ok(Redeemed { grant: record.grant.clone(), bearer: record.bearer.clone(), replaces })
    }

    /// The connection that used a ticket is gone: the ticket waits for its client. Does nothing if another connection
    /// uses it by now, or it is revoked.
    ///
    /// Returns whether it waits.
    pub fn release(&mut self, ticket: &Ticket, connection: ConnectionId, now: Instant) -> bool {
        let record = self.records.get_mut(&ticket.digest());
        let used = record.filter(|record| matches!(record.state, State::InUse(user) if user == connection));
        let Some(record) = used else { return false };
        record.state = State::Waiting { until: now.checked_add(RETRY_WINDOW).unwrap_or(now) };
        true
    }

    /// Does what [`crate::machine::Order::RevokeTickets`] asks for, and returns the connections that use those tickets.
    pub fn revoke(&mut self, room: &RoomKey, uid: &Uid, which: &Revocation) -> Vec<ConnectionId> {
        self.take(&(room.clone(), uid.clone()), |record| {
            let stream = record.grant.stream();
            match (which, record.grant.permission()) {
                (Revocation::All, _) => true,
                (Revocation::Publish(kind), Permission::Publish) => stream.kind == *kind,
                (Revocation::Play(of, kind), Permission::Play) => stream.uid == *of && stream.kind == *kind,
                (Revocation::Publish(_), Permission::Play) | (Revocation::Play(..), Permission::Publish) => {
                    false
                }
            }
        })
    }

    /// Forgets what has expired. To be called now and then.
    pub fn sweep(&mut self, now: Instant) {
        self.records.retain(|_, record| !record.state.is_over(now));
        let records = &self.records;
        self.of.retain(|_, mine| {
            mine.retain(|digest| records.contains_key(digest));
            !mine.is_empty()
        });
    }

    fn sweep_participant(&mut self, owner: &(RoomKey, Uid), now: Instant) {
        self.take(owner, |record| record.state.is_over(now));
    }

    /// Removes tickets of one participant and returns the connections that use them.
    fn take(&mut self, owner: &(RoomKey, Uid), which: impl Fn(&Record) -> bool) -> Vec<ConnectionId> {
        let Some(mine) = self.of.get_mut(owner) else { return Vec::new() };
        let records = &mut self.records;
        let mut connections = Vec::new();
        mine.retain(|digest| {
            let Some(record) = records.get(digest) else { return false };
            if !which(record) {
                return true;
            }
            if let State::InUse(connection) = record.state {
                connections.push(connection);
            }
            records.remove(digest);
            false
        });
        if mine.is_empty() {
            self.of.remove(owner);
        }
        connections
    }
}

fn owner(bearer: &Uid, grant: &Grant) -> (RoomKey, Uid) {
    let stream = grant.stream();
    (RoomKey { app: stream.app.clone(), room: stream.room.clone() }, bearer.clone())
}
