//! MySQL with its own `component_keyring_file` and with ours, in one interleaved run: how long a server with many encrypted
//! tablespaces takes to start, and to rotate its master key. Only ratios of medians are worth quoting.
//!
//! `./bench mysql [ROUNDS [TABLES]]` runs it with a release build of the component and the vault.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use strongroom_testkit::folder::Scratch;
use strongroom_testkit::mysql::{Options, Server};
use strongroom_testkit::vault::Vault;
use strongroom_testkit::{Unavailable, plugin};

const OURS: &str = "component_keyring_kmip";
const STOCK: &str = "component_keyring_file";
const ROTATE: &str = "ALTER INSTANCE ROTATE INNODB MASTER KEY";

/// A server, and what its rounds took.
struct Measured {
    server: Server,
    starts: Vec<Duration>,
    rotations: Vec<Duration>,
    creations: Vec<Duration>,
}

impl Measured {
    fn new(options: Options, tables: u32) -> Result<Self, Unavailable> {
        // Whatever is looked at must fit, or the rounds measure how tables are opened and closed.
        let mut server =
            Server::start(options.arg("--innodb-open-files=4000").arg("--open-files-limit=5000"))?;
        server.sql("CREATE DATABASE t");
        for table in 0..tables {
            server.sql(&format!("CREATE TABLE t.t{table} (a INT) ENCRYPTION='Y'"));
        }
        Ok(Self { server, starts: Vec::new(), rotations: Vec::new(), creations: Vec::new() })
    }

    fn round(&mut self) {
        self.server.stop();
        let start = Instant::now();
        if let Err(error) = self.server.restart() {
            panic!("{error}");
        }
        self.starts.push(start.elapsed());
        for _ in 0..3 {
            let start = Instant::now();
            self.server.sql(ROTATE);
            self.rotations.push(start.elapsed());
        }
        let start = Instant::now();
        for _ in 0..20 {
            self.server.sql("CREATE TABLE t.new (a INT) ENCRYPTION='Y'");
            self.server.sql("DROP TABLE t.new");
        }
        self.creations.push(start.elapsed() / 20);
    }
}

fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    let middle = times.len() / 2;
    let median = if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2 };
    median.as_secs_f64() * 1000.0
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u32>());
    let (rounds, tables) = match (args.next().unwrap_or(Ok(5)), args.next().unwrap_or(Ok(1000)), args.next())
    {
        (Ok(rounds), Ok(tables), None) if rounds > 0 => (rounds, tables),
        _ => {
            eprintln!("usage: bench_mysql [ROUNDS [TABLES]]");
            return ExitCode::from(2);
        }
    };
    match compare(rounds, tables) {
        Ok(()) => ExitCode::SUCCESS,
        Err(unavailable) => {
            eprintln!("bench: {unavailable}");
            ExitCode::FAILURE
        }
    }
}

fn compare(rounds: u32, tables: u32) -> Result<(), Unavailable> {
    let vault = Vault::start();
    let endpoint = vault.enrol("db");
    let library = plugin(OURS);
    let keys = Scratch::new("keys");
    let configuration = format!("{{\"kmip_configuration_directory\": \"{}\"}}", endpoint.display());
    let path = keys.path().join("keyring.json");
    let ours =
        Options::default().library(library.path().join(format!("{OURS}.so"))).component(OURS, configuration);
    let stock = Options::default()
        .component(STOCK, format!("{{\"path\": \"{}\", \"read_only\": false}}", path.display()));
    let mut ours = Measured::new(ours, tables)?;
    let mut stock = Measured::new(stock, tables)?;
    println!("{}, {tables} encrypted tablespaces, {rounds} rounds", ours.server.installation().version);
    for round in 1..=rounds {
        // Each goes first as often as the other.
        if round % 2 == 1 {
            stock.round();
            ours.round();
        } else {
            ours.round();
            stock.round();
        }
        eprintln!("round {round} of {rounds}");
    }
    println!("{:<34} {:>12} {:>12} {:>8}", "", "file, ms", "kmip, ms", "ratio");
    for (what, stock, ours) in [
        ("start to the first answer", &stock.starts, &ours.starts),
        ("rotation of the master key", &stock.rotations, &ours.rotations),
        ("an encrypted table made, dropped", &stock.creations, &ours.creations),
    ] {
        let (stock, ours) = (median(stock), median(ours));
        println!("{what:<34} {stock:>12.1} {ours:>12.1} {:>7.0}%", 100.0 * ours / stock);
    }
    Ok(())
}
