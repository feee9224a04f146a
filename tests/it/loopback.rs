//! The contract of the loopback: genuine calls under a clock that jumps, however they end.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use faxgate::config::Config;
use faxgate::fax::CallProgress;
use faxgate::fax::CallReport;
use faxgate::fax::Cause;
use faxgate::fax::CountryCode;
use faxgate::fax::FaxFile;
use faxgate::fax::FaxNumber;
use faxgate::fax::Media;
use faxgate::fax::Modem;
use faxgate::fax::Outcome;
use faxgate::fax::StationId;
use faxgate::fax::SubAddress;
use faxgate::time::Clock;
use faxgate::time::Timestamp;
use faxgate::time::Wait;
use faxgate::transmit::Call;
use faxgate::transmit::FaxTransport;
use faxgate::transmit::Inbound;
use faxgate::transmit::InboundFax;
use faxgate::transmit::Later;
use faxgate::transmit::Line;
use faxgate::transmit::Resolution;
use faxgate::transmit::Watch;
use faxgate::transmit::loopback::LoopbackTransport;
use faxpage::Bitmap;
use faxpage::FAX_WIDTH;
use faxpage::Page;

/// A clock that is where somebody waits for it to be.
#[derive(Default)]
struct Jumping(AtomicI64);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }

    fn wait_until(&self, until: Timestamp) -> Wait<'_> {
        self.0.fetch_max(until.as_ms(), Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

/// Receives every fax.
#[derive(Default)]
struct Machine(Mutex<Vec<InboundFax>>);

impl Inbound for Machine {
    fn serves(&self, _number: &FaxNumber) -> bool {
        true
    }

    fn arrive(&self, fax: InboundFax) -> Later<'_, bool> {
        self.0.lock().unwrap().push(fax);
        Box::pin(std::future::ready(true))
    }
}

/// Notes what it is told, and when.
struct Notes {
    clock: Arc<Jumping>,
    told: Mutex<Vec<(Duration, CallProgress)>>,
}

impl Watch for Notes {
    fn note(&self, progress: CallProgress) {
        let at = self.clock.now().since(Timestamp::default());
        self.told.lock().unwrap().push((at, progress));
    }
}

/// A loopback with its folder.
struct Desk {
    folder: tempfile::TempDir,
    clock: Arc<Jumping>,
    machine: Arc<Machine>,
    transport: LoopbackTransport,
}

/// What came of a call.
struct Made {
    outcome: Outcome,
    told: Vec<(Duration, CallProgress)>,
}

const NUMBER: &str = "03-1234-5678";

impl Desk {
    /// Calls to [`NUMBER`] go like this.
    fn scripted(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("[transport.loopback.numbers]\n\"{NUMBER}\" = {script}");
        let config = Config::parse(Path::new("x.toml"), &text).unwrap();
        let mut loopback = config.transport.loopback;
        loopback.directory = folder.path().join("line");
        loopback.speed = 1;
        let (clock, machine) = (Arc::<Jumping>::default(), Arc::<Machine>::default());
        let inbound = Arc::clone(&machine) as Arc<dyn Inbound>;
        let transport =
            LoopbackTransport::open(&loopback, inbound, Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            folder,
            clock,
            machine,
            transport: transport.unwrap(),
        }
    }

    fn good() -> Self {
        Self::scripted("\"good\"")
    }

    async fn make(&self, call: &Call) -> Made {
        self.clock.0.store(0, Ordering::SeqCst);
        let notes = Notes {
            clock: Arc::clone(&self.clock),
            told: Mutex::default(),
        };
        let line = self.transport.line(&call.number).await;
        let outcome = self.transport.send(call, line, &notes).await;
        let scratch = std::fs::read_dir(self.folder.path().join("line/under-way"));
        assert_eq!(scratch.map_or(0, Iterator::count), 0, "no file is left");
        Made {
            outcome,
            told: notes.told.into_inner().unwrap(),
        }
    }

    /// The pages that the far ends of a job have.
    fn kept(&self, job: i64) -> Vec<Page> {
        let path = self.folder.path().join(format!("line/{job}.tiff"));
        match std::fs::read(path) {
            Ok(tiff) => pages_of(&tiff),
            Err(_) => Vec::new(),
        }
    }

    /// The last fax that was handed over: its pages, and whether these are all.
    fn arrived(&self) -> Option<(Vec<Page>, bool)> {
        let fax = self.machine.0.lock().unwrap().pop()?;
        let pages = pages_of(&fax.fax.tiff);
        assert_eq!(u32::try_from(pages.len()), Ok(fax.fax.pages));
        Some((pages, fax.complete))
    }
}

