//! A folder with the plugin, the server's own one and a key file, and servers that use them.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use strongroom_testkit::built::PluginFolder;
use strongroom_testkit::mariadb::{Installation, Options, Row, Series, Server};
use strongroom_testkit::{Unavailable, plugin};
use tempfile::TempDir;

pub(crate) const PLUGIN: &str = "strongroom_file_key_management";
pub(crate) const TABLE: &str = "SELECT * FROM information_schema.FILE_KEY_MANAGEMENT_KEYS";
pub(crate) const FLUSH: &str = "FLUSH LOCAL FILE_KEY_MANAGEMENT_KEYS";

/// Keys as both plugins read them.
pub(crate) const KEYS: &str = "1;770a8a65da156d24ee2a093277530142\n\
    2;1afc9e6a3d8d4c2f98f2b9a4a6e0c8d7f35c1b2a4e6d8f90a1b2c3d4e5f60718\n\
    4294967295;5f3c1b9d7e2a4860c4d8e1f2a3b4c5d60718293a4b5c6d7e\n";
/// A version more of key 1.
pub(crate) const KEY_1_LATER: &str = "1;3;18420b5cbaf9a86f2c0e47e4ea5f0d1177c2f40a2ab3bd4f7c69d93f25e0a3a9\n";

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

/// Whose plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Stock,
}

pub(crate) struct Rig {
    pub(crate) series: Series,
    pub(crate) installation: Installation,
    plugins: PluginFolder,
    folder: TempDir,
}

impl Rig {
    pub(crate) fn new(series: Series, keys: &str) -> Result<Self, Unavailable> {
        let installation = series.installation()?;
        let folder = tempfile::tempdir().expect("a folder");
        let rig = Self { series, installation, plugins: plugin(PLUGIN), folder };
        rig.set_keys(keys);
        Ok(rig)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.path("keys")
    }

    /// In one step, because a server or mariadb-backup may be reading.
    pub(crate) fn set_keys(&self, keys: impl AsRef<[u8]>) {
        fs::write(self.path("new-keys"), keys).expect("the keys are written");
        fs::rename(self.path("new-keys"), self.key_file()).expect("the keys are in place");
    }

    pub(crate) fn plugin_dir(&self, whose: Whose) -> &Path {
        match whose {
            Whose::Ours => self.plugins.path(),
            Whose::Stock => &self.installation.plugins,
        }
    }

    pub(crate) fn library(whose: Whose) -> &'static str {
        match whose {
            Whose::Ours => PLUGIN,
            Whose::Stock => "file_key_management",
        }
    }

    /// A server with the plugin, which encrypts only what it is asked to.
    pub(crate) fn options(&self, whose: Whose) -> Options {
        Options { plugin_dir: Some(self.plugin_dir(whose).to_path_buf()), ..Options::default() }
            .on(self.series)
            .load(Self::library(whose))
            .arg(format!("--file-key-management-filename={}", self.key_file().display()))
    }

    /// A server that encrypts everything.
    pub(crate) fn encrypting(&self, whose: Whose, algorithm: &str) -> Options {
        let mut options = self
            .options(whose)
            .arg(format!("--file-key-management-encryption-algorithm={algorithm}"))
            .arg("--file-key-management=FORCE_PLUS_PERMANENT");
        options.args.extend(EVERYTHING.map(String::from));
        options
    }
}

pub(crate) fn rows(server: &mut Server, statement: &str) -> Vec<String> {
    let text = |row: Row| row.into_iter().flatten().collect::<Vec<_>>().join(" ");
    server.sql(statement).into_iter().map(text).collect()
}

/// Why a statement was refused.
pub(crate) fn refusal(server: &mut Server, statement: &str) -> String {
    match server.try_sql(statement) {
        Ok(rows) => panic!("{statement} was not refused: {rows:?}"),
        Err(error) => error.to_string(),
    }
}

/// The value of a status variable of the plugin.
pub(crate) fn status(server: &mut Server, name: &str) -> String {
    let row = server.sql(&format!("SHOW GLOBAL STATUS LIKE 'file_key_management_{name}'")).remove(0);
    row[1].clone().unwrap_or_default()
}

/// Waits for something the server does in its own time.
pub(crate) fn eventually(server: &mut Server, what: &str, mut condition: impl FnMut(&mut Server) -> bool) {
    let start = Instant::now();
    while !condition(server) {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}\n{}", server.log());
        sleep(Duration::from_millis(50));
    }
}

/// No page of key 1 is left with a version before 3, as the server's own table has it.
pub(crate) fn rotated(server: &mut Server) {
    const BEHIND: &str = "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
                          WHERE CURRENT_KEY_ID = 1 AND (MIN_KEY_VERSION < 3 OR CURRENT_KEY_VERSION < 3)";
    eventually(server, "every page of key 1 has version 3", |server| server.value(BEHIND) == "0");
}

/// Lets the server re-encrypt what it has, without waiting for somebody to write.
pub(crate) const WAKE: &str =
    "SET GLOBAL innodb_encryption_rotate_key_age = @@GLOBAL.innodb_encryption_rotate_key_age";

/// Text that must never be found in a file.
pub(crate) const SECRET: &str = "plaintext-that-must-not-reach-a-file";

/// Two InnoDB tables under different keys and one of Aria.
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
pub(crate) fn checksums(server: &mut Server) -> Vec<String> {
    rows(server, "CHECKSUM TABLE t.i, t.k, t.m EXTENDED")
}
