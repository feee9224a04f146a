//! A file of lines, read from its end: what is looked for after a crash was written last.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that are read at a time.
const PIECE: u64 = 64 * 1024;

/// What `look` makes of the last line that it makes something of; lines come without their ends.
///
/// # Errors
/// What the system or `look` says.
pub(super) fn find<T>(
    file: &File,
    mut look: impl FnMut(&[u8]) -> io::Result<Option<T>>,
) -> io::Result<Option<T>> {
    let mut begin = file.metadata()?.len();
    // The beginning of what was read already: the rest of a line whose own beginning was not.
    let mut open = Vec::new();
    while begin > 0 {
        let (at, mut bytes) = piece_before(file, begin)?;
        begin = at;
        bytes.append(&mut open);
        let mut end = bytes.len();
        while let Some(line_end) = memchr::memrchr(b'\n', bytes.get(..end).unwrap_or_default()) {
            if let Some(found) = look(bytes.get(line_end + 1..end).unwrap_or_default())? {
                return Ok(Some(found));
            }
            end = line_end;
        }
        bytes.truncate(end);
        open = bytes;
    }
    look(&open)
}

/// How many bytes the whole lines of the file have: beyond them is what a crash cut off.
///
/// # Errors
/// What the system says.
pub(super) fn whole_lines(file: &File) -> io::Result<u64> {
    let mut begin = file.metadata()?.len();
    while begin > 0 {
        let (at, bytes) = piece_before(file, begin)?;
        if let Some(end) = memchr::memrchr(b'\n', &bytes) {
            return Ok(at.saturating_add(u64::try_from(end).map_err(io::Error::other)? + 1));
        }
        begin = at;
    }
    Ok(0)
}

fn piece_before(file: &File, end: u64) -> io::Result<(u64, Vec<u8>)> {
    let begin = end.saturating_sub(PIECE);
    let size = usize::try_from(end - begin).map_err(io::Error::other)?;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, begin)?;
    Ok((begin, bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(text: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn lines_come_whole_from_the_last_to_the_first_however_long_they_are() {
        let long = "x".repeat(150_000);
        let numbered: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
        let text = format!("first\n{long}\n{numbered}");
        let mut seen = Vec::new();
        let none = find(&file(&text), |line| {
            seen.push(String::from_utf8(line.to_vec()).unwrap());
            Ok(None::<()>)
        });
        assert!(none.unwrap().is_none());
        seen.reverse();
        let mut lines: Vec<_> = text.lines().collect();
        lines.push("");
        assert_eq!(seen, lines);
    }

    #[test]
    fn the_search_ends_at_the_last_fitting_line() {
        let mut looked = 0;
        let found = find(&file("a 1\nb 1\na 2\nb 2\n"), |line| {
            looked += 1;
            Ok(line.starts_with(b"a").then(|| line.to_vec()))
        });
        assert_eq!(found.unwrap().unwrap(), b"a 2");
        assert_eq!(looked, 3);
    }

    #[test]
    fn what_follows_the_last_line_end_is_not_whole() {
        for (text, whole) in [("", 0), ("torn", 0), ("a\n", 2), ("a\nto", 2)] {
            assert_eq!(whole_lines(&file(text)).unwrap(), whole, "{text:?}");
        }
        let long = format!("a\n{}", "x".repeat(200_000));
        assert_eq!(whole_lines(&file(&long)).unwrap(), 2);
    }
}
