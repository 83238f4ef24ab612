use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::token::open;
use crate::{AppId, Claims, Error, Pass, Permission, Role, RoomId, Secret, StreamKey, Uid, UnixSeconds};

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

/// The apps of a server and the rule by which they let somebody in.
#[derive(Clone, Debug)]
pub struct Apps {
    secrets: BTreeMap<AppId, Vec<Secret>>,
    demo: Demo,
}

impl Apps {
    /// The name of the app that needs no token.
    pub const DEMO: &str = "demo";

    /// Takes the configured apps, each with the secrets it currently accepts. The first secret signs.
    ///
    /// # Errors
    ///
    /// If an app has no secret or too many, comes twice, is called `demo`, or if there are more than [`MAX_APPS`].
    pub fn new(
        configured: impl IntoIterator<Item = (AppId, Vec<Secret>)>,
        demo: Demo,
    ) -> Result<Self, Error> {
        let mut apps = BTreeMap::new();
        for (app, secrets) in configured {
            if app.as_str() == Self::DEMO {
                return Err(Error::ReservedApp);
            }
            if secrets.is_empty() {
                return Err(Error::NoSecret(app));
            }
            if secrets.len() > MAX_SECRETS_PER_APP {
                return Err(Error::TooManySecrets(app));
            }
            if apps.len() >= MAX_APPS {
                return Err(Error::TooManyApps);
            }
            if apps.contains_key(&app) {
                return Err(Error::DuplicateApp(app));
            }
            apps.insert(app, secrets);
        }
        Ok(Self { secrets: apps, demo })
    }

    /// Whether the demo app exists.
    #[must_use]
    pub const fn demo(&self) -> Demo {
        self.demo
    }

    /// The secret that signs an app's new tokens.
    #[must_use]
    pub fn signing_secret(&self, app: &AppId) -> Option<&Secret> {
        self.secrets.get(app)?.first()
    }

    /// Decides whether the bearer of `token` may do this with this stream.
    ///
    /// A host publishes under its own uid alone. Both roles play every stream of their room. The demo app lets everybody
    /// do everything, whatever token they show.
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
        let Some(claims) = self.claims(token, &stream.app, now)? else {
            return Ok(Grant { stream: stream.clone(), permission, bearer: None });
        };
        check_scope(&claims, stream, permission)?;
        Ok(Grant { stream: stream.clone(), permission, bearer: Some(claims) })
    }

    /// Decides whether the bearer of `token` may enter a room under this uid.
    ///
    /// The demo app lets everybody in, as a host and admin.
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
        let bearer = self.claims(token, app, now)?;
        if let Some(claims) = &bearer {
            if claims.app != *app {
                return Err(Error::WrongApp);
            }
            if claims.room != *room {
                return Err(Error::WrongRoom);
            }
            if claims.uid != *uid {
                return Err(Error::WrongUid);
            }
        }
        Ok(Pass::new(app.clone(), room.clone(), uid.clone(), bearer))
    }

    /// What a valid token says; nothing in the demo app, which asks for none.
    fn claims(&self, token: Option<&str>, app: &AppId, now: UnixSeconds) -> Result<Option<Claims>, Error> {
        if app.as_str() == Self::DEMO && matches!(self.demo, Demo::Present(_)) {
            return Ok(None);
        }
        let secrets = self.secrets.get(app).ok_or_else(|| Error::UnknownApp(app.clone()))?;
        let token =
            token.filter(|token| !token.is_empty()).ok_or_else(|| Error::MissingToken(app.clone()))?;
        let claims = open(token, secrets)?;
        claims.check_time(now)?;
        Ok(Some(claims))
    }
}

pub(crate) fn check_scope(claims: &Claims, stream: &StreamKey, permission: Permission) -> Result<(), Error> {
    if claims.app != stream.app {
        return Err(Error::WrongApp);
    }
    if claims.room != stream.room {
        return Err(Error::WrongRoom);
    }
    if !claims.role.allows(permission) {
        return Err(Error::RoleNotAllowed { role: claims.role, permission });
    }
    match permission {
        Permission::Publish if claims.uid != stream.uid => Err(Error::WrongUid),
        Permission::Publish | Permission::Play => Ok(()),
    }
}

/// The right to publish or play one stream, given by [`Apps::authorize`], and by a room to those who are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(crate) stream: StreamKey,
    pub(crate) permission: Permission,
    pub(crate) bearer: Option<Claims>,
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

    /// The room it is for.
    #[must_use]
    pub const fn room(&self) -> &RoomId {
        &self.stream.room
    }

    /// Who holds it: the uid of the token. In the demo app a publisher is who it says it is and a player is nobody.
    #[must_use]
    pub fn uid(&self) -> Option<&Uid> {
        match (&self.bearer, self.permission) {
            (Some(claims), _) => Some(&claims.uid),
            (None, Permission::Publish) => Some(&self.stream.uid),
            (None, Permission::Play) => None,
        }
    }

    /// The role of the token; everybody is a host in the demo app.
    #[must_use]
    pub fn role(&self) -> Role {
        self.bearer.as_ref().map_or(Role::Host, |claims| claims.role)
    }

    /// When the token expires, without leeway; never in the demo app.
    #[must_use]
    pub fn expires(&self) -> Option<UnixSeconds> {
        self.bearer.as_ref().map(|claims| claims.exp)
    }
}
