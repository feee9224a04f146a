//! What the checks said of a message, in our words.

use mail_auth::ArcOutput;
use mail_auth::DkimOutput;
use mail_auth::DkimResult;
use mail_auth::DmarcOutput;
use mail_auth::DmarcResult;
use mail_auth::SpfOutput;
use mail_auth::SpfResult;
use mail_auth::common::to_a_label;

use super::forwarder;
use super::judge::Dkim;
use super::judge::Dmarc;
use super::judge::Identity;
use super::judge::Spf;
use super::judge::vouches;

/// What the checks said.
pub(super) struct Seen<'m> {
    /// SPF of the reverse-path.
    pub(super) spf: SpfOutput,
    /// The signatures that were looked at.
    pub(super) dkim: Vec<Option<DkimOutput<'m>>>,
    /// DMARC of each domain.
    pub(super) dmarc: Vec<DmarcOutput>,
    /// SPF of the author's domain, if it was asked for.
    pub(super) own_spf: Option<SpfOutput>,
    /// ARC, if a forwarder that is believed sealed the message.
    pub(super) arc: Option<ArcOutput<'m>>,
}

impl Seen<'_> {
    /// SPF, as far as it decides.
    pub(super) fn spf(&self) -> Spf {
        spf_of(&self.spf)
    }

    /// Whether anything that was read speaks against the sender unless something else passes: a record
    /// of DMARC, or a hard fail of SPF.
    pub(super) fn has_objection(&self) -> bool {
        let mut policies = self.dmarc.iter();
        let mut spf = self.own_spf.iter().chain([&self.spf]);
        policies.any(|output| output.dmarc_record().is_some())
            || spf.any(|output| spf_of(output) == Spf::Fail)
    }

    /// What was found out about `domain`.
    pub(super) fn identity(&self, domain: &str, dmarc: Option<&DmarcOutput>) -> Identity {
        Identity {
            domain: domain.to_owned(),
            dmarc: dmarc.map_or(Dmarc::None, dmarc_of),
            dkim: dkim_of(&self.dkim, domain),
            own_spf: self.own_spf(domain),
            forwarded: self.is_forwarded(domain),
        }
    }

    fn own_spf(&self, domain: &str) -> Spf {
        let own = self.own_spf.as_ref();
        let own = own.filter(|output| output.domain() == domain);
        own.map_or(Spf::Open, spf_of)
    }

    fn is_forwarded(&self, domain: &str) -> bool {
        let passed = self
            .arc
            .as_ref()
            .filter(|arc| *arc.result() == DkimResult::Pass);
        let last = passed.and_then(|arc| arc.sets().last());
        last.is_some_and(|set| {
            let results = String::from_utf8_lossy(set.results.value);
            forwarder::saw_proved(&results, domain)
        })
    }

    /// Results and domains of SPF, the reverse-path's first.
    pub(super) fn spf_words(&self) -> String {
        let all = [&self.spf].into_iter().chain(&self.own_spf);
        let word = |output: &SpfOutput| format!("{} {}", output.result(), output.domain());
        listed(all.map(word)).to_lowercase()
    }

    /// Results and domains of the signatures.
    pub(super) fn dkim_words(&self) -> String {
        let word = |output: &DkimOutput<'_>| {
            let by = output.signature().map(|signature| signature.d.clone());
            format!("{} {}", dkim_word(output.result()), by.unwrap_or_default())
        };
        listed(self.dkim.iter().flatten().map(word))
    }

    /// Results and domains of DMARC.
    pub(super) fn dmarc_words(&self) -> String {
        let known = self
            .dmarc
            .iter()
            .filter(|output| !output.domain().is_empty());
        listed(known.map(|output| {
            let word = match dmarc_of(output) {
                Dmarc::Pass => "pass",
                Dmarc::Fail => "fail",
                Dmarc::Temporary => "temperror",
                Dmarc::None => "none",
            };
            format!("{word} {}", output.domain())
        }))
    }

    /// Result and last sealer of ARC.
    pub(super) fn arc_words(&self) -> String {
        listed(self.arc.iter().map(|arc| {
            let by = arc.sets().last().map(|set| set.seal.header.d.clone());
            format!("{} {}", dkim_word(arc.result()), by.unwrap_or_default())
        }))
    }
}

fn spf_of(output: &SpfOutput) -> Spf {
    match output.result() {
        SpfResult::Pass => Spf::Pass,
        SpfResult::Fail => Spf::Fail,
        SpfResult::TempError => Spf::Temporary,
        SpfResult::SoftFail | SpfResult::Neutral | SpfResult::PermError | SpfResult::None => {
            Spf::Open
        }
    }
}

/// What `signatures` say that are aligned with `domain`.
pub(super) fn dkim_of(signatures: &[Option<DkimOutput<'_>>], domain: &str) -> Dkim {
    let mut found = Dkim::None;
    for output in signatures.iter().flatten() {
        let by = output.signature().map(|signature| signature.d.as_str());
        if !by.is_some_and(|by| vouches(&to_a_label(by), domain)) {
            continue;
        }
        match output.result() {
            DkimResult::Pass => return Dkim::Pass,
            DkimResult::TempError(_) => found = Dkim::Temporary,
            DkimResult::Neutral(_)
            | DkimResult::Fail(_)
            | DkimResult::PermError(_)
            | DkimResult::None => {}
        }
    }
    found
}

/// A record that is there and does not pass has failed, also where neither SPF nor DKIM say anything: a
/// message that was tampered with looks like that.
fn dmarc_of(output: &DmarcOutput) -> Dmarc {
    match output.result() {
        DmarcResult::Pass => Dmarc::Pass,
        DmarcResult::TempError(_) => Dmarc::Temporary,
        DmarcResult::Fail(_) | DmarcResult::PermError(_) | DmarcResult::None => {
            match output.dmarc_record() {
                Some(_) => Dmarc::Fail,
                None => Dmarc::None,
            }
        }
    }
}

fn dkim_word(result: &DkimResult) -> &'static str {
    match result {
        DkimResult::Pass => "pass",
        DkimResult::Neutral(_) => "neutral",
        DkimResult::Fail(_) => "fail",
        DkimResult::PermError(_) => "permerror",
        DkimResult::TempError(_) => "temperror",
        DkimResult::None => "none",
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    match words.is_empty() {
        true => "none".to_owned(),
        false => words.join(", "),
    }
}
