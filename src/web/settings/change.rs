//! How settings are changed: stored beside the file, in force at once, told of, marked.

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::Redirect;
use axum::response::Response;
use std::sync::Arc;

use super::words::Words;
use crate::account::notice;
use crate::account::notice::Notice;
use crate::account::overlay;
use crate::account::overlay::Key;
use crate::account::overlay::Setting;
use crate::config::Account;
use crate::config::ForwardFormat;
use crate::config::Language;
use crate::config::ResultFormat;
use crate::config::SenderPattern;
use crate::config::When;
use crate::smtp::Address;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;
use crate::web::Site;
use crate::web::error::Trouble;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::page::Moment;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;
use crate::web::words as shared;

/// That a value was changed here.
pub(super) struct Mark {
    /// The word of its key.
    pub(super) key: &'static str,
    /// When.
    pub(super) at: Moment,
    /// The login ID of who changed it.
    pub(super) by: String,
    /// What the file says.
    pub(super) written: String,
}

/// A change of somebody's settings on its way into storage.
#[derive(Clone)]
pub(super) struct Change {
    written: Arc<Account>,
    email: Option<Address>,
    peer: String,
    host: String,
    now: Timestamp,
}

impl Change {
    /// One by `visitor`, now.
    pub(super) fn by(site: &Site, visitor: &Visitor, client: Client) -> Self {
        Self {
            written: written(site, visitor),
            email: visitor.account.email.clone(),
            peer: client.address.to_string(),
            host: site.config.gateway.name.clone(),
            now: site.now(),
        }
    }

    /// Stores `settings`, with the audit trail and, where others could misuse them, a mail.
    pub(super) fn set(
        &self,
        tx: &mut dyn Transaction,
        ids: &Ids,
        settings: &[Setting],
    ) -> Result<(), StorageError> {
        let id = &self.written.id;
        overlay::set(tx, ids, &self.written, settings, id, &self.peer, self.now)?;
        let keys: Vec<Key> = settings.iter().map(Setting::key).collect();
        self.tell(tx, ids, &keys)
    }

    /// The senders that the account has in this transaction: another form may have changed them a moment ago.
    pub(super) fn senders(&self, tx: &mut dyn Transaction) -> Result<Vec<Address>, StorageError> {
        match overlay::current(tx, &self.written, Key::Senders)? {
            Setting::Senders(addresses) => Ok(addresses),
            Setting::Email(_)
            | Setting::ForwardTo(_)
            | Setting::ForwardFormat(_)
            | Setting::ResultMail(_)
            | Setting::StationId(_)
            | Setting::TimeZone(_)
            | Setting::Language(_) => Ok(Vec::new()),
        }
    }

    fn undo(&self, tx: &mut dyn Transaction, ids: &Ids, key: Key) -> Result<(), StorageError> {
        let id = &self.written.id;
        overlay::undo(tx, ids, (id, key), (id, &self.peer), self.now)?;
        self.tell(tx, ids, &[key])
    }

    fn tell(&self, tx: &mut dyn Transaction, ids: &Ids, keys: &[Key]) -> Result<(), StorageError> {
        let Some(email) = &self.email else {
            return Ok(());
        };
        if !keys.iter().any(|key| is_sensitive(*key)) {
            return Ok(());
        }
        let words: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
        let told = Notice {
            account: &self.written.id,
            to: email.as_str(),
            what: overlay::ACT,
            by: "",
            peer: &self.peer,
            detail: &words.join(", "),
            host: &self.host,
        };
        notice::tell(tx, ids, &told, self.now)
    }
}

/// Whether a change of this key could send somebody's faxes or costs elsewhere.
pub(super) fn is_sensitive(key: Key) -> bool {
    match key {
        Key::Email | Key::Senders | Key::ForwardTo | Key::ResultMail => true,
        Key::ForwardFormat | Key::StationId | Key::TimeZone | Key::Language => false,
    }
}

/// Puts those of `settings` in force that are others than now, and goes back to the settings.
pub(super) async fn keep(
    site: &Site,
    visitor: &Visitor,
    client: Client,
    settings: Vec<Setting>,
) -> Response {
    let other = |setting: &Setting| *setting != Setting::of(&visitor.account, setting.key());
    let settings: Vec<Setting> = settings.into_iter().filter(other).collect();
    if settings.is_empty() {
        return Redirect::to("/settings").into_response();
    }
    let (change, store) = (Change::by(site, visitor, client), site.store().clone());
    let kept = site
        .in_force
        .change(move |tx| change.set(tx, store.ids(), &settings));
    done(site, visitor, kept.await, "/settings")
}

