//! Text as a search compares it: neither case, width, kind of kana nor spaces count.

/// `text` as a search compares it. Full-width letters and half-width katakana become what they look like
/// (as NFKC has it, for these blocks), katakana hiragana, everything lower case; spaces are left out.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_ascii() => {
                if !c.is_ascii_whitespace() {
                    folded.push(c.to_ascii_lowercase());
                }
            }
            // Voiced marks of half-width katakana belong to the sign before them.
            'ﾞ' | '\u{3099}' | '゛' => mark(&mut folded, voiced),
            'ﾟ' | '\u{309A}' | '゜' => mark(&mut folded, half_voiced),
            _ if c.is_whitespace() => {}
            _ => folded.extend(hiragana(wide(c)).to_lowercase()),
        }
    }
    folded
}

/// Full-width ASCII as ASCII, and the strokes that stand for a hyphen as one: for what is typed as a number or an address.
pub fn narrow(text: &str) -> String {
    let narrowed = text.chars().map(|c| match c {
        '\u{3000}' => ' ',
        'ー' | '−' | '‐' | '–' => '-',
        _ => ascii(c).unwrap_or(c),
    });
    narrowed.collect()
}

fn mark(folded: &mut String, marked: fn(char) -> Option<char>) {
    let Some(last) = folded.chars().next_back() else {
        return;
    };
    if let Some(marked) = marked(last) {
        folded.pop();
        folded.push(marked);
    }
}

/// U+FF01 to U+FF5E are ASCII from `!` to `~` in full width.
fn ascii(c: char) -> Option<char> {
    let offset = u32::from(c).checked_sub(0xFF01)?;
    let narrow = char::from_u32(0x21 + offset)?;
    narrow.is_ascii_graphic().then_some(narrow)
}

fn wide(c: char) -> char {
    /// U+FF65 to U+FF9D in full width.
    const WIDE: &str = "・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";
    if let Some(narrow) = ascii(c) {
        return narrow;
    }
    let offset = u32::from(c).checked_sub(0xFF65);
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    let found = offset.and_then(|offset| WIDE.chars().nth(offset));
    found.unwrap_or(c)
}

/// U+30A1 to U+30F6 are the katakana of U+3041 to U+3096.
fn hiragana(c: char) -> char {
    match c {
        'ァ'..='ヶ' => char::from_u32(u32::from(c) - 0x60).unwrap_or(c),
        _ => c,
    }
}

fn voiced(c: char) -> Option<char> {
    match c {
        'う' => Some('ゔ'),
        'か' | 'き' | 'く' | 'け' | 'こ' | 'さ' | 'し' | 'す' | 'せ' | 'そ' | 'た' | 'ち'
        | 'つ' | 'て' | 'と' | 'は' | 'ひ' | 'ふ' | 'へ' | 'ほ' => {
            char::from_u32(u32::from(c) + 1)
        }
        _ => None,
    }
}

fn half_voiced(c: char) -> Option<char> {
    match c {
        'は' | 'ひ' | 'ふ' | 'へ' | 'ほ' => char::from_u32(u32::from(c) + 2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_case_nor_width_nor_kind_of_kana_nor_spaces_count() {
        for (text, folded) in [
            ("T.Tanaka@Customer.Example", "t.tanaka@customer.example"),
            ("Ｔａｎａｋａ　１２３", "tanaka123"),
            ("タナカ タロウ", "たなかたろう"),
            ("ﾀﾅｶ ﾀﾛｳ", "たなかたろう"),
            ("ｶﾞｯﾂﾎﾟｰｽﾞ・ｳﾞ", "がっつぽーず・ゔ"),
            ("か\u{3099}", "が"),
            ("ﾞ", ""),
            ("Ä田中", "ä田中"),
            ("\t \u{3000}", ""),
            ("ヲン", "をん"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn what_is_typed_in_full_width_becomes_narrow() {
        assert_eq!(narrow("１００－０００１"), "100-0001");
        assert_eq!(narrow("０３ー１２３４ー５６７８"), "03-1234-5678");
        assert_eq!(narrow("田中＠ｘ．example"), "田中@x.example");
        assert_eq!(narrow("ﾀ"), "ﾀ");
    }
}
