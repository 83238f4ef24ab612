//! The handshake: plain as in RTMP 1.0 section 5.2, and with digests as Flash Player 9 and later do it.
//!
//! With digests, packet 1 carries an HMAC-SHA256 of itself at a place that depends on its content, and packet 2 one that
//! depends on the peer's packet 1. Two arrangements exist, tried one after the other. The digests prove nothing (the keys
//! are public); some players merely insist on them.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::{BufMut, BytesMut};
use sha2::{Digest, Sha256};

use crate::Error;

/// Size of the packets C1, C2, S1 and S2.
pub const PACKET_SIZE: usize = 1536;
/// The only version: RTMP without encryption.
pub const VERSION: u8 = 3;

const DIGEST_SIZE: usize = 32;
/// Each of the two parts of a digest packet: 764 bytes, of which 4 give the place.
const PLACES: usize = 728;

type Packet = [u8; PACKET_SIZE];

const SERVER_NAME: &[u8] = b"Genuine Adobe Flash Media Server 001";
const CLIENT_NAME: &[u8] = b"Genuine Adobe Flash Player 001";
/// Follows the name in the key of packet 2.
const KEY_TAIL: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57, 0x6e,
    0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];

/// Where a digest packet keeps its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the second part, behind the key ("scheme 0").
    KeyFirst,
    /// In the first part ("scheme 1"); what most clients send.
    DigestFirst,
}

impl Scheme {
    /// Start of the digest inside `packet`.
    fn digest_start(self, packet: &Packet) -> usize {
        let part = match self {
            Self::DigestFirst => 8,
            Self::KeyFirst => 772,
        };
        let place = packet.get(part..part + 4).unwrap_or_default();
        let sum: usize = place.iter().map(|byte| usize::from(*byte)).sum();
        part + 4 + sum % PLACES
    }

    fn digest(self, packet: &Packet, key: &[u8]) -> (usize, [u8; DIGEST_SIZE]) {
        let start = self.digest_start(packet);
        let before = packet.get(..start).unwrap_or_default();
        let after = packet.get(start + DIGEST_SIZE..).unwrap_or_default();
        (start, hmac_sha256(key, &[before, after]))
    }
}

/// The server's half.
#[derive(Debug)]
pub struct Server {
    received: Vec<u8>,
    random: Random,
    /// Bytes of C2 that have not arrived; `None` before C1 is complete.
    c2_left: Option<usize>,
}

impl Default for Server {
    fn default() -> Self {
        Self { received: Vec::new(), random: Random::new(), c2_left: None }
    }
}

impl Server {
    /// Consumes handshake bytes from `input` and appends S0, S1 and S2 to `out` once C1 is complete. True when C2 has
    /// arrived too, in which case `input` is what follows.
    ///
    /// The client's C2 is not verified: it proves nothing, and real clients get it wrong.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] on the first byte.
    pub fn handle_input(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, Error> {
        if self.c2_left.is_none() {
            let Some(c1) = collect_packet(&mut self.received, input)? else { return Ok(false) };
            self.answer(&c1, out);
            self.received = Vec::new();
            self.c2_left = Some(PACKET_SIZE);
        }
        Ok(skip(&mut self.c2_left, input))
    }

    fn answer(&mut self, c1: &Packet, out: &mut BytesMut) {
        out.reserve(1 + 2 * PACKET_SIZE);
        out.put_u8(VERSION);
        match find_digest(c1, CLIENT_NAME) {
            Some((scheme, digest)) => {
                let s1 = digest_packet(&mut self.random, scheme, SERVER_NAME);
                out.put_slice(&s1);
                out.put_slice(&digest_answer(&mut self.random, &digest, SERVER_NAME));
            }
            None => {
                out.put_slice(&plain_packet(&mut self.random));
                out.put_slice(c1);
            }
        }
    }
}

/// The client's half.
#[derive(Debug)]
pub struct Client {
    received: Vec<u8>,
    random: Random,
    s2_left: Option<usize>,
}

impl Client {
    /// Starts by appending C0 and C1 to `out`: with a digest, or plain.
    #[must_use]
    pub fn new(scheme: Option<Scheme>, out: &mut BytesMut) -> Self {
        let mut random = Random::new();
        out.put_u8(VERSION);
        match scheme {
            Some(scheme) => out.put_slice(&digest_packet(&mut random, scheme, CLIENT_NAME)),
            None => out.put_slice(&plain_packet(&mut random)),
        }
        Self { received: Vec::new(), random, s2_left: None }
    }

