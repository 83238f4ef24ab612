//! WebRTC: ICE-lite, DTLS-SRTP and RTP through str0m, on one thread per core and one UDP port.

mod bandwidth;
mod control;
mod counters;
mod directory;
mod dtls;
mod egress;
mod ended;
mod feeds;
mod incoming;
mod ingest;
mod negotiate;
mod negotiation;
mod path;
mod peer;
mod redundancy;
mod repeats;
mod retransmission;
mod sections;
mod sessions;
mod simulcast;
mod smoothing;
mod socket;
mod thinning;
mod track;
mod wire;
mod worker;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_media::layers::LayerSet;
use queqiao_room::machine::RoomKey;
use queqiao_room::signal::{MediaKind, Tracks};
use queqiao_room::{Grant, StreamKey, StreamKind, Uid};
use tokio::sync::{mpsc, oneshot};
use tracing::info_span;

use crate::hub::{Hub, Seat};
use counters::Counters;
use directory::{Directory, Inboxes, NewSession, Route};
use negotiate::{Flow, Negotiator};
use peer::Peer;

pub(crate) use counters::Counts;
pub(crate) use directory::{IceFragment, SessionId};
pub(crate) use negotiate::MAX_SDP;

/// Why a session could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the offer is not valid SDP: {0}")]
    Sdp(String),
    #[error("the offer is larger than {MAX_SDP} bytes")]
    SdpTooLarge,
    #[error("no codec in common: video must be H.264 with packetization-mode 1, audio Opus")]
    NoCommonCodec,
    #[error("the offer has no audio or video that flows in this direction")]
    NoMedia,
    #[error("the server carries its limit of {limit} WebRTC sessions")]
    TooManySessions { limit: usize },
    #[error("another publisher took the stream of this session")]
    Replaced,
    #[error("there is no such session")]
    NoSuchSession,
    #[error("the answer is not for the open offer")]
    StaleRevision,
    #[error("the answer does not fit the offer: {0}")]
    Unfit(String),
    #[error("the ICE fragment lacks {0}")]
    Fragment(&'static str),
    #[error("no DTLS certificate could be made")]
    Certificate,
    #[error("the UDP port could not be opened: {0}")]
    Socket(#[from] std::io::Error),
}

/// How to run.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The UDP address.
    pub(crate) listen: SocketAddr,
    /// The addresses that peers are told, instead of those of the listening socket.
    pub(crate) public_ips: Vec<IpAddr>,
    /// Threads; one per core where it is 0.
    pub(crate) workers: usize,
    /// Sessions at most.
    pub(crate) max_sessions: usize,
}

/// An accepted session.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) id: SessionId,
    pub(crate) answer: String,
    /// Names the ICE generation (RFC 9725 section 4.3.1).
    pub(crate) etag: String,
    /// What flows.
    pub(crate) tracks: Tracks,
}

/// What a session tells of itself, in this order.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A signalled session offers. At most one offer is open at a time.
    Offer { session: SessionId, offer: Offer },
    /// The peer of a signalled session is to send these layers of a stream, and no others.
    Layers { session: SessionId, stream: StreamKind, layers: LayerSet },
    /// A session is over: nothing more will come of it.
    Ended { session: SessionId, ending: Ending },
}

/// An offer of a signalled session.
#[derive(Debug)]
pub(crate) struct Offer {
    /// Counts the offers of the session, from 1.
    pub(crate) revision: u64,
    pub(crate) sdp: String,
    /// What its sections carry; those that are not here carry nothing.
    pub(crate) sections: Vec<Carried>,
}

/// What a section carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) mid: String,
    pub(crate) stream: StreamKey,
    pub(crate) kind: MediaKind,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Its peer said goodbye, or the server closed it.
    Left,
    /// It broke, or never connected.
    Lost,
}

/// Where the notices of all sessions go. Without a bound of its own: a session has one open offer and one end, and the
/// number of sessions is limited.
pub(crate) type Notices = mpsc::UnboundedSender<Notice>;

/// Whose a signalled session is.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) room: RoomKey,
    pub(crate) uid: Uid,
}

/// What is to change in a signalled session.
pub(crate) enum Change {
    /// Take this stream in from the peer; again with other tracks to change them.
    Receive { grant: Grant, tracks: Tracks, layers: LayerSet },
    /// Take a stream of the peer's in no longer.
    StopReceiving(StreamKind),
    /// Send this stream to the peer; again with other tracks to change them.
    Send { seat: Seat, tracks: Tracks },
    /// Send a stream no longer.
    StopSending(StreamKey),
    /// Offer new ICE credentials.
    RestartIce,
}

