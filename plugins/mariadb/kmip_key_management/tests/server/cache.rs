//! Starts while every key server is away, from the sealed cache, and the cases in which it is not believed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use strongroom_keyring::versions::KeyId;
use strongroom_testkit::mariadb::{Options, Series, Server};
use strongroom_testkit::{every_series, need, skip};
use tempfile::TempDir;

use crate::losses::destroy;
use crate::rig::{FLUSH, Rig, TABLE, eventually, rows, set_mode, status};

every_series!(with_the_vault_away_the_server_starts_from_the_cache_and_heals_by_itself);

/// A folder on a disk for the cache, and one in memory for its seal key.
pub(crate) struct Places {
    disk: TempDir,
    memory: TempDir,
}

impl Places {
    /// `None` where the two are on one file system.
    pub(crate) fn find() -> Option<Self> {
        let disk = tempfile::tempdir().expect("a temporary folder");
        let memory = tempfile::tempdir_in("/dev/shm").ok()?;
        let device = |folder: &TempDir| fs::metadata(folder.path()).expect("metadata").dev();
        if device(&disk) == device(&memory) {
            return None;
        }
        let places = Self { disk, memory };
        places.write_seal_key(7);
        Some(places)
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.disk.path().join("keys.cache")
    }

    pub(crate) fn seal_key(&self) -> PathBuf {
        self.memory.path().join("seal")
    }

    fn write_seal_key(&self, byte: u8) {
        fs::write(self.seal_key(), [byte; 32]).expect("written");
        set_mode(&self.seal_key(), 0o600);
    }

    pub(crate) fn options(&self, rig: &Rig, seal_key: &Path) -> Options {
        rig.options()
            .arg(format!("--kmip-key-management-cache-file={}", self.cache().display()))
            .arg(format!("--kmip-key-management-cache-seal-key={}", seal_key.display()))
    }
}

macro_rules! places {
    () => {
        match Places::find() {
            Some(places) => places,
            None => skip!("there is no second file system in /dev/shm"),
        }
    };
}

pub(crate) use places;

/// The last reason for which the plugin did not start.
fn refusal(server: &mut Server) -> String {
    let error = server.restart().expect_err("no start");
    let line =
        error.log.lines().rfind(|line| line.contains("kmip_key_management: not started")).expect("a line");
    line.to_owned()
}

fn with_the_vault_away_the_server_starts_from_the_cache_and_heals_by_itself(series: Series) {
    let places = places!();
    let mut rig = need!(Rig::on_a_vault());
    let mut server = need!(Server::start(places.options(&rig, &places.seal_key()).on(series)));
    assert_eq!(status(&mut server, "cache"), "OK");
    let metadata = fs::metadata(places.cache()).expect("it is written at the start");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT)");
    server.sql("INSERT INTO t.i SELECT seq FROM t.seq_1_to_1000");
    assert_eq!(rig.rotate(1), 3);
    server.sql(FLUSH);
    server.sql("INSERT INTO t.i SELECT seq FROM t.seq_1_to_1000");
    server.stop();
    rig.keys.kill();

    let before = server.log().len();
    server.restart().expect("starts from the cache");
    let log = server.log().split_off(before);
    let alarms: Vec<_> =
        log.lines().filter(|line| line.contains("KEYS COME FROM THE SEALED CACHE")).collect();
    assert_eq!(alarms.len(), 1, "{log}");
    assert!(alarms[0].contains("[ERROR]") && alarms[0].contains("connection refused"), "{}", alarms[0]);
    assert_eq!(rows(&mut server, TABLE), ["1 1 0", "1 3 1", "2 1 1"]);
    assert_eq!(server.value("SELECT COUNT(*) FROM t.i"), "2000");
    server.sql("INSERT INTO t.i VALUES (7)");
    assert!(status(&mut server, "cache").starts_with("in use"), "{}", status(&mut server, "cache"));
    assert!(status(&mut server, "last_refresh").contains("connection refused"));
    server.try_sql(FLUSH).expect_err("nobody answers");
    // The keys in the cache are not made younger by those who only read it.
    let file = fs::metadata(places.cache()).expect("a cache").ino();
    server.restart().expect("starts from the cache again");
    assert_eq!(fs::metadata(places.cache()).expect("a cache").ino(), file);

    // Nobody flushes, and the configured interval is none.
    rig.keys.restart();
    rig.versions().add(KeyId(40), 128).expect("key 40 is made");
    eventually(&mut server, "the keys are those of the vault again", |server| rows(server, TABLE).len() == 4);
    eventually(&mut server, "the cache is written again", |server| status(server, "cache") == "OK");
    assert_eq!(status(&mut server, "last_refresh"), "OK");
    assert!(server.log().contains("[Note] kmip_key_management: keys are refreshed again"));
}

