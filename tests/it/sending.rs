//! Mails become faxes: recipients, lists, repetitions, options, refusals (row C1).

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::paper;

const NUMBER: &str = "0312345678@fax.example";

fn suzuki() -> Gateway {
    Gateway::with(&[Account::suzuki()])
}

/// The destinations of all jobs, sorted.
fn destinations(jobs: &[serde_json::Value]) -> Vec<&str> {
    let mut found: Vec<&str> = jobs
        .iter()
        .map(|job| job["destination"].as_str().unwrap())
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn c1_a_mail_with_the_right_password_becomes_a_fax_and_its_result_is_mailed() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    gateway.accepts(&Mail::right(NUMBER));
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["destination"], "0081312345678");
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
    assert_eq!(jobs[0]["reference"], "offer");
    let calls = gateway.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["job"], jobs[0]["id"]);
    assert_eq!(calls[0]["number"], "0081312345678");
    assert_eq!(calls[0]["local_id"], "+81 3 1234 5678");
    assert_eq!(calls[0]["status"], 0);
    assert_eq!(calls[0]["pages"], 1);
    let mails = gateway.sink.wait_for("tanaka@customer.example", 1);
    assert_eq!(
        mails[0].subject(),
        "FAX送信が成功しました -> (0081312345678)"
    );
}

#[test]
fn c1_a_number_is_reached_in_every_form_that_people_type() {
    let gateway = Gateway::start(Setup::new(&[Account::suzuki()]).set(
        "destinations",
        "allow",
        "[\"81\", \"1\"]",
    ));
    let mut mail = Mail::plain(NUMBER);
    for form in [
        "03-1234-5678",
        "+81-3-1234-5678",
        "00-81-3-1234-5678",
        "0081312345678",
        "\"03 1234 5678\"",
        "03 1234 5678",
        "+81(3)1234-5678",
        "FAX=+81312345678",
        "+1(212)555-9999",
    ] {
        mail = mail.and_to(&format!("{form}@fax.example"));
    }
    gateway.accepts(&mail);
    let jobs = gateway.settled(2);
    assert_eq!(destinations(&jobs), ["0012125559999", "0081312345678"]);
}

#[test]
fn c1_several_numbers_are_one_batch_with_a_status_each_and_one_result_mail() {
    let gateway = suzuki();
    let mail = Mail::plain(NUMBER)
        .and_to("03-8765-4321@fax.example")
        .and_to("00999-9999-6017@fax.example");
    gateway.accepts(&mail);
    let jobs = gateway.settled(3);
    assert!(jobs.iter().all(|job| job["batch"] == jobs[0]["batch"]));
    let status = |destination: &str| {
        let job = jobs.iter().find(|job| job["destination"] == destination);
        job.unwrap()["status"].as_i64().unwrap()
    };
    assert_eq!(status("0081312345678"), 0);
    assert_eq!(status("0081387654321"), 0);
    assert_eq!(status("0099999996017"), 6017);
    let mails = gateway.sink.wait_for("suzuki@customer.example", 1);
    assert_eq!(
        mails[0].subject(),
        "FAX送信が失敗しました -> (3件中2件成功)"
    );
    assert_eq!(gateway.sink.mails().len(), 1);
}

#[test]
fn c1_a_list_becomes_a_job_for_each_member_with_its_name() {
    let gateway = suzuki();
    gateway.accepts(&Mail::plain("Branches@list.fax.example").and_to(NUMBER));
    let jobs = gateway.settled(3);
    let expected = ["0081312345678", "0081322220001", "0081322220002"];
    assert_eq!(destinations(&jobs), expected);
    let contacts: Vec<_> = jobs.iter().map(|job| &job["contact"]).collect();
    assert!(contacts.contains(&&"Ueno".into()) && contacts.contains(&&"Ginza".into()));
    assert!(jobs.iter().all(|job| job["batch"] == jobs[0]["batch"]));
}

#[test]
fn c1_a_list_is_read_from_a_table_in_shift_jis() {
    // 03-1111-2222,新宿 and 06-1111-3333,梅田.
    let table = b"03-1111-2222,\x90\x56\x8f\x68\r\n06-1111-3333,\x94\x7e\x93\x63\r\n";
    let setup = Setup::new(&[Account::suzuki().list_file("shops", "shops.csv")]);
    let gateway = Gateway::start(setup.file("shops.csv", table));
    gateway.accepts(&Mail::plain("shops@list.fax.example"));
    let jobs = gateway.settled(2);
    assert_eq!(destinations(&jobs), ["0081311112222", "0081611113333"]);
    let names: Vec<_> = jobs.iter().map(|job| job["contact"].as_str()).collect();
    assert_eq!(names, [Some("新宿"), Some("梅田")]);
}

