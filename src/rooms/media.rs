//! The media of signalled participants: one WebRTC session each, or tickets.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use queqiao_media::layers::LayerSet;
use queqiao_room::machine::{Detach, Now, Refusal, RoomKey, Seat};
use queqiao_room::signal::{
    ErrorBody, Event, Hidden, MidInfo, Platform, Publish, PublishOk, Sdp, Subscribe, SubscribeOk, Tracks,
    UserId,
};
use queqiao_room::ticket::Ticket;
use queqiao_room::{Grant, StreamKey, StreamKind, Uid};
use rand::Rng;
use tracing::debug;

use super::address::MediaBase;
use super::connections::LinkEnd;
use super::requests::Place;
use super::service::{RoomService, State, close_task, stream_key};
use crate::hub::HubError;
use crate::rtc::{self, Change, Ending, Notice, Offer, Owner, SessionId};

/// The WebRTC side of one participant.
#[derive(Debug)]
struct Media {
    /// None once the server has given it up: its client has to join again.
    session: Option<SessionId>,
    /// What the session takes in.
    receiving: BTreeSet<StreamKind>,
    /// What the session sends.
    sending: BTreeMap<StreamKey, Tracks>,
}

/// The WebRTC sessions of all signalled participants that have published or subscribed.
#[derive(Debug, Default)]
pub(super) struct MediaSessions {
    rooms: HashMap<RoomKey, BTreeMap<Uid, Media>>,
    owners: HashMap<SessionId, (RoomKey, Uid)>,
}

impl MediaSessions {
    /// A participant's session: none if it has had none yet.
    ///
    /// Fails if the server has given it up.
    pub(super) fn session(&self, room: &RoomKey, uid: &Uid) -> Result<Option<&SessionId>, rtc::Error> {
        match self.rooms.get(room).and_then(|all| all.get(uid)) {
            None => Ok(None),
            Some(Media { session: Some(session), .. }) => Ok(Some(session)),
            Some(Media { session: None, .. }) => Err(rtc::Error::NoSuchSession),
        }
    }

    fn insert(&mut self, room: &RoomKey, uid: &Uid, session: SessionId) {
        self.owners.insert(session.clone(), (room.clone(), uid.clone()));
        let media = Media { session: Some(session), receiving: BTreeSet::new(), sending: BTreeMap::new() };
        self.rooms.entry(room.clone()).or_default().insert(uid.clone(), media);
    }

    fn get_mut(&mut self, room: &RoomKey, uid: &Uid) -> Option<&mut Media> {
        self.rooms.get_mut(room)?.get_mut(uid)
    }

    /// Forgets a participant's session, and returns it to be ended.
    pub(super) fn remove(&mut self, room: &RoomKey, uid: &Uid) -> Option<SessionId> {
        let all = self.rooms.get_mut(room)?;
        let media = all.remove(uid);
        if all.is_empty() {
            self.rooms.remove(room);
        }
        let session = media?.session?;
        self.owners.remove(&session);
        Some(session)
    }

    /// The session is over, while its participant is not.
    fn lose(&mut self, session: &SessionId) -> Option<(RoomKey, Uid)> {
        let (room, uid) = self.owners.remove(session)?;
        let media = self.get_mut(&room, &uid)?;
        *media = Media { session: None, receiving: BTreeSet::new(), sending: BTreeMap::new() };
        Some((room, uid))
    }

    /// A stream is over. Returns what has to change in whose session.
    pub(super) fn stop_stream(&mut self, room: &RoomKey, key: &StreamKey) -> Vec<(SessionId, Change)> {
        let mut changes = Vec::new();
        for (uid, media) in self.rooms.get_mut(room).into_iter().flatten() {
            let Some(session) = &media.session else { continue };
            if media.sending.remove(key).is_some() {
                changes.push((session.clone(), Change::StopSending(key.clone())));
            }
            if *uid == key.uid && media.receiving.remove(&key.kind) {
                changes.push((session.clone(), Change::StopReceiving(key.kind)));
            }
        }
        changes
    }
}

