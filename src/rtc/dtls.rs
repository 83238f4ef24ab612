//! DTLS by OpenSSL for str0m, whose own implementation refuses RSA certificates: GStreamer's are RSA.
//!
//! The released `str0m-openssl` is made for the version of str0m's traits before the one that str0m uses. They differ in
//! names and types, not in meaning, so this file only translates. It goes when the two are released together again.

use std::time::Instant;

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
            .map(|inner| Box::new(Session { inner }) as Box<dyn DtlsInstance>)
            .map_err(|error| CryptoError::Other(error.to_string()))
    }
}

#[derive(Debug)]
struct Session {
    inner: Box<dyn openssl_dtls::DtlsInstance>,
}

impl DtlsInstance for Session {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet).map_err(|error| failed(&error))
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        use openssl_dtls::DtlsOutput as Inner;
        match self.inner.poll_output(buf) {
            Inner::Packet(packet) => DtlsOutput::Packet(packet),
            Inner::BufferTooSmall { needed } => DtlsOutput::BufferTooSmall { needed },
            Inner::Timeout(at) => DtlsOutput::Timeout(at),
            Inner::Connected => DtlsOutput::Connected,
            Inner::PeerCert(der) => DtlsOutput::PeerCert(der),
            Inner::KeyingMaterial(keys, profile) => {
                DtlsOutput::KeyingMaterial(KeyingMaterial::new(&keys), profile_of(profile))
            }
            Inner::ApplicationData(data) => DtlsOutput::ApplicationData(data),
            _ => DtlsOutput::CloseNotify,
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
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
