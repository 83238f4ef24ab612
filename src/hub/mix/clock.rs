//! The threads that mixes are made on, block after block.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use queqiao_mix::block_time;
use tracing::{error, info, warn};

use super::RoomMix;
use super::desk::{Desk, Tick};
use crate::hub::HubError;

/// Blocks that a thread may be late before it leaves some out: a machine that stood still must not play them all at once.
const MAX_LATE: u64 = 10;

struct Thread {
    rooms_to_mix: Sender<Weak<RoomMix>>,
    rooms: Arc<AtomicUsize>,
}

/// The threads. They are started with the first rooms, and wait without a room.
pub(in crate::hub) struct Clock {
    threads: Mutex<Vec<Thread>>,
    max_threads: usize,
}

impl Clock {
    /// No more threads than that.
    pub(in crate::hub) fn new(max_threads: usize) -> Self {
        Self { threads: Mutex::default(), max_threads: max_threads.max(1) }
    }

    /// Mixes a room from the next block on, until nobody holds it.
    pub(super) fn open(&self, room: Weak<RoomMix>) -> Result<(), HubError> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = threads.iter().any(|thread| thread.rooms.load(Ordering::Acquire) == 0);
        if !idle && threads.len() < self.max_threads {
            let (rooms_to_mix, receiver) = channel();
            let rooms = Arc::<AtomicUsize>::default();
            let count = Arc::clone(&rooms);
            std::thread::Builder::new()
                .name(format!("mix-{}", threads.len()))
                .spawn(move || run(&receiver, &count))
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

fn run(new: &Receiver<Weak<RoomMix>>, rooms: &AtomicUsize) {
    let mut desks = Vec::new();
    let (mut start, mut block) = (Instant::now(), 0_u64);
    loop {
        if desks.is_empty() {
            let Ok(room) = new.recv() else { return };
            desks.extend(open_desk(&room, rooms));
            (start, block) = (Instant::now(), 0);
        }
        desks.extend(new.try_iter().filter_map(|room| open_desk(&room, rooms)));
        block += 1;
        let due = start + block_time(block).to_duration();
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
    let block = block_time(1).to_duration().as_micros().max(1);
    let blocks = u64::try_from(late.as_micros() / block).unwrap_or(u64::MAX);
    if blocks > MAX_LATE { blocks } else { 0 }
}
