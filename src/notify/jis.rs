//! ISO-2022-JP (RFC 1468): the Japanese mail charset of old devices and mobile phones.
//!
//! It has the characters of JIS X 0208 and no others. What it lacks is written with what it has;
//! the last resort is 〓, the mark that Japanese printers use for a missing type.

use encoding_rs::ISO_2022_JP;

/// `text` in ISO-2022-JP. Every line begins and ends in ASCII, as RFC 1468 asks.
pub(super) fn encode(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in degraded(text).split_inclusive('\n') {
        // One call a line, so that the line end is written in ASCII state.
        let (end, line) = match line.strip_suffix("\r\n") {
            Some(line) => ("\r\n", line),
            None => ("", line),
        };
        out.extend_from_slice(&ISO_2022_JP.encode(line).0);
        out.extend_from_slice(end.as_bytes());
    }
    out
}

/// `text` with nothing in it but ASCII and JIS X 0208.
pub(super) fn degraded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{3099}' | 'ﾞ' => mark(&mut out, '゛', voiced),
            '\u{309a}' | 'ﾟ' => mark(&mut out, '゜', half_voiced),
            '\r' | '\n' | '\t' | ' '..='~' => out.push(c),
            // Among them those that switch charsets: escape, shift out, shift in.
            c if c.is_ascii_control() => {}
            c if is_jis(c) => out.push(c),
            c => substitute(c, &mut out),
        }
    }
    out
}

/// Whether JIS X 0208 has `c`. The encoder also knows the vendors' rows (13: ①㈱, 89 to 92: 髙﨑), which
/// the charset's name does not promise and which show as garbage elsewhere.
fn is_jis(c: char) -> bool {
    let mut buffer = [0; 4];
    let (bytes, _, replaced) = ISO_2022_JP.encode(c.encode_utf8(&mut buffer));
    let half_width_or_yen = matches!(c, '｡'..='ﾟ' | '¥' | '‾' | '−');
    let row = match (bytes.starts_with(b"\x1b$B"), bytes.get(3)) {
        (true, Some(lead)) => lead - 0x20,
        _ => 0,
    };
    !replaced && !half_width_or_yen && matches!(row, 1..=8 | 16..=84)
}

/// Joins a voicing mark to the kana before it, or writes the mark alone.
fn mark(out: &mut String, alone: char, join: fn(char) -> Option<char>) {
    match out.chars().next_back().and_then(join) {
        Some(joined) => {
            out.pop();
            out.push(joined);
        }
        None => out.push(alone),
    }
}

fn voiced(kana: char) -> Option<char> {
    const PLAIN: &str =
        "かきくけこさしすせそたちつてとはひふへほカキクケコサシスセソタチツテトハヒフヘホ";
    match kana {
        'ウ' => Some('ヴ'),
        // The voiced kana follows its plain one in Unicode.
        kana if PLAIN.contains(kana) => char::from_u32(u32::from(kana) + 1),
        _ => None,
    }
}

fn half_voiced(kana: char) -> Option<char> {
    let plain = "はひふへほハヒフヘホ".contains(kana);
    plain.then(|| char::from_u32(u32::from(kana) + 2)).flatten()
}

/// Writes what stands for `c`.
fn substitute(c: char, out: &mut String) {
    const HALF_WIDTH: &str = "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";
    match c {
        '｡'..='ﾝ' => out.extend(HALF_WIDTH.chars().nth((u32::from(c) - 0xff61) as usize)),
        '①'..='⑳' => out.push_str(&format!("({})", u32::from(c) - 0x2460 + 1)),
        'Ⅰ'..='Ⅹ' => out.extend(ROMAN.get((u32::from(c) - 0x2160) as usize).copied()),
        'ⅰ'..='ⅹ' => {
            let number = ROMAN.get((u32::from(c) - 0x2170) as usize);
            out.extend(number.map(|n| n.to_lowercase()));
        }
        // Joiners, variation selectors and byte order marks only choose the look of their neighbour.
        '\u{200b}'..='\u{200d}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0100}'..='\u{e01ef}' => {}
        c => match SUBSTITUTES.iter().find(|(lacking, _)| lacking.contains(c)) {
            Some((_, instead)) => out.push_str(instead),
            None => out.push('〓'),
        },
    }
}

const ROMAN: [&str; 10] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"];

