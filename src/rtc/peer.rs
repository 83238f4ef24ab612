//! One WebRTC session: str0m's state machine with the media that goes in or out of it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use str0m::change::SdpOffer;
use str0m::ice::IceCreds;
use str0m::media::Mid;
use str0m::net::{Protocol, Receive};
use str0m::{Event, IceConnectionState, Input, Output, Rtc, RtcError};
use tracing::{debug, info};

use super::directory::{Command, IceFragment, Inbox, NewSession, Purpose, SessionId};
use super::egress::Egress;
use super::ingest::Ingest;
use super::socket::Socket;
use super::worker::Shared;
use super::{CONNECT_TIMEOUT, Error};
use crate::hub::{HubError, NativeForm, PublisherControl, RtpUnit, Stream};

/// Addresses one session may be reached from: Wi-Fi, mobile, IPv4, IPv6 and their changes.
const MAX_ADDRESSES: usize = 8;

/// How long a session may be without ICE before it ends. A phone that changes networks takes a few seconds.
const DISCONNECTED_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a session ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By DELETE.
    Requested,
    /// The peer closed it.
    ByPeer,
    /// Someone else publishes the stream now.
    Replaced,
    /// No DTLS handshake within [`CONNECT_TIMEOUT`].
    NeverConnected,
    /// No ICE check for [`DISCONNECTED_TIMEOUT`].
    Disconnected,
    /// The stream's video cannot go to WebRTC.
    ReferenceBPictures,
    Shutdown,
    Hub(HubError),
    Rtc(RtcError),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("closed by request"),
            Self::ByPeer => f.write_str("closed by the peer"),
            Self::Replaced => f.write_str("another publisher took the stream"),
            Self::NeverConnected => f.write_str("never connected"),
            Self::Disconnected => f.write_str("no ICE connectivity"),
            Self::ReferenceBPictures => {
                f.write_str("h264_reference_b_pictures: the video has B pictures that others refer to")
            }
            Self::Shutdown => f.write_str("the server is shutting down"),
            Self::Hub(error) => error.fmt(f),
            Self::Rtc(error) => error.fmt(f),
        }
    }
}

impl From<RtcError> for Ended {
    fn from(error: RtcError) -> Self {
        Self::Rtc(error)
    }
}

/// What the worker has to do after a step.
pub(super) enum Progress {
    Nothing,
    /// The session is connected and wants this stream.
    Join(Arc<Stream>),
}

enum Role {
    Connecting { purpose: Purpose, audio: Option<Mid>, video: Option<Mid>, deadline: Instant },
    Publishing(Ingest),
    Playing(Egress),
    Over,
}

/// The session.
pub(super) struct Peer {
    id: SessionId,
    rtc: Rtc,
    offer: String,
    role: Role,
    addresses: SmallVec<[SocketAddr; MAX_ADDRESSES]>,
    disconnected_since: Option<Instant>,
    rtc_timeout: Instant,
}

impl Peer {
    pub(super) fn new(session: NewSession, now: Instant) -> Self {
        let NewSession { id, purpose, offer, negotiated } = session;
        let deadline = now + CONNECT_TIMEOUT;
        let role = Role::Connecting { purpose, audio: negotiated.audio, video: negotiated.video, deadline };
        Self {
            id,
            rtc: negotiated.rtc,
            offer,
            role,
            addresses: SmallVec::new(),
            disconnected_since: None,
            rtc_timeout: now,
        }
    }

    pub(super) fn id(&self) -> &SessionId {
        &self.id
    }

    /// The addresses that the peer was heard from.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// When something is due without any input.
    pub(super) fn poll_timeout(&self) -> Instant {
        let mut due = self.rtc_timeout;
        match &self.role {
            Role::Connecting { deadline, .. } => due = due.min(*deadline),
            Role::Publishing(ingest) => due = ingest.poll_timeout().map_or(due, |at| due.min(at)),
            Role::Playing(_) | Role::Over => {}
        }
        if let Some(since) = self.disconnected_since {
            due = due.min(since + DISCONNECTED_TIMEOUT);
        }
        due
    }

    /// Remembers an address of the peer. Returns one that is forgotten for it.
    pub(super) fn learn_address(&mut self, source: SocketAddr) -> Option<SocketAddr> {
        let forgotten = (self.addresses.len() >= MAX_ADDRESSES).then(|| self.addresses.remove(0));
        self.addresses.push(source);
        forgotten
    }

