//! kill -9 while keys are being made: whatever was acknowledged is there afterwards, and nothing is half-written.

use std::collections::HashSet;
use std::fs;

use strongroom_testkit::need;
use strongroom_testkit::pykmip::{Client, Ledger, Refused};
use strongroom_testkit::vault::{Vault, strongroom_ok};

const CONNECTIONS: usize = 8;
const CREATES: usize = 1000;

/// One vault, killed once in each round after a different number of acknowledged keys, and judged after each.
fn kill_rounds(rounds: usize) {
    let mut ledger = need!(Ledger::new());
    let mut vault = Vault::start();
    let client = Client::of_endpoint(&vault.enrol("ledger"), vault.kmip());
    for round in 0..rounds {
        // Spread over the whole run, in an order that no rhythm of the store can follow.
        let kill_after = 1 + (round * 617 + 211) % (CREATES * 9 / 10);
        let before = ledger.acknowledged();
        ledger.begin(&client, CONNECTIONS, CREATES);
        ledger.wait_for_acknowledged(before + kill_after);
        vault.kill9();
        ledger.wait();
        vault.restart();
        let run = need!(ledger.verify(&client, Refused::Never));
        assert!(run.success, "round {round}, killed after {kill_after}\n{}\n{}", run.output, vault.log());
        // Also the entries that the kill kept from being written: the store's outbox has supplied them.
        let journal =
            fs::read_to_string(vault.dir().join("audit/journal.jsonl")).expect("there is a journal");
        let created: HashSet<&str> = journal
            .lines()
            .filter(|line| {
                line.contains("\"operation\":\"Create\"") && line.contains("\"outcome\":\"success\"")
            })
            .filter_map(|line| line.split("\"object\":\"").nth(1)?.split('"').next())
            .collect();
        for identifier in ledger.identifiers() {
            assert!(
                created.contains(identifier.as_str()),
                "round {round}: {identifier} is not in the journal"
            );
        }
        strongroom_ok(["vault", "audit", "verify", "--dir", &vault.dir().to_string_lossy()]);
    }
}

#[test]
fn acknowledged_keys_survive_a_kill() {
    kill_rounds(3);
}

/// A ledger grows with its rounds and is read as a whole after each, so a new vault begins now and then.
#[test]
#[ignore = "soak: kills a vault STRONGROOM_SOAK_ROUNDS times"]
fn acknowledged_keys_survive_many_kills() {
    let rounds =
        std::env::var("STRONGROOM_SOAK_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    for begun in (0..rounds).step_by(5) {
        kill_rounds((rounds - begun).min(5));
    }
}
