//! A stay in virtual time.

use std::time::Duration;

use queqiao_media::layers::{Layer, LayerSet};
use queqiao_room::signal::{Publish, Subscribe};
use serde_json::json;

use super::*;

struct Bench {
    stay: Stay,
    now: Instant,
    link: Option<Link>,
    sent: Vec<Value>,
    events: Vec<Event>,
    /// Names of the outputs for the media.
    media: Vec<String>,
    replies: Vec<(u64, Result<Value>)>,
    closed: Option<Error>,
    seq: u64,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let join = serde_json::from_value(json!({
            "version": 1, "app": "demo", "room": "r1", "uid": "me", "platform": "native"
        }));
        let mut bench = Self {
            stay: Stay::new(join.unwrap(), now, 1),
            now,
            link: None,
            sent: Vec::new(),
            events: Vec::new(),
            media: Vec::new(),
            replies: Vec::new(),
            closed: None,
            seq: 0,
        };
        bench.settle();
        bench
    }

    fn joined(participants: &Value) -> Self {
        let mut bench = Self::new();
        bench.join(participants);
        bench.events.clear();
        bench
    }

    fn settle(&mut self) {
        while let Some(output) = self.stay.poll(self.now) {
            match output {
                Output::Open(link) => self.link = Some(link),
                Output::Send(_, text) => self.sent.push(serde_json::from_str(&text).unwrap()),
                Output::Close(_) | Output::Joined => {}
                Output::Tell(event) => self.events.push(event),
                Output::MediaLost => self.media.push("lost".to_owned()),
                Output::Offer(offer) => self.media.push(format!("offer {}", offer.revision)),
                Output::Unpublished(stream) => self.media.push(format!("unpublished {stream:?}")),
                Output::Unsubscribed(uid, stream) => {
                    self.media.push(format!("unsubscribed {uid} {stream:?}"))
                }
                Output::Reply(id, result) => self.replies.push((id, result)),
                Output::Closed(error) => self.closed = Some(error),
            }
        }
    }

    /// Opens the connection, and grants the join that is then asked for.
    fn join(&mut self, participants: &Value) {
        let link = self.link.unwrap();
        self.stay.opened(self.now, link);
        self.settle();
        self.seq = 0;
        self.grant(json!({
            "version": 1, "session": "0".repeat(48), "uid": "me", "role": "host", "admin": true,
            "participants": participants, "attributes": {"topic": "cats"}, "heartbeat_seconds": 5,
            "grace_seconds": 20
        }));
    }

    fn hear(&mut self, message: &Value) {
        self.stay.received(self.now, self.link.unwrap(), &message.to_string());
        self.settle();
    }

    fn event(&mut self, mut event: Value) {
        self.seq += 1;
        event["seq"] = json!(self.seq);
        self.hear(&event);
    }

    fn last_id(&self) -> Value {
        self.sent.last().unwrap()["id"].clone()
    }

    /// Says yes to the latest request.
    fn grant(&mut self, ok: Value) {
        self.hear(&json!({"id": self.last_id(), "ok": ok}));
    }

    fn refuse(&mut self, id: &Value, code: &str) {
        self.hear(&json!({"id": id, "error": {"code": code, "message": ""}}));
    }

    fn ask(&mut self, request: Request, ok: Value) {
        self.stay.request(self.now, request).unwrap();
        self.settle();
        self.grant(ok);
    }

    fn publish(&mut self) {
        let request = Publish {
            stream: StreamKind::Camera,
            audio: true,
            video: true,
            layers: LayerSet::SINGLE,
            attributes: Default::default(),
        };
        self.ask(Request::Publish(request), json!({"stream": "camera"}));
    }

    fn subscribe(&mut self, uid: &str) {
        let uid = uid.parse().unwrap();
        let request =
            Subscribe { uid, stream: StreamKind::Camera, audio: true, video: true, max_layer: Layer::High };
        self.ask(Request::Subscribe(request), json!({"uid": "ann", "stream": "camera"}));
    }

    /// Loses the session, and joins a new one.
    fn lose_session(&mut self, participants: &Value) {
        self.stay.closed(self.now, self.link.unwrap());
        self.settle();
        self.now += Duration::from_secs(1);
        self.stay.handle_timeout(self.now);
        self.settle();
        let link = self.link.unwrap();
        self.stay.opened(self.now, link);
        self.settle();
        let id = self.last_id();
        self.refuse(&id, "resume_impossible");
        self.seq = 0;
        self.grant(json!({
            "version": 1, "session": "1".repeat(48), "uid": "me", "role": "host", "admin": true,
            "participants": participants, "attributes": {}, "heartbeat_seconds": 5, "grace_seconds": 20
        }));
    }

    fn asked_since(&self, from: usize) -> Vec<Value> {
        let body = |message: &Value| {
            let mut message = message.clone();
            message.as_object_mut().unwrap().remove("id");
            message
        };
        self.sent[from..].iter().map(body).collect()
    }
}

