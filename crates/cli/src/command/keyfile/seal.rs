//! `strongroom keyfile encrypt` and `decrypt`

use std::path::Path;

use serde_json::json;

use super::change::{self, Locked};
use super::{Fault, create, secret};
use crate::args::KeyfileSealArgs;
use crate::error::Error;
use crate::output::Output;

pub(super) fn encrypt(args: &KeyfileSealArgs, output: Output) -> Result<(), Error> {
    absent(args)?;
    // Looked at once before anybody is asked, and again under the lock that the change is made under.
    drop(Locked::open_plain(&args.file.file)?);
    let secret = secret::to_seal(&args.file, output)?;
    let locked = Locked::open_plain(&args.file.file)?;
    // A file that no server takes is easier to mend while it can be read.
    locked.lines()?;
    let options = &args.file.secret;
    write(args, &locked, &change::seal(locked.text(), &secret, secret::derivation(options))?)?;
    create::say_how_to_open(options, output);
    if args.out.is_none() {
        output.note("The disk may still hold the lines in the clear, as may backups and snapshots.");
    }
    print(args, true, output)
}

pub(super) fn decrypt(args: &KeyfileSealArgs, output: Output) -> Result<(), Error> {
    absent(args)?;
    let locked = Locked::open(&args.file)?;
    if !locked.is_sealed() {
        return Err(Fault::Plain(locked.path().to_path_buf()).into());
    }
    // A wrong secret passes the padding once in about 256 times, but what comes out are no lines.
    locked.lines()?;
    write(args, &locked, locked.text())?;
    output.note("A server that reads it must not have file_key_management_filekey set.");
    print(args, false, output)
}

fn absent(args: &KeyfileSealArgs) -> Result<(), Error> {
    args.out.as_deref().map_or(Ok(()), change::must_be_absent)
}

fn write(args: &KeyfileSealArgs, locked: &Locked, bytes: &[u8]) -> Result<(), Error> {
    match &args.out {
        Some(out) => change::write_new(out, bytes),
        None => locked.replace(bytes),
    }
}

fn print(args: &KeyfileSealArgs, encrypted: bool, output: Output) -> Result<(), Error> {
    if !output.is_json() {
        return Ok(());
    }
    let file: &Path = args.out.as_deref().unwrap_or(&args.file.file);
    output.json(&json!({ "file": file, "encrypted": encrypted }))
}
