//! `faxgate job watch`: calls as they go on, read from the database beside the gateway.

use std::time::Duration;

use serde_json::Value as Json;
use serde_json::json;

use crate::cli::Failure;
use crate::cli::job::unknown;
use crate::cli::output;
use crate::fax::Media;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;
use crate::storage::events;
use crate::storage::events::EventRow;
use crate::storage::jobs;
use crate::storage::jobs::AttemptRow;
use crate::storage::jobs::JobRow;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::Timestamp;

/// How often the database is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// Events read at a time.
const AT_A_TIME: usize = 500;
/// Jobs that are shown at the beginning, if none is named.
const MOST: usize = 200;

/// How a job stands when something is told of it.
struct Standing {
    job: JobRow,
    /// Pages in all, once they are known.
    pages: Option<u32>,
    /// Its latest call.
    call: Option<AttemptRow>,
}

/// What one look found.
struct Look {
    news: Vec<(EventRow, Standing)>,
    /// The last event that was read.
    last: i64,
    /// Whether there is more.
    more: bool,
}

/// Tells of the job `id` until it is settled; without one, of all jobs until it is interrupted.
pub(super) fn run(store: &Store, id: Option<i64>, json: bool) -> Result<(), Failure> {
    let (mut last, standing) = store.read_here(|tx| {
        let last = events::newest(tx)?;
        Ok((last, begin(tx, id)?))
    })?;
    if let Some(id) = id
        && standing.is_empty()
    {
        return Err(unknown(id));
    }
    let now = SystemClock.now();
    for standing in &standing {
        tell("state", now, &json!({}), standing, json)?;
    }
    let mut over = id.is_some() && standing.iter().all(Standing::is_over);
    let mut seen_over = false;
    while !over {
        let look = store.read_here(|tx| look(tx, id, last))?;
        for (event, standing) in &look.news {
            let detail = serde_json::from_str(&event.detail).unwrap_or(Json::Null);
            tell(&event.kind, event.at, &detail, standing, json)?;
            over |= id.is_some() && ends(&event.kind);
        }
        last = look.last;
        if over || look.more {
            continue;
        }
        // Another process may write an event under an older identifier, behind the last one that was read. How the job
        // is counts: where no event says that it is over, its state does.
        let standing = match id {
            Some(_) => store.read_here(|tx| begin(tx, id))?,
            None => Vec::new(),
        };
        if seen_over {
            for standing in &standing {
                tell("state", SystemClock.now(), &json!({}), standing, json)?;
            }
        }
        over = seen_over;
        seen_over = id.is_some() && standing.iter().all(Standing::is_over);
        if !seen_over {
            std::thread::sleep(LOOK);
        }
    }
    Ok(())
}

/// The events after which nothing more happens to a job. Cancelling one that is being called tells of its end too.
fn ends(kind: &str) -> bool {
    matches!(kind, "settled" | "cancelled")
}

/// How the job stands that is asked for, or those that are being called.
fn begin(tx: &mut dyn Transaction, id: Option<i64>) -> Result<Vec<Standing>, StorageError> {
    let ids = match id {
        Some(id) => vec![id],
        None => jobs::active(tx, MOST)?,
    };
    let mut standing = Vec::new();
    for id in ids {
        standing.extend(stands(tx, id)?);
    }
    Ok(standing)
}

fn look(tx: &mut dyn Transaction, id: Option<i64>, after: i64) -> Result<Look, StorageError> {
    let rows = events::after(tx, None, after, AT_A_TIME)?;
    let mut look = Look {
        news: Vec::new(),
        last: rows.last().map_or(after, |row| row.id),
        more: rows.len() >= AT_A_TIME,
    };
    for row in rows {
        let Some(job) = row.job.filter(|job| id.is_none_or(|id| id == *job)) else {
            continue;
        };
        if let Some(standing) = stands(tx, job)? {
            look.news.push((row, standing));
        }
    }
    Ok(look)
}

