//! `/admin/locks`: who is locked, until when, which door caused it and from where, and what still works.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value as Json;

use crate::account::directory::Directory;
use crate::lock;
use crate::lock::Reach;
use crate::lock::Strikes;
use crate::storage::StorageError;
use crate::storage::accounts;
use crate::storage::events;
use crate::storage::events::EventRow;
use crate::storage::shadows;
use crate::web::Site;
use crate::web::admin::Place;
use crate::web::admin::Room;
use crate::web::admin::words::Words;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Link;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// Locks that are shown.
const MOST: usize = 200;
/// Strikes that are shown of each.
const MOST_STRIKES: usize = 10;

#[derive(Template)]
#[template(path = "admin_locks.html")]
struct LocksPage {
    f: Frame,
    w: &'static Words,
    menu: Vec<Link>,
    is_operator: bool,
    csrf: String,
    locks: Vec<Lock>,
    /// There are more than are shown.
    more: bool,
    shadows: i64,
}

struct Lock {
    account: String,
    /// `None`: it ends by a person only.
    until: Option<Moment>,
    reach: &'static str,
    count: u32,
    works: Vec<&'static str>,
    strikes: Vec<Strike>,
    /// Whether there is such an account any more, and it is not the reader's own.
    can_be_unlocked: bool,
}

/// A wrong password, or what locked.
struct Strike {
    at: Moment,
    door: String,
    peer: String,
    tier: String,
}

type Found = (String, Reach, Strikes, Vec<EventRow>);

/// `GET /admin/locks`
pub(super) async fn list(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    let room = match Room::enter(&site, &visitor, Place::Locks) {
        Ok(room) => room,
        Err(response) => return *response,
    };
    let now = site.now();
    let found = site.store().read(move |tx| {
        let locked = accounts::locked(tx, now, MOST + 1)?.into_iter();
        let with_strikes = locked.map(|(account, reach, strikes)| {
            let events = events::strikes(tx, &account, strikes.first_at, MOST_STRIKES)?;
            Ok((account, reach, strikes, events))
        });
        let locks = with_strikes.collect::<Result<Vec<Found>, StorageError>>()?;
        Ok((locks, shadows::count_locked(tx, now)?))
    });
    let (mut found, shadows) = match visitor.found(&site, Tab::Admin, found.await.map(Some)) {
        Ok(found) => found,
        Err(trouble) => return *trouble,
    };
    let more = found.len() > MOST;
    found.truncate(MOST);
    let directory = site.accounts.load_full();
    let Room {
        f,
        w,
        menu,
        is_operator,
    } = room;
    let own = visitor.account.id.as_str();
    let shown = |found: Found| Lock {
        can_be_unlocked: found.0 != own && directory.by_id(&found.0).is_some(),
        ..lock_of(&site, found, &directory, w)
    };
    let page = LocksPage {
        csrf: site.sessions.csrf(&visitor.cookie),
        locks: found.into_iter().map(shown).collect(),
        more,
        shadows,
        f,
        w,
        menu,
        is_operator,
    };
    page::answer(StatusCode::OK, &page)
}

fn lock_of(
    site: &Site,
    (account, reach, strikes, events): Found,
    directory: &Directory,
    w: &'static Words,
) -> Lock {
    let by_address = directory
        .by_id(&account)
        .is_some_and(|account| !account.password_in_body);
    let until = strikes
        .locked_until
        .filter(|until| lock::ends_by_time(*until));
    let of_reach = events.iter().filter(|event| is_of(event, reach));
    Lock {
        until: until.map(|at| site.moment(at)),
        reach: match reach {
            Reach::Everything => w.reach_all,
            Reach::Unproven => w.reach_unproven,
        },
        count: strikes.count,
        works: match reach {
            Reach::Everything if by_address => vec![w.works_receive, w.works_address],
            Reach::Everything => vec![w.works_receive],
            Reach::Unproven => vec![w.works_proven],
        },
        strikes: of_reach.map(|event| strike(site, event, w)).collect(),
        can_be_unlocked: false,
        account,
    }
}

/// The lock itself repeats the last strike, unless it was made by hand.
fn is_of(event: &EventRow, reach: Reach) -> bool {
    let detail = serde_json::from_str::<Json>(&event.detail).unwrap_or_default();
    let is = |name: &str, word: &str| detail.get(name).and_then(Json::as_str) == Some(word);
    match event.kind.as_str() {
        "locked" => is("door", "command") && is("reach", reach.as_str()),
        _ => true,
    }
}

fn strike(site: &Site, event: &EventRow, w: &Words) -> Strike {
    let detail = serde_json::from_str::<Json>(&event.detail).unwrap_or_default();
    let text = |name: &str| detail.get(name).and_then(Json::as_str).unwrap_or_default();
    Strike {
        at: site.moment(event.at),
        door: w.door(text("door")).to_owned(),
        peer: match text("peer") {
            "" => w.from_unknown.to_owned(),
            peer => peer.to_owned(),
        },
        tier: w.tier(text("tier")).to_owned(),
    }
}
