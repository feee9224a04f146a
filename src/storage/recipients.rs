//! Recipients for which a client said what to report (RFC 3461, NOTIFY). Others have no row: what their
//! account wants holds.

use crate::smtp::Notify;
use crate::storage::Row;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// A recipient and what the client asked about it. A list is one recipient with a job for each member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientRow {
    /// Identifier.
    pub id: i64,
    /// The batch that has its jobs.
    pub batch: i64,
    /// Its address as the client wrote it.
    pub address: String,
    /// What is reported.
    pub notify: Notify,
    /// ORCPT as reports write it, such as `rfc822; sales@customer.example`.
    pub original: Option<String>,
    /// ENVID, printable ASCII.
    pub envelope_id: Option<String>,
    /// Whether the pages go back with a failure (RET=FULL).
    pub return_pages: bool,
    /// Who gets the reports.
    pub report_to: String,
    /// The author in From.
    pub author: String,
    /// The Date of the mail.
    pub sent_at: Option<Timestamp>,
}

const COLUMNS: &str = "recipient.id, recipient.batch, recipient.address, recipient.notify, recipient.original,
    recipient.envelope_id, recipient.return_pages, recipient.report_to, recipient.author, recipient.sent_at
    FROM recipient";

/// Stores a recipient as one of `batch`.
///
/// # Errors
/// [`StorageError`].
pub fn insert(
    tx: &mut dyn Transaction,
    batch: i64,
    recipient: &RecipientRow,
) -> Result<(), StorageError> {
    tx.execute(
        "INSERT INTO recipient(id, batch, address, notify, original, envelope_id, return_pages, report_to, author,
             sent_at)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        &[
            recipient.id.into(),
            batch.into(),
            (&recipient.address).into(),
            recipient.notify.number().into(),
            recipient.original.clone().into(),
            recipient.envelope_id.clone().into(),
            recipient.return_pages.into(),
            (&recipient.report_to).into(),
            (&recipient.author).into(),
            recipient.sent_at.into(),
        ],
    )?;
    Ok(())
}

/// Removes the recipient `id` if no job goes to it: the same mail came again, or the same number was asked
/// for twice. Others of its batch stay, because somebody may be writing their jobs at this moment.
///
/// # Errors
/// [`StorageError`].
pub fn forget_unused(tx: &mut dyn Transaction, id: i64) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM recipient WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM job WHERE recipient = ?1)",
        &[id.into()],
    )?;
    Ok(())
}

/// The recipient `id`.
///
/// # Errors
/// [`StorageError`].
pub fn one(tx: &mut dyn Transaction, id: i64) -> Result<Option<RecipientRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} WHERE id = ?1");
    let row = tx.first(&sql, &[id.into()])?;
    Ok(row.map(|row| recipient_row(&row)))
}

/// The recipient that a job goes to; `None` if nothing was asked about it.
///
/// # Errors
/// [`StorageError`].
pub fn of_job(tx: &mut dyn Transaction, job: i64) -> Result<Option<RecipientRow>, StorageError> {
    let sql = format!("SELECT {COLUMNS} WHERE id = (SELECT recipient FROM job WHERE job.id = ?1)");
    let row = tx.first(&sql, &[job.into()])?;
    Ok(row.map(|row| recipient_row(&row)))
}

/// How many jobs of a recipient were sent and how many were not; `None` while one of them is open.
///
/// # Errors
/// [`StorageError`].
pub fn outcome(
    tx: &mut dyn Transaction,
    recipient: i64,
) -> Result<Option<(i64, i64)>, StorageError> {
    let open = tx.first(
        "SELECT 1 FROM job WHERE recipient = ?1 AND settled_at IS NULL LIMIT 1",
        &[recipient.into()],
    )?;
    if open.is_some() {
        return Ok(None);
    }
    let row = tx.first(
        "SELECT COALESCE(SUM(CASE WHEN status = 0 THEN 1 ELSE 0 END), 0), COUNT(*) FROM job WHERE recipient = ?1",
        &[recipient.into()],
    )?;
    Ok(row.map(|row| (row.integer(0), row.integer(1) - row.integer(0))))
}

