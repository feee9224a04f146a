//! `/admin/queue`: what waits, whose it is, how the accounts share the lines; and mails of ours that wait.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::config::Language;
use crate::storage::jobs;
use crate::storage::jobs::Share;
use crate::storage::jobs::State as JobState;
use crate::storage::jobs::WaitingJob;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::WaitingMail;
use crate::web::Site;
use crate::web::admin::Place;
use crate::web::admin::Room;
use crate::web::admin::words::Words;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Link;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::shown::Number;
use crate::web::shown::Told;
use crate::web::visitor::Visitor;

/// Lanes, jobs and mails that are shown.
const MOST: usize = 50;

#[derive(Template)]
#[template(path = "admin_queue.html")]
struct QueuePage {
    f: Frame,
    w: &'static Words,
    menu: Vec<Link>,
    states: Vec<(&'static str, i64)>,
    lanes: Vec<Lane>,
    jobs: Vec<Job>,
    mails: Vec<Mail>,
}

struct Lane {
    account: String,
    kind: &'static str,
    waiting: i64,
    active: i64,
    /// Calls that may go on at a time; `None`: not known yet.
    most: Option<i64>,
    /// Calls that the lane is ahead of the one whose turn it was; `None`: it has none yet.
    lead: Option<String>,
    oldest: Moment,
}

struct Job {
    id: i64,
    account: String,
    number: Number,
    state: &'static str,
    told: Told,
    attempts: i64,
    accepted: Moment,
    next: Moment,
}

struct Mail {
    kind: &'static str,
    account: String,
    recipient: String,
    tries: u32,
    written: Moment,
    next: Moment,
    error: Option<String>,
    gated: bool,
}

/// `GET /admin/queue`
pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    let room = match Room::enter(&site, &visitor, Place::Queue) {
        Ok(room) => room,
        Err(response) => return *response,
    };
    // Every open job is counted: not more often at a time than searches.
    let turn = Arc::clone(&site.searching).acquire_owned().await;
    let found = site.store().read(move |tx| {
        let _turn = turn;
        let states = jobs::counts_by_state(tx)?;
        let shares = jobs::shares(tx, MOST)?;
        let oldest = jobs::oldest_waiting(tx, MOST)?;
        Ok((states, shares, oldest, outbox::oldest_waiting(tx, MOST)?))
    });
    let found = visitor.found(&site, Tab::Admin, found.await.map(Some));
    let (states, shares, oldest, mails) = match found {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let Room { f, w, menu, .. } = room;
    let states = states.into_iter();
    let language = f.language;
    let page = QueuePage {
        states: states
            .map(|(state, count)| (in_words(state, w), count))
            .collect(),
        lanes: shares
            .into_iter()
            .map(|share| lane(&site, share, w))
            .collect(),
        jobs: oldest
            .into_iter()
            .map(|job| waiting(&site, job, w, language))
            .collect(),
        mails: mails
            .into_iter()
            .map(|mail| mail_of(&site, mail, w))
            .collect(),
        f,
        w,
        menu,
    };
    page::answer(StatusCode::OK, &page)
}

fn lane(site: &Site, share: Share, w: &Words) -> Lane {
    let thousandths = |behind: i64| {
        let (sign, size) = (if behind < 0 { "-" } else { "" }, behind.unsigned_abs());
        format!("{sign}{}.{:02}", size / 1000, size % 1000 / 10)
    };
    Lane {
        kind: if share.of_lists {
            w.kind_list
        } else {
            w.kind_single
        },
        waiting: share.waiting,
        active: share.active,
        most: Some(share.most).filter(|most| *most > 0),
        lead: share.behind.map(thousandths),
        oldest: site.moment(share.oldest),
        account: share.account,
    }
}

fn waiting(site: &Site, job: WaitingJob, w: &Words, language: Language) -> Job {
    Job {
        id: job.id,
        number: Number::behind(&job.destination, &job.sub_address),
        state: in_words(job.state, w),
        told: Told::of(job.status, language),
        attempts: job.attempts,
        accepted: site.moment(job.created_at),
        next: site.moment(job.next_at),
        account: job.account,
    }
}

fn mail_of(site: &Site, mail: WaitingMail, w: &Words) -> Mail {
    Mail {
        kind: match mail.kind {
            Kind::Access => w.mail_access,
            Kind::Forward => w.mail_forward,
            Kind::Lock => w.mail_lock,
            Kind::Report => w.mail_report,
            Kind::Reset => w.mail_reset,
            Kind::Result => w.mail_result,
            Kind::SenderCode => w.mail_sender_code,
        },
        account: mail.account,
        recipient: mail.recipient,
        tries: mail.attempts,
        written: site.moment(mail.created_at),
        next: site.moment(mail.next_at),
        error: mail.error,
        gated: mail.gated,
    }
}

fn in_words(state: JobState, w: &Words) -> &'static str {
    match state {
        JobState::Pending => w.state_pending,
        JobState::Ready => w.state_ready,
        JobState::Parked => w.state_parked,
        JobState::Claimed => w.state_claimed,
        JobState::Dialling => w.state_dialling,
        JobState::Sleeping => w.state_sleeping,
        JobState::Staged => w.state_staged,
        JobState::Done
        | JobState::Failed
        | JobState::Unknown
        | JobState::Suspended
        | JobState::Cancelled => state.as_str(),
    }
}
