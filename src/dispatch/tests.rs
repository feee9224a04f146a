//! Jobs and the calls that they become, with a transport that says what it is told to.

mod cancelled;

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;

use super::*;
use crate::config::Accounts;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::FaxNumber;
use crate::fax::Modem;
use crate::fax::Outcome;
use crate::fax::SubAddress;
use crate::storage::jobs::Class;
use crate::storage::jobs::JobRow;
use crate::storage::jobs::NewBatch;
use crate::storage::jobs::NewJob;
use crate::time::Wait;
use crate::transmit::Call;
use crate::transmit::Later;
use crate::transmit::Line;
use crate::transmit::Resolution;
use crate::transmit::Watch;

const NOW: Timestamp = Timestamp::from_ms(1_795_339_800_000);
const HOUR: Duration = Duration::from_secs(3600);

/// A clock that only moves when it is told to, or to where somebody waits for it to be.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }

    fn wait_until(&self, until: Timestamp) -> Wait<'_> {
        self.0.fetch_max(until.as_ms(), Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

#[derive(Default)]
struct Scripted {
    outcomes: Mutex<VecDeque<Outcome>>,
    resolutions: Mutex<VecDeque<Resolution>>,
    calls: Mutex<Vec<Call>>,
    no_line: AtomicBool,
}

impl FaxTransport for Scripted {
    fn line<'a>(&'a self, _number: &'a FaxNumber) -> Later<'a, Line> {
        match self.no_line.load(Ordering::SeqCst) {
            true => Box::pin(std::future::pending()),
            false => Box::pin(std::future::ready(Line::default())),
        }
    }

    fn send<'a>(&'a self, call: &'a Call, _: Line, _: &'a dyn Watch) -> Later<'a, Outcome> {
        self.calls.lock().unwrap().push(call.clone());
        let outcome = self.outcomes.lock().unwrap().pop_front().unwrap();
        Box::pin(std::future::ready(outcome))
    }

    fn resolve(&self, _: i64, _: u32) -> Later<'_, Resolution> {
        let resolution = self.resolutions.lock().unwrap().pop_front().unwrap();
        Box::pin(std::future::ready(resolution))
    }
}

struct Stage {
    dispatcher: Arc<Dispatcher>,
    transport: Arc<Scripted>,
    clock: Arc<Hand>,
    job: i64,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// One job of three pages, for 12 behind its number.
    async fn set(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = "[[account]]\nid = \"a\"\nsenders = [\"a@x.example\"]\ncalling_number = \"+81399999999\"\n";
        std::fs::write(dir.path().join("accounts.toml"), text).unwrap();
        let config = Config::default();
        let accounts = Accounts::load(&dir.path().join("faxgate.toml"), &config).unwrap();
        let store = Store::open(&dir.path().join("var")).unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(NOW.as_ms())));
        let transport = Arc::new(Scripted::default());
        transport.outcomes.lock().unwrap().extend(outcomes);
        let job = submit(&store).await;
        let dispatcher = Arc::new(Dispatcher {
            renderer: Renderer::new("/nowhere".into(), &config.render),
            store,
            config: Arc::new(config),
            accounts: Arc::new(ArcSwap::from_pointee(Directory::new(&accounts))),
            cache: PageCache::default(),
            transport: Arc::clone(&transport) as Arc<dyn FaxTransport>,
            at_work: AtWork::default(),
            owner: 7,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            mail: Arc::default(),
        });
        Self {
            dispatcher,
            transport,
            clock,
            job,
            _dir: dir,
        }
    }

    /// The next claim, an hour later.
    async fn claim(&self) -> Option<Claim> {
        let now = self.clock.now().plus(HOUR);
        self.clock.0.store(now.as_ms(), Ordering::SeqCst);
        let claimed = self.dispatcher.store.write(move |tx| {
            jobs::promote(tx, now)?;
            jobs::claim(tx, 7, now.plus(HOUR))
        });
        claimed.await.unwrap()
    }

    async fn run(&self) {
        let claim = self.claim().await.unwrap();
        self.dispatcher.run(&claim).await;
    }

    /// The process that is calling dies; what is to be resolved afterwards.
    async fn restarted(&self) -> Vec<jobs::Dialled> {
        let now = self.clock.now();
        let open = self.dispatcher.store.write(move |tx| {
            jobs::fence_restarted(tx, now)?;
            jobs::dialled(tx, now)
        });
        open.await.unwrap()
    }

    fn row(&self) -> JobRow {
        let row = self
            .dispatcher
            .store
            .read_here(|tx| jobs::job(tx, self.job));
        row.unwrap().unwrap()
    }

    fn calls(&self) -> Vec<Call> {
        self.transport.calls.lock().unwrap().clone()
    }
}

