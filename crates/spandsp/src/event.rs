//! What happens in a call.

use std::fmt;

use crate::completion::Completion;

/// Something that happened, in the order of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A T.30 message went by (those of a page's own bytes are left out).
    Signal(Direction, Signal),
    /// Phase B: the far end said who it is and what it can do, or what it will send. It comes again if that is repeated.
    Negotiated {
        /// Its identifier (CSI or TSI), if it has one.
        remote_id: Option<String>,
        /// The sub-address that it calls (SUB).
        sub_address: Option<String>,
    },
    /// Phase B: a speed is to be trained. It comes again for each step down.
    Training {
        /// Bits a second.
        rate: u32,
        /// Whether errors are corrected.
        ecm: bool,
    },
    /// Phase D: a page arrived whole, and its sender knows, or will know if this is the receiver.
    Page(Progress),
    /// Phase E. Nothing follows.
    Ended(Completion),
}

/// How far a call is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pages of this call that are confirmed (sender) or whole (receiver).
    pub pages: u32,
    /// Pages of the file; a receiver does not know.
    pub pages_in_file: Option<u32>,
    /// Whether the last page was confirmed: EOP was answered by MCF. For a receiver this is success, whatever follows.
    pub confirmed: bool,
    /// Bits a second.
    pub rate: u32,
    /// Whether errors are corrected.
    pub ecm: bool,
    /// Frames that were sent again.
    pub ecm_retries: u32,
    /// Columns of the latest page.
    pub columns: u32,
    /// Rows of the latest page.
    pub rows: u32,
    /// Bytes of the latest page on the line.
    pub bytes: u32,
    /// Rows of the latest page that arrived damaged.
    pub bad_rows: u32,
}

/// A T.38 packet (IFP) to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its bytes.
    pub ifp: &'a [u8],
    /// How often to send the datagram: what begins and ends a signal is worth repeating. All copies have one sequence number.
    pub copies: u32,
}

/// Where a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the far end.
    Sent,
    /// From the far end.
    Received,
}

macro_rules! signals {
    ($($name:ident $text:literal $bytes:pat => $doc:literal)*) => {
        /// A T.30 message (T.30 section 5.3.6.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Signal {
            $(#[doc = $doc] $name,)*
        }

        impl Signal {
            /// Its name in T.30.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The message of these two octets: the facsimile control field without the bit that tells the sides apart,
            /// and what follows it. The first bit on the line is the lowest.
            #[cfg(spandsp_found)]
            pub(crate) fn of(field: u8, second: u8) -> Option<Self> {
                match (field, second) {
                    $($bytes => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

signals! {
    Dis "DIS" (0x80, _) => "What the called party can do."
    Csi "CSI" (0x40, _) => "Who the called party is."
    Nsf "NSF" (0x20, _) => "What the called party can do beyond the standard."
    Dcs "DCS" (0x82, _) => "What is going to be sent, and how."
    Tsi "TSI" (0x42, _) => "Who the sender is."
    Sub "SUB" (0xc2, _) => "Whom it is for behind the number."
    Cfr "CFR" (0x84, _) => "The training was good."
    Ftt "FTT" (0x44, _) => "The training failed."
    Eom "EOM" (0x8e, _) => "End of a page, back to phase B."
    Mps "MPS" (0x4e, _) => "End of a page, another follows."
    Eop "EOP" (0x2e, _) => "End of the last page."
    PpsNull "PPS-NULL" (0xbe, 0x00) => "End of a part of a page (ECM)."
    PpsEom "PPS-EOM" (0xbe, 0x8e | 0x8f) => "End of a page, back to phase B (ECM)."
    PpsMps "PPS-MPS" (0xbe, 0x4e | 0x4f) => "End of a page, another follows (ECM)."
    PpsEop "PPS-EOP" (0xbe, 0x2e | 0x2f) => "End of the last page (ECM)."
    Mcf "MCF" (0x8c, _) => "It arrived."
    Ppr "PPR" (0xbc, _) => "Some frames are wanted again (ECM)."
    Rtp "RTP" (0xcc, _) => "It arrived, train again."
    Rtn "RTN" (0x4c, _) => "It did not arrive well, train again."
    Rnr "RNR" (0xec, _) => "The receiver is not ready yet."
    Rr "RR" (0x6e, _) => "Is the receiver ready now?"
    Ctc "CTC" (0x12, _) => "Correction goes on, at this speed."
    Ctr "CTR" (0xc4, _) => "Yes, go on."
    Eor "EOR" (0xce, _) => "No more correction of this part."
    Err "ERR" (0x1c, _) => "The end of correction is understood."
    Crp "CRP" (0x1a, _) => "The last command is wanted again."
    Dcn "DCN" (0xfa, _) => "Disconnect."
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
