//! A job that was submitted: how it goes on, what came of it, and where it is when nobody knows.

use super::HylafaxTransport;
use super::Note;
use super::ending;
use super::ending::Ending;
use super::parameters;
use super::session::JobId;
use super::session::Session;
use super::session::Standing;
use super::session::State;
use super::wire::Trouble;
use crate::fax::CallProgress;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;
use crate::fax::StationId;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::Resolution;
use crate::transmit::Watch;

/// The line's name in reports.
const LINE: &str = "hylafax";
/// How often a job must be missing in both queues until it is gone.
const MISSED: u32 = 3;
/// How often a job that was submitted in doubt may be seen unscheduled until it is taken back.
const UNSCHEDULED: u32 = 2;
/// What a kill is given to take effect.
const KILLED_WITHIN: std::time::Duration = std::time::Duration::from_secs(300);

/// What is remembered of a job from one look to the next.
#[derive(Debug, Default)]
struct Seen {
    active: bool,
    pages: u32,
    missed: u32,
    killed: bool,
}

/// What one look at the queues says.
enum Look {
    /// It has ended.
    Ended(Standing),
    /// It goes on.
    GoesOn,
    /// It is in neither queue.
    Gone,
    /// The server does not answer.
    Nothing,
}

impl HylafaxTransport {
    /// Looks after a job until it has ended.
    pub(super) async fn follow(
        &self,
        mut session: Option<Session>,
        name: &str,
        note: &Note,
        watch: &dyn Watch,
    ) -> Outcome {
        let mut seen = Seen::default();
        loop {
            match self.look(&mut session, name, note, &mut seen, watch).await {
                Look::Ended(standing) => {
                    let outcome = self.outcome(&mut session, &standing, note, &seen).await;
                    watch.note(CallProgress::Released);
                    return outcome;
                }
                Look::Gone => seen.missed += 1,
                Look::GoesOn => seen.missed = 0,
                Look::Nothing => {}
            }
            let late = self.clock.now().since(note.give_up());
            if seen.missed >= MISSED || late > KILLED_WITHIN {
                return self.lost(note, "the job is no longer in HylaFAX's queues");
            }
            if !late.is_zero() {
                self.end(&mut session, note.id, &mut seen).await;
            }
            self.pause().await;
        }
    }

    /// One look: by its number, and by its note if that leads nowhere.
    async fn look(
        &self,
        session: &mut Option<Session>,
        name: &str,
        note: &Note,
        seen: &mut Seen,
        watch: &dyn Watch,
    ) -> Look {
        let Some(open) = self.session(session).await else {
            return Look::Nothing;
        };
        let standing = match open.standing(note.id, name).await {
            Ok(standing) => standing,
            Err(Trouble::Refused(_)) => {
                let found = open.find(name).await;
                // What a session knows of a job may be old: the next look is that of a new one.
                *session = None;
                return match found {
                    Ok(None) => Look::Gone,
                    Ok(Some(_)) => Look::GoesOn,
                    Err(_) => Look::Nothing,
                };
            }
            Err(_) => {
                *session = None;
                return Look::Nothing;
            }
        };
        seen.tell(&standing, note, watch);
        match standing.state {
            State::Done | State::Failed => Look::Ended(standing),
            State::Suspended | State::Waiting | State::Active => Look::GoesOn,
        }
    }

