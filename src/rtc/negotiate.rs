//! From an SDP offer (WHIP: RFC 9725, WHEP) to a session that waits for its first STUN request.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::Codec;
use str0m::ice::IceCreds;
use str0m::media::{MediaKind, Mid, Pt};
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{Candidate, Rtc, RtcConfig};

use super::Error;
use super::directory::IceFragment;
use super::dtls::OpenSslDtls;

/// The H.264 profiles offered and accepted, in order of preference: constrained baseline, baseline, main, high.
/// Payload type, RTX payload type, profile-level-id (RFC 6184 section 8.1). Always packetization-mode 1; levels
/// are nominal, since asymmetry is allowed.
const H264_PROFILES: [(u8, u8, u32); 4] =
    [(108, 109, 0x42_e01f), (127, 121, 0x42_001f), (123, 119, 0x4d_001f), (114, 115, 0x64_001f)];

/// How often statistics are taken: loss as receivers report it, once a second.
const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// How often sender and receiver reports go out. A browser can only keep lips in sync once it has one of each track.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Offers beyond this are refused before they are parsed. Chromium's are about 6 KB.
pub(crate) const MAX_SDP: usize = 64 * 1024;

/// Media sections of one offer. Publishing takes two, and nobody needs hundreds.
const MAX_MEDIA_SECTIONS: usize = 16;

/// Which way media flows, seen from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The peer publishes.
    In,
    /// The peer plays.
    Out,
}

/// What all sessions share: one certificate, one set of addresses.
pub(super) struct Negotiator {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    candidates: Vec<SocketAddr>,
}

/// An accepted offer.
pub(super) struct Negotiated {
    pub(super) rtc: Rtc,
    pub(super) answer: String,
    pub(super) credentials: IceCreds,
    pub(super) audio: Option<Mid>,
    pub(super) video: Option<Mid>,
}

impl Negotiator {
    /// `candidates` are the addresses at which peers reach the UDP port.
    pub(super) fn new(candidates: Vec<SocketAddr>) -> Result<Self, Error> {
        // aws-lc encrypts packets fastest. Its DTLS knows no RSA, which GStreamer's certificates use: OpenSSL's does.
        let crypto =
            Arc::new(CryptoProvider { dtls_provider: &OpenSslDtls, ..str0m::crypto::from_feature_flags() });
        let certificate = crypto.dtls_provider.generate_certificate().ok_or(Error::Certificate)?;
        Ok(Self { crypto, certificate, candidates })
    }

    /// Answers `offer`.
    pub(super) fn accept(&self, offer: &str, flow: Flow, now: Instant) -> Result<Negotiated, Error> {
        if offer.len() > MAX_SDP {
            return Err(Error::SdpTooLarge);
        }
        if offer.lines().filter(|line| line.starts_with("m=")).count() > MAX_MEDIA_SECTIONS {
            return Err(Error::Sdp("too many media sections".to_owned()));
        }
        let parsed = SdpOffer::from_sdp_string(&without_layers(offer))
            .map_err(|error| Error::Sdp(error.to_string()))?;
        let mut rtc = self.session(extensions(&[flow]), flow == Flow::In, now);
        self.add_candidates(&mut rtc)?;
        let answer = rtc.sdp_api().accept_offer(parsed).map_err(|error| Error::Sdp(error.to_string()))?;
        let answer = answer.to_sdp_string();
        let (audio, video) = sections(&rtc, &answer, flow)?;
        let credentials = rtc.direct_api().local_ice_credentials();
        let answer = as_one_stream(&answer);
        Ok(Negotiated { answer, credentials, audio, video, rtc })
    }

    /// A session to which the server will offer, without media so far.
    pub(super) fn offerer(&self, now: Instant) -> Result<Rtc, Error> {
        // Whatever flows where: the offer leaves out what one direction does not need.
        let mut extensions = extensions(&[Flow::In, Flow::Out]);
        for (id, extension) in LAYER_EXTENSIONS {
            extensions.set(id, extension);
        }
        let mut rtc = self.session(extensions, true, now);
        self.add_candidates(&mut rtc)?;
        Ok(rtc)
    }

    fn add_candidates(&self, rtc: &mut Rtc) -> Result<(), Error> {
        for &address in &self.candidates {
            let candidate = Candidate::host(address, "udp").map_err(|error| Error::Sdp(error.to_string()))?;
            rtc.add_local_candidate(candidate);
        }
        Ok(())
    }

