//! Asks DNS: through the resolvers that are configured, within limits, with a cache.

use std::borrow::Borrow;
use std::hash::Hash;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use mail_auth::DnsError;
use mail_auth::DnssecStatus;
use mail_auth::Error;
use mail_auth::MessageAuthenticator;
use mail_auth::RecordSet;
use mail_auth::ResolverCache;
use mail_auth::Txt;
use mail_auth::hickory_resolver::config::ConnectionConfig;
use mail_auth::hickory_resolver::config::NameServerConfig;
use mail_auth::hickory_resolver::config::ResolverConfig;
use mail_auth::hickory_resolver::config::ResolverOpts;
use mail_auth::hickory_resolver::system_conf::read_system_conf;

/// Longest wait for one answer; it is asked for twice.
const ONE_ANSWER: Duration = Duration::from_secs(3);
/// Answers kept at most.
const CACHED: u64 = 2_000;
/// Answers are kept at least and at most so long, whatever their TTL says; what does not exist may be
/// published any moment.
const FOUND: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));
const MISSING: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

/// Resolves through `servers`; through the system's if there are none.
///
/// # Errors
/// The system's resolvers cannot be read.
pub(super) fn resolver(servers: &[SocketAddr]) -> io::Result<MessageAuthenticator> {
    let (config, mut options) = match servers.is_empty() {
        true => read_system_conf().map_err(io::Error::other)?,
        false => (configured(servers), ResolverOpts::default()),
    };
    options.timeout = ONE_ANSWER;
    options.attempts = 1;
    options.cache_size = CACHED;
    (options.positive_min_ttl, options.positive_max_ttl) = (Some(FOUND.0), Some(FOUND.1));
    (options.negative_min_ttl, options.negative_max_ttl) = (Some(MISSING.0), Some(MISSING.1));
    MessageAuthenticator::new(config, options).map_err(io::Error::other)
}

fn configured(servers: &[SocketAddr]) -> ResolverConfig {
    let server = |address: &SocketAddr| {
        let at = |mut connection: ConnectionConfig| {
            connection.port = address.port();
            connection
        };
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        server.connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
        server
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

/// Counts the questions of one evaluation and answers none of them, until they are too many. A record
/// may name ten other names (RFC 7208 section 4.6.4), and each of those ten more.
pub(super) struct Budget {
    /// One more than may still be asked; 0 once that one was asked.
    left: AtomicUsize,
}

impl Budget {
    /// At most `questions`.
    pub(super) fn of(questions: usize) -> Self {
        Self {
            left: AtomicUsize::new(questions.saturating_add(1)),
        }
    }

    /// Whether there were more questions.
    pub(super) fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// Pays for a question; whether it was left to be paid.
    fn pays(&self) -> bool {
        let pay = |left: usize| left.checked_sub(1);
        let paid = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
        paid.is_ok_and(|left| left > 1)
    }
}

impl ResolverCache<Box<str>, Txt> for Budget {
    fn get<Q>(&self, _name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let too_many = || Error::Dns(DnsError::Resolver("too many questions".to_owned()));
        (!self.pays()).then(|| Txt::Error(too_many()))
    }

    fn remove<Q>(&self, _name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _key: Box<str>, _value: Txt, _valid_until: Instant) {}
}

/// Names of exchanges and reverse names too: every kind of answer costs the same.
macro_rules! counts {
    ($key:ty, $record:ty) => {
        impl ResolverCache<$key, RecordSet<$record>> for Budget {
            fn get<Q>(&self, _name: &Q) -> Option<RecordSet<$record>>
            where
                $key: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                (!self.pays()).then(|| RecordSet {
                    rrset: Vec::new().into(),
                    dnssec_status: DnssecStatus::Indeterminate,
                })
            }

            fn remove<Q>(&self, _name: &Q) -> Option<RecordSet<$record>>
            where
                $key: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                None
            }

            fn insert(&self, _key: $key, _value: RecordSet<$record>, _valid_until: Instant) {}
        }
    };
}

counts!(Box<str>, mail_auth::MX);
counts!(Box<str>, std::net::Ipv4Addr);
counts!(Box<str>, std::net::Ipv6Addr);
counts!(IpAddr, Box<str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_lets_so_many_questions_through_and_is_then_spent() {
        let budget = Budget::of(3);
        let asked: Vec<bool> = (0..4)
            .map(|_| ResolverCache::<Box<str>, Txt>::get(&budget, "a.example").is_none())
            .collect();
        assert_eq!(asked, [true, true, true, false]);
        assert!(budget.is_spent());
        assert!(!Budget::of(0).is_spent());
    }
}
