//! The numbers of this door.

use metrics::describe_counter;
use metrics::describe_gauge;
use metrics::describe_histogram;

/// Connections open now.
pub(super) const CONNECTIONS: &str = "faxgate_smtp_connections";
/// Connections closed at once because a limit was reached.
pub(super) const TURNED_AWAY: &str = "faxgate_smtp_turned_away_total";
/// Sessions begun.
pub(super) const SESSIONS: &str = "faxgate_smtp_sessions_total";
/// Messages answered at the end of DATA, by `result`: `accepted`, `refused` or `deferred`.
pub(super) const MESSAGES: &str = "faxgate_smtp_messages_total";
/// TLS handshakes ended, by `result`: `done`, `failed` or `late`.
pub(super) const HANDSHAKES: &str = "faxgate_smtp_tls_handshakes_total";
/// Logins answered, by `result`: `accepted` or `refused`.
pub(super) const LOGINS: &str = "faxgate_smtp_logins_total";
/// Seconds from 354 to the end of the message.
pub(super) const DATA_SECONDS: &str = "faxgate_smtp_data_seconds";

/// Senders verified, by `result`: a trust tier.
pub(super) const VERIFICATIONS: &str = "faxgate_sender_verification_total";

/// Gives the metrics of the mail door their help texts.
pub fn describe_metrics() {
    describe_gauge!(CONNECTIONS, "SMTP connections open now");
    describe_counter!(
        TURNED_AWAY,
        "SMTP connections answered 421 at once because a limit was reached"
    );
    describe_counter!(SESSIONS, "SMTP sessions begun");
    describe_counter!(
        MESSAGES,
        "Messages answered at the end of DATA, by result: accepted (250), refused (5xx), deferred (4xx)"
    );
    describe_counter!(
        HANDSHAKES,
        "TLS handshakes ended, by result: done, failed, late"
    );
    describe_counter!(LOGINS, "SMTP AUTH answered, by result: accepted, refused");
    describe_counter!(
        VERIFICATIONS,
        "Messages whose sender was verified, by result: proven, unverified, forged, undecided"
    );
    describe_histogram!(
        DATA_SECONDS,
        metrics::Unit::Seconds,
        "Time from the reply 354 to the end of the message"
    );
}
