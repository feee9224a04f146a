//! Where the story is played: the gateway, the mail server behind it, and what is seen of both.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clock::DemoClock;
use super::customer::Letter;
use super::customer::Reply;
use super::mailbox;
use super::mailbox::Kept;
use super::mailbox::Mailbox;
use super::phase::Phase;
use super::scratch::Scratch;
use super::shelf::Shelf;
use super::timeline::Timeline;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::load_strictly;
use crate::config::Loaded;
use crate::fax::FaxFile;
use crate::lock::LockRule;
use crate::serve::Gateway;
use crate::serve::Setup;
use crate::storage::StorageError;
use crate::storage::Store;
use crate::storage::Transaction;
use crate::storage::events;
use crate::storage::events::About;
use crate::storage::jobs;
use crate::storage::jobs::AttemptRow;
use crate::storage::jobs::JobRow;
use crate::time::Clock;
use crate::time::Timestamp;

/// Longest wait for anything; a slow machine in a development build needs a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Everything at work.
pub(super) struct Stage {
    /// What the audience reads.
    pub(super) timeline: Timeline,
    /// Everybody's clock.
    pub(super) clock: Arc<DemoClock>,
    /// What is left behind.
    pub(super) shelf: Arc<Shelf>,
    /// What the gateway mailed.
    pub(super) mailbox: Arc<Mailbox>,
    /// Where the gateway lives.
    pub(super) scratch: Scratch,
    /// The configuration and the accounts in force.
    pub(super) loaded: Loaded,
    /// Where the gateway takes mail.
    pub(super) smtp: SocketAddr,
    /// Where its mails go.
    pub(super) smarthost: SocketAddr,
    gateway: Gateway,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// A settled job and how it went.
pub(super) struct Sent {
    /// The job.
    pub(super) job: JobRow,
    /// Its calls.
    pub(super) attempts: Vec<AttemptRow>,
    /// What happened in them.
    pub(super) phases: Vec<Phase>,
    /// When its pages were ready; `None` if it has none.
    pub(super) rendered: Option<Timestamp>,
    /// Its pages.
    pub(super) pages: Option<u32>,
    /// How its sender was proved.
    pub(super) proof: String,
}

impl Stage {
    /// Starts the mail server, then the gateway.
    pub(super) async fn open(shelf: Arc<Shelf>) -> Result<Self, Failure> {
        let scratch = Scratch::create()?;
        let mailbox = Mailbox::new(Arc::clone(&shelf));
        let (stop, stopping) = watch::channel(false);
        let clock = Arc::new(DemoClock::new());
        let (smarthost, serving) =
            mailbox::serve(&mailbox, Arc::clone(&clock) as Arc<dyn Clock>, stopping)?;
        scratch.write_configuration(smarthost)?;
        let loaded = load_strictly(&scratch.config_file())?;
        let gateway = Gateway::start(Setup {
            config_file: scratch.config_file(),
            loaded: loaded.clone(),
            exe: std::env::current_exe()?,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            // The mail server here is made of the same door, and would be counted too.
            metrics: None,
        });
        let gateway = gateway.await?;
        let smtp = gateway.smtp.first().copied();
        let smtp = smtp.ok_or_else(|| Failure::new(Exit::Software, "no address takes mail"))?;
        Ok(Self {
            timeline: Timeline::new(clock.now()),
            clock,
            shelf,
            mailbox,
            scratch,
            loaded,
            smtp,
            smarthost,
            gateway,
            stop,
            serving,
        })
    }

    /// Stops everything and removes the scratch folder.
    pub(super) async fn close(self) {
        self.gateway.stop().await;
        // Nobody listening means that it has ended already.
        let _ = self.stop.send(true);
        self.serving.abort();
    }

    /// The present time.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Durable state of the gateway.
    pub(super) fn store(&self) -> &Store {
        &self.gateway.store
    }

    /// Where operators are answered.
    pub(super) fn monitor(&self) -> Option<SocketAddr> {
        self.gateway.monitor
    }

    /// Where browsers are answered.
    pub(super) fn web(&self) -> Option<SocketAddr> {
        self.gateway.web.first().copied()
    }

    /// `at` as the gateway's customers read it.
    pub(super) fn local(&self, at: Timestamp) -> String {
        let zone = &self.loaded.config.gateway.time_zone;
        format!("{} ({zone})", at.local(zone))
    }

