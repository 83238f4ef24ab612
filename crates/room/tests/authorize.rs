//! What lets somebody in, and every way to be refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, outside #[test] functions"
)]

use std::net::SocketAddr;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use queqiao_room::{
    Access, Apps, Claims, Demo, EXPIRY_LEEWAY, Error, Grant, Loopback, MAX_TOKEN_BYTES, MAX_TTL, Permission,
    Role, Scope, Secret, StreamKey, UnixSeconds, issue,
};
use serde_json::{Value, json};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const OLD: &str = "b1946ac92492d2347c6235b4d2611184";
const NEW: &str = "591785b794601e212b260e25925636fd";
const STRANGER: &str = "6f5902ac237024bdd0c176cb93063dc4";

fn secret(text: &str) -> Secret {
    text.parse().unwrap()
}

fn apps() -> Apps {
    let access = Access::Tokens(vec![secret(NEW), secret(OLD)]);
    Apps::new([("live".parse().unwrap(), access)], Demo::Absent).unwrap()
}

fn key(address: &str) -> StreamKey {
    address.parse().unwrap()
}

fn claims(role: Role) -> Claims {
    let (app, room, uid) = ("live".parse().unwrap(), "r1".parse().unwrap(), "alice".parse().unwrap());
    Claims::new(app, room, uid, role, NOW, HOUR).unwrap()
}

fn token(role: Role) -> String {
    issue(&secret(NEW), &claims(role)).unwrap()
}

fn ask(token: &str, address: &str, permission: Permission) -> Result<Grant, Error> {
    apps().authorize(Some(token), &key(address), permission, NOW)
}

fn publish(token: &str) -> Result<Grant, Error> {
    ask(token, "live/r1/alice", Permission::Publish)
}

fn sign(algorithm: Algorithm, payload: &Value) -> String {
    let key = EncodingKey::from_secret(NEW.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), payload, &key).unwrap()
}

