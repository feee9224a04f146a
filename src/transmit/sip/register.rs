//! REGISTER: telling a trunk where we are, so that calls come in (RFC 3261 section 10).

use std::sync::Arc;
use std::time::Duration;

use rsipstack::dialog::authenticate::AuthRetry;
use rsipstack::dialog::authenticate::handle_client_authenticate;
use rsipstack::sip::CallId;
use rsipstack::sip::Header;
use rsipstack::sip::Method;
use rsipstack::sip::Request;
use rsipstack::sip::Response;
use rsipstack::sip::SipMessage;
use rsipstack::sip::StatusCode;
use rsipstack::sip::headers::Expires;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::typed;
use rsipstack::transaction::key::TransactionKey;
use rsipstack::transaction::key::TransactionRole;
use rsipstack::transaction::make_call_id;
use rsipstack::transaction::make_tag;
use rsipstack::transaction::transaction::Transaction;

use super::switchboard::Switchboard;
use super::trunk::Trunk;
use super::verdict;

/// Seconds that we ask for.
const EXPIRES: u32 = 600;
/// Nobody is asked more often, whatever it grants.
const SHORTEST: Duration = Duration::from_secs(20);
/// First pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How long the farewell may take when the gateway stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// One registration through its renewals.
struct Registrar<'a> {
    switchboard: &'a Switchboard,
    trunk: &'a Trunk,
    call_id: CallId,
    sequence: u32,
    expires: u32,
}

/// Why there is no registration.
struct Trouble {
    why: String,
    /// The user or the password is wrong: asking often may lock us out.
    is_ours: bool,
    retry_after: Option<Duration>,
}

/// Keeps us registered until the gateway stops.
pub(super) async fn keep(switchboard: Arc<Switchboard>, trunk: Arc<Trunk>) {
    let mut registrar = Registrar {
        switchboard: &switchboard,
        trunk: &trunk,
        call_id: make_call_id(None, switchboard.station.endpoint().option.callid_format),
        sequence: 0,
        expires: EXPIRES,
    };
    let mut failures = 0;
    loop {
        let pause = match registrar.ask().await {
            Ok(granted) => {
                failures = 0;
                trunk.registered(Ok(()));
                // Before it is over, with time for a repetition.
                (granted * 3 / 4).max(SHORTEST)
            }
            Err(trouble) => {
                failures += 1;
                trunk.registered(Err(trouble.why));
                let usual = pause_after(failures, trouble.is_ours);
                trouble.retry_after.map_or(usual, |asked| usual.max(asked))
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = switchboard.stopped() => break,
        }
    }
    registrar.expires = 0;
    let _ = tokio::time::timeout(FAREWELL, registrar.ask()).await;
}

/// How long to wait after so many failures in a row.
fn pause_after(failures: u32, is_ours: bool) -> Duration {
    let doubled = FIRST_PAUSE * 2_u32.saturating_pow(failures.min(10).saturating_sub(1));
    match is_ours {
        true => LONGEST_PAUSE,
        false => doubled.min(LONGEST_PAUSE),
    }
}

impl Registrar<'_> {
    /// Asks once; for how long it is granted.
    async fn ask(&mut self) -> Result<Duration, Trouble> {
        let answer = self.exchange().await.map_err(|error| Trouble {
            // The error may repeat what was sent.
            why: match matches!(error, rsipstack::Error::DnsResolutionError(_)) {
                true => "its name is unknown".to_owned(),
                false => "it cannot be reached".to_owned(),
            },
            is_ours: false,
            retry_after: None,
        })?;
        let code = answer.status_code.code();
        if answer.status_code == StatusCode::OK {
            return Ok(granted(&answer, self.expires));
        }
        if code == 423 {
            // RFC 3261 section 10.3: the registrar says what it takes.
            self.expires = min_expires(&answer).unwrap_or(EXPIRES * 6);
        }
        let retry_after = header(&answer, "Retry-After");
        Err(Trouble {
            why: match code {
                401 | 407 => "its registrar does not take our user or password".to_owned(),
                408 => "its registrar does not answer".to_owned(),
                _ => format!("its registrar answered {code}"),
            },
            is_ours: matches!(code, 401 | 403 | 407),
            retry_after: retry_after.and_then(|value| verdict::retry_after(&value)),
        })
    }

    async fn exchange(&mut self) -> rsipstack::Result<Response> {
        let endpoint = self.switchboard.station.endpoint();
        let Some(target) = self.trunk.target() else {
            let host = self.trunk.config.proxy.host.clone();
            return Err(rsipstack::Error::DnsResolutionError(host));
        };
        let looked_up = endpoint.transport_layer.lookup(&target, None).await?;
        let via = endpoint.get_via(Some(looked_up.0.get_addr().clone()), None)?;
        let request = self.request(via);
        let key = TransactionKey::from_request(&request, TransactionRole::Client)?;
        let mut asking = Transaction::new_client(key, request, Arc::clone(endpoint), None);
        asking.destination = Some(target);
        asking.send().await?;
        let mut retry = AuthRetry::new();
        let credential = self.trunk.credential();
        while let Some(message) = asking.receive().await {
            let SipMessage::Response(answer) = message else {
                continue;
            };
            match (answer.status_code.code(), &credential) {
                (100..=199, _) => {}
                (401 | 407, Some(credential)) if retry.should_answer(&answer) => {
                    self.sequence += 1;
                    let again =
                        handle_client_authenticate(self.sequence, &asking, answer, credential);
                    asking = again.await?;
                    asking.send().await?;
                }
                (_, _) => return Ok(answer),
            }
        }
        Err(rsipstack::Error::EndpointError("no answer".to_owned()))
    }

    fn request(&mut self, via: typed::Via) -> Request {
        self.sequence += 1;
        let user = self.trunk.config.user.as_deref();
        let station = &self.switchboard.station;
        let own = self.trunk.uri(user);
        let to = typed::To {
            display_name: None,
            uri: own.clone(),
            params: Vec::new(),
        };
        let from = typed::From {
            display_name: None,
            uri: own,
            params: Vec::new(),
        };
        let mut request = station.endpoint().make_request(
            Method::Register,
            self.trunk.uri(None),
            via,
            from.with_tag(make_tag()),
            to,
            self.sequence,
            Some(self.call_id.clone()),
        );
        let contact = typed::Contact {
            display_name: None,
            uri: station.contact(self.trunk, user),
            params: Vec::new(),
        };
        request.headers.push(Header::Contact(contact.into()));
        let expires = Expires::from(self.expires);
        request.headers.push(Header::Expires(expires));
        request
    }
}

