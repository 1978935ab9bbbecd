//! Writing an endpoint directory, whole or not at all.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{CA_PEM, CERT_PEM, KEY_PEM, OKVCLIENT_ORA, PASSWORD_TXT, SSL_DIR, okvclient};
use crate::address::ServerAddress;

/// What goes into an endpoint directory.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// The servers in the order in which they are to be tried.
    pub servers: &'a [ServerAddress],
    /// The authority's certificates in PEM form.
    pub ca_pem: &'a str,
    /// The endpoint's certificate in PEM form, then any intermediates.
    pub cert_pem: &'a str,
    /// The private key in PEM form. The caller wipes it.
    pub key_pem: &'a str,
    /// The private key's password, where `key_pem` is encrypted. The caller wipes it.
    pub password: Option<&'a str>,
}

/// What to do with a directory that holds an enrolment already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it as it is, and fail.
    Keep,
    /// Put the new one in its place in one step, and delete the old one.
    Replace,
}

/// Why an endpoint directory was not written. Nothing of it is left behind.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// The directory holds an enrolment.
    AlreadyEnrolled(PathBuf),
    /// The directory holds other files, which are not ours to remove.
    NotEmpty(PathBuf),
    /// The system refused; the path says at what.
    Io(PathBuf, io::Error),
}

/// Writes an endpoint directory with mode 0750 and its files with mode 0600.
///
/// It is written beside its place and moved there once it is on the disk, so a crash leaves either all of it or none.
///
/// # Errors
/// [`WriteError`]; whatever was at `dir` is then unchanged.
pub fn write(dir: &Path, contents: Contents<'_>, existing: Existing) -> Result<(), WriteError> {
    let occupied = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(WriteError::Io(dir.into(), error)),
    };
    if occupied && !is_enrolled(dir) {
        return Err(WriteError::NotEmpty(dir.into()));
    }
    if occupied && existing == Existing::Keep {
        return Err(WriteError::AlreadyEnrolled(dir.into()));
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(at(parent))?;
    let beside = Beside::create(dir, parent)?;
    fill(&beside.path, contents)?;
    if occupied {
        // In one step, so that a database that starts meanwhile finds one enrolment or the other.
        renameat_with(CWD, &beside.path, CWD, dir, RenameFlags::EXCHANGE)
            .map_err(|errno| WriteError::Io(dir.into(), errno.into()))?;
    } else {
        // Fails when somebody filled the directory since it was looked at.
        fs::rename(&beside.path, dir).map_err(at(dir))?;
    }
    sync(parent)
}

/// Whether `dir` holds an enrolment, whole or in part.
#[must_use]
pub fn is_enrolled(dir: &Path) -> bool {
    dir.join(OKVCLIENT_ORA).exists() || dir.join(SSL_DIR).join(KEY_PEM).exists()
}

fn fill(dir: &Path, contents: Contents<'_>) -> Result<(), WriteError> {
    let ssl = dir.join(SSL_DIR);
    make_directory(&ssl)?;
    write_file(&ssl.join(CA_PEM), contents.ca_pem.as_bytes())?;
    write_file(&ssl.join(CERT_PEM), contents.cert_pem.as_bytes())?;
    write_file(&ssl.join(KEY_PEM), contents.key_pem.as_bytes())?;
    if let Some(password) = contents.password {
        write_file(&ssl.join(PASSWORD_TXT), password.as_bytes())?;
    }
    write_file(&dir.join(OKVCLIENT_ORA), okvclient::render(contents.servers).as_bytes())?;
    sync(&ssl)?;
    sync(dir)
}

/// The new directory beside the place it is meant for; deleted again unless it was moved there.
struct Beside {
    path: PathBuf,
}

impl Beside {
    fn create(dir: &Path, parent: &Path) -> Result<Self, WriteError> {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let path = parent.join(format!(".{name}.new-{}", std::process::id()));
        // Left by a process of the same number that was killed.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(WriteError::Io(path, error)),
            _ => {}
        }
        make_directory(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // After a plain move nothing is there any more; after an exchange it is the old enrolment.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn make_directory(path: &Path) -> Result<(), WriteError> {
    DirBuilder::new().mode(0o750).create(path).map_err(at(path))?;
    // The process's umask may have taken bits away.
    fs::set_permissions(path, fs::Permissions::from_mode(0o750)).map_err(at(path))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(at(path))
}

fn sync(dir: &Path) -> Result<(), WriteError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |error| WriteError::Io(path, error)
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyEnrolled(path) => write!(
                f,
                "{}: this directory holds an enrolment; name another one, or move this one away",
                path.display()
            ),
            Self::NotEmpty(path) => {
                write!(f, "{}: this directory holds other files; name an empty or a new one", path.display())
            }
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            _ => None,
        }
    }
}
