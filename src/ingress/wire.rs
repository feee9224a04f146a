//! What a session is spoken over: the connection itself, or TLS on it.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio_rustls::server::TlsStream;

use crate::ingress::tls::Tls;
use crate::time::Timestamp;

/// A connection in clear or under TLS.
pub(super) enum Wire<IO> {
    /// In clear.
    Clear(IO),
    /// Under TLS; boxed, because most idle connections are in clear and small.
    Tls(Box<TlsStream<IO>>),
    /// Nothing: a handshake failed.
    Gone,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Wire<IO> {
    /// Begins TLS as its server; a connection whose handshake fails is gone. What it returns is
    /// the client's certificate (DER), if that is good at `now`.
    ///
    /// # Errors
    /// What the handshake failed of.
    pub(super) async fn secure(
        &mut self,
        tls: &Tls,
        now: Timestamp,
    ) -> io::Result<Option<Vec<u8>>> {
        let Self::Clear(io) = std::mem::replace(self, Self::Gone) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let terms = tls.terms();
        let stream = Box::new(terms.acceptor().accept(io).await?);
        let certificate = terms.client(stream.get_ref().1, now);
        *self = Self::Tls(stream);
        Ok(certificate)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(io) => Pin::new(io).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(io) => Pin::new(io).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(io) => Pin::new(io).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(io) => Pin::new(io).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}
