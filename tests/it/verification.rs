//! Only proven senders count: trust tiers, decided from a zone that the story serves (threats T1, T12).

pub(crate) mod zone;

use mail_auth::ArcOutput;
use mail_auth::AuthenticatedMessage;
use mail_auth::AuthenticationResults;
use mail_auth::DmarcOutput;
use mail_auth::DmarcResult;
use mail_auth::arc::ArcSealer;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use serde_json::Value as Json;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::wait_for;
use zone::Server;
use zone::Zone;

pub(crate) const NUMBER: &str = "0312345678@fax.example";
pub(crate) const SHOPS: &str = "shops@list.fax.example";
pub(crate) const HERE: &str = "v=spf1 ip4:127.0.0.1 -all";
pub(crate) const ELSEWHERE: &str = "v=spf1 ip4:192.0.2.1 -all";
pub(crate) const POLICY: &str = "v=DMARC1; p=none";

/// A key for signatures, and its record.
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn new() -> Self {
        Self(Ed25519Key::generate_pkcs8().unwrap())
    }

    fn key(&self) -> Ed25519Key {
        Ed25519Key::from_pkcs8_maybe_unchecked_der(&self.0).unwrap()
    }

    pub(crate) fn record(&self) -> String {
        let public = base64(&self.key().public_key());
        format!("v=DKIM1; k=ed25519; p={public}")
    }

    pub(crate) fn sign(&self, domain: &str, message: &[u8]) -> Vec<u8> {
        let signature = DkimSigner::from_key(self.key())
            .domain(domain)
            .selector("a")
            .headers(["From", "To", "Subject", "Message-ID", "Date"])
            .sign(message)
            .unwrap();
        [signature.to_header().as_bytes(), message].concat()
    }

    /// Seals what `by` changed, after it had seen that DMARC of `author` passed.
    fn seal(&self, by: &str, author: &str, message: &[u8]) -> Vec<u8> {
        let parsed = AuthenticatedMessage::parse(message).unwrap();
        let saw = DmarcOutput::new(author.to_owned()).with_dkim_result(DmarcResult::Pass);
        let results = AuthenticationResults::new(by).with_dmarc_result(&saw);
        let set = ArcSealer::from_key(self.key())
            .domain(by)
            .selector("a")
            .headers(["From", "To", "Subject"])
            .seal(&parsed, &results, &ArcOutput::default())
            .unwrap();
        [set.to_header().as_bytes(), message].concat()
    }
}

/// RFC 4648, without line ends.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap();
            let c = char::from(ALPHABET[index]);
            out.push(if place > three.len() { '=' } else { c });
        }
    }
    out
}

/// A gateway that verifies against this zone.
pub(crate) fn verifying(accounts: &[Account], dns: &Server) -> Setup {
    Setup::new(accounts)
        .set("verify", "on_temporary_error", "\"defer\"")
        .set("dns", "servers", &format!("[\"{}\"]", dns.address))
}

/// `id` at a domain of its own, with a password.
pub(crate) fn at(id: &str, domain: &str) -> Account {
    Account::new(id)
        .set("senders", &format!("[\"{id}@{domain}\"]"))
        .password(RIGHT)
}

pub(crate) fn mail(sender: &str, to: &str, password: &str) -> Mail {
    let body = format!("password: {password}\r\n\r\nPlease see to it.\r\n");
    Mail::new(sender, to, &body)
}

pub(crate) fn send_raw(gateway: &Gateway, mail: &Mail, message: &[u8]) -> String {
    let mut session = Smtp::hello(gateway.smtp);
    session.envelope(mail).unwrap();
    session.message(message)
}

fn newest_refused(gateway: &Gateway) -> Json {
    gateway.json(&["refused"])[0].clone()
}

pub(crate) fn tier_of_newest_job(gateway: &Gateway) -> (String, String) {
    let jobs = gateway.jobs();
    let id = jobs.last().unwrap()["id"].as_str().unwrap().to_owned();
    let job = gateway.json(&["job", "show", &id]);
    let word = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
    (word("sender_tier"), word("verification"))
}

