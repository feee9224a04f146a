//! The operators' door: `/livez`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::Matcher;
use metrics_exporter_prometheus::PrometheusBuilder;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The rates of the modems of T.30, in bits a second.
const RATES: [f64; 7] = [
    2_400.0, 4_800.0, 7_200.0, 9_600.0, 12_000.0, 14_400.0, 33_600.0,
];

/// What must be well for the gateway to be ready, and what is wrong with it.
#[derive(Default)]
pub struct Health {
    troubles: Mutex<BTreeMap<&'static str, String>>,
    warnings: Mutex<BTreeMap<&'static str, String>>,
}

impl Health {
    /// `part` works.
    pub fn well(&self, part: &'static str) {
        if let Ok(mut troubles) = self.troubles.lock() {
            troubles.remove(part);
        }
    }

    /// `part` does not work, and why: one line without secrets.
    pub fn trouble(&self, part: &'static str, why: String) {
        if let Ok(mut troubles) = self.troubles.lock() {
            troubles.insert(part, why);
        }
    }

    /// What the operator should know of `part`, which works: one line without secrets; `None`: nothing.
    pub fn warn(&self, part: &'static str, what: Option<String>) {
        if let Ok(mut warnings) = self.warnings.lock() {
            match what {
                Some(what) => warnings.insert(part, what),
                None => warnings.remove(part),
            };
        }
    }

    /// What the operator should know of parts that work.
    pub fn warnings(&self) -> BTreeMap<&'static str, String> {
        self.warnings
            .lock()
            .map(|warnings| warnings.clone())
            .unwrap_or_default()
    }

    /// The parts that do not work.
    pub fn troubles(&self) -> BTreeMap<&'static str, String> {
        self.troubles
            .lock()
            .map(|troubles| troubles.clone())
            .unwrap_or_default()
    }
}

/// Collects metrics from every module.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the collector of this process; a second call in one process is an error.
    ///
    /// # Errors
    /// A collector is installed already.
    pub fn install() -> Result<Self, String> {
        let rates = Matcher::Full("faxgate_fax_rate_bits".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(rates, &RATES);
        let installed = builder.and_then(PrometheusBuilder::install_recorder);
        let handle = installed.map_err(|error| error.to_string())?;
        describe_metrics();
        Ok(Self(handle))
    }
}

#[derive(Clone)]
struct Door {
    health: Arc<Health>,
    metrics: Option<Metrics>,
}

/// Answers on `listener` until `shutdown` turns true.
///
/// # Errors
/// What the system says.
pub async fn serve(
    listener: TcpListener,
    health: Arc<Health>,
    metrics: Option<Metrics>,
    mut shutdown: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show_metrics))
        .with_state(Door { health, metrics });
    let stop = async move {
        // An error means that the sender is gone, which is a stop too.
        let _ = shutdown.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
}

async fn ready(State(door): State<Door>) -> impl IntoResponse {
    let troubles = door.health.troubles();
    let warnings = door.health.warnings();
    let warnings: String = warnings
        .iter()
        .map(|(part, what)| format!("warning: {part}: {what}\n"))
        .collect();
    if troubles.is_empty() {
        return (StatusCode::OK, format!("ready\n{warnings}"));
    }
    let lines = troubles
        .iter()
        .map(|(part, why)| format!("{part}: {why}\n"));
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready\n{}{warnings}", lines.collect::<String>()),
    )
}

async fn show_metrics(State(door): State<Door>) -> impl IntoResponse {
    let text = door
        .metrics
        .map(|metrics| metrics.0.render())
        .unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

/// Gives every metric its help text.
fn describe_metrics() {
    use metrics::Unit;
    metrics::describe_counter!(
        "faxgate_account_locks_total",
        Unit::Count,
        "Locks, by the door that caused them."
    );
    metrics::describe_gauge!("faxgate_accounts", Unit::Count, "Accounts in force.");
    metrics::describe_counter!(
        "faxgate_accounts_reload_failures_total",
        Unit::Count,
        "Changed account files that were refused; the last good ones stayed in force."
    );
    metrics::describe_gauge!(
        "faxgate_accounts_stale",
        Unit::Count,
        "1 while the account files on disk are refused and the last good ones are in force."
    );
    metrics::describe_gauge!(
        "faxgate_tls_certificate_expires_seconds",
        Unit::Seconds,
        "When the certificate in force ends, in seconds since 1970."
    );
    metrics::describe_counter!(
        "faxgate_tls_reload_failures_total",
        Unit::Count,
        "Changed certificate files that were refused; the last good ones stayed in force."
    );
    metrics::describe_gauge!(
        "faxgate_tls_stale",
        Unit::Count,
        "1 while the certificate files on disk are refused and the last good ones are in force."
    );
    metrics::describe_gauge!(
        "faxgate_jobs",
        Unit::Count,
        "Jobs that are not settled, by state."
    );
    metrics::describe_gauge!(
        "faxgate_mails_waiting",
        Unit::Count,
        "Mails of ours that wait to be sent."
    );
    metrics::describe_gauge!(
        "faxgate_mails_held",
        Unit::Count,
        "Of these, held because the account is locked."
    );
    metrics::describe_counter!(
        "faxgate_notifications_total",
        Unit::Count,
        "Tries to hand a mail over, by kind."
    );
    metrics::describe_counter!("faxgate_received_total", Unit::Count, "Faxes received.");
}
