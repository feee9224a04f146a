use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mail_parser::MessageParser;
use mail_parser::MimeHeaders;
use mail_parser::PartType;
use proptest::collection::vec;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prop_oneof;
use proptest::proptest;
use proptest::strategy::Just;

use super::*;
use crate::fax::StationId;
use crate::smtp::Address;
use crate::time::Timestamp;
use crate::time::Zone;

const FORMATS: [(ResultFormat, &str); 6] = [
    (ResultFormat::TextEn, "text-en"),
    (ResultFormat::TextJa, "text-ja"),
    (ResultFormat::HtmlEn, "html-en"),
    (ResultFormat::HtmlJa, "html-ja"),
    (ResultFormat::Xml, "xml"),
    (ResultFormat::Csv, "csv"),
];

const NOON: Timestamp = Timestamp::from_ms(1_795_339_800_000);

fn header() -> Header {
    Header {
        from: Address::parse("faxgate@fax.example").unwrap(),
        to: vec![Address::parse("tanaka@customer.example").unwrap()],
        message_id: "result.17@fax.example".into(),
        date: NOON.plus(Duration::from_secs(120)),
        zone: Zone::named("Asia/Tokyo").unwrap(),
        in_reply_to: Some("<q-1@customer.example>".into()),
    }
}

fn job(id: &str, status: Status) -> JobFacts {
    JobFacts {
        id: id.into(),
        destination: "0081312345678".into(),
        contact: "新宿店 <A&B>".into(),
        status,
        reason: None,
        pages_sent: if status == Status::SENT { 3 } else { 0 },
        duration: Duration::from_millis(42_900),
        remote_id: StationId::parse("+81 3 1234 5678").unwrap(),
        submitted: NOON,
        completed: Some(NOON.plus(Duration::from_secs(95))),
    }
}

fn result(format: ResultFormat, jobs: Vec<JobFacts>) -> ResultFacts {
    ResultFacts {
        batch: "17".into(),
        reference: "見積書 \"No.5\", 第2版".into(),
        jobs,
        format,
        zone: Zone::named("Asia/Tokyo").unwrap(),
        pages: None,
    }
}

fn three() -> Vec<JobFacts> {
    let mut unrendered = job("17-2", Status::NOT_RENDERED);
    unrendered.reason = Some("budget.xlsx".into());
    unrendered.remote_id = StationId::default();
    let mut list = job("17-3", Status::STOPPED_BY_LOCK);
    list.destination = "shops".into();
    list.contact = String::new();
    list.remote_id = StationId::default();
    list.duration = Duration::ZERO;
    list.completed = None;
    vec![job("17-1", Status::SENT), unrendered, list]
}

/// Compares with `fixtures/notify/<name>.eml`; `UPDATE_GOLDEN=1` writes it anew.
fn golden(name: &str, message: &[u8]) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/notify");
    let file = folder.join(format!("{name}.eml"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, message).unwrap();
    }
    let expected = fs::read(&file).unwrap_or_default();
    assert!(
        expected == message,
        "{} differs; UPDATE_GOLDEN=1 writes it anew. Now:\n{}",
        file.display(),
        String::from_utf8_lossy(message)
    );
}

fn text_of(message: &[u8]) -> String {
    let parsed = MessageParser::default().parse(message).unwrap();
    let text = parsed
        .parts
        .iter()
        .find(|part| matches!(part.body, PartType::Text(_)));
    text.unwrap().text_contents().unwrap().to_owned()
}

#[test]
fn a_result_has_the_golden_form_in_every_format() {
    for (format, name) in FORMATS {
        let single = result(
            format,
            vec![job("17-1", Status::of_cause(crate::fax::Cause::Busy))],
        );
        golden(
            &format!("single-{name}"),
            &result_mail(&single, &header()).message,
        );
        let batch = result(format, three());
        golden(
            &format!("batch-{name}"),
            &result_mail(&batch, &header()).message,
        );
    }
}

