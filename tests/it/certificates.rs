//! A certificate of the tests, the server that has it and the client that believes it.

use std::sync::Arc;
use std::sync::OnceLock;

use faxgate::account::certificate;
use faxgate::config;
use faxgate::ingress;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::IsCa;
use rcgen::Issuer;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::ConfigBuilder;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
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
            client_ca: None,
        };
        let pair = files.load(&folder.path().join("faxgate.toml")).unwrap();
        Arc::new(ingress::Tls::new(&pair).unwrap())
    }

    /// A client that believes this certificate and no other.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::new(self.believed().with_no_client_auth())
    }

    /// The same, with a certificate of its own.
    pub(crate) fn client_showing(&self, shown: &Shown) -> Arc<ClientConfig> {
        let own = CertificateDer::from_pem_slice(shown.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
        let client = self.believed().with_client_auth_cert(vec![own], key);
        Arc::new(client.unwrap())
    }

    fn believed(&self) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        let own = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        roots.add(own.unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        builder.with_root_certificates(roots)
    }

    /// The same for asynchronous clients.
    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.client())
    }
}

/// Somebody who issues certificates to clients.
pub(crate) struct Authority {
    /// Its own certificate in PEM.
    pub(crate) certificate: String,
    issuer: Issuer<'static, rcgen::KeyPair>,
}

/// A client's certificate, its issuer and its key.
pub(crate) struct Shown {
    /// The certificate in PEM.
    pub(crate) certificate: String,
    /// Its key in PEM.
    pub(crate) key: String,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Self {
        let mut wanted = CertificateParams::default();
        wanted
            .distinguished_name
            .push(DnType::CommonName, "Authority of the tests");
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self {
            certificate: wanted.self_signed(&key).unwrap().pem(),
            issuer: Issuer::new(wanted, key),
        }
    }

    /// A certificate that ends in this year.
    pub(crate) fn issue(&self, year: i32) -> Shown {
        let mut wanted = CertificateParams::new(["client.example".to_owned()]).unwrap();
        wanted.not_after = rcgen::date_time_ymd(year, 3, 5);
        let key = rcgen::KeyPair::generate().unwrap();
        Shown {
            certificate: wanted.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Shown {
    /// As an account names it.
    pub(crate) fn fingerprint(&self) -> String {
        let der = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        let digits = certificate::fingerprint(&der).map(|byte| format!("{byte:02X}"));
        format!("sha256:{}", digits.join(":"))
    }
}

/// The name in every certificate here.
pub(crate) fn name() -> ServerName<'static> {
    ServerName::try_from("gw.example").unwrap()
}
