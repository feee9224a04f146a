//! One call: what is asked of it, how far it is, and what came of it.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;

use super::StationId;
use crate::time::Timestamp;

/// Why a call did not deliver all pages; after T.30 and Q.850.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The line was busy (Q.850 cause 17).
    Busy,
    /// The far end refused the call (Q.850 cause 21).
    CallRejected,
    /// The modems found no common signalling rate (T.30 phase B).
    CannotTrain,
    /// The network has no way free now, or a part of it is out of order (Q.850 causes 34 and 38).
    Congested,
    /// The connection ended before all pages were confirmed.
    Disconnected,
    /// The far end cannot receive this page format.
    Incompatible,
    /// The gateway went down during the call and the transport cannot tell what came of it.
    Interrupted,
    /// A fault of ours: the pages could not be read, or the program that sends them ended.
    LocalFault,
    /// No fax tone came, or a telephone was picked up.
    NoFaxTone,
    /// Nobody answered within the ring time-out (Q.850 cause 19).
    NoAnswer,
    /// No confirmation came after a page (T.30 phase D).
    NoResponseAfterPage,
    /// No configured line leads to this number (Q.850 cause 3).
    NoRoute,
    /// No line, no route, a fault of the network or of the transport (Q.850 cause 41).
    Network,
    /// The number has changed (Q.850 cause 22).
    NumberChanged,
    /// The number is not in service (Q.850 cause 1).
    NumberUnassigned,
}

impl Cause {
    /// The word in storage and in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::CallRejected => "call-rejected",
            Self::CannotTrain => "cannot-train",
            Self::Congested => "congested",
            Self::Disconnected => "disconnected",
            Self::Incompatible => "incompatible",
            Self::Interrupted => "interrupted",
            Self::LocalFault => "local-fault",
            Self::NoFaxTone => "no-fax-tone",
            Self::NoAnswer => "no-answer",
            Self::NoResponseAfterPage => "no-response-after-page",
            Self::NoRoute => "no-route",
            Self::Network => "network",
            Self::NumberChanged => "number-changed",
            Self::NumberUnassigned => "number-unassigned",
        }
    }

    /// The cause whose word this is.
    pub fn from_word(word: &str) -> Option<Self> {
        let word: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
        Self::deserialize(word).ok()
    }
}

/// How the bits of a fax travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Media {
    /// As sound (G.711).
    G711,
    /// As packets (T.38).
    T38,
}

impl Media {
    /// The word in storage and in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::G711 => "g711",
            Self::T38 => "t38",
        }
    }

    /// The media whose word this is.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "g711" => Some(Self::G711),
            "t38" => Some(Self::T38),
            _ => None,
        }
    }
}

/// The fastest modem that a call tries; it falls back to slower ones by itself (T.30 table 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modem {
    /// V.17: 14,400 to 7,200 bit/s.
    #[default]
    V17,
    /// V.29: 9,600 and 7,200 bit/s.
    V29,
    /// V.27ter: 4,800 and 2,400 bit/s.
    V27ter,
}

/// Whom a fax is for behind the number (SUB, T.30 section 5.3.6.2.11; `T33S` of RFC 3192): at most 20 digits, `#` and `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubAddress(String);

impl SubAddress {
    /// The sub-address in `text`, if it fits the T.30 set and length.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=20).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'#' | b'*'));
        fits.then(|| Self(text.to_owned()))
    }

    /// The sub-address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SubAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a sub-address has 1 to 20 digits, # and *")
    }
}

impl From<SubAddress> for String {
    fn from(address: SubAddress) -> Self {
        address.0
    }
}

impl fmt::Display for SubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far a call is. What happens more than once comes more than once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum CallProgress {
    /// The call goes out over this line.
    Dialling {
        /// The line's name, such as that of a trunk.
        line: String,
    },
    /// The far end rings.
    Ringing,
    /// The far end was picked up (T.30 phase A ends).
    Answered,
    /// How the fax travels from here on.
    Carried {
        /// As sound or as packets.
        media: Media,
    },
    /// Phase B: the far end said who it is.
    Identified {
        /// Its identifier (CSI when we call, TSI when we are called).
        remote_id: StationId,
    },
    /// Phase B: a speed is trained; again at each step down.
    Training {
        /// Bits a second.
        rate: u32,
        /// Whether errors are corrected (ECM).
        ecm: bool,
    },
    /// Phase D: a page was confirmed.
    Page {
        /// Pages confirmed so far, those of earlier calls included.
        confirmed: u32,
        /// Pages in all; 0 if that is not known.
        of: u32,
    },
    /// The end of the last page was sent and not yet answered (EOP): from here on only the far end knows whether all arrived.
    LastPageSent,
    /// Phase E: the line is released.
    Released,
}

/// What a transport reports of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallReport {
    /// Pages the far end confirmed, those of earlier calls of the job included.
    pub pages_sent: u32,
    /// The far end's identifier (CSI).
    pub remote_id: StationId,
    /// When the call began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The line it went over, such as the name of a trunk; empty if it has none.
    pub line: String,
    /// How the fax travelled; `None` if it came to none, or nobody told us.
    pub media: Option<Media>,
    /// Speed of the latest page in bits a second; 0 if unknown.
    pub rate: u32,
    /// Whether errors were corrected.
    pub ecm: bool,
    /// The last status code of SIP (RFC 3261 section 21).
    pub sip: Option<u16>,
    /// The completion code of the T.30 engine.
    pub t30: Option<i32>,
    /// What else an operator wants to know, in one line; without secrets.
    pub detail: String,
}

/// What came of one call. What follows from it is decided by `queue::schedule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All pages were confirmed.
    Sent(CallReport),
    /// It may go better another time.
    Retry(Cause, CallReport),
    /// Another call would end the same way.
    Failed(Cause, CallReport),
    /// The number was not reached and it was not its fault: no line is in service. It counts neither as an attempt nor as a call.
    NotCalled {
        /// Why, in one line for the operator.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_cause_is_the_one_in_the_journal() {
        for cause in [
            Cause::Busy,
            Cause::NoResponseAfterPage,
            Cause::NumberChanged,
        ] {
            let word = serde_json::to_value(cause).unwrap();
            assert_eq!(word, cause.as_str());
            assert_eq!(Cause::from_word(cause.as_str()), Some(cause));
        }
        assert_eq!(Cause::from_word("tired"), None);
    }

    #[test]
    fn a_sub_address_has_the_t30_set_and_length() {
        assert!(SubAddress::parse("123#*").is_some());
        for bad in ["", "12-3", "123456789012345678901", "１"] {
            assert!(SubAddress::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn progress_reads_back_as_it_was_written() {
        for progress in [
            CallProgress::Dialling { line: "a".into() },
            CallProgress::Identified {
                remote_id: StationId::from_far_end(b"+81 3"),
            },
            CallProgress::Page {
                confirmed: 1,
                of: 3,
            },
            CallProgress::LastPageSent,
        ] {
            let text = serde_json::to_string(&progress).unwrap();
            assert_eq!(
                serde_json::from_str::<CallProgress>(&text).unwrap(),
                progress
            );
        }
    }
}