/// Refusals of the media side, on the wire of signalling.
pub(super) fn rtc_refusal(error: &rtc::Error) -> ErrorBody {
    let code = match error {
        rtc::Error::Sdp(_) | rtc::Error::Unfit(_) | rtc::Error::NoCommonCodec | rtc::Error::NoMedia => {
            "bad_sdp"
        }
        rtc::Error::SdpTooLarge => "sdp_too_large",
        rtc::Error::TooManySessions { limit } => {
            let mut body = ErrorBody::new("too_many_sessions", error.to_string());
            body.limit = u64::try_from(*limit).ok();
            return body;
        }
        rtc::Error::NoSuchSession | rtc::Error::Replaced => {
            return ErrorBody::new(
                "media_lost",
                "the server has given up the media of this session: join again",
            );
        }
        rtc::Error::StaleRevision => "stale_revision",
        rtc::Error::Fragment(_) | rtc::Error::Certificate | rtc::Error::Socket(_) => "internal",
    };
    ErrorBody::new(code, error.to_string())
}

fn hub_refusal(error: HubError) -> ErrorBody {
    let mut body = ErrorBody::new(error.code(), error.to_string());
    if let HubError::TooManyStreams { limit } | HubError::TooManyPlayers { limit } = error {
        body.limit = u64::try_from(limit).ok();
    }
    body
}

fn refusal(refusal: &Refusal) -> ErrorBody {
    refusal.into()
}

impl RoomService {
    /// Publishes a stream of a participant, in the way of its platform.
    pub(super) fn publish(
        &self,
        state: &mut State,
        place: &Place,
        base: &MediaBase,
        publish: Publish,
        now: Now,
    ) -> Result<PublishOk, ErrorBody> {
        let Publish { stream, audio, video, layers, attributes } = publish;
        let tracks = Tracks::new(audio, video).ok_or_else(|| refusal(&Refusal::NoTracks))?;
        let (room, seat) = (&place.room, &place.seat);
        let existed = is_published(state, room, seat.uid(), stream);
        let enter = |state: &mut State| {
            let published =
                state.rooms.within(room, |room| room.publish(seat, stream, tracks, attributes, now));
            published.unwrap_or(Err(Refusal::NotJoined)).map_err(|error| refusal(&error))
        };
        if place.platform == Platform::Miniprogram {
            let grant = enter(state)?.grant;
            let key = grant.stream().clone();
            let issued = issue(state, seat, grant, now);
            let issued = issued.inspect_err(|_| unpublish(state, place, stream, existed))?;
            self.tell_limits(state, &key);
            return Ok(PublishOk::Rtmp { stream, rtmp: Hidden(base.rtmp(&key, &issued)) });
        }
        // Before the room, which tells others at once.
        let opened = self.open_session(state, place)?;
        let entered = enter(state).inspect_err(|_| {
            if opened {
                self.close_media(state, place);
            }
        });
        let changed = self.change(state, place, Change::Receive { grant: entered?.grant, tracks, layers });
        changed.inspect_err(|_| unpublish(state, place, stream, existed))?;
        if let Some(media) = state.media.get_mut(room, seat.uid()) {
            media.receiving.insert(stream);
        }
        self.tell_limits(state, &stream_key(room, seat.uid().clone(), stream));
        Ok(PublishOk::Webrtc { stream })
    }

    fn close_media(&self, state: &mut State, place: &Place) {
        if let Some(session) = state.media.remove(&place.room, place.seat.uid()) {
            self.end_session(&session);
        }
    }

