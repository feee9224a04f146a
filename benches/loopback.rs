//! What a call over the loopback costs: processor time of whole T.30 sessions, both ends, through the transport.
//!
//!     cargo bench --bench loopback
//!
//! Prints the milliseconds of a call with 1, 3 and 20 pages of dense text (about 90 KiB each). The clock jumps, so that
//! nothing waits. Ends with 1 if a call of one page costs more than 25 ms.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a client for measuring: whatever goes wrong ends it"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use faxgate::config::Loopback;
use faxgate::fax::CallProgress;
use faxgate::fax::CountryCode;
use faxgate::fax::FaxFile;
use faxgate::fax::FaxNumber;
use faxgate::fax::Modem;
use faxgate::fax::Outcome;
use faxgate::fax::StationId;
use faxgate::time::Clock;
use faxgate::time::Timestamp;
use faxgate::time::Wait;
use faxgate::transmit::Call;
use faxgate::transmit::FaxTransport;
use faxgate::transmit::Inbound;
use faxgate::transmit::InboundFax;
use faxgate::transmit::Later;
use faxgate::transmit::Line;
use faxgate::transmit::Watch;
use faxgate::transmit::loopback::LoopbackTransport;
use faxpage::Bitmap;
use faxpage::FAX_WIDTH;
use faxpage::Page;

/// Milliseconds that a call of one page may cost.
const LIMIT: f64 = 25.0;

struct Jumping(AtomicI64);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }

    fn wait_until(&self, until: Timestamp) -> Wait<'_> {
        self.0.fetch_max(until.as_ms(), Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

struct Nobody;

impl Inbound for Nobody {
    fn serves(&self, _number: &FaxNumber) -> bool {
        false
    }

    fn arrive(&self, _fax: InboundFax) -> Later<'_, bool> {
        Box::pin(std::future::ready(false))
    }
}

impl Watch for Nobody {
    fn note(&self, _progress: CallProgress) {}
}

/// Lines of small marks, as dense as a letter.
fn page(number: u32) -> Page {
    let mut bitmap = Bitmap::new(FAX_WIDTH, 2286);
    let mut state = number.wrapping_mul(2_654_435_761) | 1;
    for line in 0..44 {
        for mark in 0..74 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            for (bit, dot) in (0..20).enumerate() {
                if state >> bit & 1 == 1 {
                    let (x, y) = (100 + mark * 20 + dot % 4 * 4, 150 + line * 46 + dot / 4 * 6);
                    (0..3).for_each(|dx| (0..5).for_each(|dy| bitmap.set(x + dx, y + dy, true)));
                }
            }
        }
    }
    Page {
        bitmap,
        x_dpi: 204,
        y_dpi: 196,
    }
}

fn call(job: i64, tiff: &[u8], pages: u32) -> Call {
    Call {
        job,
        attempt: 1,
        number: FaxNumber::parse("03-1234-5678", &CountryCode::JAPAN).unwrap(),
        calling_number: None,
        local_id: StationId::parse("+81 3 0000 0001").unwrap(),
        sub_address: None,
        fax: FaxFile {
            tiff: tiff.to_vec(),
            pages,
        },
        first_page: 0,
        ecm: true,
        fastest: Modem::V17,
        ring_timeout: Duration::from_secs(60),
    }
}

/// Processor time of this process in milliseconds, in steps of 10 (proc(5): fields 14 and 15 of stat, 100 a second).
fn spent() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_the_name) = stat.rsplit_once(')').unwrap();
    let fields = after_the_name.split_whitespace().skip(11).take(2);
    fields
        .map(|ticks| ticks.parse::<f64>().unwrap() * 10.0)
        .sum()
}

fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let config = Loopback {
        directory: folder.path().to_owned(),
        ..Loopback::default()
    };
    let clock = Arc::new(Jumping(AtomicI64::new(0)));
    let transport = LoopbackTransport::open(&config, Arc::new(Nobody), clock).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut job = 0;
    let mut one_page = 0.0;
    println!("pages   KiB   calls   ms of processor time a call, both ends");
    for (pages, calls) in [(1, 200), (3, 50), (20, 10)] {
        let tiff = faxpage::write_tiff(&(0..pages).map(page).collect::<Vec<_>>());
        let begun = spent();
        for _ in 0..calls {
            job += 1;
            let call = call(job, &tiff, pages);
            match runtime.block_on(transport.send(&call, Line::default(), &Nobody)) {
                Outcome::Sent(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let each = (spent() - begun) / f64::from(calls);
        println!("{pages:5} {:5} {calls:7}   {each:.1}", tiff.len() / 1024);
        if pages == 1 {
            one_page = each;
        }
    }
    match spandsp::is_available() && one_page > LIMIT {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}
