//! `faxgate check-config`.

use std::path::Path;

use serde_json::json;

use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::output;
use crate::serve::lines::no_t30;

/// Reports every mistake in every file, or that there is none.
pub(crate) fn run(config: &Path, json: bool) -> Result<(), Failure> {
    match crate::config::load(config) {
        Ok(loaded) => {
            let mut warnings = loaded.accounts.warnings.clone();
            warnings.extend(no_t30(&loaded.config));
            let accounts = loaded.accounts.accounts.accounts.len();
            if json {
                let good = json!({ "ok": true, "accounts": accounts, "warnings": warnings });
                return output::line(&good.to_string());
            }
            for warning in &warnings {
                output::complain(&format!("warning: {warning}"));
            }
            let accounts = counted(accounts, "account");
            output::line(&format!("{}: good, {accounts}", config.display()))
        }
        Err(mistakes) => {
            let count = counted(mistakes.len(), "mistake");
            let text = if json {
                let rows = mistakes.iter().map(|mistake| {
                    json!({
                        "file": mistake.file.display().to_string(),
                        "line": mistake.line,
                        "column": mistake.column,
                        "key": mistake.key,
                        "problem": mistake.problem,
                        "accepted": mistake.accepted,
                    })
                });
                output::line(
                    &json!({ "ok": false, "mistakes": rows.collect::<Vec<_>>() }).to_string(),
                )?;
                count
            } else {
                format!("{count}\n{mistakes}")
            };
            Err(Failure::new(Exit::Config, text))
        }
    }
}

/// `1 account`, `2 accounts`.
fn counted(count: usize, thing: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{end}")
}
