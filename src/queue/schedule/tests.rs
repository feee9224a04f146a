//! The table by cause, row by row.

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_000_000);

fn retry() -> Retry {
    Retry {
        attempts: 4,
        interval: Duration::from_secs(180),
    }
}

fn known(attempt: u32) -> Known {
    Known {
        attempt,
        to_number: attempt,
        ..Known::default()
    }
}

/// Known after these calls, none of which got a page through.
fn after(causes: &[Cause]) -> Known {
    let call = |cause: &Cause| PastCall {
        cause: Some(*cause),
        progress: false,
    };
    Known {
        before: causes.iter().map(call).collect(),
        ..known(u32::try_from(causes.len()).unwrap() + 1)
    }
}

fn ends(cause: Cause) -> Outcome {
    Outcome::Retry(cause, CallReport::default())
}

fn with_pages(cause: Cause, pages_sent: u32) -> Outcome {
    let report = CallReport {
        pages_sent,
        ..CallReport::default()
    };
    Outcome::Retry(cause, report)
}

fn minutes(n: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(n * 60))
}

#[test]
fn every_cause_has_its_delay() {
    for (cause, wait) in [
        (Cause::Busy, 3),
        (Cause::CallRejected, 3),
        (Cause::NoAnswer, 5),
        (Cause::NoFaxTone, 5),
        (Cause::Congested, 1),
        (Cause::Network, 1),
        (Cause::CannotTrain, 1),
        (Cause::Disconnected, 1),
        (Cause::NoResponseAfterPage, 1),
        (Cause::LocalFault, 1),
    ] {
        let settled = settle(&known(1), ends(cause), &retry(), NOW);
        assert_eq!(settled.state, State::Sleeping, "{cause:?}");
        assert_eq!(settled.next_at, minutes(wait), "{cause:?}");
        assert_eq!(settled.status, Status::of_cause(cause));
        assert_eq!(settled.cause, Some(cause));
    }
}

#[test]
fn a_longer_interval_wins_where_nobody_is_there_and_nowhere_else() {
    let slow = Retry {
        attempts: 4,
        interval: Duration::from_secs(20 * 60),
    };
    for (cause, wait) in [
        (Cause::Busy, 20),
        (Cause::NoAnswer, 20),
        (Cause::NoFaxTone, 20),
        (Cause::CannotTrain, 1),
        (Cause::Disconnected, 1),
        (Cause::Congested, 1),
    ] {
        let settled = settle(&known(1), ends(cause), &slow, NOW);
        assert_eq!(settled.next_at, minutes(wait), "{cause:?}");
    }
}

#[test]
fn a_busy_number_is_called_again_after_the_interval_until_attempts_are_used_up() {
    for (attempt, state) in [
        (1, State::Sleeping),
        (2, State::Sleeping),
        (3, State::Sleeping),
        (4, State::Failed),
        (9, State::Failed),
    ] {
        let settled = settle(&known(attempt), ends(Cause::Busy), &retry(), NOW);
        assert_eq!(settled.state, state, "{attempt}");
        assert_eq!(settled.status, Status(6017));
        assert_eq!(settled.next_at, minutes(3));
    }
}

#[test]
fn the_calls_to_one_destination_never_pass_fifteen() {
    let of_all_jobs = |to_number| Known {
        to_number,
        ..known(1)
    };
    for cause in [Cause::Busy, Cause::Congested, Cause::CannotTrain] {
        let settled = settle(&of_all_jobs(14), ends(cause), &retry(), NOW);
        assert_eq!(settled.state, State::Sleeping);
        let last = settle(&of_all_jobs(15), ends(cause), &retry(), NOW);
        assert_eq!(last.state, State::Failed);
        assert!(last.reason.is_some());
    }
}

#[test]
fn what_will_not_change_is_not_tried_again() {
    for cause in [
        Cause::NumberUnassigned,
        Cause::NumberChanged,
        Cause::NoRoute,
    ] {
        for outcome in [ends(cause), Outcome::Failed(cause, CallReport::default())] {
            let settled = settle(&known(1), outcome, &retry(), NOW);
            assert_eq!(settled.state, State::Failed, "{cause:?}");
            assert_eq!(settled.status, Status::of_cause(cause));
        }
    }
    let said_so = Outcome::Failed(Cause::Busy, CallReport::default());
    assert_eq!(
        settle(&known(1), said_so, &retry(), NOW).state,
        State::Failed
    );
}

#[test]
fn a_network_without_a_way_is_given_more_time_after_each_call() {
    let congested = Cause::Congested;
    for (before, wait) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 15), (5, 15)] {
        let many = Retry {
            attempts: 9,
            ..retry()
        };
        let settled = settle(
            &after(&vec![congested; before]),
            ends(congested),
            &many,
            NOW,
        );
        assert_eq!(settled.next_at, minutes(wait), "{before}");
    }
    let settled = settle(
        &after(&[congested, Cause::Busy]),
        ends(congested),
        &retry(),
        NOW,
    );
    assert_eq!(settled.next_at, minutes(1), "it had a way in between");
}