#[test]
fn every_format_is_read_back_with_its_fields() {
    for (format, name) in FORMATS {
        for jobs in [vec![job("17-1", Status::SENT)], three()] {
            let mail = result_mail(&result(format, jobs), &header());
            let parsed = MessageParser::default().parse(&mail.message).unwrap();
            assert_eq!(parsed.message_id(), Some("result.17@fax.example"));
            assert_eq!(parsed.in_reply_to().as_text(), Some("q-1@customer.example"));
            let date = parsed.date().unwrap().to_rfc3339();
            assert_eq!(date, "2026-11-22T18:32:00+09:00");
            let auto = parsed.header_raw("Auto-Submitted").unwrap();
            assert_eq!(auto.trim(), "auto-replied");
            let text =
                String::from_utf8_lossy(parsed.parts.last().unwrap().contents()).into_owned();
            let text = if name == "text-ja" {
                text_of(&mail.message)
            } else {
                text
            };
            for value in [
                "17-1",
                "+81 3 1234 5678",
                "0081312345678",
                "42",
                "2026-11-22 18:30:00",
                "2026-11-22 18:31:35",
                "新宿店",
                "見積書",
            ] {
                assert!(text.contains(value), "{name}: {value} in {text}");
            }
            assert!(!text.contains(['{', '}']), "{name}: {text}");
            let lines = mail.message.split(|b| *b == b'\n');
            assert!(lines.clone().all(|line| line.len() <= 998), "{name}");
            let ended = lines.rev().skip(1).all(|line| line.ends_with(b"\r"));
            assert!(ended, "{name}: every line ends in CRLF");
        }
    }
}

#[test]
fn subjects_say_success_or_failure_and_the_number() {
    let subject = |format, jobs| {
        let mail = result_mail(&result(format, jobs), &header());
        let parsed = MessageParser::default().parse(&mail.message).unwrap();
        parsed.subject().unwrap().to_owned()
    };
    let sent = || vec![job("1", Status::SENT)];
    let busy = || vec![job("1", Status(6017))];
    for format in [
        ResultFormat::TextJa,
        ResultFormat::HtmlJa,
        ResultFormat::Xml,
        ResultFormat::Csv,
    ] {
        assert_eq!(
            subject(format, sent()),
            "FAX送信が成功しました -> (0081312345678)"
        );
        assert_eq!(
            subject(format, busy()),
            "FAX送信が失敗しました -> (0081312345678)"
        );
    }
    assert_eq!(
        subject(ResultFormat::TextEn, sent()),
        "Fax sent successfully -> (0081312345678)"
    );
    assert_eq!(
        subject(ResultFormat::HtmlEn, three()),
        "Fax failed -> (1 of 3 sent)"
    );
    assert_eq!(
        subject(ResultFormat::TextJa, three()),
        "FAX送信が失敗しました -> (3件中1件成功)"
    );
    let two = vec![job("1", Status::SENT), job("2", Status::SENT)];
    assert_eq!(
        subject(ResultFormat::HtmlJa, two),
        "FAX送信が成功しました -> (2件中2件成功)"
    );
}

#[test]
fn c4_a_list_stopped_by_the_lock_is_told_with_6002_and_its_name() {
    let mut list = job("9", Status::STOPPED_BY_LOCK);
    list.destination = "shops".into();
    for (format, text) in [
        (
            ResultFormat::TextJa,
            "6002-アカウントがロックされているため送信できません",
        ),
        (ResultFormat::TextEn, "6002-refused: the account is locked"),
    ] {
        let mail = result_mail(&result(format, vec![list.clone()]), &header());
        assert!(text_of(&mail.message).contains(text));
        let parsed = MessageParser::default().parse(&mail.message).unwrap();
        assert!(parsed.subject().unwrap().ends_with("-> (shops)"));
    }
}

#[test]
fn csv_has_the_published_columns_and_exact_values() {
    let mut first = job("17-1", Status::SENT);
    first.contact = "=SUM(1), \"x\"".into();
    let mail = result_mail(&result(ResultFormat::Csv, vec![first]), &header());
    let text = text_of(&mail.message);
    assert_eq!(
        text,
        "TransactionID,CSID,PagesSent,Status,OriginalSubject,DestinationFax,Duration,SubmitTime,CompletionTime,Contact\r\n\
         17-1,+81 3 1234 5678,3,0,\"見積書 \"\"No.5\"\", 第2版\",0081312345678,42,2026-11-22 18:30:00,2026-11-22 18:31:35,\"=SUM(1), \"\"x\"\"\"\r\n"
    );
    let parsed = MessageParser::default().parse(&mail.message).unwrap();
    let part = parsed.content_type().unwrap();
    assert_eq!((part.ctype(), part.subtype()), ("text", Some("csv")));
}

