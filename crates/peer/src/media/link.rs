//! The one PeerConnection of a participant: answers the server's offers.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use queqiao_room::Uid;
use queqiao_room::signal::{MediaKind, Sdp};
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpRtxParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionEventHandler, RTCPeerConnectionState, RTCSessionDescription,
};
use webrtc::rtp_transceiver::RtpTransceiver;

use super::engine::{connect, h264, opus};
use super::outgoing::Packet;
use super::plan::{OwnTrack, Plan, Use};
use super::sdp::{self, Direction, Section};
use super::tap::{Feedback, Tap};
use crate::error::{Error, Result};
use crate::stay::Offer;

/// How many of the stack's events wait: a state for each step of connecting, and a track for each received source.
const MAX_WAITING: usize = 256;

/// What the stack tells.
pub(super) enum LinkEvent {
    State(RTCPeerConnectionState),
    Track(Arc<dyn TrackRemote>),
}

struct Handler(mpsc::Sender<LinkEvent>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        // Fails when nobody is interested any more.
        let _ = self.0.send(LinkEvent::State(state)).await;
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let _ = self.0.send(LinkEvent::Track(track)).await;
    }
}

/// A track of one's own as it was negotiated: where its packets go.
pub(super) struct Bound {
    track: Arc<TrackLocalStaticRTP>,
    pub(super) source: u32,
    payload_type: u8,
    /// The number of the header extension for the mid, and the mid.
    mid: Option<(u8, Bytes)>,
}

impl Bound {
    /// Sends a packet; waits where the stack is busy.
    pub(super) async fn send(&self, packet: Packet) -> Result<()> {
        let mut header = rtp::Header {
            version: 2,
            marker: packet.marker,
            payload_type: self.payload_type,
            sequence_number: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: self.source,
            ..rtp::Header::default()
        };
        if let Some((number, mid)) = &self.mid {
            header.set_extension(*number, mid.clone())?;
        }
        let payload = Bytes::from_owner(packet.payload);
        Ok(self.track.write_rtp(rtp::Packet { header, payload }).await?)
    }

    /// Sends a sender report.
    pub(super) async fn report(&self, report: rtc::rtcp::sender_report::SenderReport) -> Result<()> {
        Ok(self.track.write_rtcp(vec![Box::new(report)]).await?)
    }
}

/// A track that can be sent on a section.
struct Local {
    track: Arc<TrackLocalStaticRTP>,
    source: u32,
}

/// What follows from an answered offer.
pub(super) struct Negotiated {
    pub(super) sdp: Sdp,
    pub(super) plan: Plan,
    pub(super) bound: BTreeMap<OwnTrack, Arc<Bound>>,
}

/// See the module.
pub(super) struct Link {
    connection: Arc<dyn PeerConnection>,
    me: Uid,
    used: BTreeMap<String, Use>,
    /// By mid. As many as the offers have sections.
    locals: HashMap<String, Local>,
}

/// What a [`Link`] has to tell.
pub(super) struct Told {
    pub(super) events: mpsc::Receiver<LinkEvent>,
    pub(super) feedback: mpsc::Receiver<Feedback>,
}

impl Link {
    /// Makes a connection with sockets of its own on `bind`. Drop it to close it; better [`close`](Self::close) it.
    pub(super) async fn new(me: Uid, bind: Vec<SocketAddr>) -> Result<(Self, Told)> {
        let (event_sender, events) = mpsc::channel(MAX_WAITING);
        let (feedback_sender, feedback) = mpsc::channel(super::tap::MAX_WAITING);
        let connection = connect(bind, Arc::new(Handler(event_sender)), Tap::new(feedback_sender)).await?;
        let link = Self { connection, me, used: BTreeMap::new(), locals: HashMap::new() };
        Ok((link, Told { events, feedback }))
    }

    /// Closes the connection.
    pub(super) async fn close(&self) {
        // It is closed already, or the stack failed: nothing is left to do in either case.
        let _ = self.connection.close().await;
    }