/// The shortest time that the answer grants any of our addresses, else what we asked for.
fn granted(answer: &Response, asked: u32) -> Duration {
    let contacts = answer.typed_contact_headers().unwrap_or_default();
    let of_contacts = contacts.iter().filter_map(typed::Contact::expires).min();
    let of_header = header(answer, "Expires").and_then(|value| value.trim().parse().ok());
    let seconds = of_contacts.or(of_header).unwrap_or(asked).min(86_400);
    Duration::from_secs(u64::from(seconds))
}

fn min_expires(answer: &Response) -> Option<u32> {
    let seconds: u32 = header(answer, "Min-Expires")?.trim().parse().ok()?;
    (1..=86_400).contains(&seconds).then_some(seconds)
}

/// The value of the first header with this name.
pub(super) fn header(answer: &Response, name: &str) -> Option<String> {
    let mut headers = answer.headers.iter();
    let found = headers.find(|header| header.name().eq_ignore_ascii_case(name))?;
    Some(found.value().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &str) -> Response {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:f@x>;tag=a\r\n\
             To: <sip:f@x>;tag=b\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        text.as_str().try_into().unwrap()
    }

    #[test]
    fn a_registration_is_renewed_for_as_long_as_it_was_granted() {
        for (lines, seconds) in [
            ("Contact: <sip:f@192.0.2.9:5060>;expires=120\r\n", 120),
            ("Contact: <sip:f@192.0.2.9:5060>\r\nExpires: 90\r\n", 90),
            (
                "Contact: <sip:f@h>;expires=3600, <sip:f@i>;expires=60\r\n",
                60,
            ),
            ("", 600),
        ] {
            assert_eq!(granted(&answer(lines), 600).as_secs(), seconds, "{lines}");
        }
    }

    #[test]
    fn pauses_double_to_five_minutes_and_a_wrong_password_is_not_repeated_soon() {
        let seconds: Vec<_> = (1..=10).map(|n| pause_after(n, false).as_secs()).collect();
        assert_eq!(seconds, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(pause_after(1, true).as_secs(), 300);
        assert_eq!(pause_after(u32::MAX, false).as_secs(), 300);
    }
}
