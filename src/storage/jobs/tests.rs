//! Who goes next, what a fence guards, what is counted.

mod calls;

use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::fax::CallReport;
use crate::storage::Store;
use crate::storage::tests::scratch;

const NOW: Timestamp = Timestamp::from_ms(1_795_339_800_000);
const LEASE: Timestamp = Timestamp::from_ms(1_795_339_830_000);
const OWNER: i64 = 7;

fn number(n: u32) -> String {
    format!("0081300{n:06}")
}

fn new_batch(id: i64, account: &str) -> NewBatch {
    let mut identity = [0; 32];
    identity[..8].copy_from_slice(&id.to_le_bytes());
    NewBatch {
        id,
        account: account.into(),
        identity,
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
        created_at: NOW,
    }
}

fn new_job(id: i64, destination: String, class: Class) -> NewJob {
    NewJob {
        id,
        destination,
        sub_address: None,
        contact: String::new(),
        class,
        state: State::Ready,
        status: Status::ACCEPTED,
        reason: None,
        next_at: NOW,
        recipient: None,
    }
}

/// A batch of `account` to these numbers, at most `max_calls` at a time.
async fn submit(
    store: &Store,
    account: &str,
    numbers: Vec<u32>,
    class: Class,
    max_calls: usize,
) -> i64 {
    let ids = store.ids();
    let batch = new_batch(ids.next(NOW), account);
    let jobs: Vec<_> = numbers
        .iter()
        .map(|n| new_job(ids.next(NOW), number(*n), class))
        .collect();
    let id = batch.id;
    let account = account.to_owned();
    let written = store.write(move |tx| {
        insert_batch(tx, &batch, true)?;
        insert_jobs(tx, batch.id, &account, &jobs, NOW)?;
        activate_lane(tx, &account, class.number(), Some(max_calls))
    });
    written.await.unwrap();
    id
}

async fn next(store: &Store) -> Option<Claim> {
    store.write(|tx| claim(tx, OWNER, LEASE)).await.unwrap()
}

fn sent() -> Settlement {
    Settlement {
        report: Some(CallReport::default()),
        ..Settlement::end(State::Done, Status::SENT, NOW)
    }
}

fn busy() -> Settlement {
    Settlement {
        state: State::Sleeping,
        status: Status(6017),
        next_at: NOW.plus(Duration::from_secs(180)),
        ..sent()
    }
}

async fn dial(store: &Store, claim: &Claim) -> bool {
    let claim = claim.clone();
    store
        .write(move |tx| start_attempt(tx, &claim, OWNER, NOW))
        .await
        .unwrap()
}

async fn end(store: &Store, claim: &Claim, settlement: Settlement) -> Option<bool> {
    let claim = claim.clone();
    store
        .write(move |tx| settle(tx, &claim, &settlement, NOW))
        .await
        .unwrap()
}

async fn state_of(store: &Store, id: i64) -> (State, Status, i64) {
    let row = store.read(move |tx| job(tx, id)).await.unwrap().unwrap();
    (row.state, row.status, row.attempts)
}

#[tokio::test]
async fn a_big_list_does_not_hold_up_other_accounts() {
    let (_dir, store) = scratch();
    submit(&store, "big", (0..500).collect(), Class::List, 1_000).await;
    for _ in 0..50 {
        let claim = next(&store).await.unwrap();
        end(&store, &claim, sent()).await;
    }
    for account in 0..20 {
        submit(
            &store,
            &format!("small{account}"),
            vec![1_000 + account],
            Class::Single,
            10,
        )
        .await;
    }
    let mut order = Vec::new();
    for _ in 0..25 {
        let claim = next(&store).await.unwrap();
        end(&store, &claim, sent()).await;
        order.push(claim.account);
    }
    let served = order
        .iter()
        .take(21)
        .filter(|account| account.starts_with("small"))
        .count();
    assert!(
        served >= 19,
        "small accounts waited behind the list: {order:?}"
    );
}

