//! What is left of an accounts file that is no TOML: the accounts that the error is not in.

/// `text` with blanks for each account that is no TOML by itself. Lines stay where they are.
///
/// An account ends where the next `[[account]]` begins a line. Where that stands within a text over
/// several lines, both its pieces are no TOML, and are left out.
pub(super) fn sound_parts(text: &str) -> String {
    let mut sound = String::with_capacity(text.len());
    let mut part = String::new();
    for line in text.split_inclusive('\n') {
        if begins_account(line) {
            keep_or_blank(&part, &mut sound);
            part.clear();
        }
        part.push_str(line);
    }
    keep_or_blank(&part, &mut sound);
    sound
}

/// The lines of the account whose table begins on `line` of `text`, up to the next one; `None` if none begins there.
pub(super) fn account_at(text: &str, line: usize) -> Option<&str> {
    let mut start = 0;
    let mut lines = text.split_inclusive('\n');
    for before in lines.by_ref().take(line.checked_sub(1)?) {
        start += before.len();
    }
    let mut end = start + lines.next().filter(|line| begins_account(line))?.len();
    for behind in lines.take_while(|line| !begins_account(line)) {
        end += behind.len();
    }
    text.get(start..end)
}

fn begins_account(line: &str) -> bool {
    let mut written = line.chars().filter(|c| !matches!(c, ' ' | '\t'));
    "[[account]]".chars().all(|c| written.next() == Some(c))
}

fn keep_or_blank(part: &str, sound: &mut String) {
    if toml::de::DeTable::parse(part).is_ok() {
        sound.push_str(part);
    } else {
        sound.extend(part.chars().filter(|c| *c == '\n'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_with_the_error_is_blank_and_the_others_stay_on_their_lines() {
        let text = "# ours\n[[account]]\nid = \"a\"\n [[ account ]]\nid = \"b\nx\n[[account]] # c\nid = \"c\"\n";
        let sound = "# ours\n[[account]]\nid = \"a\"\n\n\n\n[[account]] # c\nid = \"c\"\n";
        assert_eq!(sound_parts(text), sound);
    }

    #[test]
    fn an_account_is_found_by_its_line() {
        let text = "# ours\n[[account]]\nid = \"a\"\n\n[[account]]\nid = \"b\"\n";
        assert_eq!(account_at(text, 2), Some("[[account]]\nid = \"a\"\n\n"));
        assert_eq!(account_at(text, 5), Some("[[account]]\nid = \"b\"\n"));
        for line in [0, 1, 3, 6, 7, 99] {
            assert_eq!(account_at(text, line), None, "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_an_account_within_a_text_is_none() {
        let text =
            "[[account]]\nid = \"\"\"\n[[account]]\nid = \"x\"\n\"\"\"\n[[account]]\nid = \n";
        assert_eq!(sound_parts(text).trim(), "");
    }
}
