//! Client certificates: asked for, never demanded, and judged after the handshake.

use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::DigitallySignedStruct;
use tokio_rustls::rustls::DistinguishedName;
use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerified;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;

use crate::time::Timestamp;

/// Judges certificates by the issuers that are believed.
pub(super) struct Judge(Arc<dyn ClientCertVerifier>);

impl Judge {
    /// Believes the certificates in `issuers` (DER), or says why it cannot.
    pub(super) fn new(issuers: &[Vec<u8>], provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for issuer in issuers {
            let issuer = CertificateDer::from(issuer.clone());
            roots.add(issuer).map_err(|error| error.to_string())?;
        }
        let (roots, provider) = (Arc::new(roots), Arc::clone(provider));
        let strict = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
        strict.map(Self).map_err(|error| error.to_string())
    }

    /// What asks for a certificate within the handshake.
    pub(super) fn asking(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(Asking(Arc::clone(&self.0)))
    }

    /// The first certificate in `shown` (DER), if it is good at `now`. Judged at every connection, also
    /// at one that resumes an earlier session.
    pub(super) fn good(&self, shown: &[CertificateDer<'_>], now: Timestamp) -> Option<Vec<u8>> {
        let (own, issuers) = shown.split_first()?;
        let now = Duration::from_millis(u64::try_from(now.as_ms()).unwrap_or_default());
        let now = UnixTime::since_unix_epoch(now);
        match self.0.verify_client_cert(own, issuers, now) {
            Ok(_) => Some(own.to_vec()),
            Err(error) => {
                tracing::info!(%error, "a client certificate was not accepted");
                None
            }
        }
    }
}

/// Takes every certificate whose key the client has. Relays show theirs to everybody who asks: who does
/// not know it must not refuse them for it, because then they would come back in clear or not at all.
#[derive(Debug)]
struct Asking(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _own: &CertificateDer<'_>,
        _issuers: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, own, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, own, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