fn payload() -> Value {
    let exp = NOW.after(HOUR).0;
    json!({"app": "live", "room": "r1", "uid": "alice", "role": "host", "exp": exp, "iat": NOW.0})
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(word >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

#[test]
fn a_host_publishes_its_camera_and_its_screen() {
    let grant = publish(&token(Role::Host)).unwrap();
    assert_eq!(grant.stream(), &key("live/r1/alice"));
    assert_eq!((grant.permission(), grant.role()), (Permission::Publish, Role::Host));
    assert_eq!(grant.uid().unwrap().as_str(), "alice");
    assert_eq!(grant.expires(), Some(NOW.after(HOUR)));
    assert!(ask(&token(Role::Host), "live/r1/alice~screen", Permission::Publish).is_ok());
}

#[test]
fn both_roles_play_the_streams_of_others_in_their_room() {
    for role in [Role::Host, Role::Audience] {
        let grant = ask(&token(role), "live/r1/bob", Permission::Play).unwrap();
        assert_eq!(grant.uid().unwrap().as_str(), "alice");
    }
}

#[test]
fn an_unknown_app_is_refused_before_the_token_is_read() {
    let error = ask("rubbish", "other/r1/alice", Permission::Play).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("unknown_app", "there is no app other on this server")
    );
}

#[test]
fn no_token_and_an_empty_token_are_both_missing() {
    for token in [None, Some("")] {
        let error = apps().authorize(token, &key("live/r1/alice"), Permission::Play, NOW).unwrap_err();
        assert_eq!(error.code(), "missing_token");
    }
}

#[test]
fn the_token_of_another_app_room_or_uid_is_refused() {
    let mut other_app = claims(Role::Host);
    other_app.app = "other".parse().unwrap();
    assert_eq!(publish(&issue(&secret(NEW), &other_app).unwrap()).unwrap_err(), Error::WrongApp);
    let host = token(Role::Host);
    assert_eq!(ask(&host, "live/r2/alice", Permission::Publish).unwrap_err(), Error::WrongRoom);
    assert_eq!(ask(&host, "live/r2/alice", Permission::Play).unwrap_err(), Error::WrongRoom);
    assert_eq!(ask(&host, "live/r1/bob", Permission::Publish).unwrap_err(), Error::WrongUid);
}

#[test]
fn a_star_is_a_name_and_not_a_pattern() {
    let mut any = claims(Role::Host);
    any.room = Scope::Only("*".parse().unwrap());
    assert_eq!(publish(&issue(&secret(NEW), &any).unwrap()).unwrap_err(), Error::WrongRoom);
}

#[test]
fn an_audience_may_not_publish() {
    let error = publish(&token(Role::Audience)).unwrap_err();
    assert_eq!(error, Error::RoleNotAllowed { role: Role::Audience, permission: Permission::Publish });
    assert_eq!(error.to_string(), "the role audience may not publish");
}

#[test]
fn a_token_expires_at_the_edge_of_the_leeway() {
    let at =
        |now| apps().authorize(Some(&token(Role::Host)), &key("live/r1/alice"), Permission::Publish, now);
    let edge = NOW.after(HOUR).after(EXPIRY_LEEWAY);
    assert!(at(UnixSeconds(edge.0 - 1)).is_ok());
    assert_eq!(at(edge).unwrap_err(), Error::TokenExpired { ago: EXPIRY_LEEWAY.as_secs() });
}

#[test]
fn a_token_of_the_future_is_refused_until_its_time() {
    let mut later = claims(Role::Host);
    later.nbf = Some(NOW.after(EXPIRY_LEEWAY));
    assert!(publish(&issue(&secret(NEW), &later).unwrap()).is_ok());
    later.nbf = Some(UnixSeconds(NOW.after(EXPIRY_LEEWAY).0 + 1));
    assert_eq!(publish(&issue(&secret(NEW), &later).unwrap()).unwrap_err().code(), "token_not_yet_valid");
}

#[test]
fn every_secret_of_the_app_opens_and_no_other_does() {
    assert!(publish(&issue(&secret(OLD), &claims(Role::Host)).unwrap()).is_ok());
    assert_eq!(
        publish(&issue(&secret(STRANGER), &claims(Role::Host)).unwrap()).unwrap_err(),
        Error::BadSignature
    );
}

#[test]
fn the_first_secret_signs() {
    assert_eq!(apps().signing_secret(&"live".parse().unwrap()), Some(&secret(NEW)));
    assert_eq!(apps().signing_secret(&"other".parse().unwrap()), None);
}

#[test]
fn a_changed_payload_is_refused() {
    let audience = token(Role::Audience);
    let host = token(Role::Host);
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let forged = format!("{}.{}.{}", parts(&audience)[0], parts(&host)[1], parts(&audience)[2]);
    assert_eq!(publish(&forged).unwrap_err(), Error::BadSignature);
}

#[test]
fn an_unsigned_token_is_refused() {
    for algorithm in ["none", "None", "NONE", ""] {
        let header = base64url(json!({"alg": algorithm, "typ": "JWT"}).to_string().as_bytes());
        let body = base64url(payload().to_string().as_bytes());
        let signature = token(Role::Host).rsplit('.').next().unwrap().to_owned();
        for signature in ["", &signature] {
            let error = publish(&format!("{header}.{body}.{signature}")).unwrap_err();
            assert_eq!(error, Error::MalformedToken, "{algorithm}");
        }
    }
}

#[test]
fn another_algorithm_with_the_same_secret_is_refused() {
    assert!(publish(&sign(Algorithm::HS256, &payload())).is_ok());
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        assert_eq!(publish(&sign(algorithm, &payload())).unwrap_err(), Error::WrongAlgorithm);
    }
    let header = base64url(json!({"alg": "RS256", "typ": "JWT"}).to_string().as_bytes());
    let rest = token(Role::Host).split_once('.').unwrap().1.to_owned();
    assert_eq!(publish(&format!("{header}.{rest}")).unwrap_err(), Error::WrongAlgorithm);
}

