use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::time::Instant;

use super::{Effect, Limits, Now, Refusal, Resumed, Room, RoomKey};
use crate::machine::ConnectionId;
use crate::signal::SessionId;

/// The rooms of a server. A room exists while somebody is in it or kept out of it.
#[derive(Debug)]
pub struct Rooms {
    limits: Limits,
    rooms: BTreeMap<RoomKey, Entry>,
    serials: BTreeMap<u64, RoomKey>,
    timers: BTreeSet<(Instant, RoomKey)>,
    next_serial: u64,
    effects: VecDeque<(RoomKey, Effect)>,
}

#[derive(Debug)]
struct Entry {
    room: Room,
    timer: Option<Instant>,
}

impl Rooms {
    /// No rooms yet.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            rooms: BTreeMap::new(),
            serials: BTreeMap::new(),
            timers: BTreeSet::new(),
            next_serial: 1,
            effects: VecDeque::new(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// All rooms, by address.
    pub fn iter(&self) -> impl Iterator<Item = &Room> + '_ {
        self.rooms.values().map(|entry| &entry.room)
    }

    /// The rooms whose address comes after this one, by address; all if there is none.
    pub fn iter_after(&self, key: Option<&RoomKey>) -> impl Iterator<Item = &Room> + '_ {
        let start = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.rooms.range::<RoomKey, _>((start, Bound::Unbounded)).map(|(_, entry)| &entry.room)
    }

    /// One room.
    #[must_use]
    pub fn get(&self, key: &RoomKey) -> Option<&Room> {
        self.rooms.get(key).map(|entry| &entry.room)
    }

    /// Does something in a room, which is made if it is not there, and collects its effects.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooManyRooms`] if it is not there and no more may be made, and whatever `operation` refuses.
    pub fn enter<T>(
        &mut self,
        key: &RoomKey,
        operation: impl FnOnce(&mut Room) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if !self.rooms.contains_key(key) {
            let limit = self.limits.max_rooms;
            if self.rooms.len() >= limit {
                return Err(Refusal::TooManyRooms { limit });
            }
            let room = Room::new(key.clone(), self.next_serial, self.limits);
            self.serials.insert(self.next_serial, key.clone());
            self.next_serial += 1;
            self.rooms.insert(key.clone(), Entry { room, timer: None });
        }
        self.within(key, operation).unwrap_or(Err(Refusal::NotJoined))
    }

    /// Does something in a room that is there, and collects its effects.
    pub fn within<T>(&mut self, key: &RoomKey, operation: impl FnOnce(&mut Room) -> T) -> Option<T> {
        let entry = self.rooms.get_mut(key)?;
        let result = operation(&mut entry.room);
        while let Some(effect) = entry.room.poll_effect() {
            self.effects.push_back((key.clone(), effect));
        }
        let timer = entry.room.poll_timeout();
        if timer != entry.timer {
            if let Some(at) = entry.timer {
                self.timers.remove(&(at, key.clone()));
            }
            if let Some(at) = timer {
                self.timers.insert((at, key.clone()));
            }
            entry.timer = timer;
        }
        if entry.room.is_vacant() {
            self.serials.remove(&entry.room.serial);
            self.rooms.remove(key);
        }
        Some(result)
    }

    /// Takes up a session, wherever it is.
    ///
    /// # Errors
    ///
    /// [`Refusal::ResumeImpossible`] if there is no such session or what was missed is forgotten.
    pub fn resume(
        &mut self,
        session: &SessionId,
        last_seq: u64,
        connection: ConnectionId,
    ) -> Result<(RoomKey, Resumed), Refusal> {
        let key = self.serials.get(&session.room).cloned().ok_or(Refusal::ResumeImpossible)?;
        let resumed = self.within(&key, |room| room.resume(session, last_seq, connection));
        Ok((key, resumed.unwrap_or(Err(Refusal::ResumeImpossible))?))
    }

    /// The next thing to do, and in which room. To be asked until there is none after every operation.
    pub fn poll_effect(&mut self) -> Option<(RoomKey, Effect)> {
        self.effects.pop_front()
    }

    /// When to call [`Rooms::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Does what time alone does, in the rooms in which something is due.
    pub fn handle_timeout(&mut self, now: Now) {
        let due: Vec<RoomKey> =
            self.timers.iter().take_while(|(at, _)| *at <= now.instant).map(|(_, key)| key.clone()).collect();
        for key in due {
            self.within(&key, |room| room.handle_timeout(now));
        }
    }
}
