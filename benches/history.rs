//! The account web over a long history: how long its pages take when one account has a million faxes.
//!
//!     cargo bench --bench history
//!
//! Fills a folder below the system's temporary one (about 1.5 GB), serves it, logs in, asks for each page with many
//! different parameters, and prints what the browser waits. Ends with 1 if a page of the history is over its limit.
//! `FAXES=100000` fills fewer; `FOLDER=/path` keeps what was filled for another run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a client for measuring: whatever goes wrong ends it"
)]

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use faxgate::account::credential;
use faxgate::secret::Secret;
use faxgate::storage::Ids;
use faxgate::storage::Store;
use faxgate::time::Timestamp;
use rusqlite::Connection;

const PASSWORD: &str = "bench7kaki8";
/// 2026-11-22T00:00:00Z: the newest fax.
const END: i64 = 1_795_305_600_000;
/// The faxes are spread over this time before it.
const SPAN: i64 = 320 * 86_400_000;
/// Every so manyth fax begins a list of so many members.
const LIST: i64 = 20_000;
/// What 95 of 100 pages of the history keep within.
const LIMIT: Duration = Duration::from_millis(100);
const ROUNDS: usize = 40;

fn main() {
    let faxes: i64 = std::env::var("FAXES").map_or(1_000_000, |text| text.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var("FOLDER").map_or(temporary.path().to_owned(), PathBuf::from);
    if !folder.join("faxgate.toml").exists() {
        let began = Instant::now();
        fill(&folder, faxes);
        println!("filled {faxes} faxes in {:.0?}", began.elapsed());
    }
    let mut served = Served::start(&folder);
    let missed = measure(&mut served, &folder);
    drop(served);
    if missed > 0 {
        println!("{missed} kinds of pages over {LIMIT:?}");
        std::process::exit(1);
    }
}

fn fill(folder: &Path, faxes: i64) {
    std::fs::create_dir_all(folder).unwrap();
    let port = || {
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
    };
    let (web, smtp) = (port(), port());
    let config = format!(
        "[gateway]\nname = \"gw.example\"\ndata_dir = \"var\"\n[smtp]\nlisten = [\"{smtp}\"]\n\
         [web]\nlisten = [\"{web}\"]\nmax_requests_per_minute = 0\n\
         [retention]\nhistory = \"3650d\"\npages = \"3650d\"\n\
         [transport.loopback]\ndirectory = \"calls\"\n"
    );
    let hash = credential::hash(&Secret::new(PASSWORD.to_owned())).unwrap();
    let accounts = format!(
        "[[account]]\nid = \"bench\"\nsenders = [\"b@customer.example\"]\npassword = \"{hash}\"\n"
    );
    std::fs::write(folder.join("accounts.toml"), accounts).unwrap();
    drop(Store::open(&folder.join("var")).unwrap());
    let database = Connection::open(folder.join("var/faxgate.sqlite3")).unwrap();
    let begin = Ids::earliest(Timestamp::from_ms(END - SPAN));
    let step = (Ids::earliest(Timestamp::from_ms(END)) - begin) / faxes;
    let time = (SPAN / faxes).max(1);
    // Of 100 faxes 91 are sent, 8 have failed, one of 5,000 waits. A fifth are members of lists; numbers repeat.
    let sql = format!(
        "BEGIN;
         CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {faxes})
             SELECT i, CASE WHEN i / {LIST} % 5 = 4 THEN i - i % {LIST} ELSE i END AS first FROM n;
         INSERT INTO job(id, batch, account, class, destination, contact, state, status, attempts, next_at, fence,
                 pages_sent, remote_id, duration_ms, created_at, settled_at)
             SELECT {begin} + i * {step} + 2, {begin} + first * {step}, 'bench', first < i,
                 '00813' || (10000000 + CASE WHEN first < i THEN i ELSE i * 7919 % 200000 END), 'Branch ' || (i % 977),
                 CASE WHEN i % 5000 = 17 THEN 0 WHEN i % 100 < 8 THEN 11 ELSE 10 END,
                 CASE WHEN i % 5000 = 17 THEN -2 WHEN i % 100000 = 1 THEN 204000 WHEN i % 100 < 3 THEN 6017
                     WHEN i % 100 < 8 THEN 6018 ELSE 0 END,
                 1, 32503680000000, 1, 2, '+81312345678', 61000, {END} - {SPAN} + i * {time},
                 CASE WHEN i % 5000 = 17 THEN NULL ELSE {END} - {SPAN} + i * {time} + 90000 END
             FROM n;
         COMMIT;"
    );
    // Without foreign keys, so that jobs may come before their batches.
    database
        .execute_batch("PRAGMA foreign_keys=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;")
        .unwrap();
    database.execute_batch(&sql).unwrap();
    database
        .execute_batch(
            "INSERT INTO batch(id, account, identity, door, proof, tier, verification, reference, message_id, reply_to,
                 page_options, stopped, published, jobs, settled, created_at, sent)
             SELECT batch, 'bench', CAST(batch AS BLOB), 'mail', 'password', 'unverified', '', 'Order ' || (batch % 9973),
                 '<' || batch || '@customer.example>', 'b@customer.example', '{}', 0, 1, COUNT(*),
                 SUM(status >= 0), MIN(created_at), SUM(status = 0) FROM job GROUP BY batch;",
        )
        .unwrap();
    drop(database);
    // Last: a folder with it is whole.
    std::fs::write(folder.join("faxgate.toml"), config).unwrap();
}

