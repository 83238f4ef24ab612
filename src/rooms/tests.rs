//! The shell without sockets: what connections are sent, in which order, and when they are told to end.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_room::machine::{Limits, Now, Operator, RoomKey};
use queqiao_room::signal::{EndReason, Tracks};
use queqiao_room::{Apps, Demo, Loopback, Permission, StreamKey, UnixSeconds};
use queqiao_transcode::{AacSettings, OpusSettings};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tracing::Span;

use super::*;
use crate::hub::{self, Hub, transcode};
use crate::rtc::{self, Notice};

/// A server without listeners, but for the port of its WebRTC workers.
struct House {
    service: Arc<RoomService>,
    /// What the real sessions say, which these tests say themselves.
    _notices: UnboundedReceiver<Notice>,
}

impl House {
    fn new() -> Self {
        Self::with(10, Limits::default())
    }

    fn with(max_sessions: usize, limits: Limits) -> Self {
        let settings = hub::Settings {
            max_streams: 10,
            max_players: 10,
            gop_bytes: 1 << 20,
            gop_frames: 100,
            max_lag: std::time::Duration::from_millis(500),
            opus: OpusSettings::default(),
            aac: AacSettings::default(),
        };
        let hub = Hub::new(settings, transcode::Pool::start(1).unwrap()).unwrap();
        let local = "127.0.0.1:0".parse().unwrap();
        let (sender, notices) = unbounded_channel();
        let config = rtc::Config { listen: local, public_ips: Vec::new(), workers: 1, max_sessions };
        let rtc = rtc::Service::start(&config, &hub, sender).unwrap();
        let apps = Apps::new([], Demo::Present(Loopback::prove([local]).unwrap())).unwrap();
        let public = PublicAddresses { rtmp_port: 1935, ..PublicAddresses::default() };
        let settings = Settings { limits, joins_per_second: 2, public };
        Self { service: RoomService::new(settings, Arc::new(apps), hub, rtc), _notices: notices }
    }

    async fn join(&self, uid: &str, platform: &str) -> Caller<'_> {
        let mut caller = self.call();
        let request = json!({"id": 1, "type": "join", "version": 1, "app": "demo", "room": "r", "uid": uid,
            "platform": platform});
        caller.say(request).await;
        assert_eq!(caller.heard()[0]["ok"]["uid"], uid);
        caller
    }

    fn call(&self) -> Caller<'_> {
        self.call_from(Ipv4Addr::LOCALHOST)
    }

    fn call_from(&self, source: Ipv4Addr) -> Caller<'_> {
        let source = IpAddr::V4(source);
        let socket = self.service.open_socket(source, "example.com:8080", Span::none());
        Caller { house: self, socket }
    }

    fn publish(&self, uid: &str) -> Result<(queqiao_room::Grant, Link), Denied> {
        self.service.admit(&stream(uid), Permission::Publish, Credential::Token(None), Protocol::Rtmp)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.service.rtc.shutdown();
    }
}

/// A client that speaks.
struct Caller<'a> {
    house: &'a House,
    socket: Socket,
}

impl Caller<'_> {
    async fn say(&mut self, request: Value) {
        self.house.service.receive(&mut self.socket, &request.to_string()).await;
    }

    /// What has been queued for it, and the end of it.
    fn heard(&self) -> Vec<Value> {
        let mut all = Vec::new();
        while let Some(next) = self.socket.outgoing().try_next() {
            match next {
                Next::Message(text) => all.push(serde_json::from_str(&text).unwrap()),
                Next::Close(end) => {
                    all.push(json!({"close": end.code(), "reason": end.name()}));
                    break;
                }
            }
        }
        all
    }

    /// The names of what it is told.
    fn names(&self) -> Vec<String> {
        let name = |message: &Value| {
            let known = ["event", "reason", "id"].iter().find_map(|field| message.get(field));
            known.map(|name| name.as_str().map_or_else(|| name.to_string(), str::to_owned)).unwrap()
        };
        self.heard().iter().map(name).collect()
    }
}

fn room() -> RoomKey {
    RoomKey { app: "demo".parse().unwrap(), room: "r".parse().unwrap() }
}

fn stream(uid: &str) -> StreamKey {
    format!("demo/r/{uid}").parse().unwrap()
}

