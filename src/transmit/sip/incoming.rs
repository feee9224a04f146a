//! Calls that come in: who may call whom, the answer, and then the same session as for calls that we make.
//!
//! Whether the caller is a trunk was asked before (`endpoint`). A call that is refused leaves nothing but a count: its number,
//! its description and a free line are looked at before a process is started for it.

mod arrival;
mod called;

use std::io;
use std::sync::Arc;

use rsipstack::dialog::dialog::DialogState;
use rsipstack::dialog::dialog::DialogStateReceiver;
use rsipstack::sip::Header;
use rsipstack::sip::StatusCode;
use rsipstack::sip::prelude::HasHeaders;
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::OwnedSemaphorePermit;

use super::endpoint;
use super::endpoint::ALLOW;
use super::hook::Hook;
use super::offer;
use super::sdp::Choice;
use super::sdp::Description;
use super::sdp::Ours;
use super::session::Session;
use super::switchboard::Switchboard;
use super::trunk::Trunk;
use super::trunk::TrunkLine;
use crate::fax::CallProgress;
use crate::fax::FaxNumber;
use crate::fax::Modem;
use crate::fax::StationId;
use crate::transmit::Watch;
use crate::transmit::line::Assignment;
use crate::transmit::line::Carrier;
use crate::transmit::line::Task;
use crate::transmit::line::Worker;

pub(super) use arrival::Arrivals;
pub(super) use arrival::take_over;

/// A call that is answered.
struct Call {
    switchboard: Arc<Switchboard>,
    trunk: Arc<Trunk>,
    called: FaxNumber,
    /// `None`: the far end leaves the offer to us.
    offer: Option<Description>,
    /// Freed when the fax is stored: what cannot be stored is not received either.
    _seat: OwnedSemaphorePermit,
    /// Freed when the call is over.
    line: TrunkLine,
}

/// Why a call is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum No {
    /// No account of ours receives faxes at this number.
    NotFound,
    /// All lines are taken.
    Busy,
    /// It needs an extension of SIP that we do not have.
    Extension,
    /// Nothing in its description is anything that we can carry.
    NotAcceptable,
    /// The gateway stops.
    Stopping,
    /// A fault of ours.
    Fault,
    /// The caller has hung up meanwhile.
    Gone,
}

/// What we say first.
struct Opening {
    ours: Ours,
    body: String,
    now: Choice,
    /// `None`: the far end is on hold, or says it with its ACK.
    carrier: Option<Carrier>,
}

/// Answers an INVITE that begins a call over `trunk`.
pub(super) async fn handle(switchboard: Arc<Switchboard>, trunk: Arc<Trunk>, request: Transaction) {
    let call = match admit(&switchboard, &trunk, &request) {
        Ok(call) => call,
        Err(no) => return no.say(request).await,
    };
    let station = &switchboard.station;
    let (events, happened) = station.dialogs.new_dialog_state_channel();
    let own = call.called.digits();
    let contact = station.contact(&trunk, Some(&format!("+{own}")));
    let created =
        station
            .dialogs
            .get_or_create_server_invite(&request, events, None, Some(contact));
    let mut dialog = match created {
        Ok(dialog) => dialog,
        Err(error) => {
            tracing::info!(%error, "a call that came in has no usable header fields");
            return No::Fault.say(request).await;
        }
    };
    let hook = Hook::new(&station.dialogs, dialog.clone());
    tokio::spawn(call.run(hook, happened));
    // Until the far end has acknowledged our answer, whatever it is, or has hung up.
    let mut request = request;
    if let Err(error) = dialog.handle(&mut request).await {
        tracing::debug!(%error, "a call that came in was not acknowledged");
    }
}

fn admit(
    switchboard: &Arc<Switchboard>,
    trunk: &Arc<Trunk>,
    request: &Transaction,
) -> Result<Call, No> {
    if *switchboard.stopping.borrow() {
        return Err(No::Stopping);
    }
    let invite = &request.original;
    if called::needs_extension(invite.headers()) {
        return Err(No::Extension);
    }
    let format = trunk.config.number_format;
    let numbers = called::numbers(invite, format, &switchboard.country);
    let mut ours = numbers
        .into_iter()
        .filter(|number| switchboard.inbound.serves(number));
    let called = ours.next().ok_or(No::NotFound)?;
    let offer = match invite.body().is_empty() {
        true => None,
        false => Some(described(invite.headers(), invite.body()).ok_or(No::NotAcceptable)?),
    };
    let seats = &switchboard.arrivals.seats;
    let seat = Arc::clone(seats).try_acquire_owned();
    Ok(Call {
        _seat: seat.map_err(|_| No::Busy)?,
        line: trunk.try_line_in().ok_or(No::Busy)?,
        switchboard: Arc::clone(switchboard),
        trunk: Arc::clone(trunk),
        called,
        offer,
    })
}

impl Call {
    async fn run(self, mut hook: Hook, events: DialogStateReceiver) {
        let name = arrival::name(self.switchboard.now(), &hook);
        let (opening, worker) = match self.prepare(&name).await {
            Ok(prepared) => prepared,
            Err(no) => {
                self.switchboard.workers.forget(&name).await;
                no.count();
                if let Some(dialog) = hook.dialog() {
                    // A dialog that is over already needs no answer.
                    let _ = dialog.reject(Some(no.code()), None);
                }
                return hook.hang_up().await;
            }
        };
        if !accept(&hook, opening.body) {
            No::Gone.count();
            drop(worker);
            self.switchboard.workers.forget(&name).await;
            return hook.hang_up().await;
        }
        let (called, trunk) = (self.called.shortened(), &self.trunk.config.name);
        tracing::info!(call = name, called, trunk, "a call came in");
        let session = Session {
            switchboard: &self.switchboard,
            hook,
            events,
            worker,
            ours: opening.ours,
            now: opening.now,
            ack_answers: self.offer.is_none(),
            watch: &Log(&name),
        };
        let ended = session.run().await;
        drop(self.line);
        let about = arrival::About::of(&self.called, trunk);
        arrival::keep(&self.switchboard, &name, &about, ended).await;
    }

