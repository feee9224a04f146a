//! TLS: our certificate in force, and the handshake.

use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::NoServerSessionStorage;

use crate::config::KeyPair;

/// The certificate in force; it can be replaced while connections are open, which keep theirs.
pub struct Tls(ArcSwap<ServerConfig>);

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
        Ok(Self(ArcSwap::from_pointee(server(pair)?)))
    }

    /// Serves new connections with `pair`.
    ///
    /// # Errors
    /// [`TlsError`]; then nothing has changed.
    pub fn replace(&self, pair: &KeyPair) -> Result<(), TlsError> {
        self.0.store(Arc::new(server(pair)?));
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }
}

/// TLS 1.2 and 1.3; RFC 8996 forbids what is older.
fn server(pair: &KeyPair) -> Result<ServerConfig, TlsError> {
    let failed = |error: &dyn std::fmt::Display| TlsError(error.to_string());
    let chain = pair
        .chain
        .iter()
        .map(|der| CertificateDer::from(der.clone()));
    let key = PrivateKeyDer::try_from(pair.key.to_vec()).map_err(|error| failed(&error))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let mut server = builder
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key)
        .map_err(|error| failed(&error))?;
    // Tickets let a relay that comes often skip the expensive part, and keep nothing in our memory.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.ticketer = ring::Ticketer::new().map_err(|error| failed(&error))?;
    server.send_tls13_tickets = 1;
    Ok(server)
}
