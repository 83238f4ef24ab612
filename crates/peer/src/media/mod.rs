//! The media of a stay: one task that owns the PeerConnection, what is published and what is received.

mod engine;
mod incoming;
mod link;
mod outgoing;
mod plan;
mod recovery;
mod sdp;
mod tap;

#[cfg(test)]
mod loopback;

pub(crate) mod publication;
pub(crate) mod reception;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use queqiao_room::signal::{MediaKind, Sdp};
use queqiao_room::{StreamKind, Uid};
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tracing::{debug, info, warn};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::RTCPeerConnectionState;

pub use incoming::{Frame, Statistics};
use link::{Bound, Link, LinkEvent, Told};
use plan::{OwnTrack, RemoteTrack};
use publication::PublisherEnd;
use reception::SubscriptionEnd;
use recovery::{Action, Recovery};
use tap::Feedback;

use crate::stay::Offer;

/// How many received packets wait to be put together: half a second of a large room.
const MAX_PACKETS: usize = 1024;

/// How many commands wait: more than a room has streams.
const MAX_COMMANDS: usize = 128;

/// Counts the sessions of a stay: what is said about an earlier one is void.
pub(crate) type Era = u64;

/// What the media are told.
pub(crate) enum Command {
    /// Answer an offer.
    Offer(Offer),
    /// The session is a new one: begin anew, with the same publications and subscriptions.
    Reset(Era),
    Publish(StreamKind, PublisherEnd),
    Unpublish(StreamKind),
    Subscribe(Uid, StreamKind, SubscriptionEnd),
    Unsubscribe(Uid, StreamKind),
}

/// What the media tell.
#[derive(Debug)]
pub(crate) enum MediaEvent {
    /// The answer to the offer of this revision.
    Answer(Era, u64, Sdp),
    /// Whether media flow has changed.
    Connected(bool),
    /// An offer with new ICE credentials is needed.
    RestartIce(Era),
    /// The connection cannot be saved: the room is to be joined anew.
    Lost(Era),
}

/// The commands for the media of a stay, and what they tell. They end when the commands do.
pub(crate) fn start(me: Uid, bind: Vec<SocketAddr>) -> (mpsc::Sender<Command>, mpsc::Receiver<MediaEvent>) {
    let (commands, command_receiver) = mpsc::channel(MAX_COMMANDS);
    let (events, event_receiver) = mpsc::channel(MAX_COMMANDS);
    let (packet_sender, packets) = mpsc::channel(MAX_PACKETS);
    let media = Media {
        me,
        bind,
        events,
        packet_sender,
        connection: None,
        era: 0,
        recovery: Recovery::default(),
        publications: BTreeMap::new(),
        receptions: BTreeMap::new(),
    };
    tokio::spawn(media.run(command_receiver, packets));
    (commands, event_receiver)
}

/// A received packet with the track that brought it.
struct Inbound {
    era: Era,
    track: Arc<dyn TrackRemote>,
    packet: rtc::rtp::Packet,
}

/// What there is while there is a PeerConnection.
struct Connection {
    link: Link,
    told: Told,
    connected: bool,
    bound: BTreeMap<OwnTrack, Arc<Bound>>,
    sources: HashMap<u32, RemoteTrack>,
    /// Whom to ask for keyframes of a source. No more than `sources` has.
    tracks: HashMap<u32, Arc<dyn TrackRemote>>,
}

struct Media {
    me: Uid,
    bind: Vec<SocketAddr>,
    events: mpsc::Sender<MediaEvent>,
    packet_sender: mpsc::Sender<Inbound>,
    connection: Option<Connection>,
    era: Era,
    recovery: Recovery,
    publications: BTreeMap<StreamKind, PublisherEnd>,
    receptions: BTreeMap<(Uid, StreamKind), SubscriptionEnd>,
}

