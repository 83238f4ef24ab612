//! A WebRTC client: str0m with a socket of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::format::Codec;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, Transmit};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::time::sleep_until;

use crate::Error;
use crate::tally::{RtpHeader, Tally, Treatment};
use crate::udp::Udp;

/// Payload types of an offer: H.264 constrained baseline, and its retransmissions.
const H264: (u8, u8, u32) = (108, 109, 0x42_e01f);

/// When a connectivity check that nobody answered is sent again for the first time: as soon as browsers do. One that arrives
/// before the session description is for nothing.
const FIRST_CHECK_AGAIN: Duration = Duration::from_millis(50);

/// How often NACKs and the like are looked up.
const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// What ended a step.
#[derive(Debug)]
pub enum Step {
    /// Something happened.
    Event(Event),
    /// The time that was asked for has come.
    Due,
}

/// One end of a WebRTC connection.
pub struct Peer {
    /// The engine. Whoever changes anything calls [`Self::drive`] after it.
    pub rtc: Rtc,
    /// What is known of the packets that come.
    pub tally: Tally,
    udp: Udp,
    wake: Instant,
    events: VecDeque<Event>,
}

impl Peer {
    /// A client of a server that is reached at `server`. Nothing is sent until there is a session description.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if no socket can be had.
    pub fn open(server: SocketAddr, tally: Tally, now: Instant) -> Result<Self, Error> {
        let udp = Udp::bind(server)?;
        let mut config = RtcConfig::new()
            .set_rtp_mode(true)
            .set_stats_interval(Some(STATS_INTERVAL))
            .clear_codecs()
            .enable_opus(true, false);
        let (pt, rtx, profile) = H264;
        config.set_initial_stun_rto(FIRST_CHECK_AGAIN);
        config.codec_config().add_h264(pt.into(), Some(rtx.into()), true, profile);
        let mut rtc = config.build(now);
        let candidate = Candidate::host(udp.local(), "udp").map_err(|error| Error::Sdp(error.to_string()))?;
        rtc.add_local_candidate(candidate);
        Ok(Self { rtc, tally, udp, wake: now, events: VecDeque::new() })
    }

    /// Lets the engine speak until it has nothing left to say.
    ///
    /// # Errors
    ///
    /// [`Error::Rtc`] or [`Error::Io`]; the session is over.
    pub fn drive(&mut self, now: Instant) -> Result<(), Error> {
        self.rtc.handle_input(Input::Timeout(now))?;
        let mut answers = Vec::new();
        self.wake = drain(&mut self.rtc, &mut self.events, &mut answers)?;
        self.send(answers)
    }

    /// From now on the socket is read now and then instead of at every packet: much cheaper, and arrival is known all the
    /// same.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the socket cannot be changed.
    pub fn pace(&mut self, now: Instant) -> Result<(), Error> {
        Ok(self.udp.pace(now)?)
    }

    /// Runs until something happens, or until `until`. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] when the session ended, [`Error::Rtc`] or [`Error::Io`] when it broke.
    pub async fn step(&mut self, until: Option<Instant>) -> Result<Step, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Step::Event(event));
            }
            if !self.rtc.is_alive() {
                return Err(Error::Closed("webrtc"));
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Ok(Step::Due);
            }
            let wake = until.map_or(self.wake, |until| until.min(self.wake));
            tokio::select! {
                biased;
                readable = self.udp.readable() => {
                    readable?;
                    self.receive()?;
                }
                () = sleep_until(wake.into()) => {
                    let now = Instant::now();
                    if self.wake <= now {
                        self.drive(now)?;
                    }
                }
            }
        }
    }

    fn receive(&mut self) -> Result<(), Error> {
        self.tally.look_at_window();
        let local = self.udp.local();
        let Self { rtc, tally, udp, events, wake } = self;
        let mut answers = Vec::new();
        let mut result = Ok(());
        udp.receive(|source, datagram, arrival| {
            let header = RtpHeader::parse(datagram);
            let counted = header.is_some_and(|header| tally.packet(&header, arrival) == Treatment::Count);
            if counted || result.is_err() {
                return;
            }
            let Ok(receive) = Receive::new(Protocol::Udp, source, local, datagram) else { return };
            let input = Input::Receive(arrival, receive);
            // Datagrams from where no ICE check came are for nobody.
            if rtc.accepts(&input) {
                result = rtc
                    .handle_input(input)
                    .map_err(Error::from)
                    .and_then(|()| drain(rtc, events, &mut answers))
                    .map(|at| *wake = at);
            }
        })?;
        result?;
        self.send(answers)
    }

    fn send(&mut self, answers: Vec<Transmit>) -> Result<(), Error> {
        for transmit in answers {
            self.udp.send(transmit.destination, transmit.contents);
        }
        Ok(self.udp.flush()?)
    }

    /// The payload type of a section in which one sends.
    ///
    /// # Errors
    ///
    /// [`Error::Sdp`] if there is none in common.
    pub fn payload_type(&self, mid: Mid) -> Result<Pt, Error> {
        let media = self.rtc.media(mid).ok_or_else(|| Error::Sdp(format!("there is no section {mid}")))?;
        let codec = if media.kind() == MediaKind::Audio { Codec::Opus } else { Codec::H264 };
        let negotiated = media.remote_pts();
        let params = self.rtc.codec_config().params();
        params
            .iter()
            .find(|params| negotiated.contains(&params.pt()) && params.spec().codec == codec)
            .map(str0m::format::PayloadParams::pt)
            .ok_or_else(|| Error::Sdp("no codec in common".to_owned()))
    }

    /// Queues a packet, to be sent by [`Self::drive`].
    ///
    /// # Errors
    ///
    /// [`Error::Sdp`] if nothing is to be sent in that section.
    pub fn write(&mut self, mid: Mid, packet: RtpWrite) -> Result<(), Error> {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, None);
        stream.ok_or_else(|| Error::Sdp(format!("nothing is sent in section {mid}")))?.write_rtp(packet);
        Ok(())
    }

    /// Looks no longer into the packets of a stream that came in so far.
    pub fn only_count(&mut self, ssrc: u32) {
        self.tally.only_count(ssrc);
        if let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc.into()) {
            // What the engine does not see it would miss.
            stream.suppress_nack(true);
        }
    }

    /// Says goodbye.
    ///
    /// # Errors
    ///
    /// [`Error::Rtc`] or [`Error::Io`]; the session is over all the same.
    pub fn close(&mut self, now: Instant) -> Result<(), Error> {
        self.rtc.close()?;
        self.drive(now)
    }
}

/// Takes what the engine has to say, up to when it wants to be woken.
fn drain(rtc: &mut Rtc, events: &mut VecDeque<Event>, answers: &mut Vec<Transmit>) -> Result<Instant, Error> {
    loop {
        match rtc.poll_output()? {
            Output::Transmit(transmit) => answers.push(transmit),
            Output::Event(event) => events.push_back(event),
            Output::Timeout(at) => return Ok(at),
        }
    }
}
