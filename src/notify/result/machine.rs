//! The forms that programs read: XML and CSV.

use std::io;
use std::io::Write;

use quick_xml::Writer;
use quick_xml::events::BytesDecl;
use quick_xml::events::BytesText;
use quick_xml::events::Event;

use super::super::ResultFacts;
use super::fields;

/// `<FaxResults>` with one `<Fax>` for each job. Compact, one job a line: a list of 20,000 must fit
/// into a mail.
pub(super) fn xml(facts: &ResultFacts) -> String {
    let mut writer = Writer::new(Vec::new());
    match write_xml(facts, &mut writer) {
        Ok(()) => String::from_utf8(writer.into_inner()).unwrap_or_default(),
        // Writing to memory does not fail.
        Err(_) => String::new(),
    }
}

fn write_xml(facts: &ResultFacts, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
    let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
    writer.write_event(Event::Decl(declaration))?;
    writer.get_mut().write_all(b"\n")?;
    writer
        .create_element("FaxResults")
        .write_inner_content(|writer| {
            writer.get_mut().write_all(b"\n")?;
            for job in &facts.jobs {
                writer.create_element("Fax").write_inner_content(|writer| {
                    for (name, value) in fields(job, facts) {
                        writer
                            .create_element(name)
                            .write_text_content(BytesText::new(&value))?;
                    }
                    Ok(())
                })?;
                writer.get_mut().write_all(b"\n")?;
            }
            Ok(())
        })?;
    writer.get_mut().write_all(b"\n")
}

/// A header row and a row for each job; values exact, quoted where RFC 4180 asks.
pub(super) fn csv(facts: &ResultFacts) -> String {
    String::from_utf8(table(facts, str::to_owned)).unwrap_or_default()
}

/// The same table for a person's spreadsheet: with the byte order mark without which Excel takes it
/// for Shift_JIS, and with no value that a spreadsheet would compute.
pub(super) fn spreadsheet(facts: &ResultFacts) -> Vec<u8> {
    let mut bytes = "\u{feff}".as_bytes().to_vec();
    bytes.extend(table(facts, defused));
    bytes
}

fn table(facts: &ResultFacts, change: fn(&str) -> String) -> Vec<u8> {
    const NAMES: [&str; 10] = [
        "TransactionID",
        "CSID",
        "PagesSent",
        "Status",
        "OriginalSubject",
        "DestinationFax",
        "Duration",
        "SubmitTime",
        "CompletionTime",
        "Contact",
    ];
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let mut written = writer.write_record(NAMES);
    for job in &facts.jobs {
        let row = fields(job, facts).map(|(_, value)| change(&value));
        written = written.and_then(|()| writer.write_record(row));
    }
    match written {
        Ok(()) => writer.into_inner().unwrap_or_default(),
        // Rows have ten fields and writing to memory does not fail.
        Err(_) => Vec::new(),
    }
}

/// `value`, after an apostrophe if a spreadsheet would take it for a formula. `+81 3 1234` is none.
fn defused(value: &str) -> String {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ');
    let formula = value.starts_with(['=', '+', '-', '@']) && !value.chars().all(number);
    if formula {
        format!("'{value}")
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_computes_nothing() {
        assert_eq!(defused("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(defused("+cmd|x"), "'+cmd|x");
        assert_eq!(defused("+81 3 1234 5678"), "+81 3 1234 5678");
        assert_eq!(defused("-1"), "-1");
    }
}
