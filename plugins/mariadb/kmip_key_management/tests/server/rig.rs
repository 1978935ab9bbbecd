//! A KMIP server with keys, and a mariadbd that gets them from there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use strongroom_client::{Endpoint, Options as SessionOptions, Session};
use strongroom_keyring::versions::{DEFAULT_STEP, KeyId, KmipVersions};
use strongroom_testkit::certificates::Certificates;
use strongroom_testkit::mariadb::{Options, Server};
use strongroom_testkit::vault::Vault;
use strongroom_testkit::{Unavailable, plugin, pykmip};
use tempfile::TempDir;

pub(crate) const PLUGIN: &str = "strongroom_kmip_key_management";
pub(crate) const TABLE: &str = "SELECT * FROM information_schema.KMIP_KEY_MANAGEMENT_KEYS";
pub(crate) const FLUSH: &str = "FLUSH KMIP_KEY_MANAGEMENT_KEYS";

/// Counts the tablespaces of key 1 that hold anything older than version 3. Asking also wakes InnoDB's threads.
pub(crate) const BEHIND: &str = "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
                                 WHERE CURRENT_KEY_ID = 1 AND (MIN_KEY_VERSION < 3 OR CURRENT_KEY_VERSION < 3)";

/// Where the keys are.
pub(crate) enum KeyServer {
    /// PyKMIP's server: nothing of ours in it.
    PyKmip(Box<pykmip::Server>),
    /// Our vault.
    Vault(Box<Vault>),
}

impl KeyServer {
    pub(crate) fn kill(&mut self) {
        match self {
            Self::PyKmip(server) => server.kill9(),
            Self::Vault(vault) => vault.kill9(),
        }
    }

    pub(crate) fn restart(&mut self) {
        match self {
            Self::PyKmip(server) => server.restart(),
            Self::Vault(vault) => vault.restart(),
        }
    }

    /// Connections stay open, and nothing answers.
    pub(crate) fn pause(&mut self) {
        match self {
            Self::PyKmip(server) => server.process().expect("it runs").pause(),
            Self::Vault(vault) => vault.pause(),
        }
    }

    pub(crate) fn resume(&mut self) {
        match self {
            Self::PyKmip(server) => server.process().expect("it runs").resume(),
            Self::Vault(vault) => vault.resume(),
        }
    }
}

/// A key server, an endpoint directory for it, and its keys 1 and 2 for a start.
pub(crate) struct Rig {
    pub(crate) keys: KeyServer,
    pub(crate) conf_dir: PathBuf,
    folder: TempDir,
    plugins: strongroom_testkit::built::PluginFolder,
}

impl Rig {
    pub(crate) fn on_pykmip() -> Result<Self, Unavailable> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let certificates = Certificates::write(&folder.path().join("certificates"));
        let server = pykmip::Server::start(&certificates)?;
        let conf_dir = folder.path().join("endpoint");
        certificates.write_endpoint_directory(&conf_dir, &[server.address()]);
        Ok(Self::with_first_keys(KeyServer::PyKmip(Box::new(server)), conf_dir, folder))
    }

    pub(crate) fn on_a_vault() -> Result<Self, Unavailable> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let vault = Vault::start();
        let conf_dir = vault.enrol("mariadb");
        Ok(Self::with_first_keys(KeyServer::Vault(Box::new(vault)), conf_dir, folder))
    }

    fn with_first_keys(keys: KeyServer, conf_dir: PathBuf, folder: TempDir) -> Self {
        let rig = Self { keys, conf_dir, folder, plugins: plugin(PLUGIN) };
        rig.versions().add(KeyId(1), 256).expect("key 1 is made");
        rig.versions().add(KeyId(2), 128).expect("key 2 is made");
        rig
    }

    /// A second vault with the same keys, and the addresses of both as the endpoint directory has them now.
    pub(crate) fn add_standby(&mut self) -> (Vault, [String; 2]) {
        let KeyServer::Vault(vault) = &mut self.keys else { panic!("PyKMIP has no standby") };
        let standby = vault.standby();
        let addresses = [vault.kmip().to_string(), standby.kmip().to_string()];
        let [first, second] = &addresses;
        fs::write(self.conf_dir.join("okvclient.ora"), format!("SERVER={first}\nSTANDBY_SERVER={second}\n"))
            .expect("written");
        (standby, addresses)
    }

    /// Takes the endpoint's access away.
    pub(crate) fn revoke(&self) {
        match &self.keys {
            KeyServer::Vault(vault) => vault.endpoint_revoke("mariadb"),
            KeyServer::PyKmip(_) => panic!("PyKMIP revokes nobody"),
        }
    }

    /// What `strongroom mariadb key` does.
    pub(crate) fn versions(&self) -> KmipVersions {
        let endpoint = Endpoint::open(&self.conf_dir).expect("the endpoint directory");
        KmipVersions::new(Session::new(&endpoint, SessionOptions::default()).expect("a session"))
    }

    pub(crate) fn rotate(&self, id: u32) -> u32 {
        self.versions().rotate(KeyId(id), DEFAULT_STEP).expect("a new version").number()
    }

    /// A second endpoint directory, to be spoilt.
    pub(crate) fn copy_of_conf_dir(&self, name: &str) -> PathBuf {
        let copy = self.folder.path().join(name);
        let ssl = copy.join("ssl");
        fs::create_dir_all(&ssl).expect("a folder");
        for file in ["okvclient.ora", "ssl/CA.pem", "ssl/cert.pem", "ssl/key.pem"] {
            // Copying keeps the mode.
            fs::copy(self.conf_dir.join(file), copy.join(file)).expect("a copy");
        }
        for folder in [&copy, &ssl] {
            set_mode(folder, 0o750);
        }
        copy
    }

    /// A mariadbd that encrypts everything with these keys.
    pub(crate) fn options(&self) -> Options {
        let mut options =
            self.options_without_encryption(&self.conf_dir).arg("--kmip-key-management=FORCE_PLUS_PERMANENT");
        let encryption = [
            "--kmip-key-management-encryption-algorithm=aes_ctr",
            // Refreshes only where a test asks for them.
            "--kmip-key-management-refresh-interval=0",
            "--kmip-key-management-timeout=2",
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
        options.args.extend(encryption.map(String::from));
        options
    }

    pub(crate) fn options_without_encryption(&self, conf_dir: &Path) -> Options {
        Options { plugin_dir: Some(self.plugins.path().to_path_buf()), ..Options::default() }
            .load(PLUGIN)
            .arg(format!("--kmip-key-management-conf-dir={}", conf_dir.display()))
            .arg("--kmip-key-management-timeout=2")
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode is set");
}

pub(crate) fn rows(server: &mut Server, statement: &str) -> Vec<String> {
    let text = |row: Vec<Option<String>>| row.into_iter().flatten().collect::<Vec<_>>().join(" ");
    server.sql(statement).into_iter().map(text).collect()
}

/// The value of a status variable of the plugin.
pub(crate) fn status(server: &mut Server, name: &str) -> String {
    let row = server.sql(&format!("SHOW GLOBAL STATUS LIKE 'kmip_key_management_{name}'")).remove(0);
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
