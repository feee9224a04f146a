//! The T.30 engine in either kind of line: its settings, its callbacks, and what they put aside.

use std::ffi::CStr;
use std::ffi::CString;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Once;

use crate::call::FaxCall;
use crate::call::Modem;
use crate::call::StartError;
use crate::call::Task;
use crate::completion::Completion;
use crate::event::Direction;
use crate::event::Event;
use crate::event::Progress;
use crate::event::Signal;
use crate::ffi;
use crate::ledger::Ledger;
use crate::ledger::MAX_IDENTIFIER;
use crate::ledger::identifier;

/// Bytes of a path: the library copies it into 256 with a zero and would cut a longer one silently.
const MAX_PATH: usize = 255;

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

/// What the library is told, checked and as it wants it.
pub(crate) struct Settings {
    file: CString,
    first_page: Option<c_int>,
    local_id: CString,
    sub_address: Option<CString>,
    ecm: bool,
    modems: c_int,
}

impl Settings {
    /// Checks a call.
    pub(crate) fn of(call: &FaxCall) -> Result<Self, StartError> {
        let (file, first_page) = match &call.task {
            Task::Transmit { file, first_page } => {
                let first = c_int::try_from(*first_page).map_err(|_| StartError::Refused)?;
                (file, Some(first))
            }
            Task::Receive { file } => (file, None),
        };
        Ok(Self {
            file: path(file)?,
            first_page,
            local_id: text(&call.local_id)?,
            sub_address: call.sub_address.as_deref().map(text).transpose()?,
            ecm: call.ecm,
            modems: match call.fastest {
                Modem::V17 => ffi::V27TER | ffi::V29 | ffi::V17,
                Modem::V29 => ffi::V27TER | ffi::V29,
                Modem::V27ter => ffi::V27TER,
            },
        })
    }

    /// The `calling_party` of the library: who calls sends.
    pub(crate) fn calling_party(&self) -> c_int {
        c_int::from(self.first_page.is_some())
    }
}

/// Keeps libtiff from printing paths and what strangers sent on our error output, for the whole process.
///
/// What it has to say is in the completion code.
pub(crate) fn quiet() {
    static DONE: Once = Once::new();
    // SAFETY: both only set a pointer, and Once keeps threads apart; libtiff takes none as silence.
    DONE.call_once(|| unsafe {
        ffi::TIFFSetErrorHandler(None);
        ffi::TIFFSetWarningHandler(None);
    });
}

/// Where the callbacks write.
///
/// A pointer and no box, because the C side holds it too; whoever owns a `Desk` frees the C state first.
pub(crate) struct Desk<T = Ledger>(NonNull<T>);

impl<T: Default> Desk<T> {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(NonNull::from(Box::leak(Box::default())))
    }
}

impl<T> Desk<T> {
    /// The pointer that the callbacks get.
    pub(crate) fn user(&self) -> *mut c_void {
        self.0.as_ptr().cast()
    }

    /// What is on it.
    pub(crate) fn ledger(&self) -> &T {
        // SAFETY: the ledger lives as long as self. Callbacks write only while a C function runs, which takes its line by
        // `&mut`, so that this reference is over by then.
        unsafe { self.0.as_ref() }
    }

