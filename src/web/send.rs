//! `/send`: a fax is composed, seen as the pages that will go, and sent.
//!
//! * `upload` - the form with its files, in bounded memory and time
//! * `asked` - where it goes and how, checked
//! * `draft` - what was composed is kept until it is sent
//! * `preview` - the pages, and the button that sends them

mod asked;
mod draft;
mod preview;
mod upload;
mod words;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::Path;
use axum::extract::Request;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use tokio::sync::Mutex;
use tokio::sync::Semaphore;

use crate::authenticate::session::addresses;
use crate::config::Account;
use crate::fax::Resolution;
use crate::intake::Intake;
use crate::render::Renderer;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::error;
use crate::web::error::Trouble;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;
use asked::Asked;
use asked::Mistakes;
use asked::Typed;
use draft::Made;
use upload::Refused;
use upload::Uploaded;
use words::Words;

/// Documents that become pages for a preview at a time: faxes that were sent come first.
const MADE_AT_A_TIME: usize = 1;
/// Drafts that are sent at a time; one and the same only once.
const LANES: usize = 16;

/// What sending needs beside the site.
pub struct Sending {
    /// The way of every door.
    pub intake: Arc<Intake>,
    /// Makes the pages, as it makes those that are dialled.
    pub renderer: Renderer,
}

/// What is shared by all who send at this door.
pub(super) struct Desk {
    intake: Arc<Intake>,
    renderer: Renderer,
    making: Semaphore,
    uploads: upload::Room,
    lanes: [Mutex<()>; LANES],
}

