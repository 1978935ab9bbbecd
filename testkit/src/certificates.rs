//! Throwaway certificates, made at run time: an authority, and what it issues to servers and clients.
//!
//! Keys are ECDSA P-256: PyKMIP's server offers TLS 1.2 with ECDHE-ECDSA suites only, which an RSA certificate
//! cannot use with a client that has given up RSA key exchange and CBC.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// From 2020 to 2120.
    Now,
    /// Until the end of 2020.
    Expired,
    /// From 2120 on.
    NotYet,
}

/// A certificate and its private key, both as PEM text. The key is PKCS#8.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The private key, for this test only.
    pub key: String,
}

/// A certificate authority that lives as long as the test.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority called `name`.
    ///
    /// # Panics
    /// When key generation fails.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = params(name, &[], Validity::Now);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, new_key()).expect("an authority can sign itself");
        Self { issuer }
    }

    /// Its own certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A server's certificate for `names` (DNS names or IP addresses; none at all is how old appliances do it).
    #[must_use]
    pub fn server(&self, names: &[&str], validity: Validity) -> Issued {
        self.issue("server", names, validity, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's certificate. PyKMIP takes the common name as the owner of its objects and insists on the
    /// extended key usage clientAuth.
    #[must_use]
    pub fn client(&self, common_name: &str, validity: Validity) -> Issued {
        self.issue(common_name, &[], validity, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        common_name: &str,
        names: &[&str],
        validity: Validity,
        usage: ExtendedKeyUsagePurpose,
    ) -> Issued {
        let mut params = params(common_name, names, validity);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = new_key();
        let certificate = params.signed_by(&key, &self.issuer).expect("the authority can sign");
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("an ECDSA P-256 key can be made")
}

fn params(common_name: &str, names: &[&str], validity: Validity) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names are DNS names or IP addresses");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    (params.not_before, params.not_after) = match validity {
        Validity::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1)),
        Validity::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 12, 31)),
        Validity::NotYet => (date_time_ymd(2120, 1, 1), date_time_ymd(2121, 1, 1)),
    };
    params
}

/// An authority, a server for `localhost`, `127.0.0.1` and `::1`, and one client, as PEM files in a folder.
pub struct Certificates {
    /// Issues more where a test needs them.
    pub authority: Authority,
    folder: PathBuf,
}

impl Certificates {
    /// Writes `ca.pem`, `server.pem`, `server.key`, `client.pem` and `client.key` (keys mode 0600) into
    /// `folder`, which is made if needed. The client's common name is `client`.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn write(folder: &Path) -> Self {
        let authority = Authority::new("Strongroom test CA");
        let server = authority.server(&["localhost", "127.0.0.1", "::1"], Validity::Now);
        let client = authority.client("client", Validity::Now);
        fs::create_dir_all(folder).expect("the certificate folder can be made");
        write_file(&folder.join("ca.pem"), 0o644, &authority.certificate());
        write_file(&folder.join("server.pem"), 0o644, &server.certificate);
        write_file(&folder.join("server.key"), 0o600, &server.key);
        write_file(&folder.join("client.pem"), 0o644, &client.certificate);
        write_file(&folder.join("client.key"), 0o600, &client.key);
        Self { authority, folder: folder.to_path_buf() }
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The server's certificate.
    #[must_use]
    pub fn server(&self) -> PathBuf {
        self.folder.join("server.pem")
    }

    /// The server's key.
    #[must_use]
    pub fn server_key(&self) -> PathBuf {
        self.folder.join("server.key")
    }

    /// The client's certificate.
    #[must_use]
    pub fn client(&self) -> PathBuf {
        self.folder.join("client.pem")
    }

    /// The client's key.
    #[must_use]
    pub fn client_key(&self) -> PathBuf {
        self.folder.join("client.key")
    }

    /// Writes an endpoint directory for the client as enrolment would: `okvclient.ora` naming `servers` (the
    /// first as SERVER, the others as STANDBY_SERVER) and `ssl/{CA.pem,cert.pem,key.pem}`; folders 0750, key 0600.
    ///
    /// # Panics
    /// When the files cannot be read or written.
    pub fn write_endpoint_directory(&self, directory: &Path, servers: &[SocketAddr]) {
        let read =
            |path: PathBuf| fs::read_to_string(path).expect("a certificate written before can be read");
        let client = Issued { certificate: read(self.client()), key: read(self.client_key()) };
        write_endpoint_directory(directory, servers, &read(self.ca()), &client);
    }
}

/// Writes an endpoint directory by hand, for clients whose server is not a vault.
///
/// # Panics
/// When the files cannot be written or `servers` is empty.
pub fn write_endpoint_directory(directory: &Path, servers: &[SocketAddr], ca: &str, client: &Issued) {
    let ssl = directory.join("ssl");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(&ssl)
        .expect("the endpoint directory can be made");
    let (first, standbys) = servers.split_first().expect("an endpoint directory names a server");
    let mut text = format!("SERVER={first}\n");
    if !standbys.is_empty() {
        let list: Vec<String> = standbys.iter().map(ToString::to_string).collect();
        text.push_str(&format!("STANDBY_SERVER={}\n", list.join(",")));
    }
    write_file(&directory.join("okvclient.ora"), 0o640, &text);
    write_file(&ssl.join("CA.pem"), 0o640, ca);
    write_file(&ssl.join("cert.pem"), 0o640, &client.certificate);
    write_file(&ssl.join("key.pem"), 0o600, &client.key);
}

fn write_file(path: &Path, mode: u32, text: &str) {
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        panic!("{} cannot be written: {error}", path.display());
    }
}