/// A batch whose pages are made already, with one job.
async fn submit(store: &Store) -> i64 {
    let page = faxpage::Page {
        bitmap: faxpage::Bitmap::new(1728, 400),
        x_dpi: 204,
        y_dpi: 196,
    };
    let tiff = faxpage::write_tiff(&[page.clone(), page.clone(), page]);
    let (batch, id) = (store.ids().next(NOW), store.ids().next(NOW));
    store.blobs().put(&jobs::pages_file(batch), &tiff).unwrap();
    let batch = NewBatch {
        id: batch,
        account: "a".into(),
        identity: [0; 32],
        door: "mail",
        proof: "sender-address",
        tier: String::new(),
        verification: String::new(),
        reference: String::new(),
        message_id: String::new(),
        reply_to: "a@x.example".into(),
        page_options: serde_json::to_string(&crate::fax::PageOptions::default()).unwrap(),
        documents: None,
        pages: Some(3),
        stopped: false,
        created_at: NOW,
    };
    let job = NewJob {
        id,
        destination: "0081312345678".into(),
        sub_address: SubAddress::parse("12"),
        contact: String::new(),
        class: Class::Single,
        state: State::Ready,
        status: Status::ACCEPTED,
        reason: None,
        next_at: NOW,
        recipient: None,
    };
    let written = store.write(move |tx| {
        jobs::insert_batch(tx, &batch, true)?;
        jobs::insert_jobs(tx, batch.id, "a", std::slice::from_ref(&job), NOW)?;
        jobs::activate_lane(tx, "a", Class::Single.number(), Some(1))
    });
    written.await.unwrap();
    id
}

fn lost(pages_sent: u32) -> Outcome {
    let report = CallReport {
        pages_sent,
        ..CallReport::default()
    };
    Outcome::Retry(Cause::Disconnected, report)
}

fn ends(cause: Cause) -> Outcome {
    Outcome::Retry(cause, CallReport::default())
}

fn sent() -> Outcome {
    Outcome::Sent(CallReport {
        pages_sent: 3,
        ..CallReport::default()
    })
}

fn no_line() -> Outcome {
    Outcome::NotCalled {
        why: "no trunk is registered".into(),
    }
}

#[tokio::test]
async fn each_call_goes_on_from_what_those_before_it_came_to() {
    let stage = Stage::set([
        lost(2),
        ends(Cause::CannotTrain),
        ends(Cause::CannotTrain),
        sent(),
    ])
    .await;
    for _ in 0..4 {
        stage.run().await;
    }
    let calls = stage.calls();
    let first_pages: Vec<_> = calls.iter().map(|call| call.first_page).collect();
    assert_eq!(first_pages, [0, 2, 2, 2]);
    let fastest: Vec<_> = calls.iter().map(|call| call.fastest).collect();
    assert_eq!(fastest, [Modem::V17, Modem::V17, Modem::V29, Modem::V27ter]);
    for call in &calls {
        assert!(call.ecm && call.fax.pages == 3);
        assert_eq!(call.sub_address, SubAddress::parse("12"));
        let shown = call.calling_number.as_ref().map(FaxNumber::digits);
        assert_eq!(shown, Some("81399999999"));
    }
    assert_eq!(
        (stage.row().state, stage.row().pages_sent),
        (State::Done, 3)
    );
}

