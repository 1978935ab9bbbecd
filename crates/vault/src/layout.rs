//! The vault's directory: what lies where, and how it comes into being. See `docs/formats/vault-dir.md`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::barrier::{VaultId, random};
use crate::root_key::Slot;
use crate::store::RecordId;

/// The format of `vault.json`, and with it of the directory.
const FORMAT: u32 = 1;

/// Where the parts of a vault lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The vault in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The directory itself, mode 0700.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Format, vault id and slots.
    pub fn metadata(&self) -> PathBuf {
        self.dir.join("vault.json")
    }

    /// Held by the process that serves the vault.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// The records.
    pub fn store(&self) -> PathBuf {
        self.dir.join("store.sqlite")
    }

    /// The certificate authority's certificate.
    pub fn authority_certificate(&self) -> PathBuf {
        self.dir.join("tls/ca.pem")
    }

    /// The server's certificate, followed by the authority's.
    pub fn server_certificate(&self) -> PathBuf {
        self.dir.join("tls/server.pem")
    }

    /// The server's private key, mode 0600. It is not sealed, because a sealed vault must answer health.
    pub fn server_key(&self) -> PathBuf {
        self.dir.join("tls/server.key")
    }

    /// The private key of the next server certificate, while that is being put in place.
    pub fn next_server_key(&self) -> PathBuf {
        self.dir.join("tls/server.key.next")
    }

    /// The audit journal.
    pub fn journal(&self) -> PathBuf {
        self.dir.join("audit/journal.jsonl")
    }

    /// The socket for administrative commands, mode 0600.
    pub fn control_socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    /// The configuration file that is read when no other is named; it need not exist.
    pub fn configuration(&self) -> PathBuf {
        self.dir.join("vault.toml")
    }

    /// Takes the vault for this process.
    ///
    /// # Errors
    /// [`Error::InUse`] when another process has it.
    pub fn take(&self) -> Result<VaultLock, Error> {
        let path = self.lock();
        let failed = |source| Error::File { doing: "locking", path: path.clone(), source };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(VaultLock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(Error::InUse { dir: self.dir.clone() }),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

/// The right to use a vault's files; given back when it is dropped, or the process ends however it ends.
#[derive(Debug)]
pub struct VaultLock {
    _file: File,
}

/// The content of `vault.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    format: u32,
    vault: String,
    /// When the vault was made, RFC 3339.
    pub created: jiff::Timestamp,
    /// The ways to recover the root key.
    pub slots: Vec<Slot>,
}

impl Metadata {
    /// Of a new vault.
    pub fn new(vault: VaultId, created: jiff::Timestamp, slots: Vec<Slot>) -> Self {
        Self { format: FORMAT, vault: vault.0.to_string(), created, slots }
    }

    /// Reads `vault.json`.
    ///
    /// # Errors
    /// [`Error::NotAVault`], [`Error::NewerFormat`], [`Error::Metadata`], [`Error::File`].
    pub fn read(layout: &Layout) -> Result<(Self, VaultId), Error> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let path = layout.metadata();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NotAVault { dir: layout.dir.clone() });
            }
            Err(source) => return Err(Error::File { doing: "reading", path, source }),
        };
        let malformed =
            |error: serde_json::Error| Error::Metadata { path: path.clone(), detail: error.to_string() };
        let Format { format } = serde_json::from_slice(&text).map_err(malformed)?;
        if format > FORMAT {
            return Err(Error::NewerFormat { path, found: format, known: FORMAT });
        }
        let metadata: Self = serde_json::from_slice(&text).map_err(malformed)?;
        let Ok(id) = metadata.vault.parse::<RecordId>() else {
            return Err(Error::Metadata { path, detail: "its vault id is not a UUID".to_owned() });
        };
        Ok((metadata, VaultId(id)))
    }

    fn write(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::Metadata { path: path.to_owned(), detail: error.to_string() })?;
        write_file(path, 0o600, &text)
    }
}

/// A vault's directory while it is being made: a sibling with another name, so that a half-made vault is never taken for
/// a vault. Removed again unless it is published.
pub struct NewDirectory {
    target: PathBuf,
    /// The parts, under their temporary names.
    pub layout: Layout,
    published: bool,
}

impl NewDirectory {
    /// Begins a vault that will be in `dir`, which must not exist or must be an empty directory.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::File`].
    pub fn begin(dir: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { doing: "creating", path: dir.to_owned(), source };
        match fs::read_dir(dir) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(Error::Exists { dir: dir.to_owned() });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed(source)),
        }
        let name = dir.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let mut salt = [0; 4];
        random(&mut salt);
        let temporary = format!(".{}.new-{:08x}", name.to_string_lossy(), u32::from_be_bytes(salt));
        let parent = parent_of(dir);
        fs::create_dir_all(parent).map_err(failed)?;
        let temporary = parent.join(temporary);
        let private = |path: &Path| fs::DirBuilder::new().mode(0o700).create(path);
        private(&temporary).map_err(failed)?;
        let begun = Self { target: dir.to_owned(), layout: Layout::new(&temporary), published: false };
        private(&temporary.join("tls")).and_then(|()| private(&temporary.join("audit"))).map_err(failed)?;
        Ok(begun)
    }

    /// Where a path inside the future directory is for now; a path outside stays what it is.
    pub fn for_now(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.target)
            .map_or_else(|_| path.to_owned(), |inside| self.layout.dir.join(inside))
    }

    /// Writes the metadata, makes everything durable, and gives the directory its name.
    ///
    /// # Errors
    /// [`Error::Exists`] when somebody else made the directory meanwhile; [`Error::File`].
    pub fn publish(mut self, metadata: &Metadata) -> Result<(), Error> {
        metadata.write(&self.layout.metadata())?;
        let temporary = self.layout.dir.clone();
        let sync = |path: &Path| File::open(path).and_then(|dir| dir.sync_all());
        let failed = |source| Error::File { doing: "creating", path: self.target.clone(), source };
        for inside in ["tls", "audit", "."] {
            sync(&temporary.join(inside)).map_err(failed)?;
        }
        match fs::rename(&temporary, &self.target) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
                ) =>
            {
                return Err(Error::Exists { dir: self.target.clone() });
            }
            Err(source) => return Err(failed(source)),
        }
        sync(parent_of(&self.target)).map_err(failed)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_dir_all(&self.layout.dir);
        }
    }
}

/// Writes a new file of the vault, durably.
pub(crate) fn write_file(path: &Path, mode: u32, content: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::File { doing: "writing", path: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)
}

/// Replaces a file of the vault in one step: what is there is the old one or the new one, whole.
pub(crate) fn replace_file(path: &Path, mode: u32, content: &[u8]) -> Result<(), Error> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let failed = |source| Error::File { doing: "replacing", path: path.to_owned(), source };
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    write_file(&temporary, mode, content)?;
    rename_file(&temporary, path)
}

/// Gives a file of the vault another's name, durably; that one is gone then.
pub(crate) fn rename_file(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to)
        .and_then(|()| File::open(parent_of(to)))
        .and_then(|parent| parent.sync_all())
        .map_err(|source| Error::File { doing: "replacing", path: to.to_owned(), source })
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
