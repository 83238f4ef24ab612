//! One WebRTC session: str0m's state machine with the media that go in and out of it.

mod changes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_media::layers::Layer;
use queqiao_room::StreamKind;
use slab::Slab;
use smallvec::SmallVec;
use str0m::bwe::BweKind;
use str0m::net::{Protocol, Receive};
use str0m::{Event, IceConnectionState, Input, Output, Rtc};
use tracing::{debug, info, trace, warn};

use super::bandwidth::Bandwidth;
use super::directory::SessionId;
use super::egress::{Egress, Unplayable};
use super::ended::Ended;
use super::incoming::{self, Incoming};
use super::ingest::Ingest;
use super::negotiate::{Flow, Negotiated};
use super::negotiation::Negotiation;
use super::path::{self, Moved, Path};
use super::repeats::Repeats;
use super::sections::Sections;
use super::socket::Socket;
use super::track::Idle;
use super::wire::Sent;
use super::worker::Shared;
use super::{CONNECT_TIMEOUT, Ending, Notice, Notices};
use crate::hub::{RtpUnit, Stream};

/// Addresses one session may be reached from: Wi-Fi, mobile, IPv4, IPv6 and their changes.
const MAX_ADDRESSES: usize = 8;

/// How long a session may be without ICE before it ends. A phone that changes networks takes a few seconds.
pub(super) const DISCONNECTED_TIMEOUT: Duration = Duration::from_secs(20);

enum State {
    Connecting { deadline: Instant },
    Connected,
    Over,
}

/// The session.
pub(super) struct Peer {
    id: SessionId,
    rtc: Rtc,
    negotiation: Negotiation,
    state: State,
    /// Camera and screen; viewers have none, and it is the largest part of a session.
    incoming: Vec<Incoming>,
    outgoing: Slab<Egress>,
    /// Tracks of sections that carry nothing at the moment.
    idle: Idle,
    bandwidth: Bandwidth,
    repeats: Repeats,
    /// Streams to subscribe this session to, for its worker.
    joins: Vec<(usize, Arc<Stream>)>,
    /// Streams that it receives no longer.
    leaves: Vec<usize>,
    /// Whether one of `outgoing` wants to be caught up.
    catch_up: bool,
    /// Whether packets wait in one of `outgoing`.
    holds: bool,
    addresses: SmallVec<[SocketAddr; MAX_ADDRESSES]>,
    path: Path,
    disconnected_since: Option<Instant>,
    rtc_timeout: Instant,
    notices: Notices,
    ending: Ending,
}

impl Peer {
    /// A session whose peer has offered.
    pub(super) fn answering(
        id: SessionId,
        negotiated: Negotiated,
        offer: String,
        notices: Notices,
        now: Instant,
    ) -> Self {
        let Negotiated { rtc, audio, video, .. } = negotiated;
        Self::new(id, rtc, Negotiation::Answered { offer, audio, video }, notices, now)
    }

    /// A session to whose peer the server offers.
    pub(super) fn offering(id: SessionId, rtc: Rtc, notices: Notices, now: Instant) -> Self {
        Self::new(id, rtc, Negotiation::Offering(Sections::default()), notices, now)
    }