#[tokio::test]
async fn fine_pages_that_are_refused_go_once_more_with_half_the_lines() {
    let refused = Outcome::Failed(Cause::Incompatible, CallReport::default());
    let stage = Stage::set([refused.clone(), refused]).await;
    stage.run().await;
    assert_eq!(stage.row().state, State::Sleeping);
    stage.run().await;
    assert_eq!(stage.row().state, State::Failed);
    let calls = stage.calls();
    let limits = faxpage::TiffLimits {
        max_pages: 9,
        max_pixels: 10_000_000,
    };
    let lines = |call: &Call| {
        let pages = faxpage::read_tiff(&call.fax.tiff, &limits).unwrap();
        (pages.len(), pages[0].y_dpi)
    };
    assert_eq!((lines(&calls[0]), lines(&calls[1])), ((3, 196), (3, 98)));
}

#[tokio::test]
async fn a_line_that_is_out_of_service_counts_nothing_until_a_day_has_passed() {
    let stage = Stage::set((0..30).map(|_| no_line())).await;
    for hour in 0..24 {
        stage.run().await;
        let row = stage.row();
        assert_eq!((row.state, row.attempts), (State::Sleeping, 0), "{hour}");
        assert_eq!(row.reason.as_deref(), Some("no trunk is registered"));
    }
    stage.run().await;
    let row = stage.row();
    assert_eq!((row.state, row.status), (State::Failed, Status(6041)));
    assert!(row.reason.unwrap().contains("for a day"));
    let mails = stage
        .dispatcher
        .store
        .read_here(|tx| tx.first("SELECT COUNT(*) FROM outbox WHERE kind = 'result'", &[]));
    assert_eq!(mails.unwrap().unwrap().integer(0), 1, "its sender is told");
}

#[tokio::test]
async fn a_job_without_a_free_line_lets_others_go_first() {
    let stage = Stage::set([]).await;
    stage.transport.no_line.store(true, Ordering::SeqCst);
    stage.run().await;
    let row = stage.row();
    assert_eq!((row.state, row.attempts), (State::Sleeping, 0));
    assert_eq!(row.reason.as_deref(), Some("all lines are busy"));
    assert!(row.next_at > stage.clock.now());
    assert!(stage.calls().is_empty());
}

#[tokio::test]
async fn p3_a_call_that_goes_on_elsewhere_is_asked_about_and_never_made_again() {
    let stage = Stage::set([]).await;
    let claim = stage.claim().await.unwrap();
    let now = stage.clock.now();
    let (start, store) = (claim.clone(), &stage.dispatcher.store);
    let started = store.write(move |tx| jobs::start_attempt(tx, &start, 7, now));
    assert!(started.await.unwrap());
    for _ in 0..3 {
        let answer = [Resolution::GoesOn];
        stage.transport.resolutions.lock().unwrap().extend(answer);
        let open = stage.restarted().await;
        assert_eq!(open.len(), 1);
        stage.dispatcher.resolve(open).await;
        assert_eq!(stage.row().state, State::Dialling);
        assert!(stage.claim().await.is_none(), "it would be called twice");
    }
    let answer = [Resolution::Ended(sent())];
    stage.transport.resolutions.lock().unwrap().extend(answer);
    let open = stage.restarted().await;
    stage.dispatcher.resolve(open).await;
    assert_eq!((stage.row().state, stage.row().attempts), (State::Done, 1));
    assert!(stage.calls().is_empty());
}

#[tokio::test]
async fn a_call_that_ended_with_its_process_goes_on_at_the_page_that_its_transport_knows() {
    let stage = Stage::set([sent()]).await;
    let claim = stage.claim().await.unwrap();
    let now = stage.clock.now();
    let store = &stage.dispatcher.store;
    let started = store.write(move |tx| jobs::start_attempt(tx, &claim, 7, now));
    assert!(started.await.unwrap());
    let answer = [Resolution::Ended(lost(1))];
    stage.transport.resolutions.lock().unwrap().extend(answer);
    let open = stage.restarted().await;
    stage.dispatcher.resolve(open).await;
    assert_eq!(stage.row().state, State::Sleeping);
    stage.run().await;
    assert_eq!(
        (stage.calls()[0].first_page, stage.calls()[0].attempt),
        (1, 2)
    );
    assert_eq!(stage.row().state, State::Done);
}
