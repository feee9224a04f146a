//! Calls that a HylaFAX server makes: its client protocol, port 4559 (hfaxd(8)).
//!
//! A call is one job there, and the job makes one attempt. Until it is submitted nothing can have been dialled; from then on it is
//! looked up by its note (`JOBINFO`), whatever happens to the connection or to us, and never submitted again.

mod ending;
mod follow;
mod inbound;
mod notes;
mod pages;
mod parameters;
mod session;
mod wire;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::config::Hylafax;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::CountryCode;
use crate::fax::FaxNumber;
use crate::fax::Outcome;
use crate::secret::Secret;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::Condition;
use crate::transmit::FaxTransport;
use crate::transmit::Inbound;
use crate::transmit::Later;
use crate::transmit::Line;
use crate::transmit::Resolution;
use crate::transmit::Watch;

use inbound::Complaints;
use notes::Note;
use notes::Notes;
use session::Door;
use session::Session;
use wire::Trouble;

/// The longest that the server may take for one answer; submitting waits for its scheduler.
const PATIENCE: Duration = Duration::from_secs(60);

/// Hands calls to a HylaFAX server and fetches what it receives.
pub struct HylafaxTransport {
    door: Door,
    lines: Arc<Semaphore>,
    poll: Duration,
    receives_at: Option<FaxNumber>,
    notes: Notes,
    inbound: Arc<dyn Inbound>,
    clock: Arc<dyn Clock>,
    condition: Mutex<Condition>,
    complaints: Mutex<Complaints>,
}

/// Why a job was not handed over: nothing was dialled.
enum NotPlaced {
    /// The server cannot take any job now.
    NotNow(String),
    /// It does not take this one.
    Refused(String),
    /// The fault is ours.
    Ours(String),
}

impl HylafaxTransport {
    /// A transport to the server of `config`; nothing is said to it yet. `calls` is the folder with a folder for each call,
    /// `country` that of the number in `config`.
    ///
    /// # Errors
    /// That faxes are to be received at something that is no number.
    pub fn new(
        config: &Hylafax,
        password: Option<Secret>,
        country: &CountryCode,
        calls: &Path,
        inbound: Arc<dyn Inbound>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let number = || FaxNumber::parse(&config.number, country).map_err(io::Error::other);
        Ok(Self {
            door: Door {
                server: config.server.clone(),
                user: config.user.clone(),
                password,
                patience: PATIENCE,
            },
            lines: Arc::new(Semaphore::new(config.lines)),
            poll: config.poll,
            receives_at: config.receive.then(number).transpose()?,
            notes: Notes(calls.to_owned()),
            inbound,
            clock,
            condition: Mutex::default(),
            complaints: Mutex::default(),
        })
    }

