//! Where the password is looked for and what is drawn are the same text (row C2): twenty thousand mails
//! in nine charsets, every encoding and many ways to hide a word, none of whose pages shows the password.
//!
//! Two things are asked of each mail. Nothing that is kept of it shows the password to an eye that is
//! more forgiving than any reader. And it is the same, byte for byte, as what is kept of the same mail
//! with another password: what does not depend on a secret cannot tell it.

mod mails;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use faxgate::config;
use faxgate::fax::DocumentKind;
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

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use mails::Made;
use mails::Random;

const MAILS: u64 = 20_000;
/// Mails drawn by the gateway itself, each with two passwords.
const DRAWN: usize = 40;

/// `FAXGATE_SEED=n` begins with another mail, `FAXGATE_MAILS=1` looks at that one only.
fn seeds() -> std::ops::Range<u64> {
    let given = |name: &str| std::env::var(name).ok()?.parse().ok();
    let first = given("FAXGATE_SEED").unwrap_or(0);
    first..first + given("FAXGATE_MAILS").unwrap_or(MAILS)
}

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Its password was found.
    Found,
    /// No password was found, or another one: whoever asks for it refuses the mail.
    NotFound,
    /// It cannot be read, and the refusal says why.
    Refused,
}

#[test]
fn c2_no_page_shows_the_password_of_twenty_thousand_mails() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let results: Vec<(u64, Result<Fate, String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|core| {
                let own = seeds().filter(move |seed| seed % cores == core);
                scope.spawn(move || own.map(|seed| (seed, judged(seed))).collect::<Vec<_>>())
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap());
        joined.flatten().collect()
    });
    let mut fates: BTreeMap<Fate, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (seed, result) in results {
        match result {
            Ok(fate) => *fates.entry(fate).or_default() += 1,
            Err(why) => wrong.push((seed, why)),
        }
    }
    wrong.sort();
    let shown: Vec<_> = wrong.iter().take(5).map(|(_, why)| why.as_str()).collect();
    assert!(
        wrong.is_empty(),
        "{} mails; the first (FAXGATE_SEED=n FAXGATE_MAILS=1 repeats one):\n{}",
        wrong.len(),
        shown.join("\n\n")
    );
    println!("{fates:?}");
    if seeds().count() as u64 == MAILS {
        assert!(fates[&Fate::Found] > 15_000, "{fates:?}");
        assert!(fates[&Fate::Refused] > 100, "{fates:?}");
    }
}

/// A password and another one of the same characters.
fn secrets(seed: u64) -> (String, String) {
    const LETTERS: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
    const OTHERS: &[u8] = b"23456789!@#$%+=&<-";
    let mut random = Random::new(seed ^ 0x5ec2e7);
    let mut letters: Vec<u8> = Vec::new();
    while letters.len() < 9 + random.below(5) {
        let set = if letters.len() % 3 == 2 {
            OTHERS
        } else {
            LETTERS
        };
        letters.push(set[random.below(set.len())]);
    }
    letters.extend(b"Qz7");
    let first = String::from_utf8(letters.clone()).unwrap();
    letters.rotate_left(3);
    (first, String::from_utf8(letters).unwrap())
}

/// What became of the mail of a seed, or what is wrong with it.
fn judged(seed: u64) -> Result<Fate, String> {
    let (one, two) = secrets(seed);
    let (made, other) = (mails::made(seed, &one), mails::made(seed, &two));
    let wrong = |what: &str| {
        let text = String::from_utf8_lossy(&made.raw).into_owned();
        format!("{what}\n{} password {one:?}\n{text}", made.how)
    };
    let (kept, fate) = match read(&made.raw) {
        Ok(read) => (read.clone(), fate(&read, &one)),
        Err(refusal) => {
            let clear = matches!(
                refusal,
                Refusal::Malformed(_) | Refusal::UnknownOption(_) | Refusal::AutomaticMail
            );
            let text = format!("{refusal:?}");
            return match clear && !shows(&text, &one) && (made.damaged || !made.must_be_found) {
                true => Ok(Fate::Refused),
                false => Err(wrong(&format!("refused: {text}"))),
            };
        }
    };
    if fate != Fate::Found {
        return match made.damaged || !made.must_be_found {
            true => Ok(fate),
            false => Err(wrong("the password is not found")),
        };
    }
    let pages = everything_shown(&kept);
    if shows(&pages, &one) {
        return Err(wrong(&format!("it is shown:\n{pages}")));
    }
    if made.damaged {
        return Ok(Fate::Found);
    }
    if shows(&pages, &mails::old(&one)) {
        return Err(wrong(&format!("an old password is shown:\n{pages}")));
    }
    let twin = read(&other.raw).map(|twin| everything_shown(&twin));
    match twin {
        Ok(twin) if twin == pages => {}
        Ok(twin) => return Err(wrong(&format!("it differs:\n{pages}\n---\n{twin}"))),
        Err(refusal) => return Err(wrong(&format!("the twin is refused: {refusal:?}"))),
    }
    match missing(&made, &pages) {
        Some(line) => Err(wrong(&format!("{line:?} is missing in:\n{pages}"))),
        None => Ok(Fate::Found),
    }
}

