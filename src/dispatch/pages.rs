//! The pages of a batch: rendered once, kept, stamped for each recipient.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::dispatch::Dispatcher;
use crate::dispatch::Stop;
use crate::fax::FaxFile;
use crate::fax::PageOptions;
use crate::fax::Resolution;
use crate::record::Log;
use crate::record::Subject;
use crate::render;
use crate::render::HeaderLine;
use crate::storage::StorageError;
use crate::storage::documents;
use crate::storage::jobs;
use crate::storage::jobs::BatchRow;
use crate::storage::jobs::Claim;
use crate::time::Timestamp;

/// Batches whose pages are held in memory at most.
const MOST_BATCHES: usize = 32;

type Slot = Arc<Mutex<Option<Ready>>>;
/// Pages, or why there are none.
pub(super) type Ready = Result<Arc<FaxFile>, String>;

/// Pages of the batches that are being sent: one rendering each, however many calls at a time.
#[derive(Default)]
pub struct PageCache(std::sync::Mutex<HashMap<i64, Slot>>);

impl PageCache {
    fn slot(&self, batch: i64) -> Slot {
        let Ok(mut slots) = self.0.lock() else {
            return Slot::default();
        };
        if slots.len() >= MOST_BATCHES {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(batch).or_default())
    }
}

impl Dispatcher {
    /// The pages of a batch without header lines, or why its documents cannot become pages.
    pub(super) async fn pages(&self, batch: &BatchRow) -> Result<Ready, Stop> {
        let slot = self.cache.slot(batch.id);
        let mut slot = slot.lock().await;
        Ok(match slot.clone() {
            Some(ready) => ready,
            None => slot.insert(self.ready(batch).await?).clone(),
        })
    }

    async fn ready(&self, batch: &BatchRow) -> Result<Ready, Stop> {
        if let Some(reason) = &batch.render_error {
            return Ok(Err(reason.clone()));
        }
        if batch.expired {
            return Ok(Err("the documents are no longer kept".to_owned()));
        }
        let blobs = Arc::clone(self.store.blobs());
        if let Some(pages) = batch.pages {
            let file = jobs::pages_file(batch.id);
            let tiff = off_loop(move || blobs.get(&file)).await?;
            return Ok(Ok(Arc::new(FaxFile { tiff, pages })));
        }
        let packed = match &batch.documents {
            Some(packed) => packed.clone(),
            None => {
                let file = jobs::documents_file(batch.id);
                off_loop(move || blobs.get(&file)).await?
            }
        };
        let documents = documents::unpack(&packed)?;
        let rendered = self.renderer.pages(&documents, &options(batch)?).await;
        match rendered {
            Ok(fax) => self.keep(batch, fax).await.map(Ok),
            Err(error) if error.is_temporary() => Err(Stop::Trouble(error.to_string())),
            Err(error) => self.keep_failure(batch, error.to_string()).await.map(Err),
        }
    }

    async fn keep(&self, batch: &BatchRow, fax: FaxFile) -> Result<Arc<FaxFile>, Stop> {
        let (fax, blobs) = (Arc::new(fax), Arc::clone(self.store.blobs()));
        let (file, pages) = (jobs::pages_file(batch.id), Arc::clone(&fax));
        off_loop(move || blobs.put(&file, &pages.tiff)).await?;
        let (store, now) = (self.store.clone(), self.clock.now());
        let (id, account, count) = (batch.id, batch.account.clone(), fax.pages);
        let written = self.store.write(move |tx| {
            jobs::set_pages(tx, id, count)?;
            Log::new(tx, store.ids(), now).rendered(Subject::batch(&account, id), count)
        });
        written.await?;
        Ok(fax)
    }

    async fn keep_failure(&self, batch: &BatchRow, reason: String) -> Result<String, Stop> {
        let (store, now) = (self.store.clone(), self.clock.now());
        let (id, account, text) = (batch.id, batch.account.clone(), reason.clone());
        let written = self.store.write(move |tx| {
            jobs::set_render_error(tx, id, &text)?;
            Log::new(tx, store.ids(), now).not_rendered(Subject::batch(&account, id), &text)
        });
        written.await?;
        Ok(reason)
    }

    /// The pages of one job with the header line of the time `at`.
    pub(super) async fn stamped(
        &self,
        claim: &Claim,
        batch: &BatchRow,
        plain: Arc<FaxFile>,
        at: Timestamp,
    ) -> Result<FaxFile, Stop> {
        let directory = self.accounts.load();
        let account = directory.by_id(&claim.account).map(Arc::as_ref);
        let whose = (claim.account.as_str(), account);
        let line = HeaderLine::of(
            &options(batch)?,
            &self.config,
            whose,
            &claim.destination,
            at,
        );
        let coarse = claim.course.coarse;
        if line.is_none() && !coarse {
            return Ok(FaxFile::clone(&plain));
        }
        let made = tokio::task::spawn_blocking(move || {
            let plain = match coarse {
                true => Arc::new(render::halved(&plain)?),
                false => plain,
            };
            match line {
                Some(line) => render::stamp(&plain, &line),
                None => Ok(FaxFile::clone(&plain)),
            }
        });
        let made = made.await.map_err(|e| Stop::Trouble(e.to_string()))?;
        made.map_err(|e| Stop::Trouble(e.to_string()))
    }
}

/// Whether the pages of a batch have lines to spare.
pub(super) fn are_fine(batch: &BatchRow) -> bool {
    options(batch).is_ok_and(|options| options.resolution == Resolution::Fine)
}

fn options(batch: &BatchRow) -> Result<PageOptions, StorageError> {
    let options = serde_json::from_str(&batch.page_options);
    options.map_err(|e| StorageError::Damaged(format!("page options: {e}")))
}

async fn off_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| StorageError::Stopped)?
}