    /// Consumes handshake bytes from `input` and appends C2 to `out` once S1 is complete. True when S2 has arrived too.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] on the first byte.
    pub fn handle_input(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, Error> {
        if self.s2_left.is_none() {
            let Some(s1) = collect_packet(&mut self.received, input)? else { return Ok(false) };
            match find_digest(&s1, SERVER_NAME) {
                Some((_, digest)) => out.put_slice(&digest_answer(&mut self.random, &digest, CLIENT_NAME)),
                None => out.put_slice(&s1),
            }
            self.received = Vec::new();
            self.s2_left = Some(PACKET_SIZE);
        }
        Ok(skip(&mut self.s2_left, input))
    }
}

/// Collects the version byte and packet 1, checking the version as soon as it is there.
fn collect_packet(received: &mut Vec<u8>, input: &mut &[u8]) -> Result<Option<Packet>, Error> {
    let first = received.first().or(input.first());
    if let Some(version) = first.filter(|version| **version != VERSION) {
        return Err(Error::Version(*version));
    }
    received.reserve_exact((1 + PACKET_SIZE).saturating_sub(received.len()));
    let count = (1 + PACKET_SIZE - received.len()).min(input.len());
    let (taken, rest) = input.split_at_checked(count).unwrap_or((input, &[]));
    received.extend_from_slice(taken);
    *input = rest;
    Ok(received.get(1..).and_then(|packet| packet.try_into().ok()))
}

/// Skips packet 2; true when none of it is left.
fn skip(left: &mut Option<usize>, input: &mut &[u8]) -> bool {
    let before = left.unwrap_or_default();
    let count = before.min(input.len());
    *input = input.get(count..).unwrap_or_default();
    *left = Some(before - count);
    before == count
}

/// A plain packet 1: time 0, four zero bytes, random bytes.
fn plain_packet(random: &mut Random) -> Packet {
    let mut packet = [0; PACKET_SIZE];
    random.fill(packet.get_mut(8..).unwrap_or_default());
    packet
}

fn digest_packet(random: &mut Random, scheme: Scheme, key: &[u8]) -> Packet {
    let mut packet = plain_packet(random);
    // A version; clients verify digests only of servers from 3.0 on.
    put(&mut packet, 4, &[4, 5, 0, 1]);
    let (start, digest) = scheme.digest(&packet, key);
    put(&mut packet, start, &digest);
    packet
}

/// The scheme and digest of a packet 1, if it has one. A version of zero means a plain packet.
fn find_digest(packet: &Packet, key: &[u8]) -> Option<(Scheme, [u8; DIGEST_SIZE])> {
    if packet.get(4..8) == Some(&[0; 4]) {
        return None;
    }
    [Scheme::DigestFirst, Scheme::KeyFirst].into_iter().find_map(|scheme| {
        let (start, digest) = scheme.digest(packet, key);
        (packet.get(start..start + DIGEST_SIZE) == Some(&digest)).then_some((scheme, digest))
    })
}

/// Packet 2: random bytes signed with a key made from the peer's digest.
fn digest_answer(random: &mut Random, peer_digest: &[u8], name: &[u8]) -> Packet {
    let mut packet = [0; PACKET_SIZE];
    let signed = PACKET_SIZE - DIGEST_SIZE;
    random.fill(packet.get_mut(..signed).unwrap_or_default());
    let signature = answer_signature(packet.get(..signed).unwrap_or_default(), peer_digest, name);
    put(&mut packet, signed, &signature);
    packet
}

fn answer_signature(body: &[u8], peer_digest: &[u8], name: &[u8]) -> [u8; DIGEST_SIZE] {
    let key = hmac_sha256(&[name, &KEY_TAIL].concat(), &[peer_digest]);
    hmac_sha256(&key, &[body])
}

fn put(packet: &mut Packet, start: usize, bytes: &[u8]) {
    let slots = packet.iter_mut().skip(start);
    slots.zip(bytes).for_each(|(slot, byte)| *slot = *byte);
}

/// RFC 2104 over the concatenation of `parts`.
fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_SIZE] {
    const BLOCK: usize = 64;
    let hashed: [u8; DIGEST_SIZE];
    let key = if key.len() > BLOCK {
        hashed = Sha256::digest(key).into();
        &hashed[..]
    } else {
        key
    };
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        block.iter_mut().zip(key).for_each(|(slot, byte)| *slot ^= *byte);
        block
    };
    let mut inner = Sha256::new_with_prefix(padded(0x36));
    parts.iter().for_each(|part| inner.update(part));
    Sha256::new_with_prefix(padded(0x5c)).chain_update(inner.finalize()).finalize().into()
}

