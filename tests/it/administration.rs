//! What administrators do and see: accounts in files, commands, logs and metrics (rows C6, C7).

use std::net::TcpStream;
use std::process::Command;

use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::RIGHT;
use crate::gateway::Setup;
use crate::gateway::paper;
use crate::gateway::run_with_input;
use crate::gateway::wait_for;

const NUMBER: &str = "0312345678@fax.example";

fn both() -> Gateway {
    Gateway::with(&[Account::tanaka(), Account::suzuki()])
}

fn yamada() -> Mail {
    Mail::new("yamada@customer.example", NUMBER, "Please see to it.\r\n")
}

#[test]
fn c6_a_new_account_works_without_a_restart() {
    let gateway = both();
    gateway.refuses(&yamada());
    gateway.write_accounts(&[Account::suzuki(), Account::new("yamada")]);
    wait_for("the new account", || {
        gateway.mail(&yamada()).starts_with("250").then_some(())
    });
    gateway.refuses(&Mail::right(NUMBER));
    gateway.accepts(&Mail::plain(NUMBER));
}

#[test]
fn c6_a_hang_up_reloads_the_accounts() {
    let gateway = both();
    let before = gateway.events_of_reload();
    gateway.hang_up();
    wait_for("the accounts to be read", || {
        (gateway.events_of_reload() > before).then_some(())
    });
    gateway.accepts(&Mail::plain(NUMBER));
}

#[test]
fn c6_a_bad_file_keeps_the_last_good_one_and_says_so() {
    let gateway = both();
    gateway.write_accounts_text("[[account]]\nid = \"yamada\"\nsendrs = [\"a@b.example\"]\n");
    let (code, page) = wait_for("a gateway that is not ready", || {
        let answer = gateway.page("/readyz");
        (answer.0 == 503).then_some(answer)
    });
    assert_eq!(code, 503);
    assert!(
        page.contains("accounts") && page.contains("accounts.toml"),
        "{page}"
    );
    assert_eq!(gateway.metric("faxgate_accounts_stale"), Some(1.0));
    assert!(
        gateway.log_text().contains("sendrs"),
        "the log names the mistake"
    );
    gateway.accepts(&Mail::plain(NUMBER));
    gateway.accepts(&Mail::right(NUMBER));
    gateway.write_accounts(&[Account::suzuki(), Account::new("yamada")]);
    wait_for("a gateway that is ready again", || {
        (gateway.page("/readyz").0 == 200).then_some(())
    });
    assert_eq!(gateway.metric("faxgate_accounts_stale"), Some(0.0));
    gateway.accepts(&yamada());
}

#[test]
fn c6_a_missing_file_keeps_the_last_good_one_until_there_is_one_again() {
    let gateway = both();
    std::fs::remove_file(gateway.path("accounts.toml")).unwrap();
    wait_for("a gateway that is not ready", || {
        (gateway.page("/readyz").0 == 503).then_some(())
    });
    gateway.accepts(&Mail::plain(NUMBER));
    gateway.write_accounts(&[Account::suzuki(), Account::new("yamada")]);
    wait_for("a gateway that is ready again", || {
        (gateway.page("/readyz").0 == 200).then_some(())
    });
    gateway.accepts(&yamada());
}

#[test]
fn c6_a_new_file_in_a_folder_of_accounts_and_a_changed_list_are_seen() {
    let suzuki = Account::suzuki().list_file("shops", "shops.csv");
    let setup = Setup::new(&[])
        .set("gateway", "accounts", "\"accounts.d\"")
        .file("accounts.d/a.toml", suzuki.text().as_bytes())
        .file("accounts.d/shops.csv", b"03-1111-2222,Shinjuku\n");
    let gateway = Gateway::start(setup);
    let new = Account::new("yamada").text();
    std::fs::write(gateway.path("accounts.d/b.toml"), new).unwrap();
    wait_for("the new account", || {
        gateway.mail(&yamada()).starts_with("250").then_some(())
    });
    let table = "03-1111-2222,Shinjuku\n03-1111-3333,Meguro\n";
    std::fs::write(gateway.path("accounts.d/shops.csv"), table).unwrap();
    wait_for("the new member of the list", || {
        gateway.accepts(&Mail::plain("shops@list.fax.example"));
        let jobs = gateway.jobs();
        let new = jobs
            .iter()
            .find(|job| job["destination"] == "0081311113333");
        new.map(|job| assert_eq!(job["contact"], "Meguro"))
    });
}

