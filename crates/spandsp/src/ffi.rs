//! The declarations of SpanDSP 0.0.6 that we use, from its headers t30.h, t30_api.h, t38_terminal.h, t38_core.h, fax.h
//! and, for tests, t31.h and at_interpreter.h.
//!
//! SpanDSP 3 (feature `vendored`) has other numbers, counters and handlers.
//!
//! They are by hand: a few functions over opaque pointers, one struct that is read, no tool at build time.

use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;

/// A T.38 terminal (`t38_terminal_state_t`).
#[repr(C)]
pub(crate) struct TerminalState {
    _opaque: [u8; 0],
}

/// The packet layer of a T.38 terminal (`t38_core_state_t`).
#[repr(C)]
pub(crate) struct CoreState {
    _opaque: [u8; 0],
}

/// A fax over audio (`fax_state_t`).
#[repr(C)]
pub(crate) struct FaxState {
    _opaque: [u8; 0],
}

/// The T.30 engine of either (`t30_state_t`).
#[repr(C)]
pub(crate) struct T30State {
    _opaque: [u8; 0],
}

/// What `t30_get_transfer_statistics` fills in (`t30_stats_t`).
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct Stats {
    /// Bits a second of the image modem.
    pub(crate) bit_rate: c_int,
    /// Whether errors are corrected (ECM).
    pub(crate) error_correcting_mode: c_int,
    /// Pages sent and confirmed.
    pub(crate) pages_tx: c_int,
    /// Pages received whole.
    pub(crate) pages_rx: c_int,
    /// Pages of the file, negative if not known.
    pub(crate) pages_in_file: c_int,
    /// Kind, resolutions and size of the image in the file, and its kind on the line.
    #[cfg(feature = "vendored")]
    image: [c_int; 6],
    /// Columns in a metre.
    pub(crate) x_resolution: c_int,
    /// Rows in a metre.
    pub(crate) y_resolution: c_int,
    /// Columns of the most recent page.
    pub(crate) width: c_int,
    /// Rows of the most recent page.
    pub(crate) length: c_int,
    /// Bytes of the most recent page on the line.
    pub(crate) image_size: c_int,
    /// How the page is coded on the line.
    pub(crate) encoding: c_int,
    /// Rows of the most recent page that arrived damaged.
    pub(crate) bad_rows: c_int,
    /// The longest run of them.
    pub(crate) longest_bad_row_run: c_int,
    /// Frames that were sent again (ECM).
    pub(crate) error_correcting_mode_retries: c_int,
    /// The completion code so far.
    pub(crate) current_status: c_int,
    /// Room for a later 0.0.6 that counts more: the library writes what it knows.
    reserve: [c_int; 16],
}

/// Sends a T.38 packet so many times; 0 is good.
pub(crate) type TxPacketHandler =
    unsafe extern "C" fn(*mut CoreState, *mut c_void, *const u8, c_int, c_int) -> c_int;

/// Hears of phase B or D; answers 0 (`T30_ERR_OK`) to go on.
#[cfg(not(feature = "vendored"))]
pub(crate) type PhaseHandler = unsafe extern "C" fn(*mut T30State, *mut c_void, c_int) -> c_int;
#[cfg(feature = "vendored")]
pub(crate) type PhaseHandler = unsafe extern "C" fn(*mut c_void, c_int) -> c_int;

/// Hears of phase E with the completion code.
#[cfg(not(feature = "vendored"))]
pub(crate) type EndHandler = unsafe extern "C" fn(*mut T30State, *mut c_void, c_int);
#[cfg(feature = "vendored")]
pub(crate) type EndHandler = unsafe extern "C" fn(*mut c_void, c_int);

/// Hears of each T.30 frame: whether it came in, its bytes, their number.
#[cfg(not(feature = "vendored"))]
pub(crate) type FrameHandler =
    unsafe extern "C" fn(*mut T30State, *mut c_void, c_int, *const u8, c_int);
#[cfg(feature = "vendored")]
pub(crate) type FrameHandler = unsafe extern "C" fn(*mut c_void, bool, *const u8, c_int);

/// Send as fast as the far end takes it (`T38_TERMINAL_OPTION_NO_PACING`).
pub(crate) const NO_PACING: c_int = 0x01;

/// 2,400 and 4,800 bit/s (`T30_SUPPORT_V27TER`).
pub(crate) const V27TER: c_int = 0x01;
/// 7,200 and 9,600 bit/s (`T30_SUPPORT_V29`).
pub(crate) const V29: c_int = 0x02;
/// 7,200 to 14,400 bit/s (`T30_SUPPORT_V17`).
pub(crate) const V17: c_int = 0x04;

/// MH, MR and MMR on the line (`T30_SUPPORT_T4_1D`, `T4_2D` and `T6_COMPRESSION`).
pub(crate) const BILEVEL_CODES: c_int = 0x02 | 0x04 | 0x08;

