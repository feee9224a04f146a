//! Decides the trust tier from what was found out. Pure.

use crate::smtp::TrustTier;

/// What SPF said of a domain and the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spf {
    /// The client may send for the domain.
    Pass,
    /// The domain says that it may not (`-all`).
    Fail,
    /// DNS gave no answer.
    Temporary,
    /// Nothing that decides: no record, a broken one, softfail, neutral.
    Open,
}

/// What DMARC said of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dmarc {
    /// SPF or DKIM passed, aligned.
    Pass,
    /// There is a record, and neither passed: whatever its policy asks for.
    Fail,
    /// DNS gave no answer.
    Temporary,
    /// There is no record.
    None,
}

/// What the signatures said that are aligned with a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dkim {
    /// One is right.
    Pass,
    /// DNS did not give the key of one.
    Temporary,
    /// None is right.
    None,
}

/// One domain that the message claims to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The domain, in lower case and ASCII.
    pub(super) domain: String,
    /// DMARC.
    pub(super) dmarc: Dmarc,
    /// DKIM.
    pub(super) dkim: Dkim,
    /// What its own record says of the client, if it is an author's and not the reverse-path's: it can
    /// only speak against, since everybody at a provider sends from where all of its customers do.
    pub(super) own_spf: Spf,
    /// Whether a forwarder that is believed saw it proved.
    pub(super) forwarded: bool,
}

/// All that was found out about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Findings {
    /// SPF of the reverse-path.
    pub(super) spf: Spf,
    /// The domain of the reverse-path.
    pub(super) path: Identity,
    /// Whether the author is the reverse-path itself, and not somebody else at its domain.
    pub(super) path_is_author: bool,
    /// The domain of the author who may name an account.
    pub(super) author: Option<Identity>,
    /// Further authors: each can be forged, none names an account.
    pub(super) others: Vec<Identity>,
}

/// The tiers of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tiers {
    /// Of the whole.
    pub(super) whole: TrustTier,
    /// Of the reverse-path.
    pub(super) path: TrustTier,
    /// Of the author.
    pub(super) author: TrustTier,
}

impl Findings {
    /// The tiers. Forged is what DMARC fails for an author, and a hard fail of SPF that no aligned
    /// signature makes good; a pass counts only for the domains that it is aligned with.
    pub(super) fn tiers(&self) -> Tiers {
        let path = self.path_tier();
        let author = self.author.as_ref().map(|author| self.tier(author));
        let authors = author.into_iter();
        let others = self.others.iter().map(|other| self.tier(other));
        let seen: Vec<TrustTier> = authors.chain(others).collect();
        let whole = if seen.contains(&TrustTier::Forged) || self.is_path_forged() {
            TrustTier::Forged
        } else if author == Some(TrustTier::Proven) {
            TrustTier::Proven
        } else if path == TrustTier::Undecided || seen.contains(&TrustTier::Undecided) {
            TrustTier::Undecided
        } else if path == TrustTier::Proven {
            TrustTier::Proven
        } else {
            TrustTier::Unverified
        };
        Tiers {
            whole,
            path,
            author: author.unwrap_or(TrustTier::Unverified),
        }
    }

    /// A signature speaks for the author. The envelope is not signed: whoever holds a mail that a
    /// provider signed for one of its customers could put another one into the reverse-path, which
    /// therefore needs SPF, unless both are the same address.
    fn path_tier(&self) -> TrustTier {
        let path = &self.path;
        match (path.dmarc, self.spf) {
            _ if self.path_is_author => self.tier(path),
            (Dmarc::Pass, Spf::Pass) => TrustTier::Proven,
            (Dmarc::Pass, Spf::Temporary) => TrustTier::Undecided,
            (Dmarc::Pass, Spf::Fail | Spf::Open) => TrustTier::Forged,
            (Dmarc::Fail | Dmarc::Temporary | Dmarc::None, _) => self.tier(&Identity {
                dkim: Dkim::None,
                forwarded: false,
                ..path.clone()
            }),
        }
    }

    fn tier(&self, identity: &Identity) -> TrustTier {
        if identity.forwarded {
            return TrustTier::Proven;
        }
        match identity.dmarc {
            Dmarc::Pass => return TrustTier::Proven,
            Dmarc::Fail => return TrustTier::Forged,
            Dmarc::Temporary => return TrustTier::Undecided,
            Dmarc::None => {}
        }
        let by_spf = vouches(&self.path.domain, &identity.domain);
        match (identity.dkim, self.spf) {
            (Dkim::Pass, _) => TrustTier::Proven,
            (_, Spf::Pass) if by_spf => TrustTier::Proven,
            (Dkim::Temporary, _) => TrustTier::Undecided,
            (Dkim::None, Spf::Fail) if by_spf => TrustTier::Forged,
            (Dkim::None, Spf::Temporary) if by_spf => TrustTier::Undecided,
            (Dkim::None, Spf::Pass | Spf::Fail | Spf::Temporary | Spf::Open) => {
                match identity.own_spf {
                    Spf::Fail => TrustTier::Forged,
                    Spf::Temporary => TrustTier::Undecided,
                    Spf::Pass | Spf::Open => TrustTier::Unverified,
                }
            }
        }
    }

