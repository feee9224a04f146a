//! `faxgate explain`: what would happen to a mail, and why, without doing it.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value as Json;
use serde_json::json;

use crate::account::credential;
use crate::account::directory::Directory;
use crate::authenticate;
use crate::authenticate::Judgement;
use crate::authenticate::Standing;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::block_on;
use crate::cli::load;
use crate::cli::open_store;
use crate::cli::output;
use crate::config::Account;
use crate::config::Config;
use crate::config::Loaded;
use crate::fax::Document;
use crate::fax::PageOptions;
use crate::refusal::Malformed;
use crate::refusal::Refusal;
use crate::render::Renderer;
use crate::smtp::Address;
use crate::smtp::Envelope;
use crate::smtp::ReceivedMessage;
use crate::storage::accounts;
use crate::submission;
use crate::submission::PasswordFound;
use crate::submission::Recipient;
use crate::submission::Submission;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::Timestamp;

/// Options of `explain`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The mail.
    file: PathBuf,
    /// The reverse-path; `<>` is the null one.
    #[arg(long, value_name = "REVERSE-PATH")]
    from: String,
    /// The recipients.
    #[arg(long, value_name = "RCPT", num_args = 1.., required = true)]
    to: Vec<String>,
}

/// Prints the verdict and what led to it.
pub(crate) fn run(options: &Options, config: &Path, json: bool) -> Result<(), Failure> {
    let loaded = load(config)?;
    let now = SystemClock.now();
    let message = message(options, now)?;
    let value = block_on(explain(&loaded, options, &message, now))?;
    output::object(&value, json)
}

fn message(options: &Options, now: Timestamp) -> Result<ReceivedMessage, Failure> {
    let failed = |e| Failure::new(Exit::NoInput, format!("{}: {e}", options.file.display()));
    let text = std::fs::read(&options.file).map_err(failed)?;
    let bare = options.from.trim_start_matches('<').trim_end_matches('>');
    let reverse_path = match bare {
        "" => None,
        address => Some(address_of(address)?),
    };
    let recipients = options
        .to
        .iter()
        .map(|to| address_of(to.trim_matches(['<', '>'])));
    Ok(ReceivedMessage {
        envelope: Envelope {
            reverse_path,
            recipients: recipients.collect::<Result<_, _>>()?,
        },
        raw: with_crlf(&text).into(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        received_at: now,
        authenticated: None,
    })
}

fn address_of(text: &str) -> Result<Address, Failure> {
    Address::parse(text).ok_or_else(|| Failure::new(Exit::Usage, format!("`{text}` is no address")))
}

/// Files on disk often end their lines with LF alone; on the wire they end with CRLF.
fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 40);
    for line in text.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}

async fn explain(
    loaded: &Loaded,
    options: &Options,
    message: &ReceivedMessage,
    now: Timestamp,
) -> Result<Json, Failure> {
    let config = &loaded.config;
    let mut recipients = Vec::new();
    let mut bad = Vec::new();
    for (typed, address) in options.to.iter().zip(&message.envelope.recipients) {
        match submission::recipient(address, &config.gateway) {
            Ok(recipient) => recipients.push(recipient),
            Err(error) => bad.push(format!("{typed}: {error}")),
        }
    }
    if !bad.is_empty() {
        return Ok(refused(&bad.join("; ")));
    }
    let rules = submission::Rules {
        password: &config.password,
        limits: &config.smtp,
        zone: &config.gateway.time_zone,
        now,
    };
    let submission = match submission::parse(message, &rules) {
        Ok(submission) => submission,
        Err(refusal) => return Ok(refused(&why(&refusal))),
    };
    let directory = Directory::new(&loaded.accounts.accounts);
    let Some((account, address)) = authenticate::select(&submission, &directory) else {
        return Ok(refused("no account has this sender"));
    };
    let strikes = open_store(config)?.read_here(|tx| accounts::strikes(tx, &account.id))?;
    let locked = strikes.is_locked(now);
    let (verdict, password) = verdict(&account, locked, &recipients, &submission);
    let mut value = json!({
        "account": account.id,
        "sender": address.as_str(),
        "reference": submission.reference,
        "locked": locked,
        "locked_until": strikes.locked_until.filter(|_| locked).map(Timestamp::rfc3339),
        "password": password,
        "verdict": verdict,
    });
    let destinations = recipients
        .iter()
        .map(|recipient| destination(&account, recipient, config));
    value["destinations"] = Json::Array(destinations.collect());
    add_documents(&mut value, config, &submission).await?;
    Ok(value)
}