#[test]
fn c6_every_mistake_is_reported_at_once_with_its_place() {
    let gateway = both();
    gateway.write_accounts_text(
        "[[account]]\nid = \"yamada\"\nsendrs = []\n\n[[account]]\nid = \"mori\"\nsenders = [\"x\"]\n",
    );
    let checked = gateway.command(&["check-config"]);
    assert_eq!(checked.code, 78);
    for place in ["accounts.toml:3:", "accounts.toml:7:"] {
        assert!(checked.stderr.contains(place), "{}", checked.stderr);
    }
    let listed = gateway.command(&["check-config", "--json"]);
    assert_eq!(listed.code, 78);
    let mistakes = listed.json()["mistakes"].as_array().unwrap().clone();
    assert!(mistakes.len() >= 2, "{mistakes:?}");
    assert!(mistakes.iter().all(|mistake| mistake["line"].is_u64()));
    assert_eq!(
        listed.stderr.lines().count(),
        1,
        "the mistakes are told once: {}",
        listed.stderr
    );
    // A gateway does not start with a bad configuration.
    let served = gateway.command(&["serve"]);
    assert_eq!(served.code, 78, "{}", served.stderr);
    assert!(served.stderr.contains("sendrs"), "{}", served.stderr);
}

/// What an editor leaves behind: a mistyped key; text that is no TOML; half an account.
const BROKEN: [&str; 3] = [
    "\n[[account]]\nid = \"yamada\"\nsendrs = [\"yamada@customer.example\"]\n",
    "\n[[account]]\nid = \"yamada\"\nsenders = [\"yamada@customer.example\n",
    "\n[[account]]\nid = \n",
];

#[test]
fn c7_commands_work_for_intact_accounts_beside_a_broken_one() {
    let gateway = both();
    gateway.accepts(&Mail::plain(NUMBER));
    gateway.settled(1);
    let file = gateway.path("fax.tiff");
    std::fs::write(&file, paper::tiff(1)).unwrap();
    let file = file.to_str().unwrap();
    let good = std::fs::read_to_string(gateway.path("accounts.toml")).unwrap();
    for broken in BROKEN {
        gateway.write_accounts_text(&format!("{good}{broken}"));
        assert_eq!(gateway.command(&["check-config"]).code, 78, "{broken}");
        assert_eq!(gateway.jobs().len(), 1);
        let listed = gateway.must(&["account", "list", "--json"]);
        let ids = listed.json();
        let ids: Vec<&str> = ids
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["tanaka", "suzuki"], "{broken}");
        let warning = "warning: the account files have mistakes; ";
        assert!(listed.stderr.contains(warning), "{}", listed.stderr);
        assert!(
            listed.stderr.contains("accounts.toml:"),
            "{}",
            listed.stderr
        );
        gateway.lock("suzuki");
        assert!(gateway.is_locked("suzuki"), "{broken}");
        gateway.unlock("suzuki");
        assert!(!gateway.is_locked("suzuki"), "{broken}");
        gateway.must(&["received", "inject", "--to", "0345670001", file]);
        // A command fails as it always did, not because of the mistakes.
        let unknown = gateway.command(&["account", "lock", "yamada"]);
        assert_eq!(unknown.code, 67, "{}", unknown.stderr);
    }
    let received = gateway.json(&["received", "list"]);
    assert_eq!(received.as_array().unwrap().len(), BROKEN.len());
}

#[test]
fn c7_commands_work_without_an_accounts_file_but_not_without_the_main_one() {
    let gateway = both();
    gateway.accepts(&Mail::plain(NUMBER));
    gateway.settled(1);
    std::fs::remove_file(gateway.path("accounts.toml")).unwrap();
    assert_eq!(gateway.jobs().len(), 1);
    assert_eq!(gateway.command(&["account", "lock", "suzuki"]).code, 67);
    std::fs::write(gateway.path("faxgate.toml"), "[gateway]\nnam = 1\n").unwrap();
    assert_eq!(gateway.command(&["job", "list"]).code, 78);
}

#[test]
fn c7_one_thing_is_counted_in_the_singular() {
    let gateway = Gateway::with(&[Account::suzuki()]);
    let good = gateway.must(&["check-config"]).stdout;
    assert!(good.ends_with(": good, 1 account\n"), "{good}");
    gateway.write_accounts_text("[[account]]\nid = \"a\"\nsenders = [\"a@b@c\"]\n");
    let bad = gateway.command(&["check-config"]).stderr;
    assert!(bad.starts_with("faxgate: 1 mistake\n"), "{bad}");
    assert_eq!(bad.lines().count(), 2, "{bad}");
}

