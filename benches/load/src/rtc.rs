//! WebRTC publishers and viewers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use queqiao_media::rtp::{DEFAULT_MAX_PAYLOAD, H264Packetizer};
use queqiao_media::time::StreamTime;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

use crate::http::post_sdp;
use crate::media::{Due, FPS, GOP, Media, OPUS_SAMPLES, Pace, Times, marked};
use crate::rtmp::Sent;

/// Payload types of the offer: H.264 constrained baseline, and its retransmissions.
const H264: (u8, u8, u32) = (108, 109, 0x42_e01f);

/// As long as no datagram is longer.
const DATAGRAM: usize = 2048;

struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    audio: Mid,
    video: Mid,
    buffer: Vec<u8>,
}

/// What ended a step.
enum Step {
    Event(Event),
    /// The time that was asked for has come.
    Due,
}

impl Peer {
    /// Offers to `url` and takes the answer; the connection is yet to be made.
    async fn open(url: &str, direction: Direction) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let local = socket.local_addr()?;
        let mut config = RtcConfig::new().set_rtp_mode(true).clear_codecs().enable_opus(true, false);
        let (pt, rtx, profile) = H264;
        config.codec_config().add_h264(pt.into(), Some(rtx.into()), true, profile);
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp")?);
        let mut changes = rtc.sdp_api();
        let audio = changes.add_media(MediaKind::Audio, direction, None, None, None);
        let video = changes.add_media(MediaKind::Video, direction, None, None, None);
        let (offer, pending) = changes.apply().context("nothing to offer")?;
        let answer = post_sdp(url, &offer.to_sdp_string()).await?;
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer)?)?;
        // Whoever waits for the other's DTLS must be told once that time passes.
        while !matches!(rtc.poll_output()?, Output::Timeout(_)) {}
        rtc.handle_input(Input::Timeout(Instant::now()))?;
        Ok(Self { rtc, socket, local, audio, video, buffer: vec![0; DATAGRAM] })
    }

    /// Runs until something happens, or until `until`.
    async fn step(&mut self, until: Option<Instant>) -> Result<Step> {
        loop {
            let timeout = match self.rtc.poll_output()? {
                Output::Transmit(packet) => {
                    self.socket.send_to(&packet.contents, packet.destination).await?;
                    continue;
                }
                Output::Event(event) => return Ok(Step::Event(event)),
                Output::Timeout(at) => at,
            };
            if !self.rtc.is_alive() {
                bail!("the session ended");
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Ok(Step::Due);
            }
            let wake = until.map_or(timeout, |until| until.min(timeout));
            tokio::select! {
                biased;
                received = self.socket.recv_from(&mut self.buffer) => {
                    let now = Instant::now();
                    let (count, source) = received?;
                    let data = self.buffer.get(..count).unwrap_or_default();
                    if let Ok(receive) = Receive::new(Protocol::Udp, source, self.local, data) {
                        self.rtc.handle_input(Input::Receive(now, receive))?;
                    }
                }
                () = sleep_until(wake.into()) => self.rtc.handle_input(Input::Timeout(Instant::now()))?,
            }
        }
    }

    fn payload_type(&self, mid: Mid) -> Result<Pt> {
        let media = self.rtc.media(mid).context("no media section")?;
        media.remote_pts().first().copied().context("no codec in common")
    }

    fn write(&mut self, mid: Mid, packet: RtpWrite) -> Result<()> {
        let mut api = self.rtc.direct_api();
        api.stream_tx_by_mid(mid, None).context("no stream to send")?.write_rtp(packet);
        Ok(())
    }
}

