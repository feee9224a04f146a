//! What people do to accounts in the account web (rows T5, T7).
//!
//! Each act has its line in the audit trail and, where it touches somebody's access, a mail to them, in one
//! transaction. Who may is decided in [`super::rights`].

use std::sync::Arc;
use std::time::Duration;

use crate::account::in_force::InForce;
use crate::account::lockout;
use crate::account::lockout::InstallationKey;
use crate::account::notice;
use crate::account::notice::Notice;
use crate::account::overlay;
use crate::account::overlay::Setting;
use crate::account::person;
use crate::account::reset;
use crate::account::reset::Asker;
use crate::account::reset::NotStarted;
use crate::account::reset::Started;
use crate::config::Account;
use crate::lock::LockRule;
use crate::record::Act;
use crate::record::Log;
use crate::smtp::Address;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;
use crate::storage::accounts;
use crate::storage::people;
use crate::storage::people::PersonRow;
use crate::storage::resets;
use crate::storage::senders;
use crate::time::Timestamp;

/// Most characters of the reason for an unlock or a lock.
pub const LONGEST_REASON: usize = 200;
/// Resets that one person starts for another in an hour: nobody's mailbox is to be filled.
const MOST_RESETS_AN_HOUR: i64 = 5;
const HOUR: Duration = Duration::from_secs(3600);
/// Addresses that are registered for an account in a day: each is told by a mail that nobody there need have asked for.
const MOST_EMAILS_A_DAY: i64 = 10;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Somebody who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The account's id, for the audit trail.
    pub id: String,
    /// The login ID, as the person touched knows it.
    pub login_id: String,
    /// The client's address, for the audit trail.
    pub peer: String,
    /// Host name of Message-IDs.
    pub host: String,
}

/// An account that is acted on.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The account's id.
    pub id: String,
    /// Where its notices go, if there is such an address.
    pub email: Option<String>,
}

impl Subject {
    /// The subject that `account` is.
    pub fn of(account: &Account) -> Self {
        Self {
            id: account.id.clone(),
            email: account.email.as_ref().map(ToString::to_string),
        }
    }
}

impl Actor {
    /// Writes what was done to `subject` into the audit trail.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn note(
        &self,
        log: &mut Log<'_>,
        subject: &str,
        what: &'static str,
        detail: &str,
    ) -> Result<(), StorageError> {
        log.acted(&Act {
            account: subject,
            by: &self.id,
            peer: &self.peer,
            what,
            detail,
        })
    }

    /// The mail about it to `to`. Of somebody else's address the reader learns nothing: it is of no use to them.
    fn notice<'a>(
        &'a self,
        subject: &'a Subject,
        to: &'a str,
        (what, detail): (&'static str, &'a str),
    ) -> Notice<'a> {
        let is_reader = self.id == subject.id;
        Notice {
            account: &subject.id,
            to,
            what,
            by: if is_reader { "" } else { &self.login_id },
            peer: if is_reader { &self.peer } else { "" },
            detail,
            host: &self.host,
        }
    }

    fn tell(
        &self,
        tx: &mut dyn Transaction,
        ids: &Ids,
        subject: &Subject,
        told: (&'static str, &str),
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let Some(email) = &subject.email else {
            return Ok(());
        };
        notice::tell(tx, ids, &self.notice(subject, email, told), now)
    }
}

/// Unlocks `subject`, with a reason; whether there was a lock.
///
/// # Errors
/// [`StorageError`].
pub async fn unlock(
    store: &Store,
    actor: Actor,
    subject: Subject,
    reason: String,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let this = store.clone();
    let unlocked = store.write(move |tx| {
        // Strikes without a lock stay: an unlock must not help somebody who guesses.
        if !accounts::locks(tx, &subject.id)?.stop_lists(now) {
            return Ok(false);
        }
        lockout::unlock(tx, this.ids(), &subject.id, &reason, now)?;
        let mut log = Log::new(tx, this.ids(), now);
        actor.note(&mut log, &subject.id, "unlocked", &reason)?;
        actor.tell(tx, this.ids(), &subject, ("unlocked", &reason), now)?;
        Ok(true)
    });
    unlocked.await
}

/// Locks `subject` by hand for as long as its `rule` says; until when.
///
/// # Errors
/// [`StorageError`].
pub async fn lock(
    store: &Store,
    actor: Actor,
    (subject, rule): (Subject, LockRule),
    reason: String,
    now: Timestamp,
) -> Result<Timestamp, StorageError> {
    let this = store.clone();
    let locked = store.write(move |tx| {
        let until = lockout::lock(tx, this.ids(), &subject.id, &rule, now)?;
        let mut log = Log::new(tx, this.ids(), now);
        actor.note(&mut log, &subject.id, "locked", &reason)?;
        actor.tell(tx, this.ids(), &subject, ("locked", &reason), now)?;
        Ok(until)
    });
    locked.await
}

/// Keeps the user data of an account. The audit trail has the names of the fields that changed, not what stood or
/// stands there.
///
/// # Errors
/// [`StorageError`].
pub async fn save(
    store: &Store,
    actor: Actor,
    subject: String,
    data: PersonRow,
    now: Timestamp,
) -> Result<(), StorageError> {
    let this = store.clone();
    let saved = store.write(move |tx| {
        let changed = person::changed(&people::person(tx, &subject)?, &data);
        if changed.is_empty() {
            return Ok(());
        }
        people::set_person(tx, &subject, &data, &person::folded(&data), now)?;
        let mut log = Log::new(tx, this.ids(), now);
        actor.note(&mut log, &subject, "data-changed", &changed.join(", "))
    });
    saved.await
}

