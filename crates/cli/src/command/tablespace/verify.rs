//! `strongroom tablespace verify`: every page decrypted and checked.

use std::sync::Arc;

use serde_json::json;
use strongroom_tablespace::MasterKeySource;
use strongroom_tablespace::file::verify;
use strongroom_tablespace::page::{Algorithm, Policy};

use super::fault::{file_exit, pages_exit};
use super::files::{self, Files};
use super::keyring::Keys;
use super::progress::{Bar, Unit};
use super::{Fault, counted};
use crate::args::{StrictChecksum, TablespaceVerifyArgs};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Output, Table, printable};

pub(super) fn run(args: &TablespaceVerifyArgs, output: Output) -> Result<(), Error> {
    let found = files::find(&args.files, output)?;
    let keys: Arc<dyn MasterKeySource> = Arc::new(Keys::open(&args.keys.keys, &args.keys.names, output)?);
    let checksums = match args.strict {
        None => Policy::Any,
        Some(StrictChecksum::Crc32) => Policy::Strict(Algorithm::Crc32),
        Some(StrictChecksum::Innodb) => Policy::Strict(Algorithm::InnoDb),
        Some(StrictChecksum::None) => Policy::Strict(Algorithm::None),
    };
    let bar = Bar::new(Unit::Bytes, found.bytes(), output);
    let mut table = Table::new(&["File", "Pages", "Encrypted", "Bad"]);
    let (mut documents, mut lines) = (Vec::new(), Vec::new());
    let (mut bad, mut exit, mut pages) = (0, Exit::Done, 0);
    for file in found.spaces() {
        let name = printable(&file.path.display().to_string());
        let verified = match Files::open_to_read(file, checksums) {
            Ok(None) => continue,
            Ok(Some(source)) => verify::verify(&source, &keys, bar.run(args.files.jobs))
                .map_err(|fault| Fault::File(file.path.clone(), fault)),
            Err(fault) => Err(fault),
        };
        match verified {
            Ok(verified) => {
                pages += verified.counts.pages;
                let faults = &verified.faults;
                if !faults.is_empty() {
                    bad += 1;
                    exit = exit.worse(pages_exit(faults));
                }
                lines.extend(faults.iter().map(|fault| format!("{name}: {fault}")));
                documents.push(json!({
                    "file": file.path,
                    "pages": verified.counts.pages,
                    "encrypted_pages": verified.counts.encrypted_pages(),
                    "bad": faults.iter().map(|fault| json!({ "page": fault.page, "fault": fault.fault.to_string() })).collect::<Vec<_>>(),
                }));
                table.row([
                    name,
                    verified.counts.pages.to_string(),
                    verified.counts.encrypted_pages().to_string(),
                    faults.len().to_string(),
                ]);
            }
            Err(fault) => {
                bad += 1;
                exit = exit.worse(match &fault {
                    Fault::File(_, fault) => file_exit(fault),
                    other => other.exit(),
                });
                lines.push(fault.to_string());
                documents.push(json!({ "file": file.path, "error": fault.to_string() }));
                table.row([name, "-".to_owned(), "-".to_owned(), "-".to_owned()]);
            }
        }
    }
    drop(bar);
    let files = documents.len();
    if output.is_json() {
        output.json(&documents)?;
    } else {
        output.result(table)?;
        for line in lines {
            output.result(line)?;
        }
    }
    if bad > 0 {
        return Err(Fault::Several { bad, files, exit }.into());
    }
    output.note(format!("All {pages} pages of {} are good.", counted(files, "file")));
    Ok(())
}
