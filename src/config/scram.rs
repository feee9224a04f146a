//! The outer form of a SCRAM verifier (RFC 5803, as PostgreSQL writes it), so that a mistyped one is
//! found before somebody needs it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a server keeps for SCRAM-SHA-256 instead of a password (RFC 5802 section 3).
#[derive(Clone, PartialEq, Eq)]
pub struct ScramVerifier {
    /// How often the password is hashed: [`ScramVerifier::ITERATIONS`].
    pub iterations: u32,
    /// The salt: [`ScramVerifier::SALT_BYTES`].
    pub salt: Vec<u8>,
    /// `StoredKey`: checks the client's proof.
    pub stored_key: [u8; 32],
    /// `ServerKey`: makes our own.
    pub server_key: [u8; 32],
}

impl ScramVerifier {
    /// Iterations of every verifier (RFC 7677 section 4 asks for 4096 at least and recommends 15,000).
    /// All have the same, because a client is told the number before it has proved anything: a number
    /// of its own would tell an account from the login IDs that nobody has. A guess over the wire is
    /// bounded by the lock, not by this.
    pub const ITERATIONS: u32 = 15_000;
    /// Bytes of every salt, for the same reason.
    pub const SALT_BYTES: usize = 16;

    /// Reads `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, the last three in base64.
    ///
    /// # Errors
    /// What is wrong, without any part of the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let fields = text.strip_prefix("SCRAM-SHA-256$");
        let fields = fields.ok_or("this is no SCRAM-SHA-256 verifier")?;
        let (public, keys) = fields.split_once('$').unwrap_or_default();
        let (iterations, salt) = public.split_once(':').unwrap_or_default();
        let (stored, server) = keys.split_once(':').unwrap_or_default();
        let incomplete = "this SCRAM-SHA-256 verifier is incomplete";
        let key = |text: &str| {
            let bytes = STANDARD.decode(text).ok()?;
            <[u8; 32]>::try_from(bytes).ok()
        };
        let iterations = iterations.parse::<u32>().map_err(|_| incomplete)?;
        let salt = STANDARD.decode(salt).map_err(|_| incomplete)?;
        if iterations != Self::ITERATIONS {
            return Err("this SCRAM-SHA-256 verifier has another number of iterations than 15000");
        }
        if salt.len() != Self::SALT_BYTES {
            return Err("this SCRAM-SHA-256 verifier has a salt of another length than 16 bytes");
        }
        Ok(Self {
            iterations,
            salt,
            stored_key: key(stored).ok_or(incomplete)?,
            server_key: key(server).ok_or(incomplete)?,
        })
    }

    /// The form that [`ScramVerifier::parse`] reads.
    pub fn text(&self) -> String {
        let (salt, stored) = (
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key),
        );
        let server = STANDARD.encode(self.server_key);
        format!("SCRAM-SHA-256${}:{salt}${stored}:{server}", self.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_reads_back_and_a_damaged_one_is_refused() {
        let verifier = ScramVerifier {
            iterations: 15_000,
            salt: vec![7; 16],
            stored_key: [1; 32],
            server_key: [2; 32],
        };
        let text = verifier.text();
        assert!(ScramVerifier::parse(&text) == Ok(verifier));
        for bad in [
            String::new(),
            "kaki8sample".to_owned(),
            text.replace("SHA-256", "SHA-1"),
            text.replace("15000", "4096"),
            text.replace("15000", "15001"),
            text.replace("15000:", ""),
            text.replace("BwcHBwcHBwcHBwcHBwcHBw==", "BwcHBwcHBwcHBwcHBwcHBwc="),
            text[..text.len() - 4].to_owned(),
            text.replace(':', "$"),
        ] {
            assert!(ScramVerifier::parse(&bad).is_err(), "{bad}");
        }
    }
}
