//! Which of a peer's addresses media go to when it changes.
//!
//! A phone that changes its network, or whose NAT forgets it, goes on from another address with the same credentials. Its
//! checks make the new address known at once, but both look equally good to ICE, which would go on with the old one until
//! its checks are 15 s old.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::Candidate;
use str0m::ice::StunMessage;

/// How long the address in use has to be silent for another one to take its place. Every peer sends something more often, be
/// it feedback; and one that is gone should not be sent to for much longer.
const SILENCE: Duration = Duration::from_millis(500);

/// The address of a peer that media go to.
#[derive(Debug, Default)]
pub(super) struct Path {
    current: Option<(SocketAddr, Instant)>,
}

impl Path {
    /// Notes a datagram that ICE has accepted. Returns the address that is given up for its source.
    pub(super) fn note(&mut self, source: SocketAddr, data: &[u8], now: Instant) -> Option<SocketAddr> {
        let old = match &mut self.current {
            Some((address, heard)) if *address == source => {
                *heard = now;
                return None;
            }
            Some((_, heard)) if now.duration_since(*heard) < SILENCE => return None,
            current => current.map(|(address, _)| address),
        };
        if !nominates(data) {
            return None;
        }
        self.current = Some((source, now));
        old
    }
}

/// Whether a datagram is the check by which a peer chooses the address that it comes from (RFC 8445 section 7.2.2).
fn nominates(data: &[u8]) -> bool {
    // RFC 7983 section 7: what begins with less is STUN.
    data.first().is_some_and(|first| *first < 4)
        && StunMessage::parse(data).is_ok_and(|stun| stun.is_binding_request() && stun.use_candidate())
}

/// What ICE may know an address as: from a check alone, or from a description.
pub(super) fn candidates(address: SocketAddr) -> impl Iterator<Item = Candidate> {
    let (ip, port) = (address.ip(), address.port());
    let reflexive = Candidate::from_sdp_string(&format!("candidate:1 1 udp 1 {ip} {port} typ prflx"));
    let host = Candidate::host(address, "udp");
    reflexive.into_iter().chain(host)
}