#[test]
fn c7_every_listing_is_json_when_asked_for() {
    let gateway = both();
    gateway.accepts(&Mail::right(NUMBER));
    gateway.settled(1);
    std::fs::write(gateway.path("fax.tiff"), paper::tiff(1)).unwrap();
    let file = gateway.path("fax.tiff");
    gateway.must(&[
        "received",
        "inject",
        "--to",
        "0345670001",
        file.to_str().unwrap(),
    ]);
    for listing in ["account", "job", "received"] {
        let rows = gateway.json(&[listing, "list"]);
        let rows = rows.as_array().unwrap();
        assert!(!rows.is_empty(), "{listing}");
        let id = rows[0]["id"].as_str().unwrap();
        assert!(gateway.json(&[listing, "show", id]).is_object());
        let table = gateway.must(&[listing, "list"]).stdout;
        assert!(table.starts_with("ID ") && table.contains(id), "{table}");
        assert!(gateway.must(&[listing, "show", id]).stdout.contains(id));
    }
    assert_eq!(gateway.json(&["check-config"])["ok"], true);
}

#[test]
fn c7_the_timeline_of_a_job_tells_everything_that_happened() {
    let gateway = both();
    gateway.accepts(&Mail::right(NUMBER));
    let job = gateway.settled(1)[0]["id"].as_str().unwrap().to_owned();
    gateway.sink.wait_for("tanaka@customer.example", 1);
    let shown = wait_for("the mail in the timeline", || {
        let shown = gateway.json(&["job", "show", &job]);
        (shown["mails"][0]["state"] == "sent").then_some(shown)
    });
    let timeline = shown["timeline"].as_array().unwrap();
    let events: Vec<_> = timeline
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    let expected = [
        "received",
        "authenticated",
        "rendered",
        "dialled",
        "attempted",
        "settled",
        "notified",
    ];
    // Between the dial and its end stand the phases of the call, as the transport tells them.
    let phases = [
        "line",
        "ringing",
        "answered",
        "carried",
        "identified",
        "training",
        "page",
        "last-page-sent",
        "released",
    ];
    let dialled = events.iter().position(|event| *event == "dialled").unwrap();
    let attempted = events
        .iter()
        .position(|event| *event == "attempted")
        .unwrap();
    let between = events.get(dialled + 1..attempted).unwrap();
    assert!(
        between.iter().all(|event| phases.contains(event)),
        "{events:?}"
    );
    let mut events = events.clone();
    events.retain(|event| !phases.contains(event));
    assert_eq!(events, expected);
    assert_eq!(timeline[1]["how"], "password");
    // The log has the same events, with the job and the account.
    for kind in expected {
        let events = gateway.events(kind);
        assert_eq!(events.len(), 1, "{kind}");
        assert_eq!(events[0]["account"], "tanaka");
    }
}

#[test]
fn c7_the_log_is_json_and_shortens_addresses_and_numbers() {
    let gateway = both();
    gateway.accepts(&Mail::right(NUMBER));
    gateway.settled(1);
    gateway.sink.wait_for("tanaka@customer.example", 1);
    let text = gateway.log_text();
    assert_eq!(gateway.log_lines().len(), text.lines().count());
    for whole in [
        "tanaka@customer.example",
        "81312345678",
        "0312345678",
        RIGHT,
    ] {
        assert!(!text.contains(whole), "{whole}");
    }
}

#[test]
fn c7_rust_log_says_how_much_is_logged() {
    let quiet = Setup::new(&[Account::suzuki()]).log("warn,faxgate::cli=info");
    let gateway = Gateway::start(quiet);
    gateway.accepts(&Mail::plain(NUMBER));
    gateway.settled(1);
    assert_eq!(gateway.events("settled").len(), 0);
    let loud = Setup::new(&[Account::suzuki()]).log("info,faxgate=debug");
    let gateway = Gateway::start(loud);
    gateway.accepts(&Mail::plain(NUMBER));
    gateway.settled(1);
    assert_eq!(gateway.events("settled").len(), 1);
}

