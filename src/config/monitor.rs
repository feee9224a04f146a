//! `[monitor]`: the operators' door.

use std::net::SocketAddr;

use toml::Table;
use toml::de::DeValue;

use super::forms;
use super::forms::Bad;
use super::section::Section;
use super::show;

/// `[monitor]`: the operators' door.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Address of `/livez`, `/readyz` and `/metrics`; none means no such door.
    pub listen: Option<SocketAddr>,
}

impl Default for Monitor {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 9090))),
        }
    }
}

impl Monitor {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            listen: section.or("listen", default.listen, listen),
        }
    }

    pub(super) fn show(&self) -> Table {
        let listen = self.listen.map(|address| address.to_string());
        show::table([("listen", show::text(listen.unwrap_or_default()))])
    }
}

/// An address, or an empty text for none.
fn listen(value: &DeValue<'_>) -> Result<Option<SocketAddr>, Bad> {
    if value.as_str() == Some("") {
        return Ok(None);
    }
    forms::socket(value).map(Some).map_err(|bad| Bad {
        accepted: format!("{}; \"\" for no such door", bad.accepted),
        ..bad
    })
}
