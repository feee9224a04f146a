//! How far a call is, kept until the next write: what a transport tells must not keep its call waiting.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;

use crate::dispatch::Dispatcher;
use crate::dispatch::metric::Going;
use crate::fax::CallProgress;
use crate::record::Log;
use crate::record::Subject;
use crate::storage::Ids;
use crate::storage::StorageError;
use crate::storage::Transaction;
use crate::storage::jobs;
use crate::storage::jobs::Claim;
use crate::storage::jobs::Live;
use crate::time::Clock;
use crate::time::Timestamp;
use crate::transmit::Watch;

/// Between two writes about one call. A call that is over sooner is told with its end, in one transaction.
const EVERY: Duration = Duration::from_millis(500);
/// Events of one call at most: a far end that trains for ever must not fill the log.
const MOST_EVENTS: usize = 200;
/// Pages that each have an event of their own; of those behind every tenth has.
const PAGES_TOLD: u32 = 50;

/// What a transport told of a call.
pub(super) struct Progress {
    clock: Arc<dyn Clock>,
    told: Mutex<Told>,
    woken: Notify,
}

#[derive(Default)]
struct Told {
    /// Not written yet.
    news: News,
    last: Option<CallProgress>,
    events: usize,
    /// Whether there is anything to write.
    changed: bool,
    going: Going,
}

/// What is to be written about a call.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    /// What happened, and when.
    pub(super) events: Vec<(Timestamp, CallProgress)>,
    /// How far it is.
    pub(super) live: Live,
}

impl Progress {
    /// Nothing was told yet of a call that goes on behind `confirmed` pages.
    pub(super) fn new(clock: Arc<dyn Clock>, confirmed: u32) -> Self {
        let mut told = Told::default();
        told.news.live.confirmed = confirmed;
        told.going.over("");
        Self {
            clock,
            told: Mutex::new(told),
            woken: Notify::new(),
        }
    }

    /// What was told since the last time; `None`: nothing.
    pub(super) fn take(&self) -> Option<News> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut told.changed) {
            return None;
        }
        Some(News {
            events: std::mem::take(&mut told.news.events),
            live: told.news.live.clone(),
        })
    }
}

impl Watch for Progress {
    fn note(&self, progress: CallProgress) {
        let now = self.clock.now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.note(now, progress);
        drop(told);
        self.woken.notify_one();
    }
}

impl Told {
    fn note(&mut self, now: Timestamp, progress: CallProgress) {
        if self.last.as_ref() == Some(&progress) {
            return;
        }
        self.changed = true;
        self.live(&progress);
        if let CallProgress::Dialling { line } = &progress {
            self.going.over(line);
        }
        if self.events < MOST_EVENTS && is_worth_an_event(&progress) {
            self.events += 1;
            self.news.events.push((now, progress.clone()));
        }
        self.last = Some(progress);
    }

    fn live(&mut self, progress: &CallProgress) {
        let live = &mut self.news.live;
        live.phase = match progress {
            CallProgress::Dialling { line } => {
                live.line.clone_from(line);
                "dialling"
            }
            CallProgress::Ringing => "ringing",
            CallProgress::Answered => "answered",
            CallProgress::Carried { media } => {
                live.media = Some(*media);
                live.phase
            }
            CallProgress::Identified { remote_id } => {
                remote_id.as_str().clone_into(&mut live.remote_id);
                "identified"
            }
            CallProgress::Training { rate, ecm } => {
                (live.rate, live.ecm) = (*rate, *ecm);
                "training"
            }
            CallProgress::Page { confirmed, .. } => {
                live.confirmed = live.confirmed.max(*confirmed);
                "page"
            }
            CallProgress::LastPageSent => "last-page-sent",
            CallProgress::Released => "released",
        };
    }
}

