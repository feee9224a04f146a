//! Calls that were going on when their process ended (promise P3): none is dialled again before it is known
//! what came of it.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::dispatch::Dispatcher;
use crate::dispatch::Stop;
use crate::storage::StorageError;
use crate::storage::jobs;
use crate::storage::jobs::Dialled;
use crate::transmit::Resolution;

impl Dispatcher {
    /// Resolves calls: with the transport if it can tell, as `outcome unknown` if it cannot. What goes on
    /// elsewhere keeps its place (one call to a number, so many of an account) and is asked about again. All at
    /// once: a transport that takes its time keeps nobody else waiting. What remains is resolved the next time.
    pub async fn resolve(self: &Arc<Self>, calls: Vec<Dialled>) {
        let mut asked = JoinSet::new();
        for call in calls {
            // Somebody may have begun with it meanwhile.
            if self.at_work.has(call.claim.job) {
                continue;
            }
            let this = Arc::clone(self);
            asked.spawn(async move { this.resolve_one(call).await });
        }
        while let Some(resolved) = asked.join_next().await {
            if let Ok(Err(error)) = resolved {
                tracing::error!(%error, "an interrupted call is not resolved yet");
            }
        }
    }

    async fn resolve_one(&self, call: Dialled) -> Result<(), StorageError> {
        let Dialled { claim, started_at } = call;
        let outcome = match self.transport.resolve(claim.job, claim.attempt).await {
            Resolution::Ended(outcome) => outcome,
            Resolution::GoesOn => return Ok(()),
            Resolution::NeverDialled => {
                let forgotten = self.store.write(move |tx| jobs::forget_claim(tx, &claim));
                return forgotten.await;
            }
            Resolution::Unknown => Self::interrupted(started_at),
        };
        let job = claim.job;
        if let Err(Stop::Trouble(error)) = self.settle_call(&claim, outcome, None).await {
            tracing::error!(error, job, "an interrupted call is not resolved yet");
        }
        Ok(())
    }
}
