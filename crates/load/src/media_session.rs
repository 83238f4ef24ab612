//! The WebRTC connection of a participant: one stream out, many in.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_room::Uid;
use queqiao_room::signal::MediaKind;
use str0m::Event;
use str0m::change::SdpOffer;
use str0m::media::Mid;
use str0m::rtp::RtpPacket;

use crate::Error;
use crate::media::Playhead;
use crate::rtc::{Peer, Step};
use crate::sections::sections;
use crate::send::Sender;
use crate::shared::{Outcome, Shared};
use crate::tally::Tally;
use crate::whip::Pictures;

/// How long the connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// What a participant receives of another.
struct Subscription {
    asked: Instant,
    packet: bool,
    keyframe: bool,
    pictures: Pictures,
    /// Whether it is looked into all the time.
    measured: bool,
}

/// The connection: none until the server offers.
pub(crate) struct MediaSession {
    shared: Arc<Shared>,
    uid: Uid,
    number: u32,
    server: SocketAddr,
    measured: HashSet<Uid>,
    peer: Option<Peer>,
    /// When the server first offered, until the connection is up.
    offered: Option<Instant>,
    connected: bool,
    /// The sections for what it sends.
    own: (Option<Mid>, Option<Mid>),
    sender: Option<Sender>,
    /// Bounded by what the plan says it wants.
    subscriptions: HashMap<Uid, Subscription>,
    /// Bounded by the sections of offers.
    tracks: HashMap<u32, (Uid, MediaKind)>,
    /// The latest of every section: NACKs received and sent.
    nacks: HashMap<Mid, (u64, u64)>,
}

impl MediaSession {
    /// `measured` are those whose streams are looked into all the time.
    pub(crate) fn new(
        shared: Arc<Shared>,
        uid: Uid,
        number: u32,
        server: SocketAddr,
        measured: HashSet<Uid>,
    ) -> Self {
        Self {
            shared,
            uid,
            number,
            server,
            measured,
            peer: None,
            offered: None,
            connected: false,
            own: (None, None),
            sender: None,
            subscriptions: HashMap::new(),
            tracks: HashMap::new(),
            nacks: HashMap::new(),
        }
    }

    /// The stream of `uid` was asked for.
    pub(crate) fn subscribe(&mut self, uid: Uid, now: Instant) {
        let measured = self.measured.contains(&uid);
        let (packet, keyframe, pictures) = (false, false, Pictures::default());
        self.subscriptions.insert(uid, Subscription { asked: now, packet, keyframe, pictures, measured });
    }

    /// The stream of `uid` is over. Returns whether it was received.
    pub(crate) fn forget(&mut self, uid: &Uid) -> bool {
        self.subscriptions.remove(uid).is_some()
    }

    /// Whether everything that was asked for flows.
    pub(crate) fn is_complete(&self, publishes: bool) -> bool {
        (!publishes || self.sender.is_some()) && self.subscriptions.values().all(|stream| stream.keyframe)
    }

    /// Answers an offer. `carried` says of each section whose it is. [`Self::answered`] is to follow once the answer is on
    /// its way: checks that come before it would be for nothing.
    pub(crate) fn answer(
        &mut self,
        sdp: &str,
        carried: &HashMap<&str, (&Uid, MediaKind)>,
        now: Instant,
    ) -> Result<String, Error> {
        let fault = |error: &dyn std::fmt::Display| Error::Sdp(error.to_string());
        let peer = match &mut self.peer {
            Some(peer) => peer,
            none => {
                self.offered = Some(now);
                none.insert(Peer::open(self.server, Tally::new(Arc::clone(&self.shared.window)), now)?)
            }
        };
        for section in sections(sdp) {
            let Some((uid, kind)) = carried.get(&*section.mid) else { continue };
            if *uid != &self.uid {
                let rate = if *kind == MediaKind::Audio { 48_000 } else { 90_000 };
                peer.tally.expect(section.ssrc, section.repair, rate);
                self.tracks.insert(section.ssrc, ((*uid).clone(), *kind));
            }
        }
        for (mid, (uid, kind)) in carried {
            match kind {
                _ if *uid != &self.uid => {}
                MediaKind::Audio => self.own.0 = Some(Mid::from(*mid)),
                MediaKind::Video => self.own.1 = Some(Mid::from(*mid)),
            }
        }
        let offer = SdpOffer::from_sdp_string(sdp).map_err(|error| fault(&error))?;
        Ok(peer.rtc.sdp_api().accept_offer(offer)?.to_sdp_string())
    }

