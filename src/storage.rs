//! Durable state: one synchronous transaction trait, SQL written once, files for large content.
//!
//! The areas ([`jobs`], [`outbox`], [`received`], [`recipients`], [`resets`], [`accounts`], [`events`], [`audit`]) are functions over a
//! [`Transaction`]; whoever decides calls several of them inside one [`Store::write`], so that a
//! decision and everything that follows from it become durable together or not at all. No transaction
//! can stay open across an await, because bodies are synchronous.

pub mod accounts;
pub mod ages;
pub mod audit;
pub mod blobs;
pub mod documents;
pub mod drafts;
pub mod events;
mod ids;
pub mod jobs;
pub mod lists;
mod migrations;
pub mod outbox;
pub mod people;
pub mod received;
pub mod recipients;
pub mod resets;
pub mod senders;
pub mod sessions;
pub mod settings;
pub mod shadows;
mod sqlite;

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

pub use blobs::Blobs;
pub use ids::Ids;
pub use ids::Numbers;

/// A value bound to a statement or read from a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// Any integer, and every point in time (milliseconds).
    Integer(i64),
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// One row of a result, in the order of the columns asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(Vec<Value>);

impl Row {
    /// The integer in `column`; NULL and a missing column are 0.
    pub fn integer(&self, column: usize) -> i64 {
        match self.0.get(column) {
            Some(Value::Integer(value)) => *value,
            Some(Value::Null | Value::Text(_) | Value::Bytes(_)) | None => 0,
        }
    }

    /// The integer in `column`, unless it is NULL.
    pub fn optional_integer(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Value::Integer(value)) => Some(*value),
            Some(Value::Null | Value::Text(_) | Value::Bytes(_)) | None => None,
        }
    }

    /// The text in `column`; NULL is empty.
    pub fn text(&self, column: usize) -> &str {
        match self.0.get(column) {
            Some(Value::Text(value)) => value,
            Some(Value::Null | Value::Integer(_) | Value::Bytes(_)) | None => "",
        }
    }

    /// The text in `column`, unless it is NULL.
    pub fn optional_text(&self, column: usize) -> Option<String> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Some(value.clone()),
            Some(Value::Null | Value::Integer(_) | Value::Bytes(_)) | None => None,
        }
    }

    /// The bytes in `column`, unless it is NULL.
    pub fn optional_bytes(&self, column: usize) -> Option<Vec<u8>> {
        match self.0.get(column) {
            Some(Value::Bytes(value)) => Some(value.clone()),
            Some(Value::Null | Value::Integer(_) | Value::Text(_)) | None => None,
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $make:expr),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                ($make)(value)
            }
        })*
    };
}

value_from! {
    i64 => Value::Integer,
    u32 => |v: u32| Value::Integer(i64::from(v)),
    bool => |v: bool| Value::Integer(i64::from(v)),
    usize => |v: usize| Value::Integer(i64::try_from(v).unwrap_or(i64::MAX)),
    &str => |v: &str| Value::Text(v.to_owned()),
    &String => |v: &String| Value::Text(v.clone()),
    String => Value::Text,
    Vec<u8> => Value::Bytes,
    &[u8] => |v: &[u8]| Value::Bytes(v.to_vec()),
    crate::time::Timestamp => |v: crate::time::Timestamp| Value::Integer(v.as_ms()),
    crate::status::Status => |v: crate::status::Status| Value::Integer(i64::from(v.0)),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What a transaction body may do. Placeholders are `?1`, `?2`, …
pub trait Transaction {
    /// Runs a statement; returns how many rows it changed.
    ///
    /// # Errors
    /// Whatever the engine says; the body's own changes are then undone.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<usize, StorageError>;

    /// Runs a query, or a statement with `RETURNING`.
    ///
    /// # Errors
    /// Whatever the engine says; the body's own changes are then undone.
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StorageError>;

    /// Runs `say` once the transaction is on stable storage, and never if it is not: for logs and
    /// counters, which must not tell of what did not happen.
    fn after_commit(&mut self, say: Box<dyn FnOnce() + Send>);

    /// The first row of a query.
    ///
    /// # Errors
    /// As for [`Transaction::query`].
    fn first(&mut self, sql: &str, values: &[Value]) -> Result<Option<Row>, StorageError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }
}

/// Storage trouble. Never the customer's fault, always temporary at a door.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The database refused or failed.
    #[error("database: {0}")]
    Database(String),
    /// A file could not be written, synced or read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What is stored is not what was stored: a defect or a damaged disk.
    #[error("damaged content: {0}")]
    Damaged(String),
    /// The same mail is being stored at this moment by somebody else.
    #[error("the same mail is being stored")]
    InProgress,
    /// The store is being closed.
    #[error("storage has stopped")]
    Stopped,
}

