//! A fax arrives: it is stored for the account of its number and its forwards are written with it. What was cut off is
//! marked as partial.
//!
//! While the account is locked the forwards wait in the outbox. Nothing has to fire when the lock ends:
//! the hold is computed when mails are claimed (row C5).

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use thiserror::Error;

use crate::account::directory::Directory;
use crate::config::Account;
use crate::fax::FaxFile;
use crate::fax::FaxNumber;
use crate::lock::Use;
use crate::record::Log;
use crate::record::Subject;
use crate::render;
use crate::smtp::Address;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailRow;
use crate::storage::outbox::MailState;
use crate::storage::received;
use crate::storage::received::ReceivedRow;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Inbound;
use crate::transmit::InboundFax;
use crate::transmit::Later;

/// Why a fax was not taken.
#[derive(Debug, Error)]
pub enum ReceiveError {
    /// No account receives faxes to this number.
    #[error("no account receives faxes to this number")]
    UnknownNumber,
    /// Not a single page of it can be read.
    #[error("not a single page of it can be read")]
    Unreadable,
    /// It could not be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Where a received fax is on its way to the addresses of its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// Nobody gets it by mail.
    Nowhere,
    /// Held back until the end of the account's lock (row C5).
    Held(Timestamp),
    /// On its way.
    Waiting,
    /// All mails were taken by the next server.
    Done,
    /// Some mail was given up, and what the next server said.
    Failed(Option<String>),
}

/// Where `fax` is on its way.
///
/// # Errors
/// [`StorageError`].
pub fn forwarding(
    tx: &mut dyn Transaction,
    fax: &ReceivedRow,
    now: Timestamp,
) -> Result<Forwarding, StorageError> {
    // Of several mails to one address the last one counts.
    let mut mails = outbox::about(tx, Kind::Forward, fax.id)?;
    let mut seen = HashSet::new();
    mails.reverse();
    mails.retain(|mail| seen.insert(mail.recipient.clone()));
    let strikes = accounts::strikes(tx, &fax.account)?;
    let locked_until = strikes.locked_until.filter(|_| strikes.is_locked(now));
    let any = |state| mails.iter().any(|mail| mail.state == state);
    Ok(match locked_until {
        _ if mails.is_empty() => Forwarding::Nowhere,
        Some(until) if any(MailState::Waiting) => Forwarding::Held(until),
        None if any(MailState::Waiting) => Forwarding::Waiting,
        Some(_) | None if any(MailState::GivenUp) => {
            Forwarding::Failed(mails.iter().find_map(|mail| mail.error.clone()))
        }
        Some(_) | None => Forwarding::Done,
    })
}

/// What became of the wish to have a fax mailed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Its pages are no longer kept.
    Gone,
    /// No address is registered.
    Nowhere,
    /// A mail about it waits already.
    Waits,
    /// Mails were written.
    Written,
}

/// Mails `fax` once more to all addresses of its account; held like the first time while that is locked.
///
/// # Errors
/// [`StorageError`].
pub fn forward_again(
    tx: &mut dyn Transaction,
    fax: &ReceivedRow,
    account: &Account,
    (ids, host, now): (&Ids, &str, Timestamp),
) -> Result<Again, StorageError> {
    if fax.expired {
        return Ok(Again::Gone);
    }
    let mails = outbox::about(tx, Kind::Forward, fax.id)?;
    if mails.iter().any(|mail| mail.state == MailState::Waiting) {
        return Ok(Again::Waits);
    }
    let held = held_until(tx, account, now)?;
    let again = ids.next(now);
    for recipient in &account.forward_to {
        let mail = forward_mail(fax.id, account, recipient, held, (ids.next(now), host, now));
        let dedup = format!("{}:{again}", mail.dedup);
        outbox::add(tx, &MailRow { dedup, ..mail })?;
    }
    match account.forward_to.is_empty() {
        true => Ok(Again::Nowhere),
        false => {
            let about = Subject::received(&account.id, fax.id);
            Log::new(tx, ids, now).forwarded_again(about)?;
            Ok(Again::Written)
        }
    }
}

/// The end of the lock that holds forwards back, if there are any and one stands.
fn held_until(
    tx: &mut dyn Transaction,
    account: &Account,
    now: Timestamp,
) -> Result<Option<Timestamp>, StorageError> {
    let strikes = accounts::strikes(tx, &account.id)?;
    let held = strikes.is_locked(now) && Use::ForwardReceived.stops_while_locked();
    let until = strikes.locked_until;
    Ok(until.filter(|_| held && !account.forward_to.is_empty()))
}

