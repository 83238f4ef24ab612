//! The PeerConnection against another stack that offers as the server does: ICE-lite, one section for each track, sections
//! that are used again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use queqiao_room::signal::{MediaKind, MidInfo, Sdp};
use queqiao_room::{StreamKind, Uid};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, KeyframeRequestKind, MediaKind as Kind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::RTCPeerConnectionState;

use super::link::{Link, LinkEvent, Negotiated, Told, request_keyframe};
use super::outgoing::Packet;
use super::tap::Feedback;
use crate::stay::Offer;

/// Longer than anything on this machine takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The other side: the server.
struct Server {
    rtc: Rtc,
    socket: UdpSocket,
    buffer: Vec<u8>,
    revision: u64,
    received: Vec<RtpPacket>,
    keyframes_wanted: Vec<Mid>,
}

impl Server {
    async fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut config =
            RtcConfig::new().set_ice_lite(true).set_rtp_mode(true).clear_codecs().enable_opus(true, false);
        config.codec_config().add_h264(108.into(), Some(109.into()), true, 0x42_e01f);
        config.codec_config().add_h264(127.into(), Some(121.into()), true, 0x42_001f);
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(socket.local_addr().unwrap(), "udp").unwrap());
        let buffer = vec![0; 2000];
        Self { rtc, socket, buffer, revision: 0, received: Vec::new(), keyframes_wanted: Vec::new() }
    }

    /// Makes an offer whose sections carry what `mids` says.
    fn offer(&mut self, change: impl FnOnce(&mut str0m::change::SdpApi<'_>)) -> (String, SdpPendingOffer) {
        let mut api = self.rtc.sdp_api();
        change(&mut api);
        let (offer, pending) = api.apply().expect("something has changed");
        self.revision += 1;
        (offer.to_sdp_string(), pending)
    }

    fn accept(&mut self, pending: SdpPendingOffer, answer: &Sdp) {
        let answer = SdpAnswer::from_sdp_string(&answer.0).unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
    }

    /// Sends a packet on a section.
    fn send(&mut self, mid: Mid, seq: u64, payload: &[u8]) {
        let pt = self.rtc.media(mid).unwrap().remote_pts()[0];
        let time = u32::try_from(seq * 3000).unwrap();
        let payload: Arc<[u8]> = Arc::from(payload);
        let write = RtpWrite::new(pt, seq.into(), time, Instant::now(), payload).marker(true);
        self.rtc.direct_api().stream_tx_by_mid(mid, None).unwrap().write_rtp(write);
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
    }

    /// Lives for a while, or until `done`.
    async fn live(&mut self, duration: Duration, done: impl Fn(&Self) -> bool) {
        let until = Instant::now() + duration;
        while Instant::now() < until && !done(self) {
            let wake = match self.rtc.poll_output().unwrap() {
                Output::Transmit(packet) => {
                    self.socket.send_to(&packet.contents, packet.destination).await.unwrap();
                    continue;
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    self.received.push(packet);
                    continue;
                }
                Output::Event(Event::KeyframeRequest(request)) => {
                    self.keyframes_wanted.push(request.mid);
                    continue;
                }
                Output::Event(_) => continue,
                Output::Timeout(at) => at.min(until),
            };
            tokio::select! {
                received = self.socket.recv_from(&mut self.buffer) => {
                    let (count, source) = received.unwrap();
                    let local = self.socket.local_addr().unwrap();
                    let receive = Receive::new(Protocol::Udp, source, local, &self.buffer[..count]).unwrap();
                    self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
                }
                () = sleep_until(wake.into()) => self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap(),
            }
        }
    }
}

/// Both sides.
struct Pair {
    server: Server,
    link: Link,
    told: Told,
    tracks: mpsc::Receiver<(u32, Vec<u8>)>,
    track_sender: mpsc::Sender<(u32, Vec<u8>)>,
    remote: Option<Arc<dyn TrackRemote>>,
    connected: bool,
    mids: BTreeMap<String, MidInfo>,
}

fn me() -> Uid {
    "me".parse().unwrap()
}

impl Pair {
    async fn new() -> Self {
        let server = Server::new().await;
        let (link, told) = Link::new(me(), vec![([127, 0, 0, 1], 0).into()]).await.unwrap();
        let (track_sender, tracks) = mpsc::channel(64);
        let mids = BTreeMap::new();
        Self { server, link, told, tracks, track_sender, remote: None, connected: false, mids }
    }

