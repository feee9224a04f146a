//! `[gateway]`: who we are.

use std::path::PathBuf;

use toml::Table;
use toml::de::DeValue;

use super::forms;
use super::forms::Bad;
use super::section::Section;
use super::show;
use super::source::NamedBy;
use super::source::Source;
use crate::fax::CountryCode;
use crate::time::Zone;

/// `[gateway]`: who we are.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// Host name in the SMTP greeting and in Message-IDs.
    pub name: String,
    /// Domains whose local parts are fax numbers, in lower case.
    pub domains: Vec<String>,
    /// Domains whose local parts are contact lists, in lower case; may be empty.
    pub list_domains: Vec<String>,
    /// Folder of the database, documents and keys; relative to the working directory.
    pub data_dir: PathBuf,
    /// Calling code of numbers typed without one.
    pub country: CountryCode,
    /// Zone of dates in mails and header lines.
    pub time_zone: Zone,
    /// Language of notices.
    pub language: Language,
    /// The accounts file, or a folder of them; relative to the configuration file's folder.
    pub accounts: PathBuf,
    /// A folder of further profiles, relative to the configuration file's folder.
    pub profiles: Option<PathBuf>,
}

/// What names the files of accounts and profiles.
pub(super) struct Naming {
    /// `gateway.accounts`
    pub(super) accounts: NamedBy,
    /// `gateway.profiles`
    pub(super) profiles: NamedBy,
}

/// A language of notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// Japanese.
    #[default]
    Ja,
}

impl Language {
    /// Every language under its word.
    pub const WORDS: [(&str, Self); 2] = [("ja", Self::Ja), ("en", Self::En)];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            name: "localhost".into(),
            domains: vec!["fax.example".into()],
            list_domains: vec!["list.fax.example".into()],
            data_dir: "var".into(),
            country: CountryCode::JAPAN,
            time_zone: Zone::named("Asia/Tokyo").unwrap_or_else(Zone::utc),
            language: Language::Ja,
            accounts: "accounts.toml".into(),
            profiles: None,
        }
    }
}

impl Gateway {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        let gateway = Self {
            name: section.or("name", default.name, forms::domain),
            domains: section.filled_list("domains", default.domains, forms::domain),
            list_domains: section.list("list_domains", default.list_domains, forms::domain),
            data_dir: section.or("data_dir", default.data_dir, forms::path),
            country: section.or("country", default.country, country),
            time_zone: section.or("time_zone", default.time_zone, time_zone),
            language: section.or("language", default.language, language),
            accounts: section.or("accounts", default.accounts, forms::path),
            profiles: section.optional("profiles", forms::path),
        };
        gateway.check_domains(section);
        gateway
    }

    /// Where `source`, the main file, names the files of accounts and profiles. A name that is not the
    /// one in force was written since, and is no place to point at.
    pub(super) fn naming(&self, source: Option<&Source>) -> Naming {
        let find =
            |section: &mut Section<'_, '_>, key: &'static str, in_force: Option<&PathBuf>| {
                let written = section.optional(key, forms::path);
                match written.as_ref() == in_force {
                    true => section.naming(key),
                    false => NamedBy::key(&section.key_path(key)),
                }
            };
        let read = |section: &mut Section<'_, '_>| Naming {
            accounts: find(section, "accounts", Some(&self.accounts)),
            profiles: find(section, "profiles", self.profiles.as_ref()),
        };
        match source {
            Some(source) => source.guess(|root| root.table("gateway", read)),
            None => Naming {
                accounts: NamedBy::key("gateway.accounts"),
                profiles: NamedBy::key("gateway.profiles"),
            },
        }
    }

    /// One domain cannot hold numbers and lists: `1234@…` may be either.
    fn check_domains(&self, section: &mut Section<'_, '_>) {
        for domain in &self.list_domains {
            if self.domains.contains(domain) {
                // The two may clash because one of them was left at its default.
                let key = if section.has("list_domains") {
                    "list_domains"
                } else {
                    "domains"
                };
                let problem = format!("{domain} is in domains and in list_domains");
                section.mistake(key, &problem, "a domain in one of the two only");
            }
        }
    }

    pub(super) fn show(&self) -> Table {
        let mut table = show::table([
            ("name", show::text(&self.name)),
            ("domains", show::texts(&self.domains)),
            ("list_domains", show::texts(&self.list_domains)),
            ("data_dir", show::text(self.data_dir.display())),
            ("country", show::text(&self.country)),
            ("time_zone", show::text(&self.time_zone)),
            ("language", show::text(self.language.as_str())),
            ("accounts", show::text(self.accounts.display())),
        ]);
        if let Some(profiles) = &self.profiles {
            table.insert("profiles".into(), show::text(profiles.display()));
        }
        table
    }
}

fn country(value: &DeValue<'_>) -> Result<CountryCode, Bad> {
    let digits = forms::text(value)?;
    CountryCode::parse(&digits).ok_or_else(|| {
        let accepted = "the digits of a calling code, such as \"81\"";
        Bad::new("no country has this calling code", accepted)
    })
}

/// A language by its word.
pub(super) fn language(value: &DeValue<'_>) -> Result<Language, Bad> {
    forms::word(value, &Language::WORDS)
}

/// A time zone by its name.
pub(super) fn time_zone(value: &DeValue<'_>) -> Result<Zone, Bad> {
    let name = forms::text(value)?;
    Zone::named(&name).ok_or_else(|| {
        let accepted = "a name of the IANA database, such as \"Asia/Tokyo\" or \"UTC\"";
        Bad::new("there is no such time zone", accepted)
    })
}