    /// With another limit on the time for one answer.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.door.patience = patience;
        self
    }

    /// Fetches what the server received, again and again, if it is configured so; ends at once if not.
    pub async fn receive(&self) {
        let Some(number) = &self.receives_at else {
            return;
        };
        loop {
            self.fetch_received(number).await;
            self.pause().await;
        }
    }

    async fn call(&self, call: &Call, watch: &dyn Watch) -> Outcome {
        let started = self.clock.now();
        let (mut session, note) = match self.place(call).await {
            Ok(placed) => placed,
            Err(NotPlaced::NotNow(why)) => return Outcome::NotCalled { why },
            Err(NotPlaced::Refused(detail)) => {
                let report = self.unsent(call, started, detail);
                return Outcome::Retry(Cause::Network, report);
            }
            Err(NotPlaced::Ours(detail)) => {
                let report = self.unsent(call, started, detail);
                return Outcome::Failed(Cause::LocalFault, report);
            }
        };
        match session.submit().await {
            Ok(_) => {
                let name = parameters::note(call.job, call.attempt);
                self.follow(Some(session), &name, &note, watch).await
            }
            Err(trouble) => {
                drop(session);
                self.doubt(call, note, trouble, watch).await
            }
        }
    }

    /// Everything up to the submission, and the note that it is about to happen.
    async fn place(&self, call: &Call) -> Result<(Session, Note), NotPlaced> {
        let tiff = pages::beginning_at(&call.fax.tiff, call.first_page)
            .ok_or_else(|| NotPlaced::Ours("there is no such page to begin with".to_owned()))?;
        let opened = self.open().await;
        let mut session = opened.map_err(|trouble| NotPlaced::NotNow(trouble.to_string()))?;
        let id = async {
            let document = session.store(&tiff).await?;
            let parameters = parameters::of(call, &self.door.user, &tiff);
            session.new_job(&parameters, &document).await
        };
        let id = id.await.map_err(|trouble| match trouble {
            Trouble::Refused(reply) if reply.code / 100 == 5 => {
                NotPlaced::Refused(format!("the server said: {reply}"))
            }
            Trouble::Garbled => NotPlaced::Refused(trouble.to_string()),
            Trouble::Refused(_) | Trouble::Lost(_) | Trouble::Late => {
                NotPlaced::NotNow(trouble.to_string())
            }
        })?;
        let now = self.clock.now();
        let note = Note {
            id,
            first_page: call.first_page,
            pages: call.fax.pages,
            started_ms: now.as_ms(),
            give_up_ms: now.plus(parameters::longest(call)).as_ms(),
        };
        let noted = self.notes.write(call.job, call.attempt, &note).await;
        noted.map_err(|error| NotPlaced::NotNow(format!("no note could be written: {error}")))?;
        Ok((session, note))
    }

    /// A session; how it went is what operators see.
    async fn open(&self) -> Result<Session, Trouble> {
        let opened = Session::open(&self.door).await;
        let condition = match &opened {
            Ok(_) => Condition::Well,
            Err(trouble) => Condition::Down(trouble.to_string()),
        };
        if let Ok(mut known) = self.condition.lock()
            && *known != condition
        {
            match &condition {
                Condition::Down(why) => tracing::warn!(why, "HylaFAX does not answer"),
                Condition::Well | Condition::Impaired(_) => tracing::info!("HylaFAX answers"),
            }
            *known = condition;
        }
        opened
    }

    async fn pause(&self) {
        self.clock
            .wait_until(self.clock.now().plus(self.poll))
            .await;
    }

    fn unsent(&self, call: &Call, started: Timestamp, detail: String) -> CallReport {
        CallReport {
            pages_sent: call.first_page,
            started,
            ended: self.clock.now(),
            detail,
            ..CallReport::default()
        }
    }

    /// Forgets a call, and removes its job there.
    async fn forget(&self, job: i64, attempt: u32) {
        let note = match self.notes.read(job, attempt).await {
            Ok(Some(note)) => note,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, job, "the note on a HylaFAX job cannot be read");
                return;
            }
        };
        let (door, name) = (self.door.clone(), parameters::note(job, attempt));
        // Nobody has to wait for this, and if it fails HylaFAX's own cleaning does it.
        tokio::spawn(async move {
            let removed = async {
                let mut session = Session::open(&door).await?;
                session.standing(note.id, &name).await?;
                session.delete(note.id).await
            };
            if let Err(trouble) = removed.await {
                tracing::debug!(%trouble, job, "a job stays in HylaFAX's queue of what is done");
            }
        });
        if let Err(error) = self.notes.remove(job, attempt).await {
            tracing::warn!(%error, job, "the note on a HylaFAX job cannot be removed");
        }
    }
}

impl FaxTransport for HylafaxTransport {
    fn line<'a>(&'a self, _number: &'a FaxNumber) -> Later<'a, Line> {
        Box::pin(async {
            // The semaphore is never closed.
            let permit = Arc::clone(&self.lines).acquire_owned().await;
            permit.map_or_else(|_| Line::default(), Line::held)
        })
    }

    fn send<'a>(&'a self, call: &'a Call, line: Line, watch: &'a dyn Watch) -> Later<'a, Outcome> {
        Box::pin(async move {
            let _line = line;
            let outcome = self.call(call, watch).await;
            if matches!(outcome, Outcome::NotCalled { .. }) {
                // The same attempt may be made again: nothing of this one is to be found then.
                self.forget(call.job, call.attempt).await;
            }
            outcome
        })
    }

    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution> {
        Box::pin(self.look_up(job, attempt))
    }

    fn settled<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, ()> {
        Box::pin(self.forget(job, attempt))
    }

    fn condition(&self) -> Condition {
        let known = self.condition.lock();
        known.map(|known| known.clone()).unwrap_or_default()
    }
}
