//! Drafts: faxes that were seen as pages and not sent yet, bounded in number, size and age.
//!
//! A row stands before its files and goes after them, so that no file is ever without a row.

use std::sync::Arc;
use std::time::Duration;

use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;
use crate::storage::documents;
use crate::time::Timestamp;

/// How long a draft is kept.
pub const LASTS: Duration = Duration::from_secs(3600);
/// Drafts of one account at most; the oldest makes room.
const MOST_OF_AN_ACCOUNT: usize = 5;
/// Bytes of all drafts of one account at most; the oldest make room.
const MOST_BYTES_OF_AN_ACCOUNT: u64 = 256 << 20;
/// Bytes of all drafts at most; beyond, none is taken.
const MOST_BYTES: u64 = 4 << 30;

/// A draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftRow {
    /// Identifier.
    pub id: i64,
    /// The account's id.
    pub account: String,
    /// The session that it belongs to, see [`crate::storage::sessions::name_of`].
    pub session: [u8; 32],
    /// Where it goes and how, as JSON.
    pub asked: String,
    /// Its pages.
    pub pages: u32,
    /// Bytes of the pages.
    pub page_bytes: u64,
    /// What it became when it was sent.
    pub batch: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The name of the file with a draft's documents.
pub fn documents_file(draft: i64) -> String {
    format!("{draft}-draft")
}

/// The name of the file with a draft's pages.
pub fn pages_file(draft: i64) -> String {
    format!("{draft}-draft-pages")
}

/// Keeps a draft with its documents, packed, and its pages; whether there was room for it. Durable when this
/// returns.
///
/// # Errors
/// [`StorageError`]; then there is no such draft.
pub async fn keep(
    store: &Store,
    draft: DraftRow,
    packed: Vec<u8>,
    tiff: Vec<u8>,
) -> Result<bool, StorageError> {
    let now = draft.created_at;
    let bytes = (packed.len() as u64).saturating_add(tiff.len() as u64);
    let (id, pages) = (draft.id, draft.pages);
    let room = store.write(move |tx| begin(tx, &draft, bytes)).await?;
    sweep(store, now).await?;
    if !room {
        return Ok(false);
    }
    let blobs = Arc::clone(store.blobs());
    let put = tokio::task::spawn_blocking(move || {
        blobs.put(&documents_file(id), &packed)?;
        blobs.put(&pages_file(id), &tiff)
    });
    put.await.map_err(|_| StorageError::Stopped)??;
    let ready = store.write(move |tx| {
        tx.execute(
            "UPDATE draft SET pages = ?2 WHERE id = ?1",
            &[id.into(), pages.into()],
        )
    });
    Ok(ready.await? == 1)
}

/// Stores the row of a draft whose files are not there yet, after others have made room.
fn begin(tx: &mut dyn Transaction, draft: &DraftRow, bytes: u64) -> Result<bool, StorageError> {
    make_room(tx, &draft.account, bytes)?;
    let all = tx.first("SELECT COALESCE(SUM(bytes), 0) FROM draft", &[])?;
    let all = all.map_or(0, |row| row.integer(0)).unsigned_abs();
    if all.saturating_add(bytes) > MOST_BYTES || bytes > MOST_BYTES_OF_AN_ACCOUNT {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO draft(id, account, session, asked, pages, page_bytes, bytes, batch, created_at)
         VALUES(?1, ?2, ?3, ?4, NULL, ?5, ?6, NULL, ?7)",
        &[
            draft.id.into(),
            (&draft.account).into(),
            draft.session.as_slice().into(),
            (&draft.asked).into(),
            integer(draft.page_bytes).into(),
            integer(bytes).into(),
            draft.created_at.into(),
        ],
    )?;
    Ok(true)
}

/// Lets the oldest drafts of `account` go that one more of so many `bytes` leaves no room for. One that was
/// sent has no bytes and is kept: pressing the button again leads to what it became.
fn make_room(tx: &mut dyn Transaction, account: &str, bytes: u64) -> Result<(), StorageError> {
    let rows = tx.query(
        "SELECT id, bytes FROM draft WHERE account = ?1 AND created_at > 0 AND batch IS NULL
         ORDER BY created_at DESC, id DESC",
        &[account.into()],
    )?;
    let mut total = bytes;
    for (n, row) in rows.iter().enumerate() {
        total = total.saturating_add(row.integer(1).unsigned_abs());
        if n + 1 >= MOST_OF_AN_ACCOUNT || total > MOST_BYTES_OF_AN_ACCOUNT {
            let_go(tx, row.integer(0))?;
        }
    }
    Ok(())
}

