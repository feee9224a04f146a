//! What stories about those who send for us have in common: a call, somebody who watches it, a tray for what comes in.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use faxgate::fax::CallProgress;
use faxgate::fax::CallReport;
use faxgate::fax::CountryCode;
use faxgate::fax::FaxFile;
use faxgate::fax::FaxNumber;
use faxgate::fax::Modem;
use faxgate::fax::Outcome;
use faxgate::fax::StationId;
use faxgate::fax::SubAddress;
use faxgate::transmit::Call;
use faxgate::transmit::FaxTransport;
use faxgate::transmit::Inbound;
use faxgate::transmit::InboundFax;
use faxgate::transmit::Later;
use faxgate::transmit::Watch;
use faxpage::Bitmap;
use faxpage::Page;
use faxpage::write_tiff;

/// A fax of white pages, each with a bar that is longer than that of the page before.
pub(crate) fn fax(pages: u32) -> FaxFile {
    let page = |n: u32| {
        let mut bitmap = Bitmap::new(1728, 200);
        (0..=n * 100).for_each(|x| bitmap.set(x, 50, true));
        Page {
            bitmap,
            x_dpi: 204,
            y_dpi: 196,
        }
    };
    let drawn: Vec<_> = (0..pages).map(page).collect();
    FaxFile {
        tiff: write_tiff(&drawn),
        pages,
    }
}

pub(crate) fn number() -> FaxNumber {
    FaxNumber::parse("03-1234-5678", &CountryCode::JAPAN).unwrap()
}

/// Job 7, of three pages.
pub(crate) fn call(attempt: u32) -> Call {
    Call {
        job: 7,
        attempt,
        number: number(),
        calling_number: None,
        local_id: StationId::parse("+81 3 8765 4321").unwrap(),
        sub_address: SubAddress::parse("12#"),
        fax: fax(3),
        first_page: 0,
        ecm: true,
        fastest: Modem::V17,
        ring_timeout: Duration::from_secs(60),
    }
}

/// Writes down what it is told.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<CallProgress>>);

impl Told {
    pub(crate) fn all(&self) -> Vec<CallProgress> {
        self.0.lock().unwrap().clone()
    }
}

impl Watch for Told {
    fn note(&self, progress: CallProgress) {
        self.0.lock().unwrap().push(progress);
    }
}

/// Makes the call while nobody watches.
pub(crate) async fn make(transport: &dyn FaxTransport, call: &Call) -> Outcome {
    let line = transport.line(&call.number).await;
    transport.send(call, line, &Told::default()).await
}

/// The report in an outcome.
pub(crate) fn report(outcome: &Outcome) -> &CallReport {
    match outcome {
        Outcome::Sent(report) | Outcome::Retry(_, report) | Outcome::Failed(_, report) => report,
        Outcome::NotCalled { why } => panic!("no call was made: {why}"),
    }
}

/// Takes faxes, or does not.
#[derive(Default)]
pub(crate) struct Tray {
    pub(crate) faxes: Mutex<Vec<InboundFax>>,
    pub(crate) is_full: Mutex<bool>,
    pub(crate) offered: Mutex<u32>,
}

impl Tray {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }
}

impl Inbound for Tray {
    fn serves(&self, _number: &FaxNumber) -> bool {
        true
    }

    fn arrive(&self, fax: InboundFax) -> Later<'_, bool> {
        *self.offered.lock().unwrap() += 1;
        let takes = !*self.is_full.lock().unwrap();
        if takes {
            self.faxes.lock().unwrap().push(fax);
        }
        Box::pin(std::future::ready(takes))
    }
}
