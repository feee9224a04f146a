//! `/send/<draft>`: the pages as they will be sent, what they cost, and the button that sends them.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::extract::Query;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use serde::Deserialize;

use crate::admit;
use crate::fax;
use crate::fax::Destination;
use crate::fax::Resolution;
use crate::refusal::Refusal;
use crate::render::HeaderLine;
use crate::storage::StorageError;
use crate::storage::drafts;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::picture;
use crate::web::picture::Pictures;
use crate::web::picture::SHOWN;
use crate::web::send::draft;
use crate::web::send::draft::Draft;
use crate::web::send::draft::Sent;
use crate::web::send::words;
use crate::web::send::words::Words;
use crate::web::shown::Number;
use crate::web::visitor::Visitor;

#[derive(Template)]
#[template(path = "send_preview.html")]
struct PreviewPage {
    f: Frame,
    w: &'static Words,
    csrf: String,
    /// Why it was not sent.
    refused: Option<String>,
    folder: String,
    numbers: Vec<Row>,
    list: Option<ListRow>,
    files: Vec<String>,
    reference: String,
    result_to: String,
    is_standard: bool,
    pages: u32,
    /// On the line for each destination.
    each: String,
    /// For all of them.
    all: String,
    destinations: usize,
    until: Moment,
    pictures: Pictures,
    /// The first page of the pictures before these and after these.
    earlier: Option<u32>,
    later: Option<u32>,
}

struct Row {
    number: Number,
    /// The account has never reached it.
    is_new: bool,
}

struct ListRow {
    name: String,
    members: usize,
    /// Members that the destination rules stop.
    denied: usize,
    /// It has other members than those that were seen.
    is_other: bool,
}

#[derive(Template)]
#[template(path = "send_gone.html")]
struct GonePage {
    f: Frame,
    w: &'static Words,
}

/// Which pictures are shown.
#[derive(Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    from: String,
}

/// `GET /send/<draft>`
pub(super) async fn show(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
) -> Response {
    let found = draft::find(&site, &visitor, &id).await;
    let found = match visitor.found(&site, Tab::Send, found.map(Some)) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    match found {
        None => gone(&site, &visitor),
        Some(draft) => match draft.row.batch {
            Some(batch) => to_sent(&site, &visitor, batch).await,
            None => {
                let from = shown.from.parse().unwrap_or(1);
                answer(&site, &visitor, &draft, from, StatusCode::OK, None).await
            }
        },
    }
}

/// There is no such draft, or it is another's: nobody may learn which.
pub(super) fn gone(site: &Site, visitor: &Visitor) -> Response {
    let f = visitor.frame(site, Tab::Send);
    let w = words::of(f.language);
    page::answer(StatusCode::NOT_FOUND, &GonePage { f, w })
}

async fn answer(
    site: &Site,
    visitor: &Visitor,
    draft: &Draft,
    from: u32,
    status: StatusCode,
    refused: Option<String>,
) -> Response {
    let rows = rows(site, visitor, draft).await;
    let numbers = match visitor.found(site, Tab::Send, rows.map(Some)) {
        Ok(rows) => rows,
        Err(trouble) => return *trouble,
    };
    let f = visitor.frame(site, Tab::Send);
    let (w, asked, row) = (words::of(f.language), &draft.asked, &draft.row);
    let list = list_row(site, visitor, draft);
    let members = list.as_ref().map(|list| list.members - list.denied);
    let destinations = numbers.len() + members.unwrap_or_default();
    let each = fax::line_time(row.pages, row.page_bytes);
    let all = each.saturating_mul(u32::try_from(destinations).unwrap_or(u32::MAX));
    let from = from.clamp(1, row.pages.max(1));
    let last = from.saturating_add(SHOWN - 1).min(row.pages);
    let page = PreviewPage {
        csrf: site.sessions.csrf(&visitor.cookie),
        refused,
        folder: format!("/send/{}", row.id),
        numbers,
        list,
        files: asked.files.iter().map(|file| file.name.clone()).collect(),
        reference: asked.reference.clone(),
        result_to: asked.result_to.clone(),
        is_standard: asked.options.resolution == Resolution::Standard,
        pages: row.pages,
        each: time(each, w),
        all: time(all, w),
        destinations,
        until: site.moment(row.created_at.plus(drafts::LASTS)),
        pictures: Pictures {
            shown: (from..=last).collect(),
            total: row.pages,
            folder: format!("/send/{}/pages", row.id),
        },
        earlier: (from > 1).then(|| from.saturating_sub(SHOWN).max(1)),
        later: (last < row.pages).then(|| last + 1),
        w,
        f,
    };
    page::answer(status, &page)
}

async fn rows(site: &Site, visitor: &Visitor, draft: &Draft) -> Result<Vec<Row>, StorageError> {
    let (account, numbers) = (visitor.account.id.clone(), draft.asked.numbers.clone());
    let reached = site.store().read(move |tx| {
        let known = |number: String| {
            let reached = drafts::was_reached(tx, &account, &number)?;
            Ok((number, reached))
        };
        numbers.into_iter().map(known).collect()
    });
    let reached: Vec<(String, bool)> = reached.await?;
    let row = |(canonical, reached): (String, bool)| {
        let number = Number::of(&canonical);
        Row {
            // The simulator is nobody's number.
            is_new: !reached && !number.e164.is_empty(),
            number,
        }
    };
    Ok(reached.into_iter().map(row).collect())
}

fn list_row(site: &Site, visitor: &Visitor, draft: &Draft) -> Option<ListRow> {
    let asked = draft.asked.list.as_ref()?;
    let list = visitor.account.list(&asked.name);
    let members = list.map_or(&[][..], |list| list.members.as_slice());
    let rules = &site.config.destinations;
    let denied = |member: &&crate::config::Contact| !admit::is_allowed(&member.destination, rules);
    Some(ListRow {
        name: asked.name.clone(),
        members: members.len(),
        denied: members.iter().filter(denied).count(),
        is_other: !asked.is_same(&visitor.account),
    })
}