/// The WebRTC side of the server. Dropping it does not end it; [`Service::shutdown`] does.
pub(crate) struct Service {
    negotiator: Negotiator,
    directory: Arc<Directory>,
    inboxes: Inboxes,
    notices: Notices,
    counters: Arc<Counters>,
    threads: std::sync::Mutex<Vec<std::thread::JoinHandle<()>>>,
    local: SocketAddr,
}

impl Service {
    /// Opens the port and starts the workers. What sessions tell goes to `notices`.
    pub(crate) fn start(config: &Config, hub: &Arc<Hub>, notices: Notices) -> Result<Arc<Self>, Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if config.workers == 0 { cores } else { config.workers };
        let directory = Arc::new(Directory::new(config.max_sessions));
        let counters = Arc::<Counters>::default();
        let mut sockets = vec![socket::Socket::bind(config.listen)?];
        let local = sockets.first().map_or(config.listen, socket::Socket::local);
        for _ in 1..count {
            sockets.push(socket::Socket::bind(local)?);
        }
        let candidates = candidates(local, &config.public_ips)?;
        let advertised = candidates.first().copied().unwrap_or(local);
        let mut workers = Vec::new();
        for (index, socket) in sockets.into_iter().enumerate() {
            workers.push(worker::Worker::new(
                index,
                socket,
                advertised,
                Arc::clone(&directory),
                Arc::clone(hub),
                Arc::clone(&counters),
            )?);
        }
        let inboxes: Inboxes = workers.iter().map(worker::Worker::inbox).collect();
        let threads = workers
            .into_iter()
            .enumerate()
            .map(|(index, worker)| {
                let inboxes = Arc::clone(&inboxes);
                std::thread::Builder::new().name(format!("rtc-{index}")).spawn(move || worker.run(&inboxes))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Self {
            negotiator: Negotiator::new(candidates)?,
            directory,
            inboxes,
            notices,
            counters,
            threads: std::sync::Mutex::new(threads),
            local,
        }))
    }

    /// The UDP address in use.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// How many sessions there are, those that wait for their peer included.
    pub(crate) fn sessions(&self) -> usize {
        self.directory.len()
    }

    /// What has been counted of all viewers.
    pub(crate) fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Answers the offer of a peer that will publish.
    pub(crate) fn publish(&self, offer: &str, grant: Grant) -> Result<Accepted, Error> {
        let span = info_span!("publisher", protocol = "webrtc", stream = %grant.stream());
        self.accept(offer, Flow::In, span, |peer| peer.receive_stream(grant))
    }

    /// Answers the offer of a peer that will play.
    pub(crate) fn play(&self, offer: &str, seat: Seat) -> Result<Accepted, Error> {
        let span = info_span!("player", protocol = "webrtc", stream = %seat.stream().key());
        self.accept(offer, Flow::Out, span, |peer| peer.send_stream(seat, Instant::now()))
    }

    fn accept(
        &self,
        offer: &str,
        flow: Flow,
        span: tracing::Span,
        carry: impl FnOnce(&mut Peer),
    ) -> Result<Accepted, Error> {
        let now = Instant::now();
        let negotiated = self.negotiator.accept(offer, flow, now)?;
        let tracks =
            Tracks::new(negotiated.audio.is_some(), negotiated.video.is_some()).ok_or(Error::NoMedia)?;
        let id = SessionId::random();
        let (etag, answer) = (negotiated.credentials.ufrag.clone(), negotiated.answer.clone());
        let mut peer = Peer::answering(id.clone(), negotiated, offer.to_owned(), self.notices.clone(), now);
        carry(&mut peer);
        self.directory.wait(NewSession { peer, span }, &etag, now)?;
        Ok(Accepted { id, answer, etag, tracks })
    }

    /// A session to which the server offers. It has no media yet: its first change makes the first offer.
    pub(crate) fn open(&self, owner: &Owner) -> Result<SessionId, Error> {
        let now = Instant::now();
        let mut rtc = self.negotiator.offerer(now)?;
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        let id = SessionId::random();
        let Owner { room: RoomKey { app, room }, uid } = owner;
        let span = info_span!("participant", protocol = "webrtc", room = %format_args!("{app}/{room}"), %uid);
        let peer = Peer::offering(id.clone(), rtc, self.notices.clone(), now);
        self.directory.wait(NewSession { peer, span }, &ufrag, now)?;
        Ok(id)
    }

    /// Changes what a signalled session carries. Does not wait: the offer that follows comes as a notice.
    pub(crate) fn change(&self, id: &SessionId, change: Change) -> Result<(), Error> {
        match self.directory.route(id).ok_or(Error::NoSuchSession)? {
            Route::Waiting(mut waiting) => {
                let ufrag = waiting.peer()?.change(change, Instant::now())?;
                waiting.add_ufrag(ufrag.as_deref());
                Ok(())
            }
            Route::Worker(worker) => {
                let inbox = self.inboxes.get(worker).ok_or(Error::NoSuchSession)?;
                inbox.send(directory::Command::Change { id: id.clone(), change });
                Ok(())
            }
        }
    }

    /// Takes the answer to the open offer of a signalled session.
    pub(crate) async fn answer(&self, id: &SessionId, revision: u64, sdp: String) -> Result<(), Error> {
        let answer = {
            match self.directory.route(id).ok_or(Error::NoSuchSession)? {
                Route::Waiting(mut waiting) => {
                    let ufrag = waiting.peer()?.answer(revision, &sdp, Instant::now())?;
                    waiting.add_ufrag(ufrag.as_deref());
                    return Ok(());
                }
                Route::Worker(worker) => {
                    let (reply, answer) = oneshot::channel();
                    let inbox = self.inboxes.get(worker).ok_or(Error::NoSuchSession)?;
                    inbox.send(directory::Command::Answer { id: id.clone(), revision, sdp, reply });
                    answer
                }
            }
        };
        answer.await.map_err(|_| Error::NoSuchSession)?
    }

    /// Restarts ICE with the peer's new credentials. Returns the server's own, as a fragment and an entity tag.
    pub(crate) async fn restart_ice(
        &self,
        id: &SessionId,
        fragment: IceFragment,
    ) -> Result<(String, String), Error> {
        let answer = {
            match self.directory.route(id).ok_or(Error::NoSuchSession)? {
                Route::Waiting(mut waiting) => {
                    let (fragment, etag) = waiting.peer()?.restart_ice(&fragment)?;
                    waiting.add_ufrag(Some(&etag));
                    return Ok((fragment, etag));
                }
                Route::Worker(worker) => {
                    let (reply, answer) = oneshot::channel();
                    let inbox = self.inboxes.get(worker).ok_or(Error::NoSuchSession)?;
                    inbox.send(directory::Command::RestartIce { id: id.clone(), fragment, reply });
                    answer
                }
            }
        };
        answer.await.map_err(|_| Error::NoSuchSession)?
    }

    /// The entity tag of a session's ICE generation.
    pub(crate) fn etag(&self, id: &SessionId) -> Result<String, Error> {
        self.directory.etag(id).ok_or_else(|| {
            if self.directory.was_replaced(id) { Error::Replaced } else { Error::NoSuchSession }
        })
    }

    /// Ends a session.
    pub(crate) fn close(&self, id: &SessionId) -> Result<(), Error> {
        match self.directory.route(id).ok_or(Error::NoSuchSession)? {
            Route::Waiting(waiting) => waiting.remove(),
            Route::Worker(worker) => {
                if let Some(inbox) = self.inboxes.get(worker) {
                    inbox.send(directory::Command::Close(id.clone()));
                }
            }
        }
        Ok(())
    }

    /// Ends every session properly and the threads with them. Blocks until done, a few milliseconds.
    pub(crate) fn shutdown(&self) {
        for inbox in self.inboxes.iter() {
            inbox.send(directory::Command::Shutdown);
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// Answers an offer and forgets the session: the entry of the fuzz harness.
pub(crate) fn fuzz_offer(offer: &str, publishes: bool, now: Instant) {
    static NEGOTIATOR: std::sync::LazyLock<Option<Negotiator>> =
        std::sync::LazyLock::new(|| Negotiator::new(vec![SocketAddr::from(([127, 0, 0, 1], 7800))]).ok());
    let flow = if publishes { Flow::In } else { Flow::Out };
    if let Some(negotiator) = &*NEGOTIATOR {
        let _ = negotiator.accept(offer, flow, now);
    }
}

/// How long a session may wait for its first STUN request.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an offer may be open: as long as a participant may be away, and some more.
const OFFER_TIMEOUT: Duration = Duration::from_secs(30);

/// The addresses to offer to peers for a socket bound to `local`.
fn candidates(local: SocketAddr, public_ips: &[IpAddr]) -> Result<Vec<SocketAddr>, Error> {
    if !public_ips.is_empty() {
        return Ok(public_ips.iter().map(|&ip| SocketAddr::new(ip, local.port())).collect());
    }
    if !local.ip().is_unspecified() {
        return Ok(vec![local]);
    }
    // The address that a packet to the outside would leave from; connecting UDP sends nothing.
    let probe = UdpSocket::bind((local.ip(), 0))?;
    let outside: IpAddr =
        if local.is_ipv4() { [192, 0, 2, 1].into() } else { [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into() };
    let ip = match probe.connect((outside, 9)).and_then(|()| probe.local_addr()) {
        Ok(address) => address.ip(),
        Err(_) if local.is_ipv4() => IpAddr::from([127, 0, 0, 1]),
        Err(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    };
    Ok(vec![SocketAddr::new(ip, local.port())])
}
