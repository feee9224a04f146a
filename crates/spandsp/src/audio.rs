//! A fax over audio.

use std::ffi::c_int;
use std::fmt;
use std::ptr;

use crate::call::FaxCall;
use crate::call::StartError;
use crate::completion::Completion;
use crate::engine;
use crate::engine::Desk;
use crate::engine::Settings;
use crate::event::Event;
use crate::event::Progress;
use crate::ffi;

/// Samples that go to the library at once: 20 ms.
const BLOCK: usize = 160;

/// One end of a call over audio: 16-bit samples, 8,000 in a second, to be coded as G.711 by the caller.
pub struct AudioFax {
    state: *mut ffi::FaxState,
    desk: Desk,
}

// SAFETY: the library keeps a fax's state in the fax and no thread of its own; `&mut self` keeps calls apart.
unsafe impl Send for AudioFax {}

impl AudioFax {
    /// A fax at the beginning of a call. Its files are not opened yet.
    pub fn new(call: &FaxCall) -> Result<Self, StartError> {
        let settings = Settings::of(call)?;
        engine::quiet();
        let desk = Desk::new();
        // SAFETY: a null state is allocated by the library.
        let state = unsafe { ffi::fax_init(ptr::null_mut(), settings.calling_party()) };
        if state.is_null() {
            return Err(StartError::Refused);
        }
        let mut fax = Self { state, desk };
        // SAFETY: the state is live and its engine a part of it; Drop frees it before the desk.
        unsafe {
            ffi::fax_set_transmit_on_idle(state, 1);
            ffi::fax_set_tep_mode(state, 0);
            engine::configure(ffi::fax_get_t30_state(state), &settings, &mut fax.desk);
        }
        Ok(fax)
    }

    /// Samples of the far end.
    pub fn receive(&mut self, samples: &[i16]) {
        let mut block = [0; BLOCK];
        for part in samples.chunks(BLOCK) {
            // The library filters in place.
            if let Some(copy) = block.get_mut(..part.len()) {
                copy.copy_from_slice(part);
            }
            // SAFETY: the state is live and the desk not borrowed; a part is at most a block.
            unsafe { ffi::fax_rx(self.state, block.as_mut_ptr(), part.len() as c_int) };
        }
    }

    /// So many samples of the far end are lost.
    pub fn receive_lost(&mut self, samples: u32) {
        let mut left = samples;
        while left > 0 {
            let step = left.min(BLOCK as u32);
            left -= step;
            // SAFETY: the state is live and the desk not borrowed.
            unsafe { ffi::fax_rx_fillin(self.state, step as c_int) };
        }
    }

    /// Fills the samples to be sent next: silence when there is nothing to say. The clock goes on by their number.
    pub fn transmit(&mut self, samples: &mut [i16]) {
        for part in samples.chunks_mut(BLOCK) {
            // SAFETY: the state is live and the desk not borrowed; the library writes at most `part.len()` samples.
            let made = unsafe { ffi::fax_tx(self.state, part.as_mut_ptr(), part.len() as c_int) };
            let made = usize::try_from(made).unwrap_or(0);
            if let Some(rest) = part.get_mut(made..) {
                rest.fill(0);
            }
        }
    }

    /// Ends the call at once: the far end hung up, fell silent, or is not wanted any more.
    pub fn terminate(&mut self) {
        // SAFETY: the state is live and the engine a part of it.
        unsafe { engine::terminate(ffi::fax_get_t30_state(self.state), &mut self.desk) };
    }

    /// What happened since the last time, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.desk.ledger_mut().events)
    }

    /// How far the call is.
    pub fn progress(&self) -> &Progress {
        &self.desk.ledger().progress
    }

    /// How the call ended, once it has.
    pub fn completion(&self) -> Option<Completion> {
        self.desk.ledger().completion
    }

    /// Whether the engine has more to do: it goes on for a moment after the end.
    pub fn is_active(&self) -> bool {
        // SAFETY: the state is live and the engine a part of it; it only reads.
        unsafe { ffi::t30_call_active(ffi::fax_get_t30_state(self.state)) != 0 }
    }
}

impl Drop for AudioFax {
    fn drop(&mut self) {
        // SAFETY: it came from fax_init and is freed once; the desk goes after it.
        unsafe { ffi::fax_free(self.state) };
    }
}

impl fmt::Debug for AudioFax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AudioFax")
            .field("progress", self.progress())
            .field("completion", &self.completion())
            .finish_non_exhaustive()
    }
}
