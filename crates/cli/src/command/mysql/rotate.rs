//! `strongroom mysql rotate`: a new master key, with proof; and older ones retired that nothing needs any more.

use std::path::PathBuf;

use serde_json::json;

use super::Fault;
use super::account::Account;
use super::configuration::Vault;
use super::headers::Headers;
use super::keys::{self, MasterKey, VaultKeys};
use super::site::Site;
use super::status::Facts;
use crate::args::MysqlRotateArgs;
use crate::error::Error;
use crate::output::{Output, Steps, WIDTH, wrap};

/// What was done, for those who read JSON.
#[derive(Default)]
struct Outcome {
    before: Option<String>,
    after: Option<String>,
    /// Files whose headers name an older master key of this server.
    behind: Vec<PathBuf>,
    retired: Vec<String>,
    kept: Vec<(String, String)>,
}

pub(super) fn run(args: &MysqlRotateArgs, output: Output) -> Result<(), Error> {
    let (site, mut account) = Site::running(&args.site)?;
    let facts = Facts::ask(&mut account, &site)?;
    let mut steps = Steps::silent(!output.speaks());
    let mut outcome = Outcome {
        before: facts.newest().map(|number| keys::key_id(&facts.uuid, number)),
        ..Outcome::default()
    };
    if args.retire_only {
        outcome.after.clone_from(&outcome.before);
    } else if args.dry_run {
        output.note(
            "A rotation would make a new master key; strongroom mysql status shows what it would rewrite.",
        );
    } else {
        rotate(&mut account, &facts, &mut steps, &mut outcome)?;
        headers(&site, &facts, &mut steps, &mut outcome)?;
        if args.binlog {
            rotate_binlog(&mut account, &facts, &mut steps)?;
        }
    }
    if args.retire || args.retire_only {
        let vault = VaultKeys::new(Vault::find(&args.vault, &site, &mut account, &facts.uuid)?)?;
        retire(args, &site, &mut account, &facts.uuid, &vault, &mut steps, &mut outcome)?;
    }
    if output.is_json() {
        return output.json(&json!({
            "dry_run": args.dry_run,
            "before": outcome.before,
            "after": outcome.after,
            "behind": outcome.behind,
            "retired": outcome.retired,
            "kept": outcome.kept.iter().map(|(key, why)| json!({ "key": key, "why": why })).collect::<Vec<_>>(),
            "steps": steps.taken(),
        }));
    }
    report(args, &outcome, output)
}

fn rotate(
    account: &mut Account,
    facts: &Facts,
    steps: &mut Steps,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    let after = steps.run("Rotate the InnoDB master key", || {
        account.run("ALTER INSTANCE ROTATE INNODB MASTER KEY")?;
        let newest = keys::in_keyring(account, &facts.uuid)?.last().copied();
        match newest {
            Some(number) if facts.newest().is_none_or(|before| number > before) => {
                let key = keys::key_id(&facts.uuid, number);
                let proof = format!("the newest master key is {key}");
                Ok((key, proof))
            }
            Some(number) => Err(Fault::NotRotated(keys::key_id(&facts.uuid, number)).into()),
            None => Err(Fault::NoKeyring.into()),
        }
    })?;
    outcome.after = Some(after);
    Ok(())
}

/// Waits for the new headers to reach the disk. That they have not is no failure: they are in the redo log.
fn headers(site: &Site, facts: &Facts, steps: &mut Steps, outcome: &mut Outcome) -> Result<(), Error> {
    let after = outcome.after.clone().unwrap_or_default();
    let behind = steps.run("Read the headers on disk", || {
        let places = std::slice::from_ref(&site.datadir);
        let headers = Headers::await_written(places, &facts.files(), |headers| {
            headers.is_final() && behind(headers, &facts.uuid, &after).is_empty()
        });
        let behind = behind(&headers, &facts.uuid, &after);
        let mut proof = format!("{} files name the new master key", headers.count(&after));
        match behind.len() {
            0 => proof.push_str(", none an older one"),
            files => proof.push_str(&format!(
                "; {files} still name an older one, because the server has not written their first page yet"
            )),
        }
        if !headers.unreadable.is_empty() {
            proof.push_str(&format!("; {} cannot be read", headers.unreadable.len()));
        }
        Ok((behind, proof))
    })?;
    outcome.behind = behind;
    Ok(())
}

/// Files that name one of the server's master keys other than the new one.
fn behind(headers: &Headers, uuid: &str, after: &str) -> Vec<PathBuf> {
    let own = keys::key_id(uuid, 0);
    let own = own.trim_end_matches('0');
    let older = headers.files.iter().filter(|(key, _)| key.starts_with(own) && *key != after);
    older.flat_map(|(_, files)| files.iter().cloned()).collect()
}