/// `POST /settings/undo`: the key in `key` is as the file says again.
pub(super) async fn undo(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    Post { visitor, fields }: Post,
) -> Response {
    // The address for notices is changed on a page of its own, which tells the old one too.
    let key = Key::of_word(&fields.text("key")).filter(|key| *key != Key::Email);
    let Some(key) = key else {
        return visitor.trouble(&site, Tab::Settings, Trouble::NotFound);
    };
    if is_sensitive(key)
        && let Err(confirm) = visitor.is_fresh(&site, "/settings", true)
    {
        return *confirm;
    }
    let (change, store) = (Change::by(&site, &visitor, client), site.store().clone());
    let undone = site
        .in_force
        .change(move |tx| change.undo(tx, store.ids(), key));
    done(&site, &visitor, undone.await, "/settings")
}

/// The answer to a change that was stored, or was not.
pub(super) fn done(
    site: &Site,
    visitor: &Visitor,
    changed: Result<(), StorageError>,
    path: &str,
) -> Response {
    match visitor.found(site, Tab::Settings, changed.map(Some)) {
        Ok(()) => {
            site.mail.notify_one();
            Redirect::to(path).into_response()
        }
        Err(trouble) => *trouble,
    }
}

/// What of the visitor's account is changed here.
pub(super) fn marks(site: &Site, visitor: &Visitor, t: &Words, f: &shared::Words) -> Vec<Mark> {
    let directory = site.accounts.load();
    let written = written(site, visitor);
    let changed = directory.changed(&visitor.account.id).iter();
    let mark = |changed: &overlay::Changed| Mark {
        key: changed.key.as_str(),
        at: site.moment(changed.at),
        by: directory
            .by_id(&changed.by)
            .map_or_else(|| changed.by.clone(), |by| by.login_id.clone()),
        written: shown(&Setting::of(&written, changed.key), &written, (t, f)),
    };
    changed.map(mark).collect()
}

/// The visitor's account as its file says.
pub(super) fn written(site: &Site, visitor: &Visitor) -> Arc<Account> {
    let directory = site.accounts.load();
    let written = directory.as_written(&visitor.account.id);
    Arc::clone(written.unwrap_or(&visitor.account))
}

/// A value of `account` in words.
fn shown(setting: &Setting, account: &Account, (t, f): (&Words, &shared::Words)) -> String {
    let or_none = |text: String| match text.is_empty() {
        true => f.none.to_owned(),
        false => text,
    };
    match setting {
        Setting::Email(email) => {
            or_none(email.as_ref().map(ToString::to_string).unwrap_or_default())
        }
        Setting::Senders(_) => {
            let all: Vec<String> = account.senders.iter().map(sender).collect();
            or_none(all.join(", "))
        }
        Setting::ForwardTo(addresses) => or_none(joined(addresses)),
        Setting::ForwardFormat(format) => forward_format(*format, t).to_owned(),
        Setting::ResultMail(mail) => {
            let attached = match mail.attach_pages {
                true => t.yes,
                false => t.no,
            };
            let attached = format!("{}: {attached}", t.result_attach);
            let parts = [
                when(mail.when, f).to_owned(),
                result_format(mail.format, t).to_owned(),
                attached,
                joined(&mail.to),
            ];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            parts.join(", ")
        }
        Setting::StationId(id) => or_none(id.as_ref().map(ToString::to_string).unwrap_or_default()),
        Setting::TimeZone(zone) => zone
            .as_ref()
            .map_or_else(|| t.of_gateway.to_owned(), ToString::to_string),
        Setting::Language(language) => chosen_language(*language, t).to_owned(),
    }
}

fn joined(addresses: &[Address]) -> String {
    let texts: Vec<&str> = addresses.iter().map(Address::as_str).collect();
    texts.join(", ")
}

/// One entry of `senders`, as the file has it.
pub(super) fn sender(pattern: &SenderPattern) -> String {
    match pattern {
        SenderPattern::Exact(address) => address.as_str().to_owned(),
        SenderPattern::Domain(domain) => format!("*@{domain}"),
    }
}

/// On which results a mail is sent, in words.
pub(super) fn when(when: When, f: &shared::Words) -> &'static str {
    match when {
        When::Always => f.always,
        When::Failure => f.on_failure,
        When::Success => f.on_success,
        When::Never => f.never,
    }
}

/// A form of result mails, in words.
pub(super) fn result_format(format: ResultFormat, t: &Words) -> &'static str {
    match format {
        ResultFormat::Csv => t.csv,
        ResultFormat::HtmlEn => t.html_en,
        ResultFormat::HtmlJa => t.html_ja,
        ResultFormat::TextEn => t.text_en,
        ResultFormat::TextJa => t.text_ja,
        ResultFormat::Xml => t.xml,
    }
}

/// A form of forwarded faxes, in words.
pub(super) fn forward_format(format: ForwardFormat, t: &Words) -> &'static str {
    match format {
        ForwardFormat::Pdf => t.pdf,
        ForwardFormat::Tiff => t.tiff,
    }
}

/// A choice of language, in words.
pub(super) fn chosen_language(language: Option<Language>, t: &Words) -> &'static str {
    match language {
        None => t.language_of_browser,
        Some(Language::En) => t.english,
        Some(Language::Ja) => t.japanese,
    }
}
