//! `/settings/forwarding`, `/settings/results`, `/settings/general`: a form for each group.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::change;
use super::words;
use super::words::Words;
use crate::account::overlay::Setting;
use crate::config::ForwardFormat;
use crate::config::Language;
use crate::config::ResultFormat;
use crate::config::ResultMail;
use crate::config::When;
use crate::fax::StationId;
use crate::smtp::Address;
use crate::time::Zone;
use crate::web::Site;
use crate::web::form::Fields;
use crate::web::form::Post;
use crate::web::guard::Client;
use crate::web::page;
use crate::web::page::Frame;
use crate::web::page::Tab;
use crate::web::visitor::Visitor;

/// Most addresses in one field.
const MOST: usize = 25;

/// Zones that are proposed; any other of the database can be typed.
const ZONES: [&str; 16] = [
    "Asia/Tokyo",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Taipei",
    "Asia/Hong_Kong",
    "Asia/Singapore",
    "Asia/Bangkok",
    "Asia/Ho_Chi_Minh",
    "Asia/Jakarta",
    "Asia/Kolkata",
    "Australia/Sydney",
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "America/Los_Angeles",
    "UTC",
];

/// A group of settings on a page of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Forwarding,
    Results,
    General,
}

#[derive(Template)]
#[template(path = "settings_form.html")]
struct FormPage {
    f: Frame,
    t: &'static Words,
    csrf: String,
    group: Group,
    title: &'static str,
    path: &'static str,
    fields: Vec<Field>,
}

/// A field of a form.
struct Field {
    name: &'static str,
    label: &'static str,
    hint: String,
    kind: Kind,
    value: String,
    error: Option<String>,
}

/// How a field is filled in.
enum Kind {
    /// One line.
    Line(u32),
    /// One line, with proposals.
    Proposed(&'static [&'static str]),
    /// Addresses, one a line.
    Lines,
    /// One of these values with their words.
    Choice(Vec<(&'static str, &'static str)>),
    /// Ticked or not.
    Box,
}

impl Group {
    fn path(self) -> &'static str {
        match self {
            Self::Forwarding => "/settings/forwarding",
            Self::Results => "/settings/results",
            Self::General => "/settings/general",
        }
    }

    /// Whether its settings could send somebody's faxes elsewhere.
    fn is_sensitive(self) -> bool {
        match self {
            Self::Forwarding | Self::Results => true,
            Self::General => false,
        }
    }
}

/// `GET /settings/forwarding`
pub(super) async fn forwarding(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    show(&site, &visitor, Group::Forwarding)
}

/// `GET /settings/results`
pub(super) async fn results(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    show(&site, &visitor, Group::Results)
}

/// `GET /settings/general`
pub(super) async fn general(State(site): State<Arc<Site>>, visitor: Visitor) -> Response {
    show(&site, &visitor, Group::General)
}

/// `POST /settings/forwarding`: `forward_to`, `forward_format`.
pub(super) async fn set_forwarding(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    post: Post,
) -> Response {
    keep(&site, client, Group::Forwarding, post).await
}

/// `POST /settings/results`: `when`, `format`, `attach_pages`, `to`.
pub(super) async fn set_results(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    post: Post,
) -> Response {
    keep(&site, client, Group::Results, post).await
}

/// `POST /settings/general`: `station_id`, `time_zone`, `language`.
pub(super) async fn set_general(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    post: Post,
) -> Response {
    keep(&site, client, Group::General, post).await
}

fn show(site: &Site, visitor: &Visitor, group: Group) -> Response {
    if group.is_sensitive()
        && let Err(confirm) = visitor.is_fresh(site, group.path(), false)
    {
        return *confirm;
    }
    page_of(site, visitor, group, &Typed::now(visitor), Errors::new())
}

async fn keep(
    site: &Site,
    client: Client,
    group: Group,
    Post { visitor, fields }: Post,
) -> Response {
    if group.is_sensitive()
        && let Err(confirm) = visitor.is_fresh(site, group.path(), true)
    {
        return *confirm;
    }
    let typed = Typed::of(&fields);
    let t = words::of(visitor.frame(site, Tab::Settings).language);
    match typed.settings(site, group, t) {
        Ok(settings) => change::keep(site, &visitor, client, settings).await,
        Err(errors) => page_of(site, &visitor, group, &typed, errors),
    }
}

