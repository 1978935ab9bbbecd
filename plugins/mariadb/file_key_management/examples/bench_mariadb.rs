//! Measures the server's own plugin and ours beside each other, in real servers: `./bench mariadb` builds both sides and
//! runs this. `bench_mariadb BENCH_CRYPT.so [ROUNDS]`; `STRONGROOM_PLUGINS` names the folder of the plugin to measure.
//!
//! Rounds are interleaved, and only ratios are worth quoting: the machine is shared, its clock drifts.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use mysql::prelude::Queryable;
use strongroom_testkit::built::PluginFolder;
use strongroom_testkit::mariadb::{Installation, Options, Series, Server};

const PLUGIN: &str = "strongroom_file_key_management";
const KEYS: &str = "1;770a8a65da156d24ee2a093277530142\n";
/// `ENCRYPTION_FLAG_ENCRYPT | ENCRYPTION_FLAG_NOPAD`, and the other direction.
const ENCRYPT: u32 = 3;
const DECRYPT: u32 = 2;

/// What a call does, its length in bytes, its flags, and how often it is repeated.
const CALLS: [(&str, u32, u32, u32); 7] = [
    ("set-up and end, no data", 0, ENCRYPT, 200_000),
    ("redo record, 16 bytes", 16, ENCRYPT, 200_000),
    ("redo record, 48 bytes", 48, ENCRYPT, 200_000),
    ("redo block, 512 bytes", 512, ENCRYPT, 100_000),
    ("redo block, read", 512, DECRYPT, 100_000),
    ("page, written", 16_338, ENCRYPT, 4_000),
    ("page, read", 16_338, DECRYPT, 4_000),
];

const CONNECTIONS: u32 = 2;
const UPDATES: u32 = 20_000;
const ROWS: u32 = 80_000;

/// The two sides, in the order in which they run.
const SIDES: [&str; 2] = ["stock", "ours"];

struct Bench {
    series: Series,
    folder: tempfile::TempDir,
    plugins: PluginFolder,
    installation: Installation,
}

