//! `[[relay]]`: machines of our own that hand mails over.

use std::net::IpAddr;

use toml::Table;

use super::forms;
use super::network::Network;
use super::network::network;
use super::section::Section;
use super::show;

/// `[[relay]]`: machines that are known by their address.
#[derive(Clone, Debug, PartialEq)]
pub struct Relay {
    /// Where they are.
    pub networks: Vec<Network>,
    /// The accounts for which their word is proof, by id; `*` is every account.
    pub accounts: Vec<String>,
}

impl Relay {
    /// Whether the client at `peer` is one of them.
    pub fn covers(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer))
    }

    /// Whether they may speak for the account called `id`.
    pub fn speaks_for(&self, id: &str) -> bool {
        self.speaks_for_all() || self.accounts.iter().any(|account| account == id)
    }

    /// Whether they may speak for every account.
    pub fn speaks_for_all(&self) -> bool {
        self.accounts.iter().any(|account| account == "*")
    }

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let missing = "networks = [\"192.0.2.0/24\"]";
        let networks = section.filled_list("networks", Vec::new(), network);
        if !section.has("networks") {
            section.mistake("networks", "this key is missing", missing);
        }
        let everybody = vec!["*".to_owned()];
        Self {
            networks,
            accounts: section.filled_list("accounts", everybody, forms::text),
        }
    }

    pub(super) fn show(&self) -> Table {
        show::table([
            ("networks", show::texts(&self.networks)),
            ("accounts", show::texts(&self.accounts)),
        ])
    }
}
