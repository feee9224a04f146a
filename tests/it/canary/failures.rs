//! Each step after the password was read fails, by real means: nothing that is written or said on the way
//! out of trouble holds the password.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use rustix::process::Pid;
use rustix::process::Signal;

use super::CORE;
use super::NUMBER;
use super::cores::converters;
use super::forms;
use super::hits;
use super::ways::PLAIN;
use super::ways::way;
use super::ways::way_of;
use crate::gateway::Account;
use crate::gateway::Gateway;
use crate::gateway::Mail;
use crate::gateway::Setup;
use crate::gateway::Smtp;
use crate::gateway::wait_for;

fn gateway() -> Gateway {
    let other = Account::new("sato").password(CORE);
    let accounts = [Account::tanaka().password(CORE), Account::suzuki(), other];
    let setup = Setup::new(&accounts)
        .set("lock", "strikes", "3")
        .log("trace");
    Gateway::start(setup)
}

/// Mails with the right and the wrong password, small and large; what was answered to them.
fn mails(gateway: &Gateway, number: usize) -> Vec<String> {
    let line = format!("password: {CORE}\r\n\r\n");
    let small = format!("{line}Mail {number}.\r\n> password: {CORE}\r\nMine is {CORE}.\r\n");
    let large = format!(
        "{line}{}",
        format!("It is long, mail {number}.\r\n").repeat(4_000)
    );
    let wrong = format!("password: {CORE}-wrong{number}\r\n\r\nPlease.\r\n");
    let replies = [("small", &small), ("large", &large)]
        .map(|(name, text)| way(name, "", PLAIN, text).send(gateway));
    let refused = way_of("sato", "wrong", "", PLAIN, &wrong).send(gateway);
    let [small, large] = replies;
    vec![small, large, refused]
}

/// Everything that is kept, said or sent by now, and at the end.
fn nothing_leaked(mut gateway: Gateway, said: &[String]) {
    let forms = forms::of(CORE);
    assert_eq!(
        forms::found(said.concat().as_bytes(), &forms),
        Vec::<&str>::new()
    );
    super::nothing_is_shown(&gateway, &gateway.jobs(), &forms);
    super::nothing_was_mailed(&gateway, &forms);
    assert_eq!(hits(gateway.folder(), &forms), Vec::<String>::new());
    gateway.terminate();
    assert_eq!(hits(gateway.folder(), &forms), Vec::<String>::new());
    assert!(gateway.log_text().contains("\"level\":\"TRACE\""));
}

#[test]
fn c2_a_database_that_refuses_a_row_is_told_no_password() {
    let gateway = gateway();
    let mut said = mails(&gateway, 0);
    let tables = [
        "batch",
        "job",
        "lane",
        "attempt",
        "outbox",
        "strikes",
        "strike_identity",
        "event",
        "destination_slot",
    ];
    for (n, table) in tables.iter().enumerate() {
        for what in ["INSERT", "UPDATE"] {
            gateway.change_state(&format!(
                "CREATE TRIGGER broken BEFORE {what} ON {table} BEGIN SELECT RAISE(ABORT, 'injected'); END"
            ));
            said.extend(mails(&gateway, 2 * n + 1));
            gateway.change_state("DROP TRIGGER broken; DELETE FROM strikes");
        }
    }
    let failed = said
        .iter()
        .filter(|reply| reply.starts_with("451 "))
        .count();
    assert!(failed >= 5, "{said:?}");
    let log = gateway.log_text();
    assert!(log.contains("injected"), "the failures were not told");
    nothing_leaked(gateway, &said);
}

/// `fails`: system calls that fail from the n-th one on, with this error.
fn with_failing_calls(fails: &str) -> (Vec<String>, Gateway) {
    let mut gateway = gateway();
    let mut said = mails(&gateway, 0);
    gateway.kill();
    let inject = format!("inject={fails}");
    let quiet = [
        "strace",
        "-D",
        "-f",
        "-qqq",
        "-o",
        "/dev/null",
        "-e",
        "signal=none",
    ];
    gateway.serve_under(&[&quiet[..], &["-e", &inject]].concat());
    for number in 1..60 {
        let replies = mails(&gateway, number);
        let failed = replies
            .iter()
            .filter(|reply| reply.starts_with("451 "))
            .count();
        said.extend(replies);
        if failed > 1 {
            break;
        }
    }
    let failed = said.iter().any(|reply| reply.starts_with("451 "));
    assert!(failed, "{fails} did no harm: {said:?}");
    gateway.kill();
    let forms = forms::of(CORE);
    assert_eq!(hits(gateway.folder(), &forms), Vec::<String>::new());
    gateway.serve();
    (said, gateway)
}

