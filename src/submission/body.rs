//! Which parts are the mail's text, which are documents, and where the password is taken from.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::charset;
use super::copies::Copies;
use super::document;
use super::html;
use super::mime::Leaf;
use super::mime::Node;
use super::password::CELL;
use super::password::Finder;
use super::text;
use crate::fax::Document;
use crate::refusal::Malformed;
use crate::secret::Secret;

/// What is kept of a message's body, and the passwords that are not.
pub(super) struct Content {
    /// The scrubbed text of all parts that a mail program shows; empty if there is none.
    pub(super) text: String,
    /// Attachments in order.
    pub(super) documents: Vec<Document>,
    /// The passwords in the outermost body.
    pub(super) passwords: Vec<Secret>,
    /// Finds them elsewhere.
    pub(super) copies: Copies,
}

/// Takes `root` apart.
///
/// # Errors
/// [`Malformed::Charset`] if text that is kept is in a charset that we refuse.
pub(super) fn content(root: Node, finder: &Finder) -> Result<Content, Malformed> {
    let mut reader = Reader {
        finder,
        searched: false,
        texts: Vec::new(),
        documents: Vec::new(),
        passwords: Vec::new(),
    };
    reader.node(
        root,
        Place {
            nested: false,
            shown: true,
        },
    )?;
    Ok(reader.finish())
}

/// Where a node stands.
#[derive(Clone, Copy)]
struct Place {
    /// Within a forwarded message: its text is shown, but it holds nobody's password.
    nested: bool,
    /// Not in an alternative that was not chosen: such text is thrown away, its documents are not.
    shown: bool,
}

struct Reader<'a> {
    finder: &'a Finder,
    searched: bool,
    texts: Vec<Shown>,
    documents: Vec<document::Raw>,
    passwords: Vec<Secret>,
}

/// A text of the mail, its passwords still in it: only at the end is it known what they are.
struct Shown {
    text: Zeroizing<String>,
    /// Whether there is a password line in it.
    told: bool,
}

impl Reader<'_> {
    fn node(&mut self, node: Node, place: Place) -> Result<(), Malformed> {
        match node {
            Node::Leaf(leaf) if leaf.is_body() => self.text(&leaf, place),
            Node::Leaf(leaf) => self.document(leaf, place),
            Node::Attached(name) => {
                let number = self.documents.len() + 1;
                let document = document::attached_message(name, number, self.finder);
                self.documents.push(document);
                Ok(())
            }
            Node::Forwarded(content) => {
                let nested = true;
                self.node(*content, Place { nested, ..place })
            }
            Node::Multipart { subtype, children } => match subtype.as_str() {
                "alternative" => self.alternative(children, place),
                "related" => self.related(children, place),
                _ => children
                    .into_iter()
                    .try_for_each(|child| self.node(child, place)),
            },
        }
    }

    /// Plain text before HTML (RFC 2046 section 5.1.4 lists the plainest first).
    fn alternative(&mut self, children: Vec<Node>, place: Place) -> Result<(), Malformed> {
        let best = children.iter().map(rank).max().unwrap_or_default();
        let mut chosen = false;
        for child in children {
            let shown = place.shown && !chosen && rank(&child) == best;
            chosen |= shown;
            self.node(child, Place { shown, ..place })?;
        }
        Ok(())
    }

    /// The first part and its resources (RFC 2387): what the HTML shows by its Content-ID is no document.
    fn related(&mut self, children: Vec<Node>, place: Place) -> Result<(), Malformed> {
        let mut children = children.into_iter();
        let Some(root) = children.next() else {
            return Ok(());
        };
        let mut pages = Zeroizing::new(Vec::new());
        collect_html(&root, &mut pages);
        self.node(root, place)?;
        for child in children {
            let resource = matches!(&child, Node::Leaf(leaf) if is_shown_in(leaf, &pages));
            if !resource {
                self.node(child, place)?;
            }
        }
        Ok(())
    }

    fn text(&mut self, leaf: &Leaf, place: Place) -> Result<(), Malformed> {
        if !place.shown {
            return Ok(());
        }
        let label = leaf.charset.as_deref();
        let mut shown = shown(charset::text(&leaf.bytes, label)?, leaf);
        let mut told = self.finder.occurs_in(&shown);
        // Where the charset is a guess, a password line is what tells a right one from a wrong one.
        if !told {
            let others = charset::other_readings(&leaf.bytes, label);
            let mut others = others.map(|other| self::shown(other, leaf));
            if let Some(other) = others.find(|other| self.finder.occurs_in(other)) {
                (shown, told) = (other, true);
            }
        }
        // A part without any text, such as Apple Mail puts before an attachment, is no body.
        if !place.nested && !self.searched && !is_blank(&shown) {
            self.searched = true;
            self.passwords = self.finder.search(&shown);
        }
        self.texts.push(Shown { text: shown, told });
        Ok(())
    }

    fn document(&mut self, leaf: Leaf, place: Place) -> Result<(), Malformed> {
        let kind = leaf.media_type.as_str();
        let signature = kind.ends_with("pkcs7-signature") || kind == "application/pgp-signature";
        // An alternative form of the text, such as text/calendar or text/enriched.
        let alternative = !place.shown && !leaf.attached && kind.starts_with("text/");
        if signature || alternative {
            return Ok(());
        }
        let number = self.documents.len() + 1;
        let document = document::from_leaf(leaf, number, self.finder)?;
        self.documents.push(document);
        Ok(())
    }

    fn finish(self) -> Content {
        let copies = self.finder.copies_of(&self.passwords);
        let mut text = String::new();
        for shown in &self.texts {
            shown.scrub_into(&mut text, &copies, self.finder);
        }
        let documents = self.documents.into_iter();
        Content {
            text,
            documents: documents
                .map(|raw| raw.scrubbed(&copies, self.finder))
                .collect(),
            passwords: self.passwords,
            copies,
        }
    }
}

