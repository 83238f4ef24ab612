//! Who wants to do what: tokens and addresses.

use std::sync::LazyLock;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey};
use queqiao_room::{Access, Apps, Claims, Demo, Permission, Role, Secret, StreamKey, UnixSeconds, issue};
use queqiao_rtmp::address::{Address, MAX_PARAMETERS, MAX_SEGMENTS};

use super::Target;
use crate::rng::Rng;
use crate::source::Source;
use crate::trace::Trace;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const HEADER: &[u8] = br#"{"typ":"JWT","alg":"HS256"}"#;

/// How many of the first byte's values sign what follows. The rest take it as a token.
const SIGNED: u8 = 64;

const DICTIONARY: &[&[u8]] = &[
    br#""app":"live""#,
    br#""room":"r1""#,
    br#""uid":"alice""#,
    br#""uid":7"#,
    br#""role":"host""#,
    br#""role":"audience""#,
    br#""exp":1900000000"#,
    br#""nbf":1900000000"#,
    br#""iat":1.5e300"#,
    br#""aud":["x"]"#,
    br#"{"alg":"none"}"#,
    b"eyJhbGciOiJub25lIn0.",
    b".",
    b"..",
    b"=",
    b"-",
    b"_",
    b"\\u0000",
    b"\\ud800",
    b"[[[[[[",
    b"{\"a\":",
    b"null",
    b"live/r1/alice",
    b"~screen",
];

/// An app whose secret exists only while this runs, and the tokens that it has issued.
struct World {
    apps: Apps,
    key: EncodingKey,
    stream: Option<StreamKey>,
    issued: Vec<String>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    // From a fixed seed, so that a saved input stays what it is.
    let mut rng = Rng::new(7);
    let text = format!("{:016x}{:016x}", rng.next(), rng.next());
    let app = "live".parse().ok();
    let secret = text.parse::<Secret>().ok();
    let apps = app.zip(secret.clone()).map(|(app, secret)| (app, Access::Tokens(vec![secret])));
    let apps = Apps::new(apps, Demo::Absent);
    assert!(apps.is_ok(), "{apps:?}");
    let issued = secret.map(|secret| issued(&secret)).unwrap_or_default();
    assert!(!issued.is_empty(), "no token could be issued");
    World {
        apps: apps.unwrap_or_else(|_| unreachable!("checked above")),
        key: EncodingKey::from_secret(text.as_bytes()),
        stream: "live/r1/alice".parse().ok(),
        issued,
    }
});

fn issued(secret: &Secret) -> Vec<String> {
    let token = |room: &str, uid: &str, role| {
        let (app, room, uid) = ("live".parse().ok()?, room.parse().ok()?, uid.parse().ok()?);
        let claims = Claims::new(app, room, uid, role, NOW, Duration::from_secs(3600)).ok()?;
        issue(secret, &claims).ok()
    };
    let host = token("r1", "alice", Role::Host);
    let others = [token("r1", "bob", Role::Audience), token("桥", "42", Role::Host)];
    host.into_iter().chain(others.into_iter().flatten()).collect()
}

pub(crate) const TOKEN: Target = Target {
    native: true,
    dictionary: DICTIONARY,
    seeds: token_seeds,
    ..Target::new("token", "a token: as it came, or with claims signed by the app", token)
};

fn token_seeds() -> Vec<Vec<u8>> {
    WORLD.issued.iter().map(|token| [&[SIGNED], token.as_bytes()].concat()).collect()
}

fn token(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let signed = source.u8() < SIGNED;
    let token =
        if signed { sign(source.rest()) } else { String::from_utf8_lossy(source.rest()).into_owned() };
    let Some(stream) = &WORLD.stream else { return };
    for permission in [Permission::Publish, Permission::Play] {
        match WORLD.apps.authorize(Some(&token), stream, permission, NOW) {
            Ok(grant) => {
                assert!(signed || WORLD.issued.contains(&token), "a token that nobody issued opens");
                assert_eq!((grant.stream(), grant.permission()), (stream, permission));
                assert!(grant.role().allows(permission) && grant.expires().is_some(), "{grant:?}");
                assert!(permission == Permission::Play || grant.uid() == Some(&stream.uid), "{grant:?}");
                trace.note("granted", u64::from(signed));
            }
            Err(error) => trace.error(&error),
        }
    }
}

