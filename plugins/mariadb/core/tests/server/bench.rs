//! A server with the test plugin and a file of keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use strongroom_testkit::Unavailable;
use strongroom_testkit::mariadb::{Options, Series, Server};
use tempfile::TempDir;

/// Key 1 in two versions, key 2, and a key with the highest id there is. The first line of each is what a stock key
/// file can hold.
pub(crate) const KEY_1: &str = "1;1;770a8a65da156d24ee2a093277530142";
pub(crate) const KEY_1_LATER: &str = "1;3;18420b5cbaf9a86f2c0e47e4ea5f0d1177c2f40a2ab3bd4f7c69d93f25e0a3a9";
pub(crate) const KEY_2: &str = "2;1;1afc9e6a3d8d4c2f98f2b9a4a6e0c8d7f35c1b2a4e6d8f90a1b2c3d4e5f60718";
pub(crate) const KEY_LAST: &str = "4294967295;1;5f3c1b9d7e2a4860c4d8e1f2a3b4c5d60718293a4b5c6d7e";

/// Everything that MariaDB can encrypt.
const EVERYTHING: [&str; 9] = [
    "--innodb-encrypt-tables=FORCE",
    "--innodb-encrypt-log=ON",
    "--innodb-encryption-threads=2",
    "--aria-encrypt-tables=ON",
    "--encrypt-tmp-disk-tables=ON",
    "--encrypt-tmp-files=ON",
    "--encrypt-binlog=ON",
    "--log-bin=bin",
    "--server-id=1",
];

/// A folder with the test plugin, the stock one and a file of keys.
pub(crate) struct Bench {
    series: Series,
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new(series: Series, keys: &[&str]) -> Result<Self, Unavailable> {
        let installation = series.installation()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let copy = |from: PathBuf, name: &str| {
            let to = folder.path().join(name);
            if let Err(error) = fs::copy(&from, to) {
                panic!("{} cannot be copied: {error}", from.display());
            }
        };
        copy(example(), "bench_keys.so");
        copy(installation.plugins.join("file_key_management.so"), "file_key_management.so");
        let bench = Self { series, folder };
        bench.set_keys(keys);
        Ok(bench)
    }

    /// In one step, because a server's refresh thread may be reading.
    pub(crate) fn set_keys(&self, keys: &[&str]) {
        fs::write(self.path("new-keys"), keys.join("\n")).expect("the keys are written");
        fs::rename(self.path("new-keys"), self.path("keys")).expect("the keys are in place");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server that encrypts everything with the test plugin.
    pub(crate) fn options(&self, algorithm: &str) -> Options {
        let mut options = self
            .plain_options()
            .load("bench_keys")
            .arg(format!("--bench-keys-file={}", self.path("keys").display()))
            .arg(format!("--bench-keys-encryption-algorithm={algorithm}"))
            .arg("--bench-keys=FORCE_PLUS_PERMANENT");
        options.args.extend(EVERYTHING.map(String::from));
        options
    }

    /// The same with the stock plugin, whose file has no versions.
    pub(crate) fn stock_options(&self, algorithm: &str) -> Options {
        let keys = fs::read_to_string(self.path("keys")).expect("the keys");
        let lines: Vec<String> = keys.lines().map(|line| line.replacen(";1;", ";", 1)).collect();
        fs::write(self.path("stock-keys"), lines.join("\n") + "\n").expect("the stock file is written");
        let mut options = self
            .plain_options()
            .load("file_key_management")
            .arg(format!("--file-key-management-filename={}", self.path("stock-keys").display()))
            .arg(format!("--file-key-management-encryption-algorithm={algorithm}"))
            .arg("--file-key-management=FORCE_PLUS_PERMANENT");
        options.args.extend(EVERYTHING.map(String::from));
        options
    }

    fn plain_options(&self) -> Options {
        Options { plugin_dir: Some(self.folder.path().to_path_buf()), ..Options::default() }.on(self.series)
    }
}

/// Where cargo has built the example, beside this test.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a process knows its program");
    let profile = test.parent().and_then(Path::parent).expect("target/debug/deps");
    profile.join("examples/libbench_keys.so")
}

/// Waits for something the server does in its own time.
pub(crate) fn eventually(server: &mut Server, what: &str, mut condition: impl FnMut(&mut Server) -> bool) {
    let start = Instant::now();
    while !condition(server) {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}\n{}", server.log());
        sleep(Duration::from_millis(50));
    }
}

/// Rows of text that must never be found in a file.
pub(crate) const SECRET: &str = "plaintext-that-must-not-reach-a-file";

/// An InnoDB and an Aria table, rows enough for several pages, and a sort that spills to disk.
pub(crate) fn fill(server: &mut Server, rows: u32) {
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=InnoDB");
    server.sql(
        "CREATE TABLE t.k (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=InnoDB ENCRYPTION_KEY_ID=4294967295",
    );
    server.sql("CREATE TABLE t.m (a INT PRIMARY KEY, b VARCHAR(200)) ENGINE=Aria TRANSACTIONAL=1");
    for table in ["i", "k", "m"] {
        server.sql(&format!(
            "INSERT INTO t.{table} SELECT seq, CONCAT('{SECRET}-', seq) FROM t.seq_1_to_{rows}"
        ));
    }
}

/// All rows, in all tables, as one number each.
pub(crate) fn checksums(server: &mut Server) -> Vec<Option<String>> {
    let rows = server.sql("CHECKSUM TABLE t.i, t.k, t.m EXTENDED");
    rows.into_iter().map(|row| row[1].clone()).collect()
}