impl Made {
    fn report(&self) -> &CallReport {
        match &self.outcome {
            Outcome::Sent(report) | Outcome::Retry(_, report) | Outcome::Failed(_, report) => {
                report
            }
            Outcome::NotCalled { why } => panic!("{why}"),
        }
    }

    fn phases(&self) -> Vec<CallProgress> {
        self.told.iter().map(|(_, told)| told.clone()).collect()
    }
}

fn pages_of(tiff: &[u8]) -> Vec<Page> {
    let limits = faxpage::TiffLimits {
        max_pages: 100,
        max_pixels: 64 * 1024 * 1024,
    };
    faxpage::read_tiff(tiff, &limits).unwrap()
}

/// A fine page with a bar, and grains whose place depends on its number: about 10 KiB on the line.
fn page(number: u32) -> Page {
    let mut bitmap = Bitmap::new(FAX_WIDTH, 2286);
    for (x, y) in (100..1600).flat_map(|x| (500..540 + number).map(move |y| (x, y))) {
        bitmap.set(x, y, true);
    }
    let mut state = number.wrapping_mul(2_654_435_761) | 1;
    for (x, y) in (0..FAX_WIDTH).flat_map(|x| (1000..1100).map(move |y| (x, y))) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bitmap.set(x, y, state.is_multiple_of(16));
    }
    Page {
        bitmap,
        x_dpi: 204,
        y_dpi: 196,
    }
}

/// So many pages, each another.
fn pages(count: u32) -> Vec<Page> {
    (0..count).map(page).collect()
}

fn call(pages: &[Page]) -> Call {
    Call {
        job: 7,
        attempt: 1,
        number: FaxNumber::parse(NUMBER, &CountryCode::JAPAN).unwrap(),
        calling_number: None,
        local_id: StationId::parse("+81 3 0000 0001").unwrap(),
        sub_address: None,
        fax: FaxFile {
            tiff: faxpage::write_tiff(pages),
            pages: u32::try_from(pages.len()).unwrap(),
        },
        first_page: 0,
        ecm: true,
        fastest: Modem::V17,
        ring_timeout: Duration::from_secs(60),
    }
}

fn cause(outcome: &Outcome) -> Option<Cause> {
    match outcome {
        Outcome::Sent(_) | Outcome::NotCalled { .. } => None,
        Outcome::Retry(cause, _) | Outcome::Failed(cause, _) => Some(*cause),
    }
}

#[tokio::test]
async fn a_good_call_is_genuine_and_its_pages_arrive_bit_by_bit() {
    let (desk, pages) = (Desk::good(), pages(2));
    let made = desk.make(&call(&pages)).await;
    let report = made.report().clone();
    assert_eq!(made.outcome, Outcome::Sent(report.clone()));
    assert!(desk.kept(7) == pages);
    assert!(desk.arrived() == Some((pages, true)));
    assert_eq!((report.pages_sent, report.line.as_str()), (2, "loopback"));
    assert_eq!((report.rate, report.ecm), (14_400, true));
    assert_eq!((report.media, report.t30), (Some(Media::T38), Some(0)));
    assert_eq!(report.remote_id.as_str(), "+81312345678");
    let seconds = |s| Duration::from_secs(s);
    let page = |confirmed| CallProgress::Page { confirmed, of: 2 };
    let line = "loopback".to_owned();
    let remote_id = report.remote_id.clone();
    let (rate, ecm, media) = (14_400, true, Media::T38);
    let told = [
        (seconds(0), CallProgress::Dialling { line }),
        (seconds(2), CallProgress::Ringing),
        (seconds(4), CallProgress::Answered),
        (seconds(4), CallProgress::Carried { media }),
        (seconds(8), CallProgress::Identified { remote_id }),
        (seconds(11), CallProgress::Training { rate, ecm }),
        (seconds(45), page(1)),
        (seconds(73), CallProgress::LastPageSent),
        (seconds(75), page(2)),
        (seconds(75), CallProgress::Released),
    ];
    assert_eq!(made.told, told);
    assert_eq!(report.ended.since(report.started), seconds(75));
}

