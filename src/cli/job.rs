//! `faxgate job`: what became of faxes. Works while the gateway serves.

mod watch;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use serde_json::json;

use crate::account::directory::Directory;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::block_on;
use crate::cli::load;
use crate::cli::open_store;
use crate::cli::output;
use crate::config::Loaded;
use crate::fax::Cause;
use crate::fax::Media;
use crate::queue::By;
use crate::queue::Canceller;
use crate::queue::NotResent;
use crate::queue::Resend;
use crate::queue::What;
use crate::storage::Store;
use crate::storage::events;
use crate::storage::events::About;
use crate::storage::jobs;
use crate::storage::jobs::AttemptRow;
use crate::storage::jobs::JobRow;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::Timestamp;

/// Subcommands of `job`.
#[derive(clap::Subcommand)]
pub(crate) enum Sub {
    /// The newest jobs.
    List {
        /// Of this account only.
        #[arg(long)]
        account: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Only jobs older than this one.
        #[arg(long)]
        before: Option<i64>,
    },
    /// One job: its timeline, calls and mails.
    Show {
        /// The job.
        id: i64,
    },
    /// Follow a job's calls until it is settled; without one, all jobs until this is interrupted.
    Watch {
        /// The job.
        id: Option<i64>,
    },
    /// Cancel a job that is not settled.
    Cancel {
        /// The job.
        id: i64,
    },
    /// Send a settled job's documents to its destination again.
    Resend {
        /// The job.
        id: i64,
    },
}

/// Runs a subcommand.
pub(crate) fn run(sub: &Sub, config: &Path, json: bool) -> Result<(), Failure> {
    let loaded = load(config)?;
    let store = open_store(&loaded.config)?;
    match sub {
        Sub::List {
            account,
            limit,
            before,
        } => {
            let rows = store.read_here(|tx| jobs::jobs(tx, account.as_deref(), *before, *limit))?;
            let rows: Vec<_> = rows.iter().map(|job| shown(job, json)).collect();
            let columns = [
                "id",
                "account",
                "destination",
                "state",
                "status",
                "text",
                "submitted",
            ];
            output::table(&rows, &columns, json)
        }
        Sub::Show { id } => show(&store, *id, json),
        Sub::Watch { id } => watch::run(&store, *id, json),
        Sub::Cancel { id } => cancel(&store, &loaded, *id),
        Sub::Resend { id } => resend(&store, &loaded, *id),
    }
}

fn show(store: &Store, id: i64, json: bool) -> Result<(), Failure> {
    let found = store.read_here(|tx| {
        let Some(job) = jobs::job(tx, id)? else {
            return Ok(None);
        };
        let about = About::Job {
            job: id,
            batch: job.batch,
        };
        let events = events::list(tx, &job.account, about)?;
        let mut mails = outbox::about(tx, Kind::Result, job.batch)?;
        mails.extend(outbox::about(tx, Kind::Report, job.batch)?);
        let batch = jobs::batch(tx, job.batch)?;
        Ok(Some((jobs::attempts(tx, id)?, events, mails, job, batch)))
    })?;
    let (attempts, events, mails, job, batch) = found.ok_or_else(|| unknown(id))?;
    let mut value = shown(&job, json);
    if let Some(batch) = batch {
        let results = Some(batch.verification).filter(|text| !text.is_empty());
        value["sender_tier"] = json!(batch.tier);
        value["verification"] = json!(results);
    }
    value["attempts"] = json!(attempts.iter().map(attempt).collect::<Vec<_>>());
    value["mails"] = json!(mails.iter().map(output::mail).collect::<Vec<_>>());
    value["timeline"] = json!(events.iter().map(output::event).collect::<Vec<_>>());
    output::object(&value, json)
}

fn cancel(store: &Store, loaded: &Loaded, id: i64) -> Result<(), Failure> {
    let job = store
        .read_here(|tx| jobs::job(tx, id))?
        .ok_or_else(|| unknown(id))?;
    let directory = Directory::beside(&loaded.accounts.accounts, store)?;
    let account = directory.by_id(&job.account).map(Arc::clone);
    let canceller = Canceller {
        store: store.clone(),
        account,
        host: loaded.config.gateway.name.clone(),
        now: SystemClock.now(),
    };
    let cancelled = block_on(async move { Ok(canceller.job(job).await?) })?;
    match cancelled {
        true => output::line(&format!(
            "job {id} is cancelled, or will not be called again"
        )),
        false => Err(Failure::new(Exit::Input, format!("job {id} is settled"))),
    }
}

