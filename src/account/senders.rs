//! Sender addresses that people add themselves. Whoever owns one may send at the account's cost, so an address
//! counts only once whoever reads its mails has given a code back.

use std::time::Duration;

use subtle::ConstantTimeEq;

use crate::account::lockout::InstallationKey;
use crate::smtp::Address;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::outbox;
use crate::storage::outbox::Kind;
use crate::storage::outbox::MailRow;
use crate::storage::senders;
use crate::time::Timestamp;

/// Codes that go out for an account in a day: they go to people who need not have asked.
pub const MOST_A_DAY: i64 = 5;
/// Most sender addresses of an account.
pub const MOST: usize = 100;
/// Wrong codes after which an address is forgotten.
const MOST_TRIES: i64 = 5;
/// How long a code counts.
const LASTS: Duration = Duration::from_secs(24 * 60 * 60);
/// Decimal digits of a code.
const DIGITS: usize = 8;

/// A code that somebody asked to be mailed.
#[derive(Clone)]
pub struct Request<'a> {
    /// For which account.
    pub account: &'a str,
    /// Where it goes.
    pub address: &'a Address,
    /// The code: random, from [`code`].
    pub code: &'a str,
    /// Host name of the Message-ID.
    pub host: &'a str,
}

/// An address that waits for its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The address.
    pub address: String,
    /// Until when the code counts.
    pub until: Timestamp,
}

/// What a code came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is the one that was mailed; the address no longer waits.
    Right,
    /// It is not.
    Wrong,
    /// No such address waits, or no longer.
    Gone,
}

/// A new code; `None` if the system has no randomness.
pub fn code() -> Option<String> {
    let number = getrandom::u64().ok()?;
    let digits = u32::try_from(DIGITS).unwrap_or_default();
    Some(format!("{:0DIGITS$}", number % 10_u64.pow(digits)))
}

/// Mails a code to an address, which waits from now on; false if the account asked too often today.
///
/// # Errors
/// [`StorageError`].
pub fn ask(
    tx: &mut dyn Transaction,
    ids: &Ids,
    key: &InstallationKey,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let (account, since) = (request.account, now.minus(LASTS));
    if senders::asked(tx, account, since)? >= MOST_A_DAY {
        return Ok(false);
    }
    let address = request.address.key();
    let code = key.sender_code(account, &address, request.code);
    senders::ask(tx, account, &address, &code, now, since)?;
    let id = ids.next(now);
    let until = now.plus(LASTS).as_ms();
    let mail = MailRow {
        id,
        kind: Kind::SenderCode,
        dedup: format!("sender-code:{account}:{id}"),
        account: account.to_owned(),
        subject_id: id,
        recipient: request.address.as_str().to_owned(),
        payload: serde_json::json!({ "code": request.code, "until": until }).to_string(),
        message_id: format!("<sender-code.{id}@{}>", request.host),
        gated: false,
        attempts: 0,
        created_at: now,
    };
    outbox::add(tx, &mail)?;
    Ok(true)
}

/// The addresses of `account` that wait for their codes.
///
/// # Errors
/// [`StorageError`].
pub fn pending(
    tx: &mut dyn Transaction,
    account: &str,
    now: Timestamp,
) -> Result<Vec<Pending>, StorageError> {
    let rows = senders::pending(tx, account, now.minus(LASTS))?;
    let rows = rows.into_iter().map(|row| Pending {
        address: row.address,
        until: row.asked_at.plus(LASTS),
    });
    Ok(rows.collect())
}

