//! Finds accounts: by id, login ID, sender address, number and client certificate.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::account::overlay::Changed;
use crate::account::overlay::Overlaid;
use crate::account::overlay::Overlay;
use crate::config::Account;
use crate::config::Accounts;
use crate::config::ResetMethod;
use crate::config::SenderPattern;
use crate::fax::FaxNumber;
use crate::lock::LockRule;
use crate::smtp::Address;
use crate::storage::StorageError;
use crate::storage::Store;

/// All accounts of one snapshot, indexed. Cheap to ask, also with 100,000 accounts.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// As the files say.
    written: Accounts,
    accounts: Vec<Arc<Account>>,
    /// Accounts that were changed in the web, or have lists made there.
    overlaid: HashMap<String, Overlaid>,
    ids: HashMap<String, Arc<Account>>,
    /// Login IDs in lower case.
    login_ids: HashMap<String, Arc<Account>>,
    /// Exact sender addresses under their key.
    senders: HashMap<String, Arc<Account>>,
    /// Sender domains in lower case.
    domains: HashMap<String, Arc<Account>>,
    numbers: HashMap<FaxNumber, Arc<Account>>,
    /// Fingerprints of client certificates.
    certificates: HashMap<[u8; 32], Arc<Account>>,
    /// Whether any account has a SCRAM verifier.
    scram: bool,
    /// The lock of the profile that most accounts have.
    usual_lock: Option<LockRule>,
    /// Whether every account is told at a reset that its address does not match.
    discloses: bool,
    /// Whether any account may ask for a reset by its login ID alone.
    reset_by_login_id: bool,
}

impl Directory {
    /// Indexes accounts as the files say, whatever was changed in the web: for what looks at files only.
    /// Where two claim the same, which [`Accounts::load`] refuses, the first has it.
    pub fn new(accounts: &Accounts) -> Self {
        Self::over(accounts, &Overlay::default())
    }

    /// Indexes the accounts that are in force: `written` in the files, some of it changed by `overlay`.
    pub fn over(written: &Accounts, overlay: &Overlay) -> Self {
        let (accounts, overlaid) = overlay.over(written);
        let mut directory = Self {
            written: written.clone(),
            overlaid,
            ..Self::default()
        };
        for account in &accounts {
            directory.add(account);
        }
        directory.usual_lock = usual_lock(&accounts);
        let mut resets = accounts.iter().map(|it| &it.profile.reset);
        directory.discloses = resets.clone().all(|reset| reset.disclose_mismatch);
        directory.reset_by_login_id =
            resets.any(|reset| reset.method == ResetMethod::TemporaryPassword);
        directory.accounts = accounts;
        directory
    }

