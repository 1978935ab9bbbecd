//! `strongroom tablespace inspect`: what files are, as far as their headers tell.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_tablespace::disk::SystemDisk;
use strongroom_tablespace::disk::walk::{FileKind, Found};
use strongroom_tablespace::file::count::{self, Counts};
use strongroom_tablespace::file::{FileFault, Source};
use strongroom_tablespace::mariadb::{CryptData, TableOption};
use strongroom_tablespace::mysql::Progress;
use strongroom_tablespace::page::Policy;
use strongroom_tablespace::{Encryption, Evidence, Family, KeysInMemory, MasterKeySource, mysql};

use super::fault::file_exit;
use super::files;
use super::keyring::Keys;
use super::progress::{Bar, Unit};
use super::{Fault, logs};
use crate::args::TablespaceInspectArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Output, printable};

pub(super) fn run(args: &TablespaceInspectArgs, output: Output) -> Result<(), Error> {
    let found = files::find(&args.files, output)?;
    let keys: Option<Arc<dyn MasterKeySource>> = match &args.keys {
        Some(place) => Some(Arc::new(Keys::open(place, &args.names, output)?)),
        None => None,
    };
    let bar = Bar::new(Unit::Bytes, found.bytes(), output);
    let mut reports = Vec::new();
    let (mut bad, mut exit) = (0, Exit::Done);
    for file in &found.all {
        let report = match file.kind {
            FileKind::Temporary => json!({ "kind": "temporary tablespace, made anew at every start" }),
            FileKind::Doublewrite => json!({ "kind": "doublewrite buffer" }),
            FileKind::Redo => logs::describe(&file.path),
            _ => match one(file, keys.as_ref(), &bar, args) {
                Ok(report) => report,
                // A binary log has any name.
                Err(_) if logs::is_binary(&file.path) => logs::describe(&file.path),
                Err(fault) => {
                    bad += 1;
                    exit = exit.worse(file_exit(&fault));
                    json!({ "error": fault.to_string() })
                }
            },
        };
        reports.push((file.path.clone(), report));
    }
    drop(bar);
    print(&reports, output)?;
    match bad {
        0 => Ok(()),
        _ => Err(Fault::Several { bad, files: reports.len(), exit }.into()),
    }
}

fn one(
    found: &Found,
    keys: Option<&Arc<dyn MasterKeySource>>,
    bar: &Bar,
    args: &TablespaceInspectArgs,
) -> Result<Value, FileFault> {
    let source = match Source::open(&SystemDisk, &found.path, found.kind, Policy::Any) {
        Err(fault) if Source::is_passed_over(found.kind, &fault) => {
            return Ok(json!({ "kind": "empty, or a later file of a system tablespace" }));
        }
        source => source?,
    };
    let nobody: Arc<dyn MasterKeySource> = Arc::new(KeysInMemory::new());
    // Headers are counted without a key.
    let counts = match &source.space.encryption {
        Encryption::MySql(_) | Encryption::None if source.space.family == Family::MySql => {
            let codec =
                mysql::Codec::new(source.space.geometry, source.space.space_id, None, source.options.clone());
            count::count(&source, &codec, bar.run(args.files.jobs))?
        }
        _ => count::count(&source, &*source.codec(&nobody)?, bar.run(args.files.jobs))?,
    };
    let mut report = describe(&source, &counts);
    if let (Some(keys), true) = (keys, source.is_encrypted()) {
        report["opens"] = match source.codec(keys) {
            Ok(_) => json!(true),
            Err(fault) => json!(fault.to_string()),
        };
    }
    Ok(report)
}

fn describe(source: &Source, counts: &Counts) -> Value {
    let space = &source.space;
    let mut report = json!({
        "kind": kind(source.kind),
        "format": match space.family { Family::MySql => "MySQL", Family::MariaDb => "MariaDB" },
        "because": evidence(space.evidence),
        "space_id": space.space_id,
        "flags": format!("{:#x}", space.flags),
        "page_bytes": space.geometry.logical(),
        "compressed_page_bytes": space.geometry.is_compressed().then(|| space.geometry.physical()),
        "checksum": match &space.head { Ok(algorithm) => algorithm.to_string(), Err(fault) => format!("page 0 is damaged: {fault}") },
        "bytes": source.size,
        "encrypted": source.is_encrypted(),
        "pages": counts.pages,
        "encrypted_pages": counts.encrypted_pages(),
        "zero_pages": counts.zero,
        "page_compressed_pages": counts.page_compressed,
        "encrypted_share": (counts.encrypted_share() * 1000.0).round() / 1000.0,
        "page_types": counts.types.iter().map(|(kind, count)| (kind.to_string(), json!(count))).collect::<serde_json::Map<_, _>>(),
    });
    match &space.encryption {
        Encryption::MariaDb(Ok(data)) => {
            crypt_data(data, &mut report);
            let versions =
                counts.encrypted.iter().map(|(version, count)| (version.to_string(), json!(count)));
            report["pages_by_key_version"] = Value::Object(versions.collect());
        }
        Encryption::MariaDb(Err(fault)) => report["encryption_fault"] = json!(fault.to_string()),
        other => encryption(other, &mut report),
    }
    report
}

