use std::sync::Mutex;

use super::*;
use crate::config::Route;
use crate::fax::CallProgress;
use crate::fax::FaxFile;
use crate::fax::Modem;
use crate::fax::StationId;
use crate::time::SystemClock;

/// Answers what it is told to, and notes what it is asked.
struct Fake {
    answers: Mutex<Vec<Outcome>>,
    resolution: Resolution,
    noted: Mutex<Vec<String>>,
}

impl Fake {
    fn new(answers: Vec<Outcome>, resolution: Resolution) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers),
            resolution,
            noted: Mutex::default(),
        })
    }

    fn note(&self, what: &str) {
        self.noted.lock().unwrap().push(what.to_owned());
    }

    fn noted(&self) -> Vec<String> {
        self.noted.lock().unwrap().clone()
    }
}

impl FaxTransport for Fake {
    fn send<'a>(&'a self, call: &'a Call, _: Line, _: &'a dyn Watch) -> Later<'a, Outcome> {
        self.note(&format!("send {}-{}", call.job, call.attempt));
        let answer = self.answers.lock().unwrap().pop().unwrap();
        Box::pin(std::future::ready(answer))
    }

    fn resolve<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, Resolution> {
        self.note(&format!("resolve {job}-{attempt}"));
        Box::pin(std::future::ready(self.resolution.clone()))
    }

    fn settled<'a>(&'a self, job: i64, attempt: u32) -> Later<'a, ()> {
        self.note(&format!("settled {job}-{attempt}"));
        Box::pin(std::future::ready(()))
    }
}

struct Nobody;

impl Watch for Nobody {
    fn note(&self, _: CallProgress) {}
}

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("calls.jsonl")
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.path()).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn notes(&self) -> usize {
        let folder = self.dir.path().join("dialling");
        std::fs::read_dir(folder).unwrap().count()
    }

    /// Numbers of Japan by spool, of Japan's 50 by interfax, others by nothing.
    fn exchange(&self, spool: &Arc<Fake>, interfax: &Arc<Fake>) -> Exchange {
        let route = |prefix: &str, kind| Route {
            prefix: prefix.to_owned(),
            kind,
        };
        let routes = Transport {
            kind: None,
            routes: vec![
                route("81", TransportKind::Spool),
                route("8150", TransportKind::Interfax),
            ],
            ..Transport::default()
        };
        let spool: Arc<dyn FaxTransport> = Arc::clone(spool) as _;
        let interfax: Arc<dyn FaxTransport> = Arc::clone(interfax) as _;
        let kinds = Kinds::from([
            (TransportKind::Spool, spool),
            (TransportKind::Interfax, interfax),
        ]);
        let journal = Journal::open(&self.path()).unwrap();
        Exchange::open(
            routes,
            kinds,
            self.dir.path(),
            journal,
            Arc::new(SystemClock),
        )
        .unwrap()
    }
}

fn call(number: &str) -> Call {
    Call {
        job: 7,
        attempt: 2,
        number: FaxNumber::from_canonical(number).unwrap(),
        calling_number: None,
        local_id: StationId::parse("+81 3 0000 0000").unwrap(),
        sub_address: None,
        fax: FaxFile {
            tiff: Vec::new(),
            pages: 2,
        },
        first_page: 0,
        ecm: true,
        fastest: Modem::V17,
        ring_timeout: Duration::from_secs(60),
    }
}

fn sent() -> Outcome {
    Outcome::Sent(CallReport {
        pages_sent: 2,
        started: Timestamp::from_ms(1),
        ended: Timestamp::from_ms(2),
        ..CallReport::default()
    })
}

const TOKYO: &str = "0081312345678";

