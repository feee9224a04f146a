//! `<job>-<attempt>.json`: what the program that sends has to know.

use std::io;

use serde::Deserialize;
use serde::Serialize;

use super::Files;
use super::read as read_file;
use crate::fax::Modem;
use crate::fax::SubAddress;
use crate::time::Timestamp;
use crate::transmit::Call;
use crate::transmit::durable;

/// A call, for somebody else to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Description {
    /// Of this form.
    version: u32,
    /// The job.
    pub(super) job: i64,
    /// Which attempt, from 1.
    pub(super) attempt: u32,
    /// Where to: `+` and the number with its country code.
    number: String,
    /// The file with the pages, in the same folder.
    file: String,
    /// Pages in it.
    pub(super) pages: u32,
    /// The first to be sent, from 0: those before are confirmed.
    pub(super) first_page: u32,
    /// Our identifier (TSI); empty if there is none.
    local_id: String,
    /// Whom it is for behind the number (SUB).
    #[serde(default)]
    sub_address: Option<SubAddress>,
    /// The number that the far end is to be shown, as [`Self::number`].
    #[serde(default)]
    calling_number: Option<String>,
    /// Whether errors are to be corrected.
    ecm: bool,
    /// The fastest modem to be tried.
    fastest: Modem,
    /// How long it may ring, in seconds.
    ring_timeout: u64,
    /// A header line stands on the pages already: no other one is to be drawn.
    header_drawn: bool,
    /// When it was put here, in milliseconds since 1970.
    created_ms: i64,
    /// From when on nobody waits for a result, in milliseconds since 1970.
    give_up_ms: i64,
}

impl Description {
    pub(super) fn of(call: &Call, created: Timestamp, give_up: Timestamp) -> Self {
        let calling = call.calling_number.as_ref();
        Self {
            version: 1,
            job: call.job,
            attempt: call.attempt,
            number: format!("+{}", call.number.digits()),
            file: format!("{}-{}.tiff", call.job, call.attempt),
            pages: call.fax.pages,
            first_page: call.first_page,
            local_id: call.local_id.as_str().to_owned(),
            sub_address: call.sub_address.clone(),
            calling_number: calling.map(|number| format!("+{}", number.digits())),
            ecm: call.ecm,
            fastest: call.fastest,
            ring_timeout: call.ring_timeout.as_secs(),
            header_drawn: true,
            created_ms: created.as_ms(),
            give_up_ms: give_up.as_ms(),
        }
    }

    /// When it was put there.
    pub(super) fn created(&self) -> Timestamp {
        Timestamp::from_ms(self.created_ms)
    }

    /// From when on nobody waits.
    pub(super) fn give_up(&self) -> Timestamp {
        Timestamp::from_ms(self.give_up_ms)
    }
}

/// The description of a call, wherever it is by now; `None` if it is nowhere.
pub(super) async fn read(files: &Files) -> io::Result<Option<Description>> {
    let files = files.clone();
    durable::blocking(move || {
        for path in [&files.description, &files.taken, &files.withdrawn] {
            if let Some(bytes) = read_file(path)? {
                return serde_json::from_slice(&bytes)
                    .map(Some)
                    .map_err(io::Error::other);
            }
        }
        Ok(None)
    })
    .await
}
