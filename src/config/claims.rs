//! What only one account may have: ids, login IDs, sender addresses and domains, numbers, client
//! certificates.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use super::section::Section;
use super::source::Place;

/// The kinds of things that belong to one account only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// `id`
    Id,
    /// `login_id`
    LoginId,
    /// An exact sender address. It may lie in another account's domain: exact goes before wildcard.
    Sender,
    /// A sender domain (`*@domain`).
    SenderDomain,
    /// A number for received faxes.
    Number,
    /// The fingerprint of a client certificate.
    Certificate,
}

/// Who has what so far.
#[derive(Default)]
pub(super) struct Claims(HashMap<(Kind, String), Owner>);

struct Owner {
    /// Which account, counted over all files.
    account: usize,
    file: PathBuf,
    place: Place,
}

impl Claims {
    /// Notes that the account with this running number has `what`, written at `place` under `key`;
    /// reports a mistake if another account has it already. Whether it is this account's now.
    pub(super) fn claim(
        &mut self,
        section: &mut Section<'_, '_>,
        account: usize,
        (kind, what): (Kind, String),
        (key, place): (String, Place),
    ) -> bool {
        match self.0.entry((kind, what)) {
            Entry::Vacant(free) => {
                free.insert(Owner {
                    account,
                    file: section.file().to_owned(),
                    place,
                });
                true
            }
            Entry::Occupied(taken) if taken.get().account != account => {
                let Owner {
                    file, place: at, ..
                } = taken.get();
                let thing = match kind {
                    Kind::Id => "id",
                    Kind::LoginId => "login ID",
                    Kind::Sender => "sender address",
                    Kind::SenderDomain => "sender domain",
                    Kind::Number => "number",
                    Kind::Certificate => "client certificate",
                };
                let (file, line, column) = (file.display(), at.line, at.column);
                let problem =
                    format!("another account has this {thing} already ({file}:{line}:{column})");
                section.mistake_at(key, place, &problem, "each in one account only");
                false
            }
            Entry::Occupied(_) => true,
        }
    }
}