    /// Subscribes a participant to a stream, in the way of its platform.
    pub(super) fn subscribe(
        &self,
        state: &mut State,
        place: &Place,
        base: &MediaBase,
        subscribe: &Subscribe,
        now: Now,
    ) -> Result<SubscribeOk, ErrorBody> {
        let stream = subscribe.stream;
        let tracks =
            Tracks::new(subscribe.audio, subscribe.video).ok_or_else(|| refusal(&Refusal::NoTracks))?;
        let (room, seat) = (&place.room, &place.seat);
        let had = state.rooms.get(room).is_some_and(|room| {
            room.subscriptions(seat.uid()).any(|other| other == (&subscribe.uid, stream))
        });
        let subscribed =
            state.rooms.within(room, |room| room.subscribe(seat, &subscribe.uid, stream, tracks));
        let subscribed = subscribed.unwrap_or(Err(Refusal::NotJoined)).map_err(|error| refusal(&error))?;
        let uid = subscribed.owner;
        let grant = subscribed.grant.up_to(subscribe.max_layer);
        let key = grant.stream().clone();
        if state.rooms.get(room).is_some_and(|room| room.hears_sei(seat.uid())) {
            self.hub.hear_sei(&key, true);
        }
        let result = if place.platform == Platform::Miniprogram {
            let followed = match stream {
                StreamKind::Speaker => self.follow_speaker(state, place),
                _ => Ok(()),
            };
            followed.and_then(|()| issue(state, seat, grant, now)).map(|ticket| {
                let (rtmp, flv) = (Hidden(base.rtmp(&key, &ticket)), Hidden(base.flv(&key, &ticket)));
                SubscribeOk::Addresses { uid, stream, rtmp, flv }
            })
        } else if stream.is_made() {
            self.follow_speaker(state, place).map(|()| SubscribeOk::Webrtc { uid, stream })
        } else {
            self.send(state, place, &grant, tracks).map(|()| SubscribeOk::Webrtc { uid, stream })
        };
        if stream.is_made() && result.is_ok() {
            self.tell_present_speaker(state, place);
        }
        if result.is_err() {
            let before =
                state.media.get_mut(room, seat.uid()).and_then(|media| media.sending.get(&key).copied());
            let _ = state.rooms.within(room, |room| match before {
                Some(before) => room.subscribe(seat, &subscribe.uid, stream, before).map(drop),
                None if had => Ok(()),
                None => room.unsubscribe(seat, &subscribe.uid, stream),
            });
        }
        result
    }

    /// Sends a stream to a participant. The tracks are those that it wants: one that the stream does not have yet flows
    /// as soon as it has it, without another offer.
    fn send(&self, state: &mut State, place: &Place, grant: &Grant, tracks: Tracks) -> Result<(), ErrorBody> {
        let seat = self.hub.play(grant).map_err(hub_refusal)?;
        self.open_session(state, place)?;
        self.change(state, place, Change::Send { seat, tracks })?;
        if let Some(media) = state.media.get_mut(&place.room, place.seat.uid()) {
            media.sending.insert(grant.stream().clone(), tracks);
        }
        Ok(())
    }

    /// Lets a room be listened to, so that a participant learns who speaks: who has its streams one by one, and who plays
    /// the pictures of the speaker, also before that and between two players.
    fn follow_speaker(&self, state: &mut State, place: &Place) -> Result<(), ErrorBody> {
        let mix = self.hub.mix(&place.room).map_err(hub_refusal)?;
        state.followers.insert((place.room.clone(), place.seat.uid().clone()), mix);
        Ok(())
    }

    /// Who speaks when somebody begins to follow the speaker, if the room is listened to already.
    fn tell_present_speaker(&self, state: &mut State, place: &Place) {
        let Some(speaker) = self.hub.speaker(&place.room) else { return };
        state.rooms.within(&place.room, |room| {
            if let Some(info) = room.participant(&speaker) {
                room.tell(place.seat.uid(), &Event::Speaker { uid: info.uid });
            }
        });
    }

    /// Sends a stream to a participant no longer.
    pub(super) fn stop_sending(&self, state: &mut State, place: &Place, of: &Uid, kind: StreamKind) {
        if kind == StreamKind::Speaker {
            state.followers.remove(&(place.room.clone(), place.seat.uid().clone()));
        }
        let key = stream_key(&place.room, of.clone(), kind);
        let Some(media) = state.media.get_mut(&place.room, place.seat.uid()) else { return };
        if media.sending.remove(&key).is_some() {
            // A session that is over sends nothing.
            let _ = self.change(state, place, Change::StopSending(key));
        }
    }

