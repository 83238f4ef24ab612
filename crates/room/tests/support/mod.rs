//! What the tests of rooms share: an app, its tokens, and made-up time.
#![allow(dead_code, clippy::unwrap_used, reason = "helpers of tests; not every file uses all of them")]

use std::time::{Duration, Instant};

use queqiao_room::machine::{ConnectionId, Effect, JoinRequest, Limits, Now, Room, RoomKey, Seat};
use queqiao_room::signal::{Event, Platform, SequencedEvent};
use queqiao_room::{
    Access, Apps, Claims, Demo, Grant, Pass, Permission, Role, Secret, StreamKey, StreamKind, Uid,
    UnixSeconds, issue,
};

pub(crate) const START: UnixSeconds = UnixSeconds(1_800_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
const SECRET: &str = "b1946ac92492d2347c6235b4d2611184";

pub(crate) fn apps() -> Apps {
    let secret: Secret = SECRET.parse().unwrap();
    Apps::new([("live".parse().unwrap(), Access::Tokens(vec![secret]))], Demo::Absent).unwrap()
}

pub(crate) fn uid(text: &str) -> Uid {
    text.parse().unwrap()
}

pub(crate) fn key(room: &str) -> RoomKey {
    RoomKey { app: "live".parse().unwrap(), room: room.parse().unwrap() }
}

/// A token of the app `live`.
pub(crate) fn token(
    room: &str,
    who: &str,
    role: Role,
    admin: bool,
    now: UnixSeconds,
    ttl: Duration,
) -> String {
    let key = key(room);
    let claims = Claims::new(key.app, key.room, uid(who), role, now, ttl).unwrap();
    issue(&SECRET.parse().unwrap(), &Claims { admin, ..claims }).unwrap()
}

pub(crate) fn pass(who: &str, role: Role, admin: bool, now: UnixSeconds, ttl: Duration) -> Pass {
    let (token, key) = (token("r1", who, role, admin, now, ttl), key("r1"));
    apps().admit(Some(&token), &key.app, &key.room, &uid(who), now).unwrap()
}

/// The right to publish one's own stream, or to play another's.
pub(crate) fn grant(who: &str, of: &str, permission: Permission, now: UnixSeconds, ttl: Duration) -> Grant {
    let stream: StreamKey = format!("live/r1/{of}").parse().unwrap();
    let token = token("r1", who, Role::Host, false, now, ttl);
    apps().authorize(Some(&token), &stream, permission, now).unwrap()
}

pub(crate) fn screen_grant(who: &str, now: UnixSeconds) -> Grant {
    grant(who, &format!("{who}~screen"), Permission::Publish, now, HOUR)
}

/// Time that the test moves.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    pub(crate) ms: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), ms: 0 }
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            instant: self.start + Duration::from_millis(self.ms),
            unix: UnixSeconds(START.0 + self.ms / 1000),
        }
    }

    pub(crate) fn ms_of(&self, instant: Instant) -> u64 {
        u64::try_from((instant - self.start).as_millis()).unwrap()
    }
}

/// A room with its clock, and a new connection for everyone who comes.
pub(crate) struct Stage {
    pub(crate) room: Room,
    pub(crate) clock: Clock,
    connections: u64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self { room: Room::new(key("r1"), 1, limits), clock: Clock::new(), connections: 0 }
    }

    pub(crate) fn connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(crate) fn secret(connection: ConnectionId) -> [u8; 16] {
        u128::from(connection.0).to_be_bytes()
    }

    pub(crate) fn enter(&mut self, pass: Pass) -> queqiao_room::machine::Entered {
        let connection = self.connection();
        let request = JoinRequest { id: pass.uid().clone().into(), platform: Platform::Web, role: None };
        self.room.join(pass, request, connection, Self::secret(connection), self.clock.now()).unwrap()
    }

    pub(crate) fn join(&mut self, who: &str) -> Seat {
        self.enter(pass(who, Role::Host, false, self.now().unix, HOUR)).seat
    }

    pub(crate) fn join_admin(&mut self, who: &str) -> Seat {
        self.enter(pass(who, Role::Host, true, self.now().unix, HOUR)).seat
    }

    pub(crate) fn join_audience(&mut self, who: &str) -> Seat {
        self.enter(pass(who, Role::Audience, false, self.now().unix, HOUR)).seat
    }

    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.room.poll_effect()).collect()
    }

    /// The events that this seat's connection is sent, of the effects since they were last taken.
    pub(crate) fn told(&mut self, seat: &Seat) -> Vec<Event> {
        events(&self.effects(), seat.connection())
    }

    pub(crate) fn forget(&mut self) {
        self.effects();
    }

    /// Moves time, and does what is due on the way at its time.
    pub(crate) fn advance(&mut self, ms: u64) {
        let end = self.clock.ms + ms;
        while let Some(at) = self.room.poll_timeout().map(|at| self.clock.ms_of(at)) {
            if at > end {
                break;
            }
            self.clock.ms = self.clock.ms.max(at);
            self.room.handle_timeout(self.clock.now());
            let next = self.room.poll_timeout().map(|next| self.clock.ms_of(next));
            assert!(next.is_none_or(|next| next > self.clock.ms), "a timeout at {at} is never done");
        }
        self.clock.ms = end;
    }
}

pub(crate) fn events(effects: &[Effect], connection: ConnectionId) -> Vec<Event> {
    let mine = effects.iter().filter_map(|effect| match effect {
        Effect::Send { connection: to, event } if *to == connection => Some(event.text()),
        _ => None,
    });
    mine.map(|text| serde_json::from_str::<SequencedEvent>(&text).unwrap().event).collect()
}

pub(crate) const CAMERA: StreamKind = StreamKind::Camera;
pub(crate) const SCREEN: StreamKind = StreamKind::Screen;
