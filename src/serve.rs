//! The composition root: opens storage, builds every service, binds, starts, waits, drains. The only
//! file that names them all.

mod certificate;
mod door;
pub(crate) mod lines;
mod loops;
mod reload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::account::credential::Credentials;
use crate::account::directory::Directory;
use crate::account::in_force::InForce;
use crate::account::lockout::InstallationKey;
use crate::admit::rate::Rate;
use crate::authenticate::Authenticator;
use crate::config::Config;
use crate::config::KeyPair;
use crate::config::Loaded;
use crate::dispatch;
use crate::dispatch::AtWork;
use crate::dispatch::Dispatcher;
use crate::dispatch::PageCache;
use crate::ingress;
use crate::ingress::Verifier;
use crate::intake::Intake;
use crate::monitor;
use crate::monitor::Health;
use crate::monitor::Metrics;
use crate::notify::Courier;
use crate::notify::outgoing::Outgoing;
use crate::receive::Reception;
use crate::render::Renderer;
use crate::storage::Store;
use crate::storage::jobs;
use crate::storage::outbox;
use crate::time::Clock;
use crate::transmit::exchange;
use crate::web;
use crate::web::Site;

/// What a gateway is started from.
pub struct Setup {
    /// Where the configuration was read from: account files are found from there.
    pub config_file: PathBuf,
    /// The configuration.
    pub loaded: Loaded,
    /// This program, which the render worker is another process of.
    pub exe: PathBuf,
    /// Where `now` comes from.
    pub clock: Arc<dyn Clock>,
    /// The metrics of this process, if they are collected.
    pub metrics: Option<Metrics>,
}

/// A gateway at work.
pub struct Gateway {
    /// Where the mail door listens.
    pub smtp: Vec<SocketAddr>,
    /// Where the account web listens.
    pub web: Vec<SocketAddr>,
    /// Where the operators' door listens.
    pub monitor: Option<SocketAddr>,
    /// Asks for the accounts to be read again.
    pub reload: Arc<Notify>,
    /// Durable state.
    pub store: Store,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    _only_one: std::fs::File,
}

impl Gateway {
    /// Starts everything; mail is taken when this returns.
    ///
    /// # Errors
    /// Whatever keeps the gateway from working as configured.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        ingress::describe_metrics();
        web::describe_metrics();
        dispatch::describe_metrics();
        exchange::describe_metrics();
        let config = Arc::new(setup.loaded.config.clone());
        let store = open_store(&config)?;
        let only_one = take_data_dir(&config)?;
        let now = setup.clock.now();
        let restarted = store.write(move |tx| {
            outbox::end_leases(tx)?;
            jobs::fence_restarted(tx, now)?;
            jobs::drop_unpublished(tx, None)
        });
        for batch in restarted.await? {
            store.blobs().remove(&jobs::documents_file(batch))?;
            store.blobs().remove(&jobs::pages_file(batch))?;
        }
        let (stop, stopping) = watch::channel(false);
        let mut building = Building {
            parts: Parts::new(&setup, config, store)?,
            stopping,
            tasks: JoinSet::new(),
        };
        let authenticator = Arc::new(building.parts.authenticator()?);
        let intake = building.parts.intake(authenticator);
        let smtp = building.mail_door(setup.config_file.clone(), Arc::clone(&intake))?;
        let web = building.web_door(setup.config_file.clone(), intake)?;
        let monitor = building.operators_door(setup.metrics).await?;
        building
            .work(setup.config_file.clone(), setup.exe.clone())
            .await?;
        building
            .background(setup.config_file, setup.loaded.accounts.files)
            .await;
        Ok(Self {
            smtp,
            web,
            monitor,
            reload: building.parts.reload,
            store: building.parts.store,
            stop,
            tasks: building.tasks,
            _only_one: only_one,
        })
    }

    /// Stops: nothing new is taken, what goes on is finished or resolved at the next start.
    pub async fn stop(mut self) {
        // Nobody listening means that all tasks have ended already.
        let _ = self.stop.send(true);
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(ingress::GRACE * 2, drained)
            .await
            .is_err()
        {
            tracing::warn!("not everything could be finished; it is resolved at the next start");
        }
    }
}

/// What the services share.
struct Parts {
    config: Arc<Config>,
    store: Store,
    accounts: Arc<ArcSwap<Directory>>,
    in_force: Arc<InForce>,
    renderer: Renderer,
    clock: Arc<dyn Clock>,
    key: InstallationKey,
    health: Arc<Health>,
    reload: Arc<Notify>,
    jobs: Arc<Notify>,
    mail: Arc<Notify>,
}

impl Parts {
    fn new(setup: &Setup, config: Arc<Config>, store: Store) -> anyhow::Result<Self> {
        for warning in &setup.loaded.accounts.warnings {
            tracing::warn!(warning);
        }
        let in_force = InForce::start(&setup.loaded.accounts.accounts, store.clone())?;
        Ok(Self {
            renderer: Renderer::new(setup.exe.clone(), &config.render),
            key: InstallationKey::load_or_create(&config.gateway.data_dir)
                .context("installation.key")?,
            config,
            store,
            accounts: Arc::clone(in_force.directory()),
            in_force,
            clock: Arc::clone(&setup.clock),
            health: Arc::default(),
            reload: Arc::default(),
            jobs: Arc::default(),
            mail: Arc::default(),
        })
    }

