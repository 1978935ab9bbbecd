//! `strongroom keyring list`

use serde_json::json;

use super::place::Place;
use crate::args::KeyringListArgs;
use crate::error::Error;
use crate::output::{Output, Table, printable};

pub(super) fn run(args: &KeyringListArgs, output: Output) -> Result<(), Error> {
    let (keys, not_kept) = Place::open(&args.place, args.group.as_deref(), output)?.keys()?;
    if output.is_json() {
        let kept = keys.iter().map(|key| {
            json!({
                "id": key.name.id(),
                "owner": key.name.owner(),
                "type": key.kind.to_string(),
                "bits": key.bytes * 8,
                "identifier": key.identifier,
                "supported": true,
            })
        });
        let others = not_kept.iter().map(
            |key| json!({ "id": key.name.id(), "owner": key.name.owner(), "type": key.why, "supported": false }),
        );
        return output.json(&kept.chain(others).collect::<Vec<_>>());
    }
    if keys.is_empty() && not_kept.is_empty() {
        return output.result("no keys found");
    }
    let mut table = Table::new(&["Key ID", "Owner", "Type", "Bits"]);
    for key in &keys {
        table.row([
            printable(key.name.id()),
            printable(key.name.owner().unwrap_or("-")),
            key.kind.to_string(),
            (key.bytes * 8).to_string(),
        ]);
    }
    for key in &not_kept {
        table.row([
            printable(key.name.id()),
            printable(key.name.owner().unwrap_or("-")),
            format!("{} (cannot be moved)", printable(&key.why)),
            "-".to_owned(),
        ]);
    }
    output.result(table)
}
