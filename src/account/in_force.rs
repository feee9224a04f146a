//! The accounts in force of a running gateway: the files and what was changed in the web, put together anew
//! whenever one of the two changes.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::account::credential;
use crate::account::directory::Directory;
use crate::account::overlay::Overlay;
use crate::config::Accounts;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;

/// Keeps the directory true to the files and to storage.
pub struct InForce {
    store: Store,
    directory: Arc<ArcSwap<Directory>>,
    /// How often somebody asked for the changes to be seen.
    asked: AtomicU64,
    last: Mutex<Last>,
}

/// What the directory was made of last.
struct Last {
    overlay: Arc<Overlay>,
    /// All who had asked by then were served.
    served: u64,
}

impl InForce {
    /// The accounts of the files, and what storage has beside them.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn start(accounts: &Accounts, store: Store) -> Result<Arc<Self>, StorageError> {
        let overlay = store.read_here(|tx| Overlay::read(tx, &Overlay::default()))?;
        let directory = Directory::over(accounts, &overlay);
        Ok(Arc::new(Self {
            store,
            directory: Arc::new(ArcSwap::from_pointee(directory)),
            asked: AtomicU64::new(0),
            last: Mutex::new(Last {
                overlay: Arc::new(overlay),
                served: 0,
            }),
        }))
    }

    /// What all doors look into.
    pub fn directory(&self) -> &Arc<ArcSwap<Directory>> {
        &self.directory
    }

    /// Runs `body`, which changes something of accounts, in a transaction; when this returns, every door sees it.
    /// Goes on when nobody waits for it any more: a browser that hangs up leaves nothing half done.
    ///
    /// # Errors
    /// [`StorageError`]; nothing was changed then.
    pub async fn change<T, F>(self: &Arc<Self>, body: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Transaction) -> Result<T, StorageError> + Send + 'static,
    {
        let own = Arc::clone(self);
        let work = tokio::spawn(async move {
            let done = own.store.write(body).await?;
            if let Err(error) = own.refresh().await {
                tracing::error!(%error, "a change of an account is stored but not yet in force");
            }
            Ok(done)
        });
        work.await.map_err(|_| StorageError::Stopped)?
    }

    /// Puts the changes that storage has by now in force. Many who ask at once are served together.
    ///
    /// # Errors
    /// [`StorageError`]; what was in force still is.
    pub async fn refresh(&self) -> Result<(), StorageError> {
        let own = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut last = self.last.lock().await;
        if last.served >= own {
            return Ok(());
        }
        let serves = self.asked.load(Ordering::SeqCst);
        let written = self.directory.load().written().clone();
        self.build(written, &mut last).await?;
        last.served = serves;
        Ok(())
    }

    /// Puts `written`, read from the files, in force with what storage has beside it.
    ///
    /// # Errors
    /// [`StorageError`]; what was in force still is.
    pub async fn replace(&self, written: Accounts) -> Result<(), StorageError> {
        let mut last = self.last.lock().await;
        let accounts = written.accounts.clone();
        let ended = self
            .store
            .write(move |tx| credential::end_replaced(tx, &accounts));
        ended.await?;
        self.build(written, &mut last).await
    }

    async fn build(&self, written: Accounts, last: &mut Last) -> Result<(), StorageError> {
        let before = Arc::clone(&last.overlay);
        let read = self.store.read(move |tx| Overlay::read(tx, &before));
        let overlay = Arc::new(read.await?);
        last.overlay = Arc::clone(&overlay);
        // 100,000 accounts take some 100 ms: no work for a thread that serves sessions.
        let build = tokio::task::spawn_blocking(move || Directory::over(&written, &overlay));
        let directory = build.await.map_err(|_| StorageError::Stopped)?;
        self.directory.store(Arc::new(directory));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::account::overlay;
    use crate::account::overlay::Setting;
    use crate::config::Config;
    use crate::fax::StationId;
    use crate::storage::tests::scratch;
    use crate::time::Timestamp;

    const T0: Timestamp = Timestamp::from_ms(1_795_339_800_000);

    fn accounts(station_id: &str) -> Accounts {
        let folder = tempfile::tempdir().unwrap();
        let toml = format!(
            "[[account]]\nid = \"tanaka\"\nsenders = [\"t@x.example\"]\nstation_id = \"{station_id}\"\n"
        );
        std::fs::write(folder.path().join("accounts.toml"), toml).unwrap();
        let main = folder.path().join("faxgate.toml");
        Accounts::load(Path::new(&main), &Config::default()).unwrap()
    }

    fn shown(in_force: &InForce) -> String {
        let directory = in_force.directory().load();
        let account = directory.by_id("tanaka").unwrap();
        account.station_id.as_ref().unwrap().to_string()
    }

    async fn set(in_force: &Arc<InForce>, station_id: &str) {
        let setting = Setting::StationId(StationId::parse(station_id));
        let directory = in_force.directory().load();
        let written = Arc::clone(directory.as_written("tanaka").unwrap());
        let store = in_force.store.clone();
        let changed = in_force.change(move |tx| {
            let change = std::slice::from_ref(&setting);
            overlay::set(tx, store.ids(), &written, change, "tanaka", "", T0)
        });
        changed.await.unwrap();
    }

    #[tokio::test]
    async fn a_change_is_seen_when_it_returns_and_a_reload_keeps_it() {
        let (_dir, store) = scratch();
        let in_force = InForce::start(&accounts("1"), store).unwrap();
        set(&in_force, "2").await;
        assert_eq!(shown(&in_force), "2");
        in_force.replace(accounts("1")).await.unwrap();
        assert_eq!(shown(&in_force), "2");
        in_force.replace(accounts("3")).await.unwrap();
        assert_eq!(shown(&in_force), "3");
        set(&in_force, "4").await;
        assert_eq!(shown(&in_force), "4");
    }

    #[tokio::test]
    async fn many_who_ask_at_once_are_served_together() {
        let (_dir, store) = scratch();
        let in_force = InForce::start(&accounts("1"), store).unwrap();
        let before = in_force.directory().load_full();
        let turn = in_force.last.lock().await;
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let in_force = Arc::clone(&in_force);
                tokio::spawn(async move { in_force.refresh().await.unwrap() })
            })
            .collect();
        while in_force.asked.load(Ordering::SeqCst) < 50 {
            tokio::task::yield_now().await;
        }
        drop(turn);
        let mut directories = vec![Arc::as_ptr(&before)];
        for one in waiting {
            one.await.unwrap();
            let now = Arc::as_ptr(&in_force.directory().load_full());
            if directories.last() != Some(&now) {
                directories.push(now);
            }
        }
        assert_eq!(directories.len(), 2, "made anew once");
        assert_eq!(in_force.last.lock().await.served, 50);
    }

    #[tokio::test]
    async fn a_change_that_fails_changes_nothing() {
        let (_dir, store) = scratch();
        let in_force = InForce::start(&accounts("1"), store).unwrap();
        let written = in_force.directory().load().as_written("tanaka").cloned();
        let (written, own) = (written.unwrap(), in_force.store.clone());
        let changed = in_force.change(move |tx| {
            let change = [Setting::StationId(StationId::parse("2"))];
            overlay::set(tx, own.ids(), &written, &change, "tanaka", "", T0)?;
            Err::<(), _>(StorageError::Damaged("on purpose".into()))
        });
        assert!(changed.await.is_err());
        in_force.refresh().await.unwrap();
        assert_eq!(shown(&in_force), "1");
    }
}
