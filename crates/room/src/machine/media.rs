use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use super::effect::{CloseReason, Hook, Order, Revocation};
use super::participant::{Carrier, Claim, Link, Stream};
use super::room::Charge;
use super::talk::check_attributes;
use super::{MAX_SUBSCRIPTIONS, Now, Refusal, Room, Seat};
use crate::signal::{Attributes, Event, LeaveReason, MediaKind, StreamInfo, TrackState, Tracks, UserId};
use crate::{Grant, Permission, Role, StreamKind, Uid};

/// What [`Room::publish`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The right to send this stream.
    pub grant: Grant,
    /// The stream as others see it; an admin may hold back some of it from the start.
    pub info: StreamInfo,
}

/// What [`Room::subscribe`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// The right to receive this stream.
    pub grant: Grant,
    /// Whose stream it is, in its owner's form.
    pub owner: UserId,
    /// The tracks that are wanted of those that there are.
    pub tracks: Option<Tracks>,
}

impl Room {
    /// Publishes a stream through the signalling session, or changes its tracks and attributes.
    ///
    /// # Errors
    ///
    /// If the participant is no host, another connection publishes the stream, or a bound is exceeded.
    pub fn publish(
        &mut self,
        seat: &Seat,
        kind: StreamKind,
        tracks: Tracks,
        attributes: Attributes,
        now: Now,
    ) -> Result<Published, Refusal> {
        let participant = self.seated(seat)?;
        if participant.role != Role::Host {
            return Err(Refusal::NotHost);
        }
        let grant = participant.pass.grant(&seat.uid, kind, Permission::Publish)?;
        if participant.streams.get(&kind).is_some_and(|stream| matches!(stream.claim, Claim::Leg(_))) {
            return Err(Refusal::StreamInUse(kind));
        }
        check_attributes(&attributes)?;
        self.charge(seat, Charge::Change, now.instant)?;
        let claimed = (Claim::Session, tracks, Some(attributes));
        let info = self.claim_stream(&seat.uid, kind, claimed, Some(&seat.uid));
        Ok(Published { grant, info: info.ok_or(Refusal::NotJoined)? })
    }

    /// Makes a stream, or puts another source behind it, and tells the others what changed.
    pub(crate) fn claim_stream(
        &mut self,
        uid: &Uid,
        kind: StreamKind,
        (claim, tracks, attributes): (Claim, Tracks, Option<Attributes>),
        except: Option<&Uid>,
    ) -> Option<StreamInfo> {
        let participant = self.participants.get_mut(uid)?;
        let before = participant.stream_info(kind);
        match participant.streams.entry(kind) {
            Entry::Vacant(place) => {
                let attributes = attributes.unwrap_or_default();
                let muted = BTreeSet::new();
                place.insert(Stream { tracks, muted, attributes, claim, carrier: Carrier::Unknown });
            }
            Entry::Occupied(mut place) => {
                let stream = place.get_mut();
                if stream.claim != claim {
                    stream.muted.clear();
                }
                // Whoever publishes again is given another address: what stands so far ends.
                if stream.claim != claim || stream.carrier == Carrier::Stands {
                    stream.carrier = Carrier::Unknown;
                }
                stream.claim = claim;
                stream.tracks = tracks;
                if let Some(attributes) = attributes {
                    stream.attributes = attributes;
                }
            }
        }
        let info = participant.stream_info(kind)?;
        let id = participant.id.clone();
        self.order_forwarding(uid, before.as_ref(), &info);
        match before {
            None => {
                self.hook(Hook::StreamPublished { uid: uid.clone(), stream: kind });
                self.broadcast(&Event::StreamPublished { uid: id, info: info.clone() }, except);
            }
            Some(before) if before != info => {
                self.broadcast(&Event::StreamChanged { uid: id, info: info.clone() }, except);
            }
            Some(_) => {}
        }
        self.settle(uid, LeaveReason::Left);
        Some(info)
    }

    /// Forwarding is on unless said otherwise.
    pub(crate) fn order_forwarding(&mut self, uid: &Uid, before: Option<&StreamInfo>, after: &StreamInfo) {
        let held = |state| matches!(state, TrackState::Muted | TrackState::Blocked);
        let tracks = [
            (MediaKind::Audio, before.map(|info| info.audio), after.audio),
            (MediaKind::Video, before.map(|info| info.video), after.video),
        ];
        for (kind, before, after_state) in tracks {
            if before.is_some_and(held) != held(after_state) {
                let (uid, stream) = (uid.clone(), after.stream);
                self.order(Order::Forward { uid, stream, kind, on: !held(after_state) });
            }
        }
    }

    /// How the media connection behind a stream of a signalling session is now. While it is broken the others see its
    /// owner reconnecting: nobody leaves, and nothing has to be subscribed to again. While it stands its owner stays,
    /// whatever becomes of the signalling: the grace time begins when both are lost.
    pub fn observe_media(&mut self, uid: &Uid, kind: StreamKind, carrier: Carrier, now: Now) {
        let Some(participant) = self.participants.get_mut(uid) else { return };
        let stream = participant.streams.get_mut(&kind);
        let Some(stream) = stream.filter(|stream| stream.claim == Claim::Session) else { return };
        stream.carrier = carrier;
        if let Link::Down { until, .. } = &mut participant.link {
            *until = (*until).max(now.instant.checked_add(self.limits.grace).unwrap_or(now.instant));
        }
        self.settle(uid, LeaveReason::Left);
    }

