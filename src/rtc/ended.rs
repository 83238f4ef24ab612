//! Why a session ended.

use std::fmt;

use str0m::RtcError;

use super::Ending;
use crate::hub::HubError;

/// Why a session ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By DELETE, or because its participant is gone.
    Requested,
    /// The peer closed it.
    ByPeer,
    /// Someone else publishes the stream now.
    Replaced,
    /// No DTLS handshake within [`super::CONNECT_TIMEOUT`].
    NeverConnected,
    /// No ICE check for [`super::peer::DISCONNECTED_TIMEOUT`].
    Disconnected,
    /// An offer was not answered within [`super::OFFER_TIMEOUT`].
    Unanswered,
    /// The answer did not fit the offer.
    BadAnswer,
    /// The stream's video cannot go to WebRTC.
    ReferenceBPictures,
    Shutdown,
    Hub(HubError),
    Rtc(RtcError),
}

impl Ended {
    /// What those outside are told.
    pub(super) fn ending(&self) -> Ending {
        match self {
            Self::Requested | Self::ByPeer | Self::Replaced | Self::Shutdown => Ending::Left,
            _ => Ending::Lost,
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("closed by request"),
            Self::ByPeer => f.write_str("closed by the peer"),
            Self::Replaced => f.write_str("another publisher took the stream"),
            Self::NeverConnected => f.write_str("never connected"),
            Self::Disconnected => f.write_str("no ICE connectivity"),
            Self::Unanswered => f.write_str("an offer was not answered"),
            Self::BadAnswer => f.write_str("an answer did not fit its offer"),
            Self::ReferenceBPictures => {
                f.write_str("h264_reference_b_pictures: the video has B pictures that others refer to")
            }
            Self::Shutdown => f.write_str("the server is shutting down"),
            Self::Hub(error) => error.fmt(f),
            Self::Rtc(error) => error.fmt(f),
        }
    }
}

impl From<RtcError> for Ended {
    fn from(error: RtcError) -> Self {
        Self::Rtc(error)
    }
}
