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
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    address: SocketAddr,
    heard: Instant,
    /// When the peer was last heard from any address.
    peer_heard: Instant,
    /// Whether it has been silent everywhere for [`SILENCE`] since this address was heard.
    was_cut_off: bool,
}

/// A peer's media are to go to another address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moved {
    /// The address that is given up.
    pub(super) from: SocketAddr,
    /// Whether the peer was not heard in between. One that was has chosen another way to a server that it never lost, and
    /// has missed nothing.
    pub(super) was_cut_off: bool,
}

impl Path {
    /// Notes a datagram that ICE has accepted. Returns what is given up for its source.
    pub(super) fn note(&mut self, source: SocketAddr, data: &[u8], now: Instant) -> Option<Moved> {
        let mut moved = None;
        if let Some(current) = &mut self.current {
            current.was_cut_off |= now.duration_since(current.peer_heard) >= SILENCE;
            current.peer_heard = now;
            if current.address == source {
                current.heard = now;
                current.was_cut_off = false;
                return None;
            }
            if now.duration_since(current.heard) < SILENCE {
                return None;
            }
            moved = Some(Moved { from: current.address, was_cut_off: current.was_cut_off });
        }
        if !nominates(data) {
            return None;
        }
        self.current = Some(Current { address: source, heard: now, peer_heard: now, was_cut_off: false });
        moved
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use str0m::ice::TransId;

    use super::*;

    /// The beginning of an RTCP packet.
    const FEEDBACK: &[u8] = &[0x8f, 205, 0, 2];

    /// A check with USE-CANDIDATE. What it is signed with was looked at before.
    fn nomination() -> Vec<u8> {
        let mut buffer = [0; 256];
        let request = StunMessage::binding_request("server:peer", TransId::new(), true, 1, 1, true);
        let len = request.to_bytes(Some(b"password"), &mut buffer, |_, _| [0; 20]).unwrap();
        buffer[..len].to_vec()
    }

    /// Notes datagrams by their time in milliseconds and their port. Returns what the last one changes.
    fn noted(datagrams: &[(u64, u16, &[u8])]) -> Option<Moved> {
        let start = Instant::now();
        let mut path = Path::default();
        let mut last = None;
        for (ms, port, data) in datagrams {
            let address = (Ipv4Addr::LOCALHOST, *port).into();
            last = path.note(address, data, start + Duration::from_millis(*ms));
        }
        last
    }

    fn moved(was_cut_off: bool) -> Option<Moved> {
        Some(Moved { from: (Ipv4Addr::LOCALHOST, 1).into(), was_cut_off })
    }

    #[test]
    fn an_address_in_use_is_kept_while_it_is_heard() {
        let nominate = &nomination()[..];
        assert_eq!(noted(&[(0, 1, nominate), (300, 1, FEEDBACK), (700, 2, nominate)]), None);
    }

    #[test]
    fn a_silent_address_is_given_up_for_one_that_is_nominated() {
        let nominate = &nomination()[..];
        assert_eq!(noted(&[(0, 1, nominate), (600, 2, FEEDBACK)]), None);
        assert_eq!(noted(&[(0, 1, nominate), (600, 2, nominate)]), moved(true));
    }

    #[test]
    fn a_peer_that_was_heard_all_the_time_was_not_cut_off() {
        let nominate = &nomination()[..];
        let heard_elsewhere =
            [(0, 1, nominate), (300, 2, FEEDBACK), (700, 2, FEEDBACK), (1_100, 2, nominate)];
        assert_eq!(noted(&heard_elsewhere), moved(false));
        let after_a_silence = [(0, 1, nominate), (600, 2, FEEDBACK), (700, 2, nominate)];
        assert_eq!(noted(&after_a_silence), moved(true));
    }
}
