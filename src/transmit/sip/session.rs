//! A call that was answered: its dialog and its worker, until both are over.
//!
//! It is the same for calls that we make and calls that come in. Either side may move the media from sound to T.38;
//! whatever else the far end describes is answered without disturbing the media.

use std::time::Duration;

use rsipstack::dialog::dialog::DialogState;
use rsipstack::dialog::dialog::DialogStateReceiver;
use rsipstack::dialog::dialog::TransactionHandle;
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::Header;
use rsipstack::sip::Headers;
use rsipstack::sip::Method;
use rsipstack::sip::Request;
use rsipstack::sip::Response;
use rsipstack::sip::StatusCode;
use rsipstack::transaction::key::TransactionRole;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio::time::sleep_until;

use super::endpoint::ALLOW;
use super::hook::Hook;
use super::offer;
use super::offer::Reaction;
use super::sdp::Choice;
use super::sdp::Description;
use super::sdp::Ours;
use super::switchboard::Switchboard;
use crate::transmit::Watch;
use crate::transmit::line::Carrier;
use crate::transmit::line::Ended;
use crate::transmit::line::Report;
use crate::transmit::line::Worker;

/// We offer T.38 so long after the answer if the far end has not. Who was called does it first: it hears the tone of the
/// caller, and two offers that meet cost seconds.
const OFFER_AFTER_CALLING: Duration = Duration::from_millis(1750);
const OFFER_AFTER_CALLED: Duration = Duration::from_millis(1000);
/// How often T.38 is offered when our offer meets one of the far end (491).
const OFFERS: u32 = 3;
/// Within one process news are there by then; a far end whose offer met ours hears of it so much later.
const ON_ITS_WAY: Duration = Duration::from_millis(100);
/// What goes on when the gateway stops may go on so long.
const GRACE: Duration = Duration::from_secs(8);

/// An answered call.
pub(super) struct Session<'a> {
    /// What all calls share.
    pub(super) switchboard: &'a Switchboard,
    /// The dialog.
    pub(super) hook: Hook,
    /// What happens in it.
    pub(super) events: DialogStateReceiver,
    /// Who sends or receives; it was told the first carrier.
    pub(super) worker: Worker,
    /// What we described so far.
    pub(super) ours: Ours,
    /// What we described last.
    pub(super) now: Choice,
    /// Whether the far end answers our description with its ACK.
    pub(super) ack_answers: bool,
    /// Who wants to know.
    pub(super) watch: &'a dyn Watch,
}

/// Where our own offer of T.38 stands.
enum Offer {
    /// It will be made then; tries that are left.
    Due(Instant, u32),
    /// It was made; what we had described before; tries that are left.
    Made(JoinHandle<rsipstack::Result<Option<Response>>>, Ours, u32),
    /// There is nothing to offer any more.
    Over,
}

/// What comes next of our own offer.
enum Step {
    /// It is to be made.
    Make,
    /// It was answered; `None`: it came to nothing.
    Answered(Option<Response>),
}

