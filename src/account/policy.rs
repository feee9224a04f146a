//! The rule for a new password (row I9): all that is wrong with one, in sentences.

use thiserror::Error;

use crate::config::Language;
use crate::config::Policy;

/// One reason why a new password is refused. Says nothing of the password itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyBreach {
    /// Fewer characters than the policy asks for.
    #[error("The password needs at least {least} characters.")]
    TooShort {
        /// The fewest.
        least: usize,
    },
    /// More characters than the policy allows.
    #[error("The password may have at most {most} characters.")]
    TooLong {
        /// The most.
        most: usize,
    },
    /// No letter.
    #[error("The password needs at least one letter.")]
    NoLetter,
    /// No lower-case letter.
    #[error("The password needs at least one lower-case letter (a-z).")]
    NoLower,
    /// No upper-case letter.
    #[error("The password needs at least one upper-case letter (A-Z).")]
    NoUpper,
    /// No digit.
    #[error("The password needs at least one digit.")]
    NoDigit,
    /// The first character is no letter.
    #[error("The password must begin with a letter.")]
    FirstNoLetter,
    /// A character that is neither a letter nor a digit nor one of the allowed symbols.
    #[error("{}", symbols_sentence(.allowed))]
    OtherSymbol {
        /// The allowed symbols.
        allowed: String,
    },
    /// A control character: nobody can type it twice.
    #[error("The password has a character that cannot be typed.")]
    NotPrintable,
    /// The login ID itself.
    #[error("The password must not be the login ID.")]
    IsLoginId,
    /// One of the blocked words.
    #[error("The password is one of those that everybody tries first.")]
    TooCommon,
}

impl PolicyBreach {
    /// The reason as a sentence.
    pub fn told(&self, language: Language) -> String {
        match language {
            Language::En => self.to_string(),
            Language::Ja => self.in_japanese(),
        }
    }

    fn in_japanese(&self) -> String {
        match self {
            Self::TooShort { least } => format!("パスワードは{least}文字以上で入力してください。"),
            Self::TooLong { most } => format!("パスワードは{most}文字以内で入力してください。"),
            Self::NoLetter => "英字を1文字以上含めてください。".to_owned(),
            Self::NoLower => "英小文字(a-z)を1文字以上含めてください。".to_owned(),
            Self::NoUpper => "英大文字(A-Z)を1文字以上含めてください。".to_owned(),
            Self::NoDigit => "数字を1文字以上含めてください。".to_owned(),
            Self::FirstNoLetter => "先頭の文字は英字にしてください。".to_owned(),
            Self::OtherSymbol { allowed } if allowed.is_empty() => {
                "半角の英字と数字だけを使用してください。記号は使用できません。".to_owned()
            }
            Self::OtherSymbol { allowed } => {
                let symbols = spaced(allowed);
                format!("半角の英字と数字、および次の記号だけを使用してください。 {symbols}")
            }
            Self::NotPrintable => "入力できない文字が含まれています。".to_owned(),
            Self::IsLoginId => "ログインIDと同じパスワードは使用できません。".to_owned(),
            Self::TooCommon => {
                "推測されやすいパスワードのため使用できません。別のパスワードにしてください。"
                    .to_owned()
            }
        }
    }
}

/// Everything that is wrong with `password` as a new one under `policy`; empty if nothing is.
/// `login_id` is that of the account, where one is known.
pub fn check(policy: &Policy, login_id: Option<&str>, password: &str) -> Vec<PolicyBreach> {
    let length = password.chars().count();
    let folded = password.to_lowercase();
    let is_login_id = login_id.is_some_and(|id| !id.is_empty() && id.to_lowercase() == folded);
    let breaches = [
        (length < policy.min_length).then_some(PolicyBreach::TooShort {
            least: policy.min_length,
        }),
        (length > policy.max_length).then_some(PolicyBreach::TooLong {
            most: policy.max_length,
        }),
        (policy.needs_letter && !password.chars().any(char::is_alphabetic))
            .then_some(PolicyBreach::NoLetter),
        (policy.needs_lower && !password.chars().any(|c| c.is_ascii_lowercase()))
            .then_some(PolicyBreach::NoLower),
        (policy.needs_upper && !password.chars().any(|c| c.is_ascii_uppercase()))
            .then_some(PolicyBreach::NoUpper),
        (policy.needs_digit && !password.chars().any(|c| c.is_ascii_digit()))
            .then_some(PolicyBreach::NoDigit),
        (policy.first_is_letter && !password.starts_with(|c: char| c.is_ascii_alphabetic()))
            .then_some(PolicyBreach::FirstNoLetter),
        other_symbol(policy, password),
        is_login_id.then_some(PolicyBreach::IsLoginId),
        policy
            .blocked
            .contains(&folded)
            .then_some(PolicyBreach::TooCommon),
    ];
    breaches.into_iter().flatten().collect()
}

