//! The threads that mixes are made on, block after block.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use queqiao_media::time::StreamTime;
use queqiao_mix::{block_time, blocks_in};
use tracing::{error, info, warn};

use super::RoomMix;
use super::desk::{Desk, Tick};
use crate::hub::HubError;

/// Blocks that a thread may be late before it leaves some out: a machine that stood still must not play them all at once.
const MAX_LATE: u64 = 10;

/// How long before a block is made publishers are read whom nothing but the mix hears: a millisecond by which timers are late,
/// and one for the reading.
const INPUT_LEAD: Duration = Duration::from_millis(2);

struct Thread {
    rooms_to_mix: Sender<Weak<RoomMix>>,
    rooms: Arc<AtomicUsize>,
}

/// The threads. They are started with the first rooms, and wait without a room. All make their blocks at the same times, so
/// that others can be ready for them.
pub(in crate::hub) struct Clock {
    epoch: Instant,
    threads: Mutex<Vec<Thread>>,
    max_threads: usize,
}

impl Clock {
    /// No more threads than that.
    pub(in crate::hub) fn new(max_threads: usize) -> Self {
        Self { epoch: Instant::now(), threads: Mutex::default(), max_threads: max_threads.max(1) }
    }

    /// When sound has to be there for the block that is made next, if it has not been made ready for it by `now`.
    pub(in crate::hub) fn next_input(&self, now: Instant) -> Instant {
        // Times of blocks are rounded to microseconds, and none is to come twice.
        let ready = now + INPUT_LEAD + Duration::from_micros(1);
        let next = blocks_in(StreamTime::from_duration(ready - self.epoch)) + 1;
        self.epoch + block_time(next).to_duration() - INPUT_LEAD
    }

    /// Mixes a room from the next block on, until nobody holds it.
    pub(super) fn open(&self, room: Weak<RoomMix>) -> Result<(), HubError> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = threads.iter().any(|thread| thread.rooms.load(Ordering::Acquire) == 0);
        if !idle && threads.len() < self.max_threads {
            let (rooms_to_mix, receiver) = channel();
            let rooms = Arc::<AtomicUsize>::default();
            let (epoch, count) = (self.epoch, Arc::clone(&rooms));
            std::thread::Builder::new()
                .name(format!("mix-{}", threads.len()))
                .spawn(move || run(epoch, &receiver, &count))
                .map_err(|_| HubError::NoMix)?;
            threads.push(Thread { rooms_to_mix, rooms });
        }
        let thread = threads.iter().min_by_key(|thread| thread.rooms.load(Ordering::Acquire));
        let thread = thread.ok_or(HubError::NoMix)?;
        thread.rooms.fetch_add(1, Ordering::AcqRel);
        thread.rooms_to_mix.send(room).map_err(|_| HubError::NoMix)
    }
}

/// A desk for a room, which may be gone already. Made here, because encoders take a while to open.
fn open_desk(room: &Weak<RoomMix>, rooms: &AtomicUsize) -> Option<Desk> {
    let desk = room.upgrade().and_then(|room| match Desk::new(&room) {
        Ok(desk) => Some(desk),
        Err(error) => {
            warn!(%error, "a room is not mixed");
            None
        }
    });
    if desk.is_none() {
        rooms.fetch_sub(1, Ordering::AcqRel);
    }
    desk
}

fn run(epoch: Instant, new: &Receiver<Weak<RoomMix>>, rooms: &AtomicUsize) {
    let mut desks = Vec::new();
    let mut block = 0_u64;
    loop {
        if desks.is_empty() {
            let Ok(room) = new.recv() else { return };
            desks.extend(open_desk(&room, rooms));
            block = blocks_in(StreamTime::from_duration(epoch.elapsed()));
        }
        desks.extend(new.try_iter().filter_map(|room| open_desk(&room, rooms)));
        block += 1;
        let due = epoch + block_time(block).to_duration();
        let now = Instant::now();
        std::thread::sleep(due.saturating_duration_since(now));
        let skipped = late_blocks(now.saturating_duration_since(due));
        if skipped > 0 {
            warn!(blocks = skipped, rooms = desks.len(), "mixer late: blocks left out");
            block += skipped;
        }
        desks.retain_mut(|desk| {
            let tick = catch_unwind(AssertUnwindSafe(|| desk.tick(Instant::now(), skipped)));
            let goes_on = match tick {
                Ok(Tick::Done) => true,
                Ok(Tick::RoomGone) => {
                    info!(room = %desk.room(), "mix ended");
                    false
                }
                Err(_) => {
                    error!(room = %desk.room(), "a mixer panicked and was ended");
                    false
                }
            };
            if !goes_on {
                rooms.fetch_sub(1, Ordering::AcqRel);
            }
            goes_on
        });
    }
}

/// How many blocks to leave out: none while what is late can be made up for.
fn late_blocks(late: Duration) -> u64 {
    let late = blocks_in(StreamTime::from_duration(late));
    if late > MAX_LATE { late } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_made_ready_for_every_block_once_and_before_it() {
        let clock = Clock::new(1);
        let mut now = clock.epoch + Duration::from_millis(3);
        for block in 1..2_000 {
            let at = clock.next_input(now);
            let made = clock.epoch + block_time(block).to_duration();
            assert_eq!(made - at, INPUT_LEAD, "block {block}");
            now = at + Duration::from_micros(block % 900);
        }
    }

    #[test]
    fn few_late_blocks_are_made_up_for_and_many_are_left_out() {
        let late = |blocks: u64| late_blocks(block_time(blocks).to_duration() + Duration::from_millis(1));
        assert_eq!((late(0), late(MAX_LATE), late(MAX_LATE + 1)), (0, 0, MAX_LATE + 1));
    }
}
