//! `strongroom tablespace rekey`: other keys for pages.

use std::sync::Arc;

use serde_json::json;
use strongroom_tablespace::disk::SystemDisk;
use strongroom_tablespace::disk::walk::Found;
use strongroom_tablespace::file::convert::{self, Target};
use strongroom_tablespace::file::{FileFault, Source, mariadb};
use strongroom_tablespace::page::Policy;
use strongroom_tablespace::rekey::{self, RekeyError, Rekeyed};
use strongroom_tablespace::{Encryption, Family, MasterKeySource};

use super::files::{self, Files};
use super::keyring::Keys;
use super::progress::{Bar, Unit};
use super::{Fault, random};
use crate::args::TablespaceRekeyArgs;
use crate::error::Error;
use crate::output::Output;

pub(super) fn run(args: &TablespaceRekeyArgs, output: Output) -> Result<(), Error> {
    let found = files::find(&args.files, output)?;
    let keys: Arc<dyn MasterKeySource> = Arc::new(Keys::open(&args.keys.keys, &args.keys.names, output)?);
    if args.target.resume {
        found.check_journal(&args.files)?;
        found.check_shutdown()?;
        let bar = Bar::new(Unit::Bytes, 0, output);
        let done = rekey::resume(&SystemDisk, &found.folder, &keys, bar.run(args.files.jobs))
            .map_err(Fault::Rekey)?;
        drop(bar);
        return print(&done.unwrap_or_default(), output);
    }
    let (mysql, mariadb) = sort(&found)?;
    let total = if args.target.in_place && !mysql.is_empty() { 0 } else { found.bytes() };
    let bar = Bar::new(Unit::Bytes, total, output);
    let mut rekeyed = Rekeyed::default();
    if !mysql.is_empty() && args.target.in_place {
        found.check_shutdown()?;
        rekeyed = rekey::rekey(&SystemDisk, &found.folder, &mysql, &keys, &random, bar.run(args.files.jobs))
            .map_err(Fault::Rekey)?;
    } else {
        for file in &mysql {
            let source = open(file)?;
            each(&source, &found, args, &mut rekeyed, |target| one(&source, &keys, target, &bar, args))?;
        }
    }
    // MariaDB's pages name their key, so its files need no journal: what was done already is seen in each.
    for file in &mariadb {
        let source = open(file)?;
        if args.target.in_place && is_latest(&source, keys.as_ref()).map_err(in_file(&source))? {
            rekeyed.unchanged += 1;
            continue;
        }
        each(&source, &found, args, &mut rekeyed, |target| {
            mariadb::rekey(&SystemDisk, &source, &keys, target, bar.run(args.files.jobs))
        })?;
    }
    drop(bar);
    print(&rekeyed, output)
}

/// The files of MySQL and those of MariaDB. Each is closed again: a data directory has more of them than a process may have
/// open.
fn sort(found: &Files) -> Result<(Vec<Found>, Vec<Found>), Error> {
    let mut sorted = Vec::new();
    for file in found.spaces() {
        if let Some(source) = Files::open(file, Policy::Any)? {
            sorted.push((file.clone(), source.space.family, source.is_encrypted()));
        }
    }
    if sorted.len() > 1 {
        // Of a whole directory, what is plain stays as it is.
        sorted.retain(|(_, _, is_encrypted)| *is_encrypted);
    }
    let (mariadb, mysql): (Vec<_>, Vec<_>) =
        sorted.into_iter().partition(|(_, family, _)| *family == Family::MariaDb);
    let files = |sorted: Vec<(Found, Family, bool)>| sorted.into_iter().map(|(file, ..)| file).collect();
    Ok((files(mysql), files(mariadb)))
}

fn open(file: &Found) -> Result<Source, Fault> {
    Source::open(&SystemDisk, &file.path, file.kind, Policy::Any)
        .map_err(|fault| Fault::Rekey(RekeyError::File(file.path.clone(), fault)))
}

fn in_file(source: &Source) -> impl Fn(FileFault) -> Fault {
    let path = source.path.clone();
    move |fault| Fault::Rekey(RekeyError::File(path.clone(), fault))
}

/// Does it with one file, into where its result goes.
fn each(
    source: &Source,
    found: &Files,
    args: &TablespaceRekeyArgs,
    rekeyed: &mut Rekeyed,
    work: impl FnOnce(Target<'_>) -> Result<(), FileFault>,
) -> Result<(), Error> {
    let path = match &args.target.out {
        Some(out) => found.target(&source.path, out)?,
        None => source.path.clone(),
    };
    let target = match args.target.in_place {
        true => Target::in_place(&path),
        false => Target::new_file(&path),
    };
    work(target).map_err(in_file(source))?;
    rekeyed.changed.push(path);
    Ok(())
}

/// Whether all pages of a file of MariaDB are encrypted with the latest version of its key.
fn is_latest(source: &Source, keys: &dyn MasterKeySource) -> Result<bool, FileFault> {
    match &source.space.encryption {
        Encryption::MariaDb(Ok(data)) => {
            let latest = keys.mariadb_latest_version(data.key_id).map_err(FileFault::Keys)?;
            Ok(latest == Some(data.min_key_version))
        }
        _ => Ok(false),
    }
}

fn one(
    source: &Source,
    keys: &Arc<dyn MasterKeySource>,
    target: Target<'_>,
    bar: &Bar,
    args: &TablespaceRekeyArgs,
) -> Result<(), FileFault> {
    let (_, new) = convert::new_information(source, keys.as_ref(), &random)?;
    convert::rekey_mysql(&SystemDisk, source, keys, &new, target, bar.run(args.files.jobs))
}

fn print(rekeyed: &Rekeyed, output: Output) -> Result<(), Error> {
    for gone in &rekeyed.gone {
        output.warn(format!("{} is no longer there", gone.display()));
    }
    if output.is_json() {
        return output.json(&json!({
            "changed": rekeyed.changed,
            "unchanged": rekeyed.unchanged,
            "gone": rekeyed.gone,
        }));
    }
    if rekeyed.changed.is_empty() {
        return output.result("nothing was left to do");
    }
    rekeyed.changed.iter().try_for_each(|path| output.result(format!("rekeyed {}", path.display())))
}
