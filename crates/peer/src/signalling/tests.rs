//! The session in virtual time, against made-up servers and the recorded conversations of `fixtures/signalling`, which
//! the browser's core replays too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use queqiao_room::StreamKind;
use queqiao_room::signal::{Content, Envelope};
use serde_json::json;

use super::*;

/// A session and what it has said and told, at a time of our choosing.
struct Player {
    session: Session,
    now: Instant,
    link: Option<Link>,
    sent: Vec<Value>,
    events: Vec<Value>,
    replies: Vec<(u64, Result<Value>)>,
    states: Vec<ConnectionState>,
    joins: Vec<bool>,
    resumed: u32,
    end: Option<Error>,
    /// Whether the server answers pings.
    pongs: bool,
}

impl Player {
    fn new(join: Join) -> Self {
        let now = Instant::now();
        let mut player = Self {
            session: Session::new(join, now, 1),
            now,
            link: None,
            sent: Vec::new(),
            events: Vec::new(),
            replies: Vec::new(),
            states: Vec::new(),
            joins: Vec::new(),
            resumed: 0,
            end: None,
            pongs: true,
        };
        player.settle();
        player
    }

    fn settle(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Open(link) => self.link = Some(link),
                Output::Send(link, text) => {
                    assert_eq!(Some(link), self.link, "nothing goes over a connection of the past");
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == "ping" && self.pongs {
                        let pong = json!({"id": message["id"], "ok": {"time": 1}}).to_string();
                        self.session.received(self.now, link, &pong);
                    } else {
                        self.sent.push(message);
                    }
                }
                Output::Close(link) => {
                    self.link.take_if(|current| *current == link);
                }
                Output::State(state) => self.states.push(state),
                Output::Joined { again, .. } => {
                    self.joins.push(again);
                    self.session.flush(self.now);
                }
                Output::Resumed => {
                    self.resumed += 1;
                    self.session.flush(self.now);
                }
                Output::Event(event) => self.events.push(serde_json::to_value(event).unwrap()),
                Output::Reply { id, result } => self.replies.push((id, result)),
                Output::Closed(error) => self.end = Some(error),
            }
        }
    }

    fn opened(&mut self) {
        let link = self.link.expect("a connection is being opened");
        self.session.opened(self.now, link);
        self.settle();
    }

    fn lost(&mut self) {
        let link = self.link.expect("there is a connection");
        self.session.closed(self.now, link);
        self.settle();
    }

    fn hear(&mut self, message: &Value) {
        let link = self.link.expect("there is a connection");
        self.session.received(self.now, link, &message.to_string());
        self.settle();
    }

    fn ask(&mut self, request: Request) -> u64 {
        let id = self.session.request(self.now, request, false).unwrap();
        self.settle();
        id
    }

    /// Lets time pass, with everything that is due in it.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// The last message, without its number, which comes along.
    fn last(&self) -> (u64, Value) {
        let mut message = self.sent.last().expect("something was sent").clone();
        let id = message.as_object_mut().unwrap().remove("id").unwrap();
        (id.as_u64().unwrap(), message)
    }

    fn joined(join: Join) -> Self {
        let mut player = Self::new(join);
        player.opened();
        let (id, _) = player.last();
        player.hear(&json!({"id": id, "ok": join_ok()}));
        player
    }
}

fn join() -> Join {
    serde_json::from_value(json!({
        "version": 1, "app": "demo", "room": "r1", "uid": "me", "platform": "native"
    }))
    .unwrap()
}

