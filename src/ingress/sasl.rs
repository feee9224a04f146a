//! The messages of AUTH (RFC 4954): what PLAIN, LOGIN and SCRAM-SHA-256 put into base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::smtp::ScramChallenge;

/// What we offer, as EHLO names it.
pub(super) fn offered(scram: bool) -> &'static str {
    match scram {
        true => "PLAIN LOGIN SCRAM-SHA-256",
        false => "PLAIN LOGIN",
    }
}

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// By the client's certificate (RFC 4422 appendix A); its message is empty or the login ID.
    External,
    /// Login ID and password in two answers; never standardised, and widespread.
    Login,
    /// RFC 4616.
    Plain,
    /// RFC 5802 and RFC 7677, without channel binding.
    ScramSha256,
}

impl Mechanism {
    /// The mechanism of this name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "EXTERNAL" => Some(Self::External),
            "LOGIN" => Some(Self::Login),
            "PLAIN" => Some(Self::Plain),
            "SCRAM-SHA-256" => Some(Self::ScramSha256),
            _ => None,
        }
    }
}

/// Base64 as a line of its own.
pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Text in base64; `None` for anything else. A lone `=` is the empty text (RFC 4954 section 4).
pub(super) fn decode(line: &str) -> Option<Secret> {
    if line == "=" {
        return Some(Secret::new(String::new()));
    }
    let mut bytes = Zeroizing::new(STANDARD.decode(line).ok()?);
    let text = String::from_utf8(std::mem::take(&mut *bytes));
    match text {
        Ok(text) => Some(Secret::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            None
        }
    }
}

/// Login ID and password of PLAIN: `[authzid] NUL authcid NUL passwd`. Nobody may act for another.
pub(super) fn plain(message: &Secret) -> Option<(String, Secret)> {
    let mut fields = message.expose().split('\0');
    let (acts_for, login_id, password) = (fields.next()?, fields.next()?, fields.next()?);
    let formed = fields.next().is_none() && !login_id.is_empty() && !password.is_empty();
    let own = acts_for.is_empty() || acts_for == login_id;
    (formed && own).then(|| (login_id.to_owned(), Secret::new(password.to_owned())))
}

/// The state of a SCRAM exchange after the client's first message.
#[derive(Debug)]
pub(super) struct Scram {
    login_id: String,
    /// What the client said of channel binding: `n,,` or `y,,`, perhaps with a name.
    header: String,
    /// Its message without that.
    bare: String,
    /// Our answer; empty before there is one.
    challenge: String,
    nonce: String,
}

impl Scram {
    /// Reads the client's first message (RFC 5802 section 7, `client-first-message`).
    pub(super) fn begin(message: &Secret) -> Option<Self> {
        let text = message.expose();
        let mut fields = text.splitn(3, ',');
        let (binding, acts_for, bare) = (fields.next()?, fields.next()?, fields.next()?);
        // `p=` asks for channel binding, which is not offered; `y` says the client could have it.
        if !matches!(binding, "n" | "y") {
            return None;
        }
        let (name, nonce) = bare.strip_prefix("n=")?.split_once(",r=")?;
        let nonce = nonce.split(',').next()?;
        let login_id = name_of(name)?;
        let own = acts_for.is_empty()
            || acts_for.strip_prefix("a=").and_then(name_of).as_ref() == Some(&login_id);
        let printable = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        (own && printable && !nonce.is_empty() && !login_id.is_empty()).then(|| Self {
            header: format!("{binding},{acts_for},"),
            bare: bare.to_owned(),
            challenge: String::new(),
            nonce: nonce.to_owned(),
            login_id,
        })
    }

    /// Whom the client says it is.
    pub(super) fn login_id(&self) -> &str {
        &self.login_id
    }

    /// Our answer (`server-first-message`).
    pub(super) fn challenge(&mut self, challenge: &ScramChallenge) -> &str {
        self.nonce.push_str(&challenge.nonce);
        let (nonce, salt) = (&self.nonce, encode(&challenge.salt));
        self.challenge = format!("r={nonce},s={salt},i={}", challenge.iterations);
        &self.challenge
    }

