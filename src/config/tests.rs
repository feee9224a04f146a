//! The shipped files are true and defaults are what they say.

mod arbitrary;
mod known;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::fax::CountryCode;
pub(super) use known::known_keys;

const SHIPPED: &str = include_str!("../../config/faxgate.toml");

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("x.toml"), text).map_err(|mistakes| mistakes.to_string())
}

/// `# key = value` without the mark: a key commented out at its default.
fn commented_key(line: &str) -> Option<&str> {
    let assignment = line.strip_prefix("# ")?;
    let (key, _) = assignment.split_once(" = ")?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_key.then_some(assignment)
}

/// What the shipped file says: every default, that senders are verified, and that there is a web door. An
/// empty file says the defaults alone: a table `[verify]` or `[web]` is what turns these on.
fn shipped() -> Config {
    Config {
        verify: Some(Verify::default()),
        web: Some(Web::default()),
        ..Config::default()
    }
}

#[test]
fn the_shipped_file_says_the_defaults_and_verifies() {
    assert_eq!(parse(SHIPPED), Ok(shipped()));
    assert_eq!(parse(""), Ok(Config::default()));
    assert_eq!(parse("[dns]"), Ok(Config::default()));
}

#[test]
fn the_table_verify_turns_verification_on_and_relays_are_read() {
    let text = "[verify]\non_temporary_error = \"accept\"\nunproven_strikes_close = \"unproven\"\n\
                arc_forwarders = [\"Lists.Example\"]\n[dns]\nservers = [\"127.0.0.1:5353\"]\n\
                [[relay]]\nnetworks = [\"192.0.2.0/24\", \"::1\"]\n\
                [[relay]]\nnetworks = [\"198.51.100.7\"]\naccounts = [\"tanaka\"]";
    let config = parse(text).unwrap();
    let verify = config.verify.as_ref().unwrap();
    assert_eq!(verify.on_temporary_error, OnTemporaryError::Accept);
    assert_eq!(verify.unproven_strikes_close, crate::lock::Reach::Unproven);
    assert_eq!(verify.arc_forwarders, ["lists.example"]);
    assert_eq!(config.dns.servers.len(), 1);
    let [all, one] = &config.relays[..] else {
        panic!("{:?}", config.relays)
    };
    assert!(all.covers("192.0.2.9".parse().unwrap()) && all.speaks_for("suzuki"));
    assert!(!one.covers("192.0.2.9".parse().unwrap()));
    assert!(one.speaks_for("tanaka") && !one.speaks_for("suzuki"));
    assert_eq!(parse(&config.effective()).as_ref(), Ok(&config));
    for text in [
        "[[relay]]",
        "[[relay]]\nnetworks = []",
        "[dns]\nservers = []",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn the_shipped_file_with_all_keys_uncommented_says_the_defaults() {
    let mut keys = 0;
    let lines = SHIPPED.lines().map(|line| match commented_key(line) {
        Some(assignment) => {
            keys += 1;
            assignment
        }
        None => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(parse(&text), Ok(shipped()));
    assert!(keys > 45, "{keys}");
}

#[test]
fn every_key_that_is_read_is_documented_and_every_documented_key_is_read() {
    let mut documented = BTreeSet::new();
    let mut section = "";
    for line in SHIPPED.lines() {
        // A table that is a list, or turns something on, cannot stand in the file without doing so.
        if let Some(name) = line.strip_prefix("# [").or(line.strip_prefix('[')) {
            section = name.trim_matches(['[', ']']);
        }
        let example = line.strip_prefix("#     ").map(|key| (key, true));
        let key = commented_key(line).map(|key| (key, false)).or(example);
        if let Some((name, _)) = key.and_then(|(key, _)| key.split_once(" = ")) {
            documented.insert(format!("{section}.{name}"));
        }
    }
    assert_eq!(documented, known_keys());
}

#[test]
fn the_configuration_in_force_is_shown_with_every_key_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["gate.example".to_owned()]).unwrap();
    std::fs::write(folder.path().join("c.pem"), made.cert.pem()).unwrap();
    std::fs::write(
        folder.path().join("k.pem"),
        made.signing_key.serialize_pem(),
    )
    .unwrap();
    std::fs::write(folder.path().join("p.txt"), "secret\n").unwrap();
    let parse = |text: &str| {
        let main = folder.path().join("x.toml");
        Config::parse(&main, text).map_err(|mistakes| mistakes.to_string())
    };
    let text = "[gateway]\nprofiles = \"mine\"\nname = \"gate.example\"\n[lock]\nstrikes = 5\nwithin = 90\nlasts = \"2s\"\n\
                [destinations]\nallow = [\"+\"]\ndeny = []\n[monitor]\nlisten = \"\"\n[mail]\nsmarthost = \"smtp://[::1]\"\n\
                [tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\nclient_ca = \"c.pem\"\n\
                [smtp]\nlisten_tls = [\"[::1]:465\"]\nnormalize_bare_lf = [\"192.0.2.7\", \"10.0.0.0/8\"]\n\
                [web]\nlisten = [\"0.0.0.0:8080\", \"[::1]:8080\"]\nbase_url = \"https://fax.example\"\nsession_idle = \"5m\"\n\
                trusted_proxies = [\"192.0.2.0/24\"]\n[transport.spool]\n\
                [[transport.route]]\nprefix = \"0120\"\nkind = \"spool\"\n\
                [transport]\nkind = \"sip\"\n[transport.sip]\nmedia_address = \"192.0.2.1\"\n\
                [[transport.sip.trunk]]\nname = \"a\"\nproxy = \"sip:[::1];transport=tls\"\ndomain = \"a.example\"\n\
                user = \"u\"\npassword_file = \"p.txt\"\nca_file = \"c.pem\"\n\
                [transport.hylafax]\nserver = \"[::1]\"\npassword_file = \"p.txt\"\nreceive = true\nnumber = \"0312345678\"\n\
                [transport.interfax]\nuser = \"u\"\npassword_file = \"p.txt\"\nurl = \"http://192.0.2.9:8080/\"\n\
                [verify]\n[dns]\nservers = [\"[::1]:53\"]\n[[relay]]\nnetworks = [\"::1\"]";
    let config = parse(text).unwrap();
    let shown = config.effective();
    assert_eq!(parse(&shown).as_ref(), Ok(&config), "{shown}");
    let tree: toml::Table = shown.parse().unwrap();
    for known in known_keys() {
        let mut table = &tree;
        let (path, key) = known.rsplit_once('.').unwrap();
        for section in path.split('.') {
            let entry = match table[section].as_array() {
                Some(entries) => &entries[0],
                None => &table[section],
            };
            table = entry.as_table().unwrap();
        }
        assert!(table.contains_key(key), "{known}");
    }
}

/// The first part of the page is made from the file; the part on accounts is written by hand.
#[test]
fn docs_configuration_is_generated_from_the_shipped_file() {
    let path = Path::new("docs/configuration.md");
    let kept = std::fs::read_to_string(path).unwrap();
    let by_hand = &kept[kept.find("# Accounts\n").unwrap()..];
    let generated = document(SHIPPED) + by_hand;
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &generated).unwrap();
        return;
    }
    assert_eq!(kept, generated, "UPDATE_GOLDEN=1 writes {}", path.display());
}

