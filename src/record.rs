//! The event log: one function for each thing that happens to a job, a fax or an account (row C7).
//!
//! Each writes the event in the transaction that makes it true and says it once to the log. Neither
//! ever holds a password, a body, or a whole address or number; only the reverse-path of a refused mail is
//! stored whole.

mod progress;

use serde_json::Value as Json;
use serde_json::json;

use crate::fax::Destination;
use crate::lock::Reach;
use crate::smtp::Address;
use crate::smtp::TrustTier;
use crate::status::Status;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::audit;
use crate::storage::events;
use crate::storage::events::EventRow;
use crate::time::Timestamp;

/// What an event is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The account's id.
    pub account: &'a str,
    /// The batch it concerns.
    pub batch: Option<i64>,
    /// The job it concerns.
    pub job: Option<i64>,
    /// The received fax it concerns.
    pub received: Option<i64>,
}

impl<'a> Subject<'a> {
    /// An account itself.
    pub fn account(account: &'a str) -> Self {
        Self {
            account,
            ..Self::default()
        }
    }

    /// A batch as a whole.
    pub fn batch(account: &'a str, batch: i64) -> Self {
        Self {
            batch: Some(batch),
            ..Self::account(account)
        }
    }

    /// A job.
    pub fn job(account: &'a str, batch: i64, job: i64) -> Self {
        Self {
            job: Some(job),
            ..Self::batch(account, batch)
        }
    }

    /// A received fax.
    pub fn received(account: &'a str, received: i64) -> Self {
        Self {
            received: Some(received),
            ..Self::account(account)
        }
    }
}

/// A mail that was refused, and what led to it.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The account that it named, if it named one.
    pub account: Option<&'a str>,
    /// The door.
    pub door: &'static str,
    /// The client's address.
    pub peer: std::net::IpAddr,
    /// The reverse-path.
    pub sender: Option<&'a Address>,
    /// How far the sender was believed; `None` if nobody asked.
    pub tier: Option<TrustTier>,
    /// The results of verification (RFC 8601); empty if there were none.
    pub results: &'a str,
    /// Why, in words for the operator.
    pub reason: &'a str,
}

/// What a person did to an account in the account web, or a command did: the audit trail is made of these.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// The account that was acted on.
    pub account: &'a str,
    /// Who did it: an account's id, or `command`.
    pub by: &'a str,
    /// The client's address; empty for commands.
    pub peer: &'a str,
    /// What was done, in one word such as `password-changed`.
    pub what: &'static str,
    /// Why, or what exactly: for people to read. Never a secret.
    pub detail: &'a str,
}

/// A place to write events: a transaction, identifiers, the present time.
pub struct Log<'a> {
    tx: &'a mut dyn Transaction,
    ids: &'a Ids,
    now: Timestamp,
}

impl<'a> Log<'a> {
    /// Events of this transaction at `now`.
    pub fn new(tx: &'a mut dyn Transaction, ids: &'a Ids, now: Timestamp) -> Self {
        Self { tx, ids, now }
    }

    /// A submission was accepted: by which door, proved how, with how many jobs.
    ///
    /// # Errors
    /// [`StorageError`], as for every event.
    pub fn submitted(
        &mut self,
        about: Subject<'_>,
        sender: &Address,
        door: &str,
        proof: &str,
        jobs: usize,
    ) -> Result<(), StorageError> {
        let sender = sender.shortened();
        self.write(
            "received",
            about,
            json!({ "door": door, "sender": sender, "jobs": jobs }),
        )?;
        self.write("authenticated", about, json!({ "how": proof }))
    }