#[test]
fn xml_has_one_fax_for_each_job_with_ten_elements_in_order() {
    let mail = result_mail(&result(ResultFormat::Xml, three()), &header());
    let text = text_of(&mail.message);
    let names: Vec<String> = text
        .lines()
        .nth(2)
        .unwrap()
        .split('<')
        .filter(|tag| !tag.is_empty() && !tag.starts_with('/'))
        .map(|tag| tag.split('>').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "Fax",
            "TransactionID",
            "CSID",
            "PagesSent",
            "Status",
            "OriginalSubject",
            "DestinationFax",
            "Duration",
            "SubmitTime",
            "CompletionTime",
            "Contact"
        ]
    );
    assert_eq!(text.matches("<Fax>").count(), 3);
    assert!(text.contains("<Contact>新宿店 &lt;A&amp;B&gt;</Contact>"));
    assert!(text.contains("<Status>6002</Status>"));
}

#[test]
fn html_comes_with_a_text_part_and_nothing_in_it_is_markup() {
    let mail = result_mail(&result(ResultFormat::HtmlJa, three()), &header());
    let parsed = MessageParser::default().parse(&mail.message).unwrap();
    assert_eq!(
        parsed.content_type().unwrap().subtype(),
        Some("alternative")
    );
    let html = parsed.body_html(0).unwrap();
    assert!(html.contains("新宿店 &lt;A&amp;B&gt;") && html.contains("budget.xlsx"));
    assert!(!html.contains("http"), "nothing from outside");
    assert!(text_of(&mail.message).contains("204000-文書を変換できませんでした"));
}

#[test]
fn text_ja_is_iso_2022_jp_in_seven_bits() {
    let mut emoji = job("1", Status::SENT);
    emoji.contact = "㈱髙島屋①😀".into();
    let mail = result_mail(&result(ResultFormat::TextJa, vec![emoji]), &header());
    let raw = String::from_utf8(mail.message.clone()).unwrap();
    assert!(raw.is_ascii());
    assert!(raw.contains("Content-Type: text/plain; charset=ISO-2022-JP\r\n"));
    assert!(raw.contains("Content-Transfer-Encoding: 7bit\r\n"));
    assert!(raw.contains("Subject: =?ISO-2022-JP?B?"));
    assert!(text_of(&mail.message).contains("(株)高島屋(1)〓"));
}

#[test]
fn the_pages_go_along_in_every_format() {
    for (format, name) in FORMATS {
        let mut facts = result(format, vec![job("1", Status::SENT)]);
        facts.pages = Some(Attachment {
            name: "fax-1.tif".into(),
            media_type: "image/tiff",
            bytes: vec![0x49, 0x49, 0x2a, 0],
        });
        let mail = result_mail(&facts, &header());
        let parsed = MessageParser::default().parse(&mail.message).unwrap();
        let file = parsed
            .parts
            .iter()
            .find(|part| part.attachment_name() == Some("fax-1.tif"));
        assert_eq!(file.unwrap().contents(), [0x49, 0x49, 0x2a, 0], "{name}");
    }
}

