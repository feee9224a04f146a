//! Mail vocabulary: addresses, the envelope, a received message. No I/O.

mod dsn;

use std::fmt;
use std::net::IpAddr;

pub use dsn::ForwardPath;
pub use dsn::Notify;
pub use dsn::Returned;
pub use dsn::TypedAddress;
pub use dsn::in_ascii;

use crate::secret::Secret;
use crate::time::Timestamp;

/// A mail address as it was written, with its domain in lower case.
///
/// Deliberately lenient: `a..b.@docomo.ne.jp` breaks RFC 5321 section 4.1.2 and exists all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: String,
    at: usize,
}

impl Address {
    /// The address in `text`, without angle brackets; `None` unless it has a local part and a domain
    /// and is free of control characters and brackets, and outside quotes of spaces and of further `@`
    /// (RFC 5321 section 4.1.2).
    pub fn parse(text: &str) -> Option<Self> {
        let at = text.rfind('@')?;
        let (local, domain) = (&text[..at], &text[at + 1..]);
        let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
        let bad = |c: char| c.is_control() || matches!(c, '<' | '>' | '\u{2028}' | '\u{2029}');
        let bad_local = |c: char| bad(c) || (!quoted && matches!(c, ' ' | '"' | ',' | ';' | '@'));
        let bad_domain =
            |c: char| bad(c) || c.is_whitespace() || matches!(c, '@' | '"' | ',' | ';');
        if local.is_empty() || domain.is_empty() || text.len() > 320 {
            return None;
        }
        if local.contains(bad_local) || domain.contains(bad_domain) {
            return None;
        }
        Some(Self {
            text: format!("{local}@{}", domain.to_lowercase()),
            at,
        })
    }

    /// The gateway's own address at `domain`, which has been checked: `faxgate@domain`.
    pub fn of_gateway(domain: &str) -> Self {
        const LOCAL: &str = "faxgate";
        Self {
            text: format!("{LOCAL}@{}", domain.to_lowercase()),
            at: LOCAL.len(),
        }
    }

    /// The part before the last `@`, quotes included.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The part after the last `@`, in lower case.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form under which addresses are compared: all in lower case. RFC 5321 section 2.4 leaves the
    /// case of local parts to their host; no customer means two people by `Tanaka` and `tanaka`.
    pub fn key(&self) -> String {
        self.text.to_lowercase()
    }

    /// Shortened for logs: `t…@customer.example`.
    pub fn shortened(&self) -> String {
        let first: String = self.local().chars().take(1).collect();
        format!("{first}…@{}", self.domain())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What SMTP carried outside the message (RFC 5321 section 2.3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse-path; `None` is the null reverse-path `<>`.
    pub reverse_path: Option<Address>,
    /// The forward-paths accepted at RCPT, in order.
    pub recipients: Vec<ForwardPath>,
    /// How much of the mail goes back with a report (RET).
    pub returned: Option<Returned>,
    /// What the client calls this envelope (ENVID), printable ASCII.
    pub envelope_id: Option<String>,
}

/// A message as it arrived at the end of DATA. It may contain a password: never stored, never logged.
pub struct ReceivedMessage {
    /// The envelope.
    pub envelope: Envelope,
    /// Header and body, dots unstuffed, lines ending in CRLF; wiped when dropped.
    pub raw: zeroize::Zeroizing<Vec<u8>>,
    /// Address of the client.
    pub peer: IpAddr,
    /// When the last byte arrived.
    pub received_at: Timestamp,
    /// Who logged in (SMTP AUTH, or by a certificate) before it was sent, if somebody did.
    pub authenticated: Option<Identity>,
}

/// A login (SMTP AUTH), as it arrived. It holds a password: never stored, never logged.
#[derive(Debug)]
pub struct Login {
    /// Whom the client says it is.
    pub login_id: String,
    /// How it proves that.
    pub proof: LoginProof,
    /// The client's session: a random number, the same for all logins in it and for no others.
    pub session: u64,
    /// Address of the client.
    pub peer: IpAddr,
    /// When the last byte arrived.
    pub received_at: Timestamp,
}

/// Who a session speaks for, once that was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's id.
    pub account: String,
    /// Names the account's credentials as they were when it was proved, by a keyed hash. Others since
    /// then end the session.
    pub credentials: [u8; 32],
}

/// How a login is proved.
pub enum LoginProof {
    /// By a client certificate (DER) that TLS has proved (EXTERNAL, RFC 4422 appendix A).
    Certificate(Vec<u8>),
    /// By the password itself (PLAIN, LOGIN).
    Password(Secret),
    /// By a signature that only the password's owner can make (SCRAM-SHA-256, RFC 5802 section 3).
    Scram {
        /// The text that is signed, `AuthMessage`.
        signed: String,
        /// `ClientProof`.
        proof: [u8; 32],
    },
}

/// The kind only: a proof has no place in a log.
impl fmt::Debug for LoginProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate(_) => "Certificate",
            Self::Password(_) => "Password",
            Self::Scram { .. } => "Scram",
        })
    }
}