    fn carry(&mut self, mid: Mid, uid: &str, kind: MediaKind) {
        let uid: Uid = uid.parse().unwrap();
        self.mids.insert(mid.to_string(), MidInfo { uid: uid.into(), stream: StreamKind::Camera, kind });
    }

    async fn negotiate(&mut self, (sdp, pending): (String, SdpPendingOffer)) -> Negotiated {
        let offer = Offer { revision: self.server.revision, sdp: Sdp(sdp), mids: self.mids.clone() };
        let negotiated = self.link.answer(offer).await.unwrap();
        self.server.accept(pending, &negotiated.sdp);
        negotiated
    }

    /// Lets both sides live until something holds of what was told.
    async fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "{what}: not in time");
            self.server.live(Duration::from_millis(20), |_| false).await;
            while let Ok(event) = self.told.events.try_recv() {
                match event {
                    LinkEvent::State(state) => self.connected = state == RTCPeerConnectionState::Connected,
                    LinkEvent::Track(track) => self.pump(track),
                }
            }
        }
    }

    fn pump(&mut self, track: Arc<dyn TrackRemote>) {
        self.remote = Some(Arc::clone(&track));
        let sender = self.track_sender.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = sender.send((packet.header.ssrc, packet.payload.to_vec())).await;
                }
            }
        });
    }

    /// Sends on a section until the other side has got it: what is sent while the path changes is lost.
    async fn reaches_us(&mut self, mid: Mid, first: u64, payload: &[u8]) -> u32 {
        let mut source = None;
        let mut seq = first;
        self.until("a packet of the server's", |pair| {
            pair.server.send(mid, seq, payload);
            seq += 1;
            while let Ok((ssrc, data)) = pair.tracks.try_recv() {
                if data == payload {
                    source = Some(ssrc);
                }
            }
            source.is_some()
        })
        .await;
        source.unwrap()
    }
}

fn packet(sequence: u16, payload: &[u8]) -> Packet {
    Packet { sequence, timestamp: 1000 + u32::from(sequence), marker: true, payload: Arc::from(payload) }
}

/// Two sections of one's own and one of somebody else's, connected.
async fn connected() -> (Pair, [Mid; 3], Negotiated) {
    let mut pair = Pair::new().await;
    let mut mids = Vec::new();
    let offer = pair.server.offer(|api| {
        mids.push(api.add_media(Kind::Audio, Direction::RecvOnly, None, None, None));
        mids.push(api.add_media(Kind::Video, Direction::RecvOnly, None, None, None));
        mids.push(api.add_media(Kind::Video, Direction::SendOnly, Some("one".to_owned()), None, None));
    });
    let [audio, video, other]: [Mid; 3] = mids.try_into().unwrap();
    pair.carry(audio, "me", MediaKind::Audio);
    pair.carry(video, "me", MediaKind::Video);
    pair.carry(other, "ann", MediaKind::Video);
    let negotiated = pair.negotiate(offer).await;
    pair.until("a connection", |pair| pair.connected).await;
    (pair, [audio, video, other], negotiated)
}

#[tokio::test]
async fn packets_and_reports_go_both_ways() {
    let (mut pair, [_, video, other], negotiated) = connected().await;
    assert_eq!(negotiated.bound.len(), 2);
    for ((stream, kind), bound) in &negotiated.bound {
        bound.send(packet(7, &[0x41, 1, 2])).await.unwrap();
        let source = bound.source;
        pair.until("our packet", |pair| {
            pair.server.received.iter().any(|packet| *packet.header.ssrc == source)
        })
        .await;
        let received = pair.server.received.iter().find(|packet| *packet.header.ssrc == source).unwrap();
        let pt = if *kind == MediaKind::Video { 108 } else { 111 };
        assert_eq!((*stream, *received.header.payload_type), (StreamKind::Camera, pt));
        assert_eq!((*received.seq_no as u16, &received.payload[..]), (7, &[0x41, 1, 2][..]));
    }

    let source = pair.reaches_us(other, 1, &[0x65, 0x88]).await;
    assert_eq!(negotiated.plan.sources[&source].uid.as_str(), "ann");
    pair.until("a sender report", |pair| {
        std::iter::from_fn(|| pair.told.feedback.try_recv().ok())
            .any(|feedback| matches!(feedback, Feedback::SenderReport { source: of, .. } if of == source))
    })
    .await;

    let remote = pair.remote.clone().unwrap();
    request_keyframe(remote.as_ref(), source).await.unwrap();
    pair.until("our wish for a keyframe", |pair| pair.server.keyframes_wanted == [other]).await;

    let own = negotiated.bound[&(StreamKind::Camera, MediaKind::Video)].source;
    let mut api = pair.server.rtc.direct_api();
    api.stream_rx_by_mid(video, None).unwrap().request_keyframe(KeyframeRequestKind::Pli);
    pair.until("the server's wish for a keyframe", |pair| {
        std::iter::from_fn(|| pair.told.feedback.try_recv().ok())
            .any(|feedback| feedback == Feedback::KeyframeWanted { source: own })
    })
    .await;
    timeout(PATIENCE, pair.link.close()).await.unwrap();
}