fn join_ok() -> Value {
    json!({
        "version": 1, "session": "0".repeat(48), "uid": "me", "role": "host", "admin": false,
        "participants": [], "attributes": {}, "heartbeat_seconds": 5, "grace_seconds": 20
    })
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn message(text: &str) -> Request {
    Request::SendMessage { to: None, content: Content::Text(text.to_owned()) }
}

#[test]
fn joining_says_who_one_is_and_then_requests_go_out_at_once() {
    let mut player = Player::joined(join());
    assert_eq!(
        player.sent[0],
        json!({
            "id": 1, "type": "join", "version": 1, "app": "demo", "room": "r1", "uid": "me", "platform": "native"
        })
    );
    assert_eq!(player.joins, [false]);
    let id = player.ask(message("hello"));
    assert_eq!(player.last(), (id, json!({"type": "send_message", "text": "hello"})));
    player.hear(&json!({"id": id, "ok": {"message_id": 3}}));
    assert!(matches!(&player.replies[..], [(replied, Ok(ok))] if *replied == id && ok["message_id"] == 3));
}

#[test]
fn a_first_join_is_given_up_after_three_attempts() {
    let mut player = Player::new(join());
    player.lost();
    player.pass(Duration::from_millis(500));
    player.lost();
    assert!(player.end.is_none());
    player.pass(seconds(1));
    player.pass(CONNECT_TIMEOUT);
    assert!(matches!(player.end, Some(Error::Unreachable)), "{:?}", player.end);
    assert_eq!(player.session.poll_timeout(), None);
}

#[test]
fn a_refused_join_is_told_with_its_code() {
    let mut player = Player::new(join());
    player.opened();
    player.hear(&json!({"id": 1, "error": {"code": "bad_signature", "message": "no"}}));
    assert_eq!(player.end.unwrap().code(), Some("bad_signature"));
}

#[test]
fn a_join_that_came_too_fast_is_tried_again_when_the_server_says() {
    let mut player = Player::new(join());
    player.opened();
    player.hear(&json!({"id": 1, "error": {"code": "rate_limited", "message": "", "retry_after_ms": 5000}}));
    player.pass(seconds(4));
    assert_eq!(player.link, None);
    player.pass(seconds(1));
    assert!(player.link.is_some());
}

#[test]
fn a_lost_connection_is_resumed_and_what_was_not_answered_is_asked_again_in_order() {
    let mut player = Player::joined(join());
    player.hear(&json!({"seq": 1, "event": "token_expiring", "seconds": 30}));
    let first = player.ask(Request::SetRole { role: Role::Host });
    player.lost();
    let second = player.ask(Request::Unpublish { stream: StreamKind::Camera });
    player.pass(Duration::from_millis(500));
    player.opened();
    let (id, resume) = player.last();
    assert_eq!(resume, json!({"type": "resume", "session": "0".repeat(48), "last_seq": 1}));
    player.hear(&json!({"id": id, "ok": {"missed": 1}}));
    let asked: Vec<u64> = player.sent[3..].iter().map(|message| message["id"].as_u64().unwrap()).collect();
    assert_eq!(asked, [first, second]);
    player.hear(&json!({"seq": 1, "event": "token_expiring", "seconds": 30}));
    player.hear(&json!({"seq": 2, "event": "token_expiring", "seconds": 20}));
    assert_eq!(player.events.len(), 2);
    assert_eq!(player.session.counters(), Counters { duplicate: 1, ..Counters::default() });
    assert_eq!((player.resumed, player.joins.len()), (1, 1));
}

#[test]
fn a_message_is_not_said_twice() {
    let mut player = Player::joined(join());
    let id = player.ask(message("once"));
    player.lost();
    assert!(matches!(&player.replies[..], [(lost, Err(Error::OutcomeUnknown { .. }))] if *lost == id));
}

#[test]
fn where_resuming_is_impossible_the_room_is_joined_anew() {
    let mut player = Player::joined(join());
    player.session.amend_role(Role::Audience);
    let kept = player.ask(Request::SetRole { role: Role::Audience });
    let void = player.session.request(player.now, Request::IceRestart, true).unwrap();
    player.settle();
    player.lost();
    player.pass(Duration::from_millis(500));
    player.opened();
    let (id, _) = player.last();
    player.hear(&json!({"id": id, "error": {"code": "resume_impossible", "message": ""}}));
    let (id, again) = player.last();
    assert_eq!((&again["type"], &again["role"]), (&json!("join"), &json!("audience")));
    player.hear(&json!({"id": id, "ok": join_ok()}));
    assert_eq!(player.joins, [false, true]);
    assert!(matches!(&player.replies[..], [(lost, Err(Error::SessionLost { .. }))] if *lost == void));
    assert_eq!(player.last().0, kept, "what outlives a session is asked of the new one");
    player.hear(&json!({"seq": 1, "event": "token_expiring", "seconds": 30}));
    assert_eq!(player.events.len(), 1, "a new session counts its events from 1");
}

#[test]
fn a_gap_in_the_events_is_asked_for_once_and_then_the_room_is_joined_anew() {
    let mut player = Player::joined(join());
    let gap = json!({"seq": 3, "event": "token_expiring", "seconds": 30});
    player.hear(&gap);
    player.pass(Duration::from_millis(500));
    player.opened();
    let (id, resume) = player.last();
    assert_eq!(resume["type"], "resume");
    player.hear(&json!({"id": id, "ok": {"missed": 0}}));
    player.hear(&gap);
    player.pass(seconds(2));
    player.opened();
    assert_eq!(player.last().1["type"], "join");
    assert_eq!(player.events, Vec::<Value>::new());
}

#[test]
fn a_silent_server_is_given_up_after_fifteen_seconds() {
    let mut player = Player::joined(join());
    player.pass(seconds(60));
    assert_eq!(player.states, [ConnectionState::Connected], "one that answers pings is not");
    player.pongs = false;
    player.pass(seconds(14));
    assert_eq!(player.states.len(), 1);
    player.pass(seconds(6));
    assert_eq!(player.states[1], ConnectionState::Reconnecting);
}

#[test]
fn attempts_have_growing_waits_between_them_until_a_connection_has_lasted() {
    let mut player = Player::joined(join());
    let mut waits = Vec::new();
    for _ in 0..6 {
        player.lost();
        let begin = player.now;
        let at = player.session.poll_timeout().unwrap();
        waits.push((at - begin).as_millis());
        player.pass(at - begin);
    }
    assert!(waits[..5].is_sorted(), "{waits:?}");
    assert!((6_000..=8_000).contains(waits.last().unwrap()), "{waits:?}");
    player.opened();
    let (id, _) = player.last();
    player.hear(&json!({"id": id, "ok": {"missed": 0}}));
    player.pass(STABLE);
    player.lost();
    assert!(player.session.poll_timeout().unwrap() - player.now <= Duration::from_millis(500));
}

#[test]
fn a_request_fails_when_no_answer_comes() {
    let mut player = Player::joined(join());
    let id = player.ask(message("hello"));
    player.pass(ANSWER_TIMEOUT);
    let late = player.replies.iter().find(|(late, _)| *late == id);
    assert!(matches!(late, Some((_, Err(Error::TimedOut { request: "send_message" })))));
    player.hear(&json!({"id": id, "ok": {"message_id": 3}}));
    assert_eq!(player.session.counters().unmatched, 1);
}

#[test]
fn no_more_requests_wait_than_anyone_needs() {
    let mut player = Player::joined(join());
    for _ in 0..requests::MAX_REQUESTS {
        player.ask(message("x"));
    }
    let refused = player.session.request(player.now, message("x"), false);
    assert!(matches!(refused, Err(Error::TooManyRequests { .. })));
    assert!(player.session.request(player.now, Request::IceRestart, true).is_ok(), "media go on");
}

#[test]
fn the_server_ends_the_session_with_a_reason() {
    let mut player = Player::joined(join());
    let id = player.ask(message("hello"));
    player.hear(&json!({"seq": 1, "event": "session_ended", "reason": "kicked", "message": "enough"}));
    assert_eq!(
        player.end.as_ref().unwrap().to_string(),
        "the session is over: an admin removed this participant (enough)"
    );
    assert!(matches!(&player.replies[..], [(over, Err(Error::Ended(_)))] if *over == id));
    assert_eq!(player.link, None);
    assert!(player.session.request(player.now, message("x"), false).is_err());
}

#[test]
fn leaving_is_said_and_waits_two_seconds_at_most() {
    for answered in [true, false] {
        let mut player = Player::joined(join());
        player.session.leave(player.now);
        player.settle();
        let (id, leave) = player.last();
        assert_eq!(leave, json!({"type": "leave"}));
        assert!(player.end.is_none());
        if answered {
            player.hear(&json!({"id": id, "ok": {}}));
        } else {
            player.pass(LEAVE_TIMEOUT);
        }
        assert!(matches!(player.end, Some(Error::Left)));
        assert_eq!(player.session.poll_timeout(), None);
    }
}

#[test]
fn what_cannot_be_understood_is_counted_and_events_that_are_not_known_are_passed_over() {
    let mut player = Player::joined(join());
    let link = player.link.unwrap();
    for text in
        ["{", "[]", "null", "{\"id\":1}", "{\"id\":1,\"ok\":{},\"error\":{\"code\":\"x\",\"message\":\"\"}}"]
    {
        player.session.received(player.now, link, text);
    }
    player.hear(&json!({"seq": 1, "event": "fireworks", "colour": "red"}));
    player.hear(&json!({"seq": 2, "event": "token_expiring", "seconds": 30}));
    player.hear(&json!({"id": 77, "ok": {}}));
    let expected = Counters { malformed: 5, unknown: 1, unmatched: 1, ..Counters::default() };
    assert_eq!(player.session.counters(), expected);
    assert_eq!(player.events.len(), 1);
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/signalling")
}

fn fixture(prefix: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name.starts_with(prefix) {
            found.insert(name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap());
        }
    }
    assert!(!found.is_empty(), "there are fixtures of {prefix}");
    found
}