    fn new(id: SessionId, rtc: Rtc, negotiation: Negotiation, notices: Notices, now: Instant) -> Self {
        Self {
            id,
            rtc,
            negotiation,
            state: State::Connecting { deadline: now + CONNECT_TIMEOUT },
            incoming: Vec::new(),
            outgoing: Slab::new(),
            idle: Idle::default(),
            bandwidth: Bandwidth::new(now),
            repeats: Repeats::default(),
            joins: Vec::new(),
            leaves: Vec::new(),
            catch_up: false,
            holds: false,
            addresses: SmallVec::new(),
            path: Path::default(),
            disconnected_since: None,
            rtc_timeout: now,
            notices,
            ending: Ending::Lost,
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
        if let State::Connecting { deadline } = self.state {
            due = due.min(deadline);
        }
        due = self.negotiation.deadline().map_or(due, |at| due.min(at));
        if self.holds || self.bandwidth.is_paced() {
            let paced = self.outgoing.iter().filter_map(|(_, egress)| egress.poll_timeout()).min();
            due = paced.map_or(due, |at| due.min(at));
        }
        for ingest in self.ingests() {
            due = ingest.poll_timeout().map_or(due, |at| due.min(at));
        }
        if let Some(since) = self.disconnected_since {
            due = due.min(since + DISCONNECTED_TIMEOUT);
        }
        due
    }

    fn ingests(&self) -> impl Iterator<Item = &Ingest> {
        self.incoming.iter().filter_map(|incoming| incoming.ingest.as_ref())
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
        if !self.rtc.accepts(&input) {
            return Ok(());
        }
        self.rtc.handle_input(input)?;
        if let Some(Moved { from, was_cut_off }) = self.path.note(source, data, now) {
            debug!(%from, to = %source, was_cut_off, "the peer has another address");
            for candidate in path::candidates(from) {
                self.rtc.direct_api().invalidate_candidate(&candidate);
            }
            if was_cut_off {
                self.refresh(now);
            }
        }
        Ok(())
    }

    /// Shows all pictures anew to a peer that was cut off: it would otherwise wait for what it has missed.
    fn refresh(&mut self, now: Instant) {
        for (_, egress) in &mut self.outgoing {
            self.catch_up |= egress.request_catch_up(now);
        }
    }

    pub(super) fn timeout(&mut self, now: Instant) -> Result<(), Ended> {
        if self.disconnected_since.is_some_and(|since| now.duration_since(since) >= DISCONNECTED_TIMEOUT) {
            return Err(Ended::Disconnected);
        }
        if let State::Connecting { deadline } = self.state
            && deadline <= now
        {
            return Err(Ended::NeverConnected);
        }
        if self.negotiation.deadline().is_some_and(|at| at <= now) {
            return Err(Ended::Unanswered);
        }
        for ingest in self.incoming.iter_mut().filter_map(|incoming| incoming.ingest.as_mut()) {
            ingest.timeout(now, &mut self.rtc);
        }
        if self.holds || self.bandwidth.is_paced() {
            self.holds = false;
            for (_, egress) in &mut self.outgoing {
                egress.timeout(now, &mut self.rtc);
                self.holds |= egress.poll_timeout().is_some();
            }
        }
        incoming::tell_layers(&mut self.incoming, &self.id, &self.notices);
        Ok(self.rtc.handle_input(Input::Timeout(now))?)
    }

    /// The hub asks for a keyframe of a stream: of `layer`, or of all layers that anybody needs.
    pub(super) fn request_keyframe(&mut self, stream: StreamKind, layer: Option<Layer>, now: Instant) {
        if let Some(ingest) = incoming::ingest_of(&mut self.incoming, stream) {
            ingest.request_keyframe(layer, now, &mut self.rtc);
        }
    }

    /// Other layers of a stream are needed than before.
    pub(super) fn layers_needed(&mut self, stream: StreamKind, now: Instant) {
        if let Some(ingest) = incoming::ingest_of(&mut self.incoming, stream) {
            ingest.look_at_demand(now);
        }
        incoming::tell_layers(&mut self.incoming, &self.id, &self.notices);
    }

    /// Lets media flow in the sections that can carry them by now.
    pub(super) fn start_media(&mut self, now: Instant, shared: &Shared) -> Result<(), Ended> {
        if !matches!(self.state, State::Connected) {
            return Ok(());
        }
        for incoming in &mut self.incoming {
            let sections = self.negotiation.mids(&self.rtc, Flow::In, incoming.grant.stream());
            incoming.carry(sections, &self.id, shared, &mut self.rtc, now)?;
        }
        incoming::tell_layers(&mut self.incoming, &self.id, &self.notices);
        for (index, egress) in &mut self.outgoing {
            let sections = self.negotiation.mids(&self.rtc, Flow::Out, egress.stream().key());
            if egress.carry(sections, &mut self.idle, &mut self.rtc, now) {
                self.joins.push((index, Arc::clone(egress.stream())));
            }
            self.catch_up |= egress.wants_catch_up();
        }
        Ok(())
    }

    /// Begins a stream, once its worker is subscribed to it.
    pub(super) fn start_playing(&mut self, index: usize, now: Instant) {
        if let Some(egress) = self.outgoing.get_mut(index) {
            self.catch_up |= egress.request_catch_up(now);
        }
    }

    /// Streams to subscribe this session to, each with its number here.
    pub(super) fn take_joins(&mut self) -> Vec<(usize, Arc<Stream>)> {
        std::mem::take(&mut self.joins)
    }

    /// The numbers of streams that it receives no longer.
    pub(super) fn take_leaves(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.leaves)
    }

