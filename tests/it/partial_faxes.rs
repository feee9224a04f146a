//! Faxes whose call was cut off, and files as the fax engine writes them.

use faxpage::Bitmap;
use faxpage::Page;
use spandsp::Event;
use spandsp::FaxCall;
use spandsp::Modem;
use spandsp::Pacing;
use spandsp::Task;
use spandsp::Terminal;
use tempfile::TempDir;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::paper;
use crate::gateway::wait_for;

const INBOX: &str = "inbox@customer.example";

#[test]
fn a_partial_fax_is_marked_in_mail_list_web_and_timeline() {
    let account = |language: &str| Account::tanaka().set("language", language);
    let gateway = Gateway::start(Setup::new(&[account("\"en\"")]).web());
    let file = gateway.path("fax.tiff");
    std::fs::write(&file, paper::tiff(2)).unwrap();
    let inject = |further: &[&str]| {
        let file = file.to_str().unwrap();
        let mut arguments = vec!["received", "inject", "--to", "03-4567-0001", file];
        arguments.extend(further);
        gateway.must(&arguments);
    };
    inject(&["--partial", "--from", "CUT"]);
    inject(&["--from", "WHOLE"]);
    let mails = gateway.sink.wait_for(INBOX, 2);
    let mail = |of: &str| {
        mails
            .iter()
            .find(|mail| mail.subject().contains(of))
            .unwrap()
    };
    assert_eq!(mail("CUT").subject(), "Part of a fax received <- (CUT)");
    assert!(mail("CUT").body().contains("PARTIAL"));
    assert_eq!(mail("WHOLE").subject(), "Fax received <- (WHOLE)");
    assert!(!mail("WHOLE").body().contains("PARTIAL"));

    let faxes = gateway.json(&["received", "list"]);
    let marks: Vec<_> = faxes
        .as_array()
        .unwrap()
        .iter()
        .map(|fax| (&fax["remote_id"], &fax["partial"]))
        .collect();
    assert_eq!(
        marks,
        [
            (&"WHOLE".into(), &false.into()),
            (&"CUT".into(), &true.into())
        ]
    );
    let id = faxes[1]["id"].as_str().unwrap();
    let shown = gateway.json(&["received", "show", id]);
    assert!(shown["timeline"].to_string().contains("partial"), "{shown}");

    let mut browser = gateway.logged_in("tanaka", RIGHT);
    let list = browser.get("/received").body();
    assert_eq!(
        list.matches("class=\"failed\">partial").count(),
        1,
        "{list}"
    );
    let page = browser.get(&format!("/received/{id}")).body();
    assert!(
        page.contains("The call was cut off") && page.contains("2 · partial"),
        "{page}"
    );
}

/// A sparse page with a mark that says which.
fn page((width, height): (u32, u32), (x_dpi, y_dpi): (u32, u32), number: u32) -> Page {
    let mut bitmap = Bitmap::new(width, height);
    for y in 20..24 + number {
        for x in 8 + number..width / 2 {
            bitmap.set(x, y, true);
        }
    }
    Page {
        bitmap,
        x_dpi,
        y_dpi,
    }
}

/// A call of two terminals in this process, unpaced.
struct Wire {
    folder: TempDir,
    ends: [Terminal; 2],
    sequences: [u16; 2],
    pages: u32,
}

impl Wire {
    fn new(pages: &[Page], local_id: &str, fastest: Modem) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("sent"), faxpage::write_tiff(pages)).unwrap();
        let sender = FaxCall {
            task: Task::Transmit {
                file: file("sent"),
                first_page: 0,
            },
            local_id: local_id.to_owned(),
            sub_address: None,
            ecm: true,
            fastest,
        };
        let receiver = FaxCall {
            task: Task::Receive { file: file("got") },
            ..sender.clone()
        };
        let end = |call: &FaxCall| Terminal::new(call, Pacing::Unpaced).unwrap();
        let ends = [end(&sender), end(&receiver)];
        Self {
            folder,
            ends,
            sequences: [0; 2],
            pages: 0,
        }
    }

    /// Until so many pages were received, or to the end.
    fn run(&mut self, pages: u32) {
        while self.pages < pages && self.ends.iter().any(Terminal::is_active) {
            let [mut there, mut back] = [Vec::new(), Vec::new()];
            let [sender, receiver] = &mut self.ends;
            let [a, b] = &mut self.sequences;
            for (end, sequence, out) in [
                (&mut *sender, a, &mut there),
                (&mut *receiver, b, &mut back),
            ] {
                end.advance(160, |packet| {
                    out.push((packet.ifp.to_vec(), *sequence));
                    *sequence = sequence.wrapping_add(1);
                });
            }
            there
                .iter()
                .for_each(|(ifp, sequence)| receiver.receive(ifp, *sequence));
            back.iter()
                .for_each(|(ifp, sequence)| sender.receive(ifp, *sequence));
            let events = receiver.take_events();
            self.pages += events
                .iter()
                .filter(|event| matches!(event, Event::Page(_)))
                .count() as u32;
        }
    }

    fn got(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("got")).unwrap()
    }
}

