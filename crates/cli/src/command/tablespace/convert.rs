//! `strongroom tablespace decrypt`, `encrypt`, `export` and `import`: other files from tablespaces.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use strongroom_tablespace::disk::draft::Place;
use strongroom_tablespace::disk::walk::{self, Server};
use strongroom_tablespace::disk::{SystemDisk, folder_of};
use strongroom_tablespace::file::convert::{self, MasterKey, Target};
use strongroom_tablespace::file::{FileFault, Refusal, Source, mariadb, transfer};
use strongroom_tablespace::mariadb::Mode;
use strongroom_tablespace::mysql::{MasterKeyId, ServerUuid};
use strongroom_tablespace::page::Policy;
use strongroom_tablespace::rotate;
use strongroom_tablespace::{Evidence, Family, MasterKeySource};

use super::files::{self, Files};
use super::keyring::Keys;
use super::progress::{Bar, Unit};
use super::{Fault, random};
use crate::args::{
    FilesArgs, PageAlgorithm, TablespaceDecryptArgs, TablespaceEncryptArgs, TablespaceExportArgs,
    TablespaceImportArgs, TargetArgs,
};
use crate::error::Error;
use crate::output::Output;

pub(super) fn decrypt(args: &TablespaceDecryptArgs, output: Output) -> Result<(), Error> {
    let keys: Arc<dyn MasterKeySource> = Arc::new(Keys::open(&args.keys.keys, &args.keys.names, output)?);
    let work = Each { files: &args.files, target: &args.target, done: "decrypted", output };
    work.run(|source, target, bar| {
        convert::decrypt(&SystemDisk, source, &keys, target, bar.run(args.files.jobs))
    })
}

pub(super) fn encrypt(args: &TablespaceEncryptArgs, output: Output) -> Result<(), Error> {
    let keys = Keys::open(&args.keys.keys, &args.keys.names, output)?;
    let family = keys.family();
    let keys: Arc<dyn MasterKeySource> = Arc::new(keys);
    let work = Each { files: &args.files, target: &args.target, done: "encrypted", output };
    if let Some(key_id) = args.key_id {
        let mode = match args.encryption_algorithm {
            PageAlgorithm::AesCbc => Mode::Cbc,
            PageAlgorithm::AesCtr => Mode::Ctr,
        };
        return work.run(|source, target, bar| {
            if family_of(source) == Some(Family::MySql) {
                return Err(FileFault::Refused(Refusal::MySql));
            }
            let run = bar.run(args.files.jobs);
            mariadb::encrypt(&SystemDisk, source, &keys, key_id, mode, &random, target, run)
        });
    }
    if family == Some(Family::MariaDb) {
        return Err(Fault::Keys(Refusal::NoKeyId).into());
    }
    let master = latest_master(keys.as_ref(), args.server_uuid.as_deref())?;
    let family = family.or(args.server_uuid.as_ref().map(|_| Family::MySql));
    work.run(|source, target, bar| match family_of(source).or(family) {
        Some(Family::MySql) => {
            convert::encrypt_mysql(&SystemDisk, source, &master, &random, target, bar.run(args.files.jobs))
        }
        Some(Family::MariaDb) => Err(FileFault::Refused(Refusal::NoKeyId)),
        None => Err(FileFault::Refused(Refusal::WhichFamily)),
    })
}

/// Whose a file is: as it says itself, or else as the data directory that it is in says.
fn family_of(source: &Source) -> Option<Family> {
    if source.space.evidence != Evidence::Neither {
        return Some(source.space.family);
    }
    let folder = folder_of(&source.path);
    [folder, folder_of(folder)].into_iter().find_map(|folder| match walk::data_directory(folder).server {
        Server::MySql => Some(Family::MySql),
        Server::MariaDb => Some(Family::MariaDb),
        Server::Unknown => None,
    })
}

pub(super) fn import(args: &TablespaceImportArgs, output: Output) -> Result<(), Error> {
    let keys = Keys::open(&args.keys.keys, &args.keys.names, output)?;
    if keys.family() == Some(Family::MariaDb) {
        return Err(Fault::Keys(Refusal::MariaDb).into());
    }
    let master = latest_master(&keys, args.server_uuid.as_deref())?;
    let work = Each { files: &args.files, target: &args.target, done: "imported", output };
    work.run(|source, target, bar| {
        if !source.is_encrypted() {
            return Err(FileFault::Refused(Refusal::Plain));
        }
        let path = args.transfer.clone().unwrap_or_else(|| transfer::beside(&source.path));
        let key = transfer::read(&SystemDisk, &path)?;
        convert::adopt_mysql(&SystemDisk, source, &key, &master, target, bar.run(args.files.jobs))
    })
}

