//! Jobs that a person does not want any more.

use std::sync::Arc;

use crate::config::Account;
use crate::queue::report::Desk;
use crate::record::Log;
use crate::record::Subject;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;
use crate::storage::jobs;
use crate::storage::jobs::JobRow;
use crate::time::Timestamp;

/// Jobs cancelled in one transaction.
const JOBS_AT_ONCE: usize = 500;

/// What cancelling needs to know beside what is cancelled.
#[derive(Clone)]
pub struct Canceller {
    /// Durable state.
    pub store: Store,
    /// The account of the job, if it is still there: it says who is told of results.
    pub account: Option<Arc<Account>>,
    /// Host name in Message-IDs.
    pub host: String,
    /// The present time.
    pub now: Timestamp,
}

impl Canceller {
    /// Cancels `job`: at once if it waits, instead of its next call if it is being dialled. `false`: it is settled.
    ///
    /// # Errors
    /// [`StorageError`]; then nothing was changed.
    pub async fn job(self, job: JobRow) -> Result<bool, StorageError> {
        let store = self.store.clone();
        store.write(move |tx| self.one(tx, &job)).await
    }

    /// Cancels all jobs of `batch` that are not settled; how many there were.
    ///
    /// # Errors
    /// [`StorageError`]; some may be cancelled then.
    pub async fn batch(self, batch: i64) -> Result<usize, StorageError> {
        let (mut cancelled, mut after) = (0, 0);
        loop {
            let this = self.clone();
            let written = self.store.write(move |tx| this.some(tx, batch, after));
            let (count, last) = written.await?;
            cancelled += count;
            match last {
                Some(last) => after = last,
                None => return Ok(cancelled),
            }
        }
    }

    /// Cancels some jobs after `after`; how many, and the last that was looked at if there may be more.
    fn some(
        &self,
        tx: &mut dyn Transaction,
        batch: i64,
        after: i64,
    ) -> Result<(usize, Option<i64>), StorageError> {
        let open = jobs::open_jobs(tx, batch, after, JOBS_AT_ONCE)?;
        let mut cancelled = 0;
        for id in &open {
            if let Some(job) = jobs::job(tx, *id)? {
                cancelled += usize::from(self.one(tx, &job)?);
            }
        }
        let last = open.last().filter(|_| open.len() == JOBS_AT_ONCE).copied();
        Ok((cancelled, last))
    }

    fn one(&self, tx: &mut dyn Transaction, job: &JobRow) -> Result<bool, StorageError> {
        let Some(last) = jobs::cancel(tx, job.id, self.now)? else {
            return Ok(false);
        };
        let about = Subject::job(&job.account, job.batch, job.id);
        Log::new(tx, self.store.ids(), self.now).cancelled(about)?;
        let desk = Desk {
            ids: self.store.ids(),
            host: &self.host,
            now: self.now,
        };
        desk.recipient_if_settled(tx, job.id)?;
        if last {
            desk.batch_if_settled(tx, job.batch, self.account.as_deref())?;
        }
        Ok(true)
    }
}