/// Characters that names and subjects are likely to have, and what a person writes without them.
const SUBSTITUTES: &[(&str, &str)] = &[
    ("\u{a0}\u{2002}\u{2003}\u{2009}\u{202f}", " "),
    ("〜", "\u{ff5e}"),
    ("−", "\u{ff0d}"),
    ("—", "\u{2015}"),
    ("–‑", "-"),
    ("•‧", "・"),
    ("¥", "\u{ffe5}"),
    ("¢", "\u{ffe0}"),
    ("£", "\u{ffe1}"),
    ("¬", "\u{ffe2}"),
    ("‖", "\u{2225}"),
    ("‾", "\u{ffe3}"),
    ("㈱", "(株)"),
    ("㈲", "(有)"),
    ("㈹", "(代)"),
    ("№", "No."),
    ("℡", "TEL"),
    ("㏍", "K.K."),
    ("㍻", "平成"),
    ("㍼", "昭和"),
    ("㋿", "令和"),
    ("㎜", "mm"),
    ("㎝", "cm"),
    ("㎞", "km"),
    ("㎏", "kg"),
    ("㎡", "平方m"),
    ("™", "(TM)"),
    ("©", "(C)"),
    ("®", "(R)"),
    ("€", "EUR"),
    ("〝", "“"),
    ("〟", "”"),
    ("髙", "高"),
    ("﨑", "崎"),
    ("𠮷", "吉"),
    ("瀨", "瀬"),
    ("濵", "浜"),
    ("德", "徳"),
    ("栁", "柳"),
    ("桒", "桑"),
    ("郞", "郎"),
    ("靑", "青"),
    ("淸", "清"),
    ("黑", "黒"),
    ("增", "増"),
    ("橫", "横"),
    ("賴", "頼"),
    ("緖", "緒"),
    ("\u{f929}", "朗"),
    ("\u{f9dc}", "隆"),
    ("\u{fa10}", "塚"),
    ("\u{fa12}", "晴"),
    ("\u{fa16}", "猪"),
    ("\u{fa17}", "益"),
    ("\u{fa18}", "礼"),
    ("\u{fa19}", "神"),
    ("\u{fa1a}", "祥"),
    ("\u{fa1b}", "福"),
    ("\u{fa1c}", "靖"),
    ("\u{fa1d}", "精"),
    ("\u{fa1e}", "羽"),
    ("\u{fa22}", "諸"),
    ("\u{fa25}", "逸"),
    ("\u{fa26}", "都"),
    ("\u{fa2a}", "飯"),
    ("\u{fa2b}", "飼"),
    ("\u{fa2c}", "館"),
    ("\u{fa2d}", "鶴"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::proptest;

    fn round_trip(text: &str) -> String {
        let bytes = encode(text);
        assert!(bytes.is_ascii(), "seven bits only");
        let (decoded, _, errors) = ISO_2022_JP.decode(&bytes);
        assert!(!errors, "{text:?}");
        decoded.into_owned()
    }

    #[test]
    fn japanese_text_comes_back_as_it_was() {
        let text = "FAX送信が成功しました -> (0081312345678)\r\nひらがなカタカナ漢字～…“”\r\n";
        assert_eq!(round_trip(text), text);
    }

    #[test]
    fn what_the_charset_lacks_stays_readable() {
        for (text, expected) in [
            ("ﾌｧｸｽ ｶﾞｷﾞﾊﾟ｡", "ファクス ガギパ。"),
            ("か\u{3099}ハ\u{309a}", "がパ"),
            ("①と⑳とⅣとⅷ", "(1)と(20)とIVとviii"),
            ("㈱髙﨑", "(株)高崎"),
            ("\u{fa19}\u{fa1b}\u{f9dc}", "神福隆"),
            ("済み✅😀", "済み〓〓"),
            ("A—B〜C¥5", "A―B～C￥5"),
            ("葛\u{e0100}飾", "葛飾"),
            ("Café", "Caf〓"),
        ] {
            assert_eq!(round_trip(text), expected);
        }
    }

    #[test]
    fn every_substitute_is_itself_in_the_charset() {
        for (lacking, instead) in SUBSTITUTES {
            assert_eq!(degraded(instead), *instead);
            assert!(lacking.chars().all(|c| !is_jis(c)), "{lacking} needs none");
        }
    }

    #[test]
    fn every_line_ends_in_ascii() {
        let bytes = encode("日本\r\n語");
        assert_eq!(bytes, b"\x1b$BF|K\\\x1b(B\r\n\x1b$B8l\x1b(B");
    }

    proptest! {
        #[test]
        fn any_text_becomes_valid_bytes_of_the_promised_rows(text in any::<String>()) {
            let decoded = round_trip(&text);
            proptest::prop_assert!(decoded.chars().all(|c| c.is_ascii() || is_jis(c)));
        }
    }
}
