//! Where a fax goes and how, as it was typed and as it was understood.

use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;

use serde::Deserialize;
use serde::Serialize;

use crate::admit;
use crate::authenticate::session::addresses;
use crate::config::Account;
use crate::config::ContactList;
use crate::fax::Destination;
use crate::fax::Document;
use crate::fax::NumberError;
use crate::fax::PageOptions;
use crate::fax::Resolution;
use crate::smtp::Address;
use crate::submission::Recipient;
use crate::web::Site;
use crate::web::send::draft::Draft;
use crate::web::send::upload::Uploaded;
use crate::web::send::words::Words;

/// Numbers of one fax at most; beyond, a list is the better form.
pub(super) const MOST_NUMBERS: usize = 100;
/// Lines that are read at most, repeated and wrong ones among them.
const MOST_LINES: usize = 10 * MOST_NUMBERS;
/// Characters of what was typed that a message repeats.
const MOST_REPEATED: usize = 40;

/// What was typed, to be shown again.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    /// Numbers, one on each line.
    pub(super) number: String,
    /// The name of a list; empty for none.
    pub(super) list: String,
    /// Text to fax.
    pub(super) text: String,
    /// Whether the text goes behind the files.
    pub(super) text_last: bool,
    /// What the history calls it.
    pub(super) reference: String,
    /// Whether the resolution is standard rather than fine.
    pub(super) is_standard: bool,
    /// Where results go.
    pub(super) result_to: String,
    /// The draft that is changed.
    pub(super) draft: Option<String>,
    /// Its files that stay, from 0.
    pub(super) keep: Vec<usize>,
}

impl Typed {
    /// What the form brings.
    pub(super) fn read(form: &Uploaded) -> Self {
        let text = |name: &str| form.text(name).trim().to_owned();
        let numbers: Vec<&str> = form.all("number").map(str::trim).collect();
        Self {
            number: numbers.join("\n"),
            list: text("list"),
            text: form.text("text").to_owned(),
            text_last: text("text_order") == "after",
            reference: text("reference"),
            is_standard: text("resolution") == Resolution::Standard.as_str(),
            result_to: text("result_to"),
            draft: Some(text("draft")).filter(|draft| !draft.is_empty()),
            keep: form
                .all("keep")
                .filter_map(|n| n.trim().parse().ok())
                .collect(),
        }
    }

    /// What a draft was made from.
    pub(super) fn again(kept: &Draft, documents: &[Document]) -> Self {
        let asked = &kept.asked;
        let text = documents.iter().find(|document| document.name.is_none());
        let text = text.map(|text| String::from_utf8_lossy(&text.bytes).into_owned());
        let list = asked.list.as_ref();
        Self {
            number: asked.numbers.iter().map(|number| typed(number)).collect(),
            list: list.map_or_else(String::new, |list| list.name.clone()),
            text: text.unwrap_or_default(),
            text_last: asked.text_last,
            reference: asked.reference.clone(),
            is_standard: asked.options.resolution == Resolution::Standard,
            result_to: asked.result_to.clone(),
            draft: Some(kept.row.id.to_string()),
            keep: (0..asked.files.len()).collect(),
        }
    }
}

/// A destination on a line of its own, in a form that is read the same everywhere.
fn typed(canonical: &str) -> String {
    match Destination::from_canonical(canonical) {
        Some(Destination::Number(number)) => format!("+{}\n", number.digits()),
        Some(Destination::Simulator(_)) | None => format!("{canonical}\n"),
    }
}

/// Where a fax goes and how; kept with its draft.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Canonical numbers, each once.
    pub(super) numbers: Vec<String>,
    /// A list instead.
    pub(super) list: Option<AskedList>,
    /// What the history calls it.
    pub(super) reference: String,
    /// How the documents become pages.
    pub(super) options: PageOptions,
    /// Where results go.
    pub(super) result_to: String,
    /// Whether the text goes behind the files.
    pub(super) text_last: bool,
    /// The files, in order.
    pub(super) files: Vec<AskedFile>,
}

/// A list as it was when the draft was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AskedList {
    /// Its name.
    pub(super) name: String,
    /// How many members it had.
    pub(super) members: usize,
    /// Which they were.
    pub(super) print: u64,
}

/// A file of a draft.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct AskedFile {
    /// Its name.
    pub(super) name: String,
    /// Its size.
    pub(super) bytes: usize,
}

impl AskedList {
    fn of(list: &ContactList) -> Self {
        Self {
            name: list.name.clone(),
            members: list.members.len(),
            print: print(list),
        }
    }

