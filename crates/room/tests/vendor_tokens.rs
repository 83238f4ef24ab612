//! Tokens in the formats of vendors, from the outside: issued, shown, and spoiled in every way.
#![allow(clippy::unwrap_used, reason = "helpers of tests, outside #[test] functions")]

use std::time::Duration;

use proptest::prelude::*;
use queqiao_room::{
    Access, AppId, Apps, Claims, Demo, Error, Format, MAX_TOKEN_BYTES, Pass, Permission, Role, RoomId, Scope,
    Secret, StreamKey, Uid, UnixSeconds, issue_as,
};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const SECRET: &str = "591785b794601e212b260e25925636fd";
const OLD_SECRET: &str = "6f5902ac237024bdd0c176cb93063dc4";

/// The formats of vendors, each with an app of the kind that it needs.
const FORMATS: [(Format, &str); 4] = [
    (Format::Agora006, "b1946ac92492d2347c6235b4d2611184"),
    (Format::Agora007, "b1946ac92492d2347c6235b4d2611184"),
    (Format::Volcengine001, "b1946ac92492d2347c6235b4"),
    (Format::Zego04, "2913569222"),
];

fn secret(text: &str) -> Secret {
    text.parse().unwrap()
}

fn apps() -> Apps {
    let ids = ["b1946ac92492d2347c6235b4d2611184", "b1946ac92492d2347c6235b4", "2913569222"];
    let access = || Access::Tokens(vec![secret(SECRET), secret(OLD_SECRET)]);
    Apps::new(ids.map(|id| (id.parse().unwrap(), access())), Demo::Absent).unwrap()
}

fn claims(app: &str, room: &str, uid: &str, role: Role) -> Claims {
    let (app, room, uid) = (app.parse().unwrap(), room.parse().unwrap(), uid.parse().unwrap());
    Claims::new(app, room, uid, role, NOW, HOUR).unwrap()
}

fn token(format: Format, claims: &Claims) -> String {
    issue_as(format, &secret(SECRET), claims, [7; 16]).unwrap()
}

fn admit(token: &str, app: &str, room: &str, uid: &str) -> Result<Pass, Error> {
    let (app, room, uid): (AppId, RoomId, Uid) =
        (app.parse().unwrap(), room.parse().unwrap(), uid.parse().unwrap());
    apps().admit(Some(token), &app, &room, &uid, NOW)
}

fn authorize(token: &str, address: &str, permission: Permission) -> Result<(), Error> {
    let stream: StreamKey = address.parse().unwrap();
    apps().authorize(Some(token), &stream, permission, NOW).map(drop)
}

#[test]
fn every_format_is_for_one_room_and_one_uid() {
    for (format, app) in FORMATS {
        let host = token(format, &claims(app, "r1", "42", Role::Host));
        assert!(admit(&host, app, "r1", "42").is_ok(), "{format}");
        assert_eq!(admit(&host, app, "r2", "42").unwrap_err(), Error::WrongRoom, "{format}");
        assert_eq!(admit(&host, app, "r1", "43").unwrap_err(), Error::WrongUid, "{format}");
        assert!(authorize(&host, &format!("{app}/r1/42~screen"), Permission::Publish).is_ok(), "{format}");
        let stolen = authorize(&host, &format!("{app}/r1/43"), Permission::Publish);
        assert_eq!(stolen.unwrap_err(), Error::WrongUid, "{format}");
    }
}

#[test]
fn a_token_for_one_app_does_not_open_another() {
    for (format, app) in FORMATS {
        let host = token(format, &claims(app, "r1", "42", Role::Host));
        for (_, other) in FORMATS.iter().filter(|(_, other)| *other != app) {
            assert_eq!(admit(&host, other, "r1", "42").unwrap_err(), Error::WrongApp, "{format} {other}");
        }
    }
}

#[test]
fn an_audience_in_any_format_may_play_and_not_publish() {
    for (format, app) in FORMATS {
        let audience = token(format, &claims(app, "r1", "42", Role::Audience));
        assert_eq!(admit(&audience, app, "r1", "42").unwrap().role(), Role::Audience, "{format}");
        let error = authorize(&audience, &format!("{app}/r1/42"), Permission::Publish).unwrap_err();
        assert_eq!(error.code(), "role_not_allowed", "{format}");
        assert!(authorize(&audience, &format!("{app}/r1/42"), Permission::Play).is_ok(), "{format}");
    }
}

