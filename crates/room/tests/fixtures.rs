//! Every message of the protocol under `fixtures/signalling`, which the JavaScript tests read too.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests, outside #[test] functions"
)]

#[path = "support/shell.rs"]
mod shell;
mod support;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use queqiao_room::machine::{AttributeLimit, Refusal};
use queqiao_room::signal::{
    Accepted, Done, EVENT_NAMES, Envelope, ErrorBody, Fault, JoinOk, MuteOk, PingOk, PublishOk,
    REQUEST_NAMES, Refused, RenewTokenOk, ResumeOk, SendMessageOk, SequencedEvent, ServerMessage, SetRoleOk,
    Stage, SubscribeOk, parse,
};
use queqiao_room::{AppId, Error, Permission, Role, StreamKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shell::Shell;
use support::uid;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/signalling")
}

/// Every file with its name without `.json`.
fn files(prefix: &str) -> Vec<(String, Value)> {
    let mut files: Vec<(String, Value)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.strip_suffix(".json")?.to_owned();
            let value = serde_json::from_str(&std::fs::read_to_string(entry.path()).unwrap()).unwrap();
            name.starts_with(prefix).then_some((name, value))
        })
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(!files.is_empty(), "no fixtures {prefix}*");
    files
}

fn message<'a>(name: &str, fixture: &'a Value, direction: &str) -> &'a Value {
    assert_eq!(fixture["name"], name);
    assert_eq!(fixture["direction"], direction, "{name}");
    assert_eq!(fixture.as_object().unwrap().len(), 3, "{name}");
    &fixture["message"]
}

fn same_again<T: DeserializeOwned + Serialize + Debug>(name: &str, message: &Value) -> T {
    let read: T =
        serde_json::from_str(&message.to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), *message, "{name}");
    read
}

#[test]
fn every_request_is_read_and_written_alike() {
    let mut seen = BTreeSet::new();
    for (name, fixture) in files("request.") {
        let message = message(&name, &fixture, "client");
        let envelope: Envelope = same_again(&name, message);
        assert_eq!(parse(&message.to_string(), Stage::Joined).unwrap(), envelope, "{name}");
        assert_eq!(message["type"], envelope.request.name());
        seen.insert(envelope.request.name());
    }
    assert_eq!(seen, BTreeSet::from(REQUEST_NAMES));
}

#[test]
fn every_event_is_read_and_written_alike() {
    let mut seen = BTreeSet::new();
    for (name, fixture) in files("event.") {
        let message = message(&name, &fixture, "server");
        let event: SequencedEvent = same_again(&name, message);
        let read: ServerMessage = serde_json::from_str(&message.to_string()).unwrap();
        assert_eq!(read, ServerMessage::Event(event.clone()), "{name}");
        assert_eq!(message["event"], event.event.name());
        seen.insert(event.event.name());
    }
    assert_eq!(seen, BTreeSet::from(EVENT_NAMES));
}

#[test]
fn every_response_is_read_and_written_alike() {
    let mut seen = BTreeSet::new();
    for (name, fixture) in files("response.") {
        let message = message(&name, &fixture, "server");
        let request = name.split('.').nth(1).unwrap().to_owned();
        match request.as_str() {
            "join" => drop(same_again::<Accepted<JoinOk>>(&name, message)),
            "resume" => drop(same_again::<Accepted<ResumeOk>>(&name, message)),
            "publish" => drop(same_again::<Accepted<PublishOk>>(&name, message)),
            "subscribe" => drop(same_again::<Accepted<SubscribeOk>>(&name, message)),
            "mute" => drop(same_again::<Accepted<MuteOk>>(&name, message)),
            "set_role" => drop(same_again::<Accepted<SetRoleOk>>(&name, message)),
            "renew_token" => drop(same_again::<Accepted<RenewTokenOk>>(&name, message)),
            "send_message" => drop(same_again::<Accepted<SendMessageOk>>(&name, message)),
            "ping" => drop(same_again::<Accepted<PingOk>>(&name, message)),
            _ => drop(same_again::<Accepted<Done>>(&name, message)),
        }
        let read: ServerMessage = serde_json::from_str(&message.to_string()).unwrap();
        assert!(matches!(read, ServerMessage::Accepted(_)), "{name}");
        seen.insert(request);
    }
    assert_eq!(seen, REQUEST_NAMES.iter().map(|name| (*name).to_owned()).collect());
}

