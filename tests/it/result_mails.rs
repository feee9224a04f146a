//! What customers are told about their faxes: six forms, to whom, when, and across trouble (row C1).

use crate::gateway::Account;
use crate::gateway::Delivered;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";
const SUZUKI: &str = "suzuki@customer.example";

fn suzuki(result_mail: &str) -> Gateway {
    Gateway::with(&[Account::suzuki().set("result_mail", result_mail)])
}

/// The result mail of one fax that was sent and of a batch of which half failed.
fn results(format: &str) -> (Delivered, Delivered) {
    let gateway = suzuki(&format!("{{ format = \"{format}\" }}"));
    gateway.accepts(&Mail::plain(NUMBER).subject("=?utf-8?B?6KaL56mN5pu4?="));
    let single = gateway.sink.wait_for(SUZUKI, 1).remove(0);
    gateway.accepts(&Mail::plain(NUMBER).and_to("00999-9999-6017@fax.example"));
    let batch = gateway.sink.wait_for(SUZUKI, 2).remove(1);
    for mail in [&single, &batch] {
        assert_eq!(mail.from, "", "the reverse-path is null");
        assert_eq!(mail.header("Auto-Submitted").unwrap(), "auto-replied");
        assert_eq!(mail.header("From").unwrap(), "faxgate@fax.example");
        assert!(mail.header("In-Reply-To").is_some());
    }
    (single, batch)
}

#[test]
fn c1_result_mails_in_japanese_text_are_iso_2022_jp() {
    let (single, batch) = results("text-ja");
    let kind = single.header("Content-Type").unwrap().to_ascii_lowercase();
    assert!(
        kind.starts_with("text/plain") && kind.contains("iso-2022-jp"),
        "{kind}"
    );
    assert!(single.message.is_ascii());
    assert_eq!(single.subject(), "FAX送信が成功しました -> (0081312345678)");
    assert!(single.body().contains("送信完了") && single.body().contains("見積書"));
    assert_eq!(batch.subject(), "FAX送信が失敗しました -> (2件中1件成功)");
    assert!(batch.body().contains("6017") && batch.body().contains("話し中"));
}

#[test]
fn c1_result_mails_in_english_text_say_the_same() {
    let (single, batch) = results("text-en");
    assert_eq!(single.subject(), "Fax sent successfully -> (0081312345678)");
    assert!(single.body().contains("見積書"));
    assert_eq!(batch.subject(), "Fax failed -> (1 of 2 sent)");
    assert!(batch.body().contains("busy"), "{}", batch.body());
}

#[test]
fn c1_result_mails_in_html_have_a_text_beside_them() {
    for (format, busy) in [("html-ja", "話し中"), ("html-en", "busy")] {
        let (single, batch) = results(format);
        assert!(
            single
                .header("Content-Type")
                .unwrap()
                .starts_with("multipart/alternative")
        );
        for mail in [&single, &batch] {
            assert!(mail.html().contains("0081312345678"), "{}", mail.html());
            assert!(mail.body().contains("0081312345678"), "{}", mail.body());
        }
        assert!(batch.html().contains(busy) && batch.body().contains(busy));
    }
}

const FIELDS: [&str; 10] = [
    "TransactionID",
    "CSID",
    "PagesSent",
    "Status",
    "OriginalSubject",
    "DestinationFax",
    "Duration",
    "SubmitTime",
    "CompletionTime",
    "Contact",
];

#[test]
fn c1_result_mails_in_csv_have_a_header_row_and_a_row_for_each_fax() {
    let (single, batch) = results("csv");
    for (mail, statuses) in [(&single, vec!["0"]), (&batch, vec!["0", "6017"])] {
        assert!(mail.header("Content-Type").unwrap().starts_with("text/csv"));
        let text = mail.body();
        let mut table = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(table.headers().unwrap(), FIELDS.as_slice());
        let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
        let found: Vec<&str> = rows.iter().map(|row| &row[3]).collect();
        assert_eq!(found, statuses);
        assert_eq!(&rows[0][5], "0081312345678");
        assert_eq!(&rows[0][2], "1");
        let is_time =
            |text: &str| jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).is_ok();
        assert!(is_time(&rows[0][7]) && is_time(&rows[0][8]), "{rows:?}");
    }
}

