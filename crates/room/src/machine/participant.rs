use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::meter::Meter;
use super::outbox::Outbox;
use super::{
    CHANGE_BURST, CHANGE_INTERVAL, ConnectionId, EXPIRY_WARNING, Now, Refusal, TALK_BURST, TALK_INTERVAL,
};
use crate::signal::{
    Attributes, MediaKind, ParticipantInfo, Platform, Presence, StreamInfo, TrackState, Tracks, UserId,
};
use crate::{EXPIRY_LEEWAY, Pass, Role, StreamKind, Uid};

/// The digest of a session's secret: comparing digests tells nobody anything about the secret.
pub(crate) type SecretDigest = [u8; 32];

pub(crate) fn digest(secret: &[u8]) -> SecretDigest {
    Sha256::digest(secret).into()
}

#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) id: UserId,
    pub(crate) platform: Platform,
    pub(crate) role: Role,
    pub(crate) pass: Pass,
    pub(crate) token: TokenClock,
    pub(crate) link: Link,
    /// Media connections without signalling.
    pub(crate) legs: BTreeMap<ConnectionId, LegUse>,
    pub(crate) streams: BTreeMap<StreamKind, Stream>,
    /// What admins hold back. Stays when the stream goes and comes back.
    pub(crate) blocked: BTreeSet<(StreamKind, MediaKind)>,
    pub(crate) subscriptions: BTreeMap<(Uid, StreamKind), Tracks>,
    /// What the others believe.
    pub(crate) told: Presence,
}

/// Signalling, which a participant with media connections alone has none of.
#[derive(Debug)]
pub(crate) enum Link {
    Absent,
    Up { session: Session, connection: ConnectionId },
    Down { session: Session, until: Instant },
}

impl Link {
    pub(crate) const fn session_mut(&mut self) -> Option<&mut Session> {
        match self {
            Self::Absent => None,
            Self::Up { session, .. } | Self::Down { session, .. } => Some(session),
        }
    }

    pub(crate) const fn session(&self) -> Option<&Session> {
        match self {
            Self::Absent => None,
            Self::Up { session, .. } | Self::Down { session, .. } => Some(session),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) secret: SecretDigest,
    pub(crate) outbox: Outbox,
    pub(crate) talk: Meter,
    pub(crate) changes: Meter,
    /// Whether it wants to be told of user data in what it receives.
    pub(crate) hears_sei: bool,
}

impl Session {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self {
            secret: digest(secret),
            outbox: Outbox::default(),
            talk: Meter::new(TALK_BURST, TALK_INTERVAL),
            changes: Meter::new(CHANGE_BURST, CHANGE_INTERVAL),
            hears_sei: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LegUse {
    Publish(StreamKind),
    Play,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) tracks: Tracks,
    pub(crate) muted: BTreeSet<MediaKind>,
    pub(crate) attributes: Attributes,
    pub(crate) claim: Claim,
    pub(crate) carrier: Carrier,
}

/// The media connection behind a stream of the signalling session, where it is one that comes and goes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// There is none yet, or its client has ended it, or nothing is known of it.
    Unknown,
    /// It is there.
    Stands,
    /// It is lost, and may come back.
    Broken,
}

/// Who stands behind a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The signalling session.
    Session,
    /// A media connection of its own.
    Leg(ConnectionId),
    /// Nobody at the moment: whoever had it may come back for it until then.
    Nobody { until: Instant },
}

/// When to warn and when to remove, on the clock that does not jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenClock {
    pub(crate) warn_at: Option<Instant>,
    pub(crate) ends_at: Option<Instant>,
}

impl TokenClock {
    pub(crate) fn start(pass: &Pass, now: Now) -> Self {
        let expires = pass
            .expires()
            .map(|expires| Duration::from_secs(expires.0.saturating_sub(now.unix.0)))
            .and_then(|left| now.instant.checked_add(left));
        Self {
            warn_at: expires.map(|at| at.checked_sub(EXPIRY_WARNING).unwrap_or(now.instant).max(now.instant)),
            ends_at: expires.and_then(|at| at.checked_add(EXPIRY_LEEWAY)),
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.warn_at.into_iter().chain(self.ends_at).min()
    }
}

impl Participant {
    pub(crate) fn presence(&self) -> Presence {
        match &self.link {
            Link::Up { .. } if self.carried(Carrier::Broken) => Presence::Reconnecting,
            Link::Up { .. } => Presence::Connected,
            Link::Absent if !self.legs.is_empty() => Presence::Connected,
            Link::Absent | Link::Down { .. } => Presence::Reconnecting,
        }
    }

    /// Whether there is a stream whose media connection is so.
    pub(crate) fn carried(&self, carrier: Carrier) -> bool {
        self.streams.values().any(|stream| stream.carrier == carrier)
    }

    /// When it leaves for want of signalling: not while its media say that it is there.
    pub(crate) fn leaves_at(&self) -> Option<Instant> {
        match &self.link {
            Link::Down { until, .. } if !self.carried(Carrier::Stands) => Some(*until),
            Link::Down { .. } | Link::Absent | Link::Up { .. } => None,
        }
    }

    pub(crate) fn info(&self) -> ParticipantInfo {
        ParticipantInfo {
            uid: self.id.clone(),
            platform: self.platform,
            role: self.role,
            state: self.told,
            streams: self.streams.keys().filter_map(|kind| self.stream_info(*kind)).collect(),
        }
    }

    pub(crate) fn stream_info(&self, kind: StreamKind) -> Option<StreamInfo> {
        let stream = self.streams.get(&kind)?;
        Some(StreamInfo {
            stream: kind,
            audio: self.track_state(kind, stream, MediaKind::Audio),
            video: self.track_state(kind, stream, MediaKind::Video),
            attributes: stream.attributes.clone(),
        })
    }

    /// Which of `tracks` a stream of this participant has, for itself or for somebody else.
    pub(crate) fn what_of(
        &self,
        kind: StreamKind,
        tracks: Tracks,
        for_itself: bool,
    ) -> Result<Option<Tracks>, Refusal> {
        let all = match kind {
            StreamKind::Camera | StreamKind::Screen => {
                self.streams.get(&kind).ok_or(Refusal::NoSuchStream(kind))?.tracks
            }
            StreamKind::Mix | StreamKind::Speaker if !for_itself => return Err(Refusal::NoSuchStream(kind)),
            StreamKind::Mix if self.platform != Platform::Miniprogram => {
                return Err(Refusal::OnlyByAddress(kind));
            }
            StreamKind::Mix => Tracks::Audio,
            StreamKind::Speaker => Tracks::Both,
        };
        let has = |media| all.has(media) && tracks.has(media);
        Ok(Tracks::new(has(MediaKind::Audio), has(MediaKind::Video)))
    }

    pub(crate) fn track_state(&self, kind: StreamKind, stream: &Stream, media: MediaKind) -> TrackState {
        if !stream.tracks.has(media) {
            TrackState::Absent
        } else if self.blocked.contains(&(kind, media)) {
            TrackState::Blocked
        } else if stream.muted.contains(&media) {
            TrackState::Muted
        } else {
            TrackState::Live
        }
    }

    /// The next moment at which time alone changes something.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let unclaimed = self.streams.values().filter_map(|stream| match stream.claim {
            Claim::Nobody { until } => Some(until),
            Claim::Session | Claim::Leg(_) => None,
        });
        unclaimed.chain(self.leaves_at()).chain(self.token.next()).min()
    }
}
