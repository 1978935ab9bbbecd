//! Changing a key file: a new file takes the old one's place in one step, with its owner, group and mode.
//!
//! The order is write, sync, rename, sync: a reader sees the old file or the new one, and so does whoever looks after a
//! crash. Those who change it at the same time are kept apart by a lock on the file.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::read::{Turn, read};
use super::{FILE_BYTES_MAX, KeyFile, KeyFileError, sealed, text};
use crate::versions::{KeyId, KeyVersion};

/// How often a file that others replace meanwhile is opened again.
const ATTEMPTS: u32 = 10;

/// Why a version was not added. The file is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The file cannot be read.
    File(KeyFileError),
    /// It is no regular file, so nothing can be added to it.
    NotRegular(PathBuf),
    /// Somebody else is changing it.
    Busy(PathBuf),
    /// Key ids begin with 1.
    KeyId,
    /// The key has this many bytes instead of 16, 24 or 32.
    Length(usize),
    /// The key has a version that is as high or higher.
    NotNewer {
        /// The key.
        id: KeyId,
        /// Its latest version in the file.
        latest: KeyVersion,
    },
    /// A zero byte ends the file for MariaDB, and what is added behind it would not be read.
    ZeroByte(PathBuf),
    /// There is no room for another line.
    Full(PathBuf),
    /// The system refused a step.
    System {
        /// The file.
        path: PathBuf,
        /// What was to be done with it.
        step: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The system's random generator failed.
    Random,
}

/// A new random key.
///
/// # Errors
/// [`AppendError::Length`] unless `bits` is 128, 192 or 256; [`AppendError::Random`].
pub fn generate(bits: u64) -> Result<KeyMaterial, AppendError> {
    let bytes = match bits {
        128 | 192 | 256 => (bits / 8) as usize,
        _ => return Err(AppendError::Length(usize::try_from(bits / 8).unwrap_or(usize::MAX))),
    };
    KeyMaterial::try_fill(bytes, aws_lc_rs::rand::fill).map_err(|_| AppendError::Random)
}

impl KeyFile {
    /// Adds a version of a key, higher than all that the file has of it. An encrypted file is encrypted again.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was changed, unless the last step failed (`synchronise the folder of`), when the
    /// change may or may not outlive a crash.
    pub fn append(&self, id: KeyId, version: KeyVersion, key: &KeyMaterial) -> Result<(), AppendError> {
        if id.0 == 0 {
            return Err(AppendError::KeyId);
        }
        if !matches!(key.len(), 16 | 24 | 32) {
            return Err(AppendError::Length(key.len()));
        }
        let path = self.path().map_err(AppendError::File)?;
        let secret = self.secret().map_err(AppendError::File)?;
        // A symbolic link stays one: what it leads to is replaced.
        let path = fs::canonicalize(&path)
            .map_err(|error| AppendError::File(KeyFileError::NotFound(path.clone(), error)))?;
        let locked = lock(&path)?;
        let bytes = read(&path, Turn::Again).map_err(AppendError::File)?;
        let (text, sealed) = self.text(&path, bytes, secret.as_ref()).map_err(AppendError::File)?;
        let text = with_line(&path, &text, id, version, key)?;
        let bytes = if sealed {
            let secret = secret.as_ref().map_or(&[][..], KeyMaterial::as_bytes);
            Zeroizing::new(sealed::seal(&text, secret, self.derivation()).map_err(|_| AppendError::Random)?)
        } else {
            text
        };
        if bytes.len() > FILE_BYTES_MAX {
            return Err(AppendError::Full(path));
        }
        replace(&path, &bytes)?;
        drop(locked);
        Ok(())
    }
}

/// The text with one more line, which is read back before anybody relies on it.
fn with_line(
    path: &Path,
    text: &[u8],
    id: KeyId,
    version: KeyVersion,
    key: &KeyMaterial,
) -> Result<Zeroizing<Vec<u8>>, AppendError> {
    let parse = |text: &[u8]| {
        text::parse(text).map_err(|error| AppendError::File(KeyFileError::Line(path.to_path_buf(), error)))
    };
    let lines = parse(text)?;
    if text.contains(&0) {
        return Err(AppendError::ZeroByte(path.to_path_buf()));
    }
    let latest = lines.entries.iter().filter(|entry| entry.key.id == id).map(|entry| entry.key.version).max();
    if let Some(latest) = latest.filter(|&latest| latest >= version) {
        return Err(AppendError::NotNewer { id, latest });
    }
    let line = text::line(id, version, key);
    let mut longer = Zeroizing::new(Vec::with_capacity(text.len() + 1 + line.len()));
    longer.extend_from_slice(text);
    if longer.last().is_some_and(|&last| last != b'\n') {
        longer.push(b'\n');
    }
    longer.extend_from_slice(&line);
    parse(&longer)?;
    Ok(longer)
}

