//! What a change behind our back leaves to be seen.

use std::time::Duration;

use super::*;
use crate::storage::Store;
use crate::storage::tests::scratch;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000).plus(Duration::from_secs(seconds))
}

fn event(id: i64, kind: &str, detail: &str) -> EventRow {
    EventRow {
        id,
        at: at(u64::try_from(id).unwrap()),
        kind: kind.to_owned(),
        account: "tanaka".to_owned(),
        detail: detail.to_owned(),
        ..EventRow::default()
    }
}

fn write(tx: &mut dyn Transaction, event: &EventRow) -> Result<Option<String>, StorageError> {
    events::add(tx, event)?;
    chain(tx, event)
}

/// Five rows of the trail, and an event that is none of it.
async fn five() -> (tempfile::TempDir, Store, String) {
    let (dir, store) = scratch();
    let links = store.write(|tx| {
        let act = r#"{"by":"boss","what":"password-reset","detail":"by telephone"}"#;
        write(tx, &event(1, "acted", act))?;
        write(tx, &event(2, "logged-in", r#"{"peer":"192.0.2.1"}"#))?;
        assert_eq!(write(tx, &event(3, "struck", "{}"))?, None);
        write(tx, &event(4, "locked", r#"{"door":"web"}"#))?;
        write(tx, &event(5, "unlocked", r#"{"reason":"asked"}"#))?;
        write(tx, &event(6, "acted", r#"{"by":"command","what":"x"}"#))
    });
    let last = links.await.unwrap().unwrap();
    (dir, store, last)
}

async fn tampered(sql: &'static str) -> Vec<(Option<i64>, i64, Fault)> {
    let (_dir, store, _) = five().await;
    store.write(move |tx| tx.execute(sql, &[])).await.unwrap();
    let verdict = store.read_here(|tx| verify(tx, None)).unwrap();
    let broken = verdict.broken.iter();
    broken.map(|b| (b.n, b.event, b.fault)).collect()
}

#[tokio::test]
async fn a_trail_that_nobody_touched_is_whole_and_ends_where_the_log_says() {
    let (_dir, store, last) = five().await;
    let verdict = store.read_here(|tx| verify(tx, None)).unwrap();
    assert_eq!((verdict.rows, verdict.removed), (5, 0));
    assert!(verdict.is_whole(), "{verdict:?}");
    assert!(last.starts_with("5:") && last.len() == 66, "{last}");
    assert_eq!(verdict.head.as_deref(), Some(last.as_str()));
    let newest = store.read_here(|tx| verify(tx, Some(2))).unwrap();
    assert_eq!((newest.rows, newest.is_whole()), (2, true));
    let (_dir, empty) = scratch();
    assert_eq!(
        empty.read_here(|tx| verify(tx, None)).unwrap(),
        Verdict::default()
    );
}

#[tokio::test]
async fn t28_a_row_that_was_changed_removed_or_added_is_found() {
    use Fault::Changed;
    use Fault::Gap;
    use Fault::Missing;
    use Fault::Outside;
    for (sql, expected) in [
        (
            "UPDATE event SET detail = replace(detail, 'telephone', 'mail') WHERE id = 1",
            vec![(Some(1), 1, Changed)],
        ),
        (
            "UPDATE event SET at = at + 1 WHERE id = 4",
            vec![(Some(3), 4, Changed)],
        ),
        (
            "UPDATE event SET kind = 'struck' WHERE id = 4",
            vec![(Some(3), 4, Changed)],
        ),
        (
            "UPDATE audit SET actor = 'sato' WHERE n = 1",
            vec![(Some(1), 1, Changed)],
        ),
        (
            "UPDATE audit SET hash = X'00' WHERE n = 2",
            vec![(Some(2), 2, Changed), (Some(3), 4, Changed)],
        ),
        (
            "DELETE FROM event WHERE id = 2",
            vec![(Some(2), 2, Missing)],
        ),
        (
            "DELETE FROM audit WHERE n = 2",
            vec![(Some(3), 4, Gap), (None, 2, Outside)],
        ),
        (
            "DELETE FROM audit WHERE n = 1",
            vec![(Some(2), 2, Gap), (None, 1, Outside)],
        ),
        (
            "INSERT INTO event(id, at, kind, account, detail) VALUES(9, 9, 'acted', 'sato', '{}')",
            vec![(None, 9, Outside)],
        ),
    ] {
        assert_eq!(tampered(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn a_trail_whose_end_was_cut_off_lacks_the_row_that_the_log_tells_of() {
    let (_dir, store, last) = five().await;
    let has = |link: &str| store.read_here(|tx| has(tx, link)).unwrap();
    assert_eq!(has(&last), Some(true));
    let cut = "DELETE FROM audit WHERE n = 5";
    store.write(move |tx| tx.execute(cut, &[])).await.unwrap();
    let cut = "DELETE FROM event WHERE id = 6";
    store.write(move |tx| tx.execute(cut, &[])).await.unwrap();
    let verdict = store.read_here(|tx| verify(tx, None)).unwrap();
    assert!(verdict.is_whole(), "the rest fits");
    assert_eq!(has(&last), Some(false));
    for bad in ["", "5", "x:00", "4:00", ":"] {
        assert_eq!(has(bad), Some(false), "{bad}");
    }
}

#[tokio::test]
async fn retention_removes_the_beginning_and_the_chain_goes_on_from_its_anchor() {
    let (_dir, store, last) = five().await;
    let first = store.read_here(|tx| verify(tx, None)).unwrap();
    let purged = store.write(|tx| {
        let removed = crate::storage::jobs::purge_history(tx, at(5))?.1;
        let left = tx.query("SELECT id FROM event ORDER BY id", &[])?;
        Ok((
            removed,
            left.iter().map(|row| row.integer(0)).collect::<Vec<_>>(),
        ))
    });
    // Three of the chain, and the strike that is not part of it.
    assert_eq!(purged.await.unwrap(), (4, vec![5, 6]));
    let verdict = store.read_here(|tx| verify(tx, None)).unwrap();
    assert_eq!((verdict.rows, verdict.removed), (2, 3));
    assert!(verdict.is_whole(), "{verdict:?}");
    assert_eq!(verdict.head, first.head);
    let all = store.write(|tx| {
        purge(tx, at(1_000))?;
        write(tx, &event(7, "unlocked", "{}"))
    });
    assert!(all.await.unwrap().unwrap().starts_with("6:"));
    let verdict = store.read_here(|tx| verify(tx, None)).unwrap();
    assert_eq!((verdict.rows, verdict.removed), (1, 5));
    assert!(verdict.is_whole(), "{verdict:?}");
    let has = |link: &str| store.read_here(|tx| has(tx, link)).unwrap();
    assert_eq!((has(&last), has("4:00")), (Some(true), None));
}

#[tokio::test]
async fn the_trail_is_searched_by_account_actor_and_act() {
    let (_dir, store, _) = five().await;
    let found = |account: Option<&str>, actor: Option<&str>, act: Option<&str>, before| {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let asked = Asked {
            account: owned(account),
            actor: owned(actor),
            act: owned(act),
        };
        let rows = store.read_here(|tx| list(tx, &asked, before, 3)).unwrap();
        rows.iter().map(|row| row.n).collect::<Vec<_>>()
    };
    assert_eq!(found(None, None, None, None), [5, 4, 3]);
    assert_eq!(found(None, None, None, Some(3)), [2, 1]);
    assert_eq!(found(Some("tanaka"), Some("boss"), None, None), [1]);
    assert_eq!(found(None, Some("tanaka"), None, None), [2]);
    assert_eq!(found(None, None, Some("locked"), None), [3]);
    assert_eq!(found(Some("sato"), None, None, None), [0; 0]);
    let words = store.read_here(acts).unwrap();
    assert_eq!(
        words,
        ["locked", "logged-in", "password-reset", "unlocked", "x"]
    );
}
