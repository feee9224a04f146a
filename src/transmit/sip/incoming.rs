//! Calls that come in.

use std::sync::Arc;

use rsipstack::sip::StatusCode;
use rsipstack::transaction::transaction::Transaction;

use super::endpoint;
use super::switchboard::Switchboard;
use super::trunk::Trunk;

/// Answers an INVITE that begins a call over `trunk`.
pub(super) async fn handle(_: Arc<Switchboard>, _trunk: Arc<Trunk>, request: Transaction) {
    let _ = endpoint::refuse(request, StatusCode::TemporarilyUnavailable).await;
}
