//! How far a message is believed to come from its sender: SPF, DKIM, DMARC and ARC give a trust tier.
//!
//! It depends on the message, its client and DNS, never on an account. Everything that asks DNS has its
//! own time, all together less than twenty seconds, and nobody waits for the answers of another's domain.

mod asked;
mod dns;
mod forwarder;
mod judge;
mod message;
mod seen;
mod turns;

use std::io;
use std::time::Duration;

use mail_auth::MessageAuthenticator;
use mail_auth::common::to_a_label;

use crate::config::Config;
use crate::ingress::metric;
use crate::smtp::Address;
use crate::smtp::ReceivedMessage;
use crate::smtp::TrustTier;
use crate::smtp::Verification;
use asked::Asked;
use turns::Turns;

/// Longest wait for a turn; with twice [`asked::STEP`] 19 seconds in all.
const TURN: Duration = Duration::from_secs(3);
/// Further authors that are judged; a person's mail has none.
const MOST_OTHERS: usize = 3;

/// Verifies senders. One for the process: it keeps the answers of DNS.
pub struct Verifier {
    resolver: MessageAuthenticator,
    host: String,
    forwarders: Vec<String>,
    max_header: usize,
    turns: Turns,
}

impl Verifier {
    /// A verifier as `config` wants it; `None` without `[verify]`.
    ///
    /// # Errors
    /// The system's resolvers are asked for and cannot be read.
    pub fn of(config: &Config) -> io::Result<Option<Self>> {
        let Some(rules) = &config.verify else {
            return Ok(None);
        };
        Ok(Some(Self {
            resolver: dns::resolver(&config.dns.servers)?,
            host: config.gateway.name.clone(),
            forwarders: rules.arc_forwarders.clone(),
            max_header: config.smtp.max_header,
            turns: Turns::default(),
        }))
    }

    /// Verifies `message`; `author` is the address in From that may name an account.
    pub async fn verify(
        &self,
        message: &mut ReceivedMessage,
        author: Option<&Address>,
    ) -> Verification {
        let verification = self.judged(message, author).await;
        let result = verification.tier.as_str();
        metrics::counter!(metric::VERIFICATIONS, "result" => result).increment(1);
        verification
    }

    async fn judged(
        &self,
        message: &mut ReceivedMessage,
        author: Option<&Address>,
    ) -> Verification {
        let Some(sender) = message.envelope.reverse_path.clone() else {
            return self.nothing(TrustTier::Unverified);
        };
        let path = to_a_label(sender.domain()).into_owned();
        let Some(_turn) = self.turns.take(message.peer, &path, TURN).await else {
            return self.nothing(TrustTier::Undecided);
        };
        let hashes = message::body_hashes(&mut message.raw).await;
        let Some(read) = message::read(&message.raw, hashes, self.max_header) else {
            return self.nothing(TrustTier::Unverified);
        };
        let path_is_author = author.is_some_and(|author| is_same(author, &sender));
        let author_local = author.map(|author| author.local().to_owned());
        let author = author.map(|author| to_a_label(author.domain()).into_owned());
        let others = others(&read.from, author.as_deref());
        let asked = Asked {
            verifier: self,
            peer: message.peer,
            sender,
            path,
            path_is_author,
            author,
            author_local,
            others,
        };
        asked.answer(&read).await
    }

    /// A verification that found out nothing.
    fn nothing(&self, tier: TrustTier) -> Verification {
        Verification {
            tier,
            reverse_path: tier,
            author: tier,
            spf: "none".to_owned(),
            dkim: "none".to_owned(),
            dmarc: "none".to_owned(),
            arc: "none".to_owned(),
            text: format!("{}; none", self.host),
            is_open: false,
        }
    }
}

/// Whether two addresses are one mailbox, in whatever case and however the domain is written.
fn is_same(one: &Address, other: &Address) -> bool {
    one.local().to_lowercase() == other.local().to_lowercase()
        && to_a_label(one.domain()) == to_a_label(other.domain())
}

/// The domains of the authors besides `author`, each once.
fn others(authors: &[String], author: Option<&str>) -> Vec<String> {
    let mut others: Vec<String> = Vec::new();
    for address in authors {
        let domain = address
            .rsplit_once('@')
            .map(|(_, domain)| to_a_label(domain));
        let new = |domain: &String| Some(domain.as_str()) != author && !others.contains(domain);
        if let Some(domain) = domain.map(|domain| domain.into_owned()).filter(new)
            && others.len() < MOST_OTHERS
        {
            others.push(domain);
        }
    }
    others
}