/// A gateway that serves the folder, and a browser that has logged in.
struct Served {
    child: Child,
    web: String,
    cookie: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(folder: &Path) -> Self {
        let config = folder.join("faxgate.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let web = text.split_once("[web]\nlisten = [\"").unwrap().1;
        let web = web.split_once('"').unwrap().0.to_owned();
        let child = Command::new(env!("CARGO_BIN_EXE_faxgate"))
            .current_dir(folder)
            .arg("--config")
            .arg(config)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut served = Self {
            child: child.unwrap(),
            web,
            cookie: String::new(),
        };
        while TcpStream::connect(&served.web).is_err() {
            assert!(
                served.child.try_wait().unwrap().is_none(),
                "it did not start"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        let form = served.ask("GET", "/login", "");
        let (_, csrf) = form.split_once("name=\"csrf\" value=\"").unwrap();
        let csrf = csrf.split_once('"').unwrap().0;
        served.cookie = cookie(&form);
        let fields = format!("login_id=bench&password={PASSWORD}&csrf={csrf}");
        let answer = served.ask("POST", "/login", &fields);
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        served.cookie = cookie(&answer);
        served
    }

    fn ask(&self, method: &str, path: &str, form: &str) -> String {
        let mut stream = TcpStream::connect(&self.web).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            self.web,
            self.cookie,
            form.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        String::from_utf8_lossy(&all).into_owned()
    }

    fn memory_mib(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.unwrap().trim().trim_end_matches(" kB");
        kib.parse::<u64>().unwrap() / 1024
    }
}

fn cookie(answer: &str) -> String {
    let lines = answer.lines().filter_map(|line| line.split_once(": "));
    let set = lines.filter(|(name, value)| {
        name.eq_ignore_ascii_case("set-cookie") && !value.contains("Max-Age=0")
    });
    let pairs = set.map(|(_, value)| value.split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

/// Kinds of pages: a name, and an address whose placeholders stand for something else in each round.
const PAGES: [(&str, &str); 20] = [
    ("first page", "/sent"),
    ("deep page", "/sent?before={deep}"),
    ("failed", "/sent?status=failed"),
    ("failed, deep", "/sent?status=failed&before={deep}"),
    ("sent, deep", "/sent?status=sent&before={deep}"),
    ("in progress", "/sent?status=in-progress"),
    ("a status that is rare", "/sent?status=204000"),
    ("a status that nothing has", "/sent?status=3912"),
    ("a number", "/sent?number=%2B813{number}"),
    (
        "a number that is not there",
        "/sent?number=%2B816111122{two}",
    ),
    ("digits of many", "/sent?number=1{two}"),
    ("digits of none", "/sent?number=999999{two}"),
    (
        "digits of none, failed",
        "/sent?number=999999{two}&status=failed",
    ),
    ("one day", "/sent?from={day}&to={day}"),
    ("until a day", "/sent?to={day}"),
    ("failed until a day", "/sent?status=failed&to={day}"),
    (
        "a number on a day",
        "/sent?number=%2B813{number}&from={day}&to={day}",
    ),
    ("a fax", "/sent/{job}"),
    ("a list of 20,000", "/batches/{list}"),
    ("its failed ones", "/batches/{list}?status=failed"),
];

/// What the placeholders stand for.
struct Known {
    list: i64,
    job: i64,
}

impl Known {
    fn read(folder: &Path) -> Self {
        let database = Connection::open(folder.join("var/faxgate.sqlite3")).unwrap();
        let one = |sql: &str| {
            let found = database.query_row(sql, [], |row| row.get::<_, i64>(0));
            found.unwrap()
        };
        Self {
            list: one("SELECT id FROM batch WHERE jobs > 1 ORDER BY id DESC LIMIT 1"),
            job: one("SELECT id FROM job WHERE status = 0 ORDER BY id DESC LIMIT 1"),
        }
    }

    fn path(&self, template: &str, round: i64) -> String {
        let begin = Ids::earliest(Timestamp::from_ms(END - SPAN));
        let end = Ids::earliest(Timestamp::from_ms(END));
        let deep = end - (end - begin) / 45 * (round + 1);
        let (month, day) = (1 + round % 10 + i64::from(round % 10 == 0), 1 + round % 28);
        let number = 10_000_000 + round * 7919 * 131 % 200_000;
        let mut path = template.to_owned();
        for (name, value) in [
            ("{deep}", deep.to_string()),
            ("{day}", format!("2026-{month:02}-{day:02}")),
            ("{number}", number.to_string()),
            ("{two}", format!("{round:02}")),
            ("{job}", self.job.to_string()),
            ("{list}", self.list.to_string()),
        ] {
            path = path.replace(name, &value);
        }
        path
    }
}

/// Measures every kind of page; how many take longer than they may.
fn measure(served: &mut Served, folder: &Path) -> usize {
    let known = Known::read(folder);
    println!("{:32} {:>9} {:>9} {:>9}", "page", "p50", "p95", "worst");
    let mut missed = 0;
    for (name, template) in PAGES {
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|round| {
                let path = known.path(template, i64::try_from(round).unwrap());
                let began = Instant::now();
                let answer = served.ask("GET", &path, "");
                let took = began.elapsed();
                assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
                took
            })
            .collect();
        times.sort_unstable();
        let (p50, p95) = (times[ROUNDS / 2], times[ROUNDS * 95 / 100]);
        let worst = times[ROUNDS - 1];
        println!("{name:32} {p50:>9.1?} {p95:>9.1?} {worst:>9.1?}");
        missed += usize::from(p95 > LIMIT);
    }
    measure_export(served);
    missed
}

fn measure_export(served: &mut Served) {
    let before = served.memory_mib();
    let began = Instant::now();
    let exported = served.ask("GET", "/sent/export.csv", "");
    let rows = exported.matches("+81312345678").count();
    let took = began.elapsed();
    let after = served.memory_mib();
    println!("export of {rows} faxes: {took:.1?}, memory {before} -> {after} MiB");
}