/// One refusal of each kind that a client can meet.
fn refusals() -> Vec<ErrorBody> {
    let app: AppId = "live".parse().unwrap();
    let id = |text: &str| text.parse::<AppId>().unwrap_err();
    let room = "a/b".parse::<queqiao_room::RoomId>().unwrap_err();
    let uid_error = "a b".parse::<queqiao_room::Uid>().unwrap_err();
    let faults = [
        Fault::TooLarge { bytes: 9000, limit: 8192 },
        Fault::TooDeep,
        Fault::Malformed { offset: 12 },
        Fault::InvalidId,
        Fault::UnknownType,
        Fault::MissingField { field: "room".to_owned() },
        Fault::InvalidField { what: "invalid type: integer `7`, expected a boolean".to_owned() },
        Fault::Identifier(id("a b")),
        Fault::Identifier(room),
        Fault::Identifier(uid_error),
        Fault::UnsupportedVersion,
        Fault::SdpTooLarge { bytes: 200_000 },
        Fault::CandidateTooLarge,
        Fault::TooManyCapabilities,
        Fault::TooManyStats,
    ];
    let tokens = [
        Error::UnknownApp(app.clone()),
        Error::MissingToken(app),
        Error::TokenTooLarge { bytes: 5000 },
        Error::MalformedToken,
        Error::WrongAlgorithm,
        Error::BadSignature,
        Error::TokenExpired { ago: 60 },
        Error::TokenNotYetValid { wait: 60 },
        Error::WrongApp,
        Error::WrongRoom,
        Error::WrongUid,
        Error::RoleNotAllowed { role: Role::Audience, permission: Permission::Publish },
        Error::MadeByServer,
    ];
    let rooms = [
        Refusal::TooManyRooms { limit: 10_000 },
        Refusal::RoomFull { limit: 500 },
        Refusal::Banned { remaining: Duration::from_secs(59) },
        Refusal::NotJoined,
        Refusal::AlreadyJoined,
        Refusal::ResumeImpossible,
        Refusal::NotAdmin,
        Refusal::NotHost,
        Refusal::NoSuchParticipant(uid("bob")),
        Refusal::NoSuchStream(StreamKind::Screen),
        Refusal::NoSuchTrack,
        Refusal::NotPublished(StreamKind::Camera),
        Refusal::NotSubscribed,
        Refusal::OnlyByAddress(StreamKind::Mix),
        Refusal::StreamInUse(StreamKind::Camera),
        Refusal::NoTracks,
        Refusal::TooManySubscriptions,
        Refusal::Blocked,
        Refusal::ContentTooLarge { bytes: 9000 },
        Refusal::Attribute(AttributeLimit::Key),
        Refusal::Attribute(AttributeLimit::Value),
        Refusal::Attribute(AttributeLimit::Room),
        Refusal::FarewellTooLarge,
        Refusal::BanTooLong,
        Refusal::TooManyBans,
        Refusal::RateLimited { retry_after: Duration::from_millis(100) },
    ];
    let faults = faults.iter().map(ErrorBody::from);
    faults.chain(tokens.iter().map(ErrorBody::from)).chain(rooms.iter().map(ErrorBody::from)).collect()
}

#[test]
fn there_is_a_fixture_of_every_refusal_and_of_nothing_else() {
    let fixtures = files("error.");
    for (name, fixture) in &fixtures {
        let message = message(name, fixture, "server");
        let refused: Refused = same_again(name, message);
        assert_eq!(*name, format!("error.{}", refused.error.code));
        let read: ServerMessage = serde_json::from_str(&message.to_string()).unwrap();
        assert_eq!(read, ServerMessage::Refused(refused.clone()), "{name}");
        let expected = refusals().into_iter().find(|body| body.code == refused.error.code);
        assert_eq!(Some(refused.error), expected, "{name}");
    }
    assert_eq!(fixtures.len(), refusals().len());
}

#[test]
fn every_code_limit_and_message_is_in_the_documentation() {
    let path = folder().join("../../docs/signalling.md");
    let text = std::fs::read_to_string(path).unwrap();
    let codes: Vec<String> = refusals().into_iter().map(|body| body.code).collect();
    let names = REQUEST_NAMES.iter().chain(&EVENT_NAMES).map(|name| (*name).to_owned());
    let tickets =
        ["invalid_ticket", "ticket_for_another_stream", "ticket_for_another_direction", "too_many_tickets"];
    for word in codes.into_iter().chain(names).chain(tickets.map(str::to_owned)) {
        assert!(text.contains(&format!("`{word}`")), "docs/signalling.md says nothing of {word}");
    }
}

/// Plays the clients' part and expects the server's, word by word.
fn replay(name: &str, fixture: &Value) -> Vec<Value> {
    assert_eq!(fixture["name"], name);
    let (mut shell, mut played) = (Shell::new(), Vec::new());
    for step in fixture["transcript"].as_array().unwrap() {
        let client = step["client"].as_str().unwrap_or_default();
        match step["direction"].as_str().unwrap() {
            "client" => shell.receive(client, &step["message"].to_string()),
            "lost" => shell.lost(client),
            "wait" => shell.wait(step["seconds"].as_u64().unwrap()),
            "server" => continue,
            other => panic!("{name}: {other}"),
        }
        played.push(step.clone());
        let sent = shell.sent().into_iter();
        played.extend(
            sent.map(
                |(client, message)| json!({"client": client, "direction": "server", "message": message}),
            ),
        );
    }
    played
}

#[test]
fn every_transcript_is_what_happens() {
    for (name, fixture) in files("transcript.") {
        let played = replay(&name, &fixture);
        let expected = fixture["transcript"].as_array().unwrap();
        for (step, (got, expected)) in played.iter().zip(expected).enumerate() {
            assert_eq!(got, expected, "{name}, step {step}");
        }
        assert_eq!(played.len(), expected.len(), "{name}");
    }
}
