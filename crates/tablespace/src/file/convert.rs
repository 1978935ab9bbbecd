//! Another file from a tablespace: decrypted, encrypted, encrypted anew, under another master key.
//!
//! Every page is checked on its way. The result is a draft until all of them are good and durable, so that the only copy is
//! never written over by something that is not.

use std::path::Path;
use std::sync::Arc;

use strongroom_secret::KeyMaterial;

use super::{FileFault, Refusal, Source};
use crate::codec::PageCodec;
use crate::disk::draft::Place;
use crate::disk::walk::FileKind;
use crate::disk::{Disk, Draft};
use crate::keys::MasterKeySource;
use crate::mysql::{self, Information, MasterKeyId, TablespaceKey, head};
use crate::page::{Algorithm, Geometry};
use crate::run::{Run, pipeline};
use crate::tablespace::{Encryption, Family};

/// Fills bytes from a cryptographic random generator.
pub type Random<'a> = dyn Fn(&mut [u8]) -> Result<(), RandomFailed> + Sync + 'a;

/// The random generator gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomFailed;

impl From<RandomFailed> for FileFault {
    fn from(_: RandomFailed) -> Self {
        Self::Random
    }
}

/// A master key of MySQL, with its id.
#[derive(Debug)]
pub struct MasterKey {
    /// Which one.
    pub id: MasterKeyId,
    /// Its 32 bytes.
    pub material: KeyMaterial,
}

/// Where a result goes.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The file.
    pub path: &'a Path,
    /// Whether it replaces one.
    pub place: Place,
}

impl<'a> Target<'a> {
    /// A new file; one that exists is not overwritten.
    #[must_use]
    pub fn new_file(path: &'a Path) -> Self {
        Self { path, place: Place::Free }
    }

    /// The file that the result was made from.
    #[must_use]
    pub fn in_place(path: &'a Path) -> Self {
        Self { path, place: Place::Taken }
    }
}

/// Copies a file as this module writes files, changing nothing: what all other work is measured by.
///
/// # Errors
/// [`FileFault`].
pub fn copy(disk: &dyn Disk, source: &Source, target: Target<'_>, run: Run<'_>) -> Result<(), FileFault> {
    send(disk, source, target, run, &|_, _| Ok(Vec::new()))
}

/// Decrypts a file into one that a server imports without any key. MySQL's page-compressed pages are expanded.
///
/// # Errors
/// [`FileFault`]; [`Refusal::Plain`], [`Refusal::System`], and [`Refusal::InPlace`] for MySQL's files in place.
pub fn decrypt(
    disk: &dyn Disk,
    source: &Source,
    keys: &Arc<dyn MasterKeySource>,
    target: Target<'_>,
    run: Run<'_>,
) -> Result<(), FileFault> {
    let algorithm = source.algorithm()?;
    refuse_system(source)?;
    match &source.space.encryption {
        Encryption::None => return Err(FileFault::Refused(Refusal::Plain)),
        Encryption::MySql(_) if target.place == Place::Taken => {
            return Err(FileFault::Refused(Refusal::InPlace));
        }
        Encryption::MariaDb(_) => return super::mariadb::decrypt(disk, source, keys, target, run),
        Encryption::MySql(_) => {}
    }
    let codec = source.codec(keys)?;
    let mut page_0 = source.head().to_vec();
    head::set_plain(codec.geometry(), &mut page_0, algorithm);
    send(disk, source, target, run, &|first, pages| {
        let mut faults = codec.decrypt(first, pages)?;
        if faults.is_empty() {
            faults = codec.expand(first, pages);
        }
        replace_head(first, pages, &page_0);
        Ok(faults)
    })
}

/// Encrypts a plain file of MySQL under a tablespace key of its own, which `master` wraps.
///
/// # Errors
/// [`FileFault`]; [`Refusal::Encrypted`], [`Refusal::System`], [`Refusal::MariaDb`], [`Refusal::InPlace`].
pub fn encrypt_mysql(
    disk: &dyn Disk,
    source: &Source,
    master: &MasterKey,
    random: &Random<'_>,
    target: Target<'_>,
    run: Run<'_>,
) -> Result<(), FileFault> {
    let algorithm = source.algorithm()?;
    refuse_system(source)?;
    if source.space.family == Family::MariaDb {
        return Err(FileFault::Refused(Refusal::MariaDb));
    }
    match &source.space.encryption {
        Encryption::None => {}
        Encryption::MySql(mysql::Encryption { progress: Some(_), .. }) => {
            return Err(FileFault::Refused(Refusal::HalfDone));
        }
        _ => return Err(FileFault::Refused(Refusal::Encrypted)),
    }
    if target.place == Place::Taken {
        return Err(FileFault::Refused(Refusal::InPlace));
    }
    let key = TablespaceKey::generate(random)?;
    let information = Information::wrap(&key, master.id.clone(), &master.material)
        .ok_or_else(|| FileFault::KeyAbsent(master.id.to_string()))?;
    let (page_0, codec) = keyed(source, &key, &information, algorithm);
    send(disk, source, target, run, &|first, pages| {
        replace_head(first, pages, &page_0);
        codec.encrypt(first, pages)
    })
}

