//! A trunk that speaks SIP over TLS, and is always busy.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use faxgate::config::SipUri;
use faxgate::config::Trunk;
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::ServerConnection;
use tokio_rustls::rustls::StreamOwned;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::message::Message;
use crate::sip_out::caller::trunk;

/// A trunk at `localhost` that waits for one connection.
pub(super) struct Busy {
    port: u16,
    folder: TempDir,
    thread: JoinHandle<Option<String>>,
}

impl Busy {
    /// Its certificate is for these names and signs itself.
    pub(super) fn certified_for(names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes());
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_no_client_auth();
        let own = vec![made.cert.der().clone()];
        let tls = builder.with_single_cert(own, key.unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        Self {
            port: listener.local_addr().unwrap().port(),
            folder,
            thread: std::thread::spawn(move || serve(listener.accept().unwrap().0, Arc::new(tls))),
        }
    }

    /// The trunk under this name; what it shows is believed if it is in this file.
    pub(super) fn trunk(&self, host: &str, ca_file: Option<PathBuf>) -> Trunk {
        let proxy = format!("sip:{host}:{};transport=tls", self.port);
        Trunk {
            proxy: SipUri::parse(&proxy).unwrap(),
            ca_file,
            ..trunk("one", self.port)
        }
    }

    /// The file with its certificate.
    pub(super) fn ca_file(&self) -> Option<PathBuf> {
        Some(self.folder.path().join("ca.pem"))
    }

    /// The first line of what it was asked; `None` if it was not trusted.
    pub(super) fn was_asked(self) -> Option<String> {
        self.thread.join().unwrap()
    }
}

/// Answers one call; the caller must acknowledge that.
fn serve(stream: TcpStream, tls: Arc<ServerConfig>) -> Option<String> {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
    let invite = next(&mut stream)?;
    let busy = invite.response("486 Busy Here", "", "");
    stream.write_all(busy.as_bytes()).unwrap();
    assert_eq!(next(&mut stream).unwrap().method(), "ACK");
    Some(invite.start)
}

/// The next message; `None` if the connection ends.
fn next(stream: &mut impl Read) -> Option<Message> {
    let mut octets = Vec::new();
    loop {
        let message = Message::read(&octets);
        let whole =
            |message: &Message| message.header("content-length") == message.body.len().to_string();
        if let Some(message) = message.filter(whole) {
            return Some(message);
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(length) => octets.extend_from_slice(&piece[..length]),
        }
    }
}