#[tokio::test]
async fn the_longest_prefix_says_where_a_number_goes_and_the_journal_who_had_it() {
    let desk = Desk::new();
    let spool = Fake::new(vec![sent()], Resolution::Unknown);
    let interfax = Fake::new(vec![sent()], Resolution::Unknown);
    let exchange = desk.exchange(&spool, &interfax);
    for number in [TOKYO, "00815012345678"] {
        let call = call(number);
        let line = exchange.line(&call.number).await;
        assert_eq!(exchange.send(&call, line, &Nobody).await, sent());
    }
    for (fake, line, transport) in [(spool, 0, "spool"), (interfax, 1, "interfax")] {
        assert_eq!(fake.noted(), ["send 7-2", "settled 7-2"]);
        let line = &desk.lines()[line];
        assert_eq!(line["transport"], transport);
        assert_eq!(line["job"], "7");
        assert_eq!(line["local_id"], "+81 3 0000 0000");
    }
    assert_eq!(desk.notes(), 0);
}

#[tokio::test]
async fn a_number_that_no_line_leads_to_is_no_call() {
    let desk = Desk::new();
    let spool = Fake::new(Vec::new(), Resolution::NeverDialled);
    let exchange = desk.exchange(&spool, &spool);
    let outcome = exchange
        .send(&call("0012125550100"), Line::default(), &Nobody)
        .await;
    assert!(
        matches!(outcome, Outcome::Failed(Cause::NoRoute, _)),
        "{outcome:?}"
    );
    assert_eq!(desk.lines().len(), 0);
    assert_eq!(exchange.resolve(7, 2).await, Resolution::NeverDialled);
    assert_eq!(spool.noted(), [""; 0]);
}

#[tokio::test]
async fn a_call_that_was_not_made_leaves_nothing() {
    let desk = Desk::new();
    let down = Outcome::NotCalled {
        why: "down".to_owned(),
    };
    let spool = Fake::new(vec![down.clone()], Resolution::Unknown);
    let exchange = desk.exchange(&spool, &spool);
    let outcome = exchange.send(&call(TOKYO), Line::default(), &Nobody).await;
    assert_eq!(outcome, down);
    assert_eq!((desk.lines().len(), desk.notes()), (0, 0));
    assert_eq!(spool.noted(), ["send 7-2", "settled 7-2"]);
}

#[tokio::test]
async fn after_a_crash_the_journal_answers_before_any_transport() {
    let desk = Desk::new();
    let spool = Fake::new(vec![sent()], Resolution::Unknown);
    let exchange = desk.exchange(&spool, &spool);
    exchange.send(&call(TOKYO), Line::default(), &Nobody).await;
    let again = Fake::new(Vec::new(), Resolution::NeverDialled);
    let exchange = desk.exchange(&again, &again);
    assert_eq!(exchange.resolve(7, 2).await, Resolution::Ended(sent()));
    assert_eq!(exchange.resolve(7, 1).await, Resolution::NeverDialled);
    assert_eq!(again.noted(), [""; 0]);
}

/// As after a kill in the middle of a call.
async fn crashed_call(desk: &Desk, transport: &str) {
    let begun = Begun {
        placed: Placed::of(&call(TOKYO)),
        transport: transport.to_owned(),
        started_ms: 5,
    };
    let folder = desk.dir.path().join("dialling");
    let under_way = UnderWay::open(&folder).unwrap();
    under_way.begin(&begun, true).await.unwrap();
}

#[tokio::test]
async fn after_a_crash_the_transport_that_had_the_call_is_asked_and_its_answer_journalled() {
    let desk = Desk::new();
    crashed_call(&desk, "interfax").await;
    let spool = Fake::new(Vec::new(), Resolution::NeverDialled);
    let interfax = Fake::new(Vec::new(), Resolution::Ended(sent()));
    let exchange = desk.exchange(&spool, &interfax);
    assert_eq!(exchange.resolve(7, 2).await, Resolution::Ended(sent()));
    assert_eq!(exchange.resolve(7, 2).await, Resolution::Ended(sent()));
    assert_eq!(spool.noted(), [""; 0]);
    assert_eq!(interfax.noted(), ["resolve 7-2", "settled 7-2"]);
    let lines = desk.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["number"], TOKYO);
    assert_eq!(desk.notes(), 0);
}