fn ann(streams: &Value) -> Value {
    json!([{"uid": "ann", "platform": "web", "role": "host", "state": "connected", "streams": streams}])
}

fn camera() -> Value {
    json!([{"stream": "camera", "audio": "live", "video": "live"}])
}

#[test]
fn who_is_there_is_told_at_joining() {
    let mut bench = Bench::new();
    bench.join(&ann(&camera()));
    let [
        Event::Connection(ConnectionState::Connected),
        Event::ParticipantJoined(joined),
        Event::StreamPublished { uid, stream },
        Event::RoomAttribute { key, .. },
    ] = &bench.events[..]
    else {
        panic!("{:?}", bench.events)
    };
    assert_eq!((joined.uid.to_string(), uid.to_string()), ("ann".to_owned(), "ann".to_owned()));
    assert_eq!((stream.stream, key.as_str()), (StreamKind::Camera, "topic"));
    assert_eq!(bench.stay.participants().count(), 1);
}

#[test]
fn a_subscription_ends_with_its_stream_and_with_its_publisher() {
    for end in [
        json!({"event": "stream_unpublished", "uid": "ann", "stream": "camera"}),
        json!({"event": "participant_left", "uid": "ann", "reason": "left"}),
        json!({"event": "participant_joined", "participant": ann(&json!([]))[0]}),
    ] {
        let mut bench = Bench::joined(&ann(&camera()));
        bench.subscribe("ann");
        bench.event(end.clone());
        assert_eq!(bench.media, ["unsubscribed ann Camera"], "{end}");
        assert!(matches!(bench.events[0], Event::StreamUnpublished { .. }), "{end}: {:?}", bench.events);
    }
}

#[test]
fn an_offer_is_answered_with_its_revision() {
    let mut bench = Bench::joined(&json!([]));
    bench.publish();
    bench.event(json!({"event": "offer", "revision": 4, "sdp": "v=0", "mids": {}}));
    assert_eq!(bench.media, ["offer 4"]);
    bench.stay.answer(bench.now, 4, Sdp("v=1".to_owned()));
    bench.settle();
    let answer = bench.asked_since(bench.sent.len() - 1);
    assert_eq!(answer, [json!({"type": "answer", "revision": 4, "sdp": "v=1"})]);
    bench.grant(json!({}));
    assert!(bench.replies.len() == 1, "nobody else asked for it");
}

#[test]
fn a_new_session_is_brought_to_where_the_lost_one_was() {
    let mut bench = Bench::joined(&ann(&camera()));
    bench.publish();
    let mute = |muted| Request::Mute { uid: None, stream: StreamKind::Camera, kind: MediaKind::Audio, muted };
    bench.ask(mute(true), json!({"state": "muted"}));
    bench.subscribe("ann");
    bench.ask(Request::RenewToken { token: Hidden("new".to_owned()) }, json!({"role": "host"}));
    let before = bench.sent.len();
    bench.lose_session(&ann(&camera()));
    assert_eq!(bench.media, ["lost"]);
    let asked = bench.asked_since(before);
    let kinds: Vec<&str> = asked.iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["resume", "join", "publish", "mute", "subscribe"]);
    assert_eq!((&asked[1]["token"], &asked[1]["role"]), (&json!("new"), &json!("host")));
    assert_eq!(asked[2], json!({"type": "publish", "stream": "camera", "audio": true, "video": true}));
    assert_eq!(asked[3], json!({"type": "mute", "stream": "camera", "kind": "audio", "muted": true}));
    assert!(
        !bench.events.iter().any(|event| matches!(event, Event::ParticipantJoined(_))),
        "only what is different is told: {:?}",
        bench.events
    );
}

