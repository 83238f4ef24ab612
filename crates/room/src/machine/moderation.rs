use std::time::Duration;

use super::room::Departure;
use super::{MAX_BAN, MAX_BANS, MAX_FAREWELL_BYTES, Now, Refusal, Room, Seat};
use crate::signal::{EndReason, Ended, LeaveReason, MediaKind, TrackState, UserId};
use crate::{StreamKind, Uid};

/// Somebody who runs the server: made by the shell once the admin secret was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator(());

impl Operator {
    /// The caller vouches that an operator asks.
    #[must_use]
    pub const fn vouched() -> Self {
        Self(())
    }
}

/// On whose authority.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// A participant's, whose token has the `admin` claim.
    Seat(&'a Seat),
    /// The server's own.
    Operator(Operator),
}

impl Room {
    fn check_admin(&self, by: By<'_>) -> Result<Option<UserId>, Refusal> {
        match by {
            By::Operator(_) => Ok(None),
            By::Seat(seat) => {
                let participant = self.seated(seat)?;
                if participant.pass.is_admin() {
                    Ok(Some(participant.id.clone()))
                } else {
                    Err(Refusal::NotAdmin)
                }
            }
        }
    }

    /// Holds a track of a participant back until an admin lets it go, even if it is published anew meanwhile. Letting it
    /// go does not unmute what its owner has muted.
    ///
    /// Returns how it is now. Everybody is told, the owner and the admin too.
    ///
    /// # Errors
    ///
    /// If the authority is missing, or there is no such track.
    pub fn block(
        &mut self,
        by: By<'_>,
        uid: &Uid,
        kind: StreamKind,
        media: MediaKind,
        blocked: bool,
    ) -> Result<TrackState, Refusal> {
        let admin = self.check_admin(by)?;
        let participant =
            self.participants.get_mut(uid).ok_or_else(|| Refusal::NoSuchParticipant(uid.clone()))?;
        let stream = participant.streams.get(&kind).ok_or(Refusal::NoSuchStream(kind))?;
        if !stream.tracks.has(media) {
            return Err(Refusal::NoSuchTrack);
        }
        let before = participant.stream_info(kind);
        if blocked {
            participant.blocked.insert((kind, media));
        } else {
            participant.blocked.remove(&(kind, media));
        }
        self.tell_muted(uid, before, media, admin, None).ok_or(Refusal::NoSuchStream(kind))
    }

    /// Removes a participant, who may come back.
    ///
    /// # Errors
    ///
    /// If the authority is missing, the text is too long, or nobody has this uid.
    pub fn kick(&mut self, by: By<'_>, uid: &Uid, message: Option<String>) -> Result<(), Refusal> {
        self.check_admin(by)?;
        check_farewell(message.as_deref())?;
        if !self.participants.contains_key(uid) {
            return Err(Refusal::NoSuchParticipant(uid.clone()));
        }
        let ended = Ended { reason: EndReason::Kicked, message, seconds: None };
        self.remove(uid, &Departure::Told(LeaveReason::Kicked, ended));
        Ok(())
    }

    /// Keeps a uid out for a while, and removes it if it is in the room. Zero lifts a ban.
    ///
    /// # Errors
    ///
    /// If the authority is missing, or a bound is exceeded.
    pub fn ban(
        &mut self,
        by: By<'_>,
        uid: &Uid,
        length: Duration,
        message: Option<String>,
        now: Now,
    ) -> Result<(), Refusal> {
        self.check_admin(by)?;
        check_farewell(message.as_deref())?;
        if length > MAX_BAN {
            return Err(Refusal::BanTooLong);
        }
        if length.is_zero() {
            self.bans.remove(uid);
            return Ok(());
        }
        self.bans.retain(|_, until| *until > now.instant);
        if self.bans.len() >= MAX_BANS && !self.bans.contains_key(uid) {
            return Err(Refusal::TooManyBans);
        }
        self.bans.insert(uid.clone(), now.instant.checked_add(length).unwrap_or(now.instant));
        let ended = Ended { reason: EndReason::Banned, message, seconds: Some(length.as_secs()) };
        self.remove(uid, &Departure::Told(LeaveReason::Banned, ended));
        Ok(())
    }

    /// Removes everybody.
    ///
    /// # Errors
    ///
    /// If the authority is missing.
    pub fn close(&mut self, by: By<'_>) -> Result<(), Refusal> {
        self.check_admin(by)?;
        while let Some(uid) = self.participants.keys().next().cloned() {
            self.remove(&uid, &Departure::RoomClosed);
        }
        Ok(())
    }
}

fn check_farewell(message: Option<&str>) -> Result<(), Refusal> {
    match message {
        Some(message) if message.len() > MAX_FAREWELL_BYTES => Err(Refusal::FarewellTooLarge),
        _ => Ok(()),
    }
}
