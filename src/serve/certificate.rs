//! The certificate in force follows its files; a pair that is no good changes nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config;
use crate::config::KeyPair;
use crate::config::PairError;
use crate::config::PairTexts;
use crate::ingress::Tls;
use crate::monitor::Health;
use crate::time::Clock;
use crate::time::Timestamp;

/// How often the two files are looked at. They are small; reading them sees every kind of change.
const LOOK: Duration = Duration::from_secs(1);
/// How long before its end a certificate is worth a warning.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Keeps the certificate in force true to its files.
pub(super) struct Certificate {
    pub(super) files: config::Tls,
    pub(super) config_file: PathBuf,
    pub(super) in_force: Arc<Tls>,
    pub(super) health: Arc<Health>,
    pub(super) clock: Arc<dyn Clock>,
}

impl Certificate {
    /// Follows the files until the gateway stops. `texts` were read at its start and `pair` is in them.
    pub(super) async fn run(
        self,
        texts: PairTexts,
        pair: KeyPair,
        mut stopping: watch::Receiver<bool>,
    ) {
        metrics::gauge!("faxgate_tls_stale").set(0.0);
        let mut watch = Watch {
            expires: pair.expires,
            warned: None,
        };
        let mut judged = Ok(texts);
        let mut before = judged.clone();
        loop {
            self.warn(&mut watch);
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            let seen = self.look().await;
            // Two files are not replaced at once: they are judged when they have been left alone.
            if seen == before && seen != judged {
                match seen.clone().and_then(|texts| KeyPair::parse(&texts)) {
                    Ok(pair) => self.take(&pair, &mut watch),
                    Err(error) => self.refuse(&error.to_string()),
                }
                judged = seen.clone();
            }
            before = seen;
        }
    }

    async fn look(&self) -> Result<PairTexts, PairError> {
        let (files, config_file) = (self.files.clone(), self.config_file.clone());
        let reading = tokio::task::spawn_blocking(move || files.texts(&config_file));
        reading.await.unwrap_or_else(|error| {
            let (key, problem) = ("certificate", error.to_string());
            Err(PairError { key, problem })
        })
    }

    fn take(&self, pair: &KeyPair, watch: &mut Watch) {
        if let Err(error) = self.in_force.replace(pair) {
            return self.refuse(&error.to_string());
        }
        tracing::info!("the certificate is in force");
        self.health.well("tls");
        metrics::gauge!("faxgate_tls_stale").set(0.0);
        watch.expires = pair.expires;
    }

    fn refuse(&self, why: &str) {
        tracing::error!(
            why,
            "the certificate was not reloaded; the last good one stays in force"
        );
        self.health.trouble("tls", why.to_owned());
        metrics::gauge!("faxgate_tls_stale").set(1.0);
        metrics::counter!("faxgate_tls_reload_failures_total").increment(1);
    }

    /// An expired certificate serves on, because mail in clear would be worse; but somebody must know.
    fn warn(&self, watch: &mut Watch) {
        let Some(expires) = watch.expires else {
            return;
        };
        metrics::gauge!("faxgate_tls_certificate_expires_seconds").set(seconds(expires));
        let warning = warning(expires, self.clock.now());
        if warning == watch.warned {
            return;
        }
        if let Some(warning) = &warning {
            tracing::warn!(warning);
        }
        self.health.warn("tls", warning.clone());
        watch.warned = warning;
    }
}

/// The end of the certificate in force, and what was said of it.
struct Watch {
    expires: Option<Timestamp>,
    warned: Option<String>,
}

fn warning(expires: Timestamp, now: Timestamp) -> Option<String> {
    let at = expires.rfc3339();
    if expires <= now {
        Some(format!("the certificate has expired at {at}"))
    } else if expires <= now.plus(SOON) {
        Some(format!("the certificate expires at {at}"))
    } else {
        None
    }
}

fn seconds(at: Timestamp) -> f64 {
    Duration::from_millis(u64::try_from(at.as_ms()).unwrap_or_default()).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_worth_a_warning_two_weeks_before_its_end_and_from_then_on() {
        let end = Timestamp::from_ms(1_800_000_000_000);
        assert_eq!(warning(end, end.minus(SOON + LOOK)), None);
        let soon = warning(end, end.minus(SOON)).unwrap();
        assert!(
            soon.starts_with("the certificate expires at 2027-01-15"),
            "{soon}"
        );
        let over = warning(end, end).unwrap();
        assert!(
            over.starts_with("the certificate has expired at 2027-"),
            "{over}"
        );
    }
}
