//! `faxgate explain`: what would happen to a mail, and why, without doing it.

mod verdict;

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value as Json;
use serde_json::json;

use crate::account::credential::Passwords;
use crate::account::directory::Directory;
use crate::authenticate::judge;
use crate::authenticate::judge::Origin;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::block_on;
use crate::cli::load;
use crate::cli::open_store;
use crate::cli::output;
use crate::config::Account;
use crate::config::Config;
use crate::fax::Document;
use crate::fax::PageOptions;
use crate::ingress::Verifier;
use crate::render::Renderer;
use crate::smtp::Address;
use crate::smtp::Envelope;
use crate::smtp::ForwardPath;
use crate::smtp::ReceivedMessage;
use crate::smtp::Verification;
use crate::storage::Store;
use crate::storage::accounts;
use crate::submission;
use crate::submission::Recipient;
use crate::submission::Submission;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::Timestamp;
use verdict::verdict;
use verdict::why;

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
    /// The client's address, for SPF and for relays.
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    peer: IpAddr,
}

/// Prints the verdict and what led to it.
pub(crate) fn run(options: &Options, config: &Path, json: bool) -> Result<(), Failure> {
    let loaded = load(config)?;
    let now = SystemClock.now();
    let mut message = message(options, now)?;
    let store = open_store(&loaded.config)?;
    let directory = Directory::beside(&loaded.accounts.accounts, &store)?;
    let known = (&store, &directory);
    let value = block_on(async {
        let found = verification(&loaded.config, &directory, &mut message).await?;
        let mut value = explain(
            &loaded.config,
            known,
            options,
            (&message, found.as_ref()),
            now,
        )
        .await?;
        value["peer"] = json!(options.peer.to_string());
        value["verification"] = found.map_or(Json::Null, |found| shown(&found));
        Ok(value)
    })?;
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
        .map(|to| address_of(to.trim_matches(['<', '>'])).map(ForwardPath::from));
    Ok(ReceivedMessage {
        envelope: Envelope {
            reverse_path,
            recipients: recipients.collect::<Result<_, _>>()?,
            ..Envelope::default()
        },
        raw: with_crlf(&text).into(),
        peer: options.peer,
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
    config: &Config,
    (store, directory): (&Store, &Directory),
    options: &Options,
    (message, found): (&ReceivedMessage, Option<&Verification>),
    now: Timestamp,
) -> Result<Json, Failure> {
    if let Err((refusal, _)) = judge::judge_verification(config.verify.as_ref(), found) {
        return Ok(refused(&why(&refusal)));
    }
    let recipients = match recipients(options, message, config) {
        Ok(recipients) => recipients,
        Err(bad) => return Ok(refused(&bad)),
    };
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
    let origin = Origin {
        peer: options.peer,
        logged_in: None,
        verification: found,
    };
    let selected = judge::select(&submission, &origin, &config.relays, directory);
    let Some(selected) = selected else {
        return Ok(refused("no account has this sender"));
    };
    let account = &selected.account;
    let (locks, passwords) = store.read_here(|tx| {
        let passwords = Passwords::read(tx, account)?;
        Ok((accounts::locks(tx, &account.id)?, passwords))
    })?;
    let state = (&locks, passwords.of(account.profile.doors(now).body));
    let (verdict, password) = verdict(&selected, state, &recipients, &submission, now);
    let ends = [locks.everything, locks.unproven];
    let ends = ends.iter().filter(|strikes| strikes.is_locked(now));
    let until = ends.filter_map(|strikes| strikes.locked_until).max();
    let mut value = json!({
        "account": account.id,
        "sender": selected.address.as_str(),
        "sender_tier": selected.tier.as_str(),
        "reference": submission.reference,
        "locked": until.is_some(),
        "locked_until": until.map(Timestamp::rfc3339),
        "password": password,
        "verdict": verdict,
    });
    let destinations = recipients
        .iter()
        .map(|recipient| destination(account, recipient, config));
    value["destinations"] = Json::Array(destinations.collect());
    add_documents(&mut value, config, &submission).await?;
    Ok(value)
}

/// The recipients as they are understood; else why each of the bad ones is not.
fn recipients(
    options: &Options,
    message: &ReceivedMessage,
    config: &Config,
) -> Result<Vec<Recipient>, String> {
    let mut recipients = Vec::new();
    let mut bad = Vec::new();
    for (typed, to) in options.to.iter().zip(&message.envelope.recipients) {
        match submission::recipient(&to.address, &config.gateway) {
            Ok(recipient) => recipients.push(recipient),
            Err(error) => bad.push(format!("{typed}: {error}")),
        }
    }
    match bad.is_empty() {
        true => Ok(recipients),
        false => Err(bad.join("; ")),
    }
}

/// What DNS says of the message, if the gateway asks it.
async fn verification(
    config: &Config,
    directory: &Directory,
    message: &mut ReceivedMessage,
) -> Result<Option<Verification>, Failure> {
    let author = submission::author(&message.raw, &config.smtp);
    let is_spoken_for = judge::is_spoken_for(
        message.peer,
        message.envelope.reverse_path.as_ref(),
        author.as_ref(),
        &config.relays,
        directory,
    );
    let Some(verifier) = Verifier::of(config)?.filter(|_| !is_spoken_for) else {
        return Ok(None);
    };
    Ok(Some(verifier.verify(message, author.as_ref()).await))
}

fn shown(found: &Verification) -> Json {
    json!({
        "tier": found.tier.as_str(),
        "reverse_path": found.reverse_path.as_str(),
        "author": found.author.as_str(),
        "spf": found.spf,
        "dkim": found.dkim,
        "dmarc": found.dmarc,
        "arc": found.arc,
        "results": found.text,
    })
}

fn refused(why: &str) -> Json {
    json!({ "verdict": "refused", "why": why })
}

fn destination(account: &Account, recipient: &Recipient, config: &Config) -> Json {
    match recipient {
        Recipient::Fax(destination, sub_address) => json!({
            "to": destination.canonical(),
            "sub_address": sub_address,
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
