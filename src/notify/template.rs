//! Templates: text with `{name}` for a value and `{?name}` for one that may be missing.

/// What a value goes through before it is put in.
pub(super) type Escape = fn(&str) -> String;

/// The placeholder for rows that were filled before, each with its values escaped.
pub(super) const ROWS: &str = "rows";

/// `template` with its placeholders filled from `values`. A line with a `{?name}` whose value is empty
/// is left out. Values are not searched for placeholders.
pub(super) fn fill(template: &str, values: &[(&str, &str)], escape: Escape) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    for line in template.split_inclusive('\n') {
        if let Some(line) = fill_line(line, values, escape) {
            out.push_str(&line);
        }
    }
    out
}

fn fill_line(line: &str, values: &[(&str, &str)], escape: Escape) -> Option<String> {
    let mut out = String::with_capacity(line.len() * 2);
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        let wanted = name.strip_prefix('?').unwrap_or(name);
        let Some((_, value)) = values.iter().find(|(key, _)| *key == wanted) else {
            // A mistake in a template stays visible, and the tests look for it.
            out.push_str(&format!("{{{name}}}"));
            rest = after;
            continue;
        };
        if name.starts_with('?') && value.is_empty() {
            return None;
        }
        if name == ROWS {
            out.push_str(value);
        } else {
            out.push_str(&escape(value));
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// For plain text: a value stays on its line.
pub(super) fn plain(value: &str) -> String {
    super::header::one_line(value)
}

/// For HTML: as [`plain`], and nothing in it is markup.
pub(super) fn html(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in plain(value).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_once_and_escaped() {
        let values = [("a", "<{b}>\r\nx"), ("b", "B")];
        assert_eq!(fill("{a} {b}\n", &values, plain), "<{b}> x B\n");
        assert_eq!(fill("{a}", &values, html), "&lt;{b}&gt; x");
        assert_eq!(fill("{c}", &values, plain), "{c}");
    }

    #[test]
    fn a_line_whose_optional_value_is_missing_is_left_out() {
        let values = [("a", ""), ("b", "B")];
        assert_eq!(fill("1 {?a}\n2 {?b}\n3 {a}\n", &values, plain), "2 B\n3 \n");
    }
}
