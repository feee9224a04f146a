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

    #[test]
    fn jobs_of_the_version_before_real_lines_stay_what_they_are() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE schema_migration(number BIGINT PRIMARY KEY, checksum TEXT NOT NULL)",
            )
            .unwrap();
        for (number, sql) in ALL.iter().filter(|(number, _)| *number <= 10) {
            connection.execute_batch(sql).unwrap();
            connection
                .execute(
                    "INSERT INTO schema_migration VALUES(?1, ?2)",
                    (number, checksum_of(sql)),
                )
                .unwrap();
        }
        connection
            .execute_batch(
                "INSERT INTO batch(id, account, identity, door, proof, tier, verification, reference, message_id,
                     reply_to, page_options, stopped, published, jobs, settled, created_at)
                 VALUES(1, 'a', X'00', '', '', '', '', '', '', '', '{}', 0, 1, 2, 1, 0);
                 INSERT INTO job(id, batch, account, class, destination, contact, state, status, attempts, next_at,
                     fence, pages_sent, created_at)
                 VALUES(2, 1, 'a', 0, '0081312345678', '', 5, 6017, 1, 0, 1, 0, 0),
                     (3, 1, 'a', 0, '0081312345679', '', 10, 0, 1, 0, 1, 4, 0);
                 INSERT INTO attempt(job, n, fence, destination, started_at, ended_at, status)
                 VALUES(2, 1, 1, '0081312345678', 0, 1, 6017);",
            )
            .unwrap();
        run(&mut connection).unwrap();
        let all = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        assert_eq!(
            all(
                "SELECT id || ' ' || status || ' ' || pages_sent || ' [' || sub_address || '] ' || step_down FROM job ORDER BY id"
            ),
            ["2 -3 0 [] 0", "3 0 4 [] 0"]
        );
        assert_eq!(
            all("SELECT status || ' ' || first_page || ' ' || rate || ' ' || line FROM attempt"),
            ["6017 0 0 "]
        );
        let twice = "INSERT INTO job(id, batch, account, class, destination, contact, state, status, attempts,
                next_at, fence, created_at, sub_address)
            VALUES(4, 1, 'a', 0, '0081312345678', '', 1, -1, 0, 0, 0, 0, ";
        assert!(connection.execute(&format!("{twice}'')"), []).is_err());
        assert!(connection.execute(&format!("{twice}'12')"), []).is_ok());
    }
}
