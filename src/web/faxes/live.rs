//! Server-sent events: a fax, or the open faxes of an account, as they go on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::Instant;

use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::events;
use crate::storage::jobs;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::faxes::stream;
use crate::web::faxes::stream::Gone;
use crate::web::faxes::stream::Writer;
use crate::web::faxes::watch::Change;
use crate::web::faxes::watch::Live;
use crate::web::faxes::watch::Place;
use crate::web::faxes::words;
use crate::web::faxes::words::Words;
use crate::web::guard::Client;
use crate::web::job;
use crate::web::job::Found;
use crate::web::job::Standing;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Tab;
use crate::web::sent;
use crate::web::sent::Row;
use crate::web::visitor::Visitor;

/// Something goes over the line at least this often, so that proxies keep it open and dead ones are seen.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How often it is looked whether the session goes on.
const CHECK: Duration = Duration::from_secs(2);
/// Between two rounds of changes: a list of thousands must not become as many looks.
const PAUSE: Duration = Duration::from_millis(500);
/// A stream ends after this time, before its connection does; the browser opens another one.
const LONGEST: Duration = Duration::from_secs(540);
/// Lines told in one round.
const MOST_LINES: usize = 200;
/// Missed events that are made up for.
const MOST_MISSED: usize = 1_000;

#[derive(Template)]
#[template(path = "faxes_status.html")]
struct StatusPart<'a> {
    s: &'a Standing,
}

#[derive(Template)]
#[template(path = "faxes_standing.html")]
struct StandingPart<'a> {
    f: &'a Frame,
    w: &'static Words,
    s: &'a Standing,
}

#[derive(Template)]
#[template(path = "faxes_actions.html")]
struct ActionsPart<'a> {
    w: &'static Words,
    s: &'a Standing,
}

#[derive(Template)]
#[template(path = "faxes_polled.html")]
struct Polled {
    f: Frame,
    w: &'static Words,
    s: Standing,
}

#[derive(Template)]
#[template(path = "faxes_cell.html")]
struct Cell {
    w: &'static Words,
    row: Row,
}

/// What the URL says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct After {
    /// The last event that the page knows of.
    #[serde(default)]
    after: String,
}

/// `GET /sent/<id>/state`: what a page shows that polls, because it gets no events.
pub(super) async fn state(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let found = match job::found(&site, &visitor, id).await {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let f = visitor.frame(&site, Tab::Sent);
    let polled = Polled {
        w: words::of(f.language),
        s: job::standing(&site, &f, found),
        f,
    };
    page::answer(StatusCode::OK, &polled)
}

/// `GET /sent/<id>/live`
pub(super) async fn job(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let entered = enter(&site, &visitor, client);
    let place = match entered {
        Ok(place) => place,
        Err(trouble) => return *trouble,
    };
    let found = match job::found(&site, &visitor, id).await {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let (writer, response) = stream::answer("text/event-stream");
    let followed = Follower::new(site, visitor, place, writer);
    // How a browser leaves is nobody's concern.
    tokio::spawn(async move { followed.job(found).await.ok() });
    response
}

/// `GET /sent/live`
pub(super) async fn history(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(after): Query<After>,
) -> Response {
    let place = match enter(&site, &visitor, client) {
        Ok(place) => place,
        Err(trouble) => return *trouble,
    };
    // A browser that comes back knows more than its page.
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok()?.trim().parse().ok());
    let after = last.or_else(|| after.after.trim().parse().ok());
    let (writer, response) = stream::answer("text/event-stream");
    let followed = Follower::new(site, visitor, place, writer);
    tokio::spawn(async move { followed.history(after).await.ok() });
    response
}

fn enter(site: &Site, visitor: &Visitor, client: Client) -> Result<Place, Box<Response>> {
    let place = Live::enter(&site.faxes.live, &visitor.cookie, client.network);
    let place = visitor.found(site, Tab::Sent, place.map(Some))?;
    place.ok_or_else(|| Box::new(visitor.trouble(site, Tab::Sent, Trouble::TooMany)))
}

/// Why a follower wakes.
enum Woken {
    /// These changes, of any account.
    By(Vec<Arc<Change>>),
    /// Some were missed.
    Missed,
    /// Nothing happened for a while.
    Quiet,
}

/// What comes next on a stream.
enum Next {
    /// Its end.
    End(End),
    /// A change.
    Change(Arc<Change>),
    /// More changes than it could take.
    Missed,
    /// The time to look at the session.
    Check,
    /// The time to say something.
    Beat,
}

/// Why a stream ends.
enum End {
    /// Time, the session, or the gateway's stop.
    Over,
    /// The browser left.
    Left,
    /// Storage.
    Trouble,
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Left
    }
}

