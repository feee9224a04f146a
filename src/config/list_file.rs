//! The CSV file of a contact list: `number,name[,…]`, in UTF-8 or Shift_JIS.

use std::borrow::Cow;
use std::path::Path;

use super::list;
use super::list::Contact;
use super::list::MAX_MEMBERS;
use super::mistake::Mistake;
use super::mistake::Mistakes;
use super::source;
use super::source::NamedBy;
use crate::fax::CountryCode;

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

fn parse(
    path: &Path,
    bytes: &[u8],
    country: &CountryCode,
    mistakes: &mut Mistakes,
) -> Vec<Contact> {
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
    let Some(text) = decode(bytes) else {
        report(0, "this is neither UTF-8 nor Shift_JIS".into());
        return Vec::new();
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut members = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let Ok(record) = record else {
            report(0, "this is no CSV".into());
            break;
        };
        let typed = record.get(0).unwrap_or_default();
        if index == 0 && is_header(typed) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        if members.len() == MAX_MEMBERS {
            report(line, "a list has at most 20000 members".into());
            break;
        }
        let name = record.get(1).unwrap_or_default();
        match member(typed, name, country) {
            Ok(member) => members.push(member),
            Err(problem) => report(line, problem),
        }
    }
    if members.is_empty() && mistakes.iter().all(|mistake| mistake.file != path) {
        let problem = "there is no member in this file".to_owned();
        mistakes.push(Mistake {
            file: path.to_owned(),
            line: 0,
            column: 0,
            key: String::new(),
            problem,
            accepted: ACCEPTED.into(),
        });
    }
    members
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

fn member(typed: &str, name: &str, country: &CountryCode) -> Result<Contact, String> {
    let destination = list::destination(typed, country)?;
    if name.len() > 1000 || name.chars().any(char::is_control) {
        return Err("the name is too long or has a control character".into());
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
        let error = names(b"0311112222,a\nabc,b\n,c\n12,d\n").unwrap_err();
        let lines: Vec<&str> = error.lines().map(|l| &l[..10]).collect();
        assert_eq!(lines, ["x.csv:2:1:", "x.csv:3:1:", "x.csv:4:1:"], "{error}");
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