#[test]
fn each_tier_is_answered_as_it_is_written() {
    let key = Key::new();
    let dns = Zone::default()
        .text("spf.example", HERE)
        .text("signed.example", ELSEWHERE)
        .text("a._domainkey.signed.example", &key.record())
        .text("_dmarc.signed.example", "v=DMARC1; p=reject")
        .text("lenient.example", "v=spf1 ?all")
        .text("_dmarc.lenient.example", POLICY)
        .text("closed.example", ELSEWHERE)
        .failing("broken.example")
        .serve();
    let accounts = [
        at("spf", "spf.example"),
        at("signed", "signed.example"),
        at("lenient", "lenient.example"),
        at("closed", "closed.example"),
        at("open", "open.example"),
        at("broken", "broken.example"),
    ];
    let gateway = Gateway::start(verifying(&accounts, &dns));

    gateway.accepts(&mail("spf@spf.example", NUMBER, RIGHT));
    let (tier, results) = tier_of_newest_job(&gateway);
    assert_eq!(tier, "proven");
    assert!(results.starts_with("gw.example; spf=pass"), "{results}");

    let signed = mail("signed@signed.example", NUMBER, RIGHT);
    let message = key.sign("signed.example", &signed.message());
    let reply = send_raw(&gateway, &signed, &message);
    assert!(reply.starts_with("250 "), "{reply}");
    let (tier, results) = tier_of_newest_job(&gateway);
    assert_eq!(tier, "proven", "{results}");
    for word in [
        "dkim=pass",
        "spf=fail",
        "dmarc=pass header.from=signed.example",
    ] {
        assert!(results.contains(word), "{word} in {results}");
    }

    gateway.accepts(&mail("open@open.example", NUMBER, RIGHT));
    assert_eq!(
        tier_of_newest_job(&gateway).0,
        "unverified",
        "NXDOMAIN publishes nothing"
    );

    for (sender, tier) in [
        ("lenient@lenient.example", "forged"),
        ("closed@closed.example", "forged"),
        ("broken@broken.example", "undecided"),
    ] {
        for password in [RIGHT, "kaki8wrong"] {
            let reply = gateway.mail(&mail(sender, NUMBER, password));
            let code = if tier == "forged" {
                "550 5.7.26 "
            } else {
                "451 4.4.3 "
            };
            assert!(reply.starts_with(code), "{sender} {reply}");
            let refused = newest_refused(&gateway);
            assert_eq!(refused["tier"], tier, "{refused}");
            assert_eq!(refused["sender"], sender);
            assert_eq!(refused["account"], sender.split('@').next().unwrap());
            assert!(
                refused["results"]
                    .as_str()
                    .unwrap()
                    .starts_with("gw.example; ")
            );
        }
    }
    for id in ["lenient", "closed", "broken"] {
        assert_eq!(gateway.strikes(id), 0, "{id}");
    }
    assert_eq!(gateway.jobs().len(), 3);
    let of_sender = gateway.json(&["refused", "--sender", "Closed@closed.example"]);
    assert_eq!(of_sender.as_array().unwrap().len(), 2);
    assert!(
        !gateway.log_text().contains("closed@closed.example"),
        "the log has it shortened"
    );
}