#[test]
fn c1_only_the_envelope_says_where_a_fax_goes() {
    let gateway = suzuki();
    let mail = Mail::plain(NUMBER)
        .header("To", "0399999999@fax.example")
        .header("Cc", "boss@customer.example, 0388888888@fax.example")
        .header("Bcc", "0377777777@fax.example");
    gateway.accepts(&mail);
    assert_eq!(destinations(&gateway.settled(1)), ["0081312345678"]);
}

#[test]
fn c1_the_same_mail_again_is_the_same_batch_and_dials_nothing() {
    let gateway = suzuki();
    let mail = Mail::plain(NUMBER);
    let first = gateway.mail(&mail);
    gateway.settled(1);
    assert_eq!(gateway.mail(&mail), first);
    // Another mail with the same words is another fax.
    gateway.accepts(&Mail::plain(NUMBER));
    gateway.settled(2);
    assert_eq!(gateway.calls().len(), 2);
}

#[test]
fn c1_a_relay_that_splits_recipients_adds_only_those_that_are_missing() {
    let gateway = suzuki();
    let mail = Mail::plain(NUMBER);
    let first = gateway.mail(&mail.clone().only_to(&[NUMBER]));
    let both = [NUMBER, "0387654321@fax.example"];
    assert_eq!(gateway.mail(&mail.only_to(&both)), first);
    let jobs = gateway.settled(2);
    assert_eq!(jobs[0]["batch"], jobs[1]["batch"]);
    assert_eq!(destinations(&jobs), ["0081312345678", "0081387654321"]);
    assert_eq!(gateway.calls().len(), 2);
}

#[test]
fn c1_a_fax_is_put_off_and_can_be_cancelled() {
    let gateway = suzuki();
    let tokyo = crate::gateway::now().in_tz("Asia/Tokyo").unwrap();
    let day = tokyo.date().checked_add(jiff::Span::new().days(2)).unwrap();
    gateway.accepts(&Mail::plain(NUMBER).subject(&format!("offer /d {{{day} 09:30}}")));
    let job = &gateway.jobs()[0];
    assert_eq!(job["state"], "pending");
    assert_eq!(job["reference"], "offer");
    let due: jiff::Timestamp = job["due"].as_str().unwrap().parse().unwrap();
    let expected = day.at(9, 30, 0, 0).in_tz("Asia/Tokyo").unwrap();
    assert_eq!(due, expected.timestamp());
    let id = job["id"].as_str().unwrap();
    gateway.must(&["job", "cancel", id]);
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["status"], 403);
    assert_eq!(gateway.calls().len(), 0);
    let again = gateway.command(&["job", "cancel", id]);
    assert_eq!(again.code, 65, "{}", again.stderr);
}

#[test]
fn c1_options_in_the_subject_choose_body_header_and_resolution() {
    let gateway = suzuki();
    // Subject, pages, header line, lines an inch.
    let cases = [
        ("plain", 1, true, 196),
        ("body first /b", 2, true, 196),
        ("attachment only /bn", 1, true, 196),
        ("body only /bb", 1, true, 196),
        ("no header /hn", 1, false, 196),
        ("header /h {From here {Page}}", 1, true, 196),
        ("coarse /rs", 1, true, 98),
        ("fine /rf", 1, true, 196),
        ("all /b /hn /rs", 2, false, 98),
    ];
    for (subject, ..) in cases {
        let mail = Mail::plain(NUMBER).subject(subject);
        gateway.accepts(&mail.attach("bar.tiff", "image/tiff", &paper::tiff(1)));
    }
    let jobs = gateway.settled(cases.len());
    for (subject, count, header, dpi) in cases {
        let reference = subject.split(" /").next().unwrap();
        let job = jobs.iter().find(|job| job["reference"] == reference);
        let pages = gateway.pages(job.unwrap());
        assert_eq!(pages.len(), count, "{subject}");
        assert_eq!(paper::has_header(&pages[0]), header, "{subject}");
        assert_eq!(pages[0].y_dpi, dpi, "{subject}");
    }
}

