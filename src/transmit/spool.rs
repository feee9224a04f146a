//! Calls that another program makes: pages and a description go into a folder, a result comes back. The format stands in
//! `docs/spool.md`.
//!
//! The description is named last, so that whoever sees it sees all. Until the program takes it (renames it) it can be
//! withdrawn; from then on only a result says what became of it.

mod description;
mod progress;
mod result;

use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Spool;
use crate::fax::CallProgress;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;
use crate::time::Clock;
use crate::transmit::Call;
use crate::transmit::FaxTransport;
use crate::transmit::Later;
use crate::transmit::Line;
use crate::transmit::Resolution;
use crate::transmit::Watch;
use crate::transmit::durable;

use description::Description;
use progress::Progress;

/// The line's name in reports.
const LINE: &str = "spool";
/// A longer description or result is none.
const LONGEST: u64 = 64 * 1024;

/// Calls into a folder that another program empties.
pub struct SpoolTransport {
    directory: PathBuf,
    poll: Duration,
    give_up: Duration,
    clock: Arc<dyn Clock>,
}

/// The files of one call.
#[derive(Clone, Debug)]
struct Files {
    pages: PathBuf,
    /// The description while it is being written.
    draft: PathBuf,
    description: PathBuf,
    /// The description once the program has taken it.
    taken: PathBuf,
    /// The description once we have taken it back.
    withdrawn: PathBuf,
    progress: PathBuf,
    result: PathBuf,
}

/// Where a call is.
enum Place {
    /// There is a result, with the description it belongs to.
    Ended(result::Report),
    /// There is a result that cannot be read (yet), and why.
    Unreadable(String),
    /// Nobody took it yet.
    Waiting,
    /// The program is at it.
    Taken,
    /// We were still writing it, or there is nothing.
    NeverThere,
    /// Its description is gone: somebody removed it.
    Gone,
}

impl SpoolTransport {
    /// Opens the folder; it is made if it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(config: &Spool, clock: Arc<dyn Clock>) -> io::Result<Self> {
        std::fs::create_dir_all(&config.directory)?;
        Ok(Self {
            directory: config.directory.clone(),
            poll: config.poll,
            give_up: config.give_up,
            clock,
        })
    }

    async fn call(&self, call: &Call, watch: &dyn Watch) -> Outcome {
        let files = self.files(call.job, call.attempt);
        let give_up = self.clock.now().plus(self.give_up);
        let description = Description::of(call, self.clock.now(), give_up);
        if let Err(error) = hand_over(&files, &description, call.fax.tiff.clone()).await {
            tracing::error!(%error, job = call.job, "a fax could not be put into the spool folder");
            let why = format!("the spool folder cannot be written: {error}");
            return Outcome::NotCalled { why };
        }
        self.wait(&files, &description, watch).await
    }

    /// Waits for the result.
    async fn wait(&self, files: &Files, description: &Description, watch: &dyn Watch) -> Outcome {
        let mut progress = Progress::default();
        let (mut complained, mut taken) = (false, false);
        loop {
            let place = place(files).await;
            let late = self.clock.now() >= description.give_up();
            if matches!(place, Place::Taken) && !taken {
                taken = true;
                let line = LINE.to_owned();
                watch.note(CallProgress::Dialling { line });
            }
            for event in progress.news(&files.progress, description).await {
                watch.note(event);
            }
            match place {
                Place::Ended(result) => {
                    watch.note(CallProgress::Released);
                    return result.outcome(description, self.clock.now());
                }
                Place::Unreadable(why) => {
                    if !complained {
                        tracing::warn!(
                            job = description.job,
                            why,
                            "a spool result is not understood"
                        );
                        complained = true;
                    }
                    if late {
                        let why = format!("its result was not understood: {why}");
                        return self.unknown(description, why);
                    }
                }
                Place::Waiting if late && withdraw(files).await => {
                    let why = "nobody took it from the spool folder in time".to_owned();
                    return Outcome::Retry(Cause::Network, self.report(description, why));
                }
                Place::Taken | Place::Gone | Place::NeverThere if late => {
                    let why = "no result came into the spool folder in time".to_owned();
                    return self.unknown(description, why);
                }
                Place::Waiting | Place::Taken | Place::Gone | Place::NeverThere => {}
            }
            self.clock
                .wait_until(self.clock.now().plus(self.poll))
                .await;
        }
    }

    async fn look_up(&self, job: i64, attempt: u32) -> Resolution {
        let files = self.files(job, attempt);
        let place = place(&files).await;
        let description = match description::read(&files).await {
            Ok(description) => description,
            Err(error) => {
                tracing::error!(%error, job, "a description in the spool folder cannot be read");
                None
            }
        };
        match (place, description) {
            (Place::NeverThere, _) => Resolution::NeverDialled,
            (Place::Ended(result), Some(description)) => {
                Resolution::Ended(result.outcome(&description, self.clock.now()))
            }
            (Place::Waiting | Place::Taken | Place::Unreadable(_), Some(description))
                if self.clock.now() < description.give_up() =>
            {
                Resolution::GoesOn
            }
            (Place::Waiting, Some(_)) if withdraw(&files).await => Resolution::NeverDialled,
            (
                Place::Ended(_)
                | Place::Unreadable(_)
                | Place::Waiting
                | Place::Taken
                | Place::Gone,
                _,
            ) => Resolution::Unknown,
        }
    }

    async fn forget(&self, job: i64, attempt: u32) {
        let files = self.files(job, attempt);
        let removed = durable::blocking(move || {
            // The description goes last but one and the result last: what remains after a crash still says how it ended.
            for path in [
                &files.pages,
                &files.progress,
                &files.draft,
                &files.withdrawn,
                &files.description,
                &files.taken,
                &files.result,
            ] {
                durable::remove(path)?;
            }
            durable::sync_folder_of(&files.result)
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, job, "files of an ended call stay in the spool folder");
        }
    }

    fn files(&self, job: i64, attempt: u32) -> Files {
        let path = |end: &str| self.directory.join(format!("{job}-{attempt}.{end}"));
        Files {
            pages: path("tiff"),
            draft: path("json.new"),
            description: path("json"),
            taken: path("taken"),
            withdrawn: path("withdrawn"),
            progress: path("progress.jsonl"),
            result: path("result.json"),
        }
    }

    fn report(&self, description: &Description, detail: String) -> CallReport {
        CallReport {
            pages_sent: description.first_page,
            started: description.created(),
            ended: self.clock.now(),
            line: LINE.to_owned(),
            detail,
            ..CallReport::default()
        }
    }

    fn unknown(&self, description: &Description, why: String) -> Outcome {
        Outcome::Failed(Cause::Interrupted, self.report(description, why))
    }
}