impl Shown {
    /// Copies go first: one that a mail program broke over two lines is then whole, and goes with its line.
    fn scrub_into(&self, all: &mut String, copies: &Copies, finder: &Finder) {
        let struck = copies.strike(&self.text);
        // Long texts without a password line and without cells are not taken apart a second time.
        let scrubbed = match self.told || struck.contains(CELL) {
            true => Cow::Owned(finder.scrub(&struck)),
            false => struck,
        };
        let kept = scrubbed.trim_start_matches('\n').trim_end();
        if !is_blank(kept) {
            if !all.is_empty() {
                all.push_str("\n\n");
            }
            all.push_str(kept);
        }
    }
}

/// The text that is seen of `leaf`, whose bytes read `decoded`.
fn shown(decoded: String, leaf: &Leaf) -> Zeroizing<String> {
    let decoded = Zeroizing::new(decoded);
    let mut clean = Zeroizing::new(text::cleaned(&decoded));
    Zeroizing::new(match (leaf.media_type.as_str(), leaf.flowed) {
        ("text/html", _) => html::to_text(&clean),
        (_, Some(delete_space)) => text::unflowed(&clean, delete_space),
        (_, None) => std::mem::take(&mut *clean),
    })
}

/// How good an alternative is: 2 plain text, 1 HTML, 0 no text.
fn rank(node: &Node) -> u8 {
    match node {
        Node::Leaf(leaf) if leaf.is_body() => {
            let blank = leaf.bytes.trim_ascii().is_empty();
            match leaf.media_type.as_str() {
                _ if blank => 0,
                "text/plain" => 2,
                _ => 1,
            }
        }
        Node::Leaf(_) | Node::Forwarded(_) | Node::Attached(_) => 0,
        Node::Multipart { subtype, children } => {
            let mut ranks = children.iter().map(rank);
            match subtype.as_str() {
                "alternative" => ranks.max().unwrap_or_default(),
                _ => ranks.find(|rank| *rank > 0).unwrap_or_default(),
            }
        }
    }
}

/// Appends the HTML in `node`, in lower case.
fn collect_html(node: &Node, pages: &mut Vec<u8>) {
    match node {
        Node::Leaf(leaf) if leaf.media_type == "text/html" => {
            pages.extend(leaf.bytes.iter().map(u8::to_ascii_lowercase));
        }
        Node::Leaf(_) | Node::Forwarded(_) | Node::Attached(_) => {}
        Node::Multipart { children, .. } => {
            for child in children {
                collect_html(child, pages);
            }
        }
    }
}

/// Whether the HTML in `pages` refers to `leaf` by its Content-ID (RFC 2392), and it is no attachment.
fn is_shown_in(leaf: &Leaf, pages: &[u8]) -> bool {
    let Some(id) = leaf.content_id.as_ref().filter(|_| !leaf.attached) else {
        return false;
    };
    let url = format!("cid:{id}").to_ascii_lowercase();
    memchr::memmem::find(pages, url.as_bytes()).is_some()
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}