#[test]
fn every_event_of_the_fixtures_is_understood() {
    for (name, fixture) in fixture("event.") {
        let mut player = Player::joined(join());
        let mut message = fixture["message"].clone();
        message["seq"] = json!(1);
        player.hear(&message);
        message.as_object_mut().unwrap().remove("seq");
        if message["event"] == "session_ended" {
            assert!(matches!(player.end, Some(Error::Ended(_))), "{name}");
        } else {
            assert_eq!(player.events, [message], "{name}");
        }
        assert_eq!(player.session.counters(), Counters::default(), "{name}");
    }
}

#[test]
fn every_refusal_of_the_fixtures_is_told_with_its_code() {
    for (name, fixture) in fixture("error.") {
        let mut player = Player::joined(join());
        let id = player.ask(message("x"));
        let mut refusal = fixture["message"].clone();
        refusal["id"] = json!(id);
        player.hear(&refusal);
        let [(_, Err(error))] = &player.replies[..] else { panic!("{name}: {:?}", player.replies) };
        assert_eq!(error.code(), refusal["error"]["code"].as_str(), "{name}");
    }
}

#[test]
fn every_request_of_the_fixtures_is_said_as_it_stands_there() {
    for (name, fixture) in fixture("request.") {
        let message = &fixture["message"];
        let envelope: Envelope = serde_json::from_value(message.clone()).unwrap();
        assert_eq!(&serde_json::to_value(envelope).unwrap(), message, "{name}");
    }
}

