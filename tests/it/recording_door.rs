//! A door that keeps what it is given, a clock that a test can hold, and limits for tests.

use std::sync::Mutex;
use std::time::Duration;

use faxgate::config::Smtp;
use faxgate::fax::CountryCode;
use faxgate::fax::Destination;
use faxgate::fax::NumberError;
use faxgate::ingress::Door;
use faxgate::ingress::LoginVerdict;
use faxgate::ingress::RecipientRefusal;
use faxgate::ingress::SenderRefusal;
use faxgate::ingress::Verdict;
use faxgate::refusal::Malformed;
use faxgate::refusal::Refusal;
use faxgate::smtp::Address;
use faxgate::smtp::Envelope;
use faxgate::smtp::Identity;
use faxgate::smtp::Login;
use faxgate::smtp::LoginProof;
use faxgate::smtp::Notify;
use faxgate::smtp::ReceivedMessage;
use faxgate::smtp::Returned;
use faxgate::smtp::ScramChallenge;
use faxgate::time::Clock;
use faxgate::time::Timestamp;
use faxgate::time::Wait;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A message as the door was given it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) raw: Vec<u8>,
    pub(crate) login: Option<String>,
    /// RET and ENVID, then NOTIFY and ORCPT of each recipient; `-` where nothing was said.
    pub(crate) asked: String,
}

/// Keeps messages, and says what their `X-Verdict` header asks for.
pub(crate) struct Recorder {
    messages: Mutex<Vec<Recorded>>,
    accepted: Mutex<usize>,
    /// A message with `X-Verdict: held` waits for a permit.
    pub(crate) gate: Semaphore,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            messages: Mutex::default(),
            accepted: Mutex::default(),
            gate: Semaphore::new(0),
        }
    }
}

impl Recorder {
    /// Something about the first message not yet forgotten.
    pub(crate) fn expected<T>(&self, of: impl Fn(&Recorded) -> T) -> Result<T, String> {
        let messages = self.messages.lock().unwrap();
        messages.first().map(of).ok_or_else(|| "no message".into())
    }

    pub(crate) fn forget_first(&self) {
        self.messages.lock().unwrap().remove(0);
    }

    /// The messages not yet forgotten.
    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.messages.lock().unwrap().clone()
    }

    pub(crate) fn left(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    fn accept(&self) -> Verdict {
        let mut accepted = self.accepted.lock().unwrap();
        *accepted += 1;
        Verdict::Accepted {
            batch: format!("batch-{accepted}"),
        }
    }
}

impl Door for Recorder {
    fn recipient(&self, address: &Address) -> Result<(), RecipientRefusal> {
        let local = address.local().trim_matches('"');
        match address.domain() {
            "fax.example" => {
                let number = local.strip_prefix("FAX=").unwrap_or(local);
                Destination::parse(number, &CountryCode::parse("81").unwrap())
                    .map(|_| ())
                    .map_err(RecipientRefusal::Number)
            }
            "list.fax.example" if local.contains('%') => Err(RecipientRefusal::ListName),
            "list.fax.example" => Ok(()),
            _ => Err(RecipientRefusal::ForeignDomain),
        }
    }

    /// The salt, the nonce and the login of RFC 7677 section 3.
    fn challenge(&self, _login_id: &str) -> Option<ScramChallenge> {
        Some(ScramChallenge {
            nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".into(),
            salt: b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81".into(),
            iterations: 4096,
        })
    }

    /// `tanaka` has the password `right`; `busy` cannot be judged.
    async fn login(&self, login: Login) -> LoginVerdict {
        let signature = match &login.proof {
            LoginProof::Password(password) if password.expose() == "right" => None,
            LoginProof::Scram { proof, .. } if proof[..4] == [0x74, 0x7c, 0xdb, 0x65] => {
                Some([0x2a; 32])
            }
            LoginProof::Certificate(_) | LoginProof::Password(_) | LoginProof::Scram { .. } => {
                let not_before = Some(login.received_at.plus(Duration::from_millis(250)));
                let refusal = match login.login_id.as_str() {
                    "busy" => Refusal::Busy,
                    _ => Refusal::NotAuthenticated,
                };
                return LoginVerdict::Refused {
                    refusal,
                    not_before,
                };
            }
        };
        LoginVerdict::Accepted {
            identity: Identity {
                account: login.login_id,
                credentials: [7; 32],
            },
            signature,
        }
    }

