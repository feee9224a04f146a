//! SCRAM-SHA-256 (RFC 5802, RFC 7677): makes verifiers and checks proofs.

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::account::credential::HashError;
use crate::config::ScramVerifier;
use crate::secret::Secret;

/// A verifier of `password` with a random salt.
///
/// # Errors
/// [`HashError`] if the system has no randomness, or the password has other characters than ASCII:
/// clients would have to agree on how those are prepared (SASLprep), and do not.
pub fn verifier(password: &Secret) -> Result<ScramVerifier, HashError> {
    if !password.expose().is_ascii() {
        return Err(HashError::new("SCRAM takes ASCII only"));
    }
    let mut salt = [0; ScramVerifier::SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| HashError::new(&error.to_string()))?;
    Ok(derive(password, &salt, ScramVerifier::ITERATIONS))
}

/// RFC 5802 section 3.
fn derive(password: &Secret, salt: &[u8], iterations: u32) -> ScramVerifier {
    let salted = salted(password.expose().as_bytes(), salt, iterations);
    let client_key = hmac(&salted, &[b"Client Key"]);
    ScramVerifier {
        iterations,
        salt: salt.to_vec(),
        stored_key: Sha256::digest(client_key).into(),
        server_key: hmac(&salted, &[b"Server Key"]),
    }
}

/// Whether `proof` signs `signed` with the password's key. Our own signature of it, if so.
pub(super) fn check(verifier: &ScramVerifier, signed: &str, proof: &[u8; 32]) -> Option<[u8; 32]> {
    let signature = hmac(&verifier.stored_key, &[signed.as_bytes()]);
    let mut client_key = [0; 32];
    for ((byte, proof), signature) in client_key.iter_mut().zip(proof).zip(&signature) {
        *byte = proof ^ signature;
    }
    let stored: [u8; 32] = Sha256::digest(client_key).into();
    let ours = hmac(&verifier.server_key, &[signed.as_bytes()]);
    bool::from(stored.ct_eq(&verifier.stored_key)).then_some(ours)
}

/// `Hi` of RFC 5802 section 2.2, which is PBKDF2 with one block.
fn salted(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut sum = last;
    for _ in 1..iterations {
        last = hmac(password, &[&last]);
        for (sum, byte) in sum.iter_mut().zip(last) {
            *sum ^= byte;
        }
    }
    sum
}

fn hmac(key: &[u8], pieces: &[&[u8]]) -> [u8; 32] {
    // Keys of every length are taken (RFC 2104 section 2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const SIGNED: &str = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    fn bytes(text: &str) -> [u8; 32] {
        STANDARD.decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_example_of_rfc_7677_is_right_and_nothing_else() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = derive(&Secret::new("pencil".into()), &salt, 4096);
        let proof = bytes("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let ours = bytes("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(check(&verifier, SIGNED, &proof), Some(ours));
        let mut wrong = proof;
        wrong[31] ^= 1;
        assert_eq!(check(&verifier, SIGNED, &wrong), None);
        assert_eq!(check(&verifier, &SIGNED[1..], &proof), None);
        let other = derive(&Secret::new("pencil2".into()), &salt, 4096);
        assert_eq!(check(&other, SIGNED, &proof), None);
    }

    #[test]
    fn a_new_verifier_is_salted_and_takes_ascii_only() {
        let password = Secret::new("kaki8sample".into());
        let (one, two) = (verifier(&password).unwrap(), verifier(&password).unwrap());
        assert!(one.salt != two.salt && one.stored_key != two.stored_key);
        assert!(derive(&password, &one.salt, ScramVerifier::ITERATIONS) == one);
        assert!(ScramVerifier::parse(&one.text()) == Ok(one));
        assert!(verifier(&Secret::new("柿8sample".into())).is_err());
    }
}
