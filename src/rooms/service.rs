//! The one lock around everything that rooms are made of, and what follows from an operation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use queqiao_room::machine::{
    CloseReason, ConnectionId, Effect, Hook, Limits, Now, Order, Revocation, RoomKey, Rooms,
};
use queqiao_room::signal::{EndReason, Platform};
use queqiao_room::ticket::Tickets;
use queqiao_room::{Apps, StreamKey, StreamKind, Uid};
use tokio::sync::{Notify, mpsc};
use tracing::{debug, info, info_span};

use super::address::PublicAddresses;
use super::connections::{Connection, Connections, LinkEnd};
use super::hooks::{HookEvent, Hooks};
use super::joins::JoinLimiter;
use super::media::MediaSessions;
use super::quality::Quality;
use super::steering::Steered;
use crate::hub::{Hub, RoomMix};
use crate::rtc;
use crate::signal::unix_now;

/// Tickets of the whole server: some 40 MB of them.
const MAX_TICKETS: usize = 100_000;

/// What the service needs of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What a room allows.
    pub(crate) limits: Limits,
    /// How often one address may join.
    pub(crate) joins_per_second: u32,
    /// Where clients reach the server.
    pub(crate) public: PublicAddresses,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) rooms: Rooms,
    pub(super) tickets: Tickets,
    pub(super) connections: Connections,
    pub(super) media: MediaSessions,
    pub(super) quality: Quality,
    pub(super) steered: Steered,
    pub(super) hooks: Hooks,
    /// Publishers over WHIP whose room has a newer one: they go on until it is there.
    pub(super) superseded: HashMap<rtc::SessionId, StreamKey>,
    /// Participants with streams of their own choice who want to know who speaks. Their rooms are listened to.
    pub(super) followers: HashMap<(RoomKey, Uid), Arc<RoomMix>>,
    /// For when the timer task is set.
    pub(super) armed: Option<Instant>,
}

/// The rooms of the server, with everybody who is in them.
pub(crate) struct RoomService {
    state: Mutex<State>,
    pub(super) apps: Arc<Apps>,
    pub(super) hub: Arc<Hub>,
    pub(super) rtc: Arc<rtc::Service>,
    pub(super) public: PublicAddresses,
    pub(super) joins: JoinLimiter,
    /// Tells the timer task that something is due earlier than it knows.
    pub(super) timer: Notify,
}

/// The time of an operation.
pub(super) fn now() -> Now {
    Now { instant: Instant::now(), unix: unix_now() }
}

