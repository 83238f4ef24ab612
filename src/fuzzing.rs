//! Entry points for the fuzz harness: what strangers can hand to the server itself.

use std::time::Instant;

use crate::rtc::{IceFragment, fuzz_offer};

/// An SDP offer, as WHIP (`publishes`) or WHEP takes it.
pub fn sdp_offer(offer: &str, publishes: bool) {
    fuzz_offer(offer, publishes, Instant::now());
}

/// The body of a WHIP PATCH.
pub fn ice_fragment(fragment: &str) {
    let _ = IceFragment::parse(fragment);
}
