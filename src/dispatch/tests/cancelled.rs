//! Jobs that nobody wants to be called any more, and calls that are asked about all at once.

use std::time::Duration;

use crate::config::Render;
use crate::dispatch::*;
use crate::storage::jobs::Class;
use crate::storage::jobs::NewBatch;
use crate::storage::jobs::NewJob;
use crate::storage::tests::scratch;
use crate::time::SystemClock;
use crate::transmit::Call;
use crate::transmit::Later;
use crate::transmit::Line;
use crate::transmit::Resolution;
use crate::transmit::Watch;

const OWNER: i64 = 7;

/// Makes no call. Of the call of `slow` it knows nothing until it was asked for another one.
#[derive(Default)]
struct Asked {
    slow: std::sync::atomic::AtomicI64,
    other: tokio::sync::Notify,
}

impl FaxTransport for Asked {
    fn send<'a>(
        &'a self,
        _: &'a Call,
        _: Line,
        _: &'a dyn Watch,
    ) -> Later<'a, crate::fax::Outcome> {
        Box::pin(std::future::pending())
    }

    fn resolve<'a>(&'a self, job: i64, _: u32) -> Later<'a, Resolution> {
        Box::pin(async move {
            if job == self.slow.load(std::sync::atomic::Ordering::SeqCst) {
                self.other.notified().await;
                return Resolution::GoesOn;
            }
            self.other.notify_one();
            Resolution::Unknown
        })
    }
}

fn dispatcher(store: &Store, transport: &Arc<Asked>) -> Arc<Dispatcher> {
    let transport: Arc<dyn FaxTransport> = Arc::clone(transport) as _;
    Arc::new(Dispatcher {
        store: store.clone(),
        config: Arc::default(),
        accounts: Arc::default(),
        renderer: Renderer::new("/nonexistent/faxgate".into(), &Render::default()),
        cache: PageCache::default(),
        transport,
        at_work: AtWork::default(),
        owner: OWNER,
        clock: Arc::new(SystemClock),
        mail: Arc::default(),
    })
}

/// A batch whose documents are damaged, with a job for each of these numbers.
async fn submit(store: &Store, numbers: &[&str]) {
    let (ids, now) = (store.ids(), SystemClock.now());
    let batch = NewBatch {
        id: ids.next(now),
        account: "a".into(),
        identity: [0; 32],
        door: "mail",
        proof: "sender-address",
        tier: "unverified".into(),
        verification: String::new(),
        reference: String::new(),
        message_id: String::new(),
        reply_to: "a@customer.example".into(),
        page_options: "{}".into(),
        documents: Some(Vec::new()),
        pages: None,
        stopped: false,
        created_at: now,
    };
    let job = |number: &&str| NewJob {
        id: ids.next(now),
        destination: (*number).to_owned(),
        sub_address: None,
        contact: String::new(),
        class: Class::Single,
        state: State::Ready,
        status: Status::ACCEPTED,
        reason: None,
        next_at: now,
        recipient: None,
    };
    let jobs: Vec<_> = numbers.iter().map(job).collect();
    let written = store.write(move |tx| {
        jobs::insert_batch(tx, &batch, true)?;
        jobs::insert_jobs(tx, batch.id, "a", &jobs, now)?;
        jobs::activate_lane(tx, "a", Class::Single.number(), Some(10))
    });
    written.await.unwrap();
}

async fn claimed(store: &Store) -> Claim {
    let until = SystemClock.now().plus(Duration::from_secs(3600));
    let claim = store.write(move |tx| jobs::claim(tx, OWNER, until)).await;
    claim.unwrap().unwrap()
}

async fn state_of(store: &Store, job: i64) -> (State, i64) {
    let row = store.read(move |tx| jobs::job(tx, job)).await;
    let row = row.unwrap().unwrap();
    (row.state, row.attempts)
}

#[tokio::test]
async fn a_job_cancelled_while_it_was_put_off_is_not_looked_at_again() {
    let (_dir, store) = scratch();
    submit(&store, &["0081312345678"]).await;
    let claim = claimed(&store).await;
    let put_off = claim.clone();
    let now = SystemClock.now();
    let written = store.write(move |tx| {
        jobs::cancel(tx, put_off.job, now)?;
        let again = now.plus(Duration::from_secs(3600));
        jobs::put_off(tx, &put_off, again, "all lines are busy", None)?;
        jobs::promote(tx, now)
    });
    written.await.unwrap();
    let claim = claimed(&store).await;
    dispatcher(&store, &Arc::default()).run(&claim).await;
    assert_eq!(state_of(&store, claim.job).await, (State::Cancelled, 0));
}

#[tokio::test]
async fn a_transport_that_takes_its_time_keeps_no_other_call_from_being_resolved() {
    let (_dir, store) = scratch();
    submit(&store, &["0081312345678", "0081312345679"]).await;
    let (first, second) = (claimed(&store).await, claimed(&store).await);
    let asked = Arc::new(Asked::default());
    let slow = &asked.slow;
    slow.store(first.job, std::sync::atomic::Ordering::SeqCst);
    let dialled = [first.clone(), second.clone()];
    let written = store.write(move |tx| {
        let now = SystemClock.now();
        for claim in &dialled {
            assert!(jobs::start_attempt(tx, claim, OWNER, now)?);
        }
        jobs::fence_restarted(tx, now)?;
        jobs::dialled(tx, now)
    });
    let calls = written.await.unwrap();
    assert_eq!(calls.len(), 2);
    let dispatcher = dispatcher(&store, &asked);
    let resolved = tokio::time::timeout(Duration::from_secs(60), dispatcher.resolve(calls));
    resolved.await.expect("one waits for the other");
    assert_eq!(state_of(&store, first.job).await, (State::Dialling, 1));
    assert_eq!(state_of(&store, second.job).await, (State::Unknown, 1));
}
