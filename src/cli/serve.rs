//! `faxgate serve`.

use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::block_on;
use crate::cli::load_strictly;
use crate::monitor::Metrics;
use crate::serve::Gateway;
use crate::serve::Setup;
use crate::time::SystemClock;

/// Runs until SIGTERM or SIGINT; SIGHUP reads the accounts again.
pub(crate) fn run(config: &Path) -> Result<(), Failure> {
    let loaded = load_strictly(config)?;
    tracing::info!(config = loaded.config.effective(), "configuration in force");
    warn_of_swap();
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
        for address in &gateway.web {
            tracing::info!(%address, "the account web is open");
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

/// Swap would write passwords that are in memory to a disk. Whether it is encrypted nobody can tell here.
fn warn_of_swap() {
    let list = std::fs::read_to_string("/proc/swaps").unwrap_or_default();
    let disks = swap_on_disk(&list);
    if !disks.is_empty() {
        let advice =
            "memory may be written there: encrypt it, or set MemorySwapMax=0 for this service";
        tracing::warn!(swap = disks.join(" "), advice, "swap is on");
    }
}

/// What swap there is (proc(5), `/proc/swaps`) but for compressed memory, which is no disk.
fn swap_on_disk(list: &str) -> Vec<&str> {
    let names = list
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| !name.starts_with("/dev/zram"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swap_on_a_disk_is_seen_and_compressed_memory_is_none() {
        let head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        let disks = "/dev/sda2 partition 999 0 -2\n/dev/zram0 partition 999 0 100\n/swap\\040file file 9 0 -3\n";
        assert_eq!(
            swap_on_disk(&format!("{head}{disks}")),
            ["/dev/sda2", "/swap\\040file"]
        );
        assert_eq!(swap_on_disk(head), [""; 0]);
        assert_eq!(swap_on_disk(""), [""; 0]);
    }
}
