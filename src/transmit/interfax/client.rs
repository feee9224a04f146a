//! HTTP to the service: one request at a time limit, no redirect followed, no answer read beyond a limit.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::Request;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use hyper::header;
use hyper::header::HeaderValue;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The service as it can be asked.
pub(super) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Pages>,
    base: String,
    authorization: Secret,
}

/// What the service answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The status code (RFC 9110 section 15).
    pub(super) status: u16,
    /// `Location`: what was made.
    pub(super) location: Option<String>,
    /// `Retry-After` in seconds.
    pub(super) retry_after: Option<u64>,
    /// The body, as far as it came and may be long.
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// Nothing was asked: no connection came about.
    NotAsked(String),
    /// It was asked, and may have understood.
    Unanswered(String),
}

/// Time for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for a small request and its answer.
const ASK: Duration = Duration::from_secs(30);
/// The slowest upload that is waited for, in bytes a second.
const SLOWEST: u64 = 8 * 1024;
/// Answers are lists of records of half a kilobyte.
const MOST_BYTES: usize = 1024 * 1024;

impl Client {
    /// Whoever answers at `base` (`https://host`), asked as `user`.
    ///
    /// # Errors
    /// For `https`, that this machine trusts no certificate authority.
    pub(super) fn new(base: &str, user: &str, password: &Secret) -> io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust(base.starts_with("https://"))?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let http = legacy::Client::builder(TokioExecutor::new())
            // A connection that was idle may be closed while a request is on its way, and nobody can tell whether it came.
            .pool_max_idle_per_host(0)
            .retry_canceled_requests(false)
            .build(connector);
        let login = Zeroizing::new(format!("{user}:{}", password.expose()));
        let mut authorization = "Basic ".to_owned();
        STANDARD.encode_string(login.as_bytes(), &mut authorization);
        Ok(Self {
            http,
            base: base.to_owned(),
            authorization: Secret::new(authorization),
        })
    }

    /// The service's host, for people.
    pub(super) fn host(&self) -> &str {
        let rest = self.base.split_once("://").map_or("", |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default()
    }

    /// `GET` of a path with its query.
    pub(super) async fn get(&self, path: &str) -> Result<Answer, Silence> {
        self.ask(Method::GET, path, Pages::default(), ASK).await
    }

    /// `POST` of pages to a path with its query.
    pub(super) async fn post(&self, path: &str, tiff: Vec<u8>) -> Result<Answer, Silence> {
        let size = u64::try_from(tiff.len()).unwrap_or(u64::MAX);
        let within = ASK + Duration::from_secs(size / SLOWEST);
        let pages = Pages(Some(Bytes::from(tiff)));
        self.ask(Method::POST, path, pages, within).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        pages: Pages,
        within: Duration,
    ) -> Result<Answer, Silence> {
        let request = self.request(method, path, pages);
        let request = request.map_err(|error| Silence::NotAsked(error.to_string()))?;
        let answered = async {
            let response = self.http.request(request).await.map_err(silence)?;
            let (parts, body) = response.into_parts();
            let text = |name| {
                let value: Option<&HeaderValue> = parts.headers.get(name);
                value.and_then(|value| value.to_str().ok())
            };
            Ok(Answer {
                status: parts.status.as_u16(),
                location: text(header::LOCATION).map(str::to_owned),
                retry_after: text(header::RETRY_AFTER).and_then(|s| s.parse().ok()),
                // What follows a status code may be cut off or late: the code is an answer already.
                body: read(body).await,
            })
        };
        match tokio::time::timeout(within, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(Silence::Unanswered("no answer in time".to_owned())),
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        pages: Pages,
    ) -> Result<Request<Pages>, Box<dyn std::error::Error>> {
        let mut authorization = HeaderValue::from_str(self.authorization.expose())?;
        authorization.set_sensitive(true);
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, authorization)
            .header(header::ACCEPT, "application/json")
            .header(
                header::USER_AGENT,
                concat!("faxgate/", env!("CARGO_PKG_VERSION")),
            );
        let request = match pages.0 {
            Some(_) => request.header(header::CONTENT_TYPE, "image/tiff"),
            None => request,
        };
        Ok(request.body(pages)?)
    }
}

/// The certificate authorities of this machine, where they are needed.
fn trust(tls: bool) -> io::Result<ClientConfig> {
    use hyper_rustls::ConfigBuilderExt;
    // Named, not the default of the process: another crate may bring a second one.
    let provider = std::sync::Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match tls {
        true => builder.with_native_roots()?,
        false => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

fn silence(error: legacy::Error) -> Silence {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        why = format!("{why}: {error}");
        source = error.source();
    }
    match error.is_connect() {
        true => Silence::NotAsked(why),
        false => Silence::Unanswered(why),
    }
}

async fn read(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = ASK;
    while bytes.len() < MOST_BYTES {
        let begun = tokio::time::Instant::now();
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let Ok(Some(Ok(frame))) = tokio::time::timeout(rest, frame).await else {
            break;
        };
        if let Ok(piece) = frame.into_data() {
            bytes.extend_from_slice(&piece);
        }
        rest = rest.saturating_sub(begun.elapsed());
    }
    bytes
}

/// The body of a request: pages, or nothing.
#[derive(Default)]
struct Pages(Option<Bytes>);

impl Body for Pages {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let size = self.0.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(size).unwrap_or(u64::MAX))
    }
}