#[test]
fn a_cache_that_is_old_or_foreign_or_changed_starts_nothing() {
    let places = places!();
    let mut rig = need!(Rig::on_pykmip());
    let options = places.options(&rig, &places.seal_key());
    let mut server = need!(Server::start(options.clone()));
    server.stop();
    rig.keys.kill();

    places.write_seal_key(8);
    let said = refusal(&mut server);
    assert!(said.contains("connection refused") && said.contains("sealed with another seal key"), "{said}");
    places.write_seal_key(7);

    let good = fs::read(places.cache()).expect("a cache");
    let mut bad = good.clone();
    *bad.last_mut().expect("bytes") ^= 1;
    fs::write(places.cache(), bad).expect("written");
    let said = refusal(&mut server);
    assert!(said.contains("the cache was changed or is not whole"), "{said}");
    fs::write(places.cache(), good).expect("written");

    *server.options_mut() = options.clone().arg("--kmip-key-management-key-prefix=other");
    let said = refusal(&mut server);
    assert!(said.contains("another key server, endpoint or key prefix"), "{said}");

    *server.options_mut() = options.clone().arg("--kmip-key-management-cache-max-age=1");
    let written = fs::metadata(places.cache()).expect("a cache").modified().expect("a time");
    while SystemTime::now().duration_since(written).is_ok_and(|age| age < Duration::from_secs(3)) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let said = refusal(&mut server);
    assert!(said.contains("1 s are allowed"), "{said}");

    // And with all of that put right, it is good.
    *server.options_mut() = options;
    server.restart().expect("starts from the cache");
    server.stop();

    // A server that takes connections and never answers is away as well.
    rig.keys.restart();
    rig.keys.pause();
    server.options_mut().args.push("--kmip-key-management-refresh-interval=1".into());
    server.restart().expect("starts from the cache");
    assert!(status(&mut server, "cache").starts_with("in use"), "{}", status(&mut server, "cache"));
    assert!(status(&mut server, "last_refresh").contains("no answer within"));
    rig.keys.resume();
    eventually(&mut server, "the key server is heard", |server| status(server, "cache") == "OK");
}

/// The vault was restored from an old backup, or somebody destroyed what was in use: the cache of the last run is the last copy.
#[test]
fn a_cache_with_keys_that_the_vault_lost_is_not_written_over() {
    let places = places!();
    let mut rig = need!(Rig::on_a_vault());
    assert_eq!(rig.rotate(1), 3);
    let mut server = need!(Server::start(places.options(&rig, &places.seal_key())));
    server.sql("CREATE DATABASE t");
    server.sql("CREATE TABLE t.i (a INT)");
    server.sql("INSERT INTO t.i VALUES (7)");
    let kept = || -> Vec<PathBuf> {
        let files = fs::read_dir(places.disk.path()).expect("a folder").flatten().map(|file| file.path());
        files.filter(|path| path.display().to_string().contains("keys.cache.lost-")).collect()
    };
    server.restart().expect("starts");
    assert!(kept().is_empty(), "nothing was lost");
    server.stop();

    destroy(&rig.versions(), 1, 3);
    let before = server.log().len();
    // Whether it comes up without the key is up to InnoDB.
    let _ = server.restart();
    let log = server.log().split_off(before);
    assert!(log.contains("the latest version of key 1 fell from 3 to 1"), "{log}");
    assert_eq!(kept().len(), 1, "{log}");
    server.kill9();

    rig.keys.kill();
    fs::rename(&kept()[0], places.cache()).expect("put back");
    server.restart().expect("starts from the cache that was kept");
    assert_eq!(rows(&mut server, TABLE), ["1 1 0", "1 3 1", "2 1 1"]);
    assert_eq!(server.value("SELECT a FROM t.i"), "7");
}

#[test]
fn while_a_vault_answers_the_cache_is_not_read() {
    let places = places!();
    let mut rig = need!(Rig::on_a_vault());
    // The seal key is a credential, as systemd hands it to a service.
    let mut options = places.options(&rig, Path::new("CREDENTIAL:seal"));
    let credentials = places.memory.path().display().to_string();
    options.env.push(("CREDENTIALS_DIRECTORY".into(), credentials));
    let mut server = need!(Server::start(options));
    assert_eq!(status(&mut server, "cache"), "OK");
    server.stop();
    rig.revoke();
    let said = refusal(&mut server);
    assert!(said.contains("read only when no key server answers at all"), "{said}");
    rig.keys.kill();
    server.restart().expect("starts from the cache, with the credential");
    assert!(status(&mut server, "cache").starts_with("in use"), "{}", status(&mut server, "cache"));
    assert_eq!(rows(&mut server, TABLE), ["1 1 1", "2 1 1"]);
}

#[test]
fn a_seal_key_on_the_disk_of_the_cache_is_refused_and_the_server_runs() {
    let places = places!();
    let rig = need!(Rig::on_pykmip());
    let beside = places.disk.path().join("seal");
    fs::copy(places.seal_key(), &beside).expect("a copy");
    let mut server = need!(Server::start(places.options(&rig, &beside)));
    assert!(status(&mut server, "cache").contains("on the same disk"), "{}", status(&mut server, "cache"));
    assert!(!places.cache().exists());
    let log = server.log();
    assert!(log.contains("[ERROR] kmip_key_management: the sealed cache was not written"), "{log}");
}
