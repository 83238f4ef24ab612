use super::refusal::AttributeLimit;
use super::room::Charge;
use super::{
    MAX_ATTRIBUTE_KEY_BYTES, MAX_ATTRIBUTE_VALUE_BYTES, MAX_CONTENT_BYTES, MAX_ROOM_ATTRIBUTES,
    MAX_STREAM_ATTRIBUTES, Now, Refusal, Room, Seat,
};
use crate::signal::{Attributes, Content, Event};
use crate::{Role, StreamKind, Uid};

impl Room {
    /// Sends text or bytes to one participant or to all others.
    ///
    /// Returns the number of the message.
    ///
    /// # Errors
    ///
    /// If it is too long, comes too soon after others, or its receiver is not in the room.
    pub fn send_message(
        &mut self,
        seat: &Seat,
        to: Option<&Uid>,
        content: Content,
        now: Now,
    ) -> Result<u64, Refusal> {
        let from = self.seated(seat)?.id.clone();
        if content.len() > MAX_CONTENT_BYTES {
            return Err(Refusal::ContentTooLarge { bytes: content.len() });
        }
        if let Some(to) = to
            && self.participants.get(to).is_none_or(|receiver| receiver.link.session().is_none())
        {
            return Err(Refusal::NoSuchParticipant(to.clone()));
        }
        self.charge(seat, Charge::Talk, now.instant)?;
        self.messages += 1;
        let message_id = self.messages;
        let event = Event::Message { message_id, from, private: to.is_some(), at: now.unix, content };
        match to {
            Some(to) => self.tell(to, &event),
            None => self.broadcast(&event, Some(&seat.uid)),
        }
        Ok(message_id)
    }

    /// Sets or removes an attribute of the room. Everybody is told, who asks too.
    ///
    /// # Errors
    ///
    /// If the participant is neither host nor admin, a bound is exceeded, or it is done too often.
    pub fn set_room_attribute(
        &mut self,
        seat: &Seat,
        key: String,
        value: Option<String>,
        now: Now,
    ) -> Result<(), Refusal> {
        let participant = self.seated(seat)?;
        if participant.role != Role::Host && !participant.pass.is_admin() {
            return Err(Refusal::NotHost);
        }
        let by = participant.id.clone();
        check_change(&self.attributes, &key, value.as_deref(), MAX_ROOM_ATTRIBUTES, AttributeLimit::Room)?;
        self.charge(seat, Charge::Talk, now.instant)?;
        change(&mut self.attributes, &key, value.as_ref());
        let event = Event::RoomAttribute { key, value, by, at: now.unix };
        self.broadcast(&event, None);
        Ok(())
    }

    /// Sets or removes an attribute of a stream of one's own.
    ///
    /// # Errors
    ///
    /// If there is no such stream, a bound is exceeded, or it is done too often.
    pub fn set_stream_attribute(
        &mut self,
        seat: &Seat,
        kind: StreamKind,
        key: String,
        value: Option<String>,
        now: Now,
    ) -> Result<(), Refusal> {
        let stream = self.seated(seat)?.streams.get(&kind).ok_or(Refusal::NotPublished(kind))?;
        let limit = AttributeLimit::Stream;
        check_change(&stream.attributes, &key, value.as_deref(), MAX_STREAM_ATTRIBUTES, limit)?;
        self.charge(seat, Charge::Talk, now.instant)?;
        let participant = self.seated_mut(seat)?;
        if let Some(stream) = participant.streams.get_mut(&kind) {
            change(&mut stream.attributes, &key, value.as_ref());
        }
        let event = Event::StreamAttribute { uid: participant.id.clone(), stream: kind, key, value };
        self.broadcast(&event, Some(&seat.uid));
        Ok(())
    }
}

fn change(attributes: &mut Attributes, key: &str, value: Option<&String>) {
    match value {
        Some(value) => attributes.insert(key.to_owned(), value.clone()),
        None => attributes.remove(key),
    };
}

fn check_change(
    attributes: &Attributes,
    key: &str,
    value: Option<&str>,
    most: usize,
    too_many: AttributeLimit,
) -> Result<(), AttributeLimit> {
    check_attribute(key, value.unwrap_or_default())?;
    if value.is_some() && attributes.len() >= most && !attributes.contains_key(key) {
        return Err(too_many);
    }
    Ok(())
}

const fn check_attribute(key: &str, value: &str) -> Result<(), AttributeLimit> {
    if key.is_empty() || key.len() > MAX_ATTRIBUTE_KEY_BYTES {
        return Err(AttributeLimit::Key);
    }
    if value.len() > MAX_ATTRIBUTE_VALUE_BYTES {
        return Err(AttributeLimit::Value);
    }
    Ok(())
}

/// The attributes that a stream is published with.
pub(crate) fn check_attributes(attributes: &Attributes) -> Result<(), AttributeLimit> {
    if attributes.len() > MAX_STREAM_ATTRIBUTES {
        return Err(AttributeLimit::Stream);
    }
    attributes.iter().try_for_each(|(key, value)| check_attribute(key, value))
}