    /// The one lock, and the one pool of password checks, of all doors.
    fn authenticator(&self) -> anyhow::Result<Authenticator> {
        let config = &self.config;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Authenticator {
            store: self.store.clone(),
            credentials: Credentials::new(key, cores, config.smtp.password_wait),
            key: self.key.clone(),
            lock: config.lock.clone(),
            unproven_reach: config
                .verify
                .as_ref()
                .map(|verify| verify.unproven_strikes_close)
                .unwrap_or_default(),
            relays: config.relays.clone(),
            host: config.gateway.name.clone(),
        })
    }
}

impl Parts {
    /// The way in, one for all doors: they share what an account may send in a minute.
    fn intake(&self, authenticator: Arc<Authenticator>) -> Arc<Intake> {
        Arc::new(Intake {
            config: Arc::clone(&self.config),
            accounts: Arc::clone(&self.accounts),
            authenticator,
            work: Arc::clone(&self.jobs),
            mail: Arc::clone(&self.mail),
            rate: Rate::default(),
            noted: Rate::default(),
            clock: Arc::clone(&self.clock),
        })
    }
}

struct Building {
    parts: Parts,
    stopping: watch::Receiver<bool>,
    tasks: JoinSet<()>,
}

impl Building {
    fn mail_door(
        &mut self,
        config_file: PathBuf,
        intake: Arc<Intake>,
    ) -> anyhow::Result<Vec<SocketAddr>> {
        let tls = self.certificate(config_file)?;
        let parts = &self.parts;
        let config = &parts.config;
        let verifier = Verifier::of(config).context("[dns] servers")?;
        let service = ingress::Service {
            name: config.gateway.name.clone(),
            limits: config.smtp.clone(),
            tls,
            door: door::MailDoor {
                intake,
                verifier,
                rate: Rate::default(),
            },
            clock: Arc::clone(&parts.clock),
            shutdown: self.stopping.clone(),
        };
        let smtp = &config.smtp;
        let mut clear = ingress::bind(&smtp.listen).context("[smtp] listen")?;
        let submission = ingress::bind(&smtp.listen_submission);
        clear.extend(submission.context("[smtp] listen_submission")?);
        let tls = ingress::bind(&smtp.listen_tls).context("[smtp] listen_tls")?;
        let listeners = ingress::Listeners { clear, tls };
        let all = listeners.clear.iter().chain(&listeners.tls);
        let addresses = all.map(tokio::net::TcpListener::local_addr);
        let addresses = addresses.collect::<std::io::Result<Vec<_>>>()?;
        self.tasks
            .spawn(ingress::serve(listeners, Arc::new(service)));
        Ok(addresses)
    }

    fn web_door(
        &mut self,
        config_file: PathBuf,
        intake: Arc<Intake>,
    ) -> anyhow::Result<Vec<SocketAddr>> {
        let parts = &self.parts;
        let Some(web) = parts.config.web.clone() else {
            return Ok(Vec::new());
        };
        let listeners = web::bind(&web.listen).context("[web] listen")?;
        let addresses = listeners.iter().map(tokio::net::TcpListener::local_addr);
        let addresses = addresses.collect::<std::io::Result<Vec<_>>>()?;
        if let Some(warning) = web.warning() {
            tracing::warn!(warning, "[web]");
            parts.health.warn("web", Some(warning));
        }
        let sending = web::Sending {
            renderer: parts.renderer.clone(),
            intake: Arc::clone(&intake),
        };
        let operations = web::Operations {
            config_file,
            condition: Arc::clone(&parts.health) as Arc<dyn web::Condition>,
        };
        let site = Arc::new(Site::new(
            Arc::clone(&parts.config),
            web,
            Arc::clone(&parts.in_force),
            Arc::clone(&intake.authenticator),
            Arc::clone(&parts.clock),
            Arc::clone(&parts.mail),
            (sending, operations),
        ));
        for listener in listeners {
            let (site, stopping) = (Arc::clone(&site), self.stopping.clone());
            self.tasks.spawn(web::serve(listener, site, stopping));
        }
        Ok(addresses)
    }

    /// Our certificate, if there is one, kept true to its files.
    fn certificate(&mut self, config_file: PathBuf) -> anyhow::Result<Option<Arc<ingress::Tls>>> {
        let Some(files) = self.parts.config.tls.clone() else {
            return Ok(None);
        };
        let texts = files.texts(&config_file)?;
        let pair = KeyPair::parse(&texts)?;
        let in_force = Arc::new(ingress::Tls::new(&pair).context("[tls]")?);
        let certificate = certificate::Certificate {
            files,
            config_file,
            in_force: Arc::clone(&in_force),
            health: Arc::clone(&self.parts.health),
            clock: Arc::clone(&self.parts.clock),
        };
        self.tasks
            .spawn(certificate.run(texts, pair, self.stopping.clone()));
        Ok(Some(in_force))
    }

