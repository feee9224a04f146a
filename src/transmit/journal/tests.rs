use super::*;
use crate::fax::FaxFile;
use crate::fax::FaxNumber;
use crate::fax::Modem;

fn call(job: i64, attempt: u32) -> Call {
    Call {
        job,
        attempt,
        number: FaxNumber::from_canonical("0081312345678").unwrap(),
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
        ring_timeout: std::time::Duration::from_secs(60),
    }
}

fn report() -> CallReport {
    CallReport {
        pages_sent: 2,
        remote_id: StationId::parse("+81 3").unwrap(),
        started: Timestamp::from_ms(1_000),
        ended: Timestamp::from_ms(91_500),
        line: "provider".to_owned(),
        media: Some(Media::T38),
        rate: 14_400,
        ecm: true,
        sip: Some(200),
        t30: Some(0),
        detail: "a \"quoted\" word".to_owned(),
    }
}

#[tokio::test]
async fn what_was_written_is_found_as_it_was_and_by_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(&dir.path().join("calls.jsonl")).unwrap();
    let busy = Outcome::Retry(Cause::Busy, report());
    let sent = Outcome::Sent(report());
    journal.made(&call(7, 1), "sip", &busy).await.unwrap();
    journal.made(&call(7, 2), "sip", &sent).await.unwrap();
    let never = Outcome::NotCalled { why: String::new() };
    journal.made(&call(7, 3), "sip", &never).await.unwrap();
    assert_eq!(journal.find(7, 1).await.unwrap(), Some(busy));
    assert_eq!(journal.find(7, 2).await.unwrap(), Some(sent));
    assert_eq!(journal.find(7, 3).await.unwrap(), None);
    assert_eq!(journal.find(70, 1).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_file_is_put_aside_and_still_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("calls.jsonl");
    let journal = Journal::open_bounded(&path, 1).unwrap();
    let sent = Outcome::Sent(report());
    for job in 1..=3 {
        journal.made(&call(job, 1), "sip", &sent).await.unwrap();
    }
    let lines = |path: &Path| std::fs::read_to_string(path).unwrap().lines().count();
    assert_eq!(lines(&path), 1);
    assert_eq!(lines(&dir.path().join("calls.1.jsonl")), 1);
    assert_eq!(
        journal.find(1, 1).await.unwrap(),
        None,
        "two files are kept"
    );
    assert!(journal.find(2, 1).await.unwrap().is_some());
    assert!(journal.find(3, 1).await.unwrap().is_some());
}

#[tokio::test]
async fn half_a_line_is_no_call_and_does_not_swallow_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("calls.jsonl");
    let sent = Outcome::Sent(report());
    let journal = Journal::open(&path).unwrap();
    journal.made(&call(1, 1), "sip", &sent).await.unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    let half = &whole[..whole.len() / 2];
    std::fs::write(&path, format!("{whole}{half}")).unwrap();
    let journal = Journal::open(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    journal.made(&call(2, 1), "sip", &sent).await.unwrap();
    assert!(journal.find(1, 1).await.unwrap().is_some());
    assert!(journal.find(2, 1).await.unwrap().is_some());
}

#[tokio::test]
async fn a_line_of_somebody_else_spoils_only_its_own_call() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("calls.jsonl");
    let journal = Journal::open(&path).unwrap();
    journal
        .made(&call(1, 1), "sip", &Outcome::Sent(report()))
        .await
        .unwrap();
    let own = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{own}\n# edited\n{{\"job\":\"2\"}}\n")).unwrap();
    assert!(journal.find(1, 1).await.unwrap().is_some());
    assert!(journal.find(2, 1).await.is_err());
}