/// One participant of a recorded conversation.
struct Speaker {
    player: Player,
    id: u64,
    expected: Vec<Value>,
}

/// Says what the transcript's client says, and hears what its server says.
fn replay(name: &str, steps: &[Value]) {
    let mut speakers: BTreeMap<String, Speaker> = BTreeMap::new();
    let mut past: Vec<Speaker> = Vec::new();
    for step in steps {
        let client = step["client"].as_str().unwrap_or_default().to_owned();
        let message = &step["message"];
        match (step["direction"].as_str().unwrap(), message["type"].as_str()) {
            ("wait", _) => {
                let time = seconds(step["seconds"].as_u64().unwrap());
                // Transcripts leave the heartbeats out.
                for Speaker { player, .. } in speakers.values_mut() {
                    player.pongs = true;
                    player.pass(time);
                    player.pongs = false;
                }
            }
            ("client", Some("join")) => {
                let join = serde_json::from_value(message.clone()).unwrap();
                let mut player = Player::new(join);
                player.pongs = false;
                player.opened();
                let speaker = Speaker { id: player.last().0, player, expected: Vec::new() };
                assert_said(name, &speaker, message);
                past.extend(speakers.insert(client, speaker));
            }
            (direction, kind) => {
                // Whoever resumes is the one who was lost, under another name in the transcript.
                let known = client.strip_suffix(" again").filter(|_| !speakers.contains_key(&client));
                let mut speaker =
                    speakers.remove(known.unwrap_or(&client)).expect("a client that has joined");
                step_of(name, &mut speaker, direction, kind, message);
                speakers.insert(client, speaker);
            }
        }
    }
    for speaker in speakers.into_values().chain(past) {
        assert_eq!(speaker.player.events, speaker.expected, "{name}");
        assert_eq!(speaker.player.session.counters(), Counters::default(), "{name}");
        assert!(!speaker.player.joins.contains(&true), "{name}: nobody joined anew by itself");
    }
}

