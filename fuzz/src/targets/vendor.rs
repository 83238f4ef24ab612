//! Tokens in the formats of vendors.

use std::sync::LazyLock;
use std::time::Duration;

use queqiao_room::{
    Access, AppId, Apps, Claims, Demo, Format, Grant, Permission, Role, Scope, Secret, StreamKey,
    UnixSeconds, fuzzing, issue_as,
};

use super::Target;
use crate::rng::Rng;
use crate::source::Source;
use crate::trace::Trace;

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// How many of the first byte's values sign what follows, in the format that its lowest bits name. The rest take it as a
/// token.
const SIGNED: u8 = 64;

/// The formats, each with an app of the kind that it needs.
const FORMATS: [(Format, &str); 4] = [
    (Format::Agora006, "b1946ac92492d2347c6235b4d2611184"),
    (Format::Agora007, "b1946ac92492d2347c6235b4d2611184"),
    (Format::Volcengine001, "b1946ac92492d2347c6235b4"),
    (Format::Zego04, "2913569222"),
];

const DICTIONARY: &[&[u8]] = &[
    b"006",
    b"007",
    b"001",
    b"04",
    b"b1946ac92492d2347c6235b4d2611184",
    b"\x02\x00r1\x05\x00alice",
    b"\x01\x00*",
    b"\x01\x000",
    b"\x00\x00",
    b"\x01\x00",
    b"\x08\x00",
    b"\x10\x0e\x00\x00",
    br#""app_id":2913569222"#,
    br#""user_id":"alice""#,
    br#""payload":"""#,
    br#""payload":"{\"room_id\":\"r1\",\"privilege\":{\"1\":1,\"2\":1}}""#,
    br#"\"stream_id_list\":null"#,
    b"==",
    b"=",
    b"+",
    b"/",
];

/// Apps whose secret exists only while this runs, and the tokens that were issued for them.
struct World {
    apps: Apps,
    secret: Secret,
    issued: Vec<String>,
    /// What those give, for each stream and permission.
    grants: Vec<Grant>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    // From a fixed seed, so that a saved input stays what it is.
    let mut rng = Rng::new(7);
    let text = format!("{:016x}{:016x}", rng.next(), rng.next());
    let world = text.parse().ok().and_then(World::new);
    assert!(world.is_some(), "no token could be issued");
    world.unwrap_or_else(|| unreachable!("checked above"))
});

impl World {
    fn new(secret: Secret) -> Option<Self> {
        let mut ids: Vec<AppId> = FORMATS.iter().filter_map(|(_, app)| app.parse().ok()).collect();
        ids.dedup();
        let access = || Access::Tokens(vec![secret.clone()]);
        let apps = Apps::new(ids.into_iter().map(|id| (id, access())), Demo::Absent).ok()?;
        let mut issued = Vec::new();
        for (number, (format, app)) in (0..).zip(FORMATS) {
            for (uid, role) in [("alice", Role::Host), ("bob", Role::Audience)] {
                let (app, room, uid) = (app.parse().ok()?, "r1".parse().ok()?, uid.parse().ok()?);
                let claims = Claims::new(app, room, uid, role, NOW, Duration::from_secs(3600)).ok()?;
                issued.push(issue_as(format, &secret, &claims, [number; 16]).ok()?);
                if matches!(format, Format::Agora006 | Format::Agora007) {
                    let anybody = Claims { uid: Scope::Any, ..claims };
                    issued.push(issue_as(format, &secret, &anybody, [number; 16]).ok()?);
                }
            }
        }
        let mut world = Self { apps, secret, issued, grants: Vec::new() };
        world.grants = world.issued.iter().flat_map(|token| world.ask_all(token)).collect();
        Some(world)
    }

    fn ask_all(&self, token: &str) -> Vec<Grant> {
        let asked = FORMATS.iter().flat_map(|(_, app)| [(app, Permission::Publish), (app, Permission::Play)]);
        asked.filter_map(|(app, permission)| self.ask(token, &stream(app)?, permission, &mut None)).collect()
    }

    fn ask(
        &self,
        token: &str,
        stream: &StreamKey,
        permission: Permission,
        trace: &mut Option<&mut Trace>,
    ) -> Option<Grant> {
        match self.apps.authorize(Some(token), stream, permission, NOW) {
            Ok(grant) => Some(grant),
            Err(error) => {
                if let Some(trace) = trace {
                    trace.error(&error);
                }
                None
            }
        }
    }
}

fn stream(app: &str) -> Option<StreamKey> {
    format!("{app}/r1/alice").parse().ok()
}

pub(crate) const TOKEN: Target = Target {
    native: true,
    dictionary: DICTIONARY,
    seeds,
    // The compressor that makes 007 tokens takes half of it.
    memory: 512 << 10,
    max_len: 5 << 10,
    ..Target::new("vendor_token", "a token of a vendor: as it came, or with what it says signed", token)
};

fn seeds() -> Vec<Vec<u8>> {
    (SIGNED..).zip(&WORLD.issued).map(|(first, token)| [&[first], token.as_bytes()].concat()).collect()
}

fn token(input: &[u8], trace: &mut Trace) {
    let mut source = Source::new(input);
    let first = source.u8();
    let Some(&(format, app)) = FORMATS.get(usize::from(first % 4)) else { return };
    let signed = first < SIGNED;
    let token = if signed {
        let Some(token) = fuzzing::seal(format, &WORLD.secret, (app, "r1", "alice"), source.rest()) else {
            return;
        };
        token
    } else {
        String::from_utf8_lossy(source.rest()).into_owned()
    };
    for (_, app) in FORMATS {
        let Some(stream) = stream(app) else { return };
        for permission in [Permission::Publish, Permission::Play] {
            let Some(grant) = WORLD.ask(&token, &stream, permission, &mut Some(&mut *trace)) else {
                continue;
            };
            // The same content can be deflated in several ways, so that it is what a token gives that must be known.
            assert!(signed || WORLD.grants.contains(&grant), "a token that nobody issued opens: {grant:?}");
            assert_eq!((grant.stream(), grant.permission()), (&stream, permission));
            assert!(grant.role().allows(permission), "{grant:?}");
            assert!(grant.expires().is_some() || format == Format::Volcengine001, "{grant:?}");
            assert!(permission == Permission::Play || grant.uid() == Some(&stream.uid), "{grant:?}");
            trace.note("granted", u64::from(signed) + u64::from(first % 4) * 2);
        }
    }
}
