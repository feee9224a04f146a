//! What calls leave behind for the next call of their job, and for those who look on.

use super::*;
use crate::fax::Cause;
use crate::fax::Media;
use crate::fax::StationId;
use crate::fax::StepDown;
use crate::fax::SubAddress;

/// A call that was lost behind page two.
fn lost() -> Settlement {
    Settlement {
        cause: Some(Cause::Disconnected),
        step: StepDown::V29,
        coarse: true,
        report: Some(CallReport {
            pages_sent: 2,
            remote_id: StationId::from_far_end(b"+81 3"),
            line: "a".into(),
            media: Some(Media::T38),
            rate: 9_600,
            ecm: true,
            sip: Some(200),
            t30: Some(21),
            detail: "gone".into(),
            ..CallReport::default()
        }),
        ..busy()
    }
}

async fn note(store: &Store, claim: &Claim, confirmed: u32) -> bool {
    let claim = claim.clone();
    let live = Live {
        phase: "page",
        confirmed,
        remote_id: "81".into(),
        line: "a".into(),
        media: Some(Media::G711),
        rate: 14_400,
        ecm: true,
    };
    let noted = store.write(move |tx| note_progress(tx, &claim, &live));
    noted.await.unwrap()
}

async fn calls_of(store: &Store, id: i64) -> Vec<AttemptRow> {
    store.read(move |tx| attempts(tx, id)).await.unwrap()
}

async fn again(store: &Store) -> Claim {
    let due = NOW.plus(Duration::from_secs(3600));
    store.write(move |tx| promote(tx, due)).await.unwrap();
    next(store).await.unwrap()
}

#[tokio::test]
async fn the_next_call_takes_over_what_the_last_one_came_to() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1], Class::Single, 10).await;
    let first = next(&store).await.unwrap();
    assert_eq!(first.course, Course::default());
    dial(&store, &first).await;
    end(&store, &first, lost()).await;
    let second = again(&store).await;
    let course = Course {
        confirmed: 2,
        step: StepDown::V29,
        coarse: true,
        ..Course::default()
    };
    assert_eq!(second.course, course);
    // Busy: nothing was sent, and nothing is forgotten.
    dial(&store, &second).await;
    let step = StepDown::V29;
    end(&store, &second, Settlement { step, ..busy() }).await;
    assert_eq!(again(&store).await.course.confirmed, 2);
    let calls = calls_of(&store, first.job).await;
    assert_eq!((calls[0].first_page, calls[0].pages_sent), (0, 2));
    assert_eq!((calls[1].first_page, calls[1].pages_sent), (2, 2));
}

#[tokio::test]
async fn all_that_a_transport_reports_is_kept_at_the_call() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1], Class::Single, 10).await;
    let claim = next(&store).await.unwrap();
    dial(&store, &claim).await;
    end(&store, &claim, lost()).await;
    let call = calls_of(&store, claim.job).await.remove(0);
    assert_eq!(call.cause, Some(Cause::Disconnected));
    assert_eq!((call.line.as_str(), call.media), ("a", Some(Media::T38)));
    assert_eq!((call.rate, call.ecm), (9_600, true));
    assert_eq!((call.sip, call.t30), (Some(200), Some(21)));
    assert_eq!(
        (call.detail.as_str(), call.remote_id.as_str()),
        ("gone", "+81 3")
    );
}

#[tokio::test]
async fn a_job_that_waits_for_its_next_call_is_in_progress() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1], Class::Single, 10).await;
    let claim = next(&store).await.unwrap();
    dial(&store, &claim).await;
    end(&store, &claim, busy()).await;
    let (state, status, _) = state_of(&store, claim.job).await;
    assert_eq!((state, status), (State::Sleeping, Status::SENDING));
    let calls = calls_of(&store, claim.job).await;
    assert_eq!(calls[0].status, Some(Status(6017)));
    let waiting = store.read(|tx| oldest_waiting(tx, 10)).await.unwrap();
    assert_eq!(waiting[0].status, Status(6017), "operators see the call");
}

#[tokio::test]
async fn how_far_a_call_is_shows_at_once_and_survives_a_crash() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1], Class::Single, 10).await;
    let claim = next(&store).await.unwrap();
    assert!(!note(&store, &claim, 1).await, "not dialled yet");
    dial(&store, &claim).await;
    assert!(note(&store, &claim, 3).await);
    let call = calls_of(&store, claim.job).await.remove(0);
    assert_eq!((call.phase.as_str(), call.pages_sent), ("page", 3));
    assert_eq!((call.rate, call.media), (14_400, Some(Media::G711)));
    assert_eq!(store.read(|tx| active(tx, 9)).await.unwrap(), [claim.job]);
    // The process dies; nothing else is known of the call.
    store.write(|tx| fence_restarted(tx, NOW)).await.unwrap();
    let open = store.write(|tx| dialled(tx, NOW)).await.unwrap();
    assert_eq!(open[0].claim.course.confirmed, 3);
    let unknown = Settlement::end(State::Unknown, Status::OUTCOME_UNKNOWN, NOW);
    end(&store, &open[0].claim, unknown).await;
    assert!(!note(&store, &claim, 4).await, "it has ended");
    let call = calls_of(&store, claim.job).await.remove(0);
    assert_eq!((call.phase.as_str(), call.pages_sent), ("", 3));
}

#[tokio::test]
async fn a_dial_that_was_none_is_taken_back_and_its_job_says_why_it_waits() {
    let (_dir, store) = scratch();
    submit(&store, "a", vec![1], Class::Single, 10).await;
    let claim = next(&store).await.unwrap();
    dial(&store, &claim).await;
    let asked = claim.clone();
    let put_off = store.write(move |tx| {
        take_back_dial(tx, &asked)?;
        put_off(tx, &asked, NOW, "no line", Some(NOW))
    });
    assert!(put_off.await.unwrap());
    assert!(calls_of(&store, claim.job).await.is_empty());
    let id = claim.job;
    let row = store.read(move |tx| job(tx, id)).await.unwrap().unwrap();
    assert_eq!((row.state, row.status), (State::Sleeping, Status::READY));
    assert_eq!((row.attempts, row.reason.as_deref()), (0, Some("no line")));
    let next = again(&store).await;
    assert_eq!(next.attempt, 1, "it did not count");
    assert_eq!(next.course.waiting_since, Some(NOW));
    dial(&store, &next).await;
    end(&store, &next, busy()).await;
    assert_eq!(again(&store).await.course.waiting_since, None);
}

#[tokio::test]
async fn two_sub_addresses_of_one_number_are_two_jobs_that_share_its_calls() {
    let (_dir, store) = scratch();
    let batch = submit(&store, "a", vec![1], Class::Single, 10).await;
    let ids = [(); 3].map(|()| store.ids().next(NOW));
    let added = store.write(move |tx| {
        let to = |id: i64, sub: &str| NewJob {
            sub_address: SubAddress::parse(sub),
            ..new_job(id, number(1), Class::Single)
        };
        let jobs = [to(ids[0], "12"), to(ids[1], "34"), to(ids[2], "12")];
        insert_jobs(tx, batch, "a", &jobs, NOW)
    });
    assert_eq!(added.await.unwrap(), 2);
    let plain = next(&store).await.unwrap();
    assert_eq!(plain.course.sub_address, None);
    assert!(next(&store).await.is_none(), "one call to a number");
    end(&store, &plain, sent()).await;
    let second = next(&store).await.unwrap();
    assert_eq!(second.course.sub_address, SubAddress::parse("12"));
    assert_eq!(second.destination, plain.destination);
}
