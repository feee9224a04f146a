//! What one message makes us ask, and what the answers come to.

use std::future::Future;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use mail_auth::ArcOutput;
use mail_auth::AuthenticatedMessage;
use mail_auth::AuthenticationResults;
use mail_auth::DkimOutput;
use mail_auth::DmarcOutput;
use mail_auth::DmarcResult;
use mail_auth::DnsError;
use mail_auth::Error;
use mail_auth::Parameters;
use mail_auth::SpfOutput;
use mail_auth::SpfResult;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use tokio::time::timeout;

use super::Verifier;
use super::dns::Budget;
use super::judge::Dkim;
use super::judge::Findings;
use super::judge::vouches;
use super::message;
use super::seen::Seen;
use super::seen::dkim_of;
use crate::smtp::Address;
use crate::smtp::Verification;

/// Longest wait for SPF, for signatures and for ARC, side by side; and again for DMARC.
pub(super) const STEP: Duration = Duration::from_secs(8);
/// Questions that one evaluation of SPF may ask, the exchanges of `mx` included.
const MOST_QUESTIONS: usize = 40;
/// Characters that are kept of the results.
const MOST_RESULTS: usize = 2000;
/// Longest chain of forwarders that is looked at.
const MOST_FORWARDERS: usize = 10;

/// One message's questions.
pub(super) struct Asked<'v> {
    /// Who asks.
    pub(super) verifier: &'v Verifier,
    /// The client's address.
    pub(super) peer: IpAddr,
    /// The reverse-path.
    pub(super) sender: Address,
    /// Its domain, in ASCII.
    pub(super) path: String,
    /// Whether the author is the reverse-path itself.
    pub(super) path_is_author: bool,
    /// The domain of the author who may name an account.
    pub(super) author: Option<String>,
    /// What stands before it, for records that ask (RFC 7208 section 7).
    pub(super) author_local: Option<String>,
    /// The domains of further authors.
    pub(super) others: Vec<String>,
}