#[test]
fn c1_an_unknown_option_is_refused_and_not_guessed() {
    let gateway = suzuki();
    let reply = gateway.mail(&Mail::plain(NUMBER).subject("offer /bx"));
    assert!(reply.starts_with("550 5.5.4 "), "{reply}");
    assert!(reply.contains("/bx"), "{reply}");
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn c1_recipients_are_judged_without_knowing_the_account() {
    let gateway = suzuki();
    let mut session = Smtp::hello(gateway.smtp);
    session.say("MAIL FROM:<nobody@elsewhere.example>");
    for (recipient, code) in [
        ("0312345678@elsewhere.example", "550 5.7.1"),
        ("hello@fax.example", "550 5.1.3"),
        (
            "1234567890123456789012345678901234567890@fax.example",
            "550 5.1.3",
        ),
        ("0312345678@fax.example", "250 2.1.5"),
        ("branches@list.fax.example", "250 2.1.5"),
        ("nosuchlist@list.fax.example", "250 2.1.5"),
    ] {
        let reply = session.say(&format!("RCPT TO:<{recipient}>"));
        assert!(reply.starts_with(code), "{recipient}: {reply}");
    }
}

#[test]
fn c1_a_list_that_nobody_has_is_refused_alone_and_fails_beside_a_number() {
    let gateway = suzuki();
    let list = "nosuchlist@list.fax.example";
    let reply = gateway.mail(&Mail::plain(list));
    assert!(reply.starts_with("550 5.1.1 "), "{reply}");
    assert_eq!(gateway.jobs().len(), 0);
    gateway.accepts(&Mail::plain(NUMBER).and_to(list));
    let jobs = gateway.settled(2);
    let failed = jobs.iter().find(|job| job["destination"] == "nosuchlist");
    assert_eq!(failed.unwrap()["reason"], "no such list");
}

#[test]
fn c1_mail_that_no_person_wrote_is_never_faxed() {
    let gateway = suzuki();
    let automatic = Mail::plain(NUMBER).header("Auto-Submitted", "auto-replied");
    for mail in [automatic, Mail::plain(NUMBER).reverse_path("")] {
        let reply = gateway.mail(&mail);
        assert!(reply.starts_with("550 5.7.1 "), "{reply}");
    }
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn c1_destination_rules_end_a_job_with_a_result_mail() {
    let gateway = suzuki();
    let mail = Mail::plain("0990-123-456@fax.example").and_to("+1-212-555-9999@fax.example");
    gateway.accepts(&mail);
    let jobs = gateway.settled(2);
    for job in &jobs {
        assert_eq!(
            (&job["state"], &job["status"]),
            (&"failed".into(), &6021.into())
        );
        assert_eq!(job["reason"], "destination not allowed");
    }
    gateway.sink.wait_for("suzuki@customer.example", 1);
    assert_eq!(gateway.calls().len(), 0);
}

#[test]
fn c1_an_allowed_country_is_called() {
    let setup = Setup::new(&[Account::suzuki()]).set("destinations", "allow", "[\"1212\"]");
    let gateway = Gateway::start(setup);
    let mail = Mail::plain("+1-212-555-9999@fax.example").and_to(NUMBER);
    gateway.accepts(&mail);
    let jobs = gateway.settled(2);
    assert_eq!(jobs[0]["status"], 0);
    assert_eq!(jobs[1]["status"], 6021);
}

#[test]
fn c1_the_simulator_ends_with_the_status_asked_for_without_a_call() {
    let gateway = suzuki();
    let mut mail = Mail::plain("00999-9999-0@fax.example");
    for status in ["6017", "3912", "6002"] {
        mail = mail.and_to(&format!("009999999{status}@fax.example"));
    }
    gateway.accepts(&mail);
    let jobs = gateway.settled(4);
    let mut statuses: Vec<_> = jobs.iter().map(|job| job["status"].as_i64()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [Some(0), Some(3912), Some(6002), Some(6017)]);
    assert_eq!(gateway.calls().len(), 0);
}

#[test]
fn c1_a_call_that_fails_for_now_is_tried_again() {
    let gateway = suzuki();
    // The line is away: its folder is not there.
    let (line, away) = (gateway.path("calls"), gateway.path("calls-away"));
    std::fs::rename(&line, &away).unwrap();
    gateway.accepts(&Mail::plain(NUMBER));
    crate::gateway::wait_for("the first call to fail", || {
        (gateway.jobs()[0]["state"] == "sleeping").then_some(())
    });
    std::fs::rename(&away, &line).unwrap();
    gateway.let_waiting_end();
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["status"], 0);
    assert_eq!(jobs[0]["attempt_count"], 2);
    let shown = gateway.json(&["job", "show", jobs[0]["id"].as_str().unwrap()]);
    let statuses: Vec<_> = shown["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["status"].as_i64().unwrap())
        .collect();
    assert_eq!(statuses, [6041, 0]);
    assert_eq!(gateway.calls().len(), 1);
}

#[test]
fn c1_a_call_that_never_succeeds_is_given_up_after_so_many_attempts() {
    let setup = Setup::new(&[Account::suzuki()]).set("retry", "attempts", "2");
    let gateway = Gateway::start(setup);
    std::fs::rename(gateway.path("calls"), gateway.path("calls-away")).unwrap();
    gateway.accepts(&Mail::plain(NUMBER));
    crate::gateway::wait_for("the first call to fail", || {
        (gateway.jobs()[0]["state"] == "sleeping").then_some(())
    });
    gateway.let_waiting_end();
    let jobs = gateway.settled(1);
    assert_eq!(jobs[0]["status"], 6041);
    assert_eq!(jobs[0]["attempt_count"], 2);
    gateway.sink.wait_for("suzuki@customer.example", 1);
}
