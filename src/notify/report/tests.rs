//! What reports say, as other programs read it.

use std::time::Duration;

use mail_parser::MessageParser;
use mail_parser::MimeHeaders;

use super::*;
use crate::config::ResultFormat;
use crate::fax::StationId;
use crate::notify::Attachment;
use crate::notify::JobFacts;
use crate::notify::ResultFacts;
use crate::smtp::Address;
use crate::status::Status;

const NOON: Timestamp = Timestamp::from_ms(1_795_339_800_000);

fn header() -> Header {
    Header {
        from: Address::parse("faxgate@fax.example").unwrap(),
        to: vec![Address::parse("tanaka@customer.example").unwrap()],
        message_id: "<report.7@gw.example>".into(),
        date: NOON,
        zone: Zone::utc(),
        in_reply_to: Some("<a@customer.example>".into()),
    }
}

fn facts(status: i32, format: ResultFormat) -> ReportFacts {
    let job = JobFacts {
        id: "9".into(),
        destination: "0081312345678".into(),
        contact: String::new(),
        status: Status(status),
        reason: None,
        pages_sent: 1,
        duration: Duration::from_secs(30),
        remote_id: StationId::default(),
        submitted: NOON,
        completed: Some(NOON),
    };
    ReportFacts {
        host: "gw.example".into(),
        envelope_id: Some("QQ 7".into()),
        arrived: NOON,
        original_recipient: Some("rfc822; sales@customer.example".into()),
        recipients: vec![RecipientFacts {
            address: "rfc822; 0312345678@fax.example".into(),
            status: Status(status),
            last_attempt: Some(NOON),
        }],
        delayed_until: None,
        message_id: Some("<a@customer.example>".into()),
        sent_at: Some(NOON),
        author: Address::parse("tanaka@customer.example"),
        addressed: Address::parse("0312345678@fax.example"),
        result: ResultFacts {
            batch: "5".into(),
            reference: "見積書".into(),
            jobs: vec![job],
            format,
            zone: Zone::utc(),
            pages: None,
        },
    }
}

/// Type and decoded content of the three parts.
fn parts(mail: &Mail) -> Vec<(String, String)> {
    let parsed = MessageParser::default().parse(&mail.message).unwrap();
    let root = parsed.parts.first().unwrap();
    let kind = root.content_type().unwrap();
    assert_eq!(kind.subtype(), Some("report"));
    assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
    let parts = parsed.parts.iter().skip(1).map(|part| {
        let kind = part.content_type().unwrap();
        let kind = format!("{}/{}", kind.ctype(), kind.subtype().unwrap());
        (kind, String::from_utf8_lossy(part.contents()).into_owned())
    });
    parts.collect()
}

#[test]
fn a_delivered_recipient_is_reported_field_by_field() {
    let mail = delivery_report(&facts(0, ResultFormat::TextEn), &header());
    let parts = parts(&mail);
    let kinds: Vec<&str> = parts.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "text/plain",
            "message/delivery-status",
            "text/rfc822-headers"
        ]
    );
    assert!(parts[0].1.contains("Your fax was sent."), "{}", parts[0].1);
    assert_eq!(
        parts[1].1.trim_end(),
        "Original-Envelope-Id: QQ 7\r\n\
         Reporting-MTA: dns; gw.example\r\n\
         Arrival-Date: Sun, 22 Nov 2026 09:30:00 +0000\r\n\
         \r\n\
         Original-Recipient: rfc822; sales@customer.example\r\n\
         Final-Recipient: rfc822; 0312345678@fax.example\r\n\
         Action: delivered\r\n\
         Status: 2.0.0\r\n\
         Last-Attempt-Date: Sun, 22 Nov 2026 09:30:00 +0000"
    );
    assert_eq!(
        parts[2].1.trim_end(),
        "Message-ID: <a@customer.example>\r\n\
         Date: Sun, 22 Nov 2026 09:30:00 +0000\r\n\
         From: tanaka@customer.example\r\n\
         To: 0312345678@fax.example\r\n\
         Subject: =?UTF-8?B?6KaL56mN5pu4?="
    );
}

#[test]
fn a_failed_one_says_why_in_both_worlds() {
    let mail = delivery_report(&facts(6017, ResultFormat::TextJa), &header());
    let parts = parts(&mail);
    assert!(mail.message.is_ascii());
    assert!(parts[0].1.contains("話し中"), "{}", parts[0].1);
    for line in [
        "Action: failed\r\n",
        "Status: 4.4.1\r\n",
        "Diagnostic-Code: x-faxgate; 6017 busy\r\n",
    ] {
        assert!(parts[1].1.contains(line), "{}", parts[1].1);
    }
}

#[test]
fn a_delay_is_never_final() {
    let mut facts = facts(6021, ResultFormat::HtmlJa);
    facts.delayed_until = Some(NOON.plus(Duration::from_secs(540)));
    let mail = delivery_report(&facts, &header());
    let parsed = MessageParser::default().parse(&mail.message).unwrap();
    assert_eq!(
        parsed.subject(),
        Some("FAX送信が遅れています -> (0081312345678)")
    );
    let parts = parts(&mail);
    assert!(!parts[0].1.contains(['{', '}']), "{}", parts[0].1);
    for line in [
        "Action: delayed\r\n",
        "Status: 4.7.1\r\n",
        "Will-Retry-Until: Sun, 22 Nov 2026 09:39:00 +0000",
    ] {
        assert!(parts[1].1.contains(line), "{}", parts[1].1);
    }
}

#[test]
fn pages_come_back_as_the_body_of_the_mail() {
    let mut facts = facts(6017, ResultFormat::HtmlEn);
    facts.result.pages = Some(Attachment {
        name: "fax-5.pdf".into(),
        media_type: "application/pdf",
        bytes: b"%PDF-1.7 =_report7gwexample".to_vec(),
    });
    let mail = delivery_report(&facts, &header());
    let parsed = MessageParser::default().parse(&mail.message).unwrap();
    let inner = parsed.parts.iter().find_map(|part| part.message()).unwrap();
    assert_eq!(inner.subject(), Some("見積書"));
    let pages = inner.attachment(0).unwrap();
    assert_eq!(pages.attachment_name(), Some("fax-5.pdf"));
    assert_eq!(pages.contents(), b"%PDF-1.7 =_report7gwexample");
}

#[test]
fn nothing_that_a_client_chose_becomes_a_field_of_its_own() {
    let mut facts = facts(0, ResultFormat::TextEn);
    let evil = "x\r\nAction: failed\r\n\r\n--=_report7gwexample--\r\n";
    facts.envelope_id = Some(evil.into());
    facts.original_recipient = Some(format!("rfc822; {evil}"));
    facts.message_id = Some(evil.into());
    facts.result.reference = evil.into();
    facts.recipients[0].address = format!("rfc822; {evil}");
    facts.author = Address::parse("営業@customer.example");
    let mail = delivery_report(&facts, &header());
    assert!(mail.message.is_ascii());
    let parts = parts(&mail);
    assert_eq!(parts.len(), 3);
    let actions = parts[1]
        .1
        .lines()
        .filter(|line| line.starts_with("Action:"));
    assert_eq!(actions.collect::<Vec<_>>(), ["Action: delivered"]);
    assert!(!parts[2].1.lines().any(|line| line.starts_with("Action:")));
}