impl Bench {
    fn new(series: Series, bench_crypt: &Path) -> Self {
        let installation = series.installation().unwrap_or_else(|why| panic!("{why}"));
        let plugins = strongroom_testkit::plugin(PLUGIN);
        plugins.add(&installation.plugins.join("file_key_management.so"));
        fs::copy(bench_crypt, plugins.path().join("bench_crypt.so")).expect("a copy");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("keys"), KEYS).expect("written");
        Self { series, folder, plugins, installation }
    }

    fn server(&self, side: &str, algorithm: &str, args: &[&str]) -> Server {
        let mut options =
            Options { plugin_dir: Some(self.plugins.path().to_path_buf()), ..Options::default() }
                .on(self.series)
                .load(if side == "ours" { PLUGIN } else { "file_key_management" })
                .arg("--file-key-management=FORCE")
                .arg(format!("--file-key-management-encryption-algorithm={algorithm}"))
                .arg(format!("--file-key-management-filename={}", self.folder.path().join("keys").display()))
                // The disk is not what is measured.
                .arg("--innodb-flush-log-at-trx-commit=0")
                .arg("--innodb-log-file-size=64M");
        options.args.extend(args.iter().map(ToString::to_string));
        Server::start(options).unwrap_or_else(|why| panic!("{why}"))
    }

    fn calls(&self, rounds: usize) {
        println!(
            "\nMariaDB {}: one call, nanoseconds of processor time (least of {rounds})",
            self.installation.version
        );
        println!("{:<34} {:>10} {:>10} {:>8}", "", "stock", "ours", "ratio");
        for algorithm in ["aes_cbc", "aes_ctr"] {
            let mut servers = SIDES.map(|side| self.server(side, algorithm, &[]));
            for server in &mut servers {
                server.sql("CREATE FUNCTION bench_crypt RETURNS INTEGER SONAME 'bench_crypt.so'");
            }
            for (what, bytes, flags, iterations) in CALLS {
                let mut times = [Vec::new(), Vec::new()];
                for _ in 0..rounds {
                    for (server, times) in servers.iter_mut().zip(&mut times) {
                        let nanos: f64 = server
                            .value(&format!("SELECT bench_crypt({bytes}, {flags}, {iterations})"))
                            .parse()
                            .expect("the calls succeed");
                        times.push(nanos / f64::from(iterations));
                    }
                }
                row(&format!("{algorithm}: {what}"), times);
            }
        }
    }

    fn load(&self, rounds: usize) {
        println!(
            "\nMariaDB {}: processor time of the server in milliseconds (least of {rounds})",
            self.installation.version
        );
        println!("{:<34} {:>10} {:>10} {:>8}", "", "stock", "ours", "ratio");
        for algorithm in ["aes_cbc", "aes_ctr"] {
            for redo in ["OFF", "ON"] {
                let mut updates = [Vec::new(), Vec::new()];
                let mut inserts = [Vec::new(), Vec::new()];
                for _ in 0..rounds {
                    for (side, name) in SIDES.into_iter().enumerate() {
                        let redo = format!("--innodb-encrypt-log={redo}");
                        let mut server = self.server(name, algorithm, &["--innodb-encrypt-tables=ON", &redo]);
                        inserts[side].push(self.insert(&mut server));
                        updates[side].push(self.update(&mut server));
                    }
                }
                let redo = if redo == "ON" { "tables and redo" } else { "tables" };
                row(&format!("{algorithm}, {redo}: insert"), inserts);
                row(&format!("{algorithm}, {redo}: update"), updates);
            }
        }
    }

    /// Rows in one statement, after which their pages are on disk.
    fn insert(&self, server: &mut Server) -> f64 {
        server.sql("CREATE DATABASE t");
        server.sql("CREATE TABLE t.r (a INT PRIMARY KEY, k INT, b VARCHAR(200), KEY (k))");
        let before = processor_ms(server);
        // One by one: a bulk load into an empty table writes no redo for its rows.
        server.sql("INSERT INTO t.r VALUES (0, 0, '')");
        server
            .sql(&format!("INSERT INTO t.r SELECT seq, seq % 1000, REPEAT('x', 120) FROM t.seq_1_to_{ROWS}"));
        processor_ms(server) - before
    }

    /// Single-row transactions on several connections, as a shop's orders are; the loop runs in the server, or its clients would
    /// be measured too.
    fn update(&self, server: &mut Server) -> f64 {
        let before = processor_ms(server);
        thread::scope(|scope| {
            for connection in 0..CONNECTIONS {
                let mut session = server.connection().expect("connects");
                scope.spawn(move || {
                    let statement = format!(
                        "BEGIN NOT ATOMIC DECLARE i INT DEFAULT 0; WHILE i < {UPDATES} DO \
                         UPDATE t.r SET k = k + 1, b = REPEAT('y', 120) \
                         WHERE a = 1 + (i * {CONNECTIONS} + {connection}) * 7919 % {ROWS}; \
                         SET i = i + 1; END WHILE; END"
                    );
                    session.query_drop(statement).expect("updated");
                });
            }
        });
        processor_ms(server) - before
    }
}

/// The server's own time so far, without the kernel's, which the encryption has no part in; it is counted in hundredths of a second.
fn processor_ms(server: &mut Server) -> f64 {
    let id = server.process().expect("it runs").id();
    let text = fs::read_to_string(format!("/proc/{id}/stat")).expect("procfs");
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields[11].parse::<f64>().expect("a number") * 10.0
}

fn row(what: &str, sides: [Vec<f64>; 2]) {
    let [stock, ours] = sides.map(least);
    println!("{what:<34} {stock:>10.0} {ours:>10.0} {:>8.2}", stock / ours);
}

/// What was disturbed least by whatever else the machine does.
fn least(values: Vec<f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut args = std::env::args_os().skip(1);
    let (Some(bench_crypt), rounds) = (args.next().map(PathBuf::from), args.next()) else {
        eprintln!("usage: bench_mariadb BENCH_CRYPT.so [ROUNDS]");
        std::process::exit(2);
    };
    let rounds = rounds.and_then(|rounds| rounds.to_str()?.parse().ok()).unwrap_or(5);
    println!("ratio: stock / ours, so more than 1 is in our favour");
    for series in Series::ALL {
        let bench = Bench::new(series, &bench_crypt);
        bench.calls(rounds);
        bench.load(rounds);
    }
}