#[test]
fn files_of_the_fax_engine_are_read_in_every_size_and_resolution() {
    if !spandsp::is_available() {
        return;
    }
    for (size, dpi) in [
        ((1728, 1100), (204, 98)),
        ((1728, 2292), (204, 196)),
        ((1728, 60), (204, 196)),
        ((1728, 4200), (204, 391)),
        ((2048, 1200), (204, 196)),
        ((2432, 1300), (204, 98)),
        ((3456, 900), (408, 391)),
    ] {
        let pages: Vec<_> = (0..2).map(|number| page(size, dpi, number)).collect();
        let mut wire = Wire::new(&pages, "+81 3 1234 5678", Modem::V17);
        wire.run(u32::MAX);
        let got = wire.got();
        let (fax, all) = faxgate::render::salvage_received(&got).unwrap();
        assert!(all && fax.pages == 2, "{size:?} {dpi:?}");
        assert!(paper::pages_of(&fax.tiff) == pages, "{size:?} {dpi:?}");
        assert_eq!(
            faxgate::render::check_received(&got).unwrap().tiff,
            fax.tiff
        );
        assert!(
            faxgate::render::to_pdf(&fax, "fax")
                .unwrap()
                .starts_with(b"%PDF-")
        );
    }
}

#[test]
fn pages_that_were_whole_are_saved_from_a_file_that_nobody_closed() {
    if !spandsp::is_available() {
        return;
    }
    let pages: Vec<_> = (0..3)
        .map(|number| page((1728, 1100), (204, 98), number))
        .collect();
    let mut wire = Wire::new(&pages, "A", Modem::V27ter);
    wire.run(2);
    // As a kill of the process would leave it: the terminal has not ended.
    let (fax, _) = faxgate::render::salvage_received(&wire.got()).unwrap();
    assert!(paper::pages_of(&fax.tiff) == pages[..fax.pages as usize]);
    assert!(fax.pages >= 1);
}

#[test]
fn a_hostile_identifier_in_the_file_of_the_engine_reaches_nobody() {
    if !spandsp::is_available() {
        return;
    }
    let hostile = "<b>\"'&;$(id)\\%n{{7}}";
    let mut wire = Wire::new(&[page((1728, 300), (204, 98), 0)], hostile, Modem::V17);
    wire.run(u32::MAX);
    let got = wire.got();
    assert!(
        memchr::memmem::find(&got, hostile.as_bytes()).is_some(),
        "the engine writes it"
    );
    let gateway =
        Gateway::start(Setup::new(&[Account::tanaka().set("forward_format", "\"tiff\"")]).web());
    let file = gateway.path("fax.tiff");
    std::fs::write(&file, &got).unwrap();
    let file = file.to_str().unwrap();
    gateway.must(&[
        "received",
        "inject",
        "--to",
        "03-4567-0001",
        "--from",
        hostile,
        file,
    ]);
    let mails = gateway.sink.wait_for(INBOX, 1);
    let (_, _, tiff) = &mails[0].attachments()[0];
    assert!(memchr::memmem::find(tiff, b"<b>").is_none());
    assert_eq!(paper::pages_of(tiff).len(), 1);
    let id = wait_for("the fax", || {
        let faxes = gateway.json(&["received", "list"]);
        faxes[0]["id"].as_str().map(str::to_owned)
    });
    let mut browser = gateway.logged_in("tanaka", RIGHT);
    for path in ["/received".to_owned(), format!("/received/{id}")] {
        let page = browser.get(&path);
        assert_eq!(page.code, 200);
        assert!(!page.body().contains("<b>"), "{}", page.body());
    }
    for file in ["fax.pdf", "fax.tiff", "pages/1.png"] {
        assert_eq!(
            browser.get(&format!("/received/{id}/{file}")).code,
            200,
            "{file}"
        );
    }
}
