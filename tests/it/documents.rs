//! What is faxed: text, PDF, TIFF, pictures, and what cannot be faxed (row C1).

use image::ImageFormat;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::paper;

const NUMBER: &str = "0312345678@fax.example";

#[test]
fn c1_every_kind_of_document_becomes_pages() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mail = |name: &str| Mail::plain(NUMBER).subject(name);
    gateway.accepts(&mail("text"));
    gateway.accepts(&mail("pdf").attach("a.pdf", "application/pdf", &paper::pdf(2)));
    gateway.accepts(&mail("tiff").attach("a.tif", "image/tiff", &paper::tiff(3)));
    let (png, jpeg) = (
        paper::picture(ImageFormat::Png),
        paper::picture(ImageFormat::Jpeg),
    );
    gateway.accepts(&mail("png").attach("a.png", "image/png", &png));
    gateway.accepts(&mail("jpeg").attach("a.jpg", "image/jpeg", &jpeg));
    let jobs = gateway.settled(5);
    for (name, pages) in [
        ("text", 1),
        ("pdf", 2),
        ("tiff", 3),
        ("png", 1),
        ("jpeg", 1),
    ] {
        let job = jobs.iter().find(|job| job["reference"] == name).unwrap();
        assert_eq!(job["status"], 0, "{name}: {job}");
        assert_eq!(job["pages_sent"], pages, "{name}");
        let faxed = gateway.pages(job);
        assert_eq!(faxed.len(), pages, "{name}");
        assert!(faxed.iter().all(|page| page.bitmap.width() == 1728));
    }
}

#[test]
fn c1_attachments_are_one_fax_in_their_order() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let mail = Mail::plain(NUMBER)
        .attach("first.pdf", "application/pdf", &paper::pdf(1))
        .attach("second.txt", "text/plain", b"second\r\n\x0cthird\r\n")
        .attach("fourth.tif", "image/tiff", &paper::tiff(1));
    gateway.accepts(&mail);
    let jobs = gateway.settled(1);
    let pages = gateway.pages(&jobs[0]);
    assert_eq!(pages.len(), 4);
    // The bar over the whole width is on the first and on the last page only.
    let is_bar = |page: &faxpage::Page| page.bitmap.black_pixels() > 20_000;
    let bars: Vec<bool> = pages.iter().map(is_bar).collect();
    assert_eq!(bars, [true, false, false, true]);
}

#[test]
fn c1_what_cannot_be_faxed_is_a_failed_job_whose_mail_names_the_file_and_the_reason() {
    let account = Account::suzuki().set("result_mail", "{ format = \"text-en\" }");
    let gateway = Gateway::with(&[account]);
    let mail = Mail::plain(NUMBER).attach("plan.pdf", "application/pdf", b"%PDF-1.7 and no more");
    gateway.accepts(&mail);
    let jobs = gateway.settled(1);
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["status"]),
        (&"failed".into(), &204_000.into())
    );
    let mails = gateway.sink.wait_for("suzuki@customer.example", 1);
    assert!(
        mails[0].subject().starts_with("Fax failed"),
        "{}",
        mails[0].subject()
    );
    assert!(mails[0].body().contains("plan.pdf"), "{}", mails[0].body());
    assert_eq!(gateway.calls().len(), 0);
}

#[test]
fn c1_a_mail_with_nothing_to_fax_is_refused() {
    let gateway = Gateway::with(&[Account::tanaka()]);
    let body = format!("password: {}\r\n", crate::gateway::RIGHT);
    let reply = gateway.mail(&Mail::new("tanaka@customer.example", NUMBER, &body));
    assert!(reply.starts_with("550 5.6.0 "), "{reply}");
    assert_eq!(gateway.jobs().len(), 0);
}
