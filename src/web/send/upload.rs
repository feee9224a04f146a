//! A form with files, read in bounded memory and time.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use axum::body::Body;
use axum::body::Bytes;
use axum::body::HttpBody;
use axum::extract::FromRequest;
use axum::extract::Multipart;
use axum::extract::Request;
use axum::extract::multipart::Field;
use axum::extract::multipart::MultipartError;
use axum::http::StatusCode;
use hyper::body::Frame;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::submission::Upload;
use crate::web::Site;
use crate::web::visitor::Visitor;

/// Files of one fax at most.
pub(super) const MOST_FILES: usize = 20;
/// Bytes of all fields that are no files at most: more text than a fax has pages for. A page that repeats what was
/// typed is several times as large.
const MOST_TEXT: usize = 2 << 20;
/// Fields of the form at most, the files among them.
const MOST_PARTS: usize = 100;
/// Uploads of one account at a time.
const MOST_OF_AN_ACCOUNT: usize = 2;
/// The whole form must have come in this time, however slow the line is: 20 MB at 270 kbit/s.
pub(super) const LONGEST: Duration = Duration::from_secs(600);
/// Something must come in this time.
const QUIET: Duration = Duration::from_secs(30);
/// Bytes of all uploads at a time, at least.
const MEMORY: usize = 128 << 20;

/// The memory and the places of all uploads.
pub(super) struct Room {
    /// Bytes that are free.
    memory: Arc<Semaphore>,
    /// How many uploads each account has.
    accounts: Arc<Mutex<HashMap<String, usize>>>,
}

impl Room {
    /// Room for some uploads of `most` bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            memory: Arc::new(Semaphore::new(MEMORY.max(most.saturating_mul(4)))),
            accounts: Arc::default(),
        }
    }

    /// A place for one more upload of `account`; `None` if it has as many as it may.
    fn enter(&self, account: &str) -> Option<Place> {
        let mut counts = lock(&self.accounts);
        let count = counts.entry(account.to_owned()).or_default();
        if *count >= MOST_OF_AN_ACCOUNT {
            return None;
        }
        *count += 1;
        Some(Place {
            accounts: Arc::clone(&self.accounts),
            account: account.to_owned(),
            free: Arc::clone(&self.memory),
            memory: None,
        })
    }
}

fn lock(
    accounts: &Mutex<HashMap<String, usize>>,
) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
    accounts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The place of one upload and the memory that it has; given back when dropped.
struct Place {
    accounts: Arc<Mutex<HashMap<String, usize>>>,
    account: String,
    free: Arc<Semaphore>,
    memory: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// Takes so many bytes, if they are free: nobody waits for memory with some of it in hand.
    fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        let count = u32::try_from(bytes).map_err(|_| Refused::TooLarge)?;
        let taken = Arc::clone(&self.free).try_acquire_many_owned(count);
        let taken = taken.map_err(|_| Refused::Busy)?;
        match &mut self.memory {
            Some(memory) => memory.merge(taken),
            None => self.memory = Some(taken),
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = lock(&self.accounts);
        if let Some(count) = counts.get_mut(&self.account) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.account);
            }
        }
    }
}

/// A form that was read.
pub(super) struct Uploaded {
    fields: Vec<(String, String)>,
    /// The chosen files, in order.
    pub(super) files: Vec<Upload>,
    _place: Place,
}

impl Uploaded {
    /// The first field of this name; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }

    /// All fields of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.fields.iter().filter(move |(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Why a form was not read.
#[derive(Debug)]
pub(super) enum Refused {
    /// Others upload, or this account does already.
    Busy,
    /// It was not made by us for this browser.
    Form,
    /// It is no such form.
    Malformed(StatusCode),
    /// More bytes than a fax may have.
    TooLarge,
    /// More files or fields than a fax has.
    TooManyFiles,
    /// It did not come in time.
    TooSlow,
}

impl From<MultipartError> for Refused {
    fn from(error: MultipartError) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            status => Self::Malformed(status),
        }
    }
}