    /// `takes_sound` where the peer may publish.
    fn session(&self, extensions: ExtensionMap, takes_sound: bool, now: Instant) -> Rtc {
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&self.crypto))
            .set_dtls_cert(self.certificate.clone())
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_stats_interval(Some(STATS_INTERVAL))
            .set_rtcp_report_interval_audio(REPORT_INTERVAL)
            .set_rtcp_report_interval_video(REPORT_INTERVAL)
            .set_extension_map(extensions)
            .clear_codecs()
            .enable_opus(true, true);
        for params in config.codec_config().iter_mut() {
            // What is lost of sound that comes in is asked for again.
            params.set_fb_nack(takes_sound);
        }
        for (pt, rtx, profile) in H264_PROFILES {
            config.codec_config().add_h264(pt.into(), Some(rtx.into()), true, profile);
        }
        config.build(now)
    }
}

/// What layers are told apart by, in packets and in their retransmissions (RFC 8852).
const LAYER_EXTENSIONS: [(u8, Extension); 2] =
    [(10, Extension::RtpStreamId), (11, Extension::RepairedRtpStreamId)];

/// Takes layers out of an offer. Only those whom the server offers to can be told which ones to send: from others it takes
/// one.
fn without_layers(offer: &str) -> String {
    let kept = |line: &&str| !(line.starts_with("a=simulcast:") || line.starts_with("a=rid:"));
    offer.split_inclusive('\n').filter(kept).collect()
}

/// Leaves to each section its own way to find out what the path carries: to one that receives transport-wide feedback, from
/// which the peer estimates it; to one that sends the time at which packets leave, from which the peer estimates it as well
/// and says so (REMB). Feedback about every packet would have each viewer send twenty packets a second, and cost the server
/// as much as sending the stream.
///
/// Sound that is sent is not sent again, but with redundancy.
pub(super) fn with_one_estimator(offer: &str) -> String {
    let mut changed = String::with_capacity(offer.len());
    let mut sections = offer.split_inclusive("\r\nm=");
    changed.push_str(sections.next().unwrap_or_default());
    for section in sections {
        let sends = section.contains("\r\na=sendonly\r\n");
        let kept = section.split_inclusive("\r\n").filter(|line| match sends {
            true => {
                let of_sound = section.starts_with("audio") && line.trim_end().ends_with(" nack");
                !line.contains("transport-cc") && !line.contains("transport-wide-cc-extensions") && !of_sound
            }
            false => !line.contains("abs-send-time"),
        });
        changed.extend(kept);
    }
    changed
}

/// The name of the one stream of an answer.
const STREAM_ID: &str = "queqiao";

/// Puts all tracks of an answer into one stream (RFC 8830): browsers keep lips in sync only within a stream, and
/// str0m gives every track one of its own.
fn as_one_stream(answer: &str) -> String {
    let mut changed = String::with_capacity(answer.len());
    for line in answer.lines() {
        let msid =
            line.split_once("msid:").filter(|(before, _)| *before == "a=" || before.starts_with("a=ssrc:"));
        match msid {
            Some((before, msid)) => {
                let track = msid.split_once(' ').map_or("", |(_, track)| track);
                changed.push_str(before);
                changed.push_str("msid:");
                changed.push_str(STREAM_ID);
                changed.push(' ');
                changed.push_str(track);
            }
            None if line.starts_with("a=msid-semantic") => {
                changed.push_str("a=msid-semantic: WMS ");
                changed.push_str(STREAM_ID);
            }
            None => changed.push_str(line),
        }
        changed.push_str("\r\n");
    }
    changed
}

/// Orientation (3GPP CVO) is left out, so that a phone turns its pictures before it encodes them: RTMP has no
/// way to say it.
fn extensions(flows: &[Flow]) -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    map.set(4, Extension::RtpMid);
    for flow in flows {
        match flow {
            Flow::In => map.set(3, Extension::TransportSequenceNumber),
            Flow::Out => {
                map.set(2, Extension::AbsoluteSendTime);
                map.set(5, Extension::PlayoutDelay);
            }
        }
    }
    map
}

/// The payload type of sound of the type `pt` with redundancy (RFC 2198), where the peer takes it.
pub(super) fn redundant_type(rtc: &Rtc, pt: Pt) -> Option<Pt> {
    rtc.codec_config().params().iter().find(|params| params.pt() == pt)?.red()
}

