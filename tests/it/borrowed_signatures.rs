//! A signature proves the author it was made for, and nobody else of the same domain (threats T1, T12).

use crate::gateway::Gateway;
use crate::gateway::RIGHT;
use crate::verification::ELSEWHERE;
use crate::verification::HERE;
use crate::verification::Key;
use crate::verification::NUMBER;
use crate::verification::at;
use crate::verification::mail;
use crate::verification::send_raw;
use crate::verification::tier_of_newest_job;
use crate::verification::verifying;
use crate::verification::zone::Zone;

#[test]
fn a_signature_for_one_customer_of_a_provider_does_not_speak_for_another() {
    let key = Key::new();
    for policy in [None, Some("v=DMARC1; p=none")] {
        for spf in ["v=spf1 ~all", ELSEWHERE] {
            let mut zone = Zone::default()
                .text("provider.example", spf)
                .text("a._domainkey.provider.example", &key.record());
            if let Some(policy) = policy {
                zone = zone.text("_dmarc.provider.example", policy);
            }
            let dns = zone.serve();
            let victim = at("victim", "provider.example").set("require_verified", "true");
            let gateway = Gateway::start(verifying(&[victim], &dns));
            for password in ["kaki8wrong", RIGHT] {
                // The provider signs what mallory writes as mallory; the envelope is mallory's own to write.
                let own = mail("mallory@provider.example", NUMBER, password);
                let message = key.sign("provider.example", &own.message());
                let stolen = own.reverse_path("victim@provider.example");
                let reply = send_raw(&gateway, &stolen, &message);
                assert!(reply.starts_with("550 "), "{policy:?} {spf}: {reply}");
            }
            assert_eq!(gateway.strikes("victim"), 0, "{policy:?} {spf}");
            let honest = mail("victim@provider.example", NUMBER, RIGHT);
            let message = key.sign("provider.example", &honest.message());
            let reply = send_raw(&gateway, &honest, &message);
            assert!(reply.starts_with("250 "), "{policy:?} {spf}: {reply}");
            assert_eq!(tier_of_newest_job(&gateway).0, "proven");
        }
    }
}

#[test]
fn a_from_field_that_the_signature_does_not_see_names_nobody() {
    let key = Key::new();
    let dns = Zone::default()
        .text("a._domainkey.provider.example", &key.record())
        .text("_dmarc.provider.example", "v=DMARC1; p=reject")
        .serve();
    let victim = at("victim", "provider.example");
    let gateway = Gateway::start(verifying(&[victim], &dns));
    let written = mail("victim@provider.example", NUMBER, "kaki8wrong");
    let signed = key.sign(
        "provider.example",
        &written.clone().without("From").message(),
    );
    for name in ["From ", "From\t"] {
        let field = format!("{name}: victim@provider.example\r\n");
        let message = [field.as_bytes(), &signed[..]].concat();
        let reply = send_raw(&gateway, &written, &message);
        assert!(reply.starts_with("550 "), "{name:?}: {reply}");
    }
    assert_eq!(gateway.strikes("victim"), 0);
}

#[test]
fn a_signature_below_the_domain_saves_what_dmarc_passes_from_a_hard_fail() {
    let key = Key::new();
    let dns = Zone::default()
        .text("customer.example", ELSEWHERE)
        .text("_dmarc.customer.example", "v=DMARC1; p=reject; adkim=r")
        .text("a._domainkey.mail.customer.example", &key.record())
        .serve();
    let gateway = Gateway::start(verifying(&[at("tanaka", "customer.example")], &dns));
    let mail = mail("tanaka@customer.example", NUMBER, RIGHT);
    let message = key.sign("mail.customer.example", &mail.message());
    let reply = send_raw(&gateway, &mail, &message);
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!(tier_of_newest_job(&gateway).0, "proven");
}

#[test]
fn an_author_whose_domain_closes_spf_is_forged_whatever_the_reverse_path_is() {
    let key = Key::new();
    let dns = Zone::default()
        .text("closed.example", ELSEWHERE)
        .text("a._domainkey.closed.example", &key.record())
        .text("stranger.example", HERE)
        .serve();
    let gateway = Gateway::start(verifying(&[at("known", "closed.example")], &dns));
    let of = |password: &str| {
        let mail = mail("known@closed.example", NUMBER, password);
        mail.reverse_path("a@stranger.example")
    };
    for n in 0..3 {
        let reply = gateway.mail(&of(&format!("kaki8wrong{n}")));
        assert!(reply.starts_with("550 5.7.26 "), "{reply}");
    }
    assert_eq!(gateway.strikes("known"), 0);
    let refused = gateway.json(&["refused"])[0].clone();
    let results = refused["results"].as_str().unwrap();
    assert!(
        results.contains("x-author-spf=fail header.from=closed.example"),
        "{results}"
    );
    // A service that signs for the domain needs no place in its record.
    let signed = of(RIGHT);
    let message = key.sign("closed.example", &signed.message());
    let reply = send_raw(&gateway, &signed, &message);
    assert!(reply.starts_with("250 "), "{reply}");
}

#[test]
fn an_author_whose_spf_fails_to_answer_is_undecided_if_nothing_else_proves_it() {
    let key = Key::new();
    let dns = Zone::default()
        .text("a._domainkey.broken.example", &key.record())
        .text("broken.example", "v=spf1 include:other.broken.example -all")
        .failing("other.broken.example")
        .text("stranger.example", HERE)
        .serve();
    let gateway = Gateway::start(verifying(&[at("known", "broken.example")], &dns));
    let mail = mail("known@broken.example", NUMBER, RIGHT).reverse_path("a@stranger.example");
    let reply = gateway.mail(&mail);
    assert!(reply.starts_with("451 4.4.3 "), "{reply}");
    let message = key.sign("broken.example", &mail.message());
    let reply = send_raw(&gateway, &mail, &message);
    assert!(reply.starts_with("250 "), "{reply}");
}

#[test]
fn one_captured_mail_is_one_strike_whatever_is_added_to_it() {
    let key = Key::new();
    let dns = Zone::default()
        .text("signed.example", ELSEWHERE)
        .text("a._domainkey.signed.example", &key.record())
        .text("_dmarc.signed.example", "v=DMARC1; p=reject")
        .serve();
    let gateway = Gateway::start(verifying(&[at("signed", "signed.example")], &dns));
    let captured = mail("signed@signed.example", NUMBER, "kaki8wrong");
    let message = key.sign("signed.example", &captured.message());
    let mut replays: Vec<Vec<u8>> = (0..3)
        .map(|n| [format!("X-N: {n}\r\n").as_bytes(), &message].concat())
        .collect();
    replays.push([&message[..], b"\r\n\r\n"].concat());
    for replay in replays {
        let reply = send_raw(&gateway, &captured, &replay);
        assert!(reply.starts_with("550 5.7.8 "), "{reply}");
    }
    assert_eq!(gateway.strikes("signed"), 1);
}
