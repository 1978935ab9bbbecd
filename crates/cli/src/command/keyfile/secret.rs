//! The secret of an encrypted key file: from a file, from a descriptor, or from the person at the terminal.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use strongroom_keyring::key_file::file_key::SECRET_BYTES_MAX;
use strongroom_keyring::key_file::{Derivation, Digest, FileKey, sealed};
use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::Fault;
use crate::args::{KeyfileDigest, KeyfileReadArgs, KeyfileSecretArgs};
use crate::error::Error;
use crate::output::Output;
use crate::terminal;

/// The digest and the rounds that were asked for.
pub(super) fn derivation(args: &KeyfileSecretArgs) -> Derivation {
    let digest = match args.digest {
        KeyfileDigest::Sha1 => Digest::Sha1,
        KeyfileDigest::Sha224 => Digest::Sha224,
        KeyfileDigest::Sha256 => Digest::Sha256,
        KeyfileDigest::Sha384 => Digest::Sha384,
        KeyfileDigest::Sha512 => Digest::Sha512,
    };
    Derivation { digest, pbkdf2_rounds: args.use_pbkdf2 }
}

/// Whether the key is derived in the way that MariaDB's own plugin knew before 12.0, which is the default of both.
pub(super) fn is_stocks(args: &KeyfileSecretArgs) -> bool {
    derivation(args) == Derivation::default()
}

/// The secret that opens a file: none for a file in the clear of which no secret was named.
///
/// # Errors
/// [`Fault::NoSecret`] where the file is encrypted and nobody can be asked; as [`terminal::secret_from_fd`].
pub(super) fn to_open(args: &KeyfileReadArgs) -> Result<FileKey, Error> {
    match named(&args.secret)? {
        Some(file_key) => Ok(file_key),
        None if is_sealed(&args.file) => match terminal::ask_secret("Secret of the key file: ") {
            Err(Error::NoTerminal) => Err(Fault::NoSecret(args.file.clone()).into()),
            asked => Ok(FileKey::Inline(material(&asked?))),
        },
        None => Ok(FileKey::None),
    }
}

/// The secret that a file is to be encrypted with; asked for twice where none was named.
///
/// # Errors
/// [`Fault::EmptySecret`]; as [`terminal::ask_new_secret`] and [`terminal::secret_from_fd`].
pub(super) fn to_seal(args: &KeyfileReadArgs, output: Output) -> Result<KeyMaterial, Error> {
    let file_key = match named(&args.secret)? {
        Some(file_key) => file_key,
        None => match terminal::ask_new_secret("New secret for the key file: ") {
            Err(Error::NoTerminal) => return Err(Fault::NoSecretForNew.into()),
            asked => FileKey::Inline(material(&asked?)),
        },
    };
    let secret = file_key.secret().map_err(Fault::Read)?.filter(|secret| !secret.is_empty());
    let secret = secret.ok_or(Fault::EmptySecret)?;
    if secret.len() > SECRET_BYTES_MAX {
        output.warn(format!(
            "the secret has more than {SECRET_BYTES_MAX} bytes, so a server cannot read it from a file (FILE:PATH)"
        ));
    }
    Ok(secret)
}

fn named(args: &KeyfileSecretArgs) -> Result<Option<FileKey>, Error> {
    Ok(match (&args.filekey, args.password_fd) {
        (Some(path), _) => Some(FileKey::File(path.clone())),
        (None, Some(fd)) => Some(FileKey::Inline(material(&terminal::secret_from_fd(fd)?))),
        (None, None) => None,
    })
}

/// A server's secret ends before a zero byte, so ours does.
fn material(text: &Zeroizing<String>) -> KeyMaterial {
    KeyMaterial::new(text.split('\0').next().unwrap_or_default().as_bytes())
}

/// Whether somebody must be asked for a secret. Only a regular file is looked into: what is read from a pipe is gone.
fn is_sealed(path: &Path) -> bool {
    let begin = || {
        let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|about| about.is_file()))?;
        let mut begin = Vec::with_capacity(16);
        file.take(16).read_to_end(&mut begin).ok()?;
        Some(begin)
    };
    // A file that cannot be read is an error that the reading reports.
    path.is_file() && begin().is_some_and(|begin| sealed::is_sealed(&begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_ends_before_a_zero_byte() {
        let bytes = |text: &str| material(&Zeroizing::new(text.to_owned())).as_bytes().to_vec();
        assert_eq!(bytes("open\0sesame"), b"open");
        assert_eq!(bytes("\0sesame"), b"");
        assert_eq!(bytes("open sesame"), b"open sesame");
    }
}
