//! `[tls]`: our certificate and its key.

mod validity;

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::sign::CertifiedKey;
use toml::Table;
use zeroize::Zeroizing;

use super::beside;
use super::forms;
use super::section::Section;
use super::show;
use super::source::why_unreadable;
use crate::time::Timestamp;

/// `[tls]`: the files that prove who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM file of the certificate and its issuers; relative to the configuration file's folder.
    pub certificate: PathBuf,
    /// PEM file of the private key; relative to the configuration file's folder.
    pub key: PathBuf,
    /// PEM file of the issuers of client certificates, which are asked for only where it is named;
    /// relative to the configuration file's folder.
    pub client_ca: Option<PathBuf>,
}

/// A certificate chain with its private key, checked: they belong together.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificates in DER, ours first.
    pub chain: Vec<Vec<u8>>,
    /// The private key in DER (PKCS #8, PKCS #1 or SEC 1); wiped when dropped.
    pub key: Zeroizing<Vec<u8>>,
    /// When our certificate ends; `None` if that cannot be read.
    pub expires: Option<Timestamp>,
    /// Issuers of client certificates in DER; none if nobody is asked for one.
    pub client_ca: Vec<Vec<u8>>,
}

/// Why a pair is not taken, and the key of `[tls]` that names the file at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tls.{key}: {problem}")]
pub struct PairError {
    /// `certificate`, `key` or `client_ca`.
    pub key: &'static str,
    /// What is wrong; never a part of a key.
    pub problem: String,
}

/// Larger files are no certificates.
const MOST_BYTES: u64 = 1024 * 1024;

impl Tls {
    /// The section; `None` where it names no file, which means that there is no TLS.
    pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let accepted = |key: &str| format!("{key} = \"{key}.pem\" as well");
        let wanted = ["certificate", "key", "client_ca"];
        let wanted = wanted.iter().any(|key| section.has(key));
        if !wanted {
            section.optional("certificate", forms::path);
            section.optional("key", forms::path);
            section.optional("client_ca", forms::path);
            return None;
        }
        let before = section.mistakes().len();
        let tls = Self {
            certificate: section.required("certificate", &accepted("certificate"), forms::path),
            key: section.required("key", &accepted("key"), forms::path),
            client_ca: section.optional("client_ca", forms::path),
        };
        let named = section.mistakes().len() == before;
        if named && let Err(error) = tls.load(section.file()) {
            let accepted = match error.key {
                "key" => "a PEM file with the private key of the certificate",
                "client_ca" => "a PEM file with the issuers of client certificates",
                _ => "a PEM file with our certificate, then its issuers",
            };
            section.mistake(error.key, &error.problem, accepted);
        }
        Some(tls)
    }

    /// Reads the files; `config_file` is where the section stands.
    ///
    /// # Errors
    /// [`PairError`] names the file at fault.
    pub fn load(&self, config_file: &Path) -> Result<KeyPair, PairError> {
        KeyPair::parse(&self.texts(config_file)?)
    }

    /// What stands in the files.
    ///
    /// # Errors
    /// [`PairError`] if one cannot be read.
    pub fn texts(&self, config_file: &Path) -> Result<PairTexts, PairError> {
        Ok(PairTexts {
            certificate: read("certificate", &beside(config_file, &self.certificate))?,
            key: read("key", &beside(config_file, &self.key))?,
            client_ca: match &self.client_ca {
                Some(path) => Some(read("client_ca", &beside(config_file, path))?),
                None => None,
            },
        })
    }

    pub(super) fn show(this: Option<&Self>) -> Table {
        this.map_or_else(Table::new, |tls| {
            let mut table = show::table([
                ("certificate", show::text(tls.certificate.display())),
                ("key", show::text(tls.key.display())),
            ]);
            if let Some(path) = &tls.client_ca {
                table.insert("client_ca".to_owned(), show::text(path.display()));
            }
            table
        })
    }
}

/// The content of the files, not yet looked at. Equal texts are the same pair.
#[derive(Clone, PartialEq, Eq)]
pub struct PairTexts {
    certificate: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Zeroizing<Vec<u8>>>,
}

