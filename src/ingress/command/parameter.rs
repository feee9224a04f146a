//! Parameters and their values.

use super::Mistake;

/// Name, in capitals, and value of each parameter (RFC 5321 section 4.1.2).
pub(super) fn each(parameters: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    parameters
        .split_ascii_whitespace()
        .map(|parameter| match parameter.split_once('=') {
            Some((name, value)) => (name.to_ascii_uppercase(), Some(value)),
            None => (parameter.to_ascii_uppercase(), None),
        })
}

/// RFC 1870 section 3: up to twenty digits.
pub(super) fn announced(digits: &str) -> Result<u64, Mistake> {
    if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Mistake::ParameterValue);
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}

/// RFC 6152 section 2. `BINARYMIME` (RFC 3030 section 3) is not offered: content in which CR, LF and NUL
/// mean nothing would come past the rule that every line ends in CRLF.
pub(super) fn text_body(body: &str) -> Result<(), Mistake> {
    let known = ["7BIT", "8BITMIME"];
    let known = known.iter().any(|text| body.eq_ignore_ascii_case(text));
    known.then_some(()).ok_or(Mistake::ParameterValue)
}

/// RFC 3461 section 4: printable ASCII, in which `+` begins two hexadecimal digits and `=` has no place.
pub(super) fn is_xtext(text: &str) -> bool {
    let mut pieces = text.split('+');
    let plain = |piece: &str| piece.bytes().all(|b| b.is_ascii_graphic() && b != b'=');
    let escaped = |piece: &str| {
        let hex = piece.as_bytes().get(..2);
        hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) && plain(piece)
    };
    !text.is_empty() && pieces.next().is_some_and(plain) && pieces.all(escaped)
}
