//! `strongroom mariadb key …`: keys with versions, as the plugin kmip_key_management reads them.

use serde_json::json;
use strongroom_keyring::versions::{KeyId, KmipVersions};

use super::endpoint_session;
use crate::args::{MariadbKeyAddArgs, MariadbKeyCommand, MariadbKeyListArgs, MariadbKeyRotateArgs};
use crate::error::Error;
use crate::output::{Output, Table};

pub(crate) fn run(command: &MariadbKeyCommand, output: Output) -> Result<(), Error> {
    match command {
        MariadbKeyCommand::Add(args) => add(args, output),
        MariadbKeyCommand::Rotate(args) => rotate(args, output),
        MariadbKeyCommand::List(args) => list(args, output),
    }
}

fn add(args: &MariadbKeyAddArgs, output: Output) -> Result<(), Error> {
    let version =
        versions(&args.keys, output)?.add(KeyId(args.key_id), args.bits).map_err(Error::Versions)?;
    print(args.key_id, version.number(), output)
}

fn rotate(args: &MariadbKeyRotateArgs, output: Output) -> Result<(), Error> {
    let version =
        versions(&args.keys, output)?.rotate(KeyId(args.key_id), args.step).map_err(Error::Versions)?;
    if args.step == 1 {
        output.warn("a step of 1 leaves old pages as they are: MariaDB re-encrypts from a distance of 2 on");
    } else {
        output.note("Versions rise by two: MariaDB re-encrypts pages that are 2 or more behind.");
    }
    output.note(
        "Running servers take it up at their next refresh, or at once by\nFLUSH LOCAL KMIP_KEY_MANAGEMENT_KEYS; strongroom mariadb rotate does both.",
    );
    print(args.key_id, version.number(), output)
}

fn print(key_id: u32, version: u32, output: Output) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&json!({ "key_id": key_id, "version": version }));
    }
    output.result(version)
}

fn list(args: &MariadbKeyListArgs, output: Output) -> Result<(), Error> {
    // The bytes are not asked for.
    let mut keys = versions(args, output)?.list().map_err(Error::Load)?;
    keys.sort_by_key(|key| (key.id, key.version));
    if output.is_json() {
        let rows: Vec<_> = keys
            .iter()
            .map(|key| json!({ "key_id": key.id.0, "version": key.version.number(), "bits": key.bits, "state": key.state.map(|state| state.to_string()) }))
            .collect();
        return output.json(&rows);
    }
    if keys.is_empty() {
        return output.result("no objects found");
    }
    let mut table = Table::new(&["Key ID", "Version", "Bits", "Latest"]);
    for (position, key) in keys.iter().enumerate() {
        let latest = keys.get(position + 1).is_none_or(|next| next.id != key.id);
        table.row([
            key.id.to_string(),
            key.version.to_string(),
            key.bits.map_or_else(|| "-".to_owned(), |bits| bits.to_string()),
            if latest { "yes" } else { "no" }.to_owned(),
        ]);
    }
    output.result(table)
}

fn versions(args: &MariadbKeyListArgs, output: Output) -> Result<KmipVersions, Error> {
    let session = endpoint_session::session(&args.conf.conf, output)?;
    Ok(KmipVersions::with_prefix(session, &args.prefix))
}