impl RoomService {
    /// No rooms yet. What the sessions of `rtc` tell has to come in through [`super::run`].
    pub(crate) fn new(
        settings: Settings,
        apps: Arc<Apps>,
        hub: Arc<Hub>,
        rtc: Arc<rtc::Service>,
    ) -> Arc<Self> {
        let state = State {
            rooms: Rooms::new(settings.limits),
            tickets: Tickets::new(MAX_TICKETS),
            connections: Connections::default(),
            media: MediaSessions::default(),
            quality: Quality::default(),
            steered: Steered::default(),
            hooks: Hooks::default(),
            superseded: HashMap::new(),
            followers: HashMap::new(),
            armed: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            apps,
            hub,
            rtc,
            public: settings.public,
            joins: JoinLimiter::new(settings.joins_per_second),
            timer: Notify::new(),
        })
    }

    /// What happens in rooms from now on, for whoever tells the apps' back ends. Given out once.
    pub(crate) fn take_hooks(&self) -> Option<mpsc::Receiver<HookEvent>> {
        self.lock().hooks.take()
    }

    /// What is held under the lock is whole between two operations of the machine.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what follows from an operation, in order. To be called before the lock is let go.
    pub(super) fn settle(&self, state: &mut State, now: Now) {
        while let Some((room, effect)) = state.rooms.poll_effect() {
            match effect {
                Effect::Send { connection, event } => {
                    if let Some(Connection::Socket(outgoing)) = state.connections.get(connection) {
                        outgoing.push(event.text());
                    }
                }
                Effect::Close { connection, reason } => self.close(state, connection, reason),
                Effect::Order(order) => self.obey(state, &room, order),
                Effect::Hook(hook) => {
                    note(&room, &hook);
                    match &hook {
                        Hook::ParticipantJoined { .. } => state.quality.tell_again(&room),
                        Hook::ParticipantLeft { uid, .. } => state.quality.forget(&room, uid),
                        _ => {}
                    }
                    state.hooks.push(HookEvent { room, hook, at: now.unix });
                }
            }
        }
        let next = state.rooms.poll_timeout();
        if next.is_some_and(|next| state.armed.is_none_or(|armed| next < armed)) {
            state.armed = next;
            self.timer.notify_one();
        }
    }

    /// Ends a connection that the machine has forgotten.
    fn close(&self, state: &mut State, connection: ConnectionId, reason: CloseReason) {
        match state.connections.get(connection) {
            Some(Connection::Socket(outgoing)) => outgoing.close(reason.into()),
            Some(Connection::Task { closer, .. }) => closer.close(reason.into()),
            Some(Connection::Session(_)) => {
                let Some(Connection::Session(session)) = state.connections.remove(connection) else { return };
                // A publisher's media go on until those of its successor come, who is still connecting.
                if reason == CloseReason::Ended(EndReason::Replaced) {
                    state.superseded.insert(session.id, session.stream);
                } else {
                    self.end_session(&session.id);
                }
            }
            None => debug!(?connection, "a connection that was to be closed is gone"),
        }
    }

    fn obey(&self, state: &mut State, room: &RoomKey, order: Order) {
        match order {
            Order::StopStream { uid, stream } => self.stop_stream(state, room, uid, stream),
            Order::CloseMedia { uid } => {
                if let Some(session) = state.media.remove(room, &uid) {
                    self.end_session(&session);
                }
                state.followers.remove(&(room.clone(), uid));
            }
            Order::RevokeTickets { uid, which } => revoke(state, room, &uid, &which),
            Order::Forward { uid, stream, kind, on } => {
                self.hub.forward(&stream_key(room, uid, stream), kind, on);
            }
            Order::InsertSei { uid, stream, sei_type, content } => {
                self.insert_sei(&stream_key(room, uid, stream), sei_type, &content);
            }
        }
    }

    fn stop_stream(&self, state: &mut State, room: &RoomKey, uid: Uid, kind: StreamKind) {
        let key = stream_key(room, uid, kind);
        for (session, change) in state.media.stop_stream(room, &key) {
            // A session that is over needs no change.
            let _ = self.rtc.change(&session, change);
        }
        let receivers: Vec<Uid> = state.rooms.get(room).map_or_else(Vec::new, |room| {
            let with_tickets = room.participants().filter(|other| other.platform == Platform::Miniprogram);
            with_tickets.map(|participant| participant.uid.uid().clone()).collect()
        });
        for receiver in receivers {
            revoke(state, room, &receiver, &Revocation::Play(key.uid.clone(), kind));
        }
        state.steered.forget(&key);
        let over = state.superseded.extract_if(|_, stream| *stream == key);
        for (session, _) in over {
            self.end_session(&session);
        }
        self.hub.stopped(&key);
    }

    /// Ends a WebRTC session. One that is over already needs nothing.
    pub(super) fn end_session(&self, session: &rtc::SessionId) {
        let _ = self.rtc.close(session);
    }
}

/// Takes tickets back and closes the connections that use them.
fn revoke(state: &mut State, room: &RoomKey, uid: &Uid, which: &Revocation) {
    for connection in state.tickets.revoke(room, uid, which) {
        close_task(state, connection, LinkEnd::TicketRevoked);
    }
}

/// Ends a connection that has shown a ticket.
pub(super) fn close_task(state: &State, connection: ConnectionId, end: LinkEnd) {
    if let Some(Connection::Task { closer, .. }) = state.connections.get(connection) {
        closer.close(end);
    }
}

pub(super) fn stream_key(room: &RoomKey, uid: Uid, kind: StreamKind) -> StreamKey {
    StreamKey { app: room.app.clone(), room: room.room.clone(), uid, kind }
}

/// One line in the log when somebody comes and one when they go, whatever they speak.
fn note(room: &RoomKey, hook: &Hook) {
    let span =
        |uid: &Uid| info_span!("participant", room = %format_args!("{}/{}", room.app, room.room), %uid);
    match hook {
        Hook::ParticipantJoined { uid, platform } => span(uid).in_scope(|| info!(?platform, "joined")),
        Hook::ParticipantLeft { uid, reason } => span(uid).in_scope(|| match reason {
            Some(reason) => info!(?reason, "left"),
            None => info!(reason = "RoomClosed", "left"),
        }),
        Hook::StreamPublished { uid, stream } => span(uid).in_scope(|| debug!(?stream, "stream published")),
        Hook::StreamUnpublished { uid, stream } => {
            span(uid).in_scope(|| debug!(?stream, "stream unpublished"))
        }
        Hook::RoomOpened | Hook::RoomClosed => {}
    }
}