    /// Whether the account still has this list with these members: what was seen is what is sent.
    pub(super) fn is_same(&self, account: &Account) -> bool {
        let list = account.list(&self.name);
        list.is_some_and(|list| print(list) == self.print)
    }
}

/// Which members a list has. Only compared within an hour by the same program.
fn print(list: &ContactList) -> u64 {
    let mut hasher = DefaultHasher::new();
    for member in &list.members {
        member.destination.hash(&mut hasher);
    }
    hasher.finish()
}

impl Asked {
    /// As admission is asked.
    pub(super) fn recipients(&self) -> Vec<Recipient> {
        let numbers = self.numbers.iter();
        let numbers = numbers.filter_map(|number| Destination::from_canonical(number));
        let lists = self.list.iter();
        let lists = lists.map(|list| Recipient::List(list.name.to_lowercase()));
        numbers
            .map(|number| Recipient::Fax(number, None))
            .chain(lists)
            .collect()
    }

    /// Where results go.
    pub(super) fn result_to(&self) -> Option<Address> {
        Address::parse(&self.result_to)
    }
}

/// What is wrong, beside which field.
#[derive(Clone, Debug, Default)]
pub(super) struct Mistakes {
    /// The numbers.
    pub(super) number: Vec<String>,
    /// The list.
    pub(super) list: Option<&'static str>,
    /// The files.
    pub(super) file: Vec<String>,
    /// The text.
    pub(super) text: Option<String>,
    /// The address for results.
    pub(super) result_to: Option<&'static str>,
}

impl Mistakes {
    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        let none = self.list.is_none() && self.text.is_none() && self.result_to.is_none();
        none && self.number.is_empty() && self.file.is_empty()
    }
}

/// Reads where it goes, by the rules that hold for every door.
pub(super) fn check(
    site: &Site,
    account: &Account,
    typed: &Typed,
    w: &Words,
) -> Result<Asked, Mistakes> {
    let mut mistakes = Mistakes::default();
    let numbers = numbers(site, &typed.number, &mut mistakes, w);
    let list = account.list(&typed.list).map(|list| AskedList::of(list));
    let is_list = !typed.list.is_empty();
    if is_list && list.is_none() {
        mistakes.list = Some(w.no_list);
    }
    if is_list && !typed.number.trim().is_empty() {
        mistakes.list = Some(w.either);
    }
    if !is_list && typed.number.trim().is_empty() {
        mistakes.number.push(w.nowhere.to_owned());
    }
    let own = addresses(account);
    let asked_for = own
        .iter()
        .find(|address| address.as_str() == typed.result_to);
    let first = own.first().filter(|_| typed.result_to.is_empty());
    let result_to = asked_for.or(first);
    if result_to.is_none() {
        mistakes.result_to = Some(if own.is_empty() {
            w.no_address
        } else {
            w.not_own
        });
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Asked {
        numbers,
        list,
        options: PageOptions {
            resolution: match typed.is_standard {
                true => Resolution::Standard,
                false => Resolution::Fine,
            },
            ..PageOptions::default()
        },
        result_to: result_to.map_or_else(String::new, |address| address.as_str().to_owned()),
        text_last: typed.text_last,
        // What of the content is kept is known once its password lines are out of it.
        reference: String::new(),
        files: Vec::new(),
    })
}

/// The numbers in `typed`, in order and each once.
fn numbers(site: &Site, typed: &str, mistakes: &mut Mistakes, w: &Words) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    let lines = typed.split(['\n', '\r', ',', ';', '、']).map(str::trim);
    for (n, line) in lines.filter(|line| !line.is_empty()).enumerate() {
        let refused = match Destination::parse(line, &site.config.gateway.country) {
            Ok(destination) => {
                let canonical = destination.canonical();
                if !numbers.contains(&canonical) {
                    numbers.push(canonical);
                }
                let allowed = admit::is_allowed(&destination, &site.config.destinations);
                (!allowed).then_some(w.denied)
            }
            Err(error) => Some(why(error, w)),
        };
        if let Some(text) = refused.filter(|_| mistakes.number.len() < MOST_NUMBERS) {
            let repeated: String = line.chars().take(MOST_REPEATED).collect();
            mistakes.number.push(format!("{repeated}: {text}"));
        }
        if numbers.len() > MOST_NUMBERS || n >= MOST_LINES {
            mistakes.number.push(w.too_many_numbers.to_owned());
            break;
        }
    }
    numbers
}

fn why(error: NumberError, w: &Words) -> &'static str {
    match error {
        NumberError::Characters => w.number_characters,
        NumberError::TooShort => w.number_short,
        NumberError::TooLong => w.number_long,
        NumberError::UnknownCountry => w.number_country,
    }
}