    /// Queues what a feed delivered. [`Peer::flush`] sends it. Returns whether there is something to send.
    pub(super) fn write(&mut self, index: usize, units: &[RtpUnit], now: Instant) -> Result<bool, Ended> {
        let Some(egress) = self.outgoing.get_mut(index) else { return Ok(false) };
        let written = egress.write(units, &mut self.rtc, now);
        self.holds |= egress.poll_timeout().is_some();
        match written {
            Ok(written) => Ok(written),
            Err(Unplayable) => self.unplayable(index, now).map(|()| true),
        }
    }

    /// A viewer's picture would freeze: ends it, and with it the session if there is nothing else.
    fn unplayable(&mut self, index: usize, now: Instant) -> Result<(), Ended> {
        if matches!(self.negotiation, Negotiation::Answered { .. }) {
            return Err(Ended::ReferenceBPictures);
        }
        if let Some(egress) = self.outgoing.get_mut(index) {
            warn!(stream = %egress.stream().key(), "{}", Ended::ReferenceBPictures);
            egress.give_up_video(&mut self.idle, now);
        }
        Ok(())
    }

    /// Lets what was written out.
    pub(super) fn flush(&mut self, now: Instant, socket: &mut Socket, shared: &Shared) -> Result<(), Ended> {
        self.bandwidth.review(&mut self.outgoing, now);
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drive(now, socket, shared)
    }

    /// Lets str0m speak until it has nothing left to say.
    pub(super) fn drive(&mut self, now: Instant, socket: &mut Socket, shared: &Shared) -> Result<(), Ended> {
        loop {
            match self.rtc.poll_output()? {
                Output::Transmit(transmit) => {
                    let (source, destination) = (transmit.source.ip(), transmit.destination);
                    if self.repeats.repeat(&transmit.contents, &self.rtc, now) {
                        socket.send(source, destination, transmit.contents.to_vec().into());
                    }
                    socket.send(source, destination, transmit.contents);
                }
                Output::Event(event) => self.event(event, now, shared)?,
                Output::Timeout(at) => {
                    self.rtc_timeout = at;
                    if !self.catch_up(now)? {
                        break;
                    }
                    self.rtc.handle_input(Input::Timeout(now))?;
                }
            }
        }
        self.check_replaced()?;
        if !self.rtc.is_alive() {
            return Err(Ended::ByPeer);
        }
        Ok(())
    }

    /// Sends cached pictures to those streams' viewers that want them. Returns whether something was written.
    fn catch_up(&mut self, now: Instant) -> Result<bool, Ended> {
        if !std::mem::take(&mut self.catch_up) {
            return Ok(false);
        }
        let mut written = false;
        let mut unplayable = SmallVec::<[usize; 4]>::new();
        for (index, egress) in &mut self.outgoing {
            match egress.catch_up(&mut self.rtc, now) {
                Ok(wrote) => written |= wrote,
                Err(Unplayable) => unplayable.push(index),
            }
        }
        for index in unplayable {
            self.unplayable(index, now)?;
        }
        Ok(written)
    }

