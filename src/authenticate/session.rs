//! A person who sends from the account web: the session is looked up, and the lock judged, at that moment.

use std::sync::Arc;

use crate::account::directory::Directory;
use crate::account::session::Cookie;
use crate::account::session::Sessions;
use crate::authenticate::Authenticator;
use crate::authenticate::Denied;
use crate::authenticate::No;
use crate::authenticate::Sender;
use crate::authenticate::Standing;
use crate::authenticate::judge;
use crate::authenticate::unavailable;
use crate::config::Account;
use crate::config::SenderPattern;
use crate::refusal::Refusal;
use crate::smtp::Address;
use crate::smtp::TrustTier;
use crate::submission::Recipient;
use crate::time::Timestamp;

/// A browser that has logged in.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// Where its session is kept.
    pub sessions: &'a Sessions,
    /// Names its session.
    pub cookie: &'a Cookie,
}

impl Authenticator {
    /// Who sends: the account of the session, as long as it is open and has the credentials that opened it.
    /// A page may be older than a lock, a new password or a log-out, so all is asked again.
    ///
    /// # Errors
    /// [`Denied`], with [`Refusal::NotAuthenticated`] if the session has ended, if the account is locked and
    /// no list is asked for, or if it has no address that results can go to; [`Refusal::Storage`].
    pub async fn session(
        &self,
        visit: &Visit<'_>,
        recipients: &[Recipient],
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Sender, Denied> {
        let nobody = |(refusal, reason): No| Denied {
            refusal,
            account: None,
            reason,
        };
        let found = visit.sessions.find(visit.cookie, directory, now).await;
        let found = found.map_err(|error| nobody(unavailable(&error)))?;
        let ended = (Refusal::NotAuthenticated, "the session has ended");
        let account = found.ok_or_else(|| nobody(ended))?.account;
        let judged = self.standing_of(&account, recipients, now);
        let (address, standing) = judged.map_err(|(refusal, reason)| Denied {
            refusal,
            account: Some((account.id.clone(), TrustTier::Proven)),
            reason,
        })?;
        Ok(Sender {
            account,
            address,
            tier: TrustTier::Proven,
            standing,
        })
    }

    fn standing_of(
        &self,
        account: &Arc<Account>,
        recipients: &[Recipient],
        now: Timestamp,
    ) -> Result<(Address, Standing), No> {
        let locks = self.locks(account)?;
        let standing = judge::judge_session(account, &locks, recipients, now)?;
        let none = (Refusal::NotAuthenticated, "the account has no address");
        let address = addresses(account).into_iter().next().ok_or(none)?;
        Ok((address, standing))
    }
}

/// The addresses that results of what a person of `account` sends can go to: its exact senders, in their
/// order, and where its notices go. The first is whom the fax is from.
pub fn addresses(account: &Account) -> Vec<Address> {
    let exact = account.senders.iter().filter_map(|sender| match sender {
        SenderPattern::Exact(address) => Some(address),
        SenderPattern::Domain(_) => None,
    });
    let mut addresses: Vec<Address> = Vec::new();
    for address in exact.chain(&account.email) {
        if !addresses.iter().any(|known| known.key() == address.key()) {
            addresses.push(address.clone());
        }
    }
    addresses
}
