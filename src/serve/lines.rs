//! Opens the transports that are configured, and tells operators how they are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Config;
use crate::config::PasswordFile;
use crate::config::TransportKind;
use crate::monitor::Health;
use crate::secret::Secret;
use crate::storage::blobs::create_private_dir;
use crate::time::Clock;
use crate::transmit::Condition;
use crate::transmit::FaxTransport;
use crate::transmit::Inbound;
use crate::transmit::exchange::Exchange;
use crate::transmit::exchange::Kinds;
use crate::transmit::interfax::InterfaxTransport;
use crate::transmit::journal::Journal;
use crate::transmit::loopback::LoopbackTransport;

/// The journal is put aside at this size: about 70,000 calls, and as many in the file put aside before.
const JOURNAL: u64 = 32 * 1024 * 1024;
/// How often operators are told anew how the lines are.
const LOOK: Duration = Duration::from_secs(1);

/// What transports are opened with.
pub(super) struct Opening<'a> {
    pub(super) config: Arc<Config>,
    /// Passwords are in files beside it.
    pub(super) config_file: PathBuf,
    pub(super) inbound: Arc<dyn Inbound>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tasks: &'a mut JoinSet<()>,
    pub(super) stopping: watch::Receiver<bool>,
}

impl Opening<'_> {
    /// All lines: every kind that numbers are sent over, or whose table is there.
    ///
    /// # Errors
    /// Whatever keeps a kind from working as configured.
    pub(super) fn open(mut self) -> anyhow::Result<Exchange> {
        let data_dir = self.config.gateway.data_dir.clone();
        create_private_dir(&data_dir.join("calls"))?;
        let path = data_dir.join("calls.jsonl");
        let journal = Journal::open_bounded(&path, JOURNAL);
        let journal = journal.with_context(|| path.display().to_string())?;
        let mut kinds = Kinds::new();
        for kind in self.kinds() {
            kinds.insert(kind, self.transport(kind)?);
        }
        let routes = self.config.transport.clone();
        let clock = Arc::clone(&self.clock);
        Exchange::open(routes, kinds, &data_dir, journal, clock)
            .with_context(|| format!("[gateway] data_dir {}", data_dir.display()))
    }

    fn kinds(&self) -> Vec<TransportKind> {
        let transport = &self.config.transport;
        let tables = [
            (TransportKind::Hylafax, transport.hylafax.is_some()),
            (TransportKind::Interfax, transport.interfax.is_some()),
            (TransportKind::Sip, transport.sip.is_some()),
            (TransportKind::Spool, transport.spool.is_some()),
        ];
        let there = tables.into_iter().filter(|(_, there)| *there);
        let there = there.map(|(kind, _)| kind);
        there.chain(transport.kinds()).collect()
    }

    fn transport(&mut self, kind: TransportKind) -> anyhow::Result<Arc<dyn FaxTransport>> {
        match kind {
            TransportKind::Interfax => self.interfax(),
            TransportKind::Loopback => self.loopback(),
            TransportKind::Hylafax | TransportKind::Sip | TransportKind::Spool => {
                anyhow::bail!("[transport] kind {:?} is not built in", kind.as_str())
            }
        }
    }

    fn interfax(&mut self) -> anyhow::Result<Arc<dyn FaxTransport>> {
        const HERE: &str = "[transport.interfax]";
        let table = self.config.transport.interfax.as_ref();
        let interfax = table.with_context(|| format!("{HERE} is missing"))?;
        let password = self.password(interfax.password_file.as_ref(), HERE)?;
        let data_dir = &self.config.gateway.data_dir;
        let clock = Arc::clone(&self.clock);
        let opened = InterfaxTransport::open(interfax, &password, data_dir, clock);
        let opened = opened.context(HERE)?;
        let watching = opened.watch();
        self.background(watching);
        Ok(Arc::new(opened))
    }

    fn loopback(&self) -> anyhow::Result<Arc<dyn FaxTransport>> {
        let loopback = &self.config.transport.loopback;
        let inbound = Arc::clone(&self.inbound);
        let opened = LoopbackTransport::open(loopback, inbound, Arc::clone(&self.clock));
        let opened = opened
            .with_context(|| format!("[transport.loopback] {}", loopback.directory.display()))?;
        Ok(Arc::new(opened))
    }
}

impl Opening<'_> {
    fn password(&self, file: Option<&PasswordFile>, table: &str) -> anyhow::Result<Secret> {
        let file = file.with_context(|| format!("{table} password_file is missing"))?;
        file.read(&self.config_file)
            .with_context(|| format!("{table} password_file {file}"))
    }

    /// Goes on until the gateway stops.
    fn background(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let mut stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = work => {}
                _ = stopping.wait_for(|stop| *stop) => {}
            }
        });
    }
}

/// Tells operators how the lines are until the gateway stops: trouble only when no number can be called.
pub(super) async fn watch(
    exchange: Exchange,
    health: Arc<Health>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut told = (None, None);
    loop {
        let (trouble, warning) = sum_up(&exchange.conditions());
        if told != (trouble.clone(), warning.clone()) {
            match (&trouble, &warning) {
                (Some(lines), _) => tracing::error!(lines, "no line is in service"),
                (None, Some(lines)) => tracing::warn!(lines, "not all lines are in service"),
                (None, None) => tracing::info!("all lines are in service"),
            }
            match &trouble {
                Some(why) => health.trouble("lines", why.clone()),
                None => health.well("lines"),
            }
            health.warn("lines", warning.clone());
            told = (trouble, warning);
        }
        let again = tokio::time::timeout(LOOK, stopping.wait_for(|stop| *stop));
        if again.await.is_ok() {
            return;
        }
    }
}

/// What is trouble and what a warning, in one line each.
fn sum_up(conditions: &[(TransportKind, Condition)]) -> (Option<String>, Option<String>) {
    let amiss: Vec<_> = conditions
        .iter()
        .filter_map(|(kind, condition)| match condition {
            Condition::Well => None,
            Condition::Impaired(what) | Condition::Down(what) => {
                Some(format!("{}: {what}", kind.as_str()))
            }
        })
        .collect();
    if amiss.is_empty() {
        return (None, None);
    }
    let is_down = |(_, condition): &(_, Condition)| matches!(condition, Condition::Down(_));
    let amiss = Some(amiss.join("; "));
    match conditions.iter().all(is_down) {
        true => (amiss, None),
        false => (None, amiss),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summed(conditions: &[Condition]) -> (Option<String>, Option<String>) {
        let kinds = [TransportKind::Sip, TransportKind::Spool];
        let conditions: Vec<_> = kinds.into_iter().zip(conditions.iter().cloned()).collect();
        sum_up(&conditions)
    }

    #[test]
    fn trouble_is_when_no_number_can_be_called() {
        let down = || Condition::Down("away".to_owned());
        let impaired = || Condition::Impaired("one trunk".to_owned());
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(summed(&[Condition::Well, Condition::Well]), (None, None));
        assert_eq!(
            summed(&[impaired(), Condition::Well]),
            (None, text("sip: one trunk"))
        );
        assert_eq!(
            summed(&[down(), Condition::Well]),
            (None, text("sip: away"))
        );
        assert_eq!(
            summed(&[down(), impaired()]),
            (None, text("sip: away; spool: one trunk"))
        );
        assert_eq!(
            summed(&[down(), down()]),
            (text("sip: away; spool: away"), None)
        );
    }
}