#[test]
fn claims_that_are_missing_or_of_a_wrong_kind_are_malformed() {
    for (claim, value) in [
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("app", Value::Null),
        ("room", json!("a/b")),
        ("uid", json!("")),
        ("role", json!("admin")),
        ("nbf", json!("x")),
    ] {
        let mut payload = payload();
        payload[claim] = value;
        assert_eq!(publish(&sign(Algorithm::HS256, &payload)).unwrap_err(), Error::MalformedToken, "{claim}");
    }
    for claim in ["exp", "app", "room", "uid", "role"] {
        let mut payload = payload();
        payload.as_object_mut().unwrap().remove(claim);
        assert_eq!(publish(&sign(Algorithm::HS256, &payload)).unwrap_err(), Error::MalformedToken, "{claim}");
    }
}

#[test]
fn a_back_end_may_use_numbers_as_uids_and_add_claims() {
    let mut payload = payload();
    payload["uid"] = json!(42);
    payload["aud"] = json!(["x"]);
    payload["level"] = json!({"gold": true});
    assert!(ask(&sign(Algorithm::HS256, &payload), "live/r1/42", Permission::Publish).is_ok());
}

#[test]
fn a_huge_token_is_refused_by_its_length() {
    let huge = "a".repeat(MAX_TOKEN_BYTES + 1);
    assert_eq!(publish(&huge).unwrap_err(), Error::TokenTooLarge { bytes: MAX_TOKEN_BYTES + 1 });
    assert_eq!(publish(&huge[1..]).unwrap_err(), Error::MalformedToken);
}

#[test]
fn a_token_with_identifiers_of_full_length_fits() {
    let mut long = claims(Role::Audience);
    long.room = Scope::Only("桥".repeat(42).parse().unwrap());
    long.uid = Scope::Only("\u{1f426}".repeat(32).parse().unwrap());
    let token = issue(&secret(NEW), &long).unwrap();
    assert!(token.len() * 4 < MAX_TOKEN_BYTES, "{}", token.len());
}

#[test]
fn a_token_lives_for_a_second_to_a_year() {
    let ttl = |ttl| {
        let (app, room, uid) = ("live".parse().unwrap(), "r1".parse().unwrap(), "alice".parse().unwrap());
        Claims::new(app, room, uid, Role::Host, NOW, ttl)
    };
    assert_eq!(ttl(Duration::ZERO).unwrap_err(), Error::InvalidTtl);
    assert_eq!(ttl(MAX_TTL + Duration::from_secs(1)).unwrap_err(), Error::InvalidTtl);
    assert_eq!(ttl(MAX_TTL).unwrap().exp, Some(NOW.after(MAX_TTL)));
}

#[test]
fn the_proof_of_loopback_needs_every_listener() {
    let prove = |addresses: &[&str]| {
        Loopback::prove(addresses.iter().map(|address| address.parse::<SocketAddr>().unwrap())).is_some()
    };
    assert!(prove(&["127.0.0.1:8080", "[::1]:1935", "127.8.8.8:0", "[::ffff:127.0.0.1]:1"]));
    for public in ["0.0.0.0:8080", "[::]:8080", "192.168.1.1:1", "[::ffff:10.0.0.1]:1"] {
        assert!(!prove(&["127.0.0.1:8080", public]), "{public}");
    }
}

#[test]
fn the_demo_app_needs_no_token_and_only_exists_on_loopback() {
    let present = Demo::Present(Loopback::prove(["127.0.0.1:1".parse().unwrap()]).unwrap());
    let with = Apps::new([], present).unwrap();
    let publisher = with.authorize(None, &key("demo/r/a"), Permission::Publish, NOW).unwrap();
    assert_eq!((publisher.uid().unwrap().as_str(), publisher.expires()), ("a", None));
    let player = with.authorize(Some("anything"), &key("demo/r/a"), Permission::Play, NOW).unwrap();
    assert_eq!(player.uid(), None);
    let without = Apps::new([], Demo::Absent).unwrap();
    let error = without.authorize(None, &key("demo/r/a"), Permission::Play, NOW).unwrap_err();
    assert_eq!(error.code(), "unknown_app");
}