    async fn session<'s>(&self, session: &'s mut Option<Session>) -> Option<&'s mut Session> {
        if session.is_none() {
            *session = self.open().await.ok();
        }
        session.as_mut()
    }

    /// Ends a job whose time is over.
    async fn end(&self, session: &mut Option<Session>, id: JobId, seen: &mut Seen) {
        if seen.killed {
            return;
        }
        if let Some(open) = self.session(session).await {
            let killed = open.kill(id).await;
            seen.killed = killed.is_ok();
            if !matches!(killed, Ok(_) | Err(Trouble::Refused(_))) {
                *session = None;
            }
        }
    }

    /// The submission was not confirmed: what became of it is seen in the queues, and only there.
    pub(super) async fn doubt(
        &self,
        call: &Call,
        note: Note,
        trouble: Trouble,
        watch: &dyn Watch,
    ) -> Outcome {
        let name = parameters::note(call.job, call.attempt);
        tracing::warn!(%trouble, job = call.job, "HylaFAX did not confirm that it took a job");
        let (mut missed, mut unscheduled) = (0, 0);
        loop {
            let mut session = None;
            let found = match self.session(&mut session).await {
                Some(open) => open.find(&name).await.ok(),
                None => None,
            };
            match found {
                Some(Some((id, State::Suspended))) => {
                    unscheduled += 1;
                    if unscheduled >= UNSCHEDULED && self.take_back(&mut session, id, &name).await {
                        return not_called(&trouble);
                    }
                }
                Some(Some((id, _))) => {
                    let note = Note { id, ..note };
                    return self.follow(session, &name, &note, watch).await;
                }
                // Who was only late may still do it: then it is found later, or nobody knows.
                Some(None) if !matches!(trouble, Trouble::Late) => {
                    missed += 1;
                    if missed >= MISSED {
                        return not_called(&trouble);
                    }
                }
                Some(None) | None => {}
            }
            if self.clock.now() > note.give_up() {
                return self.lost(&note, "HylaFAX never said whether it took the job");
            }
            self.pause().await;
        }
    }

    /// Takes back a job that the scheduler does not seem to know; whether it is certain that nobody dials.
    async fn take_back(&self, session: &mut Option<Session>, id: JobId, name: &str) -> bool {
        let Some(open) = self.session(session).await else {
            return false;
        };
        match open.kill(id).await {
            // It knew it after all. If it had dialled already, the next look says what came of it.
            Ok(_) => match open.standing(id, name).await {
                Ok(standing) => standing.state == State::Failed && standing.dials == 0,
                Err(_) => false,
            },
            Err(Trouble::Refused(_)) => open.delete(id).await.is_ok(),
            Err(_) => false,
        }
    }

    /// What became of a call, asked after a crash.
    pub(super) async fn look_up(&self, job: i64, attempt: u32) -> Resolution {
        let note = match self.notes.read(job, attempt).await {
            Ok(Some(note)) => note,
            Ok(None) => return Resolution::NeverDialled,
            Err(error) => {
                tracing::error!(%error, job, "the note on a HylaFAX job cannot be read");
                return Resolution::Unknown;
            }
        };
        let mut session = None;
        let Some(open) = self.session(&mut session).await else {
            return Resolution::GoesOn;
        };
        let name = parameters::note(job, attempt);
        let (id, state) = match open.find(&name).await {
            Ok(Some(found)) => found,
            // It was handed over or not, it was cleaned away or not.
            Ok(None) => return Resolution::Unknown,
            Err(_) => return Resolution::GoesOn,
        };
        let note = Note { id, ..note };
        match state {
            State::Suspended => match self.take_back(&mut session, id, &name).await {
                true => Resolution::NeverDialled,
                false => Resolution::GoesOn,
            },
            State::Waiting | State::Active => {
                if self.clock.now() > note.give_up() {
                    self.end(&mut session, id, &mut Seen::default()).await;
                }
                Resolution::GoesOn
            }
            State::Done | State::Failed => {
                let Ok(standing) = open.standing(id, &name).await else {
                    return Resolution::GoesOn;
                };
                let seen = Seen::default();
                let outcome = self.outcome(&mut session, &standing, &note, &seen).await;
                match matches!(outcome, Outcome::NotCalled { .. }) {
                    true => Resolution::NeverDialled,
                    false => Resolution::Ended(outcome),
                }
            }
        }
    }

    /// The outcome of a job that has ended.
    async fn outcome(
        &self,
        session: &mut Option<Session>,
        standing: &Standing,
        note: &Note,
        seen: &Seen,
    ) -> Outcome {
        // The far end's name stands nowhere else, and not every server shows it.
        let record = match session {
            Some(open) => open.record(note.id).await.unwrap_or_default(),
            None => String::new(),
        };
        let detail = match standing.code {
            0 => standing.status.clone(),
            code => format!("{} [E{code:03}]", standing.status),
        };
        let report = CallReport {
            pages_sent: (note.first_page.saturating_add(standing.pages)).min(note.pages),
            remote_id: remote_id(&record),
            started: Timestamp::from_ms(note.started_ms),
            ended: self.clock.now(),
            line: LINE.to_owned(),
            rate: rate(&record),
            detail: detail
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect(),
            ..CallReport::default()
        };
        if standing.state == State::Done {
            let pages_sent = note.pages;
            return Outcome::Sent(CallReport {
                pages_sent,
                ..report
            });
        }
        match ending::of(standing) {
            // We ended it ourselves.
            Ending::Never(Cause::Network) if seen.killed && (seen.active || standing.dials > 0) => {
                Outcome::Retry(Cause::Disconnected, report)
            }
            Ending::Never(Cause::Network) if seen.killed => not_dialled(standing),
            Ending::Again(cause) => Outcome::Retry(cause, report),
            Ending::Never(cause) => Outcome::Failed(cause, report),
            Ending::NotDialled if seen.active => Outcome::Retry(Cause::Network, report),
            Ending::NotDialled => not_dialled(standing),
        }
    }

    /// Nobody can know what came of it.
    fn lost(&self, note: &Note, why: &str) -> Outcome {
        let report = CallReport {
            pages_sent: note.first_page,
            started: Timestamp::from_ms(note.started_ms),
            ended: self.clock.now(),
            line: LINE.to_owned(),
            detail: why.to_owned(),
            ..CallReport::default()
        };
        Outcome::Failed(Cause::Interrupted, report)
    }
}