/// The shipped file as a page: sections, keys with their default, what is accepted.
fn document(shipped: &str) -> String {
    let mut page = String::from(
        "# Configuration\n\n<!-- Made from config/faxgate.toml by a test; edit that file. -->\n\n",
    );
    for paragraph in shipped.split("\n\n") {
        let lines: Vec<&str> = paragraph.lines().collect();
        let first = lines.first().copied().unwrap_or_default();
        let section = first.strip_prefix("# ").unwrap_or(first);
        if section.starts_with('[') {
            write!(page, "## `{section}`\n\n").unwrap();
        }
        if let Some(assignment) = lines.iter().find_map(|line| commented_key(line)) {
            let (key, value) = assignment.split_once(" = ").unwrap();
            write!(page, "### `{key}`\n\nDefault: `{value}`\n\n").unwrap();
        }
        let is_text = |line: &&&str| commented_key(line).is_none() && !line.starts_with("# [");
        let texts = lines.iter().filter(is_text);
        for text in texts.filter_map(|line| line.strip_prefix('#')) {
            let text = text.strip_prefix(' ').unwrap_or(text);
            match text.strip_prefix("Accepted:") {
                Some(accepted) => write!(page, "\nAccepted:{accepted}\n").unwrap(),
                None => writeln!(page, "{}", code_or_text(text)).unwrap(),
            }
        }
        page.push('\n');
    }
    while page.contains("\n\n\n") {
        page = page.replace("\n\n\n", "\n\n");
    }
    page.trim_end().to_owned() + "\n\n"
}

fn code_or_text(text: &str) -> String {
    match text.strip_prefix("    ") {
        Some(code) => format!("\n    {code}\n"),
        None => text.to_owned(),
    }
}

#[test]
fn the_shipped_configuration_and_accounts_load_together() {
    let loaded = load(Path::new("config/faxgate.toml")).map_err(|m| m.to_string());
    let loaded = loaded.unwrap();
    assert_eq!(loaded.config, shipped());
    assert!(!loaded.accounts.accounts.accounts.is_empty());
    let files: Vec<String> = loaded
        .accounts
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    assert_eq!(files, ["config/accounts.toml"]);
}

