//! `faxgate serve`.

use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::block_on;
use crate::cli::load;
use crate::monitor::Metrics;
use crate::serve::Gateway;
use crate::serve::Setup;
use crate::time::SystemClock;

/// Runs until SIGTERM or SIGINT; SIGHUP reads the accounts again.
pub(crate) fn run(config: &Path) -> Result<(), Failure> {
    let loaded = load(config)?;
    tracing::info!(config = loaded.config.effective(), "configuration in force");
    block_on(async {
        let gateway = Gateway::start(Setup {
            config_file: config.to_owned(),
            loaded,
            exe: std::env::current_exe()?,
            clock: Arc::new(SystemClock),
            metrics: Some(Metrics::install().map_err(anyhow::Error::msg)?),
        });
        let gateway = gateway.await;
        let gateway = gateway.map_err(|e| Failure::new(Exit::Unavailable, format!("{e:#}")))?;
        for address in &gateway.smtp {
            tracing::info!(%address, "mail is taken");
        }
        if let Some(address) = gateway.monitor {
            tracing::info!(%address, "operators are answered");
        }
        // Without a service manager there is nobody to tell.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        wait_for_the_end(&gateway).await?;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        gateway.stop().await;
        Ok(())
    })
}

async fn wait_for_the_end(gateway: &Gateway) -> Result<(), Failure> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            _ = hangup.recv() => gateway.reload.notify_one(),
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

/// A core dump would write passwords that are in memory to a disk (row C2).
pub(crate) fn forbid_core_dumps() {
    let limited = rlimit::setrlimit(rlimit::Resource::CORE, 0, 0);
    let hidden =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    if limited.is_err() && hidden.is_err() {
        tracing::warn!("core dumps could not be forbidden");
    }
}
