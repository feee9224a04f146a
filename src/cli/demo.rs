//! `faxgate demo`: a gateway in a scratch folder, its customers, and what becomes of their mails.
//!
//! Everything is real but the telephone network (both fax machines of a call are in this process) and the next mail server,
//! which keeps what it gets. Nothing of the machine is touched but the scratch folder and the output folder.

mod clock;
mod customer;
mod estimate;
mod mailbox;
mod phase;
mod scratch;
mod shelf;
mod stage;
mod story;
mod timeline;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use self::shelf::Shelf;
use self::stage::Stage;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::block_on;
use crate::cli::output;
use crate::cli::serve::forbid_core_dumps;
use crate::storage::jobs;

/// How often it is looked for what visitors caused.
const LOOK: Duration = Duration::from_millis(200);

/// Options of `demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// End after the story instead of serving on.
    #[arg(long)]
    once: bool,
    /// Where mails and pages are left.
    #[arg(long, value_name = "DIR", default_value = "demo-out")]
    out: PathBuf,
}

/// Plays the story, then serves on until Ctrl-C.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    forbid_core_dumps();
    let shelf = Arc::new(Shelf::open(&options.out)?);
    block_on(async {
        let mut end = Ends::watch()?;
        introduce(&shelf)?;
        let stage = tokio::select! {
            stage = Stage::open(shelf) => stage?,
            () = end.comes() => return Err(interrupted()),
        };
        let shown = tokio::select! {
            shown = show(&stage, options.once) => shown,
            () = end.comes() => Err(interrupted()),
        };
        stage.timeline.flush()?;
        let shown = match shown {
            Ok(()) if !options.once => tokio::select! {
                followed = follow(&stage) => followed,
                () = end.comes() => Ok(()),
            },
            shown => shown,
        };
        stage.close().await;
        shown?;
        output::line("\nThe gateway has stopped; its scratch folder is removed.")
    })
}

/// The signals that end a program.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Ends {
    fn watch() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn comes(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

fn interrupted() -> Failure {
    Failure::new(Exit::Unavailable, "the demonstration was interrupted")
}

fn introduce(shelf: &Shelf) -> Result<(), Failure> {
    output::line(
        "faxgate demo: a real gateway on free ports of this machine, in a scratch folder.",
    )?;
    output::line(&about_the_line())?;
    output::line("")?;
    output::line("  tanaka   must put a password into each mail; owns the number 03-4567-0001")?;
    output::line("  suzuki   proves himself by his address alone")?;
    output::line("")?;
    let folder = shelf.folder().display();
    output::line(&format!(
        "\"|\" begins text of a mail; \"->\" names the file in {folder}/ that keeps it."
    ))
}

/// What is genuine of the faxes.
fn about_the_line() -> String {
    match spandsp::is_available() {
        true => {
            "Only the telephone network is not: both fax machines of a call are in here, and do\n\
                 all of T.30 over T.38 packets, in a hundredth of the time."
                .to_owned()
        }
        false => format!(
            "Only the fax line is not real: its calls end in a folder, a hundred times faster.\n\
             For genuine T.30 install this and build again: {}",
            spandsp::INSTALL
        ),
    }
}

async fn show(stage: &Stage, once: bool) -> Result<(), Failure> {
    story::play(stage).await?;
    let folder = stage.shelf.folder().display();
    output::line("\nAll of it went as it should. Left behind:\n")?;
    output::line(&format!(
        "  {folder}/fax/         the pages as PNG and TIFF"
    ))?;
    output::line(&format!(
        "  {folder}/mail/        every mail; those of customers hold sample passwords"
    ))?;
    output::line(&format!("  {folder}/calls.jsonl  the journal of the line"))?;
    match once {
        true => Ok(()),
        false => invite(stage),
    }
}

/// How to try it oneself.
fn invite(stage: &Stage) -> Result<(), Failure> {
    let (smtp, smarthost) = (stage.smtp, stage.smarthost);
    output::line("\nThe gateway goes on. It listens here:\n")?;
    output::line(&format!("  mail to fax   smtp://{smtp}"))?;
    if let Some(address) = stage.web() {
        output::line(&format!("  account web   http://{address}/"))?;
        let password = scratch::PASSWORD;
        output::line(&format!(
            "                login ID tanaka, password {password}"
        ))?;
    }
    if let Some(address) = stage.monitor() {
        output::line(&format!("  operators     http://{address}/readyz"))?;
    }
    output::line(&format!(
        "  its own mails go to smtp://{smarthost} (this demo keeps them)"
    ))?;
    output::line("\nSend a fax of your own from another terminal:\n")?;
    output::line("  printf 'Subject: try\\n\\nこんにちは %s\\n' \"$(date)\" |")?;
    output::line(&format!(
        "    curl --crlf smtp://{smtp} --mail-from suzuki@supplier.example \\"
    ))?;
    output::line("      --mail-rcpt 03-1234-5678@fax.example -T -")?;
    output::line("\nLook inside while it runs:\n")?;
    let program = std::env::args_os()
        .next()
        .unwrap_or_else(|| "faxgate".into());
    let program = PathBuf::from(program);
    let config = stage.scratch.config_file();
    for command in ["job list", "received list", "account show tanaka"] {
        output::line(&format!(
            "  {} --config {} {command}",
            program.display(),
            config.display()
        ))?;
    }
    output::line("\nCtrl-C ends it.\n")
}

/// Tells of what visitors cause, until it is dropped.
async fn follow(stage: &Stage) -> Result<(), Failure> {
    let mut told: HashSet<i64> = HashSet::new();
    let mut first = true;
    loop {
        let rows = stage.store().read(|tx| {
            let rows = jobs::jobs(tx, None, None, 100)?;
            let settled = rows.into_iter().filter(|job| job.state.is_final());
            settled
                .map(|job| stage::sent(tx, job))
                .collect::<Result<Vec<_>, _>>()
        });
        for sent in rows.await?.iter().rev() {
            if told.insert(sent.job.id) && !first {
                stage.tell(sent, &format!("job-{}", sent.job.id))?;
                let status = sent.job.status;
                let what = format!("job ends: {} ({})", status.0, status.text_en());
                stage.timeline.event(stage.now(), "gateway", &what);
            }
        }
        first = false;
        for mail in stage.mailbox.take_all() {
            stage.tell_of(&mail);
        }
        stage.timeline.flush()?;
        tokio::time::sleep(LOOK).await;
    }
}
