//! `/sent/<id>/result.pdf`: what became of a fax, and the pages as they were sent.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::State;
use axum::response::Response;

use crate::storage::jobs;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::faxes::words;
use crate::web::faxes::words::Words;
use crate::web::job;
use crate::web::job::Standing;
use crate::web::page::Frame;
use crate::web::page::Tab;
use crate::web::picture;
use crate::web::visitor::Visitor;

/// `GET /sent/<id>/result.pdf`
pub(super) async fn pdf(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let found = match job::found(&site, &visitor, id).await {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let f = visitor.frame(&site, Tab::Sent);
    let header = job::header(&site, &found.job, &found.batch, &found.attempts);
    let pages = found.batch.pages.filter(|_| !found.batch.expired);
    let file = pages.map(|pages| (jobs::pages_file(found.batch.id), pages));
    let id = found.job.id;
    let s = job::standing(&site, &f, found);
    let text = text(&site, &f, &s, words::of(f.language));
    let written = picture::receipt(&site, text, file, header, id).await;
    written.unwrap_or_else(|| visitor.trouble(&site, Tab::Sent, Trouble::Unavailable))
}

/// The receipt in words: a fact in each line.
fn text(site: &Site, f: &Frame, s: &Standing, w: &Words) -> String {
    let t = f.t;
    let mut lines = vec![
        w.receipt_title.to_owned(),
        String::new(),
        format!("{}: {} ({})", t.result, s.told.text, s.told.number),
        format!("{}: {} {}", t.number, s.number.national, s.number.e164),
    ];
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{name}: {value}"));
        }
    };
    add(t.contact, &s.contact);
    add(t.subject, &s.reference);
    add(t.reason, s.reason.as_deref().unwrap_or_default());
    add(t.accepted, &s.accepted.shown);
    let completed = s.completed.as_ref().map(|at| at.shown.as_str());
    add(t.completed, completed.unwrap_or_default());
    let pages = match s.pages {
        Some(pages) => format!("{} / {pages}", s.pages_sent),
        None => s.pages_sent.to_string(),
    };
    add(t.pages, &pages);
    add(t.remote_id, &s.remote_id);
    add(t.seconds, &s.seconds.to_string());
    add(w.n_attempts, &s.attempts.len().to_string());
    add(w.job_id, &s.id.to_string());
    lines.push(String::new());
    for call in &s.attempts {
        let told = call.told.as_ref();
        let result = told.map_or(t.on_the_line, |told| told.text);
        let (n, began, pages) = (call.n, &call.began.shown, call.pages);
        lines.push(format!("{n}. {began}  {result}  {}: {pages}", t.pages));
    }
    let zone = site.zone();
    lines.push(String::new());
    lines.push(format!("{} {zone}", t.zone));
    // What others wrote must not turn the page.
    let plain = |line: &String| line.replace(char::is_control, " ");
    lines.iter().map(plain).collect::<Vec<_>>().join("\n")
}