#[test]
fn c1_result_mails_in_xml_have_the_ten_elements_in_order() {
    let (single, batch) = results("xml");
    for (mail, faxes) in [(&single, 1), (&batch, 2)] {
        let text = mail.body();
        let mut reader = quick_xml::Reader::from_str(&text);
        let mut names = Vec::new();
        loop {
            let event = reader.read_event().unwrap();
            if let quick_xml::events::Event::Start(start) = &event {
                names.push(start.name().as_ref().to_owned());
            }
            if event == quick_xml::events::Event::Eof {
                break;
            }
        }
        let mut expected = vec!["FaxResults".to_owned()];
        for _ in 0..faxes {
            expected.push("Fax".to_owned());
            expected.extend(FIELDS.map(str::to_owned));
        }
        assert_eq!(names, expected);
        assert!(
            text.contains("<DestinationFax>0081312345678</DestinationFax>"),
            "{text}"
        );
    }
    assert!(batch.body().contains("<Status>6017</Status>"));
}

#[test]
fn c1_results_go_to_reply_to_only_if_it_is_an_address_of_the_account() {
    let senders = "[\"suzuki@customer.example\", \"desk@customer.example\"]";
    let account = Account::suzuki()
        .set("senders", senders)
        .set("forward_to", "[\"inbox@customer.example\"]");
    let gateway = Gateway::with(&[account]);
    // Reply-To, and who is told.
    let cases = [
        ("desk@customer.example", "desk@customer.example"),
        ("inbox@customer.example", "inbox@customer.example"),
        ("victim@elsewhere.example", SUZUKI),
    ];
    for (reply_to, told) in cases {
        gateway.accepts(&Mail::plain(NUMBER).header("Reply-To", reply_to));
        gateway.sink.wait_for(told, 1);
    }
    assert_eq!(gateway.sink.mails().len(), cases.len());
    assert!(gateway.sink.mails_to("victim@elsewhere.example").is_empty());
}

#[test]
fn c1_an_account_says_when_it_is_told() {
    // What is wanted, and which of success, failure is told.
    for (when, told) in [
        ("always", vec!["0099999990", "0099999996017"]),
        ("success", vec!["0099999990"]),
        ("failure", vec!["0099999996017"]),
        ("never", vec![]),
    ] {
        let account = Account::suzuki().set("result_mail", &format!("{{ when = \"{when}\" }}"));
        let gateway = Gateway::with(&[account, Account::new("last")]);
        gateway.accepts(&Mail::plain("00999-9999-0@fax.example"));
        gateway.settled(1);
        gateway.accepts(&Mail::plain("00999-9999-6017@fax.example"));
        gateway.settled(2);
        // Told after the others, if there are any.
        gateway.accepts(&Mail::new("last@customer.example", NUMBER, "x\r\n"));
        gateway.sink.wait_for("last@customer.example", 1);
        let mails = gateway.sink.wait_for(SUZUKI, told.len());
        assert_eq!(mails.len(), told.len(), "{when}");
        for destination in told {
            assert!(
                mails
                    .iter()
                    .any(|mail| mail.subject().contains(&format!("({destination})")))
            );
        }
    }
}

#[test]
fn c1_further_recipients_are_told_too() {
    let gateway = suzuki("{ to = [\"archive@customer.example\"] }");
    gateway.accepts(&Mail::plain(NUMBER));
    let own = gateway.sink.wait_for(SUZUKI, 1);
    let archive = gateway.sink.wait_for("archive@customer.example", 1);
    assert_eq!(own[0].to, [SUZUKI]);
    assert_eq!(archive[0].to, ["archive@customer.example"]);
}

#[test]
fn c1_pages_are_attached_when_asked_for() {
    let gateway = suzuki("{ attach_pages = true }");
    gateway.accepts(&Mail::plain(NUMBER));
    let mails = gateway.sink.wait_for(SUZUKI, 1);
    let attachments = mails[0].attachments();
    assert_eq!(attachments.len(), 1);
    assert!(!attachments[0].2.is_empty());
}

