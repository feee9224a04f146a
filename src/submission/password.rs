//! The password line: found in the outermost body, removed from everything that is kept (rows C2, P5).
//!
//! Finding is strict, removing is generous: a line counts as the sender's own only if its text begins with
//! one of the configured prefixes, but it is removed also behind quote marks, bullets and the like.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::CharIndices;

use super::copies::Copies;
use crate::config;
use crate::fax::is_invisible;
use crate::secret::Secret;

/// Stands between the cells of a table row in text made from HTML. Plain text cannot hold it: control
/// characters are removed from it first.
pub(super) const CELL: char = '\u{1f}';

/// Most characters of a name before a quote mark, as in `Sato> `.
const MAX_QUOTER: usize = 12;

/// Knows a password line when it sees one.
pub(super) struct Finder {
    prefixes: Vec<Vec<char>>,
    search_lines: usize,
}

impl Finder {
    /// A finder for the lines that `rules` describes.
    pub(super) fn new(rules: &config::Password) -> Self {
        let folded = |line: &String| Folded::new(line).map(|(c, _)| c).collect();
        let mut prefixes: Vec<Vec<char>> = rules.lines.iter().map(folded).collect();
        // An empty prefix would make every line a password line.
        prefixes.retain(|prefix| !prefix.is_empty());
        prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        Self {
            prefixes,
            search_lines: rules.search_lines,
        }
    }

    /// The passwords in the first lines of `text`, in order; empty ones are none.
    pub(super) fn search(&self, text: &str) -> Vec<Secret> {
        let mut found = Vec::new();
        let quoted = |line: &Line<'_>| line.text.trim_start_matches(is_blank).starts_with('>');
        let own = lines(text)
            .take(self.search_lines)
            .filter(|line| !quoted(line));
        for line in own {
            let mut cells = line.text.split(CELL);
            while let Some(cell) = cells.next() {
                let Some(rest) = self.rest(cell.trim_start_matches(is_blank)) else {
                    continue;
                };
                // `password:` alone in its cell: the value stands in the next one.
                let value = match rest.trim_matches(is_blank) {
                    "" => cells.next().unwrap_or_default().trim_matches(is_blank),
                    value => value,
                };
                if !value.is_empty() {
                    found.push(Secret::new(value.to_owned()));
                }
            }
        }
        found
    }

    /// Copies of `passwords` outside of their lines.
    pub(super) fn copies_of(&self, passwords: &[Secret]) -> Copies {
        Copies::of(passwords, &self.prefixes)
    }

    /// Whether there is a password line anywhere in `text`.
    pub(super) fn occurs_in(&self, text: &str) -> bool {
        let mut cells = lines(text).flat_map(|line| line.text.split(CELL));
        cells.any(|cell| self.hidden_rest(cell).is_some())
    }

    /// `text` without any password line; cells become columns.
    pub(super) fn scrub(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        for line in lines(text) {
            let scrubbed = self.scrub_line(line.text);
            let removed = scrubbed.is_none();
            kept.push_str(&scrubbed.unwrap_or_default());
            if !removed || line.end == "\x0c" {
                kept.push_str(line.end);
            }
        }
        kept
    }

    /// What stays of a line: its cells that are no password; `None` if that is nothing.
    fn scrub_line<'t>(&self, line: &'t str) -> Option<Cow<'t, str>> {
        if !line.contains(CELL) && self.hidden_rest(line).is_none() {
            return Some(Cow::Borrowed(line));
        }
        let mut kept = Vec::new();
        let mut removed = false;
        let mut cells = line.split(CELL);
        while let Some(cell) = cells.next() {
            match self.hidden_rest(cell) {
                Some(rest) => {
                    removed = true;
                    if rest.trim_matches(is_blank).is_empty() {
                        cells.next();
                    }
                }
                None => kept.push(cell),
            }
        }
        let nothing = kept
            .iter()
            .all(|cell| cell.trim_matches(is_blank).is_empty());
        (!removed || !nothing).then(|| Cow::Owned(kept.join("  ")))
    }

    /// What follows a prefix at the beginning of `text`, or behind marks, numbers and names with a quote
    /// mark, one behind the other as each mail program put its own before the line.
    fn hidden_rest<'t>(&self, mut text: &'t str) -> Option<&'t str> {
        loop {
            text = match self.behind_marks(text) {
                Ok(rest) => return Some(rest),
                Err(words) => after_quoter(words)?,
            };
        }
    }

    /// What follows a prefix behind marks and numbers, or else what stands there.
    fn behind_marks<'t>(&self, mut text: &'t str) -> Result<&'t str, &'t str> {
        loop {
            // Blanks go all at once: the comparison would pass over them again at every step.
            text = text.trim_start_matches(is_blank);
            if let Some(rest) = self.rest(text) {
                return Ok(rest);
            }
            let mut chars = text.chars();
            if !chars.next().is_some_and(|c| is_mark(c) || c.is_numeric()) {
                return Err(text);
            }
            text = chars.as_str();
        }
    }

    /// What follows a prefix with which `text` begins.
    fn rest<'t>(&self, text: &'t str) -> Option<&'t str> {
        let after = |prefix: &Vec<char>| {
            let mut folded = Folded::new(text);
            let mut end = 0;
            for expected in prefix {
                let (found, after) = folded.next()?;
                if found != *expected {
                    return None;
                }
                end = after;
            }
            text.get(end..)
        };
        let (first, _) = Folded::new(text).next()?;
        let likely = |prefix: &&Vec<char>| prefix.first() == Some(&first);
        self.prefixes.iter().filter(likely).find_map(after)
    }
}