    /// A person had the documents of the batch `of` sent again.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn resent(&mut self, about: Subject<'_>, of: i64) -> Result<(), StorageError> {
        self.write("resent", about, json!({ "of": of.to_string() }))
    }

    /// The documents of a batch became pages.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn rendered(&mut self, about: Subject<'_>, pages: u32) -> Result<(), StorageError> {
        self.write("rendered", about, json!({ "pages": pages }))
    }

    /// The documents of a batch cannot become pages.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn not_rendered(&mut self, about: Subject<'_>, reason: &str) -> Result<(), StorageError> {
        self.write("not-rendered", about, json!({ "reason": reason }))
    }

    /// A number is about to be dialled.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn dialled(
        &mut self,
        about: Subject<'_>,
        attempt: u32,
        destination: &Destination,
    ) -> Result<(), StorageError> {
        let to = destination.shortened();
        self.write("dialled", about, json!({ "attempt": attempt, "to": to }))
    }

    /// A call ended.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn attempted(
        &mut self,
        about: Subject<'_>,
        attempt: u32,
        status: Status,
        pages_sent: u32,
    ) -> Result<(), StorageError> {
        let text = status.text_en();
        self.write(
            "attempted",
            about,
            json!({ "attempt": attempt, "status": status.0, "text": text, "pages_sent": pages_sent }),
        )
    }

    /// A job reached its final status.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn settled(
        &mut self,
        about: Subject<'_>,
        status: Status,
        reason: Option<&str>,
    ) -> Result<(), StorageError> {
        let text = status.text_en();
        self.write(
            "settled",
            about,
            json!({ "status": status.0, "text": text, "reason": reason }),
        )
    }

    /// A person cancelled a job.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn cancelled(&mut self, about: Subject<'_>) -> Result<(), StorageError> {
        self.write("cancelled", about, json!({}))
    }

    /// A mail of ours was taken by the next server.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn notified(
        &mut self,
        about: Subject<'_>,
        kind: &str,
        recipient: &str,
    ) -> Result<(), StorageError> {
        let to = shortened(recipient);
        self.write("notified", about, json!({ "mail": kind, "to": to }))
    }

    /// A mail of ours was given up.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn not_notified(
        &mut self,
        about: Subject<'_>,
        kind: &str,
        recipient: &str,
        error: &str,
    ) -> Result<(), StorageError> {
        let to = shortened(recipient);
        self.write(
            "not-notified",
            about,
            json!({ "mail": kind, "to": to, "error": error }),
        )
    }

    /// A wrong password was counted, from this door and the client's address.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn struck(
        &mut self,
        account: &str,
        (door, peer): (&str, &str),
        tier: Option<TrustTier>,
        strikes: u32,
    ) -> Result<(), StorageError> {
        self.write(
            "struck",
            Subject::account(account),
            json!({ "door": door, "peer": peer, "tier": tier.map(TrustTier::as_str), "strikes": strikes }),
        )
    }

    /// A mail was refused. The operator must be able to answer its sender, so the whole address is
    /// stored; the log has it shortened.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn refused(&mut self, refused: &Refused<'_>) -> Result<(), StorageError> {
        let detail = json!({
            "door": refused.door,
            "peer": refused.peer,
            "tier": refused.tier.map(TrustTier::as_str),
            "results": refused.results,
            "reason": refused.reason,
        });
        let detail = detail.to_string();
        let account = refused.account.unwrap_or_default();
        // The results name the whole address.
        tracing::info!(
            event = "refused",
            account,
            sender = refused.sender.map(Address::shortened),
            peer = %refused.peer,
            tier = refused.tier.map(TrustTier::as_str),
            reason = refused.reason,
        );
        let row = EventRow {
            id: self.ids.next(self.now),
            at: self.now,
            kind: "refused".to_owned(),
            account: account.to_owned(),
            sender: refused.sender.map(Address::key),
            detail,
            ..EventRow::default()
        };
        events::add(self.tx, &row)
    }

    /// Somebody logged in at the account web.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn logged_in(&mut self, account: &str, peer: &str) -> Result<(), StorageError> {
        self.write(
            "logged-in",
            Subject::account(account),
            json!({ "door": "web", "peer": peer }),
        )
    }

    /// Somebody ended sessions of the account web: the own one, or all others.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn logged_out(&mut self, account: &str, sessions: usize) -> Result<(), StorageError> {
        self.write(
            "logged-out",
            Subject::account(account),
            json!({ "door": "web", "sessions": sessions }),
        )
    }

    /// A person did something that the audit trail keeps.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn acted(&mut self, act: &Act<'_>) -> Result<(), StorageError> {
        let detail =
            json!({ "by": act.by, "peer": act.peer, "what": act.what, "detail": act.detail });
        let event = EventRow {
            actor: Some(act.by.to_owned()),
            ..self.event("acted", Subject::account(act.account), &detail)
        };
        self.add(event)
    }

    /// An account was locked, from this door and the client's address; a command has none.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn locked(
        &mut self,
        account: &str,
        (door, peer): (&str, &str),
        reach: Reach,
        until: Timestamp,
    ) -> Result<(), StorageError> {
        self.write(
            "locked",
            Subject::account(account),
            json!({ "door": door, "peer": peer, "reach": reach.as_str(), "until": until.rfc3339() }),
        )
    }

    /// A person unlocked an account.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn unlocked(&mut self, account: &str, reason: &str) -> Result<(), StorageError> {
        self.write(
            "unlocked",
            Subject::account(account),
            json!({ "reason": reason }),
        )
    }

    /// A fax arrived, perhaps without its last pages; `held_until` is set when its forwarding waits for the end of a lock.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn arrived(
        &mut self,
        about: Subject<'_>,
        (pages, partial): (u32, bool),
        held_until: Option<Timestamp>,
    ) -> Result<(), StorageError> {
        let detail = match partial {
            true => json!({ "pages": pages, "partial": true }),
            false => json!({ "pages": pages }),
        };
        self.write("arrived", about, detail)?;
        match held_until {
            Some(until) => self.write(
                "held",
                about,
                json!({ "reason": "account locked", "until": until.rfc3339() }),
            ),
            None => Ok(()),
        }
    }

    /// A person had a received fax mailed again.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn forwarded_again(&mut self, about: Subject<'_>) -> Result<(), StorageError> {
        self.write("forwarded-again", about, json!({}))
    }

    fn write(
        &mut self,
        kind: &'static str,
        about: Subject<'_>,
        detail: Json,
    ) -> Result<(), StorageError> {
        let event = self.event(kind, about, &detail);
        self.add(event)
    }

    fn event(&self, kind: &'static str, about: Subject<'_>, detail: &Json) -> EventRow {
        EventRow {
            id: self.ids.next(self.now),
            at: self.now,
            kind: kind.to_owned(),
            account: about.account.to_owned(),
            batch: about.batch,
            job: about.job,
            received: about.received,
            sender: None,
            actor: None,
            detail: detail.to_string(),
        }
    }

    fn add(&mut self, event: EventRow) -> Result<(), StorageError> {
        events::add(self.tx, &event)?;
        // The log keeps a copy of the chain's end outside of the database.
        let link = audit::chain(self.tx, &event)?;
        self.tx.after_commit(Box::new(move || {
            tracing::info!(
                event = event.kind,
                account = event.account,
                batch = event.batch,
                job = event.job,
                received = event.received,
                detail = event.detail,
                audit = link,
            );
        }));
        Ok(())
    }
}

fn shortened(recipient: &str) -> String {
    Address::parse(recipient).map_or_else(|| "?".to_owned(), |address| address.shortened())
}
