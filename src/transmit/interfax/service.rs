//! What can be asked of the service, and what its answers mean.

use crate::fax::Cause;
use crate::time::Clock;
use crate::transmit::Call;

use super::answer;
use super::answer::Record;
use super::client::Answer;
use super::client::Client;
use super::client::Silence;
use super::pace::Pace;
use super::pages;

/// The service, asked at its pace.
pub(super) struct Service {
    pub(super) client: Client,
    pub(super) pace: Pace,
}

/// What came of handing a fax over.
#[derive(Debug)]
pub(super) enum Handed {
    /// It has the fax, under this number if it said one.
    Over(Option<u64>),
    /// It has not, and could not be reached or does not want us.
    NotReached(String),
    /// It has not, and never will have this one.
    Refused(Cause, String),
    /// Nobody knows: its answer was lost, or says that it is out of order. It is looked for.
    Perhaps(String),
}

/// What came of asking for a fax.
#[derive(Debug)]
pub(super) enum Asked {
    /// This is how it is.
    Is(Record),
    /// The service has no such fax.
    Nowhere,
    /// There is no answer now, and why.
    NoAnswer(String),
}

/// What an answer says.
enum Said {
    Yes(Answer),
    Missing(String),
    BadRequest(Option<i64>, String),
    NotNow(String),
    Broken(String),
    Unwanted(String),
}

/// A list is looked through for one fax of just now.
const LIST: &str = "/outbound/faxes?limit=200&sortOrder=desc";

impl Service {
    /// Hands a fax over. `reference` is how it is found again.
    pub(super) async fn hand_over(
        &self,
        call: &Call,
        reference: &str,
        clock: &dyn Clock,
    ) -> Handed {
        let Some(tiff) = pages::from_page(call.fax.tiff.clone(), call.first_page) else {
            let why = "there is no such page".to_owned();
            return Handed::Refused(Cause::LocalFault, why);
        };
        if let Some(why) = self.pace.closed(clock.now()) {
            return Handed::NotReached(why);
        }
        let path = submission(call, reference, pages::is_fine(&tiff));
        let answer = match self.client.post(&path, tiff).await {
            Ok(answer) => answer,
            Err(Silence::NotAsked(why)) => {
                self.pace.away(&why);
                return Handed::NotReached(why);
            }
            Err(Silence::Unanswered(why)) => return Handed::Perhaps(why),
        };
        match self.judge(answer, clock) {
            Said::Yes(answer) => match answer.location.as_deref().and_then(answer::id) {
                Some(id) => Handed::Over(Some(id)),
                // Made, it says (RFC 9110 section 15.3.2), but not where.
                None if answer.status == 201 => Handed::Over(None),
                None => Handed::Perhaps(format!("it answered {} and named no fax", answer.status)),
            },
            Said::Missing(why) => {
                self.pace.refuses(clock.now(), &why);
                Handed::NotReached(why)
            }
            Said::BadRequest(code, why) => Handed::Refused(cause_of_refusal(code), why),
            Said::NotNow(why) | Said::Unwanted(why) => Handed::NotReached(why),
            Said::Broken(why) => Handed::Perhaps(why),
        }
    }

    /// How the fax with this number is.
    pub(super) async fn ask(&self, id: u64, clock: &dyn Clock) -> Asked {
        let path = format!("/outbound/faxes/{id}");
        match self.get(&path, clock).await {
            Ok(Said::Yes(answer)) => match answer::record(&answer.body) {
                Some(record) if record.id == id => Asked::Is(record),
                Some(_) | None => self.odd("its answer is no record of this fax"),
            },
            Ok(Said::Missing(_)) => Asked::Nowhere,
            Ok(said) => Asked::NoAnswer(said.why()),
            Err(why) => Asked::NoAnswer(why),
        }
    }

    /// How the fax with this reference is; where the service cannot search, its list is looked through.
    pub(super) async fn search(&self, reference: &str, clock: &dyn Clock) -> Asked {
        let path = format!("/outbound/search?reference={}", encoded(reference));
        let searched = match self.get(&path, clock).await {
            Ok(Said::Missing(_) | Said::BadRequest(..)) => self.get(LIST, clock).await,
            searched => searched,
        };
        let records = match searched {
            Ok(Said::Yes(answer)) => answer::records(&answer.body),
            Ok(said) => return Asked::NoAnswer(said.why()),
            Err(why) => return Asked::NoAnswer(why),
        };
        let Some(records) = records else {
            return self.odd("its answer is no list of faxes");
        };
        // It may search for parts of words, and may leave the reference out of what it finds.
        for found in records {
            match &found.reference {
                Some(of) if of == reference => return Asked::Is(found),
                Some(_) => {}
                None => match self.ask(found.id, clock).await {
                    Asked::Is(full) if full.reference.as_deref() == Some(reference) => {
                        return Asked::Is(full);
                    }
                    Asked::Is(_) | Asked::Nowhere => {}
                    Asked::NoAnswer(why) => return Asked::NoAnswer(why),
                },
            }
        }
        Asked::Nowhere
    }

