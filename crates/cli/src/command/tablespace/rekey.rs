//! `strongroom tablespace rekey`: other keys for pages.

use std::sync::Arc;

use serde_json::json;
use strongroom_tablespace::MasterKeySource;
use strongroom_tablespace::disk::SystemDisk;
use strongroom_tablespace::file::convert::{self, Target};
use strongroom_tablespace::file::{FileFault, Source};
use strongroom_tablespace::page::Policy;
use strongroom_tablespace::rekey::{self, RekeyError, Rekeyed};

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
        found.check_shutdown()?;
        let bar = Bar::new(Unit::Bytes, 0, output);
        let done = rekey::resume(&SystemDisk, &found.folder, &keys, bar.run(args.files.jobs))
            .map_err(Fault::Rekey)?;
        drop(bar);
        return print(&done.unwrap_or_default(), output);
    }
    let mut sources = Vec::new();
    for file in found.spaces() {
        if let Some(source) = Files::open(file, Policy::Any)? {
            sources.push(source);
        }
    }
    let has_roots = sources.len() > 1;
    if has_roots {
        // Of a whole directory, what is plain stays as it is.
        sources.retain(Source::is_encrypted);
    }
    let total = sources.iter().map(|source| source.size).sum();
    let bar = Bar::new(Unit::Bytes, total, output);
    let rekeyed = match &args.target.out {
        None => {
            found.check_shutdown()?;
            rekey::rekey(&SystemDisk, &found.folder, &sources, &keys, &random, bar.run(args.files.jobs))
                .map_err(Fault::Rekey)?
        }
        Some(out) => {
            let mut rekeyed = Rekeyed::default();
            for source in &sources {
                let target = found.target(&source.path, out)?;
                one(source, &keys, Target::new_file(&target), &bar, args)
                    .map_err(|fault| Fault::Rekey(RekeyError::File(source.path.clone(), fault)))?;
                rekeyed.changed.push(target);
            }
            rekeyed
        }
    };
    drop(bar);
    print(&rekeyed, output)
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
