//! The pages of a batch: rendered once, kept, stamped for each recipient.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::dispatch::Dispatcher;
use crate::dispatch::Stop;
use crate::fax::FaxFile;
use crate::fax::PageOptions;
use crate::record::Log;
use crate::record::Subject;
use crate::render;
use crate::storage::StorageError;
use crate::storage::documents;
use crate::storage::jobs;
use crate::storage::jobs::BatchRow;
use crate::storage::jobs::Claim;

/// Batches whose pages are held in memory at most.
const MOST_BATCHES: usize = 32;

type Slot = Arc<Mutex<Option<Ready>>>;
/// Pages, or why there are none.
type Ready = Result<Arc<FaxFile>, String>;

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
    /// The pages for one job with its header line, or why the documents cannot become pages.
    pub(super) async fn pages(
        &self,
        claim: &Claim,
        batch: &BatchRow,
    ) -> Result<Result<FaxFile, String>, Stop> {
        let slot = self.cache.slot(batch.id);
        let ready = {
            let mut slot = slot.lock().await;
            match slot.clone() {
                Some(ready) => ready,
                None => slot.insert(self.ready(batch).await?).clone(),
            }
        };
        match ready {
            Ok(plain) => self.stamped(claim, batch, plain).await.map(Ok),
            Err(reason) => Ok(Err(reason)),
        }
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

    async fn stamped(
        &self,
        claim: &Claim,
        batch: &BatchRow,
        plain: Arc<FaxFile>,
    ) -> Result<FaxFile, Stop> {
        let options = options(batch)?;
        if options.no_header {
            return Ok(FaxFile::clone(&plain));
        }
        let directory = self.accounts.load();
        let account = directory.by_id(&claim.account);
        let from = account.and_then(|account| account.station_id.as_ref());
        let zone = account.and_then(|account| account.time_zone.as_ref());
        let zone = zone.unwrap_or(&self.config.gateway.time_zone);
        let line = render::HeaderLine {
            template: options
                .header
                .unwrap_or_else(|| self.config.render.header.clone()),
            date: self.clock.now().local_minute(zone),
            from: from.map_or_else(|| claim.account.clone(), ToString::to_string),
            to: claim.destination.canonical(),
        };
        let stamped = tokio::task::spawn_blocking(move || render::stamp(&plain, &line)).await;
        let stamped = stamped.map_err(|e| Stop::Trouble(e.to_string()))?;
        stamped.map_err(|e| Stop::Trouble(e.to_string()))
    }
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