/// What a SCRAM client needs to make its proof; made up for a login ID that nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramChallenge {
    /// Our part of the nonce: printable, without a comma, never used before.
    pub nonce: String,
    /// The salt.
    pub salt: Vec<u8>,
    /// How often the password is hashed.
    pub iterations: u32,
}

/// How far a mail's claim to come from its sender is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustTier {
    /// The domain of the sender, or a machine that we know, vouches for it ("A").
    Proven,
    /// Nothing was published, or nothing was checked ("B").
    Unverified,
    /// What the domain published says that it is not from there ("C").
    Forged,
    /// DNS gave no answer for now: it may be any of the others.
    Undecided,
}

impl TrustTier {
    /// The word in events, listings and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Unverified => "unverified",
            Self::Forged => "forged",
            Self::Undecided => "undecided",
        }
    }

    /// The tier that `word` names.
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [
            Self::Proven,
            Self::Unverified,
            Self::Forged,
            Self::Undecided,
        ];
        all.into_iter().find(|tier| tier.as_str() == word)
    }
}

/// What SPF, DKIM, DMARC and ARC say of a message. Depends on the message, its client and DNS only,
/// never on an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Of the message as a whole: what is forged or undecided here is so for everybody.
    pub tier: TrustTier,
    /// Of the reverse-path, where it is the reverse-path that names an account.
    pub reverse_path: TrustTier,
    /// Of the author in From, where it is the author who names an account.
    pub author: TrustTier,
    /// Result and domain of SPF (RFC 7208), such as `pass customer.example`.
    pub spf: String,
    /// Results and domains of the DKIM signatures that were looked at (RFC 6376).
    pub dkim: String,
    /// Results and domains of DMARC (RFC 9989).
    pub dmarc: String,
    /// Result and last sealer of ARC (RFC 8617), if a listed forwarder sealed it.
    pub arc: String,
    /// All of it as the value of an Authentication-Results field (RFC 8601), on one line.
    pub text: String,
    /// Whether nothing that was read speaks against the sender: no record of DMARC, no hard fail of SPF.
    /// Also false where nobody asked, which says nothing of the sender's DNS: for the null reverse-path,
    /// and where too many mails of the same client and domain waited.
    pub is_open: bool,
}

/// How the sender of a submission was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing was checked, because the account is locked: nothing of the submission is sent or kept.
    None,
    /// The password in the body matched, besides the address.
    Password,
    /// The address belongs to the account, which asks for nothing more.
    SenderAddress,
    /// The client logged in (SMTP AUTH), and the address is one of the account's.
    SmtpAuth,
    /// A person who has logged in to the account web.
    WebSession,
}

impl Proof {
    /// The word kept in storage and shown in the history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Password => "password",
            Self::SenderAddress => "sender-address",
            Self::SmtpAuth => "smtp-auth",
            Self::WebSession => "web-session",
        }
    }
}

/// What counts as one address: a host of IPv6 owns the lower 64 bits (RFC 4291 section 2.5.4).
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let upper = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(std::net::Ipv6Addr::from(upper))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carrier_addresses_that_break_the_rules_are_addresses() {
        for text in [
            "a..b.@docomo.ne.jp",
            ".abc@ezweb.ne.jp",
            "\"a b\"@Example.COM",
            "\"a@b\"@example.com",
        ] {
            assert!(Address::parse(text).is_some(), "{text}");
        }
        assert_eq!(
            Address::parse("Tanaka@Customer.Example").unwrap().as_str(),
            "Tanaka@customer.example"
        );
    }

    #[test]
    fn text_that_could_break_a_header_is_no_address() {
        for text in [
            "",
            "a",
            "@b",
            "a@",
            "a\r\nBcc: x@b",
            "a b@c",
            "a@b c",
            "<a@b>",
            "a@b,c@d",
            "a@b@c",
            "*@a@b",
            "a\u{2028}@b",
        ] {
            assert!(Address::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn addresses_are_shortened_for_logs() {
        let address = Address::parse("tanaka@customer.example").unwrap();
        assert_eq!(address.shortened(), "t…@customer.example");
    }
}
