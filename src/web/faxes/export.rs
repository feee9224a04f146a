//! `/sent/export.csv`, `/sent/export.jsonl`: exactly the faxes of a search, however many, page after page.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Query;
use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use tokio::time::timeout;

use crate::config::Language;
use crate::fax::Destination;
use crate::storage::StorageError;
use crate::storage::jobs;
use crate::storage::jobs::Found;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::Search;
use crate::time::Timestamp;
use crate::time::Zone;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::faxes::stream;
use crate::web::faxes::stream::Gone;
use crate::web::faxes::stream::Writer;
use crate::web::faxes::turns::Turns;
use crate::web::faxes::words;
use crate::web::faxes::words::Words;
use crate::web::page::Tab;
use crate::web::sent::Filters;
use crate::web::shown::Number;
use crate::web::shown::Told;
use crate::web::visitor::Visitor;

/// Rows read at a time: some hundred kilobytes.
const PAGE: usize = 500;
/// A reader that takes no page in this time has left without saying so.
const STALLED: Duration = Duration::from_secs(60);
/// Spreadsheets take a file for UTF-8 only if it begins with this.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// RFC 4180, for spreadsheets.
    Csv,
    /// One JSON object in each line.
    JsonLines,
}

/// `GET /sent/export.csv`
pub(super) async fn csv(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(filters): Query<Filters>,
) -> Response {
    export(site, visitor, &filters, Form::Csv)
}

/// `GET /sent/export.jsonl`
pub(super) async fn jsonl(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(filters): Query<Filters>,
) -> Response {
    export(site, visitor, &filters, Form::JsonLines)
}

fn export(site: Arc<Site>, visitor: Visitor, filters: &Filters, form: Form) -> Response {
    let Some(search) = filters.search(&site) else {
        let status = axum::http::StatusCode::BAD_REQUEST;
        return visitor.trouble(&site, Tab::Sent, Trouble::Malformed(status));
    };
    let Some(turn) = Turns::take(&site.faxes.exporting, &visitor.account.id) else {
        return visitor.trouble(&site, Tab::Sent, Trouble::TooMany);
    };
    let (kind, extension) = match form {
        Form::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        Form::JsonLines => ("application/jsonl; charset=utf-8", "jsonl"),
    };
    let (writer, mut response) = stream::answer(kind);
    let day: String = site.now().local_minute(&site.zone());
    let day: String = day.chars().take(10).collect();
    stream::save_as(&mut response, &format!("faxes-{day}.{extension}"));
    let language = visitor.frame(&site, Tab::Sent).language;
    let exported = Export {
        zone: site.zone(),
        site,
        visitor,
        search,
        form,
        language,
    };
    tokio::spawn(async move {
        let _turn = turn;
        exported.run(&writer).await;
    });
    response
}

struct Export {
    site: Arc<Site>,
    /// Rows are written after the request, which alone knows the zone of who asks.
    zone: Zone,
    visitor: Visitor,
    search: Search,
    form: Form,
    language: Language,
}

impl Export {
    async fn run(self, writer: &Writer) {
        let head = match self.form {
            Form::Csv => BYTE_ORDER_MARK.to_owned() + &titles(words::of(self.language)),
            Form::JsonLines => String::new(),
        };
        if self.pages(writer, head).await.is_err() {
            tracing::debug!("an export was not fetched to its end");
        }
    }