pub(super) fn export(args: &TablespaceExportArgs, output: Output) -> Result<(), Error> {
    let keys = Keys::open(&args.keys.keys, &args.keys.names, output)?;
    let found = files::find(&args.files, output)?;
    let mut results = Vec::new();
    for file in found.spaces() {
        let Some(source) = Files::open(file, Policy::Any)? else { continue };
        let target = match &args.out {
            None => transfer::beside(&file.path),
            Some(out) => match found.target(&file.path, out)? {
                below if below == *out => below,
                below => transfer::beside(&below),
            },
        };
        let done = transfer::export(&SystemDisk, &source, &keys, &random, Target::new_file(&target));
        results.push(outcome(&found, &file.path, target, done)?);
    }
    output.note("Whoever has a tablespace and its transfer file can read it: carry them apart, and remove it after the import.");
    print(&results, "exported", output)
}

/// The latest master key of a server in a keyring.
///
/// # Errors
/// [`Fault::WhichServer`], [`Fault::NotAUuid`], [`Fault::NoMasterKey`], [`Fault::Rotate`] where the keyring could not be asked.
fn latest_master(keys: &dyn MasterKeySource, server_uuid: Option<&str>) -> Result<MasterKey, Error> {
    let mut latest: BTreeMap<ServerUuid, u32> = BTreeMap::new();
    for (uuid, number) in rotate::numbered(keys).map_err(Fault::Rotate)? {
        let highest = latest.entry(uuid).or_default();
        *highest = number.max(*highest);
    }
    let uuid = match server_uuid {
        Some(text) => ServerUuid::new(text.as_bytes()).ok_or_else(|| Fault::NotAUuid(text.to_owned()))?,
        None => match latest.keys().collect::<Vec<_>>().as_slice() {
            [only] => **only,
            several => {
                return Err(Fault::WhichServer(several.iter().map(ToString::to_string).collect()).into());
            }
        },
    };
    // A source of one key lists none, and the server's first is as good a name for it as any.
    let number = latest.get(&uuid).copied().unwrap_or(1);
    let id = MasterKeyId::Uuid { uuid, number };
    let material =
        keys.mysql_key(&id.to_string()).map_err(|error| Fault::Rotate(rotate::RotateError::Keys(error)))?;
    let material = material.ok_or_else(|| Fault::NoMasterKey(uuid.to_string()))?;
    Ok(MasterKey { id, material })
}

/// The same done with each file.
struct Each<'a> {
    files: &'a FilesArgs,
    target: &'a TargetArgs,
    done: &'static str,
    output: Output,
}

impl Each<'_> {
    fn run(&self, work: impl Fn(&Source, Target<'_>, &Bar) -> Result<(), FileFault>) -> Result<(), Error> {
        let found = files::find(self.files, self.output)?;
        if self.target.out.is_none() {
            found.check_shutdown()?;
        }
        let bar = Bar::new(Unit::Bytes, found.bytes(), self.output);
        let mut results = Vec::new();
        for file in found.spaces() {
            let Some(source) = Files::open(file, Policy::Any)? else { continue };
            let (path, place) = match &self.target.out {
                Some(out) => (found.target(&file.path, out)?, Place::Free),
                None => (file.path.clone(), Place::Taken),
            };
            let done = work(&source, Target { path: &path, place }, &bar);
            results.push(outcome(&found, &file.path, path, done)?);
        }
        drop(bar);
        print(&results, self.done, self.output)
    }
}

/// A file, and what became of it: where the result is, or why it was left alone.
type Outcome = (PathBuf, Result<PathBuf, Refusal>);

/// What is not for a verb is left alone where it was met in a directory, and said to whoever named it.
fn outcome(found: &Files, from: &Path, to: PathBuf, done: Result<(), FileFault>) -> Result<Outcome, Fault> {
    match done {
        Ok(()) => Ok((from.to_owned(), Ok(to))),
        Err(FileFault::Refused(refusal @ (Refusal::Plain | Refusal::Encrypted | Refusal::System)))
            if !found.is_named(from) =>
        {
            Ok((from.to_owned(), Err(refusal)))
        }
        Err(fault) => Err(Fault::File(from.to_owned(), fault)),
    }
}

fn print(results: &[Outcome], done: &str, output: Output) -> Result<(), Error> {
    // A directory of which nothing is for the verb is a mistake.
    if let Some((path, Err(refusal))) = results.first()
        && results.iter().all(|(_, result)| result.is_err())
    {
        return Err(Fault::File(path.clone(), FileFault::Refused(*refusal)).into());
    }
    if output.is_json() {
        let rows = results.iter().map(|(from, result)| match result {
            Ok(to) => json!({ "file": from, "out": to, "outcome": done }),
            Err(refusal) => json!({ "file": from, "outcome": "left alone", "reason": refusal.to_string() }),
        });
        return output.json(&rows.collect::<Vec<_>>());
    }
    for (from, result) in results {
        match result {
            Ok(to) if from == to => output.result(format!("{done} {}", from.display()))?,
            Ok(to) => output.result(format!("{done} {} to {}", from.display(), to.display()))?,
            Err(refusal) => output.result(format!("left alone {}: {refusal}", from.display()))?,
        }
    }
    Ok(())
}
