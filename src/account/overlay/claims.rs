//! A sender address belongs to one account: the files go first, then who claimed it earlier.

use std::collections::HashMap;
use std::collections::HashSet;

use super::Changed;
use super::Setting;
use crate::account::directory::Directory;
use crate::config::Account;
use crate::config::Accounts;
use crate::config::SenderPattern;
use crate::smtp::Address;
use crate::time::Timestamp;

/// Whether no other account has `address` as a sender, in its file or by a change, or has its whole domain.
pub fn is_free(directory: &Directory, account: &Account, address: &Address) -> bool {
    let others = |owner: &Account| owner.id != account.id;
    if directory
        .by_sender(address)
        .is_some_and(|owner| others(owner))
    {
        return false;
    }
    // An address that its owner took out in the web stays that of the file.
    !directory
        .overlaid()
        .any(|owner| others(&owner.written) && names(&owner.written, address))
}

/// The exact senders of each account that changed them, without those that another account has.
pub(super) fn senders(
    written: &Accounts,
    changes: &HashMap<String, Vec<(Changed, Setting)>>,
) -> HashMap<String, Vec<Address>> {
    let mut claims: Vec<(Timestamp, &String, &Vec<Address>)> = Vec::new();
    for (account, changes) in changes {
        for (changed, setting) in changes {
            if let Setting::Senders(addresses) = setting {
                claims.push((changed.at, account, addresses));
            }
        }
    }
    if claims.is_empty() {
        return HashMap::new();
    }
    claims.sort_by_key(|(at, account, _)| (*at, *account));
    let claimed = claims.iter().flat_map(|(_, _, addresses)| *addresses);
    let mut owners = Owners::of(written, claimed);
    let granted = claims.into_iter().map(|(_, account, addresses)| {
        let mine = addresses
            .iter()
            .filter(|address| owners.take(account, address));
        (account.clone(), mine.cloned().collect())
    });
    granted.collect()
}

/// Who has the addresses that are claimed.
struct Owners {
    /// By the key of an address, or `*@domain`.
    of: HashMap<String, String>,
}

impl Owners {
    fn of<'a>(written: &Accounts, claimed: impl Iterator<Item = &'a Address>) -> Self {
        let keys = claimed.flat_map(|address| [address.key(), wildcard(address)]);
        let wanted: HashSet<String> = keys.collect();
        let mut of = HashMap::new();
        for account in &written.accounts {
            for sender in &account.senders {
                let key = match sender {
                    SenderPattern::Exact(address) => address.key(),
                    SenderPattern::Domain(domain) => format!("*@{domain}"),
                };
                if wanted.contains(&key) {
                    of.entry(key).or_insert_with(|| account.id.clone());
                }
            }
        }
        Self { of }
    }

    /// Whether `address` is `account`'s from now on.
    fn take(&mut self, account: &str, address: &Address) -> bool {
        // The file may give one account an address in the domain of another: exact goes first.
        let exact = self.of.get(&address.key());
        let owner = exact.or_else(|| self.of.get(&wildcard(address)));
        let free = owner.is_none_or(|owner| owner == account);
        if free {
            self.of.insert(address.key(), account.to_owned());
        }
        free
    }
}

fn wildcard(address: &Address) -> String {
    format!("*@{}", address.domain())
}

fn names(account: &Account, address: &Address) -> bool {
    account.senders.iter().any(|sender| match sender {
        SenderPattern::Exact(own) => own.key() == address.key(),
        SenderPattern::Domain(_) => false,
    })
}
