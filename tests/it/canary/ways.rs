//! The ways in: mails with the canary in them, and how each is answered.

use super::CORE;
use super::NUMBER;
use super::forms;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Smtp;
use crate::gateway::base64;

/// A mail with the canary in it, and how it is answered.
pub(super) struct Way {
    pub(super) name: &'static str,
    pub(super) envelope: Mail,
    pub(super) message: Vec<u8>,
    pub(super) expected: &'static str,
}

impl Way {
    pub(super) fn send(&self, gateway: &Gateway) -> String {
        let mut session = Smtp::hello(gateway.smtp);
        match session.envelope(&self.envelope) {
            Ok(()) => session.message(&self.message),
            Err(reply) => reply,
        }
    }
}

/// From `tanaka` unless the head says otherwise; `head` ends with an empty line.
pub(super) fn way(
    name: &'static str,
    expected: &'static str,
    head: &str,
    body: impl AsRef<[u8]>,
) -> Way {
    way_of("tanaka", name, expected, head, body)
}

pub(super) fn way_of(
    sender: &str,
    name: &'static str,
    expected: &'static str,
    head: &str,
    body: impl AsRef<[u8]>,
) -> Way {
    let sender = format!("{sender}@customer.example");
    let own = format!(
        "From: {sender}\r\nTo: {NUMBER}\r\nMessage-ID: <{}@customer.example>\r\nMIME-Version: 1.0\r\n{head}\r\n",
        name.replace(' ', "-")
    );
    Way {
        name,
        envelope: Mail::new(&sender, NUMBER, ""),
        message: [own.as_bytes(), body.as_ref()].concat(),
        expected,
    }
}

pub(super) const PLAIN: &str = "Content-Type: text/plain; charset=utf-8\r\n";
const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n";
const MIXED: &str = "Content-Type: multipart/mixed; boundary=b\r\n";
pub(super) const REFUSED: &str = "550 5.7.8 ";

#[expect(clippy::too_many_lines, reason = "a table: one entry for each way")]
pub(super) fn ways() -> Vec<Way> {
    let line = format!("password: {CORE}\r\n");
    let text = format!("{line}\r\nPlease see to it.\r\n");
    let page = format!("<p>password: {CORE}</p><p>Please see to it.</p>\r\n");
    let encoded = |coding: &str| format!("{PLAIN}Content-Transfer-Encoding: {coding}\r\n");
    let part = |head: &str, body: &str| format!("--b\r\n{head}\r\n{body}\r\n");
    let other = format!("password: {CORE}-wrong\r\n\r\nPlease.\r\n");
    let (jis, ..) = encoding_rs::ISO_2022_JP.encode("パスワード：");
    let jis = [&jis, &text.as_bytes()["password: ".len()..]].concat();
    let wide = forms::full_width(CORE);
    let broken = format!(
        "{}--b\r\nContent-Type: application/pdf; name=broken.pdf\r\n\
         Content-Disposition: attachment; filename=broken.pdf\r\n\r\n%PDF-1.4 not one\r\n--b--\r\n",
        part(PLAIN, &text)
    );
    let forwarded = format!(
        "{}--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\n{PLAIN}\r\n{line}Old text.\r\n--b--\r\n",
        part(PLAIN, &text)
    );
    let both = format!("{}{}--b--\r\n", part(PLAIN, &text), part(HTML, &page));
    let mut ways = vec![
        way("right", "250 ", PLAIN, &text),
        way("right again", "250 ", PLAIN, format!("{text}Again.\r\n")),
        way("wrong", REFUSED, PLAIN, &other),
        way("contradicting", REFUSED, PLAIN, format!("{line}{other}")),
        way("quoted", REFUSED, PLAIN, format!("> {line}\r\nPlease.\r\n")),
        way(
            "right and quoted",
            "250 ",
            PLAIN,
            format!("{text}> {line}Sato> {line}* {line}"),
        ),
        way(
            "far down",
            REFUSED,
            PLAIN,
            format!("{}{line}", "A line.\r\n".repeat(40)),
        ),
        way("html", "250 ", HTML, &page),
        way(
            "alternative",
            "250 ",
            "Content-Type: multipart/alternative; boundary=b\r\n",
            &both,
        ),
        way("forwarded", "250 ", MIXED, &forwarded),
        way(
            "base64",
            "250 ",
            &encoded("base64"),
            base64(text.as_bytes()),
        ),
        way(
            "quoted-printable",
            "250 ",
            &encoded("quoted-printable"),
            text.replace('=', "=3D").replace("Canary", "Can=\r\nary"),
        ),
        way(
            "jis",
            "250 ",
            "Content-Type: text/plain; charset=iso-2022-jp\r\n",
            &jis,
        ),
        way(
            "full width",
            REFUSED,
            PLAIN,
            format!("パスワード：{wide}\r\n\r\nPlease.\r\n"),
        ),
        way(
            "in the subject",
            "250 ",
            &format!("Subject: password: {CORE}\r\n{PLAIN}"),
            &text,
        ),
        way("unreadable document", "250 ", MIXED, &broken),
        way(
            "unknown option",
            "550 5.5.4 ",
            &format!("Subject: x /zz\r\n{PLAIN}"),
            &text,
        ),
        way(
            "automatic",
            "550 5.7.1 ",
            &format!("Auto-Submitted: auto-replied\r\n{PLAIN}"),
            &text,
        ),
        way(
            "utf-7",
            "554 5.6.0 ",
            "Content-Type: text/plain; charset=utf-7\r\n",
            &text,
        ),
        way(
            "lone line feed",
            "550 5.6.0 ",
            PLAIN,
            text.replace("see to it.\r\n", "see\nto it.\r\n"),
        ),
        way("nothing else", "550 5.6.0 ", PLAIN, &line),
        way_of("suzuki", "account without password", "250 ", PLAIN, &text),
        way_of("stranger", "unknown sender", REFUSED, PLAIN, &text),
        way_of("sato", "another account", "250 ", PLAIN, &text),
    ];
    ways.extend(copies(&text, &page));
    ways
}

