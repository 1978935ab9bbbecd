//! `strongroom tablespace rotate`: another master key for all tablespaces of a server.
//!
//! The new key is durable in the keyring before a file is touched, so that a server finds it whatever happens.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;
use strongroom_tablespace::MasterKeySource;
use strongroom_tablespace::disk::SystemDisk;
use strongroom_tablespace::disk::walk::Server;
use strongroom_tablespace::journal::{Journal, JournalError};
use strongroom_tablespace::mysql::{MasterKeyId, ServerUuid};
use strongroom_tablespace::rotate::{self, RotateError, Rotated, Survey};

use super::files::{self, Files};
use super::keyring::Keys;
use super::progress::{Bar, Unit};
use super::{Fault, counted};
use crate::args::TablespaceRotateArgs;
use crate::error::Error;
use crate::output::Output;

/// Numbers that are passed over because the keyring has keys of them that it does not list.
const TAKEN_MAX: u32 = 1000;
/// The file of a data directory that has the server's uuid, and the line in it.
const AUTO_CNF: &str = "auto.cnf";
const UUID_LINE: &str = "server-uuid=";

pub(super) fn run(args: &TablespaceRotateArgs, output: Output) -> Result<(), Error> {
    let found = files::find(&args.files, output)?;
    if let Some(directory) = found.data_directories.iter().find(|found| found.server == Server::MariaDb) {
        return Err(Fault::MariaDbDirectory(directory.path.clone()).into());
    }
    let keys = Keys::open(&args.keys.keys, &args.keys.names, output)?;
    if args.resume {
        // A server that was started since, and killed, would put old headers over new ones.
        found.check_journal(&args.files)?;
        found.check_shutdown()?;
        let bar = Bar::new(Unit::Files, 0, output);
        let done = rotate::resume(&SystemDisk, &found.folder, &keys, bar.run(args.files.jobs))
            .map_err(Fault::Rotate)?;
        drop(bar);
        return match done {
            Some(rotated) => print(&rotated, output),
            None => nothing(output),
        };
    }
    // Before a key is made for nothing.
    if Journal::find(&SystemDisk, &found.folder)
        .map_err(RotateError::Journal)
        .map_err(Fault::Rotate)?
        .is_some()
    {
        let unfinished = JournalError::Unfinished(Journal::path_in(&found.folder));
        return Err(Fault::Rotate(RotateError::Journal(unfinished)).into());
    }
    found.check_shutdown()?;
    let silent = Bar::new(Unit::Files, 0, output);
    let survey =
        rotate::survey(&SystemDisk, &found.all, &keys, silent.run(args.files.jobs)).map_err(Fault::Rotate)?;
    drop(silent);
    let uuid = server(args, &found, &survey)?;
    let number = new_key(&keys, &survey, uuid)?;
    let id = MasterKeyId::Uuid { uuid, number };
    let master = keys.mysql_key(&id.to_string()).map_err(|error| Fault::Rotate(RotateError::Keys(error)))?;
    let master = master.ok_or_else(|| Fault::Rotate(RotateError::KeyGone(id.to_string())))?;
    let bar = Bar::new(Unit::Files, survey.encrypted.len() as u64, output);
    let rotated = rotate::rotate(
        &SystemDisk,
        &found.folder,
        &survey.encrypted,
        &keys,
        uuid,
        number,
        &master,
        bar.run(args.files.jobs),
    );
    drop(bar);
    print(&rotated.map_err(Fault::Rotate)?, output)
}

/// The server whose master keys these are.
fn server(args: &TablespaceRotateArgs, found: &Files, survey: &Survey) -> Result<ServerUuid, Error> {
    if let Some(text) = &args.server_uuid {
        return ServerUuid::new(text.as_bytes()).ok_or_else(|| Fault::NotAUuid(text.clone()).into());
    }
    let of_directories = found.data_directories.iter().filter_map(|directory| uuid_of(&directory.path));
    Ok(only(of_directories.collect(), survey.highest.keys().copied())?)
}

/// The server that the data directories name or, where none does, the files and the keyring. Two servers have two keyrings,
/// and neither could open its files under the other's key.
fn only(
    of_directories: BTreeSet<ServerUuid>,
    of_keys: impl Iterator<Item = ServerUuid>,
) -> Result<ServerUuid, Fault> {
    let candidates: Vec<ServerUuid> = match of_directories.is_empty() {
        true => of_keys.collect(),
        false => of_directories.into_iter().collect(),
    };
    match candidates.as_slice() {
        [only] => Ok(*only),
        several => Err(Fault::WhichServer(several.iter().map(ToString::to_string).collect())),
    }
}

fn uuid_of(data_directory: &Path) -> Option<ServerUuid> {
    let text = fs::read_to_string(data_directory.join(AUTO_CNF)).ok()?;
    let uuid = text.lines().find_map(|line| line.trim().strip_prefix(UUID_LINE))?;
    ServerUuid::new(uuid.trim().as_bytes())
}

/// Makes the next master key, and says its number.
fn new_key(keys: &Keys, survey: &Survey, uuid: ServerUuid) -> Result<u32, Error> {
    let first = survey.next_number(uuid).ok_or(Fault::NumbersExhausted)?;
    for number in (first..=u32::MAX).take(TAKEN_MAX as usize) {
        if keys.make_mysql_key(&MasterKeyId::Uuid { uuid, number }.to_string())? {
            return Ok(number);
        }
    }
    Err(Fault::NumbersExhausted.into())
}

fn nothing(output: Output) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&json!({ "changed": 0, "unchanged": 0 }));
    }
    output.result("nothing was interrupted")
}

fn print(rotated: &Rotated, output: Output) -> Result<(), Error> {
    let key = MasterKeyId::Uuid { uuid: rotated.server_uuid, number: rotated.number };
    for gone in &rotated.gone {
        output.warn(format!("{} is no longer there", gone.display()));
    }
    if output.is_json() {
        return output.json(&json!({
            "master_key": key.to_string(),
            "server_uuid": rotated.server_uuid.to_string(),
            "master_key_number": rotated.number,
            "changed": rotated.changed,
            "unchanged": rotated.unchanged,
            "gone": rotated.gone,
        }));
    }
    output.note("Keep the old master keys: backups need them.");
    output.result(format!("{} under {key}", counted(rotated.changed, "file")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_are_not_put_under_one_of_their_keys() {
        let uuid = |last: char| {
            ServerUuid::new(format!("00000000-0000-0000-0000-00000000000{last}").as_bytes()).unwrap()
        };
        let (one, two) = (uuid('1'), uuid('2'));
        let of = |directories: &[ServerUuid], keys: &[ServerUuid]| {
            only(directories.iter().copied().collect(), keys.iter().copied())
        };
        assert_eq!(of(&[one], &[one, two]).unwrap(), one);
        assert_eq!(of(&[], &[two]).unwrap(), two);
        assert!(matches!(of(&[one, two], &[]), Err(Fault::WhichServer(servers)) if servers.len() == 2));
        assert!(matches!(of(&[], &[]), Err(Fault::WhichServer(servers)) if servers.is_empty()));
    }
}