impl Session<'_> {
    /// Goes on until the worker has ended; then the far end is hung up on.
    pub(super) async fn run(mut self) -> Ended {
        let after = match self.hook.dialog().map(InviteDialog::role) {
            Some(TransactionRole::Client) => OFFER_AFTER_CALLING,
            Some(TransactionRole::Server) | None => OFFER_AFTER_CALLED,
        };
        let mut offer = match self.switchboard.config.t38 && self.now != Choice::T38 {
            true => Offer::Due(Instant::now() + after, OFFERS),
            false => Offer::Over,
        };
        let (mut over, mut stopping) = (false, false);
        let stopped = stopped_for_a_while(self.switchboard);
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                report = self.worker.next() => match report {
                    Some(Report::Progress(progress)) => self.watch.note(progress),
                    Some(Report::FaxHeard) => offer.hurry(),
                    Some(Report::Ended(ended)) => {
                        self.hook.hang_up().await;
                        return ended;
                    }
                    None => return Ended::default(),
                },
                event = self.events.recv(), if !over => {
                    over = self.happened(event, &mut offer).await;
                }
                step = offer.next() => offer = match step {
                    Step::Make => self.offer(offer),
                    Step::Answered(answer) => self.answered(offer, answer).await,
                },
                () = &mut stopped, if !stopping => {
                    stopping = true;
                    self.worker.hang_up().await;
                }
            }
        }
    }

    /// Something happened in the dialog; whether it is over.
    async fn happened(&mut self, event: Option<DialogState>, offer: &mut Offer) -> bool {
        match event {
            Some(DialogState::Updated(_, request, reply)) => {
                self.settle(offer).await;
                self.describe(&request, &reply, offer).await;
                false
            }
            Some(DialogState::Confirmed(..)) => {
                self.acknowledged(offer).await;
                false
            }
            Some(DialogState::Info(_, _, reply) | DialogState::Options(_, _, reply)) => {
                let allow = Header::Allow(ALLOW.into());
                let _ = reply.respond(StatusCode::OK, Some(vec![allow]), None).await;
                false
            }
            Some(
                DialogState::Notify(_, _, reply)
                | DialogState::Refer(_, _, reply)
                | DialogState::Message(_, _, reply)
                | DialogState::Publish(_, _, reply),
            ) => {
                let _ = reply.reply(StatusCode::MethodNotAllowed).await;
                false
            }
            Some(
                DialogState::Calling(_)
                | DialogState::Trying(_)
                | DialogState::Early(..)
                | DialogState::WaitAck(..),
            ) => false,
            Some(DialogState::Terminated(..)) | None => {
                *offer = Offer::Over;
                self.worker.hang_up().await;
                true
            }
        }
    }

    /// An offer of ours that was answered just now is over: what the far end sends after our ACK can overtake the news of it.
    async fn settle(&mut self, offer: &mut Offer) {
        if !matches!(offer, Offer::Made(..)) {
            return;
        }
        let step = tokio::time::timeout(ON_ITS_WAY, offer.next()).await;
        if let Ok(Step::Answered(answer)) = step {
            let made = std::mem::replace(offer, Offer::Over);
            *offer = self.answered(made, answer).await;
        }
    }

    /// Answers a re-INVITE or an UPDATE.
    async fn describe(&mut self, request: &Request, reply: &TransactionHandle, offer: &mut Offer) {
        let glares = matches!(offer, Offer::Made(..));
        let has_offer = !request.body.is_empty();
        let (code, body, carrier) = match asked(&request.method, has_offer, glares) {
            Asked::AtTheWrongTime => (StatusCode::RequestPending, None, None),
            // The same as before. Its answer comes with the ACK.
            Asked::WhatWeHave => {
                self.ack_answers = true;
                (StatusCode::OK, Some(self.ours.again()), None)
            }
            Asked::Nothing => (StatusCode::OK, None, None),
            Asked::ToTake => {
                let t38 = self.switchboard.config.t38;
                match read(&request.headers, &request.body)
                    .map(|d| offer::react(&mut self.ours, &d, t38))
                {
                    Some(Reaction::Take(body, carrier)) => (StatusCode::OK, Some(body), carrier),
                    Some(Reaction::Refuse) | None => (StatusCode::NotAcceptableHere, None, None),
                }
            }
        };
        let mut headers = vec![Header::Allow(ALLOW.into())];
        if body.is_some() {
            headers.push(Header::ContentType("application/sdp".into()));
        }
        let body = body.map(String::into_bytes);
        // Who asked has gone: then the dialog says so next.
        let _ = reply.respond(code, Some(headers), body).await;
        if let Some(carrier) = carrier {
            self.carry(carrier, offer).await;
        }
    }

    /// The ACK of our last 200: it carries the answer if the 200 carried the offer.
    async fn acknowledged(&mut self, offer: &mut Offer) {
        if !std::mem::take(&mut self.ack_answers) {
            return;
        }
        let ack = self.hook.dialog().and_then(InviteDialog::last_remote_ack);
        let description = ack.and_then(|ack| read(&ack.headers, &ack.body));
        let carrier = description.and_then(|d| offer::fax(&d).or_else(|| offer::sound(&d)));
        if let Some(carrier) = carrier {
            self.carry(carrier, offer).await;
        }
    }

    async fn carry(&mut self, carrier: Carrier, offer: &mut Offer) {
        self.now = match carrier {
            Carrier::T38 { .. } => {
                *offer = Offer::Over;
                Choice::T38
            }
            Carrier::Audio { .. } => Choice::Audio(offer::SOUND.to_vec()),
        };
        // A worker that is gone says how it ended.
        let _ = self.worker.carry(carrier).await;
    }

    /// Offers T.38.
    fn offer(&mut self, due: Offer) -> Offer {
        let Offer::Due(_, left) = due else {
            return due;
        };
        let before = self.ours.clone();
        let body = self.ours.offer(&Choice::T38).into_bytes();
        let headers = vec![
            Header::ContentType("application/sdp".into()),
            Header::Allow(ALLOW.into()),
        ];
        let Some(dialog) = self.hook.dialog().cloned() else {
            return Offer::Over;
        };
        let asked = async move { dialog.reinvite(Some(headers), Some(body)).await };
        Offer::Made(tokio::spawn(asked), before, left.saturating_sub(1))
    }

    /// What the far end says to our offer.
    async fn answered(&mut self, made: Offer, answer: Option<Response>) -> Offer {
        let Offer::Made(_, before, left) = made else {
            return made;
        };
        let code = answer
            .as_ref()
            .map_or(0, |answer| answer.status_code.code());
        let described = answer
            .filter(|answer| (200..300).contains(&answer.status_code.code()))
            .and_then(|answer| read(&answer.headers, &answer.body));
        if let Some(carrier) = described.as_ref().and_then(offer::fax) {
            let mut over = Offer::Over;
            self.carry(carrier, &mut over).await;
            return over;
        }
        // Refused: all stays as it was, and the fax goes on as sound.
        self.ours = before;
        tracing::debug!(code, "T.38 was not taken");
        match code {
            491 if left > 0 => Offer::Due(Instant::now() + self.pause(), left),
            // RFC 3261 section 12.2.1.2: the far end does not know this call.
            481 => {
                self.worker.hang_up().await;
                Offer::Over
            }
            _ => Offer::Over,
        }
    }

    /// How long to wait after a 491 (RFC 3261 section 14.1): who made the call waits longer.
    fn pause(&self) -> Duration {
        let dialog = self.hook.dialog();
        let name = dialog.map(|dialog| dialog.id().call_id).unwrap_or_default();
        let unlike_others = name.bytes().map(u64::from).sum::<u64>() * 10;
        match dialog.map(InviteDialog::role) {
            Some(TransactionRole::Client) => Duration::from_millis(2100 + unlike_others % 1900),
            Some(TransactionRole::Server) | None => Duration::from_millis(unlike_others % 2000),
        }
    }
}