/// Registers another e-mail address of an account, which is `written` so in its file; false if that was done too often
/// today.
///
/// The old address is told as well as the new one: whoever took the account over cannot do it in silence.
///
/// # Errors
/// [`StorageError`].
pub async fn change_email(
    in_force: &Arc<InForce>,
    store: &Store,
    actor: Actor,
    (subject, written): (Subject, Arc<Account>),
    email: Address,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let this = store.clone();
    let after = Subject {
        id: subject.id.clone(),
        email: Some(email.to_string()),
    };
    let changed = in_force.change(move |tx| {
        let since = now.minus(DAY);
        if senders::asked(tx, &subject.id, since)? >= MOST_EMAILS_A_DAY {
            return Ok(false);
        }
        senders::note(tx, &subject.id, now, since)?;
        let (ids, setting) = (this.ids(), Setting::Email(Some(email.clone())));
        let by = (actor.id.as_str(), actor.peer.as_str());
        overlay::set(tx, ids, &written, &[setting], by.0, by.1, now)?;
        let told = ("email-changed", email.shortened());
        for told_to in [&subject, &after] {
            actor.tell(tx, ids, told_to, (told.0, &told.1), now)?;
        }
        Ok(true)
    });
    changed.await
}

/// Has the mail of a reset sent to the registered address of `account`; `nonce` is what [`reset::nonce`] gave.
/// The actor learns nothing of what it carries (row I3).
///
/// # Errors
/// [`StorageError`].
pub async fn start_reset(
    store: &Store,
    (key, nonce): (InstallationKey, [u8; 32]),
    actor: Actor,
    account: Arc<Account>,
    now: Timestamp,
) -> Result<Started, StorageError> {
    let this = store.clone();
    let started = store.write(move |tx| {
        let asked = resets::asked_since(tx, &account.id, &actor.id, now.minus(HOUR))?;
        if asked >= MOST_RESETS_AN_HOUR {
            return Ok(Started::Not(NotStarted::TooMany));
        }
        let request = reset::Request {
            account: &account,
            asker: Asker::Other(&actor.id),
            peer: &actor.peer,
            key: &key,
            nonce,
            host: &actor.host,
            now,
        };
        reset::start(tx, this.ids(), &request)
    });
    started.await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::events;
    use crate::storage::events::Whose;
    use crate::storage::outbox;
    use crate::storage::outbox::MailRow;
    use crate::storage::tests::scratch;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    fn actor() -> Actor {
        Actor {
            id: "boss".into(),
            login_id: "Boss.Login".into(),
            peer: "192.0.2.7".into(),
            host: "fax.example".into(),
        }
    }

    fn subject() -> Subject {
        Subject {
            id: "tanaka".into(),
            email: Some("tanaka@customer.example".into()),
        }
    }

    async fn mails(store: &Store) -> Vec<MailRow> {
        let claimed = store.write(|tx| outbox::claim(tx, NOW, NOW, 10));
        claimed.await.unwrap()
    }

    fn acts(store: &Store) -> Vec<(String, String)> {
        let all = store.read_here(|tx| events::audit(tx, Whose::All, None, 10));
        let told = all.unwrap().into_iter().map(|row| (row.kind, row.detail));
        told.collect()
    }

    fn rule() -> LockRule {
        let hour = Duration::from_secs(3600);
        LockRule {
            strikes: 3,
            within: hour,
            lasts: hour,
        }
    }

    #[tokio::test]
    async fn t7_an_unlock_by_hand_is_in_the_audit_trail_and_in_a_mail_to_its_owner() {
        let (_dir, store) = scratch();
        let none = unlock(&store, actor(), subject(), "asked".into(), NOW);
        assert!(!none.await.unwrap(), "there was no lock");
        assert!(acts(&store).is_empty() && mails(&store).await.is_empty());
        let why = "lost telephone";
        let locked = lock(&store, actor(), (subject(), rule()), why.into(), NOW);
        assert_eq!(locked.await.unwrap(), NOW.plus(rule().lasts));
        let unlocked = unlock(&store, actor(), subject(), "asked <b>".into(), NOW);
        assert!(unlocked.await.unwrap());
        let locks = store.read_here(|tx| accounts::locks(tx, "tanaka")).unwrap();
        assert!(!locks.stop_lists(NOW));
        let told = acts(&store);
        let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["acted", "unlocked", "acted", "locked"]);
        for part in ["\"boss\"", "192.0.2.7", "\"unlocked\"", "asked <b>"] {
            assert!(told[0].1.contains(part), "{part}: {}", told[0].1);
        }
        let mails = mails(&store).await;
        assert_eq!(mails.len(), 2);
        for mail in &mails {
            assert_eq!(mail.recipient, "tanaka@customer.example");
            assert!(mail.payload.contains("Boss.Login"), "{}", mail.payload);
            assert!(!mail.payload.contains("192.0.2.7"), "{}", mail.payload);
        }
    }

    #[tokio::test]
    async fn t5_a_change_of_data_is_told_by_its_fields_and_without_its_values() {
        let (_dir, store) = scratch();
        let data = PersonRow {
            name: "田中 太郎".into(),
            phone: "03-1234-5678".into(),
            ..PersonRow::default()
        };
        for _ in 0..2 {
            let saved = save(&store, actor(), "tanaka".into(), data.clone(), NOW);
            saved.await.unwrap();
        }
        let told = acts(&store);
        assert_eq!(told.len(), 1, "what changes nothing is no act");
        assert!(told[0].1.contains("name, phone"), "{}", told[0].1);
        assert!(!told[0].1.contains("田中") && !told[0].1.contains("1234"));
        let found = store.read_here(|tx| people::named_like(tx, "田中太"));
        assert_eq!(found.unwrap(), ["tanaka"]);
    }
}
