//! What a signalling connection asks for, and what it is answered.

use std::net::IpAddr;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use queqiao_room::Uid;
use queqiao_room::machine::{By, JoinRequest, Now, Refusal, Room, RoomKey, Sealed, Seat};
use queqiao_room::signal::{
    Done, Envelope, ErrorBody, Fault, HEARS_SEI, Join, MAX_MESSAGE_BYTES, MuteOk, PingOk, Platform, Refused,
    RenewTokenOk, Request, ResumeOk, SendMessageOk, SessionId, SetRoleOk, Stage, parse,
};
use rand::Rng;
use serde::Serialize;
use tracing::{Span, debug, field, trace};

use super::address::MediaBase;
use super::connections::Connection;
use super::media::rtc_refusal;
use super::outgoing::{Outgoing, SocketEnd};
use super::sei;
use super::service::{RoomService, State, now};
use crate::rtc::{self, Change};

/// A connection that speaks the signalling protocol. Its task hands it every message, one after the other.
pub(crate) struct Socket {
    connection: queqiao_room::machine::ConnectionId,
    outgoing: Arc<Outgoing>,
    source: IpAddr,
    base: MediaBase,
    place: Option<Place>,
    span: Span,
}

/// Where a connection has joined.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) room: RoomKey,
    pub(super) seat: Seat,
    pub(super) platform: Platform,
}

impl Socket {
    /// What the client is to be sent.
    pub(crate) const fn outgoing(&self) -> &Arc<Outgoing> {
        &self.outgoing
    }

    /// Whether the client has joined.
    pub(crate) const fn stage(&self) -> Stage {
        if self.place.is_some() { Stage::Joined } else { Stage::Unjoined }
    }

    fn reply(&self, id: Option<u64>, reply: Reply) {
        let text = match reply {
            // A response that succeeds has an id: it was read.
            Ok(ok) => format!("{{\"id\":{},\"ok\":{ok}}}", id.unwrap_or_default()),
            Err(error) => {
                self.span.in_scope(|| debug!(code = error.code, "refused"));
                serde_json::to_string(&Refused { id, error }).unwrap_or_default()
            }
        };
        self.outgoing.push(text);
    }

    /// Refuses a message that is not text: no request is binary.
    pub(crate) fn refuse_binary(&self) {
        self.reply(None, Err((&Fault::Malformed { offset: 0 }).into()));
    }

    /// Refuses a message that was too long to be read. Its connection cannot go on.
    pub(crate) fn refuse_too_large(&self) {
        let limit = self.stage().limit();
        self.reply(None, Err((&Fault::TooLarge { bytes: MAX_MESSAGE_BYTES + 1, limit }).into()));
        self.outgoing.close(SocketEnd::TooLarge);
    }

    fn enter(&mut self, place: Place) {
        self.span.record("room", field::display(format_args!("{}/{}", place.room.app, place.room.room)));
        self.span.record("uid", field::display(place.seat.uid()));
        self.place = Some(place);
    }
}

/// What a request returns, as JSON.
type Reply = Result<String, ErrorBody>;

fn ok(value: &impl Serialize) -> Reply {
    serde_json::to_string(value).map_err(|error| ErrorBody::new("internal", error.to_string()))
}

fn no(refusal: &Refusal) -> ErrorBody {
    refusal.into()
}

/// What becomes of a request: its reply, what a resumed session has missed, and whether it was the last.
struct Outcome {
    reply: Reply,
    missed: Vec<Sealed>,
    end: Option<SocketEnd>,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self { reply, missed: Vec::new(), end: None }
    }
}

impl RoomService {
    /// A connection that has just come from `source`, and knows this server as `authority`. `span` has the fields `room`
    /// and `uid`, for when they are known.
    pub(crate) fn open_socket(&self, source: IpAddr, authority: &str, span: Span) -> Socket {
        let outgoing = Arc::<Outgoing>::default();
        let mut state = self.lock();
        let connection = state.connections.next_id();
        state.connections.insert(connection, Connection::Socket(Arc::clone(&outgoing)));
        Socket { connection, outgoing, source, base: self.public.base(authority), place: None, span }
    }

    /// The connection is gone. Does nothing to a session that has left, or goes on elsewhere.
    pub(crate) fn close_socket(&self, socket: Socket) {
        let now = now();
        let mut state = self.lock();
        state.connections.remove(socket.connection);
        if let Some(place) = socket.place {
            state.rooms.within(&place.room, |room| room.lost(&place.seat, now));
        }
        self.settle(&mut state, now);
    }