fn step_of(name: &str, speaker: &mut Speaker, direction: &str, kind: Option<&str>, message: &Value) {
    let player = &mut speaker.player;
    match (direction, kind) {
        ("lost", _) => player.lost(),
        ("server", _) if message["seq"].is_u64() => {
            if message["event"] != "session_ended" {
                let mut event = message.clone();
                event.as_object_mut().unwrap().remove("seq");
                speaker.expected.push(event);
            }
            player.hear(message);
        }
        ("server", _) => {
            let mut answer = message.clone();
            answer["id"] = json!(speaker.id);
            let replies = player.replies.len();
            player.hear(&answer);
            if let Some(code) = answer["error"]["code"].as_str() {
                // A refused join is the end.
                let told = match &player.replies[replies..] {
                    [(id, Err(error))] if *id == speaker.id => Some(error),
                    _ => player.end.as_ref(),
                };
                assert_eq!(told.and_then(Error::code), Some(code), "{name}");
            }
        }
        ("client", Some("resume")) => {
            player.pass(seconds(1));
            player.opened();
            speaker.id = player.last().0;
            let mut resume = message.clone();
            // A transcript may pretend that an event was lost with the connection; this client did get it.
            assert!(resume["last_seq"].as_u64().unwrap() <= speaker.expected.len() as u64, "{name}");
            resume["last_seq"] = json!(speaker.expected.len());
            assert_said(name, speaker, &resume);
        }
        ("client", Some("leave")) => {
            player.session.leave(player.now);
            player.settle();
            speaker.id = player.last().0;
            assert_said(name, speaker, message);
        }
        ("client", _) => {
            let Envelope { request, .. } = serde_json::from_value(message.clone()).unwrap();
            speaker.id = player.ask(request);
            assert_said(name, speaker, message);
        }
        (other, _) => panic!("{name}: a step of direction {other}"),
    }
}

fn assert_said(name: &str, speaker: &Speaker, message: &Value) {
    // What may be left out, because it is so anyway, this client says.
    let envelope: Envelope = serde_json::from_value(message.clone()).unwrap();
    let mut expected = serde_json::to_value(envelope).unwrap();
    expected.as_object_mut().unwrap().remove("id");
    assert_eq!(speaker.player.last(), (speaker.id, expected), "{name}");
}

#[test]
fn the_recorded_conversations_are_what_this_client_says_and_hears() {
    for (name, fixture) in fixture("transcript.") {
        // Refusals are of things that this client cannot say; resuming in vain makes it join by itself.
        if name == "transcript.refusals" {
            continue;
        }
        let resumable = |step: &&Value| step["message"]["error"]["code"] != "resume_impossible";
        let steps: Vec<Value> =
            fixture["transcript"].as_array().unwrap().iter().filter(resumable).cloned().collect();
        replay(&name, &steps);
    }
}
