//! Why a mail was refused, in words for people, and what its sender or the operator can do about it.

use crate::config::Language;

/// One result of verification (RFC 8601).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// `spf`, `dkim`, `dmarc`, …
    pub(super) method: String,
    /// `pass`, `fail`, …
    pub(super) result: String,
    /// Whom it is about, such as `smtp.mailfrom=tanaka@customer.example`.
    pub(super) about: String,
}

/// A reason: as it is stored, then the reason and what helps in both languages.
struct Reason {
    stored: &'static str,
    en: (&'static str, &'static str),
    ja: (&'static str, &'static str),
}

const fn reason_of(
    stored: &'static str,
    en: (&'static str, &'static str),
    ja: (&'static str, &'static str),
) -> Reason {
    Reason { stored, en, ja }
}

const REASONS: [Reason; 21] = [
    reason_of(
        "no account has this sender",
        (
            "No account has this sender address.",
            "Send from a registered address, or add this one to `senders` of the account.",
        ),
        (
            "この送信元アドレスはどのアカウントにも登録されていません。",
            "登録済みのアドレスから送信するか、アカウントの送信元（senders）に追加してください。",
        ),
    ),
    reason_of(
        "the password is wrong",
        (
            "The password in the mail is wrong. It was counted.",
            "Check the password line of the mail or of the program that makes it; after a change every sender needs the new one.",
        ),
        (
            "メール本文のパスワードが正しくありません（回数に数えました）。",
            "本文または送信プログラムのパスワード行を確認してください。変更後はすべての送信元で新しいパスワードが必要です。",
        ),
    ),
    reason_of(
        "the password is wrong; not counted, because DNS gave no answer",
        (
            "The password in the mail is wrong. It was not counted, because DNS did not say whether the mail is forged.",
            "Check the password line of the mail, and the name servers of the sender's domain.",
        ),
        (
            "メール本文のパスワードが正しくありません。DNSの応答がなく送信者を検証できないため、回数には数えていません。",
            "本文のパスワード行と、送信元ドメインのネームサーバーを確認してください。",
        ),
    ),
    reason_of(
        "the same mail was counted before, or the account is locked",
        (
            "The same mail with the wrong password came again, or the account is locked.",
            "See the locks; the sender must correct the mail rather than send it again.",
        ),
        (
            "誤ったパスワードの同じメールが再度届いたか、アカウントがロックされています。",
            "ロックの状態を確認してください。送信者は再送ではなく、メールを修正する必要があります。",
        ),
    ),
    reason_of(
        "the account is locked",
        (
            "The account is locked.",
            "See the locks for the door and the address that caused it. Nothing was counted; the mail must be sent again afterwards.",
        ),
        (
            "アカウントがロックされています。",
            "ロックのページで原因の入口と接続元を確認してください。回数には数えていません。解除後に再送が必要です。",
        ),
    ),
    reason_of(
        "the mail has no password",
        (
            "The account needs a password in the mail, and there is none.",
            "Write the password line among the first lines of the text. A mail program may have put it into an attachment or behind a long quotation.",
        ),
        (
            "このアカウントは本文にパスワードが必要ですが、見つかりません。",
            "本文の先頭付近にパスワード行を記入してください。添付ファイルや長い引用の後ろに入っている場合があります。",
        ),
    ),
    reason_of(
        "the mail has passwords that differ",
        (
            "The mail has several passwords, and they differ.",
            "Leave one password line only; the plain text and the HTML part must have the same.",
        ),
        (
            "メールに異なるパスワードが複数含まれています。",
            "パスワード行を1つにしてください。テキスト部分とHTML部分は同じ内容にする必要があります。",
        ),
    ),
    reason_of(
        "the sender is forged",
        (
            "The sender's domain says that the mail is not from there.",
            "Nothing was counted, and the password was not looked at. If the mail is real, the sender's admin must correct the domain's mail settings:",
        ),
        (
            "送信元ドメインの公開情報によると、このメールはなりすましです。",
            "パスワードは確認しておらず、回数にも数えていません。正当なメールの場合は、送信元ドメインの管理者による設定の修正が必要です。",
        ),
    ),
    reason_of(
        "the account takes only senders that are proved",
        (
            "The account takes only senders that are proven (require_verified), and this one is not.",
            "The sender's admin publishes SPF for the sending server or signs with DKIM for the domain in From; or the mail comes by SMTP login.",
        ),
        (
            "このアカウントは検証済みの送信者のみ受け付けます（require_verified）が、検証できませんでした。",
            "送信元の管理者がSPFの公開またはFromドメインのDKIM署名を行うか、SMTP認証で送信してください。",
        ),
    ),
    reason_of(
        "DNS gave no answer",
        (
            "DNS did not say whether the mail is forged. The sender's server tries again by itself.",
            "If it happens often, check the name servers of the sender's domain and the gateway's own resolver.",
        ),
        (
            "DNSの応答がなく、なりすましかどうか判定できませんでした。送信元サーバーが自動的に再送します。",
            "頻発する場合は、送信元ドメインのネームサーバーと、このゲートウェイのリゾルバーを確認してください。",
        ),
    ),
    reason_of(
        "no person wrote the mail",
        (
            "The mail says that no person wrote it: an automatic answer, or a notice of a server.",
            "Programs that send faxes must not set Auto-Submitted or Precedence, and need a real reverse-path.",
        ),
        (
            "自動応答またはサーバーの通知であり、人が書いたメールではありません。",
            "FAXを送るプログラムでは Auto-Submitted や Precedence を付けず、実在する送信元を指定してください。",
        ),
    ),
    reason_of(
        "too many passwords wait to be checked",
        (
            "Too many passwords waited to be checked. The sender's server tries again by itself.",
            "Nothing was counted. If it happens often, somebody may be guessing: see the locks.",
        ),
        (
            "パスワードの確認が混み合っていました。送信元サーバーが自動的に再送します。",
            "回数には数えていません。頻発する場合は、総当たりの可能性があります。ロックのページを確認してください。",
        ),
    ),
    reason_of(
        "the message cannot be read, or there is nothing to send",
        (
            "The mail cannot be read, or there is nothing in it to send.",
            "Send it again with a text or a document that can be faxed.",
        ),
        (
            "メールを解析できないか、送信する内容がありません。",
            "本文または送信可能な文書を付けて送り直してください。",
        ),
    ),
    reason_of(
        "there is no such list",
        (
            "The account has no list of this name.",
            "Compare the local part of the address with the lists of the account.",
        ),
        (
            "この名前のリストはありません。",
            "あて先の@より前の部分と、アカウントのリスト名を確認してください。",
        ),
    ),
    reason_of(
        "the number cannot be understood",
        (
            "The fax number cannot be understood.",
            "Write it in digits, in national form or with + and the country code.",
        ),
        (
            "FAX番号の形式が正しくありません。",
            "市外局番から、または+と国番号から始まる数字で入力してください。",
        ),
    ),
    reason_of(
        "storage did not answer",
        (
            "The gateway could not store the mail. The sender's server tries again by itself.",
            "See the overview: the database or the disk needs attention.",
        ),
        (
            "ゲートウェイがメールを保存できませんでした。送信元サーバーが自動的に再送します。",
            "概要ページでデータベースとディスクの状態を確認してください。",
        ),
    ),
    reason_of(
        "the account has sent too much in a minute",
        (
            "The account has sent too many mails in a minute. The sender's server tries again by itself.",
            "Send more slowly, as a list, or raise max_messages_per_minute.",
        ),
        (
            "1分間の送信数の上限を超えました。送信元サーバーが自動的に再送します。",
            "送信の間隔をあけるか、リスト送信を利用するか、max_messages_per_minute を変更してください。",
        ),
    ),
    reason_of(
        "the subject has an option nobody knows",
        (
            "The subject has an option that nobody knows.",
            "Remove or correct the word that begins with / in the subject.",
        ),
        (
            "件名に不明なオプションがあります。",
            "件名の「/」で始まる語を修正または削除してください。",
        ),
    ),
    reason_of(
        "the password is an initial one, to be replaced in the account web first",
        (
            "The password is an initial one, which must be replaced first.",
            "The user logs in at the account web and chooses an own password.",
        ),
        (
            "初期パスワードのままのため利用できません。",
            "ご本人がアカウントサイトにログインし、パスワードを変更する必要があります。",
        ),
    ),
    reason_of(
        "the sender is not proved",
        (
            "Nothing proved who sent the mail.",
            "Send from a registered address, and with the password if the account asks for one.",
        ),
        (
            "送信者を確認できませんでした。",
            "登録済みのアドレスから、必要な場合はパスワードを付けて送信してください。",
        ),
    ),
    reason_of(
        "",
        (
            "No reason is recorded.",
            "The log of the gateway at this time may say more.",
        ),
        (
            "理由は記録されていません。",
            "該当時刻のゲートウェイのログを確認してください。",
        ),
    ),
];

