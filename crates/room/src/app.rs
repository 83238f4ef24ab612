use std::collections::BTreeMap;
use std::net::SocketAddr;

use queqiao_media::layers::Layer;

use crate::secret::is_guessable;
use crate::signal::Tracks;
use crate::token::{Asked, open};
use crate::{
    AppId, Claims, Error, MIN_SECRET_BYTES, Pass, Permission, Role, RoomId, Scope, Secret, StreamKey,
    StreamKind, Uid, UnixSeconds,
};

/// How many apps one server serves: a bound on what a configuration file may ask for.
pub const MAX_APPS: usize = 4096;

/// How many secrets an app has at once. Two are enough to replace one without a gap, and every one costs a
/// verification for each wrong token.
pub const MAX_SECRETS_PER_APP: usize = 8;

/// The proof that a server is reachable from its own machine alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback(());

impl Loopback {
    /// The proof, if every listener's address is a loopback address.
    pub fn prove(listeners: impl IntoIterator<Item = SocketAddr>) -> Option<Self> {
        listeners.into_iter().all(|address| address.ip().to_canonical().is_loopback()).then_some(Self(()))
    }
}

/// Whether the app `demo`, which needs no token, exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demo {
    /// It is an unknown app like any other.
    Absent,
    /// It exists, on a server that only its own machine can reach.
    Present(Loopback),
}

/// What lets somebody into an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// A token signed with one of these, in any format. The first one signs new ones.
    Tokens(Vec<Secret>),
    /// Its id: whoever knows it is a host. The clients of some vendors send it in place of a token.
    Open,
}

/// The apps of a server and the rule by which they let somebody in.
#[derive(Clone, Debug)]
pub struct Apps {
    configured: BTreeMap<AppId, Access>,
    demo: Demo,
}

impl Apps {
    /// The name of the app that needs no token.
    pub const DEMO: &str = "demo";

    /// Takes the configured apps, each with what lets into it.
    ///
    /// # Errors
    ///
    /// If an app has no secret or too many, is open with an id that is easy to guess, comes twice, is called `demo`, or if
    /// there are more than [`MAX_APPS`].
    pub fn new(configured: impl IntoIterator<Item = (AppId, Access)>, demo: Demo) -> Result<Self, Error> {
        let mut apps = BTreeMap::new();
        for (app, access) in configured {
            if app.as_str() == Self::DEMO {
                return Err(Error::ReservedApp);
            }
            check_access(&app, &access)?;
            if apps.len() >= MAX_APPS {
                return Err(Error::TooManyApps);
            }
            if apps.contains_key(&app) {
                return Err(Error::DuplicateApp(app));
            }
            apps.insert(app, access);
        }
        Ok(Self { configured: apps, demo })
    }

    /// Whether the demo app exists.
    #[must_use]
    pub const fn demo(&self) -> Demo {
        self.demo
    }

    /// The apps that let everybody in who knows their id.
    pub fn open_apps(&self) -> impl Iterator<Item = &AppId> {
        self.configured.iter().filter(|(_, access)| **access == Access::Open).map(|(app, _)| app)
    }

    /// Whether an app takes everybody without a token: an open one, and the demo app.
    #[must_use]
    pub fn needs_no_token(&self, app: &AppId) -> bool {
        app.as_str() == Self::DEMO || self.configured.get(app) == Some(&Access::Open)
    }

    /// The secret that signs an app's new tokens.
    #[must_use]
    pub fn signing_secret(&self, app: &AppId) -> Option<&Secret> {
        match self.configured.get(app)? {
            Access::Tokens(secrets) => secrets.first(),
            Access::Open => None,
        }
    }

    /// Decides whether the bearer of `token` may do this with this stream.
    ///
    /// A host publishes under its own uid alone. Both roles play every stream of their room. The demo app lets everybody
    /// do everything, whatever token they show; an open app those who show its id or nothing.
    ///
    /// # Errors
    ///
    /// The reason of the refusal. What it tells a stranger about tokens is no more than the token itself says.
    pub fn authorize(
        &self,
        token: Option<&str>,
        stream: &StreamKey,
        permission: Permission,
        now: UnixSeconds,
    ) -> Result<Grant, Error> {
        let asked = Asked { app: &stream.app, room: &stream.room, uid: &stream.uid };
        let bearer = self.bearer(token, &asked, now)?;
        bearer.check(&stream.uid, stream.kind, permission)?;
        let (tracks, max_layer) = (Tracks::Both, Layer::High);
        Ok(Grant { stream: stream.clone(), permission, tracks, max_layer, bearer })
    }

    /// Decides whether the bearer of `token` may enter a room under this uid.
    ///
    /// The demo app lets everybody in, as a host and admin; an open app lets in as a host.
    ///
    /// # Errors
    ///
    /// As [`Apps::authorize`], and [`Error::WrongUid`] if the token is for another uid.
    pub fn admit(
        &self,
        token: Option<&str>,
        app: &AppId,
        room: &RoomId,
        uid: &Uid,
        now: UnixSeconds,
    ) -> Result<Pass, Error> {
        let bearer = self.bearer(token, &Asked { app, room, uid }, now)?;
        if !bearer.uid.covers(uid) {
            return Err(Error::WrongUid);
        }
        Ok(Pass::new(app.clone(), room.clone(), uid.clone(), bearer))
    }