impl Desk {
    pub(super) fn new(sending: Sending) -> Self {
        let most = sending.intake.config.smtp.max_message;
        Self {
            intake: sending.intake,
            renderer: sending.renderer,
            making: Semaphore::new(MADE_AT_A_TIME),
            uploads: upload::Room::new(most),
            lanes: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// Whether `account` may order one more sending now; counted with what it sends at every door.
    pub(super) fn in_time(&self, account: &Account, now: Timestamp) -> bool {
        let most = account.max_messages_per_minute.unwrap_or_default();
        self.intake.rate.take(account.id.clone(), most, now)
    }
}

pub(super) fn routes() -> Router<Arc<Site>> {
    // `upload` has the limit itself, so that whoever passes it gets an answer.
    let none = DefaultBodyLimit::disable();
    Router::new()
        .route("/send", get(show))
        .route("/send", post(compose).layer(none))
        .route("/send/{draft}", get(preview::show))
        .route("/send/{draft}/pages/{page}", get(preview::picture))
        .route("/send/{draft}/change", get(change))
        .route("/send/{draft}/send", post(preview::send))
        .route("/send/{draft}/discard", post(preview::discard))
}

pub(super) use words::of as words_of;

#[derive(Template)]
#[template(path = "send.html")]
struct FormPage {
    f: Frame,
    w: &'static Words,
    csrf: String,
    typed: Typed,
    mistakes: Mistakes,
    /// The account's lists and how many members each has.
    lists: Vec<(String, usize)>,
    /// Where results can go.
    addresses: Vec<String>,
    /// The files of the draft that is changed.
    kept: Vec<Kept>,
    most_numbers: usize,
    most_files: usize,
    most_megabytes: usize,
}

/// A file of the draft that is changed.
struct Kept {
    n: usize,
    name: String,
    size: String,
    ticked: bool,
}

impl FormPage {
    fn new(site: &Site, visitor: &Visitor, typed: Typed) -> Self {
        let f = visitor.frame(site, Tab::Send);
        let account = &visitor.account;
        let lists = account.lists.iter();
        let addresses = addresses(account).into_iter();
        Self {
            w: words::of(f.language),
            f,
            csrf: site.sessions.csrf(&visitor.cookie),
            typed,
            mistakes: Mistakes::default(),
            lists: lists
                .map(|list| (list.name.clone(), list.members.len()))
                .collect(),
            addresses: addresses
                .map(|address| address.as_str().to_owned())
                .collect(),
            kept: Vec::new(),
            most_numbers: asked::MOST_NUMBERS,
            most_files: upload::MOST_FILES,
            most_megabytes: site.config.smtp.max_message / 1_000_000,
        }
    }

    fn keeping(mut self, asked: Option<&Asked>) -> Self {
        let files = asked.map(|asked| asked.files.as_slice());
        let files = files.unwrap_or_default().iter().enumerate();
        let kept = files.map(|(n, file)| Kept {
            n,
            name: file.name.clone(),
            size: size(file.bytes),
            ticked: self.typed.keep.contains(&n),
        });
        self.kept = kept.collect();
        self
    }

    fn answer(self, status: StatusCode) -> Response {
        page::answer(status, &self)
    }

    fn is_list(&self, name: &str) -> bool {
        self.typed.list == name
    }

    fn is_result(&self, address: &str) -> bool {
        self.typed.result_to == address
    }
}

/// `GET /send`
async fn show(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    let typed = fresh(&site, &visitor.account);
    FormPage::new(&site, &visitor, typed).answer(StatusCode::OK)
}

fn fresh(site: &Site, account: &Account) -> Typed {
    let first = addresses(account).into_iter().next();
    Typed {
        result_to: first.map_or_else(String::new, |address| address.as_str().to_owned()),
        is_standard: site.config.render.resolution == Resolution::Standard,
        ..Typed::default()
    }
}

/// `GET /send/<draft>/change`: the form as it was filled in; the files stay where they are.
async fn change(
    State(site): State<Arc<Site>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let found = draft::find(&site, &visitor, &id).await;
    let found = match visitor.found(&site, Tab::Send, found.map(Some)) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let Some(kept) = found.filter(|kept| kept.row.batch.is_none()) else {
        return preview::gone(&site, &visitor);
    };
    let documents = draft::documents(&site, kept.row.id).await;
    let documents = match visitor.found(&site, Tab::Send, documents.map(Some)) {
        Ok(documents) => documents,
        Err(trouble) => return *trouble,
    };
    let typed = Typed::again(&kept, &documents);
    let page = FormPage::new(&site, &visitor, typed);
    page.keeping(Some(&kept.asked)).answer(StatusCode::OK)
}

/// `POST /send`: 303 to the preview, 422 with the form and what is wrong.
async fn compose(State(site): State<Arc<Site>>, visitor: Visitor, request: Request) -> Response {
    let headers = request.headers().clone();
    let uploaded = match upload::read(&site, &visitor, request).await {
        Ok(uploaded) => uploaded,
        Err(Refused::Form) => return error::page(&site, &headers, Trouble::Form),
        Err(Refused::Malformed(status)) => {
            return visitor.trouble(&site, Tab::Send, Trouble::Malformed(status));
        }
        Err(refused) => return not_read(&site, &visitor, &refused),
    };
    match composed(&site, &visitor, uploaded).await {
        Ok(id) => Redirect::to(&format!("/send/{id}")).into_response(),
        Err(response) => *response,
    }
}

/// The form, empty because nothing of it was taken, and why.
fn not_read(site: &Site, visitor: &Visitor, refused: &Refused) -> Response {
    let typed = fresh(site, &visitor.account);
    let mut page = FormPage::new(site, visitor, typed);
    let (status, text) = match refused {
        Refused::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, page.w.too_large),
        Refused::TooManyFiles => (StatusCode::UNPROCESSABLE_ENTITY, page.w.too_many_files),
        Refused::Busy => (StatusCode::SERVICE_UNAVAILABLE, page.w.busy),
        Refused::TooSlow => (StatusCode::REQUEST_TIMEOUT, page.w.too_slow),
        Refused::Form | Refused::Malformed(_) => (StatusCode::BAD_REQUEST, page.w.unreadable_form),
    };
    page.mistakes.file.push(text.to_owned());
    page.answer(status)
}

async fn composed(
    site: &Arc<Site>,
    visitor: &Visitor,
    uploaded: Uploaded,
) -> Result<i64, Box<Response>> {
    let typed = Typed::read(&uploaded);
    let before = match &typed.draft {
        Some(id) => {
            let found = draft::find(site, visitor, id).await;
            visitor.found(site, Tab::Send, found.map(Some))?
        }
        None => None,
    };
    let before = before.filter(|kept| kept.row.batch.is_none());
    let kept = before.as_ref().map(|kept| &kept.asked);
    let w = words_of(visitor.frame(site, Tab::Send).language);
    let made = match asked::check(site, &visitor.account, &typed, w) {
        Ok(asked) => draft::make(site, visitor, asked, uploaded, before.as_ref(), w).await,
        Err(mistakes) => Made::Mistaken(Box::new(mistakes)),
    };
    match made {
        Made::Kept(id) => Ok(id),
        Made::Mistaken(mistakes) => {
            let mut page = FormPage::new(site, visitor, typed).keeping(kept);
            page.mistakes = *mistakes;
            Err(Box::new(page.answer(StatusCode::UNPROCESSABLE_ENTITY)))
        }
        Made::Unavailable => Err(Box::new(visitor.trouble(
            site,
            Tab::Send,
            Trouble::Unavailable,
        ))),
    }
}

/// `12 kB`
fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_as_people_read_them() {
        let told = [12, 12_345, 1_250_000].map(size);
        assert_eq!(told, ["12 B", "12 kB", "1.2 MB"]);
    }
}