    /// Whether a participant publishes a stream through its signalling session, so that its encoder can be told what
    /// to send.
    #[must_use]
    pub fn is_published_by_session(&self, uid: &Uid, kind: StreamKind) -> bool {
        let stream = self.participants.get(uid).and_then(|participant| participant.streams.get(&kind));
        stream.is_some_and(|stream| stream.claim == Claim::Session)
    }

    /// Who receives a stream through a signalling session.
    pub fn subscribers(&self, of: &Uid, kind: StreamKind) -> impl Iterator<Item = &Uid> + '_ {
        let key = (of.clone(), kind);
        let receives = move |(_, participant): &(&Uid, &super::participant::Participant)| {
            participant.subscriptions.contains_key(&key)
        };
        self.participants.iter().filter(receives).map(|(uid, _)| uid)
    }

    /// Ends a stream of this session.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotPublished`] if there is none, or another connection publishes it.
    pub fn unpublish(&mut self, seat: &Seat, kind: StreamKind) -> Result<(), Refusal> {
        let stream = self.seated(seat)?.streams.get(&kind);
        if stream.is_none_or(|stream| matches!(stream.claim, Claim::Leg(_))) {
            return Err(Refusal::NotPublished(kind));
        }
        self.stop_stream(&seat.uid, kind, Some(&seat.uid), CloseReason::RoleChanged);
        self.settle(&seat.uid, LeaveReason::Left);
        Ok(())
    }

    /// Receives a stream, or changes which of its tracks are received. A stream that the server makes is one's own: it is
    /// always there.
    ///
    /// # Errors
    ///
    /// If there is no such stream, the participant cannot have it, or a bound is exceeded.
    pub fn subscribe(
        &mut self,
        seat: &Seat,
        of: &Uid,
        kind: StreamKind,
        tracks: Tracks,
    ) -> Result<Subscribed, Refusal> {
        let grant = self.seated(seat)?.pass.grant(of, kind, Permission::Play)?.only(tracks);
        let target = self.participants.get(of).ok_or_else(|| Refusal::NoSuchParticipant(of.clone()))?;
        let (owner, there) = (target.id.clone(), target.what_of(kind, tracks, *of == seat.uid)?);
        let participant = self.seated_mut(seat)?;
        let key = (of.clone(), kind);
        if participant.subscriptions.len() >= MAX_SUBSCRIPTIONS
            && !participant.subscriptions.contains_key(&key)
        {
            return Err(Refusal::TooManySubscriptions);
        }
        participant.subscriptions.insert(key, tracks);
        Ok(Subscribed { grant, owner, tracks: there })
    }

    /// Tells those who receive a stream that follows the speaker who that is.
    pub fn tell_speaker(&mut self, speaker: &Uid) {
        let Some(id) = self.participants.get(speaker).map(|participant| participant.id.clone()) else {
            return;
        };
        let event = Event::Speaker { uid: id };
        let followers: Vec<Uid> =
            self.participants.keys().filter(|uid| self.follows_speaker(uid)).cloned().collect();
        for uid in followers {
            self.tell(&uid, &event);
        }
    }

    /// Whether a participant receives a stream that follows the speaker.
    fn follows_speaker(&self, uid: &Uid) -> bool {
        self.subscriptions(uid).any(|(_, kind)| kind.is_made())
    }

    /// Receives a stream no longer.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotSubscribed`].
    pub fn unsubscribe(&mut self, seat: &Seat, of: &Uid, kind: StreamKind) -> Result<(), Refusal> {
        let participant = self.seated_mut(seat)?;
        participant.subscriptions.remove(&(of.clone(), kind)).ok_or(Refusal::NotSubscribed)?;
        let which = Revocation::Play(of.clone(), kind);
        self.order(Order::RevokeTickets { uid: seat.uid.clone(), which });
        Ok(())
    }

    /// Holds a track of one's own back, or lets it go.
    ///
    /// Returns how it is now.
    ///
    /// # Errors
    ///
    /// If there is no such track, an admin holds it back, or it is muted too often.
    pub fn mute(
        &mut self,
        seat: &Seat,
        kind: StreamKind,
        media: MediaKind,
        muted: bool,
        now: Now,
    ) -> Result<TrackState, Refusal> {
        let participant = self.seated(seat)?;
        let stream = participant.streams.get(&kind).ok_or(Refusal::NotPublished(kind))?;
        if !stream.tracks.has(media) {
            return Err(Refusal::NoSuchTrack);
        }
        if !muted && participant.blocked.contains(&(kind, media)) {
            return Err(Refusal::Blocked);
        }
        self.charge(seat, Charge::Change, now.instant)?;
        let participant = self.seated_mut(seat)?;
        let before = participant.stream_info(kind);
        if let Some(stream) = participant.streams.get_mut(&kind) {
            if muted {
                stream.muted.insert(media);
            } else {
                stream.muted.remove(&media);
            }
        }
        let state = self.tell_muted(&seat.uid, before, media, None, Some(&seat.uid));
        state.ok_or(Refusal::NotPublished(kind))
    }

    /// Tells everybody how a track is now, if that is news.
    pub(crate) fn tell_muted(
        &mut self,
        uid: &Uid,
        before: Option<StreamInfo>,
        media: MediaKind,
        by: Option<UserId>,
        except: Option<&Uid>,
    ) -> Option<TrackState> {
        let before = before?;
        let kind = before.stream;
        let participant = self.participants.get(uid)?;
        let after = participant.stream_info(kind)?;
        let stream = participant.streams.get(&kind)?;
        let state = participant.track_state(kind, stream, media);
        let id = participant.id.clone();
        if before != after {
            self.order_forwarding(uid, Some(&before), &after);
            self.broadcast(&Event::Muted { uid: id, stream: kind, kind: media, state, by }, except);
        }
        Some(state)
    }
}
