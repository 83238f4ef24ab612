//! Text that comes by HTTP.

use std::time::Duration;

use queqiao::fuzzing;

use super::Target;
use crate::trace::Trace;

const DICTIONARY: &[&[u8]] = &[
    b"a=candidate:1 1 udp 2130706431 127.0.0.1 40000 typ host\r\n",
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
    b"a=end-of-candidates\r\n",
    b"a=extmap:1/sendonly urn:ietf:params:rtp-hdrext:sdes:mid\r\n",
    b"a=fingerprint:sha-256 00:00\r\n",
    b"a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n",
    b"a=group:BUNDLE 0 1 2\r\n",
    b"a=ice-options:trickle\r\n",
    b"a=ice-pwd:",
    b"a=ice-ufrag:",
    b"a=inactive\r\n",
    b"a=mid:1\r\n",
    b"a=msid:- x\r\n",
    b"a=recvonly\r\n",
    b"a=rid:h send pt=108;max-br=1\r\n",
    b"a=rtcp-fb:* nack pli\r\n",
    b"a=rtcp-mux-only\r\n",
    b"a=rtpmap:111 opus/48000/2\r\n",
    b"a=sendonly\r\n",
    b"a=setup:actpass\r\n",
    b"a=simulcast:send h;~m;l recv a,b\r\n",
    b"a=ssrc-group:SIM 1 2 3\r\n",
    b"a=ssrc:1 cname:x\r\n",
    b"c=IN IP6 ::1\r\n",
    b"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
    b"m=audio 0 UDP/TLS/RTP/SAVPF 111 63 9\r\n",
    b"m=video 9 UDP/TLS/RTP/SAVPF 108\r\n",
    b"apt=",
    b"\xc3\xa9",
];

/// Setting up a session from the largest offer takes 300 KB, most of it for the retransmission buffers.
const SESSION_MEMORY: usize = 4 << 20;

pub(crate) const SDP_OFFER: Target = Target {
    memory: SESSION_MEMORY,
    max_len: 16 << 10,
    native: true,
    short: 150,
    budget: Duration::from_millis(50),
    dictionary: DICTIONARY,
    ..Target::new("sdp_offer", "an SDP offer by WHIP and by WHEP", sdp_offer)
};

fn sdp_offer(input: &[u8], _: &mut Trace) {
    let text = String::from_utf8_lossy(input);
    fuzzing::sdp_offer(&text, true);
    fuzzing::sdp_offer(&text, false);
}

pub(crate) const ICE_FRAGMENT: Target = Target {
    dictionary: DICTIONARY,
    ..Target::new("ice_fragment", "the body of a WHIP PATCH", ice_fragment)
};

fn ice_fragment(input: &[u8], _: &mut Trace) {
    fuzzing::ice_fragment(&String::from_utf8_lossy(input));
}