fn fate(read: &Submission, secret: &str) -> Fate {
    match &read.password {
        PasswordFound::One(found) if found.expose() == secret => Fate::Found,
        PasswordFound::One(_) | PasswordFound::None | PasswordFound::Contradicting => {
            Fate::NotFound
        }
    }
}

/// All text that goes to the renderer, to result mails or into the history.
fn everything_shown(read: &Submission) -> String {
    let mut all = format!(
        "{}\n{:?}\n{:?}\n",
        read.reference, read.options, read.message_id
    );
    for document in read.body.iter().chain(&read.attachments) {
        all.push_str(&format!("{:?} {}\n", document.name, document.media_type));
        all.push_str(&String::from_utf8_lossy(&document.bytes));
        all.push('\n');
    }
    all
}

/// Whether somebody who overlooks width, case, blanks, quote marks and everything unseen reads `secret`.
fn shows(text: &str, secret: &str) -> bool {
    let seen = seen(text);
    let marks = |text: &str| text.replace(['>', '|'], "");
    seen.contains(&self::seen(secret)) || marks(&seen).contains(&marks(&self::seen(secret)))
}

fn seen(text: &str) -> String {
    let letters = text.chars().filter_map(|c| match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0),
        // Soft hyphens, joiners, directions, fillers, variation selectors, tags.
        0xad
        | 0x34f
        | 0x61c
        | 0x115f
        | 0x1160
        | 0x180b..=0x180f
        | 0x200b..=0x200f
        | 0x202a..=0x202e
        | 0x2060..=0x206f
        | 0x3164
        | 0xfe00..=0xfe0f
        | 0xfeff
        | 0xffa0
        | 0xe0000..=0xe0fff => None,
        _ if c.is_whitespace() || c.is_control() => None,
        _ => Some(c),
    });
    letters.collect::<String>().to_lowercase()
}

fn missing<'m>(made: &'m Made, pages: &str) -> Option<&'m String> {
    let pages = seen(pages);
    made.kept.iter().find(|line| !pages.contains(&seen(line)))
}

fn read(raw: &[u8]) -> Result<Submission, Refusal> {
    let message = ReceivedMessage {
        envelope: Envelope {
            reverse_path: Address::parse("tanaka@customer.example"),
            ..Envelope::default()
        },
        raw: raw.to_vec().into(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        received_at: Timestamp::default(),
        authenticated: None,
    };
    let rules = Rules {
        password: &config::Password::default(),
        limits: &config::Smtp::default(),
        zone: &Zone::utc(),
        now: Timestamp::default(),
    };
    submission::parse(&message, &rules)
}

/// Whether the mail can be sent by DATA and becomes pages: it has text only.
fn is_drawable(made: &Made) -> bool {
    let lines = made.raw.iter().filter(|b| **b == b'\n').count();
    let whole = made.raw.windows(2).filter(|pair| pair == b"\r\n").count();
    let returns = made.raw.iter().filter(|b| **b == b'\r').count();
    let texts = read(&made.raw).is_ok_and(|read| {
        let mut documents = read.body.iter().chain(&read.attachments);
        documents.all(|document| document.kind == DocumentKind::Text && !document.bytes.is_empty())
    });
    !made.damaged && made.must_be_found && lines == whole && returns == whole && texts
}

#[test]
fn c2_pages_are_the_same_dots_whatever_the_password_is() {
    let (one, two) = ("kaki8<sample=2", "sample=2kaki8<");
    let accounts = [
        Account::new("one").password(one),
        Account::new("two").password(two),
    ];
    let setup = Setup::new(&accounts).set("render", "header", "\"\"");
    let gateway = Gateway::start(setup.set("queue", "per_account", "100"));
    let send = |id: &str, made: &Made| {
        let sender = format!("{id}@customer.example");
        let mut session = Smtp::hello(gateway.smtp);
        for command in [
            format!("MAIL FROM:<{sender}>"),
            "RCPT TO:<0312345678@fax.example>".to_owned(),
            "DATA".to_owned(),
        ] {
            let reply = session.say(&command);
            assert!(reply.starts_with(['2', '3']), "{reply}");
        }
        let reply = session.message(&made.raw);
        assert!(reply.starts_with("250 "), "{reply}: {}", made.how);
    };
    let pairs = (0..).map(|seed| (mails::made(seed, one), mails::made(seed, two)));
    let pairs: Vec<_> = pairs
        .filter(|(made, _)| is_drawable(made))
        .take(DRAWN)
        .collect();
    for (first, second) in &pairs {
        send("one", first);
        send("two", second);
    }
    let jobs = gateway.settled(2 * DRAWN);
    for (pair, (made, _)) in jobs.chunks(2).zip(&pairs) {
        assert_eq!(
            (&pair[0]["status"], &pair[1]["status"]),
            (&0.into(), &0.into()),
            "{}",
            made.how
        );
        assert!(
            gateway.pages(&pair[0]) == gateway.pages(&pair[1]),
            "{}",
            made.how
        );
        assert!(!gateway.pages(&pair[0]).is_empty());
    }
}