    /// The answer has been sent.
    pub(crate) fn answered(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(peer) = &mut self.peer {
            peer.drive(now)?;
        }
        self.start_sending(now)
    }

    fn start_sending(&mut self, now: Instant) -> Result<(), Error> {
        if let (true, None, (Some(audio), Some(video)), Some(peer)) =
            (self.connected, &self.sender, self.own, &self.peer)
        {
            let playhead = Playhead::new(0, self.number.into());
            let media = Arc::clone(&self.shared.media);
            self.sender = Some(Sender::new(media, (audio, video), playhead, peer, now)?);
        }
        Ok(())
    }

    /// Runs until something of interest happened. Cancel safe.
    pub(crate) async fn step(&mut self) -> Result<(), Error> {
        let Some(peer) = &mut self.peer else { return std::future::pending().await };
        let deadline = self.offered.map(|offered| offered + CONNECT_TIMEOUT);
        let due = self.sender.as_ref().map(Sender::due).or(deadline);
        match peer.step(due).await? {
            Step::Event(event) => self.event(event),
            Step::Due => {
                let now = Instant::now();
                let (Some(peer), Some(sender)) = (&mut self.peer, &mut self.sender) else {
                    return Err(Error::TimedOut("webrtc_never_connected"));
                };
                let packets = sender.send(peer, now)?;
                if self.shared.window.is_open() {
                    self.shared.measures().sent += packets;
                }
                Ok(())
            }
        }
    }

    fn event(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Connected => {
                let now = Instant::now();
                self.connected = true;
                if let Some(offered) = self.offered.take() {
                    self.shared.measures().connect.push(now.saturating_duration_since(offered));
                }
                if let Some(peer) = &mut self.peer {
                    peer.pace(now)?;
                }
                self.start_sending(now)?;
            }
            Event::KeyframeRequest(_) => {
                if let Some(sender) = &mut self.sender {
                    sender.request_keyframe();
                }
            }
            Event::RtpPacket(packet) => self.packet(&packet),
            Event::MediaEgressStats(stats) => self.nacks.entry(stats.mid).or_default().0 = stats.nacks,
            Event::MediaIngressStats(stats) => self.nacks.entry(stats.mid).or_default().1 = stats.nacks,
            _ => {}
        }
        Ok(())
    }

    fn packet(&mut self, packet: &RtpPacket) {
        let ssrc = *packet.header.ssrc;
        let Some((uid, kind)) = self.tracks.get(&ssrc) else { return };
        let Some(stream) = self.subscriptions.get_mut(uid) else { return };
        let waited = packet.timestamp.saturating_duration_since(stream.asked);
        if !stream.packet {
            stream.packet = true;
            self.shared.measures().first_packet.push(waited);
        }
        let seen = *kind == MediaKind::Audio
            || match stream.pictures.push(packet) {
                Some((_, true)) if !stream.keyframe => {
                    stream.keyframe = true;
                    self.shared.measures().first_keyframe.push(waited);
                    true
                }
                Some((mark, _)) if stream.measured && self.shared.window.is_open() => {
                    let age = self.shared.media.clock.age(mark, packet.timestamp);
                    self.shared.measures().delay.push(age);
                    true
                }
                _ => stream.keyframe,
            };
        if seen
            && !stream.measured
            && let Some(peer) = &mut self.peer
        {
            peer.only_count(ssrc);
        }
    }

    /// Ends the connection, and adds to `outcome` what became of it.
    pub(crate) fn finish(&mut self, outcome: &mut Outcome, failed: bool) {
        outcome.streams = self.subscriptions.len() as u64;
        outcome.measured = self.subscriptions.values().filter(|stream| stream.measured).count() as u64;
        for (received, sent) in self.nacks.values() {
            outcome.nacks_received += received;
            outcome.nacks_sent += sent;
        }
        if let Some(peer) = &mut self.peer {
            outcome.received = peer.tally.received();
            // It ends in any case.
            let _ = peer.close(Instant::now());
        }
        if !failed {
            let count = |missing: fn(&Subscription) -> bool| {
                self.subscriptions.values().filter(|stream| missing(stream)).count() as u64
            };
            outcome.fail("no_packets", count(|stream| !stream.packet));
            outcome.fail("no_keyframe", count(|stream| stream.packet && !stream.keyframe));
            outcome.fail("track_fell_silent", outcome.received.silent);
        }
    }
}