    /// A socket, our description, and a worker that is told what carries the call.
    async fn prepare(&self, name: &str) -> Result<(Opening, Worker), No> {
        let fault = |error: io::Error| {
            tracing::error!(%error, call = name, "a call that came in could not be taken");
            No::Fault
        };
        let (socket, place) = self.switchboard.media(&self.trunk).map_err(fault)?;
        let session = u64::try_from(self.switchboard.now().as_ms()).unwrap_or_default();
        let ours = Ours::new(session, place);
        let opening = opening(ours, self.offer.as_ref(), self.switchboard.config.t38);
        let opening = opening.ok_or(No::NotAcceptable)?;
        if opening
            .carrier
            .is_some_and(|carrier| remote(carrier).is_ipv4() != place.is_ipv4())
        {
            return Err(No::NotAcceptable);
        }
        let assignment = Assignment {
            name: name.to_owned(),
            about: arrival::About::of(&self.called, &self.trunk.config.name).to_text(),
            task: Task::Receive,
            local_id: StationId::from_far_end(format!("+{}", self.called.digits()).as_bytes()),
            sub_address: None,
            ecm: true,
            fastest: Modem::V17,
            limits: self.switchboard.limits,
            pacing: self.switchboard.pacing,
        };
        let workers = &self.switchboard.workers;
        let mut worker = workers.start(assignment, socket).await.map_err(fault)?;
        if let Some(carrier) = opening.carrier {
            worker.carry(carrier).await.map_err(fault)?;
        }
        Ok((opening, worker))
    }
}

/// What we say to the first offer, or offer ourselves: sound, and T.38 at once only where there is nothing else.
fn opening(mut ours: Ours, offer: Option<&Description>, t38: bool) -> Option<Opening> {
    let sound = Choice::Audio(offer::SOUND.to_vec());
    let Some(offered) = offer else {
        return Some(Opening {
            body: ours.offer(&sound),
            now: sound,
            carrier: None,
            ours,
        });
    };
    if let Some(body) = ours.answer(offered, &sound) {
        return Some(Opening {
            body,
            now: sound,
            carrier: offer::sound(offered),
            ours,
        });
    }
    let body = ours.answer(offered, &Choice::T38).filter(|_| t38)?;
    Some(Opening {
        body,
        now: Choice::T38,
        carrier: offer::fax(offered),
        ours,
    })
}

/// Answers; `false` if the caller was faster in hanging up.
fn accept(hook: &Hook, body: String) -> bool {
    let Some(dialog) = hook.dialog() else {
        return false;
    };
    let headers = vec![
        Header::ContentType("application/sdp".into()),
        Header::Allow(ALLOW.into()),
    ];
    let accepted = dialog.accept(Some(headers), Some(body.into_bytes()));
    accepted.is_ok() && !matches!(dialog.state(), DialogState::Terminated(..))
}

/// The description of the far end; a body of another kind, or one that is coded, is none.
fn described(headers: &rsipstack::sip::Headers, body: &[u8]) -> Option<Description> {
    let kind = called::value(headers, "Content-Type");
    let kind = kind.or_else(|| called::value(headers, "c"));
    let is_sdp = kind.is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.trim_start().starts_with("application/sdp")
            || kind.trim_start().starts_with("multipart/")
    });
    let is_plain = called::value(headers, "Content-Encoding")
        .is_none_or(|coding| coding.trim().eq_ignore_ascii_case("identity"));
    match is_sdp && is_plain {
        true => Description::read(kind, body).ok(),
        false => None,
    }
}

fn remote(carrier: Carrier) -> std::net::SocketAddr {
    match carrier {
        Carrier::Audio { remote, .. } | Carrier::T38 { remote, .. } => remote,
    }
}

impl No {
    /// Refuses a call, and waits until the caller knows.
    async fn say(self, request: Transaction) {
        self.count();
        if let Err(error) = endpoint::refuse(request, self.code()).await {
            tracing::debug!(%error, "a call could not be refused in order");
        }
    }

    fn code(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NotFound,
            Self::Busy => StatusCode::BusyHere,
            Self::Extension => StatusCode::BadExtension,
            Self::NotAcceptable => StatusCode::NotAcceptableHere,
            Self::Stopping | Self::Fault => StatusCode::ServiceUnavailable,
            Self::Gone => StatusCode::RequestTerminated,
        }
    }

    fn count(self) {
        let result = match self {
            Self::NotFound => "not-found",
            Self::Busy => "busy",
            Self::Extension | Self::NotAcceptable => "not-acceptable",
            Self::Stopping => "stopping",
            Self::Fault => "fault",
            Self::Gone => "cancelled",
        };
        arrival::count(result);
    }
}

/// What happens in a call that comes in concerns nobody but those who read logs.
struct Log<'a>(&'a str);

impl Watch for Log<'_> {
    fn note(&self, progress: CallProgress) {
        tracing::debug!(call = self.0, ?progress, "a fax comes in");
    }
}
