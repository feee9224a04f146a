//! `faxgate hash-password`.

use std::io::BufRead;
use std::io::IsTerminal;

use crate::account::credential;
use crate::account::policy;
use crate::account::scram;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::output;
use crate::config::CredentialKind;
use crate::config::Profile;
use crate::secret::Secret;

/// Options of `hash-password`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The profile whose policy the password must keep.
    #[arg(long, default_value = "interfax")]
    profile: String,
    /// The kind of password, which may have a policy of its own.
    #[arg(long, default_value = "password")]
    kind: String,
    /// Prints a SCRAM-SHA-256 verifier too, for the key `scram`: the line before the last.
    #[arg(long)]
    scram: bool,
}

/// Prints the hash as the last line.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let profile = Profile::built_in(&options.profile).ok_or_else(|| {
        let known: Vec<_> = Profile::built_in_names().collect();
        let text = format!(
            "no profile `{}`; there is {}",
            options.profile,
            known.join(", ")
        );
        Failure::new(Exit::Usage, text)
    })?;
    let kind = CredentialKind::of_word(&options.kind).ok_or_else(|| {
        let known = CredentialKind::ALL.map(CredentialKind::as_str).join(", ");
        let text = format!("no kind `{}`; there is {known}", options.kind);
        Failure::new(Exit::Usage, text)
    })?;
    let password = match std::io::stdin().is_terminal() {
        true => prompt_twice()?,
        false => first_line()?,
    };
    let breaches = policy::check(profile.policy(kind), None, password.expose());
    if !breaches.is_empty() {
        let reasons: Vec<_> = breaches.iter().map(ToString::to_string).collect();
        return Err(Failure::new(Exit::Input, reasons.join("; ")));
    }
    let hash = credential::hash(&password).map_err(|e| Failure::new(Exit::Software, e))?;
    if options.scram {
        let verifier = scram::verifier(&password).map_err(|e| Failure::new(Exit::Input, e))?;
        output::line(&verifier.text())?;
    }
    output::line(&hash)
}

fn first_line() -> Result<Secret, Failure> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|e| Failure::new(Exit::Input, format!("standard input: {e}")))?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(Secret::new(line))
}

fn prompt_twice() -> Result<Secret, Failure> {
    let first = Secret::new(rpassword::prompt_password("Password: ")?);
    let second = Secret::new(rpassword::prompt_password("Again: ")?);
    match first == second {
        true => Ok(first),
        false => Err(Failure::new(Exit::Input, "the two passwords differ")),
    }
}