#[test]
fn a_list_of_20000_shows_failures_first_and_attaches_the_whole_table() {
    let mut jobs: Vec<JobFacts> = (1..=20_000)
        .map(|n| job(&format!("17-{n}"), Status::SENT))
        .collect();
    jobs[19_999].status = Status(6017);
    let mail = result_mail(&result(ResultFormat::HtmlJa, jobs.clone()), &header());
    let text = text_of(&mail.message);
    assert!(text.contains("20000. 0081312345678 新宿店") && !text.contains("\n1500. "));
    let parsed = MessageParser::default().parse(&mail.message).unwrap();
    let table = parsed
        .parts
        .iter()
        .find(|part| part.attachment_name() == Some("results.csv"));
    let table = String::from_utf8(table.unwrap().contents().to_vec()).unwrap();
    assert_eq!(table.lines().count(), 20_001);
    let csv = result_mail(&result(ResultFormat::Csv, jobs.clone()), &header());
    assert_eq!(text_of(&csv.message).lines().count(), 20_001);
    let xml = result_mail(&result(ResultFormat::Xml, jobs), &header());
    assert_eq!(text_of(&xml.message).matches("<Fax>").count(), 20_000);
    // Postfix takes 10,240,000 octets unless told otherwise.
    for mail in [mail, csv, xml] {
        assert!(mail.message.len() < 10_000_000, "{}", mail.message.len());
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        Just("\r\nBcc: victim@example.com\r\n".to_owned()),
        Just("\n\n--=_result17faxexample\n".to_owned()),
        Just("\u{2028}\u{85}\0\u{b}\u{c}\u{1b}$B\u{e}".to_owned()),
        Just("=?UTF-8?B?DQpCY2M6IHg=?=".to_owned()),
        Just("</Contact><Fax>]]>&x;{rows}{id}".to_owned()),
        Just("あ".repeat(300)),
    ];
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_adds_a_field_a_part_or_a_line(
        reference in hostile(),
        contact in hostile(),
        destination in hostile(),
        reason in hostile(),
        in_reply_to in hostile(),
        file in hostile(),
        remote in vec(any::<u8>(), 0..30),
        several in any::<bool>(),
    ) {
        for (format, name) in FORMATS {
            let mut one = job("17-1", Status::NOT_RENDERED);
            one.contact = contact.clone();
            one.destination = destination.clone();
            one.reason = Some(reason.clone());
            one.remote_id = StationId::from_far_end(&remote);
            let jobs = if several { vec![one.clone(), one] } else { vec![one] };
            let rows = jobs.len();
            let mut facts = result(format, jobs);
            facts.reference = reference.clone();
            facts.pages = Some(Attachment { name: file.clone(), media_type: "image/tiff", bytes: vec![1] });
            let header = Header { in_reply_to: Some(in_reply_to.clone()), ..header() };
            let message = result_mail(&facts, &header).message;
            let parsed = MessageParser::default().parse(&message).unwrap();
            let fields: Vec<String> = parsed.headers().iter().map(|h| h.name().to_owned()).collect();
            let expected = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
            let without: Vec<&String> = fields.iter().filter(|f| !matches!(f.as_str(), "In-Reply-To" | "References")).collect();
            proptest::prop_assert_eq!(without, expected, "{}", name);
            let parts = if name.starts_with("html") { 5 } else { 3 };
            proptest::prop_assert_eq!(parsed.parts.len(), parts, "{}", name);
            proptest::prop_assert!(message.is_ascii());
            let bare = String::from_utf8(message.clone()).unwrap().replace("\r\n", "");
            proptest::prop_assert!(!bare.contains(['\r', '\n', '\0']), "{}", name);
            let text = text_of(&message);
            match format {
                ResultFormat::Csv => {
                    let mut reader = csv::Reader::from_reader(text.as_bytes());
                    let read: Vec<csv::StringRecord> = reader.records().map(|r| r.unwrap()).collect();
                    proptest::prop_assert_eq!(read.len(), rows);
                }
                ResultFormat::Xml => proptest::prop_assert_eq!(text.matches("<Fax>").count(), rows),
                ResultFormat::HtmlEn | ResultFormat::HtmlJa | ResultFormat::TextEn | ResultFormat::TextJa => {
                    proptest::prop_assert!(text.matches("204000-").count() >= rows);
                }
            }
        }
    }
}

#[test]
fn p3_an_unknown_outcome_is_not_called_unsent() {
    let facts = result(
        ResultFormat::TextEn,
        vec![job("1", Status::OUTCOME_UNKNOWN)],
    );
    let mail = result_mail(&facts, &header());
    let text = text_of(&mail.message);
    assert!(text.starts_with("It is not known whether your fax arrived."));
    assert!(!text.contains("could not be sent"));
}
