//! `[dns]`: who is asked.

use std::net::SocketAddr;

use toml::Table;

use super::forms;
use super::section::Section;
use super::show;

/// `[dns]`: who is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dns {
    /// Resolvers; none takes the system's.
    pub servers: Vec<SocketAddr>,
}

impl Dns {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            servers: section.filled_list("servers", Vec::new(), forms::socket),
        }
    }

    pub(super) fn show(&self) -> Table {
        match self.servers.is_empty() {
            true => Table::new(),
            false => show::table([("servers", show::texts(&self.servers))]),
        }
    }
}
