//! Numbered schema changes, each applied once, in order, in one exclusive transaction.

use rusqlite::Connection;
use rusqlite::TransactionBehavior;

use crate::storage::StorageError;

/// Every change so far. An applied one is never edited: its checksum is kept.
const ALL: &[(i64, &str)] = &[
    (1, include_str!("migrations/0001-main.sql")),
    (2, include_str!("migrations/0002-web.sql")),
    (3, include_str!("migrations/0003-passwords.sql")),
    (4, include_str!("migrations/0004-password-age.sql")),
    (5, include_str!("migrations/0005-reset.sql")),
    (6, include_str!("migrations/0006-people.sql")),
    (7, include_str!("migrations/0007-audit.sql")),
    (8, include_str!("migrations/0008-faxes.sql")),
    (9, include_str!("migrations/0009-settings.sql")),
    (10, include_str!("migrations/0010-compose.sql")),
    (11, include_str!("migrations/0011-lines.sql")),
    (12, include_str!("migrations/0012-partial.sql")),
];

/// Brings the schema up to date.
///
/// # Errors
/// [`StorageError::Database`] if the schema is newer than this program, was applied from another text,
/// or a change fails; then nothing was changed.
pub(crate) fn run(connection: &mut Connection) -> Result<(), StorageError> {
    let failed = |error: rusqlite::Error| StorageError::Database(format!("migration: {error}"));
    if is_current(connection) {
        return Ok(());
    }
    let tx = connection
        .transaction_with_behavior(TransactionBehavior::Exclusive)
        .map_err(failed)?;
    tx.execute_batch("CREATE TABLE IF NOT EXISTS schema_migration(number BIGINT PRIMARY KEY, checksum TEXT NOT NULL)")
        .map_err(failed)?;
    let newest: i64 = tx
        .query_row(
            "SELECT COALESCE(MAX(number), 0) FROM schema_migration",
            [],
            |row| row.get(0),
        )
        .map_err(failed)?;
    if ALL.iter().all(|(number, _)| *number < newest) {
        return Err(StorageError::Database(format!(
            "the schema has version {newest}; this program is older"
        )));
    }
    for (number, sql) in ALL {
        let checksum = checksum_of(sql);
        if *number > newest {
            tx.execute_batch(sql).map_err(failed)?;
            tx.execute(
                "INSERT INTO schema_migration VALUES(?1, ?2)",
                (number, &checksum),
            )
            .map_err(failed)?;
            continue;
        }
        let applied: String = tx
            .query_row(
                "SELECT checksum FROM schema_migration WHERE number = ?1",
                [number],
                |row| row.get(0),
            )
            .map_err(failed)?;
        if applied != checksum {
            return Err(StorageError::Database(format!(
                "migration {number} was applied from another text"
            )));
        }
    }
    tx.commit().map_err(failed)
}

/// Whether nothing is to be done: a command must not wait for the writer of a busy gateway.
fn is_current(connection: &Connection) -> bool {
    let applied = |number: &i64| -> rusqlite::Result<String> {
        let sql = "SELECT checksum FROM schema_migration
             WHERE number = ?1 AND number = (SELECT MAX(number) FROM schema_migration)";
        connection.query_row(sql, [number], |row| row.get(0))
    };
    ALL.last().is_some_and(|(number, sql)| {
        applied(number).is_ok_and(|checksum| checksum == checksum_of(sql))
    })
}

fn checksum_of(sql: &str) -> String {
    blake3::hash(sql.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_newer_than_the_program_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&mut connection).unwrap();
        run(&mut connection).unwrap();
        connection
            .execute("INSERT INTO schema_migration VALUES(99, '')", [])
            .unwrap();
        assert!(
            run(&mut connection)
                .unwrap_err()
                .to_string()
                .contains("older")
        );
    }
}