#[tokio::test]
async fn the_far_end_is_told_who_calls_and_twenty_pages_are_no_trouble() {
    let (desk, pages) = (Desk::good(), pages(20));
    let call = Call {
        sub_address: SubAddress::parse("4711"),
        ..call(&pages)
    };
    let made = desk.make(&call).await;
    assert_eq!(made.report().pages_sent, 20);
    assert!(desk.kept(7) == pages);
    let caller = desk.machine.0.lock().unwrap()[0].remote_id.clone();
    assert_eq!(caller, call.local_id);
}

#[tokio::test]
async fn what_the_caller_wants_of_the_modem_is_done() {
    let pages = pages(2);
    for (fastest, ecm, rate) in [
        (Modem::V17, false, 14_400),
        (Modem::V29, true, 9600),
        (Modem::V27ter, true, 4800),
    ] {
        let desk = Desk::good();
        let call = Call {
            fastest,
            ecm,
            ..call(&pages)
        };
        let made = desk.make(&call).await;
        assert_eq!((made.report().rate, made.report().ecm), (rate, ecm));
        let training = CallProgress::Training { rate, ecm };
        assert!(made.phases().contains(&training));
        assert!(desk.kept(7) == pages);
    }
}

#[tokio::test]
async fn a_line_may_be_busy_or_unanswered_or_answered_by_a_person() {
    for (script, expected, seconds, t30) in [
        ("\"busy\"", Cause::Busy, 2..=2, None),
        ("\"no answer\"", Cause::NoAnswer, 60..=60, None),
        // T0 of T.30: 60 s without a sign of a fax machine.
        ("\"voice\"", Cause::NoFaxTone, 64..=70, Some(2)),
    ] {
        let desk = Desk::scripted(script);
        let made = desk.make(&call(&pages(1))).await;
        assert!(matches!(&made.outcome, Outcome::Retry(cause, _) if *cause == expected));
        let report = made.report();
        let lasted = report.ended.since(report.started).as_secs();
        assert!(seconds.contains(&lasted), "{script}: {lasted}");
        assert_eq!((report.pages_sent, report.t30), (0, t30), "{script}");
        assert_eq!(report.media, None);
        assert_eq!(made.phases().last(), Some(&CallProgress::Released));
        let answered = made.phases().contains(&CallProgress::Answered);
        assert_eq!(answered, script == "\"voice\"");
        assert!(desk.kept(7).is_empty() && desk.arrived().is_none());
    }
}

#[tokio::test]
async fn lost_datagrams_are_outlived_at_the_price_of_time() {
    let pages = pages(2);
    let mut lasted = Vec::new();
    for loss in [0, 5, 20] {
        let desk = Desk::scripted(&format!("\"loss {loss}\""));
        let made = desk.make(&call(&pages)).await;
        assert!(
            matches!(made.outcome, Outcome::Sent(_)),
            "{:?}",
            made.outcome
        );
        assert!(desk.kept(7) == pages);
        assert!(desk.arrived() == Some((pages.clone(), true)));
        lasted.push(made.report().ended.since(made.report().started));
        let again = desk.make(&call(&pages)).await;
        assert_eq!(again.outcome, made.outcome, "the same call loses the same");
    }
    assert!(lasted[2] > lasted[0], "{lasted:?}");
}

#[tokio::test]
async fn a_slow_call_takes_the_time_of_its_modem() {
    let (desk, pages) = (Desk::scripted("\"slow\""), pages(1));
    let made = desk.make(&call(&pages)).await;
    let bits = 8 * call(&pages).fax.tiff.len() as u64;
    let lasted = made.report().ended.since(made.report().started);
    assert!(lasted.as_secs() > 4 + bits / 14_400, "{lasted:?}");
    assert!(desk.kept(7) == pages);
}

/// Of three pages so many are confirmed and so many arrive, and the cause.
#[tokio::test]
async fn a_cut_ends_a_call_in_any_phase_and_never_makes_more_of_it_than_there_is() {
    let pages = pages(3);
    for (script, confirmed, arrived, expected) in [
        ("cut in phase A", 0, 0, Some(Cause::NoFaxTone)),
        ("cut in phase B", 0, 0, Some(Cause::NoFaxTone)),
        ("cut in training", 0, 0, Some(Cause::CannotTrain)),
        ("cut in phase C", 0, 0, Some(Cause::NoResponseAfterPage)),
        ("cut in phase D", 0, 1, Some(Cause::NoResponseAfterPage)),
        ("fail after page 1", 1, 1, Some(Cause::NoResponseAfterPage)),
        ("fail after page 2", 2, 2, Some(Cause::NoResponseAfterPage)),
        ("cut after EOP", 2, 3, Some(Cause::NoResponseAfterPage)),
        ("cut in phase E", 3, 3, None),
    ] {
        let desk = Desk::scripted(&format!("\"{script}\""));
        let made = desk.make(&call(&pages)).await;
        assert_eq!(cause(&made.outcome), expected, "{script}");
        let report = made.report();
        assert_eq!(report.pages_sent, confirmed, "{script}");
        assert_eq!(report.detail.is_empty(), expected.is_none(), "{script}");
        let far = desk.arrived();
        let complete = arrived == 3;
        let expected = (arrived > 0).then(|| (pages[..arrived].to_vec(), complete));
        assert!(far == expected, "{script}");
        assert!(desk.kept(7) == pages[..arrived], "{script}");
        let said_eop = made.phases().contains(&CallProgress::LastPageSent);
        assert_eq!(said_eop, confirmed >= 2, "{script}");
        assert_eq!(made.phases().last(), Some(&CallProgress::Released));
    }
}

