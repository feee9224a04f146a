//! One call that we make, over one trunk.

use std::io;
use std::time::Duration;

use rsipstack::dialog::DialogId;
use rsipstack::dialog::dialog::DialogState;
use rsipstack::dialog::dialog::DialogStateReceiver;
use rsipstack::dialog::invitation::InviteAsyncResult;
use rsipstack::dialog::invitation::InviteOption;
use rsipstack::sip::Header;
use rsipstack::sip::Response;
use rsipstack::sip::Uri;
use rsipstack::transaction::make_call_id;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio::time::sleep_until;

use super::endpoint::ALLOW;
use super::hook::Hook;
use super::left::About;
use super::number::written;
use super::offer;
use super::register::header;
use super::sdp::Choice;
use super::sdp::Ours;
use super::session::Session;
use super::session::read;
use super::switchboard::Switchboard;
use super::trunk::Trunk;
use super::verdict;
use super::verdict::Refused;
use super::verdict::Verdict;
use crate::fax::CallProgress;
use crate::fax::CallReport;
use crate::fax::Cause;
use crate::fax::Outcome;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::Watch;
use crate::transmit::line;
use crate::transmit::line::Assignment;
use crate::transmit::line::Carrier;
use crate::transmit::line::Task;
use crate::transmit::line::Worker;

/// A trunk that has not said anything at all by then, not even 100, is away.
const NO_REPLY: Duration = Duration::from_secs(8);
/// After a CANCEL the final answer is waited for so long.
const AFTER_CANCEL: Duration = Duration::from_secs(5);
/// A trunk that is away is left alone so long.
const AWAY: Duration = Duration::from_secs(30);
/// A trunk that does not take our password is left alone so long.
const LOCKED_OUT: Duration = Duration::from_secs(300);

/// What came of it.
pub(super) enum Placed {
    /// This.
    Over(Outcome),
    /// The trunk cannot carry it, and why: another one may.
    Elsewhere(String),
}

/// A call on its way.
pub(super) struct Outgoing<'a> {
    /// What all calls share.
    pub(super) switchboard: &'a Switchboard,
    /// Over which trunk.
    pub(super) trunk: &'a Trunk,
    /// The call.
    pub(super) call: &'a Call,
    /// Who wants to know.
    pub(super) watch: &'a dyn Watch,
}

/// The far end before it answers.
struct Waiting {
    hook: Hook,
    events: DialogStateReceiver,
    answer: JoinHandle<InviteAsyncResult>,
}

/// How the wait for an answer ended.
enum Answer {
    Final(Response),
    Refused(Refused),
    /// Nothing came, or it could not be sent.
    Away(&'static str),
    /// The gateway stops.
    Stopped,
}

impl Outgoing<'_> {
    /// Makes the call.
    pub(super) async fn place(&self) -> Placed {
        let started = self.switchboard.now();
        if let Err(why) = self.switchboard.station.reach(self.trunk).await {
            return self.away(why);
        }
        let (mut ours, worker) = match self.prepare(started).await {
            Ok(prepared) => prepared,
            Err(error) => return self.fault(started, &error),
        };
        let now = Choice::Audio(offer::SOUND.to_vec());
        let body = ours.offer(&now);
        let mut waiting = match self.invite(body) {
            Ok(waiting) => waiting,
            Err(why) => return Placed::Elsewhere(why),
        };
        let line = self.trunk.config.name.clone();
        self.watch.note(CallProgress::Dialling { line });
        match self.answer(&mut waiting).await {
            Answer::Final(response) => {
                self.trunk.put_back();
                let session = Session {
                    switchboard: self.switchboard,
                    hook: waiting.hook,
                    events: waiting.events,
                    worker,
                    ours,
                    now,
                    ack_answers: false,
                    watch: self.watch,
                };
                Placed::Over(self.talk(session, &response, started).await)
            }
            Answer::Refused(refused) => self.refused(&refused, started),
            Answer::Away(why) => self.away(why.to_owned()),
            Answer::Stopped => Placed::Over(Outcome::NotCalled {
                why: "the gateway stops".to_owned(),
            }),
        }
    }