    /// Finds out how the service is, where nobody has anything else to ask.
    pub(super) async fn probe(&self, clock: &dyn Clock) {
        if self.pace.closed(clock.now()).is_some() {
            return;
        }
        match self.get("/outbound/faxes?limit=1", clock).await {
            Ok(Said::Missing(why)) => self.pace.refuses(clock.now(), &why),
            Ok(Said::Yes(answer)) if answer::records(&answer.body).is_none() => {
                self.odd("its answer is no list of faxes");
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Somebody answers who is not the service.
    fn odd(&self, why: &str) -> Asked {
        self.pace.away(why);
        Asked::NoAnswer(why.to_owned())
    }

    async fn get(&self, path: &str, clock: &dyn Clock) -> Result<Said, String> {
        match self.client.get(path).await {
            Ok(answer) => Ok(self.judge(answer, clock)),
            Err(Silence::NotAsked(why) | Silence::Unanswered(why)) => {
                self.pace.away(&why);
                Err(why)
            }
        }
    }

    /// What an answer says, which the pace learns from.
    fn judge(&self, answer: Answer, clock: &dyn Clock) -> Said {
        const ASKED_TOO_OFTEN: i64 = -1011;
        let (code, text) = answer::error(&answer.body);
        let why = match (code, text.as_str()) {
            (None, "") => format!("it answered {}", answer.status),
            (None, text) => format!("it answered {}: {text}", answer.status),
            (Some(code), text) => format!("it answered {} ({code}): {text}", answer.status),
        };
        let status = answer.status;
        if status == 429 || (code == Some(ASKED_TOO_OFTEN) && status >= 400) {
            self.pace.too_many(clock.now(), answer.retry_after);
            return Said::NotNow(why);
        }
        let said = match status {
            200..=299 => Said::Yes(answer),
            404 | 405 | 410 | 501 => Said::Missing(why),
            400 | 409 | 413 | 414 | 415 | 422 => Said::BadRequest(code, why),
            408 | 500..=599 => Said::Broken(why),
            300..=399 => Said::Unwanted(format!("{why}: another address, which is not followed")),
            _ => Said::Unwanted(why),
        };
        match &said {
            Said::Yes(_) | Said::BadRequest(..) => self.pace.answers(),
            Said::Broken(why) => self.pace.away(why),
            Said::Unwanted(why) => self.pace.refuses(clock.now(), why),
            // Whether it is the fax that is missing or the service knows who asked.
            Said::Missing(_) | Said::NotNow(_) => {}
        }
        said
    }
}

impl Said {
    fn why(self) -> String {
        match self {
            Self::Yes(_) => "its answer cannot be read".to_owned(),
            Self::Missing(why)
            | Self::BadRequest(_, why)
            | Self::NotNow(why)
            | Self::Broken(why)
            | Self::Unwanted(why) => why,
        }
    }
}

/// Path and query of a submission. One try and no header line: tries are counted here, and the header is drawn already.
fn submission(call: &Call, reference: &str, fine: bool) -> String {
    let resolution = if fine { "fine" } else { "standard" };
    let mut query = vec![
        ("faxNumber", call.number.canonical()),
        // All tries, the first one included: 1 to 6.
        ("retriesToPerform", "1".to_owned()),
        ("pageHeader", "N".to_owned()),
        ("reference", reference.to_owned()),
        ("pageSize", "a4".to_owned()),
        ("resolution", resolution.to_owned()),
        ("rendering", "bw".to_owned()),
    ];
    if !call.local_id.as_str().is_empty() {
        query.push(("csid", call.local_id.as_str().to_owned()));
    }
    let pairs = query
        .iter()
        .map(|(key, value)| format!("{key}={}", encoded(value)));
    let pairs: Vec<_> = pairs.collect();
    format!("/outbound/faxes?{}", pairs.join("&"))
}

/// What stands in a query as it is (RFC 3986 section 2.3), the rest in percent signs.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| match plain(b) {
            true => char::from(b).to_string(),
            false => format!("%{b:02X}"),
        })
        .collect()
}

/// The service's codes for what is asked of it wrongly.
fn cause_of_refusal(code: Option<i64>) -> Cause {
    match code {
        // A number that is none; one that this account may not call.
        Some(-112) => Cause::NumberUnassigned,
        Some(-111) => Cause::CallRejected,
        Some(_) | None => Cause::LocalFault,
    }
}
