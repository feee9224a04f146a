//! One call of a job: what is asked of the transport, and what follows from its answer.

use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::Dispatcher;
use crate::dispatch::Stop;
use crate::dispatch::metric;
use crate::dispatch::pages;
use crate::dispatch::progress;
use crate::dispatch::progress::News;
use crate::dispatch::progress::Progress;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::FaxFile;
use crate::fax::FaxNumber;
use crate::fax::Outcome;
use crate::queue::report::Desk;
use crate::queue::schedule;
use crate::queue::schedule::Known;
use crate::queue::schedule::PastCall;
use crate::record::Log;
use crate::record::Subject;
use crate::status::Status;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::jobs;
use crate::storage::jobs::Claim;
use crate::storage::jobs::Settlement;
use crate::storage::jobs::State;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::Line;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// A job that gets no free line in this time lets others go first.
const LINE_WAIT: Duration = Duration::from_secs(15);
const LET_OTHERS_GO: Duration = Duration::from_secs(5);

/// What a settlement goes with.
pub(super) struct Written {
    pub(super) settlement: Settlement,
    /// When the job can be called for the last time, if it is called again.
    pub(super) last_try: Timestamp,
    /// What of the call is not written yet.
    pub(super) news: Option<News>,
}

impl Dispatcher {
    /// A free line to `number`. `None`: all are taken, and the job was put off for a moment, so that jobs
    /// for other lines are not kept behind it.
    pub(super) async fn line(
        &self,
        claim: &Claim,
        number: &FaxNumber,
    ) -> Result<Option<Line>, Stop> {
        let late = self.clock.now().plus(LINE_WAIT);
        tokio::select! {
            biased;
            line = self.transport.line(number) => Ok(Some(line)),
            () = self.clock.wait_until(late) => {
                let (claim, again) = (claim.clone(), late.plus(LET_OTHERS_GO));
                let since = claim.course.waiting_since;
                let put_off = self.store.write(move |tx| {
                    jobs::put_off(tx, &claim, again, "all lines are busy", since)
                });
                put_off.await?;
                Ok(None)
            }
        }
    }

    /// Makes the call, writes how far it is, and settles it.
    pub(super) async fn dial(
        &self,
        claim: &Claim,
        number: &FaxNumber,
        fax: FaxFile,
        line: Line,
    ) -> Result<(), Stop> {
        let call = self.call(claim, number, fax);
        let progress = Progress::new(Arc::clone(&self.clock), call.first_page);
        let outcome = tokio::select! {
            biased;
            outcome = self.transport.send(&call, line, &progress) => outcome,
            // Never ends.
            () = self.keep_telling(claim, &progress) => return Err(Stop::LeaseLost),
        };
        self.settle_call(claim, outcome, progress.take()).await
    }

    fn call(&self, claim: &Claim, number: &FaxNumber, fax: FaxFile) -> Call {
        let directory = self.accounts.load();
        let account = directory.by_id(&claim.account);
        let course = &claim.course;
        Call {
            job: claim.job,
            attempt: claim.attempt,
            number: number.clone(),
            calling_number: account.and_then(|a| a.calling_number.clone()),
            local_id: account
                .and_then(|a| a.station_id.clone())
                .unwrap_or_default(),
            sub_address: course.sub_address.clone(),
            // If all were confirmed and the call failed all the same, the last one goes again.
            first_page: course.confirmed.min(fax.pages.saturating_sub(1)),
            fax,
            ecm: course.step.ecm(),
            fastest: course.step.fastest(),
            ring_timeout: self.config.destinations.ring_timeout,
        }
    }

    /// Decides what follows from a call and writes it, its result mail included.
    pub(super) async fn settle_call(
        &self,
        claim: &Claim,
        outcome: Outcome,
        news: Option<News>,
    ) -> Result<(), Stop> {
        if let Outcome::NotCalled { why } = outcome {
            return self.not_called(claim, why).await;
        }
        let known = self.known(claim).await;
        let now = self.clock.now();
        let retry = &self.config.retry;
        let settlement = schedule::settle(&known, outcome, retry, now);
        metric::ended(claim, &settlement);
        let last_try = schedule::last_try(&known, &settlement, retry);
        let written = Written {
            settlement,
            last_try,
            news,
        };
        self.settle(claim, written).await
    }

