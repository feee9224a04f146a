//! Opens the transports that are configured, and tells operators how they are.

use std::collections::BTreeSet;
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
use crate::transmit::hylafax::HylafaxTransport;
use crate::transmit::interfax::InterfaxTransport;
use crate::transmit::journal::Journal;
use crate::transmit::line::CallLimits;
use crate::transmit::line::Pacing;
use crate::transmit::line::Workers;
use crate::transmit::loopback::LoopbackTransport;
use crate::transmit::sip::SipSetup;
use crate::transmit::sip::SipTransport;
use crate::transmit::spool::SpoolTransport;

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
    /// This program, which fax workers are processes of.
    pub(super) exe: PathBuf,
    pub(super) tasks: &'a mut JoinSet<()>,
    pub(super) stopping: watch::Receiver<bool>,
}

impl Opening<'_> {
    /// All lines: every kind that numbers are sent over, or whose table is there.
    ///
    /// # Errors
    /// Whatever keeps a kind from working as configured.
    pub(super) async fn open(mut self) -> anyhow::Result<Exchange> {
        let data_dir = self.config.gateway.data_dir.clone();
        create_private_dir(&data_dir.join("calls"))?;
        let path = data_dir.join("calls.jsonl");
        let journal = Journal::open_bounded(&path, JOURNAL);
        let journal = journal.with_context(|| path.display().to_string())?;
        let mut kinds = Kinds::new();
        for kind in self.kinds() {
            kinds.insert(kind, self.transport(kind, &journal).await?);
        }
        let routes = self.config.transport.clone();
        let clock = Arc::clone(&self.clock);
        Exchange::open(routes, kinds, &data_dir, journal, clock)
            .with_context(|| format!("[gateway] data_dir {}", data_dir.display()))
    }

    fn kinds(&self) -> BTreeSet<TransportKind> {
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

    async fn transport(
        &mut self,
        kind: TransportKind,
        journal: &Journal,
    ) -> anyhow::Result<Arc<dyn FaxTransport>> {
        match kind {
            TransportKind::Hylafax => self.hylafax(),
            TransportKind::Interfax => self.interfax(),
            TransportKind::Loopback => self.loopback(),
            TransportKind::Sip => self.sip(journal.clone()).await,
            TransportKind::Spool => self.spool(),
        }
    }

    fn hylafax(&mut self) -> anyhow::Result<Arc<dyn FaxTransport>> {
        const HERE: &str = "[transport.hylafax]";
        let config = &self.config;
        let table = config.transport.hylafax.as_ref();
        let hylafax = table.with_context(|| format!("{HERE} is missing"))?;
        let password = hylafax.password_file.as_ref();
        let opened = HylafaxTransport::new(
            hylafax,
            password.map(|file| self.password(file, HERE)).transpose()?,
            &config.gateway.country,
            &config.gateway.data_dir.join("calls"),
            Arc::clone(&self.inbound),
            Arc::clone(&self.clock),
        );
        let opened = Arc::new(opened.context(HERE)?);
        let receiving = Arc::clone(&opened);
        self.background(async move { receiving.receive().await });
        Ok(opened)
    }

    fn interfax(&mut self) -> anyhow::Result<Arc<dyn FaxTransport>> {
        const HERE: &str = "[transport.interfax]";
        let table = self.config.transport.interfax.as_ref();
        let interfax = table.with_context(|| format!("{HERE} is missing"))?;
        let password = interfax.password_file.as_ref();
        let password = password.with_context(|| format!("{HERE} password_file is missing"))?;
        let password = self.password(password, HERE)?;
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

    async fn sip(&mut self, journal: Journal) -> anyhow::Result<Arc<dyn FaxTransport>> {
        const HERE: &str = "[transport.sip]";
        let table = self.config.transport.sip.clone();
        let config = table.with_context(|| format!("{HERE} is missing"))?;
        if let Some(why) = no_t30(&self.config) {
            anyhow::bail!(why);
        }
        let calls = self.config.gateway.data_dir.join("calls");
        let opened = SipTransport::open(SipSetup {
            config,
            config_file: self.config_file.clone(),
            country: self.config.gateway.country.clone(),
            workers: Workers::new(
                self.exe.clone(),
                calls,
                self.config.render.allow_unsandboxed,
            ),
            pacing: Pacing::default(),
            limits: CallLimits::default(),
            clock: Arc::clone(&self.clock),
            inbound: Arc::clone(&self.inbound),
            journal,
            stopping: self.stopping.clone(),
        });
        let opened = Arc::new(opened.await.context(HERE)?);
        let (receiving, mut stopping) = (Arc::clone(&opened), self.stopping.clone());
        // What comes in when the gateway stops is stored before it ends.
        self.tasks.spawn(async move {
            let _ = stopping.wait_for(|stop| *stop).await;
            receiving.received().await;
        });
        Ok(opened)
    }

    fn spool(&self) -> anyhow::Result<Arc<dyn FaxTransport>> {
        const HERE: &str = "[transport.spool]";
        let table = self.config.transport.spool.as_ref();
        let spool = table.with_context(|| format!("{HERE} is missing"))?;
        let opened = SpoolTransport::open(spool, Arc::clone(&self.clock));
        let opened = opened.with_context(|| format!("{HERE} {}", spool.directory.display()))?;
        Ok(Arc::new(opened))
    }

    fn password(&self, file: &PasswordFile, table: &str) -> anyhow::Result<Secret> {
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

/// Why the configured lines cannot work with this program: it was built without the library of T.30.
pub(crate) fn no_t30(config: &Config) -> Option<String> {
    let needed = config.transport.sip.is_some() && !spandsp::is_available();
    needed.then(|| {
        let install = spandsp::INSTALL;
        format!("[transport.sip]: this program was built without the library of T.30: {install}, and build it again")
    })
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