fn resend(store: &Store, loaded: &Loaded, id: i64) -> Result<(), Failure> {
    let job = store
        .read_here(|tx| jobs::job(tx, id))?
        .ok_or_else(|| unknown(id))?;
    if !job.state.is_final() {
        return Err(Failure::new(
            Exit::Input,
            format!("job {id} is not settled yet"),
        ));
    }
    let directory = Directory::beside(&loaded.accounts.accounts, store)?;
    let account = directory.by_id(&job.account).map(Arc::clone);
    let account = account
        .ok_or_else(|| Failure::new(Exit::Unknown, format!("no account `{}`", job.account)))?;
    let writer = store.clone();
    let per_account = account.max_calls.unwrap_or(loaded.config.queue.per_account);
    let order = Resend {
        what: What::Job(Box::new(job), None),
        by: By::Operator,
        rules: loaded.config.destinations.clone(),
        reply_to: None,
        max_calls: per_account,
        now: SystemClock.now(),
    };
    let again = block_on(async move { Ok(crate::queue::resend(&writer, order).await?) })?;
    match again {
        Ok(again) => output::line(&format!("job {}", again.job)),
        Err(NotResent::Denied) => Err(Failure::new(
            Exit::Input,
            format!("the destination of job {id} is not allowed"),
        )),
        Err(NotResent::NoDocuments | NotResent::NothingLeft | NotResent::Locked) => {
            Err(Failure::new(
                Exit::Input,
                format!("the documents of job {id} are not kept"),
            ))
        }
    }
}

fn unknown(id: i64) -> Failure {
    Failure::new(Exit::Unknown, format!("no job {id}"))
}

/// A job; for people its number and what is behind it are one.
fn shown(job: &JobRow, for_programs: bool) -> Json {
    let mut value = fields(job);
    if !for_programs {
        value["destination"] = json!(to(job));
    }
    value
}

fn fields(job: &JobRow) -> Json {
    json!({
        "id": job.id.to_string(),
        "batch": job.batch.to_string(),
        "account": job.account,
        "destination": job.destination,
        "sub_address": Some(&job.sub_address).filter(|sub| !sub.is_empty()),
        "contact": job.contact,
        "state": job.state.as_str(),
        "status": job.status.0,
        "text": job.status.text_en(),
        "reason": job.reason,
        "reference": job.reference,
        "attempt_count": job.attempts,
        "pages_sent": job.pages_sent,
        "remote_id": job.remote_id,
        "duration_s": job.duration_ms / 1000,
        "submitted": job.created_at.rfc3339(),
        "due": job.next_at.rfc3339(),
        "completed": job.settled_at.map(Timestamp::rfc3339),
    })
}

/// Where it goes: the number, and whom it is for behind it.
fn to(job: &JobRow) -> String {
    match job.sub_address.as_str() {
        "" => job.destination.clone(),
        sub_address => format!("{} sub {sub_address}", job.destination),
    }
}

fn attempt(attempt: &AttemptRow) -> Json {
    json!({
        "attempt": attempt.n,
        "started": attempt.started_at.rfc3339(),
        "ended": attempt.ended_at.map(Timestamp::rfc3339),
        "status": attempt.status.map(|status| status.0),
        "cause": attempt.cause.map(Cause::as_str),
        "phase": Some(&attempt.phase).filter(|phase| !phase.is_empty()),
        "first_page": attempt.first_page,
        "pages_sent": attempt.pages_sent,
        "remote_id": attempt.remote_id,
        "line": attempt.line,
        "media": attempt.media.map(Media::as_str),
        "rate": attempt.rate,
        "ecm": attempt.ecm,
        "sip": attempt.sip,
        "t30": attempt.t30,
        "detail": attempt.detail,
    })
}
