//! The tasks: one that hands events out, and one for each endpoint.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use queqiao_room::{AppId, Secret};
use rand::Rng;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info_span, warn};

use super::event::{Event, EventName};
use super::post::{ClientError, Poster};
use super::queue::{Counts, Next, Pushed, Queue, Verdict};
use crate::config::WebhookUrl;
use crate::rooms::HookEvent;
use crate::signal::unix_now;

/// How long the end of the server waits for events that are still to be told.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Where one endpoint is and what it wants to know.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Its address.
    pub(crate) url: WebhookUrl,
    /// What signs.
    pub(crate) secret: Secret,
    /// Whose events; those of all apps if empty.
    pub(crate) apps: Vec<AppId>,
    /// Which; all if empty.
    pub(crate) events: Vec<EventName>,
}

impl Settings {
    fn wants(&self, event: &Event) -> bool {
        (self.apps.is_empty() || self.apps.contains(&event.app))
            && (self.events.is_empty() || self.events.contains(&event.name))
    }
}

/// An endpoint and what waits for it.
pub(crate) struct Endpoint {
    settings: Settings,
    queue: Mutex<Queue>,
    pushed: Notify,
}

impl Endpoint {
    /// How its log lines and metrics name it: its address without what could be secret.
    pub(crate) fn name(&self) -> String {
        self.settings.url.to_string()
    }

    /// What has become of its events.
    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts()
    }

    /// Events that are not delivered yet.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().len()
    }

    /// A queue is whole between two of its operations.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: &Event) {
        let pushed = self.lock().push(random_id(), event.body.clone(), Instant::now());
        self.pushed.notify_one();
        if pushed == (Pushed::DroppedOldest { first: true }) {
            warn!(endpoint = %self.settings.url, "webhooks are dropped: too many wait for this endpoint");
        }
    }

    /// Sends what is pushed. After the `last` event, sends what there is and ends, at a failure at the latest.
    async fn run(self: Arc<Self>, poster: Poster, last: CancellationToken) {
        loop {
            let next = self.lock().next(Instant::now());
            match next {
                Next::Idle | Next::Wait(_) if last.is_cancelled() => return,
                Next::Idle => tokio::select! {
                    () = self.pushed.notified() => {}
                    () = last.cancelled() => {}
                },
                Next::Wait(at) => tokio::select! {
                    () = tokio::time::sleep_until(at.into()) => {}
                    () = last.cancelled() => return,
                },
                Next::Send(delivery) => {
                    let Settings { url, secret, .. } = &self.settings;
                    match poster.post(url.uri(), secret, &delivery, unix_now()).await {
                        Ok(()) => self.lock().succeeded(),
                        Err(error) => {
                            let (id, attempt) = (&delivery.id, delivery.attempt);
                            let verdict = self.lock().failed(Instant::now(), rand::rng().random());
                            match verdict {
                                Verdict::Again { after } => {
                                    debug!(delivery = %id, attempt, %error, ?after, "a webhook was not taken");
                                }
                                Verdict::GivenUp => {
                                    warn!(delivery = %id, attempt, %error, "a webhook was given up");
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The webhooks of a running server.
pub(crate) struct Webhooks {
    endpoints: Arc<[Arc<Endpoint>]>,
    tasks: JoinSet<()>,
    closing: CancellationToken,
}

impl Webhooks {
    /// Tells `endpoints` of what comes out of `events` from now on. Needs a runtime.
    pub(crate) fn start(
        endpoints: Vec<Settings>,
        events: mpsc::Receiver<HookEvent>,
    ) -> Result<Self, ClientError> {
        let poster = Poster::new(endpoints.iter().any(|settings| settings.url.is_https()))?;
        let endpoints: Arc<[Arc<Endpoint>]> = endpoints
            .into_iter()
            .map(|settings| Arc::new(Endpoint { settings, queue: Mutex::default(), pushed: Notify::new() }))
            .collect();
        let (mut tasks, closing) = (JoinSet::new(), CancellationToken::new());
        let last = CancellationToken::new();
        for endpoint in endpoints.iter() {
            let span = info_span!("webhook", endpoint = %endpoint.settings.url);
            tasks.spawn(Arc::clone(endpoint).run(poster.clone(), last.clone()).instrument(span));
        }
        tasks.spawn(hand_out(events, Arc::clone(&endpoints), closing.clone(), last));
        Ok(Self { endpoints, tasks, closing })
    }

    /// The endpoints, for whoever wants to know how they do.
    pub(crate) fn endpoints(&self) -> Arc<[Arc<Endpoint>]> {
        Arc::clone(&self.endpoints)
    }

    /// Tells what is still to be told, and ends.
    pub(crate) async fn finish(mut self) {
        self.closing.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FLUSH_TIMEOUT, all).await.is_err() {
            warn!("some webhooks were not delivered in time");
        }
    }
}

/// Gives every event to those who want it. Once `closing`, those that are there are the last.
async fn hand_out(
    mut events: mpsc::Receiver<HookEvent>,
    endpoints: Arc<[Arc<Endpoint>]>,
    closing: CancellationToken,
    last: CancellationToken,
) {
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => tell(&endpoints, &event),
                None => break,
            },
            () = closing.cancelled() => break,
        }
    }
    last.cancel();
}

fn tell(endpoints: &[Arc<Endpoint>], HookEvent { room, hook, at }: &HookEvent) {
    let event = match Event::new(&random_id(), room, hook, *at) {
        Ok(event) => event,
        Err(error) => {
            warn!(%error, "an event could not be put into words");
            return;
        }
    };
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.settings.wants(&event)) {
        endpoint.push(&event);
    }
}

/// Tells an event, or one of its deliveries, from all others: 128 random bits.
fn random_id() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}