#[tokio::test]
async fn a_reply_comes_before_the_events_that_its_request_causes() {
    let house = House::new();
    let mut alice = house.join("alice", "web").await;
    let bob = house.join("bob", "web").await;
    alice.say(json!({"id": 2, "type": "set_room_attribute", "key": "k", "value": "v"})).await;
    assert_eq!(alice.names(), ["participant_joined", "2", "room_attribute"]);
    assert_eq!(bob.names(), ["room_attribute"]);
}

#[tokio::test]
async fn who_leaves_is_let_go_and_who_is_removed_is_told_why() {
    let house = House::new();
    let mut alice = house.join("alice", "web").await;
    let mut bob = house.join("bob", "web").await;
    alice.heard();
    alice.say(json!({"id": 2, "type": "kick", "uid": "bob"})).await;
    assert_eq!(bob.names(), ["session_ended", "kicked"]);
    bob.say(json!({"id": 2, "type": "candidate", "candidate": ""})).await;
    assert_eq!(alice.names(), ["2", "participant_left"]);
    alice.say(json!({"id": 3, "type": "leave"})).await;
    assert_eq!(alice.heard(), [json!({"id": 3, "ok": {}}), json!({"close": 1000, "reason": "left"})]);
    assert_eq!(house.service.rooms(None, None, 100), []);
}

#[tokio::test]
async fn a_lost_socket_that_has_left_or_was_removed_changes_nothing() {
    let house = House::new();
    let alice = house.join("alice", "web").await;
    let mut bob = house.join("bob", "web").await;
    bob.say(json!({"id": 2, "type": "leave"})).await;
    alice.heard();
    house.service.close_socket(bob.socket);
    assert_eq!(alice.names(), [""; 0]);
    house.service.close_socket(alice.socket);
    assert_eq!(house.service.rooms(None, None, 100)[0].participants, 1, "waits to be resumed");
}

