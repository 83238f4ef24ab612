//! What the WebRTC stack is told to speak: H.264 in packetization mode 1 and Opus, with retransmission (RFC 4588), loss
//! reports, keyframe requests and transport-wide feedback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rtc::interceptor::{
    NackGeneratorBuilder, NackResponderBuilder, ReceiverReportBuilder, Slot, TwccReceiverBuilder,
    TwccSenderBuilder,
};
use rtc::peer_connection::configuration::media_engine::MIME_TYPE_RTX;
use rtc::peer_connection::transport::RTCDtlsRole;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, Registry, SettingEngine,
    SettingEngineBuilder,
};

use super::sdp::MID_EXTENSION;
use super::tap::Tap;
use crate::error::Result;

/// The header extension for transport-wide sequence numbers (draft-holmer-rmcat-transport-wide-cc-extensions-01).
const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// Where the tap stands: behind everything that answers RTCP by itself.
const TAP_SLOT: usize = 20_500;

/// The profiles of H.264 that are taken (RFC 6184 section 8.1), the commonest first, with payload types that are only
/// used if the server leaves the choice: it always offers its own.
const H264_PROFILES: [(&str, u8); 5] =
    [("42e01f", 102), ("42001f", 104), ("4d001f", 106), ("64001f", 112), ("640c1f", 114)];

/// How long no packet may come before the path counts as disturbed: three keep-alives and a bit.
const DISCONNECTED: Duration = Duration::from_secs(3);

/// How long before it counts as lost.
const FAILED: Duration = Duration::from_secs(8);

/// How often the path is probed while media flow one way only.
const KEEPALIVE: Duration = Duration::from_millis(800);

/// How often an unanswered connectivity check is repeated, and how often in all: 10 seconds together.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
const MAX_CHECKS: u16 = 100;

/// Builds a connection that answers offers, with its own sockets on `bind`.
pub(super) async fn connect(
    bind: Vec<SocketAddr>,
    handler: Arc<dyn PeerConnectionEventHandler>,
    tap: Tap,
) -> Result<Arc<dyn PeerConnection>> {
    let connection = PeerConnectionBuilder::new()
        .with_media_engine(media_engine()?)
        .with_interceptor_registry(interceptors(tap))
        .with_setting_engine(settings())
        .with_handler(handler)
        .with_udp_addrs(bind)
        .build()
        .await?;
    Ok(Arc::new(connection))
}

fn settings() -> SettingEngine {
    SettingEngineBuilder::new()
        // The server sits behind one port for everybody: whoever answers opens the handshake.
        .with_answering_dtls_role(RTCDtlsRole::Client)
        .with_ice_timeouts(Some(DISCONNECTED), Some(FAILED), Some(KEEPALIVE))
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(MAX_CHECKS))
        .with_include_loopback_candidate(true)
        // The reason for a restart is a network that changed: what the sockets were bound to may be gone.
        .with_discard_local_candidates_during_ice_restart(true)
        .build()
}

/// Sender reports are not among them: the publisher makes its own, which know the timeline of the media.
fn interceptors(tap: Tap) -> Registry {
    Registry::new()
        .with(Slot::TwccSender, TwccSenderBuilder::new().build())
        .with(Slot::NackResponder, NackResponderBuilder::new().build())
        .with(Slot::NackGenerator, NackGeneratorBuilder::new().build())
        .with(Slot::TwccReceiver, TwccReceiverBuilder::new().build())
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().build())
        .with(Slot::from(TAP_SLOT), tap)
}

fn media_engine() -> Result<MediaEngine> {
    let mut engine = MediaEngine::default();
    engine.register_codec(opus(), RtpCodecKind::Audio)?;
    for (profile, payload_type) in H264_PROFILES {
        engine.register_codec(h264(profile, payload_type), RtpCodecKind::Video)?;
        engine.register_codec(retransmission(payload_type), RtpCodecKind::Video)?;
    }
    for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
        for uri in [MID_EXTENSION, TRANSPORT_CC] {
            let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
            engine.register_header_extension(extension, kind, None)?;
        }
    }
    Ok(engine)
}

/// The codec of a sound track.
pub(super) fn opus() -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: "audio/opus".to_owned(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
            rtcp_feedback: vec![feedback("transport-cc", "")],
        },
        payload_type: 111,
    }
}

/// The codec of a picture track.
pub(super) fn h264(profile: &str, payload_type: u8) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: "video/H264".to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: format!(
                "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}"
            ),
            rtcp_feedback: vec![
                feedback("nack", ""),
                feedback("nack", "pli"),
                feedback("ccm", "fir"),
                feedback("transport-cc", ""),
            ],
        },
        payload_type,
    }
}

fn retransmission(of: u8) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: MIME_TYPE_RTX.to_owned(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: format!("apt={of}"),
            rtcp_feedback: Vec::new(),
        },
        payload_type: of + 1,
    }
}

fn feedback(kind: &str, parameter: &str) -> RTCPFeedback {
    RTCPFeedback { typ: kind.to_owned(), parameter: parameter.to_owned() }
}
