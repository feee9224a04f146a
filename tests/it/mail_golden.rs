//! Rows C1 and C2: each mail of `fixtures/mail` becomes exactly the submission its `expected.json` says.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use faxgate::config;
use faxgate::fax::Document;
use faxgate::fax::DocumentKind;
use faxgate::refusal::Malformed;
use faxgate::refusal::Refusal;
use faxgate::smtp::Address;
use faxgate::smtp::Envelope;
use faxgate::smtp::ReceivedMessage;
use faxgate::submission;
use faxgate::submission::PasswordFound;
use faxgate::submission::Rules;
use faxgate::submission::Submission;
use faxgate::time::Timestamp;
use faxgate::time::Zone;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

/// 2026-11-22 18:30 in Tokyo.
const NOW: Timestamp = Timestamp::from_ms(1_795_339_800_000);

#[test]
fn c2_every_golden_mail_becomes_what_its_case_says() {
    let mut cases: Vec<_> = fs::read_dir("fixtures/mail")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| difference(case)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn hostile_structures_are_refused_by_name() {
    let empty_parts = parts(0).replace("--b--", &"--b\r\n".repeat(1_000_000));
    for (what, raw, expected) in [
        ("10,000 parts", parts(10_000), Malformed::TooManyParts),
        (
            "a million empty parts",
            empty_parts,
            Malformed::TooManyParts,
        ),
        ("nested 1,000 deep", nested(1_000), Malformed::TooDeep),
        ("forwarded 1,000 deep", forwarded(1_000), Malformed::TooDeep),
        (
            "encoded again and again",
            encoded_again(10),
            Malformed::TooDeep,
        ),
    ] {
        assert_refused(what, &raw, expected);
    }
    assert!(read(parts(100).as_bytes()).is_ok());
    assert!(read(nested(15).as_bytes()).is_ok());
}

#[test]
fn hostile_headers_are_refused_by_name() {
    let segments: String = (0..200_000).map(|n| format!(";\r\n name*{n}=a")).collect();
    let field = format!("Content-Type: text/plain{segments}\r\n");
    let in_part = parts(1).replace("\r\n\r\nx", &format!("\r\n{field}\r\nx"));
    let subject = "x".repeat(100_000);
    for (what, raw, expected) in [
        (
            "200,000 segments",
            format!("{field}\r\nx\r\n"),
            Malformed::HeaderTooLong,
        ),
        (
            "200,000 segments in a part",
            in_part,
            Malformed::HeaderTooLong,
        ),
        (
            "long",
            format!("Subject: {subject}\r\n\r\nx\r\n"),
            Malformed::HeaderTooLong,
        ),
        ("empty", String::new(), Malformed::NoHeader),
        ("no field", "\r\nx\r\n".into(), Malformed::NoHeader),
    ] {
        assert_refused(what, &raw, expected);
    }
}

#[test]
fn mail_without_a_reverse_path_is_automatic() {
    let raw = "From: a@b.example\r\n\r\npassword: x\r\nx\r\n";
    let mut message = message(raw.as_bytes());
    message.envelope.reverse_path = None;
    let refused = parse(&message).err();
    assert_eq!(refused, Some(Refusal::AutomaticMail));
}

#[test]
fn addresses_and_message_id_are_taken_from_the_header() {
    let raw = "From: =?utf-8?B?55Sw5Lit?= <a..b.@docomo.ne.jp>, c@d.example\r\n\
               Reply-To: \"a b\"@Customer.Example\r\nMessage-ID: <1@x>\r\n\r\nx\r\n";
    let found = read(raw.as_bytes()).unwrap();
    assert_eq!(found.from.unwrap().as_str(), "a..b.@docomo.ne.jp");
    assert_eq!(found.reply_to.unwrap().as_str(), "\"a b\"@customer.example");
    assert_eq!(found.message_id.as_deref(), Some("<1@x>"));
    let twice = read(b"From: a@b.example\r\nFrom: c@d.example\r\n\r\nx\r\n");
    assert_eq!(twice.unwrap().from, None);
}

#[test]
fn p4_a_relays_second_copy_is_the_same_mail_and_another_password_changes_no_hash() {
    let raw = "From: a@b.example\r\nSubject: s\r\n\r\npassword: Abc1234\r\nHello\r\n";
    let hash = |raw: &str| read(raw.as_bytes()).unwrap().content_hash;
    let relayed = format!("Received: from a by b\r\n{raw}");
    assert_eq!(hash(&relayed), hash(raw));
    assert_eq!(
        hash(&raw.replace("Abc1234", "Other12")),
        hash(raw),
        "it covers no password"
    );
    assert_ne!(hash(&raw.replace("Hello", "Other")), hash(raw));
}

#[test]
fn options_choose_between_body_and_attachments() {
    let pdf = "--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF-1.4\r\n";
    let mail = |subject: &str, text: &str, attachment: &str| {
        format!(
            "From: a@b.example\r\nSubject: {subject}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\n\r\n{text}\r\n{attachment}--b--\r\n"
        )
    };
    let kinds = |raw: &str, default: bool| {
        let documents = read(raw.as_bytes()).unwrap().documents(default)?;
        Ok(documents.iter().map(|d| d.kind).collect::<Vec<_>>())
    };
    let (text, file) = (DocumentKind::Text, DocumentKind::Pdf);
    for (subject, default, expected) in [
        ("x", false, vec![file]),
        ("x", true, vec![text, file]),
        ("x /b", false, vec![text, file]),
        ("x /bn", true, vec![file]),
        ("x /bb", true, vec![text]),
    ] {
        let got = kinds(&mail(subject, "Hello", pdf), default);
        assert_eq!(got, Ok(expected), "{subject} {default}");
    }
    assert_eq!(kinds(&mail("x /bn", "Hello", ""), false), Ok(vec![text]));
    assert_eq!(kinds(&mail("x /b", " ", pdf), false), Ok(vec![file]));
    let empty = Err(Refusal::Malformed(Malformed::Empty));
    assert_eq!(kinds(&mail("x /bb", " ", pdf), false), empty);
    assert_eq!(kinds(&mail("x", "password: Abc1234", ""), false), empty);
}

proptest! {
    #[test]
    fn c2_a_password_line_anywhere_is_found_and_leaves_nothing_behind(
        before in prop::collection::vec("[ -9;-~あ-んア-ン]{0,30}", 0..15),
        after in prop::collection::vec("[ -9;-~あ-んア-ン]{0,30}", 0..40),
        prefix in prop::sample::select(vec!["password:", "Password：", "ﾊﾟｽﾜｰﾄﾞ:", "　パスワード ： ", "#passwd=", "faxpassword: "]),
        secret in "Z[a-z0-9!@#$%]{9,12}Q",
        charset in prop::sample::select(vec!["utf-8", "shift_jis", "euc-jp", "iso-2022-jp", "utf-16be", ""]),
        transfer in prop::sample::select(vec!["8bit", "base64", "quoted-printable"]),
        html in any::<bool>(),
        label in prop::sample::select(vec!["true", "true", "none", "us-ascii", "iso-8859-1"]),
    ) {
        let lines: Vec<String> = before.iter().cloned()
            .chain([format!("{prefix}{secret}")])
            .chain(after.iter().cloned())
            .chain([format!("> {prefix}{secret}")])
            .collect();
        let text = match html {
            true => lines.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("<br>\r\n"),
            false => lines.join("\r\n"),
        };
        // Half-width katakana have no place in ISO-2022-JP.
        prop_assume!(charset != "iso-2022-jp" || !prefix.contains('ﾊ'));
        let raw = mail_in(&text, charset, label, transfer, html);
        let submission = read(&raw).unwrap();
        match &submission.password {
            PasswordFound::One(found) => prop_assert_eq!(found.expose(), secret.trim()),
            PasswordFound::None | PasswordFound::Contradicting => prop_assert!(false, "not found"),
        }
        let debug = format!("{submission:?}");
        prop_assert!(!debug.contains(&secret));
        let body = submission.body.map(|body| body.bytes).unwrap_or_default();
        prop_assert!(!String::from_utf8(body).unwrap().contains(&secret));
    }

    #[test]
    fn no_bytes_make_it_panic(raw in prop::collection::vec(any::<u8>(), 0..2_000), head in prop::sample::select(vec![
        "", "Content-Type: multipart/mixed; boundary=\"\r\n", "From: a\r\nContent-Type: text/html\r\n\r\n",
        "Subject: =?iso-2022-jp?B?", "Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n",
        "Content-Disposition: attachment; filename*0*=", "A: b\r\nContent-Type: text/plain; format=flowed\r\n\r\n",
    ])) {
        submission::fuzz_submission(&[head.as_bytes(), &raw].concat());
    }
}

fn assert_refused(what: &str, raw: &str, expected: Malformed) {
    let refused = read(raw.as_bytes()).err();
    assert_eq!(refused, Some(Refusal::Malformed(expected)), "{what}");
    submission::fuzz_submission(raw.as_bytes());
}

fn parts(n: usize) -> String {
    let part = "--b\r\n\r\nx\r\n".repeat(n);
    let head = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
    format!("{head}{part}--b--\r\n")
}

fn nested(n: usize) -> String {
    let level =
        |k: usize| format!("Content-Type: multipart/mixed; boundary=b{k}\r\n\r\n--b{k}\r\n");
    let levels: String = (0..n).map(level).collect();
    format!("From: a@b.example\r\n{levels}\r\nx\r\n")
}

fn forwarded(n: usize) -> String {
    let levels = "Content-Type: message/rfc822\r\n\r\n".repeat(n);
    format!("From: a@b.example\r\n{levels}x\r\n")
}

fn encoded_again(n: usize) -> String {
    let encoding = "Content-Transfer-Encoding: quoted-printable";
    let levels = format!("Content-Type: message/rfc822\r\n{encoding}\r\n\r\n").repeat(n);
    format!(
        "From: a@b.example\r\n{levels}x\r\n{}",
        "y\r\n".repeat(10_000)
    )
}

/// What is wrong with a case, if anything.
fn difference(case: &Path) -> Option<String> {
    let raw = fs::read(case.join("in.eml")).unwrap();
    let why = fs::read_to_string(case.join("why.md")).unwrap();
    let expected = fs::read_to_string(case.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let read = read(&raw).and_then(|read| read.documents(false).map(|_| read));
    let got = match read {
        Ok(read) => {
            if let PasswordFound::One(secret) = &read.password {
                let kept = format!(
                    "{:?}{:?}{:?}",
                    read.reference,
                    read.message_id,
                    texts(&read)
                );
                assert!(
                    !kept.contains(secret.expose()),
                    "{} keeps it",
                    case.display()
                );
            }
            shown(&read)
        }
        Err(refusal) => json!({ "refusal": format!("{refusal:?}") }),
    };
    let wrong = || {
        format!(
            "{}\n  {}\n  expected {expected}\n  got      {got}",
            case.display(),
            why.trim()
        )
    };
    (got != expected).then(wrong)
}

fn texts(submission: &Submission) -> Vec<String> {
    let documents = submission.body.iter().chain(&submission.attachments);
    documents
        .map(|d| String::from_utf8_lossy(&d.bytes).into_owned())
        .collect()
}

fn shown(read: &Submission) -> Value {
    let password = match &read.password {
        PasswordFound::None => Value::Null,
        PasswordFound::One(secret) => json!(secret.expose()),
        PasswordFound::Contradicting => json!("contradicting"),
    };
    let body = read
        .body
        .as_ref()
        .map(|body| String::from_utf8(body.bytes.clone()).unwrap());
    let documents: Vec<Value> = read.attachments.iter().map(shown_document).collect();
    json!({
        "password": password,
        "reference": read.reference,
        "options": shown_options(&read.options),
        "body": body,
        "documents": documents,
    })
}

fn shown_document(document: &Document) -> Value {
    let mut shown = json!({ "name": document.name, "kind": document.kind.as_str() });
    if document.kind == DocumentKind::Text {
        shown["text"] = json!(String::from_utf8(document.bytes.clone()).unwrap());
    }
    if document.kind == DocumentKind::Unsupported {
        assert!(
            document.bytes.is_empty(),
            "nothing is kept of what nobody can read"
        );
    }
    shown
}

/// Only what is set.
fn shown_options(options: &submission::SubjectOptions) -> Value {
    let all = json!({
        "body": options.body.map(|body| format!("{body:?}")),
        "header": options.header,
        "no_header": options.no_header.then_some(true),
        "send_at": options.send_at.map(Timestamp::rfc3339),
        "resolution": options.resolution.map(|resolution| resolution.as_str()),
        "font_size": options.font_size,
        "font_type": options.font_type,
        "keep_background": options.keep_background.then_some(true),
    });
    let set = all
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, value)| !value.is_null());
    Value::Object(
        set.map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}

fn read(raw: &[u8]) -> Result<Submission, Refusal> {
    parse(&message(raw))
}

fn parse(message: &ReceivedMessage) -> Result<Submission, Refusal> {
    let lines = ["password:", "パスワード:", "#passwd=", "FAXPASSWORD:"];
    let password = config::Password {
        lines: lines.map(str::to_owned).to_vec(),
        search_lines: 20,
    };
    let rules = Rules {
        password: &password,
        limits: &limits(),
        zone: &Zone::named("Asia/Tokyo").unwrap(),
        now: NOW,
    };
    submission::parse(message, &rules)
}

fn message(raw: &[u8]) -> ReceivedMessage {
    ReceivedMessage {
        envelope: Envelope {
            reverse_path: Address::parse("tanaka@customer.example"),
            ..Envelope::default()
        },
        raw: raw.to_vec().into(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        received_at: NOW,
        authenticated: None,
    }
}

fn limits() -> config::Smtp {
    let second = Duration::from_secs(1);
    config::Smtp {
        listen: Vec::new(),
        max_message: 20_000_000,
        max_recipients: 500,
        max_header: 64 << 10,
        max_parts: 500,
        max_depth: 20,
        max_connections: 1,
        max_connections_per_address: 1,
        max_errors: 1,
        command_timeout: second,
        data_timeout: second,
        refusal_floor: second,
        password_wait: second,
        ..config::Smtp::default()
    }
}

fn escaped(line: &str) -> String {
    line.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn mail_in(text: &str, charset: &str, label: &str, transfer: &str, html: bool) -> Vec<u8> {
    let bytes = encoded(text, charset);
    // UTF-16 cannot stand in a mail as it is: its line feeds are half characters.
    let transfer = if charset == "utf-16be" {
        "base64"
    } else {
        transfer
    };
    let body = match transfer {
        "base64" => base64(&bytes),
        "quoted-printable" => quoted_printable(&bytes),
        _ => bytes,
    };
    let kind = if html { "text/html" } else { "text/plain" };
    let label = match (label, charset) {
        ("true", charset) if !charset.is_empty() => format!("; charset={charset}"),
        ("us-ascii" | "iso-8859-1", _) => format!("; charset={label}"),
        _ => String::new(),
    };
    let head = format!(
        "From: a@b.example\r\nSubject: s\r\nContent-Type: {kind}{label}\r\nContent-Transfer-Encoding: {transfer}\r\n\r\n"
    );
    [head.as_bytes(), &body].concat()
}

fn encoded(text: &str, charset: &str) -> Vec<u8> {
    if charset == "utf-16be" {
        return text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    }
    let encoding = match charset {
        "shift_jis" => encoding_rs::SHIFT_JIS,
        "euc-jp" => encoding_rs::EUC_JP,
        "iso-2022-jp" => encoding_rs::ISO_2022_JP,
        _ => encoding_rs::UTF_8,
    };
    encoding.encode(text).0.into_owned()
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for (n, group) in bytes.chunks(3).enumerate() {
        let bits =
            group.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at > group.len() { b'=' } else { digit });
        }
        if n % 19 == 18 {
            text.extend_from_slice(b"\r\n");
        }
    }
    text
}

fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for (n, b) in bytes.iter().enumerate() {
        match b {
            b'\r' | b'\n' => text.push(*b),
            b'a'..=b'z' | b':' => text.push(*b),
            _ => text.extend_from_slice(format!("={b:02X}").as_bytes()),
        }
        if n % 20 == 19 && *b != b'\r' {
            text.extend_from_slice(b"=\r\n");
        }
    }
    text
}
