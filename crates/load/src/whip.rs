//! WebRTC publishers and players without signalling: WHIP (RFC 9725) and WHEP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::rtp::RtpPacket;
use str0m::{Event, Output};

use crate::Error;
use crate::http::post_sdp;
use crate::mark::Mark;
use crate::media::{Due, Media, Playhead};
use crate::rtc::{Peer, Step};
use crate::send::Sender;
use crate::tally::Tally;

/// Offers to `url` and takes the answer; the connection is yet to be made. Returns the sections of audio and video.
async fn open(url: &str, direction: Direction) -> Result<(Peer, Mid, Mid), Error> {
    let authority = url.strip_prefix("http://").and_then(|rest| rest.split('/').next());
    let server: SocketAddr = crate::http::resolve(authority.unwrap_or_default()).await?;
    let mut peer = Peer::open(server, Tally::new(Arc::default()), Instant::now())?;
    let mut changes = peer.rtc.sdp_api();
    let audio = changes.add_media(MediaKind::Audio, direction, None, None, None);
    let video = changes.add_media(MediaKind::Video, direction, None, None, None);
    let (offer, pending) = changes.apply().ok_or_else(|| Error::Sdp("nothing to offer".to_owned()))?;
    let answer = post_sdp(url, &offer.to_sdp_string()).await?;
    let answer = SdpAnswer::from_sdp_string(&answer).map_err(|error| Error::Sdp(error.to_string()))?;
    peer.rtc.sdp_api().accept_answer(pending, answer)?;
    // Whoever waits for the other's DTLS must be told once that time passes.
    while !matches!(peer.rtc.poll_output()?, Output::Timeout(_)) {}
    peer.drive(Instant::now())?;
    Ok((peer, audio, video))
}

/// A packet that came in.
pub enum Received<'a> {
    /// Of the sound.
    Audio(&'a RtpPacket),
    /// Of the pictures.
    Video(&'a RtpPacket),
}

/// Watches until `each` says that it is enough, or the task is dropped.
///
/// # Errors
///
/// When the server refuses, or the connection breaks.
pub async fn watch(url: String, mut each: impl FnMut(Received<'_>) -> bool + Send) -> Result<(), Error> {
    let (mut peer, audio, video) = open(&url, Direction::RecvOnly).await?;
    loop {
        let Step::Event(Event::RtpPacket(packet)) = peer.step(None).await? else { continue };
        let mid = peer.rtc.direct_api().stream_rx(&packet.header.ssrc).map(|stream| stream.mid());
        let more = match mid {
            Some(mid) if mid == video => each(Received::Video(&packet)),
            Some(mid) if mid == audio => each(Received::Audio(&packet)),
            Some(_) | None => true,
        };
        if !more {
            return peer.close(Instant::now());
        }
    }
}

/// Puts packets together to pictures.
#[derive(Default)]
pub struct Pictures {
    mark: Option<Mark>,
    keyframe: bool,
}

impl Pictures {
    /// Returns the mark of the picture that `packet` completes, and whether it is a keyframe.
    pub fn push(&mut self, packet: &RtpPacket) -> Option<(Mark, bool)> {
        self.mark = self.mark.or_else(|| Mark::find(&packet.payload));
        self.keyframe |= begins_idr(&packet.payload);
        if !packet.header.marker {
            return None;
        }
        let keyframe = std::mem::take(&mut self.keyframe);
        Some((self.mark.take()?, keyframe))
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

/// Publishes until `sent` says that it is enough, or the task is dropped, from GOP number `first_gop` of the loop on. `sent`
/// is told of every frame just before it is sent.
///
/// # Errors
///
/// When the server refuses, or the connection breaks.
pub async fn publish(
    media: Arc<Media>,
    url: String,
    first_gop: u64,
    mut sent: impl FnMut(Due, Instant) -> bool + Send,
) -> Result<(), Error> {
    let (mut peer, audio, video) = open(&url, Direction::SendOnly).await?;
    while !matches!(peer.step(None).await?, Step::Event(Event::Connected)) {}
    let playhead = Playhead::new(first_gop, first_gop);
    let mut sender = Sender::new(media, (audio, video), playhead, &peer, Instant::now())?;
    loop {
        match peer.step(Some(sender.due())).await? {
            Step::Event(Event::KeyframeRequest(_)) => sender.request_keyframe(),
            Step::Event(_) => {}
            Step::Due => {
                let now = Instant::now();
                if !sent(sender.next(), now) {
                    return peer.close(now);
                }
                sender.send(&mut peer, now)?;
            }
        }
    }
}
