//! What was composed is kept, with its pages, until it is sent or let go.

use std::net::IpAddr;
use std::sync::Arc;

use crate::account::session::Cookie;
use crate::authenticate::session::Visit;
use crate::config::Account;
use crate::fax::Document;
use crate::fax::DocumentKind;
use crate::fax::FaxFile;
use crate::intake::Composed;
use crate::refusal::Refusal;
use crate::render::BadDocument;
use crate::render::RenderError;
use crate::storage::StorageError;
use crate::storage::documents;
use crate::storage::drafts;
use crate::storage::drafts::DraftRow;
use crate::storage::sessions;
use crate::submission;
use crate::submission::Composition;
use crate::web::Site;
use crate::web::send::LANES;
use crate::web::send::asked::Asked;
use crate::web::send::asked::AskedFile;
use crate::web::send::asked::Mistakes;
use crate::web::send::upload::MOST_FILES;
use crate::web::send::upload::Uploaded;
use crate::web::send::words::Words;
use crate::web::visitor::Visitor;

/// A draft that was found.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// As it is stored.
    pub(super) row: DraftRow,
    /// Where it goes and how.
    pub(super) asked: Asked,
}

/// The draft `id`, if it is one of this browser.
pub(super) async fn find(
    site: &Site,
    visitor: &Visitor,
    id: &str,
) -> Result<Option<Draft>, StorageError> {
    found(site, &visitor.account, &visitor.cookie, id).await
}

async fn found(
    site: &Site,
    account: &Account,
    cookie: &Cookie,
    id: &str,
) -> Result<Option<Draft>, StorageError> {
    let Ok(id) = id.parse::<i64>() else {
        return Ok(None);
    };
    let session = sessions::name_of(cookie.expose());
    let (account, now) = (account.id.clone(), site.now());
    let row = site
        .store()
        .read(move |tx| drafts::find(tx, id, (&account, &session), now));
    let Some(row) = row.await? else {
        return Ok(None);
    };
    let asked = serde_json::from_str(&row.asked);
    let asked = asked.map_err(|error| StorageError::Damaged(format!("a draft: {error}")))?;
    Ok(Some(Draft { row, asked }))
}

/// The documents of a draft.
pub(super) async fn documents(site: &Site, id: i64) -> Result<Vec<Document>, StorageError> {
    files(site, id).await.map(|(documents, _)| documents)
}

async fn files(site: &Site, id: i64) -> Result<(Vec<Document>, Vec<u8>), StorageError> {
    let store = site.store().clone();
    let read = tokio::task::spawn_blocking(move || drafts::files(&store, id));
    read.await.map_err(|_| StorageError::Stopped)?
}

/// Lets a draft go; its files go with the next sweep.
pub(super) async fn let_go(site: &Site, id: i64) -> Result<(), StorageError> {
    site.store().write(move |tx| drafts::let_go(tx, id)).await?;
    drafts::sweep(site.store(), site.now()).await.map(|_| ())
}

/// What came of a form.
pub(super) enum Made {
    /// It is the draft with this identifier.
    Kept(i64),
    /// Something in it is wrong.
    Mistaken(Box<Mistakes>),
    /// Storage, the converter, or no room for one more.
    Unavailable,
}

/// What came of a form that cannot be kept.
enum Not {
    Mistaken(Mistakes),
    Trouble(String),
}

impl From<StorageError> for Not {
    fn from(error: StorageError) -> Self {
        Self::Trouble(error.to_string())
    }
}

fn bad_file(text: String) -> Not {
    Not::Mistaken(Mistakes {
        file: vec![text],
        ..Mistakes::default()
    })
}

/// Makes the pages of what was composed, and keeps both as a draft in the place of `before`.
pub(super) async fn make(
    site: &Arc<Site>,
    visitor: &Visitor,
    asked: Asked,
    uploaded: Uploaded,
    before: Option<&Draft>,
    w: &Words,
) -> Made {
    match kept(site, visitor, asked, uploaded, before, w).await {
        Ok(id) => Made::Kept(id),
        Err(Not::Mistaken(mistakes)) => Made::Mistaken(Box::new(mistakes)),
        Err(Not::Trouble(error)) => {
            tracing::error!(error, "a draft could not be made");
            Made::Unavailable
        }
    }
}

