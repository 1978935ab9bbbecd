//! The secret that opens an encrypted key file: `file_key_management_filekey`.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::KeyFileError;
use super::read::{Turn, read_pipe_again};

/// The longest secret that is read from a file, in bytes.
pub const SECRET_BYTES_MAX: usize = 256;

/// Where the secret is.
#[derive(Debug)]
pub enum FileKey {
    /// There is none: the key file is not encrypted.
    None,
    /// The secret itself.
    Inline(KeyMaterial),
    /// A file that holds it.
    File(PathBuf),
}

impl FileKey {
    /// Reads the variable's value: nothing, `FILE:` and a path, or the secret itself.
    #[must_use]
    pub fn parse(value: &[u8]) -> Self {
        match value.strip_prefix(b"FILE:") {
            Some(path) => Self::File(PathBuf::from(std::ffi::OsStr::from_bytes(path))),
            None if value.is_empty() => Self::None,
            None => Self::Inline(KeyMaterial::new(value)),
        }
    }

    /// The secret. It ends before the line ends at its end and before a zero byte; nothing left means that there is none,
    /// as for MariaDB's own plugin.
    ///
    /// # Errors
    /// [`KeyFileError::NotFound`], [`KeyFileError::NotReadable`], [`KeyFileError::NoSecret`],
    /// [`KeyFileError::SecretTooLong`].
    pub fn secret(&self) -> Result<Option<KeyMaterial>, KeyFileError> {
        self.secret_at(Turn::First)
    }

    /// The same for somebody who must not wait for the writer of a pipe.
    ///
    /// # Errors
    /// As for [`secret`](Self::secret), and [`KeyFileError::NoWriter`].
    pub(super) fn secret_at(&self, turn: Turn) -> Result<Option<KeyMaterial>, KeyFileError> {
        let path = match self {
            Self::None => return Ok(None),
            Self::Inline(secret) => return Ok(Some(secret.duplicate())),
            Self::File(path) => path,
        };
        if turn == Turn::Again && is_pipe(path) {
            return secret_in(path, &read_pipe_again(path)?);
        }
        let mut file = File::open(path).map_err(|error| KeyFileError::NotFound(path.clone(), error))?;
        let mut room = Zeroizing::new([0_u8; READ_BYTES_MAX]);
        let mut len = 0;
        loop {
            match file.read(&mut room[len..]) {
                Ok(0) => break,
                Ok(count) => len += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(KeyFileError::NotReadable(path.clone(), error)),
            }
        }
        secret_in(path, &room[..len])
    }

    /// Whether the secret can be read at any time: not from a pipe, whose content is gone once it is read.
    pub(super) fn can_be_looked_into(&self) -> bool {
        !matches!(self, Self::File(path) if is_pipe(path))
    }
}

/// One byte more than a secret has, for a line end or for the proof that it is too long.
const READ_BYTES_MAX: usize = SECRET_BYTES_MAX + 1;

fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// The secret in the content of a file.
fn secret_in(path: &Path, content: &[u8]) -> Result<Option<KeyMaterial>, KeyFileError> {
    if content.is_empty() {
        return Err(KeyFileError::NoSecret(path.to_path_buf()));
    }
    let mut secret = &content[..content.len().min(READ_BYTES_MAX)];
    while let [front @ .., b'\r' | b'\n'] = secret {
        secret = front;
    }
    if secret.len() > SECRET_BYTES_MAX {
        return Err(KeyFileError::SecretTooLong(path.to_path_buf()));
    }
    let end = secret.iter().position(|&byte| byte == 0).unwrap_or(secret.len());
    Ok((end > 0).then(|| KeyMaterial::new(&secret[..end])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(content: &[u8]) -> Result<Option<Vec<u8>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, content).unwrap();
        let value = [b"FILE:", path.as_os_str().as_bytes()].concat();
        let secret = FileKey::parse(&value).secret();
        secret.map(|secret| secret.map(|secret| secret.as_bytes().to_vec())).map_err(|error| {
            let text = error.to_string();
            text.replace(&*path.to_string_lossy(), "F")
        })
    }

    #[test]
    fn a_secret_ends_before_its_line_ends_and_keeps_everything_else() {
        let ok = |content: &[u8]| of_file(content).unwrap().unwrap();
        assert_eq!(ok(b"secret"), b"secret");
        assert_eq!(ok(b"secret\r\n\r\n"), b"secret");
        assert_eq!(ok(b" secret \t\n"), b" secret \t");
        assert_eq!(ok(b"two\nlines\n"), b"two\nlines");
        assert_eq!(ok(b"a\0b\n"), b"a");
        assert_eq!(ok(&[b'x'; 256]), [b'x'; 256]);
        assert_eq!(ok(&[&[b'x'; 256][..], b"\n\n"].concat()), [b'x'; 256]);
        assert_eq!(of_file(b"\n\n"), Ok(None));
        assert_eq!(of_file(b"\0x"), Ok(None));
    }

    #[test]
    fn files_without_a_secret_and_with_too_much_of_it_are_refused() {
        assert_eq!(of_file(b"").unwrap_err(), "Error reading file 'F': it is empty");
        assert_eq!(
            of_file(&[b'x'; 257]).unwrap_err(),
            "Cannot read F, the filekey is too long, max secret size is 256 bytes"
        );
        let error = |value: &[u8]| FileKey::parse(value).secret().unwrap_err().to_string();
        assert_eq!(error(b"FILE:"), "File '' not found (Errcode: 2 \"No such file or directory\")");
        assert_eq!(error(b"FILE:/"), "Error reading file '/' (Errcode: 21 \"Is a directory\")");
    }

    #[test]
    fn a_value_without_the_prefix_is_the_secret_however_long() {
        let inline = |value: &[u8]| FileKey::parse(value).secret().unwrap().map(|s| s.as_bytes().to_vec());
        assert_eq!(inline(b""), None);
        assert_eq!(inline(b"file:/etc/secret"), Some(b"file:/etc/secret".to_vec()));
        assert_eq!(inline(&[b'x'; 300]), Some(vec![b'x'; 300]));
    }
    /// At start the server waits for the writer, as with its own plugin. Later a statement waits, or a thread that holds locks.
    #[test]
    fn a_pipe_without_a_writer_is_not_waited_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let file_key = FileKey::File(path.clone());
        assert!(
            !file_key.can_be_looked_into() && FileKey::File(folder.path().join("file")).can_be_looked_into()
        );
        assert!(matches!(file_key.secret_at(Turn::Again), Err(KeyFileError::NoWriter(_))));
        for turn in [Turn::First, Turn::Again] {
            let (ready, go) = std::sync::mpsc::channel();
            let writer = std::thread::spawn({
                let path = path.clone();
                move || {
                    // Open for both, so that opening waits for nobody.
                    let mut pipe = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
                    std::io::Write::write_all(&mut pipe, b"open sesame\n").unwrap();
                    ready.send(()).unwrap();
                    // Closed only when somebody has read it, or the pipe would be empty again.
                    while rustix::io::ioctl_fionread(&pipe).unwrap() > 0 {
                        std::thread::yield_now();
                    }
                }
            });
            go.recv().unwrap();
            assert_eq!(file_key.secret_at(turn).unwrap().unwrap().as_bytes(), b"open sesame");
            writer.join().unwrap();
        }
    }
}
