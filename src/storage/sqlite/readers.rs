//! Connections that read: a bounded number of them, opened when first needed, used again.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;

use super::database;
use crate::storage::StorageError;

/// Connections at a time: each has a cache of 2 MB and some open files. Further readers wait their turn.
const MOST: usize = 16;

/// The pool.
pub(super) struct Readers {
    path: PathBuf,
    pool: Mutex<Pool>,
    freed: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    /// Connections that somebody reads with.
    taken: usize,
}

/// A connection of the pool; dropping it gives it back, also when its reader panicked.
pub(super) struct Reader<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Readers {
    /// A pool for the database at `path`; nothing is opened yet.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            pool: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// A connection, as soon as one is free. Whoever has one must not ask for another.
    pub(super) fn take(&self) -> Result<Reader<'_>, StorageError> {
        let mut pool = self.pool();
        while pool.taken >= MOST {
            pool = self
                .freed
                .wait(pool)
                .unwrap_or_else(PoisonError::into_inner);
        }
        pool.taken += 1;
        let idle = pool.idle.pop();
        drop(pool);
        let mut reader = Reader {
            readers: self,
            connection: idle,
        };
        if reader.connection.is_none() {
            reader.connection = Some(open(&self.path)?);
        }
        Ok(reader)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader<'_> {
    /// The connection.
    pub(super) fn connection(&self) -> Result<&Connection, StorageError> {
        self.connection.as_ref().ok_or(StorageError::Stopped)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool();
        pool.taken = pool.taken.saturating_sub(1);
        pool.idle.extend(self.connection.take());
        drop(pool);
        self.readers.freed.notify_one();
    }
}

fn open(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(database)?;
    connection
        .busy_timeout(Duration::from_secs(10))
        .map_err(database)?;
    connection
        .execute_batch("PRAGMA query_only=ON")
        .map_err(database)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_beyond_the_bound_wait_and_all_get_their_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        Connection::open(&path).unwrap();
        let readers = Readers::new(&path);
        let mut held: Vec<_> = (0..MOST).map(|_| readers.take().unwrap()).collect();
        std::thread::scope(|scope| {
            let more = scope.spawn(|| readers.take().map(drop).is_ok());
            assert_eq!(readers.pool().taken, MOST, "none beyond the bound");
            held.pop();
            assert!(more.join().unwrap());
        });
        held.clear();
        let pool = readers.pool();
        assert_eq!((pool.taken, pool.idle.len()), (0, MOST));
    }

    #[test]
    fn a_reader_that_panicked_leaves_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        Connection::open(&path).unwrap();
        let readers = Readers::new(&path);
        let broken = std::thread::scope(|scope| {
            let broken = scope.spawn(|| {
                let _reader = readers.take().unwrap();
                panic!("on purpose");
            });
            broken.join().is_err()
        });
        assert!(broken);
        assert_eq!(readers.pool().taken, 0);
    }
}