#[test]
fn c2_a_full_disk_is_told_no_password() {
    let (said, gateway) = with_failing_calls("pwrite64:error=ENOSPC:when=60+");
    nothing_leaked(gateway, &said);
}

#[test]
fn c2_a_disk_that_cannot_sync_is_told_no_password() {
    let (said, gateway) = with_failing_calls("fsync,fdatasync:error=EIO:when=40+");
    nothing_leaked(gateway, &said);
}

#[test]
fn c2_converters_that_die_or_have_no_time_leave_no_password() {
    let gateway = gateway();
    let over = AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        let killing = scope.spawn(|| {
            let mut killed = 0;
            while !over.load(Ordering::Relaxed) {
                for (n, id) in converters(gateway.id()).into_iter().enumerate() {
                    let id = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
                    // As the kernel does out of memory, out of time, or by a fault of a decoder.
                    let signal =
                        [Signal::KILL, Signal::XCPU, Signal::SEGV, Signal::ABORT][(killed + n) % 4];
                    killed += usize::from(rustix::process::kill_process(id, signal).is_ok());
                }
            }
            killed
        });
        let mut said = Vec::new();
        let mut number = 0;
        wait_for("a killed converter", || {
            number += 1;
            said.extend(mails(&gateway, number));
            gateway.change_state("DELETE FROM strikes");
            let log = gateway.log_text();
            (number >= 5 && log.contains("render")).then_some(())
        });
        over.store(true, Ordering::Relaxed);
        assert!(killing.join().unwrap() > 0, "no converter was killed");
        said
    });
    gateway.let_waiting_end();
    super::all_settled(&gateway);
    nothing_leaked(gateway, &said);
}

#[test]
fn c2_lines_and_mail_servers_that_fail_are_told_no_password() {
    let mut gateway = gateway();
    let mut said = Vec::new();
    for (n, answer) in ["451 4.3.0 Try later", "554 5.7.1 Never"]
        .iter()
        .enumerate()
    {
        gateway.sink.answer(Some(answer));
        let refused = gateway.sink.refused();
        said.extend(mails(&gateway, n));
        wait_for("the mail server to refuse", || {
            (gateway.sink.refused() > refused).then_some(())
        });
    }
    gateway.sink.answer(None);
    gateway.sink.go_away();
    // The folder that is the line is a file now.
    let (calls, away) = (gateway.path("calls"), gateway.path("away"));
    std::fs::rename(&calls, &away).unwrap();
    std::fs::write(&calls, "").unwrap();
    said.extend(mails(&gateway, 2));
    // Numbers that fail, at once or after retries, and one that nobody may dial.
    for number in ["0099999996017", "0099999996001", "0099999991", "0990123456"] {
        let mut way = way(
            "failing number",
            "",
            PLAIN,
            format!("password: {CORE}\r\n\r\nTo {number}.\r\n"),
        );
        way.envelope = Mail::new(
            "tanaka@customer.example",
            &format!("{number}@fax.example"),
            "",
        );
        said.push(way.send(&gateway));
    }
    std::fs::remove_file(&calls).unwrap();
    std::fs::rename(&away, &calls).unwrap();
    gateway.sink.come_back();
    // The third strike and the notice of the lock.
    said.extend(mails(&gateway, 3));
    wait_for("all jobs to be settled", || {
        gateway.let_waiting_end();
        let jobs = gateway.jobs();
        let settled = jobs.iter().all(|job| job["completed"].is_string());
        settled.then_some(())
    });
    wait_for("the result mails", || {
        gateway.let_waiting_end();
        (gateway.sink.mails_to("tanaka@customer.example").len() >= 2).then_some(())
    });
    nothing_leaked(gateway, &said);
}

#[test]
fn c2_a_crash_at_any_moment_of_a_mail_leaves_no_password() {
    let mut gateway = gateway();
    let mut said = Vec::new();
    let text = format!(
        "password: {CORE}\r\n\r\n{}",
        "It is long.\r\n".repeat(6_000)
    );
    for (n, signal) in [Signal::ABORT, Signal::SEGV, Signal::KILL, Signal::XFSZ]
        .iter()
        .enumerate()
    {
        let way = way("crash", "", PLAIN, format!("{text}{n}\r\n"));
        let mut session = Smtp::hello(gateway.smtp);
        session
            .envelope(&Mail::new("tanaka@customer.example", NUMBER, ""))
            .unwrap();
        session.write(&way.message);
        if n % 2 == 1 {
            session.write(b"\r\n.\r\n");
        }
        gateway.end_by(*signal);
        assert_eq!(
            hits(gateway.folder(), &forms::of(CORE)),
            Vec::<String>::new()
        );
        gateway.serve();
        said.extend(mails(&gateway, n));
    }
    super::all_settled(&gateway);
    nothing_leaked(gateway, &said);
}