impl FaxTransport for SpoolTransport {
    fn send<'a>(&'a self, call: &'a Call, line: Line, watch: &'a dyn Watch) -> Later<'a, Outcome> {
        Box::pin(async move {
            let _line = line;
            self.call(call, watch).await
        })
    }

    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution> {
        Box::pin(self.look_up(job, attempt))
    }

    fn settled<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, ()> {
        Box::pin(self.forget(job, attempt))
    }
}

/// Writes the pages, and names the description last. What a former go at the same attempt left is removed first. An error
/// means that nobody can have taken it.
async fn hand_over(files: &Files, description: &Description, tiff: Vec<u8>) -> io::Result<()> {
    let files = files.clone();
    let text = serde_json::to_vec_pretty(description).map_err(io::Error::other)?;
    durable::blocking(move || {
        let old = [
            &files.withdrawn,
            &files.taken,
            &files.progress,
            &files.result,
        ];
        old.into_iter().try_for_each(|path| durable::remove(path))?;
        // The draft is there before the pages: as long as it is, nobody can have begun.
        durable::write(&files.draft, &text)?;
        durable::sync_folder_of(&files.draft)?;
        durable::replace(&files.pages, &tiff)?;
        std::fs::rename(&files.draft, &files.description)?;
        match durable::sync_folder_of(&files.description) {
            // Not durable, so it is taken back, unless the program was faster.
            Err(error) if std::fs::rename(&files.description, &files.withdrawn).is_ok() => {
                Err(error)
            }
            Ok(()) | Err(_) => Ok(()),
        }
    })
    .await
}

/// Takes a description back; whether that came before the program took it.
async fn withdraw(files: &Files) -> bool {
    let files = files.clone();
    let withdrawn = durable::blocking(move || {
        std::fs::rename(&files.description, &files.withdrawn)?;
        durable::sync_folder_of(&files.withdrawn)
    });
    withdrawn.await.is_ok()
}

async fn place(files: &Files) -> Place {
    let files = files.clone();
    let found = durable::blocking(move || {
        Ok(match read(&files.result) {
            Ok(Some(bytes)) => match result::read(&bytes) {
                Ok(report) => Place::Ended(report),
                Err(why) => Place::Unreadable(why),
            },
            Ok(None) if files.taken.exists() => Place::Taken,
            Ok(None) if files.description.exists() => Place::Waiting,
            Ok(None) if files.draft.exists() || files.withdrawn.exists() => Place::NeverThere,
            // Pages without a description: it was there, and somebody removed it.
            Ok(None) if files.pages.exists() => Place::Gone,
            Ok(None) => Place::NeverThere,
            Err(error) => Place::Unreadable(error.to_string()),
        })
    });
    let found = found.await;
    found.unwrap_or_else(|error| Place::Unreadable(error.to_string()))
}

/// What stands in a small file; `None` if it is not there.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= LONGEST => Ok(Some(bytes)),
        Ok(_) | Err(_) => Err(io::Error::other("it is too long")),
    }
}