/// The reason in words; a new one shows as it is stored.
pub(super) fn reason(stored: &str, language: Language) -> &str {
    match (find(stored), language) {
        (Some(found), Language::En) => found.en.0,
        (Some(found), Language::Ja) => found.ja.0,
        (None, Language::En | Language::Ja) => stored,
    }
}

/// What helps, one sentence each; of a forged mail also which of the domain's settings failed.
pub(super) fn advice(
    stored: &str,
    findings: &[Finding],
    peer: &str,
    language: Language,
) -> Vec<String> {
    let first = find(stored).map(|found| match language {
        Language::En => found.en.1.to_owned(),
        Language::Ja => found.ja.1.to_owned(),
    });
    let mut all: Vec<String> = first.into_iter().collect();
    if stored == "the sender is forged" {
        let failed = findings.iter().filter(|finding| finding.result != "pass");
        all.extend(failed.filter_map(|finding| settings(finding, peer, language)));
    }
    all
}

/// What the sender's admin does about a result.
fn settings(finding: &Finding, peer: &str, language: Language) -> Option<String> {
    let Finding { method, result, .. } = finding;
    Some(match (method.as_str(), language) {
        ("spf", Language::En) => format!(
            "SPF ({result}): add the server {peer} to the SPF record of the domain, or send by the domain's own server."
        ),
        ("spf", Language::Ja) => format!(
            "SPF（{result}）：送信サーバー {peer} をドメインのSPFレコードに追加するか、ドメインの正規サーバーから送信してください。"
        ),
        ("dkim", Language::En) => format!(
            "DKIM ({result}): sign with a key of the domain in From, and let nothing on the way change the mail."
        ),
        ("dkim", Language::Ja) => format!(
            "DKIM（{result}）：Fromと同じドメインの鍵で署名し、経路でメールが変更されないようにしてください。"
        ),
        ("dmarc", Language::En) => {
            format!("DMARC ({result}): SPF or DKIM must pass for the very domain in From.")
        }
        ("dmarc", Language::Ja) => format!(
            "DMARC（{result}）：Fromと同じドメインでSPFまたはDKIMに合格する必要があります。"
        ),
        _ => return None,
    })
}

