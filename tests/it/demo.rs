//! The demonstration, as a newcomer runs it: the built program and nothing else.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use crate::gateway::Browser;

/// `demo` with its scratch folder below `temporary`.
fn demo(temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faxgate"));
    command
        .arg("demo")
        .current_dir(temporary)
        .env("TMPDIR", temporary.join("tmp"))
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    std::fs::create_dir_all(temporary.join("tmp")).unwrap();
    command
}

fn once(temporary: &Path) -> (Output, String) {
    let output = demo(temporary).arg("--once").output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// What each act must tell. The order within an act follows the clock.
const ACTS: [&[&str]; 7] = [
    &[
        "answers 250 2.0.0",
        "made 2 fax pages",
        "calls 0081311112222",
        "is answered",
        "packets (T.38)",
        "calls itself 8131…22",
        "trains at 14400 bit/s with error correction (ECM)",
        "page 1 of 2 is confirmed",
        "page 2 of 2 is confirmed",
        "is released",
        "status 0 (sent), 2 pages",
        "FAX送信が成功しました -> (0081311112222)",
    ],
    &[
        "answers 550 5.7.8",
        "wrong password 1 of 3",
        "wrong password 3 of 3",
        "locks the account tanaka for 60 minutes",
        "アカウントをロックしました (tanaka)",
        "this one was right",
    ],
    &[
        "shops@list.fax.example",
        "answers 250 2.0.0",
        "status 6002",
        "FAX送信が失敗しました -> (shops)",
        "| 送信結果: 6002",
    ],
    &[
        "faxgate account lock suzuki",
        "answers 250 2.0.0",
        "status 0 (sent), 1 page",
    ],
    &[
        "calls 0081345670001",
        "received 1 page for tanaka",
        "held, not forwarded: account locked until",
    ],
    &[
        "faxgate account unlock tanaka",
        "mails to inbox@customer.example",
        "attached: fax-",
    ],
    &[
        "calls 0081333334444",
        "status 6017 (busy), 0 pages",
        "page 1 of 2 is confirmed",
        ", 1 page\n",
        "page 2 of 2 is confirmed",
        "status 0 (sent), 2 pages",
        "it is in none",
    ],
];

#[test]
fn the_whole_story_is_told_and_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (output, text) = once(dir.path());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert_eq!(errors, "");
    for (act, expected) in ACTS.iter().enumerate() {
        let begin = text.find(&format!("\n{}. ", act + 1)).unwrap();
        let told = &text[begin + 1..];
        let told = &told[..told.find(&format!("\n{}. ", act + 2)).unwrap_or(told.len())];
        for expected in *expected {
            assert!(
                told.contains(expected),
                "`{expected}` is missing in\n{told}"
            );
        }
    }
    left_behind(&dir.path().join("demo-out"));
    assert!(
        names(&dir.path().join("tmp")).is_empty(),
        "the scratch folder is gone"
    );
}

fn left_behind(out: &Path) {
    assert_eq!(
        names(&out.join("fax")),
        [
            "1-estimate-as-mailed.pdf",
            "1-estimate-to-shinjuku-page-1.png",
            "1-estimate-to-shinjuku-page-2.png",
            "1-estimate-to-shinjuku.tiff",
            "4-greeting-to-shinjuku-page-1.png",
            "4-greeting-to-shinjuku.tiff",
            "4-while-locked-to-shinjuku-page-1.png",
            "4-while-locked-to-shinjuku.tiff",
            "5-order-to-tanaka-page-1.png",
            "5-order-to-tanaka.tiff",
            "6-order-as-forwarded.pdf",
            "7-estimate-to-branch-page-1.png",
            "7-estimate-to-branch-page-2.png",
            "7-estimate-to-branch.tiff",
        ]
    );
    let mails = names(&out.join("mail"));
    assert_eq!(mails.len(), 18, "{mails:?}");
    assert_eq!(mails[0], "01-tanaka-estimate.eml");
    assert_eq!(mails[15], "16-gateway-forward-to-inbox.eml");
    assert_eq!(mails[17], "18-gateway-result-to-tanaka.eml");
    let notices = mails.iter().filter(|name| name.contains("gateway-lock-"));
    assert_eq!(notices.count(), 1, "{mails:?}");
    let calls = std::fs::read_to_string(out.join("calls.jsonl")).unwrap();
    assert_eq!(calls.lines().count(), 7, "{calls}");
}

#[test]
fn a_folder_of_somebody_else_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("demo-out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("letter.txt"), "dear").unwrap();
    let (output, _) = once(dir.path());
    assert_eq!(output.status.code(), Some(64));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("demo-out") && errors.contains("--out"),
        "{errors}"
    );
    assert_eq!(names(&out), ["letter.txt"]);
}

#[test]
fn it_serves_on_until_it_is_told_to_end_and_then_leaves_nothing_running() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = demo(dir.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let (mut address, mut web) = (None, None);
    for line in lines.by_ref() {
        let line = line.unwrap();
        if let Some((_, at)) = line.split_once("account web   http://") {
            web = Some(at.trim_end_matches('/').to_owned());
        }
        if let Some((_, at)) = line.split_once("mail to fax   smtp://") {
            address = Some(at.to_owned());
        }
        if line == "Ctrl-C ends it." {
            break;
        }
    }
    let address = address.expect("the address of the mail door");
    assert!(std::net::TcpStream::connect(&address).is_ok());
    let mut browser = Browser::at(web.unwrap().parse().unwrap());
    assert_eq!(browser.log_in("tanaka", "kaki8sample").code, 303);
    let history = browser.get("/sent").body();
    assert!(history.contains("03-1111-2222") && history.contains("6002"));
    let id = running.id().to_string();
    let interrupted = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(interrupted.success());
    assert!(running.wait().unwrap().success());
    assert!(std::net::TcpStream::connect(&address).is_err());
    assert!(
        names(&dir.path().join("tmp")).is_empty(),
        "the scratch folder is gone"
    );
    drop(lines);
}