#[tokio::test]
async fn a_call_that_goes_on_or_was_never_made_has_no_line() {
    for resolution in [Resolution::GoesOn, Resolution::NeverDialled] {
        let desk = Desk::new();
        crashed_call(&desk, "spool").await;
        let spool = Fake::new(Vec::new(), resolution.clone());
        let exchange = desk.exchange(&spool, &spool);
        assert_eq!(exchange.resolve(7, 2).await, resolution);
        assert_eq!(desk.lines().len(), 0);
        let kept = usize::from(resolution == Resolution::GoesOn);
        assert_eq!(desk.notes(), kept, "{resolution:?}");
    }
}

#[tokio::test]
async fn the_journal_is_not_read_again_and_again_for_a_call_that_goes_on() {
    let desk = Desk::new();
    crashed_call(&desk, "spool").await;
    let spool = Fake::new(Vec::new(), Resolution::GoesOn);
    let exchange = desk.exchange(&spool, &spool);
    assert_eq!(exchange.resolve(7, 2).await, Resolution::GoesOn);
    // Nobody but the exchange writes there: a line of somebody else is not looked for.
    let other = Journal::open(&desk.path()).unwrap();
    let call = call(TOKYO);
    other.made(&call, "spool", &sent()).await.unwrap();
    assert_eq!(exchange.resolve(7, 2).await, Resolution::GoesOn);
    let restarted = desk.exchange(&spool, &spool);
    assert_eq!(restarted.resolve(7, 2).await, Resolution::Ended(sent()));
}

#[tokio::test]
async fn what_nobody_knows_is_journalled_as_unknown_and_stays_so() {
    for transport in ["spool", "sip"] {
        let desk = Desk::new();
        crashed_call(&desk, transport).await;
        let spool = Fake::new(Vec::new(), Resolution::Unknown);
        let exchange = desk.exchange(&spool, &spool);
        assert_eq!(exchange.resolve(7, 2).await, Resolution::Unknown);
        assert_eq!(exchange.resolve(7, 2).await, Resolution::Unknown);
        assert_eq!(desk.lines()[0]["cause"], "interrupted", "{transport}");
        assert_eq!(desk.lines().len(), 1);
    }
}

#[tokio::test]
async fn a_note_that_cannot_be_read_lets_everybody_be_asked() {
    let desk = Desk::new();
    let spool = Fake::new(Vec::new(), Resolution::NeverDialled);
    let interfax = Fake::new(Vec::new(), Resolution::GoesOn);
    let exchange = desk.exchange(&spool, &interfax);
    std::fs::write(desk.dir.path().join("dialling/7-2.json"), "").unwrap();
    assert_eq!(exchange.resolve(7, 2).await, Resolution::GoesOn);
    assert_eq!(spool.noted(), ["resolve 7-2"]);
    assert_eq!(interfax.noted(), ["resolve 7-2"]);
}

#[tokio::test]
async fn without_a_note_no_call_is_made() {
    let desk = Desk::new();
    let spool = Fake::new(Vec::new(), Resolution::Unknown);
    let exchange = desk.exchange(&spool, &spool);
    std::fs::remove_dir(desk.dir.path().join("dialling")).unwrap();
    let outcome = exchange.send(&call(TOKYO), Line::default(), &Nobody).await;
    assert!(matches!(outcome, Outcome::NotCalled { .. }), "{outcome:?}");
    assert_eq!(spool.noted(), [""; 0]);
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_loses_no_outcome_and_nobody_forgets() {
    let desk = Desk::new();
    // Every write fails: there is no room on this device, ever.
    let full = Path::new("/dev/full");
    let spool = Fake::new(vec![sent()], Resolution::Unknown);
    let mut exchange = desk.exchange(&spool, &spool);
    let inner = Arc::get_mut(&mut exchange.0).unwrap();
    inner.journal = Journal::open(full).unwrap();
    let outcome = exchange.send(&call(TOKYO), Line::default(), &Nobody).await;
    assert_eq!(outcome, sent());
    assert_eq!(spool.noted(), ["send 7-2"]);
    assert_eq!(desk.notes(), 1);
}