/// Locks the file that has this path now, until the result is dropped.
///
/// # Errors
/// [`AppendError::Busy`], [`AppendError::NotRegular`], [`AppendError::System`].
pub fn lock(path: &Path) -> Result<File, AppendError> {
    let system = |step| move |error| AppendError::System { path: path.to_path_buf(), step, error };
    for _ in 0..ATTEMPTS {
        if !fs::metadata(path).map_err(system("look at"))?.is_file() {
            return Err(AppendError::NotRegular(path.to_path_buf()));
        }
        let file = File::open(path).map_err(system("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AppendError::Busy(path.to_path_buf())),
            Err(TryLockError::Error(error)) => return Err(system("lock")(error)),
        }
        // Whoever held the lock before us has put another file in its place.
        let (ours, present) =
            (file.metadata().map_err(system("look at"))?, fs::metadata(path).map_err(system("look at"))?);
        if (ours.dev(), ours.ino()) == (present.dev(), present.ino()) {
            return Ok(file);
        }
    }
    Err(AppendError::Busy(path.to_path_buf()))
}

/// Puts `bytes` in the place of a regular file, with its owner, group and mode.
///
/// # Errors
/// [`AppendError::System`], with the old file in its place; or, for the last step, with the new one that may not
/// outlive a crash.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), AppendError> {
    let system = |step| move |error| AppendError::System { path: path.to_path_buf(), step, error };
    let metadata = fs::metadata(path).map_err(system("look at"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}.new", std::process::id()));
    let result = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .map_err(system("make a new file beside"))?;
        let mine = file.metadata().map_err(system("look at the new file beside"))?;
        if (mine.uid(), mine.gid()) != (metadata.uid(), metadata.gid()) {
            fchown(&file, Some(metadata.uid()), Some(metadata.gid())).map_err(system("keep the owner of"))?;
        }
        file.set_permissions(Permissions::from_mode(metadata.mode() & 0o7777))
            .map_err(system("keep the mode of"))?;
        file.write_all(bytes).map_err(system("write the new file beside"))?;
        file.sync_all().map_err(system("synchronise the new file beside"))?;
        fs::rename(&beside, path).map_err(system("replace"))
    })();
    if let Err(error) = result {
        // Ours only if it was made; a foreign file of this name is what made the first step fail.
        if !matches!(&error, AppendError::System { error, .. } if error.kind() == ErrorKind::AlreadyExists) {
            let _ = fs::remove_file(&beside);
        }
        return Err(error);
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(system("synchronise the folder of"))
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::NotRegular(path) => {
                write!(
                    f,
                    "{} is not a regular file; add the key where it gets its content from",
                    path.display()
                )
            }
            Self::Busy(path) => write!(f, "{} is being changed by somebody else; try again", path.display()),
            Self::KeyId => f.write_str("key id 0 is none; 1 to 4294967295 are possible"),
            Self::Length(bytes) => write!(f, "the key has {bytes} bytes; 16, 24 and 32 are possible"),
            Self::NotNewer { id, latest } => {
                write!(f, "key {id} has version {latest} already; choose a higher one")
            }
            Self::ZeroByte(path) => {
                write!(f, "{} holds a zero byte, behind which nothing is read; remove it", path.display())
            }
            Self::Full(path) => write!(f, "{} would be larger than {FILE_BYTES_MAX} bytes", path.display()),
            Self::System { path, step, error } => {
                write!(f, "cannot {step} {}: {}", path.display(), KeyFileError::errcode(error))?;
                match error.kind() {
                    ErrorKind::ReadOnlyFilesystem => write!(
                        f,
                        "; systemd's ProtectSystem= makes /etc read-only for the server: run systemctl edit mariadb, add \
                         [Service] and ReadWritePaths={}, and restart it",
                        path.parent().unwrap_or(path).display()
                    ),
                    ErrorKind::PermissionDenied => {
                        f.write_str("; the account must own the file and be allowed to write its folder")
                    }
                    ErrorKind::AlreadyExists => {
                        f.write_str("; remove what an earlier attempt left there: .NAME.PID.new")
                    }
                    _ => Ok(()),
                }
            }
            Self::Random => f.write_str("the system's random generator failed"),
        }
    }
}

impl std::error::Error for AppendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            Self::System { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::key_file::{Derivation, FileKey, Location};

    const K: &str = "00112233445566778899aabbccddeeff";

    fn file(content: &[u8], secret: &[u8]) -> (TempDir, PathBuf, KeyFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        fs::write(&path, content).unwrap();
        let file =
            KeyFile::new(Some(Location::Path(path.clone())), FileKey::parse(secret), Derivation::default());
        (folder, path, file)
    }

