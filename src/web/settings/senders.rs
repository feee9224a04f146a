//! `/settings/senders`: who may send. An address is added once a code that was mailed to it came back.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::change;
use super::change::Change;
use super::forms;
use super::words;
use super::words::Words;
use crate::account::overlay;
use crate::account::overlay::Key;
use crate::account::overlay::Setting;
use crate::account::senders;
use crate::account::senders::Answer;
use crate::account::senders::Request;
use crate::config::SenderPattern;
use crate::smtp::Address;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

const PATH: &str = "/settings/senders";

#[derive(Template)]
#[template(path = "settings_senders.html")]
struct SendersPage {
    f: Frame,
    t: &'static Words,
    csrf: String,
    domains: Vec<String>,
    addresses: Vec<String>,
    pending: Vec<Waiting>,
    typed: Typed,
}

struct Waiting {
    address: String,
    until: Moment,
    error: Option<&'static str>,
}

/// What was typed, and what is wrong with it.
#[derive(Default)]
struct Typed {
    /// The new address.
    address: String,
    error: Option<&'static str>,
    /// The address whose code was wrong.
    confirmed: Option<String>,
}

/// `GET /settings/senders`
pub(super) async fn show(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    match visitor.is_fresh(&site, PATH, false) {
        Ok(()) => page_of(&site, &visitor, Typed::default()),
        Err(confirm) => *confirm,
    }
}

/// `POST /settings/senders`: mails a code to `address`.
pub(super) async fn ask(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    if let Err(confirm) = visitor.is_fresh(&site, PATH, true) {
        return *confirm;
    }
    let t = words::of(visitor.frame(&site, Tab::Settings).language);
    let text = fields.text("address");
    let wrong = |error: &'static str| {
        let typed = Typed {
            address: text.clone(),
            error: Some(error),
            ..Typed::default()
        };
        page_of(&site, &visitor, typed)
    };
    let address = match addable(&site, &visitor, &text, t) {
        Ok(address) => address,
        Err(error) => return wrong(error),
    };
    let Some(code) = senders::code() else {
        return visitor.trouble(&site, Tab::Settings, Trouble::Unavailable);
    };
    let (store, key, now) = (site.store().clone(), site.sessions.key.clone(), site.now());
    let (account, host) = (visitor.account.id.clone(), site.config.gateway.name.clone());
    let peer = client.address.to_string();
    let asked = site.store().write(move |tx| {
        let request = Request {
            account: &account,
            address: &address,
            code: &code,
            host: &host,
        };
        let asked = senders::ask(tx, store.ids(), &key, &request, now)?;
        if asked {
            let what = format!("senders: code to {}", address.shortened());
            overlay::act(tx, store.ids(), (&account, &what), (&account, &peer), now)?;
        }
        Ok(asked)
    });
    match visitor.found(&site, Tab::Settings, asked.await.map(Some)) {
        Ok(true) => change::done(&site, &visitor, Ok(()), PATH),
        Ok(false) => wrong(t.e_a_day),
        Err(trouble) => *trouble,
    }
}

/// `POST /settings/senders/confirm`: `address` with its `code`.
pub(super) async fn confirm(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    if let Err(confirm) = visitor.is_fresh(&site, PATH, true) {
        return *confirm;
    }
    let Some(address) = Address::parse(&fields.text("address")) else {
        return visitor.trouble(&site, Tab::Settings, Trouble::NotFound);
    };
    // As mail programs copy it: with spaces, in full-width digits.
    let code: String = fields.text("code").chars().filter_map(digit).collect();
    let free = overlay::is_free(&site.accounts.load(), &visitor.account, &address);
    let (change, store) = (Change::by(&site, &visitor, client), site.store().clone());
    let (key, now) = (site.sessions.key.clone(), site.now());
    let (account, confirmed) = (visitor.account.id.clone(), address.clone());
    let answered = site.in_force.change(move |tx| {
        let about = (account.as_str(), &confirmed);
        let answer = senders::answer(tx, &key, about, &code, now)?;
        if answer == Answer::Right && free {
            let mut all = change.senders(tx)?;
            if all.iter().all(|own| own.key() != confirmed.key()) {
                all.push(confirmed.clone());
            }
            change.set(tx, store.ids(), &[Setting::Senders(all)])?;
        }
        Ok(answer)
    });
    match visitor.found(&site, Tab::Settings, answered.await.map(Some)) {
        Ok(Answer::Right) if free => change::done(&site, &visitor, Ok(()), PATH),
        Ok(Answer::Right) => {
            let t = words::of(visitor.frame(&site, Tab::Settings).language);
            let typed = Typed {
                address: address.as_str().to_owned(),
                error: Some(t.e_taken),
                ..Typed::default()
            };
            page_of(&site, &visitor, typed)
        }
        Ok(Answer::Wrong) => {
            let typed = Typed {
                confirmed: Some(address.key()),
                ..Typed::default()
            };
            page_of(&site, &visitor, typed)
        }
        Ok(Answer::Gone) => visitor.trouble(&site, Tab::Settings, Trouble::NotFound),
        Err(trouble) => *trouble,
    }
}