#[test]
fn every_format_but_006_plays_the_streams_of_others() {
    for (format, app) in FORMATS {
        let audience = token(format, &claims(app, "r1", "42", Role::Audience));
        let played = authorize(&audience, &format!("{app}/r1/bob"), Permission::Play);
        match format {
            Format::Agora006 => assert_eq!(played.unwrap_err(), Error::WrongUid),
            _ => played.unwrap(),
        }
    }
    let app = FORMATS[0].1;
    let anybody = Claims { uid: Scope::Any, ..claims(app, "r1", "42", Role::Audience) };
    let played = authorize(&token(Format::Agora006, &anybody), &format!("{app}/r1/bob"), Permission::Play);
    assert!(played.is_ok());
}

#[test]
fn a_token_for_any_uid_admits_under_each_and_binds_the_bearer_to_it() {
    for (format, app) in FORMATS.into_iter().take(2) {
        let anybody = Claims { uid: Scope::Any, ..claims(app, "r1", "42", Role::Host) };
        let token = token(format, &anybody);
        for uid in ["7", "alice", "桥"] {
            assert_eq!(admit(&token, app, "r1", uid).unwrap().uid().as_str(), uid, "{format}");
            assert!(authorize(&token, &format!("{app}/r1/{uid}"), Permission::Publish).is_ok(), "{format}");
        }
        assert_eq!(admit(&token, app, "r2", "7").unwrap_err(), Error::WrongRoom, "{format}");
    }
}

#[test]
fn a_token_for_any_room_is_still_for_one_uid() {
    for (format, app) in FORMATS.into_iter().skip(1) {
        let anywhere = Claims { room: Scope::Any, ..claims(app, "r1", "42", Role::Host) };
        let token = token(format, &anywhere);
        assert!(admit(&token, app, "r1", "42").is_ok() && admit(&token, app, "r2", "42").is_ok(), "{format}");
        assert_eq!(admit(&token, app, "r2", "43").unwrap_err(), Error::WrongUid, "{format}");
    }
}

#[test]
fn every_secret_of_the_app_opens_every_format() {
    for (format, app) in FORMATS {
        let claims = claims(app, "r1", "42", Role::Host);
        let issued = |by| issue_as(format, &secret(by), &claims, [7; 16]).unwrap();
        assert!(admit(&issued(OLD_SECRET), app, "r1", "42").is_ok(), "{format}");
        let stranger = issued("8cfa2282b17de0a598c010f5f0109e7d");
        assert_eq!(admit(&stranger, app, "r1", "42").unwrap_err(), Error::BadSignature, "{format}");
    }
}

#[test]
fn no_format_of_a_vendor_makes_admins_and_every_one_says_what_does_not_fit() {
    for (format, app) in FORMATS {
        let host = claims(app, "r1", "42", Role::Host);
        assert!(!admit(&token(format, &host), app, "r1", "42").unwrap().is_admin(), "{format}");
        let refusal = |claims: &Claims| {
            issue_as(format, &secret(SECRET), claims, [7; 16]).map_err(|error| error.code())
        };
        assert_eq!(refusal(&Claims { admin: true, ..host.clone() }), Err("unfit_format"), "{format}");
        assert_eq!(refusal(&Claims { nbf: Some(NOW), ..host.clone() }), Err("unfit_format"), "{format}");
        assert_eq!(
            refusal(&Claims { app: "live".parse().unwrap(), ..host }),
            Err("unfit_format"),
            "{format}"
        );
    }
    let short = issue_as(
        Format::Zego04,
        &secret("591785b794601e212b260e25"),
        &claims("7", "r1", "a", Role::Host),
        [7; 16],
    );
    assert_eq!(short.unwrap_err().code(), "unfit_format");
    let open = Claims { room: Scope::Any, ..claims("7", "r1", "a", Role::Host) };
    assert_eq!(issue_as(Format::Jwt, &secret(SECRET), &open, [7; 16]).unwrap_err().code(), "unfit_format");
}