impl Asked<'_> {
    /// Asks everything and decides.
    pub(super) async fn answer<'m>(&self, message: &'m AuthenticatedMessage<'m>) -> Verification {
        let domains = self.domains();
        let signatures = message::signatures(message, &domains);
        let keys = signatures.iter().map(|one| self.signature(one));
        let path = self.spf(&self.path, self.sender.local());
        let (spf, dkim, arc) = tokio::join!(path, all(keys), self.arc(message));
        let policies = domains.iter().map(|domain| self.dmarc(domain, &dkim, &spf));
        let (dmarc, own_spf) = tokio::join!(all(policies), self.own_spf(&dkim, &spf));
        let seen = Seen {
            spf,
            own_spf,
            dkim,
            dmarc,
            arc,
        };
        self.verification(&domains, &seen)
    }

    /// Every domain that the message claims to come from, each once; the reverse-path's first.
    fn domains(&self) -> Vec<&str> {
        let mut domains = vec![self.path.as_str()];
        for domain in self.author.iter().chain(&self.others) {
            if !domains.contains(&domain.as_str()) {
                domains.push(domain);
            }
        }
        domains
    }

    /// SPF of the author's domain, unless the reverse-path's or a signature has proved it already: else
    /// a reverse-path of the forger's own would make `-all` of the author's domain say nothing.
    async fn own_spf(
        &self,
        signatures: &[Option<DkimOutput<'_>>],
        spf: &SpfOutput,
    ) -> Option<SpfOutput> {
        let author = self.author.as_deref()?;
        let passes = spf.result() == SpfResult::Pass && vouches(&self.path, author);
        if author == self.path || passes || dkim_of(signatures, author) == Dkim::Pass {
            return None;
        }
        let local = self.author_local.as_deref().unwrap_or("postmaster");
        Some(self.spf(author, local).await)
    }

    /// SPF of `domain` for the client.
    async fn spf(&self, domain: &str, local: &str) -> SpfOutput {
        let sender = format!("{local}@{domain}");
        let budget = Budget::of(MOST_QUESTIONS);
        // The name in EHLO proves nothing here and is not kept: the domain stands in for macros.
        let question =
            SpfParameters::verify_mail_from(self.peer, domain, &self.verifier.host, &sender);
        let question = Parameters::new(question)
            .with_txt_cache(&budget)
            .with_mx_cache(&budget)
            .with_ipv4_cache(&budget)
            .with_ipv6_cache(&budget)
            .with_ptr_cache(&budget);
        let output = timeout(STEP, self.verifier.resolver.check_host(question)).await;
        let unknown = || SpfOutput::new(domain.to_owned());
        match output {
            // RFC 7208 section 4.6.4: too many questions are a permanent error.
            Ok(_) if budget.is_spent() => unknown().with_result(SpfResult::PermError),
            Ok(output) => output,
            Err(_) => unknown().with_result(SpfResult::TempError),
        }
    }

    async fn signature<'m>(&self, message: &'m AuthenticatedMessage<'m>) -> Option<DkimOutput<'m>> {
        let signature = &message.dkim_headers.first()?.header;
        let verified = timeout(STEP, self.verifier.resolver.verify_dkim(message)).await;
        let late = || DkimOutput::temp_err(no_answer()).with_signature(signature);
        verified.map_or_else(|_| Some(late()), |outputs| outputs.into_iter().next())
    }

    /// ARC, if the last to seal the message is a forwarder that is believed.
    async fn arc<'m>(&self, message: &'m AuthenticatedMessage<'m>) -> Option<ArcOutput<'m>> {
        let seal = &message.as_headers.last()?.header;
        let signature = &message.ams_headers.last()?.header;
        let believed = |domain: &str| {
            let listed = |known: &String| known.eq_ignore_ascii_case(domain);
            self.verifier.forwarders.iter().any(listed)
        };
        if message.as_headers.len() > MOST_FORWARDERS
            || !believed(&seal.d)
            || !seal.d.eq_ignore_ascii_case(&signature.d)
            || !message::is_sound(signature.a, signature.l, &signature.h)
            || !message::has_one_from(message)
        {
            return None;
        }
        timeout(STEP, self.verifier.resolver.verify_arc(message))
            .await
            .ok()
    }

    /// DMARC of `domain` as if it were the only author: of several, RFC 9989 judges none.
    async fn dmarc(
        &self,
        domain: &str,
        dkim: &[Option<DkimOutput<'_>>],
        spf: &SpfOutput,
    ) -> DmarcOutput {
        let author = AuthenticatedMessage {
            from: vec![format!("author@{domain}")],
            ..AuthenticatedMessage::default()
        };
        let dkim: Vec<DkimOutput<'_>> = dkim.iter().flatten().cloned().collect();
        let question = DmarcParameters {
            message: &author,
            dkim_output: &dkim,
            dkim2_output: None,
            rfc5321_mail_from_domain: &self.path,
            spf_output: spf,
        };
        let asked = self.verifier.resolver.verify_dmarc(question);
        let late = |_| {
            DmarcOutput::new(domain.to_owned())
                .with_dkim_result(DmarcResult::TempError(no_answer()))
        };
        timeout(STEP, asked).await.unwrap_or_else(late)
    }

    fn verification(&self, domains: &[&str], seen: &Seen<'_>) -> Verification {
        let identity = |domain: &str| {
            let at = domains.iter().position(|known| *known == domain);
            let dmarc = at.and_then(|at| seen.dmarc.get(at));
            seen.identity(domain, dmarc)
        };
        let findings = Findings {
            spf: seen.spf(),
            path: identity(&self.path),
            path_is_author: self.path_is_author,
            author: self.author.as_deref().map(identity),
            others: self.others.iter().map(|other| identity(other)).collect(),
        };
        let tiers = findings.tiers();
        Verification {
            tier: tiers.whole,
            reverse_path: tiers.path,
            author: tiers.author,
            spf: seen.spf_words(),
            dkim: seen.dkim_words(),
            dmarc: seen.dmarc_words(),
            arc: seen.arc_words(),
            text: self.results(seen),
            is_open: !seen.has_objection(),
        }
    }

    /// RFC 8601, on one line.
    fn results(&self, seen: &Seen<'_>) -> String {
        let author = self.author.as_deref().unwrap_or_default();
        let mut results = AuthenticationResults::new(&self.verifier.host);
        for dkim in seen.dkim.iter().flatten() {
            results.set_dkim_result(dkim, author);
        }
        let sender = self.sender.as_str();
        results = results.with_spf_mailfrom_result(&seen.spf, self.peer, sender, &self.path);
        for dmarc in &seen.dmarc {
            results = results.with_dmarc_result(dmarc);
        }
        if let Some(arc) = &seen.arc {
            results = results.with_arc_result(arc, self.peer);
        }
        let mut text = results.to_string();
        if let Some(own) = &seen.own_spf {
            // No registered method says it (RFC 8601 section 2.7.2 is of the envelope).
            let said = format!("; x-author-spf={} header.from={author}", own.result());
            text.push_str(&said.to_lowercase());
        }
        let words = text.split(|c: char| c.is_whitespace() || c.is_control());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        // Names in a signature are as long as a stranger likes; this is kept of every refused mail.
        words.join(" ").chars().take(MOST_RESULTS).collect()
    }
}

fn no_answer() -> Error {
    Error::Dns(DnsError::Resolver("no answer in time".to_owned()))
}

/// Runs all of `futures` side by side; the results in their order.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Result<F::Output, Pin<Box<F>>>> =
        futures.map(|future| Err(Box::pin(future))).collect();
    poll_fn(|context| {
        let mut waits = false;
        for slot in &mut running {
            if let Err(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(output) => *slot = Ok(output),
                    Poll::Pending => waits = true,
                }
            }
        }
        match waits {
            true => Poll::Pending,
            false => Poll::Ready(()),
        }
    })
    .await;
    running.into_iter().filter_map(Result::ok).collect()
}