    /// What is on it, to be taken.
    pub(crate) fn ledger_mut(&mut self) -> &mut T {
        // SAFETY: as in `ledger`; `&mut self` makes it the only reference.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for Desk<T> {
    fn drop(&mut self) {
        // SAFETY: it came from Box::leak, once, and the C state that knew it is freed (see the type).
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// Tells the engine what to do and whom to tell.
///
/// # Safety
///
/// `t30` belongs to a live line that is freed before the `desk`.
pub(crate) unsafe fn configure(t30: *mut ffi::T30State, settings: &Settings, desk: &Desk) {
    let user = desk.user();
    // SAFETY: `t30` is live; the library copies the texts; the handlers have the types of its header, and their pointer
    // outlives the engine. No header line is set, so that pages go out as they are in the file.
    unsafe {
        if !settings.local_id.is_empty() {
            ffi::t30_set_tx_ident(t30, settings.local_id.as_ptr());
        }
        if let Some(address) = &settings.sub_address {
            ffi::t30_set_tx_sub_address(t30, address.as_ptr());
        }
        ffi::t30_set_ecm_capability(t30, c_int::from(settings.ecm));
        ffi::t30_set_rx_encoding(t30, ffi::FILE_T6);
        ffi::t30_set_supported_modems(t30, settings.modems);
        ffi::t30_set_supported_compressions(t30, ffi::BILEVEL_CODES);
        ffi::t30_set_supported_resolutions(t30, ffi::RESOLUTIONS);
        ffi::t30_set_supported_image_sizes(t30, ffi::SIZES);
        ffi::t30_set_supported_t30_features(t30, ffi::SUB_ADDRESSING);
        match settings.first_page {
            Some(first) => {
                ffi::t30_set_tx_file(t30, settings.file.as_ptr(), first, ffi::TO_THE_END);
            }
            None => ffi::t30_set_rx_file(t30, settings.file.as_ptr(), ffi::TO_THE_END),
        }
        ffi::t30_set_phase_b_handler(t30, on_phase_b, user);
        ffi::t30_set_phase_d_handler(t30, on_phase_d, user);
        ffi::t30_set_phase_e_handler(t30, on_phase_e, user);
        ffi::t30_set_real_time_frame_handler(t30, on_frame, user);
    }
}

/// Ends a call: the file of a receiver is closed, with the pages that are whole.
///
/// # Safety
///
/// `t30` belongs to a live line and `desk` to the same.
pub(crate) unsafe fn terminate(t30: *mut ffi::T30State, desk: &mut Desk) {
    // SAFETY: the caller's; the desk is not borrowed while the library runs.
    unsafe { ffi::t30_terminate(t30) };
    desk.ledger_mut().end(Completion::CallDropped);
}

unsafe extern "C" fn on_phase_b(
    t30: *mut ffi::T30State,
    user: *mut c_void,
    _message: c_int,
) -> c_int {
    // SAFETY: `user` is the ledger of the live line that calls; nothing else holds it while the library runs.
    let ledger = unsafe { &mut *user.cast::<Ledger>() };
    // SAFETY: the engine passes itself, and its texts stay until it goes on.
    let (remote_id, sub_address) = unsafe {
        (
            identifier(bytes(ffi::t30_get_rx_ident(t30))),
            identifier(bytes(ffi::t30_get_rx_sub_address(t30))),
        )
    };
    ledger.events.push(Event::Negotiated {
        remote_id,
        sub_address,
    });
    if ledger.received_dcs {
        // SAFETY: as above.
        let progress = unsafe { progress(t30) };
        ledger.train(&progress);
    }
    0
}

unsafe extern "C" fn on_phase_d(
    t30: *mut ffi::T30State,
    user: *mut c_void,
    _message: c_int,
) -> c_int {
    // SAFETY: as in on_phase_b.
    let ledger = unsafe { &mut *user.cast::<Ledger>() };
    // SAFETY: the engine passes itself.
    let progress = unsafe { progress(t30) };
    ledger.page(progress);
    0
}

unsafe extern "C" fn on_phase_e(t30: *mut ffi::T30State, user: *mut c_void, code: c_int) {
    // SAFETY: as in on_phase_b.
    let ledger = unsafe { &mut *user.cast::<Ledger>() };
    // SAFETY: the engine passes itself.
    let progress = unsafe { progress(t30) };
    ledger.page(progress);
    ledger.end(Completion::from_code(code));
}

unsafe extern "C" fn on_frame(
    t30: *mut ffi::T30State,
    user: *mut c_void,
    incoming: c_int,
    message: *const u8,
    length: c_int,
) {
    // SAFETY: as in on_phase_b.
    let ledger = unsafe { &mut *user.cast::<Ledger>() };
    let direction = match incoming {
        0 => Direction::Sent,
        _ => Direction::Received,
    };
    // SAFETY: the engine passes a frame of `length` bytes that stays until this returns.
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
        // SAFETY: the engine passes itself.
        let progress = unsafe { progress(t30) };
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

/// The bytes that a callback got; none if they make no sense.
///
/// # Safety
///
/// `start` is null or points at `length` readable bytes that stay for `'a`.
pub(crate) unsafe fn bytes_of<'a>(start: *const u8, length: c_int) -> &'a [u8] {
    match usize::try_from(length) {
        // SAFETY: the caller's.
        Ok(length) if !start.is_null() => unsafe { std::slice::from_raw_parts(start, length) },
        _ => &[],
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

fn text(text: &str) -> Result<CString, StartError> {
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if text.len() > MAX_IDENTIFIER || !printable {
        return Err(StartError::Identifier);
    }
    CString::new(text).map_err(|_| StartError::Identifier)
}

fn path(path: &Path) -> Result<CString, StartError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() > MAX_PATH {
        return Err(StartError::Path);
    }
    CString::new(bytes).map_err(|_| StartError::Path)
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
