//! Copies of a password outside of its line: in prose, in attached text, in names, broken over lines.
//!
//! The line is known by how it begins, a copy by what it says. Once the line was found, its password is
//! taken out of everything that is kept of the mail.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use super::password::Folded;
use super::password::is_blank;
use crate::secret::Secret;

/// Stands where a copy was: the reader of a page sees that something is missing.
const MARK: &str = "***";
/// A shorter password is taken out with its line only: as a word of two letters it stands in every text.
const LEAST: usize = 6;

/// Knows the passwords of one mail when it sees them.
#[derive(Clone)]
pub(super) struct Copies(Vec<Zeroizing<String>>);

/// Nothing: they are passwords.
impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copies").finish_non_exhaustive()
    }
}

impl Copies {
    /// Copies of `passwords`, but of those that are a piece of one of `prefixes`: the word "password" is
    /// nobody's secret, and without it no other line would be found.
    pub(super) fn of(passwords: &[Secret], prefixes: &[Vec<char>]) -> Self {
        let folded = passwords.iter().map(|password| {
            let text = password.expose().trim_start_matches(is_before_text);
            Zeroizing::new(folded(text).map(|(c, _)| c).collect::<String>())
        });
        let mut folded: Vec<_> = folded.collect();
        folded.retain(|password| {
            let word = |prefix: &Vec<char>| prefix.iter().collect::<String>().contains(&**password);
            password.chars().count() >= LEAST && !prefixes.iter().any(word)
        });
        folded.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        folded.dedup();
        Self(folded)
    }

    /// `text` with [`MARK`] in the place of each copy: in any width and case, with anything between its
    /// characters that is not seen, and with line ends and quote marks where a mail program broke it.
    pub(super) fn strike<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut struck = Cow::Borrowed(text);
        for password in &self.0 {
            let places = places(&struck, password);
            if !places.is_empty() {
                struck = Cow::Owned(replaced(&struck, &places));
            }
        }
        struck
    }
}

/// Where `password` stands in `text`.
fn places(text: &str, password: &str) -> Vec<Range<usize>> {
    let seen: Zeroizing<String> = Zeroizing::new(folded(text).map(|(c, _)| c).collect());
    let finder = memchr::memmem::Finder::new(password.as_bytes());
    let mut found = finder.find_iter(seen.as_bytes()).peekable();
    let mut places = Vec::new();
    if found.peek().is_none() {
        return places;
    }
    // Where they stand in the folded text is known: both texts are walked through side by side.
    let (mut at, mut begin) = (0, None);
    for (c, place) in folded(text) {
        if found.peek() == Some(&at) {
            begin = Some((place.start, at + password.len()));
            found.next();
        }
        at += c.len_utf8();
        if let Some((start, end)) = begin.filter(|(_, end)| at >= *end) {
            debug_assert_eq!(at, end);
            places.push(start..place.end);
            begin = None;
        }
    }
    places
}

fn replaced(text: &str, places: &[Range<usize>]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for place in places {
        kept.push_str(text.get(from..place.start).unwrap_or_default());
        kept.push_str(MARK);
        from = place.end;
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    kept
}

/// The characters of `text` as they are compared, each with its place.
fn folded(text: &str) -> impl Iterator<Item = (char, Range<usize>)> + '_ {
    let mut line_begins = 0;
    text.split_inclusive('\n').flat_map(move |line| {
        let content = line.trim_start_matches(is_before_text);
        let mut end = line_begins + (line.len() - content.len());
        let offset = end;
        line_begins += line.len();
        Folded::new(content).filter_map(move |(c, folded_end)| {
            let begin = end;
            end = offset + folded_end;
            let between = text.get(begin..end).unwrap_or_default();
            let unseen = between.len() - between.trim_start_matches(is_unseen).len();
            (!c.is_control()).then_some((c, begin + unseen..end))
        })
    })
}

/// What a mail program puts before a line that it quotes, and blanks.
fn is_before_text(c: char) -> bool {
    is_unseen(c) || matches!(c, '>' | '＞' | '|')
}

fn is_unseen(c: char) -> bool {
    is_blank(c) || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(password: &str) -> Copies {
        let prefix = "password:".chars().collect();
        Copies::of(&[Secret::new(password.to_owned())], &[prefix])
    }

    #[test]
    fn a_copy_goes_wherever_and_however_it_stands() {
        for (text, struck) in [
            ("mine is kaki8sample, really", "mine is ***, really"),
            ("KAKI8Sample", "***"),
            ("ｋａｋｉ８ｓａｍｐｌｅ。", "***。"),
            ("ka\u{200b}ki8\u{ad}sam\0ple x", "*** x"),
            (
                "> password: kaki8\r\n> > sample\r\nnext",
                "> password: ***\r\nnext",
            ),
            ("kaki8 \n sample and kaki8sample", "*** and ***"),
            ("見積 kaki8sample 書 kaki8sample", "見積 *** 書 ***"),
            ("kaki8kaki8sample", "kaki8***"),
            ("a\n>> \n> kaki8sampl", "a\n>> \n> kaki8sampl"),
        ] {
            assert_eq!(copies("kaki8sample").strike(text), struck, "{text:?}");
        }
        assert_eq!(copies(">kaki8sample").strike("a\n>kaki8sample"), "a\n>***");
        assert_eq!(copies("パスワード99").strike("ﾊﾟｽﾜｰﾄﾞ99 x"), "*** x");
    }

    #[test]
    fn short_passwords_and_the_word_password_stay() {
        for word in ["a", "12345", "password", "assword"] {
            let text = format!("a {word} is a {word}");
            assert_eq!(copies(word).strike(&text), text);
        }
    }

    #[test]
    fn hostile_text_takes_linear_time() {
        let copies = copies(&"ab".repeat(50_000));
        let text = ("ab".repeat(49_999) + " a\n> ").repeat(10);
        assert_eq!(copies.strike(&text), text);
        let blanks = ("a".to_owned() + &" \n>".repeat(1_000)).repeat(300);
        assert_eq!(copies.strike(&blanks), blanks);
    }
}
