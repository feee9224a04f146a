//! `faxgate audit`: whether the audit trail is as it was written (T28). Works while the gateway serves.

use std::path::Path;

use serde_json::Value as Json;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::load;
use crate::cli::open_store;
use crate::cli::output;
use crate::storage::audit;
use crate::storage::audit::AuditRow;
use crate::storage::audit::Broken;

/// Subcommands of `audit`.
#[derive(clap::Subcommand)]
pub(crate) enum Sub {
    /// The acts of people and commands, the newest first.
    List {
        /// Only acts on this account.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only acts of this account, or of `command`.
        #[arg(long, value_name = "ID")]
        actor: Option<String>,
        /// Only acts of this kind, such as `unlocked`.
        #[arg(long, value_name = "WORD")]
        act: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Look at the whole chain of hashes and say where it breaks.
    Verify {
        /// A link that was noted earlier or stands in a log: its row must still be there as it was.
        #[arg(long, value_name = "N:HASH")]
        known: Vec<String>,
    },
}

/// Runs a subcommand.
pub(crate) fn run(sub: &Sub, config: &Path, json: bool) -> Result<(), Failure> {
    let loaded = load(config)?;
    let store = open_store(&loaded.config)?;
    match sub {
        Sub::List {
            account,
            actor,
            act,
            limit,
        } => {
            let asked = audit::Asked {
                account: account.clone(),
                actor: actor.clone(),
                act: act.clone(),
            };
            let rows = store.read_here(|tx| audit::list(tx, &asked, None, *limit))?;
            let rows: Vec<Json> = rows.iter().map(listed).collect();
            let columns = ["n", "at", "account", "actor", "act", "detail"];
            output::table(&rows, &columns, json)
        }
        Sub::Verify { known } => {
            let verdict = store.read_here(|tx| audit::verify(tx, None))?;
            let mut gone = Vec::new();
            for link in known {
                if store.read_here(|tx| audit::has(tx, link))? == Some(false) {
                    gone.push(link.as_str());
                }
            }
            told(&verdict, &gone, json)
        }
    }
}

fn told(verdict: &audit::Verdict, gone: &[&str], json: bool) -> Result<(), Failure> {
    let is_whole = verdict.is_whole() && gone.is_empty();
    let shown = json!({
        "whole": is_whole,
        "rows": verdict.rows,
        "removed_by_retention": verdict.removed,
        "head": verdict.head,
        "broken": verdict.broken.iter().map(broken).collect::<Vec<_>>(),
        "not_found": gone,
    });
    output::object(&shown, json)?;
    match is_whole {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Input,
            "the audit trail is not as it was written",
        )),
    }
}

fn broken(broken: &Broken) -> Json {
    json!({
        "n": broken.n,
        "event": broken.event.to_string(),
        "at": broken.at.rfc3339(),
        "fault": broken.fault.as_str(),
    })
}

fn listed(row: &AuditRow) -> Json {
    let event = row.event.as_ref();
    let detail = event.and_then(|event| serde_json::from_str::<Json>(&event.detail).ok());
    json!({
        "n": row.n,
        "at": row.at.rfc3339(),
        "account": row.account,
        "actor": Some(row.actor.as_str()).filter(|actor| !actor.is_empty()),
        "act": row.act,
        "detail": detail,
    })
}