/// The open database and the folder of large content; cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<sqlite::Engine>,
    blobs: Arc<Blobs>,
    ids: Arc<Ids>,
}

impl Store {
    /// Opens (and if need be creates or migrates) the state in `data_dir`.
    ///
    /// # Errors
    /// [`StorageError`] when the folder cannot be used, the schema is newer than this program, or the
    /// engine would not keep what it is told to keep.
    pub fn open(data_dir: &Path) -> Result<Self, StorageError> {
        Self::open_as(data_dir, Numbers::Gateway)
    }

    /// Opens the state beside a gateway that serves it: for commands.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_beside(data_dir: &Path) -> Result<Self, StorageError> {
        Self::open_as(data_dir, Numbers::Command)
    }

    fn open_as(data_dir: &Path, numbers: Numbers) -> Result<Self, StorageError> {
        blobs::create_private_dir(data_dir)?;
        Ok(Self {
            engine: Arc::new(sqlite::Engine::open(&data_dir.join("faxgate.sqlite3"))?),
            blobs: Arc::new(Blobs::open(&data_dir.join("blobs"))?),
            ids: Arc::new(Ids::new(numbers)),
        })
    }

    /// Runs `body` in a transaction that is on stable storage when this returns.
    ///
    /// # Errors
    /// The body's error, or the commit's; either way nothing of it was kept.
    pub async fn write<T, F>(&self, body: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Transaction) -> Result<T, StorageError> + Send + 'static,
    {
        let (reply, result) = tokio::sync::oneshot::channel();
        self.engine.submit(body, move |outcome| {
            // A caller that no longer waits has nobody to tell; the work is done all the same.
            let _ = reply.send(outcome);
        })?;
        result.await.map_err(|_| StorageError::Stopped)?
    }

    /// Runs `body` on a reading connection, away from the writer.
    ///
    /// # Errors
    /// The body's error.
    pub async fn read<T, F>(&self, body: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Transaction) -> Result<T, StorageError> + Send + 'static,
    {
        let engine = Arc::clone(&self.engine);
        tokio::task::spawn_blocking(move || engine.read(body))
            .await
            .map_err(|_| StorageError::Stopped)?
    }

    /// Like [`Store::read`], on the caller's thread: for one short look at a row, which costs less than
    /// a change of threads, and for commands.
    ///
    /// # Errors
    /// The body's error.
    pub fn read_here<T>(
        &self,
        body: impl FnOnce(&mut dyn Transaction) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.engine.read(body)
    }

    /// Files of large content.
    pub fn blobs(&self) -> &Arc<Blobs> {
        &self.blobs
    }

    /// New identifiers.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A store in a folder of its own, removed with it.
    pub(crate) fn scratch() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    #[tokio::test]
    async fn a_failed_body_leaves_nothing_and_harms_no_other() {
        let (_dir, store) = scratch();
        let add = |id: i64, fail: bool| {
            store.write(move |tx| {
                tx.execute(
                    "INSERT INTO list_notice(account, list, at) VALUES(?1, 'x', ?2)",
                    &[format!("a{id}").into(), id.into()],
                )?;
                match fail {
                    true => Err(StorageError::Damaged("on purpose".into())),
                    false => Ok(()),
                }
            })
        };
        let (a, b, c) = tokio::join!(add(1, false), add(2, true), add(3, false));
        assert!(a.is_ok() && b.is_err() && c.is_ok());
        let rows = store
            .read(|tx| tx.query("SELECT at FROM list_notice ORDER BY at", &[]))
            .await
            .unwrap();
        let kept: Vec<_> = rows.iter().map(|row| row.integer(0)).collect();
        assert_eq!(kept, [1, 3]);
    }

    #[tokio::test]
    async fn state_survives_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store
            .write(|tx| {
                tx.execute(
                    "INSERT INTO list_notice(account, list, at) VALUES('a', 'b', 7)",
                    &[],
                )
            })
            .await
            .unwrap();
        drop(store);
        let again = Store::open(dir.path()).unwrap();
        let row = again
            .read(|tx| tx.first("SELECT at FROM list_notice", &[]))
            .await
            .unwrap();
        assert_eq!(row.map(|row| row.integer(0)), Some(7));
    }

    #[tokio::test]
    async fn a_reading_connection_cannot_write() {
        let (_dir, store) = scratch();
        let wrote = store
            .read(|tx| tx.execute("DELETE FROM list_notice", &[]))
            .await;
        assert!(wrote.is_err());
    }
}
