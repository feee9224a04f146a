//! A T.38 terminal.

use std::collections::VecDeque;
use std::ffi::c_int;
use std::ffi::c_void;
use std::fmt;
use std::ptr;

use crate::call::FaxCall;
use crate::call::Pacing;
use crate::call::StartError;
use crate::completion::Completion;
use crate::engine;
use crate::engine::Desk;
use crate::engine::Settings;
use crate::event::Event;
use crate::event::Packet;
use crate::event::Progress;
use crate::ffi;
use crate::ledger::Ledger;

/// Samples of one step of the clock: 20 ms, as long as the library's own pace between packets of a page.
const STEP: u32 = 160;

/// Bytes of the longest packet that is taken (`T38_RX_BUF_LEN`).
const MAX_IFP: usize = 2048;

/// One end of a T.38 call (the original version 0 of T.38, over UDPTL).
pub struct Terminal {
    state: *mut ffi::TerminalState,
    desk: Desk,
}

// SAFETY: the library keeps a terminal's state in the terminal and no thread of its own; `&mut self` keeps calls apart.
unsafe impl Send for Terminal {}

impl Terminal {
    /// A terminal at the beginning of a call. Its files are not opened yet.
    pub fn new(call: &FaxCall, pacing: Pacing) -> Result<Self, StartError> {
        let settings = Settings::of(call)?;
        engine::quiet();
        let desk = Desk::new();
        // SAFETY: a null state is allocated by the library; the handler has its type; `desk` outlives the state.
        let state = unsafe {
            ffi::t38_terminal_init(
                ptr::null_mut(),
                settings.calling_party(),
                on_packet,
                desk.user(),
            )
        };
        if state.is_null() {
            return Err(StartError::Refused);
        }
        let mut terminal = Self { state, desk };
        let options = match pacing {
            Pacing::Line => 0,
            Pacing::Unpaced => ffi::NO_PACING,
        };
        // SAFETY: the state is live, its engine and core are parts of it; Drop frees it before the desk.
        unsafe {
            ffi::t38_terminal_set_config(state, options);
            ffi::t38_terminal_set_tep_mode(state, 0);
            ffi::t38_set_t38_version(ffi::t38_terminal_get_t38_core_state(state), 0);
            engine::configure(
                ffi::t38_terminal_get_t30_state(state),
                &settings,
                &mut terminal.desk,
            );
        }
        Ok(terminal)
    }

    /// Lets so many samples of time pass and hands over the packets to be sent.
    ///
    /// What has arrived is to be given to [`Self::receive`] before, or a slow machine looks like a silent far end.
    pub fn advance(&mut self, samples: u32, mut send: impl FnMut(Packet<'_>)) {
        let mut left = samples;
        while left > 0 {
            let step = left.min(STEP);
            left -= step;
            // SAFETY: the state is live, and the desk is not borrowed. At most 160 samples fit.
            unsafe { ffi::t38_terminal_send_timeout(self.state, step as c_int) };
            self.hand_over(&mut send);
        }
    }

    /// A packet of the far end, with its sequence number. A repeated one is skipped, a missing one is noticed.
    ///
    /// What cannot be a packet is dropped. Answers go out with the next [`Self::advance`].
    pub fn receive(&mut self, ifp: &[u8], sequence: u16) {
        if ifp.is_empty() || ifp.len() > MAX_IFP {
            return;
        }
        // SAFETY: the state is live and the core a part of it; the bytes stay until it returns; 2,048 fit a c_int.
        unsafe {
            let core = ffi::t38_terminal_get_t38_core_state(self.state);
            ffi::t38_core_rx_ifp_packet(core, ifp.as_ptr(), ifp.len() as c_int, sequence);
        }
    }

    /// Ends the call at once: the far end hung up, fell silent, or is not wanted any more.
    pub fn terminate(&mut self) {
        // SAFETY: the state is live and the engine a part of it.
        unsafe {
            let t30 = ffi::t38_terminal_get_t30_state(self.state);
            engine::terminate(t30, &mut self.desk);
        }
    }

    /// What happened since the last time, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.desk.ledger_mut().events)
    }

    /// How far the call is.
    pub fn progress(&self) -> &Progress {
        &self.desk.ledger().progress
    }

    /// How the call ended, once it has. The far end may still want what [`Self::advance`] sends for a second or two.
    pub fn completion(&self) -> Option<Completion> {
        self.desk.ledger().completion
    }

    /// Whether the engine has more to do: it goes on for a moment after the end.
    pub fn is_active(&self) -> bool {
        // SAFETY: the state is live and the engine a part of it; it only reads.
        unsafe { ffi::t30_call_active(ffi::t38_terminal_get_t30_state(self.state)) != 0 }
    }

    /// The packets are taken off the desk first, so that nothing of the caller runs while it is borrowed.
    fn hand_over(&mut self, send: &mut impl FnMut(Packet<'_>)) {
        let packets: VecDeque<_> = std::mem::take(&mut self.desk.ledger_mut().packets);
        for (ifp, copies) in &packets {
            send(Packet {
                ifp,
                copies: *copies,
            });
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // SAFETY: it came from t38_terminal_init and is freed once; the desk goes after it.
        unsafe { ffi::t38_terminal_free(self.state) };
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("progress", self.progress())
            .field("completion", &self.completion())
            .finish_non_exhaustive()
    }
}

unsafe extern "C" fn on_packet(
    _core: *mut ffi::CoreState,
    user: *mut c_void,
    bytes: *const u8,
    length: c_int,
    copies: c_int,
) -> c_int {
    // SAFETY: `user` is the ledger of the live terminal that calls; nothing else holds it while the library runs.
    let ledger = unsafe { &mut *user.cast::<Ledger>() };
    // SAFETY: the library passes a packet of `length` bytes that stays until this returns.
    let ifp = unsafe { engine::bytes_of(bytes, length) };
    let copies = u32::try_from(copies).unwrap_or(1).max(1);
    ledger.packets.push_back((ifp.to_vec(), copies));
    0
}
