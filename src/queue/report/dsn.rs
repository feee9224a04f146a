//! Reports that a client asked for (RFC 3461): one for a recipient once it is settled, and one when it
//! takes longer. A list is one recipient.

use serde_json::json;

use super::Desk;
use crate::smtp::Notify;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::jobs;
use crate::storage::jobs::Settlement;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailRow;
use crate::storage::recipients;
use crate::storage::recipients::RecipientRow;
use crate::time::Timestamp;

impl Desk<'_> {
    /// Writes the report on the recipient of `job`, which is settled, if it was the last open one.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn recipient_if_settled(
        &self,
        tx: &mut dyn Transaction,
        job: i64,
    ) -> Result<(), StorageError> {
        match recipients::of_job(tx, job)? {
            Some(recipient) => self.report_if_settled(tx, &recipient),
            None => Ok(()),
        }
    }

    /// Writes the report on the recipient `id` if it is settled. All its jobs must have been written: of
    /// those that come later nothing would be told.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn if_settled(&self, tx: &mut dyn Transaction, id: i64) -> Result<(), StorageError> {
        match recipients::one(tx, id)? {
            Some(recipient) => self.report_if_settled(tx, &recipient),
            None => Ok(()),
        }
    }

    /// Writes that a recipient has to wait, whose `job` failed for now: once, whatever comes of further
    /// calls. `until`: when the last of them can be.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn delayed(
        &self,
        tx: &mut dyn Transaction,
        job: i64,
        settlement: &Settlement,
        until: Timestamp,
    ) -> Result<(), StorageError> {
        let recipient = recipients::of_job(tx, job)?;
        let wanted = recipient.filter(|recipient| recipient.notify.wants(Notify::DELAY));
        // It may have been cancelled during the call; then it does not wait.
        let waits = |row: &jobs::JobRow| !row.state.is_final();
        let (Some(recipient), Some(job)) = (wanted, jobs::job(tx, job)?.filter(waits)) else {
            return Ok(());
        };
        let (last, status) = (self.now.as_ms(), settlement.status.0);
        let delay =
            json!({ "job": job.id, "status": status, "last": last, "until": until.as_ms() });
        self.write_report(tx, &recipient, "delay", &delay)
    }

    fn report_if_settled(
        &self,
        tx: &mut dyn Transaction,
        recipient: &RecipientRow,
    ) -> Result<(), StorageError> {
        let Some((sent, not_sent)) = recipients::outcome(tx, recipient.id)? else {
            return Ok(());
        };
        let notify = recipient.notify;
        let success = sent > 0 && notify.wants(Notify::SUCCESS);
        let failure = not_sent > 0 && notify.wants(Notify::FAILURE);
        match success || failure {
            true => self.write_report(tx, recipient, "report", &serde_json::Value::Null),
            false => Ok(()),
        }
    }

    fn write_report(
        &self,
        tx: &mut dyn Transaction,
        recipient: &RecipientRow,
        what: &str,
        delay: &serde_json::Value,
    ) -> Result<(), StorageError> {
        let Some(batch) = jobs::batch(tx, recipient.batch)? else {
            return Ok(());
        };
        let id = recipient.id;
        outbox::add(
            tx,
            &MailRow {
                id: self.ids.next(self.now),
                kind: Kind::Report,
                dedup: format!("{what}:{id}"),
                account: batch.account,
                subject_id: batch.id,
                recipient: recipient.report_to.clone(),
                payload: json!({ "recipient": id, "delay": delay }).to_string(),
                message_id: format!("<{what}.{id}@{}>", self.host),
                gated: false,
                attempts: 0,
                created_at: self.now,
            },
        )
    }
}