#[test]
fn c1_a_result_mail_waits_for_the_smarthost_and_arrives_once() {
    let mut gateway = suzuki("{}");
    gateway.sink.go_away();
    gateway.accepts(&Mail::plain(NUMBER));
    let job = gateway.settled(1)[0]["id"].as_str().unwrap().to_owned();
    let mail_state = |gateway: &Gateway| {
        let shown = gateway.json(&["job", "show", &job]);
        (
            shown["mails"][0]["state"].clone(),
            shown["mails"][0]["error"].clone(),
        )
    };
    wait_for("the mail not to be taken", || {
        mail_state(&gateway).1.is_string().then_some(())
    });
    assert_eq!(mail_state(&gateway).0, "waiting");
    gateway.sink.come_back();
    // It answers, and does not want it yet.
    gateway.sink.answer(Some("451 4.3.0 Try later"));
    gateway.let_waiting_end();
    wait_for("a second try", || {
        (gateway.sink.refused() == 1).then_some(())
    });
    wait_for("the answer to be noted", || {
        let (_, error) = mail_state(&gateway);
        error
            .as_str()
            .is_some_and(|text| text.contains("451"))
            .then_some(())
    });
    gateway.kill();
    gateway.sink.answer(None);
    gateway.serve();
    gateway.let_waiting_end();
    let mails = gateway.sink.wait_for(SUZUKI, 1);
    let id = mails[0].header("Message-ID").unwrap();
    let batch = gateway.jobs()[0]["batch"].as_str().unwrap().to_owned();
    assert_eq!(id, format!("<result.{batch}.1@gw.example>"));
    wait_for("the mail to be noted as sent", || {
        (mail_state(&gateway).0 == "sent").then_some(())
    });
    gateway.let_waiting_end();
    gateway.accepts(&Mail::plain(NUMBER));
    let mails = gateway.sink.wait_for(SUZUKI, 2);
    assert_eq!(mails.len(), 2);
    assert_ne!(mails[1].header("Message-ID").unwrap(), id);
}

#[test]
fn c1_a_mail_that_is_refused_for_good_is_given_up_visibly() {
    let gateway = suzuki("{}");
    gateway.sink.answer(Some("550 5.1.1 Nobody here"));
    gateway.accepts(&Mail::plain(NUMBER));
    let job = gateway.settled(1)[0]["id"].as_str().unwrap().to_owned();
    let shown = wait_for("the mail to be given up", || {
        let shown = gateway.json(&["job", "show", &job]);
        (shown["mails"][0]["state"] == "given up").then_some(shown)
    });
    let timeline = shown["timeline"].as_array().unwrap();
    assert!(
        timeline
            .iter()
            .any(|event| event["event"] == "not-notified"),
        "{shown}"
    );
}

#[test]
fn c1_a_carrier_address_that_no_rule_allows_gets_its_result_mail() {
    let address = "a..b.@docomo.ne.jp";
    let account = Account::new("phone").set("senders", &format!("[\"{address}\"]"));
    let gateway = Gateway::with(&[account]);
    gateway.accepts(&Mail::new(address, NUMBER, "Please see to it.\r\n"));
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["account"], "phone");
    wait_for("the result mail", || {
        let mails = gateway.sink.mails();
        let plain = |to: &String| to.replace('"', "") == address;
        mails
            .iter()
            .any(|mail| mail.to.iter().any(plain))
            .then_some(())
    });
}

#[test]
fn c1_nothing_in_a_subject_becomes_a_header_of_a_result_mail() {
    let gateway = suzuki("{ format = \"text-en\" }");
    // "x\r\nBcc: victim@elsewhere.example" as an encoded word.
    let subject = "=?utf-8?B?eA0KQmNjOiB2aWN0aW1AZWxzZXdoZXJlLmV4YW1wbGU=?=";
    gateway.accepts(&Mail::plain(NUMBER).subject(subject));
    let mails = gateway.sink.wait_for(SUZUKI, 1);
    assert_eq!(mails[0].header("Bcc"), None);
    assert_eq!(mails[0].to, [SUZUKI]);
}
