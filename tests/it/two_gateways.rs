//! Two gateways with a SIP trunk between them: a mail to one comes out of the other as a mail with the pages, whatever dies on the
//! way.

use std::path::PathBuf;

use faxpage::Page;
use rustix::process::Pid;
use rustix::process::Signal;
use serde_json::Value as Json;

use crate::gateway::Account;
use crate::gateway::Delivered;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::free_port;
use crate::gateway::paper;
use crate::gateway::wait_for;

const INBOX: &str = "inbox@customer.example";

/// `a` sends, `b` receives at +81 3 4567 0001.
struct Pair {
    a: Gateway,
    b: Gateway,
}

/// Whether this machine can carry a fax over SIP.
fn carries() -> bool {
    spandsp::is_available()
}

impl Pair {
    /// Both with T.38, or without it at the receiving end.
    fn start(t38: bool) -> Self {
        let (a, b) = (free_port(), free_port());
        let receiver = Account::tanaka()
            .set("forward_format", "\"tiff\"")
            .set("language", "\"en\"");
        Self {
            a: Gateway::start(lines(Setup::new(&[Account::suzuki()]), a, b, true)),
            b: Gateway::start(lines(Setup::new(&[receiver]), b, a, t38)),
        }
    }

    /// A mail with this many sparse pages goes out; the pages that are called with, once the call has begun.
    fn mail(&self, pages: u32) -> Vec<Page> {
        let fax = ("fax.tiff", "image/tiff", paper::tiff(pages));
        let mail = Mail::plain("+81-3-4567-0001@fax.example").attach(fax.0, fax.1, &fax.2);
        self.a.accepts(&mail);
        let folder = self.call("the pages of a call", |folder| {
            // Whole only when the worker has begun.
            folder.join("progress.jsonl").exists()
        });
        paper::pages_of(&std::fs::read(folder.join("sent.tiff")).unwrap())
    }

    /// The folder of a call of `a` for which this is so.
    fn call(&self, what: &str, is_it: impl Fn(&PathBuf) -> bool) -> PathBuf {
        wait_for(what, || {
            let folders = std::fs::read_dir(self.a.path("var/calls")).unwrap();
            let mut folders = folders.map(|entry| entry.unwrap().path());
            folders.find(&is_it)
        })
    }

    /// Waits until the far end has confirmed the first page.
    fn first_page_is_through(&self) {
        self.call("the first page", |folder| {
            let told = std::fs::read_to_string(folder.join("progress.jsonl"));
            told.unwrap_or_default().contains("\"confirmed\":1,")
        });
    }

    /// The forwarded mails, once there are so many, in the order in which the faxes came.
    fn forwarded(&self, count: usize) -> Vec<Delivered> {
        self.b.sink.wait_for(INBOX, count)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("a:\n{}\nb:\n{}", self.a.log_text(), self.b.log_text());
        }
    }
}

/// A gateway that listens there, and whose only trunk is the other one.
fn lines(setup: Setup, own: u16, other: u16, t38: bool) -> Setup {
    let first = 44_000 + own % 20_000 / 100 * 100;
    let media = format!("\"{first}-{}\"", first + 99);
    setup
        .set("transport", "kind", "\"sip\"")
        .set("transport.sip", "listen", &format!("\"127.0.0.1:{own}\""))
        .set("transport.sip", "media_ports", &media)
        .set("transport.sip", "t38", &t38.to_string())
        .set("render", "allow_unsandboxed", "true")
        // Its time is that of the call, and pages of two calls are to be compared.
        .set("render", "header", "\"\"")
        .further(&format!(
            "[[transport.sip.trunk]]\nname = \"other\"\nproxy = \"sip:127.0.0.1:{other}\"\n"
        ))
}

/// The pages in forwarded mails.
fn pages(mails: &[Delivered]) -> Vec<Page> {
    let files = mails.iter().flat_map(Delivered::attachments);
    files
        .flat_map(|(_, _, tiff)| paper::pages_of(&tiff))
        .collect()
}

