//! Faxes that another program sends: what it finds in the folder, and what its results mean.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use faxgate::config::Spool;
use faxgate::fax::CallProgress;
use faxgate::fax::Cause;
use faxgate::fax::Outcome;
use faxgate::time::Clock;
use faxgate::time::SystemClock;
use faxgate::time::Timestamp;
use faxgate::time::Wait;
use faxgate::transmit::Call;
use faxgate::transmit::FaxTransport;
use faxgate::transmit::Resolution;
use faxgate::transmit::spool::SpoolTransport;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::wait_for;
use crate::upstream::Told;
use crate::upstream::call;
use crate::upstream::make;
use crate::upstream::report;

const POLL: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(3600);
/// Shorter than anybody needs to look twice.
const SHORT: Duration = Duration::from_millis(1);

/// The machine's clock, and how far it is put forward.
#[derive(Default)]
struct Shifted(AtomicI64);

impl Shifted {
    fn put_forward(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        let shift = self.0.load(Ordering::SeqCst);
        Timestamp::from_ms(SystemClock.now().as_ms() + shift)
    }

    fn wait_until(&self, until: Timestamp) -> Wait<'_> {
        let left = until.since(self.now());
        let until = SystemClock.now().plus(left.min(POLL));
        Box::pin(async move { SystemClock.wait_until(until).await })
    }
}

struct Story {
    folder: TempDir,
    clock: Arc<Shifted>,
    transport: Arc<SpoolTransport>,
}