/// What `policy` asks for, as the reasons that a password would be refused for: to be shown before one is typed.
pub fn rules(policy: &Policy) -> Vec<PolicyBreach> {
    let symbols = policy.symbols.clone();
    let all = [
        Some(PolicyBreach::TooShort {
            least: policy.min_length,
        }),
        Some(PolicyBreach::TooLong {
            most: policy.max_length,
        }),
        policy.needs_letter.then_some(PolicyBreach::NoLetter),
        policy.needs_lower.then_some(PolicyBreach::NoLower),
        policy.needs_upper.then_some(PolicyBreach::NoUpper),
        policy.needs_digit.then_some(PolicyBreach::NoDigit),
        policy
            .first_is_letter
            .then_some(PolicyBreach::FirstNoLetter),
        symbols.map(|allowed| PolicyBreach::OtherSymbol { allowed }),
    ];
    all.into_iter().flatten().collect()
}

/// Where symbols are limited, letters and digits are those of ASCII: what every device can type.
fn other_symbol(policy: &Policy, password: &str) -> Option<PolicyBreach> {
    if password.chars().any(char::is_control) {
        return Some(PolicyBreach::NotPrintable);
    }
    let allowed = policy.symbols.as_ref()?;
    let fits = |c: char| c.is_ascii_alphanumeric() || allowed.contains(c);
    (!password.chars().all(fits)).then(|| PolicyBreach::OtherSymbol {
        allowed: allowed.clone(),
    })
}

fn symbols_sentence(allowed: &str) -> String {
    if allowed.is_empty() {
        return "The password may have letters (a-z, A-Z) and digits only.".into();
    }
    format!(
        "Beside letters (a-z, A-Z) and digits only these symbols are allowed: {}",
        spaced(allowed)
    )
}