impl Note {
    fn give_up(&self) -> Timestamp {
        Timestamp::from_ms(self.give_up_ms)
    }
}

impl Seen {
    /// Tells `watch` what is new.
    fn tell(&mut self, standing: &Standing, note: &Note, watch: &dyn Watch) {
        if standing.state == State::Active && !self.active {
            self.active = true;
            let line = LINE.to_owned();
            watch.note(CallProgress::Dialling { line });
        }
        if standing.pages > self.pages {
            self.pages = standing.pages;
            let confirmed = note.first_page.saturating_add(standing.pages);
            watch.note(CallProgress::Page {
                confirmed: confirmed.min(note.pages),
                of: note.pages,
            });
        }
    }
}

fn not_called(trouble: &Trouble) -> Outcome {
    let why = format!("HylaFAX did not take the job: {trouble}");
    Outcome::NotCalled { why }
}

fn not_dialled(standing: &Standing) -> Outcome {
    let text = standing.status.chars().filter(|c| !c.is_control());
    let why = format!(
        "HylaFAX did not dial: {}",
        text.take(160).collect::<String>()
    );
    Outcome::NotCalled { why }
}

/// The value of `key` in a job's file (sendq(5)).
fn value<'a>(record: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = record.lines();
    lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
}

fn remote_id(record: &str) -> StationId {
    let csi = value(record, "csi").unwrap_or_default().trim();
    match csi.starts_with('<') {
        // `<UNSPECIFIED>`
        true => StationId::default(),
        false => StationId::from_far_end(csi.as_bytes()),
    }
}

/// `14400`, or `14.4Kb/s` as it was written once.
fn rate(record: &str) -> u32 {
    let text = value(record, "signalrate").unwrap_or_default();
    let number: String = text
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    match number.split_once('.') {
        None => number.parse().unwrap_or_default(),
        Some((thousands, hundreds)) => {
            let part = |text: &str| text.parse::<u32>().unwrap_or_default();
            let hundreds = hundreds.get(..1).map_or(0, part);
            part(thousands)
                .saturating_mul(1000)
                .saturating_add(hundreds * 100)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_far_end_and_the_rate_stand_in_the_jobs_file() {
        let record = "state:7\nsignalrate:14400 bit/s\ncsi:+81 3 1234\nnsf:x\n";
        assert_eq!(remote_id(record).as_str(), "+81 3 1234");
        assert_eq!(rate(record), 14_400);
        assert_eq!(rate("signalrate:9600"), 9600);
        assert_eq!(rate("signalrate:14.4Kb/s"), 14_400);
        let none = "csi:<UNSPECIFIED>\nsignalrate:\n";
        assert_eq!((remote_id(none).as_str(), rate(none)), ("", 0));
        assert_eq!(rate(""), 0);
    }
}