fn rotate_binlog(account: &mut Account, facts: &Facts, steps: &mut Steps) -> Result<(), Error> {
    if !facts.is_on("binlog_encryption") {
        return steps.skip("Rotate the binary log's master key", "binlog_encryption is off");
    }
    let newest = |account: &mut Account| -> Result<Option<u32>, Error> {
        let ids: Vec<(String,)> =
            account.rows("SELECT CAST(KEY_ID AS CHAR) FROM performance_schema.keyring_keys")?;
        let prefix = format!("MySQLReplicationKey_{}_", facts.uuid);
        Ok(ids.iter().filter_map(|(id,)| id.strip_prefix(&prefix)?.parse().ok()).max())
    };
    steps.run("Rotate the binary log's master key", || {
        let before = newest(account)?;
        account.run("ALTER INSTANCE ROTATE BINLOG MASTER KEY")?;
        match newest(account)? {
            Some(after) if before.is_none_or(|before| after > before) => {
                Ok(((), format!("the newest is MySQLReplicationKey_{}_{after}", facts.uuid)))
            }
            other => Err(Fault::NotRotated(format!(
                "MySQLReplicationKey_{}_{}",
                facts.uuid,
                other.map_or_else(|| "?".to_owned(), |number| number.to_string())
            ))
            .into()),
        }
    })
}

fn retire(
    args: &MysqlRotateArgs,
    site: &Site,
    account: &mut Account,
    uuid: &str,
    vault: &VaultKeys,
    steps: &mut Steps,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    // What the server knows now, after a rotation.
    let facts = Facts::ask(account, site)?;
    let Some(newest) = facts.newest() else { return Err(Fault::NoKeyring.into()) };
    let candidates = steps.run("Find master keys that nothing needs", || {
        let mut places = vec![site.datadir.clone()];
        places.extend(args.backup.iter().cloned());
        let headers = Headers::await_written(&places, &facts.files(), Headers::is_final);
        if !headers.unreadable.is_empty() {
            return Err(Fault::Unreadable(headers.unreadable).into());
        }
        let keys = vault.of(uuid)?;
        if !keys.iter().any(|key| key.number == newest) {
            return Err(Fault::NotThisVault(keys::key_id(uuid, newest)).into());
        }
        let mut candidates = Vec::new();
        for key in keys {
            match reason_to_keep(&key, newest, &headers) {
                Some(why) => outcome.kept.push((key.name.id().to_owned(), why)),
                None => candidates.push(key),
            }
        }
        let proof = format!("{} of them; {} files were looked at", candidates.len(), headers.seen);
        Ok((candidates, proof))
    })?;
    if args.dry_run {
        outcome.retired = candidates.iter().map(|key| key.name.id().to_owned()).collect();
        return Ok(());
    }
    let retired = &mut outcome.retired;
    steps.run_counted("Deactivate them, and fetch each again", candidates.len(), |done| {
        for key in &candidates {
            vault.retire(key)?;
            retired.push(key.name.id().to_owned());
            done(1);
        }
        Ok(((), format!("{} keys are deactivated and can still be fetched", candidates.len())))
    })
}

/// Why a key is not retired.
fn reason_to_keep(key: &MasterKey, newest: u32, headers: &Headers) -> Option<String> {
    if key.number >= newest {
        return Some("in use".to_owned());
    }
    match headers.count(key.name.id()) {
        0 if keys::can_be_retired(key.state) => None,
        0 => Some(key.state.map_or_else(|| "unknown".to_owned(), |state| state.to_string().to_lowercase())),
        1 => Some("1 file names it".to_owned()),
        files => Some(format!("{files} files name it")),
    }
}

fn report(args: &MysqlRotateArgs, outcome: &Outcome, output: Output) -> Result<(), Error> {
    if !args.retire_only && !args.dry_run {
        let before = outcome.before.as_deref().unwrap_or("none");
        output.result(format!("{before} -> {}", outcome.after.as_deref().unwrap_or("none")))?;
    }
    if !args.retire && !args.retire_only {
        return Ok(());
    }
    for key in &outcome.retired {
        let verb = if args.dry_run { "to be retired" } else { "retired" };
        output.result(format!("{key}: {verb}"))?;
    }
    for (key, why) in &outcome.kept {
        output.result(format!("{key}: kept, {why}"))?;
    }
    if args.backup.is_empty() {
        let note = "No backup was named, so none was looked at. A retired key can still be fetched, so that backups can be \
                    restored; do not destroy it before they are gone.";
        output.note(wrap(note, WIDTH, "  "));
    }
    Ok(())
}
