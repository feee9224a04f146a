//! Header fields of a message or of a part: where they are, unfolded, without a word about their meaning.

use crate::refusal::Malformed;

/// The header fields of one entity, in order (RFC 5322 section 2.2).
pub(super) struct Header<'a> {
    fields: Vec<Field<'a>>,
}

/// One field as it stands in the message.
struct Field<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Header<'a> {
    /// The first value of the field `name`, unfolded, without surrounding white space.
    pub(super) fn first(&self, name: &str) -> Option<Vec<u8>> {
        self.all(name).next().map(|field| unfolded(field.value))
    }

    /// How many fields are called `name`.
    pub(super) fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    /// Whether there is no field at all.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The last value of the field `name` as it stands in the message.
    pub(super) fn last(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).last().map(|field| field.value)
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &Field<'a>> {
        self.fields
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
    }
}

/// Header and body of `entity`. Lines that are no field are passed over: what cannot be named is
/// neither understood nor kept.
///
/// # Errors
/// [`Malformed::HeaderTooLong`] if the header has more than `most` bytes.
pub(super) fn split(entity: &[u8], most: usize) -> Result<(Header<'_>, &[u8]), Malformed> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    let mut at = 0;
    while let Some((line, next)) = line_at(entity, at) {
        if next > most {
            return Err(Malformed::HeaderTooLong);
        }
        if line.is_empty() {
            at = next;
            break;
        }
        let folded = line.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
        if folded {
            extend_last(&mut fields, entity, next);
        } else if let Some(field) = field(line, entity.get(at..next).unwrap_or_default()) {
            fields.push(field);
        }
        at = next;
    }
    Ok((Header { fields }, entity.get(at..).unwrap_or_default()))
}

/// The line that begins at `at`, without its line end, and where the next one begins.
pub(super) fn line_at(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    let (line, length) = match memchr::memchr(b'\n', rest) {
        Some(end) => (rest.get(..end)?, end + 1),
        None => (rest, rest.len()),
    };
    Some((line.strip_suffix(b"\r").unwrap_or(line), at + length))
}

fn field<'a>(line: &'a [u8], whole: &'a [u8]) -> Option<Field<'a>> {
    let colon = memchr::memchr(b':', line)?;
    // Blanks before the colon are obsolete syntax that still arrives (RFC 5322 section 4.5).
    let name = line.get(..colon)?.trim_ascii_end();
    let value = whole.get(colon + 1..)?;
    let good = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    good.then_some(Field { name, value })
}

/// Lengthens the last field up to `end`: a folded line belongs to it.
fn extend_last<'a>(fields: &mut [Field<'a>], entity: &'a [u8], end: usize) {
    let Some(last) = fields.last_mut() else {
        return;
    };
    let offset = |part: &[u8]| part.as_ptr().addr() - entity.as_ptr().addr();
    last.value = entity.get(offset(last.value)..end).unwrap_or_default();
}

/// A value without its line ends (RFC 5322 section 2.2.3).
fn unfolded(value: &[u8]) -> Vec<u8> {
    let kept = value.iter().filter(|b| !matches!(b, b'\r' | b'\n'));
    kept.copied().collect::<Vec<u8>>().trim_ascii().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_unfolded_and_the_body_begins_after_the_empty_line() {
        let raw = b"Subject: a\r\n b\r\n\tc\r\nX :  y\r\n\r\nbody: no\r\n";
        let (header, body) = split(raw, 1_000).unwrap();
        assert_eq!(header.first("subject").unwrap(), b"a b\tc");
        assert_eq!(header.first("x").unwrap(), b"y");
        assert_eq!(header.count("body"), 0);
        assert_eq!(body, b"body: no\r\n");
    }

    #[test]
    fn a_header_over_the_limit_is_refused() {
        let raw = [b"A: ".as_slice(), &[b'x'; 200], b"\r\n\r\n"].concat();
        assert_eq!(split(&raw, 100).err(), Some(Malformed::HeaderTooLong));
        assert!(split(&raw, 210).is_ok());
    }

    #[test]
    fn lines_that_are_no_field_are_passed_over() {
        let (header, body) = split(b"From x Mon\r\nno field\r\nA: 1\r\n\r\nz", 99).unwrap();
        assert_eq!(header.first("a").unwrap(), b"1");
        assert_eq!(body, b"z");
        assert!(split(b"\r\nA: 1", 99).unwrap().0.is_empty());
    }
}
