//! How a call ended: the completion codes of phase E.

use std::fmt;

macro_rules! completions {
    ($($code:literal $name:ident $text:literal)*) => {
        /// How a call ended (the library's `T30_ERR_*`; 14 to 22 are told to a sender, 23 to 40 to a receiver).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Completion {
            $(#[doc = $text] $name,)*
            /// A code that the library did not have when this was written.
            Other(i32),
        }

        impl Completion {
            /// The completion with this number.
            pub fn from_code(code: i32) -> Self {
                match code {
                    $($code => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// Its number.
            pub fn code(self) -> i32 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Other(code) => code,
                }
            }

            /// What it means, a sentence without its full stop.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(_) => "The call ended for a reason that has no name here",
                }
            }
        }
    };
}

completions! {
    0 Ok "The call did what it was for"
    1 CedTone "The tone of the called party lasted longer than 5 s"
    2 T0Expired "Nothing was heard that is a fax machine"
    3 T1Expired "No first message came"
    4 T3Expired "An interruption by an operator took too long"
    5 HdlcCarrier "The carrier of a message did not stop"
    6 CannotTrain "No modem of both could be trained"
    7 OperatorInterrupt "An interruption by an operator failed"
    8 Incompatible "The far end is not compatible"
    9 RxIncapable "The far end cannot receive"
    10 TxIncapable "The far end cannot transmit"
    11 NoResolution "The far end cannot receive this resolution"
    12 NoSize "The far end cannot receive this size of page"
    13 Unexpected "A message came that has no place there"
    14 TxBadDcs "The answer to DCS or to the training was bad"
    15 TxBadPage "The far end hung up after a page"
    16 TxEcmPhaseD "The receiver answered wrongly in error correction"
    17 TxGotDcn "The far end hung up before it said what it can do"
    18 TxInvalidResponse "The answer to a page has no meaning there"
    19 TxNoDis "Something else came where the far end says what it can do"
    20 TxPhaseBDead "No answer to DCS or to the training"
    21 TxPhaseDDead "No answer after a page"
    22 TxT5Expired "The receiver was not ready for too long"
    23 RxEcmPhaseD "The sender answered wrongly in error correction"
    24 RxGotDcs "DCS came while DTC was awaited"
    25 RxInvalidCommand "A wrong command came after a page"
    26 RxNoCarrier "The carrier was lost in a page"
    27 RxNoEol "No end of a line came"
    28 RxNoFax "No first line came"
    29 RxT2ExpiredDcn "Nothing came while DCN was awaited"
    30 RxT2ExpiredPhaseD "Nothing came while the end of a page was awaited"
    31 RxT2ExpiredFax "Nothing came while a page was awaited"
    32 RxT2ExpiredMps "Nothing came while the next page was awaited"
    33 RxT2ExpiredRr "Nothing came while RR was awaited"
    34 RxT2Expired "Nothing came while NSS, DCS or MCF was awaited"
    35 RxDcnWhy "The far end hung up while DCS or DIS was awaited"
    36 RxDcnInPage "The far end hung up while a page was awaited"
    37 RxDcnAfterPage "The far end hung up while EOM, EOP or MPS was awaited"
    38 RxDcnPhaseD "The far end hung up after EOM or MPS"
    39 RxDcnNotReady "The far end hung up after RR or RNR"
    40 RxDcnNoRepeat "The far end hung up when a page was asked for again"
    41 FileError "The TIFF-F file cannot be opened"
    42 NoPage "The TIFF-F file has no such page"
    43 BadTiff "The TIFF-F file is of another kind"
    44 BadPage "A page of the TIFF-F file has no number"
    45 BadTag "A tag of the TIFF-F file is wrong"
    46 BadTiffHeader "The header of the TIFF-F file is wrong"
    47 NoMemory "There is no memory for more pages"
    48 RetryDcn "The call ended after as many repeats as are allowed"
    49 CallDropped "The call was cut"
    50 NoPoll "Polling was not accepted"
    51 IdentRefused "The identifier was not accepted"
    52 SubAddressRefused "The sub-address was not accepted"
    53 SelectivePollingRefused "The address of selective polling was not accepted"
    54 PolledSubAddressRefused "The polled sub-address was not accepted"
    55 SenderIdentRefused "The sender identification was not accepted"
    56 PasswordRefused "The password was not accepted"
    57 TransmittingAddressRefused "The internet address of the sender was not accepted"
    58 RoutingAddressRefused "The internet routing address was not accepted"
    59 CallingAddressRefused "The internet address of the calling party was not accepted"
    60 InternetPollingRefused "The internet address of selective polling was not accepted"
    61 CalledAddressRefused "The internet address of the called party was not accepted"
}

impl fmt::Display for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        for code in -1..70 {
            assert_eq!(Completion::from_code(code).code(), code);
        }
        assert_eq!(Completion::from_code(61), Completion::CalledAddressRefused);
        assert_eq!(Completion::from_code(62), Completion::Other(62));
    }
}