    /// `tanaka` has one address, is locked once it asked for `locked@customer.example`, and has another
    /// password once it asked for `changed@customer.example`.
    fn sender(
        &self,
        identity: &Identity,
        reverse_path: Option<&Address>,
    ) -> Result<(), SenderRefusal> {
        let account = &identity.account;
        match reverse_path.map(Address::as_str) {
            Some("changed@customer.example") => Err(SenderRefusal::Changed),
            Some("locked@customer.example") => Err(SenderRefusal::Locked),
            Some(address) if address == format!("{account}@customer.example") => Ok(()),
            _ => Err(SenderRefusal::NotYours),
        }
    }

    async fn message(&self, message: ReceivedMessage) -> Verdict {
        let sender = message.envelope.reverse_path.as_ref();
        let recipients = message.envelope.recipients.iter();
        self.messages.lock().unwrap().push(Recorded {
            from: sender.map_or("<>".into(), |address| address.to_string()),
            to: recipients.map(|to| to.address.to_string()).collect(),
            asked: asked(&message.envelope),
            raw: message.raw.to_vec(),
            login: message
                .authenticated
                .as_ref()
                .map(|identity| identity.account.clone()),
        });
        let text = String::from_utf8_lossy(&message.raw).into_owned();
        let asked = text
            .lines()
            .find_map(|line| line.strip_prefix("X-Verdict: "));
        let mut not_before = None;
        let refusal = match asked {
            None => return self.accept(),
            Some("held") => {
                self.gate.acquire().await.unwrap().forget();
                return self.accept();
            }
            Some("automatic") => Refusal::AutomaticMail,
            Some("busy") => Refusal::Busy,
            Some("storage") => Refusal::Storage,
            Some("no-such-list") => Refusal::NoSuchList,
            Some("number") => Refusal::Number(NumberError::TooLong),
            Some("option") => Refusal::UnknownOption("/zz".into()),
            Some("empty") => Refusal::Malformed(Malformed::Empty),
            Some("header") => Refusal::Malformed(Malformed::HeaderTooLong),
            Some(proof) => {
                if proof.starts_with("late") {
                    tokio::time::sleep(Duration::from_millis(90)).await;
                }
                not_before = Some(message.received_at.plus(Duration::from_millis(250)));
                Refusal::NotAuthenticated
            }
        };
        Verdict::Refused {
            refusal,
            not_before,
        }
    }
}

fn asked(envelope: &Envelope) -> String {
    let returned = match envelope.returned {
        Some(Returned::Full) => "FULL",
        Some(Returned::Headers) => "HDRS",
        None => "-",
    };
    let id = envelope.envelope_id.as_deref().unwrap_or("-");
    let of_each = envelope.recipients.iter().map(|to| {
        let events = [
            (Notify::SUCCESS, "S"),
            (Notify::FAILURE, "F"),
            (Notify::DELAY, "D"),
        ];
        let notify = match to.notify {
            None => "-".to_owned(),
            Some(Notify::NEVER) => "NEVER".to_owned(),
            Some(notify) => {
                let wanted = events.iter().filter(|(event, _)| notify.wants(*event));
                wanted.map(|(_, letter)| *letter).collect()
            }
        };
        let original = to.original.as_ref();
        let original = original.map_or("-".to_owned(), |o| format!("{};{}", o.kind, o.text));
        format!(" {notify} {original}")
    });
    format!("{returned} {id}{}", of_each.collect::<String>())
}

/// The runtime's own time, which a test can hold.
pub(crate) struct TokioClock(Instant);

impl Default for TokioClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(1_795_339_800_000).plus(self.0.elapsed())
    }

    fn wait_until(&self, until: Timestamp) -> Wait<'_> {
        Box::pin(tokio::time::sleep(until.since(self.now())))
    }
}

/// The limits of the tests.
pub(crate) fn limits() -> Smtp {
    Smtp {
        listen: Vec::new(),
        max_message: 20_000,
        max_recipients: 500,
        max_header: 10_000,
        max_parts: 100,
        max_depth: 10,
        max_connections: 1_000,
        max_connections_per_address: 1_000,
        max_errors: 10,
        command_timeout: Duration::from_secs(300),
        data_timeout: Duration::from_secs(600),
        ..Smtp::default()
    }
}
