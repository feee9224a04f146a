//! Why a submission was refused: facts without words. Each door says it in its own language.

use crate::fax::NumberError;

/// A refusal, decided once. Doors match on it exhaustively, so that a new variant does not compile
/// until each door has decided what to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The reverse-path is null, or the mail says that no person wrote it (RFC 3834).
    AutomaticMail,
    /// Password checks queue for too long; nothing was checked and nothing counted.
    Busy,
    /// The sender's domain says that the message is not from there, or the account takes nothing that is
    /// not proved.
    Forged,
    /// The message cannot be read as mail.
    Malformed(Malformed),
    /// No recipient names a list that exists or a number.
    NoSuchList,
    /// The number cannot be understood.
    Number(NumberError),
    /// Who sent it could not be proved: unknown sender, missing, wrong or contradicting password, or a
    /// locked account. One variant, because nobody may learn which (promise P7).
    NotAuthenticated,
    /// Storage did not keep what it must; nothing was accepted and nothing counted.
    Storage,
    /// The account has sent as many messages as it may in a minute.
    TooMany,
    /// DNS did not say whether the message is forged; nothing was checked and nothing counted.
    Undecided,
    /// The subject has an option nobody knows.
    UnknownOption(String),
}

/// How a message fails to be mail, or passes a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// There is nothing to send: no attachment, and no text but perhaps a password.
    Empty,
    /// The header is longer than allowed.
    HeaderTooLong,
    /// No header that a mail has.
    NoHeader,
    /// More parts than allowed.
    TooManyParts,
    /// Parts nested more deeply than allowed.
    TooDeep,
    /// A charset that hides text from simple readers (UTF-7).
    Charset,
}
