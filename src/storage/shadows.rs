//! Wrong logins under IDs that no account has: counted like those of accounts, so that nobody learns
//! from a lock which IDs exist (promise P7). Bounded: strangers must not fill the disk.

use crate::lock::LockRule;
use crate::lock::Strikes;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::time::Timestamp;

/// IDs that are kept at most; the oldest are forgotten.
const MOST: usize = 100_000;

/// Counts one wrong login under the ID with this keyed hash; its strikes from now on.
///
/// # Errors
/// [`StorageError`]; then nothing was counted and the door must refuse for now (promise P6).
pub fn strike(
    tx: &mut dyn Transaction,
    identity: &[u8; 32],
    rule: &LockRule,
    now: Timestamp,
) -> Result<Strikes, StorageError> {
    // One strike in 64 pays for the sweep, which walks over everything that is kept: the first byte of a keyed
    // hash is as good as a die.
    if identity[0].is_multiple_of(64) {
        let before = now.minus(rule.within.max(rule.lasts).saturating_mul(2));
        forget(tx, before, MOST)?;
    }
    let after = strikes(tx, identity)?.after_wrong_password(rule, now);
    tx.execute(
        "INSERT INTO shadow_strikes(identity, count, first_at, locked_until) VALUES(?1, ?2, ?3, ?4)
         ON CONFLICT(identity) DO UPDATE SET count = ?2, first_at = ?3, locked_until = ?4",
        &[
            identity.as_slice().into(),
            after.count.into(),
            after.first_at.into(),
            after.locked_until.into(),
        ],
    )?;
    Ok(after)
}

/// How many IDs that nobody has are answered as locked at `now`.
///
/// # Errors
/// [`StorageError`].
pub fn count_locked(tx: &mut dyn Transaction, now: Timestamp) -> Result<i64, StorageError> {
    let row = tx.first(
        "SELECT COUNT(*) FROM shadow_strikes WHERE locked_until > ?1",
        &[now.into()],
    )?;
    Ok(row.map_or(0, |row| row.integer(0)))
}

fn strikes(tx: &mut dyn Transaction, identity: &[u8; 32]) -> Result<Strikes, StorageError> {
    let row = tx.first(
        "SELECT count, first_at, locked_until FROM shadow_strikes WHERE identity = ?1",
        &[identity.as_slice().into()],
    )?;
    let strikes = row.map(|row| Strikes {
        count: u32::try_from(row.integer(0)).unwrap_or(u32::MAX),
        first_at: Timestamp::from_ms(row.integer(1)),
        locked_until: row.optional_integer(2).map(Timestamp::from_ms),
    });
    Ok(strikes.unwrap_or_default())
}

/// Removes what no longer counts, and up to a thousand beyond `most`.
fn forget(tx: &mut dyn Transaction, before: Timestamp, most: usize) -> Result<(), StorageError> {
    tx.execute(
        "DELETE FROM shadow_strikes WHERE first_at < ?1",
        &[before.into()],
    )?;
    tx.execute(
        "DELETE FROM shadow_strikes WHERE identity IN (SELECT identity FROM shadow_strikes
             ORDER BY first_at DESC LIMIT 1000 OFFSET ?1)",
        &[most.into()],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::storage::tests::scratch;

    const HOUR: Duration = Duration::from_secs(3600);
    const RULE: LockRule = LockRule {
        strikes: 3,
        within: HOUR,
        lasts: HOUR,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_ms(1_800_000_000_000).plus(Duration::from_secs(seconds))
    }

    #[tokio::test]
    async fn the_third_wrong_login_locks_an_id_that_nobody_has_for_an_hour() {
        let (_dir, store) = scratch();
        let mut locked = Vec::new();
        for seconds in [0, 1, 2, 3, 3601, 3602, 3603, 3604] {
            let after = store.write(move |tx| strike(tx, &[7; 32], &RULE, at(seconds)));
            locked.push(after.await.unwrap().is_locked(at(seconds)));
        }
        // Locked from 2 to 3602; counting begins anew behind it.
        assert_eq!(locked, [false, false, true, true, true, false, false, true]);
    }

    #[tokio::test]
    async fn the_oldest_ids_are_forgotten_beyond_the_most() {
        let (_dir, store) = scratch();
        let kept = store.write(|tx| {
            for n in 0..20 {
                strike(tx, &[n; 32], &RULE, at(u64::from(n)))?;
            }
            forget(tx, at(0), 5)?;
            tx.query("SELECT identity FROM shadow_strikes ORDER BY first_at", &[])
        });
        let kept = kept.await.unwrap();
        let first = kept.first().and_then(|row| row.optional_bytes(0));
        assert_eq!((kept.len(), first), (5, Some(vec![15; 32])));
    }
}