    /// Reads the client's proof (`client-final-message`): login ID, the text that is signed, the proof.
    pub(super) fn end(self, message: &Secret) -> Option<(String, String, [u8; 32])> {
        let (unproved, proof) = message.expose().rsplit_once(",p=")?;
        let begin = format!("c={},r={}", encode(self.header.as_bytes()), self.nonce);
        // Extensions that may be ignored can follow the nonce.
        let rest = unproved.strip_prefix(begin.as_str())?;
        if !rest.is_empty() && !rest.starts_with(',') {
            return None;
        }
        let proof = <[u8; 32]>::try_from(STANDARD.decode(proof).ok()?).ok()?;
        let signed = format!("{},{},{unproved}", self.bare, self.challenge);
        Some((self.login_id, signed, proof))
    }
}

/// `=2C` is a comma, `=3D` an equals sign; no other escape exists (RFC 5802 section 5.1).
fn name_of(name: &str) -> Option<String> {
    let mut pieces = name.split('=');
    let mut out = pieces.next()?.to_owned();
    for piece in pieces {
        let (escape, rest) = piece.split_at_checked(2)?;
        out.push(match escape {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn plain_has_a_login_id_and_a_password_and_acts_for_nobody_else() {
        for (message, read) in [
            ("\0tanaka\0kaki8sample", Some(("tanaka", "kaki8sample"))),
            ("tanaka\0tanaka\0p", Some(("tanaka", "p"))),
            ("suzuki\0tanaka\0p", None),
            ("tanaka\0p", None),
            ("\0tanaka\0", None),
            ("\0\0p", None),
            ("\0tanaka\0p\0", None),
            ("", None),
        ] {
            let found = plain(&secret(message));
            let found = found
                .as_ref()
                .map(|(id, password)| (id.as_str(), password.expose()));
            assert_eq!(found, read, "{message:?}");
        }
    }

    #[test]
    fn only_whole_base64_of_text_is_read() {
        assert_eq!(decode("AGEAYg==").unwrap().expose(), "\0a\0b");
        assert_eq!(decode("=").unwrap().expose(), "");
        assert_eq!(decode("").unwrap().expose(), "");
        for bad in [
            "AGEAYg",
            "AGEAYg=",
            "A GEAYg==",
            "AGEAYh==",
            "/////w==",
            "é",
        ] {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }

    /// The example of RFC 7677 section 3.
    #[test]
    fn a_scram_exchange_goes_as_in_the_rfc() {
        let mut scram = Scram::begin(&secret("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")).unwrap();
        assert_eq!(scram.login_id(), "user");
        let challenge = ScramChallenge {
            nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into(),
            salt: STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(),
            iterations: 4096,
        };
        assert_eq!(
            scram.challenge(&challenge),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let (login_id, signed, proof) = scram.end(&secret(last)).unwrap();
        assert_eq!((login_id.as_str(), proof[0]), ("user", 0x74));
        assert!(signed.starts_with("n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOpr"));
        assert!(signed.ends_with(",c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"));
    }

    #[test]
    fn scram_messages_that_bend_the_rules_are_refused() {
        for first in [
            "p=tls-unique,,n=user,r=x",
            "n,a=other,n=user,r=x",
            "n,,m=ext,n=user,r=x",
            "n,,n=,r=x",
            "n,,n=user,r=",
            "n,,n=us=er,r=x",
            "n,,n=user",
            "",
        ] {
            assert!(Scram::begin(&secret(first)).is_none(), "{first}");
        }
        assert_eq!(
            Scram::begin(&secret("y,,n=a=2Cb=3D,r=x"))
                .unwrap()
                .login_id(),
            "a,b="
        );
        let proof = STANDARD.encode([0; 32]);
        for last in [
            format!("c=biws,r=xother,p={proof}"),
            format!("c=eSws,r=xy,p={proof}"),
            format!("r=xy,p={proof}"),
            "c=biws,r=xy,p=AAAA".to_owned(),
            "c=biws,r=xy".to_owned(),
        ] {
            let mut scram = Scram::begin(&secret("n,,n=user,r=x")).unwrap();
            let challenge = ScramChallenge {
                nonce: "y".into(),
                salt: vec![1],
                iterations: 4096,
            };
            scram.challenge(&challenge);
            assert!(scram.end(&secret(&last)).is_none(), "{last}");
        }
    }

    proptest! {
        #[test]
        fn no_message_makes_the_readers_panic(first in "[nyp,=ar]{0,20}.{0,20}", last in ".{0,40}") {
            let _ = plain(&secret(&first));
            let _ = decode(&last);
            if let Some(scram) = Scram::begin(&secret(&first)) {
                let _ = scram.end(&secret(&last));
            }
        }
    }
}
