//! Client certificates: what names one.

use sha2::Digest;
use sha2::Sha256;

/// The SHA-256 of a certificate in DER form: what `openssl x509 -fingerprint -sha256` shows.
pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate).into()
}
