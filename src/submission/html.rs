//! HTML becomes text: one pass without a tree, so nesting costs nothing.
//!
//! Written here because the password is taken from this text: a line is a line of the author, whatever
//! tables and columns surround it, nothing is wrapped, and each cell of a table row stays apart.

use mail_parser::decoders::html::add_html_token;

use super::password::CELL;

/// Quote marks shown at most; deeper quotes are shown at this depth, so that text grows by a constant only.
const MAX_QUOTE: usize = 8;
/// Tables within tables whose rows are told apart.
const MAX_TABLES: usize = 64;
/// Longest name of an entity (`CounterClockwiseContourIntegral`) with its marks.
const MAX_ENTITY: usize = 34;

/// The text of `html`; cells of a row are separated by [`CELL`].
pub(super) fn to_text(html: &str) -> String {
    let mut page = Page::default();
    let mut rest = html;
    while !rest.is_empty() {
        let Some(mark) = rest.find(['<', '&']) else {
            page.words(rest);
            break;
        };
        let (words, marked) = rest.split_at(mark);
        page.words(words);
        rest = if marked.starts_with('&') {
            entity(marked, &mut page)
        } else {
            markup(marked, &mut page)
        };
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
    /// A blank was read and not yet written: at the beginning of a line it never is.
    blank: bool,
    quotes: usize,
    preformatted: usize,
    rows: Vec<Row>,
}

/// The row being read.
#[derive(Default)]
struct Row {
    begin: usize,
    has_cell: bool,
}

impl Page {
    fn words(&mut self, words: &str) {
        for c in words.chars() {
            match c {
                '\n' if self.preformatted > 0 => self.new_line(),
                ' ' | '\t' if self.preformatted > 0 => self.put(c),
                ' ' | '\t' | '\n' | '\r' | '\x0c' => self.blank = true,
                _ => self.put(c),
            }
        }
    }

    fn put(&mut self, c: char) {
        let line_begins = self.text.is_empty() || self.text.ends_with('\n');
        if line_begins {
            self.text.push_str(&"> ".repeat(self.quotes.min(MAX_QUOTE)));
        } else if self.blank && !self.text.ends_with(CELL) {
            self.text.push(' ');
        }
        self.blank = false;
        self.text.push(c);
    }

    fn new_line(&mut self) {
        self.blank = false;
        self.text.push('\n');
    }

    /// A block begins or ends: what follows stands on a new line.
    fn block(&mut self) {
        self.blank = false;
        if !self.text.is_empty() && !self.text.ends_with(['\n', CELL]) {
            self.text.push('\n');
        }
    }

    /// A row begins or ends: what follows stands on a new line also if its last cell is empty.
    fn row(&mut self) {
        self.block();
        let Some(row) = self.rows.last_mut() else {
            return;
        };
        if self.text.len() > row.begin && self.text.ends_with(CELL) {
            self.text.push('\n');
        }
        *row = Row {
            begin: self.text.len(),
            has_cell: false,
        };
    }

    /// A cell begins: it goes on in the line in which the cell before it ended.
    fn cell(&mut self) {
        self.blank = false;
        let Some(row) = self.rows.last_mut() else {
            return;
        };
        if row.has_cell {
            let kept = self.text.trim_end_matches(['\n', ' ']).len();
            self.text.truncate(kept.max(row.begin));
            self.text.push(CELL);
        }
        row.has_cell = true;
    }

    fn table(&mut self, closes: bool) {
        self.block();
        if closes {
            self.row();
            self.rows.pop();
        } else if self.rows.len() < MAX_TABLES {
            let begin = self.text.len();
            self.rows.push(Row {
                begin,
                has_cell: false,
            });
        }
    }

    fn tag(&mut self, name: &str, closes: bool) {
        let step = |depth: usize| match closes {
            true => depth.saturating_sub(1),
            false => depth + 1,
        };
        match name {
            "br" => self.new_line(),
            "table" => self.table(closes),
            "tr" => self.row(),
            "td" | "th" if !closes => self.cell(),
            "blockquote" => {
                self.block();
                self.quotes = step(self.quotes);
            }
            "pre" | "textarea" | "listing" | "xmp" => {
                self.block();
                self.preformatted = step(self.preformatted);
            }
            "address" | "article" | "aside" | "body" | "caption" | "center" | "dd" | "details"
            | "dir" | "div" | "dl" | "dt" | "fieldset" | "figcaption" | "figure" | "footer"
            | "form" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "header" | "hr" | "html"
            | "legend" | "li" | "main" | "menu" | "nav" | "ol" | "option" | "p" | "section"
            | "summary" | "tbody" | "tfoot" | "thead" | "ul" => self.block(),
            _ => {}
        }
    }
}

/// Reads the entity at the beginning of `text`; returns what follows it.
fn entity<'t>(text: &'t str, page: &mut Page) -> &'t str {
    let inside = |c: &char| c.is_ascii_alphanumeric() || *c == '#';
    let name: usize = text.chars().skip(1).take_while(inside).count();
    let end = 1 + name.min(MAX_ENTITY);
    let closed = text.get(end..).is_some_and(|rest| rest.starts_with(';'));
    let token = format!("{};", text.get(..end).unwrap_or_default());
    let mut shown = String::new();
    // The older entities may stand without a semicolon.
    if closed
        || matches!(
            token.as_str(),
            "&nbsp;" | "&amp;" | "&lt;" | "&gt;" | "&quot;"
        )
    {
        add_html_token(&mut shown, token.as_bytes(), false);
    }
    if shown.is_empty() || shown == token {
        page.put('&');
        return text.get(1..).unwrap_or_default();
    }
    // A character reference cannot bring in what was removed from the text before.
    let shown = super::text::cleaned(&shown);
    for c in shown.chars() {
        match c {
            '\n' => page.words("\n"),
            _ => page.put(c),
        }
    }
    text.get(end + usize::from(closed)..).unwrap_or_default()
}