/// Reads the form of somebody who has logged in. What shows that we made it comes before files, so that
/// no other site's files are read.
pub(super) async fn read(
    site: &Arc<Site>,
    visitor: &Visitor,
    request: Request,
) -> Result<Uploaded, Refused> {
    let place = site.send.uploads.enter(&visitor.account.id);
    let place = place.ok_or(Refused::Busy)?;
    let most = site.config.smtp.max_message;
    let (body, is_over) = Bounded::new(most);
    let request = request.map(|inner| Body::new(body(inner)));
    let form = Multipart::from_request(request, site).await;
    // What is no form with files has no proof that we made it.
    let form = form.map_err(|_| Refused::Form)?;
    let is_ours = |token: &str| site.sessions.is_csrf(&visitor.cookie, token);
    let reading = timeout(LONGEST, read_all(form, place, is_ours));
    let read = reading.await.map_err(|_| Refused::TooSlow)?;
    match read {
        Err(_) if is_over.load(Ordering::Relaxed) => Err(Refused::TooLarge),
        read => read,
    }
}

/// A body of which no more than the limit is handed on. What follows is passed over, up to a multiple of the
/// limit: a browser shows our answer only when it has sent all.
struct Bounded {
    inner: Body,
    left: usize,
    passed_over: usize,
    is_over: Arc<AtomicBool>,
}

/// How many times the limit is passed over.
const PATIENT_TIMES: usize = 8;

impl Bounded {
    /// Makes a body of `most` bytes, and says whether there was more.
    fn new(most: usize) -> (impl FnOnce(Body) -> Self, Arc<AtomicBool>) {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let make = move |inner| Self {
            inner,
            left: most,
            passed_over: most.saturating_mul(PATIENT_TIMES),
            is_over,
        };
        (make, told)
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            let next = ready!(Pin::new(&mut self.inner).poll_frame(cx));
            let is_over = self.is_over.load(Ordering::Relaxed);
            let Some(Ok(frame)) = next else {
                return Poll::Ready(if is_over {
                    Some(Err(too_large()))
                } else {
                    next
                });
            };
            let length = frame.data_ref().map_or(0, Bytes::len);
            if !is_over && length <= self.left {
                self.left -= length;
                return Poll::Ready(Some(Ok(frame)));
            }
            self.is_over.store(true, Ordering::Relaxed);
            if length > self.passed_over {
                return Poll::Ready(Some(Err(too_large())));
            }
            self.passed_over -= length;
        }
    }
}

fn too_large() -> axum::Error {
    axum::Error::new(std::io::Error::from(std::io::ErrorKind::FileTooLarge))
}

async fn read_all(
    mut form: Multipart,
    mut place: Place,
    is_ours: impl Fn(&str) -> bool,
) -> Result<Uploaded, Refused> {
    let (mut fields, mut files) = (Vec::new(), Vec::new());
    let (mut parts, mut text, mut proved) = (0, 0, false);
    while let Some(mut field) = in_time(form.next_field()).await? {
        parts += 1;
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().map(str::to_owned);
        let media_type = field.content_type().unwrap_or_default().to_owned();
        let bytes = content(&mut field, &mut place).await?;
        let token = std::str::from_utf8(&bytes).unwrap_or_default();
        proved |= name == "csrf" && is_ours(token);
        if !proved && (file.is_some() || name == "csrf") {
            return Err(Refused::Form);
        }
        match file {
            // Where no file was chosen browsers send one without a name.
            Some(file) if file.is_empty() && bytes.is_empty() => {}
            Some(file) => files.push(Upload {
                name: file,
                media_type,
                bytes,
            }),
            None => {
                text += bytes.len();
                fields.push((name, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        if parts > MOST_PARTS || files.len() > MOST_FILES {
            return Err(Refused::TooManyFiles);
        }
        if text > MOST_TEXT {
            return Err(Refused::TooLarge);
        }
    }
    match proved {
        false => Err(Refused::Form),
        true => Ok(Uploaded {
            fields,
            files,
            _place: place,
        }),
    }
}

async fn content(field: &mut Field<'_>, place: &mut Place) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    while let Some(chunk) = in_time(field.chunk()).await? {
        place.take(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn in_time<T>(next: impl Future<Output = Result<T, MultipartError>>) -> Result<T, Refused> {
    let next = timeout(QUIET, next).await;
    Ok(next.map_err(|_| Refused::TooSlow)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_share_of_the_uploads_and_gives_back_what_it_had() {
        let room = Room::new(1_000);
        let first = room.enter("tanaka").unwrap();
        let _second = room.enter("tanaka").unwrap();
        assert!(room.enter("tanaka").is_none() && room.enter("sato").is_some());
        drop(first);
        let mut third = room.enter("tanaka").unwrap();
        third.take(MEMORY - 10).unwrap();
        assert!(matches!(third.take(11), Err(Refused::Busy)));
        third.take(10).unwrap();
        drop(third);
        assert_eq!(room.memory.available_permits(), MEMORY);
    }
}
