//! Answers that are made while they are sent: files of any length, and events.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;
use hyper::body::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::web::error::Told;

/// Pieces that wait for a slow reader; whoever makes them waits, too.
const WAITING: usize = 4;

/// Where the pieces of an answer go.
pub(super) struct Writer(mpsc::Sender<io::Result<Bytes>>);

/// The reader has hung up.
#[derive(Debug)]
pub(super) struct Gone;

impl Writer {
    /// Sends a piece as soon as the reader has room for it.
    pub(super) async fn send(&self, piece: String) -> Result<(), Gone> {
        let sent = self.0.send(Ok(Bytes::from(piece))).await;
        sent.map_err(|_| Gone)
    }

    /// Breaks the answer off, so that nobody takes it for whole.
    pub(super) async fn break_off(&self) {
        // A reader that is gone needs no telling.
        let _ = self.0.send(Err(io::Error::other("broken off"))).await;
    }

    /// Returns when the reader has hung up.
    pub(super) async fn gone(&self) {
        self.0.closed().await;
    }
}

/// An answer of this kind, and where its pieces go. It ends when the writer is dropped.
pub(super) fn answer(kind: &'static str) -> (Writer, Response) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let headers = [
        (HeaderName::from_static("content-type"), kind),
        // Proxies such as nginx collect an answer otherwise before they hand it on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let body = axum::body::Body::new(Pieces(receiver));
    let mut response = (StatusCode::OK, headers, body).into_response();
    response.extensions_mut().insert(Told);
    (Writer(sender), response)
}

/// Has the browser save the answer under this name.
pub(super) fn save_as(response: &mut Response, name: &str) {
    let value = format!("attachment; filename=\"{name}\"");
    if let Ok(value) = HeaderValue::try_from(value) {
        let name = HeaderName::from_static("content-disposition");
        response.headers_mut().insert(name, value);
    }
}

struct Pieces(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
