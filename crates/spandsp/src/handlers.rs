//! The callbacks of the T.30 engine: what they hear is put aside.

use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;

use crate::completion::Completion;
use crate::engine::bytes_of;
use crate::event::Direction;
use crate::event::Event;
use crate::event::Progress;
use crate::event::Signal;
use crate::ffi;
use crate::ledger::Ledger;
use crate::ledger::identifier;

/// Where the facsimile control field is in a frame, after address and control.
const CONTROL_FIELD: usize = 2;

/// Where bits 17 to 24 of a DCS are.
const WIDTH_FIELD: usize = 5;

/// The control field of a DCS, without the bit that tells the sides apart.
const DCS: u8 = 0x82;

/// The control field of a frame of a page (T.4 annex A).
const FCD: u8 = 0x06;

/// The control field of a DCN.
const DCN: u8 = 0xfa;

/// The functions that the library calls. SpanDSP 3 leaves the engine out, so that nobody uses it: it is in the ledger.
#[cfg(not(feature = "vendored"))]
mod entrances {
    use super::*;

    pub(crate) unsafe extern "C" fn on_phase_b(
        _t30: *mut ffi::T30State,
        user: *mut c_void,
        _message: c_int,
    ) -> c_int {
        // SAFETY: `user` is that of `configure`.
        unsafe { phase_b(user) }
    }

    pub(crate) unsafe extern "C" fn on_phase_d(
        _t30: *mut ffi::T30State,
        user: *mut c_void,
        _message: c_int,
    ) -> c_int {
        // SAFETY: as above.
        unsafe { phase_d(user) }
    }

    pub(crate) unsafe extern "C" fn on_phase_e(
        _t30: *mut ffi::T30State,
        user: *mut c_void,
        code: c_int,
    ) {
        // SAFETY: as above.
        unsafe { phase_e(user, code) }
    }

    pub(crate) unsafe extern "C" fn on_frame(
        _t30: *mut ffi::T30State,
        user: *mut c_void,
        incoming: c_int,
        message: *const u8,
        length: c_int,
    ) {
        // SAFETY: as above, and the frame is passed on as it came.
        unsafe { frame(user, incoming != 0, message, length) }
    }
}

#[cfg(feature = "vendored")]
mod entrances {
    use super::*;

    pub(crate) unsafe extern "C" fn on_phase_b(user: *mut c_void, _message: c_int) -> c_int {
        // SAFETY: `user` is that of `configure`.
        unsafe { phase_b(user) }
    }

    pub(crate) unsafe extern "C" fn on_phase_d(user: *mut c_void, _message: c_int) -> c_int {
        // SAFETY: as above.
        unsafe { phase_d(user) }
    }

    pub(crate) unsafe extern "C" fn on_phase_e(user: *mut c_void, code: c_int) {
        // SAFETY: as above.
        unsafe { phase_e(user, code) }
    }

    pub(crate) unsafe extern "C" fn on_frame(
        user: *mut c_void,
        incoming: bool,
        message: *const u8,
        length: c_int,
    ) {
        // SAFETY: as above, and the frame is passed on as it came.
        unsafe { frame(user, incoming, message, length) }
    }
}

pub(crate) use entrances::on_frame;
pub(crate) use entrances::on_phase_b;
pub(crate) use entrances::on_phase_d;
pub(crate) use entrances::on_phase_e;

/// # Safety
///
/// `user` is the ledger of the live line that calls; nothing else holds it while the library runs.
unsafe fn phase_b(user: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    let ledger = unsafe { &mut *user.cast::<Ledger>() };
    // SAFETY: the engine of the line that calls is live, and its texts stay until it goes on.
    let (remote_id, sub_address) = unsafe {
        (
            identifier(bytes(ffi::t30_get_rx_ident(ledger.engine()))),
            identifier(bytes(ffi::t30_get_rx_sub_address(ledger.engine()))),
        )
    };
    ledger.events.push(Event::Negotiated {
        remote_id,
        sub_address,
    });
    if ledger.received_dcs {
        // SAFETY: as above.
        let progress = unsafe { progress(ledger.engine()) };
        ledger.train(&progress);
    }
    0
}

/// # Safety
///
/// As [`phase_b`].
unsafe fn phase_d(user: *mut c_void) -> c_int {
    // SAFETY: the caller's.
    let ledger = unsafe { &mut *user.cast::<Ledger>() };
    // SAFETY: the engine of the line that calls is live.
    let progress = unsafe { progress(ledger.engine()) };
    ledger.page(progress);
    0
}

