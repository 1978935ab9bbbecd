//! What MariaDB's own background threads need to encrypt a table, and what this crate needs for the same file.
//!
//! ```text
//! cargo bench -p strongroom-tablespace --bench mariadb -- [MIB [ROUNDS]]
//! ```
//!
//! 1024 MiB and 3 rounds by default. The server has everything in its favour: all of the table in its buffer pool, no limit to how fast its
//! threads go, and a disk that it need not spare. Its time ends when the table counts as encrypted, which is when its pages are
//! written; ours when the file is durable. The files are made under `STRONGROOM_BENCH_DIR`, or in the folder for temporary files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_secret::KeyMaterial;
use strongroom_tablespace::disk::SystemDisk;
use strongroom_tablespace::disk::walk::FileKind;
use strongroom_tablespace::file::convert::{RandomFailed, Target};
use strongroom_tablespace::file::{Source, mariadb, verify};
use strongroom_tablespace::mariadb::Mode;
use strongroom_tablespace::page::Policy;
use strongroom_tablespace::run::Run;
use strongroom_tablespace::{KeysInMemory, MasterKeySource};
use strongroom_testkit::mariadb::{Options, Series, Server};

const KEY: [u8; 16] = *b"a key of a bench";
const KEY_ID: u32 = 1;
const THREADS: u32 = 4;
/// Bytes of a row, of which a page holds four.
const ROW_BYTES: usize = 4000;
const ROWS_PER_PAGE: usize = 4;
const PAGE_BYTES: usize = 16384;
/// How long a server is waited for, and how often it is asked.
const WAIT_MAX: Duration = Duration::from_secs(600);
const ASK_EVERY: Duration = Duration::from_millis(5);

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let number = |at: usize, default: usize| numbers.get(at).copied().unwrap_or(default);
    let (mib, rounds) = (number(0, 1024), number(1, 3));
    let base = std::env::var_os("STRONGROOM_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = base.join(format!("strongroom-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let plain = folder.join("plain.ibd");
    let mut server = start(&folder, mib);
    fill(&mut server, mib);
    take_copy(&mut server, &plain);
    #[allow(clippy::cast_precision_loss)]
    let mib = fs::metadata(&plain).expect("the copy").len() as f64 / f64::from(1 << 20);
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(background(&mut server));
        ours.push(encrypt(&plain, &folder.join("out.ibd")));
    }
    let version = server.value("SELECT VERSION()");
    server.stop();
    fs::remove_dir_all(&folder).expect("the folder goes");
    let (theirs, ours) = (median(theirs), median(ours));
    println!("{mib:.0} MiB of MariaDB {version}, encrypted and on disk:");
    println!("  its {THREADS} background threads   {:>8.0} MiB/s", mib / theirs);
    println!("  strongroom tablespace     {:>8.0} MiB/s, {:.1} times as fast", mib / ours, theirs / ours);
}

fn start(folder: &Path, mib: usize) -> Server {
    let keys = folder.join("keys");
    let hex: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(&keys, format!("{KEY_ID};{hex}\n")).expect("a key file");
    let options = Options::default()
        .on(Series::V11_8)
        .load("file_key_management")
        .arg(format!("--file-key-management-filename={}", keys.display()))
        .arg(format!("--innodb-buffer-pool-size={}M", mib + mib / 4 + 128))
        .arg("--innodb-log-file-size=1G")
        .arg("--innodb-flush-log-at-trx-commit=0")
        .arg("--innodb-io-capacity=20000")
        .arg("--innodb-io-capacity-max=40000")
        .arg("--innodb-encryption-rotation-iops=1000000");
    Server::start(options).unwrap_or_else(|why| panic!("{why}"))
}

fn fill(server: &mut Server, mib: usize) {
    let rows = mib * (1 << 20) / PAGE_BYTES * ROWS_PER_PAGE;
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.r (id INT PRIMARY KEY, b VARCHAR(4000) CHARACTER SET latin1)");
    let hex = 32;
    server.sql(&format!(
        "INSERT INTO t.r SELECT seq, REPEAT(MD5(seq), {}) FROM t.seq_1_to_{rows}",
        ROW_BYTES / hex
    ));
    settle(server);
}

/// Waits until nothing is left to be written.
fn settle(server: &mut Server) {
    server.sql("SET GLOBAL innodb_max_dirty_pages_pct = 0");
    await_value(
        server,
        "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_BUFFER_POOL_PAGES_DIRTY'",
        "0",
    );
}

fn take_copy(server: &mut Server, to: &Path) {
    server.sql("FLUSH TABLES t.r FOR EXPORT");
    fs::copy(server.data().join("t/r.ibd"), to).expect("copied");
    server.sql("UNLOCK TABLES");
    File::open(to).and_then(|file| file.sync_all()).expect("synced");
}

/// Seconds in which the threads of the server encrypt the table. It is decrypted again before.
fn background(server: &mut Server) -> f64 {
    const LOWEST: &str = "SELECT COALESCE(MIN(MIN_KEY_VERSION + 10 * ROTATING_OR_FLUSHING), 0)
        FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE NAME = 't/r'";
    server.sql("SET GLOBAL innodb_encryption_threads = 0");
    server.sql("SET GLOBAL innodb_encrypt_tables = OFF");
    server.sql(&format!("SET GLOBAL innodb_encryption_threads = {THREADS}"));
    await_value(server, LOWEST, "0");
    settle(server);
    let begin = Instant::now();
    server.sql("SET GLOBAL innodb_encrypt_tables = ON");
    await_value(server, LOWEST, "1");
    begin.elapsed().as_secs_f64()
}

fn await_value(server: &mut Server, question: &str, answer: &str) {
    let begin = Instant::now();
    while server.value(question) != answer {
        assert!(begin.elapsed() < WAIT_MAX, "{question} does not become {answer}");
        std::thread::sleep(ASK_EVERY);
    }
}

/// Seconds in which this crate does.
fn encrypt(plain: &Path, out: &Path) -> f64 {
    let keys: Arc<dyn MasterKeySource> =
        Arc::new(KeysInMemory::new().with_mariadb_key(KEY_ID, 1, KeyMaterial::new(&KEY)));
    let random = |bytes: &mut [u8]| {
        rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty())
            .map(|_| ())
            .map_err(|_| RandomFailed)
    };
    let _ = fs::remove_file(out);
    let open = |path: &Path| {
        Source::open(&SystemDisk, path, FileKind::Tablespace, Policy::Any).expect("a tablespace")
    };
    let begin = Instant::now();
    let (source, target) = (open(plain), Target::new_file(out));
    mariadb::encrypt(&SystemDisk, &source, &keys, KEY_ID, Mode::Cbc, &random, target, Run::default())
        .expect("encrypted");
    let seconds = begin.elapsed().as_secs_f64();
    let verified = verify::verify(&open(out), &keys, Run::default()).expect("readable");
    assert!(verified.faults.is_empty() && verified.counts.encrypted_pages() > 0);
    seconds
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