#[tokio::test]
async fn single_sends_of_an_account_go_before_its_lists() {
    let (_dir, store) = scratch();
    submit(&store, "a", (0..100).collect(), Class::List, 1_000).await;
    submit(&store, "a", (200..300).collect(), Class::Single, 1_000).await;
    let mut of_class = HashMap::new();
    for _ in 0..50 {
        let claim = next(&store).await.unwrap();
        let is_single = claim.destination.canonical() >= number(200);
        *of_class.entry(is_single).or_insert(0) += 1;
        end(&store, &claim, sent()).await;
    }
    assert!(of_class[&true] >= 39, "{of_class:?}");
}

#[tokio::test]
async fn an_idle_queue_does_not_forget_whose_turn_it_is() {
    let (_dir, store) = scratch();
    submit(&store, "a", (0..400).collect(), Class::Single, 1_000).await;
    while let Some(claim) = next(&store).await {
        end(&store, &claim, sent()).await;
    }
    submit(&store, "a", (1_000..1_500).collect(), Class::List, 1_000).await;
    for _ in 0..3 {
        let claim = next(&store).await.unwrap();
        end(&store, &claim, sent()).await;
    }
    submit(&store, "a", vec![9_000], Class::Single, 1_000).await;
    let mut waited = 0;
    loop {
        let claim = next(&store).await.unwrap();
        end(&store, &claim, sent()).await;
        if claim.destination.canonical() == number(9_000) {
            break;
        }
        waited += 1;
    }
    assert!(
        waited < 5,
        "a single send waited behind {waited} calls of a list"
    );
}

#[tokio::test]
async fn a_claim_that_nobody_works_on_runs_out() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1, 2], Class::Single, 10).await;
    let (worked, lost) = (next(&store).await.unwrap(), next(&store).await.unwrap());
    let (at_work, later) = (vec![worked.job], LEASE.plus(Duration::from_secs(60)));
    store
        .write(move |tx| renew(tx, OWNER, &at_work, later))
        .await
        .unwrap();
    store.write(|tx| dialled(tx, LEASE)).await.unwrap();
    let again = next(&store).await.unwrap();
    assert_eq!((again.job, again.attempt), (lost.job, 1));
    assert!(next(&store).await.is_none());
}

#[tokio::test]
async fn a_job_cancelled_before_its_call_is_not_dialled() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1], Class::Single, 10).await;
    let claim = next(&store).await.unwrap();
    let id = claim.job;
    assert_eq!(
        store.write(move |tx| cancel(tx, id, NOW)).await.unwrap(),
        Some(false)
    );
    let asked = claim.clone();
    assert!(
        store
            .write(move |tx| is_cancelled(tx, &asked))
            .await
            .unwrap()
    );
    assert!(!dial(&store, &claim).await);
}

#[tokio::test]
async fn a_mail_whose_copy_is_being_written_is_neither_taken_nor_lost() {
    let (_dir, store) = scratch();
    let batch = new_batch(store.ids().next(NOW), "a");
    let job = new_job(store.ids().next(NOW), number(1), Class::Single);
    let (id, identity) = (batch.id, batch.identity);
    let written = store.write(move |tx| {
        insert_batch(tx, &batch, false)?;
        insert_jobs(tx, id, "a", std::slice::from_ref(&job), NOW)
    });
    written.await.unwrap();
    let before = NOW.minus(Duration::from_secs(1));
    let found = store
        .write(move |tx| find_batch(tx, &identity, before))
        .await;
    assert!(matches!(found, Err(StorageError::InProgress)));
    assert_eq!(
        store.write(|tx| drop_unpublished(tx, None)).await.unwrap(),
        [id]
    );
    let found = store
        .write(move |tx| find_batch(tx, &identity, before))
        .await;
    assert_eq!(found.unwrap(), None);
}