#[test]
fn keys_promised_for_later_are_unknown_today() {
    for text in ["[api]", "[transport.isdn]"] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(": unknown key"), "{error}");
    }
}

#[test]
fn defaults_follow_the_country_and_the_first_domain() {
    let config =
        parse("[gateway]\ncountry = \"49\"\ndomains = [\"FAX.Test\", \"b.test\"]").unwrap();
    assert_eq!(config.destinations.allow, ["49"]);
    assert_eq!(config.mail.from.as_str(), "faxgate@fax.test");
    assert_eq!(config.gateway.domains, ["fax.test", "b.test"]);
}

#[test]
fn national_prefixes_are_kept_with_the_country_first() {
    let config =
        parse("[destinations]\nallow = [\"81\", \"1212\", \"03\"]\ndeny = [\"0990\", \"+4490\"]");
    let destinations = config.unwrap().destinations;
    assert_eq!(destinations.allow, ["81", "1212", "813"]);
    assert_eq!(destinations.deny, ["81990", "4490"]);
    let everything = parse("[destinations]\nallow = [\"00\"]").unwrap();
    assert_eq!(everything.destinations.allow, [""]);
}

#[test]
fn the_lock_takes_times_and_seconds() {
    let config = parse("[lock]\nstrikes = 2\nwithin = 20\nlasts = \"5s\"").unwrap();
    let seconds = |n| Some(Duration::from_secs(n));
    assert_eq!(config.lock.strikes, Some(2));
    assert_eq!(
        (config.lock.within, config.lock.lasts),
        (seconds(20), seconds(5))
    );
}

#[test]
fn a_byte_order_mark_and_crlf_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faxgate.toml");
    let text = format!("\u{feff}{}", SHIPPED.replace('\n', "\r\n"));
    std::fs::write(&path, text).unwrap();
    assert_eq!(Config::load(&path), Ok(shipped()));
}

#[test]
fn a_folder_of_accounts_lists_and_profiles_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "faxgate.toml",
        b"[gateway]\naccounts = \"people\"\nprofiles = \"kinds\"",
    );
    write(
        "kinds/short.toml",
        b"[policy]\nmin_length = 4\nsymbols = \"\"\n[lock]\nlasts = 60",
    );
    write(
        "people/b.toml",
        b"[[account]]\nid = \"b\"\nsenders = [\"b@x.example\"]\nprofile = \"short\"\n\
          [[account.list]]\nname = \"shops\"\nfile = \"lists/shops.csv\"",
    );
    write(
        "people/a.toml",
        b"[[account]]\nid = \"a\"\nemail = \"a@x.example\"\nmax_calls = 2",
    );
    write(
        "people/lists/shops.csv",
        b"number,name\n03-1111-2222,Shinjuku\n",
    );
    write("people/notes.txt", b"not TOML");
    let loaded = load(&folder.path().join("faxgate.toml")).unwrap().accounts;
    let [a, b] = &loaded.accounts.accounts[..] else {
        panic!("{:?}", loaded.accounts)
    };
    assert_eq!(
        (a.id.as_str(), a.login_id.as_str(), a.max_calls),
        ("a", "a", Some(2))
    );
    assert_eq!(
        (a.profile.name.as_str(), b.profile.name.as_str()),
        ("interfax", "short")
    );
    let policy = b.profile.policy(CredentialKind::Password);
    assert_eq!((policy.min_length, b.profile.lock.strikes), (4, 3));
    assert_eq!(b.lists[0].members[0].name, "Shinjuku");
    assert_eq!(loaded.files.len(), 4);
}

#[test]
fn commands_get_the_accounts_without_a_mistake_of_their_own_and_all_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("faxgate.toml");
    let intact = |id: &str| format!("[[account]]\nid = \"{id}\"\nemail = \"{id}@x.example\"\n");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let with_list = "[[account.list]]\nname = \"shops\"\nfile = \"shops.csv\"\n";
    for (broken, place) in [
        (
            "[[account]]\nid = \"b\"\nemail = \"b@x.example\"\ncolour = 1\n",
            "accounts.toml:7:1:",
        ),
        (
            "[[account]]\nid = \"a\"\nemail = \"b@x.example\"\n",
            "accounts.toml:5:6:",
        ),
        (
            "[[account]]\nid = \"b\nemail = \"b@x.example\"\n",
            "accounts.toml:5:",
        ),
        (&(intact("b") + with_list), "shops.csv:1:1:"),
    ] {
        write("faxgate.toml", String::new());
        write("shops.csv", "0\n".to_owned());
        write("accounts.toml", intact("a") + broken + &intact("c"));
        let (loaded, mistakes) = load_for_commands(&main).unwrap();
        let accounts = loaded.accounts.accounts.accounts.iter();
        let ids: Vec<&str> = accounts.map(|account| account.id.as_str()).collect();
        assert_eq!(ids, ["a", "c"], "{broken}");
        assert_eq!(mistakes.len(), 1, "{mistakes}");
        assert!(mistakes.to_string().contains(place), "{mistakes}");
        assert_eq!(load(&main).unwrap_err(), mistakes);
        write("faxgate.toml", "[gateway]\nnam = 1\n".to_owned());
        let strictly = load_for_commands(&main).unwrap_err();
        assert_eq!(strictly.len(), 2, "{strictly}");
    }
}

