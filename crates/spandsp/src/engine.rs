//! The T.30 engine in either kind of line: its settings, and where its callbacks write.

use std::ffi::CString;
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
use crate::ffi;
use crate::handlers;
use crate::ledger::Ledger;
use crate::ledger::MAX_IDENTIFIER;

/// Bytes of a path: the library copies it into 256 with a zero and would cut a longer one silently.
const MAX_PATH: usize = 255;

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
pub(crate) unsafe fn configure(t30: *mut ffi::T30State, settings: &Settings, desk: &mut Desk) {
    desk.ledger_mut().engine = NonNull::new(t30);
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
        ffi::t30_set_phase_b_handler(t30, handlers::on_phase_b, user);
        ffi::t30_set_phase_d_handler(t30, handlers::on_phase_d, user);
        ffi::t30_set_phase_e_handler(t30, handlers::on_phase_e, user);
        ffi::t30_set_real_time_frame_handler(t30, handlers::on_frame, user);
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