    /// A hard fail without a signature of the path's or the author's domain, or one that DMARC says is
    /// aligned, and without a forwarder that explains it.
    fn is_path_forged(&self) -> bool {
        let mut saved = [Some(&self.path), self.author.as_ref()]
            .into_iter()
            .flatten();
        let is_saved = saved.any(|identity| {
            identity.forwarded || identity.dkim != Dkim::None || identity.dmarc == Dmarc::Pass
        });
        self.spf == Spf::Fail && !is_saved
    }
}

/// Whether the word of `domain` holds for `other`: the same, or above it. Without a DMARC record nobody
/// says that a domain below may speak for the one above, which may host strangers.
pub(super) fn vouches(domain: &str, other: &str) -> bool {
    let above = || {
        let rest = other.strip_suffix(domain);
        domain.contains('.') && rest.is_some_and(|rest| rest.ends_with('.'))
    };
    !domain.is_empty() && (domain == other || above())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(domain: &str) -> Identity {
        Identity {
            domain: domain.to_owned(),
            dmarc: Dmarc::None,
            dkim: Dkim::None,
            own_spf: Spf::Open,
            forwarded: false,
        }
    }

    /// A mail whose reverse-path and author are of one domain.
    fn one(spf: Spf, dmarc: Dmarc, dkim: Dkim) -> Findings {
        let identity = Identity {
            dmarc,
            dkim,
            ..identity("customer.example")
        };
        Findings {
            spf,
            path: identity.clone(),
            path_is_author: true,
            author: Some(identity),
            others: Vec::new(),
        }
    }

    #[test]
    fn each_tier_follows_from_its_evidence() {
        use TrustTier::Forged;
        use TrustTier::Proven;
        use TrustTier::Undecided;
        use TrustTier::Unverified;
        for (spf, dmarc, dkim, tier) in [
            (Spf::Open, Dmarc::Pass, Dkim::None, Proven),
            (Spf::Pass, Dmarc::None, Dkim::None, Proven),
            (Spf::Open, Dmarc::None, Dkim::Pass, Proven),
            (Spf::Fail, Dmarc::None, Dkim::Pass, Proven),
            (Spf::Open, Dmarc::None, Dkim::None, Unverified),
            (Spf::Open, Dmarc::Fail, Dkim::None, Forged),
            (Spf::Fail, Dmarc::None, Dkim::None, Forged),
            (Spf::Temporary, Dmarc::None, Dkim::None, Undecided),
            (Spf::Temporary, Dmarc::None, Dkim::Pass, Proven),
            (Spf::Temporary, Dmarc::Fail, Dkim::None, Forged),
            (Spf::Open, Dmarc::Temporary, Dkim::None, Undecided),
            (Spf::Open, Dmarc::None, Dkim::Temporary, Undecided),
            (Spf::Fail, Dmarc::None, Dkim::Temporary, Undecided),
        ] {
            let tiers = one(spf, dmarc, dkim).tiers();
            let expected = Tiers {
                whole: tier,
                path: tier,
                author: tier,
            };
            assert_eq!(tiers, expected, "{spf:?} {dmarc:?} {dkim:?}");
        }
    }

    #[test]
    fn a_pass_of_the_attackers_domain_proves_nothing_for_another() {
        let mut findings = one(Spf::Pass, Dmarc::None, Dkim::None);
        findings.path = identity("attacker.example");
        findings.path_is_author = false;
        let tiers = findings.tiers();
        assert_eq!(tiers.path, TrustTier::Proven);
        assert_eq!(tiers.author, TrustTier::Unverified);
        // The other way round: a stolen reverse-path, an author of the attacker's own.
        let mut findings = one(Spf::Fail, Dmarc::None, Dkim::None);
        findings.path_is_author = false;
        findings.author = Some(Identity {
            dkim: Dkim::Pass,
            ..identity("attacker.example")
        });
        let tiers = findings.tiers();
        assert_eq!(tiers.path, TrustTier::Forged, "it must name no account");
        assert_eq!(tiers.author, TrustTier::Proven);
    }

    #[test]
    fn what_the_authors_own_record_says_of_the_client_can_only_speak_against() {
        use TrustTier::Forged;
        use TrustTier::Proven;
        use TrustTier::Undecided;
        use TrustTier::Unverified;
        for (own_spf, dmarc, dkim, tier) in [
            (Spf::Fail, Dmarc::None, Dkim::None, Forged),
            (Spf::Temporary, Dmarc::None, Dkim::None, Undecided),
            (Spf::Pass, Dmarc::None, Dkim::None, Unverified),
            (Spf::Open, Dmarc::None, Dkim::None, Unverified),
            (Spf::Fail, Dmarc::None, Dkim::Pass, Proven),
            (Spf::Fail, Dmarc::Pass, Dkim::None, Proven),
            (Spf::Fail, Dmarc::None, Dkim::Temporary, Undecided),
            (Spf::Temporary, Dmarc::Fail, Dkim::None, Forged),
        ] {
            let mut findings = one(Spf::Pass, dmarc, dkim);
            findings.path = identity("service.example");
            findings.path_is_author = false;
            findings.author = findings.author.map(|author| Identity { own_spf, ..author });
            let tiers = findings.tiers();
            assert_eq!(tiers.author, tier, "{own_spf:?} {dmarc:?} {dkim:?}");
            let whole = if tier == Unverified { Proven } else { tier };
            assert_eq!(tiers.whole, whole, "{own_spf:?} {dmarc:?} {dkim:?}");
        }
    }

    #[test]
    fn a_signature_for_somebody_else_at_the_domain_does_not_speak_for_the_reverse_path() {
        use TrustTier::Forged;
        use TrustTier::Proven;
        use TrustTier::Undecided;
        use TrustTier::Unverified;
        for (spf, dmarc, tier) in [
            (Spf::Open, Dmarc::Pass, Forged),
            (Spf::Fail, Dmarc::Pass, Forged),
            (Spf::Temporary, Dmarc::Pass, Undecided),
            (Spf::Pass, Dmarc::Pass, Proven),
            (Spf::Open, Dmarc::None, Unverified),
            (Spf::Fail, Dmarc::None, Forged),
            (Spf::Pass, Dmarc::None, Proven),
        ] {
            let mut findings = one(spf, dmarc, Dkim::Pass);
            findings.path_is_author = false;
            let tiers = findings.tiers();
            assert_eq!(tiers.path, tier, "{spf:?} {dmarc:?}");
            assert_eq!(tiers.author, Proven, "{spf:?} {dmarc:?}");
            assert_eq!(tiers.whole, Proven, "{spf:?} {dmarc:?}");
        }
    }

    #[test]
    fn a_hard_fail_is_saved_by_a_signature_that_dmarc_says_is_aligned() {
        // Signed by mail.customer.example, which nobody but DMARC takes for customer.example.
        let tiers = one(Spf::Fail, Dmarc::Pass, Dkim::None).tiers();
        assert_eq!(tiers.whole, TrustTier::Proven);
    }

    #[test]
    fn one_forged_author_among_several_is_enough() {
        let mut findings = one(Spf::Pass, Dmarc::Pass, Dkim::Pass);
        findings.others = vec![Identity {
            dmarc: Dmarc::Fail,
            ..identity("bank.example")
        }];
        assert_eq!(findings.tiers().whole, TrustTier::Forged);
    }

    #[test]
    fn a_slow_domain_in_the_path_does_not_make_an_author_undecided() {
        let mut findings = one(Spf::Temporary, Dmarc::None, Dkim::None);
        findings.path = identity("slow.example");
        findings.path_is_author = false;
        let tiers = findings.tiers();
        assert_eq!(tiers.whole, TrustTier::Undecided);
        assert_eq!(tiers.author, TrustTier::Unverified, "its strikes count");
    }

    #[test]
    fn a_believed_forwarder_makes_good_what_forwarding_broke() {
        let mut findings = one(Spf::Fail, Dmarc::Fail, Dkim::None);
        let forwarded = Identity {
            forwarded: true,
            ..findings.path.clone()
        };
        findings.path = forwarded.clone();
        findings.author = Some(forwarded);
        assert_eq!(findings.tiers().whole, TrustTier::Proven);
    }

    #[test]
    fn a_domain_vouches_for_itself_and_below() {
        for (domain, other, holds) in [
            ("customer.example", "customer.example", true),
            ("customer.example", "branch.customer.example", true),
            ("branch.customer.example", "customer.example", false),
            ("customer.example", "notcustomer.example", false),
            ("example", "customer.example", false),
            ("", "customer.example", false),
        ] {
            assert_eq!(vouches(domain, other), holds, "{domain} {other}");
        }
    }
}