/// Lets a draft go: nobody finds it any more, and [`sweep`] removes it.
///
/// # Errors
/// [`StorageError`].
pub fn let_go(tx: &mut dyn Transaction, id: i64) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE draft SET created_at = 0 WHERE id = ?1",
        &[id.into()],
    )?;
    Ok(())
}

/// The draft `id` of this account and session, if it is still kept at `now`.
///
/// # Errors
/// [`StorageError`].
pub fn find(
    tx: &mut dyn Transaction,
    id: i64,
    (account, session): (&str, &[u8; 32]),
    now: Timestamp,
) -> Result<Option<DraftRow>, StorageError> {
    let row = tx.first(
        "SELECT id, account, asked, pages, page_bytes, batch, created_at FROM draft
         WHERE id = ?1 AND account = ?2 AND session = ?3 AND created_at > ?4 AND pages IS NOT NULL",
        &[
            id.into(),
            account.into(),
            session.as_slice().into(),
            now.minus(LASTS).into(),
        ],
    )?;
    row.map(|row| draft_row(&row, *session)).transpose()
}

fn draft_row(row: &Row, session: [u8; 32]) -> Result<DraftRow, StorageError> {
    let pages = u32::try_from(row.integer(3));
    Ok(DraftRow {
        id: row.integer(0),
        account: row.text(1).to_owned(),
        session,
        asked: row.text(2).to_owned(),
        pages: pages.map_err(|_| StorageError::Damaged("pages of a draft".to_owned()))?,
        page_bytes: row.integer(4).unsigned_abs(),
        batch: row.optional_integer(5),
        created_at: Timestamp::from_ms(row.integer(6)),
    })
}

/// The documents and the pages of a draft. Blocks.
///
/// # Errors
/// [`StorageError`], also when its files are gone.
pub fn files(
    store: &Store,
    draft: i64,
) -> Result<(Vec<crate::fax::Document>, Vec<u8>), StorageError> {
    let packed = store.blobs().get(&documents_file(draft))?;
    let tiff = store.blobs().get(&pages_file(draft))?;
    Ok((documents::unpack(&packed)?, tiff))
}

/// Notes what a draft became. Its files are to be removed by [`remove_files`]; the row stays.
///
/// # Errors
/// [`StorageError`].
pub fn sent(tx: &mut dyn Transaction, id: i64, batch: i64) -> Result<(), StorageError> {
    tx.execute(
        "UPDATE draft SET batch = ?2, bytes = 0 WHERE id = ?1",
        &[id.into(), batch.into()],
    )?;
    Ok(())
}

/// Removes the files of a draft. Blocks.
///
/// # Errors
/// [`StorageError::File`].
pub fn remove_files(store: &Store, draft: i64) -> Result<(), StorageError> {
    store.blobs().remove(&documents_file(draft))?;
    store.blobs().remove(&pages_file(draft))
}

/// Removes drafts whose time is over, and those that were let go; how many there were.
///
/// # Errors
/// [`StorageError`].
pub async fn sweep(store: &Store, now: Timestamp) -> Result<usize, StorageError> {
    let until = now.minus(LASTS);
    let gone = store
        .read(move |tx| {
            tx.query(
                "SELECT id FROM draft WHERE created_at <= ?1 LIMIT 1000",
                &[until.into()],
            )
        })
        .await?;
    if gone.is_empty() {
        return Ok(0);
    }
    let ids: Vec<i64> = gone.iter().map(|row| row.integer(0)).collect();
    let (removing, removed) = (store.clone(), ids.clone());
    let files = tokio::task::spawn_blocking(move || {
        let mut removed = removed.into_iter();
        removed.try_for_each(|id| remove_files(&removing, id))
    });
    files.await.map_err(|_| StorageError::Stopped)??;
    let count = ids.len();
    let forgotten = store.write(move |tx| {
        ids.iter().try_for_each(|id| {
            let forgotten = tx.execute("DELETE FROM draft WHERE id = ?1", &[(*id).into()]);
            forgotten.map(|_| ())
        })
    });
    forgotten.await?;
    Ok(count)
}