#[test]
fn c7_operators_are_answered() {
    let gateway = both();
    assert_eq!(gateway.page("/livez").0, 200);
    wait_for("a gateway that is ready", || {
        (gateway.page("/readyz").0 == 200).then_some(())
    });
    gateway.accepts(&Mail::right(NUMBER));
    gateway.settled(1);
    let (code, metrics) = gateway.page("/metrics");
    assert_eq!(code, 200);
    let mut names = 0;
    for line in metrics.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(
            metrics.contains(&format!("# HELP {name} ")),
            "{name} has no help text"
        );
        names += 1;
    }
    assert!(names >= 5, "{metrics}");
    assert_eq!(
        gateway.metric("faxgate_fax_attempts_total{status=\"0\"}"),
        Some(1.0)
    );
}

#[test]
fn c7_an_account_is_one_object_with_its_lock() {
    let gateway = both();
    let shown = gateway.account("tanaka");
    assert_eq!(
        (&shown["locked"], &shown["locked_until"]),
        (&false.into(), &serde_json::Value::Null)
    );
    gateway.lock("tanaka");
    let shown = gateway.account("tanaka");
    assert_eq!(shown["locked"], true);
    let until: jiff::Timestamp = shown["locked_until"].as_str().unwrap().parse().unwrap();
    assert!(until > crate::gateway::now());
    let unlock = gateway.command(&["account", "unlock", "tanaka"]);
    assert_eq!(unlock.code, 64, "a reason is needed");
    gateway.unlock("tanaka");
    let shown = gateway.account("tanaka");
    assert_eq!(
        (&shown["locked"], &shown["locked_until"]),
        (&false.into(), &serde_json::Value::Null)
    );
    let events = shown["events"].as_array().unwrap();
    assert!(
        events
            .iter()
            .any(|event| event["reason"] == "asked by telephone"),
        "{shown}"
    );
}

#[test]
fn c7_commands_end_with_the_exit_codes_of_sysexits() {
    let gateway = both();
    let code = |arguments: &[&str]| gateway.command(arguments).code;
    assert_eq!(code(&["no-such-command"]), 64);
    assert_eq!(code(&["account", "show"]), 64);
    assert_eq!(code(&["account", "show", "nobody"]), 67);
    assert_eq!(code(&["account", "lock", "nobody"]), 67);
    assert_eq!(code(&["job", "show", "1"]), 67);
    assert_eq!(code(&["job", "cancel", "1"]), 67);
    assert_eq!(code(&["job", "resend", "1"]), 67);
    assert_eq!(code(&["received", "show", "1"]), 67);
    let absent = [
        "explain",
        "absent.eml",
        "--from",
        "a@b.example",
        "--to",
        NUMBER,
    ];
    assert_eq!(code(&absent), 66);
    assert_eq!(code(&["--help"]), 0);
    assert_eq!(code(&["--version"]), 0);
}

#[test]
fn c7_the_configuration_is_named_before_or_after_the_subcommand() {
    let gateway = both();
    let file = gateway.path("faxgate.toml");
    let file = file.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faxgate"));
        command.current_dir(gateway.folder()).args(arguments);
        run_with_input(command, "")
    };
    let before = run(&["--config", file, "account", "list", "--json"]);
    for arguments in [
        ["account", "--config", file, "list", "--json"],
        ["account", "list", "--json", "--config", file],
    ] {
        assert_eq!(run(&arguments).json(), before.json());
    }
    // Without it, `config/faxgate.toml` is looked for.
    let without = run(&["account", "list"]);
    assert_eq!(without.code, 78);
    assert!(
        without.stderr.contains("config/faxgate.toml"),
        "{}",
        without.stderr
    );
}

#[test]
fn c7_completions_and_a_manual_page_are_printed() {
    let gateway = both();
    assert!(
        gateway
            .must(&["completions", "bash"])
            .stdout
            .contains("hash-password")
    );
    assert!(gateway.must(&["man"]).stdout.contains(".TH"));
}

#[test]
fn c7_a_settled_job_is_sent_again() {
    let gateway = both();
    gateway.accepts(&Mail::plain(NUMBER));
    let first = gateway.settled(1)[0].clone();
    let printed = gateway.must(&["job", "resend", first["id"].as_str().unwrap()]);
    let jobs = gateway.settled(2);
    let again = jobs.iter().find(|job| job["id"] != first["id"]).unwrap();
    assert_eq!(
        printed.stdout.trim(),
        format!("job {}", again["id"].as_str().unwrap())
    );
    assert_eq!(
        (&again["destination"], &again["status"]),
        (&first["destination"], &0.into())
    );
    assert!(gateway.pages(again) == gateway.pages(&first));
}

