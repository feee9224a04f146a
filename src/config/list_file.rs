//! The CSV file of a contact list: `number,name[,…]`, in UTF-8 or Shift_JIS.

use std::borrow::Cow;
use std::path::Path;

use thiserror::Error;

use super::list::Contact;
use super::list::MAX_MEMBERS;
use super::mistake::Mistake;
use super::mistake::Mistakes;
use super::source;
use super::source::NamedBy;
use crate::fax::CountryCode;
use crate::fax::Destination;
use crate::fax::NumberError;

const ACCEPTED: &str = "number,name in UTF-8 or Shift_JIS, one member a line";

/// The members in the file at `path`; every bad row is reported with its line.
pub(super) fn read(
    path: &Path,
    named_by: &NamedBy,
    country: &CountryCode,
    mistakes: &mut Mistakes,
) -> Vec<Contact> {
    match source::read_bytes(path, named_by, ACCEPTED, mistakes) {
        Some(bytes) => parse(path, &bytes, country, mistakes),
        None => Vec::new(),
    }
}

/// What is wrong with a row, or with all of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RowProblem {
    /// Its first field is no number.
    #[error("{0}")]
    Number(NumberError),
    /// Its second field.
    #[error("the name is too long or has a control character")]
    Name,
    /// It is one too many.
    #[error("a list has at most 20000 members")]
    TooMany,
    /// It cannot be taken apart into fields.
    #[error("this is no CSV")]
    NoCsv,
    /// The whole is no text.
    #[error("this is neither UTF-8 nor Shift_JIS")]
    Encoding,
}

/// What a list in CSV came to; each with its line, from 1, or 0 for the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The members in their order; some may have the same destination.
    pub members: Vec<(u64, Contact)>,
    /// The rows that are none.
    pub bad: Vec<(u64, RowProblem)>,
}

/// The members of a list in CSV, at most so many; numbers are read as in `country`.
pub fn rows(bytes: &[u8], country: &CountryCode, most: usize) -> Rows {
    let mut rows = Rows::default();
    let Some(text) = decode(bytes) else {
        rows.bad.push((0, RowProblem::Encoding));
        return rows;
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut lines = Lines::new(text.as_bytes());
    for (index, record) in reader.records().enumerate() {
        let Ok(record) = record else {
            rows.bad.push((0, RowProblem::NoCsv));
            break;
        };
        let typed = unguarded(record.get(0).unwrap_or_default());
        if index == 0 && is_header(typed) {
            continue;
        }
        let line = lines.of(record.position().map_or(0, csv::Position::byte));
        if rows.members.len() == most {
            rows.bad.push((line, RowProblem::TooMany));
            break;
        }
        let name = unguarded(record.get(1).unwrap_or_default());
        match member(typed, name, country) {
            Ok(member) => rows.members.push((line, member)),
            Err(problem) => rows.bad.push((line, problem)),
        }
    }
    rows
}

/// Counts lines up to the beginning of one record after the other. The reader's own count is one too low where
/// lines end with CRLF: it finds the LF only with the next record.
struct Lines<'a> {
    rest: &'a [u8],
    /// Bytes before `rest`.
    passed: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            passed: 0,
            line: 1,
        }
    }

    /// The line of the record that begins at `byte`, behind ends of lines that are still to be passed.
    fn of(&mut self, byte: u64) -> u64 {
        let begin = usize::try_from(byte).unwrap_or(usize::MAX);
        self.pass(begin.saturating_sub(self.passed));
        let ends = self.rest.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
        self.pass(ends.count());
        self.line
    }

    fn pass(&mut self, count: usize) {
        let (passed, rest) = self.rest.split_at(count.min(self.rest.len()));
        let ends = passed.iter().filter(|byte| **byte == b'\n').count();
        self.line += u64::try_from(ends).unwrap_or_default();
        self.passed += passed.len();
        self.rest = rest;
    }
}

