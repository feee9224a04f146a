//! Mails of ours on their way out: written with the decision they tell of, sent later, tried until
//! they are taken or given up.

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// What a mail tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// That somebody's access was changed.
    Access,
    /// A received fax.
    Forward,
    /// That an account was locked.
    Lock,
    /// What became of a recipient, because the client asked (RFC 3461).
    Report,
    /// The way back in for somebody who forgot the password.
    Reset,
    /// The results of a batch.
    Result,
    /// The code by which the owner of an address confirms it as a sender.
    SenderCode,
}

impl Kind {
    /// The word that storage keeps.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Forward => "forward",
            Self::Lock => "lock",
            Self::Report => "report",
            Self::Reset => "reset",
            Self::Result => "result",
            Self::SenderCode => "sender-code",
        }
    }

    fn from_word(word: &str) -> Result<Self, StorageError> {
        match word {
            "access" => Ok(Self::Access),
            "forward" => Ok(Self::Forward),
            "lock" => Ok(Self::Lock),
            "report" => Ok(Self::Report),
            "reset" => Ok(Self::Reset),
            "result" => Ok(Self::Result),
            "sender-code" => Ok(Self::SenderCode),
            _ => Err(StorageError::Damaged(format!("mail of kind {word}"))),
        }
    }
}

/// A mail to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailRow {
    /// Identifier.
    pub id: i64,
    /// What it tells.
    pub kind: Kind,
    /// Written once under this name.
    pub dedup: String,
    /// The account's id.
    pub account: String,
    /// The batch, event, reset or received fax that it tells of.
    pub subject_id: i64,
    /// Who gets it.
    pub recipient: String,
    /// What else it needs, as JSON.
    pub payload: String,
    /// Its Message-ID, fixed now: a repeated mail is recognised by it.
    pub message_id: String,
    /// Whether it is held while the account is locked.
    pub gated: bool,
    /// Times it was tried.
    pub attempts: u32,
    /// When it was written.
    pub created_at: Timestamp,
}

/// How a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// Waiting for its first or next try, or held.
    Waiting,
    /// Taken by the next server.
    Sent,
    /// Given up.
    GivenUp,
}

impl MailState {
    fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Waiting,
            1 => Self::Sent,
            _ => Self::GivenUp,
        }
    }
}

/// Writes a mail; a second one under the same name is passed over.
///
/// # Errors
/// [`StorageError`].
pub fn add(tx: &mut dyn Transaction, mail: &MailRow) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO outbox(id, kind, dedup, account, subject_id, recipient, payload, message_id, gated, state,
             attempts, next_at, lease_until, created_at)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, ?10, 0, ?10) ON CONFLICT(dedup) DO NOTHING",
        &[
            mail.id.into(),
            mail.kind.as_str().into(),
            (&mail.dedup).into(),
            (&mail.account).into(),
            mail.subject_id.into(),
            (&mail.recipient).into(),
            (&mail.payload).into(),
            (&mail.message_id).into(),
            mail.gated.into(),
            mail.created_at.into(),
        ],
    )?;
    Ok(())
}

/// Up to `limit` mails that are due, leased until `lease_until`. A gated mail of a locked account is
/// put off to the end of the lock instead: the hold is computed here, so none can be forgotten.
///
/// # Errors
/// [`StorageError`].
pub fn claim(
    tx: &mut dyn Transaction,
    now: Timestamp,
    lease_until: Timestamp,
    limit: usize,
) -> Result<Vec<MailRow>, StorageError> {
    tx.execute(
        "UPDATE outbox SET next_at = (SELECT locked_until FROM strikes
             WHERE account = outbox.account AND reach = 0)
         WHERE state = 0 AND gated = 1 AND next_at <= ?1 AND EXISTS (SELECT 1 FROM strikes
             WHERE strikes.account = outbox.account AND reach = 0 AND locked_until > ?1)",
        &[now.into()],
    )?;
    let rows = tx.query(
        "UPDATE outbox SET lease_until = ?2, attempts = attempts + 1 WHERE id IN (SELECT id FROM outbox
             WHERE state = 0 AND next_at <= ?1 AND lease_until <= ?1 ORDER BY next_at, id LIMIT ?3)
         RETURNING id, kind, dedup, account, subject_id, recipient, payload, message_id, gated, attempts,
             created_at",
        &[now.into(), lease_until.into(), limit.into()],
    )?;
    rows.iter().map(mail_row).collect()
}

/// Notes that a mail was taken by the next server.
///
/// # Errors
/// [`StorageError`].
pub fn sent(tx: &mut dyn Transaction, id: i64, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE outbox SET state = 1, ended_at = ?2, last_error = NULL WHERE id = ?1",
        &[id.into(), now.into()],
    )?;
    Ok(())
}

/// Notes that a mail was not taken: to be tried again at `next_at`, or given up.
///
/// # Errors
/// [`StorageError`].
pub fn failed(
    tx: &mut dyn Transaction,
    id: i64,
    error: &str,
    next_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE outbox SET last_error = ?2, lease_until = 0, state = CASE WHEN ?3 IS NULL THEN 2 ELSE 0 END,
             next_at = COALESCE(?3, next_at), ended_at = CASE WHEN ?3 IS NULL THEN ?4 END
         WHERE id = ?1",
        &[id.into(), error.into(), next_at.into(), now.into()],
    )?;
    Ok(())
}