#[test]
fn c7_a_refused_list_cannot_be_sent_again() {
    let gateway = both();
    gateway.lock("suzuki");
    gateway.accepts(&Mail::plain("branches@list.fax.example"));
    let job = gateway.settled(1)[0]["id"].as_str().unwrap().to_owned();
    gateway.unlock("suzuki");
    assert_eq!(gateway.command(&["job", "resend", &job]).code, 65);
}

#[test]
fn c7_jobs_are_listed_by_account_and_in_pages() {
    let gateway = both();
    for n in 0..3 {
        gateway.accepts(&Mail::plain(&format!("00999-9999-{n}@fax.example")));
    }
    gateway.accepts(&Mail::right("00999-9999-9@fax.example"));
    gateway.settled(4);
    let ids = |arguments: &[&str]| -> Vec<String> {
        let rows = gateway.json(&[&["job", "list"], arguments].concat());
        let rows = rows.as_array().unwrap().clone();
        rows.iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let own = ids(&["--account", "suzuki"]);
    assert_eq!(own.len(), 3);
    assert_eq!(ids(&["--account", "suzuki", "--limit", "2"]), own[..2]);
    assert_eq!(ids(&["--account", "suzuki", "--before", &own[1]]), own[2..]);
    assert_eq!(ids(&[]).len(), 4);
}

#[test]
fn c7_explain_says_what_would_happen_without_doing_it() {
    let gateway = both();
    let explain = |mail: &Mail| {
        std::fs::write(gateway.path("mail.eml"), mail.message()).unwrap();
        let mut arguments = vec!["explain", "mail.eml", "--from", &mail.sender, "--to"];
        arguments.extend(mail.recipients.iter().map(String::as_str));
        gateway.json(&arguments)
    };
    let right = explain(&Mail::right(NUMBER).and_to("shops@list.fax.example"));
    assert_eq!(right["account"], "tanaka");
    assert_eq!(right["password"], "found, right");
    assert_eq!(right["verdict"], "accepted with its password");
    assert_eq!(right["pages"], 1);
    assert_eq!(right["destinations"][0]["to"], "0081312345678");
    assert_eq!(right["destinations"][1]["members"], 2);
    for _ in 0..3 {
        let wrong = explain(&Mail::wrong(NUMBER));
        assert_eq!(wrong["verdict"], "refused, and counted as a wrong password");
    }
    assert_eq!(gateway.strikes("tanaka"), 0);
    let plain = explain(&Mail::plain("0990-123-456@fax.example"));
    assert_eq!(plain["destinations"][0]["allowed"], false);
    let unknown = explain(&yamada());
    assert_eq!(unknown["verdict"], "refused");
    let no_list = explain(&Mail::right("nosuchlist@list.fax.example"));
    assert_eq!(no_list["verdict"], "refused: the account has no such list");
    gateway.lock("tanaka");
    let no_list = explain(&Mail::right("nosuchlist@list.fax.example"));
    assert_eq!(no_list["verdict"], "refused: the account is locked");
    let locked = explain(&Mail::right("shops@list.fax.example"));
    assert!(
        locked["verdict"].as_str().unwrap().contains("6002"),
        "{locked}"
    );
    assert_eq!(gateway.jobs().len(), 0);
}

#[test]
fn c1_a_restart_binds_the_same_ports_at_once() {
    let mut gateway = both();
    // Connections that are open when it ends linger on its side.
    let open: Vec<_> = (0..5)
        .map(|_| crate::gateway::Smtp::hello(gateway.smtp))
        .collect();
    gateway.kill();
    gateway.serve();
    gateway.accepts(&Mail::plain(NUMBER));
    drop(open);
    let open = crate::gateway::Smtp::hello(gateway.smtp);
    assert_eq!(gateway.terminate(), Some(0));
    assert!(TcpStream::connect(gateway.smtp).is_err());
    gateway.serve();
    gateway.accepts(&Mail::plain(NUMBER));
    gateway.settled(2);
    drop(open);
}

#[test]
fn c1_one_state_is_served_by_one_process() {
    let gateway = both();
    let second = gateway.command(&["serve"]);
    assert_ne!(second.code, 0);
    assert!(
        second.stderr.contains("another faxgate serves"),
        "{}",
        second.stderr
    );
    gateway.accepts(&Mail::plain(NUMBER));
}
