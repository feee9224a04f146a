//! Client certificates of an account, by their fingerprints.

use toml::de::DeValue;

use super::account::claim_each;
use super::accounts::Context;
use super::claims::Kind;
use super::forms;
use super::forms::Bad;
use super::section::Section;

/// `client_certificate` of an account.
pub(super) fn all(section: &mut Section<'_, '_>, context: &mut Context<'_>) -> Vec<[u8; 32]> {
    let key = "client_certificate";
    let asks = context.config.tls.as_ref();
    let asks = asks.is_some_and(|tls| tls.client_ca.is_some());
    if section.has(key) && !asks {
        let accepted = "[tls] with client_ca in the main file as well";
        section.mistake(key, "no client is asked for a certificate", accepted);
    }
    let entries = section.entries(key, fingerprint).unwrap_or_default();
    let claimed = |print: &[u8; 32]| {
        let text = print.iter().map(|byte| format!("{byte:02x}")).collect();
        (Kind::Certificate, text)
    };
    claim_each(section, context, entries, claimed)
}

/// `sha256:` and 64 hexadecimal digits, colons between them or not, as `openssl x509 -fingerprint` has.
fn fingerprint(value: &DeValue<'_>) -> Result<[u8; 32], Bad> {
    let accepted = "\"sha256:\" and the 64 digits of openssl x509 -noout -fingerprint -sha256";
    let text = forms::text(value)?;
    let bad = || Bad::new("this is no fingerprint", accepted);
    let digits: Vec<u32> = text
        .strip_prefix("sha256:")
        .ok_or_else(bad)?
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()
        .ok_or_else(bad)?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |[high, low]: &[u32; 2]| u8::try_from(high * 16 + low).unwrap_or_default();
    let bytes: Vec<u8> = pairs.iter().map(byte).collect();
    let whole = bytes.try_into().ok().filter(|_| rest.is_empty());
    whole.ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<[u8; 32]> {
        fingerprint(&DeValue::String(text.into())).ok()
    }

    #[test]
    fn a_fingerprint_is_read_with_and_without_colons() {
        let plain = "0a".repeat(31) + "fF";
        let colons = ["0A"; 31].join(":") + ":ff";
        let mut bytes = [10; 32];
        bytes[31] = 255;
        assert_eq!(read(&format!("sha256:{plain}")), Some(bytes));
        assert_eq!(read(&format!("sha256:{colons}")), Some(bytes));
        for bad in [
            plain.clone(),
            format!("sha256:{}", &plain[1..]),
            format!("sha256:{plain}00"),
            format!("sha1:{}", &plain[..40]),
            format!("sha256:{}zz", &plain[2..]),
            "sha256:".to_owned(),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }
}
