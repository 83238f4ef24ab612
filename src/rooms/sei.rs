//! User data in pictures: between the words of signalling and the SEI messages of the hub.

use bytes::Bytes;
use queqiao_media::h264::sei::UserData;
use queqiao_room::StreamKey;
use queqiao_room::machine::RoomKey;
use queqiao_room::signal::{Content, SeiType};

use super::service::{RoomService, now};
use crate::hub::Heard;

/// Stands before what participants send in messages of type 5. Drawn at random, once for all servers.
const OWN_UUID: [u8; 16] =
    [0xb1, 0xf0, 0xc0, 0xd2, 0x5a, 0x5f, 0x4c, 0x0e, 0x9b, 0x4e, 0x9a, 0x7a, 0x3f, 0x6d, 0x1c, 0x58];

/// What participants are told to stand before what one of them sends, in hexadecimal digits.
pub(super) fn own_uuid(sei_type: SeiType) -> Option<String> {
    (sei_type == SeiType::Unregistered).then(|| digits(OWN_UUID))
}

fn digits(uuid: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(uuid))
}

impl RoomService {
    /// Puts what a participant sends into its pictures.
    pub(super) fn insert_sei(&self, stream: &StreamKey, sei_type: SeiType, content: &Content) {
        let data = Bytes::from(content.to_bytes());
        let data = match sei_type {
            SeiType::Unregistered => UserData::Unregistered { uuid: OWN_UUID, data },
            SeiType::Plain => UserData::Plain { data },
        };
        self.hub.insert_sei(stream, &data);
    }

    /// Tells what came in pictures. Once nobody listens any more, the hub need not look for it.
    pub(super) fn tell_sei(&self, heard: &Heard) {
        let Heard { stream, data } = heard;
        let kind = match data {
            UserData::Unregistered { uuid, .. } => (SeiType::Unregistered, Some(digits(*uuid))),
            UserData::Plain { .. } => (SeiType::Plain, None),
        };
        let room = RoomKey { app: stream.app.clone(), room: stream.room.clone() };
        let content = Content::from_bytes(data.data());
        let mut state = self.lock();
        let told = state.rooms.within(&room, |room| room.tell_sei(&stream.uid, stream.kind, kind, content));
        if told.unwrap_or_default() == 0 {
            self.hub.hear_sei(stream, false);
        }
        self.settle(&mut state, now());
    }
}
