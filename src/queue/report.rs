//! A settled batch is told: the mail is written in the transaction that settles it (promise P2).

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

/// Whether a settled batch is told although the account may not want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// `result_mail.when` decides.
    AsTheAccountSays,
    /// A list was stopped by the lock: told whatever `when` says (row C4).
    InAnyCase,
    /// A list was stopped by the lock, and that was told within the hour: only told if there is more.
    ToldLately,
}

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
    /// Writes the result mails of `batch` if all its jobs are settled.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn batch_if_settled(
        &self,
        tx: &mut dyn Transaction,
        batch: i64,
        account: Option<&Account>,
        telling: Telling,
    ) -> Result<(), StorageError> {
        let Some(row) = jobs::batch(tx, batch)? else {
            return Ok(());
        };
        if row.settled < row.jobs {
            // Told with the rest; that the lock must be told is not forgotten.
            return match telling {
                Telling::InAnyCase => jobs::force_report(tx, batch),
                Telling::AsTheAccountSays | Telling::ToldLately => Ok(()),
            };
        }
        if self.is_told(tx, &row, account, telling)? {
            self.write(tx, &row, account)?;
        }
        Ok(())
    }

    fn is_told(
        &self,
        tx: &mut dyn Transaction,
        batch: &BatchRow,
        account: Option<&Account>,
        telling: Telling,
    ) -> Result<bool, StorageError> {
        let tally = jobs::tally(tx, batch.id)?;
        if telling == Telling::InAnyCase || batch.forced_report {
            return Ok(true);
        }
        if telling == Telling::ToldLately && tally.stopped_by_lock == batch.jobs {
            return Ok(false);
        }
        Ok(
            match account
                .map(|account| account.result_mail.when)
                .unwrap_or_default()
            {
                When::Always => true,
                When::Failure => tally.not_sent > 0,
                When::Never => false,
                When::Success => tally.not_sent == 0,
            },
        )
    }

    fn write(
        &self,
        tx: &mut dyn Transaction,
        batch: &BatchRow,
        account: Option<&Account>,
    ) -> Result<(), StorageError> {
        let further = account
            .map(|account| account.result_mail.to.as_slice())
            .unwrap_or_default();
        let mut recipients = vec![batch.reply_to.as_str()];
        recipients.extend(further.iter().map(Address::as_str));
        recipients.retain(|recipient| !recipient.is_empty());
        recipients.dedup();
        for recipient in recipients {
            let (id, jobs) = (batch.id, batch.jobs);
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