/// 98, 196 and 391 rows an inch at 204 columns, 391 at 408, 300 and 400 square (`T30_SUPPORT_*_RESOLUTION`).
#[cfg(not(feature = "vendored"))]
pub(crate) const RESOLUTIONS: c_int =
    0x01 | 0x02 | 0x04 | 0x2_0000 | 0x4_0000 | 0x10_0000 | 0x20_0000;

/// The same (`T4_RESOLUTION_*`).
#[cfg(feature = "vendored")]
pub(crate) const RESOLUTIONS: c_int = 0x01 | 0x02 | 0x04 | 0x08 | 0x100 | 0x400;

/// A4, B4 and A3 wide, any length (`T30_SUPPORT_*_WIDTH`, `T30_SUPPORT_UNLIMITED_LENGTH` and those of sheets).
pub(crate) const SIZES: c_int =
    0x01 | 0x02 | 0x04 | 0x1_0000 | 0x2_0000 | 0x4_0000 | 0x8_0000 | 0x10_0000;

/// Sub-addresses are heard (`T30_SUPPORT_SUB_ADDRESSING`).
pub(crate) const SUB_ADDRESSING: c_int = 0x10;

/// MMR in the file of received pages (`T4_COMPRESSION_ITU_T6`).
#[cfg(not(feature = "vendored"))]
pub(crate) const FILE_T6: c_int = 3;
/// The same (`T4_COMPRESSION_T6`).
#[cfg(feature = "vendored")]
pub(crate) const FILE_T6: c_int = 0x08;

/// Every page to the end of the file (`stop_page` of `t30_set_tx_file` and `t30_set_rx_file`).
pub(crate) const TO_THE_END: c_int = -1;

/// Prints a message of libtiff (tiffio.h); none is silence. The third argument, a `va_list`, is never ours to read.
pub(crate) type TiffHandler =
    Option<unsafe extern "C" fn(*const c_char, *const c_char, *mut c_void)>;

unsafe extern "C" {
    pub(crate) fn TIFFSetErrorHandler(handler: TiffHandler) -> TiffHandler;
    pub(crate) fn TIFFSetWarningHandler(handler: TiffHandler) -> TiffHandler;

    pub(crate) fn t38_terminal_init(
        terminal: *mut TerminalState,
        calling_party: c_int,
        handler: TxPacketHandler,
        user: *mut c_void,
    ) -> *mut TerminalState;
    pub(crate) fn t38_terminal_free(terminal: *mut TerminalState) -> c_int;
    pub(crate) fn t38_terminal_set_config(terminal: *mut TerminalState, options: c_int);
    pub(crate) fn t38_terminal_set_tep_mode(terminal: *mut TerminalState, on: c_int);
    pub(crate) fn t38_terminal_send_timeout(terminal: *mut TerminalState, samples: c_int) -> c_int;
    pub(crate) fn t38_terminal_get_t30_state(terminal: *mut TerminalState) -> *mut T30State;
    pub(crate) fn t38_terminal_get_t38_core_state(terminal: *mut TerminalState) -> *mut CoreState;
    pub(crate) fn t38_core_rx_ifp_packet(
        core: *mut CoreState,
        bytes: *const u8,
        length: c_int,
        sequence: u16,
    ) -> c_int;
    pub(crate) fn t38_set_t38_version(core: *mut CoreState, version: c_int);

    pub(crate) fn fax_init(fax: *mut FaxState, calling_party: c_int) -> *mut FaxState;
    pub(crate) fn fax_free(fax: *mut FaxState) -> c_int;
    pub(crate) fn fax_rx(fax: *mut FaxState, samples: *mut i16, length: c_int) -> c_int;
    pub(crate) fn fax_rx_fillin(fax: *mut FaxState, length: c_int) -> c_int;
    pub(crate) fn fax_tx(fax: *mut FaxState, samples: *mut i16, length: c_int) -> c_int;
    pub(crate) fn fax_set_transmit_on_idle(fax: *mut FaxState, on: c_int);
    pub(crate) fn fax_set_tep_mode(fax: *mut FaxState, on: c_int);
    pub(crate) fn fax_get_t30_state(fax: *mut FaxState) -> *mut T30State;

    pub(crate) fn t30_set_tx_file(
        t30: *mut T30State,
        file: *const c_char,
        first: c_int,
        last: c_int,
    );
    pub(crate) fn t30_set_rx_file(t30: *mut T30State, file: *const c_char, last: c_int);
    pub(crate) fn t30_set_tx_ident(t30: *mut T30State, id: *const c_char) -> c_int;
    pub(crate) fn t30_get_rx_ident(t30: *mut T30State) -> *const c_char;
    pub(crate) fn t30_set_tx_sub_address(t30: *mut T30State, address: *const c_char) -> c_int;
    pub(crate) fn t30_get_rx_sub_address(t30: *mut T30State) -> *const c_char;
    pub(crate) fn t30_set_ecm_capability(t30: *mut T30State, on: c_int) -> c_int;
    #[cfg_attr(
        feature = "vendored",
        link_name = "t30_set_supported_output_compressions"
    )]
    pub(crate) fn t30_set_rx_encoding(t30: *mut T30State, encoding: c_int) -> c_int;
    pub(crate) fn t30_set_supported_modems(t30: *mut T30State, modems: c_int) -> c_int;
    pub(crate) fn t30_set_supported_compressions(t30: *mut T30State, codes: c_int) -> c_int;
    #[cfg_attr(
        feature = "vendored",
        link_name = "t30_set_supported_bilevel_resolutions"
    )]
    pub(crate) fn t30_set_supported_resolutions(t30: *mut T30State, resolutions: c_int) -> c_int;
    pub(crate) fn t30_set_supported_image_sizes(t30: *mut T30State, sizes: c_int) -> c_int;
    pub(crate) fn t30_set_supported_t30_features(t30: *mut T30State, features: c_int) -> c_int;
    pub(crate) fn t30_set_phase_b_handler(
        t30: *mut T30State,
        handler: PhaseHandler,
        user: *mut c_void,
    );
    pub(crate) fn t30_set_phase_d_handler(
        t30: *mut T30State,
        handler: PhaseHandler,
        user: *mut c_void,
    );
    pub(crate) fn t30_set_phase_e_handler(
        t30: *mut T30State,
        handler: EndHandler,
        user: *mut c_void,
    );
    pub(crate) fn t30_set_real_time_frame_handler(
        t30: *mut T30State,
        handler: FrameHandler,
        user: *mut c_void,
    );
    pub(crate) fn t30_get_transfer_statistics(t30: *mut T30State, stats: *mut Stats);
    pub(crate) fn t30_call_active(t30: *mut T30State) -> c_int;
    pub(crate) fn t30_terminate(t30: *mut T30State);
}