#[test]
fn what_a_new_session_does_not_get_back_has_ended() {
    let mut bench = Bench::joined(&ann(&camera()));
    bench.publish();
    bench.subscribe("ann");
    let before = bench.sent.len();
    bench.lose_session(&ann(&camera()));
    let ids: Vec<Value> = bench.sent[before + 2..].iter().map(|message| message["id"].clone()).collect();
    bench.refuse(&ids[0], "stream_in_use");
    bench.refuse(&ids[1], "no_such_stream");
    assert_eq!(bench.media, ["lost", "unpublished Camera", "unsubscribed ann Camera"]);
    assert!(bench.events.iter().any(|event| matches!(event, Event::OwnStreamEnded { .. })));
}

#[test]
fn streams_that_are_gone_after_a_new_join_have_ended() {
    let mut bench = Bench::joined(&ann(&camera()));
    bench.subscribe("ann");
    bench.lose_session(&json!([]));
    assert_eq!(bench.media, ["lost", "unsubscribed ann Camera"]);
    let left = |event: &Event| matches!(event, Event::ParticipantLeft { .. });
    assert!(bench.events.iter().any(left));
}

#[test]
fn media_that_the_server_has_lost_make_the_room_joined_anew() {
    for code in ["media_lost", "bad_sdp"] {
        let mut bench = Bench::joined(&json!([]));
        bench.stay.ice_restart(bench.now);
        bench.settle();
        let id = bench.last_id();
        bench.refuse(&id, code);
        bench.now += Duration::from_secs(1);
        bench.stay.handle_timeout(bench.now);
        bench.settle();
        bench.join(&json!([]));
        assert_eq!(bench.sent.last().unwrap()["type"], "join");
        assert_eq!(bench.media, ["lost"], "{code}");
    }
}

#[test]
fn who_becomes_audience_publishes_nothing_any_longer() {
    let mut bench = Bench::joined(&json!([]));
    bench.publish();
    bench.event(json!({"event": "role_changed", "uid": "me", "role": "audience"}));
    assert_eq!(bench.media, ["unpublished Camera"]);
    assert!(matches!(
        &bench.events[..],
        [Event::OwnStreamEnded { .. }, Event::RoleChanged { role: Role::Audience, .. }]
    ));
    assert_eq!(bench.stay.me().role, Some(Role::Audience));
}

#[test]
fn an_admin_who_blocks_a_track_is_told_to_its_owner() {
    let mut bench = Bench::joined(&json!([]));
    bench.publish();
    let blocked = json!({
        "event": "muted", "uid": "me", "stream": "camera", "kind": "video", "state": "blocked", "by": "ann"
    });
    bench.event(blocked.clone());
    bench.event(blocked);
    let [Event::OwnTrack { kind: MediaKind::Video, state: TrackState::Blocked, by: Some(by), .. }] =
        &bench.events[..]
    else {
        panic!("{:?}", bench.events)
    };
    assert_eq!(by.to_string(), "ann");
}

#[test]
fn ending_what_has_ended_is_no_error() {
    let mut bench = Bench::joined(&ann(&camera()));
    bench.subscribe("ann");
    let uid: Uid = "ann".parse().unwrap();
    bench.stay.request(bench.now, Request::Unsubscribe { uid, stream: StreamKind::Camera }).unwrap();
    bench.settle();
    assert_eq!(bench.media, ["unsubscribed ann Camera"], "at once");
    let id = bench.last_id();
    bench.refuse(&id, "no_such_stream");
    assert!(bench.replies.last().unwrap().1.is_ok());
}

#[test]
fn the_end_is_told_once_and_last() {
    let mut bench = Bench::joined(&json!([]));
    bench.event(json!({"event": "session_ended", "reason": "room_closed"}));
    assert!(matches!(bench.closed, Some(Error::Ended(_))));
    assert!(matches!(
        &bench.events[..],
        [Event::Connection(ConnectionState::Closed), Event::Ended(Error::Ended(_))]
    ));
    assert!(bench.stay.request(bench.now, Request::CloseRoom).is_err());
}