impl Media {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, mut packets: mpsc::Receiver<Inbound>) {
        loop {
            let timeout = self.poll_timeout();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command).await,
                    None => break,
                },
                Some(inbound) = packets.recv() => self.packet(inbound).await,
                Some(news) = news(&mut self.connection) => match news {
                    News::Link(event) => self.link_event(event).await,
                    News::Feedback(feedback) => self.feedback(feedback),
                },
                () = until(timeout) => self.timeout().await,
            }
        }
        self.close().await;
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Offer(offer) => self.offer(offer).await,
            Command::Reset(era) => {
                self.close().await;
                self.era = era;
            }
            Command::Publish(stream, publisher) => {
                self.publications.insert(stream, publisher);
                self.bind();
            }
            Command::Unpublish(stream) => {
                self.publications.remove(&stream);
            }
            Command::Subscribe(uid, stream, subscription) => {
                self.receptions.insert((uid, stream), subscription);
            }
            Command::Unsubscribe(uid, stream) => {
                self.receptions.remove(&(uid, stream));
            }
        }
    }

    async fn offer(&mut self, offer: Offer) {
        let revision = offer.revision;
        debug!(revision, sections = offer.mids.len(), "the server offers");
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => match Link::new(self.me.clone(), self.bind.clone()).await {
                Ok((link, told)) => {
                    self.recovery.started(Instant::now());
                    Connection {
                        link,
                        told,
                        connected: false,
                        bound: BTreeMap::new(),
                        sources: HashMap::new(),
                        tracks: HashMap::new(),
                    }
                }
                Err(error) => {
                    warn!(%error, "no WebRTC connection could be made");
                    return self.tell(MediaEvent::Lost(self.era)).await;
                }
            },
        };
        let connection = self.connection.insert(connection);
        match connection.link.answer(offer).await {
            Ok(negotiated) => {
                connection.bound = negotiated.bound;
                connection.sources = negotiated.plan.sources;
                connection.tracks.retain(|source, _| connection.sources.contains_key(source));
                self.bind();
                self.tell(MediaEvent::Answer(self.era, revision, negotiated.sdp)).await;
            }
            Err(error) => {
                warn!(%error, revision, "an offer could not be answered");
                self.tell(MediaEvent::Lost(self.era)).await;
            }
        }
    }

    /// Tells the publishers where their packets go.
    fn bind(&self) {
        let Some(connection) = self.connection.as_ref().filter(|connection| connection.connected) else {
            return;
        };
        for (stream, publisher) in &self.publications {
            let bound = |kind: MediaKind| connection.bound.get(&(*stream, kind)).cloned();
            publisher.bind(bound(MediaKind::Audio), bound(MediaKind::Video));
        }
    }

    async fn link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Track(track) => self.pump(track),
            LinkEvent::State(state) => self.state(state).await,
        }
    }

    async fn state(&mut self, state: RTCPeerConnectionState) {
        debug!(%state, "the WebRTC connection changed");
        let Some(connection) = &mut self.connection else { return };
        let before = connection.connected;
        match state {
            RTCPeerConnectionState::Connected => {
                connection.connected = true;
                self.recovery.connected();
                self.bind();
                if !before {
                    info!("media flow");
                    self.tell(MediaEvent::Connected(true)).await;
                }
            }
            RTCPeerConnectionState::Disconnected | RTCPeerConnectionState::Failed => {
                connection.connected = false;
                self.recovery.disturbed(Instant::now());
                if before {
                    info!("the path of the media is disturbed");
                    self.tell(MediaEvent::Connected(false)).await;
                }
            }
            _ => {}
        }
    }

    /// Brings what a track receives here. The stack drops what is not pulled.
    fn pump(&self, track: Arc<dyn TrackRemote>) {
        let (packets, era) = (self.packet_sender.clone(), self.era);
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let inbound = Inbound { era, track: Arc::clone(&track), packet };
                    if packets.send(inbound).await.is_err() {
                        break;
                    }
                }
            }
        });
    }

    async fn packet(&mut self, Inbound { era, track, packet }: Inbound) {
        let Some(connection) = self.connection.as_mut().filter(|_| era == self.era) else { return };
        let source = packet.header.ssrc;
        let Some(remote) = connection.sources.get(&source) else { return };
        connection.tracks.entry(source).or_insert(track);
        if let Some(reception) = self.receptions.get_mut(&(remote.uid.clone(), remote.stream)) {
            let wanted = reception.packet(Instant::now(), remote.kind, packet);
            self.ask(wanted).await;
        }
    }

    /// Asks for keyframes of these sources.
    async fn ask(&self, sources: impl IntoIterator<Item = u32>) {
        let Some(connection) = &self.connection else { return };
        for source in sources {
            if let Some(track) = connection.tracks.get(&source)
                && let Err(error) = link::request_keyframe(track.as_ref(), source).await
            {
                debug!(%error, "a keyframe could not be asked for");
            }
        }
    }

    fn feedback(&mut self, feedback: Feedback) {
        let Some(connection) = &self.connection else { return };
        match feedback {
            Feedback::KeyframeWanted { source } => {
                for ((stream, _), bound) in &connection.bound {
                    if bound.source == source
                        && let Some(publisher) = self.publications.get(stream)
                    {
                        publisher.want_keyframe();
                    }
                }
            }
            Feedback::SenderReport { source, rtp, ntp } => {
                if let Some(remote) = connection.sources.get(&source)
                    && let Some(reception) = self.receptions.get_mut(&(remote.uid.clone(), remote.stream))
                {
                    reception.sender_report(Instant::now(), source, rtp, ntp);
                }
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let receptions = self.receptions.values().filter_map(SubscriptionEnd::poll_timeout).min();
        [receptions, self.recovery.poll_timeout()].into_iter().flatten().min()
    }

    async fn timeout(&mut self) {
        let now = Instant::now();
        let wanted: Vec<u32> =
            self.receptions.values_mut().filter_map(|reception| reception.poll(now)).collect();
        self.ask(wanted).await;
        match self.recovery.poll(now) {
            Some(Action::Restart) => self.tell(MediaEvent::RestartIce(self.era)).await,
            Some(Action::GiveUp) => self.tell(MediaEvent::Lost(self.era)).await,
            None => {}
        }
    }

    /// Lets go of the PeerConnection, and keeps what is published and received.
    async fn close(&mut self) {
        self.recovery.connected();
        for publisher in self.publications.values() {
            publisher.bind(None, None);
        }
        if let Some(connection) = self.connection.take() {
            connection.link.close().await;
            if connection.connected {
                self.tell(MediaEvent::Connected(false)).await;
            }
        }
    }

    async fn tell(&self, event: MediaEvent) {
        // Fails when the stay is over: then there is nobody to tell.
        let _ = self.events.send(event).await;
    }
}

/// What a connection has to tell.
enum News {
    Link(LinkEvent),
    Feedback(Feedback),
}

async fn news(connection: &mut Option<Connection>) -> Option<News> {
    let Told { events, feedback } = &mut connection.as_mut()?.told;
    tokio::select! {
        event = events.recv() => event.map(News::Link),
        Some(feedback) = feedback.recv() => Some(News::Feedback(feedback)),
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
