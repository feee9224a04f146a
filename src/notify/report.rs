//! Reports that a client asked for (RFC 3461): what happened in words, in fields, and what it was about
//! (RFC 3464 in the frame of RFC 6522).

use super::Header;
use super::Mail;
use super::RecipientFacts;
use super::ReportFacts;
use super::header;
use super::header::Charset;
use super::letter::Auto;
use super::letter::Letter;
use super::letter::Part;
use super::result;
use super::template::fill;
use super::template::plain;
use super::transfer::Transfer;
use crate::config::Language;
use crate::time::Timestamp;
use crate::time::Zone;

/// The report with these `facts`.
pub fn delivery_report(facts: &ReportFacts, header: &Header) -> Mail {
    let (language, charset) = result::voice(facts.result.format);
    let (subject, text) = match facts.delayed_until {
        Some(until) => delayed(facts, until, language),
        None => result::in_words(&facts.result, language),
    };
    let letter = Letter {
        subject,
        charset,
        auto: Auto::Replied,
        body: Part::Multi {
            subtype: "report; report-type=delivery-status",
            parts: vec![
                Part::text("text/plain", &text, charset),
                fields(facts, &header.zone),
                original(facts, &header.zone),
            ],
        },
    };
    letter.write(header)
}

fn delayed(facts: &ReportFacts, until: Timestamp, language: Language) -> (String, String) {
    let job = facts.result.jobs.first();
    let who = job.map(|job| job.destination.clone()).unwrap_or_default();
    let contact = job.map(|job| job.contact.clone()).unwrap_or_default();
    let id = job.map(|job| job.id.clone()).unwrap_or_default();
    let status = job.map(|job| {
        let text = match language {
            Language::Ja => job.status.text_ja(),
            Language::En => job.status.text_en(),
        };
        format!("{}-{text}", job.status.0)
    });
    let (template, subject) = match language {
        Language::Ja => (
            include_str!("templates/delayed.ja.txt"),
            "FAX送信が遅れています",
        ),
        Language::En => (include_str!("templates/delayed.en.txt"), "Fax delayed"),
    };
    let values = [
        ("id", id.as_str()),
        ("status", &status.unwrap_or_default()),
        ("reference", &facts.result.reference),
        ("destination", &who),
        ("contact", &contact),
        ("until", &until.local(&facts.result.zone)),
        ("zone", &facts.result.zone.to_string()),
    ];
    let text = fill(template, &values, plain);
    (format!("{subject} -> ({who})"), text)
}

/// `message/delivery-status` (RFC 3464 section 2): fields of the mail, then of each recipient.
fn fields(facts: &ReportFacts, zone: &Zone) -> Part {
    let mut text = field("Reporting-MTA", &format!("dns; {}", facts.host));
    if let Some(id) = &facts.envelope_id {
        text = field("Original-Envelope-Id", id) + &text;
    }
    text += &field("Arrival-Date", &facts.arrived.rfc5322(zone));
    for recipient in &facts.recipients {
        text += "\r\n";
        text += &recipient_fields(recipient, facts, zone);
    }
    fields_only("message/delivery-status", text)
}

fn recipient_fields(recipient: &RecipientFacts, facts: &ReportFacts, zone: &Zone) -> String {
    let status = recipient.status;
    let (action, code) = match (facts.delayed_until, status.is_failure()) {
        (Some(_), _) => ("delayed", for_now(status.enhanced())),
        (None, true) => ("failed", status.enhanced().to_owned()),
        (None, false) => ("delivered", status.enhanced().to_owned()),
    };
    let mut text = String::new();
    if let Some(original) = &facts.original_recipient {
        text += &field("Original-Recipient", original);
    }
    text += &field("Final-Recipient", &recipient.address);
    text += &field("Action", action);
    text += &field("Status", &code);
    if status.is_failure() {
        let diagnostic = format!("x-faxgate; {} {}", status.0, status.text_en());
        text += &field("Diagnostic-Code", &diagnostic);
    }
    if let Some(at) = recipient.last_attempt {
        text += &field("Last-Attempt-Date", &at.rfc5322(zone));
    }
    if let Some(until) = facts.delayed_until {
        text += &field("Will-Retry-Until", &until.rfc5322(zone));
    }
    text
}

/// A code of class 4: what will be tried again is no final failure.
fn for_now(enhanced: &str) -> String {
    let detail = enhanced.split_once('.').map(|(_, detail)| detail);
    format!("4.{}", detail.unwrap_or("0.0"))
}

/// What the report is about: its header as far as it is known to hold no secret, and behind it, where
/// they were asked for, the pages instead of the body, which nobody has any more.
fn original(facts: &ReportFacts, zone: &Zone) -> Part {
    let mut text = String::new();
    let result = &facts.result;
    if let Some(id) = facts.message_id.as_deref().and_then(header::message_id) {
        text += &field("Message-ID", &id);
    }
    if let Some(at) = facts.sent_at {
        text += &field("Date", &at.rfc5322(zone));
    }
    // An address that is not ASCII would need eight bits, which this part has not.
    for (name, address) in [("From", &facts.author), ("To", &facts.addressed)] {
        if let Some(address) = address.as_ref().filter(|a| a.as_str().is_ascii()) {
            text += &header::addresses(name, std::slice::from_ref(address));
        }
    }
    text += &header::unstructured("Subject", &result.reference, Charset::Utf8);
    let Some(pages) = &result.pages else {
        return fields_only("text/rfc822-headers", text);
    };
    text += "MIME-Version: 1.0\r\n";
    let mut whole = text.into_bytes();
    Part::file(pages.clone()).write("", &mut whole);
    leaf("message/rfc822", whole)
}

/// The last line end belongs to the boundary (RFC 2046 section 5.1.1), and fields end in one of their own.
fn fields_only(media_type: &str, text: String) -> Part {
    leaf(media_type, (text + "\r\n").into_bytes())
}

/// Seven bits: these types know no other encoding (RFC 3464 section 2.1).
fn leaf(media_type: &str, bytes: Vec<u8>) -> Part {
    Part::Leaf {
        content_type: media_type.to_owned(),
        file_name: None,
        transfer: Transfer::SevenBit,
        bytes,
    }
}

/// The field `name`; whatever is in `value`, exactly one comes out.
fn field(name: &str, value: &str) -> String {
    let value = crate::smtp::in_ascii(&header::one_line(value));
    format!("{name}: {value}\r\n")
}

#[cfg(test)]
mod tests;