#[tokio::test]
async fn sections_that_were_inactive_are_used_again() {
    let (mut pair, [audio, video, other], _) = connected().await;
    pair.reaches_us(other, 1, &[0x65, 0x88]).await;
    for turn in 0..2_u16 {
        let offer = pair.server.offer(|api| {
            for mid in [audio, video, other] {
                api.set_direction(mid, Direction::Inactive);
            }
        });
        pair.mids.clear();
        let negotiated = pair.negotiate(offer).await;
        assert!(negotiated.bound.is_empty() && negotiated.plan.sources.is_empty());

        let offer = pair.server.offer(|api| {
            api.set_direction(audio, Direction::RecvOnly);
            api.set_direction(video, Direction::RecvOnly);
            api.set_direction(other, Direction::SendOnly);
        });
        pair.carry(audio, "me", MediaKind::Audio);
        pair.carry(video, "me", MediaKind::Video);
        pair.carry(other, "ben", MediaKind::Video);
        let negotiated = pair.negotiate(offer).await;
        let payload = [0x65, 0x88, turn.to_be_bytes()[1]];
        let source = pair.reaches_us(other, 1000 + 1000 * u64::from(turn), &payload).await;
        assert_eq!(negotiated.plan.sources[&source].uid.as_str(), "ben");
        pair.server.received.clear();
        for bound in negotiated.bound.values() {
            bound.send(packet(100 + turn, &[0x41, 9])).await.unwrap();
        }
        pair.until("our packets", |pair| pair.server.received.len() == 2).await;
    }
}

#[tokio::test]
async fn a_restart_of_ice_brings_the_media_to_another_port() {
    let (mut pair, [_, _, other], _) = connected().await;
    pair.reaches_us(other, 1, &[0x65, 0x88]).await;
    let offer = pair.server.offer(|api| {
        api.ice_restart(true);
    });
    pair.negotiate(offer).await;
    pair.reaches_us(other, 1000, &[0x65, 0x89]).await;
}

#[tokio::test]
async fn more_sections_may_come_later() {
    let (mut pair, [_, _, other], _) = connected().await;
    let mut added = Vec::new();
    let offer = pair.server.offer(|api| {
        added.push(api.add_media(Kind::Video, Direction::SendOnly, Some("two".to_owned()), None, None));
        added.push(api.add_media(Kind::Video, Direction::RecvOnly, None, None, None));
    });
    let [theirs, ours]: [Mid; 2] = added.try_into().unwrap();
    pair.carry(theirs, "cem", MediaKind::Video);
    let info = MidInfo { uid: me().into(), stream: StreamKind::Screen, kind: MediaKind::Video };
    pair.mids.insert(ours.to_string(), info);
    let negotiated = pair.negotiate(offer).await;
    let first = pair.reaches_us(other, 1, &[0x65, 1]).await;
    let second = pair.reaches_us(theirs, 1, &[0x65, 2]).await;
    let uid = |source: &u32| negotiated.plan.sources[source].uid.to_string();
    assert_eq!((uid(&first), uid(&second)), ("ann".to_owned(), "cem".to_owned()));
    let screen = &negotiated.bound[&(StreamKind::Screen, MediaKind::Video)];
    screen.send(packet(1, &[0x41, 5])).await.unwrap();
    pair.until("our screen", |pair| !pair.server.received.is_empty()).await;
    assert_eq!(*pair.server.received[0].header.ssrc, screen.source);
}