async fn kept(
    site: &Arc<Site>,
    visitor: &Visitor,
    mut asked: Asked,
    mut uploaded: Uploaded,
    before: Option<&Draft>,
    w: &Words,
) -> Result<i64, Not> {
    has_no_empty_file(&uploaded, w)?;
    let mut composition = composed(site, &mut uploaded).await?;
    if let Some(before) = before {
        let files = stay(site, &uploaded, before).await?;
        composition.files.splice(0..0, files);
    }
    check(site, &composition, w)?;
    asked.reference = std::mem::take(&mut composition.reference);
    let files = composition.files.iter();
    asked.files = files
        .map(|file| AskedFile {
            name: file.name.clone().unwrap_or_default(),
            bytes: file.bytes.len(),
        })
        .collect();
    let documents = in_order(composition, asked.text_last);
    let fax = pages(site, &documents, &asked, w).await?;
    let id = keep(site, visitor, &asked, &documents, fax).await?;
    if let Some(before) = before {
        let_go(site, before.row.id).await?;
    }
    Ok(id)
}

fn has_no_empty_file(uploaded: &Uploaded, w: &Words) -> Result<(), Not> {
    let empty = uploaded.files.iter().find(|file| file.bytes.is_empty());
    match empty {
        // The name as the browser says it is shown once and kept nowhere.
        Some(file) => Err(bad_file(about(Some(&file.name), w.bad_empty))),
        None => Ok(()),
    }
}

/// Reading is work on what may be 20 MB: it leaves the event loop.
async fn composed(site: &Arc<Site>, uploaded: &mut Uploaded) -> Result<Composition, Not> {
    let (text, reference) = (
        uploaded.text("text").to_owned(),
        uploaded.text("reference").to_owned(),
    );
    let (site, files) = (Arc::clone(site), std::mem::take(&mut uploaded.files));
    let reading = tokio::task::spawn_blocking(move || {
        submission::compose(&text, &reference, files, &site.config.password)
    });
    let read = reading
        .await
        .map_err(|error| Not::Trouble(error.to_string()))?;
    read.map_err(|refusal| Not::Trouble(format!("{refusal:?}")))
}

/// The files of the draft before that stay.
async fn stay(site: &Site, form: &Uploaded, before: &Draft) -> Result<Vec<Document>, Not> {
    let keep: Vec<usize> = form.all("keep").filter_map(|n| n.parse().ok()).collect();
    let documents = documents(site, before.row.id).await?;
    let files = documents
        .into_iter()
        .filter(|document| document.name.is_some());
    let stays = |(n, _): &(usize, Document)| keep.contains(n);
    let files = files.enumerate().filter(stays);
    Ok(files.map(|(_, file)| file).collect())
}

fn check(site: &Site, composition: &Composition, w: &Words) -> Result<(), Not> {
    let documents = composition.files.iter().chain(&composition.text);
    let bytes: usize = documents.map(|document| document.bytes.len()).sum();
    if bytes > site.config.smtp.max_message {
        return Err(bad_file(w.too_large.to_owned()));
    }
    if composition.files.len() > MOST_FILES {
        return Err(bad_file(w.too_many_files.to_owned()));
    }
    let unsupported = composition
        .files
        .iter()
        .filter(|file| file.kind == DocumentKind::Unsupported);
    let told = unsupported.map(|file| about(file.name.as_deref(), w.bad_kind));
    let told: Vec<String> = told.collect();
    if !told.is_empty() {
        return Err(Not::Mistaken(Mistakes {
            file: told,
            ..Mistakes::default()
        }));
    }
    if composition.files.is_empty() && composition.text.is_none() {
        return Err(Not::Mistaken(Mistakes {
            text: Some(w.nothing.to_owned()),
            ..Mistakes::default()
        }));
    }
    Ok(())
}

fn about(name: Option<&str>, text: &str) -> String {
    match name {
        Some(name) => format!("{name}: {text}"),
        None => text.to_owned(),
    }
}

fn in_order(composition: Composition, text_last: bool) -> Vec<Document> {
    let mut documents = composition.files;
    if let Some(text) = composition.text {
        let at = if text_last { documents.len() } else { 0 };
        documents.insert(at, text);
    }
    documents
}

/// The pages, made as they are made for sending.
async fn pages(
    site: &Site,
    documents: &[Document],
    asked: &Asked,
    w: &Words,
) -> Result<FaxFile, Not> {
    let trouble = |error: String| Not::Trouble(error);
    let turn = site.send.making.acquire().await;
    let _turn = turn.map_err(|error| trouble(error.to_string()))?;
    let rendered = site.send.renderer.pages(documents, &asked.options).await;
    rendered.map_err(|error| match error {
        RenderError::Document { name, reason } => {
            let text = about(name.as_deref(), why(&reason, w));
            match name {
                Some(_) => bad_file(text),
                None => Not::Mistaken(Mistakes {
                    text: Some(text),
                    ..Mistakes::default()
                }),
            }
        }
        RenderError::Worker(error) => trouble(error.to_string()),
    })
}

