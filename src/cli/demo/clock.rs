//! The clock of the demonstration: that of the machine, but nobody has to sit through what only waits.

use std::time::Duration;

use tokio::sync::watch;

use crate::time::Clock;
use crate::time::SystemClock;
use crate::time::Timestamp;
use crate::time::Wait;

/// A clock that can be put forward.
pub(super) struct DemoClock(watch::Sender<Duration>);

impl DemoClock {
    /// The machine's time.
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Duration::ZERO))
    }

    /// Puts it forward to `until`; never back.
    pub(super) fn skip_to(&self, until: Timestamp) {
        let left = until.since(self.now());
        self.0.send_modify(|skipped| *skipped += left);
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(*self.0.borrow())
    }

    fn wait_until(&self, until: Timestamp) -> Wait<'_> {
        let mut skips = self.0.subscribe();
        Box::pin(async move {
            loop {
                let left = until.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(left) => {}
                    // Its sender is in `self`, and so it does not end.
                    _ = skips.changed() => {}
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_what_is_skipped_waits_no_longer() {
        let clock = DemoClock::new();
        let until = clock.now().plus(Duration::from_secs(3600));
        let waiting = async {
            clock.wait_until(until).await;
            clock.now()
        };
        let skipping = async { clock.skip_to(until) };
        let (waited, ()) = tokio::join!(waiting, skipping);
        assert!(waited >= until);
        clock.skip_to(Timestamp::default());
        assert!(clock.now() >= until);
    }
}
