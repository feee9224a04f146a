//! Sessions of the account web as stored: under a hash of their cookie, never the cookie itself.

use std::time::Duration;

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// Sessions of one account at most; the oldest makes room.
const MOST_OF_AN_ACCOUNT: usize = 50;

/// A session of somebody who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Hash of its cookie, see [`name_of`].
    pub name: [u8; 32],
    /// The account's id.
    pub account: String,
    /// Names the account's credentials at login.
    pub credentials: [u8; 32],
    /// The client's address at login.
    pub peer: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was last seen, within a part of the idle limit.
    pub seen_at: Timestamp,
    /// When its password was last typed.
    pub proved_at: Timestamp,
}

/// The name of the session with this cookie. The cookie has 256 random bits, so the hash needs no key.
pub fn name_of(cookie: &str) -> [u8; 32] {
    *blake3::hash(cookie.as_bytes()).as_bytes()
}

/// Stores a session. Those not seen since `idle_since` are removed, and an account's oldest beyond fifty.
///
/// # Errors
/// [`StorageError`].
pub fn open(
    tx: &mut dyn Transaction,
    session: &SessionRow,
    idle_since: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM web_session WHERE seen_at <= ?1",
        &[idle_since.into()],
    )?;
    tx.execute(
        "DELETE FROM web_session WHERE name IN (SELECT name FROM web_session WHERE account = ?1
             ORDER BY opened_at DESC LIMIT -1 OFFSET ?2)",
        &[
            (&session.account).into(),
            MOST_OF_AN_ACCOUNT.saturating_sub(1).into(),
        ],
    )?;
    tx.execute(
        "INSERT INTO web_session(name, account, credentials, peer, opened_at, seen_at, proved_at)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        &[
            session.name.as_slice().into(),
            (&session.account).into(),
            session.credentials.as_slice().into(),
            (&session.peer).into(),
            session.opened_at.into(),
            session.seen_at.into(),
            session.proved_at.into(),
        ],
    )?;
    Ok(())
}

/// The session of this name, if it was seen after `now - idle` and opened after `now - lasts`.
///
/// # Errors
/// [`StorageError`].
pub fn find(
    tx: &mut dyn Transaction,
    name: &[u8; 32],
    (idle, lasts): (Duration, Duration),
    now: Timestamp,
) -> Result<Option<SessionRow>, StorageError> {
    let row = tx.first(
        "SELECT name, account, credentials, peer, opened_at, seen_at, proved_at FROM web_session
         WHERE name = ?1 AND seen_at > ?2 AND opened_at > ?3",
        &[
            name.as_slice().into(),
            now.minus(idle).into(),
            now.minus(lasts).into(),
        ],
    )?;
    row.as_ref().map(session_row).transpose()
}

/// The session of this name was used.
///
/// # Errors
/// [`StorageError`].
pub fn seen(tx: &mut dyn Transaction, name: &[u8; 32], now: Timestamp) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE web_session SET seen_at = MAX(seen_at, ?2) WHERE name = ?1",
        &[name.as_slice().into(), now.into()],
    )?;
    Ok(())
}

/// The password of the session of this name was typed again.
///
/// # Errors
/// [`StorageError`].
pub fn proved(
    tx: &mut dyn Transaction,
    name: &[u8; 32],
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE web_session SET proved_at = MAX(proved_at, ?2) WHERE name = ?1",
        &[name.as_slice().into(), now.into()],
    )?;
    Ok(())
}

/// Ends the session of this name; whether there was one.
///
/// # Errors
/// [`StorageError`].
pub fn end(tx: &mut dyn Transaction, name: &[u8; 32]) -> Result<bool, StorageError> {
    let ended = tx.execute(
        "DELETE FROM web_session WHERE name = ?1",
        &[name.as_slice().into()],
    )?;
    Ok(ended > 0)
}

