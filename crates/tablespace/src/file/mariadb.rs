//! MariaDB's files decrypted, encrypted, and encrypted anew. There is no wrapped key: pages name a version of a key of the
//! keyring, and page 0 its id.

use std::sync::Arc;

use strongroom_cipher::Iv;
use zeroize::Zeroizing;

use super::convert::{Random, Target, refuse_system, replace_head, send};
use super::{FileFault, Refusal, Source};
use crate::codec::PageCodec;
use crate::disk::Disk;
use crate::keys::MasterKeySource;
use crate::mariadb::{Codec, CryptData, Format, Mode, head};
use crate::page::Algorithm;
use crate::run::Run;
use crate::tablespace::{Encryption, Family};

/// Pages that are read at once to find out how a server encrypts.
const PROBE_PAGES: usize = 64;

/// Decrypts a file into one that a server imports without any key. Page-compressed pages stay compressed, as the flags of the
/// tablespace say.
pub(super) fn decrypt(
    disk: &dyn Disk,
    source: &Source,
    keys: &Arc<dyn MasterKeySource>,
    target: Target<'_>,
    run: Run<'_>,
) -> Result<(), FileFault> {
    let (format, algorithm) = format(source)?;
    let codec = source.codec(keys)?;
    let mut page_0 = source.head().to_vec();
    head::set_plain(format, &mut page_0, algorithm);
    send(disk, source, target, run, &|first, pages| {
        let faults = codec.decrypt(first, pages)?;
        replace_head(first, pages, &page_0);
        Ok(faults)
    })
}

/// Encrypts a plain file of MariaDB with the latest version of key `key_id`.
///
/// `mode` is how the server encrypts that will open the file (`file_key_management`'s `encryption_algorithm`), which no file
/// tells.
///
/// # Errors
/// [`FileFault`]; [`Refusal::Encrypted`], [`Refusal::System`], [`Refusal::MySql`].
#[expect(clippy::too_many_arguments, reason = "each says one thing, and all are needed")]
pub fn encrypt(
    disk: &dyn Disk,
    source: &Source,
    keys: &Arc<dyn MasterKeySource>,
    key_id: u32,
    mode: Mode,
    random: &Random<'_>,
    target: Target<'_>,
    run: Run<'_>,
) -> Result<(), FileFault> {
    let (format, algorithm) = format(source)?;
    refuse_system(source)?;
    if source.space.encryption != Encryption::None {
        return Err(FileFault::Refused(Refusal::Encrypted));
    }
    let mut seed = Iv::default();
    random(&mut seed)?;
    let data = CryptData::new(key_id, latest(keys.as_ref(), key_id)?, seed);
    let codec = codec(source, format, &data, keys).in_mode(mode);
    let mut page_0 = source.head().to_vec();
    head::set_crypt_data(format, &mut page_0, &data, algorithm);
    send(disk, source, target, run, &|first, pages| {
        let faults = codec.encrypt(first, pages)?;
        replace_head(first, pages, &page_0);
        Ok(faults)
    })
}

/// Encrypts a file of MariaDB anew with the latest version of its key, its plain pages too.
///
/// # Errors
/// [`FileFault`]; [`Refusal::Plain`], [`Refusal::MySql`].
pub fn rekey(
    disk: &dyn Disk,
    source: &Source,
    keys: &Arc<dyn MasterKeySource>,
    target: Target<'_>,
    run: Run<'_>,
) -> Result<(), FileFault> {
    let (format, algorithm) = format(source)?;
    let old = match &source.space.encryption {
        Encryption::MariaDb(data) => data.as_ref().map_err(|fault| FileFault::CryptData(*fault))?,
        Encryption::None => return Err(FileFault::Refused(Refusal::Plain)),
        Encryption::MySql(_) => return Err(FileFault::Refused(Refusal::MySql)),
    };
    let new = CryptData { min_key_version: latest(keys.as_ref(), old.key_id)?, ..old.clone() };
    let codec = codec(source, format, &new, keys);
    find_mode(source, &codec)?;
    let mut page_0 = source.head().to_vec();
    head::set_crypt_data(format, &mut page_0, &new, algorithm);
    send(disk, source, target, run, &|first, pages| {
        let mut faults = codec.decrypt(first, pages)?;
        if faults.is_empty() {
            faults = codec.encrypt(first, pages)?;
        }
        replace_head(first, pages, &page_0);
        Ok(faults)
    })
}

fn format(source: &Source) -> Result<(Format, Algorithm), FileFault> {
    let algorithm = source.algorithm()?;
    let format = source.space.mariadb_format().ok_or(FileFault::Refused(Refusal::MySql))?;
    Ok((format, algorithm))
}

fn latest(keys: &dyn MasterKeySource, key_id: u32) -> Result<u32, FileFault> {
    let latest = keys.mariadb_latest_version(key_id).map_err(FileFault::Keys)?;
    latest.ok_or_else(|| FileFault::KeyAbsent(format!("key {key_id}")))
}

/// What works on the pages, with the version in `data` as the one to encrypt with.
fn codec(source: &Source, format: Format, data: &CryptData, keys: &Arc<dyn MasterKeySource>) -> Codec {
    Codec::new(format, source.space.space_id, Some((data, keys)), source.options.clone())
        .with_version(data.min_key_version)
}

/// Decrypts the first pages, until one tells how the server encrypts. Pages that are bad are named later.
fn find_mode(source: &Source, codec: &Codec) -> Result<(), FileFault> {
    let bytes = source.page_bytes();
    let mut pages = Zeroizing::new(vec![0; PROBE_PAGES * bytes]);
    let mut first = 0_u32;
    while source.space.family == Family::MariaDb && codec.mode().is_none() {
        let at = u64::from(first) * bytes as u64;
        let count = source.file().read_at(&mut pages, at).map_err(FileFault::Read)?;
        if count < bytes {
            break;
        }
        codec.decrypt(first, &mut pages[..count / bytes * bytes]).map_err(FileFault::Codec)?;
        first += (count / bytes) as u32;
    }
    Ok(())
}