/// Reads the tag, comment or stray `<` at the beginning of `text`; returns what follows it.
fn markup<'t>(text: &'t str, page: &mut Page) -> &'t str {
    if let Some(comment) = text.strip_prefix("<!--") {
        return match comment.strip_prefix('>').or(comment.strip_prefix("->")) {
            Some(empty) => empty,
            None => comment.split_once("-->").map_or("", |(_, rest)| rest),
        };
    }
    let closes = text.starts_with("</");
    let named = text.get(if closes { 2 } else { 1 }..).unwrap_or_default();
    let in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_');
    let length = named.find(|c| !in_name(c)).unwrap_or(named.len());
    let (name, attributes) = named.split_at(length);
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        if closes || named.starts_with(['!', '?']) {
            return named.split_once('>').map_or("", |(_, rest)| rest);
        }
        page.put('<');
        return named;
    }
    let name = name.to_ascii_lowercase();
    let rest = after_tag(attributes);
    let hidden = matches!(
        name.as_str(),
        "script" | "style" | "title" | "template" | "xml"
    );
    if hidden && !closes {
        return after_closing(rest, &name);
    }
    page.tag(&name, closes);
    rest
}

/// What follows the `>` of a tag; one inside a quoted attribute value ends nothing.
fn after_tag(attributes: &str) -> &str {
    let mut quote = None;
    let mut last = ' ';
    for (at, c) in attributes.char_indices() {
        match quote {
            Some(open) if open == c => quote = None,
            Some(_) => {}
            None if c == '>' => return attributes.get(at + 1..).unwrap_or_default(),
            None if matches!(c, '"' | '\'') && last == '=' => quote = Some(c),
            None => {}
        }
        if !c.is_whitespace() {
            last = c;
        }
    }
    ""
}

/// What follows the end tag of an element whose content nobody sees.
fn after_closing<'t>(text: &'t str, name: &str) -> &'t str {
    let mut rest = text;
    while let Some((_, tag)) = rest.split_once("</") {
        rest = tag;
        let same = tag
            .get(..name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name));
        if same {
            return after_tag(tag.get(name.len()..).unwrap_or_default());
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_author_is_a_line_of_text() {
        for (html, text) in [
            (
                "<p>password: abc</p><p>Hello <b>you</b></p>",
                "password: abc\nHello you\n",
            ),
            ("pass<b>word</b>: abc<br>next", "password: abc\nnext"),
            ("<div>password:&nbsp;abc</div>x", "password:\u{a0}abc\nx"),
            ("password&colon; a&#98;&#x63;<BR/>x", "password: abc\nx"),
            ("<h1>a</h1>\n <ul><li>b<li>c</ul>", "a\nb\nc\n"),
            ("<pre>a\n  b</pre>", "a\n  b\n"),
            ("a<hr>b", "a\nb"),
            (
                "1 < 2 && 3 > 2 &unknown; &amp",
                "1 < 2 && 3 > 2 &unknown; &",
            ),
            ("<a title=\"a>b\" href=x>link</a>", "link"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    #[test]
    fn what_nobody_sees_is_not_text() {
        for html in [
            "<head><title>t</title><style>p{}</style></head>x",
            "<script>if (a < b) { '</scrip' }</script >x",
            "<!-- <p>no</p> -->x",
            "<!--[if mso]><p>no</p><![endif]-->x",
            "<!DOCTYPE html><?xml version=1?>x",
            "<!-->x<!-- never closed",
            "x<style>never closed",
        ] {
            assert_eq!(to_text(html), "x", "{html}");
        }
    }

    #[test]
    fn quotes_keep_their_mark() {
        let html = "a<blockquote>password: x<blockquote>y</blockquote></blockquote>b";
        assert_eq!(to_text(html), "a\n> password: x\n> > y\nb");
    }

    #[test]
    fn cells_stay_apart_and_rows_are_lines() {
        let rows = "<table><tr><td><p>password:</p></td><td><p>abc</p></td></tr><tr><td></td><td>b</td></table>";
        assert_eq!(to_text(rows), format!("password:{CELL}abc\n{CELL}b\n"));
        let empty = "<table><tr><td>a</td><td></td></tr><tr><td>b<td></table>c";
        assert_eq!(to_text(empty), format!("a{CELL}\nb{CELL}\nc"));
        let columns = "<table><tr><td>Hi<br>password: abc</td><td>right<br>col</td></tr></table>";
        assert_eq!(
            to_text(columns),
            format!("Hi\npassword: abc{CELL}right\ncol\n")
        );
        let nested =
            "<table><tr><td><table><tr><td>password: x</td></tr></table></td></tr></table>y";
        assert_eq!(to_text(nested), "password: x\ny");
    }

    #[test]
    fn hostile_html_takes_linear_time_and_space() {
        for piece in [
            "<div>",
            "<table><tr><td>",
            "<blockquote>",
            "<td>",
            "<!",
            "&",
            "<script",
            "<b a=\"",
        ] {
            let html = piece.repeat(100_000) + "x";
            assert!(to_text(&html).len() <= html.len() * 8, "{piece}");
        }
    }
}