/// A modem (`t31_state_t`).
#[cfg(feature = "modem")]
#[repr(C)]
pub(crate) struct ModemState {
    _opaque: [u8; 0],
}

/// The AT command interpreter of a modem (`at_state_t`).
#[cfg(all(feature = "modem", not(feature = "vendored")))]
#[repr(C)]
pub(crate) struct AtState {
    _opaque: [u8; 0],
}

/// Takes bytes for the software on the serial side; 0 is good.
#[cfg(all(feature = "modem", not(feature = "vendored")))]
pub(crate) type AtTxHandler =
    unsafe extern "C" fn(*mut AtState, *mut c_void, *const u8, usize) -> c_int;
#[cfg(all(feature = "modem", feature = "vendored"))]
pub(crate) type AtTxHandler = unsafe extern "C" fn(*mut c_void, *const u8, usize) -> c_int;

/// Hears what a modem wants of the line: an operation, and a text or a number in the clothes of a pointer.
#[cfg(feature = "modem")]
pub(crate) type ControlHandler =
    unsafe extern "C" fn(*mut ModemState, *mut c_void, c_int, *const c_char) -> c_int;

/// Call the number that is the argument (`AT_MODEM_CONTROL_CALL`).
#[cfg(feature = "modem")]
pub(crate) const CONTROL_CALL: c_int = 0;
/// Pick up (`AT_MODEM_CONTROL_ANSWER`).
#[cfg(feature = "modem")]
pub(crate) const CONTROL_ANSWER: c_int = 1;
/// Hang up (`AT_MODEM_CONTROL_HANGUP`).
#[cfg(feature = "modem")]
pub(crate) const CONTROL_HANGUP: c_int = 2;
/// The software may send (1) or has to wait (0) (`AT_MODEM_CONTROL_CTS`).
#[cfg(feature = "modem")]
pub(crate) const CONTROL_CTS: c_int = 7;

#[cfg(feature = "modem")]
unsafe extern "C" {
    pub(crate) fn t31_init(
        modem: *mut ModemState,
        bytes: AtTxHandler,
        bytes_user: *mut c_void,
        control: ControlHandler,
        control_user: *mut c_void,
        packets: TxPacketHandler,
        packets_user: *mut c_void,
    ) -> *mut ModemState;
    pub(crate) fn t31_free(modem: *mut ModemState) -> c_int;
    pub(crate) fn t31_set_mode(modem: *mut ModemState, t38: c_int);
    pub(crate) fn t31_get_t38_core_state(modem: *mut ModemState) -> *mut CoreState;
    pub(crate) fn t31_call_event(modem: *mut ModemState, event: c_int);
    pub(crate) fn t31_at_rx(modem: *mut ModemState, bytes: *const c_char, length: c_int) -> c_int;
    pub(crate) fn t31_t38_send_timeout(modem: *mut ModemState, samples: c_int) -> c_int;
}