#[tokio::test]
async fn a_publication_that_finds_no_session_is_not_seen_by_anybody() {
    let house = House::with(0, Limits::default());
    let mut alice = house.join("alice", "web").await;
    let bob = house.join("bob", "web").await;
    alice.heard();
    alice.say(json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": true})).await;
    let heard = alice.heard();
    assert_eq!(heard[0]["error"]["code"], "too_many_sessions");
    assert_eq!(heard[0]["error"]["limit"], 0);
    assert_eq!(bob.names(), [""; 0]);
    assert!(house.service.room(&room()).unwrap().participants[0].info.streams.is_empty());
}

#[tokio::test]
async fn a_subscription_that_finds_no_place_is_taken_back() {
    let house = House::with(0, Limits::default());
    let mut alice = house.join("alice", "web").await;
    let (_grant, _link) = house.publish("obs").unwrap();
    alice.heard();
    for id in 2..4 {
        alice.say(json!({"id": id, "type": "subscribe", "uid": "obs", "stream": "camera"})).await;
        assert_eq!(alice.heard()[0]["error"]["code"], "too_many_sessions");
    }
    alice.say(json!({"id": 4, "type": "unsubscribe", "uid": "obs", "stream": "camera"})).await;
    assert_eq!(alice.heard()[0]["error"]["code"], "not_subscribed");
}

#[tokio::test]
async fn a_participant_has_one_media_session_that_ends_with_it() {
    let house = House::new();
    let mut alice = house.join("alice", "web").await;
    let session = || house.service.room(&room()).and_then(|room| room.participants[0].session.clone());
    assert_eq!(session(), None);
    alice.say(json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": true})).await;
    let first = session().unwrap();
    alice.say(json!({"id": 3, "type": "publish", "stream": "screen", "audio": false, "video": true})).await;
    assert_eq!(session(), Some(first.clone()));
    alice.say(json!({"id": 4, "type": "leave"})).await;
    assert!(matches!(house.service.rtc.close(&first), Err(rtc::Error::NoSuchSession)));
}

#[tokio::test]
async fn media_that_are_lost_are_refused_until_the_participant_joins_anew() {
    let house = House::new();
    let mut alice = house.join("alice", "web").await;
    alice.say(json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": true})).await;
    let session = house.service.room(&room()).unwrap().participants[0].session.clone().unwrap();
    let ended = Notice::Ended { session, ending: rtc::Ending::Lost };
    house.service.take_notices(std::iter::once(ended));
    alice.heard();
    alice.say(json!({"id": 3, "type": "ice_restart"})).await;
    alice.say(json!({"id": 4, "type": "publish", "stream": "screen", "audio": true, "video": true})).await;
    let codes: Vec<Value> = alice.heard().iter().map(|reply| reply["error"]["code"].clone()).collect();
    assert_eq!(codes, ["media_lost", "media_lost"]);
    let mut again = house.join("alice", "web").await;
    again.say(json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": true})).await;
    assert_eq!(again.heard()[0]["ok"]["stream"], "camera");
}

#[tokio::test]
async fn an_offer_names_everybody_as_they_wrote_themselves() {
    let house = House::new();
    let mut alice = house.call();
    alice
        .say(json!({"id": 1, "type": "join", "version": 1, "app": "demo", "room": "r", "uid": 7, "platform": "web"}))
        .await;
    alice.say(json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": false})).await;
    alice.heard();
    let session = house.service.room(&room()).unwrap().participants[0].session.clone().unwrap();
    let kind = queqiao_room::signal::MediaKind::Audio;
    let sections = vec![rtc::Carried { mid: "0".to_owned(), stream: stream("7"), kind }];
    let offer = rtc::Offer { revision: 1, sdp: "v=0".to_owned(), sections };
    house.service.take_notices(std::iter::once(Notice::Offer { session, offer }));
    let mids = json!({"0": {"uid": 7, "stream": "camera", "kind": "audio"}});
    assert_eq!(alice.heard()[0]["mids"], mids);
}

#[tokio::test]
async fn an_encoder_comes_sends_what_it_sends_breaks_and_comes_back() {
    let house = House::new();
    let alice = house.join("alice", "web").await;
    let (_grant, link) = house.publish("obs").unwrap();
    assert_eq!(alice.names(), ["participant_joined", "stream_published"]);
    link.observe(Tracks::Video);
    assert_eq!(alice.heard()[0]["audio"], "absent");
    drop(link);
    assert_eq!(alice.names(), ["participant_reconnecting"]);
    let (_grant, mut link) = house.publish("obs").unwrap();
    alice.heard();
    link.leave();
    drop(link);
    assert_eq!(alice.names(), ["participant_left"]);
}

#[tokio::test]
async fn a_newer_encoder_and_an_operator_end_the_older_connection() {
    let house = House::new();
    let (_grant, first) = house.publish("obs").unwrap();
    let (_grant, second) = house.publish("obs").unwrap();
    assert_eq!(first.end(), Some(LinkEnd::Ended(EndReason::Replaced)));
    drop(first);
    assert_eq!(house.service.room(&room()).unwrap().participants[0].legs, [(Protocol::Rtmp, None)]);
    assert_eq!(second.end(), None);
    house.service.kick(Operator::vouched(), &room(), &"obs".parse().unwrap(), None).unwrap().unwrap();
    assert_eq!(second.end(), Some(LinkEnd::Ended(EndReason::Kicked)));
}

#[tokio::test]
async fn a_ticket_lets_one_connection_in_and_is_over_when_its_participant_is() {
    let house = House::new();
    let mut phone = house.join("phone", "miniprogram").await;
    phone.say(json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": true})).await;
    let heard = phone.heard();
    let address = heard[0]["ok"]["rtmp"].as_str().unwrap();
    let (before, ticket) = address.split_once("?ticket=").unwrap();
    assert_eq!(before, "rtmp://example.com/demo/r/phone");
    let show = |permission| {
        house.service.admit(&stream("phone"), permission, Credential::Ticket(ticket), Protocol::Rtmp)
    };
    assert_eq!(show(Permission::Play).err().unwrap().code(), "ticket_for_another_direction");
    let (_grant, first) = show(Permission::Publish).unwrap();
    let (_grant, second) = show(Permission::Publish).unwrap();
    assert_eq!((first.end(), second.end()), (Some(LinkEnd::TicketTaken), None));
    drop(first);
    phone.say(json!({"id": 3, "type": "leave"})).await;
    assert_eq!(second.end(), Some(LinkEnd::TicketRevoked));
    assert_eq!(show(Permission::Publish).err().unwrap().code(), "invalid_ticket");
}

#[tokio::test]
async fn a_ticket_to_play_is_over_when_the_stream_is() {
    let house = House::new();
    let mut phone = house.join("phone", "miniprogram").await;
    let (_grant, mut publisher) = house.publish("obs").unwrap();
    phone.heard();
    phone.say(json!({"id": 2, "type": "subscribe", "uid": "obs", "stream": "camera"})).await;
    let heard = phone.heard();
    let ticket = heard[0]["ok"]["flv"].as_str().unwrap().split_once("?ticket=").unwrap().1;
    let credential = Credential::Ticket(ticket);
    let (_grant, player) =
        house.service.admit(&stream("obs"), Permission::Play, credential, Protocol::Flv).unwrap();
    publisher.leave();
    drop(publisher);
    assert_eq!(player.end(), Some(LinkEnd::TicketRevoked));
}

#[tokio::test]
async fn joins_beyond_the_pace_of_an_address_are_refused_with_the_time_to_wait() {
    let house = House::new();
    let mut codes = Vec::new();
    // Two a second and four at once: the rest would have to take eight seconds to pass.
    for number in 0..20 {
        let mut caller = house.call_from(Ipv4Addr::new(192, 0, 2, 1));
        let request = json!({"id": 1, "type": "join", "version": 1, "app": "nowhere", "room": "r", "uid": number,
            "platform": "web"});
        caller.say(request).await;
        codes.push(caller.heard().remove(0)["error"].clone());
    }
    assert!(codes[..4].iter().all(|error| error["code"] == "unknown_app"));
    let refused: Vec<_> = codes.iter().filter(|error| error["code"] == "rate_limited").collect();
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|error| error["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0)));
}

#[tokio::test]
async fn what_happens_is_told_to_the_one_that_took_the_hooks() {
    let house = House::new();
    let mut hooks = house.service.take_hooks().unwrap();
    let mut alice = house.join("alice", "web").await;
    alice.say(json!({"id": 2, "type": "leave"})).await;
    let mut told = Vec::new();
    while let Ok(event) = hooks.try_recv() {
        assert_eq!(event.room, room());
        told.push(format!("{:?}", event.hook).split(' ').next().unwrap_or_default().to_owned());
    }
    assert_eq!(told, ["RoomOpened", "ParticipantJoined", "ParticipantLeft", "RoomClosed"]);
}

#[tokio::test]
async fn an_operator_sees_bans_mutes_and_closes_rooms() {
    let house = House::new();
    let alice = house.join("alice", "web").await;
    let (_grant, link) = house.publish("obs").unwrap();
    let seen = house.service.rooms(None, None, 100);
    assert_eq!((seen[0].participants, seen[0].streams), (2, 1));
    let operator = Operator::vouched();
    let obs = "obs".parse().unwrap();
    let track = (&obs, queqiao_room::StreamKind::Camera, queqiao_room::signal::MediaKind::Audio);
    assert!(house.service.mute(operator, &room(), track, true).unwrap().is_ok());
    house.service.ban(operator, &room(), &obs, std::time::Duration::from_secs(60), None).unwrap();
    assert_eq!(link.end(), Some(LinkEnd::Ended(EndReason::Banned)));
    drop(link);
    assert_eq!(house.publish("obs").err().unwrap().code(), "banned");
    house.service.close_room(operator, &room()).unwrap().unwrap();
    assert_eq!(alice.names().last().map(String::as_str), Some("room_closed"));
    assert!(
        house
            .service
            .kick(operator, &RoomKey { room: "none".parse().unwrap(), ..room() }, &obs, None)
            .is_none()
    );
}

/// The right to a stream that a ticket from signalling gives, and its connection.
fn show(house: &House, address: &Value, uid: &str, permission: Permission) -> (queqiao_room::Grant, Link) {
    let ticket = address.as_str().unwrap().split_once("ticket=").unwrap().1;
    let credential = Credential::Ticket(ticket);
    house.service.admit(&stream(uid), permission, credential, Protocol::Rtmp).unwrap()
}

#[tokio::test]
async fn a_phone_whose_push_breaks_is_reconnecting_until_it_pushes_again() {
    let house = House::new();
    let mut phone = house.join("phone", "miniprogram").await;
    let bob = house.join("bob", "web").await;
    phone.heard();
    phone.say(json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": true})).await;
    let address = phone.heard()[0]["ok"]["rtmp"].clone();
    bob.heard();
    let (_, first) = show(&house, &address, "phone", Permission::Publish);
    assert!(bob.names().is_empty());
    // The phone has changed its network: the server still has the connection from before.
    let (_, second) = show(&house, &address, "phone", Permission::Publish);
    assert_eq!(first.end(), Some(LinkEnd::TicketTaken));
    drop(first);
    assert!(bob.names().is_empty(), "it was replaced, not lost");
    drop(second);
    assert_eq!(bob.names(), ["participant_reconnecting"]);
    let (_, mut third) = show(&house, &address, "phone", Permission::Publish);
    assert_eq!(bob.names(), ["participant_reconnected"]);
    third.leave();
    drop(third);
    assert!(bob.names().is_empty(), "a pusher that is stopped is not waited for");
}

#[tokio::test]
async fn a_new_address_takes_the_place_of_the_old_one_and_is_no_loss() {
    let house = House::new();
    let mut phone = house.join("phone", "miniprogram").await;
    let bob = house.join("bob", "web").await;
    phone.heard();
    let publish = json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": true});
    phone.say(publish.clone()).await;
    let first = show(&house, &phone.heard()[0]["ok"]["rtmp"], "phone", Permission::Publish).1;
    bob.heard();
    phone.say(publish).await;
    let address = phone.heard()[0]["ok"]["rtmp"].clone();
    assert_eq!(first.end(), Some(LinkEnd::TicketRevoked));
    drop(first);
    let _second = show(&house, &address, "phone", Permission::Publish);
    assert!(bob.names().is_empty());
}

/// A publisher of large pictures, for as many seconds as it is told to.
fn push_pictures(publication: &hub::Publication, from: Instant, seconds: u64) {
    for frame in 0..seconds * 25 {
        let mut media = hub::testing::picture(i64::try_from(frame).unwrap() * 40, frame % 50 == 0);
        if let hub::Media::Video { unit, .. } = &mut media {
            unit.nals.push(vec![1; 5_000].into());
        }
        publication.source().push_frame(from + Duration::from_millis(frame * 40), media);
    }
}

#[tokio::test]
async fn a_phone_is_told_what_its_viewer_can_take_and_told_again_when_it_begins_anew() {
    let house = House::new();
    let mut phone = house.join("phone", "miniprogram").await;
    phone.say(json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": true})).await;
    let address = phone.heard()[0]["ok"]["rtmp"].clone();
    let (grant, _link) = show(&house, &address, "phone", Permission::Publish);
    let control = Arc::new(hub::testing::Control::default());
    let publication = house.service.hub.publish(&grant, hub::NativeForm::Frames, control).unwrap();
    let seat = house.service.hub.play(&grant).unwrap();
    let start = Instant::now();
    push_pictures(&publication, start, 3);
    let steer = |half_seconds: u64| {
        let instant = start + Duration::from_secs(3) + Duration::from_millis(500 * half_seconds);
        house.service.steer(Now { instant, unix: UnixSeconds(0) });
    };
    steer(0);
    assert!(phone.heard().is_empty(), "a viewer that can take everything asks for nothing");
    seat.capacity().note(Some(500_000));
    steer(1);
    steer(2);
    let limits =
        json!({"seq": 1, "event": "publish_limits", "stream": "camera", "max_kbps": 420, "short_side": 360});
    assert_eq!(phone.heard(), [limits]);
    assert_eq!(house.service.room(&room()).unwrap().participants[0].limits[0].1, 420_000);
    phone.say(json!({"id": 3, "type": "publish", "stream": "camera", "audio": true, "video": true})).await;
    let heard = phone.heard();
    assert_eq!((heard[0]["id"].clone(), heard[1]["max_kbps"].clone()), (json!(3), json!(420)));
    phone.say(json!({"id": 4, "type": "unpublish", "stream": "camera"})).await;
    assert_eq!(house.service.totals().steered, 0);
}

#[tokio::test]
async fn user_data_goes_into_pictures_and_comes_out_of_them() {
    let house = House::new();
    let mut phone = house.join("phone", "miniprogram").await;
    let mut bob = house.call();
    let join = json!({"id": 1, "type": "join", "version": 1, "app": "demo", "room": "r", "uid": "bob",
        "platform": "web", "capabilities": ["sei"]});
    bob.say(join).await;
    phone.say(json!({"id": 2, "type": "publish", "stream": "camera", "audio": true, "video": true})).await;
    bob.say(json!({"id": 2, "type": "subscribe", "uid": "phone", "stream": "camera"})).await;
    phone.heard();
    bob.heard();
    phone.say(json!({"id": 3, "type": "send_sei", "stream": "camera", "text": "goal"})).await;
    assert_eq!(phone.names(), ["3"]);
    let told = bob.heard().pop().unwrap();
    assert_eq!(
        (told["event"].clone(), told["sei_type"].clone(), told["text"].clone()),
        (json!("sei"), json!(5), json!("goal"))
    );
    let data = queqiao_media::h264::sei::UserData::Plain { data: vec![0, 255].into() };
    house.service.tell_sei(&hub::Heard { stream: stream("phone"), data });
    let told = bob.heard().pop().unwrap();
    assert_eq!((told["sei_type"].clone(), told["data"].clone()), (json!(242), json!("AP8=")));
}
