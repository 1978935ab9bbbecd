//! Transfer files (`.cfp`), with which MySQL imports an encrypted tablespace that came from another keyring.

use std::path::{Path, PathBuf};

use strongroom_secret::KeyMaterial;
use zeroize::Zeroizing;

use super::convert::{Random, Target};
use super::{FileFault, Refusal, Source};
use crate::disk::{Access, Disk, Draft, read_exactly};
use crate::keys::MasterKeySource;
use crate::mysql::key::KEY_BYTES;
use crate::mysql::transfer::{self, TRANSFER_BYTES, TransferFault};
use crate::mysql::{self, TablespaceKey};
use crate::tablespace::Encryption;

/// The transfer file that the server looks for beside a tablespace.
#[must_use]
pub fn beside(tablespace: &Path) -> PathBuf {
    tablespace.with_extension("cfp")
}

/// Writes the transfer file of a tablespace. Whoever has both can read the tablespace.
///
/// # Errors
/// [`FileFault`]; [`Refusal::Plain`].
pub fn export(
    disk: &dyn Disk,
    source: &Source,
    keys: &dyn MasterKeySource,
    random: &Random<'_>,
    target: Target<'_>,
) -> Result<(), FileFault> {
    source.algorithm()?;
    let information = match &source.space.encryption {
        Encryption::MySql(mysql::Encryption { information, .. }) => {
            information.as_ref().map_err(|fault| FileFault::Information(*fault))?
        }
        Encryption::None => return Err(FileFault::Refused(Refusal::Plain)),
        Encryption::MariaDb(_) => return Err(FileFault::Refused(Refusal::MariaDb)),
    };
    let key = information.unlock(keys).map_err(FileFault::Unlock)?;
    let transfer_key = KeyMaterial::try_fill(KEY_BYTES, random)?;
    let bytes = transfer::write(&key, &transfer_key).ok_or(FileFault::Random)?;
    let draft = Draft::new(disk, target.path).map_err(FileFault::Write)?;
    draft.file().write_at(&bytes, 0).map_err(FileFault::Write)?;
    draft.publish(target.place).map_err(FileFault::Write)
}

/// The tablespace key in a transfer file.
///
/// # Errors
/// [`FileFault::Read`], [`FileFault::Transfer`].
pub fn read(disk: &dyn Disk, path: &Path) -> Result<TablespaceKey, FileFault> {
    let file = disk.open(path, Access::Read).map_err(FileFault::Read)?;
    let size = file.size().map_err(FileFault::Read)?;
    if size != TRANSFER_BYTES as u64 {
        let bytes = usize::try_from(size).unwrap_or(usize::MAX);
        return Err(FileFault::Transfer(TransferFault::Bytes(bytes)));
    }
    let mut bytes = Zeroizing::new(vec![0; TRANSFER_BYTES]);
    read_exactly(&*file, &mut bytes, 0).map_err(FileFault::Read)?;
    transfer::read(&bytes).map_err(FileFault::Transfer)
}
