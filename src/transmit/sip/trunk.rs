//! A trunk: who is behind it, whether it is in service, and its free lines.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use rsipstack::dialog::authenticate::Credential;
use rsipstack::sip::Auth;
use rsipstack::sip::Domain;
use rsipstack::sip::Host;
use rsipstack::sip::HostWithPort;
use rsipstack::sip::Scheme;
use rsipstack::sip::Transport;
use rsipstack::sip::Uri;
use rsipstack::transport::SipAddr;
use tokio::sync::Notify;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

use super::pace::Pace;
use crate::config;
use crate::config::Wire;
use crate::secret::Secret;
use crate::time::Clock;
use crate::time::Timestamp;

/// An address that the DNS names no more is believed for so long: longer than any call.
const REMEMBERED: Duration = Duration::from_secs(2 * 60 * 60);

/// A provider, or a telephone exchange.
pub(super) struct Trunk {
    /// How it was configured.
    pub(super) config: config::Trunk,
    password: Option<Secret>,
    lines: Arc<Semaphore>,
    pace: Mutex<Pace>,
    state: Mutex<State>,
    /// Told when a line is freed and when the trunk comes back into service: of all trunks together.
    changed: Arc<Notify>,
}

/// A line of a trunk; dropping it frees it.
pub(super) struct TrunkLine {
    /// The trunk.
    pub(super) trunk: Arc<Trunk>,
    // Before `changed`: the line is free when somebody is told.
    permit: Option<OwnedSemaphorePermit>,
    changed: Arc<Notify>,
}

/// Why there is no line now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoLine {
    /// All are taken.
    Busy,
    /// The next call may begin then.
    TooSoon(Timestamp),
    /// It is out of service.
    Down(String),
}

#[derive(Debug)]
struct State {
    /// What the DNS says now.
    addresses: Vec<SocketAddr>,
    /// What it has said, and when last.
    known: HashMap<IpAddr, Timestamp>,
    registration: Registration,
    /// Until when nothing goes over it, and why.
    out: Option<(Timestamp, String)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Registration {
    NotAsked,
    /// The first answer has not come yet.
    Pending,
    Registered,
    Refused(String),
}

impl Trunk {
    /// A trunk, and its password read.
    ///
    /// # Errors
    /// What the system says of the password file.
    pub(super) fn new(
        config: config::Trunk,
        config_file: &Path,
        changed: Arc<Notify>,
    ) -> io::Result<Self> {
        let password = config.password_file.as_ref();
        let password = password.map(|file| file.read(config_file)).transpose()?;
        let registration = match config.register {
            true => Registration::Pending,
            false => Registration::NotAsked,
        };
        let address = config.proxy.host.parse().ok();
        let state = State {
            addresses: address
                .map(|ip: IpAddr| (ip, config.proxy.port).into())
                .into_iter()
                .collect(),
            known: HashMap::new(),
            registration,
            out: None,
        };
        Ok(Self {
            lines: Arc::new(Semaphore::new(config.lines)),
            pace: Mutex::new(Pace::new(config.calls_per_second, 1)),
            state: Mutex::new(state),
            password,
            config,
            changed,
        })
    }

    /// A line for a call that begins now.
    pub(super) fn try_line(self: &Arc<Self>, now: Timestamp) -> Result<TrunkLine, NoLine> {
        self.condition(now).map_err(NoLine::Down)?;
        let mut line = self.try_line_in().ok_or(NoLine::Busy)?;
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(at) = pace.take(now) {
            // Nobody has to be told of a line that was never used.
            line.permit = None;
            return Err(NoLine::TooSoon(at));
        }
        Ok(line)
    }

    /// A line for a call that comes in; `None` if all are taken.
    pub(super) fn try_line_in(self: &Arc<Self>) -> Option<TrunkLine> {
        let permit = Arc::clone(&self.lines).try_acquire_owned().ok()?;
        Some(TrunkLine {
            trunk: Arc::clone(self),
            permit: Some(permit),
            changed: Arc::clone(&self.changed),
        })
    }

    /// Whether calls can go over it.
    ///
    /// # Errors
    /// Why not, in one line.
    pub(super) fn condition(&self, now: Timestamp) -> Result<(), String> {
        let state = self.state();
        if let Some((_, why)) = state.out.as_ref().filter(|(until, _)| *until > now) {
            return Err(why.clone());
        }
        if let Registration::Refused(why) = &state.registration {
            return Err(why.clone());
        }
        match state.addresses.is_empty() {
            true => Err(format!("{} has no address", self.config.proxy.host)),
            false => Ok(()),
        }
    }

