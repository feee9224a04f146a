//! A fax modem for software that wants one: T.31 class 1 on one side, T.38 on the other.

use std::ffi::CStr;
use std::ffi::c_char;
use std::ffi::c_int;
use std::ffi::c_void;
use std::fmt;
use std::ptr;

use crate::call::StartError;
use crate::engine;
use crate::engine::Desk;
use crate::event::Packet;
use crate::ffi;
use crate::serial::LineEvent;
use crate::serial::Wish;

/// Samples of one step of the clock: 20 ms.
const STEP: u32 = 160;

/// Bytes of the longest packet that is taken (`T38_RX_BUF_LEN`).
const MAX_IFP: usize = 2048;

/// Bytes that the library is given at once: it asks to wait when 1,024 more still fit, and writes past its buffer after that.
const PIECE: usize = 256;

/// A modem whose telephone line is T.38: AT commands and fax data in and out, packets in and out.
///
/// A tool for tests with software that does T.30 itself. The library trusts both sides with the lengths of T.30 frames: do
/// not connect it to strangers.
pub struct ClassOneModem {
    state: *mut ffi::ModemState,
    desk: Desk<Serial>,
}

/// What the callbacks put aside.
#[derive(Default)]
struct Serial {
    /// Bytes for the software.
    bytes: Vec<u8>,
    /// Packets to be sent, each with its copies.
    packets: Vec<(Vec<u8>, u32)>,
    /// What the software wants of the line.
    wishes: Vec<Wish>,
    /// Whether the modem's buffer is full (CTS is off).
    full: bool,
}

// SAFETY: the library keeps a modem's state in the modem and no thread of its own; `&mut self` keeps calls apart.
unsafe impl Send for ClassOneModem {}

impl ClassOneModem {
    /// A modem that has just been switched on.
    pub fn new() -> Result<Self, StartError> {
        engine::quiet();
        let desk = Desk::<Serial>::new();
        let user = desk.user();
        // SAFETY: a null state is allocated by the library; the handlers have the types of its header; `desk` outlives the
        // state.
        let state = unsafe {
            ffi::t31_init(
                ptr::null_mut(),
                on_bytes,
                user,
                on_control,
                user,
                on_packet,
                user,
            )
        };
        if state.is_null() {
            return Err(StartError::Refused);
        }
        // SAFETY: the state is live and its core a part of it.
        unsafe {
            ffi::t31_set_mode(state, 1);
            ffi::t38_set_t38_version(ffi::t31_get_t38_core_state(state), 0);
        }
        Ok(Self { state, desk })
    }

    /// Bytes of the software; how many the modem took. The rest is to come again when time has passed.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for piece in bytes.chunks(PIECE) {
            // The library crashes if this is not honoured.
            if self.desk.ledger().full {
                break;
            }
            // SAFETY: the state is live and the desk not borrowed; the bytes stay until it returns; there is room for a piece.
            unsafe { ffi::t31_at_rx(self.state, piece.as_ptr().cast(), piece.len() as c_int) };
            taken += piece.len();
        }
        taken
    }

    /// Bytes for the software.
    pub fn read(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.desk.ledger_mut().bytes)
    }

    /// What the software wants of the line since the last time, in order.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.desk.ledger_mut().wishes)
    }

    /// Something happens on the line.
    pub fn tell(&mut self, event: LineEvent) {
        // SAFETY: the state is live and the desk not borrowed.
        unsafe { ffi::t31_call_event(self.state, event.code()) };
    }

    /// A packet of the far end, with its sequence number.
    pub fn receive(&mut self, ifp: &[u8], sequence: u16) {
        if ifp.is_empty() || ifp.len() > MAX_IFP {
            return;
        }
        // SAFETY: the state is live and the core a part of it; the bytes stay until it returns; 2,048 fit a c_int.
        unsafe {
            let core = ffi::t31_get_t38_core_state(self.state);
            ffi::t38_core_rx_ifp_packet(core, ifp.as_ptr(), ifp.len() as c_int, sequence);
        }
    }

    /// Lets so many samples of time pass and hands over the packets to be sent.
    pub fn advance(&mut self, samples: u32, mut send: impl FnMut(Packet<'_>)) {
        let mut left = samples;
        while left > 0 {
            let step = left.min(STEP);
            left -= step;
            // SAFETY: the state is live and the desk not borrowed; 160 fit.
            unsafe { ffi::t31_t38_send_timeout(self.state, step as c_int) };
            for (ifp, copies) in std::mem::take(&mut self.desk.ledger_mut().packets) {
                send(Packet { ifp: &ifp, copies });
            }
        }
    }
}

