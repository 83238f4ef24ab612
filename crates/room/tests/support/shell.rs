//! The least that a server does with the crate: one connection for each name, requests in, messages out.
#![allow(dead_code, clippy::unwrap_used, reason = "helpers of tests; not every file uses all of them")]

use std::collections::BTreeMap;
use std::time::Duration;

use queqiao_room::machine::{
    By, ConnectionId, Effect, JoinRequest, Limits, Order, Refusal, Room, RoomKey, Rooms, Seat,
};
use queqiao_room::signal::{
    Accepted, BadMessage, Done, Envelope, ErrorBody, Event, Hidden, Join, MediaKind, MidInfo, MuteOk, PingOk,
    Platform, Publish, PublishOk, Refused, RenewTokenOk, Request, ResumeOk, Sdp, SendMessageOk, SetRoleOk,
    Stage, Subscribe, SubscribeOk, Tracks, UserId, parse,
};
use queqiao_room::ticket::Tickets;
use queqiao_room::{Apps, Demo, Grant, Loopback, Uid};
use serde::Serialize;
use serde_json::Value;

use crate::support::Clock;

pub(crate) struct Shell {
    apps: Apps,
    rooms: Rooms,
    tickets: Tickets,
    pub(crate) clock: Clock,
    connections: BTreeMap<String, Connection>,
    next: u64,
    out: Vec<(String, Value)>,
}

struct Connection {
    id: ConnectionId,
    place: Option<Place>,
}

#[derive(Clone)]
struct Place {
    room: RoomKey,
    seat: Seat,
    platform: Platform,
    revision: u64,
    mids: BTreeMap<String, MidInfo>,
}

type Reply = Result<Value, ErrorBody>;

fn ok(reply: impl Serialize) -> Reply {
    Ok(serde_json::to_value(reply).unwrap())
}

fn no(refusal: Refusal) -> ErrorBody {
    (&refusal).into()
}

impl Shell {
    pub(crate) fn new() -> Self {
        let loopback = Loopback::prove(["127.0.0.1:80".parse().unwrap()]).unwrap();
        Self {
            apps: Apps::new([], Demo::Present(loopback)).unwrap(),
            rooms: Rooms::new(Limits::default()),
            tickets: Tickets::new(100),
            clock: Clock::new(),
            connections: BTreeMap::new(),
            next: 0,
            out: Vec::new(),
        }
    }