    /// Nothing goes over it until then.
    pub(super) fn take_out(&self, until: Timestamp, why: &str) {
        let trunk = &self.config.name;
        tracing::warn!(trunk, why, until = until.rfc3339(), "a trunk is left alone");
        self.state().out = Some((until, why.to_owned()));
        self.changed.notify_waiters();
    }

    /// It carried a call or answered: whatever was wrong is over.
    pub(super) fn put_back(&self) {
        self.state().out = None;
        self.changed.notify_waiters();
    }

    /// What came of a registration.
    pub(super) fn registered(&self, result: Result<(), String>) {
        let trunk = &self.config.name;
        let registration = match result {
            Ok(()) => Registration::Registered,
            Err(why) => Registration::Refused(why),
        };
        let mut state = self.state();
        if state.registration != registration {
            match &registration {
                Registration::Refused(why) => {
                    tracing::warn!(trunk, why, "a trunk is not registered");
                }
                Registration::NotAsked | Registration::Pending | Registration::Registered => {
                    tracing::info!(trunk, "a trunk is registered");
                }
            }
        }
        state.registration = registration;
        drop(state);
        self.changed.notify_waiters();
    }

    /// Asks the DNS who its proxy is. Those known before stay when the DNS does not answer.
    pub(super) async fn resolve(&self, clock: &dyn Clock) {
        let proxy = &self.config.proxy;
        let found = tokio::net::lookup_host((proxy.host.as_str(), proxy.port)).await;
        match found.map(Iterator::collect::<Vec<_>>) {
            Ok(addresses) if !addresses.is_empty() => {
                self.learn(addresses, clock.now());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(trunk = self.config.name, %error, "the DNS does not know a trunk");
            }
        }
    }

    /// The DNS names these addresses. Those that it named before stay the proxy's while a call may go on that began there: large
    /// providers name a few of theirs in turn.
    fn learn(&self, addresses: Vec<SocketAddr>, now: Timestamp) {
        let mut state = self.state();
        let named = addresses.iter().map(|address| address.ip().to_canonical());
        state.known.extend(named.map(|address| (address, now)));
        state.known.retain(|_, last| now.since(*last) <= REMEMBERED);
        state.addresses = addresses;
        drop(state);
        self.changed.notify_waiters();
    }

    /// Whether requests from there are its proxy's.
    pub(super) fn is_at(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        let state = self.state();
        let mut named = state.addresses.iter();
        named.any(|address| address.ip().to_canonical() == source)
            || state.known.contains_key(&source)
    }

    /// Whether its proxy is believed over `wire`: one with TLS says nothing in the clear, where anybody could speak for it.
    pub(super) fn is_heard_over(&self, wire: Wire) -> bool {
        self.config.proxy.wire != Wire::Tls || wire == Wire::Tls
    }

    /// The proxy's address.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.state().addresses.first().copied()
    }

    /// Where all requests to it go.
    pub(super) fn target(&self) -> Option<SipAddr> {
        let address = self.address()?;
        let named = self.config.proxy.wire == Wire::Tls;
        let host = match self.config.proxy.host.parse::<IpAddr>() {
            // The certificate is checked against the name.
            Err(_) if named => Host::Domain(Domain::from(self.config.proxy.host.as_str())),
            _ => Host::IpAddr(address.ip()),
        };
        let addr = HostWithPort {
            host,
            port: Some(address.port().into()),
        };
        Some(SipAddr::new(self.transport(), addr))
    }

    /// What carries requests to it.
    pub(super) fn transport(&self) -> Transport {
        match self.config.proxy.wire {
            Wire::Udp => Transport::Udp,
            Wire::Tcp => Transport::Tcp,
            Wire::Tls => Transport::Tls,
        }
    }

    /// The address of `user` there; the domain itself without one.
    pub(super) fn uri(&self, user: Option<&str>) -> Uri {
        let (proxy, domain) = (&self.config.proxy, self.config.domain.as_ref());
        let named = domain.unwrap_or(&proxy.host);
        let host = match named.parse::<IpAddr>() {
            Ok(address) => Host::IpAddr(address),
            Err(_) => Host::Domain(Domain::from(named.as_str())),
        };
        let usual = if proxy.wire == Wire::Tls { 5061 } else { 5060 };
        let said = domain.is_none() && proxy.port != usual;
        Uri {
            scheme: Some(Scheme::Sip),
            auth: user.map(|user| Auth {
                user: user.to_owned(),
                password: None,
            }),
            host_with_port: HostWithPort {
                host,
                port: said.then(|| proxy.port.into()),
            },
            ..Uri::default()
        }
    }