/// A line and what ends it: a line feed, a form feed, or the end of the text.
struct Line<'t> {
    text: &'t str,
    end: &'t str,
}

fn lines(mut text: &str) -> impl Iterator<Item = Line<'_>> {
    std::iter::from_fn(move || {
        let end = memchr::memchr2(b'\n', b'\x0c', text.as_bytes());
        let (line, rest) = text.split_at_checked(end.map_or(text.len(), |at| at + 1))?;
        text = rest;
        let (text, end) = line.split_at_checked(end.unwrap_or(line.len()))?;
        (!line.is_empty()).then_some(Line { text, end })
    })
}

/// What follows `Sato> ` at the beginning of a line.
fn after_quoter(text: &str) -> Option<&str> {
    let ends = |(_, c): &(usize, char)| matches!(c, '>' | '＞');
    let (at, mark) = text.char_indices().take(MAX_QUOTER + 1).find(ends)?;
    text.get(at + mark.len_utf8()..)
}

/// White space of any width, and characters that show nothing.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

/// Marks before a line that other people's programs add: quotes, bullets, boxes, emphasis.
fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(
            c,
            '＞' | '》'
                | '»'
                | '›'
                | '｜'
                | '│'
                | '┃'
                | '・'
                | '･'
                | '•'
                | '‣'
                | '◦'
                | '●'
                | '○'
                | '■'
                | '□'
                | '◆'
                | '◇'
                | '▼'
                | '★'
                | '☆'
                | '※'
                | '－'
                | '–'
                | '—'
                | '＊'
                | '＃'
                | '「'
                | '『'
                | '【'
                | '［'
                | '（'
                | '〈'
                | '《'
                | '→'
                | '⇒'
                | '：'
                | '、'
                | '。'
                | '．'
        )
}

/// The characters of a text as prefixes are compared: without white space and invisible characters, in
/// lower case, full-width letters half width and half-width katakana full width (as Unicode's NFKC does),
/// each with the place in the text where it ends.
pub(super) struct Folded<'t> {
    chars: Peekable<CharIndices<'t>>,
    length: usize,
}

impl<'t> Folded<'t> {
    /// The characters of `text`.
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            chars: text.char_indices().peekable(),
            length: text.len(),
        }
    }

    fn end(&mut self) -> usize {
        self.chars.peek().map_or(self.length, |(at, _)| *at)
    }
}

impl Iterator for Folded<'_> {
    type Item = (char, usize);

    fn next(&mut self) -> Option<(char, usize)> {
        let (_, c) = self.chars.find(|(_, c)| !is_blank(*c))?;
        let mut folded = narrow(c);
        // A sound mark of its own joins the kana before it: ハ and ゜ are パ.
        if let Some((_, mark)) = self.chars.peek()
            && let Some(joined) = with_sound_mark(folded, *mark)
        {
            folded = joined;
            self.chars.next();
        }
        Some((folded, self.end()))
    }
}

fn narrow(c: char) -> char {
    const HALF_WIDTH: &str = "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテト\
                              ナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";
    let code = u32::from(c);
    let narrow = match code {
        // Full-width forms stand in the order of ASCII.
        0xff01..=0xff5e => char::from_u32(code - 0xfee0).unwrap_or(c),
        0xff61..=0xff9d => {
            let index = usize::try_from(code - 0xff61).unwrap_or_default();
            HALF_WIDTH.chars().nth(index).unwrap_or(c)
        }
        0xfe13 | 0xfe55 | 0x2236 => ':',
        _ => c,
    };
    narrow.to_lowercase().next().unwrap_or(narrow)
}