/// A token with these claims, whatever they are, and a header before them if they begin with one in brackets.
fn sign(input: &[u8]) -> String {
    let (header, claims) = match input.strip_prefix(b"#") {
        Some(rest) => {
            let mut source = Source::new(rest);
            (source.block(), source.rest())
        }
        None => (HEADER, input),
    };
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &WORLD.key, Algorithm::HS256);
    format!("{message}.{}", signature.unwrap_or_default())
}

/// RFC 4648 section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_usize, |word, &byte| word << 8 | usize::from(byte))
            << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).filter_map(|digit| DIGITS.get(word >> (18 - 6 * digit) & 63));
        text.extend(digits.map(|&digit| char::from(digit)));
    }
    text
}

pub(crate) const ADDRESS: Target = Target {
    max_len: 6 << 10,
    dictionary: &[
        b"rtmp://h:1935/",
        b"rtmp://",
        b"demo",
        b"room",
        b"uid",
        b"?token=",
        b"&",
        b"=",
        b"/",
        b"//",
        b"_definst_",
        b"mp4:",
        b"flv:",
        b"%2F",
        b"%",
        b"%00",
        b"%c3%a9",
        b"\n",
        b"?",
        b"~screen",
        b"k=v&",
    ],
    ..Target::new("address", "an RTMP address in three lines: app, tcUrl, name", address)
};

fn address(input: &[u8], trace: &mut Trace) {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(3, '\n').map(str::to_owned);
    let (app, url, name) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let address = match Address::join(&app, &url, &name) {
        Ok(address) => address,
        Err(error) => return trace.error(&error),
    };
    trace.count("segments", address.path().len());
    trace.count("parameters", address.query().len());
    assert!(address.path().len() <= MAX_SEGMENTS && address.query().len() <= MAX_PARAMETERS, "{address}");
    let shown = format!("{address} {address:?}");
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    for (key, value) in address.query() {
        let elsewhere = address.path().iter().chain(address.query().iter().map(|(key, _)| key));
        let is_secret = value.len() >= 8 && !elsewhere.into_iter().any(|part| part.contains(value.as_str()));
        // The text joins parts, so only a value without their separators cannot come about by accident.
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(!(is_secret && plain && shown.contains(value.as_str())), "{key} is shown: {shown}");
        assert!(address.parameter(key).is_some(), "{key}");
    }
    // A name alone that says the same is the same address, unless a segment hides a separator.
    if let [app, room, stream] = address.path()
        && let Ok(key) = StreamKey::from_segments(app, room, stream)
    {
        trace.note("key", 1);
        let again = Address::join("", "", &key.to_string());
        let path = again.as_ref().map(Address::path);
        let prefixed = ["mp4:", "flv:", "f4v:", "mp3:"].iter().any(|prefix| app.starts_with(prefix));
        let dropped = address.path().iter().any(|segment| segment == "_definst_");
        assert!(prefixed || dropped || path == Ok(address.path()), "{address} became {again:?}");
    }
}

pub(crate) const STREAM_KEY: Target = Target {
    max_len: 1 << 10,
    dictionary: &[
        b"/",
        b"~screen",
        b"~",
        b".",
        b"..",
        b"\xe2\x80\xae",
        b"\xe2\x80\x8b",
        b"\xe6\xa1\xa5",
        b"%2f",
    ],
    ..Target::new("stream_key", "the path APP/ROOM/UID", stream_key)
};

fn stream_key(input: &[u8], trace: &mut Trace) {
    let text = String::from_utf8_lossy(input);
    match text.parse::<StreamKey>() {
        Ok(key) => {
            trace.note("key", 1);
            assert_eq!(key.to_string(), text, "a key reads back as it was written");
            assert!(!text.chars().any(char::is_control) && !text.contains(char::is_whitespace), "{text:?}");
        }
        Err(error) => trace.error(&error),
    }
}
