use super::BadDocument;
use super::convert::Settings;
pub(super) fn pages(_: &[u8], _: &Settings) -> Result<Vec<faxpage::Page>, BadDocument> {
    Err(BadDocument::NotReadable)
}