impl Story {
    fn begin(give_up: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::<Shifted>::default();
        let transport = open_at(folder.path(), give_up, clock.clone());
        Self {
            folder,
            clock,
            transport,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The other program's side: runs once the description is there.
    async fn answered(&self, call: Call, answer: impl FnOnce(&Path) + Send + 'static) -> Outcome {
        let folder = self.folder.path().to_owned();
        let description = folder.join(format!("{}-{}.json", call.job, call.attempt));
        let program = tokio::task::spawn_blocking(move || {
            wait_for("the description", || description.exists().then_some(()));
            answer(&folder);
        });
        let outcome = make(self.transport.as_ref(), &call).await;
        program.await.unwrap();
        outcome
    }

    async fn with_result(&self, result: &'static str) -> Outcome {
        self.answered(call(1), |folder| put(folder, result)).await
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

fn open(folder: &Path, give_up: Duration) -> Arc<SpoolTransport> {
    open_at(folder, give_up, Arc::new(SystemClock))
}

fn open_at(folder: &Path, give_up: Duration, clock: Arc<dyn Clock>) -> Arc<SpoolTransport> {
    let config = Spool {
        directory: folder.to_owned(),
        poll: POLL,
        give_up,
    };
    Arc::new(SpoolTransport::open(&config, clock).unwrap())
}

/// As `docs/spool.md` asks for it: whole at once.
fn put(folder: &Path, result: &str) {
    std::fs::write(folder.join("result.new"), result).unwrap();
    std::fs::rename(folder.join("result.new"), folder.join("7-1.result.json")).unwrap();
}

#[tokio::test]
async fn the_program_finds_pages_and_everything_it_has_to_know() {
    let story = Story::begin(LONG);
    let mut call = call(1);
    call.first_page = 1;
    let tiff = call.fax.tiff.clone();
    let outcome = story
        .answered(call, move |folder| {
            let text = std::fs::read(folder.join("7-1.json")).unwrap();
            let found: Json = serde_json::from_slice(&text).unwrap();
            for (key, value) in [
                ("number", Json::from("+81312345678")),
                ("file", "7-1.tiff".into()),
                ("pages", 3.into()),
                ("first_page", 1.into()),
                ("local_id", "+81 3 8765 4321".into()),
                ("sub_address", "12#".into()),
                ("ecm", true.into()),
                ("fastest", "v17".into()),
                ("header_drawn", true.into()),
            ] {
                assert_eq!(found[key], value, "{key}");
            }
            assert_eq!(std::fs::read(folder.join("7-1.tiff")).unwrap(), tiff);
            put(folder, r#"{"status":"sent","pages":2,"remote_id":"+81 3 1","rate":14400,"media":"t38","ecm":true}"#);
        })
        .await;
    assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}");
    let report = report(&outcome);
    assert_eq!((report.pages_sent, report.rate), (3, 14_400));
    assert_eq!(report.remote_id.as_str(), "+81 3 1");
    assert_eq!(report.line, "spool");
}

#[tokio::test]
async fn causes_are_words_and_some_of_them_are_final() {
    let never = r#"{"status":"number unassigned"}"#;
    let outcome = Story::begin(LONG).with_result(never).await;
    assert!(matches!(
        outcome,
        Outcome::Failed(Cause::NumberUnassigned, _)
    ));
    let again = r#"{"status":"no answer"}"#;
    let outcome = Story::begin(LONG).with_result(again).await;
    assert!(matches!(outcome, Outcome::Retry(Cause::NoAnswer, _)));
    let said = r#"{"status":"busy","retry":false,"pages":99,"detail":"a\u0007b"}"#;
    let outcome = Story::begin(LONG).with_result(said).await;
    assert!(matches!(outcome, Outcome::Failed(Cause::Busy, _)));
    assert_eq!(report(&outcome).pages_sent, 3, "no more than there are");
    assert_eq!(report(&outcome).detail, "ab");
    let not = r#"{"status":"not called","detail":"no modem"}"#;
    let outcome = Story::begin(LONG).with_result(not).await;
    assert!(matches!(outcome, Outcome::NotCalled { why } if why == "no modem"));
}

#[tokio::test]
async fn progress_is_passed_on_line_by_line() {
    let story = Story::begin(LONG);
    let told = Told::default();
    let call = call(1);
    let folder = story.folder.path().to_owned();
    let program = tokio::task::spawn_blocking(move || {
        let description = folder.join("7-1.json");
        wait_for("the description", || description.exists().then_some(()));
        let lines = "{\"phase\":\"ringing\"}\nrubbish\n{\"phase\":\"page\",\"confirmed\":9,\"of\":1}\n{\"phase\":\"half";
        std::fs::write(folder.join("7-1.progress.jsonl"), lines).unwrap();
        put(&folder, r#"{"status":"busy"}"#);
    });
    let line = story.transport.line(&call.number).await;
    story.transport.send(&call, line, &told).await;
    program.await.unwrap();
    let all = told.all();
    let page = CallProgress::Page {
        confirmed: 3,
        of: 3,
    };
    let expected = [CallProgress::Ringing, page, CallProgress::Released];
    // The result may come between two looks at the progress: then it is not told any more.
    assert!(all == expected || all == expected[2..], "{all:?}");
}

#[tokio::test]
async fn a_fax_that_the_program_has_taken_is_told_as_being_dialled() {
    let story = Story::begin(LONG);
    let told = Arc::new(Told::default());
    let (call, seen) = (call(1), Arc::clone(&told));
    let folder = story.folder.path().to_owned();
    let program = tokio::task::spawn_blocking(move || {
        let description = folder.join("7-1.json");
        wait_for("the description", || description.exists().then_some(()));
        std::fs::rename(description, folder.join("7-1.taken")).unwrap();
        wait_for("what is told", || (!seen.all().is_empty()).then_some(()));
        put(&folder, r#"{"status":"busy"}"#);
    });
    let line = story.transport.line(&call.number).await;
    story.transport.send(&call, line, told.as_ref()).await;
    program.await.unwrap();
    let line = "spool".to_owned();
    let dialling = CallProgress::Dialling { line };
    assert_eq!(told.all(), [dialling, CallProgress::Released]);
}

#[tokio::test]
async fn half_a_result_is_read_again_until_it_is_whole() {
    let story = Story::begin(LONG);
    let outcome = story
        .answered(call(1), |folder| {
            let result = folder.join("7-1.result.json");
            std::fs::write(&result, r#"{"status":"se"#).unwrap();
            std::fs::write(&result, "").unwrap();
            std::fs::write(&result, r#"{"status":"fine"}"#).unwrap();
            put(folder, r#"{"status":"sent"}"#);
        })
        .await;
    assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_result_that_nobody_understands_ends_as_an_unknown_outcome() {
    for result in [
        "",
        "{",
        r#"{"status":"fine"}"#,
        r#"{"status":"sent","pages":-1}"#,
        "[]",
    ] {
        let story = Story::begin(LONG);
        std::fs::write(story.path("7-1.taken"), "").unwrap();
        let files = story.transport.resolve(7, 1).await;
        assert_eq!(files, Resolution::Unknown, "no description");
        let clock = Arc::clone(&story.clock);
        let outcome = story
            .answered(call(1), move |folder| {
                std::fs::rename(folder.join("7-1.json"), folder.join("7-1.taken")).unwrap();
                std::fs::write(folder.join("7-1.result.json"), result).unwrap();
                clock.put_forward(LONG);
            })
            .await;
        let unknown = matches!(outcome, Outcome::Failed(Cause::Interrupted, _));
        assert!(unknown, "{result}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_was_taken_and_never_answered_has_an_unknown_outcome() {
    let story = Story::begin(LONG);
    let clock = Arc::clone(&story.clock);
    let outcome = story
        .answered(call(1), move |folder| {
            std::fs::rename(folder.join("7-1.json"), folder.join("7-1.taken")).unwrap();
            clock.put_forward(LONG);
        })
        .await;
    let unknown = matches!(outcome, Outcome::Failed(Cause::Interrupted, _));
    assert!(unknown, "{outcome:?}");
    assert_eq!(story.transport.resolve(7, 1).await, Resolution::Unknown);
}

#[tokio::test]
async fn what_nobody_takes_in_time_is_withdrawn() {
    let story = Story::begin(SHORT);
    let outcome = make(story.transport.as_ref(), &call(1)).await;
    assert!(
        matches!(outcome, Outcome::Retry(Cause::Network, _)),
        "{outcome:?}"
    );
    assert!(
        !story.path("7-1.json").exists(),
        "nobody can take it any more"
    );
    assert_eq!(
        story.transport.resolve(7, 1).await,
        Resolution::NeverDialled
    );
}

#[tokio::test]
async fn after_a_crash_the_files_say_what_became_of_it() {
    let story = Story::begin(LONG);
    assert_eq!(
        story.transport.resolve(7, 1).await,
        Resolution::NeverDialled
    );
    let transport = Arc::clone(&story.transport);
    let sending = tokio::spawn(async move { make(transport.as_ref(), &call(1)).await });
    let description = story.path("7-1.json");
    let there = description.clone();
    let waited = tokio::task::spawn_blocking(move || {
        wait_for("the description", || there.exists().then_some(()));
    });
    waited.await.unwrap();
    sending.abort();
    let again = open(story.folder.path(), LONG);
    assert_eq!(again.resolve(7, 1).await, Resolution::GoesOn);
    std::fs::rename(&description, story.path("7-1.taken")).unwrap();
    assert_eq!(again.resolve(7, 1).await, Resolution::GoesOn);
    put(story.folder.path(), r#"{"status":"busy"}"#);
    let resolution = again.resolve(7, 1).await;
    let busy = |r: &Resolution| matches!(r, Resolution::Ended(Outcome::Retry(Cause::Busy, _)));
    assert!(busy(&resolution), "{resolution:?}");
    again.settled(7, 1).await;
    again.settled(7, 1).await;
    assert_eq!(story.names(), Vec::<String>::new());
    assert_eq!(again.resolve(7, 1).await, Resolution::NeverDialled);
}

#[tokio::test]
async fn a_crash_while_it_was_written_is_no_call_and_a_lost_description_is_an_unknown_one() {
    let story = Story::begin(LONG);
    std::fs::write(story.path("7-1.json.new"), "{").unwrap();
    std::fs::write(story.path("7-1.tiff"), "II*").unwrap();
    assert_eq!(
        story.transport.resolve(7, 1).await,
        Resolution::NeverDialled
    );
    std::fs::remove_file(story.path("7-1.json.new")).unwrap();
    assert_eq!(story.transport.resolve(7, 1).await, Resolution::Unknown);
}

#[tokio::test]
async fn a_second_go_at_an_attempt_does_not_see_the_result_of_the_first() {
    let story = Story::begin(SHORT);
    for old in ["7-1.taken", "7-1.result.json", "7-1.withdrawn"] {
        std::fs::write(story.path(old), r#"{"status":"sent"}"#).unwrap();
    }
    let outcome = make(story.transport.as_ref(), &call(1)).await;
    assert!(
        matches!(outcome, Outcome::Retry(Cause::Network, _)),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_makes_no_call() {
    let story = Story::begin(LONG);
    std::fs::remove_dir(story.folder.path()).unwrap();
    let outcome = make(story.transport.as_ref(), &call(1)).await;
    assert!(matches!(outcome, Outcome::NotCalled { .. }), "{outcome:?}");
    std::fs::create_dir(story.folder.path()).unwrap();
}

#[test]
fn a_mail_goes_through_the_folder_and_a_killed_gateway_loses_nothing() {
    let setup = Setup::new(&[Account::tanaka()])
        .set("transport", "kind", "\"spool\"")
        .set("transport.spool", "directory", "\"spool\"")
        .set("transport.spool", "poll", "\"100ms\"");
    let mut gateway = Gateway::start(setup);
    gateway.accepts(&Mail::right("0312345678@fax.example"));
    let folder = gateway.path("spool");
    let path = wait_for("the description", || {
        let entries = std::fs::read_dir(&folder).ok()?;
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths.find(|path| path.extension().is_some_and(|end| end == "json"))
    });
    gateway.kill();
    std::fs::rename(&path, path.with_extension("taken")).unwrap();
    let result = r#"{"status":"sent","pages":1,"remote_id":"+81 3 1"}"#;
    std::fs::write(path.with_extension("new"), result).unwrap();
    std::fs::rename(
        path.with_extension("new"),
        path.with_extension("result.json"),
    )
    .unwrap();
    gateway.serve();
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
    wait_for("the files to be removed", || {
        let mut entries = std::fs::read_dir(&folder).unwrap();
        entries.next().is_none().then_some(())
    });
    let journal = std::fs::read_to_string(gateway.path("var/calls.jsonl")).unwrap();
    let lines: Vec<Json> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["transport"], "spool");
    assert_eq!(lines[0]["remote_id"], "+81 3 1");
}