/// The open sessions of `account`, the newest first.
///
/// # Errors
/// [`StorageError`].
pub fn of_account(
    tx: &mut dyn Transaction,
    account: &str,
    (idle, lasts): (Duration, Duration),
    now: Timestamp,
) -> Result<Vec<SessionRow>, StorageError> {
    let rows = tx.query(
        "SELECT name, account, credentials, peer, opened_at, seen_at, proved_at FROM web_session
         WHERE account = ?1 AND seen_at > ?2 AND opened_at > ?3 ORDER BY opened_at DESC",
        &[
            account.into(),
            now.minus(idle).into(),
            now.minus(lasts).into(),
        ],
    )?;
    rows.iter().map(session_row).collect()
}

/// Ends all sessions of `account` but the one of this name. Returns how many.
///
/// # Errors
/// [`StorageError`].
pub fn end_others(
    tx: &mut dyn Transaction,
    account: &str,
    name: &[u8; 32],
) -> Result<usize, StorageError> {
    tx.execute(
        "DELETE FROM web_session WHERE account = ?1 AND name <> ?2",
        &[account.into(), name.as_slice().into()],
    )
}

/// Ends all sessions of `account`. Returns how many.
///
/// # Errors
/// [`StorageError`].
pub fn end_all(tx: &mut dyn Transaction, account: &str) -> Result<usize, StorageError> {
    tx.execute(
        "DELETE FROM web_session WHERE account = ?1",
        &[account.into()],
    )
}

fn session_row(row: &Row) -> Result<SessionRow, StorageError> {
    let bytes = |column| {
        let bytes = row
            .optional_bytes(column)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.ok_or_else(|| StorageError::Damaged("web_session".to_owned()))
    };
    Ok(SessionRow {
        name: bytes(0)?,
        account: row.text(1).to_owned(),
        credentials: bytes(2)?,
        peer: row.text(3).to_owned(),
        opened_at: Timestamp::from_ms(row.integer(4)),
        seen_at: Timestamp::from_ms(row.integer(5)),
        proved_at: Timestamp::from_ms(row.integer(6)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::scratch;

    const MINUTE: Duration = Duration::from_secs(60);
    const LIMITS: (Duration, Duration) = (MINUTE, Duration::from_secs(600));

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_ms(1_800_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn session(cookie: &str, opened: u64) -> SessionRow {
        SessionRow {
            name: name_of(cookie),
            account: "tanaka".into(),
            credentials: [1; 32],
            peer: "192.0.2.1".into(),
            opened_at: at(opened),
            seen_at: at(opened),
            proved_at: at(opened),
        }
    }

    #[tokio::test]
    async fn a_session_ends_when_idle_and_after_its_whole_time() {
        let (_dir, store) = scratch();
        let name = name_of("a");
        let open = store.write(move |tx| open(tx, &session("a", 0), at(0).minus(MINUTE)));
        open.await.unwrap();
        let is_open = |seconds| {
            let found = store.read_here(|tx| find(tx, &name, LIMITS, at(seconds)));
            found.unwrap().is_some()
        };
        assert!(is_open(59) && !is_open(60), "idle");
        for minute in 1..=12 {
            let seen = store.write(move |tx| seen(tx, &name, at(minute * 50)));
            seen.await.unwrap();
        }
        assert!(is_open(599) && !is_open(600), "its whole time");
    }

    #[tokio::test]
    async fn an_account_has_fifty_sessions_and_idle_ones_are_removed() {
        let (_dir, store) = scratch();
        for n in 0..60 {
            let open =
                store.write(move |tx| open(tx, &session(&n.to_string(), n), at(n).minus(MINUTE)));
            open.await.unwrap();
        }
        let count = |store: &crate::storage::Store| {
            let row = store.read_here(|tx| tx.first("SELECT COUNT(*) FROM web_session", &[]));
            row.unwrap().map(|row| row.integer(0))
        };
        assert_eq!(count(&store), Some(50));
        let late = store.write(|tx| open(tx, &session("late", 500), at(500).minus(MINUTE)));
        late.await.unwrap();
        assert_eq!(count(&store), Some(1));
    }
}
