//! The key and the certificate request of an enrolment that is under way.
//!
//! They lie beside the endpoint directory until that is written. When the answer to a request is lost, the next try sends
//! the same request, which the vault recognises and answers with the same certificate; a new one it would refuse, because
//! the token has been used.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use zeroize::Zeroizing;

use crate::error::Error;

const KEY: &str = "key.pem";
const REQUEST: &str = "request.pem";
/// Larger than any file of ours, in bytes.
const FILE_MAX: u64 = 64 * 1024;

/// A key of our own and a request to certify it.
pub(crate) struct Pending {
    folder: PathBuf,
    /// The private key, PKCS#8 in PEM form.
    pub(crate) key_pem: Zeroizing<String>,
    /// The certificate request in PEM form (PKCS#10, RFC 2986).
    pub(crate) request_pem: String,
}

impl Pending {
    /// Takes up what an earlier try for the endpoint directory `out` left, or makes a new key and request (ECDSA P-256).
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Write`] naming the file; [`Error::NotOurs`] where somebody else may have laid a key of theirs out
    /// for us to enrol with.
    pub(crate) fn open(out: &Path) -> Result<Self, Error> {
        let folder = beside(out);
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(|source| Error::Write { path: parent.into(), source })?;
        }
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => {}
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => check_ours(&folder)?,
            Err(source) => return Err(Error::Write { path: folder, source }),
        }
        // The request is written last: where it is, the key is whole.
        if !folder.join(REQUEST).exists() {
            make(&folder)?;
        }
        let key_pem = read(&folder.join(KEY))?;
        let request_pem = String::clone(&*read(&folder.join(REQUEST))?);
        Ok(Self { folder, key_pem, request_pem })
    }

    /// Removes the files: the endpoint directory has them now.
    ///
    /// # Errors
    /// [`Error::Write`]; the enrolment itself has succeeded then.
    pub(crate) fn finish(self) -> Result<(), Error> {
        fs::remove_dir_all(&self.folder).map_err(|source| Error::Write { path: self.folder, source })
    }
}

/// `…/NAME` → `…/.NAME.enrolling`
fn beside(out: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(out.file_name().unwrap_or_default());
    name.push(".enrolling");
    out.with_file_name(name)
}

/// A folder of our own that nobody else can write into, and no link to one.
fn check_ours(folder: &Path) -> Result<(), Error> {
    let found = fs::symlink_metadata(folder).map_err(|source| Error::Read { path: folder.into(), source })?;
    let ours =
        found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if ours { Ok(()) } else { Err(Error::NotOurs { path: folder.into() }) }
}

fn make(folder: &Path) -> Result<(), Error> {
    let failed = |fault: rcgen::Error| Error::Generate(fault.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    // The vault takes the public key only and sets the subject itself.
    let request = CertificateParams::default()
        .serialize_request(&key)
        .and_then(|request| request.pem())
        .map_err(failed)?;
    write(&folder.join(KEY), Zeroizing::new(key.serialize_pem()).as_bytes())?;
    write(&folder.join(REQUEST), request.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(name);
    let failed = |source| Error::Write { path: path.into(), source };
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    let failed = |source| Error::Read { path: path.into(), source };
    let mut text = Zeroizing::new(String::with_capacity(4096));
    File::open(path).map_err(failed)?.take(FILE_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_try_finds_the_same_key_and_request() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("db1");
        let first = Pending::open(&out).unwrap();
        let second = Pending::open(&out).unwrap();
        assert_eq!(first.request_pem, second.request_pem);
        assert_eq!(*first.key_pem, *second.key_pem);

        second.finish().unwrap();
        let third = Pending::open(&out).unwrap();
        assert_ne!(first.request_pem, third.request_pem);
    }

    #[test]
    fn a_key_without_a_request_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("db1");
        drop(Pending::open(&out).unwrap());
        fs::remove_file(beside(&out).join(REQUEST)).unwrap();
        let pending = Pending::open(&out).unwrap();
        let key = KeyPair::from_pem(&pending.key_pem).unwrap();
        let request = rcgen::CertificateSigningRequestParams::from_pem(&pending.request_pem).unwrap();
        assert_eq!(
            rcgen::PublicKeyData::der_bytes(&request.public_key),
            rcgen::PublicKeyData::der_bytes(&key)
        );
    }

    /// Where others may write beside the endpoint directory, they could lay out a key that they know.
    #[test]
    fn a_folder_that_others_may_write_to_or_a_link_is_not_taken_up() {
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path().join("db1");
        drop(Pending::open(&out).unwrap());
        fs::set_permissions(beside(&out), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(Pending::open(&out), Err(Error::NotOurs { .. })));

        fs::set_permissions(beside(&out), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(Pending::open(&out).is_ok());
        let elsewhere = scratch.path().join("elsewhere");
        fs::rename(beside(&out), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, beside(&out)).unwrap();
        assert!(matches!(Pending::open(&out), Err(Error::NotOurs { .. })));
    }

    #[test]
    fn nobody_else_can_read_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("db1");
        let _pending = Pending::open(&out).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&beside(&out)), 0o700);
        assert_eq!(mode(&beside(&out).join(KEY)), 0o600);
    }
}