/// The wrapped key that a file of MySQL has, and the same for a new tablespace key under the same master key.
///
/// # Errors
/// [`FileFault`]; [`Refusal::Plain`], [`Refusal::HalfDone`], [`Refusal::SeveralFiles`], [`Refusal::NoMasterKey`].
pub fn new_information(
    source: &Source,
    keys: &dyn MasterKeySource,
    random: &Random<'_>,
) -> Result<(Information, Information), FileFault> {
    source.algorithm()?;
    let old = information(source)?;
    // Its other files have pages under the same key, and nothing in them says so.
    if source.space.space_id == 0 && source.space.missing_pages(source.size) > 0 {
        return Err(FileFault::Refused(Refusal::SeveralFiles));
    }
    let id = old.master_key().clone();
    let Some(key_id) = id.key_id() else { return Err(FileFault::Refused(Refusal::NoMasterKey)) };
    let master = keys.mysql_key(&key_id).map_err(FileFault::Keys)?;
    let master = master.ok_or_else(|| FileFault::KeyAbsent(key_id.clone()))?;
    let key = TablespaceKey::generate(random)?;
    let new = old.rewrap(&key, id, &master).ok_or(FileFault::KeyAbsent(key_id))?;
    Ok((old.clone(), new))
}

/// The wrapped key of a file of MySQL that is wholly encrypted.
fn information(source: &Source) -> Result<&Information, FileFault> {
    match &source.space.encryption {
        Encryption::None => Err(FileFault::Refused(Refusal::Plain)),
        Encryption::MySql(mysql::Encryption { progress: Some(_), .. }) => {
            Err(FileFault::Refused(Refusal::HalfDone))
        }
        Encryption::MySql(mysql::Encryption { information, .. }) => {
            information.as_ref().map_err(|fault| FileFault::Information(*fault))
        }
        Encryption::MariaDb(_) => Err(FileFault::Refused(Refusal::MariaDb)),
    }
}

/// Encrypts a file of MySQL anew, under the tablespace key in `new`.
///
/// # Errors
/// [`FileFault`].
pub fn rekey_mysql(
    disk: &dyn Disk,
    source: &Source,
    keys: &Arc<dyn MasterKeySource>,
    new: &Information,
    target: Target<'_>,
    run: Run<'_>,
) -> Result<(), FileFault> {
    let algorithm = source.algorithm()?;
    information(source)?;
    let key = new.unlock(keys.as_ref()).map_err(FileFault::Unlock)?;
    let decrypting = source.codec(keys)?;
    let (page_0, encrypting) = keyed(source, &key, new, algorithm);
    send(disk, source, target, run, &|first, pages| {
        let faults = decrypting.decrypt(first, pages)?;
        if !faults.is_empty() {
            return Ok(faults);
        }
        replace_head(first, pages, &page_0);
        encrypting.encrypt(first, pages)
    })
}

/// Puts a file of MySQL under another master key, with the tablespace key at hand, as a transfer file has it. The pages are
/// decrypted on their way to prove the key, and stay as they are.
///
/// # Errors
/// [`FileFault`]; [`FileFault::Pages`] also where the key is of another file.
pub fn adopt_mysql(
    disk: &dyn Disk,
    source: &Source,
    key: &TablespaceKey,
    master: &MasterKey,
    target: Target<'_>,
    run: Run<'_>,
) -> Result<(), FileFault> {
    let algorithm = source.algorithm()?;
    let old = information(source)?;
    let new = old
        .rewrap(key, master.id.clone(), &master.material)
        .ok_or_else(|| FileFault::KeyAbsent(master.id.to_string()))?;
    let (page_0, codec) = keyed(source, key, &new, algorithm);
    send(disk, source, target, run, &|first, pages| {
        replace_head(first, pages, &page_0);
        let mut proof = zeroize::Zeroizing::new(pages.to_vec());
        codec.decrypt(first, &mut proof)
    })
}

/// Page 0 with this key, and what encrypts with it.
fn keyed(
    source: &Source,
    key: &TablespaceKey,
    information: &Information,
    algorithm: Algorithm,
) -> (Vec<u8>, mysql::Codec) {
    let geometry: Geometry = source.space.geometry;
    let mut page_0 = source.head().to_vec();
    head::set_information(geometry, &mut page_0, information, algorithm);
    let codec = mysql::Codec::new(geometry, source.space.space_id, Some(key), source.options.clone());
    (page_0, codec)
}

pub(super) fn refuse_system(source: &Source) -> Result<(), FileFault> {
    let alone = source.space.space_id != 0 && !matches!(source.kind, FileKind::System | FileKind::Undo);
    if alone { Ok(()) } else { Err(FileFault::Refused(Refusal::System)) }
}

pub(super) fn replace_head(first: u32, pages: &mut [u8], page_0: &[u8]) {
    if first == 0
        && let Some(place) = pages.get_mut(..page_0.len())
    {
        place.copy_from_slice(page_0);
    }
}

/// Sends a file through `work` into a draft, and publishes that with the mode, owner and times of the source.
pub(super) fn send(
    disk: &dyn Disk,
    source: &Source,
    target: Target<'_>,
    run: Run<'_>,
    work: &pipeline::Work<'_>,
) -> Result<(), FileFault> {
    if let Some(fault) = source.space.cut_off(source.size) {
        return Err(FileFault::Pages(vec![fault]));
    }
    check_place(disk, target)?;
    let draft = Draft::new(disk, target.path).map_err(FileFault::Write)?;
    pipeline::send(source.file(), Some(draft.file()), source.size, source.page_bytes(), run, work)?;
    draft.file().take_after(&source.path).map_err(FileFault::Write)?;
    draft.publish(target.place).map_err(FileFault::Write)
}

/// Says before the work what publishing would say after it.
pub(super) fn check_place(disk: &dyn Disk, target: Target<'_>) -> Result<(), FileFault> {
    if target.place == Place::Free && disk.exists(target.path).map_err(FileFault::Write)? {
        return Err(FileFault::Write(rustix::io::Errno::EXIST.into()));
    }
    Ok(())
}
