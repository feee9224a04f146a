//! The paths of MAIL and RCPT, as devices and carriers really write them.
//!
//! The grammar crate is stricter than the world: it refuses `a..b.@docomo.ne.jp`, addresses without
//! angle brackets and address literals, and it drops quotes and turns `<postmaster>` into the null
//! reverse-path. A path is therefore read here, once, from the text that arrived.

use crate::smtp::Address;

/// Splits what follows `FROM:` or `TO:` into the path, without angle brackets, and the parameters.
///
/// Without brackets the path ends at the first space behind its `@`, so that
/// `TO:03 1234 5678@fax.example` is one path.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    match text.strip_prefix('<') {
        Some(inside) => {
            let end = unquoted(inside, 0, |c| c == '>')?;
            let parameters = inside.get(end + 1..)?;
            let apart = parameters.is_empty() || parameters.starts_with(' ');
            apart.then_some((inside.get(..end)?, parameters))
        }
        None => {
            let at = unquoted(text, 0, |c| c == '@').unwrap_or(0);
            let end = unquoted(text, at, |c| c == ' ').unwrap_or(text.len());
            let path = text.get(..end)?;
            (!path.is_empty()).then_some((path, text.get(end..)?))
        }
    }
}

/// The address in `path`; `host` is ours, where a bare `postmaster` lives (RFC 5321 section 4.1.1.3).
///
/// A local part that needs quotes and lacks them gets them: `<+1(425) 827 0220@fax.example>`. One that
/// has them without need loses them, because both forms mean the same mailbox (section 4.1.2).
pub(super) fn address(path: &str, host: &str) -> Option<Address> {
    let path = without_route(path.trim_matches(' '))?;
    if path.eq_ignore_ascii_case("postmaster") {
        return Address::parse(&format!("{path}@{host}"));
    }
    let at = unquoted(path, 0, |c| c == '@')?;
    let (local, domain) = (path.get(..at)?, path.get(at + 1..)?);
    if domain.contains('@') {
        return None;
    }
    let quoted = local.strip_prefix('"').and_then(|l| l.strip_suffix('"'));
    let plain = match quoted {
        Some(inside) => unescaped(inside)?,
        None => local.to_owned(),
    };
    let simple = !plain.contains(['@', '\\', '"', '(', ')', ':', '[', ']']);
    if let Some(address) = Address::parse(&format!("{plain}@{domain}"))
        && (simple || quoted.is_none())
    {
        return Some(address);
    }
    Address::parse(&format!("\"{}\"@{domain}", escaped(&plain)))
}

/// Drops a source route: `@a,@b:user@domain` is `user@domain` (RFC 5321 section 4.1.1.3, appendix C).
fn without_route(path: &str) -> Option<&str> {
    if path.starts_with('@') {
        path.split_once(':').map(|(_, mailbox)| mailbox)
    } else {
        Some(path)
    }
}

/// The position of the first character from `from` on that is wanted and outside quotes.
fn unquoted(text: &str, from: usize, wanted: impl Fn(char) -> bool) -> Option<usize> {
    let (mut within, mut skip) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if skip => skip = false,
            '\\' if within => skip = true,
            '"' => within = !within,
            _ if !within && at >= from && wanted(c) => return Some(at),
            _ => {}
        }
    }
    None
}

/// The content of a quoted string; `None` if a quote or a backslash in it stands alone.
fn unescaped(inside: &str) -> Option<String> {
    let mut plain = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => plain.push(chars.next()?),
            '"' => return None,
            _ => plain.push(c),
        }
    }
    Some(plain)
}

fn escaped(plain: &str) -> String {
    let mut text = String::with_capacity(plain.len() + 2);
    for c in plain.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<String> {
        address(path, "gw.example").map(|address| address.as_str().to_owned())
    }

    #[test]
    fn addresses_are_taken_as_carriers_and_devices_write_them() {
        for (path, expected) in [
            ("a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp"),
            (".abc@ezweb.ne.jp", ".abc@ezweb.ne.jp"),
            (
                "+1(425) 827 0220@fax.example",
                "\"+1(425) 827 0220\"@fax.example",
            ),
            ("+1(212)555-9999@fax.example", "+1(212)555-9999@fax.example"),
            (
                "\"03 1234 5678\"@fax.example",
                "\"03 1234 5678\"@fax.example",
            ),
            ("\"0312345678\"@fax.example", "0312345678@fax.example"),
            ("\"a..b.\"@docomo.ne.jp", "a..b.@docomo.ne.jp"),
            (
                "FAX=+81312345678@fax.example",
                "FAX=+81312345678@fax.example",
            ),
            ("FAX=+1/T33S=12@fax.example", "FAX=+1/T33S=12@fax.example"),
            ("a@[192.0.2.1]", "a@[192.0.2.1]"),
            ("a@[IPv6:2001:db8::1]", "a@[ipv6:2001:db8::1]"),
            ("Postmaster", "Postmaster@gw.example"),
            ("@a.example,@b.example:user@c.example", "user@c.example"),
            (" a@b.example ", "a@b.example"),
            ("\"a@b\"@c.example", "\"a@b\"@c.example"),
            ("\"a\\\"b\"@c.example", "\"a\\\"b\"@c.example"),
            ("田中@例え.jp", "田中@例え.jp"),
        ] {
            assert_eq!(read(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn what_names_no_mailbox_or_two_hosts_is_no_address() {
        for path in [
            "",
            "0312345678",
            "a@b@c.example",
            "@b.example",
            "@a.example:",
            "a@",
            "a b@",
            "\"a\"b\"@c.example",
            "a@b c.example",
            "a<b@c.example",
            "\"a@b.example",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }

    #[test]
    fn a_path_ends_at_its_bracket_or_behind_its_domain() {
        for (text, expected) in [
            ("<a@b> SIZE=1", Some(("a@b", " SIZE=1"))),
            (" <a@b>", Some(("a@b", ""))),
            ("<>", Some(("", ""))),
            ("<\"a>b\"@c>", Some(("\"a>b\"@c", ""))),
            ("a@b SIZE=1", Some(("a@b", " SIZE=1"))),
            ("03 1234@b SIZE=1", Some(("03 1234@b", " SIZE=1"))),
            ("\"a @ b\"@c SIZE=1", Some(("\"a @ b\"@c", " SIZE=1"))),
            ("postmaster SIZE=1", Some(("postmaster", " SIZE=1"))),
            ("<a@b", None),
            ("<a@b>SIZE=1", None),
            ("", None),
        ] {
            assert_eq!(split(text), expected, "{text}");
        }
    }
}
