//! DTLS by OpenSSL for str0m, whose own implementation refuses RSA certificates: GStreamer's are RSA.
//!
//! The released `str0m-openssl` is made for the version of str0m's traits before the one that str0m uses. They differ in
//! names and types, not in meaning, so this file only translates. It goes when the two are released together again.

use std::time::{Duration, Instant};

use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial,
    ProtocolVersion, SrtpProfile,
};
use str0m_proto::crypto as openssl;
use str0m_proto::crypto::dtls as openssl_dtls;
use tracing::debug;

/// The provider.
#[derive(Debug)]
pub(super) struct OpenSslDtls;

impl DtlsProvider for OpenSslDtls {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        let made = str0m_openssl::default_provider().dtls_provider.generate_certificate()?;
        Some(DtlsCert { certificate: made.certificate, private_key: made.private_key })
    }

    /// OpenSSL speaks DTLS 1.2, which every WebRTC peer does.
    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        _version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let cert = openssl_dtls::DtlsCert {
            certificate: cert.certificate.clone(),
            private_key: cert.private_key.clone(),
        };
        str0m_openssl::default_provider()
            .dtls_provider
            .new_dtls(&cert, now, openssl::DtlsVersion::Dtls12, mtu)
            .map(|inner| {
                Box::new(Session { inner, first_flight: FirstFlight::default(), connected: false })
                    as Box<dyn DtlsInstance>
            })
            .map_err(|error| CryptoError::Other(error.to_string()))
    }
}

/// When a client repeats its first flight. OpenSSL would wait a second; the usual reason here is a peer that reads its
/// socket for STUN alone until ICE is done, a few milliseconds after the flight left.
const FIRST_REPEAT: Duration = Duration::from_millis(100);

/// Repetitions of the first flight. They double in distance, so the last one goes out after six seconds.
const MAX_REPEATS: u32 = 6;

#[derive(Debug)]
struct Session {
    inner: Box<dyn openssl_dtls::DtlsInstance>,
    first_flight: FirstFlight,
    connected: bool,
}

/// The first flight of a client, until the peer answers.
#[derive(Debug, Default)]
struct FirstFlight {
    packets: Vec<Vec<u8>>,
    /// Those still to be sent again.
    pending: usize,
    repeat_at: Option<Instant>,
    repeats: u32,
    answered: bool,
}

impl FirstFlight {
    fn sent(&mut self, packet: &[u8], now: Instant) {
        if !self.answered {
            self.packets.push(packet.to_vec());
            self.repeat_at = Some(now + FIRST_REPEAT);
        }
    }

    fn answered(&mut self) {
        *self = Self { answered: true, ..Self::default() };
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.repeat_at.is_some_and(|at| at <= now) {
            self.pending = self.packets.len();
            self.repeats += 1;
            self.repeat_at =
                (self.repeats < MAX_REPEATS).then(|| now + FIRST_REPEAT * 2_u32.pow(self.repeats));
        }
    }

    fn poll(&mut self) -> Option<&[u8]> {
        let index = self.packets.len().checked_sub(self.pending).filter(|_| self.pending > 0)?;
        self.pending -= 1;
        self.packets.get(index).map(Vec::as_slice)
    }
}

impl Session {
    fn poll_inner<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        use openssl_dtls::DtlsOutput as Inner;
        match self.inner.poll_output(buf) {
            Inner::Packet(packet) => {
                self.first_flight.sent(packet, Instant::now());
                DtlsOutput::Packet(packet)
            }
            Inner::BufferTooSmall { needed } => DtlsOutput::BufferTooSmall { needed },
            Inner::Timeout(at) => {
                DtlsOutput::Timeout(self.first_flight.repeat_at.map_or(at, |repeat| repeat.min(at)))
            }
            Inner::Connected => {
                self.connected = true;
                DtlsOutput::Connected
            }
            Inner::PeerCert(der) => DtlsOutput::PeerCert(der),
            Inner::KeyingMaterial(keys, profile) => {
                DtlsOutput::KeyingMaterial(KeyingMaterial::new(&keys), profile_of(profile))
            }
            Inner::ApplicationData(data) => DtlsOutput::ApplicationData(data),
            _ => DtlsOutput::CloseNotify,
        }
    }
}

impl DtlsInstance for Session {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
        self.first_flight.answered = !active;
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        if !packet.is_empty() {
            self.first_flight.answered();
        }
        self.inner.handle_packet(packet).map_err(|error| failed(&error))
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let repeated =
            self.first_flight.poll().map(<[u8]>::to_vec).filter(|packet| packet.len() <= buf.len());
        let Some(packet) = repeated else { return self.poll_inner(buf) };
        let (space, _) = buf.split_at_mut(packet.len());
        space.copy_from_slice(&packet);
        DtlsOutput::Packet(space)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.first_flight.handle_timeout(now);
        if !self.connected {
            // OpenSSL looks at its retransmission timer only when it is made to read.
            self.inner.handle_packet(&[]).map_err(|error| failed(&error))?;
        }
        self.inner.handle_timeout(now).map_err(|error| failed(&error))
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data).map(|()| data.len()).map_err(|error| failed(&error))
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version().map(|_| ProtocolVersion::DTLS1_2)
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close().map_err(|error| failed(&error))
    }
}

/// The session is over, whatever the error; the words go to the log.
fn failed(error: &openssl_dtls::DtlsImplError) -> DtlsImplError {
    debug!(%error, "DTLS failed");
    DtlsImplError::ConnectionClosed
}

fn profile_of(profile: openssl_dtls::SrtpProfile) -> SrtpProfile {
    use openssl_dtls::SrtpProfile as Inner;
    match profile {
        Inner::AEAD_AES_256_GCM => SrtpProfile::AEAD_AES_256_GCM,
        Inner::AEAD_AES_128_GCM => SrtpProfile::AEAD_AES_128_GCM,
        _ => SrtpProfile::AES128_CM_SHA1_80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_flight_of_a_client_is_repeated_until_the_peer_answers() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut flight = FirstFlight::default();
        flight.sent(b"hello", start);
        flight.handle_timeout(at(99));
        assert_eq!(flight.poll(), None);
        flight.handle_timeout(at(100));
        assert_eq!(flight.poll(), Some(&b"hello"[..]));
        assert_eq!(flight.poll(), None);
        assert_eq!(flight.repeat_at, Some(at(300)));
        flight.answered();
        flight.sent(b"finished", at(200));
        flight.handle_timeout(at(1_000));
        assert_eq!(flight.poll(), None);
    }

    #[test]
    fn a_peer_that_never_answers_gets_a_bounded_number_of_flights() {
        let mut now = Instant::now();
        let mut flight = FirstFlight::default();
        flight.sent(b"hello", now);
        let mut sent = 0;
        while let Some(at) = flight.repeat_at {
            now = at;
            flight.handle_timeout(now);
            sent += std::iter::from_fn(|| flight.poll().map(|_| ())).count();
        }
        assert_eq!(sent, 6);
    }
}
