//! Who may export now: few at a time, and no account all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// Exports at a time; each holds some pages of rows in memory.
const MOST: usize = 16;
/// Exports of one account at a time: one that reads slowly must not keep others from theirs.
const MOST_OF_ACCOUNT: usize = 2;

/// The exports that run, by account.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, usize>>);

/// One of them; dropping it ends it.
pub(super) struct Turn {
    turns: Arc<Turns>,
    account: String,
}

impl Turns {
    /// A turn for `account`; `None` if it, or all together, have as many as they may.
    pub(super) fn take(this: &Arc<Self>, account: &str) -> Option<Turn> {
        let mut counts = this.counts();
        let own = counts.get(account).copied().unwrap_or_default();
        if own >= MOST_OF_ACCOUNT || counts.values().sum::<usize>() >= MOST {
            return None;
        }
        counts.insert(account.to_owned(), own + 1);
        Some(Turn {
            turns: Arc::clone(this),
            account: account.to_owned(),
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut counts = self.turns.counts();
        if let Some(count) = counts.get_mut(&self.account) {
            *count = count.saturating_sub(1);
        }
        counts.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_reads_slowly_leaves_turns_for_others() {
        let turns = Arc::new(Turns::default());
        let take = |account: &str| Turns::take(&turns, account);
        let (first, _second) = (take("tanaka"), take("tanaka"));
        assert!(first.is_some() && take("tanaka").is_none());
        let others: Vec<String> = (0..MOST).map(|n| n.to_string()).collect();
        let taken: Vec<Turn> = others.iter().filter_map(|account| take(account)).collect();
        assert_eq!(taken.len(), MOST - 2);
        drop(first);
        assert!(take("sato").is_some(), "a turn that ended is free");
        assert_eq!(
            turns.counts().len(),
            1 + taken.len(),
            "nobody is kept for ever"
        );
    }
}