#[test]
fn a_mail_that_was_tampered_with_is_forged_where_a_policy_is_published() {
    let key = Key::new();
    let dns = Zone::default()
        .text("a._domainkey.signed.example", &key.record())
        .text("_dmarc.signed.example", "v=DMARC1; p=quarantine")
        .serve();
    let gateway = Gateway::start(verifying(&[at("signed", "signed.example")], &dns));
    let mail = mail("signed@signed.example", NUMBER, RIGHT);
    let message = key.sign("signed.example", &mail.message());
    let text = String::from_utf8(message).unwrap();
    for (from, to) in [
        ("Please see to it.", "Please see to her."),
        ("Subject: offer", "Subject: order"),
        ("To: 0312345678@", "To: 0398765432@"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        let reply = send_raw(&gateway, &mail, changed.as_bytes());
        assert!(reply.starts_with("550 5.7.26 "), "{from}: {reply}");
    }
    assert!(send_raw(&gateway, &mail, text.as_bytes()).starts_with("250 "));
    assert_eq!(gateway.strikes("signed"), 0);
}

#[test]
fn unknown_senders_are_told_apart_by_their_mail_and_never_by_our_accounts() {
    let dns = Zone::default()
        .text("closed.example", ELSEWHERE)
        .text("_dmarc.closed.example", "v=DMARC1; p=reject")
        .text("stranger.example", HERE)
        .serve();
    let accounts = [at("known", "closed.example"), at("open", "open.example")];
    let gateway = Gateway::start(verifying(&accounts, &dns));
    let known = gateway.mail(&mail("known@closed.example", NUMBER, "kaki8wrong"));
    let unknown = gateway.mail(&mail("nobody@closed.example", NUMBER, "kaki8wrong"));
    assert_eq!(known, unknown);
    assert!(known.starts_with("550 5.7.26 "), "{known}");
    let known = gateway.mail(&mail("open@open.example", NUMBER, "kaki8wrong"));
    let unknown = gateway.mail(&mail("nobody@open.example", NUMBER, "kaki8wrong"));
    assert_eq!(known, unknown);
    assert!(known.starts_with("550 5.7.8 "), "{known}");
    // A reverse-path of the attacker's own proves nothing for the author, and the other way round.
    let borrowed = mail("known@closed.example", NUMBER, "kaki8wrong");
    let reply = gateway.mail(&borrowed.clone().reverse_path("a@stranger.example"));
    assert!(reply.starts_with("550 5.7.26 "), "{reply}");
    let stolen = borrowed.header("From", "a@stranger.example");
    let reply = gateway.mail(&stolen);
    assert!(reply.starts_with("550 5.7."), "{reply}");
    assert_eq!(gateway.strikes("known"), 0);
    assert_eq!(gateway.strikes("open"), 1);
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again_over_tcp() {
    let long = format!("v=spf1 {} ip4:127.0.0.1 -all", "ip4:192.0.2.1 ".repeat(60));
    let dns = Zone::default()
        .text("long.example", &long)
        .truncated("long.example")
        .serve();
    let gateway = Gateway::start(verifying(&[at("long", "long.example")], &dns));
    gateway.accepts(&mail("long@long.example", NUMBER, RIGHT));
    assert_eq!(tier_of_newest_job(&gateway).0, "proven");
}

#[test]
fn a_temporary_error_may_be_accepted_and_then_never_counts() {
    let dns = Zone::default().failing("broken.example").serve();
    let setup = verifying(&[at("broken", "broken.example")], &dns).set(
        "verify",
        "on_temporary_error",
        "\"accept\"",
    );
    let gateway = Gateway::start(setup);
    for _ in 0..4 {
        gateway.refuses(&mail("broken@broken.example", NUMBER, "kaki8wrong"));
    }
    assert_eq!(gateway.strikes("broken"), 0);
    gateway.accepts(&mail("broken@broken.example", NUMBER, RIGHT));
    assert_eq!(tier_of_newest_job(&gateway).0, "undecided");
}

#[test]
fn a_temporary_error_is_not_accepted_where_a_policy_was_read() {
    let key = Key::new();
    let dns = Zone::default()
        .text("policy.example", "v=spf1 ?all")
        .text("_dmarc.policy.example", POLICY)
        .text("closed.example", ELSEWHERE)
        .failing("_domainkey.policy.example")
        .failing("_domainkey.closed.example")
        .serve();
    let accounts = [
        at("policy", "policy.example"),
        at("closed", "closed.example"),
    ];
    let setup = verifying(&accounts, &dns).set("verify", "on_temporary_error", "\"accept\"");
    let gateway = Gateway::start(setup);
    for domain in ["policy.example", "closed.example"] {
        let id = domain.trim_end_matches(".example");
        let mail = mail(&format!("{id}@{domain}"), NUMBER, "kaki8wrong");
        let reply = send_raw(&gateway, &mail, &key.sign(domain, &mail.message()));
        assert!(reply.starts_with("451 4.4.3 "), "{domain}: {reply}");
        assert_eq!(gateway.strikes(id), 0);
    }
}

#[test]
fn an_account_may_require_that_its_senders_are_proven() {
    let dns = Zone::default().text("spf.example", HERE).serve();
    let strict = |account: Account| account.set("require_verified", "true");
    let accounts = [
        strict(at("spf", "spf.example")),
        strict(at("open", "open.example")),
    ];
    let gateway = Gateway::start(verifying(&accounts, &dns));
    gateway.accepts(&mail("spf@spf.example", NUMBER, RIGHT));
    for password in [RIGHT, "kaki8wrong"] {
        let reply = gateway.mail(&mail("open@open.example", NUMBER, password));
        assert!(reply.starts_with("550 5.7.26 "), "{reply}");
    }
    assert_eq!(gateway.strikes("open"), 0);
    assert_eq!(newest_refused(&gateway)["tier"], "unverified");
}

#[test]
fn a_listed_relay_speaks_for_its_accounts_and_asks_no_dns() {
    let dns = Zone::default().text("customer.example", ELSEWHERE).serve();
    let accounts = [
        Account::tanaka().set("require_verified", "true"),
        Account::suzuki().set("require_verified", "true"),
    ];
    let setup = verifying(&accounts, &dns)
        .set("smtp", "max_connections_per_address", "2")
        .further("[[relay]]\nnetworks = [\"127.0.0.0/8\"]\naccounts = [\"tanaka\"]\n");
    let gateway = Gateway::start(setup);
    let mut sessions: Vec<Smtp> = (0..8).map(|_| Smtp::hello(gateway.smtp)).collect();
    let reply = sessions[7].mail(&Mail::right(NUMBER));
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!(tier_of_newest_job(&gateway).0, "proven");
    assert_eq!(dns.asked(), Vec::<String>::new());
    // Its word counts for the accounts it names: whoever else it brings is verified like anybody.
    let reply = gateway.mail(&Mail::plain(NUMBER));
    assert!(reply.starts_with("550 5.7.26 "), "not verified: {reply}");
    assert!(!dns.asked().is_empty());
}

#[test]
fn a_relay_lowers_nothing_for_accounts_it_may_not_speak_for() {
    let key = Key::new();
    let dns = Zone::default()
        .text("closed.example", ELSEWHERE)
        .text("signed.example", ELSEWHERE)
        .text("_dmarc.signed.example", "v=DMARC1; p=reject")
        .text("a._domainkey.signed.example", &key.record())
        .serve();
    let accounts = [
        at("closed", "closed.example"),
        at("signed", "signed.example"),
    ];
    let gateway = Gateway::start(
        verifying(&accounts, &dns)
            .further("[[relay]]\nnetworks = [\"127.0.0.0/8\"]\naccounts = [\"tanaka\"]\n"),
    );
    for n in 0..3 {
        let forged = mail("closed@closed.example", NUMBER, &format!("kaki8wrong{n}"));
        let reply = gateway.mail(&forged);
        assert!(reply.starts_with("550 5.7.26 "), "{reply}");
    }
    assert_eq!(gateway.strikes("closed"), 0);
    let mail = mail("signed@signed.example", NUMBER, RIGHT);
    let message = key.sign("signed.example", &mail.message());
    let reply = send_raw(&gateway, &mail, &message);
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!(tier_of_newest_job(&gateway).0, "proven");
}

#[test]
fn strikes_of_strangers_can_be_kept_from_locking_a_proven_sender() {
    let dns = Zone::default().text("proven.example", HERE).serve();
    let both = Account::tanaka().set(
        "senders",
        "[\"tanaka@open.example\", \"tanaka@proven.example\"]",
    );
    let setup = verifying(&[both], &dns).set("verify", "unproven_strikes_close", "\"unproven\"");
    let gateway = Gateway::start(setup);
    let from =
        |domain: &str, to: &str, password: &str| mail(&format!("tanaka@{domain}"), to, password);
    for _ in 0..3 {
        gateway.refuses(&from("open.example", NUMBER, "kaki8wrong"));
    }
    let account = gateway.account("tanaka");
    assert!(account["unproven_locked_until"].is_string(), "{account}");
    assert_eq!(account["locked"], false);
    gateway.refuses(&from("open.example", NUMBER, RIGHT));
    gateway.accepts(&from("proven.example", NUMBER, RIGHT));
    gateway.accepts(&from("proven.example", SHOPS, RIGHT));
    let jobs = gateway.settled(2);
    assert_eq!(jobs[0]["status"], 0, "{jobs:?}");
    assert_eq!(jobs[1]["status"], 6002, "lists are closed to everybody");
    wait_for("a lock notice that says which senders are locked", || {
        let mails = gateway.sink.mails_to("tanaka@open.example");
        mails
            .iter()
            .any(|mail| mail.body().contains("SPF"))
            .then_some(())
    });
    // A success of the proven sender does not let strangers guess on.
    gateway.refuses(&from("open.example", NUMBER, RIGHT));
    for _ in 0..3 {
        gateway.refuses(&from("proven.example", NUMBER, "kaki8wrong"));
    }
    assert!(
        gateway.is_locked("tanaka"),
        "its own strikes lock everything"
    );
    gateway.unlock("tanaka");
    gateway.accepts(&from("open.example", NUMBER, RIGHT));
}

#[test]
fn a_listed_forwarder_is_believed_and_no_other() {
    let key = Key::new();
    let dns = Zone::default()
        .text("signed.example", ELSEWHERE)
        .text("_dmarc.signed.example", "v=DMARC1; p=reject")
        .text("a._domainkey.signed.example", &key.record())
        .text("a._domainkey.forwarder.example", &key.record())
        .text("a._domainkey.other.example", &key.record())
        .serve();
    let setup = verifying(&[at("signed", "signed.example")], &dns).set(
        "verify",
        "arc_forwarders",
        "[\"forwarder.example\"]",
    );
    let gateway = Gateway::start(setup);
    let mail = mail("signed@signed.example", NUMBER, RIGHT);
    let signed = key.sign("signed.example", &mail.message());
    let changed = String::from_utf8(signed).unwrap();
    let changed = changed.replace("Subject: offer", "Subject: [list] offer");
    let changed = changed.as_bytes();
    for (message, code) in [
        (changed.to_vec(), "550 5.7.26 "),
        (
            key.seal("other.example", "signed.example", changed),
            "550 5.7.26 ",
        ),
        (
            key.seal("forwarder.example", "somebody.example", changed),
            "550 5.7.26 ",
        ),
        (
            key.seal("forwarder.example", "signed.example", changed),
            "250 ",
        ),
    ] {
        let reply = send_raw(&gateway, &mail, &message);
        assert!(
            reply.starts_with(code),
            "{reply}\n{}",
            String::from_utf8_lossy(&message)
        );
    }
    let sealed = key.seal("forwarder.example", "signed.example", changed);
    let sealed = String::from_utf8(sealed).unwrap();
    let later = sealed.replace("[list] offer", "[list] order");
    let reply = send_raw(&gateway, &mail, later.as_bytes());
    assert!(
        reply.starts_with("550 5.7.26 "),
        "changed after the seal: {reply}"
    );
    assert_eq!(tier_of_newest_job(&gateway).0, "proven");
}

#[test]
fn without_the_table_nobody_is_verified_and_no_name_is_asked_for() {
    let dns = Zone::default()
        .text("customer.example", ELSEWHERE)
        .text("_dmarc.customer.example", "v=DMARC1; p=reject")
        .serve();
    let setup =
        Setup::new(&[Account::tanaka()]).set("dns", "servers", &format!("[\"{}\"]", dns.address));
    let gateway = Gateway::start(setup);
    gateway.accepts(&Mail::right(NUMBER));
    assert_eq!(
        tier_of_newest_job(&gateway),
        ("unverified".to_owned(), String::new())
    );
    gateway.lock_by_mail();
    assert_eq!(dns.asked(), Vec::<String>::new());
}

#[test]
fn explain_says_what_verification_would_say() {
    let dns = Zone::default()
        .text("mail.example", "v=spf1 a:relay.mail.example -all")
        .address("relay.mail.example", "192.0.2.9".parse().unwrap())
        .serve();
    let gateway = Gateway::start(verifying(&[at("mail", "mail.example")], &dns));
    let file = gateway.path("mail.eml");
    let message = mail("mail@mail.example", NUMBER, RIGHT).message();
    std::fs::write(&file, message).unwrap();
    let explain = |peer: &str| {
        let file = file.to_str().unwrap();
        let options = [
            "explain",
            file,
            "--from",
            "mail@mail.example",
            "--to",
            NUMBER,
        ];
        gateway.json(&[&options[..], &["--peer", peer]].concat())
    };
    let good = explain("192.0.2.9");
    assert_eq!(good["sender_tier"], "proven", "{good}");
    assert_eq!(good["verification"]["spf"], "pass mail.example");
    assert_eq!(good["verdict"], "accepted with its password");
    let bad = explain("198.51.100.1");
    assert_eq!(bad["verdict"], "refused", "{bad}");
    assert!(bad["why"].as_str().unwrap().contains("5.7.26"), "{bad}");
    assert_eq!(gateway.strikes("mail"), 0);
}
