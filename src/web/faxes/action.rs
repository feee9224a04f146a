//! A fax is sent again, or cancelled.

use std::sync::Arc;

use askama::Template;
use axum::extract::Path;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;

use crate::authenticate::session::addresses;
use crate::fax::Destination;
use crate::queue;
use crate::queue::By;
use crate::queue::Canceller;
use crate::queue::NotResent;
use crate::queue::Resend;
use crate::queue::Resent;
use crate::queue::What;
use crate::smtp::Address;
use crate::storage::StorageError;
use crate::storage::jobs;
use crate::web::Site;
use crate::web::faxes::words;
use crate::web::faxes::words::Words;
use crate::web::form::Post;
use crate::web::job;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// Longest name of a form that is looked at.
const LONGEST_NAME: usize = 40;

#[derive(Template)]
#[template(path = "faxes_not_done.html")]
struct NotDone {
    f: Frame,
    title: &'static str,
    text: &'static str,
    /// Where to go on.
    path: String,
}

/// The page that says why nothing was done.
pub(super) fn not_done(
    site: &Site,
    visitor: &Visitor,
    tab: Tab,
    status: StatusCode,
    said: (&'static str, &'static str),
    path: String,
) -> Response {
    let (title, text) = said;
    let f = visitor.frame(site, tab);
    page::answer(
        status,
        &NotDone {
            f,
            title,
            text,
            path,
        },
    )
}

/// `POST /sent/<id>/resend`: to its number, or to that in the field `number`.
pub(super) async fn resend(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Post { visitor, fields }: Post,
) -> Response {
    let found = match job::found(&site, &visitor, id).await {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let w = words::of(visitor.frame(&site, Tab::Sent).language);
    let path = format!("/sent/{}", found.job.id);
    if !found.job.state.is_final() {
        let said = (w.not_done, w.resend_open);
        return not_done(&site, &visitor, Tab::Sent, StatusCode::CONFLICT, said, path);
    }
    let typed = fields.text("number");
    let other = match other_number(&site, &typed, &found.job.destination) {
        Ok(other) => other,
        Err(()) => {
            let wrong = Some((typed, w.resend_bad));
            return job::answer(&site, &visitor, found, wrong);
        }
    };
    let what = What::Job(Box::new(found.job.clone()), other);
    match ordered(&site, &visitor, what, fields.text("form")).await {
        Ok(resent) => Redirect::to(&format!("/sent/{}", resent.job)).into_response(),
        Err(Not::Resent(NotResent::Denied)) => {
            let wrong = Some((typed, w.resend_denied));
            job::answer(&site, &visitor, found, wrong)
        }
        Err(not) => not.answer(&site, &visitor, w, path),
    }
}

/// The number in the field, unless it is empty or the one that the fax had.
fn other_number(site: &Site, typed: &str, own: &str) -> Result<Option<Destination>, ()> {
    if typed.is_empty() {
        return Ok(None);
    }
    let other = Destination::parse(typed, &site.config.gateway.country);
    let other = other.map_err(|_| ())?;
    Ok(Some(other).filter(|other| other.canonical() != own))
}

/// Why an order was not carried out.
pub(super) enum Not {
    /// The queue says why.
    Resent(NotResent),
    /// Too many in a minute.
    TooMany,
    /// Storage; this is the page.
    Trouble(Box<Response>),
}

impl Not {
    /// The page that says so.
    pub(super) fn answer(
        self,
        site: &Site,
        visitor: &Visitor,
        w: &Words,
        path: String,
    ) -> Response {
        let (status, text) = match self {
            Self::Trouble(page) => return *page,
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, w.resend_too_many),
            Self::Resent(NotResent::Locked) => (StatusCode::LOCKED, w.resend_locked),
            Self::Resent(NotResent::Denied) => (StatusCode::UNPROCESSABLE_ENTITY, w.resend_denied),
            Self::Resent(NotResent::NoDocuments) => (StatusCode::CONFLICT, w.resend_gone),
            Self::Resent(NotResent::NothingLeft) => (StatusCode::CONFLICT, w.resend_nothing),
        };
        not_done(site, visitor, Tab::Sent, status, (w.not_done, text), path)
    }
}

/// Sends again by the rules of every door: destinations, the account's share and rate, the lock.
pub(super) async fn ordered(
    site: &Site,
    visitor: &Visitor,
    what: What,
    form: String,
) -> Result<Resent, Not> {
    let (account, now) = (&visitor.account, site.now());
    if !site.send.in_time(account, now) {
        return Err(Not::TooMany);
    }
    let reply_to = reply_to(site, visitor, &what).await;
    let reply_to = visitor.found(site, Tab::Sent, reply_to.map(Some));
    let order = Resend {
        reply_to: reply_to.map_err(Not::Trouble)?,
        what,
        by: By::Person(form.chars().take(LONGEST_NAME).collect()),
        rules: site.config.destinations.clone(),
        max_calls: account.max_calls.unwrap_or(site.config.queue.per_account),
        now,
    };
    // In a task of its own: a browser that hangs up must not leave it half done.
    let store = site.store().clone();
    let resent = tokio::spawn(async move { queue::resend(&store, order).await });
    let resent = resent.await.unwrap_or(Err(StorageError::Stopped));
    let resent = visitor.found(site, Tab::Sent, resent.map(Some));
    resent.map_err(Not::Trouble)?.map_err(Not::Resent)
}

/// Where results go, if where they went is no address of the account any more: the first that it has.
async fn reply_to(
    site: &Site,
    visitor: &Visitor,
    what: &What,
) -> Result<Option<String>, StorageError> {
    let batch = match what {
        What::All(batch) | What::Failed(batch) => *batch,
        What::Job(job, _) => job.batch,
    };
    let old = site.store().read(move |tx| jobs::batch(tx, batch)).await?;
    let old = old.and_then(|old| Address::parse(&old.reply_to));
    let (directory, account) = (site.accounts.load(), &visitor.account);
    if old.is_some_and(|old| directory.owns(account, &old)) {
        return Ok(None);
    }
    let own = addresses(account).into_iter().next();
    Ok(own.map(|address| address.as_str().to_owned()))
}

/// What cancelling needs.
pub(super) fn canceller(site: &Site, visitor: &Visitor) -> Canceller {
    Canceller {
        store: site.store().clone(),
        account: Some(Arc::clone(&visitor.account)),
        host: site.config.gateway.name.clone(),
        now: site.now(),
    }
}

/// `POST /sent/<id>/cancel`
pub(super) async fn cancel(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Post { visitor, .. }: Post,
) -> Response {
    let found = match job::found(&site, &visitor, id).await {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let path = format!("/sent/{}", found.job.id);
    let cancelled = canceller(&site, &visitor).job(found.job).await;
    match visitor.found(&site, Tab::Sent, cancelled.map(Some)) {
        Ok(true) => {
            site.mail.notify_one();
            Redirect::to(&path).into_response()
        }
        Ok(false) => {
            let w = words::of(visitor.frame(&site, Tab::Sent).language);
            let said = (w.too_late_title, w.too_late);
            not_done(&site, &visitor, Tab::Sent, StatusCode::CONFLICT, said, path)
        }
        Err(trouble) => *trouble,
    }
}
