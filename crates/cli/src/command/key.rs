//! `strongroom key …`: keys by id and owner, as MySQL's keyring has them.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde_json::json;
use strongroom_client::Session;
use strongroom_keyring::backend::Kmip;
use strongroom_keyring::{Description, KeyKind, KeyName, Keyring};
use strongroom_kmip::attribute::{AttributeKind, Attributes};

use super::endpoint_session;
use crate::args::{KeyCommand, KeyFetchArgs, KeyGenerateArgs, KeyNameArgs, KeyRemoveArgs, KeyType};
use crate::error::Error;
use crate::output::{Output, printable, utc};
use crate::terminal;

pub(crate) fn run(command: &KeyCommand, output: Output) -> Result<(), Error> {
    match command {
        KeyCommand::Generate(args) => generate(args, output),
        KeyCommand::Fetch(args) => fetch(args, output),
        KeyCommand::Remove(args) => remove(args, output),
        KeyCommand::Show(args) => show(args, output),
    }
}

fn generate(args: &KeyGenerateArgs, output: Output) -> Result<(), Error> {
    let (name, keyring) = open(&args.key, output)?;
    let kind = match args.key_type {
        KeyType::Aes => KeyKind::Aes,
        KeyType::Secret => KeyKind::Secret,
    };
    if !args.bits.is_multiple_of(8) {
        return Err(Error::Bits(args.bits));
    }
    keyring.generate(&name, kind, args.bits as usize / 8).map_err(Error::Keyring)?;
    let made = found(&name, keyring.describe(&name))?;
    if output.is_json() {
        return output.json(&json!({
            "unique_id": made.identifier,
            "id": name.id(),
            "owner": name.owner(),
            "type": kind.to_string(),
            "bits": args.bits,
        }));
    }
    output.result(made.identifier)
}

fn fetch(args: &KeyFetchArgs, output: Output) -> Result<(), Error> {
    if let Some(path) = &args.out
        && path.exists()
    {
        return Err(Error::Exists { path: path.clone() });
    }
    let (name, keyring) = open(&args.key, output)?;
    let key = found(&name, keyring.fetch(&name))?;
    match &args.out {
        Some(path) => write_new(path, key.material.as_bytes()),
        None => output.bytes(key.material.as_bytes()),
    }
}

fn remove(args: &KeyRemoveArgs, output: Output) -> Result<(), Error> {
    let (name, keyring) = open(&args.key, output)?;
    let described = found(&name, keyring.describe(&name))?;
    if !args.yes {
        let question = format!(
            "Key {name} ({} bits) will be destroyed, and what it encrypted is lost.\nType its id to go on:",
            described.bytes * 8
        );
        match terminal::confirm(&question, name.id()) {
            Ok(true) => {}
            Ok(false) => return Err(Error::NotConfirmed),
            Err(Error::NoTerminal) => return Err(Error::NeedsYes),
            Err(error) => return Err(error),
        }
    }
    if keyring.remove(&name).map_err(Error::Keyring)? {
        output.note(format!("Key {name} is destroyed."));
        Ok(())
    } else {
        Err(Error::NoSuchKey { name: name.to_string() })
    }
}

/// What is shown of a key beyond what the keyring knows.
const SHOWN: [AttributeKind; 6] = [
    AttributeKind::State,
    AttributeKind::ObjectGroup,
    AttributeKind::InitialDate,
    AttributeKind::ActivationDate,
    AttributeKind::DeactivationDate,
    AttributeKind::LastChangeDate,
];

fn show(args: &KeyNameArgs, output: Output) -> Result<(), Error> {
    let (name, keyring) = open(args, output)?;
    let described = found(&name, keyring.describe(&name))?;
    let attributes = session(args, output)?
        .get_attributes(&described.identifier, &SHOWN)
        .map_err(Error::Client)?
        .ok_or_else(|| Error::NoSuchKey { name: name.to_string() })?;
    if output.is_json() {
        return output.json(&document(&described, &attributes));
    }
    output.result(text(&described, &attributes))
}