fn recipient_row(row: &Row) -> RecipientRow {
    RecipientRow {
        id: row.integer(0),
        batch: row.integer(1),
        address: row.text(2).to_owned(),
        notify: Notify::from_number(row.integer(3)),
        original: row.optional_text(4),
        envelope_id: row.optional_text(5),
        return_pages: row.integer(6) != 0,
        report_to: row.text(7).to_owned(),
        author: row.text(8).to_owned(),
        sent_at: row.optional_integer(9).map(Timestamp::from_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Value;
    use crate::storage::tests::scratch;

    fn recipient(id: i64) -> RecipientRow {
        RecipientRow {
            id,
            batch: 1,
            address: "0312345678@fax.example".into(),
            notify: Notify::SUCCESS | Notify::DELAY,
            original: Some("rfc822; a@b".into()),
            envelope_id: Some("QQ".into()),
            return_pages: true,
            report_to: "a@customer.example".into(),
            author: "b@customer.example".into(),
            sent_at: Some(Timestamp::from_ms(7)),
        }
    }

    /// A batch with recipient 2, which has job 3 and job 4, and recipient 5, which has none.
    fn prepare(tx: &mut dyn Transaction) -> Result<(), StorageError> {
        tx.execute(
            "INSERT INTO batch(id, account, identity, door, proof, tier, verification, reference, message_id,
                 reply_to, page_options, stopped, published, jobs, settled, created_at)
             VALUES(1, 'a', x'00', '', '', '', '', '', '', '', '', 0, 1, 2, 0, 0)",
            &[],
        )?;
        insert(tx, 1, &recipient(2))?;
        insert(tx, 1, &recipient(5))?;
        for (job, status, settled) in [(3, 0, Value::Integer(9)), (4, 6017, Value::Null)] {
            tx.execute(
                "INSERT INTO job(id, batch, account, class, destination, contact, state, status, attempts, next_at,
                     fence, created_at, settled_at, recipient)
                 VALUES(?1, 1, 'a', 0, CAST(?1 AS TEXT), '', 10, ?2, 1, 0, 0, 0, ?3, 2)",
                &[i64::from(job).into(), i64::from(status).into(), settled],
            )?;
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_recipient_comes_back_as_it_was_stored_and_is_found_by_its_job() {
        let (_dir, store) = scratch();
        let found = store.write(|tx| {
            prepare(tx)?;
            insert(tx, 1, &recipient(6))?;
            forget_unused(tx, 2)?;
            forget_unused(tx, 5)?;
            Ok((of_job(tx, 4)?, of_job(tx, 99)?, [one(tx, 5)?, one(tx, 6)?]))
        });
        let (of_job, of_none, others) = found.await.unwrap();
        assert_eq!(of_job, Some(recipient(2)));
        assert_eq!(of_none, None);
        let left = [None, Some(recipient(6))];
        assert_eq!(others, left, "the jobs of 6 are yet to be written");
    }

    #[tokio::test]
    async fn the_outcome_is_known_once_no_job_is_open() {
        let (_dir, store) = scratch();
        let seen = store.write(|tx| {
            prepare(tx)?;
            let before = outcome(tx, 2)?;
            tx.execute("UPDATE job SET settled_at = 9 WHERE id = 4", &[])?;
            Ok((before, outcome(tx, 2)?))
        });
        assert_eq!(seen.await.unwrap(), (None, Some((1, 1))));
    }

    /// A list has thousands of members, and each that is settled asks whether it was the last.
    #[tokio::test]
    async fn whether_a_job_is_open_is_asked_of_an_index() {
        let (_dir, store) = scratch();
        let plan = store.read(|tx| {
            let sql = "EXPLAIN QUERY PLAN SELECT 1 FROM job WHERE recipient = ?1 AND settled_at IS NULL LIMIT 1";
            tx.query(sql, &[2_i64.into()])
        });
        let plan = plan.await.unwrap();
        let text = plan[0].text(3);
        assert!(
            text.contains("job_reported (recipient=? AND settled_at=?)"),
            "{text}"
        );
    }
}