#[tokio::test]
async fn an_account_has_no_more_calls_at_a_time_than_it_may() {
    let (_dir, store) = scratch();
    submit(&store, "a", (0..5).collect(), Class::Single, 2).await;
    let first = next(&store).await.unwrap();
    assert!(next(&store).await.is_some());
    assert!(next(&store).await.is_none(), "a third call of two");
    end(&store, &first, sent()).await;
    assert!(next(&store).await.is_some());
}

#[tokio::test]
async fn a_destination_has_one_call_at_a_time() {
    let (_dir, store) = scratch();
    for _ in 0..3 {
        submit(&store, "a", vec![1], Class::Single, 10).await;
    }
    submit(&store, "b", vec![1], Class::Single, 10).await;
    let mut served = 0;
    let mut claim = next(&store).await;
    while let Some(present) = claim {
        assert!(next(&store).await.is_none(), "two calls to one number");
        end(&store, &present, sent()).await;
        served += 1;
        claim = next(&store).await;
    }
    assert_eq!(served, 4, "a parked job was forgotten");
}

#[tokio::test]
async fn p3_a_lost_lease_neither_dials_nor_settles() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1], Class::Single, 10).await;
    let zombie = next(&store).await.unwrap();
    let given_back = zombie.clone();
    store
        .write(move |tx| forget_claim(tx, &given_back))
        .await
        .unwrap();
    let owner = next(&store).await.unwrap();
    assert_eq!(
        owner.attempt, zombie.attempt,
        "an attempt that was not dialled does not count"
    );
    assert!(!dial(&store, &zombie).await);
    assert!(dial(&store, &owner).await);
    assert_eq!(end(&store, &zombie, sent()).await, None);
    assert_eq!(end(&store, &owner, sent()).await, Some(true));
    assert_eq!(
        end(&store, &owner, sent()).await,
        None,
        "a repeated result changes nothing"
    );
    assert_eq!(
        state_of(&store, owner.job).await,
        (State::Done, Status::SENT, 1)
    );
}

#[tokio::test]
async fn a_busy_job_sleeps_and_comes_back_with_the_next_attempt() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1], Class::Single, 10).await;
    let first = next(&store).await.unwrap();
    assert!(dial(&store, &first).await);
    assert_eq!(end(&store, &first, busy()).await, Some(false));
    let later = NOW.plus(Duration::from_secs(179));
    assert!(!store.write(move |tx| promote(tx, later)).await.unwrap());
    let due = NOW.plus(Duration::from_secs(180));
    assert!(store.write(move |tx| promote(tx, due)).await.unwrap());
    assert_eq!(next(&store).await.unwrap().attempt, 2);
}

#[tokio::test]
async fn cancelling_waits_for_a_call_and_stops_what_waits() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1, 2], Class::Single, 1).await;
    let active = next(&store).await.unwrap();
    dial(&store, &active).await;
    let (id, other) = (active.job, active.job + 2);
    assert_eq!(
        store.write(move |tx| cancel(tx, id, NOW)).await.unwrap(),
        Some(false)
    );
    assert_eq!(
        store.write(move |tx| cancel(tx, other, NOW)).await.unwrap(),
        Some(false)
    );
    assert_eq!(
        store.write(move |tx| cancel(tx, other, NOW)).await.unwrap(),
        None
    );
    assert_eq!(
        end(&store, &active, busy()).await,
        Some(true),
        "cancelled instead of sleeping"
    );
    assert_eq!(state_of(&store, id).await.0, State::Cancelled);
    assert_eq!(
        state_of(&store, other).await,
        (State::Cancelled, Status::CANCELLED, 0)
    );
}