    /// The accounts in force beside a gateway that serves `store`: for commands.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn beside(written: &Accounts, store: &Store) -> Result<Self, StorageError> {
        let overlay = store.read_here(|tx| Overlay::read(tx, &Overlay::default()))?;
        Ok(Self::over(written, &overlay))
    }

    /// All accounts as the files say.
    pub fn written(&self) -> &Accounts {
        &self.written
    }

    /// The account with this id as its file says: what [`crate::account::overlay::set`] changes.
    pub fn as_written(&self, id: &str) -> Option<&Arc<Account>> {
        let overlaid = self.overlaid.get(id).map(|overlaid| &overlaid.written);
        overlaid.or_else(|| self.by_id(id))
    }

    /// What of the account with this id was changed in the web and is in force, the oldest change first.
    pub fn changed(&self, id: &str) -> &[Changed] {
        let overlaid = self.overlaid.get(id);
        overlaid.map_or(&[], |overlaid| overlaid.changed.as_slice())
    }

    /// The accounts that were changed in the web, or have lists made there.
    pub fn overlaid(&self) -> impl Iterator<Item = &Overlaid> {
        self.overlaid.values()
    }

    /// The account with this id.
    pub fn by_id(&self, id: &str) -> Option<&Arc<Account>> {
        self.ids.get(id)
    }

    /// The account with this login ID, in any case.
    pub fn by_login_id(&self, login_id: &str) -> Option<&Arc<Account>> {
        self.login_ids.get(&login_id.to_lowercase())
    }

    /// The account that lists `address` as a sender: exactly, else by its domain; case never counts.
    pub fn by_sender(&self, address: &Address) -> Option<&Arc<Account>> {
        self.senders
            .get(&address.key())
            .or_else(|| self.domains.get(address.domain()))
    }

    /// The account for which faxes to `number` are received.
    pub fn by_number(&self, number: &FaxNumber) -> Option<&Arc<Account>> {
        self.numbers.get(number)
    }

    /// The account that has the client certificate with this SHA-256.
    pub fn by_certificate(&self, fingerprint: &[u8; 32]) -> Option<&Arc<Account>> {
        self.certificates.get(fingerprint)
    }

    /// All accounts, in the order of the files.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.iter()
    }

    /// Whether anybody can log in by SCRAM.
    pub fn knows_scram(&self) -> bool {
        self.scram
    }

    /// The lock that most accounts have: login IDs that nobody has are answered by it.
    pub fn usual_lock(&self) -> Option<LockRule> {
        self.usual_lock
    }

    /// Whether a reset says of login IDs that nobody has that there is no such account: only where it says so
    /// of every account, for otherwise silence would name one.
    pub fn discloses_strangers(&self) -> bool {
        self.discloses
    }

    /// Whether any account may ask for a reset by its login ID alone (row W3).
    pub fn resets_by_login_id(&self) -> bool {
        self.reset_by_login_id
    }

    /// How many accounts there are.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Whether `address` belongs to `account`: as a sender here (not a sender of another account by
    /// exact address), or as an address to which its notices, results or received faxes go.
    pub fn owns(&self, account: &Account, address: &Address) -> bool {
        let key = address.key();
        let further = [&account.forward_to, &account.result_mail.to];
        let mut named = further.into_iter().flatten().chain(&account.email);
        named.any(|named| named.key() == key)
            || self
                .by_sender(address)
                .is_some_and(|owner| owner.id == account.id)
    }

    fn add(&mut self, account: &Arc<Account>) {
        self.scram |= account.scram.is_some();
        keep_first(&mut self.ids, account.id.clone(), account);
        keep_first(
            &mut self.login_ids,
            account.login_id.to_lowercase(),
            account,
        );
        for sender in &account.senders {
            match sender {
                SenderPattern::Exact(address) => {
                    keep_first(&mut self.senders, address.key(), account);
                }
                SenderPattern::Domain(domain) => {
                    keep_first(&mut self.domains, domain.clone(), account);
                }
            }
        }
        for number in &account.numbers {
            keep_first(&mut self.numbers, number.clone(), account);
        }
        for fingerprint in &account.client_certificates {
            keep_first(&mut self.certificates, *fingerprint, account);
        }
    }
}

/// Profiles with the same lock count together; of two that are as frequent it is the one that locks sooner.
fn usual_lock(accounts: &[Arc<Account>]) -> Option<LockRule> {
    let mut counts: Vec<(LockRule, usize)> = Vec::new();
    for account in accounts {
        let rule = account.profile.lock;
        match counts.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, count)) => *count += 1,
            None => counts.push((rule, 1)),
        }
    }
    let most = counts
        .into_iter()
        .max_by_key(|(rule, count)| (*count, Reverse(rule.strikes)));
    most.map(|(rule, _)| rule)
}