impl From<StorageError> for End {
    fn from(error: StorageError) -> Self {
        tracing::warn!(%error, "a stream of changes broke off");
        Self::Trouble
    }
}

struct Follower {
    site: Arc<Site>,
    visitor: Visitor,
    place: Place,
    writer: Writer,
    ends: Instant,
    /// When something goes over the line at the latest.
    beat_at: Instant,
    /// When it is looked whether the session goes on.
    check_at: Instant,
}

impl Follower {
    fn new(site: Arc<Site>, visitor: Visitor, place: Place, writer: Writer) -> Self {
        let now = Instant::now();
        Self {
            site,
            visitor,
            place,
            writer,
            ends: now + LONGEST,
            beat_at: now + HEARTBEAT,
            check_at: now + CHECK,
        }
    }

    /// Tells of one fax until it is settled.
    async fn job(mut self, found: Found) -> Result<(), End> {
        let (id, batch) = (found.job.id, found.job.batch);
        let mut last = found.events.last().map_or(0, |event| event.id);
        let mut known = String::new();
        let mut found = found;
        loop {
            let told = self.parts(found)?;
            if told.text != known {
                self.send("status", last, &told.status).await?;
                self.send("progress", last, &told.text).await?;
                known = told.text;
            }
            if let Some(actions) = told.actions {
                self.send("actions", last, &actions).await?;
                return Ok(self.send("done", last, "done").await?);
            }
            // Also after a while of nothing, and when some were missed, it is looked at anew.
            while let Woken::By(changes) = self.wake().await? {
                let about = |change: &&Arc<Change>| {
                    change.batch == batch && change.job.is_none_or(|job| job == id)
                };
                if let Some(change) = changes.iter().rev().find(about) {
                    last = last.max(change.event);
                    break;
                }
            }
            let account = self.visitor.account.id.clone();
            let read = self
                .site
                .store()
                .read(move |tx| job::all_about(tx, &account, &id.to_string()));
            found = read.await?.ok_or(End::Over)?;
        }
    }

    fn parts(&self, found: Found) -> Result<Parts, End> {
        let f = self.visitor.frame(&self.site, Tab::Sent);
        let w = words::of(f.language);
        let s = job::standing(&self.site, &f, found);
        Ok(Parts {
            status: rendered(&StatusPart { s: &s })?,
            text: rendered(&StandingPart { f: &f, w, s: &s })?,
            actions: match s.open {
                true => None,
                false => Some(rendered(&ActionsPart { w, s: &s })?),
            },
        })
    }

    /// Tells of all faxes of the account.
    async fn history(mut self, after: Option<i64>) -> Result<(), End> {
        let mut last = match after {
            Some(after) => after,
            None => self.site.store().read(events::newest).await?,
        };
        let mut changes = self.missed(last).await?;
        self.writer.send(": begun\n\n".to_owned()).await?;
        loop {
            let own = |change: &&Arc<Change>| change.account == self.visitor.account.id;
            let own: Vec<_> = changes.iter().filter(own).cloned().collect();
            if let Some(newest) = own.iter().map(|change| change.event).max() {
                last = last.max(newest);
                self.lines(&own, last).await?;
                tokio::time::sleep(PAUSE).await;
            }
            changes = match self.wake().await? {
                Woken::By(changes) => changes,
                Woken::Missed => self.missed(last).await?,
                Woken::Quiet => Vec::new(),
            };
        }
    }

    /// What happened to faxes of the account after the event `after`.
    async fn missed(&self, after: i64) -> Result<Vec<Arc<Change>>, StorageError> {
        let account = self.visitor.account.id.clone();
        let read = self.site.store().read(move |tx| {
            let rows = events::after(tx, Some(&account), after, MOST_MISSED)?;
            let change = |row: events::EventRow| {
                Arc::new(Change {
                    event: row.id,
                    account: row.account,
                    batch: row.batch.unwrap_or_default(),
                    job: row.job,
                })
            };
            Ok(rows.into_iter().map(change).collect())
        });
        read.await
    }