#[tokio::test]
async fn after_a_restart_claims_go_back_and_calls_are_resolved() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1, 2], Class::Single, 10).await;
    let (claimed, called) = (next(&store).await.unwrap(), next(&store).await.unwrap());
    dial(&store, &called).await;
    assert!(
        store.write(|tx| dialled(tx, NOW)).await.unwrap().is_empty(),
        "leases hold"
    );
    store.write(|tx| fence_restarted(tx, NOW)).await.unwrap();
    let open = store.write(|tx| dialled(tx, NOW)).await.unwrap();
    assert_eq!(
        open.iter().map(|call| &call.claim).collect::<Vec<_>>(),
        [&called]
    );
    assert_eq!(next(&store).await.unwrap().job, claimed.job);
}

#[tokio::test]
async fn p4_the_same_mail_adds_only_what_its_batch_lacks() {
    let (_dir, store) = scratch();
    let batch = submit(&store, "a", vec![1, 2], Class::Single, 10).await;
    let ids: Vec<_> = (0..3).map(|_| store.ids().next(NOW)).collect();
    let added = store.write(move |tx| {
        let identity = new_batch(batch, "a").identity;
        let before = NOW.minus(Duration::from_secs(1));
        let known = find_batch(tx, &identity, before)?;
        assert_eq!(known, Some(batch));
        assert_eq!(
            find_batch(tx, &identity, NOW)?,
            None,
            "a day later it is another mail"
        );
        let jobs: Vec<_> = ids
            .iter()
            .zip(1..)
            .map(|(id, n)| new_job(*id, number(n), Class::Single))
            .collect();
        insert_jobs(tx, batch, "a", &jobs, NOW)
    });
    assert_eq!(added.await.unwrap(), 1);
    let row = store
        .read(move |tx| super::batch(tx, batch))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.jobs, row.settled), (3, 0));
}

#[tokio::test]
async fn calls_to_one_number_are_counted_since_its_last_success() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1], Class::Single, 10).await;
    let claim = next(&store).await.unwrap();
    dial(&store, &claim).await;
    end(&store, &claim, busy()).await;
    let to = claim.destination.clone();
    let since = NOW.minus(Duration::from_secs(60));
    assert_eq!(
        store.read(move |tx| redials(tx, &to, since)).await.unwrap(),
        1
    );
    let to = claim.destination.clone();
    assert_eq!(
        store.read(move |tx| redials(tx, &to, NOW)).await.unwrap(),
        0
    );
}

#[tokio::test]
async fn the_next_lane_is_found_without_counting_an_accounts_history() {
    let (_dir, store) = scratch();
    let plan = store.read(|tx| {
        let sql = format!("EXPLAIN QUERY PLAN {}", claim::NEXT_LANE);
        tx.query(&sql, &[])
    });
    let plan: Vec<_> = plan
        .await
        .unwrap()
        .iter()
        .map(|row| row.text(3).to_owned())
        .collect();
    assert!(
        plan.iter().any(|step| step.contains("job_active")),
        "{plan:?}"
    );
}

#[tokio::test]
async fn pages_go_after_their_time_and_history_after_its_own() {
    let (_dir, store) = scratch();
    let sent_one = submit(&store, "a", vec![1], Class::Single, 10).await;
    let claim = next(&store).await.unwrap();
    dial(&store, &claim).await;
    end(&store, &claim, sent()).await;
    let waiting = submit(&store, "a", vec![2], Class::Single, 10).await;
    let expire = |at: Timestamp| store.write(move |tx| expire_batches(tx, at));
    assert!(
        expire(NOW).await.unwrap().is_empty(),
        "settled at this very time"
    );
    let later = NOW.plus(Duration::from_secs(1));
    assert_eq!(
        expire(later).await.unwrap(),
        [sent_one],
        "what waits is kept"
    );
    assert!(expire(later).await.unwrap().is_empty(), "once");
    let (gone, _) = store
        .write(move |tx| purge_history(tx, later))
        .await
        .unwrap();
    assert_eq!(gone, [sent_one]);
    let left = store
        .read(|tx| jobs(tx, Some("a"), None, 10))
        .await
        .unwrap();
    assert_eq!(
        left.iter().map(|job| job.batch).collect::<Vec<_>>(),
        [waiting]
    );
}
