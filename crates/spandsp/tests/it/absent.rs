//! A machine without the library.

use spandsp::AudioFax;
use spandsp::FaxCall;
use spandsp::Modem;
use spandsp::Pacing;
use spandsp::StartError;
use spandsp::Task;
use spandsp::Terminal;

#[test]
fn without_the_library_a_call_says_that_it_is_not_available() {
    let call = FaxCall {
        task: Task::Receive {
            file: "page.tiff".into(),
        },
        local_id: String::new(),
        sub_address: None,
        ecm: true,
        fastest: Modem::V17,
    };
    assert!(!spandsp::is_available());
    assert_eq!(
        Terminal::new(&call, Pacing::Line).err(),
        Some(StartError::NotAvailable)
    );
    assert_eq!(AudioFax::new(&call).err(), Some(StartError::NotAvailable));
}
