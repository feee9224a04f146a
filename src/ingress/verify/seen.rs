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
    /// ARC, if a forwarder that is believed sealed the message.
    pub(super) arc: Option<ArcOutput<'m>>,
}

impl Seen<'_> {
    /// SPF, as far as it decides.
    pub(super) fn spf(&self) -> Spf {
        match self.spf.result() {
            SpfResult::Pass => Spf::Pass,
            SpfResult::Fail => Spf::Fail,
            SpfResult::TempError => Spf::Temporary,
            SpfResult::SoftFail | SpfResult::Neutral | SpfResult::PermError | SpfResult::None => {
                Spf::Open
            }
        }
    }

    /// What was found out about `domain`.
    pub(super) fn identity(&self, domain: &str, dmarc: Option<&DmarcOutput>) -> Identity {
        Identity {
            domain: domain.to_owned(),
            dmarc: dmarc.map_or(Dmarc::None, dmarc_of),
            dkim: self.dkim(domain),
            forwarded: self.is_forwarded(domain),
        }
    }

    fn dkim(&self, domain: &str) -> Dkim {
        let mut found = Dkim::None;
        for output in self.dkim.iter().flatten() {
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