/// A refusal in words, for the operator: the doors say less.
fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::AutomaticMail => {
            "no person wrote it: null reverse-path or Auto-Submitted".to_owned()
        }
        Refusal::Busy => "too many password checks are waiting".to_owned(),
        Refusal::Malformed(Malformed::Charset) => {
            "a charset that hides text, such as UTF-7".to_owned()
        }
        Refusal::Malformed(Malformed::Empty) => "there is nothing to fax in it".to_owned(),
        Refusal::Malformed(Malformed::HeaderTooLong) => {
            "its header is longer than [smtp] max_header".to_owned()
        }
        Refusal::Malformed(Malformed::NoHeader) => "it has no header".to_owned(),
        Refusal::Malformed(Malformed::TooDeep) => "its parts are nested too deeply".to_owned(),
        Refusal::Malformed(Malformed::TooManyParts) => {
            "it has more parts than [smtp] max_parts".to_owned()
        }
        Refusal::NoSuchList => "the account has no such list".to_owned(),
        Refusal::TooMany => "the account has sent too much in a minute".to_owned(),
        Refusal::NotAuthenticated => "the sender is not proved".to_owned(),
        Refusal::Number(error) => error.to_string(),
        Refusal::Storage => "the storage is not available".to_owned(),
        Refusal::UnknownOption(option) => format!("the subject option {option} is not understood"),
    }
}

fn refused(why: &str) -> Json {
    json!({ "verdict": "refused", "why": why })
}

const NO_SUCH_LIST: &str = "refused: the account has no such list";

/// What would be decided, and what became of the password.
fn verdict(
    account: &Account,
    locked: bool,
    recipients: &[Recipient],
    submission: &Submission,
) -> (&'static str, &'static str) {
    let found = match (&submission.password, account.password_in_body) {
        (PasswordFound::None, true) => "not found, but asked for",
        (PasswordFound::None, false) => "not found, not asked for",
        (PasswordFound::Contradicting, _) => "found several that differ",
        (PasswordFound::One(_), true) => "found",
        (PasswordFound::One(_), false) => "found and removed, not asked for",
    };
    let no_list = authenticate::has_nothing_but_unknown_lists(account, recipients);
    match authenticate::judge(account, locked, recipients, &submission.password) {
        Judgement::Check(password) if credential::is_right(account, password) => match no_list {
            true => (NO_SUCH_LIST, "found, right"),
            false => ("accepted with its password", "found, right"),
        },
        Judgement::Check(_) => ("refused, and counted as a wrong password", "found, wrong"),
        Judgement::Refused if locked => ("refused: the account is locked", found),
        Judgement::Refused => ("refused; not counted", found),
        Judgement::Stands(_) if no_list => (NO_SUCH_LIST, found),
        Judgement::Stands(Standing::LockedUnproved) => (
            "accepted, and all of it ends with 6002 because the account is locked",
            found,
        ),
        Judgement::Stands(Standing::LockedByAddress) => (
            "accepted by its sender address; lists end with 6002 because the account is locked",
            found,
        ),
        Judgement::Stands(Standing::Proved(_)) => ("accepted by its sender address", found),
    }
}

fn destination(account: &Account, recipient: &Recipient, config: &Config) -> Json {
    match recipient {
        Recipient::Fax(destination) => json!({
            "to": destination.canonical(),
            "allowed": crate::admit::is_allowed(destination, &config.destinations),
        }),
        Recipient::List(name) => match account.list(name) {
            Some(list) => json!({ "list": list.name, "members": list.members.len() }),
            None => {
                json!({ "list": name, "members": Json::Null, "why": "the account has no such list" })
            }
        },
    }
}

async fn add_documents(
    value: &mut Json,
    config: &Config,
    submission: &Submission,
) -> Result<(), Failure> {
    let documents = match submission.documents(config.render.body_with_attachments) {
        Ok(documents) => documents,
        Err(refusal) => {
            value["verdict"] = json!("refused");
            value["why"] = json!(why(&refusal));
            return Ok(());
        }
    };
    let shown = |document: &Document| {
        json!({
            "name": document.name.clone().unwrap_or_else(|| "(body)".to_owned()),
            "kind": document.kind.as_str(),
            "bytes": document.bytes.len(),
        })
    };
    value["documents"] = Json::Array(documents.iter().map(shown).collect());
    let options = PageOptions {
        resolution: submission
            .options
            .resolution
            .unwrap_or(config.render.resolution),
        font_size: submission.options.font_size,
        ..PageOptions::default()
    };
    let renderer = Renderer::new(std::env::current_exe()?, &config.render);
    match renderer.pages(&documents, &options).await {
        Ok(fax) => value["pages"] = json!(fax.pages),
        Err(error) => value["pages_error"] = json!(error.to_string()),
    }
    Ok(())
}
