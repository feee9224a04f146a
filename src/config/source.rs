//! A configuration file's text and the places in it.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use super::mistake::Mistake;
use super::mistake::Mistakes;
use super::section;
use super::section::Section;

/// Larger files are no configuration: 100,000 accounts with all keys are below this.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// A text and where it came from.
pub(super) struct Source {
    /// The file as it was named.
    pub(super) path: PathBuf,
    /// Its text, without a byte order mark.
    pub(super) text: String,
    /// Byte offset at which each line begins.
    lines: Vec<usize>,
}

/// A place in a file. The default is the file as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Line, from 1.
    pub(super) line: usize,
    /// Column in characters, from 1.
    pub(super) column: usize,
}

/// What names a file. The default is the command line, which names the main file.
#[derive(Clone, Debug, Default)]
pub(super) struct NamedBy {
    /// The key; empty if it is none.
    key: String,
    /// The file in which the key is written, and where; `None` if the key is left at its default.
    written: Option<(PathBuf, Place)>,
}

impl NamedBy {
    /// A key that is left at its default, or that names more than this file.
    pub(super) fn key(key: &str) -> Self {
        Self {
            key: key.to_owned(),
            written: None,
        }
    }

    /// A key with its value at `place` in `file`.
    pub(super) fn written(key: String, file: &Path, place: Place) -> Self {
        Self {
            key,
            written: Some((file.to_owned(), place)),
        }
    }

    /// That `path` cannot be used: told where it is named, or else as a mistake of that file.
    pub(super) fn mistake(&self, path: &Path, problem: &str, accepted: &str) -> Mistake {
        let (file, place, problem) = match &self.written {
            Some((file, place)) => {
                let problem = format!("{problem} ({})", path.display());
                (file.as_path(), *place, problem)
            }
            None => (path, Place::default(), problem.to_owned()),
        };
        Mistake {
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            key: self.key.clone(),
            problem,
            accepted: accepted.to_owned(),
        }
    }
}

impl Source {
    /// `text` as if it stood in `path`.
    pub(super) fn new(path: &Path, text: String) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self {
            path: path.to_owned(),
            text,
            lines,
        }
    }

    /// The file at `path`; what hinders is added to `mistakes`.
    pub(super) fn read(path: &Path, named_by: &NamedBy, mistakes: &mut Mistakes) -> Option<Self> {
        let bytes = read_bytes(path, named_by, "a TOML file in UTF-8", mistakes)?;
        Self::from_bytes(path, &bytes, mistakes)
    }

    /// The text in `bytes`, a byte order mark removed.
    pub(super) fn from_bytes(path: &Path, bytes: &[u8], mistakes: &mut Mistakes) -> Option<Self> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Some(Self::new(path, text.to_owned())),
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let before = Self::new(path, String::from_utf8_lossy(valid).into_owned());
                let place = before.place(before.text.len());
                mistakes.push(Mistake {
                    file: path.to_owned(),
                    line: place.line,
                    column: place.column,
                    key: String::new(),
                    problem: "this is not UTF-8".into(),
                    accepted: "a TOML file in UTF-8".into(),
                });
                None
            }
        }
    }

    /// The tree in the text; a syntax error is added to `mistakes`.
    pub(super) fn tree(&self, mistakes: &mut Mistakes) -> Option<toml::de::DeTable<'_>> {
        match toml::de::DeTable::parse(&self.text) {
            Ok(tree) => Some(tree.into_inner()),
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                let place = self.place(at);
                mistakes.push(Mistake {
                    file: self.path.clone(),
                    line: place.line,
                    column: place.column,
                    key: String::new(),
                    problem: format!("no valid TOML: {}", one_line(error.message())),
                    accepted: String::new(),
                });
                None
            }
        }
    }

    /// What `read` makes of the tables that can be told in spite of syntax errors; nothing is reported.
    pub(super) fn guess<T>(&self, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
        let (tree, _) = toml::de::DeTable::parse_recoverable(&self.text);
        section::read_tree(self, tree.get_ref(), &mut Mistakes::default(), read)
    }

    /// Line and column of a byte offset.
    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self
            .lines
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        Place {
            line,
            column: before.chars().count() + 1,
        }
    }

    /// Where a span of the tree begins.
    pub(super) fn start(&self, span: &Range<usize>) -> Place {
        self.place(span.start)
    }
}

/// The content of the file at `path`; what hinders is added to `mistakes`.
pub(super) fn read_bytes(
    path: &Path,
    named_by: &NamedBy,
    accepted: &str,
    mistakes: &mut Mistakes,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::fs::metadata(path).and_then(|meta| {
        if meta.is_dir() {
            return Err(std::io::Error::from(std::io::ErrorKind::IsADirectory));
        }
        let file = std::fs::File::open(path)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    });
    let problem = match read {
        Ok(_) if bytes.len() as u64 <= MAX_BYTES => return Some(bytes),
        Ok(_) => "this file is larger than 256 MiB".to_owned(),
        Err(error) => why_unreadable(&error),
    };
    mistakes.push(named_by.mistake(path, &problem, accepted));
    None
}

/// The same words on every system and in every language.
pub(super) fn why_unreadable(error: &std::io::Error) -> String {
    let kind = error.kind();
    if kind == std::io::ErrorKind::NotFound {
        "there is no such file".into()
    } else if kind == std::io::ErrorKind::IsADirectory {
        "this is a folder".into()
    } else if kind == std::io::ErrorKind::PermissionDenied {
        "the gateway may not read this file".into()
    } else if kind == std::io::ErrorKind::InvalidInput {
        "this is no file, or one too large".into()
    } else {
        format!("this file cannot be read ({kind})")
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_characters_not_bytes() {
        let source = Source::new(Path::new("x"), "a = 1\r\nb = \"電話\" # x\n".into());
        let at = source.text.find('#').unwrap();
        assert_eq!(
            source.place(at),
            Place {
                line: 2,
                column: 10
            }
        );
        assert_eq!(source.place(0), Place { line: 1, column: 1 });
        assert_eq!(source.place(usize::MAX).line, 3);
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        let mut mistakes = Mistakes::default();
        let source = Source::from_bytes(Path::new("x"), b"\xef\xbb\xbfa = 1", &mut mistakes);
        assert_eq!(source.map(|s| s.text).as_deref(), Some("a = 1"));
        assert!(mistakes.is_empty());
    }
}