fn stands(tx: &mut dyn Transaction, id: i64) -> Result<Option<Standing>, StorageError> {
    let Some(job) = jobs::job(tx, id)? else {
        return Ok(None);
    };
    Ok(Some(Standing {
        pages: jobs::batch(tx, job.batch)?.and_then(|batch| batch.pages),
        call: jobs::attempts(tx, id)?.pop(),
        job,
    }))
}

impl Standing {
    fn is_over(&self) -> bool {
        self.job.state.is_final()
    }

    /// All that is known, for programs.
    fn fields(&self) -> Json {
        let call = self.call.as_ref();
        json!({
            "job": self.job.id.to_string(),
            "account": self.job.account,
            "destination": self.job.destination,
            "sub_address": Some(&self.job.sub_address).filter(|sub| !sub.is_empty()),
            "state": self.job.state.as_str(),
            "status": self.job.status.0,
            "text": self.job.status.text_en(),
            "reason": self.job.reason,
            "page": self.job.pages_sent,
            "of": self.pages,
            "attempt": call.map(|call| call.n),
            "phase": call.map(|call| call.phase.as_str()).filter(|phase| !phase.is_empty()),
            "rate": call.map(|call| call.rate).filter(|rate| *rate > 0),
            "ecm": call.map(|call| call.ecm),
            "remote_id": call.map(|call| call.remote_id.as_str()),
            "line": call.map(|call| call.line.as_str()),
            "media": call.and_then(|call| call.media).map(Media::as_str),
        })
    }

    /// What of the call says something to people.
    fn call(&self) -> String {
        let Some(call) = &self.call else {
            return String::new();
        };
        let known = [
            (call.rate > 0).then(|| format!("{} bit/s", call.rate)),
            call.ecm.then(|| "ECM".to_owned()),
            call.media.map(|media| media.as_str().to_owned()),
            Some(call.remote_id.clone()).filter(|id| !id.is_empty()),
            Some(call.line.clone()).filter(|line| !line.is_empty()),
        ];
        let known: Vec<_> = known.into_iter().flatten().collect();
        known.join(", ")
    }
}

/// Prints one line.
fn tell(
    kind: &str,
    at: Timestamp,
    detail: &Json,
    standing: &Standing,
    json: bool,
) -> Result<(), Failure> {
    if json {
        let mut value = standing.fields();
        value["at"] = json!(at.rfc3339());
        value["event"] = json!(kind);
        // What was true then is truer than what is read now.
        for (name, fact) in detail.as_object().into_iter().flatten() {
            // Of a far end that is its number the event has a part only.
            if name != "remote_id" {
                value[name] = fact.clone();
            }
        }
        return output::line(&value.to_string());
    }
    let what = what(kind, detail, standing);
    let call = standing.call();
    let call = match call.is_empty() {
        true => call,
        false => format!("  ({call})"),
    };
    let (id, to) = (standing.job.id, super::to(&standing.job));
    output::line(&format!("{}  {id}  {to}  {what}{call}", at.rfc3339()))
}

/// What happened, for people.
fn what(kind: &str, detail: &Json, standing: &Standing) -> String {
    let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| detail[name].as_i64().unwrap_or_default();
    let pages = |page: i64, of: i64| match of {
        0 => format!("page {page}"),
        of => format!("page {page} of {of}"),
    };
    match kind {
        "state" => {
            let of = standing.pages.map_or(0, i64::from);
            let page = pages(i64::from(standing.job.pages_sent), of);
            format!("{}, {page}", standing.job.status.text_en())
        }
        "dialled" => format!("call {}", number("attempt")),
        "line" => format!("line {}", text("line")),
        "carried" => format!("carried as {}", text("media")),
        "identified" => format!("far end {}", text("remote_id")),
        "training" => format!("training {} bit/s", number("rate")),
        "page" => pages(number("page"), number("of")),
        "attempted" => format!(
            "call ended: {}, pages {}",
            text("text"),
            number("pages_sent")
        ),
        "settled" => format!("settled: {}", text("text")),
        "not-called" => format!("not called: {}", text("reason")),
        kind => kind.replace('-', " "),
    }
}
