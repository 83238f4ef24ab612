//! Who makes the offers of a session, and what came of them.

use std::time::Instant;

use queqiao_room::StreamKey;
use str0m::Rtc;
use str0m::media::Mid;

use super::negotiate::Flow;
use super::sections::Sections;

/// Who makes the offers, and what came of them.
pub(super) enum Negotiation {
    /// The peer, and once: WHIP and WHEP. An ICE restart is its offer with other credentials.
    Answered { offer: String, audio: Option<Mid>, video: Option<Mid> },
    /// The server, as often as something changes: participants with signalling.
    Offering(Sections),
}

impl Negotiation {
    /// The sections that carry a stream's sound and pictures by now.
    pub(super) fn mids(&self, rtc: &Rtc, flow: Flow, stream: &StreamKey) -> (Option<Mid>, Option<Mid>) {
        match self {
            Self::Answered { audio, video, .. } => (*audio, *video),
            Self::Offering(sections) => sections.mids(rtc, flow, stream),
        }
    }

    /// When an offer of the server has to be answered.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Answered { .. } => None,
            Self::Offering(sections) => sections.deadline(),
        }
    }
}