/// Whether packets of the type `pt` carry others once more.
pub(super) fn is_redundant(rtc: &Rtc, pt: Pt) -> bool {
    rtc.codec_config().params().iter().any(|params| params.red() == Some(pt))
}

/// The first audio and the first video section of an answer in which media can flow the way the session is meant to.
fn sections(rtc: &Rtc, answer: &str, flow: Flow) -> Result<(Option<Mid>, Option<Mid>), Error> {
    let (mut audio, mut video) = (None, None);
    let mut refused = false;
    for mid in answer.lines().filter_map(|line| line.trim_end().strip_prefix("a=mid:")) {
        let mid = Mid::from(mid);
        let Some(media) = rtc.media(mid) else { continue };
        let flows = match flow {
            Flow::In => media.direction().is_receiving(),
            Flow::Out => media.direction().is_sending(),
        };
        let slot = match media.kind() {
            MediaKind::Audio => &mut audio,
            MediaKind::Video => &mut video,
        };
        let carried = payload_type(rtc, mid, media.kind(), None).is_some();
        refused |= flows && !carried;
        if flows && carried && slot.is_none() {
            *slot = Some(mid);
        }
    }
    match (audio, video) {
        (None, None) if refused => Err(Error::NoCommonCodec),
        (None, None) => Err(Error::NoMedia),
        found => Ok(found),
    }
}

/// The payload type to send `kind` with: for video that of the profile closest to `profile_level_id`.
pub(super) fn payload_type(
    rtc: &Rtc,
    mid: Mid,
    kind: MediaKind,
    profile_level_id: Option<u32>,
) -> Option<Pt> {
    let negotiated = rtc.media(mid)?.remote_pts();
    let wanted = match kind {
        MediaKind::Audio => Codec::Opus,
        MediaKind::Video => Codec::H264,
    };
    let profile_idc = profile_level_id.unwrap_or(0x42_0000) >> 16;
    rtc.codec_config()
        .params()
        .iter()
        .filter(|params| negotiated.contains(&params.pt()) && params.spec().codec == wanted)
        .min_by_key(|params| {
            params.spec().format.profile_level_id.unwrap_or_default().abs_diff(profile_idc << 16)
        })
        .map(str0m::format::PayloadParams::pt)
}

/// Accepts `offer` once more with the credentials of `fragment`, which makes str0m restart ICE. Returns the fragment to
/// answer with and the server's new user name fragment.
pub(super) fn restart_ice(
    rtc: &mut Rtc,
    offer: &str,
    fragment: &IceFragment,
) -> Result<(String, String), Error> {
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
    Ok((lines, credentials.ufrag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_estimated_in_one_way_in_each_direction() {
        let (feedback, time) = ("a=rtcp-fb:108 transport-cc\r\n", "a=extmap:2 http://x/abs-send-time\r\n");
        let offer = format!(
            "v=0\r\nm=video 9 X\r\n{feedback}{time}a=recvonly\r\nm=video 9 Y\r\na=sendonly\r\n{feedback}{time}"
        );
        let expected =
            format!("v=0\r\nm=video 9 X\r\n{feedback}a=recvonly\r\nm=video 9 Y\r\na=sendonly\r\n{time}");
        assert_eq!(with_one_estimator(&offer), expected);
    }

    #[test]
    fn who_offers_layers_is_answered_as_if_it_had_offered_one() {
        let offer = "m=video 9 X\r\na=rid:0 send\r\na=rid:1 send\r\na=simulcast:send 0;1\r\na=sendonly\r\n";
        assert_eq!(without_layers(offer), "m=video 9 X\r\na=sendonly\r\n");
    }

    #[test]
    fn all_tracks_of_an_answer_belong_to_one_stream() {
        let answer = "a=msid-semantic: WMS abc def\r\na=msid:abc audio1\r\na=ssrc:5 cname:abc\r\n\
                      a=msid:def video1\r\na=ssrc:7 msid:def video1\r\na=mid:1\r\n";
        assert_eq!(
            as_one_stream(answer),
            "a=msid-semantic: WMS queqiao\r\na=msid:queqiao audio1\r\na=ssrc:5 cname:abc\r\n\
             a=msid:queqiao video1\r\na=ssrc:7 msid:queqiao video1\r\na=mid:1\r\n"
        );
    }
}
