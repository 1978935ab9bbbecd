//! `strongroom keyfile check` and `list`: what a server would find in the file.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;
use strongroom_keyring::key_file::{Contents, KeyFile, Location};

use super::in_use::{self, InUse};
use super::{Fault, change, secret};
use crate::args::{KeyfileCheckArgs, KeyfileReadArgs};
use crate::error::Error;
use crate::output::{Output, Table, WIDTH, wrap};

/// The rights that let somebody outside owner and group at the keys, or somebody in the group change them.
const OPEN_RIGHTS: u32 = 0o027;

pub(super) fn check(args: &KeyfileCheckArgs, output: Output) -> Result<(), Error> {
    let contents = contents(&args.file)?;
    let lines = &contents.lines;
    let pairs: Vec<_> =
        lines.entries.iter().map(|entry| (entry.key.id.0, entry.key.version.number())).collect();
    let keys = pairs.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len();
    let versions = pairs.len();
    let names_versions = change::names_versions(lines);
    let warnings = warnings(&args.file, &contents);
    let in_use = in_use::ask(&args.server, &pairs)?;
    let faults = in_use.as_ref().map(InUse::faults).unwrap_or_default();
    if !faults.is_empty() {
        return Err(Fault::InUse(faults).into());
    }
    if output.is_json() {
        return output.json(&json!({
            "file": args.file.file,
            "encrypted": contents.sealed,
            "keys": keys,
            "versions": versions,
            "names_versions": names_versions,
            "warnings": warnings,
            "server": in_use,
        }));
    }
    for warning in warnings {
        output.warn(warning);
    }
    output.result(format!(
        "{} is good: {}, {}{}",
        args.file.file.display(),
        counted(keys, "key"),
        counted(versions, "version"),
        if contents.sealed { ", encrypted" } else { "" }
    ))?;
    if names_versions {
        output.note("It names versions (id;version;hex): MariaDB's own plugin would refuse it.");
    }
    if let Some(in_use) = &in_use {
        output.result(in_use.table())?;
        output.result(wrap(in_use.remark(), WIDTH, "  "))?;
    }
    Ok(())
}

pub(super) fn list(args: &KeyfileReadArgs, output: Output) -> Result<(), Error> {
    let entries = contents(args)?.lines.entries;
    let rows = entries.iter().enumerate().map(|(position, entry)| {
        let is_latest = entries.get(position + 1).is_none_or(|next| next.key.id != entry.key.id);
        (entry, entry.key.material.len() * 8, is_latest)
    });
    if output.is_json() {
        let rows: Vec<_> = rows
            .map(|(entry, bits, is_latest)| {
                json!({
                    "key_id": entry.key.id.0,
                    "version": entry.key.version.number(),
                    "bits": bits,
                    "latest": is_latest,
                    "line": entry.line,
                })
            })
            .collect();
        return output.json(&rows);
    }
    let mut table = Table::new(&["Key ID", "Version", "Bits", "Latest", "Line"]);
    for (entry, bits, is_latest) in rows {
        table.row([
            entry.key.id.to_string(),
            entry.key.version.to_string(),
            bits.to_string(),
            if is_latest { "yes" } else { "no" }.to_owned(),
            entry.line.to_string(),
        ]);
    }
    output.result(table)
}

/// Read exactly as the plugin reads it.
fn contents(args: &KeyfileReadArgs) -> Result<Contents, Error> {
    let file_key = secret::to_open(args)?;
    let location = Location::Path(args.file.clone());
    let file = KeyFile::new(Some(location), file_key, secret::derivation(&args.secret));
    file.contents().map_err(|error| Fault::Read(error).into())
}

/// What a server takes in silence, and a person should know.
fn warnings(args: &KeyfileReadArgs, contents: &Contents) -> Vec<String> {
    let lines = &contents.lines;
    let mut warnings: Vec<String> = lines
        .replaced
        .iter()
        .map(|replaced| {
            format!(
                "line {} does not count: line {} has the same key and version",
                replaced.line, replaced.by
            )
        })
        .collect();
    if lines.cut_by_zero {
        warnings
            .push(format!("a zero byte ends the file in line {}; what follows is not read", lines.last_line));
    }
    let files = [Some(args.file.as_path()), args.secret.filekey.as_deref()];
    warnings.extend(files.into_iter().flatten().filter_map(open_to_others));
    warnings
}

fn open_to_others(path: &Path) -> Option<String> {
    let about = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mode = about.mode() & 0o777;
    (mode & OPEN_RIGHTS != 0).then(|| {
        format!("{} has mode {mode:04o}, so that others can get at it; chmod 0600 (or 0640)", path.display())
    })
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