    /// Who is asking, if this app and room may be entered with this token.
    fn bearer(&self, token: Option<&str>, asked: &Asked<'_>, now: UnixSeconds) -> Result<Bearer, Error> {
        if asked.app.as_str() == Self::DEMO && matches!(self.demo, Demo::Present(_)) {
            return Ok(Bearer::anybody(true));
        }
        let token = token.filter(|token| !token.is_empty());
        let access = self.configured.get(asked.app).ok_or_else(|| Error::UnknownApp(asked.app.clone()))?;
        match (access, token) {
            (Access::Open, None) => Ok(Bearer::anybody(false)),
            (Access::Open, Some(token)) if token == asked.app.as_str() => Ok(Bearer::anybody(false)),
            (Access::Open, Some(_)) => Err(Error::BadSignature),
            (Access::Tokens(_), None) => Err(Error::MissingToken(asked.app.clone())),
            (Access::Tokens(secrets), Some(token)) => {
                let claims = open(token, secrets, asked, now)?;
                claims.check_time(now)?;
                if claims.app != *asked.app {
                    return Err(Error::WrongApp);
                }
                if !claims.room.covers(asked.room) {
                    return Err(Error::WrongRoom);
                }
                Ok(claims.into())
            }
        }
    }
}

fn check_access(app: &AppId, access: &Access) -> Result<(), Error> {
    match access {
        Access::Tokens(secrets) if secrets.is_empty() => Err(Error::NoSecret(app.clone())),
        Access::Tokens(secrets) if secrets.len() > MAX_SECRETS_PER_APP => {
            Err(Error::TooManySecrets(app.clone()))
        }
        Access::Open if app.as_str().len() < MIN_SECRET_BYTES || is_guessable(app.as_str()) => {
            Err(Error::GuessableApp(app.clone()))
        }
        Access::Tokens(_) | Access::Open => Ok(()),
    }
}

/// What somebody has shown to be allowed in the room that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) uid: Scope<Uid>,
    pub(crate) role: Role,
    /// Without leeway; never without a token.
    pub(crate) expires: Option<UnixSeconds>,
    pub(crate) admin: bool,
}

impl Bearer {
    /// Somebody without a token where none is needed: a host under any uid.
    pub(crate) const fn anybody(admin: bool) -> Self {
        Self { uid: Scope::Any, role: Role::Host, expires: None, admin }
    }

    /// Whether it may do this with the stream of `uid`.
    pub(crate) fn check(&self, uid: &Uid, kind: StreamKind, permission: Permission) -> Result<(), Error> {
        if !self.role.allows(permission) {
            return Err(Error::RoleNotAllowed { role: self.role, permission });
        }
        match permission {
            Permission::Publish if !self.uid.covers(uid) => Err(Error::WrongUid),
            Permission::Publish if kind.is_made() => Err(Error::MadeByServer),
            Permission::Publish | Permission::Play => Ok(()),
        }
    }
}

impl From<Claims> for Bearer {
    fn from(claims: Claims) -> Self {
        Self { uid: claims.uid, role: claims.role, expires: claims.exp, admin: claims.admin }
    }
}

/// The right to publish or play one stream, given by [`Apps::authorize`], and by a room to those who are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(crate) stream: StreamKey,
    pub(crate) permission: Permission,
    pub(crate) tracks: Tracks,
    pub(crate) max_layer: Layer,
    pub(crate) bearer: Bearer,
}

impl Grant {
    /// The stream it is for.
    #[must_use]
    pub const fn stream(&self) -> &StreamKey {
        &self.stream
    }

    /// What it allows.
    #[must_use]
    pub const fn permission(&self) -> Permission {
        self.permission
    }

    /// Which tracks of the stream it is for, whether the stream has them or not.
    #[must_use]
    pub const fn tracks(&self) -> Tracks {
        self.tracks
    }

    /// The same right for these tracks alone.
    #[must_use]
    pub const fn only(mut self, tracks: Tracks) -> Self {
        self.tracks = tracks;
        self
    }

    /// The largest layer of the video that is wished for.
    #[must_use]
    pub const fn max_layer(&self) -> Layer {
        self.max_layer
    }

    /// The same right, for no larger layer of the video than this.
    #[must_use]
    pub const fn up_to(mut self, layer: Layer) -> Self {
        self.max_layer = layer;
        self
    }

    /// The room it is for.
    #[must_use]
    pub const fn room(&self) -> &RoomId {
        &self.stream.room
    }

    /// Who holds it: the uid of the token. Where there is none, as in the demo app, a publisher is who it says it is and a
    /// player is nobody.
    #[must_use]
    pub const fn uid(&self) -> Option<&Uid> {
        match (&self.bearer.uid, self.permission) {
            (Scope::Only(uid), _) => Some(uid),
            (Scope::Any, Permission::Publish) => Some(&self.stream.uid),
            (Scope::Any, Permission::Play) => None,
        }
    }

    /// The role of the token; everybody is a host where none is needed.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.bearer.role
    }

    /// When the token expires, without leeway; never where none is needed.
    #[must_use]
    pub const fn expires(&self) -> Option<UnixSeconds> {
        self.bearer.expires
    }
}