#[test]
fn a_person_who_answers_is_rung_up_twice_only() {
    let tone = Cause::NoFaxTone;
    let first = settle(&after(&[Cause::Busy]), ends(tone), &retry(), NOW);
    assert_eq!(first.state, State::Sleeping);
    let second = settle(&after(&[tone, Cause::Busy]), ends(tone), &retry(), NOW);
    assert_eq!(second.state, State::Failed);
    assert!(second.reason.is_some());
}

#[test]
fn modems_that_cannot_train_are_slower_the_next_time() {
    let mut at = known(1);
    let mut steps = Vec::new();
    for attempt in 1..=4 {
        at.attempt = attempt;
        let settled = settle(&at, ends(Cause::CannotTrain), &retry(), NOW);
        at.step = settled.step;
        steps.push(settled.step);
    }
    let expected = [
        StepDown::V29,
        StepDown::V27ter,
        StepDown::WithoutEcm,
        StepDown::WithoutEcm,
    ];
    assert_eq!(steps, expected);
    let busy = settle(&at, ends(Cause::Busy), &retry(), NOW);
    assert_eq!(busy.step, StepDown::WithoutEcm, "what was learned is kept");
}

#[test]
fn three_calls_lost_in_the_pages_without_progress_are_enough() {
    let lost = [Cause::Disconnected, Cause::NoResponseAfterPage];
    let many = Retry {
        attempts: 6,
        ..retry()
    };
    let second = settle(&after(&lost[..1]), ends(lost[1]), &many, NOW);
    assert_eq!(second.state, State::Sleeping);
    let third = settle(&after(&lost), ends(lost[0]), &many, NOW);
    assert_eq!(third.state, State::Failed);
    assert!(third.reason.is_some());
    // A busy call in between changes nothing.
    let between = after(&[lost[0], Cause::Busy, lost[1]]);
    assert_eq!(
        settle(&between, ends(lost[0]), &many, NOW).state,
        State::Failed
    );
}

#[test]
fn a_page_that_got_through_begins_the_count_anew() {
    let many = Retry {
        attempts: 6,
        ..retry()
    };
    let lost = Cause::Disconnected;
    let known = Known {
        confirmed: 2,
        ..after(&[lost, lost])
    };
    let further = settle(&known, with_pages(lost, 3), &many, NOW);
    assert_eq!(further.state, State::Sleeping);
    let not_further = settle(&known, with_pages(lost, 2), &many, NOW);
    assert_eq!(not_further.state, State::Failed);
    let mut progress = after(&[lost, lost, lost]);
    progress.before[1].progress = true;
    assert_eq!(
        settle(&progress, ends(lost), &many, NOW).state,
        State::Sleeping
    );
}

#[test]
fn pages_that_the_far_end_cannot_take_go_once_more_with_half_the_lines() {
    let fine = Known {
        can_be_coarse: true,
        ..known(1)
    };
    for outcome in [
        ends(Cause::Incompatible),
        Outcome::Failed(Cause::Incompatible, CallReport::default()),
    ] {
        let settled = settle(&fine, outcome, &retry(), NOW);
        assert_eq!(settled.state, State::Sleeping);
        assert!(settled.coarse);
        assert_eq!(settled.next_at, NOW);
    }
    let coarse = Known {
        coarse: true,
        ..known(2)
    };
    let settled = settle(&coarse, ends(Cause::Incompatible), &retry(), NOW);
    assert_eq!(settled.state, State::Failed);
    let busy = settle(&coarse, ends(Cause::Busy), &retry(), NOW);
    assert!(busy.coarse, "what was learned is kept");
}

#[test]
fn an_interrupted_call_is_never_redialled() {
    for outcome in [
        ends(Cause::Interrupted),
        Outcome::Failed(Cause::Interrupted, CallReport::default()),
    ] {
        let settled = settle(&known(1), outcome, &retry(), NOW);
        assert_eq!(settled.state, State::Unknown);
        assert_eq!(settled.status, Status::OUTCOME_UNKNOWN);
    }
}

#[test]
fn the_last_try_is_as_far_away_as_the_calls_left_take_if_they_end_alike() {
    let last = |known: &Known, cause| {
        let settled = settle(known, ends(cause), &retry(), NOW);
        last_try(known, &settled, &retry())
    };
    assert_eq!(last(&known(1), Cause::Busy), minutes(9));
    assert_eq!(last(&known(3), Cause::Busy), minutes(3));
    assert_eq!(last(&known(1), Cause::NoAnswer), minutes(15));
    assert_eq!(last(&known(1), Cause::Congested), minutes(1 + 2 + 4));
    assert_eq!(last(&known(1), Cause::NoFaxTone), minutes(5));
    assert_eq!(last(&known(1), Cause::Disconnected), minutes(2));
}

#[test]
fn a_line_is_looked_for_more_and_more_seldom_and_for_a_day() {
    for (waited, again) in [(0, 1), (1, 1), (2, 2), (10, 10), (60, 15), (1_439, 15)] {
        let now = minutes(waited);
        let after = now.plus(Duration::from_secs(again * 60));
        assert_eq!(wait(NOW, now), Some(after), "{waited}");
    }
    assert_eq!(wait(NOW, minutes(24 * 60)), None);
}