    async fn lines(&self, changes: &[Arc<Change>], last: i64) -> Result<(), End> {
        let faxes: BTreeSet<i64> = changes.iter().filter_map(|change| change.job).collect();
        let batches: BTreeSet<i64> = changes.iter().map(|change| change.batch).collect();
        let f = self.visitor.frame(&self.site, Tab::Sent);
        let (site, language) = (Arc::clone(&self.site), f.language);
        let read = self.site.store().read(move |tx| {
            let mut rows = Vec::new();
            for id in faxes.into_iter().rev().take(MOST_LINES) {
                let job = jobs::job(tx, id)?;
                rows.extend(job.map(|job| sent::of_job(&site, job, language)));
            }
            for id in batches.into_iter().rev().take(MOST_LINES) {
                rows.extend(submission(tx, &site, id, language)?);
            }
            Ok(rows)
        });
        for row in read.await? {
            let name = row.name.clone();
            let w = words::of(language);
            let text = rendered(&Cell { w, row })?;
            self.send(&name, last, &text).await?;
        }
        Ok(())
    }

    /// Waits for changes, and for whatever ends the stream.
    async fn wake(&mut self) -> Result<Woken, End> {
        loop {
            match self.next().await {
                Next::End(end) => return Err(end),
                Next::Change(change) => return Ok(self.and_more(change)),
                Next::Missed => return Ok(Woken::Missed),
                Next::Check => {
                    self.check()?;
                    self.check_at = Instant::now() + CHECK;
                }
                Next::Beat => {
                    self.writer.send(": still here\n\n".to_owned()).await?;
                    self.beat_at = Instant::now() + HEARTBEAT;
                    return Ok(Woken::Quiet);
                }
            }
        }
    }

    async fn next(&mut self) -> Next {
        tokio::select! {
            biased;
            _ = self.place.closing.wait_for(|closed| *closed) => Next::End(End::Over),
            () = self.writer.gone() => Next::End(End::Left),
            () = tokio::time::sleep_until(self.ends) => Next::End(End::Over),
            () = tokio::time::sleep_until(self.check_at) => Next::Check,
            () = tokio::time::sleep_until(self.beat_at) => Next::Beat,
            changed = self.place.changes.recv() => match changed {
                Ok(change) => Next::Change(change),
                Err(RecvError::Lagged(_)) => Next::Missed,
                Err(RecvError::Closed) => Next::End(End::Over),
            },
        }
    }

    fn and_more(&mut self, first: Arc<Change>) -> Woken {
        let mut changes = vec![first];
        loop {
            match self.place.changes.try_recv() {
                Ok(change) => changes.push(change),
                Err(TryRecvError::Lagged(_)) => return Woken::Missed,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Woken::By(changes),
            }
        }
    }

    /// Ends the stream of somebody who has logged out.
    fn check(&self) -> Result<(), End> {
        let (directory, now) = (self.site.accounts.load_full(), self.site.now());
        let sessions = &self.site.sessions;
        match sessions.goes_on(&self.visitor.cookie, &directory, now)? {
            true => Ok(()),
            false => Err(End::Over),
        }
    }

    async fn send(&self, name: &str, id: i64, text: &str) -> Result<(), Gone> {
        self.writer.send(event(name, id, text)).await
    }
}

/// What is told of a fax.
struct Parts {
    status: String,
    text: String,
    /// Only of a settled one.
    actions: Option<String>,
}

/// The line of a submission to several numbers; `None` for others.
fn submission(
    tx: &mut dyn Transaction,
    site: &Site,
    id: i64,
    language: crate::config::Language,
) -> Result<Option<Row>, StorageError> {
    let line = jobs::line(tx, id)?.filter(|line| line.totals.jobs > 1);
    Ok(line.map(|line| sent::of_batch(site, line, language)))
}

fn rendered(template: &impl Template) -> Result<String, End> {
    template.render().map_err(|error| {
        tracing::error!(%error, "a part of a page could not be made");
        End::Trouble
    })
}

/// An event as browsers read it (HTML, section 9.2.6): every line of its text has the name of the field.
fn event(name: &str, id: i64, text: &str) -> String {
    let mut event = format!("event: {name}\nid: {id}\n");
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        event += &format!("data: {line}\n");
    }
    event.push('\n');
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_several_lines_stays_one_event() {
        assert_eq!(
            event("status", 7, "<p>\n\nsent\r\n</p>\n"),
            "event: status\nid: 7\ndata: <p>\ndata: sent\ndata: </p>\n\n"
        );
    }
}