    /// Takes a message in. Its reply, and what follows for others, is queued when this returns.
    pub(crate) async fn receive(&self, socket: &mut Socket, text: &str) {
        let (id, request) = match parse(text, socket.stage()) {
            Ok(Envelope { id, request }) => (id, request),
            Err(bad) => return socket.reply(bad.id, Err((&bad.fault).into())),
        };
        socket.span.in_scope(|| trace!(id, request = request.name(), "request"));
        match request {
            Request::Join(join) => self.join(socket, id, join),
            Request::Resume { session, last_seq } => self.resume(socket, id, &session, last_seq),
            Request::Ping => socket.reply(Some(id), ok(&PingOk { time: now().unix })),
            Request::Answer { revision, sdp } => {
                let reply = self.answer(socket, revision, sdp.0).await;
                socket.reply(Some(id), reply);
            }
            request => {
                let now = now();
                let mut state = self.lock();
                let outcome = match &socket.place {
                    Some(place) => self.perform(&mut state, place, &socket.base, request, now),
                    None => Err(no(&Refusal::NotJoined)).into(),
                };
                self.conclude(state, socket, id, outcome, now);
            }
        }
    }

    /// The reply goes out first, then what was missed, then what follows for everybody.
    fn conclude(
        &self,
        mut state: MutexGuard<'_, State>,
        socket: &Socket,
        id: u64,
        outcome: impl Into<Outcome>,
        now: Now,
    ) {
        let Outcome { reply, missed, end } = outcome.into();
        socket.reply(Some(id), reply);
        for event in missed {
            socket.outgoing.push(event.text());
        }
        if let Some(end) = end {
            socket.outgoing.close(end);
        }
        self.settle(&mut state, now);
    }

    fn check_pace(&self, socket: &Socket, now: Instant) -> Result<(), ErrorBody> {
        let taken = self.joins.take(socket.source, now);
        taken.map_err(|retry_after| no(&Refusal::RateLimited { retry_after }))
    }

    fn join(&self, socket: &mut Socket, id: u64, join: Join) {
        let now = now();
        // Signatures are looked at before the lock, and only as often as one address may.
        let pass = match (&socket.place, self.check_pace(socket, now.instant)) {
            (Some(_), _) => Err(no(&Refusal::AlreadyJoined)),
            (None, Err(error)) => Err(error),
            (None, Ok(())) => {
                let token = join.token.as_ref().map(|token| token.0.as_str());
                let pass = self.apps.admit(token, &join.app, &join.room, join.uid.uid(), now.unix);
                pass.map_err(|error| ErrorBody::from(&error))
            }
        };
        let mut state = self.lock();
        let entered = pass.and_then(|pass| {
            let (room, secret) = (RoomKey::from(&pass), rand::rng().random());
            let request = JoinRequest { id: join.uid, platform: join.platform, role: join.role };
            let connection = socket.connection;
            let hears_sei = join.capabilities.iter().any(|word| word == HEARS_SEI);
            let entered = state.rooms.enter(&room, |room| {
                let entered = room.join(pass, request, connection, secret, now)?;
                if hears_sei {
                    room.hear_sei(&entered.seat)?;
                }
                Ok(entered)
            });
            entered.map(|entered| (room, entered)).map_err(|error| no(&error))
        });
        let reply = entered.and_then(|(room, entered)| {
            socket.enter(Place { room, seat: entered.seat, platform: join.platform });
            ok(&entered.reply)
        });
        self.conclude(state, socket, id, reply, now);
    }

    fn resume(&self, socket: &mut Socket, id: u64, session: &SessionId, last_seq: u64) {
        let now = now();
        let pace = match socket.place {
            Some(_) => Err(no(&Refusal::AlreadyJoined)),
            None => self.check_pace(socket, now.instant),
        };
        let mut state = self.lock();
        let connection = socket.connection;
        let resumed =
            pace.and_then(|()| state.rooms.resume(session, last_seq, connection).map_err(|error| no(&error)));
        let outcome = match resumed {
            Err(error) => Err(error).into(),
            Ok((room, resumed)) => {
                let info = state.rooms.get(&room).and_then(|room| room.participant(resumed.seat.uid()));
                let platform = info.map_or(Platform::Web, |info| info.platform);
                socket.enter(Place { room, seat: resumed.seat, platform });
                socket.span.in_scope(|| debug!(missed = resumed.missed.len(), "resumed"));
                let missed = u64::try_from(resumed.missed.len()).unwrap_or(u64::MAX);
                Outcome { reply: ok(&ResumeOk { missed }), missed: resumed.missed, end: None }
            }
        };
        self.conclude(state, socket, id, outcome, now);
    }