    /// When and for how long wrong passwords lock this account.
    pub(super) fn lock_rule(&self, account: &str) -> Result<LockRule, Failure> {
        let accounts = &self.loaded.accounts.accounts.accounts;
        let found = accounts.iter().find(|known| known.id == account);
        let found = found.ok_or_else(|| missing(account))?;
        Ok(self.loaded.config.lock.over(&found.profile.lock))
    }

    /// Keeps and sends a mail, and tells both sides of it.
    pub(super) async fn post(&self, letter: Letter<'_>) -> Result<Reply, Failure> {
        self.timeline.flush()?;
        let message = letter.write()?;
        let file = self
            .shelf
            .mail(&format!("{}-{}", letter.who, letter.name), &message)?;
        self.timeline
            .event(self.now(), letter.who, &format!("mails to {}", letter.to));
        self.timeline
            .detail(&format!("Subject: {}", letter.subject));
        if let Some((name, _)) = &letter.pdf {
            self.timeline.detail(&format!("attached: {name}"));
        }
        for line in letter.text.lines().filter(|line| !line.is_empty()).take(2) {
            self.timeline.detail(&format!("| {line}"));
        }
        self.timeline.detail(&format!("-> {file}"));
        let reply = letter.send(self.smtp, &message).await?;
        let said = format!("answers {} {}", reply.code, reply.text);
        let at = self.answered_at(&reply).await?;
        self.timeline.event(at, "gateway", &said);
        Ok(reply)
    }

    /// When a mail was answered: what follows a 250 may be over before its client has read it.
    async fn answered_at(&self, reply: &Reply) -> Result<Timestamp, Failure> {
        let Some(batch) = reply.batch().filter(|_| reply.code == 250) else {
            return Ok(self.now());
        };
        let batch = self.store().read(move |tx| jobs::batch(tx, batch)).await?;
        Ok(batch.map_or_else(|| self.now(), |batch| batch.created_at))
    }

    /// Waits for the jobs of an accepted mail to be settled.
    pub(super) async fn settled(&self, reply: &Reply) -> Result<Vec<Sent>, Failure> {
        expect(reply.code == 250, "the mail is accepted (250)")?;
        let batch = reply.batch();
        let batch = batch.ok_or_else(|| missing("the number of the accepted mail"))?;
        self.wait("the end of the fax", || async {
            let jobs = self
                .store()
                .read(move |tx| jobs::jobs_of_batch(tx, batch))
                .await?;
            if jobs.is_empty() || !jobs.iter().all(|job| job.state.is_final()) {
                return Ok(None);
            }
            let told = self.store().read(move |tx| {
                jobs.into_iter()
                    .map(|job| sent(tx, job))
                    .collect::<Result<Vec<_>, _>>()
            });
            Ok(Some(told.await?))
        })
        .await
    }

    /// Waits for the only job of a mail, which must be sent; tells how it went and keeps its pages.
    pub(super) async fn delivered(&self, reply: &Reply, name: &str) -> Result<Sent, Failure> {
        let mut sent = self.settled(reply).await?;
        let sent = sent.pop().ok_or_else(|| missing("a job"))?;
        self.tell(&sent, name)?;
        expect(
            sent.job.status == crate::status::Status::SENT,
            "the fax is sent",
        )?;
        Ok(sent)
    }

    /// Tells how a job went, and keeps its pages.
    pub(super) fn tell(&self, sent: &Sent, name: &str) -> Result<(), Failure> {
        if let (Some(at), Some(pages)) = (sent.rendered, sent.pages) {
            let what = format!("made {} of it", count(pages, "fax page"));
            self.timeline.event(at, "gateway", &what);
        }
        self.tell_calls(sent);
        let path = self.scratch.line().join(format!("{}.tiff", sent.job.id));
        if sent.job.pages_sent > 0 {
            let file = FaxFile {
                tiff: std::fs::read(&path)?,
                pages: sent.job.pages_sent,
            };
            check_pages(&file)?;
            for name in self.shelf.pages(name, &file)? {
                self.timeline.detail(&format!("-> {name}"));
            }
        }
        self.shelf.calls(&self.scratch.line())?;
        Ok(())
    }

    /// Tells of the calls of a job, phase by phase.
    fn tell_calls(&self, sent: &Sent) {
        for call in &sent.attempts {
            let what = format!("calls {}", sent.job.destination);
            self.timeline.event(call.started_at, "line", &what);
        }
        for phase in &sent.phases {
            self.timeline.event(phase.at, "line", &phase.what);
        }
        for call in &sent.attempts {
            let Some((ended, status)) = call.ended_at.zip(call.status) else {
                continue;
            };
            let pages = u32::try_from(call.pages_sent).unwrap_or_default();
            let (text, pages) = (status.text_en(), count(pages, "page"));
            let what = format!("status {} ({text}), {pages}", status.0);
            self.timeline.event(ended, "line", &what);
        }
    }

