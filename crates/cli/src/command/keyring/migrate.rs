//! `strongroom keyring migrate`: compare, copy, read back.
//!
//! The source is only read. Nothing is written before all keys have been compared, nothing is ever overwritten, and a run that was
//! killed is simply repeated: what is there already, with the same bytes, is left as it is.

use std::collections::HashSet;

use serde_json::json;
use strongroom_keyring::KeyName;

use super::Fault;
use super::place::{Place, Reader, Unsupported};
use crate::args::{KeyringMigrateArgs, KeyringPlace};
use crate::error::Error;
use crate::output::{Output, Steps};

/// What has to be done, found out before anything is.
struct Plan {
    /// Keys that the destination does not have.
    missing: Vec<KeyName>,
    /// Keys that it has, with the same bytes.
    present: Vec<KeyName>,
    /// Keys that it cannot hold.
    unsupported: Vec<Unsupported>,
}

pub(super) fn run(args: &KeyringMigrateArgs, output: Output) -> Result<(), Error> {
    if is_same(args) {
        return Err(Fault::SamePlace.into());
    }
    let from = Place::open(&args.from, args.from_group.as_deref(), output)?;
    let mut to = Place::open_or_new(&args.to, args.to_group.as_deref(), output)?;
    let source = from.reader()?;
    let mut steps = Steps::silent(!output.speaks());

    let plan = steps.run("Compare the keyrings", || compare(&from, &source, &to))?;
    if !plan.unsupported.is_empty() && !args.leave_unsupported {
        return Err(Fault::Unsupported(plan.unsupported.iter().map(described).collect()).into());
    }
    if args.dry_run {
        return report(args, &plan, output);
    }
    let key = |name: &KeyName| source.fetch(name)?.ok_or_else(|| Fault::Gone(name.to_string()).into());
    let total = plan.missing.len();
    steps.run_counted("Copy what is missing", total, |done| {
        to.store(&plan.missing, key, done)?;
        Ok(((), format!("{total} keys copied")))
    })?;
    let all: Vec<&KeyName> = plan.missing.iter().chain(&plan.present).collect();
    let copy = to.reader()?;
    steps.run_counted("Read every key back", all.len(), |done| {
        let mut wrong = Vec::new();
        for name in &all {
            if copy.fetch(name)? != Some(key(name)?) {
                wrong.push(name.to_string());
            }
            done(1);
        }
        match wrong.is_empty() {
            true => Ok(((), format!("{} keys have the bytes that they have in the source", all.len()))),
            false => Err(Fault::NotReadBack(wrong).into()),
        }
    })?;
    report(args, &plan, output)
}

/// Whether both keyrings are plainly one. (Two endpoint directories may still lead to one, where all keys are then present already.)
fn is_same(args: &KeyringMigrateArgs) -> bool {
    let path = |place: &KeyringPlace| {
        let (kind, path) = match place {
            KeyringPlace::Okv(dir) | KeyringPlace::Percona(dir) => ("kmip", dir),
            KeyringPlace::Json(file) => ("json", file),
        };
        (kind, std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
    };
    path(&args.from) == path(&args.to) && args.from_group == args.to_group
}

fn compare(from: &Place, source: &Reader<'_>, to: &Place) -> Result<(Plan, String), Error> {
    let (keys, mut unsupported) = from.keys()?;
    let (there, _) = to.keys()?;
    let there: HashSet<KeyName> = there.into_iter().map(|key| key.name).collect();
    let destination = to.reader()?;
    let (mut missing, mut present, mut conflicts) = (Vec::new(), Vec::new(), Vec::new());
    for name in keys.into_iter().map(|key| key.name) {
        if let Some(why) = to.refuses(&name) {
            unsupported.push(Unsupported { name, why });
        } else if !there.contains(&name) {
            missing.push(name);
        } else {
            let key = source.fetch(&name)?.ok_or_else(|| Fault::Gone(name.to_string()))?;
            match destination.fetch(&name)? {
                Some(same) if same == key => present.push(name),
                Some(_) => conflicts.push(name.to_string()),
                None => missing.push(name),
            }
        }
    }
    if !conflicts.is_empty() {
        return Err(Fault::Conflict(conflicts).into());
    }
    let proof = format!("{} keys to copy, {} there already", missing.len(), present.len());
    Ok((Plan { missing, present, unsupported }, proof))
}

fn described(key: &Unsupported) -> String {
    format!("{} ({})", key.name, key.why)
}

fn report(args: &KeyringMigrateArgs, plan: &Plan, output: Output) -> Result<(), Error> {
    let missing = if args.dry_run { "to copy" } else { "copied" };
    if output.is_json() {
        let key = |name: &KeyName, outcome: &str| json!({ "id": name.id(), "owner": name.owner(), "outcome": outcome });
        let keys = plan.missing.iter().map(|name| key(name, missing));
        let keys = keys.chain(plan.present.iter().map(|name| key(name, "there already")));
        let keys = keys.chain(plan.unsupported.iter().map(|left| key(&left.name, "left out")));
        return output.json(&json!({
            "from": args.from.to_string(),
            "to": args.to.to_string(),
            "dry_run": args.dry_run,
            "verified": !args.dry_run,
            "keys": keys.collect::<Vec<_>>(),
        }));
    }
    output.result(format!(
        "{} {missing}, {} there already{}",
        plan.missing.len(),
        plan.present.len(),
        match plan.unsupported.len() {
            0 => String::new(),
            left => format!(", {left} left out"),
        }
    ))?;
    for left in &plan.unsupported {
        output.warn(format!("key {} stays where it is", described(left)));
    }
    if !args.dry_run {
        output.note(
            "The old keyring is as it was. Keep it until the server has started with the new one, and as\nlong as there are \
             backups that were made with it.",
        );
    }
    Ok(())
}
