//! All accounts: one file or a folder of them, checked against each other.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeTable;

use super::Config;
use super::account::Account;
use super::account::Written;
use super::beside;
use super::claims::Claims;
use super::claims::Kind;
use super::mistake::Mistakes;
use super::phc;
use super::profile;
use super::profile::Profiles;
use super::salvage;
use super::section;
use super::section::Section;
use super::source::NamedBy;
use super::source::Place;
use super::source::Source;

/// All accounts and profiles in force: one consistent, checked snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accounts {
    /// In the order of the files.
    pub accounts: Vec<Arc<Account>>,
}

/// Accounts and what was noticed while reading them.
#[derive(Clone, Debug, Default)]
pub struct LoadedAccounts {
    /// The accounts.
    pub accounts: Accounts,
    /// Every file that was read for them: account files, list files, own profiles. A change of one of
    /// them, or of a folder they are in, is a reason to load again.
    pub files: Vec<PathBuf>,
    /// What is no mistake but unwise, one sentence each, with the file.
    pub warnings: Vec<String>,
}

impl Accounts {
    /// Reads the accounts that `config` names; `config_file` is where `config` was read from.
    ///
    /// # Errors
    /// All mistakes in the profiles, the accounts and their list files.
    pub fn load(config_file: &Path, config: &Config) -> Result<Self, Mistakes> {
        LoadedAccounts::load(config_file, config).map(|loaded| loaded.accounts)
    }

    /// The file or folder that `config`, read from `config_file`, names.
    pub fn path(config_file: &Path, config: &Config) -> PathBuf {
        beside(config_file, &config.gateway.accounts)
    }
}

impl LoadedAccounts {
    /// Like [`Accounts::load`], with the files that were read and the warnings.
    ///
    /// # Errors
    /// All mistakes in the profiles, the accounts and their list files.
    pub fn load(config_file: &Path, config: &Config) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let loaded = read(config_file, config, &mut mistakes);
        mistakes.none_or(loaded)
    }
}

/// What an account is read against.
pub(super) struct Context<'c> {
    /// The main file.
    pub(super) config: &'c Config,
    /// All profiles.
    pub(super) profiles: Profiles,
    /// Files read so far.
    pub(super) files: Vec<PathBuf>,
    claims: Claims,
    /// The file that is being read; its accounts share the name.
    file: Arc<Path>,
    /// Accounts begun so far, over all files.
    begun: usize,
}

impl<'c> Context<'c> {
    fn new(config: &'c Config, profiles: Profiles, files: Vec<PathBuf>) -> Self {
        Self {
            config,
            profiles,
            files,
            claims: Claims::default(),
            file: Arc::from(Path::new("")),
            begun: 0,
        }
    }

    /// For an account that is read alone, whatever belongs to others; mistakes are not told.
    pub(super) fn alone(config_file: &Path, config: &'c Config) -> Self {
        let folder = config.gateway.profiles.as_deref();
        let (named_by, untold) = (NamedBy::default(), &mut Mistakes::default());
        let (profiles, files) = profile::all(config_file, folder, &named_by, untold);
        Self::new(config, profiles, files)
    }

    /// Where the account in `section` is written.
    pub(super) fn written(&mut self, section: &Section<'_, '_>) -> Written {
        if *self.file != *section.file() {
            self.file = Arc::from(section.file());
        }
        Written {
            file: Arc::clone(&self.file),
            line: section.line(),
        }
    }

    /// Notes that the account being read has `what`, written at `at`; false if another one has it.
    pub(super) fn claim(
        &mut self,
        section: &mut Section<'_, '_>,
        what: (Kind, String),
        at: (String, Place),
    ) -> bool {
        self.claims.claim(section, self.begun, what, at)
    }
}

