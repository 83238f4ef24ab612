//! WebRTC: ICE-lite, DTLS-SRTP and RTP through str0m, on one thread per core and one UDP port.

mod directory;
mod dtls;
mod egress;
mod ingest;
mod negotiate;
mod peer;
mod sessions;
mod socket;
mod worker;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::hub::{Hub, Seat};
use directory::{Directory, Inboxes, NewSession, Purpose, Route};
use negotiate::{Flow, Negotiator};

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
}

/// The WebRTC side of the server. Dropping it does not end it; [`Service::shutdown`] does.
pub(crate) struct Service {
    negotiator: Negotiator,
    directory: Arc<Directory>,
    inboxes: Inboxes,
    threads: std::sync::Mutex<Vec<std::thread::JoinHandle<()>>>,
    local: SocketAddr,
}

impl Service {
    /// Opens the port and starts the workers.
    pub(crate) fn start(config: &Config, hub: &Arc<Hub>) -> Result<Arc<Self>, Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if config.workers == 0 { cores } else { config.workers };
        let directory = Arc::new(Directory::new(config.max_sessions));
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
            threads: std::sync::Mutex::new(threads),
            local,
        }))
    }

    /// The UDP address in use.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Answers the offer of a peer that will publish.
    pub(crate) fn publish(&self, offer: &str, grant: queqiao_room::Grant) -> Result<Accepted, Error> {
        self.accept(offer, Flow::In, Purpose::Publish(grant))
    }

    /// Answers the offer of a peer that will play.
    pub(crate) fn play(&self, offer: &str, seat: Seat) -> Result<Accepted, Error> {
        self.accept(offer, Flow::Out, Purpose::Play(seat))
    }

    fn accept(&self, offer: &str, flow: Flow, purpose: Purpose) -> Result<Accepted, Error> {
        let negotiated = self.negotiator.accept(offer, flow, Instant::now())?;
        let id = SessionId::random();
        let etag = negotiated.credentials.ufrag.clone();
        let answer = negotiated.answer.clone();
        let session = NewSession { id: id.clone(), purpose, offer: offer.to_owned(), negotiated };
        self.directory.wait(session, Instant::now())?;
        Ok(Accepted { id, answer, etag })
    }

    /// Restarts ICE with the peer's new credentials. Returns the server's own, as a fragment and an entity tag.
    pub(crate) async fn restart_ice(
        &self,
        id: &SessionId,
        fragment: IceFragment,
    ) -> Result<(String, String), Error> {
        match self.directory.route(id).ok_or(Error::NoSuchSession)? {
            Route::Waiting => self.directory.restart_waiting(id, &fragment),
            Route::Worker(worker) => {
                let (reply, answer) = oneshot::channel();
                let inbox = self.inboxes.get(worker).ok_or(Error::NoSuchSession)?;
                inbox.send(directory::Command::RestartIce { id: id.clone(), fragment, reply });
                answer.await.map_err(|_| Error::NoSuchSession)?
            }
        }
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
            Route::Waiting => self.directory.remove(id),
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
