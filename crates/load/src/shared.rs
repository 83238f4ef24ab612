//! What the participants of a run share.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use queqiao_room::Uid;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::histogram::Histogram;
use crate::media::Media;
use crate::plan::Plan;
use crate::tally::Received;
use crate::window::Window;

/// Everything of one run.
pub(crate) struct Shared {
    /// `host:port` of HTTP.
    pub(crate) http: String,
    /// `host:port` of RTMP.
    pub(crate) rtmp: String,
    pub(crate) media: Arc<Media>,
    pub(crate) window: Arc<Window>,
    pub(crate) progress: Progress,
    pub(crate) measures: Mutex<Measures>,
    /// Streams of each participant that are always decrypted.
    pub(crate) measured_streams: usize,
    /// Lets so many participants in at the same time.
    pub(crate) joining: Semaphore,
    /// Tells everybody to leave.
    pub(crate) stop: CancellationToken,
}

impl Shared {
    pub(crate) fn measures(&self) -> MutexGuard<'_, Measures> {
        self.measures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One room, and what happened in it.
pub(crate) struct Room {
    pub(crate) plan: Plan,
    /// When each participant asked to publish. Bounded by the plan.
    published: Mutex<HashMap<Uid, Instant>>,
}

impl Room {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan, published: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uid, Instant>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn publishes(&self, uid: Uid, now: Instant) {
        self.lock().insert(uid, now);
    }

    /// How long ago `uid` asked to publish.
    pub(crate) fn since_publish(&self, uid: &Uid, now: Instant) -> Option<Duration> {
        self.lock().get(uid).map(|asked| now.saturating_duration_since(*asked))
    }
}

/// How far a run is.
#[derive(Default)]
pub(crate) struct Progress {
    /// Participants that were let in.
    pub(crate) joined: AtomicUsize,
    /// Participants that receive everything that they should.
    pub(crate) ready: AtomicUsize,
    /// Participants that failed.
    pub(crate) failed: AtomicUsize,
    /// Times that somebody was told of somebody who joined later.
    pub(crate) told: AtomicU64,
}

impl Progress {
    pub(crate) fn count(counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(counter: &AtomicUsize) -> usize {
        counter.load(Ordering::Relaxed)
    }
}

/// Everything that is measured as a distribution or a sum.
#[derive(Default)]
pub(crate) struct Measures {
    /// When the first join was asked for, and when the last was granted.
    pub(crate) joining: Option<(Instant, Instant)>,
    pub(crate) join: Histogram,
    /// From the request to publish to the event that another participant gets.
    pub(crate) publish_to_event: Histogram,
    /// From the offer to the end of the DTLS handshake.
    pub(crate) connect: Histogram,
    pub(crate) first_packet: Histogram,
    pub(crate) first_keyframe: Histogram,
    /// From the publisher to the WebRTC subscriber.
    pub(crate) delay: Histogram,
    pub(crate) rtmp_first_keyframe: Histogram,
    pub(crate) rtmp_delay: Histogram,
    /// RTP packets that publishers sent.
    pub(crate) sent: u64,
    /// Frames that RTMP publishers sent and players received.
    pub(crate) rtmp_sent: u64,
    pub(crate) rtmp_received: u64,
}

impl Measures {
    pub(crate) fn joined(&mut self, asked: Instant, now: Instant) {
        self.join.push(now.saturating_duration_since(asked));
        let (first, last) = self.joining.unwrap_or((asked, now));
        self.joining = Some((first.min(asked), last.max(now)));
    }
}

/// What became of one participant.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) received: Received,
    /// NACKs that it sent for the streams that it decrypts.
    pub(crate) nacks_sent: u64,
    /// NACKs that the server sent to it.
    pub(crate) nacks_received: u64,
    /// Streams that it receives.
    pub(crate) streams: u64,
    /// Those that it decrypts all the time.
    pub(crate) measured: u64,
    /// By reason.
    pub(crate) failures: BTreeMap<String, u64>,
}

impl Outcome {
    pub(crate) fn fail(&mut self, reason: &str, count: u64) {
        if count > 0 {
            *self.failures.entry(reason.to_owned()).or_default() += count;
        }
    }

    pub(crate) fn failed(error: &Error) -> Self {
        let mut outcome = Self::default();
        outcome.fail(&error.reason(), 1);
        outcome
    }
}