#[test]
fn what_a_format_takes_for_all_is_not_issued_as_a_name() {
    let unfit = |format, app, room, uid| {
        let issued = issue_as(format, &secret(SECRET), &claims(app, room, uid, Role::Host), [7; 16]);
        issued.is_err_and(|error| error.code() == "unfit_format")
    };
    for (format, app) in FORMATS.into_iter().take(2) {
        assert!(unfit(format, app, "r1", "0") && unfit(format, app, "r1", "*"), "{format}");
    }
    assert!(unfit(Format::Agora007, FORMATS[1].1, "*", "42"));
    assert!(unfit(Format::Volcengine001, FORMATS[2].1, "*", "42"));
}

#[test]
fn a_huge_token_is_refused_before_it_is_looked_at() {
    for (_, version) in [(0, "006"), (1, "007"), (2, "001"), (3, "04")] {
        let huge = format!("{version}{}", "A".repeat(MAX_TOKEN_BYTES));
        let error = admit(&huge, FORMATS[0].1, "r1", "42").unwrap_err();
        assert_eq!(error, Error::TokenTooLarge { bytes: huge.len() });
    }
}

#[test]
fn identifiers_of_full_length_fit_into_every_format() {
    let (room, uid) = ("桥".repeat(42), "\u{1f426}".repeat(32));
    for (format, app) in FORMATS {
        let token = token(format, &claims(app, &room, &uid, Role::Audience));
        assert!(token.len() * 4 < MAX_TOKEN_BYTES, "{format} {}", token.len());
        assert!(admit(&token, app, &room, &uid).is_ok(), "{format}");
    }
}

#[test]
fn names_of_formats_are_read_as_they_are_written() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert_eq!("agora".parse::<Format>(), Err(Error::InvalidFormat));
}

/// An identifier that no format takes for more than itself.
fn name() -> impl Strategy<Value = String> {
    "[A-Za-z1-9_.:桥-]{1,40}".prop_filter("not a path segment", |name| name != "." && name != "..")
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Host), Just(Role::Audience)]
}

proptest! {
    #[test]
    fn what_is_issued_is_what_is_opened(
        which in 0_usize..4, room in name(), uid in name(), role in role(),
        ttl in 1_u64..10_000_000, random: [u8; 16],
    ) {
        let (format, app) = FORMATS[which];
        let claims = Claims { exp: Some(UnixSeconds(NOW.0 + ttl)), ..claims(app, &room, &uid, role) };
        let token = issue_as(format, &secret(SECRET), &claims, random).unwrap();
        let pass = admit(&token, app, &room, &uid).unwrap();
        prop_assert_eq!((pass.role(), pass.expires()), (role, claims.exp));
        prop_assert_eq!((pass.room().as_str(), pass.uid().as_str()), (room.as_str(), uid.as_str()));
        let elsewhere = admit(&token, app, &format!("{room}x"), &uid);
        prop_assert_eq!(elsewhere.unwrap_err(), Error::WrongRoom);
    }

    #[test]
    fn any_bit_that_flips_spoils_a_token(which in 0_usize..4, at: prop::sample::Index, bit in 0_u8..8) {
        let (format, app) = FORMATS[which];
        let good = token(format, &claims(app, "r1", "42", Role::Audience));
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let bad = String::from_utf8_lossy(&bytes);
        match admit(&bad, app, "r1", "42") {
            Err(_) => {}
            // Deflate leaves some bits free: the content is the same, and so is its signature.
            Ok(pass) => {
                prop_assert_eq!(format, Format::Agora007);
                prop_assert_eq!(pass, admit(&good, app, "r1", "42").unwrap());
            }
        }
    }

    #[test]
    fn a_token_that_is_cut_or_longer_is_refused(which in 0_usize..4, at: prop::sample::Index, tail in "[A-Za-z0-9+/=]{1,8}") {
        let (format, app) = FORMATS[which];
        let good = token(format, &claims(app, "r1", "42", Role::Host));
        prop_assert!(admit(&good[..at.index(good.len())], app, "r1", "42").is_err());
        let longer = format!("{good}{tail}");
        prop_assert!(admit(&longer, app, "r1", "42").is_err());
    }

    #[test]
    fn anything_behind_a_version_is_refused_without_a_panic(
        which in 0_usize..4, text in "([A-Za-z0-9+/]{4}){0,80}", other in ".{0,100}",
    ) {
        let app = FORMATS[which].1;
        for version in ["006", "007", "001", "04"] {
            for rest in [&text, &other, &format!("{app}{text}")] {
                let text = format!("{version}{rest}");
                prop_assert!(admit(&text, app, "r1", "42").is_err());
            }
        }
    }
}