impl Offer {
    /// The far end is a fax machine: there is no reason to wait.
    fn hurry(&mut self) {
        if let Self::Due(at, left) = self
            && *left == OFFERS
        {
            *at = Instant::now();
        }
    }

    /// Returns when something is to be done about it.
    async fn next(&mut self) -> Step {
        match self {
            Self::Due(at, _) => {
                sleep_until(*at).await;
                Step::Make
            }
            Self::Made(asked, ..) => Step::Answered(match asked.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => None,
            }),
            Self::Over => std::future::pending().await,
        }
    }
}

/// What a re-INVITE or an UPDATE asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Our own offer is not answered yet.
    AtTheWrongTime,
    /// That the far end's offer be taken.
    ToTake,
    /// What we have.
    WhatWeHave,
    /// Whether we are there.
    Nothing,
}

/// One offer at a time, and one re-INVITE at a time whatever is in it (RFC 3261 section 14.2).
fn asked(method: &Method, has_offer: bool, glares: bool) -> Asked {
    match (*method == Method::Invite, has_offer) {
        (true, _) | (false, true) if glares => Asked::AtTheWrongTime,
        (_, true) => Asked::ToTake,
        (true, false) => Asked::WhatWeHave,
        (false, false) => Asked::Nothing,
    }
}

/// The description in a message, if there is one that can be understood.
pub(super) fn read(headers: &Headers, body: &[u8]) -> Option<Description> {
    let mut all = headers.iter();
    let kind = all.find(|header| header.name().eq_ignore_ascii_case("Content-Type"));
    Description::read(kind.map(Header::value), body).ok()
}

async fn stopped_for_a_while(switchboard: &Switchboard) {
    switchboard.stopped().await;
    tokio::time::sleep(GRACE).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reinvite_waits_until_our_own_is_answered_even_without_an_offer() {
        let asked = |method: Method| {
            [(true, true), (false, true), (true, false), (false, false)]
                .map(|(has_offer, glares)| asked(&method, has_offer, glares))
        };
        use Asked::AtTheWrongTime;
        use Asked::Nothing;
        use Asked::ToTake;
        use Asked::WhatWeHave;
        assert_eq!(
            asked(Method::Invite),
            [AtTheWrongTime, AtTheWrongTime, ToTake, WhatWeHave]
        );
        assert_eq!(
            asked(Method::Update),
            [AtTheWrongTime, Nothing, ToTake, Nothing]
        );
    }
}
