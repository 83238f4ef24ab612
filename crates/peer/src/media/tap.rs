//! The RTCP that concerns the application: requests for keyframes, and sender reports.
//!
//! The WebRTC stack keeps inbound RTCP to itself. This interceptor stands last in its chain and reads along.

use std::collections::VecDeque;
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use tokio::sync::mpsc;
use tracing::debug;

/// How much waits to be looked at: reports come once a second for each of at most 120 received tracks.
pub(super) const MAX_WAITING: usize = 256;

/// What an RTCP packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feedback {
    /// Whoever receives this source of ours cannot decode it.
    KeyframeWanted { source: u32 },
    /// At `ntp` on the sender's wall clock, the RTP clock of this source showed `rtp`.
    SenderReport { source: u32, rtp: u32, ntp: u64 },
}

/// See the module.
pub(super) struct Tap {
    feedback: mpsc::Sender<Feedback>,
    reads: VecDeque<TaggedPacket>,
    writes: VecDeque<TaggedPacket>,
}

impl Tap {
    pub(super) fn new(feedback: mpsc::Sender<Feedback>) -> Self {
        Self { feedback, reads: VecDeque::new(), writes: VecDeque::new() }
    }

    fn tell(&self, feedback: Feedback) {
        // A lost request is repeated, and a lost report followed by another.
        if self.feedback.try_send(feedback).is_err() {
            debug!(?feedback, "RTCP came faster than it is read");
        }
    }
}

/// What a packet says to the application.
fn read(packet: &dyn rtc::rtcp::Packet) -> Vec<Feedback> {
    let packet = packet.as_any();
    if let Some(request) = packet.downcast_ref::<PictureLossIndication>() {
        vec![Feedback::KeyframeWanted { source: request.media_ssrc }]
    } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
        request.fir.iter().map(|entry| Feedback::KeyframeWanted { source: entry.ssrc }).collect()
    } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
        vec![Feedback::SenderReport { source: report.ssrc, rtp: report.rtp_time, ntp: report.ntp_time }]
    } else {
        Vec::new()
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Tap {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            for feedback in packets.iter().flat_map(|packet| read(packet.as_ref())) {
                self.tell(feedback);
            }
        }
        self.reads.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Error> {
        self.writes.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }
}

impl Interceptor for Tap {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use rtc::rtcp::payload_feedbacks::full_intra_request::FirEntry;

    use super::*;

    #[test]
    fn requests_for_keyframes_and_sender_reports_are_read() {
        let pli = PictureLossIndication { sender_ssrc: 1, media_ssrc: 7 };
        assert_eq!(read(&pli), [Feedback::KeyframeWanted { source: 7 }]);
        let entry = FirEntry { ssrc: 8, sequence_number: 3 };
        let fir = FullIntraRequest { sender_ssrc: 1, media_ssrc: 0, fir: vec![entry] };
        assert_eq!(read(&fir), [Feedback::KeyframeWanted { source: 8 }]);
        let report = SenderReport { ssrc: 9, ntp_time: 10, rtp_time: 11, ..SenderReport::default() };
        assert_eq!(read(&report), [Feedback::SenderReport { source: 9, rtp: 11, ntp: 10 }]);
    }
}