/// What is wrong, by the name of its field.
type Errors = Vec<(&'static str, String)>;

/// Everything that a form can bring, as typed.
struct Typed {
    forward_to: String,
    forward_format: String,
    when: String,
    format: String,
    attach_pages: bool,
    to: String,
    station_id: String,
    time_zone: String,
    language: String,
}

impl Typed {
    fn of(fields: &Fields) -> Self {
        Self {
            forward_to: fields.text("forward_to"),
            forward_format: fields.text("forward_format"),
            when: fields.text("when"),
            format: fields.text("format"),
            attach_pages: fields.has("attach_pages"),
            to: fields.text("to"),
            station_id: fields.text("station_id"),
            time_zone: fields.text("time_zone"),
            language: fields.text("language"),
        }
    }

    /// What the account has.
    fn now(visitor: &Visitor) -> Self {
        let account = &visitor.account;
        let lines = |addresses: &[Address]| {
            let texts: Vec<&str> = addresses.iter().map(Address::as_str).collect();
            texts.join("\n")
        };
        let station_id = account.station_id.as_ref();
        let time_zone = account.time_zone.as_ref();
        Self {
            forward_to: lines(&account.forward_to),
            forward_format: account.forward_format.as_str().to_owned(),
            when: account.result_mail.when.as_str().to_owned(),
            format: account.result_mail.format.as_str().to_owned(),
            attach_pages: account.result_mail.attach_pages,
            to: lines(&account.result_mail.to),
            station_id: station_id.map(ToString::to_string).unwrap_or_default(),
            time_zone: time_zone.map(ToString::to_string).unwrap_or_default(),
            language: account
                .language
                .map(Language::as_str)
                .unwrap_or_default()
                .to_owned(),
        }
    }

    fn settings(&self, site: &Site, group: Group, t: &Words) -> Result<Vec<Setting>, Errors> {
        let mut errors = Errors::new();
        let settings = match group {
            Group::Forwarding => vec![
                addresses(site, "forward_to", &self.forward_to, t, &mut errors)
                    .map(Setting::ForwardTo),
                choice(
                    "forward_format",
                    &self.forward_format,
                    &ForwardFormat::WORDS,
                    t,
                    &mut errors,
                )
                .map(Setting::ForwardFormat),
            ],
            Group::Results => {
                let when = choice("when", &self.when, &When::WORDS, t, &mut errors);
                let format = choice("format", &self.format, &ResultFormat::WORDS, t, &mut errors);
                let to = addresses(site, "to", &self.to, t, &mut errors);
                let attach_pages = self.attach_pages;
                let mail = when.zip(format).zip(to);
                vec![mail.map(|((when, format), to)| {
                    Setting::ResultMail(ResultMail {
                        when,
                        format,
                        attach_pages,
                        to,
                    })
                })]
            }
            Group::General => self.general(t, &mut errors),
        };
        match errors.is_empty() {
            true => Ok(settings.into_iter().flatten().collect()),
            false => Err(errors),
        }
    }

    fn general(&self, t: &Words, errors: &mut Errors) -> Vec<Option<Setting>> {
        let station_id = match self.station_id.as_str() {
            "" => Some(None),
            text => StationId::parse(text).map(Some),
        };
        if station_id.is_none() {
            errors.push(("station_id", t.e_station.to_owned()));
        }
        let time_zone = match self.time_zone.as_str() {
            "" => Some(None),
            text => Zone::named(text).map(Some),
        };
        if time_zone.is_none() {
            errors.push(("time_zone", t.e_zone.to_owned()));
        }
        let language = match self.language.as_str() {
            "" => Some(None),
            text => choice("language", text, &Language::WORDS, t, errors).map(Some),
        };
        vec![
            station_id.map(Setting::StationId),
            time_zone.map(Setting::TimeZone),
            language.map(Setting::Language),
        ]
    }
}

fn choice<T: Copy>(
    name: &'static str,
    typed: &str,
    words: &[(&str, T)],
    t: &Words,
    errors: &mut Errors,
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == typed);
    if found.is_none() {
        errors.push((name, t.e_choice.to_owned()));
    }
    found.map(|(_, meaning)| *meaning)
}

