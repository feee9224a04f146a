//! A certificate of the tests, the server that has it and the client that believes it.

use std::sync::Arc;
use std::sync::OnceLock;

use faxgate::config;
use faxgate::ingress;
use rcgen::CertificateParams;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// A certificate of `gw.example` and 127.0.0.1 that signs itself, and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Made {
    /// A new one.
    pub(crate) fn new() -> Self {
        Self::until(2100)
    }

    /// A new one that ends in this year.
    pub(crate) fn until(year: i32) -> Self {
        let names = ["gw.example".to_owned(), "127.0.0.1".to_owned()];
        let mut wanted = CertificateParams::new(names).unwrap();
        wanted.not_after = rcgen::date_time_ymd(year, 3, 5);
        let key = rcgen::KeyPair::generate().unwrap();
        Self {
            certificate: wanted.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// The one that all dialogues share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Made> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    /// What a mail door serves with.
    pub(crate) fn server(&self) -> Arc<ingress::Tls> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cert.pem"), &self.certificate).unwrap();
        std::fs::write(folder.path().join("key.pem"), &self.key).unwrap();
        let files = config::Tls {
            certificate: "cert.pem".into(),
            key: "key.pem".into(),
        };
        let pair = files.load(&folder.path().join("faxgate.toml")).unwrap();
        Arc::new(ingress::Tls::new(&pair).unwrap())
    }

    /// A client that believes this certificate and no other.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        roots.add(own.unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }

    /// The same for asynchronous clients.
    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.client())
    }
}

/// The name in every certificate here.
pub(crate) fn name() -> ServerName<'static> {
    ServerName::try_from("gw.example").unwrap()
}