    /// What everybody was sent since the last time, in order.
    pub(crate) fn sent(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.out)
    }

    pub(crate) fn receive(&mut self, client: &str, text: &str) {
        let next = &mut self.next;
        let connection = self.connections.entry(client.to_owned()).or_insert_with(|| {
            *next += 1;
            Connection { id: ConnectionId(*next), place: None }
        });
        let stage = if connection.place.is_some() { Stage::Joined } else { Stage::Unjoined };
        let message = match parse(text, stage) {
            Ok(Envelope { id, request }) => match self.handle(client, request) {
                Ok(ok) => serde_json::to_value(Accepted { id, ok }),
                Err(error) => serde_json::to_value(Refused { id: Some(id), error }),
            },
            Err(BadMessage { id, fault }) => serde_json::to_value(Refused { id, error: (&fault).into() }),
        };
        // The replay of a resumed session follows its reply.
        let after = std::mem::take(&mut self.out);
        self.out.push((client.to_owned(), message.unwrap()));
        self.out.extend(after);
        self.flush();
    }

    pub(crate) fn lost(&mut self, client: &str) {
        let connection = self.connections.remove(client).unwrap();
        if let Some(place) = connection.place {
            let now = self.clock.now();
            self.rooms.within(&place.room, |room| room.lost(&place.seat, now));
        }
        self.flush();
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.clock.ms += seconds * 1000;
        self.rooms.handle_timeout(self.clock.now());
        self.flush();
    }

    fn flush(&mut self) {
        while let Some((room, effect)) = self.rooms.poll_effect() {
            match effect {
                Effect::Send { connection, event } => {
                    let (client, _) =
                        self.connections.iter().find(|(_, other)| other.id == connection).unwrap();
                    self.out.push((client.clone(), serde_json::from_str(&event.text()).unwrap()));
                }
                Effect::Close { connection, .. } => {
                    self.connections.retain(|_, other| other.id != connection)
                }
                Effect::Order(Order::RevokeTickets { uid, which }) => {
                    self.tickets.revoke(&room, &uid, &which);
                }
                Effect::Order(_) | Effect::Hook(_) => {}
            }
        }
    }

    fn handle(&mut self, client: &str, request: Request) -> Reply {
        let connection = &self.connections[client];
        let (id, place) = (connection.id, connection.place.clone());
        match (request, place) {
            (Request::Ping, _) => ok(PingOk { time: self.clock.now().unix }),
            (Request::Join(join), None) => self.join(client, id, join),
            (Request::Resume { session, last_seq }, None) => {
                let (room, resumed) = self.rooms.resume(&session, last_seq, id).map_err(no)?;
                let platform = Platform::Web;
                let place = Place { room, seat: resumed.seat, platform, revision: 0, mids: BTreeMap::new() };
                self.connections.get_mut(client).unwrap().place = Some(place);
                let missed = resumed.missed.iter().map(|event| serde_json::from_str(&event.text()).unwrap());
                self.out.extend(missed.map(|event: Value| (client.to_owned(), event)));
                ok(ResumeOk { missed: u64::try_from(resumed.missed.len()).unwrap() })
            }
            (Request::Join(_) | Request::Resume { .. }, Some(_)) => Err(no(Refusal::AlreadyJoined)),
            (_, None) => Err(no(Refusal::NotJoined)),
            (Request::Publish(publish), Some(place)) => self.publish(client, place, publish),
            (Request::Subscribe(subscribe), Some(place)) => self.subscribe(client, place, &subscribe),
            (Request::IceRestart, Some(place)) => {
                self.offer(client, place, BTreeMap::new());
                ok(Done {})
            }
            (request, Some(place)) => {
                let (now, apps) = (self.clock.now(), self.apps.clone());
                let reply = self
                    .rooms
                    .within(&place.room, |room| in_room(room, &place.seat, request, now, &apps).map_err(no));
                reply.unwrap()
            }
        }
    }

    fn join(&mut self, client: &str, connection: ConnectionId, join: Join) -> Reply {
        let now = self.clock.now();
        let token = join.token.as_ref().map(|token| token.0.as_str());
        let pass = self.apps.admit(token, &join.app, &join.room, join.uid.uid(), now.unix);
        let pass = pass.map_err(|error| ErrorBody::from(&error))?;
        let room = RoomKey::from(&pass);
        let request = JoinRequest { id: join.uid, platform: join.platform, role: join.role };
        let secret = u128::from(connection.0).to_be_bytes();
        let entered = self.rooms.enter(&room, |room| room.join(pass, request, connection, secret, now));
        let entered = entered.map_err(no)?;
        let (platform, mids) = (join.platform, BTreeMap::new());
        let place = Place { room, seat: entered.seat, platform, revision: 0, mids };
        self.connections.get_mut(client).unwrap().place = Some(place);
        ok(entered.reply)
    }

    fn publish(&mut self, client: &str, place: Place, publish: Publish) -> Reply {
        let now = self.clock.now();
        let tracks = Tracks::new(publish.audio, publish.video).ok_or_else(|| no(Refusal::NoTracks))?;
        let (stream, seat) = (publish.stream, place.seat.clone());
        let published = self
            .rooms
            .within(&place.room, |room| room.publish(&seat, stream, tracks, publish.attributes, now))
            .unwrap()
            .map_err(no)?;
        if place.platform == Platform::Miniprogram {
            let path = published.grant.stream().clone();
            let query = self.ticket(&seat, published.grant);
            let rtmp = Hidden(format!("rtmp://127.0.0.1:1935/{path}?{query}"));
            return ok(PublishOk::Rtmp { stream, rtmp });
        }
        self.sections(client, place, &UserId::from(seat.uid().clone()), stream, tracks);
        ok(PublishOk::Webrtc { stream })
    }

    fn subscribe(&mut self, client: &str, place: Place, subscribe: &Subscribe) -> Reply {
        let tracks = Tracks::new(subscribe.audio, subscribe.video).ok_or_else(|| no(Refusal::NoTracks))?;
        let (seat, stream) = (place.seat.clone(), subscribe.stream);
        let subscribed = self
            .rooms
            .within(&place.room, |room| room.subscribe(&seat, &subscribe.uid, stream, tracks))
            .unwrap()
            .map_err(no)?;
        let uid = subscribed.owner;
        if place.platform == Platform::Miniprogram {
            let path = subscribed.grant.stream().clone();
            let query = self.ticket(&seat, subscribed.grant);
            let rtmp = Hidden(format!("rtmp://127.0.0.1:1935/{path}?{query}"));
            let flv = Hidden(format!("http://127.0.0.1:8080/flv/{path}.flv?{query}"));
            return ok(SubscribeOk::Addresses { uid, stream, rtmp, flv });
        }
        self.sections(client, place, &uid, stream, tracks);
        ok(SubscribeOk::Webrtc { uid, stream })
    }

    /// The query of an address: one ticket, whichever protocol the client takes.
    fn ticket(&mut self, seat: &Seat, grant: Grant) -> String {
        self.next += 1;
        let random = u128::from(self.next).to_be_bytes();
        let (ticket, _) = self.tickets.issue(random, seat.uid(), grant, self.clock.now().instant).unwrap();
        format!("ticket={}", ticket.expose())
    }

    fn sections(
        &mut self,
        client: &str,
        place: Place,
        uid: &UserId,
        stream: queqiao_room::StreamKind,
        tracks: Tracks,
    ) {
        let (mut new, mut next) = (BTreeMap::new(), place.mids.len());
        for kind in [MediaKind::Audio, MediaKind::Video] {
            if tracks.has(kind) {
                new.insert(next.to_string(), MidInfo { uid: uid.clone(), stream, kind });
                next += 1;
            }
        }
        self.offer(client, place, new);
    }

    fn offer(&mut self, client: &str, mut place: Place, new: BTreeMap<String, MidInfo>) {
        place.revision += 1;
        place.mids.extend(new);
        let sdp = Sdp(format!("v=0\r\no=- 1 {} IN IP4 127.0.0.1\r\n", place.revision));
        let event = Event::Offer { revision: place.revision, sdp, mids: place.mids.clone() };
        self.rooms.within(&place.room, |room| room.tell(place.seat.uid(), &event));
        self.connections.get_mut(client).unwrap().place = Some(place);
    }
}

