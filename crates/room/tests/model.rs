//! The room against a model that is too simple to be wrong, and against what its participants were told.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside #[test] functions"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use queqiao_room::machine::{
    By, ConnectionId, Detach, Effect, JoinRequest, Leg, Limits, Operator, Refusal, Sealed, Seat,
};
use queqiao_room::signal::{
    Attributes, Content, Event, MediaKind, ParticipantInfo, Platform, Presence, SequencedEvent, SessionId,
    StreamInfo, TrackState, Tracks,
};
use queqiao_room::{Permission, Role, StreamKind};
use support::{HOUR, Stage, grant, pass, uid};

const UIDS: [&str; 5] = ["ann", "bob", "cid", "dan", "eve"];
const MAX_PARTICIPANTS: usize = 4;
const GRACE_MS: u64 = 20_000;
const LEEWAY_MS: u64 = 5_000;

#[derive(Clone, Debug)]
enum Op {
    Join { who: usize, role: Option<Role>, platform: Platform, host: bool, ttl: u64 },
    Lost { who: usize },
    Resume { who: usize, behind: usize },
    Leave { who: usize },
    Publish { who: usize, kind: StreamKind, tracks: Tracks },
    Unpublish { who: usize, kind: StreamKind },
    Subscribe { who: usize, of: usize, kind: StreamKind },
    Unsubscribe { who: usize, of: usize, kind: StreamKind },
    Mute { who: usize, kind: StreamKind, media: MediaKind, muted: bool },
    Block { who: usize, of: usize, kind: StreamKind, media: MediaKind, blocked: bool },
    SetRole { who: usize, role: Role },
    RoomAttribute { who: usize, value: Option<String> },
    StreamAttribute { who: usize, kind: StreamKind, value: Option<String> },
    Message { who: usize, to: Option<usize> },
    Kick { who: usize, of: usize },
    Ban { of: usize, seconds: u64 },
    Attach { who: usize, publish: Option<StreamKind> },
    Detach { leg: usize, how: Detach },
    Observe { who: usize, kind: StreamKind, tracks: Tracks },
    Renew { who: usize, host: bool, ttl: u64 },
    Close { who: usize },
    Advance { ms: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let who = || 0..UIDS.len();
    let kind = || prop_oneof![3 => Just(StreamKind::Camera), 1 => Just(StreamKind::Screen)];
    let made = || prop_oneof![Just(StreamKind::Mix), Just(StreamKind::Speaker)];
    let received = move || prop_oneof![3 => kind(), 1 => made()];
    let tracks = || prop_oneof![Just(Tracks::Both), Just(Tracks::Audio), Just(Tracks::Video)];
    let media = || prop_oneof![Just(MediaKind::Audio), Just(MediaKind::Video)];
    let role = || prop_oneof![Just(Role::Host), Just(Role::Audience)];
    let platform = || prop_oneof![3 => Just(Platform::Web), 1 => Just(Platform::Miniprogram)];
    let ttl = || prop_oneof![4 => Just(3600_u64), 1 => Just(25_u64), 1 => Just(50_u64)];
    let value = || proptest::option::of("[a-b]{0,2}");
    let how = || prop_oneof![Just(Detach::Left), Just(Detach::Lost)];
    let membership = prop_oneof![
        6 => (who(), proptest::option::of(role()), platform(), any::<bool>(), ttl())
            .prop_map(|(who, role, platform, host, ttl)| Op::Join { who, role, platform, host, ttl }),
        3 => who().prop_map(|who| Op::Lost { who }),
        3 => (who(), 0..3_usize).prop_map(|(who, behind)| Op::Resume { who, behind }),
        1 => who().prop_map(|who| Op::Leave { who }),
        2 => (who(), role()).prop_map(|(who, role)| Op::SetRole { who, role }),
        1 => (who(), any::<bool>(), ttl()).prop_map(|(who, host, ttl)| Op::Renew { who, host, ttl }),
        5 => prop_oneof![0..900_u64, 3_000..30_000_u64].prop_map(|ms| Op::Advance { ms }),
    ];
    let media_ops = prop_oneof![
        6 => (who(), kind(), tracks()).prop_map(|(who, kind, tracks)| Op::Publish { who, kind, tracks }),
        1 => (who(), kind()).prop_map(|(who, kind)| Op::Unpublish { who, kind }),
        3 => (who(), who(), received()).prop_map(|(who, of, kind)| Op::Subscribe { who, of, kind }),
        1 => (who(), who(), received()).prop_map(|(who, of, kind)| Op::Unsubscribe { who, of, kind }),
        3 => (who(), kind(), media(), any::<bool>())
            .prop_map(|(who, kind, media, muted)| Op::Mute { who, kind, media, muted }),
        3 => (who(), who(), kind(), media(), any::<bool>())
            .prop_map(|(who, of, kind, media, blocked)| Op::Block { who, of, kind, media, blocked }),
        4 => (who(), proptest::option::of(kind())).prop_map(|(who, publish)| Op::Attach { who, publish }),
        3 => (0..8_usize, how()).prop_map(|(leg, how)| Op::Detach { leg, how }),
        1 => (who(), kind(), tracks()).prop_map(|(who, kind, tracks)| Op::Observe { who, kind, tracks }),
    ];
    let others = prop_oneof![
        2 => (who(), value()).prop_map(|(who, value)| Op::RoomAttribute { who, value }),
        2 => (who(), kind(), value()).prop_map(|(who, kind, value)| Op::StreamAttribute { who, kind, value }),
        2 => (who(), proptest::option::of(who())).prop_map(|(who, to)| Op::Message { who, to }),
        1 => (who(), who()).prop_map(|(who, of)| Op::Kick { who, of }),
        1 => (who(), 0..40_u64).prop_map(|(of, seconds)| Op::Ban { of, seconds }),
        1 => who().prop_map(|who| Op::Close { who }),
    ];
    prop_oneof![4 => membership, 5 => media_ops, 2 => others]
}

/// Ann alone is an admin.
fn is_admin(who: &str) -> bool {
    who == UIDS[0]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Session,
    Leg(ConnectionId),
    Nobody(u64),
}

#[derive(Clone, Debug)]
struct ModelStream {
    tracks: Tracks,
    muted: BTreeSet<MediaKind>,
    attributes: Attributes,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum ModelLink {
    None,
    Up,
    Down(u64),
}

#[derive(Clone, Debug)]
struct ModelParticipant {
    platform: Platform,
    role: Role,
    may_host: bool,
    ends: u64,
    link: ModelLink,
    legs: BTreeMap<ConnectionId, Option<StreamKind>>,
    streams: BTreeMap<StreamKind, ModelStream>,
    blocked: BTreeSet<(StreamKind, MediaKind)>,
    subscriptions: BTreeSet<(String, StreamKind)>,
}

impl ModelParticipant {
    fn is_gone(&self) -> bool {
        self.link == ModelLink::None && self.legs.is_empty() && self.streams.is_empty()
    }

