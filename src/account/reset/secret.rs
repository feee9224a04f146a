//! What the mail of a reset carries, which is kept nowhere.
//!
//! It is derived from a random number in storage under the installation key, which is kept outside, when the row is
//! written and again when the mail is.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::account::lockout::InstallationKey;
use crate::account::policy;
use crate::account::reset;
use crate::config::Account;
use crate::config::Policy;
use crate::secret::Secret;
use crate::storage::resets::ResetRow;
use crate::time::Timestamp;

/// Letters and digits that nobody takes for each other.
const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Characters of a temporary password: 59 bits, guessed at a login page that locks.
const CHARACTERS: usize = 12;
/// How often another one is derived because the policy refuses it; one in thirty lacks a digit.
const MOST_DERIVED: u32 = 64;

/// What the mail of `reset` carries: the token of a link, or a temporary password.
pub fn of(key: &InstallationKey, account: &Account, reset: &ResetRow) -> Secret {
    carried(
        key,
        account,
        (&reset.nonce, reset.asked_at),
        reset.temporary,
    )
}

/// What a mail carries that is derived from `nonce` of a reset that was asked for at that time.
pub(super) fn carried(
    key: &InstallationKey,
    account: &Account,
    (nonce, asked_at): (&[u8; 32], Timestamp),
    temporary: bool,
) -> Secret {
    match temporary {
        true => temporary_password(key, account, nonce, reset::policy(account, asked_at)),
        false => {
            let bits = key.reset("link", [account.id.as_bytes(), &nonce[..]]);
            Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bits))
        }
    }
}

/// Whether `text` has the form of a token: others need no look into storage.
pub(super) fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() == 43 && text.bytes().all(fits)
}

/// Names what a mail carries. Keyed: a temporary password could be found from a plain hash.
pub(super) fn name(
    key: &InstallationKey,
    account: &str,
    temporary: bool,
    carried: &Secret,
) -> [u8; 32] {
    let carried = carried.expose().as_bytes();
    match temporary {
        // Of two accounts with the same one each has its own name.
        true => key.reset("temporary-name", [account.as_bytes(), carried]),
        false => key.reset("link-name", [carried]),
    }
}

/// Letters and digits that fit the policy of new passwords.
fn temporary_password(
    key: &InstallationKey,
    account: &Account,
    nonce: &[u8; 32],
    rule: &Policy,
) -> Secret {
    let length = CHARACTERS.max(rule.min_length).min(rule.max_length);
    let mut found = Secret::new(String::new());
    for round in 0..MOST_DERIVED {
        found = derived(key, account, nonce, round, length);
        if policy::check(rule, Some(&account.login_id), found.expose()).is_empty() {
            break;
        }
    }
    found
}

fn derived(
    key: &InstallationKey,
    account: &Account,
    nonce: &[u8; 32],
    round: u32,
    length: usize,
) -> Secret {
    let round = round.to_le_bytes();
    let block = |n: u32| {
        let pieces = [account.id.as_bytes(), nonce, &round, &n.to_le_bytes()];
        key.reset("temporary", pieces)
    };
    let letters = LETTERS.len();
    let bytes = (0..).flat_map(block);
    // What is left of 256 after whole rounds of letters would make some more likely than others.
    let even = bytes
        .map(usize::from)
        .filter(|b| *b < 256 / letters * letters);
    let chosen = even.filter_map(|b| LETTERS.get(b % letters));
    Secret::new(chosen.take(length).map(|b| char::from(*b)).collect())
}
