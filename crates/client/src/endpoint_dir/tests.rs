//! Directories as people make them: right, loose, unsafe and incomplete.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

struct Enrolment {
    cert: String,
    key: KeyPair,
    servers: Vec<ServerAddress>,
}

impl Enrolment {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec!["db1".into()]).unwrap().self_signed(&key).unwrap().pem();
        let servers = vec!["one:1".parse().unwrap(), "two:2".parse().unwrap()];
        Self { cert, key, servers }
    }

    fn write(&self, dir: &Path, existing: Existing) -> Result<(), WriteError> {
        self.write_key(dir, existing, &self.key.serialize_pem(), None)
    }

    fn write_key(
        &self,
        dir: &Path,
        existing: Existing,
        key_pem: &str,
        password: Option<&str>,
    ) -> Result<(), WriteError> {
        let contents =
            Contents { servers: &self.servers, ca_pem: &self.cert, cert_pem: &self.cert, key_pem, password };
        write(dir, contents, existing)
    }
}

fn enrolled() -> (TempDir, PathBuf) {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("conf");
    Enrolment::new().write(&dir, Existing::Keep).unwrap();
    (scratch, dir)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn fault(dir: &Path) -> (String, Fault) {
    let error = Endpoint::open(dir).unwrap_err();
    (error.path.file_name().unwrap().to_string_lossy().into_owned(), error.fault)
}

#[test]
fn what_enrolment_writes_is_private_and_opens_without_a_warning() {
    let (_scratch, dir) = enrolled();
    assert_eq!((mode(&dir), mode(&dir.join("ssl"))), (0o750, 0o750));
    for file in ["okvclient.ora", "ssl/CA.pem", "ssl/cert.pem", "ssl/key.pem"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    let endpoint = Endpoint::open(&dir).unwrap();
    assert_eq!(endpoint.servers, ["one:1".parse().unwrap(), "two:2".parse().unwrap()]);
    assert_eq!(endpoint.warnings, []);
    assert_eq!(format!("{:?}", endpoint.key), "PrivateKey(..)");
    // Nothing else is left beside it.
    assert_eq!(fs::read_dir(dir.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn an_enrolled_directory_is_replaced_only_when_told() {
    let (_scratch, dir) = enrolled();
    let before = fs::read(dir.join("ssl/key.pem")).unwrap();
    let again = Enrolment::new();
    assert!(
        matches!(again.write(&dir, Existing::Keep), Err(WriteError::AlreadyEnrolled(path)) if path == dir)
    );
    assert_eq!(fs::read(dir.join("ssl/key.pem")).unwrap(), before);
    again.write(&dir, Existing::Replace).unwrap();
    assert_eq!(fs::read_to_string(dir.join("ssl/key.pem")).unwrap(), again.key.serialize_pem());
    assert_eq!(fs::read_dir(dir.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn other_files_are_never_removed_and_an_empty_directory_is_taken() {
    let scratch = TempDir::new().unwrap();
    fs::write(scratch.path().join("precious"), "data").unwrap();
    assert!(matches!(
        Enrolment::new().write(scratch.path(), Existing::Replace),
        Err(WriteError::NotEmpty(_))
    ));
    let empty = scratch.path().join("empty");
    fs::create_dir(&empty).unwrap();
    Enrolment::new().write(&empty, Existing::Keep).unwrap();
    assert!(Endpoint::open(&empty).is_ok());
}

#[test]
fn a_key_with_a_password_is_opened_with_the_first_line_of_password_txt() {
    let scratch = TempDir::new().unwrap();
    let dir = scratch.path().join("conf");
    let enrolment = Enrolment::new();
    let pem = crate::key_file::encrypt(&enrolment.key.serialize_der(), b"open sesame").unwrap();
    enrolment.write_key(&dir, Existing::Keep, &pem, Some("open sesame\r\nsecond line\n")).unwrap();
    assert!(Endpoint::open(&dir).is_ok());
    fs::write(dir.join("ssl/password.txt"), "wrong").unwrap();
    assert_eq!(fault(&dir), ("password.txt".into(), Fault::Key(KeyFileError::WrongPassword)));
    chmod(&dir.join("ssl/password.txt"), 0o644);
    assert_eq!(fault(&dir), ("password.txt".into(), Fault::ReadableByOthers(0o644)));
    fs::remove_file(dir.join("ssl/password.txt")).unwrap();
    assert_eq!(fault(&dir), ("key.pem".into(), Fault::Key(KeyFileError::PasswordNeeded)));
}

#[test]
fn a_looser_directory_is_a_warning_and_one_that_others_write_is_refused() {
    let (_scratch, dir) = enrolled();
    chmod(&dir, 0o755);
    chmod(&dir.join("ssl"), 0o770);
    let warnings = Endpoint::open(&dir).unwrap().warnings;
    assert_eq!(
        warnings,
        [
            Warning::LooseDirectory { path: dir.clone(), mode: 0o755 },
            Warning::LooseDirectory { path: dir.join("ssl"), mode: 0o770 },
        ]
    );
    chmod(&dir.join("ssl"), 0o752);
    assert_eq!(fault(&dir), ("ssl".into(), Fault::WritableByOthers(0o752)));
    chmod(&dir, 0o757);
    assert_eq!(fault(&dir), ("conf".into(), Fault::WritableByOthers(0o757)));
}

#[test]
fn files_that_others_could_read_or_replace_are_refused() {
    let (_scratch, dir) = enrolled();
    chmod(&dir.join("ssl/key.pem"), 0o604);
    assert_eq!(fault(&dir), ("key.pem".into(), Fault::ReadableByOthers(0o604)));
    chmod(&dir.join("ssl/key.pem"), 0o640);
    chmod(&dir.join("ssl/CA.pem"), 0o646);
    assert_eq!(fault(&dir), ("CA.pem".into(), Fault::WritableByOthers(0o646)));
    chmod(&dir.join("ssl/CA.pem"), 0o644);
    assert!(Endpoint::open(&dir).is_ok());
}

#[test]
fn missing_and_damaged_files_are_named() {
    let (_scratch, dir) = enrolled();
    let missing = |file: &str| {
        let path = dir.join(file);
        let kept = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let (name, fault) = fault(&dir);
        assert!(
            matches!(fault, Fault::Unreadable(IoFault { kind: std::io::ErrorKind::NotFound, .. })),
            "{fault:?}"
        );
        fs::write(&path, kept).unwrap();
        chmod(&path, 0o600);
        name
    };
    use crate::error::IoFault;
    assert_eq!(missing("okvclient.ora"), "okvclient.ora");
    assert_eq!(missing("ssl/CA.pem"), "CA.pem");
    assert_eq!(missing("ssl/cert.pem"), "cert.pem");
    assert_eq!(missing("ssl/key.pem"), "key.pem");
    fs::write(dir.join("ssl/cert.pem"), "nothing").unwrap();
    assert_eq!(fault(&dir), ("cert.pem".into(), Fault::NoCertificate));
    fs::write(dir.join("ssl/cert.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    assert_eq!(fault(&dir), ("cert.pem".into(), Fault::BadCertificate));
    fs::write(dir.join("okvclient.ora"), "SERVER\n").unwrap();
    assert_eq!(
        fault(&dir),
        ("okvclient.ora".into(), Fault::Servers(OkvClientError::NotKeyValue { line: 1 }))
    );
    assert!(Endpoint::open(&dir.join("absent")).is_err());
    assert_eq!(fault(&dir.join("okvclient.ora")), ("okvclient.ora".into(), Fault::WrongKind));
}

#[test]
fn servers_configured_elsewhere_stand_in_for_okvclient_ora() {
    let (_scratch, dir) = enrolled();
    fs::remove_file(dir.join("okvclient.ora")).unwrap();
    let servers = vec!["three:3".parse().unwrap()];
    assert_eq!(Endpoint::open_with_servers(&dir, servers.clone()).unwrap().servers, servers);
    assert!(Endpoint::open_with_servers(&dir, vec![]).is_err());
}

#[test]
fn single_files_make_an_endpoint_wherever_they_lie() {
    let (_scratch, dir) = enrolled();
    let whole = Endpoint::open(&dir).unwrap();
    let ssl = dir.join(SSL_DIR);
    let [ca, cert, key] = [CA_PEM, CERT_PEM, KEY_PEM].map(|name| ssl.join(name));
    let open = |servers| Endpoint::open_files(servers, &ca, &cert, &key);
    let single = open(whole.servers.clone()).unwrap();
    assert_eq!((single.servers, single.certificates), (whole.servers.clone(), whole.certificates));
    assert_eq!(open(vec![]).unwrap_err().fault, Fault::Servers(OkvClientError::NoServer));
    chmod(&key, 0o644);
    let readable = open(whole.servers.clone()).unwrap_err();
    assert_eq!((readable.path, readable.fault), (key.clone(), Fault::ReadableByOthers(0o644)));
    fs::remove_file(&key).unwrap();
    assert_eq!(open(whole.servers).unwrap_err().path, key);
}
