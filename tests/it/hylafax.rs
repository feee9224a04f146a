//! Calls over HylaFAX: Debian's server, and one that fails at every point.

mod fake;
mod real;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faxgate::config::Hylafax;
use faxgate::fax::CallProgress;
use faxgate::fax::Cause;
use faxgate::fax::CountryCode;
use faxgate::fax::Outcome;
use faxgate::secret::Secret;
use faxgate::time::SystemClock;
use faxgate::transmit::Condition;
use faxgate::transmit::FaxTransport;
use faxgate::transmit::Resolution;
use faxgate::transmit::hylafax::HylafaxTransport;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::gateway::wait_for;
use crate::upstream::Told;
use crate::upstream::Tray;
use crate::upstream::call;
use crate::upstream::fax;
use crate::upstream::make;
use crate::upstream::number;
use crate::upstream::report;

use fake::Fake;
use fake::Fault;
use real::HylaFax;

const NOTE: &str = "faxgate 7-1";

/// Our side: a transport, and the folder with what it must know after a crash.
struct Side {
    calls: TempDir,
    server: String,
    tray: Arc<Tray>,
}

impl Side {
    fn of(server: impl ToString) -> Self {
        Self {
            calls: tempfile::tempdir().unwrap(),
            server: server.to_string(),
            tray: Tray::new(),
        }
    }

    fn transport(&self) -> Arc<HylafaxTransport> {
        self.with_password("secret")
    }

    fn with_password(&self, password: &str) -> Arc<HylafaxTransport> {
        Arc::new(self.made(password))
    }

    fn made(&self, password: &str) -> HylafaxTransport {
        let config = Hylafax {
            server: self.server.clone(),
            user: "faxgate".to_owned(),
            password_file: None,
            lines: 2,
            poll: Duration::from_millis(100),
            receive: true,
            number: "0312345678".to_owned(),
        };
        let password = Some(Secret::new(password.to_owned()));
        let inbound = Arc::clone(&self.tray);
        let (country, clock) = (CountryCode::JAPAN, Arc::new(SystemClock));
        let calls = self.calls.path();
        HylafaxTransport::new(&config, password, &country, calls, inbound, clock).unwrap()
    }

    fn is_noted(&self) -> bool {
        self.calls.path().join("7-1/hylafax.json").exists()
    }
}

fn sending(transport: &Arc<HylafaxTransport>) -> JoinHandle<Outcome> {
    let transport = Arc::clone(transport);
    tokio::spawn(async move { make(transport.as_ref(), &call(1)).await })
}

fn was_ended_there(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(Cause::Network, report) if report.detail == "Job aborted by request [E345]")
}

// Debian's server.

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_there_with_our_note_until_somebody_ends_it() {
    let hylafax = HylaFax::start();
    let side = Side::of(format!("127.0.0.1:{}", hylafax.port));
    let transport = side.transport();
    let sender = Arc::clone(&transport);
    let mut call = call(1);
    call.first_page = 1;
    let sent = tokio::spawn(async move { make(sender.as_ref(), &call).await });
    let job = hylafax.waiting(NOTE);
    let jobs = hylafax.jobs("sendq");
    assert_eq!(jobs.len(), 1);
    for line in [
        "number:+81312345678",
        "external:+81312345678",
        "maxdials:1",
        "maxtries:1",
        "tsi:+81 3 8765 4321",
        "subaddr:12#",
        "desiredtl:1",
        "tagline:",
        "notify:none",
        "resolution:196",
        "desiredec:1",
    ] {
        assert!(
            jobs[0].lines().any(|said| said == line),
            "{line}\n{}",
            jobs[0]
        );
    }
    assert_eq!(
        pages_in(&hylafax.path("docq")),
        2,
        "the first page is confirmed already"
    );
    let after_a_crash = side.transport();
    assert_eq!(after_a_crash.resolve(7, 1).await, Resolution::GoesOn);
    assert_eq!(after_a_crash.resolve(7, 2).await, Resolution::NeverDialled);
    let said = hylafax.operator(&format!("JKILL {job}"));
    assert!(said.starts_with("200"), "{said}");
    let outcome = sent.await.unwrap();
    assert!(was_ended_there(&outcome), "{outcome:?}");
    assert_eq!(report(&outcome).pages_sent, 1);
    let resolution = after_a_crash.resolve(7, 1).await;
    let ended =
        |r: &Resolution| matches!(r, Resolution::Ended(outcome) if was_ended_there(outcome));
    assert!(ended(&resolution), "{resolution:?}");
    transport.settled(7, 1).await;
    assert!(!side.is_noted());
    wait_for("the job to be removed", || {
        hylafax.jobs("doneq").is_empty().then_some(())
    });
}

