//! Whose certificates are taken over TLS.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::config::Trunk;
use crate::config::Wire;

/// The certificates of all authorities, in PEM: those that the system trusts and those of the trunks' own files.
/// Empty if no trunk speaks TLS.
///
/// # Errors
/// What the system says of a trunk's file, or that there is no certificate in it.
pub(super) fn read(trunks: &[Trunk], config_file: &Path) -> io::Result<Vec<u8>> {
    if trunks.iter().all(|trunk| trunk.proxy.wire != Wire::Tls) {
        return Ok(Vec::new());
    }
    let mut certificates = rustls_native_certs::load_native_certs().certs;
    for file in trunks.iter().filter_map(|trunk| trunk.ca_file.as_ref()) {
        let folder = config_file.parent().unwrap_or(Path::new("."));
        let text = std::fs::read(folder.join(file))?;
        let own = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let own = own.map_err(io::Error::other)?;
        if own.is_empty() {
            return Err(io::Error::other(format!(
                "there is no certificate in {}",
                file.display()
            )));
        }
        certificates.extend(own);
    }
    // One that cannot be used would keep the stack from using any.
    certificates.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
    Ok(certificates.iter().flat_map(|one| pem(one)).collect())
}

fn pem(certificate: &[u8]) -> Vec<u8> {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in certificate.chunks(48) {
        STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SipUri;

    fn trunk(proxy: &str, ca_file: &Path) -> Trunk {
        Trunk {
            name: "one".into(),
            proxy: SipUri::parse(proxy).unwrap(),
            domain: None,
            user: None,
            password_file: None,
            ca_file: Some(ca_file.to_owned()),
            register: false,
            lines: 1,
            calls_per_second: 1,
            number_format: crate::config::NumberFormat::E164,
        }
    }

    #[test]
    fn the_certificate_of_a_trunks_own_authority_is_among_them() {
        let folder = tempfile::tempdir().unwrap();
        let config_file = folder.path().join("faxgate.toml");
        let own = rcgen::generate_simple_self_signed(vec!["sip.example".into()]).unwrap();
        std::fs::write(folder.path().join("ca.pem"), own.cert.pem()).unwrap();
        let encrypted = trunk("sip:sip.example;transport=tls", Path::new("ca.pem"));
        let all = read(&[encrypted], &config_file).unwrap();
        let all: Vec<_> = CertificateDer::pem_slice_iter(&all)
            .collect::<Result<_, _>>()
            .unwrap();
        assert!(all.contains(own.cert.der()));
        let plain = trunk("sip:sip.example", Path::new("missing.pem"));
        assert_eq!(read(&[plain], &config_file).unwrap(), b"");
        let missing = trunk("sip:sip.example;transport=tls", Path::new("missing.pem"));
        assert!(read(&[missing], &config_file).is_err());
    }
}
