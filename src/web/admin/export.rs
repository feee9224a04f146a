//! `/admin/audit.csv` and `/admin/audit.jsonl`: the audit trail to take away, with the filters of its page.

use std::sync::Arc;

use axum::extract::Query;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde_json::Value as Json;
use serde_json::json;

use crate::storage::audit;
use crate::storage::audit::AuditRow;
use crate::web::Site;
use crate::web::admin::Place;
use crate::web::admin::Room;
use crate::web::admin::audit::Filters;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// Rows in one file.
const MOST: usize = 100_000;
/// Rows that are read at a time.
const STEP: usize = 1000;

/// `GET /admin/audit.csv`
pub(super) async fn csv(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(q): Query<Filters>,
) -> Response {
    // The mark tells spreadsheets that this is UTF-8.
    let head = "\u{feff}n,at,act,account,actor,peer,detail\r\n";
    let kind = ("text/csv; charset=utf-8", "audit.csv");
    export(&site, &visitor, &q, kind, head, csv_line).await
}

/// `GET /admin/audit.jsonl`
pub(super) async fn jsonl(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Query(q): Query<Filters>,
) -> Response {
    let kind = ("application/jsonl; charset=utf-8", "audit.jsonl");
    export(&site, &visitor, &q, kind, "", json_line).await
}

async fn export(
    site: &Arc<Site>,
    visitor: &Visitor,
    q: &Filters,
    (kind, name): (&'static str, &str),
    head: &'static str,
    line: fn(&AuditRow) -> String,
) -> Response {
    if let Err(response) = Room::enter(site, visitor, Place::Audit) {
        return *response;
    }
    let (asked, mut before) = (q.asked(), q.before());
    let turn = Arc::clone(&site.searching).acquire_owned().await;
    let written = site.store().read(move |tx| {
        let _turn = turn;
        let mut text = head.to_owned();
        for _ in 0..MOST / STEP {
            let rows = audit::list(tx, &asked, before, STEP)?;
            rows.iter().for_each(|row| text.push_str(&line(row)));
            before = rows.last().map(|row| row.n);
            if rows.len() < STEP {
                break;
            }
        }
        Ok(text)
    });
    let text = match visitor.found(site, Tab::Admin, written.await.map(Some)) {
        Ok(text) => text,
        Err(trouble) => return *trouble,
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, text).into_response()
}

fn detail(row: &AuditRow) -> Json {
    let event = row.event.as_ref();
    let detail = event.and_then(|event| serde_json::from_str(&event.detail).ok());
    detail.unwrap_or_default()
}

fn json_line(row: &AuditRow) -> String {
    let line = json!({
        "n": row.n,
        "at": row.at.rfc3339(),
        "act": row.act,
        "account": row.account,
        "actor": row.actor,
        "missing": row.event.is_none(),
        "detail": detail(row),
    });
    format!("{line}\n")
}

fn csv_line(row: &AuditRow) -> String {
    let detail = detail(row);
    let peer = detail.get("peer").and_then(Json::as_str);
    let said = match row.event.is_some() {
        true => detail.to_string(),
        false => "missing".to_owned(),
    };
    let cells = [
        row.n.to_string(),
        row.at.rfc3339(),
        row.act.clone(),
        row.account.clone(),
        row.actor.clone(),
        peer.unwrap_or_default().to_owned(),
        detail_text(&detail).unwrap_or(said),
    ];
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    cells.join(",") + "\r\n"
}

/// What was said, where that is all that is not in a column of its own.
fn detail_text(detail: &Json) -> Option<String> {
    let text = detail.get("detail").or_else(|| detail.get("reason"));
    text.and_then(Json::as_str).map(str::to_owned)
}

/// A cell of CSV (RFC 4180) that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    // Some programs read the wide forms alike.
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_out_of_its_quotes() {
        for (text, expected) in [
            ("plain", "\"plain\""),
            ("", "\"\""),
            ("=1+1", "\"'=1+1\""),
            ("+81", "\"'+81\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("\n=1", "\"'\n=1\""),
            ("＝1", "\"'＝1\""),
            ("a\",=1", "\"a\"\",=1\""),
            ("a\r\nb", "\"a\r\nb\""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }
}
