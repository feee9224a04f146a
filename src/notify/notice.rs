//! Mails that answer nobody's mail: the notice of a lock, and a received fax.

use super::Attachment;
use super::ForwardFacts;
use super::Header;
use super::LockFacts;
use super::Mail;
use super::header::Charset;
use super::letter::Auto;
use super::letter::Letter;
use super::letter::Part;
use super::template::fill;
use super::template::plain;
use crate::config::Language;
use crate::lock;
use crate::lock::Reach;
use crate::smtp::TrustTier;

/// Tells an account's owner that it is locked, why, until when, and what to do. It has no password in
/// it and no link: a mail that asks people to follow one is what thieves send.
pub fn lock_notice(facts: &LockFacts, header: &Header) -> Mail {
    let (template, subject) = match facts.language {
        Language::Ja => (
            include_str!("templates/lock.ja.txt"),
            "アカウントをロックしました",
        ),
        Language::En => (
            include_str!("templates/lock.en.txt"),
            "Your account is locked",
        ),
    };
    let is_timed = lock::ends_by_time(facts.locked_until);
    let until = match (is_timed, facts.language) {
        (true, _) => format!("{} ({})", facts.locked_until.local(&facts.zone), facts.zone),
        (false, Language::Ja) => "時間の経過では終了しません".to_owned(),
        (false, Language::En) => "not by time".to_owned(),
    };
    let bullet = match facts.language {
        Language::Ja => "・",
        Language::En => "-",
    };
    let (whole, unproven) = match facts.reach {
        Reach::Everything => (bullet, ""),
        Reach::Unproven => ("", bullet),
    };
    let (timed, untimed) = if is_timed { (bullet, "") } else { ("", bullet) };
    let tier = facts.tier.map(|tier| believed(tier, facts.language));
    let values = [
        ("whole", whole),
        ("unproven", unproven),
        ("tier", tier.unwrap_or_default()),
        ("account", facts.account.as_str()),
        ("login_id", &facts.login_id),
        ("door", door(&facts.door, facts.language)),
        ("peer", facts.from_peer.as_deref().unwrap_or_default()),
        ("until", &until),
        ("timed", timed),
        ("untimed", untimed),
        ("whom", whom(facts.has_admin, facts.language)),
    ];
    let text = fill(template, &values, plain);
    let letter = Letter {
        subject: format!("{subject} ({})", facts.account),
        charset: Charset::Utf8,
        auto: Auto::Generated,
        body: Part::text("text/plain", &text, Charset::Utf8),
    };
    letter.write(header)
}

/// Who can end a lock that time does not end, and start a reset (row T8).
fn whom(has_admin: bool, language: Language) -> &'static str {
    match (has_admin, language) {
        (true, Language::Ja) => "貴社の管理者",
        (true, Language::En) => "the admin of your company",
        (false, Language::Ja) => "ヘルプデスク",
        (false, Language::En) => "the help desk",
    }
}

/// How far a sender was believed, in words.
fn believed(tier: TrustTier, language: Language) -> &'static str {
    match (tier, language) {
        (TrustTier::Proven, Language::Ja) => "確認済み(送信元のドメインまたは登録済みの機器)",
        (TrustTier::Proven, Language::En) => "proven (by its domain, or a machine that is known)",
        (TrustTier::Unverified | TrustTier::Forged | TrustTier::Undecided, Language::Ja) => {
            "未確認(送信元は詐称の可能性があります)"
        }
        (TrustTier::Unverified | TrustTier::Forged | TrustTier::Undecided, Language::En) => {
            "not verified (anybody could have written the address)"
        }
    }
}

/// A door in words; a word that is not known stays as it is.
fn door(word: &str, language: Language) -> &str {
    match (word, language) {
        ("mail" | "smtp", Language::Ja) => "メール送信(本文のパスワード)",
        ("mail" | "smtp", Language::En) => "a mail with a password in its text",
        ("smtp-auth", Language::Ja) => "メール送信のログイン(SMTP認証)",
        ("smtp-auth", Language::En) => "a login to send mail (SMTP AUTH)",
        ("web", Language::Ja) => "ウェブ画面のログイン",
        ("web", Language::En) => "the login page",
        ("rest" | "soap" | "api", Language::Ja) => "プログラム連携(API)",
        ("rest" | "soap" | "api", Language::En) => "a program (API)",
        (word, Language::Ja | Language::En) => word,
    }
}