    /// A socket and a worker for it: the call's folder is there before anything leaves.
    async fn prepare(&self, started: Timestamp) -> io::Result<(Ours, Worker)> {
        let (switchboard, call) = (self.switchboard, self.call);
        let (socket, place) = switchboard.media(self.trunk)?;
        let about = About {
            trunk: self.trunk.config.name.clone(),
            first_page: call.first_page,
            pages: call.fax.pages,
            started_ms: started.as_ms(),
        };
        let assignment = Assignment {
            name: name(call.job, call.attempt),
            about: about.to_text(),
            task: Task::Send {
                fax: call.fax.clone(),
                first_page: call.first_page,
            },
            local_id: call.local_id.clone(),
            sub_address: call.sub_address.clone(),
            ecm: call.ecm,
            fastest: call.fastest,
            limits: switchboard.limits,
            pacing: switchboard.pacing,
        };
        // Another trunk was tried before: nothing was sent over it.
        switchboard.workers.forget(&assignment.name).await;
        let worker = switchboard.workers.start(assignment, socket).await?;
        let session = u64::try_from(started.as_ms()).unwrap_or_default();
        Ok((Ours::new(session, place), worker))
    }

    fn invite(&self, body: String) -> Result<Waiting, String> {
        let (station, trunk) = (&self.switchboard.station, self.trunk);
        let (events, state) = station.dialogs.new_dialog_state_channel();
        let (caller, shown) = self.caller();
        let mut headers = vec![Header::Allow(ALLOW.into())];
        if shown {
            headers.push(Header::PAssertedIdentity(format!("<{caller}>").into()));
        }
        let option = InviteOption {
            contact: station.contact(trunk, caller.auth.as_ref().map(|auth| auth.user.as_str())),
            caller,
            callee: self.callee(),
            destination: trunk.target(),
            content_type: Some("application/sdp".to_owned()),
            offer: Some(body.into_bytes()),
            credential: trunk.credential(),
            headers: Some(headers),
            call_id: Some(
                make_call_id(None, station.endpoint().option.callid_format)
                    .value()
                    .to_owned(),
            ),
            ..InviteOption::default()
        };
        let begun = station.dialogs.do_invite_async(option, events);
        let (dialog, answer) = begun.map_err(|error| error.to_string())?;
        Ok(Waiting {
            hook: Hook::new(&station.dialogs, dialog),
            events: state,
            answer,
        })
    }

    /// Who calls, and whether that is a number that the far end is to be shown.
    fn caller(&self) -> (Uri, bool) {
        match &self.call.calling_number {
            Some(number) => (self.trunk.uri(Some(&self.written(number))), true),
            None => {
                let user = self.trunk.config.user.as_deref().unwrap_or("faxgate");
                (self.trunk.uri(Some(user)), false)
            }
        }
    }

    fn callee(&self) -> Uri {
        self.trunk.uri(Some(&self.written(&self.call.number)))
    }

    fn written(&self, number: &crate::fax::FaxNumber) -> String {
        let format = self.trunk.config.number_format;
        written(number, format, &self.switchboard.country)
    }

    /// Waits for the final answer, and gives up after the ring time-out.
    async fn answer(&self, waiting: &mut Waiting) -> Answer {
        let begun = Instant::now();
        let ring = self
            .switchboard
            .clock
            .wait_until(self.switchboard.now().plus(self.call.ring_timeout));
        tokio::pin!(ring);
        let (mut was_heard, mut rings) = (false, false);
        loop {
            tokio::select! {
                biased;
                result = &mut waiting.answer => return heard_at_last(result, was_heard, false),
                event = waiting.events.recv() => match event {
                    Some(DialogState::Trying(_)) => was_heard = true,
                    Some(DialogState::Early(..)) => {
                        was_heard = true;
                        if !std::mem::replace(&mut rings, true) {
                            self.watch.note(CallProgress::Ringing);
                        }
                    }
                    // The final answer is on its way to us; what comes after it belongs to the answered call.
                    Some(DialogState::Confirmed(..) | DialogState::Terminated(..)) | None => {
                        return heard_at_last((&mut waiting.answer).await, was_heard, false);
                    }
                    Some(_) => {}
                },
                () = &mut ring => return cancelled(waiting, was_heard).await,
                () = sleep_until(begun + NO_REPLY), if !was_heard => return Answer::Away("it does not answer"),
                () = self.switchboard.stopped() => return Answer::Stopped,
            }
        }
    }

    /// The call was answered.
    async fn talk(
        &self,
        mut session: Session<'_>,
        answer: &Response,
        started: Timestamp,
    ) -> Outcome {
        self.watch.note(CallProgress::Answered);
        let description = read(&answer.headers, &answer.body);
        let carrier = description.as_ref().and_then(offer::sound);
        let Some(carrier @ Carrier::Audio { .. }) = carrier else {
            session.hook.hang_up().await;
            let detail = "the answer has no sound that we can use";
            let report = self.report(started, Some(200), detail.to_owned());
            return Outcome::Failed(Cause::Incompatible, report);
        };
        // A worker that is gone says how it ended.
        let _ = session.worker.carry(carrier).await;
        let ended = session.run().await;
        let outcome = line::outcome(&ended, self.call.first_page, self.call.fax.pages);
        completed(outcome, |report| {
            report.line = self.trunk.config.name.clone();
            report.sip = Some(200);
            report.started = started;
            report.ended = self.switchboard.now();
        })
    }