    /// Waits for a mail of the gateway and tells of it.
    pub(super) async fn mail(&self, kind: &str, recipient: &str) -> Result<Kept, Failure> {
        let what = format!("a mail ({kind}) to {recipient}");
        let kept = self
            .wait(&what, || async { Ok(self.mailbox.take(kind, recipient)) })
            .await?;
        self.tell_of(&kept);
        Ok(kept)
    }

    /// Tells of a mail of the gateway.
    pub(super) fn tell_of(&self, mail: &Kept) {
        let what = format!("mails to {}", mail.recipient);
        self.timeline.event(mail.at, "gateway", &what);
        self.timeline.detail(&format!("Subject: {}", mail.subject));
        for (name, bytes) in &mail.attachments {
            self.timeline
                .detail(&format!("attached: {name} ({} bytes)", bytes.len()));
        }
        self.timeline.detail(&format!("-> {}", mail.file));
    }

    /// Looks until `look` finds something.
    pub(super) async fn wait<T, F, L>(&self, what: &str, look: L) -> Result<T, Failure>
    where
        L: Fn() -> F,
        F: Future<Output = Result<Option<T>, Failure>>,
    {
        let until = self.now().plus(PATIENCE);
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if self.now() > until {
                return Err(missing(&format!("{what}, waited {} s", PATIENCE.as_secs())));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Files of the gateway that contain `text`, and how many were searched.
    pub(super) fn search(&self, text: &str) -> Result<(Vec<PathBuf>, usize), Failure> {
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let (mut found, mut searched) = (Vec::new(), 0);
        let mut folders = vec![self.scratch.folder().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let bytes = match std::fs::read(&path) {
                    Ok(bytes) => bytes,
                    // Temporary files come and go while the gateway works.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error.into()),
                };
                searched += 1;
                let has = |what: &[u8]| memchr::memmem::find(&bytes, what).is_some();
                if has(text.as_bytes()) || has(&utf16) {
                    found.push(path);
                }
            }
        }
        Ok((found, searched))
    }
}

/// What a job went through.
pub(super) fn sent(tx: &mut dyn Transaction, job: JobRow) -> Result<Sent, StorageError> {
    let about = About::Job {
        job: job.id,
        batch: job.batch,
    };
    let events = events::list(tx, &job.account, about)?;
    let proof = events.iter().find(|event| event.kind == "authenticated");
    let proof =
        proof.and_then(|event| serde_json::from_str::<serde_json::Value>(&event.detail).ok());
    Ok(Sent {
        attempts: jobs::attempts(tx, job.id)?,
        phases: events.iter().filter_map(Phase::of).collect(),
        rendered: events
            .iter()
            .find(|event| event.kind == "rendered")
            .map(|event| event.at),
        pages: jobs::batch(tx, job.batch)?.and_then(|batch| batch.pages),
        proof: proof
            .and_then(|proof| Some(proof.get("how")?.as_str()?.to_owned()))
            .unwrap_or_default(),
        job,
    })
}

/// The story only goes on if what it shows is true.
pub(super) fn expect(holds: bool, what: &str) -> Result<(), Failure> {
    match holds {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Software,
            format!("the demonstration went wrong; expected: {what}"),
        )),
    }
}

/// Something expected that did not come.
pub(super) fn missing(what: &str) -> Failure {
    Failure::new(
        Exit::Software,
        format!("the demonstration went wrong; missing: {what}"),
    )
}

/// `1 page`, `2 pages`.
pub(super) fn count(number: u32, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Each page has something on it and is not black.
fn check_pages(file: &FaxFile) -> Result<(), Failure> {
    let limits = faxpage::TiffLimits {
        max_pages: 1000,
        max_pixels: 64 * 1024 * 1024,
    };
    let pages = faxpage::read_tiff(&file.tiff, &limits)
        .map_err(|error| Failure::new(Exit::Software, error))?;
    expect(
        u32::try_from(pages.len()) == Ok(file.pages),
        "all pages are there",
    )?;
    let written = pages.iter().all(|page| {
        let all = u64::from(page.bitmap.width()) * u64::from(page.bitmap.height());
        (1_000..all / 3).contains(&page.bitmap.black_pixels())
    });
    expect(written, "there is writing on every page")
}
