//! The pool of threads that audio is transcoded on, so that neither sockets nor peers wait for a codec.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use queqiao_media::frame::{AacFrame, OpusPacket};
use queqiao_media::time::StreamTime;
use tracing::{debug, error};

/// Audio waiting for one thread. Some 20 s of one stream, or 100 ms of two hundred: beyond that the machine is
/// overloaded, and dropping is better than falling behind.
const QUEUE: usize = 1_024;

/// One frame to transcode.
pub(crate) enum Input {
    Aac(AacFrame),
    Opus(OpusPacket),
    /// No packet of Opus has come for the time up to this one.
    NothingUntil(StreamTime),
}

/// The transcoding of one track. Dropped on its own thread.
pub(crate) type Job = Box<dyn FnMut(Input) + Send>;

enum Message {
    Open(u64, Job),
    Input(u64, Input),
    Close(u64),
}

/// The pool.
#[derive(Clone)]
pub(crate) struct Pool {
    threads: Arc<[SyncSender<Message>]>,
    next_job: Arc<AtomicU64>,
}

impl Pool {
    /// Starts `threads` threads, at least one. They end when the last handle is gone.
    pub(crate) fn start(threads: usize) -> std::io::Result<Self> {
        let threads = (0..threads.max(1))
            .map(|index| {
                let (sender, receiver) = sync_channel(QUEUE);
                std::thread::Builder::new()
                    .name(format!("transcode-{index}"))
                    .spawn(move || run(&receiver))
                    .map(|_| sender)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { threads, next_job: Arc::new(AtomicU64::new(0)) })
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Gives `job` a thread for as long as the returned handle lives. `None` where every queue is full.
    pub(crate) fn open(&self, job: Job) -> Option<Handle> {
        let id = self.next_job.fetch_add(1, Ordering::Relaxed);
        let thread = usize::try_from(id).unwrap_or_default() % self.threads.len();
        let sender = self.threads.get(thread)?.clone();
        sender.try_send(Message::Open(id, job)).ok()?;
        Some(Handle { id, sender, dropped: 0 })
    }
}

/// A running transcoding. Dropping it ends it.
pub(crate) struct Handle {
    id: u64,
    sender: SyncSender<Message>,
    dropped: u64,
}

impl Handle {
    /// Queues one frame; drops and counts it where the thread is overloaded.
    pub(crate) fn push(&mut self, input: Input) {
        if self.sender.try_send(Message::Input(self.id, input)).is_err() {
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                debug!(dropped = self.dropped, "transcoder overloaded: audio dropped");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Closing must not be lost, or the job would live for ever. The thread always drains, so this is brief.
        let _ = self.sender.send(Message::Close(self.id));
    }
}

fn run(messages: &Receiver<Message>) {
    let mut jobs = HashMap::<u64, Job>::new();
    while let Ok(message) = messages.recv() {
        match message {
            Message::Open(id, job) => {
                jobs.insert(id, job);
            }
            Message::Input(id, input) => {
                if let Some(job) = jobs.get_mut(&id)
                    && catch_unwind(AssertUnwindSafe(|| job(input))).is_err()
                {
                    error!("a transcoder panicked and was ended");
                    jobs.remove(&id);
                }
            }
            Message::Close(id) => {
                jobs.remove(&id);
            }
        }
    }
}