/// What a viewer receives.
pub(crate) enum Received<'a> {
    Audio(&'a RtpPacket),
    Video(&'a RtpPacket),
}

/// Watches until `each` says that it is enough, or the task is dropped.
pub(crate) async fn watch(url: String, mut each: impl FnMut(Received<'_>) -> bool + Send) -> Result<()> {
    let mut peer = Peer::open(&url, Direction::RecvOnly).await?;
    loop {
        let Step::Event(Event::RtpPacket(packet)) = peer.step(None).await? else { continue };
        let mid = peer.rtc.direct_api().stream_rx(&packet.header.ssrc).map(|stream| stream.mid());
        let more = match mid {
            Some(mid) if mid == peer.video => each(Received::Video(&packet)),
            Some(mid) if mid == peer.audio => each(Received::Audio(&packet)),
            Some(_) | None => true,
        };
        if !more {
            peer.rtc.close()?;
            while !matches!(peer.step(Some(Instant::now())).await, Ok(Step::Due) | Err(_)) {}
            return Ok(());
        }
    }
}

/// Notes when each picture was complete, by the number that it carries.
#[derive(Default)]
pub(crate) struct Pictures {
    number: Option<u32>,
    keyframe: bool,
}

impl Pictures {
    /// Returns the number of the picture that `packet` completes, and whether it is a keyframe.
    pub(crate) fn push(&mut self, packet: &RtpPacket) -> Option<(u32, bool)> {
        self.number = self.number.or_else(|| marked(&packet.payload));
        self.keyframe |= begins_idr(&packet.payload);
        if !packet.header.marker {
            return None;
        }
        let keyframe = std::mem::take(&mut self.keyframe);
        Some((self.number.take()?, keyframe))
    }
}

/// Whether a payload is an IDR slice or a piece of one (RFC 6184 section 5.2).
fn begins_idr(payload: &[u8]) -> bool {
    match payload {
        [first, second, ..] if first & 0x1f == 28 => second & 0x1f == 5,
        [first, ..] => first & 0x1f == 5,
        [] => false,
    }
}

/// Publishes until it is dropped, from GOP number `first_gop` of the loop on. A keyframe that is asked for comes as the next
/// picture, as a browser's does.
pub(crate) async fn publish(media: Arc<Media>, url: String, first_gop: u64, sent: Sent) -> Result<()> {
    let mut peer = Peer::open(&url, Direction::SendOnly).await?;
    while !matches!(peer.step(None).await?, Step::Event(Event::Connected)) {}
    let mut publisher = Publisher {
        video_pt: peer.payload_type(peer.video)?,
        audio_pt: peer.payload_type(peer.audio)?,
        packetizer: H264Packetizer::new(DEFAULT_MAX_PAYLOAD),
        picture: first_gop * GOP,
        packets: Vec::new(),
    };
    let start = Instant::now();
    let mut pace = Pace::new(OPUS_SAMPLES);
    loop {
        let (offset, due) = pace.next();
        match peer.step(Some(start + offset)).await? {
            Step::Event(Event::KeyframeRequest(_)) => {
                publisher.picture = publisher.picture.next_multiple_of(GOP);
            }
            Step::Event(_) => {}
            Step::Due => {
                match due {
                    Due::Video(number) => publisher.video(&mut peer, &media, number, &sent.video)?,
                    Due::Audio(number) => publisher.audio(&mut peer, &media, number, &sent.audio)?,
                }
                peer.rtc.handle_input(Input::Timeout(Instant::now()))?;
                pace.advance(due);
            }
        }
    }
}

struct Publisher {
    video_pt: Pt,
    audio_pt: Pt,
    packetizer: H264Packetizer,
    /// Position in the loop.
    picture: u64,
    packets: Vec<queqiao_media::frame::RtpPacket<90_000>>,
}

impl Publisher {
    fn video(&mut self, peer: &mut Peer, media: &Media, number: u64, sent: &Times) -> Result<()> {
        let time = StreamTime::from_duration(Duration::from_nanos(number * 1_000_000_000 / FPS));
        let unit = media.unit(self.picture, u32::try_from(number)?, time).context("no such picture")?;
        self.picture += 1;
        self.packets.clear();
        self.packetizer.packetize(&unit, &mut self.packets);
        let now = Instant::now();
        sent.note(number, now);
        for packet in &self.packets {
            let time = packet.rtp_time.wire();
            let write =
                RtpWrite::new(self.video_pt, packet.seq.into(), time, now, Arc::clone(&packet.payload))
                    .marker(packet.marker)
                    .nackable(true);
            peer.write(peer.video, write)?;
        }
        Ok(())
    }

    fn audio(&self, peer: &mut Peer, media: &Media, number: u64, sent: &Times) -> Result<()> {
        let now = Instant::now();
        sent.note(number, now);
        let time = u32::try_from(number * OPUS_SAMPLES)?;
        let payload: Arc<[u8]> = Arc::from(media.opus(number).as_ref());
        // Sound was recorded one packet before it is sent, pictures just now: sender reports must say so.
        let recorded = now.checked_sub(Duration::from_millis(20)).unwrap_or(now);
        peer.write(peer.audio, RtpWrite::new(self.audio_pt, number.into(), time, recorded, payload))
    }
}
