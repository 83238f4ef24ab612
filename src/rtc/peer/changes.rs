//! What a session carries, and the offers and answers that change it.

use std::time::Instant;

use queqiao_media::layers::LayerSet;
use queqiao_room::{Grant, StreamKey};
use tracing::debug;

use super::super::directory::IceFragment;
use super::super::egress::Egress;
use super::super::incoming::Incoming;
use super::super::negotiate::{Flow, restart_ice};
use super::super::negotiation::Negotiation;
use super::super::{Change, Error, Notice};
use super::Peer;
use crate::hub::Seat;

impl Peer {
    /// Takes a stream in from the peer, once its sections are there.
    pub(in crate::rtc) fn receive_stream(&mut self, grant: Grant) {
        match self.incoming.iter_mut().find(|incoming| incoming.grant.stream() == grant.stream()) {
            Some(incoming) => incoming.grant = grant,
            None => self.incoming.push(Incoming::new(grant)),
        }
    }

    /// Sends a stream to the peer, once its sections are there.
    pub(in crate::rtc) fn send_stream(&mut self, seat: Seat, now: Instant) {
        let known = self.outgoing.iter_mut().find(|(_, egress)| egress.stream().key() == seat.stream().key());
        match known {
            Some((_, egress)) => egress.set_max_layer(seat.max_layer()),
            None => {
                self.outgoing.insert(Egress::new(seat, now));
            }
        }
    }

    /// Changes what is carried, and makes an offer of it if none is open. Returns the server's new ICE user name fragment
    /// where the offer restarts ICE.
    pub(in crate::rtc) fn change(&mut self, change: Change, now: Instant) -> Result<Option<String>, Error> {
        let Negotiation::Offering(sections) = &mut self.negotiation else { return Err(Error::NoSuchSession) };
        match change {
            Change::Receive { grant, tracks, layers } => {
                sections.want(Flow::In, grant.stream(), tracks, layers);
                self.receive_stream(grant);
            }
            Change::StopReceiving(kind) => {
                for incoming in self.incoming.iter().filter(|incoming| incoming.grant.stream().kind == kind) {
                    sections.drop_stream(Flow::In, incoming.grant.stream());
                }
                self.incoming.retain(|incoming| incoming.grant.stream().kind != kind);
            }
            Change::Send { seat, tracks } => {
                sections.want(Flow::Out, seat.stream().key(), tracks, LayerSet::SINGLE);
                self.send_stream(seat, now);
            }
            Change::StopSending(stream) => {
                sections.drop_stream(Flow::Out, &stream);
                self.stop_sending(&stream, now);
            }
            Change::RestartIce => sections.restart_ice(),
        }
        Ok(self.negotiate(now))
    }

    fn stop_sending(&mut self, stream: &StreamKey, now: Instant) {
        let found = self.outgoing.iter().find(|(_, egress)| egress.stream().key() == stream);
        let Some(index) = found.map(|(index, _)| index) else { return };
        self.outgoing.remove(index).retire(&mut self.idle, now);
        self.joins.retain(|(joining, _)| *joining != index);
        self.leaves.push(index);
    }

    fn negotiate(&mut self, now: Instant) -> Option<String> {
        let Negotiation::Offering(sections) = &mut self.negotiation else { return None };
        let made = sections.negotiate(&mut self.rtc, now)?;
        debug!(revision = made.offer.revision, sections = made.offer.sections.len(), "offered");
        let _ = self.notices.send(Notice::Offer { session: self.id.clone(), offer: made.offer });
        made.ufrag
    }

    /// Takes the answer to the open offer, and makes the next one if something has changed meanwhile. Returns as
    /// [`Peer::change`].
    pub(in crate::rtc) fn answer(
        &mut self,
        revision: u64,
        sdp: &str,
        now: Instant,
    ) -> Result<Option<String>, Error> {
        let Negotiation::Offering(sections) = &mut self.negotiation else { return Err(Error::NoSuchSession) };
        sections.answer(&mut self.rtc, revision, sdp)?;
        if self.disconnected_since.is_some() {
            // The time for a new path to be found begins anew.
            self.disconnected_since = Some(now);
        }
        Ok(self.negotiate(now))
    }

    /// Restarts ICE. Returns the fragment to answer with and its entity tag.
    pub(in crate::rtc) fn restart_ice(&mut self, fragment: &IceFragment) -> Result<(String, String), Error> {
        let Negotiation::Answered { offer, .. } = &self.negotiation else { return Err(Error::NoSuchSession) };
        let restarted = restart_ice(&mut self.rtc, offer, fragment)?;
        self.disconnected_since = None;
        Ok(restarted)
    }
}
