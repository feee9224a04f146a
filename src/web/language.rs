//! In which language somebody is answered.

use axum::http::HeaderMap;
use axum::http::header;

use crate::config::Account;
use crate::config::Language;
use crate::config::ResultFormat;

/// What the account's owner chose; else what the browser asks for; else the language of the account's result
/// mails; else the gateway's.
pub(super) fn choose(headers: &HeaderMap, account: Option<&Account>, own: Language) -> Language {
    let chosen = account.and_then(|account| account.language);
    chosen
        .or_else(|| asked_for(headers))
        .or_else(|| account.and_then(of_account))
        .unwrap_or(own)
}

fn of_account(account: &Account) -> Option<Language> {
    match account.result_mail.format {
        ResultFormat::HtmlEn | ResultFormat::TextEn => Some(Language::En),
        ResultFormat::HtmlJa | ResultFormat::TextJa => Some(Language::Ja),
        ResultFormat::Csv | ResultFormat::Xml => None,
    }
}

/// The one of our languages with the highest weight in `Accept-Language` (RFC 9110 section 12.5.4).
fn asked_for(headers: &HeaderMap) -> Option<Language> {
    let text = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let mut best: Option<(f32, Language)> = None;
    for range in text.split(',') {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let primary = tag.trim().split('-').next().unwrap_or_default();
        let language = match primary.to_ascii_lowercase().as_str() {
            "en" => Language::En,
            "ja" => Language::Ja,
            _ => continue,
        };
        let weight = parameters.trim().strip_prefix("q=");
        let weight = weight.map_or(1.0, |q| q.trim().parse().unwrap_or(0.0));
        if weight > best.map_or(0.0, |(weight, _)| weight) {
            best = Some((weight, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_s_own_weights_decide() {
        for (text, expected) in [
            ("en", Some(Language::En)),
            ("ja-JP,ja;q=0.9,en;q=0.8", Some(Language::Ja)),
            ("fr, en;q=0.3, ja;q=0.5", Some(Language::Ja)),
            ("EN-us;q=0.9, ja;q=0.9", Some(Language::En)),
            ("fr", None),
            ("ja;q=0", None),
            ("ja;q=x", None),
            ("*", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, text.parse().unwrap());
            assert_eq!(asked_for(&headers), expected, "{text}");
        }
        assert_eq!(choose(&HeaderMap::new(), None, Language::Ja), Language::Ja);
    }
}
