//! What `explain` says of a mail: the judgement in words.

use crate::account::credential;
use crate::account::credential::Current;
use crate::authenticate::Standing;
use crate::authenticate::judge;
use crate::authenticate::judge::Judgement;
use crate::authenticate::judge::Selected;
use crate::lock::Locks;
use crate::refusal::Malformed;
use crate::refusal::Refusal;
use crate::smtp::Proof;
use crate::smtp::TrustTier;
use crate::submission::PasswordFound;
use crate::submission::Recipient;
use crate::submission::Submission;
use crate::time::Timestamp;

const INITIAL: &str =
    "refused and not counted: the password is an initial one, to be replaced in the account web";
const NO_SUCH_LIST: &str = "refused: the account has no such list";

/// What would be decided, and what became of the password; `current` is the one in force.
pub(super) fn verdict(
    selected: &Selected,
    (locks, current): (&Locks, Option<&Current>),
    recipients: &[Recipient],
    submission: &Submission,
    now: Timestamp,
) -> (String, &'static str) {
    let account = &selected.account;
    let no_list = judge::has_nothing_but_unknown_lists(account, recipients);
    let found = found(submission, account.password_in_body);
    let stands = |standing, found| match no_list {
        true => (NO_SUCH_LIST.to_owned(), found),
        false => (accepted(standing).to_owned(), found),
    };
    match judge::judge(selected, locks, recipients, &submission.password, now) {
        Judgement::Check(password, standing) => {
            let right = current.filter(|one| credential::is_right(&one.hash, password));
            match right {
                Some(initial) if initial.initial => (INITIAL.to_owned(), "found, right"),
                Some(_) => stands(standing, "found, right"),
                None => (wrong(selected.tier).to_owned(), "found, wrong"),
            }
        }
        Judgement::Refused(_, reason) => (format!("refused: {reason}"), found),
        Judgement::Stands(standing) => stands(standing, found),
    }
}

fn found(submission: &Submission, asked_for: bool) -> &'static str {
    match (&submission.password, asked_for) {
        (PasswordFound::None, true) => "not found, but asked for",
        (PasswordFound::None, false) => "not found, not asked for",
        (PasswordFound::Contradicting, _) => "found several that differ",
        (PasswordFound::One(_), true) => "found",
        (PasswordFound::One(_), false) => "found and removed, not asked for",
    }
}

fn accepted(standing: Standing) -> &'static str {
    match standing {
        Standing::LockedUnproved => {
            "accepted, and all of it ends with 6002 because the account is locked"
        }
        Standing::ListsLocked(_) => "accepted; lists end with 6002 because the account is locked",
        Standing::Proved(Proof::Password) => "accepted with its password",
        Standing::Proved(Proof::SmtpAuth | Proof::WebSession) => "accepted by its login",
        Standing::Proved(Proof::SenderAddress | Proof::None) => "accepted by its sender address",
    }
}

fn wrong(tier: TrustTier) -> &'static str {
    match tier {
        TrustTier::Undecided => "refused; not counted, because DNS gave no answer",
        TrustTier::Proven | TrustTier::Unverified | TrustTier::Forged => {
            "refused, and counted as a wrong password"
        }
    }
}

/// A refusal in words, for the operator: the doors say less.
pub(super) fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::AutomaticMail => {
            "no person wrote it: null reverse-path or Auto-Submitted".to_owned()
        }
        Refusal::Busy => "too many password checks are waiting".to_owned(),
        Refusal::Forged => "550 5.7.26: its sender is forged".to_owned(),
        Refusal::Malformed(Malformed::Charset) => {
            "a charset that hides text, such as UTF-7".to_owned()
        }
        Refusal::Malformed(Malformed::Empty) => "there is nothing to fax in it".to_owned(),
        Refusal::Malformed(Malformed::HeaderTooLong) => {
            "its header is longer than [smtp] max_header".to_owned()
        }
        Refusal::Malformed(Malformed::NoHeader) => "it has no header".to_owned(),
        Refusal::Malformed(Malformed::TooDeep) => "its parts are nested too deeply".to_owned(),
        Refusal::Malformed(Malformed::TooManyParts) => {
            "it has more parts than [smtp] max_parts".to_owned()
        }
        Refusal::NoSuchList => "the account has no such list".to_owned(),
        Refusal::TooMany => "the account has sent too much in a minute".to_owned(),
        Refusal::NotAuthenticated => "the sender is not proved".to_owned(),
        Refusal::Number(error) => error.to_string(),
        Refusal::Storage => "the storage is not available".to_owned(),
        Refusal::Undecided => "451 4.4.3: DNS gave no answer about its sender".to_owned(),
        Refusal::UnknownOption(option) => format!("the subject option {option} is not understood"),
    }
}
