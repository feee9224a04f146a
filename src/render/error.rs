//! Why documents did not become pages, and whose fault it is.

use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

/// A fax that could not be rendered. Its text is one line of plain English for the result mail.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RenderError {
    /// The sender's document is at fault: another attempt would end the same way.
    #[error("{} {reason}", subject(.name.as_deref()))]
    Document {
        /// The file's name; `None` is the text of the mail itself.
        name: Option<String>,
        /// What is wrong with it.
        reason: BadDocument,
    },
    /// The gateway is at fault: it may go better another time.
    #[error("the gateway could not convert the documents ({0})")]
    Worker(Trouble),
}

impl RenderError {
    /// Whether another attempt may end better.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Document { .. } => false,
            Self::Worker(_) => true,
        }
    }

    /// The error that a document called `name` is at fault for `reason`.
    pub(crate) fn document(name: Option<&str>, reason: BadDocument) -> Self {
        Self::Document {
            name: name.map(str::to_owned),
            reason,
        }
    }
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum BadDocument {
    /// A password is needed to open it.
    #[error("is encrypted; send it without a password")]
    Encrypted,
    /// Its form was filled in, but how the answers look is left to the reader (ISO 32000-1, 12.7.2:
    /// NeedAppearances), and ours does not draw them.
    #[error("has a form that was filled in without saving how it looks; print it to a new PDF")]
    FormNotDrawn,
    /// A picture or a font in it cannot be read: the pages would lack something and look delivered.
    #[error("has a picture or a font in it that cannot be read")]
    Incomplete,
    /// It has no pages.
    #[error("has no pages")]
    NoPages,
    /// It is damaged, or not what it claims to be.
    #[error("cannot be read: it is damaged or of another type than its name says")]
    NotReadable,
    /// Converting it took more memory or processor time than one fax may have.
    #[error("is too large or too complex to convert")]
    TooLarge,
    /// The fax would have more pages than allowed.
    #[error("makes the fax longer than {limit} pages")]
    TooManyPages {
        /// Most pages of a fax.
        limit: u32,
    },
    /// An image has more pixels than allowed.
    #[error("has an image of more than {limit} pixels")]
    TooManyPixels {
        /// Most pixels of an image.
        limit: u64,
    },
    /// We do not convert documents of this type.
    #[error("is of a type that cannot be faxed ({media_type})")]
    Unsupported {
        /// The declared media type.
        media_type: String,
    },
}

/// What went wrong on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Trouble {
    /// The worker did not finish although its processor time was not used up.
    #[error("the converter took too long")]
    Deadline,
    /// Talking to the worker failed, or it was ended from outside.
    #[error("the converter broke off")]
    Lost,
    /// A worker could not be started.
    #[error("the converter did not start")]
    Start,
    /// The machine cannot confine a worker and the configuration does not allow to go without.
    #[error("the converter cannot be confined on this machine")]
    Unconfined,
    /// A file of pages that we wrote ourselves could not be read.
    #[error("the stored pages cannot be read")]
    StoredPages,
}

fn subject(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("the file '{name}'"),
        None => "the text of the mail".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_and_the_reason_in_one_line() {
        let error = RenderError::document(Some("請求書.pdf"), BadDocument::Encrypted);
        assert_eq!(
            error.to_string(),
            "the file '請求書.pdf' is encrypted; send it without a password"
        );
        let error = RenderError::document(None, BadDocument::TooManyPages { limit: 100 });
        assert_eq!(
            error.to_string(),
            "the text of the mail makes the fax longer than 100 pages"
        );
    }

    #[test]
    fn only_our_own_trouble_is_temporary() {
        assert!(RenderError::Worker(Trouble::Deadline).is_temporary());
        assert!(!RenderError::document(None, BadDocument::TooLarge).is_temporary());
    }
}
