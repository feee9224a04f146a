//! Accounts are read again when their files change or somebody asks; bad ones change nothing (row C6).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::PollWatcher;
use notify::RecursiveMode;
use notify::Watcher;
use tokio::sync::Notify;
use tokio::sync::watch;

use crate::account::in_force::InForce;
use crate::config::Accounts;
use crate::config::Config;
use crate::config::LoadedAccounts;
use crate::monitor::Health;

/// How often files are looked at. Polling works on every file system and sees files replaced by a
/// rename; there are few of them.
const LOOK: Duration = Duration::from_secs(1);

/// Watched account files.
pub(super) struct Watching {
    reloading: Reloading,
    files: Vec<PathBuf>,
    // Looks at them for as long as it lives.
    watcher: Option<PollWatcher>,
}

impl Watching {
    /// Reads what changes or is asked for, until the gateway stops.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.reloading.asked.notified() => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            self.catch_up().await;
        }
    }

    /// Reads until what was read is what is watched: a watcher sees only what changes after its first look.
    async fn catch_up(&mut self) {
        while let Some(files) = self.reloading.reload().await {
            if files == self.files {
                return;
            }
            self.watcher = self.reloading.watch(files.clone());
            self.files = files;
        }
    }
}

/// Keeps the accounts in force true to their files.
pub(super) struct Reloading {
    pub(super) config_file: PathBuf,
    pub(super) config: Arc<Config>,
    pub(super) in_force: Arc<InForce>,
    pub(super) health: Arc<Health>,
    pub(super) asked: Arc<Notify>,
}

impl Reloading {
    /// Watches `files`, which are in force, and whatever later readings name. What changed between that
    /// reading and this watching is in force too when this returns.
    pub(super) async fn start(self, files: Vec<PathBuf>) -> Watching {
        metrics::gauge!("faxgate_accounts_stale").set(0.0);
        self.count();
        let mut watching = Watching {
            watcher: self.watch(files.clone()),
            files,
            reloading: self,
        };
        watching.catch_up().await;
        watching
    }

    async fn reload(&self) -> Option<Vec<PathBuf>> {
        let (file, config) = (self.config_file.clone(), Arc::clone(&self.config));
        let loading = tokio::task::spawn_blocking(move || LoadedAccounts::load(&file, &config));
        match loading.await {
            Ok(Ok(loaded)) => {
                let accounts = loaded.accounts.accounts.len();
                if let Err(error) = self.in_force.replace(loaded.accounts).await {
                    self.refused(error.to_string());
                    return None;
                }
                self.count();
                self.health.well("accounts");
                metrics::gauge!("faxgate_accounts_stale").set(0.0);
                tracing::info!(accounts, "accounts are in force");
                Some(loaded.files)
            }
            Ok(Err(mistakes)) => {
                for mistake in mistakes.iter() {
                    tracing::error!(%mistake, "accounts were not reloaded; the last good ones stay in force");
                }
                let first = mistakes
                    .iter()
                    .next()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                self.refused(first);
                None
            }
            Err(error) => {
                self.refused(error.to_string());
                None
            }
        }
    }

    fn count(&self) {
        let accounts = u32::try_from(self.in_force.directory().load().len()).unwrap_or(u32::MAX);
        metrics::gauge!("faxgate_accounts").set(f64::from(accounts));
    }

    fn refused(&self, why: String) {
        self.health.trouble("accounts", why);
        metrics::gauge!("faxgate_accounts_stale").set(1.0);
        metrics::counter!("faxgate_accounts_reload_failures_total").increment(1);
    }

    fn watch(&self, mut files: Vec<PathBuf>) -> Option<PollWatcher> {
        files.push(Accounts::path(&self.config_file, &self.config));
        let asked = Arc::clone(&self.asked);
        let settings = notify::Config::default()
            .with_poll_interval(LOOK)
            .with_compare_contents(true);
        let seen = move |event: notify::Result<notify::Event>| match event {
            Ok(_) => asked.notify_one(),
            Err(error) => tracing::debug!(%error, "an account file could not be looked at"),
        };
        let mut watcher = match PollWatcher::new(seen, settings) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::error!(%error, "account files are not watched; SIGHUP still reloads them");
                return None;
            }
        };
        for file in files {
            if let Err(error) = watcher.watch(&file, RecursiveMode::NonRecursive) {
                tracing::warn!(%error, file = %file.display(), "an account file is not watched");
            }
        }
        Some(watcher)
    }
}