/// The results in the value of an Authentication-Results field.
pub(super) fn findings(results: &str) -> Vec<Finding> {
    let finding = |part: &str| {
        let (method, rest) = part.trim().split_once('=')?;
        let end = rest.find([' ', '(']).unwrap_or(rest.len());
        let (result, about) = rest.split_at_checked(end)?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        method.chars().all(is_word).then(|| Finding {
            method: method.to_owned(),
            result: result.to_owned(),
            about: about.trim().to_owned(),
        })
    };
    results.split(';').skip(1).filter_map(finding).collect()
}

fn find(stored: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|reason| reason.stored == stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_verification_are_taken_apart() {
        let found = findings(
            "fax.example; spf=fail smtp.mailfrom=a@x.example; dkim=none; dmarc=fail (p=REJECT) header.from=x.example",
        );
        let told: Vec<_> = found
            .iter()
            .map(|f| (f.method.as_str(), f.result.as_str(), f.about.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("spf", "fail", "smtp.mailfrom=a@x.example"),
                ("dkim", "none", ""),
                ("dmarc", "fail", "(p=REJECT) header.from=x.example"),
            ]
        );
        for nothing in ["", "fax.example", "fax.example; none", ";;="] {
            let found = findings(nothing);
            assert!(
                found.iter().all(|f| f.result.is_empty()),
                "{nothing}: {found:?}"
            );
        }
    }

    #[test]
    fn a_forged_mail_names_the_settings_that_failed_in_both_languages() {
        let found = findings("h; spf=fail smtp.mailfrom=a@x.example; dkim=pass; dmarc=fail");
        for (language, words) in [(Language::En, "SPF record"), (Language::Ja, "SPFレコード")] {
            let told = advice("the sender is forged", &found, "192.0.2.9", language);
            assert_eq!(told.len(), 3, "{told:?}");
            assert!(
                told[1].contains(words) && told[1].contains("192.0.2.9"),
                "{told:?}"
            );
            assert_eq!(
                advice("the account is locked", &found, "", language).len(),
                1
            );
        }
        assert_eq!(reason("something new", Language::Ja), "something new");
    }

    #[test]
    fn no_reason_of_the_sources_lacks_words() {
        let sources = [
            include_str!("../../intake.rs"),
            include_str!("../../authenticate.rs"),
            include_str!("../../authenticate/judge.rs"),
        ];
        let named = |line: &str| {
            let is_reason = ["=> \"", "reason: \"", "reason = \"", "refused(\"", ", \""];
            let (_, rest) = is_reason.iter().find_map(|mark| line.split_once(mark))?;
            let text = rest.split('"').next()?.to_owned();
            (text.contains(' ') && !text.contains('{')).then_some(text)
        };
        let shipped = sources.map(|text| text.split("#[cfg(test)]").next().unwrap_or_default());
        let lines = shipped.iter().flat_map(|text| text.lines());
        let code =
            lines.filter(|line| !line.trim_start().starts_with("//") && !line.contains("tracing"));
        let told: Vec<String> = code.filter_map(named).collect();
        assert!(told.len() > 15, "{told:?}");
        let lacking: Vec<&String> = told.iter().filter(|text| find(text).is_none()).collect();
        assert!(lacking.is_empty(), "{lacking:?}");
    }
}