    /// Opens the participant's session if it has none. Returns whether it had none.
    fn open_session(&self, state: &mut State, place: &Place) -> Result<bool, ErrorBody> {
        let (room, uid) = (&place.room, place.seat.uid());
        if state.media.session(room, uid).map_err(|error| rtc_refusal(&error))?.is_some() {
            return Ok(false);
        }
        let owner = Owner { room: room.clone(), uid: uid.clone() };
        let session = self.rtc.open(&owner).map_err(|error| rtc_refusal(&error))?;
        state.media.insert(room, uid, session);
        Ok(true)
    }

    /// Changes what a participant's session carries. An offer follows.
    pub(super) fn change(&self, state: &mut State, place: &Place, change: Change) -> Result<(), ErrorBody> {
        let session = state.media.session(&place.room, place.seat.uid());
        let session = session.and_then(|session| session.cloned().ok_or(rtc::Error::NoSuchSession));
        let session = session.map_err(|error| rtc_refusal(&error))?;
        self.rtc.change(&session, change).map_err(|error| {
            if matches!(error, rtc::Error::NoSuchSession) {
                state.media.lose(&session);
            }
            rtc_refusal(&error)
        })
    }

    /// Takes in what a WebRTC session tells.
    pub(super) fn notice(&self, state: &mut State, notice: Notice, now: Now) {
        match notice {
            Notice::Offer { session, offer } => offered(state, &session, offer),
            Notice::Layers { session, stream, layers } => layers_wanted(state, &session, stream, layers),
            Notice::Ended { session, ending } => {
                state.superseded.remove(&session);
                if let Some((room, uid)) = state.media.lose(&session) {
                    debug!(app = %room.app, room = %room.room, %uid, ?ending, "the media of a participant are lost");
                } else if let Some(session) = state.connections.remove_session(&session) {
                    let how = match ending {
                        Ending::Left => Detach::Left,
                        Ending::Lost => Detach::Lost,
                    };
                    state.rooms.within(&session.room, |room| room.detach(&session.leg, how, now));
                }
            }
        }
    }
}

fn is_published(state: &State, room: &RoomKey, uid: &Uid, kind: StreamKind) -> bool {
    let participant = state.rooms.get(room).and_then(|room| room.participant(uid));
    participant.is_some_and(|info| info.streams.iter().any(|stream| stream.stream == kind))
}

/// Takes back what a room did for a publication that failed, unless the stream was there before.
fn unpublish(state: &mut State, place: &Place, kind: StreamKind, existed: bool) {
    if !existed {
        let _ = state.rooms.within(&place.room, |room| room.unpublish(&place.seat, kind));
    }
}

/// Makes a ticket, and closes the connection that uses the one before it.
fn issue(state: &mut State, seat: &Seat, grant: Grant, now: Now) -> Result<Ticket, ErrorBody> {
    let random = rand::rng().random();
    let (ticket, earlier) =
        state.tickets.issue(random, seat.uid(), grant, now.instant).map_err(ErrorBody::from)?;
    if let Some(earlier) = earlier {
        close_task(state, earlier, LinkEnd::TicketRevoked);
    }
    Ok(ticket)
}

/// Tells a participant which layers of its stream are wanted.
fn layers_wanted(state: &mut State, session: &SessionId, stream: StreamKind, layers: LayerSet) {
    let Some((room, uid)) = state.media.owners.get(session).cloned() else { return };
    state.rooms.within(&room, |room| room.tell(&uid, &Event::LayersWanted { stream, layers }));
}

/// Passes an offer on to the participant that it is for, with everybody's uid in their own form.
fn offered(state: &mut State, session: &SessionId, offer: Offer) {
    let Some((room, uid)) = state.media.owners.get(session).cloned() else { return };
    state.rooms.within(&room, |room| {
        let mut mids = BTreeMap::new();
        for section in offer.sections {
            let StreamKey { uid, kind: stream, .. } = section.stream;
            let owner = room.participant(&uid).map_or_else(|| UserId::from(uid), |info| info.uid);
            mids.insert(section.mid, MidInfo { uid: owner, stream, kind: section.kind });
        }
        room.tell(&uid, &Event::Offer { revision: offer.revision, sdp: Sdp(offer.sdp), mids });
    });
}