/// Reads profiles and accounts; mistakes are collected, and an account with one is left out.
pub(super) fn read(config_file: &Path, config: &Config, mistakes: &mut Mistakes) -> LoadedAccounts {
    // Read again for the places of two keys only: `config` may have been read long ago.
    let main = Source::read(config_file, &NamedBy::default(), &mut Mistakes::default());
    let naming = config.gateway.naming(main.as_ref());
    let folder = config.gateway.profiles.as_deref();
    let (profiles, files) = profile::all(config_file, folder, &naming.profiles, mistakes);
    let mut context = Context::new(config, profiles, files);
    let mut loaded = LoadedAccounts::default();
    let path = Accounts::path(config_file, config);
    let (paths, named_by) = if path.is_dir() {
        let paths = toml_files(&path, &naming.accounts, mistakes);
        (paths, NamedBy::key("gateway.accounts"))
    } else {
        (vec![path], naming.accounts)
    };
    for path in paths {
        if let Some(source) = Source::read(&path, &named_by, mistakes) {
            loaded.warnings.extend(readable_by_all(&source));
            let accounts = read_file(&source, &mut context, mistakes);
            loaded.warnings.extend(weak_hashes(&source, &accounts));
            loaded.accounts.accounts.extend(accounts);
        }
        context.files.push(path);
    }
    loaded.files = context.files;
    loaded
}

fn read_file(
    source: &Source,
    context: &mut Context<'_>,
    mistakes: &mut Mistakes,
) -> Vec<Arc<Account>> {
    if let Some(tree) = source.tree(mistakes) {
        return read_accounts(source, &tree, context, mistakes);
    }
    // Commands need the accounts that the error is not in. What else is wrong is told when it is mended.
    let sound = Source::new(&source.path, salvage::sound_parts(&source.text));
    let mut untold = Mistakes::default();
    match sound.tree(&mut untold) {
        Some(tree) => read_accounts(&sound, &tree, context, &mut untold),
        None => Vec::new(),
    }
}

/// The accounts in `tree` without a mistake of their own.
fn read_accounts(
    source: &Source,
    tree: &DeTable<'_>,
    context: &mut Context<'_>,
    mistakes: &mut Mistakes,
) -> Vec<Arc<Account>> {
    let read = section::read_tree(source, tree, mistakes, |root| {
        root.sound_tables("account", |section| {
            context.begun += 1;
            Account::read(section, context)
        })
    });
    read.into_iter().flatten().map(Arc::new).collect()
}

/// The `*.toml` files of a folder in the order of their names; others, such as lists, are left alone.
pub(super) fn toml_files(
    folder: &Path,
    named_by: &NamedBy,
    mistakes: &mut Mistakes,
) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        let problem = "this folder cannot be read";
        mistakes.push(named_by.mistake(folder, problem, "a folder of TOML files"));
        return Vec::new();
    };
    let hidden = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().starts_with('.')
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let is_toml = |path: &PathBuf| path.extension().is_some_and(|e| e == "toml") && !hidden(path);
    let mut paths: Vec<PathBuf> = paths.filter(is_toml).collect();
    paths.sort();
    paths
}

/// A warning if everybody on this machine may read the hashes in `source`.
fn readable_by_all(source: &Source) -> Option<String> {
    let mode = std::fs::metadata(&source.path).ok()?.permissions().mode();
    let open = mode & 0o004 != 0 && source.text.contains("$argon2");
    open.then(|| {
        let file = source.path.display();
        format!("{file}: everybody on this machine may read these password hashes: chmod o-r")
    })
}

/// A warning for each account whose hash is weaker than those that are made today. After the next right
/// password a stronger one is used (decision 0011), but the weak one stays in the administrator's file.
fn weak_hashes(source: &Source, accounts: &[Arc<Account>]) -> Vec<String> {
    let weak = |account: &&Arc<Account>| account.passwords.values().any(|hash| phc::is_weak(hash));
    let file = source.path.display();
    let warning = |account: &Arc<Account>| {
        let id = &account.id;
        format!(
            "{file}: account `{id}`: this password hash is weaker than today's: make it anew by faxgate hash-password"
        )
    };
    accounts.iter().filter(weak).map(warning).collect()
}

/// Reads arbitrary text as an accounts file; list files are not opened.
pub(super) fn fuzz(source: &Source, config: &Config, mistakes: &mut Mistakes) {
    if source.text.contains("file") {
        return;
    }
    let profiles = profile::all(&source.path, None, &NamedBy::default(), mistakes).0;
    let mut context = Context::new(config, profiles, Vec::new());
    read_file(source, &mut context, mistakes);
}
