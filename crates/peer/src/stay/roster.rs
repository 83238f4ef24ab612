//! The others in the room and what they publish, as the server tells it.

use std::collections::BTreeMap;

use queqiao_room::signal::{
    Attributes, Event as Signal, JoinOk, LeaveReason, MediaKind, ParticipantInfo, Presence, StreamInfo,
    TrackState, UserId,
};
use queqiao_room::{Role, StreamKind, Uid};

use crate::event::Event;

/// How many others are kept: ten times what the largest room holds.
const MAX_PARTICIPANTS: usize = 10_000;

/// One's own streams are not in it. Every method returns what it has changed, in the order in which to tell it.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    others: BTreeMap<Uid, ParticipantInfo>,
    attributes: Attributes,
}

impl Roster {
    /// Everybody else, by uid.
    pub(crate) fn participants(&self) -> impl Iterator<Item = &ParticipantInfo> {
        self.others.values()
    }

    /// Everything anew, from the reply to a join: after a rejoin no more than what is really different.
    pub(crate) fn reset(&mut self, reply: &JoinOk) -> Vec<Event> {
        let mut events = Vec::new();
        let gone: Vec<Uid> = self
            .others
            .keys()
            .filter(|uid| !reply.participants.iter().any(|other| other.uid.uid() == *uid))
            .cloned()
            .collect();
        for uid in gone {
            // Nobody has said why: it went while nobody was listening.
            self.remove(&uid, LeaveReason::Left, &mut events);
        }
        for participant in &reply.participants {
            self.put(participant.clone(), &mut events);
        }
        let removed: Vec<String> =
            self.attributes.keys().filter(|key| !reply.attributes.contains_key(*key)).cloned().collect();
        for key in removed {
            self.set_attribute(key, None, &mut events);
        }
        for (key, value) in &reply.attributes {
            self.set_attribute(key.clone(), Some(value.clone()), &mut events);
        }
        events
    }

    /// Takes an event; one about somebody who is not known changes nothing.
    pub(crate) fn apply(&mut self, signal: Signal) -> Vec<Event> {
        let mut events = Vec::new();
        match signal {
            Signal::ParticipantJoined { participant } => self.put(participant, &mut events),
            Signal::ParticipantLeft { uid, reason } => self.remove(uid.uid(), reason, &mut events),
            Signal::ParticipantReconnecting { uid } => {
                self.set_presence(uid.uid(), Presence::Reconnecting, &mut events);
            }
            Signal::ParticipantReconnected { uid } => {
                self.set_presence(uid.uid(), Presence::Connected, &mut events);
            }
            Signal::StreamPublished { uid, info } | Signal::StreamChanged { uid, info } => {
                if let Some(other) = self.others.get_mut(uid.uid()) {
                    put_stream(other, info, &mut events);
                }
            }
            Signal::StreamUnpublished { uid, stream } => {
                if let Some(other) = self.others.get_mut(uid.uid()) {
                    end_stream(other, stream, &mut events);
                }
            }
            Signal::Muted { uid, stream, kind, state, .. } => {
                self.change_stream(&uid, stream, &mut events, |info| *track(info, kind) = state);
            }
            Signal::RoleChanged { uid, role } => self.set_role(uid.uid(), role, &mut events),
            Signal::RoomAttribute { key, value, .. } => self.set_attribute(key, value, &mut events),
            Signal::StreamAttribute { uid, stream, key, value } => {
                self.change_stream(&uid, stream, &mut events, |info| set(&mut info.attributes, key, value));
            }
            Signal::Message { .. }
            | Signal::TokenExpiring { .. }
            | Signal::SessionEnded { .. }
            | Signal::Offer { .. }
            | Signal::Speaker { .. }
            | Signal::LayersWanted { .. }
            | Signal::NetworkQuality { .. }
            | Signal::PublishLimits { .. }
            | Signal::Sei { .. } => {}
        }
        events
    }