    async fn pages(&self, writer: &Writer, head: String) -> Result<(), Gone> {
        if !head.is_empty() {
            writer.send(head).await?;
        }
        let mut before = None;
        loop {
            let found = match self.next(before).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(%error, "an export broke off");
                    writer.break_off().await;
                    return Ok(());
                }
            };
            let rows: String = found.rows.iter().map(|job| self.row(job)).collect();
            if !rows.is_empty() {
                let sent = timeout(STALLED, writer.send(rows)).await;
                sent.map_err(|_| Gone)??;
            }
            before = found.next;
            if before.is_none() {
                return Ok(());
            }
        }
    }

    /// The next rows, unless the session has ended.
    async fn next(&self, before: Option<i64>) -> Result<Found, StorageError> {
        let site = &self.site;
        let (directory, now) = (site.accounts.load_full(), site.now());
        if !site
            .sessions
            .goes_on(&self.visitor.cookie, &directory, now)?
        {
            return Err(StorageError::Stopped);
        }
        let turn = Arc::clone(&site.searching).acquire_owned().await;
        let (account, search) = (self.visitor.account.id.clone(), self.search.clone());
        let found = site.store().read(move |tx| {
            let _turn = turn;
            jobs::search(tx, &account, &search, before, PAGE)
        });
        found.await
    }

    fn row(&self, job: &JobRow) -> String {
        match self.form {
            Form::Csv => self.csv_row(job),
            Form::JsonLines => self.json_row(job),
        }
    }

    fn csv_row(&self, job: &JobRow) -> String {
        let at = |at: Timestamp| at.local(&self.zone);
        let text = Told::of(job.status, self.language).text;
        line(&[
            job.id.to_string(),
            at(job.created_at),
            cell(&job.destination),
            cell(&Number::behind(&job.destination, &job.sub_address).national),
            cell(&job.contact),
            cell(&job.reference),
            // A number of ours: nothing in it can run.
            job.status.0.to_string(),
            cell(text),
            cell(job.reason.as_deref().unwrap_or_default()),
            job.pages_sent.to_string(),
            job.attempts.to_string(),
            cell(&job.remote_id),
            (job.duration_ms / 1000).to_string(),
            job.settled_at.map(at).unwrap_or_default(),
            job.batch.to_string(),
        ])
    }

    fn json_row(&self, job: &JobRow) -> String {
        let e164 = match Destination::from_canonical(&job.destination) {
            Some(Destination::Number(number)) => Some(format!("+{}", number.digits())),
            Some(Destination::Simulator(_)) | None => None,
        };
        let value = json!({
            "id": job.id.to_string(),
            "accepted": job.created_at.rfc3339(),
            "number": job.destination,
            "e164": e164,
            "name": job.contact,
            "subject": job.reference,
            "status": job.status.0,
            "text": Told::of(job.status, self.language).text,
            "reason": job.reason,
            "pages_sent": job.pages_sent,
            "calls": job.attempts,
            "remote_id": job.remote_id,
            "seconds": job.duration_ms / 1000,
            "completed": job.settled_at.map(Timestamp::rfc3339),
            "batch": job.batch.to_string(),
        });
        format!("{value}\n")
    }
}

fn titles(w: &Words) -> String {
    let titles = [
        w.c_id,
        w.c_accepted,
        w.c_number,
        w.c_national,
        w.c_name,
        w.c_subject,
        w.c_status,
        w.c_text,
        w.c_reason,
        w.c_pages,
        w.c_calls,
        w.c_remote,
        w.c_seconds,
        w.c_completed,
        w.c_submission,
    ];
    line(&titles.map(str::to_owned))
}

/// A line after RFC 4180: CR LF at its end, quotes where they are needed.
fn line(cells: &[String]) -> String {
    let quoted = |cell: &String| {
        let plain = |c: char| !matches!(c, '"' | ',' | '\r' | '\n' | ';' | '\t');
        match cell.chars().all(plain) {
            true => cell.clone(),
            false => format!("\"{}\"", cell.replace('"', "\"\"")),
        }
    };
    let cells: Vec<String> = cells.iter().map(quoted).collect();
    cells.join(",") + "\r\n"
}

/// What somebody else wrote, so that no spreadsheet takes it for a formula: those begin with one of these, and some
/// programs read the wide forms alike.
fn cell(text: &str) -> String {
    let begins = |c: char| {
        matches!(
            c,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'
        )
    };
    match text.starts_with(begins) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_like_a_formula() {
        for text in [
            "=cmd|' /C calc'!A0",
            "+81",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "＝1",
        ] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        for text in ["", "Order 4711", "a=b", "00810312345678"] {
            assert_eq!(cell(text), text);
        }
    }

    #[test]
    fn cells_are_quoted_where_a_reader_would_split_them() {
        let cells = ["a,b", "say \"x\"", "two\r\nlines", "plain"].map(str::to_owned);
        assert_eq!(
            line(&cells),
            "\"a,b\",\"say \"\"x\"\"\",\"two\r\nlines\",plain\r\n"
        );
    }

    #[test]
    fn both_languages_have_a_title_for_each_column() {
        for language in [Language::En, Language::Ja] {
            let titles = titles(words::of(language));
            assert_eq!(titles.split(',').count(), 15, "{titles}");
        }
    }
}