    /// Answers an offer.
    pub(super) async fn answer(&mut self, offer: Offer) -> Result<Negotiated> {
        let sections = sdp::sections(&offer.sdp.0)?;
        let plan = Plan::new(&sections, &offer.mids, &self.me, &mut self.used)?;
        // The stack gives a section to the first transceiver of its kind that waits for one.
        let mut waiting = Vec::new();
        for (_, kind) in &plan.new_sends {
            waiting.push(self.add_local(*kind).await?);
        }
        self.direct(&plan.turned, RTCRtpTransceiverDirection::Recvonly).await?;
        self.connection.set_remote_description(RTCSessionDescription::offer(offer.sdp.0)?).await?;
        for (transceiver, local) in waiting {
            if let Some(mid) = transceiver.mid().await? {
                self.locals.insert(mid, local);
            }
        }
        // A section that was inactive for a while is still so for the stack.
        let sends: Vec<String> = plan.sends.values().cloned().collect();
        self.direct(&sends, RTCRtpTransceiverDirection::Sendonly).await?;
        let answer = self.connection.create_answer(None).await?;
        let sdp = answer.sdp.clone();
        self.connection.set_local_description(answer).await?;
        let bound = self.bind(&sdp::sections(&sdp)?, &plan);
        Ok(Negotiated { sdp: Sdp(sdp), plan, bound })
    }

    async fn add_local(&self, kind: MediaKind) -> Result<(Arc<dyn RtpTransceiver>, Local)> {
        let source = rand::random();
        let (kind, codec) = match kind {
            MediaKind::Audio => (RtpCodecKind::Audio, opus()),
            MediaKind::Video => (RtpCodecKind::Video, h264("42e01f", 0)),
        };
        let rtx = (kind == RtpCodecKind::Video).then(|| RTCRtpRtxParameters { ssrc: rand::random() });
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(source), rtx, ..Default::default() },
            codec: codec.rtp_codec,
            ..Default::default()
        };
        let name = format!("{:016x}", rand::random::<u64>());
        let track = MediaStreamTrack::new(self.me.to_string(), name.clone(), name, kind, vec![coding]);
        let track = Arc::new(TrackLocalStaticRTP::new(track));
        // Able to receive as well, in case that the section is used for that later.
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendrecv,
            streams: Vec::new(),
            send_encodings: Vec::new(),
        };
        let local: Arc<dyn TrackLocal> = Arc::clone(&track) as _;
        let transceiver = self.connection.add_transceiver_from_track(local, Some(init)).await?;
        Ok((transceiver, Local { track, source }))
    }

    async fn direct(&self, mids: &[String], direction: RTCRtpTransceiverDirection) -> Result<()> {
        if mids.is_empty() {
            return Ok(());
        }
        for transceiver in self.connection.get_transceivers().await {
            if transceiver.mid().await?.is_some_and(|mid| mids.contains(&mid))
                && transceiver.direction().await? != direction
            {
                transceiver.set_direction(direction).await?;
            }
        }
        Ok(())
    }

    /// What of one's own the answer says is sent.
    fn bind(&self, answer: &[Section], plan: &Plan) -> BTreeMap<OwnTrack, Arc<Bound>> {
        let bound = |mid: &String| {
            let section = answer.iter().find(|section| section.mid == *mid)?;
            let local = self.locals.get(mid).filter(|_| section.direction == Direction::Send)?;
            Some(Arc::new(Bound {
                track: Arc::clone(&local.track),
                source: local.source,
                payload_type: section.payload_type?,
                mid: section.mid_extension.map(|number| (number, Bytes::from(mid.clone()))),
            }))
        };
        plan.sends.iter().filter_map(|(track, mid)| Some((*track, bound(mid)?))).collect()
    }
}

/// Asks the sender of `source` for a keyframe.
pub(super) async fn request_keyframe(track: &dyn TrackRemote, source: u32) -> Result<()> {
    let request = rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication {
        sender_ssrc: 0,
        media_ssrc: source,
    };
    track.write_rtcp(vec![Box::new(request)]).await.map_err(Error::from)
}