    fn put(&mut self, participant: ParticipantInfo, events: &mut Vec<Event>) {
        let uid = participant.uid.uid().clone();
        let Some(known) = self.others.get_mut(&uid) else {
            if self.others.len() < MAX_PARTICIPANTS {
                let streams = participant.streams.clone();
                let mut newcomer = participant;
                newcomer.streams.clear();
                events.push(Event::ParticipantJoined(newcomer.clone()));
                for stream in streams {
                    put_stream(&mut newcomer, stream, events);
                }
                self.others.insert(uid, newcomer);
            }
            return;
        };
        if known.platform != participant.platform {
            // Another program under the same name: everything about it is new.
            for stream in kinds(known) {
                end_stream(known, stream, events);
            }
            known.clone_from(&ParticipantInfo { streams: Vec::new(), ..participant.clone() });
            events.push(Event::ParticipantJoined(known.clone()));
        }
        known.uid = participant.uid;
        for stream in kinds(known) {
            if !participant.streams.iter().any(|now| now.stream == stream) {
                end_stream(known, stream, events);
            }
        }
        for stream in participant.streams {
            put_stream(known, stream, events);
        }
        self.set_role(&uid, participant.role, events);
        self.set_presence(&uid, participant.state, events);
    }

    fn remove(&mut self, uid: &Uid, reason: LeaveReason, events: &mut Vec<Event>) {
        if let Some(mut other) = self.others.remove(uid) {
            for stream in kinds(&other) {
                end_stream(&mut other, stream, events);
            }
            events.push(Event::ParticipantLeft { uid: other.uid, reason });
        }
    }

    fn set_presence(&mut self, uid: &Uid, presence: Presence, events: &mut Vec<Event>) {
        if let Some(other) = self.others.get_mut(uid).filter(|other| other.state != presence) {
            other.state = presence;
            events.push(Event::ParticipantPresence { uid: other.uid.clone(), presence });
        }
    }

    fn set_role(&mut self, uid: &Uid, role: Role, events: &mut Vec<Event>) {
        if let Some(other) = self.others.get_mut(uid).filter(|other| other.role != role) {
            other.role = role;
            events.push(Event::RoleChanged { uid: other.uid.clone(), role });
        }
    }

    fn change_stream(
        &mut self,
        uid: &UserId,
        stream: StreamKind,
        events: &mut Vec<Event>,
        change: impl FnOnce(&mut StreamInfo),
    ) {
        let Some(other) = self.others.get_mut(uid.uid()) else { return };
        let Some(known) = other.streams.iter().find(|known| known.stream == stream) else { return };
        let mut info = known.clone();
        change(&mut info);
        put_stream(other, info, events);
    }

    fn set_attribute(&mut self, key: String, value: Option<String>, events: &mut Vec<Event>) {
        if self.attributes.get(&key) != value.as_ref() {
            set(&mut self.attributes, key.clone(), value.clone());
            events.push(Event::RoomAttribute { key, value });
        }
    }
}

fn kinds(participant: &ParticipantInfo) -> Vec<StreamKind> {
    participant.streams.iter().map(|stream| stream.stream).collect()
}

fn put_stream(participant: &mut ParticipantInfo, info: StreamInfo, events: &mut Vec<Event>) {
    let uid = participant.uid.clone();
    match participant.streams.iter_mut().find(|known| known.stream == info.stream) {
        Some(known) if *known == info => {}
        Some(known) => {
            known.clone_from(&info);
            events.push(Event::StreamChanged { uid, stream: info });
        }
        None => {
            participant.streams.push(info.clone());
            events.push(Event::StreamPublished { uid, stream: info });
        }
    }
}

fn end_stream(participant: &mut ParticipantInfo, stream: StreamKind, events: &mut Vec<Event>) {
    let before = participant.streams.len();
    participant.streams.retain(|known| known.stream != stream);
    if participant.streams.len() < before {
        events.push(Event::StreamUnpublished { uid: participant.uid.clone(), stream });
    }
}

fn track(info: &mut StreamInfo, kind: MediaKind) -> &mut TrackState {
    match kind {
        MediaKind::Audio => &mut info.audio,
        MediaKind::Video => &mut info.video,
    }
}

fn set(attributes: &mut Attributes, key: String, value: Option<String>) {
    match value {
        Some(value) => attributes.insert(key, value),
        None => attributes.remove(&key),
    };
}
