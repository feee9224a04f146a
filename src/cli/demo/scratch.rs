//! The folder in which the sample gateway lives: made for one run, gone with it.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::path::PathBuf;

use crate::account::credential;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::secret::Secret;

/// The password of the sample account `tanaka`. It is no secret: nothing but this demonstration has it.
pub(super) const PASSWORD: &str = "kaki8sample";

/// A folder that is removed when this is dropped.
pub(super) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// A new private folder for temporary files of this machine.
    pub(super) fn create() -> Result<Self, Failure> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)
            .map_err(|error| Failure::new(Exit::Software, format!("no randomness: {error}")))?;
        let name = format!("faxgate-demo-{:016x}", u64::from_ne_bytes(random));
        let folder = std::env::temp_dir().join(name);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| {
            Failure::new(Exit::Unavailable, format!("{}: {error}", folder.display()))
        })?;
        Ok(Self { folder })
    }

    /// The main configuration file.
    pub(super) fn config_file(&self) -> PathBuf {
        self.folder.join("faxgate.toml")
    }

    /// Where the gateway keeps everything.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the fax line ends.
    pub(super) fn line(&self) -> PathBuf {
        self.folder.join("line")
    }

    /// Writes `faxgate.toml` and `accounts.toml`; our mails go to `smarthost`.
    pub(super) fn write_configuration(&self, smarthost: SocketAddr) -> Result<(), Failure> {
        let data_dir = quoted(&self.folder.join("var"));
        let line = quoted(&self.line());
        let main = include_str!("scratch/faxgate.toml")
            .replace("@DATA_DIR@", &data_dir)
            .replace("@LINE@", &line)
            .replace("@SMARTHOST@", &smarthost.to_string());
        std::fs::write(self.config_file(), main)?;
        let hash = credential::hash(&Secret::new(PASSWORD.to_owned()))
            .map_err(|error| Failure::new(Exit::Software, error))?;
        let accounts = include_str!("scratch/accounts.toml").replace("@HASH@", &hash);
        Ok(std::fs::write(self.folder.join("accounts.toml"), accounts)?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::error!(%error, folder = %self.folder.display(), "the scratch folder is left behind");
        }
    }
}

/// A path as a TOML string.
fn quoted(path: &Path) -> String {
    toml::Value::String(path.display().to_string()).to_string()
}
