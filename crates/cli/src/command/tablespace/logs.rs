//! `strongroom tablespace logs`: redo and binary logs, decrypted for who wants to look into them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use strongroom_tablespace::disk::SystemDisk;
use strongroom_tablespace::disk::walk::{FileKind, Found};
use strongroom_tablespace::file::convert::Target;
use strongroom_tablespace::file::logs::{self, Log};
use strongroom_tablespace::mysql::binlog::{self, BinlogHeader};
use strongroom_tablespace::mysql::redo::{self, RedoHeader};

use super::Fault;
use super::files;
use super::keyring::Keys;
use super::progress::{Bar, Unit};
use crate::args::TablespaceLogsArgs;
use crate::error::Error;
use crate::output::Output;

pub(super) fn run(args: &TablespaceLogsArgs, output: Output) -> Result<(), Error> {
    let found = files::find(&args.files, output)?;
    let keys = Keys::open(&args.keys.keys, &args.keys.names, output)?;
    // Of a data directory, the tablespaces are passed over; a file that was named is taken at its word.
    let is_log = |file: &&Found| matches!(file.kind, FileKind::Redo | FileKind::Named);
    let mut logs: Vec<Found> = found.all.iter().filter(is_log).cloned().collect();
    for root in found.roots() {
        logs.extend(binary_logs(root)?);
    }
    if logs.is_empty() {
        return Err(Fault::Nothing.into());
    }
    let total = logs.iter().filter_map(|file| file.path.metadata().ok()).map(|about| about.len()).sum();
    let bar = Bar::new(Unit::Bytes, total, output);
    // One file of a redo log has the key of all.
    let mut redo_key = None;
    for file in found.all.iter().filter(|file| file.kind == FileKind::Redo) {
        let failed = |fault| Fault::File(file.path.clone(), fault);
        if let Some(key) = logs::redo_key(&SystemDisk, &file.path, &keys).map_err(failed)? {
            redo_key = Some(key);
        }
    }
    let mut rows = Vec::new();
    for file in &logs {
        let target = found.target(&file.path, &args.out)?;
        let done = logs::decrypt(
            &SystemDisk,
            &file.path,
            &keys,
            redo_key.as_ref(),
            Target::new_file(&target),
            bar.run(args.files.jobs),
        )
        .map_err(|fault| Fault::File(file.path.clone(), fault))?;
        rows.push((file.path.clone(), target, done));
    }
    drop(bar);
    print(&rows, output)
}

/// The binary and relay logs of a directory, which have any name.
fn binary_logs(folder: &Path) -> Result<Vec<Found>, Error> {
    let failed = |source| Error::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() && is_binary(&path) {
            found.push(Found { path, kind: FileKind::Named });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn print(rows: &[(PathBuf, PathBuf, logs::Decrypted)], output: Output) -> Result<(), Error> {
    let name = |log: Log| match log {
        Log::Redo => "redo log",
        Log::Binary => "binary log",
    };
    if output.is_json() {
        let rows = rows.iter().map(|(from, to, done)| {
            json!({ "file": from, "out": to, "kind": name(done.log), "was_encrypted": done.was_encrypted })
        });
        return output.json(&rows.collect::<Vec<_>>());
    }
    for (from, to, done) in rows {
        let verb = if done.was_encrypted { "decrypted" } else { "copied (it is not encrypted)" };
        output.result(format!("{verb} {} {} to {}", name(done.log), from.display(), to.display()))?;
    }
    Ok(())
}

/// Whether a file begins as a binary log.
pub(super) fn is_binary(path: &Path) -> bool {
    binlog::is_encrypted(&start(path)).is_some()
}

/// What a log file says of itself.
pub(super) fn describe(path: &Path) -> Value {
    let head = start(path);
    match binlog::is_encrypted(&head) {
        Some(true) => match BinlogHeader::parse(&head) {
            Ok(header) => json!({ "kind": "binary log", "encrypted": true, "master_key": header.key_id() }),
            Err(fault) => json!({ "kind": "binary log", "encryption_fault": fault.to_string() }),
        },
        Some(false) => {
            json!({ "kind": "binary log", "encrypted": binlog::is_mariadb_encrypted(&head) })
        }
        None => match RedoHeader::parse(&head) {
            Ok(header) => json!({
                "kind": "redo log",
                "redo_format": header.format,
                "made_by": header.creator,
                "checkpoint": header.checkpoint(),
                "master_key": header.information.ok().flatten().map(|information| information.master_key().to_string()),
            }),
            Err(fault) => json!({ "kind": "redo log", "fault": fault.to_string() }),
        },
    }
}

fn start(path: &Path) -> Vec<u8> {
    let mut head = Vec::with_capacity(redo::HEADER_BYTES);
    // A file that cannot be read is one that says nothing of itself.
    let _ = File::open(path).and_then(|file| file.take(redo::HEADER_BYTES as u64).read_to_end(&mut head));
    head
}
