//! Large content as files: written whole and synced with their folder before a row names them.
//!
//! A file is named by the row that owns it, so removing it needs no reference count. Measured: a file
//! for each, synced with its folder, over 256 folders beats every cleverer form.

use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

use crate::storage::StorageError;

/// A folder of files that are complete when a row names them.
pub struct Blobs {
    root: PathBuf,
}

impl Blobs {
    /// Opens the folder, creating it and its 256 folders.
    pub(crate) fn open(root: &Path) -> Result<Self, StorageError> {
        for bucket in 0..=255_u8 {
            create_private_dir(&root.join(format!("{bucket:02x}")))?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Writes `bytes` under `name` (`<row id>-<what>`); durable when this returns. Blocks.
    ///
    /// Written under its own name at once: nobody looks for it before its row says that it is there, so
    /// half a file after a crash is a file without a row.
    ///
    /// # Errors
    /// [`StorageError::File`]; then nothing may rely on such a file.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let path = self.path(name);
        let failed = |source| StorageError::File {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&path).map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        sync_folder_of(&path).map_err(failed)
    }

    /// The bytes under `name`. Blocks.
    ///
    /// # Errors
    /// [`StorageError::File`], also when there is no such file.
    pub fn get(&self, name: &str) -> Result<Vec<u8>, StorageError> {
        let path = self.path(name);
        std::fs::read(&path).map_err(|source| StorageError::File { path, source })
    }

    /// Removes `name`; it is no error if it is gone already.
    ///
    /// # Errors
    /// [`StorageError::File`].
    pub fn remove(&self, name: &str) -> Result<(), StorageError> {
        let path = self.path(name);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StorageError::File { path, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        let hash = blake3::hash(name.as_bytes());
        let bucket = hash.as_bytes().first().copied().unwrap_or_default();
        self.root.join(format!("{bucket:02x}")).join(name)
    }
}

/// Makes `path` and what leads to it, readable by the owner only.
///
/// # Errors
/// [`StorageError::File`].
pub fn create_private_dir(path: &Path) -> Result<(), StorageError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| StorageError::File {
        path: path.to_owned(),
        source,
    })
}

/// Makes the name of `path` in its folder durable.
///
/// # Errors
/// What the system says.
pub fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_until_removed() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        blobs.put("17-pages", b"one").unwrap();
        blobs.put("17-pages", b"two").unwrap();
        assert_eq!(blobs.get("17-pages").unwrap(), b"two");
        blobs.remove("17-pages").unwrap();
        blobs.remove("17-pages").unwrap();
        assert!(blobs.get("17-pages").is_err());
    }

    #[test]
    fn files_are_readable_by_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&dir.path().join("b")).unwrap();
        blobs.put("1-x", b"x").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&blobs.path("1-x")), 0o600);
        assert_eq!(mode(&dir.path().join("b")), 0o700);
    }
}