fn with_sound_mark(kana: char, mark: char) -> Option<char> {
    let ha_row = ('ハ'..='ホ').contains(&kana) || ('は'..='ほ').contains(&kana);
    let ka_to_row = ('カ'..='ド').contains(&kana) || ('か'..='ど').contains(&kana);
    let step = match mark {
        '\u{3099}' | '゛' | 'ﾞ' if ha_row || ka_to_row => 1,
        '\u{309a}' | '゜' | 'ﾟ' if ha_row => 2,
        _ => return None,
    };
    char::from_u32(u32::from(kana) + step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder() -> Finder {
        let lines = ["password:", "パスワード:", "#passwd=", "FAXPASSWORD:", ""];
        Finder::new(&config::Password {
            lines: lines.map(str::to_owned).to_vec(),
            search_lines: 20,
        })
    }

    fn found(text: &str) -> Vec<String> {
        let found = finder().search(text);
        found.iter().map(|s| s.expose().to_owned()).collect()
    }

    #[test]
    fn the_rest_of_the_line_without_white_space_is_the_password() {
        for line in [
            "password:abc#123",
            "Password: abc#123  ",
            "PASSWORD ： \u{a0}abc#123\u{3000}",
            "ｐａｓｓｗｏｒｄ：abc#123",
            "　 パスワード： abc#123",
            "ﾊﾟｽﾜｰﾄﾞ:abc#123",
            "ハ\u{309a}スワート\u{3099}:abc#123",
            "#passwd=abc#123",
            "＃ＰＡＳＳＷＤ＝abc#123",
            "FaxPassword: abc#123",
            "\u{feff}pass\u{ad}w\u{200b}ord:\u{200b}abc#123\u{200b}",
            "password\t:\tabc#123",
        ] {
            assert_eq!(found(line), ["abc#123"], "{line}");
            assert_eq!(finder().scrub(&format!("a\n{line}\nb")), "a\nb", "{line}");
        }
        assert_eq!(found("password: a b\tc"), ["a b\tc"]);
    }

    #[test]
    fn quoted_and_marked_lines_are_removed_and_not_taken() {
        for line in [
            "> password: abc1234",
            ">> パスワード：abc1234",
            "> > > #passwd=abc1234",
            "| password: abc1234",
            "* password: abc1234",
            "*password:* abc1234",
            "・パスワード：abc1234",
            "【パスワード：abc1234】",
            "1. password: abc1234",
            "(2) password: abc1234",
            "Sato> password: abc1234",
            "> - password: abc1234",
            "> Sato> password: abc1234",
            "Sato> > Tanaka> 1. password: abc1234",
        ] {
            assert_eq!(found(line), [""; 0], "{line}");
            assert_eq!(finder().scrub(&format!("a\n{line}\nb")), "a\nb", "{line}");
        }
    }

    #[test]
    fn lines_that_only_talk_about_passwords_stay() {
        for line in [
            "My password: x",
            "passwords: x",
            "the word password is here",
            "password x",
            "2026 > 2025",
        ] {
            assert_eq!(found(line), [""; 0], "{line}");
            assert_eq!(finder().scrub(line), line);
        }
    }

    #[test]
    fn only_the_first_lines_are_searched_and_all_are_scrubbed() {
        let text = format!("{}password: late12\nend", "x\n".repeat(20));
        assert_eq!(found(&text), [""; 0]);
        assert_eq!(finder().scrub(&text), format!("{}end", "x\n".repeat(20)));
        let text = format!("{}password: last12\nend", "x\n".repeat(19));
        assert_eq!(found(&text), ["last12"]);
    }

    #[test]
    fn an_empty_password_is_none_and_its_line_goes() {
        assert_eq!(found("password:  \nx"), [""; 0]);
        assert_eq!(finder().scrub("password:  \nx"), "x");
    }

    #[test]
    fn a_form_feed_ends_a_line_and_stays() {
        assert_eq!(finder().scrub("a\npassword: x1\x0cb\x0c"), "a\n\x0cb\x0c");
    }

    #[test]
    fn cells_of_a_table_row_are_read_one_by_one() {
        let row = format!("password:{CELL}abc1234{CELL}other");
        assert_eq!(found(&row), ["abc1234"]);
        assert_eq!(finder().scrub(&row), "other");
        assert_eq!(found(&format!("> a{CELL}password: old1234")), [""; 0]);
        let row = format!("password: abc1234{CELL}other{CELL}x");
        assert_eq!(found(&row), ["abc1234"]);
        assert_eq!(finder().scrub(&row), "other  x");
    }

    #[test]
    fn hostile_lines_take_linear_time() {
        let line = "# ".repeat(200_000) + &">".repeat(200_000) + &"1.".repeat(200_000);
        assert_eq!(finder().scrub(&line).len(), line.len());
        let line = "Sato> ".repeat(100_000) + &"a>".repeat(100_000);
        assert_eq!(finder().scrub(&line).len(), line.len());
        let line = "p".repeat(500_000) + &"\u{3000}".repeat(500_000);
        assert_eq!(found(&line), [""; 0]);
    }
}