    fn add(file: &KeyFile, id: u32, version: u32) -> Result<(), AppendError> {
        file.append(KeyId(id), KeyVersion::new(version).unwrap(), &KeyMaterial::new(&[0xAB; 16]))
    }

    fn versions(file: &KeyFile) -> Vec<(u32, u32)> {
        let entries = file.contents().unwrap().lines.entries;
        entries.iter().map(|entry| (entry.key.id.0, entry.key.version.number())).collect()
    }

    #[test]
    fn a_version_is_added_below_and_nothing_else_changes() {
        let (folder, path, file) = file(format!("# mine\r\n1;{K} tail").as_bytes(), b"");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let by_link = KeyFile::new(Some(Location::Path(link.clone())), FileKey::None, Derivation::default());
        add(&by_link, 1, 3).unwrap();
        add(&file, 7, 1).unwrap();
        let hex = "ab".repeat(16);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("# mine\r\n1;{K} tail\n1;3;{hex}\n7;{hex}\n"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn the_owner_and_group_stay() {
        if !rustix::process::geteuid().is_root() {
            strongroom_testkit::skip!("only root can give a file to somebody else");
        }
        let (_folder, path, file) = file(format!("1;{K}\n").as_bytes(), b"");
        std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
        add(&file, 1, 2).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (1234, 4321));
    }

    #[test]
    fn an_encrypted_file_stays_encrypted_under_a_new_salt() {
        let sealed = sealed::seal(format!("1;{K}\n").as_bytes(), b"secret", Derivation::default()).unwrap();
        let (_folder, path, file) = file(&sealed, b"secret");
        add(&file, 1, 2).unwrap();
        let after = fs::read(&path).unwrap();
        assert!(sealed::is_sealed(&after));
        assert_ne!(after[8..16], sealed[8..16]);
        assert_eq!(versions(&file), [(1, 1), (1, 2)]);
    }

    #[test]
    fn what_would_not_be_used_is_not_added() {
        let content = format!("1;{K}\n1;5;{K}\n");
        let (_folder, path, file) = file(content.as_bytes(), b"");
        for version in [1, 3, 5] {
            let error = add(&file, 1, version).unwrap_err();
            assert_eq!(error.to_string(), "key 1 has version 5 already; choose a higher one");
        }
        assert!(matches!(add(&file, 0, 1), Err(AppendError::KeyId)));
        let error = file.append(KeyId(1), KeyVersion::LAST, &KeyMaterial::new(&[0; 17])).unwrap_err();
        assert!(matches!(error, AppendError::Length(17)));
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        fs::write(&path, format!("1;{K}\n\0")).unwrap();
        assert!(matches!(add(&file, 1, 2), Err(AppendError::ZeroByte(_))));
        fs::write(&path, format!("1;{K}\nnonsense")).unwrap();
        assert!(matches!(add(&file, 1, 2), Err(AppendError::File(KeyFileError::Line(..)))));
        fs::write(&path, format!("1;{K}\n{}", "#".repeat(FILE_BYTES_MAX - 40))).unwrap();
        assert!(matches!(add(&file, 1, 2), Err(AppendError::Full(_))));
    }

    #[test]
    fn two_who_change_it_do_not_lose_each_others_work() {
        let (_folder, path, file) = file(format!("1;{K}\n").as_bytes(), b"");
        let held = lock(&path).unwrap();
        assert!(matches!(add(&file, 1, 2), Err(AppendError::Busy(_))));
        drop(held);
        std::thread::scope(|scope| {
            for id in 2..6 {
                let file = &file;
                scope.spawn(move || {
                    for version in 1..10 {
                        while matches!(add(file, id, version), Err(AppendError::Busy(_))) {
                            std::thread::yield_now();
                        }
                    }
                });
            }
        });
        assert_eq!(versions(&file).len(), 1 + 4 * 9);
    }

    #[test]
    fn new_keys_have_the_length_asked_for_and_are_new() {
        for bits in [128, 192, 256] {
            let (one, two) = (generate(bits).unwrap(), generate(bits).unwrap());
            assert_eq!(one.len() as u64 * 8, bits);
            assert_ne!(one, two);
        }
        for bits in [0, 1, 127, 129, 512, u64::MAX] {
            assert!(matches!(generate(bits), Err(AppendError::Length(_))), "{bits}");
        }
    }

    #[test]
    fn a_read_only_file_system_is_explained() {
        let error = io::Error::from_raw_os_error(rustix::io::Errno::ROFS.raw_os_error());
        let error = AppendError::System { path: "/etc/mysql/keys".into(), step: "replace", error };
        assert!(error.to_string().contains("ReadWritePaths=/etc/mysql,"), "{error}");
    }
}