/// A forward of the fax `fax` to one address.
fn forward_mail(
    fax: i64,
    account: &Account,
    recipient: &Address,
    held_until: Option<Timestamp>,
    (id, host, now): (i64, &str, Timestamp),
) -> MailRow {
    MailRow {
        id,
        kind: Kind::Forward,
        dedup: format!("forward:{fax}:{recipient}"),
        account: account.id.clone(),
        subject_id: fax,
        recipient: recipient.as_str().to_owned(),
        payload: serde_json::json!({ "held_until": held_until.map(Timestamp::as_ms) }).to_string(),
        message_id: format!("<forward.{fax}.{id}@{host}>"),
        gated: Use::ForwardReceived.stops_while_locked(),
        attempts: 0,
        created_at: now,
    }
}

/// Takes faxes.
pub struct Reception {
    /// Durable state.
    pub store: Store,
    /// Accounts in force.
    pub accounts: Arc<ArcSwap<Directory>>,
    /// Host name in Message-IDs.
    pub host: String,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// Woken when there are new mails.
    pub mail: Arc<tokio::sync::Notify>,
}

impl Reception {
    /// Stores a fax; durable when this returns its identifier. The same call again changes nothing.
    ///
    /// # Errors
    /// [`ReceiveError`].
    pub async fn take(&self, fax: InboundFax) -> Result<i64, ReceiveError> {
        let directory = self.accounts.load_full();
        let account = directory
            .by_number(&fax.number)
            .ok_or(ReceiveError::UnknownNumber)?;
        let now = self.clock.now();
        let id = self.store.ids().next(now);
        let (pages, all) = readable(fax.fax.tiff).await?;
        let row = ReceivedRow {
            id,
            account: account.id.clone(),
            number: fax.number.canonical(),
            call: fax.call,
            remote_id: fax.remote_id.as_str().to_owned(),
            pages: pages.pages,
            partial: !(fax.complete && all),
            expired: false,
            received_at: now,
            read_at: None,
        };
        let blobs = Arc::clone(self.store.blobs());
        let file = received::pages_file(id);
        let put = tokio::task::spawn_blocking(move || blobs.put(&file, &pages.tiff));
        put.await.map_err(|_| StorageError::Stopped)??;
        let written = self.write(row, Arc::clone(account), now).await;
        if !matches!(written, Ok(None)) {
            // Stored before, or not stored: this copy of the pages belongs to nobody.
            let _ = self.store.blobs().remove(&received::pages_file(id));
        }
        let known = written?;
        self.mail.notify_one();
        Ok(known.unwrap_or(id))
    }

    async fn write(
        &self,
        row: ReceivedRow,
        account: Arc<Account>,
        now: Timestamp,
    ) -> Result<Option<i64>, StorageError> {
        let (store, host) = (self.store.clone(), self.host.clone());
        let body = move |tx: &mut dyn Transaction| {
            if let Some(known) = received::insert(tx, &row)? {
                return Ok(Some(known));
            }
            tx.after_commit(Box::new(|| {
                metrics::counter!("faxgate_received_total").increment(1)
            }));
            let held_until = held_until(tx, &account, now)?;
            let about = Subject::received(&account.id, row.id);
            Log::new(tx, store.ids(), now).arrived(about, (row.pages, row.partial), held_until)?;
            for recipient in &account.forward_to {
                let at = (store.ids().next(now), host.as_str(), now);
                let mail = forward_mail(row.id, &account, recipient, held_until, at);
                outbox::add(tx, &mail)?;
            }
            Ok(None)
        };
        self.store.write(body).await
    }
}

/// The pages of a file from a line as this gateway writes them, and whether they are all of them: what stands in it is the
/// far end's, and so is the text of its tags.
async fn readable(tiff: Vec<u8>) -> Result<(FaxFile, bool), ReceiveError> {
    let read = tokio::task::spawn_blocking(move || render::salvage_received(&tiff)).await;
    let read = read.map_err(|_| StorageError::Stopped)?;
    read.ok_or(ReceiveError::Unreadable)
}

impl Inbound for Reception {
    fn serves(&self, number: &FaxNumber) -> bool {
        self.accounts.load().by_number(number).is_some()
    }

    fn arrive(&self, fax: InboundFax) -> Later<'_, bool> {
        Box::pin(async move {
            match self.take(fax).await {
                Ok(_) => true,
                Err(error) => {
                    tracing::error!(%error, "a received fax could not be stored");
                    false
                }
            }
        })
    }
}
