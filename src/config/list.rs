//! `[[account.list]]`: contact lists, their members inline or in a CSV file.

use std::collections::HashSet;
use std::sync::Arc;

use super::account;
use super::accounts::Context;
use super::beside;
use super::forms;
use super::forms::Bad;
use super::list_file;
use super::section::Section;
use crate::fax::CountryCode;
use crate::fax::Destination;

/// Most members of a list.
pub const MAX_MEMBERS: usize = 20_000;

/// `[[account.list]]`
#[derive(Clone, Debug, PartialEq)]
pub struct ContactList {
    /// The local part of its address, compared without regard to case.
    pub name: String,
    /// Destinations, at most 20,000.
    pub members: Vec<Contact>,
}

/// A member of a contact list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Where to send.
    pub destination: Destination,
    /// Name shown in results; empty if unknown.
    pub name: String,
}

impl ContactList {
    /// Whether a list may have this name: the rule of the accounts file.
    pub fn is_name(name: &str) -> bool {
        !name.is_empty()
            && account::is_name(name)
            && !name.chars().any(char::is_control)
            && is_local_part(name)
    }

    /// All lists of an account; two of the same name are a mistake.
    pub(super) fn read_all(
        section: &mut Section<'_, '_>,
        context: &mut Context<'_>,
    ) -> Vec<Arc<Self>> {
        let mut names = HashSet::new();
        section.tables("list", |section| {
            let list = Self::read(section, context);
            if !list.name.is_empty() && !names.insert(list.name.to_lowercase()) {
                let problem = "another list of this account has this name";
                section.mistake("name", problem, "a name of its own, whatever its case");
            }
            Arc::new(list)
        })
    }

    fn read(section: &mut Section<'_, '_>, context: &mut Context<'_>) -> Self {
        let name = section.required("name", "the local part of its address", |value| {
            let name = account::name(value)?;
            match is_local_part(&name) {
                true => Ok(name),
                false => Err(Bad::new("this cannot be a local part", "such as \"shops\"")),
            }
        });
        let country = &context.config.gateway.country;
        let before = section.mistakes().len();
        let inline = section.tables("members", |section| member(section, country));
        let sound = section.mistakes().len() == before;
        let file = section.optional("file", forms::path);
        let members = match (section.has("members"), file) {
            (true, None) => inline,
            (false, Some(file)) => {
                let path = beside(section.file(), &file);
                let named_by = section.naming("file");
                let members = list_file::read(&path, &named_by, country, section.mistakes());
                context.files.push(path);
                members
            }
            (true, Some(_)) => {
                let accepted = "one of the two";
                section.mistake("file", "there are members and a file", accepted);
                return Self {
                    name,
                    members: Vec::new(),
                };
            }
            (false, None) => {
                if !section.has("file") {
                    let accepted =
                        "members = [{ number = \"…\", name = \"…\" }] or file = \"….csv\"";
                    section.mistake("members", "this key is missing", accepted);
                }
                return Self {
                    name,
                    members: Vec::new(),
                };
            }
        };
        // Members that are none, or no list, have been reported and are not counted.
        if sound && section.has("members") && !(1..=MAX_MEMBERS).contains(&members.len()) {
            section.mistake(
                "members",
                "too few or too many members",
                "1 to 20000 members",
            );
        }
        Self { name, members }
    }
}

fn is_local_part(name: &str) -> bool {
    !name.contains(['@', '<', '>', '"', ',', ';'])
}

fn member(section: &mut Section<'_, '_>, country: &CountryCode) -> Contact {
    let accepted = "a number such as \"03-1111-2222\"";
    let destination = section.required("number", accepted, |value| {
        destination(&forms::text(value)?, country)
            .map(Some)
            .map_err(|problem| Bad::new(problem, accepted))
    });
    let name = section.or("name", String::new(), forms::any_text);
    Contact {
        // The stand-in for a number that was reported as a mistake.
        destination: destination.unwrap_or(Destination::Simulator(0)),
        name,
    }
}

/// The destination in `typed`, or what is wrong with it.
pub(super) fn destination(typed: &str, country: &CountryCode) -> Result<Destination, String> {
    Destination::parse(typed, country).map_err(|error| error.to_string())
}