/// The calls in a gateway's journal.
fn journal(gateway: &Gateway) -> Vec<Json> {
    let text = std::fs::read_to_string(gateway.path("var/calls.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The fax workers of a gateway.
fn workers(gateway: &Gateway) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let ids =
        processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok());
    let is_worker = |id: &i32| {
        let read =
            |name: &str| std::fs::read_to_string(format!("/proc/{id}/{name}")).unwrap_or_default();
        let parent = read("stat")
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parent == Some(gateway.id()) && read("cmdline").contains("fax-worker")
    };
    ids.filter(is_worker).filter_map(Pid::from_raw).collect()
}

#[test]
fn a_mail_to_one_gateway_comes_out_of_the_other_bit_by_bit_over_t38() {
    if !carries() {
        return;
    }
    let pair = Pair::start(true);
    let sent = pair.mail(1);
    let mails = pair.forwarded(1);
    assert!(
        !mails[0].subject().contains("Part"),
        "{}",
        mails[0].subject()
    );
    assert!(pages(&mails) == sent);
    let job = pair.a.settled(1).remove(0);
    assert_eq!(job["status"], 0, "{job}");
    let (out, into) = (journal(&pair.a), journal(&pair.b));
    assert_eq!((out.len(), into.len()), (1, 1));
    for (line, outcome) in [(&out[0], "sent"), (&into[0], "received")] {
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(
            (&line["media"], &line["line"]),
            (&"t38".into(), &"other".into()),
            "{line}"
        );
        assert_eq!(line["pages"], sent.len(), "{line}");
    }
    // Our own number is what the caller is shown as the far end's identifier.
    assert_eq!(out[0]["remote_id"], "+81345670001");
}

#[test]
fn where_t38_is_refused_the_fax_goes_as_sound() {
    if !carries() {
        return;
    }
    let pair = Pair::start(false);
    let sent = pair.mail(1);
    assert!(pages(&pair.forwarded(1)) == sent);
    assert_eq!(pair.a.settled(1)[0]["status"], 0);
    for gateway in [&pair.a, &pair.b] {
        assert_eq!(journal(gateway)[0]["media"], "g711");
    }
}

#[test]
fn when_the_receiving_process_is_killed_what_was_whole_is_forwarded_and_the_rest_sent_again() {
    if !carries() {
        return;
    }
    let pair = Pair::start(true);
    let sent = pair.mail(3);
    pair.first_page_is_through();
    for worker in workers(&pair.b) {
        rustix::process::kill_process(worker, Signal::KILL).unwrap();
    }
    let partial = pair.forwarded(1);
    assert!(
        partial[0].subject().starts_with("Part of a fax"),
        "{}",
        partial[0].subject()
    );
    wait_for("the job to wait for its next call", || {
        (journal(&pair.a).len() == 1).then_some(())
    });
    let again = wait_for("the rest of the fax", || {
        pair.a.let_waiting_end();
        let mails = pair.b.sink.mails_to(INBOX);
        (mails.len() == 2).then_some(mails)
    });
    let got = pages(&again);
    assert!(
        got[..] == sent[..] || got.len() == sent.len() + 1,
        "{} pages",
        got.len()
    );
    assert_eq!(pair.a.settled(1)[0]["status"], 0);
    // Each page came, and the last ones only once.
    assert!(sent.iter().all(|page| got.contains(page)));
}

#[test]
fn when_the_sending_gateway_is_killed_mid_page_nothing_is_lost_and_nothing_doubled() {
    if !carries() {
        return;
    }
    let mut pair = Pair::start(true);
    let sent = pair.mail(3);
    pair.first_page_is_through();
    pair.a.kill();
    pair.a.serve();
    wait_for("all pages", || {
        pair.a.let_waiting_end();
        let mails = pair.b.sink.mails_to(INBOX);
        let whole = mails.iter().any(|mail| !mail.subject().starts_with("Part"));
        whole.then_some(())
    });
    // What came before the end of the first call is forwarded once its silence is noticed.
    let mails = pair.forwarded(2);
    let got = pages(&mails);
    assert!(
        sent.iter().all(|page| got.contains(page)),
        "{} pages",
        got.len()
    );
    assert!(got.len() <= sent.len() + 1, "{} pages", got.len());
    assert_eq!(pair.a.settled(1)[0]["status"], 0);
    assert_eq!(journal(&pair.b).len(), 2);
}

#[test]
fn a_receiving_gateway_that_is_killed_forwards_what_its_sender_knows_to_be_there() {
    if !carries() {
        return;
    }
    let mut pair = Pair::start(true);
    let sent = pair.mail(3);
    pair.first_page_is_through();
    pair.b.kill();
    pair.b.serve();
    let partial = pair.forwarded(1);
    assert!(
        partial[0].subject().starts_with("Part of a fax"),
        "{}",
        partial[0].subject()
    );
    assert!(pages(&partial)[0] == sent[0]);
    wait_for("the folder of the call to go", || {
        let left = std::fs::read_dir(pair.b.path("var/calls")).unwrap();
        (left.count() == 0).then_some(())
    });
    assert_eq!(journal(&pair.b).len(), 1);
    pair.b.kill();
    pair.b.serve();
    assert_eq!(
        pair.b.json(&["received", "list"]).as_array().unwrap().len(),
        1
    );
}