    fn state(&self, kind: StreamKind, media: MediaKind) -> TrackState {
        let stream = &self.streams[&kind];
        match (stream.tracks.has(media), self.blocked.contains(&(kind, media)), stream.muted.contains(&media))
        {
            (false, ..) => TrackState::Absent,
            (true, true, _) => TrackState::Blocked,
            (true, false, true) => TrackState::Muted,
            (true, false, false) => TrackState::Live,
        }
    }

    fn info(&self, who: &str) -> ParticipantInfo {
        let reachable = match self.link {
            ModelLink::Up => true,
            ModelLink::Down(_) => false,
            ModelLink::None => !self.legs.is_empty(),
        };
        let stream = |(kind, stream): (&StreamKind, &ModelStream)| StreamInfo {
            stream: *kind,
            audio: self.state(*kind, MediaKind::Audio),
            video: self.state(*kind, MediaKind::Video),
            attributes: stream.attributes.clone(),
        };
        ParticipantInfo {
            uid: uid(who).into(),
            platform: self.platform,
            role: self.role,
            state: if reachable { Presence::Connected } else { Presence::Reconnecting },
            streams: self.streams.iter().map(stream).collect(),
        }
    }

    /// Drops a stream, and the media connection behind it.
    fn drop_stream(&mut self, kind: StreamKind) {
        if let Some(ModelStream { source: Source::Leg(leg), .. }) = self.streams.remove(&kind) {
            self.legs.remove(&leg);
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Model {
    ms: u64,
    participants: BTreeMap<String, ModelParticipant>,
    bans: BTreeMap<String, u64>,
    attributes: Attributes,
}

type Answer = Result<(), &'static str>;

impl Model {
    /// What holds after every step, whatever it was.
    fn tidy(&mut self) {
        let ms = self.ms;
        self.bans.retain(|_, until| *until > ms);
        for participant in self.participants.values_mut() {
            if matches!(participant.link, ModelLink::Down(until) if until <= ms) {
                participant.link = ModelLink::None;
                participant.platform = Platform::Encoder;
                participant.subscriptions.clear();
                participant.streams.retain(|_, stream| matches!(stream.source, Source::Leg(_)));
            }
            participant
                .streams
                .retain(|_, stream| !matches!(stream.source, Source::Nobody(until) if until <= ms));
        }
        self.participants.retain(|_, participant| !participant.is_gone() && participant.ends > ms);
        let there: BTreeSet<(String, StreamKind)> = self
            .participants
            .iter()
            .flat_map(|(who, participant)| participant.streams.keys().map(|kind| (who.clone(), *kind)))
            .collect();
        for participant in self.participants.values_mut() {
            participant.subscriptions.retain(|target| target.1.is_made() || there.contains(target));
        }
        if self.participants.is_empty() {
            self.attributes.clear();
        }
    }

    fn seated(&mut self, who: usize) -> Result<&mut ModelParticipant, &'static str> {
        let found = self.participants.get_mut(UIDS[who]);
        found.filter(|participant| participant.link == ModelLink::Up).ok_or("not_joined")
    }

    fn join(&mut self, who: usize, role: Option<Role>, platform: Platform, host: bool, ttl: u64) -> Answer {
        let (name, ms) = (UIDS[who].to_owned(), self.ms);
        let most = if host { Role::Host } else { Role::Audience };
        if role == Some(Role::Host) && !host {
            return Err("role_not_allowed");
        }
        if self.bans.contains_key(&name) {
            return Err("banned");
        }
        if self.participants.len() >= MAX_PARTICIPANTS && !self.participants.contains_key(&name) {
            return Err("room_full");
        }
        let role = role.unwrap_or(most);
        let fresh = ModelParticipant {
            platform,
            role,
            may_host: host,
            ends: 0,
            link: ModelLink::None,
            legs: BTreeMap::new(),
            streams: BTreeMap::new(),
            blocked: BTreeSet::new(),
            subscriptions: BTreeSet::new(),
        };
        let participant = self.participants.entry(name).or_insert(fresh);
        participant.subscriptions.clear();
        for stream in participant.streams.values_mut() {
            if stream.source == Source::Session {
                stream.source = Source::Nobody(ms + GRACE_MS);
            }
        }
        participant.link = ModelLink::Up;
        (participant.platform, participant.role, participant.may_host) = (platform, role, host);
        participant.ends = ms + ttl * 1000 + LEEWAY_MS;
        if role == Role::Audience {
            participant.drop_stream(StreamKind::Camera);
            participant.drop_stream(StreamKind::Screen);
        }
        Ok(())
    }

    fn leave(&mut self, who: usize) -> Answer {
        let participant = self.seated(who)?;
        participant.link = ModelLink::None;
        participant.platform = Platform::Encoder;
        participant.subscriptions.clear();
        participant.streams.retain(|_, stream| matches!(stream.source, Source::Leg(_)));
        Ok(())
    }

    fn publish(&mut self, who: usize, kind: StreamKind, tracks: Tracks) -> Answer {
        let participant = self.seated(who)?;
        if participant.role != Role::Host {
            return Err("not_host");
        }
        let source = participant.streams.get(&kind).map(|stream| stream.source);
        if matches!(source, Some(Source::Leg(_))) {
            return Err("stream_in_use");
        }
        let muted = match participant.streams.get(&kind) {
            Some(stream) if stream.source == Source::Session => stream.muted.clone(),
            _ => BTreeSet::new(),
        };
        let stream = ModelStream { tracks, muted, attributes: Attributes::new(), source: Source::Session };
        participant.streams.insert(kind, stream);
        Ok(())
    }

    fn unpublish(&mut self, who: usize, kind: StreamKind) -> Answer {
        let participant = self.seated(who)?;
        match participant.streams.get(&kind).map(|stream| stream.source) {
            None | Some(Source::Leg(_)) => Err("not_published"),
            Some(Source::Session | Source::Nobody(_)) => {
                participant.drop_stream(kind);
                Ok(())
            }
        }
    }

    fn subscribe(&mut self, who: usize, of: usize, kind: StreamKind) -> Answer {
        self.seated(who)?;
        let target = self.participants.get(UIDS[of]).ok_or("no_such_participant")?;
        let there = if kind.is_made() { who == of } else { target.streams.contains_key(&kind) };
        if !there {
            return Err("no_such_stream");
        }
        if kind == StreamKind::Mix && target.platform != Platform::Miniprogram {
            return Err("only_by_address");
        }
        self.seated(who)?.subscriptions.insert((UIDS[of].to_owned(), kind));
        Ok(())
    }

    fn unsubscribe(&mut self, who: usize, of: usize, kind: StreamKind) -> Answer {
        let removed = self.seated(who)?.subscriptions.remove(&(UIDS[of].to_owned(), kind));
        if removed { Ok(()) } else { Err("not_subscribed") }
    }

    fn mute(&mut self, who: usize, kind: StreamKind, media: MediaKind, muted: bool) -> Answer {
        let participant = self.seated(who)?;
        let blocked = participant.blocked.contains(&(kind, media));
        let stream = participant.streams.get_mut(&kind).ok_or("not_published")?;
        if !stream.tracks.has(media) {
            return Err("no_such_track");
        }
        if !muted && blocked {
            return Err("blocked");
        }
        if muted {
            stream.muted.insert(media)
        } else {
            stream.muted.remove(&media)
        };
        Ok(())
    }

    fn block(&mut self, by: usize, of: usize, kind: StreamKind, media: MediaKind, blocked: bool) -> Answer {
        self.seated(by)?;
        if !is_admin(UIDS[by]) {
            return Err("not_admin");
        }
        let target = self.participants.get_mut(UIDS[of]).ok_or("no_such_participant")?;
        let stream = target.streams.get(&kind).ok_or("no_such_stream")?;
        if !stream.tracks.has(media) {
            return Err("no_such_track");
        }
        if blocked {
            target.blocked.insert((kind, media))
        } else {
            target.blocked.remove(&(kind, media))
        };
        Ok(())
    }

    fn set_role(&mut self, who: usize, role: Role) -> Answer {
        let participant = self.seated(who)?;
        if role == Role::Host && !participant.may_host {
            return Err("role_not_allowed");
        }
        participant.role = role;
        if role == Role::Audience {
            participant.drop_stream(StreamKind::Camera);
            participant.drop_stream(StreamKind::Screen);
        }
        Ok(())
    }

    fn attach(&mut self, who: usize, publish: Option<StreamKind>, leg: ConnectionId) -> Answer {
        let (name, ends) = (UIDS[who].to_owned(), self.ms + 3_600_000 + LEEWAY_MS);
        if self.bans.contains_key(&name) {
            return Err("banned");
        }
        if !self.participants.contains_key(&name) && self.participants.len() >= MAX_PARTICIPANTS {
            return Err("room_full");
        }
        let participant = self.participants.entry(name).or_insert(ModelParticipant {
            platform: Platform::Encoder,
            role: Role::Audience,
            may_host: true,
            ends,
            link: ModelLink::None,
            legs: BTreeMap::new(),
            streams: BTreeMap::new(),
            blocked: BTreeSet::new(),
            subscriptions: BTreeSet::new(),
        });
        if let Some(kind) = publish {
            if participant.role == Role::Audience && participant.link != ModelLink::None {
                return Err("not_host");
            }
            let earlier = participant.streams.get(&kind);
            match earlier.map(|stream| stream.source) {
                Some(Source::Session) => return Err("stream_in_use"),
                Some(Source::Leg(older)) => {
                    participant.legs.remove(&older);
                }
                Some(Source::Nobody(_)) | None => {}
            }
            let attributes = earlier.map(|stream| stream.attributes.clone()).unwrap_or_default();
            let source = Source::Leg(leg);
            let stream = ModelStream { tracks: Tracks::Both, muted: BTreeSet::new(), attributes, source };
            participant.streams.insert(kind, stream);
            participant.role = Role::Host;
        }
        participant.legs.insert(leg, publish);
        if participant.link == ModelLink::None && participant.ends <= ends {
            (participant.ends, participant.may_host) = (ends, true);
        }
        Ok(())
    }

    fn detach(&mut self, who: &str, leg: ConnectionId, how: Detach) {
        let until = self.ms + GRACE_MS;
        let Some(participant) = self.participants.get_mut(who) else { return };
        let Some(Some(kind)) = participant.legs.remove(&leg) else { return };
        match how {
            Detach::Left => participant.drop_stream(kind),
            Detach::Lost => participant.streams.get_mut(&kind).unwrap().source = Source::Nobody(until),
        }
    }
}

/// A client: what it knows, all of it from its join and from events.
#[derive(Clone)]
struct Client {
    who: usize,
    seat: Seat,
    session: SessionId,
    /// What was known after each of the latest events, newest last.
    known: Vec<(u64, Known)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    participants: BTreeMap<String, ParticipantInfo>,
    attributes: Attributes,
}

fn set(attributes: &mut Attributes, key: &str, value: Option<&String>) {
    match value {
        Some(value) => attributes.insert(key.to_owned(), value.clone()),
        None => attributes.remove(key),
    };
}

impl Known {
    fn stream(&mut self, who: &str, kind: StreamKind) -> &mut StreamInfo {
        let participant = self.participants.get_mut(who).unwrap();
        participant.streams.iter_mut().find(|stream| stream.stream == kind).unwrap()
    }

    fn set_stream(&mut self, who: &str, info: StreamInfo) {
        let streams = &mut self.participants.get_mut(who).unwrap().streams;
        streams.retain(|stream| stream.stream != info.stream);
        streams.push(info);
        streams.sort_by_key(|stream| stream.stream);
    }

    fn set_track(&mut self, who: &str, kind: StreamKind, media: MediaKind, state: TrackState) {
        let stream = self.stream(who, kind);
        match media {
            MediaKind::Audio => stream.audio = state,
            MediaKind::Video => stream.video = state,
        }
    }

    fn hear(&mut self, me: &str, event: &Event) {
        let text = serde_json::to_value(event).unwrap();
        let whose = text.get("uid").and_then(|uid| uid.as_str());
        if whose == Some(me) {
            return;
        }
        let state =
            |known: &mut Self, uid: &str, state| known.participants.get_mut(uid).unwrap().state = state;
        match event {
            Event::ParticipantJoined { participant } => {
                self.participants.insert(participant.uid.to_string(), participant.clone());
            }
            Event::ParticipantLeft { uid, .. } => {
                self.participants.remove(uid.uid().as_str()).unwrap();
            }
            Event::ParticipantReconnecting { uid } => state(self, uid.uid().as_str(), Presence::Reconnecting),
            Event::ParticipantReconnected { uid } => state(self, uid.uid().as_str(), Presence::Connected),
            Event::StreamPublished { uid, info } => {
                let known = &self.participants[uid.uid().as_str()];
                assert!(known.streams.iter().all(|stream| stream.stream != info.stream), "published twice");
                self.set_stream(uid.uid().as_str(), info.clone());
            }
            Event::StreamChanged { uid, info } => {
                self.stream(uid.uid().as_str(), info.stream);
                self.set_stream(uid.uid().as_str(), info.clone());
            }
            Event::StreamUnpublished { uid, stream } => {
                self.stream(uid.uid().as_str(), *stream);
                let streams = &mut self.participants.get_mut(uid.uid().as_str()).unwrap().streams;
                streams.retain(|info| info.stream != *stream);
            }
            Event::Muted { uid, stream, kind, state, .. } => {
                self.set_track(uid.uid().as_str(), *stream, *kind, *state);
            }
            Event::RoleChanged { uid, role } => {
                self.participants.get_mut(uid.uid().as_str()).unwrap().role = *role;
            }
            Event::RoomAttribute { key, value, .. } => set(&mut self.attributes, key, value.as_ref()),
            Event::StreamAttribute { uid, stream, key, value } => {
                set(&mut self.stream(uid.uid().as_str(), *stream).attributes, key, value.as_ref());
            }
            Event::Message { .. } | Event::TokenExpiring { .. } | Event::SessionEnded { .. } => {}
            Event::Offer { .. }
            | Event::LayersWanted { .. }
            | Event::NetworkQuality { .. }
            | Event::PublishLimits { .. }
            | Event::Sei { .. }
            | Event::Speaker { .. } => unreachable!("the room makes none"),
        }
    }
}

impl Client {
    fn hear(&mut self, sealed: &Sealed) -> Event {
        let SequencedEvent { seq, event } = serde_json::from_str(&sealed.text()).unwrap();
        let (last, known) = self.known.last().unwrap();
        assert_eq!(seq, last + 1, "an event is missing or comes twice");
        let mut known = known.clone();
        known.hear(UIDS[self.who], &event);
        self.known.push((seq, known));
        if self.known.len() > 4 {
            self.known.remove(0);
        }
        event
    }

    fn now(&self) -> &Known {
        &self.known.last().unwrap().1
    }
}

struct World {
    stage: Stage,
    model: Model,
    /// By uid: who has, or could resume, a session.
    clients: BTreeMap<usize, Client>,
    legs: Vec<Leg>,
}

fn code<T>(result: Result<T, Refusal>) -> Answer {
    result.map(|_| ()).map_err(|refusal| refusal.code())
}

impl World {
    fn new() -> Self {
        let limits = Limits { max_participants: MAX_PARTICIPANTS, ..Limits::default() };
        Self {
            stage: Stage::with(limits),
            model: Model::default(),
            clients: BTreeMap::new(),
            legs: Vec::new(),
        }
    }

    fn seat(&self, who: usize) -> Seat {
        let nobody = || Stage::with(Limits::default()).join(UIDS[who]);
        self.clients.get(&who).map_or_else(nobody, |client| client.seat.clone())
    }

    fn drain(&mut self) {
        for effect in self.stage.effects() {
            match effect {
                Effect::Send { connection, event } => {
                    let client =
                        self.clients.values_mut().find(|client| client.seat.connection() == connection);
                    assert!(client.is_some(), "an event for a connection that is over");
                    let client = client.unwrap();
                    if let Event::SessionEnded { .. } = client.hear(&event) {
                        let who = client.who;
                        self.clients.remove(&who);
                    }
                }
                Effect::Close { .. } | Effect::Order(_) | Effect::Hook(_) => {}
            }
        }
    }

    fn run(&mut self, op: &Op) -> (Answer, Answer) {
        let now = self.stage.now();
        self.model.ms = self.stage.clock.ms;
        let name = |who: &usize| uid(UIDS[*who]);
        match op {
            Op::Join { who, role, platform, host, ttl } => {
                let expected = self.model.join(*who, *role, *platform, *host, *ttl);
                (self.join(*who, *role, *platform, *host, *ttl), expected)
            }
            Op::Lost { who } => {
                self.stage.room.lost(&self.seat(*who), now);
                if let Ok(participant) = self.model.seated(*who) {
                    participant.link = ModelLink::Down(self.stage.clock.ms + GRACE_MS);
                }
                (Ok(()), Ok(()))
            }
            Op::Resume { who, behind } => self.resume(*who, *behind),
            Op::Leave { who } => {
                let answers = (code(self.stage.room.leave(&self.seat(*who))), self.model.leave(*who));
                if answers.0.is_ok() {
                    self.clients.remove(who);
                }
                answers
            }
            Op::Publish { who, kind, tracks } => {
                let result =
                    self.stage.room.publish(&self.seat(*who), *kind, *tracks, Attributes::new(), now);
                (code(result), self.model.publish(*who, *kind, *tracks))
            }
            Op::Unpublish { who, kind } => {
                let result = self.stage.room.unpublish(&self.seat(*who), *kind);
                (code(result), self.model.unpublish(*who, *kind))
            }
            Op::Subscribe { who, of, kind } => {
                let result = self.stage.room.subscribe(&self.seat(*who), &name(of), *kind, Tracks::Both);
                (code(result), self.model.subscribe(*who, *of, *kind))
            }
            Op::Unsubscribe { who, of, kind } => {
                let result = self.stage.room.unsubscribe(&self.seat(*who), &name(of), *kind);
                (code(result), self.model.unsubscribe(*who, *of, *kind))
            }
            Op::Mute { who, kind, media, muted } => {
                let result = self.stage.room.mute(&self.seat(*who), *kind, *media, *muted, now);
                (code(result), self.model.mute(*who, *kind, *media, *muted))
            }
            Op::Block { who, of, kind, media, blocked } => {
                let seat = self.seat(*who);
                let result = self.stage.room.block(By::Seat(&seat), &name(of), *kind, *media, *blocked);
                (code(result), self.model.block(*who, *of, *kind, *media, *blocked))
            }
            Op::SetRole { who, role } => {
                let result = self.stage.room.set_role(&self.seat(*who), *role, now);
                (code(result), self.model.set_role(*who, *role))
            }
            _ => self.run_rest(op),
        }
    }

    fn run_rest(&mut self, op: &Op) -> (Answer, Answer) {
        let now = self.stage.now();
        let name = |who: &usize| uid(UIDS[*who]);
        match op {
            Op::RoomAttribute { who, value } => {
                let seat = self.seat(*who);
                let result = self.stage.room.set_room_attribute(&seat, "k".into(), value.clone(), now);
                if result.is_ok() {
                    set(&mut self.model.attributes, "k", value.as_ref());
                }
                let role = self.model.seated(*who).map(|participant| participant.role);
                let expected = match role {
                    Ok(Role::Audience) if !is_admin(UIDS[*who]) => Err("not_host"),
                    other => other.map(|_| ()),
                };
                (code(result), expected)
            }
            Op::StreamAttribute { who, kind, value } => {
                let seat = self.seat(*who);
                let result =
                    self.stage.room.set_stream_attribute(&seat, *kind, "k".into(), value.clone(), now);
                let expected = self.model.seated(*who).and_then(|participant| {
                    let stream = participant.streams.get_mut(kind).ok_or("not_published")?;
                    set(&mut stream.attributes, "k", value.as_ref());
                    Ok(())
                });
                (code(result), expected)
            }
            Op::Message { who, to } => {
                let (seat, to) = (self.seat(*who), to.as_ref().map(name));
                let result =
                    self.stage.room.send_message(&seat, to.as_ref(), Content::Text("hi".into()), now);
                let expected = self.model.seated(*who).map(|_| ()).and_then(|()| match &to {
                    Some(to) => match self.model.participants.get(to.as_str()) {
                        Some(participant) if participant.link != ModelLink::None => Ok(()),
                        _ => Err("no_such_participant"),
                    },
                    None => Ok(()),
                });
                (code(result), expected)
            }
            Op::Kick { who, of } => {
                let seat = self.seat(*who);
                let result = self.stage.room.kick(By::Seat(&seat), &name(of), None);
                let expected = match self.model.seated(*who) {
                    Err(code) => Err(code),
                    Ok(_) if !is_admin(UIDS[*who]) => Err("not_admin"),
                    Ok(_) => {
                        self.model.participants.remove(UIDS[*of]).map(|_| ()).ok_or("no_such_participant")
                    }
                };
                if expected.is_ok() {
                    self.gone(*of);
                }
                (code(result), expected)
            }
            Op::Ban { of, seconds } => {
                let by = By::Operator(Operator::vouched());
                let result = self.stage.room.ban(by, &name(of), Duration::from_secs(*seconds), None, now);
                if *seconds == 0 {
                    self.model.bans.remove(UIDS[*of]);
                } else {
                    self.model.bans.insert(UIDS[*of].to_owned(), self.model.ms + seconds * 1000);
                    self.model.participants.remove(UIDS[*of]);
                    self.gone(*of);
                }
                (code(result), Ok(()))
            }
            Op::Attach { who, publish } => self.attach(*who, *publish),
            Op::Detach { leg, how } => {
                if let Some(leg) = self.legs.get(*leg).cloned() {
                    self.stage.room.detach(&leg, *how, now);
                    self.model.detach(leg.uid().as_str(), leg.connection(), *how);
                    self.legs.retain(|other| *other != leg);
                }
                (Ok(()), Ok(()))
            }
            Op::Observe { who, kind, tracks } => {
                self.stage.room.observe_tracks(&name(who), *kind, *tracks);
                let found = self.model.participants.get_mut(UIDS[*who]);
                if let Some(stream) = found.and_then(|participant| participant.streams.get_mut(kind)) {
                    stream.tracks = *tracks;
                }
                (Ok(()), Ok(()))
            }
            Op::Renew { who, host, ttl } => {
                let role = if *host { Role::Host } else { Role::Audience };
                let pass = pass(UIDS[*who], role, is_admin(UIDS[*who]), now.unix, Duration::from_secs(*ttl));
                let result = self.stage.room.renew(&self.seat(*who), pass, now);
                let ends = self.model.ms + ttl * 1000 + LEEWAY_MS;
                let expected = self.model.seated(*who).map(|participant| {
                    (participant.ends, participant.may_host) = (ends, *host);
                    participant.role
                });
                if !host && expected.is_ok() {
                    self.model.set_role(*who, Role::Audience).unwrap();
                }
                (code(result), expected.map(|_| ()))
            }
            Op::Close { who } => {
                let seat = self.seat(*who);
                let result = self.stage.room.close(By::Seat(&seat));
                let expected = match self.model.seated(*who) {
                    Err(code) => Err(code),
                    Ok(_) if !is_admin(UIDS[*who]) => Err("not_admin"),
                    Ok(_) => Ok(()),
                };
                if expected.is_ok() {
                    self.model.participants.clear();
                    (0..UIDS.len()).for_each(|who| self.gone(who));
                }
                (code(result), expected)
            }
            Op::Advance { ms } => {
                self.stage.advance(*ms);
                self.model.ms = self.stage.clock.ms;
                (Ok(()), Ok(()))
            }
            _ => unreachable!("handled in run"),
        }
    }

    /// Clients that cannot be told that they are out, because their connection is lost, find out when they resume.
    fn gone(&mut self, who: usize) {
        self.drain();
        self.clients.remove(&who);
    }

    fn join(&mut self, who: usize, role: Option<Role>, platform: Platform, host: bool, ttl: u64) -> Answer {
        let most = if host { Role::Host } else { Role::Audience };
        let now = self.stage.now();
        let pass = pass(UIDS[who], most, is_admin(UIDS[who]), now.unix, Duration::from_secs(ttl));
        let connection = self.stage.connection();
        let request = JoinRequest { id: uid(UIDS[who]).into(), platform, role };
        let entered = self.stage.room.join(pass, request, connection, Stage::secret(connection), now);
        let entered = entered.map_err(|refusal| refusal.code())?;
        // The older session hears its end; then the newer one is who listens.
        self.drain();
        let participants = entered.reply.participants.into_iter().map(|info| (info.uid.to_string(), info));
        let known = Known { participants: participants.collect(), attributes: entered.reply.attributes };
        let session = entered.reply.session;
        self.clients.insert(who, Client { who, seat: entered.seat, session, known: vec![(0, known)] });
        Ok(())
    }

    fn resume(&mut self, who: usize, behind: usize) -> (Answer, Answer) {
        let there = self.model.participants.get_mut(UIDS[who]);
        let linked = there.filter(|participant| participant.link != ModelLink::None);
        let Some(mut client) = self.clients.get(&who).cloned() else { return (Ok(()), Ok(())) };
        let keep = client.known.len().saturating_sub(behind).max(1);
        client.known.truncate(keep);
        let last_seq = client.known.last().unwrap().0;
        let connection = self.stage.connection();
        match self.stage.room.resume(&client.session, last_seq, connection) {
            Ok(resumed) => {
                for sealed in &resumed.missed {
                    client.hear(sealed);
                }
                client.seat = resumed.seat;
                self.clients.insert(who, client);
                let expected = linked.ok_or("resume_impossible");
                (Ok(()), expected.map(|participant| participant.link = ModelLink::Up))
            }
            Err(refusal) => {
                self.clients.remove(&who);
                (Err(refusal.code()), linked.map_or(Err("resume_impossible"), |_| Ok(())))
            }
        }
    }

    fn attach(&mut self, who: usize, publish: Option<StreamKind>) -> (Answer, Answer) {
        let (now, connection) = (self.stage.now(), self.stage.connection());
        let grant = match publish {
            Some(StreamKind::Mix | StreamKind::Speaker) => {
                unreachable!("nobody publishes what the server makes")
            }
            Some(StreamKind::Camera) => grant(UIDS[who], UIDS[who], Permission::Publish, now.unix, HOUR),
            Some(StreamKind::Screen) => support::screen_grant(UIDS[who], now.unix),
            None => grant(UIDS[who], "somebody", Permission::Play, now.unix, HOUR),
        };
        let result = self.stage.room.attach(&grant, &uid("guest"), connection, now);
        let expected = self.model.attach(who, publish, connection);
        (code(result.map(|leg| self.legs.push(leg))), expected)
    }

    fn check(&mut self) {
        self.drain();
        self.model.tidy();
        let room = &self.stage.room;
        let expected: Vec<ParticipantInfo> =
            self.model.participants.iter().map(|(who, participant)| participant.info(who)).collect();
        assert_eq!(room.participants().collect::<Vec<_>>(), expected);
        assert_eq!(*room.attributes(), self.model.attributes);
        for (who, participant) in &self.model.participants {
            let subscriptions: BTreeSet<_> =
                room.subscriptions(&uid(who)).map(|(uid, kind)| (uid.to_string(), kind)).collect();
            assert_eq!(subscriptions, participant.subscriptions);
            let connected = participant.link == ModelLink::Up;
            let client = self.clients.values().find(|client| UIDS[client.who] == who);
            let Some(client) = client.filter(|_| connected) else { continue };
            let others = self.model.participants.iter().filter(|(other, _)| *other != who);
            let truth = Known {
                participants: others.map(|(who, other)| (who.clone(), other.info(who))).collect(),
                attributes: self.model.attributes.clone(),
            };
            assert_eq!(*client.now(), truth, "what {who} was told is not what is");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_room_does_what_the_model_does_and_everybody_knows_what_is(
        ops in proptest::collection::vec(op(), 1..80)
    ) {
        let mut world = World::new();
        for op in &ops {
            // Enough for what is allowed in a moment to be allowed again.
            world.stage.advance(1000);
            world.model.ms = world.stage.clock.ms;
            world.check();
            let (got, expected) = world.run(op);
            prop_assert_eq!(got, expected, "{:?}", op);
            world.check();
        }
    }
}