/// # Safety
///
/// As [`phase_b`].
unsafe fn phase_e(user: *mut c_void, code: c_int) {
    // SAFETY: the caller's.
    let ledger = unsafe { &mut *user.cast::<Ledger>() };
    // SAFETY: the engine of the line that calls is live.
    let progress = unsafe { progress(ledger.engine()) };
    ledger.page(progress);
    ledger.end(Completion::from_code(code));
}

/// # Safety
///
/// As [`phase_b`]; `message` is a frame of `length` bytes that stays until this returns.
unsafe fn frame(user: *mut c_void, incoming: bool, message: *const u8, length: c_int) {
    // SAFETY: the caller's.
    let ledger = unsafe { &mut *user.cast::<Ledger>() };
    let direction = match incoming {
        false => Direction::Sent,
        true => Direction::Received,
    };
    // SAFETY: the caller's.
    let deadly =
        direction == Direction::Received && is_deadly(unsafe { bytes_of(message, length) });
    if deadly {
        // SAFETY: a received frame lies in the heap buffer of the line's own front end, which is idle until this returns; the
        // third byte is there, or it would not be deadly.
        unsafe { message.cast_mut().add(CONTROL_FIELD).write(DCN) };
    }
    // SAFETY: as above.
    let frame = unsafe { bytes_of(message, length) };
    if ledger.frame(direction, frame) == Some(Signal::Dcs) && direction == Direction::Sent {
        // SAFETY: the engine of the line that calls is live.
        let progress = unsafe { progress(ledger.engine()) };
        ledger.train(&progress);
    }
}

/// Whether the library would crash of a frame. Changed into a DCN it does no harm: the call ends, or it is skipped.
///
/// A DCS whose bits 17 and 18 are both set, which is no width of a page (T.30 table 2), makes it clear a row of length -1.
/// A frame of a page (FCD) without its number and bytes makes it copy -1 bytes.
fn is_deadly(frame: &[u8]) -> bool {
    match frame.get(CONTROL_FIELD).map(|field| field & 0xfe) {
        Some(DCS) => frame.get(WIDTH_FIELD).is_some_and(|bits| bits & 3 == 3),
        Some(FCD) => frame.len() <= CONTROL_FIELD + 1,
        _ => false,
    }
}

/// A text of the library, empty if it has none.
///
/// # Safety
///
/// `text` is null or ends in a zero and stays for `'a`.
unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: the caller's.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

/// What the engine counted.
///
/// # Safety
///
/// `t30` is live.
unsafe fn progress(t30: *mut ffi::T30State) -> Progress {
    let mut stats = ffi::Stats::default();
    // SAFETY: the caller's; the struct is that of the header, and longer.
    unsafe { ffi::t30_get_transfer_statistics(t30, &raw mut stats) };
    let count = |number: c_int| u32::try_from(number).unwrap_or(0);
    Progress {
        pages: count(stats.pages_tx.max(stats.pages_rx)),
        // A receiver's number is that of the pages that it has itself.
        pages_in_file: match stats.pages_rx {
            0 => u32::try_from(stats.pages_in_file).ok(),
            _ => None,
        },
        confirmed: false,
        rate: count(stats.bit_rate),
        ecm: stats.error_correcting_mode != 0,
        ecm_retries: count(stats.error_correcting_mode_retries),
        columns: count(stats.width),
        rows: count(stats.length),
        bytes: count(stats.image_size),
        bad_rows: count(stats.bad_rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dcs_without_a_width_and_an_empty_piece_of_a_page_are_deadly() {
        assert!(is_deadly(&[0xff, 0x03, 0x06]));
        assert!(!is_deadly(&[0xff, 0x03, 0x06, 0]));
        assert!(!is_deadly(&[0xff, 0x03, 0x86]));
        assert!(is_deadly(&[0xff, 0x13, 0x83, 0, 0x62, 0x97, 0x44]));
        assert!(is_deadly(&[0xff, 0x13, 0x82, 0, 0x62, 0x03]));
        assert!(!is_deadly(&[0xff, 0x13, 0x83, 0, 0x62, 0xf8, 0x44]));
        assert!(!is_deadly(&[0xff, 0x13, 0x80, 0, 0x62, 0x97, 0x44]));
        assert!(!is_deadly(&[0xff, 0x13, 0x83]));
        assert!(!is_deadly(&[]));
    }
}