fn spaced(symbols: &str) -> String {
    let symbols: Vec<String> = symbols.chars().map(String::from).collect();
    symbols.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CredentialKind;
    use crate::config::Profile;

    fn of_kind(profile: &str, kind: CredentialKind, password: &str) -> Vec<PolicyBreach> {
        let profile = Profile::built_in(profile).unwrap();
        check(profile.policy(kind), Some("Tanaka2026"), password)
    }

    fn breaches(profile: &str, password: &str) -> Vec<PolicyBreach> {
        of_kind(profile, CredentialKind::Password, password)
    }

    #[test]
    fn i9_has_seven_to_sixteen_characters_with_a_letter_and_a_digit() {
        for good in ["fax4you", "Kaki8!@#$%", "a123456789012345", "1234567a"] {
            assert_eq!(breaches("interfax", good), [], "{good}");
        }
        assert_eq!(
            breaches("interfax", "kaki8a"),
            [PolicyBreach::TooShort { least: 7 }]
        );
        assert_eq!(
            breaches("interfax", "a1234567890123456"),
            [PolicyBreach::TooLong { most: 16 }]
        );
        assert_eq!(breaches("interfax", "kakikukeko"), [PolicyBreach::NoDigit]);
        assert_eq!(breaches("interfax", "8213400917"), [PolicyBreach::NoLetter]);
    }

    #[test]
    fn i9_allows_five_symbols_and_no_others() {
        let allowed = "!@#$%".to_owned();
        for bad in [
            "kaki 8kaki",
            "kaki8^kaki",
            "kaki8&",
            "kaki8あいう",
            "ｋａｋｉ８kaki8",
        ] {
            let breach = PolicyBreach::OtherSymbol {
                allowed: allowed.clone(),
            };
            assert!(breaches("interfax", bad).contains(&breach), "{bad}");
        }
    }

    #[test]
    fn i9_refuses_the_user_id_and_common_words_in_any_case() {
        assert_eq!(
            breaches("interfax", "tanaka2026"),
            [PolicyBreach::IsLoginId]
        );
        assert_eq!(breaches("interfax", "PassWord1"), [PolicyBreach::TooCommon]);
    }

    #[test]
    fn all_reasons_are_given_at_once() {
        assert_eq!(
            breaches("interfax", "?"),
            [
                PolicyBreach::TooShort { least: 7 },
                PolicyBreach::NoLetter,
                PolicyBreach::NoDigit,
                PolicyBreach::OtherSymbol {
                    allowed: "!@#$%".into()
                },
            ]
        );
    }

    #[test]
    fn the_standard_profile_takes_any_long_phrase_that_is_not_well_known() {
        for good in [
            "a phrase of words",
            "ながいながいあいことばです",
            "82134009177712",
        ] {
            assert_eq!(breaches("standard", good), [], "{good}");
        }
        assert_eq!(breaches("standard", &"x".repeat(128)), []);
        assert_eq!(
            breaches("standard", &"x".repeat(129)),
            [PolicyBreach::TooLong { most: 128 }]
        );
        assert_eq!(
            breaches("standard", "Password1234"),
            [PolicyBreach::TooCommon]
        );
        assert_eq!(
            breaches("standard", "tab\tin the middle"),
            [PolicyBreach::NotPrintable]
        );
    }

    #[test]
    fn t6_takes_eight_to_thirty_two_letters_and_digits() {
        for good in ["kaki8sam", &"a1".repeat(16)] {
            assert_eq!(breaches("twx21", good), [], "{good}");
        }
        let none = PolicyBreach::OtherSymbol {
            allowed: String::new(),
        };
        assert_eq!(breaches("twx21", "kaki8sam!"), [none]);
        assert_eq!(
            breaches("twx21", "kaki8sa"),
            [PolicyBreach::TooShort { least: 8 }]
        );
        let long = "a1".repeat(16) + "b";
        assert_eq!(
            breaches("twx21", &long),
            [PolicyBreach::TooLong { most: 32 }]
        );
    }

    #[test]
    fn r3_r4_ask_for_both_cases_and_a_digit_and_an_ftp_password_begins_with_a_letter() {
        let mail = |password| of_kind("rimnet", CredentialKind::MailPassword, password);
        let ftp = |password| of_kind("rimnet", CredentialKind::FtpPassword, password);
        assert_eq!(mail("8Kakis"), []);
        assert_eq!(ftp("8Kakis"), [PolicyBreach::FirstNoLetter]);
        assert_eq!(ftp("Kakis8"), []);
        assert_eq!(mail("8kakis"), [PolicyBreach::NoUpper]);
        assert_eq!(mail("8KAKIS"), [PolicyBreach::NoLower]);
        assert_eq!(mail("sKakis"), [PolicyBreach::NoDigit]);
    }

    #[test]
    fn what_a_policy_asks_for_is_what_an_unfit_password_breaks() {
        let profile = Profile::built_in("rimnet").unwrap();
        let policy = profile.policy(CredentialKind::FtpPassword);
        let asked = rules(policy);
        for breach in check(policy, None, "?") {
            assert!(asked.contains(&breach), "{breach:?}");
        }
        assert_eq!(asked.len(), 7);
    }

    #[test]
    fn every_reason_has_a_sentence_of_its_own_in_both_languages() {
        let mut all = breaches("interfax", "?");
        all.extend(breaches("twx21", "?".repeat(40).as_str()));
        all.extend(of_kind("rimnet", CredentialKind::FtpPassword, ""));
        all.extend(breaches("standard", "tab\tin the middle"));
        all.extend(breaches("interfax", "PassWord1"));
        all.extend(breaches("interfax", "tanaka2026"));
        for breach in all {
            let (en, ja) = (breach.told(Language::En), breach.told(Language::Ja));
            assert!(en.is_ascii() && !ja.is_ascii(), "{breach:?}");
        }
    }

    #[test]
    fn every_reason_is_a_sentence_without_the_password() {
        let shown: Vec<String> = breaches("interfax", "?é?é?é?é?é?é?é?é?é")
            .iter()
            .map(PolicyBreach::to_string)
            .collect();
        assert_eq!(
            shown,
            [
                "The password may have at most 16 characters.",
                "The password needs at least one digit.",
                "Beside letters (a-z, A-Z) and digits only these symbols are allowed: ! @ # $ %",
            ]
        );
    }
}