impl KeyPair {
    /// The pair in `texts`, if the two belong together.
    ///
    /// # Errors
    /// [`PairError`] names the file at fault.
    pub fn parse(texts: &PairTexts) -> Result<Self, PairError> {
        let bad = |key, problem: &str| PairError {
            key,
            problem: problem.to_owned(),
        };
        let chain =
            CertificateDer::pem_slice_iter(&texts.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_| bad("certificate", "this is no PEM file"))?;
        let Some(own) = chain.first() else {
            return Err(bad("certificate", "there is no certificate in this file"));
        };
        let expires = validity::end_of(own);
        let key = PrivateKeyDer::from_pem_slice(&texts.key)
            .map_err(|_| bad("key", "there is no private key in this file"))?;
        let pair = Self {
            chain: chain.iter().map(|der| der.to_vec()).collect(),
            key: Zeroizing::new(key.secret_der().to_vec()),
            expires,
            client_ca: match &texts.client_ca {
                Some(text) => issuers(text).map_err(|problem| bad("client_ca", problem))?,
                None => Vec::new(),
            },
        };
        let signing = ring::sign::any_supported_type(&key)
            .map_err(|_| bad("key", "this kind of private key is not supported"))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) => Ok(pair),
            Err(Error::InconsistentKeys(_)) => {
                Err(bad("key", "this key does not belong to the certificate"))
            }
            Err(_) => Err(bad("certificate", "this certificate cannot be read")),
        }
    }
}

/// A key is never shown.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pair = f.debug_struct("KeyPair");
        pair.field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// The certificates in `text`, each of which can be believed as an issuer.
fn issuers(text: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let certificates = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|_| "this is no PEM file")?;
    if certificates.is_empty() {
        return Err("there is no certificate in this file");
    }
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        let added = roots.add(certificate.clone());
        added.map_err(|_| "a certificate in this file cannot be read")?;
    }
    Ok(certificates.iter().map(|der| der.to_vec()).collect())
}

fn read(key: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, PairError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = std::fs::metadata(path).and_then(|meta| {
        if meta.is_dir() {
            return Err(std::io::Error::from(std::io::ErrorKind::IsADirectory));
        }
        // A pipe would keep us waiting.
        if !meta.is_file() || meta.len() > MOST_BYTES {
            return Err(std::io::Error::from(std::io::ErrorKind::InvalidInput));
        }
        bytes.reserve_exact(usize::try_from(meta.len()).unwrap_or_default());
        let file = std::fs::File::open(path)?;
        file.take(MOST_BYTES).read_to_end(&mut bytes)
    });
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(PairError {
            key,
            problem: format!("{}: {}", path.display(), why_unreadable(&error)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["gw.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn parsed(certificate: &str, key: &str) -> Result<KeyPair, PairError> {
        KeyPair::parse(&PairTexts {
            certificate: Zeroizing::new(certificate.into()),
            key: Zeroizing::new(key.into()),
            client_ca: None,
        })
    }

    #[test]
    fn a_certificate_and_its_key_are_taken() {
        let (certificate, key) = pair();
        let pair = parsed(&certificate, &key).unwrap();
        assert_eq!(pair.chain.len(), 1);
        assert!(!format!("{pair:?}").contains(&key[40..60]));
    }

    #[test]
    fn issuers_of_clients_are_read_and_bad_ones_name_their_file() {
        let (certificate, key) = pair();
        let with = |client_ca: &str| {
            KeyPair::parse(&PairTexts {
                certificate: Zeroizing::new(certificate.clone().into()),
                key: Zeroizing::new(key.clone().into()),
                client_ca: Some(Zeroizing::new(client_ca.into())),
            })
        };
        let two = format!("{certificate}{certificate}");
        assert_eq!(with(&two).unwrap().client_ca.len(), 2);
        for (text, problem) in [
            ("", "no certificate"),
            (key.as_str(), "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA", "no PEM"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "cannot be read",
            ),
        ] {
            let error = with(text).unwrap_err();
            assert_eq!(error.key, "client_ca", "{error}");
            assert!(error.problem.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_pair_that_does_not_fit_names_the_file_at_fault() {
        let (certificate, key) = pair();
        let (_, other) = pair();
        for (certificate, key, fault, problem) in [
            (
                certificate.as_str(),
                other.as_str(),
                "key",
                "does not belong",
            ),
            (&key, &key, "certificate", "no certificate"),
            ("", &key, "certificate", "no certificate"),
            (&certificate, &certificate, "key", "no private key"),
            (&certificate, "", "key", "no private key"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA",
                &key,
                "certificate",
                "no PEM",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &key,
                "certificate",
                "cannot be read",
            ),
        ] {
            let error = parsed(certificate, key).unwrap_err();
            assert_eq!(error.key, fault, "{error}");
            assert!(error.problem.contains(problem), "{error}");
        }
    }
}