fn encryption(encryption: &Encryption, report: &mut Value) {
    if let Encryption::MySql(encryption) = encryption {
        report["cipher"] = json!("AES-256-CBC");
        match &encryption.information {
            Ok(information) => {
                let key = information.master_key();
                report["layout"] = json!(format!("{:?}", information.version()));
                report["master_key"] = json!(key.to_string());
                report["master_key_number"] = json!(key.number());
                if let mysql::MasterKeyId::Uuid { uuid, .. } = key {
                    report["server_uuid"] = json!(uuid.to_string());
                }
            }
            Err(fault) => report["encryption_fault"] = json!(fault.to_string()),
        }
        report["unfinished"] = match encryption.progress {
            Some(Progress::Encrypting { page }) => json!(format!("encrypting, up to page {page}")),
            Some(Progress::Decrypting { page }) => json!(format!("decrypting, up to page {page}")),
            None => Value::Null,
        };
    }
}

fn crypt_data(data: &CryptData, report: &mut Value) {
    report["cipher"] = json!("AES-128, keys and vectors made for each tablespace and page");
    report["key_id"] = json!(data.key_id);
    report["min_key_version"] = json!(data.min_key_version);
    report["table_option"] = json!(match data.option {
        TableOption::Default => "as the server's setting",
        TableOption::Yes => "ENCRYPTED=YES",
        TableOption::No => "ENCRYPTED=NO",
    });
}

fn kind(kind: FileKind) -> &'static str {
    match kind {
        FileKind::System => "system tablespace",
        FileKind::Undo => "undo tablespace",
        FileKind::Temporary => "temporary tablespace",
        FileKind::Redo => "redo log",
        FileKind::Doublewrite => "doublewrite buffer",
        FileKind::Tablespace | FileKind::Named => "tablespace",
    }
}

fn evidence(evidence: Evidence) -> String {
    match evidence {
        Evidence::MySqlEncryption => "it has MySQL's encryption information".to_owned(),
        Evidence::DictionaryInformation => "it holds dictionary information".to_owned(),
        Evidence::ServerVersion(version) => format!("it names version {version}"),
        Evidence::CryptData => "it has MariaDB's crypt data".to_owned(),
        Evidence::FullCrc32 => "its flags are those of full_crc32".to_owned(),
        Evidence::MariaDbFlags => "its flags have bits that only MariaDB sets".to_owned(),
        _ => "nothing tells; both write it in the same way".to_owned(),
    }
}

/// The order in which a person wants to read them.
const ORDER: [&str; 27] = [
    "error",
    "kind",
    "format",
    "because",
    "encrypted",
    "opens",
    "encryption_fault",
    "unfinished",
    "cipher",
    "layout",
    "master_key",
    "master_key_number",
    "server_uuid",
    "key_id",
    "min_key_version",
    "table_option",
    "space_id",
    "flags",
    "checksum",
    "bytes",
    "page_bytes",
    "compressed_page_bytes",
    "pages",
    "encrypted_pages",
    "encrypted_share",
    "zero_pages",
    "page_compressed_pages",
];

fn print(reports: &[(std::path::PathBuf, Value)], output: Output) -> Result<(), Error> {
    if output.is_json() {
        let documents = reports.iter().map(|(path, report)| {
            let mut document = json!({ "file": path });
            if let (Some(document), Some(report)) = (document.as_object_mut(), report.as_object()) {
                document.extend(
                    report.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())),
                );
            }
            document
        });
        return output.json(&documents.collect::<Vec<_>>());
    }
    for (path, report) in reports {
        let mut text = printable(&path.display().to_string());
        let members = report.as_object().into_iter().flatten();
        let mut members: Vec<_> = members.collect();
        members.sort_by_key(|(member, _)| {
            ORDER.iter().position(|known| *known == member.as_str()).unwrap_or(ORDER.len())
        });
        for (member, value) in members {
            let value = match value {
                Value::Null => continue,
                Value::String(text) => printable(text),
                Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
                Value::Object(members) => members
                    .iter()
                    .map(|(kind, count)| format!("{kind} {count}"))
                    .collect::<Vec<_>>()
                    .join(", "),
                other => other.to_string(),
            };
            text.push_str(&format!("\n  {:<22} {value}", member.replace('_', " ")));
        }
        output.result(text)?;
    }
    Ok(())
}