    /// Who we are there, if it asks.
    pub(super) fn credential(&self) -> Option<Credential> {
        let user = self.config.user.as_ref()?;
        let password = self.password.as_ref()?;
        Some(Credential {
            username: user.clone(),
            password: password.expose().to_owned(),
            ..Credential::default()
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TrunkLine {
    fn drop(&mut self) {
        if self.permit.take().is_some() {
            self.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NumberFormat;
    use crate::config::SipUri;

    fn trunk(proxy: &str, domain: Option<&str>, register: bool) -> Arc<Trunk> {
        let config = config::Trunk {
            name: "one".into(),
            proxy: SipUri::parse(proxy).unwrap(),
            domain: domain.map(str::to_owned),
            user: Some("fax".into()),
            password_file: None,
            ca_file: None,
            register,
            lines: 2,
            calls_per_second: 5,
            number_format: NumberFormat::E164,
        };
        Arc::new(Trunk::new(config, Path::new("/"), Arc::default()).unwrap())
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn lines_and_calls_a_second_are_limited() {
        let trunk = trunk("sip:192.0.2.1", None, false);
        let first = trunk.try_line(at(0)).unwrap_or_else(|_| panic!("no line"));
        assert_eq!(trunk.try_line(at(0)).err(), Some(NoLine::TooSoon(at(200))));
        let second = trunk.try_line(at(200)).ok();
        assert!(second.is_some());
        assert_eq!(trunk.try_line(at(1000)).err(), Some(NoLine::Busy));
        drop(first);
        assert!(trunk.try_line(at(1000)).is_ok());
    }

    #[test]
    fn a_trunk_out_of_service_has_no_line_until_its_time_is_over() {
        let trunk = trunk("sip:192.0.2.1", None, true);
        assert!(trunk.try_line(at(0)).is_ok(), "calls need no registration");
        trunk.take_out(at(5_000), "it answered 503");
        let down = NoLine::Down("it answered 503".into());
        assert_eq!(trunk.try_line(at(4_999)).err(), Some(down));
        assert!(trunk.try_line(at(5_000)).is_ok());
        trunk.registered(Err("its registrar answered 403".into()));
        assert!(trunk.condition(at(9_000)).is_err());
        trunk.registered(Ok(()));
        assert_eq!(trunk.condition(at(9_000)), Ok(()));
    }

    #[test]
    fn only_the_proxy_is_a_friend() {
        let trunk = trunk("sip:192.0.2.1:5080", None, false);
        assert!(trunk.is_at("192.0.2.1".parse().unwrap()));
        assert!(trunk.is_at("::ffff:192.0.2.1".parse().unwrap()));
        assert!(!trunk.is_at("192.0.2.2".parse().unwrap()));
    }

    #[test]
    fn an_address_that_the_dns_names_no_more_is_the_proxys_until_its_calls_are_over() {
        let trunk = trunk("sip:voip.example", None, false);
        let address = |text: &str| vec![text.parse().unwrap()];
        trunk.learn(address("192.0.2.1:5060"), at(0));
        trunk.learn(address("192.0.2.2:5060"), at(60_000));
        assert_eq!(trunk.address(), Some("192.0.2.2:5060".parse().unwrap()));
        assert!(trunk.is_at("192.0.2.1".parse().unwrap()));
        trunk.learn(address("192.0.2.2:5060"), at(3 * 60 * 60 * 1000));
        assert!(!trunk.is_at("192.0.2.1".parse().unwrap()));
        assert!(trunk.is_at("192.0.2.2".parse().unwrap()));
    }

    #[test]
    fn our_address_there_has_the_domain_and_else_the_proxy() {
        let own = trunk("sip:192.0.2.1:5080", None, false);
        assert_eq!(own.uri(Some("fax")).to_string(), "sip:fax@192.0.2.1:5080");
        let named = trunk("sip:192.0.2.1:5080", Some("voip.example"), false);
        assert_eq!(named.uri(None).to_string(), "sip:voip.example");
        let encrypted = trunk("sip:192.0.2.1:5061;transport=tls", None, false);
        assert_eq!(encrypted.uri(Some("a")).to_string(), "sip:a@192.0.2.1");
    }
}