    pub(super) fn receive(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        data: &[u8],
        now: Instant,
    ) -> Result<(), Ended> {
        let Ok(receive) = Receive::new(Protocol::Udp, source, destination, data) else {
            return Ok(());
        };
        let input = Input::Receive(now, receive);
        // Media and DTLS count only from addresses that ICE has checked: anyone can forge a source.
        if self.rtc.accepts(&input) {
            self.rtc.handle_input(input)?;
        }
        Ok(())
    }

    pub(super) fn timeout(&mut self, now: Instant) -> Result<(), Ended> {
        if self.disconnected_since.is_some_and(|since| now.duration_since(since) >= DISCONNECTED_TIMEOUT) {
            return Err(Ended::Disconnected);
        }
        match &mut self.role {
            Role::Connecting { deadline, .. } if *deadline <= now => return Err(Ended::NeverConnected),
            Role::Publishing(ingest) => ingest.timeout(now, &mut self.rtc),
            Role::Connecting { .. } | Role::Playing(_) | Role::Over => {}
        }
        Ok(self.rtc.handle_input(Input::Timeout(now))?)
    }

    pub(super) fn request_keyframe(&mut self, now: Instant) {
        if let Role::Publishing(ingest) = &mut self.role {
            ingest.request_keyframe(now, &mut self.rtc);
        }
    }

    /// Sends what a feed delivered.
    pub(super) fn write(&mut self, units: &[RtpUnit], now: Instant) -> Result<(), Ended> {
        if let Role::Playing(egress) = &mut self.role {
            egress.write(units, &mut self.rtc, now)?;
            self.rtc.handle_input(Input::Timeout(now))?;
        }
        Ok(())
    }

    /// Begins a viewer's stream, once its worker is subscribed to it.
    pub(super) fn start_playing(&mut self, now: Instant) {
        match std::mem::replace(&mut self.role, Role::Over) {
            Role::Connecting { purpose: Purpose::Play(seat), audio, video, .. } => {
                self.role = Role::Playing(Egress::new(seat, audio, video, &self.rtc, now));
            }
            role => self.role = role,
        }
    }

    /// Lets str0m speak until it has nothing left to say.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        socket: &mut Socket,
        shared: &Shared,
    ) -> Result<Progress, Ended> {
        let mut progress = Progress::Nothing;
        loop {
            match self.rtc.poll_output()? {
                Output::Transmit(transmit) => {
                    socket.send(transmit.source.ip(), transmit.destination, transmit.contents);
                }
                Output::Event(event) => {
                    if let Some(stream) = self.event(event, now, shared)? {
                        progress = Progress::Join(stream);
                    }
                }
                Output::Timeout(at) => {
                    self.rtc_timeout = at;
                    let caught_up = match &mut self.role {
                        Role::Playing(egress) => egress.catch_up(&mut self.rtc, now)?,
                        Role::Connecting { .. } | Role::Publishing(_) | Role::Over => false,
                    };
                    if !caught_up {
                        break;
                    }
                    self.rtc.handle_input(Input::Timeout(now))?;
                }
            }
        }
        if let Role::Publishing(ingest) = &self.role
            && ingest.is_replaced()
        {
            return Err(Ended::Replaced);
        }
        if !self.rtc.is_alive() {
            return Err(Ended::ByPeer);
        }
        Ok(progress)
    }

    fn event(&mut self, event: Event, now: Instant, shared: &Shared) -> Result<Option<Arc<Stream>>, Ended> {
        match event {
            Event::Connected => return self.connected(now, shared),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                debug!("ICE disconnected");
                self.disconnected_since = Some(now);
            }
            Event::IceConnectionStateChange(_) => self.disconnected_since = None,
            Event::RtpPacket(packet) => {
                if let Role::Publishing(ingest) = &mut self.role {
                    ingest.receive(packet, now, &mut self.rtc);
                }
            }
            Event::KeyframeRequest(_) => {
                if let Role::Playing(egress) = &mut self.role {
                    egress.request_catch_up(now);
                }
            }
            Event::Closed => return Err(Ended::ByPeer),
            _ => {}
        }
        Ok(None)
    }

    fn connected(&mut self, now: Instant, shared: &Shared) -> Result<Option<Arc<Stream>>, Ended> {
        match &self.role {
            Role::Connecting { purpose: Purpose::Play(seat), .. } => {
                info!("connected");
                Ok(Some(Arc::clone(seat.stream())))
            }
            Role::Connecting { purpose: Purpose::Publish(grant), audio, video, .. } => {
                let control = Arc::new(Control::new(self.id.clone(), Arc::clone(&shared.inbox)));
                let publication = shared
                    .hub
                    .publish(grant, NativeForm::Rtp, Arc::clone(&control) as Arc<dyn PublisherControl>)
                    .map_err(Ended::Hub)?;
                info!("connected");
                self.role =
                    Role::Publishing(Ingest::new(publication, control, *audio, *video, now, &mut self.rtc));
                Ok(None)
            }
            Role::Publishing(_) | Role::Playing(_) | Role::Over => Ok(None),
        }
    }

    /// Restarts ICE. Returns the fragment to answer with and its entity tag.
    pub(super) fn restart_ice(&mut self, fragment: &IceFragment) -> Result<(String, String), Error> {
        let restarted = restart_ice(&mut self.rtc, &self.offer, fragment)?;
        self.disconnected_since = None;
        Ok((restarted.fragment, restarted.etag))
    }

    /// Says goodbye: BYE for what was sent, DTLS close.
    pub(super) fn close(&mut self, now: Instant, socket: &mut Socket) {
        self.role = Role::Over;
        if self.rtc.close().is_err() || self.rtc.handle_input(Input::Timeout(now)).is_err() {
            return;
        }
        while let Ok(output) = self.rtc.poll_output() {
            match output {
                Output::Transmit(transmit) => {
                    socket.send(transmit.source.ip(), transmit.destination, transmit.contents);
                }
                Output::Event(_) => {}
                Output::Timeout(_) => break,
            }
        }
    }
}