impl Drop for ClassOneModem {
    fn drop(&mut self) {
        // SAFETY: it came from t31_init and is freed once; the desk goes after it.
        unsafe { ffi::t31_free(self.state) };
    }
}

impl fmt::Debug for ClassOneModem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassOneModem")
            .field("full", &self.desk.ledger().full)
            .finish_non_exhaustive()
    }
}

#[cfg(not(feature = "vendored"))]
unsafe extern "C" fn on_bytes(
    _interpreter: *mut ffi::AtState,
    user: *mut c_void,
    bytes: *const u8,
    length: usize,
) -> c_int {
    // SAFETY: `user` is that of `t31_init`, and the bytes are passed on as they came.
    unsafe { put_bytes(user, bytes, length) }
}

#[cfg(feature = "vendored")]
unsafe extern "C" fn on_bytes(user: *mut c_void, bytes: *const u8, length: usize) -> c_int {
    // SAFETY: as above.
    unsafe { put_bytes(user, bytes, length) }
}

/// # Safety
///
/// `user` is the desk of the live modem that calls; nothing else holds it while the library runs. `bytes` are `length`
/// bytes that stay until this returns.
unsafe fn put_bytes(user: *mut c_void, bytes: *const u8, length: usize) -> c_int {
    // SAFETY: the caller's.
    let serial = unsafe { &mut *user.cast::<Serial>() };
    if let Ok(length) = c_int::try_from(length) {
        // SAFETY: the caller's.
        serial
            .bytes
            .extend_from_slice(unsafe { engine::bytes_of(bytes, length) });
    }
    0
}

unsafe extern "C" fn on_control(
    _modem: *mut ffi::ModemState,
    user: *mut c_void,
    operation: c_int,
    argument: *const c_char,
) -> c_int {
    // SAFETY: as in `put_bytes`.
    let serial = unsafe { &mut *user.cast::<Serial>() };
    match operation {
        ffi::CONTROL_CALL if !argument.is_null() => {
            // SAFETY: the number of a call ends in a zero and stays until this returns.
            let number = unsafe { CStr::from_ptr(argument) };
            let number = number.to_string_lossy().into_owned();
            serial.wishes.push(Wish::Dial(number));
        }
        ffi::CONTROL_ANSWER => serial.wishes.push(Wish::Answer),
        ffi::CONTROL_HANGUP => serial.wishes.push(Wish::HangUp),
        // The argument is no pointer here but 0 or 1.
        ffi::CONTROL_CTS => serial.full = argument.is_null(),
        _ => {}
    }
    0
}

unsafe extern "C" fn on_packet(
    _core: *mut ffi::CoreState,
    user: *mut c_void,
    bytes: *const u8,
    length: c_int,
    copies: c_int,
) -> c_int {
    // SAFETY: as in `put_bytes`.
    let serial = unsafe { &mut *user.cast::<Serial>() };
    // SAFETY: the library passes a packet of `length` bytes that stays until this returns.
    let ifp = unsafe { engine::bytes_of(bytes, length) };
    let copies = u32::try_from(copies).unwrap_or(1).max(1);
    serial.packets.push((ifp.to_vec(), copies));
    0
}