/// Addresses, one a line, each once; what is wrong is told with its line.
fn addresses(
    site: &Site,
    name: &'static str,
    typed: &str,
    t: &Words,
    errors: &mut Errors,
) -> Option<Vec<Address>> {
    let mut found: Vec<Address> = Vec::new();
    let before = errors.len();
    for (index, line) in typed.lines().map(str::trim).enumerate() {
        if line.is_empty() {
            continue;
        }
        match address(site, line, t) {
            Ok(address) if found.iter().all(|other| other.key() != address.key()) => {
                found.push(address);
            }
            Ok(_) => {}
            Err(problem) => errors.push((name, format!("{} {}: {problem}", t.line, index + 1))),
        }
    }
    if found.len() > MOST {
        errors.push((name, t.e_most.to_owned()));
    }
    (errors.len() == before).then_some(found)
}

/// The address in `typed`; none of ours, to which a mail would become a fax again.
pub(super) fn address(site: &Site, typed: &str, t: &Words) -> Result<Address, &'static str> {
    let address = Address::parse(typed).ok_or(t.e_address)?;
    let gateway = &site.config.gateway;
    let mut own = gateway.domains.iter().chain(&gateway.list_domains);
    match own.any(|domain| domain == address.domain()) {
        true => Err(t.e_own_domain),
        false => Ok(address),
    }
}

fn page_of(
    site: &Site,
    visitor: &Visitor,
    group: Group,
    typed: &Typed,
    errors: Errors,
) -> Response {
    let f = visitor.frame(site, Tab::Settings);
    let t = words::of(f.language);
    let mut fields = match group {
        Group::Forwarding => forwarding_fields(typed, &f, t),
        Group::Results => result_fields(typed, &f, t),
        Group::General => general_fields(site, typed, &f, t),
    };
    let status = match errors.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    for field in &mut fields {
        let own = errors.iter().filter(|(name, _)| *name == field.name);
        let own: Vec<&str> = own.map(|(_, problem)| problem.as_str()).collect();
        field.error = Some(own.join(" ")).filter(|text| !text.is_empty());
    }
    let page = FormPage {
        title: match group {
            Group::Forwarding => t.forwarding,
            Group::Results => f.t.result_mail,
            Group::General => t.general,
        },
        f,
        t,
        csrf: site.sessions.csrf(&visitor.cookie),
        group,
        path: group.path(),
        fields,
    };
    page::answer(status, &page)
}

fn field(name: &'static str, label: &'static str, kind: Kind, value: &str) -> Field {
    Field {
        name,
        label,
        hint: String::new(),
        kind,
        value: value.to_owned(),
        error: None,
    }
}

fn forwarding_fields(typed: &Typed, f: &Frame, t: &'static Words) -> Vec<Field> {
    let formats =
        ForwardFormat::WORDS.map(|(word, format)| (word, change::forward_format(format, t)));
    vec![
        Field {
            hint: t.addresses_hint.to_owned(),
            ..field("forward_to", f.t.forward_to, Kind::Lines, &typed.forward_to)
        },
        field(
            "forward_format",
            t.forward_format,
            Kind::Choice(formats.to_vec()),
            &typed.forward_format,
        ),
    ]
}

fn result_fields(typed: &Typed, f: &Frame, t: &'static Words) -> Vec<Field> {
    let whens = When::WORDS.map(|(word, when)| (word, change::when(when, f.t)));
    let formats =
        ResultFormat::WORDS.map(|(word, format)| (word, change::result_format(format, t)));
    let ticked = if typed.attach_pages { "yes" } else { "" };
    vec![
        field(
            "when",
            t.result_when,
            Kind::Choice(whens.to_vec()),
            &typed.when,
        ),
        field(
            "format",
            t.result_format,
            Kind::Choice(formats.to_vec()),
            &typed.format,
        ),
        field("attach_pages", t.result_attach, Kind::Box, ticked),
        Field {
            hint: t.addresses_hint.to_owned(),
            ..field("to", t.result_to, Kind::Lines, &typed.to)
        },
    ]
}

fn general_fields(site: &Site, typed: &Typed, f: &Frame, t: &'static Words) -> Vec<Field> {
    let languages =
        Language::WORDS.map(|(word, language)| (word, change::chosen_language(Some(language), t)));
    let mut all = vec![("", t.language_of_browser)];
    all.extend(languages);
    vec![
        Field {
            hint: t.station_hint.to_owned(),
            ..field(
                "station_id",
                f.t.station_id,
                Kind::Line(20),
                &typed.station_id,
            )
        },
        Field {
            hint: format!("{} {}", t.time_zone_hint, site.config.gateway.time_zone),
            ..field(
                "time_zone",
                t.time_zone,
                Kind::Proposed(&ZONES),
                &typed.time_zone,
            )
        },
        field("language", t.language, Kind::Choice(all), &typed.language),
    ]
}