    /// What the schedule needs to know. Not to be able to read it is no reason to give a job up.
    async fn known(&self, claim: &Claim) -> Known {
        let (asked, since) = (claim.clone(), self.clock.now().minus(DAY));
        let read = self.store.read(move |tx| {
            let to_number = jobs::redials(tx, &asked.destination, since)?;
            let calls = jobs::attempts(tx, asked.job)?;
            let before = calls.iter().filter(|call| call.ended_at.is_some());
            let batch = jobs::batch(tx, asked.batch)?;
            Ok(Known {
                to_number,
                before: before.map(PastCall::from).collect(),
                can_be_coarse: !asked.course.coarse && batch.is_some_and(|b| pages::are_fine(&b)),
                ..Known::default()
            })
        });
        let read = read.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the calls of a job could not be read");
            Known::default()
        });
        Known {
            attempt: claim.attempt,
            confirmed: claim.course.confirmed,
            step: claim.course.step,
            coarse: claim.course.coarse,
            ..read
        }
    }

    /// No line was in service: the dial is taken back, and the job waits with a reason that shows.
    async fn not_called(&self, claim: &Claim, why: String) -> Result<(), Stop> {
        metric::not_called();
        let now = self.clock.now();
        let since = claim.course.waiting_since.unwrap_or(now);
        let Some(again) = schedule::wait(since, now) else {
            return self.give_up_waiting(claim, why).await;
        };
        tracing::warn!(job = claim.job, why, "no line is in service for a job");
        let (store, claim, host) = (
            self.store.clone(),
            claim.clone(),
            self.config.gateway.name.clone(),
        );
        let written = self.store.write(move |tx| {
            jobs::take_back_dial(tx, &claim)?;
            if !jobs::put_off(tx, &claim, again, &why, Some(since))? {
                return Ok(());
            }
            if claim.course.waiting_since.is_none() {
                let about = Subject::job(&claim.account, claim.batch, claim.job);
                Log::new(tx, store.ids(), now).not_called(about, claim.attempt, &why)?;
            }
            let desk = Desk {
                ids: store.ids(),
                host: &host,
                now,
            };
            let waits = Settlement::end(State::Sleeping, Status::of_cause(Cause::Network), again);
            desk.delayed(tx, claim.job, &waits, since.plus(schedule::LONGEST_WAIT))
        });
        Ok(written.await?)
    }

    async fn give_up_waiting(&self, claim: &Claim, why: String) -> Result<(), Stop> {
        let now = self.clock.now();
        let taken_back = claim.clone();
        self.store
            .write(move |tx| jobs::take_back_dial(tx, &taken_back))
            .await?;
        let settlement = Settlement {
            reason: Some(format!("no line was in service for a day: {why}")),
            cause: Some(Cause::Network),
            ..Settlement::end(State::Failed, Status::of_cause(Cause::Network), now)
        };
        self.settle(claim, Written::of(settlement)).await
    }

    /// How a call ended of which nothing is known but that it was made.
    pub(super) fn interrupted(at: Timestamp) -> Outcome {
        let report = CallReport {
            started: at,
            ended: at,
            ..CallReport::default()
        };
        Outcome::Failed(Cause::Interrupted, report)
    }
}

impl Written {
    /// A settlement without a further call, or without any.
    pub(super) fn of(settlement: Settlement) -> Self {
        Self {
            last_try: settlement.next_at,
            settlement,
            news: None,
        }
    }
}

/// How the latest call of a job ended, if its number was called so often since, for other jobs too, that nobody may
/// redial it automatically. Its first call is no redial: somebody has just asked for it.
pub(super) fn enough(
    tx: &mut dyn Transaction,
    claim: &Claim,
    now: Timestamp,
) -> Result<Option<Status>, StorageError> {
    if claim.attempt <= 1 {
        return Ok(None);
    }
    let calls = jobs::redials(tx, &claim.destination, now.minus(DAY))?;
    if calls < schedule::MOST_CALLS_TO_ONE {
        return Ok(None);
    }
    let before = jobs::attempts(tx, claim.job)?;
    let last = before.iter().rev().find_map(|call| call.status);
    Ok(Some(
        last.unwrap_or_else(|| Status::of_cause(Cause::Network)),
    ))
}

/// The transaction that settles a job: what was told of its call, its state, the events, the mails.
pub(super) fn write_settlement(
    tx: &mut dyn Transaction,
    desk: &Desk<'_>,
    claim: &Claim,
    written: &Written,
    account: Option<&crate::config::Account>,
) -> Result<(), StorageError> {
    let settlement = &written.settlement;
    if let Some(news) = &written.news {
        progress::write(tx, desk.ids, claim, news)?;
    }
    let Some(last) = jobs::settle(tx, claim, settlement, desk.now)? else {
        return Ok(());
    };
    let about = Subject::job(&claim.account, claim.batch, claim.job);
    let mut log = Log::new(tx, desk.ids, desk.now);
    if let Some(report) = &settlement.report {
        log.attempted(about, claim.attempt, settlement.status, report.pages_sent)?;
    }
    if settlement.state.is_final() {
        log.settled(about, settlement.status, settlement.reason.as_deref())?;
    }
    if settlement.state == State::Sleeping {
        desk.delayed(tx, claim.job, settlement, written.last_try)?;
    }
    desk.recipient_if_settled(tx, claim.job)?;
    if last {
        desk.batch_if_settled(tx, claim.batch, account)?;
    }
    Ok(())
}