    /// The answer goes to the thread of the session, which says whether it fits.
    async fn answer(&self, socket: &Socket, revision: u64, sdp: String) -> Reply {
        let place = socket.place.as_ref().ok_or_else(|| no(&Refusal::NotJoined))?;
        let session = {
            let state = self.lock();
            let session = state.media.session(&place.room, place.seat.uid());
            // Without a session there has been no offer.
            session.and_then(|session| session.cloned().ok_or(rtc::Error::StaleRevision))
        };
        let session = session.map_err(|error| rtc_refusal(&error))?;
        self.rtc.answer(&session, revision, sdp).await.map_err(|error| rtc_refusal(&error))?;
        ok(&Done {})
    }

    fn perform(
        &self,
        state: &mut State,
        place: &Place,
        base: &MediaBase,
        request: Request,
        now: Now,
    ) -> Outcome {
        if !state.rooms.get(&place.room).is_some_and(|room| room.is_seated(&place.seat)) {
            return Err(no(&Refusal::NotJoined)).into();
        }
        let reply = match request {
            Request::Publish(publish) => {
                self.publish(state, place, base, publish, now).and_then(|published| ok(&published))
            }
            Request::Subscribe(subscribe) => {
                self.subscribe(state, place, base, &subscribe, now).and_then(|subscribed| ok(&subscribed))
            }
            Request::Unsubscribe { uid, stream } => {
                let done = within(state, place, |room| room.unsubscribe(&place.seat, &uid, stream));
                done.and_then(|()| {
                    self.stop_sending(state, place, &uid, stream);
                    ok(&Done {})
                })
            }
            Request::IceRestart => self.change(state, place, Change::RestartIce).and_then(|()| ok(&Done {})),
            Request::Stats(stats) => {
                state.quality.report(&place.room, place.seat.uid(), stats);
                ok(&Done {})
            }
            Request::RenewToken { token } => {
                let uid = place.seat.uid();
                let pass = self.apps.admit(Some(&token.0), &place.room.app, &place.room.room, uid, now.unix);
                pass.map_err(|error| ErrorBody::from(&error)).and_then(|pass| {
                    let token_expires = pass.expires();
                    let role = within(state, place, |room| room.renew(&place.seat, pass, now))?;
                    ok(&RenewTokenOk { token_expires, role })
                })
            }
            Request::Leave => {
                let reply = within(state, place, |room| room.leave(&place.seat)).and_then(|()| ok(&Done {}));
                let end = reply.is_ok().then_some(SocketEnd::Left);
                return Outcome { reply, missed: Vec::new(), end };
            }
            request => state
                .rooms
                .within(&place.room, |room| in_room(room, &place.seat, request, now))
                .unwrap_or_else(|| Err(no(&Refusal::NotJoined))),
        };
        reply.into()
    }
}

fn within<T>(
    state: &mut State,
    place: &Place,
    operation: impl FnOnce(&mut Room) -> Result<T, Refusal>,
) -> Result<T, ErrorBody> {
    let result = state.rooms.within(&place.room, operation);
    result.unwrap_or(Err(Refusal::NotJoined)).map_err(|refusal| no(&refusal))
}

/// What concerns the room alone.
fn in_room(room: &mut Room, seat: &Seat, request: Request, now: Now) -> Reply {
    let refuse = |refusal: Refusal| no(&refusal);
    let done = match request {
        Request::Unpublish { stream } => room.unpublish(seat, stream),
        Request::Mute { uid, stream, kind, muted } => {
            let other = uid.filter(|uid: &Uid| uid != seat.uid());
            let state = match other {
                Some(uid) => room.block(By::Seat(seat), &uid, stream, kind, muted),
                None => room.mute(seat, stream, kind, muted, now),
            };
            return ok(&MuteOk { state: state.map_err(refuse)? });
        }
        Request::SetRole { role } => {
            room.set_role(seat, role, now).map_err(refuse)?;
            return ok(&SetRoleOk { role });
        }
        Request::SendMessage { to, content } => {
            let message_id = room.send_message(seat, to.as_ref(), content, now).map_err(refuse)?;
            return ok(&SendMessageOk { message_id });
        }
        Request::SendSei { stream, sei_type, content } => {
            room.send_sei(seat, stream, (sei_type, sei::own_uuid(sei_type)), content, now)
        }
        Request::SetRoomAttribute { key, value } => room.set_room_attribute(seat, key, value, now),
        Request::SetStreamAttribute { stream, key, value } => {
            room.set_stream_attribute(seat, stream, key, value, now)
        }
        Request::Kick { uid, message } => room.kick(By::Seat(seat), &uid, message),
        Request::Ban { uid, seconds, message } => {
            room.ban(By::Seat(seat), &uid, Duration::from_secs(seconds), message, now)
        }
        Request::CloseRoom => room.close(By::Seat(seat)),
        // Candidates are learnt from connectivity checks. Everything else has been dealt with.
        _ => Ok(()),
    };
    done.map_err(refuse)?;
    ok(&Done {})
}