#[test]
fn apps_are_configured_once_and_with_secrets() {
    let new = |apps: Vec<(&str, Vec<Secret>)>| {
        let apps = apps.into_iter().map(|(id, secrets)| (id.parse().unwrap(), Access::Tokens(secrets)));
        Apps::new(apps, Demo::Absent).unwrap_err().code()
    };
    assert_eq!(new(vec![("a", vec![])]), "no_secret");
    assert_eq!(new(vec![("a", vec![secret(NEW); 9])]), "too_many_secrets");
    assert_eq!(new(vec![("a", vec![secret(NEW)]), ("a", vec![secret(OLD)])]), "duplicate_app");
    assert_eq!(new(vec![("demo", vec![secret(NEW)])]), "reserved_app");
}

fn open_app(id: &str) -> Result<Apps, Error> {
    Apps::new([(id.parse().unwrap(), Access::Open)], Demo::Absent)
}

#[test]
fn an_open_app_takes_its_id_or_nothing_for_a_token_and_makes_hosts_but_no_admins() {
    let apps = open_app(STRANGER).unwrap();
    let (app, room, uid) = (STRANGER.parse().unwrap(), "r1".parse().unwrap(), "alice".parse().unwrap());
    for token in [None, Some(""), Some(STRANGER)] {
        let pass = apps.admit(token, &app, &room, &uid, NOW).unwrap();
        assert_eq!((pass.role(), pass.is_admin(), pass.expires()), (Role::Host, false, None), "{token:?}");
    }
    for token in ["x", "demo", NEW, &STRANGER[..31], &token(Role::Host)] {
        let error = apps.admit(Some(token), &app, &room, &uid, NOW).unwrap_err();
        assert_eq!(error, Error::BadSignature, "{token}");
    }
    assert!(apps.needs_no_token(&app) && apps.signing_secret(&app).is_none());
    assert_eq!(apps.open_apps().collect::<Vec<_>>(), [&app]);
}

#[test]
fn the_id_of_an_open_app_is_as_hard_to_guess_as_a_secret() {
    assert!(open_app(STRANGER).is_ok());
    for id in ["live", "aaaaaaaaaaaaaaaaaaaaaaaa", "0123456789abcdef", &STRANGER[..15]] {
        assert_eq!(open_app(id).unwrap_err().code(), "guessable_app", "{id}");
    }
}

#[test]
fn an_app_with_secrets_never_takes_its_own_id_for_a_token() {
    let apps =
        Apps::new([(STRANGER.parse().unwrap(), Access::Tokens(vec![secret(NEW)]))], Demo::Absent).unwrap();
    let stream = key(&format!("{STRANGER}/r1/alice"));
    let error = apps.authorize(Some(STRANGER), &stream, Permission::Play, NOW).unwrap_err();
    assert_eq!(error, Error::MalformedToken);
    let error = apps.authorize(None, &stream, Permission::Play, NOW).unwrap_err();
    assert_eq!(error.code(), "missing_token");
}

#[test]
fn no_debug_text_holds_a_secret() {
    let text = format!("{:?} {:#?}", apps(), publish(&token(Role::Host)));
    assert!(!text.contains(NEW) && !text.contains(OLD), "{text}");
}

proptest! {
    #[test]
    fn any_text_is_refused_without_a_panic(text in ".{0,200}") {
        prop_assert!(publish(&text).is_err());
    }

    #[test]
    fn anything_between_dots_is_refused_without_a_panic(text in "[A-Za-z0-9_=-]{0,60}\\.[A-Za-z0-9_=-]{0,60}\\.[A-Za-z0-9_-]{0,60}") {
        prop_assert!(publish(&text).is_err());
    }

    #[test]
    fn changing_any_character_of_a_token_spoils_it(at in 0_usize..200, with in "[A-Za-z0-9_.-]") {
        let good = token(Role::Host);
        let mut bad = good.clone();
        let at = at % good.len();
        bad.replace_range(at..=at, &with);
        // The last digit of a base64 text of 32 bytes has two spare bits: the library must refuse those too.
        prop_assert_eq!(publish(&bad).is_ok(), bad == good);
    }
}