fn parse(
    path: &Path,
    bytes: &[u8],
    country: &CountryCode,
    mistakes: &mut Mistakes,
) -> Vec<Contact> {
    let Rows { members, mut bad } = rows(bytes, country, MAX_MEMBERS);
    let mut report = |line: u64, problem: String| {
        let line = usize::try_from(line).unwrap_or_default();
        mistakes.push(Mistake {
            file: path.to_owned(),
            line,
            column: usize::from(line > 0),
            key: String::new(),
            problem,
            accepted: ACCEPTED.into(),
        });
    };
    if members.is_empty() && bad.is_empty() {
        report(0, "there is no member in this file".into());
    }
    for (line, problem) in bad.drain(..) {
        report(line, problem.to_string());
    }
    members.into_iter().map(|(_, member)| member).collect()
}

/// `text` as it was before our own export put an apostrophe before what a spreadsheet would compute.
fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_guarded(rest) => rest,
        Some(_) | None => text,
    }
}

/// Whether an apostrophe goes before `text` when it is written.
fn is_guarded(text: &str) -> bool {
    let text = text.trim_start_matches('\'');
    // Some programs read the wide forms of signs alike.
    text.starts_with(['=', '+', '-', '@', '0', '＝', '＋', '－', '＠'])
}

/// The encoding of a list that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// With the byte order mark without which Excel takes it for Shift_JIS.
    Utf8,
    /// What it lacks becomes `〓`.
    ShiftJis,
}

/// `members` as CSV below the names of the two columns. No field is one that a spreadsheet would compute or take
/// zeros from; [`rows`] reads every one back.
pub fn write<'a>(
    members: impl Iterator<Item = (&'a str, &'a str)>,
    columns: [&str; 2],
    charset: Charset,
) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let mut written = writer.write_record(columns);
    for (number, name) in members {
        let row = [guarded(number), guarded(name)];
        written = written.and_then(|()| writer.write_record(row.iter().map(Cow::as_ref)));
    }
    let bytes = match written {
        Ok(()) => writer.into_inner().unwrap_or_default(),
        // Rows have two fields and writing to memory does not fail.
        Err(_) => Vec::new(),
    };
    match charset {
        Charset::Utf8 => [b"\xef\xbb\xbf", bytes.as_slice()].concat(),
        Charset::ShiftJis => shift_jis(&String::from_utf8_lossy(&bytes)),
    }
}

fn guarded(text: &str) -> Cow<'_, str> {
    // National numbers keep their hyphens, and with them their zero.
    let computed = is_guarded(text) && !(text.starts_with('0') && text.contains('-'));
    match computed {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

fn shift_jis(text: &str) -> Vec<u8> {
    let (bytes, _, lacks) = encoding_rs::SHIFT_JIS.encode(text);
    if !lacks {
        return bytes.into_owned();
    }
    let known = |c: char| !encoding_rs::SHIFT_JIS.encode(c.encode_utf8(&mut [0; 4])).2;
    let text: String = text
        .chars()
        .map(|c| if known(c) { c } else { '〓' })
        .collect();
    encoding_rs::SHIFT_JIS.encode(&text).0.into_owned()
}

/// Spreadsheets in Japan still save Shift_JIS; text in it is hardly ever valid UTF-8 by chance.
fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(Cow::Borrowed(text));
    }
    encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes)
}

/// A first row names the columns if its first field begins with a letter or has no digit; a mistyped
/// number has one, and is reported.
fn is_header(first: &str) -> bool {
    first.starts_with(char::is_alphabetic)
        || (!first.is_empty() && !first.chars().any(char::is_numeric))
}

/// The member that a person types.
///
/// # Errors
/// [`RowProblem::Number`] or [`RowProblem::Name`].
pub fn member(typed: &str, name: &str, country: &CountryCode) -> Result<Contact, RowProblem> {
    let destination = Destination::parse(typed, country).map_err(RowProblem::Number)?;
    if name.len() > 1000 || name.chars().any(char::is_control) {
        return Err(RowProblem::Name);
    }
    Ok(Contact {
        destination,
        name: name.to_owned(),
    })
}