/// `POST /settings/senders/withdraw`: `address` no longer waits.
pub(super) async fn withdraw(
    State(site): State<Arc<Site>>,
    Post { visitor, fields }: Post,
) -> Response {
    let (account, address) = (visitor.account.id.clone(), fields.text("address"));
    let forgotten = site
        .store()
        .write(move |tx| senders::withdraw(tx, &account, &address));
    change::done(&site, &visitor, forgotten.await, PATH)
}

/// `POST /settings/senders/remove`: `address` may no longer send.
pub(super) async fn remove(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    if let Err(confirm) = visitor.is_fresh(&site, PATH, true) {
        return *confirm;
    }
    let address = fields.text("address").to_lowercase();
    let (change, store) = (Change::by(&site, &visitor, client), site.store().clone());
    let removed = site.in_force.change(move |tx| {
        let mut left = change.senders(tx)?;
        left.retain(|own| own.key() != address);
        change.set(tx, store.ids(), &[Setting::Senders(left)])
    });
    change::done(&site, &visitor, removed.await, PATH)
}

/// The address in `text`, if this account may ask for it.
fn addable(site: &Site, visitor: &Visitor, text: &str, t: &Words) -> Result<Address, &'static str> {
    let address = forms::address(site, text, t)?;
    let own = exact(visitor);
    if text.contains('*') {
        return Err(t.e_address);
    }
    if own.iter().any(|own| own.key() == address.key()) {
        return Err(t.e_known);
    }
    if own.len() >= senders::MOST {
        return Err(t.e_most_senders);
    }
    match overlay::is_free(&site.accounts.load(), &visitor.account, &address) {
        true => Ok(address),
        false => Err(t.e_taken),
    }
}

fn digit(c: char) -> Option<char> {
    let value = match c {
        '０'..='９' => u32::from(c) - u32::from('０'),
        _ => c.to_digit(10)?,
    };
    char::from_digit(value, 10)
}

fn exact(visitor: &Visitor) -> Vec<Address> {
    match Setting::of(&visitor.account, Key::Senders) {
        Setting::Senders(addresses) => addresses,
        Setting::Email(_)
        | Setting::ForwardTo(_)
        | Setting::ForwardFormat(_)
        | Setting::ResultMail(_)
        | Setting::StationId(_)
        | Setting::TimeZone(_)
        | Setting::Language(_) => Vec::new(),
    }
}

fn page_of(site: &Site, visitor: &Visitor, typed: Typed) -> Response {
    let (account, now) = (&visitor.account, site.now());
    let pending = site
        .store()
        .read_here(|tx| senders::pending(tx, &account.id, now));
    let pending = match visitor.found(site, Tab::Settings, pending.map(Some)) {
        Ok(pending) => pending,
        Err(trouble) => return *trouble,
    };
    let f = visitor.frame(site, Tab::Settings);
    let t = words::of(f.language);
    let confirmed = typed.confirmed.clone();
    let status = match typed.error.is_some() || confirmed.is_some() {
        true => StatusCode::UNPROCESSABLE_ENTITY,
        false => StatusCode::OK,
    };
    let waiting = |pending: senders::Pending| Waiting {
        until: site.moment(pending.until),
        error: (confirmed.as_ref() == Some(&pending.address)).then_some(t.e_code),
        address: pending.address,
    };
    let domain = |sender: &SenderPattern| match sender {
        SenderPattern::Domain(_) => Some(change::sender(sender)),
        SenderPattern::Exact(_) => None,
    };
    let page = SendersPage {
        csrf: site.sessions.csrf(&visitor.cookie),
        domains: account.senders.iter().filter_map(domain).collect(),
        addresses: exact(visitor).iter().map(ToString::to_string).collect(),
        pending: pending.into_iter().map(waiting).collect(),
        typed,
        f,
        t,
    };
    page::answer(status, &page)
}
