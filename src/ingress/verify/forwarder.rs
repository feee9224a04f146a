//! What a believed forwarder saw when it took the mail: its ARC-Authentication-Results (RFC 8617).

use super::judge::vouches;

/// Whether `results`, the value of the field, say that `domain` was proved: DMARC passed for it, or a
/// signature of it.
pub(super) fn saw_proved(results: &str, domain: &str) -> bool {
    let plain = without_comments(results);
    plain.split(';').any(|result| {
        let mut words = result.split_ascii_whitespace();
        let method = words.next().unwrap_or_default().to_ascii_lowercase();
        let mut properties = words.filter_map(|word| word.split_once('='));
        match method.as_str() {
            "dmarc=pass" => properties.any(|(name, value)| {
                name.eq_ignore_ascii_case("header.from") && value.eq_ignore_ascii_case(domain)
            }),
            "dkim=pass" => properties.any(|(name, value)| {
                let by = match name.to_ascii_lowercase().as_str() {
                    "header.d" => value,
                    "header.i" => value.rsplit('@').next().unwrap_or_default(),
                    _ => return false,
                };
                vouches(&by.to_ascii_lowercase(), domain)
            }),
            _ => false,
        }
    })
}

/// Comments and quoted texts hold what strangers wrote (RFC 8601 section 2.2): they say nothing.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for c in text.chars() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth = depth.saturating_add(1),
            ')' if !quoted => depth = depth.saturating_sub(1),
            c if depth == 0 && !quoted => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_forwarder_saw_is_read_method_by_method() {
        let seen = "i=1; forwarder.example;\r\n\tdkim=pass header.i=@customer.example header.s=a;\r\n\t\
                    spf=fail smtp.mailfrom=a@b.example; dmarc=pass (p=REJECT) header.from=Customer.Example";
        assert!(saw_proved(seen, "customer.example"));
        assert!(!saw_proved(seen, "b.example"));
        let failed = "i=1; forwarder.example; dmarc=fail header.from=customer.example; dkim=fail header.d=customer.example";
        assert!(!saw_proved(failed, "customer.example"));
    }

    #[test]
    fn what_a_stranger_wrote_into_it_says_nothing() {
        for text in [
            "i=1; f; spf=none (; dmarc=pass header.from=customer.example)",
            "i=1; f; spf=none smtp.mailfrom=\"x; dmarc=pass header.from=customer.example\"",
            "i=1; f; spf=none (\\); dmarc=pass header.from=customer.example)",
            "i=1; f; dmarc=pass header.from=customer.example.evil.example",
        ] {
            assert!(!saw_proved(text, "customer.example"), "{text}");
        }
    }
}