/// Reads arbitrary bytes as a list file.
pub(super) fn fuzz(bytes: &[u8], mistakes: &mut Mistakes) {
    parse(Path::new("fuzz.csv"), bytes, &CountryCode::JAPAN, mistakes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
        let mut mistakes = Mistakes::default();
        let members = parse(
            Path::new("x.csv"),
            bytes,
            &CountryCode::JAPAN,
            &mut mistakes,
        );
        let members = members
            .into_iter()
            .map(|m| (m.destination.canonical(), m.name))
            .collect();
        mistakes.none_or(members).map_err(|m| m.to_string())
    }

    #[test]
    fn a_list_file_is_utf8_or_shift_jis_with_or_without_a_header() {
        let text =
            "番号,名前,備考\r\n03-1111-2222,新宿,x\r\n\r\n\"+81 3 1111 3333\",\"渋谷, 2F\"\r\n";
        let (sjis, ..) = encoding_rs::SHIFT_JIS.encode(text);
        let bom = format!("\u{feff}{text}");
        let expected = [
            ("0081311112222".to_owned(), "新宿".to_owned()),
            ("0081311113333".to_owned(), "渋谷, 2F".to_owned()),
        ];
        for bytes in [text.as_bytes(), bom.as_bytes(), &sjis] {
            assert_eq!(names(bytes).as_deref(), Ok(&expected[..]));
        }
        assert!(names(b"FAX1,name\n0311112222\n").is_ok());
        assert!(names(b"03-1111-222x\n0311112222\n").is_err());
        let bare = names(b"0311112222\n").unwrap();
        assert_eq!(bare, [("0081311112222".to_owned(), String::new())]);
    }

    #[test]
    fn each_bad_row_is_reported_with_its_line() {
        let text = "0311112222,a\nabc,b\n,c\n\n12,d\n\"03\n1111\",e\n1,f\n";
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let error = names(text.as_bytes()).unwrap_err();
            let lines: Vec<&str> = error.lines().map(|l| &l[..10]).collect();
            let expected = [
                "x.csv:2:1:",
                "x.csv:3:1:",
                "x.csv:5:1:",
                "x.csv:6:1:",
                "x.csv:8:1:",
            ];
            assert_eq!(lines, expected, "{error}");
        }
    }

    #[test]
    fn a_list_has_at_most_20000_members() {
        let row = "0311112222,a\n";
        assert_eq!(names(row.repeat(20_000).as_bytes()).unwrap().len(), 20_000);
        let error = names(row.repeat(20_001).as_bytes()).unwrap_err();
        assert!(
            error.starts_with("x.csv:20001:1: a list has at most"),
            "{error}"
        );
    }

    #[test]
    fn a_list_that_is_written_reads_back_and_computes_nothing() {
        let members = [
            ("03-1234-5678", "=HYPERLINK(1)"),
            ("+12125550100", "'=1"),
            ("0099999996017", "@cmd"),
            ("03-1234-5679", "新宿, \"2F\""),
            ("06-1234-5678", "'quoted'"),
            ("06-1234-5679", "007"),
            ("06-1234-5670", "＝1+1"),
        ];
        for charset in [Charset::Utf8, Charset::ShiftJis] {
            let bytes = write(members.into_iter(), ["FAX番号", "名前"], charset);
            let text = decode(&bytes).unwrap();
            for computed in ["\n+", "\n=", "\n00", ",=", ",@", "\n-", ",＝"] {
                assert!(!text.contains(computed), "{computed:?}: {text}");
            }
            assert!(text.contains("\n03-1234-5678,"), "{text}");
            let read = rows(&bytes, &CountryCode::JAPAN, 100);
            assert_eq!(read.bad, []);
            let read: Vec<(String, &str)> = read
                .members
                .iter()
                .map(|(_, m)| (m.destination.canonical(), m.name.as_str()))
                .collect();
            let canonical = |typed: &str| {
                Destination::parse(typed, &CountryCode::JAPAN)
                    .unwrap()
                    .canonical()
            };
            let expected: Vec<_> = members
                .iter()
                .map(|(n, name)| (canonical(n), *name))
                .collect();
            assert_eq!(read, expected);
        }
        let lacking = write(
            [("03-1234-5678", "😀")].into_iter(),
            ["a", "b"],
            Charset::ShiftJis,
        );
        assert!(decode(&lacking).unwrap().contains('〓'));
    }

    #[test]
    fn a_file_without_members_or_in_another_encoding_is_a_mistake() {
        assert!(names(b"").unwrap_err().contains("no member"));
        assert!(names(b"number,name\n").unwrap_err().contains("no member"));
        assert!(
            names(b"0311112222,\xff\xff\n")
                .unwrap_err()
                .contains("neither")
        );
    }
}
