//! The forms that programs give a text, and where they stand.

use encoding_rs::EUC_JP;
use encoding_rs::ISO_2022_JP;
use encoding_rs::SHIFT_JIS;

use crate::gateway::base64;

/// A text as some program writes it.
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
}

fn form(name: &'static str, bytes: impl Into<Vec<u8>>) -> Form {
    let bytes = bytes.into();
    assert!(bytes.len() >= 8, "{name} is too short to be looked for");
    Form { name, bytes }
}

/// All forms of `secret`, which is ASCII.
pub(super) fn of(secret: &str) -> Vec<Form> {
    let hex = |upper: bool, before: &str| -> String {
        let digits = |b: u8| match upper {
            true => format!("{before}{b:02X}"),
            false => format!("{before}{b:02x}"),
        };
        secret.bytes().map(digits).collect()
    };
    let escaped = |mark: char| -> String {
        let one = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_string(),
            false => format!("{mark}{:02X}", u32::from(c)),
        };
        secret.chars().map(one).collect()
    };
    let decimals: Vec<String> = secret.bytes().map(|b| b.to_string()).collect();
    let entities: String = secret.bytes().map(|b| format!("&#{b};")).collect();
    let wide = full_width(secret);
    let (jis, ..) = ISO_2022_JP.encode(&wide);
    // Without the escape sequences at both ends.
    let jis = jis[3..jis.len() - 3].to_vec();
    let mut forms = vec![
        form("plain", secret),
        form("lower case", secret.to_lowercase()),
        form("upper case", secret.to_uppercase()),
        form("reversed", secret.bytes().rev().collect::<Vec<u8>>()),
        form(
            "UTF-16LE",
            secret
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>(),
        ),
        form(
            "UTF-16BE",
            secret
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect::<Vec<u8>>(),
        ),
        form("hex", hex(false, "")),
        form("HEX", hex(true, "")),
        form("list of bytes", decimals.join(", ")),
        form("list of bytes without blanks", decimals.join(",")),
        form("entities", entities),
        form("quoted-printable", escaped('=')),
        form("quoted-printable throughout", hex(true, "=")),
        form("URL", escaped('%')),
        form("URL throughout", hex(true, "%")),
        form("JSON", hex(false, "\\u00")),
        form("full width", wide.as_str()),
        form("full width in ISO-2022-JP", jis),
        form("full width in Shift_JIS", SHIFT_JIS.encode(&wide).0),
        form("full width in EUC-JP", EUC_JP.encode(&wide).0),
    ];
    forms.extend(
        ["base64", "base64 after one", "base64 after two"]
            .iter()
            .enumerate()
            .map(|(n, name)| form(name, base64_after(n, secret))),
    );
    forms
}

/// What of the base64 of any text is decided by `secret` alone if it stands `before` bytes (modulo 3)
/// from the beginning.
fn base64_after(before: usize, secret: &str) -> String {
    let bytes = [&vec![0; before], secret.as_bytes()].concat();
    let text = base64(&bytes);
    let first = (before * 8).div_ceil(6);
    text[first..bytes.len() * 8 / 6].to_owned()
}

/// In the letters that Japanese keyboards also have.
pub(super) fn full_width(secret: &str) -> String {
    let wide = |c: char| char::from_u32(u32::from(c) - 0x21 + 0xff01).unwrap();
    secret.chars().map(wide).collect()
}

/// The forms that stand in `bytes`, also where lines of a mail break them.
pub(super) fn found(bytes: &[u8], forms: &[Form]) -> Vec<&'static str> {
    let joined = String::from_utf8_lossy(bytes);
    let joined = joined.replace("=\r\n", "").replace(['\r', '\n'], "");
    let stands = |form: &&Form| {
        let finder = memchr::memmem::Finder::new(&form.bytes);
        finder.find(bytes).is_some() || finder.find(joined.as_bytes()).is_some()
    };
    forms.iter().filter(stands).map(|form| form.name).collect()
}
