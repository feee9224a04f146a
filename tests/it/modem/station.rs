//! Our side of the line: each number that the modem dials is answered by a fax worker that receives.

use std::net::SocketAddr;
use std::net::UdpSocket;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::sync::mpsc::channel;
use std::time::Duration;

use faxgate::fax::StationId;
use faxgate::transmit::line::Assignment;
use faxgate::transmit::line::CallLimits;
use faxgate::transmit::line::Carrier;
use faxgate::transmit::line::Ended;
use faxgate::transmit::line::Pacing;
use faxgate::transmit::line::Report;
use faxgate::transmit::line::Task;
use faxgate::transmit::line::Workers;
use faxpage::Bitmap;
use faxpage::FAX_WIDTH;
use faxpage::Page;
use faxpage::TiffLimits;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::runtime::Runtime;

use super::Modem;

/// The identifier that callers see.
pub(crate) const OURS: &str = "+81 3 0000 0002";

/// The longest call: a page takes about 20 s.
const LONGEST: Duration = Duration::from_secs(120);

const LIMITS: TiffLimits = TiffLimits {
    max_pages: 100,
    max_pixels: 64 * 1024 * 1024,
};

/// A modem, and our receiver behind every number that it dials.
pub(crate) struct Station {
    /// First, so that no call is on when the rest goes.
    modem: Modem,
    ended: Receiver<Ended>,
    _runtime: Runtime,
    _folder: TempDir,
}

impl Station {
    /// Opens it.
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_faxgate"));
        let workers = Workers::new(program, folder.path().join("calls"), true);
        let runtime = Runtime::new().unwrap();
        let (tell, ended) = channel();
        let handle = runtime.handle().clone();
        let mut calls = 0;
        let modem = Modem::on(Box::new(move |_, caller| {
            calls += 1;
            Some(answer(
                &handle,
                &workers,
                &format!("in-{calls}"),
                caller,
                &tell,
            ))
        }));
        Self {
            modem,
            ended,
            _runtime: runtime,
            _folder: folder,
        }
    }

    /// What fax software opens.
    pub(crate) fn device(&self) -> &Path {
        self.modem.device()
    }

    /// How the next call ended.
    pub(crate) fn ended(&self) -> Ended {
        self.ended.recv_timeout(LONGEST).expect("the call to end")
    }
}

/// A worker takes the call; where it is.
fn answer(
    handle: &Handle,
    workers: &Workers,
    name: &str,
    caller: SocketAddr,
    tell: &Sender<Ended>,
) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own = socket.local_addr().unwrap();
    let carrier = Carrier::T38 {
        remote: caller,
        max_datagram: 400,
        redundancy: 3,
    };
    let mut worker = handle.block_on(async {
        let mut worker = workers.start(receiver(name), socket).await.unwrap();
        worker.carry(carrier).await.unwrap();
        worker
    });
    let tell = tell.clone();
    handle.spawn(async move {
        while let Some(report) = worker.next().await {
            if let Report::Ended(ended) = report {
                let _ = tell.send(ended);
            }
        }
    });
    own
}

fn receiver(name: &str) -> Assignment {
    Assignment {
        name: name.to_owned(),
        about: "0312345678".to_owned(),
        task: Task::Receive,
        local_id: StationId::parse(OURS).unwrap(),
        sub_address: None,
        ecm: true,
        fastest: faxgate::fax::Modem::V17,
        limits: CallLimits::default(),
        pacing: Pacing::Line,
    }
}

/// A sparse page: a bar, and a slope, so that every row says where it is.
pub(crate) fn sparse_page() -> Page {
    let mut bitmap = Bitmap::new(FAX_WIDTH, 1100);
    for y in 100..130 {
        for x in 100..1600 {
            bitmap.set(x, y, true);
        }
    }
    for y in 300..500 {
        let left = 100 + (y - 300) * 6;
        for x in left..left + 61 {
            bitmap.set(x, y, true);
        }
    }
    Page {
        bitmap,
        x_dpi: 204,
        y_dpi: 196,
    }
}

/// The rows from the first to the last that is not white: software of others adds white ones, or cuts them off.
pub(crate) fn inked(page: &Page) -> Bitmap {
    let map = &page.bitmap;
    let inked: Vec<u32> = (0..map.height())
        .filter(|&y| !map.is_row_white(y))
        .collect();
    let (first, last) = (inked[0], inked[inked.len() - 1]);
    map.crop_rows(first, last - first + 1)
}

/// The call succeeded, and what arrived is [`sparse_page`] from `caller`.
pub(crate) fn assert_arrived(ended: &Ended, caller: &str) {
    assert!(ended.confirmed, "{ended:?}");
    assert_eq!(ended.pages, 1);
    assert_eq!(ended.remote_id.as_str(), caller);
    assert_eq!(ended.rate, 14_400);
    let fax = ended.fax.as_ref().expect("the pages of the call");
    let pages = faxpage::read_tiff(&fax.tiff, &LIMITS).unwrap();
    assert_eq!(pages.len(), 1);
    assert_eq!((pages[0].x_dpi, pages[0].y_dpi), (204, 196));
    let (arrived, sent) = (inked(&pages[0]), inked(&sparse_page()));
    let size = |map: &Bitmap| (map.width(), map.height(), map.black_pixels());
    assert_eq!(size(&arrived), size(&sent));
    assert!(
        arrived == sent,
        "the same number of black pixels, elsewhere"
    );
}
