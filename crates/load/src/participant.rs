//! A WebRTC participant: joins by signalling, publishes a stream and receives those of others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use queqiao_media::layers::{Layer, LayerSet};
use queqiao_room::signal::{
    Attributes, Event, Join, JoinOk, MidInfo, Platform, Publish, Request, Subscribe, UserId, VERSION,
};
use queqiao_room::{Role, StreamKind, Uid};
use tokio::time::timeout;

use crate::Error;
use crate::media_session::MediaSession;
use crate::plan::web_uid;
use crate::shared::{Outcome, Progress, Room, Shared};
use crate::signalling::{Said, Signalling};

/// How long the server may take to let somebody in.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);

/// What a request was for.
#[derive(Debug)]
enum Asked {
    Join,
    Publish,
    Subscribe(Uid),
    Answer,
}

/// The participant.
struct Participant {
    shared: Arc<Shared>,
    room: Arc<Room>,
    uid: Uid,
    signalling: Signalling<Asked>,
    /// Streams that it has yet to see.
    wanted: HashSet<Uid>,
    media: MediaSession,
    ready: bool,
    outcome: Outcome,
}

/// Runs the participant with this number of its room until everybody is told to leave.
pub(crate) async fn run(shared: Arc<Shared>, room: Arc<Room>, number: u32, publishes: bool) -> Outcome {
    let stop = shared.stop.clone();
    let turn = shared.joining.acquire().await;
    let joining = timeout(JOIN_TIMEOUT, Participant::join(Arc::clone(&shared), room, number, publishes));
    let joined = joining.await.unwrap_or(Err(Error::TimedOut("join_timed_out")));
    drop(turn);
    let mut participant = match joined {
        Ok(participant) => participant,
        Err(error) => {
            Progress::count(&shared.progress.failed);
            return Outcome::failed(&error);
        }
    };
    let ended = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = participant.serve(publishes) => ended,
    };
    if let Err(error) = ended {
        Progress::count(&shared.progress.failed);
        participant.outcome.fail(&error.reason(), 1);
    }
    participant.finish().await
}

impl Participant {
    async fn join(shared: Arc<Shared>, room: Arc<Room>, number: u32, publishes: bool) -> Result<Self, Error> {
        let uid = web_uid(number)?;
        let role = if publishes { Role::Host } else { Role::Audience };
        let token = room.plan.token(&uid, role)?.map(queqiao_room::signal::Hidden);
        let wanted: Vec<Uid> = room.plan.wanted(number);
        let measured = wanted.iter().take(shared.measured_streams).cloned().collect();
        let server: SocketAddr = crate::http::resolve(&shared.http).await?;
        let mut signalling = Signalling::connect(&shared.http).await?;
        let join = Join {
            version: VERSION,
            app: room.plan.app.clone(),
            room: room.plan.room.clone(),
            uid: UserId::from(uid.clone()),
            token,
            role: Some(role),
            platform: Platform::Native,
            capabilities: Vec::new(),
        };
        signalling.request(Asked::Join, Request::Join(join)).await?;
        let (asked, ok) = loop {
            match signalling.next().await? {
                Said::Accepted(Asked::Join, asked, ok) => break (asked, ok),
                Said::Refused(_, error) => return Err(error),
                Said::Accepted(..) | Said::Event(_) => {}
            }
        };
        shared.measures().joined(asked, Instant::now());
        Progress::count(&shared.progress.joined);
        let ok: JoinOk = serde_json::from_value(ok)?;
        let media = MediaSession::new(Arc::clone(&shared), uid.clone(), number, server, measured);
        let wanted = wanted.into_iter().collect();
        let outcome = Outcome::default();
        let mut participant = Self { shared, room, uid, signalling, wanted, media, ready: false, outcome };
        for other in &ok.participants {
            for stream in &other.streams {
                participant.seen(other.uid.uid(), stream.stream).await?;
            }
        }
        Ok(participant)
    }