#[tokio::test]
async fn the_next_call_sends_what_was_not_confirmed_and_the_whole_equals_the_original() {
    let pages = pages(3);
    for script in ["fail after page 1", "cut after EOP", "cut in phase C"] {
        let desk = Desk::scripted(&format!("[\"{script}\", \"good\"]"));
        let first = desk.make(&call(&pages)).await;
        let confirmed = first.report().pages_sent;
        let next = Call {
            attempt: 2,
            first_page: confirmed,
            ..call(&pages)
        };
        let made = desk.make(&next).await;
        assert!(matches!(made.outcome, Outcome::Sent(_)), "{script}");
        assert_eq!(made.report().pages_sent, 3);
        let first_confirmed = made.told.iter().find_map(|(_, told)| match told {
            CallProgress::Page { confirmed, of: 3 } => Some(*confirmed),
            _ => None,
        });
        assert_eq!(first_confirmed, Some(confirmed + 1));
        let (rest, complete) = desk.arrived().unwrap();
        assert!(complete && rest == pages[confirmed as usize..]);
        assert!(desk.kept(7) == pages, "{script}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_fax_is_our_fault_and_not_tried_again() {
    let desk = Desk::good();
    let mut call = call(&pages(1));
    call.fax.tiff = b"II*\0 no pages".to_vec();
    let made = desk.make(&call).await;
    assert!(matches!(
        made.outcome,
        Outcome::Failed(Cause::LocalFault, _)
    ));
    assert!(made.report().t30.is_some_and(|code| code >= 41));
    assert!(desk.kept(7).is_empty() && desk.arrived().is_none());
}

#[tokio::test]
async fn every_call_stands_in_the_journal_and_only_those_are_known() {
    let desk = Desk::scripted("[\"busy\", \"fail after page 1\", \"good\"]");
    let pages = pages(2);
    for (attempt, first_page) in [(1, 0), (2, 0), (3, 1)] {
        let call = Call {
            attempt,
            first_page,
            ..call(&pages)
        };
        let made = desk.make(&call).await;
        let known = desk.transport.resolve(7, attempt).await;
        assert_eq!(known, Resolution::Ended(made.outcome));
    }
    let unknown = desk.transport.resolve(7, 4).await;
    assert_eq!(unknown, Resolution::NeverDialled);
    let journal = std::fs::read_to_string(desk.folder.path().join("line/calls.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |key: &str| -> Vec<_> { lines.iter().map(|line| line[key].clone()).collect() };
    assert_eq!(of("status"), [6017, 3268, 0]);
    assert_eq!(of("pages"), [0, 1, 2]);
    assert_eq!(of("outcome"), ["retry", "retry", "sent"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_at_a_time_all_arrive() {
    let desk = Arc::new(Desk::good());
    let pages = Arc::new(pages(1));
    let mut calls = tokio::task::JoinSet::new();
    for job in 0..200 {
        let (desk, pages) = (Arc::clone(&desk), Arc::clone(&pages));
        calls.spawn(async move {
            let call = Call {
                job,
                ..call(&pages)
            };
            let notes = Notes {
                clock: Arc::clone(&desk.clock),
                told: Mutex::default(),
            };
            let outcome = desk.transport.send(&call, Line::default(), &notes).await;
            assert!(matches!(outcome, Outcome::Sent(_)), "{job}");
            assert!(desk.kept(job) == *pages, "{job}");
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    let arrived = desk.machine.0.lock().unwrap();
    let mut names: Vec<&str> = arrived.iter().map(|fax| fax.call.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 200);
}