fn why(reason: &BadDocument, w: &Words) -> &'static str {
    match reason {
        BadDocument::Encrypted => w.bad_encrypted,
        BadDocument::FormNotDrawn => w.bad_form,
        BadDocument::Incomplete => w.bad_incomplete,
        BadDocument::NoPages => w.bad_empty,
        BadDocument::NotReadable => w.bad_unreadable,
        BadDocument::TooLarge => w.bad_large,
        BadDocument::TooManyPages { .. } => w.bad_pages,
        BadDocument::TooManyPixels { .. } => w.bad_pixels,
        BadDocument::Unsupported { .. } => w.bad_kind,
    }
}

async fn keep(
    site: &Site,
    visitor: &Visitor,
    asked: &Asked,
    documents: &[Document],
    fax: FaxFile,
) -> Result<i64, Not> {
    let (store, now) = (site.store(), site.now());
    let json = serde_json::to_string(asked).map_err(|error| Not::Trouble(error.to_string()))?;
    let row = DraftRow {
        id: store.ids().next(now),
        account: visitor.account.id.clone(),
        session: sessions::name_of(visitor.cookie.expose()),
        asked: json,
        pages: fax.pages,
        page_bytes: fax.tiff.len() as u64,
        batch: None,
        created_at: now,
    };
    let (id, packed) = (row.id, documents::pack(documents)?);
    match drafts::keep(store, row, packed, fax.tiff).await? {
        true => Ok(id),
        false => Err(Not::Trouble("there is no room for a draft".to_owned())),
    }
}

/// What came of the button.
pub(super) enum Sent {
    /// It is this batch, now or since it was pressed first.
    As(i64),
    /// There is no such draft.
    Gone,
    /// The list has other members than those that were seen.
    OtherList(Box<Draft>),
    /// It may not be sent.
    Refused(Box<Draft>, Refusal),
    /// Storage.
    Trouble,
}

/// Sends the draft `id` of the browser with this cookie, once. Runs as a task of its own: whoever hangs up
/// has pressed the button all the same.
pub(super) async fn send(
    site: Arc<Site>,
    account: Arc<Account>,
    cookie: Cookie,
    id: String,
    peer: IpAddr,
) -> Sent {
    let lane = id
        .bytes()
        .fold(0_usize, |sum, byte| sum + usize::from(byte))
        % LANES;
    let turn = match site.send.lanes.get(lane) {
        Some(lane) => Some(lane.lock().await),
        None => None,
    };
    let sent = once(&site, &account, &cookie, &id, peer).await;
    drop(turn);
    sent.unwrap_or_else(|error| {
        tracing::error!(%error, "a draft could not be sent");
        Sent::Trouble
    })
}

async fn once(
    site: &Arc<Site>,
    account: &Account,
    cookie: &Cookie,
    id: &str,
    peer: IpAddr,
) -> Result<Sent, StorageError> {
    let Some(draft) = found(site, account, cookie, id).await? else {
        return Ok(Sent::Gone);
    };
    if let Some(batch) = draft.row.batch {
        return Ok(Sent::As(batch));
    }
    let list = draft.asked.list.as_ref();
    if list.is_some_and(|list| !list.is_same(account)) {
        return Ok(Sent::OtherList(Box::new(draft)));
    }
    let id = draft.row.id;
    let (documents, tiff) = files(site, id).await?;
    let composed = Composed {
        draft: id,
        recipients: draft.asked.recipients(),
        documents,
        pages: FaxFile {
            tiff,
            pages: draft.row.pages,
        },
        options: draft.asked.options.clone(),
        reference: draft.asked.reference.clone(),
        result_to: draft.asked.result_to(),
        peer,
    };
    let visit = Visit {
        sessions: &site.sessions,
        cookie,
    };
    match site.send.intake.accept_composed(&visit, composed).await {
        Ok(batch) => {
            let store = site.store().clone();
            store.write(move |tx| drafts::sent(tx, id, batch)).await?;
            let removed = tokio::task::spawn_blocking(move || drafts::remove_files(&store, id));
            removed.await.map_err(|_| StorageError::Stopped)??;
            Ok(Sent::As(batch))
        }
        Err(refusal) => Ok(Sent::Refused(Box::new(draft), refusal)),
    }
}