/// A received `fax` for those to whom it is forwarded.
pub fn forward(facts: &ForwardFacts, fax: Attachment, header: &Header) -> Mail {
    let from = facts.remote_id.as_str();
    let (template, arrived, partial) = match facts.language {
        Language::Ja => (
            include_str!("templates/forward.ja.txt"),
            ["FAXを受信しました", "FAXを途中まで受信しました"],
            "通信が途中で切れました。最後まで届いたページのみを添付しています。続きのページは届いていない可能性がありますので、発信元にご確認ください。",
        ),
        Language::En => (
            include_str!("templates/forward.en.txt"),
            ["Fax received", "Part of a fax received"],
            "PARTIAL: the call was cut off. Only the pages that arrived whole are attached; there may have been more. Please ask the sender.",
        ),
    };
    let [whole, cut] = arrived;
    let arrived = if facts.partial { cut } else { whole };
    let subject = match from.is_empty() {
        true => arrived.to_owned(),
        false => format!("{arrived} <- ({from})"),
    };
    let pages = facts.pages.to_string();
    let received = facts.received_at.local(&facts.zone);
    let held = facts.held_until.map(|until| until.local(&facts.zone));
    let zone = facts.zone.to_string();
    let values = [
        ("remote_id", from),
        ("number", &facts.number),
        ("pages", &pages),
        ("received", &received),
        ("id", &facts.id),
        ("partial", if facts.partial { partial } else { "" }),
        ("held", held.as_deref().unwrap_or_default()),
        ("zone", &zone),
    ];
    let text = fill(template, &values, plain);
    let letter = Letter {
        subject,
        charset: Charset::Utf8,
        auto: Auto::Generated,
        body: Part::text("text/plain", &text, Charset::Utf8).and_files(vec![fax]),
    };
    letter.write(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fax::StationId;
    use crate::smtp::Address;
    use crate::time::Timestamp;
    use crate::time::Zone;
    use mail_parser::MessageParser;
    use mail_parser::MimeHeaders;

    const NOON: Timestamp = Timestamp::from_ms(1_795_339_800_000);

    fn header() -> Header {
        Header {
            from: Address::parse("faxgate@fax.example").unwrap(),
            to: vec![Address::parse("tanaka@customer.example").unwrap()],
            message_id: "lock.1@fax.example".into(),
            date: NOON,
            zone: Zone::named("Asia/Tokyo").unwrap(),
            in_reply_to: None,
        }
    }

    fn lock_of(language: Language, door: &str) -> LockFacts {
        LockFacts {
            account: "tanaka".into(),
            login_id: "tanaka-login".into(),
            door: door.into(),
            from_peer: Some("192.0.2.7".into()),
            tier: Some(TrustTier::Unverified),
            reach: Reach::Everything,
            locked_until: NOON,
            has_admin: false,
            zone: Zone::named("Asia/Tokyo").unwrap(),
            language,
        }
    }

    fn auto_submitted(message: &[u8]) -> String {
        let parsed = MessageParser::default().parse(message).unwrap();
        let value = parsed.header_raw("Auto-Submitted");
        value.unwrap_or_default().trim().to_owned()
    }

    #[test]
    fn a_lock_notice_says_which_door_and_until_when() {
        for (language, expected) in [
            (Language::Ja, "メール送信(本文のパスワード)"),
            (Language::En, "a mail with a password in its text"),
        ] {
            let mail = lock_notice(&lock_of(language, "mail"), &header());
            let parsed = MessageParser::default().parse(&mail.message).unwrap();
            let text = parsed.body_text(0).unwrap();
            for word in [
                expected,
                "tanaka-login",
                "192.0.2.7",
                "2026-11-22 18:30:00 (Asia/Tokyo)",
            ] {
                assert!(text.contains(word), "{word} in {text}");
            }
            assert!(!text.contains(['{', '}']), "every placeholder is filled");
            assert_eq!(auto_submitted(&mail.message), "auto-generated");
        }
    }

    #[test]
    fn a_lock_notice_says_which_senders_it_came_from_and_what_it_stops() {
        for (language, reach, tier, says, does_not) in [
            (
                Language::En,
                Reach::Everything,
                TrustTier::Proven,
                "- forwarding of received",
                "not proved",
            ),
            (
                Language::En,
                Reach::Unproven,
                TrustTier::Unverified,
                "- sending with a password from senders that are not proved",
                "logging in",
            ),
            (
                Language::Ja,
                Reach::Everything,
                TrustTier::Proven,
                "・受信したFAXのメール転送(",
                "SPF",
            ),
            (
                Language::Ja,
                Reach::Unproven,
                TrustTier::Unverified,
                "・送信元を確認できないメール",
                "ログイン\n",
            ),
        ] {
            let facts = LockFacts {
                tier: Some(tier),
                reach,
                ..lock_of(language, "mail")
            };
            let mail = lock_notice(&facts, &header());
            let parsed = MessageParser::default().parse(&mail.message).unwrap();
            let text = parsed.body_text(0).unwrap().replace('\r', "");
            assert!(text.contains(says) && !text.contains(does_not), "{text}");
            assert!(text.contains(believed(tier, language)), "{text}");
        }
    }

    #[test]
    fn t8_a_lock_that_time_does_not_end_says_whom_to_ask() {
        for (has_admin, whom) in [
            (true, "the admin of your company"),
            (false, "the help desk"),
        ] {
            let facts = LockFacts {
                locked_until: lock::NOT_BY_TIME,
                has_admin,
                ..lock_of(Language::En, "web")
            };
            let mail = lock_notice(&facts, &header());
            let parsed = MessageParser::default().parse(&mail.message).unwrap();
            let text = parsed.body_text(0).unwrap();
            assert!(text.contains("The lock ends: not by time"), "{text}");
            assert!(text.contains(whom) && !text.contains("by itself"), "{text}");
            assert!(
                !text.contains("9999") && !text.contains(['{', '}']),
                "{text}"
            );
        }
    }

    #[test]
    fn a_door_nobody_translated_is_named_as_it_is() {
        let mail = lock_notice(&lock_of(Language::En, "paper\r\nX: y"), &header());
        let parsed = MessageParser::default().parse(&mail.message).unwrap();
        assert!(parsed.body_text(0).unwrap().contains("paper X: y"));
    }

    #[test]
    fn a_fax_that_was_cut_off_says_so_in_subject_and_text() {
        for (language, subject, says) in [
            (
                Language::Ja,
                "FAXを途中まで受信しました",
                "途中で切れました",
            ),
            (Language::En, "Part of a fax received", "PARTIAL"),
        ] {
            for partial in [true, false] {
                let facts = ForwardFacts {
                    id: "r1".into(),
                    number: "0081345670001".into(),
                    remote_id: StationId::default(),
                    pages: 2,
                    partial,
                    received_at: NOON,
                    held_until: None,
                    zone: Zone::utc(),
                    language,
                };
                let fax = Attachment {
                    name: "fax-r1.pdf".into(),
                    media_type: "application/pdf",
                    bytes: b"%PDF-1.7".to_vec(),
                };
                let mail = forward(&facts, fax, &header());
                let parsed = MessageParser::default().parse(&mail.message).unwrap();
                assert_eq!(parsed.subject() == Some(subject), partial);
                assert_eq!(parsed.body_text(0).unwrap().contains(says), partial);
            }
        }
    }

    #[test]
    fn a_held_fax_says_so_and_a_direct_one_does_not() {
        for (held_until, says) in [(Some(NOON), true), (None, false)] {
            let facts = ForwardFacts {
                id: "r1".into(),
                number: "0081345670001".into(),
                remote_id: StationId::from_far_end(b"SHOP 12"),
                pages: 2,
                partial: false,
                received_at: NOON,
                held_until,
                zone: Zone::utc(),
                language: Language::Ja,
            };
            let fax = Attachment {
                name: "fax-r1.pdf".into(),
                media_type: "application/pdf",
                bytes: b"%PDF-1.7".to_vec(),
            };
            let mail = forward(&facts, fax, &header());
            let parsed = MessageParser::default().parse(&mail.message).unwrap();
            assert_eq!(parsed.subject(), Some("FAXを受信しました <- (SHOP 12)"));
            let text = parsed.body_text(0).unwrap();
            assert_eq!(text.contains("ロック"), says, "{text}");
            assert!(text.contains("0081345670001") && !text.contains(['{', '}']));
            let file = parsed.attachment(0).unwrap();
            assert_eq!(file.attachment_name(), Some("fax-r1.pdf"));
            assert_eq!(file.contents(), b"%PDF-1.7");
            assert_eq!(auto_submitted(&mail.message), "auto-generated");
        }
    }
}