/// Judges a code that somebody typed for `address`.
///
/// # Errors
/// [`StorageError`].
pub fn answer(
    tx: &mut dyn Transaction,
    key: &InstallationKey,
    (account, address): (&str, &Address),
    typed: &str,
    now: Timestamp,
) -> Result<Answer, StorageError> {
    let address = address.key();
    let waiting = senders::pending(tx, account, now.minus(LASTS))?;
    let Some(row) = waiting.iter().find(|row| row.address == address) else {
        return Ok(Answer::Gone);
    };
    let given = key.sender_code(account, &address, typed);
    if given.ct_eq(&row.code).into() {
        senders::forget(tx, account, &address)?;
        return Ok(Answer::Right);
    }
    match row.tries + 1 >= MOST_TRIES {
        true => senders::forget(tx, account, &address)?,
        false => senders::tried(tx, account, &address)?,
    }
    Ok(Answer::Wrong)
}

/// Ends the waiting of an address.
///
/// # Errors
/// [`StorageError`].
pub fn withdraw(
    tx: &mut dyn Transaction,
    account: &str,
    address: &str,
) -> Result<(), StorageError> {
    senders::forget(tx, account, &address.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Store;
    use crate::storage::tests::scratch;

    const T0: Timestamp = Timestamp::from_ms(1_795_339_800_000);

    struct Stage {
        dir: tempfile::TempDir,
        store: Store,
    }

    impl Stage {
        fn new() -> Self {
            let (dir, store) = scratch();
            Self { dir, store }
        }

        fn key(&self) -> InstallationKey {
            InstallationKey::load_or_create(self.dir.path()).unwrap()
        }

        async fn ask(&self, account: &'static str, code: &'static str, now: Timestamp) -> bool {
            let (own, key) = (self.store.clone(), self.key());
            let asked = self.store.write(move |tx| {
                let request = Request {
                    account,
                    address: &Address::parse("New@customer.example").unwrap(),
                    code,
                    host: "gw.example",
                };
                ask(tx, own.ids(), &key, &request, now)
            });
            asked.await.unwrap()
        }

        async fn answer(
            &self,
            account: &'static str,
            code: &'static str,
            now: Timestamp,
        ) -> Answer {
            let key = self.key();
            let answered = self.store.write(move |tx| {
                let address = Address::parse("new@Customer.example").unwrap();
                answer(tx, &key, (account, &address), code, now)
            });
            answered.await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_code_counts_once_for_one_account_and_one_day() {
        let stage = Stage::new();
        assert!(stage.ask("tanaka", "12345678", T0).await);
        assert_eq!(stage.answer("suzuki", "12345678", T0).await, Answer::Gone);
        assert_eq!(stage.answer("tanaka", "12345679", T0).await, Answer::Wrong);
        let end = T0.plus(LASTS);
        assert_eq!(stage.answer("tanaka", "12345678", end).await, Answer::Gone);
        let last = Timestamp::from_ms(end.as_ms() - 1);
        assert_eq!(
            stage.answer("tanaka", "12345678", last).await,
            Answer::Right
        );
        assert_eq!(stage.answer("tanaka", "12345678", last).await, Answer::Gone);
    }

    #[tokio::test]
    async fn five_wrong_codes_end_it() {
        let stage = Stage::new();
        stage.ask("tanaka", "12345678", T0).await;
        for _ in 0..5 {
            assert_eq!(stage.answer("tanaka", "00000000", T0).await, Answer::Wrong);
        }
        assert_eq!(stage.answer("tanaka", "12345678", T0).await, Answer::Gone);
    }

    #[tokio::test]
    async fn five_codes_go_out_in_a_day_for_each_account() {
        let stage = Stage::new();
        for _ in 0..5 {
            assert!(stage.ask("tanaka", "12345678", T0).await);
        }
        assert!(!stage.ask("tanaka", "12345678", T0).await);
        assert!(stage.ask("suzuki", "12345678", T0).await);
        let last = Timestamp::from_ms(T0.plus(LASTS).as_ms() - 1);
        assert!(!stage.ask("tanaka", "12345678", last).await);
        assert!(stage.ask("tanaka", "12345678", T0.plus(LASTS)).await);
    }

    #[test]
    fn a_code_is_eight_digits() {
        let code = code().unwrap();
        assert!(code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()));
    }
}