fn time(time: Duration, w: &Words) -> String {
    let seconds = time.as_millis().div_ceil(1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}{} {seconds}{}", w.minutes, w.seconds),
        _ => format!("{hours}{} {minutes}{}", w.hours, w.minutes),
    }
}

/// `GET /send/<draft>/pages/<n>.png`
pub(super) async fn picture(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path((id, page)): Path<(String, String)>,
) -> Response {
    let found = draft::find(&site, &visitor, &id).await;
    let draft = match visitor.found(&site, Tab::Send, found) {
        Ok(draft) => draft,
        Err(trouble) => return *trouble,
    };
    let file = drafts::pages_file(draft.row.id);
    let header = header(&site, &visitor, &draft);
    let drawn = picture::draw_stamped(&site, file, draft.row.pages, &page, header).await;
    drawn.unwrap_or_else(|| visitor.trouble(&site, Tab::Send, Trouble::NotFound))
}

/// The header line that the first recipient would get now.
fn header(site: &Site, visitor: &Visitor, draft: &Draft) -> Option<HeaderLine> {
    let (asked, account) = (&draft.asked, &visitor.account);
    let number = asked.numbers.first();
    let number = number.and_then(|number| Destination::from_canonical(number));
    let list = asked.list.as_ref();
    let list = list.and_then(|list| account.list(&list.name));
    let member = list.and_then(|list| list.members.first());
    let first = number.or_else(|| member.map(|member| member.destination.clone()))?;
    let whose = (account.id.as_str(), Some(account.as_ref()));
    HeaderLine::of(&asked.options, &site.config, whose, &first, site.now())
}

/// `POST /send/<draft>/discard`
pub(super) async fn discard(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Post { visitor, .. }: Post,
) -> Response {
    let found = draft::find(&site, &visitor, &id).await;
    let found = match visitor.found(&site, Tab::Send, found.map(Some)) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let Some(draft) = found else {
        return gone(&site, &visitor);
    };
    let let_go = draft::let_go(&site, draft.row.id).await;
    match visitor.found(&site, Tab::Send, let_go.map(Some)) {
        Ok(()) => Redirect::to("/send").into_response(),
        Err(trouble) => *trouble,
    }
}

/// `POST /send/<draft>/send`: 303 to what it became; pressed again, to the same.
pub(super) async fn send(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    Path(id): Path<String>,
    Post { visitor, .. }: Post,
) -> Response {
    let sending = tokio::spawn(draft::send(
        Arc::clone(&site),
        Arc::clone(&visitor.account),
        visitor.cookie.clone(),
        id,
        client.address,
    ));
    let w = words::of(visitor.frame(&site, Tab::Send).language);
    match sending.await.unwrap_or(Sent::Trouble) {
        Sent::As(batch) => to_sent(&site, &visitor, batch).await,
        Sent::Gone => gone(&site, &visitor),
        Sent::OtherList(draft) => {
            let text = Some(w.other_list.to_owned());
            answer(&site, &visitor, &draft, 1, StatusCode::CONFLICT, text).await
        }
        Sent::Refused(draft, refusal) => refused(&site, &visitor, &draft, &refusal, w).await,
        Sent::Trouble => visitor.trouble(&site, Tab::Send, Trouble::Unavailable),
    }
}

/// A single fax has a page of its own; several have one together.
async fn to_sent(site: &Site, visitor: &Visitor, batch: i64) -> Response {
    let jobs = site.store().read(move |tx| drafts::jobs_of(tx, batch, 2));
    match visitor.found(site, Tab::Send, jobs.await.map(Some)) {
        Ok(jobs) => match jobs.as_slice() {
            [job] => Redirect::to(&format!("/sent/{job}")).into_response(),
            [] | [_, ..] => Redirect::to(&format!("/batches/{batch}")).into_response(),
        },
        Err(trouble) => *trouble,
    }
}

async fn refused(
    site: &Site,
    visitor: &Visitor,
    draft: &Draft,
    refusal: &Refusal,
    w: &Words,
) -> Response {
    let (status, text) = match refusal {
        Refusal::NotAuthenticated => {
            let until = site
                .authenticator
                .locked_until(&visitor.account, site.now());
            let Ok(Some(until)) = until else {
                // The session has ended, or its credentials are no longer in force.
                return Redirect::to("/login").into_response();
            };
            let text = format!("{} {}", w.locked, site.moment(until).shown);
            (StatusCode::LOCKED, text)
        }
        Refusal::TooMany => (StatusCode::TOO_MANY_REQUESTS, w.too_many.to_owned()),
        Refusal::NoSuchList => (StatusCode::CONFLICT, w.other_list.to_owned()),
        Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, w.busy.to_owned()),
        Refusal::Storage
        | Refusal::AutomaticMail
        | Refusal::Forged
        | Refusal::Malformed(_)
        | Refusal::Number(_)
        | Refusal::Undecided
        | Refusal::UnknownOption(_) => {
            return visitor.trouble(site, Tab::Send, Trouble::Unavailable);
        }
    };
    answer(site, visitor, draft, 1, status, Some(text)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Language;

    #[test]
    fn line_time_is_rounded_up_to_a_second_and_told_in_words() {
        let w = words::of(Language::En);
        assert_eq!(time(Duration::from_millis(61_001), w), "1 min 2 s");
        assert_eq!(time(Duration::from_secs(7_260), w), "2 h 1 min");
        let w = words::of(Language::Ja);
        assert_eq!(time(Duration::from_secs(61), w), "1分 1秒");
    }
}
