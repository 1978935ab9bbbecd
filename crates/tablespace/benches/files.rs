//! Whole files: encryption against a copy of the same file by the same code, and rotation against a loop that syncs each file.
//!
//! ```text
//! cargo bench -p strongroom-tablespace --bench files -- [MIB [ROUNDS [FILES]]]
//! ```
//!
//! 2048 MiB, 5 rounds and 10,000 files by default; 0 leaves one out. Rounds are interleaved, and only ratios of medians are worth quoting. The files are made under
//! `STRONGROOM_BENCH_DIR`, or in the folder for temporary files.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use strongroom_secret::KeyMaterial;
use strongroom_tablespace::disk::SystemDisk;
use strongroom_tablespace::disk::walk::{FileKind, Found};
use strongroom_tablespace::file::convert::{self, MasterKey, RandomFailed, Target};
use strongroom_tablespace::file::{Source, verify};
use strongroom_tablespace::mysql::{Information, MasterKeyId, ServerUuid, TablespaceKey, head};
use strongroom_tablespace::page::header::{
    FSP_FLAGS, FSP_SIZE, FSP_SPACE_ID, LSN, NUMBER, SPACE_ID, TYPE, put,
};
use strongroom_tablespace::page::{Algorithm, Geometry, PageType, Policy, checksum};
use strongroom_tablespace::rotate;
use strongroom_tablespace::run::Run;
use strongroom_tablespace::{KeysInMemory, MasterKeySource};

const PAGE: usize = 16384;
const FLAGS: u32 = 0x21;
const UUID: &str = "0a1b2c3d-0000-11ee-8000-0123456789ab";
/// Bytes of the small files that are rotated: as a new table has.
const SMALL_PAGES: usize = 7;

fn main() {
    // `cargo bench` adds an argument of its own.
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let number = |at: usize, default: usize| numbers.get(at).copied().unwrap_or(default);
    let (mib, rounds, files) = (number(0, 2048), number(1, 5), number(2, 10_000));
    let base = std::env::var_os("STRONGROOM_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = base.join(format!("strongroom-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    if mib > 0 {
        conversion(&folder, mib, rounds);
    }
    if files > 0 {
        rotation(&folder, files, rounds);
    }
    fs::remove_dir_all(&folder).expect("the folder goes");
}

fn uuid() -> ServerUuid {
    ServerUuid::new(UUID.as_bytes()).expect("a uuid")
}

fn random(bytes: &mut [u8]) -> Result<(), RandomFailed> {
    rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty())
        .map(|_| ())
        .map_err(|_| RandomFailed)
}

fn new_key() -> KeyMaterial {
    KeyMaterial::try_fill(32, random).expect("randomness")
}

fn key_id(number: u32) -> String {
    format!("INNODBKey-{UUID}-{number}")
}