fn in_room(
    room: &mut Room,
    seat: &Seat,
    request: Request,
    now: queqiao_room::machine::Now,
    apps: &Apps,
) -> Result<Value, Refusal> {
    let value = match request {
        Request::Leave => serde_json::to_value(room.leave(seat).map(|()| Done {})?),
        Request::Unpublish { stream } => {
            serde_json::to_value(room.unpublish(seat, stream).map(|()| Done {})?)
        }
        Request::Unsubscribe { uid, stream } => {
            serde_json::to_value(room.unsubscribe(seat, &uid, stream).map(|()| Done {})?)
        }
        Request::Mute { uid, stream, kind, muted } => {
            let other = uid.filter(|uid: &Uid| uid != seat.uid());
            let state = match other {
                Some(uid) => room.block(By::Seat(seat), &uid, stream, kind, muted)?,
                None => room.mute(seat, stream, kind, muted, now)?,
            };
            serde_json::to_value(MuteOk { state })
        }
        Request::SetRole { role } => {
            room.set_role(seat, role, now)?;
            serde_json::to_value(SetRoleOk { role })
        }
        Request::RenewToken { token } => {
            let (app, name) = (room.key().app.clone(), room.key().room.clone());
            let pass = apps.admit(Some(&token.0), &app, &name, seat.uid(), now.unix)?;
            let token_expires = pass.expires();
            serde_json::to_value(RenewTokenOk { token_expires, role: room.renew(seat, pass, now)? })
        }
        Request::SendMessage { to, content } => {
            let message_id = room.send_message(seat, to.as_ref(), content, now)?;
            serde_json::to_value(SendMessageOk { message_id })
        }
        Request::SetRoomAttribute { key, value } => {
            serde_json::to_value(room.set_room_attribute(seat, key, value, now).map(|()| Done {})?)
        }
        Request::SetStreamAttribute { stream, key, value } => {
            serde_json::to_value(room.set_stream_attribute(seat, stream, key, value, now).map(|()| Done {})?)
        }
        Request::Kick { uid, message } => {
            serde_json::to_value(room.kick(By::Seat(seat), &uid, message).map(|()| Done {})?)
        }
        Request::Ban { uid, seconds, message } => {
            let length = Duration::from_secs(seconds);
            serde_json::to_value(room.ban(By::Seat(seat), &uid, length, message, now).map(|()| Done {})?)
        }
        Request::CloseRoom => serde_json::to_value(room.close(By::Seat(seat)).map(|()| Done {})?),
        _ => serde_json::to_value(Done {}),
    };
    Ok(value.unwrap())
}
