//! User data in pictures: into a stream of one's own, and out of the streams that one receives.

use super::effect::Order;
use super::room::Charge;
use super::{MAX_SEI_BYTES, Now, Refusal, Room, Seat};
use crate::signal::{Content, Event, MediaKind, SeiType};
use crate::{StreamKind, Uid};

impl Room {
    /// Tells a participant from now on, until its session ends, of user data in the streams that it receives.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotJoined`].
    pub fn hear_sei(&mut self, seat: &Seat) -> Result<(), Refusal> {
        let session = self.seated_mut(seat)?.link.session_mut().ok_or(Refusal::NotJoined)?;
        session.hears_sei = true;
        Ok(())
    }

    /// Whether a participant is told of user data in the streams that it receives.
    #[must_use]
    pub fn hears_sei(&self, uid: &Uid) -> bool {
        let session = self.participants.get(uid).and_then(|participant| participant.link.session());
        session.is_some_and(|session| session.hears_sei)
    }

    /// Sends user data in the pictures of a stream of one's own, and tells it to those who receive the stream and want
    /// to be told. `uuid` is what stands before it in a message of type 5, in hexadecimal digits.
    ///
    /// # Errors
    ///
    /// If there are no such pictures, it is too long, or comes too soon after others.
    pub fn send_sei(
        &mut self,
        seat: &Seat,
        kind: StreamKind,
        (sei_type, uuid): (SeiType, Option<String>),
        content: Content,
        now: Now,
    ) -> Result<(), Refusal> {
        let stream = self.seated(seat)?.streams.get(&kind).ok_or(Refusal::NotPublished(kind))?;
        if !stream.tracks.has(MediaKind::Video) {
            return Err(Refusal::NoSuchTrack);
        }
        if content.len() > MAX_SEI_BYTES {
            return Err(Refusal::SeiTooLarge { bytes: content.len() });
        }
        self.charge(seat, Charge::Talk, now.instant)?;
        let uid = seat.uid.clone();
        self.order(Order::InsertSei { uid, stream: kind, sei_type, content: content.clone() });
        self.tell_sei(&seat.uid, kind, (sei_type, uuid), content);
        Ok(())
    }

    /// Tells user data that came in the pictures of a stream to those who receive it and want to be told.
    ///
    /// Returns how many those are.
    pub fn tell_sei(
        &mut self,
        uid: &Uid,
        kind: StreamKind,
        (sei_type, uuid): (SeiType, Option<String>),
        content: Content,
    ) -> usize {
        let Some(owner) = self.participants.get(uid) else { return 0 };
        let event = Event::Sei { uid: owner.id.clone(), stream: kind, sei_type, uuid, content };
        let key = (uid.clone(), kind);
        self.tell_those(&event, |_, participant| {
            participant.link.session().is_some_and(|session| session.hears_sei)
                && participant.subscriptions.contains_key(&key)
        })
    }
}