fn keep_first<K: Eq + std::hash::Hash>(
    index: &mut HashMap<K, Arc<Account>>,
    key: K,
    account: &Arc<Account>,
) {
    if let Entry::Vacant(free) = index.entry(key) {
        free.insert(Arc::clone(account));
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::fax::CountryCode;

    fn directory(toml: &str) -> Directory {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("accounts.toml"), toml).unwrap();
        let main = folder.path().join("faxgate.toml");
        Directory::new(&Accounts::load(Path::new(&main), &Config::default()).unwrap())
    }

    const THREE: &str = r#"
        [[account]]
        id = "branch"
        email = "boss@customer.example"
        senders = ["*@customer.example"]
        forward_to = ["inbox@elsewhere.example"]
        result_mail = { to = ["log@elsewhere.example"] }

        [[account]]
        id = "tanaka"
        login_id = "T.Tanaka"
        senders = ["Tanaka@Customer.Example", "a..b.@docomo.ne.jp"]
        numbers = ["03-4567-0001"]
        [[account.list]]
        name = "Shops"
        members = [{ number = "03-1111-2222", name = "Shinjuku" }]
    "#;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn sender(directory: &Directory, text: &str) -> Option<String> {
        directory.by_sender(&address(text)).map(|a| a.id.clone())
    }

    #[test]
    fn an_exact_address_goes_before_a_wildcard_and_case_never_counts() {
        let directory = directory(THREE);
        for (from, account) in [
            ("tanaka@customer.example", Some("tanaka")),
            ("TANAKA@CUSTOMER.EXAMPLE", Some("tanaka")),
            ("a..b.@docomo.ne.jp", Some("tanaka")),
            ("suzuki@customer.example", Some("branch")),
            ("suzuki@sub.customer.example", None),
            ("suzuki@notcustomer.example", None),
        ] {
            assert_eq!(sender(&directory, from).as_deref(), account, "{from}");
        }
    }

    #[test]
    fn accounts_are_found_by_id_login_id_and_number() {
        let directory = directory(THREE);
        let number = FaxNumber::parse("+81 3 4567 0001", &CountryCode::JAPAN).unwrap();
        for found in [
            directory.by_id("tanaka"),
            directory.by_login_id("t.tanaka"),
            directory.by_number(&number),
        ] {
            assert_eq!(found.map(|a| a.id.as_str()), Some("tanaka"));
        }
        assert!(directory.by_id("Tanaka").is_none());
        assert_eq!(directory.iter().count(), directory.len());
    }

    #[test]
    fn a_list_is_found_in_any_case() {
        let directory = directory(THREE);
        let account = directory.by_id("tanaka").unwrap();
        assert_eq!(account.list("SHOPS").map(|l| l.members.len()), Some(1));
        assert!(account.list("shop").is_none());
    }

    #[test]
    fn an_address_belongs_to_an_account_that_sends_or_gets_mail_by_it() {
        let directory = directory(THREE);
        let branch = directory.by_id("branch").unwrap();
        for (text, owned) in [
            ("anybody@customer.example", true),
            ("Boss@customer.example", true),
            ("inbox@elsewhere.example", true),
            ("log@elsewhere.example", true),
            ("tanaka@customer.example", false),
            ("stranger@elsewhere.example", false),
        ] {
            assert_eq!(directory.owns(branch, &address(text)), owned, "{text}");
        }
    }

    #[test]
    fn login_ids_that_nobody_has_lock_like_most_accounts_and_rather_sooner() {
        let of = |profiles: &[&str]| {
            let mut toml = String::new();
            for (n, profile) in profiles.iter().enumerate() {
                let lines = format!("senders = [\"a{n}@x.example\"]\nprofile = \"{profile}\"");
                writeln!(toml, "[[account]]\nid = \"a{n}\"\n{lines}").unwrap();
            }
            directory(&toml).usual_lock().map(|rule| rule.strikes)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&["twx21"]), Some(5));
        assert_eq!(of(&["interfax", "twx21"]), Some(3));
        assert_eq!(of(&["twx21", "standard"]), Some(3));
        let alike = ["twx21", "twx21", "interfax", "standard", "wakwak"];
        assert_eq!(of(&alike), Some(3), "three have the same lock");
        assert_eq!(of(&["twx21", "twx21", "interfax"]), Some(5));
    }

    #[test]
    fn twenty_thousand_accounts_are_told_apart() {
        let mut toml = String::new();
        for n in 0..20_000 {
            writeln!(
                toml,
                "[[account]]\nid = \"a{n}\"\nsenders = [\"a{n}@x.example\"]"
            )
            .unwrap();
        }
        let directory = directory(&toml);
        assert_eq!(directory.len(), 20_000);
        assert_eq!(
            sender(&directory, "A19999@x.example").as_deref(),
            Some("a19999")
        );
    }
}
