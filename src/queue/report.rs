//! A settled batch is told: the mail is written in the transaction that settles it (promise P2).

mod dsn;

use crate::config::Account;
use crate::config::When;
use crate::smtp::Address;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::jobs;
use crate::storage::jobs::BatchRow;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailRow;
use crate::time::Timestamp;

/// Where mails about batches are written.
pub struct Desk<'a> {
    /// New identifiers.
    pub ids: &'a Ids,
    /// Host name in Message-IDs.
    pub host: &'a str,
    /// The present time.
    pub now: Timestamp,
}

impl Desk<'_> {
    /// Writes the result mails of `batch` if all its jobs are settled and the account wants to know.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn batch_if_settled(
        &self,
        tx: &mut dyn Transaction,
        batch: i64,
        account: Option<&Account>,
    ) -> Result<(), StorageError> {
        let settled = jobs::batch(tx, batch)?.filter(|row| row.settled >= row.jobs);
        let Some(row) = settled else {
            return Ok(());
        };
        let when = account.map(|account| account.result_mail.when);
        let (told, not_sent) = jobs::told_by_result(tx, batch)?;
        let wanted = match when.unwrap_or_default() {
            _ if told == 0 => false,
            When::Always => true,
            When::Failure => not_sent > 0,
            When::Never => false,
            When::Success => not_sent == 0,
        };
        match wanted {
            true => self.write(tx, &row, told, account),
            false => Ok(()),
        }
    }

    /// Writes the mails about a batch that the lock stopped, whatever the account wants, unless all its
    /// lists were told of within the hour (row C4).
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn stopped<'l>(
        &self,
        tx: &mut dyn Transaction,
        batch: i64,
        account: &Account,
        lists: impl Iterator<Item = &'l str>,
    ) -> Result<(), StorageError> {
        let mut must_tell = false;
        for list in lists {
            must_tell |= jobs::may_tell_of_list(tx, &account.id, list, self.now)?;
        }
        match jobs::batch(tx, batch)?.filter(|_| must_tell) {
            Some(row) => self.write(tx, &row, row.jobs, Some(account)),
            None => Ok(()),
        }
    }

    fn write(
        &self,
        tx: &mut dyn Transaction,
        batch: &BatchRow,
        jobs: i64,
        account: Option<&Account>,
    ) -> Result<(), StorageError> {
        let further = account.map(|account| account.result_mail.to.as_slice());
        let further = further.unwrap_or_default().iter().map(Address::as_str);
        let mut recipients = vec![batch.reply_to.as_str()];
        for recipient in further {
            if !recipients.contains(&recipient) {
                recipients.push(recipient);
            }
        }
        for recipient in recipients {
            let id = batch.id;
            outbox::add(
                tx,
                &MailRow {
                    id: self.ids.next(self.now),
                    kind: Kind::Result,
                    dedup: format!("result:{id}:{jobs}:{recipient}"),
                    account: batch.account.clone(),
                    subject_id: id,
                    recipient: recipient.to_owned(),
                    payload: "{}".to_owned(),
                    message_id: format!("<result.{id}.{jobs}@{}>", self.host),
                    gated: false,
                    attempts: 0,
                    created_at: self.now,
                },
            )?;
        }
        Ok(())
    }
}