    /// The final answer was no.
    fn refused(&self, refused: &Refused, started: Timestamp) -> Placed {
        let detail = refused.to_string();
        let report = self.report(started, Some(refused.code), detail.clone());
        match refused.verdict() {
            Verdict::Retry(cause) => Placed::Over(Outcome::Retry(cause, report)),
            Verdict::Failed(cause) => Placed::Over(Outcome::Failed(cause, report)),
            Verdict::Trunk => {
                if let Some(pause) = refused.retry_after {
                    self.trunk
                        .take_out(self.switchboard.now().plus(pause), &detail);
                }
                Placed::Elsewhere(detail)
            }
            Verdict::Credentials => {
                let why = "it does not take our user or password";
                let until = self.switchboard.now().plus(LOCKED_OUT);
                self.trunk.take_out(until, why);
                Placed::Elsewhere(why.to_owned())
            }
        }
    }

    /// The trunk cannot be reached.
    fn away(&self, why: String) -> Placed {
        let until = self.switchboard.now().plus(AWAY);
        self.trunk.take_out(until, &why);
        Placed::Elsewhere(why)
    }

    fn fault(&self, started: Timestamp, error: &io::Error) -> Placed {
        tracing::error!(%error, job = self.call.job, "a call could not be prepared");
        let report = self.report(started, None, error.to_string());
        Placed::Over(Outcome::Retry(Cause::LocalFault, report))
    }

    fn report(&self, started: Timestamp, sip: Option<u16>, detail: String) -> CallReport {
        CallReport {
            pages_sent: self.call.first_page,
            started,
            ended: self.switchboard.now(),
            line: self.trunk.config.name.clone(),
            sip,
            detail,
            ..CallReport::default()
        }
    }
}

/// The name of a call's folder.
pub(super) fn name(job: i64, attempt: u32) -> String {
    format!("{job}-{attempt}")
}

/// The outcome with what the transport knows of the call.
pub(super) fn completed(outcome: Outcome, add: impl FnOnce(&mut CallReport)) -> Outcome {
    let with = |mut report| {
        add(&mut report);
        report
    };
    match outcome {
        Outcome::Sent(report) => Outcome::Sent(with(report)),
        Outcome::Retry(cause, report) => Outcome::Retry(cause, with(report)),
        Outcome::Failed(cause, report) => Outcome::Failed(cause, with(report)),
        Outcome::NotCalled { why } => Outcome::NotCalled { why },
    }
}

/// The far end has rung for long enough.
async fn cancelled(waiting: &mut Waiting, was_heard: bool) -> Answer {
    if let Some(dialog) = waiting.hook.dialog().cloned() {
        tokio::spawn(async move { dialog.cancel().await });
    }
    let last = tokio::time::timeout(AFTER_CANCEL, &mut waiting.answer).await;
    let rang_too_long = Refused {
        code: 487,
        was_heard,
        rang_too_long: true,
        ..Refused::default()
    };
    match last.map(|result| heard_at_last(result, was_heard, true)) {
        // It crossed our CANCEL: the stack has acknowledged it and hung up.
        Ok(Answer::Final(_) | Answer::Away(_) | Answer::Stopped) | Err(_) => {
            Answer::Refused(rang_too_long)
        }
        Ok(Answer::Refused(refused)) => Answer::Refused(refused),
    }
}

fn heard_at_last(
    result: Result<InviteAsyncResult, tokio::task::JoinError>,
    was_heard: bool,
    rang_too_long: bool,
) -> Answer {
    let response: Option<(DialogId, Option<Response>)> = result.ok().and_then(Result::ok);
    let Some(response) = response.and_then(|(_, response)| response) else {
        return Answer::Away("a request could not be sent to it");
    };
    let code = response.status_code.code();
    if (200..300).contains(&code) {
        return Answer::Final(response);
    }
    let reason = header(&response, "Reason");
    let retry_after = header(&response, "Retry-After");
    let refused = Refused {
        code,
        q850: reason.and_then(|reason| verdict::q850(&reason)),
        was_heard,
        rang_too_long,
        retry_after: retry_after.and_then(|value| verdict::retry_after(&value)),
    };
    match (code, was_heard) {
        (408, false) if !rang_too_long => Answer::Away("it does not answer"),
        _ => Answer::Refused(refused),
    }
}