/// Lets the held mails of an account go now.
///
/// # Errors
/// [`StorageError`].
pub fn release(
    tx: &mut dyn Transaction,
    account: &str,
    now: Timestamp,
) -> Result<usize, StorageError> {
    tx.execute(
        "UPDATE outbox SET next_at = ?2 WHERE account = ?1 AND state = 0 AND gated = 1 AND next_at > ?2",
        &[account.into(), now.into()],
    )
}

/// Ends every lease: called once at start, when no other process can be serving this state.
///
/// # Errors
/// [`StorageError`].
pub fn end_leases(tx: &mut dyn Transaction) -> Result<usize, StorageError> {
    tx.execute(
        "UPDATE outbox SET lease_until = 0 WHERE state = 0 AND lease_until > 0",
        &[],
    )
}

/// How one mail stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who gets it.
    pub recipient: String,
    /// Where it is on its way.
    pub state: MailState,
    /// When that ended.
    pub ended: Option<Timestamp>,
    /// What the next server said last.
    pub error: Option<String>,
}

/// How the mails about `subject_id` stand.
///
/// # Errors
/// [`StorageError`].
pub fn about(
    tx: &mut dyn Transaction,
    kind: Kind,
    subject_id: i64,
) -> Result<Vec<Standing>, StorageError> {
    let rows = tx.query(
        "SELECT recipient, state, ended_at, last_error FROM outbox WHERE kind = ?1 AND subject_id = ?2 ORDER BY id",
        &[kind.as_str().into(), subject_id.into()],
    )?;
    let stand = |row: &Row| Standing {
        recipient: row.text(0).to_owned(),
        state: MailState::from_number(row.integer(1)),
        ended: row.optional_integer(2).map(Timestamp::from_ms),
        error: row.optional_text(3),
    };
    Ok(rows.iter().map(stand).collect())
}

/// How many mails wait, and how many of them because of a lock.
///
/// # Errors
/// [`StorageError`].
pub fn waiting(tx: &mut dyn Transaction, now: Timestamp) -> Result<(i64, i64), StorageError> {
    let row = tx.first(
        "SELECT COUNT(*), COALESCE(SUM(CASE WHEN gated = 1 AND EXISTS (SELECT 1 FROM strikes
             WHERE strikes.account = outbox.account AND reach = 0 AND locked_until > ?1) THEN 1 ELSE 0 END), 0)
         FROM outbox WHERE state = 0",
        &[now.into()],
    )?;
    Ok(row.map_or((0, 0), |row| (row.integer(0), row.integer(1))))
}

/// A mail that waits, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingMail {
    /// Identifier.
    pub id: i64,
    /// What it tells.
    pub kind: Kind,
    /// The account's id.
    pub account: String,
    /// Who gets it.
    pub recipient: String,
    /// Whether it is held while the account is locked.
    pub gated: bool,
    /// Times it was tried.
    pub attempts: u32,
    /// When it is tried next, at the earliest.
    pub next_at: Timestamp,
    /// When it was written.
    pub created_at: Timestamp,
    /// What the next server said last.
    pub error: Option<String>,
}

/// The mails that have waited longest, at most `limit`.
///
/// # Errors
/// [`StorageError`].
pub fn oldest_waiting(
    tx: &mut dyn Transaction,
    limit: usize,
) -> Result<Vec<WaitingMail>, StorageError> {
    let rows = tx.query(
        "SELECT id, kind, account, recipient, gated, attempts, next_at, created_at, last_error
         FROM outbox WHERE state = 0 ORDER BY id LIMIT ?1",
        &[limit.into()],
    )?;
    let waiting = |row: &Row| {
        Ok(WaitingMail {
            id: row.integer(0),
            kind: Kind::from_word(row.text(1))?,
            account: row.text(2).to_owned(),
            recipient: row.text(3).to_owned(),
            gated: row.integer(4) != 0,
            attempts: u32::try_from(row.integer(5)).unwrap_or(u32::MAX),
            next_at: Timestamp::from_ms(row.integer(6)),
            created_at: Timestamp::from_ms(row.integer(7)),
            error: row.optional_text(8),
        })
    };
    rows.iter().map(waiting).collect()
}

fn mail_row(row: &Row) -> Result<MailRow, StorageError> {
    Ok(MailRow {
        id: row.integer(0),
        kind: Kind::from_word(row.text(1))?,
        dedup: row.text(2).to_owned(),
        account: row.text(3).to_owned(),
        subject_id: row.integer(4),
        recipient: row.text(5).to_owned(),
        payload: row.text(6).to_owned(),
        message_id: row.text(7).to_owned(),
        gated: row.integer(8) != 0,
        attempts: u32::try_from(row.integer(9)).unwrap_or(u32::MAX),
        created_at: Timestamp::from_ms(row.integer(10)),
    })
}