#[test]
fn a_name_written_since_is_no_place_to_point_at() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("faxgate.toml");
    std::fs::write(&main, "[gateway]\naccounts = \"new.toml\"\n").unwrap();
    let mut config = Config::default();
    for (in_force, line) in [("old.toml", 0), ("new.toml", 2)] {
        config.gateway.accounts = in_force.into();
        let mistakes = LoadedAccounts::load(&main, &config).unwrap_err();
        let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [line], "{mistakes}");
    }
}

#[test]
fn an_account_has_the_defaults_that_are_published() {
    let loaded = accounts(
        "[[account]]\nid = \"a\"\nsenders = [\"*@x.example\", \"A@x.example\", \"b@x.example\"]\nforward_to = [\"f@x.example\"]",
    );
    let account = &loaded.unwrap().accounts.accounts[0];
    assert_eq!(
        account.email.as_ref().map(|e| e.as_str()),
        Some("A@x.example")
    );
    assert_eq!(account.result_mail.when, When::Always);
    assert_eq!(account.result_mail.format, ResultFormat::HtmlJa);
    assert_eq!(account.forward_format, ForwardFormat::Pdf);
    assert!(!account.password_in_body && !account.result_mail.attach_pages);
    assert!(account.max_calls.is_none() && account.passwords.is_empty());
}

fn accounts(text: &str) -> Result<LoadedAccounts, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("accounts.toml"), text).unwrap();
    let main = folder.path().join("faxgate.toml");
    LoadedAccounts::load(&main, &Config::default()).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn a_password_in_clear_is_never_repeated_in_a_mistake() {
    for value in [
        "\"hunter2hunter2\"",
        "[\"hunter2hunter2\"]",
        "{ clear = \"hunter2hunter2\" }",
        "\"$argon2id$v=19$hunter2hunter2\"",
        "\"hunter2hunter2",
        "hunter2hunter2",
    ] {
        let error =
            accounts(&format!("[[account]]\nid = \"a\"\npassword = {value}\n")).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_hash_is_not_shown_by_debug() {
    let config = Config::default();
    let loaded = Accounts::load(Path::new("config/faxgate.toml"), &config).unwrap();
    assert!(
        loaded
            .accounts
            .iter()
            .any(|account| !account.passwords.is_empty())
    );
    assert!(!format!("{loaded:?}").contains("argon2"));
}

#[test]
fn hashes_that_everybody_may_read_are_worth_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accounts.toml");
    std::fs::copy("config/accounts.toml", &path).unwrap();
    for (mode, warnings) in [(0o644, 1), (0o640, 0)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let loaded = LoadedAccounts::load(&folder.path().join("x"), &Config::default()).unwrap();
        assert_eq!(loaded.warnings.len(), warnings, "{mode:o}");
    }
}

#[test]
fn a_weak_hash_is_worth_a_warning_and_one_that_costs_too_much_is_a_mistake() {
    let account = |parameters: &str| {
        accounts(&format!(
            "[[account]]\nid = \"tanaka\"\nsenders = [\"a@b.example\"]\npassword = \"$argon2id$v=19${parameters}\
             $c2FsdHNhbHRzYWx0c2FsdA$Ym9keWJvZHlib2R5Ym9keWJvZHlib2R5Ym9keWJvZHk\"\n"
        ))
    };
    let weak = account("m=4096,t=1,p=1").unwrap().warnings.join("");
    assert!(
        weak.contains("account `tanaka`") && weak.contains("weaker"),
        "{weak}"
    );
    let warnings = account("m=19456,t=2,p=1").unwrap().warnings;
    assert!(!warnings.join("").contains("weaker"), "{warnings:?}");
    let mistake = account("m=1048576,t=64,p=1").unwrap_err();
    assert!(
        mistake.contains("too much memory or time") && !mistake.contains("c2Fsd"),
        "{mistake}"
    );
}

#[test]
fn default_limits_leave_room_for_a_hundred_connections_from_one_address() {
    let smtp = Smtp::default();
    assert!(smtp.max_connections_per_address > 100);
    assert!(smtp.max_connections >= 10 * smtp.max_connections_per_address);
    assert_eq!(CountryCode::JAPAN.to_string(), "81");
}