/// Filler for the packets, which needs no cryptographic quality: splitmix64 from a seed of the standard library.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.iter_mut().zip(mixed.to_le_bytes()).for_each(|(slot, byte)| *slot = byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_start(scheme: Option<Scheme>) -> (Client, BytesMut) {
        let mut out = BytesMut::new();
        (Client::new(scheme, &mut out), out)
    }

    #[test]
    fn hmac_matches_rfc_4231() {
        let short = hmac_sha256(&[0x0b; 20], &[b"Hi ", b"There"]);
        assert_eq!(short[..4], [0xb0, 0x34, 0x4c, 0x61]);
        let long = hmac_sha256(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(long[..4], [0x60, 0xe4, 0x31, 0x59]);
        assert_eq!(long[28..], [0x0e, 0xe3, 0x7f, 0x54]);
    }

    #[test]
    fn both_ends_agree_in_every_scheme_byte_by_byte() {
        for scheme in [None, Some(Scheme::DigestFirst), Some(Scheme::KeyFirst)] {
            let (mut client, c0c1) = client_start(scheme);
            let mut server = Server::default();
            let mut answer = BytesMut::new();
            for (index, byte) in c0c1.iter().enumerate() {
                assert!(!server.handle_input(&mut &[*byte][..], &mut answer).unwrap());
                assert_eq!(answer.is_empty(), index < PACKET_SIZE);
            }
            assert_eq!(answer.len(), 1 + 2 * PACKET_SIZE);
            let mut c2 = BytesMut::new();
            let mut finished = 0;
            for byte in &answer {
                finished += u32::from(client.handle_input(&mut &[*byte][..], &mut c2).unwrap());
            }
            assert_eq!((finished, c2.len()), (1, PACKET_SIZE));
            let rest = [&c2[..], b"next"].concat();
            let mut input = &rest[..];
            assert!(server.handle_input(&mut input, &mut answer).unwrap());
            assert_eq!(input, b"next");
        }
    }

    #[test]
    fn a_plain_client_gets_its_own_packet_back() {
        let (_, c0c1) = client_start(None);
        let mut answer = BytesMut::new();
        Server::default().handle_input(&mut &c0c1[..], &mut answer).unwrap();
        assert_eq!(answer[0], VERSION);
        assert_eq!(answer[5..9], [0; 4]);
        assert_eq!(answer[1 + PACKET_SIZE..], c0c1[1..]);
    }

    #[test]
    fn a_client_with_a_version_but_no_digest_counts_as_plain() {
        let (_, mut c0c1) = client_start(None);
        c0c1[5] = 9;
        let mut answer = BytesMut::new();
        Server::default().handle_input(&mut &c0c1[..], &mut answer).unwrap();
        assert_eq!(answer[1 + PACKET_SIZE..], c0c1[1..]);
    }

    #[test]
    fn a_digest_client_can_verify_the_server() {
        for scheme in [Scheme::DigestFirst, Scheme::KeyFirst] {
            let (_, c0c1) = client_start(Some(scheme));
            let mut answer = BytesMut::new();
            Server::default().handle_input(&mut &c0c1[..], &mut answer).unwrap();
            let s1: &Packet = answer[1..=PACKET_SIZE].try_into().unwrap();
            assert_eq!(find_digest(s1, SERVER_NAME).unwrap().0, scheme);
            let c1: &Packet = c0c1[1..].try_into().unwrap();
            let (_, digest) = find_digest(c1, CLIENT_NAME).unwrap();
            let (body, signature) = answer[1 + PACKET_SIZE..].split_at(PACKET_SIZE - DIGEST_SIZE);
            assert_eq!(answer_signature(body, &digest, SERVER_NAME), signature);
        }
    }

    #[test]
    fn another_protocol_is_refused_at_its_first_byte() {
        for byte in [b'G', 0x16, 0, 6] {
            let mut out = BytesMut::new();
            let result = Server::default().handle_input(&mut &[byte][..], &mut out);
            assert_eq!(result, Err(Error::Version(byte)));
            assert!(out.is_empty());
        }
    }
}