    /// Lets go of streams that others publish now.
    fn check_replaced(&mut self) -> Result<(), Ended> {
        for incoming in &mut self.incoming {
            if incoming.ingest.as_ref().is_some_and(Ingest::is_replaced) {
                if matches!(self.negotiation, Negotiation::Answered { .. }) {
                    return Err(Ended::Replaced);
                }
                incoming.ingest = None;
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event, now: Instant, shared: &Shared) -> Result<(), Ended> {
        match event {
            Event::Connected => {
                info!("connected");
                self.state = State::Connected;
                self.start_media(now, shared)?;
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                debug!("ICE disconnected");
                self.disconnected_since = Some(now);
            }
            Event::IceConnectionStateChange(state) => {
                self.disconnected_since = None;
                if state.is_connected() {
                    self.refresh(now);
                }
            }
            Event::RtpPacket(packet) => {
                let mut api = self.rtc.direct_api();
                let stream = api.stream_rx(&packet.header.ssrc).map(|stream| (stream.mid(), stream.rid()));
                let Some((mid, rid)) = stream else { return Ok(()) };
                let mut ingests = self.incoming.iter_mut().filter_map(|incoming| incoming.ingest.as_mut());
                match ingests.find(|ingest| ingest.carries(mid)) {
                    Some(ingest) => ingest.receive(&packet, (mid, rid), now, &mut self.rtc),
                    None => trace!(%mid, "a packet of a section that carries nothing"),
                }
            }
            Event::KeyframeRequest(request) => {
                let shown = self.outgoing.iter_mut().find(|(_, egress)| egress.shows_in(request.mid));
                if let Some((_, egress)) = shown {
                    self.catch_up |= egress.request_catch_up(now);
                }
            }
            Event::EgressBitrateEstimate(BweKind::Remb { estimate, .. }) => {
                self.bandwidth.estimated(estimate.as_u64(), now);
            }
            Event::MediaIngressStats(stats) => {
                self.repeats.lost(stats.loss.unwrap_or_default(), now);
            }
            Event::MediaEgressStats(stats) => {
                let viewer = self.outgoing.iter_mut().find(|(_, egress)| egress.is_in(stats.mid));
                let Some((_, egress)) = viewer else { return Ok(()) };
                let sent = Sent { bytes: stats.bytes, packets: stats.packets };
                egress.note_sent(stats.mid, sent, &mut self.rtc, now);
                let is_video = egress.shows_in(stats.mid);
                if is_video {
                    egress.count(stats.nacks, stats.plis, &shared.counters);
                }
                if let Some(loss) = stats.loss {
                    egress.reported(loss, now);
                    if is_video {
                        egress.video_reported(loss, stats.rtt, now);
                        self.bandwidth.reported(loss, egress.video_rate(), stats.rtt);
                        self.repeats.viewer_loses(self.outgoing.iter().any(|(_, egress)| egress.is_lossy()));
                    }
                }
            }
            Event::Closed => return Err(Ended::ByPeer),
            _ => {}
        }
        Ok(())
    }

    /// The session is to end as if its peer had left.
    pub(super) fn leave(&mut self) {
        self.ending = Ending::Left;
    }

    /// Says goodbye: BYE for what was sent, DTLS close.
    pub(super) fn close(&mut self, reason: &Ended, now: Instant, socket: &mut Socket) {
        self.ending = reason.ending();
        self.state = State::Over;
        self.incoming.clear();
        self.outgoing.clear();
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

impl Drop for Peer {
    /// However a session ends, those outside hear of it.
    fn drop(&mut self) {
        let _ = self.notices.send(Notice::Ended { session: self.id.clone(), ending: self.ending });
    }
}

#[cfg(test)]
mod tests {
    use str0m::media::{Direction, MediaKind};
    use str0m::{Candidate, RtcConfig};

    use super::super::negotiate::Negotiator;
    use super::*;

    const SERVER: ([u8; 4], u16) = ([192, 0, 2, 1], 7800);

    /// A session of the server and a client whose address can change under it, as behind a NAT.
    struct Pair {
        server: Peer,
        client: Rtc,
        inside: SocketAddr,
        outside: SocketAddr,
        now: Instant,
    }

    impl Pair {
        fn connect() -> Self {
            let now = Instant::now();
            let inside = SocketAddr::from(([192, 0, 2, 9], 4000));
            let mut client = RtcConfig::new().build(now);
            client.add_local_candidate(Candidate::host(inside, "udp").unwrap());
            let mut api = client.sdp_api();
            api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
            let (offer, pending) = api.apply().unwrap();
            let offer = offer.to_sdp_string();
            let negotiator = Negotiator::new(vec![SERVER.into()]).unwrap();
            let negotiated = negotiator.accept(&offer, Flow::In, now).unwrap();
            let answer = str0m::change::SdpAnswer::from_sdp_string(&negotiated.answer).unwrap();
            client.sdp_api().accept_answer(pending, answer).unwrap();
            let (notices, _) = tokio::sync::mpsc::unbounded_channel();
            let server = Peer::answering(SessionId::random(), negotiated, offer, notices, now);
            let mut pair = Self { server, client, inside, outside: inside, now };
            pair.run(Duration::from_secs(2));
            pair
        }

        /// Lets time pass. Returns where the server has sent what it sent last.
        fn run(&mut self, time: Duration) -> Option<SocketAddr> {
            let mut sent_to = None;
            let end = self.now + time;
            while self.now < end {
                self.client.handle_input(Input::Timeout(self.now)).unwrap();
                while let Output::Transmit(packet) = skip_events(&mut self.client) {
                    self.server.receive(self.outside, SERVER.into(), &packet.contents, self.now).unwrap();
                }
                self.server.timeout(self.now).unwrap();
                while let Output::Transmit(packet) = skip_events(&mut self.server.rtc) {
                    sent_to = Some(packet.destination);
                    if packet.destination == self.outside {
                        let receive =
                            Receive::new(Protocol::Udp, SERVER.into(), self.inside, &packet.contents)
                                .unwrap();
                        self.client.handle_input(Input::Receive(self.now, receive)).unwrap();
                    }
                }
                self.now += Duration::from_millis(20);
            }
            sent_to
        }
    }

    fn skip_events(rtc: &mut Rtc) -> Output {
        loop {
            match rtc.poll_output().unwrap() {
                Output::Event(_) => {}
                output => return output,
            }
        }
    }

    /// Where media would be sent: DTLS that is to be sent goes there too, and alerts the peer of the end.
    fn media_destination(pair: &mut Pair) -> Option<SocketAddr> {
        pair.server.rtc.close().unwrap();
        pair.server.rtc.handle_input(Input::Timeout(pair.now)).unwrap();
        match skip_events(&mut pair.server.rtc) {
            Output::Transmit(packet) => Some(packet.destination),
            _ => None,
        }
    }

    #[test]
    fn media_follow_a_peer_whose_address_changes() {
        let mut pair = Pair::connect();
        let other = SocketAddr::from(([192, 0, 2, 9], 5000));
        pair.outside = other;
        assert_eq!(pair.run(Duration::from_secs(4)), Some(other), "its checks are answered");
        assert_eq!(media_destination(&mut pair), Some(other));
    }

    #[test]
    fn media_stay_where_they_are_while_the_peer_is_heard_there() {
        let mut pair = Pair::connect();
        let before = pair.outside;
        pair.run(Duration::from_secs(4));
        assert_eq!(media_destination(&mut pair), Some(before));
    }
}
