//! `faxgate refused`: why was my mail refused? Works while the gateway serves.

use std::path::Path;

use serde_json::Value as Json;

use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::load;
use crate::cli::open_store;
use crate::cli::output;
use crate::smtp::Address;
use crate::storage::events;
use crate::storage::events::EventRow;

/// Options of `refused`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only mails that named this account.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Only mails with this reverse-path.
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// At most this many, the newest first.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// Lists what was refused at the end of a message, with the results of verification.
pub(crate) fn run(options: &Options, config: &Path, json: bool) -> Result<(), Failure> {
    let loaded = load(config)?;
    let sender = options.sender.as_deref().map(address).transpose()?;
    let store = open_store(&loaded.config)?;
    let rows = store.read_here(|tx| {
        let account = options.account.as_deref();
        events::refused(tx, account, sender.as_deref(), None, options.limit)
    })?;
    let rows: Vec<Json> = rows.iter().map(shown).collect();
    let columns = ["at", "peer", "sender", "account", "tier", "reason"];
    output::table(&rows, &columns, json)
}

fn address(text: &str) -> Result<String, Failure> {
    let bare = text.trim_start_matches('<').trim_end_matches('>');
    let address = Address::parse(bare).map(|address| address.key());
    address.ok_or_else(|| Failure::new(Exit::Usage, format!("`{text}` is no address")))
}

fn shown(row: &EventRow) -> Json {
    let mut shown = output::event(row);
    shown["account"] = Some(row.account.as_str())
        .filter(|account| !account.is_empty())
        .into();
    shown["sender"] = row.sender.as_deref().unwrap_or("<>").into();
    shown
}
