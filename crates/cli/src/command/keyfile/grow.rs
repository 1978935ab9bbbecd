//! `strongroom keyfile add` and `rotate`: one line more.

use std::path::Path;

use serde_json::json;
use strongroom_keyring::key_file::append;
use strongroom_keyring::key_file::text::{self, Lines};
use strongroom_keyring::versions::{KeyId, KeyVersion, VersionedKey};

use super::Fault;
use super::change::{self, Locked};
use crate::args::{KeyfileAddArgs, KeyfileRotateArgs};
use crate::error::Error;
use crate::output::Output;

pub(super) fn add(args: &KeyfileAddArgs, output: Output) -> Result<(), Error> {
    let locked = Locked::open(&args.file)?;
    let id = KeyId(args.key_id);
    let lines = locked.lines_to_add(id)?;
    if let Some(latest) = latest(&lines, id) {
        let path = args.file.file.clone();
        return Err(Fault::Exists { path, id, latest: latest.version }.into());
    }
    let key = append::generate(args.bits).map_err(Fault::Change)?;
    locked.append(&text::line(id, KeyVersion::FIRST, &key))?;
    say_how_to_reload(output);
    print(&args.file.file, id, KeyVersion::FIRST, args.bits, output)
}

pub(super) fn rotate(args: &KeyfileRotateArgs, output: Output) -> Result<(), Error> {
    let locked = Locked::open(&args.file)?;
    let id = KeyId(args.key_id);
    let lines = locked.lines()?;
    let latest = latest(&lines, id).ok_or_else(|| Fault::NoSuchKey(args.file.file.clone(), id))?;
    let version = latest.version.later(args.step).ok_or(Fault::VersionsExhausted(id))?;
    let bits = latest.material.len() as u64 * 8;
    let key = append::generate(bits).map_err(Fault::Change)?;
    let is_first_with_version = !change::names_versions(&lines);
    locked.append(&text::line(id, version, &key))?;

    if is_first_with_version {
        output.warn(
            "the file now names versions (id;version;hex): MariaDB's own plugin refuses such a file (\"Invalid key\"), \
             Strongroom's reads it",
        );
    }
    if args.step == 1 {
        output.warn("a step of 1 leaves old pages as they are: MariaDB re-encrypts from a distance of 2 on");
    } else {
        output.note(format!(
            "The version rose by {}: with innodb_encryption_rotate_key_age=1, MariaDB\nre-encrypts pages that are 2 or \
             more behind.",
            args.step
        ));
    }
    say_how_to_reload(output);
    print(&args.file.file, id, version, bits, output)
}

fn latest(lines: &Lines, id: KeyId) -> Option<&VersionedKey> {
    lines.entries.iter().map(|entry| &entry.key).filter(|key| key.id == id).max_by_key(|key| key.version)
}

fn say_how_to_reload(output: Output) {
    // Without LOCAL the statement goes to the replicas, and stops those that lack the plugin.
    output.note("Running servers take it up by FLUSH LOCAL FILE_KEY_MANAGEMENT_KEYS.");
}

fn print(path: &Path, id: KeyId, version: KeyVersion, bits: u64, output: Output) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&json!({
            "file": path, "key_id": id.0, "version": version.number(), "bits": bits,
        }));
    }
    output.result(version)
}