/// What an ICE restart gave the server.
pub(super) struct Restarted {
    pub(super) credentials: IceCreds,
    pub(super) fragment: String,
    pub(super) etag: String,
}

/// Accepts `offer` once more with the credentials of `fragment`, which makes str0m restart ICE.
pub(super) fn restart_ice(rtc: &mut Rtc, offer: &str, fragment: &IceFragment) -> Result<Restarted, Error> {
    let mut changed = String::with_capacity(offer.len());
    for line in offer.lines() {
        if line.starts_with("a=ice-ufrag:") {
            changed.push_str("a=ice-ufrag:");
            changed.push_str(&fragment.ufrag);
        } else if line.starts_with("a=ice-pwd:") {
            changed.push_str("a=ice-pwd:");
            changed.push_str(&fragment.pwd);
        } else if line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates") {
            continue;
        } else {
            changed.push_str(line);
        }
        changed.push_str("\r\n");
    }
    let sdp = |error: &dyn fmt::Display| Error::Sdp(error.to_string());
    let offer = SdpOffer::from_sdp_string(&changed).map_err(|error| sdp(&error))?;
    let answer = rtc.sdp_api().accept_offer(offer).map_err(|error| sdp(&error))?.to_sdp_string();
    let credentials = rtc.direct_api().local_ice_credentials();
    let mut lines =
        format!("a=ice-lite\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", credentials.ufrag, credentials.pass);
    // RFC 8840 section 9: a fragment names the section that carries the bundle.
    for (index, prefix) in ["m=", "a=mid:", "a=candidate:"].into_iter().enumerate() {
        for line in
            answer.lines().filter(|line| line.starts_with(prefix)).take(if index == 2 { 8 } else { 1 })
        {
            lines.push_str(line.trim_end());
            lines.push_str("\r\n");
        }
    }
    Ok(Restarted { etag: credentials.ufrag.clone(), fragment: lines, credentials })
}

/// The way back to a WebRTC publisher: through its worker's inbox.
pub(super) struct Control {
    session: SessionId,
    inbox: Arc<Inbox>,
    replaced: std::sync::atomic::AtomicBool,
}

impl Control {
    fn new(session: SessionId, inbox: Arc<Inbox>) -> Self {
        Self { session, inbox, replaced: std::sync::atomic::AtomicBool::new(false) }
    }

    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(std::sync::atomic::Ordering::Acquire)
    }
}

impl PublisherControl for Control {
    fn request_keyframe(&self) {
        self.inbox.send(Command::RequestKeyframe(self.session.clone()));
    }

    /// The worker reads everything at once anyway.
    fn watched(&self) {}

    fn replaced(&self) {
        self.replaced.store(true, std::sync::atomic::Ordering::Release);
        // Any command makes the worker look at the session.
        self.inbox.send(Command::RequestKeyframe(self.session.clone()));
    }
}