fn page(number: u32, pages: u32, space: u32) -> Vec<u8> {
    let mut page: Vec<u8> = (0..PAGE).map(|at| (at * 31 + number as usize * 7) as u8).collect();
    put(&mut page, NUMBER, &number.to_be_bytes());
    put(&mut page, LSN, &u64::from(number + 1).to_be_bytes());
    let page_type = if number == 0 { PageType::SPACE_HEADER } else { PageType::INDEX };
    put(&mut page, TYPE, &page_type.0.to_be_bytes());
    put(&mut page, TYPE + 2, &[0; 8]);
    put(&mut page, SPACE_ID, &space.to_be_bytes());
    put(&mut page, PAGE - 4, &(number + 1).to_be_bytes());
    if number == 0 {
        page[38..PAGE - 8].fill(0);
        put(&mut page, FSP_SPACE_ID, &space.to_be_bytes());
        put(&mut page, FSP_SIZE, &pages.to_be_bytes());
        put(&mut page, FSP_FLAGS, &FLAGS.to_be_bytes());
    }
    checksum::write(Geometry::uncompressed(PAGE as u32).expect("a page size"), &mut page, Algorithm::Crc32);
    page
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Takes a file out of the page cache.
fn chill(path: &Path) {
    let file = File::open(path).expect("the file");
    file.sync_all().expect("synced");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("advice");
}

fn warm(path: &Path) {
    std::io::copy(&mut File::open(path).expect("the file"), &mut std::io::sink()).expect("read");
}

fn conversion(folder: &Path, mib: usize, rounds: usize) {
    let (plain, out) = (folder.join("plain.ibd"), folder.join("out.ibd"));
    let pages = u32::try_from(mib * (1 << 20) / PAGE).expect("fewer than 2^32 pages");
    let file = File::create(&plain).expect("a file");
    for first in (0..pages).step_by(256) {
        let run: Vec<u8> =
            (first..pages.min(first + 256)).flat_map(|number| page(number, pages, 9)).collect();
        file.write_all_at(&run, u64::from(first) * PAGE as u64).expect("written");
    }
    file.sync_all().expect("synced");
    let master = MasterKey { id: MasterKeyId::Uuid { uuid: uuid(), number: 1 }, material: new_key() };
    let keys: Arc<dyn MasterKeySource> =
        Arc::new(KeysInMemory::new().with_mysql_key(key_id(1), master.material.duplicate()));
    let open = |path: &Path| {
        Source::open(&SystemDisk, path, FileKind::Tablespace, Policy::Any).expect("a tablespace")
    };
    let one = |is_cold: bool, encrypt: bool| {
        let _ = fs::remove_file(&out);
        if is_cold {
            chill(&plain);
        } else {
            warm(&plain);
        }
        let source = open(&plain);
        let target = Target::new_file(&out);
        let begin = Instant::now();
        let done = match encrypt {
            true => convert::encrypt_mysql(&SystemDisk, &source, &master, &random, target, Run::default()),
            false => convert::copy(&SystemDisk, &source, target, Run::default()),
        };
        done.expect("done");
        begin.elapsed().as_secs_f64()
    };
    let mut times: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..rounds {
        for (is_cold, pair) in [false, true].into_iter().zip(&mut times) {
            pair[0].push(one(is_cold, false));
            pair[1].push(one(is_cold, true));
        }
    }
    let verified = verify::verify(&open(&out), &keys, Run::default()).expect("readable");
    assert!(verified.faults.is_empty() && verified.counts.encrypted_pages() > 0);
    #[allow(clippy::cast_precision_loss)]
    let speed = |seconds: f64| mib as f64 / seconds;
    println!("{mib} MiB with checksums, durable:   copy MiB/s   encrypt MiB/s   of copy");
    for (name, [copy, encrypt]) in ["hot", "cold"].into_iter().zip(times) {
        let (copy, encrypt) = (speed(median(copy)), speed(median(encrypt)));
        println!("  {name:<32} {copy:>10.0} {encrypt:>15.0} {:>8.0}%", 100.0 * encrypt / copy);
    }
    for path in [&plain, &out] {
        fs::remove_file(path).expect("removed");
    }
}

fn rotation(folder: &Path, count: usize, rounds: usize) {
    let geometry = Geometry::uncompressed(PAGE as u32).expect("a page size");
    let first = new_key();
    let mut keys = KeysInMemory::new().with_mysql_key(key_id(1), first.duplicate());
    let files: Vec<Found> = (0..count)
        .map(|at| {
            let path = folder.join(format!("t{at}.ibd"));
            let mut head = page(0, SMALL_PAGES as u32, 10 + at as u32);
            let key = TablespaceKey::generate(random).expect("randomness");
            let id = MasterKeyId::Uuid { uuid: uuid(), number: 1 };
            let information = Information::wrap(&key, id, &first).expect("32 bytes");
            head::set_information(geometry, &mut head, &information, Algorithm::Crc32);
            head.resize(SMALL_PAGES * PAGE, 0);
            fs::write(&path, &head).expect("written");
            Found { path, kind: FileKind::Tablespace }
        })
        .collect();
    rustix::fs::sync();
    let (mut ours, mut each, mut surveys, mut syncs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let number = 2 * round as u32 + 2;
        let master = new_key();
        keys = keys.with_mysql_key(key_id(number), master.duplicate());
        let begin = Instant::now();
        let survey = rotate::survey(&SystemDisk, &files, &keys, Run::default()).expect("readable");
        surveys.push(begin.elapsed().as_secs_f64());
        let done = rotate::rotate(
            &SystemDisk,
            folder,
            &survey.encrypted,
            &keys,
            uuid(),
            number,
            &master,
            Run::default(),
        );
        assert_eq!(done.expect("rotated").changed, count);
        ours.push(begin.elapsed().as_secs_f64());

        let begin = Instant::now();
        for found in &files {
            one_by_one(geometry, &found.path, &keys, number + 1, &master);
        }
        each.push(begin.elapsed().as_secs_f64());
        keys = keys.with_mysql_key(key_id(number + 1), master);
        syncs.push(sync_cost(&files[..files.len().min(1000)]));
    }
    #[allow(clippy::cast_precision_loss)]
    let rate = |seconds: f64| count as f64 / seconds;
    let surveying = 100.0 * median(surveys) / median(ours.clone());
    let (ours, each) = (rate(median(ours)), rate(median(each)));
    println!(
        "{count} tablespaces rotated, survey ({surveying:.0}%), journal and syncs included: {ours:.0} headers/s"
    );
    println!("  a loop that syncs each file: {each:.0} headers/s; {:.1} times as fast", ours / each);
    println!("  a sync of one page that was changed takes {:.0} microseconds here", 1e6 * median(syncs));
}

/// What a tool without a journal does to be safe: open a file, read its head, wrap its key anew, write it, sync it, close it.
fn one_by_one(geometry: Geometry, path: &Path, keys: &KeysInMemory, number: u32, master: &KeyMaterial) {
    let file = File::options().read(true).write(true).open(path).expect("opened");
    let mut page = vec![0; PAGE];
    file.read_exact_at(&mut page, 0).expect("read");
    let algorithm = checksum::verify(geometry, &page, Policy::Any).expect("a good page");
    let old = Information::parse(&page[geometry.encryption_offset()..]).expect("sound").expect("encrypted");
    let key = old.unlock(keys).expect("the key");
    let id = MasterKeyId::Uuid { uuid: uuid(), number };
    let new = old.rewrap(&key, id, master).expect("32 bytes");
    head::set_information(geometry, &mut page, &new, algorithm);
    file.write_all_at(&page, 0).expect("written");
    file.sync_all().expect("synced");
}

/// Seconds of a sync of a file of which one page was changed.
fn sync_cost(files: &[Found]) -> f64 {
    let costs = files.iter().map(|found| {
        let file = File::options().read(true).write(true).open(&found.path).expect("opened");
        let mut page = vec![0; PAGE];
        file.read_exact_at(&mut page, 0).expect("read");
        file.write_all_at(&page, 0).expect("written");
        let begin = Instant::now();
        file.sync_all().expect("synced");
        begin.elapsed().as_secs_f64()
    });
    median(costs.collect())
}
