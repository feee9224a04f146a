//! Text as it is searched, scrubbed and kept: clean characters, line feeds, flowed lines joined.

/// `text` with line feeds for line ends of every kind and without control characters but tab, line feed
/// and form feed. What a control character hides from the eye must not hide a password from the search.
pub(super) fn cleaned(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    // Line by line: most lines go over whole, and looking for what may not is cheap.
    while let Some((line, after)) = rest.split_once('\r') {
        push_cleaned(line, &mut clean);
        clean.push('\n');
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    push_cleaned(rest, &mut clean);
    clean
}

/// Appends `run`, in which there is no carriage return.
fn push_cleaned(run: &str, clean: &mut String) {
    // Without a branch for each byte the compiler looks at many at once.
    if !run.bytes().fold(false, |any, b| any | may_be_replaced(b)) {
        clean.push_str(run);
        return;
    }
    for c in run.chars() {
        match c {
            '\x0b' | '\u{85}' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\t' | '\n' | '\x0c' => clean.push(c),
            _ if c.is_control() => {}
            _ => clean.push(c),
        }
    }
}

/// Whether a character that is not kept as it is may begin with this byte of UTF-8: ASCII controls but
/// tab, line feed and form feed; U+0080 to U+009F begin with C2, U+2028 and U+2029 with E2.
fn may_be_replaced(byte: u8) -> bool {
    let kept = (byte == b'\t') | (byte == b'\n') | (byte == b'\x0c');
    ((byte < 0x20) & !kept) | (byte == 0x7f) | (byte == 0xc2) | (byte == 0xe2)
}

/// One line of text for a name or a subject: no control or direction characters, at most `most` characters.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let visible = cleaned(text);
    let visible = visible.chars().filter_map(|c| match c {
        '\t' | '\n' | '\x0c' => Some(' '),
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        _ => Some(c),
    });
    let line: String = visible.collect();
    line.trim().chars().take(most).collect()
}

/// The paragraphs of flowed text (RFC 3676 section 4): lines that end with a space go on in the next one.
pub(super) fn unflowed(text: &str, delete_space: bool) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        let content = bare.trim_start_matches('>');
        let depth = bare.len() - content.len();
        // A space was stuffed before spaces, `>` and `From` (section 4.4).
        let content = content.strip_prefix(' ').unwrap_or(content);
        let signature = content == "-- ";
        match open.take() {
            Some(paragraph) if paragraph == depth && !signature => {}
            Some(_) => {
                whole.push('\n');
                quote(&mut whole, depth);
            }
            None => quote(&mut whole, depth),
        }
        let flows = content.ends_with(' ') && !signature && line.len() > bare.len();
        let kept = match flows && delete_space {
            true => content.strip_suffix(' ').unwrap_or(content),
            false => content,
        };
        whole.push_str(kept);
        if flows {
            open = Some(depth);
        } else if line.len() > bare.len() {
            whole.push('\n');
        }
    }
    whole
}

fn quote(text: &mut String, depth: usize) {
    if depth > 0 {
        text.push_str(&">".repeat(depth));
        text.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_of_every_kind_are_line_feeds_and_controls_go() {
        assert_eq!(
            cleaned("a\r\nb\rc\u{2028}d\u{85}e\n\0f\x1b\u{1f}g\x0ch"),
            "a\nb\nc\nd\ne\nfg\x0ch"
        );
        assert_eq!(
            cleaned("\r\r\n\n\x0b見“積¢”\u{7f}\u{9f}\t書\r"),
            "\n\n\n\n見“積¢”\t書\n"
        );
    }

    #[test]
    fn a_name_is_one_line() {
        assert_eq!(one_line(" a\r\nb\u{202e}c\0 ", 99), "a bc");
        assert_eq!(one_line(&"あ".repeat(70), 60).chars().count(), 60);
    }

    #[test]
    fn flowed_lines_are_whole_again() {
        assert_eq!(
            unflowed("password: \nabc\nnext \n", false),
            "password: abc\nnext "
        );
        assert_eq!(unflowed("pass \nword: x\n", true), "password: x\n");
        assert_eq!(unflowed(" password: x\n  y\n", false), "password: x\n y\n");
        assert_eq!(
            unflowed("> a \n> b\nc\n-- \nd\n", false),
            "> a b\nc\n-- \nd\n"
        );
        assert_eq!(unflowed("> a \nc", false), "> a \nc");
    }
}