/// Copies of the password outside of the sender's own line.
fn copies(text: &str, page: &str) -> Vec<Way> {
    let attached = format!(
        "--b\r\n{PLAIN}\r\n{text}\r\n--b\r\nContent-Type: text/plain; name=\"{CORE}.txt\"\r\n\
         Content-Disposition: attachment; filename=\"{CORE}.txt\"\r\n\r\n\
         Notes: it is {CORE}.\r\npassword: {CORE}\r\n--b\r\nContent-Type: application/{CORE}\r\n\
         Content-Disposition: attachment; filename=\"password: {CORE}\"\r\n\r\nx\r\n--b--\r\n"
    );
    let marked = format!(
        "<html><head><title>{CORE}</title><style>/* {CORE} */</style></head><body><!-- password: {CORE} -->\
         <div style=\"display:none\">password: {CORE}</div>{page}\
         <a href=\"https://a.example/?p={CORE}\" title=\"password: {CORE}\">link</a><img alt=\"{CORE}\" src=x>\
         <input type=hidden value=\"{CORE}\"></body></html>\r\n"
    );
    let (head, tail) = CORE.split_at(6);
    let quoted = format!(
        "{text}\r\n-----Original Message-----\r\nFrom: a@b.example\r\n\r\npassword: {CORE}\r\n\
         > password: {head}\r\n> {tail}\r\n>> {CORE}\r\nIt was {} then.\r\n",
        forms::full_width(CORE)
    );
    let fields = format!(
        "Subject: Re: about {CORE} /h {{password: {CORE}}} /b\r\nIn-Reply-To: <{CORE}@customer.example>\r\n\
         References: <{CORE}@customer.example>\r\nReply-To: \"{CORE}\" <tanaka@customer.example>\r\n\
         Received: from {CORE} ([192.0.2.7]) by relay.example for <{CORE}@fax.example>; today\r\n\
         X-Password: {CORE}\r\nComments: password: {CORE}\r\nUser-Agent: {CORE}\r\n{PLAIN}"
    );
    let option = format!("Subject: x /{CORE}\r\n{PLAIN}");
    vec![
        way("attached copies", "250 ", MIXED, attached),
        way("attributes and comments", "250 ", HTML, marked),
        way("original message", "250 ", PLAIN, quoted),
        way("fields", "250 ", &fields, format!("{text}Other.\r\n")),
        way("as an option", "250 ", &option, text),
        way_of("locked", "locked", REFUSED, PLAIN, text),
    ]
}