/// The first jobs of a batch, at most `most`.
///
/// # Errors
/// [`StorageError`].
pub fn jobs_of(
    tx: &mut dyn Transaction,
    batch: i64,
    most: usize,
) -> Result<Vec<i64>, StorageError> {
    let rows = tx.query(
        "SELECT id FROM job WHERE batch = ?1 ORDER BY id LIMIT ?2",
        &[batch.into(), most.into()],
    )?;
    Ok(rows.iter().map(|row| row.integer(0)).collect())
}

/// Whether `account` has ever reached `destination` by a fax whose history is kept.
///
/// # Errors
/// [`StorageError`].
pub fn was_reached(
    tx: &mut dyn Transaction,
    account: &str,
    destination: &str,
) -> Result<bool, StorageError> {
    let row = tx.first(
        "SELECT 1 FROM attempt JOIN job ON job.id = attempt.job
         WHERE attempt.destination = ?1 AND attempt.status = 0 AND job.account = ?2 LIMIT 1",
        &[destination.into(), account.into()],
    )?;
    Ok(row.is_some())
}

fn integer(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::scratch;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
    const SESSION: [u8; 32] = [7; 32];

    fn draft(id: i64) -> DraftRow {
        DraftRow {
            id,
            account: "tanaka".into(),
            session: SESSION,
            asked: "{}".into(),
            pages: 1,
            page_bytes: 4,
            batch: None,
            created_at: NOW.plus(Duration::from_secs(id.unsigned_abs())),
        }
    }

    async fn keep_one(store: &Store, id: i64) {
        let packed = documents::pack(&[]).unwrap();
        let kept = keep(store, draft(id), packed, b"tiff".to_vec()).await;
        assert!(kept.unwrap());
    }

    fn found(store: &Store, id: i64, whose: (&str, &[u8; 32]), at: Timestamp) -> bool {
        let found = store.read_here(|tx| find(tx, id, whose, at));
        found.unwrap().is_some()
    }

    #[tokio::test]
    async fn a_draft_is_found_by_its_own_account_and_session_for_an_hour() {
        let (_dir, store) = scratch();
        keep_one(&store, 1).await;
        let made = draft(1).created_at;
        let own = ("tanaka", &SESSION);
        assert!(found(&store, 1, own, made));
        assert!(!found(&store, 1, ("sato", &SESSION), made));
        assert!(!found(&store, 1, ("tanaka", &[8; 32]), made));
        let last = made.plus(LASTS - Duration::from_millis(1));
        assert!(found(&store, 1, own, last));
        assert!(!found(&store, 1, own, made.plus(LASTS)));
        assert_eq!(sweep(&store, last).await.unwrap(), 0);
        assert_eq!(sweep(&store, made.plus(LASTS)).await.unwrap(), 1);
        assert!(files(&store, 1).is_err(), "its files are gone, too");
    }

    #[tokio::test]
    async fn the_sixth_draft_of_an_account_takes_the_place_of_the_first() {
        let (_dir, store) = scratch();
        for id in 1..=6 {
            keep_one(&store, id).await;
        }
        let now = draft(6).created_at;
        let kept = (1..=6).filter(|id| found(&store, *id, ("tanaka", &SESSION), now));
        assert_eq!(kept.collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
        assert!(files(&store, 1).is_err() && files(&store, 2).is_ok());
    }

    #[tokio::test]
    async fn what_was_sent_takes_no_room_and_is_still_known() {
        let (_dir, store) = scratch();
        for id in 1..=7 {
            keep_one(&store, id).await;
            store.write(move |tx| sent(tx, id, 40 + id)).await.unwrap();
        }
        let now = draft(7).created_at;
        let row = store.read_here(|tx| find(tx, 1, ("tanaka", &SESSION), now));
        assert_eq!(row.unwrap().unwrap().batch, Some(41));
    }
}