/// How many pages the one document in a folder has.
fn pages_in(folder: &Path) -> usize {
    let limits = faxpage::TiffLimits {
        max_pages: 100,
        max_pixels: 10_000_000,
    };
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_document = |path: &std::path::PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("doc")
    };
    let documents: Vec<_> = paths.filter(is_document).collect();
    assert_eq!(documents.len(), 1, "{documents:?}");
    let tiff = std::fs::read(&documents[0]).unwrap();
    let pages = faxpage::TiffPages::new(&tiff, &limits).unwrap();
    pages.collect::<Result<Vec<_>, _>>().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_still_has_the_job() {
    let mut hylafax = HylaFax::start();
    let side = Side::of(format!("127.0.0.1:{}", hylafax.port));
    let transport = side.transport();
    let sent = sending(&transport);
    hylafax.waiting(NOTE);
    hylafax.stop();
    let after_a_crash = side.transport();
    assert_eq!(after_a_crash.resolve(7, 1).await, Resolution::GoesOn);
    assert!(matches!(after_a_crash.condition(), Condition::Down(_)));
    hylafax.run("faxq");
    let job = hylafax.waiting(NOTE);
    assert_eq!(after_a_crash.resolve(7, 1).await, Resolution::GoesOn);
    assert_eq!(after_a_crash.condition(), Condition::Well);
    let killed = wait_for("the scheduler to know the job again", || {
        let said = hylafax.operator(&format!("JKILL {job}"));
        said.starts_with("200").then_some(said)
    });
    assert!(killed.contains("killed"), "{killed}");
    let outcome = sent.await.unwrap();
    assert!(was_ended_there(&outcome), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_scheduler_no_call_is_made_and_nothing_is_left_there() {
    let mut hylafax = HylaFax::prepared();
    hylafax.run("");
    let side = Side::of(format!("127.0.0.1:{}", hylafax.port));
    let outcome = make(side.transport().as_ref(), &call(1)).await;
    assert!(matches!(outcome, Outcome::NotCalled { .. }), "{outcome:?}");
    assert_eq!(hylafax.jobs("sendq"), Vec::<String>::new());
    assert!(!side.is_noted());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_makes_no_call_and_is_not_told() {
    let hylafax = HylaFax::start();
    let side = Side::of(format!("127.0.0.1:{}", hylafax.port));
    let transport = side.with_password("hunter2");
    let outcome = make(transport.as_ref(), &call(1)).await;
    let Outcome::NotCalled { why } = outcome else {
        panic!("{outcome:?}");
    };
    assert!(why.contains("530") && !why.contains("hunter2"), "{why}");
    assert!(matches!(transport.condition(), Condition::Down(_)));
    assert_eq!(hylafax.jobs("sendq"), Vec::<String>::new());
    // A password with a line end would be a command of its own.
    let odd = side.with_password("a\r\nJKILL 1");
    let outcome = make(odd.as_ref(), &call(1)).await;
    assert!(matches!(outcome, Outcome::NotCalled { .. }), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn received_faxes_are_fetched_once_and_removed() {
    let hylafax = HylaFax::start();
    let side = Side::of(format!("127.0.0.1:{}", hylafax.port));
    *side.tray.is_full.lock().unwrap() = true;
    let coming_in = hylafax.receive("fax000000002.tif", &fax(1).tiff);
    let locked = std::fs::File::open(&coming_in).unwrap();
    locked.lock().unwrap();
    let whole = hylafax.receive("fax000000001.tif", &fax(2).tiff);
    let transport = side.transport();
    let receiver = Arc::clone(&transport);
    let receiving = tokio::spawn(async move { receiver.receive().await });
    // Where it cannot be stored it stays there.
    let offered = || *side.tray.offered.lock().unwrap();
    wait_for("the fax to be offered twice", || {
        (offered() > 1).then_some(())
    });
    assert!(whole.exists());
    *side.tray.is_full.lock().unwrap() = false;
    wait_for("the fax to be fetched", || (!whole.exists()).then_some(()));
    {
        let faxes = side.tray.faxes.lock().unwrap();
        assert_eq!(faxes.len(), 1);
        assert_eq!((faxes[0].fax.clone(), faxes[0].complete), (fax(2), true));
        assert_eq!(faxes[0].number, number());
        assert!(faxes[0].call.starts_with("hylafax:fax000000001.tif:"));
    }
    assert!(coming_in.exists(), "its pages are still coming in");
    drop(locked);
    wait_for("the second fax to be fetched", || {
        (!coming_in.exists()).then_some(())
    });
    assert_eq!(side.tray.faxes.lock().unwrap().len(), 2);
    // Another fax may get the name of an old one.
    let again = hylafax.receive("fax000000001.tif", &fax(1).tiff);
    wait_for("the third fax to be fetched", || {
        (!again.exists()).then_some(())
    });
    let faxes = side.tray.faxes.lock().unwrap();
    assert_eq!(faxes.len(), 3);
    assert_ne!(faxes[0].call, faxes[2].call);
    receiving.abort();
}

// A server that fails.

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_told_page_by_page_and_is_one_job() {
    let fake = Fake::start();
    let side = Side::of(fake.address);
    let transport = side.transport();
    let (told, call) = (Told::default(), call(1));
    let line = transport.line(&call.number).await;
    let outcome = transport.send(&call, line, &told).await;
    assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}");
    assert_eq!(report(&outcome).pages_sent, 3);
    let line = "hylafax".to_owned();
    let page = |confirmed| CallProgress::Page { confirmed, of: 3 };
    let mut expected = vec![page(1), CallProgress::Dialling { line }, page(3)];
    expected.push(CallProgress::Released);
    assert_eq!(told.all(), expected);
    assert_eq!(fake.submitted(), 1);
    assert_eq!(fake.stored(), [call.fax.tiff]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_before_the_submission_nothing_is_dialled() {
    let before = [
        "",
        "USER",
        "PASS",
        "TZONE",
        "TYPE",
        "PASV",
        "STOT",
        "JNEW",
        "JPARM LASTTIME",
        "JPARM MAXDIALS",
        "JPARM DIALSTRING",
        "JPARM JOBINFO",
        "JPARM DOCUMENT",
    ];
    let long = format!("{}\r\n", "2".repeat(100_000));
    let endless = "200-and so on\r\n".repeat(1000);
    let says = ["\0\0\0\r\n", "500 no\r\n", "421 bye\r\n", &long, &endless];
    for command in before {
        let mut faults: Vec<_> = says
            .iter()
            .map(|text| Fault::Say((*text).to_owned()))
            .collect();
        faults.push(Fault::Close);
        for fault in faults {
            let fake = Fake::start();
            fake.fault(command, fault.clone());
            let side = Side::of(fake.address);
            let transport = Arc::new(side.made("secret").with_patience(PATIENCE));
            let outcome = make(transport.as_ref(), &call(1)).await;
            let sent_all_the_same = fake.submitted() == 1;
            let harmless = matches!(
                &outcome,
                Outcome::NotCalled { .. } | Outcome::Retry(Cause::Network, _)
            );
            assert!(
                harmless || sent_all_the_same,
                "{command} {fault:?}: {outcome:?}"
            );
            assert!(
                harmless || matches!(outcome, Outcome::Sent(_)),
                "{command} {fault:?}"
            );
            if harmless {
                assert_eq!(fake.submitted(), 0, "{command} {fault:?}");
                assert!(!side.is_noted(), "{command} {fault:?}");
                let resolution = side.transport().resolve(7, 1).await;
                assert_eq!(resolution, Resolution::NeverDialled);
            }
        }
    }
}

/// Long enough for an answer of this machine, and what a silent server is given.
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_not_waited_for_for_ever() {
    for command in ["", "PASV", "STOT", "JNEW"] {
        let fake = Fake::start();
        fake.fault(command, Fault::Silence);
        let side = Side::of(fake.address);
        let transport = Arc::new(side.made("secret").with_patience(PATIENCE));
        let outcome = make(transport.as_ref(), &call(1)).await;
        assert!(
            matches!(outcome, Outcome::NotCalled { .. }),
            "{command}: {outcome:?}"
        );
        assert_eq!(fake.submitted(), 0, "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_submission_was_not_confirmed_is_found_by_its_note() {
    for fault in [Fault::ObeyAndClose, Fault::ObeyInSilence] {
        let fake = Fake::start();
        fake.fault("JSUBM", fault.clone());
        let side = Side::of(fake.address);
        let transport = Arc::new(side.made("secret").with_patience(PATIENCE));
        let outcome = make(transport.as_ref(), &call(1)).await;
        assert!(
            matches!(outcome, Outcome::Sent(_)),
            "{fault:?}: {outcome:?}"
        );
        assert_eq!(fake.submitted(), 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_never_reached_the_queue_is_no_call() {
    for fault in [
        Fault::Close,
        Fault::Say("460 Failed to submit job 100: no scheduler.\r\n".to_owned()),
        Fault::Say("\0\r\n".to_owned()),
    ] {
        let fake = Fake::start();
        fake.fault("JSUBM", fault.clone());
        let side = Side::of(fake.address);
        let outcome = make(side.transport().as_ref(), &call(1)).await;
        assert!(
            matches!(outcome, Outcome::NotCalled { .. }),
            "{fault:?}: {outcome:?}"
        );
        assert_eq!(fake.submitted(), 0, "{fault:?}");
        assert!(!side.is_noted(), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_the_scheduler_never_takes_is_taken_back() {
    let fake = Fake::start();
    fake.jobs_go(&["SUSPENDED"], "E000");
    fake.fault("JSUBM", Fault::ObeyAndClose);
    let side = Side::of(fake.address);
    let outcome = make(side.transport().as_ref(), &call(1)).await;
    assert!(matches!(outcome, Outcome::NotCalled { .. }), "{outcome:?}");
    assert_eq!(fake.submitted(), 1);
    wait_for("the job to be removed", || {
        fake.jobs().is_empty().then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_while_a_job_is_followed_is_made_again() {
    let during = [
        "JOB ",
        "JPARM JOBINFO",
        "JPARM STATE",
        "JPARM ERRORCODE",
        "JPARM NPAGES",
        "JPARM TOTDIALS",
        "JPARM STATUS",
        "RETR",
    ];
    for command in during {
        for fault in [Fault::Close, Fault::Say("500 no\r\n".to_owned())] {
            let fake = Fake::start();
            let side = Side::of(fake.address);
            // `JPARM JOBINFO` is said once with a value before.
            let transport = side.transport();
            fake.jobs_go(&["READY", "READY", "READY", "ACTIVE", "DONE"], "E000");
            let sent = sending(&transport);
            wait_for("the job", || (fake.submitted() == 1).then_some(()));
            fake.fault(command, fault.clone());
            let outcome = sent.await.unwrap();
            assert!(
                matches!(outcome, Outcome::Sent(_)),
                "{command} {fault:?}: {outcome:?}"
            );
            assert_eq!(fake.submitted(), 1, "{command} {fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_somebody_removed_has_an_unknown_outcome() {
    let fake = Fake::start();
    fake.jobs_go(&["READY"], "E000");
    let side = Side::of(fake.address);
    let transport = side.transport();
    let sent = sending(&transport);
    wait_for("the job", || (fake.submitted() == 1).then_some(()));
    let after_a_crash = side.transport();
    assert_eq!(after_a_crash.resolve(7, 1).await, Resolution::GoesOn);
    fake.lose_jobs();
    assert_eq!(after_a_crash.resolve(7, 1).await, Resolution::Unknown);
    let outcome = sent.await.unwrap();
    assert!(
        matches!(outcome, Outcome::Failed(Cause::Interrupted, _)),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_becomes_the_cause_of_its_number() {
    for (code, cause) in [
        ("E001", Cause::Busy),
        ("E126", Cause::NoFaxTone),
        ("E151", Cause::NoResponseAfterPage),
        ("E", Cause::Network),
        ("", Cause::Network),
    ] {
        let fake = Fake::start();
        fake.jobs_go(&["ACTIVE", "FAILED"], code);
        let side = Side::of(fake.address);
        let transport = side.transport();
        let outcome = make(transport.as_ref(), &call(1)).await;
        assert!(
            matches!(&outcome, Outcome::Retry(found, _) if *found == cause),
            "{code}: {outcome:?}"
        );
        assert_eq!(report(&outcome).pages_sent, 1);
        let resolution = side.transport().resolve(7, 1).await;
        assert!(
            matches!(resolution, Resolution::Ended(Outcome::Retry(found, _)) if found == cause)
        );
        transport.settled(7, 1).await;
        wait_for("the job to be removed", || {
            fake.jobs().is_empty().then_some(())
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_jobs_are_there_than_there_are_lines() {
    let fake = Fake::start();
    let side = Side::of(fake.address);
    let transport = side.transport();
    let to = number();
    let first = transport.line(&to).await;
    let _second = transport.line(&to).await;
    let third = transport.line(&to);
    tokio::pin!(third);
    let waits = is_pending(third.as_mut()).await;
    assert!(waits, "two lines are all there are");
    drop(first);
    third.await;
}

/// Whether a future is not ready yet.
async fn is_pending<F: Future + Unpin>(mut future: F) -> bool {
    std::future::poll_fn(|context| {
        let ready = std::pin::Pin::new(&mut future).poll(context).is_ready();
        std::task::Poll::Ready(!ready)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_listings_are_read_as_nothing() {
    let fake = Fake::start();
    fake.receives("fax/../../etc/passwd| |4||\r\n|||||\r\nfax1.tif\r\n\0\u{fffd}\r\nfax2.tif| |99999999999||x\r\n");
    let side = Side::of(fake.address);
    let transport = side.transport();
    let receiver = Arc::clone(&transport);
    let receiving = tokio::spawn(async move { receiver.receive().await });
    wait_for("HylaFAX to be asked", || {
        (transport.condition() == Condition::Well).then_some(())
    });
    let outcome = make(transport.as_ref(), &call(1)).await;
    assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}");
    assert!(!receiving.is_finished());
    assert!(side.tray.faxes.lock().unwrap().is_empty());
    receiving.abort();
}