    async fn operators_door(
        &mut self,
        metrics: Option<Metrics>,
    ) -> anyhow::Result<Option<SocketAddr>> {
        let Some(address) = self.parts.config.monitor.listen else {
            return Ok(None);
        };
        let bound = tokio::net::TcpListener::bind(address).await;
        let listener = bound.with_context(|| format!("[monitor] listen {address}"))?;
        let address = listener.local_addr()?;
        let (health, stopping) = (Arc::clone(&self.parts.health), self.stopping.clone());
        self.tasks.spawn(async move {
            if let Err(error) = monitor::serve(listener, health, metrics, stopping).await {
                tracing::error!(%error, "the operators' door has closed");
            }
        });
        Ok(Some(address))
    }

    async fn work(&mut self, config_file: PathBuf, exe: PathBuf) -> anyhow::Result<()> {
        let parts = &self.parts;
        let reception = Arc::new(Reception {
            store: parts.store.clone(),
            accounts: Arc::clone(&parts.accounts),
            host: parts.config.gateway.name.clone(),
            clock: Arc::clone(&parts.clock),
            mail: Arc::clone(&parts.mail),
        });
        let lines = lines::Opening {
            config: Arc::clone(&parts.config),
            config_file,
            inbound: reception,
            clock: Arc::clone(&parts.clock),
            exe,
            tasks: &mut self.tasks,
            stopping: self.stopping.clone(),
        };
        let exchange = lines.open().await?;
        let dispatcher = Arc::new(Dispatcher {
            store: parts.store.clone(),
            config: Arc::clone(&parts.config),
            accounts: Arc::clone(&parts.accounts),
            renderer: parts.renderer.clone(),
            cache: PageCache::default(),
            transport: Arc::new(exchange.clone()),
            at_work: AtWork::default(),
            owner: parts.store.ids().next(parts.clock.now()),
            clock: Arc::clone(&parts.clock),
            mail: Arc::clone(&parts.mail),
        });
        let outgoing = Arc::new(Outgoing {
            store: parts.store.clone(),
            config: Arc::clone(&parts.config),
            accounts: Arc::clone(&parts.accounts),
            courier: Courier::new(&parts.config.mail.smarthost, &parts.config.gateway.name),
            key: parts.key.clone(),
            clock: Arc::clone(&parts.clock),
        });
        let jobs = Arc::clone(&parts.jobs);
        let mail = Arc::clone(&parts.mail);
        let health = Arc::clone(&parts.health);
        self.tasks.spawn(lines::watch(
            exchange,
            Arc::clone(&parts.health),
            self.stopping.clone(),
        ));
        self.tasks.spawn(loops::sweep(
            Arc::clone(&dispatcher),
            Arc::clone(&jobs),
            health,
            self.stopping.clone(),
        ));
        self.tasks
            .spawn(loops::dispatch(dispatcher, jobs, self.stopping.clone()));
        self.tasks
            .spawn(loops::send_mail(outgoing, mail, self.stopping.clone()));
        Ok(())
    }

    async fn background(&mut self, config_file: PathBuf, files: Vec<PathBuf>) {
        let parts = &self.parts;
        let reloading = reload::Reloading {
            config_file,
            config: Arc::clone(&parts.config),
            in_force: Arc::clone(&parts.in_force),
            health: Arc::clone(&parts.health),
            asked: Arc::clone(&parts.reload),
        };
        self.tasks
            .spawn(reloading.start(files).await.run(self.stopping.clone()));
        let (store, config) = (parts.store.clone(), Arc::clone(&parts.config));
        let clock = Arc::clone(&parts.clock);
        self.tasks
            .spawn(loops::retain(store, config, clock, self.stopping.clone()));
        self.tasks.spawn(loops::remind(
            parts.store.clone(),
            Arc::clone(&parts.accounts),
            parts.config.gateway.name.clone(),
            Arc::clone(&parts.clock),
            Arc::clone(&parts.mail),
            self.stopping.clone(),
        ));
        let (renderer, health) = (parts.renderer.clone(), Arc::clone(&parts.health));
        self.tasks.spawn(async move {
            if let Err(error) = renderer.probe().await {
                tracing::error!(%error, "documents cannot be converted");
                health.trouble("render", error.to_string());
            }
        });
    }
}

fn open_store(config: &Config) -> anyhow::Result<Store> {
    let folder = &config.gateway.data_dir;
    Store::open(folder).with_context(|| format!("[gateway] data_dir {}", folder.display()))
}

/// One process serves a data folder: leases of the one before may then be ended at start.
fn take_data_dir(config: &Config) -> anyhow::Result<std::fs::File> {
    let path = config.gateway.data_dir.join("serve.lock");
    let file = std::fs::File::create(&path).with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => anyhow::bail!("{}: another faxgate serves this data_dir", path.display()),
    }
}