fn text(key: &Description, attributes: &Attributes) -> String {
    let mut lines = vec![
        ("Key id", key.name.id().to_owned()),
        ("Owner", key.name.owner().unwrap_or("-").to_owned()),
        ("Unique ID", key.identifier.clone()),
        ("Type", key.kind.to_string()),
        ("Length", format!("{} bits", key.bytes * 8)),
        ("State", attributes.state().map_or_else(|| "-".to_owned(), |state| state.to_string())),
    ];
    lines.extend(attributes.object_groups().map(|group| ("Group", group.to_owned())));
    lines.extend(dates(attributes).into_iter().map(|(label, _, seconds)| (label, utc(seconds))));
    let lines: Vec<String> =
        lines.into_iter().map(|(label, value)| format!("{label:<12} {}", printable(&value))).collect();
    lines.join("\n")
}

fn document(key: &Description, attributes: &Attributes) -> serde_json::Value {
    let mut document = json!({
        "id": key.name.id(),
        "owner": key.name.owner(),
        "unique_id": key.identifier,
        "type": key.kind.to_string(),
        "bits": key.bytes * 8,
        "state": attributes.state().map(|state| state.to_string()),
        "groups": attributes.object_groups().collect::<Vec<_>>(),
    });
    for (_, member, seconds) in dates(attributes) {
        document[member] = utc(seconds).into();
    }
    document
}

/// The dates that the key has: label, JSON member, seconds since the epoch.
fn dates(attributes: &Attributes) -> Vec<(&'static str, &'static str, i64)> {
    [
        ("Made", "initial_date", attributes.initial_date()),
        ("Active from", "activation_date", attributes.activation_date()),
        ("Active until", "deactivation_date", attributes.deactivation_date()),
        ("Changed", "last_change_date", attributes.last_change_date()),
    ]
    .into_iter()
    .filter_map(|(label, member, date)| Some((label, member, date?.0)))
    .collect()
}

fn open(args: &KeyNameArgs, output: Output) -> Result<(KeyName, Keyring), Error> {
    let name = KeyName::new(&args.id, args.owner.as_deref()).map_err(Error::KeyName)?;
    Ok((name, Keyring::from(Kmip::new(session(args, output)?, None))))
}

fn session(args: &KeyNameArgs, output: Output) -> Result<Session, Error> {
    endpoint_session::session(&args.conf.conf, output)
}

fn found<T>(name: &KeyName, answer: Result<Option<T>, strongroom_keyring::Error>) -> Result<T, Error> {
    answer.map_err(Error::Keyring)?.ok_or_else(|| Error::NoSuchKey { name: name.to_string() })
}

/// Writes a key to a file that does not exist yet and that nobody else can read. It gets its name once all of it is on the disk,
/// so that a crash leaves no file that looks like a key and is half of one.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path: path.into() },
        _ => Error::Write { path: path.into(), source },
    };
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(|source| Error::Write { path: path.into(), source })?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| rename_new(&beside, path));
    if let Err(source) = written {
        let _ = std::fs::remove_file(&beside);
        return Err(failed(source));
    }
    // A folder that may be written to and not read cannot be synced either; the key is there all the same.
    let _ = File::open(folder_of(path)).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Renames, and fails where the new name is taken. Some network file systems cannot, but give one file two names.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        result => Ok(result?),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_key_is_written_whole_for_its_owner_alone_and_over_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_new(&path, &[7; 32]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [7; 32]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        assert!(matches!(write_new(&path, &[8; 32]), Err(Error::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), [7; 32]);
        let dangling = folder.path().join("dangling");
        symlink("nowhere", &dangling).unwrap();
        assert!(matches!(write_new(&dangling, &[8; 32]), Err(Error::Exists { .. })));
        assert!(matches!(write_new(&folder.path().join("no/key"), &[8; 32]), Err(Error::Write { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
    }
}