fn is_worth_an_event(progress: &CallProgress) -> bool {
    match progress {
        CallProgress::Page { confirmed, of } => {
            *confirmed <= PAGES_TOLD || confirmed.is_multiple_of(10) || confirmed == of
        }
        CallProgress::Dialling { line } => !line.is_empty(),
        CallProgress::Ringing
        | CallProgress::Answered
        | CallProgress::Carried { .. }
        | CallProgress::Identified { .. }
        | CallProgress::Training { .. }
        | CallProgress::LastPageSent
        | CallProgress::Released => true,
    }
}

impl Dispatcher {
    /// Writes what is told of a call while it goes on; never ends. Trouble is not the call's: what could not
    /// be written is lost, and the end of the call is not.
    pub(super) async fn keep_telling(&self, claim: &Claim, progress: &Progress) {
        loop {
            progress.woken.notified().await;
            tokio::time::sleep(EVERY).await;
            let Some(news) = progress.take() else {
                continue;
            };
            let (store, claim) = (self.store.clone(), claim.clone());
            let written = self
                .store
                .write(move |tx| write(tx, store.ids(), &claim, &news));
            if let Err(error) = written.await {
                tracing::warn!(%error, "how far a call is could not be stored");
            }
        }
    }
}

/// Writes `news` of the call of `claim`, if that is still ours.
pub(super) fn write(
    tx: &mut dyn Transaction,
    ids: &Ids,
    claim: &Claim,
    news: &News,
) -> Result<(), StorageError> {
    if !jobs::note_progress(tx, claim, &news.live)? {
        return Ok(());
    }
    let about = Subject::job(&claim.account, claim.batch, claim.job);
    for (at, progress) in &news.events {
        let mut log = Log::new(tx, ids, *at);
        let dials = matches!(progress, CallProgress::Dialling { .. });
        if dials && claim.course.waiting_since.is_some() {
            log.dialled(about, claim.attempt, &claim.destination)?;
        }
        log.progressed(about, progress)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fax::Media;
    use crate::fax::StationId;
    use crate::time::SystemClock;

    fn told(phases: impl IntoIterator<Item = CallProgress>) -> Option<News> {
        let progress = Progress::new(Arc::new(SystemClock), 2);
        for phase in phases {
            progress.note(phase);
        }
        let news = progress.take();
        assert!(progress.take().is_none(), "told once");
        news
    }

    #[test]
    fn what_is_told_becomes_events_and_how_far_the_call_is() {
        let news = told([
            CallProgress::Dialling { line: "a".into() },
            CallProgress::Ringing,
            CallProgress::Ringing,
            CallProgress::Answered,
            CallProgress::Carried { media: Media::T38 },
            CallProgress::Identified {
                remote_id: StationId::from_far_end(b"81 3"),
            },
            CallProgress::Training {
                rate: 9_600,
                ecm: true,
            },
            CallProgress::Page {
                confirmed: 3,
                of: 5,
            },
        ]);
        let news = news.unwrap();
        assert_eq!(news.events.len(), 7, "ringing was told twice");
        assert_eq!(
            news.live,
            Live {
                phase: "page",
                confirmed: 3,
                remote_id: "81 3".into(),
                line: "a".into(),
                media: Some(Media::T38),
                rate: 9_600,
                ecm: true,
            }
        );
    }

    #[test]
    fn nothing_told_is_nothing_to_write() {
        assert!(told([]).is_none());
    }

    #[test]
    fn a_call_that_never_ends_training_does_not_fill_the_log() {
        let trainings = (0..1_000).map(|rate| CallProgress::Training { rate, ecm: true });
        let news = told(trainings).unwrap();
        assert_eq!(news.events.len(), MOST_EVENTS);
        assert_eq!(news.live.rate, 999, "how far it is goes on");
    }

    #[test]
    fn of_many_pages_every_tenth_is_an_event_and_the_last() {
        let pages = (1..=73).map(|confirmed| CallProgress::Page { confirmed, of: 73 });
        let news = told(pages).unwrap();
        assert_eq!(news.events.len(), 50 + 2 + 1);
        assert_eq!(news.live.confirmed, 73);
    }

    #[test]
    fn pages_of_earlier_calls_stay_confirmed() {
        assert_eq!(told([CallProgress::Answered]).unwrap().live.confirmed, 2);
    }
}
