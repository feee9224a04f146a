//! TLS: our certificate in force, the handshake, and whose certificate the client has.

mod client;

use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::ServerConnection;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::NoServerSessionStorage;

use crate::config::KeyPair;
use crate::time::Timestamp;

use client::Judge;

/// The certificate in force; it can be replaced while connections are open, which keep theirs.
pub struct Tls(ArcSwap<Terms>);

/// A pair cannot be used.
#[derive(Debug, Error)]
#[error("the certificate cannot be used: {0}")]
pub struct TlsError(String);

impl Tls {
    /// Serves with `pair`.
    ///
    /// # Errors
    /// [`TlsError`], if the library refuses what the configuration took.
    pub fn new(pair: &KeyPair) -> Result<Self, TlsError> {
        Ok(Self(ArcSwap::from_pointee(Terms::new(pair)?)))
    }

    /// Serves new connections with `pair`.
    ///
    /// # Errors
    /// [`TlsError`]; then nothing has changed.
    pub fn replace(&self, pair: &KeyPair) -> Result<(), TlsError> {
        self.0.store(Arc::new(Terms::new(pair)?));
        Ok(())
    }

    pub(super) fn terms(&self) -> Arc<Terms> {
        self.0.load_full()
    }
}

/// What a handshake goes by.
pub(super) struct Terms {
    server: Arc<ServerConfig>,
    /// Judges client certificates, where they are asked for.
    judge: Option<Judge>,
}

impl Terms {
    /// TLS 1.2 and 1.3; RFC 8996 forbids what is older.
    fn new(pair: &KeyPair) -> Result<Self, TlsError> {
        let failed = |error: &dyn std::fmt::Display| TlsError(error.to_string());
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let judge = match &pair.client_ca[..] {
            [] => None,
            issuers => Some(Judge::new(issuers, &provider).map_err(TlsError)?),
        };
        let chain = pair
            .chain
            .iter()
            .map(|der| CertificateDer::from(der.clone()));
        let key = PrivateKeyDer::try_from(pair.key.to_vec()).map_err(|error| failed(&error))?;
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| failed(&error))?;
        let builder = match &judge {
            Some(judge) => builder.with_client_cert_verifier(judge.asking()),
            None => builder.with_no_client_auth(),
        };
        let server = builder.with_single_cert(chain.collect(), key);
        let mut server = server.map_err(|error| failed(&error))?;
        // Tickets let a relay that comes often skip the expensive part, and keep nothing in our memory.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.ticketer = ring::Ticketer::new().map_err(|error| failed(&error))?;
        server.send_tls13_tickets = 1;
        let server = Arc::new(server);
        Ok(Self { server, judge })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }

    /// The client's certificate (DER), if it has one that is good at `now`.
    pub(super) fn client(&self, connection: &ServerConnection, now: Timestamp) -> Option<Vec<u8>> {
        let shown = connection.peer_certificates()?;
        self.judge.as_ref()?.good(shown, now)
    }
}
