//! `faxgate check-config`.

use std::path::Path;

use serde_json::json;

use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::output;

/// Reports every mistake in every file, or that there is none.
pub(crate) fn run(config: &Path, json: bool) -> Result<(), Failure> {
    match crate::config::load(config) {
        Ok(loaded) => {
            for warning in &loaded.accounts.warnings {
                output::complain(&format!("warning: {warning}"));
            }
            let accounts = loaded.accounts.accounts.accounts.len();
            match json {
                true => output::line(&json!({ "ok": true, "accounts": accounts }).to_string()),
                false => output::line(&format!("{}: good, {accounts} accounts", config.display())),
            }
        }
        Err(mistakes) => {
            if json {
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
            }
            Err(Failure::new(
                Exit::Config,
                format!("{} mistakes\n{mistakes}", mistakes.len()),
            ))
        }
    }
}
