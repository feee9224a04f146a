//! The integration tests: one binary, one file per story.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "tests"
)]

mod administration;
mod architecture;
mod borrowed_signatures;
mod canary;
mod certificates;
mod chunks;
mod client_certificates;
mod config_mistakes;
mod credentials;
mod delivery_reports;
mod demo;
mod dialog;
mod documentation;
mod documents;
mod durability;
mod efax;
mod foreign_clients;
mod foreign_logins;
mod forged_mails;
mod gateway;
mod hostile;
mod hylafax;
mod hylafax_peer;
mod interfax;
mod kill_nine;
mod lines_worker;
mod locked_lists;
mod locking;
mod logins;
mod loopback;
mod mail_door;
mod mail_golden;
mod mail_servers;
mod modem;
mod no_relay;
mod partial_faxes;
mod passwords;
mod progress;
mod rates;
mod received_faxes;
mod recording_door;
mod relays;
mod render;
mod result_mails;
mod routes;
mod same_text;
mod sending;
mod sip_far_ends;
mod sip_in;
mod sip_out;
mod smuggling;
mod spool;
mod tls;
mod tls_mistakes;
mod two_gateways;
mod upstream;
mod verification;
mod web_admin;
mod web_chromium;
mod web_faxes;
mod web_headers;
mod web_lists;
mod web_login;
mod web_pages;
mod web_passwords;
mod web_people;
mod web_reset;
mod web_send;
mod web_settings;
mod web_tenants;