    async fn serve(&mut self, publishes: bool) -> Result<(), Error> {
        if publishes {
            let publish = Publish {
                stream: StreamKind::Camera,
                audio: true,
                video: true,
                layers: LayerSet::SINGLE,
                attributes: Attributes::default(),
            };
            self.room.publishes(self.uid.clone(), Instant::now());
            self.signalling.request(Asked::Publish, Request::Publish(publish)).await?;
        }
        loop {
            if !self.ready && self.wanted.is_empty() && self.media.is_complete(publishes) {
                self.ready = true;
                Progress::count(&self.shared.progress.ready);
            }
            tokio::select! {
                said = self.signalling.next() => self.heard(said?).await?,
                stepped = self.media.step() => stepped?,
            }
        }
    }

    async fn heard(&mut self, said: Said<Asked>) -> Result<(), Error> {
        match said {
            Said::Event(event) => self.event(event).await,
            Said::Accepted(..) => Ok(()),
            // A publisher may be gone by then.
            Said::Refused(Asked::Subscribe(uid), error) => {
                self.media.forget(&uid);
                self.outcome.fail(&error.reason(), 1);
                Ok(())
            }
            Said::Refused(_, error) => Err(error),
        }
    }

    async fn event(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::ParticipantJoined { participant } => {
                self.shared.progress.told.fetch_add(1, Ordering::Relaxed);
                for stream in &participant.streams {
                    self.seen(participant.uid.uid(), stream.stream).await?;
                }
                Ok(())
            }
            Event::StreamPublished { uid, info } => {
                if let Some(passed) = self.room.since_publish(uid.uid(), Instant::now()) {
                    self.shared.measures().publish_to_event.push(passed);
                }
                self.seen(uid.uid(), info.stream).await
            }
            Event::StreamUnpublished { uid, .. } | Event::ParticipantLeft { uid, .. } => {
                if self.media.forget(uid.uid()) && !self.shared.stop.is_cancelled() {
                    self.outcome.fail("stream_ended_early", 1);
                }
                Ok(())
            }
            Event::Offer { revision, sdp, mids } => self.offer(revision, &sdp.0, &mids).await,
            Event::SessionEnded { ended } => {
                let reason = serde_json::to_value(ended.reason)?;
                Err(Error::Ended(reason.as_str().unwrap_or_default().to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Somebody publishes a stream.
    async fn seen(&mut self, uid: &Uid, stream: StreamKind) -> Result<(), Error> {
        if stream != StreamKind::Camera || !self.wanted.remove(uid) {
            return Ok(());
        }
        self.media.subscribe(uid.clone(), Instant::now());
        let subscribe =
            Subscribe { uid: uid.clone(), stream, audio: true, video: true, max_layer: Layer::High };
        self.signalling.request(Asked::Subscribe(uid.clone()), Request::Subscribe(subscribe)).await
    }

    async fn offer(
        &mut self,
        revision: u64,
        sdp: &str,
        mids: &BTreeMap<String, MidInfo>,
    ) -> Result<(), Error> {
        let carried: HashMap<&str, _> =
            mids.iter().map(|(mid, info)| (mid.as_str(), (info.uid.uid(), info.kind))).collect();
        let answer = self.media.answer(sdp, &carried, Instant::now())?;
        let answer = Request::Answer { revision, sdp: queqiao_room::signal::Sdp(answer) };
        self.signalling.request(Asked::Answer, answer).await?;
        self.media.answered(Instant::now())
    }

    /// Leaves, and says what became of it.
    async fn finish(mut self) -> Outcome {
        let failed = !self.outcome.failures.is_empty();
        self.media.finish(&mut self.outcome, failed);
        if !failed {
            self.outcome.fail("stream_never_seen", self.wanted.len() as u64);
        }
        self.signalling.leave().await;
        self.outcome
    }
}
