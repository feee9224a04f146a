//! Accounts of the stories.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::OnceLock;

use faxgate::account::credential;
use faxgate::secret::Secret;

/// The right password of every account that has one.
pub(crate) const RIGHT: &str = "kaki8sample";

/// The hash of a password, made once for the whole run.
pub(crate) fn hash_of(password: &str) -> String {
    static HASHES: OnceLock<Mutex<HashMap<String, String>>> = OnceLock::new();
    let mut hashes = HASHES.get_or_init(Mutex::default).lock().unwrap();
    let hash = || credential::hash(&Secret::new(password.to_owned())).unwrap();
    hashes
        .entry(password.to_owned())
        .or_insert_with(hash)
        .clone()
}

/// An entry of `accounts.toml`.
#[derive(Clone)]
pub(crate) struct Account {
    keys: BTreeMap<String, String>,
    lists: Vec<String>,
}

impl Account {
    /// An account known by `<id>@customer.example` alone.
    pub(crate) fn new(id: &str) -> Self {
        let account = Self {
            keys: BTreeMap::new(),
            lists: Vec::new(),
        };
        account
            .set("id", &format!("{id:?}"))
            .set("senders", &format!("[\"{id}@customer.example\"]"))
    }

    /// `tanaka`, who uses a password and receives faxes at +81 3 4567 0001, mailed to
    /// `inbox@customer.example`; `shops` has two members.
    pub(crate) fn tanaka() -> Self {
        Self::new("tanaka")
            .password(RIGHT)
            .set("station_id", "\"+81 3 1234 5678\"")
            .set("numbers", "[\"+81345670001\"]")
            .set("forward_to", "[\"inbox@customer.example\"]")
            .list(
                "shops",
                &[("03-1111-2222", "Shinjuku"), ("+81 6 1111 3333", "Umeda")],
            )
    }

    /// `suzuki`, who is known by address alone; `branches` has two members.
    pub(crate) fn suzuki() -> Self {
        Self::new("suzuki").list(
            "branches",
            &[("03-2222-0001", "Ueno"), ("03-2222-0002", "Ginza")],
        )
    }

    /// Sets a key to a TOML value.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.keys.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Mails must carry this password.
    pub(crate) fn password(self, password: &str) -> Self {
        self.set("password", &format!("{:?}", hash_of(password)))
            .set("password_in_body", "true")
    }

    /// Adds a contact list of numbers and names.
    pub(crate) fn list(mut self, name: &str, members: &[(&str, &str)]) -> Self {
        let members: Vec<String> = members
            .iter()
            .map(|(number, name)| format!("{{ number = {number:?}, name = {name:?} }}"))
            .collect();
        let members = members.join(", ");
        self.lists
            .push(format!("name = {name:?}\nmembers = [{members}]\n"));
        self
    }

    /// Adds a contact list that is read from a file.
    pub(crate) fn list_file(mut self, name: &str, file: &str) -> Self {
        self.lists
            .push(format!("name = {name:?}\nfile = {file:?}\n"));
        self
    }

    /// The entry as it stands in the file.
    pub(crate) fn text(&self) -> String {
        let keys: String = self
            .keys
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        let list = |list: &String| format!("[[account.list]]\n{list}");
        let lists: String = self.lists.iter().map(list).collect();
        format!("[[account]]\n{keys}{lists}\n")
    }
}
